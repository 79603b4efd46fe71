"""What people said of cases and of outputs, and how far they agree."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from tuneworthy.domain.record import Name, Natural, Record, Unknown

Task = Literal["answer", "rubric", "pairwise"]
"""Give the right answer, hold an output against a rubric, or say which of two is better."""

ItemKey = tuple[str, str, str, str, str]
"""Task, rubric, case, arm and the arm it is held against."""

SCALES = {"yes-no": ("yes", "no"), "1-5": ("1", "2", "3", "4", "5")}
"""What may be said of an output."""
PAIRS = ("first", "second", "tie")
"""What may be said of two: which is better, in the order of the arms' names and not as shown."""


def digest_of(*parts: str) -> str:
    """Begin of the SHA-256 of texts: of a rubric and its scale, or of outputs that were shown."""
    told = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()[:16]


class Label(Record):
    """What one person said of one thing."""

    task: Task
    case: Name
    """Id of the case."""
    value: Annotated[str, Field(max_length=100_000)]
    """A right answer, a word of a scale, or of ``PAIRS``."""
    arm: str = ""
    """The arm whose output it was; empty for a right answer."""
    against: str = ""
    """The other arm of a pair."""
    rubric: str = ""
    """Begin of the SHA-256 of rubric and scale."""
    output: str = ""
    """Begin of the SHA-256 of the outputs that were shown."""

    @property
    def key(self) -> ItemKey:
        """What it is about: a later label of the same replaces an earlier one."""
        return (self.task, self.rubric, self.case, self.arm, self.against)


class Coefficient(Record):
    """Agreement beyond chance, with its 95% interval where one can be given."""

    id: Literal["cohen_kappa", "fleiss_kappa", "nominal_alpha"]
    value: float | Unknown
    low: float | None = None
    high: float | None = None
    items: Natural = 0


class Disagreement(Record):
    """An item on which labellers differ."""

    key: ItemKey
    said: tuple[tuple[str, str], ...]
    """Labeller and what they said."""
    settled: str | None = None
    """What adjudication said; None while it is open."""


class AgreementOf(Record):
    """How far the labellers of one task agree."""

    task: Task
    rubric: str
    labellers: tuple[str, ...]
    labelled: Natural
    """Items with a label."""
    both: Natural
    """Items with two labels or more."""
    same: Natural
    """Of these, items on which all say the same."""
    low: float
    """Lower end of the 95% interval of the share that is the same."""
    high: float
    """Upper end."""
    coefficients: tuple[Coefficient, ...]
    disagreements: tuple[Disagreement, ...]
