"""Likely wrong labels, line by line, by a trained head that never saw the line.

A head is trained on four fifths of the lines and checks the other fifth (out of fold). Where it
clearly prefers another label, the line is marked. How clearly is measured: labels of this very set
are swapped on purpose, and it is counted how many swapped ones are marked, and how many marked ones
were swapped. The limit is chosen on one half of the lines and reported on the other. A wrong label
of the set itself counts as a false alarm there, so the reported precision is a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.lab.pool import FOLDS, logistic
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
# lines that a head learns from: more take longer and teach it little
_MOST_TAUGHT = 2_000
_MOST_ROUNDS = 5  # of swaps, for small sets
_WANTED_SWAPS = 100  # swapped labels, over all rounds
_CHARACTERS = 2_000  # of a question, from its end, that are embedded
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
    lacking = _lacking(answers)
    if lacking:
        return LabelCheck((), Unknown(ask=lacking), 0)
    labels, codes = np.unique(np.array(answers, dtype=object), return_inverse=True)
    vectors = embed([_question_text(example) for example in examples])
    # whole conversations stay in one fold, as their lines would give each other away
    groups = [int(digest_of("labels", example.cluster), 16) for example in examples]
    folds = np.array([group % FOLDS for group in groups])
    # the other digits of the same draw, so that each half has lines of every fold
    chosen_on = np.array([group // FOLDS % 2 == 0 for group in groups])
    limit, planted = _measure_swaps(vectors, codes, folds, chosen_on)
    if isinstance(planted, Unknown):
        return LabelCheck((), planted, len(examples))
    doubt, better = _doubts(vectors, codes, folds)
    likely = []
    for place in np.argsort(-doubt, kind="stable").tolist():
        if doubt[place] >= limit:
            label = str(labels[better[place]])
            likely.append(WrongLabel(place, label, float(np.exp(doubt[place]))))
    return LabelCheck(tuple(likely), planted, len(examples))


def _lacking(answers: Sequence[str]) -> str:
    """Why labels can't be checked; empty where they can."""
    labels = set(answers)
    if len(answers) < FEWEST_LINES:
        return f"give {FEWEST_LINES} examples or more"
    if len(labels) < 2:
        return "give examples of two labels or more"
    too_long = any(len(label) > LONGEST_LABEL for label in labels)
    if too_long or len(labels) * A_CLASS > len(answers):
        return (
            "nothing: its answers aren't labels, of which few are used again and again"
        )
    return ""


def _question_text(example: TrainingExample) -> str:
    """The end of what users and tools said before the answer."""
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
    """Return the doubt from which a line is marked, and how good marking is on the other half."""
    doubt, swapped, in_choosing_half = _doubts_of_swaps(
        vectors, codes, folds, chosen_on
    )
    limit = _best_limit(doubt[in_choosing_half], swapped[in_choosing_half])
    # no line of the other half had a part in the choice of the limit
    marked = doubt[~in_choosing_half] >= limit
    swapped = swapped[~in_choosing_half]
    return limit, _planted_swaps(limit, marked, swapped)


def _doubts_of_swaps(
    vectors: NDArray[np.float32],
    codes: Codes,
    folds: Codes,
    chosen_on: NDArray[np.bool_],
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Swap labels in several rounds, and return each line's doubt, swap and half, round by round.

    A round swaps about a tenth of the labels, so a small set needs more of them.
    """
    swaps_a_round = SWAPPED * len(codes)
    rounds = max(1, min(_MOST_ROUNDS, round(_WANTED_SWAPS / swaps_a_round)))
    doubts = []
    swaps = []
    for seed in range(rounds):
        swapped, labels = _swap(codes, np.random.default_rng(seed))
        doubt, _ = _doubts(vectors, labels, folds)
        doubts.append(doubt)
        swaps.append(swapped)
    return np.concatenate(doubts), np.concatenate(swaps), np.tile(chosen_on, rounds)


def _planted_swaps(
    limit: float, marked: NDArray[np.bool_], swapped: NDArray[np.bool_]
) -> PlantedSwaps | Unknown:
    """Count how many of the swapped labels are marked; unknown where that says too little."""
    named = int(marked.sum())
    right = int((marked & swapped).sum())
    if not np.isfinite(limit) or right < LEAST_SHARE * named:
        return Unknown(ask="nothing: a head can't tell the labels of this set apart")
    if swapped.sum() < ENOUGH_SWAPS or not right:
        return Unknown(ask="give more examples: too few swapped labels were seen")
    low, high = wilson(right, named)
    return PlantedSwaps(
        swapped=int(swapped.sum()),
        named=named,
        right=right,
        precision_low=low,
        precision_high=high,
    )


def _swap(codes: Codes, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Codes]:
    """Give a tenth of the lines the label of another line; return which changed, and all labels."""
    drawn = rng.random(len(codes)) < SWAPPED
    others = rng.permutation(codes)
    labels = np.where(drawn, others, codes)
    # the other line may have the same label
    return drawn & (labels != codes), labels


def _best_limit(doubt: Floats, swapped: NDArray[np.bool_]) -> float:
    """The doubt that marks the most lines at sufficient precision; infinite where none has it."""
    # for each number of marked lines, the most doubtful first: how many of them are swapped
    order = np.argsort(-doubt, kind="stable")
    right = np.cumsum(swapped[order])
    marked = np.arange(1, len(order) + 1)
    all_swapped = max(1, int(swapped.sum()))  # a half without any divides by one
    # rises and falls with the F-measure, (1 + beta²) · right / (marked + beta² · all)
    scores = right / (marked + RECALL_WEIGHT * all_swapped)
    is_precise = (right >= LEAST_SHARE * marked) & (doubt[order] > 0)
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
    chances = _chances_out_of_fold(vectors, codes, folds)
    every = np.arange(len(codes))
    own_chance = chances[every, codes].copy()
    chances[
        every, codes
    ] = -1.0  # below any other, so that the line's own label never wins
    better = chances.argmax(axis=1)
    doubt = np.log(chances[every, better] + _LITTLE) - np.log(own_chance + _LITTLE)
    return doubt, better


def _chances_out_of_fold(
    vectors: NDArray[np.float32], codes: Codes, folds: Codes
) -> Floats:
    """The chance of each label for each line, by a head that learned from the other folds.

    A row for each line, a column for each label. 0 for a label that no line of the other folds has.
    """
    chances = np.zeros((len(codes), int(codes.max()) + 1))
    for fold in range(FOLDS):
        asked = np.flatnonzero(folds == fold)
        taught = np.flatnonzero(folds != fold)
        if not len(asked) or not len(taught):
            continue
        every_nth = math.ceil(len(taught) / _MOST_TAUGHT)
        taught = taught[::every_nth]
        # the head knows only the labels that it learned from
        classes, own = np.unique(codes[taught], return_inverse=True)
        weights = logistic(vectors[taught], own)
        constant = np.ones((len(asked), 1), np.float32)  # for the head's intercept
        scores = np.hstack([vectors[asked], constant]) @ weights
        # softmax; the highest score is subtracted so that nothing overflows
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances[np.ix_(asked, classes)] = raised / raised.sum(axis=1, keepdims=True)
    return chances
