"""Likely wrong labels, line by line, by a trained head that never saw the line.

A head is trained on four fifths of the lines and checks the other fifth (out of fold). Where it
clearly prefers another label, the line is marked. How clearly is measured: labels of this very set
are swapped on purpose, and it is counted how many swapped ones are marked, and how many marked ones
were swapped. The limit is chosen on one half of the lines and reported on the other. A wrong label
of the set itself counts as a false alarm there, so the reported precision is a lower bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.lab.plan import FOLDS, logistic
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import digest_of
from tuneworthy.model.training import PlantedSwaps, TrainingExample
from tuneworthy.stats.intervals import wilson
from tuneworthy.text.embedding import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]
    Floats = NDArray[np.float64]

LONGEST_LABEL = 80  #: Characters of an answer that is a label.
FEWEST_LINES = 40
#: Lines for each label on average, below which a head learns nothing of it.
A_CLASS = 5
#: Share of labels that are swapped on purpose; real sets have up to as many.
SWAPPED = 0.1
LEAST_SHARE = 0.25
"""The lowest share of swapped labels among the marked ones for marking any. Wrong labels of the set
itself are marked too and lower the share: with a tenth of them wrong already, it was 0.25 to 0.6 in
real sets, where nine in ten of the marked ones were wrong (docs/evidence/accuracy.md)."""
#: Of recall against precision, as the square of beta in the F-measure.
RECALL_WEIGHT = 1.0
ENOUGH_SWAPS = 10  #: Swapped labels on which the naming is reported, at least.
_MOST_TAUGHT = 2_000
_MOST_ROUNDS = 5  # of swaps, for small sets
_WANTED_SWAPS = 100
_CHARACTERS = 2_000
_LITTLE = 1e-6  # so that no logarithm is of nought


class WrongLabel(NamedTuple):
    """A line whose label is likely wrong."""

    place: int  #: Among the examples that were looked at.
    better: str  #: The label that the head prefers.
    odds: float  #: How many times likelier it finds that one.


class LabelCheck(NamedTuple):
    """Labels that are likely wrong, by a head that wasn't trained on the line it checks."""

    likely_wrong: tuple[WrongLabel, ...]  #: The likeliest first.
    #: How good the naming is; unknown where nothing is named.
    planted: PlantedSwaps | Unknown
    looked_at: int  #: Lines with a label.


def check_labels(examples: Sequence[TrainingExample]) -> LabelCheck:
    """Find lines whose label is likely wrong; none where labels aren't few and short."""
    answers = [" ".join(example.answer.content.split()) for example in examples]
    if lacking := _lacking(answers):
        return LabelCheck((), Unknown(ask=lacking), 0)
    labels, codes = np.unique(np.array(answers, dtype=object), return_inverse=True)
    vectors = embed([_heard(example) for example in examples])
    groups = [int(digest_of("labels", example.cluster), 16) for example in examples]
    folds = np.array([group % FOLDS for group in groups])
    chosen_on = np.array([group // FOLDS % 2 == 0 for group in groups])
    cut, planted = _measure_swaps(vectors, codes, folds, chosen_on)
    if isinstance(planted, Unknown):
        return LabelCheck((), planted, len(examples))
    doubt, better = _doubts(vectors, codes, folds)
    order = np.argsort(-doubt, kind="stable")
    likely = [
        WrongLabel(place, str(labels[better[place]]), float(np.exp(doubt[place])))
        for place in order.tolist()
        if doubt[place] >= cut
    ]
    return LabelCheck(tuple(likely), planted, len(examples))


def _lacking(answers: Sequence[str]) -> str:
    """Why labels can't be checked; empty where they can."""
    labels = Counter(answers)
    if len(answers) < FEWEST_LINES:
        return f"give {FEWEST_LINES} examples or more"
    if len(labels) < 2:
        return "give examples of two labels or more"
    if max(map(len, labels)) > LONGEST_LABEL or len(labels) * A_CLASS > len(answers):
        return (
            "nothing: its answers aren't labels, of which few are used again and again"
        )
    return ""


def _heard(example: TrainingExample) -> str:
    turns = [
        turn.content for turn in example.messages[:-1] if turn.role in ("user", "tool")
    ]
    return "\n".join(turns)[-_CHARACTERS:]


def _measure_swaps(
    vectors: NDArray[np.float32],
    codes: Codes,
    folds: Codes,
    chosen_on: NDArray[np.bool_],
) -> tuple[float, PlantedSwaps | Unknown]:
    """The doubt from which a line is marked, and its quality on the other half."""
    rounds = max(1, min(_MOST_ROUNDS, round(_WANTED_SWAPS / (SWAPPED * len(codes)))))
    doubts = []
    swaps = []
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        swapped, labels = _swap(codes, rng)
        doubts.append(_doubts(vectors, labels, folds)[0])
        swaps.append(swapped)
    doubt = np.concatenate(doubts)
    swapped = np.concatenate(swaps)
    half = np.tile(chosen_on, rounds)
    cut = _best_cut(doubt[half], swapped[half])
    reported = swapped[~half]
    named = doubt[~half] >= cut
    right = int((named & reported).sum())
    if not np.isfinite(cut) or right < LEAST_SHARE * named.sum():
        return cut, Unknown(
            ask="nothing: a head can't tell the labels of this set apart"
        )
    if reported.sum() < ENOUGH_SWAPS or not right:
        return cut, Unknown(ask="give more examples: too few swapped labels were seen")
    low, high = wilson(right, int(named.sum()))
    return cut, PlantedSwaps(
        swapped=int(reported.sum()),
        named=int(named.sum()),
        right=right,
        precision_low=low,
        precision_high=high,
    )


def _swap(codes: Codes, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Codes]:
    """Which labels are swapped, and all labels after that: a swapped one is that of another line."""
    swapped = rng.random(len(codes)) < SWAPPED
    others = rng.permutation(codes)
    labels = np.where(swapped, others, codes)
    return swapped & (labels != codes), labels


def _best_cut(doubt: Floats, swapped: NDArray[np.bool_]) -> float:
    """The doubt that marks the most lines at sufficient precision; infinite where none has it."""
    # for each number of lines that are named, the most doubtful first: how many of them are swapped
    order = np.argsort(-doubt, kind="stable")
    right = np.cumsum(swapped[order])
    named = np.arange(1, len(order) + 1)
    all_swapped = max(1, int(swapped.sum()))
    # rises and falls with the F-measure, (1 + beta²) · right / (named + beta² · all)
    scores = right / (named + RECALL_WEIGHT * all_swapped)
    is_precise = (right >= LEAST_SHARE * named) & (doubt[order] > 0)
    if not is_precise.any():
        return np.inf
    best = int(np.argmax(np.where(is_precise, scores, -1.0)))
    return float(doubt[order][best])


def _doubts(
    vectors: NDArray[np.float32], codes: Codes, folds: Codes
) -> tuple[Floats, Codes]:
    """How much less likely each line's label is than the best other one, and that other one.

    It is a logarithm: above 0, the head prefers the other label.
    """
    chances = np.full((len(codes), int(codes.max()) + 1), 0.0)
    for fold in range(FOLDS):
        asked = np.flatnonzero(folds == fold)
        taught = np.flatnonzero(folds != fold)
        taught = taught[:: -(-len(taught) // _MOST_TAUGHT)]
        if not len(asked) or not len(taught):
            continue
        classes, own = np.unique(codes[taught], return_inverse=True)
        weights = logistic(vectors[taught], own)
        scores = (
            np.hstack([vectors[asked], np.ones((len(asked), 1), np.float32)]) @ weights
        )
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances[np.ix_(asked, classes)] = raised / raised.sum(axis=1, keepdims=True)
    every = np.arange(len(codes))
    own_chance = chances[every, codes].copy()
    chances[every, codes] = -1.0
    better = chances.argmax(axis=1)
    doubt = np.log(chances[every, better] + _LITTLE) - np.log(own_chance + _LITTLE)
    return doubt, better
