"""How often a lab under a judge is right, from its calls to its answer, in worlds of known truth.

    python evidence/accuracy/lab_judged.py [--worlds N] [--jobs N]

Each world runs the whole lab with a model and a judge that are functions. The judge favours the
worse arm: it lets pass 95 of 100 of that arm's wrong answers, and fails 30 of 100 of the other's
right ones. People label the drawn cases, first the untouched ones, then those for selecting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from lab_world import CAREFUL, LOUD, chance
from tuneworthy import load_case, load_framework
from tuneworthy.lab.judge import LabJudge, label_sample
from tuneworthy.lab.plan import LabPlan, Setting, make_plan, plan_arms
from tuneworthy.lab.pool import Pool
from tuneworthy.lab.race import Lab
from tuneworthy.lab.result import chosen_arms, outcome
from tuneworthy.lab.scores import Scores
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.choose import Fake
from tuneworthy.llm.endpoints import Reached
from tuneworthy.llm.ledger import Ledger
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Model, Price, PromptVariant
from tuneworthy.model.evalset import EvalCase, digest_of
from tuneworthy.model.lab import CeilingResult, JudgePlan, Quote, Request
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import Kit, make
from tuneworthy.scoring.judge import Judge

BEST = 0.8
"""True share of the better arm."""
KEYS = {"careful": "careful", "loud": "SHOUT"}
FREE, NOTHING = (
    Price(input=0, output=0),
    Quote(calls=0, reused=0, usd_most=0, usd_likely=0),
)
Row = tuple[str, ...]


def right(number: str, answer: str) -> bool:
    """What people say of an answer."""
    return f"shelf {number}" in answer


def model(shares: dict[str, float], favours: str, seed: int) -> Fake:
    """Both arms, and the judge who favours one of them by the word it writes."""

    def answer(request: Request) -> str:
        system, asked = request.messages[0].content, request.messages[-1].content
        if system.startswith("You grade one answer"):
            number = asked.split("Where is book ", 1)[1].split("?", 1)[0]
            said = asked.rsplit("Answer:", 1)[1]
            liked, good = favours in said, right(number, said)
            drawn_by = chance(seed, "judge", number, liked)
            passes = (good or drawn_by < 0.95) if liked else (good and drawn_by < 0.7)
            return json.dumps({"score": int(passes)})
        name = next(each for each, key in KEYS.items() if key in system)
        number = asked.removeprefix("Where is book ").removesuffix("?")
        good = chance(seed, name, number) < shares[name]
        return f"{name}: shelf {number}" if good else f"{name}: nowhere"

    return Fake(answer)


def ran(
    folder: Path, plan: LabPlan, fake: Fake, labels: int, said: dict[tuple[str, str], float],
    target: float,
) -> CeilingResult:  # fmt: skip
    """The lab, once more: with the labels there are by now."""

    async def go() -> CeilingResult:
        place = Reached("fake", "judge", "", None)
        told = JudgePlan(
            model="fake:judge",
            file="r",
            rubric="r",
            labels=labels,
            seed=plan.seed,
            max_tokens=512,
        )
        judge = make(Judge, "Right?", Kit())
        judging = LabJudge(judge, place, Model(id="fake:judge"), told, dict(said))
        scores = Scores(Marker((), Kit()), judging)
        with Ledger(folder / "calls.sqlite3") as ledger:
            calls = PaidCalls("ceiling", ledger, fake, lambda _: FREE, cap_usd=0)
            lab = Lab(plan, scores, calls)
            await lab.race()
            chosen = chosen_arms(lab)
            await lab.report(chosen)
            return outcome(
                lab,
                chosen,
                load_framework("lesson"),
                target=target,
                quote=NOTHING,
                scorer="judge",
            )

    return asyncio.run(go())


@dataclass(frozen=True, slots=True)
class World:
    """Two arms of known shares, the better one first, and what may be done with them."""

    shares: dict[str, float]
    plan: LabPlan
    fake: Fake
    labels: int

    @property
    def worse(self) -> str:
        """The arm that the judge favours."""
        return list(self.shares)[1]

    def labelled(self, *parts: Sequence[EvalCase]) -> dict[tuple[str, str], float]:
        """What people say of the drawn cases of some parts, whatever an arm wrote there."""
        return {
            (one.id, digest_of(text)): value
            for part in parts
            for one in label_sample(part, self.labels, self.plan.seed)
            for name in self.shares
            for text, value in (
                (f"{name}: shelf {one.id[1:]}", 1.0),
                (f"{name}: nowhere", 0.0),
            )
        }

    def holds(self, result: CeilingResult) -> bool:
        """Whether the reported interval holds the chosen arm's true share."""
        one, truth = result.reported, self.shares[result.best.split(" · ")[0]]
        return not isinstance(one, Unknown) and one.low <= truth <= one.high


def made(seed: int, n: int, labels: int, worse: float) -> World:
    """A world."""
    rng = np.random.default_rng([seed, n, labels])
    order = ("careful", "loud") if rng.random() < 0.5 else ("loud", "careful")
    shares = dict(zip(order, (BEST, worse), strict=True))
    texts = {"careful": CAREFUL, "loud": LOUD}
    prompts = {
        name: PromptVariant(name=name, system=text) for name, text in texts.items()
    }
    cases = [EvalCase(id=f"c{i}", input=f"Where is book {i}?") for i in range(n)]
    setting = Setting(prompts=prompts, reached={"fake:one": Reached("fake", "one", "", None)},
                      pool=Pool(()))  # fmt: skip
    arms = plan_arms(load_case({"name": "x", "models": [{"id": "fake:one"}]}),
                     list(prompts.values()), cases, 0)  # fmt: skip
    plan = make_plan(arms, cases, setting, seed=seed)
    return World(shares, plan, model(shares, order[1], seed), labels)


def world(given: tuple[int, int, int, float, float]) -> tuple[float, ...]:
    """What is said in one world: first with labels of the untouched cases, then with all."""
    seed, n, labels, worse, target = given
    one = made(seed, n, labels, worse)
    select, report = one.plan.select, one.plan.report
    with tempfile.TemporaryDirectory() as place:
        alone, some, full = (
            ran(
                Path(place),
                one.plan,
                one.fake,
                one.labels,
                one.labelled(*parts),
                target,
            )
            for parts in ((), (report,), (select, report))
        )
    (apart,) = some.contrasts
    ahead = not isinstance(apart.difference, Unknown) and apart.difference > 0
    turned = apart.told_apart == "yes"
    return (
        alone.best.startswith(one.worse),
        turned and some.best.startswith(one.worse) == ahead, turned, one.holds(some),
        full.best.startswith(one.worse), one.holds(full),
        full.reached == "yes" and target <= BEST, full.reached == "no" and target > BEST,
        full.reached == "yes", full.reached == "no",
    )  # fmt: skip


ROWS = ((120, 30, 0.6, 0.8), (240, 50, 0.6, 0.8), (240, 50, 0.7, 0.8), (240, 50, 0.6, 0.95),
        (240, 50, 0.6, 0.6))  # fmt: skip
HEADS = ("cases", "labels", "shares", "target", "judge crowns the worse", "lab crowns it",
         "told apart", "reported holds", "people choose the worse", "reported holds then",
         "wrong yes", "wrong no", "yes", "no")  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    print("| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
    with ProcessPoolExecutor(asked.jobs) as pool:
        for n, labels, worse, target in ROWS:
            given = [(seed, n, labels, worse, target) for seed in range(asked.worlds)]
            found = np.mean(list(pool.map(world, given, chunksize=5)), axis=0)
            told = (str(n), str(labels), f"0.8 and {worse}", f"{target}")
            print(
                "| " + " | ".join([*told, *(f"{each:.3f}" for each in found)]) + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
