"""A sweep tries a few rates on some of the examples, and goes on with the best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pilot_world import FakeTrainer, answers, case_of, pilot_of, rising
from tuneworthy.model import pilot as model_pilot
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import recipes as training_recipes
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.trainers import TrainingWork

BEST = 0.003


@dataclass
class RateTrainer(FakeTrainer):
    """One whose models are good at one rate alone."""

    async def finish(
        self, work: TrainingWork, id: str, step: training_trainers.Step
    ) -> training_trainers.Finished:
        done = await super().finish(work, id, step)
        good = f"fake:tuned-{work.job.size}"
        model = good if work.recipe.rate == BEST else f"{good}-weak"
        return done._replace(model=model)


def shares() -> dict[str, float]:
    """Shares of right answers, and lower ones of models at the wrong rates."""
    strong = rising()
    weak = {f"{name}-weak": 0.3 for name in strong if name != "base"}
    return strong | weak


def swept(folder: Path, **more: Any) -> training_pilot.PreparedPilot:
    return pilot_of(folder, RateTrainer(folder / "log"), seeds=1, sweep=3, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return case_of(tmp_path_factory.mktemp("sweep"), 80, 60)


@pytest.mark.slow
def test_the_best_rate_is_gone_on_with_and_what_was_tried_is_not_trained_again(
    folder: Path,
) -> None:
    pilot = swept(folder)
    assert pilot.plan.rates == (0.001, 0.0003, BEST)
    assert {work.job.size for work in pilot.sweep} == {40}
    result = training_pilot.run(pilot, cap_usd=1.0, transport=answers(shares()))
    assert result.plan.recipe.rate == BEST
    trained = RateTrainer(folder / "log").said("began")
    # the winner is the run of its size
    assert len(trained) == len({*trained}) == 3 + 4 - 1
    again = training_pilot.run(swept(folder), cap_usd=1.0, transport=answers(shares()))
    assert again.plan.recipe.rate == BEST
    assert RateTrainer(folder / "log").said("began") == trained


def test_a_sweep_tries_four_rates_at_most_the_recipes_own_first() -> None:
    for n in range(1, training_recipes.MOST_TRIED + 1):
        rates = training_recipes.rates_around(0.0002, n)
        assert len({*rates}) == n
        assert rates[0] == 0.0002


def test_a_run_of_before_is_found_again_whatever_was_added_to_recipes() -> None:
    """Keys of runs that were paid hold what recipes held then, and nothing else."""
    key = training_pilot.recipe_key(model_pilot.Recipe(), hosted=True)
    names = {
        "method",
        "rank",
        "alpha",
        "dropout",
        "rate",
        "clip",
        "batch",
        "epochs",
        "longest",
    }
    assert key.keys() == names
    more = training_pilot.recipe_key(model_pilot.Recipe(parts=2), hosted=False)
    assert more.keys() == names | {"least_steps", "parts"}
