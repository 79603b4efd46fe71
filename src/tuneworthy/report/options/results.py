"""Options and the recommendation as they stand in the dossier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Ends
from tuneworthy.domain.options import Advice, Option, Published
from tuneworthy.domain.outlook import Number, OptionResult, Recommendation
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.options.advice import ADVICE
from tuneworthy.report.options.reasons import ARMS, REASONS
from tuneworthy.report.published import figure_says
from tuneworthy.report.words import count, plain, sentence

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
        quality=_known(option.quality, score),
        usd_per_month=_span(
            option.usd_per_month, "state traffic and the prices of the models that serve it"
        ),
        latency_p95_s=_known(option.latency_p95_s, "time it on the same cases"),
        effort_hours=_span(option.effort_hours, "estimate the hours"),
        weeks=_span(option.weeks, "estimate the weeks to production"),
        risk=option.risk,
        dominated_by=option.dominated_by,
        variant_of="none" if option.family == option.id else option.family,
        published=_published(option) if option.helps in ("yes", "partly") else "",
    )


def _known(value: float | None, ask: str) -> Number:
    return Unknown(ask=ask) if value is None else value


def _span(ends: Ends | None, ask: str) -> Number:
    if ends is None:
        return Unknown(ask=ask)
    return ends.low if ends.low == ends.high else Range(low=ends.low, high=ends.high)


def _published(option: Option) -> str:
    """What others published that bears on an option; the reason may have told of the figure."""
    told = "" if option.figure is None or option.because.id == "published_short" else (
        sentence(figure_says(option.figure))
    )  # fmt: skip
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
