"""Files beside the code with looks and words."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from tuneworthy.framework.load import case_fields
from tuneworthy.model.base import field_path
from tuneworthy.words import plain

_PATH = (
    r"(?:attempts|ceiling|data|decision|economics|factors|failures|models|safety|signals|targets"
    r"|today|tuning)(?:\.[a-z_\d]+)+"
)
_BESIDE = re.compile(rf" \({_PATH}(?:(?:,| and) {_PATH})*\)")
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
    return plain(path.removesuffix(".value").rpartition(".")[2])


def name_fields(text: str) -> str:
    """Replace paths of fields in a sentence by titles, for a page where nobody edits the file."""

    def beside(match: re.Match[str]) -> str:
        if all(map(_is_field, re.findall(_PATH, match[0]))):
            return ""
        return match[0]

    def bare(match: re.Match[str]) -> str:
        return field_name(match[0]) if _is_field(match[0]) else match[0]

    return _BARE.sub(bare, _BESIDE.sub(beside, text))


def fields_in(text: str) -> list[str]:
    """The paths of fields that a sentence names, in its order."""
    return [path for path in _BARE.findall(text) if _is_field(path)]


def _is_field(path: str) -> bool:
    """Whether a text is the path of a field, and not a file or an address."""
    field = field_path(path)
    return any(name == field or name.startswith(f"{field}.") for name in case_fields())
