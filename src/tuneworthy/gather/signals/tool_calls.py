"""Tool calls: arguments that are an object, with the keys and types their tool takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.traces import ToolCall
from tuneworthy.gather.signals.base import Table
from tuneworthy.gather.signals.shapes import kind_of
from tuneworthy.gather.signals.telling import clusters_of, of_sample, told
from tuneworthy.stats.clustered import share
from tuneworthy.texts.json_text import read_json
from tuneworthy.texts.schema import Validator, validator

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each trace its tool calls, and those whose arguments are no JSON object."""
    counted = np.array([len(each) if each else 0 for each in calls], dtype=np.float64)
    unread = np.zeros(len(calls))
    for row in np.flatnonzero(counted).tolist():
        unread[row] = sum(_arguments(call) is None for call in calls[row] or ())
    return counted, unread


def invalid_tool_calls(table: Table, tools: Mapping[str, Any]) -> Evidence:
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
    return told(
        table,
        "invalid_tool_call_share",
        estimate,
        factor="inconsistent_format",
        unit="share of tool calls",
        method="arguments read as a JSON object and held against the tool's schema, or against the"
        " keys that 95% of its calls have and the types that two thirds have; interval by"
        " conversation",
        lacking=broken or "log tool calls with their arguments (field tool_calls)",
        sample=of_sample(table),
        details=details,
        examples=[f"{says} ({n})" for says, n in Counter(filter(None, faults)).most_common(5)],
    )


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    value, fenced = read_json(call.arguments)
    return value if isinstance(value, dict) and not fenced else None


def _sampled(table: Table) -> Iterator[_Call]:
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
