"""Logs of Inspect: the JSON of a whole log, or the samples of an ``.eval`` archive.

Fields: ``eval{task, model, created}``, ``samples[]`` with ``id, epoch, input, target, messages,
output, scores, model_usage, total_time, error``. One sample is one trace. Epochs repeat a case, so
they share it, and its conversation.

* Of several scorers the first is taken; the reading says which. C is 1, I and N are 0, P is a half;
  NaN means unscored, and so does an error.
* A sample with one answer has the tokens and the time of that call. One with several has those of
  the whole sample, in which a grader that is the same model is counted too.
* ``input_tokens`` is with or without the cache, by version; the total tells which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tuneworthy.traces.fields import (
    NO_OUTPUT,
    BrokenJson,
    Bytes,
    ReadContext,
    Row,
    SpokenTurn,
    TraceFormat,
    as_mapping,
    decode,
    name,
    number,
    said,
    text,
    turns,
    when,
)

_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_ATTACHED = "attachment://"


class Header(msgspec.Struct):
    eval: dict[str, Any] = {}


class _Log(Header):
    samples: list[msgspec.Raw] | None = None


class _Sample(msgspec.Struct):
    """The fields of a sample that are used; its events are passed over."""

    id: Any = None
    input: Any = None
    target: Any = None
    messages: Any = None
    output: Any = None
    scores: Any = None
    score: Any = None
    model_usage: Any = None
    total_time: Any = None
    started_at: Any = None
    error: Any = None
    attachments: Any = None


def _fits(record: Mapping[str, Any]) -> bool:
    return "eval" in record and any(key in record for key in ("samples", "plan", "status"))


def _document(raw: Bytes, place: int | str, context: ReadContext) -> Iterator[Row]:
    del place  # samples have places of their own
    log = decode(raw, _Log)
    for count, sample in enumerate(log.samples or [], start=1):
        context.tally.records += 1
        try:
            yield from sample_rows(sample, log, f"sample {count}", context)
        except BrokenJson as broken:
            context.tally.skip(broken.why, f"sample {count}")


def sample_rows(raw: Bytes, log: Header, place: str, context: ReadContext) -> Iterator[Row]:
    """The trace of one sample.

    Raises:
        BrokenJson: If it isn't JSON.
    """
    sample = decode(raw, _Sample)
    spoken = _attached(turns(sample.messages), sample.attachments)
    output = as_mapping(sample.output)
    answer = _answer(output)
    if answer is None and not said(sample.error):
        context.tally.skip(NO_OUTPUT, place)
        return
    case = f"{log.eval.get('task') or context.file}:{name(sample.id) or place}"
    failed = said(sample.error)
    grade, label = (None, None) if failed else _grade(sample, context)
    yield {
        "case": case,
        "conversation": case,
        "timestamp": when(sample.started_at) or when(log.eval.get("created")),
        "model": name(log.eval.get("model")) or name(output.get("model")),
        "output": answer.content if answer else None,
        "tool_calls": (answer.calls or None) if answer else None,
        "system": next((turn.content for turn in spoken if turn.role == "system"), None),
        "input": _asked(sample, spoken),
        "reference": _target(sample.target),
        "error": failed,
        "score": grade,
        "label": label,
    } | _amounts(sample, output, spoken, log)


def _attached(spoken: list[SpokenTurn], attachments: Any) -> list[SpokenTurn]:
    """Turns whose text was stored apart, with their text."""
    stored = {
        f"{_ATTACHED}{key}": text
        for key, text in as_mapping(attachments).items()
        if isinstance(text, str)
    }
    return [turn._replace(content=stored.get(turn.content, turn.content)) for turn in spoken]


def _answer(output: Mapping[str, Any]) -> SpokenTurn | None:
    choices = output.get("choices")
    first = as_mapping(choices[0]) if isinstance(choices, list) and choices else {}
    return next(iter(turns(first.get("message"))), None)


def _asked(sample: _Sample, spoken: list[SpokenTurn]) -> str | None:
    if isinstance(sample.input, str):
        return sample.input
    asked = turns(sample.input) or spoken
    return next((turn.content for turn in reversed(asked) if turn.role == "user"), None)


def _target(target: Any) -> str | None:
    if isinstance(target, list):
        target = target[0] if target else None
    return text(target) or None


def _grade(sample: _Sample, context: ReadContext) -> tuple[float | None, str | None]:
    scores = sample.scores
    if not as_mapping(scores):
        scores = {"score": sample.score} if isinstance(sample.score, Mapping) else {}
    scorer = next(iter(scores), None)
    if scorer is None:
        return None, None
    context.note(f"scored by {scorer}")
    if len(scores) > 1:
        context.note("the first of several")
    value = scores[scorer]
    value = value.get("value") if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and value:
        key = next(iter(value))
        context.note(f"of its values the first, {key}")
        value = value[key]
    if isinstance(value, str) and value in _GRADES:
        return _GRADES[value], value
    return _number(value), value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value.casefold() in {"yes", "true", "no", "false"}:
        return float(value.casefold() in {"yes", "true"})
    return number(value)


def _amounts(
    sample: _Sample, output: Mapping[str, Any], spoken: list[SpokenTurn], log: Header
) -> Row:
    one = sum(turn.role == "assistant" for turn in spoken) <= 1
    usage, latency = output.get("usage"), number(output.get("time"))
    if not one:
        usages = as_mapping(sample.model_usage)
        usage, latency = usages.get(str(log.eval.get("model"))), None
    usage = as_mapping(usage)
    tokens = {key: number(usage.get(key)) for key in _TOKENS}
    read, written, total = (tokens[key] for key in _TOKENS[:3])
    cached = tokens["input_tokens_cache_read"]
    if read is not None and total is not None and written is not None and total >= written:
        read = max(read, total - written)
    elif read is not None:
        read += sum(tokens[key] or 0 for key in _TOKENS[3:])
    return {
        "latency_s": latency if latency is not None else number(sample.total_time),
        "input_tokens": read,
        "output_tokens": written,
        "cached_tokens": cached,
        "usd": number(usage.get("total_cost")),
    }


_TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
)

INSPECT = TraceFormat("Inspect log", _fits, document=_document)
