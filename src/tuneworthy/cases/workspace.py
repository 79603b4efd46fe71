"""The cases of a folder with their dossiers, judged again only when their inputs have changed."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from time import monotonic, sleep

from tuneworthy.cases.judging import stated
from tuneworthy.cases.portfolio import (
    CaseQuery,
    CaseRow,
    KeptCases,
    KeptRow,
    Portfolio,
    case_row,
    portfolio,
)
from tuneworthy.errors import (
    CaseError,
    ConflictError,
    FrameworkError,
    InputError,
    NoSuchCaseError,
    OutputError,
)
from tuneworthy.files.assistant import ASSISTANT_FILE, confirm_answers
from tuneworthy.files.cache import Cache
from tuneworthy.files.case import (
    CASE_FILE,
    MOST_PROMPTS,
    beside,
    case_from_text,
    case_path,
    files_of,
    missing_entries,
    prompt_texts,
    rewrite,
    text_digest,
)
from tuneworthy.files.config import defaults_text
from tuneworthy.files.disk import (
    CASE_LIMIT,
    CASES_LIMIT,
    FRAMEWORK_LIMIT,
    made_whole,
    matching,
    read_text,
)
from tuneworthy.files.stores import (
    FOLDER,
    LEDGER,
    MEASURED_ON,
    PILOT,
    RUN_ON,
    TRAINING_RECORD,
    Version,
    add_versions,
    read_versions,
)
from tuneworthy.framework.load import LESSON, lesson, load_document
from tuneworthy.intake.measure import FileKind, add_files
from tuneworthy.interview import answers as interview
from tuneworthy.interview.answers import CaseSnapshot, EvaluatedCase
from tuneworthy.interview.start import start_case
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import AnswerResult
from tuneworthy.money.investment import RememberedDraws
from tuneworthy.pipeline import (
    decide,
    framework_of,
    load_case,
    today,
)
from tuneworthy.report.blocks import Block
from tuneworthy.report.sections.deltas import Delta, deltas
from tuneworthy.report.sections.record import titles
from tuneworthy.syntax.document import parse
from tuneworthy.words import listing

MOST_CASES = 10_000
_NAME = re.compile(r"[^\W_][\w .()+-]{0,99}")


@dataclass(frozen=True, slots=True)
class CaseDirectory:
    """Case folders side by side, or a single one; never a path outside of their folder."""

    folder: Path

    def names(self) -> tuple[str, ...]:
        """The names of the cases, sorted; () without any, or where the folder is gone."""
        if self._is_one_case():
            return (self.folder.resolve().name,)
        if not self.folder.is_dir():
            return ()
        with os.scandir(self.folder) as entries:
            names = sorted(entry.name for entry in entries if self._is_case(entry))
        if len(names) > MOST_CASES:
            what = f"holds more than {MOST_CASES} cases"
            fix = "part it into several folders"
            raise CaseError(what, where=str(self.folder), fix=fix)
        return tuple(names)

    def path(self, name: str) -> Path:
        """The folder of a case by its name; an error for a name that leads out of this folder."""
        alone = self._is_one_case()
        if alone and name == self.folder.resolve().name:
            return self.folder
        if alone or not self._holds(name):
            fix = "choose one of those that are listed"
            raise NoSuchCaseError(
                f'"{name[:80]}" is not a case here', where=self.folder.name, fix=fix
            )
        return self.folder / name

    def new_path(self, name: str) -> Path:
        """The path of a new case; a CaseError for a name that can't be one, or that is taken."""
        if _NAME.fullmatch(name) is None or name != name.strip() or name.endswith("."):
            fix = "letters, digits, spaces, dots and hyphens, 100 at most"
            raise CaseError(f'"{name[:80]}" is not a name for a case', fix=fix)
        if self._is_one_case():
            fix = "serve the folder above it to keep several"
            raise CaseError("is one case by itself", where=self.folder.name, fix=fix)
        path = self.folder / name
        if os.path.lexists(path):
            what = f'"{name}" already exists'
            raise CaseError(what, where=self.folder.name, fix="another name")
        return path

    def plain_error(self, caught: Exception, name: str = "") -> str:
        """An error in one line, with paths relative to the folder.

        An unforeseen error is reported as an internal one, with the case of this name.
        """
        if not isinstance(caught, InputError):
            what = f"an internal error ({type(caught).__name__}: {caught})"
            caught = InputError(what, where=name)
        text = str(caught)
        here = self.folder
        # The most exact spelling first: a shorter one may be a part of it.
        for folder in (here.resolve(), here.absolute(), here):
            if folder == Path():
                # A dot is in many texts.
                continue
            whole = rf"(?<![\w./-]){re.escape(str(folder))}"
            text = re.sub(rf"{whole}{re.escape(os.sep)}", "", text)
            text = re.sub(rf"{whole}(?![\w-])", here.name or "the folder", text)
        return text

    def _is_one_case(self) -> bool:
        return (self.folder / CASE_FILE).is_file()

    def _is_case(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry of the folder is a folder with a case in it, as ``_holds`` says.

        Thousands are looked at for a list, so the common one, without a link, takes a single look
        at the disk.
        """
        with suppress(OSError):
            if not entry.is_symlink() and _NAME.fullmatch(entry.name):
                file = os.lstat(f"{entry.path}/{CASE_FILE}")
                if S_ISREG(file.st_mode):
                    return True
        return self._holds(entry.name)

    def _holds(self, name: str) -> bool:
        """Whether a plain name is a folder with a case in it, and no link leads out of here."""
        path = self.folder / name
        file = path / CASE_FILE
        if _NAME.fullmatch(name) is None:
            return False
        try:
            return self._is_inside(path) and self._is_inside(file) and file.is_file()
        except (OSError, RuntimeError):
            return False

    def _is_inside(self, path: Path) -> bool:
        return not path.is_symlink() or path.resolve().is_relative_to(
            self.folder.resolve()
        )


def open_directory(folder: str | Path) -> CaseDirectory:
    path = Path(folder)
    if not path.is_dir():
        fix = "name a folder of cases, or a case folder"
        raise CaseError("is not a folder", where=str(folder), fix=fix)
    return CaseDirectory(path)


def open_workspace(folder: str | Path, as_of: date | None) -> Workspace:
    """Open the cases of a folder, with the rows that were kept before."""
    from tuneworthy.llm.embedded import weights_path

    kept = KeptCases(weights_path().with_name("cases-3.sqlite"))
    return Workspace(open_directory(folder), as_of, kept)


_MOST_PARSED = 4_096


def take_snapshot(source: Path, day: date) -> CaseSnapshot:
    """Read everything that a case's dossier would be made from.

    Files are compared by contents, as a file may change twice in one tick of the clock. Training
    files may be too large to read, so their sizes and times of change count.
    """
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    case = _parsed(text, path)
    framework, rules = _framework(case)
    inputs = _inputs_digest(case, rules)
    return CaseSnapshot(
        source, case, framework, text, text_digest(text), inputs, day=day
    )


def _inputs_digest(case: Case, *more: str) -> str:
    """SHA-256 of everything that a dossier rests on beside the case file, and of ``more``."""
    assert case.folder is not None  # only a case in a folder is looked at again
    inputs = [*more, *missing_entries(case), *(prompt_texts(case) or ())]
    defaults = defaults_text(case.folder)
    if defaults:
        inputs.append(defaults)
    # Files of the case that are written by labs, pilots and assistants; each may be missing.
    for name in (LEDGER, TRAINING_RECORD, f"{PILOT}/result.json", ASSISTANT_FILE):
        path = case.folder / FOLDER / name
        exists = os.path.lexists(path)
        inputs.append(read_text(path, CASES_LIMIT, CaseError) if exists else "")
    for file in _large_inputs(case, case.folder):
        with suppress(OSError):  # a link that leads nowhere
            stat = file.stat()
            inputs.append(f"{file} {stat.st_size} {stat.st_mtime_ns}")
    digest = hashlib.sha256()
    for part in inputs:  # each with its length, so that no two lists run together
        data = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def _large_inputs(case: Case, folder: Path) -> Iterator[Path]:
    """Files that are too large to read each time: training files, and measured ones."""
    for pattern in case.data.training:
        yield from sorted(islice(matching(pattern, folder), MOST_PROMPTS))
    if os.path.lexists(folder / FOLDER / LEDGER):  # the evidence rests on these
        yield from sorted(file for _, file in files_of(case, *MEASURED_ON, *RUN_ON))


def _framework(case: Case) -> tuple[Framework, str]:
    """The lesson with its name, or the case's own framework with the text of its file."""
    name = case.framework
    if name is None or name == LESSON:
        return lesson(), LESSON
    path = beside(case, "framework", name)
    if path is None or not path.is_file():
        return framework_of(case), name  # it says what is wrong
    text = read_text(path, FRAMEWORK_LIMIT, FrameworkError)
    return _written(text, str(path)), text


def _framework_of(case: Case) -> Framework:
    framework, _ = _framework(case)
    return framework


_parsed = lru_cache(_MOST_PARSED)(case_from_text)


@lru_cache(maxsize=32)
def _written(text: str, name: str) -> Framework:
    return load_document(parse(text, name, FrameworkError))


def remember(case: Case, texts: tuple[str, ...], by: str) -> None:
    """Keep versions of a case file, the older first, except one that equals the last kept one.

    ``by`` wrote the last of them; the authors of the others are unknown. Where a version can't be
    kept, nothing else fails.
    """
    with suppress(InputError):
        kept = read_versions(case)
        last_digest = kept[-1].digest if kept else ""
        now = datetime.now(UTC)
        added = []
        for number, text in enumerate(texts, start=1):
            digest = text_digest(text)
            if digest != last_digest:
                writer = by if number == len(texts) else ""
                added.append(Version(at=now, digest=digest, text=text, by=writer))
            last_digest = digest
        add_versions(case, added)


def writers_since(case: Case, digest: str) -> str:
    """The authors of later versions; "somebody else" where they are unknown."""
    writers: set[str] = set()
    for version in reversed(read_versions(case)):
        if version.digest == digest:
            return listing(sorted(writers)) or "somebody else"
        writers.add(version.by or "somebody else")
    # that version isn't kept, so nobody knows what changed after it
    return "somebody else"


def _kept(case: Case, digest: str) -> Version:
    """The kept version with this digest."""
    for version in reversed(read_versions(case)):
        if version.digest == digest:
            return version
    raise CaseError("that version is not kept", fix="choose one from the list")


def _case(version: Version, case: Case) -> Case:
    assert case.folder is not None  # only a case in a folder has versions
    return _parsed(version.text, case_path(case.folder))


def answers_since(now: EvaluatedCase, digest: str) -> list[str]:
    """The present answers that were stated since a version."""
    then = stated(_case(_kept(now.case, digest), now.case), now.framework)
    names = titles(now.framework)
    return [
        f"{names[key]}: {state}"
        for key, state in stated(now.case, now.framework).items()
        if state != then[key]
    ]


_PAGE = 50  # cases in one part of the list
# after this time the rest of a list is worked out later, so the list appears at once
_MOMENT_S = 0.08
_FEW = _PAGE  # cases of which each is looked at for every list; of more only those that are shown
_DOSSIERS = 200  # dossiers kept in memory; they are large


class Workspace:
    """A folder of cases with their dossiers. Safe to use from several threads.

    Each case is judged by its framework as of ``as_of``, or of today, as the days pass. With
    ``kept``, computed rows last until the next start.
    """

    def __init__(
        self,
        directory: CaseDirectory,
        as_of: date | None = None,
        kept: KeptCases | None = None,
    ) -> None:
        self.directory = directory
        self.as_of = as_of
        self._cases: Cache[EvaluatedCase] = Cache(_DOSSIERS)
        self._kept = kept or KeptCases()
        self._place = str(directory.folder.resolve())
        self._rows: dict[str, KeptRow] = self._kept.rows(self._place)
        #: When the names were read by the monotonic clock, and what they were.
        self._names: tuple[float, tuple[str, ...]] = (0.0, ())
        self._draw = RememberedDraws()
        self.author = ""  #: Who writes; empty where nobody says.

    def written_by(self, author: str) -> Workspace:
        """The same workspace, with an author for its writes."""
        own = copy(self)
        own.author = author
        return own

    def decide(self, case: Case, framework: Framework) -> Dossier:
        """The dossier of a case that needn't be in the folder, such as a what-if."""
        return decide(case, framework, as_of=self._day(), draw=self._draw)

    def evaluated(self, name: str) -> EvaluatedCase:
        """A case and its dossier, by its present files."""
        snapshot = self._snapshot(name)
        return self._cases.find(name, snapshot.key) or self._evaluate(name, snapshot)

    def set_answers(
        self,
        name: str,
        answers: Mapping[str, str],
        digest: str,
        quotes: Mapping[str, str] | None = None,
    ) -> EvaluatedCase:
        """Write answers into a case and judge it again, unless it changed after its reader saw it.

        The answers are as in ``write_typed``, with ``quotes`` by an assistant. ``digest`` is that
        of the case file as the reader saw it. Nothing is written if somebody else changed the file
        meanwhile (a ConflictError), if an answer is wrong, or if the case can't be judged with it.
        All methods that write do the same.
        """
        before = self._snapshot(name)
        wrote = interview.write_typed(
            before.source,
            answers,
            _framework_of,
            self.decide,
            read_digest=digest,
            by_id=True,
            quotes=quotes,
        )
        return self._written(name, before, wrote.digest, wrote.dossier)

    def confirm(self, name: str, digest: str) -> None:
        """Confirm every answer by an assistant, if the case hasn't changed since its reader saw it."""
        now = self.evaluated(name)
        if now.digest != digest:
            fix = "look at it again, then confirm"
            raise ConflictError(
                "was changed by somebody else meanwhile", where=name, fix=fix
            )
        waiting = interview.unconfirmed_answers(now.case, now.framework)
        confirm_answers(now.case, [answer.key for answer in waiting])

    def add_files(
        self, name: str, kind: FileKind, files: Sequence[Path]
    ) -> tuple[list[str], tuple[Block, ...], list[Delta]]:
        """Copy files into a case: where they are now, what they hold, and how the verdict changed."""
        before = self.evaluated(name)
        place = self.directory.path(name)
        added = add_files(place, kind, files)
        remember(before.case, (added.before, added.after), self.author)
        after = self.evaluated(name)
        changed = deltas(before.dossier, after.dossier)
        names = [str(path.relative_to(place)) for path in added.paths]
        return names, added.says, changed

    def undo(self, name: str, then: str, digest: str) -> EvaluatedCase:
        """Take back the last save of a case that hasn't changed since its reader saw it.

        ``then`` is the digest of the version before that save.
        """
        before = self._snapshot(name)
        last_two = [version.digest for version in read_versions(before.case)[-2:]]
        if before.digest == digest and last_two != [then, digest]:
            what = "only the last save can be taken back"
            fix = "answer again, or take the file back with git"
            raise CaseError(what, where=name, fix=fix)
        text = _kept(before.case, then).text
        dossiers: list[Dossier] = []

        # ``rewrite`` calls it before it writes: a case that can't be judged stays as it is
        def judge(case: Case) -> None:
            dossiers.append(self.decide(case, _framework_of(case)))

        wrote = rewrite(before.source, lambda *_: text, judge, read_digest=digest)
        (dossier,) = dossiers
        return self._written(name, before, wrote.digest, dossier)

    def answer(self, name: str, ask_id: str, text: str, digest: str) -> AnswerResult:
        """Write one answer of an interview into a case, and return its effect."""
        return self._step(interview.write_answer, name, ask_id, text, digest)

    def accept_conflict(
        self, name: str, ask_id: str, challenge_id: str, digest: str
    ) -> AnswerResult:
        """Note beside an answer that it stays in spite of a conflict."""
        return self._step(interview.accept_conflict, name, ask_id, challenge_id, digest)

    def says_already(self, name: str, ask_id: str, text: str) -> bool:
        """Whether an answer changes nothing: it was sent twice, or somebody gave the same one."""
        now = self.evaluated(name)
        try:
            case = interview.what_if(now, {ask_id: text})
        except InputError:
            return False
        # the contents are compared, and not the places they were read from
        return case.model_dump() == now.case.model_dump()

    def what_if(
        self,
        name: str,
        answers: Mapping[str, str],
        as_of: date | None = None,
        *,
        as_written: bool = False,
    ) -> EvaluatedCase:
        """A case judged with other answers, as typed, or as of another day; nothing is written.

        Measurements overrule these answers only with ``as_written``.
        """
        now = self.evaluated(name)
        day = as_of or now.dossier.as_of
        if not answers and day == now.dossier.as_of:
            return now
        typed = interview.type_in(
            now.text, case_path(now.source), answers, _framework_of
        )
        case = typed.case if as_written else typed.supposed
        framework = typed.framework
        dossier = decide(case, framework, as_of=day, draw=self._draw)
        return replace(now, case=case, framework=framework, dossier=dossier)

    def _step(
        self,
        write: Callable[..., AnswerResult],
        name: str,
        ask_id: str,
        what: str,
        digest: str,
    ) -> AnswerResult:
        """Write one step of an interview, and keep the case that was judged after it."""
        now = self.evaluated(name)
        step = write(replace(now, digest=digest), ask_id, what, judge=self.decide)
        self._written(name, now, step.digest, step.dossier)
        return step

    def _written(
        self, name: str, before: CaseSnapshot, digest: str, dossier: Dossier
    ) -> EvaluatedCase:
        """The case after a write, with its dossier that is known already."""
        after = self._snapshot(name)
        if after.digest != before.digest:
            remember(after.case, (before.text, after.text), self.author)
        made_from = (after.digest, after.inputs_digest, after.day)
        if made_from == (digest, before.inputs_digest, before.day):
            return self._keep(name, after, dossier)
        return self.evaluated(name)

    def start(self, name: str, title: str) -> Path:
        """Make a case folder without answers, completely or not at all."""
        place = self.directory.new_path(name)
        with made_whole(place) as folder:
            start_case(folder, title)
        return place

    def listed(
        self, query: CaseQuery, within_s: float | None = None, most: int = 0
    ) -> Portfolio:
        """The cases that fit, at most ``most`` of them, and the sums over all.

        A case that can't be judged at once, or within ``within_s`` seconds, is pending. In a folder
        with more than a few cases, those that aren't shown have their last known state; one from
        another day is pending.
        """
        until = monotonic() + (_MOMENT_S if within_s is None else within_s)
        names = self.names()
        if within_s is not None:
            return portfolio([self.row(name, until) for name in names], query)
        if len(names) <= _FEW:
            every = [self.row(name, until) for name in names]
            return portfolio(every, query, most or _PAGE)
        page = portfolio([self._last(name) for name in names], query, most or _PAGE)
        rows = tuple(self.row(row.name, until) for row in page.cases)
        return page.model_copy(update={"cases": rows})

    def names(self) -> tuple[str, ...]:
        """The names of the cases. For more than a few, they are up to a second old."""
        read_at, names = self._names
        if len(names) <= _FEW or monotonic() - read_at > 1:
            read_at = monotonic()
            names = self.directory.names()
            self._names = (read_at, names)
        return names

    def _last(self, name: str) -> CaseRow:
        """The last row of a case; pending if it is of another day, or if there is none."""
        kept = self._rows.get(name)
        if kept is None:
            return CaseRow(name=name, pending=True)
        if kept.row.problem or kept.row.as_of == self._day():
            return kept.row
        return kept.row.model_copy(update={"pending": True})

    def row(self, name: str, until: float = math.inf) -> CaseRow:
        """The row of a case for the list; one that can't be read says why.

        ``until`` is a time of ``monotonic``. After it no case is judged, because a person waits for
        the list: the last row is shown as pending.
        """
        try:
            return self._current_row(name, until)
        except Exception as caught:  # noqa: BLE001  # one case must not hide all the others
            problem = self.directory.plain_error(caught, name)
            row = CaseRow(name=name, problem=problem)
            self._rows[name] = KeptRow("", row)
            return row

    def _current_row(self, name: str, until: float) -> CaseRow:
        """The kept row where it still holds, else a new one; a pending one after ``until``."""
        snapshot = self._snapshot(name)
        kept = self._rows.get(name)
        if kept is not None and kept.key == snapshot.key:
            return kept.row
        if monotonic() > until:
            return self._last(name).model_copy(update={"pending": True})
        # parts of the dossier that no list shows aren't computed
        dossier = decide(snapshot.case, snapshot.framework, as_of=self._day())
        row = case_row(name, dossier)
        if self._is_current(name, snapshot):
            self._keep_row(snapshot, row)
        return row

    def warm(self, within_s: float = math.inf, *, aside: float = 0.0) -> None:
        """Look at every case once, for ``within_s`` seconds at most, and judge those that changed.

        After each case, other work goes first for ``aside`` times as long as the case took.
        """
        until = monotonic() + within_s
        with suppress(InputError):  # too many cases: the list says so itself
            for name in self.directory.names():
                began = monotonic()
                self.row(name)
                if monotonic() > until:
                    break
                sleep((monotonic() - began) * aside)

    def watch(self) -> None:
        """Look at every case over and over, for as long as the program runs."""
        while True:
            began = monotonic()
            self.warm(aside=1.0)
            sleep(max(2.0, 10 * (monotonic() - began)))

    def _snapshot(self, name: str) -> CaseSnapshot:
        return take_snapshot(self.directory.path(name), self._day())

    def _evaluate(self, name: str, snapshot: CaseSnapshot) -> EvaluatedCase:
        """Judge a case whose files have changed since it was judged last."""
        dossier = self.decide(snapshot.case, snapshot.framework)
        if self._is_current(name, snapshot):
            return self._keep(name, snapshot, dossier)
        return EvaluatedCase(**vars(snapshot), dossier=dossier)

    def _is_current(self, name: str, snapshot: CaseSnapshot) -> bool:
        """Whether nothing changed while a case was judged: the dossier would have another key."""
        return self._snapshot(name).key == snapshot.key

    def _keep(
        self, name: str, snapshot: CaseSnapshot, dossier: Dossier
    ) -> EvaluatedCase:
        """Keep a judged case in memory, and its row for the next start."""
        self._keep_row(snapshot, case_row(name, dossier))
        evaluated = EvaluatedCase(**vars(snapshot), dossier=dossier)
        return self._cases.keep(name, snapshot.key, evaluated)

    def _keep_row(self, snapshot: CaseSnapshot, row: CaseRow) -> None:
        self._rows[row.name] = KeptRow(snapshot.key, row)
        self._kept.keep(self._place, self._rows[row.name])

    def _day(self) -> date:
        return self.as_of or today()


def files_inside(source: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The paths of files in a case folder, by their names."""
    case = load_case(source)
    paths = []
    for name in names:
        file = beside(case, "files", name)
        if file is None or not file.is_file():
            fix = "name a file in the case folder"
            raise OutputError(
                f'"{name[:80]}" is not a file', where=source.name, fix=fix
            )
        paths.append(str(file))
    return tuple(paths)
