"""The candidates: three families that all come to a sum of log odds, fitted many at once.

Every fit takes weights of rows (fits × rows) and outcomes (fits × rows), so that all folds of a
validation are fitted together. Each gives coefficients over ``Data.design``: where it starts, what
an answer for tuning adds (never below zero), what one against adds (never above), what a goal adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from refit_data import Array, Data

ALL = 99
"""As many questions as there are."""


@dataclass(frozen=True)
class Candidate:
    """A family with its settings."""

    family: Literal["base", "logistic", "bayes", "scorecard"]
    questions: int = 0
    """The most questions, chosen by a score test among the rows it is fitted on."""
    shrink: float = 0.0
    """Precision of the normal prior on a question's log odds; for bayes cases added in thought."""
    goal_shrink: float | None = None
    """Precision of the prior that pulls every goal to the common start; None leaves goals out."""
    temper: float = 1.0
    """For bayes: share of each log odds that counts, because answers repeat each other."""

    @property
    def label(self) -> str:
        """What it is called in the record."""
        if self.family == "base":
            return "base rate"
        many = "all" if self.questions == ALL else str(self.questions)
        goal = "" if self.goal_shrink is None else f", goals {self.goal_shrink:g}"
        temper = f", temper {self.temper:g}" if self.family == "bayes" else ""
        return f"{self.family}, {many} questions, shrink {self.shrink:g}{goal}{temper}"


# From simple to rich: of two that do equally well the first is taken.
CANDIDATES: tuple[Candidate, ...] = (
    Candidate("base"),
    *(Candidate("scorecard", k, 1.0) for k in (2, 4, 6)),
    *(
        Candidate("bayes", k, m, temper=t)
        for k in (2, 4, ALL)
        for m in (8, 2)
        for t in (0.5, 1)
    ),
    *(Candidate("logistic", k, s) for k in (2, 4, ALL) for s in (10, 3, 1)),
    *(Candidate("logistic", k, s, 4.0) for k in (2, 4, ALL) for s in (10, 3, 1)),
)

QUICK: tuple[Candidate, ...] = (
    Candidate("base"),
    Candidate("scorecard", 2, 1.0),
    Candidate("bayes", 4, 8, temper=0.5),
    Candidate("logistic", 4, 3),
    Candidate("logistic", 4, 3, 4.0),
)
"""One of each, for tests."""


def sigmoid(z: Array) -> Array:
    """The logistic function."""
    return 1 / (1 + np.exp(-np.clip(z, -30, 30)))


def fit(candidate: Candidate, data: Data, weights: Array, won: Array) -> Array:
    """Coefficients (fits × columns of the design)."""
    coefs = np.zeros((len(weights), data.design.shape[1]))
    rate = (weights * won).sum(1) / np.maximum(weights.sum(1), 1e-9)
    rate = np.clip(rate, 0.02, 0.98)  # a fold of winners alone is no certainty
    coefs[:, 0] = np.log(rate / (1 - rate))
    if candidate.family == "base":
        return coefs
    chosen = screen(data.answers, weights, won, candidate.questions)
    if candidate.family == "bayes":
        return _bayes(candidate, data, weights, won, chosen, coefs)
    if candidate.family == "scorecard":
        return _scorecard(candidate, data, weights, won, chosen, coefs)
    return _logistic(candidate, data, weights, won, chosen)


def screen(answers: Array, weights: Array, won: Array, most: int) -> Array:
    """The questions that separate best (fits × questions, true where chosen).

    By the one-sided score test of a single question, on the rows of the fit alone. A question that
    points the wrong way there is never chosen.
    """
    total = weights.sum(1, keepdims=True)
    rate = (weights * won).sum(1, keepdims=True) / total
    gap = (weights * (won - rate)) @ answers
    spread = weights @ answers.astype(float) ** 2 - (weights @ answers) ** 2 / total
    score = gap / np.sqrt(np.maximum(spread * rate * (1 - rate), 1e-9))
    order = np.argsort(-score, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return (rank < most) & (score > 1e-9)


def _bayes(
    candidate: Candidate,
    data: Data,
    weights: Array,
    won: Array,
    chosen: Array,
    coefs: Array,
) -> Array:
    """Each answer's likelihood ratio with beta priors at the common share; unknown is passed over.

    A ratio that points the wrong way drops the question.
    """
    lean, against = (data.answers > 0).astype(float), (data.answers < 0).astype(float)
    up, down = (weights * won), (weights * (1 - won))
    pooled_for, pooled_against = weights @ lean, weights @ against
    share = (pooled_for + 1) / (pooled_for + pooled_against + 2)
    m = candidate.shrink

    def given(rows: Array) -> Array:
        return (rows @ lean + m * share) / (rows @ lean + rows @ against + m)

    win, lose = given(up), given(down)
    adds_for, adds_against = np.log(win / lose), np.log((1 - win) / (1 - lose))
    keep = chosen & (adds_for > 0) & (adds_against < 0)
    many = len(data.names)
    coefs[:, 1 : 1 + many] = candidate.temper * np.where(keep, adds_for, 0)
    coefs[:, 1 + many : 1 + 2 * many] = candidate.temper * np.where(
        keep, adds_against, 0
    )
    return coefs


def _scorecard(
    candidate: Candidate,
    data: Data,
    weights: Array,
    won: Array,
    chosen: Array,
    coefs: Array,
) -> Array:
    """Whole points from 0 to 2 a question, and one slope for their sum."""
    plain = _logistic(
        Candidate("logistic", ALL, candidate.shrink), data, weights, won, chosen
    )
    many = len(data.names)
    raw = plain[:, 1 : 1 + many]
    points = np.round(2 * raw / np.maximum(raw.max(1, keepdims=True), 1e-9))
    total = points @ data.answers.T
    terms = np.stack([np.ones_like(total), total], axis=1)
    ridge = np.broadcast_to(np.array([0.0, candidate.shrink]), (len(weights), 2))
    found = newton(terms, weights, won, ridge, np.array([False, True]))
    coefs[:, 0] = found[:, 0]
    coefs[:, 1 : 1 + many] = found[:, 1:] * points
    coefs[:, 1 + many : 1 + 2 * many] = -found[:, 1:] * points
    return coefs


def _logistic(
    candidate: Candidate, data: Data, weights: Array, won: Array, chosen: Array
) -> Array:
    """A normal prior on every log odds, none below zero; goals pulled to the common start."""
    fits, many = chosen.shape
    width = max(1, int(chosen.sum(1).max()))
    # the chosen columns first, so that few questions mean a small system
    picked = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    is_chosen = np.take_along_axis(chosen, picked, axis=1)
    answers = data.answers.T.astype(float)[picked] * is_chosen[:, :, None]
    parts = [np.ones((fits, 1, len(data.won))), answers]
    ridge = [np.zeros((fits, 1)), np.full((fits, width), candidate.shrink)]
    count = data.goals.shape[1] if candidate.goal_shrink is not None else 0
    if count:
        parts.append(np.broadcast_to(data.goals.T, (fits, count, len(data.won))))
        ridge.append(np.full((fits, count), candidate.goal_shrink))
    bounded = np.array([False] + [True] * width + [False] * count)
    found = newton(
        np.concatenate(parts, axis=1),
        weights,
        won,
        np.concatenate(ridge, axis=1),
        bounded,
    )
    coefs = np.zeros((fits, data.design.shape[1]))
    coefs[:, 0] = found[:, 0]
    slopes = np.zeros((fits, many))
    np.put_along_axis(slopes, picked, found[:, 1 : 1 + width] * is_chosen, axis=1)
    coefs[:, 1 : 1 + many], coefs[:, 1 + many : 1 + 2 * many] = slopes, -slopes
    if count:
        coefs[:, 1 + 2 * many :] = found[:, 1 + width :]
    return coefs


def newton(
    terms: Array,
    weights: Array,
    won: Array,
    ridge: Array,
    bounded: Array,
    steps: int = 40,
) -> Array:
    """Penalised logistic fits, some coefficients not below zero (Bertsekas 1982, projected Newton).

    Args:
        terms: (fits × coefficients × rows).
        weights: (fits × rows).
        won: (fits × rows), or one row for all.
        ridge: (fits × coefficients), precision of each prior.
        bounded: Which coefficients may not be below zero.
        steps: The most steps; it stops as soon as no coefficient moves.

    Returns:
        (fits × coefficients).
    """
    beta = np.zeros(ridge.shape)
    eye = np.eye(ridge.shape[1])
    for _ in range(steps):
        chance = sigmoid(np.einsum("bqr,bq->br", terms, beta))
        slope = np.einsum("bqr,br->bq", terms, weights * (chance - won)) + ridge * beta
        curve = (terms * (weights * chance * (1 - chance))[:, None]) @ terms.transpose(
            0, 2, 1
        )
        held = bounded & (beta <= 0) & (slope > 0)
        free = (~held).astype(float)
        system = (
            curve * free[:, :, None] * free[:, None, :]
            + (ridge + 1e-6)[:, :, None] * eye
        )
        step = np.linalg.solve(system, (slope * free)[:, :, None])[:, :, 0]
        moved = _descend(beta, step * free, terms, weights, won, ridge, bounded)
        done = np.abs(moved - beta).max() < 1e-7
        beta = moved
        if done:
            break
    return beta


def _descend(
    beta: Array,
    step: Array,
    terms: Array,
    weights: Array,
    won: Array,
    ridge: Array,
    bounded: Array,
) -> Array:
    """The longest of a few halved steps that does not make a fit worse; none where all would."""
    before = _objective(beta, terms, weights, won, ridge)
    result, waiting = beta.copy(), np.ones(len(beta), dtype=bool)
    for size in (1.0, 0.5, 0.25, 0.125, 0.03):
        tried = beta - size * step
        tried = np.where(bounded, np.maximum(tried, 0), tried)
        better = waiting & (
            _objective(tried, terms, weights, won, ridge) <= before + 1e-12
        )
        result[better] = tried[better]
        waiting &= ~better
        if not waiting.any():
            break
    return result


def _objective(
    beta: Array, terms: Array, weights: Array, won: Array, ridge: Array
) -> Array:
    z = np.einsum("bqr,bq->br", terms, beta)
    loss = np.logaddexp(0, z) - won * z
    return (weights * loss).sum(1) + 0.5 * (ridge * beta**2).sum(1)
