"""What every lab of a case begins with: its plan, its ledger, its price."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tuneworthy.api.judged import JudgeAsked, judging_of, refuse_judge_checks
from tuneworthy.api.lab_kit import as_written, examples_of, grammar_of, kit_of
from tuneworthy.api.road import framework_of, load_case
from tuneworthy.calls.choose import prices_of, transport_for
from tuneworthy.calls.endpoints import reach
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.quote import quote, total
from tuneworthy.calls.reading import Reading
from tuneworthy.calls.run import PriceOf
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Quote
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, OutputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.judging import JudgePlan
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.case import beside
from tuneworthy.files.evalset import named_evalset
from tuneworthy.files.evidence import FOLDER
from tuneworthy.files.materials import read_materials
from tuneworthy.files.prompts import read_prompts
from tuneworthy.labs.arms import plan_arms
from tuneworthy.labs.ceiling import Plan, make_plan, together
from tuneworthy.labs.judged import all_jobs
from tuneworthy.labs.judging import Judging
from tuneworthy.labs.pool import Pool
from tuneworthy.labs.proposing import Bench, Wish, cost, kept_in
from tuneworthy.labs.requests import Setting
from tuneworthy.labs.scores import Scores
from tuneworthy.scoring import Kit, Marker, default_scorers
from tuneworthy.syntax.build import did_you_mean

CALLS = "calls.sqlite3"
"""The ledger of paid calls, in the folder of what is computed for a case."""
MOST_TOKENS = 512
"""Tokens an answer may have where nothing else is said."""
_COMPARE = frozenset({"match", "label", "json_fields", "number", "tool_call", "sql"})
"""Scorers that hold an answer against a reference, so that a case needs one."""


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
    source: str | Path, *, chosen: str | None = None, seed: int = 0, repeats: int = 1,
    max_tokens: int = MOST_TOKENS, allow_code: bool = False, as_of: date | None = None,
    judge: JudgeAsked | None = None, scored: bool = True,
) -> Ready:  # fmt: skip
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
        schema=None if (of := materials.output_schema) is None else as_written(of),
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
    told = _judged(case, together(cases), marker, {one.id for one in scorers})
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
    case: Case, cases: tuple[EvalCase, ...], marker: Marker, scorers: set[str]
) -> tuple[EvalCase, ...]:
    """The cases that can be judged: what nobody labelled isn't paid for.

    Every scorer is made here, so that a wrong one is told before anything is sent.
    """
    for one in cases:
        marker.scorers(one)
    free = bool(scorers - _COMPARE)
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


def quoted(ready: Ready) -> Quote:
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
