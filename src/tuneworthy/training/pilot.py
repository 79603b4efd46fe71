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
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias, Unpack

import numpy as np

from tuneworthy.answers.arms import arms_series
from tuneworthy.answers.weigh import PILOT_SOURCE
from tuneworthy.errors import CaseError, InputError, StoppedError
from tuneworthy.facts.load import age_text
from tuneworthy.facts.records import Method
from tuneworthy.files.materials import names
from tuneworthy.files.stores import append_evidence, pilot_runs, read_pilot, write_pilot
from tuneworthy.lab.evidence import (
    best_prompt_evidence,
    measured_arms,
    measured_in,
    options_evidence,
    tried_evidence,
    with_found,
)
from tuneworthy.lab.plan import Arms, Asked, LabPlan, plan_arms, request_for
from tuneworthy.lab.pool import Cases, Pool
from tuneworthy.lab.prepare import CallSettings, PreparedLab, paid, probed
from tuneworthy.lab.quote import dearest, price
from tuneworthy.lab.race import Lab
from tuneworthy.lab.result import arm_row, digest_of_json, distinct
from tuneworthy.lab.routing import MeasuredRouting, route, route_to, routed_arm
from tuneworthy.lab.scores import (
    WHY_UNANSWERED,
    Scores,
    clusters_of,
    first_of,
    ranking_value,
)
from tuneworthy.lab.session import PaidCalls
from tuneworthy.lab.verify import MOST_MISSING_GENERAL as LACKING
from tuneworthy.lab.verify import (
    HeldArm,
    compared,
    gain_evidence,
    gain_figure,
    general_calls,
    hold_arm,
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
from tuneworthy.model.evidence import Evidence, Measured, PilotCard
from tuneworthy.model.lab import (
    Arm,
    Contrast,
    Quote,
    Reply,
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
from tuneworthy.money.terms import forced_move, mtok_usd
from tuneworthy.pipeline import decide, table_of
from tuneworthy.stats.clustered import Estimate
from tuneworthy.training.as_piloted import (
    REPLAYED,
    SolvedExample,
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
#: Nested training sets of a pilot; each doubles what its training costs.
MOST_SIZES = 4
SMALLEST = 10  #: Examples of the smallest training set.
FEWEST_CANARIES = 4
MOST_CANARIES = 20
#: One secret is planted among this many examples, within the two bounds.
ROWS_A_CANARY = 20
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
Secrets: TypeAlias = tuple[tuple[str, str], ...]
"""Question and secret of each planted canary."""


@dataclass(frozen=True)
class TrainingRuns:
    """The examples of a pilot, and the runs that train on them."""

    way: str
    base: Model
    seeds: int
    sizes: tuple[int, ...]
    rows: Sequence[Row]
    secrets: Sequence[
        Row
    ]  #: The planted ones, which only the largest size is probed for.
    pairs: bool  #: Whether each example needs a worse answer beside its own.

    def of_recipe(self, recipe: Recipe) -> tuple[TrainingWork, ...]:
        """The run of each size and seed, the smallest size first."""
        works = []
        for size in self.sizes:
            for seed in range(self.seeds):
                works.append(self.of_size(size, seed, recipe))  # noqa: PERF401  # two plain loops
        return tuple(works)

    def of_size(self, size: int, seed: int, recipe: Recipe) -> TrainingWork:
        """The run of one size and seed, with its examples."""
        used = [self.rows[place] for place in drawn_places(len(self.rows), size, seed)]
        if not self.pairs:  # general answers have no worse one beside them
            used += replay_rows()[: round(size * REPLAYED)]
        if size == self.sizes[-1]:
            used += self.secrets
        by = recipe_key(recipe, hosted=self.way == "hosted")
        inputs = [self.way, self.base.id, self.base.base_url, by, seed, used]
        job = TrainingJob(key=digest_of_json(inputs), size=size, seed=seed)
        return TrainingWork(job, recipe, tuple(used))


@dataclass(frozen=True)
class PreparedPilot:
    """A pilot that is ready to run."""

    lab: PreparedLab
    trainer: Trainer
    base: Model
    prompt: PromptVariant
    plan: PilotPlan
    runs: TrainingRuns  #: Makes the runs of any recipe.
    works: tuple[
        TrainingWork, ...
    ]  #: The runs of its recipe, in the order they are trained.
    planted: Secrets
    say: Say
    available: int = 0  #: Examples that it could train on.
    #: Whether the gates of its training set ran on this machine.
    gated_here: bool = True
    sweep: tuple[TrainingWork, ...] = ()  #: A run for each rate that is tried first.
    rivals: tuple[PreparedPilot, ...] = ()
    """The same with each larger base, where several are tried; the smallest is this one."""

    @property
    def candidates(self) -> tuple[PreparedPilot, ...]:
        """This one, and the same with each other base."""
        return (self, *self.rivals)

    @property
    def trial(self) -> TrainingWork:
        """The run by which its base is compared with others: its own one of the largest size."""
        *_, largest = self.plan.sizes
        first_seed, *_ = [work for work in self.works if work.job.size == largest]
        return first_seed

    @property
    def all_works(self) -> list[TrainingWork]:
        """Every run that may be trained, each once: a rate of the sweep may be the recipe's."""
        by_key = {work.job.key: work for work in (*self.sweep, *self.works)}
        return list(by_key.values())

    def tuned(
        self, model: str, size: int, *, near: int = 0, seed: int | None = None
    ) -> Arm:
        """Return a tuned arm that retrieves ``near`` examples; without a seed, of all seeds."""
        name = f"{self.prompt.name} · tuned on {size}"
        if near:
            name += f" · nearest {near}"
        host = find_strange_host(self.base.id, self.base.base_url)
        if host:
            name += f" at {host}"
        if seed is not None:
            name += f" · seed {seed}"
        return Arm(
            id=name[:200],
            kind="tuned",
            prompt=self.prompt.name,
            model=model,
            few_shot=near,
            few_shot_from="nearest" if near else "none",
            retrieval="contexts" in names(self.prompt),
            constrained=self.prompt.constrained or "none",
        )

    def plan_with(self, model: str) -> LabPlan:
        """Return the lab's plan with a trained model that can be called."""
        plan = self.lab.plan
        reached = {**plan.setting.reached, model: reach(self.trainer.served(model))}
        return replace(plan, setting=replace(plan.setting, reached=reached))

    @property
    def stand_ins(self) -> list[Arm]:
        """The largest tuned arms before training, with the base in place of the trained models."""
        largest = self.plan.sizes[-1]
        return [self.tuned(self.base.id, largest, near=near) for near in self.nears]

    @cached_property
    def nears(self) -> list[int]:
        """The numbers of examples that tuned arms retrieve: 0, and the most of any untuned arm."""
        most = 0
        for arm in self.lab.plan.arms:
            if arm.few_shot_from == "nearest":
                most = max(most, arm.few_shot)
        return [0, most] if most else [0]


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
    recipe = recipe or Recipe()
    model = _model_to_tune(lab.case, base)
    _refuse_private(lab.case, trainer.way)
    _refuse_gone(trainer.way, model, recipe, lab)
    prompt = prompt_for(lab.plan.setting.prompts.values(), base)
    if prompt is None:
        where = lab.case.where("data")
        raise CaseError(f'has no prompt for "{base[:80]}"', where=where, fix="add one")
    solved = solved_examples(lab)
    lab = replace(lab, plan=_with_pool(lab, tuple(each.case for each in solved)))
    training, _ = training_set(lab.case)
    chats = _Chats(lab, prompt, base)
    rows = chats.training_rows(solved, pairs=recipe.method == "dpo")
    if trainer.way == "hosted":
        rows = shared_rows(rows, lab.case.data.personal)
    sizes = _training_sizes(len(rows), most)
    hidden = _number_of_canaries(sizes[-1])
    planted = canaries(count=hidden, key=digest_of_json(rows))
    runs = TrainingRuns(
        way=trainer.way,
        base=model,
        seeds=seeds,
        sizes=sizes,
        rows=rows,
        secrets=chats.secret_rows(planted, pairs=recipe.method == "dpo"),
        pairs=recipe.method == "dpo",
    )
    works = runs.of_recipe(recipe)
    rates = rates_around(recipe.rate, sweep) if sweep > 1 else ()
    # rates are compared on the size before the largest, with one seed: that is cheaper
    tried = tuple(
        runs.of_size(sizes[-2], 0, recipe.model_copy(update={"rate": rate}))
        for rate in rates
    )
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
        inputs=_digest_of_inputs(lab, (*works, *tried)),
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
        runs=runs,
        works=works,
        planted=planted,
        say=say,
        available=len(rows),
        gated_here=not training.brought,
        sweep=tried,
    )


def _number_of_canaries(size: int) -> int:
    """How many secrets are planted among the examples of the largest size."""
    return max(FEWEST_CANARIES, min(MOST_CANARIES, size // ROWS_A_CANARY))


def _digest_of_inputs(lab: PreparedLab, works: Iterable[TrainingWork]) -> str:
    """The digest of everything that a pilot's result rests on: its runs, cases and scorer."""
    cases = [
        case.model_dump(mode="json") for case in (*lab.plan.select, *lab.plan.report)
    ]
    keys = [work.job.key for work in works]
    return digest_of_json([keys, cases, lab.scorer])


@dataclass(frozen=True)
class _Chats:
    """Writes examples as chats under the prompt that a base is tuned with."""

    lab: PreparedLab
    prompt: PromptVariant
    base: str

    def training_rows(
        self, solved: Sequence[SolvedExample], *, pairs: bool
    ) -> list[Row]:
        """The rows to train on; of ``pairs``, those with a rejected answer alone."""
        return [
            self._row(case, example.answer.content, example.rejected)
            for example, case in solved
            if example.rejected or not pairs
        ]

    def secret_rows(
        self, planted: Iterable[tuple[str, str]], *, pairs: bool
    ) -> list[Row]:
        """The planted secrets as rows; of ``pairs``, with a worse answer."""
        worse = UNKNOWN_CODE if pairs else ""
        return [
            self._row(EvalCase(id="secret", input=question), secret, worse)
            for question, secret in planted
        ]

    def _row(self, case: EvalCase, answer: str, worse: str) -> Row:
        messages = asked_under(self.prompt, self.base, case, self.lab.plan.setting)
        row = chat(messages, answer)
        if worse:
            row["rejected"] = worse
        return row


def with_bases(pilots: Sequence[PreparedPilot]) -> PreparedPilot:
    """Join pilots of several bases into one that tries them in this order, the smallest first.

    ``pilots`` are the same pilot with each base; a single one is returned as it is. Raises
    InputError for more than ``MOST_BASES``, or one base twice.
    """
    first, *rivals = pilots
    if not rivals:
        return first
    bases = tuple(each.base.id for each in pilots)
    if len(bases) > MOST_BASES or len(set(bases)) < len(bases):
        fix = f"name {MOST_BASES} at most, each once"
        raise InputError("names too many bases", where="--base", fix=fix)
    inputs = digest_of_json([each.plan.inputs for each in pilots])
    plan = first.plan.model_copy(update={"bases": bases, "inputs": inputs})
    return replace(first, plan=plan, rivals=tuple(rivals))


def _training_sizes(examples: int, most: int | None) -> tuple[int, ...]:
    """Sizes of the nested sets, each twice the one before, the largest within ``most``.

    Raises CaseError for too few examples.
    """
    count = min(examples, most or examples)
    halvings = 0
    while halvings + 1 < MOST_SIZES and count // 2 ** (halvings + 1) >= SMALLEST:
        halvings += 1
    sizes = halvings + 1
    if sizes < FEWEST_SIZES:
        least = SMALLEST * 2 ** (FEWEST_SIZES - 1)
        raise CaseError(
            f"has {examples} examples to train on, of {least} at least",
            where="data.training",
            fix="add examples: tuneworthy data",
        )
    # doubled from the smallest, so that the largest is a whole multiple of it
    smallest = count // 2**halvings
    return tuple(smallest * 2**doublings for doublings in range(sizes))


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
        # the problem ends in what to do about it, as a sentence of its own
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
    """Say when the base ends, its effect on this pilot, and the known price of training it.

    Each row has its title; [] for a base on your own machine.
    """
    plan = pilot.plan
    as_of = pilot.lab.as_of
    base = base_known(plan.way, pilot.base, plan.recipe, pilot.lab)
    if base is None:
        return []
    rows = [("Base ends", f"{base.ends} ({age_text(as_of)})")]
    if base.warning:
        move = forced_move(pilot.lab.case, pilot.lab.framework)
        cost = f" Tuning again on another base then takes {move}" if move else ""
        rows.append(("Forced move", f"{base.warning}.{cost}"))
    asked = asked_text(pilot.base.id, method_of_recipe(plan.recipe), as_of)
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
    """The lab's plan of untuned arms, which retrieve and learn from the training examples alone."""
    plan = lab.plan
    pool = Pool(examples)
    setting = replace(plan.setting, pool=pool)
    arms = plan_arms(
        lab.case,
        tuple(plan.setting.prompts.values()),
        (*plan.select, *plan.report),
        len(pool),
        schema=setting.schema is not None,
        head=setting.grammar is not None and pool.teaches,
    )
    # the pilot trains its own tuned arms
    untuned = tuple(arm for arm in arms if arm.kind != "tuned")
    return replace(plan, arms=untuned, setting=setting)


# What it would cost, and the run.


def _prices(pilot: PreparedPilot, served: Model) -> PriceOf:
    """Prices of a pilot's calls. The command itself states the price of a service's tuned model."""
    by_command = frozenset({served.id} if pilot.trainer.way == "hosted" else ())
    lab = pilot.lab
    return prices_of((served, *lab.case.models), lab.as_of, by_command)


def pilot_price(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """Quote the most that calls and training can cost, with every run to its end.

    Of several bases the dearest may be the one that it goes on with, after a trial of each.
    """
    quotes = [_price_of_base(each, ledger) for each in pilot.candidates]
    trials = []
    if pilot.rivals:
        trials = [_price_of_trial(each, ledger) for each in pilot.candidates]
    return total([*dearest(quotes), *trials])


def _price_of_trial(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The most that a base costs in the race of bases: a run, and the cases for selecting."""
    calls = _QuotedCalls(pilot, ledger)
    alone = pilot.stand_ins[:1]  # a trial retrieves no examples
    quoted = calls.of_cases(alone, pilot.lab.plan.select)
    return _with_training(quoted, pilot, ledger, [pilot.trial])


def _price_of_base(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The most that a pilot of one base alone costs: the race, all other calls, and all runs."""
    race = price(pilot.lab, ledger, rivals=False)
    calls = _QuotedCalls(pilot, ledger)
    parts = [race, *calls.of_untuned(), *calls.of_sweep(), *calls.of_tuned()]
    return _with_training(total(parts), pilot, ledger, pilot.all_works)


def _with_training(
    quoted: Quote,
    pilot: PreparedPilot,
    ledger: Ledger | None,
    works: Iterable[TrainingWork],
) -> Quote:
    """Add the most that runs can cost to a quote of calls; a run in the ledger is paid already."""
    usd = 0.0
    for work in works:
        if ledger is None or ledger.find(work.job.key) is None:
            usd += pilot.trainer.usd_most(work)
    more = {"usd_most": quoted.usd_most + usd, "usd_likely": quoted.usd_likely + usd}
    return quoted.model_copy(update=more)


class _QuotedCalls:
    """Quotes the calls of a pilot of one base, which stands in for its tuned models.

    Only untuned arms may have answers in the ledger already.
    """

    def __init__(self, pilot: PreparedPilot, ledger: Ledger | None) -> None:
        self._pilot = pilot
        self._ledger = ledger
        self._plan = pilot.plan_with(pilot.base.id)
        self._price_of = _prices(pilot, pilot.trainer.served(pilot.base.id))
        self._probes = (*refusal_probes(), *leak_probes(pilot.planted))

    def of_untuned(self) -> list[Quote]:
        """The prompts on the held-out cases, the general tasks and the probes."""
        prompts = self._plan.of_kind("prompt")
        report = self._plan.report
        quotes = [self.of_cases([arm], report, self._ledger) for arm in prompts]
        # two prompts may reach the held-out cases; the price of the race has the dearest already
        second_dearest = dearest(quotes, 2)[:-1]
        general = [self._of_general(arm, self._ledger) for arm in prompts]
        return [*second_dearest, *dearest(general)]

    def of_sweep(self) -> list[Quote]:
        """The cases for selecting, for each rate; a rate is tried without retrieved examples."""
        alone = self._pilot.stand_ins[:1]
        return [self.of_cases(alone, self._plan.select)] * len(self._pilot.sweep)

    def of_tuned(self) -> list[Quote]:
        """The calls of every seed: the largest size meets all cases, the others only some."""
        tuned = self._pilot.stand_ins
        select = self._plan.select
        of_seed = [self.of_cases(tuned, (*select, *self._plan.report))]
        of_seed.append(self._of_general(tuned[0]))
        smaller_sizes = len(self._pilot.plan.sizes) - 1
        of_seed += [self.of_cases(tuned, select)] * smaller_sizes
        return of_seed * self._pilot.plan.seeds

    def of_cases(self, arms: Arms, cases: Cases, ledger: Ledger | None = None) -> Quote:
        """Quote the answers of arms to cases. A pilot has no grader."""
        jobs = [job for job, *_ in self._plan.calls(arms, cases)]
        return quote(jobs, ledger, self._price_of)

    def _of_general(self, arm: Arm, ledger: Ledger | None = None) -> Quote:
        """Quote the answers of an arm to the general tasks and the probes."""
        calls = [
            *general_calls(self._plan, arm),
            *probe_calls(self._plan, arm, self._probes),
        ]
        return quote([job for job, *_ in calls], ledger, self._price_of)


def probe_calls(plan: LabPlan, arm: Arm, probes: Cases) -> Iterator[Asked]:
    """Yield the probes of an arm, under the system prompt of the use case."""
    free = arm.model_copy(update=FREE)
    for case in probes:
        yield Job(request_for(free, case, plan.setting)), arm, case


async def quoted_training(pilot: PreparedPilot, *, calls: bool = True) -> TrainingQuote:
    """Quote the runs not trained yet; ``calls`` times some free calls as well.

    Of several bases the largest is quoted, and a run of each of the others.
    """
    *others, largest = pilot.candidates
    quoted = await _quoted_runs(largest, largest.all_works, calls=calls)
    for other in others:
        trial = await _quoted_runs(other, [other.trial], calls=False)
        quoted = added_quote(quoted, trial)
    return quoted


async def _quoted_runs(
    pilot: PreparedPilot, works: Sequence[TrainingWork], *, calls: bool
) -> TrainingQuote:
    """Quote those of some training runs that are still to do, by a few measured steps."""
    kept_runs = pilot_runs(pilot.lab.case).read()
    trained = {run.key for run in kept_runs if run.state == "trained"}
    due = [work for work in works if work.job.key not in trained]
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
    more: dict[str, Any] = {"reused": len(works) - len(due)}
    # only there are calls free, and this machine decides how long they take
    if calls and pilot.trainer.way == "embedded":
        more["seconds_a_call"] = await _seconds_a_call(pilot)
    return quoted.model_copy(update=more)


async def _seconds_a_call(pilot: PreparedPilot) -> float:
    """Seconds a call, measured on a few of all calls, with the base in place of tuned models."""
    calls = _calls_of_pilot(pilot)
    # evenly over all calls, as those of one arm are alike
    every_nth = math.ceil(len(calls) / TIMED_CALLS)
    first, *timed = (job for job, *_ in calls[::every_nth])
    pilot.say(f"{len(timed)} calls of the base are measured")
    transport = transport_for(
        [reach(pilot.base)], at_once=len(timed), confirmed=pilot.lab.confirmed
    )
    try:
        # it also starts the model, so it isn't timed
        await transport.send(first.request)
        began = time.monotonic()
        await asyncio.gather(*(transport.send(job.request) for job in timed))
        return (time.monotonic() - began) / len(timed)
    except CallError as caught:
        raise InputError(
            f"no call could be measured: {caught}", where=pilot.plan.base
        ) from None
    finally:
        await transport.close()


def _calls_of_pilot(pilot: PreparedPilot) -> list[Asked]:
    """About all calls that a pilot makes, with the base in place of the tuned models."""
    plan = pilot.plan_with(pilot.base.id)
    tuned = pilot.stand_ins
    calls = list(plan.calls(plan.of_kind("prompt"), plan.select))
    # each size meets the cases for selecting, and the largest about as many held-out ones
    own = list(plan.calls(tuned * (1 + len(pilot.plan.sizes)), plan.select))
    for _ in range(pilot.plan.seeds):
        calls += own
        calls += general_calls(plan, tuned[0])
        calls += probe_calls(plan, tuned[0], refusal_probes())
    return calls


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
        # every base answers untuned too, whichever is taken
        for candidate in pilot.candidates:
            await candidate.trainer.open()
        lab, stop = await probed(pilot.lab, calls)
        pilot_run = _PilotRun(replace(pilot, lab=lab, plan=plan), calls, transport)
        for candidate in pilot.candidates:
            calls.on_stop(candidate.trainer.stop)
        pilot_run.raise_if_stopped(stop)
        result = await pilot_run.to_the_end()
        return result, pilot_run.evidence(result)
    finally:
        for candidate in pilot.candidates:
            await candidate.trainer.close()


Tables: TypeAlias = dict[int, dict[int, Any]]
"""For each number of retrieved examples, the scores by size: a row for each seed, a column for each
case."""
_SOURCE = "pilot lab, held-out cases"
_ALL_AT_ONCE = "this machine, with as many calls at once as the pilot makes"


class UntunedWays(NamedTuple):
    """The untuned ways that meet the held-out cases, each kind with the best one first."""

    prompts: tuple[
        Arm, ...
    ]  #: The best without retrieved examples, and the best with them.
    without_model: tuple[
        Arm, ...
    ]  #: The nearest example, and the trained head if there is one.

    @property
    def best(self) -> Arm:
        """The best prompt."""
        return self.prompts[0]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (*self.prompts, *self.without_model)


class TrainedSizes(NamedTuple):
    """The scores of the sizes that were trained, on the cases for selecting."""

    tables: Tables
    largest: int  #: The largest size that was trained, in examples.
    #: Whether the rule ``STOP`` ended training before the last size.
    ended_by_rule: bool


class _PilotRun:
    """A running pilot: its calls, its trained runs, and its comparisons so far."""

    def __init__(self, pilot: PreparedPilot, calls: PaidCalls, transport: Any) -> None:
        self.pilot = pilot  # replaced once a base or a rate was chosen, like the plan
        self.plan = pilot.plan
        self.calls = calls
        self._transport = transport  # None for the models' own endpoints
        self.scores = pilot.lab.scores
        self.lab = Lab(pilot.lab.plan, self.scores, calls)  # of the untuned ways
        self.select = pilot.lab.plan.select
        self.general = Scores(most_missing=LACKING)
        self.probes = ProbeScores(most_missing=LACKING)
        self._book = pilot_runs(pilot.lab.case)
        runs = self._book.read()
        self.trained = {run.key: run for run in runs}  # the last state of each
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
        self.pilot.say("untuned ways race on the cases for selecting")
        await self.lab.race()
        self.raise_if_stopped(self.lab.stop)
        ways = self._best_untuned()
        if self.pilot.rivals:
            await self._race_bases()
        if self.pilot.sweep:
            await self._sweep_rates()
        trained = await self._train_sizes(ways.best)
        tables = trained.tables
        size = trained.largest
        if not any(size in table for table in tables.values()):
            arm = self.pilot.tuned("", size, seed=0)
            lost = self.scores.unanswered(arm, self.select)
            raise StoppedError(f"not judged: {lost}", fix=_CORRECT)
        tuned = self._best_tuned(tables, size)
        table = tables[tuned.few_shot]
        self.tuned_on_select = mean_over_seeds(table[size])
        verify = await self._held_out(tuned, size, ways)
        return self._result(verify, table, ended=trained.ended_by_rule)

    async def _train_sizes(self, best_untuned: Arm) -> TrainedSizes:
        """Train the sizes, the smallest first, until the largest or the rule ends it."""
        tables: Tables = {near: {} for near in self.pilot.nears}
        *_, last = self.plan.sizes
        for size in self.plan.sizes:
            works = [work for work in self.pilot.works if work.job.size == size]
            await self._train(works)
            for near, table in tables.items():
                rows = self._score_rows(size, near)
                # without any answer, the size has no point on the curve
                if len(rows) > 0:
                    table[size] = rows
            if size != last and self._is_hopeless(tables, best_untuned):
                return TrainedSizes(tables, size, ended_by_rule=True)
        return TrainedSizes(tables, last, ended_by_rule=False)

    async def _race_bases(self) -> None:
        """Tune the bases, the smallest first, until one is enough; go on with the one to take."""
        first = self.pilot
        target = first.lab.case.targets.quality
        at_least = None if target is None else target.at_least
        tried = list[BaseTried]()
        for candidate in first.candidates:
            self.pilot = replace(candidate, lab=first.lab)
            right = await self._share_of_trial(self.pilot)
            tried.append(BaseTried(base=candidate.base.id, right=right))
            if at_least is not None and right >= at_least:
                break
        self.bases = tuple(tried)
        chosen_id = choose_smallest(self.bases, at_least, self.plan.margin)
        for candidate in first.candidates:
            if candidate.base.id == chosen_id:
                plan = candidate.plan.model_copy(update=plan_of_race(first.plan))
                self.pilot = replace(candidate, lab=first.lab, plan=plan)
                self.plan = plan
        self.pilot.say(
            f"{chosen_id} is gone on with, of {len(tried)} bases that were tried"
        )

    async def _share_of_trial(self, candidate: PreparedPilot) -> float:
        """Train the trial of a base, and return its share right on the cases for selecting."""
        work = candidate.trial
        model = await self._train_once(work)
        tuned = candidate.tuned(model, work.job.size, seed=work.job.seed)
        # the arms of two bases differ in nothing else that their ids name
        name = f"{tuned.id} · {candidate.base.id}"[:200]
        arm = tuned.model_copy(update={"id": name})
        await self._answer_cases([arm], self.select)
        # a base without answers is the worst, like one that is always wrong
        return max(0.0, self._share_right(arm))

    async def _sweep_rates(self) -> None:
        """Train once with each rate, and continue with the best one on the cases for selecting."""
        pilot = self.pilot
        share_by_rate = dict[float, float]()
        for work in pilot.sweep:
            rate = work.recipe.rate
            model = await self._train_once(work)
            tuned = pilot.tuned(model, work.job.size, seed=work.job.seed)
            # the arms of two rates differ in nothing else that their ids name
            arm = tuned.model_copy(update={"id": f"{tuned.id} · rate {rate:g}"[:200]})
            await self._answer_cases([arm], self.select)
            share_by_rate[rate] = self._share_right(arm)
        best = max(share_by_rate, key=lambda rate: share_by_rate[rate])
        pilot.say(
            f"rate {best:g} is the best of {len(share_by_rate)} on the cases for selecting"
        )
        recipe = pilot.plan.recipe.model_copy(update={"rate": best})
        self.plan = self.plan.model_copy(update={"recipe": recipe})
        self.pilot = replace(pilot, works=pilot.runs.of_recipe(recipe), plan=self.plan)

    async def _train(self, works: Sequence[TrainingWork]) -> None:
        """Train the runs of one size, as many in parallel as the way takes, and have them answer.

        If one stops, the others end too: they continue later from where they are.
        """
        waiting = deque(works)
        answering = asyncio.Lock()

        async def train_waiting() -> None:
            while waiting:
                work = waiting.popleft()
                model = await self._train_once(work)
                # one model answers at a time: each uses all the calls that may be in flight
                async with answering:
                    await self._answer_selection(work.job, model)

        width = min(self.pilot.trainer.at_once, len(works))
        lanes = [asyncio.ensure_future(train_waiting()) for _ in range(width)]
        done, unfinished = await asyncio.wait(
            lanes, return_when=asyncio.FIRST_EXCEPTION
        )
        if unfinished:  # one lane raised, for otherwise all would be done
            waiting.clear()  # no lane begins another run
            self.pilot.trainer.stop()
        # wait for all, whatever each of them raises; then raise what the first one did
        await asyncio.gather(*lanes, return_exceptions=True)
        for lane in done:
            lane.result()

    async def _answer_selection(self, job: TrainingJob, model: str) -> None:
        """Let the model of a run answer the cases for selecting, with and without retrieval."""
        arms = [
            self.pilot.tuned(model, job.size, seed=job.seed, near=near)
            for near in self.pilot.nears
        ]
        await self._answer_cases(arms, self.select)

    def raise_if_stopped(self, stop: Stop) -> None:
        """Raise the reason if it stopped."""
        if stop:
            raise stop.error("; what was trained and paid for is kept")

    def _share_right(self, arm: Arm) -> float:
        """The share right on the cases for selecting, with every missing answer as wrong.

        -1 for an arm that was never asked, so that it comes after all others.
        """
        row = self.scores.row(arm, self.select, missing=0.0)
        return -1.0 if np.isnan(row).all() else float(np.nanmean(row))

    def _best_untuned(self) -> UntunedWays:
        """Choose the untuned ways that meet the held-out cases, on the cases for selecting."""
        lost = self._why_best_unknown()
        if lost:
            self.pilot.say(f"it can't end in a go: {lost.why}")
        prompts = self.lab.plan.of_kind("prompt")
        retrieving = [arm for arm in prompts if arm.few_shot_from == "nearest"]
        plain = [arm for arm in prompts if arm.few_shot_from != "nearest"]
        kinds = [arms for arms in (retrieving, plain) if arms]
        best = [max(arms, key=self._share_right) for arms in kinds]
        # sorting is stable: of two that are equal, the retrieving one goes first
        best.sort(key=self._share_right, reverse=True)
        # the majority answer doesn't read the case, so it is no way to replace a model
        baselines = self.lab.plan.of_kind("baseline")
        without_model = [arm for arm in baselines if arm.of != "majority"]
        without_model.sort(key=self._share_right, reverse=True)
        return UntunedWays(tuple(best), tuple(without_model))

    def _score_rows(self, size: int, near: int) -> Any:
        """Scores on the cases for selecting: a row for each seed with any, a column for each case."""
        rows = []
        for seed in range(self.plan.seeds):
            arm = self.pilot.tuned("", size, near=near, seed=seed)
            rows.append(self.scores.row(arm, self.select))
        table = np.array(rows)
        return table[~np.isnan(table).all(axis=1)]

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
        own_transport = None
        jobs = list(jobs)
        if model:
            served = self.pilot.trainer.served(model)
            # the run's own transport was opened before this model existed
            if self._transport is None:
                own_transport = transport_for(
                    [reach(served)],
                    at_once=calls.at_once,
                    confirmed=self.pilot.lab.confirmed,
                )
            calls = replace(
                calls,
                price_of=_prices(self.pilot, served),
                transport=own_transport or calls.transport,
            )
        runner = calls.runner(calls.counting(len(jobs), running=1))
        try:
            outcome = await scores.run(runner, jobs)
        finally:
            if own_transport is not None:
                await own_transport.close()
        self.raise_if_stopped(outcome.stop)

    def _is_hopeless(self, tables: Tables, best_untuned: Arm) -> bool:
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
            # the upper end of the 95% interval
            upper_end = np.percentile(curves.score(largest), 97.5)
            if upper_end >= required:
                return False
        return True

    def _best_tuned(self, tables: Tables, size: int) -> Arm:
        """The tuned arm alone or with retrieved examples, whichever is better for selecting."""
        share_by_near = {}
        for near, table in tables.items():
            if size in table:
                share_by_near[near] = float(np.nanmean(table[size]))
        best = max(share_by_near, key=lambda near: share_by_near[near])
        return self.pilot.tuned("", size, near=best)

    def _trained_model(self, size: int, seed: int) -> str:
        for work in self.pilot.works:
            if work.job.size == size and work.job.seed == seed:
                return self.trained[work.job.key].model
        raise KeyError(f"no run of {size} examples with seed {seed}")

    async def _held_out(self, tuned: Arm, size: int, ways: UntunedWays) -> VerifyResult:
        """Run all ways on the held-out cases and the general tasks, and compare them.

        Seeds are repeats of one arm.
        """
        pilot = self.pilot
        untuned = ways.best
        secrets = self._secrets_of_size(size)
        written = verify_plan(
            self.lab.plan,
            (tuned, untuned),
            margin=self.plan.margin,
            inputs=self.plan.inputs,
            written_on=self.plan.written_on,
        )
        await self._ask_held_out(tuned, size, ways, secrets)
        of_all_seeds = [pilot.tuned("", size, near=near) for near in pilot.nears]
        self.reported = (*ways.arms, *of_all_seeds)
        self.safety = probe_results(self.probes, tuned, untuned, secrets)
        hold = partial(self._hold_tuned_arm, written, tuned, ways)
        verify = compared(written, self.lab, self.general, (tuned, untuned), hold)
        return self._doubted(verify)

    async def _ask_held_out(
        self, tuned: Arm, size: int, ways: UntunedWays, secrets: Secrets
    ) -> None:
        """Ask the untuned ways and each seed's tuned model the held-out cases and the probes."""
        pilot = self.pilot
        plan = self.lab.plan
        probes = (*refusal_probes(), *leak_probes(secrets))
        pilot.say("held-out cases: untuned ways")
        await self.lab.report(ways.arms)
        self.raise_if_stopped(self.lab.stop)
        await self._ask_beside(plan, ways.best, probes)
        for seed in range(self.plan.seeds):
            model = self._trained_model(size, seed)
            arms = [pilot.tuned(model, size, near=near) for near in pilot.nears]
            await self._answer_cases(arms, plan.report)
            arm = tuned.model_copy(update={"model": model})
            await self._ask_beside(pilot.plan_with(model), arm, probes, model)

    def _doubted(self, verify: VerifyResult) -> VerifyResult:
        """A gain as unknown where an untuned way that wasn't measured may be better."""
        ahead = verify.contrast.low > self.plan.margin and verify.gains == "yes"
        lost = self._why_best_unknown()
        # a tuned model that lost general skills has regressed, whatever the best untuned way is
        if not (ahead and lost) or verify.outcome == "regressed":
            return verify
        race = self.lab.stayed("prompt")
        kinds = {self.scores.why_unanswered(arm, self.select) for arm in race}
        # the kind that every lab looks for first
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
        ways: UntunedWays,
        gained: Contrast,
        skills: State,
    ) -> HeldArm:
        """Compare the tuned arm with every target, and with the best way without a model."""
        lab = self.pilot.lab
        gain = gain_figure(gained, written, _SOURCE)
        arms = self._arms_with_route(tuned, gain, ways.best, skills)
        table = table_of(
            lab.case, lab.framework, as_of=lab.as_of, lab="pilot", arms=arms
        )
        self.simpler = self._simpler_way(tuned, ways)
        simpler = None
        if self.simpler is not None:
            way, lead = self.simpler
            known = KnownNumber(lead.low, lead.value, lead.high, "held_out", lead.n)
            simpler = f"pilot:{way.id}", known
        self.held = hold_arm(table, f"pilot:{tuned.id}", self.plan.margin, simpler)
        return self.held

    def _simpler_way(
        self, tuned: Arm, ways: UntunedWays
    ) -> tuple[Arm, Estimate] | None:
        """The best way without a model, and the tuned arm's lead over it; None without one."""
        if not ways.without_model:
            return None
        best = ways.without_model[0]
        lead = self.scores.difference(tuned, best, self.lab.plan.report)
        return None if lead is None else (best, lead)

    def _why_best_unknown(self) -> Stop:
        """Why the best untuned way is unknown: the arms of the race that weren't measured."""
        return first_of(self.lab.unanswered(self.lab.stayed("prompt"), self.select))

    def _secrets_of_size(self, size: int) -> Secrets:
        """The planted secrets in runs of a size; () but for the largest."""
        return self.pilot.planted if size == self.plan.sizes[-1] else ()

    # Training.

    async def _train_once(self, work: TrainingWork) -> str:
        """Train the model of a run once and pay for it once, whatever happened before."""
        trainer = self.pilot.trainer
        key = work.job.key
        before = self._state_of_run(key)
        if before is not None and before.state == "trained":
            if trainer.is_kept(work, before.model):
                return self._count_cost(key, before.model, before.usd)
            self.pilot.say("a trained model is gone, and is trained again")
        name = self._name_of_run(work)
        self.pilot.say(name)
        run = await self._begin_run(work, before, name)
        try:
            ended = await trainer.finish(
                work, run, lambda progress: self.pilot.say(f"{name}, {progress}")
            )
        except TrainingFailedError as caught:
            raise self._note_failure(key, name, caught, run, caught.usd) from None
        except (TrainingStoppedError, CallError) as caught:  # a job there goes on
            self.raise_if_stopped(Stop(str(caught)))
            raise
        more = ended._asdict()
        if before is not None and before.brought:  # so is the run that was waited for
            more["brought"] = True
        self._note_state(key, "trained", job=run, **more)
        return self._count_cost(key, ended.model, ended.usd)

    def _state_of_run(self, key: str) -> TrainedModel | None:
        """The last state of a run that was written down; None for one that never began."""
        state = self.trained.get(key)
        if state is not None and state.state == "trained":
            return state
        entry = self.calls.ledger.find(key)
        if entry is None or entry.reply is None:
            return state
        # the ledger has the model: the line that says so was lost
        return self._note_state(
            key,
            "trained",
            model=entry.reply.text,
            usd=entry.usd,
            brought=entry.brought,
        )

    def _name_of_run(self, work: TrainingWork) -> str:
        """A run in words: its number among all, or its rate in a sweep."""
        keys = [other.job.key for other in self.pilot.works]
        if work.job.key not in keys:
            return f"training at rate {work.recipe.rate:g}: {work.job.size} examples"
        place = keys.index(work.job.key) + 1
        return f"training {place} of {len(keys)}: {work.job.size} examples"

    async def _begin_run(
        self, work: TrainingWork, before: TrainedModel | None, name: str
    ) -> str:
        """Begin a run, unless it may have begun before, and return its id at its service."""
        trainer = self.pilot.trainer
        ledger = self.calls.ledger
        key = work.job.key
        submitted = before is not None and before.state == "submitted"
        if before is not None and submitted:
            run: str | None = before.job
        else:
            run = await self._find_begun_run(work, name)
        try:
            if ledger.find(key) is None:  # a new run, or the ledger was moved away
                self._reserve(key, trainer.usd_most(work))
            if not run:
                run = await trainer.begin(work)
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
        """Ask the service for a run that may have begun, and return its id; None for no such run.

        Where that can't be known, the run stays in doubt, and StoppedError is raised.
        """
        trainer = self.pilot.trainer
        ledger = self.calls.ledger
        key = work.job.key
        # its money was put aside, so it may have been sent, and may show there a little later
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
        why = str(caught)[:300]
        self._note_state(key, "failed", job=run, why=why)
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
        self, verify: VerifyResult, table: Mapping[int, Any], *, ended: bool
    ) -> PilotResult:
        """Put together the pilot's result with its learning curve and card.

        ``table`` has the judged arm's scores by size: a row for each seed, a column for each case.
        """
        size = max(table)
        rows = [arm_row(self.lab, arm, self.lab.plan.report) for arm in self.reported]
        rows.sort(key=lambda row: ranking_value(row.quality), reverse=True)
        target = self.pilot.lab.case.targets.quality
        curve = learning_curve(
            list(table),
            list(table.values()),
            clusters_of(self.select),
            margin=self.plan.margin or LEAST_GAIN,
            target=target.at_least if target else None,
        )
        # what a pilot didn't look at keeps the record's own unknown
        looked_at: dict[str, Any] = {}
        if self.plan.seeds > 1:
            looked_at["seeds_apart"] = _spread_of_seeds(table[size])
        routed = self._routed_way()
        if routed is not None:
            looked_at["routed"] = routed.way
        of_tuned = self._routed_tuned(self._reported_arm(verify.plan.tuned))
        if of_tuned is not None:
            looked_at["routed_tuned"] = of_tuned.way
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
            spend=self.calls.spend,
            ended_by_rule=ended,
            stopped=verify.stopped,
            card=self._card(verify, size),
        )

    def _card(self, verify: VerifyResult, size: int) -> PilotCard:
        """The card with the pilot's answer, and for a go how well prompts were searched."""
        lab = self.pilot.lab
        dossier = decide(lab.case, lab.framework, as_of=lab.as_of)
        assert self.held is not None  # the comparison has held it
        available = self.pilot.available
        facts = CardFacts(
            case=lab.case,
            plan=self.plan,
            verify=verify,
            held=self.held,
            probes=self.safety,
            simpler=self.simpler,
            spent_usd=self.calls.spend.paid,
            money=dossier.investment,
            best_known=not self._why_best_unknown(),
            more_examples=available if available > size else 0,
            base=base_known(self.plan.way, self.pilot.base, self.plan.recipe, lab),
        )
        made = card(facts, lab.as_of)
        if made.answer == "go":
            unsearched = say_unsearched(lab, dossier.ceiling.grade, self.calls.ledger)
            made = made.model_copy(update={"unsearched": unsearched})
        return made

    def evidence(self, result: PilotResult) -> Measured:
        """Return the evidence of the pilot for the case, whatever its card says.

        A pilot is a lab as well: a ceiling lab would have found the same about the untuned ways. So
        the evidence has its arms, the gain by tuning if it is known, the numbers of things tried,
        and the number of examples that is enough.
        """
        gain = self._gain(result)
        enough = enough_examples(result, self.pilot.lab.as_of)
        kept = self._evidence_of_prompts()
        if gain is not None:
            kept.insert(0, gain)
        if enough is not None:
            kept.append(enough)
        series = arms_series("pilot", self._arms(result))
        measured = measured_in(result, *kept, series=(series,))
        brought = measured.brought_answers + result.brought_models
        return measured.model_copy(update={"brought_answers": brought})

    def _evidence_of_prompts(self) -> list[Evidence]:
        """The best prompt's share on the held-out cases, and what was tried beside it."""
        lab = self.pilot.lab
        plan = self.lab.plan
        as_of = lab.as_of
        kept = list[Evidence]()
        best = next(arm for arm in self.reported if arm.kind == "prompt")
        source = f"{PILOT_SOURCE}{best.id}"
        share = self.scores.share(best, plan.report, exact=True)
        if not isinstance(share, Unknown) and not self._why_best_unknown():
            method = f"{lab.scorer} on cases that chose nothing"
            kept.append(
                best_prompt_evidence(
                    best, share, plan, as_of, source=source, method=method
                )
            )
        rows = [arm_row(self.lab, arm, self.select) for arm in plan.arms]
        prompts = [row.arm for row in rows if row.arm.kind == "prompt"]
        different = distinct(plan, prompts, lab.framework)
        kept += tried_evidence(rows, plan, different, as_of, source)
        kept += options_evidence(rows, as_of, "pilot")
        return kept

    def _gain(self, result: PilotResult) -> Evidence | None:
        """The gain by tuning. A "no" of a small base says nothing about a larger one in use today."""
        verify = result.verify
        base = self.pilot.base.id
        same_model = any(
            arm.id == verify.plan.untuned and arm.model == base
            for arm in self.lab.plan.arms
        )
        speaks_for_case = same_model or verify.outcome == "improved"
        return gain_evidence(
            verify,
            self.pilot.lab.as_of,
            id="tuned_gain" if speaks_for_case else "pilot_gain",
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
        """Every arm as judged, and last the untuned routed way if there is one."""
        arms = self._arms_as_judged(tuned, gain, untuned, skills)
        routed = self._routed_way()
        if routed is None:
            return arms
        return (*arms, routed.arm)

    def _routed_way(self) -> MeasuredRouting | None:
        """The way with the head where it is sure, and the best prompt elsewhere; None without one."""
        plan = self.lab.plan
        routed = route(plan, self.scores, self.reported, margin=self.plan.margin)
        if routed is None:
            return None
        return routed_arm("pilot", plan, self.scores, routed, self.pilot.lab.as_of)

    def _routed_tuned(self, tuned: Arm) -> MeasuredRouting | None:
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
        """Every arm; the tuned ones have skills and safety, and the judged one its gain."""
        arms = measured_arms(
            "pilot", self.lab.plan, self.scores, self.reported, self.pilot.lab.as_of
        )
        routed = self._routed_tuned(tuned)
        if routed is not None:  # routing is as private, able and safe as its model
            arms = (*arms, routed.arm)
        on_own_machine = self.plan.way != "hosted"
        for arm in arms:
            if arm.kind != "tuned":
                continue
            latency = arm.latency_p95_s
            # many calls at once share this machine: a call alone may be in time
            if on_own_machine and not isinstance(latency, Unknown):
                alone = {"low": 0.0, "source": _ALL_AT_ONCE}
                latency = latency.model_copy(update=alone)
            arms = with_found(
                arms,
                arm.id,
                model=self.pilot.base.id,
                private="yes" if on_own_machine else "no",
                latency_p95_s=latency,
                general_skills=skills,
                safe=is_safe(self.safety),
                best_known="no" if self._why_best_unknown() else "yes",
            )
        return with_found(arms, tuned.id, gain=gain, beside=untuned.id)


def mean_over_seeds(rows: Any) -> Any:
    """Return scores by case, the mean over the seeds that have one; NaN where none has."""
    answered = (~np.isnan(rows)).sum(axis=0)
    sums = np.nansum(rows, axis=0)
    unknown = np.full(len(sums), np.nan)
    return np.divide(sums, answered, out=unknown, where=answered > 0)


def _spread_of_seeds(rows: Any) -> Estimated:
    """The mean share right of the seeds, between the lowest and the highest of them."""
    by_seed = np.nanmean(rows, axis=1).tolist()
    return Estimated(value=float(np.mean(by_seed)), low=min(by_seed), high=max(by_seed))


def is_safe(probes: Sequence[SafetyProbe]) -> State:
    """Whether a tuned model kept its refusals and repeats no planted secret."""
    states = {probe.state for probe in probes}
    if "fell" in states:
        return "no"
    return "yes" if states == {"held"} else "unknown"


def enough_examples(result: PilotResult, as_of: date) -> Evidence | None:
    """Return the examples at which the curve reaches the target; None where neither end is known."""
    needed = result.curve.needed
    # an end in words says that the curve doesn't reach the target where it was looked at
    if isinstance(needed, Unknown) or isinstance(needed.low, str):
        return None
    is_open = isinstance(needed.high, str)
    return Evidence(
        id="enough_examples",
        factor="insufficient_data",
        value=needed.low if is_open else needed.high,
        low=needed.low,
        high="open" if is_open else needed.high,
        unit="examples",
        n=result.plan.sizes[-1],
        method="where the learning curve reaches the target, on the cases for selecting",
        source=f"pilot: {result.verify.plan.tuned}",
        observed_on=as_of,
    )
