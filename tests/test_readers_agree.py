"""Our own format has a quick reader and a lenient one: what both can read, they read alike.

One line that wants the lenient one takes its neighbours along, so a difference would make evidence
depend on the order of the lines.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from internals import COLUMNS, Ahead, Batch, Limits, Lines, Tally, blocks
from internals import traces_content as jsonl

WORDS = st.sampled_from(["", "a", "3", "yes", "My card is 4111 1111 1111 1111."])
NUMBERS = st.sampled_from([0, 1, 3, 1.0, 2.5, -1, 2**60 + 1, 1e300, True])
ANYTHING = st.one_of(
    st.none(), WORDS, NUMBERS, st.just([1]), st.just({"name": "look_up"}), st.just(["a", {}]),
    st.just([{"name": "look_up", "arguments": {"a": 1}}]),
)  # fmt: skip
CLOCKS = st.sampled_from([
    None, 1.7e9, 1_700_000_000, 1.7e12, -5, 0, "2026-01-31T23:59:59.9999999Z", "", "soon",
    "2026-01-31t00:00:00z", "2026-01-31T00:00:00+02:00", "2026-01-31 00:00:00", "2026-01-31",
    "1960-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
])  # fmt: skip
TURNS = st.dictionaries(
    st.sampled_from(["role", "speaker", "from", "content", "text", "parts", "value", "name"]),
    st.one_of(st.none(), st.sampled_from(["user", "assistant", "system", "human", "ai"]), WORDS),
    max_size=3,
)
PASSAGES = st.dictionaries(
    st.sampled_from(["text", "content", "page_content", "document", "id"]),
    st.one_of(st.none(), WORDS), max_size=2,
)  # fmt: skip
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "output": st.one_of(st.none(), WORDS, ANYTHING),
    "messages": st.one_of(st.none(), st.lists(TURNS, max_size=3)),
    "contexts": st.one_of(st.none(), st.lists(PASSAGES, max_size=3)),
    "timestamp": CLOCKS,
    **dict.fromkeys(("conversation_id", "model", "prompt_name", "case"), st.one_of(WORDS, NUMBERS)),
    **dict.fromkeys(("prompt_version", "turn", "latency_s", "input_tokens", "usd"), NUMBERS),
    **dict.fromkeys(("system", "input", "label"), st.one_of(st.none(), WORDS)),
    **dict.fromkeys(("tool_calls", "reference", "error", "score"), ANYTHING),
    "answerable": st.sampled_from([None, True, False]),
    "feedback": st.sampled_from([None, {}, {"score": 1}, {"score": "good"}, {"label": "bad"}]),
}
RECORDS = st.fixed_dictionaries({}, optional=FIELDS)


def told(text: bytes, *, lenient: bool, patch: pytest.MonkeyPatch) -> tuple[list[Any], Any]:
    """Columns of all traces, and what was skipped, by one of the readers."""
    patch.setattr(jsonl, "_GIVE_UP", 0 if lenient else 10**9)
    tally = Tally("t", until_s=1.9e9)
    batches = [*Lines(tally, "t", Limits()).batches(blocks(Ahead(BytesIO(text)), 1 << 20))]
    rows = [row for batch in batches for row in zip(*columns(batch), strict=True)]
    return rows, tally.skipped()


def columns(batch: Batch) -> list[Any]:
    """Columns with all that is lazy made."""
    made = []
    for name in COLUMNS:
        values: Any = batch.column(name)
        if name in ("messages", "contexts", "tool_calls"):
            values = [None if each is None else [*each] for each in values]
        made.append(values)
    return made


@given(st.lists(RECORDS, min_size=1, max_size=3))
@example([{"output": "x", "messages": [{"role": "user", "text": "a"}]}])
@example([{"output": "x", "messages": [{"speaker": "system", "content": "a"}]}])
@example([{"output": "x", "contexts": [{"content": "a"}, {"page_content": "b"}]}])
@example([{"output": "x", "prompt_version": 1}])
@example([{"output": "x", "conversation_id": "", "model": ""}])
@example([{"tool_calls": [1]}])
@example([{"tool_calls": "x", "messages": [{"role": "assistant", "content": "a"}]}])
@example([{"output": "x", "timestamp": "2026-01-31T23:59:59.9999999Z"}])
@example([{"output": "x", "timestamp": "2026-01-31t00:00:00z"}])
@example([{"output": "x", "turn": 2**60 + 1}])
def test_both_readers_say_the_same(records: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    with pytest.MonkeyPatch.context() as patch:
        quick = told(text, lenient=False, patch=patch)
        slow = told(text, lenient=True, patch=patch)
    assert quick == slow
