"""What counts as new, on words that were made up and on labelled intents."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import measure
from tuneworthy.measure.signals import novelty as signal_novelty
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.text import embedding as text_embedding
from worlds_novelty import DAY_S, START_S, asked

THINGS = (
    "invoice",
    "parcel",
    "refund",
    "address",
    "voucher",
    "warranty",
    "subscription",
    "receipt",
)
WANTS = (
    "where is my",
    "please cancel the",
    "send me the",
    "I lost my",
    "can I change the",
)
TONES = ("", "hello, ", "urgent: ", "sorry, ", "once more, ", "good morning, ")
KNOWN = [
    f"{tone}{want} {thing}" for tone in TONES for want in WANTS for thing in THINGS
]
ANIMALS = ("wolves", "whales", "owls", "beetles", "otters", "eagles", "salmon", "bats")
OTHER = [
    f"tell me a story in which {one} sing with {other} by the volcano"
    for one in ANIMALS for other in ANIMALS
]  # fmt: skip


def evidence(traces: Batch) -> tuple[Evidence, Evidence]:
    novel, drift = measure(signal_novelty.NoveltySignal(), traces).evidence
    return novel, drift


def ends(one: Evidence) -> tuple[float, float]:
    assert one.low is not None, one
    assert isinstance(one.high, float)
    return one.low, one.high


def asks(one: Evidence) -> str:
    assert isinstance(one.value, Unknown), one
    return one.value.ask


def world(share: float, seed: int = 1, conversations: int = 800) -> Batch:
    rng = np.random.default_rng(seed)
    return asked(rng, KNOWN * 8, OTHER * 8, share=share, conversations=conversations)


def test_what_is_unlike_anything_before_is_found() -> None:
    novel, drift = evidence(world(0.5))
    assert ends(novel)[0] > 0.2
    assert ends(drift)[0] > 0
    assert drift.details["chance"] == pytest.approx(1 / 500)
    assert float(novel.details["flagged"]) > 0.45


@pytest.mark.slow
def test_where_nothing_is_new_none_is_found() -> None:
    found = [evidence(world(0.0, seed)) for seed in range(6)]
    assert all(ends(novel)[0] == 0 for novel, _ in found)
    # of six honest tests at 5%, three and more alarm once in 450 times
    assert sum(float(drift.details["chance"]) <= 0.05 for _, drift in found) <= 2
    assert all(ends(drift)[0] == 0 for _, drift in found)


@pytest.mark.slow
def test_the_upper_end_is_open_where_requests_are_long() -> None:
    traces = world(0.0)
    traces.input = [f"{text}, {'and so on, ' * 30}" for text in traces.input]
    assert evidence(traces)[0].high == 1.0


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        ({"input": []}, "`input`"),
        ({"timestamp": []}, "`timestamp`"),
        (
            {"timestamp": [START_S + 50 * DAY_S * each / 1600 for each in range(1600)]},
            "two months",
        ),
        (
            {"conversation": [f"t{each % 12}" for each in range(1600)]},
            "20 conversations",
        ),
    ],
)
def test_what_is_missing_is_named(change: dict[str, list[object]], ask: str) -> None:
    traces = world(0.0)
    for name, values in change.items():
        setattr(traces, name, values)
    assert all(ask in asks(each) for each in evidence(traces))


def test_too_few_earlier_requests_are_no_past() -> None:
    assert "400 earlier requests" in asks(evidence(world(0.0, conversations=200))[0])


@pytest.mark.slow
def test_the_same_traces_give_the_same_evidence_in_any_order() -> None:
    traces = world(0.2)
    order = np.random.default_rng(5).permutation(len(traces)).tolist()
    mixed = Batch(**{
        name: [getattr(traces, name)[each] for each in order]
        for name in ("output", "timestamp", "input", "conversation")
    })  # fmt: skip
    for one, other in zip(evidence(traces), evidence(mixed), strict=True):
        assert other.value == pytest.approx(one.value, abs=1e-6)
        assert ends(other) == pytest.approx(ends(one), abs=1e-3)


def test_neighbours_are_those_of_other_conversations_the_nearest_first() -> None:
    angle = np.array([0.0, 0.1, 0.25, 1.0])
    vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    found = signal_novelty.neighbours(
        vectors, np.array([0, 0, 1, 2]), np.array([False, False, True, True])
    )
    assert found.places[:, 0].tolist() == [2, 2, 1, 2]
    assert found.cosines[0, :2].tolist() == pytest.approx([np.cos(0.25), np.cos(1.0)])
    # of the first two the only earlier ones are of their own conversation
    assert found.earlier.tolist() == pytest.approx([-1, -1, np.cos(0.15), np.cos(0.9)])


def test_less_is_new_enough_where_another_of_the_last_month_is_nearer() -> None:
    """By hand: of cosines 0.50, 0.52 … 0.88 a tenth lie under 0.538, three tenths under 0.614."""
    earlier = [0.5 + 0.02 * each for each in range(20)] + [0.53, 0.60, 0.60, 0.62]
    nearest = [(each + 1) % 20 for each in range(20)] + [0, 22, 0, 22]
    later = np.arange(24) >= 20
    near = signal_novelty.Neighbours(
        np.array(nearest)[:, None],
        np.full((24, 1), 0.9, np.float32),
        np.array(earlier, np.float32),
    )
    found = signal_novelty.flagged(near, np.arange(24), later, np.random.default_rng(1))
    assert found.limits == pytest.approx((0.538, 0.614))
    assert found.rows[later].tolist() == [True, True, False, False]


def test_the_same_request_in_other_letters_is_never_new() -> None:
    near = signal_novelty.Neighbours(
        np.zeros((40, 1), np.int64),
        np.ones((40, 1), np.float32),
        np.full(40, 0.96, np.float32),
    )
    later = np.arange(40) >= 20
    near.earlier[later] = 0.955  # farther than all earlier ones among themselves
    assert not signal_novelty.flagged(
        near, np.arange(40), later, np.random.default_rng(1)
    ).rows.any()


def test_shuffled_conversations_say_what_chance_flags() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(900, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    talks = np.arange(900) // 3
    later = talks >= 200
    found = signal_novelty.flagged(
        signal_novelty.neighbours(vectors, talks, later), talks, later, rng
    )
    # nothing is new: what is flagged lies within four deviations of what chance flags
    assert abs(found.rows[later].mean() - found.by_chance) < 4 * found.spread
    assert 0.005 < found.spread < 0.06
    # a tenth alone, and of the next fifth those whose nearest is one of the third that is later
    assert found.by_chance == pytest.approx(0.1 + 0.2 / 3, abs=0.05)


def test_a_conversation_that_reaches_over_both_times_is_not_moved() -> None:
    vectors = np.eye(60, dtype=np.float32)
    talks = np.zeros(60, dtype=np.int64)  # a single conversation, half of it later
    later = np.arange(60) >= 30
    found = signal_novelty.flagged(
        signal_novelty.neighbours(vectors, talks, later),
        talks,
        later,
        np.random.default_rng(1),
    )
    assert found.spread == 0


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_has_a_vector_of_length_one_or_none(texts: list[str]) -> None:
    found = text_embedding.embed(texts)
    assert found is not None
    assert len(found) == len(texts)
    for length in np.linalg.norm(found, axis=1).tolist() if texts else []:
        assert length == pytest.approx(1, abs=1e-4) or length == 0


@pytest.mark.slow
def test_requests_that_are_broken_are_no_error() -> None:
    traces = world(0.0)
    traces.input[:4] = ["", "\0\ud800", "x" * 10**6, None]
    traces.timestamp[4:7] = [math.nan, None, 1e300]
    assert evidence(traces)[0].is_known


def test_nothing_at_all_is_unknown_and_no_error() -> None:
    assert all(not each.is_known for each in evidence(Batch()))


@pytest.mark.slow
def test_held_out_intents_are_found_and_seen_ones_are_not(shared: Path) -> None:
    """The small form of evidence/accuracy/novelty.py: six intents are new in the last month."""
    with (shared / "real" / "banking77" / "train.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    held = set(sorted({intent for _, intent in rows})[::11][:6])
    known = [text for text, intent in rows if intent not in held]
    new = [text for text, intent in rows if intent in held]
    assert len(new) > 300
    for seed in range(3):
        rng = np.random.default_rng(seed)
        clean, planted = (
            evidence(asked(rng, known, new, share=share))[0] for share in (0.0, 0.5)
        )  # fmt: skip
        assert ends(clean)[0] < 0.05
        assert ends(planted)[0] > 0.05
        assert ends(planted)[1] >= 0.5


def test_another_number_makes_no_other_request() -> None:
    """Requests that differ by an order's number alone are of one kind, however many there are."""
    numbered = [f"where is {10_000 + 7919 * n % 90_000}" for n in range(4000)]
    traces = asked(
        np.random.default_rng(3), numbered[:2000], numbered[2000:], share=0.5
    )
    novel, _ = evidence(traces)
    assert ends(novel)[0] == 0
    assert float(novel.details["flagged"]) == 0
