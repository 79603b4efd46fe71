"""Laws of how calls end, what is asked again, and what a prompt version costs."""

from __future__ import annotations

from typing import Any

import pytest

from plain_engine import batch, measure
from tuneworthy.measure.signals.calls import CallsSignal
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.measure.signals.traffic import TrafficSignal as Traffic
from tuneworthy.model import lab as model_lab
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence

START = 1_790_000_000.0
DAY = 86_400.0


def evidence(signal: Any, measured: str, *batches: Batch) -> Evidence:
    found = measure(signal, *batches).evidence
    return next(each for each in found if each.id == measured)


def asks(signal: Any, measured: str, *batches: Batch) -> str:
    value = evidence(signal, measured, *batches).value
    assert isinstance(value, Unknown)
    return value.ask


@pytest.mark.parametrize(
    "word", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "token_limit"]
)
def test_every_maker_s_word_for_a_cut_off_is_one(word: str) -> None:
    ends = [word] * 10 + ["stop"] * 20 + ["tool-calls"] * 10
    assert evidence(CallsSignal(), "cut_off_share", batch(finish=ends)).value == 0.25


def test_a_call_that_failed_or_says_nothing_is_no_answer_that_was_cut_off() -> None:
    ends = ["length"] * 20 + ["stop"] * 20 + [None] * 20
    failed = ["timeout"] * 10 + [None] * 50
    cut = evidence(CallsSignal(), "cut_off_share", batch(finish=ends, error=failed))
    assert cut.value == pytest.approx(1 / 3)
    assert cut.n == 30
    assert "finish_reason" in asks(
        CallsSignal(), "cut_off_share", batch(output=["a"] * 30)
    )


@pytest.mark.parametrize(
    "word", ["refusal", "content_filter", "content-filter", "SAFETY"]
)
def test_what_a_maker_calls_refused_is_refused_whatever_it_says(word: str) -> None:
    told = batch(
        output=[None] * 10 + ["Here."] * 30, finish=[word] * 10 + ["stop"] * 30
    )
    refused = evidence(Success(), "refusal_share", told)
    assert refused.value == 0.25
    assert refused.details["said_by_their_maker"] == 10


def repeated(**more: Any) -> Batch:
    """Forty questions, a minute apart; every fourth is asked again at once."""
    asked = [f"what is number {n - n % 4 // 3}" for n in range(40)]
    times = [START + 60.0 * n for n in range(40)]
    return batch(input=asked, timestamp=times, **more)


def test_the_same_question_at_once_in_a_conversation_is_a_retry() -> None:
    talks = [f"c{n // 2}" for n in range(40)]
    assert (
        evidence(CallsSignal(), "retry_share", repeated(conversation=talks)).value
        == 0.25
    )
    apart = [f"c{n}" for n in range(40)]
    assert (
        evidence(CallsSignal(), "retry_share", repeated(conversation=apart)).value == 0
    )


def test_without_conversations_only_what_repeats_a_failure_is_a_retry() -> None:
    assert evidence(CallsSignal(), "retry_share", repeated()).value == 0
    failed = ["429" if n % 8 == 2 else None for n in range(40)]
    assert evidence(CallsSignal(), "retry_share", repeated(error=failed)).value == 0.125


def test_the_same_question_a_day_later_is_no_retry() -> None:
    late = batch(
        input=["the same question"] * 40, timestamp=[START + DAY * n for n in range(40)],
        conversation=[f"c{n // 2}" for n in range(40)],
    )  # fmt: skip
    assert evidence(CallsSignal(), "retry_share", late).value == 0


def test_runs_of_a_test_have_no_retries() -> None:
    tested = repeated(case=[f"t{n}" for n in range(40)])
    assert "runs of a test" in asks(CallsSignal(), "retry_share", tested)


def versions(usd: tuple[float, float]) -> Batch:
    """Two prompt versions, one after the other, whose calls cost so much."""
    return batch(
        prompt=["v3"] * 40 + ["v4"] * 40,
        usd=[usd[0] * (0.9 + 0.2 * (n % 2)) for n in range(40)]
        + [usd[1] * (0.9 + 0.2 * (n % 2)) for n in range(40)],
        timestamp=[START + DAY / 4 * n for n in range(80)],
    )


def test_the_newest_prompt_s_price_is_compared_with_the_one_before_it() -> None:
    dearer = evidence(Traffic(), "prompt_price_change", versions((0.01, 0.02)))
    assert dearer.value == pytest.approx(1.0)
    assert isinstance(dearer.high, float)
    assert dearer.low is not None
    assert 0.5 < dearer.low < 1 < dearer.high < 1.5
    assert (dearer.details["former"], dearer.details["newest"]) == ("v3", "v4")
    same = evidence(Traffic(), "prompt_price_change", versions((0.01, 0.01)))
    assert same.low is not None
    assert same.low < 0


def test_prompt_versions_stand_in_the_order_in_which_they_went_live() -> None:
    series = {
        each.id: each for each in measure(Traffic(), versions((0.01, 0.02))).series
    }
    columns = series["prompt_versions"].columns
    assert columns["prompt"] == ("v3", "v4")
    assert [*columns["usd"]] == pytest.approx([0.01, 0.02])
    assert columns["first"] == ("2026-09-21", "2026-10-01")


def test_a_price_nobody_logged_is_unknown_by_prompt_too() -> None:
    told = batch(
        prompt=["a"] * 40 + ["b"] * 40, timestamp=[START + n for n in range(80)]
    )
    assert "usd" in asks(Traffic(), "prompt_price_change", told)
    series = {each.id: each for each in measure(Traffic(), told).series}
    assert series["prompt_versions"].columns["usd"] == ("unknown", "unknown")


def test_a_lab_and_a_log_read_the_end_of_an_answer_by_one_table() -> None:
    for word in ("length", "content-filter", "stop", "tool_use", "strange"):
        reply = model_lab.Reply(text="x", finish=word)
        kind = model_lab.end_kind(word)
        assert reply.cut_off == (kind == "cut_off")
        assert reply.withheld == (kind == "withheld")
