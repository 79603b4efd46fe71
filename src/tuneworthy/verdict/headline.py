"""Words for the verdict, its gates and its caveats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    Action,
    Assessment,
    Caveat,
    Decision,
    Gate,
    GateResult,
    Option,
    Reason,
)
from tuneworthy.model.framework import Band
from tuneworthy.words import (
    LIMITS,
    count,
    few,
    figure_says,
    interval_text,
    limit_text,
    listing,
    plain,
    sentence,
)

# Words for the verdict, its gates and its caveats.

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

_SAFETY = {
    "data_reviewed": "has the data been reviewed for bias, harm and personal data?",
    "process_named": "is a process named to keep the tuned model safe?",
}

_SAFETY_NO = {
    "data_reviewed": "the data isn't reviewed",
    "process_named": "no process is named",
}


def _others(n: Mapping[str, Any]) -> str:
    """Who is known to take new work of this kind: all of them, or how many with the first two."""
    names = n["others"]
    if not names:
        return ""
    if len(names) > 2:
        return f"; {few(len(names))} take new work, among them {listing(names[:2])}"
    return f"; {listing(names)} {'take' if len(names) > 1 else 'takes'} new work"


WHY: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "success_yes": lambda _: "the present approach meets every requirement",
    "success_no": lambda _: "the present approach falls short of a requirement",
    "success_unknown": lambda _: "ask whether the present prompt already meets every target",
    "strong_throughout": lambda _: "strong by score and by difference",
    "weak_throughout": lambda _: "weak by score and by difference",
    "strength_between": lambda n: (
        f"{' to '.join(dict.fromkeys((n['low'], n['high'])))}: a pilot would tell"
    ),
    "no_goal": lambda _: "name the goal, so that its approach and data need are known",
    "data_short": lambda n: (
        f"{plain(n['approach'])} takes {count(n['low'])} {plain(n['unit'])}, {count(n['have'])} "
        f"are there, {count(n['missing'])} are missing"
    ),
    "data_unknown": lambda n: (
        f"count the {plain(n['unit'])}: {plain(n['approach'])} takes {count(n['low'])} or more"
    ),
    "service_gone": lambda n: (
        f"the {plain(n['service'])} service doesn't take new work{_others(n)}"
    ),
    "service_ended": lambda n: f"the service ended on {n['until']}{_others(n)}",
    "service_unknown": lambda n: (
        f"enough {plain(n['unit'])}; ask whether the tuning service takes new work and will "
        f"still serve the model{_others(n)}"
    ),
    "data_and_service": lambda n: (
        f"{count(n['have'])} {plain(n['unit'])}, and a service to use them"
    ),
    "investment": lambda n: str(n["says"]),
    "safety_no": lambda n: listing([_SAFETY_NO[name] for name in n["names"]]),
    "safety_unknown": lambda n: " ".join(_SAFETY[name] for name in n["names"]),
    "safety_yes": lambda _: "data reviewed and a process named",
    "from_requests": lambda n: (
        f"from {count(n['requests'])} requests a month; low is under {count(n['limit'])}"
    ),
    "from_examples": lambda n: (
        f"from {count(n['have'])} examples; {count(n['limit'])} are needed"
        + (f" for {plain(n['goal'])}" if n["goal"] else "")
    ),
    "measured": lambda n: (
        interval_text(n["value"], n["low"], n["high"], n["unit"])
        + (f", on {count(n['n'])}" if n["n"] else "")
        + (f"; the line is at {limit_text(n['limit'], n['unit'])}" if n["limit"] else "")
    ),
}
"""Reason id to its words, from its numbers."""

_NAMED_BY_THE_TREE = {
    "retrieval_optimised": "better retrieval",
    "foundation_models": "another model",
}
"""Checks that must be yes before the tree can name what they are about, as the lesson has it."""

_CAVEATS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "low_volume_now": lambda _: "volume is low at present: watch that the expected growth comes",
    "answer_not_yet": lambda n: f"{plain(n['name'])} doesn't hold yet",
    "open_after_final": lambda n: (
        "one answer is still open and can't change it"
        if n["open"] == 1
        else f"{few(n['open'])} answers are still open and can't change it"
    ),
    "named_is_done": lambda n: (
        f"the rules send you to {_named(n['names'])}, and by your answers that is done: see the "
        "options for what is left"
    ),
    "no_tuning_fits": lambda _: (
        "the rules justify tuning, but something stands against each kind of it: see the options"
    ),
    "rules_disagree": lambda n: f"score says {n['score']}, difference says {n['difference']}",
    "published_figure": lambda n: f"{figure_says(n['figure'])}. {LIMITS}",
}


def _named(checks: Sequence[str]) -> str:
    return listing([_NAMED_BY_THE_TREE[name] for name in checks], "or")


def why(reason: Reason) -> str:
    """A reason in words."""
    return WHY[reason.id](reason.numbers)


def caveat_says(caveat: Caveat) -> str:
    """A caveat in words."""
    if caveat.id.startswith("gate_"):
        return f"{caveat.id.removeprefix('gate_')}: {caveat.numbers['why']}"
    return _CAVEATS[caveat.id](caveat.numbers)


def unsettled(gates: Sequence[Gate] | Sequence[GateResult], weakest: Band) -> list[str]:
    """What a candidate lacks to be called justified; [] where nothing does.

    The rules justify a candidate between the bands. Whether it is worth its money they say only
    where the investment gate holds, and a strength that may be weak justifies nothing.
    """
    pays = any(gate.id == "investment" and gate.state == "yes" for gate in gates)
    return [*([] if pays else ["investment"]), *(["strength"] if weakest == "weak" else [])]


def summary(decision: Decision, action: Action, gates: Sequence[Gate]) -> str:
    """The verdict in one sentence, without the case's name."""
    if decision.outcome == "undecided":
        open_to = listing([OUTCOME_WORDS[o] for o in decision.reach], "or")
        return f"undecided; still possible: {open_to}."
    words = OUTCOME_WORDS[decision.outcome]
    if decision.outcome != "fine_tune_candidate":
        return f"{words}."
    if action in ("pilot", "proceed"):
        missing = unsettled(gates, decision.strength[0])
        if missing:
            are = "are" if len(missing) > 1 else "is"
            return f"{words}; {ACTION_WORDS[action]}, while the {listing(missing)} {are} open."
        return f"{words}, justified; {ACTION_WORDS[action]}."
    blocking = [gate for gate in gates if gate.state == "no"]
    reasons = "; ".join(why(gate.why) for gate in blocking)
    return f"{words} by the tree, but {ACTION_WORDS[action]}: {reasons}."


def caveats(
    case: Case,
    assessment: Assessment,
    decision: Decision,
    gates: Sequence[Gate],
    action: Action,
    options: Sequence[Option],
) -> list[Caveat]:
    """What to keep in mind: answers that don't hold yet, rules that disagree, gates still open.

    Options may know what a framework doesn't weigh: a candidate that no closed gate holds up says
    so where none of the kinds of tuning is left. A published figure is told of with what it
    doesn't tell, unless the present approach meets everything.
    """
    found: list[Caveat] = []
    figure = next((one.figure for one in options if one.figure is not None), None)
    if figure is not None and not any(g.id == "need" and g.state == "no" for g in gates):
        found.append(Caveat("published_figure", {"figure": figure}))
    for name, answer in case.factors.items():
        if answer.now is not None and answer.now != answer.value:
            low = name == "low_volume" and answer.now == "yes"
            found.append(Caveat("low_volume_now" if low else "answer_not_yet", {"name": name}))
    if decision.score_bands != decision.difference_bands:
        score, difference = (
            bands[0] if bands[0] == bands[1] else f"{bands[0]} to {bands[1]}"
            for bands in (decision.score_bands, decision.difference_bands)
        )
        found.append(Caveat("rules_disagree", {"score": score, "difference": difference}))
    still_open = sum(answer.state == "unknown" for answer in assessment.answers.values())
    if decision.final and still_open:
        found.append(Caveat("open_after_final", {"open": still_open}))
    if decision.outcome == "improve_rag_or_switch_model":
        done = tuple(name for name in _NAMED_BY_THE_TREE if assessment.state(name) == "yes")
        if done:
            found.append(Caveat("named_is_done", {"names": done}))
    if decision.outcome == "fine_tune_candidate":
        tunings = [one for one in options if one.kind == "tuning"]
        held_up = action in ("keep_prompting", "explore_alternatives")
        if tunings and not held_up and all(one.helps == "no" for one in tunings):
            found.append(Caveat("no_tuning_fits", {}))
        found += [
            Caveat(f"gate_{gate.id}", {"why": why(gate.why)})
            for gate in gates
            if gate.state == "unknown"
        ]
    return found


def quick_says(ruled_out: bool, asked: Sequence[str]) -> str:
    """What the short form can say, and what it can't."""
    names = listing([plain(name) for name in asked])
    if ruled_out:
        return sentence(
            f"ruled out: with {names} as answered no other answers make tuning a candidate"
        )
    return sentence(
        f"worth the full look: {few(len(asked))} questions ({names}) can rule tuning out but not in"
    )
