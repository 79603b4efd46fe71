"""Whether tuning worked: the tuned arm against the best untuned one, on cases that chose neither.

The margin and the stopping rule, all existing cases once, are written down before any held-out case
is run. A tuned model that got better at the task and worse at everything else is no success, so
both arms also answer a small set of general tasks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias, Unpack

from tuneworthy.answers.arms import arms_series
from tuneworthy.answers.facts import TARGETS
from tuneworthy.errors import CaseError, StoppedError
from tuneworthy.files.evalset import case_values
from tuneworthy.files.stores import (
    another_plan,
    append_evidence,
    write_plan,
    written_plan,
)
from tuneworthy.lab import quote as lab_quote
from tuneworthy.lab.evidence import (
    any_measured,
    interval_evidence,
    measured_arms,
    measured_in,
    with_found,
)
from tuneworthy.lab.plan import Asked, LabPlan, request_to
from tuneworthy.lab.pool import Cases
from tuneworthy.lab.prepare import CallSettings, PreparedLab, paid, probed
from tuneworthy.lab.quote import dearest, price
from tuneworthy.lab.race import Lab
from tuneworthy.lab.result import (
    ENOUGH,
    arm_row,
    chosen_arms,
    contrast,
    digest_of_json,
    failures_of,
    judge_report,
    tuned_change,
)
from tuneworthy.lab.scores import WHY_UNANSWERED, Scores, clusters_of, first_of
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, Stop, quote, total
from tuneworthy.model.base import State, Strings, Unknown
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Evidence, Measured, TargetState
from tuneworthy.model.framework import Framework, TargetId
from tuneworthy.model.lab import (
    Arm,
    ChatMessage,
    Contrast,
    JudgeOf,
    JudgePlan,
    Quote,
    VerifyAnswer,
    VerifyPlan,
    VerifyResult,
)
from tuneworthy.model.ways import AnyFigure, Figure, HeldTarget, LabArm
from tuneworthy.pipeline import table_of
from tuneworthy.report import render as render_document
from tuneworthy.report.named import named
from tuneworthy.report.sections.lab import WHAT_TO_DO, lab_dict
from tuneworthy.report.sections.lab_verify import verify_document
from tuneworthy.stats.compare import cases_needed
from tuneworthy.stats.intervals import BY_MARGIN, cases_to_tell
from tuneworthy.ways.table import WayTable
from tuneworthy.ways.way import FIGURE_OF, KnownNumber, Way, dossier_figure
from tuneworthy.words import count, quality, quality_interval

_SETTLES = named("settles")
_NO_WORSE = Unknown(
    ask="no quality is stated: it has to be no worse than what is untuned"
)


class HeldArm(NamedTuple):
    """A tuned arm compared with the targets, and with untuned ways."""

    targets: Mapping[TargetId, HeldTarget]
    admits: TargetState  #: Whether it meets all of them.
    gains: State  #: Whether it brings what the untuned arm beside it doesn't.
    enough: str  #: An untuned way that makes it needless; empty for none.
    needless_too: State  #: Whether the way without a model beside it brings as much.
    may_be_enough: str = ""
    """An untuned way that may be enough too, with the number of cases to settle it; empty for none."""


def gain_figure(contrast: Contrast, plan: VerifyPlan, source: str) -> AnyFigure:
    """Return the gain of a tuned arm over an untuned one; unknown on too few cases.

    It is unknown, too, where the interval includes the margin and answers are missing: the missing
    answers may have made the interval that wide.
    """
    unknown = Unknown(ask="compare them on more cases")
    difference = contrast.difference
    if isinstance(difference, Unknown) or contrast.clusters < ENOUGH:
        return unknown
    includes_margin = contrast.low <= plan.margin < contrast.high
    lacks_answers = contrast.n < plan.cases
    if includes_margin and lacks_answers:
        return unknown
    return Figure(
        value=difference,
        low=contrast.low,
        high=contrast.high,
        grade="held_out",
        cases=contrast.n,
        source=source,
    )


def hold_arm(
    table: WayTable,
    name: str,
    margin: float,
    simpler: tuple[str, KnownNumber] | None = None,
) -> HeldArm:
    """Compare a tuned way of a table with every target.

    ``margin`` is the share of cases below which a difference is no gain. ``simpler`` is a way
    without a model, by its id, and the gain of the tuned way over it.
    """
    way = table.find(name)
    assert way is not None  # its arm was put into the table
    criterion = table.criterion
    # a difference below the lab's own margin is no gain here, whatever margin the table has
    by_margin = replace(criterion, margin_quality=margin)
    needless_too: State = "unknown"
    if simpler is not None:
        simpler_id, gain_over_simpler = simpler
        over_simpler = by_margin.gains(
            replace(way, gain=gain_over_simpler), table.find(simpler_id)
        )
        needless_too = _opposite(over_simpler)
    enough = table.makes_needless(way)
    best_enough = enough[0] if enough else None
    return HeldArm(
        targets=hold_targets(table, way),
        admits=criterion.admits(way),
        gains=by_margin.gains(way, table.find(way.beside)),
        enough="" if best_enough is None else best_enough.title,
        may_be_enough=_rival_text(table, way),
        needless_too=needless_too,
    )


def _opposite(state: State) -> State:
    if state == "yes":
        return "no"
    if state == "no":
        return "yes"
    return "unknown"


def _rival_text(table: WayTable, way: Way) -> str:
    """Name an untuned way that may be enough too, with its figure; empty for none."""
    rivals = table.may_be_enough(way)
    if not rivals:
        return ""
    best = rivals[0]
    figure = best.figures["quality"]
    limit = table.criterion.limits["quality"]
    ends = quality_interval(figure.value, figure.low, figure.high)
    says = f"{best.title} may meet every target without tuning: {ends}, of {quality(limit)}"
    return f"{says}. To tell: {_settling_text('quality', figure, limit)}"


def hold_targets(table: WayTable, way: Way) -> dict[TargetId, HeldTarget]:
    """Return every target that counts for a way, with the way's known figure."""
    held = {}
    for target, state in table.criterion.judge(way).items():
        limit = table.criterion.limits.get(target)
        # a way keeps data private or doesn't, and nobody states a number
        if target == "privacy":
            limit = 1.0
        figure = way.figure(target)
        settles = ""
        if state == "unknown":
            settles = _settling_text(target, figure, limit)
        if figure is not None and not math.isfinite(figure.high):
            figure = None  # the dossier holds no infinite number
        held[target] = HeldTarget(
            state=state,
            limit=_NO_WORSE if limit is None else limit,
            figure=dossier_figure(FIGURE_OF[target], figure),
            settles=settles,
        )
    return held


def _settling_text(
    target: TargetId, figure: KnownNumber | None, limit: float | None
) -> str:
    """Say what would settle whether a target is met."""
    if target != "quality" or figure is None or not figure.cases:
        return _SETTLES[target]
    if limit is None:
        return _SETTLES["gain"]
    needed = cases_to_tell(figure.value, limit, figure.cases)
    if needed is None:
        return "decide by the margin: more cases than are worth their labels would hardly tell"
    # the figure is of the held-out half of the set
    existing = 2 * figure.cases
    return f"about {count(needed - existing)} more cases, half of them held out"


def name_targets(
    targets: Mapping[TargetId, HeldTarget], state: TargetState
) -> tuple[str, ...]:
    """Return the names of the targets that are in a state."""
    with_state = (target for target, held in targets.items() if held.state == state)
    return tuple(TARGETS[target].name for target in with_state)


VERIFY_RUN = "verify"
MARGIN = 0.02
"""The margin where neither the framework has a threshold ``margin_quality`` nor the user states
one. At 0, two equal arms could never be called equal, however many cases there are."""
GENERAL_MARGIN = 0.1
"""The share of general tasks by which the tuned model may be worse. So few tasks can't show less."""
MOST_MISSING_GENERAL = 0.05
"""The share of general tasks that may have no answer. Both ends of the interval count them."""
_SOURCE = "verify lab, held-out cases"


def bundled(place: str) -> Iterator[Any]:
    """The lines of a shipped file of JSON lines."""
    text = files("tuneworthy").joinpath(place).read_text("utf-8")
    return (json.loads(line) for line in text.splitlines() if line)


def general_skills() -> tuple[EvalCase, ...]:
    """General tasks that any useful model can do: reading, counting, language, instructions."""
    return tuple(map(EvalCase.model_validate, bundled("lab/general_skills.jsonl")))


def plan_digest(plan: LabPlan, tuned: Arm, untuned: Arm, scorer: str) -> str:
    """Return the SHA-256 of everything the comparison rests on.

    The digests of written plans have this order, so any change of it refuses them all.
    """
    setting = plan.setting
    arms = (tuned, untuned)
    prompts = list[PromptVariant]()
    for arm in arms:
        prompts += [setting.prompts[name] for name in (*arm.steps, arm.prompt)]
    places = [setting.reached[arm.model] for arm in arms]
    inputs = [
        [case_values(case) for case in plan.report],
        # who wrote a prompt changes no answer
        [prompt.model_dump(mode="json", exclude={"searched_by"}) for prompt in prompts],
        [arm.model_dump(mode="json") for arm in arms],
        [[place.provider, place.base_url, place.name] for place in places],
        [case_values(case) for case in setting.pool.examples],
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
        # another untuned arm may be better than the one that the tuned arm was compared with
        arms = with_found(arms, result.plan.tuned, best_known="no")
    append_evidence(lab.case, evidence_of(result, arms, lab.as_of), lab.files)
    return result


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
    """Return every arm as a row to keep, with the findings about the tuned one."""
    arms = measured_arms("verify", lab.plan, lab.scores, reported, lab.as_of)
    return with_found(
        arms, plan.tuned, gain=gain, beside=plan.untuned, general_skills=skills
    )


def evidence_of(
    result: VerifyResult, arms: Sequence[LabArm], as_of: date
) -> Measured | None:
    """Return the evidence of the comparison for the case: every arm, and the gain by tuning.

    None for a comparison that was cut short. A comparison that decided nothing has only the arms.
    """
    # where an arm got too few answers, the other arms are measured all the same
    if result.stopped_by not in ("", "unanswered") or not any_measured(arms):
        return None
    gain = gain_evidence(result, as_of)
    kept = () if gain is None else (gain,)
    return measured_in(result, *kept, series=(arms_series("verify", arms),))


def skills_kept(general: Contrast, margin: float, *, floor: bool) -> State:
    """Say whether the tuned arm kept its general skills; unknown where too little was answered.

    ``general`` compares it with the untuned arm on general tasks. With ``floor``, the untuned arm
    solves hardly any of them, so it has no skills that could get worse.
    """
    if isinstance(general.difference, Unknown):
        return "unknown"
    if general.high < -margin:
        return "no"
    if general.low >= -margin and not floor:
        return "yes"
    return "unknown"


def gain_evidence(
    result: VerifyResult,
    as_of: date,
    *,
    id: str = "tuned_gain",
    by: str = "verify",
    **more: str,
) -> Evidence | None:
    """Return the gain of the tuned arm over the best untuned one; None where it is unknown.

    ``by`` is the lab, and ``more`` are further details.
    """
    task = result.contrast
    if result.stopped or result.outcome == "unknown":
        return None
    if isinstance(task.difference, Unknown):
        return None
    details = {
        "outcome": result.outcome,
        "why": result.why,
        "margin": result.plan.margin,
        **more,
    }
    return interval_evidence(
        id,
        task,
        as_of,
        value=task.difference,
        unit="points",  # of a difference between two shares
        details=details,
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
    lab = Lab(plan, scores, calls, stop)
    await lab.race()
    if lab.stop:
        raise lab.stop.error("; paid answers are kept")
    arms = _choose_both(lab)
    tuned, untuned = arms
    written = verify_plan(
        plan,
        arms,
        margin=margin,
        written_on=prepared.as_of,
        inputs=plan_digest(plan, tuned, untuned, prepared.scorer),
        judge=prepared.judge,
        changed=scores.changes(arms),
    )
    # before the held-out cases are asked, so that no answer to them can change it
    written = write_plan(prepared.case, written, again=again)
    await lab.report(arms)
    general = Scores(most_missing=MOST_MISSING_GENERAL)
    if not lab.stop:
        general_jobs = [*general_calls(plan, tuned), *general_calls(plan, untuned)]
        lab.stop = (await general.run(calls.runner(), general_jobs)).stop
    hold = partial(_hold_tuned_arm, prepared, arms, written)
    return compared(written, lab, general, arms, hold)


def _choose_both(lab: Lab) -> tuple[Arm, Arm]:
    """Return the best tuned arm and the best prompt on the cases for selecting.

    Raises StoppedError where an arm that raced got too few answers, as it may be the best one.
    """
    _refuse_unanswered(lab)
    chosen = chosen_arms(lab)
    tuned = [arm for arm in chosen if arm.kind == "tuned"]
    if not tuned:
        raise CaseError(
            "has no scored arm to compare", fix="look at: tuneworthy ceiling"
        )
    best_prompt = chosen[0]
    return tuned[0], best_prompt


def _refuse_unanswered(lab: Lab) -> None:
    """Refuse to choose among arms of which one got too few answers."""
    select = lab.plan.select
    raced = lab.stayed("prompt", "tuned")
    lost = first_of(lab.unanswered(raced, select))
    if not lost:
        return
    kinds = {lab.scores.why_unanswered(arm, select) for arm in raced}
    worst_first = [kind for kind in WHY_UNANSWERED if kind in kinds]
    raise StoppedError(f"not judged: {lost.why}", fix=WHAT_TO_DO[worst_first[0]])


Hold: TypeAlias = Callable[[Contrast, State], HeldArm]
"""Compares the tuned arm with every target, by its gain and whether it kept general skills."""


def _hold_tuned_arm(
    lab: PreparedLab,
    arms: tuple[Arm, Arm],
    plan: VerifyPlan,
    gained: Contrast,
    skills: State,
) -> HeldArm:
    """Compare the tuned arm with every target, as the table of ways judges it."""
    kept = _arms_to_keep(lab, arms, plan, gain_figure(gained, plan, _SOURCE), skills)
    table = table_of(lab.case, lab.framework, as_of=lab.as_of, lab="verify", arms=kept)
    return hold_arm(table, f"verify:{plan.tuned}", plan.margin)


def verify_plan(
    plan: LabPlan,
    arms: tuple[Arm, Arm],
    *,
    margin: float,
    inputs: str,
    written_on: date,
    judge: JudgePlan | None = None,
    changed: Strings = (),
) -> VerifyPlan:
    """Return the plan, to be written before a tuned and an untuned arm meet the held-out cases."""
    tuned, untuned = arms
    return VerifyPlan(
        tuned=tuned.id,
        untuned=untuned.id,
        general_margin=GENERAL_MARGIN,
        cases=len(plan.report),
        general=len(general_skills()),
        margin=margin,
        inputs=inputs,
        written_on=written_on,
        judge=judge,
        changed=changed,
    )


def general_calls(plan: LabPlan, arm: Arm) -> Iterator[Asked]:
    """Yield the general tasks as calls of an arm's model, without the prompt of the use case."""
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
    return lab_quote.quoted(lab, _price, VERIFY_RUN)


def _price(lab: PreparedLab, ledger: Ledger | None) -> Quote:
    """Return the highest cost of the choice, of both arms' held-out cases, and of the general tasks.

    The models for the general tasks are unknown before the choice, so the most expensive of each
    kind count.
    """
    parts = [price(lab, ledger, rivals=False)]
    for kind in ("prompt", "tuned"):
        general = []
        for arm in _one_arm_a_model(lab.plan.of_kind(kind)):
            jobs = [job for job, _, _ in general_calls(lab.plan, arm)]
            general.append(quote(jobs, ledger, lab.price_of))
        parts += dearest(general)
    return total(parts)


def _one_arm_a_model(arms: Sequence[Arm]) -> list[Arm]:
    """Return one arm of each model; general tasks have no prompt, so the others ask the same."""
    by_model = {arm.model: arm for arm in arms}
    return list(by_model.values())


def _refuse_one_sided(lab: PreparedLab) -> None:
    """Refuse a case without a tuned model, with only tuned ones, or with one that only decides."""
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
    skills = _skills_of_tuned(written, general, untuned, general_task)
    held = hold(task, skills)
    lost = [
        *_lost_answers(scores, arms, plan.report),
        *_lost_answers(general, arms, general_skills()),
    ]
    outcome = judge_outcome(written, task, general_task, held, skills)
    outcome = _doubted(outcome, lab.stop, lost, judge)
    by_judge = judge is not None
    rows = [row for arm in arms for row in scores.arm_scores(arm).rows_of(plan.report)]
    stop = lab.stop or first_of([sentence for sentence, _ in lost])
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
        general_skills=skills,
        failures=failures_of(scores, tuned, plan.report),
        change=tuned_change(scores, (untuned, tuned), plan.report),
        tried=len(plan.of_kind("prompt")) + len(plan.of_kind("baseline")),
        outcome=outcome.answer,
        why=outcome.rule,
        sides=tuple(arm_row(lab, arm, plan.report) for arm in arms),
        cases_needed=cases_to_decide(scores, arms, plan.report, task, written.margin),
        aloud=sum(row.aloud for row in rows),
        spend=lab.calls.spend,
        **stop.of_result,
    )


def _skills_of_tuned(
    written: VerifyPlan, general: Scores, untuned: Arm, contrast: Contrast
) -> State:
    """Say whether the tuned arm kept its general skills, by its contrast with the untuned one."""
    untuned_skills = general.estimate(untuned, general_skills())
    floor = (
        untuned_skills is not None and untuned_skills.value <= written.general_margin
    )
    return skills_kept(contrast, written.general_margin, floor=floor)


def _lost_answers(
    scores: Scores, arms: Sequence[Arm], cases: Cases
) -> list[tuple[str, str]]:
    """Return a sentence and its reason for each arm that got too few answers to be measured."""
    lost = [
        (scores.unanswered(arm, cases), scores.why_unanswered(arm, cases))
        for arm in arms
    ]
    return [each for each in lost if each[0]]


class VerifyOutcome(NamedTuple):
    """The outcome of a comparison."""

    answer: VerifyAnswer
    rule: str  #: The rule that decided it, by a word of the report's table.


def _doubted(
    outcome: VerifyOutcome,
    stop: Stop,
    lost: Sequence[tuple[str, str]],
    judge: JudgeOf | None,
) -> VerifyOutcome:
    """Return the outcome, or the reason why the comparison can't decide it."""
    if stop:
        return VerifyOutcome("too_few_cases", "stopped")
    if lost:
        kinds = [kind for _, kind in lost]
        worst_first = [kind for kind in WHY_UNANSWERED if kind in kinds]
        return VerifyOutcome("unknown", worst_first[0])
    good = outcome.answer in ("improved", "meets", "open")
    if good and judge is not None and judge.chosen_by == "judge":
        # a grader alone may have chosen a poor untuned arm, which is easy to beat
        return VerifyOutcome("unknown", "choice")
    return outcome


def cases_to_decide(
    scores: Scores, arms: tuple[Arm, Arm], cases: Cases, task: Contrast, margin: float
) -> int | Unknown:
    """Return the number of held-out cases that distinguish a difference from the margin.

    It is the existing number where the interval lies on one side of the margin. Unknown with a
    grader, and where the number is more than labelling is worth.
    """
    if isinstance(task.difference, Unknown) or scores.judge is not None:
        return Unknown(ask="compare them by rules, on more cases")
    if task.low > margin or task.high <= margin:
        return task.n
    tuned, untuned = arms
    # the margin is taken off, so that the question is whether the rest differs from 0
    beyond_margin = scores.row(tuned, cases) - margin
    needed = cases_needed(beyond_margin, scores.row(untuned, cases), clusters_of(cases))
    if needed is None:
        return Unknown(ask=BY_MARGIN)
    # a power computed from chance may name fewer than there are, which weren't enough
    return max(needed, task.n + 1)


def judge_outcome(
    written: VerifyPlan, task: Contrast, general: Contrast, held: HeldArm, skills: State
) -> VerifyOutcome:
    """Decide the comparison by the first rule that applies.

    ``task`` and ``general`` are the tuned arm less the untuned one, on held-out cases and on
    general tasks. ``skills`` says whether the tuned arm kept its general skills.
    """
    # lost skills count even where the cases are too few to judge the task
    if general.high < -written.general_margin:
        return VerifyOutcome("regressed", "general")
    if isinstance(task.difference, Unknown):
        return VerifyOutcome("unknown", "labels")
    if task.clusters < ENOUGH:
        return VerifyOutcome("too_few_cases", "interval")
    # privacy is known without a lab, so it alone leaves the decision to the difference
    has_measured_target = any(target != "privacy" for target in held.targets)
    if has_measured_target:
        return _outcome_by_targets(written, task, held, skills)
    if task.high < 0:
        return VerifyOutcome("regressed", "task")
    if task.low <= written.margin:
        return _outcome_without_gain(written, task)
    if skills == "yes":
        return VerifyOutcome("improved", "task")
    return VerifyOutcome("too_few_cases", "general")


def _outcome_by_targets(
    written: VerifyPlan, task: Contrast, held: HeldArm, skills: State
) -> VerifyOutcome:
    """Decide the comparison by the case's targets."""
    if held.enough:
        return VerifyOutcome("not_needed", "targets")
    if held.admits == "missed":
        return VerifyOutcome("misses", "targets")
    if held.admits == "unknown" and held.gains == "no":
        return _outcome_without_gain(written, task)
    if skills != "yes":
        return VerifyOutcome("too_few_cases", "general")
    if held.may_be_enough:
        return VerifyOutcome("open", "rival")
    if held.admits == "met":
        return VerifyOutcome("meets", "targets")
    return VerifyOutcome("open", "targets")


def _outcome_without_gain(written: VerifyPlan, task: Contrast) -> VerifyOutcome:
    """Decide a comparison in which no gain is shown.

    The plan's stopping rule is all existing cases once, so on all of them no gain is the answer.
    """
    if task.high <= written.margin:
        return VerifyOutcome("no_gain", "task")
    if task.n >= written.cases:
        return VerifyOutcome("no_gain", "interval")
    return VerifyOutcome("too_few_cases", "interval")


def render(
    result: VerifyResult, form: str = "text", *, colour: bool = False, **named: str
) -> str:
    """Write the result as ``text`` or ``json``; ``folder`` and ``rubric`` are as the user named them."""
    if form == "json":
        return lab_dict("verify", result)
    return render_document(verify_document(result, **named), colour=colour)


def render_quote(
    lab: PreparedLab, quote: Quote, form: str = "text", **more: Any
) -> str:
    """The arms to compare, and the price; see ``quote.render_quote``."""
    return lab_quote.render_quote(
        lab, quote, form, general=len(general_skills()), **more
    )
