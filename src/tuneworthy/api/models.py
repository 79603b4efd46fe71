"""Models: which can be called from here, and what they cost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from tuneworthy.api.road import load_case
from tuneworthy.calls.embedded import lacking
from tuneworthy.calls.served import Served, endpoints, of_case
from tuneworthy.report.local_model import embedded_record
from tuneworthy.report.models import models_dict, models_text

__all__ = ["Served", "models", "render"]


def models(
    case: str | Path | None = None, *, as_of: date | None = None
) -> tuple[tuple[Served, ...], tuple[Served, ...]]:
    """Which models can be called; nothing leaves this machine.

    Args:
        case: A case whose models are wanted too.
        as_of: The day whose list prices count; today when not given.

    Returns:
        The endpoints known by name, and the models of the case.

    Raises:
        CaseError: If the case can't be read.
    """
    day = as_of or datetime.now(UTC).date()
    own = () if case is None else of_case(load_case(case).models, day)
    return endpoints(), own


def render(found: tuple[tuple[Served, ...], tuple[Served, ...]], form: str = "text") -> str:
    """Them as ``text`` or ``json``."""
    known, own = found
    inside = embedded_record(lacking())
    if form == "json":
        return models_dict(known, own, inside)
    return models_text(known, own, inside)
