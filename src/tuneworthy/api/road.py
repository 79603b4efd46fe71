"""The road, in order: the only module that knows which stage follows which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tuneworthy.assess.challenge import challenge
from tuneworthy.assess.weigh import stages, weigh
from tuneworthy.domain.assessment import Findings
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import FrameworkError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.rules import Outcome
from tuneworthy.files.case import beside, missing_entries, prompt_texts, read_case
from tuneworthy.files.disk import FRAMEWORK_LIMIT, read_text
from tuneworthy.forecast.breakeven import appraise
from tuneworthy.framework.load import NAMES, load_document, load_named
from tuneworthy.framework.rules import compile_rules
from tuneworthy.framework.tally import tally
from tuneworthy.gather.prompts import distinct_prompts
from tuneworthy.report.view import Parts, compose
from tuneworthy.syntax.yaml import Document, parse
from tuneworthy.verdict.approach import approaches
from tuneworthy.verdict.gates import choose_action, gates
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
    return any(sign in source for sign in "/\\.") or Path(source).exists()


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
) -> Dossier:
    """Judge a case.

    Args:
        case: The case.
        framework: The framework to judge it by.
        as_of: The day the dossier speaks for; today when not given.
        seed: For everything that is drawn at random; it stands in the dossier.
        quick: Ask the framework's short form only.

    Returns:
        The dossier. Equal arguments give equal bytes.

    Raises:
        CaseError: If the case answers something the framework doesn't ask, or names data that lie
            outside its folder.
        FrameworkError: If the framework has no short form and one is asked for.
    """
    as_of = as_of or _today()
    case = _shortened(case, framework) if quick else case
    rules = compile_rules(framework)
    assessment = weigh(case, framework)
    states = assessment.states
    decision = apply_rules(states, framework, rules)
    appraisal = appraise(case, framework)
    fits = approaches(case, framework)
    all_gates = gates(case, assessment, decision, fits, appraisal, as_of)
    return compose(
        Parts(
            case=case,
            framework=framework,
            assessment=assessment,
            stages=tuple(
                (a, verdict_of(rules, then.states)) for a, then in stages(case, framework)
            ),
            decision=decision,
            flips=flips(states, rules, decision),
            questions=questions(states, framework, rules),
            challenges=challenge(case, framework, assessment, _look(case, framework)),
            approaches=fits,
            appraisal=appraisal,
            gates=all_gates,
            action=choose_action(decision, all_gates),
            quick=quick,
            as_of=as_of,
            seed=seed,
        )
    )


def _today() -> date:
    """The local calendar day: a dossier speaks for the day its reader lives in."""
    return date.today()


def _look(case: Case, framework: Framework) -> Findings:
    """What lies beside the case file."""
    missing = missing_entries(case)
    texts = prompt_texts(case)
    if texts is None:
        return Findings(missing=missing)
    near = framework.threshold("near_copy")
    distinct = distinct_prompts(texts, _NEAR_COPY if near is None else near)
    return Findings(prompts=len(texts), distinct_prompts=distinct, missing=missing)


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
        counted = tally(rules, weigh(case, framework).states)
        reach = counted.reach
        final = len(reach) == 1
        outcome: Verdict = next(iter(reach)) if final else "undecided"
        found.append(Quickly(outcome, final, counted.shares()))
    return found
