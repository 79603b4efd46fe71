"""A case with other answers, as a what-if or written into its file; and a case to begin with."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tuneworthy.errors import CaseError, FrameworkError, InputError, one_line
from tuneworthy.files.assistant import confirm_answers
from tuneworthy.files.case import CASE_FILE, case_path
from tuneworthy.files.disk import (
    CASE_LIMIT,
    FRAMEWORK_LIMIT,
    all_or_none,
    read_text,
    refuse_existing,
    write_new,
)
from tuneworthy.framework.load import NAMES
from tuneworthy.model.base import State, json_text
from tuneworthy.model.case import Case, CheckAnswer
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case, load_framework

if TYPE_CHECKING:
    from tuneworthy.model.interview import AnswerResult


def judge_case(
    source: str | Path,
    chosen: str | None = None,
    *,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
    seed: int = 0,
) -> Dossier:
    """Read a case, put other answers in, and decide it by the framework that applies."""
    case, framework = read_supposed(source, chosen, answers)
    return decide(case, framework, as_of=as_of, seed=seed)


def read_supposed(
    source: str | Path, chosen: str | None, answers: Mapping[str, str] | None
) -> tuple[Case, Framework]:
    """A case with other answers put in, and the framework that applies; nothing is written."""
    if not answers:
        case = load_case(source)
        return case, framework_of(case, chosen)
    from tuneworthy.interview.answers import type_in

    path = case_path(source)
    text, by = read_text(path, CASE_LIMIT, CaseError), partial(framework_of, chosen=chosen)
    typed = type_in(text, path, answers, by, "--set ")
    return typed.supposed, typed.framework


def write(
    source: str | Path, answers: Mapping[str, str], chosen: str | None = None
) -> AnswerResult:
    """Write answers into a case file, and say what they came to.

    Nothing is written if the answers don't make a case that its framework can judge: the chosen
    one, and the one that the case itself names.
    """
    from tuneworthy.interview.answers import write_typed

    def judge(case: Case, framework: Framework) -> Dossier:
        if chosen is not None:
            decide(case, framework_of(case))
        return decide(case, framework)

    case = load_case(source)
    before = decide(case, framework_of(case, chosen))
    wrote = write_typed(source, answers, partial(framework_of, chosen=chosen), judge)
    return wrote._replace(before=before)


def confirm(source: str | Path, chosen: str | None = None) -> str:
    """Confirm what an assistant answered, and say which answers these are, one a line."""
    from tuneworthy.interview.answers import unconfirmed_answers

    case = load_case(source)
    waiting = unconfirmed_answers(case, framework_of(case, chosen))
    confirm_answers(case, [answer.key for answer in waiting])
    lines = [
        f"Confirmed {one_line(answer.title)} ({answer.key}): {one_line(answer.value)},"
        f" for “{one_line(answer.quote)}”\n"
        for answer in waiting
    ]
    return "".join(lines) or "No answer by an assistant waits to be confirmed.\n"


SCHEMA_FILE = "case.schema.json"
FRAMEWORK_FILE = "framework.yaml"


def start_case(
    folder: str | Path, name: str | None = None, chosen: str | None = None
) -> list[Path]:
    """Write a commented case file and its schema into a folder; the files that were written.

    All of them or none: where one can't be written, those before it are gone again.
    """
    if not str(folder).strip():
        raise CaseError("is empty", where="DIR", fix="name a folder")
    target = Path(folder)
    framework = load_framework(chosen or "lesson")
    from tuneworthy.framework.schema import case_schema
    from tuneworthy.report.sections.framework import case_template

    texts = {CASE_FILE: "", SCHEMA_FILE: json_text(case_schema(framework))}
    own = chosen
    if chosen is not None and chosen not in NAMES:
        own = FRAMEWORK_FILE
        texts[own] = read_text(Path(chosen), FRAMEWORK_LIMIT, FrameworkError)
    paths = [target / file for file in texts]
    for path in paths:
        refuse_existing(path, "choose another folder, or edit the file that is there")
    called = name or plain_title(folder)
    if len(called) > 200:
        raise CaseError("is longer than 200 characters", where="--name", fix="shorten it")
    texts[CASE_FILE] = case_template(framework, called, SCHEMA_FILE, own)
    with all_or_none(target) as written:
        for path, text in zip(paths, texts.values(), strict=True):
            write_new(path, text)
            written.append(path)
    return paths


def plain_title(folder: str | Path) -> str:
    """What a use case is called after its folder."""
    name = one_line(Path(os.path.abspath(folder)).name)  # noqa: PTH100  # never raises
    return name.replace("-", " ").replace("_", " ").capitalize()[:200] or "My use case"


def stated(case: Case, framework: Framework) -> dict[str, State]:
    """The answers as they are written, counts as states; unknown where nothing is.

    By path, as ``factors.brand_voice``: a signal may bear the name of a factor.
    """
    from tuneworthy.interview.questions import asked_by

    states: dict[str, State] = {}
    for room, asks in asked_by(framework).items():
        for name, ask in asks.items():
            answer, at_least = getattr(case, room).get(name), getattr(ask, "at_least", None)
            states[f"{room}.{name}"] = "unknown" if answer is None else answer.value
            count = answer.count if isinstance(answer, CheckAnswer) else None
            if count is not None and at_least is not None:
                states[f"{room}.{name}"] = "yes" if count >= at_least else "no"
    return states


@contextmanager
def extra_needed(name: str, needs: str, libraries: Container[str]) -> Iterator[None]:
    """A library of an extra that is missing is one line with what to install."""
    try:
        yield
    except ModuleNotFoundError as caught:
        if (caught.name or "").partition(".")[0] not in libraries:
            raise
        fix = f'in a clone, pip install ".[{name}]" installs it'
        what = f"{needs} the extra {name} ({caught.name} is not installed)"
        raise InputError(what, fix=fix) from None


def stamps(folder: Path, *, but: str = "", most: int = sys.maxsize) -> frozenset[Any] | None:
    """Size and time of every file below a folder, but in a folder ``but``; None for too many."""
    marks = set[tuple[str, int, int]]()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(place, name) != but]  # noqa: PTH118  # a hot path
        if len(marks) + len(files) > most:
            return None
        for path in (f"{place}/{name}" for name in files):
            with suppress(OSError):
                now = os.stat(path)  # noqa: PTH116  # a hot path
                marks.add((path, now.st_size, now.st_mtime_ns))
    return frozenset(marks)


T = TypeVar("T")


class Cache(Generic[T]):
    """The last of each name, as long as its key is the same; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._kept: dict[Hashable, tuple[Hashable, T]] = {}

    def find(self, name: Hashable, key: Hashable) -> T | None:
        with self._lock:
            entry = self._kept.pop(name, None)
            if entry is None:
                return None
            self._kept[name] = entry
            return entry[1] if entry[0] == key else None

    def keep(self, name: Hashable, key: Hashable, value: T) -> T:
        """Keep it in the place of what was there."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = key, value
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return value
