"""How a lab stands while it runs, in words."""

from __future__ import annotations

from tuneworthy.domain.lab import Stand
from tuneworthy.report.lab.words import share_text, spent_text
from tuneworthy.report.layout import safe
from tuneworthy.report.words import count, counted, share

_MOST_ARMS = 50
STATES = {
    "running": "The lab is running.",
    "stopping": "The lab is stopping: nothing more is sent, and what is on the wire is waited for.",
    "done": "The lab has run to its end.",
    "stopped": "The lab was stopped. What was paid for is kept: start it again to go on.",
    "failed": "The lab could not go on. What was paid for is kept.",
}
"""How a run stands, in a sentence."""


def left_s(stand: Stand, passed_s: float) -> float | None:
    """Seconds to go at the pace so far, if no more arms are dropped; None before the first call."""
    return passed_s * (stand.of - stand.done) / stand.done if stand.done else None


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``40 s``, ``3 min``, ``2 h``."""
    for limit, unit, length in ((100, "s", 1), (100 * 60, "min", 60)):
        if seconds < limit:
            return f"{count(round(seconds / length))} {unit}"
    return f"{count(round(seconds / 3600))} h"


def live_rows(stand: Stand, passed_s: float) -> tuple[tuple[str, str], ...]:
    """How far it is, what is ahead, what it has cost, and how long it will take."""
    done = share(stand.done / stand.of) if stand.of else "nothing to ask"
    ahead = f"{share_text(stand.quality)} {safe(stand.arm)}" if stand.arm else "nobody yet"
    left = left_s(stand, passed_s)
    return (
        ("Answered", f"{count(stand.done)} of at most {counted(stand.of, 'call')} ({done})"),
        ("Ahead", ahead),
        ("In the race", counted(stand.running, "arm")),
        ("Spent", spent_text(stand.spend)),
        ("Time", f"{duration(passed_s)} so far"
         + ("" if left is None else f", about {duration(left)} to go")),
    )  # fmt: skip


def live_board(stand: Stand) -> tuple[tuple[str, str, bool], ...]:
    """Arm, quality with its interval, and whether it is still in the race; the best first."""
    return tuple(
        (safe(one.arm), share_text(one.quality), one.running) for one in stand.board[:_MOST_ARMS]
    )
