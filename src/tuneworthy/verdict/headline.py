"""The words of the verdict: its summary, its caveats and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuneworthy.model.dossier import (
    Action,
    BandRange,
    CaveatResult,
    Decision,
    GateResult,
    OptionResult,
    QuestionResult,
    Quick,
    VerdictResult,
)
from tuneworthy.model.framework import Band, Framework
from tuneworthy.verdict.facts import CaseFacts
from tuneworthy.words import LIMITS, few, figure_says, listing, plain, sentence

OUTCOME_WORDS: dict[str, str] = {
    "keep_optimizing_prompts": "keep optimising prompts",
    "improve_rag_or_switch_model": "improve retrieval or switch model",
    "address_anti_indicators": "address the reasons against first",
    "fine_tune_candidate": "fine-tune candidate",
    "undecided": "undecided",
}

ACTION_WORDS: dict[Action, str] = {
    "answer_questions": "answer the open questions",
    "keep_prompting": "keep the prompt and work on it",
    "improve_rag_or_switch": "improve retrieval or try another model",
    "clear_anti_indicators": "clear the reasons against first",
    "explore_alternatives": "explore the alternatives",
    "clear_gates": "clear the safety gate before any training",
    "proceed": "proceed",
    "pilot": "start with a pilot",
}

_NAMED_BY_THE_TREE = {
    "retrieval_optimised": "better retrieval",
    "foundation_models": "another model",
}
"""Checks that must be yes before the tree can name what they are about, as the lesson has it."""


def verdict_result(
    facts: CaseFacts,
    decision: Decision,
    gates: tuple[GateResult, ...],
    action: Action,
    asked: Sequence[QuestionResult],
    options: Sequence[OptionResult],
    simpler: Sequence[str],
) -> VerdictResult:
    """The verdict in words.

    Args:
        facts: The case, its answers and its approaches.
        decision: What the rules came to.
        gates: The five gates.
        action: What follows from them.
        asked: Open questions, the best first.
        options: Every option; none where nobody asked for them.
        simpler: Ids of options that would help and come before any tuning.
    """
    return VerdictResult(
        outcome=decision.outcome,
        final=decision.final,
        leaning=decision.leaning,
        action=action,
        summary=_summary(decision, action, gates),
        gates=gates,
        caveats=tuple(
            CaveatResult(id=name, says=says)
            for name, says in _caveats(facts, decision, gates, action, options)
        ),
        next=sentence(_next_step(facts, action, asked, simpler)),
    )


def unsettled(gates: Sequence[GateResult], weakest: Band) -> list[str]:
    """What a candidate lacks to be called justified; [] where nothing does.

    The rules justify a candidate between the bands. Whether it is worth its money they say only
    where the investment gate holds, and a strength that may be weak justifies nothing.
    """
    pays = any(gate.id == "investment" and gate.state == "yes" for gate in gates)
    return [*([] if pays else ["investment"]), *(["strength"] if weakest == "weak" else [])]


def _summary(decision: Decision, action: Action, gates: Sequence[GateResult]) -> str:
    """The verdict in one sentence, without the case's name."""
    if decision.outcome == "undecided":
        open_to = listing([OUTCOME_WORDS[o] for o in decision.reach], "or")
        return f"undecided; still possible: {open_to}."
    words = OUTCOME_WORDS[decision.outcome]
    if decision.outcome != "fine_tune_candidate":
        return f"{words}."
    if action in ("pilot", "proceed"):
        missing = unsettled(gates, decision.strength.low)
        if missing:
            are = "are" if len(missing) > 1 else "is"
            return f"{words}; {ACTION_WORDS[action]}, while the {listing(missing)} {are} open."
        return f"{words}, justified; {ACTION_WORDS[action]}."
    reasons = "; ".join(gate.why for gate in gates if gate.state == "no")
    return f"{words} by the tree, but {ACTION_WORDS[action]}: {reasons}."


def _caveats(
    facts: CaseFacts,
    decision: Decision,
    gates: Sequence[GateResult],
    action: Action,
    options: Sequence[OptionResult],
) -> Iterator[tuple[str, str]]:
    """What to keep in mind, each with its id."""
    tunings = [option for option in options if option.kind == "tuning"]
    if tunings and facts.figure and not facts.holds("success_with_prompts"):
        yield "published_figure", f"{figure_says(facts.figure)}. {LIMITS}"
    factors = facts.case.factors.items()
    not_yet = {name: each for name, each in factors if each.now not in (None, each.value)}
    for name, answer in not_yet.items():
        if name == "low_volume" and answer.now == "yes":
            says = "volume is low at present: watch that the expected growth comes"
            yield "low_volume_now", says
        else:
            yield "answer_not_yet", f"{plain(name)} doesn't hold yet"
    score, difference = (_band(r.band) for r in (decision.rules.score, decision.rules.difference))
    if score != difference:
        yield "rules_disagree", f"score says {score}, difference says {difference}"
    still_open = list(facts.assessment.states.values()).count("unknown")
    if decision.final and still_open:
        are = "answer is" if still_open == 1 else "answers are"
        yield "open_after_final", f"{few(still_open)} {are} still open and can't change it"
    if decision.outcome == "improve_rag_or_switch_model":
        yield from _done_already(facts)
    if decision.outcome == "fine_tune_candidate":
        yield from _against_a_candidate(gates, action, tunings)


def _done_already(facts: CaseFacts) -> Iterator[tuple[str, str]]:
    """The tree may send to what the answers say is done."""
    done = [word for name, word in _NAMED_BY_THE_TREE.items() if facts.holds(name)]
    if done:
        says = (
            f"the rules send you to {listing(done, 'or')}, and by your answers that is done: see "
            "the options for what is left"
        )
        yield "named_is_done", says


def _against_a_candidate(
    gates: Sequence[GateResult], action: Action, tunings: Sequence[OptionResult]
) -> Iterator[tuple[str, str]]:
    """Options may know what a framework doesn't weigh; and every open gate."""
    held_up = action in ("keep_prompting", "explore_alternatives")
    if tunings and not held_up and all(option.helps == "no" for option in tunings):
        says = (
            "the rules justify tuning, but something speaks against each kind of it: see the "
            "options"
        )
        yield "no_tuning_fits", says
    for gate in gates:
        if gate.state == "unknown":
            yield f"gate_{gate.id}", f"{gate.id}: {gate.why}"


def _band(band: Band | BandRange) -> str:
    return f"{band.low} to {band.high}" if isinstance(band, BandRange) else band


def _next_step(
    facts: CaseFacts, action: Action, asked: Sequence[QuestionResult], simpler: Sequence[str]
) -> str:
    """What to do now."""
    if action == "answer_questions":
        return f"answer this first: {asked[0].ask}" if asked else "answer what is open"
    if action == "keep_prompting":
        return _prompting(facts)
    if action == "clear_anti_indicators":
        against = facts.framework.anti_indicators.items()
        titles = [factor.title for name, factor in against if facts.holds(name)]
        return f"don't tune as long as these hold: {listing(titles)}"
    first = (
        f"try {listing([facts.framework.options[name].title for name in simpler])}"
        if simpler
        else ""
    )
    if action == "improve_rag_or_switch":
        return first or (
            "count how often the right passage is retrieved, and run the best prompt on another "
            "model"
        )
    if action == "explore_alternatives":
        return f"{first or 'compare the alternatives'} before any money goes into tuning"
    if action == "clear_gates":
        return "review the data and name a process for safety before any training"
    approach = facts.fits[0].title if facts.fits else "the approach that fits the goal"
    step = f"plan {approach}, with the evaluation written down before the training"
    if action == "pilot":
        step = (
            f"run a pilot of {approach} on a part of the data, and compare it with the best prompt "
            "on held-out cases"
        )
    return f"{first} first; if the target is still missed, {step}" if first else step


def _prompting(facts: CaseFacts) -> str:
    """The first check that isn't done; when all are, the prompt is simply kept."""
    for name, check in facts.framework.ceiling.items():
        if facts.state(name) == "no":
            step = check.settle or f"do this check: {check.ask}"
            return facts.framework.filled(step, check.at_least)
    return "keep the present prompt, and decide again when targets, volume or requirements change"


def quick_result(decision: Decision, framework: Framework) -> Quick:
    """What the short form can say, and what it can't."""
    ruled_out = "fine_tune_candidate" not in decision.reach
    names = listing([plain(name) for name in framework.quick])
    says = (
        f"ruled out: with {names} as answered no other answers make tuning a candidate"
        if ruled_out
        else f"worth the full look: {few(len(framework.quick))} questions ({names}) can rule "
        "tuning out but not in"
    )
    return Quick(asked=framework.quick, ruled_out=ruled_out, says=sentence(says))
