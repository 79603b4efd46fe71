"""What personal data examples may hold, as the team states it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tuneworthy.errors import CaseError
from tuneworthy.measure.personal import KINDS, persons
from tuneworthy.model.case import Case
from tuneworthy.model.training import TrainingExample
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.text.json import UNREAD, read_json

NAME = "name"  #: What a person's name is called in masks.


class PersonalPolicy(NamedTuple):
    """Personal data that is meant to be there; secrets never are."""

    kinds: frozenset[str] = frozenset()  #: As masks call them: name, email, phone …
    fields: frozenset[str] = frozenset()  #: Fields of JSON answers whose values may be names.

    @classmethod
    def of_case(cls, case: Case) -> PersonalPolicy:
        """What ``data.may_hold`` says. Raises CaseError for a kind that nobody knows."""
        stated = case.data.may_hold
        if stated is None:
            return cls()
        known = sorted({NAME, *(kind.label for kind in KINDS if kind.sort == "personal")})
        for kind in stated.kinds:
            if kind not in known:
                where = case.where("data.may_hold")
                what = f'"{kind[:40]}" is not a kind of personal data'
                raise CaseError(what, where=where, fix=did_you_mean(kind, known))
        return cls(frozenset(stated.kinds), frozenset(stated.fields))

    def names_somebody(self, example: TrainingExample, text: str) -> bool:
        """Whether a text names a person who isn't the value of a field that may hold one."""
        if NAME in self.kinds:
            return False
        spans = persons(text)
        if not spans or not self.fields:
            return bool(spans)
        values = " | ".join(self._values(read_json(example.answer.content)[0])).casefold()
        return any(text[span.start : span.end].casefold() not in values for span in spans)

    def _values(self, data: Any) -> Iterator[str]:
        """Texts below the fields that may hold names."""
        if data is UNREAD or not isinstance(data, dict | list):
            return
        entries = data.items() if isinstance(data, dict) else ((None, value) for value in data)
        for name, value in entries:
            if name in self.fields:
                yield from _texts(value)
            else:
                yield from self._values(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts([*value.values()])
