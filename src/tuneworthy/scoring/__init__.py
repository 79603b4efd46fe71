"""Scorers: how good an output is, said by a rule and never by a feeling."""

from tuneworthy.scoring.base import Context, Kit, Output, Scored, Scorer
from tuneworthy.scoring.registry import Marker, default_scorers, scorer_for, together

__all__ = [
    "Context",
    "Kit",
    "Marker",
    "Output",
    "Scored",
    "Scorer",
    "default_scorers",
    "scorer_for",
    "together",
]
