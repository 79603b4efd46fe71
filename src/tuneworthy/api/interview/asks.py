"""One question, by its id: what it asks, what may be said, and what stands there now."""

from __future__ import annotations

from dataclasses import dataclass

from tuneworthy.api.cases import answer_path
from tuneworthy.api.interview.fields import (
    ATTEMPT,
    CHANGES,
    DATA,
    INVESTMENT,
    MODEL,
    OPTIONS,
    UNASKED,
)
from tuneworthy.api.interview.values import at, shown, stands
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.interview import Ask, AskKind, Choice, Part
from tuneworthy.report.interview.fields import FieldWords
from tuneworthy.report.interview.words import (
    check_choices,
    field_words,
    framework_words,
    goal_choices,
    option_choices,
    plain_choices,
)
from tuneworthy.syntax.build import did_you_mean

_BY_ID = {field.id: field for field in (*OPTIONS, *DATA, *INVESTMENT, *UNASKED)}
_MOST_DIGITS = 4
SAFETY = ("safety.data_reviewed", "safety.process_named")
"""Asked last: whether it can be done responsibly."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a question is made of besides words."""

    part: Part
    kind: AskKind
    choices: tuple[Choice, ...] = ()


def ask_of(case: Case, framework: Framework, ask_id: str) -> Ask:
    """A question by its id, also one that isn't open; for going back.

    Args:
        case: The case; says what stands there now.
        framework: Whose questions are asked.
        ask_id: A check, factor or signal, or a dotted path.

    Raises:
        CaseError: If nothing like that is asked.
    """
    path = ".".join(answer_path(ask_id, framework))
    try:
        shape, words = _shape(case, framework, path), _words(case, framework, path)
    except (KeyError, ValueError):
        raise _stranger(framework, ask_id) from None
    return Ask(
        id=path, part=shape.part, kind=shape.kind, choices=shape.choices, title=words.title,
        question=words.question, example=words.example, why=words.why, minutes=words.minutes,
        value=shown(at(case, path)) if stands(case, path) else "",
    )  # fmt: skip


def is_asked(framework: Framework, ask_id: str, where: str) -> str:
    """The whole path of a question that may come up, in whatever case.

    Raises:
        CaseError: If nothing like that is ever asked; ``where`` says where it stood.
    """
    try:
        path = ".".join(answer_path(ask_id, framework))
        parts = path.split(".")
        listed = {"attempts": ATTEMPT, "models": MODEL}.get(parts[0])
        if listed is None or len(parts) != 3:
            return ask_of(Case(name="anything"), framework, path).id
        if parts[1].isdigit() and parts[2] in {field.id for field in listed}:
            return path
    except CaseError:
        pass
    found = _stranger(framework, ask_id)
    raise CaseError(found.what, where=where, fix=found.fix)


def takes_share(path: str) -> bool:
    """Whether a field may be given in per cent."""
    if path in _BY_ID:
        return _BY_ID[path].share
    return path.startswith("models.") and path.endswith(".quality")


def _shape(case: Case, framework: Framework, path: str) -> _Shape:
    """Part, kind and choices.

    Raises:
        KeyError: If nobody asks that.
    """
    parts = path.split(".")
    if path == "goals":
        return _Shape("evaluate", "choices", goal_choices(framework))
    if parts[0] == "ceiling" and len(parts) == 2:
        counted = framework.ceiling[parts[1]].at_least is not None
        return _Shape("evaluate", "count" if counted else "state")
    if parts[0] in ("factors", "signals") and len(parts) == 2:
        return _Shape("evaluate", "state")
    if path in LATER_SHAPES:
        return LATER_SHAPES[path]
    if path in SAFETY:
        return _Shape("investment", "state")
    if parts[0] in ("attempts", "models") and len(parts) == 3:
        return _listed(case, framework, *parts)
    field = _BY_ID[path]
    return _Shape(field.part, field.kind, plain_choices(field.choices))


LATER_SHAPES: dict[str, _Shape] = {
    "factors.low_volume.now": _Shape("evaluate", "state"),
    "factors.low_volume.by_month": _Shape("evaluate", "count"),
    "factors.rapidly_changing_requirements.changes": _Shape(
        "evaluate", "choice", plain_choices(CHANGES)
    ),
}
"""What some answers ask for besides."""


def _listed(case: Case, framework: Framework, room: str, place: str, name: str) -> _Shape:
    """A field of an attempt or a model, also of the next one.

    Raises:
        KeyError: If there is no such field, or no such place.
    """
    fields = {field.id: field for field in (ATTEMPT if room == "attempts" else MODEL)}
    there = len(case.attempts if room == "attempts" else case.models)
    first = next(iter(fields))
    number = int(place) if place.isascii() and place.isdigit() and len(place) <= _MOST_DIGITS else 0
    if not 1 <= number <= there + (name == first):
        raise KeyError(place)
    choices = {"tried": option_choices, "ceiling": check_choices}
    listed = choices[name](framework) if name in choices else ()
    return _Shape("options", fields[name].kind, listed)


def _words(case: Case, framework: Framework, path: str) -> FieldWords:
    parts = path.split(".")
    if parts[0] in ("ceiling", "factors", "signals") and len(parts) == 2:
        return framework_words(framework, parts[0], parts[1])
    name = ""
    if parts[0] in ("attempts", "models"):
        first = ATTEMPT if parts[0] == "attempts" else MODEL
        name = shown(at(case, f"{parts[0]}.{parts[1]}.{first[0].id}"))
    return field_words(path, framework, name)


def _stranger(framework: Framework, ask_id: str) -> CaseError:
    known = [
        *framework.ceiling, *framework.factors, *framework.signals, "goals", *_BY_ID, *SAFETY,
        *LATER_SHAPES, "attempts.1.name", "models.1.id",
    ]  # fmt: skip
    return CaseError(f'"{ask_id[:80]}" is nothing that is asked', fix=did_you_mean(ask_id, known))
