"""Laws of the table of ways, the criterion and the order, over cases of every kind.

A quick run holds each law against a part of the cases, another part for each law. With
``TUNEWORTHY_EXAMPLES=thorough`` every law is held against every case, but that one which judges a
case many times takes a part of the random ones; with ``search`` it takes them all.
"""

from __future__ import annotations

import contextlib
import re
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from tuneworthy.model.base import Unknown
from tuneworthy.model.ways import LabArm
from ways_world import (
    LESSON,
    STATED_AS,
    TUNINGS,
    Broken,
    Mapped,
    World,
    arm,
    as_it_is,
    at,
    cases,
    changed,
    changed_all,
    expert,
    first_step,
    gallery,
    goes_further,
    judged,
    made_up,
    most,
    number_of,
    spread,
    steps,
    told,
    tried_in_vain,
    way_of_first,
    ways,
    with_model,
    with_today,
    worlds_of,
)

EVERYWHERE = pytest.mark.parametrize("source", ["gallery", "expert", "random"])

SIMPLER = tuple(
    name
    for name, option in LESSON.options.items()
    if option.kind != "tuning" and name != "keep_prompt"
)
"""What could be tried before anything is tuned."""

WORTH: Mapped = {
    "name": "Orders from mails",
    "goals": ["extraction"],
    "ceiling": {
        "prompt_variations": 8,
        "foundation_models": 3,
        "retrieval_optimised": "yes",
        "few_shot": "yes",
        "structured_prompt": "yes",
    },
    "signals": {"terminology_errors": "yes", "knowledge_gaps": "no", "latency": "no"},
    "factors": {
        **dict.fromkeys(LESSON.indicators, "no"),
        **dict.fromkeys(LESSON.anti_indicators, "no"),
        "consistent_behavior": "yes",
        "domain_knowledge": "yes",
    },
    "attempts": [{"name": "half a year of prompting", "tried": list(SIMPLER)}],
    "targets": {"quality": {"metric": "f1", "at_least": 0.92}},
    "today": {
        "quality": 0.85,
        "cases": 2000,
        "latency_p95_s": 1.0,
        "api": "third_party",
    },
    "economics": {
        "hourly_rate_usd": 100,
        "upfront": {"hours": 80, "usd": 500},
        "monthly": {"quality_value_usd": 20_000, "ongoing_usd": 2000},
        "traffic": {
            "requests_per_month": 200_000,
            "input_tokens": 1500,
            "output_tokens": 200,
        },
    },
    "workload": "steady",
    "strategic_value": "high",
    "data": {"examples": {"count": 15_000, "usable": 12_000}},
    "models": [
        {
            "id": "acme:large",
            "usd_per_mtok": {"input": 2.5, "output": 10},
            "runs": "third_party",
        }
    ],
    "tuning": {
        "service": "self_hosted",
        "available": "yes",
        "pilot": "yes",
        "model_switch": "no",
    },
    "safety": {"data_reviewed": "yes", "process_named": "yes"},
}
"""A case that is worth a pilot; each change below makes another of it."""

DEAR: dict[str, Any] = {
    "targets.usd_per_month": 300,
    "targets.quality": {"metric": "f1", "at_least": 0.84},
    "today.cases": 20_000,
    "signals.terminology_errors": "no",
    "economics.monthly": {"ongoing_usd": 100},
    "factors.cost_optimization": "yes",
}
"""The same, where quality is met and the bill is too high."""


def made(name: str, changes: dict[str, Any] | None = None) -> World:
    """The case above with changes, by their dotted paths."""
    return World(name, changed_all(WORTH, changes or {}))


def alone(world: World) -> World:
    """A case without its folder: what was measured there doesn't speak for what is made of it."""
    return world._replace(origin=None)


PROMPT = arm("best prompt", "prompted", 0.86, model="acme:large")
IMPROVED = (arm("tuned", "tuned", 0.96), PROMPT)
NO_GAIN = (arm("tuned", "tuned", 0.86), PROMPT)
"""What a comparison of a tuned model with the best untuned way leaves beside a case."""


def missed(dossier: Any) -> list[str]:
    """Targets that the present way misses."""
    return [
        name for name, target in dossier.targets.items() if target.state == "missed"
    ]


@cache
def pool() -> tuple[tuple[World, Any], ...]:
    """Cases of all kinds with their dossiers; the expert ones where they are on this machine."""
    found = [(world, as_it_is(world, "gallery")) for world in gallery()]
    with contextlib.suppress(pytest.skip.Exception):
        found += [(world, as_it_is(world, "expert")) for world in expert()]
    found += [(world, as_it_is(world, "random")) for world in spread(made_up(), 60)]
    return tuple(found)


def enough(source: str) -> int:
    """In how many cases a law has to be held in a quick run; the gallery is small."""
    return 0 if source == "gallery" else 1


# The nine rules, and the default where no target is stated ----------------------------------------

FIRES: dict[str, tuple[dict[str, Any], str, frozenset[str]]] = {
    "met": ({"today.quality": 0.97}, "no", frozenset({"keep_prompt"})),
    "refused": (
        {"workload": "one_off", "economics.monthly": None, "strategic_value": "low"},
        "no",
        frozenset({"keep_prompt", "clear_reasons_against", *SIMPLER}),
    ),
    "undecided": (
        {"today.quality": 0.92, "today.cases": 46},
        "open",
        frozenset({"measure", "label", "settle"}),
    ),
    "moving": (
        {"factors.exploration_phase": "yes"},
        "not_yet",
        frozenset({"clear_reasons_against", *SIMPLER}),
    ),
    "simpler": (
        {"attempts": [], "ceiling.few_shot": "no", "ceiling.prompt_variations": 1},
        "not_yet",
        frozenset(SIMPLER),
    ),
    "worth_a_pilot": ({}, "pilot", frozenset(TUNINGS)),
    "short_of_data": (
        {"data.examples": {"count": 20, "usable": 20}},
        "not_yet",
        frozenset({"collect_data"}),
    ),
    "nothing_left": (
        {"targets.quality.at_least": 0.999, "today.quality": 0.4},
        "not_yet",
        frozenset({"relax_target", *SIMPLER}),
    ),
    "no_target": (
        {
            "targets": None,
            "factors.brand_voice": "yes",
            "factors.latency_requirements": "yes",
        },
        "pilot",  # by the count: four reasons and none against
        frozenset({"target"}),
    ),
}
"""Rule: what makes a case of it, the answer, and what may come first."""


@pytest.mark.parametrize("rule", FIRES)
def test_each_rule_has_a_case_that_fires_it(rule: str) -> None:
    changes, answer, firsts = FIRES[rule]
    found = judged(made(rule, changes))
    assert (found.verdict.rule, found.verdict.answer) == (rule, answer), told(found)
    assert first_step(found) in firsts, told(found)


@pytest.mark.parametrize(
    ("arms", "answer", "first"),
    [
        (IMPROVED, "yes", {"roll_out"}),
        (NO_GAIN, "no", {"keep_prompt", *SIMPLER, "relax_target"}),
    ],
    ids=["improved", "no gain"],
)
def test_a_comparison_on_untouched_cases_ends_the_case(
    arms: tuple[LabArm, ...], answer: str, first: set[str]
) -> None:
    found = judged(made("proven"), arms=arms)
    assert (found.verdict.rule, found.verdict.answer) == ("proven", answer), told(found)
    assert first_step(found) in first, told(found)
    assert not {step.option for step in steps(found)} & TUNINGS  # never another pilot


# What was measured, or stated with cases, ends the case -------------------------------------------


def rival_of(world: World, dossier: Any) -> Mapped | None:
    """A model that is better than today in everything; None where no model can be shown to be."""
    limits = dict(dossier.targets.items())
    requests = at(world.case, "economics.traffic.requests_per_month")
    tokens = at(world.case, "economics.traffic.input_tokens")
    if "cost" in limits and (requests is None or tokens is None):
        return None  # nobody knows what it costs
    wanted = most(at(world.case, "today.quality")) or 0.0
    if "quality" in limits:
        wanted = max(wanted, number_of(limits["quality"].limit) or 0.0)
    if wanted >= 0.999:
        return None  # no count shows that much
    return {
        "id": "acme:rival",
        "runs": "own",
        "quality": 1 - (1 - wanted) / 4,
        "cases": 100_000,
        "latency_p95_s": 0.001,
        "usd_per_mtok": {"input": 0.0001, "output": 0.0001},
    }


@EVERYWHERE
def test_an_untuned_model_that_meets_every_target_ends_the_case(source: str) -> None:
    law = Broken("a rival that meets every target is the answer, and the first step")
    for world in worlds_of(source, "rival"):
        before = as_it_is(world, source)
        rival = rival_of(world, before)
        # which no rival shows to be enough alone
        stated = {*missed(before)} - {"privacy"}
        if rival is None or not stated or before.verdict.rule in ("met", "proven"):
            continue
        after = judged(world, with_model(world.case, rival))
        way = way_of_first(after)
        ends = (after.verdict.answer, after.verdict.rule) == ("no", "met")
        goes_there = way is not None and way.model == rival["id"]
        law.look(ends and goes_there, world, told(after), f"before {told(before)}")
    law.judge(at_least=enough(source))


@EVERYWHERE
def test_a_model_without_cases_ends_nothing(source: str) -> None:
    law = Broken("a rival whose quality rests on no cases is no proof")
    for world in worlds_of(source, "no cases", thin=2):
        before = as_it_is(world, source)
        rival = rival_of(world, before)
        asked = before.targets.get("quality")
        if (
            asked is None
            or isinstance(asked.limit, Unknown)
            or before.verdict.rule == "met"
        ):
            continue
        if rival is None:
            continue
        after = judged(world, with_model(world.case, changed(rival, "cases", None)))
        way = way_of_first(after)
        named = way is not None and way.model == rival["id"]
        law.look(not (after.verdict.rule == "met" and named), world, told(after))
    law.judge(at_least=enough(source))


def test_what_a_lab_measured_of_a_listed_model_ends_the_case() -> None:
    models = [
        *WORTH["models"],
        {"id": "acme:small", "usd_per_mtok": {"input": 0.1, "output": 0.4}},
    ]
    small = arm(
        "small", "prompted", 0.98, lab="ceiling", model="acme:small", usd=0.0002
    )
    found = judged(made("measured", {"models": models}), arms=[PROMPT, small])
    assert (found.verdict.answer, found.verdict.rule) == ("no", "met"), told(found)
    way = way_of_first(found)
    assert way is not None
    assert way.model == "acme:small"
    assert way.state == "measured"
    assert set(way.admissible.values()) == {"met"}
    assert "ceiling" not in found.verdict.headline.lower()  # K26: it isn't reached


@EVERYWHERE
def test_every_target_met_today_keeps_the_prompt(source: str) -> None:
    law = Broken("with every target met, and cheaper than all others, what runs stays")
    for world in worlds_of(source, "met today", thin=2):
        stated = at(world.case, "targets") or {}
        if (
            not {"quality"} <= set(stated)
            or as_it_is(world, source).verdict.rule == "proven"
        ):
            continue
        changes: dict[str, Any] = {
            "today.quality": 1.0,
            "today.cases": 100_000,
            "today.latency_p95_s": 0.001,
            "today.usd_per_month": 0.01,
            "today.api": "own",
            "models": [],
        }
        after = judged(alone(world), changed_all(world.case, changes))
        ends = (after.verdict.answer, first_step(after)) == ("no", "keep_prompt")
        law.look(ends, world, told(after))
    law.judge(at_least=enough(source))


# Steps -------------------------------------------------------------------------------------------

NOT_TRIED = frozenset(
    {
        "measure",
        "label",
        "settle",
        "target",
        "collect_data",
        "clear_reasons_against",
        "relax_target",
        "keep_prompt",
        "roll_out",
        "",
    }
)
"""Steps that aren't tried in vain: they ask for something, or end the case."""


def follow(world: World, source: str) -> tuple[list[str], Any, str]:
    """The first steps, each tried in vain before the next; the last dossier; what went wrong."""
    case = world.case
    found = as_it_is(world, source)
    went: list[str] = []
    while first_step(found) not in NOT_TRIED and found.verdict.rule not in (
        "met",
        "nothing_left",
    ):
        option = first_step(found)
        way = way_of_first(found)
        model = way.model if way is not None and way.kind == "model" else ""
        name = f"{option} {model}".strip()
        if name in went:
            return went, found, f"{name} comes again"
        if len(went) > 40:
            return went, found, "it never ends"
        went.append(name)
        case = tried_in_vain(case, option, model)
        found = judged(world, case)
    return went, found, ""


@EVERYWHERE
def test_a_step_tried_in_vain_is_followed_by_another_or_by_nothing_left(
    source: str,
) -> None:
    law = Broken("a step tried in vain doesn't come again, until nothing is left")
    for world in worlds_of(source, "in vain", thin=2):
        went, end, wrong = follow(world, source)
        law.look(not wrong, world, wrong, " > ".join(went), told(end))
        silent = first_step(end) == "" and end.verdict.rule != "nothing_left"
        law.look(not silent, world, "ends without a step", " > ".join(went), told(end))
    law.judge(at_least=enough(source))


SENDS = frozenset(
    {
        "few_shot",
        "retrieved_examples",
        "prompt_optimisation",
        "decision_model",
        "reasoning_effort",
        "decomposition",
        "batching",
        "caching",
    }
)
"""Steps that send more to whoever runs the model today, or let it keep more.

Work on the index, on the form of the answer and in code of one's own sends nothing new.
"""


def stays_inside(case: Mapped, found: Any) -> bool:
    """Whether the first step sends nothing out."""
    option = first_step(found)
    if option == "keep_prompt":
        return str(found.verdict.rule) in ("refused", "met")
    if option in TUNINGS:
        return bool(at(case, "tuning.service") != "hosted")
    way = way_of_first(found)
    if way is not None and way.kind == "model":
        named = [model for model in case["models"] if model["id"] == way.model]
        return all(m.get("runs") == "own" or "serving" in m for m in named)
    return option not in SENDS | {"other_model", "smaller_model"}


def sent_out(case: Mapped) -> Mapped:
    """The case with data that may not leave, and a provider that sees them."""
    case = changed_all(
        case, {"factors.data_sovereignty": "yes", "today.api": "third_party"}
    )
    models: list[Mapped] = []
    for model in case.get("models", ()):
        prompted = model.get("kind", "prompted") == "prompted"
        now = prompted and not any(
            m.get("kind", "prompted") == "prompted" for m in models
        )
        outside = {name: value for name, value in model.items() if name != "serving"}
        models.append({**outside, "runs": "third_party"} if now else model)
    return {**case, "models": models}


@EVERYWHERE
def test_no_first_step_sends_out_what_may_not_leave(source: str) -> None:
    law = Broken("with privacy missed, the first step sends nothing out")
    for world in worlds_of(source, "privacy"):
        for service in ("hosted", "self_hosted"):
            case = changed(sent_out(world.case), "tuning.service", service)
            found = judged(world, case)
            law.look(stays_inside(case, found), world, f"{service} tuning", told(found))
    law.judge(at_least=enough(source))


@EVERYWHERE
def test_no_hosted_tuning_of_data_that_may_not_leave(source: str) -> None:
    law = Broken("hosted tuning is no pilot where data may not leave")
    for world in worlds_of(source, "hosted", thin=2):
        case = changed(sent_out(world.case), "tuning.service", "hosted")
        found = judged(world, case)
        law.look(found.verdict.answer != "pilot" or first_step(found) not in TUNINGS, world,
                 told(found))  # fmt: skip
    law.judge(at_least=enough(source))


@pytest.mark.slow
def test_the_prompt_is_kept_only_where_no_target_is_missed_or_tuning_is_refused() -> (
    None
):
    law = Broken("keep the prompt, only with no target missed or after a refusal")
    for world, found in pool():
        kept = "keep_prompt" in {step.option for step in steps(found)}
        fine = not missed(found) or found.verdict.rule == "refused"
        law.look(not kept or fine, world, told(found), f"missed: {missed(found)}")
    law.judge(at_least=60)


def test_every_way_that_is_the_first_step_is_in_the_table() -> None:
    law = Broken("a step names its way, and the way is one that can be gone")
    for world, found in pool():
        table = ways(found)
        law.look(len(table) == len(found.ways), world, "two ways have one id")
        law.look(sum(way.kind == "now" for way in found.ways) <= 1, world, "runs twice")
        for step in steps(found):
            way = table.get(step.way)
            law.look(not step.way or way is not None, world, f"no way {step.way!r}")
            if way is not None:
                gone = way.state not in ("failed", "ruled_out")
                law.look(gone, world, f"{way.id} is {way.state}", told(found))
        ranks = [way.rank for way in found.ways]
        law.look(len(set(ranks)) == len(ranks), world, f"ranks {sorted(ranks)}")
    law.judge(at_least=60)


def test_a_way_is_admissible_by_its_own_figures() -> None:
    """Met and missed are the whole interval of quality on one side, or the figure of the rest."""
    law = Broken("admissible agrees with the figures of the way")
    figures = {
        "quality": "quality",
        "latency": "latency_p95_s",
        "cost": "usd_per_month",
    }
    for world, found in pool():
        for way in found.ways:
            for target, figure in figures.items():
                state = way.admissible.get(target)
                if target not in found.targets or state is None:
                    continue
                limit = number_of(found.targets[target].limit)
                shown = way.figures[figure]
                if (
                    limit is None
                    or isinstance(shown, Unknown)
                    or shown.interval is None
                ):
                    continue
                low, high = shown.interval
                inside = low >= limit if target == "quality" else high <= limit
                outside = high < limit if target == "quality" else low > limit
                law.look(
                    state != "met" or not outside, world, way.id, target, "met outside"
                )
                law.look(state != "missed" or not inside or way.kind != "now", world, way.id,
                         target, "missed inside")  # fmt: skip
    law.judge(at_least=60)


# Moving one thing --------------------------------------------------------------------------------


@pytest.mark.slow
@EVERYWHERE
def test_more_strategic_value_never_lowers_an_answer(source: str) -> None:
    law = Broken("low, medium, high: the answer never falls")
    for world in worlds_of(source, "strategic", thin=2):
        found = {value: judged(world, changed(world.case, "strategic_value", value))
                 for value in ("low", "medium", "high")}  # fmt: skip
        for less, more in (("low", "medium"), ("medium", "high")):
            fell = goes_further(found[more], found[less])
            law.look(
                not fell,
                world,
                f"{less}: {told(found[less])}, {more}: {told(found[more])}",
            )
    law.judge(at_least=enough(source))


PAYS: dict[str, Any] = {
    "economics.hourly_rate_usd": 100,
    "economics.upfront": {"hours": 60},
    "economics.monthly": {"quality_value_usd": 500_000},
    "economics.assumptions": None,
    "workload": "steady",
}
"""Money that comes back in days, whatever else is so."""


@pytest.mark.slow
@EVERYWHERE
def test_strategic_value_moves_nothing_where_money_pays_back(source: str) -> None:
    law = Broken("with money that pays back, strategic value moves no answer")
    for world in worlds_of(source, "pays", thin=3):
        case = changed_all(world.case, PAYS)
        found = {value: judged(world, changed(case, "strategic_value", value))
                 for value in (None, "low", "medium", "high")}  # fmt: skip
        answers = {str(value): each.verdict.answer for value, each in found.items()}
        law.look(
            len(set(answers.values())) == 1, world, str(answers), told(found["low"])
        )
    law.judge(at_least=enough(source))


def looser(case: Mapped, target: str) -> Mapped | None:
    """The case with a target that is easier to meet; None where it isn't stated."""
    if target == "quality":
        wanted = at(case, "targets.quality.at_least")
        return wanted and changed(
            case, "targets.quality.at_least", max(0.0, wanted - 0.04)
        )
    path = f"targets.{STATED_AS[target]}"
    limit = at(case, path)
    return changed(case, path, limit * 1.5) if limit else None


def lowered(before: Any, after: Any) -> list[str]:
    """Ways that a looser target made inadmissible, or less likely."""
    worse = []
    then = ways(after)
    for name, way in ways(before).items():
        now = then.get(name)
        if now is None:
            continue
        if set(way.admissible.values()) == {"met"} != set(now.admissible.values()):
            worse.append(f"{name} was admissible, now {dict(now.admissible)}")
        first, second = number_of(way.chance), number_of(now.chance)
        if first is not None and second is not None and second < first - 1e-9:
            worse.append(f"{name} had chance {first:.4f}, now {second:.4f}")
    return worse


@EVERYWHERE
@pytest.mark.parametrize("target", ["quality", "latency", "cost"])
def test_a_looser_target_never_makes_a_way_worse(source: str, target: str) -> None:
    law = Broken(f"a looser target of {target} lowers no chance and no admissible way")
    for world in worlds_of(source, f"looser {target}"):
        case = looser(world.case, target)
        if case is not None:
            worse = lowered(as_it_is(world, source), judged(world, case))
            law.look(not worse, world, *worse[:3])
    law.judge(at_least=enough(source))


@pytest.mark.slow
@EVERYWHERE
def test_more_reviewed_data_never_lowers_tuning(source: str) -> None:
    law = Broken("more reviewed data lowers neither tuning's chance nor the answer")
    for world in worlds_of(source, "data", thin=3):
        bare = changed_all(
            world.case, {"factors.insufficient_data": None, "data.training": None}
        )
        before = None
        for count in (0, 60, 600, 6000, 100_000):
            examples = {"count": count, "usable": count}
            found = judged(world, changed(bare, "data.examples", examples))
            if before is not None:
                way = way_of_first(found)
                learns = way is not None and way.id in (
                    "retrieved_examples",
                    "plain_classifier",
                )
                # which learn from the same
                fell = goes_further(found, before) and not learns
                law.look(
                    not fell, world, f"at {count}: {told(found)}, before {told(before)}"
                )
                for name, way in ways(before).items():
                    more = ways(found).get(name)
                    if way.kind != "tuning" or more is None:
                        continue
                    first, second = number_of(way.chance), number_of(more.chance)
                    known = first is not None and second is not None
                    law.look(not known or second >= first - 1e-9,  # type: ignore[operator]  # both are known
                             world, f"{name} at {count}: {first} to {second}")  # fmt: skip
            before = found
    law.judge(at_least=enough(source))


@EVERYWHERE
def test_without_anything_to_learn_from_nothing_is_piloted(source: str) -> None:
    law = Broken("no examples, no pairs, no documents: no pilot")
    nothing = {"data": {"examples": 0, "preference_pairs": 0, "documents": 0}}
    for world in worlds_of(source, "nothing", thin=2):
        if as_it_is(world, source).verdict.rule == "proven":
            continue
        found = judged(alone(world), {**world.case, **nothing})
        law.look(found.verdict.answer != "pilot", world, told(found))
    law.judge(at_least=enough(source))


def scaled(amount: Any, by: float) -> Any:
    """An amount of a case file, so many times."""
    if isinstance(amount, dict):
        return {end: value * by for end, value in amount.items()}
    return amount * by


@pytest.mark.slow
@EVERYWHERE
def test_more_traffic_never_lowers_what_tuning_can_bring(source: str) -> None:
    law = Broken(
        "more traffic lowers neither the bill, nor what can be saved, nor the answer"
    )
    silent = {
        "targets.usd_per_month": None,
        "factors.low_volume": None,
        "economics.monthly": None,
    }
    for world in worlds_of(source, "traffic"):
        requests = at(world.case, "economics.traffic.requests_per_month")
        bill = at(world.case, "today.usd_per_month")
        if requests is None:
            continue
        before = None
        for by in (1, 10, 100):
            case = changed_all(world.case, silent)
            case = changed(
                case, "economics.traffic.requests_per_month", scaled(requests, by)
            )
            if bill is not None:
                case = changed(case, "today.usd_per_month", scaled(bill, by))
            found = judged(world, case)
            if before is not None:
                fell = goes_further(found, before)
                law.look(
                    not fell,
                    world,
                    f"at {by} times: {told(found)}, before {told(before)}",
                )
                for name in ("bill_usd", "possible_saving_usd"):
                    less = number_of(getattr(before.investment, name, None))
                    more = number_of(getattr(found.investment, name, None))
                    if less is not None and more is not None:
                        law.look(
                            more >= less * (1 - 1e-9), world, f"{name} {less} to {more}"
                        )
            before = found
    law.judge(at_least=enough(source))


def best_tuning(found: Any) -> int:
    """The best rank of a tuning; far down where there is none."""
    return min((way.rank for way in found.ways if way.kind == "tuning"), default=10_000)


@pytest.mark.slow
@EVERYWHERE
def test_a_cheaper_model_that_nobody_measured_never_raises_tuning(source: str) -> None:
    law = Broken(
        "a cheap rival without a score raises neither tuning's rank nor the answer"
    )
    tiny = {"id": "acme:tiny", "usd_per_mtok": {"input": 0.001, "output": 0.002}}
    for world in worlds_of(source, "tiny"):
        prompted = [m for m in world.case.get("models", ()) if m.get("kind") != "tuned"]
        if not prompted:
            continue  # it would be the model in use
        before = judged(world, with_today(world.case))
        after = judged(world, with_model(world.case, tiny))
        law.look(not goes_further(before, after), world, told(before), told(after))
        if source == "random":
            continue  # a listed model may stand below the unnamed smaller one that it replaces
        ranks = best_tuning(before), best_tuning(after)
        law.look(ranks[1] >= ranks[0], world, f"rank {ranks[0]} to {ranks[1]}")
    law.judge(at_least=enough(source))


def sayings(found: Any) -> dict[str, Any]:
    """All that a judgement comes to, without its words."""
    table = {way.id: (way.state, way.rank, str(way.chance), dict(way.admissible))
             for way in found.ways}  # fmt: skip
    return {
        "answer": found.verdict.answer,
        "rule": found.verdict.rule,
        "steps": [(step.option, step.way) for step in steps(found)],
        "ways": table,
    }


def apart(before: Any, after: Any) -> list[str]:
    """What two judgements differ in."""
    first, second = sayings(before), sayings(after)
    found = [f"{name}: {first[name]} / {second[name]}" for name in ("answer", "rule", "steps")
             if first[name] != second[name]]  # fmt: skip
    for name in sorted(first["ways"].keys() | second["ways"].keys()):
        was, now = first["ways"].get(name), second["ways"].get(name)
        if was != now:
            found.append(f"way {name}: {was} / {now}")
    return found


def with_notes(answers: Mapped, note: str) -> Mapped:
    """Answers with a note at each."""
    return {name: {**answer, "note": note} if isinstance(answer, dict) else
            {("count" if isinstance(answer, int) and not isinstance(answer, bool) else "value"):
             answer, "note": note} for name, answer in answers.items()}  # fmt: skip


def reworded(case: Mapped) -> Mapped:
    """The case in other words; every fact stays."""
    words = "Fine-tune it! We must, at any price; LoRA."
    case = {**case, "name": "Another name", "description": words}
    for room in ("factors", "signals"):
        case[room] = with_notes(case.get(room, {}), words)
    attempts = [{**attempt, "name": f"run {number}", "change": words, "result": "good enough"}
                for number, attempt in enumerate(case.get("attempts", ()))]  # fmt: skip
    return {**case, "attempts": attempts}


@EVERYWHERE
def test_names_and_words_move_nothing(source: str) -> None:
    law = Broken("names, descriptions and notes move nothing")
    for world in worlds_of(source, "words"):
        moved = apart(as_it_is(world, source), judged(world, reworded(world.case)))
        law.look(not moved, world, *moved[:3])
    law.judge(at_least=enough(source))


def backwards(value: Any) -> Any:
    """The same value with the keys of every mapping in the other order."""
    if isinstance(value, dict):
        return {key: backwards(inner) for key, inner in reversed(list(value.items()))}
    return value


def reordered(case: Mapped) -> Mapped:
    """The case with other orders of what has none, and with an attempt told twice."""
    models = list(case.get("models", ()))
    untuned = [
        place for place, model in enumerate(models) if model.get("kind") != "tuned"
    ]
    kept = untuned[0] + 1 if untuned else 0  # the first is the one in use
    attempts = list(case.get("attempts", ()))
    again = attempts[-1:]
    models = [*models[:kept], *reversed(models[kept:])]
    changes = {"models": models, "attempts": [*attempts, *again]}
    turned: Mapped = backwards({**case, **changes})
    return turned


@EVERYWHERE
def test_orders_and_repetitions_move_nothing(source: str) -> None:
    law = Broken(
        "order of keys, models after the first, and an attempt told twice move nothing"
    )
    for world in worlds_of(source, "orders"):
        moved = apart(as_it_is(world, source), judged(world, reordered(world.case)))
        law.look(not moved, world, *moved[:3])
    law.judge(at_least=enough(source))


@pytest.mark.slow
@given(cases)
# a seed doesn't get simpler
@settings(phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_any_case_is_judged_by_a_rule_and_in_one_piece(case: Mapped) -> None:
    found = judged(World("random", case))
    kept = "keep_prompt" in {step.option for step in steps(found)}
    assert found.verdict.rule in {*FIRES, "proven"}
    assert not kept or not missed(found) or found.verdict.rule == "refused", told(found)
    assert found.verdict.answer != "yes" or found.verdict.rule == "proven"
    assert found.verdict.answer != "pilot" or found.verdict.rule in (
        "worth_a_pilot",
        "no_target",
    )


@pytest.mark.slow
@pytest.mark.parametrize("source", ["expert", "random"])
def test_an_answer_turns_exactly_what_it_is_said_to_turn(source: str) -> None:
    """Every stated flip flips, and there is no single flip that isn't stated."""
    law = Broken("what one answer alone turns is what is said of it")
    for world in worlds_of(source, "flips", thin=6):
        before = as_it_is(world, source)
        turning = set(before.verdict.basis.turning)
        rooms = {
            name: ("ceiling", check.state)
            for name, check in before.ceiling.checks.items()
        }
        rooms |= {
            name: ("factors", factor.state) for name, factor in before.factors.items()
        }
        for name, (room, state) in rooms.items():
            after = [judged(world, changed(world.case, f"{room}.{name}", to))
                     for to in ("yes", "no") if to != state]  # fmt: skip
            answers = {found.verdict.answer for found in after}
            turns = answers != {before.verdict.answer}
            law.look(turns == (name in turning), world, f"{name} is {state}",
                     f"said to turn: {name in turning}", told(before),
                     *map(told, after))  # fmt: skip
            inside = answers <= {*before.reach.answers, "open", before.verdict.answer}
            law.look(
                inside or state != "unknown",
                world,
                f"{name} leaves the reach",
                str(answers),
            )
    law.judge(at_least=enough(source))


# Silence -----------------------------------------------------------------------------------------

SAFE = {"data_reviewed": "yes", "process_named": "yes"}
OWN = {
    "service": "self_hosted",
    "available": "yes",
    "pilot": "yes",
    "model_switch": "no",
}

SILENCES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "safety": (
        {"safety": SAFE},
        {"safety": None},
        {"safety": {"data_reviewed": "no", "process_named": "no"}},
        r"safe|review|process|harm",
    ),
    "service": (
        {"tuning": OWN},
        {"tuning": None},
        {"tuning": {"service": "hosted", "available": "no"}},
        r"service|train|machine|tune|GPU",
    ),
    "money": (
        {**PAYS, "strategic_value": "high"},
        {"economics.upfront": None, "economics.monthly": None, "strategic_value": None},
        {
            **PAYS,
            "economics.upfront": {"hours": 4000, "usd": 900_000},
            "economics.monthly": {"quality_value_usd": 1, "ongoing_usd": 10_000_000},
            "strategic_value": "low",
        },
        r"money|pay|worth|bring|cost|\$|value",
    ),
}
"""What may be unsaid: the favourable statement, the silence, a stated no, the condition's words."""


def silence_cases(source: str, law: str) -> list[World]:
    """Some cases of a source, and one that is worth a pilot."""
    return [made("worth"), *worlds_of(source, law, thin=3)]


@pytest.mark.slow
@EVERYWHERE
@pytest.mark.parametrize("about", SILENCES)
def test_silence_gives_at_most_what_the_favourable_statement_gives(
    source: str, about: str
) -> None:
    said, unsaid, no, words = SILENCES[about]
    law = Broken(
        f"nothing said of {about} gives no more, with its condition; a no ends it"
    )
    for world in silence_cases(source, f"silence {about}"):
        favourable = judged(world, changed_all(world.case, said))
        silent = judged(world, changed_all(world.case, unsaid))
        further = goes_further(favourable, silent)
        law.look(
            not further, world, f"said {told(favourable)}", f"unsaid {told(silent)}"
        )
        gates = {gate.id: gate.state for gate in silent.verdict.gates}
        # by traffic and prices
        is_computed = about == "money" and gates.get("investment") == "yes"
        if silent.verdict.answer in ("pilot", "yes") and not is_computed:
            named = [
                one
                for one in silent.verdict.conditions
                if re.search(words, one, re.IGNORECASE)
            ]
            law.look(
                bool(named),
                world,
                told(silent),
                f"conditions {silent.verdict.conditions}",
            )
        ended = judged(world, changed_all(world.case, no))
        law.look(
            ended.verdict.answer not in ("pilot", "yes"), world, f"a no: {told(ended)}"
        )
    law.judge(at_least=enough(source))


@pytest.mark.parametrize("about", SILENCES)
def test_a_yes_names_what_is_open_as_its_conditions(about: str) -> None:
    _, unsaid, _, words = SILENCES[about]
    found = judged(made("proven", unsaid), arms=IMPROVED)
    assert found.verdict.answer == "yes", told(found)
    assert any(
        re.search(words, one, re.IGNORECASE) for one in found.verdict.conditions
    ), found.verdict.conditions
    assert "once" in found.verdict.headline.lower(), found.verdict.headline


# The decisive finding ----------------------------------------------------------------------------

RICH = {"count": 200_000, "usable": 200_000}
RELIEF: dict[str, dict[str, Any]] = {
    "moving": {
        "factors.exploration_phase": "no",
        "factors.rapidly_changing_requirements": "no",
    },
    "short_of_data": {
        "data.examples": RICH,
        "data.preference_pairs": RICH,
        "data.documents": RICH,
        "factors.insufficient_data": "no",
    },
    "no_target": {
        "targets.quality": {"metric": "f1", "at_least": 0.9},
        "today.quality": 0.5,
        "today.cases": 5000,
    },
    "refused": {
        **PAYS,
        "economics.traffic.growth_per_month": 0,
        "strategic_value": "high",
        "economics.serving": None,
        "factors.data_sovereignty": "no",
        "today.api": "own",
        "models": [],
    },
    "simpler": {"attempts": [{"name": "all of it", "tried": list(SIMPLER)}]},
    "worth_a_pilot": {"data": {"examples": 0}},
}
"""Rule: what takes away the finding that decided by it."""


def without_good_models(case: Mapped) -> Mapped:
    """The case with each listed model scored, and far from right: none of them is left to try."""
    today = at(case, "today.model")
    models = [
        model if model["id"] == today else {**model, "quality": 0.01, "cases": 5000}
        for model in case.get("models", ())
    ]
    return {**case, "models": models} if models else case


@pytest.mark.slow
@pytest.mark.parametrize("rule", RELIEF)
def test_the_decisive_finding_is_the_operative_one(rule: str) -> None:
    """Change what the headline names, and the answer or its reason moves."""
    law = Broken(f"what decided by {rule!r} is what decides")
    decided = [world for world, found in pool() if found.verdict.rule == rule]
    changes, _, _ = FIRES[rule]
    for world in [made(rule, changes), *spread(decided, 6)]:
        before = judged(world)
        relieved = changed_all(world.case, RELIEF[rule])
        after = judged(
            world, without_good_models(relieved) if rule == "simpler" else relieved
        )
        stays = after.verdict.rule == rule == before.verdict.rule
        law.look(not stays, world, told(before), f"after {told(after)}")
    law.judge()


def worsened(case: Mapped, found: Any) -> Mapped:
    """The case without what was found to meet every target."""
    way = way_of_first(found)
    models = []
    for model in case.get("models", ()):
        decisive = way is not None and way.kind != "now" and model["id"] == way.model
        models.append({**model, "quality": 0.01, "cases": 5000} if decisive else model)
    case = {**case, "models": models}
    if way is None or way.kind == "now" or not models:
        case = changed_all(case, {"today.quality": 0.01, "today.cases": 5000})
    return case


def test_what_meets_every_target_is_what_decides() -> None:
    law = Broken("without the way that meets every target, another decides or none")
    met = [
        world
        for world, found in pool()
        if found.verdict.rule == "met" and not world.origin
    ]
    rival = rival_of(made("worth"), judged(made("worth")))
    assert rival is not None
    chosen = [
        made("met", FIRES["met"][0]),
        World("rival", with_model(WORTH, rival)),
        *spread(met, 8),
    ]
    for world in chosen:
        if at(world.case, "targets.quality") is None:
            continue  # quality decided nothing
        before = judged(world)
        after = judged(world, worsened(world.case, before))
        first, second = way_of_first(before), way_of_first(after)
        same = first is not None and second is not None and first.id == second.id
        law.look(before.verdict.rule == "met", world, told(before))
        law.look(after.verdict.rule != "met" or not same, world, told(after))
    law.judge(at_least=4)


@pytest.mark.parametrize("arms", [IMPROVED, NO_GAIN], ids=["improved", "no gain"])
def test_a_proof_is_what_decides(arms: tuple[LabArm, ...]) -> None:
    proven = judged(made("proven"), arms=arms)
    without = judged(made("proven"))
    assert proven.verdict.rule == "proven", told(proven)
    assert proven.verdict.answer != without.verdict.answer


def test_a_count_with_more_cases_is_what_decides_an_open_answer() -> None:
    open_one = made("undecided", FIRES["undecided"][0])
    for quality in (0.80, 0.99):
        counted = changed_all(
            open_one.case, {"today.quality": quality, "today.cases": 50_000}
        )
        found = judged(World("counted", counted))
        assert found.verdict.rule != "undecided", told(found)


# Two statements of one dossier never disagree: K1 to K26 of the review ----------------------------


def text_of(found: Any) -> str:
    """All that a dossier says, as JSON, without its case's own words."""
    return str(found.to_json())


def words_of_plan(found: Any) -> str:
    """Everything a plan says."""
    if isinstance(found.plan, Unknown):
        return ""
    lines = []
    for phase in found.plan.phases:
        lines += [phase.title, *phase.steps, phase.done_when]
    return " ".join(lines).lower()


def test_k1_the_plan_trains_what_the_first_step_names() -> None:
    law = Broken("the tuning of the steps is the tuning of the plan")
    crafted = [made("worth"), made("dear", DEAR)]
    crafted.append(made("form", {**DEAR, "goals": ["format"]}))
    found = [(world, judged(world)) for world in crafted]
    for world, dossier in (*found, *pool()):
        named = [
            step.title.lower() for step in steps(dossier) if step.option in TUNINGS
        ]
        if dossier.verdict.answer == "pilot" and named:
            plan = words_of_plan(dossier)
            law.look(any(title in plan for title in named), world, *named, plan[:300])
    law.judge(at_least=2)


def test_k2_a_target_that_is_met_is_not_to_be_beaten() -> None:
    """Where quality is met and the bill isn't, tuned has to be no worse, and cheaper."""
    tried = [{"name": "smaller ones", "tried": ["smaller_model", "caching"]}]
    found = judged(made("dear", {**DEAR, "attempts": tried}))
    assert found.targets["quality"].state == "met"
    assert found.targets["cost"].state == "missed"
    assert found.verdict.answer == "pilot", told(found)
    plan = words_of_plan(found)
    assert not re.search(r"above zero|beats the best|better than the best", plan)


def test_k3_what_is_refused_asks_for_no_amount() -> None:
    law = Broken("where no amount would help, none is asked for")
    for world, found in pool():
        money = found.investment
        if found.verdict.rule != "refused" or isinstance(money, Unknown):
            continue
        asks = isinstance(money.break_even_months.point, Unknown)
        refused_by_money = re.search(r"\$|pay|money", found.verdict.because)
        law.look(not (asks and refused_by_money), world, found.verdict.because)
    law.judge(at_least=0)


@pytest.mark.parametrize(
    ("name", "changes", "one", "other"),
    [
        (
            "K4",
            {
                "goals": ["persona"],
                "factors.brand_voice": "no",
                "signals.voice_drift": "yes",
            },
            "is said not to be needed",
            "A voice is wanted",
        ),
        (
            "K5",
            {
                "goals": ["classification"],
                "factors.rapidly_changing_requirements": "yes",
            },
            "knowledge is to be trained",
            "",
        ),
        (
            "K9",
            {"goals": ["generation"], "attempts": []},
            "code can run what is generated",
            "",
        ),
    ],
)
def test_k4_k5_k9_one_dossier_says_one_thing(
    name: str, changes: dict[str, Any], one: str, other: str
) -> None:
    text = text_of(judged(made(name, changes)))
    said = one in text
    contradicted = other in text
    assert not (said and contradicted), f"{name}: {one!r} beside {other!r}"


def test_k6_k12_k19_the_count_is_no_reason_where_a_target_is_stated() -> None:
    law = Broken("with a target, neither headline nor reason counts reasons or checks")
    counts = re.compile(r"(of (the )?(six|five) (reasons|checks))|reasons? (for|against)? ?hold"
                        r"|is answered|checks answered", re.IGNORECASE)  # fmt: skip
    for world, found in pool():
        if found.targets and found.verdict.rule != "no_target":
            said = f"{found.verdict.headline} {found.verdict.because}"
            law.look(not counts.search(said), world, said)
    law.judge(at_least=40)


def test_k12_two_founders_who_explore_are_told_so() -> None:
    founders: dict[str, Any] = {
        "factors.exploration_phase": "yes",
        "economics.traffic": {
            "requests_per_month": 150,
            "input_tokens": 800,
            "output_tokens": 90,
        },
        "economics.monthly": None,
        "economics.upfront": None,
        "strategic_value": None,
        "ceiling": {},
        "attempts": [],
    }
    found = judged(made("founders", founders))
    assert found.verdict.rule in ("moving", "refused"), told(found)
    assert found.verdict.answer in ("not_yet", "no")
    assert "check" not in found.verdict.headline.lower(), found.verdict.headline


def test_k7_caching_saves_what_can_be_cached() -> None:
    price = {"input": 2.5, "output": 10, "cached_input": 0.25}
    traffic = {
        "requests_per_month": 200_000,
        "input_tokens": 1500,
        "output_tokens": 200,
    }
    case = {
        **DEAR,
        "attempts": [],
        "models": [{"id": "acme:large", "usd_per_mtok": price}],
        "economics.traffic": {**traffic, "cacheable_share": 0.2, "cached_share": 0},
    }
    found = judged(made("caching", case))
    now = 200_000 * (1500 * 2.5 + 200 * 10) / 1e6
    cached = 200_000 * (1500 * (0.8 * 2.5 + 0.2 * 0.25) + 200 * 10) / 1e6
    table = ways(found)
    running = next(way for way in found.ways if way.kind == "now")
    assert running.figures["usd_per_month"].value == pytest.approx(now, rel=0.01)
    assert table["caching"].figures["usd_per_month"].low >= cached * 0.99
    assert table["caching"].admissible["cost"] == "missed"  # $300 is wanted
    assert first_step(found) != "caching"


def test_k8_a_tuned_model_that_answers_more_costs_more() -> None:
    tuned = {
        "id": "acme:tuned",
        "kind": "tuned",
        "usd_per_mtok": {"input": 0.5, "output": 2},
    }
    models = [*WORTH["models"], tuned]
    bills = []
    for requests in (200_000, 20_000_000):
        path = "economics.traffic.requests_per_month"
        found = judged(made("volume", {**DEAR, "models": models, path: requests}))
        way = next(way for way in found.ways if way.model == "acme:tuned")
        bills.append(way.figures["usd_per_month"].value)
    assert bills[0] == pytest.approx(200_000 * (1500 * 0.5 + 200 * 2) / 1e6, rel=0.01)
    assert bills[1] == pytest.approx(100 * bills[0], rel=0.01)


def test_k10_output_that_does_not_parse_is_constrained_before_examples_are_shown() -> (
    None
):
    broken = {
        "goals": ["extraction", "format"],
        "signals.inconsistent_format": "yes",
        "signals.terminology_errors": "no",
        "attempts": [],
        "ceiling.few_shot": "no",
    }
    found = judged(made("unparsed", broken))
    assert first_step(found) == "constrained_output", told(found)


def test_k11_a_few_cents_are_no_contradiction() -> None:
    cents = {
        "economics.traffic": {
            "requests_per_month": 400,
            "input_tokens": 300,
            "output_tokens": 200,
        },
        "today.usd_per_month": 2,
    }
    found = judged(made("cents", cents))  # $1.10 by its tokens
    assert "bill_against_prices" not in {item.id for item in found.challenges}
    assert "contradict" not in found.verdict.headline.lower()


def test_k13_a_passage_that_is_found_and_misread_is_not_looked_for_again() -> None:
    misread = {"goals": ["knowledge"], "signals.knowledge_gaps": "yes", "attempts": [],
               "today.retrieval_recall": 0.98, "today.quality": 0.6,
               "signals.terminology_errors": "no"}  # fmt: skip
    found = judged(made("misread", misread))
    assert first_step(found) != "better_retrieval", told(found)
    retrieval = ways(found).get("better_retrieval")
    if retrieval is not None:
        assert retrieval.chance_word in ("unlikely", "")


def test_k14_data_that_may_not_leave_are_a_target_where_nothing_runs_yet() -> None:
    new = {"factors.data_sovereignty": "yes", "today": {}, "models": [], "attempts": []}
    found = judged(made("new", new))
    table = [way for way in found.ways if "privacy" in way.admissible]
    assert table, f"no way is judged by where its data go; {told(found)}"


def test_k15_no_step_is_one_that_its_own_row_rules_out() -> None:
    law = Broken("a way that misses a target for sure is no step towards it")
    for world, found in pool():
        for step in steps(found):
            way = ways(found).get(step.way)
            if way is None or way.kind == "now" or not missed(found):
                continue
            aims = {*missed(found), *way.chances}  # quality may lean to missed
            moves = any(way.admissible.get(target) != "missed" for target in aims)
            law.look(moves, world, f"{step.option} misses all of {missed(found)}")
    law.judge(at_least=20)


def test_k16_k17_a_model_has_one_bill_and_it_is_computed() -> None:
    law = Broken("the bill of a listed model is traffic by its own price")
    price = {"input": 0.3, "output": 1.1}
    rival = {"id": "acme:rival", "quality": 0.95, "cases": 5000, "latency_p95_s": 0.4,
             "runs": "third_party", "usd_per_mtok": price}  # fmt: skip
    found = judged(World("rival", with_model(WORTH, rival)))
    bill = 200_000 * (1500 * 0.3 + 200 * 1.1) / 1e6
    rows = [way for way in found.ways if way.model == "acme:rival"]
    for way in rows:
        figure = way.figures["usd_per_month"]
        law.look(
            abs(float(figure.value) - bill) < 0.01 * bill,
            way.id,
            f"{figure.value} of {bill}",
        )
        law.look(figure.grade == "computed", way.id, figure.grade)
    law.judge(at_least=2)
    assert (found.verdict.answer, found.verdict.rule) == ("no", "met"), told(found)


SCORE = re.compile(
    r"score today|evaluation set|score the (present )?prompt", re.IGNORECASE
)


def test_k18_nobody_is_sent_to_score_what_is_scored() -> None:
    law = Broken("what is counted on enough cases isn't to be scored again")
    for world, found in pool():
        quality = found.targets.get("quality")
        first = next(iter(steps(found)), None)
        if quality is None or quality.state == "unknown" or first is None:
            continue
        asks = first.option in ("measure", "label") and SCORE.search(
            f"{first.title} {first.because}"
        )
        law.look(not asks, world, first.title, first.because)
    law.judge(at_least=20)


def test_k18_a_contradiction_is_settled_and_not_scored() -> None:
    """Data that may not leave, and a provider that sees them, with 91% of 2,000 cases counted."""
    case = {
        "factors.data_sovereignty": "yes",
        "today.quality": 0.89,
        "tuning.service": "hosted",
    }
    found = judged(made("against", case))
    assert first_step(found) not in ("measure", "label"), told(found)


def test_k20_k21_k24_a_proof_begins_with_the_roll_out_and_names_what_is_open() -> None:
    bare = World("bare", {"name": "x", "goals": ["classification"]})
    found = judged(bare, arms=IMPROVED)
    headline = found.verdict.headline.lower()
    assert "nothing is answered" not in headline
    assert "no measurements" not in headline
    assert "go ahead" not in headline
    if found.verdict.answer == "yes":
        assert found.verdict.conditions, "nobody looked at safety, money or a service"
        assert first_step(found) == "roll_out"
    assert not TUNINGS & {step.option for step in steps(found)}


def test_k21_a_gain_that_misses_the_target_is_no_yes() -> None:
    found = judged(made("short", {"targets.quality.at_least": 0.99}), arms=IMPROVED)
    assert found.verdict.answer != "yes", told(found)


def test_k22_a_tuned_model_that_is_cheaper_as_wanted_gained_something() -> None:
    """As good as its teacher within the margin, at a fiftieth of the bill, is a gain."""
    even = (arm("tuned", "tuned", 0.86, usd=0.0001, seconds=0.1), PROMPT)
    found = judged(made("cheaper", DEAR), arms=even)
    assert "gains nothing" not in found.verdict.headline.lower()
    assert found.verdict.answer != "no", told(found)


def test_k23_a_no_on_unknown_quality_is_one_either_way() -> None:
    law = Broken("a no on unknown quality is a no whether it is met or missed")
    for world, found in pool():
        quality = found.targets.get("quality")
        unknown = quality is not None and quality.state == "unknown"
        if (
            found.verdict.answer != "no"
            or not unknown
            or found.verdict.rule != "refused"
        ):
            continue
        if world.case.get("workload") == "one_off" and not at(
            world.case, "economics.monthly"
        ):
            continue  # a job without amounts is refused for want of them
        for share in (0.02, 1.0):
            case = changed_all(
                world.case, {"today.quality": share, "today.cases": 1_000_000}
            )
            after = judged(world, case)
            law.look(after.verdict.answer == "no", world, f"at {share}: {told(after)}")
    law.judge(at_least=0)


def test_a_lost_pilot_sends_nothing_out_that_has_to_stay_inside() -> None:
    """The rule about what was proven went past the one about data."""
    case = sent_out(made("proven").case)
    found = judged(World("lost, private", case), arms=NO_GAIN)
    assert found.verdict.rule == "proven", told(found)
    assert stays_inside(case, found), told(found)


def test_k25_the_real_reason_is_in_the_headline() -> None:
    unsafe = {"safety": {"data_reviewed": "no", "process_named": "no"}}
    found = judged(made("unsafe", unsafe), arms=IMPROVED)
    assert found.verdict.answer != "yes", told(found)
    said = f"{found.verdict.headline} {found.verdict.because}"
    assert re.search(r"safe|review", said, re.IGNORECASE), said


@EVERYWHERE
def test_headline_line_of_what_to_do_and_first_step_are_one(source: str) -> None:
    law = Broken("headline, now, because, reach and steps are of one piece")
    for world in worlds_of(source, "headline"):
        found = as_it_is(world, source)
        verdict = found.verdict
        law.look(verdict.rule in {*FIRES, "proven"}, world, verdict.rule)
        law.look(
            bool(verdict.headline and verdict.now and verdict.because),
            world,
            "says nothing",
        )
        law.look(
            "\n" not in verdict.headline + verdict.now, world, "more than one line"
        )
        if steps(found):
            first = found.reach.first_steps
            law.look(
                first_step(found) in first, world, f"{first_step(found)} not in {first}"
            )
        inside = verdict.answer == "open" or verdict.answer in found.reach.answers
        law.look(inside, world, f"{verdict.answer} not in {found.reach.answers}")
        word = {"no": "don't tune", "not_yet": "not yet", "pilot": "pilot", "yes": "yes|tune",
                "open": "can't say"}[verdict.answer]  # fmt: skip
        law.look(
            bool(re.search(word, verdict.headline, re.IGNORECASE)),
            world,
            verdict.headline,
        )
        ask = found.ask
        low, high = number_of(ask.low), number_of(ask.high)
        law.look(
            low is None or high is None or low <= high, world, f"ask {low} to {high}"
        )
    law.judge(at_least=enough(source))
