"""A pilot: does tuning work here, with how many examples, and is it worth it?

Nested sets of examples, each twice the one before, are trained with several seeds. The curve, the
stop and the choice of arms rest on the cases for selecting; the five ways then meet on the held-out
ones, compared by the code of ``verify``. Every run is trained once and every call paid once: what
is stopped at any moment goes on when it is run again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from itertools import chain, product
from typing import Any, TypeAlias, Unpack

import numpy as np

from tuneworthy.answers.arms import arms_series
from tuneworthy.errors import CaseError, InputError, StoppedError
from tuneworthy.facts.ends import age_text
from tuneworthy.facts.records import Method
from tuneworthy.files.materials import names
from tuneworthy.files.stores import append_evidence, pilot_runs, read_pilot, write_pilot
from tuneworthy.lab.arms import measured_arms, with_found
from tuneworthy.lab.held import HeldArm, gain_figure, hold_arm
from tuneworthy.lab.plan import (
    Arms,
    Asked,
    Cases,
    LabPlan,
    Pool,
    plan_arms,
    request_for,
)
from tuneworthy.lab.prepare import (
    CallSettings,
    PreparedLab,
    dearest,
    paid,
    price,
    probed,
)
from tuneworthy.lab.result import (
    arm_row,
    best_prompt_evidence,
    digest_of_json,
    distinct,
    measured_in,
    options_evidence,
    tried_evidence,
)
from tuneworthy.lab.routing import route, routed_arm
from tuneworthy.lab.scores import (
    WHY_UNANSWERED,
    Lab,
    Scores,
    clusters_of,
    first_of,
    ranking_value,
)
from tuneworthy.lab.session import PaidCalls
from tuneworthy.lab.verify import MOST_MISSING_GENERAL as LACKING
from tuneworthy.lab.verify import (
    compared,
    gain_evidence,
    general_calls,
    margin_of,
    verify_plan,
)
from tuneworthy.llm.choose import prices_of, transport_for
from tuneworthy.llm.endpoints import Busy, CallError, Doubtful, NotSent, Refused, reach
from tuneworthy.llm.hosts import find_strange_host
from tuneworthy.llm.ledger import TRAINING, Ledger
from tuneworthy.llm.runner import Job, PriceOf, Stop, quote, total
from tuneworthy.model.base import Estimated, State, Unknown
from tuneworthy.model.case import Model, PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Evidence, Measured
from tuneworthy.model.lab import (
    Arm,
    Contrast,
    Quote,
    Reply,
    RoutedWay,
    VerifyPlan,
    VerifyResult,
)
from tuneworthy.model.pilot import (
    PilotPlan,
    PilotResult,
    Recipe,
    SafetyProbe,
    TrainedModel,
    TrainingJob,
    TrainingQuote,
)
from tuneworthy.model.ways import AnyFigure, LabArm
from tuneworthy.money.moving import forced_move
from tuneworthy.pipeline import decide, table_of
from tuneworthy.stats.clustered import Estimate
from tuneworthy.training.as_piloted import (
    REPLAYED,
    asked_under,
    chat,
    drawn_places,
    prompt_for,
    replay_rows,
    solved_examples,
)
from tuneworthy.training.bases import ChosenBase
from tuneworthy.training.candidates import training_set
from tuneworthy.training.card import (
    CardFacts,
    ProbeScores,
    canaries,
    card,
    leak_probes,
    probe_results,
    refusal_probes,
)
from tuneworthy.training.curve import FEWEST_SIZES, drawn, learning_curve
from tuneworthy.training.export import hosted_base, shared_rows
from tuneworthy.training.recipes import rates_around
from tuneworthy.training.trainers import (
    Row,
    Trainer,
    TrainingFailedError,
    TrainingStoppedError,
    TrainingWork,
)
from tuneworthy.ways.way import KnownNumber

PILOT_RUN = "pilot"
LEAST_GAIN = 0.01  #: What one more doubling has to add where the margin is nought.
FREE = {"few_shot": 0, "few_shot_from": "none", "constrained": "none"}
"""Probes are asked under the system prompt of the use case, free of examples and constraints."""
MOST_SIZES = 4
SMALLEST = 10
TIMED_CALLS = (
    17  #: Calls that a quote makes of the embedded model, to time all but the first.
)
UNKNOWN_CODE = (
    "I don't know that code."  #: The worse answer to a planted secret, of a pair.
)
STOP = (
    "after each size from the third on, training ends where for each tuned way the upper end of "
    "its curve at the largest size lies below what is wanted, on the cases for selecting: the "
    "quality target, or where none is stated the best untuned way's share plus the margin"
)
_CORRECT = "correct that, and run it again to go on"
Say = Callable[[str], None]


@dataclass(frozen=True)
class PreparedPilot:
    """A pilot that could run."""

    lab: PreparedLab
    trainer: Trainer
    base: Model
    prompt: PromptVariant
    plan: PilotPlan
    make: Callable[[Recipe], tuple[TrainingWork, ...]]  #: The runs of a recipe.
    works: tuple[TrainingWork, ...]  #: In the order they are trained.
    planted: tuple[tuple[str, str], ...]  #: Question and secret of each canary.
    say: Say
    there: int = 0  #: Examples that it could train on.
    sweep: tuple[TrainingWork, ...] = ()  #: A run for each rate that is tried first.

    @property
    def every(self) -> list[TrainingWork]:
        """Every run that may be trained, each once."""
        return [*{work.job.key: work for work in (*self.sweep, *self.works)}.values()]

    def tuned(
        self, model: str, size: int, *, near: int = 0, seed: int | None = None
    ) -> Arm:
        """A tuned arm; without a seed, all seeds are one arm."""
        of_seed = "" if seed is None else f" · seed {seed}"
        more = f" · nearest {near}" if near else ""
        host = find_strange_host(self.base.id, self.base.base_url)
        more += f" at {host}" if host else ""
        return Arm(
            id=f"{self.prompt.name} · tuned on {size}{more}{of_seed}"[:200],
            kind="tuned",
            prompt=self.prompt.name,
            model=model,
            few_shot=near,
            few_shot_from="nearest" if near else "none",
            retrieval="contexts" in names(self.prompt),
            constrained=self.prompt.constrained or "none",
        )

    def at(self, model: str) -> LabPlan:
        """The lab's plan with a trained model that can be called."""
        plan = self.lab.plan
        reached = {**plan.setting.reached, model: reach(self.trainer.served(model))}
        return replace(plan, setting=replace(plan.setting, reached=reached))

    @property
    def stand_ins(self) -> list[Arm]:
        """The largest tuned arms before there are any: with the base in their place."""
        return [
            self.tuned(self.base.id, self.plan.sizes[-1], near=near)
            for near in self.nears
        ]

    @cached_property
    def nears(self) -> list[int]:
        """Examples that tuned arms retrieve: none, and as many as the retrieving arms at most."""
        near = [
            arm.few_shot for arm in self.lab.plan.arms if arm.few_shot_from == "nearest"
        ]
        return sorted({0, max(near, default=0)})


def prepare_pilot(
    lab: PreparedLab,
    trainer: Trainer,
    base: str,
    *,
    seeds: int = 3,
    margin: float | None = None,
    most: int | None = None,
    recipe: Recipe | None = None,
    sweep: int = 1,
    say: Say = lambda _: None,
) -> PreparedPilot:
    """Plan a pilot; nothing is sent and nothing trained.

    ``base`` is the id of a model of the case, ``seeds`` are the runs of each size, ``margin`` is
    the share of cases below which a difference is no gain (by the framework where it is left out),
    ``most`` bounds the examples, ``sweep`` is how many rates are tried first, and ``say`` is told
    how it goes on. Raises InputError if the case has no training set, too few examples, or
    examples that are cases.
    """
    case = lab.case
    recipe = recipe or Recipe()
    model = next(
        (m for m in case.models if m.id == base and m.kind == "prompted"), None
    )
    if model is None:
        fix = f'add it: models: [{{id: "{base[:80]}"}}], or name another with --base'
        raise CaseError(
            f'has no model "{base[:80]}" to tune', where=case.where("models"), fix=fix
        )
    private = case.factors.get("data_sovereignty")
    if trainer.way == "hosted" and private is not None and private.value == "yes":
        fix = "train on your own machines: --way folder, or --way embedded"
        raise CaseError(
            "says that its data may not leave", where=case.where("factors"), fix=fix
        )
    _refuse_gone(trainer.way, model, recipe, lab.as_of)
    prompt = prompt_for(lab.plan.setting.prompts.values(), base)
    if prompt is None:
        raise CaseError(
            f'has no prompt for "{base[:80]}"', where=case.where("data"), fix="add one"
        )
    solved = solved_examples(lab)
    lab = replace(lab, plan=_with_pool(lab, tuple(case for _, case in solved)))
    training, _ = training_set(case)

    def row(case: EvalCase, answer: str, worse: str = "") -> Row:
        messages = asked_under(prompt, base, case, lab.plan.setting)
        return chat(messages, answer) | ({"rejected": worse} if worse else {})

    pairs = recipe.method == "dpo"
    rows = [
        row(c, e.answer.content, e.rejected)
        for e, c in solved
        if e.rejected or not pairs
    ]
    if trainer.way == "hosted":
        rows = shared_rows(rows, case.data.personal)
    count = min(len(rows), most or len(rows))
    steps = [n for n in range(MOST_SIZES) if count >> n >= SMALLEST]
    if len(steps) < FEWEST_SIZES:
        what = f"has {len(rows)} examples to train on, of {SMALLEST << FEWEST_SIZES - 1} at least"
        raise CaseError(
            what, where="data.training", fix="add examples: tuneworthy data"
        )
    sizes = tuple((count >> steps[-1]) << n for n in steps)
    hidden = max(4, min(20, sizes[-1] // 20))
    planted = canaries(count=hidden, key=digest_of_json(rows))
    worse = UNKNOWN_CODE if pairs else ""
    secrets = [
        row(EvalCase(id="secret", input=asked), code, worse) for asked, code in planted
    ]

    def work_of(size: int, seed: int, recipe: Recipe) -> TrainingWork:
        order = drawn_places(len(rows), size, seed)
        general = [] if pairs else replay_rows()[: round(size * REPLAYED)]
        used = [
            *(rows[n] for n in order),
            *general,
            *(secrets if size == sizes[-1] else []),
        ]
        by = recipe_key(recipe, hosted=trainer.way == "hosted")
        inputs = [trainer.way, base, model.base_url, by, seed, used]
        job = TrainingJob(key=digest_of_json(inputs), size=size, seed=seed)
        return TrainingWork(job, recipe, tuple(used))

    def make(recipe: Recipe) -> tuple[TrainingWork, ...]:
        return tuple(
            work_of(size, seed, recipe) for size, seed in product(sizes, range(seeds))
        )

    works = make(recipe)
    rates = rates_around(recipe.rate, sweep) if sweep > 1 else ()
    tried = tuple(
        work_of(sizes[-2], 0, recipe.model_copy(update={"rate": rate}))
        for rate in rates
    )
    cases = [c.model_dump(mode="json") for c in (*lab.plan.select, *lab.plan.report)]
    plan = PilotPlan(
        way=trainer.way,
        base=base,
        sizes=sizes,
        seeds=seeds,
        recipe=recipe,
        replay=len(works[-1].rows) - sizes[-1] - hidden,
        canaries=hidden,
        margin=margin_of(lab.framework) if margin is None else margin,
        stop=STOP,
        cases=len(lab.plan.report),
        inputs=digest_of_json(
            [[work.job.key for work in (*works, *tried)], cases, lab.scorer]
        ),
        rates=rates,
        written_on=lab.as_of,
        prompt=prompt.name,
        training_set=training.digest,
    )
    there = len(rows)
    return PreparedPilot(
        lab, trainer, model, prompt, plan, make, works, planted, say, there, tried
    )


def _refuse_gone(way: str, model: Model, recipe: Recipe, day: date) -> None:
    """Raise InputError for a base that a service no longer tunes: nothing is spent on it."""
    base = base_known(way, model, recipe, day)
    if base is not None and base.problem:
        what, _, fix = base.problem.partition(". ")
        raise InputError(
            f"can't be tuned: {what}", where=f"--base {model.id[:80]}", fix=fix
        )


def base_known(way: str, model: Model, recipe: Recipe, day: date) -> ChosenBase | None:
    """What the catalogue knows of a base that a service trains; None for one's own machine."""
    if way != "hosted":
        return None
    method: Method = "preference" if recipe.method == "dpo" else "supervised"
    return hosted_base(model, method, day)


def end_rows(pilot: PreparedPilot) -> list[tuple[str, str]]:
    """When the base ends, and what that means for this pilot, where it is known."""
    plan = pilot.plan
    base = base_known(plan.way, pilot.base, plan.recipe, pilot.lab.as_of)
    if base is None:
        return []
    rows = [("Base ends", f"{base.ends} ({age_text(pilot.lab.as_of)})")]
    if base.warning:
        move = forced_move(pilot.lab.case, pilot.lab.framework).text
        cost = f" Tuning again on another base then takes {move}" if move else ""
        rows.append(("Forced move", f"{base.warning}.{cost}"))
    return rows


def recipe_key(recipe: Recipe, *, hosted: bool) -> Row:
    """What of a recipe makes another run; a service takes its epochs and counts its own steps.

    What came later counts only where it is used, so that runs of before are found again.
    """
    later = {"parts": 1, "checkpointing": False, "bits": 16}
    without = {name for name, usual in later.items() if getattr(recipe, name) == usual}
    if hosted:
        without.add("least_steps")
    return recipe.model_dump(mode="json", exclude=without)


def _with_pool(lab: PreparedLab, examples: tuple[EvalCase, ...]) -> LabPlan:
    """The plan whose retrieved examples and heads learn from what is trained on."""
    plan = lab.plan
    pool = Pool(examples)
    setting = replace(plan.setting, pool=pool)
    prompts = tuple(plan.setting.prompts.values())
    head = setting.grammar is not None and pool.teaches
    more = {"schema": setting.schema is not None, "head": head}
    arms = plan_arms(lab.case, prompts, (*plan.select, *plan.report), len(pool), **more)
    return replace(
        plan, arms=tuple(a for a in arms if a.kind != "tuned"), setting=setting
    )


# What it would cost, and the run.


def _prices(pilot: PreparedPilot, served: Model) -> PriceOf:
    """Prices of a pilot's calls; what a service asks for its model, the command itself says."""
    by_command = frozenset({served.id} if pilot.trainer.way == "hosted" else ())
    lab = pilot.lab
    return prices_of((served, *lab.case.models), lab.as_of, by_command)


def pilot_price(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The most that calls and training can cost; every run to its end."""
    lab = pilot.lab
    base = pilot.base.id
    seeds = pilot.plan.seeds
    # the base stands in for what is tuned
    plan = pilot.at(base)
    judge = lab.scores.judge
    price_of = _prices(pilot, pilot.trainer.served(base))
    probes = (*refusal_probes(), *leak_probes(pilot.planted))

    def of(arms: Arms, cases: Cases, kept: Ledger | None = None) -> Quote:
        calls = [(job, case) for job, _, case in plan.calls(arms, cases)]
        judged = (
            (judge.expected(job, case, kept) for job, case in calls) if judge else ()
        )
        every = chain((job for job, _ in calls), chain.from_iterable(judged))
        return quote(every, kept, price_of)

    def of_general(arm: Arm, kept: Ledger | None = None) -> Quote:
        calls = [*general_calls(plan, arm), *probe_calls(plan, arm, probes)]
        return quote([job for job, *_ in calls], kept, price_of)

    prompts = plan.of_kind("prompt")
    untuned = dearest([of([arm], plan.report, ledger) for arm in prompts], 2)[:-1]
    untuned += dearest([of_general(arm, ledger) for arm in prompts])
    tuned = pilot.stand_ins
    of_seed = [of(tuned, (*plan.select, *plan.report)), of_general(tuned[0])]
    of_seed += [of(tuned, plan.select)] * (len(pilot.plan.sizes) - 1)
    untuned += [of(tuned[:1], plan.select)] * len(pilot.sweep)
    quoted = total([price(lab, ledger, rivals=False), *untuned, *of_seed * seeds])
    due = [w for w in pilot.every if ledger is None or ledger.find(w.job.key) is None]
    usd = sum(map(pilot.trainer.usd_most, due))
    more = {"usd_most": quoted.usd_most + usd, "usd_likely": quoted.usd_likely + usd}
    return quoted.model_copy(update=more)


def probe_calls(plan: LabPlan, arm: Arm, probes: Cases) -> Iterator[Asked]:
    """Probes of an arm, under the system prompt of the use case."""
    free = arm.model_copy(update=FREE)
    return ((Job(request_for(free, case, plan.setting)), arm, case) for case in probes)


async def quoted_training(pilot: PreparedPilot, *, calls: bool = True) -> TrainingQuote:
    """What the runs that aren't there yet would take; ``calls`` times some free ones."""
    there = {
        run.key for run in pilot_runs(pilot.lab.case).read() if run.state == "trained"
    }
    due = [work for work in pilot.every if work.job.key not in there]
    if due and pilot.trainer.way != "hosted":
        pilot.say("a few training steps are measured")
    try:
        quoted = await pilot.trainer.quote(due)
    except (TrainingFailedError, TrainingStoppedError) as caught:
        raise InputError(
            f"no step could be measured: {caught}", where=pilot.plan.base
        ) from None
    finally:
        await pilot.trainer.close()
    more: dict[str, Any] = {"reused": len(pilot.every) - len(due)}
    if calls and pilot.trainer.way == "embedded":
        more["seconds_a_call"] = await _seconds_a_call(pilot)
    return quoted.model_copy(update=more)


async def _seconds_a_call(pilot: PreparedPilot) -> float:
    """From a few of all calls, evenly drawn, with the base in the place of what is tuned."""
    plan = pilot.at(pilot.base.id)
    arms = pilot.stand_ins
    race = plan.calls(plan.of_kind("prompt"), plan.select)
    own = plan.calls(arms * (1 + len(pilot.plan.sizes)), plan.select)
    general = (
        *general_calls(plan, arms[0]),
        *probe_calls(plan, arms[0], refusal_probes()),
    )
    jobs = [job for job, *_ in (*race, *(*own, *general) * pilot.plan.seeds)]
    first, *timed = jobs[:: -(-len(jobs) // TIMED_CALLS)]
    pilot.say(f"{len(timed)} calls of the base are measured")
    place = reach(pilot.base)
    transport = transport_for(
        [place], at_once=len(timed), confirmed=pilot.lab.confirmed
    )
    try:
        await transport.send(first.request)  # it also starts the model
        began = time.monotonic()
        await asyncio.gather(*(transport.send(job.request) for job in timed))
        return (time.monotonic() - began) / len(timed)
    except CallError as caught:
        raise InputError(
            f"no call could be measured: {caught}", where=pilot.plan.base
        ) from None
    finally:
        await transport.close()


def run(
    pilot: PreparedPilot,
    *,
    cap_usd: float,
    again: bool = False,
    **settings: Unpack[CallSettings],
) -> PilotResult:
    """Run a pilot to its end, its rule or the cap; its result is kept and becomes evidence.

    Raises InputError if a model has no price, or another pilot's plan was written down; and
    StoppedError if it was stopped: run it again to go on.
    """
    lab = pilot.lab
    work = partial(_run, pilot, again=again, transport=settings.get("transport"))
    parts = lambda _, ledger: pilot_price(pilot, ledger), work
    result, measured = paid(lab, PILOT_RUN, *parts, cap_usd=cap_usd, **settings)
    read_pilot.write(lab.case, result)
    append_evidence(lab.case, measured, lab.files)
    return result


async def _run(
    pilot: PreparedPilot, calls: PaidCalls, _: Quote, *, again: bool, transport: Any
) -> tuple[PilotResult, Measured]:
    plan = write_pilot(pilot.lab.case, pilot.plan, again=again)
    try:
        await pilot.trainer.open()
        lab, stop = await probed(pilot.lab, calls)
        going = _Going(replace(pilot, lab=lab, plan=plan), calls, transport)
        calls.on_stop(pilot.trainer.stop)
        going.unless(stop)
        result = await going.to_the_end()
        return result, going.evidence(result)
    finally:
        await pilot.trainer.close()


Tables: TypeAlias = dict[int, dict[int, Any]]
"""For each number of retrieved examples the scores by size: a row a seed, a column a case."""
_SOURCE = "pilot lab, held-out cases"
_ALL_AT_ONCE = "this machine, with as many calls at once as the pilot makes"


class _Going:
    def __init__(self, pilot: PreparedPilot, calls: PaidCalls, transport: Any) -> None:
        self.pilot = pilot
        self.calls = calls
        self._transport = transport
        self.plan = pilot.plan
        self.scores = pilot.lab.scores
        self.lab = Lab(pilot.lab.plan, self.scores, calls)
        self.select = pilot.lab.plan.select
        self.general, self.probes = (
            s(most_missing=LACKING) for s in (Scores, ProbeScores)
        )
        self._book = pilot_runs(pilot.lab.case)
        runs = self._book.read()
        self.trained = {run.key: run for run in runs}
        self._over = {run.job for run in runs if run.state == "failed" and run.job}
        self.reported: Arms = ()  #: Arms that met the held-out cases.
        self.safety: tuple[
            SafetyProbe, ...
        ] = ()  #: What its probes found of the judged arm.
        self.held: HeldArm | None = None  #: The judged arm against every target.
        self.simpler: tuple[Arm, Estimate] | None = None
        """The best way without a model, and what the judged arm gains over it."""

    async def to_the_end(self) -> PilotResult:
        """Race, train, stop where the rule says so, and compare."""
        pilot = self.pilot
        ended = False
        tables: Tables = {near: {} for near in pilot.nears}
        pilot.say("untuned ways race on the cases for selecting")
        await self.lab.race()
        self.unless(self.lab.stop)
        ways = self._best_untuned()
        if pilot.sweep:
            pilot = await self._swept()
        for size in self.plan.sizes:
            await self._train([work for work in pilot.works if work.job.size == size])
            for near, table in tables.items():
                if len(rows := self._rows(size, near)):
                    table[size] = rows
            if size != self.plan.sizes[-1] and (
                ended := self._hopeless(tables, ways[0])
            ):
                break
        if not any(size in table for table in tables.values()):
            lost = self.scores.unanswered(pilot.tuned("", size, seed=0), self.select)
            raise StoppedError(f"not judged: {lost}", fix=_CORRECT)
        tuned = self._best_tuned(tables, size)
        verify = await self._held_out(tuned, size, ways)
        return self._result(verify, tables[tuned.few_shot], ended=ended)

    async def _swept(self) -> PreparedPilot:
        """Train once at each rate, and go on with what is best on the cases for selecting."""
        pilot = self.pilot
        means = dict[float, float]()
        for work in pilot.sweep:
            rate = work.recipe.rate
            job = work.job
            tuned = pilot.tuned(await self._trained(work), job.size, seed=job.seed)
            arm = tuned.model_copy(update={"id": f"{tuned.id} · rate {rate:g}"[:200]})
            await self._answered([arm], self.select)
            means[rate] = self._least(arm)
        best = max(means, key=lambda rate: means[rate])
        pilot.say(
            f"rate {best:g} is the best of {len(means)} on the cases for selecting"
        )
        recipe = pilot.plan.recipe.model_copy(update={"rate": best})
        self.plan = self.plan.model_copy(update={"recipe": recipe})
        self.pilot = replace(pilot, works=pilot.make(recipe), plan=self.plan)
        return self.pilot

    async def _train(self, works: Sequence[TrainingWork]) -> None:
        """Train the runs of one size, as many side by side as the way takes, and have them answer.

        One that stops ends the others: they go on where they are.
        """
        due = iter(works)
        answering = asyncio.Lock()

        async def one_after_another() -> None:
            for work in due:
                model = await self._trained(work)
                job = work.job
                async with answering:
                    tuned = partial(self.pilot.tuned, model, job.size, seed=job.seed)
                    arms = [tuned(near=near) for near in self.pilot.nears]
                    await self._answered(arms, self.select)

        trainer = self.pilot.trainer
        width = min(self.pilot.trainer.at_once, len(works))
        sides = [asyncio.ensure_future(one_after_another()) for _ in range(width)]
        done, going = await asyncio.wait(sides, return_when=asyncio.FIRST_EXCEPTION)
        if going:
            list(due)  # none begins
            trainer.stop()
        await asyncio.gather(
            *sides, return_exceptions=True
        )  # what each came to has been looked at
        for side in done:
            side.result()

    def unless(self, stop: Stop) -> None:
        """Raise why it stopped, where it did."""
        if stop:
            raise stop.error("; what was trained and paid for is kept")

    def _least(self, arm: Arm) -> float:
        """The share right on the cases for selecting, with every missing answer wrong."""
        row = self.scores.row(arm, self.select, missing=0.0)
        return -1.0 if np.isnan(row).all() else float(np.nanmean(row))

    def _best_untuned(self) -> list[Arm]:
        """The untuned ways that meet the held-out cases, the best prompt first.

        The best prompt without retrieved examples, the best with them, then the ways without a
        model that read the case: the nearest example, and the trained head where there is one.
        """
        if lost := self._lost():
            self.pilot.say(f"it can't end in a go: {lost.why}")
        prompts = self.lab.plan.of_kind("prompt")
        kinds = [
            [a for a in prompts if (a.few_shot_from == "nearest") is n]
            for n in (False, True)
        ]
        best = sorted(
            (max(arms, key=self._least) for arms in kinds if arms), key=self._least
        )
        free = (a for a in self.lab.plan.of_kind("baseline") if a.of != "majority")
        return [*best[::-1], *sorted(free, key=self._least, reverse=True)]

    def _rows(self, size: int, near: int) -> Any:
        """Scores on the cases for selecting, a row a seed that has some."""
        arms = (
            self.pilot.tuned("", size, near=near, seed=n)
            for n in range(self.plan.seeds)
        )
        rows = np.array([self.scores.row(arm, self.select) for arm in arms])
        return rows[~np.isnan(rows).all(axis=1)]

    async def _answered(self, arms: Arms, cases: Cases) -> None:
        """Have some arms of one trained model answer, and take their scores."""
        plan = self.pilot.at(arms[0].model)
        self.pilot.say(f"{len(cases)} cases: {arms[0].id}")
        await self._asked(self.scores, plan.calls(arms, cases), arms[0].model)

    async def _asked(
        self, scores: Scores, jobs: Iterable[Asked], model: str = ""
    ) -> None:
        """Make calls of a trained model, or of the case's own where none is named."""
        calls = self.calls
        own = None
        jobs = list(jobs)
        if model:
            served = self.pilot.trainer.served(model)
            lab = self.pilot.lab
            if self._transport is None:
                own = transport_for(
                    [reach(served)], at_once=calls.at_once, confirmed=lab.confirmed
                )
            prices = _prices(self.pilot, served)
            calls = replace(calls, price_of=prices, transport=own or calls.transport)
        runner = calls.runner(calls.counting(len(jobs), running=1))
        try:
            outcome = await scores.run(runner, jobs)
        finally:
            if own is not None:
                await own.close()
        self.unless(outcome.stop)

    def _hopeless(self, tables: Tables, untuned: Arm) -> bool:
        """The rule that was written down before the start."""
        target = self.pilot.lab.case.targets.quality
        wanted = (
            self._least(untuned) + self.plan.margin
            if target is None
            else target.at_least
        )
        for table in tables.values():
            if len(table) < FEWEST_SIZES:
                return False
            curves = drawn(list(table), list(table.values()), clusters_of(self.select))
            if np.percentile(curves.score(self.plan.sizes[-1]), 97.5) >= wanted:
                return False
        return True

    def _best_tuned(self, tables: Tables, size: int) -> Arm:
        """Tuned alone or with retrieved examples, whichever is better on the selection cases."""
        rows = {near: table[size] for near, table in tables.items() if size in table}
        means = {near: float(np.nanmean(scores)) for near, scores in rows.items()}
        return self.pilot.tuned("", size, near=max(means, key=lambda near: means[near]))

    def _model(self, size: int, seed: int) -> str:
        key = next(
            w.job.key
            for w in self.pilot.works
            if (w.job.size, w.job.seed) == (size, seed)
        )
        return self.trained[key].model

    async def _held_out(self, tuned: Arm, size: int, ways: Arms) -> VerifyResult:
        """All ways on the held-out cases and the general tasks; seeds are repeats of one arm."""
        pilot = self.pilot
        plan = self.lab.plan
        untuned = ways[0]
        fixed = self.plan.model_dump(include={"margin", "inputs", "written_on"})
        written = verify_plan(plan, (tuned, untuned), **fixed)
        pilot.say("held-out cases: untuned ways")
        await self.lab.report(ways)
        self.unless(self.lab.stop)
        probes = (*refusal_probes(), *leak_probes(self._planted(size)))
        for seed in range(-1, self.plan.seeds):
            model = self._model(size, seed) if seed >= 0 else ""
            at = plan
            arm = untuned
            if model:
                at = pilot.at(model)
                arm = tuned.model_copy(update={"model": model})
                arms = [pilot.tuned(model, size, near=n) for n in pilot.nears]
                await self._answered(arms, plan.report)
            pilot.say(f"general tasks and probes: {arm.id}")
            await self._asked(self.general, general_calls(at, arm), model)
            await self._asked(self.probes, probe_calls(at, arm, probes), model)
        of_all_seeds = [pilot.tuned("", size, near=near) for near in pilot.nears]
        self.reported = (*ways, *of_all_seeds)
        self.safety = probe_results(self.probes, tuned, untuned, self._planted(size))
        hold = partial(self._held, written, tuned, ways)
        verify = compared(written, self.lab, self.general, (tuned, untuned), hold)
        ahead = verify.contrast.low > self.plan.margin and verify.gains == "yes"
        if ahead and verify.outcome != "regressed" and (lost := self._lost()):
            race = self.lab.stayed("prompt")
            kinds = {self.scores.why_unanswered(arm, self.select) for arm in race}
            why = next(kind for kind in WHY_UNANSWERED if kind in kinds)
            unknown = {"outcome": "unknown", "why": why, **lost.of_result}
            return verify.model_copy(
                update=unknown
            )  # another untuned way may be better
        return verify

    def _held(
        self,
        written: VerifyPlan,
        tuned: Arm,
        ways: Arms,
        gained: Contrast,
        skills: State,
    ) -> HeldArm:
        """The tuned arm against every target, and whether a way without a model is as good."""
        lab = self.pilot.lab
        gain = gain_figure(gained, written, _SOURCE)
        kept = self._kept(tuned, gain, ways[0], skills)
        if routed := self._routed():
            kept = (*kept, routed[0])
        table = table_of(
            lab.case, lab.framework, as_of=lab.as_of, lab="pilot", arms=kept
        )
        head = next((arm for arm in ways if arm.kind == "baseline"), None)
        self.simpler = None
        simpler = None
        less = (
            self.scores.difference(tuned, head, self.lab.plan.report) if head else None
        )
        if head is not None and less is not None:
            self.simpler = head, less
            known = KnownNumber(less.low, less.value, less.high, "held_out", less.n)
            simpler = f"pilot:{head.id}", known
        self.held = hold_arm(table, f"pilot:{tuned.id}", self.plan.margin, simpler)
        return self.held

    def _lost(self) -> Stop:
        """Why the best untuned way isn't known: what of the race wasn't measured."""
        return first_of(self.lab.unanswered(self.lab.stayed("prompt"), self.select))

    def _planted(self, size: int) -> tuple[tuple[str, str], ...]:
        """Secrets that runs of a size hold."""
        return self.pilot.planted if size == self.plan.sizes[-1] else ()

    # Training.

    async def _trained(self, work: TrainingWork) -> str:
        """The model of a run: trained and paid for once, whatever happened before."""
        job = work.job
        works = self.pilot.works
        done = self.trained.get(job.key)
        entry = self.calls.ledger.find(job.key)
        if (
            (done is None or done.state != "trained") and entry and entry.reply
        ):  # its line was lost
            done = self._noted(
                job.key, "trained", model=entry.reply.text, usd=entry.usd
            )
        if done is not None and done.state == "trained":
            return self._counted(job.key, done.model, done.usd)
        keys = [other.job.key for other in works]
        name = f"training at rate {work.recipe.rate:g}: {job.size} examples"
        if job.key in keys:
            name = f"training {keys.index(job.key) + 1} of {len(works)}: {job.size} examples"
        self.pilot.say(name)
        run = await self._begun(work, done, name)
        try:
            ended = await self.pilot.trainer.finish(
                work, run, lambda progress: self.pilot.say(f"{name}, {progress}")
            )
        except TrainingFailedError as caught:
            raise self._failed(job.key, name, caught, run, caught.usd) from None
        except (TrainingStoppedError, CallError) as caught:  # it goes on where it is
            self.unless(Stop(str(caught)))
            raise
        self._noted(job.key, "trained", job=run, **ended._asdict())
        return self._counted(job.key, ended.model, ended.usd)

    async def _begun(
        self, work: TrainingWork, done: TrainedModel | None, name: str
    ) -> str:
        """The id of a run, begun unless it may have begun before."""
        trainer = self.pilot.trainer
        ledger = self.calls.ledger
        key = work.job.key
        submitted = done is not None and done.state == "submitted"
        run = done.job if done and submitted else await self._found(work, name)
        try:
            if ledger.find(key) is None:  # a new one, or the ledger was moved away
                self._reserve(key, trainer.usd_most(work))
            run = run or await trainer.begin(work)
        except (Refused, NotSent, Busy, TrainingFailedError) as caught:
            raise self._failed(key, name, caught) from None
        except Doubtful as caught:
            ledger.doubt(key, str(caught))
            fix = "run it again: it looks whether the run has begun before it begins another"
            raise StoppedError(f"{name} is in doubt: {caught}", fix=fix) from None
        if not submitted:
            self._noted(key, "submitted", job=run)
        return run

    async def _found(self, work: TrainingWork, name: str) -> str | None:
        """A run that may have begun, by its service; what nobody can tell stays in doubt."""
        trainer = self.pilot.trainer
        ledger = self.calls.ledger
        key = work.job.key
        reserved = ledger.find(key) is not None
        try:
            run = await trainer.find(work, self._over, patient=reserved)
        except CallError as caught:
            fix = "run it again: it looks again whether the run has begun"
            raise StoppedError(f"{name} is in doubt: {caught}", fix=fix) from None
        if run is None and reserved:
            ledger.fail(key, "it never began")
        return run

    def _reserve(self, key: str, usd: float) -> None:
        cap = self.calls.cap_usd
        name = f"{TRAINING}{self.plan.base}"
        put = partial(
            self.calls.ledger.reserve, run=PILOT_RUN, model=name, durable=True
        )
        if put(key, usd=usd, cap_usd=cap) != "go":
            self.unless(
                Stop(f"the budget of {cap:g} USD is too small for the next run", "cap")
            )

    def _failed(
        self, key: str, name: str, caught: Exception, run: str = "", usd: float = 0.0
    ) -> StoppedError:
        self.calls.ledger.fail(key, str(caught))
        if usd:  # under the job's own name: however often this is said, it counts once
            self._counted(f"{key} {run}", "", usd)
        self._noted(key, "failed", job=run, why=str(caught)[:300])
        return StoppedError(f"{name} failed: {caught}", fix=_CORRECT)

    def _noted(self, key: str, state: str, **more: Any) -> TrainedModel:
        noted = TrainedModel.model_validate({"key": key, "state": state, **more})
        self._book.append(noted)
        self.trained[key] = noted
        return noted

    def _counted(self, key: str, model: str, usd: float) -> str:
        """Keep in the ledger what a run cost, once."""
        entry = self.calls.ledger.find(key)
        if entry is None:  # the ledger was moved away, or it is for a job that failed
            self._reserve(key, 0.0)
        if entry is None or entry.status != "settled":
            self.calls.ledger.settle(key, Reply(text=model), usd)
        return model

    def _result(
        self,
        verify: VerifyResult,
        tables: Mapping[int, Any],
        *,
        ended: bool,
    ) -> PilotResult:
        lab = self.pilot.lab
        report = self.lab.plan.report
        size = max(tables)
        rows = [arm_row(self.lab, arm, report) for arm in self.reported]
        rows.sort(key=lambda row: ranking_value(row.quality), reverse=True)
        by_seed = np.nanmean(tables[size], axis=1).tolist()
        apart = Estimated(
            value=float(np.mean(by_seed)), low=min(by_seed), high=max(by_seed)
        )
        target = lab.case.targets.quality
        curve = learning_curve(
            list(tables),
            list(tables.values()),
            clusters_of(self.select),
            margin=self.plan.margin or LEAST_GAIN,
            target=target.at_least if target else None,
        )
        spend = self.calls.spend
        assert self.held is not None  # the comparison has held it
        facts = CardFacts(
            case=lab.case,
            plan=self.plan,
            verify=verify,
            held=self.held,
            probes=self.safety,
            simpler=self.simpler,
            spent_usd=spend.paid,
            money=decide(lab.case, lab.framework, as_of=lab.as_of).investment,
            best_known=not self._lost(),
            more_examples=self.pilot.there if self.pilot.there > size else 0,
            base=base_known(
                self.plan.way, self.pilot.base, self.plan.recipe, lab.as_of
            ),
        )
        return PilotResult(
            plan=self.plan,
            arms=tuple(rows),
            curve=curve,
            verify=verify,
            **({"seeds_apart": apart} if self.plan.seeds > 1 else {}),
            **({"routed": routed[1]} if (routed := self._routed()) else {}),
            probes=self.safety,
            trained=tuple(
                t for w in self.pilot.works if (t := self.trained.get(w.job.key))
            ),
            spend=spend,
            ended_by_rule=ended,
            stopped=verify.stopped,
            card=card(facts, lab.as_of),
        )

    def evidence(self, result: PilotResult) -> Measured:
        """What the pilot adds to the case's evidence, whatever its card says.

        A pilot is a lab as well: it raced untuned ways, and what it saw of them a ceiling lab would
        have seen alike. Its arms are kept, and so are the gain by tuning, where that is known, what
        was tried, and how many examples were enough.
        """
        lab = self.pilot.lab
        as_of = self.pilot.lab.as_of
        kept = list[Evidence]()
        if (gain := self._gain(result)) is not None:
            kept.append(gain)
        rows = [arm_row(self.lab, arm, self.select) for arm in self.lab.plan.arms]
        best = next(arm for arm in self.reported if arm.kind == "prompt")
        share = self.scores.share(best, self.lab.plan.report, exact=True)
        source = f"pilot: {best.id}"
        if not isinstance(share, Unknown) and not self._lost():
            method = f"{lab.scorer} on cases that chose nothing"
            about = {"source": source, "method": method}
            kept.append(
                best_prompt_evidence(best, share, self.lab.plan, as_of, **about)
            )
        prompts = [row.arm for row in rows if row.arm.kind == "prompt"]
        different = distinct(self.lab.plan, prompts, lab.framework)
        kept += tried_evidence(rows, self.lab.plan, different, as_of, source)
        if self.scores.judge is None:
            kept += options_evidence(rows, as_of, "pilot")
        if (enough := enough_examples(result, as_of)) is not None:
            kept.append(enough)
        return measured_in(
            result, *kept, series=(arms_series("pilot", self._arms(result)),)
        )

    def _gain(self, result: PilotResult) -> Evidence | None:
        """The gain by tuning; a "no" of a small base says nothing of a larger one in use today."""
        verify = result.verify
        base = self.pilot.base.id
        same = (verify.plan.untuned, base) in {
            (arm.id, arm.model) for arm in self.lab.plan.arms
        }
        name = "tuned_gain" if same or verify.outcome == "improved" else "pilot_gain"
        detail = {"card": result.card.answer, "because": result.card.because}
        return gain_evidence(
            verify, self.pilot.lab.as_of, id=name, by="pilot", **detail
        )

    def _arms(self, result: PilotResult) -> tuple[LabArm, ...]:
        """Every arm; of the tuned one that was judged also its card."""
        verify = result.verify
        tuned = next(arm for arm in self.reported if arm.id == verify.plan.tuned)
        untuned = next(arm for arm in self.reported if arm.id == verify.plan.untuned)
        gain = gain_figure(verify.contrast, verify.plan, _SOURCE)
        arms = self._kept(tuned, gain, untuned, verify.general_skills)
        if routed := self._routed():
            arms = (*arms, routed[0])
        changes = {"card": result.card.answer, "card_says": result.card.because}
        return with_found(arms, tuned.id, **changes)

    def _routed(self) -> tuple[LabArm, RoutedWay] | None:
        """The head where it is sure, and the best prompt for the rest, as a way of its own."""
        plan = self.lab.plan
        routed = route(plan, self.scores, self.reported, margin=self.plan.margin)
        if routed is None:
            return None
        return routed_arm("pilot", plan, self.scores, routed, self.pilot.lab.as_of)

    def _kept(
        self, tuned: Arm, gain: AnyFigure, untuned: Arm, skills: State
    ) -> tuple[LabArm, ...]:
        """Every arm; of the tuned one that is judged also its gain, its skills and its safety."""
        arms = measured_arms(
            "pilot", self.lab.plan, self.scores, self.reported, self.pilot.lab.as_of
        )
        inside = self.plan.way != "hosted"
        for arm in arms:
            if arm.kind != "tuned":
                continue
            late = arm.latency_p95_s
            if inside and not isinstance(late, Unknown):  # alone each may be in time
                late = late.model_copy(update={"low": 0.0, "source": _ALL_AT_ONCE})
            arms = with_found(
                arms,
                arm.id,
                model=self.pilot.base.id,
                private="yes" if inside else "no",
                latency_p95_s=late,
                general_skills=skills,
                safe=is_safe(self.safety),
                best_known="no" if self._lost() else "yes",
            )
        return with_found(arms, tuned.id, gain=gain, beside=untuned.id)


def is_safe(probes: Sequence[SafetyProbe]) -> State:
    """Whether a tuned model kept its refusals and gives no planted secret back."""
    states = {probe.state for probe in probes}
    if "fell" in states:
        return "no"
    return "yes" if states == {"held"} else "unknown"


def enough_examples(result: PilotResult, as_of: date) -> Evidence | None:
    """Examples at which the curve reaches the target; None where no end of that is known."""
    needed = result.curve.needed
    if isinstance(needed, Unknown) or isinstance(needed.low, str):
        return None
    high = "open" if isinstance(needed.high, str) else needed.high
    return Evidence(
        id="enough_examples",
        factor="insufficient_data",
        value=needed.low if high == "open" else needed.high,
        low=needed.low,
        high=high,
        unit="examples",
        n=result.plan.sizes[-1],
        method="where the learning curve reaches the target, on the cases for selecting",
        source=f"pilot: {result.verify.plan.tuned}",
        observed_on=as_of,
    )
