"""Answers written into a user's own YAML: comments, order and everything else stay."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.files.case import case_from_text, case_path
from tuneworthy.files.disk import CASE_LIMIT, read_text, replace_whole

_WIDTH = 1 << 20  # never fold the user's long lines


def write_answers(
    source: str | Path, answers: Mapping[tuple[str, ...], str], *, read_digest: str | None = None
) -> Case:
    """Write answers into a case file.

    Args:
        source: Case folder or case file.
        answers: Path inside the case to the value, such as ``("factors", "brand_voice")`` to
            ``"yes"``. A mapping that stands there keeps its other keys and gets a new ``value``.
        read_digest: SHA-256 of the file as the caller saw it; nothing is written if the file has
            changed since.

    Returns:
        The case as it is now.

    Raises:
        CaseError: If the result is no case or the file has changed; then nothing is written.
    """
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    case_from_text(text, path)  # refuses what isn't plain data before ruamel looks at it
    if read_digest is not None and text_digest(text) != read_digest:
        fix = "look at it again, then answer"
        raise CaseError("was changed by somebody else meanwhile", where=str(path), fix=fix)
    changed = edited(text, answers, str(path))
    draft = case_from_text(changed, path)
    replace_whole(path, changed)
    return draft


def text_digest(text: str) -> str:
    """SHA-256 of a file's text, for compare-and-set."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def edited(text: str, answers: Mapping[tuple[str, ...], str], name: str) -> str:
    """The text with answers put in.

    Raises:
        CaseError: If a path leads through something that is no mapping.
    """
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.allow_duplicate_keys = False
    yaml.indent(**_indent(text))
    try:
        data = yaml.load(text)
        for keys, value in answers.items():
            _put(data, keys, value, name)
        out = io.StringIO()
        yaml.dump(data, out)
    except YAMLError:
        raise CaseError("can't be edited", where=name, fix="edit it by hand") from None
    return out.getvalue()


def _put(data: Any, keys: tuple[str, ...], value: str, name: str) -> None:
    here = data
    for key in keys[:-1]:
        if here.get(key) is None:
            here[key] = CommentedMap()
        here = here[key]
        if not isinstance(here, dict):
            raise CaseError(f"{'.'.join(keys)} leads through a plain value", where=name)
    last = keys[-1]
    if isinstance(here.get(last), dict):
        here[last]["value"] = _scalar(value)
    else:
        here[last] = _scalar(value)


def _scalar(value: str) -> Any:
    """A value as YAML would read it: yes, 5 and 0.9 stay without quotes."""
    plain = YAML(typ="safe", pure=True).load(value) if value.strip() else value
    return plain if isinstance(plain, str | int | float) and not isinstance(plain, bool) else value


def _indent(text: str) -> dict[str, int]:
    """The indentation the file uses, so that its lines stay as they are."""
    _, indent, offset = load_yaml_guess_indent(text)
    mapping = next(
        (len(line) - len(line.lstrip(" ")) for line in text.splitlines()
         if line.startswith(" ") and not line.lstrip().startswith(("#", "-"))), 2
    )  # fmt: skip
    return {"mapping": mapping or 2, "sequence": indent or 2, "offset": offset or 0}
