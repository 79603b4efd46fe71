"""Files that are only ever added to: a line of JSON at a time, each whole or not there."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from tuneworthy.errors import CaseError, InputError, OutputError, one_line
from tuneworthy.files.case import beside
from tuneworthy.files.disk import CASES_LIMIT, MIB, read_text, write_new, write_over
from tuneworthy.files.materials import prompt_text
from tuneworthy.model.base import LateRecord
from tuneworthy.model.case import Case, PromptVariant
from tuneworthy.model.evalset import ItemKey, Label, digest_of
from tuneworthy.model.evidence import Measured
from tuneworthy.model.lab import CeilingPlan, VerifyPlan

# Files that are only ever added to: a line of JSON at a time, each whole or not there.


def whole_lines(text: str) -> list[str]:
    """The lines of such a file; a last one without its end counts where it is whole JSON.

    An editor may have left out the last line feed, and a crash may have cut a line off anywhere.

    Args:
        text: The file; may be empty.
    """
    *lines, last = text.split("\n")
    return [*lines, last] if _is_whole(last) else lines


def append_line(path: Path, line: bytes, *, sync: bool = True) -> None:
    """A line at the end; half a line that a crash left goes first, so that ours is whole.

    Args:
        path: The file; made if it isn't there.
        line: What to add, with its line feed.
        sync: Wait until it is on the disk; without, only a loss of power can take it back.

    Raises:
        OSError: If it can't be written, is a link, or ends in a line that none of ours begins like.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    descriptor = os.open(path, flags, 0o666)
    try:
        left = memoryview(_mended(descriptor) + line)
        while left:  # a disk that is nearly full takes a part, and refuses only the next one
            left = left[os.write(descriptor, left) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mended(descriptor: int) -> bytes:
    """What has to come before a new line; half a line is cut off."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return b""
    data = os.pread(descriptor, size, 0)
    end = data.rfind(b"\n") + 1
    last = data[end:]
    if _is_whole(last):
        return b"\n"
    if last[:2] not in (b"{", b'{"'):  # as every line begins that we write
        raise OSError(errno.EINVAL, "its last line is none of ours")
    os.ftruncate(descriptor, end)
    return b""


def _is_whole(line: str | bytes) -> bool:
    """Whether a line is an object."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):  # text that isn't UTF-8 too
        return False


# The evidence ledger of a case: one line for each run of ``measure``, only ever added to.

FOLDER = ".tuneworthy"
"""What is computed for a case lies here, and nothing of the user's does."""
LEDGER = "evidence.jsonl"
_SCHEMA = Measured.model_fields["schema_"].default
_FIX = "move it away and measure again"


def ledger_path(case: Case) -> Path | None:
    """Where the ledger of a case lies, or would lie; None for a case without a folder.

    Raises:
        CaseError: If a link leads out of the case folder.
    """
    if case.folder is None:
        return None
    path = case.folder / FOLDER / LEDGER
    try:
        inside = path.resolve().is_relative_to(case.folder.resolve())
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise CaseError("leads out of the case folder", where=str(path), fix="remove the link")
    return path


def read_evidence(case: Case) -> tuple[Measured, ...]:
    """Every run that was recorded, the oldest first; () where nothing was measured yet.

    A last line that was cut off while it was written is left out.

    Raises:
        CaseError: If a line is no evidence, or the file is too large.
    """
    path = ledger_path(case)
    if path is None or not os.path.lexists(path):
        return ()
    lines = whole_lines(read_text(path, CASES_LIMIT, CaseError))
    return tuple(
        _run(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()
    )


def _run(line: str, where: str) -> Measured:
    try:
        found = Measured.model_validate_json(line)
    except (ValidationError, ValueError, RecursionError):
        raise CaseError("is no evidence", where=where, fix=_FIX) from None
    if found.schema_ != _SCHEMA:
        raise CaseError(
            "is evidence of another version",
            where=where,
            fix="update tuneworthy, or move the file away and measure again",
        )
    return found


def append_evidence(case: Case, measured: Measured) -> bool:
    """Add a run to the ledger.

    Returns:
        Whether it was added; false where the last run measured the same inputs.

    Raises:
        CaseError: If the ledger that is there can't be read.
        OutputError: If it can't be written.
    """
    path = ledger_path(case)
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    runs = read_evidence(case)
    if runs and runs[-1].inputs == measured.inputs:
        return False
    line = measured.model_dump_json(by_alias=True) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, line.encode("utf-8"))
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({why})", where=str(path), fix="check it") from None
    return True


# Versions of a case file as they were written from the page: only ever added to.

HISTORY = "history.jsonl"
_MOST = 4 * MIB
"""Bytes that are kept; what is older goes."""
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""Times that every place on earth has a calendar day for."""


class Version(LateRecord):
    """A case file as it was."""

    at: Annotated[AwareDatetime, Field(ge=_FIRST, le=_LAST)]
    """When it was written, or first seen."""
    digest: str
    """SHA-256 of its text."""
    text: str


def read_versions(case: Case) -> tuple[Version, ...]:
    """Every version that is kept, the oldest first; () where none is.

    A line that is none, as a crash leaves it, is left out.

    Raises:
        CaseError: If a link leads out of the case folder, or the file can't be read.
    """
    path = _path(case)
    if path is None or not os.path.lexists(path):
        return ()
    found = []
    for line in read_text(path, 2 * _MOST, CaseError).split("\n"):
        try:
            found.append(Version.model_validate_json(line))
        except ValidationError:
            continue
    return tuple(found)


def add_versions(case: Case, versions: Sequence[Version]) -> None:
    """Add versions; the oldest go where there would be too many.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If it can't be written.
    """
    path = _path(case)
    if path is None:
        return
    try:
        path.parent.mkdir(exist_ok=True)
        lines = "".join(version.model_dump_json() + "\n" for version in versions)
        append_line(path, lines.encode("utf-8"), sync=False)  # a help, and no part of an answer
        if path.stat().st_size > _MOST:
            write_over(path, _newest(path))
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({why})", where=str(path), fix="check it") from None


def _newest(path: Path) -> str:
    """The newest lines that take half of what may be kept; the last one whatever it takes."""
    kept: list[str] = []
    for line in reversed(path.read_text("utf-8").splitlines(keepends=True)):
        if kept and sum(map(len, kept)) + len(line) > _MOST // 2:
            break
        kept.append(line)
    return "".join(reversed(kept))


def _path(case: Case) -> Path | None:
    return beside(case, FOLDER, f"{FOLDER}/{HISTORY}")


# Labels of a case: a file for each labeller, only ever added to.

ADJUDICATED = "adjudicated"
"""The labeller who settles what the others differ on."""
MOST_LABELLERS = 50
_LABELS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_LABELS_FOLDER = f"{FOLDER}/labels"


def labeller_name(given: str) -> str:
    """A labeller's name as it may stand in a file's name.

    Raises:
        InputError: If it holds anything but letters, digits, - and _, or is kept for adjudication.
    """
    if not _LABELS_NAME.fullmatch(given):
        fix = "use up to 40 letters, digits, - and _"
        raise InputError(f'"{given[:60]}" is no name', where="--labeller", fix=fix)
    if given.casefold() == ADJUDICATED:
        fix = "settle differences with: tuneworthy evalset adjudicate"
        raise InputError(f"{ADJUDICATED} is no person", where="--labeller", fix=fix)
    return given


def append_label(case: Case, labeller: str, label: Label) -> None:
    """Add a label; what was said before stays in the file.

    Raises:
        OutputError: If it can't be written.
    """
    path = beside(case, _LABELS_FOLDER, f"{_LABELS_FOLDER}/{labeller}.jsonl")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, (label.model_dump_json(exclude_defaults=True) + "\n").encode("utf-8"))
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({why})", where=str(path), fix="check it") from None


def read_labels(case: Case) -> dict[str, tuple[Label, ...]]:
    """Labels by labeller, in the order they were given; a line that was cut off is left out.

    Returns:
        Nothing for a case without labels.

    Raises:
        CaseError: If a line is no label, or a file leads out of the case folder.
    """
    folder = beside(case, _LABELS_FOLDER, _LABELS_FOLDER)
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".jsonl")
    if len(paths) > MOST_LABELLERS:
        fix = "keep those that count"
        raise CaseError(f"holds more than {MOST_LABELLERS} files", where=str(folder), fix=fix)
    found = {}
    for path in paths:
        beside(case, _LABELS_FOLDER, f"{_LABELS_FOLDER}/{path.name}")
        if _LABELS_NAME.fullmatch(path.stem):
            found[path.stem] = _labels(path)
    return found


def _labels(path: Path) -> tuple[Label, ...]:
    lines = whole_lines(read_text(path, CASES_LIMIT, CaseError))
    return tuple(
        _label(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )


def _label(line: str, where: str) -> Label:
    try:
        return Label.model_validate_json(line)
    except (ValidationError, ValueError, RecursionError):
        fix = "take the line out, or move the file away"
        raise CaseError("is no label", where=where, fix=fix) from None


def latest_labels(labels: Iterable[Label]) -> dict[ItemKey, Label]:
    """What counts of a labeller's labels: the last of each item."""
    return {one.key: one for one in labels}


# What a lab writes down beside its ledger: its plan, before it looks.

VERIFY_PLAN = "verify-plan.json"
CEILING_PLAN = "ceiling-plan.json"
PROPOSED = "proposed"
"""Folder of the prompts that a generator proposed."""


def plan_path(case: Case, name: str = VERIFY_PLAN) -> Path:
    """Where a plan lies: that of a verification, or of another lab by its name.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If the case has no folder.
    """
    path = beside(case, FOLDER, f"{FOLDER}/{name}")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    return path


def write_choice(case: Case, plan: CeilingPlan) -> None:
    """Write down which arms will meet the untouched cases, before they do.

    The same choice for the same cases stays as it was first written down.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If it can't be written.
    """
    path = plan_path(case, CEILING_PLAN)
    with suppress(InputError, ValueError, RecursionError):
        before = CeilingPlan.model_validate_json(read_text(path, MIB, CaseError))
        if before.model_copy(update={"written_on": plan.written_on}) == plan:
            return
    write_new(path, plan.model_dump_json(indent=2) + "\n", force=True)


def write_prompts(case: Case, prompts: Iterable[PromptVariant]) -> None:
    """Keep proposed prompts where the team can take them from; its own prompts stay as they are.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If one can't be written.
    """
    for one in prompts:
        write_new(plan_path(case, f"{PROPOSED}/{one.name}.md"), prompt_text(one), force=True)


def written_choice(case: Case) -> CeilingPlan | None:
    """The choice that a ceiling lab wrote down; None where there is none yet.

    Raises:
        CaseError: If it isn't one.
    """
    path = plan_path(case, CEILING_PLAN)
    if not os.path.lexists(path):
        return None
    try:
        return CeilingPlan.model_validate_json(read_text(path, MIB, CaseError))
    except (ValidationError, ValueError, RecursionError):
        fix = "move it away and run the lab again"
        raise CaseError("is no choice of a lab", where=str(path), fix=fix) from None


def written_plan(case: Case) -> VerifyPlan | None:
    """The plan that was written down; None where there is none yet.

    Raises:
        CaseError: If it isn't one.
    """
    path = plan_path(case)
    if not os.path.lexists(path):
        return None
    try:
        return VerifyPlan.model_validate_json(read_text(path, MIB, CaseError))
    except (ValidationError, ValueError, RecursionError):
        fix = "move it away and verify again"
        raise CaseError("is no plan of a verification", where=str(path), fix=fix) from None


def write_plan(case: Case, plan: VerifyPlan, *, again: bool = False) -> VerifyPlan:
    """Write a plan down, or take the one that is there.

    Args:
        case: The case.
        plan: What would be done now.
        again: Put it in the place of one that was written for something else.

    Returns:
        The plan that counts: of two for the same comparison the one written first.

    Raises:
        CaseError: If another plan was written down before, and ``again`` isn't given.
    """
    before = written_plan(case)
    if before is not None and _same(before, plan):
        return before
    if before is not None and not again:
        fix = "use --new-plan to compare something else; what was seen can't be unseen"
        raise CaseError(
            "holds a plan with another margin, other models or other cases",
            where=str(plan_path(case)),
            fix=fix,
        )
    write_new(plan_path(case), plan.model_dump_json(indent=2) + "\n", force=again)
    return plan


def _same(one: VerifyPlan, other: VerifyPlan) -> bool:
    return (one.inputs, one.margin) == (other.inputs, other.margin)


# Rubrics that were written on the page: each a file of its own, named by what it says.

MOST_RUBRICS = 100
_FOLDER = f"{FOLDER}/rubrics"
_NAME = re.compile(r"[0-9a-f]{16}")


def rubric_path(case: Case, name: str) -> Path:
    """Where a rubric lies.

    Args:
        case: The case.
        name: Begin of the SHA-256 of its text.

    Raises:
        InputError: If that is no name of a rubric, or there is none of that name.
    """
    path = None
    if _NAME.fullmatch(name):
        path = beside(case, _FOLDER, f"{_FOLDER}/{name}.md")
    if path is None or not path.is_file():
        raise InputError("there is no such rubric", where="rubric", fix="choose one that is listed")
    return path


def read_rubrics(case: Case) -> dict[str, str]:
    """Every rubric by its name, the text without the blanks around it; {} for none.

    Raises:
        CaseError: If one is too large, or a link leads out of the case folder.
    """
    folder = beside(case, _FOLDER, _FOLDER)
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return {}
    names = sorted(path.stem for path in folder.iterdir() if _NAME.fullmatch(path.stem))
    found = {}
    for name in names[:MOST_RUBRICS]:
        text = read_text(rubric_path(case, name), MIB, CaseError).strip()
        if digest_of(text) == name:  # one that was changed is another rubric
            found[name] = text
    return found


def keep_rubric(case: Case, text: str) -> str:
    """Keep a rubric; the same text twice is one.

    Returns:
        Its name.

    Raises:
        InputError: If it says nothing, there are too many, or it can't be written.
    """
    told = "\n".join(text.split("\r\n")).strip()
    if not told:
        raise InputError("a rubric says what a good output is", where="rubric", fix="write it down")
    name = digest_of(told)
    known = read_rubrics(case)
    if name in known:
        return name
    if len(known) >= MOST_RUBRICS:
        fix = "take one of those that are there"
        raise InputError(f"there are {MOST_RUBRICS} rubrics already", where="rubric", fix=fix)
    path = beside(case, _FOLDER, f"{_FOLDER}/{name}.md")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    write_new(path, told + "\n", force=True)
    return name


# A conversation kept in a file, where somebody asks for that.


class Transcript:
    """What was said, one line each; whole after every line.

    Args:
        path: A file that isn't there yet.

    Raises:
        OutputError: If something is there, or it can't be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._text = Path(path), ""
        write_new(self._path, self._text)

    def add(self, who: str, text: str) -> None:
        """Keep a line; control characters become visible escapes.

        Raises:
            OutputError: If it can't be written.
        """
        told = one_line(" ".join(text.split()), limit=len(text) * 10 + 1)
        self._text += f"{who}: {told}\n"
        write_over(self._path, self._text)
