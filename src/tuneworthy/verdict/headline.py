"""The words of the verdict: its summary, its caveats and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tuneworthy.framework.load import case_fields
from tuneworthy.model.dossier import (
    Action,
    BandRange,
    Basis,
    CaveatResult,
    Decision,
    GateResult,
    Take,
    TuningAnswer,
    VerdictResult,
)
from tuneworthy.model.framework import Band
from tuneworthy.verdict import TABLES
from tuneworthy.verdict.facts import CaseFacts
from tuneworthy.verdict.judge import Judgement, step_text
from tuneworthy.words import counted, few, listing, plain, sentence, several

OUTCOME_WORDS: dict[str, str] = TABLES["outcomes"]
ANSWER_WORDS: dict[TuningAnswer, str] = TABLES["answers"]  #: The answer to "should we fine-tune?".
ACTION_WORDS: dict[Action, str] = TABLES["actions"]

_NAMED_BY_THE_TREE: dict[str, str] = TABLES["named_by_the_tree"]
"""Checks that must be yes before the tree can name what they are about, as the lesson has it."""


def verdict_result(
    facts: CaseFacts, decision: Decision, gates: tuple[GateResult, ...], judgement: Judgement
) -> VerdictResult:
    """The verdict in words; what it rests on is worked out when first read."""
    by, comes_to = f"by the {plain(facts.framework.name)}'s count", OUTCOME_WORDS[decision.outcome]
    if judgement.refuted:  # it counts them, and the judgement doesn't
        titles = [facts.assessment.factors[name].title for name in judgement.refuted]
        by += f", which counts {listing(titles)}"
    if decision.outcome == "undecided":
        comes_to += f" between {listing([OUTCOME_WORDS[o] for o in decision.reach])}"
    return VerdictResult.waiting(
        lambda: {"basis": judgement.ahead()[0]},
        answer=judgement.answer,
        headline=headline(judgement),
        outcome=decision.outcome,
        departs=judgement.departs,
        takes=tuple(takes(facts, judgement, gates)),
        final=decision.final,
        leaning=decision.leaning,
        action=judgement.action,
        summary=f"{by}: {comes_to}.",
        gates=gates,
        caveats=tuple(
            CaveatResult(id=name, says=says)
            for name, says in _caveats(facts, decision, gates, judgement)
        ),
        next=judgement.recommendation.says,
    )


def headline(judgement: Judgement) -> str:
    """The answer, the reason that decides, the first step, and what it rests on."""
    steps = judgement.recommendation.steps
    says = [f"Fine-tune? {sentence(f'{ANSWER_WORDS[judgement.answer]}: {judgement.because}')}"]
    if judgement.contradictions:
        says.append(sentence(f"{several(judgement.contradictions, 'contradiction')} to settle"))
    if judgement.answer != "no" or steps[0].option != "keep_prompt":
        says.append(sentence(f"first: {step_text(steps[0])}"))
    return " ".join(says)


def rests_on(basis: Basis) -> str:
    """What the answer rests on, and how many answers alone would change it."""
    stated, measured = basis.stated + basis.assumed, basis.measured
    grounds = f"{several(stated, 'statement')}, {several(measured, 'measurement')}"
    turning, steps = len(basis.turning), basis.flips - len(basis.turning)
    if not basis.flips:
        return f"Rests on {grounds}; no single answer changes it."
    if not turning:
        return f"Rests on {grounds}; {_alone(steps)} would change the first step, none the answer."
    others = "another" if steps == 1 else f"{_alone(steps)} others"
    more = f", {others} the first step" if steps else ""
    return f"Rests on {grounds}; {_alone(turning)} would change the answer{more}."


def _alone(many: int) -> str:
    return {1: "one answer alone", 2: "either of two"}.get(many, f"any one of {few(many)}")


def takes(facts: CaseFacts, judgement: Judgement, gates: Sequence[GateResult]) -> Iterator[Take]:
    """What it would take to get to a pilot, or from there to a yes; and what would end it."""
    if judgement.answer in ("pilot", "yes"):
        if judgement.answer == "pilot":
            says = "a pilot that beats the best untuned way on cases neither was tuned on"
            yield Take(towards="yes", what=sentence(says))
        ends = "a simpler option that meets every target, or a pilot that gains nothing"
        yield Take(towards="no", what=sentence(ends))
        return
    lacks, why = [*_lacks(facts, judgement)], {g.id: g.why for g in gates if g.state == "no"}
    if "strength" in why and not lacks:
        lacks = [f"more reasons for it or fewer against: it is {why['strength']}"]
    lacks += [f"this settled: {why[name]}" for name in why if name not in ("need", "strength")]
    yield from (Take(towards="pilot", what=sentence(what)) for what in lacks)
    if judgement.answer != "no":
        yield Take(towards="no", what="Every target met by the prompt or by a simpler option.")


def _lacks(facts: CaseFacts, judgement: Judgement) -> Iterator[str]:
    """What the count and the targets lack for a pilot."""
    if judgement.answer == "no" and any(d.rule == "cannot_coexist" for d in judgement.departs):
        yield "a bill that repays the work, or another target counted and missed"
    if judgement.in_vain:  # and a pilot is the answer
        yield f"{listing(judgement.in_vain)} tried, and a target still missed"
        return
    assessment, then = facts.assessment, judgement.cleared
    lacking = [c.title for c in assessment.ceiling.checks.values() if c.state != "yes"]
    if lacking:
        yield f"these checks done: {listing(lacking)}"
    counts = (step.when.indicators for step in facts.framework.tree if step.when is not None)
    most = next((limit.at_most for limit in counts if limit and limit.at_most is not None), -1)
    needed, pro = int(most) + 1, facts.framework.indicators
    titles = {name: factor.title for name, factor in assessment.factors.items()}
    held = [name for name in pro if assessment.state(name) == "yes" and then[name] != "no"]
    if (lack := needed - len(held)) > 0:
        but = " other than cost" if facts.small_bill and "cost_optimization" in pro else ""
        yield (
            f"{several(lack, 'more reason')} for it{but}, "
            f"so that {few(needed)} of {few(len(pro))} hold"
        )
    if doubtful := [titles[name] for name in held if then[name] == "unknown"]:
        yield f"what contradicts these reasons settled: {listing(doubtful)}"
    for state, done in (("yes", "reasons against cleared"), ("unknown", "answered no")):
        con = [n for n in facts.framework.anti_indicators if assessment.state(n) == state]
        if con:
            yield f"these {done}: {listing([titles[name] for name in con])}"
    if not facts.aims and set(facts.targets.values()) <= {"yes"}:
        yield "a target that is stated, measured and missed"


BY_AN_ASSISTANT = "by_an_assistant"  #: The caveat that names what nobody confirmed.


def _title_at(facts: CaseFacts, path: str) -> str:
    """What reports call the answer at a path."""
    _, _, name = path.partition(".")
    assessment = facts.assessment
    for answers in (assessment.factors, assessment.ceiling.checks, assessment.signals):
        if name in answers:
            return answers[name].title
    field = case_fields().get(re.sub(r"\.\d+", "", path))
    return field.title if field is not None else plain(path)


def _caveats(
    facts: CaseFacts, decision: Decision, gates: Sequence[GateResult], judgement: Judgement
) -> Iterator[tuple[str, str]]:
    """What to keep in mind, each with its id."""
    if waiting := facts.findings.unconfirmed:
        titles = [_title_at(facts, path) for path in waiting]
        says = (
            f"{counted(len(waiting), 'answer')} by an assistant, not confirmed: {listing(titles)}"
        )
        yield BY_AN_ASSISTANT, says
    factors = facts.case.factors.items()
    not_yet = {name: factor for name, factor in factors if factor.now not in (None, factor.value)}
    for name, answer in not_yet.items():
        if name == "low_volume" and answer.now == "yes":
            yield "low_volume_now", "volume is low at present: watch that the expected growth comes"
        else:
            title = facts.assessment.factors[name].title
            yield "answer_not_yet", f"the answer about {title} counts, and doesn't hold yet"
    rules = decision.rules
    score, difference = (band_text(rule.band) for rule in (rules.score, rules.difference))
    if score != difference:
        yield "rules_disagree", f"score says {score}, difference says {difference}"
    unanswered = [*facts.states.values()].count("unknown")
    if decision.final and unanswered:
        are = "answer is" if unanswered == 1 else "answers are"
        yield "open_after_final", f"{few(unanswered)} {are} still open and can't change the count"
    yield from _not_asked(facts)
    done = [word for name, word in _NAMED_BY_THE_TREE.items() if facts.holds(name)]
    if done and decision.outcome == "improve_rag_or_switch_model":
        says = f"the rules send you to {listing(done, 'or')}, and by your answers that is done"
        yield "named_is_done", f"{says}: see the options for what is left"
    if judgement.answer in ("pilot", "yes"):
        still = (gate for gate in gates if gate.state == "unknown")
        yield from ((f"gate_{gate.id}", f"{gate.id}: {gate.why}") for gate in still)


def _not_asked(facts: CaseFacts) -> Iterator[tuple[str, str]]:
    uncounted = [plain(name) for name in facts.case.factors if name not in facts.framework.factors]
    if uncounted:
        says = f"not asked by the {facts.framework.name} framework, kept and not counted"
        yield "kept_answers", f"{says}: {listing(uncounted)}"
    for item in facts.case.evidence.get("ignore", ()):
        says = f"what was measured of {plain(item.id)} doesn't count: {item.because}"
        yield "evidence_ignored", says


def band_text(band: Band | BandRange) -> str:
    return f"{band.low} to {band.high}" if isinstance(band, BandRange) else band
