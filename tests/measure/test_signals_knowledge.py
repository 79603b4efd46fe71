"""Laws of the 2×2 of passages and answers, and of its two detectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from planted import faults, fired
from tuneworthy.measure.signals import knowledge as signal_knowledge
from tuneworthy.measure.signals import knowledge as sufficiency
from tuneworthy.measure.signals.base import Findings as Found
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Evidence
from tuneworthy.stats import clustered as stats_clustered
from tuneworthy.stats.clustered import share

PASSAGE = (
    "The Aurora plan costs 12 dollars a month. It includes phone support on weekdays."
)


def evidence(found: Found, measured: str) -> Evidence:
    return next(each for each in found.evidence if each.id == measured)


def asks(found: Found, measured: str) -> str:
    value = evidence(found, measured).value
    assert isinstance(value, Unknown)
    return value.ask


def labelled(cells: dict[tuple[bool, float], int]) -> Any:
    """Traces, each a conversation of its own, with these labels."""
    rows = [label for label, n in cells.items() for _ in range(n)]
    return batch(answerable=[row[0] for row in rows], score=[row[1] for row in rows])


# 30 with the passage, 6 of them wrong; 10 without, 8 of them wrong.
MIXED = {(True, 1.0): 24, (True, 0.0): 6, (False, 1.0): 2, (False, 0.0): 8}


def test_wrong_with_the_passage_and_without_it_are_told_apart() -> None:
    found = measure(signal_knowledge.KnowledgeSignal(), labelled(MIXED))
    synthesis = evidence(found, "synthesis_failure_share")
    recall = evidence(found, "retrieval_recall")
    assert synthesis.value == pytest.approx(6 / 30)
    assert recall.value == pytest.approx(30 / 40)
    assert (synthesis.n, recall.n) == (30, 40)
    # Wilson for 6 of 30 is 0.095 to 0.373; the few conversations widen it a little
    assert synthesis.low == pytest.approx(0.095, abs=0.01)
    assert synthesis.high == pytest.approx(0.373, abs=0.015)


def test_the_four_counts_are_shown_and_drawn() -> None:
    found = measure(signal_knowledge.KnowledgeSignal(), labelled(MIXED))
    assert {
        "sufficient_right": 24, "sufficient_wrong": 6, "insufficient_right": 2,
        "insufficient_wrong": 8,
    }.items() <= evidence(found, "retrieval_recall").details.items()  # fmt: skip
    (picture,) = found.series
    assert picture.columns["n"] == (24, 6, 2, 8)
    assert picture.columns["sufficient"] == (True, True, False, False)
    assert picture.columns["right"] == (True, False, True, False)


def test_failures_of_retrieval_do_not_count_against_the_model() -> None:
    fewer = {**MIXED, (False, 0.0): 0}
    one = evidence(
        measure(signal_knowledge.KnowledgeSignal(), labelled(MIXED)),
        "synthesis_failure_share",
    )
    other = evidence(
        measure(signal_knowledge.KnowledgeSignal(), labelled(fewer)),
        "synthesis_failure_share",
    )
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_what_is_missing_is_named() -> None:
    nothing = measure(signal_knowledge.KnowledgeSignal(), batch(output=["a"] * 30))
    assert "contexts" in asks(nothing, "retrieval_recall")
    no_reference = measure(
        signal_knowledge.KnowledgeSignal(),
        batch(contexts=[[PASSAGE]] * 30, score=[1.0] * 30),
    )
    assert "reference" in asks(no_reference, "retrieval_recall")
    no_score = measure(
        signal_knowledge.KnowledgeSignal(), batch(answerable=[True] * 30)
    )
    assert evidence(no_score, "retrieval_recall").is_known
    assert "score" in asks(no_score, "synthesis_failure_share")
    assert nothing.series == no_reference.series == no_score.series == ()


def test_scores_without_a_sufficient_passage_ask_for_more() -> None:
    found = measure(signal_knowledge.KnowledgeSignal(), labelled({(False, 0.0): 40}))
    assert "sufficient passages" in asks(found, "synthesis_failure_share")
    assert evidence(found, "retrieval_recall").value == 0


def test_under_20_conversations_nothing_is_known() -> None:
    found = measure(
        signal_knowledge.KnowledgeSignal(), labelled({(True, 1.0): 10, (True, 0.0): 9})
    )
    assert "20" in asks(found, "synthesis_failure_share")
    assert "20" in asks(found, "retrieval_recall")


def test_repeats_of_a_case_are_no_new_cases() -> None:
    right = [1.0] * 20 + [0.0] * 5
    alone = measure(signal_knowledge.KnowledgeSignal(), batch(
        answerable=[True] * 25, score=right, case=[str(each) for each in range(25)],
    ))  # fmt: skip
    repeated = measure(signal_knowledge.KnowledgeSignal(), batch(
        answerable=[True] * 100, score=right * 4, case=[str(each % 25) for each in range(100)],
    ))  # fmt: skip
    one, four = (
        evidence(found, "synthesis_failure_share") for found in (alone, repeated)
    )
    assert four.clusters == 25
    assert four.low == pytest.approx(one.low, abs=0.01)
    assert four.high == pytest.approx(one.high, abs=0.01)


def test_a_label_is_believed_before_the_detector() -> None:
    found = measure(signal_knowledge.KnowledgeSignal(), batch(
        answerable=[False] * 30, contexts=[[PASSAGE]] * 30,
        reference=["The Aurora plan costs 12 dollars."] * 30, score=[1.0] * 30,
    ))  # fmt: skip
    assert evidence(found, "retrieval_recall").value == 0


def detected(*, missing: int, of: int = 60, wrong: float = 0.0) -> Found:
    """Traces whose reference stands in the passages, but for some."""
    other = "Deliveries to the islands take four working days by ferry."
    return measure(signal_knowledge.KnowledgeSignal(), batch(
        contexts=[[other if row < missing else PASSAGE] for row in range(of)],
        reference=["The Aurora plan costs 12 dollars a month."] * of,
        score=[0.0 if row >= of - wrong * of else 1.0 for row in range(of)],
    ))  # fmt: skip


def test_passages_without_the_words_of_the_reference_are_insufficient() -> None:
    found = evidence(detected(missing=30), "retrieval_recall")
    assert found.details["seen_share"] == 0.5
    assert found.is_known


def test_the_detector_widens_the_interval() -> None:
    seen = share(np.array([0.0] * 30 + [1.0] * 30), np.arange(60))
    found = evidence(detected(missing=30), "retrieval_recall")
    assert seen is not None
    assert found.low is not None
    assert isinstance(found.high, float)
    assert found.high - found.low > seen.high - seen.low
    failed = evidence(detected(missing=30, wrong=0.25), "synthesis_failure_share")
    plain = share(np.array([1.0] * 15 + [0.0] * 15), np.arange(30))
    assert plain is not None
    assert failed.low is not None
    assert isinstance(failed.high, float)
    assert failed.high - failed.low > plain.high - plain.low


def test_a_reference_without_words_says_so() -> None:
    found = measure(
        signal_knowledge.KnowledgeSignal(),
        batch(contexts=[["一二三"]] * 30, reference=["四五"] * 30, score=[1.0] * 30),
    )
    assert "no English word" in asks(found, "retrieval_recall")


def test_odd_scores_and_empty_columns_do_no_harm() -> None:
    odd = [float("inf"), float("nan"), -1.0, 7.0, None] * 10
    found = measure(
        signal_knowledge.KnowledgeSignal(), batch(answerable=[True] * 50, score=odd)
    )
    assert "score" in asks(found, "synthesis_failure_share")
    assert measure(signal_knowledge.KnowledgeSignal(), batch(output=[])).series == ()


# The detectors --------------------------------------------------------------------------------


def test_stems_meet_where_words_differ_by_an_ending() -> None:
    assert (
        signal_knowledge.stem("prices")
        == signal_knowledge.stem("price")
        == signal_knowledge.stem("priced")
    )
    assert signal_knowledge.stem("12") == "12"
    assert signal_knowledge.words("It does n't cost $12.") == [
        "it",
        "doesn't",
        "cost",
        "12",
    ]


def test_coverage_by_hand() -> None:
    # content words of the reference: aurora, plan, costs, 15, dollars; the passage lacks 15
    assert sufficiency.coverage("The Aurora plan costs 15 dollars", [PASSAGE]) == 4 / 5
    assert sufficiency.coverage("Aurora", []) == 0
    assert sufficiency.coverage("of the", [PASSAGE]) is None


@given(
    st.text(max_size=60),
    st.lists(st.text(max_size=60), max_size=3),
    st.text(max_size=60),
)
def test_another_passage_never_covers_less(
    reference: str, passages: list[str], more: str
) -> None:
    few, many = sufficiency.coverage(reference, passages), sufficiency.coverage(
        reference, [*passages, more]
    )  # fmt: skip
    if few is None:
        assert many is None
    else:
        assert many is not None
        assert 0 <= few <= many <= 1


# The share among what a detector flags ---------------------------------------------------------


def test_without_errors_the_share_is_that_of_the_flagged() -> None:
    rng = np.random.default_rng(3)
    hits, flags, groups = rng.random(80) < 0.3, rng.random(80) < 0.5, np.arange(80)
    assert stats_clustered.share_given(
        hits, flags, groups, stats_clustered.CERTAIN, stats_clustered.CERTAIN
    ) == share(hits[flags] * 1.0, groups[flags])


def test_a_share_among_the_flagged_by_hand() -> None:
    # 100 real, 100 not; 90% of the real and 20% of the others are flagged. 40 of the real and 80 of
    # the others are hits: among the flagged 36 + 16 of 110, among the real 40 of 100.
    cells = [(1, 1, 36), (1, 0, 4), (0, 1, 54), (0, 0, 6), (1, 1, 16), (1, 0, 64), (0, 1, 4),
             (0, 0, 16)]  # fmt: skip
    rows = [(hit, flag) for hit, flag, n in cells for _ in range(n)]
    hits, flags = np.array(rows, dtype=float).T
    found = stats_clustered.share_given(
        hits, flags, np.arange(200), (0.9, 0.9), (0.8, 0.8)
    )
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high
    assert found.n == 110


def test_less_certain_errors_widen_the_share_among_the_flagged() -> None:
    rng = np.random.default_rng(5)
    hits, flags = (rng.random(300) < 0.3) * 1.0, (rng.random(300) < 0.6) * 1.0
    sure = stats_clustered.share_given(
        hits, flags, np.arange(300), (0.9, 0.9), (0.7, 0.7)
    )
    unsure = stats_clustered.share_given(
        hits, flags, np.arange(300), (0.8, 1.0), (0.6, 0.8)
    )
    assert sure is not None
    assert unsure is not None
    assert unsure.value == pytest.approx(sure.value)
    assert unsure.low < sure.low < sure.high < unsure.high


def test_a_detector_that_may_be_no_better_than_chance_says_nothing() -> None:
    found = stats_clustered.share_given(
        [1, 0, 1], [1, 1, 0], [0, 1, 2], (0.4, 0.9), (0.5, 0.9)
    )
    assert found is not None
    assert (found.low, found.high) == (0, 1)
    assert (
        stats_clustered.share_given([1, 0], [0, 0], [0, 1], (0.9, 0.9), (0.9, 0.9))
        is None
    )


def test_the_interval_among_the_flagged_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(200):
        real = rng.random(200) < 0.7
        hits = np.where(real, faults(rng, 0.25, conversations=200, turns=1)[:, 0], True)
        flags = np.where(real, rng.random(200) < 0.9, rng.random(200) < 0.15)
        found = stats_clustered.share_given(
            hits, flags, np.arange(200), (0.85, 0.95), (0.8, 0.9)
        )
        assert found is not None
        held += found.low <= 0.25 <= found.high
    assert held >= 190


# Planted faults and real data ------------------------------------------------------------------


@pytest.mark.slow
def test_the_signal_fires_on_planted_faults_and_not_on_clean_data() -> None:
    def fires(at_fault: Any) -> bool:
        wrong = at_fault.ravel()
        names = [f"c{row // at_fault.shape[1]}" for row in range(len(wrong))]
        found = measure(signal_knowledge.KnowledgeSignal(), batch(
            answerable=[True] * len(wrong), score=[0.0 if bad else 1.0 for bad in wrong],
            conversation=names,
        ))  # fmt: skip
        low = evidence(found, "synthesis_failure_share").low
        return low is not None and low > 0.1

    assert fired(fires, 0.1, sets=40, seed=1) <= 0.05  # a rate right at the limit
    assert fired(fires, 0.02, sets=10, seed=2) == 0
    assert fired(fires, 0.2, sets=20, seed=3) >= 0.9


def test_retrieval_recall_on_real_questions_holds_what_people_labelled(
    shared: Path,
) -> None:
    lines = (
        (shared / "real" / "mtrag" / "reference.jsonl").read_text("utf-8").splitlines()
    )
    tasks = [json.loads(line) for line in lines]
    tasks = [
        each
        for each in tasks
        if each["answerability"][0] in {"ANSWERABLE", "UNANSWERABLE"}
    ]
    truth = [each["answerability"] == ["ANSWERABLE"] for each in tasks]
    columns: dict[str, Any] = {
        "contexts": [[text["text"] for text in each["contexts"]] for each in tasks],
        "reference": [each["targets"][0]["text"] for each in tasks],
    }
    by_people = evidence(
        measure(signal_knowledge.KnowledgeSignal(), batch(answerable=truth)),
        "retrieval_recall",
    )
    by_words = evidence(
        measure(signal_knowledge.KnowledgeSignal(), batch(**columns)),
        "retrieval_recall",
    )
    assert by_people.value == pytest.approx(sum(truth) / len(truth))
    assert by_words.low is not None
    assert isinstance(by_words.high, float)
    assert by_words.low < sum(truth) / len(truth) < by_words.high
