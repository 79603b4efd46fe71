"""The failures in a log with scored answers: the question, the answer, and the right one."""

from __future__ import annotations

import hashlib
from collections import Counter
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

_MOST_KINDS = 50
_LONGEST_KIND = 80  # characters of a right answer that is a label
_DIGITS = 12
_LONGEST = 20_000  # characters of a text


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
    sample = Sample(FRAME_TRACES, FRAME_CHARACTERS)
    read = 0
    for batch in batches:
        keys = conversation_keys(
            conversation_names(batch), read, salt=f"failures {seed} "
        )
        sample.add(batch, keys, read)
        read += len(batch)
    kept, _ = sample.batch()
    good = right(on_scale(scores_of(kept)))
    arm, mine = _best_arm(kept, good)
    scored = mine & np.isfinite(good)
    quality = None
    if scored.any():
        names = conversation_names(kept)
        groups = [names[row] or f"row {row}" for row in np.flatnonzero(scored).tolist()]
        _, clusters = np.unique(groups, return_inverse=True)
        quality = share(good[scored], clusters)
    wrong = (scored & (good == 0)).tolist()
    pairs = zip(logged_questions(kept), wrong, strict=True)
    failed = [
        question for question, is_wrong in pairs if question is not None and is_wrong
    ]
    kinds = _kinds([question.reference or "" for question in failed])
    drawn = _failures([failed[place] for place in draw_alike(kinds, n, seed)])
    return LogFailures(drawn, len(failed), arm, quality)


def _best_arm(batch: Batch, good: Floats) -> tuple[str, Flags]:
    """The arm of a test with the most right answers, and its rows; for any other log, all rows."""
    everything = np.ones(len(batch), dtype=bool)
    pairs = zip(batch.column("prompt"), batch.column("model"), strict=True)
    arms = [" · ".join(filter(None, pair)) for pair in pairs]
    if not any(batch.column("case")) or len(set(arms)) < 2:
        return "", everything
    names = np.array(arms)
    means = {}
    for name in sorted(set(arms)):
        scores = good[(names == name) & np.isfinite(good)]
        if len(scores):
            means[name] = float(scores.mean())
    if not means:
        return "", everything
    best = max(means, key=lambda name: means[name])
    return best, names == best


def _kinds(references: list[str]) -> list[str]:
    """Kinds of cases by their right answer if there are few labels; else a single kind."""
    labels = Counter(references)
    are_labels = all(
        len(label) <= _LONGEST_KIND and "\n" not in label for label in labels
    )
    if not are_labels or len(labels) > min(_MOST_KINDS, max(1, len(references) // 2)):
        return [""] * len(references)
    return references


def _failures(questions: list[LoggedQuestion]) -> tuple[DrawnFailure, ...]:
    """Logged failures as cases with personal data masked; equal ones once."""
    failures: dict[str, DrawnFailure] = {}
    for question in questions:
        masker = Masker()
        turns = [
            CaseMessage(role=turn.role, content=masker(turn.content[:_LONGEST]))
            for turn in question.turns
        ]
        output = masker(question.logged[:_LONGEST])
        texts = [*(turn.content for turn in turns), output]
        name = hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[
            :_DIGITS
        ]
        alone = len(turns) == 1 and turns[0].role == "user"
        reference = question.reference
        case = EvalCase(
            id=name,
            input=turns[0].content if alone else None,
            messages=() if alone else tuple(turns),
            reference=None if reference is None else masker(reference[:_LONGEST]),
            contexts=tuple(
                CasePassage(text=masker(text[:_LONGEST])) for text in question.contexts
            ),
        )
        failures.setdefault(name, DrawnFailure(case=case, output=output))
    return tuple(failures.values())
