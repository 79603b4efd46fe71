"""No number of the lesson is decoration: change any of them and a dossier or the lint changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_reward import ABILITY, rated, tried_again

from tuneworthy import (
    Case,
    Dossier,
    Framework,
    FrameworkError,
    decide,
    load_case,
    load_framework,
)
from tuneworthy.framework.lint import check
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.evidence import Evidence
from tuneworthy.money import investment as money_investment
from tuneworthy.syntax.document import parse

GALLERY = Path(__file__).resolve().parents[2] / "examples"
AS_OF = date(2026, 11, 24)
NUMBER = re.compile(r"-?\d+(\.\d+)?")

Place = tuple[str | int, ...]


@cache
def lesson() -> Any:
    """The catalogue's lesson as plain data: every scalar is text, numbers too."""
    return parse(catalogue_text("lesson.yaml"), "lesson.yaml", FrameworkError).data


def scalars(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every scalar of a parsed file with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from scalars(inner, (*place, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from scalars(inner, (*place, position))
    elif value is not None:
        yield place, value


NUMBERS = {
    place: text
    for place, text in scalars(lesson())
    if NUMBER.fullmatch(text) and "privacy" not in place
}
"""Every number of the lesson, in quotes or not; a date is none. Privacy is kept or it isn't."""


def mutations(text: str) -> list[str]:
    """Other numbers of the same kind: a whole one stays whole."""
    number = float(text)
    if "." in text:
        others = [number / 2, number * 2, number + 0.1]
        return [f"{other:.4f}" for other in others]
    whole = int(text)
    return [
        str(other) for other in (whole * 2, whole // 2, whole + 1) if other != whole
    ]


def mutated(place: Place, text: str) -> Any:
    """The lesson with one scalar replaced."""
    data = deepcopy(lesson())
    here = data
    for step in place[:-1]:
        here = here[step]
    here[place[-1]] = text
    return data


READY: dict[str, Any] = {
    "ceiling": dict.fromkeys(lesson()["ceiling"], "yes"),
    "factors": dict.fromkeys(lesson()["indicators"], "yes"),
}
"""Nothing is left to prompt for, and everything speaks for tuning; nothing is said against it."""

OVERSTATED: dict[str, Any] = {"economics": {"traffic": {"requests_per_month": 14_000}}}

UNSEEN: tuple[dict[str, Any], ...] = (
    {"name": "No goal", **READY, "factors": {
        **READY["factors"], **dict.fromkeys(lesson()["anti_indicators"], "no"),
    }},
    {"name": "Too few pairs and documents", **READY, "factors": {
        **READY["factors"], **dict.fromkeys(lesson()["anti_indicators"], "no"),
    }, "goals": ["domain_expertise", "safety"], "data": {"documents": 9000, "preference_pairs": 50},
    },
    {"name": "Wiki", "goals": ["knowledge"], "data": {"documents": 900},
     "ceiling": {"retrieval_optimised": "no"}, "factors": {"success_with_prompts": "no"},
     "targets": {"quality": {"metric": "f1", "at_least": 0.9}},
     "today": {"quality": 0.6, "cases": 500, "latency_p95_s": 2, "usd_per_month": 500}},
    {"name": "Every kind", **READY, "goals": ["tool_calling", "safety", "domain_expertise",
                                              "persona"],
     "today": {"quality": 0.6, "cases": 500, "latency_p95_s": 2, "usd_per_month": 500}},
    {"name": "Labels", "goals": ["classification"], "data": {"examples": 300}},
    {"name": "Pairs", **READY, "factors": {
        **READY["factors"], **dict.fromkeys(lesson()["anti_indicators"], "no"),
    }, "goals": ["safety"], "data": {"preference_pairs": 50}},
    *(
        {"name": f"Tight, for {' and '.join(goals)}", "goals": list(goals),
         "ceiling": dict.fromkeys(lesson()["ceiling"], "no"),
         "signals": {"knowledge_gaps": "yes"},
         "data": {"examples": 5000, "documents": 200_000, "preference_pairs": 20_000},
         "today": {"quality": 0.80, "cases": 4000, "latency_p95_s": 2, "usd_per_month": 900},
         "economics": {"traffic": {"requests_per_month": 90_000, "batchable": batchable}},
         "targets": {"quality": {"at_least": wanted}, "latency_p95_s": seconds,
                     "usd_per_month": usd}}
        for goals, batchable, wanted, seconds, usd in (
            (("generation",), "no", 0.83, 3, 1500), (("extraction",), "yes", 0.79, 1000, 500),
            (("knowledge",), "no", 0.83, 3, 1500), (("safety",), "no", 0.83, 1, 500),
            (("domain_expertise",), "no", 0.83, 1, 500), (("generation",), "no", 0.75, 3, 500),
            (("classification",), "no", 0.83, 1, 500), (("generation",), "no", 0.83, 3, 2000),
        )
    ),
    {"name": "Few labels", "goals": ["classification"], "ceiling": READY["ceiling"],
     "data": {"examples": 700}, "today": {"quality": 0.80, "cases": 4000},
     "targets": {"quality": {"at_least": 0.86}}},
    {"name": "As good as today, and quicker", "goals": ["extraction"],
     "today": {"quality": 0.90, "cases": 4000, "latency_p95_s": 4},
     "targets": {"latency_p95_s": 2},
     "models": [{"id": "acme:now"}, {"id": "acme:quick", "quality": 0.885, "cases": 4000,
                                     "latency_p95_s": 1}]},
    *(
        {"name": f"Bill of {bill}", "goals": ["extraction"],
         "today": {"quality": 0.95, "cases": 4000, "usd_per_month": bill},
         "targets": {"quality": {"at_least": 0.9}, "usd_per_month": wanted},
         "models": [{"id": "acme:now", "usd_per_mtok": {"input": 1, "output": 1}}],
         "economics": {"traffic": {"requests_per_month": calls, "input_tokens": 1000,
                                   "output_tokens": 0}}}
        for bill, wanted, calls in ((4.5, 5, 13_000), (30, 40, 100_000))
    ),
    {"name": "Documents to collect", "goals": ["domain_expertise"], "ceiling": READY["ceiling"],
     "factors": dict.fromkeys(lesson()["anti_indicators"], "no"),
     "data": {"documents": 9000},
     "today": {"quality": 0.7, "cases": 4000, "latency_p95_s": 4, "usd_per_month": 900},
     "economics": {"hourly_rate_usd": 80, "traffic": {"requests_per_month": 90_000}},
     "targets": {"quality": {"at_least": 0.72}, "latency_p95_s": 1, "usd_per_month": 300}},
    {"name": "Too little of everything", **READY, "factors": {
        **READY["factors"], "insufficient_data": "yes", "low_volume": "yes",
    }},
    *(
        {"name": f"{' and '.join(goals)} from {today} to {wanted}", "goals": list(goals),
         "ceiling": READY["ceiling"], "factors": {"domain_knowledge": "no", "brand_voice": "no"},
         "data": {"examples": 10, "documents": 200_000, "preference_pairs": 20_000},
         "today": {"quality": today, "cases": 4000, "usd_per_month": 900},
         "economics": {"traffic": {"requests_per_month": 90_000}},
         "targets": {"quality": {"at_least": wanted}, "usd_per_month": 300}}
        for goals in (("knowledge", "safety"), ("persona",), ("format",), ("tool_calling",),
                      ("generation",), ("safety",))
        for today, wanted in ((0.80, 0.81), (0.80, 0.86))
    ),
)  # fmt: skip


RARE = (
    ("plan", "per_hour", "documents"),
    ("plan", "steps", "other_service"),
    ("thresholds", "bill_disputed"),
    ("options", "decomposition"),
    ("options", "smaller_model"),
    ("options", "distillation"),
    ("options", "reasoning_effort"),
    ("options", "plain_classifier"),
    ("options", "tools_and_checks", "errors_where", "selection"),
    ("options", "self_hosted_untuned"),
    ("options", "private_endpoint", "moves"),
    ("options", "human_review", "moves"),
    ("options", "thumb_tuning", "errors"),
)
"""Numbers that take effect in a situation that none of these cases has for all of them."""


def measured() -> list[dict[str, Evidence]]:
    """Something measured a little above every limit; no two of a set bear on the same answer."""
    sets: list[dict[str, Evidence]] = []
    taken: list[set[str]] = []
    for name, rule in lesson()["measures"].items():
        limit = float(rule["limit"])
        ends = {"low": 1.1 * limit, "value": 1.2 * limit, "high": 1.3 * limit}
        place = next(
            (k for k, each in enumerate(taken) if rule["about"] not in each), len(sets)
        )
        if place == len(sets):
            sets.append({})
            taken.append(set())
        taken[place].add(rule["about"])
        sets[place][name] = Evidence(
            id=name, unit=rule["unit"], observed_on=AS_OF, **ends
        )
    return sets


def aged() -> dict[str, Evidence]:
    """A volume measured seven months ago that misses the stated one by two fifths of itself."""
    ends = {"low": 9_900, "value": 10_000, "high": 10_000}
    old = date(2026, 4, 20)
    return {
        "requests_per_month": Evidence(
            id="requests_per_month", unit="requests a month", observed_on=old, **ends
        )
    }


FACTS = ABILITY | {
    "goals": ["knowledge"],
    "today": {"quality": 0.78, "cases": 800},
    "factors": {"domain_knowledge": "yes"},
}
FORM = ABILITY | {"goals": ["format"]}
SLOW = ABILITY | {
    "goals": ["format"],
    "targets": {"latency_p95_s": 8, "usd_per_month": 6000},
    "today": {"quality": 0.7, "cases": 800, "latency_p95_s": 12, "usd_per_month": 9000},
}


def asked_again_and_rated() -> list[dict[str, Evidence]]:
    """What reinforcement tuning and tuning on thumbs need, a little above what each takes."""
    people: dict[str, Any] = {"judge": "m", "kappa": 0.61, "kappa_high": 0.65}
    every = [tried_again(), tried_again(**people), rated(n=800)]
    return [{each.id: each} for each in every]


@cache
def cases() -> tuple[Case, ...]:
    """Gallery cases that the lesson judges, and what none of them shows."""
    found = [load_case(path) for path in sorted(GALLERY.glob("*/case.yaml"))]
    return (
        *(case for case in found if case.framework is None),
        *map(load_case, UNSEEN),
    )


@cache
def judged() -> list[tuple[Case, dict[str, Evidence] | None]]:
    """Every case with what was measured, the ones that noticed a number last before the others."""
    pairs: list[tuple[Case, dict[str, Evidence] | None]] = [
        (case, None) for case in cases()
    ]
    ready = load_case({"name": "Measured", **READY, "data": {"voice": "voice"}})
    pairs += [(ready, evidence) for evidence in measured()]
    pairs.append((load_case({"name": "Aged", **OVERSTATED}), aged()))
    for learnt in (ABILITY, FACTS, FORM, SLOW):
        case = load_case(learnt)
        pairs += [(case, each) for each in asked_again_and_rated()]
    denied = {"name": "Denied", "factors": dict.fromkeys(lesson()["indicators"], "no")}
    pairs += [(load_case(denied), evidence) for evidence in measured()]
    return pairs


DRAWN = money_investment.RememberedDraws()


AT_ONCE = (
    "ceiling",
    "signals",
    "counts",
    "rules",
    "distribution",
    "bounds",
    "targets",
    "next_questions",
    "challenges",
    "approaches",
    "ways",
    "recommendation",
    "ask",
    "investment",
    "plan",
)
"""Fields of a dossier that don't wait for their reader: the others cost three times as much."""


def dossier(
    framework: Framework, case: Case, evidence: dict[str, Evidence] | None
) -> Dossier:
    """What the framework makes of a case."""
    return decide(case, framework, as_of=AS_OF, evidence=evidence, draw=DRAWN)


def at_once(made: Dossier) -> list[Any]:
    """The fields that are there without judging again."""
    return [getattr(made, field) for field in AT_ONCE]


def whole(made: Dossier) -> str:
    """All of a dossier, but for its own digest."""
    data = made.to_dict()
    del data["framework"], data["evidence"]  # where a limit is shown, whatever it does
    return json.dumps(data)


def linted(data: Any) -> str:
    """What the linter says, but for the digest."""
    return check(load_framework(data)).model_dump_json(exclude={"framework"})


class Before(NamedTuple):
    """What comes of the lesson as it is; dossiers by the identity of their case and evidence."""

    at_once: dict[int, list[Any]]
    whole: dict[int, str]
    lint: str


@cache
def before() -> Before:
    """What comes of the lesson as it is."""
    framework = load_framework(lesson())
    made = {id(pair): dossier(framework, *pair) for pair in judged()}
    return Before(
        at_once={place: at_once(each) for place, each in made.items()},
        whole={place: whole(each) for place, each in made.items()},
        lint=linted(lesson()),
    )


def judge_first(place: int) -> None:
    """Judge this case first from now on: a number beside it may be noticed here too."""
    judged().insert(0, judged().pop(place))


def noticed_by(data: Any) -> str | None:
    """Who notices that the lesson has become this: the loader, a dossier, the linter, or nobody.

    Who is cheap to ask is asked first.
    """
    then = before()
    made = list[Dossier]()
    try:
        framework = load_framework(data)
        for place, pair in enumerate(judged()):
            made.append(dossier(framework, *pair))
            if at_once(made[place]) != then.at_once[id(pair)]:
                judge_first(place)
                return "dossier"
        if linted(data) != then.lint:
            return "lint"
        for place, pair in enumerate(judged()):
            if whole(made[place]) != then.whole[id(pair)]:
                judge_first(place)
                return "dossier"
    except FrameworkError:
        return "loader"
    return None


def test_numbers_are_found_wherever_they_stand() -> None:
    assert ("scoring", "denominator") in NUMBERS
    assert ("tree", 1, "when", "indicators", "at_most") in NUMBERS
    assert ("worked_example", "break_even_months") in NUMBERS
    assert ("models", "dated") not in NUMBERS
    assert len(NUMBERS) > 60
    assert dict(scalars({"a": [{"b": "1"}, "x"], "c": None})) == {
        ("a", 0, "b"): "1",
        ("a", 1): "x",
    }


def test_a_mutation_is_another_number() -> None:
    for text in NUMBERS.values():
        others = [float(other) for other in mutations(text)]
        assert others
        assert float(text) not in others


@pytest.mark.slow
@pytest.mark.parametrize("section", dict.fromkeys(place[0] for place in NUMBERS))
def test_every_number_of_the_lesson_matters(section: str) -> None:
    unnoticed = []
    for place, text in NUMBERS.items():
        if place[0] != section or any(place[: len(rare)] == rare for rare in RARE):
            continue
        found = set[str | None]()
        for other in mutations(text):
            found.add(noticed_by(mutated(place, other)))
            if found & {"dossier", "lint"}:
                break  # the first that is noticed will do
        # another may stand there
        if not found & {"dossier", "lint"} and found != {"loader"}:
            unnoticed.append(place)
    assert unnoticed == []


@pytest.mark.slow
def test_a_word_that_no_rule_reads_is_not_noticed() -> None:
    """The test above can fail: a change of wording alone leaves dossiers and lint as they were."""
    assert (
        noticed_by(mutated(("signals", "latency", "example"), "Another example."))
        is None
    )
    assert noticed_by(lesson()) is None
