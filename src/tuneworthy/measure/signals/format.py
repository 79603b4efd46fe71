"""Format: outputs that don't parse, break the schema, or have other keys than most."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
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
from tuneworthy.model.evidence import (
    Batch,
    Evidence,
    Message,
    Scalar,
    Series,
    ToolCall,
)
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
_OPENS = frozenset("[{`")  #: JSON that begins otherwise is no structure.
_DEEPEST = 5  #: Levels, items of a list and keys of an object that a shape shows.
_MOST_ITEMS = 5
_MOST_KEYS = 400
_KINDS = {type(None): "0", bool: "b", str: "s", dict: "{", list: "["}
_MOST_VERSIONS = 50  #: Prompt versions in the picture, those with the most outputs.
_SHOWN = 60  #: Characters of a key or a tool's name in an example.
_INVALID = Measure("invalid_output_share", "share of outputs", _FACTOR)


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
        calls, calls_unread = _call_counts(batch)
        # Beside a call of a tool, an output may be empty.
        answered = texts.there & ~failed & ((calls == 0) | (texts.lengths > 0))
        structured, fenced, invalid, shape = self._values(batch.output)
        read = ~np.isnan(structured)
        declines = answered & ~read & refused(batch.output)
        # Only answers that don't refuse are judged by their form.
        checked = answered & ~declines
        looks = np.where(read, structured, looking(batch.output))
        return {
            "refused": np.where(answered, declines, np.nan),
            "structured": np.where(checked, looks, np.nan),
            "unread": np.where(checked, ~read, np.nan),
            "fenced": np.where(checked, np.where(read, fenced, 0.0), np.nan),
            "invalid": np.where(checked, invalid, np.nan),
            "shape": np.where(checked, shape, np.nan),
            "failed": failed.astype(np.float64),
            "calls": calls,
            "calls_unread": calls_unread,
        }

    def _values(self, texts: Sequence[str | None]) -> Floats:
        """Four values of each text: has it a structure, a fence, a fault; and the number of its shape.

        NaN where a text isn't JSON. Without a schema, plain numbers and words are prose.
        """
        valid = self._valid
        values = np.full((4, len(texts)), np.nan)
        for row, value, fenced in read_rows(texts):
            structured = type(value) in (dict, list)
            opens = (texts[row] or "").lstrip()[:1] in _OPENS
            if not (valid or structured or opens):
                continue
            fault = not valid(value) if valid else math.nan
            values[:, row] = structured, fenced, fault, number_of(shape_of(value))
        return values

    def finish(self, table: TraceTable) -> Findings:
        """The shares of invalid outputs and calls, and a table of the prompt versions."""
        known = {} if self._valid else _shapes(table)
        versions = list(self._versions(table, known))
        evidence = (
            self._outputs(table, versions, known),
            _tool_calls(table),
            _refused_calls(table),
        )
        return Findings(evidence, _picture(table.numbers["shape"], versions))

    def _versions(
        self, table: TraceTable, known: Mapping[float, Shape]
    ) -> Iterator[_VersionOutputs]:
        """Prompt versions with structured outputs, in the order of the table.

        ``known`` are shapes by their number.
        """
        numbers = table.numbers
        checked = np.flatnonzero(numbers["refused"] == 0)
        codes = table.prompt[checked]
        sizes = np.bincount(codes + 1, minlength=len(table.prompts) + 1)
        # prompts with few outputs are taken together
        codes = np.where(sizes[codes + 1] >= ENOUGH_OUTPUTS, codes, -1)
        for code in np.unique(codes).tolist():
            rows = checked[codes == code]
            is_prose = rate(numbers["structured"][rows]) < 0.5
            if is_prose and not self._valid:
                continue
            shapes = numbers["shape"][rows]
            usual = _most_frequent(shapes)
            if self._valid:
                wrong = numbers["invalid"][rows] == 1
            else:
                # outputs of several small prompts may rightly have several shapes
                lone = code >= 0 or not (table.prompt[rows] >= 0).any()
                wrong = _unlike(shapes, usual, known, lone=lone)
            name = table.prompts[code] if code >= 0 else ""
            yield _VersionOutputs(name, rows, wrong, usual)

    def _outputs(
        self,
        table: TraceTable,
        versions: Sequence[_VersionOutputs],
        known: Mapping[float, Shape],
    ) -> Evidence:
        """The share of outputs that aren't JSON, or that break the schema or the usual keys."""
        numbers = table.numbers
        checked = int(np.sum(numbers["refused"] == 0))
        details: dict[str, Scalar] = {
            "refusals": int(np.sum(numbers["refused"] == 1)),
            "errors": int(np.sum(numbers["failed"] == 1)),
            "left_out_as_prose": checked,
        }
        estimate = None
        faults = Counter[str]()
        if versions and not self._broken:
            rows = np.concatenate([each.rows for each in versions])
            wrong = np.concatenate([each.wrong for each in versions])
            unread = numbers["unread"][rows] == 1
            estimate = share(unread | wrong, table.conversation[rows])
            details["left_out_as_prose"] = checked - len(rows)
            details["unread_share"] = rate(unread)
            details["fenced_share"] = rate(numbers["fenced"][rows] == 1)
            wrong_name = "against_schema_share" if self._valid else "other_keys_share"
            details[wrong_name] = rate(wrong)
            details["prompt_versions"] = len(versions)
            if not self._valid:
                faults = _counted_differences(numbers["shape"], versions, known)
        norm = "the schema" if self._valid else "the usual keys of its prompt version"
        ask = (
            "name data.output_schema: under half of the outputs look like JSON, so nothing says "
            "which form is right"
        )
        return _INVALID.make_evidence(
            table,
            estimate,
            self._broken or ask,
            method=f"read as JSON and checked against {norm}; interval by conversation",
            details=details,
            examples=_most_common(faults),
        )


class _VersionOutputs(NamedTuple):
    """Outputs of one prompt version that should be structured."""

    name: str
    rows: Ints
    wrong: Flags  #: Read, and yet against the schema or unlike the usual keys.
    usual: float
    """The number of the most frequent shape, the smaller of two equally frequent ones; NaN without
    any."""


def _call_counts(batch: Batch) -> tuple[Floats, Floats]:
    """The tool calls of each trace, and those whose arguments aren't a JSON object."""
    calls = np.zeros(len(batch))
    unread = np.zeros(len(batch))
    for row, made in enumerate(batch.column("tool_calls")):
        for call in made or ():
            calls[row] += 1
            if _arguments(call) is None:
                unread[row] += 1
    return calls, unread


def _most_frequent(shapes: Floats) -> float:
    """The most frequent number, the smallest of equally frequent ones; NaN where all are NaN."""
    different, counts = np.unique(shapes[~np.isnan(shapes)], return_counts=True)
    return float(different[np.argmax(counts)]) if len(different) else math.nan


def _picture(shapes: Floats, versions: Sequence[_VersionOutputs]) -> tuple[Series, ...]:
    """A row for each of the largest prompt versions; ``shapes`` are those of all traces."""
    rows = []
    for version in sorted(versions, key=lambda each: -len(each.rows))[:_MOST_VERSIONS]:
        own = shapes[version.rows]
        unread = np.isnan(own)
        rows.append(
            (
                readable_amount(version.name, 200) or "others",
                len(version.rows),
                1 - rate(unread),
                1 - rate(unread | version.wrong),
                rate(own == version.usual),
                len(np.unique(own[~unread])),
            )
        )
    names = "prompt outputs read_share right_share usual_keys_share different_keys"
    return pictures("signatures", names, rows)


def _counted_differences(
    shapes: Floats, versions: Sequence[_VersionOutputs], known: Mapping[float, Shape]
) -> Counter[str]:
    """How often wrong outputs differ from the usual keys in which way, where both are known."""
    faults = Counter[str]()
    for version in versions:
        usual = known.get(version.usual)
        if usual is None:
            continue
        wrong = shapes[version.rows[version.wrong]]
        different, counts = np.unique(wrong, return_counts=True)
        for number, n in zip(different.tolist(), counts.tolist(), strict=True):
            if number in known:
                for difference in differences(known[number], usual):
                    faults[difference] += n
    return faults


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
    fitting = [usual]
    pattern = known.get(usual)
    if pattern is not None:
        different = np.unique(shapes[read]).tolist()
        fitting += [
            number
            for number in different
            if number in known and fits(known[number], pattern)
        ]
    return read & ~np.isin(shapes, fitting)


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
    """All tool calls of the sample, in order."""
    sample = table.sample
    talks = clusters_of(sample.column("conversation")).tolist()
    logged: list[LoggedCall] = []
    for talk, calls in zip(talks, sample.column("tool_calls"), strict=True):
        logged += [
            LoggedCall(talk, call.name, _arguments(call)) for call in calls or ()
        ]
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
        examples=_most_common(Counter(fault for fault in faults if fault)),
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
    columns = (talks, sample.column("tool_calls"), sample.column("messages"))
    rows = list(zip(*columns, strict=True))
    refusals: list[bool] = []
    clusters: list[int] = []
    tools = Counter[str]()
    # Backwards: what tools answered to a call stands in the messages of the trace after it.
    answers: dict[int, list[str]] = {}
    for talk, calls, turns in reversed(rows):
        # A call without an answer isn't judged.
        for call, answer in zip(calls or (), answers.get(talk, ()), strict=False):
            is_refusal = _ERROR.match(answer) is not None
            refusals.append(is_refusal)
            clusters.append(talk)
            if is_refusal:
                tools[call.name[:_SHOWN]] += 1
        answers[talk] = _newest_tool_answers(turns or ())
    measure = Measure("refused_tool_call_share", "share of tool calls")
    return measure.make_evidence(
        table,
        share(refusals, clusters),
        "log what tools answered (messages of role tool)",
        method="the tool's answer begins with an error; interval by conversation",
        sample=table.extent(),
        examples=_most_common(tools),
    )


def _newest_tool_answers(turns: Sequence[Message]) -> list[str]:
    """The results of tools since the model's last turn, in order."""
    answers = []
    for turn in reversed(turns):
        if turn.role == "assistant":
            break
        if turn.role == "tool":
            answers.append(turn.content)
    answers.reverse()
    return answers


class ToolUsage(NamedTuple):
    """The keys and types that calls of a tool have in common."""

    required: frozenset[str] = frozenset()  #: Keys that nearly all have.
    types: Mapping[str, str] = {}  #: The type of a key, where most agree on one.


_ANY = ToolUsage()


def _usage(calls: Sequence[dict[str, Any]]) -> ToolUsage:
    """The keys that nearly all calls of one tool have, and the types that their values usually have.

    Each call is its arguments. A null fits any type, so it counts for none.
    """
    keys = Counter[str]()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for arguments in calls:
        for key, value in arguments.items():
            keys[key] += 1
            if value is not None:
                kinds[key][kind_of(value)] += 1
    least = REQUIRED_FROM * len(calls)
    types = {}
    for key, counts in kinds.items():
        values = counts.total()
        ((kind, n),) = counts.most_common(1)
        if values >= ENOUGH_CALLS and n >= TYPE_FROM * values:
            types[key] = kind
    return ToolUsage(frozenset(key for key, n in keys.items() if n >= least), types)


def _fault(call: LoggedCall, usage: ToolUsage) -> str:
    """The fault of a call, without any value of its arguments; "" for none."""
    tool = call.tool[:_SHOWN]
    if call.arguments is None:
        return f"{tool}: the arguments are not a JSON object"
    lacking = usage.required - call.arguments.keys()
    if lacking:
        # The first by name, so that the same log always gives the same examples.
        return f"{tool}: lacks {min(lacking)[:_SHOWN]}"
    for key, value in call.arguments.items():
        if value is None or key not in usage.types:
            continue
        if usage.types[key] != kind_of(value):
            return f"{tool}: {key[:_SHOWN]} is of another type"
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
    # ``type`` and not ``isinstance``: this runs for every value of every output.
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
    if isinstance(shape, str) or isinstance(other, str):
        return False
    kind, inner = shape
    other_kind, other_inner = other
    if kind != other_kind:
        return False
    if kind == "[":
        # Each item has to fit one of the others; an empty list fits any, on either side.
        return not other_inner or all(
            any(fits(item, each) for each in other_inner) for item in inner
        )
    mine = dict(inner)
    others = dict(other_inner)
    return mine.keys() == others.keys() and all(
        fits(mine[key], others[key]) for key in mine
    )


def differences(shape: Shape, usual: Shape) -> Iterator[str]:
    """The differences between a shape and the usual one, by the keys at its top."""
    mine = _keys(shape)
    others = _keys(usual)
    if mine is None or others is None:
        yield "is of another type"
        return
    for key in others:
        if key not in mine:
            yield f"lacks {key[:_SHOWN]}"
    for key in mine:
        if key not in others:
            yield f"has {key[:_SHOWN]}, which others lack"
    for key in mine:
        if key in others and not fits(mine[key], others[key]):
            yield f"has another type or other keys in {key[:_SHOWN]}"


def _keys(shape: Shape) -> dict[str, Shape] | None:
    """The keys of an object with their shapes; None for another shape."""
    if isinstance(shape, str):
        return None
    kind, inner = shape
    return dict(inner) if kind == "{" else None
