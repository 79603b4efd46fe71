"""Every option for a case: would it help, why or why not, and in which order to try them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import Case, PublishedFigure
from tuneworthy.model.dossier import (
    Advice,
    ApproachResult,
    Assessment,
    GoalRecord,
    Judgement,
    Number,
    Option,
    OptionResult,
    OutlookGrade,
    Published,
    Recommendation,
)
from tuneworthy.model.framework import Framework
from tuneworthy.verdict.options import model, prompt, tuning
from tuneworthy.verdict.options import model as serving
from tuneworthy.verdict.options import prompt as retrieval
from tuneworthy.verdict.options.advice import ADVICE
from tuneworthy.verdict.options.facts import (
    Facts,
    Numbers,
    added,
    judged,
    span,
    tuned_usd_per_month,
    tuning_hours,
)
from tuneworthy.verdict.options.model import MODEL
from tuneworthy.verdict.options.prompt import PROMPT, RETRIEVAL
from tuneworthy.verdict.options.tuning import TUNING
from tuneworthy.words import count, figure_says, plain, sentence

# Options in the order to try them, and which of them another one beats.

HELPS = ("yes", "partly", "unknown", "no")
GRADES = ("measured", "published_cases", "rule_of_thumb")
RISKS = ("low", "medium", "high")

SAME_TROUBLE = (
    {"few_shot", "retrieved_examples"},
    {"smaller_model", "distillation"},
    {"caching", "batching"},
)
"""Options that mend the same trouble; so do the variants of one family."""


def ranked(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options by what they promise, then by what that rests on, then by effort.

    An effort nobody knows comes last; what is equal keeps the framework's order. Each gets its
    rank, 1 for the first, and the option that beats it.
    """
    order = sorted(options, key=_order)
    return tuple(
        replace(one, rank=place, dominated_by=_beaten_by(one, order))
        for place, one in enumerate(order, start=1)
    )


def _order(option: Option) -> tuple[int, int, bool, float]:
    effort = option.effort_hours
    middle = (effort.low + effort.most) / 2 if effort else 0.0
    return HELPS.index(option.helps), GRADES.index(option.grade), effort is None, middle


def _beaten_by(option: Option, order: Sequence[Option]) -> str:
    """The first rival that beats it, or ``none``.

    Only options that mend the same trouble are rivals: a cheaper one that mends something else is
    no substitute.
    """
    rivals = (other for other in order if other is not option and _rivals(option, other))
    return next((other.id for other in rivals if _beats(other, option)), "none")


def _rivals(one: Option, other: Option) -> bool:
    if one.family == other.family:
        return True
    both = {one.id, other.id}
    return any(both <= group for group in SAME_TROUBLE)


def _beats(one: Option, other: Option) -> bool:
    """Whether one is no worse in anything that is known of both, and better in something.

    Only what helps can beat or be beaten, and effort and weeks have to be known of both.
    """
    if not {one.helps, other.helps} <= {"yes", "partly"}:
        return False
    pairs = [(one.effort_hours, other.effort_hours), (one.weeks, other.weeks)]
    if any(mine is None or its is None for mine, its in pairs):
        return False
    columns = [_promise(one) - _promise(other), RISKS.index(other.risk) - RISKS.index(one.risk)]
    for mine, its in (*pairs, (one.usd_per_month, other.usd_per_month)):
        columns += _less(mine, its)
    if one.quality is not None and other.quality is not None:
        columns.append(one.quality - other.quality)
    if one.latency_p95_s is not None and other.latency_p95_s is not None:
        columns.append(other.latency_p95_s - one.latency_p95_s)
    return min(columns) >= 0 and max(columns) > 0


def _promise(option: Option) -> float:
    return {"yes": 2.0, "partly": 1.0}.get(option.helps, 0.0)


def _less(mine: Range | None, its: Range | None) -> list[float]:
    """By how much less it is at both ends; nothing where one isn't known."""
    return [its.low - mine.low, its.most - mine.most] if mine and its else []


# Every option for a case: would it help, why or why not, and in which order to try them.

JUDGES: Mapping[str, Callable[[Facts], Judgement]] = {
    rule.__name__: rule
    for rule in (
        prompt.keep_prompt,
        prompt.prompt_optimisation,
        prompt.few_shot,
        prompt.retrieved_examples,
        prompt.constrained_output,
        prompt.decomposition,
        retrieval.chunk_optimization,
        retrieval.hybrid_search,
        retrieval.reranking,
        retrieval.query_expansion,
        model.other_model,
        model.smaller_model,
        model.distillation,
        serving.caching,
        serving.batching,
        tuning.hybrid,
    )
}
"""Option id to its judge; an own framework's other options are shown and not judged."""

_ARMS = {
    "prompt_optimisation": "prompt",
    "few_shot": "prompt",
    "chunk_optimization": "rag",
    "hybrid_search": "rag",
    "reranking": "rag",
    "query_expansion": "rag",
    "other_model": "model_switch",
    "decomposition": "decomposition",
    "hybrid": "hybrid",
}
"""Option to the arm of the published cases it belongs to; each kind of tuning is fine_tune."""


def options(
    case: Case,
    framework: Framework,
    assessment: Assessment,
    fits: Sequence[ApproachResult],
    record: GoalRecord,
) -> tuple[Option, ...]:
    """Every option of a framework, judged for a case and ranked.

    Args:
        case: The case.
        framework: Its options, approaches and figures.
        assessment: The answers.
        fits: The approaches of the case's goals against its data.
        record: Who measured best in published cases, by goal.

    Returns:
        The options in the order of their ranks; empty when the framework names none. An option
        with variants is told by its variants.
    """
    if not framework.options:
        return ()
    facts = Facts(case, framework, assessment, fits)
    families = {one.variant_of for one in framework.options.values()}
    found = [_option(name, facts, record) for name in framework.options if name not in families]
    return ranked([*found, *_tunings(facts, record)])


def _option(name: str, facts: Facts, record: GoalRecord) -> Option:
    rule = facts.framework.options[name]
    quality, usd, latency = _known(name, facts)
    judge = JUDGES.get(name)
    verdict = judge(facts) if judge else judged("unknown", "own_option", when=rule.helps_when)
    effort, weeks = span(rule.effort_hours), span(rule.weeks)
    if name == "hybrid":
        effort = added(effort, tuning_hours(facts.case, facts.framework))
        weeks = added(weeks, _first_weeks(facts))
    goal = next(iter(facts.case.goals), None)
    published = _published(_ARMS.get(name), goal, facts, record)
    return Option(
        id=name,
        title=rule.title,
        kind=rule.kind,
        family=rule.variant_of or name,
        helps=verdict.helps,
        because=verdict.because,
        grade=_grade(verdict, published),
        published=published,
        quality=quality,
        usd_per_month=usd,
        latency_p95_s=latency,
        effort_hours=effort,
        weeks=weeks,
        risk=rule.risk,
    )


def _tunings(facts: Facts, record: GoalRecord) -> list[Option]:
    """Each kind of tuning the goals lead to, once; all of them while no goal is named."""
    fits = {fit.approach: fit for fit in reversed(facts.fits)}  # the first goal of an approach
    names = list(dict.fromkeys(fit.approach for fit in facts.fits)) or list(
        facts.framework.approaches
    )
    hours, usd = tuning_hours(facts.case, facts.framework), tuned_usd_per_month(facts.case)
    tuned, figure = facts.scored("tuned"), facts.figure
    found = []
    for name in names:
        goal = fits[name].goal if name in fits else None
        published = _published("fine_tune", goal, facts, record)
        rule = facts.framework.approaches[name]
        verdict = tuning.tuning(facts, fits[name]) if name in fits else tuning.no_goal(name)
        found.append(
            Option(
                id=name,
                title=rule.title,
                kind="tuning",
                family=name,
                helps=verdict.helps,
                because=verdict.because,
                grade=_grade(verdict, published, figure),
                published=published,
                figure=figure,
                quality=tuned.quality if tuned else None,
                usd_per_month=usd,
                latency_p95_s=tuned.latency_p95_s if tuned else None,
                effort_hours=hours,
                weeks=span(rule.weeks),
                risk=rule.risk,
            )
        )
    return found


def _known(name: str, facts: Facts) -> tuple[float | None, Range | None, float | None]:
    """Quality, USD a month and latency of an option as the case states them."""
    today = facts.case.today
    if name == "keep_prompt":
        bill = today.usd_per_month
        usd = None if bill is None else Range.between(bill.low, bill.high)
        latency = today.latency_p95_s
        return today.quality, usd, None if latency is None else latency.likely
    other = facts.scored("prompted") if name == "other_model" else None
    return (other.quality, None, other.latency_p95_s) if other else (None, None, None)


def _first_weeks(facts: Facts) -> Range | None:
    """Weeks of the first approach, or of the quickest while no goal is named."""
    approaches = facts.framework.approaches
    if facts.fits:
        return span(approaches[facts.fits[0].approach].weeks)
    known = [weeks for one in approaches.values() if (weeks := span(one.weeks)) is not None]
    return min(known, key=lambda weeks: (weeks.low, weeks.high), default=None)


def _published(
    arm: str | None, goal: str | None, facts: Facts, record: GoalRecord
) -> Published | None:
    """How often an arm measured best for a goal; None with too few cases to say."""
    if arm is None or goal is None:
        return None
    winners, least = record.get(goal, {}), facts.framework.threshold("published_cases")
    total = sum(winners.values())
    if least is None or total < least:
        return None
    return Published(arm, goal, winners.get(arm, 0), total)


def _grade(
    verdict: Judgement, published: Published | None, figure: PublishedFigure | None = None
) -> OutlookGrade:
    """What a judgement rests on.

    The published cases carry one that says it helps when the arm measured best more often than
    its even share among all arms would be, or when a published figure meets the case's target.
    """
    if verdict.measured:
        return "measured"
    arms = len({*_ARMS.values(), "fine_tune"})
    helps = verdict.helps in ("yes", "partly")
    often = published is not None and published.won * arms > published.of
    if helps and (often or (figure is not None and figure.meets == "yes")):
        return "published_cases"
    return "rule_of_thumb"


# Why an option helps or doesn't, in words: a function of the reason's numbers under its id.

REASONS: dict[str, Callable[[Numbers], str]] = {**PROMPT, **RETRIEVAL, **MODEL, **TUNING}
"""Reason id to its words."""

ARMS = {
    "fine_tune": "tuning alone",
    "hybrid": "tuning with retrieval or a better prompt",
    "rag": "retrieval",
    "prompt": "a better prompt",
    "model_switch": "another model",
    "decomposition": "decomposition",
}
"""Arms of the published cases in words."""


# Options and the recommendation as they stand in the dossier.

NO_OPTIONS = Unknown(ask="add options to the framework, or let it extend the lesson")
IN_SHORT = Unknown(ask="leave --quick out: options need more answers than the short form asks")


def option_results(
    options: Sequence[Option] | None, case: Case
) -> tuple[OptionResult, ...] | Unknown:
    """Options with words, in the order of their ranks; None for those nobody asked for."""
    if options is None:
        return IN_SHORT
    if not options:
        return NO_OPTIONS
    return tuple(_result(one, case) for one in options)


def _result(option: Option, case: Case) -> OptionResult:
    score = "score it on the evaluation set"
    if case.data.evaluation is None:
        score = "collect an evaluation set (data.evaluation) and score it on that"
    return OptionResult(
        id=option.id,
        title=option.title,
        kind=option.kind,
        rank=option.rank,
        helps=option.helps,
        because=sentence(REASONS[option.because.id](option.because.numbers)),
        grade=option.grade,
        quality=_results_known(option.quality, score),
        usd_per_month=_span(
            option.usd_per_month, "state traffic and the prices of the models that serve it"
        ),
        latency_p95_s=_results_known(option.latency_p95_s, "time it on the same cases"),
        effort_hours=_span(option.effort_hours, "estimate the hours"),
        weeks=_span(option.weeks, "estimate the weeks to production"),
        risk=option.risk,
        dominated_by=option.dominated_by,
        variant_of="none" if option.family == option.id else option.family,
        published=_results_published(option) if option.helps in ("yes", "partly") else "",
    )


def _results_known(value: float | None, ask: str) -> Number:
    return Unknown(ask=ask) if value is None else value


def _span(ends: Range | None, ask: str) -> Number:
    return Unknown(ask=ask) if ends is None else ends.narrowed()


def _results_published(option: Option) -> str:
    """What others published that bears on an option; the reason may have told of the figure."""
    told = (
        ""
        if option.figure is None or option.because.id == "published_short"
        else (sentence(figure_says(option.figure)))
    )
    return f"{published(option.published)} {told}".strip()


def published(found: Published | None) -> str:
    """How often an arm measured best; empty where there are too few cases to say."""
    if found is None:
        return ""
    return (
        f"{sentence(ARMS[found.arm]).removesuffix('.')} measured best in {count(found.won)} of "
        f"{count(found.of)} published cases of {plain(found.goal)}."
    )


def recommendation(
    advice: Advice | None, options: Sequence[Option] | None
) -> Recommendation | Unknown:
    """Where to begin, in words; what to do first where nothing was compared."""
    if advice is None or options is None:
        return IN_SHORT
    if not options:
        return NO_OPTIONS
    titles: Mapping[str, str] = {one.id: one.title for one in options}
    said = ADVICE[advice.because.id](advice.because.numbers, titles)
    return Recommendation(choice=advice.choice, options=advice.options, says=sentence(said))
