"""The stages in their order. Only this module knows which stage follows which."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneworthy.answers.arms import arms_series, lab_arms, table_name
from tuneworthy.answers.count import (
    apply_rules,
    flips,
    outcome_of,
    questions,
    verdict_of,
)
from tuneworthy.answers.facts import CaseFacts
from tuneworthy.answers.weigh import (
    NOTHING_MEASURED,
    Ledger,
    evidence_section,
    gathered,
    states_of,
    usable_evidence,
    weigh,
    with_evidence,
    with_own_evidence,
)
from tuneworthy.errors import FrameworkError
from tuneworthy.facts.load import facts_on
from tuneworthy.files.assistant import unconfirmed
from tuneworthy.files.case import beside, missing_entries, prompt_texts, read_case
from tuneworthy.files.config import with_defaults
from tuneworthy.files.disk import FRAMEWORK_LIMIT, read_text
from tuneworthy.files.stores import read_pilot, training_record
from tuneworthy.framework.failures import failure_results, failures_of
from tuneworthy.framework.load import LESSON, lesson, load_document, not_shipped
from tuneworthy.framework.rules import Rules, rules_of
from tuneworthy.framework.tally import tally
from tuneworthy.llm.prices import listed_prices
from tuneworthy.model.base import (
    Interval,
    States,
    digest,
    remembered_digest,
)
from tuneworthy.model.case import (
    Attempt,
    Case,
    CaseDecision,
    Prices,
    name_model_in_use,
)
from tuneworthy.model.dossier import (
    CaseFindings,
    Dossier,
    FlipResult,
    NamedDigest,
    Replaced,
    Stage,
    TrainingResult,
    Verdict,
)
from tuneworthy.model.evidence import Evidence, PilotCard, Series
from tuneworthy.model.framework import Framework, Outcome
from tuneworthy.model.ways import LabArm, LabName
from tuneworthy.money.investment import (
    CaseAmounts,
    Draw,
    MoneyContext,
    MoneyFindings,
    assess_money,
    held_against,
    reckon_amounts,
)
from tuneworthy.money.serving import serving_costs, unlisted
from tuneworthy.money.worth import at_stake, by_worth
from tuneworthy.plan.section import JudgedCase, ask_now, build_plan
from tuneworthy.syntax.document import ParsedFile, parse
from tuneworthy.verdict.approaches import NO_GOAL, approaches
from tuneworthy.verdict.challenges import challenge, contradicted_paths
from tuneworthy.verdict.headline import word_verdict
from tuneworthy.verdict.judge import judge
from tuneworthy.verdict.situation import build_situation
from tuneworthy.ways.effects import published_chance
from tuneworthy.ways.results import list_results
from tuneworthy.ways.table import WayTable, build_table

if TYPE_CHECKING:  # a decision reads none where there was no pilot
    from tuneworthy.model.pilot import PilotResult


def load_case(source: str | Path | Mapping[str, Any]) -> Case:
    """Load a case from its folder, its ``case.yaml``, or a mapping with the same keys.

    Values that the case lacks come from the user's or the project's configuration, but not for a
    mapping.

    Raises:
        CaseError: If it isn't a case; the message names the line and the fix.
    """
    return with_defaults(read_case(source))


def load_framework(source: str | Path | Mapping[str, Any] = "lesson") -> Framework:
    """Load the lesson, or a framework from a file or a mapping.

    Raises:
        FrameworkError: If it isn't a framework; the message names the line and the fix.
    """
    if isinstance(source, Mapping):
        return load_document(ParsedFile(dict(source), "framework"))
    if source == LESSON:
        return lesson()
    looks_like_name = isinstance(source, str) and not re.search(r"[/\\.]", source)
    if looks_like_name and not os.path.exists(source):  # noqa: PTH110  # never raises
        raise not_shipped(str(source))
    text = read_text(Path(source), FRAMEWORK_LIMIT, FrameworkError)
    return load_document(parse(text, str(source), FrameworkError))


def framework_of(case: Case) -> Framework:
    """Load the framework to judge a case by: the case's own file, else the lesson."""
    if case.framework in (None, LESSON):
        return lesson()
    own_file = beside(case, "framework", case.framework)
    # a case without a folder can name no file beside it
    return load_framework(own_file or case.framework)


def decide(
    case: Case,
    framework: Framework,
    *,
    as_of: date | None = None,
    seed: int = 0,
    evidence: Mapping[str, Evidence] | None = None,
    series: Sequence[Series] = (),
    draw: Draw | None = None,
) -> Dossier:
    """Judge a case.

    Args:
        case: The case.
        framework: The framework to judge it by.
        as_of: The day the dossier speaks for; today when not given.
        seed: For everything that is drawn at random; the dossier names it.
        evidence: What was measured, by id; what the case folder holds when not given.
        series: Tables that come with that evidence, such as the arms of a lab.
        draw: Draws the money; a cached one serves where only answers change.

    Returns:
        The dossier. Equal arguments give equal bytes.

    Raises:
        CaseError: If the case answers something the framework doesn't ask, or names data that lie
            outside its folder.
    """
    stated = with_defaults(case)
    as_of = as_of or today()
    measured = evidence
    if measured is None:
        measured, series = gathered(stated)
    collected = _collect_facts(
        stated, framework, as_of, measured, series, seed=seed, draw=draw
    )
    facts = collected.facts
    case = facts.case  # from here on with measured numbers in place of stated ones
    assessment = facts.assessment
    states = assessment.states
    rules = rules_of(framework)
    decision = apply_rules(states, framework, rules)
    challenges = challenge(facts)
    # a challenge may contradict a figure of the money, so it comes before the money is final
    money = held_against(collected.money, challenges)
    next_questions = by_worth(
        questions(states, framework, rules), states, rules, at_stake(money.result)
    )
    situation = build_situation(
        facts,
        collected.table,
        arms=collected.arms,
        outcome_of=lambda facts: verdict_of(rules, facts.states),
        money=money,
        contradicted=contradicted_paths,
        as_of=as_of,
    )
    judgement = judge(situation, challenges)
    plan = build_plan(
        JudgedCase(
            case=case,
            framework=framework,
            assessment=assessment,
            judgement=judgement,
            criterion=situation.table.criterion,
            conditions=situation.conditions,
            fits=facts.fits,
            lacking=situation.prize.need,
            open_questions=next_questions,
            money=money,
            start=as_of,
        )
    )
    ask = ask_now(plan)
    stages = tuple(_stage(attempt, case, framework, rules) for attempt in case.attempts)
    later = {
        **_flips_when_read(states, rules, decision.outcome),
        "reach": lambda: judgement.ahead().reach,
        "failures": lambda: failure_results(
            failures_of(case, collected.ledger, framework), framework
        ),
    }
    return Dossier.waiting(
        later,
        case=NamedDigest(name=case.name, digest=digest(stated)),
        framework=NamedDigest(name=framework.name, digest=remembered_digest(framework)),
        as_of=as_of,
        seed=seed,
        ceiling=assessment.ceiling,
        signals=assessment.signals,
        factors=assessment.factors,
        counts=assessment.counts,
        rules=decision.rules,
        strength=decision.strength,
        stages=stages,
        verdict=word_verdict(situation, decision, judgement, ask),
        targets=judgement.targets,
        distribution=decision.distribution,
        bounds=decision.bounds,
        next_questions=next_questions,
        challenges=challenges,
        approaches=facts.fits or NO_GOAL,
        ways=list_results(situation.table),
        recommendation=judgement.recommendation,
        ask=ask,
        investment=money.result,
        plan=plan,
        evidence=evidence_section(measured, framework, case),
        series=series or NOTHING_MEASURED,
        training=_training(stated),
        one_off=stated.one_off or None,
        pilot=_card_of(read_pilot(stated)),
        decision=stated.decision if stated.decision != CaseDecision() else None,
        defaults=stated.origin.defaults,
    )


def _flips_when_read(
    states: States, rules: Rules, outcome: Verdict
) -> dict[str, Callable[[], Any]]:
    """Return the fields of the dossier that come from one search for flips.

    The search takes long and few readers want it, so it runs when one of the fields is first read.
    """

    @cache  # two fields read its result, and it runs once
    def search() -> tuple[tuple[FlipResult, ...], int]:
        return flips(states, rules, outcome)

    def smallest_sets() -> tuple[FlipResult, ...]:
        sets, _ = search()
        return sets

    def searched_to() -> int:
        _, size = search()
        return size

    return {"flips": smallest_sets, "flips_searched_to": searched_to}


class _CollectedFacts(NamedTuple):
    """The facts of a case, with measurements in place of statements, and its money."""

    facts: CaseFacts
    money: MoneyFindings
    arms: tuple[LabArm, ...]
    table: WayTable
    ledger: Ledger


def _collect_facts(
    stated: Case,
    framework: Framework,
    as_of: date,
    measured: Mapping[str, Evidence],
    series: Sequence[Series],
    *,
    seed: int = 0,
    draw: Draw | None = None,
) -> _CollectedFacts:
    """Collect the facts of a case: stated values, measurements, and the cost of each way.

    The amounts come first, then the table that rests on them. The draws come last, as they need the
    chance that tuning works, which the table estimates.
    """
    ledger = usable_evidence(measured, stated)
    case, replaced = with_evidence(name_model_in_use(stated), ledger)
    assessment = weigh(case, framework, ledger=ledger)
    sovereign = assessment.state("data_sovereignty")
    prices = listed_prices(case, as_of, unlisted(case, "no", as_of))
    offered = facts_on(as_of).offered(
        framework.approaches, as_of, inside=sovereign == "yes"
    )
    fits = approaches(case, framework, offered)
    context = MoneyContext(
        case=case,
        framework=framework,
        prices=prices,
        sovereign=sovereign,
        as_of=as_of,
        seed=seed,
        sampler=draw,
        fits=fits,
    )
    amounts = reckon_amounts(context)
    findings = _collect_findings(
        case, stated, framework, prices, ledger, replaced, as_of, amounts
    )
    facts = CaseFacts(case, framework, assessment, fits, findings)
    arms = lab_arms(case, measured, series)
    table = build_table(facts, arms)
    primary_goal = case.goals[0] if case.goals else None
    works = table.tuning_works or published_chance(primary_goal)
    money = assess_money(replace(context, works=works), amounts)
    return _CollectedFacts(facts, money, arms, table, ledger)


def _draw_nothing(*_: object) -> None:
    """Draw nothing: a stand-in for the sampler where only the amounts are needed."""


def table_of(
    case: Case,
    framework: Framework,
    *,
    as_of: date,
    lab: LabName,
    arms: Sequence[LabArm],
) -> WayTable:
    """Build the table of ways of a case, in which ``arms`` replace those that this lab kept before."""
    measured, series = gathered(case)
    other_series = [each for each in series if each.id != table_name(lab)]
    with_arms = [*other_series, arms_series(lab, arms)]
    collected = _collect_facts(
        case, framework, as_of, measured, with_arms, draw=_draw_nothing
    )
    return collected.table


def monthly_bill(case: Case, as_of: date) -> Interval | None:
    """The bill of a case per month in USD for the way that runs today; None where it is unknown."""
    measured, _ = gathered(case)
    case, _ = with_evidence(case, usable_evidence(measured, case))
    ways = serving_costs(case, listed_prices(case, as_of), "unknown", as_of)
    return None if ways.bill is None else ways.bill.usd


def _card_of(pilot: PilotResult | None) -> PilotCard | None:
    """The card of a pilot, which warns of whatever came with the folder; None without a pilot."""
    if pilot is None:
        return None
    if pilot.brought:
        unchecked = "it"
    elif pilot.brought_models:
        unchecked = "a trained model"
    else:
        return pilot.card
    warning = f"{unchecked} came with the folder and was not checked here."
    because = f"{warning} {pilot.card.because}"
    return pilot.card.model_copy(update={"because": because})


def _training(case: Case) -> TrainingResult | None:
    """The part of the case's training record that the dossier shows; None without a record."""
    record = training_record(case)
    if record is None:
        return None
    shown = set(TrainingResult.model_fields)
    return TrainingResult(**record.model_dump(include=shown))


def today() -> date:
    """The local calendar day of the reader."""
    return date.today()


def _collect_findings(
    case: Case,
    stated: Case,
    framework: Framework,
    prices: Prices,
    ledger: Ledger,
    replaced: tuple[Replaced, ...],
    as_of: date,
    amounts: CaseAmounts,
) -> CaseFindings:
    """Collect the findings: files beside the case, measurements, and the cost of its models."""
    texts = prompt_texts(case)
    prompts = None
    distinct = None
    if texts is not None:
        # imported here, because it loads numpy, which a case without prompts doesn't need
        from tuneworthy.measure.sample import distinct_prompts

        near = framework.threshold("near_copy")
        prompts = len(texts)
        # without a threshold only identical texts count as copies
        distinct = distinct_prompts(texts, 1.0 if near is None else near)
    return CaseFindings(
        prompts=prompts,
        distinct_prompts=distinct,
        missing=missing_entries(case),
        prices=prices,
        ledger=ledger,
        replaced=replaced,
        as_of=as_of,
        servings=amounts.servings,
        rivals=amounts.rivals,
        upfront_usd=amounts.upfront_usd,
        bill=amounts.stated_bill,
        break_even_months=amounts.break_even_months,
        unconfirmed=tuple(answer.key for answer in unconfirmed(stated)),
    )


def _stage(attempt: Attempt, case: Case, framework: Framework, rules: Rules) -> Stage:
    """Judge the case as it was after an earlier attempt."""
    outcome = verdict_of(rules, weigh(case, framework, attempt).states)
    return Stage(
        name=attempt.name,
        change=attempt.change,
        result=attempt.result,
        outcome=outcome,
        final=outcome != "undecided",
    )


@dataclass(frozen=True, slots=True)
class QuickVerdict:
    """A verdict without its dossier."""

    outcome: Verdict
    final: bool
    distribution: dict[Outcome, float]


def verdicts(cases: Iterable[Case], framework: Framework) -> list[QuickVerdict]:
    """The verdicts of many cases: outcome, final and distribution, as ``decide`` gives them.

    Raises:
        CaseError: As ``decide``.
    """
    return [_quickly(*with_own_evidence(case), framework) for case in cases]


def _quickly(case: Case, ledger: Ledger, framework: Framework) -> QuickVerdict:
    counted = tally(rules_of(framework), states_of(case, framework, ledger))
    outcome = outcome_of(counted.reach)
    return QuickVerdict(outcome, outcome != "undecided", dict(counted.even))
