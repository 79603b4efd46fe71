"""Which files a case, a pattern or a folder stands for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.files.case import beside
from tuneworthy.files.patterns import matching
from tuneworthy.files.traces.limits import Limits

Entry = Literal["traces", "examples", "preference_pairs", "evaluation"]
_REMOTE = re.compile(r"(?:s3|s3a|s3n|gs|gcs|r2|az|azure|abfss|hf|https?)://", re.IGNORECASE)
_SIGNS = "*?["


def is_remote(source: Path | str) -> bool:
    """Whether a source lies on another machine, by its address."""
    return isinstance(source, str) and _REMOTE.match(source) is not None


def named(case: Case, entry: Entry, limits: Limits | None = None) -> tuple[Path, ...]:
    """Files that an entry of the case's ``data`` stands for, all of them inside its folder.

    Returns:
        Their paths by name, for ``read``; () where the case names none, or has no folder.

    Raises:
        CaseError: If one leads out of the folder, or nothing is there.
    """
    data = case.data
    values: tuple[str | None, ...] = data.traces
    if entry != "traces":
        held = getattr(data, entry)
        values = (held if isinstance(held, str) or held is None else held.path,)
    found: list[Path] = []
    for value in values:
        path = beside(case, f"data.{entry}", value)
        if path is None:
            continue
        for each in local(path, limits or Limits(), where=case.where("data", entry)):
            beside(case, f"data.{entry}", str(each))  # a pattern may find a link that leads out
            found.append(each)
    return once(found)


def local(path: Path | str, limits: Limits, *, where: str = "") -> list[Path]:
    """The files of a path, a folder or a pattern, by name. Hidden files of a folder don't count.

    Raises:
        InputError: If nothing is there, or far too much. As ``CaseError`` where a case named it.
    """
    error = CaseError if where else InputError
    given, text = Path(path), str(path)
    if "\0" in text:
        raise error("can't be read", where=where or text, fix="check the path")
    try:
        there = os.path.lexists(given)
        if not there and any(sign in text for sign in _SIGNS):
            found = _files(matching(text), limits)
        elif there and given.is_dir():
            listed = (one for one in given.iterdir() if not one.name.startswith("."))
            found = _files(listed, limits)
        else:
            return [given]
    except (OSError, ValueError):
        raise error("can't be read", where=where or text, fix="check the path") from None
    if not found:
        raise error(f'"{text}" holds no file', where=where, fix="check the path")
    if len(found) > limits.files:
        fix = "name fewer, or put them together"
        raise error(f'"{text}" holds more than {limits.files:,} files', where=where, fix=fix)
    return sorted(found)


def _files(paths: Iterable[Path], limits: Limits) -> list[Path]:
    kept = (one for one in paths if one.is_file())
    return list(islice(kept, limits.files + 1))


def once(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Paths in their order, one that was named twice only once."""
    seen: dict[str, Path] = {}
    for path in paths:
        seen.setdefault(os.path.realpath(path), path)
    return tuple(seen.values())
