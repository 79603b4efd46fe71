"""Gaps in knowledge: is the passage missing, or is the answer wrong although it is there?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.measure.signals import base as outcomes
from tuneworthy.measure.signals.base import (
    Found,
    Numbers,
    Table,
    as_numbers,
    picked,
    picking_members,
    told,
)
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.evidence import Batch, Evidence, Scalar, Series
from tuneworthy.stats.clustered import CERTAIN, Ends, Estimate, share, share_given, true_share

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
_PERSONAL = "i me my mine we our us i'm i've i'd i'll im ive you your"

COMMON = frozenset(_COMMON.split())
"""Words that carry grammar rather than content."""

NEGATIONS = frozenset(("not", "no", "never", "none", "nothing", "neither", "nor", "cannot"))
"""Words that deny; a word that ends in ``n't`` does too."""

PERSONAL = frozenset(_PERSONAL.split())
"""Words by which a speaker talks about himself or to the other."""


def words(text: str) -> list[str]:
    """Words and numbers in lower case, split contractions joined; none for an empty text."""
    plain = text.lower().replace("’", "'").replace(" n't", "n't").replace(" 's", "'s")
    return _WORD.findall(plain)


def sentences(text: str) -> list[str]:
    """Sentences that hold a word: parts that end with a stop or a line; none for an empty text."""
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part.lower())]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its commonest endings, so that ``prices`` meets ``price``.

    Far cruder than Porter's (1980); numbers stay as they are.
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def stems(text: str) -> list[str]:
    """Stems of all words of a text, in order."""
    return [stem(word) for word in words(text)]


def denies(word: str) -> bool:
    """Whether a word is a negation."""
    return word in NEGATIONS or word.endswith("n't")


# Whether an answer is supported by the passages that were given with it.

WEIGHTS = (-3.3917, 3.4712, -2.3307, 5.2961, -4.2459, -1.4725, -2.1853)
"""The constant, then one for each of ``counts``; fitted on half of BEGIN's passages, 2026-11-24."""

GROUNDEDNESS_THRESHOLD = 0.5
"""From this on an answer counts as supported; the best balanced accuracy on the half fitted on."""

GROUNDEDNESS_SENSITIVITY = (0.873, 0.943)
"""95% interval of the share of unsupported answers it finds, on the half not fitted on."""

GROUNDEDNESS_SPECIFICITY = (0.524, 0.954)
"""The same of supported answers it leaves alone.

From the lower end on mtrag, whose long references it takes for unsupported more often, to the upper
end on BEGIN.
"""

GROUNDEDNESS_MEASURED_ON = "BEGIN dev, wow and cmu, 2022, and mtrag, 2025; measured 2026-11-24"


def overlap(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's words that stand in the passages: the plain way to do it.

    Returns:
        Between 0 and 1; 0.0 for an answer without a word.
    """
    said = words(answer)
    given = {word for passage in passages for word in words(passage)}
    return sum(word in given for word in said) / len(said) if said else 0.0


def counts(answer: str, passages: Sequence[str]) -> tuple[float, ...]:
    """What the model looks at.

    Returns:
        The share of words found in the passages; the logarithm of one more than the content words
        that the sentence with the most of them has and no passage; the share of words found in
        the passage sentence that fits each sentence best; and the shares of sentences that ask,
        that speak of me or you where no passage does, and that deny where no passage does. Zeros
        for an answer without a word.
    """
    given = [word for passage in passages for word in words(passage)]
    known, roots = set(given), {stem(word) for word in given}
    within = [
        {stem(word) for word in words(part)} for passage in passages for part in sentences(passage)
    ]
    talks, negated = bool(known & PERSONAL), any(denies(word) for word in known)
    said = [(part, words(part)) for part in sentences(answer)]
    total = sum(len(each) for _, each in said)
    if not total:
        return (0.0,) * 6
    missing = max(
        sum(word not in COMMON and stem(word) not in roots for word in each) for _, each in said
    )
    stemmed = [[stem(word) for word in each] for _, each in said]
    best = sum(
        max((sum(map(part.__contains__, each)) for part in within), default=0) for each in stemmed
    )
    n = len(said)
    return (
        sum(word in known for _, each in said for word in each) / total,
        math.log1p(missing),
        best / total,
        sum(part.rstrip().endswith("?") for part, _ in said) / n,
        0.0 if talks else sum(not PERSONAL.isdisjoint(each) for _, each in said) / n,
        0.0 if negated else sum(any(denies(word) for word in each) for _, each in said) / n,
    )


def support(answer: str, passages: Sequence[str]) -> float:
    """How likely the model takes an answer to be supported by the passages, between 0 and 1.

    Its scale is that of BEGIN, where a third of the answers are; compare it with ``THRESHOLD``.
    """
    constant, *weights = WEIGHTS
    drive = constant + sum(
        weight * count for weight, count in zip(weights, counts(answer, passages), strict=True)
    )
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, drive))))


def supported(answer: str, passages: Sequence[str]) -> bool:
    """Whether an answer counts as supported."""
    return support(answer, passages) >= GROUNDEDNESS_THRESHOLD


# Whether the passages that were given hold what the right answer says.

THRESHOLD = 0.64
"""From this share on, passages count as sufficient; the best balanced accuracy on the one half."""

SENSITIVITY = (0.805, 0.920)
"""95% interval of the share of answerable questions it finds, on the other half."""

SPECIFICITY = (0.595, 0.965)
"""The same of questions with the nearest passages of other questions, which it leaves alone.

From the lower end for passages nearest to question and answer together, which no retriever could
look for, to the upper end for those nearest to the question.
"""

MEASURED_ON = "mtrag reference tasks, 2025; measured 2026-11-24"


def coverage(reference: str, passages: Sequence[str]) -> float | None:
    """The share of the reference's different content words that stand in the passages.

    Returns:
        Between 0 and 1; 0.0 without a passage; None for a reference without a content word.
    """
    wanted = {stem(word) for word in words(reference) if word not in COMMON}
    if not wanted:
        return None
    given = {each for passage in passages for each in stems(passage)}
    return len(wanted & given) / len(wanted)


def sufficient(reference: str, passages: Sequence[str]) -> bool | None:
    """Whether passages count as sufficient; None where the reference has no content word."""
    covered = coverage(reference, passages)
    return None if covered is None else covered >= THRESHOLD


# Gaps in knowledge: is the passage missing, or is the answer wrong although it is there?

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
        as_numbers(sufficient(references[row] or "", contexts[row] or ()) for row in rows),
        outcomes.right(outcomes.on_scale(outcomes.scores_of(batch)[rows])),
        picking_members(batch, rows),
        f"sufficient by the reference's words in the passages ({MEASURED_ON})",
        SENSITIVITY,
        SPECIFICITY,
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
    flags = [not supported(batch.output[row] or "", contexts[row] or ()) for row in rows]
    seen = share(np.array(flags, dtype=np.float64), picking_members(batch, rows))
    estimate = None
    if seen is not None:
        ends = true_share(seen, GROUNDEDNESS_SENSITIVITY, GROUNDEDNESS_SPECIFICITY)
        estimate = Estimate(*ends, seen.n, seen.clusters)
    lacks = "contexts" not in table.present
    return told(
        table,
        "unsupported_answer_share",
        estimate,
        factor="knowledge_gaps",
        unit="share of answers given with passages",
        method="a model over words, corrected by Rogan and Gladen for its errors on "
        + GROUNDEDNESS_MEASURED_ON,
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
