"""Every option for a case: would it help, why or why not, and in which order to try them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import Amount, Case
from tuneworthy.model.dossier import GoalRecord, Number, OptionResult, OutlookGrade
from tuneworthy.model.framework import Framework, Span
from tuneworthy.verdict.facts import CaseFacts
from tuneworthy.verdict.options import model, prompt, tuning
from tuneworthy.verdict.options.rule import Figures, Judgement, Option, unknown
from tuneworthy.words import count, figure_says, plain, sentence

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

NO_OPTIONS = Unknown(ask="add options to the framework, or let it extend the lesson")
OPTIONS_IN_SHORT = Unknown(
    ask="leave --quick out: options need more answers than the short form asks"
)

ARMS = {
    "fine_tune": "tuning alone",
    "hybrid": "tuning with retrieval or a better prompt",
    "rag": "retrieval",
    "prompt": "a better prompt",
    "model_switch": "another model",
    "decomposition": "decomposition",
}
"""Arms of the published cases in words."""


def options(facts: CaseFacts, record: GoalRecord) -> tuple[OptionResult, ...]:
    """Every option of a framework, judged for a case and ranked.

    Args:
        facts: The case, its answers, and the approaches of its goals against its data.
        record: Who measured best in published cases, by goal.

    Returns:
        The options in the order of their ranks; empty when the framework names none. An option
        with variants is represented by its variants.
    """
    if not facts.framework.options:
        return ()
    families = {rule.variant_of for rule in facts.framework.options.values()}
    names = [name for name in facts.framework.options if name not in families]
    return ranked([*(_option(name, facts, record) for name in names), *_tunings(facts, record)])


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
        facts.case,
        judgement,
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
        _range(case.economics.monthly.ongoing_usd),
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
                case,
                judgement,
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


class _Published(NamedTuple):
    """What others published that bears on an option."""

    carries: bool
    """Whether it carries a judgement that the option helps."""
    says: str


def _result(
    case: Case, judgement: Judgement, figures: Figures, others: _Published, **named: Any
) -> OptionResult:
    """An option that has no rank yet; ``named`` is its id, title, kind, risk and variant."""
    helps = judgement.helps in ("yes", "partly")
    grade: OutlookGrade = "published_cases" if helps and others.carries else "rule_of_thumb"
    score = "score it on the evaluation set"
    if case.data.evaluation is None:
        score = "collect an evaluation set (data.evaluation) and score it on that"
    bill = "state traffic and the prices of the models that serve it"
    return OptionResult(
        rank=0,
        helps=judgement.helps,
        because=sentence(judgement.because),
        grade="measured" if judgement.measured else grade,
        quality=_known(figures.quality, score),
        usd_per_month=_known(figures.usd_per_month, bill),
        latency_p95_s=_known(figures.latency_p95_s, "time it on the same cases"),
        effort_hours=_known(figures.effort_hours, "estimate the hours"),
        weeks=_known(figures.weeks, "estimate the weeks to production"),
        dominated_by="none",
        published=others.says if helps else "",
        **named,
    )


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


def ranked(options: Sequence[OptionResult]) -> tuple[OptionResult, ...]:
    """The options by what they promise, then by what that rests on, then by effort.

    An effort nobody knows comes last; what is equal keeps the framework's order. Each gets its
    rank, 1 for the first, and the option that beats it.
    """
    order = sorted(options, key=_order)
    return tuple(
        option.model_copy(update={"rank": rank, "dominated_by": _beaten_by(option, order)})
        for rank, option in enumerate(order, start=1)
    )


def _order(option: OptionResult) -> tuple[int, int, bool, float]:
    effort = _ends(option.effort_hours)
    return HELPS.index(option.helps), GRADES.index(option.grade), not effort, sum(effort)


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
