"""The answer: nine named rules over the table of ways, the first that holds.

Each rule is a function here and an entry of the framework file, where an organization may leave it
out. The framework's count moves nothing but the default where no target is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from tuneworthy.answers.facts import CaseFacts
from tuneworthy.model.base import State, Strings
from tuneworthy.model.case import Amount
from tuneworthy.model.dossier import TuningAnswer, Verdict
from tuneworthy.model.framework import JudgementRule, Outcome, TargetId
from tuneworthy.model.ways import LabArm
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.verdict.conditions import Condition, find_conditions
from tuneworthy.verdict.prize import Prize, weigh_prize
from tuneworthy.ways.table import Table, build_table
from tuneworthy.ways.untried import find_option
from tuneworthy.ways.way import Way
from tuneworthy.words import count, usd


class StepToDo(NamedTuple):
    """Something to do: its kind, why, and the way it is about where it is about one."""

    option: str
    because: str
    way: Way | None = None


class Ruling(NamedTuple):
    """What a rule answers."""

    answer: TuningAnswer
    because: str  #: The decisive finding, as one clause.
    steps: tuple[StepToDo, ...]
    conditions: Strings = ()  #: What has to be settled on the way to it.
    way: Way | None = None  #: The way that decides.
    rule: JudgementRule | str = "no_target"


@dataclass(frozen=True)
class Situation:
    """A case with its table of ways and everything else that the rules read."""

    facts: CaseFacts
    table: Table
    outcome: Verdict  #: The framework's count.
    conditions: tuple[Condition, ...]  #: Service, safety and money: yes, no or unknown.
    prize: Prize  #: All that tuning can bring over the life of the use case.
    find_contradicted: Callable[[CaseFacts], Strings]
    """Paths of the statements that stand in an open contradiction."""
    rebuild: Callable[[CaseFacts], Situation]  #: The same with other facts.

    @cached_property
    def contradicted(self) -> frozenset[str]:
        """Answers whose statement stands in an open contradiction."""
        paths = (path.split(".") for path in self.contradicted_paths)
        return frozenset(path[1] for path in paths if path[0] == "factors" and len(path) > 1)

    @cached_property
    def contradicted_paths(self) -> Strings:
        """Paths of the statements that do."""
        return self.find_contradicted(self.facts)

    @property
    def money_contradicted(self) -> bool:
        """Whether an amount stands in one."""
        return any(path.startswith(_AMOUNTS) for path in self.contradicted_paths)

    def is_on(self, rule: JudgementRule) -> bool:
        """Whether the framework has a rule."""
        return rule in self.facts.framework.judgement

    @property
    def missed(self) -> tuple[TargetId, ...]:
        """Targets that are missed today."""
        return self.table.gap.missed

    @property
    def targeted(self) -> bool:
        """Whether it is said what has to be reached.

        Seconds and USD alone don't say it where the answers are said not to be good enough.
        """
        if "quality" in self.facts.limits or self.missed:
            return bool(self.facts.limits)
        fine = self.facts.state("success_with_prompts") != "no"
        return bool(self.facts.limits) and fine

    def with_way(self, way: Way, other: Way) -> Situation:
        """The same with another way in the place of one."""
        ways = [other if each is way else each for each in self.table.ways]
        return replace(self, table=replace(self.table, ways=ways))

    @property
    def open_conditions(self) -> Strings:
        """What isn't known of service, safety and money, each as what has to be so."""
        return tuple(each.once for each in self.conditions if each.state == "unknown")

    @property
    def forbidding(self) -> Condition | None:
        """The first of them that is a stated no."""
        return next((each for each in self.conditions if each.state == "no"), None)

    @cached_property
    def moves(self) -> str:
        """What still moves, in words; empty where nothing does."""
        if self.facts.holds("exploration_phase"):
            return "you are still finding out what users need"
        if self.facts.changes in ("policy", "both", "unknown"):
            return "what counts as a good answer changes about every month"
        return ""


# Steps.


def try_ways(ways: list[Way]) -> tuple[StepToDo, ...]:
    """Each way as a step, one of a kind."""
    steps: dict[str, StepToDo] = {}
    for way in ways:
        steps.setdefault(way.option, StepToDo(way.option, way.because, way))
    return tuple(steps.values())


def keep_data_inside(it: Situation, steps: tuple[StepToDo, ...]) -> tuple[StepToDo, ...]:
    """The steps, with what keeps data inside before the first that would send more of them out."""
    if "privacy" not in it.missed:
        return steps
    ways = [way for way in it.table.ways if way.option in _KEEPING_INSIDE and way.untried]
    inside = try_ways(sorted(ways, key=lambda way: _KEEPING_INSIDE.index(way.option)))
    if not inside:
        why = "data may not leave, and they go to a third party today"
        inside = (StepToDo("clear_reasons_against", why),)
    named = {step.option for step in inside}
    others = [step for step in steps if step.option not in named]
    first = next((n for n, step in enumerate(others) if sends_data(step)), len(others))
    return (*others[:first], *inside, *others[first:])


_KEEPING_INSIDE = ("private_endpoint", "self_hosted_untuned")


def sends_data(step: StepToDo) -> bool:
    """Whether a step sends requests to whoever answers today, or to somebody else."""
    if step.way is not None and step.way.private == "yes":
        return False
    found = find_option(step.option)
    if found is not None:
        return found.sends_data
    return step.option not in ("measure", "label", "settle", "target", "collect_data", *_KEPT)


_KEPT = ("clear_reasons_against", "relax_target", "keep_prompt")


def keep_prompt(it: Situation, because: str) -> StepToDo:
    """Leave everything as it is."""
    return StepToDo("keep_prompt", because, it.table.today)


# The rules, in their order.


def proven(it: Situation) -> Ruling | None:
    """A tuned model was tried on untouched cases."""
    enough = it.table.tuned_enough
    if enough:
        best = enough[0]
        if it.table.makes_needless(best):
            return None
        steps = (StepToDo("roll_out", "it meets every target", best),)
        because = f"{best.title} meets every target, and no untuned way does"
        if it.table.untuned_enough:
            because = f"{best.title} meets every target, and beats what does without tuning"
        against = it.forbidding
        if against is not None:
            clear = StepToDo("clear_reasons_against", against.why)
            return Ruling("not_yet", f"{against.why}, and {because}", (clear, *steps), (), best)
        return Ruling("yes", because, steps, (*it.open_conditions, *_untested(best)), best)
    shown = it.table.tried_tunings
    if not shown or it.table.untuned_enough:
        return None
    lost = [way for way in shown if it.table.is_in_vain(way)]
    if len(lost) < len(shown):
        return None
    best = max(lost, key=lambda way: way.figures["quality"].value)
    relax = StepToDo("relax_target", "nothing untried is left")
    others = (*try_ways(it.table.to_try), relax)
    return Ruling("no", f"{best.title} was tuned, and {_shortfall(it, best)}", others, (), best)


def _untested(way: Way) -> Iterator[str]:
    """What nobody looked at of a tuned way, each as what has to be so."""
    if way.skills == "unknown":
        yield "its general skills are tested"
    if way.safe == "unknown":
        yield "its refusals are tested"


def _shortfall(it: Situation, way: Way) -> str:
    if way.skills == "no":
        return "it lost general skills"
    if way.safe == "no":
        return "it lost its refusals"
    missed = it.table.criterion.missed_by(way)
    if missed:
        return f"it misses {it.table.criterion.name_targets(missed)}"
    other = it.table.find(way.beside)
    return f"it gains nothing that shows over {other.title if other else 'the best untuned way'}"


def met(it: Situation) -> Ruling | None:
    """An untuned way is enough."""
    if not it.table.untuned_enough:
        return None
    best = it.table.untuned_enough[0]
    if best.kind == "now":
        names = it.table.criterion.name_targets(it.table.gap.states)
        because = f"what runs today meets every target ({names})"
        if it.table.criterion.admits(best) != "met":
            because = "what runs today is at its target, within the margin of what counts as a gain"
        return Ruling("no", because, (keep_prompt(it, because),), (), best)
    because = f"{best.title} already meets every target"
    return Ruling("no", because, (StepToDo(best.option, because, best),), (), best)


def refused(it: Situation) -> Ruling | None:
    """The use case ends too soon, or money can't come back even at the best."""
    most = it.prize.left_at_best
    because = ""
    if it.facts.case.one_off and (most is None or most < 0):
        because = "the job runs once and is over before a tuned model is ready"
    elif most is not None and most < 0 and it.missed != ("privacy",) and not _may_turn(it):
        because = it.prize.why_not
    if not because:
        return None
    steps = try_ways(it.table.to_try)
    if not steps and it.facts.case.economics.traffic.batchable == "yes" and it.facts.case.one_off:
        way = next((way for way in it.table.ways if way.id == "batching"), None)
        steps = (StepToDo("batching", "nobody waits, and a batch costs half", way),)
    if not steps:
        steps = (keep_prompt(it, "nothing else is worth its work"),)
    return Ruling("no", because, keep_data_inside(it, steps))


def _may_turn(it: Situation) -> bool:
    """Whether a loss would be none, were a contradicted amount as it is stated."""
    stated = it.prize.left_as_stated
    return stated is not None and stated >= 0 and it.money_contradicted


def moving(it: Situation) -> Ruling | None:
    """What would be learned still changes."""
    if not it.moves:
        return None
    meanwhile = list(it.table.to_try) or it.table.any_chance
    found = [way for way in meanwhile if way.option == "better_retrieval"]  # what changes is there
    steps = try_ways([*found, *meanwhile])
    if not it.targeted and not found:
        steps = (StepToDo("target", "state what has to be reached"), *steps)
    clear = StepToDo("clear_reasons_against", it.moves)
    return Ruling("not_yet", it.moves, keep_data_inside(it, steps or (clear,)))


def simpler(it: Situation) -> Ruling | None:
    """Untried simpler ways come first where they may be enough, or tuning hardly can."""
    table = it.table
    enough = it.facts.framework.threshold("simpler_enough") or 0.0
    hopeless = table.chance_of_tuning < _least_chance(it)
    if not table.to_try or not (table.simpler >= enough or hopeless):
        return None
    first = table.to_try[0]
    steps = keep_data_inside(it, try_ways(table.to_try))
    if table.simpler >= enough:
        because = f"{first.title} is untried, and simpler ways may be enough"
    else:
        because = f"tuning has hardly a chance, and {first.title} is untried"
    return Ruling("not_yet", because, steps, (), first)


def _least_chance(it: Situation) -> float:
    return it.facts.framework.threshold("tuning_hopeless") or 0.0


def worth_a_pilot(it: Situation) -> Ruling | None:
    """Tuning has a fair chance, and the data are there."""
    table = it.table
    if not table.tunings or table.chance_of_tuning < _least_chance(it) or it.prize.short_of_data:
        return None
    best = table.tunings[0]
    head = [way for way in table.to_try if way.kind == "no_model"]
    arms = sorted([best, *head[:1]], key=table.chance, reverse=True)
    steps = try_ways(arms)
    against = it.forbidding
    if against is not None:
        first = StepToDo("clear_reasons_against", against.why)
        return Ruling("not_yet", against.why, (first, *steps))
    if best.private != "yes":
        steps = keep_data_inside(it, steps)
    because = f"{_what_is_missed(it)}, and {it.prize.data_there}"
    return Ruling("pilot", because, steps, it.open_conditions, best)


def _what_is_missed(it: Situation) -> str:
    names = it.table.criterion.name_targets(it.missed)
    verb = "is" if len(it.missed) == 1 else "are"
    return f"nothing simpler is left that may be enough, {names} {verb} missed"


def short_of_data(it: Situation) -> Ruling | None:
    """Tuning has a fair chance, and too few examples are there."""
    table = it.table
    if not it.prize.short_of_data or not table.tunings:
        return None
    if it.targeted and table.chance_of_tuning < _least_chance(it):
        return None
    collect = StepToDo("collect_data", it.prize.short_of_data)
    steps = (*try_ways(table.to_try[:1]), collect)
    return Ruling("not_yet", it.prize.short_of_data, keep_data_inside(it, steps))


def nothing_left(it: Situation) -> Ruling | None:
    """Nothing untried has a chance."""
    steps = try_ways(it.table.any_chance[:1])
    relax = StepToDo("relax_target", "nothing known is left to try")
    because = "nothing that is known is left to try: relax a target, or live with it"
    return Ruling("not_yet", because, keep_data_inside(it, (*steps, relax)))


# What is open, and would decide.


def undecided(it: Situation) -> Ruling | None:
    """Something is open whose two sides lead to different answers."""
    if it.table.gap.doubtful and not set(it.missed) - {"privacy"} and not it.moves:
        step = measure_first(it)
        steps = (step, *try_ways(it.table.to_try))
        return Ruling("open", step.because, keep_data_inside(it, steps))
    failures = it.table.gap.failures
    if failures is not None and failures.labels_first and "quality" in it.missed:
        says = "wrong references weigh as much as what is missing to the target"
        return Ruling("open", says, (StepToDo("label", says), *try_ways(it.table.to_try)))
    for doubt in find_doubts(it):
        answers = {answer_firmly(side).answer for side in doubt.sides}
        if len(answers) > 1:
            steps = (doubt.step, *try_ways(it.table.to_try))
            return Ruling("open", doubt.says, keep_data_inside(it, steps))
    return None


class Doubt(NamedTuple):
    """Something that isn't known, with the situation on each of its sides."""

    says: str
    step: StepToDo
    sides: tuple[Situation, ...]


def find_doubts(it: Situation) -> Iterator[Doubt]:
    """What isn't known, each with its sides."""
    yield from _doubt_of_quality(it)
    yield from _doubt_of_bill(it)
    yield from _doubts_of_rivals(it)
    yield from _doubt_of_money(it)
    for name in ("data_sovereignty",):
        if name not in it.contradicted:
            continue
        sides: list[State] = ["yes", "no"]
        title = it.facts.assessment.factors[name].title
        says = f"statements about {title} contradict each other"
        step = StepToDo("settle", says)
        situations = tuple(it.rebuild(it.facts.answered({name: side})) for side in sides)
        yield Doubt(says, step, situations)


def measure_first(it: Situation) -> StepToDo:
    """What would tell whether a target is missed, for the first of which nobody knows."""
    target = it.table.gap.doubtful[0]
    today = it.facts.case.today
    if target != "quality":
        return StepToDo("measure", f"nobody knows {_TODAY[target]}")
    if today.quality is None:
        return StepToDo("measure", "nobody has scored what runs today")
    if not today.cases:
        return StepToDo("measure", "nobody said on how many cases today's quality was counted")
    says = f"{count(today.cases)} cases are too few to say whether quality is missed"
    return StepToDo("label", says)


_TODAY: Mapping[TargetId, str] = {
    "latency": "how long today's answers take",
    "cost": "what today's calls cost",
    "privacy": "who sees the data today",
}

_SURE = 10**6  # cases of a share that is supposed


def _doubt_of_quality(it: Situation) -> Iterator[Doubt]:
    limit = it.facts.limits.get("quality")
    if limit is None or "quality" not in it.table.gap.doubtful:
        return
    today = it.facts.case.today
    below = max(0.0, limit - 0.1 * (1 - limit) - 0.05)
    if today.quality is not None:
        below = min(today.quality, limit - 0.01)
    sides = []
    for share in (min(1.0, max(limit, today.quality or 0.0) + 0.001), below):
        supposed = today.model_copy(update={"quality": share, "cases": _SURE})
        case = it.facts.case.model_copy(update={"today": supposed})
        sides.append(it.rebuild(it.facts.with_case(case)))
    step = measure_first(it)
    yield Doubt(step.because, step, tuple(sides))


def _doubts_of_rivals(it: Situation) -> Iterator[Doubt]:
    """Untuned ways that may be enough, were their quality known better."""
    limit = it.facts.limits.get("quality")
    for way in it.table.ways:
        known = way.figures.get("quality")
        if limit is None or way.kind == "now" or way.tuned or known is None or known.value < limit:
            continue
        states = dict(it.table.criterion.judge(way))
        if states.pop("quality") != "unknown" or set(states.values()) - {"met"}:
            continue
        if known.cases:
            says = f"{count(known.cases)} cases are too few to say whether {way.title} is enough"
            step = StepToDo("label", says, way)
        else:
            says = f"nobody said on how many cases {way.title} was scored"
            step = StepToDo("measure", says, way)
        sure = replace(way, figures={**way.figures, "quality": known.made_sure()})
        yield Doubt(says, step, (it.with_way(way, sure), it))


def _doubt_of_bill(it: Situation) -> Iterator[Doubt]:
    """A stated bill and one by tokens and prices, several times apart."""
    stated = it.facts.case.today.usd_per_month
    computed = it.facts.computed_bill
    times = it.facts.framework.threshold("bill_disputed")
    if stated is None or computed is None or times is None or not computed.low:
        return
    if {"caching", "batching"} & it.facts.attempted or it.facts.api == "own":
        return
    floor = it.facts.framework.threshold("bill_floor") or 0.0
    if abs(stated.likely - (computed.low + computed.most) / 2) <= floor:
        return
    ratio = stated.likely / ((computed.low + computed.most) / 2)
    if 1 / times < ratio < times:
        return
    middle = (computed.low + computed.most) / 2
    amount = Amount(low=computed.low, likely=middle, high=computed.most)
    other = it.facts.case.today.model_copy(update={"usd_per_month": amount})
    case = it.facts.case.model_copy(update={"today": other})
    says = f"the bill is stated as {usd(stated.likely)}, and tokens times prices are {usd(middle)}"
    sides = (it.rebuild(it.facts.with_case(case)), it)
    yield Doubt(says, StepToDo("settle", says), sides)


def _doubt_of_money(it: Situation) -> Iterator[Doubt]:
    """A stated saving that another statement excludes, where it would turn a loss."""
    most = it.prize.left_at_best
    stated = it.prize.left_as_stated
    if most is None or stated is None or not most < 0 < stated or not it.money_contradicted:
        return
    lost = replace(it, find_contradicted=lambda _: ())
    kept = replace(lost, prize=it.prize._replace(left_at_best=stated, why_not=""))
    says = "the stated saving doesn't fit what is paid today"
    yield Doubt(says, StepToDo("settle", says), (lost, kept))


# All together.

Rule = Callable[[Situation], Ruling | None]

RULES: Mapping[JudgementRule, Rule] = {
    "proven": proven,
    "met": met,
    "refused": refused,
    "undecided": undecided,
    "moving": moving,
    "simpler": simpler,
    "worth_a_pilot": worth_a_pilot,
    "short_of_data": short_of_data,
    "nothing_left": nothing_left,
}  #: In the order in which they are asked.

WITHOUT_A_TARGET: tuple[JudgementRule, ...] = ("refused", "moving", "short_of_data")
"""Rules that are asked where no target is stated."""


def answer(it: Situation) -> Ruling:
    """The first rule that holds; the count's default where no target is stated."""
    return _first_that_holds(it, RULES)


def answer_firmly(it: Situation) -> Ruling:
    """The same without looking at what is open."""
    return _first_that_holds(
        it, {name: rule for name, rule in RULES.items() if name != "undecided"}
    )


def _first_that_holds(it: Situation, rules: Mapping[Any, Rule]) -> Ruling:
    for name, rule in rules.items():
        if not it.is_on(name) or not (it.targeted or name in WITHOUT_A_TARGET):
            continue
        ruling = rule(it)
        if ruling is not None:
            return ruling._replace(rule=name)
    if not it.targeted:
        return by_count(it)
    return nothing_left(it)._replace(rule="nothing_left")  # type: ignore[union-attr]


_BY_COUNT: Mapping[Outcome | str, tuple[TuningAnswer, str]] = {
    "fine_tune_candidate": ("pilot", "a candidate by the checklist alone: no target is stated"),
    "improve_rag_or_switch_model": ("not_yet", "no target is stated, and few reasons hold"),
    "address_anti_indicators": ("not_yet", "no target is stated, and reasons speak against it"),
    "keep_optimizing_prompts": ("not_yet", "no target is stated, and prompting isn't at its end"),
    "undecided": ("open", "no target is stated, and the checklist is open"),
}


def by_count(it: Situation) -> Ruling:
    """The framework's count as the default, and a target to state."""
    default, because = _BY_COUNT[it.outcome]
    target = StepToDo("target", "state what has to be reached")
    steps = (target, *try_ways(it.table.to_try))
    if default == "pilot":
        steps = (*steps, *try_ways(it.table.tunings[:1]))
    conditions = it.open_conditions if default == "pilot" else ()
    against = it.forbidding
    if default == "pilot" and against is not None:
        clear = StepToDo("clear_reasons_against", against.why)
        return Ruling("not_yet", against.why, (target, clear))
    return Ruling(default, because, steps, conditions)


_AMOUNTS = ("economics.monthly", "today.usd_per_month")


def build_situation(
    facts: CaseFacts,
    arms: Sequence[LabArm],
    outcome_of: Callable[[CaseFacts], Verdict],
    money: MoneyFindings,
    contradicted: Callable[[CaseFacts], Strings],
    as_of: date,
) -> Situation:
    """A case with its table, and how to make it again from other facts."""

    def build(facts: CaseFacts) -> Situation:
        table = build_table(facts, arms)
        return Situation(
            facts=facts,
            table=table,
            outcome=outcome_of(facts),
            conditions=find_conditions(facts.case, money.gate, as_of),
            prize=weigh_prize(facts, table, money),
            find_contradicted=contradicted,
            rebuild=build,
        )

    return build(facts)
