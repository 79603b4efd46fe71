"""Whether tuning worked: the tuned arm against the best untuned one, on cases that chose neither.

The margin and the stopping rule, all existing cases once, are written down before any held-out case
is run. A tuned model that got better at the task and worse at everything else is no success, so
both arms also answer a small set of general tasks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from importlib.resources import files
from typing import Any, TypeAlias, Unpack

from tuneworthy.answers.arms import arms_series
from tuneworthy.errors import CaseError, StoppedError
from tuneworthy.files.evalset import case_values
from tuneworthy.files.stores import (
    another_plan,
    append_evidence,
    write_plan,
    written_plan,
)
from tuneworthy.lab import prepare
from tuneworthy.lab.arms import measured_arms, with_found
from tuneworthy.lab.held import HeldArm, gain_figure, hold_arm
from tuneworthy.lab.plan import Asked, Cases, LabPlan, request_to
from tuneworthy.lab.prepare import (
    CallSettings,
    PreparedLab,
    dearest,
    paid,
    price,
    probed,
)
from tuneworthy.lab.result import (
    ENOUGH,
    any_measured,
    arm_row,
    chosen_arms,
    contrast,
    digest_of_json,
    failures_of,
    interval_evidence,
    judge_report,
    measured_in,
    tuned_change,
)
from tuneworthy.lab.scores import WHY_UNANSWERED, Lab, Scores, clusters_of, first_of
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, quote, total
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Evidence, Measured
from tuneworthy.model.framework import Framework
from tuneworthy.model.lab import (
    Arm,
    ChatMessage,
    Contrast,
    Quote,
    VerifyAnswer,
    VerifyPlan,
    VerifyResult,
)
from tuneworthy.model.ways import AnyFigure, LabArm
from tuneworthy.pipeline import table_of
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.lab import WHAT_TO_DO, lab_dict
from tuneworthy.report.sections.lab_verify import verify_document
from tuneworthy.stats.compare import cases_needed
from tuneworthy.stats.intervals import BY_MARGIN

VERIFY_RUN = "verify"
MARGIN = 0.02
"""The margin where neither the framework has a threshold ``margin_quality`` nor the user states
one. At 0, two equal arms could never be called equal, however many cases there are."""
GENERAL_MARGIN = 0.1
"""The share of general tasks by which the tuned model may be worse. So few tasks can't show less."""


MOST_MISSING_GENERAL = 0.05
"""The share of general tasks that may have no answer. Both ends of the interval count them."""


def bundled(place: str) -> Iterator[Any]:
    """The lines of a shipped file of JSON lines."""
    text = files("tuneworthy").joinpath(place).read_text("utf-8")
    return (json.loads(line) for line in text.splitlines() if line)


def general_skills() -> tuple[EvalCase, ...]:
    """General tasks that any useful model can do: reading, counting, language, instructions."""
    return tuple(map(EvalCase.model_validate, bundled("lab/general_skills.jsonl")))


def plan_digest(plan: LabPlan, tuned: Arm, untuned: Arm, scorer: str) -> str:
    """SHA-256 of everything the comparison rests on."""
    setting = plan.setting
    arms = (tuned, untuned)
    prompts = list[PromptVariant]()
    for arm in arms:
        prompts += [setting.prompts[name] for name in (*arm.steps, arm.prompt)]
    places = [setting.reached[arm.model] for arm in arms]
    inputs = [
        [*map(case_values, plan.report)],
        [prompt.model_dump(mode="json", exclude={"searched_by"}) for prompt in prompts],
        [arm.model_dump(mode="json") for arm in arms],
        [[place.provider, place.base_url, place.name] for place in places],
        [*map(case_values, setting.pool.examples)],
        [setting.schema, setting.grammar],
        [plan.repeats, setting.max_tokens, scorer],
    ]
    return digest_of_json(inputs)


def run(
    lab: PreparedLab,
    *,
    cap_usd: float,
    margin: float | None = None,
    again: bool = False,
    **settings: Unpack[CallSettings],
) -> VerifyResult:
    """Choose both arms on the cases for selecting, write the plan down, then compare.

    Paid answers of the ceiling lab are used again; new calls and earlier runs count against this
    cap. ``margin`` is the share of cases below which a difference is no gain, by default the
    framework's. Raises InputError if the case has no tuned model, a model has no price, or another
    plan was written down and ``again`` is false; StoppedError if it was stopped before both arms
    were chosen, or an arm got too few answers for the choice.
    """
    _refuse_one_sided(lab)
    if margin is None:
        margin = margin_of(lab.framework)
    if not again:
        _refuse_another(lab, margin)
    work = partial(_run, lab, margin=margin, again=again)
    result = paid(lab, VERIFY_RUN, _price, work, cap_usd=cap_usd, **settings)
    chosen = (result.plan.tuned, result.plan.untuned)
    reported = [arm for arm in lab.plan.arms if arm.id in chosen]
    gain = gain_figure(result.contrast, result.plan, _SOURCE)
    arms = _arms_to_keep(lab, reported, result.plan, gain, result.general_skills)
    if result.why == "choice":
        arms = with_found(arms, result.plan.tuned, best_known="no")
    append_evidence(lab.case, evidence_of(result, arms, lab.as_of), lab.files)
    return result


_SOURCE = "verify lab, held-out cases"


def margin_of(framework: Framework) -> float:
    """The share of cases below which a difference is no gain."""
    stated = framework.threshold("margin_quality")
    return MARGIN if stated is None else stated


def _arms_to_keep(
    lab: PreparedLab,
    reported: Sequence[Arm],
    plan: VerifyPlan,
    gain: AnyFigure,
    skills: State,
) -> tuple[LabArm, ...]:
    """Every arm in its kept form, with the findings about the tuned one."""
    arms = measured_arms("verify", lab.plan, lab.scores, reported, lab.as_of)
    return with_found(
        arms, plan.tuned, gain=gain, beside=plan.untuned, general_skills=skills
    )


def evidence_of(
    result: VerifyResult, arms: Sequence[LabArm], as_of: date
) -> Measured | None:
    """The evidence of the comparison for the case: every arm, and the gain by tuning.

    None for a comparison that was cut short. Where it decided nothing, only the arms.
    """
    if result.stopped_by not in ("", "unanswered") or not any_measured(arms):
        return None
    gain = gain_evidence(result, as_of)
    kept = () if gain is None else (gain,)
    return measured_in(result, *kept, series=(arms_series("verify", arms),))


def skills_kept(general: Contrast, margin: float, *, floor: bool) -> State:
    """Whether the tuned arm kept its general skills; unknown where too little was answered.

    ``floor``: the untuned arm has no skills that could get worse.
    """
    if isinstance(general.difference, Unknown):
        return "unknown"
    if general.high < -margin:
        return "no"
    return "yes" if general.low >= -margin and not floor else "unknown"


def gain_evidence(
    result: VerifyResult,
    as_of: date,
    *,
    id: str = "tuned_gain",
    by: str = "verify",
    **more: str,
) -> Evidence | None:
    """The gain of the tuned arm over the best untuned one, with its interval; None if unknown."""
    task = result.contrast
    if result.stopped or result.outcome == "unknown":
        return None
    if isinstance(task.difference, Unknown):
        return None
    details = {
        "outcome": result.outcome,
        "why": result.why,
        "margin": result.plan.margin,
    }
    return interval_evidence(
        id,
        task,
        as_of,
        value=task.difference,
        unit="points",  # of a difference between two shares
        details=details | more,
        source=f"{by}: {task.first} less {task.second}",
        method="paired difference on cases that chose nothing",
    )


async def _run(
    prepared: PreparedLab, calls: PaidCalls, _: Quote, *, margin: float, again: bool
) -> VerifyResult:
    """Run the comparison: choose both arms, write the plan down, then ask the held-out cases."""
    prepared, stop = await probed(prepared, calls)
    plan = prepared.plan
    scores = prepared.scores
    general = Scores(most_missing=MOST_MISSING_GENERAL)
    lab = Lab(plan, scores, calls, stop)
    await lab.race()
    if lab.stop:
        raise lab.stop.error("; paid answers are kept")
    raced = lab.stayed("prompt", "tuned")
    lost = first_of(lab.unanswered(raced, plan.select))
    if lost:
        kinds = {scores.why_unanswered(arm, plan.select) for arm in raced}
        fix = next(WHAT_TO_DO[kind] for kind in WHY_UNANSWERED if kind in kinds)
        raise StoppedError(f"not judged: {lost.why}", fix=fix)
    chosen = chosen_arms(lab)
    tuned = next((arm for arm in chosen if arm.kind == "tuned"), None)
    if tuned is None:
        raise CaseError(
            "has no scored arm to compare", fix="look at: tuneworthy ceiling"
        )
    best = chosen[0]  # the best prompt comes first
    arms = (tuned, best)
    written = verify_plan(
        plan,
        arms,
        margin=margin,
        written_on=prepared.as_of,
        inputs=plan_digest(plan, tuned, best, prepared.scorer),
        judge=prepared.judge,
        changed=scores.changes(arms),
    )
    # before the held-out cases are asked, so that no answer to them can change it
    written = write_plan(prepared.case, written, again=again)
    await lab.report(arms)
    if not lab.stop:
        general_jobs = [*general_calls(plan, tuned), *general_calls(plan, best)]
        lab.stop = (await general.run(calls.runner(), general_jobs)).stop
    hold = partial(_hold_tuned_arm, prepared, arms, written)
    return compared(written, lab, general, arms, hold)


Hold: TypeAlias = Callable[[Contrast, State], HeldArm]
"""Compares the tuned arm with every target, by its gain and whether it kept general skills."""


def _hold_tuned_arm(
    lab: PreparedLab,
    arms: tuple[Arm, Arm],
    plan: VerifyPlan,
    gained: Contrast,
    skills: State,
) -> HeldArm:
    """Hold the tuned arm against every target, as the table of ways judges it."""
    kept = _arms_to_keep(lab, arms, plan, gain_figure(gained, plan, _SOURCE), skills)
    table = table_of(lab.case, lab.framework, as_of=lab.as_of, lab="verify", arms=kept)
    return hold_arm(table, f"verify:{plan.tuned}", plan.margin)


def verify_plan(plan: LabPlan, arms: tuple[Arm, Arm], **more: Any) -> VerifyPlan:
    """The plan, written before a tuned arm and an untuned one meet the held-out cases."""
    tuned, untuned = arms
    return VerifyPlan(
        tuned=tuned.id,
        untuned=untuned.id,
        general_margin=GENERAL_MARGIN,
        cases=len(plan.report),
        general=len(general_skills()),
        **more,
    )


def general_calls(plan: LabPlan, arm: Arm) -> Iterator[Asked]:
    """The general tasks as calls of an arm's model, without the prompt of the use case."""
    place = plan.setting.reached[arm.model]
    for case in general_skills():
        messages = [ChatMessage(role="user", content=case.text)]
        request = request_to(
            place,
            messages,
            max_tokens=plan.setting.max_tokens,
            effort=arm.effort or None,
        )
        yield Job(request), arm, case


def quoted(lab: PreparedLab) -> Quote:
    """The most that verifying would cost, with the general tasks; nothing is sent."""
    _refuse_one_sided(lab)
    return prepare.quoted(lab, _price, VERIFY_RUN)


def _price(lab: PreparedLab, ledger: Ledger | None) -> Quote:
    """The highest cost of the choice, of both arms' held-out cases, and of the general tasks.

    The models for the general tasks are unknown before the choice, so the most expensive of each
    kind count.
    """
    parts = [price(lab, ledger, rivals=False)]
    for kind in ("prompt", "tuned"):
        arms = {arm.model: arm for arm in lab.plan.of_kind(kind)}
        general = []
        for arm in arms.values():
            jobs = [job for job, _, _ in general_calls(lab.plan, arm)]
            general.append(quote(jobs, ledger, lab.price_of))
        parts += dearest(general)
    return total(parts)


def _refuse_one_sided(lab: PreparedLab) -> None:
    """Refuse a case without a tuned model, or with only tuned ones."""
    where = lab.case.where("models")
    deciders = lab.plan.setting.deciders
    if deciders:
        what = f'model "{min(deciders)[:60]}" only decides, and can be asked no general tasks'
        raise CaseError(what, where=where, fix="compare it with tuneworthy ceiling")
    if not lab.plan.of_kind("tuned"):
        fix = "add it to models with kind: tuned; it may be served anywhere"
        raise CaseError("names no tuned model", where=where, fix=fix)
    if not lab.plan.of_kind("prompt"):
        fix = "add the model that is prompted today, to compare the tuned one with"
        raise CaseError("names no model but tuned ones", where=where, fix=fix)


def _refuse_another(lab: PreparedLab, margin: float) -> None:
    """Refuse to compare by another plan than the written one, before anything is paid."""
    before = written_plan(lab.case)
    if before is None:
        return
    arms = {arm.id: arm for arm in lab.plan.arms}
    tuned = arms.get(before.tuned)
    untuned = arms.get(before.untuned)
    if tuned is None or untuned is None or margin != before.margin:
        raise another_plan(lab.case)
    if plan_digest(lab.plan, tuned, untuned, lab.scorer) != before.inputs:
        raise another_plan(lab.case)


def compared(
    written: VerifyPlan, lab: Lab, general: Scores, arms: tuple[Arm, Arm], hold: Hold
) -> VerifyResult:
    """Compare a tuned arm and an untuned one by the written plan, after both have answered."""
    plan = lab.plan
    scores = lab.scores
    tuned, untuned = arms
    task = contrast(scores, tuned, untuned, plan.report)
    general_task = contrast(general, tuned, untuned, general_skills())
    judge = judge_report(lab, arms)
    skills = general.estimate(untuned, general_skills())
    floor = skills is not None and skills.value <= written.general_margin
    kept = skills_kept(general_task, written.general_margin, floor=floor)
    held = hold(task, kept)
    answer, why = judge_outcome(written, task, general_task, held, kept)
    asked = ((scores, plan.report), (general, general_skills()))
    lost = list[str]()
    kinds = list[str]()
    for arm in arms:
        for by, cases in asked:
            reason = by.unanswered(arm, cases)
            if reason:
                lost.append(reason)
                kinds.append(by.why_unanswered(arm, cases))
    if lab.stop:
        answer = "too_few_cases"
        why = "stopped"
    elif lost:
        answer = "unknown"
        why = min(kinds, key=WHY_UNANSWERED.index)
    elif (
        answer in ("improved", "meets", "open")
        and judge is not None
        and judge.chosen_by == "judge"
    ):
        # with too few cases a poor untuned arm may have been chosen
        answer = "unknown"
        why = "choice"
    by_judge = judge is not None
    return VerifyResult(
        plan=written,
        contrast=task,
        general=general_task,
        tuned=scores.share(tuned, plan.report, exact=by_judge),
        untuned=scores.share(untuned, plan.report, exact=by_judge),
        judge=judge,
        targets=dict(held.targets),
        enough=held.enough,
        may_be_enough=held.may_be_enough,
        gains=held.gains,
        general_skills=kept,
        failures=failures_of(scores, tuned, plan.report),
        change=tuned_change(scores, (untuned, tuned), plan.report),
        tried=len(plan.of_kind("prompt")) + len(plan.of_kind("baseline")),
        outcome=answer,
        why=why,
        sides=tuple(arm_row(lab, arm, plan.report) for arm in arms),
        cases_needed=cases_to_decide(scores, arms, plan.report, task, written.margin),
        aloud=sum(
            int(scores.arm_scores(arm).total(plan.report, "aloud")) for arm in arms
        ),
        spend=lab.calls.spend,
        **(lab.stop or first_of(lost)).of_result,
    )


def cases_to_decide(
    scores: Scores, arms: tuple[Arm, Arm], cases: Cases, task: Contrast, margin: float
) -> int | Unknown:
    """Held-out cases that distinguish a difference from the margin.

    The existing number where the interval lies on one side of the margin. Unknown with a grader,
    and where the number is more than labelling is worth.
    """
    if isinstance(task.difference, Unknown) or scores.judge is not None:
        return Unknown(ask="compare them by rules, on more cases")
    if task.low > margin or task.high <= margin:
        return task.n
    tuned, untuned = arms
    mine = scores.row(tuned, cases)
    others = scores.row(untuned, cases)
    needed = cases_needed(mine - margin, others, clusters_of(cases))
    if needed is None:
        return Unknown(ask=BY_MARGIN)
    return max(needed, task.n + 1)


def judge_outcome(
    written: VerifyPlan, task: Contrast, general: Contrast, held: HeldArm, skills: State
) -> tuple[VerifyAnswer, str]:
    """The outcome of the comparison, and the rule that decided it."""
    if general.high < -written.general_margin:
        return "regressed", "general"
    if isinstance(task.difference, Unknown):
        return "unknown", "labels"
    if task.clusters < ENOUGH:
        return "too_few_cases", "interval"
    if set(held.targets) - {"privacy"}:
        return _against_targets(written, task, held, skills)
    if task.high < 0:
        return "regressed", "task"
    if task.low > written.margin:
        if skills == "yes":
            return ("improved", "task")
        return ("too_few_cases", "general")
    return _no_gain(written, task)


def _against_targets(
    written: VerifyPlan, task: Contrast, held: HeldArm, skills: State
) -> tuple[VerifyAnswer, str]:
    """The answer where targets decide, and the reason for it."""
    if held.enough:
        return "not_needed", "targets"
    if held.admits == "missed":
        return "misses", "targets"
    if held.admits == "unknown" and held.gains == "no":
        return _no_gain(written, task)
    if skills != "yes":
        return "too_few_cases", "general"
    if held.may_be_enough:
        return "open", "rival"
    return ("meets" if held.admits == "met" else "open"), "targets"


def _no_gain(written: VerifyPlan, task: Contrast) -> tuple[VerifyAnswer, str]:
    """Equal within the margin, or not shown to differ on all existing cases."""
    if task.high <= written.margin:
        return "no_gain", "task"
    return ("no_gain" if task.n >= written.cases else "too_few_cases"), "interval"


def render(
    result: VerifyResult, form: str = "text", *, colour: bool = False, **named: str
) -> str:
    """The result as ``text`` or ``json``; ``folder`` and ``rubric`` are as the user named them."""
    if form == "json":
        return lab_dict("verify", result)
    return render_document(verify_document(result, **named), colour=colour)


def render_quote(
    lab: PreparedLab, quote: Quote, form: str = "text", **more: Any
) -> str:
    """The arms to compare, and the price; see ``prepare.render_quote``."""
    return prepare.render_quote(lab, quote, form, general=len(general_skills()), **more)
