"""The ceiling lab of a case: quote, run, report, and evidence in its ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tuneworthy.api.road import decide, framework_of, load_case
from tuneworthy.calls.choose import prices_of, transport_for
from tuneworthy.calls.endpoints import reach
from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.quote import quote
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Quote, canonical_json
from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, OutputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.lab import CeilingResult
from tuneworthy.files.case import beside
from tuneworthy.files.evalset import named_evalset, parted, read_evalset
from tuneworthy.files.evidence import FOLDER, append_evidence
from tuneworthy.files.materials import read_materials
from tuneworthy.files.prompts import read_prompts
from tuneworthy.labs.arms import plan_arms
from tuneworthy.labs.ceiling import RUN, Lab, Plan, Stand, make_plan
from tuneworthy.labs.outcome import chosen_arms, evidence_of, outcome
from tuneworthy.labs.pool import Pool, answer_text
from tuneworthy.labs.requests import Setting
from tuneworthy.labs.scores import Scores
from tuneworthy.report.lab import ceiling_dict, ceiling_page, quote_page
from tuneworthy.scoring import Kit, Scorer, default_scorers, scorer_for

CALLS = "calls.sqlite3"
"""The ledger of paid calls, in the folder of what is computed for a case."""
MOST_TOKENS = 512
"""Tokens an answer may have where nothing else is said."""

Watch = Callable[[Stand], None]


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


@dataclass(frozen=True, slots=True)
class Done:
    """A lab that ran."""

    result: CeilingResult
    dossier: Dossier
    before: Dossier
    folder: str


def prepare(
    source: str | Path, *, chosen: str | None = None, seed: int = 0, repeats: int = 1,
    max_tokens: int = MOST_TOKENS, as_of: date | None = None,
) -> Ready:  # fmt: skip
    """Plan a ceiling lab; nothing is sent.

    Raises:
        InputError: If the case has no models, prompts or evaluation set, or one of them is wrong.
    """
    case = load_case(source)
    cases, prompts = named_evalset(case), read_prompts(case)
    if cases is None:
        fix = f"make one: tuneworthy evalset {source}, then name it under data.evaluation"
        raise CaseError("names no evaluation set", where=case.where("data"), fix=fix)
    if not prompts:
        fix = "name a folder of prompts under data.prompts, one file a variant"
        raise CaseError("names no prompts", where=case.where("data"), fix=fix)
    if not case.models:
        fix = 'list them: models: [{id: "openai:gpt-4o-mini"}]'
        raise CaseError("names no models", where=case.where("models"), fix=fix)
    pool = Pool(_examples(case, cases, seed))
    materials = read_materials(case)
    schema = None if materials.output_schema is None else canonical_json(materials.output_schema)
    setting = Setting(
        prompts={one.name: one for one in prompts},
        reached={model.id: reach(model) for model in case.models},
        pool=pool,
        schema=schema,
        grammar=_grammar(cases),
        max_tokens=max_tokens,
    )
    arms = plan_arms(case, prompts, cases, len(pool))
    plan = make_plan(arms, cases, setting, repeats=repeats, seed=seed)
    kit = Kit(materials=materials, labels=_labels(cases))
    metric = case.targets.quality.metric if case.targets.quality else ""
    scorers = default_scorers(cases, kit, metric)
    own = {one.id: [scorer_for(check, kit) for check in one.checks] for one in cases if one.checks}
    framework = framework_of(case, chosen)
    day = as_of or date.today()  # the local day, as everywhere
    return Ready(case, framework, plan, Scores(scorers, own), _named(scorers), day)


def quoted(ready: Ready) -> Quote:
    """What the lab would cost; nothing is sent.

    Raises:
        InputError: If the case has no folder, or its ledger is in use.
    """
    with ledger_of(ready.case) as ledger:
        return quote(ready.plan.every_job(), ledger, prices_of(ready.case.models, ready.as_of))


def run(
    ready: Ready, *, cap_usd: float, at_once: int = 16,
    watch: Watch | None = None, transport: Transport | None = None, source: str = ".",
) -> Done:  # fmt: skip
    """Run the lab to its end, the cap or a stop, and add what it shows to the case's evidence.

    Args:
        ready: The plan.
        cap_usd: The most its calls may cost, those of earlier runs included.
        at_once: The most calls on the wire.
        watch: Told how it stands.
        transport: What sends, in place of the case's own endpoints.
        source: How the user named the case.

    Raises:
        InputError: If an endpoint can't be reached or a ledger can't be used.
    """
    case, framework, as_of = ready.case, ready.framework, ready.as_of
    before, price_of = decide(case, framework, as_of=as_of), prices_of(case.models, as_of)
    with ledger_of(case) as ledger:
        told = quote(ready.plan.every_job(), ledger, price_of)
        result = asyncio.run(_go(ready, ledger, transport, cap_usd, at_once, watch, told))
    measured = evidence_of(result, ready.plan, as_of)
    if any(one.id == "success_share" for one in measured.evidence):
        append_evidence(case, measured)
    return Done(result, decide(case, framework, as_of=as_of), before, source)


async def _go(
    ready: Ready, ledger: Ledger, transport: Transport | None, cap_usd: float, at_once: int,
    watch: Watch | None, told: Quote,
) -> CeilingResult:  # fmt: skip
    sends = transport or transport_of(ready, at_once)
    try:
        lab = Lab(
            ready.plan, ready.scores, ledger, sends, prices_of(ready.case.models, ready.as_of),
            cap_usd=cap_usd, at_once=at_once, watch=watch,
        )  # fmt: skip
        await lab.race()
        chosen = chosen_arms(ready.plan, ready.scores, lab.dropped)
        if chosen and not lab.stopped:
            await lab.report(chosen)
    finally:
        await sends.close()
    quality = ready.case.targets.quality
    target = quality.at_least if quality else None
    return outcome(
        lab, chosen, ready.framework, target=target, quote=told,
        spend=ledger.spend(RUN, cap_usd), scorer=ready.scorer,
    )  # fmt: skip


def transport_of(ready: Ready, at_once: int) -> Transport:
    """What carries the lab's requests to the models of its case.

    Raises:
        InputError: If a key or a library is missing.
    """
    return transport_for(tuple(ready.plan.setting.reached.values()), at_once=at_once)


def render(done: Done, form: str = "text", *, colour: bool = False) -> str:
    """What the lab found, as ``text`` or ``json``."""
    if form == "json":
        return ceiling_dict(done.result, done.dossier)
    return ceiling_page(done.result, done.dossier, done.before, folder=done.folder, colour=colour)


def render_quote(ready: Ready, told: Quote, *, cap_usd: float | None, colour: bool = False) -> str:
    """The plan and what it would cost."""
    return quote_page(
        ready.plan.arms, len(ready.plan.select), len(ready.plan.report), told,
        cap_usd=cap_usd, colour=colour,
    )  # fmt: skip


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
        return read_evalset(path)
    return parted(cases, seed=seed)[0]


def _labels(cases: tuple[EvalCase, ...]) -> tuple[str, ...]:
    """The answers there are, where they are few and short enough to be labels."""
    found = sorted({answer_text(one.accepted[0]) for one in cases if one.accepted})
    short = all(isinstance(one.reference, str) and len(one.reference) <= 80 for one in cases)
    return tuple(found) if short and len(found) <= min(200, max(2, len(cases) // 2)) else ()


def _grammar(cases: tuple[EvalCase, ...]) -> str | None:
    """A grammar that allows nothing but the labels; None where answers are no labels."""
    labels = _labels(cases)
    if not labels:
        return None
    quoted_ = (canonical_json(label) for label in labels)
    return "root ::= " + " | ".join(quoted_)


def _named(scorers: tuple[Scorer, ...]) -> str:
    return " and ".join(one.id for one in scorers)
