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
from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.traces import Batch
from tuneworthy.gather import embedding
from tuneworthy.gather.embedding import embed
from tuneworthy.gather.signals.novelty import Novelty, nearest, novel_share
from tuneworthy.stats.clustered import Estimate
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
WANTS = ("where is my", "please cancel the", "send me the", "I lost my", "can I change the")
TONES = ("", "hello, ", "urgent: ", "sorry, ", "once more, ", "good morning, ")
KNOWN = [f"{tone}{want} {thing}" for tone in TONES for want in WANTS for thing in THINGS]
ANIMALS = ("wolves", "whales", "owls", "beetles", "otters", "eagles", "salmon", "bats")
OTHER = [
    f"tell me a story in which {one} sing with {other} by the volcano"
    for one in ANIMALS for other in ANIMALS
]  # fmt: skip


def evidence(traces: Batch) -> tuple[Evidence, Evidence]:
    novel, drift = measure(Novelty(), traces).evidence
    return novel, drift


def ends(one: Evidence) -> tuple[float, float]:
    assert one.low is not None, one
    assert isinstance(one.high, float)
    return one.low, one.high


def asks(one: Evidence) -> str:
    assert isinstance(one.value, Unknown), one
    return one.value.ask


def world(share: float, seed: int = 1, **more: int) -> Batch:
    return asked(np.random.default_rng(seed), KNOWN * 8, OTHER * 8, share=share, **more)


def test_what_is_unlike_anything_before_is_found() -> None:
    novel, drift = evidence(world(0.5))
    assert ends(novel)[0] > 0.2
    assert ends(drift)[0] > 0
    assert drift.details["chance"] == pytest.approx(1 / 500)
    assert float(novel.details["flagged"]) > 0.45


def test_where_nothing_is_new_none_is_found() -> None:
    found = [evidence(world(0.0, seed)) for seed in range(6)]
    assert all(ends(novel)[0] == 0 for novel, _ in found)
    # of six honest tests at 5%, three and more alarm once in 450 times
    assert sum(float(drift.details["chance"]) <= 0.05 for _, drift in found) <= 2
    assert all(ends(drift)[0] == 0 for _, drift in found)


def test_the_upper_end_is_open_where_requests_are_long() -> None:
    traces = world(0.0)
    traces.input = [f"{text}, {'and so on, ' * 30}" for text in traces.input]
    assert evidence(traces)[0].high == 1.0


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        ({"input": []}, "`input`"),
        ({"timestamp": []}, "`timestamp`"),
        ({"timestamp": [START_S + 50 * DAY_S * each / 1600 for each in range(1600)]}, "two months"),
        ({"conversation": [f"t{each % 12}" for each in range(1600)]}, "20 conversations"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, list[object]], ask: str) -> None:
    traces = world(0.0)
    for name, values in change.items():
        setattr(traces, name, values)
    assert all(ask in asks(each) for each in evidence(traces))


def test_too_few_earlier_requests_are_no_past() -> None:
    assert "400 earlier requests" in asks(evidence(world(0.0, conversations=200))[0])


def test_without_the_embeddings_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_model", lambda: None)
    assert "tuneworthy[traces]" in asks(evidence(world(0.0))[0])


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


def test_the_nearest_of_one_s_own_conversation_does_not_count() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    own = np.array([[True, True, False], [True, True, False], [False, False, True]])
    assert nearest(vectors, vectors).tolist() == [1, 1, 1]
    assert nearest(vectors, vectors, own).tolist() == [0, 0, 0]
    assert nearest(vectors, vectors[:0]).tolist() == [-1, -1, -1]


@given(st.floats(0, 1), st.floats(0.3, 0.9))
def test_the_true_share_is_within_what_a_known_detector_says(real: float, found: float) -> None:
    flagged = real * found + (1 - real) * 0.2
    seen = Estimate(flagged, flagged, flagged, 100, 100)
    none = Estimate(0.2, 0.2, 0.2, 100, 100)
    value, low, high = novel_share(seen, none, (found - 0.05, found + 0.05))
    assert low - 1e-9 <= real <= high + 1e-9
    assert low <= value <= high


def test_errors_of_both_shares_are_taken_together() -> None:
    seen, none = Estimate(0.5, 0.46, 0.54, 100, 100), Estimate(0.2, 0.17, 0.23, 100, 100)
    _, low, high = novel_share(seen, none, (0.8, 0.8))
    # an excess of 0.3, give or take the hypotenuse of 0.04 and 0.03, of the 0.6 that could be
    assert (low, high) == pytest.approx((0.25 / 0.6, 0.35 / 0.6))


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_has_a_vector_of_length_one_or_none(texts: list[str]) -> None:
    found = embed(texts)
    assert found is not None
    assert len(found) == len(texts)
    for length in np.linalg.norm(found, axis=1).tolist() if texts else []:
        assert length == pytest.approx(1, abs=1e-4) or length == 0


def test_requests_that_are_broken_are_no_error() -> None:
    traces = world(0.0)
    traces.input[:4] = ["", "\0\ud800", "x" * 10**6, None]
    traces.timestamp[4:7] = [math.nan, None, 1e300]
    assert evidence(traces)[0].known


def test_nothing_at_all_is_unknown_and_no_error() -> None:
    assert all(not each.known for each in evidence(Batch()))


def test_held_out_intents_are_found_and_seen_ones_are_not(shared: Path) -> None:
    """The small form of tools/accuracy/novelty.py: half of the last month is of six new intents."""
    with (shared / "real" / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
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
    traces = asked(np.random.default_rng(3), numbered[:2000], numbered[2000:], share=0.5)
    novel, _ = evidence(traces)
    assert ends(novel)[0] == 0
    assert float(novel.details["flagged"]) == 0
