"""The sections of a dossier that look ahead: options, money, plan."""

from __future__ import annotations

from datetime import date
from typing import Literal

from tuneworthy.domain.record import Range, Record, State, Unknown

Number = float | Range | Unknown
"""A number, its ends where it is open, or what would settle it."""

Duration = float | Range | Literal["never"] | Unknown
"""Months; ``never`` for what doesn't come."""

Helps = Literal["yes", "partly", "no", "unknown"]
Grade = Literal["measured", "published_cases", "rule_of_thumb"]
"""What a judgement rests on, the best first."""

Risk = Literal["low", "medium", "high"]

Aim = Literal["tune", "confirm", "change"]
"""Tune; or take the steps that would confirm the verdict, or change it."""

Part = Literal["steps", "first_version", "running", "later_goals"]
"""Part of a plan: what comes before or instead, up to the launch, after it, and further goals."""


class OptionResult(Record):
    """Something that could be done instead of tuning, or beside it, or a kind of tuning."""

    id: str
    title: str
    kind: Literal["prompt", "retrieval", "model", "serving", "tuning"]
    rank: int
    """1 for the first to try."""
    helps: Helps
    because: str
    """Why, from this case's own answers."""
    grade: Grade
    quality: Number
    """Share of cases it gets right."""
    usd_per_month: Number
    latency_p95_s: Number
    effort_hours: Number
    weeks: Number
    """Until it is in production."""
    risk: Risk
    dominated_by: str
    """Id of an option that is no worse in anything and better in something, or ``none``."""
    variant_of: str = "none"
    """Id of the option it is one variant of, or ``none``."""
    published: str = ""
    """How often this kind of thing measured best in published cases of the goal it serves."""


class Recommendation(Record):
    """The honest end of the comparison: tune, or the simpler path."""

    choice: Literal["fine_tune", "simpler_path", "both", "undecided"]
    options: tuple[str, ...]
    """Ids to begin with, in order."""
    says: str


class BreakEven(Record):
    """Months until it has paid itself back."""

    point: Duration
    p10: Duration
    p50: Duration
    p90: Duration


class ByTable(Record):
    """The same with the running costs of the framework's own table."""

    ongoing_usd: Number
    break_even_months: Duration


class Serving(Record):
    """One way to serve the traffic, with its price."""

    model: str
    how: Literal["as_is", "cached", "batched", "self_hosted"]
    tuned: bool
    usd_per_month: Number
    admissible: State
    why: str
    """Why it is admissible or not: targets, sovereignty, a price that isn't known."""


class Computed(Record):
    """What tuning saves by traffic and prices, beside what was stated."""

    servings: tuple[Serving, ...]
    """Every way, the cheapest first; those without a price last, with what would give them one."""
    best_untuned: str
    """The cheapest admissible untuned serving; one that may turn out admissible where there is none
    yet; or ``none``."""
    savings_usd_per_month: Number
    """Cost of that one less the tuned one, on the same traffic; may be negative."""
    pays_from_requests_per_month: Number | Literal["never"]
    """The monthly volume from which the running costs are earned back."""
    pays_from_month: Duration
    """The month in which the stated growth gets there; 0 for today."""
    steps: tuple[str, ...]
    """The calculation, line by line, so that it can be checked."""


class Percentiles(Record):
    """10th, 50th and 90th percentile."""

    p10: float
    p50: float
    p90: float


class Month(Record):
    """Cumulated money at the end of a month, in USD."""

    month: int
    p10: float
    p50: float
    p90: float


class Swing(Record):
    """What one input alone does to the net present value, at its low and at its high end."""

    input: str
    low_usd: float
    high_usd: float


class Simulation(Record):
    """The investment drawn many times."""

    draws: int
    """1 where nothing varies: every draw would be the same."""
    horizon_months: int
    p_never: float
    """Share of draws that don't pay back within the horizon, those that fail among them."""
    npv_usd: Percentiles
    curve: tuple[Month, ...]
    tornado: tuple[Swing, ...]
    """The inputs that are ranges, the widest swing first."""
    cost_of_waiting_usd: Number
    """Net present value lost for each month the start is put off; negative when waiting pays."""
    assumes: tuple[str, ...]
    """What was taken as given because nobody stated it."""


class InvestmentResult(Record):
    """The money."""

    upfront_usd: Number
    monthly_net_usd: Number
    break_even_months: BreakEven
    p_within_6_months: Number
    justified: State
    why: str
    assumed: tuple[str, ...]
    """Costs nobody stated, taken from the framework's table."""
    by_table: ByTable
    steps: tuple[str, ...]
    """The calculation from the amounts to the break-even, line by line."""
    computed: Computed | Unknown
    simulation: Simulation | Unknown


class Phase(Record):
    """A phase of the plan."""

    id: str
    title: str
    part: Part
    """The part of the plan it belongs to."""
    hours: Range
    usd: Range
    """``open`` at its upper end where hours have no price."""
    needs: tuple[str, ...]
    """Ids of phases that have to be done before."""
    start: date
    end: date
    """The last day, included."""
    steps: tuple[str, ...]
    """What is done in it."""
    done_when: str


class PartTotal(Record):
    """A part of the plan in sum."""

    hours: Range
    usd: Range
    end: date
    """The last day of its last phase."""


class Plan(Record):
    """From here to a tuned model in production; for other verdicts, to a verdict that stands."""

    aim: Aim
    start: date
    """The first working day."""
    phases: tuple[Phase, ...]
    hours: Range
    usd: Range
    weeks: float
    """Weeks of five working days until everything is done."""
    parts: dict[Part, PartTotal]
    """Sums of the parts that have a phase, in their order."""
    notes: tuple[str, ...]
    """What it rests on, and what to expect."""
