"""The page of a verification: better or not, by target, and what would tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tuneworthy.answers.facts import TARGETS
from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.framework import TargetId
from tuneworthy.model.lab import (
    ArmResult,
    VerifyResult,
)
from tuneworthy.model.pilot import LearningCurve
from tuneworthy.model.ways import HeldTarget
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows
from tuneworthy.report.sections.lab import (
    ask_again_text,
    cut_off_text,
    difference_text,
    plan_text,
    seconds_text,
    share_text,
    spent_rows,
)
from tuneworthy.report.sections.lab_ceiling import (
    answered_by_others,
    judge_section,
    label_command,
)
from tuneworthy.words import (
    capital,
    count,
    counted,
    listing,
    plain,
    points,
    quality,
    sentence,
    several,
    share,
    small_usd,
    usd,
)

_OUTCOMES = named("outcomes")
_PRIVATE = named("private")


def outcome_text(result: VerifyResult) -> str:
    """Say the outcome of a comparison in one sentence."""
    if result.outcome == "meets":
        met = _targets_in(result, "met")
        return f"the tuned model meets every target ({met}), and no untuned way does as well"
    if result.outcome == "not_needed":
        return f"no tuning is needed: {result.enough} already meets every target"
    if result.outcome == "misses":
        return _misses_text(result)
    if result.outcome == "open":
        return _open_text(result)
    if result.outcome == "no_gain":
        none = "no gain" if result.why == "task" else "no gain shown"
        gained = _most_gained(result.contrast.high)
        return f"{none}: the tuned model is {gained}. {result.plan.untuned} is kept"
    return _OUTCOMES.get(f"{result.outcome} {result.why}", plain(result.outcome))


def _misses_text(result: VerifyResult) -> str:
    """Say what the tuned model misses: targets, or else what it has to keep."""
    missed = _targets_in(result, "missed")
    if missed:
        return f"the tuned model misses {missed}"
    return "the tuned model misses what it has to keep: it lost what it knew before"


def _open_text(result: VerifyResult) -> str:
    """Say what is open, and what would settle it."""
    if result.may_be_enough:
        return f"open: {result.may_be_enough}"
    settles = [held.settles for held in result.targets.values() if held.settles]
    unknown = _targets_in(result, "unknown")
    return f"open: {unknown}. What would settle it: {listing(settles)}"


def _floor_text(result: VerifyResult) -> str:
    """Say why a narrow interval doesn't show that general skills held; empty for any other case."""
    is_open = result.outcome == "too_few_cases" and result.why == "general"
    is_narrow = result.general.low >= -result.plan.general_margin
    if is_open and is_narrow:
        return ". The untuned model has too few of them right to lose any"
    return ""


def _most_gained(high: float) -> str:
    """The upper end of a difference in whole points, rounded up."""
    hundredths = round(100 * high, 6)  # 0.07 times 100 is a little more than 7
    most = math.ceil(hundredths) / 100
    if most < 0:
        return f"at least {points(-most)} points worse"
    if most == 0:
        return "no better"
    return f"at most {points(most)} points better"


def _targets_in(result: VerifyResult, state: str) -> str:
    """The names of the targets in a state, as a list; empty for none."""
    names = [
        TARGETS[target].name
        for target, held in result.targets.items()
        if held.state == state
    ]
    return listing(names)


def verify_document(
    result: VerifyResult, *, folder: str = ".", rubric: str = ""
) -> b.Document:
    """The report on a comparison of a tuned model with its best untuned arm."""
    case = argument(folder)
    cut_off = cut_off_text(result.spend, result.stopped_by)
    outcome = f"no result yet: {cut_off}" if cut_off else outcome_text(result)
    sections = (
        b.section("verify", "", b.facts(_verified(result))),
        *judge_section(result.judge),
        *after_no_gain(result, case),
    )
    step = _next_of_verify(result, case, rubric)
    lead = f"Now: {step}" if step else ""
    return b.Document("", sentence(outcome), sections, lead=lead)


def _next_of_verify(result: VerifyResult, case: str, rubric: str) -> str:
    """The next step; empty where the row on the stop says it, or no label is missing."""
    if result.stopped:
        if cut_off_text(result.spend, result.stopped_by):
            return ask_again_text(result.spend, f"tuneworthy verify {case}")
        return ""
    if result.judge is not None:
        # too few labels to know that the choice was right
        choose = result.why == "choice"
        return label_command(result.judge, case, rubric, "verify", choose=choose)
    return f"tuneworthy decide {case}"


NO_GAIN = frozenset({"no_gain", "regressed", "misses"})
"""Outcomes after which the report lists the errors and the next steps."""


def after_no_gain(
    result: VerifyResult,
    folder: str,
    curve: LearningCurve | None = None,
    trained: str = "",
) -> Iterator[b.Section]:
    """The section after a comparison without a gain; nothing after a gain or a stopped run.

    It shows the kinds of errors, how many ways were tried, and the steps that would settle it.
    ``trained`` continues the line on what was tried.
    """
    if result.outcome not in NO_GAIN or result.stopped:
        return
    rows = [("Errors", text) for text in _errors(result)]
    tried = counted(result.tried, "untuned way")
    rows.append(("Tried", f"{tried} against it{trained}"))
    rows += [("To tell", text) for text in _to_tell(result, folder, curve)]
    parts: list[b.Parts] = [b.facts(rows)]
    if result.failures:
        kinds = [
            b.part(
                f"{plain(kind.signal)}: {count(kind.n)} of {count(kind.of)}",
                b.bullets(kind.examples),
            )
            for kind in result.failures
        ]
        parts.append(b.fold("Wrong answers of the tuned model", kinds))
    yield b.section("after", "After no gain", parts)


def _errors(result: VerifyResult) -> Iterator[str]:
    """How many errors tuning mends and breaks, and the kinds of those that are left."""
    change = result.change
    if change is not None:
        both_wrong = change.of - change.fixed
        yield (
            f"of {counted(change.of, 'case')} that the untuned way answers wrong the tuned model "
            f"mends {count(change.fixed)}, and it breaks {count(change.broken)} others. "
            f"Both answer {count(both_wrong)} wrong"
        )
        if both_wrong > change.fixed + change.broken:
            yield "most errors are the same: these examples don't teach what is missing there"
    kinds = [f"{plain(kind.signal)} {count(kind.n)}" for kind in result.failures]
    if kinds:
        yield f"by form: {listing(kinds)}"


def _to_tell(
    result: VerifyResult, folder: str, curve: LearningCurve | None
) -> Iterator[str]:
    """The next things to look at, the cheapest first."""
    if result.failures:
        yield f"give forty wrong answers a cause: tuneworthy evalset failures {folder}"
    needed = result.contrast.cases_needed
    if result.why == "interval" and not isinstance(needed, Unknown):
        yield f"about {count(needed)} held-out cases are needed to distinguish the two"
    elif result.why == "interval":
        yield "more cases: no number that is worth its labels would distinguish the two"
    if curve is None or isinstance(curve.needed, Unknown):
        return
    if curve.needed.low == "never":
        yield "more examples like these: no number of them reaches the target by the curve"
    elif curve.outlook == "flat":
        yield "more examples like these: the curve is flat, so they would hardly tell"
    else:
        yield f"more examples: the target takes {needed_text(curve)}"


class _HeldWords(NamedTuple):
    """How a figure is written beside its target."""

    write: Callable[[float], str]
    bound: str  #: Before the limit: which way it bounds.


def _latency_text(seconds: float) -> str:
    return f"{seconds:.2g} s"


_WORDS: Mapping[TargetId, _HeldWords] = {
    "quality": _HeldWords(quality, "at least"),
    "latency": _HeldWords(_latency_text, "at most"),
    "cost": _HeldWords(usd, "at most"),
}


def held_text(target: TargetId, held: HeldTarget) -> str:
    """A way compared with a target: the state, the figure and the limit."""
    if target == "privacy":
        return _PRIVATE[held.state]  # it has no figure
    words = _WORDS[target]
    if isinstance(held.limit, Unknown):
        wanted = "no worse than what is untuned is wanted"
    else:
        wanted = f"{words.bound} {words.write(held.limit)} wanted"
    figure = held.figure
    if isinstance(figure, Unknown):
        return f"{held.state}: {figure.ask}; {wanted}"
    text = words.write(figure.value)
    if figure.interval is not None:
        low, high = figure.interval
        if low < high:
            text += f" ({words.write(low)} to {words.write(high)})"
    return f"{held.state}: {text}, {wanted}"


def _cost_and_time(row: ArmResult) -> str:
    """The cost and the latency of a case with an arm, after a comma; empty where both are unknown."""
    text = ""
    if not isinstance(row.usd_per_case, Unknown):
        text += f", {small_usd(row.usd_per_case)} a case"
    if not isinstance(row.latency_p95_s, Unknown):
        text += f", {seconds_text(row.latency_p95_s)} at p95"
    return text


def _verified(result: VerifyResult) -> Rows:
    """The rows of a comparison: both arms, their difference and the plan."""
    plan = result.plan
    none = "not run" if result.judge is None else "unknown"
    costs = {row.arm.id: _cost_and_time(row) for row in result.sides}
    tuned = f"{share_text(result.tuned, none)}{costs.get(plan.tuned, '')}"
    yield "Tuned", f"{tuned}: {plan.tuned}"
    untuned = f"{share_text(result.untuned, none)}{costs.get(plan.untuned, '')}"
    yield "Untuned", f"{untuned}: {plan.untuned}"
    yield (
        "Difference",
        f"{difference_text(result.contrast)}, margin {share(plan.margin)}",
    )
    general = (
        f"{difference_text(result.general)} on {count(plan.general)} general tasks"
    )
    margin = f"may fall by {share(plan.general_margin)}"
    yield "In general", f"{general}, and {margin}{_floor_text(result)}"
    for target, held in result.targets.items():
        yield capital(TARGETS[target].name), held_text(target, held)
    if result.aloud:
        yield "Thinking", f"in the open: cut from {several(result.aloud, 'answer')}"
    yield from answered_by_others(result.sides)
    needed = _cases_needed_text(result)
    if needed:
        yield "Needed", needed
    run = f"{count(plan.cases)} held-out cases were run. All of them count"
    when = f"before {run}"
    if plan.after_results:
        when = f"after results of an earlier plan were seen and {run}"
    yield "Plan", plan_text(plan, when)
    yield from spent_rows(result.spend, stopped=result.stopped)


def _cases_needed_text(result: VerifyResult) -> str:
    """Say how many cases would tell; empty where enough count, or where labels are lacking."""
    needed = result.cases_needed
    cases = result.contrast.n
    if isinstance(needed, Unknown):
        is_for_want_of_cases = result.why == "interval" and result.judge is None
        return needed.ask if is_for_want_of_cases else ""
    if needed <= cases:
        return ""
    return (
        f"about {count(needed)} held-out cases tell that difference from the margin, and "
        f"{count(cases)} count here"
    )


def needed_text(curve: LearningCurve) -> str:
    """The number of examples that would reach the target, as an interval."""
    needed = curve.needed
    if isinstance(needed, Unknown):
        return needed.ask
    if needed.low == "never" and needed.high == "never":
        return "never by this curve: no number of such examples reaches it"
    limit = count(needed.limit)  # no curve is followed beyond
    if needed.low in ("more", "never"):
        return f"more than {limit} examples, if any number does"
    low = float(needed.low)
    if needed.high in ("more", "never"):
        return f"{counted(low, 'example')} or more, and it may take more than {limit}"
    return f"{count(low)} to {count(float(needed.high))} examples"
