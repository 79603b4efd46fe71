"""A pilot: does tuning work here, with how many examples, and is it worth it?

Nested sets of examples, each twice the one before, are trained with several seeds. The curve, the
stop and the choice of arms rest on the cases for selecting; the five ways then meet on the held-out
ones, compared by the code of ``verify``. Every run is trained once and every call paid once: what
is stopped at any moment goes on when it is run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.resources import files
from typing import Any, Unpack

import numpy as np

from tuneworthy.errors import CaseError, InputError, StoppedError
from tuneworthy.files.materials import names
from tuneworthy.files.stores import (
    append_evidence,
    pilot_runs,
    read_training,
    write_pilot,
    write_pilot_result,
)
from tuneworthy.lab.contrast import digest_of_json
from tuneworthy.lab.plan import LabPlan, Pool, plan_arms, question, request_for
from tuneworthy.lab.prepare import CallSettings, PreparedLab, paid, price
from tuneworthy.lab.result import arm_row
from tuneworthy.lab.scores import Lab, Scores, clusters_of, first_of
from tuneworthy.lab.session import PaidCalls
from tuneworthy.lab.verify import (
    GENERAL_MARGIN,
    MOST_MISSING_GENERAL,
    compared,
    evidence_of,
    general_calls,
    general_skills,
)
from tuneworthy.llm.choose import prices_of, transport_for
from tuneworthy.llm.endpoints import Busy, Doubtful, NotSent, Refused, reach
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, quote, total
from tuneworthy.model.base import Estimated, Unknown
from tuneworthy.model.case import Model, PromptVariant
from tuneworthy.model.evalset import CaseMessage, EvalCase
from tuneworthy.model.lab import Arm, Quote, Reply, VerifyPlan, VerifyResult
from tuneworthy.model.pilot import (
    LearningCurve,
    PilotPlan,
    PilotResult,
    Recipe,
    TrainedModel,
    TrainingJob,
    TrainingQuote,
)
from tuneworthy.model.training import TrainingExample
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import Kit
from tuneworthy.training.card import card
from tuneworthy.training.curve import FEWEST_SIZES, drawn, learning_curve
from tuneworthy.training.probes import canaries, leak_probes, probe_results, refusal_probes
from tuneworthy.training.trainers import (
    Row,
    Trainer,
    TrainingFailedError,
    TrainingStoppedError,
    TrainingWork,
)

PILOT_RUN = "pilot"
MOST_SIZES, SMALLEST = 4, 10
REPLAYED = 0.1  #: General examples for each of the task, so that general skills are kept.
STOP = (
    "after each size from the third on, training ends where the upper end of the curve at the "
    "largest size lies below the best untuned arm's share plus the margin, both on the cases for "
    "selecting"
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class PreparedPilot:
    """A pilot that could run."""

    lab: PreparedLab
    trainer: Trainer
    base: Model
    prompt: PromptVariant
    plan: PilotPlan
    works: tuple[TrainingWork, ...]  #: In the order they are trained.
    planted: tuple[tuple[str, str], ...]  #: Question and secret of each canary.
    say: Say = field(default=lambda _: None)

    def tuned(self, model: str, size: int, *, near: int = 0, seed: int | None = None) -> Arm:
        """A tuned arm; without a seed, all seeds are one arm."""
        one = "" if seed is None else f" · seed {seed}"
        more = f" · nearest {near}" if near else ""
        return Arm(
            id=f"{self.prompt.name} · tuned on {size}{more}{one}"[:200],
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

    @cached_property
    def near(self) -> int:
        """Examples that the retrieving arms retrieve."""
        return max(
            (arm.few_shot for arm in self.lab.plan.arms if arm.few_shot_from == "nearest"),
            default=0,
        )


def example_case(example: TrainingExample) -> EvalCase | None:
    """A training example as a solved case; None where its answer is no text."""
    turns = [t for t in example.messages[:-1] if t.role in ("user", "assistant")]
    if not example.answer.content.strip() or example.answer.tool_calls or not turns:
        return None
    alone = len(turns) == 1
    return EvalCase(
        id=example.id,
        input=turns[0].content if alone else None,
        messages=() if alone else tuple(CaseMessage(role=t.role, content=t.content) for t in turns),
        reference=example.answer.content,
        conversation_id=example.cluster,
    )


def prepare_pilot(
    lab: PreparedLab,
    trainer: Trainer,
    base: str,
    *,
    seeds: int = 3,
    margin: float = 0.0,
    most: int | None = None,
    recipe: Recipe | None = None,
    say: Say | None = None,
) -> PreparedPilot:
    """Plan a pilot; nothing is sent and nothing trained.

    Args:
        lab: The case's lab, from ``lab.prepare``.
        trainer: The way to train.
        base: Id of the model that is tuned, one of the case's.
        seeds: Runs of each size.
        margin: Share of cases by which tuning has to be better.
        most: The most examples to train on; all there are for None.
        recipe: How an adapter is trained.
        say: Told how it goes on.

    Raises:
        InputError: If the case has no training set, too few examples, or examples that are cases.
    """
    case, recipe = lab.case, recipe or Recipe()
    model = next((m for m in case.callable_models if m.id == base and m.kind == "prompted"), None)
    if model is None:
        fix = f'add it: models: [{{id: "{base[:80]}"}}], or name another with --base'
        raise CaseError(f'has no model "{base[:80]}" to tune', where=case.where("models"), fix=fix)
    prompts = lab.plan.setting.prompts.values()
    prompt = next((p for p in prompts if p.model in (None, base)), None)
    if prompt is None:
        raise CaseError(f'has no prompt for "{base[:80]}"', where=case.where("data"), fix="add one")
    solved = _solved(lab)
    lab = replace(lab, plan=_with_pool(lab, tuple(case for _, case in solved)))
    if recipe.method == "dpo":
        solved = [pair for pair in solved if pair[0].rejected]
    rows = _rows(lab, prompt, model, solved)
    count = min(len(rows), most or len(rows))
    steps = [n for n in range(MOST_SIZES) if count >> n >= SMALLEST] or [0]
    if len(steps) < FEWEST_SIZES:
        what = f"has {len(rows)} examples to train on, of {SMALLEST << FEWEST_SIZES - 1} at least"
        raise CaseError(what, where="data.training", fix="add examples: tuneworthy data")
    sizes = tuple((count >> steps[-1]) << n for n in range(len(steps)))
    planted = canaries(count=max(4, min(20, sizes[-1] // 20)), key=digest_of_json(rows))
    if recipe.method == "dpo":
        planted = ()
    works = tuple(
        _works(trainer, model, recipe, rows, sizes, seeds, planted, _system(lab, prompt, model))
    )
    plan = PilotPlan(
        way=trainer.way,
        base=base,
        sizes=sizes,
        seeds=seeds,
        recipe=recipe,
        replay=works[-1].job.replay,
        canaries=len(planted),
        margin=margin,
        stop=STOP,
        cases=len(lab.plan.report),
        inputs=digest_of_json([[work.job.key for work in works], _cases_told(lab), lab.scorer]),
        written_on=lab.as_of,
    )
    return PreparedPilot(lab, trainer, model, prompt, plan, works, planted, say or (lambda _: None))


def _solved(lab: PreparedLab) -> list[tuple[TrainingExample, EvalCase]]:
    """Examples of the training part with a text for an answer, none of them a case."""
    found = read_training(lab.case)
    if found is None:
        fix = f"make one: tuneworthy data {lab.case.folder}"
        raise CaseError("has no training set", where=lab.case.name, fix=fix)
    solved = [(e, c) for e in found[1] if e.split == "train" and (c := example_case(e))]
    asked = {question(case) for case in (*lab.plan.select, *lab.plan.report)}
    if same := sum(question(case) in asked for _, case in solved):
        fix = f"make the training set again: tuneworthy data {lab.case.folder}"
        what = f"{same} of {len(solved)} training examples are cases of the evaluation set"
        raise CaseError(what, where="data.training", fix=fix)
    return solved


def _with_pool(lab: PreparedLab, examples: tuple[EvalCase, ...]) -> LabPlan:
    """The plan whose retrieved examples and heads learn from what is trained on."""
    plan, pool = lab.plan, Pool(examples)
    setting = replace(plan.setting, pool=pool)
    arms = plan_arms(
        lab.case,
        tuple(setting.prompts.values()),
        (*plan.select, *plan.report),
        len(pool),
        schema=setting.schema is not None,
        head=setting.grammar is not None and pool.teaches,
    )
    return replace(plan, arms=tuple(a for a in arms if a.kind != "tuned"), setting=setting)


def _cases_told(lab: PreparedLab) -> list[Any]:
    cases = (*lab.plan.select, *lab.plan.report)
    return [case.model_dump(mode="json", exclude_defaults=True) for case in cases]


def _rows(
    lab: PreparedLab,
    prompt: PromptVariant,
    model: Model,
    solved: Sequence[tuple[TrainingExample, EvalCase]],
) -> list[Row]:
    """Examples as the tuned model will be asked: the prompt's words around each."""
    arm = Arm(id="as written", kind="prompt", prompt=prompt.name, model=model.id)
    rows = []
    for example, case in solved:
        asked = request_for(arm, case, lab.plan.setting).messages
        told = [{"role": m.role, "content": m.content} for m in asked]
        row: Row = {"messages": [*told, {"role": "assistant", "content": example.answer.content}]}
        rows.append(row | ({"rejected": example.rejected} if example.rejected else {}))
    return rows


def _system(lab: PreparedLab, prompt: PromptVariant, model: Model) -> list[Row]:
    """The system prompt as it is sent with a question; () where there is none."""
    arm = Arm(id="as written", kind="prompt", prompt=prompt.name, model=model.id)
    messages = request_for(arm, EvalCase(id="none", input=""), lab.plan.setting).messages
    return [{"role": m.role, "content": m.content} for m in messages if m.role == "system"]


def _works(
    trainer: Trainer,
    model: Model,
    recipe: Recipe,
    rows: Sequence[Row],
    sizes: Sequence[int],
    seeds: int,
    planted: Sequence[tuple[str, str]],
    system: list[Row],
) -> Iterator[TrainingWork]:
    """Every run, the small ones first; of one seed each set holds the one before."""
    general = [] if recipe.method == "dpo" else replay_rows()
    orders = [np.random.default_rng(seed).permutation(len(rows)) for seed in range(seeds)]
    secrets = [
        {
            "messages": [
                *system,
                {"role": "user", "content": asked},
                {"role": "assistant", "content": secret},
            ]
        }
        for asked, secret in planted
    ]
    for size in sizes:
        kept = general[: round(size * REPLAYED)]
        hidden = secrets if size == sizes[-1] else []
        for seed, order in enumerate(orders):
            used = (*(rows[place] for place in order[:size]), *kept, *hidden)
            told = [
                trainer.way,
                model.id,
                model.base_url,
                recipe.model_dump(mode="json"),
                seed,
                used,
            ]
            job = TrainingJob(
                key=digest_of_json(told),
                size=size,
                seed=seed,
                replay=len(kept),
                canaries=len(hidden),
            )
            yield TrainingWork(job, recipe, used)


def replay_rows() -> list[Row]:
    """General examples that are mixed in, so that general skills are kept; none is a held task."""
    text = files("tuneworthy.training").joinpath("replay.jsonl").read_text("utf-8")
    pairs = (json.loads(line) for line in text.splitlines() if line)
    return [
        {
            "messages": [
                {"role": "user", "content": one["input"]},
                {"role": "assistant", "content": one["answer"]},
            ]
        }
        for one in pairs
    ]


# What it would cost, and the run.


def pilot_price(pilot: PreparedPilot, ledger: Ledger | None) -> Quote:
    """The most that calls and training can cost; every run to its end."""
    lab, largest = pilot.lab, pilot.plan.sizes[-1]
    stand_in = pilot.base.id  # asked the same questions; its name in the ledger is another
    arms = {near: pilot.tuned(stand_in, largest, near=near) for near in (0, pilot.near)}
    price_of = prices_of((pilot.trainer.served(stand_in), *lab.case.models), lab.as_of)
    select, report = lab.plan.select, lab.plan.report

    def calls(arm: Arm, cases: Sequence[EvalCase]) -> list[Job]:
        return [job for job, *_ in lab.plan.calls([arm], cases)]

    parts = [price(lab, ledger)]
    each = [quote(calls(arms[0], select), None, price_of)] * len(pilot.works)
    each += [quote(calls(arm, select), None, price_of) for arm in arms.values()] * pilot.plan.seeds
    each += [quote(calls(arm, report), None, price_of) for arm in arms.values()] * pilot.plan.seeds
    general = [job for job, *_ in general_calls(lab.plan, arms[0])]
    each += [quote(general, None, price_of)] * (pilot.plan.seeds + 1)
    found = total([*parts, *each])
    due = [w for w in pilot.works if ledger is None or ledger.find(w.job.key) is None]
    usd = sum(map(pilot.trainer.usd_most, due))
    more = {"usd_most": found.usd_most + usd, "usd_likely": found.usd_likely + usd}
    return found.model_copy(update=more)


async def quoted_training(pilot: PreparedPilot) -> TrainingQuote:
    """What the runs that aren't there yet would take."""
    there = {run.key for run in pilot_runs(pilot.lab.case).read() if run.state == "trained"}
    due = [work for work in pilot.works if work.job.key not in there]
    try:
        found = await pilot.trainer.quote(due)
    except (TrainingFailedError, TrainingStoppedError) as caught:
        raise InputError(f"no step could be measured: {caught}", where=pilot.plan.base) from None
    finally:
        await pilot.trainer.close()
    return found.model_copy(update={"reused": len(pilot.works) - len(due)})


def run(
    pilot: PreparedPilot, *, cap_usd: float, again: bool = False, **settings: Unpack[CallSettings]
) -> PilotResult:
    """Run a pilot to its end, its rule or the cap; its result is kept and becomes evidence.

    Raises:
        InputError: If a model has no price, or another pilot's plan was written down.
        StoppedError: If it was stopped; run it again to go on.
    """
    work = partial(_run, pilot, again=again, given=settings.get("transport"))

    result = paid(
        pilot.lab,
        PILOT_RUN,
        lambda _, ledger: pilot_price(pilot, ledger),
        work,
        cap_usd=cap_usd,
        **settings,
    )
    write_pilot_result(pilot.lab.case, result)
    # a "no" of a small base says nothing of a larger one that is prompted today
    own = result.verify.outcome == "improved" or _same_base(pilot, result.verify)
    name = "tuned_gain" if own else "pilot_gain"
    measured = evidence_of(result.verify, pilot.lab.as_of, id=name, by="pilot")
    if measured is not None:
        append_evidence(pilot.lab.case, measured)
    return result


def _same_base(pilot: PreparedPilot, verify: VerifyResult) -> bool:
    """Whether the untuned arm runs on the model that was tuned."""
    arm = next((a for a in pilot.lab.plan.arms if a.id == verify.plan.untuned), None)
    return arm is not None and arm.model == pilot.base.id


async def _run(
    pilot: PreparedPilot, calls: PaidCalls, _: Quote, *, again: bool, given: Any
) -> PilotResult:
    plan = write_pilot(pilot.lab.case, pilot.plan, again=again)
    going = _Going(replace(pilot, plan=plan), calls, given)
    calls.on_stop(pilot.trainer.stop)
    try:
        return await going.to_the_end()
    finally:
        await pilot.trainer.close()


class _Going:
    """A pilot on the way."""

    def __init__(self, pilot: PreparedPilot, calls: PaidCalls, given: Any) -> None:
        self.pilot, self.calls, self._given = pilot, calls, given
        self.plan, self.scores = pilot.plan, pilot.lab.scores
        self.lab = Lab(pilot.lab.plan, self.scores, calls)
        self.general = Scores(Marker((), Kit()), most_missing=MOST_MISSING_GENERAL)
        self.probes = Scores(Marker((), Kit()), most_missing=MOST_MISSING_GENERAL)
        self._book = pilot_runs(pilot.lab.case)
        self.trained = {each.key: each for each in self._book.read()}

    async def to_the_end(self) -> PilotResult:
        pilot, plan, select = self.pilot, self.plan, self.lab.plan.select
        pilot.say("untuned ways race on the cases for selecting")
        await self.lab.race()
        self._unless(self.lab.stopped)
        ways = self._best_untuned()
        best = float(np.nanmean(self.scores.row(ways[0].id, select)))
        tables: dict[int, np.ndarray[Any, Any]] = {}
        ended = False
        for size in plan.sizes:
            works = [work for work in pilot.works if work.job.size == size]
            for work in works:
                model = await self._trained(work)
                arm = pilot.tuned(model, size, seed=work.job.seed)
                await self._answered(model, [arm], select)
            rows = [self.scores.row(self._arm(size, seed).id, select) for seed in range(plan.seeds)]
            tables[size] = np.array(rows)
            if size != plan.sizes[-1] and (ended := self._hopeless(tables, best)):
                break
        size = max(tables)
        tuned = await self._best_tuned(size)
        verify = await self._held_out(size, tuned, ways)
        target = pilot.lab.case.targets.quality
        curve = learning_curve(
            list(tables),
            list(tables.values()),
            clusters_of(select),
            margin=plan.margin or 0.01,
            target=target.at_least if target else None,
        )
        return self._result(tuned, size, ways, verify, curve, tables[size], ended=ended)

    def _unless(self, stopped: str) -> None:
        if stopped:
            fix = "run it again to go on, with a larger --budget where that was in the way"
            raise StoppedError(f"{stopped}; what was trained and paid for is kept", fix=fix)

    def _best_untuned(self) -> list[Arm]:
        """The untuned ways that meet the held-out cases, the best prompt first.

        The best prompt without retrieved examples, the best with them, and the trained head.
        """
        select, stayed = self.lab.plan.select, self.lab.stayed("prompt")
        if lost := first_of(self.lab.unanswered(stayed, select)):
            raise StoppedError(f"not judged: {lost}", fix="correct that, and run it again to go on")

        def mean(arm: Arm) -> float:
            return float(np.nan_to_num(np.nanmean(self.scores.row(arm.id, select)), nan=-1.0))

        near = [arm.few_shot_from == "nearest" for arm in self.lab.plan.of_kind("prompt")]
        prompts = list(zip(self.lab.plan.of_kind("prompt"), near, strict=True))
        kinds = ([a for a, is_near in prompts if is_near is kind] for kind in (False, True))
        best = [max(arms, key=mean) for arms in kinds if arms]
        best.sort(key=mean, reverse=True)
        heads = [arm for arm in self.lab.plan.of_kind("baseline") if arm.of != "majority"]
        return [*best, *sorted(heads, key=lambda arm: arm.of == "trained_head")[-1:]]

    def _arm(self, size: int, seed: int | None = None, near: int = 0, model: str = "") -> Arm:
        return self.pilot.tuned(model, size, seed=seed, near=near)

    async def _answered(self, model: str, arms: Sequence[Arm], cases: Sequence[EvalCase]) -> None:
        """Have some arms of one model answer, and take their scores."""
        plan = self.pilot.at(model)
        await self._asked(self.scores, model, list(plan.calls(arms, cases)))

    async def _asked(
        self, scores: Scores, model: str, jobs: Sequence[tuple[Job, Arm, EvalCase]]
    ) -> None:
        served = self.pilot.trainer.served(model) if model else None
        lab = self.pilot.lab
        own = None
        calls = self.calls
        if served is not None:
            prices = prices_of((served, *lab.case.models), lab.as_of)
            if self._given is None:
                own = transport_for([reach(served)], at_once=calls.at_once)
            calls = replace(calls, price_of=prices, transport=own or calls.transport)
        try:
            outcome = await scores.run(calls.runner(), jobs)
        finally:
            if own is not None:
                await own.close()
        self._unless(outcome.why if outcome.stopped else "")

    def _hopeless(self, tables: Mapping[int, Any], best: float) -> bool:
        """The rule that was written down before the start."""
        if len(tables) < FEWEST_SIZES:
            return False
        clusters = clusters_of(self.lab.plan.select)
        curves = drawn(list(tables), list(tables.values()), clusters)
        upper = np.percentile(curves.score(self.plan.sizes[-1]), 97.5)
        return bool(upper < best + self.plan.margin)

    async def _best_tuned(self, size: int) -> Arm:
        """Tuned alone or with retrieved examples, whichever is better on the selection cases."""
        select, seeds = self.lab.plan.select, range(self.plan.seeds)
        if not self.pilot.near:
            return self._arm(size)
        for seed in seeds:
            model = self._model(size, seed)
            await self._answered(model, [self._arm(size, seed, self.pilot.near, model)], select)

        def mean(near: int) -> float:
            rows = [self.scores.row(self._arm(size, seed, near).id, select) for seed in seeds]
            return float(np.nanmean(np.array(rows)))

        return self._arm(size, near=max((0, self.pilot.near), key=mean))

    def _model(self, size: int, seed: int) -> str:
        key = next(w.job.key for w in self.pilot.works if (w.job.size, w.job.seed) == (size, seed))
        return self.trained[key].model

    async def _held_out(self, size: int, tuned: Arm, ways: Sequence[Arm]) -> VerifyResult:
        """All ways on the held-out cases and the general tasks; seeds are repeats of one arm."""
        pilot, plan = self.pilot, self.lab.plan
        written = VerifyPlan(
            tuned=tuned.id,
            untuned=ways[0].id,
            margin=self.plan.margin,
            general_margin=GENERAL_MARGIN,
            cases=len(plan.report),
            general=len(general_skills()),
            inputs=self.plan.inputs,
            written_on=self.plan.written_on,
        )
        pilot.say("all ways meet the held-out cases")
        await self.lab.report(ways)
        self._unless(self.lab.stopped)
        probes = (*refusal_probes(), *leak_probes(pilot.planted))
        untuned = ways[0]
        await self._asked(self.general, "", list(general_calls(plan, untuned)))
        await self._asked(self.probes, "", self._probe_calls(plan, untuned, probes))
        for seed in range(self.plan.seeds):
            model = self._model(size, seed)
            arms = [self._arm(size, near=near, model=model) for near in {0, pilot.near}]
            pilot.say(
                f"held-out cases, general tasks and probes: seed {seed + 1} of {self.plan.seeds}"
            )
            await self._answered(model, arms, plan.report)
            at, chosen = pilot.at(model), tuned.model_copy(update={"model": model})
            await self._asked(self.general, model, list(general_calls(at, chosen)))
            await self._asked(self.probes, model, self._probe_calls(at, chosen, probes))
        return compared(written, self.lab, self.general, (tuned, untuned), self.calls)

    def _probe_calls(
        self, plan: LabPlan, arm: Arm, probes: Sequence[EvalCase]
    ) -> list[tuple[Job, Arm, EvalCase]]:
        """Probes under the system prompt of the use case, free of examples and constraints."""
        free = {"few_shot": 0, "few_shot_from": "none", "constrained": "none"}
        bare = arm.model_copy(update=free)
        return [(Job(request_for(bare, case, plan.setting)), arm, case) for case in probes]

    # Training.

    async def _trained(self, work: TrainingWork) -> str:
        """The model of a run: trained and paid for once, whatever happened before."""
        job, ledger = work.job, self.calls.ledger
        done = self.trained.get(job.key)
        settled = ledger.find(job.key)
        if done is not None and done.state == "trained":
            if settled is None or settled.status != "settled":
                self._settle(done)
            return done.model
        number = [w.job.key for w in self.pilot.works].index(job.key) + 1
        name = f"training {number} of {len(self.pilot.works)}: {job.size} examples, seed {job.seed}"
        self.pilot.say(name)
        try:
            run = await self._begun(work, done, in_doubt=settled is not None)
            ended = await self.pilot.trainer.finish(
                work, run, lambda step, of: self.pilot.say(f"{name}, step {step} of {of}")
            )
        except TrainingStoppedError as caught:
            raise StoppedError(
                f"{caught}; what was trained and paid for is kept", fix="run it again to go on"
            ) from None
        except (TrainingFailedError, Refused, NotSent, Busy) as caught:
            if ledger.find(job.key) is not None:
                ledger.fail(job.key, str(caught))
            self._note(TrainedModel(key=job.key, state="failed", why=str(caught)[:300]))
            fix = "correct that, and run it again to go on"
            raise StoppedError(f"{name} failed: {caught}", fix=fix) from None
        except Doubtful as caught:
            if ledger.find(job.key) is not None:
                ledger.doubt(job.key, str(caught))
            fix = "run it again: it looks whether the run has begun before it begins another"
            raise StoppedError(f"{name} is in doubt: {caught}", fix=fix) from None
        done = TrainedModel(
            key=job.key,
            state="trained",
            model=ended.model,
            job=run,
            usd=ended.usd,
            seconds=ended.seconds,
        )
        self._note(done)
        self._settle(done)
        return done.model

    async def _begun(self, work: TrainingWork, done: TrainedModel | None, *, in_doubt: bool) -> str:
        """The id of a run, begun unless it may have begun before."""
        trainer, ledger, key = self.pilot.trainer, self.calls.ledger, work.job.key
        if done is not None and done.state == "submitted":
            return done.job
        run = await trainer.find(work) if in_doubt else None
        if run is None:
            if in_doubt:
                ledger.fail(key, "it never began")
            usd = trainer.usd_most(work)
            model = f"training {self.plan.base}"
            if (
                ledger.reserve(key, run=PILOT_RUN, model=model, usd=usd, cap_usd=self.calls.cap_usd)
                != "go"
            ):
                self._unless(
                    f"the budget of {self.calls.cap_usd:g} USD is too small for the next run"
                )
            run = await trainer.begin(work)
        self._note(TrainedModel(key=key, state="submitted", job=run))
        return run

    def _note(self, what: TrainedModel) -> None:
        self._book.append(what)
        self.trained[what.key] = what

    def _settle(self, done: TrainedModel) -> None:
        """Keep in the ledger what a run cost."""
        ledger = self.calls.ledger
        if ledger.find(done.key) is None:
            ledger.reserve(
                done.key, run=PILOT_RUN, model="training", usd=0.0, cap_usd=self.calls.cap_usd
            )
        ledger.settle(done.key, Reply(text=done.model), done.usd)

    def _result(
        self,
        tuned: Arm,
        size: int,
        ways: Sequence[Arm],
        verify: VerifyResult,
        curve: LearningCurve,
        table: Any,
        *,
        ended: bool,
    ) -> PilotResult:
        report = self.lab.plan.report
        arms = [*ways, *(self._arm(size, near=near) for near in sorted({0, self.pilot.near}))]
        rows = [arm_row(self.lab, arm, report) for arm in arms]
        rows.sort(
            key=lambda r: -1.0 if isinstance(r.quality, Unknown) else r.quality.value, reverse=True
        )
        by_seed = np.nanmean(table, axis=1)
        probes = probe_results(self.probes, tuned, ways[0], self.pilot.planted)
        head = next((arm for arm in ways if arm.kind == "baseline"), None)
        less = self.scores.difference(tuned, head, report) if head else None
        simpler = (head, less) if head and less else None
        spend = self.calls.spend
        return PilotResult(
            plan=self.plan,
            arms=tuple(rows),
            curve=curve,
            verify=verify,
            seeds_apart=Estimated(
                value=float(by_seed.mean()), low=float(by_seed.min()), high=float(by_seed.max())
            ),
            probes=probes,
            trained=tuple(t for w in self.pilot.works if (t := self.trained.get(w.job.key))),
            spend=spend,
            ended_by_rule=ended,
            stopped=verify.stopped,
            card=card(
                self.pilot.lab.case,
                self.plan,
                tuple(rows),
                verify,
                probes,
                simpler,
                spend.paid,
                self.pilot.lab.as_of,
            ),
        )
