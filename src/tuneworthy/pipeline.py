"""The road, in order: the only module that knows which stage follows which."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.errors import FrameworkError
from tuneworthy.files.case import beside, missing_entries, prompt_texts, read_case
from tuneworthy.files.disk import FRAMEWORK_LIMIT, read_text
from tuneworthy.files.stores import read_evidence
from tuneworthy.framework.load import NAMES, load_document, load_named, published_counts, services
from tuneworthy.framework.rules import compile_rules
from tuneworthy.framework.tally import tally
from tuneworthy.llm.endpoints import look_up
from tuneworthy.measure.duplicates import distinct_prompts
from tuneworthy.model.base import Unknown, digest, remembered_digest
from tuneworthy.model.case import NO_PRICES, Attempt, Case, CaseOrigin, Prices
from tuneworthy.model.dossier import (
    Action,
    Advice,
    ApproachResult,
    Assessment,
    ChallengeResult,
    Decision,
    Dossier,
    Findings,
    FlipResult,
    GateResult,
    NamedDigest,
    Option,
    Plan,
    QuestionResult,
    Replaced,
    Stage,
    Verdict,
)
from tuneworthy.model.evidence import Evidence, Series, latest, latest_series
from tuneworthy.model.framework import Framework, Outcome
from tuneworthy.model.precedents import PrecedentsResult
from tuneworthy.money.investment import Draw, MoneyFindings, assess_money
from tuneworthy.plan.section import build_plan
from tuneworthy.precedents.nearest import shipped_index
from tuneworthy.precedents.section import IN_SHORT, precedents
from tuneworthy.syntax.document import ParsedFile, parse
from tuneworthy.verdict.challenges import challenge
from tuneworthy.verdict.facts import Facts
from tuneworthy.verdict.gates import NO_GOAL, approaches, choose_action, gates
from tuneworthy.verdict.headline import quick_result, verdict_result
from tuneworthy.verdict.options import option_results, options, recommendation
from tuneworthy.verdict.options.advice import recommend
from tuneworthy.verdict.rules import apply_rules, flips, questions, verdict_of
from tuneworthy.verdict.weigh import ASK as NOTHING_MEASURED
from tuneworthy.verdict.weigh import (
    Ledger,
    as_evidence,
    evidence_section,
    figures,
    weigh,
    with_evidence,
)

# The dossier put together: ids and numbers become words here and nowhere else.


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stages came to, before words."""

    told: Case
    """The case as it was told."""
    case: Case
    """The case with measured numbers in the place of stated ones."""
    measured: Mapping[str, Evidence]
    """The latest measurement of each id, unknown ones too."""
    series: tuple[Series, ...]
    """The latest numbers of each picture of them."""
    framework: Framework
    assessment: Assessment
    stages: tuple[tuple[Attempt, Verdict], ...]
    decision: Decision
    flips: tuple[tuple[FlipResult, ...], int]
    questions: tuple[QuestionResult, ...]
    challenges: tuple[ChallengeResult, ...]
    approaches: tuple[ApproachResult, ...]
    money: MoneyFindings
    gates: tuple[GateResult, ...]
    action: Action
    simpler: tuple[str, ...]
    """Ids of options recommended before any tuning."""
    plan: Plan | Unknown
    precedents: PrecedentsResult | Unknown
    options: tuple[Option, ...] | None
    """None where nobody asked for them."""
    advice: Advice | None
    quick: bool
    as_of: date
    seed: int


def compose(parts: Parts) -> Dossier:
    """Every section of the dossier, in its order."""
    case, framework, decision = parts.case, parts.framework, parts.decision
    return Dossier.model_validate(
        {
            "case": NamedDigest(name=case.name, digest=digest(parts.told)),
            "framework": NamedDigest(name=framework.name, digest=remembered_digest(framework)),
            "as_of": parts.as_of,
            "seed": parts.seed,
            "ceiling": parts.assessment.ceiling,
            "signals": parts.assessment.signals,
            "factors": parts.assessment.factors,
            "counts": parts.assessment.counts,
            "rules": decision.rules,
            "strength": decision.strength,
            "stages": tuple(
                Stage(name=a.name, outcome=o, final=o != "undecided", change=a.change)
                for a, o in parts.stages
            ),
            "verdict": verdict_result(
                case,
                framework,
                parts.assessment,
                decision,
                parts.gates,
                parts.action,
                parts.approaches,
                parts.questions,
                parts.options or (),
                parts.simpler,
            ),
            "distribution": decision.distribution,
            "bounds": decision.bounds,
            "flips": parts.flips[0],
            "flips_searched_to": parts.flips[1],
            "next_questions": parts.questions,
            "challenges": parts.challenges,
            "approaches": parts.approaches or NO_GOAL,
            "options": option_results(parts.options, case),
            "recommendation": recommendation(parts.advice, parts.options),
            "investment": parts.money.result,
            "precedents": parts.precedents,
            "plan": parts.plan,
            "evidence": evidence_section(parts.measured, framework),
            "series": parts.series or Unknown(ask=NOTHING_MEASURED),
            "quick": quick_result(decision, framework) if parts.quick else None,
        }
    )


def prices_of(case: Case, as_of: date) -> Prices:
    """List prices of the case's models, where there is traffic to price and one isn't stated."""
    traffic = case.economics.traffic
    tokens = traffic.input_tokens
    if tokens is None or traffic.output_tokens is None or traffic.requests_per_month is None:
        return NO_PRICES
    if all(model.usd_per_mtok is not None for model in case.models):
        return NO_PRICES
    return look_up(case.models, as_of, input_tokens=tokens.likely)


# The road, in order: the only module that knows which stage follows which.

_NEAR_COPY = 1.0  # where a framework names no threshold, only identical prompts are copies


def load_case(source: str | Path | Mapping[str, Any]) -> Case:
    """A case from its folder, its ``case.yaml``, or a mapping with the same keys.

    Raises:
        CaseError: If it isn't a case; the message names the line and the fix.
    """
    return read_case(source)


def load_framework(source: str | Path | Mapping[str, Any] = "lesson") -> Framework:
    """A framework by its name in the catalogue, from a file, or from a mapping.

    Raises:
        FrameworkError: If it isn't a framework; the message names the line and the fix.
    """
    if isinstance(source, Mapping):
        return load_document(ParsedFile(dict(source), "framework"))
    if isinstance(source, str) and (source in NAMES or not _looks_like_file(source)):
        return load_named(source)
    text = read_text(Path(source), FRAMEWORK_LIMIT, FrameworkError)
    return load_document(parse(text, str(source), FrameworkError))


def _looks_like_file(source: str) -> bool:
    return any(sign in source for sign in "/\\.") or os.path.exists(source)  # noqa: PTH110  # never raises


def framework_of(case: Case, chosen: str | None = None) -> Framework:
    """The framework to judge a case by: the chosen one, else the case's own, else the lesson."""
    if chosen is not None:
        return load_framework(chosen)
    if case.framework is None:
        return load_framework("lesson")
    path = None if case.framework in NAMES else beside(case, "framework", case.framework)
    return load_framework(case.framework if path is None else path)


def decide(
    case: Case,
    framework: Framework,
    *,
    as_of: date | None = None,
    seed: int = 0,
    quick: bool = False,
    evidence: Mapping[str, Evidence] | None = None,
    draw: Draw | None = None,
) -> Dossier:
    """Judge a case.

    Args:
        case: The case.
        framework: The framework to judge it by.
        as_of: The day the dossier speaks for; today when not given.
        seed: For everything that is drawn at random; it stands in the dossier.
        quick: Ask the framework's short form only.
        evidence: What was measured, by id; what stands in the case folder when not given.
        draw: Draws the money; one that remembers may be given where only answers change.

    Returns:
        The dossier. Equal arguments give equal bytes.

    Raises:
        CaseError: If the case answers something the framework doesn't ask, or names data that lie
            outside its folder.
        FrameworkError: If the framework has no short form and one is asked for.
    """
    as_of = as_of or today()
    told = _shortened(case, framework) if quick else case
    measured, pictured = on_record(told) if evidence is None else (evidence, ())
    case, replaced = with_evidence(told, ledger := known(measured))
    rules, assessment = compile_rules(framework), weigh(case, framework, ledger=ledger)
    states, prices = assessment.states, prices_of(case, as_of)
    decision = apply_rules(states, framework, rules)
    sovereign = assessment.state("data_sovereignty")
    money = assess_money(case, framework, sovereign, prices, seed, draw)
    fits = approaches(case, framework, _offered(framework, assessment, as_of))
    all_gates = gates(case, assessment, decision, fits, money.gate, as_of)
    asked = questions(states, framework, rules)
    action = choose_action(decision.outcome, {one.id: one.state for one in all_gates})
    judged = _Judged(assessment, decision, fits, all_gates, asked, action, money)
    ahead = _ahead(case, framework, judged, as_of, quick=quick)
    findings = _look(case, framework, prices, ledger, replaced, as_of)
    return compose(
        Parts(
            told=told,
            case=case,
            measured={**measured, **as_evidence(figures(case))},
            series=pictured,
            framework=framework,
            stages=tuple(
                (attempt, verdict_of(rules, weigh(case, framework, attempt).states))
                for attempt in case.attempts
            ),
            flips=flips(states, rules, decision.outcome),
            challenges=challenge(Facts(case, framework, assessment, fits, findings)),
            **judged._asdict(),
            **ahead._asdict(),
            quick=quick,
            as_of=as_of,
            seed=seed,
        )
    )


class _Judged(NamedTuple):
    assessment: Assessment
    decision: Decision
    approaches: tuple[ApproachResult, ...]
    gates: tuple[GateResult, ...]
    questions: tuple[QuestionResult, ...]
    action: Action
    money: MoneyFindings


class _Ahead(NamedTuple):
    options: tuple[Option, ...] | None
    advice: Advice | None
    simpler: tuple[str, ...]
    plan: Plan | Unknown
    precedents: PrecedentsResult | Unknown


def _ahead(
    case: Case, framework: Framework, judged: _Judged, as_of: date, *, quick: bool
) -> _Ahead:
    """The options, what is advised, what of that is simpler than any tuning, and the plan.

    The short form asks too little to judge options.
    """
    assessment, decision, fits, all_gates, asked, action, money = judged
    found = None if quick else options(case, framework, assessment, fits, published_counts())
    advice = None if found is None else recommend(found, assessment, decision, action)
    known = [name for name in (advice.options if advice else ()) if name in framework.options]
    simpler = tuple(name for name in known if framework.options[name].kind != "tuning")
    planned = build_plan(
        case, framework, assessment, decision, fits, all_gates, asked, money, as_of, simpler
    )
    others: PrecedentsResult | Unknown = IN_SHORT
    if not quick:
        others = precedents(shipped_index(), case.goals, framework, assessment)
    return _Ahead(found, advice, simpler, planned, others)


def today() -> date:
    """The local calendar day: a dossier speaks for the day its reader lives in."""
    return date.today()


def _offered(
    framework: Framework, assessment: Assessment, as_of: date
) -> dict[str, tuple[str, ...]]:
    """Who takes new work of each kind of tuning; only one's own where data may not leave."""
    inside = assessment.state("data_sovereignty") == "yes"
    return {name: services().offering(name, as_of, inside=inside) for name in framework.approaches}


def evidence_of(case: Case) -> Mapping[str, Evidence]:
    """The latest measurement of each id that lies beside a case, unknown ones too.

    Raises:
        CaseError: If the ledger can't be read.
    """
    return on_record(case)[0]


def on_record(case: Case) -> tuple[Mapping[str, Evidence], tuple[Series, ...]]:
    """What ``evidence_of`` gives, and the latest numbers of each picture of it."""
    runs = read_evidence(case)
    return latest(runs), latest_series(runs)


def known(measured: Mapping[str, Evidence]) -> Ledger:
    """Those that have a value and were measured; what somebody published settles nothing."""
    return {n: one for n, one in measured.items() if one.known and one.grade == "measured"}


def _look(
    case: Case,
    framework: Framework,
    prices: Prices,
    ledger: Ledger,
    replaced: tuple[Replaced, ...],
    as_of: date,
) -> Findings:
    """What lies beside the case file, what was measured, and what its models cost."""
    found = Findings(
        missing=missing_entries(case), prices=prices, ledger=ledger, replaced=replaced, as_of=as_of
    )
    if (texts := prompt_texts(case)) is None:
        return found
    near = framework.threshold("near_copy")
    distinct = distinct_prompts(texts, _NEAR_COPY if near is None else near)
    return replace(found, prompts=len(texts), distinct_prompts=distinct)


def _shortened(case: Case, framework: Framework) -> Case:
    """The case with nothing but the answers of the short form."""
    if not framework.quick:
        fix = "add quick: [factor, …] to the framework, or leave --quick out"
        raise FrameworkError("has no short form", where=framework.name, fix=fix)
    weigh(case, framework)  # a wrong id is wrong in the short form too
    kept = {name: case.factors[name] for name in framework.quick if name in case.factors}
    return Case(name=case.name, factors=kept).with_origin(CaseOrigin(case.origin.where))


@dataclass(frozen=True, slots=True)
class Quickly:
    """A verdict without its dossier."""

    outcome: Verdict
    final: bool
    distribution: dict[Outcome, float]


def verdicts(cases: Iterable[Case], framework: Framework) -> list[Quickly]:
    """The verdicts of many cases: outcome, final and distribution, as ``decide`` gives them.

    Raises:
        CaseError: As ``decide``.
    """
    rules = compile_rules(framework)
    found = []
    for case in cases:
        ledger = known(evidence_of(case))
        filled, _ = with_evidence(case, ledger)
        counted = tally(rules, weigh(filled, framework, ledger=ledger).states)
        reach = counted.reach
        final = len(reach) == 1
        outcome: Verdict = next(iter(reach)) if final else "undecided"
        found.append(Quickly(outcome, final, counted.shares()))
    return found
