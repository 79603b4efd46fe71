"""What every lab of a case begins with: its plan, its ledger, its price."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from tuneworthy.errors import CaseError, InputError, OutputError, StoppedError
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalset import named_evalset, parted, read_examples
from tuneworthy.files.materials import read_materials, read_prompts
from tuneworthy.files.stores import (
    ADJUDICATED,
    FOLDER,
    append_evidence,
    read_labels,
    write_choice,
    write_plan,
    write_prompts,
)
from tuneworthy.lab.judge import Judging, Said, reply_text
from tuneworthy.lab.plan import Pool, Setting, answer_text, plan_arms
from tuneworthy.lab.propose import (
    Bench,
    CutShortError,
    Wish,
    as_written,
    cost,
    extended,
    gepa,
    kept_in,
    parted_for,
    plateau,
    propose,
    told_of,
)
from tuneworthy.lab.race import (
    CEILING_RUN,
    Lab,
    Plan,
    all_jobs,
    chosen_arms,
    make_plan,
    own_work,
    plan_of,
    system_of,
    together,
)
from tuneworthy.lab.result import evidence_of, outcome
from tuneworthy.lab.scores import Scores, unanswered_text
from tuneworthy.lab.verify import (
    VERIFY_RUN,
    compare,
    general_jobs,
    general_skills,
    judge,
    write_down,
)
from tuneworthy.llm.choose import prices_of, transport_for
from tuneworthy.llm.endpoints import LOCAL, Reached, Transport, reach
from tuneworthy.llm.ledger import Ledger, Reading
from tuneworthy.llm.runner import Job, PriceOf, Runner, quote, total
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case, Materials, Model, PromptVariant, TokenPrice
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evalset import EvalCase, digest_of
from tuneworthy.model.framework import Framework
from tuneworthy.model.lab import (
    Arm,
    CeilingResult,
    ChatMessage,
    Gain,
    JudgePlan,
    Proposing,
    Quote,
    Request,
    Settled,
    Stand,
    VerifyResult,
    canonical_json,
)
from tuneworthy.pipeline import decide, framework_of, load_case
from tuneworthy.report.sections.lab import (
    CORRECT,
    asked_row,
    ceiling_dict,
    ceiling_page,
    general_row,
    judge_text,
    quote_dict,
    quote_page,
    verify_dict,
    verify_page,
)
from tuneworthy.scoring import Marker, default_scorers
from tuneworthy.scoring.base import Kit, Scorer, make
from tuneworthy.scoring.judge import Judge
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.weigh import figures

# What requests and scorers of a lab are made from, beside the case file.


def examples_of(case: Case, cases: tuple[EvalCase, ...], seed: int) -> tuple[EvalCase, ...]:
    """Solved cases to show: the team's examples, else the cases for selecting."""
    held = case.data.examples
    path = beside(case, "data.examples", held.path if held else None)
    if path is not None and path.is_file():
        return read_examples(path)
    return parted(cases, seed=seed)[0]


def kit_of(
    case: Case, materials: Materials, cases: tuple[EvalCase, ...], *, allow_code: bool
) -> Kit:
    """What scorers are made from; a file they name is read beside the case and nowhere else."""

    def read(name: str) -> str:
        path = beside(case, "data.evaluation", name)
        if path is None:
            raise CaseError("has no folder", where=case.name, fix="keep the case in a folder")
        return read_text(path, MIB, CaseError)

    return Kit(
        materials=materials,
        labels=_labels(cases),
        read=read,
        folder=case.folder,
        allow_code=allow_code,
    )


def _labels(cases: tuple[EvalCase, ...]) -> tuple[str, ...]:
    """The answers there are, where they are few and short enough to be labels."""
    told = [one for one in cases if one.accepted]
    found = sorted({answer_text(each) for one in told for each in one.accepted})
    short = all(isinstance(a, str) and 0 < len(a) <= 80 for one in told for a in one.accepted)
    return tuple(found) if short and len(found) <= min(200, max(2, len(told) // 2)) else ()


def lab_kit_as_written(schema: Mapping[str, Any]) -> str:
    """A schema as text, its keys in the order of the file: constrained output is written in it."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def grammar_of(labels: tuple[str, ...]) -> str | None:
    """A grammar that allows nothing but the labels; None where answers are no labels."""
    if not labels:
        return None
    return "root ::= " + " | ".join(canonical_json(label) for label in labels)


# A model that judges a lab's outputs: which one, by what rubric, and what people have said.

LABELS = 50
"""Cases of a part that people label where nothing else is said."""
SCALE = "yes-no"
"""What people say of an output for a lab: a target is a share of cases, each a yes or a no."""


@dataclass(frozen=True, slots=True)
class JudgeAsked:
    """The judge that somebody names."""

    rubric: str | Path
    """File with what an output has to meet."""
    model: str
    """One of the case's models, or another."""
    base_url: str = ""
    """Where another is served; empty for its provider's usual address."""
    usd_per_mtok: tuple[float, float] | None = None
    """Price of another for input and output; its list price where it isn't given."""
    labels: int = LABELS
    """Cases of a part on which people's word counts."""


def judging_of(
    case: Case, asked: JudgeAsked, *, seed: int, max_tokens: int, as_of: date
) -> Judging:
    """A judge that can be asked, with the labels that are there.

    Raises:
        InputError: If the rubric can't be read, or nobody knows the judge's address or price.
    """
    text = rubric_text(asked.rubric)
    model = _model(case, asked)
    place = reach(model)
    if _price_missing(case, model, place, as_of):
        fix = "give its price in USD for a million tokens: --judge-price IN OUT; 0 is a price"
        raise InputError(f'"{model.id[:80]}" has no price', where="--judge-model", fix=fix)
    plan = JudgePlan(
        model=model.id,
        base_url=asked.base_url,
        file=Path(asked.rubric).name,
        rubric=digest_of(text, SCALE),
        labels=asked.labels,
        seed=seed,
        max_tokens=max_tokens,
    )
    judge = make(Judge, text, Kit())
    said = people_said(case, plan.rubric)
    return Judging(judge, place, model, plan, said, given=str(asked.rubric))


def rubric_text(path: str | Path) -> str:
    """A rubric as it is shown and asked by.

    Raises:
        InputError: If it can't be read, or nothing stands in it.
    """
    text = read_text(Path(path), MIB, CaseError).strip()
    if not text:
        raise CaseError("holds no rubric", where=str(path), fix="write what an output has to meet")
    return text


def people_said(case: Case, rubric: str) -> Said:
    """What people say of outputs: what was settled, else the mean of all who labelled it."""
    given: dict[tuple[str, str], list[float]] = {}
    settled: dict[tuple[str, str], float] = {}
    for name, labels in read_labels(case).items():
        last = {(one.case, one.output, one.rubric): one for one in labels}
        for one in last.values():
            if one.task == "rubric" and one.rubric == rubric and one.value in ("yes", "no"):
                key, value = (one.case, one.output), float(one.value == "yes")
                if name == ADJUDICATED:
                    settled[key] = value
                else:
                    given.setdefault(key, []).append(value)
    return {key: sum(said) / len(said) for key, said in given.items()} | settled


def refuse_judge_checks(cases: Sequence[EvalCase], metric: str) -> None:
    """A judge among the checks of a set would be asked by nobody.

    Raises:
        CaseError: If there is one.
    """
    among = [one.id for one in cases if any(check.scorer == "judge" for check in one.checks)]
    if among or metric.strip().casefold() == "judge":
        where = f"case {among[0][:60]}" if among else "targets.quality.metric"
        fix = "name it for the whole lab: --judge RUBRIC --judge-model MODEL"
        raise CaseError(
            "names a judge, which needs a model and people's labels", where=where, fix=fix
        )


def _model(case: Case, asked: JudgeAsked) -> Model:
    known = next((one for one in case.callable_models if one.id == asked.model), None)
    more = asked.base_url or asked.usd_per_mtok is not None
    if known is not None and more:
        fix = "leave out --judge-url and --judge-price, or name another model"
        what = f'"{asked.model[:80]}" is a model of the case, with its own address and price'
        raise InputError(what, where="--judge-model", fix=fix)
    if known is not None:
        return known
    told: dict[str, object] = {"id": asked.model, "base_url": asked.base_url or None}
    if asked.usd_per_mtok is not None:
        read, wrote = asked.usd_per_mtok
        told["usd_per_mtok"] = TokenPrice(input=read, output=wrote)
    try:
        return Model.model_validate(told)
    except ValueError:
        fix = "give an address that starts with https:// or http://, without a key"
        raise InputError("has an address that is none", where="--judge-url", fix=fix) from None


def _price_missing(case: Case, model: Model, place: Reached, as_of: date) -> bool:
    request = Request(
        provider=place.provider,
        base_url=place.base_url,
        model=place.name,
        messages=(ChatMessage(role="user", content=""),),
    )
    return prices_of((*case.models, model), as_of)(request) is None


# What every lab of a case begins with: its plan, its ledger, its price.

CALLS = "calls.sqlite3"
"""The ledger of paid calls, in the folder of what is computed for a case."""
MOST_TOKENS = 512
"""Tokens an answer may have where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A lab that could run."""

    case: Case
    framework: Framework
    plan: Plan
    scores: Scores
    scorer: str
    """What scores the answers, in words for the report."""
    as_of: date
    """The day, for prices and evidence."""
    wish: Wish | None = None
    """Prompts that a generator shall propose; None for none."""

    @property
    def price_of(self) -> PriceOf:
        """What its calls cost."""
        writer = (self.wish.model,) if self.wish else ()
        judging = self.scores.judging
        judge = (judging.model,) if judging else ()
        return prices_of((*self.case.models, *writer, *judge), self.as_of)

    @property
    def judge(self) -> JudgePlan | None:
        """Who judges; None where rules score."""
        return self.scores.judging.plan if self.scores.judging else None


def prepare(
    source: str | Path,
    *,
    chosen: str | None = None,
    seed: int = 0,
    repeats: int = 1,
    max_tokens: int = MOST_TOKENS,
    allow_code: bool = False,
    as_of: date | None = None,
    judge: JudgeAsked | None = None,
    scored: bool = True,
) -> Ready:
    """Plan a lab; nothing is sent.

    Args:
        source: The case folder or file.
        chosen: Framework; the case's own when not given.
        seed: For the split of the cases and their order.
        repeats: Times each case is asked.
        max_tokens: Tokens an answer may have.
        allow_code: Whether scorers that are functions of the user's own may run.
        as_of: The day; today when not given.
        judge: A model that judges outputs in place of scorers; baselines are left out then.
        scored: False keeps cases that no scorer can judge, for people to label what was answered.

    Raises:
        InputError: If the case has no models, prompts or evaluation set, or one of them is wrong.
    """
    case = load_case(source)
    cases, prompts = named_evalset(case), read_prompts(case)
    if cases is None:
        fix = f"make one: tuneworthy evalset {source}, then name it under data.evaluation"
        raise CaseError("names no evaluation set", where=case.where("data"), fix=fix)
    _prompts_fit(case, prompts)
    materials = read_materials(case)
    kit = kit_of(case, materials, cases, allow_code=allow_code)
    day = as_of or date.today()  # the local day, as everywhere
    if judge is None and scored:
        told, scores, name = _by_rules(case, cases, kit)
    else:
        judging = None
        if judge is not None:
            judging = judging_of(case, judge, seed=seed, max_tokens=max_tokens, as_of=day)
        told, scores = together(cases), Scores(Marker((), kit), judging)
        name = judging.name if judging else ""
    pool = Pool(examples_of(case, told, seed))
    setting = Setting(
        prompts={one.name: one for one in prompts},
        reached={model.id: reach(model) for model in case.callable_models},
        pool=pool,
        schema=None if (of := materials.output_schema) is None else lab_kit_as_written(of),
        grammar=grammar_of(kit.labels),
        max_tokens=max_tokens,
    )
    _constraints_fit(case, prompts, setting)
    arms = plan_arms(case, prompts, told, len(pool), schema=setting.schema is not None)
    if judge is not None:
        arms = tuple(arm for arm in arms if arm.kind != "baseline")
    plan = make_plan(arms, told, setting, repeats=repeats, seed=seed)
    _parts_fit(case, plan, source)
    return Ready(case, framework_of(case, chosen), plan, scores, name, day)


def _by_rules(
    case: Case, cases: tuple[EvalCase, ...], kit: Kit
) -> tuple[tuple[EvalCase, ...], Scores, str]:
    """The cases that scorers can judge, the scorers, and their names."""
    metric = case.targets.quality.metric if case.targets.quality else ""
    refuse_judge_checks(cases, metric)
    scorers = default_scorers(cases, kit, metric)
    marker = Marker(scorers, kit)
    told = _judged(case, together(cases), marker, scorers)
    name = " and ".join(one.id for one in scorers) or "the checks of each case"
    return told, Scores(marker), name


def _prompts_fit(case: Case, prompts: tuple[PromptVariant, ...]) -> None:
    if not prompts:
        fix = "name a folder of prompts under data.prompts, one file a variant"
        raise CaseError("names no prompts", where=case.where("data"), fix=fix)
    if not case.callable_models:
        fix = 'list them: models: [{id: "openai:gpt-4o-mini"}]'
        what = "names no models" + (" that can be called" if case.models else "")
        raise CaseError(what, where=case.where("models"), fix=fix)
    known = [model.id for model in case.callable_models]
    for one in prompts:
        if one.model is not None and one.model not in known:
            what = f'has no model "{one.model[:60]}", for which prompt "{one.name[:60]}" is written'
            fix = did_you_mean(one.model, known)
            raise CaseError(what, where=case.where("models"), fix=fix)


def _constraints_fit(case: Case, prompts: tuple[PromptVariant, ...], setting: Setting) -> None:
    """A prompt that wants constrained output, and nothing to constrain it by."""
    for one in prompts:
        if one.constrained == "schema" and setting.schema is None:
            fix = "name a JSON Schema under data.output_schema"
        elif one.constrained == "grammar" and setting.grammar is None:
            fix = "give every case one of a few labels as its reference, or take constrained out"
        else:
            continue
        what = f'prompt "{one.name[:60]}" is constrained by a {one.constrained} that isn\'t there'
        raise CaseError(what, where=case.where("data"), fix=fix)


def _judged(
    case: Case, cases: tuple[EvalCase, ...], marker: Marker, scorers: Sequence[Scorer]
) -> tuple[EvalCase, ...]:
    """The cases that can be judged: what nobody labelled isn't paid for.

    Every scorer is made here, so that a wrong one is told before anything is sent.
    """
    for one in cases:
        marker.scorers(one)
    free = not all(scorer.compares for scorer in scorers)
    found = tuple(one for one in cases if free or one.accepted or one.checks)
    if not found or (not scorers and not any(one.checks for one in found)):
        fix = "label it: tuneworthy evalset, or give cases a reference or checks"
        where = case.where("data", "evaluation")
        raise CaseError("has an evaluation set without a right answer", where=where, fix=fix)
    return found


def _parts_fit(case: Case, plan: Plan, source: str | Path) -> None:
    if not plan.select or not plan.report:
        what = "has too few cases to part into some that choose and some that report"
        fix = f"make more: tuneworthy evalset {source}"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)


def lab_quoted(ready: Ready) -> Quote:
    """What the lab would cost; nothing is sent, and no ledger is made.

    Raises:
        InputError: If the case has no folder, or its ledger can't be read.
    """
    with ledger_or_none(ready.case) as ledger:
        return price(ready, ledger)


def price(ready: Ready, ledger: Ledger | None) -> Quote:
    """The most a lab can cost: every arm to its end, then the dearest that may be reported on.

    Prompts that are still to be proposed count as long as they can get.
    """
    price_of = ready.price_of

    def of_plan(plan: Plan) -> Quote:
        return _of_plan(plan, ledger, price_of, ready.scores.judging)

    if ready.wish is None:
        return of_plan(ready.plan)
    bench = Bench(ready.plan, ready.wish, ready.scores.marker, kept_in(ledger))
    return cost(bench, ledger, price_of, of_plan)


def _of_plan(
    plan: Plan, ledger: Ledger | None, price_of: PriceOf, judging: Judging | None
) -> Quote:
    def of(arms: Sequence[Arm], cases: Sequence[EvalCase]) -> Quote:
        return quote(all_jobs(plan, judging, arms, cases, ledger), ledger, price_of)

    parts = [of(plan.arms, plan.select)]
    for kind in ("prompt", "tuned"):
        each = [of([arm], plan.report) for arm in plan.arms if arm.kind == kind]
        most = 2 if judging is not None and kind == "prompt" else 1  # a judge's choice has a rival
        parts += sorted(each, key=lambda one: (one.usd_most, one.calls))[-most:]
    return total(parts)


def refuse_unpriced(told: Quote) -> None:
    """A call without a price can't be held under a cap.

    Raises:
        CaseError: If a model of the lab has none.
    """
    if told.unpriced:
        fix = "state usd_per_mtok under models; 0 is a price"
        raise CaseError(f'"{told.unpriced[0][:80]}" has no price', fix=fix)


def transport_of(ready: Ready, at_once: int) -> Transport:
    """What carries the lab's requests to the models of its case.

    Raises:
        InputError: If a key or a library is missing.
    """
    places = [*ready.plan.setting.reached.values()]
    places += [ready.wish.place] if ready.wish else []
    places += [ready.scores.judging.place] if ready.scores.judging else []
    return transport_for(places, at_once=at_once)


def ledger_or_none(case: Case) -> AbstractContextManager[Ledger | None]:
    """The ledger of a case to read, also beside a run; None where nothing was ever sent for it.

    Raises:
        InputError: If the case has no folder, or a link leads out of it.
    """
    path = _ledger_path(case)
    return Reading(path) if os.path.lexists(path) else nullcontext()


def ledger_of(case: Case) -> Ledger:
    """The ledger of a case's paid calls, to write.

    Raises:
        InputError: If the case has no folder, or another run is using it.
    """
    return Ledger(_ledger_path(case))


def _ledger_path(case: Case) -> Path:
    path = beside(case, FOLDER, f"{FOLDER}/{CALLS}")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    return path


# Prompts that a generator proposes for a ceiling lab: who writes, what is sent, what is kept.

FEWEST_TAUGHT = 3
"""Cases a generator has to learn from."""
_TELL_EVERY = 4  # calls: written texts are few and slow
_LOOK_S = 5.0  # seconds after which a waiting thread looks whether anybody will answer
_NONE = Unknown(ask="let a generator propose prompts: --propose 5")
_CUT = Unknown(ask="run it to its end")


def with_proposals(ready: Ready, draws: int, model: str | None = None) -> Ready:
    """A lab in which a generator proposes prompts first. Some cases are parted off to learn from.

    Args:
        ready: The lab without.
        draws: Times the generator is begun afresh; 0 for none.
        model: Id of the model that writes; the case's first prompted one when not given. One that
            the case doesn't list is called at its provider, at its list price.

    Raises:
        InputError: If gepa isn't installed, the model can't be reached or is too weak, or there is
            nothing to begin from or to learn from.
    """
    if not draws:
        if model is not None:
            raise CaseError("nothing is to be proposed", fix="add --propose 5")
        return ready
    case = ready.case
    if not as_written(ready.plan.arms):
        fix = "add the model that is prompted today"
        raise CaseError("names no model but tuned ones", where=case.where("models"), fix=fix)
    if ready.scores.judging is not None:
        fix = "propose with a scorer that is a rule; let a model judge what came in a second run"
        raise CaseError("a judging model's word alone is no ground to write prompts by", fix=fix)
    gepa()
    writer = _writer(case, model)
    plan, taught = parted_for(ready.plan)
    if len(taught) < FEWEST_TAUGHT:
        what = f"has {len(taught)} cases for selecting that a generator could learn from"
        fix = f"make more: {FEWEST_TAUGHT} are the fewest, and one in three is taken"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    return replace(ready, plan=plan, wish=Wish(draws, writer, reach(writer), taught))


def _writer(case: Case, model: str | None) -> Model:
    """The model that writes."""
    if model is None:
        found = next(one for one in case.callable_models if one.kind == "prompted")
    else:
        named = (one for one in case.callable_models if one.id == model)
        found = next(named, None) or Model(id=model)
    if found.base_url is None and found.id.startswith(f"{LOCAL}:"):
        fix = "name a capable one, as --propose-with openai:gpt-5"
        raise CaseError(f'model "{found.id}" is too weak to write prompts', fix=fix)
    return found


@dataclass(frozen=True, slots=True)
class Added:
    """A plan with the prompts that were proposed, and what is told of them."""

    plan: Plan
    proposing: Proposing | Unknown = _NONE
    plateau: Gain | Unknown = _NONE
    stopped: str = ""
    """Why it ended before its end; empty where it didn't."""


async def add(
    ready: Ready,
    ledger: Ledger,
    transport: Transport,
    *,
    cap_usd: float,
    at_once: int,
    watch: Callable[[Stand], None] | None,
    on_interrupt: Callable[[Callable[[], None]], None],
) -> Added:
    """Have prompts proposed, keep them beside the case, and score every draw on the same cases.

    All calls count against the lab's cap. A lab without a wish is given back as it is.

    Raises:
        InputError: If the ledger can't be used, or a prompt can't be kept.
    """
    if ready.wish is None:
        return Added(ready.plan)
    telling = _Telling(ledger, cap_usd, watch, len(ready.plan.arms))
    runner = Runner(
        ledger,
        transport,
        ready.price_of,
        run=CEILING_RUN,
        cap_usd=cap_usd,
        at_once=at_once,
        progress=telling.one_more,
    )
    on_interrupt(runner.stop)
    loop = asyncio.get_running_loop()

    def ask(jobs: Sequence[Job]) -> Mapping[str, Settled]:
        return _waited(asyncio.run_coroutine_threadsafe(_all(runner, jobs), loop), loop)

    bench = Bench(ready.plan, ready.wish, ready.scores.marker, ask)
    try:
        found = await asyncio.to_thread(propose, bench)
        drawn = [one for one in found.draws if one is not None]
        assert found.parent is not None  # it ran to its end
        more = extended(ready.plan, found.parent, drawn)
        write_prompts(ready.case, more.prompts)
        jobs = [
            (job, arm, case)
            for arm in dict.fromkeys(more.arms)
            for case in more.plan.select
            for job in more.plan.jobs(arm, case)
        ]
        settled = await _all(runner, [job for job, *_ in jobs])
    except CutShortError as cut:
        return Added(ready.plan, _CUT, _CUT, stopped=str(cut))
    scores = Scores(ready.scores.marker)
    for job, arm, case in jobs:
        scores.call(arm.id, case, settled[job.key], system_of(job.request))
    told = told_of(ready.wish, found.parent, drawn, more, scores)
    return Added(more.plan, told, plateau(drawn, more, scores))


async def _all(runner: Runner, jobs: Sequence[Job]) -> Mapping[str, Settled]:
    """What became of some calls.

    Raises:
        CutShortError: If some weren't sent.
    """
    outcome = await runner.all(jobs)
    found = {job.key: outcome.settled.get(job.key) for job in jobs}
    known = {key: one for key, one in found.items() if one is not None}
    if outcome.stopped or len(known) < len(found):
        raise CutShortError(outcome.why)
    return known


def _waited(
    future: Future[Mapping[str, Settled]], loop: asyncio.AbstractEventLoop
) -> Mapping[str, Settled]:
    """What a call on the loop gives, for a thread beside it; a loop that is over gives nothing."""
    while True:
        try:
            return future.result(timeout=_LOOK_S)
        except TimeoutError:
            if future.done() or loop.is_closed():
                raise


class _Telling:
    """Says how proposing stands, every few calls."""

    def __init__(
        self, ledger: Ledger, cap_usd: float, watch: Callable[[Stand], None] | None, arms: int
    ) -> None:
        self._ledger, self._cap, self._watch, self._arms = ledger, cap_usd, watch, arms
        self._done = 0

    def one_more(self, found: Settled) -> None:
        """A call has ended."""
        del found
        self._done += 1
        if self._watch is not None and self._done % _TELL_EVERY == 0:
            told = Unknown(ask="wait for the first round")
            self._watch(
                Stand(
                    arm="",
                    quality=told,
                    done=self._done,
                    of=0,
                    running=self._arms,
                    spend=self._ledger.spend(CEILING_RUN, self._cap),
                )
            )


# What a judge and the general tasks add to a quote.


def judge_rows(ready: Ready) -> tuple[tuple[str, str], ...]:
    """Who judges, as a row of a quote; () where rules score."""
    judging = ready.scores.judging
    if judging is None:
        return ()
    return (("Judge", judge_text(judging.plan, len(own_work(judging, ready.plan.arms)))),)


def verify_price(ready: Ready, ledger: Ledger | None) -> Quote:
    """The most a verification can cost: the choice, both arms' untouched cases, general tasks.

    Which models answer the general tasks isn't known before the choice: the dearest of each kind
    count.
    """
    parts = [price(ready, ledger)]
    for kind in ("prompt", "tuned"):
        arms = {arm.model: arm for arm in ready.plan.arms if arm.kind == kind}
        each = [
            quote([job for job, _ in general_jobs(ready.plan, arm)], ledger, ready.price_of)
            for arm in arms.values()
        ]
        parts += sorted(each, key=lambda one: (one.usd_most, one.calls))[-1:]
    return total(parts)


# Stopping while calls are on the wire: send nothing more, and wait for what is paid already.


class Handle:
    """Stops a run from any thread, as the first Ctrl-C does; also one that hasn't begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._tell: Callable[[], object] | None = None

    @property
    def asked(self) -> bool:
        """Whether somebody has asked for the stop."""
        return self._asked

    def stop(self) -> None:
        """Ask for it; asking twice is asking once."""
        with self._lock:
            if not self._asked and self._tell is not None:
                self._tell()
            self._asked = True

    def held_by(self, tell: Callable[[], object] | None) -> None:
        """Name what is told from now on; None once the run is over."""
        with self._lock:
            self._tell = tell
            if self._asked and tell is not None:
                tell()


@contextmanager
def stopped_by_user(handle: Handle | None = None) -> Iterator[Callable[[Callable[[], None]], None]]:
    """The first Ctrl-C stops a run and lets it end; the second ends the program at once.

    Only in the main thread, where signals arrive; elsewhere a handle is what stops it.

    Args:
        handle: Stops it from another thread.

    Yields:
        A function that takes what is to be called on Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    todo: list[Callable[[], None]] = []

    def pressed() -> None:
        # other threads, and loops of systems without signals, refuse
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
        for each in todo:
            each()

    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, pressed)
    if handle is not None:
        handle.held_by(lambda: loop.call_soon_threadsafe(pressed))
    try:
        yield todo.append
    finally:
        if handle is not None:
            handle.held_by(None)
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)


# The ceiling lab of a case: quote, run, report, and evidence in its ledger.

Watch = Callable[[Stand], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A lab that ran."""

    result: CeilingResult
    dossier: Dossier
    before: Dossier
    folder: str
    rubric: str = ""
    """How the user named a judge's rubric."""


def ceiling_run(
    ready: Ready,
    *,
    cap_usd: float,
    at_once: int = 16,
    ask_again: bool = False,
    watch: Watch | None = None,
    transport: Transport | None = None,
    source: str = ".",
    handle: Handle | None = None,
) -> Done:
    """Run the lab to its end, the cap or a stop, and add what it shows to the case's evidence.

    Args:
        ready: The plan.
        cap_usd: The most its calls may cost, those of earlier runs included.
        at_once: The most calls on the wire.
        ask_again: Send calls in doubt once more; some of them may be paid twice.
        watch: Told how it stands.
        transport: What sends, in place of the case's own endpoints.
        source: How the user named the case.
        handle: Stops it from another thread.

    Raises:
        InputError: If a model has no price, an endpoint can't be reached or a ledger can't be used.
    """
    case, framework, as_of = ready.case, ready.framework, ready.as_of
    before = decide(case, framework, as_of=as_of)
    with ledger_of(case) as ledger:
        if ask_again:
            ledger.release(CEILING_RUN)
        told = price(ready, ledger)
        refuse_unpriced(told)
        result, plan = asyncio.run(
            _ceiling_go(ready, ledger, transport, cap_usd, at_once, watch, told, handle)
        )
    measured = evidence_of(result, plan, as_of)
    if measured is not None:
        append_evidence(case, measured)
    rubric = ready.scores.judging.given if ready.scores.judging else ""
    return Done(result, decide(case, framework, as_of=as_of), before, source, rubric)


async def _ceiling_go(
    ready: Ready,
    ledger: Ledger,
    transport: Transport | None,
    cap_usd: float,
    at_once: int,
    watch: Watch | None,
    told: Quote,
    handle: Handle | None,
) -> tuple[CeilingResult, Plan]:
    sends = transport or transport_of(ready, at_once)
    try:
        with stopped_by_user(handle) as on_interrupt:
            more = await add(
                ready,
                ledger,
                sends,
                cap_usd=cap_usd,
                at_once=at_once,
                watch=watch,
                on_interrupt=on_interrupt,
            )
            lab = Lab(
                more.plan,
                ready.scores,
                ledger,
                sends,
                ready.price_of,
                cap_usd=cap_usd,
                at_once=at_once,
                watch=watch,
            )
            on_interrupt(lab.stop)
            lab.stopped = more.stopped
            chosen = () if lab.stopped else await _raced(ready, lab)
    finally:
        await sends.close()
    quality = ready.case.targets.quality
    result = outcome(
        lab,
        chosen,
        ready.framework,
        target=quality.at_least if quality else None,
        quote=told,
        spend=ledger.spend(CEILING_RUN, cap_usd),
        scorer=ready.scorer,
        published=figures(ready.case),
    )
    told_too = {"proposing": more.proposing, "plateau": more.plateau}
    return result.model_copy(update=told_too), lab.plan


async def _raced(ready: Ready, lab: Lab) -> tuple[Arm, ...]:
    """The arms that were chosen on one part of the cases, after they met the other."""
    await lab.race()
    chosen = chosen_arms(lab.plan, ready.scores, lab.dropped)
    if chosen and not lab.stopped:
        write_choice(ready.case, plan_of(lab.plan, chosen, ready.as_of, ready.judge))
        await lab.report(chosen)
    return chosen


def ceiling_render(done: Done, form: str = "text", *, colour: bool = False) -> str:
    """What the lab found, as ``text`` or ``json``."""
    if form == "json":
        return ceiling_dict(done.result, done.dossier)
    return ceiling_page(
        done.result,
        done.dossier,
        done.before,
        folder=done.folder,
        rubric=done.rubric,
        colour=colour,
    )


def ceiling_render_quote(
    ready: Ready,
    told: Quote,
    form: str = "text",
    *,
    cap_usd: float | None = None,
    colour: bool = False,
) -> str:
    """The plan and what it would cost, as ``text`` or ``json``."""
    plan = ready.plan
    parts = len(plan.select), len(plan.report)
    wish = ready.wish
    asked = (wish.draws, wish.model.id, len(wish.taught)) if wish else None
    if form == "json":
        names = ("draws", "model", "shown")
        told_too = asked and dict(zip(names, asked, strict=True))
        return quote_dict(plan.arms, *parts, told, told_too, judge=ready.judge)
    published = tuple(one.model for one in figures(ready.case))
    more = (*((asked_row(*asked),) if asked else ()), *judge_rows(ready))
    return quote_page(
        plan.arms, *parts, told, published=published, more=more, cap_usd=cap_usd, colour=colour
    )


# Did tuning work? The tuned model of a case against its best untuned arm.


def run(
    ready: Ready,
    *,
    cap_usd: float,
    margin: float = 0.0,
    again: bool = False,
    ask_again: bool = False,
    at_once: int = 16,
    watch: Watch | None = None,
    transport: Transport | None = None,
) -> VerifyResult:
    """Choose both arms on the cases for selecting, write the plan down, then compare.

    What the ceiling lab has paid for is used again; what is new counts against this cap.

    Args:
        ready: The lab's plan, from ``prepare``.
        cap_usd: The most all its calls may cost, those of earlier runs included.
        margin: Share of cases by which the tuned arm has to be better.
        again: Compare something else than the plan that was written down.
        at_once: The most calls on the wire.
        ask_again: Send calls in doubt once more; some of them may be paid twice.
        watch: Told how the choice stands.
        transport: What sends, in place of the case's own endpoints.

    Raises:
        InputError: If the case has no tuned model, a model has no price, or another plan was
            written down before.
        StoppedError: If it was stopped before both arms were chosen, or an arm got too few answers
            to be chosen among.
    """
    _refuse_one_sided(ready)
    with ledger_of(ready.case) as ledger:
        if ask_again:
            ledger.release(VERIFY_RUN)
        refuse_unpriced(verify_price(ready, ledger))
        return asyncio.run(_go(ready, ledger, cap_usd, margin, again, at_once, watch, transport))


def quoted(ready: Ready) -> Quote:
    """What verifying would send at most, the general tasks among it; nothing is sent.

    Raises:
        InputError: If there is nothing to compare, the case has no folder, or its ledger is in use.
    """
    _refuse_one_sided(ready)
    with ledger_or_none(ready.case) as ledger:
        return verify_price(ready, ledger)


def _refuse_one_sided(ready: Ready) -> None:
    """A case without a tuned model, or with nothing but tuned ones."""
    where = ready.case.where("models")
    if not any(arm.kind == "tuned" for arm in ready.plan.arms):
        told = any(model.published for model in ready.case.models)
        what = "names only published figures of tuned models, and a figure can't be called"
        fix = "add it to models with kind: tuned; it may be served anywhere"
        raise CaseError(what if told else "names no tuned model", where=where, fix=fix)
    if not any(arm.kind == "prompt" for arm in ready.plan.arms):
        fix = "add the model that is prompted today, to hold the tuned one against"
        raise CaseError("names no model but tuned ones", where=where, fix=fix)


async def _go(
    ready: Ready,
    ledger: Ledger,
    cap_usd: float,
    margin: float,
    again: bool,
    at_once: int,
    watch: Watch | None,
    transport: Transport | None,
) -> VerifyResult:
    sends = transport or transport_of(ready, at_once)
    price_of = ready.price_of
    lab = Lab(
        ready.plan,
        ready.scores,
        ledger,
        sends,
        price_of,
        cap_usd=cap_usd,
        at_once=at_once,
        watch=watch,
        run=VERIFY_RUN,
    )
    try:
        with stopped_by_user() as on_interrupt:
            on_interrupt(lab.stop)
            await lab.race()
            if lab.stopped:
                fix = "run it again to go on, with a larger --budget where that was in the way"
                raise StoppedError(f"{lab.stopped}; what was paid for is kept", fix=fix)
            called = (arm for arm in ready.plan.arms if arm.kind != "baseline")
            if lost := unanswered_text(lab.unanswered(called, ready.plan.select)):
                raise StoppedError(f"not judged: {lost}", fix=CORRECT)
            arms = _pair(chosen_arms(ready.plan, ready.scores, lab.dropped))
            plan = write_down(
                ready.plan,
                *arms,
                margin=margin,
                scorer=ready.scorer,
                as_of=ready.as_of,
                judge=ready.judge,
            )
            plan = write_plan(ready.case, plan, again=again)
            found = await compare(
                ready.plan,
                arms,
                ready.scores,
                ledger,
                sends,
                price_of,
                cap_usd=cap_usd,
                at_once=at_once,
                starts=on_interrupt,
            )
    finally:
        await sends.close()
    return judge(plan, ready.plan, arms, found, ledger.spend(VERIFY_RUN, cap_usd))


def _pair(chosen: tuple[Arm, ...]) -> tuple[Arm, Arm]:
    """The tuned arm, and the best untuned one."""
    tuned = next((arm for arm in chosen if arm.kind == "tuned"), None)
    if tuned is None:
        raise CaseError("has no scored arm to compare", fix="look at: tuneworthy ceiling")
    return tuned, chosen[0]


def render(
    result: VerifyResult,
    form: str = "text",
    *,
    folder: str = ".",
    rubric: str = "",
    colour: bool = False,
) -> str:
    """The result as ``text`` or ``json``."""
    if form == "json":
        return verify_dict(result)
    return verify_page(result, folder=folder, rubric=rubric, colour=colour)


def render_quote(
    ready: Ready,
    told: Quote,
    form: str = "text",
    *,
    cap_usd: float | None = None,
    colour: bool = False,
) -> str:
    """What would be compared and what it would cost, as ``text`` or ``json``."""
    plan = ready.plan
    arms = [arm for arm in plan.arms if arm.kind != "baseline"]
    parts, general = (len(plan.select), len(plan.report)), len(general_skills())
    if form == "json":
        return quote_dict(arms, *parts, told, general=general, judge=ready.judge)
    more = (*judge_rows(ready), general_row(general))
    return quote_page(arms, *parts, told, more=more, cap_usd=cap_usd, colour=colour)


# What the arms of a lab answered, read back from the ledger of paid calls.


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers by arm and case."""

    cases: tuple[EvalCase, ...]
    """The evaluation set in the order of its file."""
    outputs: dict[str, dict[str, str]]
    """By arm, then by id of the case; the first answer where there are repeats."""

    def arms(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Arms by name, all of them where none is named.

        Raises:
            InputError: If one isn't an arm that answered.
        """
        for name in wanted:
            if name not in self.outputs:
                fix = did_you_mean(name, tuple(self.outputs))
                raise InputError(f'"{name[:80]}" answered nothing', where="ARM", fix=fix)
        return tuple(sorted(wanted or self.outputs))


def answered(source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS) -> Answered:
    """The answers that are in the ledger of a case; nothing is sent.

    Args:
        source: The case.
        seed: As the lab was given it: another one may have shown other examples.
        max_tokens: As the lab was given it.

    Raises:
        InputError: If the case can't run a lab, or none of its answers are there.
    """
    ready = prepare(source, seed=seed, max_tokens=max_tokens, scored=False)
    outputs = outputs_of(ready)
    if not outputs:
        fix = f"run the lab first: tuneworthy ceiling {source}; give the same --max-tokens here"
        raise CaseError("no arm has answered yet", where=str(source), fix=fix)
    return Answered(named_evalset(ready.case) or (), outputs)


def outputs_of(ready: Ready) -> dict[str, dict[str, str]]:
    """What a lab's arms have answered so far: by arm, then by id of the case.

    Raises:
        InputError: If the ledger can't be read.
    """
    outputs: dict[str, dict[str, str]] = {}
    with ledger_or_none(ready.case) as ledger:
        if ledger is None:
            return {}
        for arm in ready.plan.arms:
            for case in (*ready.plan.select, *ready.plan.report):
                jobs = ready.plan.jobs(arm, case)
                settled = ledger.find(jobs[0].key) if jobs else None
                if settled and settled.reply and not settled.reply.lacks:
                    outputs.setdefault(arm.id, {})[case.id] = reply_text(settled.reply)
    return outputs
