"""The ceiling lab of a case: its search, its run, its report, and its evidence."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Unpack

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.evalset import case_values, table_csv
from tuneworthy.files.stores import append_evidence, write_choice, write_prompts
from tuneworthy.lab import quote as lab_quote
from tuneworthy.lab.evidence import ceiling_evidence, measured_arms
from tuneworthy.lab.headroom import foretell
from tuneworthy.lab.plan import Arms, LabPlan
from tuneworthy.lab.pool import Cases, answer_text
from tuneworthy.lab.prepare import CallSettings, PreparedLab, paid, probed
from tuneworthy.lab.propose import (
    CandidateEvaluator,
    CutShortError,
    ProposalRequest,
    as_written,
    gepa,
    kept_in,
    parted_for,
)
from tuneworthy.lab.quote import price
from tuneworthy.lab.race import Lab
from tuneworthy.lab.result import (
    SearchFindings,
    best_before,
    chosen_arms,
    digest_of_json,
    outcome,
    rival_arms,
)
from tuneworthy.lab.routing import route, routed_arm
from tuneworthy.lab.scores import Scores
from tuneworthy.lab.search import (
    MOST_DRAWS,
    SEARCH_MARGIN,
    Search,
    describe,
    own_cap,
    plan_with,
)
from tuneworthy.lab.session import CEILING_RUN, PaidCalls
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
# the search may cost this share of the lab's cap, as the race follows it
_SEARCH_PART = 0.5


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
        """Return a table of cases by arms: a heading, then a row for each case; [] without cases.

        A row has the case's id, its question, its right answers and each arm's answer. The
        ``report`` part has only the arms that met it.
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
        """Return an arm's score and answer for each case; empty for a case it wasn't run on."""
        results = self.scores.arm_scores(arm)
        column = []
        for case, mean in zip(cases, results.means(cases).tolist(), strict=True):
            row = results.rows.get(case.id)
            if row is None:
                column.append("")
                continue
            score = "no answer" if math.isnan(mean) else quality(mean)
            # where no answer came, the reason takes its place
            column.append(f"{score}: {self.scores.shown(row.output or row.why)}")
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
    append_evidence(case, ceiling_evidence(result, plan, arms, as_of), lab.files)
    judge = lab.scores.judge
    return CeilingRun(
        result=result,
        dossier=decide(case, framework, as_of=as_of),
        before=before,
        folder=source,
        rubric="" if judge is None else judge.rubric_file,
        plan=plan,
        scores=lab.scores,
    )


def _measure_arms(
    lab: PreparedLab, result: CeilingResult, plan: LabPlan
) -> tuple[LabArm, ...]:
    """Return the arms for the evidence, and the routing between two of them where it helps."""
    proposed = list[str]()
    if not isinstance(result.proposing, Unknown):
        proposed = [prompt.name for prompt in result.proposing.prompts]
    names = {result.best, *(each.second for each in result.contrasts)}
    names |= {row.arm.id for row in result.rivals}
    if result.gained:
        names.add(result.gained.second)
    # none where no arm was chosen for the held-out cases
    reported = [arm for arm in plan.arms if result.best and arm.id in names]
    arms = measured_arms(
        "ceiling", plan, lab.scores, reported, lab.as_of, proposed=proposed
    )
    # the routing is tried with the first prompt arm, which has to be the best one
    best = [arm for arm in reported if arm.id == result.best]
    others = [arm for arm in reported if arm.id != result.best]
    margin = margin_of(lab.framework)
    routed = route(plan, lab.scores, (*best, *others), margin=margin)
    if routed is None:
        return arms
    row, _ = routed_arm("ceiling", plan, lab.scores, routed, lab.as_of)
    return (*arms, row)


async def _run(
    prepared: PreparedLab, calls: PaidCalls, quote: Quote
) -> tuple[CeilingResult, LabPlan]:
    """Search for prompts, compare the arms, then score the chosen arms on held-out cases."""
    prepared, stop = await probed(prepared, calls)
    plan = prepared.plan
    findings = SearchFindings()
    if not stop:
        plan, findings, stop = await _search_and_keep(prepared, calls)
    lab = Lab(plan, prepared.scores, calls, stop)
    await lab.race()
    target = _quality_target(prepared.case)
    # without a race there is nothing to choose by
    chosen = () if stop else chosen_arms(lab)
    rivals: Arms = ()
    before = None
    # a result names the chosen arms of a stopped race, though they'll meet no held-out case
    if chosen and not lab.stop:
        latency_s = prepared.case.targets.latency_p95_s
        rivals = rival_arms(lab, chosen, target=target, latency_s=latency_s)
        searched = _searched_arms(prepared, plan)
        before = best_before(lab, chosen[0], searched)
        choice = _choice_record(prepared, lab, chosen, rivals, before)
        # written before the held-out cases are looked at, so that no answer to them can change it
        write_choice(prepared.case, choice)
        reported = (*chosen, *rivals) if before is None else (*chosen, *rivals, before)
        await lab.report(tuple(dict.fromkeys(reported)))
    result = outcome(
        lab,
        chosen,
        prepared.framework,
        rivals=rivals,
        before=before,
        target=target,
        quote=quote,
        scorer=prepared.scorer,
        searched=findings,
    )
    return result, plan


def _quality_target(case: Case) -> float | None:
    """Return the share of right answers that the case requires; None where none is stated."""
    return case.targets.quality.at_least if case.targets.quality else None


def _searched_arms(prepared: PreparedLab, plan: LabPlan) -> tuple[Arm, ...]:
    """Return the arms of a plan that the search has added."""
    return tuple(arm for arm in plan.arms if arm not in prepared.plan.arms)


def _choice_record(
    prepared: PreparedLab, lab: Lab, chosen: Arms, rivals: Arms, before: Arm | None
) -> CeilingPlan:
    """Return the choice as it is written down, with a digest of what it was made on."""
    plan = lab.plan
    inputs = (
        [case_values(case) for case in plan.report],
        [arm.model_dump(mode="json") for arm in plan.arms],
    )
    return CeilingPlan(
        chosen=tuple(arm.id for arm in chosen),
        select=len(plan.select),
        report=len(plan.report),
        inputs=digest_of_json(inputs),
        judge=prepared.judge,
        rivals=tuple(arm.id for arm in rivals),
        before="" if before is None else before.id,
        learned=len(prepared.request.taught) if prepared.request else 0,
        searched=_searched_arms(prepared, plan),
        changed=lab.scores.changes((*chosen, *rivals)),
        written_on=prepared.as_of,
    )


def render(done: CeilingRun, form: str = "text", *, colour: bool = False) -> str:
    """Write the result as ``text`` or ``json``, or the cases by arms as ``csv`` or ``cases`` (JSON)."""
    if form == "json":
        return ceiling_dict(done.result, done.dossier)
    if form in ("csv", "cases"):
        return _cases_text(done, form)
    document = ceiling_document(
        done.result, done.dossier, done.before, folder=done.folder, rubric=done.rubric
    )
    return render_document(document, colour=colour)


def _cases_text(done: CeilingRun, form: str) -> str:
    """Write every case with every arm's answer, the held-out cases first."""
    rows = list[dict[str, str]]()
    columns = ["part", "case", "asked", "right"]
    for kind in ("report", "select"):
        heading, *lines = done.grid(kind)
        # the arms that met the held-out cases are fewer than those of the race
        columns += [name for name in heading if name not in columns]
        for line in lines:
            row = {"part": kind}
            row.update(zip(heading, line, strict=True))
            rows.append(row)
    if form == "cases":
        return json_text(rows)
    return table_csv(columns, rows)


render_quote = lab_quote.render_quote


def with_search(
    lab: PreparedLab,
    draws: int | None = None,
    model: str | None = None,
    *,
    cap_usd: float | None = None,
) -> PreparedLab:
    """Return a lab that searches for better prompts first, on cases that are set aside for that.

    ``draws`` says how often the search starts anew, at most; 0 for no search. By default a lab
    searches wherever it can, and says why where it can't. ``model`` is the id of the model that
    writes prompts, by default the case's first prompted one; a model that the case doesn't list is
    called at its provider, at its list price. ``cap_usd`` is the most that the search may cost, by
    default half of the lab's own cap.
    """
    if draws == 0:
        if model is not None:
            raise CaseError("nothing is to be searched", fix="leave out --propose 0")
        return lab
    if draws is not None or model is not None:
        return _searching(lab, draws or MOST_DRAWS, model, cap_usd)
    # nobody asked for a search, so one that can't be made is no error
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
    """Return a lab that searches for better prompts; refuse a case with nothing to search with."""
    case = lab.case
    if not as_written(lab.plan.arms):
        fix = "add the model that is prompted today"
        raise CaseError(
            "names no model but tuned ones", where=case.where("models"), fix=fix
        )
    gepa()  # refuses to go on where the optional library isn't installed
    writer = _writer(case, model)
    plan, taught = parted_for(lab.plan)
    if len(taught) < FEWEST_TAUGHT:
        what = f"has {len(taught)} cases for selecting that a search could learn from"
        fix = f"make more: {FEWEST_TAUGHT} are the fewest, and one in three is taken"
        raise CaseError(what, where=case.where("data", "evaluation"), fix=fix)
    request = ProposalRequest(draws, writer, reach(writer), taught, cap_usd)
    return replace(lab, plan=plan, request=request)


def _writer(case: Case, model_id: str | None) -> Model:
    """Return the model that writes prompts; refuse one too weak for it.

    By default it is the case's first prompted chat model that is served, else its first prompted
    one. A model that the case doesn't list is called at its provider's usual address.
    """
    if model_id is None:
        prompted = [model for model in case.models if model.kind == "prompted"]
        served = [each for each in prompted if each.api == "chat" and not each.embedded]
        writer = (served or prompted)[0]
    else:
        listed = [model for model in case.models if model.id == model_id]
        writer = listed[0] if listed else Model(id=model_id)
    if writer.base_url is None and writer.id.startswith(f"{LOCAL}:"):
        fix = "name a capable one, as --propose-with openai:gpt-6.1-sol"
        raise CaseError(f'model "{writer.id}" is too weak to write prompts', fix=fix)
    return writer


def foretold(
    lab: PreparedLab, *, cap_usd: float, **settings: Unpack[CallSettings]
) -> tuple[Headroom | Unknown, Spend]:
    """Estimate the gain of a search by a few calls; return it with the money spent so far.

    A search that follows uses these calls again. Raises CaseError where nothing can be searched.
    """
    if lab.request is None:
        raise CaseError(
            "nothing is to be searched", fix=lab.unsearched or "leave out --propose 0"
        )

    async def estimate(calls: PaidCalls, _: Quote) -> tuple[Headroom | Unknown, Spend]:
        prepared, stop = await probed(lab, calls)
        if stop:
            return Unknown(ask=stop.why), calls.spend
        evaluator = evaluator_for(prepared, calls.with_own_cap(calls.cap_usd))
        return await asyncio.to_thread(foretell, evaluator), calls.spend

    return paid(lab, CEILING_RUN, price, estimate, cap_usd=cap_usd, **settings)


def evaluator_for(lab: PreparedLab, calls: PaidCalls) -> CandidateEvaluator:
    """Return the evaluator of prompt candidates. Threads may call it, as it asks in the running loop."""
    assert lab.request is not None  # the caller looked
    loop = asyncio.get_running_loop()
    # nobody knows how many calls a search will make, so none is announced
    show_progress = calls.counting(
        0, running=len(lab.plan.arms), ask="wait for the first round"
    )
    # a search scores each answer at once, and keeps its text anyway
    runner = calls.runner(show_progress)

    def ask(jobs: Sequence[Job]) -> Mapping[str, Settled]:
        future = asyncio.run_coroutine_threadsafe(_ask_all(runner, jobs), loop)
        while True:
            try:
                return future.result(timeout=_LOOK_S)
            except TimeoutError:
                # a loop that was closed never answers; the call itself may have timed out, too
                if future.done() or loop.is_closed():
                    raise

    return CandidateEvaluator(
        lab.plan, lab.request, lab.scores.marker, ask, judge=lab.scores.judge
    )


async def _search_and_keep(
    lab: PreparedLab, calls: PaidCalls
) -> tuple[LabPlan, SearchFindings, Stop]:
    """Search for prompts and keep them beside the case, if a search was asked for.

    Returns the plan after it, what was found, and why the user or an endpoint stopped it. Where the
    search ends early, by its cap or without answers, the race continues with the prompts so far.
    """
    if lab.request is None:
        search = PromptSearch(ended="none", why=lab.unsearched)
        return lab.plan, SearchFindings(search), Stop()
    search_calls = calls.with_own_cap(_search_cap(lab, lab.request, calls))
    evaluator = evaluator_for(lab, search_calls)
    made = Search(evaluator)
    try:
        # it takes seconds of computing, and the loop has to send calls meanwhile
        headroom = await asyncio.to_thread(foretell, evaluator)
        await asyncio.to_thread(made.run)
        searched = plan_with(made)
    except CutShortError as cut:
        stopped = PromptSearch(ended="stopped", why=cut.stop.why)
        nothing = Unknown(ask="run it to its end")
        findings = SearchFindings(stopped, proposing=nothing, plateau=nothing)
        return lab.plan, findings, cut.stop
    write_prompts(lab.case, searched.prompts)
    spend = search_calls.ledger.spend(search_calls.run)
    record = PromptSearch(
        ended=made.ended,
        draws=len(made.draws),
        margin=SEARCH_MARGIN,
        usd=spend.paid + spend.held,
        rounds=made.rounds,
        cap_usd=search_calls.cap_usd,
        why=made.why,
    )
    proposing = describe(made, searched)
    findings = SearchFindings(record, headroom, proposing, made.plateau)
    return searched.plan, findings, Stop()


def _search_cap(lab: PreparedLab, request: ProposalRequest, calls: PaidCalls) -> float:
    """Return the most that the search may cost, in USD.

    That is the user's own cap for it; without one, a multiple of its likely cost, and at most half
    of the lab's cap.
    """
    # only the quote is computed: nothing is asked, so no answer needs to be kept
    evaluator = CandidateEvaluator(
        lab.plan, request, lab.scores.marker, kept_in(None), judge=lab.scores.judge
    )
    cap = own_cap(evaluator, calls.ledger, calls.price_of)
    if request.cap_usd is not None:
        return cap
    return min(cap, calls.cap_usd * _SEARCH_PART)


async def _ask_all(runner: Runner, jobs: Sequence[Job]) -> Mapping[str, Settled]:
    """Make calls and return each outcome by its key; raise CutShortError where one is missing."""
    outcome = await runner.all(jobs)
    keys = list({job.key for job in jobs})
    settled = outcome.some(keys)
    if outcome.stop or len(settled) < len(keys):
        raise CutShortError(outcome.stop)
    return settled
