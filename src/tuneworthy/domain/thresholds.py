"""Numbers that separate one answer from another, each with its source and date."""

from __future__ import annotations

from datetime import date
from typing import Literal

from tuneworthy.domain.record import FileRecord, Ident, Name, NonNegative, State, Text


class Threshold(FileRecord):
    """A number that a challenge or a derivation uses."""

    value: NonNegative
    """The number."""
    unit: Name
    """Its unit."""
    says: Text
    """What is on its far side."""
    source: Text
    """Who says so."""
    dated: date
    """When that was."""


class MeasureRule(FileRecord):
    """What a measurement says about an answer: yes on one side of a limit, no on the other."""

    title: Name
    """What is measured."""
    about: Ident
    """Signal, factor or check it bears on."""
    role: Literal["settles", "supports"] = "settles"
    """Settles what can be observed; supports or challenges a need, which stays as it was said."""
    yes: Literal["above", "below"] = "above"
    """Side of the limit on which the answer is yes."""
    limit: NonNegative
    """The limit, in the unit of the measurement."""
    unit: Name
    """Unit of the measurement."""
    says: Text
    """Why there."""
    source: Text
    """Who says so."""
    dated: date
    """When that was."""

    def side(self, low: float | None, high: float | Literal["open"] | None) -> State:
        """The answer on whose side of the limit a whole interval lies; unknown where it crosses.

        Args:
            low: Lower end of the interval.
            high: Upper end, ``open`` where there is none.
        """
        if low is None or high is None:
            return "unknown"
        if low > self.limit:
            return "yes" if self.yes == "above" else "no"
        if high != "open" and high < self.limit:
            return "no" if self.yes == "above" else "yes"
        return "unknown"
