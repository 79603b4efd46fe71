"""Labs without a ledger whose models are known, and of whose answers some don't come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab_world import chance
from tuneworthy import load_case
from tuneworthy.lab import plan as lab_plan
from tuneworthy.lab import race as lab_race
from tuneworthy.lab import result as lab_result
from tuneworthy.lab.plan import make_plan
from tuneworthy.lab.pool import Pool
from tuneworthy.lab.scores import Scores
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm.runner import Job, Outcome
from tuneworthy.model import lab as model_lab
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, Contrast, Reply, Request, Settled
from tuneworthy.scoring import Marker, scorer_for
from tuneworthy.scoring.base import Kit

WAYS: dict[str, Callable[[str], model_lab.Settled]] = {
    "cuts": lambda key: came(key, "shelf 1", "length"),
    "thinks first": lambda key: came(key, "", "length"),
    "filters": lambda key: came(key, "shelf", "content_filter"),
    "refuses": lambda key: model_lab.Settled(
        key=key, status="failed", why="HTTP 400: no"
    ),
    "refuses in words of its own": lambda key: came(key, "I can't help.", "refusal"),
    "returns null": lambda key: came(key, "", "stop"),
    "stalls": lambda key: model_lab.Settled(
        key=key, status="in_doubt", why="no answer within 120 s"
    ),
}


def came(key: str, text: str, finish: str = "stop") -> model_lab.Settled:
    return model_lab.Settled(
        key=key, status="settled", reply=Reply(text=text, finish=finish)
    )


class Remembered(Outcome):
    """An outcome that has its answers itself, without a ledger."""

    def some(self, keys: Sequence[str]) -> dict[str, Settled]:
        return {key: self.settled[key] for key in keys if key in self.settled}


@dataclass
class World:
    """A lab without a ledger: known answers, of which some don't come.

    ``turns`` is how many turns a conversation has; ``tuned`` a model that is compared.
    """

    shares: dict[str, float]
    n: int
    turns: int = 1
    seed: int = 0
    way: str = "refuses"
    held: frozenset[tuple[str, str]] = frozenset()
    """By model or prompt, and input."""
    watch: None = None
    spend = model_lab.Spend(
        cap=0, paid=0, held=0, calls=0, reused=0, in_doubt=0, failed=0
    )
    plan: Any = None
    outcome: Outcome = field(default_factory=lambda: Remembered(None))  # type: ignore[arg-type]  # it keeps its own

    def __post_init__(self) -> None:
        if self.plan is not None:
            return
        names = [name for name in self.shares if name != "mine"]
        prompts = {name: PromptVariant(name=name, system=f"{name}\n") for name in names}
        cases = [
            EvalCase(
                id=f"c{i}", input=f"Where is book {i}?", reference=f"shelf {i}",
                conversation_id=f"t{i // self.turns}",
            )
            for i in range(self.n)
        ]  # fmt: skip
        models = [{"id": "fake:one"}]
        models += (
            [{"id": "fake:mine", "kind": "tuned"}] if "mine" in self.shares else []
        )
        case = load_case({"name": "x", "models": models})
        reached = {
            m["id"]: llm_endpoints.Reached("fake", m["id"].removeprefix("fake:"), "")
            for m in models
        }
        arms = lab_plan.plan_arms(case, list(prompts.values()), cases, 0)
        setting = lab_plan.Setting(prompts=prompts, reached=reached, pool=Pool(()))
        self.plan = make_plan(arms, cases, setting, seed=self.seed)

    def runner(self, *_: object) -> World:
        return self

    def show(self, *_: object, **__: object) -> None:
        """Nobody watches."""

    def key(self, request: Request) -> str:
        return (
            "mine" if request.model == "mine" else request.messages[0].content.strip()
        )

    def right(self, key: str, asked: str) -> bool:
        return chance(self.seed, key, asked) < self.shares[key]

    async def all(self, jobs: Sequence[Job]) -> Outcome:
        for job in jobs:
            key, asked = self.key(job.request), job.request.messages[-1].content
            text = asked.removeprefix("Where is book ").removesuffix("?")
            text = f"shelf {text}" if self.right(key, asked) else "no idea"
            lost = (key, asked) in self.held
            self.outcome.settled[job.key] = (
                WAYS[self.way](job.key) if lost else came(job.key, text)
            )
        return self.outcome

    def raced(self) -> tuple[lab_race.Lab, tuple[Arm, ...]]:
        scores = Scores(Marker((scorer_for("match", Kit()),), Kit()))
        lab = lab_race.Lab(self.plan, scores, self)  # type: ignore[arg-type]  # made up

        async def go() -> tuple[Arm, ...]:
            await lab.race()
            chosen = lab_result.chosen_arms(lab)
            await lab.report(chosen)
            return chosen

        return lab, asyncio.run(go())

    def reached(self, target: float) -> str:
        lab, chosen = self.raced()
        return lab_result.answer_ceiling(lab, chosen, target).reached

    def compared(self) -> Contrast | None:
        """The tuned model less the best other; None where one of them isn't measured."""
        lab, chosen = self.raced()
        if lab.unanswered(lab.stayed("prompt", "tuned"), self.plan.select):
            return None  # the command stops here
        best, tuned = chosen
        if lab.unanswered(chosen, self.plan.report):
            return None
        return lab_result.contrast(lab.scores, tuned, best, self.plan.report)

    def order(self, how: str) -> list[tuple[str, str]]:
        """All answers in the order in which they are withheld."""
        keys = [name for name in self.shares if how != "of the best" or name == max(
            self.shares, key=lambda name: self.shares[name])]  # fmt: skip
        calls = [(key, f"Where is book {i}?") for key in keys for i in range(self.n)]
        mixed = sorted(calls, key=lambda call: chance("order", self.seed, *call))
        if how == "right ones":
            return sorted(mixed, key=lambda call: not self.right(*call))
        return (
            sorted(mixed, key=lambda call: self.right(*call))
            if how == "wrong ones"
            else mixed
        )
