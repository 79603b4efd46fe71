"""Every option for a case: would it help, why or why not, and in which order to try them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tuneworthy.domain.assessment import Assessment
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import ApproachFit, Ends
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.options import Judgement, Option, Published, Record
from tuneworthy.domain.outlook import Grade
from tuneworthy.domain.published import PublishedFigure
from tuneworthy.verdict.options import model, prompt, retrieval, serving, tuning
from tuneworthy.verdict.options.facts import Facts, judged
from tuneworthy.verdict.options.figures import added, span, tuned_usd_per_month, tuning_hours
from tuneworthy.verdict.options.rank import ranked

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
    "prompt_optimisation": "prompt", "few_shot": "prompt",
    "chunk_optimization": "rag", "hybrid_search": "rag", "reranking": "rag",
    "query_expansion": "rag", "other_model": "model_switch", "decomposition": "decomposition",
    "hybrid": "hybrid",
}  # fmt: skip
"""Option to the arm of the published cases it belongs to; each kind of tuning is fine_tune."""


def options(
    case: Case,
    framework: Framework,
    assessment: Assessment,
    fits: Sequence[ApproachFit],
    record: Record,
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
    found = [
        _option(name, facts, record) for name in framework.options if name not in families
    ]  # fmt: skip
    return ranked([*found, *_tunings(facts, record)])


def _option(name: str, facts: Facts, record: Record) -> Option:
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


def _tunings(facts: Facts, record: Record) -> list[Option]:
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


def _known(name: str, facts: Facts) -> tuple[float | None, Ends | None, float | None]:
    """Quality, USD a month and latency of an option as the case states them."""
    today = facts.case.today
    if name == "keep_prompt":
        bill = today.usd_per_month
        usd = None if bill is None else Ends(bill.low, bill.high)
        latency = today.latency_p95_s
        return today.quality, usd, None if latency is None else latency.likely
    other = facts.scored("prompted") if name == "other_model" else None
    return (other.quality, None, other.latency_p95_s) if other else (None, None, None)


def _first_weeks(facts: Facts) -> Ends | None:
    """Weeks of the first approach, or of the quickest while no goal is named."""
    approaches = facts.framework.approaches
    if facts.fits:
        return span(approaches[facts.fits[0].approach].weeks)
    known = [weeks for one in approaches.values() if (weeks := span(one.weeks)) is not None]
    return min(known, key=lambda weeks: (weeks.low, weeks.high), default=None)


def _published(arm: str | None, goal: str | None, facts: Facts, record: Record) -> Published | None:
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
) -> Grade:
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
