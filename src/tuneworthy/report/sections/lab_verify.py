"""The page of a verification: better or not, by target, and what would tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

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
    says = _OUTCOMES.get(f"{result.outcome} {result.why}", plain(result.outcome))
    if result.outcome == "meets":
        met = _targets_in(result, "met")
        return f"the tuned model meets every target ({met}), and no untuned way does as well"
    if result.outcome == "not_needed":
        return f"no tuning is needed: {result.enough} already meets every target"
    if result.outcome == "misses":
        missed = _targets_in(result, "missed")
        kept = "" if missed else ": it lost what it knew before"
        return f"the tuned model misses {missed or 'what it has to keep'}{kept}"
    if result.outcome == "open" and result.may_be_enough:
        return f"open: {result.may_be_enough}"
    if result.outcome == "open":
        settles = [held.settles for held in result.targets.values() if held.settles]
        return f"open: {_targets_in(result, 'unknown')}. What would settle it: {listing(settles)}"
    if result.outcome == "no_gain":
        none = "no gain" if result.why == "task" else "no gain shown"
        gained = _most_gained(result.contrast.high)
        return f"{none}: the tuned model is {gained}. {result.plan.untuned} is kept"
    return says


def _floor_text(result: VerifyResult) -> str:
    """Why a narrow interval doesn't show that general skills held; empty where it isn't needed."""
    is_open = (result.outcome, result.why) == ("too_few_cases", "general")
    if not is_open or result.general.low < -result.plan.general_margin:
        return ""
    return ". The untuned model has too few of them right to lose any"


def _most_gained(high: float) -> str:
    """The upper end of a difference in whole points, rounded up."""
    ends = math.ceil(round(100 * high, 6)) / 100
    if ends < 0:
        return f"at least {points(-ends)} points worse"
    if ends == 0:
        return "no better"
    return f"at most {points(ends)} points better"


def _targets_in(result: VerifyResult, state: str) -> str:
    held = result.targets.items()
    return listing(
        [TARGETS[target].name for target, each in held if each.state == state]
    )


def verify_document(
    result: VerifyResult, *, folder: str = ".", rubric: str = ""
) -> b.Document:
    """The report on a comparison of a tuned model with its best untuned arm."""
    cut_off = cut_off_text(result.spend, result.stopped_by)
    outcome = f"no result yet: {cut_off}" if cut_off else outcome_text(result)
    sections = (
        b.section("verify", "", b.facts(_verified(result))),
        *judge_section(result.judge),
        *after_no_gain(result, argument(folder)),
    )
    now = ""
    if result.judge is not None and not result.stopped:
        choose = result.why == "choice"
        where = argument(folder)
        label = label_command(result.judge, where, rubric, "verify", choose=choose)
        if label:
            now = f"Now: {label}"
    elif cut_off:
        command = f"tuneworthy verify {argument(folder)}"
        now = f"Now: {ask_again_text(result.spend, command)}"
    elif not result.stopped:
        now = f"Now: tuneworthy decide {argument(folder)}"
    return b.Document("", sentence(outcome), sections, lead=now)


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
    """
    if result.outcome not in NO_GAIN or result.stopped:
        return
    rows = [("Errors", text) for text in _errors(result)]
    tried = counted(result.tried, "untuned way")
    rows.append(("Tried", f"{tried} against it{trained}"))
    rows += [("To tell", text) for text in _to_tell(result, folder, curve)]
    kinds = [
        b.part(
            f"{plain(kind.signal)}: {count(kind.n)} of {count(kind.of)}",
            b.bullets(kind.examples),
        )
        for kind in result.failures
    ]
    shown = b.fold("Wrong answers of the tuned model", kinds) if kinds else ()
    yield b.section("after", "After no gain", b.facts(rows), shown)


def _errors(result: VerifyResult) -> Iterator[str]:
    """The arm with the errors, and the kinds of errors."""
    change = result.change
    if change is not None:
        both = change.of - change.fixed
        yield (
            f"of {counted(change.of, 'case')} that the untuned way answers wrong the tuned model "
            f"mends {count(change.fixed)}, and it breaks {count(change.broken)} others. "
            f"Both answer {count(both)} wrong"
        )
        if both > change.fixed + change.broken:
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


_FIGURES: Mapping[TargetId, tuple[Callable[[float], str], str]] = {
    "quality": (quality, "at least"),
    "latency": (lambda s: f"{s:.2g} s", "at most"),
    "cost": (usd, "at most"),
}


def held_text(target: TargetId, held: HeldTarget) -> str:
    """A way compared with a target: the state, the figure and the limit."""
    if target == "privacy":
        return _PRIVATE[held.state]
    write, bound = _FIGURES[target]
    wanted = "no worse than what is untuned is wanted"
    if not isinstance(held.limit, Unknown):
        wanted = f"{bound} {write(held.limit)} wanted"
    figure = held.figure
    if isinstance(figure, Unknown):
        return f"{held.state}: {figure.ask}; {wanted}"
    ends = ""
    low, high = figure.interval or (figure.value, figure.value)
    if low < high:
        ends = f" ({write(low)} to {write(high)})"
    return f"{held.state}: {write(figure.value)}{ends}, {wanted}"


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
    contrast = result.contrast
    none = "not run" if result.judge is None else "unknown"
    general = (
        f"{difference_text(result.general)} on {count(plan.general)} general tasks"
    )
    costs = {row.arm.id: _cost_and_time(row) for row in result.sides}
    tuned = f"{share_text(result.tuned, none)}{costs.get(plan.tuned, '')}"
    yield "Tuned", f"{tuned}: {plan.tuned}"
    untuned = f"{share_text(result.untuned, none)}{costs.get(plan.untuned, '')}"
    yield "Untuned", f"{untuned}: {plan.untuned}"
    yield "Difference", f"{difference_text(contrast)}, margin {share(plan.margin)}"
    yield (
        "In general",
        f"{general}, and may fall by {share(plan.general_margin)}{_floor_text(result)}",
    )
    for target, held in result.targets.items():
        yield capital(TARGETS[target].name), held_text(target, held)
    if result.aloud:
        yield "Thinking", f"in the open: cut from {several(result.aloud, 'answer')}"
    yield from answered_by_others(result.sides)
    needed = result.cases_needed
    if not isinstance(needed, Unknown) and needed > contrast.n:
        more = (
            f"about {count(needed)} held-out cases tell that difference from the margin"
        )
        yield "Needed", f"{more}, and {count(contrast.n)} count here"
    elif (
        isinstance(needed, Unknown)
        and result.why == "interval"
        and result.judge is None
    ):
        yield "Needed", needed.ask
    held_out = f"{count(plan.cases)} held-out cases were run. All of them count"
    when = f"before {held_out}"
    if plan.after_results:
        when = f"after results of an earlier plan were seen and {held_out}"
    yield "Plan", plan_text(plan, when)
    yield from spent_rows(result.spend, stopped=result.stopped)


def needed_text(curve: LearningCurve) -> str:
    """The number of examples that would reach the target, as an interval."""
    needed = curve.needed
    if isinstance(needed, Unknown):
        return needed.ask
    if needed.high == needed.low == "never":
        return "never by this curve: no number of such examples reaches it"
    if needed.low in ("more", "never"):
        return f"more than {count(needed.limit)} examples, if any number does"
    low = float(needed.low)
    if needed.high in ("more", "never"):
        return f"{counted(low, 'example')} or more, and it may take more than {count(needed.limit)}"
    return f"{count(low)} to {count(float(needed.high))} examples"
