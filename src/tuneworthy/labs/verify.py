"""Did tuning work? The tuned arm against the best untuned one, on cases that chose neither.

Margin and stop are written down before anything untouched is run: all the cases there are, once.
A tuned model that got better at the task and worse at everything else is no success, so both arms
also answer a small set of general tasks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Literal

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.run import Job, PriceOf, Runner
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import ChatMessage, Request
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm, Contrast, VerifyPlan, VerifyResult
from tuneworthy.labs.ceiling import Plan
from tuneworthy.labs.outcome import ENOUGH, contrast, share_of
from tuneworthy.labs.scores import Scores
from tuneworthy.scoring import Kit, scorer_for

RUN = "verify"
GENERAL_MARGIN = 0.05
"""Share of general tasks the tuned model may be worse by."""


def general_skills() -> tuple[EvalCase, ...]:
    """General tasks that any useful model keeps: reading, counting, language, following orders."""
    text = files("tuneworthy.labs").joinpath("general_skills.jsonl").read_text("utf-8")
    return tuple(EvalCase.model_validate(json.loads(line)) for line in text.splitlines() if line)


def plan_digest(plan: Plan, tuned: Arm, untuned: Arm) -> str:
    """SHA-256 of everything the comparison rests on."""
    told = [
        [one.model_dump(mode="json", exclude_defaults=True) for one in plan.report],
        [plan.setting.prompts[arm.prompt].model_dump(mode="json") for arm in (tuned, untuned)],
        [arm.model_dump(mode="json") for arm in (tuned, untuned)],
        [plan.repeats, plan.setting.max_tokens],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_down(plan: Plan, tuned: Arm, untuned: Arm, *, margin: float, as_of: date) -> VerifyPlan:
    """The plan of a comparison, before it is made."""
    return VerifyPlan(
        tuned=tuned.id, untuned=untuned.id, margin=margin, general_margin=GENERAL_MARGIN,
        cases=len(plan.report), general=len(general_skills()),
        inputs=plan_digest(plan, tuned, untuned), written_on=as_of,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """Both arms after the run."""

    task: Scores
    general: Scores
    stopped: str


async def compare(
    plan: Plan, arms: tuple[Arm, Arm], task: Scores, ledger: Ledger, transport: Transport,
    price_of: PriceOf, *, cap_usd: float, at_once: int = 16,
) -> Compared:  # fmt: skip
    """Run both arms on every untouched case and on the general tasks."""
    runner = Runner(ledger, transport, price_of, run=RUN, cap_usd=cap_usd, at_once=at_once)
    skills, kit = general_skills(), Kit()
    own = {one.id: [scorer_for(check, kit) for check in one.checks] for one in skills}
    general = Scores((), own)
    asked: dict[str, list[tuple[Scores, Arm, EvalCase]]] = {}
    jobs: list[Job] = []

    def ask(job: Job, where: Scores, arm: Arm, case: EvalCase) -> None:
        jobs.append(job)
        asked.setdefault(job.key, []).append((where, arm, case))

    for arm in arms:
        for case in plan.report:
            for job in plan.jobs(arm, case):
                ask(job, task, arm, case)
        for case in skills:
            ask(Job(_plain(plan, arm, case)), general, arm, case)
    outcome = await runner.all(jobs)
    for key, places in asked.items():
        if (found := outcome.settled.get(key)) is not None:
            for where, arm, case in places:
                where.call(arm.id, case, found)
    return Compared(task, general, outcome.why if outcome.stopped else "")


def _plain(plan: Plan, arm: Arm, case: EvalCase) -> Request:
    """A general task, asked without the prompt of the use case."""
    place = plan.setting.reached[arm.model]
    return Request(
        provider=place.provider, base_url=place.base_url, model=place.name,
        messages=(ChatMessage(role="user", content=case.text),), max_tokens=128,
    )  # fmt: skip


def judge(
    written: VerifyPlan, plan: Plan, arms: tuple[Arm, Arm], found: Compared, spend: object
) -> VerifyResult:
    """Hold both comparisons against what was written down."""
    tuned, untuned = arms
    task = contrast(found.task, tuned, untuned, plan.report)
    general = contrast(found.general, tuned, untuned, general_skills())
    told, why = _outcome(written, task, general)
    return VerifyResult.model_validate(
        {
            "plan": written,
            "contrast": task,
            "general": general,
            "tuned": share_of(found.task, tuned, plan.report),
            "untuned": share_of(found.task, untuned, plan.report),
            "outcome": "too_few_cases" if found.stopped else told,
            "why": why,
            "spend": spend,
            "stopped": found.stopped,
        }
    )


Outcome = Literal["improved", "regressed", "no_gain", "too_few_cases"]


def _outcome(written: VerifyPlan, task: Contrast, general: Contrast) -> tuple[Outcome, str]:
    if general.high < -written.general_margin:
        return "regressed", "general"
    if task.n < ENOUGH:
        return "too_few_cases", "interval"
    if task.high < 0:
        return "regressed", "task"
    if task.low > written.margin:
        held = general.low >= -written.general_margin or general.difference >= 0
        return ("improved", "task") if held else ("too_few_cases", "general")
    return ("no_gain", "task") if task.high <= written.margin else ("too_few_cases", "interval")


def tuned_arms(plan: Plan) -> Sequence[Arm]:
    """Arms of tuned models."""
    return [arm for arm in plan.arms if arm.kind == "tuned"]
