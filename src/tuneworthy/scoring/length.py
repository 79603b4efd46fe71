"""``length``: the output is as long as it may be and no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    INSTRUCTIONS,
    NO_ANSWER,
    Context,
    Kit,
    Output,
    Scored,
    right,
    wrong,
)

CHARACTERS_A_TOKEN = 4
"""Characters to a token of English, as a rule of thumb; other scripts take fewer."""


def _sentences(text: str) -> int:
    from tuneworthy.texts.checks import sentence_count

    return sentence_count(text)


MEASURES: Mapping[str, Callable[[str], int]] = {
    "words": lambda text: len(text.split()),
    "characters": lambda text: len(text.strip()),
    "sentences": _sentences,
    "tokens": lambda text: -(-len(text.strip()) // CHARACTERS_A_TOKEN),
}
"""Units of length; tokens are characters over four, rounded up."""


@dataclass(frozen=True, slots=True)
class Length:
    """Right where every bound is kept; the value is the share of units that keep theirs."""

    bounds: tuple[tuple[str, int, int], ...]
    """Unit, least and most."""
    id: str = "length"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of units within their bounds, both ends included."""
        del case, context
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        faults = []
        for unit, least, most in self.bounds:
            size = MEASURES[unit](output.text)
            if size < least:
                faults.append(("too_short", unit, {"said": size, "least": least}))
            elif size > most:
                faults.append(("too_long", unit, {"said": size, "most": most}))
        if not faults:
            return right("length_kept")
        why, unit, numbers = faults[0]
        value = 1 - len(faults) / len(self.bounds)
        return wrong(why, value=value, signal=INSTRUCTIONS, about=unit, numbers=numbers)


def make(of: Any, kit: Kit) -> Length:
    """A scorer from bounds by unit: a number is the most, ``[least, most]`` gives both.

    Raises:
        InputError: If there is no bound, or one is none.
    """
    del kit
    asked = Asked("length", of, "", tuple(MEASURES))
    bounds = tuple(_bound(asked, unit) for unit in MEASURES if asked.has(unit))
    if not bounds:
        raise asked.bad("gives no bound", "write words: 50, or words: [10, 50]")
    return Length(bounds)


def _bound(asked: Asked, unit: str) -> tuple[str, int, int]:
    value = asked.any(unit)
    pair = value if isinstance(value, list | tuple) else [0, value]
    fix = f"write {unit}: 50, or {unit}: [10, 50]"
    if len(pair) != 2 or not all(
        isinstance(end, int) and not isinstance(end, bool) and 0 <= end <= 10**9 for end in pair
    ):
        raise asked.bad(f"gives {unit} that is no bound", fix)
    if pair[0] > pair[1]:
        raise asked.bad(f"gives {unit} with the most below the least", fix)
    return unit, pair[0], pair[1]
