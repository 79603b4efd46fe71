"""Published figures as evidence: it is shown with its grade, and settles nothing."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.published import PublishedFigure

PUBLISHED = "published_share"
"""Id of the first figure's evidence; further ones are numbered."""


def as_evidence(figures: Sequence[PublishedFigure]) -> dict[str, Evidence]:
    """Figures as evidence by its id; empty for none.

    They bear on no answer of the case: other cases were counted.
    """
    found = {}
    for number, one in enumerate(figures, start=1):
        name = PUBLISHED if number == 1 else f"{PUBLISHED}_{number}"
        found[name] = Evidence(
            id=name, grade="published", value=one.value, low=one.low, high=one.high,
            unit="share of cases", n=one.cases, source=one.source, observed_on=one.dated,
            method=f"{one.metric} as published, not measured here; interval (Wilson) from the "
            "share and its cases",
            details={"model": one.model, "metric": one.metric},
        )  # fmt: skip
    return found
