"""Why a kind of tuning helps or doesn't."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.report.options.pieces import SIGNS, Numbers, goals, missing
from tuneworthy.report.published import figure_says
from tuneworthy.report.words import count, listing, plain

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
