"""Every option for a case: would it help, why or why not, and in which order to try them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    Effect,
    GoalRecord,
    Helps,
    MoveResult,
    Number,
    OptionResult,
    OutlookGrade,
)
from tuneworthy.model.framework import (
    ApproachRule,
    Framework,
    Move,
    Moves,
    OptionKind,
    OptionRule,
    TargetId,
)
from tuneworthy.plugins import plugin_object
from tuneworthy.precedents.section import ARMS
from tuneworthy.verdict.facts import TARGETS, CaseFacts, as_range, ends, known_range, named
from tuneworthy.verdict.options import model, prompt, tuning
from tuneworthy.verdict.options.rule import Figures, Opinion, Option, no, partly, unknown, yes
from tuneworthy.words import count, plain, quality, sentence

OPTIONS: Mapping[str, Option] = {
    each.id: each
    for room in (prompt, model, tuning)
    for each in vars(room).values()
    if isinstance(each, Option)
}
"""The rules that ship, by the ids of their options."""


def option_rule(name: str) -> Option | None:
    """The rule of an option, ours or of an installed package; None where nobody wrote one.

    An option of an own framework without a rule is shown and not judged.
    """
    if name in OPTIONS:
        return OPTIONS[name]
    added = plugin_object("options", name)
    return added if isinstance(added, Option) else None


HELPS = ("yes", "partly", "unknown", "no")
GRADES = ("measured", "published_cases", "rule_of_thumb")
RISKS = ("low", "medium", "high")
MOVING = ("meets", "improves")  #: Effects that move a target the right way.

NO_OPTIONS = Unknown(ask="add options to the framework, or let it extend the lesson")

Does = Mapping[TargetId, tuple[Effect, Range | None, bool]]
"""What an option does to each target, the figure that comes of it, and if it is the case's."""


class _Published(NamedTuple):
    """What published cases say that bears on an option."""

    carries: bool  #: Whether it carries a judgement that the option helps.
    says: str


class Outlook(NamedTuple):
    """An option as it is judged for a case; up to ``others`` the same whatever is answered."""

    id: str
    title: str
    kind: OptionKind
    variant_of: str
    rule: OptionRule | ApproachRule
    judge: Callable[[CaseFacts], Opinion]
    figures: Figures
    effort: Range | None
    weeks: Range | None
    usual: Does
    others: _Published
    said: Opinion = Opinion("unknown", "")
    """What it was judged by itself, before any target and without words."""
    helps: Helps = "unknown"
    because: str = ""
    measured: bool = False
    does: Does = {}
    read: frozenset[str] = frozenset()
    """Answers it was judged by: another one changes nothing of it."""
    place: tuple[Any, ...] = ()  #: By what it is ranked.

    @property
    def family(self) -> str:
        """The option itself, or the one it is a kind of."""
        return self.id if self.variant_of == "none" else self.variant_of

    @property
    def helpful(self) -> bool:
        return self.helps in ("yes", "partly")

    @property
    def grade(self) -> OutlookGrade:
        """What the judgement rests on."""
        carried = self.helpful and self.others.carries
        return "measured" if self.measured else "published_cases" if carried else "rule_of_thumb"

    @property
    def hours(self) -> Number:
        return _known(self.effort, "estimate the hours")


class Compared:
    """The options of a framework, judged for a case and ranked; or for other answers.

    ``outlooks`` are in the order to try them; empty when the framework names none. An option with
    variants is represented by its variants.
    """

    def __init__(self, facts: CaseFacts, record: GoalRecord) -> None:
        """``record``: who measured best in published cases, by goal."""
        options = facts.framework.options
        self._families = {rule.variant_of for rule in options.values()}
        self._every = [*_options(facts, record), *_tunings(facts, record)] if options else []
        self._facts, self.outlooks = facts, self._judged(facts)

    def again(self, facts: CaseFacts) -> tuple[Outlook, ...]:
        """The same with answers supposed; only options that read one of them are judged again.

        Of one that comes out as it was, the words stay as they were.
        """
        if facts.shape != self._facts.shape:
            return self._judged(facts)
        by_id = {
            option.id: _judged(option, facts, option) if option.read & facts.supposed else option
            for option in self.outlooks
        }
        if all(by_id[option.id] is option for option in self.outlooks):
            return self.outlooks
        outlooks = (by_id[option.id] for option in self._every if option.id in by_id)
        return tuple(sorted(outlooks, key=lambda option: option.place))

    def _judged(self, facts: CaseFacts) -> tuple[Outlook, ...]:
        whole = "better_retrieval" if facts.retrieves == "no" else ""
        outlooks = (
            _judged(option, facts)
            for option in self._every
            if not (whole and option.variant_of == whole)
            and (option.id == whole or option.id not in self._families)
        )
        return tuple(sorted(outlooks, key=lambda option: option.place))

    def results(self) -> tuple[OptionResult, ...]:
        """As the dossier has them, each with its rank and with the option that beats it."""
        has_set = self._facts.case.data.evaluation is not None
        rivals = [option for option in self.outlooks if option.helpful]
        return tuple(
            _result(option, rank, _beaten_by(option, rivals), has_set=has_set)
            for rank, option in enumerate(self.outlooks, start=1)
        )


def _judged(option: Outlook, facts: CaseFacts, known: Outlook | None = None) -> Outlook:
    """The option as it is judged; ``known`` where it comes out as it was."""
    assert facts.shape  # read before, so that what is read now is the option's own
    facts.read.clear()
    opinion = _shown(option, option.judge(facts), facts)
    if known is not None and opinion._replace(because="") == known.said:
        return known
    does = option.usual
    if opinion.moves is not None:
        does = _does(facts, opinion.moves, option.figures)
    aimed = _aimed(facts, opinion, does, option.id)
    judged = option._replace(
        said=opinion._replace(because=""),
        helps=aimed.helps,
        because=sentence(aimed.because),
        measured=aimed.measured,
        does=does,
        read=frozenset(facts.read),
    )
    return judged._replace(place=_order(judged, facts))


def _options(facts: CaseFacts, record: GoalRecord) -> Iterator[Outlook]:
    goal = next(iter(facts.case.goals), "")
    for name, rule in facts.framework.options.items():
        own, effort, weeks = option_rule(name), as_range(rule.effort_hours), as_range(rule.weeks)
        if name == "hybrid":  # it is tuning, and its own work beside that
            tuning_hours, first = _tuning_hours(facts.case, facts.framework), _first_weeks(facts)
            effort = effort and tuning_hours and effort + tuning_hours
            weeks = weeks and first and weeks + first
        figures: Figures = own.figures(facts) if own else {}
        figures = {**figures, "quality": _seen(facts, name) or figures.get("quality")}
        does, variant_of = _does(facts, rule.moves, figures), rule.variant_of or "none"
        about = (name, rule.title, rule.kind, variant_of, rule)
        says = f"the framework says it helps when {rule.helps_when}; judge that yourself"
        judge = own or partial(lambda _, says: unknown(says), says=says)
        others = _published(own.arm if own else "", goal, facts, record)
        yield Outlook(*about, judge, figures, effort, weeks, does, others)


def _seen(facts: CaseFacts, name: str) -> Range | None:
    """How good an option was that arms of a lab stood for, with its interval."""
    share = facts.findings.ledger.get(f"{name}_share")
    if share is None or share.low is None or not isinstance(share.high, float | int):
        return None
    return Range.between(max(0.0, share.low), min(1.0, share.high))


def _shown(option: Outlook, opinion: Opinion, facts: CaseFacts) -> Opinion:
    """A judgement where a lab has the word in: it decides what nobody else could say."""
    seen = _seen(facts, "tuned" if option.kind == "tuning" else option.id)
    if seen is None:
        return opinion
    effect = option.usual["quality"][0]
    if opinion.helps != "unknown" or effect == "unknown":
        return opinion._replace(measured=True)
    says = f"a lab measured {quality(seen.low)} to {quality(seen.most)} with it"
    return (yes if effect in MOVING else no)(says, measured=True)


def _tunings(facts: CaseFacts, record: GoalRecord) -> Iterator[Outlook]:
    """Each kind of tuning the goals lead to, once; all of them while no goal is named."""
    case, framework = facts.case, facts.framework
    fits = {fit.approach: fit for fit in reversed(facts.fits)}  # the first goal of an approach
    names = dict.fromkeys(fit.approach for fit in facts.fits) or framework.approaches
    tuned, hours = facts.scored("tuned"), _tuning_hours(case, framework)
    priced = (known_range(way.usd_per_month) for way in facts.findings.servings if way.tuned)
    cheapest = next(filter(None, priced), None)
    figures: Figures = {
        "quality": _seen(facts, "tuned") or (tuned.quality if tuned else None),
        "cost": cheapest or as_range(case.economics.monthly.ongoing_usd),
        "latency": tuned.latency_p95_s if tuned else None,
    }
    for name in names:
        fit, rule = fits.get(name), framework.approaches[name]
        judge = partial(tuning.tuning, fit=fit) if fit else lambda _: tuning.NO_GOAL
        does = _does(facts, rule.moves, figures)
        others = _published("fine_tune", fit.goal if fit else "", facts, record)
        weeks = as_range(rule.weeks)
        yield Outlook(
            name, rule.title, "tuning", "none", rule, judge, figures, hours, weeks, does, others
        )


def _published(arm: str, goal: str, facts: CaseFacts, record: GoalRecord) -> _Published:
    """How often an arm measured best for a goal; nothing where there are too few cases to say.

    It carries a judgement where that is more often than its even share among all arms would be.
    """
    winners, least = record.get(goal, {}), facts.framework.threshold("published_cases")
    total = sum(winners.values())
    if not arm or not winners or least is None or total < least:
        return _Published(carries=False, says="")
    won = winners.get(arm, 0)
    says = (
        f"{sentence(ARMS[arm]).removesuffix('.')} measured best in {count(won)} of {count(total)} "
        f"published cases of {plain(goal)}."
    )
    return _Published(won * len(ARMS) > total, says)


def _result(option: Outlook, rank: int, beaten_by: str, *, has_set: bool) -> OptionResult:
    """As the dossier has it."""
    moves: dict[TargetId, MoveResult] = {}
    for target, (effect, _, own) in option.does.items():
        grade: Any = "measured" if own and option.measured else "rule_of_thumb"
        grade = "computed" if own and target == "cost" else grade
        moves[target] = MoveResult(effect=effect, grade=grade)
    collect = "collect an evaluation set (data.evaluation) and score it on that"
    score = "score it on the evaluation set" if has_set else collect
    bill = "state traffic and the prices of the models that serve it"
    same = ("id", "title", "kind", "helps", "because", "grade", "variant_of")
    return OptionResult(
        rank=rank,
        moves=moves,
        quality=_known(option.does["quality"][1], score),
        usd_per_month=_known(option.does["cost"][1], bill),
        latency_p95_s=_known(option.does["latency"][1], "time it on the same cases"),
        effort_hours=option.hours,
        weeks=_known(option.weeks, "estimate the weeks to production"),
        risk=option.rule.risk,
        dominated_by=beaten_by,
        published=option.others.says if option.helpful else "",
        **{name: getattr(option, name) for name in same},
    )


def _known(value: Range | None, ask: str) -> Number:
    return Unknown(ask=ask) if value is None else value.narrowed()


# What an option does to each target, and whether that helps here.


def effect(target: TargetId, move: Move | None) -> Effect:
    """What a usual move says: better or no different, worse or no different, or either."""
    if move is None:
        return "nothing"
    low, high = move.low, move.high
    if target in ("cost", "latency"):  # factors: less is better
        low, high = 1 - high, 1 - low
    if low == high == 0:
        return "nothing"
    return "improves" if low >= 0 else "worsens" if high <= 0 else "unknown"


def _does(facts: CaseFacts, usual: Moves, figures: Figures) -> Does:
    """The effect on each target, and the figure that comes of it.

    A figure of the case's own goes before what is usual; what is usual is applied to today's.
    """
    does: dict[TargetId, tuple[Effect, Range | None, bool]] = {}
    for target in TARGETS:
        move, today = usual.get(target), facts.now.get(target)
        if (own := known_range(figures.get(target))) is None:
            does[target] = effect(target, move), _applied(target, today, move), False
        else:
            does[target] = _compared(facts, target, own, today), own, True
    return does


def _compared(facts: CaseFacts, target: TargetId, number: Range, today: Range | None) -> Effect:
    """What a figure of the case's own does to a target."""
    if facts.meets(target, number) == "yes":
        return "meets"
    if today is None:
        return "unknown"
    if number == today:
        return "nothing"
    less, more = number.most <= today.low, number.low >= today.most
    better, worse = (more, less) if target == "quality" else (less, more)
    return "improves" if better else "worsens" if worse else "unknown"


def _applied(target: TargetId, today: Range | None, usual: Move | None) -> Range | None:
    """What is usual, applied to today's figure."""
    if today is None or usual is None or target == "privacy":
        return today
    if target == "quality":
        ends = (min(1.0, max(0.0, today.low + gain)) for gain in (usual.low, usual.high))
        return Range.between(*(round(end, 4) for end in ends))
    return Range.between(today.low * usual.low, today.most * usual.high)


_WITH_TUNING = ("distillation", "hybrid")


def _aimed(facts: CaseFacts, opinion: Opinion, does: Does, name: str) -> Opinion:
    """The opinion held against the targets: it helps only if it moves one that is missed.

    It doesn't where it worsens one that is missed already, or takes one past its limit.
    """
    aims, because = facts.aims, opinion.because
    if opinion.helps == "no" or name == "keep_prompt" or not aims:
        return opinion
    worse = next((target for target in facts.missed if does[target][0] == "worsens"), None)
    if worse is not None:
        return no(f"{TARGETS[worse].name} is missed already, and it makes that worse")
    if opinion.helps == "unknown":
        return opinion
    if not any(does[target][0] in MOVING for target in aims):
        if still_open := [target for target in aims if does[target][0] == "unknown"]:
            said, what = because.removesuffix("."), TARGETS[still_open[0]].name
            return unknown(f"{said}; what it does to {what} has to be measured")
        missed = set(aims) <= set(facts.missed)  # else it is only said or seen to press
        if len(aims) == 1:
            how = "is missed" if missed else "presses"
            return no(f"{named(aims)} {how}, and it moves something else")
        how = "are missed" if missed else "press"
        return no(f"{named(aims)} {how}, and it moves none of them")
    touched = [t for t in facts.limits if t not in aims and does[t][0] in ("worsens", "unknown")]
    then = {target: facts.meets(target, does[target][1]) for target in touched}
    if past := [target for target, meets in then.items() if meets == "no"]:
        return no(f"it takes {TARGETS[past[0]].name} past its limit")
    doubts = [target for target, meets in then.items() if meets == "unknown"]
    if opinion.helps == "yes" and facts.case.one_off and facts.small_bill:
        return partly(f"{because}; the job runs once and costs less than the work")
    if opinion.helps == "yes" and doubts and name not in _WITH_TUNING:
        return partly(f"{because}, as long as {named(doubts)} stays within its limit")
    return opinion


# What an option takes: what this case states, else the framework's own figures.


def _tuning_hours(case: Case, framework: Framework) -> Range | None:
    """Hours up to the first tuned version: as stated, else the framework's table.

    Categories nobody stated are taken from the table; None where that has none either.
    """
    upfront, costs = case.economics.upfront, framework.costs
    if upfront.hours is not None:
        return as_range(upfront.hours)
    stated = {name: effort.hours for name, effort in upfront.by_category.items()}
    if not stated:
        return as_range(costs.upfront_total.hours) if costs and costs.upfront_total else None
    table = {str(name): row.hours for name, row in costs.upfront.items()} if costs else {}
    names = dict.fromkeys((*table, *stated))
    parts = (as_range(stated.get(name) or table.get(name)) for name in names)
    return Range.total(part for part in parts if part is not None)


def _first_weeks(facts: CaseFacts) -> Range | None:
    """Weeks of the first approach, or of the quickest while no goal is named."""
    approaches = facts.framework.approaches
    if facts.fits:
        return as_range(approaches[facts.fits[0].approach].weeks)
    known = [weeks for rule in approaches.values() if (weeks := as_range(rule.weeks)) is not None]
    return min(known, key=lambda weeks: (weeks.low, weeks.most), default=None)


# The order to try them in, and which of them another one beats.


def _order(option: Outlook, facts: CaseFacts) -> tuple[Any, ...]:
    """Those that help come first, of them what was measured.

    Then comes what moves more of the targets that are missed, then what closes more of the gap for
    an hour of work. An effort nobody knows comes last; what is equal keeps the framework's order.
    """
    hours, helps = _ends(option.effort), HELPS.index(option.helps)
    if not option.helpful:
        return helps, GRADES.index(option.grade), not hours, sum(hours)
    rate = closes(option, facts) / max(1.0, sum(hours) / 2) if hours else 0.0
    moved = covers(option, facts)
    first = facts.aims[:1] == moved[:1]
    return helps, not option.measured, not first, -len(moved), not hours, -rate, sum(hours)


def covers(option: Outlook, facts: CaseFacts) -> tuple[TargetId, ...]:
    """Targets that are missed and that it moves."""
    return tuple(target for target in facts.aims if option.does[target][0] in MOVING)


_NOMINAL_GAP = 0.2  # where nobody stated a target or measured today


def closes(option: Outlook, facts: CaseFacts) -> float:
    """Which part of what is missed an option usually closes, added up over the targets it moves.

    Half way between the ends of what is usual; one target counts 1 at most. Where nobody stated a
    target or measured today it is the part of a gap of a fifth.
    """
    part = 0.0
    for target in covers(option, facts):
        limit, today = facts.limits.get(target), facts.now.get(target)
        then, move = option.does[target][1], option.rule.moves.get(target)
        if then is not None and limit is not None and today is not None:
            gap, moved = abs(limit - today.low), abs(sum(ends(then)) / 2 - today.low)
            part += 1.0 if gap == 0 else min(1.0, moved / gap)
        elif move is not None:
            middle = (move.low + move.high) / 2
            gain = 1 - middle if target in ("cost", "latency") else middle
            part += min(1.0, max(0.0, gain / _NOMINAL_GAP))
    return part


def _ends(number: Range | None) -> tuple[float, ...]:
    """The least and the most; nothing for what isn't known."""
    return () if number is None else ends(number)


def _beaten_by(option: Outlook, helpful: Sequence[Outlook]) -> str:
    """The first rival that beats it, or ``none``; only what helps can beat or be beaten.

    Only options that remove the same trouble are rivals: a cheaper one that removes another is no
    substitute.
    """
    if not option.helpful:
        return "none"
    rivals = (other for other in helpful if other is not option and _rivals(option, other))
    return next((other.id for other in rivals if _beats(other, option)), "none")


def _rivals(option: Outlook, other: Outlook) -> bool:
    if option.variant_of == other.variant_of != "none":
        return True
    mine = option_rule(option.id)
    its = option_rule(other.id)
    if mine is None or its is None:
        return False
    return mine.trouble == its.trouble != ""


def _beats(option: Outlook, other: Outlook) -> bool:
    """Whether one is no worse in anything that is known of both, and better in something.

    Effort and weeks have to be known of both.
    """
    pairs = [(option.effort, other.effort), (option.weeks, other.weeks)]
    if not all(map(all, pairs)):
        return False
    pairs += [(option.does[less][1], other.does[less][1]) for less in ("cost", "latency")]
    pairs.append((other.does["quality"][1], option.does["quality"][1]))
    ends_of = [zip(_ends(ours), _ends(theirs), strict=False) for ours, theirs in pairs]
    gains = [theirs - ours for both in ends_of for ours, theirs in both]
    gains.append(HELPS.index(other.helps) - HELPS.index(option.helps))
    gains.append(RISKS.index(other.rule.risk) - RISKS.index(option.rule.risk))
    return min(gains) >= 0 and max(gains) > 0
