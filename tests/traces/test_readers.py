"""Logs as makers really write them: a call counts once, fails in one sense and has its price."""

from __future__ import annotations

import csv
import json
import resource
import sqlite3
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tuneworthy import InputError, load_case
from tuneworthy.files import evalset as files_evalset
from tuneworthy.llm import prices as llm_served
from tuneworthy.traces import mapping as traces_mapping
from tuneworthy.traces.read import TraceFiles
from tuneworthy.training import candidates as training_candidates

S, E = "2026-11-02T08:00:00Z", "2026-11-02T08:00:02Z"
QUESTION, ANSWER = "Where is my parcel?", "On its way."


def written(path: Path, *records: Any) -> Path:
    path.write_text(
        "".join(json.dumps(record) + "\n" for record in records), encoding="utf-8"
    )
    return path


def read(*files: Path, **options: Any) -> dict[str, list[Any]]:
    """Columns of all traces of some files."""
    columns: dict[str, list[Any]] = {}
    for chunk in TraceFiles([*files], **options):
        for name in (
            *(
                "conversation",
                "model",
                "input",
                "output",
                "error",
                "finish",
                "score",
                "usd",
            ),
            *(
                "input_tokens",
                "output_tokens",
                "latency_s",
                "time_to_first_token_s",
                "listed_usd",
            ),
            *("contexts", "timestamp"),
        ):
            columns.setdefault(name, []).extend(chunk.batch.column(name))
    return columns


def span(
    id_: str, parent: str | None, kind: str = "LLM", /, **attributes: Any
) -> dict[str, Any]:
    about = {
        "openinference.span.kind": kind,
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 12,
    }
    own = about if kind == "LLM" else {"openinference.span.kind": kind}
    return {
        "name": attributes.pop("name", "chat"),
        "context": {"trace_id": "t", "span_id": id_},
        "parent_id": parent,
        "start_time": attributes.pop("start", S),
        "end_time": attributes.pop("end", E),
        "status": {"status_code": attributes.pop("state", "OK")},
        "attributes": {**own, **attributes},
    }


# A trace is a tree ------------------------------------------------------------------------------


def test_of_model_spans_inside_one_another_the_innermost_is_the_call(
    tmp_path: Path,
) -> None:
    spans = [
        span("c", "b"),
        span("b", "a"),
        span("a", None, "AGENT", **{"session.id": "s1"}),
    ]
    for order in (spans, spans[::-1]):
        columns = read(written(tmp_path / "a.jsonl", *order))
        assert columns["input_tokens"] == [100]
        assert columns["conversation"] == ["s1"]  # which the outermost alone says


def test_a_model_that_a_tool_calls_is_another_call(tmp_path: Path) -> None:
    spans = [span("a", None), span("b", "a", "TOOL"), span("c", "b")]
    assert len(read(written(tmp_path / "a.jsonl", *spans))["model"]) == 2


def test_two_tracers_of_one_call_are_one_and_two_calls_are_two(tmp_path: Path) -> None:
    outer = span("a", None, name="ChatOpenAI")
    inside = {"start": "2026-11-02T08:00:00.5Z", "end": "2026-11-02T08:00:01Z"}
    inner = span("b", None, name="ChatCompletion", **inside)
    assert len(read(written(tmp_path / "a.jsonl", outer, inner))["model"]) == 1
    later = {"start": "2026-11-02T08:00:03Z", "end": "2026-11-02T08:00:04Z"}
    after = span("b", None, name="ChatCompletion", **later)
    alike = span("b", None, name="ChatOpenAI", **inside)
    fewer: dict[str, Any] = {**inside, "llm.token_count.prompt": 7}
    other = span("b", None, name="ChatCompletion", **fewer)
    for second in (after, alike, other):
        assert len(read(written(tmp_path / "a.jsonl", outer, second))["model"]) == 2


def test_a_score_and_an_error_come_from_the_span_around(tmp_path: Path) -> None:
    def row(id_: str, parent: str | None, kind: str, **more: Any) -> dict[str, Any]:
        about: dict[str, Any] = {
            "root_span_id": id_[0],
            "span_parents": parent and [parent],
            "metrics": {},
        }
        return {"span_id": id_, "span_attributes": {"type": kind}, **about, **more}

    model = {"metadata": {"model": "gpt-4o", "provider": "openai"}}
    rows = [
        row("a1", None, "function", scores={"right": 1}, expected="x"),
        row("a2", "a1", "llm", output="x", **model),
        row("b1", None, "function", error="Traceback"),
        row("b2", "b1", "llm", output=None, **model),
        row("c1", None, "function", error="a later step"),
        row("c2", "c1", "llm", output="y", **model),
    ]
    columns = read(written(tmp_path / "a.jsonl", *rows))
    assert columns["score"] == [1, None, None]
    assert columns["error"] == [
        None,
        "Traceback",
        None,
    ]  # what was answered didn't fail


def test_logs_of_the_protocol_go_to_their_spans(tmp_path: Path) -> None:
    def value(text: str) -> dict[str, Any]:
        return {
            "kvlistValue": {
                "values": [{"key": "content", "value": {"stringValue": text}}]
            }
        }

    told = [("gen_ai.user.message", QUESTION), ("gen_ai.choice", ANSWER)]
    logs = [
        {"eventName": e, "body": value(t), "spanId": "s", "traceId": "t"}
        for e, t in told
    ]
    attributes = [{"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}}]
    model = {
        "spanId": "s",
        "traceId": "t",
        "attributes": attributes,
        "startTimeUnixNano": "1",
    }
    lines = [
        {"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [model]}]}]},
    ]
    columns = read(written(tmp_path / "a.jsonl", *lines))
    assert (columns["model"], columns["input"], columns["output"]) == (
        ["gpt-4o"], [QUESTION], [ANSWER],
    )  # fmt: skip


# One meaning of failure -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"status": 429}, {"status": "429 Too Many Requests"}, {"status_code": 503},
        {"status": "error"}, {"error": "timed out"}, {"success": False, "answer": None},
        {"level": "ERROR"}, {"finish_reason": "error"}, {"http_status": "500"},
    ],
)  # fmt: skip
def test_a_call_fails_in_whatever_words(tmp_path: Path, said: dict[str, Any]) -> None:
    good = {
        "question": "q",
        "answer": "a",
        "model": "gpt-4o",
        "tokens_in": 9,
        "tokens_out": 3,
    }
    lost = {**good, "tokens_in": 0, "tokens_out": 0, **said}
    fine: dict[str, Any] = {
        key: 200 if isinstance(value, int) else None for key, value in said.items()
    }
    fine |= {"success": True, "answer": "a"} if "success" in said else {}
    columns = read(
        written(tmp_path / "a.jsonl", {**good, **fine}, {**good, **fine}, lost)
    )
    assert [error is None for error in columns["error"]] == [True, True, False]
    assert columns["model"][2] is None
    assert columns["input_tokens"] == [9, 9, None]


@pytest.mark.parametrize(
    "said", [{"status": 200}, {"status": "shipped"}, {"error": "none"}]
)
def test_what_says_that_all_is_well_is_no_failure(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    columns = read(
        written(tmp_path / "a.jsonl", {"question": "q", "answer": "a", **said})
    )
    assert (columns["output"], columns["error"]) == (["a"], [None])


def test_a_first_word_that_came_with_the_last_one_says_nothing(tmp_path: Path) -> None:
    rows = [
        {"output": "a", "latency_s": 2.0, "time_to_first_token_s": s}
        for s in (0.4, 1.999, 2)
    ]
    columns = read(written(tmp_path / "a.jsonl", *rows))
    assert columns["time_to_first_token_s"] == [0.4, None, None]


def test_a_refusal_and_a_cut_off_have_one_word(tmp_path: Path) -> None:
    def reply(finish: str, **message: Any) -> dict[str, Any]:
        choice = {"finish_reason": finish, "message": {"role": "assistant", **message}}
        return {"object": "chat.completion", "model": "gpt-4o", "choices": [choice]}

    refused = reply("stop", content=None, refusal="I can't do that.")
    columns = read(written(tmp_path / "a.jsonl", refused, reply("length", content="a")))
    assert columns["finish"] == ["refusal", "length"]
    assert columns["output"] == ["I can't do that.", "a"]
    words = ["MAX_TOKENS", "max-tokens", "max_output_tokens", "FinishReason.MAX_TOKENS"]
    rows = [{"output": "a", "finish_reason": word} for word in words]
    assert read(written(tmp_path / "b.jsonl", *rows))["finish"] == ["length"] * 4


# A price for each record ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "provider", "id_"),
    [
        ("gpt-4.1-mini", "", "openai:gpt-4.1-mini"),
        ("gpt-4.1-mini-2025-04-14", "openai.chat", "openai:gpt-4.1-mini-2025-04-14"),
        ("claude-sonnet-4-5-20250929", "", "anthropic:claude-sonnet-4-5-20250929"),
        ("gpt-5", "azure", "azure:gpt-5"),
        ("openai/gpt-4o", "openrouter", "openrouter:openai/gpt-4o"),
        ("gpt-4.1-mini", "https://api.openai.com/v1", "openai:gpt-4.1-mini"),
        ("vertex_ai/gemini-2.5-pro", "", "google:gemini-2.5-pro"),
    ],
)
def test_a_model_is_known_by_what_a_log_calls_it(
    name: str, provider: str, id_: str
) -> None:
    served = llm_served.find_served(name, provider)
    assert served is not None
    assert served.id == id_


@pytest.mark.parametrize(
    ("name", "by"), [("deepseek-r1", "ollama"), ("mine", ""), ("llama3", "")]
)
def test_a_model_of_ones_own_has_no_list_price(name: str, by: str) -> None:
    assert llm_served.find_served(name, by) is None


def test_an_alias_is_its_snapshot_and_a_batch_costs_less() -> None:
    alias, snapshot = map(llm_served.find_served, ("gpt-4.1", "gpt-4.1-2025-04-14"))
    batch = llm_served.find_served("gpt-4.1", "openai batch")
    assert alias is not None
    assert snapshot is not None
    assert batch is not None
    assert alias.key == snapshot.key
    day = date(2026, 11, 2)
    assert batch.amounts(day, 0).input == alias.amounts(day, 0).input / 2  # type: ignore[operator]  # it has a price


def test_what_a_call_reports_stays_and_the_rest_has_list_prices(tmp_path: Path) -> None:
    row = {
        "output": "a",
        "model": "gpt-4o-mini",
        "input_tokens": 1000,
        "output_tokens": 100,
    }
    rows = [{**row, "usd": 0.5}, row, {**row, "usd": 0}, {**row, "error": "429"}]
    columns = read(written(tmp_path / "a.jsonl", *rows))
    assert columns["usd"] == [0.5, pytest.approx(0.00021), pytest.approx(0.00021), None]
    assert [price is None for price in columns["listed_usd"]] == [
        True,
        False,
        False,
        True,
    ]


# One reader everywhere --------------------------------------------------------------------------

OWN = {
    "question": "q",
    "answer": "a",
    "thumb": 1,
    "in_tok": 12,
    "passages": ["p"],
    "user": "u",
}


def test_a_map_of_some_fields_is_merged_with_the_guess(tmp_path: Path) -> None:
    log = written(tmp_path / "a.jsonl", OWN, OWN)
    (tmp_path / "m.yaml").write_text("score: thumb\ncontexts: none\n")
    mapping = traces_mapping.read_mapping(tmp_path / "m.yaml")
    columns = read(log, mapping=mapping)
    assert (columns["input"], columns["output"], columns["score"]) == (
        ["q"] * 2,
        ["a"] * 2,
        [1, 1],
    )
    assert columns["input_tokens"] == [12, 12]
    assert columns["contexts"] == [None, None]


def test_the_format_is_that_of_most_records(tmp_path: Path) -> None:
    other = {"timestamp": S, "type": "queue-operation", "content": "x"}
    lines = [
        {"type": "user", "sessionId": "s", "uuid": "1",
         "message": {"role": "user", "content": "q"}},
        {"type": "assistant", "sessionId": "s", "uuid": "2", "message": {
            "id": "m", "role": "assistant", "model": "claude-sonnet-4-5", "content": "a"}},
    ]  # fmt: skip
    assert read(written(tmp_path / "a.jsonl", other, *lines))["output"] == ["a"]


def test_a_record_that_a_collector_wrapped_is_the_record(tmp_path: Path) -> None:
    pair = {
        "request": {"messages": [{"role": "user", "content": "q"}]},
        "response": {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
    }
    for wrapped in ({"@message": json.dumps(pair)}, {"_source": pair}, {"log": pair}):
        log = written(tmp_path / "a.jsonl", {"timestamp": S, **wrapped})
        assert read(log)["output"] == ["a"]


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"


def as_cell(value: Any) -> str:
    """A cell; a large number is one of a day."""
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    style = 1 if value > 40_000 else 0
    return f'<c s="{style}"><v>{value}</v></c>'


def as_rows(*rows: tuple[Any, ...]) -> str:
    return "".join(f"<row>{''.join(map(as_cell, row))}</row>" for row in rows)


def workbook(path: Path, sheet: str, more: str = "", **parts: str) -> Path:
    """A workbook with these rows of XML, with ``more`` behind them, and other members."""
    members = {
        "_rels/.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="r1" Type='
        f'"{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="r1" '
        f'Type="{OFFICE}/worksheet" Target="worksheets/a.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf/><xf numFmtId="22"/>'
        '<xf numFmtId="46"/></cellXfs></styleSheet>',
        "xl/worksheets/a.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData>'
        f"{more}</worksheet>",
    }
    members |= {f"xl/{name}.xml": text for name, text in parts.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_a_workbook_and_a_database_are_read_as_the_csv_is(tmp_path: Path) -> None:
    heads = ("Zeitstempel", "Kundenfrage", "KI-Antwort", "Tokens rein", "Fehler")
    rows = [(46328.5, "wo?", "hier", 12, ""), (46328.75, "wann?", "nie", 9, "429")]
    columns = read(workbook(tmp_path / "a.xlsx", as_rows(("Export",), heads, *rows)))
    assert columns["timestamp"][0] == 1793620800
    assert columns["input_tokens"] == [12, None]
    database = sqlite3.connect(tmp_path / "a.db")
    database.execute("CREATE TABLE people (id INTEGER, name TEXT)")
    database.execute(
        "CREATE TABLE calls (Zeit TEXT, Frage TEXT, Antwort TEXT, Fehler TEXT)"
    )
    calls = [(S, question, answer, error) for _, question, answer, _, error in rows]
    database.executemany("INSERT INTO calls VALUES (?, ?, ?, ?)", calls)
    database.commit()
    same = ("input", "output", "error")
    others = read(tmp_path / "a.db")
    assert [others[name] for name in same] == [columns[name] for name in same]


def test_merged_texts_shared_texts_and_durations_are_what_they_look_like(
    tmp_path: Path,
) -> None:
    texts = ("conversation_id", "output", "latency_s", "c1", "usd")
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)
    shared += '<si><r><t xml:space="preserve">On </t></r><r><t>its way</t></r></si>'
    shared = f'<sst xmlns="{MAIN}">{shared}</sst>'
    names = "".join(f'<c t="s"><v>{n}</v></c>' for n in (0, 1, 2, 4))
    answer = '<c t="s"><v>5</v></c><c s="2"><v>0.0000347222</v></c>'
    sheet = (
        f'<row>{names}</row><row><c t="s"><v>3</v></c>{answer}<c><v>0.5</v></c></row>'
        f"<row><c/>{answer}<c/></row><row><c/>{answer}<c/></row>"
    )
    merged = '<mergeCells><mergeCell ref="A2:A3"/><mergeCell ref="D2:D3"/></mergeCells>'
    columns = read(workbook(tmp_path / "a.xlsx", sheet, merged, sharedStrings=shared))
    assert columns["conversation"] == ["c1", "c1", None]
    assert columns["output"] == ["On its way"] * 3
    assert columns["latency_s"][0] == pytest.approx(3, abs=0.01)
    # an amount belongs to one call, whatever its cell looks like
    assert columns["usd"] == [0.5, None, None]


_LONG = "x" * 300_000
HOSTILE = {
    "a cell at the far end": '<row r="1"><c r="A1"><v>1</v></c></row>'
    '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "a long text a thousand times": '<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>'
    * 5000,
    "an entity": as_rows(("&b;", "x"), ("a", "b")),
    "no end": "<row><c><v>1",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_workbook_is_one_line_and_takes_no_memory_of_ours(
    tmp_path: Path, what: str
) -> None:
    shared = f'<sst xmlns="{MAIN}"><si><t>{_LONG}</t></si></sst>'
    path = workbook(tmp_path / "a.xlsx", HOSTILE[what], sharedStrings=shared)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"as a workbook|unfolds to more"):
        read(path)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert grown_kib < 100 * 1024


def test_yaml_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "a.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="repeats too much"):
        read(tmp_path / "a.yaml")


def test_windows_text_and_german_numbers_are_read(tmp_path: Path) -> None:
    text = (
        "Frage;Antwort;Tokens rein\nGeschäft?;Fünf Straßen;1.234,0\nböse?;nein;56,0\n"
    )
    (tmp_path / "a.csv").write_bytes(text.encode("cp1252"))
    columns = read(tmp_path / "a.csv")
    assert (columns["input"], columns["input_tokens"]) == (
        ["Geschäft?", "böse?"],
        [1234, 56],
    )


def test_a_frame_that_was_saved_as_csv_is_the_frame(tmp_path: Path) -> None:
    frame = {
        "context.span_id": "s", "context.trace_id": "t", "parent_id": None, "span_kind": "LLM",
        "start_time": S, "end_time": E, "status_code": "OK",
        "attributes.llm.model_name": "gpt-4o", "attributes.llm.token_count.prompt": 100,
        "attributes.llm.input_messages": [{"message.role": "user", "message.content": QUESTION}],
        "attributes.llm.output_messages": [
            {"message.role": "assistant", "message.content": ANSWER}],
    }  # fmt: skip
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*frame])
        writer.writeheader()
        writer.writerow(frame)
    for path in (tmp_path / "a.csv", written(tmp_path / "a.jsonl", frame)):
        columns = read(path)
        assert (columns["input"], columns["output"]) == ([QUESTION], [ANSWER])
        assert columns["input_tokens"] == [100]


def test_training_files_may_be_tables_of_any_names(tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text("name: a\ndata: {training: 'a.*'}\n")
    (tmp_path / "a.csv").write_text("brief,draft,edited\nrain,It rains.,Rain.\n")
    sheet = as_rows(("Frage", "Antwort"), ("wo?", "hier"))
    workbook(tmp_path / "a.xlsx", sheet)
    candidates = training_candidates.read_candidates(load_case(tmp_path))
    examples = [candidate.example for candidate in candidates.found]
    said = {
        (e.messages[0].content, e.messages[-1].content, e.rejected) for e in examples
    }
    assert said == {("rain", "Rain.", "It rains."), ("wo?", "hier", "")}


def test_an_evaluation_set_may_have_the_names_of_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Question,Ground truth,Context,Owner\nq,a,p,ada\n")
    (case,) = files_evalset.read_evalset(tmp_path / "a.csv")
    assert (case.input, case.reference, case.contexts[0].text) == ("q", "a", "p")
    line = {"id": "1", "question": "q", "expected": "a", "contexts": ["p"]}
    (same,) = files_evalset.read_evalset(written(tmp_path / "a.jsonl", line))
    assert same.model_dump() == case.model_dump()


@pytest.mark.parametrize("trace", ["one", "{}", "{parity}"])
def test_large_records_of_a_tree_are_handed_on_before_the_file_ends(
    tmp_path: Path, trace: str
) -> None:
    log = tmp_path / "observations.jsonl"
    many = 24
    with log.open("w") as file:
        for number in range(many):
            record = {
                "id": f"call {number}",
                "traceId": trace.format(number, parity=number % 2),
                "type": "GENERATION",
                "startTime": "2026-11-01T00:00:00Z",
                "input": "question",
                "output": f"answer {number}",
                "metadata": "x" * 1_000_000,
            }
            file.write(json.dumps(record) + "\n")
    chunks = [
        (chunk.done_bytes, list(chunk.batch.output)) for chunk in TraceFiles([log])
    ]
    first_at, _ = chunks[0]
    assert first_at < log.stat().st_size * 3 // 4
    outputs = [output for _, batch in chunks for output in batch]
    assert outputs == [f"answer {number}" for number in range(many)]
