"""A mapping for records of nobody's format, guessed by the usual names of fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tuneworthy.traces.mapping import FieldMap, RecordChunk, mapping_from_text
from tuneworthy.traces.rows import FIELDS
from tuneworthy.traces.values import number

_NAMES: Mapping[str, str] = {
    "output": "output response completion answer reply generation generatedtext prediction "
    "actualoutput modeloutput modelresponse llmoutput llmresponse botresponse assistant result",
    "messages": "messages",
    "input": "input prompt question query user usermessage userinput userquery instruction request",
    "system": "system systemprompt",
    "tool_calls": "toolcalls",
    "conversation_id": "conversationid sessionid threadid chatid dialogid session",
    "timestamp": "timestamp ts time createdat created starttime datetime date requesttime",
    "model": "model modelid modelname engine deployment",
    "reference": "reference expected groundtruth expectedoutput expectedanswer ideal gold",
    "contexts": "contexts passages retrievedcontexts retrievalcontext documents",
    "latency_s": "latency duration elapsed responsetime took",
    "time_to_first_token_s": "timetofirsttoken ttft firsttokenlatency",
    "input_tokens": "inputtokens prompttokens contexttokens tokensin",
    "output_tokens": "outputtokens completiontokens generatedtokens tokensout",
    "cached_tokens": "cachedtokens cachedinputtokens",
    "usd": "usd cost costusd totalcost totalcostusd",
    "score": "score rating thumbs reward feedbackscore",
    "label": "label",
    "error": "error errormessage exception",
}  #: Usual names in small letters and without signs, the likelier before the others.
_TIMES = ("latency_s", "time_to_first_token_s")
_UNIT = re.compile(r"(.+?)(?:in)?(ms|millis(?:econds)?|msec|us|ns|s|sec|secs|seconds)")
_LONG_S = 120  #: A usual time beyond this is none of seconds: gateways mostly log milliseconds.
_SAYING = frozenset({"output", "messages", "tool_calls"})
_VAGUE = frozenset({"model", "label", "score", "error", "timestamp", "conversation_id"})


def guess(records: Sequence[Mapping[str, Any]], *, table: bool = False) -> FieldMap | None:
    """A mapping by the names of fields and of those one level below; None where none is likely.

    Records without what was answered are taken for traffic only from a ``table``.
    """
    chunk = RecordChunk([*records])
    paths = {name: _plain(name.rpartition(".")[2]) for name in _keys(records)}
    taken: dict[str, str] = {}
    for field, usual in _NAMES.items():
        known = [path for path in paths if path == field] or [
            path
            for name in usual.split()
            for path, plain in paths.items()
            if name in {plain, _bare(plain) if field in _TIMES else plain}
        ]
        if known and known[0] not in taken.values():
            taken[field] = known[0]
    taken |= {name: name for name in paths if name in FIELDS and name not in taken}
    if not taken.keys() - _VAGUE if table else _SAYING.isdisjoint(taken):
        return None
    lines = {field: _line(field, path, chunk) for field, path in taken.items()}
    made = mapping_from_text("".join(lines.values()), "a guessed mapping")
    answers = [made.picks[field].of(chunk) or () for field in _SAYING & made.picks.keys()]
    said = max((len(column) - list(column).count(None) for column in answers), default=0)
    return made if table or said * 2 >= len(records) else None


def _keys(records: Sequence[Mapping[str, Any]]) -> dict[str, None]:
    """Names of fields, those at the top before those one level below."""
    top = {key: None for record in records for key in record}
    below = {
        f"{key}.{inner}": None
        for record in records
        for key, held in record.items()
        if isinstance(held, dict)
        for inner in held
    }
    return {key: None for key in (top | below) if re.fullmatch(r"[\w. -]+", key) and key.strip()}


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _bare(plain: str) -> str:
    found = _UNIT.fullmatch(plain)
    return found[1] if found else plain


def _line(field: str, path: str, chunk: RecordChunk) -> str:
    """A line of the mapping, with the unit of a time that isn't in seconds."""
    if field not in _TIMES or path == field:
        return f"{field}: {path}\n"
    found = _UNIT.fullmatch(_plain(path.rpartition(".")[2]))
    unit = {"m": "ms", "u": "us", "n": "ns"}.get(found[2][0], "s") if found else None
    if unit is None:
        known = [n for v in chunk.values(tuple(path.split("."))) or () if (n := number(v))]
        unit = "ms" if known and median(known) > _LONG_S else "s"
    return f"{field}: {path}\n" if unit == "s" else f"{field}: {{path: {path}, unit: {unit}}}\n"
