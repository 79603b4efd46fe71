"""Traces through the engine: the same as by plain lists, for any batches, in bounded memory."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import plain_engine
from tuneworthy import InputError
from tuneworthy.measure import engine as measure_engine
from tuneworthy.measure import sample as duplicates
from tuneworthy.measure import sample as measure_sample
from tuneworthy.measure import sample as sampling
from tuneworthy.measure.engine import measure
from tuneworthy.measure.signals import base as signal_base
from tuneworthy.measure.signals import signals
from tuneworthy.measure.signals.base import Findings as Found
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.base import TraceTable as Table
from tuneworthy.model.case import Materials, Term, VoiceSamples
from tuneworthy.model.evidence import COLUMNS, Batch, Message, ToolCall

Signatures = NDArray[np.uint32]
WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "jetty",
)


@dataclass
class Spy:
    """A signal that keeps the table it is given."""

    id: str = "spy"
    wants_duplicates: bool = False
    table: Table | None = None

    def rows(self, batch: Batch) -> signal_base.Numbers:
        lengths = [None if text is None else len(text) for text in batch.output]
        return {
            "length": signal_base.as_numbers(lengths),
            "long": signal_base.as_numbers(
                None if n is None else n > 3 for n in lengths
            ),
            "latency_s": signal_base.as_numbers(batch.column("latency_s")),
            "nowhere": np.full(len(batch), np.nan),
        }

    def finish(self, table: Table) -> Found:
        self.table = table
        return Found()


def engine_table(
    folder: Path, batches: Iterable[Batch], *, duplicates: bool = False
) -> Table:
    spy = Spy(wants_duplicates=duplicates)
    measure(batches, [spy], folder=folder)
    assert spy.table is not None
    return spy.table


def cut(batch: Batch, sizes: Sequence[int]) -> list[Batch]:
    """The same traces in batches of these sizes, the last one taking the rest."""
    parts, start = [], 0
    for size in [*sizes, len(batch)]:
        if start < len(batch):
            columns = {n: getattr(batch, n)[start : start + size] for n in COLUMNS}
            parts.append(
                Batch(**{n: c if any(v is not None for v in c) or n == "output" else []
                         for n, c in columns.items()})
            )  # fmt: skip
            start += size
    return parts


def same(one: Table, other: Table) -> None:
    for name in (each.name for each in fields(Table)):
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, name
            np.testing.assert_array_equal(left, right, err_msg=name)
        elif name == "numbers":
            assert left.keys() == right.keys()
            for key in left:
                np.testing.assert_array_equal(left[key], right[key], err_msg=key)
        elif name == "sample":
            for column in COLUMNS:
                assert list(left.column(column)) == list(right.column(column)), column
        else:
            assert left == right, name


def maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


few = st.sampled_from(WORDS)
TRACE = st.fixed_dictionaries(
    {
        "output": maybe(st.text(max_size=8)),
        "conversation": maybe(st.sampled_from(("", "a", "b", "ä", "\ud800"))),
        "turn": maybe(st.integers(0, 70_000)),
        "timestamp": maybe(st.floats(0, 2e9)),
        "model": maybe(few | st.just("")),
        "prompt": maybe(st.sampled_from(("", "v1", "v2", "system 1", "system 2"))),
        "system": maybe(st.sampled_from(("", "Be kind.", "Be brief.", "Be bold."))),
        "input": maybe(few),
        "latency_s": maybe(
            st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 1)
        ),
        "messages": maybe(
            st.just((Message("user", "Hello"), Message("assistant", "Hi")))
        ),
        "tool_calls": maybe(st.just((ToolCall("look", "{}"),))),
        "contexts": maybe(st.just(("one", "two"))),
        "answerable": maybe(st.booleans()),
        "score": maybe(st.sampled_from((0.0, 0.5, 1.0))),
    }
)


def as_batch(traces: Sequence[dict[str, object]]) -> Batch:
    return plain_engine.batch(
        **{name: [trace[name] for trace in traces] for name in traces[0]}
    )


@pytest.mark.slow
@given(
    st.lists(TRACE, min_size=1, max_size=19), st.lists(st.integers(1, 7), max_size=6)
)
def test_the_engine_gives_what_plain_lists_give_for_any_cut_into_batches(
    tmp_path_factory: pytest.TempPathFactory,
    traces: list[dict[str, object]],
    sizes: list[int],
) -> None:
    whole = as_batch(traces)
    expected = plain_engine.table_of(Spy(), [as_batch(traces)])
    found = engine_table(tmp_path_factory.getbasetemp(), cut(whole, sizes))
    same(found, expected)


def test_columns_come_back_from_their_files_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    columns = {
        "hash": rng.integers(0, 2**64, 40, dtype=np.uint64),
        "place": rng.integers(-1, 70_000, 40),
        "share": rng.choice([0.0, 1.0, np.nan], 40),
        "exact": rng.choice([0.5, 3.0, np.nan, np.inf], 40),
        "flag": rng.random(40) < 0.5,
        "same": np.full(40, 0.1),
    }
    with ExitStack() as stack:
        store = measure_engine.ColumnFiles(tmp_path, stack)
        for start in range(0, 40, 7):
            store.add(
                {name: values[start : start + 7] for name, values in columns.items()}
            )
        found = {name: store.get(name) for name in columns}
    for name, values in columns.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_nothing_stays_behind_also_after_an_error(tmp_path: Path) -> None:
    def broken() -> Iterable[Batch]:
        yield plain_engine.batch(output=["a"])
        raise InputError("is broken", where="line 2")

    with pytest.raises(InputError, match="line 2: is broken"):
        measure(broken(), [Spy()], folder=tmp_path)
    engine_table(tmp_path, [plain_engine.batch(output=["a"])], duplicates=True)
    assert not list(tmp_path.iterdir())


def test_no_trace_gives_no_evidence(tmp_path: Path) -> None:
    assert measure([], [Spy()], folder=tmp_path) == (Found(),)
    assert measure([Batch()], [Spy()], folder=tmp_path) == (Found(),)


def test_a_folder_that_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't keep the numbers") as caught:
        measure([], [Spy()], folder=tmp_path / "missing")
    assert "\n" not in str(caught.value)


def conversations(n: int, turns: int, **columns: object) -> Batch:
    total = n * turns
    return plain_engine.batch(
        output=[f"answer {i}" for i in range(total)],
        conversation=[f"c{i // turns}" for i in range(total)],
        **{name: [value] * total for name, value in columns.items()},
    )


@pytest.mark.parametrize("size", [100, 999, 5000])
def test_the_sample_is_whole_conversations_and_the_same_for_any_batches(
    tmp_path: Path, size: int
) -> None:
    whole = conversations(1000, 7)  # 2,000 is no multiple of 7
    table = engine_table(tmp_path, cut(whole, [size] * 70))
    drawn = table.sample
    assert sampling.TRACES - 7 < len(drawn) <= sampling.TRACES
    counts: dict[object, int] = {}
    for name in drawn.conversation:
        counts[name] = counts.get(name, 0) + 1
    assert set(counts.values()) == {7}
    reference = engine_table(tmp_path, [whole]).sample
    assert drawn.output == reference.output


def test_the_sample_does_not_depend_on_the_order_of_conversations(
    tmp_path: Path,
) -> None:
    whole = conversations(1000, 5)
    order = list(random.Random(3).sample(range(1000), 1000))
    shuffled = plain_engine.batch(
        output=[whole.output[5 * c + t] for c in order for t in range(5)],
        conversation=[f"c{c}" for c in order for _ in range(5)],
    )
    one = engine_table(tmp_path, [whole]).sample
    other = engine_table(tmp_path, [shuffled]).sample
    assert sorted(map(str, one.output)) == sorted(map(str, other.output))


def test_one_endless_conversation_is_sampled_from_its_beginning(tmp_path: Path) -> None:
    whole = conversations(1, 7000)
    drawn = engine_table(tmp_path, cut(whole, [1000] * 7)).sample
    assert drawn.output == whole.output[: sampling.TRACES]


def test_long_texts_of_the_sample_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = partial(sampling.Sample, characters=100_000)
    monkeypatch.setattr("tuneworthy.measure.engine.Sample", short)
    batch = plain_engine.batch(
        output=["x" * 30_000] * 50,
        messages=[(Message("user", "y" * 30_000),)] * 50,
        contexts=[("z",)] * 50,
    )
    table = engine_table(tmp_path, [batch])
    assert len(table.sample) == 2  # 40,001 characters each, and at most 100,000
    assert {len(text or "") for text in table.sample.output} == {20_000}


def test_a_system_prompt_of_its_own_for_each_conversation_is_a_template(
    tmp_path: Path,
) -> None:
    batch = plain_engine.batch(
        output=["a"] * 40,
        conversation=[f"c{i // 2}" for i in range(40)],
        system=[f"Serve customer {i // 2}." for i in range(40)],
    )
    table = engine_table(tmp_path, [batch])
    assert table.systems == ()
    assert table.prompts == ()
    assert set(table.system) == {-1} == set(table.prompt)
    batch.system[0:4] = ["Serve customer 0."] * 4
    assert len(engine_table(tmp_path, [batch]).systems) == 19


def test_more_system_prompts_than_versions_can_be_are_a_template(
    tmp_path: Path,
) -> None:
    texts = [f"Serve customer {i}." for i in range(measure_engine.MOST_NAMES + 1)]
    batch = plain_engine.batch(
        output=["a"] * (2 * len(texts)),
        system=texts * 2,
        conversation=["one"] * (2 * len(texts)),
    )
    for sizes in ([], [3000] * 9):
        table = engine_table(tmp_path, cut(batch, sizes))
        assert table.systems == ()
        assert set(table.system) == {-1}


def test_more_models_than_can_be_are_no_models(tmp_path: Path) -> None:
    names = [f"model {i}" for i in range(measure_engine.MOST_NAMES + 50)]
    table = engine_table(
        tmp_path, [plain_engine.batch(output=["a"] * len(names), model=names)]
    )
    assert len(table.models) == measure_engine.MOST_NAMES
    assert (
        table.model[: measure_engine.MOST_NAMES] == np.arange(measure_engine.MOST_NAMES)
    ).all()
    assert set(table.model[measure_engine.MOST_NAMES :]) == {-1}


def prose(rng: random.Random, n: int) -> list[str]:
    return [f"{rng.choice(WORDS)}{rng.randrange(900)}" for _ in range(n)]


def jaccard(one: str, other: str) -> float:
    """The share of three-word runs in common, by sets."""
    runs = []
    for text in (one, other):
        words = text.split()
        runs.append({tuple(words[i : i + 3]) for i in range(len(words) - 2)})
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def signed(texts: list[str]) -> Signatures:
    """What tells the texts, as questions."""
    signer = measure_sample.Signer()
    return np.vstack([signer.add(texts, [""] * len(texts)), signer.rest()])[
        :, : measure_sample.ASKED
    ]


def test_signatures_agree_in_the_share_of_runs_in_common() -> None:
    rng = random.Random(11)
    errors = []
    for _ in range(200):
        words = prose(rng, 60)
        changed = list(words)
        for place in rng.sample(range(60), rng.randrange(8)):
            changed[place] = rng.choice(WORDS)
        one, other = " ".join(words), " ".join(changed)
        left, right = signed([one, other])
        errors.append(float((left == right).mean()) - jaccard(one, other))
    # The standard error of one is at most 0.079, so that of their mean is under 0.0056.
    assert abs(np.mean(errors)) < 0.018
    assert np.std(errors) < 0.079


def test_a_signature_is_of_the_text_alone_and_not_of_its_neighbours() -> None:
    rng = random.Random(12)
    texts = [" ".join(prose(rng, rng.choice((0, 1, 2, 3, 5, 400)))) for _ in range(700)]
    texts += ["ü" * 30_000, "x " * 40_000, ""]
    together = signed(texts)
    assert together.shape == (len(texts), measure_sample.ASKED)
    for place in range(0, len(texts), 23):
        np.testing.assert_array_equal(together[place], signed([texts[place]])[0])


def test_planted_copies_are_found_and_others_left_alone() -> None:
    rng = random.Random(13)
    texts: list[str] = []
    expected: list[int] = []
    for _ in range(300):
        words = prose(rng, 80)
        first = len(texts)
        texts.append(" ".join(words))
        expected.append(first)
        # one word of eighty changed: Jaccard 75 of 81
        for _ in range(rng.randrange(3)):
            changed = list(words)
            changed[rng.randrange(2, 78)] = "otherwise"
            texts.append(" ".join(changed).upper())
            expected.append(first)
    assert measure_sample.duplicate_groups(texts).tolist() == expected


def test_short_and_empty_texts_are_copies_only_of_themselves() -> None:
    texts = [
        "yes",
        "no",
        "Yes!",
        None,
        None,
        "",
        "",
        "??",
        "!!",
        "??",
        "yes no",
        "no yes",
    ]
    assert measure_sample.duplicate_groups(texts).tolist() == [
        0,
        1,
        0,
        3,
        4,
        5,
        5,
        7,
        8,
        7,
        10,
        11,
    ]


def test_copies_of_copies_are_none() -> None:
    rng = random.Random(14)
    words = prose(rng, 60)
    texts = [" ".join(words)]
    for place in range(3, 57, 6):
        words[place] = "otherwise"
        texts.append(" ".join(words))
    assert jaccard(texts[0], texts[-1]) < 0.5
    groups = measure_sample.duplicate_groups([*texts, "quite another thing"]).tolist()
    assert len(set(groups)) > 3
    assert all(
        jaccard(texts[at], texts[first]) > 0.6 for at, first in enumerate(groups[:-1])
    )


@pytest.mark.parametrize("shared", [0, 20, 60, 200])
def test_what_nearly_all_rows_share_is_no_sign_of_a_copy(shared: int) -> None:
    rng = random.Random(16)
    before = " ".join(prose(rng, shared))
    own = [" ".join(prose(rng, 12)) for _ in range(300)]
    texts = [f"{before} {each}" for each in own] + [f"{before} {own[0]}"] * 3
    labels = [f"label {n % 7}" for n in range(300)] + ["label 0"] * 3
    groups = measure_sample.duplicate_groups(texts, answers=labels).tolist()
    assert groups == [*range(300), 0, 0, 0]


def test_long_texts_have_the_same_signatures_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(17)
    texts = [" ".join(prose(rng, rng.randrange(90))) for _ in range(60)]
    together = signed(texts)
    monkeypatch.setattr(duplicates, "_AT_ONCE", 300)
    assert (signed(texts) == together).all()


def test_answers_have_to_agree_too() -> None:
    asked = ["where is the parcel that I ordered on the second of May"] * 40
    assert (
        measure_sample.duplicate_groups(
            asked, answers=["it left", "it came"] * 20
        ).tolist()
        == [0, 1] * 20
    )


def test_a_million_equal_texts_would_be_compared_with_the_first_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[int] = []
    plain = duplicates._alike

    def counted(*told: Any) -> NDArray[np.bool_]:
        compared.append(len(told[-2]))
        return plain(*told)

    monkeypatch.setattr(duplicates, "_alike", counted)
    assert set(
        measure_sample.duplicate_groups(
            ["the very same answer as always"] * 5000
        ).tolist()
    ) == {0}
    assert sum(compared) < 10_000  # each with the first, twice
    # One band shared by all, the texts themselves different: each meets a few, not all.
    texts = [f"the very same answer as always {i}" for i in range(2000)]
    compared.clear()
    measure_sample.duplicate_groups(texts)
    assert sum(compared) <= 4 * measure_sample.BANDS * len(texts)


@pytest.mark.parametrize("size", [1, 64, 500])
def test_copies_in_the_engine_are_those_in_memory(tmp_path: Path, size: int) -> None:
    rng = random.Random(15)
    bases = [prose(rng, 50) for _ in range(60)]
    asked, answers = [], []
    for _ in range(400):
        words = list(rng.choice(bases))
        words[rng.randrange(50)] = rng.choice(WORDS)
        asked.append(" ".join(words[:10]))
        answers.append(None if rng.random() < 0.1 else " ".join(words[10:]))
    batch = plain_engine.batch(output=answers, input=asked)
    found = engine_table(tmp_path, cut(batch, [size] * 400), duplicates=True).numbers[
        signal_base.DUPLICATE_OF
    ]
    expected = measure_sample.duplicate_groups(asked, answers=answers).astype(float)
    expected[[text is None for text in answers]] = np.nan
    np.testing.assert_array_equal(found, expected)


def test_only_who_asks_for_copies_gets_them(tmp_path: Path) -> None:
    asks, does_not = Spy(wants_duplicates=True), Spy()
    measure([plain_engine.batch(output=["a", "a"])], [does_not, asks], folder=tmp_path)
    assert asks.table is not None
    assert does_not.table is not None
    assert asks.table.numbers[signal_base.DUPLICATE_OF].tolist() == [0, 0]
    assert signal_base.DUPLICATE_OF not in does_not.table.numbers


def materials() -> Materials:
    return Materials(
        glossary=(
            Term(term="grove", forbidden=("heath",), due_when=("inlet",)),
            Term(term="fjord", forbidden=("delta",)),
        ),
        voice=VoiceSamples(
            samples=("Amber birch, and a cedar by the jetty. Come and see the fjord!",)
            * 3
        ),
        output_schema={"type": "object", "required": ["amber"]},
        examples_need=100,
        latency_target_s=1.0,
    )


def world(seed: int, n: int = 240) -> Batch:
    """Traces of a made-up product over four months; every column has values and gaps."""
    rng = random.Random(seed)
    systems = [
        f"Answer in at most {k} words. Say fjord, never delta. "
        + " ".join(prose(rng, 60))
        for k in (20, 30)
    ]

    def some(value: object, share: float = 0.8) -> object:
        return value if rng.random() < share else None

    columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for row in range(n):
        asked = " ".join(
            [*prose(rng, 12), rng.choice(("inlet", "mail me at ada@mail.example"))]
        )
        answer = rng.choice(
            (" ".join([*prose(rng, 20), *rng.choices(WORDS, k=4)]) + ".", '{"amber": 1}',
             '{"amber": 1', "I'm sorry, but I can't help with that.", '["birch"]')
        )  # fmt: skip
        trace = {
            "output": some(answer, 0.95),
            "conversation": some(f"c{rng.randrange(n // 4)}", 0.95),
            "turn": some(rng.randrange(4)),
            "timestamp": some(1.78e9 + 40_000.0 * row + rng.random()),
            "model": some(rng.choice(("large-1", "small-2"))),
            "prompt": some(f"v{row * 3 // n}"),
            "system": some(systems[row * 2 // n]),
            "input": some(asked, 0.95),
            "messages": some((Message("user", asked),)),
            "tool_calls": some((ToolCall("look", rng.choice(('{"a": 1}', "{"))),), 0.2),
            "contexts": some((" ".join(prose(rng, 30)), answer), 0.6),
            "reference": some(answer, 0.3),
            "answerable": some(rng.random() < 0.7, 0.6),
            "latency_s": some(rng.expovariate(1)),
            "time_to_first_token_s": some(rng.random()),
            "input_tokens": some(float(rng.randrange(3000))),
            "output_tokens": some(float(rng.randrange(300))),
            "cached_tokens": some(float(rng.randrange(100))),
            "usd": some(rng.random() / 100),
            "error": some("timeout", 0.03),
            "score": some(float(rng.random() < 0.8), 0.6),
            "label": some(rng.choice(("good", "bad"))),
            "case": some(f"case {row % 40}"),
        }
        for name, value in trace.items():
            columns[name].append(value)
    return Batch(**columns)  # type: ignore[arg-type]  # each column has values of its own type


IDS = tuple(signal.id for signal in signals(materials()))


def one_signal(name: str) -> Signal:
    return next(signal for signal in signals(materials()) if signal.id == name)


def only(batch: Batch, columns: Iterable[str]) -> Batch:
    return Batch(**{name: getattr(batch, name) for name in {"output", *columns}})


@pytest.mark.slow
@pytest.mark.parametrize("name", IDS)
def test_every_signal_says_the_same_on_plain_lists_and_in_the_engine_in_any_batches(
    tmp_path: Path, name: str
) -> None:
    whole = world(1)
    expected = plain_engine.measure(one_signal(name), world(1))
    for sizes in ([], [1, 2, 3, 50, 99], [16] * 20):
        found = measure(cut(whole, sizes), [one_signal(name)], folder=tmp_path)
        assert found == (expected,)


@pytest.mark.slow
def test_all_signals_together_say_what_each_says_alone(tmp_path: Path) -> None:
    together = measure(cut(world(2), [100, 100]), signals(materials()), folder=tmp_path)
    for name, found in zip(IDS, together, strict=True):
        assert found == plain_engine.measure(one_signal(name), world(2)), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "kept", [(), ("input",), ("system",), ("score", "case"), ("timestamp",)]
)
def test_every_signal_bears_columns_that_are_missing(
    tmp_path: Path, kept: tuple[str, ...]
) -> None:
    batch = only(world(3, 60), kept)
    together = measure(cut(batch, [7]), signals(materials()), folder=tmp_path)
    for name, found in zip(IDS, together, strict=True):
        assert found == plain_engine.measure(
            one_signal(name), only(world(3, 60), kept)
        ), name


@given(st.lists(st.one_of(st.none(), st.sampled_from("abc"), st.text(max_size=2))))
def test_distinct_values_stand_in_the_order_of_their_first_appearance(
    values: list[str | None],
) -> None:
    different, places = signal_base.distinct(values)
    assert [different[place] for place in places] == values
    assert different == list(dict.fromkeys(values))
