"""``number``: the number in the output is the right one, within a tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)
from tuneworthy.scoring.numbers import as_number, near, numbers_in


@dataclass(frozen=True, slots=True)
class Number:
    """Right where the last, or the only, number of the output lies near an accepted one."""

    within: float = 0.0
    """Absolute tolerance, in the unit of the number."""
    relative: float = 0.0
    """Tolerance as a share of the right number; the wider of both counts."""
    which: Literal["last", "only"] = "last"
    id: str = "number"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for a number near enough, else 0; without a reference number it can't be judged."""
        del context
        wanted = [n for n in map(as_number, case.accepted) if n is not None]
        if not wanted:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        found = numbers_in(output.text)
        if not found:
            return wrong("no_number", signal=FORMAT)
        if self.which == "only" and len(found) > 1:
            return wrong("several_numbers", signal=FORMAT, numbers={"found": len(found)})
        said = found[-1]
        if said is None:
            return wrong("unclear_number", signal=FORMAT)
        numbers = {"said": said, "wanted": wanted[0]}
        if any(near(said, one, within=self.within, relative=self.relative) for one in wanted):
            return right("near_enough", numbers)
        return wrong("number_differs", numbers=numbers)


def make(of: Any, kit: Kit) -> Number:
    """A scorer from its parameters: within, relative, which (last or only).

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("number", of, "within", ("within", "relative", "which"))
    return Number(
        within=asked.number("within") or 0.0,
        relative=asked.number("relative") or 0.0,
        which="only" if asked.word("which", ("last", "only"), "last") == "only" else "last",
    )
