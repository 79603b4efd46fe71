"""Whether reinforcement tuning has anything to learn from, by a lab that asks again."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faulty import Fake
from lab_world import folder_of
from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy import pipeline as pipeline_room
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab import result as lab_reward
from tuneworthy.lab.prepare import prepare
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.lab import Arm, Request
from tuneworthy.report.sections import lab_ceiling as section_lab_ceiling

LESSON = load_framework("lesson")
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
    rows = dict(section_lab_ceiling.reward_rows(made))
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


# What is made of it: a way that decide offers, once it was counted.

ABILITY = {
    "name": "Sums",
    "goals": ["generation"],
    "targets": {"quality": {"metric": "match", "at_least": 0.8}},
    "today": {"quality": 0.7, "cases": 800},
    "data": {"examples": {"count": 150}},
    "factors": {"domain_knowledge": "no", "brand_voice": "no"},
}


def tried_again(state: str = "signal", **more: Any) -> Evidence:
    """The evidence of a lab that asked each case eight times."""
    details = {
        "state": state,
        "repeats": 8,
        "never": 0.1,
        "right": 0.7,
        "headroom": 0.2,
        "headroom_high": 0.24,
    }
    return Evidence(
        id="reward_signal", value=0.4, low=0.33, high=0.47, unit="share of cases",
        n=200, clusters=200, details=details | more,
    )  # fmt: skip


def rated(down: float = 0.2, n: int = 1_800) -> Evidence:
    """The evidence of a log whose users rated answers."""
    up = 1 - down
    return Evidence(
        id="success_share", value=up, low=up, high=up, unit="share of conversations", n=n,
        clusters=n, factor="success_with_prompts",
        details={"scored_traces": n, "tested_share": 0.0},
    )  # fmt: skip


def decided(*measured: Evidence, **more: Any) -> Dossier:
    case = load_case(ABILITY | more)
    by_id = {each.id: each for each in measured}
    return pipeline_room.decide(case, LESSON, as_of=date(2026, 12, 1), evidence=by_id)


def way_of(dossier: Dossier, name: str) -> Any:
    return next((way for way in dossier.ways if way.id == name), None)


def test_reinforcement_is_offered_only_after_a_lab_asked_again() -> None:
    assert way_of(decided(), "reinforcement_tuning") is None
    way = way_of(decided(tried_again()), "reinforcement_tuning")
    assert (way.kind, way.state) == ("tuning", "untried")
    assert "40% of cases" in way.because
    assert "export" in way.to_try.command


@pytest.mark.parametrize("state", ["none", "nothing_to_gain", "unclear"])
def test_without_a_signal_reinforcement_is_ruled_out(state: str) -> None:
    way = way_of(decided(tried_again(state)), "reinforcement_tuning")
    assert way.state == "ruled_out"


def test_a_grader_that_people_contradict_is_no_reward() -> None:
    own: dict[str, Any] = {"judge": "m", "kappa": 0.3, "kappa_high": 0.5}
    way = way_of(decided(tried_again(**own)), "reinforcement_tuning")
    assert way.state == "ruled_out"
    assert "0.3" in way.because
    agrees: dict[str, Any] = {"judge": "m", "kappa": 0.7, "kappa_high": 0.8}
    assert way_of(decided(tried_again(**agrees)), "reinforcement_tuning").state == (
        "untried"
    )


def test_reinforcement_reaches_no_further_than_cases_that_are_sometimes_right() -> None:
    far = way_of(decided(tried_again()), "reinforcement_tuning")
    near = tried_again(headroom=0.02, headroom_high=0.03)
    assert way_of(decided(near), "reinforcement_tuning").chance < far.chance
    assert way_of(decided(near), "reinforcement_tuning").chance_word == "unlikely"


def test_a_signal_goes_first_where_examples_teach_no_ability() -> None:
    dossier = decided(tried_again())
    order = [way.id for way in dossier.ways if way.kind == "tuning"]
    assert order[0] == "reinforcement_tuning"


def test_what_no_pilot_runs_is_planned_by_its_export() -> None:
    options = LESSON.options.items()
    simpler = [name for name, option in options if option.kind != "tuning"]
    tried = [
        {"name": "all", "tried": [name for name in simpler if name != "keep_prompt"]}
    ]
    ready = {
        "attempts": tried,
        "ceiling": dict.fromkeys(LESSON.ceiling, "yes"),
        "safety": {"data_reviewed": "yes", "process_named": "yes"},
    }
    dossier = decided(tried_again(), **ready)
    assert (dossier.verdict.answer, dossier.verdict.rule) == ("pilot", "worth_a_pilot")
    assert not isinstance(dossier.plan, Unknown)
    (pilot,) = (phase for phase in dossier.plan.phases if phase.id == "pilot")
    said = " ".join(pilot.steps)
    assert "tuneworthy export" in said
    assert "tuneworthy pilot" not in said
    # its own number of examples, as the list of ways and the docs say, and not the goal's
    least = LESSON.threshold("examples_to_reinforce")
    assert f"at least {least:.0f} examples" in said
    (data,) = (phase for phase in dossier.plan.phases if phase.id == "data")
    assert data.steps[0].startswith(
        f"{least:.0f} or more examples needed, 150 are there"
    )
    page = (Path(__file__).parents[2] / "docs" / "guides" / "no-gain.md").read_text()
    assert f"It takes {least:.0f} examples" in " ".join(page.split())


def test_thumbs_are_learned_from_once_enough_of_both_kinds_were_counted() -> None:
    assert way_of(decided(), "thumb_tuning") is None
    assert way_of(decided(rated()), "thumb_tuning").state == "untried"
    assert "trl-kto" in way_of(decided(rated()), "thumb_tuning").to_try.command
    assert way_of(decided(rated(n=60)), "thumb_tuning").state == "ruled_out"
    assert way_of(decided(rated(down=0.0)), "thumb_tuning").state == "ruled_out"
    test = rated().model_copy(update={"details": {"tested_share": 1.0}})
    assert way_of(decided(test), "thumb_tuning") is None


@pytest.mark.slow
def test_a_lab_with_repeats_tells_decide_whether_there_is_a_signal(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, n=80, prompts={"plain": "Answer the question.\n"})
    asked: dict[str, int] = {}

    def answer(request: Request) -> str:
        text = request.messages[-1].content
        asked[text] = asked.get(text, 0) + 1
        number = text.removeprefix("Where is book ").removesuffix("?")
        return f"shelf {number}" if asked[text] % 2 else "no idea"

    lab = prepare(folder, as_of=date(2026, 12, 1), repeats=4)
    lab_ceiling.run(lab, cap_usd=0, transport=Fake(answer))
    dossier = decide(load_case(folder), LESSON, as_of=date(2026, 12, 1))
    assert not isinstance(dossier.evidence, Unknown)
    (counted,) = (each for each in dossier.evidence if each.id == "reward_signal")
    assert counted.details["state"] == "signal"
    assert counted.value == 1.0
    assert way_of(dossier, "reinforcement_tuning") is not None
