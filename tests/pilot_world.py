"""Case folders for pilots, and a way to train that only says it trains."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from lab_world import folder_of, known
from tuneworthy import load_case
from tuneworthy.files import stores as files_stores
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.model import case as model_case
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model import training as model_training
from tuneworthy.model.case import Model
from tuneworthy.model.training import TrainingExample
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.trainers import TrainingWork

AS_OF = date(2026, 11, 27)
HAND = json.loads(
    (Path(__file__).parent / "fixtures" / "general_answers.json").read_text()
)
MODELS = "[{id: 'fake:base'}]"


def trained_on(folder: Path, n: int = 80, **more: Any) -> Path:
    """Give a case a training set of ``n`` examples, none of them a case."""
    examples = []
    for i in range(n):
        turns = [
            {"role": "user", "content": f"Where is book {10_000 + i}?"},
            {"role": "assistant", "content": f"shelf {10_000 + i}"},
        ]
        one = TrainingExample.model_validate({"id": "none", "messages": turns} | more)
        examples.append(
            one.model_copy(update={"id": model_training.content_id(one.messages)})
        )
    counts = {
        "train": n,
        "validation": 0,
        "accepted": n,
        "edited": 0,
        "stated": 0,
        "rejected": 0,
    }
    made = model_training.TrainingSet(
        digest=model_training.set_digest(examples), **counts
    )
    files_stores.write_training(load_case(folder), made, examples)
    return folder


def case_of(
    folder: Path, n: int = 80, cases: int = 120, more: str = "", **told: Any
) -> Path:
    """A case with a prompt, a model, and a training set."""
    told = {"models": MODELS, "prompts": {"plain": "Answer the question.\n"}} | told
    return trained_on(folder_of(folder, n=cases, more=more, **told), n)


@dataclass
class FakeTrainer:
    """Says it trains; how often it did stands in a file, for tests that kill the process."""

    log: Path
    usd: float = 0.0
    usd_per_mtok: float = 0.0
    way: Any = "embedded"
    at_once: int = 1
    begin_raises: list[Exception] = field(default_factory=list)
    begun_all_the_same: bool = False  #: Whether a begin that raised has begun.
    finish_raises: list[Exception] = field(default_factory=list)
    dies: dict[str, int] = field(default_factory=dict)
    """By moment, the number of the call at which the process is killed."""
    calls: dict[str, int] = field(default_factory=dict)
    stopped: bool = False

    def _now(self, moment: str, key: str) -> None:
        self.calls[moment] = self.calls.get(moment, 0) + 1
        with self.log.open("a") as file:
            file.write(f"{moment} {key}\n")
        if self.dies.get(moment) == self.calls[moment]:
            os.kill(os.getpid(), 9)

    def said(self, moment: str) -> list[str]:
        """Keys for which a moment was reached."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split()[1] for line in lines if line.split()[0] == moment]

    async def open(self) -> None:
        return None

    async def quote(self, works: Sequence[TrainingWork]) -> model_pilot.TrainingQuote:
        return model_pilot.TrainingQuote(
            jobs=len(works), steps=1, seconds=1.0, memory_mib=1.0
        )

    def usd_most(self, work: TrainingWork) -> float:
        return self.usd

    async def begin(self, work: TrainingWork) -> str:
        self._now("before", work.job.key)
        if self.begin_raises:
            if self.begun_all_the_same:
                self._now("began", work.job.key)
            raise self.begin_raises.pop(0)
        self._now("began", work.job.key)
        self._now("after", work.job.key)
        return f"job-{work.job.key[:8]}"

    async def find(self, work: TrainingWork, *_: Any, **__: Any) -> str | None:
        there = work.job.key in self.said("began")
        return f"job-{work.job.key[:8]}" if there else None

    async def finish(
        self, work: TrainingWork, id: str, step: training_trainers.Step
    ) -> training_trainers.Finished:
        assert id == f"job-{work.job.key[:8]}"
        done = training_trainers.Finished(f"fake:tuned-{work.job.size}", self.usd, 1.0)
        if work.job.key in self.said("ended"):
            return done
        step("step 1 of 2")
        self._now("waiting", work.job.key)
        if self.finish_raises:
            raise self.finish_raises.pop(0)
        self._now("ended", work.job.key)
        return done

    def is_kept(self, work: TrainingWork, model: str) -> bool:
        return True

    def served(self, model: str) -> Model:
        price = model_case.TokenPrice(input=0, output=0)
        return Model(id=model, kind="tuned", usd_per_mtok=price)

    def stop(self) -> None:
        self.stopped = True

    async def close(self) -> None:
        return None


def general_answers() -> dict[str, str]:
    """The right answer to every general task of a family, by question."""
    return {
        one.text: HAND[one.id][0]
        for one in lab_verify.general_skills()
        if one.id in HAND
    }


def answers(shares: dict[str, float], **more: Any) -> Any:
    """A model that is right in a share of cases, by name; general tasks it answers well."""
    right = general_answers()
    names = dict.fromkeys([*shares], right)
    return known(shares, general=names | more)


def rising(base: float = 0.5, top: float = 0.95, most: int = 80) -> dict[str, float]:
    """Shares of right answers of a model, and of those tuned on more and more examples."""
    steps = {f"tuned-{most >> n}": top - (top - base) / 4 * n for n in range(4)}
    return steps | {"base": base}


def pilot_of(folder: Path, trainer: Any, **more: Any) -> training_pilot.PreparedPilot:
    lab = prepare(folder, as_of=AS_OF)
    return training_pilot.prepare_pilot(
        lab, trainer, "fake:base", **{"seeds": 2, **more}
    )
