"""What a ceiling lab found as rows of words: the same for a terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.lab import ArmResult, CeilingResult, Contrast, Failures
from tuneworthy.domain.published import PublishedFigure
from tuneworthy.domain.record import Unknown
from tuneworthy.report.lab.judge import ALONE, chosen_text, open_text
from tuneworthy.report.lab.words import difference_text, share_text
from tuneworthy.report.layout import safe
from tuneworthy.report.published import LIMITS, figure_says, figure_text
from tuneworthy.report.verdicts import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.report.words import count, few, listing, number, plain, quality, several, small_usd

Rows = list[tuple[str, str]]
"""Labels, each with what it says."""

BOARD = ("quality", "USD a case", "p95", "arm")
"""Heads of the leaderboard's columns."""
BEST_OF_MANY = "The best of many looks too good here: the next part counts."
_SAME = 1e-9  # a rounding error apart
_REACHED = {
    "yes": "reached: the upper bound of every arm that stayed lies below the target",
    "no": "not reached: the best prompt meets the target on cases that chose nothing",
    "too_few_cases": "too few cases to say",
}
_MENDS = {"yes": "tuning could change it", "no": "tuning can't change it",
          "unknown": "the answer alone doesn't tell why"}  # fmt: skip


def board_title(result: CeilingResult) -> str:
    """What the leaderboard is counted on."""
    by = f", {ALONE}" if result.judge else ""
    return f"Arms, on the {count(result.select)} cases for selecting{by}"


def report_title(result: CeilingResult) -> str:
    """What the numbers to quote are counted on."""
    return f"On {count(result.report)} cases that chose nothing"


def board_row(one: ArmResult) -> tuple[str, str, str, str]:
    """Quality with its interval, cost, waiting time, and the arm with what befell it."""
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


def board_note(result: CeilingResult) -> str:
    """What to know of the leaderboard, and that a baseline is ahead where one is."""
    first = next(iter(result.arms), None)
    if first is None or first.arm.kind != "baseline" or isinstance(first.quality, Unknown):
        return BEST_OF_MANY
    return f"{BEST_OF_MANY} Ahead here is {safe(first.arm.id)}, which calls no model."


def published_row(one: PublishedFigure) -> tuple[str, str, str, str]:
    """A published figure, to stand under the arms: it is none of them."""
    note = f"published, {one.dated}, not measured here"
    return figure_text(one), "", "", f"{safe(one.model)} ({note})"


def ceiling_rows(result: CeilingResult) -> Rows:
    """The chosen arm, what it is held against, the ceiling, and how far was searched."""
    judge = result.judge
    if judge is not None and result.best and isinstance(result.reported, Unknown):
        best = f"unknown until people label: {safe(result.best)}"
    elif isinstance(result.reported, Unknown):
        best = f"not run; ahead so far: {safe(result.best) or 'none'}"
    else:
        best = f"{share_text(result.reported)} by {safe(result.scorer)}: {safe(result.best)}"
        best += _whole(result)
    differ = f"{several(result.prompts, 'prompt')} that differ{'s' * (result.prompts == 1)}"
    tried = f"{differ}, {several(result.models, 'model')}: {count(result.effort)} pairs"
    found = [
        ("Best prompt", best),
        *([("Chosen", chosen_text(judge))] if judge and judge.chosen_by != "nobody" else []),
        *(("Against", _contrast(one)) for one in result.contrasts),
        ("Ceiling", _said(result)),
        *(("Published", safe(f"{figure_says(o)} ({o.source}). {LIMITS}"))
          for o in result.published[:1]),
        ("Searched", tried),
    ]  # fmt: skip
    return found + (
        [("Best so far", _curve(result))] if len(result.curve) > 1 and not judge else []
    )


def _whole(result: CeilingResult) -> str:
    """How many cases are wholly right, where the score counts parts of one; else nothing."""
    if isinstance(result.reported, Unknown) or not result.failures:
        return ""
    of = result.failures[0].of
    right = of - sum(one.n for one in result.failures)
    if abs(right / of - result.reported.value) < _SAME:
        return ""
    return f"; wholly right in {count(right)} of {count(of)}, as a part of a case counts too"


def _said(result: CeilingResult) -> str:
    if result.stopped:
        return "not judged: it was cut short"
    if isinstance(result.target, Unknown):
        return f"not judged: {result.target.ask}"
    upper = "" if isinstance(result.upper, Unknown) else f", upper bound {quality(result.upper)}"
    ends = f" (target {quality(result.target)}{upper})"
    said = _REACHED.get(result.reached) or open_text(result.judge, result.best)
    said = said or "not judged: no prompt was scored"
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
    if isinstance(one.difference, Unknown):
        return f"{safe(one.second)}: {difference_text(one)}"
    apart = "told apart" if one.told_apart == "yes" else "not told apart"
    needed = ""
    if one.told_apart == "no" and not isinstance(one.cases_needed, Unknown):
        needed = f"; about {count(one.cases_needed)} cases to report on would tell"
    return f"{safe(one.second)}: {difference_text(one)}, {apart}{needed}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Wrong answers of one kind."""

    says: str
    """What they are a sign of, how many there are, and whether tuning could change them."""
    examples: tuple[str, ...]


def failure_kinds(found: Sequence[Failures]) -> tuple[Kind, ...]:
    """Where the chosen arm fails, the commonest first, with two examples of each."""
    return tuple(
        Kind(
            f"{plain(one.signal)}: {count(one.n)} of {count(one.of)}; {_MENDS[one.mends]}",
            tuple(safe(text) for text in one.examples[:2]),
        )
        for one in found
    )


def failures_said(found: Sequence[Failures]) -> str:
    """How many of the wrong answers tuning could change."""
    could, cannot, open_ = (
        sum(one.n for one in found if one.mends == way) for way in ("yes", "no", "unknown")
    )
    wrong = count(could + cannot + open_)
    said = f"Tuning could change {count(could)} of {wrong}, and can't change {count(cannot)}; "
    return f"{said}{count(open_)} don't tell by the answer alone"


def _verdict(dossier: Dossier) -> str:
    """The outcome; for a candidate also what to do, which is what its gates decide."""
    told = OUTCOME_WORDS[dossier.verdict.outcome]
    if dossier.verdict.outcome != "fine_tune_candidate":
        return told
    return f"{told} ({ACTION_WORDS[dossier.verdict.action]})"


def answered_rows(result: CeilingResult, dossier: Dossier, before: Dossier) -> Rows:
    """Which checks the run has answered, and where the verdict went; () for one cut short."""
    if result.stopped:
        return []
    known = dossier.ceiling.checks
    shown = [safe(known[n].title) for n, state in result.checks.items() if state == "yes"]
    open_ = [safe(check.title) for check in known.values() if check.state == "unknown"]
    said = f"shown: {listing(shown) or 'none'}"
    said += f"; still open: {listing(open_)}" if open_ else ""
    was, now = _verdict(before), _verdict(dossier)
    verdict = f"{now}, as before" if was == now else f"{was} before, {now} now"
    return [("Checks", said), ("Verdict", verdict)]
