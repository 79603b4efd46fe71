"""What of a trace hardly anybody asks for, decoded from its line when somebody does.

Old turns and passages are most of the text of a log. Kept as bytes that were read anyway they cost
nothing; as Python texts they would cost more than everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tuneworthy.domain.traces import Message
from tuneworthy.files.traces.lines import Block
from tuneworthy.files.traces.values import role_of

_MOST_KNOWN, _LONGEST_KNOWN = 1000, 100_000  # a hundred megabytes at most


class Known:
    """Gives equal texts as one object, so that who looks them up needn't read them.

    Of each length the last text is remembered: comparing with it is quicker than any hash.
    """

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}

    def one(self, text: str) -> str:
        """The text, as the object that was seen last if that is equal."""
        length = len(text)
        known = self._texts.get(length)
        if known == text:
            return known
        if length <= _LONGEST_KNOWN:
            if len(self._texts) >= _MOST_KNOWN:
                self._texts.clear()
            self._texts[length] = text
        return text


class Source:
    """The lines of a block of which every value was decoded once, without a fault.

    Args:
        block: The lines.
        decoder: What decoded them.
        n: How many values they were.
    """

    def __init__(self, block: Block, decoder: msgspec.json.Decoder[Any], n: int) -> None:
        self._data, self._breaks, self._decoder, self._n = block.data, block.breaks, decoder, n
        self._last: tuple[int, Any] = (-1, None)
        self._all: list[Any] | None = None
        self._checked = False

    def trace(self, place: int) -> Any:
        """The trace at some place of the block, decoded anew; the last one is remembered."""
        if self._last[0] != place:
            self._last = (place, self._decoded(place))
        return self._last[1]

    def _decoded(self, place: int) -> Any:
        if not self._checked:
            self._checked = True
            if not self._one_a_line():
                self._all = self._decoder.decode_lines(self._data)
        if self._all is not None:
            return self._all[place]
        begin = self._breaks[place - 1] + 1 if place else 0
        end = self._breaks[place] if place < len(self._breaks) else len(self._data)
        return self._decoder.decode(memoryview(self._data)[begin:end])

    def _one_a_line(self) -> bool:
        """Whether each line is one value: values may be spread over lines, or share one.

        Between ``}`` and ``{`` in two lines no value can go on: it would take a comma.
        """
        data = self._data
        inner = self._breaks[:-1] if data.endswith(b"\n") else self._breaks
        apart = all(data[at - 1 : at + 2] == b"}\n{" for at in inner)
        return apart and len(inner) + 1 == self._n


class LaterTurns(Sequence[Message]):
    """Turns of a conversation."""

    __slots__ = ("_n", "_place", "_source")

    def __init__(self, source: Source, place: int, n: int) -> None:
        self._source, self._place, self._n = source, place, n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, place: Any) -> Any:
        said = self._source.trace(self._place).messages[place]
        return [*map(_message, said)] if isinstance(place, slice) else _message(said)

    def __iter__(self) -> Iterator[Message]:
        return map(_message, self._source.trace(self._place).messages)


def _message(said: Any) -> Message:
    return Message(role_of(said.role), said.content or "")


class LaterPassages(Sequence[str]):
    """Passages that were given to the model."""

    __slots__ = ("_place", "_source")

    def __init__(self, source: Source, place: int) -> None:
        self._source, self._place = source, place

    def __len__(self) -> int:
        return len(self._texts())

    def __getitem__(self, place: Any) -> Any:
        return self._texts()[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts())

    def _texts(self) -> tuple[str, ...]:
        given = self._source.trace(self._place).contexts
        return tuple(each.text for each in given if each.text is not None)
