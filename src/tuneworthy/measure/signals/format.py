"""Format: outputs that don't parse, break the schema, or have other keys than most."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from tuneworthy.measure.signals.base import (
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    clusters_of,
    happened,
    pictures,
    rate,
    readable_amount,
    text_number,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Message, Scalar, ToolCall
from tuneworthy.stats.clustered import share
from tuneworthy.text.json import UNREAD, looking, read_json, read_rows, validator
from tuneworthy.text.search import joined

#: A prompt version with fewer outputs than this has no usual keys of its own.
ENOUGH_OUTPUTS = 20

REQUIRED_FROM = 0.95
"""A key counts as required if at least this share of a tool's calls have it."""

TYPE_FROM = 2 / 3
"""A type counts as a key's type if at least this share of its values have it. Two types of similar
frequency are both intended; a rare one is an error."""

ENOUGH_CALLS = 20
"""With fewer calls, nothing is inferred about a tool: its arguments only have to be an object."""

_FACTOR = "inconsistent_format"
_OPENS = frozenset(
    "[{`"
)  # what is read as JSON begins with one of these, or is no structure
_DEEPEST = 5
_MOST_ITEMS = 5
_MOST_KEYS = 400
_KINDS = {type(None): "0", bool: "b", str: "s", dict: "{", list: "["}


class FormatSignal(TraceSignal):
    """Outputs of the right form, and tool calls with the right arguments.

    ``invalid_output_share`` is the share of outputs that can't be read as JSON, whole or as one
    fenced block; or break the schema, where one is given; or, where none is, differ from the keys
    that most outputs of the same prompt version have: nested keys, with types at the top.
    ``invalid_tool_call_share`` is that of tool calls whose arguments are wrong in form, on the
    sample: no JSON object; or lacking a key at least 95% of the tool's calls have, or with a value
    of another type than at least two thirds of that key's values. A null fits any type and an empty
    list any list.
    ``refused_tool_call_share`` is that of calls, among those whose conversation goes on with what
    the tool said, to which it said an error. Unit: a share; intervals have conversations as
    clusters.

    It can't see whether well-formed values are right, nor whether the right tool was called; nor,
    without a schema, which keys may be missing: an optional key of an output counts as a difference
    there, and a key missing in more than one call in twenty is taken for optional. Refusals, errors
    and outputs that only call a tool are counted apart. Without a schema, versions of which under
    half of the outputs look like JSON are taken for prose and left out.
    """

    id = "format"

    def __init__(self, materials: Materials) -> None:
        self._valid, self._broken = validator(materials.output_schema)

    def rows(self, batch: Batch) -> Numbers:
        """How each output reads.

        ``refused``, ``structured`` (looks like JSON), ``unread``, ``fenced`` and ``invalid``
        (against the schema) are shares; ``shape`` numbers the keys; ``failed`` is an error;
        ``calls`` and ``calls_unread`` count tool calls.
        """
        texts = joined(batch.output)
        failed = happened(batch.column("error"))
        made = [[*map(_arguments, each or ())] for each in batch.column("tool_calls")]
        calls, lost = (
            np.fromiter(each, np.float64, len(batch))
            for each in (map(len, made), (each.count(None) for each in made))
        )
        answered = texts.there & ~failed & ((calls == 0) | (texts.lengths > 0))
        structured, fenced, invalid, shape = self._values(batch.output)
        read = ~np.isnan(structured)
        declines = answered & ~read & refused(batch.output)
        columns = {
            "structured": np.where(read, structured, looking(batch.output)),
            "unread": ~read,
            "fenced": np.where(read, fenced, 0.0),
            "invalid": invalid,
            "shape": shape,
        }
        checked = answered & ~declines
        return {
            "refused": np.where(answered, declines, np.nan),
            **{
                name: np.where(checked, column, np.nan)
                for name, column in columns.items()
            },
            "failed": failed.astype(np.float64),
            "calls": calls,
            "calls_unread": lost,
        }

    def _values(self, texts: Sequence[str | None]) -> Floats:
        """Whether each text has a structure, a fence, a fault; and its shape, NaN without JSON.

        Without a schema, plain numbers and words are prose.
        """
        valid = self._valid
        values = np.full((4, len(texts)), np.nan)
        for row, value, fenced in read_rows(texts):
            structured = type(value) in (dict, list)
            if valid or structured or (texts[row] or "").lstrip()[:1] in _OPENS:
                invalid = not valid(value) if valid else math.nan
                values[:, row] = structured, fenced, invalid, number_of(shape_of(value))
        return values

    def finish(self, table: TraceTable) -> Findings:
        """The shares of invalid outputs and calls, and a table of the prompt versions."""
        known = {} if self._valid else _shapes(table)
        versions = list(self._versions(table, known))
        calls = _tool_calls(table), _refused_calls(table)
        evidence = (self._outputs(table, versions, known), *calls)
        rows = []
        for each in sorted(versions, key=lambda each: -len(each.rows))[:50]:
            shapes = table.numbers["shape"][each.rows]
            unread = np.isnan(shapes)
            rows.append(
                (
                    readable_amount(each.name, 200) or "others",
                    len(each.rows),
                    1 - rate(unread),
                    1 - rate(unread | each.wrong),
                    rate(shapes == each.usual),
                    len(np.unique(shapes[~unread])),
                )
            )
        names = "prompt outputs read_share right_share usual_keys_share different_keys"
        return Findings(evidence, pictures("signatures", names, rows))

    def _versions(
        self, table: TraceTable, known: Mapping[float, Shape]
    ) -> Iterator[_VersionOutputs]:
        """Prompt versions with structured outputs, in the order of the table."""
        numbers = table.numbers
        checked = np.flatnonzero(numbers["refused"] == 0)
        codes = table.prompt[checked]
        sizes = np.bincount(codes + 1, minlength=len(table.prompts) + 1)
        # prompts with few outputs are taken together
        codes = np.where(sizes[codes + 1] >= ENOUGH_OUTPUTS, codes, -1)
        for code in np.unique(codes).tolist():
            rows = checked[codes == code]
            if not (self._valid or rate(numbers["structured"][rows]) >= 0.5):
                continue
            shapes = numbers["shape"][rows]
            each, counts = np.unique(shapes[~np.isnan(shapes)], return_counts=True)
            usual = float(each[np.argmax(counts)]) if len(each) else math.nan
            if self._valid:
                wrong = numbers["invalid"][rows] == 1
            else:
                # outputs of several small prompts may rightly have several shapes
                lone = code >= 0 or not (table.prompt[rows] >= 0).any()
                wrong = _unlike(shapes, usual, known, lone=lone)
            yield _VersionOutputs(
                table.prompts[code] if code >= 0 else "", rows, wrong, usual
            )

    def _outputs(
        self,
        table: TraceTable,
        versions: Sequence[_VersionOutputs],
        known: Mapping[float, Shape],
    ) -> Evidence:
        """The share of outputs that aren't JSON, or that break the schema or the usual keys."""
        numbers = table.numbers
        estimate = None
        prose = int(np.sum(numbers["refused"] == 0))
        details: dict[str, Scalar] = {
            "refusals": int(np.sum(numbers["refused"] == 1)),
            "errors": int(np.sum(numbers["failed"] == 1)),
            "left_out_as_prose": prose,
        }
        seen = Counter[str]()
        if versions and not self._broken:
            rows = np.concatenate([each.rows for each in versions])
            unread = numbers["unread"][rows] == 1
            wrong = np.concatenate([each.wrong for each in versions])
            estimate = share(unread | wrong, table.conversation[rows])
            details |= {
                "left_out_as_prose": prose - len(rows),
                "unread_share": rate(unread),
                "fenced_share": rate(numbers["fenced"][rows] == 1),
                "against_schema_share" if self._valid else "other_keys_share": rate(
                    wrong
                ),
                "prompt_versions": len(versions),
            }
            for each in versions if not self._valid else ():
                shapes = numbers["shape"][each.rows[each.wrong]]
                for number, n in zip(
                    *np.unique(shapes, return_counts=True), strict=True
                ):
                    if number in known and each.usual in known:
                        for difference in differences(known[number], known[each.usual]):
                            seen[difference] += int(n)
        held = "the schema" if self._valid else "the usual keys of its prompt version"
        return Measure(
            "invalid_output_share", "share of outputs", _FACTOR
        ).make_evidence(
            table,
            estimate,
            self._broken
            or "name data.output_schema: under half of the outputs look like"
            " JSON, so nothing says which form is right",
            method=f"read as JSON and checked against {held}; interval by conversation",
            details=details,
            examples=_most_common(seen),
        )


class _VersionOutputs(NamedTuple):
    """Outputs of one prompt version that should be structured."""

    name: str
    rows: Ints
    wrong: Flags  #: Read, and yet against the schema or unlike the usual keys.
    usual: float
    """The number of the most frequent shape, the smaller of two equally frequent ones; NaN without
    any."""


def _most_common(counts: Counter[str]) -> list[str]:
    return [f"{fault} ({n})" for fault, n in counts.most_common(5)]


def _shapes(table: TraceTable) -> dict[float, Shape]:
    """The shapes of the sample's JSON outputs, by the numbers that stand for them."""
    shapes: dict[float, Shape] = {}
    for text in table.sample.output:
        if text and text.lstrip()[:1] in _OPENS:
            value, _ = read_json(text)
            if value is not UNREAD:
                shape = shape_of(value)
                shapes[number_of(shape)] = shape
    return shapes


def _unlike(
    shapes: Floats, usual: float, known: Mapping[float, Shape], *, lone: bool
) -> Flags:
    """Which shapes differ from the usual one.

    Versions with few outputs are joined, with ``lone=False``. Where under half of these share a
    shape, they have several forms, and none of them is wrong.
    """
    read = ~np.isnan(shapes)
    if not lone and rate(shapes[read] == usual) < 0.5:
        return np.zeros(len(shapes), dtype=bool)
    alike = [usual]
    if (pattern := known.get(usual)) is not None:
        different = np.unique(shapes[read]).tolist()
        alike += [
            each for each in different if each in known and fits(known[each], pattern)
        ]
    return read & ~np.isin(shapes, alike)


# Tool calls: arguments that are an object, with the keys and types their tool takes.


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    """The arguments of a tool call; None where they aren't a JSON object."""
    value, fenced = read_json(call.arguments)
    return value if isinstance(value, dict) and not fenced else None


class LoggedCall(NamedTuple):
    """A tool call of the sample."""

    talk: int  #: The number of its conversation.
    tool: str
    arguments: dict[str, Any] | None  #: None where they are no JSON object.


def _logged_calls(table: TraceTable) -> list[LoggedCall]:
    sample = table.sample
    talks = clusters_of(sample.column("conversation")).tolist()
    logged: list[LoggedCall] = []
    for talk, calls in zip(talks, sample.column("tool_calls"), strict=True):
        logged += [LoggedCall(talk, c.name, _arguments(c)) for c in calls or ()]
    return logged


def _usages(calls: Sequence[LoggedCall]) -> dict[str, ToolUsage]:
    """The usual keys and types of each tool with enough calls."""
    by_tool: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        if call.arguments is not None:
            by_tool[call.tool].append(call.arguments)
    return {
        tool: _usage(arguments)
        for tool, arguments in by_tool.items()
        if len(arguments) >= ENOUGH_CALLS
    }


def _tool_calls(table: TraceTable) -> Evidence:
    """The share of tool calls with arguments of a wrong form, on the sample.

    Arguments that aren't an object are counted over all traces, too.
    """
    calls = _logged_calls(table)
    usages = _usages(calls)
    faults = [_fault(call, usages.get(call.tool, _ANY)) for call in calls]
    total = float(table.numbers["calls"].sum())
    details: dict[str, Scalar] = {
        "tool_calls": int(total),
        "tools": len({call.tool for call in calls}),
    }
    if total:
        details["unread_share"] = float(table.numbers["calls_unread"].sum()) / total
        details["tools_inferred"] = len(usages)
    wrong = None
    if calls:
        wrong = share([fault != "" for fault in faults], [call.talk for call in calls])
    measure = Measure("invalid_tool_call_share", "share of tool calls", _FACTOR)
    return measure.make_evidence(
        table,
        wrong,
        "log tool calls with their arguments (field tool_calls)",
        method="arguments read as a JSON object and checked against the keys that 95% of the tool's"
        " calls have and the types that two thirds have; interval by conversation",
        sample=table.extent(),
        details=details,
        examples=_most_common(Counter(filter(None, faults))),
    )


_ERROR = re.compile(
    r"""(?ix)\W{0,4}(?:(?:traceback\b|[a-z_.]*(?:error|exception)(?=\s*:)
    |(?:errors?(?:_?(?:message|code|msg))?|failed|failure|unauthori[sz]ed|exception|forbidden)
    (?=\W*$|\s*[:.(,"'!\]]|\s+[-–—\d]
    |\s+(?:to|in|at|code|calling|executing|running|while|when|occurred|processing)\b))
    (?!["']?\s*:\s*(?:null|none|false|""|\[\]|\{\}|0\b))|is_?error["']?\s*:\s*true
    |(?:success|ok)["']?\s*:\s*false|status["']?\s*:\s*["']?(?:error|fail(?:ed|ure)?)\b)"""
)
"""The beginning of a tool's result that refuses a call, and isn't just a word of its subject."""


def _refused_calls(table: TraceTable) -> Evidence:
    """The share of tool calls that the tool refused, on the sample.

    The tool's results are between the calls and the next answer of the conversation.
    """
    sample = table.sample
    talks = clusters_of(sample.column("conversation")).tolist()
    rows = [
        *zip(talks, sample.column("tool_calls"), sample.column("messages"), strict=True)
    ]
    refusals = list[bool]()
    clusters = list[int]()
    tools = Counter[str]()
    # Backwards: what tools answered to a call stands in the messages of the trace after it.
    answers: dict[int, list[str]] = {}
    for talk, calls, turns in reversed(rows):
        for call, answer in zip(calls or (), answers.get(talk, ()), strict=False):
            is_refusal = _ERROR.match(answer) is not None
            refusals.append(is_refusal)
            clusters.append(talk)
            tools[call.name[:60]] += is_refusal
        answers[talk] = _newest_tool_answers(turns or ())
    measure = Measure("refused_tool_call_share", "share of tool calls")
    return measure.make_evidence(
        table,
        share(refusals, clusters),
        "log what tools answered (messages of role tool)",
        method="the tool's answer begins with an error; interval by conversation",
        sample=table.extent(),
        examples=_most_common(+tools),  # those with a refusal
    )


def _newest_tool_answers(turns: Sequence[Message]) -> list[str]:
    """The results of tools since the model's last turn, in order."""
    newest = takewhile(lambda turn: turn.role != "assistant", reversed(turns))
    answers = [turn.content for turn in newest if turn.role == "tool"]
    answers.reverse()
    return answers


class ToolUsage(NamedTuple):
    """The keys and types that calls of a tool have in common."""

    required: frozenset[str] = frozenset()  #: Keys that nearly all have.
    types: Mapping[str, str] = {}  #: The type of a key, where most agree on one.


_ANY = ToolUsage()


def _usage(calls: Sequence[dict[str, Any]]) -> ToolUsage:
    """The arguments that calls of a tool usually have, with their usual types."""
    keys = Counter(key for arguments in calls for key in arguments)
    required = frozenset(
        key for key, n in keys.items() if n >= REQUIRED_FROM * len(calls)
    )
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for arguments in calls:
        for key, value in arguments.items():
            if value is not None:
                kinds[key][kind_of(value)] += 1
    types = {}
    for key, counts in kinds.items():
        ((kind, n),) = counts.most_common(1)
        if n >= TYPE_FROM * counts.total() and counts.total() >= ENOUGH_CALLS:
            types[key] = kind
    return ToolUsage(required, types)


def _fault(call: LoggedCall, usage: ToolUsage) -> str:
    """The fault of a call, without any value of its arguments; "" for none."""
    tool = call.tool[:60]
    if call.arguments is None:
        return f"{tool}: the arguments are not a JSON object"
    lacking = usage.required - call.arguments.keys()
    if lacking:
        return f"{tool}: lacks {min(lacking)[:60]}"
    for key, value in call.arguments.items():
        if value is not None and usage.types.get(key, kind_of(value)) != kind_of(value):
            return f"{tool}: {key[:60]} is of another type"
    return ""


# The shape of a JSON value: which keys it has, and of which types those at the top are.

Shape = str | tuple[str, tuple[Any, ...]]
"""A leaf is one letter; an object is ``{`` with its keys and their shapes, sorted; a list is ``[``
with the different shapes of its items, sorted."""


def shape_of(value: Any, depth: int = 0) -> Shape:
    """The shape of a JSON value. Below the top, a leaf has no type.

    Only five items of a list, the first 400 keys of an object and five levels are read, so that no
    value takes long.
    """
    kind = type(value)
    if kind is dict and depth <= _DEEPEST:
        keys = sorted(value)[:_MOST_KEYS]
        return "{", tuple([(key, shape_of(value[key], depth + 1)) for key in keys])
    if kind is list and depth <= _DEEPEST:
        items = {shape_of(item, depth + 1) for item in value[:_MOST_ITEMS]}
        return "[", tuple(sorted(items, key=repr))
    if depth <= 1 or kind in (dict, list) or value is None:
        return kind_of(value)
    return "."


def kind_of(value: Any) -> str:
    return _KINDS.get(type(value), "n")


@lru_cache(maxsize=4096)
def number_of(shape: Shape) -> float:
    """A number for a shape, the same in every run and process."""
    return float(text_number(repr(shape)))


def fits(shape: Shape, other: Shape) -> bool:
    """Whether two shapes differ only in values that are null, or in lists that are empty."""
    if shape == other or "0" in (shape, other):
        return True
    if isinstance(shape, str) or isinstance(other, str) or shape[0] != other[0]:
        return False
    if shape[0] == "[":
        return all(any(fits(a, b) for b in other[1]) for a in shape[1]) or not other[1]
    mine = dict(shape[1])
    yours = dict(other[1])
    return mine.keys() == yours.keys() and all(
        fits(mine[key], yours[key]) for key in mine
    )


def differences(shape: Shape, usual: Shape) -> Iterator[str]:
    """The differences between a shape and the usual one, by the keys at its top."""
    if (
        isinstance(shape, str)
        or isinstance(usual, str)
        or shape[0] != usual[0]
        or shape[0] != "{"
    ):
        yield "is of another type"
        return
    mine: Mapping[str, Shape] = dict(shape[1])
    yours: Mapping[str, Shape] = dict(usual[1])
    yield from (f"lacks {key[:60]}" for key in yours if key not in mine)
    yield from (
        f"has {key[:60]}, which others lack" for key in mine if key not in yours
    )
    for key in mine:
        if key in yours and not fits(mine[key], yours[key]):
            yield f"has another type or other keys in {key[:60]}"
