"""Logs of every maker give the same call: what was asked and answered, by whom, at what cost.

The files under fixtures/traces are written by hand from the fields that the makers document.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internals import COLUMNS, ToolCall, formats, read
from tuneworthy import InputError

FIXTURES = Path(__file__).parent / "fixtures" / "traces"
Row = dict[str, Any]

ASKED = {"system": "Be brief.", "input": "Where is my parcel?"}
ANSWERED = {"output": "On its way."}
TOKENS = {"input_tokens": 100, "output_tokens": 12}
CACHED = TOKENS | {"cached_tokens": 40}
TIMES = {"timestamp": 1793606400, "latency_s": 2.5}
FIRST = {"time_to_first_token_s": 0.4}
USD = {"usd": 0.003}
CALL = (ToolCall("track", '{"parcel": 7}'),)
RIGHT = {"score": 1}


def load(*names: str | Path) -> tuple[list[Row], Any]:
    files = read([FIXTURES / name for name in names])
    rows: list[Row] = []
    for chunk in files:
        for place in range(len(chunk.batch)):
            row = {name: chunk.batch.column(name)[place] for name in COLUMNS}
            rows.append({k: v for k, v in row.items() if v is not None and k != "messages"})
    return rows, files.readings


def session(name: str, model: str = "gpt-4o") -> Row:
    return {"conversation": name, "model": model}


WHOLE = "gpt-4o-2024-08-06"
"""The model of an answer, which is more exact than that of the request."""
LOGS: list[tuple[str, str, list[Row]]] = [
    ("openai.jsonl", "OpenAI API objects", [
        session("s1", WHOLE) | ASKED | ANSWERED | CACHED | {"timestamp": 1793606400},
        session("chatcmpl-2", WHOLE) | CACHED | {"tool_calls": CALL, "timestamp": 1793606400},
        session("resp_1", "gpt-5-mini") | ASKED | ANSWERED | CACHED | TIMES | {"latency_s": 2},
        session("resp_2", "gpt-5-mini") | CACHED | TIMES
        | {"latency_s": 2, "system": "Be brief.", "tool_calls": CALL},
    ]),
    ("anthropic.jsonl", "Anthropic messages", [
        session("msg_1", "claude-sonnet-4-5") | ANSWERED | CACHED,
        session("msg_2", "claude-sonnet-4-5") | CACHED
        | {"tool_calls": (ToolCall("track", '{"parcel":7}'),)},
        session("q1", "claude-sonnet-4-5") | ANSWERED | CACHED | {"case": "q1"},
        {"conversation": "q2", "case": "q2", "error": "too long"},
    ]),
    ("exchange.jsonl", "API requests with responses", [
        session("msg_1", "claude-sonnet-4-5") | ASKED | ANSWERED | CACHED | TIMES,
        session("chatcmpl-1", WHOLE) | ASKED | ANSWERED | CACHED | {"timestamp": 1793606460},
        {"model": "gemini-2.5-flash", "timestamp": 1793606520} | ASKED | ANSWERED | CACHED,
    ]),
    ("langfuse-v2.jsonl", "Langfuse observations", [
        session("t1") | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD | {"prompt": "support 7"},
        session("t2", "gpt-4o-mini") | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD
        | {"prompt": "support 8"},
    ]),
    ("openinference.jsonl", "OpenInference spans", [
        session("s1") | ASKED | ANSWERED | CACHED | TIMES,
        session("s2") | ASKED | TOKENS | TIMES | {"tool_calls": CALL, "error": "timed out"},
    ]),
    ("otel-events.jsonl", "OpenTelemetry GenAI", [
        session("0x1") | ASKED | ANSWERED | TOKENS | TIMES,
    ]),
    ("langsmith.jsonl", "LangSmith runs", [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES | FIRST | USD | RIGHT,
        session("s1") | ASKED | TOKENS | TIMES | FIRST | USD | {"tool_calls": CALL},
        session("s1") | ASKED | TOKENS | TIMES | FIRST | USD | {"error": "RateLimitError('429')"},
        session("s1") | ASKED | TOKENS | TIMES | FIRST | USD | {"tool_calls": CALL},
    ]),
    ("litellm.jsonl", "LiteLLM log", [
        session("t1") | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD,
        session("t1") | ASKED | TIMES | FIRST
        | {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 40, "usd": 0,
           "error": "Timeout"},
    ]),
    ("mlflow.jsonl", "MLflow traces", [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES | RIGHT
        | {"reference": "It is on its way."},
        session("s1", "small") | ANSWERED | TIMES | RIGHT
        | {"input": "Where is my parcel?", "reference": "It is on its way."},
    ]),
    ("braintrust.jsonl", "Braintrust logs", [
        session("s1") | ASKED | ANSWERED | CACHED | TIMES | FIRST
        | {"score": 0.6, "reference": "It is on its way."},
        session("s1") | ASKED | CACHED | TIMES | FIRST | {"tool_calls": CALL},
    ]),
    ("weave.jsonl", "Weave calls", [
        session("t1") | ASKED | ANSWERED | CACHED | TIMES | USD,
        session("t1", "claude-sonnet-4-5") | ASKED | ANSWERED | CACHED | TIMES,
        session("t1") | ASKED | TIMES | {"error": "APITimeoutError"},
    ]),
    ("helicone.jsonl", "Helicone requests", [
        session("s1", WHOLE) | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD | RIGHT,
        session("s1", WHOLE) | ASKED | TIMES | FIRST | USD
        | {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 40,
           "error": "Rate limit reached"},
    ]),
    ("claude_code.jsonl", "Claude Code sessions", [
        session("s1", "claude-sonnet-4-5") | CACHED | TIMES
        | {"turn": 0, "input": "Where is my parcel?", "output": "I look.",
           "tool_calls": (ToolCall("track", '{"parcel":7}'),)},
        session("s1", "claude-sonnet-4-5") | ANSWERED | CACHED
        | {"turn": 1, "input": "on its way", "output_tokens": 5, "timestamp": 1793606403,
           "latency_s": 1},
    ]),
    ("deepeval.json", "DeepEval results", [
        session("test_case_0") | ANSWERED | TOKENS | USD | RIGHT
        | {"input": "Where is my parcel?", "case": "test_case_0", "prompt": "short",
           "latency_s": 2.5, "reference": "It is on its way.",
           "contexts": ("Parcels leave at noon.",)},
        session("test_case_1")
        | {"input": "And mine?", "output": "No idea.", "case": "test_case_1", "prompt": "short",
           "score": 0},
    ]),
    ("evals.jsonl", "OpenAI Evals log", [
        session("parcels.dev.v0:parcels.dev.0") | ASKED | ANSWERED | TOKENS | RIGHT
        | {"case": "parcels.dev.v0:parcels.dev.0", "reference": "On its way.",
           "timestamp": 1793606400},
        session("parcels.dev.v0:parcels.dev.1") | ASKED
        | {"case": "parcels.dev.v0:parcels.dev.1", "output": "No idea.", "timestamp": 1793606400},
    ]),
    ("samples_parcels_2026-11-02T08-00-00.000000.jsonl", "lm-eval samples", [
        session("parcels:0", "traces") | ANSWERED | RIGHT
        | {"case": "parcels:0", "input": "Q: Where is my parcel?\nA:", "reference": "On its way."},
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form", "rows"), LOGS, ids=[name for name, _, _ in LOGS])
def test_a_log_gives_who_was_asked_what_and_what_it_cost(
    name: str, form: str, rows: list[Row]
) -> None:
    found, (reading,) = load(name)
    assert reading.format == form
    assert len(found) == len(rows)
    for row, wanted in zip(found, rows, strict=True):
        assert row.keys() == wanted.keys()
        for key, value in wanted.items():
            assert row[key] == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("log", "beside", "column", "values"),
    [
        ("langfuse-v2.jsonl", "langfuse-scores.jsonl", "score", [1, 0]),
        ("openinference.jsonl", "phoenix-annotations.jsonl", "label", ["good", None]),
        ("langsmith.jsonl", "langsmith-feedback.jsonl", "score", [1, 0, None, None]),
        ("openai_batch.jsonl", "openai_batch_requests.jsonl", "input", [ASKED["input"]] * 2),
    ],
)
def test_what_stands_beside_a_log_is_joined_to_it(
    log: str, beside: str, column: str, values: list[Any]
) -> None:
    for names in ((log, beside), (beside, log)):
        rows, readings = load(*names)
        assert [row.get(column) for row in rows] == values
        assert sorted(reading.traces > 0 for reading in readings) == [False, True]
    with pytest.raises(InputError, match="Name the log they belong to beside it"):
        load(beside)


def test_a_call_that_is_written_twice_counts_once() -> None:
    _, (reading,) = load("litellm.jsonl")
    assert {each.why: each.n for each in reading.skipped} == {
        "is no call of a model": 1, "is written twice": 1
    }  # fmt: skip


def test_every_format_has_a_fixture_and_says_where_its_fields_are_documented() -> None:
    seen = {reading.format.split(",")[0] for path in FIXTURES.iterdir()
            for reading in load(path, "litellm.jsonl")[1]}  # fmt: skip
    assert {form.name for form in formats()} - {"plain traces"} <= seen
    folder = Path(__file__).parent.parent / "src" / "tuneworthy" / "traces" / "formats"
    for path in folder.glob("*.yaml"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 40, path
        assert path.stem == "plain" or "\nsource: " in text, path


# An envelope is never read as text --------------------------------------------------------------

ENVELOPES = [
    {"choices": [{"delta": {"content": "half"}, "index": 0}], "object": "chat.completion.chunk"},
    {"object": "response", "status": "failed"},
    {"usage": {"input_tokens": 1}, "result": "x"},
    {"generations": [[{"unknown": 1}]]},
    {"lc": 1, "type": "not_implemented", "id": ["x"]},
    [{"finish_reason": "stop", "body": "x"}],
    {"span_id": "1", "data": "x"},
    {"candidates": [{"finishReason": "SAFETY"}]},
]


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda each: json.dumps(each)[:30])
@pytest.mark.parametrize("written", [False, True], ids=["as it is", "as text"])
def test_an_envelope_that_nobody_knows_is_counted_and_not_read_as_text(
    tmp_path: Path, envelope: Any, *, written: bool
) -> None:
    output = json.dumps(envelope) if written else envelope
    records = [{"input": "q", "output": "a"}, {"input": "q", "output": output}]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    rows, (reading,) = load(path)
    assert [row["output"] for row in rows] == ["a"]
    assert [each.why for each in reading.skipped] == ["has text in an envelope that isn't known"]


AROUND = st.sampled_from([
    lambda text: {"choices": [{"message": {"role": "assistant", "content": text}}]},
    lambda text: {"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]},
    lambda text: {"output": [{"type": "message", "role": "assistant",
                              "content": [{"type": "output_text", "text": text}]}]},
    lambda text: {"type": "message", "role": "assistant",
                  "content": [{"type": "text", "text": text}]},
    lambda text: {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]},
    lambda text: {"output": {"message": {"role": "assistant", "content": [{"text": text}]}}},
    lambda text: {"message": {"role": "assistant", "content": text}, "done": True},
    lambda text: [{"role": "assistant", "parts": [{"type": "text", "content": text}]}],
    lambda text: {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"],
                  "kwargs": {"content": text}},
    lambda text: {"type": "ai", "data": {"content": text}},
    lambda text: {"generations": [[{"text": text, "generation_info": {}}]]},
    lambda text: {"messages": [{"role": "user", "content": "q"},
                               {"role": "assistant", "content": text}]},
    lambda text: [{"message.role": "assistant", "message.content": text}],
])  # fmt: skip


@given(AROUND, st.text(max_size=20), st.booleans())
def test_an_answer_is_the_same_in_every_envelope(
    tmp_path_factory: pytest.TempPathFactory, around: Any, text: str, written: bool
) -> None:
    path = tmp_path_factory.mktemp("around") / "t.jsonl"
    output = around(text)
    output = json.dumps(output) if written else output
    path.write_text(json.dumps({"input": "q", "output": output}) + "\n" + '{"output": "b"}\n')
    rows, _ = load(path)
    assert [row["output"] for row in rows] == [text, "b"]


@given(st.dictionaries(st.sampled_from(["answer", "items", "total", "note"]),
                       st.one_of(st.text(max_size=5), st.integers(0, 9)), min_size=1))  # fmt: skip
def test_an_object_that_a_model_was_asked_for_is_its_answer(
    tmp_path_factory: pytest.TempPathFactory, answer: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("object") / "t.jsonl"
    path.write_text(json.dumps({"output": answer}) + "\n" + json.dumps({"output": "b"}) + "\n")
    rows, _ = load(path)
    assert json.loads(rows[0]["output"]) == answer
