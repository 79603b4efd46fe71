"""Looking at all texts of a batch at once says the same as looking at each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import plain_engine
from tuneworthy.measure import engine as measure_engine
from tuneworthy.measure import personal as measure_personal
from tuneworthy.measure import personal as patterns
from tuneworthy.measure.engine import measure
from tuneworthy.measure.signals import base as signal_base
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.measure.signals.success import refused, refuses
from tuneworthy.text import json as text_json
from tuneworthy.text import search as text_search
from tuneworthy.text.json import UNREAD, read_json
from tuneworthy.traces import stream as lines
from tuneworthy.traces import stream as traces_stream
from tuneworthy.traces.read import TraceFiles
from tuneworthy.traces.stream import Limits

PIECES = (
    "", " ", "\n", "{", "[", "]", "}", '"', "`", "```", "```json\n", "'",
    "\u2019", "\u00e9", "\u2003",
    "I", "i", "'m", " am ", "sorry", "Sorry, I cannot", "I can't help", "As an AI I", "7", "true",
    "null", "-1.5", '{"a": 1}', '["x"]', "\ud800", "\U0001f600", "\0", "x" * 70,
)  # fmt: skip
TEXTS = st.lists(
    st.none() | st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(),
    max_size=9,
)


@given(TEXTS)
def test_joined_texts_are_those_that_were_given(texts: list[str | None]) -> None:
    whole = text_search.Joined(texts)
    raw = [(text or "").encode("utf-8", "surrogatepass") for text in texts]
    assert [whole.one(row) for row in range(len(texts))] == raw
    assert whole.there.tolist() == [text is not None for text in texts]
    assert whole.plain.tolist() == [(text or "").isascii() for text in texts]
    assert whole.blank.tolist() == [not text or text.isspace() for text in texts]
    assert whole.first.tolist() == [(each or b"\0")[0] for each in raw]
    for piece in (b"```", b"a", b"\n"):
        assert whole.holding(piece).tolist() == [piece in each for each in raw]


@given(TEXTS)
def test_signs_of_json_and_of_refusals_are_those_of_each_text(
    texts: list[str | None],
) -> None:
    assert text_json.looking(texts).tolist() == [
        bool(text) and text_json.looks_like_json(text or "") for text in texts
    ]
    assert refused(texts).tolist() == [
        bool(text) and refuses(text or "") for text in texts
    ]
    assert text_json.readable(texts).tolist() == [
        text is not None and read_json(text)[0] is not UNREAD for text in texts
    ]


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=9))
def test_a_name_has_the_same_hash_whatever_names_stand_beside_it(
    names: list[str],
) -> None:
    alone = [int(measure_engine.conversation_keys([name], 0)[0]) for name in names]
    assert measure_engine.conversation_keys(names, 0).tolist() == alone


@given(
    st.lists(st.none() | st.sampled_from(["a", "b", str(b"a", "ascii")]), max_size=12)
)
def test_different_values_stand_in_the_order_they_first_appear(
    values: list[str | None],
) -> None:
    found, place = signal_base.distinct(list(values))
    assert found == list(dict.fromkeys(values))
    assert [found[at] for at in place] == values


# Personal data ----------------------------------------------------------------------------------

HELD = (
    "call me at +49 30 1234567", "the card is 4111 1111 1111 1111", "anna@firm.test",
    "phone: 030 / 12 34 56 78", "12 34 56 78 90 12 34 56 78 90 12 34", "SG.", "aadhaar 2345 6789",
    "of the order 1234567890123 from", "x" * 90, "192.168.10.25", "\u00e9" * 50, "+1 212 555 0100",
)  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(HELD), max_size=5).map(" ".join), max_size=5))
# its gate ends behind the last character
@example(["\u00e9" * 200 + " call me at +49 30 1234567"])
def test_a_kind_of_data_is_seen_wherever_in_a_text_it_stands(texts: list[str]) -> None:
    scanner = measure_personal.shared_scanner()
    bits = scanner.bits(texts)
    with pytest.MonkeyPatch.context() as patch:
        # every text is gone through from its beginning
        patch.setattr(patterns, "_NEAR", 1 << 30)
        assert scanner.bits(texts).tolist() == bits.tolist()
    for place, kind in enumerate(patterns.KINDS):
        for text in (
            text for text, seen in zip(texts, bits >> place & 1, strict=True) if seen
        ):
            assert any(True for _ in patterns._find_kind(kind, text)), kind.id


# Lines ------------------------------------------------------------------------------------------


class Bytes:
    """A stream that gives some bytes at a time."""

    def __init__(self, data: bytes, at_once: int) -> None:
        self._data, self._at_once = data, at_once

    def read(self, size: int, /) -> bytes:
        size = min(size, self._at_once)
        data, self._data = self._data[:size], self._data[size:]
        return data


@given(
    st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.booleans(), st.integers(1, 7), st.integers(1, 20), st.integers(1, 9), st.integers(1, 5),
)  # fmt: skip
def test_blocks_hold_every_line_once_and_know_its_number(
    rows: list[bytes], ended: bool, at_once: int, piece: int, longest: int, each: int
) -> None:
    # some blocks are looked at until the end
    looked_at: list[tuple[memoryview, bytes]] = []
    data = b"\n".join(rows) + b"\n" * (ended and bool(rows))
    expected = dict(enumerate(data.split(b"\n"), start=1))
    if not expected[len(expected)]:
        del expected[len(expected)]
    found: dict[int, bytes | None] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_PIECE", piece)
        for block in traces_stream.blocks(
            traces_stream.Ahead(Bytes(data, at_once)), longest
        ):
            held = bytes(block.data)
            whole = held.removesuffix(b"\n").split(b"\n") if held else [None]
            assert block.ended == held.endswith(b"\n") or block.too_long
            assert block.lines == len(whole)
            if block.first % each == 0:
                looked_at.append((block.data, held))
            found |= dict(enumerate(whole, start=block.first))
    assert found == {
        n: None if len(row) > longest else row for n, row in expected.items()
    }
    assert all(bytes(data) == held for data, held in looked_at)


def test_a_batch_of_long_lines_closes_before_it_has_its_number_of_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"output": "' + "x" * 1000 + '"}\n', encoding="utf-8")
    path.write_text(path.read_text() * 50, encoding="utf-8")
    assert [len(chunk.batch) for chunk in TraceFiles([path])] == [50]
    monkeypatch.setattr(lines, "_PIECE", 2_000)
    limits = Limits(batch_bytes=5_000)
    sizes = [len(chunk.batch) for chunk in TraceFiles([path], limits=limits)]
    assert sum(sizes) == 50
    assert max(sizes) < 9
    assert all(one > 0 for one in sizes)


def test_nothing_of_the_texts_stays_behind_once_they_are_measured(
    tmp_path: Path,
) -> None:
    texts: list[str | None] = ["a secret"]
    text_search.joined(texts)
    measure([plain_engine.batch(output=texts)], [Success()], folder=tmp_path)
    assert not text_search.joined._recent
    assert not refused._recent
