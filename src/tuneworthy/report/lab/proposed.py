"""Prompts that a generator proposed, as rows of words."""

from __future__ import annotations

from tuneworthy.domain.lab import CeilingResult
from tuneworthy.domain.proposing import Draw, Gain
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import safe
from tuneworthy.report.words import count, counted, quality

_TEXT = 240
"""Characters of a proposed prompt that are shown; its file has the rest."""


def asked_row(draws: int, model: str, shown: int) -> tuple[str, str]:
    """What a generator will be asked for, for a quote."""
    said = f"{counted(draws, 'draw')} of a generator, written by {safe(model)}, from "
    said += f"{counted(shown, 'more case')} that nothing is selected or reported on; "
    return "Proposals", f"{said}each text that isn't known yet counts as long as it may be"


def proposed_title(result: CeilingResult) -> str:
    """Who wrote what from what; empty where nothing was asked for."""
    found = result.proposing
    if isinstance(found, Unknown):
        return ""
    said = f"Proposed by {safe(found.model)}, from {safe(found.parent)}"
    return f"{said} and {counted(found.shown, 'case')} shown to it"


def proposed_rows(result: CeilingResult) -> list[tuple[str, str]]:
    """Each prompt with its score and text, what came to nothing, and what one more would add.

    Returns:
        Labels with what they say; none where nothing was asked for.
    """
    found = result.proposing
    if isinstance(found, Unknown):
        return []
    score = {draw.prompt: _score(draw) for draw in found.draws}
    rows = [
        (safe(one.name), f"{score[one.name]}: {_short(one.text)} ({safe(one.file)})")
        for one in found.prompts
    ]
    known = {one.name for one in found.prompts}
    none = sum(draw.prompt not in known for draw in found.draws)
    if none:
        rows.append(("No better", f"in {count(none)} of {counted(len(found.draws), 'draw')}"))
    asked, unusable = (sum(getattr(d, key) for d in found.draws) for key in ("asked", "unusable"))
    if unusable:
        rows.append(("Unusable", f"{count(unusable)} of {counted(asked, 'written text')}"))
    if cut := sum(not draw.whole for draw in found.draws):
        rows.append(("Cut short", f"{counted(cut, 'draw')}, for want of an answer"))
    return [*rows, ("One more", plateau_text(result.plateau))]


def plateau_text(found: Gain | Unknown) -> str:
    """What one more draw would add: the plateau."""
    if isinstance(found, Unknown):
        return f"nobody can say what it would add: {found.ask}"
    ends = f"{found.value:+.3f} ({quality(found.low)} to {found.high:+.3f})"
    return f"would add {ends} to the best of {counted(found.draws, 'draw')} on average"


def _score(draw: Draw) -> str:
    if isinstance(draw.value, Unknown):
        return "not scored"
    return f"{quality(draw.value)} ({quality(draw.low)}–{quality(draw.high)})"


def _short(text: str) -> str:
    told = safe(text)
    return told if len(told) <= _TEXT else f"{told[:_TEXT].rstrip()}…"
