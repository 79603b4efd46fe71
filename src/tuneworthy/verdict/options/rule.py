"""An option: its rule, its figures and its sentences in one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from tuneworthy.model.dossier import Helps, Number
from tuneworthy.model.framework import Moves, TargetId
from tuneworthy.verdict import TABLES
from tuneworthy.verdict.facts import CaseFacts
from tuneworthy.words import count, share


class Opinion(NamedTuple):
    """Whether an option would help a case, and why."""

    helps: Helps
    because: str
    measured: bool = False  #: Whether the answer that decides was counted on this case.
    moves: Moves | None = None
    """What it does to the targets here, where that isn't what it usually does."""


yes = partial(Opinion, "yes")
partly = partial(Opinion, "partly")
no = partial(Opinion, "no")
unknown = partial(Opinion, "unknown")


Figures = Mapping[TargetId, Number | None]
"""What the case states that an option comes to, for each target; None for what nobody knows."""


ALL_MET = no("the present approach meets every requirement; there is nothing left to fix")


@dataclass(frozen=True, slots=True)
class Option:
    """How an option of the framework is judged; its id is the name of its function."""

    judge: Callable[[CaseFacts], Opinion]
    mends: bool = True  #: Whether it only helps where something falls short.
    tried: str = "an attempt made use of it, and the target is still missed"
    """Why it doesn't help where an attempt made use of it; empty where that settles nothing."""
    arm: str = ""  #: The arm of the published cases it belongs to; empty for none.
    checks: tuple[str, ...] = ()  #: Checks of the ceiling test that ask for it.
    trouble: str = ""
    """Options with the same word here remove the same trouble, so one may beat the other."""
    figures: Callable[[CaseFacts], Figures] = lambda _: {}  #: What the case states of it.

    @property
    def id(self) -> str:
        """As the framework names it."""
        return self.judge.__name__

    def __call__(self, facts: CaseFacts) -> Opinion:
        """Whether it would help a case."""
        if self.mends and facts.satisfied == "yes":
            return ALL_MET
        if self.tried and facts.tried(self.id):
            return no(self.tried)
        return self.judge(facts)


def option(**about: Any) -> Callable[[Callable[[CaseFacts], Opinion]], Option]:
    """Register a function as the rule of the option of its name."""
    return lambda judge: Option(judge, **about)


# Pieces of sentences that several options share.

SIGNS: dict[str, str] = TABLES["signs"]  #: Signals as a trouble one sees.


def not_found(facts: CaseFacts) -> str:
    """That passages aren't found, or that nobody saw to it."""
    if facts.recall is None:
        return "retrieval was never optimized"
    return f"the passage is found for only {share(facts.recall)} of questions"


def long(facts: CaseFacts) -> str:
    """Input tokens of a request in brackets; empty where nobody counted."""
    return "" if facts.tokens is None else f" ({count(facts.tokens)} input tokens a request)"
