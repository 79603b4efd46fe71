"""The published cases in full, as two blind coders and one who knew the outcome coded them.

The package ships an index of them (``index.py`` writes it); nothing of it reads this file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, RootModel

from tuneworthy.errors import CaseError
from tuneworthy.model.base import (
    FileRecord,
    Ident,
    Name,
    Natural,
    State,
    Text,
    Tri,
    TriInput,
    as_key,
)
from tuneworthy.model.framework import Goal
from tuneworthy.model.precedents import WINS_OF_TUNING, Winner
from tuneworthy.syntax.document import ParsedFile, build, parse

CASES = Path(__file__).with_name("cases.yaml")

ENOUGH_CLUSTERS = 20
"""Below this, drawing clusters again gives intervals that are too narrow."""

Codes = Literal["value", "blind1", "blind2"]
"""Whose answers count: the coder who knew the outcome, or one of the two who did not."""

CODES: tuple[Codes, ...] = get_args(Codes)


BlindAnswers = Annotated[tuple[Tri, ...], Field(max_length=2)]
"""One answer of each blind coder; a third would be nobody's."""


def _to_source_text(value: Any) -> Any:
    """Figures stay as their source gives them; a quoted null is nothing."""
    if isinstance(value, str) and value.strip().casefold() in {"", "null", "~"}:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


SourceText = Annotated[
    Text | None,
    BeforeValidator(_to_source_text, json_schema_input_type=str | int | float | None),
]  #: A figure in the words of its source: "0.83", "41%", "about 9 million a month"; or None.


class PublishedArm(FileRecord):
    """One approach that was tried, with what it came to."""

    approach: SourceText = None  #: What was done.
    model: SourceText = None  #: The model it was done with.
    base_model: SourceText = None  #: For tuning: the model that was tuned.
    #: For tuning: how many examples, as the source says it.
    train_examples: SourceText = None
    metric: SourceText = None  #: How it was measured.
    value: SourceText = None  #: What it came to, as the source says it.


class Account(FileRecord):
    """Money and time, as the source says it."""

    volume: SourceText = None  #: Calls in a period.
    cost_before: SourceText = None  #: Cost without tuning.
    cost_after: SourceText = None  #: Cost afterwards.
    latency_before: SourceText = None  #: Latency before.
    latency_after: SourceText = None  #: Latency afterwards.
    build_cost: SourceText = None  #: What it took to get there.


class Coded(FileRecord):
    """What coders answered about one factor."""

    value: Tri = "unknown"  #: The answer of the coder who had read the source and knew the outcome.
    reason: Text = ""  #: Why.
    blind: BlindAnswers = ()
    """Answers of the two coders who saw only the situation, in their order."""


SimpleCoded = Annotated[
    Coded, BeforeValidator(as_key("value"), json_schema_input_type=Coded | TriInput)
]


class PublishedCase(FileRecord):
    """A task on which several approaches were tried and somebody published what came out."""

    id: Name  #: A short name of its own.
    title: Name = "untitled"  #: What it is called.
    #: The year of publication.
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None
    #: Research, or a report from practice.
    kind: Literal["paper", "industry"] | None = None
    cluster: Name | None = None
    """Cases of one paper or company share it; a case without one stands alone."""
    source_url: Text = ""  #: Where it can be read.
    source_status: Literal["read", "recalled"] | None = None
    """Whether its figures were read in the source or come from memory."""
    domain: Text = ""  #: The field it belongs to.
    task: Text = ""  #: What had to be done.
    goal_kind: Goal | None = None  #: What kind of goal that is.
    baseline: PublishedArm | None = None  #: Where it started.
    best_prompt: PublishedArm | None = None  #: The best that prompting reached.
    other_model: PublishedArm | None = None  #: Another model with a prompt.
    rag: PublishedArm | None = None  #: Retrieval.
    fine_tuned: PublishedArm | None = None  #: Tuning.
    winner: Winner  #: What measured best.
    margin: Text = ""  #: By how much.
    train_examples: Natural | None = None
    """Examples the tuning had, where the source gives a count."""
    economics: Account | None = None  #: Money and time.
    notes: Text = ""  #: What to keep in mind.
    factors: dict[Ident, SimpleCoded] = {}  #: Reasons for and against, as coded.
    extra_factors_blind: dict[Ident, BlindAnswers] = {}
    """Factors that only the blind coders answered."""
    ceiling_test: dict[Ident, Tri] = {}  #: Checks of the ceiling that the source shows.

    @property
    def tuning_won(self) -> bool:
        """Whether tuning, alone or in a hybrid, measured best; a tie is no win."""
        return self.winner in WINS_OF_TUNING

    @property
    def group(self) -> str:
        """The cluster, or the case's own id where it has none."""
        return self.cluster if self.cluster is not None else self.id

    def coded(self, codes: Codes) -> dict[str, State]:
        """The answers of one coder by factor; one that coder left out is unknown."""
        if codes == "value":
            return {name: factor.value for name, factor in self.factors.items()}
        position = CODES.index(codes) - 1
        answers = {name: factor.blind for name, factor in self.factors.items()}
        return {
            name: blind[position] if position < len(blind) else "unknown"
            for name, blind in {**answers, **self.extra_factors_blind}.items()
        }


class PublishedCases(RootModel[tuple[PublishedCase, ...]]):
    """A file of them."""


@cache
def published_cases() -> tuple[PublishedCase, ...]:
    """The cases that lie beside this file."""
    return read_cases(parse(CASES.read_text("utf-8"), str(CASES), CaseError))


def read_cases(document: ParsedFile) -> tuple[PublishedCase, ...]:
    """Published cases from a parsed file, in its order; never empty, and each id once."""
    if not document.data:
        fix = "write a list, each case with at least an id and a winner"
        raise CaseError("is empty", where=document.where(()), fix=fix)
    cases = build(PublishedCases, document, CaseError).root
    seen = set[str]()
    for place, case in enumerate(cases):
        if case.id in seen:
            where = document.where((place, "id"))
            raise CaseError(
                f'case "{case.id}" appears twice', where=where, fix="rename one"
            )
        seen.add(case.id)
    return cases


def untied_cases() -> list[PublishedCase]:
    """Those that something won."""
    return [case for case in published_cases() if case.winner != "tie"]
