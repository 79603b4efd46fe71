"""Who still offers which kind of tuning: dated, with the page it was read on."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import field_validator

from tuneworthy.domain.record import FileRecord, Ident, Name, Text, Tri, wrong


class Service(FileRecord):
    """A service or a program that tunes models."""

    service: Name
    """What it is called."""
    kind: Literal["hosted", "self_hosted"]
    """Run by a provider, or by the team itself."""
    approaches: tuple[Ident, ...] = ()
    """Approaches its own pages name; one that is missing may be offered and wasn't found."""
    open_to_new: Tri = "unknown"
    """Whether somebody can start with it now; for a program, whether it is maintained."""
    until: date | None = None
    """The day on which new work ends, or ended."""
    says: Text = ""
    """What else the page says that matters here."""
    sources: tuple[Name, ...]
    """Addresses of the pages."""
    dated: date
    """When they were read."""

    @field_validator("sources")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(one.startswith("https://") for one in value):
            raise wrong("names no address", "give the https:// address of the page")
        return value

    def open_on(self, day: date) -> bool:
        """Whether new work can be started on a day, as far as the pages say."""
        return self.open_to_new == "yes" and (self.until is None or day < self.until)


class Services(FileRecord):
    """The file of all of them."""

    says: Text
    """How to read it."""
    services: tuple[Service, ...]
    """In the order they are shown."""

    def offering(self, approach: str, day: date, *, inside: bool = False) -> tuple[str, ...]:
        """Names of those that offer an approach to somebody new.

        Args:
            approach: Id of the approach.
            day: The day they have to be open on.
            inside: Only what the team runs itself, because data may not leave.
        """
        return tuple(
            one.service
            for one in self.services
            if approach in one.approaches
            and one.open_on(day)
            and (one.kind == "self_hosted" or not inside)
        )
