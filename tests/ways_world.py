"""Cases to hold the laws of the judgement against: gallery, expert and random ones."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import yaml
from hypothesis import strategies as st

from tuneworthy import Framework, decide, load_case, load_framework
from tuneworthy.answers import arms as answers_arms
from tuneworthy.model import case as model_case
from tuneworthy.model.base import Unknown
from tuneworthy.model.ways import Figure, LabArm

PROJECT = Path(__file__).resolve().parents[1]
EXPERT = PROJECT.parent / "shared" / "expert-cases"
NO_SHARED = "the shared materials are not beside this project"
LESSON = load_framework("lesson")
DAY = date(2026, 11, 30)

RANDOM_CASES = 300
SEARCHES = os.environ.get("TUNEWORTHY_EXAMPLES", "quick") == "search"
LOOKS_HARD = os.environ.get("TUNEWORTHY_EXAMPLES", "quick") in {"thorough", "search"}
"""Whether every law is held against every case, as in the thorough profile of conftest.py."""

TARGETS = ("quality", "latency", "cost", "privacy")
STATED_AS = {"quality": "quality", "latency": "latency_p95_s", "cost": "usd_per_month"}
"""How a case file names the targets that it states."""

TUNINGS = frozenset(LESSON.approaches) | {
    name for name, option in LESSON.options.items() if option.kind == "tuning"
}
"""Steps that tune a model."""

ANSWERS = {"no": 0, "not_yet": 1, "pilot": 2, "yes": 3}
"""How far each answer goes; an open answer goes nowhere yet."""

Mapped = dict[str, Any]
T = TypeVar("T")


class World(NamedTuple):
    """A case as a mapping, with what lies beside it."""

    id: str
    case: Mapped
    origin: model_case.CaseOrigin | None = None  #: None for a case without a folder.
    framework: Framework = LESSON


# Where they come from -----------------------------------------------------------------------------


def _read(path: Path) -> Mapped:
    """A case file as a mapping, with the results of attempts as the text they are."""
    case: Mapped = yaml.safe_load(path.read_text(encoding="utf-8"))
    for attempt in case.get("attempts", ()):
        if "result" in attempt:
            attempt["result"] = str(attempt["result"])
    return case


@cache
def gallery() -> tuple[World, ...]:
    """Every case that the project ships, under its own framework."""
    worlds = []
    for path in sorted((PROJECT / "examples").glob("*/case.yaml")):
        loaded = load_case(path.parent)
        own = path.with_name("framework.yaml")
        framework = (
            load_framework(own) if loaded.framework and own.is_file() else LESSON
        )
        worlds.append(World(path.parent.name, _read(path), loaded.origin, framework))
    return tuple(worlds)


def expert_rows(*, held_out: bool) -> list[Mapped]:
    """What engineers would sign: every third row is held out, and never shown."""
    rows = yaml.safe_load((EXPERT / "expected.yaml").read_text(encoding="utf-8"))
    return [row for number, row in enumerate(rows) if (number % 3 == 2) == held_out]


@cache
def expert() -> tuple[World, ...]:
    """The expert cases that are not held out; a skip where they are not on this machine."""
    if not EXPERT.is_dir():
        pytest.skip(NO_SHARED)
    worlds = []
    for row in expert_rows(held_out=False):
        path = EXPERT / row["id"]
        worlds.append(
            World(row["id"], _read(path / "case.yaml"), load_case(path).origin)
        )
    return tuple(worlds)


@cache
def made_up() -> tuple[World, ...]:
    """The random cases, always the same."""
    return tuple(
        World(f"random-{seed}", random_case(seed)) for seed in range(RANDOM_CASES)
    )


SOURCES: dict[str, Callable[[], tuple[World, ...]]] = {
    "gallery": gallery,
    "expert": expert,
    "random": made_up,
}
QUICK_SHARE = {"gallery": 4, "expert": 5, "random": 40}
"""Of so many cases a quick run takes one for each law, and each law others."""


def worlds_of(source: str, law: str, *, thin: int = 1) -> tuple[World, ...]:
    """The cases of one source to hold a law against: all of them where somebody looks hard.

    Args:
        source: ``gallery``, ``expert`` or ``random``.
        law: Its name; the cases of a quick run are drawn by it.
        thin: A law that judges often takes only one in so many of a quick run and of the random
            cases, of which each law takes half; a search takes them all.
    """
    every = SOURCES[source]()
    if SEARCHES or (LOOKS_HARD and source != "random"):
        return every
    if LOOKS_HARD:  # another half of the random cases for the next law
        step = 2 * thin
        return every[random.Random(law).randrange(step) :: step]
    step = QUICK_SHARE[source] * thin
    first = random.Random(f"{source} {law}").randrange(min(step, len(every)))
    return every[first::step]


# Random cases -------------------------------------------------------------------------------------

_TRIABLE = (
    "few_shot",
    "retrieved_examples",
    "constrained_output",
    "prompt_optimisation",
    "better_retrieval",
    "decomposition",
    "caching",
    "batching",
    "other_model",
    "reasoning_effort",
)


def _tri(rng: random.Random, yes: float, no: float) -> str:
    return rng.choices(("yes", "no", "unknown"), (yes, no, 1 - yes - no))[0]


def _some(
    rng: random.Random, chance: float, section: Mapped, name: str, value: Any
) -> None:
    """Put a value under a name, at a chance."""
    if rng.random() < chance:
        section[name] = value


def _checklist(rng: random.Random) -> Mapped:
    ceiling: Mapped = {name: _tri(rng, 0.6, 0.25) for name in LESSON.ceiling}
    _some(rng, 0.5, ceiling, "prompt_variations", rng.randint(1, 12))
    _some(rng, 0.5, ceiling, "foundation_models", rng.randint(1, 4))
    reasons = {name: _tri(rng, 0.5, 0.35) for name in LESSON.indicators}
    against = {name: _tri(rng, 0.12, 0.6) for name in LESSON.anti_indicators}
    signals = {name: _tri(rng, 0.35, 0.4) for name in LESSON.signals}
    return {"ceiling": ceiling, "signals": signals, "factors": {**reasons, **against}}


def _figures(rng: random.Random) -> Mapped:
    """Targets, and what runs today."""
    targets: Mapped = {}
    today: Mapped = {}
    wanted = rng.choice((0.8, 0.9, 0.95))
    _some(rng, 0.85, targets, "quality", {"metric": "f1", "at_least": wanted})
    _some(rng, 0.4, targets, "latency_p95_s", rng.choice((0.5, 2, 8)))
    _some(rng, 0.5, targets, "usd_per_month", rng.choice((50, 900, 9000)))
    if rng.random() < 0.9:
        today["quality"] = round(min(0.995, wanted + rng.uniform(-0.25, 0.05)), 3)
        _some(rng, 0.85, today, "cases", rng.choice((40, 150, 400, 3000)))
    _some(rng, 0.6, today, "latency_p95_s", rng.choice((0.3, 1.5, 6)))
    _some(rng, 0.3, today, "usd_per_month", rng.choice((40, 2000, 30_000)))
    _some(rng, 0.35, today, "retrieval_recall", rng.choice((0.5, 0.8, 0.97)))
    _some(rng, 0.8, today, "api", rng.choice(("own", "third_party")))
    return {"targets": targets, "today": today}


def _models(rng: random.Random) -> list[Mapped]:
    models = []
    for number in range(rng.randint(0, 3)):
        price = rng.choice((0.1, 0.5, 2.5))
        model: Mapped = {"id": f"acme:model-{number}"}
        _some(rng, 0.85, model, "usd_per_mtok", {"input": price, "output": 4 * price})
        _some(rng, 0.4, model, "runs", rng.choice(("own", "third_party")))
        if number and rng.random() < 0.5:
            model["quality"] = round(rng.uniform(0.5, 0.99), 3)
            model["cases"] = rng.choice((60, 300, 2000))
            _some(rng, 0.6, model, "latency_p95_s", rng.choice((0.2, 1, 5)))
        models.append(model)
    return models


def _money(rng: random.Random) -> Mapped:
    tokens = rng.choice((300, 1500, 6000))
    traffic: Mapped = {
        "requests_per_month": round(10 ** rng.uniform(2.2, 6.8)),
        "input_tokens": tokens,
        "output_tokens": rng.choice((5, 120, 700)),
    }
    _some(rng, 0.4, traffic, "cacheable_share", rng.choice((0.1, 0.5, 0.9)))
    _some(rng, 0.4, traffic, "batchable", rng.choice(("yes", "no")))
    monthly: Mapped = {}
    _some(rng, 0.3, monthly, "quality_value_usd", rng.choice((300, 5000, 60_000)))
    _some(rng, 0.2, monthly, "api_savings_usd", rng.choice((100, 2000)))
    money: Mapped = {"traffic": traffic, "monthly": monthly}
    _some(rng, 0.8, money, "hourly_rate_usd", rng.choice((60, 110)))
    _some(rng, 0.4, money, "upfront", {"hours": rng.choice((60, 200)), "usd": 500})
    return money


def _holdings(rng: random.Random) -> Mapped:
    data: Mapped = {}
    count = rng.choice((0, 60, 600, 4000, 60_000))
    _some(
        rng,
        0.85,
        data,
        "examples",
        {"count": count, "usable": count // rng.choice((1, 2))},
    )
    _some(rng, 0.15, data, "preference_pairs", rng.choice((100, 12_000)))
    _some(rng, 0.3, data, "documents", rng.choice((200, 200_000)))
    return data


def random_case(seed: int) -> Mapped:
    """A case that a team could have written, drawn from a seed."""
    rng = random.Random(f"a way {seed}")
    case: Mapped = {"name": f"Case {seed}", **_checklist(rng), **_figures(rng)}
    case["goals"] = rng.sample(sorted(LESSON.goals), rng.choice((1, 1, 1, 2)))
    case["models"] = _models(rng)
    case["data"] = _holdings(rng)
    _some(rng, 0.9, case, "economics", _money(rng))
    _some(rng, 0.6, case, "strategic_value", rng.choice(("low", "medium", "high")))
    _some(rng, 0.15, case, "workload", rng.choice(("one_off", "steady", "growing")))
    reviewed = {
        name: _tri(rng, 0.7, 0.1) for name in ("data_reviewed", "process_named")
    }
    _some(rng, 0.6, case, "safety", reviewed)
    service = {
        "service": rng.choice(("hosted", "self_hosted")),
        "available": _tri(rng, 0.6, 0.1),
    }
    _some(rng, 0.6, case, "tuning", service)
    tried = rng.sample(_TRIABLE, rng.randint(0, 4))
    _some(rng, 0.7, case, "attempts", [{"name": "before", "tried": tried}])
    return case


cases = st.integers(0, 2**32).map(random_case)
"""Random cases for Hypothesis."""


# What is done to them -----------------------------------------------------------------------------


def changed(case: Mapped, path: str, value: Any) -> Mapped:
    """A copy with a value at a dotted path; None takes what is there away."""
    copy = deepcopy(case)
    at = copy
    *way, last = path.split(".")
    for step in way:
        inner = at.get(step)
        at[step] = inner if isinstance(inner, dict) else {}
        at = at[step]
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return copy


def changed_all(case: Mapped, changes: Mapping[str, Any]) -> Mapped:
    """A copy with several values, by their dotted paths."""
    for path, value in changes.items():
        case = changed(case, path, value)
    return case


def at(case: Mapped, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = case
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def most(number: Any) -> float | None:
    """The upper end of an amount of a case file; None where there is none."""
    if isinstance(number, dict):
        return float(number["high"])
    return None if number is None else float(number)


def least(number: Any) -> float | None:
    """The lower end of an amount of a case file; None where there is none."""
    if isinstance(number, dict):
        return float(number["low"])
    return None if number is None else float(number)


def with_today(case: Mapped) -> Mapped:
    """The case with a model in use, where it names none."""
    models = [*case.get("models", ())]
    serving = [one for one in models if not str(one["id"]).startswith("local:")]
    if not any(one.get("kind", "prompted") == "prompted" for one in serving):
        models.append({"id": "what-runs-now"})
    return {**case, "models": models}


def with_model(case: Mapped, model: Mapped) -> Mapped:
    """The case with another model, which is never the one in use."""
    named = with_today(case)
    return {**named, "models": [*named["models"], model]}


def tried_in_vain(case: Mapped, option: str, model: str = "") -> Mapped:
    """The case after one more option was tried, and the targets are missed as before."""
    attempts = [*case.get("attempts", ())]
    attempt: Mapped = {"name": f"tried {option} {len(attempts)}", "tried": [option]}
    if model:
        attempt["models"] = [model]
    return {**case, "attempts": [*attempts, attempt]}


# Judging ------------------------------------------------------------------------------------------


def sure(figure: Figure | Unknown) -> Figure:
    """The same figure, which has to be known."""
    assert isinstance(figure, Figure), figure
    return figure


def figure_of(value: float, low: float, high: float, cases: int = 0) -> Figure:
    """A figure of a lab's arm, counted on held-out cases."""
    counted = {"cases": cases} if cases else {}
    return Figure(
        value=value, low=low, high=high, grade="held_out", source="lab", **counted
    )


def arm(name: str, kind: str, quality: float, **about: Any) -> LabArm:
    """An arm of a lab as it is kept: right in so many of 2,000 cases, at a price a call."""
    seconds = about.pop("seconds", 1.0)
    usd = about.pop("usd", 0.005)
    return LabArm(
        **{
            "id": name, "title": name, "lab": "verify", "kind": kind, "model": name, "made_of": (),
            "quality": figure_of(quality, quality - 0.01, quality + 0.01, 2000),
            "latency_p95_s": figure_of(seconds, seconds, seconds),
            "usd_per_call": figure_of(usd, usd, usd), "general_skills": "yes", "safe": "yes",
            **about,
        }
    )  # fmt: skip


def judged(
    world: World,
    case: Mapped | None = None,
    arms: Sequence[LabArm] = (),
    **evidence: Any,
) -> Any:
    """The dossier of a case, or of what was made of it, without draws of the money.

    Its attributes have the names of the JSON. Typed as anything: a law that names a field which
    isn't there fails as it is held, and says which.
    """
    loaded = load_case(world.case if case is None else case)
    if world.origin is not None:
        loaded = loaded.with_origin(world.origin)
    kept = [answers_arms.arms_series("verify", arms)] if arms else []
    measured = evidence or (None if world.origin is not None and not arms else {})
    return decide(
        loaded,
        world.framework,
        as_of=DAY,
        evidence=measured,
        series=kept,
        draw=lambda *_: None,
    )


@cache
def _kept(name: str, source: str) -> Any:
    return judged(next(world for world in SOURCES[source]() if world.id == name))


def as_it_is(world: World, source: str) -> Any:
    """The dossier of the case as it is, judged once for all laws."""
    return _kept(world.id, source)


def steps(dossier: Any) -> tuple[Any, ...]:
    """The recommended steps; none where there is no recommendation."""
    return tuple(getattr(dossier.recommendation, "steps", ()))


def first_step(dossier: Any) -> str:
    """The kind of the first step; empty where there is none."""
    return next((str(step.option) for step in steps(dossier)), "")


def ways(dossier: Any) -> dict[str, Any]:
    """The table of ways by id."""
    return {way.id: way for way in dossier.ways}


def way_of_first(dossier: Any) -> Any:
    """The way that the first step leads to; None where the step leads to none."""
    named = next((step.way for step in steps(dossier)), "")
    return ways(dossier).get(named)


def number_of(value: Any) -> float | None:
    """A number of a dossier; None where it is unknown."""
    return float(value) if isinstance(value, int | float) else None


def goes_further(before: Any, after: Any) -> bool:
    """Whether an answer goes further towards tuning; never so from or to an open one."""
    first = ANSWERS.get(before.verdict.answer)
    then = ANSWERS.get(after.verdict.answer)
    return first is not None and then is not None and then > first


def told(dossier: Any) -> str:
    """What a dossier answers, for a failure."""
    rule = getattr(dossier.verdict, "rule", "?")
    first = [f"{step.option}({getattr(step, 'way', '?')})" for step in steps(dossier)]
    return f"{dossier.verdict.answer} by {rule}, steps {', '.join(first[:3])}"


class Broken:
    """Where a law doesn't hold; it must have been held against something at all."""

    def __init__(self, law: str) -> None:
        self.law = law
        self.held = 0  #: How often it was held against a case.
        self.cases: list[str] = []

    def look(self, holds: bool, where: World | str, *says: object) -> None:
        """Hold the law against a case."""
        self.held += 1
        if not holds:
            name = where if isinstance(where, str) else where.id
            self.cases.append(f"{name}: {'; '.join(map(str, says))}")

    def judge(self, *, at_least: int = 1) -> None:
        """Fail where it was broken, or where it was held against too few cases to mean anything."""
        shown = "\n  ".join(self.cases[:12])
        share = f"{len(self.cases)} of {self.held}"
        assert not self.cases, f"{self.law}: broken in {share}:\n  {shown}"
        assert self.held >= at_least, f"{self.law}: held against {self.held} cases only"


def spread(items: Sequence[T], many: int) -> Sequence[T]:
    """So many of a sequence, evenly; half of it where somebody looks hard, all in a search."""
    if SEARCHES or len(items) <= many:
        return items
    if LOOKS_HARD:
        many = max(many, len(items) // 2)
    return [items[place * len(items) // many] for place in range(many)]
