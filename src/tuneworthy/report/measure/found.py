"""What a run of ``measure`` found, to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.evidence import Evidence, Measured, Series
from tuneworthy.domain.prices import Price
from tuneworthy.domain.record import Unknown


@dataclass(frozen=True, slots=True)
class Found:
    """A run of ``measure``."""

    measured: Measured
    added: bool
    """False where the last run had measured the same."""
    dossier: Dossier
    """The case with it."""
    before: Dossier | None
    """The case without it; None for a case that was made for it."""
    folder: str
    price: Price | None = None
    """List price of the one model that answered."""
    models: tuple[str, ...] = ()
    """Models that answered."""
    wanted: Mapping[str, float] = field(default_factory=dict)
    """How many a check of the ceiling asks for, by check."""

    def one(self, name: str) -> Evidence | None:
        """A measurement that has a value."""
        found = next((one for one in self.measured.evidence if one.id == name), None)
        return found if found is not None and found.known else None

    def count(self, name: str) -> float | None:
        """What a measurement counts, by name where nothing but names is known."""
        one, names = self.one(name), self.details(name).get("names")
        return names if isinstance(names, int) else None if one is None else one.number

    def details(self, name: str) -> Mapping[str, object]:
        """Further numbers of a measurement, known or not; none where it wasn't tried."""
        found = next((one for one in self.measured.evidence if one.id == name), None)
        return {} if found is None else found.details

    def ask(self, name: str, otherwise: str) -> str:
        """What would make a measurement known."""
        for one in self.measured.evidence:
            if one.id == name and isinstance(one.value, Unknown):
                return one.value.ask
        return otherwise

    def series(self, name: str) -> Series | None:
        """Numbers of a picture; None where there are none."""
        return next((one for one in self.measured.series if one.id == name), None)

    @property
    def arms(self) -> int:
        """Prompts with models that were tested on cases; 0 where it was no test."""
        found = self.series("arms")
        return 0 if found is None else len(found.columns["value"])
