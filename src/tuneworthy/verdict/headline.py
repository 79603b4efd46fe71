"""The words of the verdict: its headline, the next step, and the caveats."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tuneworthy.answers import TABLES
from tuneworthy.answers.facts import CaseFacts
from tuneworthy.facts.load import end_day
from tuneworthy.framework.load import case_fields
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import in_use
from tuneworthy.model.dossier import (
    AskNow,
    BandRange,
    Basis,
    CaveatResult,
    Decision,
    GateResult,
    Step,
    TuningAnswer,
    VerdictResult,
)
from tuneworthy.model.framework import Band
from tuneworthy.verdict.judge import Judgement, say_step
from tuneworthy.verdict.situation import Situation
from tuneworthy.ways.gap import SEARCHED
from tuneworthy.ways.results import command_for
from tuneworthy.words import (
    capital,
    count,
    counted,
    day,
    few,
    listing,
    plain,
    sentence,
    several,
    usd,
)
from tuneworthy.words import hours as as_hours

OUTCOME_WORDS: dict[str, str] = TABLES["outcomes"]
#: The answer to "should we fine-tune?".
ANSWER_WORDS: dict[TuningAnswer, str] = TABLES["answers"]


def word_verdict(
    it: Situation, decision: Decision, judgement: Judgement, ask: AskNow | Unknown
) -> VerdictResult:
    """The verdict in words. The facts that turn it are computed only when they are first read."""
    ruling = judgement.ruling
    caveats = [
        *_warn_of_unsearched(it, judgement),
        *_above_prize(it, judgement, ask),
        *_caveats(it.facts, decision),
    ]
    gates = [
        GateResult(id=each.id, state=each.state, why=each.why) for each in it.conditions
    ]
    return VerdictResult.waiting(
        {"turns": lambda: judgement.ahead().turns},
        basis=judgement.basis,
        answer=ruling.answer,
        headline=headline(judgement),
        now=say_now(it, judgement),
        rule=ruling.rule,
        because=sentence(ruling.because),
        conditions=ruling.conditions,
        outcome=decision.outcome,
        final=decision.final,
        leaning=decision.leaning,
        summary=_say_outcome(it.facts, decision),
        gates=tuple(gates),
        caveats=tuple(caveats),
    )


def _say_outcome(facts: CaseFacts, decision: Decision) -> str:
    """The outcome of the count; of an open one, between which outcomes it is."""
    outcome = OUTCOME_WORDS[decision.outcome]
    if decision.outcome == "undecided":
        outcome += f" between {listing([OUTCOME_WORDS[o] for o in decision.reach])}"
    return sentence(f"by the {plain(facts.framework.name)}'s checklist: {outcome}")


def headline(judgement: Judgement) -> str:
    """The answer in a word, and the finding behind it."""
    ruling = judgement.ruling
    if ruling.answer == "yes" and ruling.conditions:
        once = listing(list(ruling.conditions))
        return f"Yes, once {once}. {sentence(ruling.because)}"
    word = capital(ANSWER_WORDS[ruling.answer])
    simpler = _tried_before(judgement)
    if ruling.answer == "pilot" and simpler:
        isnt = "isn't" if len(simpler) == 1 else "aren't"
        word = f"{word}, if {listing(simpler)} {isnt} enough"
    return f"{word}. {sentence(ruling.because)}"


def _tried_before(judgement: Judgement) -> list[str]:
    """Titles of the untuned ways among the steps, which a plan tries before its pilot."""
    kinds = {step.way.id: step.way.kind for step in judgement.ruling.steps if step.way}
    return [
        step.title
        for step in judgement.recommendation.steps
        if step.way and kinds[step.way] != "tuning"
    ]


def say_now(it: Situation, judgement: Judgement) -> str:
    """The next step with its command, and with its hours where they are known."""
    step = judgement.recommendation.steps[0]
    hours = _hours(step)
    if step.option == "keep_prompt":
        return f"Now: keep it. {_look_again(it)}"
    if step.option == "label":
        more = judgement.more_cases
        cases = "more cases" if more is None else f"{count(more)} more cases"
        return f"Now: label {cases}: {step.command}"
    if step.option == "roll_out":
        settle = "settle that, then " if judgement.ruling.conditions else ""
        return f"Now: {settle}send a few calls to it, and watch it for two weeks: {step.command}"
    if step.title.startswith("switch to "):
        # only a classifier is written by a command; another model or prompt is the team's to change
        by = f": {step.command}" if "export" in step.command else "."
        return f"Now: {step.title} and watch it for two weeks{hours}{by}"
    do = say_step(step, judgement.ruling.answer)
    if step.option == SEARCHED:
        claimed = it.facts.ceiling_grade == "claimed"
        why = ", as the ceiling is only claimed" if claimed else ""
        return f"Now: {do}{hours}{why}: {step.command}"
    if step.way and judgement.ruling.answer == "pilot":
        # its hours aren't those of the way, which are for the whole project
        return f"Now: {do}: {step.command}{_once(judgement)}"
    return f"Now: {do}{hours}: {step.command}"


def _look_again(it: Situation) -> str:
    """Say when a kept way has to be reviewed, as the end of its model is known."""
    as_of = it.facts.findings.as_of
    used = in_use(it.facts.case)
    end = None if used is None else end_day(used, as_of)
    by = ""
    if end is not None and (as_of is None or end > as_of):
        by = f", and before {day(end)}, when its model ends"
    return f"Look again when targets, traffic or requirements change{by}."


def _once(judgement: Judgement) -> str:
    """A sentence with the conditions of going live; empty without any."""
    conditions = judgement.ruling.conditions
    if conditions:
        return f". Beyond the pilot only once {listing(list(conditions))}."
    return ""


def _hours(step: Step) -> str:
    """The hours of a step in brackets; empty where they are unknown."""
    if isinstance(step.hours, Unknown):
        return ""
    if isinstance(step.hours, Range):
        return f" ({as_hours(step.hours.low)}–{as_hours(step.hours.most)} h)"
    return f" ({as_hours(step.hours)} h)"


def grounds(basis: Basis) -> str:
    """Say what the answer rests on."""
    statements = several(basis.stated + basis.assumed, "statement")
    if basis.assumed:
        statements += f" ({few(basis.assumed)} inferred)"
    if not basis.measured:
        return f"{statements} and nothing measured"
    return f"{statements} and {several(basis.measured, 'measurement')}"


def rests_on(basis: Basis) -> str:
    """Say what the answer rests on, and how many single answers would change it."""
    says = f"Rests on {grounds(basis)}"
    turning = len(basis.turning)
    if not turning:
        return f"{says}. No single answer to the checklist changes it."
    if turning == 1:
        return f"{says}. One answer would change it if it were different."
    return f"{says}. Any one of {few(turning)} answers would change it if it were different."


BY_AN_ASSISTANT = "by_an_assistant"  #: The caveat that names what nobody confirmed.


def _above_prize(
    it: Situation, judgement: Judgement, ask: AskNow | Unknown
) -> Iterator[CaveatResult]:
    """A caveat where the ask, at its lowest, exceeds all that tuning can bring."""
    most = it.prize.most
    if isinstance(ask, Unknown) or most is None or ask.low <= most:
        return
    if judgement.recommendation.steps[0].option == "keep_prompt":
        return  # whoever keeps the prompt spends nothing
    says = (
        f"the work up to the next decision costs {usd(ask.low)} or more, which is above "
        f"{it.prize.most_is}, {usd(most)}"
    )
    if it.facts.case.economics.monthly.quality_value_usd is None:
        says += ". What better answers are worth isn't stated"
    yield CaveatResult(id="ask_above_prize", says=says)


def _warn_of_unsearched(it: Situation, judgement: Judgement) -> Iterator[CaveatResult]:
    """A caveat where a tuned model is proven beside prompts that nobody searched."""
    grade = it.facts.ceiling_grade
    proven = judgement.ruling.rule == "proven" and judgement.answer == "yes"
    if not proven or grade == "searched" or not it.facts.has_cases:
        return
    how = "only claimed" if grade == "claimed" else "tried and not searched"
    says = (
        f"the ceiling of prompts is {how}. Search before you roll out: "
        f"{command_for(SEARCHED)}"
    )
    yield CaveatResult(id="prompts_not_searched", says=says)


def _title_at(facts: CaseFacts, path: str) -> str:
    """The title that reports use for the answer at a path."""
    _, _, name = path.partition(".")
    assessment = facts.assessment
    for answers in (assessment.factors, assessment.ceiling.checks, assessment.signals):
        if name in answers:
            return answers[name].title
    without_places = re.sub(r"\.\d+", "", path)  # fields of lists have one title
    field = case_fields().get(without_places)
    return field.title if field is not None else plain(path)


def _caveats(facts: CaseFacts, decision: Decision) -> Iterator[CaveatResult]:
    """Caveats of the answers and of the count."""
    waiting = facts.findings.unconfirmed
    if waiting:
        titles = listing([_title_at(facts, path) for path in waiting])
        answers = counted(len(waiting), "answer")
        says = f"{answers} by an assistant, not confirmed: {titles}"
        yield CaveatResult(id=BY_AN_ASSISTANT, says=says)
    yield from _answers_not_yet(facts)
    score = band_text(decision.rules.score.band)
    difference = band_text(decision.rules.difference.band)
    if score != difference:
        says = f"score says {score}, difference says {difference}"
        yield CaveatResult(id="rules_disagree", says=says)
    yield from _not_asked(facts)


def _answers_not_yet(facts: CaseFacts) -> Iterator[CaveatResult]:
    """Answers that count although they don't hold yet."""
    for name, factor in facts.case.factors.items():
        if factor.now in (None, factor.value):
            continue
        if name == "low_volume" and factor.now == "yes":
            says = "volume is low at present: watch that the expected growth comes"
            yield CaveatResult(id="low_volume_now", says=says)
        else:
            title = facts.assessment.factors[name].title
            says = f"the answer about {title} counts, and doesn't hold yet"
            yield CaveatResult(id="answer_not_yet", says=says)


def _not_asked(facts: CaseFacts) -> Iterator[CaveatResult]:
    """Remarks on answers and measurements that don't count."""
    asked = facts.framework.factors
    uncounted = [plain(name) for name in facts.case.factors if name not in asked]
    if uncounted:
        says = (
            f"not asked by the {facts.framework.name} framework, kept and not counted"
        )
        yield CaveatResult(id="kept_answers", says=f"{says}: {listing(uncounted)}")
    for item in facts.case.evidence.get("ignore", ()):
        says = f"what was measured of {plain(item.id)} doesn't count: {item.because}"
        yield CaveatResult(id="evidence_ignored", says=says)


def band_text(band: Band | BandRange) -> str:
    """A band in words, or two of them."""
    if isinstance(band, BandRange):
        return f"{band.low} to {band.high}"
    return band
