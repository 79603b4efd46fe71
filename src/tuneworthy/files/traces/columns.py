"""Typed traces as columns of a batch.

A field of all traces at a time is much quicker than all fields of a trace at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from msgspec.structs import astuple

from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces.building import has_value
from tuneworthy.files.traces.clocks import times
from tuneworthy.files.traces.known import Known
from tuneworthy.files.traces.lines import Block
from tuneworthy.files.traces.plain import AMOUNTS, reference, said
from tuneworthy.files.traces.sound import sound_columns, without_debts
from tuneworthy.files.traces.tally import Tally
from tuneworthy.files.traces.typed import FIELDS, Passages, Said, SaidTurns, Trace, Views
from tuneworthy.files.traces.values import name, prompt_name, role_of, score, tool_calls

Column = Sequence[Any]
Fields = dict[str, Column]

_MESSAGES, _SYSTEM, _INPUT, _OUTPUT, _CALLS = map(
    FIELDS.index, ("messages", "system", "input", "output", "tool_calls")
)
_NOT_ASKING = frozenset({"assistant", "system"})


class Gathered:
    """Typed traces on their way into a batch.

    Args:
        tally: Where values that can't be true are counted, when they are left out.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally, self._known = tally, Known()
        self._held: tuple[list[Any], ...] = tuple([] for _ in FIELDS)
        self._lines: list[Sequence[int]] = []

    def add(self, traces: Sequence[Trace], block: Block) -> bool:
        """Take the traces of a block apart, while they are still in the processor's cache.

        A system prompt that was seen before becomes that same object: its copy can go at once.

        Returns:
            False, and nothing is taken, where a trace has neither an output nor calls of tools.
        """
        columns: list[Column] = list(zip(*map(astuple, traces), strict=True))
        said, calls = columns[_OUTPUT], columns[_CALLS]
        if not all(said) and any(
            text is None and not tool_calls(called)
            for text, called in zip(said, calls, strict=True)
        ):
            return False
        if has_value(columns[_SYSTEM]):
            one = self._known.one
            columns[_SYSTEM] = [one(text) if text else text for text in columns[_SYSTEM]]
        if any(columns[_MESSAGES]):
            columns[_SYSTEM], columns[_INPUT] = self._told(columns)
        for held, values in zip(self._held, columns, strict=True):
            held.extend(values)
        one_a_line = len(traces) == block.lines
        lines = range(block.first, block.first + block.lines)
        self._lines.append(lines if one_a_line else [block.first] * len(traces))
        return True

    def batch(self) -> list[Batch]:
        """What was gathered, as one batch or as none; nothing is held afterwards."""
        held, lines = self._held, self._lines
        if not lines:
            return []
        self._held, self._lines = tuple([] for _ in FIELDS), []
        every = dict(zip(FIELDS, held, strict=True))
        fields: Fields = {field: values for field, values in every.items() if has_value(values)}
        fields |= {"output": every["output"]}
        if "timestamp" in fields:
            fields["timestamp"] = times(fields["timestamp"])
        sound_columns(fields, self._tally, lambda: list(chain.from_iterable(lines)))
        return [Batch(**dict(_columns(fields)))]

    def _told(self, columns: Sequence[Column]) -> tuple[Column, Column]:
        """System prompts and newest messages, out of the turns where they stand nowhere else."""
        systems, asked, one = [*columns[_SYSTEM]], [*columns[_INPUT]], self._known.one
        for row, spoken in enumerate(columns[_MESSAGES]):
            if not spoken:
                continue
            first, last = spoken[0], spoken[-1]
            if first.role == "system":  # mostly it stands first
                first.content = one(first.content or "")
            if systems[row] is None:
                systems[row] = first.content if first.role == "system" else _system(spoken)
            if asked[row] is None:
                asked[row] = last.content or "" if last.role == "user" else _newest(spoken)
        return systems, asked


def _system(spoken: Sequence[Said]) -> str | None:
    return next((one.content or "" for one in spoken if role_of(one.role) == "system"), None)


def _newest(spoken: Sequence[Said]) -> str | None:
    """The newest message that isn't the model's."""
    heard = (one for one in reversed(spoken) if role_of(one.role) not in _NOT_ASKING)
    return next((one.content or "" for one in heard), None)


def _columns(fields: Fields) -> Iterator[tuple[str, Any]]:
    """Fields as columns of a batch."""
    nothing = [None] * len(fields["output"])
    if "feedback" in fields:
        fields |= _judged(*(fields.get(each, nothing) for each in ("score", "label", "feedback")))
    if "prompt_name" in fields or "prompt_version" in fields:
        named = (fields.get(each, nothing) for each in ("prompt_name", "prompt_version"))
        yield "prompt", _prompts(*named)
    for field, column, make in _MADE:
        if field in fields:
            yield column, make(fields[field])


def _judged(scores: Column, labels: Column, feedback: Column) -> Fields:
    """Scores and labels with those of the feedback, where they stand there alone."""
    score, label = [*scores], [*labels]
    for row, told in enumerate(feedback):
        if told is not None:
            if score[row] is None:
                score[row] = told.score
            label[row] = label[row] or told.label
    return {"score": score} | ({"label": label} if has_value(label) else {})


def _prompts(names: Column, versions: Column) -> list[str | None]:
    return [*map(_PromptNames().__getitem__, zip(names, versions, strict=True))]


class _PromptNames(dict[tuple[Any, Any], str | None]):
    """Names of prompts by their parts, each put together once."""

    def __missing__(self, pair: tuple[Any, Any]) -> str | None:
        found = self[pair] = prompt_name(*pair)
        return found


def _names(values: Column) -> Column:
    if set(map(type, values)) <= {str, type(None)} and "" not in values:
        return values
    return [(value or None) if type(value) is str else name(value) for value in values]


def _each(make: Callable[[Any], Any]) -> Callable[[Column], Column]:
    return lambda values: [None if value is None else make(value) for value in values]


def _turns(spoken: Sequence[Said]) -> SaidTurns | None:
    return SaidTurns(spoken) if spoken else None


def _as_they_are(values: Column) -> Column:
    return values


_MADE: tuple[tuple[str, str, Callable[[Column], Column]], ...] = (
    ("output", "output", _as_they_are),
    ("system", "system", _as_they_are),
    ("input", "input", _as_they_are),
    ("messages", "messages", lambda values: Views(values, _turns)),
    ("contexts", "contexts", lambda values: Views(values, Passages)),
    ("model", "model", _names),
    ("answerable", "answerable", _as_they_are),
    ("conversation_id", "conversation", _names),
    ("turn", "turn", without_debts),
    ("timestamp", "timestamp", _as_they_are),
    ("tool_calls", "tool_calls", _each(lambda value: tool_calls(value) or None)),
    ("reference", "reference", _each(reference)),
    ("error", "error", _each(said)),
    ("score", "score", _each(score)),
    ("label", "label", _each(lambda value: value or None)),
    ("case", "case", _each(name)),
    *((amount, amount, _as_they_are) for amount in AMOUNTS),
)
"""Field, column and how one becomes the other."""
