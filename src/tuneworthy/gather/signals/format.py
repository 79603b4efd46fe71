"""Format: outputs that don't parse, don't validate or have other keys than the rest."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.domain.evidence import Evidence, Series
from tuneworthy.domain.materials import Materials
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals.base import Found, Numbers, Table, happened
from tuneworthy.gather.signals.refusals import refused
from tuneworthy.gather.signals.shapes import Numbered, Shape, differences, fits, shape_of
from tuneworthy.gather.signals.telling import rate, readable, told
from tuneworthy.gather.signals.tool_calls import invalid_tool_calls, unread_calls
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.texts.joined import joined
from tuneworthy.texts.json_text import UNREAD, looking, read_json, read_rows
from tuneworthy.texts.schema import validator

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH_OUTPUTS = 20
"""A prompt version with fewer outputs than this has no usual keys of its own."""

_ABOUT = "inconsistent_format"
_STRUCTURES = frozenset({dict, list})
_OPENS = frozenset("[{`")  # what is read as JSON begins with one of these, or is no structure


@dataclass(frozen=True, slots=True)
class _Version:
    """Outputs of one prompt version that mean to be structured."""

    name: str
    rows: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    """Read, and yet against the schema or unlike the usual keys."""
    usual: float
    """Number of the most frequent shape; NaN where none was read."""


class Format:
    """Outputs of the right form, and tool calls with the right arguments.

    ``invalid_output_share`` is the share of outputs that can't be read as JSON, whole or as one
    fenced block; or break the schema, where one is given; or, where none is, differ from the keys
    that most outputs of the same prompt version have: nested keys, with types at the top. A null
    fits any type and an empty list any list. ``invalid_tool_call_share`` is told in
    ``tool_calls``. Unit: a share; intervals have conversations as clusters.

    It can't see whether well-formed values are right, nor, without a schema, which keys may be
    missing: an optional key counts as a difference there. Refusals, errors and outputs that only
    call a tool are counted apart. Without a schema, versions of which under half of the outputs
    look like JSON are taken for prose and left out.

    Args:
        materials: For the schema.
        tools: JSON Schemas of the tools' arguments by name, where they are known.
    """

    id = "format"
    needs = ("output", "prompt", "system", "tool_calls", "error")

    def __init__(self, materials: Materials, tools: Mapping[str, Any] | None = None) -> None:
        self._valid, self._broken = validator(materials.output_schema)
        self._tools = dict(tools or {})
        self._number = Numbered()

    def rows(self, batch: Batch) -> Numbers:
        """How each output reads.

        ``refused``, ``structured`` (looks like JSON), ``unread``, ``fenced`` and ``invalid``
        (against the schema) are shares; ``shape`` numbers the keys; ``failed`` is an error;
        ``calls`` and ``calls_unread`` count tool calls.
        """
        counted, calls_unread = unread_calls(batch.tool_calls or [None] * len(batch))
        failed, texts = happened(batch.error, len(batch)), joined(batch.output)
        told = texts.there & ~failed & ((counted == 0) | (texts.lengths > 0))
        rows, values = self._values(batch.output)
        read = np.zeros(len(batch), dtype=bool)
        read[rows] = True
        declines = told & ~read & refused(batch.output)
        judged = told & ~declines
        structured = looking(batch.output) & ~read
        fenced, invalid, shape = np.zeros(len(batch)), *np.full((2, len(batch)), np.nan)
        structured[rows], fenced[rows], invalid[rows], shape[rows] = values
        columns = {"structured": structured, "unread": ~read, "fenced": fenced,
                   "invalid": invalid, "shape": shape}  # fmt: skip
        return {
            "refused": np.where(told, declines, np.nan),
            **{name: np.where(judged, found, np.nan) for name, found in columns.items()},
            "failed": failed.astype(np.float64),
            "calls": counted,
            "calls_unread": calls_unread,
        }

    def finish(self, table: Table) -> Found:
        """Shares of what is out of form, and the same by prompt version."""
        versions = list(self._versions(table))
        outputs = self._outputs(table, versions)
        calls = invalid_tool_calls(table, self._tools)
        series = (_signatures(table, versions),) if versions else ()
        return Found((outputs, calls), series)

    def _values(self, texts: Sequence[str | None]) -> tuple[list[int], NDArray[np.float64]]:
        """Rows that hold JSON; and whether it is a structure, fenced, invalid, and its shape.

        Without a schema, plain numbers and words are prose.
        """
        valid, number = self._valid, self._number
        rows: list[int] = []
        found: list[float] = []
        for row, value, fenced in read_rows(texts):
            structured = type(value) in _STRUCTURES
            if valid is None:
                if not (structured or (texts[row] or "").lstrip()[:1] in _OPENS):
                    continue
                invalid = math.nan
            else:
                invalid = not valid(value)
            rows.append(row)
            found += (structured, fenced, invalid, number(value))
        return rows, np.array(found, dtype=np.float64).reshape(-1, 4).T

    def _versions(self, table: Table) -> Iterator[_Version]:
        """Prompt versions with structured outputs, in the order of the table."""
        numbers = table.numbers
        judged = np.flatnonzero(numbers["refused"] == 0)
        known = {} if self._valid else self._shapes(table)
        codes = table.prompt[judged]
        sizes = np.bincount(codes + 1, minlength=len(table.prompts) + 1)
        codes = np.where(sizes[codes + 1] >= ENOUGH_OUTPUTS, codes, -1)
        order = np.argsort(codes, kind="stable")
        ends = np.flatnonzero(np.diff(codes[order])) + 1
        for members in np.split(order, ends):
            rows = judged[members]
            if not len(rows) or not (self._valid or rate(numbers["structured"][rows]) >= 0.5):
                continue
            code = int(codes[members[0]])
            usual = _usual(numbers["shape"][rows])
            if self._valid:
                wrong = numbers["invalid"][rows] == 1
            else:
                lone = code >= 0 or not (table.prompt[rows] >= 0).any()
                wrong = _unlike(numbers["shape"][rows], usual, known, lone=lone)
            yield _Version(table.prompts[code] if code >= 0 else "", rows, wrong, usual)

    def _shapes(self, table: Table) -> dict[float, Shape]:
        """Shapes of the sample by number: what is frequent is among them."""
        shapes: dict[float, Shape] = {}
        for text in table.sample.output:
            if text and text.lstrip()[:1] in _OPENS:
                value, _ = read_json(text)
                if value is not UNREAD:
                    shapes[self._number(value)] = shape_of(value)
        return shapes

    def _outputs(self, table: Table, versions: Sequence[_Version]) -> Evidence:
        numbers = table.numbers
        details: dict[str, float | int] = {
            "refusals": int(np.sum(numbers["refused"] == 1)),
            "errors": int(np.sum(numbers["failed"] == 1)),
            "left_out_as_prose": int(np.sum(numbers["refused"] == 0)),
        }
        estimate: Estimate | None = None
        examples: tuple[str, ...] = ()
        if versions and not self._broken:
            rows = np.concatenate([each.rows for each in versions])
            unread = numbers["unread"][rows] == 1
            wrong = np.concatenate([each.wrong for each in versions])
            estimate = share(unread | wrong, table.conversation[rows])
            details["left_out_as_prose"] -= len(rows)
            details |= {
                "unread_share": rate(unread),
                "fenced_share": rate(numbers["fenced"][rows] == 1),
                "against_schema_share" if self._valid else "other_keys_share": rate(wrong),
                "prompt_versions": len(versions),
            }
            examples = () if self._valid else self._examples(table, versions)
        held = "the schema" if self._valid else "the usual keys of its prompt version"
        return told(
            table,
            "invalid_output_share",
            estimate,
            factor=_ABOUT,
            unit="share of outputs",
            method=f"read as JSON and held against {held}; interval by conversation",
            lacking=self._broken
            or "name data.output_schema: under half of the outputs look like"
            " JSON, so nothing says which form is right",
            details=details,
            examples=examples,
        )

    def _examples(self, table: Table, versions: Sequence[_Version]) -> tuple[str, ...]:
        """The most frequent differences, by the keys alone."""
        known, seen = self._shapes(table), Counter[str]()
        for each in versions:
            numbers = table.numbers["shape"][each.rows[each.wrong]]
            for number, n in zip(*np.unique(numbers, return_counts=True), strict=True):
                if number in known and each.usual in known:
                    for says in differences(known[number], known[each.usual]):
                        seen[says] += int(n)
        return tuple(f"{says} ({n})" for says, n in seen.most_common(5))


def _usual(shapes: NDArray[np.float64]) -> float:
    """The most frequent shape; the smaller number of two as frequent; NaN for none."""
    numbers, counts = np.unique(shapes[~np.isnan(shapes)], return_counts=True)
    return float(numbers[np.argmax(counts)]) if len(numbers) else math.nan


def _unlike(
    shapes: NDArray[np.float64], usual: float, known: Mapping[float, Shape], *, lone: bool
) -> NDArray[np.bool_]:
    """Which shapes don't fit the usual one.

    Versions with few outputs stand together under ``lone=False``: where they have no usual shape,
    because under half share it, they are several forms and none of them is wrong.
    """
    read = ~np.isnan(shapes)
    if not lone and rate(shapes[read] == usual) < 0.5:
        return np.zeros(len(shapes), dtype=bool)
    pattern = known.get(usual)
    alike = [usual]
    if pattern is not None:
        different = np.unique(shapes[read])
        alike += [n for n in different.tolist() if n in known and fits(known[n], pattern)]
    return read & ~np.isin(shapes, alike)


def _signatures(table: Table, versions: Sequence[_Version]) -> Series:
    """By prompt version: what can be read, what is right and what is usual; the 50 largest."""
    largest = sorted(versions, key=lambda each: -len(each.rows))[:50]
    shapes = [table.numbers["shape"][each.rows] for each in largest]
    return Series(
        id="signatures",
        columns={
            "prompt": tuple(readable(each.name, 200) or "others" for each in largest),
            "outputs": tuple(len(each.rows) for each in largest),
            "read_share": tuple(1 - rate(np.isnan(numbers)) for numbers in shapes),
            "right_share": tuple(
                1 - rate(np.isnan(numbers) | each.wrong)
                for each, numbers in zip(largest, shapes, strict=True)
            ),
            "usual_keys_share": tuple(
                rate(numbers == each.usual) for each, numbers in zip(largest, shapes, strict=True)
            ),
            "different_keys": tuple(
                len(np.unique(numbers[~np.isnan(numbers)])) for numbers in shapes
            ),
        },
    )
