"""What a signal is: numbers for each trace, and evidence from all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tuneworthy.domain.evidence import Evidence, Series
from tuneworthy.domain.traces import Batch, SystemPrompt
from tuneworthy.stats.design import members
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH_CONVERSATIONS = 20
"""Under this many conversations an interval says less than it seems to: the answer is unknown."""

DUPLICATE_OF = "duplicate_of"
"""A column that a signal gets with the others if it says ``wants_duplicates = True``: the row of
the first trace whose question and answer are nearly the same, its own where there is none; NaN for
a trace without an answer."""

Numbers = Mapping[str, "NDArray[np.float64]"]
"""Columns of numbers, one a trace; NaN where a trace has none. A share is 1.0 and 0.0."""


@dataclass(frozen=True, slots=True)
class Table:
    """All traces, after every signal has turned its batches into numbers.

    Arrays have one value a trace, in the order of reading.
    """

    numbers: Numbers
    """Columns that the signal's ``rows`` gave."""
    conversation: NDArray[np.int64]
    """A number for each conversation; a trace without one has a number of its own."""
    time: NDArray[np.float64]
    """Seconds since 1970; NaN where there is no clock."""
    turn: NDArray[np.float64]
    """Place in the conversation; NaN where unknown."""
    model: NDArray[np.int64]
    """Place in ``models``; -1 for none."""
    models: tuple[str, ...]
    prompt: NDArray[np.int64]
    """Place in ``prompts``; -1 for none."""
    prompts: tuple[str, ...]
    """Prompt versions by name, or ``system N`` for the N-th system prompt without a name."""
    system: NDArray[np.int64]
    """Place in ``systems``; -1 for none."""
    systems: tuple[SystemPrompt, ...]
    """Distinct system prompts in the order of their first appearance."""
    present: frozenset[str]
    """Columns of ``Batch`` in which any trace has a value."""
    sample: Batch
    """Whole conversations drawn by a hash of their name, up to some thousand traces."""
    distinct_systems: int = 0
    """Distinct system prompts seen; where that is more than ``systems`` holds they are a template
    with something else filled in each time, and ``systems`` is empty."""
    cut_texts: int = 0
    """Texts of the sample of which only the beginning was kept."""

    def __len__(self) -> int:
        return len(self.conversation)


@dataclass(frozen=True, slots=True)
class Found:
    """What a signal has to say."""

    evidence: tuple[Evidence, ...] = ()
    series: tuple[Series, ...] = ()


class Signal(Protocol):
    """A measure over traces.

    ``needs`` names the columns of ``Batch`` it reads, ``numbers`` the columns it makes. ``rows``
    is called for every batch and sees nothing but it; ``finish`` is called once. Where a column is
    missing the evidence is unknown and names the field.
    """

    @property
    def id(self) -> str:
        """Name of the signal."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of ``Batch`` it reads."""

    def rows(self, batch: Batch) -> Numbers:
        """A number for each trace of a batch, by name; the same names for every batch."""

    def finish(self, table: Table) -> Found:
        """What all traces together show."""


def how_many(conversations: NDArray[np.int64]) -> int:
    """Distinct conversations among some of a table, by counting: quicker than by a sort."""
    return members(conversations)[1]


def as_numbers(values: Iterable[Any]) -> NDArray[np.float64]:
    """Numbers and None as an array, NaN for None."""
    return np.fromiter(values, dtype=np.float64)  # which takes None for NaN


@remembered(1)  # the system prompts of a batch, which several signals look at
def distinct(values: Sequence[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Different values in the order of their first appearance, and the place of each among them."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    each = map(places.__getitem__, values)
    return list(places), np.fromiter(each, dtype=np.int64, count=len(values))


def happened(values: Sequence[Any], size: int) -> NDArray[np.bool_]:
    """Which values of a column say something, as errors do: nothing, False and "" don't.

    Args:
        values: The column; may be empty.
        size: How long it is where it is empty.
    """
    return _true(values) if values else np.zeros(size, dtype=bool)


def there(values: Sequence[Any], size: int) -> NDArray[np.bool_]:
    """Which values of a column are there, whatever they say."""
    return _there(values) if values else np.zeros(size, dtype=bool)


@remembered(2)
def _true(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.fromiter(map(bool, values), dtype=bool, count=len(values))


@remembered(2)
def _there(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array([value is not None for value in values], dtype=bool)
