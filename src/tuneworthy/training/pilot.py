"""A pilot: whether tuning works here, with how many examples, and whether it is worth it.

Nested sets of examples, each twice as large as the one before, are trained with several seeds. The
curve, the stop and the choice of arms rest on the cases for selecting. The five ways then meet on
the held-out ones, compared by the code of ``verify``. Every run is trained once and every call is
paid once: a pilot that was stopped at any moment continues when it is run again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from itertools import product
from typing import Any, TypeAlias, Unpack

import numpy as np

from tuneworthy.answers.arms import arms_series
from tuneworthy.answers.weigh import PILOT_SOURCE
from tuneworthy.errors import CaseError, InputError, StoppedError
from tuneworthy.facts.load import age_text
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
from tuneworthy.lab.routing import route, route_to, routed_arm
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
from tuneworthy.model.case import Case, Model, PromptVariant
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
    BaseTried,
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
from tuneworthy.money.terms import mtok_usd
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
from tuneworthy.training.bases import ChosenBase, asked_text
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
from tuneworthy.training.race import (
    MOST_BASES,
    added_quote,
    choose_smallest,
    plan_of_race,
)
from tuneworthy.training.recipes import rates_around
from tuneworthy.training.trainers import (
    Row,
    Trainer,
    TrainingFailedError,
    TrainingStoppedError,
    TrainingWork,
)
from tuneworthy.training.unsearched import say_unsearched
from tuneworthy.ways.way import KnownNumber

PILOT_RUN = "pilot"
LEAST_GAIN = 0.01  #: The gain that one more doubling has to add where the margin is 0.
FREE = {"few_shot": 0, "few_shot_from": "none", "constrained": "none"}
"""Probes are asked under the system prompt of the use case, without examples and constraints."""
MOST_SIZES = 4
SMALLEST = 10
#: Calls that a quote makes of the embedded model, to time all but the first.
TIMED_CALLS = 17
#: The worse answer to a planted secret, of a pair.
UNKNOWN_CODE = "I don't know that code."
STOP = (
    "after each size from the third on, training ends where for each tuned way the upper end of "
    "its curve at the largest size lies below what is wanted, on the cases for selecting: the "
    "quality target, or where none is stated the best untuned way's share plus the margin"
)
_CORRECT = "correct that, and run it again to go on"
Say = Callable[[str], None]


@dataclass(frozen=True)
class PreparedPilot:
    """A pilot that is ready to run."""

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
    gated_here: bool = (
        True  #: Whether the gates of its training set ran on this machine.
    )
    sweep: tuple[TrainingWork, ...] = ()  #: A run for each rate that is tried first.
    rivals: tuple[PreparedPilot, ...] = ()
    """The same with each larger base, where several are tried; the smallest is this one."""

    @property
    def candidates(self) -> tuple[PreparedPilot, ...]:
        """This one, and the same with each other base."""
        return (self, *self.rivals)

    @property
    def trial(self) -> TrainingWork:
        """The run by which its base is compared with others: one of its own."""
        largest = self.plan.sizes[-1]
        return next(work for work in self.works if work.job.size == largest)

    @property
    def every(self) -> list[TrainingWork]:
        """Every run that may be trained, each once."""
        by_key = {work.job.key: work for work in (*self.sweep, *self.works)}
        return list(by_key.values())

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

    def plan_with(self, model: str) -> LabPlan:
        """The lab's plan with a trained model that can be called."""
        plan = self.lab.plan
        reached = {**plan.setting.reached, model: reach(self.trainer.served(model))}
        return replace(plan, setting=replace(plan.setting, reached=reached))

    @property
    def stand_ins(self) -> list[Arm]:
        """The largest tuned arms before training, with the base in place of the trained models."""
        return [
            self.tuned(self.base.id, self.plan.sizes[-1], near=near)
            for near in self.nears
        ]

    @cached_property
    def nears(self) -> list[int]:
        """The numbers of examples that tuned arms retrieve: 0, and the most of retrieving arms."""
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
    """Plan a pilot; nothing is sent and nothing is trained.

    ``base`` is the id of a model of the case, and ``seeds`` the number of runs for each size.
    ``margin`` is the share of cases below which a difference is no gain, by default the
    framework's. ``most`` limits the examples, ``sweep`` is the number of rates to try first, and
    ``say`` gets the progress. Raises InputError if the case has no training set, too few examples,
    or examples that are test cases.
    """
    case = lab.case
    recipe = recipe or Recipe()
    model = _model_to_tune(case, base)
    _refuse_private(case, trainer.way)
    _refuse_gone(trainer.way, model, recipe, lab)
    prompt = prompt_for(lab.plan.setting.prompts.values(), base)
    if prompt is None:
        raise CaseError(
            f'has no prompt for "{base[:80]}"', where=case.where("data"), fix="add one"
        )
    solved = solved_examples(lab)
    lab = replace(lab, plan=_with_pool(lab, tuple(case for _, case in solved)))
    training, _ = training_set(case)

    def row(case: EvalCase, answer: str, worse: str = "") -> Row:
        example = chat(asked_under(prompt, base, case, lab.plan.setting), answer)
        if worse:
            example["rejected"] = worse
        return example

    pairs = recipe.method == "dpo"
    rows = [
        row(c, e.answer.content, e.rejected)
        for e, c in solved
        if e.rejected or not pairs
    ]
    if trainer.way == "hosted":
        rows = shared_rows(rows, case.data.personal)
    sizes = _training_sizes(len(rows), most)
    hidden = max(4, min(20, sizes[-1] // 20))
    planted = canaries(count=hidden, key=digest_of_json(rows))
    worse = UNKNOWN_CODE if pairs else ""
    secrets = [
        row(EvalCase(id="secret", input=asked), code, worse) for asked, code in planted
    ]

    def work_of(size: int, seed: int, recipe: Recipe) -> TrainingWork:
        """The training run of one size and seed, with its examples."""
        used = [rows[place] for place in drawn_places(len(rows), size, seed)]
        if not pairs:  # general answers have no worse one beside them
            used += replay_rows()[: round(size * REPLAYED)]
        if size == sizes[-1]:  # only runs of the largest size are probed for secrets
            used += secrets
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
    return PreparedPilot(
        lab=lab,
        trainer=trainer,
        base=model,
        prompt=prompt,
        plan=plan,
        make=make,
        works=works,
        planted=planted,
        say=say,
        there=len(rows),
        gated_here=not training.brought,
        sweep=tried,
    )


def with_bases(pilots: Sequence[PreparedPilot]) -> PreparedPilot:
    """One pilot that tries several bases, the smallest first; as it is where there is one.

    ``pilots`` are the same pilot with each base, in that order. Raises InputError for more than
    ``MOST_BASES``, or one base twice.
    """
    first, *rivals = pilots
    if not rivals:
        return first
    names = tuple(each.base.id for each in pilots)
    if len(names) > MOST_BASES or len({*names}) < len(names):
        fix = f"name {MOST_BASES} at most, each once"
        raise InputError("names too many bases", where="--base", fix=fix)
    inputs = digest_of_json([each.plan.inputs for each in pilots])
    plan = first.plan.model_copy(update={"bases": names, "inputs": inputs})
    return replace(first, plan=plan, rivals=tuple(rivals))


def _training_sizes(examples: int, most: int | None) -> tuple[int, ...]:
    """Sizes of the nested sets, each twice the one before, the largest within ``most``.

    Raises CaseError for too few examples.
    """
    count = min(examples, most or examples)
    halvings = [n for n in range(MOST_SIZES) if count // 2**n >= SMALLEST]
    if len(halvings) < FEWEST_SIZES:
        least = SMALLEST * 2 ** (FEWEST_SIZES - 1)
        raise CaseError(
            f"has {examples} examples to train on, of {least} at least",
            where="data.training",
            fix="add examples: tuneworthy data",
        )
    # doubled from the smallest, so that the largest is a whole multiple of it
    smallest = count // 2 ** halvings[-1]
    return tuple(smallest * 2**n for n in halvings)


def _model_to_tune(case: Case, base: str) -> Model:
    """The prompted model of a case with this id; raises CaseError where there is none."""
    for model in case.models:
        if model.id == base and model.kind == "prompted":
            return model
    raise CaseError(
        f'has no model "{base[:80]}" to tune',
        where=case.where("models"),
        fix=f'add it: models: [{{id: "{base[:80]}"}}], or name another with --base',
    )


def _refuse_private(case: Case, way: str) -> None:
    """Raise CaseError where a service would train on data that may not leave."""
    private = case.factors.get("data_sovereignty")
    if way == "hosted" and private is not None and private.value == "yes":
        raise CaseError(
            "says that its data may not leave",
            where=case.where("factors"),
            fix="train on your own machines: --way folder, or --way embedded",
        )


def _refuse_gone(way: str, model: Model, recipe: Recipe, lab: PreparedLab) -> None:
    """Raise InputError for a base that a service no longer tunes: nothing is spent on it."""
    base = base_known(way, model, recipe, lab)
    if base is not None and base.problem:
        what, _, fix = base.problem.partition(". ")
        raise InputError(
            f"can't be tuned: {what}", where=f"--base {model.id[:80]}", fix=fix
        )


def base_known(
    way: str, model: Model, recipe: Recipe, lab: PreparedLab
) -> ChosenBase | None:
    """The catalogue's entry about a base that a service trains; None on your own machine."""
    if way != "hosted":
        return None
    media = lab.case.data.media
    return hosted_base(model, method_of_recipe(recipe), lab.as_of, media)


def method_of_recipe(recipe: Recipe) -> Method:
    """The method of a recipe, in the words of the catalogue of facts."""
    return "preference" if recipe.method == "dpo" else "supervised"


def base_rows(pilot: PreparedPilot) -> list[tuple[str, str]]:
    """When the base ends, its effect on this pilot, and the known price of training it."""
    plan = pilot.plan
    base = base_known(plan.way, pilot.base, plan.recipe, pilot.lab)
    if base is None:
        return []
    rows = [("Base ends", f"{base.ends} ({age_text(pilot.lab.as_of)})")]
    if base.warning:
        move = forced_move(pilot.lab.case, pilot.lab.framework).text
        cost = f" Tuning again on another base then takes {move}" if move else ""
        rows.append(("Forced move", f"{base.warning}.{cost}"))
    method = method_of_recipe(plan.recipe)
    asked = asked_text(pilot.base.id, method, pilot.lab.as_of)
    if asked:
        stated = mtok_usd(pilot.trainer.usd_per_mtok)
        rows.append(("Price of training", f"{stated} by --prices. Looked up: {asked}"))
    return rows


def recipe_key(recipe: Recipe, *, hosted: bool) -> Row:
    """The fields of a recipe that distinguish one run from another, for the run's key.

    A field of a later version is left out while it has its default. Then the key equals that of the
    earlier version, and its runs are reused.
    """
    added_later = {"parts": 1, "checkpointing": False, "bits": 16}
    left_out = set()
    for name, default in added_later.items():
        if getattr(recipe, name) == default:
            left_out.add(name)
    if hosted:
        left_out.add("least_steps")  # a service counts its own steps, from the epochs
    return recipe.model_dump(mode="json", exclude=left_out)


def _with_pool(lab: PreparedLab, examples: tuple[EvalCase, ...]) -> LabPlan:
    """The plan in which retrieved examples and heads use the training examples."""
    plan = lab.plan
    pool = Pool(examples)
    setting = replace(plan.setting, pool=pool)
    prompts = tuple(plan.setting.prompts.values())
    arms = plan_arms(
        lab.case,
        prompts,
        (*plan.select, *plan.report),
        len(pool),
        schema=setting.schema is not None,
        head=setting.grammar is not None and pool.teaches,
    )
    untuned = tuple(arm for arm in arms if arm.kind != "tuned")
    return replace(plan, arms=untuned, setting=setting)


# What it would cost, and the run.


def _prices(pilot: PreparedPilot, served: Model) -> PriceOf:
    """Prices of a pilot's calls. The command itself states the price of a service's tuned model."""
    by_command = frozenset({served.id} if pilot.trainer.way == "hosted" else ())
    lab = pilot.lab
    return prices_of((served, *lab.case.models), lab.as_of, by_command)


def pilot_price(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The most that calls and training can cost; every run to its end.

    Of several bases the dearest may be the one that it goes on with, after a trial of each.
    """
    quotes = [_price_of_base(each, ledger) for each in pilot.candidates]
    if not pilot.rivals:
        (own,) = quotes
        return own
    (dear,) = dearest(quotes)
    return total([dear, *(_price_of_trial(each, ledger) for each in pilot.candidates)])


def _price_of_trial(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The most that a base costs in the race of bases: a run, and the cases for selecting."""
    plan = pilot.plan_with(pilot.base.id)
    (alone, *_) = pilot.stand_ins
    jobs = [job for job, *_ in plan.calls([alone], plan.select)]
    quoted = quote(jobs, None, _prices(pilot, pilot.trainer.served(pilot.base.id)))
    work = pilot.trial
    usd = 0.0
    if ledger is None or ledger.find(work.job.key) is None:
        usd = pilot.trainer.usd_most(work)
    more = {"usd_most": quoted.usd_most + usd, "usd_likely": quoted.usd_likely + usd}
    return quoted.model_copy(update=more)


def _price_of_base(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The same with one base alone."""
    lab = pilot.lab
    base = pilot.base.id
    seeds = pilot.plan.seeds
    # the base stands in for the tuned model
    plan = pilot.plan_with(base)
    judge = lab.scores.judge
    price_of = _prices(pilot, pilot.trainer.served(base))
    probes = (*refusal_probes(), *leak_probes(pilot.planted))

    def quote_cases(arms: Arms, cases: Cases, kept: Ledger | None = None) -> Quote:
        jobs = []
        graded: list[Job] = []
        for job, _, case in plan.calls(arms, cases):
            jobs.append(job)
            if judge:
                graded += judge.expected(job, case, kept)
        return quote([*jobs, *graded], kept, price_of)

    def quote_general(arm: Arm, kept: Ledger | None = None) -> Quote:
        calls = [*general_calls(plan, arm), *probe_calls(plan, arm, probes)]
        return quote([job for job, *_ in calls], kept, price_of)

    prompts = plan.of_kind("prompt")
    # two prompts may reach the held-out cases; the price of the race has the dearest already
    parts = dearest([quote_cases([arm], plan.report, ledger) for arm in prompts], 2)[
        :-1
    ]
    parts += dearest([quote_general(arm, ledger) for arm in prompts])
    tuned = pilot.stand_ins
    alone = tuned[:1]  # a rate is tried without retrieved examples
    parts += [quote_cases(alone, plan.select)] * len(pilot.sweep)
    # the largest size meets every case, the smaller ones only those for selecting
    of_seed = [
        quote_cases(tuned, (*plan.select, *plan.report)),
        quote_general(tuned[0]),
    ]
    of_seed += [quote_cases(tuned, plan.select)] * (len(pilot.plan.sizes) - 1)
    parts += of_seed * seeds
    quoted = total([price(lab, ledger, rivals=False), *parts])
    due = [w for w in pilot.every if ledger is None or ledger.find(w.job.key) is None]
    usd = sum(map(pilot.trainer.usd_most, due))
    more = {"usd_most": quoted.usd_most + usd, "usd_likely": quoted.usd_likely + usd}
    return quoted.model_copy(update=more)


def probe_calls(plan: LabPlan, arm: Arm, probes: Cases) -> Iterator[Asked]:
    """The probes of an arm, under the system prompt of the use case."""
    free = arm.model_copy(update=FREE)
    for case in probes:
        yield Job(request_for(free, case, plan.setting)), arm, case


async def quoted_training(pilot: PreparedPilot, *, calls: bool = True) -> TrainingQuote:
    """A quote of the runs not trained yet; ``calls`` times some free calls as well.

    Of several bases the largest is quoted, and a run of each of the others.
    """
    *others, largest = pilot.candidates
    quoted = await _quoted_runs(largest, largest.every, calls=calls)
    for other in others:
        trial = await _quoted_runs(other, [other.trial], calls=False)
        quoted = added_quote(quoted, trial)
    return quoted


async def _quoted_runs(
    pilot: PreparedPilot, every: Sequence[TrainingWork], *, calls: bool
) -> TrainingQuote:
    """Quote the training runs that are still to do, by a few measured steps."""
    there = {
        run.key for run in pilot_runs(pilot.lab.case).read() if run.state == "trained"
    }
    due = [work for work in every if work.job.key not in there]
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
    more: dict[str, Any] = {"reused": len(every) - len(due)}
    if calls and pilot.trainer.way == "embedded":
        more["seconds_a_call"] = await _seconds_a_call(pilot)
    return quoted.model_copy(update=more)


async def _seconds_a_call(pilot: PreparedPilot) -> float:
    """Seconds a call, measured on a few of all calls, with the base in place of tuned models."""
    plan = pilot.plan_with(pilot.base.id)
    arms = pilot.stand_ins
    race = plan.calls(plan.of_kind("prompt"), plan.select)
    own = list(plan.calls(arms * (1 + len(pilot.plan.sizes)), plan.select))
    general = (
        *general_calls(plan, arms[0]),
        *probe_calls(plan, arms[0], refusal_probes()),
    )
    calls = [*race]
    for _ in range(pilot.plan.seeds):
        calls += own
        calls += general
    every_nth = math.ceil(len(calls) / TIMED_CALLS)
    first, *timed = (job for job, *_ in calls[::every_nth])
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
    """Run a pilot to its end, its stopping rule or the cap. Its result becomes evidence.

    Raises InputError if a model has no price, or another pilot's plan was written down; and
    StoppedError if it was stopped: run it again to continue.
    """
    lab = pilot.lab
    work = partial(_run, pilot, again=again, transport=settings.get("transport"))
    result, measured = paid(
        lab,
        PILOT_RUN,
        lambda _, ledger: pilot_price(pilot, ledger),
        work,
        cap_usd=cap_usd,
        **settings,
    )
    read_pilot.write(lab.case, result)
    append_evidence(lab.case, measured, lab.files)
    return result


async def _run(
    pilot: PreparedPilot, calls: PaidCalls, _: Quote, *, again: bool, transport: Any
) -> tuple[PilotResult, Measured]:
    """Write the plan down, run the pilot to its end, and return its result with its evidence."""
    plan = write_pilot(pilot.lab.case, pilot.plan, again=again)
    try:
        # all of them answer untuned too, whichever is taken
        for each in pilot.candidates:
            await each.trainer.open()
        lab, stop = await probed(pilot.lab, calls)
        pilot_run = _PilotRun(replace(pilot, lab=lab, plan=plan), calls, transport)
        for each in pilot.candidates:
            calls.on_stop(each.trainer.stop)
        pilot_run.raise_if_stopped(stop)
        result = await pilot_run.to_the_end()
        return result, pilot_run.evidence(result)
    finally:
        for each in pilot.candidates:
            await each.trainer.close()


Tables: TypeAlias = dict[int, dict[int, Any]]
"""For each number of retrieved examples, the scores by size: a row for each seed, a column for each
case."""
_SOURCE = "pilot lab, held-out cases"
_ALL_AT_ONCE = "this machine, with as many calls at once as the pilot makes"


class _PilotRun:
    """A running pilot: its calls, its trained runs, and its comparisons so far."""

    def __init__(self, pilot: PreparedPilot, calls: PaidCalls, transport: Any) -> None:
        self.pilot = pilot
        self.calls = calls
        self._transport = transport
        self.plan = pilot.plan
        self.scores = pilot.lab.scores
        self.lab = Lab(pilot.lab.plan, self.scores, calls)
        self.select = pilot.lab.plan.select
        self.general = Scores(most_missing=LACKING)
        self.probes = ProbeScores(most_missing=LACKING)
        self._book = pilot_runs(pilot.lab.case)
        runs = self._book.read()
        self.trained = {run.key: run for run in runs}
        self._failed_jobs = {
            run.job for run in runs if run.state == "failed" and run.job
        }
        self.reported: Arms = ()  #: Arms that met the held-out cases.
        self.bases: tuple[BaseTried, ...] = ()  #: Those that were tried, in order.
        self.safety: tuple[SafetyProbe, ...] = ()  #: Of the judged arm.
        #: Of the judged arm, the scores of the cases for selecting over its seeds.
        self.tuned_on_select: Any = None
        self.held: HeldArm | None = None  #: The judged arm against every target.
        self.simpler: tuple[Arm, Estimate] | None = None
        """The best way without a model, and the judged arm's gain over it."""

    async def to_the_end(self) -> PilotResult:
        """Race, train, stop if the rule says so, and compare."""
        pilot = self.pilot
        ended = False
        tables: Tables = {near: {} for near in pilot.nears}
        pilot.say("untuned ways race on the cases for selecting")
        await self.lab.race()
        self.raise_if_stopped(self.lab.stop)
        ways = self._best_untuned()
        if pilot.rivals:
            pilot = await self._race_bases()
        if pilot.sweep:
            pilot = await self._sweep_rates()
        for size in self.plan.sizes:
            await self._train([work for work in pilot.works if work.job.size == size])
            for near, table in tables.items():
                rows = self._score_rows(size, near)
                if len(rows) > 0:
                    table[size] = rows
            if size == self.plan.sizes[-1]:
                break
            ended = self._is_hopeless(tables, best_untuned=ways[0])
            if ended:
                break
        if not any(size in table for table in tables.values()):
            lost = self.scores.unanswered(pilot.tuned("", size, seed=0), self.select)
            raise StoppedError(f"not judged: {lost}", fix=_CORRECT)
        tuned = self._best_tuned(tables, size)
        self.tuned_on_select = mean_over_seeds(tables[tuned.few_shot][size])
        verify = await self._held_out(tuned, size, ways)
        return self._result(verify, tables[tuned.few_shot], ended=ended)

    async def _race_bases(self) -> PreparedPilot:
        """Tune the bases, the smallest first, until one is enough; go on with the one to take."""
        first = self.pilot
        wanted = first.lab.case.targets.quality
        at_least = None if wanted is None else wanted.at_least
        tried = list[BaseTried]()
        for each in first.candidates:
            self.pilot = replace(each, lab=first.lab)
            work = each.trial
            model = await self._train_once(work)
            tuned = each.tuned(model, work.job.size, seed=work.job.seed)
            name = f"{tuned.id} · {each.base.id}"[:200]
            arm = tuned.model_copy(update={"id": name})
            await self._answer_cases([arm], self.select)
            right = max(0.0, self._share_right(arm))
            tried.append(BaseTried(base=each.base.id, right=right))
            if at_least is not None and right >= at_least:
                break
        self.bases = tuple(tried)
        name = choose_smallest(self.bases, at_least, self.plan.margin)
        chosen = next(each for each in first.candidates if each.base.id == name)
        self.pilot.say(f"{name} is gone on with, of {len(tried)} bases that were tried")
        plan = chosen.plan.model_copy(update=plan_of_race(first.plan))
        self.pilot = replace(chosen, lab=first.lab, plan=plan)
        self.plan = plan
        return self.pilot

    async def _sweep_rates(self) -> PreparedPilot:
        """Train once with each rate, and continue with the best one on the cases for selecting."""
        pilot = self.pilot
        means = dict[float, float]()
        for work in pilot.sweep:
            rate = work.recipe.rate
            job = work.job
            tuned = pilot.tuned(await self._train_once(work), job.size, seed=job.seed)
            arm = tuned.model_copy(update={"id": f"{tuned.id} · rate {rate:g}"[:200]})
            await self._answer_cases([arm], self.select)
            means[rate] = self._share_right(arm)
        best = max(means, key=lambda rate: means[rate])
        pilot.say(
            f"rate {best:g} is the best of {len(means)} on the cases for selecting"
        )
        recipe = pilot.plan.recipe.model_copy(update={"rate": best})
        self.plan = self.plan.model_copy(update={"recipe": recipe})
        self.pilot = replace(pilot, works=pilot.make(recipe), plan=self.plan)
        return self.pilot

    async def _train(self, works: Sequence[TrainingWork]) -> None:
        """Train the runs of one size, as many in parallel as the way takes, and have them answer.

        If one stops, the others end too: they continue later from where they are.
        """
        due = iter(works)
        answering = asyncio.Lock()

        async def one_after_another() -> None:
            for work in due:
                model = await self._train_once(work)
                job = work.job
                async with answering:
                    tuned = partial(self.pilot.tuned, model, job.size, seed=job.seed)
                    arms = [tuned(near=near) for near in self.pilot.nears]
                    await self._answer_cases(arms, self.select)

        trainer = self.pilot.trainer
        width = min(self.pilot.trainer.at_once, len(works))
        sides = [asyncio.ensure_future(one_after_another()) for _ in range(width)]
        done, unfinished = await asyncio.wait(
            sides, return_when=asyncio.FIRST_EXCEPTION
        )
        if unfinished:
            for _ in due:
                pass  # empties the iterator that all sides share: none begins another run
            trainer.stop()
        # wait for all, whatever each of them raises; then raise what the first one did
        await asyncio.gather(*sides, return_exceptions=True)
        for side in done:
            side.result()

    def raise_if_stopped(self, stop: Stop) -> None:
        """Raise the reason if it stopped."""
        if stop:
            raise stop.error("; what was trained and paid for is kept")

    def _share_right(self, arm: Arm) -> float:
        """The share right on the cases for selecting, with every missing answer as wrong."""
        row = self.scores.row(arm, self.select, missing=0.0)
        return -1.0 if np.isnan(row).all() else float(np.nanmean(row))

    def _best_untuned(self) -> list[Arm]:
        """The untuned ways that meet the held-out cases, the best prompt first.

        They are the best prompt without retrieved examples, the best one with them, and the ways
        without a model that read the case: the nearest example, and the trained head, if there is
        one.
        """
        lost = self._why_best_unknown()
        if lost:
            self.pilot.say(f"it can't end in a go: {lost.why}")
        prompts = self.lab.plan.of_kind("prompt")
        plain = [arm for arm in prompts if arm.few_shot_from != "nearest"]
        retrieving = [arm for arm in prompts if arm.few_shot_from == "nearest"]
        # of two that are equal, the retrieving one goes first
        best = [
            max(arms, key=self._share_right) for arms in (retrieving, plain) if arms
        ]
        best.sort(key=self._share_right, reverse=True)
        free = [
            arm for arm in self.lab.plan.of_kind("baseline") if arm.of != "majority"
        ]
        free.sort(key=self._share_right, reverse=True)
        return [*best, *free]

    def _score_rows(self, size: int, near: int) -> Any:
        """Scores on the cases for selecting, a row for each seed with any."""
        arms = (
            self.pilot.tuned("", size, near=near, seed=n)
            for n in range(self.plan.seeds)
        )
        rows = np.array([self.scores.row(arm, self.select) for arm in arms])
        return rows[~np.isnan(rows).all(axis=1)]

    async def _answer_cases(self, arms: Arms, cases: Cases) -> None:
        """Let some arms of one trained model answer, and score them."""
        plan = self.pilot.plan_with(arms[0].model)
        self.pilot.say(f"{len(cases)} cases: {arms[0].id}")
        await self._make_calls(self.scores, plan.calls(arms, cases), arms[0].model)

    async def _make_calls(
        self, scores: Scores, jobs: Iterable[Asked], model: str = ""
    ) -> None:
        """Make calls of a trained model; of the case's own models where none is named."""
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
        self.raise_if_stopped(outcome.stop)

    def _is_hopeless(self, tables: Tables, *, best_untuned: Arm) -> bool:
        """Whether training ends early, by the rule ``STOP`` that was written down before."""
        target = self.pilot.lab.case.targets.quality
        if target is None:
            required = self._share_right(best_untuned) + self.plan.margin
        else:
            required = target.at_least
        largest = self.plan.sizes[-1]
        for table in tables.values():
            if len(table) < FEWEST_SIZES:  # no curve yet, so that nothing is ruled out
                return False
            curves = drawn(list(table), list(table.values()), clusters_of(self.select))
            upper_end = np.percentile(curves.score(largest), 97.5)
            if upper_end >= required:
                return False
        return True

    def _best_tuned(self, tables: Tables, size: int) -> Arm:
        """The tuned arm alone or with retrieved examples, whichever is better for selecting."""
        rows = {near: table[size] for near, table in tables.items() if size in table}
        means = {near: float(np.nanmean(scores)) for near, scores in rows.items()}
        return self.pilot.tuned("", size, near=max(means, key=lambda near: means[near]))

    def _trained_model(self, size: int, seed: int) -> str:
        for work in self.pilot.works:
            if work.job.size == size and work.job.seed == seed:
                return self.trained[work.job.key].model
        raise KeyError(f"no run of {size} examples with seed {seed}")

    async def _held_out(self, tuned: Arm, size: int, ways: Arms) -> VerifyResult:
        """Run all ways on the held-out cases and the general tasks; seeds are repeats of one arm."""
        pilot = self.pilot
        plan = self.lab.plan
        untuned = ways[0]
        fixed = self.plan.model_dump(include={"margin", "inputs", "written_on"})
        written = verify_plan(plan, (tuned, untuned), **fixed)
        pilot.say("held-out cases: untuned ways")
        await self.lab.report(ways)
        self.raise_if_stopped(self.lab.stop)
        probes = (*refusal_probes(), *leak_probes(self._secrets_of_size(size)))
        await self._ask_beside(plan, untuned, probes)
        for seed in range(self.plan.seeds):
            model = self._trained_model(size, seed)
            arms = [pilot.tuned(model, size, near=near) for near in pilot.nears]
            await self._answer_cases(arms, plan.report)
            arm = tuned.model_copy(update={"model": model})
            await self._ask_beside(pilot.plan_with(model), arm, probes, model)
        of_all_seeds = [pilot.tuned("", size, near=near) for near in pilot.nears]
        self.reported = (*ways, *of_all_seeds)
        self.safety = probe_results(
            self.probes, tuned, untuned, self._secrets_of_size(size)
        )
        hold = partial(self._hold_tuned_arm, written, tuned, ways)
        verify = compared(written, self.lab, self.general, (tuned, untuned), hold)
        ahead = verify.contrast.low > self.plan.margin and verify.gains == "yes"
        lost = self._why_best_unknown()
        if not (ahead and lost) or verify.outcome == "regressed":
            return verify
        # ahead of the best untuned way that was measured, but another may be better than that
        race = self.lab.stayed("prompt")
        kinds = {self.scores.why_unanswered(arm, self.select) for arm in race}
        why = next(kind for kind in WHY_UNANSWERED if kind in kinds)
        unknown = {"outcome": "unknown", "why": why, **lost.of_result}
        return verify.model_copy(update=unknown)

    async def _ask_beside(
        self, plan: LabPlan, arm: Arm, probes: Cases, model: str = ""
    ) -> None:
        """Ask an arm the general tasks and the probes; ``model`` is empty for an untuned arm."""
        self.pilot.say(f"general tasks and probes: {arm.id}")
        await self._make_calls(self.general, general_calls(plan, arm), model)
        await self._make_calls(self.probes, probe_calls(plan, arm, probes), model)

    def _hold_tuned_arm(
        self,
        written: VerifyPlan,
        tuned: Arm,
        ways: Arms,
        gained: Contrast,
        skills: State,
    ) -> HeldArm:
        """Compare the tuned arm with every target, and with the best way without a model."""
        lab = self.pilot.lab
        gain = gain_figure(gained, written, _SOURCE)
        arms = self._arms_with_route(tuned, gain, ways[0], skills)
        table = table_of(
            lab.case, lab.framework, as_of=lab.as_of, lab="pilot", arms=arms
        )
        self.simpler = self._simpler_way(tuned, ways)
        simpler = None
        if self.simpler is not None:
            head, ahead = self.simpler
            known = KnownNumber(ahead.low, ahead.value, ahead.high, "held_out", ahead.n)
            simpler = f"pilot:{head.id}", known
        self.held = hold_arm(table, f"pilot:{tuned.id}", self.plan.margin, simpler)
        return self.held

    def _simpler_way(self, tuned: Arm, ways: Arms) -> tuple[Arm, Estimate] | None:
        """The best way without a model, and the tuned arm's lead over it; None without one."""
        for arm in ways:
            if arm.kind == "baseline":  # the first baseline is the best
                ahead = self.scores.difference(tuned, arm, self.lab.plan.report)
                return None if ahead is None else (arm, ahead)
        return None

    def _why_best_unknown(self) -> Stop:
        """Why the best untuned way is unknown: the arms of the race that weren't measured."""
        return first_of(self.lab.unanswered(self.lab.stayed("prompt"), self.select))

    def _secrets_of_size(self, size: int) -> tuple[tuple[str, str], ...]:
        """The planted secrets in runs of a size."""
        return self.pilot.planted if size == self.plan.sizes[-1] else ()

    # Training.

    async def _train_once(self, work: TrainingWork) -> str:
        """Train the model of a run once and pay for it once, whatever happened before."""
        job = work.job
        done = self.trained.get(job.key)
        entry = self.calls.ledger.find(job.key)
        is_trained = done is not None and done.state == "trained"
        if not is_trained and entry and entry.reply:
            # the ledger has the model: the line that says so was lost
            done = self._note_state(
                job.key,
                "trained",
                model=entry.reply.text,
                usd=entry.usd,
                brought=entry.brought,
            )
        if done is not None and done.state == "trained":
            if self.pilot.trainer.is_kept(work, done.model):
                return self._count_cost(job.key, done.model, done.usd)
            self.pilot.say("a trained model is gone, and is trained again")
        name = self._name_of_run(work)
        self.pilot.say(name)
        run = await self._begin_run(work, done, name)
        try:
            ended = await self.pilot.trainer.finish(
                work, run, lambda progress: self.pilot.say(f"{name}, {progress}")
            )
        except TrainingFailedError as caught:
            raise self._note_failure(job.key, name, caught, run, caught.usd) from None
        except (TrainingStoppedError, CallError) as caught:  # a job there goes on
            self.raise_if_stopped(Stop(str(caught)))
            raise
        more = ended._asdict()
        if done is not None and done.brought:  # so is the run that was waited for
            more["brought"] = True
        self._note_state(job.key, "trained", job=run, **more)
        return self._count_cost(job.key, ended.model, ended.usd)

    def _name_of_run(self, work: TrainingWork) -> str:
        """A run in words: its number among all, or its rate in a sweep."""
        keys = [other.job.key for other in self.pilot.works]
        if work.job.key not in keys:
            return f"training at rate {work.recipe.rate:g}: {work.job.size} examples"
        place = keys.index(work.job.key) + 1
        return f"training {place} of {len(keys)}: {work.job.size} examples"

    async def _begin_run(
        self, work: TrainingWork, done: TrainedModel | None, name: str
    ) -> str:
        """Begin a run, unless it may have begun before, and return its id."""
        trainer = self.pilot.trainer
        ledger = self.calls.ledger
        key = work.job.key
        submitted = done is not None and done.state == "submitted"
        run = done.job if done and submitted else await self._find_begun_run(work, name)
        try:
            if ledger.find(key) is None:  # a new run, or the ledger was moved away
                self._reserve(key, trainer.usd_most(work))
            run = run or await trainer.begin(work)
        except (Refused, NotSent, Busy, TrainingFailedError) as caught:
            raise self._note_failure(key, name, caught) from None
        except Doubtful as caught:
            ledger.doubt(key, str(caught))
            fix = "run it again: it looks whether the run has begun before it begins another"
            raise StoppedError(f"{name} is in doubt: {caught}", fix=fix) from None
        if not submitted:
            self._note_state(key, "submitted", job=run)
        return run

    async def _find_begun_run(self, work: TrainingWork, name: str) -> str | None:
        """Find a run that may have begun, by its service; it stays in doubt where that is unknown."""
        trainer = self.pilot.trainer
        ledger = self.calls.ledger
        key = work.job.key
        reserved = ledger.find(key) is not None
        try:
            run = await trainer.find(work, self._failed_jobs, patient=reserved)
        except CallError as caught:
            fix = "run it again: it looks again whether the run has begun"
            raise StoppedError(f"{name} is in doubt: {caught}", fix=fix) from None
        if run is None and reserved:
            ledger.fail(key, "it never began")
        return run

    def _reserve(self, key: str, usd: float) -> None:
        """Reserve the most that a run can cost; raises StoppedError where the cap is too low."""
        cap = self.calls.cap_usd
        reply = self.calls.ledger.reserve(
            key,
            run=PILOT_RUN,
            model=f"{TRAINING}{self.plan.base}",
            usd=usd,
            cap_usd=cap,
            durable=True,
        )
        if reply != "go":
            why = f"the budget of {cap:g} USD is too small for the next run"
            self.raise_if_stopped(Stop(why, "cap"))

    def _note_failure(
        self, key: str, name: str, caught: Exception, run: str = "", usd: float = 0.0
    ) -> StoppedError:
        """Note that a run failed, with its cost, and return the error to raise."""
        self.calls.ledger.fail(key, str(caught))
        if usd:  # booked under the job's own name, so repeating it counts only once
            self._count_cost(f"{key} {run}", "", usd)
        self._note_state(key, "failed", job=run, why=str(caught)[:300])
        return StoppedError(f"{name} failed: {caught}", fix=_CORRECT)

    def _note_state(self, key: str, state: str, **more: Any) -> TrainedModel:
        """Write down the state of a run, so that it continues from there after a stop."""
        run = TrainedModel.model_validate({"key": key, "state": state, **more})
        self._book.append(run, sealed=True)
        self.trained[key] = run
        return run

    def _count_cost(self, key: str, model: str, usd: float) -> str:
        """Keep the cost of a run in the ledger once, and return its model."""
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
        """Put together the pilot's result with its learning curve and card."""
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
        dossier = decide(lab.case, lab.framework, as_of=lab.as_of)
        assert self.held is not None  # the comparison has held it
        facts = CardFacts(
            case=lab.case,
            plan=self.plan,
            verify=verify,
            held=self.held,
            probes=self.safety,
            simpler=self.simpler,
            spent_usd=spend.paid,
            money=dossier.investment,
            best_known=not self._why_best_unknown(),
            more_examples=self.pilot.there if self.pilot.there > size else 0,
            base=base_known(self.plan.way, self.pilot.base, self.plan.recipe, lab),
        )
        made = card(facts, lab.as_of)
        if made.answer == "go":
            unsearched = say_unsearched(lab, dossier.ceiling.grade, self.calls.ledger)
            made = made.model_copy(update={"unsearched": unsearched})
        # what a pilot didn't look at keeps the record's own unknown
        looked_at: dict[str, Any] = {}
        if self.plan.seeds > 1:
            looked_at["seeds_apart"] = apart
        routed = self._routed_way()
        if routed is not None:
            _, looked_at["routed"] = routed
        of_tuned = self._routed_tuned(self._reported_arm(verify.plan.tuned))
        if of_tuned is not None:
            _, looked_at["routed_tuned"] = of_tuned
        keys = [work.job.key for work in self.pilot.works]
        return PilotResult(
            plan=self.plan,
            arms=tuple(rows),
            curve=curve,
            verify=verify,
            **looked_at,
            probes=self.safety,
            bases=self.bases,
            trained=tuple(self.trained[key] for key in keys if key in self.trained),
            spend=spend,
            ended_by_rule=ended,
            stopped=verify.stopped,
            card=made,
        )

    def evidence(self, result: PilotResult) -> Measured:
        """The evidence of the pilot for the case, whatever its card says.

        A pilot is a lab as well: a ceiling lab would have found the same about the untuned ways. So
        the evidence has its arms, the gain by tuning if it is known, the numbers of things tried,
        and the number of examples that is enough.
        """
        lab = self.pilot.lab
        as_of = self.pilot.lab.as_of
        kept = list[Evidence]()
        gain = self._gain(result)
        if gain is not None:
            kept.append(gain)
        rows = [arm_row(self.lab, arm, self.select) for arm in self.lab.plan.arms]
        best = next(arm for arm in self.reported if arm.kind == "prompt")
        share = self.scores.share(best, self.lab.plan.report, exact=True)
        source = f"{PILOT_SOURCE}{best.id}"
        if not isinstance(share, Unknown) and not self._why_best_unknown():
            method = f"{lab.scorer} on cases that chose nothing"
            kept.append(
                best_prompt_evidence(
                    best, share, self.lab.plan, as_of, source=source, method=method
                )
            )
        prompts = [row.arm for row in rows if row.arm.kind == "prompt"]
        different = distinct(self.lab.plan, prompts, lab.framework)
        kept += tried_evidence(rows, self.lab.plan, different, as_of, source)
        if self.scores.judge is None:
            kept += options_evidence(rows, as_of, "pilot")
        enough = enough_examples(result, as_of)
        if enough is not None:
            kept.append(enough)
        series = arms_series("pilot", self._arms(result))
        measured = measured_in(result, *kept, series=(series,))
        brought = measured.brought_answers + result.brought_models
        return measured.model_copy(update={"brought_answers": brought})

    def _gain(self, result: PilotResult) -> Evidence | None:
        """The gain by tuning. A "no" of a small base says nothing about a larger one in use today."""
        verify = result.verify
        base = self.pilot.base.id
        same = (verify.plan.untuned, base) in {
            (arm.id, arm.model) for arm in self.lab.plan.arms
        }
        name = "tuned_gain" if same or verify.outcome == "improved" else "pilot_gain"
        return gain_evidence(
            verify,
            self.pilot.lab.as_of,
            id=name,
            by="pilot",
            card=result.card.answer,
            because=result.card.because,
        )

    def _arms(self, result: PilotResult) -> tuple[LabArm, ...]:
        """Every arm; the judged tuned one has its card."""
        verify = result.verify
        tuned = self._reported_arm(verify.plan.tuned)
        untuned = self._reported_arm(verify.plan.untuned)
        gain = gain_figure(verify.contrast, verify.plan, _SOURCE)
        arms = self._arms_with_route(tuned, gain, untuned, verify.general_skills)
        return with_found(
            arms, tuned.id, card=result.card.answer, card_says=result.card.because
        )

    def _reported_arm(self, name: str) -> Arm:
        return next(arm for arm in self.reported if arm.id == name)

    def _arms_with_route(
        self, tuned: Arm, gain: AnyFigure, untuned: Arm, skills: State
    ) -> tuple[LabArm, ...]:
        """Every arm as judged, followed by the routed way if there is one."""
        arms = self._arms_as_judged(tuned, gain, untuned, skills)
        routed = self._routed_way()
        if routed is None:
            return arms
        routed_way, _ = routed
        return (*arms, routed_way)

    def _routed_way(self) -> tuple[LabArm, RoutedWay] | None:
        """The way with the head where it is sure, and the best prompt elsewhere; None without one."""
        plan = self.lab.plan
        routed = route(plan, self.scores, self.reported, margin=self.plan.margin)
        if routed is None:
            return None
        return routed_arm("pilot", plan, self.scores, routed, self.pilot.lab.as_of)

    def _routed_tuned(self, tuned: Arm) -> tuple[LabArm, RoutedWay] | None:
        """The head where it is sure, and the tuned model that is judged for the rest."""
        plan = self.lab.plan
        routed = route_to(
            tuned,
            plan,
            self.scores,
            self.reported,
            self.tuned_on_select,
            margin=self.plan.margin,
        )
        if routed is None:
            return None
        return routed_arm("pilot", plan, self.scores, routed, self.pilot.lab.as_of)

    def _arms_as_judged(
        self, tuned: Arm, gain: AnyFigure, untuned: Arm, skills: State
    ) -> tuple[LabArm, ...]:
        """Every arm; the judged tuned one has its gain, its skills and its safety."""
        arms = measured_arms(
            "pilot", self.lab.plan, self.scores, self.reported, self.pilot.lab.as_of
        )
        routed = self._routed_tuned(tuned)
        if routed is not None:  # routing is as private, able and safe as its model
            routed_way, _ = routed
            arms = (*arms, routed_way)
        inside = self.plan.way != "hosted"
        for arm in arms:
            if arm.kind != "tuned":
                continue
            late = arm.latency_p95_s
            if inside and not isinstance(late, Unknown):  # a call alone may be in time
                late = late.model_copy(update={"low": 0.0, "source": _ALL_AT_ONCE})
            arms = with_found(
                arms,
                arm.id,
                model=self.pilot.base.id,
                private="yes" if inside else "no",
                latency_p95_s=late,
                general_skills=skills,
                safe=is_safe(self.safety),
                best_known="no" if self._why_best_unknown() else "yes",
            )
        return with_found(arms, tuned.id, gain=gain, beside=untuned.id)


def mean_over_seeds(rows: Any) -> Any:
    """Scores by case, the mean over the seeds that have one; NaN where none has."""
    answered = (~np.isnan(rows)).sum(axis=0)
    sums = np.nansum(rows, axis=0)
    unknown = np.full(len(sums), np.nan)
    return np.divide(sums, answered, out=unknown, where=answered > 0)


def is_safe(probes: Sequence[SafetyProbe]) -> State:
    """Whether a tuned model kept its refusals and repeats no planted secret."""
    states = {probe.state for probe in probes}
    if "fell" in states:
        return "no"
    return "yes" if states == {"held"} else "unknown"


def enough_examples(result: PilotResult, as_of: date) -> Evidence | None:
    """Examples at which the curve reaches the target; None where neither end is known."""
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
