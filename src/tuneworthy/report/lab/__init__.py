"""What a ceiling lab found, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.lab import CeilingResult, Failures
from tuneworthy.domain.record import Unknown
from tuneworthy.report.lab.judge import UNUSABLE, judge_block, label_command
from tuneworthy.report.lab.proposed import proposed_rows, proposed_title
from tuneworthy.report.lab.rows import (
    BOARD,
    Rows,
    answered_rows,
    board_note,
    board_row,
    board_title,
    ceiling_rows,
    failure_kinds,
    failures_said,
    published_row,
    report_title,
)
from tuneworthy.report.lab.words import labelled, spent, stopped
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.words import few

_MOST_ARMS = 12


def ceiling_dict(result: CeilingResult, dossier: Dossier) -> str:
    """The result as JSON, with the verdict as it stands now."""
    told = result.model_dump(mode="json")
    verdict = {"outcome": dossier.verdict.outcome, "action": dossier.verdict.action}
    return json_text({"schema": "tuneworthy/ceiling/1", **told, "verdict": verdict})


def ceiling_page(
    result: CeilingResult, dossier: Dossier, before: Dossier, *, folder: str, rubric: str = "",
    colour: bool = False,
) -> str:  # fmt: skip
    """Leaderboard, ceiling, contrasts, failures, what was answered, and the verdict.

    Args:
        result: What was found.
        dossier: The case as it stands now.
        before: The case as it stood before.
        folder: How the user named the case.
        rubric: How the user named a judge's rubric.
        colour: Whether the terminal takes colour.
    """
    paint = Paint(colour)
    blocks = [
        _board(result, paint),
        _labelled(report_title(result), ceiling_rows(result), paint),
        _labelled(proposed_title(result), proposed_rows(result), paint),
        judge_block(result.judge, paint),
        _failures(result.failures, paint),
        _labelled("What it says about the case", answered_rows(result, dossier, before), paint),
        [*spent(result.spend, result.calls_saved), *stopped(result.stopped)],
        wrapped(_next(result, safe(folder), rubric), first="Next: "),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _board(result: CeilingResult, paint: Paint) -> list[str]:
    rows = [board_row(one) for one in result.arms[:_MOST_ARMS]]
    rows += [published_row(one) for one in result.published[:_MOST_ARMS]]
    lines = [paint("strong", board_title(result)), *table([BOARD, *rows])]
    if (more := len(result.arms) - _MOST_ARMS) > 0:
        lines.append(f"  and {few(more)} more")
    return [*lines, *wrapped(board_note(result), first="  ")]


def _labelled(title: str, rows: Rows, paint: Paint) -> list[str]:
    """A titled block of labelled rows; nothing for no row."""
    if not rows:
        return []
    return [paint("strong", title), *(line for row in rows for line in labelled(*row))]


def _failures(found: Sequence[Failures], paint: Paint) -> list[str]:
    if not found:
        return []
    lines = [paint("strong", "Where the best prompt fails")]
    for kind in failure_kinds(found):
        lines += wrapped(kind.says, first="  ")
        for text in kind.examples:
            lines += wrapped(text, first="    · ", rest="      ")
    return [*lines, *wrapped(failures_said(found), first="  ")]


def _next(result: CeilingResult, folder: str, rubric: str) -> str:
    again = "then run this again: nothing is paid twice"
    if result.stopped:
        return f"tuneworthy ceiling {folder}, with a larger --budget where that was in the way"
    if result.judge is not None:
        bounds = result.reached == "unknown" and not isinstance(result.target, Unknown)
        if not result.best:
            return UNUSABLE
        told = label_command(result.judge, folder, rubric, lab="report", choose=bounds)
        if told:
            return told
    if isinstance(result.target, Unknown):
        return f"state targets.quality.at_least in the case file, {again}"
    if result.reached == "too_few_cases":
        if result.judge is not None:
            return f"let people label more, with a larger --labels, {again}"
        if isinstance(result.cases_needed, Unknown):
            return f"tuneworthy decide {folder} (no number of cases would tell)"
        return f"tuneworthy evalset {folder} --n {round(result.cases_needed)}, {again}"
    return f"tuneworthy decide {folder}"
