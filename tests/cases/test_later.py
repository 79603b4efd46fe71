"""What is decoded later is what would have been decoded at once."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import plain_engine
from tuneworthy.measure.engine import measure
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.measure.signals.success import refused, refuses
from tuneworthy.model.evidence import COLUMNS, Batch, Message
from tuneworthy.text import json as text_json
from tuneworthy.text.json import UNREAD, read_json
from tuneworthy.traces.read import TraceFiles
from tuneworthy.traces.values import LastOfLength as Known

ASKED = [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]
RECORDS: list[dict[str, Any]] = [
    {
        "output": "a",
        "messages": ASKED,
        "contexts": [{"text": "p"}, {"id": "none"}, {"text": "q"}],
    },
    {
        "output": "b",
        "messages": [{"role": "Developer", "content": "D"}, {"role": "human"}],
    },
    {"output": "c", "messages": [], "contexts": []},
    {
        "output": "d",
        "system": "own",
        "messages": [*ASKED, {"role": "assistant", "content": "A"}],
    },
    {"output": "e", "input": "own", "messages": [{"role": "tool", "content": "T"}]},
    {
        "output": "f",
        "label": "",
        "score": "pass",
        "feedback": {"score": 0, "label": "up"},
    },
    {
        "output": "g",
        "feedback": {"score": True},
        "turn": -1,
        "latency_s": -2,
        "case": 7,
    },
    {
        "output": "h",
        "timestamp": "2026-11-01T00:00:00+01:00",
        "error": {"message": "late"},
    },
    {
        "output": "i",
        "timestamp": 1793491210500,
        "conversation_id": 5,
        "reference": ["R", "S"],
    },
    {"output": "j", "messages": [{"role": "user", "content": None}], "tool_calls": []},
]


def rows(path: Path, text: str) -> list[dict[str, Any]]:
    """Traces without what is missing, with what is decoded later decoded."""
    path.write_bytes(text.encode())
    found = []
    for chunk in TraceFiles([path]):
        columns = {name: chunk.batch.column(name) for name in COLUMNS}
        for place in range(len(chunk.batch)):
            row: dict[str, Any] = {
                name: values[place] for name, values in columns.items()
            }
            for name in ("messages", "contexts"):
                row[name] = None if row[name] is None else tuple(row[name])
            found.append(
                {name: value for name, value in row.items() if value is not None}
            )
    return found


def test_a_line_says_the_same_whether_or_not_another_line_of_its_block_is_broken(
    tmp_path: Path,
) -> None:
    whole = [json.dumps(record) for record in RECORDS]
    quick = rows(tmp_path / "a.jsonl", "\n".join(whole))
    slow = rows(tmp_path / "b.jsonl", "\n".join([*whole, '{"output": 5}']))
    expected = [
        {k: v for k, v in row.items() if v not in ((), "")}
        for row in slow[: len(whole)]
    ]
    assert [
        {k: v for k, v in row.items() if v not in ((), "")} for row in quick
    ] == expected
    assert slow[len(whole)] == {"output": "5"}
    assert quick[1]["messages"] == (Message("system", "D"), Message("user", ""))


SPREAD = json.dumps(RECORDS[0], indent=1)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, RECORDS)),
        "\r\n".join(map(json.dumps, RECORDS)) + "\r\n",
        "\n\n".join(map(json.dumps, RECORDS)),
        " " + "\n".join(map(json.dumps, RECORDS)),
        " ".join(map(json.dumps, RECORDS[:2])) + "\n" + "\n".join(map(json.dumps, RECORDS[2:])),
        # As many lines as values, and yet not one a line.
        json.dumps(RECORDS[0]).replace(', "contexts"', '\n, "contexts"')
        + "\n" + json.dumps(RECORDS[1])
        + "\n" + " ".join(map(json.dumps, RECORDS[2:4]))
        + "\n" + "\n".join(map(json.dumps, RECORDS[4:])),
    ],
    ids=["plain", "carriage returns", "blank lines", "a space first", "two in a line", "spread"],
)  # fmt: skip
def test_old_turns_and_passages_are_those_of_their_trace_wherever_lines_break(
    tmp_path: Path, text: str
) -> None:
    found = rows(tmp_path / "t.jsonl", text)
    by_output = {row["output"]: row for row in found}
    assert sorted(by_output) == list("abcdefghij")
    assert by_output["a"]["contexts"] == ("p", "q")
    assert by_output["a"]["messages"] == (Message("system", "S"), Message("user", "Q"))
    assert by_output["d"]["messages"][2:] == (Message("assistant", "A"),)
    assert by_output["e"]["messages"] == (Message("tool", "T"),)


def test_turns_are_a_sequence_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        "\n".join(map(json.dumps, RECORDS)), encoding="utf-8"
    )
    batch = next(iter(TraceFiles([tmp_path / "t.jsonl"]))).batch
    said, passages = batch.messages[3], batch.contexts[0]
    assert said is not None
    assert passages is not None
    assert [len(said), len(passages)] == [3, 2]
    assert [said[-1], said[0]] == [Message("assistant", "A"), Message("system", "S")]
    assert list(said[1:]) == [Message("user", "Q"), Message("assistant", "A")]
    assert [passages[-1], *passages[:1]] == ["q", "p"]
    with pytest.raises(IndexError):
        said[3]


def test_equal_texts_become_one_object_and_others_stay_themselves() -> None:
    known = Known()
    first = "x" * 30 + "1" + "x" * 30
    assert known.remember(first, str) is first
    assert known.remember("x" * 30 + "1" + "x" * 30, str) is first
    other = "x" * 30 + "2" + "x" * 30  # as long, and with the same ends
    assert known.remember(other, str) == other


def test_refusals_are_remembered_for_the_same_outputs_alone() -> None:
    declined = ["I'm sorry, but I can't help with that.", None]
    for texts, expected in (
        (declined, [True, False]), (declined, [True, False]), (["Yes.", None], [False, False]),
        (list(declined), [True, False]),
    ):  # fmt: skip
        assert refused(texts).tolist() == expected


REFUSALS = ("I'm sorry, but I can't help with that.", "Unfortunately I cannot do that.",
            "sorry: we will not", "As an AI I am unable to", "I can't help you.")  # fmt: skip


@pytest.mark.parametrize(
    "front", ["", " ", '{"', '["', "\n\n", "** ", "\u2014 ", "1) ", "'"]
)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_seen_behind_marks_and_not_behind_a_word(
    front: str, refusal: str
) -> None:
    marks = not any(letter.isalnum() for letter in front)
    assert refuses(front + refusal) is marks
    assert refuses(front + refusal.upper()) is marks
    assert not refuses(f"{front}{refusal[0]}x{refusal}")
    assert not refuses(f"Well. {front}{refusal}")


def test_what_can_be_read_is_remembered_for_the_same_texts_alone() -> None:
    texts = ['{"a": 1}', None, "{", "```json\n[1]\n```", "prose", "7"]
    for each in (texts, ["{}"], texts, list(texts)):
        assert list(text_json.readable(each)) == [
            text is not None and read_json(text)[0] is not UNREAD for text in each
        ]
    assert list(text_json.read_rows(texts)) == [
        (0, {"a": 1}, False),
        (3, [1], True),
        (5, 7, False),
    ]
    assert text_json.readable(texts)[3]


def test_reading_that_was_given_up_is_not_remembered() -> None:
    texts = ["{}", "{", "[]"]
    next(iter(text_json.read_rows(texts)))
    assert list(text_json.readable(texts)) == [True, False, True]


def test_cycles_are_looked_for_as_before_once_it_is_measured(tmp_path: Path) -> None:
    # A test that ran before may have left the threshold of the command line.
    outside = gc.get_threshold()
    before = (700, 10, 10)
    seen: list[int] = []

    def batches() -> Iterator[Batch]:
        yield plain_engine.batch(output=["a"])
        seen.append(gc.get_threshold()[0])

    gc.set_threshold(*before)
    try:
        measure(batches(), [Success()], folder=tmp_path)
        assert seen[0] > before[0]
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*outside)
