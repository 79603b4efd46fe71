"""Labelling in files: a sheet of items, the import of its labels, and an editor.

A sheet names no arm. A row is identified by an id, and the case folder keeps the task of each
sheet. Imported labels are stored with those of the page, so that agreement, graders and labs see
them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tuneworthy.errors import CaseError, InputError, argument
from tuneworthy.files import stores
from tuneworthy.files.case import case_path
from tuneworthy.files.disk import write_new
from tuneworthy.files.evalset import (
    read_table,
    table_csv,
    table_json_lines,
)
from tuneworthy.labelling.failures import record_causes
from tuneworthy.labelling.queue import Kind, LabelQueue, LabelTask, open_queue
from tuneworthy.model.base import Record
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import PAIRS, EvalCase, digest_of
from tuneworthy.pipeline import load_case
from tuneworthy.report.sections.evalset import Item, keys_of, titles_of
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.words import counted

COLUMNS = (
    "item",
    "task",
    "case",
    "input",
    "reference",
    "logged",
    "output",
    "other_output",
    "said_so_far",
    "choices",
    "label",
    "better",
)
"""Columns of a sheet. The labeller fills in the last two."""


class KeptTask(Record):
    """A task for which a sheet was exported, kept by the id in the sheet."""

    id: str
    task: LabelTask


def export_sheet(source: str | Path, task: LabelTask, form: str) -> str:
    """Return the unlabelled items of a task, a row each, with an empty column for the labels.

    ``form`` is ``csv`` or ``jsonl``.

    Raises:
        InputError: If every item is labelled.
    """
    queue = open_queue(source, task)
    left = {
        name: item for name, item in queue.items.items() if not queue.is_labelled(item)
    }
    if not left:
        what = f"{queue.labeller} has labelled all {len(queue.items)}"
        fix = "change a label on the page, or import another one"
        raise InputError(what, where=str(source), fix=fix)
    task_id = _keep_task(queue.case, task)
    rows = (_row(queue, name, item, task_id) for name, item in left.items())
    if form == "csv":
        return table_csv(COLUMNS, rows)
    return table_json_lines(COLUMNS, rows)


def sheet_path(source: str | Path, labeller: str, output: str | None = None) -> Path:
    """The path of a labeller's sheet of failures: beside the case, unless another is named."""
    if output is not None:
        return Path(output)
    if labeller == ME:
        name = "failures.csv"
    else:
        name = f"failures-{stores.labeller_name(labeller)}.csv"
    return case_path(source).parent / name


ME = "me"  #: The labeller where nobody is named.


def new_sheet(source: str | Path, labeller: str, output: str | None = None) -> str:
    """Write a sheet of the drawn failures without a label, and return its path; "" for none left.

    An existing sheet with its usual name stays as it is, as somebody may be filling it in.

    Raises:
        OutputError: If the named file exists.
    """
    task = LabelTask("failure", labeller)
    queue = open_queue(source, task)
    if queue.done == len(queue.items):
        return ""
    path = sheet_path(source, labeller, output)
    exists = os.path.lexists(path)
    if output is not None or not exists:
        write_new(path, export_sheet(source, task, "csv"))
    return str(path)


_LETTER = "i"  # before an id: a spreadsheet takes 12345e6 for a number


def _row(queue: LabelQueue, name: str, item: Item, task_id: str) -> dict[str, str]:
    """An item as a row of texts, by column."""
    case = item.case
    # an item has at most two outputs; a missing one is an empty cell
    output, other_output = (*item.outputs_in_order, "", "")[:2]
    return {
        "item": _LETTER + name,
        "task": task_id,
        "case": case.id,
        "input": "\n\n".join(_question_parts(case)),
        "reference": _reference_text(case),
        # only who writes a right answer sees the logged one: it would sway who compares outputs
        "logged": (case.logged or "") if item.task == "answer" else "",
        "output": output,
        "other_output": other_output,
        "said_so_far": "\n".join(queue.notes_on(name)),
        "choices": _choices_text(queue, item),
    }


def _choices_text(queue: LabelQueue, item: Item) -> str:
    """The choices for an item in a cell of a sheet, or the form of its free answer."""
    if item.choices:
        return ", ".join(shown_choices(item))
    return "JSON" if queue.form.is_json else "any text"


def shown_choices(item: Item) -> tuple[str, ...]:
    """The choices for an item; for a pair, in the words of the columns."""
    if item.choices == PAIRS:
        return ("output", "other_output", "tie")
    return item.choices


def _question_parts(case: EvalCase) -> Iterator[str]:
    """The parts of the question: the input or the conversation, and the passages."""
    if case.input is not None:
        yield case.input
    for message in case.messages:
        yield f"{message.role.capitalize()}: {message.content}"
    for passage in case.contexts:
        yield f"Passage: {passage.text}"


def _reference_text(case: EvalCase) -> str:
    """A right answer as text, as JSON where it isn't one; empty without a right answer."""
    if case.reference is None:
        return ""
    if isinstance(case.reference, str):
        return case.reference
    return json.dumps(case.reference, ensure_ascii=False)


def _keep_task(case: Case, task: LabelTask) -> str:
    """Keep a task until its labels come back, and return its id. Equal tasks have equal ids."""
    assert case.folder is not None  # labels are kept beside a case
    if task.rubric:  # as seen from the case folder, whose place may change
        rubric = os.path.relpath(Path(task.rubric).resolve(), case.folder.resolve())
        task = replace(task, rubric=rubric)
    without_id = KeptTask(id="", task=task).model_dump_json()
    task_id = _LETTER + digest_of("task", without_id)
    tasks = stores.label_tasks(case, KeptTask)
    known_ids = {kept.id for kept in tasks.read()}
    if task_id not in known_ids:
        tasks.append(KeptTask(id=task_id, task=task))
    return task_id


def _kept_task(case: Case, task_id: str, path: Path) -> LabelTask:
    """Return the task that a sheet names.

    Raises:
        CaseError: If this case never exported it.
    """
    assert case.folder is not None  # labels are kept beside a case
    for kept in stores.label_tasks(case, KeptTask).read():
        if kept.id != task_id:
            continue
        task = kept.task
        if task.rubric:  # it was kept as seen from the case folder
            task = replace(task, rubric=case.folder / task.rubric)
        return task
    what = f'was not exported from this case (task "{task_id[:40]}")'
    fix = f"export again: tuneworthy evalset export {argument(case.folder)} --labeller NAME"
    raise CaseError(what, where=str(path), fix=fix)


class ImportedLabels(NamedTuple):
    """The result of importing a file of labels."""

    labeller: str
    kept: int
    same: int  #: Labels that were kept before.
    empty: int  #: Rows without a label.
    problems: tuple[str, ...]
    """The faults, each with its line. If there is any, nothing was kept."""


class _SheetAnswer(NamedTuple):
    name: str  #: Id of the item.
    label: str
    better: str


def import_sheet(
    path: Path, source: str | Path, kind: Kind | None = None
) -> ImportedLabels:
    """Import labels from a sheet: all of them, or none where a line is wrong.

    With a ``kind``, a sheet of labels of another kind is refused.

    Raises:
        CaseError: If the file can't be read, or wasn't exported from this case.
    """
    case = load_case(source)
    rows = list(read_table(path))
    task_id = _task_id_of(rows, path)
    task = _kept_task(case, task_id, path)
    if kind is not None and task.kind != kind:
        fix = f"import it: tuneworthy evalset import {argument(path)} {argument(case.folder)}"
        raise CaseError("holds labels of another kind", where=str(path), fix=fix)
    queue = open_queue(source, task)
    labels: list[_SheetAnswer] = []
    problems: list[str] = []
    empty = 0
    for line, row in rows:
        if not row.get("label", "").strip():
            empty += 1
            continue
        try:
            labels.append(_read_label(queue, row, task_id))
        except InputError as caught:
            problems.append(f"{path}:{line}: {caught}")
    if problems or not labels:
        return ImportedLabels(queue.labeller, 0, 0, empty, tuple(problems))
    kept = _keep_labels(queue, labels)
    if any(queue.items[each.name].task == "failure" for each in labels):
        record_causes(case)
    return ImportedLabels(queue.labeller, kept, len(labels) - kept, empty, ())


def _task_id_of(rows: list[tuple[int, dict[str, str]]], path: Path) -> str:
    """The id of a sheet's task, from the first row that has one.

    Raises:
        CaseError: If no row has one.
    """
    for _, row in rows:
        if row.get("task"):
            return row["task"]
    fix = "import what evalset export --labeller wrote, with all its columns"
    raise CaseError("has no column task with an id", where=f"{path}:1", fix=fix)


def _keep_labels(queue: LabelQueue, labels: list[_SheetAnswer]) -> int:
    """Keep the labels of a sheet, and return how many of them were new."""
    new = 0
    for each in labels:
        key = queue.items[each.name].key
        before = queue.labels.get(key)
        queue.label(each.name, each.label, each.better)
        # the queue keeps a new record only for a label that changed
        if queue.labels.get(key) is not before:
            new += 1
    return new


def _read_label(
    queue: LabelQueue, row: Mapping[str, str], task_id: str
) -> _SheetAnswer:
    """The label of a row, in the form that the queue takes.

    Raises:
        InputError: If the row's item doesn't exist, or its label isn't possible for it.
    """
    name = row.get("item", "").strip().removeprefix(_LETTER)
    if row.get("task") != task_id:
        raise InputError(
            "it is of another task", fix="import each exported file by itself"
        )
    item = queue.items.get(name)
    if item is None:
        what = f'nothing to label has the id "{row.get("item", "")[:40]}"'
        raise InputError(
            what, fix="leave ids as they are; what has changed since is exported anew"
        )
    label = row["label"]
    if item.choices:
        label = _choice(item, label)
    better = row.get("better", "")
    queue.checked(item, label, better)
    return _SheetAnswer(name, label, better)


def _choice(item: Item, label: str) -> str:
    """Return the choice of an item that somebody wrote as its word, title or key, in any case."""
    typed = label.strip().casefold()
    words = dict(zip(shown_choices(item), item.choices, strict=True))
    words |= {choice: choice for choice in item.choices}
    words |= {title.casefold(): choice for choice, title in titles_of(item).items()}
    words |= keys_of(item)
    if typed in words:
        return words[typed]
    if item.titles:  # with titles there are too many choices to list
        fix = did_you_mean(typed, shown_choices(item))
    else:
        fix = f"write one of these: {', '.join(shown_choices(item))}"
    raise InputError(f'"{label.strip()[:40]}" can\'t be said of it', fix=fix)


def import_text(read: ImportedLabels) -> str:
    """Say in a line how many labels of a file were kept."""
    text = f"Kept {counted(read.kept, 'label')} of {read.labeller}"
    if read.labeller == stores.ADJUDICATED:
        text = f"Settled {counted(read.kept, 'item')}"
    if read.same:
        text += f"; {read.same} were kept before"
    if read.empty:
        text += f"; {counted(read.empty, 'row')} without a label"
    return f"{text}.\n"
