r"""Does the curve of a quarter of the data hold what all of it comes to? Six tasks, real trainings.

    OMP_NUM_THREADS=1 taskset -c 1 python evidence/accuracy/curves.py run ../shared/real \
        build/curves.jsonl [FULL CASES SEEDS]
    python evidence/accuracy/curves.py table build/curves.jsonl

The embedded model is trained and served by the product's own functions, with its own recipe, replay
and seeds, on a sixteenth, an eighth, a quarter and all of the examples, nested. Every result is one
line of the file as soon as it is there: what is stopped goes on where it was. Breadth comes first:
one seed of every task before the second of any.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuneworthy.lab.plan import Setting, request_for
from tuneworthy.lab.pool import Pool
from tuneworthy.lab.result import digest_of_json
from tuneworthy.llm.embedded import MODEL, local_model
from tuneworthy.llm.endpoints import LOCAL, CallError, reach
from tuneworthy.model.case import Model, PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, canonical_json
from tuneworthy.model.pilot import Recipe, TrainingJob
from tuneworthy.scoring import Marker, default_scorers
from tuneworthy.scoring.base import Kit, Output
from tuneworthy.stats.compare import paired_difference
from tuneworthy.training.as_piloted import REPLAYED, chat, replay_rows
from tuneworthy.training.curve import drawn
from tuneworthy.training.trainers import LoraTrainer, TrainingWork

FULL, CASES, SEEDS, NEAR, LONGEST = 96, 48, 3, 4, 48
PARTS = (16, 8, 4, 1)  #: A size is the full one by this.
BASE = f"{LOCAL}:{MODEL}"
Pair = tuple[str, Any]


class Task(NamedTuple):
    kind: str
    system: str
    pairs: list[Pair]
    labelled: bool = False


def banking(real: Path) -> Task:
    """The ten intents of BANKING77 that come first by name."""
    rows = list(
        csv.DictReader((real / "banking77" / "train.csv").open(encoding="utf-8"))
    )
    names = sorted({row["category"] for row in rows})[:10]
    pairs = [(row["text"], row["category"]) for row in rows if row["category"] in names]
    return Task(
        "intents",
        "Name the intent of the bank customer's message.",
        pairs,
        labelled=True,
    )


def clinc(real: Path) -> Task:
    """The ten intents of CLINC that come first by name."""
    told = json.loads((real / "clinc_oos" / "data_oos_plus.json").read_text("utf-8"))
    names = sorted({name for _, name in told["train"]})[:10]
    pairs = [(text, name) for part in ("train", "test") for text, name in told[part]]
    pairs = [(text, name) for text, name in pairs if name in names]
    return Task(
        "intents", "Name the intent of the user's message.", pairs, labelled=True
    )


def people(real: Path) -> Task:
    """The first person and the first place of a sentence, each perhaps absent."""
    rows = json.loads(
        (real / "presidio_synth" / "synth_dataset_v2.json").read_text("utf-8")
    )
    pairs = []
    for row in rows:
        text = " ".join(row["full_text"].split())
        found: dict[str, str] = {}
        for span in sorted(row["spans"], key=lambda each: each["start_position"]):
            found.setdefault(
                span["entity_type"], " ".join(span["entity_value"].split())
            )
        name, place = found.get("PERSON"), found.get("GPE")
        if (name or place) and len(text) <= 120 and text.isascii():
            pairs.append((text, {"person": name, "place": place}))
    return Task(
        "extraction", 'Write JSON: {"person": ..., "place": ...}, null for none.', pairs
    )


def orders(_: Path) -> Task:
    """Made orders, as people write them: the thing, how many, and the town."""
    chance = random.Random(5)  # noqa: S311  # hides nothing
    things = [
        "mug", "lamp", "chair", "desk", "rug", "vase",
        "clock", "towel", "kettle", "mirror", "pillow", "shelf",
    ]  # fmt: skip
    towns = [
        "Oslo", "Lyon", "Turin", "Ghent", "Porto", "Graz",
        "Cork", "Leeds", "Bergen", "Malmo", "Basel", "Nice",
    ]  # fmt: skip
    numbers = [
        "one", "two", "three", "four", "five", "six",
        "seven", "eight", "nine", "ten", "eleven", "twelve",
    ]  # fmt: skip
    forms = (
        "please send {n} {t}s to {c}", "I need {n} {t}s delivered in {c}",
        "{c} office is out of {t}s, order {n}", "could we get {n} more {t}s for {c}?",
        "for {c}: {n} {t}s", "ship {t}s to {c}, {n} of them", "{n} x {t}, going to {c}",
        "the {c} branch asked for {n} {t}s; last time it was {m}",
        "not {m} but {n} {t}s for {c} please", "{t}s, {n}, {c}",
    )  # fmt: skip
    pairs: dict[str, dict[str, Any]] = {}
    while len(pairs) < 600:
        n, m = chance.randrange(12), chance.randrange(12)
        town, thing = chance.choice(towns), chance.choice(things)
        said = [numbers[n] if chance.random() < 0.5 else str(n + 1), numbers[m]]
        text = chance.choice(forms).format(n=said[0], m=said[1], t=thing, c=town)
        pairs[text] = {"item": thing, "count": n + 1, "town": town}
    asked = 'Write JSON: {"item": ..., "count": ..., "town": ...}.'
    return Task("extraction", asked, [*pairs.items()])


def calls(real: Path) -> Task:
    """One call of one function, its signature with the question; the first accepted values."""
    folder, pairs = real / "bfcl", []
    for name in ("simple_python", "live_simple"):
        answers = {}
        for line in (folder / f"ans_{name}.json").read_text("utf-8").splitlines():
            told = json.loads(line)
            answers[told["id"]] = told["ground_truth"][0]
        for line in (folder / f"BFCL_v4_{name}.json").read_text("utf-8").splitlines():
            row = json.loads(line)
            (function,), (turns, *_) = row["function"], row["question"]
            ((called, values),) = answers[row["id"]].items()
            wanted = {k: v[0] for k, v in values.items() if v and "" not in v}
            fields = function["parameters"]["properties"]
            signature = ", ".join(
                f"{k}: {fields[k]['type']}" for k in wanted if k in fields
            )
            text = f"{called}({signature})\n{turns[-1]['content']}"
            answer = {"name": called, "arguments": wanted}
            if (
                len(text) <= 200
                and len(json.dumps(answer)) <= 110
                and set(wanted) <= set(fields)
            ):
                pairs.append((text, answer))
    return Task(
        "tool calls", 'Call the function: {"name": ..., "arguments": {...}}.', pairs
    )


def sql(_: Path) -> Task:
    """Made questions about one table."""
    chance = random.Random(6)  # noqa: S311  # hides nothing
    towns = ["Oslo", "Lyon", "Turin", "Ghent", "Porto", "Graz", "Cork", "Leeds"]
    teams = ["sales", "legal", "design", "finance", "support", "research"]
    wheres = (
        ("in {c}", "town = '{c}'"), ("based in {c}", "town = '{c}'"),
        ("of the {d} team", "team = '{d}'"), ("who work in {d}", "team = '{d}'"),
        ("earning more than {k}", "pay > {k}"), ("earning less than {k}", "pay < {k}"),
        ("hired since {y}", "hired >= {y}"), ("hired before {y}", "hired < {y}"),
    )  # fmt: skip
    heads = (
        ("How many people are there {w}?", "SELECT COUNT(*) FROM staff WHERE {s}"),
        ("Names of everybody {w}", "SELECT name FROM staff WHERE {s}"),
        ("List who is {w}", "SELECT name FROM staff WHERE {s}"),
        ("What do people {w} earn on average?", "SELECT AVG(pay) FROM staff WHERE {s}"),
        ("The highest pay of anybody {w}", "SELECT MAX(pay) FROM staff WHERE {s}"),
        (
            "Everybody {w}, best paid first",
            "SELECT name FROM staff WHERE {s} ORDER BY pay DESC",
        ),
        (
            "Who {w} was hired first?",
            "SELECT name FROM staff WHERE {s} ORDER BY hired LIMIT 1",
        ),
    )
    pairs: dict[str, str] = {}
    while len(pairs) < 600:
        said = chance.sample(wheres, chance.choice((1, 1, 2)))
        values: dict[str, Any] = {"c": chance.choice(towns), "d": chance.choice(teams)}
        values |= {
            "k": chance.randrange(20, 90) * 1000,
            "y": chance.randrange(2005, 2025),
        }
        asked, query = chance.choice(heads)
        text = asked.format(w=" ".join(words for words, _ in said)).format(**values)
        pairs[text] = query.format(s=" AND ".join(test for _, test in said)).format(
            **values
        )
    return Task(
        "SQL", "Write SQL for staff(name, town, team, pay, hired).", [*pairs.items()]
    )


TASKS = {
    "sql": sql, "banking77": banking, "clinc": clinc, "orders": orders, "people": people,
    "bfcl": calls,
}  # fmt: skip


class World:
    """A task as the product sees it: examples, held cases, what scores them, and requests."""

    def __init__(self, name: str, task: Task, full: int, cases: int) -> None:
        pairs = {
            " ".join(str(asked).casefold().split()): (asked, a)
            for asked, a in task.pairs
        }
        picked = random.Random(0).sample(sorted(pairs), full + cases)  # noqa: S311  # no secret here
        made = [
            EvalCase(id=f"{name}-{n}", input=pairs[key][0], reference=pairs[key][1])
            for n, key in enumerate(picked)
        ]
        self.name, self.task, self.examples, self.cases = (
            name,
            task,
            made[:full],
            made[full:],
        )
        labels = tuple(sorted({str(a) for _, a in task.pairs})) if task.labelled else ()
        kit = Kit(labels=labels)
        self.marker = Marker(default_scorers(made, kit), kit)
        self.grammar = (
            "root ::= " + " | ".join(map(canonical_json, labels)) if labels else None
        )
        self.prompt = PromptVariant(name="plain", system=task.system, user="{{input}}")

    def arm(self, model: str, near: int = 0) -> Arm:
        more = {"few_shot": near, "few_shot_from": "nearest"} if near else {}
        way = "grammar" if self.grammar else "none"
        return Arm(
            id="arm",
            kind="prompt",
            prompt="plain",
            model=model,
            constrained=way,
            **more,
        )

    def setting(self, model: str, pool: Sequence[EvalCase]) -> Setting:
        served = {model: reach(Model(id=model))}
        prompts = {"plain": self.prompt}
        return Setting(prompts, served, Pool(pool), None, self.grammar, LONGEST)

    def work(self, size: int, seed: int) -> TrainingWork:
        """The run of a pilot without planted secrets."""
        arm, setting = self.arm(BASE), self.setting(BASE, ())
        order = np.random.default_rng(seed).permutation(len(self.examples))[:size]
        rows = []
        for example in (self.examples[at] for at in order):
            asked = [
                m.model_dump() for m in request_for(arm, example, setting).messages
            ]
            answer = example.reference
            rows.append(
                chat(asked, answer if isinstance(answer, str) else json.dumps(answer))
            )
        rows += replay_rows()[: round(size * REPLAYED)]
        recipe = Recipe()
        told = [recipe.model_dump(mode="json"), seed, rows]
        job = TrainingJob(key=digest_of_json(told), size=size, seed=seed)
        return TrainingWork(job, recipe, tuple(rows))

    def seen(self, size: int, seed: int) -> list[EvalCase]:
        """What somebody with that many examples has to show or look up."""
        order = np.random.default_rng(seed).permutation(len(self.examples))[:size]
        return [self.examples[at] for at in order]

    async def answered(self, arm: Arm, pool: Sequence[EvalCase]) -> list[float]:
        """Scores of the held cases; what has no answer is NaN."""
        setting, transport = (
            self.setting(arm.model, pool),
            local_model(arm.model.partition(":")[2]),
        )

        async def one(case: EvalCase) -> float:
            try:
                reply = await transport.send(request_for(arm, case, setting))
            except CallError:
                return math.nan
            return self.score(reply.text, case)

        try:
            return list(await asyncio.gather(*map(one, self.cases)))
        finally:
            await transport.close()

    def score(self, text: str, case: EvalCase) -> float:
        """All or nothing, as for a program that reads it."""
        scored = self.marker.score(Output(text), case)
        return float(scored.value >= 1)


def kept(path: Path) -> list[dict[str, Any]]:
    """The results that are there; half a line of a run that was stopped is none."""
    lines = path.read_text("utf-8").split("\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in lines]


There = dict[tuple[Any, ...], str]  #: Models by what was run, and in how many steps.


async def study(real: Path, path: Path, full: int, cases: int, seeds: int) -> None:
    """Everything that isn't in the file yet, by steps as well."""
    there = {(*row["at"], row.get("steps")): row.get("model", "") for row in kept(path)}
    trainer = LoraTrainer(path.parent / "curves")

    def note(at: tuple[Any, ...], scores: Sequence[float], **more: Any) -> None:
        told = {
            "at": at,
            "full": full,
            "scores": [None if math.isnan(s) else s for s in scores],
        }
        with path.open("a") as file:
            file.write(json.dumps(told | more) + "\n")
        there[*at, more.get("steps")] = more.get("model", "")
        print(
            time.strftime("%H:%M:%S"),
            *at,
            f"{np.nanmean(scores):.3f}",
            more,
            flush=True,
        )

    worlds = [World(name, make(real), full, cases) for name, make in TASKS.items()]
    try:
        for seed in range(seeds):
            for what, world in product((_tuned, _untuned, _both), worlds):
                await what(world, seed, there, note, trainer)
    finally:
        await trainer.close()


async def _tuned(
    world: World, seed: int, there: There, note: Any, trainer: LoraTrainer
) -> None:
    for size in (len(world.examples) // part for part in PARTS):
        at, work = (
            (world.name, world.task.kind, seed, size, "tuned"),
            world.work(size, seed),
        )
        if (*at, work.steps) in there:
            continue
        begun = time.monotonic()
        done = await trainer.finish(work, await trainer.begin(work), lambda _: None)
        trained = time.monotonic()
        scores = await world.answered(world.arm(done.model), ())
        served = time.monotonic() - trained
        note(at, scores, train_s=round(trained - begun, 1), serve_s=round(served, 1),
             steps=work.steps, model=done.model)  # fmt: skip


async def _untuned(world: World, seed: int, there: There, note: Any, _: Any) -> None:
    full, kind = len(world.examples), world.task.kind
    for size in (full // 4, full):
        own = seed if size < full else 0  # of all examples there is one pool
        pool = world.seen(size, own)
        looked = Pool(pool)
        nearest = Arm(id="nearest example", kind="baseline", of="nearest_neighbour")
        ways: dict[str, Callable[[EvalCase], str]] = {
            nearest.id: partial(looked.look_up, nearest)
        }
        if world.task.labelled and looked.teaches:
            ways["trained head"] = looked.head
        for way, says in ways.items():
            at = (world.name, kind, own, size, way)
            if (*at, None) not in there:
                note(at, [world.score(says(case), case) for case in world.cases])
        for way, near in (("prompt", 0), (f"prompt, {NEAR} nearest", NEAR)):
            at = (world.name, kind, own if near else 0, size if near else 0, way)
            if (*at, None) not in there:
                begun = time.monotonic()
                scores = await world.answered(world.arm(BASE, near), pool)
                note(at, scores, serve_s=round(time.monotonic() - begun, 1))


async def _both(world: World, seed: int, there: There, note: Any, _: Any) -> None:
    """What was tuned, with its nearest examples in the prompt."""
    for size in (len(world.examples), len(world.examples) // 4):
        at = (world.name, world.task.kind, seed, size, f"tuned, {NEAR} nearest")
        if (*at, None) not in there:
            model, begun = (
                there[*at[:4], "tuned", world.work(size, seed).steps],
                time.monotonic(),
            )
            scores = await world.answered(
                world.arm(model, NEAR), world.seen(size, seed)
            )
            note(at, scores, serve_s=round(time.monotonic() - begun, 1))


Found = dict[tuple[int, int, str], np.ndarray]  #: Scores by seed, size and way.


def curves(
    found: Found, sizes: Sequence[int], seeds: Sequence[int]
) -> tuple[float, float, float]:
    """What a quarter says of all: low, middle and high; ``seeds`` make one pilot.

    What can be seen is a number of right answers, so each draw is one too.
    """
    tables = [
        np.array([found[seed, size, "tuned"] for seed in seeds]) for size in sizes[:-1]
    ]
    fitted, most = (
        drawn(sizes[:-1], tables, np.arange(tables[0].shape[1])),
        tables[0].size,
    )
    right = np.round(fitted.pilot_score(sizes[-1]) * most) / most
    low, middle, high = np.percentile(right, (2.5, 50, 97.5))
    return float(low), float(middle), float(high)


def ways(found: Found, seed: int, size: int) -> dict[str, np.ndarray]:
    """Every way at one size; of all examples the ways without training have one pool."""
    last = max(size for _, size, _ in found)
    made = {way: row for (s, n, way), row in found.items() if n in (0, size)
            and s == (seed if way == "tuned" or (n and n < last) else 0)}  # fmt: skip
    return dict(sorted(made.items(), key=lambda each: -np.nanmean(each[1])))


def table(path: Path) -> None:
    """What came of it."""
    tasks: dict[tuple[str, str], Found] = {}
    for row in kept(path):
        name, kind, seed, size, way = row["at"]
        scores = np.array([np.nan if s is None else s for s in row["scores"]])
        tasks.setdefault((name, kind), {})[seed, size, way] = scores
    for (name, kind), found in tasks.items():
        sizes = sorted({size for _, size, way in found if way == "tuned"})
        means = {at: np.nanmean(row) for at, row in found.items()}
        told = []
        for size in sizes:
            by_seed = [
                m for (_, n, way), m in means.items() if (n, way) == (size, "tuned")
            ]
            told.append(f"{size}: {' '.join(f'{m:.2f}' for m in by_seed)}")
        print(f"{name} ({kind})\n  tuned {', '.join(told)}")
        whole = [s for s in range(9) if all((s, n, "tuned") in found for n in sizes)]
        if len(sizes) < len(PARTS):
            continue
        for seeds in [[seed] for seed in whole] + ([whole] if len(whole) > 1 else []):
            low, middle, high = curves(found, sizes, seeds)
            true = float(np.mean([means[seed, sizes[-1], "tuned"] for seed in seeds]))
            held = "holds" if low <= true <= high else "MISSES"
            print(
                f"  seeds {seeds}: {held} {true:.3f} in {low:.3f} to {high:.3f} ({middle:.3f})"
            )
        for seed in whole:
            few, every = (ways(found, seed, size) for size in (sizes[-2], sizes[-1]))
            named, best = next(iter(few)), next(iter(every))
            less = paired_difference(
                every[best], every[named], np.arange(len(every[best]))
            )
            by = (
                f"{less.value:.2f} ({less.low:.2f} to {less.high:.2f})"
                if less
                else "unknown"
            )
            print(
                f"  seed {seed}: a quarter names {named}, all of it {best}, better by {by}"
            )
            for size, rows in ((sizes[-2], few), (sizes[-1], every)):
                said = ", ".join(
                    f"{way} {np.nanmean(row):.2f}" for way, row in rows.items()
                )
                print(f"    {size}: {said}")


def main() -> None:
    """Run, or print what came of it."""
    what, *more = sys.argv[1:]
    if what == "table":
        table(Path(more[0]))
    else:
        sizes = [int(word) for word in more[2:]] + [FULL, CASES, SEEDS][len(more) - 2 :]
        asyncio.run(study(Path(more[0]), Path(more[1]), *sizes))


if __name__ == "__main__":
    main()
