"""The record of the procedure: every validation, as one mapping that is written beside the fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from backtest import trials_of
from published import Codes, PublishedCase
from refit_agreement import agreement
from refit_checks import Effort, curve, permutation, seeds
from refit_data import LEFT_OUT, LESSON_ASKS, SANE, Array, Data, arrays, digest, untied
from refit_nested import Chosen, nested
from refit_study import (
    Measured,
    base_rate,
    calibration,
    goal_alone,
    nearest_vote,
    predicted_again,
    recoded,
    scores,
)

from tuneworthy.framework.load import load_named
from tuneworthy.framework.rules import compile_rules

CODERS: tuple[Codes, Codes] = ("blind1", "blind2")
RULES = ("always", "never", "tree_recorded", "tree_granted", "score", "difference")
GUESSERS = ("base_rate", "base_rate_in_fold", "goal_alone", "nearest_cases")
MEASURES = ("accuracy", "brier", "log_loss")


def record(cases: Sequence[PublishedCase], effort: Effort, seed: int) -> dict[str, Any]:
    """Everything that was measured, in the order in which the page tells it."""
    data = arrays(cases)
    chance, chosen = nested(data, effort.settings, rng=np.random.default_rng(seed))
    table = _methods(cases, data, chance)
    return {
        "seed": seed,
        "draws": effort.draws,
        "digest": digest(cases),
        "cases": len(untied(cases)),
        "clusters": len(np.unique(data.cluster)),
        "won": int(data.won[data.coder == 0].sum()),
        "questions": {name: _sane(name) for name in SANE},
        "left_out": LEFT_OUT,
        "candidates": [candidate.label for candidate in effort.settings.candidates],
        "nested": {c: _against(data, table, k, effort, seed) for k, c in enumerate(CODERS)},
        "chosen": _chosen(data, chosen, effort),
        "calibration": {
            c: calibration(
                chance[data.coder == k], data.won[data.coder == k], data.cluster[data.coder == k],
                seed=seed, draws=effort.slopes,
            )
            for k, c in enumerate(CODERS)
        },
        "transfer": _transfer(data, effort, seed),
        "missing": _missing(data, chosen, effort, seed),
        "without": _without(cases, data, effort, seed),
        "seeds": seeds(data, effort, seed),
        "learning_curve": curve(data, effort, seed),
        "permutation": permutation(data, effort, seed),
        "coders": agreement(cases),
    }  # fmt: skip


def _sane(name: str) -> str:
    sign, why = SANE[name]
    return f"a yes speaks {'for' if sign > 0 else 'against'}: {why}"


def _methods(
    cases: Sequence[PublishedCase], data: Data, chance: Array
) -> dict[str, Array]:
    """Every method's scores, a value a row."""
    won = data.won
    columns = {
        **scores("fit", chance, won),
        **scores("base_rate", np.full(len(won), won.mean()), won),
        **scores("base_rate_in_fold", base_rate(data), won),
        **scores("goal_alone", goal_alone(data), won),
        **scores("nearest_cases", nearest_vote(data), won),
    }
    rules = compile_rules(load_named("lesson"))
    trials = [one for codes in CODERS for one in trials_of(untied(cases), rules, codes)]
    for rule in RULES:
        right = [float(one.says[rule] == one.won) for one in trials]
        columns[f"{rule}.accuracy"] = np.array(right)
    return columns


def _of_coder(data: Data, columns: dict[str, Array], coder: int) -> Measured:
    rows = data.coder == coder
    return Measured(
        {name: values[rows] for name, values in columns.items()},
        [str(name) for name in data.cluster[rows]],
    )


def _against(
    data: Data, columns: dict[str, Array], coder: int, effort: Effort, seed: int
) -> dict[str, Any]:
    """One coder: every method alone, and the fit's gain over each."""
    measured = _of_coder(data, columns, coder)
    alone = {
        f"{m}.{k}": (f"{m}.{k}", None) for m in ("fit", *GUESSERS) for k in MEASURES
    }
    alone |= {f"{rule}.accuracy": (f"{rule}.accuracy", None) for rule in RULES}
    gains: dict[str, tuple[str, str | None]] = {}
    for other in (*GUESSERS, *RULES):
        gains[f"gain.{other}.accuracy"] = ("fit.accuracy", f"{other}.accuracy")
        if other in GUESSERS:
            gains[f"gain.{other}.brier"] = (f"{other}.brier", "fit.brier")
            gains[f"gain.{other}.log_loss"] = (f"{other}.log_loss", "fit.log_loss")
    found = measured.intervals({**alone, **gains}, seed=seed, draws=effort.draws)
    nest: dict[str, Any] = {}
    for name, value in found.items():
        here = nest
        *path, last = name.split(".")
        for step in path:
            here = here.setdefault(step, {})
        here[last] = value
    cases = int((data.coder == coder).sum())
    return {**nest, "cases_needed": _needed(nest["gain"]["base_rate"]["brier"], cases)}


def _needed(gain: dict[str, float], cases: int) -> int | str:
    """Cases at which a gain of this size would just leave zero out; the width shrinks by the root.

    The interval's half width at n cases is about that of now times the root of (now / n).
    """
    if gain["value"] <= 0:
        return "none: the gain is not above zero"
    half = (gain["high"] - gain["low"]) / 2
    return int(np.ceil(cases * (half / gain["value"]) ** 2))


def _chosen(data: Data, chosen: Chosen, effort: Effort) -> dict[str, Any]:
    """In how many outer folds each candidate was chosen and each question used."""
    labels = Counter(effort.settings.candidates[k].label for k in chosen.index)
    many = len(data.names)
    used = (np.abs(chosen.coefs[:, 1 : 1 + many]) > 1e-6).sum(0)
    return {
        "folds": len(chosen.index),
        "candidates": dict(labels.most_common()),
        "questions": {
            name: int(count)
            for name, count in sorted(
                zip(data.names, used, strict=True), key=lambda one: (-one[1], one[0])
            )
            if count
        },
    }


def _short(
    data: Data, chance: Array, effort: Effort, seed: int, coder: int
) -> dict[str, Any]:
    """Accuracy, Brier score and the gain over the base rate, for one coder."""
    won = data.won
    columns = {
        **scores("fit", chance, won),
        **scores("base", np.full(len(won), won.mean()), won),
    }
    measured = _of_coder(data, columns, coder)
    pairs: dict[str, tuple[str, str | None]] = {
        "accuracy": ("fit.accuracy", None), "brier": ("fit.brier", None),
        "accuracy_gain": ("fit.accuracy", "base.accuracy"),
        "brier_gain": ("base.brier", "fit.brier"),
    }  # fmt: skip
    return measured.intervals(pairs, seed=seed, draws=effort.draws)


def _transfer(data: Data, effort: Effort, seed: int) -> dict[str, Any]:
    """Trained on one coder's answers, told from the other's; both without the case's cluster."""
    found = {}
    for trained, told in ((0, 1), (1, 0), (0, 0), (1, 1)):
        chance, _ = nested(
            data,
            effort.settings,
            rng=np.random.default_rng(seed),
            train=data.coder == trained,
        )
        name = f"{CODERS[trained]}_to_{CODERS[told]}"
        found[name] = _short(data, chance, effort, seed, told)
    return found


def _missing(data: Data, chosen: Chosen, effort: Effort, seed: int) -> dict[str, Any]:
    """What the chances were worth if unknown answers had been something all along.

    The fits stay as they are; only the answers they are asked about change.
    """
    found: dict[str, Any] = {}
    for way in ("no", "yes", "against", "for", "worst"):
        chance = predicted_again(data, chosen.coefs, recoded(data, way))
        found[way] = {
            c: _short(data, chance, effort, seed, k) for k, c in enumerate(CODERS)
        }
    told = (data.answers == 0).sum(1)
    found["unknown_answers_a_case"] = {
        c: {
            "where_tuning_won": round(
                float(told[(data.coder == k) & (data.won > 0.5)].mean()), 2
            ),
            "elsewhere": round(
                float(told[(data.coder == k) & (data.won < 0.5)].mean()), 2
            ),
        }
        for k, c in enumerate(CODERS)
    }
    return found


def _without(
    cases: Sequence[PublishedCase], data: Data, effort: Effort, seed: int
) -> dict[str, Any]:
    """The whole procedure again without something, or with the coder who knew the outcome.

    Without signs every question stands twice, once for each way it may speak, and the training part
    decides which.
    """
    found: dict[str, Any] = {}
    free = Data(
        **{
            **vars(data),
            "names": (*data.names, *(f"not {name}" for name in data.names)),
            "signs": np.concatenate([data.signs, -data.signs]),
            "answers": np.hstack([data.answers, -data.answers]),
        }
    )
    no_goals = Data(**{**vars(data), "goals": np.zeros_like(data.goals)})
    versions = {
        "signs": free,
        "goals": no_goals,
        "lesson_questions_alone": arrays(cases, CODERS, LESSON_ASKS),
    }
    for name, other in versions.items():
        chance, _ = nested(other, effort.settings, rng=np.random.default_rng(seed))
        found[name] = {
            c: _short(other, chance, effort, seed, k) for k, c in enumerate(CODERS)
        }
    knew = arrays(cases, ("value",), LESSON_ASKS)
    chance, _ = nested(knew, effort.settings, rng=np.random.default_rng(seed))
    found["lesson_questions_by_who_knew"] = _short(knew, chance, effort, seed, 0)
    return found
