"""The failures in a log with scored answers: the question, the answer, and the right one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.engine import conversation_keys
from tuneworthy.measure.evalset import (
    FRAME_CHARACTERS,
    FRAME_TRACES,
    LoggedQuestion,
    conversation_names,
    logged_questions,
)
from tuneworthy.measure.hiding import Masker
from tuneworthy.measure.sample import Sample
from tuneworthy.measure.signals.base import Flags, Floats, on_scale, right, scores_of
from tuneworthy.model.evalset import CaseMessage, CasePassage, DrawnFailure, EvalCase
from tuneworthy.model.evidence import Batch
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.failures import draw_alike

_MOST_KINDS = 50  #: More different right answers than this are texts, not labels.
_LONGEST_KIND = 80  #: Characters of a right answer that is a label.
_DIGITS = 12  #: Hexadecimal digits of a case's name: 48 bits, so no two cases share one by chance.
_LONGEST = 20_000  #: Characters that are kept of a text.


class LogFailures(NamedTuple):
    """Failures in a log, and the share of right answers."""

    drawn: tuple[DrawnFailure, ...]
    failures: int  #: How many there were to draw from.
    arm: str  #: The arm that was read, where the log is a test of several; else empty.
    quality: Estimate | None  #: Of what was scored; None where nothing was.


def draw_log_failures(batches: Iterable[Batch], *, n: int, seed: int) -> LogFailures:
    """Draw failures from traces: answers that were scored as wrong.

    In a test of several arms, only those of the best one. Texts are masked.
    """
    kept = _sampled(batches, seed)
    good = right(on_scale(scores_of(kept)))
    arm, mine = _best_arm(kept, good)
    scored = mine & np.isfinite(good)
    failed = _failed_questions(kept, scored & (good == 0))
    kinds = _kinds([question.reference or "" for question in failed])
    places = draw_alike(kinds, n, seed)
    return LogFailures(
        drawn=_failures([failed[place] for place in places]),
        failures=len(failed),
        arm=arm,
        quality=_quality(kept, good, scored),
    )


def _sampled(batches: Iterable[Batch], seed: int) -> Batch:
    """Read all traces, and keep those of as many conversations as memory should hold."""
    sample = Sample(FRAME_TRACES, FRAME_CHARACTERS)
    read = 0
    for batch in batches:
        names = conversation_names(batch)
        keys = conversation_keys(names, read, salt=f"failures {seed} ")
        sample.add(batch, keys, read)
        read += len(batch)
    kept, _ = sample.batch()
    return kept


def _quality(batch: Batch, good: Floats, scored: Flags) -> Estimate | None:
    """Estimate the share of right answers among the scored ones; None without a scored one.

    Answers of one conversation or test case aren't independent: they are one cluster.
    """
    if not scored.any():
        return None
    names = conversation_names(batch)
    groups = [names[row] or f"row {row}" for row in np.flatnonzero(scored).tolist()]
    _, clusters = np.unique(groups, return_inverse=True)
    return share(good[scored], clusters)


def _failed_questions(batch: Batch, wrong: Flags) -> list[LoggedQuestion]:
    """The questions whose answers are wrong; those that the log doesn't hold are left out."""
    failed = []
    for question, is_wrong in zip(logged_questions(batch), wrong.tolist(), strict=True):
        if question is not None and is_wrong:
            failed.append(question)
    return failed


def _best_arm(batch: Batch, good: Floats) -> tuple[str, Flags]:
    """The arm of a test with the most right answers, and its rows; for any other log, all rows.

    An arm is a prompt with a model. A log is a test if it names its test cases and several arms.
    """
    everything = np.ones(len(batch), dtype=bool)
    pairs = zip(batch.column("prompt"), batch.column("model"), strict=True)
    arms = [" · ".join(filter(None, pair)) for pair in pairs]
    if not any(batch.column("case")) or len(set(arms)) < 2:
        return "", everything
    names = np.array(arms)
    means: dict[str, float] = {}
    # By name, so that of equal arms the same one wins however the log is ordered.
    for name in sorted(set(arms)):
        scores = good[(names == name) & np.isfinite(good)]
        if len(scores):
            means[name] = float(scores.mean())
    if not means:
        return "", everything
    best = max(means, key=lambda name: means[name])
    return best, names == best


def _kinds(references: list[str]) -> list[str]:
    """The kind of each case: its right answer, if those are a few labels; else all are one kind."""
    labels = set(references)
    are_labels = all(
        len(label) <= _LONGEST_KIND and "\n" not in label for label in labels
    )
    # A label comes back: with fewer than two cases for each, the answers are mere texts.
    most = min(_MOST_KINDS, max(1, len(references) // 2))
    if not are_labels or len(labels) > most:
        return [""] * len(references)
    return references


def _failures(questions: list[LoggedQuestion]) -> tuple[DrawnFailure, ...]:
    """Logged failures as cases with personal data masked; equal ones once."""
    failures: dict[str, DrawnFailure] = {}
    for question in questions:
        failure = _failure(question)
        failures.setdefault(failure.case.id, failure)
    return tuple(failures.values())


def _failure(question: LoggedQuestion) -> DrawnFailure:
    """One logged failure as a case, masked and named by its masked texts."""
    masker = Masker()
    turns = [
        CaseMessage(role=turn.role, content=masker(turn.content[:_LONGEST]))
        for turn in question.turns
    ]
    output = masker(question.logged[:_LONGEST])
    texts = [*(turn.content for turn in turns), output]
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()
    # A case is one input or a conversation, never both.
    is_input = len(turns) == 1 and turns[0].role == "user"
    reference = question.reference
    case = EvalCase(
        id=digest[:_DIGITS],
        input=turns[0].content if is_input else None,
        messages=() if is_input else tuple(turns),
        reference=None if reference is None else masker(reference[:_LONGEST]),
        contexts=tuple(
            CasePassage(text=masker(text[:_LONGEST])) for text in question.contexts
        ),
    )
    return DrawnFailure(case=case, output=output)
