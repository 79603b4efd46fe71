"""Files beside the code with looks and words."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from tuneworthy.framework.load import case_fields
from tuneworthy.model.base import field_path
from tuneworthy.words import plain

# a path of the case file, such as economics.monthly.api_savings_usd
_PATH = (
    r"(?:attempts|ceiling|data|decision|economics|factors|failures|models|safety|signals|targets"
    r"|today|tuning)(?:\.[a-z_\d]+)+"
)
_IN_BRACKETS = re.compile(rf" \({_PATH}(?:(?:,| and) {_PATH})*\)")
# in a command, a path is followed by its value, and stays as it has to be typed
_BARE = re.compile(rf"\b(?>{_PATH})\b(?!=)")


@cache
def template(name: str) -> str:
    """Read a file of looks or words."""
    return files("tuneworthy.report").joinpath("templates", name).read_text("utf-8")


@cache
def named(kind: str) -> dict[str, str]:
    """Read the names that people see for one kind of thing, by its names in the code."""
    words: dict[str, str] = json.loads(template("words.json"))[kind]
    return words


def field_name(path: str) -> str:
    """The title of a field of the case or of a question."""
    entry = case_fields().get(field_path(path))
    if entry:
        return entry.title
    _, _, name = path.removesuffix(".value").rpartition(".")
    return plain(name)


def name_fields(text: str) -> str:
    """Replace paths of fields in a sentence by titles, for a page where nobody edits the file.

    Paths in brackets only repeat what the sentence says, and are left out.
    """
    return _BARE.sub(_title_of_path, _IN_BRACKETS.sub(_leave_out_paths, text))


def _leave_out_paths(brackets: re.Match[str]) -> str:
    paths = re.findall(_PATH, brackets[0])
    if all(_is_field(path) for path in paths):
        return ""
    return brackets[0]


def _title_of_path(path: re.Match[str]) -> str:
    return field_name(path[0]) if _is_field(path[0]) else path[0]


def fields_in(text: str) -> list[str]:
    """The paths of fields that a sentence names, in its order."""
    return [path for path in _BARE.findall(text) if _is_field(path)]


def _is_field(path: str) -> bool:
    """Whether a text is the path of a field, and not a file or an address."""
    field = field_path(path)
    return any(name == field or name.startswith(f"{field}.") for name in case_fields())
