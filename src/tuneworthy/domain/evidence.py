"""What was measured, with its interval, its method and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.record import Ident, LateRecord, Name, Natural, Text, Unknown, wrong

Scalar = float | int | str | bool


class Evidence(LateRecord):
    """One measurement; ``value`` lies within ``low`` … ``high``, all three in ``unit``."""

    id: Ident
    """What was measured, as ``invalid_output_share``."""
    factor: str = ""
    """The signal, factor, check or dotted path of the case file it bears on."""
    value: float | Unknown
    """The best single number; unknown, with the field that is missing, where none can be given."""
    low: float | None = None
    """Lower end of the 95% interval; None for an unknown value."""
    high: float | Literal["open"] | None = None
    """Upper end; ``open`` where only a lower end is known."""
    unit: Name
    """Unit of the three."""
    n: Natural = 0
    """Traces, or cases, it was counted on."""
    clusters: Natural = 0
    """Conversations those come from."""
    method: Text = ""
    """How value and interval were made."""
    source: Text = ""
    """What it was measured on: names of files and their format."""
    observed_on: date | None = None
    """Last day of the data, by its own clock; None where the data has no clock."""
    since: date | None = None
    """First day of the data."""
    sample: Literal["all", "sampled"] = "all"
    """Whether every trace was looked at."""
    grade: Literal["measured", "published"] = "measured"
    """Measured on the case's own data; or published by somebody else, which settles nothing."""
    details: dict[Ident, Scalar] = {}
    """Further numbers that the report shows, such as the four counts of a 2×2."""
    examples: Annotated[tuple[Text, ...], Field(max_length=10)] = ()
    """What was found, in a few masked samples."""

    @model_validator(mode="after")
    def _in_order(self) -> Evidence:
        if isinstance(self.value, Unknown):
            return self
        low = -math.inf if self.low is None else self.low
        high = self.high if isinstance(self.high, float | int) else math.inf
        if self.low is None or self.high is None or not low <= self.value <= high:
            raise wrong("is out of order", "write low ≤ value ≤ high")
        return self

    @property
    def number(self) -> float:
        """The value of a known measurement.

        Raises:
            TypeError: If it is unknown.
        """
        if isinstance(self.value, Unknown):
            raise TypeError(f"{self.id} is unknown")
        return self.value

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return not isinstance(self.value, Unknown)


class Series(LateRecord):
    """Numbers for one picture: columns of equal length, as measured."""

    id: Ident
    """The picture, as ``volume``."""
    columns: dict[Ident, tuple[Scalar, ...]]
    """Columns by name; units stand in the names."""


_OF_SEVERAL = {"is": "are", "isn't": "aren't", "has": "have", "holds": "hold"}


class Skipped(LateRecord):
    """Records that couldn't be used, whole or in part, and why."""

    why: Name
    """The reason."""
    n: Natural
    """How many."""
    where: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    """The first of them, as ``file:line``."""
    in_part: bool = False
    """Whether only a part of each was left out, and the rest was used."""

    @property
    def predicate(self) -> str:
        """The reason with its verb in the number of the records, as ``aren't JSON`` of two."""
        verb, _, rest = self.why.partition(" ")
        return f"{_OF_SEVERAL.get(verb, verb) if self.n != 1 else verb} {rest}"


class Reading(LateRecord):
    """What was read."""

    name: str
    """File name, without the folder."""
    format: Name
    """Recognised by content, as ``Inspect log``."""
    digest: str
    """BLAKE3 of its bytes, in 64 hexadecimal digits."""
    size: Natural
    """Bytes on disk."""
    traces: Natural
    """Traces it gave."""
    skipped: tuple[Skipped, ...] = ()
    """What it held that couldn't be used."""


class Measured(LateRecord):
    """One run of ``measure``: what was read, what it showed, and the pictures' numbers."""

    schema_: str = Field(default="tuneworthy/evidence/1", alias="schema")
    inputs: str
    """SHA-256 of everything the evidence rests on: data, materials and the measures' version."""
    readings: tuple[Reading, ...] = ()
    """Files read."""
    evidence: tuple[Evidence, ...]
    """What they showed."""
    series: tuple[Series, ...] = ()
    """For pictures."""


def latest(runs: Sequence[Measured]) -> dict[str, Evidence]:
    """The newest known measurement of each id; an unknown one never hides what was known before."""
    found: dict[str, Evidence] = {}
    for run in runs:
        for one in run.evidence:
            if one.known or one.id not in found:
                found[one.id] = one
    return found


def latest_series(runs: Sequence[Measured]) -> tuple[Series, ...]:
    """The newest numbers of each picture, in the order in which they were first measured."""
    found: dict[str, Series] = {}
    for run in runs:
        found |= {one.id: one for one in run.series}
    return tuple(found.values())
