"""``label``: the output is the right one of a closed set of labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
from tuneworthy.scoring.match import as_text
from tuneworthy.scoring.normal import normal, unfenced

MOST_LABELS = 100_000


@dataclass(frozen=True, slots=True)
class Label:
    """Right where the output is an accepted label. One that is no label fails in form."""

    labels: frozenset[str] = frozenset()
    """All labels, plain; empty where nobody listed them."""
    key: str = ""
    """Where the output is an object: the key that holds the label."""
    id: str = field(default="label")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an accepted label, else 0; a case without a reference can't be judged."""
        del context
        wanted = {plain(as_text(one)) for one in case.accepted}
        if not wanted:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        said = self._said(output)
        if said is None:
            return wrong("no_label", signal=FORMAT, about=output.text)
        if said in wanted:
            return right("label_equal")
        if self.labels and said not in self.labels:
            return wrong("no_label", signal=FORMAT, about=output.text)
        return wrong("label_differs", about=as_text(case.accepted[0]))

    def _said(self, output: Output) -> str | None:
        if not self.key:
            return plain(unfenced(output.text)[:2000])
        value = output.json
        found = value.get(self.key) if isinstance(value, dict) else None
        return plain(found) if isinstance(found, str) else None


def plain(text: str) -> str:
    """A label without what models add around it: capitals, quotes, marks, ``_`` for a space."""
    return normal(text) or " ".join(text.split())


def make(of: Any, kit: Kit) -> Label:
    """A scorer from its parameters: labels (else those of the kit), key.

    Raises:
        InputError: If a parameter is wrong, or two labels are the same after normalisation.
    """
    asked = Asked("label", of, "labels", ("labels", "key"))
    labels = asked.texts("labels", MOST_LABELS) or kit.labels
    known: dict[str, str] = {}
    for one in labels:
        other = known.setdefault(plain(one), one)
        if other != one:
            fix = "give them names that differ in more than capitals and marks"
            raise asked.bad(f'has labels "{other[:40]}" and "{one[:40]}" that are the same', fix)
    return Label(frozenset(known), asked.text("key") if asked.has("key") else "")
