"""Every option for a case: would it help, why or why not, and in which order to try them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.case import Amount, Case
from tuneworthy.model.dossier import (
    Effect,
    GoalRecord,
    MoveResult,
    Number,
    OptionResult,
    OutlookGrade,
)
from tuneworthy.model.framework import Framework, Move, Moves, Span, TargetId
from tuneworthy.verdict.facts import ARMS, NAMES, TARGETS, CaseFacts
from tuneworthy.verdict.options import model, prompt, tuning
from tuneworthy.verdict.options.rule import Figures, Opinion, Option, no, partly, unknown
from tuneworthy.verdict.weigh import reaches
from tuneworthy.words import count, figure_says, listing, plain, sentence

OPTIONS: Mapping[str, Option] = {
    each.id: each
    for room in (prompt, model, tuning)
    for each in vars(room).values()
    if isinstance(each, Option)
}
"""Option id to its rule; an own framework's other options are shown and not judged."""

HELPS = ("yes", "partly", "unknown", "no")
GRADES = ("measured", "published_cases", "rule_of_thumb")
RISKS = ("low", "medium", "high")
MOVING = ("meets", "improves")
"""Effects that move a target the right way."""

NO_OPTIONS = Unknown(ask="add options to the framework, or let it extend the lesson")


def options(
    facts: CaseFacts, record: GoalRecord, *, rivals: bool = True
) -> tuple[OptionResult, ...]:
    """Every option of a framework, judged for a case and ranked.

    Args:
        facts: The case, its answers, and the approaches of its goals against its data.
        record: Who measured best in published cases, by goal.
        rivals: Look also for what beats each.

    Returns:
        The options in the order of their ranks; empty when the framework names none. An option
        with variants is represented by its variants.
    """
    if not facts.framework.options:
        return ()
    rules = facts.framework.options
    families = {rule.variant_of for rule in rules.values()}
    whole = "better_retrieval" if facts.retrieves == "no" else ""
    names = [
        name
        for name, rule in rules.items()
        if name == whole or (name not in families and not (whole and rule.variant_of == whole))
    ]
    judged = [*(_option(name, facts, record) for name in names), *_tunings(facts, record)]
    return ranked(judged, facts, rivals=rivals)


def _option(name: str, facts: CaseFacts, record: GoalRecord) -> OptionResult:
    rule, own = facts.framework.options[name], OPTIONS.get(name)
    effort, weeks = _range(rule.effort_hours), _range(rule.weeks)
    if name == "hybrid":  # it is tuning, and its own work beside that
        effort = _added(effort, _tuning_hours(facts.case, facts.framework))
        weeks = _added(weeks, _first_weeks(facts))
    judgement = (
        own(facts)
        if own
        else unknown(f"the framework says it helps when {rule.helps_when}; judge that yourself")
    )
    figures = own.figures(facts) if own else Figures()
    return _result(
        facts,
        judgement,
        rule.moves,
        figures._replace(effort_hours=effort, weeks=weeks),
        _published(own.arm if own else "", next(iter(facts.case.goals), ""), facts, record),
        id=name,
        title=rule.title,
        kind=rule.kind,
        risk=rule.risk,
        variant_of=rule.variant_of or "none",
    )


def _tunings(facts: CaseFacts, record: GoalRecord) -> list[OptionResult]:
    """Each kind of tuning the goals lead to, once; all of them while no goal is named."""
    case, framework = facts.case, facts.framework
    fits = {fit.approach: fit for fit in reversed(facts.fits)}  # the first goal of an approach
    names = list(dict.fromkeys(fit.approach for fit in facts.fits)) or list(framework.approaches)
    tuned, figure = facts.scored("tuned"), facts.figure
    figures = Figures(
        tuned.quality if tuned else None,
        _tuned_usd(facts) or _range(case.economics.monthly.ongoing_usd),
        tuned.latency_p95_s if tuned else None,
        _tuning_hours(case, framework),
    )
    results = []
    for name in names:
        fit, rule = fits.get(name), framework.approaches[name]
        judgement = tuning.tuning(facts, fit) if fit else tuning.no_goal()
        others = _published("fine_tune", fit.goal if fit else "", facts, record)
        if figure is not None:
            carries, says = others.carries or figure.meets == "yes", figure_says(figure)
            if says not in judgement.because:
                others = others._replace(says=f"{others.says} {sentence(says)}".strip())
            others = others._replace(carries=carries)
        results.append(
            _result(
                facts,
                judgement,
                rule.moves,
                figures._replace(weeks=_range(rule.weeks)),
                others,
                id=name,
                title=rule.title,
                kind="tuning",
                risk=rule.risk,
                variant_of="none",
            )
        )
    return results


def _tuned_usd(facts: CaseFacts) -> Range | None:
    """What the tuned model costs a month: the cheapest way that has a price."""
    for each in facts.findings.servings:
        if each.tuned and not isinstance(each.usd_per_month, Unknown):
            usd = each.usd_per_month
            return usd if isinstance(usd, Range) else Range.between(usd, usd)
    return None


class _Published(NamedTuple):
    """What others published that bears on an option."""

    carries: bool
    """Whether it carries a judgement that the option helps."""
    says: str


def _result(
    facts: CaseFacts,
    judgement: Opinion,
    usual: Moves,
    figures: Figures,
    others: _Published,
    **named: Any,
) -> OptionResult:
    """An option that has no rank yet; ``named`` is its id, title, kind, risk and variant."""
    does = usual if judgement.moves is None else judgement.moves
    moves, numbers = _moves(facts, does, figures, judgement.measured)
    judgement = _aimed(facts, judgement, moves, numbers, named["id"])
    helps = judgement.helps in ("yes", "partly")
    grade: OutlookGrade = "published_cases" if helps and others.carries else "rule_of_thumb"
    score = "score it on the evaluation set"
    if facts.case.data.evaluation is None:
        score = "collect an evaluation set (data.evaluation) and score it on that"
    bill = "state traffic and the prices of the models that serve it"
    return OptionResult(
        rank=0,
        helps=judgement.helps,
        because=sentence(judgement.because),
        moves=moves,
        grade="measured" if judgement.measured else grade,
        quality=_known(numbers["quality"], score),
        usd_per_month=_known(numbers["cost"], bill),
        latency_p95_s=_known(numbers["latency"], "time it on the same cases"),
        effort_hours=_known(figures.effort_hours, "estimate the hours"),
        weeks=_known(figures.weeks, "estimate the weeks to production"),
        dominated_by="none",
        published=others.says if helps else "",
        **named,
    )


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


def _moves(
    facts: CaseFacts, does: Moves, figures: Figures, measured: bool
) -> tuple[dict[TargetId, MoveResult], dict[TargetId, Range | None]]:
    """The effect on each target with its grade, and the number that comes of it.

    A figure of the case's own goes before what is usual; what is usual is applied to today's.
    """
    own: dict[TargetId, float | Range | None] = {
        "quality": figures.quality,
        "cost": figures.usd_per_month,
        "latency": figures.latency_p95_s,
    }
    moves: dict[TargetId, MoveResult] = {}
    numbers: dict[TargetId, Range | None] = {}
    for target in TARGETS:
        does_here, number = effect(target, does.get(target)), own.get(target)
        grade: Any = "rule_of_thumb"
        if number is not None:
            known = number if isinstance(number, Range) else Range.between(number, number)
            numbers[target] = known
            grade = "computed" if target == "cost" else "measured" if measured else grade
            does_here = _compared(facts, target, known)
        else:
            numbers[target] = _applied(facts, target, does.get(target))
        moves[target] = MoveResult(effect=does_here, grade=grade)
    return moves, numbers


def _compared(facts: CaseFacts, target: TargetId, number: Range) -> Effect:
    """What a figure of the case's own does to a target."""
    if _meets(facts, target, number) == "yes":
        return "meets"
    today = facts.now.get(target)
    if today is None:
        return "unknown"
    if number == today:
        return "nothing"
    less, more = number.most <= today.low, number.low >= today.most
    better, worse = (more, less) if target == "quality" else (less, more)
    return "improves" if better else "worsens" if worse else "unknown"


def _meets(facts: CaseFacts, target: TargetId, number: Range) -> State:
    """Whether a figure lies inside the limit; unknown without one."""
    limit = facts.limits.get(target)
    if limit is None:
        return "unknown"
    if target == "quality":
        return reaches(number.low, number.most, limit)
    return "yes" if number.most <= limit else "no" if number.low > limit else "unknown"


def _applied(facts: CaseFacts, target: TargetId, move: Move | None) -> Range | None:
    """What is usual, applied to today's figure."""
    today = facts.now.get(target)
    if today is None or move is None or target == "privacy":
        return today
    if target == "quality":
        ends = (min(1.0, max(0.0, today.low + gain)) for gain in (move.low, move.high))
        return Range.between(*(round(end, 4) for end in ends))
    return Range.between(today.low * move.low, today.most * move.high)


_WITH_TUNING = ("distillation", "hybrid")


def _aimed(
    facts: CaseFacts,
    judgement: Opinion,
    moves: Mapping[TargetId, MoveResult],
    numbers: Mapping[TargetId, Range | None],
    name: str,
) -> Opinion:
    """A judgement held against the targets: it helps only if it moves one that is missed.

    It doesn't where it worsens one that is missed already, or takes one past its limit.
    """
    if judgement.helps == "no" or name == "keep_prompt" or not facts.aims:
        return judgement
    worse = next((t for t in facts.missed if moves[t].effect == "worsens"), None)
    if worse is not None:
        return no(f"{NAMES[worse]} is missed already, and it makes that worse")
    if judgement.helps == "unknown":
        return judgement
    if not any(moves[target].effect in MOVING for target in facts.aims):
        return _off_target(facts, judgement, moves)
    return _within_limits(facts, judgement, moves, numbers, name)


def _within_limits(
    facts: CaseFacts,
    judgement: Opinion,
    moves: Mapping[TargetId, MoveResult],
    numbers: Mapping[TargetId, Range | None],
    name: str,
) -> Opinion:
    """No where it takes a target past its limit; partly where nobody knows whether it does."""
    doubts = []
    for target in ("quality", "latency", "cost"):
        if moves[target].effect not in ("worsens", "unknown") or target in facts.aims:
            continue
        then = numbers[target]
        meets = "unknown" if then is None else _meets(facts, target, then)
        if meets == "no":
            return no(f"it takes {NAMES[target]} past its limit")
        if meets == "unknown" and facts.limits.get(target) is not None:
            doubts.append(NAMES[target])
    if facts.one_off and facts.small_bill and judgement.helps == "yes":
        return partly(f"{judgement.because}; the job runs once and costs less than the work")
    if doubts and judgement.helps == "yes" and name not in _WITH_TUNING:
        return partly(f"{judgement.because}, as long as {listing(doubts)} stays within its limit")
    return judgement


def _off_target(
    facts: CaseFacts, judgement: Opinion, moves: Mapping[TargetId, MoveResult]
) -> Opinion:
    """It moves no target that is missed, or nobody knows whether it does."""
    still_open = [NAMES[target] for target in facts.aims if moves[target].effect == "unknown"]
    if still_open:
        said = judgement.because.removesuffix(".")
        return unknown(f"{said}; what it does to {still_open[0]} has to be measured")
    names = [NAMES[target] for target in facts.aims]
    if len(names) == 1:
        return no(f"{names[0]} is missed, and it moves something else")
    return no(f"{listing(names)} are missed, and it moves none of them")


_NOMINAL_GAP = 0.2  # where nobody stated a target or measured today


def _usual(option: OptionResult, target: TargetId, facts: CaseFacts) -> float:
    """The part of a gap of a fifth that the option usually closes."""
    rules = facts.framework.options | facts.framework.approaches
    move = rules[option.id].moves.get(target) if option.id in rules else None
    if move is None:
        return 0.0
    middle = (move.low + move.high) / 2
    gain = 1 - middle if target in ("cost", "latency") else middle
    return min(1.0, max(0.0, gain / _NOMINAL_GAP))


def closes(option: OptionResult, facts: CaseFacts) -> float:
    """Which part of what is missed an option usually closes, added up over the targets it moves.

    Half way between the ends of what is usual; one target counts 1 at most.
    """
    part = 0.0
    for target in facts.aims:
        if option.moves[target].effect not in MOVING:
            continue
        limit, today = facts.limits.get(target), facts.now.get(target)
        then = {
            "quality": option.quality,
            "cost": option.usd_per_month,
            "latency": option.latency_p95_s,
        }.get(target)
        if then is None or isinstance(then, Unknown) or limit is None or today is None:
            part += _usual(option, target, facts)
            continue
        low, high = _ends(then)[0], _ends(then)[-1]
        gap = abs(limit - today.low)
        moved = abs((low + high) / 2 - today.low)
        part += 1.0 if gap == 0 else min(1.0, moved / gap)
    return part


def _known(value: float | Range | None, ask: str) -> Number:
    if value is None:
        return Unknown(ask=ask)
    return value.narrowed() if isinstance(value, Range) else value


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


# What an option takes: what this case states, else the framework's own figures.


def _tuning_hours(case: Case, framework: Framework) -> Range | None:
    """Hours up to the first tuned version: as stated, else the framework's table.

    Categories nobody stated are taken from the table; None where that has none either.
    """
    upfront, costs = case.economics.upfront, framework.costs
    if upfront.hours is not None:
        return _range(upfront.hours)
    stated = {name: effort.hours for name, effort in upfront.by_category.items()}
    if not stated:
        return _range(costs.upfront_total.hours) if costs and costs.upfront_total else None
    table = {str(name): row.hours for name, row in costs.upfront.items()} if costs else {}
    parts = [
        _range(stated.get(name) or table.get(name)) for name in dict.fromkeys((*table, *stated))
    ]
    return Range.total(part for part in parts if part is not None)


def _first_weeks(facts: CaseFacts) -> Range | None:
    """Weeks of the first approach, or of the quickest while no goal is named."""
    approaches = facts.framework.approaches
    if facts.fits:
        return _range(approaches[facts.fits[0].approach].weeks)
    known = [weeks for rule in approaches.values() if (weeks := _range(rule.weeks)) is not None]
    return min(known, key=lambda weeks: (weeks.low, weeks.most), default=None)


def _added(first: Range | None, second: Range | None) -> Range | None:
    return None if first is None or second is None else first + second


def _range(value: Amount | Span | None) -> Range | None:
    return Range.between(value.low, value.high) if value is not None else None


# The order to try them in, and which of them another one beats.


def ranked(
    options: Sequence[OptionResult], facts: CaseFacts, *, rivals: bool
) -> tuple[OptionResult, ...]:
    """The options in the order to try them.

    Those that help come first; of them what was measured, then what moves more of the targets that
    are missed, then what closes more of the gap for an hour of work. An effort nobody knows comes
    last; what is equal keeps the framework's order. Each gets its rank, 1 for the first, and the
    option that beats it.
    """
    order = sorted(options, key=lambda option: _order(option, facts))
    if not rivals:
        return tuple(order)
    return tuple(
        option.model_copy(update={"rank": rank, "dominated_by": _beaten_by(option, order)})
        for rank, option in enumerate(order, start=1)
    )


def _order(option: OptionResult, facts: CaseFacts) -> tuple[Any, ...]:
    hours, helps = _ends(option.effort_hours), HELPS.index(option.helps)
    if option.helps not in ("yes", "partly"):
        return helps, GRADES.index(option.grade), not hours, sum(hours)
    rate = closes(option, facts) / max(1.0, sum(hours) / 2) if hours else 0.0
    moved = covers(option, facts)
    first = facts.aims[:1] == moved[:1]
    return helps, option.grade != "measured", not first, -len(moved), not hours, -rate, sum(hours)


def covers(option: OptionResult, facts: CaseFacts) -> tuple[TargetId, ...]:
    """Targets that are missed and that it moves."""
    return tuple(target for target in facts.aims if option.moves[target].effect in MOVING)


def _ends(number: Number) -> tuple[float, ...]:
    """The least and the most; nothing for what isn't known."""
    if isinstance(number, Unknown):
        return ()
    return (number.low, number.most) if isinstance(number, Range) else (number, number)


def _beaten_by(option: OptionResult, order: Sequence[OptionResult]) -> str:
    """The first rival that beats it, or ``none``.

    Only options that remove the same trouble are rivals: a cheaper one that removes another is no
    substitute.
    """
    rivals = (other for other in order if other is not option and _rivals(option, other))
    return next((other.id for other in rivals if _beats(other, option)), "none")


def _rivals(option: OptionResult, other: OptionResult) -> bool:
    if option.variant_of == other.variant_of != "none":
        return True
    troubles = [OPTIONS[each.id].trouble for each in (option, other) if each.id in OPTIONS]
    return len(troubles) == 2 and troubles[0] == troubles[1] != ""


def _beats(option: OptionResult, other: OptionResult) -> bool:
    """Whether one is no worse in anything that is known of both, and better in something.

    Only what helps can beat or be beaten, and effort and weeks have to be known of both.
    """
    if not {option.helps, other.helps} <= {"yes", "partly"}:
        return False
    needed = (option.effort_hours, other.effort_hours, option.weeks, other.weeks)
    if any(isinstance(number, Unknown) for number in needed):
        return False
    gains = [
        HELPS.index(other.helps) - HELPS.index(option.helps),
        RISKS.index(other.risk) - RISKS.index(option.risk),
        *_less(option.effort_hours, other.effort_hours),
        *_less(option.weeks, other.weeks),
        *_less(option.usd_per_month, other.usd_per_month),
        *_less(option.latency_p95_s, other.latency_p95_s),
        *_less(other.quality, option.quality),
    ]
    return min(gains) >= 0 and max(gains) > 0


def _less(mine: Number, its: Number) -> list[float]:
    """By how much less it is at both ends; nothing where one isn't known."""
    return [theirs - ours for ours, theirs in zip(_ends(mine), _ends(its), strict=False)]
