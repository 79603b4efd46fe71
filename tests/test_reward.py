"""Whether reinforcement tuning has anything to learn from, by a lab that asks again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from internals import Arm, EvalCase, lab_reward, section_lab

ARM = Arm(id="plain", kind="prompt", prompt="plain", model="m")


def signal(rates: list[float], repeats: int = 8, scored: int | None = None) -> Any:
    """The signal of an arm that is right at these rates, a case each."""
    cases = tuple(EvalCase(id=f"c{n}", input=f"q{n}") for n in range(len(rates)))
    tries = np.full(len(rates), float(repeats if scored is None else scored))
    columns = SimpleNamespace(columns=lambda *_: (np.array(rates) * tries, tries))
    return lab_reward.reward_signal(
        SimpleNamespace(arm_scores=lambda _: columns),  # type: ignore[arg-type]  # columns alone are read
        ARM,
        cases,
        repeats,
    )


STATES = {
    "signal": [0.5] * 40 + [0.0] * 30 + [1.0] * 30,
    "none": [0.0] * 200 + [1.0] * 200,
    "nothing_to_gain": [1.0] * 400,
    "unclear": [0.5, 0.0, 1.0, 0.0, 1.0],
}


@pytest.mark.parametrize("state", STATES)
def test_only_intervals_settle_whether_there_is_a_signal(state: str) -> None:
    made = signal(STATES[state])
    assert made.state == state
    rows = dict(section_lab.reward_rows(made))
    assert rows["Signal"]


def test_few_tries_say_nothing() -> None:
    assert signal([0.5] * 100, repeats=lab_reward.FEWEST_REPEATS - 1) is None
    assert signal([0.5] * 100, scored=lab_reward.FEWEST_REPEATS - 1) is None


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=60))
def test_every_case_is_mixed_or_never_or_always_right(rates: list[float]) -> None:
    made = signal(rates)
    parts = (made.mixed, made.never, made.always)
    assert sum(part.value for part in parts) == pytest.approx(1.0)
    assert all(0 <= part.low <= part.value <= part.high <= 1 for part in parts)
    assert made.headroom.value == pytest.approx(1 - made.never.value - made.right.value)
