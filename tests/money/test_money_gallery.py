"""What ``invest`` prints for the gallery, worked out again with a pocket calculator's arithmetic.

From case.yaml, the cost tables of the framework's file, the record of the goal that the dossier
names and the public price list: nothing here is the program's own. Only what is told is compared.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import decide, load_case
from tuneworthy.model.base import Number, Range, Unknown
from tuneworthy.model.dossier import InvestmentResult
from tuneworthy.pipeline import framework_of
from tuneworthy.report.blocks import Fold, Picture, Table
from tuneworthy.report.sections import money as money_words
from tuneworthy.report.sections import plan as plan_words
from tuneworthy.report.sections.common import dollars, parts_text

GALLERY = Path(__file__).resolve().parents[2] / "examples"
SLUGS = sorted(path.parent.name for path in GALLERY.glob("*/case.yaml"))
AS_OF = date(2026, 11, 24)
RULES = GALLERY.parent / "src/tuneworthy/framework/catalogue"
FACTS = GALLERY.parent / "src/tuneworthy/facts/assumptions.yaml"
PRICES = GALLERY.parent / "src/tuneworthy/llm/genai_prices/prices.json"
MONTHS, HOURS = 36, 730
ENDS = ("low", "likely", "high")
Spread = tuple[float, ...]
"""Low, likely, high."""
Values = dict[str, float]


@cache
def told(slug: str) -> Any:
    case = load_case(GALLERY / slug)
    return decide(case, framework_of(case), as_of=AS_OF).to_dict()


@cache
def table() -> Any:
    return yaml.safe_load((RULES / "lesson.yaml").read_text(encoding="utf-8"))


@cache
def outside(name: str) -> Spread:
    entries = yaml.safe_load(FACTS.read_text(encoding="utf-8"))["assumptions"]
    # all that was known on the day of the gallery
    first = min(each["dated"] for each in entries)
    return next(
        spread(each)
        for each in entries
        if (each["about"], each["dated"]) == (name, first)
    )


def spread(stated: Any) -> Spread:
    if isinstance(stated, dict):
        low, high = float(stated["low"]), float(stated["high"])
        return low, float(stated.get("likely", (low + high) / 2)), high
    return float(stated), float(stated), float(stated)


MEASURED = {
    "requests_per_month": "calls", "usd_per_month": "bill", "input_tokens": "tokens in",
    "output_tokens": "tokens out", "growth_per_month": "growth",
}  # fmt: skip


class Paper:
    """A sheet of paper with a case's money on it.

    Every sum is a list of products: the inputs that are multiplied, and a plain factor.
    """

    def __init__(self, slug: str) -> None:
        self.case = yaml.safe_load(
            (GALLERY / slug / "case.yaml").read_text(encoding="utf-8")
        )
        self.slug, self.inputs = slug, dict[str, Spread]()
        self.prices = dict[str, tuple[float, float]]()
        self.money = self.case.get("economics", {})
        self.monthly, self.traffic = (
            self.money.get("monthly", {}),
            self.money.get("traffic", {}),
        )
        for name, stated in (
            ("rate", self.money.get("hourly_rate_usd")),
            ("saving", self.monthly.get("api_savings_usd")),
            ("quality", self.monthly.get("quality_value_usd")),
            ("bill", self.case.get("today", {}).get("usd_per_month")),
            ("calls", self.traffic.get("requests_per_month")),
            ("growth", self.traffic.get("growth_per_month")),
            ("tokens in", self.traffic.get("input_tokens")),
            ("tokens out", self.traffic.get("output_tokens")),
        ):
            if stated is not None:
                self.inputs[name] = spread(stated)
        measured = told(slug)["evidence"]
        for one in measured if isinstance(measured, list) else ():
            if one["id"] in MEASURED and one["role"] == "settles":
                self.inputs[MEASURED[one["id"]]] = (
                    one["low"],
                    one["value"],
                    one["high"],
                )
        self.upfront, self.again = self._upfront()
        self.running = self._running()
        self.hosted = self.case.get("tuning", {}).get("service") != "self_hosted"

    def term(
        self, name: str, stated: Any, factor: float = 1.0, *, hours: bool
    ) -> list[Any]:
        if stated is None or spread(stated)[2] == 0:
            return []
        self.inputs[name] = spread(stated)
        return [((name, "rate") if hours else (name,), factor)]

    def rows(self, which: str) -> dict[str, list[Any]]:
        found = {}
        for name, row in table()["costs"][which].items():
            factor = 1 / 3 if row.get("every") == "quarter" else 1.0
            found[name] = [
                *self.term(
                    f"{name} hours, table", row.get("hours"), factor, hours=True
                ),
                *self.term(f"{name} usd, table", row.get("usd"), factor, hours=False),
            ]
        return found

    def shares(
        self, which: str, kinds: tuple[str, ...], rate: float = 1.0
    ) -> dict[str, float]:
        """How the table's middles split: of hours, of money, or of both in USD."""
        whole = {}
        for name, row in table()["costs"][which].items():
            hours, usd = (spread(row.get(kind, 0))[1] for kind in ("hours", "usd"))
            part = hours * rate * ("hours" in kinds) + usd * ("usd" in kinds)
            whole[name] = part / (3 if row.get("every") == "quarter" else 1)
        return {n: part / sum(whole.values()) for n, part in whole.items() if part}

    def _upfront(self) -> tuple[dict[str, list[Any]], tuple[str, ...]]:
        stated = self.money.get("upfront") or {}
        again = ("data_preparation", "training")
        kinds = [kind for kind in ("hours", "usd") if kind in stated]
        if kinds:
            parts: dict[str, list[Any]] = {}
            for kind in kinds:
                for name, share in self.shares("upfront", (kind,)).items():
                    more = self.term(
                        f"upfront {kind}", stated[kind], share, hours=kind == "hours"
                    )
                    parts[name] = parts.get(name, []) + more
            return parts, again
        if stated:
            return {
                name: [
                    *self.term(f"{name} hours", each.get("hours"), hours=True),
                    *self.term(f"{name} usd", each.get("usd"), hours=False),
                ]
                for name, each in stated.items()
            }, again
        parts = self.rows("upfront")
        if "tokens in" in self.inputs:
            self._by_the_token(parts, told(self.slug)["approaches"][0]["data"])
        return parts, again

    def _by_the_token(self, parts: dict[str, list[Any]], need: Any) -> None:
        """Training by tokens, price and passes where that is more than the table's small run."""
        have = self.case["data"]["examples"]
        have = have["count"] if isinstance(have, dict) else have
        size = (need["low"], min(have, need["high"]), min(have, need["high"]))
        tokens = [a + b for a, b in zip(self.inputs["tokens in"], self.inputs["tokens out"],
                                        strict=True)]  # fmt: skip
        price, passes = outside("training_usd_per_mtok"), outside("epochs")
        usd = [
            n * t * p * e / 1e6
            for n, t, p, e in zip(size, tokens, price, passes, strict=True)
        ]
        if usd[1] > table()["costs"]["upfront"]["training"]["usd"]["high"]:
            del self.inputs["training usd, table"]
            self.inputs["training by the token"] = (usd[0], usd[1], usd[2])
            parts["training"] = [(("training by the token",), 1.0)]

    def _running(self) -> dict[str, list[Any]]:
        if "ongoing_usd" in self.monthly:
            rate = self.inputs["rate"][1]
            parts = self.shares("ongoing", ("hours", "usd"), rate)
            whole = self.term("running", self.monthly["ongoing_usd"], hours=False)
            return (
                {n: [(whole[0][0], share)] for n, share in parts.items()}
                if whole
                else {}
            )
        stated = self.monthly.get("ongoing")
        if stated is None:
            return self.rows("ongoing")
        quarter = stated.get("retraining_hours_per_quarter")
        return {
            "inference": self.term("serving", stated.get("inference_usd"), hours=False),
            "other": self.term("other running", stated.get("other_usd"), hours=False),
            "monitoring": self.term(
                "monitoring", stated.get("monitoring_hours"), hours=True
            ),
            "retraining": self.term("retraining", quarter, 1 / 3, hours=True),
        }

    def at(self, end: int) -> Values:
        return {name: ends[end] for name, ends in self.inputs.items()}

    @staticmethod
    def total(terms: list[Any], values: Values) -> float:
        return float(
            sum(math.prod(values[name] for name in names) * f for names, f in terms)
        )

    def ends(self, terms: list[Any]) -> Spread:
        low, middle, high = (self.total(terms, self.at(end)) for end in range(3))
        return low, middle, high

    def changes(self) -> dict[str, Spread]:
        """Hours of one change: the least of the prompt's options, and a quarter's retraining."""
        options = table()["options"].values()
        prompts = [
            o["effort_hours"]
            for o in options
            if "effort_hours" in o and o["kind"] == "prompt"
        ]
        ongoing = self.money.get("monthly", {}).get("ongoing", {})
        retraining = table()["costs"]["ongoing"]["retraining"]["hours"]
        return {
            "one change of the prompt": spread(
                min(prompts, key=lambda hours: hours["high"])
            ),
            "one change of the tuned model": spread(
                ongoing.get("retraining_hours_per_quarter", retraining)
            ),
        }

    @cached_property
    def in_time(self) -> float:
        """Months in which it has to pay back: the rule of its own framework, or the lesson's."""
        own = GALLERY / self.slug / "framework.yaml"
        rules = yaml.safe_load(own.read_text(encoding="utf-8")) if own.exists() else {}
        return float(rules.get("break_even", table()["break_even"])["under_months"])

    @cached_property
    def whole(self) -> list[Any]:
        return [term for part in self.upfront.values() for term in part]

    @cached_property
    def month(self) -> list[Any]:
        return [term for part in self.running.values() for term in part]

    @cached_property
    def pilot(self) -> list[Any]:
        """A tenth of the data and the training, half the evaluation and half of the other half."""
        tenth = {"data_preparation": 0.1, "training": 0.1, "evaluation": 0.75}
        return [(names, f * tenth[part]) for part, terms in self.upfront.items() if part in tenth
                for names, f in terms]  # fmt: skip

    @cached_property
    def retrained(self) -> list[Any]:
        return [term for name in self.again for term in self.upfront.get(name, [])]

    # A call's price, and the bill of a month.

    def price(self, model: str) -> tuple[float, float]:
        if model not in self.prices:
            self.prices[model] = self._price(model)
        return self.prices[model]

    def _price(self, model: str) -> tuple[float, float]:
        for each in self.case.get("models", []):
            if each["id"] == model and "usd_per_mtok" in each:
                return float(each["usd_per_mtok"]["input"]), float(
                    each["usd_per_mtok"]["output"]
                )
        provider, _, name = model.partition(":")
        listed = json.loads(PRICES.read_text("utf-8"))["providers"]
        (of_provider,) = [each["models"] for each in listed if each["id"] == provider]
        (rates,) = [each["rates"] for each in of_provider if each["id"] == name]
        in_force = [
            each
            for each in rates
            if each.get("start", "") <= AS_OF.isoformat()
            and ("hours" not in each or each["hours"][0] <= "12:00" < each["hours"][1])
        ]
        prices = (in_force[-1]["input"], in_force[-1]["output"])
        # One in tiers counts by its base: no case has requests that long.
        of_input, of_output = (
            each["base"] if isinstance(each, dict) else each for each in prices
        )
        return float(of_input), float(of_output)

    def served(self, model: str, values: Values) -> float:
        by_input, by_output = self.price(model)
        tokens = values["tokens in"] * by_input + values["tokens out"] * by_output
        return values["calls"] * tokens / 1e6

    def bill(self, values: Values, month: int) -> float:
        """What runs today in a month from now, after growth, a fall of prices, and an end."""
        grown = (1 + values.get("growth", 0.0)) ** month
        fallen = (1 - values["fall"]) ** (month / 12)
        if "bill" in values and not (self.succeeded and month > self.left):
            return values["bill"] * (1.0 if self.own else float(grown * fallen))
        if not self.has_bill:
            return math.inf
        model = self.case["models"][0]["id"]
        assert model == "openai:gpt-4o"
        model = "openai:gpt-6-luna" if month > self.left else model
        return float(self.served(model, values) * grown * fallen)

    @property
    def left(self) -> float:
        """Months until the model in use ends: as stated, or on the day its provider names."""
        ends = self.case["models"][0].get("ends", date(2027, 1, 14))
        return float((ends - AS_OF).days / (365.25 / 12))

    @property
    def succeeded(self) -> bool:
        """Whether a model with a stated bill ends, so that its successor's price follows."""
        return any("ends" in model for model in self.case.get("models", ())[:1])

    @property
    def own(self) -> bool:
        return bool(self.case.get("today", {}).get("api") == "own")

    @property
    def has_bill(self) -> bool:
        return "bill" in self.inputs or any(
            "usd_per_mtok" in m for m in self.case.get("models", ())
        )

    @property
    def a_call(self) -> Spread:
        """What a call costs today: the bill over the calls, or tokens at their price."""
        calls = self.inputs["calls"]
        if "bill" in self.inputs:
            low, middle, high = self.inputs["bill"]
            return low / calls[2], middle / calls[1], high / calls[0]
        each = [
            self.served("openai:gpt-4o", self.at(end)) / calls[end] for end in range(3)
        ]
        return each[0], each[1], each[2]

    # Month by month.

    @cached_property
    def drawn(self) -> dict[str, Spread]:
        """Every amount that the months read."""
        read = {
            name
            for names, _ in [*self.whole, *self.month, *self.retrained]
            for name in names
        }
        read |= {"saving", "quality"} & set(self.inputs)
        if "saving" in self.inputs and "bill" in self.inputs:
            tokens = {"tokens in", "tokens out"} if self.succeeded else set()
            read |= {"bill", *(({"growth", "calls"} | tokens) & set(self.inputs))}
        elif "saving" in self.inputs and self.has_bill:
            read |= {"growth", "calls", "tokens in", "tokens out"} & set(self.inputs)
        found = {name: self.inputs[name] for name in read}
        goals = self.case["goals"]
        goal = goals if isinstance(goals, str) else goals[0]
        published = yaml.safe_load(
            (RULES / "published_effects.yaml").read_text(encoding="utf-8")
        )
        (count,) = [each for each in published["winners"] if each["goal"] == goal]
        tuned = count["won"].get("fine_tune", 0) + count["won"].get("hybrid", 0)
        rate = tuned / sum(count["won"].values())
        found["failure"] = (1 - count["high"], 1 - rate, 1 - count["low"])
        chance = self.chance_by_the_table()
        if chance is not None:
            found["failure"] = (1 - chance,) * 3
        found["discount"] = outside("discount_per_year")
        found["fall"] = outside("price_fall_per_year")
        if self.hosted:
            found["life"] = outside("model_life_months")
        return found

    def chance_by_the_table(self) -> float | None:
        """Where a target is missed: how likely the dossier's best kind of tuning meets it."""
        states = {
            name: target["state"] for name, target in told(self.slug)["targets"].items()
        }
        missed = {name for name, state in states.items() if state == "missed"} - {
            "privacy"
        }
        kinds = [way for way in told(self.slug)["ways"] if way["kind"] == "tuning"]
        able = [
            way["chance"] for way in kinds if isinstance(way["chance"], float | int)
        ]
        # untried is never surely in vain
        return max(able[0], 0.02) if missed and able else None

    def until(self) -> float | None:
        """Months until the tuned model's service ends, where that lies ahead."""
        until = self.case.get("tuning", {}).get("until")
        return (until - AS_OF).days / (365.25 / 12) if until and until > AS_OF else None

    def follow(
        self, values: Values, works: float
    ) -> tuple[float, float, list[float], float]:
        """Net present value, months to break-even, the sums, and what a month of waiting costs."""
        spent = works * self.total(self.whole, values)
        spent += (1 - works) * self.total(self.lost, values)
        step = (1 + values["discount"]) ** (-1 / 12)
        anew, life = self.total(self.retrained, values), values.get("life", math.inf)
        first, before = self.until(), 0.0
        costs, fixed = self.total(self.month, values), values.get("quality", 0.0)
        sums, worth, back = [-spent], -spent, 0.0 if spent <= 0 else math.inf
        waiting, result = -(1 - step) * spent, 0.0
        for month in range(1, MONTHS + 1):
            saved = values.get("saving", 0.0)
            if saved:
                saved = min(saved, self.bill(values, month - 1))
            result = saved + fixed - costs
            again = anew * tuned_again(month, life, first)
            flow = works * (result - again)
            worth += flow * step**month
            waiting -= works * (again - before) * step**month
            waiting += works * result * step if month == 1 else 0.0
            before = again
            if back == math.inf and sums[-1] + flow >= 0:
                back = month - 1 - sums[-1] / flow
            sums.append(sums[-1] + flow)
        rest = works * (result - anew / life)
        if back == math.inf and rest > 0:
            back = MONTHS - sums[-1] / rest
        return worth, back if works else math.inf, sums, waiting

    @cached_property
    def lost(self) -> list[Any]:
        """What is lost where it fails: the pilot, or all of it where none comes first."""
        return (
            self.whole
            if self.case.get("tuning", {}).get("pilot") is False
            else self.pilot
        )


def tuned_again(month: int, life: float, first: float | None) -> int:
    """How often the model is tuned again at a month's start; a known end comes first."""
    if first is not None and month - first <= 1:
        return 1 if month > first else 0
    since = month - (first or 0.0)
    return 0 if month == 1 else math.ceil(since / life) - math.ceil((since - 1) / life)


@cache
def paper(slug: str) -> Paper:
    return Paper(slug)


def near(number: Any) -> Any:
    return pytest.approx(number, rel=1e-9, abs=1e-6)


def same(said: Any, ends: Spread) -> None:
    """An amount of a dossier: one number, or two ends of which the last may be never."""
    if isinstance(said, dict):
        assert said["low"] == near(ends[0])
        assert (
            math.isinf(ends[2])
            if said["high"] == "open"
            else said["high"] == near(ends[2])
        )
    elif said == "never":
        assert math.isinf(ends[0])
    else:
        assert said == near(ends[1])
        assert ends[0] == near(ends[2])


WITHOUT_MONEY = (
    "bank-call-routing", "clinic-intake", "code-assistant", "first-idea", "municipal-services",
    "pharmacovigilance", "university-helpdesk", "youth-helpline",
)  # fmt: skip
"""By name, so that nothing is judged where tests are only listed."""

WITH_MONEY = [slug for slug in SLUGS if slug not in WITHOUT_MONEY]


def test_most_of_the_gallery_has_money() -> None:
    assert len(SLUGS) == 25
    assert len(WITH_MONEY) == 17
    for slug in SLUGS:
        assert ("ask" in told(slug)["investment"]) == (slug in WITHOUT_MONEY)
    for slug in WITHOUT_MONEY:
        case = yaml.safe_load(
            (GALLERY / slug / "case.yaml").read_text(encoding="utf-8")
        )
        assert "hourly_rate_usd" not in case.get("economics", {})
        assert "usd_per_month" not in case.get("today", {})
        assert all("usd_per_mtok" not in model for model in case.get("models", ()))


@pytest.mark.parametrize("slug", WITH_MONEY)
def test_costs_come_to_the_same_on_paper(slug: str) -> None:
    said, sheet = told(slug)["investment"], paper(slug)
    whole, month, pilot = (
        sheet.ends(t) for t in (sheet.whole, sheet.month, sheet.pilot)
    )
    same(said["upfront_usd"], whole)
    same(said["ask_usd"]["run_month"], month)
    same(said["ask_usd"]["pilot"], pilot)
    left = [a - b for a, b in zip(whole, pilot, strict=True)]
    same(said["ask_usd"]["build"], (left[0], left[1], left[2]))
    bring = [a + b / sheet.in_time for a, b in zip(month, whole, strict=True)]
    same(said["must_bring_usd"], (bring[0], bring[1], bring[2]))
    tested = sheet.upfront.get("evaluation")
    if tested:
        assert said["case_usd"] == near(sheet.ends(tested)[1] / 2 / 200)
    else:
        assert "economics.upfront.evaluation" in said["case_usd"]["ask"]
    lines = {(one["when"], one["what"]): one["usd"] for one in said["items"]}
    if sheet.hosted:
        low, middle, high = (hour * HOURS for hour in outside("endpoint_usd_per_hour"))
        same(lines.pop(("each month", "endpoint of its own")), (low, middle, high))
    same(lines.pop(("up front", "of it a pilot")), pilot)
    for when, parts in (("up front", sheet.upfront), ("each month", sheet.running)):
        for name, terms in parts.items():
            if terms:
                same(lines.pop((when, name.replace("_", " "))), sheet.ends(terms))
    for what, hours in sheet.changes().items():
        cost = lines.pop(("each change", what), None)
        if cost is not None and "ask" not in (cost if isinstance(cost, dict) else ()):
            rate = spread(sheet.money["hourly_rate_usd"])
            same(cost, tuple(each * a for each, a in zip(hours, rate, strict=True)))
    assert lines == {}


@pytest.mark.parametrize("slug", WITH_MONEY)
def test_what_is_left_comes_to_the_same_on_paper(slug: str) -> None:
    said, sheet = told(slug)["investment"], paper(slug)
    whole, month = sheet.ends(sheet.whole), sheet.ends(sheet.month)
    zero = (0.0, 0.0, 0.0)
    saving, quality = (sheet.inputs.get(name, zero) for name in ("saving", "quality"))
    net = [saving[e] + quality[e] - month[2 - e] for e in range(3)]
    same(said["monthly_net_usd"], (net[0], net[1], net[2]))
    same(
        said["break_even_months"]["point"],
        tuple(back(whole[e], net[2 - e]) for e in range(3)),
    )
    again = Paper(slug)
    terms = [term for part in again.rows("ongoing").values() for term in part]
    table_month = again.ends(terms)
    same(said["by_table"]["ongoing_usd"], table_month)
    by_table = [saving[e] + quality[e] - table_month[2 - e] for e in range(3)]
    same(
        said["by_table"]["break_even_months"],
        tuple(back(whole[e], by_table[2 - e]) for e in range(3)),
    )


def back(spent: float, left: float) -> float:
    return spent / left if left > 0 else math.inf


@pytest.mark.slow
@pytest.mark.parametrize("slug", WITH_MONEY)
def test_bills_come_to_the_same_on_paper(slug: str) -> None:
    said, sheet = told(slug)["investment"], paper(slug)
    if "bill" in sheet.inputs:
        same(said["bill_usd"], sheet.inputs["bill"])
    elif not sheet.has_bill:
        assert said["bill_usd"]["unknown"]
    computed = said["computed"]
    for way in (*computed.get("servings", ()), *computed.get("rivals", ())):
        assert way["how"] == "as_is"
        ends = [sheet.served(way["model"], sheet.at(end)) for end in range(3)]
        same(way["usd_per_month"], (ends[0], ends[1], ends[2]))
    if "saving" in sheet.inputs and not isinstance(said["bill_usd"], dict):
        most = said["bill_usd"]
        capped = [min(end, most) for end in sheet.inputs["saving"]]
        same(said["possible_saving_usd"], (capped[0], capped[1], capped[2]))


NAMES = {
    "chance that tuning fails": "failure", "discount a year": "discount",
    "fall of the untuned price, a year": "fall", "life of a tuned model": "life",
    "hourly rate": "rate", "saving on calls": "saving", "worth of better answers": "quality",
    "growth of traffic": "growth", "number of calls": "calls", "input tokens a call": "tokens in",
    "output tokens a call": "tokens out", "bill today": "bill", "hours up front": "upfront hours",
    "money up front": "upfront usd", "running costs": "running", "serving": "serving",
    "hours of monitoring": "monitoring", "hours of retraining": "retraining",
    "other running costs": "other running",
    "money for training by the token": "training by the token",
}  # fmt: skip
SHARES = ("failure", "fall")


def named(label: str) -> str:
    if label.endswith(" (table)"):
        kind, _, what = label.removesuffix(" (table)").replace("money for", "usd of").partition(
            " of ")  # fmt: skip
        return f"{what.replace(' ', '_')} {kind}, table"
    kind, _, what = label.replace("money for", "usd of").partition(" of ")
    return NAMES.get(label) or f"{what.replace(' ', '_')} {kind}"


def ends_of(name: str, at: Spread) -> tuple[float, float]:
    if at[0] < at[2]:
        return at[0], at[2]
    return at[1] * 0.75, min(at[1] * 1.25, 1.0) if name in SHARES else at[1] * 1.25


@pytest.mark.parametrize("slug", WITH_MONEY)
def test_scenarios_and_what_it_hangs_on_come_to_the_same_on_paper(slug: str) -> None:
    said, sheet = told(slug)["investment"], paper(slug)
    drawn = sheet.drawn
    middle = {name: at[1] for name, at in drawn.items()}
    odds = 1 - middle["failure"]
    assert said["simulation"]["likely_usd"] == near(sheet.follow(middle, odds)[0])
    worse, better = dict(middle), dict(middle)
    swings = {named(one["input"]): one for one in said["simulation"]["tornado"]}
    for name, at in drawn.items():
        low, high = ends_of(name, at)
        worth = [
            sheet.follow({**middle, name: v}, 1 - v if name == "failure" else odds)[0]
            for v in (low, high)
        ]
        if abs(worth[0] - worth[1]) <= 0.01:
            continue
        swing = swings.pop(name)
        assert [swing["low_usd"], swing["high_usd"]] == [near(w) for w in worth], name
        worse[name], better[name] = (low, high) if worth[0] <= worth[1] else (high, low)
    assert swings == {}
    for values, one in zip((worse, middle, better), said["scenarios"], strict=True):
        worth_, months, sums, _ = sheet.follow(values, 1.0)
        assert one["npv_usd"] == near(worth_)
        assert one["upfront_usd"] == near(-sums[0])
        assert one["first_month_usd"] == near(sums[1] - sums[0])
        told_back = one["break_even_months"]
        assert math.isinf(months) if told_back == "never" else told_back == near(months)


def pert(rng: random.Random, at: Spread) -> float:
    low, likely, high = at
    if low == high:
        return likely
    rise = 1 + 4 * (likely - low) / (high - low)
    return low + (high - low) * rng.betavariate(rise, 6 - rise)


DRAWS = 1000


@cache
def draws(slug: str) -> list[tuple[Values, bool]]:
    rng, sheet = random.Random(slug), paper(slug)
    found = []
    for _ in range(DRAWS):
        # in an order of their own: that of a set changes from run to run
        values = {name: pert(rng, at) for name, at in sorted(sheet.drawn.items())}
        found.append((values, rng.random() >= values["failure"]))
    return found


@cache
def results(slug: str) -> list[tuple[float, float, bool, list[float], float]]:
    found, sheet = [], paper(slug)
    for values, works in draws(slug):
        worth, months, sums, waiting = sheet.follow(values, float(works))
        found.append((worth, months, works, sums, waiting))
    return found


def rank(values: list[float], share: float, errors: float) -> Iterator[float]:
    """A quantile of drawn values and the same a few standard errors of its rank to either side."""
    ordered = sorted(values)
    for off in (-errors, errors):
        at = share + off * math.sqrt(share * (1 - share) / len(values))
        yield ordered[min(max(math.ceil(at * len(values)) - 1, 0), len(values) - 1)]


def sheet_cost(slug: str) -> float:
    sheet = paper(slug)
    return sheet.total(sheet.whole, sheet.at(1))


@pytest.mark.slow
@pytest.mark.parametrize("slug", WITH_MONEY)
def test_the_draws_agree_with_other_draws_within_chance(slug: str) -> None:
    said, found = told(slug)["investment"], results(slug)
    drawn, n = said["simulation"], len(found)
    assert drawn["horizon_months"] == MONTHS

    def close(told_: float, values: list[float]) -> None:
        mean = fmean(values)
        sd = math.sqrt(fmean((v - mean) ** 2 for v in values))
        kept = len(values) / n  # of the runs: those that work, or all of them
        chance = math.sqrt(1 / len(values) + 1 / (kept * drawn["draws"]))
        # all of these agree, and a few others may not
        rare = 5 / len(values) if sd == 0 else 0.0
        assert told_ == pytest.approx(mean, abs=5 * sd * chance + rare)

    close(said["gain_usd"], [worth for worth, *_ in found])
    spent = [-sums[0] if works else sheet_cost(slug) for _, _, works, sums, _ in found]
    at_once = fmean([worth if works else -cost for (worth, _, works, *_), cost in
                     zip(found, spent, strict=True)])  # fmt: skip
    worth_ = {one["what"]: one["usd"] for one in said["worth"]}
    gain = max(fmean([worth for worth, *_ in found]), 0.0) - max(at_once, 0.0)
    pilot = worth_.get("a pilot before the rest is built, less its cost", 0.0)
    assert pilot == pytest.approx(gain, rel=0.5, abs=0.05 * sheet_cost(slug))
    close(drawn["p_works"], [float(works) for _, _, works, *_ in found])
    close(drawn["p_never"], [float(months > MONTHS) for _, months, *_ in found])
    close(drawn["cost_of_waiting_usd"], [waiting for *_, waiting in found])
    working = [months for _, months, works, *_ in found if works]
    close(
        said["p_within_6_months"],
        [float(months < paper(slug).in_time) for months in working],
    )
    for share, key in ((0.1, "p10"), (0.5, "p50"), (0.9, "p90")):
        low, high = rank([worth for worth, *_ in found], share, 6)
        assert low - 1 <= drawn["npv_usd"][key] <= high + 1
        low, high = rank(working, share, 6)
        months = said["break_even_months"][key]
        assert low - 0.1 <= (math.inf if months == "never" else months) <= high + 0.1
        for month in (0, 12, MONTHS):
            low, high = rank([sums[month] for *_, sums, _ in found], share, 6)
            assert low - 1 <= drawn["curve"][month][key] <= high + 1


TAKEN = ("failure", "discount", "fall", "life")
BINS = 10


@pytest.mark.slow
@pytest.mark.parametrize("slug", WITH_MONEY)
def test_knowing_an_amount_is_worth_what_other_draws_say_bin_by_bin(slug: str) -> None:
    """The draws parted by the amount: whoever knows it goes ahead where its bin is above zero."""
    said = {one["what"]: one["usd"] for one in told(slug)["investment"]["worth"]
            if one["kind"] == "amount"}  # fmt: skip
    told_ = {named(what): usd for what, usd in said.items()}
    worth = [each for each, *_ in results(slug)]
    now, size = max(fmean(worth), 0.0), DRAWS // BINS
    noise = math.sqrt(fmean((each - fmean(worth)) ** 2 for each in worth) / size)
    for name, at in paper(slug).drawn.items():
        if at[0] == at[2] or name in TAKEN:
            assert name not in told_
            continue
        order = sorted(range(DRAWS), key=lambda n: draws(slug)[n][0][name])
        bins = [
            fmean(worth[n] for n in order[k * size : (k + 1) * size])
            for k in range(BINS)
        ]
        gain = fmean(max(mean, 0.0) for mean in bins) - now
        assert told_.get(name, 0.0) == pytest.approx(gain, abs=noise)


@pytest.mark.parametrize("slug", WITH_MONEY)
def test_more_cases_are_worth_what_counting_says(slug: str) -> None:
    """Shares drawn from what was counted, cases drawn from each share, less what labels cost."""
    money, case = told(slug)["investment"], paper(slug).case
    row = [one for one in money["worth"] if one["kind"] == "cases"]
    found = told(slug)["evidence"]
    measured = isinstance(found, list) and any(
        one["id"] == "success_share" for one in found
    )
    today, target = case.get("today", {}), case.get("targets", {}).get("quality", {})
    share, cases = today.get("quality"), today.get("cases")
    if (
        measured
        or not (target and share and cases)
        or isinstance(money["case_usd"], dict)
    ):
        assert measured or row == []
        return
    rng, pilot = random.Random(slug), money["ask_usd"]["pilot"]
    lost = (pilot["low"] + pilot["high"]) / 2 if isinstance(pilot, dict) else pilot
    gain, best = max(money["gain_usd"], 0.0), 0.0
    truths = [
        rng.betavariate(share * cases + 1, (1 - share) * cases + 1) for _ in range(2000)
    ]
    chance = fmean(truth < target["at_least"] for truth in truths)
    now = max(chance * gain - (1 - chance) * lost, 0.0)
    for more in (50, 400):
        seen: dict[int, list[bool]] = {}
        for truth in truths:
            spread = math.sqrt(more * truth * (1 - truth))
            # in twentieths
            hits = round((more * truth + rng.gauss(0, 1) * spread) * 20 / more)
            seen.setdefault(hits, []).append(truth < target["at_least"])
        after = sum(
            max(sum(below) * gain - (len(below) - sum(below)) * lost, 0.0)
            for below in seen.values()
        ) / len(truths)  # fmt: skip
        best = max(best, after - now - more * money["case_usd"])
    assert row[0]["usd"] == pytest.approx(best, abs=0.02 * (gain + lost))


def test_every_line_of_the_calculation_adds_up() -> None:
    """Each equation of every step, as somebody would type it into a pocket calculator."""
    typed = 0
    for slug in WITH_MONEY:
        said = told(slug)["investment"]
        steps = [*said["steps"], *said["computed"].get("steps", ())]
        for clause in (
            clause for step in steps for clause in re.split(r": |; |\. ", step)
        ):
            left, _, right = clause.partition(" = ")
            if not right:
                continue
            told_ = re.search(r"-?\$?([\d,]+(?:\.\d+)?)", right)
            assert told_ is not None
            # the ends of a range, not a factor
            left = re.sub(r" \([^()]*–[^()]*\)", "", left)
            signs = "".join(re.findall(r"\d[\d,]*(?:\.\d+)?|[×+/()]|-", left))
            # digits and signs alone
            result = eval(signs.replace("×", "*").replace(",", ""), {})
            assert abs(result) == pytest.approx(
                float(told_[1].replace(",", "")), rel=0.02
            ), clause
            typed += 1
    assert typed > 30


def shown_usd(text: str) -> Spread:
    """The two ends of an amount as it is printed."""
    found = [float(one.replace(",", "")) for one in re.findall(r"\$([\d,.]*\d)", text)]
    return found[0], found[-1]


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_parts_that_stand_beside_their_sum_add_up_as_shown(slug: str) -> None:
    case = load_case(GALLERY / slug)
    dossier = decide(case, framework_of(case), as_of=AS_OF)
    blocks = money_words.investment(dossier).blocks
    for costs in (one for one in blocks if isinstance(one, Fold) and one.id == "costs"):
        (table,), money = costs.blocks, dossier.investment
        assert isinstance(table, Table)
        assert isinstance(money, InvestmentResult)
        sums = {"up front": money.upfront_usd, "each month": money.ask_usd.run_month}
        for when, whole in sums.items():
            lines = zip(table.rows, money.items, strict=True)
            parts = [
                str(row[2]) for row, one in lines if one.in_sum and one.when == when
            ]
            if parts and all("$" in part for part in parts):
                assert tuple(
                    map(sum, zip(*map(shown_usd, parts), strict=True))
                ) == shown_usd(dollars(whole))
    if isinstance(dossier.plan, Unknown):
        return
    (phases,) = (
        one.table
        for one in plan_words.section(dossier).blocks
        if isinstance(one, Picture) and one.id == "gantt"
    )
    costs_of = [str(row[4]) for row in phases.rows]
    for part, total in dossier.plan.parts.items():
        planned = [
            c
            for c, p in zip(costs_of, dossier.plan.phases, strict=True)
            if p.part == part
        ]
        if (
            all("$" in one and "or more" not in one for one in planned)
            and total.usd.high != "open"
        ):
            ends = zip(*map(shown_usd, planned), strict=True)
            assert tuple(map(sum, ends)) == shown_usd(dollars(total.usd))


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([337.5, 337.5, 225.0], ["$338", "$337", "$225"]),
        ([389.19, 486.49, 324.32], ["$389", "$487", "$324"]),
        ([2.346, 3.0, 1.2], ["$2.35", "$3.00", "$1.20"]),
        ([4.7, 42.0], ["$5", "$42"]),
        ([], []),
        ([Unknown(ask="state it"), 12.0], ["not known", "$12"]),
        ([Range(low=1.4, high="open"), 2.4], ["$1.40 or more", "$2.40"]),
    ],
)
def test_a_sum_is_shown_in_parts(parts: list[Number], shown: list[str]) -> None:
    assert parts_text(parts) == shown


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=9))
def test_any_shown_parts_are_within_a_dollar_and_add_up(parts: list[float]) -> None:
    told = [shown_usd(one)[0] for one in parts_text(list(parts))]
    assert math.isclose(sum(told), shown_usd(dollars(sum(parts)))[0], abs_tol=1e-6)
    assert all(abs(a - b) < 1.01 for a, b in zip(told, parts, strict=True))
