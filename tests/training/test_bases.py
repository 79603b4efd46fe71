"""Several bases in one pilot: the smallest that does it, and nothing trained or paid twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot_world import AS_OF, FakeTrainer, answers, case_of, rising
from tuneworthy import InputError
from tuneworthy.cli import run as command
from tuneworthy.lab.prepare import prepare
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model.base import Unknown
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import race as training_race
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.trainers import TrainingWork

NAMES = ("fake:base-1b", "fake:base-4b", "fake:base-8b")
MODELS = "[" + ", ".join(f"{{id: '{name}'}}" for name in NAMES) + "]"
SHARES = st.floats(0, 1).map(lambda share: round(share, 2))


@dataclass
class BaseTrainer(FakeTrainer):
    """One that names its models by its base."""

    base: str = ""

    async def finish(
        self, work: TrainingWork, id: str, step: training_trainers.Step
    ) -> training_trainers.Finished:
        done = await super().finish(work, id, step)
        return done._replace(model=f"{done.model}-{self.base[-2:]}")


def shares(reached: dict[str, float]) -> dict[str, float]:
    """Shares of right answers of models tuned on each base, and low ones of the bases."""
    right = dict.fromkeys((name.partition(":")[2] for name in NAMES), 0.3)
    for base, top in reached.items():
        for name, share in rising(base=0.3, top=top).items():
            if name != "base":
                right[f"{name}-{base}"] = share
    return right


def raced(folder: Path, **more: Any) -> training_pilot.PreparedPilot:
    lab = prepare(folder, as_of=AS_OF)
    return training_pilot.with_bases(
        [
            training_pilot.prepare_pilot(
                lab, BaseTrainer(folder / "log", base=name, **more), name, seeds=1
            )
            for name in NAMES
        ]
    )


def ran(folder: Path, reached: dict[str, float], **more: Any) -> Any:
    pilot = raced(folder, **more)
    return training_pilot.run(pilot, cap_usd=9.0, transport=answers(shares(reached)))


@pytest.mark.slow
def test_the_smallest_base_that_reaches_the_target_is_gone_on_with(
    tmp_path: Path,
) -> None:
    folder = case_of(tmp_path, 80, 120, models=MODELS, target=0.8)
    result = ran(folder, {"1b": 0.5, "4b": 0.97, "8b": 0.99}, usd=0.1)
    assert result.plan.base == NAMES[1]
    assert result.plan.bases == NAMES
    # the largest one was never needed
    assert [each.base for each in result.bases] == [*NAMES[:2]]
    began = BaseTrainer(folder / "log").said("began")
    sizes = len(result.plan.sizes)
    assert len(began) == len({*began}) == sizes + 1  # its trial is a run of its own
    assert result.spend.paid == pytest.approx(0.1 * (sizes + 1))
    again = ran(folder, {"1b": 0.5, "4b": 0.97, "8b": 0.99}, usd=0.1)
    assert again.card == result.card
    assert BaseTrainer(folder / "log").said("began") == began
    assert again.spend.paid == result.spend.paid


@pytest.mark.slow
def test_the_most_that_a_race_costs_holds_every_trial_and_the_dearest_pilot(
    tmp_path: Path,
) -> None:
    folder = case_of(tmp_path, 80, 40, models=MODELS)
    race = raced(folder, usd=1.0)
    alone = training_pilot.pilot_price(race.rivals[-1], None).usd_most
    assert training_pilot.pilot_price(race, None).usd_most >= alone + len(NAMES)


@given(st.lists(SHARES, min_size=1, max_size=4), SHARES, SHARES)
def test_what_is_chosen_is_the_first_that_is_enough(
    rights: list[float], at_least: float, margin: float
) -> None:
    tried = [
        model_pilot.BaseTried(base=f"b{n}", right=right)
        for n, right in enumerate(rights)
    ]
    by_name = {each.base: each.right for each in tried}
    for target in (at_least, None):
        chosen = training_race.choose_smallest(tried, target, margin)
        smaller = [each.right for each in tried[: [*by_name].index(chosen)]]
        if target is not None and max(rights) >= target:
            assert by_name[chosen] >= target
            assert all(right < target for right in smaller)
        else:
            assert by_name[chosen] >= max(rights) - margin
            assert all(right < max(rights) - margin for right in smaller)


def test_bases_are_tried_by_their_size_and_as_stated_where_one_isnt_known() -> None:
    order = training_race.in_order_of_size
    assert order([("b", 8.0), ("a", 1.0)]) == ["a", "b"]
    assert order([("b", 8.0), ("a", None)]) == ["b", "a"]


def test_quotes_of_runs_add_up_and_what_is_unknown_stays_so() -> None:
    own = {"steps": 10, "seconds": 5.0, "memory_mib": 100.0}
    known = model_pilot.TrainingQuote(jobs=4, reused=1, **own)
    both = training_race.added_quote(known, known)
    assert (both.jobs, both.reused, both.steps, both.seconds) == (8, 2, 20, 10.0)
    assert both.memory_mib == 100.0
    unknown = training_race.added_quote(known, model_pilot.TrainingQuote(jobs=1))
    assert isinstance(unknown.seconds, Unknown)


def test_a_base_is_named_once_and_four_at_most(tmp_path: Path) -> None:
    folder = case_of(tmp_path, 80, 40, models=MODELS)
    race = raced(folder)
    with pytest.raises(InputError, match="too many bases"):
        training_pilot.with_bases([race, race])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--sweep", "2"), "goes with one base"),
        (("--folder", "a"), "1 folder for 2 bases"),
    ],
)
def test_what_goes_with_one_base_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    folder = case_of(tmp_path, 80, 40, models=MODELS)
    bases = ("--base", NAMES[0], "--base", NAMES[1])
    assert command(["pilot", str(folder), "--way", "folder", *bases, *more]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
