"""The fields of a case that are asked besides the framework's own questions, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuneworthy.domain.case import Case
from tuneworthy.domain.interview import AskKind, Part

When = Callable[[Case], bool]


def _always(_: Case) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the case, as it is asked."""

    id: str
    kind: AskKind
    part: Part = "investment"
    choices: tuple[str, ...] = ()
    share: bool = False
    """Whether it may be given in per cent."""
    when: When = _always
    """Whether it is worth asking, by what is known."""


def _goal(*wanted: str) -> When:
    return lambda case: bool(set(wanted) & set(case.goals))


def _answered(room: str, name: str, *goals: str) -> When:
    """Whether an answer is yes, or the goals make it matter."""

    def when(case: Case) -> bool:
        found = getattr(case, room).get(name)
        return (found is not None and found.value == "yes") or bool(set(goals) & set(case.goals))

    return when


OPTIONS: tuple[Field, ...] = (
    Field("description", "text", "options"),
    Field("today.retrieval_recall", "number", "options", share=True),
    Field("targets.quality.at_least", "number", "options", share=True),
    Field(
        "targets.quality.metric", "text", "options", when=lambda c: c.targets.quality is not None
    ),
    Field("targets.latency_p95_s", "number", "options"),
    Field("targets.usd_per_month", "number", "options"),
    Field("today.quality", "number", "options", share=True),
    Field("today.cases", "count", "options", when=lambda c: c.today.quality is not None),
    Field("today.latency_p95_s", "amount", "options"),
    Field("today.usd_per_month", "amount", "options"),
    Field("today.api", "choice", "options", ("third_party", "own")),
)
"""Where it stands and what has to be met; attempts and models come after these, then data."""

DATA: tuple[Field, ...] = (
    Field("data.examples", "count", "options"),
    Field(
        "data.examples.usable", "count", "options",
        when=lambda c: c.data.examples is not None and bool(c.data.examples.count),
    ),
    Field("data.preference_pairs", "count", "options", when=_goal("safety")),
    Field("data.documents", "count", "options", when=_goal("knowledge", "domain_expertise")),
    Field("data.traces", "text", "options"),
    Field("data.evaluation", "text", "options"),
    Field("data.prompts", "text", "options"),
    Field(
        "data.output_schema", "text", "options",
        when=_goal("format", "extraction", "classification", "tool_calling"),
    ),
    Field("data.glossary", "text", "options", when=_answered("signals", "terminology_errors")),
    Field("data.voice", "text", "options", when=_answered("factors", "brand_voice", "persona")),
)  # fmt: skip
"""What the team has beside the case file."""

INVESTMENT: tuple[Field, ...] = (
    Field("economics.traffic.requests_per_month", "amount"),
    Field("economics.traffic.growth_per_month", "amount", share=True),
    Field("economics.traffic.input_tokens", "amount"),
    Field("economics.traffic.output_tokens", "amount"),
    Field("economics.traffic.cacheable_share", "number", share=True),
    Field("economics.traffic.batchable", "state"),
    Field("economics.traffic.tuned_input_tokens", "amount"),
    Field("economics.hourly_rate_usd", "amount"),
    Field(
        "economics.upfront.hours", "amount", when=lambda c: not c.economics.upfront.by_category
    ),
    Field("economics.upfront.usd", "amount", when=lambda c: not c.economics.upfront.by_category),
    Field("economics.monthly.api_savings_usd", "amount"),
    Field("economics.monthly.quality_value_usd", "amount"),
    Field(
        "economics.monthly.ongoing_usd", "amount",
        when=lambda c: c.economics.monthly.ongoing is None,
    ),
    Field("strategic_value", "choice", choices=("low", "medium", "high")),
    Field("economics.hours_per_week", "amount"),
    Field("tuning.service", "choice", choices=("hosted", "self_hosted")),
    Field("tuning.available", "state", when=lambda c: c.tuning.service != "self_hosted"),
    Field("tuning.pilot", "state"),
    Field("tuning.model_switch", "state"),
)  # fmt: skip
"""What it costs and brings, and how it would be done; the two questions of safety come last."""

UNASKED: tuple[Field, ...] = (Field("economics.assumptions.horizon_months", "count"),)
"""What has a value of its own: it may be changed, and nobody is asked for it."""

ATTEMPT: tuple[Field, ...] = (
    Field("name", "text", "options"),
    Field("change", "text", "options"),
    Field("result", "text", "options"),
    Field("tried", "choices", "options"),
    Field("prompts", "count", "options"),
    Field("models", "text", "options"),
    Field("ceiling", "choices", "options"),
)
"""What is asked of each attempt."""

MODEL: tuple[Field, ...] = (
    Field("id", "text", "options"),
    Field("usd_per_mtok", "text", "options"),
    Field("quality", "number", "options", share=True),
    Field("cases", "count", "options"),
)
"""What is asked of each model."""

CHANGES = ("content", "policy", "both")
"""What may change, where requirements do."""
