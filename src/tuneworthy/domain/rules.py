"""Scoring and tree as written: a small closed grammar, read as data and never run as code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.record import FileRecord, Ident, NonNegative, Tri, wrong

Outcome = Literal[
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
]
"""What a tree can come to, the most cautious first."""

OUTCOMES: tuple[Outcome, ...] = (
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
)

Band = Literal["weak", "moderate", "strong"]
BANDS: tuple[Band, ...] = ("weak", "moderate", "strong")


class Bound(FileRecord):
    """One or two ends that a measure has to keep to."""

    at_least: float | None = None
    """Equal or more."""
    more_than: float | None = None
    """More, not equal."""
    at_most: float | None = None
    """Equal or less."""
    less_than: float | None = None
    """Less, not equal."""

    @model_validator(mode="after")
    def _some_end(self) -> Bound:
        if self.at_least is self.more_than is self.at_most is self.less_than is None:
            raise wrong("names no bound", "use at_least, more_than, at_most or less_than")
        return self


class Condition(FileRecord):
    """A condition of the tree. Several keys in one condition have to hold together."""

    ceiling: Tri | None = None
    """The ceiling is reached (yes) or not (no)."""
    indicators: Bound | None = None
    """Number of reasons for that hold."""
    anti_indicators: Bound | None = None
    """Number of reasons against that hold."""
    indicator_weight: Bound | None = None
    """Weight of the reasons for that hold."""
    anti_indicator_weight: Bound | None = None
    """Weight of the reasons against that hold."""
    difference: Bound | None = None
    """Weight of the reasons for less weight of the reasons against."""
    score: Bound | None = None
    """The difference divided by the denominator."""
    answers: dict[Ident, Tri] = {}
    """Single factors or checks with the answer they must have."""
    all: Annotated[tuple[Condition, ...], Field(max_length=50)] = ()
    """Every one of these holds."""
    any: Annotated[tuple[Condition, ...], Field(max_length=50)] = ()
    """At least one of these holds."""
    none: Annotated[tuple[Condition, ...], Field(max_length=50)] = ()
    """Not one of these holds."""

    @model_validator(mode="after")
    def _something(self) -> Condition:
        if not self.model_fields_set:
            raise wrong("names no condition", "use ceiling, indicators, score, answers, all, any …")
        if self.ceiling == "unknown" or "unknown" in self.answers.values():
            raise wrong("asks for unknown", "a condition asks for yes or no; unknown is no answer")
        return self


class TreeRule(FileRecord):
    """One step of the tree: the first whose condition holds gives the outcome."""

    when: Condition | None = None
    """The condition; only the last step has none."""
    outcome: Outcome
    """What follows."""


class Bands(FileRecord):
    """Where moderate and strong begin; what is below both is weak."""

    strong: Bound
    """Begins with ``more_than`` or ``at_least``."""
    moderate: Bound
    """Begins with ``more_than`` or ``at_least``."""

    @model_validator(mode="after")
    def _lower_ends(self) -> Bands:
        for bound in (self.strong, self.moderate):
            if bound.at_most is not None or bound.less_than is not None:
                raise wrong("gives an upper end", "say where it begins: more_than or at_least")
            if bound.at_least is not None and bound.more_than is not None:
                raise wrong("gives two lower ends", "keep more_than or at_least")
        return self


class Scoring(FileRecord):
    """How answers become a score and two bands."""

    weights: Literal["shown", "counted"] = "shown"
    """Whether weights only stand beside the factors or count in score and difference."""
    weight_values: dict[Literal["high", "medium", "low"], NonNegative] = {}
    """What a weight in words counts, where weights count."""
    denominator: Literal["count", "weight"] | Annotated[float, Field(gt=0, le=1e9)] = "count"
    """What the difference is divided by: a number, the number of factors, or all their weight."""
    score: Bands
    """Bands of the score."""
    difference: Bands
    """Bands of the difference."""


def asked_names(condition: Condition) -> set[str]:
    """Factors and checks that a condition asks for by name."""
    names = set(condition.answers)
    for part in (*condition.all, *condition.any, *condition.none):
        names |= asked_names(part)
    return names
