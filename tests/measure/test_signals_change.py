"""What is a change of a prompt, and what is a variable, a variant or a comma."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure, table_of
from tuneworthy.measure import sample as measure_sample
from tuneworthy.measure.signals import change as signal_change
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.stats import forecast as stats_forecast
from worlds_change import DAY_S, START_S, prompted, words

RNG = np.random.default_rng(7)
OLD, NEW, THIRD = (" ".join(words(RNG, 60)) for _ in range(3))


def log(pieces: list[tuple[str, float, float]], a_day: int = 3, **more: str) -> Batch:
    """Prompts, each with its first and last day of use."""
    calls = sorted(
        (START_S + (first + each / a_day) * DAY_S, text)
        for text, first, last in pieces
        for each in range(int((last - first) * a_day))
    )
    traces = batch(
        timestamp=[time for time, _ in calls], system=[text for _, text in calls]
    )
    for name, value in more.items():
        setattr(traces, name, [value] * len(traces))
    return traces


def evidence(traces: Batch) -> tuple[Evidence, Evidence]:
    changed, distinct = measure(signal_change.ChangeSignal(), traces).evidence
    return changed, distinct


def counted(traces: Batch) -> int:
    found = evidence(traces)[0]
    assert found.is_known, found
    return int(found.details["changes"])


def asks(one: Evidence) -> str:
    assert isinstance(one.value, Unknown), one
    return one.value.ask


def test_a_prompt_that_gives_way_to_another_is_one_change() -> None:
    found, distinct = evidence(log([(OLD, 0, 30), (NEW, 30, 60), (THIRD, 60, 91)]))
    months = 90.6667 / 30.4375
    assert found.value == pytest.approx(2 / months, rel=1e-3)
    low, high = stats_forecast.poisson_interval(2)
    assert (found.low, found.high) == pytest.approx(
        (low / months, high / months), rel=1e-3
    )
    assert found.examples == (
        "a version was last used on 2026-01-30", "a version was last used on 2026-03-01",
    )  # fmt: skip
    assert (distinct.value, distinct.high) == (3, "open")


def test_a_draw_counts_changes_as_a_least() -> None:
    traces = log([(OLD, 0, 40), (NEW, 40, 80)])
    changed = (
        signal_change.ChangeSignal()
        .finish(replace(table_of(signal_change.ChangeSignal(), [traces]), share=0.1))
        .evidence[0]
    )
    assert changed.high == "open"
    assert evidence(traces)[0].high != "open"


def test_a_prompt_that_stays_is_no_change() -> None:
    assert counted(log([(OLD, 0, 90)])) == 0


@pytest.mark.slow
@pytest.mark.parametrize("told", ["Order {} of 3 March. ", "Today is {} May 2026. "])
def test_numbers_and_dates_are_no_change(told: str) -> None:
    traces = log([(OLD, 0, 90)])
    traces.system = [told.format(place) + OLD for place in range(len(traces))]
    assert counted(traces) == 0
    assert evidence(traces)[1].value == 1


def test_what_is_filled_in_is_no_change() -> None:
    rng = np.random.default_rng(1)
    traces = log([(OLD, 0, 90)])
    # forty words of each prompt are of this conversation alone: two in five
    traces.system = [
        f"{OLD} Their notes: {' '.join(words(rng, 40))}" for _ in traces.output
    ]
    assert counted(traces) == 0


def test_a_prompt_that_differs_in_nearly_everything_can_not_be_told() -> None:
    rng = np.random.default_rng(1)
    traces = log([(OLD, 0, 90)])
    traces.system = [" ".join(words(rng, 60)) for _ in traces.output]
    assert "`prompt_version`" in asks(evidence(traces)[0])


def test_a_variant_that_was_dropped_is_no_change_and_counts_as_a_prompt() -> None:
    traces = log([(OLD, 0, 90), (NEW, 30, 50)])
    assert counted(traces) == 0
    assert evidence(traces)[1].value == 2


def test_two_variants_that_give_way_to_one_are_one_change() -> None:
    assert counted(log([(OLD, 0, 45), (NEW, 0, 45), (THIRD, 45, 90)])) == 1


def test_a_variant_that_won_is_one_change() -> None:
    assert counted(log([(OLD, 0, 50), (NEW, 30, 90)])) == 1


def test_prompts_for_different_tasks_are_no_change() -> None:
    assert counted(log([(OLD, 0, 90), (NEW, 0, 90), (THIRD, 0, 90)])) == 0


def test_named_prompts_change_apart_from_each_other() -> None:
    one, other = (
        log([(OLD, 0, 45)], prompt="router v1"),
        log([(NEW, 45, 90)], prompt="writer v1"),
    )
    both = Batch(**{
        name: getattr(one, name) + getattr(other, name)
        for name in ("output", "timestamp", "system", "prompt")
    })  # fmt: skip
    assert counted(both) == 0
    other.prompt = ["router v2"] * len(other)
    both.prompt = one.prompt + other.prompt
    assert counted(both) == 1


def test_a_rewrite_of_a_comma_is_no_change() -> None:
    changed = OLD.split()
    changed[30:32] = ["really", "other"]
    assert counted(log([(OLD, 0, 45), (" ".join(changed), 45, 90)])) == 0


def test_near_copies_are_what_the_framework_says() -> None:
    changed = OLD.split()
    changed[30:32] = ["really", "other"]
    traces = log([(OLD, 0, 45), (" ".join(changed), 45, 90)])
    assert (
        measure(signal_change.ChangeSignal(near_copy=0.99), traces)
        .evidence[0]
        .details["changes"]
        == 1
    )


def test_two_months_and_twenty_conversations_are_needed() -> None:
    assert "two months" in asks(evidence(log([(OLD, 0, 50)]))[0])
    few = log([(OLD, 0, 90)])
    few.conversation = [f"t{each % 19}" for each in range(len(few))]
    assert "20 conversations" in asks(evidence(few)[0])


def test_what_is_missing_is_named() -> None:
    changed, distinct = evidence(batch(timestamp=[START_S] * 30))
    assert "`system`" in asks(changed)
    assert "`system`" in asks(distinct)
    assert "`timestamp`" in asks(evidence(batch(system=[OLD] * 30))[0])


def test_prompts_are_counted_without_a_clock_too() -> None:
    traces = batch(system=[OLD] * 10 + [NEW] * 10 + [f"{OLD} Thanks."] * 10)
    assert evidence(traces)[1].value == 2


def test_names_without_texts_are_surely_one_prompt() -> None:
    found = evidence(batch(prompt=["a 1"] * 10 + ["a 2"] * 10))[1]
    assert (found.value, found.high, found.details["names"]) == (1, "open", 2)


def test_where_the_table_holds_no_texts_the_sample_stands_in() -> None:
    table = table_of(signal_change.ChangeSignal(), [log([(OLD, 0, 45), (NEW, 45, 90)])])
    bare = replace(table, systems=(), system=np.full(len(table), -1))
    found = signal_change.ChangeSignal().finish(bare).evidence[0]
    assert found.details["changes"] == 1
    assert found.sample == "sampled"


def test_a_rare_prompt_is_not_gone_because_it_is_silent() -> None:
    # used every tenth day, last ten days ago: one silence, which it had before
    rare = signal_change.PromptVersion(0.0, 80 * DAY_S, 9)
    often = signal_change.PromptVersion(20 * DAY_S, 90 * DAY_S, 200)
    assert signal_change.changes([rare, often], 90 * DAY_S, 0.0) == ()
    assert signal_change.changes(
        [signal_change.PromptVersion(0.0, 30 * DAY_S, 9), often], 90 * DAY_S, 0.0
    ) == (30 * DAY_S,)


@given(
    st.lists(
        st.tuples(st.floats(0, 80), st.floats(0, 80), st.integers(3, 99)), max_size=8
    )
)
def test_there_are_never_more_changes_than_versions_but_one(
    uses: list[tuple[float, float, int]],
) -> None:
    found = [
        signal_change.PromptVersion(
            min(first, last) * DAY_S, max(first, last) * DAY_S, n
        )
        for first, last, n in uses
    ]
    assert len(signal_change.changes(found, 90 * DAY_S, 0.0)) <= max(0, len(found) - 1)


@given(st.text(max_size=80), st.text(max_size=80))
def test_likeness_is_symmetric_and_whole_for_the_same(left: str, right: str) -> None:
    one, other = (
        signal_change.normalised_runs(left),
        signal_change.normalised_runs(right),
    )
    assert measure_sample.jaccard(one, other) == measure_sample.jaccard(other, one)
    assert measure_sample.jaccard(one, one) == 1
    assert 0 <= measure_sample.jaccard(one, other) <= 1


def test_too_many_texts_are_thinned_evenly_over_time() -> None:
    rng = np.random.default_rng(1)
    texts = []
    for each in range(900):
        half = OLD if each < 450 else NEW
        filled = f"{half} {' '.join(words(rng, 8))}"
        texts.append(signal_change.PromptText(filled, np.array([float(each)]) * DAY_S))
    found = signal_change.versions(texts, 0.8)
    assert len(found.versions) == 2
    assert found.versions[1].first / DAY_S == pytest.approx(450, abs=5)


def test_nothing_at_all_is_unknown_and_no_error() -> None:
    assert all(
        not each.is_known
        for each in measure(signal_change.ChangeSignal(), Batch()).evidence
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a_month", "rewritten", "variant"),
    [(0.0, 0.3, True), (3.0, 0.05, False), (3.0, 0.2, False)],
)
def test_rewrites_of_a_fifth_are_counted_and_edits_are_not(
    a_month: float, rewritten: float, *, variant: bool
) -> None:
    """A small form of what docs/evidence/accuracy.md counts."""
    for seed in range(4):
        traces, made = prompted(
            np.random.default_rng(seed),
            a_month=a_month,
            rewritten=rewritten,
            variant=variant,
        )
        assert counted(traces) == pytest.approx(made if rewritten >= 0.2 else 0, abs=2)
