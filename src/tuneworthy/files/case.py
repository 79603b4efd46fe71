"""The case folder: reading it, checking it, and writing into it without touching foreign files.

A file that is no case, or that leads out of its folder by a link, raises a ``CaseError``, and
nothing is written. A file that can't be written raises an ``OutputError``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.errors import CaseError, ConflictError, argument
from tuneworthy.files.disk import (
    BOM,
    CASE_LIMIT,
    MIB,
    alone,
    matching,
    read_raw,
    read_text,
    write_over,
)
from tuneworthy.model.base import read_place
from tuneworthy.model.case import Case, CaseOrigin, Holding
from tuneworthy.syntax.document import ParsedFile, build, parse
from tuneworthy.syntax.edit import K, Value, edit

CASE_FILE = "case.yaml"
PROMPT_ENDINGS = frozenset({".md", ".markdown", ".jinja", ".jinja2", ".j2", ".txt"})
MOST_PROMPTS = 200  #: Files of an entry that are looked at.
MOST_COUNTED = 64 * MIB  #: Bytes of files that are read at each decision.


def case_path(source: str | Path) -> Path:
    """The case file of a case folder, or the file itself."""
    path = Path(source)
    return path / CASE_FILE if os.path.isdir(path) else path  # noqa: PTH112  # never raises


class Written(NamedTuple):
    """A case file's text and its case, as they were read or written."""

    case: Case
    text: str
    digest: str  #: SHA-256 of the text, for compare-and-set.
    before: str = ""  #: The text that was there; empty where it was only read.


def read_case(source: str | Path | Mapping[str, Any]) -> Case:
    """A case from its folder, its file, or a mapping with the same keys."""
    if not isinstance(source, Mapping):
        return read_with_digest(source).case
    document = ParsedFile(source, "case")
    return build(Case, document).with_origin(CaseOrigin(document.where))


def read_with_digest(source: str | Path) -> Written:
    """Read a case together with the digest of the text it was read from."""
    path = case_path(source)
    is_folder = path.parent == Path(source)
    if is_folder and not os.path.lexists(path):
        fix = f'start one with "tuneworthy init {argument(path.parent)}"'
        raise CaseError(f"holds no {CASE_FILE}", where=str(path.parent), fix=fix)
    text = read_text(path, CASE_LIMIT)
    return Written(case_from_text(text, path), text, text_digest(text))


def case_from_text(text: str, path: Path) -> Case:
    """Read the text of a case file as a case whose data lie beside ``path``."""
    document = parse(text, str(path))
    if document.data is None:
        raise CaseError("is empty", where=path, fix="start with name: …")
    return build(Case, document).with_origin(CaseOrigin(document.where, path.parent))


def prompt_texts(case: Case) -> tuple[str, ...] | None:
    """The texts of the team's prompt variants; None where the case names no folder of prompts."""
    files = prompt_files(case)
    if files is None:
        return None
    return tuple(read_text(path, MIB) for path in files)


def prompt_files(case: Case) -> tuple[Path, ...] | None:
    """The files of the team's prompt variants, by name; None where the case names no folder."""
    return _files_of_prompts(case, PROMPT_ENDINGS)


def search_files(case: Case) -> tuple[Path, ...]:
    """The files beside the prompts that may hold results of other tools' searches."""
    return _files_of_prompts(case, frozenset({".json"})) or ()


def _files_of_prompts(case: Case, endings: frozenset[str]) -> tuple[Path, ...] | None:
    """The prompt files with one of these endings; refuses more than can be compared."""
    folder = beside(case, "data.prompts", case.data.prompts)
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return None
    prompts = sorted(p for p in folder.iterdir() if p.suffix in endings and p.is_file())
    if len(prompts) > MOST_PROMPTS:
        what = f"holds {len(prompts)} prompts, more than {MOST_PROMPTS}"
        raise CaseError(what, where=folder, fix="keep the variants that were compared")
    _refuse_outside(case, prompts, "data.prompts")
    return tuple(prompts)


def missing_entries(case: Case) -> dict[str, str]:
    """Entries of ``data`` whose file or folder isn't there, each with the path that it names.

    Empty for a case without a folder.
    """
    entries = _entries(case)
    return {
        name: pattern
        for name, pattern in entries
        if not _find_files(case, name, pattern)
    }


def files_of(case: Case, *entries: str) -> Iterator[tuple[str, Path]]:
    """The files that some entries of ``data`` name, by entry; of a folder or pattern the first 200."""
    for name, pattern in _entries(case):
        # ``data.traces[2]`` belongs to the entry traces
        entry, _, _ = name.removeprefix("data.").partition("[")
        if entry not in entries:
            continue
        for root in _find_files(case, name, pattern):
            paths = [root]
            if root.is_dir():
                # Only documents may be in folders of their own.
                paths = _paths_inside(root, deep=entry == "documents")
            for path in paths:
                if path.is_file():
                    yield entry, path


def _paths_inside(folder: Path, *, deep: bool) -> list[Path]:
    """The first 200 paths in a folder, with ``deep`` also in those below, without links.

    A folder that was named may be a link itself, but a link inside it may lead out.
    """
    inside = matching("**/*", folder) if deep else folder.iterdir()
    return [path for path in islice(inside, MOST_PROMPTS) if not path.is_symlink()]


def training_texts(case: Case) -> Iterator[str]:
    """The texts of the training files; none where they are too large to count at each decision."""
    files: list[Path] = []
    for name, value in _entries(case):
        if name.startswith("data.training"):
            paths = _find_files(case, name, value)
            files += [path for path in paths if path.suffix == ".jsonl"]
    if sum(path.stat().st_size for path in files) <= MOST_COUNTED:
        for path in files:
            yield read_text(path, MOST_COUNTED)


def _find_files(case: Case, name: str, pattern: str) -> list[Path]:
    """The files that a path or a pattern finds; each of the first 200 has to lie inside the folder."""
    assert case.folder is not None  # only called with one
    is_pattern = any(sign in pattern for sign in "*?[")
    if not is_pattern:
        path = beside(case, name, pattern)
        if path is None or not os.path.exists(path):  # noqa: PTH110  # never raises
            return []
        return [path]
    try:
        paths = list(islice(matching(pattern, case.folder), MOST_PROMPTS))
    except (OSError, ValueError):
        what = f"{name} is not a pattern"
        fix = "write a pattern such as logs/*.jsonl"
        raise CaseError(what, where=case.where("data"), fix=fix) from None
    _refuse_outside(case, paths, name)
    return paths


def _entries(case: Case) -> Iterator[tuple[str, str]]:
    """The files that ``data`` names, each with the name of its entry; none without a case folder."""
    if case.folder is None:
        return
    for entry in ("traces", "training"):
        for number, path in enumerate(getattr(case.data, entry), start=1):
            yield f"data.{entry}[{number}]", path
    for entry in _SINGLE_ENTRIES:
        stated: str | Holding | None = getattr(case.data, entry)
        path = stated.path if isinstance(stated, Holding) else stated
        if path is not None:
            yield f"data.{entry}", path


_SINGLE_ENTRIES = (
    "trace_map",
    "evaluation",
    "prompts",
    "glossary",
    "voice",
    "output_schema",
    "tools",
    "documents",
    "examples",
    "preference_pairs",
)
"""Entries of ``data`` that name one file or folder."""


def beside(case: Case, name: str, value: str | None) -> Path | None:
    """The path of something that the case names; None where there is no folder or no name."""
    if case.folder is None or value is None:
        return None
    path = case.folder / value
    _refuse_outside(case, [path], name)
    return path


def _refuse_outside(case: Case, paths: Iterable[Path], name: str) -> None:
    """Refuse what a link leads out of the case folder to, with the line that names it."""
    assert case.folder is not None  # only called with one
    try:
        folder = case.folder.resolve()
        if all(path.resolve().is_relative_to(folder) for path in paths):
            return
    except (OSError, ValueError, RuntimeError):  # such as links in a circle
        pass
    keys: list[str | int] = []
    for step in re.findall(r"[^.\[\]]+", name):
        number = read_place(step)  # as in data.traces[2]
        if number is None:
            keys.append(step)
        else:
            keys.append(number - 1)
    what = f"{name} leads out of the case folder"
    raise CaseError(what, where=case.where(*keys), fix="keep data inside the folder")


# Answers written into a user's own YAML: comments, order and everything else stay.


def write_answers(
    source: str | Path, answers: Mapping[K, Value], *, read_digest: str | None = None
) -> Written:
    """Write answers into a case file; a second writer waits, so no answer is lost.

    ``source`` is the case folder or file; a link to one is followed and stays a link. ``answers``
    maps paths inside the case to values, such as ``("factors", "brand_voice")`` to ``"yes"``. What
    happens to a mapping that stands there is described at ``syntax.edit``. Nothing is written if
    the file has changed since it had the ``read_digest``.
    """

    def with_answers(text: str, path: Path) -> str:
        case_from_text(text, path)  # what isn't a case is refused before it is touched
        return edit(text, answers, str(path))

    return rewrite(source, with_answers, read_digest=read_digest)


def rewrite(
    source: str | Path,
    change: Callable[[str, Path], str],
    check: Callable[[Case], object] | None = None,
    *,
    read_digest: str | None = None,
) -> Written:
    """Change the whole text of a case file, as ``write_answers`` does with a few answers.

    While ``change`` works on the text, nobody else writes it. Nothing is written either if
    ``check``, which sees the case as it would become, raises.
    """
    path = case_path(source)
    with alone(path):
        raw = read_raw(path, CASE_LIMIT)
        text = raw.removeprefix(BOM)
        if read_digest is not None and text_digest(text) != read_digest:
            what = "was changed by somebody else meanwhile"
            fix = "look at it again, then answer"
            raise ConflictError(what, where=path, fix=fix)
        changed = change(text, path)
        case = case_from_text(changed, path)
        if check is not None:
            check(case)
        if changed != text:
            mark = BOM if raw.startswith(BOM) else ""
            write_over(path, mark + changed)
    return Written(case, changed, text_digest(changed), text)


def add_to_case(source: str | Path, lines: str) -> Case:
    """Add lines at the end of a case file, such as a section that it doesn't have yet."""
    return rewrite(source, lambda text, _: text + lines).case


def text_digest(text: str) -> str:
    """The SHA-256 of a file's text, by which a writer sees whether the text has changed."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
