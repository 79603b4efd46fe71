"""The facts of a case that challenges and options read.

They come from structured answers and never from the text of notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Literal, NamedTuple, TypeVar

from tuneworthy.answers import TABLES
from tuneworthy.answers.weigh import (
    grade_of_ceiling,
    maker,
    reaches,
    usable_examples,
    within,
)
from tuneworthy.llm.endpoints import LOCAL, PRESETS
from tuneworthy.model.base import (
    Interval,
    Number,
    Range,
    State,
    States,
    Strings,
    Unknown,
    every,
)
from tuneworthy.model.case import Amount, AnyAmount, Case, Model, in_use
from tuneworthy.model.dossier import (
    ApproachResult,
    Assessment,
    CaseFindings,
    ChallengeResult,
    Severity,
    Source,
)
from tuneworthy.model.framework import Framework, Span, TargetId
from tuneworthy.model.ways import CeilingGrade
from tuneworthy.stats.failures import share_interval
from tuneworthy.stats.intervals import wilson
from tuneworthy.words import listing, sentence

T = TypeVar("T")


class TargetKind(NamedTuple):
    """A kind of target: its name, its place in a case, and the step that supplies what is missing."""

    name: str
    path: str  #: Of today's value.
    state: str  #: The step to take where no target is stated.
    measure: str  #: The step to take where today's value isn't known.
    met: str  #: When it is met; the limit is to be filled in.


TARGETS: dict[TargetId, TargetKind] = {
    name: TargetKind(**words) for name, words in TABLES["targets"].items()
}  #: In the order in which they are named.


def named(targets: Iterable[TargetId]) -> str:
    """The names of targets, joined for a sentence."""
    return listing([TARGETS[target].name for target in targets])


KNOWLEDGE_GOALS = frozenset({"knowledge", "domain_expertise"})
"""Goals that ask for facts and concepts."""

QUALITY_SIGNS = (
    "inconsistent_format",
    "terminology_errors",
    "voice_drift",
    "knowledge_gaps",
)
"""Signals that say answers are wrong; the two other signals are about length and time."""

_PRESSING: dict[TargetId, str] = {
    "latency": "latency_requirements",
    "cost": "cost_optimization",
}
"""The reason to tune that speaks of a target, by the target."""

_RETRIEVAL = frozenset(
    {
        "better_retrieval",
        "chunk_optimization",
        "hybrid_search",
        "reranking",
        "query_expansion",
    }
)


def ends(number: Number) -> tuple[float, float]:
    """The least and the most of a known number; the most is infinite where there is no upper end."""
    assert not isinstance(number, Unknown)
    if isinstance(number, Range):
        return (number.low, number.most)
    return (number, number)


def counted(quality: float | None, cases: int | None) -> Range | None:
    """The 95% interval (Wilson) of a share counted on cases; None where one of the two is unknown."""
    if quality is None or not cases:
        return None
    return Range.between(*wilson(quality * cases, cases))


def as_range(amount: Amount | Span | None) -> Range | None:
    if amount is None:
        return None
    return Range.between(amount.low, amount.high)


def known_range(number: Number | None) -> Range | None:
    if number is None or isinstance(number, Unknown):
        return None
    return Range.between(*ends(number))


def likely(amount: AnyAmount | None) -> float | None:
    return None if amount is None else amount.likely


def _pair_with_targets(*values: T | None) -> dict[TargetId, T]:
    """Pair values with the targets, in the order of the targets; a None is left out."""
    pairs = zip(TARGETS, values, strict=False)
    return {target: value for target, value in pairs if value is not None}


_OF_NO_ANSWER = (
    "signs",
    "ran",
    "usual_work",
    "attempted",
    "bill",
    "now",
    "limits",
    "quality",
    "repays",
)
"""Facts that are computed once for a case, because no answer to a check or factor changes them."""


class UsualWork(NamedTuple):
    """The work that an option usually takes; None where the framework doesn't say."""

    hours: Range | None
    weeks: Range | None


@dataclass(frozen=True)
class CaseFacts:
    """A case together with its assessment and its measurements."""

    case: Case
    framework: Framework
    assessment: Assessment
    fits: Sequence[ApproachResult] = ()
    findings: CaseFindings = field(default_factory=CaseFindings)
    supposed: AbstractSet[str] = frozenset()  #: Answers that are supposed.

    def answered(self, changes: States) -> CaseFacts:
        """Suppose other answers; every fact that they don't change is kept and not computed again."""
        after = replace(self, supposed=changes.keys())
        worked_out = self.__dict__
        kept = {name: worked_out[name] for name in _OF_NO_ANSWER if name in worked_out}
        after.__dict__.update(kept)
        after.__dict__["states"] = {**self.states, **changes}
        return after

    def with_case(self, case: Case) -> CaseFacts:
        """Suppose another case's figures under the same answers."""
        after = replace(self, case=case)
        after.__dict__["states"] = self.states
        return after

    @cached_property
    def states(self) -> dict[str, State]:
        """The state of every check and factor, in the framework's order."""
        return self.assessment.states

    @cached_property
    def signs(self) -> dict[str, State]:
        """The state of every signal."""
        return {name: sign.state for name, sign in self.assessment.signals.items()}

    def state(self, name: str) -> State:
        """The state of a check, factor or signal; unknown for a name that isn't the framework's."""
        return self.states.get(name) or self.signs.get(name, "unknown")

    def holds(self, *names: str) -> bool:
        return all(self.state(name) == "yes" for name in names)

    @property
    def reached(self) -> State:
        """Whether prompting has reached its ceiling."""
        return every(self.state(name) for name in self.framework.ceiling)

    @property
    def ceiling_grade(self) -> CeilingGrade | Literal[""]:
        """The grade of the ceiling of prompting; empty where nobody claims one or tried to find it."""
        return grade_of_ceiling(self.reached, self.findings.ledger)

    @property
    def has_cases(self) -> bool:
        """Whether the case has a set of cases that prompts can be tried on."""
        return self.case.data.evaluation is not None and not any(
            path.startswith("data.evaluation") for path in self.findings.missing
        )

    def source(self, name: str) -> Source:
        if name in self.supposed:
            return "stated"
        return self.assessment.source(name)

    def tried(self, option: str) -> bool:
        """Whether a recorded attempt used an option, or a lab tried it and quality is still missed."""
        if option in self.ran and self.target("quality") == "no":
            return True
        return option in self.attempted

    @cached_property
    def ran(self) -> frozenset[str]:
        """The options that a lab here tried."""
        return self.case.origin.ran

    @cached_property
    def usual_work(self) -> dict[str, UsualWork]:
        """The work that each option of the framework usually takes."""
        return {
            name: UsualWork(as_range(rule.effort_hours), as_range(rule.weeks))
            for name, rule in self.framework.options.items()
        }

    @cached_property
    def attempted(self) -> frozenset[str]:
        """The options that recorded attempts used."""
        return frozenset(
            option for attempt in self.case.attempts for option in attempt.tried
        )

    @cached_property
    def attempted_models(self) -> frozenset[str]:
        """The models that recorded attempts were run with."""
        return frozenset(
            model for attempt in self.case.attempts for model in attempt.models
        )

    @property
    def attempted_families(self) -> frozenset[str]:
        """The makers of those models; two models of one maker are one family."""
        return frozenset(map(maker, self.attempted_models))

    @property
    def tried_one_family(self) -> bool:
        """Whether several models were tried and all, as far as is recorded, are of one maker.

        Another model that nobody named may be of any maker.
        """
        if self.source("foundation_models") == "measured":
            return False
        if any(
            "other_model" in each.tried and not each.models
            for each in self.case.attempts
        ):
            return False
        return len(self.attempted_models) > 1 and len(self.attempted_families) == 1

    def tried_model(self, model: str) -> bool:
        """Whether a recorded attempt was to use another model, and it was this model."""
        return any(
            model in attempt.models
            and {"smaller_model", "other_model"} & set(attempt.tried)
            for attempt in self.case.attempts
        )

    def goals(self, kinds: frozenset[str]) -> Strings:
        return tuple(goal for goal in self.case.goals if goal in kinds)

    # Traffic and what it costs.

    @property
    def requests(self) -> float | None:
        return likely(self.case.economics.traffic.requests_per_month)

    @property
    def tokens(self) -> float | None:
        return likely(self.case.economics.traffic.input_tokens)

    @property
    def growth(self) -> float:
        """The growth a month as a share; 0 where no growth is stated."""
        return likely(self.case.economics.traffic.growth_per_month) or 0.0

    @property
    def long_prompt(self) -> State:
        """Whether a request has more input than the framework calls short."""
        stated = self.case.economics.traffic.input_tokens
        limit = self.framework.threshold("short_prompt")
        if stated is None or limit is None:
            return "unknown"
        return reaches(stated.low, stated.high, limit)

    def serving(self, how: str) -> Range | None:
        """USD a month that the model in use costs in one way of serving, by traffic and prices."""
        now = in_use(self.case)
        ways = (
            way
            for way in self.findings.servings
            if now is not None and way.model == now.id
        )
        return known_range(
            next((way.usd_per_month for way in ways if way.how == how), None)
        )

    @property
    def computed_bill(self) -> Range | None:
        """USD a month that the model in use costs by traffic and prices, even if a bill is stated."""
        return self.serving("as_is")

    @cached_property
    def bill(self) -> Amount | None:
        """USD a month of the present system: the bill, stated or measured, else traffic by price."""
        return self.case.today.usd_per_month or self.findings.bill

    @property
    def bill_path(self) -> str:
        """The path in the case file that the bill comes from."""
        stated = self.case.today.usd_per_month is not None
        if stated:
            return "today.usd_per_month"
        return "economics.traffic.requests_per_month"

    @property
    def request_usd(self) -> float | None:
        """USD that a request costs today; None where the bill or the requests aren't known."""
        bill = likely(self.bill)
        return bill / self.requests if bill and self.requests else None

    # Quality, and the targets.

    @cached_property
    def quality(self) -> Range | None:
        """The 95% interval (Wilson) of today's quality; None without a share and its cases."""
        return counted(self.case.today.quality, self.case.today.cases)

    @cached_property
    def other_figure(self) -> Interval | None:
        """A second quality of the running model, from the case's list, too far off to be chance.

        None where there is no such figure, or where too few cases were counted to say that they
        differ.
        """
        today = self.case.today
        used = in_use(self.case)
        measured = any(each.path == "today.quality" for each in self.findings.replaced)
        if measured or used is None or used.quality is None or not used.cases:
            return None
        if today.quality is None or not today.cases:
            return None
        now = share_interval(today.quality, today.cases)
        other = share_interval(used.quality, used.cases)
        apart = now.low > other.high or other.low > now.high
        return other if apart else None

    @cached_property
    def limits(self) -> dict[TargetId, float]:
        """The limits that are stated as targets."""
        stated = self.case.targets
        quality = stated.quality.at_least if stated.quality else None
        return _pair_with_targets(quality, stated.latency_p95_s, stated.usd_per_month)

    @cached_property
    def now(self) -> dict[TargetId, Range]:
        """The present value of each target's figure, where it is known."""
        quality = self.case.today.quality
        latency = self.case.today.latency_p95_s
        return _pair_with_targets(
            known_range(quality), as_range(latency), as_range(self.bill)
        )

    def meets(self, target: TargetId, value: Range | None) -> State:
        """Whether a figure's whole interval lies inside the limit; unknown where either is missing."""
        limit = self.limits.get(target)
        holds = reaches if target == "quality" else within
        if limit is None or value is None:
            return "unknown"
        return holds(value.low, value.most, limit)

    @cached_property
    def targets(self) -> dict[TargetId, State]:
        """Whether each stated target is met; privacy is one where data may not leave."""
        counted = {**self.now, "quality": self.quality}
        states = {name: self.meets(name, counted.get(name)) for name in self.limits}
        if self.holds("data_sovereignty") and self.api != "unknown":
            states["privacy"] = "no" if self.api == "third_party" else "yes"
        return states

    @property
    def api(self) -> str:
        """The party that runs the model in use: as stated, else by its price or its serving.

        Unknown where the model's id doesn't tell whose machine answers.
        """
        now = in_use(self.case)
        stated = self.case.today.api
        if stated != "unknown" or now is None:
            return stated
        if now.runs != "unknown":
            return now.runs
        if (now.id, now.base_url) in self.findings.prices:
            return "third_party"
        provider, _, name = now.id.partition(":")
        place = PRESETS.get(provider)
        if (
            now.base_url is not None
            or not name
            or (place is None and provider != LOCAL)
        ):
            return "unknown"
        return "third_party" if place and place.key_from else "own"

    def target(self, name: TargetId) -> State:
        """Whether one target is met; unknown for a target that isn't stated."""
        return self.targets.get(name, "unknown")

    @cached_property
    def missed(self) -> tuple[TargetId, ...]:
        """The targets that are counted as missed."""
        return tuple(name for name, state in self.targets.items() if state == "no")

    @cached_property
    def aims(self) -> tuple[TargetId, ...]:
        """The targets that an option has to move.

        These are the targets that are missed. Quality is one of them where it is said to fall short
        and nobody counted. Cost and latency are, where they are given as a reason to tune and no
        target says how much is wanted. Empty where nobody said what is wrong.
        """
        aims = [name for name in TARGETS if name in self.missed]
        fine = all(self.state(sign) == "no" for sign in QUALITY_SIGNS) and aims
        said = self.state("success_with_prompts") == "no" or bool(self.quality_signs)
        if self.target("quality") == "unknown" and said and not fine:
            aims.insert(0, "quality")
        pressed = [name for name in self.pressed_by if name not in self.targets]
        return (*aims, *pressed)

    @property
    def firm(self) -> tuple[TargetId, ...]:
        """The aims that a target or a fault stands behind; all aims where none has either."""
        firm = [name for name in self.aims if name == "quality" or name in self.missed]
        return tuple(firm) or self.aims

    @cached_property
    def repays(self) -> tuple[float, float] | None:
        """The bill for the months in which tuning has to pay back, and its least upfront cost.

        No tuning can save more than the bill. None where one of the two isn't known.
        """
        upfront = self.findings.upfront_usd
        rule = self.framework.break_even
        if self.bill is None or upfront is None or isinstance(upfront, Unknown):
            return None
        months = 1 if self.case.one_off or rule is None else rule.under_months
        least_upfront, _ = ends(upfront)
        return self.bill.high * months, least_upfront

    @property
    def small_bill(self) -> bool:
        """Whether the whole bill is less than what tuning costs, and the cost target isn't missed."""
        if self.repays is None:
            return False
        whole_bill, least_upfront = self.repays
        return whole_bill < least_upfront and self.target("cost") != "no"

    @property
    def quality_signs(self) -> Strings:
        """The signals that say answers are wrong, whatever the answers cost."""
        return tuple(name for name in QUALITY_SIGNS if self.holds(name))

    def _fine(self, target: TargetId) -> bool:
        """Whether a target is counted as met, or it is cost and the bill is too small to matter."""
        return self.target(target) == "yes" or (target == "cost" and self.small_bill)

    @property
    def pressed_by(self) -> tuple[TargetId, ...]:
        """The targets among cost and latency that press: missed, or a reason that no count refutes."""
        return tuple(
            target
            for target, reason in _PRESSING.items()
            if self.target(target) == "no"
            or (not self._fine(target) and self.holds(reason))
        )

    # Models, data and what changes.

    def scored(self, kind: Literal["prompted", "tuned"]) -> Model | None:
        """The best model with a stated quality that isn't in use, either tuned or as it comes.

        The first prompted model of a case counts as the one in use.
        """
        models = [model for model in self.case.models if model.kind == kind]
        others = models if kind == "tuned" else models[1:]
        known = [model for model in others if model.quality is not None]
        return max(known, key=lambda model: model.quality or 0.0, default=None)

    @property
    def examples(self) -> int | None:
        return usable_examples(self.case)

    @property
    def recall(self) -> float | None:
        return self.case.today.retrieval_recall

    @property
    def recall_enough(self) -> State:
        """Whether retrieval finds the right passage often enough not to be improved first."""
        recall = self.recall
        limit = self.framework.threshold("retrieval_recall")
        if recall is None or limit is None:
            return "unknown"
        return reaches(recall, recall, limit)

    @property
    def looks_up(self) -> bool:
        """Whether answers may need something looked up; it takes statements to rule that out."""
        asked = self.case.goals and not self.goals(KNOWLEDGE_GOALS)
        said = self.state("domain_knowledge") == "no" and not self.holds(
            "knowledge_gaps"
        )
        held = self.recall is not None or self.case.data.documents is not None
        return not (self.needs_no_retrieval or (asked and said)) or held

    @property
    def needs_no_retrieval(self) -> bool:
        """Whether the team says that the task needs no retrieval."""
        answer = self.case.ceiling.get("retrieval_optimised")
        said = answer is not None and answer.needed == "no"
        return said and self.holds("retrieval_optimised")

    @property
    def tried_retrieval(self) -> bool:
        """Whether an attempt changed what is retrieved."""
        return bool(_RETRIEVAL & self.attempted)

    @property
    def behaviour_changes(self) -> bool:
        """Whether the idea of a good answer changes, or may: nobody says which part changes."""
        return self.changes in ("policy", "both", "unknown")

    @property
    def changes(self) -> str:
        """The part of the requirements that changes: content, policy, both, unknown or nothing."""
        if not self.holds("rapidly_changing_requirements"):
            return "nothing"
        answer = self.case.factors.get("rapidly_changing_requirements")
        return (answer.changes if answer else None) or "unknown"


# A challenge: its rule, its numbers and its sentence in one function.


@dataclass(frozen=True, slots=True)
class RaisedChallenge:
    """What the rule of a challenge finds in a case."""

    between: Strings  #: The paths of the statements in the case file.
    says: str  #: What doesn't fit.
    settle: str  #: What to do about it.


@dataclass(frozen=True, slots=True)
class Challenge:
    """A rule that finds statements which don't fit together, or a statement that nothing supports."""

    severity: Severity
    rule: Callable[[CaseFacts], RaisedChallenge | None]

    @property
    def id(self) -> str:
        """The name of the rule's function."""
        return self.rule.__name__

    def __call__(self, facts: CaseFacts) -> ChallengeResult | None:
        """Raise the challenge to a case; None where the rule finds nothing to challenge."""
        raised = self.rule(facts)
        if raised is None:
            return None
        return ChallengeResult(
            id=self.id,
            severity=self.severity,
            between=raised.between,
            says=sentence(raised.says),
            settle=sentence(raised.settle),
        )


#: Statements that exclude each other.
contradiction = partial(Challenge, "contradiction")
doubt = partial(Challenge, "doubt")  #: A statement that lacks what would carry it.
pushback = partial(Challenge, "pushback")  #: An expectation that isn't realistic.
