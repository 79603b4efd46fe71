"""Prompts that a generator proposes: drawn apart, scored together, and raced like any other."""

from tuneworthy.labs.proposing.cost import cost
from tuneworthy.labs.proposing.generator import Bench, CutShortError, gepa
from tuneworthy.labs.proposing.run import extended, kept_in, plateau, propose, told_of
from tuneworthy.labs.proposing.wish import Wish, as_written, parted_for

__all__ = [
    "Bench",
    "CutShortError",
    "Wish",
    "as_written",
    "cost",
    "extended",
    "gepa",
    "kept_in",
    "parted_for",
    "plateau",
    "propose",
    "told_of",
]
