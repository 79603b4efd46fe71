"""The kinds of tuning, and tuning together with retrieval."""

from __future__ import annotations

from tuneworthy.model.base import State, Unknown
from tuneworthy.model.dossier import ApproachResult
from tuneworthy.verdict import TABLES
from tuneworthy.verdict.facts import KNOWLEDGE_GOALS, CaseFacts, named
from tuneworthy.verdict.options.rule import (
    ALL_MET,
    SIGNS,
    Opinion,
    no,
    not_found,
    option,
    partly,
    unknown,
    yes,
)
from tuneworthy.words import count, listing, plain

BEHAVIOUR_GOALS = frozenset({"persona", "format", "tool_calling", "safety"})
"""Goals that ask for a way to answer."""

_SIGNS: dict[str, list[str]] = TABLES["goal_signs"]
"""Signals that show a goal isn't reached; the other goals show it by quality alone."""

NO_GOAL = unknown("name the goals: each kind of tuning serves one")

_CHANGE: dict[str, str] = TABLES["change"]  #: What speaks against training, by what changes.


def tuning(facts: CaseFacts, fit: ApproachResult) -> Opinion:
    """Helps where prompting has reached its limit, the goal's own sign is seen and data are there.

    ``fit`` is a goal with its approach and data.
    """
    if facts.satisfied == "yes":
        return ALL_MET
    if (against := _against(facts) or _knowledge_against(facts, fit.goal)) is not None:
        return against
    if fit.feasible == "no":
        return no(_data_short(fit))
    if facts.reached != "yes":
        return _ceiling(facts)
    sign = _sign(facts, fit.goal)
    signs = listing([SIGNS[name] for name in _SIGNS.get(fit.goal, ())], "or")
    if sign == "no":
        return partly(f"prompting is at its ceiling, but nobody sees that {signs}")
    if facts.changes in _CHANGE:
        return partly(_CHANGE[facts.changes])
    if sign == "yes":
        return _seen(facts, fit)
    if _falls_short(facts):
        return partly(f"a target is missed; it isn't stated whether {signs}")
    return unknown(f"it isn't stated whether {signs or f'{plain(fit.goal)} falls short'}")


def _seen(facts: CaseFacts, fit: ApproachResult) -> Opinion:
    """Everything speaks for tuning, but for data that nobody counted."""
    unit, need, have = (
        plain(fit.data.unit),
        count(fit.data.low),
        facts.case.usable_data(fit.data.unit),
    )
    if have is None:
        return partly(f"prompting is at its ceiling; count the {unit}, {need} are needed")
    short = f"{plain(fit.goal)} falls short"
    if facts.aims and "quality" not in facts.aims:
        missed = f"{named(facts.aims)} {'is' if len(facts.aims) == 1 else 'are'} missed"
        short = f"a tuned model needs a shorter prompt or can be smaller, and {missed}"
    there = f"prompting is at its ceiling and {short}; {count(have)} {unit} are there"
    if have < fit.data.low:
        return partly(f"{there}, {need} are usual: a pilot on them would tell")
    return yes(f"{there}, {need} are needed")


@option(tried="", arm="hybrid")
def hybrid(facts: CaseFacts) -> Opinion:
    """Helps where behavior has to be trained and knowledge has to be fetched."""
    if (against := _against(facts)) is not None:
        return against
    reasons = [facts.state(name) for name in ("consistent_behavior", "brand_voice")]
    behavior = "yes" if facts.goals(BEHAVIOUR_GOALS) else either(reasons)
    knowledge = "yes" if facts.goals(KNOWLEDGE_GOALS) else facts.content_changes
    if knowledge == "no" and not facts.case.goals:
        knowledge = "unknown"  # it may be a goal of its own
    if behavior == "no":
        return no("no behavior has to be trained; retrieval alone would do")
    if knowledge == "no":
        return no("no knowledge has to be fetched; tuning alone would do")
    if "unknown" in (behavior, knowledge):
        trained_first = behavior == "unknown"
        what = "a behavior has to be trained" if trained_first else "knowledge has to be fetched"
        return unknown(f"whether {what} isn't stated")
    trained = [fit for fit in facts.fits if fit.goal not in KNOWLEDGE_GOALS] or list(facts.fits)
    feasible = {fit.feasible for fit in trained}
    if feasible == {"no"}:
        return no(_data_short(trained[0]))
    if facts.reached != "yes":
        return _ceiling(facts)
    if facts.changes in _CHANGE:
        return partly(_CHANGE[facts.changes])
    goals = listing([plain(goal) for goal in facts.goals(BEHAVIOUR_GOALS)])
    moving = ", which changes about every month" if facts.changes == "content" else ""
    both = f"train {goals or 'the way to answer'}, fetch the knowledge{moving}"
    if "yes" in feasible:
        return yes(f"{both}: often the best architecture in production")
    counted = any(not isinstance(fit.missing, Unknown) for fit in trained)
    trial = "a pilot on the examples there are would tell"
    return partly(f"{both}; {trial if counted else 'count the examples first'}")


def _against(facts: CaseFacts) -> Opinion | None:
    moving = no("the task is still moving: a prompt changes in a minute")
    return moving if facts.holds("exploration_phase") else None


def _knowledge_against(facts: CaseFacts, goal: str) -> Opinion | None:
    """Facts that aren't found or don't stay are nothing to train."""
    if goal not in KNOWLEDGE_GOALS:
        return None
    if facts.recall_enough == "no":
        because = f"{not_found(facts)}: what isn't found can't be learned to be read"
        return no(because, measured=True)
    if facts.content_changes == "yes":
        return no("the facts change about every month and belong in retrieval")
    return None


def _data_short(fit: ApproachResult) -> str:
    assert not isinstance(fit.missing, Unknown)  # it was counted
    have, unit = fit.data.low - fit.missing, plain(fit.data.unit)
    return f"{count(have)} {unit} are there; it takes {count(fit.data.low)} or more"


def _ceiling(facts: CaseFacts) -> Opinion:
    """Prompting isn't known to be at its ceiling."""
    if facts.reached == "unknown":
        return unknown("whether prompting has reached its ceiling isn't known")
    checks = facts.framework.ceiling.items()
    todo = [check.title for name, check in checks if facts.state(name) == "no"]
    return partly(f"prompting isn't at its ceiling; still to do: {listing(todo)}")


def _sign(facts: CaseFacts, goal: str) -> State:
    """Whether what the goal asks for is lacking today."""
    if goal in _SIGNS:
        return either([facts.state(name) for name in _SIGNS[goal]])
    return "yes" if _falls_short(facts) else "unknown"


def either(states: list[State]) -> State:
    """Yes where one is, no where all are."""
    return "yes" if "yes" in states else "no" if set(states) == {"no"} else "unknown"


def _falls_short(facts: CaseFacts) -> bool:
    return bool(facts.aims) or facts.state("success_with_prompts") == "no"
