"""What a lab's page says first, where it is known what is so: models that think aloud among them.

    python evidence/accuracy/first_sentences.py [RUNS]

Ten worlds of a library clerk (``tests/lab_world.py``), in each of which a prompt, and a tuned model
where there is one, is right in a known share of cases; RUNS of each, 30 unless given. Whole ceiling
labs and verifications run with a function as the model. A first sentence is false where it says
that a ceiling is reached and a prompt meets the target, that it isn't and none does, that a tuned
model is better or worse and it isn't, or that it is better by so much at most and it is by more.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from test_labs_verify import RIGHT

from faulty import Fake
from lab_world import CAREFUL, PLAIN, chance, folder_of
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.model.lab import Request

AS_OF = date(2026, 12, 1)
RUNS = 30
TARGET = 0.8
CASES = 140
TWO = "[{id: 'fake:one'}, {id: 'fake:mine', kind: tuned}]"
Manner = Callable[[str], str]


def answer_plainly(text: str) -> str:
    return text


def think_aloud(text: str) -> str:
    return f"<think>\nIs it on shelf 3? No.\n</think>\n\n{text}"


def think_without_a_beginning(text: str) -> str:
    return f"Let me see, shelf 2?\n</think>\n{text}"


def name_the_answer(text: str) -> str:
    return f"Answer: {text}"


class Scenario(NamedTuple):
    """Who is right how often, and how its answers look."""

    name: str
    best: float  #: Share right of the better prompt.
    manner: Manner = answer_plainly
    tuned: float | None = None  #: Of a tuned model; None for a ceiling lab.
    tuned_manner: Manner = answer_plainly


SCENARIOS = (
    Scenario("far below the target", 0.55),
    Scenario("far above it", 0.95),
    Scenario("at it", 0.80),
    Scenario("above it, thinking aloud", 0.95, think_aloud),
    Scenario("below it, thinking aloud", 0.55, think_aloud),
    Scenario("above it, its first tag in the prompt", 0.95, think_without_a_beginning),
    Scenario("above it, in a wrapper", 0.95, name_the_answer),
    Scenario("a tuned model better by 28 points", 0.65, tuned=0.93),
    Scenario("better by 28 points, thinking aloud", 0.65, tuned=0.93, tuned_manner=think_aloud),
    Scenario("a tuned model as good", 0.75, tuned=0.75),
)  # fmt: skip


def model_of(scenario: Scenario, seed: int) -> Fake:
    """The model of a scenario; another seed is another draw of what it is right on."""
    worse = scenario.best - 0.3

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        if asked in RIGHT:
            return RIGHT[asked]
        number = asked.removeprefix("Where is book ").removesuffix("?")
        share = scenario.best if "careful" in request.messages[0].content else worse
        manner = scenario.manner
        if request.model == "mine" and scenario.tuned is not None:
            share = scenario.tuned
            manner = scenario.tuned_manner
        right = chance(seed, request.model, share, number) < share
        return manner(f"shelf {number}" if right else "no idea")

    return Fake(answer)


def run_ceiling(scenario: Scenario, seed: int, folder: Path) -> tuple[str, bool]:
    """What a ceiling lab says first, and whether it is false."""
    folder_of(
        folder, n=CASES, target=TARGET, prompts={"plain": PLAIN, "careful": CAREFUL}
    )
    fake = model_of(scenario, seed)
    result = lab_ceiling.run(
        prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake
    ).result
    meets = scenario.best >= TARGET
    false = (result.reached == "yes" and meets) or (
        result.reached == "no" and not meets
    )
    return f"ceiling {result.reached}", false


def run_verify(scenario: Scenario, seed: int, folder: Path) -> tuple[str, bool]:
    """What a verification says first, and whether it is false."""
    assert scenario.tuned is not None  # the caller looked
    folder_of(folder, n=CASES, models=TWO, target=None, prompts={"careful": CAREFUL})
    fake = model_of(scenario, seed)
    result = lab_verify.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake)
    gain = scenario.tuned - scenario.best
    false = {
        "improved": gain <= 0,
        "regressed": gain >= 0,
        "no_gain": gain > result.contrast.high,  # it says "at most"
    }.get(result.outcome, False)
    return f"verify {result.outcome}", false


def main() -> None:
    """Print a row a scenario, and how many were false."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    wrong = 0
    print("| world | says | false |\n|---|---|---:|")
    for scenario in SCENARIOS:
        run = run_ceiling if scenario.tuned is None else run_verify
        says = Counter[str]()
        false = 0
        for seed in range(runs):
            with tempfile.TemporaryDirectory() as base:
                said, is_false = run(scenario, seed, Path(base))
            says[said] += 1
            false += is_false
        counts = ", ".join(f"{name} {many}" for name, many in says.most_common())
        print(f"| {scenario.name} | {counts} | {false} |", flush=True)
        wrong += false
    print(f"\n{wrong} of {runs * len(SCENARIOS)} first sentences are false.")


if __name__ == "__main__":
    main()
