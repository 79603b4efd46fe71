"""Did tuning work? The tuned arm against the best untuned one, on cases that chose neither.

Margin and stop are written down before anything untouched is run: all the cases there are, once.
A tuned model that got better at the task and worse at everything else is no success, so both arms
also answer a small set of general tasks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Literal

from tuneworthy.lab.race import ENOUGH, Plan, contrast, judge_of, system_of
from tuneworthy.lab.scores import Scores, share_of, unanswered_text
from tuneworthy.llm.endpoints import Transport
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, PriceOf, Runner
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import (
    Arm,
    ChatMessage,
    Contrast,
    JudgePlan,
    Request,
    VerifyPlan,
    VerifyResult,
)
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import Kit

VERIFY_RUN = "verify"
GENERAL_MARGIN = 0.1
"""Share of general tasks the tuned model may be worse by: less can't be told on so few of them."""


def general_skills() -> tuple[EvalCase, ...]:
    """General tasks that any useful model keeps: reading, counting, language, following orders."""
    text = files("tuneworthy.lab").joinpath("general_skills.jsonl").read_text("utf-8")
    return tuple(EvalCase.model_validate(json.loads(line)) for line in text.splitlines() if line)


def plan_digest(plan: Plan, tuned: Arm, untuned: Arm, scorer: str) -> str:
    """SHA-256 of everything the comparison rests on."""
    places = [plan.setting.reached[arm.model] for arm in (tuned, untuned)]
    told = [
        [one.model_dump(mode="json", exclude_defaults=True) for one in plan.report],
        [plan.setting.prompts[arm.prompt].model_dump(mode="json") for arm in (tuned, untuned)],
        [arm.model_dump(mode="json") for arm in (tuned, untuned)],
        [[one.provider, one.base_url, one.name] for one in places],
        [one.model_dump(mode="json", exclude_defaults=True) for one in plan.setting.pool.examples],
        [plan.setting.schema, plan.setting.grammar],
        [plan.repeats, plan.setting.max_tokens, scorer],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_down(
    plan: Plan,
    tuned: Arm,
    untuned: Arm,
    *,
    margin: float,
    scorer: str,
    as_of: date,
    judge: JudgePlan | None = None,
) -> VerifyPlan:
    """The plan of a comparison, before it is made."""
    return VerifyPlan(
        tuned=tuned.id,
        untuned=untuned.id,
        margin=margin,
        general_margin=GENERAL_MARGIN,
        cases=len(plan.report),
        general=len(general_skills()),
        inputs=plan_digest(plan, tuned, untuned, scorer),
        judge=judge,
        written_on=as_of,
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Both arms after the run."""

    task: Scores
    general: Scores
    stopped: str


async def compare(
    plan: Plan,
    arms: tuple[Arm, Arm],
    task: Scores,
    ledger: Ledger,
    transport: Transport,
    price_of: PriceOf,
    *,
    cap_usd: float,
    at_once: int = 16,
    starts: Callable[[Callable[[], None]], None] = lambda _: None,
) -> Compared:
    """Run both arms on every untouched case and on the general tasks.

    Args:
        plan: The lab's plan, for its untouched cases.
        arms: The tuned and the untuned one.
        task: Where answers to untouched cases are kept.
        ledger: Where calls are kept.
        transport: What sends.
        price_of: The price of a request.
        cap_usd: The most the whole verification may cost.
        at_once: The most calls on the wire.
        starts: Given what stops it, before it starts.
    """
    runner = Runner(ledger, transport, price_of, run=VERIFY_RUN, cap_usd=cap_usd, at_once=at_once)
    starts(runner.stop)
    general = Scores(Marker((), Kit()))
    asked: list[tuple[Job, Scores, Arm, EvalCase]] = []
    for arm in arms:
        asked += [(job, task, arm, case) for case in plan.report for job in plan.jobs(arm, case)]
        asked += [(job, general, arm, case) for job, case in general_jobs(plan, arm)]
    outcome = await runner.all([job for job, *_ in asked])
    judged = [(job, arm, case) for job, where, arm, case in asked if where is task]
    outcome = await task.judged(runner, judged, outcome)
    for job, where, arm, case in asked:
        if (found := outcome.settled.get(job.key)) is not None:
            where.call(arm.id, case, found, system_of(job.request))
    return Compared(task, general, outcome.why if outcome.stopped else "")


def general_jobs(plan: Plan, arm: Arm) -> list[tuple[Job, EvalCase]]:
    """The general tasks as calls of an arm's model, asked without the prompt of the use case."""
    place = plan.setting.reached[arm.model]

    def asked(case: EvalCase) -> Request:
        return Request(
            provider=place.provider,
            base_url=place.base_url,
            model=place.name,
            messages=(ChatMessage(role="user", content=case.text),),
            max_tokens=128,
        )

    return [(Job(asked(case)), case) for case in general_skills()]


def judge(
    written: VerifyPlan, plan: Plan, arms: tuple[Arm, Arm], found: Compared, spend: object
) -> VerifyResult:
    """Hold both comparisons against what was written down."""
    tuned, untuned = arms
    task = contrast(found.task, tuned, untuned, plan.report)
    general = contrast(found.general, tuned, untuned, general_skills())
    by_people = found.task.judging is not None
    of_judge = judge_of(found.task, plan.arms, arms, plan.select, plan.report)
    told, why = _outcome(written, task, general)
    lost = [one for arm in arms for one in _unanswered(plan, arm, found)]
    stopped = found.stopped or unanswered_text(lost)
    if lost:
        told, why = "unknown", "unanswered"
    if told == "improved" and of_judge is not None and of_judge.chosen_by == "judge":
        told, why = "unknown", "choice"  # of untuned arms, it may have chosen a poor one
    return VerifyResult.model_validate(
        {
            "plan": written,
            "contrast": task,
            "general": general,
            "tuned": share_of(found.task, tuned, plan.report, exact=by_people),
            "untuned": share_of(found.task, untuned, plan.report, exact=by_people),
            "judge": of_judge,
            "outcome": "too_few_cases" if found.stopped else told,
            "why": "stopped" if found.stopped else why,
            "spend": spend,
            "stopped": stopped,
        }
    )


def _unanswered(plan: Plan, arm: Arm, found: Compared) -> list[str]:
    """Why an arm isn't judged on untouched cases and on general tasks; [] where it is."""
    task = found.task.unanswered(arm.id, plan.report)
    general = found.general.unanswered(arm.id, general_skills())
    return [why for why in (task, general) if why]


Outcome = Literal["improved", "regressed", "no_gain", "too_few_cases", "unknown"]


def _outcome(written: VerifyPlan, task: Contrast, general: Contrast) -> tuple[Outcome, str]:
    if general.high < -written.general_margin:
        return "regressed", "general"
    if isinstance(task.difference, Unknown):
        return "unknown", "labels"
    if task.clusters < ENOUGH:
        return "too_few_cases", "interval"
    if task.high < 0:
        return "regressed", "task"
    if task.low > written.margin:
        held = general.low >= -written.general_margin
        return ("improved", "task") if held else ("too_few_cases", "general")
    return ("no_gain", "task") if task.high <= written.margin else ("too_few_cases", "interval")
