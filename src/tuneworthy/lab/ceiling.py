"""The ceiling lab of a case: its quote, its run, its report, and its evidence."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Unpack

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.evalset import case_values, table_csv
from tuneworthy.files.stores import append_evidence, write_choice, write_prompts
from tuneworthy.lab import prepare
from tuneworthy.lab.arms import measured_arms
from tuneworthy.lab.headroom import foretell
from tuneworthy.lab.plan import Arms, Cases, LabPlan, answer_text
from tuneworthy.lab.prepare import (
    CEILING_RUN,
    CallSettings,
    PreparedLab,
    paid,
    price,
    probed,
)
from tuneworthy.lab.propose import (
    CandidateEvaluator,
    CutShortError,
    ProposalRequest,
    as_written,
    gepa,
    kept_in,
    parted_for,
)
from tuneworthy.lab.result import (
    best_before,
    chosen_arms,
    digest_of_json,
    evidence_of,
    outcome,
    rival_arms,
)
from tuneworthy.lab.routing import route, routed_arm
from tuneworthy.lab.scores import Lab, Scores
from tuneworthy.lab.search import (
    MOST_DRAWS,
    SEARCH_MARGIN,
    Search,
    SearchedPlan,
    describe,
    own_cap,
    plan_with,
)
from tuneworthy.lab.session import PaidCalls
from tuneworthy.lab.verify import margin_of
from tuneworthy.llm.endpoints import FAKE, LOCAL, reach
from tuneworthy.llm.runner import Job, Runner, Stop
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import Case, Model
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.lab import (
    Arm,
    CeilingPlan,
    CeilingResult,
    Headroom,
    PromptSearch,
    Quote,
    Settled,
    Spend,
)
from tuneworthy.model.ways import LabArm
from tuneworthy.pipeline import decide
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.lab_ceiling import ceiling_dict, ceiling_document
from tuneworthy.words import quality

FEWEST_TAUGHT = 3  #: Cases a generator has to learn from.
_LOOK_S = 5.0  # seconds after which a waiting thread looks whether anybody will answer


class CeilingRun(NamedTuple):
    """A finished ceiling lab."""

    result: CeilingResult
    dossier: Dossier
    before: Dossier
    folder: str
    rubric: str  #: How the user named a judge's rubric; empty for none.
    plan: LabPlan  #: The plan that was run, with the prompts that were proposed.
    scores: Scores

    def grid(self, kind: str = "report", most: int = 1_000_000) -> list[list[str]]:
        """Cases by arms: a heading, then a row for each case with its question and all answers.

        An answer begins with its score. The ``report`` part has only the arms that met it.
        """
        plan = self.plan
        shown = self.scores.shown
        cases = (plan.report if kind == "report" else plan.select)[:most]
        if not cases:
            return []
        rows = [["case", "asked", "right"]]
        for case in cases:
            right = " or ".join(shown(answer_text(answer)) for answer in case.accepted)
            rows.append([case.id, shown(case.text), right])
        for arm in plan.arms:
            column = self._column(arm, cases)
            if any(column):
                for row, cell in zip(rows, (arm.id, *column), strict=True):
                    row.append(cell)
        return rows

    def _column(self, arm: Arm, cases: Cases) -> list[str]:
        """The score and the answer of an arm for each case; empty for a case it wasn't run on."""
        of = self.scores.arm_scores(arm)
        ran = {case.id for case in of.ran(cases)}
        column = []
        for case, mean in zip(cases, of.means(cases).tolist(), strict=True):
            if case.id not in ran:
                column.append("")
                continue
            score = "no answer" if math.isnan(mean) else quality(mean)
            output = self.scores.shown(of.first_output(case) or of.why.get(case.id, ""))
            column.append(f"{score}: {output}")
        return column


def run(
    lab: PreparedLab,
    *,
    cap_usd: float,
    source: str = ".",
    **settings: Unpack[CallSettings],
) -> CeilingRun:
    """Run the lab to its end, the cap or a stop, and add its result to the case's evidence.

    The cap includes earlier runs; ``source`` is the case as the user named it. Raises InputError if
    a model has no price, an endpoint can't be reached, or a ledger can't be used.
    """
    case = lab.case
    framework = lab.framework
    as_of = lab.as_of
    before = decide(case, framework, as_of=as_of)
    work = partial(_run, lab)
    result, plan = paid(lab, CEILING_RUN, price, work, cap_usd=cap_usd, **settings)
    arms = _measure_arms(lab, result, plan)
    append_evidence(case, evidence_of(result, plan, arms, as_of), lab.files)
    rubric = lab.scores.judge.rubric_file if lab.scores.judge else ""
    now = decide(case, framework, as_of=as_of)
    return CeilingRun(result, now, before, source, rubric, plan, lab.scores)


def _measure_arms(
    lab: PreparedLab, result: CeilingResult, plan: LabPlan
) -> tuple[LabArm, ...]:
    """The arms for the evidence, and the routing between two of them where it helps."""
    proposed = list[str]()
    if not isinstance(result.proposing, Unknown):
        proposed = [prompt.name for prompt in result.proposing.prompts]
    reported = _arms_on_held_out(result, plan)
    arms = measured_arms(
        "ceiling", plan, lab.scores, reported, lab.as_of, proposed=proposed
    )
    best_first = tuple(sorted(reported, key=lambda arm: arm.id != result.best))
    routed = route(plan, lab.scores, best_first, margin=margin_of(lab.framework))
    if routed is None:
        return arms
    arm, *_ = routed_arm("ceiling", plan, lab.scores, routed, lab.as_of)
    return (*arms, arm)


def _arms_on_held_out(result: CeilingResult, plan: LabPlan) -> list[Arm]:
    """The arms that ran on the held-out cases, in the order of the plan; [] where none was chosen."""
    if not result.best:
        return []
    names = {result.best}
    names |= {contrast.second for contrast in result.contrasts}
    names |= {row.arm.id for row in result.rivals}
    if result.gained:
        names.add(result.gained.second)
    return [arm for arm in plan.arms if arm.id in names]


async def _run(
    prepared: PreparedLab, calls: PaidCalls, quote: Quote
) -> tuple[CeilingResult, LabPlan]:
    """Search for prompts, compare the arms, then score the chosen arms on held-out cases."""
    prepared, stop = await probed(prepared, calls)
    plan = prepared.plan
    more: dict[str, Any] = {}
    if not stop:
        plan, more, stop = await _search_and_keep(prepared, calls)
    lab = Lab(plan, prepared.scores, calls, stop)
    await lab.race()
    chosen = () if stop else chosen_arms(lab)
    targets = prepared.case.targets
    wanted = targets.quality.at_least if targets.quality else None
    rivals: Arms = ()
    before: Arm | None = None
    if chosen and not lab.stop:
        before = best_before(
            lab, chosen[0], [a for a in plan.arms if a not in prepared.plan.arms]
        )
        rivals = rival_arms(lab, chosen, target=wanted, latency_s=targets.latency_p95_s)
        inputs = (
            [*map(case_values, plan.report)],
            [a.model_dump(mode="json") for a in plan.arms],
        )
        choice = CeilingPlan(
            chosen=tuple(arm.id for arm in chosen),
            select=len(plan.select),
            report=len(plan.report),
            inputs=digest_of_json(inputs),
            judge=prepared.judge,
            rivals=tuple(arm.id for arm in rivals),
            before=before.id if before else "",
            learned=len(prepared.request.taught) if prepared.request else 0,
            searched=tuple(a for a in plan.arms if a not in prepared.plan.arms),
            changed=lab.scores.changes((*chosen, *rivals)),
            written_on=prepared.as_of,
        )
        write_choice(prepared.case, choice)  # before the held-out cases are looked at
        own = () if before is None else (before,)
        await lab.report(tuple(dict.fromkeys((*chosen, *rivals, *own))))
    result = outcome(
        lab,
        chosen,
        prepared.framework,
        rivals=rivals,
        before=before,
        target=wanted,
        quote=quote,
        scorer=prepared.scorer,
        **more,
    )
    return result, plan


def render(done: CeilingRun, form: str = "text", *, colour: bool = False) -> str:
    """The result as ``text`` or ``json``; a table of cases by arms as ``csv`` or ``cases`` (JSON)."""
    if form == "json":
        return ceiling_dict(done.result, done.dossier)
    if form in ("csv", "cases"):
        return _cases_text(done, form)
    document = ceiling_document(
        done.result, done.dossier, done.before, folder=done.folder, rubric=done.rubric
    )
    return render_document(document, colour=colour)


def _cases_text(done: CeilingRun, form: str) -> str:
    """Every case with every arm's answer, the held-out cases first."""
    rows = list[dict[str, Any]]()
    for kind in ("report", "select"):
        head, *lines = done.grid(kind)
        for line in lines:
            rows.append({"part": kind, **dict(zip(head, line, strict=True))})
    if form == "cases":
        return json_text(rows)
    first = ("part", "case", "asked", "right")
    empty = dict.fromkeys(first, "")
    for row in rows:
        empty |= dict.fromkeys(row, "")
    return table_csv([*empty], rows)


render_quote = prepare.render_quote


def with_search(
    lab: PreparedLab,
    draws: int | None = None,
    model: str | None = None,
    *,
    cap_usd: float | None = None,
) -> PreparedLab:
    """A lab that searches for better prompts first, on some cases that are set aside for that.

    ``draws`` are how often the search starts anew, at most; 0 for no search. Where nobody says, it
    is searched wherever that can be, and the lab says why where it can't; where a model judges,
    people label what a search comes to, so somebody has to ask for one. ``model`` is the id of
    the one that writes, the case's first prompted one when not given; one that the case doesn't
    list is called at its provider, at its list price. ``cap_usd`` is the most the search may cost,
    half of the lab's own cap when not given.
    """
    if draws == 0:
        if model is not None:
            raise CaseError("nothing is to be searched", fix="leave out --propose 0")
        return lab
    if draws is not None or model is not None:
        return _searching(lab, draws or MOST_DRAWS, model, cap_usd)
    if lab.scores.judge is not None:
        return replace(lab, unsearched=_NOT_BY_A_JUDGE)
    try:
        searching = _searching(lab, MOST_DRAWS, model, cap_usd)
    except InputError as reason:
        return replace(lab, unsearched=str(reason))
    if searching.request and searching.request.place.provider == FAKE:
        return replace(lab, unsearched="a model that is a function writes no prompts")
    return searching


_NOT_BY_A_JUDGE = (
    "a grader may be pleased without a better answer, so a search under one takes people's labels "
    "of the answers that it ends with: ask for it with --propose 20"
)


def _searching(
    lab: PreparedLab, draws: int, model: str | None, cap_usd: float | None
) -> PreparedLab:
    """Make a lab search for better prompts; refuse where the case has nothing to search with."""
    case = lab.case
    if not as_written(lab.plan.arms):
        fix = "add the model that is prompted today"
        raise CaseError(
            "names no model but tuned ones", where=case.where("models"), fix=fix
        )
    gepa()
    writer = _writer(case, model)
    plan, taught = parted_for(lab.plan)
    if len(taught) < FEWEST_TAUGHT:
        what = f"has {len(taught)} cases for selecting that a search could learn from"
        fix = f"make more: {FEWEST_TAUGHT} are the fewest, and one in three is taken"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    request = ProposalRequest(draws, writer, reach(writer), taught, cap_usd)
    return replace(lab, plan=plan, request=request)


def _writer(case: Case, model: str | None) -> Model:
    """The model that writes prompts: the named one, else the case's first that isn't embedded."""
    if model is None:
        chat = (
            each
            for each in case.models
            if each.kind == "prompted" and each.api == "chat"
        )
        writer = next((each for each in chat if not each.embedded), None)
        writer = writer or next(each for each in case.models if each.kind == "prompted")
    else:
        listed = (each for each in case.models if each.id == model)
        writer = next(listed, None) or Model(id=model)
    if writer.base_url is None and writer.id.startswith(f"{LOCAL}:"):
        fix = "name a capable one, as --propose-with openai:gpt-6.1-sol"
        raise CaseError(f'model "{writer.id}" is too weak to write prompts', fix=fix)
    return writer


def foretold(
    lab: PreparedLab, *, cap_usd: float, **settings: Unpack[CallSettings]
) -> tuple[Headroom | Unknown, Spend]:
    """Estimate the gain of a search by a few calls, and return it with the money spent so far.

    A search that follows uses these calls again. Raises CaseError where nothing can be searched.
    """
    if lab.request is None:
        raise CaseError(
            "nothing is to be searched", fix=lab.unsearched or "leave out --propose 0"
        )

    async def test(calls: PaidCalls, _: Quote) -> tuple[Headroom | Unknown, Spend]:
        prepared, stop = await probed(lab, calls)
        if stop:
            return Unknown(ask=stop.why), calls.spend
        evaluator = evaluator_for(prepared, calls.with_own_cap(calls.cap_usd))
        return await asyncio.to_thread(foretell, evaluator), calls.spend

    return paid(lab, CEILING_RUN, price, test, cap_usd=cap_usd, **settings)


def evaluator_for(lab: PreparedLab, calls: PaidCalls) -> CandidateEvaluator:
    """Make the evaluator of prompt candidates. Threads may call it, as it asks in the running loop."""
    assert lab.request is not None  # the caller looked
    loop = asyncio.get_running_loop()
    ended = calls.counting(
        0, running=len(lab.plan.arms), ask="wait for the first round"
    )
    # a search scores each answer at once, and keeps its text anyway
    runner = calls.runner(ended, lean=False)

    def ask(jobs: Sequence[Job]) -> Mapping[str, Settled]:
        future = asyncio.run_coroutine_threadsafe(_ask_all(runner, jobs), loop)
        while True:  # a loop that has ended gives no result
            try:
                return future.result(timeout=_LOOK_S)
            except TimeoutError:
                if future.done() or loop.is_closed():
                    raise

    judge = lab.scores.judge
    return CandidateEvaluator(
        lab.plan, lab.request, lab.scores.marker, ask, judge=judge
    )


class _SearchOutcome(NamedTuple):
    """The plan after a search, and the fields of a result about the search."""

    plan: LabPlan
    about: dict[str, Any]
    stop: Stop = Stop()


async def _search_and_keep(lab: PreparedLab, calls: PaidCalls) -> _SearchOutcome:
    """Search under a separate cap, keep the prompts beside the case, and let the best ones race.

    Where the search ends early, by its cap or without answers, the race continues with the prompts
    so far.
    """
    request = lab.request
    if request is None:
        none = PromptSearch(ended="none", why=lab.unsearched)
        return _SearchOutcome(lab.plan, {"search": none} if lab.unsearched else {})
    own = calls.with_own_cap(_cap_of(lab, calls))
    evaluator = evaluator_for(lab, own)
    search = Search(evaluator)
    try:
        headroom = await asyncio.to_thread(foretell, evaluator)
        await asyncio.to_thread(search.run)
        searched = plan_with(search)
    except CutShortError as cut:
        unknown = Unknown(ask="run it to its end")
        stopped = PromptSearch(ended="stopped", why=cut.args[0].why)
        about = {"proposing": unknown, "plateau": unknown, "search": stopped}
        return _SearchOutcome(lab.plan, about, cut.args[0])
    write_prompts(lab.case, searched.prompts)
    about = {"headroom": headroom, **_about(search, searched, own)}
    return _SearchOutcome(searched.plan, about)


def _cap_of(lab: PreparedLab, calls: PaidCalls) -> float:
    """The most that the search may cost: as stated, else by its quote, and half of the lab's cap."""
    assert lab.request is not None  # the caller looked
    evaluator = CandidateEvaluator(
        lab.plan,
        lab.request,
        lab.scores.marker,
        kept_in(None),
        judge=lab.scores.judge,
    )
    cap = own_cap(evaluator, calls.ledger, calls.price_of)
    if lab.request.cap_usd is not None:
        return cap
    return min(cap, calls.cap_usd / 2)


def _about(search: Search, searched: SearchedPlan, calls: PaidCalls) -> dict[str, Any]:
    """The fields of a result that describe the search."""
    spend = calls.ledger.spend(calls.run)
    how = PromptSearch(
        ended=search.ended,
        draws=len(search.draws),
        margin=SEARCH_MARGIN,
        usd=spend.paid + spend.held,
        rounds=search.rounds,
        cap_usd=calls.cap_usd,
        why=search.why,
    )
    return {
        "proposing": describe(search, searched),
        "plateau": search.plateau,
        "search": how,
    }


async def _ask_all(runner: Runner, jobs: Sequence[Job]) -> Mapping[str, Settled]:
    outcome = await runner.all(jobs)
    keys = list({job.key for job in jobs})
    settled = outcome.some(keys)
    if outcome.stop or len(settled) < len(keys):
        raise CutShortError(outcome.stop)
    return settled
