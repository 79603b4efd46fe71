"""Goals of a case: as an id, by their title, or as the everyday need behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, FailFast, Field

from tuneworthy.domain.record import one_or_many, shown, wrong

Goal = Literal[
    "knowledge", "persona", "format", "tool_calling", "safety", "domain_expertise",
    "classification", "extraction", "generation",
]  # fmt: skip
"""The lesson's six goals, and three plain tasks."""

GOALS: tuple[Goal, ...] = get_args(Goal)

SPOKEN: Mapping[Goal, tuple[str, ...]] = {
    "knowledge": ("knowledge", "understand our product deeply"),
    "persona": ("persona and voice", "persona", "voice", "speak in our brand voice"),
    "format": ("format consistency", "always output valid json"),
    "tool_calling": ("tool and api calling", "tool calling", "call our api correctly"),
    "safety": ("safety and alignment", "avoid harmful answers about a topic"),
    "domain_expertise": ("deep domain expertise", "know specialised vocabulary"),
    "classification": ("classification", "sort inputs into our classes"),
    "extraction": ("extraction", "pull our fields out of text"),
    "generation": ("generation", "write a document of our kind"),
}
"""What people write for each goal, in small letters: its title, and the need behind it.

Titles and needs are the lesson's; a framework of one's own uses the same goals.
"""

_HARM = re.compile(r"avoid harmful (?:answers|responses|outputs)(?: about .+)?")
_OTHER_SPELLING = {"know specialized vocabulary": "know specialised vocabulary"}


def to_goal(value: Any) -> Any:
    """The id of what a person means by a goal, in any case; ids and values of other kinds as given.

    Raises:
        PydanticCustomError: If it is no goal; with the one that was likely meant.
    """
    if not isinstance(value, str):
        return value
    said = re.sub(r"[\s_-]+", " ", value.casefold()).strip(" .\"'")
    said = _OTHER_SPELLING.get(said, said)
    for goal in GOALS:
        if said == goal.replace("_", " ") or said in SPOKEN[goal]:
            return goal
    if _HARM.fullmatch(said):
        return "safety"
    raise wrong(f'is "{shown(value)}", which is no goal', _meant(said))


def _meant(said: str) -> str:
    """The likeliest goal, or all of them."""
    from difflib import get_close_matches  # needed only for an error

    known = {spoken: goal for goal in GOALS for spoken in (goal.replace("_", " "), *SPOKEN[goal])}
    close = get_close_matches(said, list(known), n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{known[close[0]]}"?'
    return f"use one of {', '.join(GOALS)}, or the need as the lesson words it"


def _pattern() -> str:
    """Every spoken form in any case, for editors."""
    phrases = sorted({spoken for many in SPOKEN.values() for spoken in many})
    letters = ("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in one) for one in phrases)
    return f"^(?:{'|'.join(letters)})[.]?$"


_SPOKEN = Annotated[
    str, Field(pattern=_pattern(), description="Its title, or the need behind it, in any case.")
]

_Said = Annotated[Goal, BeforeValidator(to_goal, json_schema_input_type=Goal | _SPOKEN)]

Goals = Annotated[
    tuple[_Said, ...],
    FailFast(),  # looking for what was meant by each of a hundred thousand takes long
    BeforeValidator(
        one_or_many, json_schema_input_type=Goal | _SPOKEN | tuple[Goal | _SPOKEN, ...]
    ),
]
"""Goals as people write them, the primary one first."""
