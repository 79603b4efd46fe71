"""Gaps in knowledge: is the passage missing, or is the answer wrong although it is there?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.domain.evidence import Evidence, Scalar, Series
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals import groundedness, outcomes, sufficiency
from tuneworthy.gather.signals.base import Found, Numbers, Table, as_numbers
from tuneworthy.gather.signals.picking import members, picked
from tuneworthy.gather.signals.refusals import refuses
from tuneworthy.gather.signals.telling import told
from tuneworthy.stats.clustered import Estimate, share, true_share
from tuneworthy.stats.detected import CERTAIN, Ends, share_given

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKED_AT = 1_000
"""Traces of the sample that the detector of sufficient passages reads at most."""

CHECKED = 300
"""Traces of the sample that the slower detector of unsupported answers reads at most."""

_ADD_ANSWERABLE = "label `answerable`: whether the passages hold the answer"
_ADD_CONTEXTS = f"log `contexts`, the passages given to the model, or {_ADD_ANSWERABLE}"
_ADD_REFERENCE = f"add `reference`, the right answer, or {_ADD_ANSWERABLE}"
_ADD_SCORE = "add `score` to the same traces: 1 where the answer was right, 0 where it was wrong"
_FEW_WORDS = f"references hold no English word to look for; {_ADD_ANSWERABLE}"


@dataclass(frozen=True, slots=True)
class _Passages:
    """Which answers had sufficient passages before them, and how that is known."""

    sufficient: NDArray[np.float64]
    right: NDArray[np.float64]
    clusters: NDArray[np.int64]
    how: str
    sensitivity: Ends = CERTAIN
    specificity: Ends = CERTAIN
    sample: Literal["all", "sampled"] = "all"
    lacking: str = ""


class Knowledge:
    """The 2×2 of sufficient passages and right answers.

    ``retrieval_recall`` is the share of questions whose passages hold the answer (1 less the share
    of retrieval failures); ``synthesis_failure_share`` the share of wrong answers among those with
    sufficient passages. Sufficient by the label ``answerable``; else by a detector that compares
    the reference with the passages, whose errors widen the interval. Right by ``score`` alone: no
    comparison of free text with a reference was measured, so none is used. Intervals: Wilson's at
    the number of independent traces, with test cases or conversations as clusters.

    ``unsupported_answer_share`` is the share of answers with passages that these don't support, by
    a detector on a sample, corrected for its errors.

    None of them sees whether a passage is itself right, nor what retrieval would have found with
    another question; the detectors read English.
    """

    id = "knowledge"
    needs = (
        "output",
        "conversation",
        "contexts",
        "reference",
        "answerable",
        "score",
        "label",
        "case",
    )

    def rows(self, batch: Batch) -> Numbers:
        """Labels and scores as numbers, and the test case."""
        return {
            "knowledge_sufficient": as_numbers(batch.answerable)
            if batch.answerable
            else np.full(len(batch), np.nan),
            "knowledge_right": outcomes.right(outcomes.on_scale(outcomes.scores_of(batch))),
            "knowledge_case": outcomes.case_numbers(batch),
        }

    def finish(self, table: Table) -> Found:
        """Both shares with the four counts, and the share of unsupported answers."""
        passages = _labelled(table) or _detected(table)
        counts = _counts(passages)
        evidence = (_synthesis(table, passages, counts), _recall(table, passages, counts))
        cells = {
            "sufficient": (True, True, False, False),
            "right": (True, False, True, False),
            "n": tuple(counts.values()),
        }
        pictures = (Series(id="knowledge", columns=cells),) if any(counts.values()) else ()
        return Found((*evidence, _unsupported(table)), pictures)


def _labelled(table: Table) -> _Passages | None:
    """What people labelled; None where nobody did."""
    sufficient = table.numbers["knowledge_sufficient"]
    if not np.isfinite(sufficient).any():
        return None
    members = outcomes.clusters(table, table.numbers["knowledge_case"])
    right = table.numbers["knowledge_right"]
    return _Passages(sufficient, right, members, "sufficient by the label `answerable`")


def _detected(table: Table) -> _Passages:
    """What the detector of sufficient passages says of a sample."""
    lacking = _missing(table)
    batch = table.sample
    size = len(batch)
    contexts, references = batch.contexts or [None] * size, batch.reference or [None] * size
    rows = (
        []
        if lacking
        else picked(
            batch, LOOKED_AT, lambda row: contexts[row] is not None and bool(references[row])
        )
    )
    return _Passages(
        as_numbers(
            sufficiency.sufficient(references[row] or "", contexts[row] or ()) for row in rows
        ),
        outcomes.right(outcomes.on_scale(outcomes.scores_of(batch)[rows])),
        members(batch, rows),
        f"sufficient by the reference's words in the passages ({sufficiency.MEASURED_ON})",
        sufficiency.SENSITIVITY,
        sufficiency.SPECIFICITY,
        "all" if len(rows) == len(table) else "sampled",
        lacking or _FEW_WORDS,
    )


def _missing(table: Table) -> str:
    """What to do about the field that the detector lacks; nothing where it has both."""
    if "contexts" not in table.present:
        return _ADD_CONTEXTS
    return "" if "reference" in table.present else _ADD_REFERENCE


def _counts(passages: _Passages) -> dict[str, int]:
    """The four counts, as labelled or detected."""
    return {
        f"{passage}_{answer}": int(
            ((passages.sufficient == enough) & (passages.right == good)).sum()
        )
        for enough, passage in ((1, "sufficient"), (0, "insufficient"))
        for good, answer in ((1, "right"), (0, "wrong"))
    }


def _recall(table: Table, passages: _Passages, counts: dict[str, int]) -> Evidence:
    seen = share(passages.sufficient, passages.clusters)
    estimate = seen
    if seen is not None and passages.sensitivity != CERTAIN:
        value, low, high = true_share(seen, passages.sensitivity, passages.specificity)
        estimate = Estimate(value, low, high, seen.n, seen.clusters)
    details: dict[str, Scalar] = {**counts} if any(counts.values()) else {}
    if seen is not None and passages.sensitivity != CERTAIN:
        details["seen_share"] = seen.value
    return told(
        table,
        "retrieval_recall",
        estimate,
        factor="knowledge_gaps",
        unit="share of questions whose passages hold the answer",
        method=f"{passages.how}; Wilson over cases or conversations{_widened(passages)}",
        lacking=passages.lacking,
        sample=passages.sample,
        details=details | _errors(passages),
    )


def _synthesis(table: Table, passages: _Passages, counts: dict[str, int]) -> Evidence:
    both = np.isfinite(passages.sufficient) & np.isfinite(passages.right)
    estimate = None
    if both.any():
        estimate = share_given(
            1 - passages.right[both],
            passages.sufficient[both],
            passages.clusters[both],
            passages.sensitivity,
            passages.specificity,
        )
    scored = bool({"score", "label"} & table.present)
    none_sufficient = "no scored answer had sufficient passages: measure more, or mend retrieval"
    lacking = passages.lacking if not len(passages.sufficient) else _ADD_SCORE
    return told(
        table,
        "synthesis_failure_share",
        estimate,
        factor="knowledge_gaps",
        unit="share of answers with sufficient context",
        method=f"wrong by `score` where {passages.how}; over cases or conversations"
        + _widened(passages),
        lacking=none_sufficient if scored and both.any() else lacking,
        sample=passages.sample,
        details={**counts, **_errors(passages)} if any(counts.values()) else {},
    )


def _unsupported(table: Table) -> Evidence:
    """The share of answers that their passages don't support."""
    batch = table.sample
    contexts = batch.contexts or [None] * len(batch)

    def claims(row: int) -> bool:
        """Whether there is an answer that claims something, and a passage."""
        text = batch.output[row]
        return bool(text and contexts[row]) and not refuses(text or "")

    rows = picked(batch, CHECKED, claims)
    flags = [
        not groundedness.supported(batch.output[row] or "", contexts[row] or ()) for row in rows
    ]
    seen = share(np.array(flags, dtype=np.float64), members(batch, rows))
    estimate = None
    if seen is not None:
        ends = true_share(seen, groundedness.SENSITIVITY, groundedness.SPECIFICITY)
        estimate = Estimate(*ends, seen.n, seen.clusters)
    lacks = "contexts" not in table.present
    return told(
        table,
        "unsupported_answer_share",
        estimate,
        factor="knowledge_gaps",
        unit="share of answers given with passages",
        method="a model over words, corrected by Rogan and Gladen for its errors on "
        + groundedness.MEASURED_ON,
        lacking="log `contexts`, the passages given to the model"
        if lacks
        else "no answer in words was given with passages: measure more traces",
        sample="all" if len(rows) == len(table) else "sampled",
        details={} if seen is None else {"seen_share": seen.value, "looked_at": seen.n},
    )


def _widened(passages: _Passages) -> str:
    return "" if passages.sensitivity == CERTAIN else ", widened by the detector's errors"


def _errors(passages: _Passages) -> dict[str, Scalar]:
    """The detector's errors, for the report."""
    if passages.sensitivity == CERTAIN:
        return {}
    return {
        "sensitivity_low": passages.sensitivity[0],
        "sensitivity_high": passages.sensitivity[1],
        "specificity_low": passages.specificity[0],
        "specificity_high": passages.specificity[1],
    }
