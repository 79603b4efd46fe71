"""What happened to others, for a terminal: one row of a report, or a page of its own."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.likeness import Neighbour, PrecedentsResult
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import Paint, row, safe, wrapped
from tuneworthy.report.precedents.words import (
    BEWARE,
    kind_text,
    rate_text,
    tried_text,
    won_text,
)
from tuneworthy.report.words import few, number, several, share


def others_row(dossier: Dossier) -> list[str]:
    """One row for the report of a verdict; empty where nothing is known."""
    found = dossier.precedents
    if isinstance(found, Unknown):
        return []
    return row("Others", safe(others_text(found)))


def others_text(found: PrecedentsResult) -> str:
    """What happened to others, in one line: the narrowest rate that is known, or the nearest."""
    rate = found.base_rate
    if isinstance(rate, Unknown):
        if isinstance(found.nearest, Unknown):
            return f"no published case is alike; {found.nearest.ask}"
        won = sum(one.winner in ("fine_tune", "hybrid") for one in found.nearest)
        many = few(won) if won else "none"
        return f"tuning won {many} of the {several(len(found.nearest), 'nearest case')}"
    spread = f"{share(rate.low)} to {share(rate.high)}"
    return f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of} ({spread})"


def precedents_text(dossier: Dossier, *, colour: bool = False) -> str:
    """The page.

    Args:
        dossier: Whose precedents.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, but for addresses, which are never broken; the last one ended.
    """
    paint, found, name = Paint(colour), dossier.precedents, safe(dossier.case.name)
    if isinstance(found, Unknown):
        return "\n".join(wrapped(f"{name}: nothing to compare by; {safe(found.ask)}.")) + "\n"
    blocks = [
        _head(dossier, found, paint),
        _rates(found),
        *_near(found, paint),
        wrapped(BEWARE),
        wrapped("tuneworthy backtest says how often the rules were right.", first="More: "),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(dossier: Dossier, found: PrecedentsResult, paint: Paint) -> list[str]:
    many = 0 if isinstance(found.nearest, Unknown) else len(found.nearest)
    name = safe(dossier.case.name)
    said = f"{name}: {safe(others_text(found))}."
    if many:
        said = f"{name}: the {several(many, 'published case')} most like it."
    by = f"By the {safe(dossier.framework.name)} framework's answers, as of {dossier.as_of}."
    if found.as_near:
        last = "is" if found.as_near == 1 else "are"
        by += f" {few(found.as_near).capitalize()} more {last} as alike as the last one."
    return [
        *(paint("strong", line) for line in wrapped(said, rest="  ")),
        *(paint("dim", line) for line in wrapped(by)),
    ]


def _rates(found: PrecedentsResult) -> list[str]:
    return [
        *row("Goal", safe(rate_text(found.base_rate))),
        *row("Pattern", safe(rate_text(found.pattern_rate))),
        *row("All", safe(rate_text(found.every_rate))),
    ]


def _near(found: PrecedentsResult, paint: Paint) -> list[list[str]]:
    if isinstance(found.nearest, Unknown):
        return []
    return [_one(place, near, paint) for place, near in enumerate(found.nearest, start=1)]


def _one(place: int, near: Neighbour, paint: Paint) -> list[str]:
    said = f"{place}  {safe(near.title)}"
    lines = [paint("strong", line) for line in wrapped(said, rest="   ")]
    lines += [paint("dim", line) for line in wrapped(safe(kind_text(near)), first="   ")]
    lines += _row("Alike", near.why)
    lines += _row("Tried", tried_text(near))
    lines += _row("Won", won_text(near))
    if near.source_url:  # an address that is broken can't be followed
        return [*lines, f"   Source {safe(near.source_url)}"]
    return [*lines, *_row("Source", near.source or "not named")]


def _row(label: str, text: str) -> list[str]:
    return row(f" {label}", safe(text), label_width=8)
