"""Where an answer is kept in the case file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from tuneworthy.errors import CaseError
from tuneworthy.framework.rules import compile_rules
from tuneworthy.interview.fields import (
    ATTEMPT,
    CHANGES,
    DATA,
    INVESTMENT,
    MODEL,
    OPTIONS,
    UNASKED,
    Field,
    FieldWords,
    check_choices,
    field_words,
    framework_words,
    goal_choices,
    option_choices,
    plain_choices,
)
from tuneworthy.model.case import (
    Amount,
    AmountOf,
    Attempt,
    Case,
    CheckAnswer,
    FactorAnswer,
    Holding,
    QualityTarget,
    TokenPrice,
)
from tuneworthy.model.dossier import Assessment, Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import PARTS, Ask, AskKind, Choice, OpenPart, Part, Standing
from tuneworthy.pipeline import evidence_of, known
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.rules import questions
from tuneworthy.verdict.weigh import weigh, with_evidence

# Where an answer is kept in the case file.


def answer_path(name: str, framework: Framework) -> tuple[str, ...]:
    """Where in a case an answer stands.

    Raises:
        CaseError: If a name without dots is nothing the framework asks.
    """
    if "." in name:
        return tuple(name.split("."))
    for room, asked in (
        ("ceiling", framework.ceiling),
        ("factors", framework.factors),
        ("signals", framework.signals),
    ):
        if name in asked:
            return room, name
    if name in Case.model_fields:
        return (name,)
    known = [*framework.ceiling, *framework.factors, *framework.signals]
    raise CaseError(
        f'"{name}" is nothing the {framework.name} framework asks', fix=did_you_mean(name, known)
    )


# What stands in a case: found by its dotted path, and in the form in which it can be given.

_HAVE_DEFAULTS = ("prompts", "metric")  # fields with a value that nobody has to have said


def at(case: Case, path: str) -> Any:
    """The value at a dotted path, places in lists counted from 1; None where there is none."""
    here: Any = case
    for step in path.split("."):
        if isinstance(here, tuple):
            place = int(step) - 1 if step.isdigit() else -1
            here = here[place] if 0 <= place < len(here) else None
        elif isinstance(here, Mapping):
            here = here.get(step)
        else:
            here = getattr(here, step, None) if isinstance(here, BaseModel) else None
        if here is None:
            return None
    return here


def stands(case: Case, path: str) -> bool:
    """Whether the case says something at a path; "unknown" says nothing."""
    above, _, last = path.rpartition(".")
    room = at(case, above) if last in _HAVE_DEFAULTS and above else None
    if isinstance(room, Attempt | QualityTarget) and last not in room.model_fields_set:
        return False
    return shown_value(at(case, path)) != ""


def shown_value(value: Any) -> str:
    """A value as it could be given again; empty for what is unknown or says nothing."""
    if value is None or value == "unknown":
        return ""
    if isinstance(value, CheckAnswer) and value.count is not None:
        return str(value.count)
    if isinstance(value, FactorAnswer | CheckAnswer):
        return shown_value(value.value)
    if isinstance(value, AmountOf):
        return _range(value)
    if isinstance(value, Holding):
        return shown_value(value.count)
    if isinstance(value, TokenPrice):
        return f"{_number(value.input)}, {_number(value.output)}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):  # the checks of an attempt
        done = ", ".join(name for name, answer in value.items() if answer.value == "yes")
        return done or ("none" if value else "")
    return _number(value) if isinstance(value, float) else str(value)


def _range(value: Amount) -> str:
    low, likely, high = map(_number, (value.low, value.likely, value.high))
    if low == high:
        return likely
    middle = (value.low + value.high) / 2
    return f"{low} to {high}" if value.likely == middle else f"{low} to {likely} to {high}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(value)


# One question, by its id: what it asks, what may be said, and what stands there now.

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
        id=path,
        part=shape.part,
        kind=shape.kind,
        choices=shape.choices,
        title=words.title,
        question=words.question,
        example=words.example,
        why=words.why,
        minutes=words.minutes,
        value=shown_value(at(case, path)) if stands(case, path) else "",
    )


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
        name = shown_value(at(case, f"{parts[0]}.{parts[1]}.{first[0].id}"))
    return field_words(path, framework, name)


def _stranger(framework: Framework, ask_id: str) -> CaseError:
    known = [
        *framework.ceiling,
        *framework.factors,
        *framework.signals,
        "goals",
        *_BY_ID,
        *SAFETY,
        *LATER_SHAPES,
        "attempts.1.name",
        "models.1.id",
    ]
    return CaseError(f'"{ask_id[:80]}" is nothing that is asked', fix=did_you_mean(ask_id, known))


# What to ask next, and what else is worth knowing.


def next_ask(
    case: Case, framework: Framework, *, passed: Collection[str] = (), part: Part | None = None
) -> Ask | None:
    """What to ask next.

    Args:
        case: The case as it stands; all that was answered is in it.
        framework: Whose questions are asked.
        passed: Ids that whoever answers doesn't know or doesn't want to be asked.
        part: One of the three conversations, whole; the answers that can change the verdict alone,
            after the goals, when not given.

    Returns:
        The question, or None: with no part, nothing that is still asked can change the verdict;
        with one, all of it is answered or passed. ``offers`` says what else is open.

    Raises:
        CaseError: If the case answers something the framework doesn't ask.
    """
    opened = _open(case, framework, part)
    waiting = [name for name in opened if name not in passed]
    if not waiting:
        return None
    gain = opened[waiting[0]]
    return replace(ask_of(case, framework, waiting[0]), gain_bits=gain, left=len(waiting))


def asked_again(
    case: Case,
    framework: Framework,
    ask_id: str,
    *,
    passed: Collection[str] = (),
    part: Part | None = None,
) -> Ask:
    """A question by its id, answered or not, with what ``next_ask`` says of its round.

    Raises:
        CaseError: If nothing like that is asked.
    """
    ask, opened = ask_of(case, framework, ask_id), _open(case, framework, part)
    waiting = {ask.id, *(name for name in opened if name not in passed)}
    return replace(ask, gain_bits=opened.get(ask.id), left=len(waiting))


def offers(
    case: Case, framework: Framework, *, passed: Collection[str] = ()
) -> tuple[OpenPart, ...]:
    """The parts in which something is still worth knowing; empty when nothing is.

    Raises:
        CaseError: As ``next_ask``.
    """
    found = []
    for part in PARTS:
        waiting = [name for name in _open(case, framework, part) if name not in passed]
        if waiting:
            minutes = sum(ask_of(case, framework, name).minutes for name in waiting)
            found.append(OpenPart(part, len(waiting), minutes))
    return tuple(found)


def part_asks(case: Case, framework: Framework, part: Part | None = None) -> tuple[str, ...]:
    """Ids of all that is open in a part, in the order of asking; for passing it as a whole."""
    return tuple(_open(case, framework, part))


def is_answered(case: Case, framework: Framework, ask_id: str) -> bool:
    """Whether a question has an answer: one that was said, or that a number or measurement gives.

    Raises:
        CaseError: If a name without dots is nothing the framework asks.
    """
    path = ".".join(answer_path(ask_id, framework))
    room, _, name = path.partition(".")
    if stands(case, path):
        return True
    judged = room in ("ceiling", "factors", "signals")
    return judged and _weighed(case, framework).state(name) != "unknown"


def standing(dossier: Dossier) -> Standing:
    """What is shown while a verdict forms."""
    verdict, shares = dossier.verdict, dossier.distribution
    possible = sorted(((name, s) for name, s in shares.items() if s > 0), key=lambda p: -p[1])
    still_open = sum(check.state == "unknown" for check in dossier.ceiling.checks.values())
    return Standing(
        verdict.outcome,
        verdict.leaning,
        verdict.final,
        tuple(possible),
        still_open + dossier.counts.unknown,
        len(dossier.next_questions),
    )


def _open(case: Case, framework: Framework, part: Part | None) -> dict[str, float | None]:
    """Ids of what is open, in order, with the doubt each removes where it removes some."""
    if part in (None, "evaluate"):
        return _evaluate(case, framework, whole=part is not None)
    found = _options(case, framework) if part == "options" else _investment(case, framework)
    return dict.fromkeys(found)


def _evaluate(case: Case, framework: Framework, *, whole: bool) -> dict[str, float | None]:
    assessment = _weighed(case, framework)
    found: dict[str, float | None] = {}
    if framework.goals and not case.goals:
        found["goals"] = None
    asked = questions(assessment.states, framework, compile_rules(framework))
    found |= {_path(framework, one.factor): one.gain_bits for one in asked}
    if whole:
        for name in _besides(case, framework, assessment):
            found.setdefault(name, None)
    return found


def _weighed(case: Case, framework: Framework) -> Assessment:
    """Every answer as it counts: with what was measured, and what stated numbers give."""
    ledger = known(evidence_of(case))
    filled, _ = with_evidence(case, ledger)
    return weigh(filled, framework, ledger=ledger)


def _path(framework: Framework, name: str) -> str:
    return f"{'ceiling' if name in framework.ceiling else 'factors'}.{name}"


def _besides(case: Case, framework: Framework, assessment: Assessment) -> Iterator[str]:
    """What can't change the verdict: further answers, what they ask for besides, and signals."""
    for name, state in assessment.states.items():
        if state == "unknown":
            yield _path(framework, name)
    for name in LATER_SHAPES:
        if name.split(".")[1] in framework.factors and _later(case, name):
            yield name
    for name, signal in assessment.signals.items():
        if signal.state == "unknown":
            yield f"signals.{name}"


def _later(case: Case, path: str) -> bool:
    """Whether an answer asks for more: volume that is to come, requirements that change."""
    answer, what = case.factors.get(path.split(".")[1]), path.split(".")[2]
    if answer is None or stands(case, path):
        return False
    if what == "changes":
        return answer.value == "yes"
    return answer.value == "no" and (what == "now" or answer.now == "yes")


def _fields(case: Case, fields: Collection[Field]) -> Iterator[str]:
    for field in fields:
        if field.when(case) and not stands(case, field.id):
            yield field.id


def _options(case: Case, framework: Framework) -> Iterator[str]:
    yield from _fields(case, OPTIONS)
    for number, _ in enumerate(case.attempts, start=1):
        for field in ATTEMPT:
            offered = {"tried": framework.options, "ceiling": framework.ceiling}.get(field.id, True)
            if offered and not stands(case, f"attempts.{number}.{field.id}"):
                yield f"attempts.{number}.{field.id}"
    yield f"attempts.{len(case.attempts) + 1}.{ATTEMPT[0].id}"
    for number, model in enumerate(case.models, start=1):
        for field in MODEL:
            wanted = model.published is None and (field.id != "cases" or model.quality is not None)
            if wanted and not stands(case, f"models.{number}.{field.id}"):
                yield f"models.{number}.{field.id}"
    yield f"models.{len(case.models) + 1}.{MODEL[0].id}"
    yield from _fields(case, DATA)


def _investment(case: Case, framework: Framework) -> Iterator[str]:
    yield from _fields(case, INVESTMENT)
    if framework.safety is not None:
        yield from (path for path in SAFETY if not stands(case, path))
