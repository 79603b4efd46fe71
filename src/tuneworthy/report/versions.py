"""Versions of a case, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.record import State
from tuneworthy.report.verdicts import OUTCOME_WORDS


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version as a line of a list."""

    digest: str
    when: str
    """Local time, to the minute."""
    verdict: str
    changed: str
    """What it says that the one before it didn't."""
    now: bool
    """Whether it is what the file says today."""


Kept = tuple[datetime, str, Verdict | None, Mapping[str, State]]
"""When a version was written, its digest, its verdict, and its answers."""


def version_lines(
    found: Sequence[Kept], titles: Mapping[str, str], today: str
) -> tuple[VersionLine, ...]:
    """A line for each version.

    Args:
        found: The versions, the newest first.
        titles: What each question is called.
        today: Digest of the file as it is.
    """
    before = [*found[1:], None][: len(found)]
    return tuple(
        VersionLine(
            digest,
            at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            "no case any more" if verdict is None else OUTCOME_WORDS[verdict],
            _changed(said, None if older is None else older[3], titles),
            digest == today,
        )
        for (at, digest, verdict, said), older in zip(found, before, strict=True)
    )


def _changed(
    said: Mapping[str, State], before: Mapping[str, State] | None, titles: Mapping[str, str]
) -> str:
    if before is None:
        return "the oldest that is kept"
    named = [
        f"{titles.get(name, name)}: {state}"
        for name, state in said.items()
        if before.get(name, "unknown") != state
    ]
    return ", ".join(named) or "goals, amounts or other fields of the file"
