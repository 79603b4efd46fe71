"""Answers and labels given as a surface does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from tuneworthy import decide
from tuneworthy.files import case as files_case
from tuneworthy.interview import answers as interview_answers
from tuneworthy.labelling import queue as labelling_queue
from tuneworthy.labelling.queue import LabelTask
from tuneworthy.model import interview as model_interview
from tuneworthy.pipeline import framework_of
from tuneworthy.report.sections import evalset as section_evalset


def answer_in(
    source: str | Path,
    ask_id: str,
    text: str,
    *,
    chosen: str | None = None,
    read_digest: str | None = None,
    as_of: date | None = None,
    write: Callable[..., model_interview.AnswerResult] = interview_answers.write_answer,
) -> model_interview.AnswerResult:
    """Write one answer of an interview."""
    now = evaluated(source, as_of=as_of)
    if read_digest is not None:
        now = replace(now, digest=read_digest)
    return write(now, ask_id, text, judge=partial(decide, as_of=as_of))


def evaluated(
    source: str | Path, as_of: date | None = None
) -> interview_answers.EvaluatedCase:
    """A case and its dossier, as a surface has them."""
    read, text = (
        files_case.read_with_digest(source),
        files_case.case_path(source).read_text("utf-8"),
    )
    framework = framework_of(read.case)
    dossier = decide(read.case, framework, as_of=as_of)
    return interview_answers.EvaluatedCase(
        source, read.case, framework, text, read.digest, "", dossier
    )


def keep_both(
    source: str | Path, ask_id: str, challenge_id: str, **more: Any
) -> model_interview.AnswerResult:
    """Accept a conflict in the same way."""
    return answer_in(
        source, ask_id, challenge_id, write=interview_answers.accept_conflict, **more
    )


def label_queue(
    source: str | Path,
    labeller: str,
    *,
    rubric: str | Path = "",
    pairwise: tuple[str, str] | None = None,
    lab: Any = None,
) -> labelling_queue.LabelQueue:
    """What there is to label, by what the command line takes."""
    kind: Any = "pairwise" if pairwise else "rubric" if rubric else "answer"
    task = LabelTask(kind, labeller, rubric, arms=pairwise or (), lab=lab)
    return labelling_queue.open_queue(source, task)


def unlabelled(queue: labelling_queue.LabelQueue) -> Iterator[section_evalset.Item]:
    """The items without a label one after the other, as the page shows them."""
    name = queue.open_after()
    while item := queue.items.get(name):
        yield item
        name = queue.open_after(name)
