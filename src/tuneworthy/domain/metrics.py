"""What measures are called: one by several names is still one."""

from __future__ import annotations

OTHER_NAMES = {
    "exact_match": "match",
    "exact match": "match",
    "accuracy": "label",
    "field accuracy": "json_fields",
}
"""Metrics of a case file that mean a scorer, by its id."""


def metric_named(name: str) -> str:
    """The one name of a metric: capitals and blanks around it aside, the id of its scorer."""
    plain = name.strip().casefold()
    return OTHER_NAMES.get(plain, plain)
