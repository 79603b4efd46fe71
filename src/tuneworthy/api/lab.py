"""What every lab of a case begins with: its plan, its ledger, its price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tuneworthy.api.road import framework_of, load_case
from tuneworthy.calls.choose import prices_of, transport_for
from tuneworthy.calls.endpoints import reach
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.quote import quote
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Quote, canonical_json
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, OutputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.materials import Materials
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalset import named_evalset, parted
from tuneworthy.files.evidence import FOLDER
from tuneworthy.files.examples import read_examples
from tuneworthy.files.materials import read_materials
from tuneworthy.files.prompts import read_prompts
from tuneworthy.labs.arms import plan_arms
from tuneworthy.labs.ceiling import Plan, make_plan, together
from tuneworthy.labs.pool import Pool, answer_text
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


def prepare(
    source: str | Path, *, chosen: str | None = None, seed: int = 0, repeats: int = 1,
    max_tokens: int = MOST_TOKENS, allow_code: bool = False, as_of: date | None = None,
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
    kit = _kit(case, materials, cases, allow_code=allow_code)
    metric = case.targets.quality.metric if case.targets.quality else ""
    scorers = default_scorers(cases, kit, metric)
    marker = Marker(scorers, kit)
    told = _judged(case, together(cases), marker, {one.id for one in scorers})
    pool = Pool(_examples(case, told, seed))
    setting = Setting(
        prompts={one.name: one for one in prompts},
        reached={model.id: reach(model) for model in case.models},
        pool=pool,
        schema=None if (of := materials.output_schema) is None else canonical_json(of),
        grammar=_grammar(kit.labels),
        max_tokens=max_tokens,
    )
    _constraints_fit(case, prompts, setting)
    arms = plan_arms(case, prompts, told, len(pool), schema=setting.schema is not None)
    plan = make_plan(arms, told, setting, repeats=repeats, seed=seed)
    _parts_fit(case, plan, source)
    day = as_of or date.today()  # the local day, as everywhere
    name = " and ".join(one.id for one in scorers) or "the checks of each case"
    return Ready(case, framework_of(case, chosen), plan, Scores(marker), name, day)


def _prompts_fit(case: Case, prompts: tuple[PromptVariant, ...]) -> None:
    if not prompts:
        fix = "name a folder of prompts under data.prompts, one file a variant"
        raise CaseError("names no prompts", where=case.where("data"), fix=fix)
    if not case.models:
        fix = 'list them: models: [{id: "openai:gpt-4o-mini"}]'
        raise CaseError("names no models", where=case.where("models"), fix=fix)
    known = [model.id for model in case.models]
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
    """What the lab would cost; nothing is sent.

    Raises:
        InputError: If the case has no folder, or its ledger is in use.
    """
    with ledger_of(ready.case) as ledger:
        return price(ready, ledger)


def price(ready: Ready, ledger: Ledger) -> Quote:
    """The most a lab can cost: every arm to its end, then the dearest that may be reported on."""
    plan, price_of = ready.plan, prices_of(ready.case.models, ready.as_of)
    parts = [quote(plan.all_jobs(plan.arms, plan.select), ledger, price_of)]
    for kind in ("prompt", "tuned"):
        arms = [arm for arm in plan.arms if arm.kind == kind]
        each = [quote(plan.all_jobs([arm], plan.report), ledger, price_of) for arm in arms]
        parts += sorted(each, key=lambda one: (one.usd_most, one.calls))[-1:]
    names = dict.fromkeys(name for one in parts for name in one.unpriced)
    return Quote(
        calls=sum(one.calls for one in parts),
        reused=sum(one.reused for one in parts),
        usd_most=sum(one.usd_most for one in parts),
        usd_likely=sum(one.usd_likely for one in parts),
        unpriced=tuple(names),
    )


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
    return transport_for(tuple(ready.plan.setting.reached.values()), at_once=at_once)


def ledger_of(case: Case) -> Ledger:
    """The ledger of a case's paid calls.

    Raises:
        InputError: If the case has no folder, or another run is using it.
    """
    path = beside(case, FOLDER, f"{FOLDER}/{CALLS}")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    return Ledger(path)


def _examples(case: Case, cases: tuple[EvalCase, ...], seed: int) -> tuple[EvalCase, ...]:
    """Solved cases to show: the team's examples, else the cases for selecting."""
    held = case.data.examples
    path = beside(case, "data.examples", held.path if held else None)
    if path is not None and path.is_file():
        return read_examples(path)
    return parted(cases, seed=seed)[0]


def _kit(case: Case, materials: Materials, cases: tuple[EvalCase, ...], *, allow_code: bool) -> Kit:
    def read(name: str) -> str:
        path = beside(case, "data.evaluation", name)
        if path is None:
            raise CaseError("has no folder", where=case.name, fix="keep the case in a folder")
        return read_text(path, MIB, CaseError)

    return Kit(
        materials=materials, labels=_labels(cases), read=read, folder=case.folder,
        allow_code=allow_code,
    )  # fmt: skip


def _labels(cases: tuple[EvalCase, ...]) -> tuple[str, ...]:
    """The answers there are, where they are few and short enough to be labels."""
    told = [one for one in cases if one.accepted]
    found = sorted({answer_text(each) for one in told for each in one.accepted})
    short = all(isinstance(a, str) and 0 < len(a) <= 80 for one in told for a in one.accepted)
    return tuple(found) if short and len(found) <= min(200, max(2, len(told) // 2)) else ()


def _grammar(labels: tuple[str, ...]) -> str | None:
    """A grammar that allows nothing but the labels; None where answers are no labels."""
    if not labels:
        return None
    return "root ::= " + " | ".join(canonical_json(label) for label in labels)
