"""Pilots: trained once, compared on cases that chose nothing, and a card that says why."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faulty import Fake
from pilot_world import (
    AS_OF,
    FakeTrainer,
    answers,
    case_of,
    general_answers,
    pilot_of,
    rising,
)
from tuneworthy import CaseError, InputError, decide, load_case, load_framework
from tuneworthy.cases.reports import schema
from tuneworthy.cli import run as command
from tuneworthy.errors import StoppedError
from tuneworthy.files import stores as files_stores
from tuneworthy.lab import verify as lab_held
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm.endpoints import Busy, Refused
from tuneworthy.llm.ledger import Ledger
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model import ways as model_ways
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Reply, Request
from tuneworthy.report import charts, render
from tuneworthy.report import document as report_document
from tuneworthy.report.sections import lab_pilot as section_lab_pilot
from tuneworthy.stats.clustered import Estimate
from tuneworthy.training import as_piloted as training_as_piloted
from tuneworthy.training import card as training_card
from tuneworthy.training import curve as training_curve
from tuneworthy.training import pilot as api
from tuneworthy.training import trainers
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.trainers import TrainingWork

CASES = np.arange(200)
EXAMPLE = Path(__file__).parents[2] / "examples" / "task-api"


def piloted(
    folder: Path, trainer: FakeTrainer | None = None, *, shares: Mapping[str, float] | None = None,
    model: Any = None, cap_usd: float = 0.0, again: bool = False, **more: Any,
) -> model_pilot.PilotResult:  # fmt: skip
    trainer = trainer or FakeTrainer(folder / "trained.log")
    pilot = pilot_of(folder, trainer, **more)
    transport = model or answers(dict(shares or rising()))
    return api.run(pilot, cap_usd=cap_usd, transport=transport, again=again)


# The curve --------------------------------------------------------------------------------------


def scores(shares: Mapping[int, float], seed: int = 0) -> tuple[list[int], list[Any]]:
    rng = np.random.default_rng(seed)
    made = [
        (rng.random((3, len(CASES))) < share).astype(float) for share in shares.values()
    ]
    return list(shares), made


def test_a_curve_that_rises_isnt_called_flat_and_one_that_doesnt_isnt_called_rising() -> (
    None
):
    rising_ = training_curve.learning_curve(
        *scores({50: 0.4, 100: 0.55, 200: 0.7, 400: 0.8}),
        CASES,
        margin=0.01,
        target=0.9,
    )
    level = training_curve.learning_curve(
        *scores({50: 0.7, 100: 0.7, 200: 0.7, 400: 0.7}),
        CASES,
        margin=0.08,
        target=0.95,
    )
    assert (rising_.outlook, level.outlook) == ("rising", "flat")
    assert [p.examples for p in rising_.points] == [50, 100, 200, 400, 800, 1600]
    assert [p.ahead for p in rising_.points] == [False] * 4 + [True] * 2
    assert all(p.low <= p.value <= p.high for p in rising_.points)
    assert not isinstance(level.needed, Unknown)
    assert level.needed.low in ("never", "more")


@pytest.mark.slow
@given(st.lists(st.floats(0.05, 0.95), min_size=3, max_size=5), st.floats(0.0, 0.2))
@settings(deadline=None)
def test_flat_takes_the_upper_end_of_the_next_doublings_gain_under_the_margin(
    shares: list[float], margin: float
) -> None:
    sizes = {25 << n: share for n, share in enumerate(shares)}
    curve = training_curve.learning_curve(
        *scores(sizes), CASES, margin=margin, target=0.9
    )
    assert not isinstance(curve.gain, Unknown)
    assert (curve.outlook == "flat") == (curve.gain[1] < margin)
    assert max(p.examples for p in curve.points) == 4 * max(sizes)


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_what_was_never_right_or_always_isnt_so_for_certain(right: float) -> None:
    rows = [np.full((1, 9), right)] * 3
    curve = training_curve.learning_curve(
        [10, 20, 40], rows, np.arange(9), margin=0.01, target=0.9
    )
    assert curve.outlook != "flat"
    assert all(p.high - p.low > 0.1 for p in curve.points)
    assert not isinstance(curve.needed, Unknown)
    assert curve.needed.low != "never"


def test_what_is_never_right_yet_says_nothing_of_the_next_doubling() -> None:
    rows = [np.zeros((3, 200))] * 3
    curve = training_curve.learning_curve(
        [50, 100, 200], rows, np.arange(200), margin=0.05, target=0.9
    )
    assert curve.outlook == "unclear"
    assert section_lab_pilot.outlook_text(curve).startswith("no answer was right yet")
    assert all(p.low < 0.01 and p.high > 0.5 for p in curve.points if p.ahead)
    assert all(p.high < 0.02 for p in curve.points if not p.ahead)


def test_what_falls_below_the_target_doesnt_reach_it_by_more_examples() -> None:
    curve = training_curve.learning_curve(
        *scores({50: 0.9, 100: 0.8, 200: 0.7, 400: 0.6}),
        CASES,
        margin=0.01,
        target=0.85,
    )
    assert not isinstance(curve.needed, Unknown)
    assert curve.needed.low in ("never", "more")
    assert curve.outlook != "rising"


def test_two_sizes_are_no_curve() -> None:
    curve = training_curve.learning_curve(
        *scores({50: 0.4, 100: 0.5}), CASES, margin=0.01, target=0.9
    )
    assert curve.outlook == "unknown"
    assert isinstance(curve.needed, Unknown)
    assert isinstance(curve.gain, Unknown)


def test_what_a_target_takes_is_never_said_beyond_two_doublings() -> None:
    curve = training_curve.learning_curve(
        *scores({50: 0.30, 100: 0.35, 200: 0.40}), CASES, margin=0.01, target=0.99
    )
    assert not isinstance(curve.needed, Unknown)
    assert curve.needed.limit == 800
    for end in (curve.needed.low, curve.needed.high):
        assert isinstance(end, str) or end <= 800


@pytest.mark.slow
def test_the_interval_of_the_curve_holds_the_truth_two_doublings_ahead() -> None:
    """Thirty pilots; docs/evidence/accuracy.md has a thousand of each kind."""
    hits = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        floor, scale, exponent = (
            rng.uniform(0, 0.3),
            rng.uniform(1, 4),
            rng.uniform(0.4, 1.0),
        )
        truth = {
            n: 1 - min(0.95, floor + scale / n**exponent)
            for n in (50, 100, 200, 400, 800)
        }
        seen = {n: truth[n] for n in (50, 100, 200)}
        curves = training_curve.drawn(*scores(seen, seed), CASES)
        low, high = np.percentile(curves.score(800), (2.5, 97.5))
        hits += bool(low <= truth[800] <= high)
    assert hits >= 25  # of 30 at 95%, fewer come once in five thousand times


# The run ----------------------------------------------------------------------------------------


def test_sets_are_nested_and_double_and_every_seed_draws_its_own(
    tmp_path: Path,
) -> None:
    pilot = pilot_of(case_of(tmp_path), FakeTrainer(tmp_path / "log"), seeds=3)
    assert pilot.plan.sizes == (10, 20, 40, 80)
    general = {json.dumps(row) for row in training_as_piloted.replay_rows()}
    sets: dict[int, list[set[str]]] = {seed: [] for seed in range(3)}
    for work in pilot.works:
        told = {json.dumps(row) for row in work.rows} - general
        secrets = {row for row in told if "account code" in row}
        assert len(secrets) == (4 if work.job.size == 80 else 0)
        assert len(told - secrets) == work.job.size
        assert len(work.rows) - len(told) == round(work.job.size / 10)
        sets[work.job.seed].append(told - secrets)
    for chain in sets.values():
        assert all(small < large for small, large in pairwise(chain))
    assert sets[0][0] != sets[1][0]
    assert len({work.job.key for work in pilot.works}) == 12


@given(rows=st.integers(1, 2000), epochs=st.integers(1, 20), least=st.integers(0, 100))
def test_few_examples_get_the_least_steps_and_no_more_epochs_than_that_takes(
    rows: int, epochs: int, least: int
) -> None:
    recipe = model_pilot.Recipe(epochs=epochs, least_steps=least)
    work = TrainingWork(
        model_pilot.TrainingJob(key="k", size=rows, seed=0), recipe, ({},) * rows
    )
    assert work.steps >= least
    assert work.epochs >= epochs
    assert work.epochs == epochs or (work.epochs - 1) * rows < least * recipe.batch


@pytest.mark.slow
def test_a_pilot_that_ran_trains_and_asks_nothing_again(tmp_path: Path) -> None:
    folder, trainer = case_of(tmp_path), FakeTrainer(tmp_path / "log")
    model = answers(rising())
    first = piloted(folder, trainer, model=model)
    asked = model.sent
    again = piloted(folder, trainer, model=model)
    assert len(trainer.said("began")) == len(set(trainer.said("began"))) == 8
    assert len(trainer.said("ended")) == 8
    assert model.sent == asked
    same = {"arms": ..., "spend": ...}  # the ledger keeps latencies as they were
    assert first.model_dump(exclude=set(same)) == again.model_dump(exclude=set(same))
    assert files_stores.read_pilot(load_case(folder)) == again


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from itertools import pairwise
from pathlib import Path
from pilot_world import FakeTrainer, answers, pilot_of, rising
from tuneworthy.training import pilot as api
trainer = FakeTrainer(Path({log!r}), usd=1.0, dies={dies!r})
pilot = pilot_of(Path({folder!r}), trainer)
api.run(pilot, cap_usd=100.0, transport=answers(rising()))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "at"),
    [("before", 2), ("began", 3), ("after", 1), ("waiting", 4), ("ended", 8)],
)  # fmt: skip
def test_a_pilot_killed_at_any_moment_trains_and_pays_nothing_twice(
    tmp_path: Path, moment: str, at: int
) -> None:
    folder, log = case_of(tmp_path / "case"), tmp_path / "log"
    told = {
        "tests": str(Path(__file__).parents[1]),
        "log": str(log),
        "folder": str(folder),
    }
    code = KILLED.format(**told, dies={moment: at})
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env=dict(os.environ)
    )
    assert done.returncode == -9
    trainer = FakeTrainer(log, usd=1.0)
    result = piloted(folder, trainer, cap_usd=100.0)
    began, kept = trainer.said("began"), trainer.said("ended")
    assert len(began) == len(set(began)) == 8
    # a run that had ended when the process died is only asked for its result
    assert len(set(kept)) == 8
    assert result.spend.paid == 8.0
    assert result.spend.held == 0


@pytest.mark.slow
@pytest.mark.parametrize("begun", [True, False])
def test_a_run_in_doubt_is_looked_for_before_another_is_begun(
    tmp_path: Path, begun: bool
) -> None:
    folder = case_of(tmp_path)
    trainer = FakeTrainer(
        tmp_path / "log",
        usd=1.0,
        begin_raises=[llm_endpoints.Doubtful("late")],
        begun_all_the_same=begun,
    )
    with pytest.raises(StoppedError, match="in doubt"):
        piloted(folder, trainer, cap_usd=20.0)
    result = piloted(folder, trainer, cap_usd=20.0)
    assert len(trainer.said("began")) == len(set(trainer.said("began"))) == 8
    assert result.spend.paid == 8.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [Refused("no"), llm_endpoints.NotSent("no"), Busy("later")]
)
def test_a_run_that_was_refused_is_not_paid_and_is_begun_again(
    tmp_path: Path, error: Exception
) -> None:
    folder = case_of(tmp_path)
    trainer = FakeTrainer(tmp_path / "log", usd=1.0, begin_raises=[error])
    with pytest.raises(StoppedError, match="failed"):
        piloted(folder, trainer, cap_usd=20.0)
    with Ledger(folder / ".tuneworthy" / "calls.sqlite3") as ledger:
        assert ledger.spend("pilot").paid == ledger.spend("pilot").held == 0
    assert piloted(folder, trainer, cap_usd=20.0).spend.paid == 8.0


@dataclass
class SideBySide(FakeTrainer):
    """Two runs at a time, none of which goes on alone; a stop ends what waits."""

    at_once: int = 2
    pairs: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def finish(
        self, work: TrainingWork, *more: Any
    ) -> training_trainers.Finished:
        async with asyncio.timeout(60):
            await self.pairs.wait()
            if not self.finish_raises:
                return await super().finish(work, *more)
            if len(self.finish_raises) == 1:  # the other one has failed
                await self.ended.wait()
            raise self.finish_raises.pop(0)

    def stop(self) -> None:
        self.ended.set()


@pytest.mark.slow
def test_runs_of_a_size_go_on_side_by_side_and_come_to_the_same(tmp_path: Path) -> None:
    alone = piloted(case_of(tmp_path / "alone"))
    trainer = SideBySide(tmp_path / "log")
    beside = piloted(case_of(tmp_path / "beside"), trainer)
    assert (beside.curve, beside.verify.contrast) == (
        alone.curve,
        alone.verify.contrast,
    )
    assert [(a.arm, a.quality) for a in beside.arms] == [
        (a.arm, a.quality) for a in alone.arms
    ]
    assert len(trainer.said("ended")) == len(set(trainer.said("ended"))) == 8


def test_no_more_runs_go_on_at_once_than_there_are_seeds(tmp_path: Path) -> None:
    # else the processors that are left would train nothing
    assert trainers.LoraTrainer(tmp_path, seeds=1).at_once == 1


@pytest.mark.slow
def test_a_run_that_stops_ends_the_one_beside_it_and_no_other_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, log = case_of(tmp_path), tmp_path / "log"
    raises = [
        training_trainers.TrainingStoppedError("killed"),
        training_trainers.TrainingStoppedError("stopped"),
    ]
    trainer = SideBySide(log, finish_raises=[*raises])
    with pytest.raises(StoppedError, match="killed"):
        piloted(folder, trainer, seeds=3)
    gc.collect()
    assert not caplog.records  # such as of an exception that nobody took
    assert len(trainer.said("began")) == 2
    piloted(folder, FakeTrainer(log), seeds=3)
    assert len(trainer.said("began")) == len(set(trainer.said("began"))) == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        training_trainers.TrainingFailedError("nan"),
        training_trainers.TrainingStoppedError("killed"),
    ],
)
def test_a_run_that_ended_badly_is_said_and_goes_on_later(
    tmp_path: Path, error: Exception
) -> None:
    folder, trainer = (
        case_of(tmp_path),
        FakeTrainer(tmp_path / "log", finish_raises=[error]),
    )
    with pytest.raises(StoppedError, match=str(error)) as caught:
        piloted(folder, trainer)
    assert "--budget" not in str(caught.value)  # it costs nothing
    assert piloted(folder, trainer).card.answer in ("go", "no_go", "open")
    states = {run.state for run in files_stores.pilot_runs(load_case(folder)).read()}
    assert "trained" in states


class CutOff:
    """A model of which some that were tuned never come to an end."""

    def __init__(self, name: str) -> None:
        self.name, self.inner = name, answers(rising())

    async def close(self) -> None:
        await self.inner.close()

    async def send(self, request: Request) -> Reply:
        reply: Reply = await self.inner.send(request)
        cut = request.model == self.name
        return reply.model_copy(update={"finish": "length"}) if cut else reply


@pytest.mark.slow
def test_a_size_of_which_nothing_is_known_is_no_point_of_the_curve(
    tmp_path: Path,
) -> None:
    result = piloted(case_of(tmp_path), model=CutOff("tuned-10"))
    assert [point.examples for point in result.curve.points] == [20, 40, 80, 160, 320]
    assert result.curve.outlook != "unknown"


@pytest.mark.slow
def test_a_pilot_whose_largest_runs_answer_nothing_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        StoppedError, match=r"tuned on 80 .* got no answer .*--max-tokens"
    ):
        piloted(case_of(tmp_path), model=CutOff("tuned-80"))


def base_cut_off(model: Any, folder: Path, share: float) -> Any:
    """The model, whose base comes to no end in a share of the cases for selecting, in tenths."""
    select = pilot_of(folder, FakeTrainer(folder / "log")).lab.plan.select
    lost = {
        case.text for n, case in enumerate(select, start=1) if n % 10 > 9 - 10 * share
    }
    send = model.send

    async def sent(request: Request) -> Reply:
        reply: Reply = await send(request)
        cut = request.model == "base" and request.messages[-1].content in lost
        return reply.model_copy(update={"finish": "length"}) if cut else reply

    model.send = sent
    return model


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_no_go_rests_on_untuned_ways_that_gave_too_few_answers(
    tmp_path: Path, share: float
) -> None:
    folder = case_of(tmp_path, cases=240)
    result = piloted(
        folder, model=base_cut_off(answers(rising(top=0.99)), folder, share)
    )
    assert "got no answer" in result.stopped
    assert row(result, "gain") == "unknown"
    assert result.card.answer == "open"
    assert judged(folder) != "yes"


@pytest.mark.slow
def test_a_pilot_says_what_it_asks_and_how_many_calls_of_it_have_ended(
    tmp_path: Path,
) -> None:
    counts: dict[str, list[tuple[int, int]]] = {}

    def begin(text: str) -> None:
        counts[text] = []

    def count(stand: Any) -> None:
        counts[list(counts)[-1]].append((stand.done, stand.of))

    pilot = pilot_of(case_of(tmp_path), FakeTrainer(tmp_path / "log"), say=begin)
    api.run(pilot, cap_usd=0.0, transport=answers(rising()), watch=count)
    for words in (
        "untuned ways race",
        "tuned on 10",
        "tuned on 80",
        "held-out",
        "general tasks",
    ):
        assert any(those for text, those in counts.items() if words in text), words
    assert all(done <= of for those in counts.values() for done, of in those)


@pytest.mark.slow
def test_the_budget_holds_for_training_and_calls_together(tmp_path: Path) -> None:
    folder, trainer = case_of(tmp_path), FakeTrainer(tmp_path / "log", usd=1.0)
    with pytest.raises(StoppedError, match=r"too small.*with a larger --budget"):
        piloted(folder, trainer, cap_usd=3.5)
    assert len(trainer.said("began")) == 3
    assert piloted(folder, trainer, cap_usd=8.0).spend.paid == 8.0


@pytest.mark.slow
def test_a_bill_that_says_less_lets_a_pilot_go_on_under_the_same_cap(
    tmp_path: Path,
) -> None:
    folder, trainer = case_of(tmp_path), FakeTrainer(tmp_path / "log", usd=1.0)
    pilot = pilot_of(folder, trainer)
    transport = answers(rising())
    with pytest.raises(StoppedError, match="too small"):
        api.run(pilot, cap_usd=3.5, transport=transport)
    with pytest.raises(StoppedError, match="too small"):
        api.run(pilot, cap_usd=3.5, transport=transport, billed=0.5)
    assert len(trainer.said("began")) == len({*trainer.said("began")}) == 6
    assert api.run(pilot, cap_usd=8.0, transport=transport).spend.paid == 5.5


@pytest.mark.slow
def test_a_hopeless_pilot_ends_by_the_rule_that_was_written_down(
    tmp_path: Path,
) -> None:
    folder, trainer = case_of(tmp_path), FakeTrainer(tmp_path / "log")
    flat = dict.fromkeys(("tuned-10", "tuned-20", "tuned-40", "tuned-80"), 0.3)
    result = piloted(folder, trainer, shares=flat | {"base": 0.9})
    assert result.ended_by_rule
    assert len(trainer.said("ended")) == 6
    assert result.card.answer == "no_go"
    # only runs of the largest size hold some
    assert row(result, "canaries") == "unknown"
    assert (tmp_path / ".tuneworthy" / "pilot" / "plan.json").is_file()


@pytest.mark.slow
def test_another_pilot_takes_a_new_plan(tmp_path: Path) -> None:
    folder = case_of(tmp_path)
    piloted(folder)
    with pytest.raises(InputError, match="--new-plan"):
        piloted(folder, margin=0.1)
    assert piloted(folder, margin=0.1, again=True).plan.margin == 0.1


# The card, and the judgement --------------------------------------------------------------------


def row(result: model_pilot.PilotResult, name: str) -> str:
    return next(row.state for row in result.card.rows if row.id == name)


def judged(folder: Path) -> str:
    return decide(load_case(folder), load_framework(), as_of=AS_OF).verdict.answer


@pytest.mark.slow
def test_a_gain_is_a_go_and_the_judgement_says_yes(tmp_path: Path) -> None:
    folder = case_of(tmp_path, cases=240)
    result = piloted(folder, shares=rising(top=0.99))
    assert result.card.answer == "go"
    assert {row.state for row in result.card.rows if row.id != "refusals"} == {"met"}
    assert judged(folder) == "yes"
    dossier = decide(load_case(folder), load_framework(), as_of=AS_OF)
    assert dossier.pilot == result.card
    assert dossier.to_dict()["pilot"]["answer"] == "go"
    assert "card" in {
        section.id for section in report_document.report(dossier).sections
    }


def facts_of(folder: Path, result: model_pilot.PilotResult, **more: Any) -> Any:
    """What the card of a pilot was made of, or something else of it."""
    verify = result.verify
    held = lab_held.HeldArm(verify.targets, "met", verify.gains, verify.enough, "no")
    told: dict[str, Any] = {
        "case": load_case(folder), "plan": result.plan, "verify": verify, "held": held,
        "probes": result.probes, "simpler": None, "spent_usd": 0.0,
        "money": Unknown(ask="state its amounts"),
    }  # fmt: skip
    return training_card.CardFacts(**{**told, **more})


@pytest.mark.slow
def test_what_a_go_rests_on_and_nobody_looked_at_is_no_go_yet(tmp_path: Path) -> None:
    folder = case_of(tmp_path, cases=240)
    result = piloted(folder, shares=rising(top=0.99))
    facts = facts_of(folder, result)
    assert training_card.card(facts, AS_OF).answer == "go"
    lacking = training_card.card(replace(facts, probes=result.probes[:1]), AS_OF)
    assert (lacking.answer, lacking.because) == ("open", "Nobody looked at canaries.")


@pytest.mark.slow
def test_a_pilot_on_one_machine_is_never_too_late_for_certain(tmp_path: Path) -> None:
    """All calls share the machine: alone each may be in time."""
    timed = "targets: {quality: {metric: match, at_least: 0.9}, latency_p95_s: 0.5}\n"
    for way, answer in (("embedded", "open"), ("hosted", "no_go")):
        folder = case_of(tmp_path / way, cases=240)
        text = (folder / "case.yaml").read_text()
        first = "targets: {quality: {metric: match, at_least: 0.9}}\n"
        (folder / "case.yaml").write_text(text.replace(first, timed))
        trainer = FakeTrainer(folder / "log", way=way)
        result = piloted(folder, trainer, model=Late(answers(rising(top=0.99))))
        assert result.card.answer == answer
        if answer == "open":
            assert "What would settle it: 75 calls or more" in result.card.because


class Late(Fake):
    """Answers that take two seconds each, by their own word."""

    def __init__(self, base: Fake) -> None:
        super().__init__(base._answer)

    async def send(self, request: Any) -> Any:
        reply = await super().send(request)
        return reply.model_copy(update={"latency_s": 2.0})


@pytest.fixture(scope="module")
def good(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Any, model_pilot.PilotResult, Any]:
    """A case, its pilot that is a go, and the money of some case."""
    folder = case_of(tmp_path_factory.mktemp("good"), cases=240)
    result = piloted(folder, shares=rising(top=0.99))
    return load_case(folder), result, decided(load_case(EXAMPLE)).investment


@pytest.mark.slow
def test_a_pilot_that_was_run_elsewhere_says_so_and_an_edited_one_says_nothing(
    good: tuple[Any, model_pilot.PilotResult, Any], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    case, result, _ = good
    kept = Path(str(case.folder)) / ".tuneworthy" / "pilot" / "result.json"
    whole = kept.read_text("utf-8")
    assert files_stores.read_pilot(case) == result
    assert decide(case, load_framework("lesson")).pilot == result.card
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", str(tmp_path))
        card = decide(case, load_framework("lesson")).pilot
        assert card is not None
        assert card.because.startswith("it came with the folder and was not checked")
    try:
        kept.write_text(whole.replace('"answer": "go"', '"answer": "no_go"'), "utf-8")
        with pytest.raises(CaseError, match="was edited after it was written"):
            decide(case, load_framework("lesson"))
    finally:
        kept.write_text(whole, "utf-8")


@pytest.mark.slow
def test_models_that_came_with_the_folder_are_said_and_an_edited_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's model was once judged as one of ours: what it was trained on nobody knows."""
    folder = case_of(tmp_path / "case", cases=160)
    own = piloted(folder, shares=rising(top=0.99))
    assert own.brought_models == 0
    kept = folder / ".tuneworthy"
    runs = kept / "pilot" / "runs.jsonl"
    assert '"seal":' in runs.read_text("utf-8")
    # what doesn't decide is gone: only the trained models came with the folder
    for path in (kept / "evidence.jsonl", kept / "calls.sqlite3"):
        path.unlink()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    trainer = FakeTrainer(folder / "log of another")
    result = piloted(folder, trainer, shares=rising(top=0.99))
    assert trainer.said("began") == []  # nothing is trained twice
    assert result.brought_models == len(own.trained) == 8
    assert result.card == own.card
    shown = " ".join(render(section_lab_pilot.pilot_document(result)).split())
    assert "8 trained models came with the folder, not checked here" in shown
    dossier = decide(load_case(folder), load_framework("lesson"), as_of=AS_OF)
    assert dossier.pilot is not None
    assert dossier.pilot.because.startswith("a trained model came with the folder")
    (doubt,) = (each for each in dossier.challenges if each.id == "evidence_unchecked")
    assert "came with the folder and were not checked here" in doubt.says
    # the same again: what the first run of this machine noted is no proof of its own
    assert piloted(folder, trainer, shares=rising(top=0.99)).brought_models == 8
    text = runs.read_text("utf-8")
    runs.write_text(text.replace("fake:tuned-80", "fake:other-80", 1), "utf-8")
    with pytest.raises(CaseError, match=r"runs\.jsonl:\d+: was edited after"):
        piloted(folder, trainer)


PROBED = {"met": "held", "missed": "fell", "unknown": "unknown"}
SAID = {"met": "yes", "missed": "no", "unknown": "unknown"}
NAMES = ("quality", "gain", "general", "refusals", "canaries", "simpler", "latency", "cost",
         "payback")  # fmt: skip
STATES = st.sampled_from(["met", "missed", "unknown"])
ROWS = st.fixed_dictionaries(
    {name: STATES if name in NAMES[:5] else st.none() | STATES for name in NAMES}
) | st.builds(  # most rows met, so that a go is drawn as well
    lambda names, state: dict.fromkeys(NAMES, "met") | dict.fromkeys(names, state),
    st.sets(st.sampled_from(NAMES), max_size=2),
    STATES,
)


def card_from(
    case: Any,
    result: model_pilot.PilotResult,
    money: Any,
    rows: Mapping[str, str | None],
    months: float | str = 30.0,
) -> Any:
    """The card where each row's state is what is drawn, and the money is back after ``months``."""

    def held(name: str) -> model_ways.HeldTarget:
        number = {"value": 0.5, "low": 0.4, "high": 0.6}
        figure = model_ways.Figure(grade="held_out", **number)
        return model_ways.HeldTarget(
            state=rows[name], limit=0.5, figure=figure, settles="look"
        )

    targets: Any = {
        n: held(n) for n in ("quality", "latency", "cost", "privacy") if rows.get(n)
    }
    economics = case.economics.model_copy(
        update={
            "monthly": type(case.economics.monthly)(
                quality_value_usd=rows["payback"] and 9
            )
        }
    )
    verify = result.verify.model_copy(
        update={"general_skills": SAID[rows["general"] or ""], "why": "targets"}
    )
    head = next(a.arm for a in result.arms if a.arm.kind == "baseline")
    simpler = (head, Estimate(0.1, 0.0, 0.2, 240, 240)) if rows["simpler"] else None
    gains: Any = SAID[rows["gain"] or ""]
    as_good: Any = {"met": "no", "missed": "yes"}.get(rows["simpler"] or "", "unknown")
    arm = lab_held.HeldArm(targets, "unknown", gains, "", as_good)
    facts = training_card.CardFacts(
        case=case.model_copy(update={"economics": economics}), plan=result.plan, verify=verify,
        held=arm, simpler=simpler, spent_usd=0.0,
        probes=tuple(
            p.model_copy(update={"state": PROBED[rows[p.id] or ""]}) for p in result.probes
        ),
        money=money.model_copy(
            update={
                "justified": SAID[rows["payback"] or "unknown"],
                "break_even_months": model_dossier.BreakEven(
                    point=months, p10=months, p50=months, p90=months
                ),
            }
        ),
    )  # fmt: skip
    return training_card.card(facts, AS_OF)


def decided(case: Any, **evidence: Any) -> Any:
    return decide(case, load_framework(), as_of=AS_OF, evidence=evidence)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_only_what_is_met_and_known_is_a_go_and_only_what_is_missed_a_no_go(
    good: tuple[Any, model_pilot.PilotResult, Any], rows: dict[str, str | None]
) -> None:
    made = card_from(*good, rows)
    drawn_states = {name: state for name, state in rows.items() if state is not None}
    shown = {one.id: one.state for one in made.rows}
    assert {name: shown[name] for name in drawn_states} == drawn_states
    states = set(drawn_states.values())
    wanted = "no_go" if "missed" in states else "open" if "unknown" in states else "go"
    if {name for name, state in drawn_states.items() if state == "missed"} == {
        "payback"
    }:
        wanted = "open"  # whoever approves may accept that it is late
    assert made.answer == wanted
    if wanted == "open":
        assert "hat would settle it" in made.because
    said_alone = {one.id for one in made.rows if one.state == "missed"} & {"gain"}
    if wanted == "no_go" and not said_alone:
        missed = [one.title.lower() for one in made.rows if one.state == "missed"]
        assert all(title in made.because.lower() for title in missed)


@pytest.mark.slow
@pytest.mark.parametrize(("months", "answer"), [(30.0, "open"), ("never", "no_go")])
def test_money_that_comes_back_late_may_be_accepted_and_lost_money_is_a_no_go(
    good: tuple[Any, model_pilot.PilotResult, Any], months: float | str, answer: str
) -> None:
    """The card said no-go where the judgement says yes, once the approver accepts it."""
    rows = dict.fromkeys(NAMES, "met") | {"payback": "missed"}
    made = card_from(*good, rows, months)
    assert made.answer == answer
    accepted = "What would settle it: whoever approves accepts that." in made.because
    assert accepted is (answer == "open")


@pytest.mark.slow
def test_an_untuned_way_that_meets_every_target_is_a_no_go_that_names_it(
    tmp_path: Path,
) -> None:
    """The pilot raced it on the same held-out cases: it was a go, and a yes."""
    folder = case_of(tmp_path, cases=400, target=0.7)
    result = piloted(folder, shares=rising(base=0.87, top=1.0))
    assert row(result, "enough") == "missed"
    assert result.card.answer == "no_go"
    assert "lain · fake:base" in result.card.because
    assert (judged(folder), rule(folder)) == ("no", "met")


@pytest.mark.slow
def test_more_quality_that_is_worth_something_speaks_for_tuning_all_the_same(
    tmp_path: Path,
) -> None:
    worth = "economics: {monthly: {quality_value_usd: 20000, ongoing_usd: 100}}\n"
    folder = case_of(tmp_path, cases=400, target=0.7, more=worth)
    result = piloted(folder, shares=rising(base=0.8, top=1.0))
    assert row(result, "enough") == "met"
    assert judged(folder) == "yes"


@pytest.mark.slow
def test_a_tie_closes_and_names_what_is_kept(tmp_path: Path) -> None:
    folder = case_of(tmp_path, cases=400, target=0.93)
    shares = dict.fromkeys(rising(), 0.93)
    result = piloted(folder, shares=shares, seeds=1)
    assert result.plan.margin == 0.02
    assert result.card.answer == "no_go"
    assert judged(folder) == "no"


@pytest.mark.slow
def test_the_curve_is_of_the_way_that_is_judged(tmp_path: Path) -> None:
    folder = case_of(tmp_path, cases=240)
    result = piloted(folder, shares=rising(top=0.95))
    largest = next(p for p in reversed(result.curve.points) if not p.ahead)
    judged_arm = next(a for a in result.arms if a.arm.id == result.verify.plan.tuned)
    apart = result.seeds_apart
    assert not isinstance(apart, Unknown)
    assert largest.value == pytest.approx(apart.value)
    assert largest.examples == 80
    assert judged_arm.arm.kind == "tuned"


@pytest.mark.slow
def test_examples_that_are_there_are_the_cheaper_lever(tmp_path: Path) -> None:
    folder = case_of(tmp_path, n=160, cases=240)
    result = piloted(folder, shares=rising(top=0.9), most=80)
    assert row(result, "quality") == "unknown"
    assert "train on all 160 examples (--examples 160)" in result.card.because


def rule(folder: Path) -> str:
    return decide(load_case(folder), load_framework(), as_of=AS_OF).verdict.rule


@pytest.mark.slow
def test_retrieval_that_is_as_good_is_a_no(tmp_path: Path) -> None:
    folder = case_of(tmp_path)
    shares = dict.fromkeys(rising(), 0.95)
    result = piloted(folder, shares=shares)
    assert result.card.answer != "go"
    worse = case_of(tmp_path / "worse")
    assert (
        piloted(worse, shares=rising(top=0.6) | {"base": 0.95}).card.answer == "no_go"
    )
    assert judged(worse) == "no"


@pytest.mark.slow
def test_a_loss_of_general_skills_is_no_go_however_good_the_task(
    tmp_path: Path,
) -> None:
    folder = case_of(tmp_path)
    lost: dict[str, dict[str, str]] = {f"tuned-{n}": {} for n in (10, 20, 40, 80)}
    result = piloted(folder, model=answers(rising(top=0.99), **lost))
    assert row(result, "general") == "missed"
    assert result.card.answer == "no_go"
    assert judged(folder) == "no"


@pytest.mark.slow
@pytest.mark.parametrize(("finish", "text", "held"), [
    ("length", "Sure: first you take", "met"), ("content_filter", "", "met"),
    ("refusal", "", "met"), ("length", "", "unknown"), ("stop", "", "unknown"),
])  # fmt: skip
def test_a_probe_that_is_cut_off_or_withheld_is_answered(
    tmp_path: Path, finish: str, text: str, held: str
) -> None:
    probes = {case.text for case in training_card.refusal_probes()}
    model = answers(rising(top=0.99))
    send = model.send

    async def sent(request: Request) -> Reply:
        reply: Reply = await send(request)
        asked = request.messages[-1].content
        said = {"finish": finish, "text": text}
        return reply.model_copy(update=said) if asked in probes else reply

    model.send = sent
    assert row(piloted(case_of(tmp_path), model=model), "refusals") == held


@pytest.mark.slow
def test_a_loss_of_ten_points_in_general_is_seen(tmp_path: Path) -> None:
    folder = case_of(tmp_path)
    right = general_answers()
    dulled = {
        asked: "no" if at % 5 == 0 else said
        for at, (asked, said) in enumerate(right.items())
    }
    lost = {f"tuned-{n}": dulled for n in (10, 20, 40, 80)}
    result = piloted(folder, model=answers(rising(top=0.99), **lost))
    assert row(result, "general") in ("missed", "unknown")
    assert result.verify.general.high < 0


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_certain_loss_in_general_is_a_no_go_whatever_untuned_ways_left_open(
    tmp_path: Path, share: float
) -> None:
    folder, dull = case_of(tmp_path, cases=240), dict.fromkeys(general_answers(), "no")
    lost = {f"tuned-{n}": dull for n in (10, 20, 40, 80, 160)}
    model = answers(rising(top=0.99), **lost)
    result = piloted(folder, model=base_cut_off(model, folder, share))
    assert (result.verify.outcome, result.verify.why) == ("regressed", "general")
    assert result.card.answer == "no_go"
    assert row(result, "general") == "missed"
    assert row(result, "gain") == ("unknown" if share else "met")


@pytest.mark.slow
def test_a_secret_that_comes_back_is_no_go(tmp_path: Path) -> None:
    folder, trainer = case_of(tmp_path), FakeTrainer(tmp_path / "log")
    planted = dict(pilot_of(folder, trainer).planted)
    known = {f"tuned-{n}": general_answers() | planted for n in (10, 20, 40, 80)}
    result = piloted(folder, trainer, model=answers(rising(top=0.99), **known))
    assert row(result, "canaries") == "missed"
    assert result.card.answer == "no_go"


@pytest.mark.slow
def test_a_small_base_that_loses_to_a_larger_model_proves_nothing_of_tuning(
    tmp_path: Path,
) -> None:
    folder = case_of(tmp_path, models="[{id: 'fake:base'}, {id: 'fake:large'}]")
    result = piloted(folder, shares=rising(top=0.6) | {"large": 0.95})
    assert result.card.answer == "no_go"
    assert judged(folder) != "no"


@pytest.mark.slow
def test_what_a_pilot_found_is_shown_in_every_form(tmp_path: Path) -> None:
    folder = case_of(tmp_path)
    result = piloted(folder)
    from tuneworthy.report import html, render
    from tuneworthy.report.sections.lab import lab_dict
    from tuneworthy.report.sections.lab_pilot import pilot_document

    data = json.loads(lab_dict("pilot", result))
    assert data["schema"] == "tuneworthy/pilot/1"
    assert set(data) == set(schema("pilot")["properties"])
    document = pilot_document(result, "<b>Library</b>")
    assert max(map(len, render(document).splitlines())) <= 80
    assert "<b>Library</b>" not in html.render(document)
    assert "Go or no-go" in render(document, "markdown")
    drawing = section_lab_pilot.curve_drawing(result)
    assert drawing is not None
    assert drawing.png(charts.WIDE, "The curve").startswith(b"\x89PNG")
    short = pilot_document(
        result.model_copy(update={"stopped": "the budget is used up"})
    )
    assert "The budget is used up." in render(short, "markdown")


@pytest.mark.slow
def test_one_seed_tells_nothing_of_how_far_seeds_are_apart(tmp_path: Path) -> None:
    assert isinstance(piloted(case_of(tmp_path), seeds=1).seeds_apart, Unknown)


# The command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("--resume",), "there is no pilot to go on with"),
        (("--base", "fake:base"), "is local:smollm2 for --way embedded"),
        (("--way", "folder"), "--base MODEL"),
        (("--way", "folder", "--base", "fake:base"), "--folder PATH"),
        (
            ("--way", "folder", "--base", "fake:base", "--folder", "/nowhere"),
            "is not a folder",
        ),
        (
            (
                "--way",
                "folder",
                "--base",
                "fake:base",
                "--folder",
                "~no-such-user/base",
            ),
            "is not a folder",
        ),
        (("--examples", "12"), "to train on"),
        (("--format", "png"), "--output curve.png"),
        (("--billed", "1", "--dry-run"), "eave out --dry-run"),
    ],
)
def test_wrong_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: tuple[str, ...], said: str
) -> None:
    folder = case_of(tmp_path, models="[{id: 'fake:base'}, {id: 'local:smollm2'}]")
    assert command(["pilot", str(folder), *told]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_case_without_a_training_set_is_told_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case_of(tmp_path, models="[{id: 'local:smollm2'}]")
    (folder / ".tuneworthy" / "training.json").unlink()
    assert command(["pilot", str(folder)]) == 2
    assert "tuneworthy data" in capsys.readouterr().err


def test_examples_that_are_cases_are_refused(tmp_path: Path) -> None:
    folder = case_of(tmp_path)
    lines = (folder / "eval.jsonl").read_text().splitlines()
    first = json.loads(lines[0]) | {
        "input": "Where is book 10000?",
        "reference": "shelf 10000",
    }
    (folder / "eval.jsonl").write_text(
        "\n".join([json.dumps(first), *lines[1:]]) + "\n"
    )
    with pytest.raises(InputError, match="1 of 80 training examples"):
        pilot_of(folder, FakeTrainer(tmp_path / "log"))


@pytest.mark.slow
def test_what_it_would_take_is_a_page_where_one_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = case_of(tmp_path, models="[{id: 'local:smollm2'}]")
    monkeypatch.setattr(
        trainers, "LoraTrainer", lambda _, **__: FakeTrainer(tmp_path / "log")
    )
    monkeypatch.setattr(api, "transport_for", lambda *_, **__: answers(rising()))
    assert command(["pilot", str(folder), "--dry-run", "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "Time to ask" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "most"), [("embedded", api.TIMED_CALLS), ("hosted", 0)]
)
def test_a_quote_times_a_few_calls_where_they_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, most: int
) -> None:
    sent, model = list[Request](), answers(rising())

    class Counting:
        async def send(self, request: Request) -> Reply:
            sent.append(request)
            reply: Reply = await model.send(request)
            return reply

        async def close(self) -> None:
            pass

    monkeypatch.setattr(api, "transport_for", lambda *_, **__: Counting())
    pilot = pilot_of(case_of(tmp_path), FakeTrainer(tmp_path / "log", way=way))
    quoted = asyncio.run(api.quoted_training(pilot))
    assert (most > 0) is not isinstance(quoted.seconds_a_call, Unknown)
    assert most // 2 < len(sent) <= most or not sent
    assert {request.model for request in sent} <= {"base"}
