"""What a lab would cost, and what it found, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.calls import Quote, Spend
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.lab import Arm, ArmResult, CeilingResult, Contrast, Failures, ShareOf
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import Paint, row, safe, table, wrapped
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import count, few, figure, listing, number, plain, quality, usd

_MOST_ARMS = 12
_REACHED = {
    "yes": "reached: the upper bound of every arm that stayed lies below the target",
    "no": "not reached: the chosen arm meets the target on cases that chose nothing",
    "too_few_cases": "too few cases to say",
    "unknown": "not judged: no target is stated (targets.quality.at_least)",
}
_MENDS = {"yes": "tuning can change it", "no": "tuning can't change it",
          "unknown": "not told by the answer alone"}  # fmt: skip


def money(amount: float) -> str:
    """USD with enough digits for the price of a call."""
    return usd(amount) if amount == 0 or amount >= 0.01 else f"${figure(amount)}"


def quote_page(
    arms: Sequence[Arm], select: int, report: int, told: Quote, *,
    cap_usd: float | None, colour: bool = False,
) -> str:  # fmt: skip
    """The plan and its price, before anything is sent."""
    paint = Paint(colour)
    rows = [(safe(arm.id), arm.kind) for arm in arms[:_MOST_ARMS]]
    lines = [paint("strong", f"{few(len(arms)).capitalize()} arms"), *table(rows)]
    if len(arms) > _MOST_ARMS:
        lines.append(f"  and {few(len(arms) - _MOST_ARMS)} more")
    lines += ["", *row("Cases", f"{count(select)} to select on, {count(report)} to report on")]
    lines += row("Calls", f"at most {count(told.calls)}; {count(told.reused)} answers are there")
    lines += row("Price", f"about {money(told.usd_likely)}, {money(told.usd_most)} at most")
    if told.unpriced:
        names = listing([safe(name) for name in told.unpriced])
        lines += row("No price", f"{names}: state usd_per_mtok; 0 is a price")
    if cap_usd is not None:
        lines += row("Budget", f"{money(cap_usd)}: nothing is sent that could pass it")
    return "\n".join(lines) + "\n"


def ceiling_dict(result: CeilingResult, dossier: Dossier) -> str:
    """The result as JSON, with the verdict as it stands now."""
    told = result.model_dump(mode="json")
    verdict = {"outcome": dossier.verdict.outcome, "action": dossier.verdict.action}
    return json_text({"schema": "tuneworthy/ceiling/1", **told, "verdict": verdict})


def ceiling_page(
    result: CeilingResult, dossier: Dossier, before: Dossier, *, folder: str, colour: bool = False
) -> str:
    """Leaderboard, ceiling, contrasts, failures, what was answered, and the verdict."""
    paint = Paint(colour)
    blocks = [
        _board(result, paint),
        _ceiling(result, paint),
        _failures(result.failures, paint),
        _answered(result, dossier, before, paint),
        [*_spent(result.spend, result.calls_saved), *_stopped(result)],
        wrapped(f"tuneworthy decide {safe(folder)}", first="Next: "),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _board(result: CeilingResult, paint: Paint) -> list[str]:
    head = paint(
        "strong", "Arms, on the cases for selecting (where the best of many looks too good)"
    )
    rows = [_arm(one) for one in result.arms[:_MOST_ARMS]]
    lines = [head, *table([("quality", "USD a case", "p95", "arm"), *rows])]
    more = len(result.arms) - _MOST_ARMS
    return [*lines, f"  and {few(more)} more"] if more > 0 else lines


def _arm(one: ArmResult) -> tuple[str, str, str, str]:
    cost = "" if isinstance(one.usd_per_case, Unknown) else money(one.usd_per_case)
    time = (
        "" if isinstance(one.latency_p95_s, Unknown) else f"{number(round(one.latency_p95_s, 2))} s"
    )
    notes = []
    if one.dropped_after is not None:
        notes.append(f"left behind after {count(one.dropped_after)}")
    if one.failed:
        notes.append(f"{count(one.failed)} failed")
    if one.in_doubt:
        notes.append(f"{count(one.in_doubt)} in doubt")
    beside = f" ({', '.join(notes)})" if notes else ""
    return share_text(one.quality), cost, time, f"{safe(one.arm.id)}{beside}"


def share_text(value: ShareOf | Unknown) -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    if isinstance(value, Unknown):
        return "not run"
    return f"{quality(value.value)} ({quality(value.low)}–{quality(value.high)})"


def _ceiling(result: CeilingResult, paint: Paint) -> list[str]:
    lines = [paint("strong", "On cases that chose nothing")]
    if not isinstance(result.reported, Unknown):
        on = f"on {count(result.reported.n)} cases, by {result.scorer}"
        lines += row("Best prompt", f"{share_text(result.reported)} {on}: {safe(result.best)}")
    for one in result.contrasts:
        lines += row("Against", _contrast(one))
    target = "" if isinstance(result.target, Unknown) else f" (target {quality(result.target)})"
    said = _REACHED[result.reached]
    if result.reached == "too_few_cases" and not isinstance(result.cases_needed, Unknown):
        said += f"; about {count(result.cases_needed)} to report on would tell"
    lines += row("Ceiling", f"{said}{target}")
    effort = f"{few(result.effort)} prompts that differ, times models"
    lines += row("Searched", effort)
    return lines


def _contrast(one: Contrast) -> str:
    apart = "told apart" if one.told_apart == "yes" else "not told apart"
    needed = ""
    if one.told_apart == "no" and not isinstance(one.cases_needed, Unknown):
        needed = f"; about {count(one.cases_needed)} paired cases would tell"
    ends = f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
    return f"{safe(one.second)}: {ends}, {apart}{needed}"


def _failures(found: Sequence[Failures], paint: Paint) -> list[str]:
    if not found:
        return []
    lines = [paint("strong", "Where the chosen arm fails")]
    for one in found:
        share = f"{count(one.n)} of {count(one.of)}"
        lines += wrapped(f"{plain(one.signal)}: {share}; {_MENDS[one.mends]}", first="  ")
        for text in one.examples[:2]:
            lines += wrapped(safe(text), first="    · ", rest="      ")
    return lines


def _answered(result: CeilingResult, dossier: Dossier, before: Dossier, paint: Paint) -> list[str]:
    shown = [name for name, state in result.checks.items() if state == "yes"]
    titles = [safe(dossier.ceiling.checks[name].title) for name in shown]
    lines = [paint("strong", "What it says about the case")]
    open_ = [safe(c.title) for c in dossier.ceiling.checks.values() if c.state == "unknown"]
    lines += row("Checks", f"shown: {listing(titles) or 'none'}"
                 + (f"; still open: {listing(open_)}" if open_ else ""))  # fmt: skip
    was, now = OUTCOME_WORDS[before.verdict.outcome], OUTCOME_WORDS[dossier.verdict.outcome]
    lines += row("Verdict", f"{now}, as before" if was == now else f"{was} before, {now} now")
    return lines


def _spent(spend: Spend, saved: int) -> list[str]:
    said = f"{money(spend.paid)} of {money(spend.cap)} for {count(spend.calls)} calls"
    if spend.in_doubt:
        said += f"; {count(spend.in_doubt)} in doubt hold {money(spend.held)} more"
    if saved:
        said += f"; the race saved {count(saved)} calls"
    return row("Spent", said)


def _stopped(result: CeilingResult) -> list[str]:
    if not result.stopped:
        return []
    fix = "What was paid for is kept: run it again to go on"
    return row("Stopped", f"{safe(result.stopped)}. {fix}")
