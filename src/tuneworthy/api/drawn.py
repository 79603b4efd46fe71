"""What people have to label for a judged lab: outputs of drawn cases, not knowing whose."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from tuneworthy.api.answered import outputs_of
from tuneworthy.api.judged import SCALE, rubric_text
from tuneworthy.api.lab import Ready, prepare
from tuneworthy.api.road import load_case
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.judging import JudgePlan
from tuneworthy.domain.lab import CeilingPlan
from tuneworthy.domain.labels import SCALES, digest_of
from tuneworthy.files.labs import written_choice, written_plan
from tuneworthy.labs.drawn import drawn
from tuneworthy.report.labelling import Item

For = Literal["report", "choose", "verify"]
"""The arms a ceiling lab chose, on its untouched cases; all its arms, on the cases for selecting;
or both arms of a verification, on its untouched cases."""


def drawn_items(source: str | Path, rubric: str | Path, lab: For) -> tuple[list[Item], str]:
    """The outputs that a lab under a judge needs labels of, and the rubric's text.

    Cases come in the order in which they were drawn before anything was labelled; the arms of a
    case are shuffled, and an output that several of them wrote is shown once.

    Args:
        source: The case.
        rubric: The file the lab was given.
        lab: What for.

    Raises:
        InputError: If no lab with this judge has chosen its arms, or something can't be read.
    """
    case = load_case(source)
    plan, chosen = _plan(case, source, lab)
    text = rubric_text(rubric)
    if digest_of(text, SCALE) != plan.rubric:
        fix = f"give the one the lab was given, {plan.file}, or run the lab with this one"
        raise CaseError("is another rubric than the lab's", where=str(rubric), fix=fix)
    ready = prepare(source, seed=plan.seed, max_tokens=plan.max_tokens, scored=False)
    arms = chosen or tuple(arm.id for arm in ready.plan.arms)
    items = list(_items(ready, plan, arms, lab))
    if not items:
        fix = f"run the lab on: tuneworthy {'verify' if lab == 'verify' else 'ceiling'} {source}"
        raise CaseError("no drawn case was answered by these arms", where=str(source), fix=fix)
    return items, text


def _plan(case: Case, source: str | Path, lab: For) -> tuple[JudgePlan, tuple[str, ...]]:
    """Who judges, and the arms that are asked for; () for all."""
    chosen: tuple[str, ...] = ()
    if lab == "verify":
        written = written_plan(case)
        judge = written.judge if written else None
        chosen = (written.tuned, written.untuned) if written else ()
    else:
        choice = written_choice(case) or (written_plan(case) if lab == "choose" else None)
        judge = choice.judge if choice else None
        chosen = choice.chosen if isinstance(choice, CeilingPlan) else ()
    if judge is None:
        name = "verify" if lab == "verify" else "ceiling"
        fix = f"run it first: tuneworthy {name} {source} --judge RUBRIC --judge-model MODEL"
        raise CaseError("no lab with a judge has chosen its arms yet", where=str(source), fix=fix)
    return judge, () if lab == "choose" else chosen


def _items(ready: Ready, plan: JudgePlan, arms: Sequence[str], lab: For) -> Iterator[Item]:
    outputs = outputs_of(ready)
    for case in drawn(ready.plan.select if lab == "choose" else ready.plan.report,
                      plan.labels, plan.seed):  # fmt: skip
        mixed = [arm for arm in arms if case.id in outputs.get(arm, {})]
        chance = random.Random(digest_of("arms", str(plan.seed), case.id))  # noqa: S311  # an order is no secret
        chance.shuffle(mixed)
        own = {outputs[arm][case.id]: arm for arm in reversed(mixed)}
        for text, arm in reversed(own.items()):
            yield Item("rubric", case, (arm,), (text,), SCALES[SCALE], rubric=plan.rubric)
