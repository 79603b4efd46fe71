"""What a ceiling lab found, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.lab import ArmResult, CeilingResult, Contrast, Failures
from tuneworthy.domain.record import Unknown
from tuneworthy.report.lab.words import difference_text, labelled, share_text, spent, stopped
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import count, few, listing, number, plain, quality, several, small_usd

_MOST_ARMS = 12
_REACHED = {
    "yes": "reached: the upper bound of every arm that stayed lies below the target",
    "no": "not reached: the best prompt meets the target on cases that chose nothing",
    "too_few_cases": "too few cases to say",
}
_MENDS = {"yes": "tuning could change it", "no": "tuning can't change it",
          "unknown": "the answer alone doesn't tell why"}  # fmt: skip


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
        [*spent(result.spend, result.calls_saved), *stopped(result.stopped)],
        wrapped(_next(result, safe(folder)), first="Next: "),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _board(result: CeilingResult, paint: Paint) -> list[str]:
    on = f"Arms, on the {count(result.select)} cases for selecting"
    rows = [_arm(one) for one in result.arms[:_MOST_ARMS]]
    lines = [paint("strong", on), *table([("quality", "USD a case", "p95", "arm"), *rows])]
    if (more := len(result.arms) - _MOST_ARMS) > 0:
        lines.append(f"  and {few(more)} more")
    return [*lines, "  The best of many looks too good here: the next part counts."]


def _arm(one: ArmResult) -> tuple[str, str, str, str]:
    cost = "" if isinstance(one.usd_per_case, Unknown) else small_usd(one.usd_per_case)
    seconds = one.latency_p95_s
    time = "" if isinstance(seconds, Unknown) else f"{number(round(seconds, 2))} s"
    notes = []
    if one.dropped_after is not None:
        notes.append(f"left behind after {count(one.dropped_after)}")
    told = ((one.failed, "failed"), (one.in_doubt, "in doubt"), (one.unjudged, "not judged"))
    notes += [f"{count(n)} {what}" for n, what in told if n]
    beside = f" ({', '.join(notes)})" if notes else ""
    return share_text(one.quality), cost, time, f"{safe(one.arm.id)}{beside}"


def _ceiling(result: CeilingResult, paint: Paint) -> list[str]:
    lines = [paint("strong", f"On {count(result.report)} cases that chose nothing")]
    if isinstance(result.reported, Unknown):
        lines += labelled("Best prompt", f"not run; ahead so far: {safe(result.best) or 'none'}")
    else:
        by = f"by {safe(result.scorer)}: {safe(result.best)}"
        lines += labelled("Best prompt", f"{share_text(result.reported)} {by}")
    for one in result.contrasts:
        lines += labelled("Against", _contrast(one))
    lines += labelled("Ceiling", _said(result))
    differ = f"{several(result.prompts, 'prompt')} that differ{'s' * (result.prompts == 1)}"
    tried = f"{differ}, {several(result.models, 'model')}: {count(result.effort)} pairs"
    lines += labelled("Searched", tried)
    return lines + (labelled("Best so far", _curve(result)) if len(result.curve) > 1 else [])


def _said(result: CeilingResult) -> str:
    if result.stopped:
        return "not judged: it was cut short"
    if isinstance(result.target, Unknown):
        return f"not judged: {result.target.ask}"
    upper = "" if isinstance(result.upper, Unknown) else f", upper bound {quality(result.upper)}"
    ends = f" (target {quality(result.target)}{upper})"
    said = _REACHED.get(result.reached, "not judged: no prompt was scored")
    if result.reached == "too_few_cases" and not isinstance(result.cases_needed, Unknown):
        ends += f"; about {count(result.cases_needed)} in all would tell"
    return said + ends


def _curve(result: CeilingResult) -> str:
    """The ceiling curve: where the best got better, and for how long it hasn't since."""
    steps, best = [], -1.0
    for point in result.curve:
        if point.best > best:
            best = point.best
            steps.append((point.arms, point.best))
    said = ", ".join(f"{quality(value)} after {count(arms)}" for arms, value in steps[-6:])
    since = result.curve[-1].arms - steps[-1][0]
    return f"{said}; no better in the {few(since)} since" if since else f"{said} arms"


def _contrast(one: Contrast) -> str:
    apart = "told apart" if one.told_apart == "yes" else "not told apart"
    needed = ""
    if one.told_apart == "no" and not isinstance(one.cases_needed, Unknown):
        needed = f"; about {count(one.cases_needed)} cases to report on would tell"
    return f"{safe(one.second)}: {difference_text(one)}, {apart}{needed}"


def _failures(found: Sequence[Failures], paint: Paint) -> list[str]:
    if not found:
        return []
    lines = [paint("strong", "Where the best prompt fails")]
    for one in found:
        share = f"{count(one.n)} of {count(one.of)}"
        lines += wrapped(f"{plain(one.signal)}: {share}; {_MENDS[one.mends]}", first="  ")
        for text in one.examples[:2]:
            lines += wrapped(safe(text), first="    · ", rest="      ")
    could, cannot, open_ = (
        sum(one.n for one in found if one.mends == way) for way in ("yes", "no", "unknown")
    )
    wrong = count(could + cannot + open_)
    said = f"Tuning could change {count(could)} of {wrong}, and can't change {count(cannot)}; "
    said += f"{count(open_)} don't tell by the answer alone"
    return [*lines, *wrapped(said, first="  ")]


def _answered(result: CeilingResult, dossier: Dossier, before: Dossier, paint: Paint) -> list[str]:
    if result.stopped:
        return []
    known = dossier.ceiling.checks
    shown = [safe(known[n].title) for n, state in result.checks.items() if state == "yes"]
    open_ = [safe(check.title) for check in known.values() if check.state == "unknown"]
    said = f"shown: {listing(shown) or 'none'}"
    said += f"; still open: {listing(open_)}" if open_ else ""
    was, now = OUTCOME_WORDS[before.verdict.outcome], OUTCOME_WORDS[dossier.verdict.outcome]
    verdict = f"{now}, as before" if was == now else f"{was} before, {now} now"
    return [
        paint("strong", "What it says about the case"),
        *labelled("Checks", said),
        *labelled("Verdict", verdict),
    ]


def _next(result: CeilingResult, folder: str) -> str:
    again = "then run this again: nothing is paid twice"
    if result.stopped:
        return f"tuneworthy ceiling {folder}, with a larger --budget where that was in the way"
    if isinstance(result.target, Unknown):
        return f"state targets.quality.at_least in the case file, {again}"
    if result.reached == "too_few_cases":
        if isinstance(result.cases_needed, Unknown):
            return f"tuneworthy decide {folder} (no number of cases would tell)"
        return f"tuneworthy evalset {folder} --n {round(result.cases_needed)}, {again}"
    return f"tuneworthy decide {folder}"
