"""The kinds of tuning, and tuning together with retrieval."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.model.base import State
from tuneworthy.model.dossier import ApproachResult, Helps, Judgement
from tuneworthy.verdict.gates import held
from tuneworthy.verdict.options.facts import (
    BEHAVIOUR_GOALS,
    KNOWLEDGE_GOALS,
    SIGNS,
    Facts,
    Numbers,
    goals,
    judged,
    missing,
)
from tuneworthy.words import count, figure_says, listing, plain

# The kinds of tuning, and tuning together with retrieval.

_SIGNS: dict[str, tuple[str, ...]] = {
    "knowledge": ("knowledge_gaps", "terminology_errors"),
    "domain_expertise": ("terminology_errors", "knowledge_gaps"),
    "persona": ("voice_drift",),
    "format": ("inconsistent_format",),
}
"""Signals that show a goal isn't reached; the other goals show it by quality alone."""


def no_goal(approach: str) -> Judgement:
    """A kind of tuning while no goal is named."""
    return judged("unknown", "goal_open", approach=approach)


def tuning(facts: Facts, fit: ApproachResult) -> Judgement:
    """Helps where prompting has reached its limit, the goal's own sign is seen and data are there.

    Args:
        facts: The case.
        fit: A goal with its approach and data.
    """
    have = held(facts.case, fit.data.unit)
    settled = _against(facts) or _knowledge_against(facts, fit.goal)
    if settled is not None:
        return settled
    if fit.feasible == "no":
        return judged("no", "data_short", have=have, need=fit.data.low, unit=fit.data.unit)
    if facts.assessment.reached == "no":
        return judged("partly", "prompts_first", lacking=_lacking(facts))
    sign, signs = _sign(facts, fit.goal), _SIGNS.get(fit.goal, ())
    if facts.assessment.reached == "unknown":
        return judged("unknown", "ceiling_open")
    if sign == "no":
        return judged("partly", "sign_absent", goal=fit.goal, signs=signs)
    if facts.changes in ("policy", "both", "unknown"):
        return judged("partly", "rules_change", changes=facts.changes)
    if facts.figure is not None and facts.figure.meets == "no":
        return judged("partly", "published_short", figure=facts.figure)
    if sign == "unknown":
        helps: Helps = "partly" if _falls_short(facts) else "unknown"
        return judged(helps, f"sign_open_{helps}", goal=fit.goal, signs=signs)
    if fit.feasible == "unknown":
        return judged("partly", "data_open", goal=fit.goal, need=fit.data.low, unit=fit.data.unit)
    return judged(
        "yes", "ceiling_and_sign", goal=fit.goal, have=have, need=fit.data.low, unit=fit.data.unit
    )


def hybrid(facts: Facts) -> Judgement:
    """Helps where behaviour has to be trained and knowledge has to be fetched."""
    settled = _against(facts)
    if settled is not None:
        return settled
    behaviour, knowledge = _behaviour(facts), _knowledge(facts)
    if behaviour == "no":
        return judged("no", "no_behaviour_to_train")
    if knowledge == "no":
        return judged("no", "no_knowledge_to_fetch")
    if "unknown" in (behaviour, knowledge):
        return judged("unknown", "hybrid_open", behaviour=behaviour, knowledge=knowledge)
    trained = [fit for fit in facts.fits if fit.goal not in KNOWLEDGE_GOALS] or list(facts.fits)
    feasible = {fit.feasible for fit in trained}
    if feasible == {"no"}:
        short = trained[0]
        have = held(facts.case, short.data.unit)
        return judged("no", "data_short", have=have, need=short.data.low, unit=short.data.unit)
    if facts.assessment.reached == "no":
        return judged("partly", "prompts_first", lacking=_lacking(facts))
    if facts.assessment.reached == "unknown":
        return judged("unknown", "ceiling_open")
    if facts.changes in ("policy", "both", "unknown"):
        return judged("partly", "rules_change", changes=facts.changes)
    goals = facts.goals(BEHAVIOUR_GOALS)
    if "yes" not in feasible:
        return judged("partly", "hybrid_data_open", goals=goals, changes=facts.changes)
    return judged("yes", "behaviour_and_knowledge", goals=goals, changes=facts.changes)


def _against(facts: Facts) -> Judgement | None:
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.state("exploration_phase") == "yes":
        return judged("no", "still_exploring")
    return None


def _knowledge_against(facts: Facts, goal: str) -> Judgement | None:
    """Facts that aren't found or don't stay are nothing to train."""
    if goal not in KNOWLEDGE_GOALS:
        return None
    if facts.recall_enough == "no":
        return judged("no", "not_found_yet", measured=True, recall=facts.recall)
    if facts.content_changes == "yes":
        return judged("no", "facts_change", changes=facts.changes)
    return None


def _sign(facts: Facts, goal: str) -> State:
    """Whether what the goal asks for is lacking today."""
    states = [facts.state(name) for name in _SIGNS.get(goal, ())]
    if not states:
        return "yes" if _falls_short(facts) else "unknown"
    if "yes" in states:
        return "yes"
    return "no" if set(states) == {"no"} else "unknown"


def _falls_short(facts: Facts) -> bool:
    return facts.target("quality") == "no" or facts.state("success_with_prompts") == "no"


def _behaviour(facts: Facts) -> State:
    if facts.goals(BEHAVIOUR_GOALS):
        return "yes"
    factors = [facts.state(name) for name in ("consistent_behavior", "brand_voice")]
    if "yes" in factors:
        return "yes"
    return "unknown" if "unknown" in factors else "no"


def _knowledge(facts: Facts) -> State:
    """Whether knowledge has to be fetched: it is a goal of its own, or it changes."""
    if facts.goals(KNOWLEDGE_GOALS):
        return "yes"
    if not facts.case.goals and facts.content_changes == "no":
        return "unknown"
    return facts.content_changes


def _lacking(facts: Facts) -> tuple[str, ...]:
    return tuple(name for name in facts.framework.ceiling if facts.state(name) == "no")


# Why a kind of tuning helps or doesn't.

_CHECKS = {
    "prompt_variations": "more prompts",
    "foundation_models": "a second model",
    "retrieval_optimised": "retrieval",
    "few_shot": "examples in the prompt",
    "structured_prompt": "a structured prompt",
}


def _signs(n: Numbers, word: str) -> str:
    """The signs of a goal: seen, absent, or not said."""
    told = [SIGNS.get(name, plain(name)) for name in n["signs"]]
    return f"{word} {listing(told, 'or')}"


def _both(n: Numbers) -> str:
    trained = goals(n) if n["goals"] else "the way to answer"
    moving = ", which changes about every month" if n["changes"] == "content" else ""
    return f"train {trained}, fetch the knowledge{moving}"


TUNING: dict[str, Callable[[Numbers], str]] = {
    "goal_open": lambda _: "name the goals: each kind of tuning serves one",
    "still_exploring": lambda _: "the task is still moving: a prompt changes in a minute",
    "not_found_yet": lambda n: f"{missing(n)}: what isn't found can't be learned to be read",
    "facts_change": lambda _: "the facts change about every month and belong in retrieval",
    "data_short": lambda n: (
        f"{count(n['have'])} {plain(n['unit'])} are there; it takes {count(n['need'])} or more"
    ),
    "prompts_first": lambda n: (
        "prompting isn't at its ceiling; still to do: "
        + listing([_CHECKS.get(name, plain(name)) for name in n["lacking"]])
    ),
    "ceiling_open": lambda _: "whether prompting has reached its ceiling isn't known",
    "sign_absent": lambda n: f"prompting is at its ceiling, but {_signs(n, 'nobody sees that')}",
    "sign_open_partly": lambda n: f"a target is missed; nobody said {_signs(n, 'whether')}",
    "sign_open_unknown": lambda n: (
        f"nobody said {_signs(n, 'whether')}"
        if n["signs"]
        else (f"whether {plain(n['goal'])} falls short isn't said")
    ),
    "rules_change": lambda n: {
        "policy": "rules of behaviour change about every month, and each change means retraining",
        "both": "facts and rules change about every month; only what stays can be trained",
    }.get(n["changes"], "requirements change about every month; only what stays can be trained"),
    "published_short": lambda n: (
        f"prompting is at its ceiling, and {figure_says(n['figure'])}: more than tuning is needed"
    ),
    "data_open": lambda n: (
        f"prompting is at its ceiling; count the {plain(n['unit'])}, {count(n['need'])} are needed"
    ),
    "ceiling_and_sign": lambda n: (
        f"prompting is at its ceiling and {plain(n['goal'])} falls short; {count(n['have'])} "
        f"{plain(n['unit'])} are there, {count(n['need'])} are needed"
    ),
    "no_behaviour_to_train": lambda _: "no behaviour has to be trained; retrieval alone would do",
    "no_knowledge_to_fetch": lambda _: "no knowledge has to be fetched; tuning alone would do",
    "hybrid_open": lambda n: (
        "whether a behaviour has to be trained isn't said"
        if n["behaviour"] == "unknown"
        else "whether knowledge has to be fetched isn't said"
    ),
    "hybrid_data_open": lambda n: f"{_both(n)}; count the examples first",
    "behaviour_and_knowledge": _both,
    "own_option": lambda n: f"the framework says it helps when {n['when']}; judge that yourself",
}
