"""The start of every lab of a case: its plan and its scores, and its run with paid calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import TypedDict, TypeVar, Unpack

from tuneworthy.errors import CaseError, InputError, argument, refuse_wrong_clock
from tuneworthy.files.case import beside
from tuneworthy.files.config import read_config
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalset import named_evalset, parted, read_examples
from tuneworthy.files.materials import read_materials, read_prompts
from tuneworthy.files.stores import (
    files_now,
    read_latest,
    read_proposed,
    written_choice,
)
from tuneworthy.lab.judge import JudgeChoice, LabJudge, judge_setup
from tuneworthy.lab.plan import (
    FEWEST_TOKENS,
    LabPlan,
    Setting,
    joined,
    make_plan,
    plan_arms,
)
from tuneworthy.lab.pool import Cases, Pool, answer_text
from tuneworthy.lab.propose import ProposalRequest, parted_for
from tuneworthy.lab.scores import Scores
from tuneworthy.lab.session import (
    CEILING_RUN,
    SEARCH_RUN,
    PaidCalls,
    Watch,
    correct_spent,
    ledger_of,
    ledger_or_none,
    runs_beside,
    stopped_by_user,
    told_by,
    with_spent,
)
from tuneworthy.llm.choose import prices_of, transport_for
from tuneworthy.llm.endpoints import Reached, Transport, reach
from tuneworthy.llm.hosts import (
    find_strange_hosts,
    list_proxies,
    list_unconfirmed,
    read_host,
    refuse_unconfirmed,
)
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.prices import STATE_PRICE
from tuneworthy.llm.runner import TOKENS_A_BYTE, PriceOf, Stop
from tuneworthy.model.base import Strings, Unknown, as_bytes
from tuneworthy.model.case import Case, Materials, PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import MeasuredFile
from tuneworthy.model.framework import Framework
from tuneworthy.model.lab import JudgePlan, Quote, canonical_json
from tuneworthy.pipeline import framework_of, load_case
from tuneworthy.scoring import Marker, default_scorers
from tuneworthy.scoring.base import Kit, Output
from tuneworthy.syntax.document import did_you_mean

AT_ONCE = 16  #: Calls on the wire where nothing else is stated.
#: Goals whose outputs few references match.
JUDGED = frozenset({"persona", "generation"})
JUDGE = "have a model judge: --judge RUBRIC.md --judge-model MODEL"
MOST_CHOICES = 255  #: Labels that decision models choose among, as their makers say.
_LONGEST_LABEL = 80  # characters
_MOST_LABELS = 200
MOST_TOKENS = 0  #: Tokens an answer may have; 0 for what a probe of each model shows.
_END_TOKENS = 2  # what a model writes beside an answer: its end, and a blank


@dataclass(frozen=True, slots=True)
class PreparedLab:
    """A lab that is ready to run."""

    case: Case
    framework: Framework
    plan: LabPlan
    scores: Scores
    scorer: str  #: The scorer of the answers, in words for the report.
    as_of: date  #: The day, for prices and evidence.
    request: ProposalRequest | None = None
    """The search for better prompts before the race; None for none."""
    unsearched: str = ""  #: Why nothing is searched, though nobody turned it off.
    trusted: frozenset[str] = frozenset()
    """Models whose stated price counts, even below the list price or at 0."""
    #: Its cases and prompts as they were when it read them.
    files: tuple[MeasuredFile, ...] = ()
    confirmed: frozenset[str] = frozenset()
    """Hosts that the user confirmed, beside those that need no confirmation."""

    @property
    def callers(self) -> list[ProposalRequest | LabJudge]:
        """The callers of models beside the arms: the writer of prompts and the grader."""
        return [each for each in (self.request, self.scores.judge) if each is not None]

    @property
    def places(self) -> list[Reached]:
        """The places of all models that it may call."""
        beside_arms = [each.place for each in self.callers]
        return [*self.plan.setting.reached.values(), *beside_arms]

    @property
    def unconfirmed(self) -> Strings:
        """A sentence for each host that it would call and that nobody confirmed."""
        return list_unconfirmed(self.places, self.confirmed)

    @property
    def proxies(self) -> Strings:
        """The proxies that its calls would go through."""
        return list_proxies(place.base_url for place in self.places)

    @property
    def price_of(self) -> PriceOf:
        models = (caller.model for caller in self.callers)
        return prices_of((*self.case.models, *models), self.as_of, self.trusted)

    @property
    def judge(self) -> JudgePlan | None:
        """The plan of the grader; None where rules score."""
        return self.scores.judge.plan if self.scores.judge else None


def prepare(
    source: str | Path,
    *,
    seed: int = 0,
    repeats: int = 1,
    max_tokens: int = MOST_TOKENS,
    allow_code: bool = False,
    trust_prices: bool = False,
    as_of: date | None = None,
    judge: JudgeChoice | None = None,
    scored: bool = True,
    to: Collection[str] = (),
) -> PreparedLab:
    """Plan a lab; nothing is sent.

    By default, the framework is the case's own, and the day is today. ``seed`` is for the split of
    the cases and their order, and each case is asked ``repeats`` times. An answer may have
    ``max_tokens``; 0 means the limit that a probe of each model suggests. ``allow_code`` lets a
    user's own scorer functions run. ``trust_prices`` lets stated prices count below the list price,
    or at 0. A ``judge`` replaces the scorers, and baselines are left out then. Without ``scored``,
    cases stay that no scorer can judge, so that people can label the answers. Models may be called
    at the hosts in ``to``, beside those that need no confirmation. Raises InputError if the case
    has no models, prompts or evaluation set, or an invalid one.
    """
    confirmed = read_confirmed_hosts(to)
    if judge is not None and judge.base_url:
        # who names a grader's address on the command line confirms it
        confirmed |= {read_host(judge.base_url)}
    case = load_case(source)
    files = files_now(case, "evaluation", "prompts")
    cases = evalset_of(case, source)
    prompts = read_prompts(case)
    _refuse_prompts(case, prompts)
    materials = read_materials(case)
    kit = _kit(case, materials, cases, allow_code=allow_code)
    day = as_of or date.today()  # the local day, as everywhere
    cases = joined(cases)
    scorer = ""  # none, where people judge the answers
    if judge is not None:
        grader = judge_setup(case, judge, seed=seed, max_tokens=max_tokens, as_of=day)
        scores = Scores(Marker((), kit), grader)
        scorer = grader.name
    elif scored:
        cases, scores, scorer = _scored_by_rules(case, cases, kit)
    else:
        scores = Scores(Marker((), kit))
    setting = Setting(
        prompts={prompt.name: prompt for prompt in prompts},
        reached={model.id: reach(model) for model in case.models},
        pool=Pool(_examples(case, cases, seed)),
        schema=_schema_text(materials),
        # the GBNF of an answer that is one of the labels
        grammar="root ::= " + " | ".join(map(canonical_json, kit.labels))
        if kit.labels
        else None,
        # without a limit, the probes begin with the fewest
        max_tokens=max_tokens or FEWEST_TOKENS,
        labels=kit.labels,
        deciders=frozenset(model.id for model in case.models if model.api != "chat"),
        answer_tokens=_answer_tokens(case, cases, closed=bool(kit.labels)),
    )
    _refuse_constraints(case, prompts, setting)
    arms = plan_arms(
        case,
        prompts,
        cases,
        len(setting.pool),
        schema=setting.schema is not None,
        head=bool(setting.labels) and setting.pool.teaches,
    )
    if judge is not None:
        # people would have to label the outputs of baselines, too
        arms = tuple(arm for arm in arms if arm.kind != "baseline")
    plan = make_plan(arms, cases, setting, repeats=repeats, seed=seed)
    if not (plan.select and plan.report):
        what = "has too few cases to part into some that choose and some that report"
        fix = f"make more: tuneworthy evalset {argument(source)}"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    if not max_tokens:
        plan = _with_earlier_probes(case, plan.probing())
    trusted = {model.id for model in case.models} if trust_prices else set[str]()
    if judge is not None and judge.usd_per_mtok:
        trusted.add(judge.model)
    return PreparedLab(
        case,
        framework_of(case),
        plan,
        scores,
        scorer,
        day,
        trusted=frozenset(trusted),
        files=files,
        confirmed=confirmed,
    )


def _schema_text(materials: Materials) -> str | None:
    """Return the schema of outputs as JSON; None without one."""
    schema = materials.output_schema
    if schema is None:
        return None
    # keys in the order of the file: constrained output is written in it
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _with_earlier_probes(case: Case, plan: LabPlan) -> LabPlan:
    """Return a plan with the limit on answers by its probes, if the ledger has them."""
    jobs = plan.probe_jobs()
    if not jobs:
        return plan
    with ledger_or_none(case) as ledger:
        return plan.capped(ledger.find(job.key) for job in jobs if ledger)


def read_confirmed_hosts(to: Collection[str] = ()) -> frozenset[str]:
    """Return the hosts in a user's own configuration, and those named in a command."""
    hosts = set(read_config().confirmed_hosts)
    for text in to:
        try:
            hosts.add(read_host(text))
        except CaseError:
            fix = "name one, as llm.example.com"
            raise InputError(
                f'"{text[:80]}" is not a host', where="--to", fix=fix
            ) from None
    return frozenset(hosts)


def evalset_of(case: Case, source: str | Path) -> tuple[EvalCase, ...]:
    """The evaluation set of a case; a CaseError without one."""
    cases = named_evalset(case)
    if cases is None:
        fix = f"make one: tuneworthy evalset {argument(source)}, then name it under data.evaluation"
        raise CaseError("names no evaluation set", where=case.where("data"), fix=fix)
    return cases


def _answer_tokens(case: Case, cases: Cases, *, closed: bool) -> float | None:
    """Return the likely tokens of an answer: as a log measured them, as stated, else as right ones have.

    Where answers are a ``closed`` set of labels, the right answers decide. None without any of
    these.
    """
    if not closed:
        latest, _ = read_latest(case)
        measured = latest.get("output_tokens")
        if measured is not None and not isinstance(measured.value, Unknown):
            return measured.number
        stated = case.economics.traffic.output_tokens
        if stated is not None:
            return stated.likely
    texts = [answer_text(row.accepted[0]) for row in cases if row.accepted]
    if not texts:
        return None
    return fmean(len(as_bytes(text)) * TOKENS_A_BYTE for text in texts) + _END_TOKENS


def _examples(
    case: Case, cases: tuple[EvalCase, ...], seed: int
) -> tuple[EvalCase, ...]:
    """Return solved cases for examples: the team's examples, else the cases for selecting."""
    named = case.data.examples
    path = beside(case, "data.examples", named.path if named else None)
    if path is not None and path.is_file():
        return read_examples(path)
    select, _ = parted(cases, seed=seed)
    return select


def _kit(case: Case, materials: Materials, cases: Cases, *, allow_code: bool) -> Kit:
    """Return the materials for scorers. A file that they name is read only beside the case."""

    def read(name: str) -> str:
        path = beside(case, "data.evaluation", name)
        if path is None:
            raise CaseError(
                "has no folder", where=case.name, fix="keep the case in a folder"
            )
        return read_text(path, MIB, CaseError)

    return Kit(materials, _labels(cases), read, case.folder, allow_code)


def _labels(cases: Cases) -> tuple[str, ...]:
    """Return the different right answers, if they are few and short enough to be labels; else ()."""
    labels = set[str]()
    labelled = 0
    for case in cases:
        if case.accepted:
            labelled += 1
        for answer in case.accepted:
            if not isinstance(answer, str) or not 0 < len(answer) <= _LONGEST_LABEL:
                return ()
            labels.add(answer)
    # labels come again: of free texts, nearly every case has another one
    most = min(_MOST_LABELS, max(2, labelled // 2))
    return tuple(sorted(labels)) if len(labels) <= most else ()


def _scored_by_rules(
    case: Case, cases: Cases, kit: Kit
) -> tuple[tuple[EvalCase, ...], Scores, str]:
    """Return the cases that scorers can judge, the scorers, and their names.

    Raises CaseError where no case can be judged.
    """
    metric = case.targets.quality.metric if case.targets.quality else ""
    _refuse_judge_checks(cases, metric)
    main_goal = case.goals[:1]
    scorers = default_scorers(cases, kit, metric, *main_goal)
    marker = Marker(scorers, kit)
    for row in cases:
        # made now, so that an invalid one is refused before anything is sent
        marker.scorers(row)
    needs_no_reference = any(not scorer.compares for scorer in scorers)
    # unlabelled cases aren't paid for
    usable = tuple(
        row for row in cases if needs_no_reference or row.accepted or row.checks
    )
    has_scorer = bool(scorers) or any(row.checks for row in usable)
    if not usable or not has_scorer:
        label = "label it: tuneworthy evalset export CASE --labeller NAME"
        fix = f"{label}, or give cases a reference or checks"
        if not JUDGED.isdisjoint(main_goal):
            fix = f"{fix}; where no text is the right one, {JUDGE}"
        where = case.where("data", "evaluation")
        raise CaseError(
            "has an evaluation set without a right answer", where=where, fix=fix
        )
    name = " and ".join(scorer.id for scorer in scorers)
    return usable, Scores(marker), name or "the checks of each case"


def _refuse_judge_checks(cases: Cases, metric: str) -> None:
    """Refuse a grader among the checks of a set, as nothing would call it."""
    where = ""
    if metric.strip().casefold() == "judge":
        where = "targets.quality.metric"
    for row in cases:
        if any(check.scorer == "judge" for check in row.checks):
            where = f"case {row.id[:60]}"
            break
    if where:
        what = "names a judge, which needs a model and people's labels"
        fix = "name it for the whole lab: --judge RUBRIC --judge-model MODEL"
        raise CaseError(what, where=where, fix=fix)


def _refuse_prompts(case: Case, prompts: Sequence[PromptVariant]) -> None:
    """Refuse a case without prompts or models, or a prompt for a model that it doesn't list."""
    if not prompts:
        fix = "name a folder of prompts under data.prompts, one file a variant"
        raise CaseError("names no prompts", where=case.where("data"), fix=fix)
    if not case.models:
        fix = 'list them: models: [{id: "openai:gpt-6-luna"}]'
        raise CaseError("names no models", where=case.where("models"), fix=fix)
    known = [model.id for model in case.models]
    for prompt in prompts:
        if prompt.model is not None and prompt.model not in known:
            what = f'has no model "{prompt.model[:60]}"'
            fix = did_you_mean(prompt.model, known)
            what += f', for which prompt "{prompt.name[:60]}" is written'
            raise CaseError(what, where=case.where("models"), fix=fix)


def _refuse_constraints(
    case: Case, prompts: Sequence[PromptVariant], setting: Setting
) -> None:
    """Refuse constrained prompts and deciding models if there is nothing to constrain them by."""
    fix_of_lack = dict[str | None, str]()
    if setting.schema is None:
        fix_of_lack["schema"] = "name a JSON Schema under data.output_schema"
    if setting.grammar is None:
        what = "give every case one of a few labels as its reference"
        fix_of_lack["grammar"] = f"{what}, or take constrained out"
    for prompt in prompts:
        kind = prompt.constrained
        if kind in fix_of_lack:
            what = f'prompt "{prompt.name[:60]}" is constrained by a {kind} that isn\'t there'
            raise CaseError(what, where=case.where("data"), fix=fix_of_lack[kind])
    if setting.deciders and not 2 <= len(setting.labels) <= MOST_CHOICES:
        what = f'model "{min(setting.deciders)[:60]}" decides among labels, which the cases lack'
        fix = f"give every case one of 2 to {MOST_CHOICES} labels as its reference"
        raise CaseError(what, where=case.where("models"), fix=fix)


def refuse_unpriced(price: Quote) -> None:
    """Refuse a call without a price, as no cap could limit it."""
    if price.unpriced:
        raise CaseError(f'"{price.unpriced[0][:80]}" has no price', fix=STATE_PRICE)


class PrepareSettings(TypedDict, total=False):
    """Settings of ``prepare`` that every lab has."""

    seed: int
    max_tokens: int
    allow_code: bool
    trust_prices: bool
    as_of: date | None
    to: Collection[str]


class CallSettings(TypedDict, total=False):
    """Settings for the calls of a run."""

    at_once: int  #: The most calls on the wire.
    ask_again: bool  #: Send calls in doubt once more; some of them may be paid twice.
    billed: float | None
    """USD that earlier runs have cost by the vendor's bill, if that differs from the count."""
    watch: Watch | None
    #: The transport that sends, in place of the case's own endpoints.
    transport: Transport | None


async def probed(lab: PreparedLab, calls: PaidCalls) -> tuple[PreparedLab, Stop]:
    """Make the probes; return the lab with the limit by them, and the reason if it ended there."""
    jobs = lab.plan.probe_jobs()
    if not jobs:
        return lab, Stop()
    outcome = await calls.runner().all(jobs)
    lab = replace(lab, plan=lab.plan.capped(outcome.get(job.key) for job in jobs))
    return lab, outcome.stop


T = TypeVar("T")


def paid(
    lab: PreparedLab,
    run: str,
    price: Callable[[PreparedLab, Ledger], Quote],
    work: Callable[[PaidCalls, Quote], Awaitable[T]],
    *,
    cap_usd: float,
    **settings: Unpack[CallSettings],
) -> T:
    """Do some work with the paid calls of a run and its quote; return what the work returns.

    The user may stop it. Raises InputError where a host isn't confirmed, or a call has no price.
    """
    refuse_wrong_clock()
    if settings.get("transport") is None:  # before anything else counts as paid
        refuse_unconfirmed(lab.places, lab.confirmed)
    with ledger_of(lab.case) as ledger:
        for name in runs_beside(run):
            # calls in doubt that cost something are sent again only if the user says so
            ledger.release(name, free=not settings.get("ask_again"))
        billed = settings.get("billed")
        if billed is not None:
            correct_spent(ledger, runs_beside(run), billed)
        quote = with_spent(price(lab, ledger), ledger, run)
        refuse_unpriced(quote)
        return asyncio.run(
            _work_with_calls(lab, run, ledger, quote, work, cap_usd, settings)
        )


async def _work_with_calls(
    lab: PreparedLab,
    run: str,
    ledger: Ledger,
    quote: Quote,
    work: Callable[[PaidCalls, Quote], Awaitable[T]],
    cap_usd: float,
    settings: CallSettings,
) -> T:
    """Do the work with a transport, which is closed at the end."""
    at_once = settings.get("at_once", AT_ONCE)
    transport = settings.get("transport")
    if transport is None:
        transport = transport_for(
            lab.places,
            at_once=at_once,
            confirmed=lab.confirmed,
        )
    try:
        with stopped_by_user() as on_stop:
            on_stop(lab.scores.marker.stop)
            calls = PaidCalls(
                run=run,
                ledger=ledger,
                transport=transport,
                price_of=lab.price_of,
                cap_usd=cap_usd,
                at_once=at_once,
                watch=settings.get("watch"),
                on_stop=on_stop,
                hosts=find_strange_hosts(lab.places),
                beside=SEARCH_RUN if run == CEILING_RUN else "",
            )
            return await work(calls, quote)
    finally:
        await transport.close()


Outputs = dict[str, dict[str, str]]
"""By arm, then by id of the case; the first answer of several repeats."""


def arm_outputs(
    source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS
) -> Outputs:
    """Return the outputs in the ledger of a case; nothing is sent.

    ``seed`` and ``max_tokens`` are those of the lab: with others, it may have shown other examples.
    """
    lab = prepare(source, seed=seed, max_tokens=max_tokens, scored=False)
    outputs = outputs_of(lab)
    if not outputs:
        run = f"tuneworthy ceiling {argument(source)}"
        fix = f"run the lab first: {run}; give the same --max-tokens here"
        raise CaseError("no arm has answered yet", where=str(source), fix=fix)
    return outputs


def with_searched(lab: PreparedLab) -> PreparedLab:
    """Return the lab with the parts and arms of the search before its written choice, if any."""
    choice = written_choice(lab.case)
    if choice is None or not choice.learned:
        return lab
    # the search took some cases for itself, so the lab raced on the others
    plan, _ = parted_for(lab.plan)
    prompts = dict(plan.setting.prompts)
    for arm in choice.searched:
        if arm.prompt not in prompts:
            prompts[arm.prompt] = read_proposed(lab.case, arm.prompt)
    setting = replace(plan.setting, prompts=prompts)
    arms = (*plan.arms, *choice.searched)
    return replace(lab, plan=replace(plan, arms=arms, setting=setting))


def outputs_of(lab: PreparedLab) -> Outputs:
    """Return the answers of a lab's arms so far, the first of each case's repeats."""
    outputs: Outputs = {}
    with ledger_or_none(lab.case) as ledger:
        if ledger is None:
            return {}
        cases = (*lab.plan.select, *lab.plan.report)
        for job, arm, case in lab.plan.calls(lab.plan.arms, cases, told_by(ledger)):
            if job.repeat:
                continue
            settled = ledger.find(job.key)
            if settled is not None and settled.whole is not None:
                output = Output.from_reply(settled.whole)
                outputs.setdefault(arm.id, {})[case.id] = output.text_with_calls
    return outputs
