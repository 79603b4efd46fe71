"""What the weights of a framework were fitted to."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from tuneworthy.domain.record import FileRecord, Natural, wrong


class FittedOn(FileRecord):
    """The cases that weights were fitted to."""

    dated: date
    """When they were fitted."""
    cases: Natural
    """Cases that are no tie."""
    clusters: Natural
    """Papers or companies they come from."""
    won: Natural
    """Cases in which tuning won."""
    codings: Natural = 2
    """How often each case was coded."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of what the fit read of them."""

    @model_validator(mode="after")
    def _possible(self) -> FittedOn:
        if self.won > self.cases or self.clusters > self.cases:
            raise wrong("counts more wins or clusters than cases", "count again")
        return self
