"""``contains``: what the output has to say, and what it must not."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    NO_ANSWER,
    WRONG,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)

if TYPE_CHECKING:
    from tuneworthy.texts.search import Searcher


@dataclass(frozen=True, slots=True)
class Contains:
    """Right where all of ``all``, one of ``any`` and none of ``none`` stand in the output."""

    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    words: bool = True
    """Whole words only."""
    exact: bool = False
    """Whether capitals matter."""
    id: str = "contains"
    _kept: dict[tuple[str, ...], Searcher] = field(default_factory=dict, repr=False, compare=False)

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of conditions that hold.

        Without any, one of the references has to stand in the output; without these too it can't
        be judged.
        """
        del context
        some = self.some
        if not (self.every or some or self.none):
            some = tuple(one for one in case.accepted if isinstance(one, str) and one.strip())
            if not some:
                return unjudged("no_reference")
        looked = tuple(dict.fromkeys((*self.every, *some, *self.none)))
        held = self._held(looked, output.text)
        faults = [("lacks", one) for one in self.every if one not in held]
        faults += [("lacks_all", some[0])] if some and not held & set(some) else []
        faults += [("says_forbidden", one) for one in self.none if one in held]
        asked = len(self.every) + bool(some) + len(self.none)
        numbers = {"asked": asked, "failed": len(faults)}
        if not faults:
            return right("contains", numbers)
        why, about = faults[0]
        signal = NO_ANSWER if output.blank else WRONG
        value = 0.0 if output.blank else 1 - len(faults) / asked
        return wrong(why, value=value, signal=signal, about=about, numbers=numbers)

    def _held(self, looked: tuple[str, ...], text: str) -> set[str]:
        """Those that stand in a text."""
        from tuneworthy.texts.search import Pattern, Searcher

        searcher = self._kept.get(looked)
        if searcher is None:
            self._kept.clear()  # a case's own references: no use to the next one
            patterns = {
                one: Pattern(_wide(one), literal=True, word=self.words, caseless=not self.exact)
                for one in looked
            }
            searcher = self._kept[looked] = Searcher(patterns, plain=True)
        return {one for one, rows in searcher.rows([_wide(text)]).items() if rows[0]}


def _wide(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'")


def make(of: Any, kit: Kit) -> Contains:
    """A scorer from its parameters: all, any, none, words, exact; a text or list alone is ``all``.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("contains", of, "all", ("all", "any", "none", "words", "exact"))
    return Contains(
        every=asked.texts("all"),
        some=asked.texts("any"),
        none=asked.texts("none"),
        words=asked.flag("words", default=True),
        exact=asked.flag("exact"),
    )
