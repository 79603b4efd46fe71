"""The facts of a case that challenges and options read.

They come from structured answers and never from the text of notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Literal, NamedTuple

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


_INDEPENDENT_OF_ANSWERS = (
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


class AmountsToRepay(NamedTuple):
    """The two amounts that have to be equal at least, if tuning is to pay back."""

    bill_usd: float  #: The whole bill within the months of the framework's limit.
    upfront_usd: float  #: The least that tuning costs before the first version.


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
        # a cached property keeps its value in __dict__, so a value put there counts as computed
        computed = self.__dict__
        for name in _INDEPENDENT_OF_ANSWERS:
            if name in computed:
                after.__dict__[name] = computed[name]
        after.__dict__["states"] = {**self.states, **changes}
        return after

    def with_case(self, case: Case) -> CaseFacts:
        """Suppose another case's figures under the same answers, supposed ones included."""
        after = replace(self, case=case)
        after.__dict__["states"] = self.states  # counts as the computed property
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
        options = set[str]()
        for attempt in self.case.attempts:
            options.update(attempt.tried)
        return frozenset(options)

    @cached_property
    def attempted_models(self) -> frozenset[str]:
        """The models that recorded attempts were run with."""
        models = set[str]()
        for attempt in self.case.attempts:
            models.update(attempt.models)
        return frozenset(models)

    @property
    def attempted_families(self) -> frozenset[str]:
        """The makers of the models that recorded attempts were run with."""
        return frozenset(map(maker, self.attempted_models))

    @property
    def tried_one_family(self) -> bool:
        """Whether several models were tried and all, as far as is recorded, are of one maker."""
        if self.source("foundation_models") == "measured":
            return False  # a log counted the makers, and the attempts may lack some
        for attempt in self.case.attempts:
            if "other_model" in attempt.tried and not attempt.models:
                return False  # a model that nobody named may be of any maker
        return len(self.attempted_models) > 1 and len(self.attempted_families) == 1

    def tried_model(self, model: str) -> bool:
        """Whether the purpose of a recorded attempt was another model, and it was this model."""
        for attempt in self.case.attempts:
            changed_model = bool({"smaller_model", "other_model"} & set(attempt.tried))
            if changed_model and model in attempt.models:
                return True
        return False

    def goals(self, kinds: frozenset[str]) -> Strings:
        """The goals of the case that are among these kinds."""
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
        """USD a month that the model in use costs in one way of serving, by traffic and prices.

        None where no model is in use, or nobody knows its price.
        """
        now = in_use(self.case)
        if now is None:
            return None
        for way in self.findings.servings:
            if way.model == now.id and way.how == how:
                return known_range(way.usd_per_month)
        return None

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
        """The path in the case file that the bill comes from: as stated, else by the traffic."""
        if self.case.today.usd_per_month is not None:
            return "today.usd_per_month"
        return "economics.traffic.requests_per_month"

    @property
    def request_usd(self) -> float | None:
        """USD that a request costs today; None where the bill or the requests are 0 or unknown."""
        bill = likely(self.bill)
        if not bill or not self.requests:
            return None
        return bill / self.requests

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
        if any(each.path == "today.quality" for each in self.findings.replaced):
            return None  # a measurement decides, so two statements don't compete
        if used is None or used.quality is None or not used.cases:
            return None
        if today.quality is None or not today.cases:
            return None
        now = share_interval(today.quality, today.cases)
        other = share_interval(used.quality, used.cases)
        apart = now.low > other.high or other.low > now.high
        return other if apart else None

    @cached_property
    def limits(self) -> dict[TargetId, float]:
        """The limits that are stated as targets, in the order of TARGETS."""
        stated = self.case.targets
        limits: dict[TargetId, float] = {}
        if stated.quality is not None:
            limits["quality"] = stated.quality.at_least
        if stated.latency_p95_s is not None:
            limits["latency"] = stated.latency_p95_s
        if stated.usd_per_month is not None:
            limits["cost"] = stated.usd_per_month
        return limits

    @cached_property
    def now(self) -> dict[TargetId, Range]:
        """The present value of each target's figure, where it is known."""
        figures: dict[TargetId, Range | None] = {
            "quality": known_range(self.case.today.quality),
            "latency": as_range(self.case.today.latency_p95_s),
            "cost": as_range(self.bill),
        }
        return {name: value for name, value in figures.items() if value is not None}

    def meets(self, target: TargetId, value: Range | None) -> State:
        """Whether a figure's whole interval meets the limit; unknown where either is missing."""
        limit = self.limits.get(target)
        if limit is None or value is None:
            return "unknown"
        if target == "quality":  # the only figure of which more is better
            return reaches(value.low, value.most, limit)
        return within(value.low, value.most, limit)

    @cached_property
    def targets(self) -> dict[TargetId, State]:
        """Whether each stated target is met; privacy is one where data may not leave.

        Quality counts by its interval, because its share was counted on cases.
        """
        figures = {**self.now, "quality": self.quality}
        states = {name: self.meets(name, figures.get(name)) for name in self.limits}
        if self.holds("data_sovereignty") and self.api != "unknown":
            states["privacy"] = "no" if self.api == "third_party" else "yes"
        return states

    @property
    def api(self) -> str:
        """The party that runs the model in use: own, third_party or unknown.

        As stated, else by its price or its serving. Unknown where the model's id doesn't tell whose
        machine answers.
        """
        now = in_use(self.case)
        stated = self.case.today.api
        if stated != "unknown" or now is None:
            return stated
        if now.runs != "unknown":
            return now.runs
        if (now.id, now.base_url) in self.findings.prices:
            return "third_party"  # a list price is a provider's
        provider, _, name = now.id.partition(":")
        if now.base_url is not None or not name:
            return "unknown"  # an address of its own, or an id without a provider
        if provider == LOCAL:
            return "own"
        place = PRESETS.get(provider)
        if place is None:
            return "unknown"
        return "third_party" if place.key_from else "own"  # only others ask for a key

    def target(self, name: TargetId) -> State:
        """Whether one target is met; unknown for a target that isn't stated."""
        return self.targets.get(name, "unknown")

    @cached_property
    def missed(self) -> tuple[TargetId, ...]:
        """The targets that certainly aren't met."""
        return tuple(name for name, state in self.targets.items() if state == "no")

    @cached_property
    def aims(self) -> tuple[TargetId, ...]:
        """The targets that an option has to move.

        These are the targets that are missed. Quality is one of them where it is said to fall short
        and nobody counted. Cost and latency are, where they are given as a reason to tune and no
        target says how much is wanted. Empty where nobody said what is wrong.
        """
        aims = [name for name in TARGETS if name in self.missed]
        if self._falls_short_uncounted:
            aims.insert(0, "quality")
        pressed = [name for name in self.pressed_by if name not in self.targets]
        return (*aims, *pressed)

    @property
    def _falls_short_uncounted(self) -> bool:
        """Whether quality is said to fall short although nobody knows whether its target is met."""
        if self.target("quality") != "unknown":
            return False
        if self.missed and all(self.state(sign) == "no" for sign in QUALITY_SIGNS):
            return False  # another target explains why prompts don't succeed
        return self.state("success_with_prompts") == "no" or bool(self.quality_signs)

    @property
    def firm(self) -> tuple[TargetId, ...]:
        """The aims that a target or a fault stands behind; all aims where none has either."""
        firm = [name for name in self.aims if name == "quality" or name in self.missed]
        return tuple(firm) or self.aims

    @cached_property
    def repays(self) -> AmountsToRepay | None:
        """The bill for the months in which tuning has to pay back, and its least upfront cost.

        No tuning can save more than the bill. None where one of the two isn't known.
        """
        upfront = self.findings.upfront_usd
        rule = self.framework.break_even
        if self.bill is None or upfront is None or isinstance(upfront, Unknown):
            return None
        # the bill of a one-off job is its whole cost
        months = 1 if self.case.one_off or rule is None else rule.under_months
        least_upfront, _ = ends(upfront)
        return AmountsToRepay(self.bill.high * months, least_upfront)

    @property
    def small_bill(self) -> bool:
        """Whether the whole bill is less than what tuning costs, and the cost target isn't missed."""
        if self.repays is None or self.target("cost") == "no":
            return False
        return self.repays.bill_usd < self.repays.upfront_usd

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
        pressing = list[TargetId]()
        for target, reason in _PRESSING.items():
            given_as_reason = self.holds(reason) and not self._fine(target)
            if self.target(target) == "no" or given_as_reason:
                pressing.append(target)
        return tuple(pressing)

    # Models, data and what changes.

    def scored(self, kind: Literal["prompted", "tuned"]) -> Model | None:
        """The best model with a stated quality that isn't in use, either tuned or as it comes.

        The first prompted model of a case counts as the one in use. None without such a model.
        """
        models = [model for model in self.case.models if model.kind == kind]
        if kind == "prompted":
            models = models[1:]
        known = [model for model in models if model.quality is not None]
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
        if self.recall is not None or self.case.data.documents is not None:
            return True  # it looks something up today
        if self.needs_no_retrieval:
            return False
        other_goals = bool(self.case.goals) and not self.goals(KNOWLEDGE_GOALS)
        no_own_knowledge = self.state("domain_knowledge") == "no"
        knows_enough = no_own_knowledge and not self.holds("knowledge_gaps")
        return not (other_goals and knows_enough)

    @property
    def needs_no_retrieval(self) -> bool:
        """Whether the team answers the check of retrieval with yes, because none is needed."""
        answer = self.case.ceiling.get("retrieval_optimised")
        if answer is None or answer.needed != "no":
            return False
        return self.holds("retrieval_optimised")

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
        if answer is None or answer.changes is None:
            return "unknown"
        return answer.changes


# A challenge: its rule, its numbers and its sentence in one function.


@dataclass(frozen=True, slots=True)
class RaisedChallenge:
    """A challenge as its rule raises it to a case."""

    between: Strings  #: The paths of the statements in the case file.
    says: str  #: What doesn't fit.
    settle: str  #: What to do about it.


@dataclass(frozen=True, slots=True)
class Challenge:
    """A rule that finds statements which don't fit together, or a statement that nothing supports."""

    severity: Severity
    rule: Callable[[CaseFacts], RaisedChallenge | None]
    #: Whether it is about months, which a job that runs once hasn't.
    by_month: bool = False

    @property
    def id(self) -> str:
        """The name of the rule's function."""
        return self.rule.__name__

    def __call__(self, facts: CaseFacts) -> ChallengeResult | None:
        """Raise the challenge to a case; None where the rule finds nothing to challenge."""
        if self.by_month and facts.case.one_off:
            return None
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
#: Such an expectation of what comes month by month.
monthly_pushback = partial(Challenge, "pushback", by_month=True)
