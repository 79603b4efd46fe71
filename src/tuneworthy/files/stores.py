"""Results that are computed for a case and stored beside it, in ``.tuneworthy/``.

Records go into files of JSON lines to which lines are only ever added. Plans, prompts and rubrics
are files of their own. A file that can't be read, has wrong content, or leads out of the case
folder by a link raises a ``CaseError``; a file that can't be written raises an ``OutputError``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from tuneworthy.errors import CaseError, InputError, OutputError, argument
from tuneworthy.files.case import MOST_COUNTED, beside, files_of
from tuneworthy.files.disk import (
    CASES_LIMIT,
    MIB,
    OWN_FOLDER,
    make_folder,
    read_text,
    write_new,
    write_over,
    writing,
)
from tuneworthy.files.materials import prompt_from, prompt_text
from tuneworthy.llm.seals import origin, seal
from tuneworthy.model.base import Record
from tuneworthy.model.case import Case, PromptVariant
from tuneworthy.model.evidence import (
    Evidence,
    Measured,
    MeasuredFile,
    Series,
    latest,
    latest_series,
)

if TYPE_CHECKING:  # a decision reads none of these
    from tuneworthy.model.evalset import FailureDraw, ItemKey, Label
    from tuneworthy.model.lab import CeilingPlan, VerifyPlan
    from tuneworthy.model.pilot import FinishedRun, PilotPlan, PilotResult, TrainedModel
    from tuneworthy.model.training import TrainingExample, TrainingSet

FOLDER = OWN_FOLDER

R = TypeVar("R", bound=BaseModel)


def _path_in_store(case: Case, name: str) -> Path | None:
    return beside(case, FOLDER, f"{FOLDER}/{name}")


def _place(case: Case, name: str) -> Path:
    """The path of a name in the folder of computed results."""
    path = _path_in_store(case, name)
    if path is None:
        raise OutputError(
            "has no folder", where=case.name, fix="keep the case in a folder"
        )
    return path


# Lines of JSON ------------------------------------------------------------------------------------


class JsonLines(NamedTuple, Generic[R]):
    """A file with one record a line, to which lines are only added; a line is whole or not there."""

    path: Path
    record: type[R]
    name: str  #: The name of a record in an error.
    fix: str  #: The advice where a line isn't a record.
    limit: int = CASES_LIMIT  #: Most bytes of the file.

    def read(self) -> tuple[R, ...]:
        """Read every record, the oldest first; empty where there is no file.

        A last line that was cut off while it was written is left out.
        """
        if not os.path.lexists(self.path):
            return ()
        records: list[R] = []
        lines = whole_lines(read_text(self.path, self.limit))
        for number, line in enumerate(lines, start=1):
            if line.strip():
                records.append(self._record_of(line, f"{self.path}:{number}"))
        return tuple(records)

    def read_whole(self, limit: int = MIB) -> R | None:
        """Read the only record of a file, whatever lines it takes; None where there is no file."""
        if not os.path.lexists(self.path):
            return None
        return self._record_of(read_text(self.path, limit), str(self.path))

    def _record_of(self, text: str, where: str) -> R:
        """Read one record; one with a seal is refused if it was edited after it was written."""
        comes = "brought"  # what has no seal of ours is not known to be made here
        sealed = _SEALED.fullmatch(text.rstrip("\r\n"))
        if sealed is not None:
            # the seal is the last field of the object, and covers what is before it
            body = sealed["body"]
            comes = origin(body, sealed["seal"])
            text = f"{body}}}"
        if comes == "edited":
            what = "was edited after it was written, so it says nothing"
            raise CaseError(what, where=where, fix="undo that, or take the line out")
        try:
            record = self.record.model_validate_json(text)
        except (ValueError, RecursionError):  # pydantic's own is a ValueError
            what = f"is not valid {self.name}"
            raise CaseError(what, where=where, fix=self.fix) from None
        if comes == "brought" and "brought" in self.record.model_fields:
            return record.model_copy(update={"brought": True})
        return record

    def append(
        self, *records: R, sync: bool = True, sealed: bool = False, **dumped: Any
    ) -> None:
        """Add records, written as ``dumped`` says; a sealed record says where it was made."""
        texts = [record.model_dump_json(**dumped) for record in records]
        if sealed:
            texts = [_sealed_json(text) for text in texts]
        lines = "".join(f"{text}\n" for text in texts)
        with writing(self.path, fix="check it"):
            make_folder(self.path.parent)
            append_line(self.path, lines.encode("utf-8"), sync=sync)


_SEALED = re.compile(
    r'(?P<body>\{.*?),\s*"seal": ?"(?P<seal>(?:[0-9a-f]{64}){1,2})"\s*\}', re.DOTALL
)
"""A record whose last field is its seal, of one or two SHA-256."""


def _sealed_json(text: str) -> str:
    """Write a record as JSON with its seal as the last field, in the form that the record has."""
    body = text[:-1].rstrip()  # without the brace at the end
    if "\n" in body:
        return f'{body},\n  "seal": "{seal(body)}"\n}}'
    return f'{body},"seal":"{seal(body)}"}}'


class KeptFile(NamedTuple, Generic[R]):
    """One of our files with a single record; a call reads it, or returns None where none is yet."""

    file: str
    kind: str  #: Module of ``model`` and class, as ``lab.VerifyPlan``: most runs read none.
    name: str  #: The name of a record in an error.
    fix: str  #: The advice where the file holds no record; ``{}`` is the case folder.
    sealed: bool = False
    """Whether the record says where it was made; it then has a field ``brought``."""

    def __call__(self, case: Case) -> R | None:
        path = _path_in_store(case, self.file)
        if path is None or not os.path.lexists(path):
            return None
        # Imported only now, as importing takes time and most runs read no such file.
        module_name, class_name = self.kind.split(".")
        module = import_module(f"tuneworthy.model.{module_name}")
        record: type[R] = getattr(module, class_name)
        fix = self.fix.format(argument(case.folder))
        return JsonLines(path, record, self.name, fix).read_whole()

    def write(self, case: Case, record: R, *, force: bool = True) -> None:
        """Write the record; without ``force`` only where there is no file yet."""
        text = record.model_dump_json(indent=2)
        text = _sealed_json(text) if self.sealed else text
        write_new(_place(case, self.file), f"{text}\n", force=force)

    def same_as(self, plan: R, before: R | None) -> bool:
        """Whether a plan equals an earlier one, whenever and wherever each was written."""
        if before is None:
            return False
        may_differ: dict[str, Any] = {}
        for name in ("written_on", "after_results", "brought"):
            if name in type(plan).model_fields:
                may_differ[name] = getattr(plan, name)
        return before.model_copy(update=may_differ) == plan


def whole_lines(text: str) -> list[str]:
    """The lines of such a file; a last line without its line feed counts where it is whole JSON.

    An editor may have left out the last line feed, and a crash may have cut off a line anywhere.
    """
    *lines, last = text.split("\n")
    if _is_whole(last):
        return [*lines, last]
    return lines


def append_line(path: Path, line: bytes, *, sync: bool = True) -> None:
    """Add a line with its line feed; half a line that a crash left is removed first.

    The file is made if it isn't there. Without ``sync`` nobody waits until the line is on the disk,
    so a loss of power can lose it; nothing else can.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    # Windows knows neither of these flags.
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        left = memoryview(_line_end(descriptor) + line)
        # a disk that is nearly full takes a part, and refuses only the next one
        while left:
            written = os.write(descriptor, left)
            left = left[written:]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line_end(descriptor: int) -> bytes:
    """The text that has to come before a new line; half a line at the end of the file is cut off."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return b""
    data = os.pread(descriptor, size, 0)
    last_begins = data.rfind(b"\n") + 1
    last = data[last_begins:]
    if _is_whole(last):  # an editor left out the last line feed
        return b"\n"
    if not last.startswith(b'{"') and last != b"{":  # as every line of ours begins
        raise OSError(errno.EINVAL, "its last line is not one of ours")
    os.ftruncate(descriptor, last_begins)
    return b""


def _is_whole(line: str | bytes) -> bool:
    """Whether a line is a whole object, and not cut off."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):  # text that isn't UTF-8 too
        return False


# Evidence: a line for each run of ``measure`` or of a lab -----------------------------------------

LEDGER = "evidence.jsonl"
MEASURED_ON = ("traces", "examples")
RUN_ON = ("evaluation", "prompts", "documents")
"""The entries of ``data`` that the results of ``measure`` and of labs depend on."""
_SCHEMA = Measured.model_fields["schema_"].default


def _evidence(path: Path) -> JsonLines[Measured]:
    return JsonLines(path, Measured, "evidence", "move it away and measure again")


def read_evidence(case: Case) -> tuple[Measured, ...]:
    """Read every run that was recorded, the oldest first; empty where nothing was measured yet."""
    path = _path_in_store(case, LEDGER)
    runs = () if path is None else _evidence(path).read()
    for number, run in enumerate(runs, start=1):
        if run.schema_ != _SCHEMA:
            what = "is evidence of another version"
            fix = "update tuneworthy, or move the file away and measure again"
            raise CaseError(what, where=f"{path}:{number}", fix=fix)
    return runs


def read_latest(case: Case) -> tuple[dict[str, Evidence], tuple[Series, ...]]:
    """The latest measurement of each id beside a case, unknown ones too, and the latest pictures.

    Each says which of the files it depends on were changed since and which are gone, and whether it
    was made elsewhere.
    """
    runs = [_mark_pictures_brought(run) for run in read_evidence(case)]
    newest = latest(runs)
    for run in runs:
        current = [item for item in run.evidence if item is newest[item.id]]
        # Files are only looked at for what still counts.
        fields = _read_beside(case, run) if current else {}
        if fields:
            for item in current:
                newest[item.id] = item.model_copy(update=fields)
    return newest, latest_series(runs)


def _mark_pictures_brought(run: Measured) -> Measured:
    """A run whose pictures say, too, that it came with the folder."""
    if not run.brought and not run.brought_answers:
        return run
    series = [each.model_copy(update={"brought": True}) for each in run.series]
    return run.model_copy(update={"series": tuple(series)})


def _read_beside(case: Case, run: Measured) -> dict[str, Any]:
    """The fields that are worked out when a run is read: where it was made, and its files today.

    A field that says nothing is left out.
    """
    fields: dict[str, Any] = {}
    changed = [file.path for file in run.files if _has_file_changed(case, file)]
    gone = [file.path for file in run.files if _is_gone(case, file, run)]
    if run.brought or run.brought_answers:
        fields["brought"] = True
    if changed:
        fields["changed"] = tuple(changed)
    if gone:
        fields["gone"] = tuple(gone)
    return fields


def _is_gone(case: Case, was: MeasuredFile, run: Measured) -> bool:
    """Whether a file that would be needed to check a run is missing.

    A measurement that was made here stays good without its log.
    """
    if was.entry in MEASURED_ON and not run.brought:
        return False
    path = beside(case, f"data.{was.entry}", was.path)
    return path is None or not path.is_file()


def files_now(case: Case, *entries: str) -> tuple[MeasuredFile, ...]:
    """The present state of the files of some entries of ``data``, by their paths."""
    files: list[MeasuredFile] = []
    for entry, path in files_of(case, *entries):
        status = path.stat()
        file = MeasuredFile(
            entry=entry,
            path=path.relative_to(case.folder or "").as_posix(),
            digest=_digest(path, status.st_size, status.st_mtime_ns),
            size=status.st_size,
            modified_ns=status.st_mtime_ns,
        )
        files.append(file)
    return tuple(sorted(files, key=lambda file: file.path))


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001  # a later state is another entry of the cache
    """The SHA-256 of a file; empty where the file is too large to be read at each decision."""
    if size > MOST_COUNTED:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_file_changed(case: Case, was: MeasuredFile) -> bool:
    """Whether a file is there and has changed; for the evaluation set the one named today counts."""
    path_now = case.data.evaluation if was.entry == "evaluation" else was.path
    path = beside(case, f"data.{was.entry}", path_now)
    if path is None or not path.is_file():
        return False  # what is named and isn't there is told elsewhere; logs may go with time
    try:
        status = path.stat()
        if status.st_size != was.size:
            return True
        if status.st_mtime_ns == was.modified_ns:
            return False  # nobody touched it, so it needn't be read
        return _digest(path, status.st_size, status.st_mtime_ns) != was.digest
    except OSError:
        return False


def append_evidence(
    case: Case, measured: Measured | None, files: Sequence[MeasuredFile] = ()
) -> bool:
    """Add a run that depends on some files of the case.

    Returns whether it was added. It isn't where ``measured`` is None, or where the last run
    measured the same inputs and files.
    """
    if measured is None:
        return False
    path = _place(case, LEDGER)
    earlier = read_evidence(case)
    measured = measured.model_copy(update={"files": (*measured.files, *files)})
    if earlier and _rest_on_the_same(measured, earlier[-1]):
        return False
    _evidence(path).append(measured, sealed=True, by_alias=True)
    return True


def _rest_on_the_same(run: Measured, other: Measured) -> bool:
    """Whether two runs measured the same inputs and files; the times of the files don't matter."""
    if run.inputs != other.inputs:
        return False
    files = {(file.path, file.digest, file.size) for file in run.files}
    return files == {(file.path, file.digest, file.size) for file in other.files}


# Versions of a case file as the page wrote them ---------------------------------------------------

HISTORY = "history.jsonl"
_MOST = 4 * MIB  #: Bytes that are kept; what is older goes.
_FIRST = datetime(1970, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)
Moment = Annotated[AwareDatetime, Field(ge=_FIRST, le=_LAST)]
"""A time that has a calendar day everywhere on earth."""


class Version(Record):
    """A case file's text at an earlier time."""

    at: Moment  #: When it was written, or first seen.
    digest: str  #: SHA-256 of its text.
    text: str
    by: str = ""  #: Who wrote it, by the name that was given; empty where nobody said.


def read_versions(case: Case) -> tuple[Version, ...]:
    """Read every version that is kept, the oldest first; empty where there is none.

    A line that a crash cut off is left out: the history is a help and no evidence.
    """
    path = _path_in_store(case, HISTORY)
    if path is None or not os.path.lexists(path):
        return ()
    versions: list[Version] = []
    # The file grows above its limit before the oldest versions go.
    for line in read_text(path, 2 * _MOST).split("\n"):
        with suppress(ValidationError):
            versions.append(Version.model_validate_json(line))
    return tuple(versions)


def add_versions(case: Case, versions: Sequence[Version]) -> None:
    """Add versions and remove the oldest of too many; does nothing without a case folder."""
    path = _path_in_store(case, HISTORY)
    if path is None:
        return
    lines = JsonLines(path, Version, "version", "take the line out")
    lines.append(*versions, sync=False)
    with writing(path, fix="check it"):
        if path.stat().st_size > _MOST:
            write_over(path, _newest(path))


def _newest(path: Path) -> str:
    """The newest lines that fill half of the space allowed; the last line stays whatever its size.

    With only half of it used, the next removal comes much later.
    """
    newest: list[str] = []
    size = 0
    for line in reversed(path.read_text("utf-8").splitlines(keepends=True)):
        size += len(line)
        if newest and size > _MOST // 2:
            break
        newest.append(line)
    return "".join(reversed(newest))


# Labels: a file for each labeller -----------------------------------------------------------------

ADJUDICATED = "adjudicated"  #: The labeller who settles what the others differ on.
MOST_LABELLERS = 50
_LABELLER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def labeller_name(name: str) -> str:
    """Check that a labeller's name may be part of a file's name, and return it."""
    if not _LABELLER.fullmatch(name):
        fix = "use up to 40 letters, digits, - and _"
        raise InputError(f'"{name[:60]}" is not a name', where="--labeller", fix=fix)
    if name.casefold() == ADJUDICATED:
        fix = "settle differences with: tuneworthy evalset export CASE --settle"
        raise InputError(f"{ADJUDICATED} is not a person", where="--labeller", fix=fix)
    return name


def _labels(path: Path) -> JsonLines[Label]:
    from tuneworthy.model.evalset import Label

    return JsonLines(path, Label, "label", "take the line out, or move the file away")


def append_label(case: Case, labeller: str, label: Label) -> None:
    """Add a label; earlier labels of the same item stay in the file."""
    labels = _labels(_place(case, f"labels/{labeller}.jsonl"))
    labels.append(label, exclude_defaults=True)


def read_labels(case: Case) -> dict[str, tuple[Label, ...]]:
    """Read labels by labeller, in the order they were made; empty for a case without labels."""
    name = f"{FOLDER}/labels"
    folder = beside(case, name, name)
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".jsonl")
    if len(paths) > MOST_LABELLERS:
        what = f"holds more than {MOST_LABELLERS} files"
        raise CaseError(what, where=folder, fix="keep those that count")
    labels: dict[str, tuple[Label, ...]] = {}
    for path in paths:
        # Refuses a link that leads out of the case folder.
        beside(case, name, f"{name}/{path.name}")
        if _LABELLER.fullmatch(path.stem):
            labels[path.stem] = _labels(path).read()
    return labels


def label_tasks(case: Case, record: type[R]) -> JsonLines[R]:
    """The tasks that were handed out as files to be labelled; a file names its task only by an id."""
    fix = "move the file away, and export again what is to be labelled"
    return JsonLines(_place(case, "label-tasks.jsonl"), record, "labelling task", fix)


def latest_labels(labels: Iterable[Label]) -> dict[ItemKey, Label]:
    """The labels of a labeller that count: the last label of each item."""
    return {label.key: label for label in labels}


# Failures that were drawn to be read -------------------------------------------------------------

written_draw: KeptFile[FailureDraw] = KeptFile(
    "failures.json",
    "evalset.FailureDraw",
    "draw of failures",
    "draw again: tuneworthy evalset failures {} --new-draw",
)  #: The failures whose causes people say.


# Training: the set that passed every gate ---------------------------------------------------------

TRAINING = "training.jsonl"
DISLIKED = "disliked.jsonl"
TRAINING_RECORD = "training.json"
TRAINING_LIMIT = 512 * MIB


training_record: KeptFile[TrainingSet] = KeptFile(
    TRAINING_RECORD,
    "training.TrainingSet",
    "record of a training set",
    "make it again: tuneworthy data {}",
    sealed=True,
)  #: The description of the set that passed the gates.


def read_training(case: Case) -> tuple[TrainingSet, tuple[TrainingExample, ...]] | None:
    """Read the training set and its examples; None where there is none yet."""
    training = training_record(case)
    if training is None:
        return None
    examples = _read_examples(case, TRAINING, training.digest)
    return None if examples is None else (training, examples)


def _read_examples(
    case: Case, name: str, digest: str
) -> tuple[TrainingExample, ...] | None:
    """Read the lines that passed the gates, by their digest; None where the file is missing."""
    from tuneworthy.model.training import TrainingExample, set_digest

    lines = _path_in_store(case, name)
    if lines is None:
        return None
    fix = training_record.fix.format(argument(case.folder))
    kind = "training example"
    examples = JsonLines(lines, TrainingExample, kind, fix, TRAINING_LIMIT).read()
    if set_digest(examples) != digest:
        raise CaseError("isn't the set that passed the gates", where=lines, fix=fix)
    return examples


def write_training(
    case: Case,
    training: TrainingSet,
    examples: Iterable[TrainingExample],
    disliked: Iterable[TrainingExample] = (),
) -> None:
    """Write a training set over the one before; both are our own files.

    Logged answers that were ``disliked`` are kept apart, because no model should learn to give
    them.
    """
    write_new(_place(case, TRAINING), _example_lines(examples), force=True)
    if training.disliked:
        write_new(_place(case, DISLIKED), _example_lines(disliked), force=True)
    # Last: it says that these lines are there, and by their digest which.
    training_record.write(case, training)


def _example_lines(examples: Iterable[TrainingExample]) -> str:
    lines = [each.model_dump_json(exclude_defaults=True) for each in examples]
    return "".join(f"{line}\n" for line in lines)


def read_disliked(case: Case) -> tuple[TrainingExample, ...]:
    """Read the logged answers with a bad score that passed the gates; empty where there are none."""
    training = training_record(case)
    if training is None or not training.disliked:
        return ()
    return _read_examples(case, DISLIKED, training.disliked_digest) or ()


# Pilots: the plan, runs that were trained, and the result ----------------------------------------

PILOT = "pilot"  #: Folder of a pilot; runs keep their state in folders below it.


def pilot_folder(case: Case) -> Path:
    """The folder in which a pilot keeps its runs."""
    return _place(case, PILOT)


def pilot_runs(case: Case) -> JsonLines[TrainedModel]:
    """The state of each run of a pilot; its latest line counts."""
    from tuneworthy.model.pilot import TrainedModel

    path = _place(case, f"{PILOT}/runs.jsonl")
    return JsonLines(path, TrainedModel, "run of a pilot", "move the file away")


def finished_run(folder: Path) -> JsonLines[FinishedRun]:
    """The end of a run that was trained on this machine, in the folder of that run."""
    from tuneworthy.model.pilot import FinishedRun

    fix = "move its folder away, and the run is trained again"
    return JsonLines(folder / "done.json", FinishedRun, "end of a run", fix)


written_pilot: KeptFile[PilotPlan] = KeptFile(
    f"{PILOT}/plan.json",
    "pilot.PilotPlan",
    "plan of a pilot",
    "move it away and run the pilot again",
    sealed=True,
)  #: The plan of a pilot that was written down.


def write_pilot(case: Case, plan: PilotPlan, *, again: bool = False) -> PilotPlan:
    """Write a plan, or return the plan that is there for the same pilot; compare ``write_plan``.

    With ``again`` it replaces a plan that was written for another pilot.
    """
    before = written_pilot(case)
    if before is not None:
        if written_pilot.same_as(plan, before):
            return before
        if not again:
            what = (
                "holds the plan of another pilot: other data, cases, base or settings"
            )
            fix = "use --resume to go on with that one, or --new-plan to begin another"
            raise CaseError(what, where=str(_place(case, written_pilot.file)), fix=fix)
        # Whoever plans anew may have seen results, and the report says so.
        plan = plan.model_copy(update={"after_results": True})
    written_pilot.write(case, plan, force=again)
    return plan


read_pilot: KeptFile[PilotResult] = KeptFile(
    f"{PILOT}/result.json",
    "pilot.PilotResult",
    "result of a pilot",
    "move it away and run the pilot again; nothing is trained twice",
    sealed=True,
)  #: The result of the last pilot; it replaces the result of the one before.


# Plans of labs, written before the lab looks ------------------------------------------------------

VERIFY_PLAN = "verify-plan.json"
CEILING_PLAN = "ceiling-plan.json"
PROPOSED = "proposed"  #: Folder of the prompts that a generator proposed.


written_choice: KeptFile[CeilingPlan] = KeptFile(
    CEILING_PLAN,
    "lab.CeilingPlan",
    "choice of a lab",
    "move it away and run the lab again",
    sealed=True,
)  #: The choice that a ceiling lab wrote down.


def write_choice(case: Case, plan: CeilingPlan) -> None:
    """Write down which arms will run on the held-out cases, before they do.

    A choice equal to the one before keeps the time at which it was first written.
    """
    before = None
    with suppress(CaseError):  # a choice that can't be read is replaced
        before = written_choice(case)
    if not written_choice.same_as(plan, before):
        written_choice.write(case, plan)


written_plan: KeptFile[VerifyPlan] = KeptFile(
    VERIFY_PLAN,
    "lab.VerifyPlan",
    "plan of a verification",
    "move it away and verify again",
    sealed=True,
)  #: The plan of a verification that was written down.


def write_plan(case: Case, plan: VerifyPlan, *, again: bool = False) -> VerifyPlan:
    """Write a plan, or return the plan that is there: of two plans for the same the first counts.

    With ``again`` it replaces a plan that was written for something else.
    """
    before = written_plan(case)
    if before is not None:
        if before.inputs == plan.inputs and before.margin == plan.margin:
            return before
        if not again:
            raise another_plan(case)
        # Whoever plans anew may have seen results, and the report says so.
        plan = plan.model_copy(update={"after_results": True})
    written_plan.write(case, plan, force=again)
    return plan


def another_plan(case: Case) -> CaseError:
    what = "holds a plan with another margin, other models or other cases"
    fix = "use --new-plan to compare something else; what was seen can't be unseen"
    return CaseError(what, where=str(_place(case, VERIFY_PLAN)), fix=fix)


def write_prompts(case: Case, prompts: Iterable[PromptVariant]) -> None:
    """Keep proposed prompts where the team can take them from; its own prompts aren't changed."""
    for prompt in prompts:
        path = _place(case, f"{PROPOSED}/{prompt.name}.md")
        write_new(path, prompt_text(prompt), force=True)


def read_proposed(case: Case, name: str) -> PromptVariant:
    """A prompt that was proposed, as it is kept."""
    path = _place(case, f"{PROPOSED}/{name}.md")
    return prompt_from(read_text(path, MIB, CaseError), path)


# Rubrics written on the page: a file each, named by what it says ----------------------------------

MOST_RUBRICS = 100
_RUBRIC = re.compile(r"[0-9a-f]{16}")


def rubric_path(case: Case, name: str) -> Path:
    """The path of a rubric, named by the beginning of the SHA-256 of its text."""
    path = None
    if _RUBRIC.fullmatch(name):
        path = beside(case, f"{FOLDER}/rubrics", f"{FOLDER}/rubrics/{name}.md")
    if path is None or not path.is_file():
        fix = "choose one that is listed"
        raise InputError("there is no such rubric", where="rubric", fix=fix)
    return path


def read_rubrics(case: Case) -> dict[str, str]:
    """Read every rubric by its name, its text without blanks around it; empty where there are none."""
    from tuneworthy.model.evalset import digest_of

    folder = beside(case, f"{FOLDER}/rubrics", f"{FOLDER}/rubrics")
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return {}
    names = [path.stem for path in folder.iterdir() if _RUBRIC.fullmatch(path.stem)]
    rubrics: dict[str, str] = {}
    for name in sorted(names)[:MOST_RUBRICS]:
        text = read_text(rubric_path(case, name), MIB).strip()
        # Labs name the rubric by its text, so a file that was changed is no rubric.
        if digest_of(text) == name:
            rubrics[name] = text
    return rubrics


def keep_rubric(case: Case, text: str) -> str:
    """Keep a rubric and return its name; the same text has the same name, so it is kept once."""
    from tuneworthy.model.evalset import digest_of

    rubric = text.replace("\r\n", "\n").strip()
    if not rubric:
        what = "a rubric says what a good output is"
        raise InputError(what, where="rubric", fix="write it down")
    name = digest_of(rubric)
    rubrics = read_rubrics(case)
    if name in rubrics:
        return name
    if len(rubrics) >= MOST_RUBRICS:
        what = f"there are {MOST_RUBRICS} rubrics already"
        fix = "take one of the existing ones"
        raise InputError(what, where="rubric", fix=fix)
    write_new(_place(case, f"rubrics/{name}.md"), rubric + "\n", force=True)
    return name
