"""What challenges and options read of a case: structured answers, never the words of a note."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from tuneworthy.model.base import State, usd_per_request
from tuneworthy.model.case import Amount, Case, Model, PublishedFigure, price_of
from tuneworthy.model.dossier import (
    ApproachResult,
    Assessment,
    CaseFindings,
    ChallengeResult,
    Severity,
    Source,
)
from tuneworthy.model.framework import Framework
from tuneworthy.stats.intervals import wilson
from tuneworthy.verdict.weigh import figures, reaches, usable_examples
from tuneworthy.words import sentence

# What challenges and options read of a case: structured answers, never the words of a note.

MOST_USD = 1e15
"""As much as any amount may be."""

KNOWLEDGE_GOALS = frozenset({"knowledge", "domain_expertise"})
"""Goals that ask for facts and concepts."""

QUALITY_SIGNS = ("inconsistent_format", "terminology_errors", "voice_drift", "knowledge_gaps")
"""Signals of wrong answers; the other two are of length and time."""


def against(quality: float | None, cases: int | None, wanted: float) -> State:
    """Whether a quality is met: only where the whole interval (95%, Wilson) lies on one side."""
    if quality is None or not cases:
        return "unknown"
    return reaches(*wilson(quality * cases, cases), wanted)


@dataclass(frozen=True)
class CaseFacts:
    """A case with what was made of it."""

    case: Case
    framework: Framework
    assessment: Assessment
    fits: Sequence[ApproachResult] = ()
    findings: CaseFindings = field(default_factory=CaseFindings)

    def state(self, name: str) -> State:
        return self.assessment.state(name)

    def holds(self, *names: str) -> bool:
        return all(self.state(name) == "yes" for name in names)

    def source(self, name: str) -> Source:
        return self.assessment.source(name)

    def tried(self, option: str) -> bool:
        """Whether a recorded attempt made use of an option, or a lab did and quality is missed."""
        if option in self.case.origin.ran and self.target("quality") == "no":
            return True
        return any(option in attempt.tried for attempt in self.case.attempts)

    def goals(self, kinds: frozenset[str]) -> tuple[str, ...]:
        return tuple(goal for goal in self.case.goals if goal in kinds)

    # Traffic and what it costs.

    @property
    def requests(self) -> float | None:
        stated = self.case.economics.traffic.requests_per_month
        return stated.likely if stated else None

    @property
    def growth_per_month(self) -> float | None:
        stated = self.case.economics.traffic.growth_per_month
        return stated.likely if stated else None

    @property
    def tokens(self) -> float | None:
        stated = self.case.economics.traffic.input_tokens
        return stated.likely if stated else None

    @property
    def long_prompt(self) -> State:
        """Whether a request has more input than the framework calls short."""
        stated = self.case.economics.traffic.input_tokens
        limit = self.framework.threshold("short_prompt")
        if stated is None or limit is None:
            return "unknown"
        return reaches(stated.low, stated.high, limit)

    @property
    def request_usd(self) -> float | None:
        """USD a request costs today: the stated bill by its requests, else by the first price.

        None where neither is known. A price is that of the first priced, untuned model.
        """
        traffic, bill = self.case.economics.traffic, self.case.today.usd_per_month
        if bill is not None and self.requests:
            return bill.likely / self.requests
        known = (price_of(m, self.findings.prices) for m in self.case.models if m.kind != "tuned")
        price = next((price for price in known if price is not None), None)
        if price is None or traffic.input_tokens is None or traffic.output_tokens is None:
            return None
        cached = traffic.cached_share or 0.0
        rate = price.input if price.cached_input is None else price.cached_input
        return usd_per_request(
            input_tokens=traffic.input_tokens.likely,
            output_tokens=traffic.output_tokens.likely,
            usd_per_mtok_input=price.input * (1 - cached) + rate * cached,
            usd_per_mtok_output=price.output,
        )

    @property
    def bill(self) -> Amount | None:
        """USD a month the present system costs: as said or measured, else requests times price."""
        if self.case.today.usd_per_month is not None:
            return self.case.today.usd_per_month
        if self.requests is None or self.request_usd is None:
            return None
        usd = min(self.requests * self.request_usd, MOST_USD)
        return Amount(low=usd, likely=usd, high=usd)

    @property
    def bill_usd(self) -> float | None:
        return self.bill.likely if self.bill else None

    # Quality, and the targets.

    @property
    def quality(self) -> tuple[float, float] | None:
        """95% interval (Wilson) of today's quality; None without a share and its cases."""
        today = self.case.today
        if today.quality is None or not today.cases:
            return None
        return wilson(today.quality * today.cases, today.cases)

    def met(self, bill: Amount | None) -> dict[str, State]:
        """Each stated target, by its name in the case, against today; empty without targets."""
        targets, today = self.case.targets, self.case.today
        states: dict[str, State] = {}
        if targets.quality is not None:
            states["quality"] = against(today.quality, today.cases, targets.quality.at_least)
        for name, value, most in (
            ("latency_p95_s", today.latency_p95_s, targets.latency_p95_s),
            ("usd_per_month", bill, targets.usd_per_month),
        ):
            if most is not None:
                states[name] = "unknown" if value is None else value.at_most(most)
        return states

    @cached_property
    def targets(self) -> dict[str, State]:
        """Each stated target by its kind, privacy where data may not leave."""
        kinds = {"latency_p95_s": "latency", "usd_per_month": "cost"}
        met = self.met(self.case.today.usd_per_month)
        states = {kinds.get(name, name): state for name, state in met.items()}
        if self.holds("data_sovereignty") and self.case.today.api != "unknown":
            states["privacy"] = "no" if self.case.today.api == "third_party" else "yes"
        return states

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
        return "no" if self.missed else self.state("success_with_prompts")

    @property
    def seen(self) -> tuple[str, ...]:
        """Signs that answers are wrong, whatever they cost."""
        return tuple(name for name in QUALITY_SIGNS if self.holds(name))

    @property
    def quality_short(self) -> State:
        """Whether answers aren't good enough: as counted, else as said together with a sign."""
        met, success = self.target("quality"), self.state("success_with_prompts")
        if met != "unknown":
            return "no" if met == "yes" else "yes"
        if success == "yes":
            return "no"
        return "yes" if success == "no" and self.seen else "unknown"

    @property
    def pressure(self) -> State:
        """Whether cost or latency is a reason to change something."""
        reasons = (self.state("cost_optimization"), self.state("latency_requirements"))
        if "yes" in reasons or {"latency", "cost"} & set(self.missed):
            return "yes"
        return "no" if reasons == ("no", "no") else "unknown"

    @property
    def pressed_by(self) -> tuple[str, ...]:
        """Which of cost and latency it is."""
        pairs = (("cost", "cost_optimization"), ("latency", "latency_requirements"))
        return tuple(
            name for name, factor in pairs if self.holds(factor) or self.target(name) == "no"
        )

    @property
    def room_for_a_call(self) -> State:
        """Whether one more call as long as today's fits the time there is."""
        today, most = self.case.today.latency_p95_s, self.case.targets.latency_p95_s
        if today is not None and most is not None:
            return today.at_most(most / 2)
        if self.holds("latency") or self.holds("latency_requirements"):
            return "no"
        return "yes" if self.state("latency_requirements") == "no" else "unknown"

    # Models, data and what changes.

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
        """The highest published figure of a tuned model."""
        return next(iter(figures(self.case)), None)

    @property
    def examples(self) -> int | None:
        return usable_examples(self.case)

    @property
    def recall(self) -> float | None:
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
        if not self.holds("rapidly_changing_requirements"):
            return "nothing"
        answer = self.case.factors.get("rapidly_changing_requirements")
        return (answer.changes if answer else None) or "unknown"

    @property
    def content_changes(self) -> State:
        """Whether the facts change about every month."""
        state = self.state("rapidly_changing_requirements")
        if state != "yes" or self.changes == "unknown":
            return state if state != "yes" else "unknown"
        return "no" if self.changes == "policy" else "yes"


# A challenge: its rule, its numbers and its sentence in one function.

Clash = tuple[tuple[str, ...], str, str]
"""Dotted paths of the statements in the case file, what doesn't fit, and what would settle it."""

Rule = Callable[[CaseFacts], Clash | None]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A rule that finds statements that don't fit together, or one that nothing carries."""

    severity: Severity
    rule: Rule

    @property
    def id(self) -> str:
        """The name of its function."""
        return self.rule.__name__

    def __call__(self, facts: CaseFacts) -> ChallengeResult | None:
        """What it says of a case; None where the statements carry each other."""
        clash = self.rule(facts)
        if clash is None:
            return None
        between, says, settle = clash
        return ChallengeResult(
            id=self.id,
            severity=self.severity,
            between=between,
            says=sentence(says),
            settle=sentence(settle),
        )


def contradiction(rule: Rule) -> Challenge:
    """Statements that exclude each other."""
    return Challenge("contradiction", rule)


def doubt(rule: Rule) -> Challenge:
    """A statement that lacks what would carry it."""
    return Challenge("doubt", rule)


def pushback(rule: Rule) -> Challenge:
    """An expectation that isn't realistic."""
    return Challenge("pushback", rule)
