"""Format: outputs that don't parse, don't validate or have other keys than the rest."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.measure.signals.base import (
    Findings,
    Numbers,
    TraceTable,
    clusters_of,
    evidence_from,
    happened,
    rate,
    readable_amount,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Series, ToolCall
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.text.json import UNREAD, Validator, looking, read_json, read_rows, validator
from tuneworthy.text.search import joined

if TYPE_CHECKING:
    from tuneworthy.measure.signals.base import Flags, Floats, Ints


# The shape of a JSON value: which keys it has, and of which types those at the top are.

Shape = str | tuple[str, tuple[Any, ...]]
"""A leaf is one letter; an object ``{`` with its keys and their shapes, sorted; a list ``[`` with
the shapes its items have, sorted and each once."""

_DEEPEST = 5
_MOST_ITEMS = 5
_MOST_KEYS = 400
_MOST_KNOWN = 20_000
_MOST_SEEN = 2000


def shape_of(value: Any, depth: int = 0) -> Shape:
    """The shape of a value as JSON gives it.

    Below the top a leaf is a leaf, whatever its type. Only five items of a list, the first
    400 keys of an object and five levels are looked at, so that no value takes long.
    """
    if isinstance(value, dict):
        if depth > _DEEPEST:
            return "{"
        keys = sorted(value)[:_MOST_KEYS]
        return "{", tuple((key, shape_of(value[key], depth + 1)) for key in keys)
    if isinstance(value, list):
        if depth > _DEEPEST:
            return "["
        items = {shape_of(item, depth + 1) for item in value[:_MOST_ITEMS]}
        return "[", tuple(sorted(items, key=repr))
    if value is None:
        return "0"
    return kind_of(value) if depth <= 1 else "."


def kind_of(value: Any) -> str:
    """The type of a value in one letter: whole and other numbers are one type."""
    if value is None:
        return "0"
    if isinstance(value, bool):
        return "b"
    if isinstance(value, str):
        return "s"
    if isinstance(value, dict):
        return "{"
    return "[" if isinstance(value, list) else "n"


class Numbered:
    """Gives the shape of a value a number of its own, the same in every run and process."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], float] = {}

    def __call__(self, value: Any) -> float:
        """A whole number below 2**48, which a float holds exactly."""
        skeleton = _skeleton(value)
        number = self._known.get(skeleton)
        if number is None:
            number = number_of(shape_of(value))
            if _size(skeleton) <= _MOST_SEEN:  # larger ones aren't worth remembering
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[skeleton] = number
        return number


def number_of(shape: Shape) -> float:
    """The number of a shape."""
    text = repr(shape).encode("utf-8", "backslashreplace")
    return float(int.from_bytes(blake2b(text, digest_size=6).digest(), "big"))


def _skeleton(value: Any, depth: int = 0) -> tuple[Any, ...]:
    """What decides the shape, made as quickly as Python can: keys as they come, and types."""
    kind = type(value)
    seen: list[Any] = []
    if kind is dict:
        for key, one in value.items():
            kind = type(one)
            seen.append(key)
            seen.append(_inside(one, depth) if kind is dict or kind is list else kind)
        return tuple(seen)
    seen.append(kind)
    for one in value[:_MOST_ITEMS] if kind is list else ():
        kind = type(one)
        seen.append(_inside(one, depth) if kind is dict or kind is list else kind)
    return tuple(seen)


def _inside(value: Any, depth: int) -> Any:
    """The skeleton of a value that others stand in; of one too deep nothing but its type."""
    return _skeleton(value, depth + 1) if depth < _DEEPEST else type(value)


def _size(skeleton: tuple[Any, ...]) -> int:
    """How many keys and types it holds."""
    return sum(_size(each) if type(each) is tuple else 1 for each in skeleton)


def fits(one: Shape, other: Shape) -> bool:
    """Whether two shapes differ in nothing but values that are null, or lists that are empty."""
    if one == other or "0" in (one, other):
        return True
    if isinstance(one, str) or isinstance(other, str) or one[0] != other[0]:
        return False
    if one[0] == "[":
        return all(any(fits(mine, yours) for yours in other[1]) for mine in one[1]) or not other[1]
    mine, yours = dict(one[1]), dict(other[1])
    return mine.keys() == yours.keys() and all(fits(mine[key], yours[key]) for key in mine)


def differences(one: Shape, usual: Shape) -> Iterator[str]:
    """What tells a shape from the usual one, by the keys at its top."""
    if isinstance(one, str) or isinstance(usual, str) or one[0] != usual[0] or one[0] != "{":
        yield "is of another type"
        return
    mine: Mapping[str, Shape] = dict(one[1])
    yours: Mapping[str, Shape] = dict(usual[1])
    yield from (f"lacks {key[:60]}" for key in yours if key not in mine)
    yield from (f"has {key[:60]}, which others lack" for key in mine if key not in yours)
    both = [key for key in mine if key in yours and not fits(mine[key], yours[key])]
    yield from (f"has another type or other keys in {key[:60]}" for key in both)


# Tool calls: arguments that are an object, with the keys and types their tool takes.

REQUIRED_FROM = 0.95
"""A key that at least this share of a tool's calls have is taken for required."""

TYPE_FROM = 2 / 3
"""A type that at least this share of a key's values have is taken for its type: two types about as
frequent are both meant, and a rare one is a slip."""

ENOUGH_CALLS = 20
"""From fewer calls nothing is inferred about a tool: its arguments need only be an object."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call, read."""

    tool: str
    arguments: dict[str, Any] | None
    """None where they are no JSON object."""
    conversation: int


@dataclass(frozen=True, slots=True)
class _Usage:
    """What most calls of a tool have in common."""

    required: frozenset[str]
    types: Mapping[str, str]


def unread_calls(
    calls: Sequence[Sequence[ToolCall] | None],
) -> tuple[Floats, Floats]:
    """For each trace its tool calls, and those whose arguments are no JSON object."""
    counted = np.array([len(each) if each else 0 for each in calls], dtype=np.float64)
    unread = np.zeros(len(calls))
    for row in np.flatnonzero(counted).tolist():
        unread[row] = sum(_arguments(call) is None for call in calls[row] or ())
    return counted, unread


def invalid_tool_calls(table: TraceTable, tools: Mapping[str, Any]) -> Evidence:
    """The share of tool calls whose arguments are wrong in form, on the sample.

    Wrong are arguments that are no JSON object; that break the tool's schema, where it is given;
    or, where it isn't, that lack a key at least 95% of the tool's calls have, or have a value of
    another type than at least two thirds of that key's values. The interval has conversations as
    clusters. It can't see whether values are right, or whether the right tool was called; a key
    missing in more than one call in twenty is taken for optional, so a tool that is given a schema
    is judged better. Arguments that are no object are counted over all traces too.

    Args:
        table: All traces, with the columns of ``unread_calls``.
        tools: JSON Schemas of arguments by the tool's name; {} where none is known.
    """
    calls = list(_sampled(table))
    tests, broken = _tests(tools)
    usages = _usages(calls)
    faults = [_fault(call, tests, usages) for call in calls]
    estimate = None
    if calls and not broken:
        estimate = share([bool(each) for each in faults], [each.conversation for each in calls])
    total = float(table.numbers["calls"].sum())
    details: dict[str, float | int] = {
        "tool_calls": int(total),
        "tools": len({c.tool for c in calls}),
    }
    if total:
        details["unread_share"] = float(table.numbers["calls_unread"].sum()) / total
        details["tools_inferred"] = len(usages.keys() - tests.keys())
    return evidence_from(
        table,
        "invalid_tool_call_share",
        estimate,
        factor="inconsistent_format",
        unit="share of tool calls",
        method="arguments read as a JSON object and held against the tool's schema, or against the"
        " keys that 95% of its calls have and the types that two thirds have; interval by"
        " conversation",
        ask=broken or "log tool calls with their arguments (field tool_calls)",
        sample=table.extent(),
        details=details,
        examples=[f"{says} ({n})" for says, n in Counter(filter(None, faults)).most_common(5)],
    )


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    value, fenced = read_json(call.arguments)
    return value if isinstance(value, dict) and not fenced else None


def _sampled(table: TraceTable) -> Iterator[_Call]:
    where = clusters_of(table.sample.column("conversation"))
    for row, calls in enumerate(table.sample.tool_calls):
        for call in calls or ():
            yield _Call(call.name, _arguments(call), int(where[row]))


def _tests(tools: Mapping[str, Any]) -> tuple[dict[str, Validator], str]:
    """A test for each tool with a schema; or what to mend."""
    tests: dict[str, Validator] = {}
    for name, schema in tools.items():
        test, broken = validator(schema)
        if test is None:
            return {}, broken or f"give the tool {name[:60]} a schema"
        tests[name] = test
    return tests, ""


def _usages(calls: Sequence[_Call]) -> dict[str, _Usage]:
    """What the calls of each tool have in common, for tools called often enough."""
    read: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        if call.arguments is not None:
            read[call.tool].append(call.arguments)
    return {tool: _usage(each) for tool, each in read.items() if len(each) >= ENOUGH_CALLS}


def _usage(calls: Sequence[dict[str, Any]]) -> _Usage:
    keys = Counter(key for arguments in calls for key in arguments)
    required = frozenset(key for key, n in keys.items() if n >= REQUIRED_FROM * len(calls))
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for arguments in calls:
        for key, value in arguments.items():
            if value is not None:
                kinds[key][kind_of(value)] += 1
    types = {}
    for key, counts in kinds.items():
        kind, n = counts.most_common(1)[0]
        if n >= TYPE_FROM * counts.total() and counts.total() >= ENOUGH_CALLS:
            types[key] = kind
    return _Usage(required, types)


def _fault(call: _Call, tests: Mapping[str, Validator], usages: Mapping[str, _Usage]) -> str:
    """What is wrong with a call, by names of keys alone; "" for nothing."""
    tool = call.tool[:60]
    if call.arguments is None:
        return f"{tool}: the arguments are no JSON object"
    if call.tool in tests:
        return "" if tests[call.tool](call.arguments) else f"{tool}: against its schema"
    usage = usages.get(call.tool)
    if usage is None:
        return ""
    lacking = sorted(usage.required - call.arguments.keys())
    if lacking:
        return f"{tool}: lacks {lacking[0][:60]}"
    for key, value in call.arguments.items():
        if value is not None and usage.types.get(key, kind_of(value)) != kind_of(value):
            return f"{tool}: {key[:60]} is of another type"
    return ""


# Format: outputs that don't parse, don't validate or have other keys than the rest.

ENOUGH_OUTPUTS = 20
"""A prompt version with fewer outputs than this has no usual keys of its own."""

_ABOUT = "inconsistent_format"
_STRUCTURES = frozenset({dict, list})
_OPENS = frozenset("[{`")  # what is read as JSON begins with one of these, or is no structure


@dataclass(frozen=True, slots=True)
class _Version:
    """Outputs of one prompt version that mean to be structured."""

    name: str
    rows: Ints
    wrong: Flags
    """Read, and yet against the schema or unlike the usual keys."""
    usual: float
    """Number of the most frequent shape; NaN where none was read."""


class FormatSignal:
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
        columns = {
            "structured": structured,
            "unread": ~read,
            "fenced": fenced,
            "invalid": invalid,
            "shape": shape,
        }
        return {
            "refused": np.where(told, declines, np.nan),
            **{name: np.where(judged, found, np.nan) for name, found in columns.items()},
            "failed": failed.astype(np.float64),
            "calls": counted,
            "calls_unread": calls_unread,
        }

    def finish(self, table: TraceTable) -> Findings:
        """Shares of what is out of form, and the same by prompt version."""
        versions = list(self._versions(table))
        outputs = self._outputs(table, versions)
        calls = invalid_tool_calls(table, self._tools)
        series = (_signatures(table, versions),) if versions else ()
        return Findings((outputs, calls), series)

    def _values(self, texts: Sequence[str | None]) -> tuple[list[int], Floats]:
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

    def _versions(self, table: TraceTable) -> Iterator[_Version]:
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

    def _shapes(self, table: TraceTable) -> dict[float, Shape]:
        """Shapes of the sample by number: what is frequent is among them."""
        shapes: dict[float, Shape] = {}
        for text in table.sample.output:
            if text and text.lstrip()[:1] in _OPENS:
                value, _ = read_json(text)
                if value is not UNREAD:
                    shapes[self._number(value)] = shape_of(value)
        return shapes

    def _outputs(self, table: TraceTable, versions: Sequence[_Version]) -> Evidence:
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
        return evidence_from(
            table,
            "invalid_output_share",
            estimate,
            factor=_ABOUT,
            unit="share of outputs",
            method=f"read as JSON and held against {held}; interval by conversation",
            ask=self._broken
            or "name data.output_schema: under half of the outputs look like"
            " JSON, so nothing says which form is right",
            details=details,
            examples=examples,
        )

    def _examples(self, table: TraceTable, versions: Sequence[_Version]) -> tuple[str, ...]:
        """The most frequent differences, by the keys alone."""
        known, seen = self._shapes(table), Counter[str]()
        for each in versions:
            numbers = table.numbers["shape"][each.rows[each.wrong]]
            for number, n in zip(*np.unique(numbers, return_counts=True), strict=True):
                if number in known and each.usual in known:
                    for says in differences(known[number], known[each.usual]):
                        seen[says] += int(n)
        return tuple(f"{says} ({n})" for says, n in seen.most_common(5))


def _usual(shapes: Floats) -> float:
    """The most frequent shape; the smaller number of two as frequent; NaN for none."""
    numbers, counts = np.unique(shapes[~np.isnan(shapes)], return_counts=True)
    return float(numbers[np.argmax(counts)]) if len(numbers) else math.nan


def _unlike(shapes: Floats, usual: float, known: Mapping[float, Shape], *, lone: bool) -> Flags:
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


def _signatures(table: TraceTable, versions: Sequence[_Version]) -> Series:
    """By prompt version: what can be read, what is right and what is usual; the 50 largest."""
    largest = sorted(versions, key=lambda each: -len(each.rows))[:50]
    shapes = [table.numbers["shape"][each.rows] for each in largest]
    return Series(
        id="signatures",
        columns={
            "prompt": tuple(readable_amount(each.name, 200) or "others" for each in largest),
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
