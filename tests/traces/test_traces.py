"""Traces and results are read whatever wrote them, and nothing of a hostile file gets through.

The files under fixtures/traces are written by hand from the field lists of the tools' makers.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import json
import os
import re
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from backports import zstd
from backports.zstd import zipfile as zstd_zipfile
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import CaseError, InputError, load_case
from tuneworthy.files import case as files_case
from tuneworthy.files import disk as files_disk
from tuneworthy.model import evidence as model_evidence
from tuneworthy.model.evidence import COLUMNS, Message, ToolCall
from tuneworthy.traces import mapping as traces_mapping
from tuneworthy.traces import stream as traces_stream
from tuneworthy.traces.read import TraceFiles, named
from tuneworthy.traces.stream import Limits

FIXTURES = Path(__file__).parents[1] / "fixtures" / "traces"
Row = dict[str, Any]


def load(
    *sources: Path | str, mapping: str = "", limits: Limits | None = None
) -> tuple[list[Row], tuple[model_evidence.FileReading, ...]]:
    """All traces as rows without what is missing, and what the readings say."""
    files = TraceFiles(
        sources,
        mapping=traces_mapping.mapping_from_text(mapping, "map.yaml")
        if mapping
        else None,
        limits=limits,
    )
    rows: list[Row] = []
    for chunk in files:
        columns = {name: chunk.batch.column(name) for name in COLUMNS}
        assert {len(values) for values in columns.values()} == {len(chunk.batch)}
        assert chunk.done_bytes <= chunk.total_bytes or chunk.total_bytes == 0
        for place in range(len(chunk.batch)):
            found = {name: values[place] for name, values in columns.items()}
            row = {name: value for name, value in found.items() if value is not None}
            if isinstance(passages := row.get("contexts"), Sequence):
                row["contexts"] = tuple(passages)
            rows.append(row)
    assert sum(one.traces for one in files.readings) == len(rows)
    return rows, files.readings


def one(
    path: Path, text: str | bytes, **more: Any
) -> tuple[list[Row], model_evidence.FileReading]:
    """The traces of one file with this content."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    rows, readings = load(path, **more)
    return rows, readings[0]


def why(reading: model_evidence.FileReading) -> dict[str, int]:
    """What was skipped, by reason."""
    return {each.why: each.n for each in reading.skipped}


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def without(row: Row, *names: str) -> Row:
    apart = {"messages", "finish", "provider", "listed_usd", *names}
    apart |= {"usd"} if "listed_usd" in row else set()
    return {key: value for key, value in row.items() if key not in apart}


# Our own format ---------------------------------------------------------------------------------

FULL = {
    "timestamp": "2026-11-01T00:00:10Z", "conversation_id": "c1", "turn": 1, "model": "m",
    "prompt_name": "faq", "prompt_version": "2",
    "messages": [
        {"role": "system", "content": "S"}, {"role": "user", "content": "Q0"},
        {"role": "assistant", "content": "A0"}, {"role": "user", "content": "Q1"},
    ],
    "output": "A1", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
    "contexts": [{"id": "d", "text": "passage"}], "reference": "R", "latency_s": 1.5,
    "time_to_first_token_s": 0.25, "input_tokens": 30, "output_tokens": 4, "cached_tokens": 0,
    "usd": 0.01, "error": None, "feedback": {"score": 1, "label": "up", "comment": "ok"},
}  # fmt: skip
AS_ROW = {
    "timestamp": 1793491210.0, "conversation": "c1", "turn": 1, "model": "m", "prompt": "faq 2",
    "system": "S", "input": "Q1", "output": "A1", "contexts": ("passage",), "reference": "R",
    "latency_s": 1.5, "time_to_first_token_s": 0.25, "input_tokens": 30.0, "output_tokens": 4.0,
    "cached_tokens": 0.0, "usd": 0.01, "score": 1.0, "label": "up",
    "tool_calls": (ToolCall("f", "{}"),),
}  # fmt: skip


def test_a_trace_has_every_field_of_our_format(tmp_path: Path) -> None:
    rows, reading = one(tmp_path / "t.jsonl", lines(FULL))
    assert without(rows[0]) == AS_ROW | {"contexts": ("passage",)}
    rows, reading = one(tmp_path / "t.jsonl", lines(FULL, FULL))
    assert without(rows[1]) == AS_ROW
    assert list(rows[1]["messages"]) == [
        Message("system", "S"), Message("user", "Q0"), Message("assistant", "A0"),
        Message("user", "Q1"),
    ]  # fmt: skip
    assert (reading.format, reading.traces, reading.skipped) == ("plain traces", 2, ())


def test_a_column_without_a_value_is_empty(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(lines({"output": "a"}, {"output": "b"}))
    batch = next(iter(TraceFiles([tmp_path / "t.jsonl"]))).batch
    assert batch.output == ["a", "b"]
    assert [name for name in COLUMNS if getattr(batch, name)] == ["output"]


@pytest.mark.parametrize(
    ("field", "written", "kept"),
    [
        ("latency_s", "1.5", 1.5),
        ("latency_s", -1, None),
        ("input_tokens", "many", None),
        ("timestamp", 1793491210, 1793491210.0),
        ("timestamp", 1793491210500, 1793491210.5),
        ("timestamp", "1793491210", 1793491210.0),
        ("timestamp", "2026-11-01 01:00:10.5000000+01:00", 1793491210.5),
        ("timestamp", "2026-11-01T00:00:10", 1793491210.0),
        ("timestamp", "yesterday", None),
        ("conversation_id", 17, "17"),
        ("feedback", "thumbs", None),
        ("feedback", True, 1.0),
        ("error", "", None),
        ("error", {"message": "no"}, "no"),
        ("contexts", ["a", {"page_content": "b"}], ("a", "b")),
        ("reference", ["first", "second"], "first"),
        ("turn", -1, None),
    ],
)
def test_what_another_hand_wrote_is_understood_or_missing(
    tmp_path: Path, field: str, written: Any, kept: Any
) -> None:
    column = {"conversation_id": "conversation", "feedback": "score"}.get(field, field)
    record = {"output": "x", field: written}
    for text in (lines(record, {"output": "y"}), json.dumps([record, record])):
        rows, reading = one(tmp_path / "t.jsonl", text)
        assert rows[0].get(column) == kept
        assert all(each.in_part for each in reading.skipped)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_no_number_is_missing_and_never_zero(tmp_path: Path, word: str) -> None:
    text = f'{{"output": "is NaN, Infinity", "latency_s": {word}}}\n{{"output": "b", "usd": 0}}\n'
    rows, reading = one(tmp_path / "t.jsonl", text)
    assert rows == [{"output": "is NaN, Infinity"}, {"output": "b", "usd": 0.0}]
    assert reading.skipped == ()


def test_a_text_that_ends_in_half_a_character_is_kept(tmp_path: Path) -> None:
    text = '{"output": "a \\\\ud83d b \\ud83d"}\n{"output": "\\ud83d\\ude00"}\n'
    rows, _ = one(tmp_path / "t.jsonl", text)
    assert [row["output"] for row in rows] == ["a \\ud83d b \ufffd", "\U0001f600"]


def test_a_whole_conversation_is_a_trace_for_each_answer(tmp_path: Path) -> None:
    talk = {
        "conversation_id": "c", "model": "m", "score": 1, "reference": "R",
        "messages": [
            {"role": "system", "content": "S"}, {"role": "user", "content": "Q0"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"type": "function", "function": {"name": "look", "arguments": {"k": 1}}}]},
            {"role": "tool", "content": "found"}, {"role": "assistant", "content": "A"},
            {"role": "user", "content": "bye"},
        ],
    }  # fmt: skip
    rows, reading = one(
        tmp_path / "t.jsonl", lines(talk, talk | {"conversation_id": None})
    )
    first, second = (without(row) for row in rows[:2])
    shared = {"conversation": "c", "model": "m", "system": "S"}
    call = (ToolCall("look", '{"k":1}'),)
    assert first == shared | {"turn": 0, "input": "Q0", "tool_calls": call}
    assert second == shared | {
        "turn": 1, "input": "found", "output": "A", "score": 1.0, "reference": "R"
    }  # fmt: skip
    assert [len(row["messages"]) for row in rows[:2]] == [2, 4]
    assert rows[2]["conversation"] == rows[3]["conversation"] == "t.jsonl:2"
    assert (reading.traces, reading.skipped) == (4, ())


def test_amounts_of_a_conversation_belong_to_no_single_call(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    rows, reading = one(
        tmp_path / "t.jsonl",
        lines(
            {"messages": said, "usd": 0.5, "timestamp": 0},
            {"messages": said * 2, "usd": 0.5},
        ),
    )
    assert [row.get("usd") for row in rows] == [0.5, None, None]
    assert sum(why(reading).values()) == 1


def test_a_record_without_an_answer_is_skipped_and_one_with_a_cost_is_not(
    tmp_path: Path,
) -> None:
    text = lines(
        {"output": "a"}, {"input": "q"}, {"input": "q", "error": "429"}, {"usd": 0.1}
    )
    rows, reading = one(tmp_path / "t.jsonl", text)
    assert rows == [{"output": "a"}, {"input": "q", "error": "429"}, {"usd": 0.1}]
    assert reading.skipped[0].model_dump() == {
        "why": "has no output", "n": 1, "where": ("t.jsonl:2",), "in_part": False
    }  # fmt: skip


# Other tools ------------------------------------------------------------------------------------


def test_promptfoo_results_are_read_as_its_types_say() -> None:
    rows, (reading,) = load(FIXTURES / "promptfoo-v3.json")
    assert reading.format == "promptfoo results"
    right, wrong, failed, unjudged = rows
    assert without(right, "case", "conversation") == {
        "timestamp": 1795168800.0, "model": "openai:gpt-4o-mini", "prompt": "short",
        "input": "Answer: 2+2", "output": "4", "reference": "4", "score": 1.0, "label": "pass",
        "latency_s": 1.25, "usd": 0.0005, "input_tokens": 10.0, "output_tokens": 2.0,
    }  # fmt: skip
    # From promptfoo's own cache: its time, price and tokens say nothing of the model.
    assert without(wrong, "case", "conversation") == {
        "timestamp": 1795168800.0, "model": "small one", "prompt": "with system",
        "system": "Be exact.", "input": "2+2", "output": '{"answer":5}', "reference": "4",
        "score": 0.0, "label": "fail",
    }  # fmt: skip
    assert failed["error"] == "429 Too Many Requests"
    assert "score" not in failed
    assert "score" not in unjudged
    assert right["case"] == wrong["case"] != failed["case"] == unjudged["case"]


def test_the_table_of_promptfoo_version_2_is_read(tmp_path: Path) -> None:
    rows, (reading,) = load(FIXTURES / "promptfoo-v2.json")
    assert [(row["prompt"], row["model"], row["score"], row["latency_s"]) for row in rows] == [
        ("first", "anthropic:haiku", 1.0, 0.5), ("second", "anthropic:haiku", 0.0, 0.7),
    ]  # fmt: skip
    assert rows[0]["case"] == rows[1]["case"]
    assert [row["output"] for row in rows] == ["y", "z"]
    assert reading.skipped == ()


def test_cases_that_share_their_variables_stay_apart(tmp_path: Path) -> None:
    data = json.loads((FIXTURES / "promptfoo-v3.json").read_text())
    for row in data["results"]["results"]:
        row["testCase"]["vars"] = {"q": "same"}
    rows, _ = one(tmp_path / "p.json", json.dumps(data))
    assert rows[0]["case"] == rows[1]["case"]
    assert rows[2]["case"] == rows[3]["case"] == f"{rows[0]['case']}#2"


def test_langfuse_generations_are_traces_and_spans_are_not() -> None:
    rows, (reading,) = load(FIXTURES / "langfuse.json")
    assert reading.format == "Langfuse observations"
    assert why(reading) == {"is not a call to a model": 1}
    answer, failed, call = rows
    times = {
        key: pytest.approx(answer[key])
        for key in ("latency_s", "time_to_first_token_s")
    }
    assert without(answer) == {
        "timestamp": 1793606400.0, "conversation": "s1", "model": "gpt-4o", "prompt": "support 7",
        "system": "Be kind.", "input": "Where is my parcel?", "output": "On its way.",
        "input_tokens": 100.0, "cached_tokens": 40.0, "output_tokens": 12.0, "usd": 0.003,
    } | times  # fmt: skip
    assert (answer["latency_s"], answer["time_to_first_token_s"]) == pytest.approx(
        (2.5, 0.4)
    )
    assert without(failed) == {
        "timestamp": 1793610000.0, "conversation": "t2", "input": "Hello",
        "error": "timed out", "latency_s": 30.0,
    }  # fmt: skip
    assert (call["tool_calls"], call.get("output")) == (
        (ToolCall("cancel", '{"id": 4}'),),
        None,
    )


def test_spans_of_a_model_are_traces_with_or_without_text() -> None:
    rows, (reading,) = load(FIXTURES / "otel.jsonl")
    assert reading.format == "OpenTelemetry GenAI"
    assert why(reading) == {"is not a call to a model": 1}
    assert without(rows[0]) == {
        "timestamp": 1790856000.0, "conversation": "c9", "model": "gpt-4o-2024-08-06",
        "prompt": "faq 3", "system": "Answer briefly.", "input": "Open on Sunday?",
        "output": "No.", "latency_s": 1.25, "time_to_first_token_s": 0.3, "input_tokens": 100.0,
        "output_tokens": 20.0, "cached_tokens": 64.0,
    }  # fmt: skip
    assert without(rows[1]) == {
        "model": "gpt-4o", "input": "Old question", "output": "Old answer", "input_tokens": 9.0,
        "output_tokens": 3.0,
    }  # fmt: skip
    assert without(rows[2]) == {
        "model": "gpt-4o",
        "input_tokens": 50.0,
        "output_tokens": 5.0,
    }
    assert (rows[3]["system"], rows[3]["input"], rows[3]["output"]) == ("S", "U", "A")


def test_an_otlp_export_is_read_span_by_span() -> None:
    rows, (reading,) = load(FIXTURES / "otlp.json")
    assert why(reading) == {"is not a call to a model": 1}
    assert without(rows[0]) == {
        "timestamp": 1790856000.0, "conversation": "5b8efff798038103d269b633813fc60c",
        "input": "Ping?", "tool_calls": (ToolCall("pong", '{"n":1}'),), "latency_s": 0.75,
        "error": "too slow",
    }  # fmt: skip


def test_examples_to_train_on_are_read_in_every_shape() -> None:
    rows, (reading,) = load(FIXTURES / "chat.jsonl")
    assert reading.format == "OpenAI chat"
    assert [(row.get("input"), row.get("output")) for row in rows] == [
        ("Hi", "Hello!"), ("Size\n42?", None), ("3 left", "Three left."),
        ("Which is better?", "It depends."), ("The sky is", " blue."), ("Colour?", "Blue."),
    ]  # fmt: skip
    assert {row.get("conversation") for row in rows[:3]} == {"chat.jsonl:1"}
    assert why(reading) == {"has no output": 1}


def test_an_inspect_log_gives_scores_tokens_and_repeats_of_a_case() -> None:
    rows, (reading,) = load(FIXTURES / "inspect.json")
    assert reading.format == "Inspect log, scored by match, the first of several"
    assert why(reading) == {"has no output": 1}
    shared = {"timestamp": 1788220800.0, "model": "openai/small"}
    assert without(rows[0]) == shared | {
        "case": "sums:a", "conversation": "sums:a", "system": "Only the number.", "input": "1+1",
        "output": "2", "reference": "2", "score": 1.0, "label": "C", "latency_s": 0.5,
        "input_tokens": 15.0, "output_tokens": 2.0, "cached_tokens": 5.0,
    }  # fmt: skip
    assert "score" not in rows[1]  # NaN is unscored, never zero
    assert (rows[1]["case"], rows[1]["output"]) == ("sums:a", "3")
    assert without(rows[2]) == shared | {
        "case": "sums:b", "conversation": "sums:b", "input": "2+2", "output": "4",
        "reference": "4", "score": 0.5, "label": "P", "latency_s": 3.0, "input_tokens": 40.0,
        "output_tokens": 8.0, "cached_tokens": 16.0,
    }  # fmt: skip
    assert (rows[3]["error"], "score" in rows[3]) == ("boom", False)


def as_eval(
    path: Path, log: dict[str, Any], method: int = zipfile.ZIP_DEFLATED
) -> None:
    """The log as the archive that Inspect writes, today with members packed by zstd."""
    with zstd_zipfile.ZipFile(path, "w", method) as archive:
        header = {key: value for key, value in log.items() if key != "samples"}
        archive.writestr("header.json", json.dumps(header))
        for sample in log["samples"]:
            name = f"samples/../../{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, json.dumps(sample))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zstd_zipfile.ZIP_ZSTANDARD])
def test_an_eval_archive_gives_what_its_log_gives(tmp_path: Path, method: int) -> None:
    log = json.loads((FIXTURES / "inspect.json").read_text())
    as_eval(tmp_path / "log.eval", log, method)
    inside, (reading,) = load(tmp_path / "log.eval")
    outside, _ = load(FIXTURES / "inspect.json")
    assert [*map(without, inside)] == [*map(without, outside)]
    assert (
        reading.digest
        == hashlib.sha256((tmp_path / "log.eval").read_bytes()).hexdigest()
    )
    assert [path.name for path in tmp_path.iterdir()] == ["log.eval"]


# Mappings and tables ----------------------------------------------------------------------------


def test_a_mapping_reads_any_json(tmp_path: Path) -> None:
    mapping = """
each: run.calls
output: answer[0].text
contexts: found[].passage
conversation_id: [who, "n"]
model: {value: mine}
label: kind.of
answerable: {path: "marks[0]", values: {FULL: yes, NONE: no}}
input: gen_ai.question
"""
    calls = [
        {
            "answer": [{"text": "A"}], "found": [{"passage": "p"}, {}, {"passage": "q"}],
            "who": "u", "n": 3, "kind": {"of": "x"}, "marks": ["NONE"], "gen_ai.question": "Q",
        },
        {"answer": [{"text": "B"}], "marks": ["HALF"]},
        7,
    ]  # fmt: skip
    text = json.dumps({"run": {"calls": calls}}, indent=2)
    rows, reading = one(tmp_path / "any.json", text, mapping=mapping)
    assert rows == [
        {
            "output": "A", "contexts": ("p", "q"), "conversation": "u 3", "model": "mine",
            "label": "x", "answerable": False, "input": "Q",
        },
        {"output": "B", "model": "mine"},
    ]  # fmt: skip
    assert why(reading) == {"isn't an object": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("outptu: a", 'map.yaml:1: "outptu" is not a field. Did you mean "output"?'),
        ("output: a..b", "Write a path such as"),
        ("output:", "has no path"),
        ("each: a", "maps no field"),
        ("- a", "is not a mapping"),
        ("", "is not a mapping"),
        ("output: {pth: a}", 'Did you mean "path"?'),
        ("output: 'a]'", "output has no path"),
        ("output: a" + "[]" * 40, "too long a path"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_word_that_was_meant(
    text: str, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        traces_mapping.mapping_from_text(text, "map.yaml")
    assert says in str(caught.value)


def test_a_wrong_file_given_as_a_mapping_is_not_quoted(tmp_path: Path) -> None:
    for text in (
        '{"sk-SECRET0123": 1}',
        'sk-SECRET0123: "x\\u001b[31m"',
        "{output: a, sk-" + "SECRET0123" * 9 + "\u202e: b}",
    ):
        (tmp_path / "m").write_text(text)
        with pytest.raises(InputError) as caught:
            traces_mapping.read_mapping(tmp_path / "m")
        told = str(caught.value)
        assert told.count("SECRET0123") <= (3 if "output" in text else 0), told
        assert "\u202e" not in told
        assert len(told) < 250 + len(str(tmp_path))


def test_a_mapping_file_is_known_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("output: a\n")
    assert (
        traces_mapping.read_mapping(tmp_path / "m.yaml").digest
        == hashlib.sha256(b"output: a\n").hexdigest()
    )


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_table_of_text_is_read_by_its_usual_names(tmp_path: Path, sign: str) -> None:
    text = (
        sign.join(("TIMESTAMP", "ContextTokens", "GeneratedTokens", "Other")) + "\r\n"
    )
    text += sign.join(("2026-11-01 00:00:10.1234567", "4808", "10", '"=1+1"')) + "\r\n"
    rows, reading = one(tmp_path / "t.csv", text)
    assert rows == [
        {"timestamp": 1793491210.123457, "input_tokens": 4808.0, "output_tokens": 10.0}
    ]
    assert reading.format == "CSV"


def test_a_table_keeps_text_as_it_stands(tmp_path: Path) -> None:
    text = 'conversation_id,output\n007,"=HYPERLINK(""x"")\nsecond line"\n'
    rows, _ = one(tmp_path / "t.csv", "\ufeff" + text)
    assert rows == [{"conversation": "007", "output": '=HYPERLINK("x")\nsecond line'}]


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def test_parquet_is_read_by_our_names_or_by_a_mapping(tmp_path: Path) -> None:
    query = (
        "SELECT 'A' AS output, [{'role': 'user', 'content': 'Q'}] AS messages, "
        "TIMESTAMPTZ '2026-11-01 00:00:10+00' AS timestamp, 'NaN'::DOUBLE AS latency_s, "
        "0.25::DECIMAL(5, 2) AS usd, 7 AS turn"
    )
    parquet(
        tmp_path / "a 1.parquet",
        "SELECT 'another file, that a pattern finds' AS output",
    )
    rows, (reading,) = load(parquet(tmp_path / "a [1]*.parquet", query))
    assert [without(row) for row in rows] == [
        {"output": "A", "input": "Q", "timestamp": 1793491210.0, "usd": 0.25, "turn": 7}
    ]
    assert (reading.format, reading.traces) == ("Parquet", 1)
    rows, _ = load(
        parquet(tmp_path / "b.parquet", "SELECT 'x' AS said"), mapping="output: said"
    )
    assert rows == [{"output": "x"}]


@pytest.mark.slow
def test_parquet_of_any_type_is_what_json_of_it_is(tmp_path: Path) -> None:
    query = """SELECT 'A' || i AS output, 'Q' AS input, i::HUGEINT AS input_tokens,
        (i / 4)::DECIMAL(9, 3) AS usd, '{"score": 0.5}'::JSON AS feedback,
        [{'text': 'P' || i, 'at': DATE '2026-11-01'}] AS contexts, 'm'::ENUM('m', 'n') AS model,
        TIMESTAMP '2026-11-01 00:00:10.5' AS timestamp, 'inf'::FLOAT AS latency_s,
        MAP {'text': 'R'} AS reference, i % 2 = 0 AS answerable,
        [{'name': 'f', 'arguments': {'a': i}}] AS tool_calls, 'x'::BLOB AS finish,
        i AS "a""b;--", NULL AS "messages" FROM range(2500) each(i)"""
    path = parquet(tmp_path / "a.parquet", query)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{tmp_path / 'a.jsonl'}'")
    rows, (reading,) = load(path)
    assert reading.traces == 2500
    assert rows == load(tmp_path / "a.jsonl")[0]
    assert {"usd", "contexts", "tool_calls", "input_tokens", "score"} <= rows[7].keys()


@pytest.mark.slow
def test_columns_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    query = (
        "SELECT 'A' || i AS output, md5(i::VARCHAR) AS junk FROM range(130000) each(i)"
    )
    path = parquet(tmp_path / "a.parquet", query)
    with duckdb.connect() as connection:
        asked = "SELECT data_page_offset, total_compressed_size FROM parquet_metadata(?) WHERE "
        which = "row_group_id > 0 AND path_in_schema = 'junk'"
        chunks = connection.execute(asked + which, [str(path)]).fetchall()
    data = bytearray(path.read_bytes())
    for start, size in chunks:
        data[start : start + size] = b"\xff" * size
    rows, _ = one(tmp_path / "b.parquet", bytes(data))
    assert chunks
    assert len(rows) == 130_000


@pytest.mark.slow
def test_a_long_value_that_a_parquet_file_names_often_is_held_a_few_times(
    tmp_path: Path,
) -> None:
    query = "SELECT repeat('x', 1048576) AS output FROM range(200)"
    path = parquet(tmp_path / "a.parquet", query)
    assert path.stat().st_size < 2**18
    tracemalloc.start()
    try:
        rows = [
            sum(len(one or "") for one in chunk.batch.output)
            for chunk in TraceFiles([path])
        ]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(rows) == 200 * 2**20
    assert peak < 80 * 2**20
    files = TraceFiles([path], limits=Limits(line_bytes=2**19))
    with pytest.raises(InputError):
        list(files)


@pytest.mark.slow
def test_a_row_group_is_not_held_whole_and_one_that_is_too_large_says_so(
    tmp_path: Path,
) -> None:
    text = " || ".join(f"md5((i * 8 + {n})::VARCHAR)" for n in range(8))  # packs badly
    query = (
        f"SELECT {text} AS output, reverse({text}) AS input FROM range(120000) each(i)"
    )
    # 59 MiB, one row group, one page a column
    path = parquet(tmp_path / "a.parquet", query)
    files = TraceFiles([path], limits=Limits(memory_mib=128))
    assert sum(len(chunk.batch) for chunk in files) == 120_000
    files = TraceFiles([path], limits=Limits(memory_mib=32))
    with pytest.raises(
        InputError, match=r"more than the 32 MiB .* in smaller row groups"
    ):
        list(files)


def test_a_broken_parquet_file_is_one_line_of_words(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "a.parquet", "SELECT 'A' AS output").read_bytes()
    with pytest.raises(InputError, match=r"can't be read"):
        one(tmp_path / "b.parquet", whole[:-9])


# Packed, many, named ----------------------------------------------------------------------------

CHECKED: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
}
PLAIN_TEXT = lines(*({"output": f"answer {n}", "turn": n} for n in range(3)))
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip twice": lambda data: (
        gzip.compress(data[:20]) + gzip.compress(data[20:]) + b"\0" * 9
    ),
    "zstd": zstd.compress,
    "zip": lambda data: zipped({"any name.bin": data}),
    "as it is": bytes,
    "with a mark": lambda data: b"\xef\xbb\xbf" + data,
    "with CRLF and blanks": lambda data: b"\r\n" + data.replace(b"\n", b"\r\n\r\n"),
    "without the last end": lambda data: data[:-1],
}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("way", PACKED)
def test_a_file_is_the_same_however_it_is_packed(tmp_path: Path, way: str) -> None:
    data = PACKED[way](PLAIN_TEXT.encode())
    rows, reading = one(tmp_path / "x", data)
    assert [row["output"] for row in rows] == ["answer 0", "answer 1", "answer 2"]
    assert (reading.digest, reading.size) == (
        hashlib.sha256(data).hexdigest(),
        len(data),
    )
    assert reading.skipped == ()


def test_a_packed_file_that_is_cut_off_says_so_and_keeps_what_it_has(
    tmp_path: Path,
) -> None:
    text = lines(
        *({"output": hashlib.sha256(bytes([n])).hexdigest()} for n in range(200))
    )
    rows, reading = one(tmp_path / "x.gz", gzip.compress(text.encode())[:-3000])
    assert 0 < len(rows) < 200
    assert why(reading) == {"is cut off": 1}


def test_a_zstd_file_cut_between_two_blocks_is_cut_off_and_not_empty(
    tmp_path: Path,
) -> None:
    text = lines(
        *({"output": hashlib.sha512(n.to_bytes(2)).hexdigest()} for n in range(4000))
    )
    whole = zstd.compress(text.encode(), options=CHECKED)
    rows, reading = one(tmp_path / "whole.zst", whole + whole)
    assert (len(rows), why(reading)) == (8000, {})
    ends = block_ends(whole)
    assert len(ends) > 3
    # the first two blocks are whole; of the third, and of the checksum, something lacks
    for cut in (ends[1], ends[2] - 1, len(whole) - 1):
        rows, reading = one(tmp_path / "cut.zst", whole[:cut])
        assert 0 < len(rows) <= 4000
        assert why(reading) == {"is cut off": 1}
    with pytest.raises(InputError, match="is cut off before its first record"):
        one(tmp_path / "head.zst", whole[: ends[0] - 1])
    rows, reading = one(tmp_path / "second.zst", whole + whole[: ends[0]])
    assert len(rows) > 4000
    assert why(reading) == {"is cut off": 1}


def block_ends(frame: bytes) -> list[int]:
    """Where the blocks of a zstd frame end (RFC 8878, 3.1.1)."""
    alone, size = frame[4] >> 5 & 1, (0, 2, 4, 8)[frame[4] >> 6]
    at, found, last = 6 - alone + (size or alone), [], False
    while not last:
        block = int.from_bytes(frame[at : at + 3], "little")
        last = bool(block & 1)
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        found.append(at)
    return found


@given(
    st.binary(max_size=3000),
    st.integers(1, 3),
    st.booleans(),
    st.integers(0, 40),
    st.data(),
)
def test_a_zstd_stream_is_torn_wherever_it_is_cut_and_nowhere_else(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    frames: int,
    checked: bool,
    skipped: int,
    draw: st.DataObject,
) -> None:
    one_frame = zstd.compress(data, options=CHECKED if checked else None)
    beside = b"\x50\x2a\x4d\x18" + skipped.to_bytes(4, "little") + bytes(skipped)
    whole = (one_frame + beside) * frames
    cut = draw.draw(st.integers(0, len(whole)))
    step = draw.draw(st.integers(1, 700))
    path = tmp_path_factory.getbasetemp() / "torn.zst"
    path.write_bytes(whole[:cut])
    raw = traces_stream.Raw(path)
    watched = traces_stream.Unpacked(traces_stream.Ahead(raw), raw, Limits())
    while watched.read(step):
        pass
    raw.close()
    turn = len(one_frame) + len(beside)
    assert watched.torn is (cut % turn not in {0, len(one_frame)})


def test_files_are_read_once_and_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text(lines({"output": name}, {"output": name}))
    (tmp_path / "notes.txt").write_text("nothing to see")
    rows, readings = load(str(tmp_path / "*.jsonl"), tmp_path / "a.jsonl")
    assert [row["output"] for row in rows] == ["a.jsonl"] * 2 + ["b.jsonl"] * 2
    rows, readings = load(tmp_path)
    assert [(one.name, one.traces) for one in readings] == [
        ("a.jsonl", 2), ("b.jsonl", 2), ("notes.txt", 0)
    ]  # fmt: skip
    assert why(readings[2]) == {"isn't recognised": 1}
    again = TraceFiles(sorted(tmp_path.iterdir()), searched=True)
    assert sum(len(chunk.batch) for chunk in again) == 4
    with pytest.raises(InputError, match="isn't recognised"):
        load(*sorted(tmp_path.iterdir()))
    with pytest.raises(InputError, match="isn't recognised"):
        load(str(tmp_path / "*.txt"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(lines({"output": "other"}))
    _, readings = load(tmp_path / "a.jsonl", tmp_path / "in")
    assert [one.name for one in readings] == ["a.jsonl", "a.jsonl (2)"]


def test_batches_are_bounded_and_progress_reaches_the_end(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(
        json.dumps([{"output": str(n)} for n in range(10)])
    )
    files = TraceFiles([tmp_path / "t.json"], limits=Limits(batch_traces=4))
    chunks = list(files)
    assert [len(chunk.batch) for chunk in chunks] == [4, 4, 2]
    assert (
        chunks[-1].done_bytes
        == chunks[-1].total_bytes
        == (tmp_path / "t.json").stat().st_size
    )


def a_case(folder: Path, data: str) -> Any:
    (folder / "case.yaml").write_text(f"name: x\ndata: {data}\n")
    return load_case(folder)


def test_a_case_names_files_inside_its_folder_only(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.jsonl", tmp_path / "case"
    folder.mkdir()
    outside.write_text(PLAIN_TEXT)
    (folder / "logs").mkdir()
    (folder / "logs" / "one.jsonl").write_text(PLAIN_TEXT)
    case = a_case(folder, "{traces: [logs/*.jsonl, logs], examples: logs/one.jsonl}")
    assert [path.name for path in named(case, "traces")] == ["one.jsonl"]
    assert [path.name for path in named(case, "examples")] == ["one.jsonl"]
    assert named(case, "evaluation") == ()
    with pytest.raises(CaseError, match=r"case\.yaml:2: .*holds no file"):
        named(a_case(folder, "{traces: [logs/*.gz]}"), "traces")
    (folder / "logs" / "two.jsonl").symlink_to(outside)
    for pattern in ("logs/*.jsonl", "logs", "logs/two.jsonl"):
        with pytest.raises(CaseError, match="leads out of the case folder"):
            named(a_case(folder, f"{{traces: ['{pattern}']}}"), "traces")


def test_a_search_of_any_depth_follows_no_link_to_a_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "case", tmp_path / "outside"
    for place in (folder / "a" / "b", folder / ".hidden", outside):
        place.mkdir(parents=True)
        (place / "t.jsonl").write_text(PLAIN_TEXT)
    (folder / "a" / ".t.jsonl").write_text(PLAIN_TEXT)
    (folder / "out").symlink_to(outside)
    (folder / "root").symlink_to("/")
    (folder / "linked.jsonl").symlink_to(folder / ".hidden" / "t.jsonl")
    for name in ("round", "again"):
        (folder / name).symlink_to(".")
    for pattern in ("**/*.jsonl", "**/**/*.jsonl", "**/a/**/*.jsonl", "**"):
        case = a_case(folder, f"{{traces: ['{pattern}']}}")
        assert not files_case.missing_entries(case)
        found = {path.relative_to(folder).as_posix() for path in named(case, "traces")}
        assert "a/b/t.jsonl" in found
        assert found <= {"a/b/t.jsonl", "linked.jsonl", "case.yaml"}
        assert ("linked.jsonl" in found) == ("a/" not in pattern)
    with pytest.raises(CaseError, match="leads out of the case folder"):
        named(a_case(folder, "{traces: ['*/t.jsonl']}"), "traces")


def test_links_that_lead_round_do_not_multiply_a_search(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(".")
    case = a_case(tmp_path, f"{{traces: ['{'*/' * 40}*.jsonl']}}")
    assert list(files_case.missing_entries(case)) == ["data.traces[1]"]
    (tmp_path / "t.jsonl").write_text(PLAIN_TEXT)
    assert [path.name for path in named(case, "traces")] == ["t.jsonl"]


@given(st.data())
def test_patterns_mean_what_they_do_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("[x]")
    names = st.sampled_from(["a", "b", ".c", "a.b"])
    for parts in data.draw(
        st.lists(st.lists(names, min_size=1, max_size=3), max_size=6)
    ):
        place = folder.joinpath(*parts[:-1])
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            (place / parts[-1]).touch()
    pieces = st.sampled_from(["*", "**", "a", "?", ".*", "[ab]*", "*.b", "a*"])
    pattern = "/".join(data.draw(st.lists(pieces, min_size=1, max_size=4)))
    told = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207  # what is tested
    # it names others too
    meant = {Path(one) for one in told if (folder / one.rstrip("/")).exists()}
    found = {one.relative_to(folder) for one in files_disk.matching(pattern, folder)}
    assert found - {Path()} == meant - {Path()}


# Hostile files ----------------------------------------------------------------------------------

GOOD = "".join(f'{{"output": "good {n}"}}\n' for n in range(30))


def reading_s(path: Path, size: int) -> float:
    """Seconds of CPU until one line of a size is refused."""
    path.write_bytes(b'{"input": "' + b"a" * size + b'", "output": "b"}\n')
    files = TraceFiles([path], limits=Limits(document_bytes=size // 2))
    begun = time.process_time()
    with pytest.raises(InputError, match=r"is one JSON value of more than 16 MiB"):
        list(files)
    return time.process_time() - begun


@pytest.mark.slow
def test_a_line_of_any_length_is_refused_in_time_that_grows_with_it_alone(
    tmp_path: Path,
) -> None:
    """Of 300 MB there once was no answer in a minute: each piece was copied with all before it."""
    small = reading_s(tmp_path / "a.jsonl", 40 << 20)
    assert reading_s(tmp_path / "b.jsonl", 160 << 20) < 10 * small + 0.5


SMALL = Limits(line_bytes=4096, document_bytes=100_000, unpacked_free_bytes=100_000)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"output": "half', "isn't JSON"),
        (b'{"output": "caf\xe9"}', "isn't UTF-8"),
        (b'{"output": ' + b"[" * 1500 + b"]" * 1500 + b"}", "is nested too deeply"),
        (b'{"output": "' + b"x" * 9000 + b'"}', "is a line that is too long"),
        (b'["output"]', "isn't an object"),
        (b'{"output": 1e999}', "holds a number that is too large"),
        (b'{"thing": 1}', "has no output"),
        (b"\x00\x01\x02", "isn't JSON"),
    ],
)
@pytest.mark.parametrize("form", ["plain", "mapped"])
def test_a_bad_line_is_counted_with_its_place_and_no_good_one_is_lost(
    tmp_path: Path, bad: bytes, reason: str, form: str
) -> None:
    text = GOOD.encode() + bad + b"\n" + GOOD.encode()
    mapping = "output: output" if form == "mapped" else ""
    rows, reading = one(tmp_path / "t.jsonl", text, limits=SMALL, mapping=mapping)
    assert [row["output"] for row in rows] == [f"good {n}" for n in range(30)] * 2
    assert [(each.why, each.n, each.where) for each in reading.skipped] == [
        (reason, 1, ("t.jsonl:31",))
    ]


def test_a_last_line_that_is_cut_off_is_no_broken_one(tmp_path: Path) -> None:
    _, reading = one(tmp_path / "t.jsonl", GOOD + '{"output": "ha')
    assert why(reading) == {"is cut off": 1}
    assert reading.traces == 30


@pytest.mark.parametrize("form", ["plain", "mapped", "odd", "table"])
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("input_tokens", -5, "has an amount below zero, which is left out"),
        ("usd", -0.01, "has an amount below zero, which is left out"),
        ("timestamp", 2e9, "has a time that is still to come, which is left out"),
    ],
)
def test_a_value_that_can_not_be_is_left_out_and_counted_with_its_line(
    tmp_path: Path, field: str, value: float, reason: str, form: str
) -> None:
    told = [
        {"output": f"a{n}", "timestamp": 1.7e9, "input_tokens": 9, "usd": 0.5}
        for n in range(40)
    ]
    told[30][field] = value
    if form == "odd":  # a line that is read leniently
        told[0]["input_tokens"] = "9"
    text = lines(*told)
    if form == "table":
        text = "output,timestamp,input_tokens,usd\n" + "".join(
            f"{row['output']},{row['timestamp']},{row['input_tokens']},{row['usd']}\n"
            for row in told
        )
    mapping = (
        "".join(f"{name}: {name}\n" for name in told[0]) if form == "mapped" else ""
    )
    limits = Limits(until_s=1.8e9)
    rows, reading = one(tmp_path / "t", text, limits=limits, mapping=mapping)
    line = 32 if form == "table" else 31
    assert [(s.why, s.n, s.where, s.in_part) for s in reading.skipped] == [
        (reason, 1, (f"t:{line}",), True)
    ]
    assert reading.traces == len(rows) == 40
    assert [field in row for row in rows].count(False) == 1
    assert field not in rows[30]
    assert rows[30]["output"] == "a30"


@pytest.mark.parametrize("fixture", ["langfuse.json", "promptfoo-v3.json"])
def test_amounts_below_zero_of_any_tool_are_counted(
    tmp_path: Path, fixture: str
) -> None:
    text = (FIXTURES / fixture).read_text()
    text = re.sub(r'("input"|"prompt"): (?=[1-9])', r"\1: -", text)
    _, reading = one(tmp_path / "t", text)
    assert why(reading)["has an amount below zero, which is left out"] >= 1


def test_a_gigantic_line_is_skipped_wherever_it_stands(tmp_path: Path) -> None:
    giant = '{"output": "' + "x" * 3_000_000 + '"}\n'
    for text in (giant + GOOD, GOOD + giant + GOOD, GOOD + giant[:-1]):
        rows, reading = one(tmp_path / "t.jsonl", text, limits=SMALL)
        assert len(rows) == text.count("good")
        assert why(reading) == {"is a line that is too long": 1}


def test_a_file_with_too_many_broken_lines_is_refused(tmp_path: Path) -> None:
    broken = "{broken\n"
    _, reading = one(tmp_path / "t.jsonl", GOOD + broken * 20)
    assert why(reading) == {"isn't JSON": 20}
    with pytest.raises(InputError, match=r"21 broken records of 51.*t\.jsonl:31"):
        one(tmp_path / "t.jsonl", GOOD + broken * 21)
    _, reading = one(tmp_path / "t.jsonl", GOOD * 10 + broken * 21)
    assert len(reading.skipped[0].where) == 10


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        ('{"output": "x"}'.encode("utf-16"), "is UTF-16 text. Save it as UTF-8"),
        ('{"output": "x"}'.encode("utf-16-le"), "is UTF-16 text"),
        ('{"output": "x"}'.encode("utf-16-be"), "is UTF-16 text"),
        ('{"output": "x"}'.encode("utf-32"), "is UTF-32 text. Save it as UTF-8"),
        ('{"output": "x"}'.encode("utf-32-le"), "is UTF-32 text"),
        ('{"output": "x"}'.encode("utf-32-be"), "is UTF-32 text"),
        (b"hello\nworld\n", "isn't recognised. What is understood: plain traces"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "isn't recognised"),
        (b'{"a": 1}\n{"a": 2}\n', "isn't recognised"),
        (b'{"a": 1}', "isn't recognised"),
        (b"[1, 2]", "isn't recognised"),
        (b"[]", "isn't recognised"),
        (b"a,b\n1,2\n", "isn't recognised"),
        (b'[{"output": "x"}, ', "is cut off"),
        (b'{"output": "x"', "is cut off"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"input": "q"}\n{"contexts": []}\n', "holds no trace (2 have no output)"),
        (b'{"output": "x"}' * 9, "isn't JSON"),
        (b'[{"output": "' + b"x" * 200_000 + b'"}]', "is one JSON value of more than"),
        (b"\x1f\x8b\x08\0 broken", "can't be unpacked as gzip"),
        (b"\x28\xb5\x2f\xfd broken", "can't be unpacked as zstd"),
        (b"PK\x03\x04 broken", "can't be unpacked"),
        (b"PAR1 broken", "can't be read"),
        (gzip.compress(gzip.compress(GOOD.encode())), "isn't recognised"),
        (
            gzip.compress(b'{"output": "' + b"x" * 9_000_000),
            "unfolds to more than 400 times",
        ),
        (
            zstd.compress(GOOD.encode() + b" " * 9_000_000),
            "unfolds to more than 400 times",
        ),
        (
            zipped({"a": b'{"output": "' + b"x" * 9_000_000}),
            "unfolds to more than 400 times",
        ),
        (zipped({"header.json": b"no"}), "has no readable header"),
        (zipped({"../../evil": b"text"}), "isn't recognised"),
        (zipped({}), "isn't recognised"),
        (b'a,output\n1,"' + b"x" * 9000, "can't be read as CSV"),
    ],
)
def test_a_file_that_is_no_use_gets_one_line_with_the_fix(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        one(tmp_path / "t", content, limits=SMALL)
    told = str(caught.value)
    assert says in told
    assert told.startswith(str(tmp_path / "t"))
    assert "\n" not in told
    assert os.listdir(tmp_path) == ["t"]  # noqa: PTH208  # a list is what is compared


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    for source, says in (
        (tmp_path / "fifo", "is not a file"),
        (Path("/dev/zero"), "is not a file"),
        (tmp_path / "empty", "holds no file"),
        (tmp_path / "missing", "does not exist"),
        (str(tmp_path / "*.gone"), "holds no file"),
        ("nul\0name", "can't be read"),
    ):
        with pytest.raises(InputError, match=says):
            load(source)
    with pytest.raises(InputError, match="nothing to read"):
        load()


def test_a_name_is_a_name_and_no_query(tmp_path: Path) -> None:
    name = "x'); COPY (SELECT 1) TO 'out"
    query = "SELECT 'A' AS output"
    parquet(tmp_path / "a.parquet", query).rename(tmp_path / name)
    rows, _ = load(tmp_path / name)
    assert rows == [{"output": "A"}]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def attempt(path: Path) -> tuple[list[Row], str]:
    """What a file gives, or the one line that refuses it."""
    try:
        return load(path)[0], ""
    except InputError as caught:
        told = str(caught)
    return [], told if "\n" not in told else ""


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_bytes_behind_a_good_file_lose_none_of_its_lines(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("tail") / "t.jsonl"
    path.write_bytes(GOOD.encode() * 8 + tail)
    rows, readings = load(path)
    assert [row["output"] for row in rows[:240]] == [f"good {n}" for n in range(30)] * 8
    assert readings[0].digest == hashlib.sha256(path.read_bytes()).hexdigest()


@given(st.binary(max_size=200), st.sampled_from(sorted(path.name for path in FIXTURES.iterdir())),
       st.floats(0, 1))  # fmt: skip
def test_a_damaged_file_of_any_tool_gives_traces_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, fixture: str, where: float
) -> None:
    data = (FIXTURES / fixture).read_bytes()
    place = int(where * len(data))
    path = tmp_path_factory.mktemp("damaged") / fixture
    path.write_bytes(data[:place] + noise + data[place + len(noise) :])
    rows, told = attempt(path)
    assert rows or told


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=True) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["role", "content", "messages", "type", "text", "attributes", "value", "function",
             "name", "arguments", "score", "0"]
        ), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
KEYS = st.sampled_from(
    [*FULL, "score", "case", "answerable", "input", "system", "preferred_output", "prompt",
     "completion", "traceId", "startTime", "usageDetails", "costDetails", "type", "level",
     "attributes", "events", "status", "gen_ai.input.messages", "gen_ai.completion",
     "resourceSpans", "results", "config", "table", "eval", "samples", "plan"]
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(st.dictionaries(KEYS, JSON, max_size=8), min_size=1, max_size=4))
def test_values_of_any_kind_in_any_field_give_traces_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, text in (("a", lines(*records)), ("b", json.dumps(records))):
        (folder / name).write_text(text)
        rows, told = attempt(folder / name)
        assert rows or told
        for row in rows:
            assert all(isinstance(row.get(key, ""), str) for key in ("output", "input"))
            assert isinstance(row.get("score", 0.0), float)


# What others have published ---------------------------------------------------------------------


def test_the_real_inspect_logs_are_read_as_a_user_would(shared: Path) -> None:
    rows, readings = load(shared / "real" / "inspect_logs")
    assert [one.traces for one in readings] == [1, 3, 3, 0, 0]
    assert [row["score"] for row in rows] == [1, 1, 1, 0, 1, 1, 1]
    # By hand, from the first file: several answers, so the tokens and the time of the sample.
    assert (rows[0]["input_tokens"], rows[0]["output_tokens"]) == (15235, 281)
    assert (rows[0]["cached_tokens"], rows[0]["latency_s"]) == (9088, 18.517)
    # From the third: one answer, so the call's own; the grader's tokens don't count.
    assert (rows[4]["input_tokens"], rows[4]["output_tokens"]) == (61, 17)


def test_tau_bench_is_read_by_a_mapping(shared: Path) -> None:
    mapping = "messages: traj\nscore: reward\nconversation_id: [task_id, trial]\n"
    path = shared / "real" / "tau_bench" / "gpt-4o-airline.json"
    rows, (reading,) = load(path, mapping=mapping)
    assert len(rows) == 2454
    assert sum(len(row.get("tool_calls", ())) for row in rows) == 1164
    assert (
        len({row["conversation"] for row in rows})
        == sum("score" in row for row in rows)
        == 200
    )
    assert {len(row["system"]) for row in rows} == {6155}
    assert reading.skipped == ()


@pytest.mark.slow
def test_azure_traffic_has_a_clock_and_tokens(shared: Path) -> None:
    rows, (reading,) = load(
        shared / "real" / "azure_llm" / "AzureLLMInferenceTrace_conv.csv"
    )
    assert (len(rows), reading.skipped) == (19366, ())
    assert rows[0] == {
        "timestamp": pytest.approx(1700158546.68059), "input_tokens": 374.0, "output_tokens": 44.0
    }  # fmt: skip


def test_mtrag_is_read_by_a_mapping(shared: Path) -> None:
    mapping = (
        "messages: input\noutput: targets[0].text\ncontexts: contexts[].text\n"
        "conversation_id: conversation_id\nturn: turn\n"
        "answerable: {path: 'answerability[0]', values: {ANSWERABLE: yes, UNANSWERABLE: no}}\n"
    )
    path = shared / "real" / "mtrag" / "reference.jsonl"
    rows, (reading,) = load(path, mapping=mapping)
    assert (len(rows), reading.skipped) == (507, ())
    labels = [
        json.loads(line)["answerability"][0] for line in path.read_text().splitlines()
    ]
    wanted = [
        {"ANSWERABLE": True, "UNANSWERABLE": False}.get(label) for label in labels
    ]
    assert [row.get("answerable") for row in rows] == wanted
    assert rows[0]["turn"] == 7


# What takes more memory than it has bytes


@pytest.mark.slow
def test_a_record_of_nothing_but_brackets_is_skipped(tmp_path: Path) -> None:
    """Each pair of them takes thirty times its two bytes, in either reader."""
    hollow = '{"output": "x", "messages": [' + ", ".join(["{}"] * 600_000) + "]}\n"
    rows, reading = one(tmp_path / "t.jsonl", GOOD + hollow + GOOD)
    assert len(rows) == 60
    assert why(reading) == {"holds too many lists and objects": 1}
    few = '{"output": "x", "messages": [' + ", ".join(["{}"] * 100_000) + "]}\n"
    assert len(one(tmp_path / "u.jsonl", few)[0]) == 1


@pytest.mark.slow
def test_a_list_of_millions_of_records_wants_lines(tmp_path: Path) -> None:
    text = "[" + ",".join(['{"output":1}'] * 5_000_001) + "]"
    with pytest.raises(InputError, match="too many lists and objects"):
        one(tmp_path / "t.json", text)


def test_batches_of_long_records_are_short(tmp_path: Path) -> None:
    """Of our own lines, of lines by a mapping, and of a table."""
    limits = replace(Limits(), batch_bytes=400_000)
    long = "x" * 100_000
    path = tmp_path / "t"
    (tmp_path / "m.yaml").write_text("output: said\n", "utf-8")
    mapping = traces_mapping.read_mapping(tmp_path / "m.yaml")
    for text, fields in (
        (lines(*({"output": long} for _ in range(20))), None),
        (lines(*({"output": 1, "input": long} for _ in range(20))), None),
        (lines(*({"said": long} for _ in range(20))), mapping),
        ("output,input\n" + f"{long},a\n" * 20, None),
    ):
        path.write_text(text, "utf-8")
        sizes = [
            len(each.batch)
            for each in TraceFiles([path], limits=limits, mapping=fields)
        ]
        assert sum(sizes) == 20
        assert max(sizes) <= 8  # a block of lines is 256 KiB, and comes whole


def test_a_row_of_a_table_that_never_ends_is_refused(tmp_path: Path) -> None:
    limits = replace(Limits(), line_bytes=100_000)
    with pytest.raises(InputError, match="can't be read as CSV"):
        one(tmp_path / "t.csv", 'output,input\n"a' + 'b\n","a' * 50_000, limits=limits)


def test_a_path_of_a_mapping_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = [
        {"said": f"a{n}", "rated": {"reward": 1}} for n in range(3)
    ]
    mapping = "output: said\nscore: rated.rewrd\nlabel: [mark, 'marks[0].a']\nmodel: {value: m}\n"
    rows, reading = one(tmp_path / "t.jsonl", lines(*told), mapping=mapping)
    assert len(rows) == 3
    assert [(each.n, each.why, each.in_part) for each in reading.skipped] == [
        (3, 'has nothing at "mark or marks[0].a", where label is said to be', True),
        (3, 'has nothing at "rated.rewrd", where score is said to be', True),
    ]
    told[1]["rated"]["rewrd"] = 1  # one is enough: a field may be rare
    told[2]["mark"] = "good"
    assert one(tmp_path / "u.jsonl", lines(*told), mapping=mapping)[1].skipped == ()
    with pytest.raises(InputError, match="where output is said to be"):
        one(tmp_path / "t.jsonl", lines(*told), mapping="output: sayed\n")


@pytest.mark.parametrize("way", ["csv", "parquet"])
def test_a_column_that_is_empty_at_the_beginning_of_a_table_is_read(
    tmp_path: Path, way: str
) -> None:
    rows = [
        {"output": f"a{n}", "error": "timeout" if n > 40 else None} for n in range(50)
    ]
    if way == "csv":
        text = "output,error\n" + "".join(
            f"{row['output']},{row['error'] or ''}\n" for row in rows
        )
        (tmp_path / "t.csv").write_text(text)
    else:
        error = "CASE WHEN n > 40 THEN 'timeout' END"
        query = f"SELECT 'a' || n AS output, {error} AS error FROM range(50) AS t(n)"
        parquet(tmp_path / "t.parquet", query)
    found, _ = load(tmp_path / f"t.{way}")
    assert [row.get("error") for row in found] == [row["error"] for row in rows]


@pytest.mark.slow
def test_folders_nested_a_thousand_times_are_searched(tmp_path: Path) -> None:
    here, depth = Path.cwd(), 1050
    try:
        os.chdir(tmp_path)
        for _ in range(depth):
            Path("a=").mkdir()
            os.chdir("a=")
        Path("x.jsonl").write_text('{"output": "A"}\n')
    finally:
        os.chdir(here)
    try:
        assert [len(chunk.batch) for chunk in TraceFiles([tmp_path])] == [1]
    finally:
        os.chdir(tmp_path / ("a=/" * depth))
        Path("x.jsonl").unlink()
        for _ in range(depth):  # too deep for who tidies up
            os.chdir("..")
            Path("a=").rmdir()
        os.chdir(here)


@pytest.mark.slow
def test_too_many_records_of_an_envelope_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"data": [' + "{}," * 5_100_000 + "{}]}")
    with pytest.raises(InputError, match="too many"):
        list(TraceFiles([path]))
