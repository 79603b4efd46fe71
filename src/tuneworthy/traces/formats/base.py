"""What a format is: how it is recognised, and how its records become traces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tuneworthy.traces.fields import Bytes, Row, SkippedRecords, trace_rows


@dataclass(slots=True)
class ReadContext:
    """What a reader knows of the file beside the record, and what it tells about it."""

    tally: SkippedRecords
    """Where what can't be used is counted."""
    file: str
    """The file, for the names of conversations that have none."""
    notes: list[str] = field(default_factory=list)
    """What the reading has to say, as which of several scores was taken."""

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def traces(self, record: Mapping[str, Any], place: int | str) -> Iterator[Row]:
        """The traces of a record that has our fields."""
        return trace_rows(record, self.tally, place, conversation=f"{self.file}:{place}")


@dataclass(frozen=True, slots=True)
class TraceFormat:
    name: str
    """What people call it."""
    fits: Callable[[Mapping[str, Any]], bool]
    """Whether a record is of it; the values of its keys may be undecoded."""
    rows: Callable[[Mapping[str, Any], int | str, ReadContext], Iterator[Row]] | None = None
    """Traces of a record that was decoded."""
    document: Callable[[Bytes, int | str, ReadContext], Iterator[Row]] | None = None
    """Traces of a large record that the reader decodes by itself."""


def has_any(record: Collection[str], *keys: str) -> bool:
    return any(key in record for key in keys)
