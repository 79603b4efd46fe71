"""A figure somebody else published of a tuned model, as the labs and the verdict read it."""

from __future__ import annotations

from datetime import date

from tuneworthy.domain.record import LateRecord, Name, Natural, Share, State, Unknown


class PublishedFigure(LateRecord):
    """A published share, held against the target of a case.

    It was counted on other cases, so it is never compared case by case with anything here.
    """

    model: Name
    """Id of the model in the case."""
    metric: Name
    """How it was measured there."""
    value: Share
    """Share of cases it got right there."""
    low: Share
    """Lower end of its 95% interval (Wilson), from the share and its cases."""
    high: Share
    """Upper end."""
    cases: Natural
    """Cases it was counted on."""
    source: Name
    """Where it stands."""
    dated: date
    """When it was published."""
    target: Share | Unknown
    """The target it is held against; unknown where there is none by the same metric."""
    meets: State
    """Whether the whole interval lies on one side of the target."""
