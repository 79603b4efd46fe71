"""A case with other answers, as a what-if or written into its file; and a case to begin with."""

from __future__ import annotations

import os
from collections.abc import Container, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from tuneworthy.errors import CaseError, FrameworkError, InputError, OutputError, one_line
from tuneworthy.files.case import CASE_FILE, missing_entries, read_case, write_answers
from tuneworthy.files.disk import FRAMEWORK_LIMIT, read_text, write_new
from tuneworthy.framework.load import NAMES
from tuneworthy.model.base import State, json_text
from tuneworthy.model.case import Case, CaseOrigin, CheckAnswer
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case, load_framework


def judge_case(
    source: str | Path,
    chosen: str | None = None,
    *,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
    seed: int = 0,
    quick: bool = False,
) -> Dossier:
    """Read a case, put other answers in, and decide it by the framework that applies."""
    case, framework = read_supposed(source, chosen, answers)
    return decide(case, framework, as_of=as_of, seed=seed, quick=quick)


def read_supposed(
    source: str | Path, chosen: str | None, answers: Mapping[str, str] | None
) -> tuple[Case, Framework]:
    """A case with other answers put in, and the framework that applies."""
    case = load_case(source)
    framework = framework_of(case, chosen)
    return (with_answers(case, framework, answers) if answers else case), framework


def write(source: str | Path, answers: Mapping[str, str], chosen: str | None = None) -> Dossier:
    """Write answers into a case file and decide what it says now.

    Nothing is written if the answers don't make a case that the framework can judge.
    """
    from tuneworthy.interview.questions import answer_path

    draft, framework = read_supposed(source, chosen, answers)
    for entry in missing_entries(draft):
        if entry in answers:
            fix = "write a count, or the path of a file beside the case"
            what = f"{entry} names a file that isn't there"
            raise CaseError(what, where=f"{entry}={answers[entry]}", fix=fix)
    decide(draft, framework)
    places = {answer_path(name, framework): value for name, value in answers.items()}
    return decide(write_answers(source, places), framework)


def with_answers(case: Case, framework: Framework, answers: Mapping[str, str]) -> Case:
    """The case with other answers, for a what-if; nothing is written."""
    from tuneworthy.interview.questions import answer_path

    data = case.model_dump(mode="json", exclude_defaults=True)
    assumed = set()
    for name, value in answers.items():
        here, (*above, last) = data, answer_path(name, framework)
        assumed.add(".".join([*above, last]))
        for key in above:
            if not isinstance(here.get(key), dict):
                here[key] = {}
            here = here[key]
        here[last] = value
    try:
        changed = read_case(data)
    except CaseError as caught:
        where = " ".join(f"{name}={value}" for name, value in answers.items())
        raise CaseError(caught.what, where=where, fix=caught.fix) from None

    def where_of(path: tuple[str | int, ...]) -> str:
        dotted = ".".join(map(str, path))
        return f"--set {next((name for name in answers if dotted.endswith(name)), dotted)}"

    return changed.with_origin(CaseOrigin(where_of, case.folder, frozenset(assumed)))


SCHEMA_FILE = "case.schema.json"
FRAMEWORK_FILE = "framework.yaml"


def start_case(
    folder: str | Path, name: str | None = None, chosen: str | None = None
) -> list[Path]:
    """Write a commented case file and its schema into a folder; the files that were written."""
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
        if os.path.lexists(path):
            fix = "choose another folder, or edit the file that is there"
            raise OutputError("exists already", where=str(path), fix=fix)
    called = name or plain_title(folder)
    if len(called) > 200:
        raise CaseError("is longer than 200 characters", where="--name", fix="shorten it")
    texts[CASE_FILE] = case_template(framework, called, SCHEMA_FILE, own)
    for path, text in zip(paths, texts.values(), strict=True):
        write_new(path, text)
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


T = TypeVar("T")


class Cache(Generic[T]):
    """The last of each name, as long as its key is the same; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._kept: dict[Hashable, tuple[Hashable, T]] = {}

    def find(self, name: Hashable, key: Hashable) -> T | None:
        with self._lock:
            kept = self._kept.pop(name, None)
            if kept is None:
                return None
            self._kept[name] = kept
            return kept[1] if kept[0] == key else None

    def last(self, name: Hashable) -> T | None:
        """What was kept, whether it still holds or not."""
        with self._lock:
            return self._kept.get(name, (None, None))[1]

    def keep(self, name: Hashable, key: Hashable, value: T) -> T:
        """Keep it in the place of what was there."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = key, value
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return value
