"""The words of every question: the framework's own, and ours for the fields of a case."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.domain.framework import Asked, Check, Framework
from tuneworthy.domain.interview import Choice
from tuneworthy.report.interview.fields import (
    ATTEMPTS,
    FIELDS,
    GOALS,
    LATER,
    MODELS,
    FieldWords,
)
from tuneworthy.report.interview.money import (
    CHOICE_TITLES,
    MONEY_FIELDS,
    SAFETY_TITLES,
    SAFETY_WHY,
)
from tuneworthy.report.words import plain

_SIGNAL_MINUTES = 3  # ours; a framework gives signals none


def framework_words(framework: Framework, room: str, name: str) -> FieldWords:
    """A check, factor or signal as its framework asks it.

    Raises:
        KeyError: If the framework doesn't ask it.
    """
    rooms: dict[str, Mapping[str, Asked]] = {
        "ceiling": framework.ceiling, "factors": framework.factors, "signals": framework.signals,
    }  # fmt: skip
    told = rooms[room][name]
    at_least = told.at_least if isinstance(told, Check) else None
    means = getattr(told, "means", "")
    why = " ".join(text for text in (told.why, means and f"Yes means: {means}") if text)
    return FieldWords(
        told.title,
        framework.filled(told.ask, at_least),
        framework.filled(told.example, at_least),
        framework.filled(why, at_least),
        getattr(told, "minutes", _SIGNAL_MINUTES),
    )


def field_words(path: str, framework: Framework, name: str = "") -> FieldWords:
    """A field of the case in words.

    Args:
        path: Its dotted path; places in lists count from 1.
        framework: Asks about safety.
        name: What the attempt or the model is called that it belongs to.

    Raises:
        KeyError: If nobody asks about such a field.
    """
    parts = path.split(".")
    if path == "goals":
        return GOALS
    if parts[0] == "safety" and framework.safety is not None and len(parts) == 2:
        question = getattr(framework.safety, parts[1], None)
        if question is not None:
            return FieldWords(SAFETY_TITLES[parts[1]], question, "", SAFETY_WHY, 5)
    if parts[0] in ("attempts", "models") and len(parts) == 3:
        table = ATTEMPTS if parts[0] == "attempts" else MODELS
        told = table[parts[2]]
        question = told.question.replace("{n}", parts[1]).replace("{name}", name or parts[1])
        return FieldWords(told.title, question, told.example, told.why, told.minutes)
    if parts[0] == "factors" and len(parts) == 3:
        return LATER[parts[2]]
    return FIELDS[path] if path in FIELDS else MONEY_FIELDS[path]


def goal_choices(framework: Framework) -> tuple[Choice, ...]:
    """The goals of a framework, with the need behind each."""
    return tuple(Choice(name, goal.title, goal.need) for name, goal in framework.goals.items())


def option_choices(framework: Framework) -> tuple[Choice, ...]:
    """What may have been tried: every option but keeping the prompt."""
    return tuple(
        Choice(name, option.title)
        for name, option in framework.options.items()
        if name != "keep_prompt"
    )


def check_choices(framework: Framework) -> tuple[Choice, ...]:
    """The checks of the ceiling test."""
    return tuple(Choice(name, check.title) for name, check in framework.ceiling.items())


def plain_choices(names: tuple[str, ...]) -> tuple[Choice, ...]:
    """Choices of a field, in words."""
    return tuple(Choice(name, CHOICE_TITLES.get(name, plain(name))) for name in names)
