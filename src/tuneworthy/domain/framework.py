"""A decision framework, whole: what is asked, how it counts, and what follows."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.costs import BreakEvenRule, Costs, Span, WorkedExample
from tuneworthy.domain.fitted import FittedOn
from tuneworthy.domain.planning import PlanRule
from tuneworthy.domain.record import FileRecord, Ident, Name, Natural, NonNegative, Text, wrong
from tuneworthy.domain.rules import Scoring, TreeRule, asked_names
from tuneworthy.domain.thresholds import MeasureRule, Threshold

Minutes = Annotated[int, Field(ge=1, le=100_000)]
"""Minutes it takes to find an answer out."""

OptionKind = Literal["prompt", "retrieval", "model", "serving", "tuning"]
"""What an option works on."""

Risk = Literal["low", "medium", "high"]
"""How much can go wrong, or be hard to take back."""


class Asked(FileRecord):
    """Something a person is asked about."""

    title: Name
    """What it is called in a sentence."""
    ask: Text
    """The question; ``{threshold}`` stands for a number of this framework."""
    why: Text = ""
    """Why it means what it means."""
    example: Text = ""
    """An example of a yes."""


class Signal(Asked):
    """A sign that prompting has reached its limit."""


class Check(Asked):
    """One of the checks that must all be yes before the ceiling counts as reached."""

    at_least: Natural | None = None
    """For a check that counts: how many are wanted."""
    minutes: Minutes = 2
    """Minutes it takes to find the answer out (not to do what is asked)."""
    settle: Text = ""
    """The step that would make it a yes."""


class Factor(Asked):
    """A reason for tuning, or a reason against it."""

    means: Text = ""
    """When the answer is yes."""
    weight: Literal["high", "medium", "low"] | NonNegative = 1.0
    """How much it weighs: a word that is shown, or a number that counts."""
    minutes: Minutes = 5
    """Minutes it takes to find the answer out."""


class GoalRule(FileRecord):
    """A goal and the approach that serves it."""

    title: Name
    """What the goal is called."""
    need: Text = ""
    """The everyday need behind it."""
    approach: Ident
    """Id of the approach."""
    source: Text = ""
    """Who says so."""


class Need(FileRecord):
    """How much data an approach takes."""

    low: Natural
    """The least that makes sense."""
    high: Natural | Literal["open"]
    """The most that is usual, or ``open``."""
    unit: Literal["examples", "preference_pairs", "documents"]
    """What is counted."""


class ApproachRule(FileRecord):
    """A kind of tuning."""

    title: Name
    """What it is called."""
    data: Need
    """Data it takes."""
    compute: Name
    """Compute it takes, in words."""
    weeks: Span | None = None
    """Weeks until it is in production."""
    risk: Risk = "medium"
    """How much can go wrong."""
    figures_from: Text = ""
    """Who says weeks and risk."""
    dated: date | None = None
    """When that was."""


class OptionRule(FileRecord):
    """An alternative to tuning, or something to do beside it."""

    title: Name
    """What it is called."""
    helps_when: Text
    """When it works."""
    not_when: Text
    """When it doesn't."""
    kinds: dict[Ident, Text] = {}
    """Its parts or variants."""
    kind: OptionKind = "prompt"
    """What it works on."""
    variant_of: Ident | None = None
    """Option of which this is one variant."""
    effort_hours: Span | None = None
    """Hours of work; for the hybrid those beside the tuning."""
    weeks: Span | None = None
    """Weeks until it is in production; for the hybrid those beside the tuning."""
    risk: Risk = "medium"
    """How much can go wrong."""
    source: Text = ""
    """Who says when it works and when it doesn't."""
    figures_from: Text = ""
    """Who says effort, weeks and risk."""
    dated: date | None = None
    """When that was."""


class ModelStrengths(FileRecord):
    """What models are said to be good at."""

    dated: date
    """When it was said."""
    says: Text
    """How to read it."""
    strengths: dict[str, Text]
    """Model to strength."""
    suits: dict[str, tuple[Ident, ...]] = {}
    """Model to the goals, signals and factors its strength speaks to."""
    measure: Text = ""
    """How to measure instead of believing it."""


class SafetyQuestions(FileRecord):
    """What is asked before a model is made from data."""

    data_reviewed: Text
    """Asks about the data."""
    process_named: Text
    """Asks about the process."""


class Framework(FileRecord):
    """A decision framework."""

    name: Ident
    """How it is called on the command line and in a dossier."""
    title: Name = "A decision framework"
    """What it is, for people."""
    source: Text = ""
    """Where it comes from."""
    dated: date | None = None
    """When it was written."""
    extends: Ident | None = None
    """A framework of the catalogue whose sections stand where this file has none."""
    signals: dict[Ident, Signal] = {}
    """Signs of a ceiling."""
    ceiling: dict[Ident, Check] = {}
    """The checks of the ceiling test."""
    indicators: dict[Ident, Factor]
    """Reasons for tuning."""
    anti_indicators: dict[Ident, Factor]
    """Reasons against tuning."""
    scoring: Scoring
    """Score, difference and their bands."""
    tree: Annotated[tuple[TreeRule, ...], Field(min_length=1, max_length=100)]
    """Steps in order; the first that holds counts."""
    quick: tuple[Ident, ...] = ()
    """The factors of the short form."""
    thresholds: dict[Ident, Threshold] = {}
    """Numbers that challenges use."""
    measures: dict[Ident, MeasureRule] = {}
    """What measurements say; an answer is settled only when the whole interval is on one side."""
    goals: dict[Ident, GoalRule] = {}
    """Goal to approach."""
    approaches: dict[Ident, ApproachRule] = {}
    """Kinds of tuning."""
    options: dict[Ident, OptionRule] = {}
    """What else can be done."""
    models: ModelStrengths | None = None
    """What models are said to be good at."""
    costs: Costs | None = None
    """Cost tables."""
    break_even: BreakEvenRule | None = None
    """When it pays."""
    plan: PlanRule | None = None
    """What the steps of a plan take."""
    safety: SafetyQuestions | None = None
    """What is asked about safety."""
    worked_example: WorkedExample | None = None
    """An example to be computed again."""
    fitted_on: FittedOn | None = None
    """Published cases that its weights were fitted to; it describes them, and predicts nothing."""

    @model_validator(mode="after")
    def _fits_together(self) -> Framework:
        _check_names(self)
        _check_measures(self)
        _check_tree(self)
        if self.scoring.weights == "counted":
            words = {f.weight for f in self.factors.values() if isinstance(f.weight, str)}
            if lacking := sorted(words - set(self.scoring.weight_values)):
                raise wrong(
                    f'counts weights in words, and "{lacking[0]}" has no number',
                    "add scoring.weight_values, or write weights as numbers",
                )
        return self

    @property
    def factors(self) -> dict[str, Factor]:
        """Reasons for, then reasons against, by id."""
        return {**self.indicators, **self.anti_indicators}

    def filled(self, text: str, at_least: int | None = None) -> str:
        """A text of this framework with ``{threshold}`` and ``{at_least}`` put in."""
        if "{" not in text:
            return text
        numbers = {name: entry.value for name, entry in self.thresholds.items()}
        if at_least is not None:
            numbers["at_least"] = at_least
        for name, number in numbers.items():
            text = text.replace("{" + name + "}", f"{number:,g}")
        return text

    def threshold(self, name: str) -> float | None:
        """A threshold's number, or None where this framework has none."""
        found = self.thresholds.get(name)
        return found.value if found else None


def _check_names(framework: Framework) -> None:
    """No id means two things, and every id that is referred to exists."""
    seen: set[str] = set()
    for names in (framework.ceiling, framework.indicators, framework.anti_indicators):
        for name in names:
            if name in seen:
                raise wrong(f'uses the id "{name}" twice', "give each check and factor its own id")
            seen.add(name)
    for name in framework.quick:
        if name not in framework.factors:
            raise wrong(f'asks for "{name}" in quick, which is no factor', "name a factor")
    for name, goal in framework.goals.items():
        if goal.approach not in framework.approaches:
            raise wrong(
                f'leads goal "{name}" to "{goal.approach}", which is no approach',
                "name one of its approaches",
            )
    for name, option in framework.options.items():
        if option.variant_of is not None and option.variant_of not in framework.options:
            raise wrong(
                f'makes "{name}" a variant of "{option.variant_of}", which is no option',
                "name one of its options",
            )


def _check_measures(framework: Framework) -> None:
    """What a measurement bears on is asked."""
    for name, measure in framework.measures.items():
        if measure.about not in {**framework.signals, **framework.ceiling, **framework.factors}:
            raise wrong(
                f'measures "{name}" for "{measure.about}", which it doesn\'t ask',
                "name a signal, check or factor",
            )


def _check_tree(framework: Framework) -> None:
    """Only the last step is without a condition, and conditions ask for answers that exist."""
    for number, step in enumerate(framework.tree, start=1):
        last = number == len(framework.tree)
        if (step.when is None) != last:
            raise wrong(
                f"has a tree whose step {number} {'has' if last else 'lacks'} a condition",
                "every step but the last has a when, the last has none",
            )
        if step.when is not None:
            for name in sorted(asked_names(step.when)):
                if name not in framework.ceiling and name not in framework.factors:
                    raise wrong(f'has a tree that asks for "{name}"', "name a factor or a check")
