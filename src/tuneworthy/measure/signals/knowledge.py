"""Gaps in knowledge: either the passage is missing, or the answer is wrong in spite of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.signals.base import (
    Extent,
    Findings,
    Floats,
    Ints,
    Measure,
    Numbers,
    Span,
    TraceSignal,
    TraceTable,
    as_numbers,
    case_numbers,
    clusters,
    corrected,
    on_scale,
    pictures,
    right,
    sampled_clusters,
    sampled_rows,
    scores_of,
)
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import CERTAIN, share, share_given

LOOKED_AT = 1_000  #: Traces of the sample that the detector of sufficient passages reads at most.

_FACTOR = "knowledge_gaps"
_ADD_ANSWERABLE = "label `answerable`: whether the passages hold the answer"
_ADD_CONTEXTS = f"log `contexts`, the passages given to the model, or {_ADD_ANSWERABLE}"
_ADD_REFERENCE = f"add `reference`, the right answer, or {_ADD_ANSWERABLE}"
_ADD_SCORE = (
    "add `score` to the same traces: 1 where the answer was right, 0 where it was wrong"
)
_FEW_WORDS = f"references hold no English word to look for; {_ADD_ANSWERABLE}"


class KnowledgeSignal(TraceSignal):
    """The 2×2 of sufficient passages and right answers.

    ``retrieval_recall`` is the share of questions whose passages hold the answer (1 less the share
    of retrieval failures); ``synthesis_failure_share`` the share of wrong answers among those with
    sufficient passages. Sufficient by the label ``answerable``; else by a detector that compares
    the reference with the passages, whose errors widen the interval. Right by ``score`` alone: no
    comparison of free text with a reference was measured, so none is used. Intervals: Wilson's at
    the number of independent traces, with test cases or conversations as clusters.

    Neither sees whether a passage is itself right, nor what retrieval would have found with another
    question; the detector reads English.
    """

    id = "knowledge"

    def rows(self, batch: Batch) -> Numbers:
        """For each trace: whether its passages are sufficient, its score and its case."""
        return {
            "knowledge_sufficient": as_numbers(batch.column("answerable")),
            "knowledge_score": scores_of(batch),
            "knowledge_case": case_numbers(batch),
        }

    def finish(self, table: TraceTable) -> Findings:
        """How often passages hold the answer, and how often it is wrong although they do."""
        is_labelled = np.isfinite(table.numbers["knowledge_sufficient"]).any()
        passages = _labelled(table) if is_labelled else _detected(table)
        cells = passages.cells()
        evidence = (_synthesis(table, passages, cells), _recall(table, passages, cells))
        rows = [
            (cell.sufficient, cell.right, cells[cell.name])
            for cell in _CELLS
            if cell.name in cells
        ]
        return Findings(evidence, pictures("knowledge", "sufficient right n", rows))


class _Cell(NamedTuple):
    """One of the four cells of the 2×2."""

    name: str
    sufficient: bool
    right: bool


_CELLS = (
    _Cell("sufficient_right", sufficient=True, right=True),
    _Cell("sufficient_wrong", sufficient=True, right=False),
    _Cell("insufficient_right", sufficient=False, right=True),
    _Cell("insufficient_wrong", sufficient=False, right=False),
)


class _Passages(NamedTuple):
    """Which answers had sufficient passages, and how that is known."""

    sufficient: Floats  #: 1.0 or 0.0; NaN where unknown. So is ``right``.
    right: Floats
    clusters: Ints
    how: str
    sensitivity: Span = CERTAIN
    specificity: Span = CERTAIN
    sample: Extent = "all"
    lacking: str = ""  #: The log entry that is missing, where nothing is known.

    def cells(self) -> dict[str, int]:
        """The four counts, by labels or by the detector; {} where all are 0."""
        counts = {}
        for cell in _CELLS:
            inside = (self.sufficient == cell.sufficient) & (self.right == cell.right)
            counts[cell.name] = int(inside.sum())
        return counts if any(counts.values()) else {}

    @property
    def is_detected(self) -> bool:
        """Whether a detector with known errors said it, and not people."""
        return self.sensitivity != CERTAIN

    def errors(self) -> dict[str, Scalar]:
        """The detector's errors for the report; {} for labels."""
        if not self.is_detected:
            return {}
        sensitivity_low, sensitivity_high = self.sensitivity
        specificity_low, specificity_high = self.specificity
        return {
            "sensitivity_low": sensitivity_low,
            "sensitivity_high": sensitivity_high,
            "specificity_low": specificity_low,
            "specificity_high": specificity_high,
        }

    @property
    def widened(self) -> str:
        """The end of a sentence on the method; empty for labels."""
        return ", widened by the detector's errors" if self.is_detected else ""


def _labelled(table: TraceTable) -> _Passages:
    """Whether the passages of all traces are sufficient, as people labelled."""
    return _Passages(
        sufficient=table.numbers["knowledge_sufficient"],
        right=right(on_scale(table.numbers["knowledge_score"])),
        clusters=clusters(table, table.numbers["knowledge_case"]),
        how="sufficient by the label `answerable`",
    )


def _detected(table: TraceTable) -> _Passages:
    """Whether the passages of sampled traces are sufficient, by a detector."""
    batch = table.sample
    lacking = _FEW_WORDS
    if "contexts" not in table.present:
        lacking = _ADD_CONTEXTS
    elif "reference" not in table.present:
        lacking = _ADD_REFERENCE
    contexts = batch.column("contexts")
    references = batch.column("reference")
    rows = sampled_rows(
        batch,
        LOOKED_AT,
        lambda row: contexts[row] is not None and bool(references[row]),
    )
    detected = (sufficient(references[row], contexts[row]) for row in rows)
    return _Passages(
        sufficient=as_numbers(detected),
        right=right(on_scale(scores_of(batch)[rows])),
        clusters=sampled_clusters(batch, rows),
        how=f"sufficient by the reference's words in the passages ({MEASURED_ON})",
        sensitivity=SENSITIVITY,
        specificity=SPECIFICITY,
        sample=table.extent(len(rows)),
        lacking=lacking,
    )


def _recall(table: TraceTable, passages: _Passages, cells: dict[str, int]) -> Evidence:
    """The share of questions whose passages hold the answer."""
    estimate = share(passages.sufficient, passages.clusters)
    details: dict[str, Scalar] = {**cells}
    if estimate is not None and passages.is_detected:
        details["seen_share"] = estimate.value
        estimate = corrected(estimate, passages.sensitivity, passages.specificity)
    return Measure(
        "retrieval_recall", "share of questions whose passages hold the answer", _FACTOR
    ).make_evidence(
        table,
        estimate,
        passages.lacking,
        method=f"{passages.how}; Wilson over cases or conversations{passages.widened}",
        sample=passages.sample,
        details=details | passages.errors(),
    )


def _synthesis(
    table: TraceTable, passages: _Passages, cells: dict[str, int]
) -> Evidence:
    """The share of wrong answers among those whose passages hold the answer."""
    known = np.isfinite(passages.sufficient) & np.isfinite(passages.right)
    estimate = None
    if known.any():
        estimate = share_given(
            1 - passages.right[known],
            passages.sufficient[known],
            passages.clusters[known],
            passages.sensitivity,
            passages.specificity,
        )
    # Advice for a share that can't be estimated.
    is_scored = not {"score", "label"}.isdisjoint(table.present)
    if known.any() and is_scored:
        ask = "no scored answer had sufficient passages: measure more, or fix retrieval"
    elif len(passages.sufficient):
        ask = _ADD_SCORE
    else:
        ask = passages.lacking
    return Measure(
        "synthesis_failure_share", "share of answers with sufficient context", _FACTOR
    ).make_evidence(
        table,
        estimate,
        ask,
        method=f"wrong by `score` where {passages.how}; over cases or conversations"
        + passages.widened,
        sample=passages.sample,
        details={**cells, **passages.errors()} if cells else {},
    )


# Words, sentences and stems of English text, as the detectors of knowledge count them.

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDINGS = ("ingly", "edly", "ing", "ied", "ies", "ed", "es", "ly", "s", "er")

_COMMON = (
    "a an the and or but if then so of in on at to for from by with as is are was were be been "
    "being it its this that these those he she they we you i me my your his her their our them us "
    "him do does did have has had not no n't nt can could will would should may might there here "
    "what which who whom whose when where why how than too very just also about into over after "
    "before up out off down all any some such only own same s t d ll m re ve"
)

COMMON = frozenset(_COMMON.split())  #: Words that carry grammar rather than content.


def words(text: str) -> list[str]:
    """Words and numbers in lower case, split contractions joined; none for an empty text."""
    plain = text.lower().replace("’", "'").replace(" n't", "n't").replace(" 's", "'s")
    return _WORD.findall(plain)


def sentences(text: str) -> list[str]:
    """Sentences with a word: parts that end with a stop or a line break; [] for an empty text."""
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part.lower())]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its most frequent endings, so that ``prices`` equals ``price``.

    It is far cruder than Porter's (1980). Numbers stay as they are.
    """
    for ending in _ENDINGS:
        # At least three letters stay: "red" isn't "r" with an ending.
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def stems(text: str) -> list[str]:
    """Stems of all words of a text, in order."""
    return [stem(word) for word in words(text)]


# Whether the passages that were given hold what the right answer says.

THRESHOLD = 0.64
"""Passages are sufficient from this share on. It has the best balanced accuracy on one half."""

SENSITIVITY = (0.805, 0.920)
"""The 95% interval of the share of answerable questions that it finds, on the other half."""

SPECIFICITY = (0.595, 0.965)
"""The share of unanswerable questions that it rejects, on the other half. They have the nearest
passages of other questions: at the lower end those nearest to question and answer together, which
no retriever could search for; at the upper end those nearest to the question."""

MEASURED_ON = "mtrag reference tasks, 2025; measured 2026-11-24"


def coverage(reference: str, passages: Sequence[str]) -> float | None:
    """The share of the reference's different content words that are in the passages.

    None for a reference without a content word.
    """
    wanted = {stem(word) for word in words(reference) if word not in COMMON}
    if not wanted:
        return None
    known = {each for passage in passages for each in stems(passage)}
    return len(wanted & known) / len(wanted)


def sufficient(reference: str, passages: Sequence[str]) -> bool | None:
    """Whether passages count as sufficient; None where the reference has no content word."""
    covered = coverage(reference, passages)
    return None if covered is None else covered >= THRESHOLD
