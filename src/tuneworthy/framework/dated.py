"""What the catalogue knows of the world on a day: who tunes, and who won in published cases."""

from __future__ import annotations

from functools import cache

from tuneworthy.domain.errors import FrameworkError
from tuneworthy.domain.options import Record
from tuneworthy.domain.services import Services
from tuneworthy.framework.load import catalogue_text
from tuneworthy.syntax.build import build
from tuneworthy.syntax.yaml import parse

SERVICES, COUNTS = "services.yaml", "published_counts.yaml"


@cache
def services() -> Services:
    """Who offers which kind of tuning, as of the day each was read."""
    return build(
        Services, parse(catalogue_text(SERVICES), SERVICES, FrameworkError), FrameworkError
    )


@cache
def published_counts() -> Record:
    """Goal to the arm that measured best to the number of published cases, ties left out."""
    data = parse(catalogue_text(COUNTS), COUNTS, FrameworkError).data
    return {goal: {arm: int(n) for arm, n in arms.items()} for goal, arms in data.items()}
