"""Gaps in knowledge: is the passage missing, or is the answer wrong although it is there?"""

from __future__ import annotations

import math
import operator
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
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import CERTAIN, share, share_given

LOOKED_AT = 1_000  #: Traces of the sample that the detector of sufficient passages reads at most.

CHECKED = 300
"""Traces of the sample that the slower detector of unsupported answers reads at most."""

LONGEST_CHECKED = 60
"""Words of an answer that it may judge: of longer ones it takes too many for unsupported (ours)."""

_FACTOR = "knowledge_gaps"
_ADD_ANSWERABLE = "label `answerable`: whether the passages hold the answer"
_ADD_CONTEXTS = f"log `contexts`, the passages given to the model, or {_ADD_ANSWERABLE}"
_ADD_REFERENCE = f"add `reference`, the right answer, or {_ADD_ANSWERABLE}"
_ADD_SCORE = "add `score` to the same traces: 1 where the answer was right, 0 where it was wrong"
_FEW_WORDS = f"references hold no English word to look for; {_ADD_ANSWERABLE}"


class KnowledgeSignal(TraceSignal):
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

    def rows(self, batch: Batch) -> Numbers:
        return {
            "knowledge_sufficient": as_numbers(batch.column("answerable")),
            "knowledge_score": scores_of(batch),
            "knowledge_case": case_numbers(batch),
        }

    def finish(self, table: TraceTable) -> Findings:
        sufficient = table.numbers["knowledge_sufficient"]
        if np.isfinite(sufficient).any():  # as people labelled
            passages = _Passages(
                sufficient,
                right(on_scale(table.numbers["knowledge_score"])),
                clusters(table, table.numbers["knowledge_case"]),
                "sufficient by the label `answerable`",
            )
        else:
            passages = _detected(table)
        cells = passages.cells()
        evidence = (_synthesis(table, passages, cells), _recall(table, passages, cells))
        states = ((True, True), (True, False), (False, True), (False, False))
        rows = ((*state, n) for state, n in zip(states, cells.values(), strict=False))
        picture = pictures("knowledge", "sufficient right n", rows)
        return Findings((*evidence, _unsupported(table)), picture)


class _Passages(NamedTuple):
    """Which answers had sufficient passages before them, and how that is known."""

    sufficient: Floats
    right: Floats
    clusters: Ints
    how: str
    sensitivity: Span = CERTAIN
    specificity: Span = CERTAIN
    sample: Extent = "all"
    lacking: str = ""

    def cells(self) -> dict[str, int]:
        """The four counts, as labelled or detected; {} where all are 0."""
        counts = {
            f"{passage}_{answer}": int(((self.sufficient == enough) & (self.right == good)).sum())
            for enough, passage in ((1, "sufficient"), (0, "insufficient"))
            for good, answer in ((1, "right"), (0, "wrong"))
        }
        return counts if any(counts.values()) else {}

    def errors(self) -> dict[str, Scalar]:
        """The detector's errors, for the report; {} for labels."""
        if self.sensitivity == CERTAIN:
            return {}
        names = ("sensitivity_low", "sensitivity_high", "specificity_low", "specificity_high")
        return dict(zip(names, (*self.sensitivity, *self.specificity), strict=True))

    @property
    def widened(self) -> str:
        return "" if self.sensitivity == CERTAIN else ", widened by the detector's errors"


def _detected(table: TraceTable) -> _Passages:
    """What the detector of sufficient passages says of a sample."""
    batch, lacking = table.sample, ""
    if "contexts" not in table.present:
        lacking = _ADD_CONTEXTS
    elif "reference" not in table.present:
        lacking = _ADD_REFERENCE
    contexts, references = batch.column("contexts"), batch.column("reference")
    rows = sampled_rows(
        batch, LOOKED_AT, lambda row: contexts[row] is not None and bool(references[row])
    )
    return _Passages(
        as_numbers(sufficient(references[row], contexts[row]) for row in rows),
        right(on_scale(scores_of(batch)[rows])),
        sampled_clusters(batch, rows),
        f"sufficient by the reference's words in the passages ({MEASURED_ON})",
        SENSITIVITY,
        SPECIFICITY,
        table.extent(len(rows)),
        lacking or _FEW_WORDS,
    )


def _recall(table: TraceTable, passages: _Passages, cells: dict[str, int]) -> Evidence:
    estimate = share(passages.sufficient, passages.clusters)
    details: dict[str, Scalar] = {**cells}
    if estimate is not None and passages.sensitivity != CERTAIN:
        details["seen_share"] = estimate.value
        estimate = corrected(estimate, passages.sensitivity, passages.specificity)
    return Measure(
        "retrieval_recall", "share of questions whose passages hold the answer", _FACTOR
    ).of(
        table,
        estimate,
        passages.lacking,
        method=f"{passages.how}; Wilson over cases or conversations{passages.widened}",
        sample=passages.sample,
        details=details | passages.errors(),
    )


def _synthesis(table: TraceTable, passages: _Passages, cells: dict[str, int]) -> Evidence:
    both = np.isfinite(passages.sufficient) & np.isfinite(passages.right)
    estimate, ask = None, _ADD_SCORE if len(passages.sufficient) else passages.lacking
    if both.any():
        estimate = share_given(
            1 - passages.right[both],
            passages.sufficient[both],
            passages.clusters[both],
            passages.sensitivity,
            passages.specificity,
        )
        if {"score", "label"} & table.present:
            ask = "no scored answer had sufficient passages: measure more, or fix retrieval"
    return Measure(
        "synthesis_failure_share", "share of answers with sufficient context", _FACTOR
    ).of(
        table,
        estimate,
        ask,
        method=f"wrong by `score` where {passages.how}; over cases or conversations"
        + passages.widened,
        sample=passages.sample,
        details={**cells, **passages.errors()} if cells else {},
    )


def _unsupported(table: TraceTable) -> Evidence:
    """The share of answers that their passages don't support."""
    batch = table.sample
    output, contexts = batch.column("output"), batch.column("contexts")
    said = [n for n, text in enumerate(output) if text and contexts[n] and not refuses(text)]
    short = {n for n in said if len(output[n].split()) <= LONGEST_CHECKED}
    rows = sampled_rows(batch, CHECKED, short.__contains__) if 2 * len(short) >= len(said) else []
    flags = [not supported(output[row], contexts[row]) for row in rows]
    seen = share(flags, sampled_clusters(batch, rows))
    errors = GROUNDEDNESS_SENSITIVITY, GROUNDEDNESS_SPECIFICITY
    return Measure("unsupported_answer_share", "share of answers given with passages", _FACTOR).of(
        table,
        None if seen is None else corrected(seen, *errors),
        "log `contexts`, the passages given to the model"
        if "contexts" not in table.present
        else f"let people judge some: the detector takes answers of {LONGEST_CHECKED} words at most"
        if said
        else "no answer in words was given with passages: measure more traces",
        method="a model over words, corrected by Rogan and Gladen for its errors on "
        + GROUNDEDNESS_MEASURED_ON,
        sample=table.extent(len(rows)),
        details={} if seen is None else {"seen_share": seen.value, "looked_at": seen.n},
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
_PERSONAL = "i me my mine we our us i'm i've i'd i'll im ive you your"

COMMON = frozenset(_COMMON.split())  #: Words that carry grammar rather than content.

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


def counts(answer: str, passages: Sequence[str]) -> tuple[float, ...]:
    """What the model looks at; zeros for an answer without a word.

    The share of words found in the passages; the logarithm of one more than the content words that
    the sentence with the most of them has and no passage; the share of words found in the passage
    sentence that fits each sentence best; and the shares of sentences that ask, that speak of me or
    you where no passage does, and that deny where no passage does.
    """
    known = {word for passage in passages for word in words(passage)}
    roots = {stem(word) for word in known}
    within = [{*stems(part)} for passage in passages for part in sentences(passage)]
    parts = sentences(answer)
    spoken = [words(part) for part in parts]
    total, n = sum(map(len, spoken)), len(spoken)
    if not total:
        return (0.0,) * 6
    missing = (
        sum(word not in COMMON and stem(word) not in roots for word in each) for each in spoken
    )
    stemmed = [[stem(word) for word in each] for each in spoken]
    best = sum(
        max((sum(map(part.__contains__, each)) for part in within), default=0) for each in stemmed
    )
    talks, negated = bool(known & PERSONAL), any(map(denies, known))
    return (
        sum(word in known for each in spoken for word in each) / total,
        math.log1p(max(missing)),
        best / total,
        sum(part.rstrip().endswith("?") for part in parts) / n,
        0.0 if talks else sum(not PERSONAL.isdisjoint(each) for each in spoken) / n,
        0.0 if negated else sum(any(map(denies, each)) for each in spoken) / n,
    )


def support(answer: str, passages: Sequence[str]) -> float:
    """How likely the model takes an answer to be supported by the passages, between 0 and 1.

    Its scale is that of BEGIN, where a third of the answers are; compare it with ``THRESHOLD``.
    """
    constant, *weights = WEIGHTS
    drive = constant + sum(map(operator.mul, weights, counts(answer, passages)))
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, drive))))


def supported(answer: str, passages: Sequence[str]) -> bool:
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
