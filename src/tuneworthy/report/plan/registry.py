"""Where the words of each phase are registered, under the id of what is done in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tuneworthy.domain.case import Case
from tuneworthy.domain.framework import Framework
from tuneworthy.report.words import listing, number, quality, usd


class Words(NamedTuple):
    """What a phase is called, what is done in it, and when it is done."""

    title: str
    steps: tuple[str, ...]
    done_when: str


@dataclass(frozen=True, slots=True)
class Voice:
    """What the words of a phase are made from."""

    case: Case
    framework: Framework
    n: Mapping[str, Any]
    """The phase's own numbers."""

    @property
    def quality(self) -> str:
        """The case's target of quality, as ``0.90 exact_match``; empty when none is stated."""
        found = self.case.targets.quality
        return f"{quality(found.at_least)} {found.metric}" if found else ""

    @property
    def limits(self) -> list[str]:
        """The case's limits of latency and cost, each as a clause."""
        targets, found = self.case.targets, []
        if targets.latency_p95_s is not None:
            found.append(f"95 of 100 answers within {number(targets.latency_p95_s)} s")
        if targets.usd_per_month is not None:
            found.append(f"at most {usd(targets.usd_per_month)} a month")
        return found

    @property
    def targets(self) -> str:
        """Every target in one list; empty when none is stated."""
        return listing([clause for clause in (self.quality, *self.limits) if clause])


Function = Callable[[Voice], Words]

WORDS: dict[str, Function] = {}
"""Id of what is done to a function from its numbers to its words."""


def says(function: Function) -> Function:
    """Register a function under its own name, less the underscore."""
    WORDS[function.__name__.removeprefix("_")] = function
    return function
