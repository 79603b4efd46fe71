"""The final fit as a framework file, and the text of both files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any

import numpy as np
import yaml
from published import PublishedCase
from refit_agreement import answers_of
from refit_checks import Effort
from refit_data import LESSON_ASKS, SANE, arrays, untied
from refit_models import Candidate, sigmoid
from refit_nested import choose, row_weights
from refit_questions import QUESTIONS
from refit_record import CODERS

from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.framework import GOALS
from tuneworthy.stats.intervals import independent_cases

COMMAND = "python evidence/published/refit.py"
MOST_OPEN = 0.5
WEAK = 1.0
"""Precision of the prior on a question where the family has no normal one."""
STRONG = math.log(3)
"""Three to one."""


def final(cases: Sequence[PublishedCase], effort: Effort, seed: int) -> dict[str, Any]:
    """The procedure on all cases: what it chooses, its numbers and their covariance.

    The covariance takes the chosen questions and settings as given.
    """
    data = arrays(cases)
    rng = np.random.default_rng(seed)
    weights = row_weights(data)[None]
    chosen = choose(data, weights, data.won[None], effort.settings, rng)
    candidate = effort.settings.candidates[int(chosen.index[0])]
    coefs = chosen.coefs[0]
    many = len(data.names)
    size = coefs[1 : 1 + many] - coefs[1 + many : 1 + 2 * many]
    used = [name for name, s in zip(data.names, size, strict=True) if s > 1e-3]
    answers = {}
    for name in sorted(used, key=lambda name: -size[data.names.index(name)]):
        k = data.names.index(name)
        sides = coefs[1 + k], coefs[1 + many + k]
        yes, no = sides if data.signs[k] > 0 else sides[::-1]
        answers[name] = {
            "yes": _round(yes),
            "no": _round(no),
            "source": answers_of(cases, name),
        }
    goals = {
        goal: _round(value)
        for goal, value in zip(GOALS, coefs[1 + 2 * many :], strict=True)
        if candidate.goal_shrink is not None
    }
    fitted = {
        "candidate": candidate.label,
        "intercept": _round(coefs[0]),
        "goals": goals,
        "answers": answers,
    }
    return {**fitted, "spread": _spread(cases, candidate, fitted) if answers else {}}


def _round(value: float) -> float:
    return round(float(value), 3) + 0.0


def _spread(
    cases: Sequence[PublishedCase], candidate: Candidate, fitted: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Covariance of the numbers, the lower half: Laplace's approximation at the fit.

    The normal prior's precision plus the curvature of the likelihood, the cases counted as the
    independent ones they are worth if those of one paper or company answer all alike (Kish 1965).
    """
    used = list(fitted["answers"])
    data = arrays(cases, CODERS, used)
    goals = data.goals if fitted["goals"] else data.goals[:, :0]
    terms = np.hstack([np.ones((len(data.won), 1)), data.answers * data.signs, goals])
    numbers = [fitted["intercept"]]
    numbers += [(adds["yes"] - adds["no"]) / 2 for adds in fitted["answers"].values()]
    numbers += list(fitted["goals"].values())
    chance = sigmoid(terms @ np.array(numbers))
    names = ["intercept", *used, *(f"goal:{goal}" for goal in fitted["goals"])]
    prior = [
        0.0,
        *[candidate.shrink if candidate.family == "logistic" else WEAK] * len(used),
    ]
    prior += [candidate.goal_shrink or 0.0] * len(fitted["goals"])
    groups = [case.group for case in untied(cases)]
    worth = independent_cases(groups) / len(groups)
    weights = worth * row_weights(data) * chance * (1 - chance)
    covariance = np.linalg.inv((terms.T * weights) @ terms + np.diag(prior))
    return {
        one: {
            other: round(float(covariance[i, j]), 4) + 0.0
            for j, other in enumerate(names[: i + 1])
        }
        for i, one in enumerate(names)
    }


def odds(
    record: Mapping[str, Any], fitted: Mapping[str, Any], dated: str
) -> dict[str, Any]:
    """What the fit comes to; it stands in the record, and nothing that ships reads it."""
    records = {}
    for codes in CODERS:
        found = record["nested"][codes]
        gain = found["gain"]["base_rate"]
        records[codes] = {
            "cases": record["cases"], "clusters": record["clusters"],
            "accuracy": found["fit"]["accuracy"], "brier": found["fit"]["brier"],
            "accuracy_gain": gain["accuracy"], "brier_gain": gain["brier"],
        }  # fmt: skip
    earned = bool(fitted["answers"]) and all(
        one["accuracy_gain"]["low"] > 0 and one["brier_gain"]["low"] > 0
        for one in records.values()
    )
    return {
        "dated": dated,
        "source": f"{record['cases']} published cases, both blind coders, by {COMMAND}: "
        f"{fitted['candidate']}",
        "fitted_on": {
            "cases": record["cases"], "clusters": record["clusters"], "won": record["won"],
            "codings": len(CODERS), "digest": record["digest"],
        },
        "intercept": fitted["intercept"],
        "goals": fitted["goals"],
        "answers": fitted["answers"],
        "spread": fitted["spread"],
        "most_open": MOST_OPEN,
        "earned": "yes" if earned else "no",
        "records": records,
    }  # fmt: skip


def framework_text(cases: Sequence[PublishedCase], section: Mapping[str, Any]) -> str:
    """The whole framework file."""
    lesson = yaml.load(catalogue_text("lesson.yaml"), yaml.BaseLoader)  # noqa: S506  # text alone
    answers = section["answers"]
    weights = {
        name: round(abs(adds["yes"] - adds["no"]), 2) for name, adds in answers.items()
    }
    parts = [_head(section)]
    for kind, sign in (("indicators", 1), ("anti_indicators", -1)):
        extra = [n for n in QUESTIONS if n in answers and SANE[n][0] == sign]
        parts.append(f"{kind}:\n")
        for name in (*lesson[kind], *extra):
            told = lesson[kind].get(name, QUESTIONS.get(name, {}))
            entry = {**told, "minutes": int(told["minutes"])}
            if weights:
                entry["weight"] = weights.get(name, 0)
            parts.append(f"  # {_provenance(cases, name, name in answers)}\n")
            parts.append(indent(_dump({name: entry}, flow=False), "  "))
    parts.append("\n" + _rules(section, weights))
    parts.append(
        "\n# What the weights come from: a backtest never judges them by these cases.\n"
    )
    parts.append(
        _dump({"fitted_on": {"dated": section["dated"], **section["fitted_on"]}})
    )
    return "".join(parts)


def _head(section: Mapping[str, Any]) -> str:
    return (
        "# A description of published cases, as a framework: the lesson's factors, and questions "
        "that told them apart.\n"
        "# It predicts nothing: its chance is withdrawn, how-often-is-it-right.md says why.\n"
        f"# Written whole by `{COMMAND}`; don't edit it by hand. A weight is the distance in log "
        "odds from no to yes,\n"
        "# after shrinking; 0 means that the fit found nothing in that answer. Beside it: tuning "
        "won / cases.\n"
        "name: precedent\n"
        "title: A description of published cases, withdrawn as a predictor\n"
        f"source: {section['fitted_on']['cases']} published cases from "
        f"{section['fitted_on']['clusters']} papers and companies, which it describes; on cases "
        "kept aside it was no better than the share of wins\n"
        f"dated: {section['dated']}\n"
        "extends: lesson\n\n"
    )


def _provenance(cases: Sequence[PublishedCase], name: str, used: bool) -> str:
    return ("weight from " if used else "no weight: ") + answers_of(cases, name)


def _rules(section: Mapping[str, Any], weights: Mapping[str, float]) -> str:
    """Tree and bands at even odds and at three to one, with every question answered.

    Where the base rate was chosen there is nothing to weigh by, and the lesson's rules stay.
    """
    if not weights:
        return "# The fit found nothing in any answer: weights and rules are the lesson's.\n"
    answers = section["answers"].values()
    limit = round(-(section["intercept"] + sum(adds["no"] for adds in answers)), 2)
    total = sum(weights.values())
    strong = round(limit + STRONG, 2)
    tree = [
        {"when": {"ceiling": "no"}, "outcome": "keep_optimizing_prompts"},
        {
            "when": {"indicator_weight": {"less_than": limit}},
            "outcome": "improve_rag_or_switch_model",
        },
        {
            "when": {"difference": {"less_than": limit}},
            "outcome": "address_anti_indicators",
        },
        {"outcome": "fine_tune_candidate"},
    ]
    scoring = {
        "weights": "counted",
        "denominator": "weight",
        "score": {
            "strong": {"at_least": round(strong / total, 4)},
            "moderate": {"at_least": round(limit / total, 4)},
        },
        "difference": {"strong": {"at_least": strong}, "moderate": {"at_least": limit}},
    }
    return (
        "# Moderate begins where the fit comes to even odds with every question answered and the "
        "goal unknown,\n# strong where it comes to three to one. A no counts through these ends: "
        "they lie where they do because\n# every question that isn't a yes is taken for a no.\n"
        + _dump({"scoring": scoring})
        + "\n# Too few reasons for, whatever speaks against; then enough of them, and too much "
        "against.\n" + _dump({"tree": tree})
    )


def _dump(data: Any, *, flow: bool | None = None) -> str:
    text: str = yaml.safe_dump(
        data, sort_keys=False, width=110, allow_unicode=True, default_flow_style=flow
    )
    return text


def record_text(record: Mapping[str, Any], dated: str) -> str:
    """The whole record file."""
    head = (
        f"# How the procedure behind precedent.yaml was tested. Written by `{COMMAND}`.\n"
        "# value, low, high: a mean with its 95% interval, whole papers and companies drawn anew\n"
        "# gain: the fit against another way, case by case; above zero where the fit is better.\n"
    )
    return head + _dump({"dated": dated, "command": COMMAND, **record})


assert set(LESSON_ASKS) | set(QUESTIONS) == set(SANE)  # every question has its words
