"""Laws of success: what counts once, what stands or falls together, and what isn't known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from planted import fired
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence


def evidence(measured: str, *batches: Batch) -> Evidence:
    found = measure(Success(), *batches).evidence
    return next(each for each in found if each.id == measured)


def asks(measured: str, *batches: Batch) -> str:
    value = evidence(measured, *batches).value
    assert isinstance(value, Unknown)
    return value.ask


def test_success_is_the_share_of_conversations_that_went_well() -> None:
    found = evidence("success_share", batch(score=[1.0] * 30 + [0.0] * 10))
    assert found.value == 0.75
    # Wilson for 30 of 40 is 0.598 to 0.858
    assert found.low == pytest.approx(0.598, abs=0.01)
    assert found.high == pytest.approx(0.858, abs=0.01)
    assert (found.n, found.clusters) == (40, 40)
    assert found.factor == "success_with_prompts"


def test_a_score_from_a_half_on_is_a_success() -> None:
    found = evidence("success_share", batch(score=[0.5, 0.49] * 20))
    assert found.value == 0.5
    assert found.details["mean_score"] == pytest.approx(0.495)


def test_a_conversation_counts_once_however_often_it_is_scored() -> None:
    # 20 conversations that went well, scored once; 20 that didn't, scored nine times
    names = [f"good {each}" for each in range(20)]
    names += [f"bad {each}" for each in range(20) for _ in range(9)]
    found = evidence(
        "success_share", batch(score=[1.0] * 20 + [0.0] * 180, conversation=names)
    )
    assert found.value == 0.5
    assert (found.n, found.clusters) == (40, 40)


def test_a_conversation_with_mixed_scores_counts_by_their_mean() -> None:
    names = [f"c{each // 2}" for each in range(60)]
    assert (
        evidence(
            "success_share", batch(score=[1.0, 0.0] * 30, conversation=names)
        ).value
        == 0.5
    )


def test_trials_of_a_task_are_no_independent_tasks() -> None:
    cases = [f"t{each // 4}" for each in range(200)]
    alike = [1.0 if each // 4 < 25 else 0.0 for each in range(200)]
    names = [f"c{each}" for each in range(200)]
    found = evidence(
        "success_share", batch(score=alike, case=cases, conversation=names)
    )
    without = evidence("success_share", batch(score=alike, conversation=names))
    assert (found.n, found.clusters) == (200, 50)
    # 25 of 50 tasks: Wilson is 0.366 to 0.634; 100 of 200 would be 0.431 to 0.569
    assert found.low == pytest.approx(0.366, abs=0.01)
    assert without.low == pytest.approx(0.431, abs=0.01)


def test_the_same_case_in_two_batches_is_one_case() -> None:
    one = batch(score=[1.0] * 20 + [0.0] * 5, case=[f"t{each}" for each in range(25)])
    assert evidence("success_share", one, one).clusters == 25


def test_a_test_of_several_prompts_says_nothing_of_the_present_one() -> None:
    columns: dict[str, Any] = {
        "score": [1.0] * 60,
        "case": [str(each % 30) for each in range(60)],
    }
    prompts = ["a" if each < 30 else "b" for each in range(60)]
    assert "several" in asks("success_share", batch(**columns, prompt=prompts))
    assert evidence("success_share", batch(**columns, prompt=["a"] * 60)).is_known
    # without cases it is traffic, whatever prompts it came through
    assert evidence("success_share", batch(score=[1.0] * 60, prompt=prompts)).is_known


def test_what_is_missing_is_named() -> None:
    nothing = batch(output=[None] * 30)
    assert "score" in asks("success_share", nothing)
    assert "error" in asks("error_share", nothing)
    assert "output" in asks("refusal_share", nothing)
    assert "20" in asks("success_share", batch(score=[1.0] * 19))


def test_scores_on_another_scale_are_no_success() -> None:
    stars = batch(score=[5.0, 4.0] * 20)
    assert "another scale" in asks("success_share", stars)
    assert evidence("success_share", stars).details["off_scale"] == 40
    odd = batch(score=[float("nan"), float("inf"), -0.1] * 10 + [1.0] * 30)
    assert evidence("success_share", odd).value == 1


def test_a_label_in_words_counts_where_there_is_no_score() -> None:
    labels = ["Thumbs up", "thumbs_down", "correct", "FAILED", "lukewarm", None] * 10
    assert evidence("success_share", batch(label=labels)).value == 0.5
    assert evidence("success_share", batch(label=labels)).n == 40
    both = batch(label=["bad"] * 40, score=[1.0] * 30 + [None] * 10)
    assert evidence("success_share", both).value == 0.75


def test_errors_and_refusals_are_counted_apart() -> None:
    sorry = "I'm sorry, but I can't help with that request."
    found = batch(
        output=[sorry] * 10 + ["Here it is."] * 30, error=["timeout"] * 4 + [None] * 36
    )
    assert evidence("error_share", found).value == 0.1
    refused = evidence("refusal_share", found)
    assert refused.value == 0.25
    assert refused.high == "open"
    assert refused.low is not None
    assert 0.1 < refused.low < 0.25


@pytest.mark.slow
@given(st.lists(st.sampled_from([None, 0.0, 1.0]), min_size=40, max_size=80))
def test_unscored_traces_change_nothing(scores: list[float | None]) -> None:
    scored = [each for each in scores if each is not None]
    whole, part = (
        evidence("success_share", batch(score=each)) for each in (scores, scored)
    )
    assert (whole.value, whole.low, whole.high) == (part.value, part.low, part.high)


@given(st.lists(st.floats(0, 1), min_size=30, max_size=60), st.integers(1, 29))
def test_how_traces_are_cut_into_batches_changes_nothing(
    scores: list[float], cut: int
) -> None:
    one = evidence("success_share", batch(score=scores))
    two = evidence(
        "success_share", batch(score=scores[:cut]), batch(score=scores[cut:])
    )
    assert one == two


def test_a_target_is_called_missed_on_planted_faults_and_not_on_clean_data() -> None:
    def missed(at_fault: Any) -> bool:
        rows = at_fault.ravel().tolist()
        found = evidence("success_share", batch(
            score=[0.0 if bad else 1.0 for bad in rows],
            conversation=[f"c{row // at_fault.shape[1]}" for row in range(len(rows))],
        ))  # fmt: skip
        assert isinstance(found.high, float)
        return found.high < 0.9

    assert fired(missed, 0.1, sets=60, seed=1) <= 0.05  # success right at the target
    assert fired(missed, 0.2, sets=20, seed=2) >= 0.9


def test_the_real_agent_succeeds_as_often_as_its_tasks_say(shared: Path) -> None:
    path = shared / "real" / "tau_bench" / "gpt-4o-airline.json"
    runs = json.loads(path.read_text("utf-8"))
    found = evidence("success_share", batch(
        score=[run["reward"] for run in runs], case=[str(run["task_id"]) for run in runs],
        conversation=[f"{run['task_id']} {run['trial']}" for run in runs],
    ))  # fmt: skip
    by_task: dict[int, list[float]] = {}
    for run in runs:
        by_task.setdefault(run["task_id"], []).append(run["reward"])
    means = np.array([np.mean(each) for each in by_task.values()])
    drawn = np.random.default_rng(0).choice(means, size=(4000, len(means))).mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert found.value == pytest.approx(means.mean())
    assert (found.n, found.clusters) == (200, 50)
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def test_the_worst_of_five_is_no_success() -> None:
    """Where others are 2 to 5, a 1 is on that scale and not right."""
    assert "another scale" in asks("success_share", batch(score=[1.0, 5.0] * 30))
    told = measure(Success(), batch(score=[1.0] * 59 + [7.0])).evidence[0]
    assert (told.value, told.details["off_scale"]) == (1.0, 1)
