"""What every option is judged by, in one place: structured answers, never the words of a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tuneworthy.model.base import Range, State
from tuneworthy.model.case import Amount, Case, Effort, Model, PublishedFigure
from tuneworthy.model.dossier import ApproachResult, Assessment, Helps, Judgement, Reason
from tuneworthy.model.framework import Framework, Span
from tuneworthy.stats.intervals import wilson
from tuneworthy.verdict.weigh import figures
from tuneworthy.words import count, few, listing, plain, quality, share

# What every option is judged by, in one place: structured answers, never the words of a note.

KNOWLEDGE_GOALS = frozenset({"knowledge", "domain_expertise"})
"""Goals that ask for facts and concepts."""

BEHAVIOUR_GOALS = frozenset({"persona", "format", "tool_calling", "safety"})
"""Goals that ask for a way to answer."""

QUALITY_SIGNS = ("inconsistent_format", "terminology_errors", "voice_drift", "knowledge_gaps")
"""Signals of wrong answers; the other two are of length and time."""

SHAPED_GOALS = frozenset({"format", "extraction", "classification", "tool_calling"})
"""Goals whose output has a structure that a schema can state."""


def judged(helps: Helps, reason: str, *, measured: bool = False, **numbers: Any) -> Judgement:
    """A judgement with its reason."""
    return Judgement(helps, Reason(reason, numbers), measured)


def against(quality: float | None, cases: int | None, wanted: float) -> State:
    """Whether a quality is met: only where the whole interval (95%, Wilson) lies on one side."""
    if quality is None or not cases:
        return "unknown"
    low, high = wilson(quality * cases, cases)
    return "yes" if low >= wanted else "no" if high < wanted else "unknown"


@dataclass(frozen=True)
class Facts:
    """A case with what was made of it."""

    case: Case
    framework: Framework
    assessment: Assessment
    fits: Sequence[ApproachResult]

    def state(self, name: str) -> State:
        """State of a check, factor or signal; unknown for one the framework doesn't have."""
        return self.assessment.state(name)

    def measured(self, name: str) -> bool:
        """Whether a check, factor or signal was settled by a measurement."""
        return self.assessment.source(name) == "measured"

    def tried(self, option: str) -> bool:
        """Whether a recorded attempt made use of an option, or a lab did and quality is missed."""
        if option in self.case.origin.ran and self.target("quality") == "no":
            return True
        return any(option in attempt.tried for attempt in self.case.attempts)

    def goals(self, kinds: frozenset[str]) -> tuple[str, ...]:
        """The goals of the case that are of some kind."""
        return tuple(goal for goal in self.case.goals if goal in kinds)

    @cached_property
    def targets(self) -> dict[str, State]:
        """Each stated target against today: met, missed or unknown. Empty without targets."""
        targets, today = self.case.targets, self.case.today
        found: dict[str, State] = {}
        if targets.quality is not None:
            found["quality"] = self._quality(targets.quality.at_least)
        pairs = (
            ("latency", today.latency_p95_s, targets.latency_p95_s),
            ("cost", today.usd_per_month, targets.usd_per_month),
        )
        for name, value, most in pairs:
            if most is not None:
                found[name] = "unknown" if value is None else value.at_most(most)
        if self.state("data_sovereignty") == "yes" and today.api != "unknown":
            found["privacy"] = "no" if today.api == "third_party" else "yes"
        return found

    def _quality(self, wanted: float) -> State:
        today = self.case.today
        return against(today.quality, today.cases, wanted)

    def target(self, name: str) -> State:
        """Whether one target is met; unknown for one that isn't stated."""
        return self.targets.get(name, "unknown")

    @property
    def missed(self) -> tuple[str, ...]:
        """Targets that are missed, as counted."""
        return tuple(name for name, state in self.targets.items() if state == "no")

    @property
    def satisfied(self) -> State:
        """Whether the present approach meets everything: what was counted goes before words."""
        if self.missed:
            return "no"
        return self.state("success_with_prompts")

    @property
    def pressure(self) -> State:
        """Whether cost or waiting time is a reason to change something."""
        reasons = (self.state("cost_optimization"), self.state("latency_requirements"))
        if "yes" in reasons or {"latency", "cost"} & set(self.missed):
            return "yes"
        return "no" if reasons == ("no", "no") else "unknown"

    @property
    def pressed_by(self) -> tuple[str, ...]:
        """Which of cost and latency it is."""
        pairs = (("cost", "cost_optimization"), ("latency", "latency_requirements"))
        return tuple(
            name
            for name, factor in pairs
            if self.state(factor) == "yes" or self.target(name) == "no"
        )

    @property
    def room_for_a_call(self) -> State:
        """Whether one more call as long as today's fits the time there is."""
        today, most = self.case.today.latency_p95_s, self.case.targets.latency_p95_s
        if today is not None and most is not None:
            return today.at_most(most / 2)
        if "yes" in (self.state("latency"), self.state("latency_requirements")):
            return "no"
        return "yes" if self.state("latency_requirements") == "no" else "unknown"

    @property
    def tokens(self) -> float | None:
        """Likely input tokens a request."""
        stated = self.case.economics.traffic.input_tokens
        return stated.likely if stated else None

    @property
    def long_prompt(self) -> State:
        """Whether a request has more input than the framework calls short."""
        stated = self.case.economics.traffic.input_tokens
        limit = self.framework.threshold("short_prompt")
        if stated is None or limit is None:
            return "unknown"
        return "no" if stated.high < limit else "yes" if stated.low >= limit else "unknown"

    def scored(self, kind: Literal["prompted", "tuned"]) -> Model | None:
        """The best model with a stated quality that isn't in use: tuned, or as it comes.

        The first prompted model of a case counts as the one in use.
        """
        models = [model for model in self.case.models if model.kind == kind]
        others = models if kind == "tuned" else models[1:]
        known = [model for model in others if model.quality is not None]
        return max(known, key=lambda model: model.quality or 0.0, default=None)

    @property
    def figure(self) -> PublishedFigure | None:
        """The highest published figure of a tuned model; None without one."""
        return next(iter(figures(self.case)), None)

    @property
    def examples(self) -> int | None:
        """Usable examples, None when nobody said."""
        return self.case.data.examples.good if self.case.data.examples else None

    @property
    def recall(self) -> float | None:
        """Share of questions whose passage is retrieved."""
        return self.case.today.retrieval_recall

    @property
    def recall_enough(self) -> State:
        """Whether the passage is found often enough for retrieval not to be the first thing."""
        limit = self.framework.threshold("retrieval_recall")
        if self.recall is None or limit is None:
            return "unknown"
        return "yes" if self.recall >= limit else "no"

    @property
    def changes(self) -> str:
        """What changes, where requirements do: content, policy, both, unknown; or nothing."""
        if self.state("rapidly_changing_requirements") != "yes":
            return "nothing"
        answer = self.case.factors.get("rapidly_changing_requirements")
        return (answer.changes if answer else None) or "unknown"

    @property
    def content_changes(self) -> State:
        """Whether the facts change about every month."""
        state = self.state("rapidly_changing_requirements")
        if state != "yes":
            return state
        return {"content": "yes", "both": "yes", "policy": "no"}.get(self.changes, "unknown")  # type: ignore[return-value]  # every value is a state

    def nothing_to_mend(self) -> Judgement | None:
        """The judgement on everything that mends quality where all is met already; else None."""
        return judged("no", "all_met") if self.satisfied == "yes" else None

    @property
    def seen(self) -> tuple[str, ...]:
        """Signs that answers are wrong, whatever they cost."""
        return tuple(name for name in QUALITY_SIGNS if self.state(name) == "yes")

    @property
    def quality_short(self) -> State:
        """Whether answers aren't good enough: as counted, else as said together with a sign."""
        met, success = self.target("quality"), self.state("success_with_prompts")
        if met != "unknown":
            return "no" if met == "yes" else "yes"
        if success == "yes":
            return "no"
        return "yes" if success == "no" and self.seen else "unknown"


# The columns an option is compared by: what this case states, else the framework's own figures.


def tuning_hours(case: Case, framework: Framework) -> Range | None:
    """Hours up to the first tuned version: as stated, else the framework's table.

    Categories nobody stated are taken from the table; None where that has none either.
    """
    upfront = case.economics.upfront
    if upfront.hours is not None:
        return _ends(upfront.hours)
    costs = framework.costs
    rows = costs.upfront if costs is not None else {}
    table: dict[str, Span | None] = {name: row.hours for name, row in rows.items()}
    stated = upfront.by_category
    if stated:
        spans = [
            _hours(stated.get(name)) or _ends(table.get(name))
            for name in dict.fromkeys((*table, *stated))
        ]
        known = [span for span in spans if span is not None]
        return Range.between(sum(one.low for one in known), sum(one.most for one in known))
    if costs is None or costs.upfront_total is None:
        return None
    return _ends(costs.upfront_total.hours)


def tuned_usd_per_month(case: Case) -> Range | None:
    """USD a month a tuned model takes, as stated; None where nobody said."""
    return _ends(case.economics.monthly.ongoing_usd)


def added(one: Range | None, other: Range | None) -> Range | None:
    """Both together; None where one isn't known."""
    if one is None or other is None:
        return None
    return one + other


def span(value: Span | None) -> Range | None:
    """A framework's range."""
    return _ends(value)


def _hours(effort: Effort | None) -> Range | None:
    return _ends(effort.hours) if effort is not None else None


def _ends(value: Amount | Span | None) -> Range | None:
    return Range.between(value.low, value.high) if value is not None else None


# Pieces of sentences that several reasons share, from the case's numbers.

Numbers = Mapping[str, Any]

SIGNS = {
    "knowledge_gaps": "passages are found and misread",
    "terminology_errors": "terms come out wrong",
    "voice_drift": "the voice drifts",
    "inconsistent_format": "the structure varies",
}
"""Signals as a trouble one sees."""


def recalled(n: Numbers) -> str:
    """How often the passage is found, with a comma behind it; empty where nobody counted."""
    recall = n.get("recall")
    return "" if recall is None else f"the passage is found for {share(recall)} of questions, and "


def missing(n: Numbers) -> str:
    """That passages aren't found, or that nobody saw to it."""
    recall = n.get("recall")
    if recall is None:
        return "retrieval was never optimised"
    return f"the passage is found for only {share(recall)} of questions"


def long(n: Numbers) -> str:
    """Input tokens of a request in brackets; empty where nobody counted."""
    tokens = n.get("tokens")
    return "" if tokens is None else f" ({count(tokens)} input tokens a request)"


def models(n: Numbers) -> str:
    """How many models were tested."""
    return f"{few(n['count'])} models" if n.get("count") else "several models"


def shortfall(n: Numbers) -> str:
    """A quality that is missed."""
    return f"{quality(n['quality'])} where {quality(n['target'])} is wanted"


def pair(n: Numbers) -> str:
    """A quality beside its target."""
    return f"{quality(n['quality'])}, {quality(n['target'])} is wanted"


def goals(n: Numbers) -> str:
    """Goals in words."""
    return listing([plain(goal) for goal in n["goals"]])


def presses(n: Numbers) -> str:
    """Cost, latency or both as a reason to change something."""
    return f"{listing(n['by'])} {'presses' if len(n['by']) == 1 else 'press'}"
