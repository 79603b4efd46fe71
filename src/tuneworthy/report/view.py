"""The dossier put together: ids and numbers become words here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tuneworthy.domain.assessment import Assessed, Assessment, Challenge
from tuneworthy.domain.canonical import digest, remembered_digest
from tuneworthy.domain.case import Attempt, Case
from tuneworthy.domain.decision import (
    Action,
    ApproachFit,
    Decision,
    Ends,
    Flips,
    Gate,
    Question,
    Verdict,
)
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.evidence import Evidence, Series
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.likeness import Others
from tuneworthy.domain.money import Outlook
from tuneworthy.domain.options import Advice, Option
from tuneworthy.domain.outline import NoPlan, Outline
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.domain.rules import BANDS, Band
from tuneworthy.domain.sections import (
    BandRange,
    CaveatResult,
    Ceiling,
    CheckResult,
    Counts,
    DifferenceResult,
    FactorResult,
    GateResult,
    Named,
    Quick,
    RuleResults,
    ScoreResult,
    SignalResult,
    Stage,
    Step,
    TreeResult,
    VerdictResult,
)
from tuneworthy.report import plan
from tuneworthy.report.challenges import challenge_result
from tuneworthy.report.evidence import ASK as NOTHING_MEASURED
from tuneworthy.report.evidence import evidence_section
from tuneworthy.report.money import investment
from tuneworthy.report.options import option_results, recommendation
from tuneworthy.report.precedents import precedents
from tuneworthy.report.sections import approaches, flips, questions
from tuneworthy.report.steps import next_step
from tuneworthy.report.verdicts import caveat_says, caveats, quick_says, summary, why


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
    flips: Flips
    questions: tuple[Question, ...]
    challenges: tuple[Challenge, ...]
    approaches: tuple[ApproachFit, ...]
    money: Outlook
    gates: tuple[Gate, ...]
    action: Action
    simpler: tuple[str, ...]
    """Ids of options recommended before any tuning."""
    plan: Outline | NoPlan
    others: Others | None
    """None where nobody asked for them."""
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
            "case": Named(name=case.name, digest=digest(parts.told)),
            "framework": Named(name=framework.name, digest=remembered_digest(framework)),
            "as_of": parts.as_of,
            "seed": parts.seed,
            "ceiling": _ceiling(parts),
            "signals": _signals(parts),
            "factors": _factors(parts),
            "counts": _counts(parts.assessment),
            "rules": _rules(decision),
            "strength": BandRange(low=decision.strength[0], high=decision.strength[1]),
            "stages": tuple(
                Stage(name=a.name, outcome=o, final=o != "undecided", change=a.change)
                for a, o in parts.stages
            ),
            "verdict": _verdict(parts),
            "distribution": dict(decision.shares),
            "bounds": {o: Range(low=e.low, high=e.high) for o, e in decision.bounds.items()},
            "flips": flips(parts.flips),
            "flips_searched_to": parts.flips.searched_to,
            "next_questions": questions(parts.questions, parts.framework),
            "challenges": tuple(challenge_result(one) for one in parts.challenges),
            "approaches": approaches(parts.approaches, parts.framework),
            "options": option_results(parts.options, case),
            "recommendation": recommendation(parts.advice, parts.options),
            "investment": investment(parts.money),
            "precedents": precedents(parts.others, framework),
            "plan": plan.section(parts.plan, case, framework),
            "evidence": evidence_section(parts.measured, framework),
            "series": parts.series or Unknown(ask=NOTHING_MEASURED),
            "quick": _quick(parts),
        }
    )


def _ceiling(parts: Parts) -> Ceiling:
    checks = {}
    for name, check in parts.framework.ceiling.items():
        answer = parts.assessment.answers[name]
        given = parts.case.ceiling.get(name)
        counted = given.count if given is not None else None
        told = counted is not None and answer.source == "stated"
        checks[name] = CheckResult(
            title=check.title,
            state=answer.state,
            value=counted if told and counted is not None else answer.state,
            source=answer.source,
            note=_note(answer),
            ask=parts.framework.filled(check.ask, check.at_least),
        )
    return Ceiling(reached=parts.assessment.reached, checks=checks)


def _signals(parts: Parts) -> dict[str, SignalResult]:
    return {
        name: SignalResult(
            title=signal.title,
            state=parts.assessment.signals[name].state,
            source=parts.assessment.signals[name].source,
            note=_note(parts.assessment.signals[name]),
            ask=parts.framework.filled(signal.ask),
        )
        for name, signal in parts.framework.signals.items()
    }


def _factors(parts: Parts) -> dict[str, FactorResult]:
    found = {}
    for name, factor in parts.framework.factors.items():
        answer = parts.assessment.answers[name]
        found[name] = FactorResult(
            title=factor.title,
            kind="indicator" if name in parts.framework.indicators else "anti_indicator",
            state=answer.state,
            source=answer.source,
            weight=factor.weight,
            note=_note(answer),
            ask=parts.framework.filled(factor.ask),
        )
    return found


def _note(answer: Assessed) -> str:
    inferred = why(answer.because) if answer.because else ""
    return "; ".join(text for text in (answer.note, inferred) if text)


def _counts(assessment: Assessment) -> Counts:
    factors = {**assessment.of_kind("indicator"), **assessment.of_kind("anti_indicator")}
    return Counts(
        indicators=sum(a.state == "yes" for a in assessment.of_kind("indicator").values()),
        anti_indicators=sum(
            a.state == "yes" for a in assessment.of_kind("anti_indicator").values()
        ),
        unknown=sum(a.state == "unknown" for a in factors.values()),
    )


def _ends(ends: Ends) -> float | Range:
    return ends.low if ends.low == ends.high else Range(low=ends.low, high=ends.high)


def _band(bands: tuple[Band, Band]) -> Band | BandRange:
    low, high = sorted(bands, key=BANDS.index)
    return low if low == high else BandRange(low=low, high=high)


def _rules(decision: Decision) -> RuleResults:
    return RuleResults(
        tree=TreeResult(
            outcome=decision.outcome,
            path=tuple(
                Step(
                    ask=step.ask,
                    answer=step.answer,
                    value={name: _ends(ends) for name, ends in step.value.items()},
                    outcome=step.outcome,
                )
                for step in decision.path
            ),
        ),
        score=ScoreResult(
            value=_ends(decision.score),
            denominator=decision.denominator,
            band=_band(decision.score_bands),
        ),
        difference=DifferenceResult(
            value=_ends(decision.difference), band=_band(decision.difference_bands)
        ),
    )


def _verdict(parts: Parts) -> VerdictResult:
    decision = parts.decision
    asked = [one.ask for one in questions(parts.questions, parts.framework)]
    noted = caveats(
        parts.case, parts.assessment, decision, parts.gates, parts.action, parts.options or ()
    )
    return VerdictResult(
        outcome=decision.outcome,
        final=decision.final,
        leaning=decision.leaning,
        action=parts.action,
        summary=summary(decision, parts.action, parts.gates),
        gates=tuple(GateResult(id=g.id, state=g.state, why=why(g.why)) for g in parts.gates),
        caveats=tuple(CaveatResult(id=c.id, says=caveat_says(c)) for c in noted),
        next=next_step(
            parts.action,
            parts.assessment,
            parts.framework,
            parts.approaches,
            asked,
            [parts.framework.options[name].title for name in parts.simpler],
        ),
    )


def _quick(parts: Parts) -> Quick | None:
    if not parts.quick:
        return None
    ruled_out = "fine_tune_candidate" not in parts.decision.reach
    asked = parts.framework.quick
    return Quick(
        asked=asked,
        ruled_out=ruled_out,
        says=quick_says(ruled_out, asked),
    )
