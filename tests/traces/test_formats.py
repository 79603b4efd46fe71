"""Logs of every maker give the same call: what was asked and answered, by whom, at what cost.

The files under fixtures/traces are written by hand from the fields that the makers document.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworthy import InputError
from tuneworthy.model.evidence import COLUMNS, ToolCall
from tuneworthy.traces import mapping as traces_mapping
from tuneworthy.traces.formats import formats
from tuneworthy.traces.read import TraceFiles
from tuneworthy.traces.stream import Limits

FIXTURES = Path(__file__).parents[1] / "fixtures" / "traces"
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
    files = TraceFiles([FIXTURES / name for name in names])
    rows: list[Row] = []
    for chunk in files:
        for place in range(len(chunk.batch)):
            row = {name: chunk.batch.column(name)[place] for name in COLUMNS}
            apart = {"messages", "finish", "provider", "listed_usd"}
            apart |= {"usd"} if row["listed_usd"] is not None else set()
            rows.append(
                {k: v for k, v in row.items() if v is not None and k not in apart}
            )
    return rows, files.readings


def session(name: str, model: str = "gpt-4o") -> Row:
    return {"conversation": name, "model": model}


WHOLE = "gpt-4o-2024-08-06"
"""The model of an answer, which is more exact than that of the request."""
BEDROCK = "aws:anthropic.claude-3-5-sonnet-20241022-v2:0"
TABLE: list[Row] = [
    ANSWERED | RIGHT | {"input": "Where is my parcel?"},
    {"output": "No idea.", "score": 0, "input": "And mine?"},
    {"error": "429", "input": "And hers?"},
]
PROMPTFOO: list[tuple[str, Row]] = [
    ("f3013f933b9f", ANSWERED | TOKENS | USD | RIGHT | {"label": "pass"}),
    (
        "2bfd14f43d17",
        TOKENS | USD | {"output": "No idea.", "score": 0, "label": "fail"},
    ),
    ("363379742f80", {"error": "429"}),
]
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
        {"model": "gemini-2.5-flash", "timestamp": 1793606580} | ASKED | ANSWERED | CACHED,
    ]),
    ("converse.jsonl", "Bedrock Converse requests with responses", [
        session("q1", BEDROCK) | ASKED | ANSWERED | CACHED | TIMES,
        session("q2", BEDROCK) | ASKED | TOKENS | TIMES
        | {"tool_calls": (ToolCall("track", '{"parcel":7}'),)},
        {"conversation": "q3", "error": "Too many requests", "timestamp": 1793606400} | ASKED,
    ]),
    ("langfuse-v2.jsonl", "Langfuse observations", [
        session("t1") | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD | {"prompt": "support 7"},
        session("t2", "gpt-4o-mini") | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD
        | {"prompt": "support 8"},
    ]),
    ("openinference.jsonl", "OpenInference spans", [
        session("s1") | ASKED | ANSWERED | CACHED | TIMES,
        {"conversation": "s2", "tool_calls": CALL, "error": "timed out"} | ASKED | TIMES,
    ]),
    ("otel-events.jsonl", "OpenTelemetry GenAI", [
        session("0x1") | ASKED | ANSWERED | TOKENS | TIMES,
    ]),
    ("langsmith.jsonl", "LangSmith runs", [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES | FIRST | USD | RIGHT,
        session("s1") | ASKED | TOKENS | TIMES | FIRST | USD | {"tool_calls": CALL},
        {"conversation": "s1", "error": "RateLimitError('429')"} | ASKED | TIMES | USD,
        session("s1") | ASKED | TOKENS | TIMES | FIRST | USD | {"tool_calls": CALL},
    ]),
    ("litellm.jsonl", "LiteLLM log", [
        session("t1", WHOLE) | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD,
        {"conversation": "t1", "error": "Timeout"} | ASKED | TIMES,
    ]),
    ("mlflow.jsonl", "MLflow traces", [
        session("s1", WHOLE) | ASKED | ANSWERED | TOKENS | TIMES | RIGHT
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
        session("t1", WHOLE) | ASKED | ANSWERED | CACHED | TIMES | USD,
        session("t1", "claude-sonnet-4-5") | ASKED | ANSWERED | CACHED | TIMES,
        {"conversation": "t1", "error": "APITimeoutError"} | ASKED | TIMES,
    ]),
    ("helicone.jsonl", "Helicone requests", [
        session("s1", WHOLE) | ASKED | ANSWERED | CACHED | TIMES | FIRST | USD | RIGHT,
        {"conversation": "s1", "error": "Rate limit reached"} | ASKED | TIMES | USD,
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
    ("langfuse_traces.jsonl", "Langfuse traces", [
        session("s1") | ASKED | ANSWERED | CACHED | TIMES | RIGHT,
        {"conversation": "s1", "error": "429"} | ASKED | TIMES | RIGHT,
    ]),
    ("langsmith_batch.jsonl", "LangSmith runs (as sent)", [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES,
    ]),
    ("opik.jsonl", "Opik spans", [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES | USD | RIGHT,
        {"conversation": "t2", "error": "Rate limit reached"} | ASKED | TIMES,
    ]),
    *((name, form, [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES,
        {"conversation": "s1", "error": "Error getting response"} | ASKED | TIMES,
    ]) for name, form in (("agents.jsonl", "OpenAI Agents spans"),
                          ("agents_batch.jsonl", "OpenAI Agents spans (as sent)"))),
    ("codex.jsonl", "Codex sessions", [
        session("s1", "gpt-5-codex") | CACHED | TIMES
        | {"turn": 0, "input": "Where is my parcel?", "tool_calls": CALL, "latency_s": 2},
        session("s1", "gpt-5-codex") | ANSWERED | CACHED
        | {"turn": 1, "input": "on its way", "input_tokens": 120, "output_tokens": 5,
           "timestamp": 1793606403, "latency_s": 2},
    ]),
    ("gemini_cli.json", "Gemini CLI sessions", [
        session("s1", "gemini-2.5-pro") | ANSWERED | CACHED | TIMES
        | {"input": "Where is my parcel?"},
    ]),
    ("ollama.jsonl", "Ollama replies", [
        {"model": "llama3.2"} | ANSWERED | TOKENS | TIMES,
        {"model": "llama3.2"} | ASKED | ANSWERED | TOKENS | TIMES,
        ASKED | {"error": "model not loaded"},
        {"model": "llama3.2", "input": "Where is my parcel?"} | ANSWERED | TOKENS | TIMES,
    ]),
    ("dspy.jsonl", "DSPy history", [
        session("u1", WHOLE) | ASKED | ANSWERED | CACHED | USD | {"timestamp": 1793606400},
    ]),
    ("pydantic_ai.jsonl", "Pydantic AI messages", [
        session("pydantic_ai.jsonl:1") | ASKED | CACHED | TIMES | {"turn": 0, "tool_calls": CALL},
        session("pydantic_ai.jsonl:1") | ASKED | ANSWERED
        | {"turn": 1, "input": "on its way", "input_tokens": 120, "output_tokens": 5,
           "timestamp": 1793606402.5, "latency_s": 2.5},
        session("pydantic_ai.jsonl:2") | ASKED | ANSWERED
        | {"turn": 0, "input_tokens": 120, "output_tokens": 5, "timestamp": 1793606400,
           "latency_s": 5},
    ]),
    ("promptfoo_rows.jsonl", "promptfoo rows", [
        session(case, "openai:chat:gpt-4o") | more
        | {"case": case, "input": "Where is my parcel?", "reference": "On its way.",
           "prompt": "short", "latency_s": 2.5}
        for case, more in PROMPTFOO
    ]),
    ("promptfoo_table.csv", "promptfoo table in CSV", [
        session(f"promptfoo_table.csv:{n}") | more
        | {"case": f"promptfoo_table.csv:{n}", "prompt": "short"}
        for n, more in enumerate(TABLE, start=1)
    ]),
    ("eval_items.jsonl", "OpenAI eval items", [
        session("0") | ASKED | ANSWERED | CACHED | RIGHT
        | {"case": "0", "prompt": "short", "label": "pass", "reference": "On its way.",
           "timestamp": 1793606400},
    ]),
    ("bedrock.jsonl", "Bedrock invocation logs", [
        session("q1", BEDROCK) | ASKED | ANSWERED | CACHED | TIMES,
        session("q2", BEDROCK) | ASKED | ANSWERED | TOKENS | {"timestamp": 1793606400},
        {"conversation": "q3", "input": "Where is my parcel?", "error": "ThrottlingException",
         "timestamp": 1793606400},
    ]),
    ("vertex.jsonl", "Vertex AI request logs", [
        session("q1", "gemini-2.5-flash") | ASKED | ANSWERED | CACHED | {"timestamp": 1793606400},
    ]),
    ("gemini.jsonl", "Gemini API objects", [
        session("r1", "gemini-2.5-flash") | ANSWERED | TOKENS | {"timestamp": 1793606400},
        session("q2", "gemini-2.5-flash") | ANSWERED | TOKENS | {"input": "Where is my parcel?"},
    ]),
    ("portkey.jsonl", "Portkey logs", [
        session("s1") | ASKED | ANSWERED | TOKENS | TIMES | USD,
        {"conversation": "s1", "error": "Rate limit reached"} | ASKED | TIMES,
    ]),
    ("openrouter.csv", "OpenRouter generations in CSV", [
        session("g1", "openrouter:openai/gpt-4o") | TOKENS | TIMES | FIRST | USD,
    ]),
    ("azure_monitor.jsonl", "Azure Monitor spans", [
        session("o1") | TOKENS | TIMES,
        {"conversation": "o2", "error": "HTTP 429"} | TIMES,
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "form", "rows"), LOGS, ids=[name for name, _, _ in LOGS]
)
def test_a_log_gives_who_was_asked_what_and_what_it_cost(
    name: str, form: str, rows: list[Row]
) -> None:
    found, (reading,) = load(name)
    assert reading.format == form
    assert len(found) == len(rows)
    for row, wanted in zip(found, rows, strict=True):
        assert row.keys() == wanted.keys()
        for key, value in wanted.items():
            assert row[key] == (
                pytest.approx(value) if isinstance(value, float) else value
            )


FINISHES = {
    "openai.jsonl": ["stop", "tool_calls", None, None],
    "anthropic.jsonl": ["end_turn", "tool_use", "end_turn", None],
    "langsmith.jsonl": ["stop", "tool_calls", None, "stop"],
    "litellm.jsonl": ["stop", None],
    "braintrust.jsonl": ["stop", "tool_calls"],
    "weave.jsonl": ["stop", "end_turn", None],
    "helicone.jsonl": ["stop", None],
    "mlflow.jsonl": ["stop", None],
    "gemini.jsonl": ["length", "STOP"],
    "bedrock.jsonl": ["end_turn", "length", None],
    "converse.jsonl": ["end_turn", "length", None],
    "exchange.jsonl": ["end_turn", "stop", "STOP", "STOP"],
}


@pytest.mark.parametrize("name", FINISHES)
def test_a_log_says_why_a_model_stopped_where_its_maker_does(name: str) -> None:
    (chunk,) = TraceFiles([FIXTURES / name])
    assert chunk.batch.column("finish") == FINISHES[name]


@pytest.mark.parametrize(
    ("log", "beside", "column", "values"),
    [
        ("langfuse-v2.jsonl", "langfuse-scores.jsonl", "score", [1, 0]),
        ("openinference.jsonl", "phoenix-annotations.jsonl", "label", ["good", None]),
        ("langsmith.jsonl", "langsmith-feedback.jsonl", "score", [1, 0, None, None]),
        (
            "openai_batch.jsonl",
            "openai_batch_requests.jsonl",
            "input",
            [ASKED["input"]] * 2,
        ),
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
        "is not a call to a model": 1, "is written twice": 1
    }  # fmt: skip


def test_every_format_has_a_fixture_and_says_where_its_fields_are_documented() -> None:
    seen = {reading.format.split(",")[0].removesuffix(" in CSV") for path in FIXTURES.iterdir()
            for reading in load(path, "litellm.jsonl")[1]}  # fmt: skip
    assert {form.name for form in formats()} - {"plain traces"} <= seen
    folder = Path(__file__).parents[2] / "src" / "tuneworthy" / "traces" / "formats"
    for path in folder.glob("*.yaml"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 40, path
        assert path.stem == "plain" or "\nsource: " in text, path


ELSEWHERE = {
    "plain traces": "our own, in tests/test_traces.py",
    "Inspect log": "an eval's cases and repeats, in tests/test_traces.py",
    "promptfoo results": "two versions and a cache, in tests/test_traces.py",
    "OpenTelemetry GenAI (OTLP)": "spans inside spans, in tests/test_traces.py",
    "OpenAI chat": "messages alone, in tests/test_traces.py",
    "OpenAI batch": "answers joined to requests, below",
    "requests of a batch": "no calls of their own, below",
    "scores beside a log": "no calls of their own, below",
}
"""Formats without rows in LOGS, and why."""


def test_every_map_is_in_order_and_has_rows() -> None:
    folder = Path(__file__).parents[2] / "src" / "tuneworthy" / "traces" / "formats"
    maps = {
        yaml.safe_load(path.read_text("utf-8"))["format"]
        for path in folder.glob("*.yaml")
    }
    left = maps - {form.name for form in formats()}
    assert left == set(), "put the map's name into _ORDER of traces/formats/__init__.py"
    bare = maps - {name.removesuffix(" in CSV") for _, name, _ in LOGS}
    assert bare == set(ELSEWHERE), (
        "put the format's rows into LOGS, or say why not in ELSEWHERE"
    )


# Records of nobody's format ---------------------------------------------------------------------


def written(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_mapping_is_guessed_by_the_usual_names_with_units(tmp_path: Path) -> None:
    own = [
        {"ts": 1793606400000 + n, "session": f"s{n // 2}", "user": f"why {n}?", "latency_ms": 2364,
         "response": f"a{n}" if n % 4 else None, "error": None if n % 4 else "timeout",
         "prompt_tokens": 10, "cost_usd": 0.001, "thumbs": "up" if n % 2 else "down", "model": "m"}
        for n in range(8)
    ]  # fmt: skip
    rows, (reading,) = load(written(tmp_path / "a.jsonl", *own))
    assert rows[1] == {
        "output": "a1", "conversation": "s0", "timestamp": 1793606400.001, "model": "m",
        "input": "why 1?", "latency_s": 2.364, "input_tokens": 10, "usd": 0.001, "score": 1,
    }  # fmt: skip
    assert (rows[0]["error"], "output" in rows[0], rows[0]["score"]) == (
        "timeout",
        False,
        0,
    )
    assert reading.format.startswith(
        "JSON, guessed: output=response, input=user, conversation_id="
    )
    assert "latency_s={path: latency_ms, unit: ms}" in reading.format
    below = {"meta": {"took": 2400, "createdAt": "2026-11-02T08:00:00Z"},
             "data": {"question": "q", "answer": "a"}}  # fmt: skip
    rows, _ = load(written(tmp_path / "b.jsonl", below, below))
    assert rows[0] == {
        "output": "a",
        "input": "q",
        "timestamp": 1793606400,
        "latency_s": 2.4,
    }
    (tmp_path / "c.csv").write_text("query,reply,duration_ms\nq,a,500\n")
    assert load(tmp_path / "c.csv")[0] == [
        {"output": "a", "input": "q", "latency_s": 0.5}
    ]


def test_a_mapping_is_guessed_deep_inside_and_by_odd_headings(tmp_path: Path) -> None:
    deep = {"meta": {"sess": "s", "at_ns": 1793606400 * 10**9}, "res": {"body": {"text": "a"},
            "dur_ms": 2500, "tok": {"in": 7, "out": 2}}, "req": {"data": {"promptText": "q"},
            "engine": "m"}}  # fmt: skip
    rows, _ = load(written(tmp_path / "a.jsonl", deep, deep))
    assert rows[0] == {
        "output": "a", "conversation": "s", "timestamp": 1793606400, "model": "m", "input": "q",
        "latency_s": 2.5, "input_tokens": 7, "output_tokens": 2,
    }  # fmt: skip
    (tmp_path / "b.csv").write_text(
        "Zeitstempel;Kunden-Frage;Bot Answer;Response time (ms);Cost (USD);Expected answer\n"
        "2026/11/02 08:00:00;q;a;2500;0.003;x\n"
    )
    assert load(tmp_path / "b.csv")[0] == [{
        "output": "a", "timestamp": 1793606400, "input": "q", "latency_s": 2.5, "usd": 0.003,
        "reference": "x",
    }]  # fmt: skip
    (tmp_path / "d.csv").write_text(
        "ts,Prompt Tokens,Was gesagt wurde\n2026-11-02,9,a\n"
    )
    files = TraceFiles([tmp_path / "d.csv"])
    assert [chunk.batch.output for chunk in files] == [[None]]
    assert files.guesses[0].unread == ("Was gesagt wurde",)
    nested = {
        "rec": {"question": "q", "answer": "a", "extra": {"why": 1}},
        "t": {"q": 3},
        "x": [],
    }
    files = TraceFiles(
        [
            written(
                tmp_path / "e.jsonl", nested, nested | {"rec": {"answer": "b", "z": 2}}
            )
        ]
    )
    assert [chunk.batch.output for chunk in files] == [["a", "b"]]
    assert files.guesses[0].unread == ("rec.extra", "t", "x", "rec.z")
    envelope = {
        "output": {"choices": [{"message": {"role": "assistant", "content": "a"}}]}
    }
    assert (
        load(written(tmp_path / "c.jsonl", {"x": 1, **envelope}))[0][0]["output"] == "a"
    )


ODD: list[tuple[str, Any, Row]] = [
    ("elapsed.jsonl",
     {"when": "2026-11-02T08:00:00Z", "who": "u1", "ask": "q", "reply_text": "a", "elapsed": 2500,
      "engine": "m", "tok": {"in": 7, "out": 2}},
     {"input": "q", "output": "a", "timestamp": 1793606400, "latency_s": 2.5, "model": "m",
      "input_tokens": 7, "output_tokens": 2}),
    ("nanos.jsonl",
     {"epoch": 1793606400 * 10**9, "sid": "s", "userMessage": "q", "botMessage": "a",
      "duration_ns": 2_500_000_000, "llm": "m"},
     {"input": "q", "output": "a", "timestamp": 1793606400, "latency_s": 2.5, "model": "m",
      "conversation": "s"}),
    ("nested.jsonl",
     {"@timestamp": "2026-11-02T08:00:00Z", "level": "INFO", "meta": {"llm": {
         "in": "q", "out": "a", "model": "m", "ms": 2500,
         "usage": {"prompt": 7, "completion": 2}}}},
     {"input": "q", "output": "a", "timestamp": 1793606400, "latency_s": 2.5, "model": "m",
      "input_tokens": 7, "output_tokens": 2}),
    ("http.jsonl",
     {"request": {"body": json.dumps({
         "model": "m", "messages": [{"role": "user", "content": "q"}]})},
      "response": {"status": 200, "body": json.dumps({
          "choices": [{"message": {"role": "assistant", "content": "a"}}],
          "usage": {"prompt_tokens": 7, "completion_tokens": 2}})}},
     {"input": "q", "output": "a", "model": "m", "input_tokens": 7, "output_tokens": 2}),
    ("body.jsonl", {"prompt": "q", "response": {"status": 200, "body": "a"}},
     {"input": "q", "output": "a"}),
    ("semi.csv",
     "datum;frage;antwort;dauer_s;kosten_usd;Bewertung\n02.11.2026 08:00;q;a;2,5;0,003;1\n",
     {"input": "q", "output": "a", "timestamp": 1793606400, "latency_s": 2.5, "usd": 0.003,
      "score": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "log", "wanted"), ODD, ids=[name for name, *_ in ODD])
def test_an_odd_log_of_ones_own_is_read(
    name: str, log: Any, wanted: Row, tmp_path: Path
) -> None:
    path = tmp_path / name
    if isinstance(log, str):
        path.write_text(log)
    else:
        written(path, log, log)
    assert load(path)[0][0] == wanted


def test_an_answer_of_a_server_that_failed_is_no_answer(tmp_path: Path) -> None:
    good = {"output": {"status": 200, "body": "a"}, "input": "q"}
    lost = {"output": {"status": 503, "body": "Service unavailable"}, "input": "q"}
    rows, _ = load(written(tmp_path / "a.jsonl", good, good, lost))
    assert [row.get("output") for row in rows] == ["a", "a", None]
    assert rows[2]["error"] == "HTTP 503"
    mail = {"output": {"status": "draft", "body": "Dear Ada"}, "input": "q"}
    assert "draft" in load(written(tmp_path / "b.jsonl", mail))[0][0]["output"]
    shown = [{"prompt": "q", "response": one["output"]} for one in (good, good, lost)]
    rows, _ = load(written(tmp_path / "c.jsonl", *shown))
    assert [row.get("output") for row in rows] == ["a", "a", None]
    assert rows[2]["error"] == "HTTP 503"


@pytest.mark.parametrize(
    "around", [{}, {"headers": {}}, {"status": "200"}, {"status": "200 OK"}]
)
def test_what_a_server_answered_is_opened_however_its_code_is_written(
    around: Row, tmp_path: Path
) -> None:
    said = {
        "choices": [{"message": {"role": "assistant", "content": "a"}}],
        "usage": {},
    }
    asked = {"body": {"messages": [{"role": "user", "content": "q"}]}}
    log = {"request": asked, "response": {**around, "body": said}}
    assert load(written(tmp_path / "a.jsonl", log))[0][0]["output"] == "a"


@pytest.mark.parametrize("code", [200, 404])
def test_json_that_a_model_wrote_is_no_answer_of_a_server(
    code: int, tmp_path: Path
) -> None:
    own = json.dumps(
        {"statusCode": code, "body": {"type": "parcel", "message": "gone"}}
    )
    assert (
        load(written(tmp_path / "a.jsonl", {"input": "q", "output": own}))[0][0][
            "output"
        ]
        == own
    )
    said = {"choices": [{"message": {"role": "assistant", "content": "a"}}]}
    log = {"input": "q", "output": json.dumps({"status": 200, "body": said})}
    assert load(written(tmp_path / "b.jsonl", log))[0][0]["output"] == "a"


def test_what_a_field_holds_says_what_it_is(tmp_path: Path) -> None:
    own: list[Row] = [
        {"timestamp": n, "prompt": "q", "response": 200, "answer": "a", "prompt_tokens": 7,
         "latency_ms": "n/a" if n == 3 else 250}
        for n in range(8)
    ]  # fmt: skip
    rows, _ = load(written(tmp_path / "a.jsonl", *own))
    assert rows[0] == {
        "input": "q",
        "output": "a",
        "input_tokens": 7,
        "latency_s": 0.25,
    }
    assert rows[3] == {"input": "q", "output": "a", "input_tokens": 7}
    counts = {"in": 35, "out": 120, "reply": "a"}
    assert load(written(tmp_path / "b.jsonl", counts))[0][0] == {"output": "a"}
    with pytest.raises(InputError):
        load(written(tmp_path / "c.jsonl", {"in": 35, "out": 120, "model": "m"}))


def test_json_that_a_model_answered_says_nothing_of_the_call(tmp_path: Path) -> None:
    own = json.dumps(
        {"text": "a", "cost": 12.5, "duration": 3, "date": "2026-01-02", "score": 0}
    )
    for name in ("response", "answer"):
        path = written(tmp_path / "a.jsonl", *[{"question": "q", name: own}] * 9)
        assert load(path)[0][0] == {"input": "q", "output": own}
    said = {"choices": [{"message": {"role": "assistant", "content": "a"}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2}}  # fmt: skip
    for log in (said, {"status": 200, "body": said}):
        path = written(
            tmp_path / "b.jsonl", {"question": "q", "response": json.dumps(log)}
        )
        wanted = {"input": "q", "output": "a", "input_tokens": 7, "output_tokens": 2}
        assert load(path)[0][0] == wanted


def test_one_list_may_hold_what_was_asked_and_what_was_answered(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    path = written(tmp_path / "a.jsonl", {"turns": turns})
    mapping = traces_mapping.mapping_from_text(
        "input: turns\noutput: turns", "map.yaml"
    )
    (chunk,) = TraceFiles([path], mapping=mapping)
    assert (chunk.batch.column("input"), chunk.batch.output) == (["q"], ["a"])


def test_records_are_found_inside_an_envelope(tmp_path: Path) -> None:
    own = [{"test_id": f"t{n}", "variant": "v1", "question": "q", "answer": "a", "passed": n > 1}
           for n in range(4)]  # fmt: skip
    inside, by_name = (
        {"run": "r", "results": own},
        {f"r{n}": one for n, one in enumerate(own)},
    )
    for place, document in enumerate((inside, by_name)):
        (tmp_path / f"{place}.json").write_text(json.dumps(document, indent=1))
        rows, _ = load(tmp_path / f"{place}.json")
        assert rows[2] == {
            "output": "a",
            "input": "q",
            "prompt": "v1",
            "case": "t2",
            "score": 1,
        }
        assert len(rows) == 4
        mapping = traces_mapping.mapping_from_text(
            "output: answer\ninput: question", "map.yaml"
        )
        (chunk,) = TraceFiles([tmp_path / f"{place}.json"], mapping=mapping)
        assert chunk.batch.output == ["a"] * 4


def test_an_envelope_of_several_lists_is_refused(tmp_path: Path) -> None:
    one = [{"question": "q", "answer": "a"}] * 3
    (tmp_path / "a.json").write_text(json.dumps({"data": one, "more": one * 9}))
    with pytest.raises(InputError, match="several lists: data, more"):
        load(tmp_path / "a.json")
    (chunk,) = TraceFiles(
        [tmp_path / "a.json"],
        mapping=traces_mapping.mapping_from_text("output: answer\neach: more", "m"),
    )
    assert len(chunk.batch) == 27
    (tmp_path / "b.json").write_text(
        json.dumps({"rows": one, "users": [{"name": "u"}]})
    )
    with pytest.raises(InputError, match=r"several lists: rows, users.*each: rows"):
        load(tmp_path / "b.json")


def test_a_text_that_parquet_holds_as_bytes_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.execute(f"COPY (SELECT 'q' AS input, encode('é') AS output) TO '{path}'")
    assert load(path)[0] == [{"input": "q", "output": "é"}]


def test_scores_of_ones_own_are_joined_by_the_id_of_a_record(tmp_path: Path) -> None:
    log = [{"id": f"c{n}", "user": "q", "assistant": "a"} for n in range(3)]
    calls = written(tmp_path / "calls.jsonl", *log)
    scores = written(
        tmp_path / "scores.jsonl", *({"call_id": f"c{n}", "score": n} for n in (0, 1))
    )
    rows, readings = load(calls, scores)
    assert [row.get("score") for row in rows] == [0, 1, None]
    assert "2 joined to a file beside it" in readings[-1].format
    mapping = traces_mapping.mapping_from_text("output: assistant\nid: id", "map.yaml")
    (chunk,) = TraceFiles([calls, scores], mapping=mapping)
    assert chunk.batch.score == [0, 1, None]
    told = written(
        tmp_path / "told.jsonl", *({"id": n, "score": 1, "said": "a"} for n in (0, 1))
    )
    (chunk,) = TraceFiles(
        [told], mapping=traces_mapping.mapping_from_text("output: said", "map.yaml")
    )
    assert chunk.batch.output == ["a", "a"]
    with pytest.raises(InputError, match="Name the log they belong to"):
        load(scores)


SCORED = [
    {"id": n, "user_input": f"q{n}", "model_output": f"b{n}", "score": 0}
    for n in range(4)
]


def test_a_log_with_an_id_and_a_score_is_a_log(tmp_path: Path) -> None:
    other = written(tmp_path / "b.jsonl", *SCORED)
    plain = [{"id": n, "prompt": f"q{n}", "response": f"a{n}"} for n in range(4)]
    log = written(tmp_path / "a.jsonl", *plain)
    assert [row["output"] for row in load(other)[0]] == ["b0", "b1", "b2", "b3"]
    rows, _ = load(log, other)
    assert [(row["output"], row.get("score")) for row in rows] == [
        *((f"a{n}", None) for n in range(4)), *((f"b{n}", 0) for n in range(4))
    ]  # fmt: skip
    assert len(load(other, written(tmp_path / "c.jsonl", *SCORED, SCORED[0]))[0]) == 9


def test_only_scores_are_refused_and_a_comment_may_say_answer(tmp_path: Path) -> None:
    told = [
        {"id": n, "score": 1, "comment": "a good answer to the question"}
        for n in range(2)
    ]
    scores = written(tmp_path / "s.jsonl", *told)
    with pytest.raises(InputError, match="no answers"):
        load(scores, written(tmp_path / "more.jsonl", *told))
    log = written(
        tmp_path / "a.jsonl",
        *({"id": n, "prompt": "q", "reply": "a"} for n in range(3)),
    )
    assert [row.get("score") for row in load(log, scores)[0]] == [1, 1, None]


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ("question golden_answer model_answer", "model_answer"),
        ("question human_answer llm_answer", "llm_answer"),
        ("question best_answer bot_answer", "bot_answer"),
        ("question answer model_answer", "model_answer"),
        ("question answer prediction", "prediction"),
        ("prompt previous_response final_response", "final_response"),
        ("prompt rejected_response chosen_response", None),
        ("prompt first_response second_response", None),
    ],
)
def test_another_answer_is_not_taken_for_the_models(
    fields: str, output: str | None, tmp_path: Path
) -> None:
    told = written(
        tmp_path / "a.jsonl", *[{name: f"the {name}" for name in fields.split()}] * 3
    )
    if output is not None:
        assert load(told)[0][0]["output"] == f"the {output}"
        return
    with pytest.raises(InputError, match="isn't recognised"):
        load(told)


def test_what_another_holds_inside_is_not_the_models_answer(tmp_path: Path) -> None:
    one = {"question": "q", "expected": {"answer": "x"}, "said": {"answer": "a"}}
    assert load(written(tmp_path / "a.jsonl", one, one))[0][0]["output"] == "a"
    access = {"req": {}, "res": {"statusCode": 200}, "responseTime": 5}
    with pytest.raises(InputError, match="isn't recognised") as refused:
        load(written(tmp_path / "b.jsonl", access, access))
    # as a mapping names them
    assert refused.value.fix.endswith("its fields are responseTime, res.statusCode")


@pytest.mark.parametrize(
    ("field", "value", "column", "read_as"),
    [
        ("duration", 1_500_000_000, "latency_s", None),
        ("latency", 1_500_000, "latency_s", None),
        ("latency", 1500, "latency_s", 1.5),
        ("time", 1.5, "timestamp", None),
        ("at", 5, "timestamp", None),
        ("time", 1793606400, "timestamp", 1793606400),
        ("kosten", 0.1, "usd", None),
    ],
)
def test_a_number_that_can_t_be_the_field_is_left_out(
    field: str, value: float, column: str, read_as: float | None, tmp_path: Path
) -> None:
    told = written(
        tmp_path / "a.jsonl", *[{"prompt": "q", "reply": "a", field: value}] * 3
    )
    assert load(told)[0][0].get(column) == read_as


def test_a_folder_says_no_more_than_what_all_its_records_share(tmp_path: Path) -> None:
    for place, record, wanted in (
        ("up-date=5", {"prompt": "q", "reply": "a"}, {"input": "q", "output": "a"}),
        (
            "result=v1/score=1",
            {"prompt": "q", "reply": "a"},
            {"input": "q", "output": "a"},
        ),
        ("score=1", {"input": "q", "output": "a"}, {"input": "q", "output": "a"}),
        (
            "model=m",
            {"input": "q", "output": "a"},
            {"input": "q", "output": "a", "model": "m"},
        ),
    ):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        path = written(tmp_path / place / f"{len(wanted)}.jsonl", record, record)
        assert load(path)[0][0] == wanted
    with pytest.raises(InputError, match="isn't recognised"):
        load(
            written(
                tmp_path / "result=v1" / "b.jsonl", {"prompt": "q"}, {"prompt": "q"}
            )
        )


def test_rows_that_are_turns_are_refused_with_what_would_help(tmp_path: Path) -> None:
    (tmp_path / "chat.csv").write_text("chat,speaker,said\n1,customer,q\n1,agent,a\n")
    with pytest.raises(InputError, match="one record a conversation, with `messages`"):
        load(tmp_path / "chat.csv")


def test_units_can_be_written_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", {"a": "x", "t": 1500, "in": 2, "cached": 3, "from": 1,
                                          "to": 3})  # fmt: skip
    mapping = "output: b | a\nlatency_s: {path: t, unit: ms}\ninput_tokens: {sum: [in, cached]}\n"
    files = TraceFiles(
        [path], mapping=traces_mapping.mapping_from_text(mapping, "map.yaml")
    )
    batch = next(iter(files)).batch
    assert (batch.output, batch.latency_s, batch.input_tokens) == (["x"], [1.5], [5])
    clocks = traces_mapping.mapping_from_text(
        "output: a\nlatency_s: {from: from, to: to}", "map.yaml"
    )
    assert next(iter(TraceFiles([path], mapping=clocks))).batch.latency_s == [2]
    with pytest.raises(InputError, match="no such unit"):
        traces_mapping.mapping_from_text(
            "output: a\nlatency_s: {path: t, unit: minutes}", "map.yaml"
        )


def test_a_file_of_which_less_than_half_can_be_read_is_refused(tmp_path: Path) -> None:
    answers, others = [{"output": "a"}] * 4, [{"model": "m", "said": {"x": "a"}}] * 5
    with pytest.raises(
        InputError, match="has 5 records that can't be used, and 4 that can"
    ):
        load(written(tmp_path / "t.jsonl", *answers, *others))
    assert len(load(written(tmp_path / "u.jsonl", *answers, *others[:4]))[0]) == 4


def test_a_failed_call_of_a_conversation_is_one_failed_call(tmp_path: Path) -> None:
    talk = [
        {"role": role, "content": role[0]} for role in ("user", "assistant", "user")
    ]
    failed = {"messages": talk, "error": "timeout", "latency_s": 30}
    rows, _ = load(written(tmp_path / "t.jsonl", failed, {"output": "a"}))
    assert rows[0] == {"input": "u", "error": "timeout", "latency_s": 30}


def test_a_list_of_records_may_be_larger_than_memory_should_hold(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.json"
    path.write_text(
        json.dumps([{"output": f"a{n}", "input": "x" * 500} for n in range(2000)])
    )
    limits = Limits(line_bytes=10_000, document_bytes=100_000)
    found = [
        out for chunk in TraceFiles([path], limits=limits) for out in chunk.batch.output
    ]
    assert found == [f"a{n}" for n in range(2000)]


def test_records_after_a_null_in_a_long_list_keep_their_numbers(tmp_path: Path) -> None:
    records: list[Any] = [{"output": f"a{n}", "input": "x" * 500} for n in range(500)]
    records[3] = None
    records[7] = {"thing": 1}
    path = tmp_path / "t.json"
    path.write_text(json.dumps(records, indent=1))
    limits = Limits(line_bytes=10_000, document_bytes=100_000)
    files = TraceFiles([path], limits=limits)
    outputs = [out for chunk in files for out in chunk.batch.output]
    assert outputs == [f"a{n}" for n in range(500) if n not in (3, 7)]
    (reading,) = files.readings
    places = [place for each in reading.skipped for place in each.where]
    assert sorted(places) == ["t.json:4", "t.json:8"]


def test_logs_of_inspect_that_differ_in_what_was_asked_are_arms_of_their_own(
    tmp_path: Path,
) -> None:
    log = json.loads((FIXTURES / "inspect.json").read_text())
    for arm in "AB":
        log["eval"] |= {
            "task_args": {"arm": arm},
            "model_generate_config": {"temperature": 0},
        }
        (tmp_path / f"{arm}.json").write_text(json.dumps(log))
    rows, _ = load(tmp_path / "A.json", tmp_path / "B.json")
    assert {row["prompt"] for row in rows} == {
        "arm=A, temperature=0",
        "arm=B, temperature=0",
    }


def test_a_prompt_of_promptfoo_is_one_with_every_provider(tmp_path: Path) -> None:
    log = json.loads((FIXTURES / "promptfoo-v3.json").read_text())
    for place, row in enumerate(log["results"]["results"]):
        row |= {"promptIdx": place, "promptId": f"id{place % 2}"}
        row["prompt"]["label"] = f"file{place % 2}.txt: " + "long " * 40
    path = tmp_path / "p.json"
    path.write_text(json.dumps(log))
    assert len({row["prompt"] for row in load(path)[0]}) == 2


# An envelope is never read as text --------------------------------------------------------------

ENVELOPES = [
    {
        "choices": [{"delta": {"content": "half"}, "index": 0}],
        "object": "chat.completion.chunk",
    },
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
    assert [each.why for each in reading.skipped] == [
        "has text in an envelope that isn't known"
    ]


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
    path.write_text(
        json.dumps({"input": "q", "output": output}) + "\n" + '{"output": "b"}\n'
    )
    rows, _ = load(path)
    assert [row["output"] for row in rows] == [text, "b"]


@given(st.dictionaries(st.sampled_from(["answer", "items", "total", "note"]),
                       st.one_of(st.text(max_size=5), st.integers(0, 9)), min_size=1))  # fmt: skip
def test_an_object_that_a_model_was_asked_for_is_its_answer(
    tmp_path_factory: pytest.TempPathFactory, answer: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("object") / "t.jsonl"
    path.write_text(
        json.dumps({"output": answer}) + "\n" + json.dumps({"output": "b"}) + "\n"
    )
    rows, _ = load(path)
    assert json.loads(rows[0]["output"]) == answer


# The same traces in any format say the same -----------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
CALLS = st.lists(st.builds(lambda n: {"name": "track", "arguments": {"n": n}}, st.integers(0, 9)),
                 max_size=2)  # fmt: skip
TURNS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "tool"]), TEXTS), max_size=3
)
ANSWERS = st.tuples(
    st.one_of(st.none(), TEXTS), CALLS, st.sampled_from([None, "timed out"])
).filter(lambda each: each[0] is not None or each[1] or each[2])
AMOUNTS = st.one_of(st.none(), st.integers(0, 500))


@st.composite
def calls_of_a_model(draw: st.DrawFn) -> dict[str, Any]:
    output, calls, error = draw(ANSWERS)
    failed = error is not None
    talk = [("system", draw(TEXTS)), *draw(TURNS), ("user", draw(TEXTS))]
    return {
        "talk": talk, "output": None if failed else output, "calls": [] if failed else calls,
        "error": error, "model": draw(st.sampled_from("ab")), "start": draw(st.integers(0, 9)),
        "input_tokens": draw(AMOUNTS), "output_tokens": draw(AMOUNTS), "session": "s",
    }  # fmt: skip


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def openai_calls(call: dict[str, Any]) -> list[Any]:
    return [{"type": "function", "function": {**each, "arguments": compact(each["arguments"])}}
            for each in call["calls"]]  # fmt: skip


def as_plain(call: dict[str, Any]) -> Any:
    return {
        "messages": [{"role": role, "content": text} for role, text in call["talk"]],
        "output": call["output"], "tool_calls": openai_calls(call), "error": call["error"],
        "model": call["model"], "timestamp": 1793606400 + call["start"], "latency_s": 0.5,
        "conversation_id": call["session"],
        **{key: call[key] for key in ("input_tokens", "output_tokens")},
    }  # fmt: skip


def as_langfuse(call: dict[str, Any]) -> Any:
    answer = {
        "role": "assistant",
        "content": call["output"],
        "tool_calls": openai_calls(call),
    }
    usage = {"input": call["input_tokens"], "output": call["output_tokens"]}
    start = 1793606400 + call["start"]
    return {
        "traceId": "t", "sessionId": call["session"], "type": "GENERATION", "model": call["model"],
        "startTime": start, "endTime": start + 0.5, "usageDetails": usage,
        "input": [{"role": role, "content": text} for role, text in call["talk"]],
        "output": None if call["error"] else answer,
        "level": "ERROR" if call["error"] else "DEFAULT", "statusMessage": call["error"],
    }  # fmt: skip


def as_span(call: dict[str, Any]) -> dict[str, Any]:
    def message(role: str, text: str | None, calls: list[Any]) -> Any:
        parts = [] if text is None else [{"type": "text", "content": text}]
        return {
            "role": role,
            "parts": parts + [{"type": "tool_call", **each} for each in calls],
        }

    said = [message("assistant", call["output"], call["calls"])]
    return {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": call["model"],
        "gen_ai.conversation.id": call["session"],
        "gen_ai.input.messages": json.dumps(
            [message(role, text, []) for role, text in call["talk"]]
        ),
        **({"error.type": call["error"]} if call["error"]
           else {"gen_ai.output.messages": json.dumps(said)}),
        **{f"gen_ai.usage.{key}": call[key] for key in ("input_tokens", "output_tokens")
           if call[key] is not None},
    }  # fmt: skip


def as_sdk(call: dict[str, Any]) -> Any:
    start = 1793606400 + call["start"]
    return {"start_time": start, "end_time": start + 0.5, "attributes": as_span(call)}


def as_otlp(call: dict[str, Any]) -> Any:
    start = (1793606400 + call["start"]) * 10**9
    pairs = [
        {
            "key": key,
            "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v},
        }
        for key, v in as_span(call).items()
    ]
    span = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 5 * 10**8),
            "attributes": pairs}  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def as_exchange(call: dict[str, Any]) -> Any:
    message = {
        "role": "assistant",
        "content": call["output"],
        "tool_calls": openai_calls(call),
    }
    usage = {
        "prompt_tokens": call["input_tokens"],
        "completion_tokens": call["output_tokens"],
    }
    response = {
        "choices": [] if call["error"] else [{"message": message}],
        "usage": usage,
    }
    messages = [{"role": role, "content": text} for role, text in call["talk"]]
    return {
        "request": {"model": call["model"], "messages": messages}, "response": response,
        "timestamp": 1793606400 + call["start"], "latency_ms": 500, "error": call["error"],
        "conversation_id": call["session"],
    }  # fmt: skip


def as_table(call: dict[str, Any]) -> Any:
    return {key: json.dumps(value) if isinstance(value, list) else value
            for key, value in as_plain(call).items()}  # fmt: skip


NO_TABLE = ("ev", "cl", "codex", "pydantic_ai", "promptfoo_rows", "bedrock")
"""Logs of lists or of sessions, and two that are read only as their maker writes them."""
PACKED = [
    name for name, _, _ in LOGS if name.endswith("l") and not name.startswith(NO_TABLE)
]


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKED)
def test_a_log_that_was_put_into_a_table_says_the_same(
    tmp_path: Path, name: str
) -> None:
    flat, path = tmp_path / "flat.jsonl", tmp_path / name
    records = map(json.loads, (FIXTURES / name).read_text().splitlines())
    written(
        flat,
        *(
            {
                key: json.dumps(value) if isinstance(value, dict | list) else value
                for key, value in record.items()
                if value != {}
            }
            for record in records
        ),
    )
    with duckdb.connect() as connection:
        source = f"read_json('{flat}', sample_size=-1)"
        connection.execute(f"COPY (FROM {source}) TO '{path}' (FORMAT parquet)")
    told = [[{**row, "model": row.get("model") in {"traces", tmp_path.name}, "tool_calls":
              [call.name for call in row.get("tool_calls", ())]} for row in load(each)[0]]
            for each in (name, path)]  # fmt: skip
    assert told[0] == told[1]


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(calls_of_a_model(), min_size=1, max_size=4))
def test_the_same_traces_in_any_format_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, calls: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    forms = (as_plain, as_langfuse, as_sdk, as_otlp, as_exchange, as_table)
    read_ = {}
    for form in forms:
        path = folder / f"{form.__name__}.jsonl"
        path.write_text("".join(json.dumps(form(call)) + "\n" for call in calls))
        if form is as_table:
            with duckdb.connect() as connection:
                source = f"read_json('{path}', format='newline_delimited')"
                path = folder / "t.parquet"
                connection.execute(f"COPY (FROM {source}) TO '{path}' (FORMAT parquet)")
        rows, (reading,) = load(path)
        assert reading.skipped == ()
        read_[form.__name__] = [
            {key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()}
            for row in rows
        ]
    assert len(read_["as_plain"]) == len(calls)
    for name, rows in read_.items():
        assert rows == read_["as_plain"], name


SPAN_MARKS: list[dict[str, Any]] = [
    {}, {"name": "chat", "flags": 257, "links": [], "status": {}}, {"status": {"code": 2}},
    {"status": {"code": 1}}, {"endTimeUnixNano": None}, {"startTimeUnixNano": 1793606400000000000},
    {"gen_ai.extra": "x"}, {"spanId": "a", "traceId": "b"}, {"events": [
        {"name": "gen_ai.user.message", "attributes": [
            {"key": "content", "value": {"stringValue": "?"}}]}]},
]  # fmt: skip
PAIRS: list[Any] = [
    {"key": "gen_ai.request.model", "value": {"boolValue": True}},
    {"key": "gen_ai.response.model", "value": {"stringValue": None}},
    {"key": "gen_ai.usage.input_tokens", "value": {"doubleValue": 2.5}},
    {"key": "error.type", "value": {"intValue": 3, "stringValue": "late"}}, {"key": "x"}, "x",
    {"key": "llm", "value": {"kvlistValue": {"values": [
        {"key": "model_name", "value": {"stringValue": "m"}}]}}},
    {"key": "gen_ai.response.finish_reasons", "value": {"arrayValue": {"values": [
        {"stringValue": "stop"}]}}},
    {"key": "llm.output_messages.0.message.content", "value": {"stringValue": "yes"}},
]  # fmt: skip


@settings(max_examples=15)
@given(
    calls_of_a_model(),
    st.lists(
        st.tuples(st.sampled_from(SPAN_MARKS), st.lists(st.sampled_from(PAIRS), max_size=2)),
        min_size=1, max_size=5,
    ),
)  # fmt: skip
def test_spans_are_read_alike_one_by_one_and_together(
    tmp_path_factory: pytest.TempPathFactory,
    call: dict[str, Any],
    marks: list[tuple[dict[str, Any], list[Any]]],
) -> None:
    """A key that nobody knows makes a line of OTLP one that is looked at by itself."""
    lines = [as_otlp(call) for _ in marks]
    for line, (mark, more) in zip(lines, marks, strict=True):
        span = line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        span |= mark | {"attributes": [*span["attributes"], *more]}
    alone = [{**line, "nobody": [1]} for line in lines]
    told = [
        load(written(tmp_path_factory.mktemp("alike") / "log.jsonl", *each))
        for each in (lines, alone)
    ]
    assert told[0][0] == told[1][0]
    assert told[0][1][0].skipped == told[1][1][0].skipped


TEXTS = st.text('aä3,.5-; "', min_size=1, max_size=9).filter(
    str.strip
) | st.sampled_from(("3,14", "-0,5", "1,000"))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    cells=st.lists(
        st.tuples(TEXTS, TEXTS, st.integers(0, 9_999)), min_size=1, max_size=5
    )
)
def test_a_decimal_comma_is_one_of_a_number_and_texts_stay_as_written(
    cells: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("semicolons") / "a.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        table.writerow(("question", "answer", "expected", "cost_usd"))
        table.writerows((q, a, a, f"{n // 1000},{n % 1000:03}") for q, a, n in cells)
    rows, _ = load(path)
    kept = [
        (each["input"], each["output"], each["reference"], each["usd"]) for each in rows
    ]
    assert kept == [(q, a, a, n / 1000) for q, a, n in cells]


def test_decimal_commas_are_read_where_a_mapping_or_our_own_names_say_numbers(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.csv").write_text("input;output;usd;latency_s\n3,14;2,5;0,25;1,5\n")
    wanted = {"input": "3,14", "output": "2,5", "usd": 0.25, "latency_s": 1.5}
    assert load(tmp_path / "own.csv")[0] == [wanted]
    (tmp_path / "map.csv").write_text(
        "q;a;cost in;cost out;ms\n3,14;2,5;0,125;0,125;1500,0\n"
    )
    written = 'input: q\noutput: a\nusd: {sum: ["\\"cost *\\""]}\nlatency_s: {path: ms, unit: ms}\n'
    (chunk,) = TraceFiles(
        [tmp_path / "map.csv"],
        mapping=traces_mapping.mapping_from_text(written, "map.yaml"),
    )
    assert {name: chunk.batch.column(name)[0] for name in wanted} == wanted


WORDS_OF_A_CALL = (
    *(
        "cost",
        "usd",
        "score",
        "rating",
        "label",
        "model",
        "error",
        "duration_ms",
        "date",
        "id",
    ),
    *("case_id", "session_id", "expected", "passed", "price", "documents", "system"),
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(0, 9)
    | st.sampled_from(("good", "2026-11-02"))
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    said=st.dictionaries(
        st.sampled_from(WORDS_OF_A_CALL), VALUES, min_size=1, max_size=5
    ),
    name=st.sampled_from(("response", "answer", "bot_answer", "completion")),
    inside=st.booleans(),
)
def test_what_a_model_wrote_is_neither_its_bill_nor_its_score(
    said: Row, name: str, *, inside: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    said = {"result": said} if inside else said
    for answer in (json.dumps(said), *([said] if name != "bot_answer" else [])):
        path = tmp_path_factory.mktemp("own") / "a.jsonl"
        rows, _ = load(
            written(path, *[{"question": "why so", name: answer, "ms": 250}] * 3)
        )
        assert all(each.keys() == {"input", "output", "latency_s"} for each in rows)
    path = tmp_path_factory.mktemp("own") / "a.jsonl"
    billed = {
        "text": "a",
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        "cost": 3,
    }
    (row, *_), _ = load(written(path, {"question": "why so", "response": billed}))
    assert (row["usd"], row["input_tokens"]) == (3, 7)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    tokens=st.lists(
        st.from_regex(r"[a-z]{0,3}[_@-]?[0-9]{1,4}", fullmatch=True), min_size=1
    ),
    name=st.sampled_from(("user", "prompt", "request")),
    whole=st.booleans(),
)
def test_an_identifier_is_no_question_and_a_sentence_is_one(
    tokens: list[str],
    name: str,
    *,
    whole: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("ids") / "a.jsonl"
    values = [f"where is {token}" if whole else token for token in tokens]
    rows, _ = load(written(path, *({name: value, "answer": "a"} for value in values)))
    assert [each.get("input") for each in rows] == [
        v if whole else None for v in values
    ]


# A value of a kind that no maker writes: its record is read as far as it goes, or left out.

ODD_VALUES: list[Any] = [[[[]]], {"a": [{}]}]
Spot = tuple[str | int, ...]
ODD_SPOTS: list[tuple[str, Spot]] = [
    ("anthropic.jsonl", ("content", 1, "type")),
    ("claude_code.jsonl", ("type",)),
    ("claude_code.jsonl", ("sessionId",)),
    ("codex.jsonl", ("payload", "type")),
    ("gemini_cli.json", ("sessionId",)),
    ("langfuse_traces.jsonl", ("observations", 1, "name")),
    ("otel-events.jsonl", ("events", 0, "name")),
    ("promptfoo-v2.json", ("results", "table", "body", 0, "test", "assert", 0, "type")),
    ("promptfoo-v3.json", ("results", "results", 0, "testCase", "assert", 0, "type")),
    ("pydantic_ai.jsonl", (0, "kind")),
    ("pydantic_ai.jsonl", (0, "parts", 0)),
]


def documents(name: str) -> list[Any]:
    """The JSON documents of a log, one a line or one in all."""
    text = (FIXTURES / name).read_text("utf-8")
    lines = [text] if name.endswith(".json") else text.splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def spots(value: Any, spot: Spot = ()) -> Iterator[Spot]:
    """Where something stands in a document."""
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, part in inside:
        yield (*spot, key)
        yield from spots(part, (*spot, key))


def put(value: Any, spot: Spot, odd: Any) -> Any:
    """The same document with something else in one place."""
    if not spot:
        return odd
    first, *rest = spot
    copy = value.copy()
    copy[first] = put(value[first], tuple(rest), odd)
    return copy


def read_odd(folder: Path, name: str, number: int, spot: Spot, odd: Any) -> None:
    logs = documents(name)
    logs[number] = put(logs[number], spot, odd)
    (folder / name).write_text("\n".join(map(json.dumps, logs)), "utf-8")
    with suppress(InputError):
        load(folder / name)


@pytest.mark.parametrize("odd", ODD_VALUES, ids=["lists", "objects"])
@pytest.mark.parametrize(("name", "spot"), ODD_SPOTS)
def test_a_list_where_a_word_belongs_is_no_fault_of_ours(
    tmp_path: Path, name: str, spot: Spot, odd: Any
) -> None:
    for number, document in enumerate(documents(name)):
        if spot in set(spots(document)):
            read_odd(tmp_path, name, number, spot, odd)


@given(st.data())
def test_any_odd_value_in_any_place_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    files = sorted(
        file.name for file in FIXTURES.iterdir() if file.suffix in {".json", ".jsonl"}
    )
    name = data.draw(st.sampled_from(files))
    logs = documents(name)
    number = data.draw(st.integers(0, len(logs) - 1))
    spot = data.draw(st.sampled_from(sorted(spots(logs[number]), key=str)))
    odd = data.draw(st.sampled_from(ODD_VALUES))
    read_odd(tmp_path_factory.mktemp("odd"), name, number, spot, odd)


@pytest.mark.parametrize("models", [5, "gpt-4o", {"a": 1}, [], [None], None])
def test_a_run_of_evals_that_names_no_list_of_models_is_read_all_the_same(
    models: Any, tmp_path: Path
) -> None:
    lines = (FIXTURES / "evals.jsonl").read_text("utf-8").splitlines()
    spec = json.loads(lines[0])
    spec["spec"]["completion_fns"] = models
    log = tmp_path / "evals.jsonl"
    log.write_text("\n".join([json.dumps(spec), *lines[1:]]), "utf-8")
    rows, _ = load(log)
    as_named, _ = load("evals.jsonl")
    assert [row["output"] for row in rows] == [row["output"] for row in as_named]
    assert not any("model" in row for row in rows)
