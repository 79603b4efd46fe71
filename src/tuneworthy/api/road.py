"""The road, in order: the only module that knows which stage follows which."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.api.outlook import Draw, outlook, prices_of
from tuneworthy.assess.challenge import challenge
from tuneworthy.assess.measured import Ledger, with_evidence
from tuneworthy.assess.published import as_evidence
from tuneworthy.assess.weigh import stages, weigh
from tuneworthy.domain.assessment import Assessment, Findings, Replaced
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Action, ApproachFit, Decision, Gate, Question, Verdict
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import FrameworkError
from tuneworthy.domain.evidence import Evidence, Series, latest, latest_series
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.likeness import Others
from tuneworthy.domain.money import Outlook
from tuneworthy.domain.options import Advice, Option
from tuneworthy.domain.outline import NoPlan, Outline
from tuneworthy.domain.prices import Prices
from tuneworthy.domain.rules import Outcome
from tuneworthy.files.case import beside, missing_entries, prompt_texts, read_case
from tuneworthy.files.disk import FRAMEWORK_LIMIT, read_text
from tuneworthy.files.evidence import read_evidence
from tuneworthy.forecast.plan import plan
from tuneworthy.framework.dated import published_counts, services
from tuneworthy.framework.load import NAMES, load_document, load_named
from tuneworthy.framework.rules import compile_rules
from tuneworthy.framework.tally import tally
from tuneworthy.gather.prompts import distinct_prompts
from tuneworthy.precedent.index import shipped_index
from tuneworthy.precedent.others import look
from tuneworthy.report.view import Parts, compose
from tuneworthy.stats.published import figures
from tuneworthy.syntax.yaml import Document, parse
from tuneworthy.verdict.approach import approaches
from tuneworthy.verdict.gates import choose_action, gates
from tuneworthy.verdict.options import options
from tuneworthy.verdict.options.recommend import recommend
from tuneworthy.verdict.robustness import flips, questions, verdict_of
from tuneworthy.verdict.rules import apply_rules

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
        return load_document(Document(dict(source), "framework"))
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
    case: Case, framework: Framework, *,
    as_of: date | None = None, seed: int = 0, quick: bool = False,
    evidence: Mapping[str, Evidence] | None = None, draw: Draw | None = None,
) -> Dossier:  # fmt: skip
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
    money = outlook(case, framework, assessment, prices, seed, draw)
    fits = approaches(case, framework, _offered(framework, assessment, as_of))
    all_gates = gates(case, assessment, decision, fits, money, as_of)
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
            stages=tuple((a, verdict_of(rules, t.states)) for a, t in stages(case, framework)),
            flips=flips(states, rules, decision),
            challenges=challenge(case, framework, assessment, findings),
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
    approaches: tuple[ApproachFit, ...]
    gates: tuple[Gate, ...]
    questions: tuple[Question, ...]
    action: Action
    money: Outlook


class _Ahead(NamedTuple):
    options: tuple[Option, ...] | None
    advice: Advice | None
    simpler: tuple[str, ...]
    plan: Outline | NoPlan
    others: Others | None


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
    planned = plan(
        case, framework, assessment, decision, fits, all_gates, asked, money, as_of, simpler
    )
    others = None if quick else look(shipped_index(), case.goals, framework, assessment)
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
    case: Case, framework: Framework, prices: Prices, ledger: Ledger,
    replaced: tuple[Replaced, ...], as_of: date,
) -> Findings:  # fmt: skip
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
    return Case(name=case.name, factors=kept).placed(lambda path: case.where(*path))


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
