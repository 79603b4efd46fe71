"""The cases of a folder, judged; and judged again only when something they rest on has changed."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Generic, TypeVar

from tuneworthy.errors import CaseError, FrameworkError, InputError, NoSuchCaseError, OutputError
from tuneworthy.files.case import (
    CASE_FILE,
    beside,
    case_from_text,
    case_path,
    missing_entries,
    prompt_texts,
    put,
    text_digest,
)
from tuneworthy.files.disk import CASE_LIMIT, CASES_LIMIT, FRAMEWORK_LIMIT, made_whole, read_text
from tuneworthy.files.stores import Version, add_versions, ledger_path, read_versions
from tuneworthy.framework.load import NAMES, load_document
from tuneworthy.framework.rules import compile_rules
from tuneworthy.interview.answers import answered, keep_both, put_all, supposed
from tuneworthy.interview.questions import answer_path
from tuneworthy.model.base import State
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Difference, Dossier, Verdict
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import AnswerResult, Listed
from tuneworthy.money.investment import RememberedDraws
from tuneworthy.pipeline import decide, framework_of, today, verdicts
from tuneworthy.report.sections.difference import compare
from tuneworthy.report.sections.verdict import CaseRow, case_row
from tuneworthy.syntax.document import parse
from tuneworthy.verdict.gates import choose_action
from tuneworthy.verdict.rules import verdict_of
from tuneworthy.workspace.cases import start_case, stated, with_answers
from tuneworthy.workspace.reports import parse_dossier

# What a dossier rests on: a digest of every byte it would be made from.

_MOST_PARSED = 512


@dataclass(frozen=True, slots=True)
class Resting:
    """A case with what its dossier would rest on."""

    case: Case
    framework: Framework
    text: str
    """Of the case file."""
    digest: str
    """SHA-256 of the case file's text, for compare-and-set."""
    besides: str
    """Digest of all the rest: framework, evidence, prompts, what is missing, and the day."""


def resting_on(source: Path, chosen: str | None, day: date) -> Resting:
    """Read what a case's dossier would be made from.

    Contents and no times of change: a file that was changed twice in one tick of the clock is
    another file.

    Args:
        source: The case.
        chosen: Framework to judge it by; its own or the lesson when not given.
        day: The day the dossier would speak for.

    Raises:
        InputError: If the case or its framework can't be read.
    """
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    case = _parsed(text, path)
    framework, rules = _framework(case, chosen)
    besides = [day.isoformat(), rules, *missing_entries(case), *(prompt_texts(case) or ())]
    ledger = ledger_path(case)
    if ledger is not None and os.path.lexists(ledger):
        besides.append(read_text(ledger, CASES_LIMIT, CaseError))
    return Resting(case, framework, text, text_digest(text), _digest(besides))


def _framework(case: Case, chosen: str | None) -> tuple[Framework, str]:
    """The framework with its name in the catalogue, or the text it was read from."""
    named = chosen if chosen is not None else case.framework
    if named is None or named in NAMES:
        return _named(named or "lesson"), named or "lesson"
    path = Path(named) if chosen is not None else beside(case, "framework", named)
    if path is None or not path.is_file():
        return framework_of(case, chosen), named  # it says what is wrong
    text = read_text(path, FRAMEWORK_LIMIT, FrameworkError)
    return _written(text, str(path)), text


@lru_cache(maxsize=_MOST_PARSED)
def _parsed(text: str, path: Path) -> Case:
    return case_from_text(text, path)


@lru_cache(maxsize=32)
def _written(text: str, name: str) -> Framework:
    return load_document(parse(text, name, FrameworkError))


@lru_cache(maxsize=len(NAMES))
def _named(name: str) -> Framework:
    return framework_of(Case(name="any"), name)


def _digest(parts: list[str]) -> str:
    """Of several texts, each with its length, so that no two lists run together."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        found.update(f"{len(data)}:".encode() + data)
    return found.hexdigest()


# A folder of cases, as the page and an assistant see it: by name, and never a path outside.

MOST_CASES = 2_000
_NAME = re.compile(r"[^\W_][\w .()+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Case folders beside each other; or one case folder by itself."""

    folder: Path

    def names(self) -> tuple[str, ...]:
        """Names of the cases, sorted; empty where there is none, and where the folder is gone.

        Raises:
            CaseError: If there are more than ``MOST_CASES``.
        """
        if self._alone():
            return (self.folder.resolve().name,)
        if not self.folder.is_dir():
            return ()
        with os.scandir(self.folder) as entries:
            found = sorted(entry.name for entry in entries if self._holds(entry.name))
        if len(found) > MOST_CASES:
            what, fix = f"holds more than {MOST_CASES} cases", "part it into several folders"
            raise CaseError(what, where=str(self.folder), fix=fix)
        return tuple(found)

    def path(self, name: str) -> Path:
        """The folder of a case, by its name.

        Raises:
            NoSuchCaseError: If there is none; whatever leads out of the folder is none.
        """
        if self._alone() and name == self.folder.resolve().name:
            return self.folder
        if self._alone() or not self._holds(name):
            fix = "choose one of those that are listed"
            raise NoSuchCaseError(f'"{name[:80]}" is no case here', where=self.folder.name, fix=fix)
        return self.folder / name

    def place(self, name: str) -> Path:
        """Where a new case of this name would go.

        Raises:
            CaseError: If the name is none for a folder, or taken.
        """
        if _NAME.fullmatch(name) is None or name != name.strip() or name.endswith("."):
            fix = "letters, digits, spaces, dots and hyphens, 100 at most"
            raise CaseError(f'"{name[:80]}" is no name for a case', fix=fix)
        if self._alone():
            fix = "serve the folder above it to keep several"
            raise CaseError("is one case by itself", where=self.folder.name, fix=fix)
        path = self.folder / name
        if os.path.lexists(path):
            raise CaseError(
                f'"{name}" is there already', where=self.folder.name, fix="another name"
            )
        return path

    def _alone(self) -> bool:
        return (self.folder / CASE_FILE).is_file()

    def _holds(self, name: str) -> bool:
        """Whether a plain name is a folder with a case in it, and neither leads out of here."""
        if _NAME.fullmatch(name) is None:
            return False
        path = self.folder / name
        file = path / CASE_FILE
        try:
            return self._inside(path) and self._inside(file) and file.is_file()
        except (OSError, RuntimeError):
            return False

    def _inside(self, path: Path) -> bool:
        """Whether something with a plain name is no link, or one that stays in this folder."""
        return not path.is_symlink() or path.resolve().is_relative_to(self.folder.resolve())


# What a case said before: versions written from the page, and dossiers of another day.

MOST_SHOWN = 30
_MOST_LETTERS = 60_000


@dataclass(frozen=True, slots=True)
class Earlier:
    """A version of a case, and the verdict it has by today's rules and evidence."""

    at: datetime
    digest: str
    verdict: Verdict | None
    """None where the version is no case any more, by this framework."""
    said: Mapping[str, State]
    """What it says to each question; empty where it is no case any more."""


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since a version."""

    difference: Difference
    lines: tuple[str, ...]
    """The change of the file, line by line; empty where it is too long to compare."""


def remember(case: Case, texts: tuple[str, ...], at: datetime | None = None) -> None:
    """Keep versions of a case file that aren't the last one kept.

    It is a help and no part of an answer: where it can't be kept, nothing else fails.

    Args:
        case: The case.
        texts: Of its file, the older first.
        at: When; now when not given.
    """
    with suppress(InputError):
        kept = read_versions(case)
        last = kept[-1].digest if kept else ""
        new = []
        for text in texts:
            digest = text_digest(text)
            if digest != last:
                new.append(Version(at=at or datetime.now(UTC), digest=digest, text=text))
                last = digest
        add_versions(case, new)


def earlier(case: Case, framework: Framework) -> tuple[Earlier, ...]:
    """The versions of a case, the newest first; () where none is kept.

    Raises:
        CaseError: If what is kept can't be read.
    """
    return tuple(
        _earlier(version, case, framework)
        for version in reversed(read_versions(case)[-MOST_SHOWN:])
    )


def _earlier(version: Version, case: Case, framework: Framework) -> Earlier:
    try:
        then = _case(version, case)
        found = verdicts([then], framework)[0].outcome
        return Earlier(version.at, version.digest, found, stated(then, framework))
    except InputError:
        return Earlier(version.at, version.digest, None, {})


def _case(version: Version, case: Case) -> Case:
    assert case.folder is not None  # only a case in a folder has versions
    return case_from_text(version.text, case_path(case.folder))


def since(case: Case, framework: Framework, now: Dossier, text: str, digest: str) -> Since:
    """What changed since a version, judged by the same rules as today.

    Args:
        case: The case.
        framework: The framework that judges both.
        now: Its dossier.
        text: Of the case file.
        digest: Of the version.

    Raises:
        CaseError: If there is no such version, or it is no case any more.
    """
    found = [version for version in read_versions(case) if version.digest == digest]
    if not found:
        raise CaseError("that version is not kept", fix="choose one from the list")
    then = decide(_case(found[-1], case), framework, as_of=now.as_of)
    return Since(_compared(then, now, framework), _lines(found[-1].text, text))


def since_dossier(raw: str, now: Dossier, framework: Framework) -> Difference:
    """What changed since a dossier that somebody kept.

    Raises:
        DossierError: If it is none.
    """
    return _compared(parse_dossier(raw, "the file"), now, framework)


def _compared(then: Dossier, now: Dossier, framework: Framework) -> Difference:
    rules = compile_rules(framework)

    def judge(states: Mapping[str, State]) -> Verdict:
        return verdict_of(rules, states)

    return compare(then, now, judge, choose_action)


def _lines(before: str, after: str) -> tuple[str, ...]:
    """The lines that changed, with a sign before each and some that didn't around them."""
    if len(before) + len(after) > _MOST_LETTERS:
        return ()
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return tuple(line for line in list(found)[2:] if not line.startswith("@@"))


# The cases of a folder, judged; and judged again only when something they rest on has changed.

_PAGE = 50
"""Cases in one part of the list."""
_MOMENT_S = 0.08
"""After so long a part ends early, so that the first is there at once."""
_STEP_ASIDE_S = 0.01
_DOSSIERS, _GLANCES = 200, 2_000
"""How many are kept: the whole ones are large, the lines of a list are not."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A case with its dossier, as its files were."""

    case: Case
    """As it was told."""
    framework: Framework
    dossier: Dossier
    digest: str
    """SHA-256 of the case file's text, for compare-and-set."""
    text: str = ""
    """Of the case file."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case in a list: what it comes to, or why it can't be read."""

    name: str
    glance: CaseRow | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the list."""

    rows: tuple[Row, ...]
    total: int
    """Cases in the folder."""
    matching: int
    """Of them, those that fit the filter."""
    left: bool
    """Whether more follow."""


class Board:
    """A shelf of cases with their dossiers. Safe to use from several threads.

    Args:
        shelf: The cases.
        chosen: Framework to judge all of them by; each case's own when not given.
        as_of: The day the dossiers speak for; today, whenever that is, when not given.
    """

    def __init__(self, shelf: Shelf, chosen: str | None = None, as_of: date | None = None) -> None:
        self.shelf, self.chosen, self.as_of = shelf, chosen, as_of
        self._dossiers: _Kept[Judged] = _Kept(_DOSSIERS)
        self._glances: _Kept[CaseRow] = _Kept(_GLANCES)
        self.draw = RememberedDraws()
        self._lock, self._waited_for = Lock(), 0

    def judged(self, name: str) -> Judged:
        """A case and its dossier, from what its files say now.

        Raises:
            InputError: If there is no such case, or it can't be judged.
        """
        found = self._resting(name)
        return self._dossiers.find(name, found) or self._judge(name, found)

    def answer(self, name: str, answers: Mapping[str, str], digest: str) -> Judged:
        """Write answers into a case that is still as its reader saw it, and judge it again.

        Args:
            name: The case.
            answers: Check, factor, signal or dotted path to its value.
            digest: Of the case file, as the reader saw it.

        Raises:
            ConflictError: If somebody else changed the case file meanwhile; nothing is written.
            InputError: If an answer is wrong; nothing is written.
        """
        before, dossiers = self._resting(name), list[Dossier]()
        places = {answer_path(key, before.framework): value for key, value in answers.items()}

        def check(case: Case) -> None:
            dossiers.append(self.decide(case, before.framework))

        written = put(self.shelf.path(name), places, read_digest=digest, check=check)
        after = self._resting(name)
        if after.digest != before.digest:
            remember(after.case, (before.text, after.text))
        if (after.digest, after.besides) == (written.digest, before.besides):
            return self._keep(name, after, dossiers[-1])
        return self.judged(name)

    def listed(self, find: str = "", after: str = "") -> Listing:
        """A part of the list, by name; as many as can be told in a moment.

        Args:
            find: Words that the name of the folder or the title has to hold; all for none. A title
                counts once the case was judged.
            after: The name behind which to go on.
        """
        names = self.shelf.names()
        words = find.casefold().split()
        matching = [name for name in names if all(word in self._called(name) for word in words)]
        left = [name for name in matching if name > after]
        until, rows = monotonic() + _MOMENT_S, []
        with self._before_others():
            for name in left[:_PAGE]:
                rows.append(self.row(name))
                if monotonic() > until:
                    break
        return Listing(tuple(rows), len(names), len(matching), len(rows) < len(left))

    def _called(self, name: str) -> str:
        line = self._glances.last(name)
        return f"{name} {line.title if line is not None else ''}".casefold()

    def row(self, name: str) -> Row:
        """A case as a line of the list; one that can't be read says why."""
        try:
            found = self._resting(name)
            line = self._glances.find(name, found)
            if line is None:
                line = case_row(self._judge(name, found).dossier)
        except InputError as caught:
            return Row(name, None, plain_error(caught, self.shelf))
        except Exception as caught:  # noqa: BLE001  # one case must not hide all the others
            return Row(name, None, plain_error(fault_of_ours(caught, name), self.shelf))
        return Row(name, line)

    def warm(self, within_s: float = math.inf) -> None:
        """Judge every case once, so that the list is there at once.

        Args:
            within_s: After so many seconds it stops.
        """
        until = monotonic() + within_s
        with suppress(InputError):  # too many cases: the list says so itself
            for name in self.shelf.names():
                self.row(name)
                if monotonic() > until:
                    break
                while self._waited_for:
                    sleep(_STEP_ASIDE_S)

    @contextmanager
    def _before_others(self) -> Iterator[None]:
        """While somebody waits for a list, nothing is judged that nobody asked for."""
        with self._lock:
            self._waited_for += 1
        try:
            yield
        finally:
            with self._lock:
                self._waited_for -= 1

    def start(self, name: str, title: str) -> Path:
        """Make a case folder, there whole or not at all.

        Args:
            name: Of the folder.
            title: What the use case is called.

        Raises:
            InputError: If the name is none for a folder, or taken.
        """
        place = self.shelf.place(name)
        with made_whole(place) as folder:
            start_case(folder, title, self.chosen)
        return place

    def _resting(self, name: str) -> Resting:
        return resting_on(self.shelf.path(name), self.chosen, self.day())

    def _judge(self, name: str, found: Resting) -> Judged:
        dossier = self.decide(found.case, found.framework)
        # what changed while it was judged may be in the dossier, and isn't in its key
        now = self._resting(name)
        if (now.digest, now.besides) == (found.digest, found.besides):
            return self._keep(name, found, dossier)
        return Judged(found.case, found.framework, dossier, found.digest, found.text)

    def _keep(self, name: str, found: Resting, dossier: Dossier) -> Judged:
        judged = Judged(found.case, found.framework, dossier, found.digest, found.text)
        self._dossiers.keep(name, found, judged)
        self._glances.keep(name, found, case_row(dossier))
        return judged

    def decide(self, case: Case, framework: Framework) -> Dossier:
        """A dossier of a case that needn't be one of the folder's, as a what-if."""
        return decide(case, framework, as_of=self.day(), draw=self.draw)

    def day(self) -> date:
        """The day the dossiers speak for."""
        return self.as_of or today()


T = TypeVar("T")


class _Kept(Generic[T]):
    """The last of each name, as long as what it rests on is the same; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._found: OrderedDict[str, tuple[tuple[str, str], T]] = OrderedDict()

    def find(self, name: str, rests: Resting) -> T | None:
        """What was kept for exactly this."""
        with self._lock:
            kept = self._found.get(name)
            if kept is None or kept[0] != (rests.digest, rests.besides):
                return None
            self._found.move_to_end(name)
            return kept[1]

    def last(self, name: str) -> T | None:
        """What was kept, whether it still holds or not."""
        with self._lock:
            kept = self._found.get(name)
            return None if kept is None else kept[1]

    def keep(self, name: str, rests: Resting, value: T) -> None:
        """Keep it in the place of what was there."""
        with self._lock:
            self._found[name] = (rests.digest, rests.besides), value
            self._found.move_to_end(name)
            while len(self._found) > self._most:
                self._found.popitem(last=False)


def fault_of_ours(caught: Exception, name: str) -> InputError:
    """What nobody foresaw, as an error about the case of this name."""
    return InputError(f"a fault of ours ({type(caught).__name__}: {caught})", where=name)


def plain_error(caught: InputError, shelf: Shelf) -> str:
    """An error in one line, with paths as seen from the folder of cases."""
    text = str(caught)
    folders = dict.fromkeys(
        map(str, (shelf.folder.resolve(), shelf.folder.absolute(), shelf.folder))
    )
    for folder in folders:
        if folder != ".":
            whole = rf"(?<![\w./-]){re.escape(folder)}"
            text = re.sub(rf"{whole}{re.escape(os.sep)}", "", text)
            text = re.sub(rf"{whole}(?![\w-])", shelf.folder.name or "the folder", text)
    return text


# The interview and what-ifs over a board of cases, judged by its framework and its clock.


def say(board: Board, name: str, ask_id: str, given: str, digest: str) -> AnswerResult:
    """Write one answer of an interview into a case, and say what it came to.

    Args:
        board: The cases.
        name: Which.
        ask_id: What was asked.
        given: What was said, as a person says it.
        digest: Of the case file, as the question was made from it.

    Raises:
        ConflictError: If somebody else changed the case file meanwhile; nothing is written.
        InputError: If it is no answer; nothing is written.
    """
    before, place = board.judged(name), board.shelf.path(name)
    step = answered(
        place,
        ask_id,
        given,
        chosen=board.chosen,
        read_digest=digest,
        as_of=board.day(),
        draw=board.draw,
    )
    _remember(board, name, before)
    return step


def keep(board: Board, name: str, ask_id: str, challenge_id: str, digest: str) -> AnswerResult:
    """Note beside an answer that it stands although something doesn't fit with it.

    Args:
        board: The cases.
        name: Which.
        ask_id: The answer that was given.
        challenge_id: What doesn't fit.
        digest: Of the case file, as the reader saw it.

    Raises:
        ConflictError: As ``say``.
        InputError: If there is no such challenge now.
    """
    before, place = board.judged(name), board.shelf.path(name)
    step = keep_both(
        place,
        ask_id,
        challenge_id,
        chosen=board.chosen,
        read_digest=digest,
        as_of=board.day(),
        draw=board.draw,
    )
    _remember(board, name, before)
    return step


def says_so(board: Board, name: str, ask_id: str, given: str) -> bool:
    """Whether a case says already what is given: it was sent twice, or others say the same."""
    judged = board.judged(name)
    try:
        told = supposed(
            board.shelf.path(name), judged.case, judged.text, judged.framework, {ask_id: given}
        )
    except InputError:
        return False
    return told.model_dump() == judged.case.model_dump()  # and not where either was read from


def what_if(board: Board, name: str, given: Mapping[str, str]) -> Judged:
    """A case judged with other answers; nothing is written.

    Args:
        board: The cases.
        name: Which.
        given: Id of a question of the interview to what is said; none gives the case as it is.

    Raises:
        InputError: If an answer is none, or they don't go together.
    """
    judged = board.judged(name)
    if not given:
        return judged
    place = board.shelf.path(name)
    case = supposed(place, judged.case, judged.text, judged.framework, given)
    return replace(judged, case=case, dossier=board.decide(case, judged.framework))


def write_all(board: Board, name: str, given: Mapping[str, str], digest: str) -> Judged:
    """Write several answers into a case, all or none, and judge it again.

    Args:
        board: The cases.
        name: Which.
        given: As for ``what_if``.
        digest: Of the case file, as the reader saw it.

    Raises:
        ConflictError: As ``say``.
        InputError: As ``what_if``; nothing is written.
    """
    before = board.judged(name)
    put_all(
        board.shelf.path(name),
        before.case,
        before.framework,
        given,
        read_digest=digest,
        check=lambda case: board.decide(case, before.framework),
    )
    _remember(board, name, before)
    return board.judged(name)


def _remember(board: Board, name: str, before: Judged) -> None:
    after = board.judged(name)
    if after.digest != before.digest:
        remember(after.case, (before.text, after.text))


# A folder of cases, for surfaces that show many.


def open_shelf(folder: str | Path) -> Shelf:
    """The cases in a folder, or the one case that the folder is.

    Raises:
        CaseError: If there is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        fix = "name a folder of cases, or a case folder"
        raise CaseError("is no folder", where=str(folder), fix=fix)
    return Shelf(path)


# What an assistant's tools need beyond the board: texts as they stand, what-ifs, new cases.

_assistant_all__ = [
    "Board",
    "Judged",
    "Told",
    "files_of",
    "inside",
    "listed",
    "new_case",
    "read_told",
    "supposed",
]


@dataclass(frozen=True, slots=True)
class Told:
    """A case file as it stands."""

    case: Case
    text: str
    digest: str
    """SHA-256 of the text, for compare-and-set."""


def read_told(source: Path) -> Told:
    """The text of a case file, with the case it is.

    Raises:
        CaseError: If it can't be read or is no case.
    """
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    return Told(case_from_text(text, path), text, text_digest(text))


def assistant_supposed(
    board: Board, name: str, answers: Mapping[str, str], as_of: date | None = None
) -> Judged:
    """A case judged, with other answers as a what-if; nothing is written.

    Args:
        board: The cases.
        name: The case.
        answers: Check, factor, signal or dotted path to its value; the case as told for none.
        as_of: The day the dossier speaks for; the board's own when not given.

    Raises:
        InputError: If there is no such case, or an answer is wrong.
    """
    seen = board.judged(name)
    if not answers and as_of in (None, seen.dossier.as_of):
        return seen
    case = seen.case
    if answers:
        case = with_answers(case, seen.framework, answers)
    day = as_of or seen.dossier.as_of
    return replace(seen, case=case, dossier=decide(case, seen.framework, as_of=day))


def listed(board: Board, names: Sequence[str]) -> tuple[Listed, ...]:
    """One line for each case; one that can't be judged says why. Empty for no names."""
    return tuple(_line(board, name) for name in names)


def _line(board: Board, name: str) -> Listed:
    try:
        dossier = board.judged(name).dossier
    except InputError as caught:
        return Listed(name=name, problem=plain_error(caught, board.shelf))
    except Exception as caught:  # noqa: BLE001  # one case must not hide all the others
        return Listed(name=name, problem=plain_error(fault_of_ours(caught, name), board.shelf))
    verdict = dossier.verdict
    return Listed(
        name=name,
        title=dossier.case.name,
        outcome=verdict.outcome,
        final=verdict.final,
        action=verdict.action,
        summary=verdict.summary,
        next=verdict.next,
    )


def new_case(board: Board, name: str, title: str | None = None) -> Judged:
    """A commented case folder with nothing answered yet, there whole or not at all.

    Args:
        board: The cases.
        name: Name of the folder.
        title: What the use case is called; made from the folder's name when not given.

    Raises:
        InputError: If the name is none for a folder, or taken.
    """
    board.start(name, title or name.replace("-", " ").replace("_", " ").capitalize())
    return board.judged(name)


def files_of(board: Board, name: str) -> tuple[str, ...]:
    """Names of the files in a case folder, sorted.

    Raises:
        CaseError: If there is no such case.
    """
    return tuple(sorted(path.name for path in board.shelf.path(name).iterdir()))


def inside(source: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Files by their names in a case folder, as paths.

    Raises:
        InputError: If one isn't a file there, or lies outside.
    """
    case = read_told(source).case
    found = []
    for name in names:
        path = beside(case, "files", name)
        if path is None or not path.is_file():
            fix = "name a file in the case folder"
            raise OutputError(f'"{name[:80]}" is no file', where=source.name, fix=fix)
        found.append(str(path))
    return tuple(found)
