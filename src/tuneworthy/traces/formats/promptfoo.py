"""Results of promptfoo: the file of an evaluation, of version 3 or of version 2 with its table.

Fields as its types have them. One row is one answer: a prompt and a provider on a test case.

* Right or wrong is ``success``, the team's own bar; a row without assertions was never judged, and
  one with an error (``failureReason`` 2) wasn't answered, so neither has a score.
* A row from promptfoo's cache has no time, price or count of tokens of its own: they are missing.
* The case is named by its variables, so that files of one test set can be compared; cases that
  share all variables are distinguished by their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tuneworthy.traces.fields import (
    NO_OUTPUT,
    BrokenJson,
    Bytes,
    Raws,
    ReadContext,
    Row,
    TraceFormat,
    as_mapping,
    decode,
    decode_object,
    dumped,
    mappings_in,
    name,
    number,
    score,
    text,
    turns,
    unpacked,
    when,
)

_LONGEST_LABEL = 80


def _fits(record: Mapping[str, Any]) -> bool:
    return "results" in record and any(
        key in record for key in ("evalId", "config", "stats", "table", "prompts")
    )


def _document(raw: Bytes, place: int | str, context: ReadContext) -> Iterator[Row]:
    top = decode(raw, Raws)
    if "results" not in top:
        context.tally.skip(NO_OUTPUT, place)
        return
    if bytes(memoryview(top["results"])[:1]) == b"{":
        top = decode(top["results"], Raws)
    clock = when(_opened(top.get("timestamp")))
    table = _opened(top.get("table"))
    found = _of_table(table) if isinstance(table, Mapping) else _of_results(top, context)
    cases = _Cases()
    for count, row in enumerate(found, start=1):
        context.tally.records += 1
        yield _row(row, cases, clock, count)


def _opened(raw: Any) -> Any:
    return None if raw is None else decode(raw, object)


def _of_results(top: Raws, context: ReadContext) -> Iterator[Mapping[str, Any]]:
    for count, raw in enumerate(_results(top), start=1):
        try:
            yield decode_object(raw)
        except BrokenJson as broken:
            context.tally.records += 1
            context.tally.skip(broken.why, f"result {count}")


def _results(top: Raws) -> list[msgspec.Raw]:
    return decode(top["results"], list[msgspec.Raw]) if "results" in top else []


def _of_table(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Cells of version 2's table, as rows of version 3."""
    heads = [*map(as_mapping, as_mapping(table.get("head")).get("prompts") or [])]
    for count, line in enumerate(mappings_in(table.get("body"))):
        for column, cell in enumerate(mappings_in(line.get("outputs"))):
            prompt = heads[column] if column < len(heads) else {}
            yield {
                **cell,
                "promptIdx": column,
                "testIdx": line.get("testIdx", count),
                "testCase": cell.get("testCase") or line.get("test"),
                "provider": cell.get("provider") or prompt.get("provider"),
                "prompt": {"raw": cell.get("prompt"), "label": _label(prompt)},
                "success": cell.get("pass"),
                "response": {"output": cell.get("text"), **as_mapping(cell.get("response"))},
            }


def _row(row: Mapping[str, Any], cases: _Cases, clock: float | None, number: int) -> Row:
    response, prompt = as_mapping(row.get("response")), as_mapping(row.get("prompt"))
    failed = row.get("failureReason") == 2
    case = cases.name(row, number)
    made: Row = {
        "case": case,
        "conversation": case,
        "timestamp": clock,
        "model": _provider(row.get("provider")),
        "prompt": _prompt(row, prompt),
        "output": text(response.get("output")),
        "error": text(row.get("error") or response.get("error") or "error") if failed else None,
        "reference": _reference(as_mapping(row.get("testCase"))),
    }
    made |= _asked(prompt.get("raw")) | _numbers(row, response)
    if not failed and _was_judged(row):
        passed = row.get("success")
        made["score"] = float(passed) if isinstance(passed, bool) else score(row.get("score"))
        made["label"] = ("pass" if passed else "fail") if isinstance(passed, bool) else None
    return made


def _was_judged(row: Mapping[str, Any]) -> bool:
    """Whether any assertion was made; without one promptfoo says that all is well."""
    grading = row.get("gradingResult")
    if not isinstance(grading, Mapping):
        return bool(as_mapping(row.get("testCase")).get("assert"))
    return grading.get("reason") != "No assertions"


def _numbers(row: Mapping[str, Any], response: Mapping[str, Any]) -> Row:
    if response.get("cached") is True:
        return {}
    usage = as_mapping(row.get("tokenUsage")) or as_mapping(response.get("tokenUsage"))
    latency = number(row.get("latencyMs"))
    cost = row.get("cost") if row.get("cost") is not None else response.get("cost")
    return {
        "latency_s": latency / 1000 if latency else None,  # 0 where nothing was called
        "usd": number(cost) or None,  # 0 where the provider's price isn't known to promptfoo
        "input_tokens": number(usage.get("prompt")) or None,
        "output_tokens": number(usage.get("completion")),
    }


def _provider(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("label") or value.get("id")
    return name(value)


def _label(prompt: Mapping[str, Any]) -> Any:
    return prompt.get("label") or prompt.get("display") or prompt.get("raw")


def _prompt(row: Mapping[str, Any], prompt: Mapping[str, Any]) -> str | None:
    """A name for the prompt: its label if that is short, or its beginning with its number."""
    number, label = row.get("promptIdx"), text(_label(prompt))
    label = " ".join((label or "").split())
    if not label:
        return f"prompt {number + 1}" if isinstance(number, int) else None
    if len(label) <= _LONGEST_LABEL:
        return label
    mark = f"prompt {number + 1}: " if isinstance(number, int) else ""
    return f"{mark}{label[:_LONGEST_LABEL]}…"


def _asked(raw: Any) -> Row:
    """System prompt and question of a rendered prompt, which may be messages written as JSON."""
    given = unpacked(raw)
    spoken = turns(given) if isinstance(given, list) else []
    if not spoken:
        return {"input": text(raw)}
    return {
        "system": next((turn.content for turn in spoken if turn.role == "system"), None),
        "input": next((t.content for t in reversed(spoken) if t.role == "user"), None),
    }


def _reference(case: Mapping[str, Any]) -> str | None:
    """The wanted answer, where a test compares with one."""
    for check in mappings_in(case.get("assert")):
        if str(check.get("type")) in {"equals", "similar", "factuality"}:
            value = check.get("value")
            if isinstance(value, str):
                return value
    return None


class _Cases:
    def __init__(self) -> None:
        self._owner: dict[str, list[str]] = {}

    def name(self, row: Mapping[str, Any], number: int) -> str:
        """The case of a row; rows of one test share it."""
        test = as_mapping(row.get("testCase"))
        index = row.get("testIdx")
        variables = test.get("vars") or (row.get("vars") if index is None else None)
        mark = str(index) if index is not None else f"row {number}"
        if not variables:
            return f"test {mark}" if test or index is not None else mark
        digest = hashlib.sha256(dumped(variables).encode()).hexdigest()[:12]
        if index is None:
            return digest
        owners = self._owner.setdefault(digest, [])
        if mark not in owners:
            owners.append(mark)
        place = owners.index(mark)
        return digest if place == 0 else f"{digest}#{place + 1}"


PROMPTFOO = TraceFormat("promptfoo results", _fits, document=_document)
