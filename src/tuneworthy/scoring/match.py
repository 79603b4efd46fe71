"""``match``: the output is one of the accepted texts, differences that mean nothing aside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    NO_ANSWER,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)
from tuneworthy.scoring.normal import normal


@dataclass(frozen=True, slots=True)
class Match:
    """Right where the whole output equals an accepted one after normalisation (``normal``)."""

    exact: bool = False
    """Compare as it stands, but for spaces around it."""
    punctuation: bool = False
    """Whether marks count."""
    articles: bool = False
    """Whether English articles are left out."""
    accepted: tuple[str, ...] = ()
    """Instead of the case's reference."""
    id: str = "match"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an equal output, else 0; a case without a reference can't be judged."""
        del context
        wanted = self.accepted or tuple(as_text(one) for one in case.accepted)
        if not wanted:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        said = self._plain(output.text)
        if any(said == self._plain(one) for one in wanted):
            return right("equal")
        return wrong("differs", about=wanted[0])

    def _plain(self, text: str) -> str:
        if self.exact:
            return text.strip()
        plain = normal(text, punctuation=self.punctuation, articles=self.articles)
        return plain or " ".join(text.split())  # a text of marks alone is more than nothing


def as_text(value: Any) -> str:
    """A reference as the text a model would write."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def make(of: Any, kit: Kit) -> Match:
    """A scorer from its parameters: accepted, exact, punctuation, articles.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("match", of, "accepted", ("accepted", "exact", "punctuation", "articles"))
    return Match(
        exact=asked.flag("exact"),
        punctuation=asked.flag("punctuation"),
        articles=asked.flag("articles"),
        accepted=asked.texts("accepted"),
    )
