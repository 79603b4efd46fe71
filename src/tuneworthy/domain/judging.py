"""A judge among models: what was asked of it, and how far people agree with what it said."""

from __future__ import annotations

from typing import Literal

from tuneworthy.domain.labels import Coefficient
from tuneworthy.domain.record import Name, Natural, Record, Share, Unknown


class JudgePlan(Record):
    """Who judges, and whose labels put that right; written down before a reporting case is sent."""

    model: Name
    """Id of the judging model."""
    base_url: str = ""
    """Where it is served; empty for the usual address."""
    file: str
    """Name of the rubric's file."""
    rubric: str
    """Begin of the SHA-256 of rubric and scale, as in labels."""
    labels: Natural
    """Cases of either part on which people's word counts: the first in an order drawn by the seed.
    More labels than these don't count, so that nobody can label until the result pleases."""
    seed: Natural
    """Of that order, and of the lab."""
    max_tokens: Natural
    """Tokens an answer may have, as the lab was given it."""


class Bias(Record):
    """The judge's word less people's, on the outputs that both have seen."""

    value: float
    low: float
    high: float
    n: Natural
    """Outputs."""


class JudgedArm(Record):
    """What a judge and people say of one arm, on one part of the cases."""

    arm: str
    part: Literal["select", "report"]
    judge: Share | Unknown
    """Share of outputs the judge lets pass: counts for nothing by itself."""
    labels: Natural
    """Outputs among the drawn ones that people have labelled."""
    missing: Natural
    """Outputs among the drawn ones that nobody has labelled yet."""
    bias: Bias | Unknown
    kappa: Coefficient
    """Agreement of judge and people beyond chance, where people are of one mind."""


class JudgeOf(Record):
    """The judge of a lab, held against people."""

    plan: JudgePlan
    own: tuple[str, ...] = ()
    """Arms whose outputs the judging model wrote itself; () where it judges others alone."""
    chosen_by: Literal["judge", "people", "nobody"]
    """Whose word chose the arms: people's where each arm has its labels on the cases for selecting,
    else the judge's alone, which may choose badly but reports nothing; nobody's where there was
    nothing to choose from."""
    arms: tuple[JudgedArm, ...] = ()

    def missing(self, part: str) -> int:
        """Outputs of a part of the cases that are still to be labelled."""
        return sum(one.missing for one in self.arms if one.part == part)
