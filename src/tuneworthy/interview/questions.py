"""What is asked about a case, in which order, and what the case says to each question now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from tuneworthy.errors import CaseError
from tuneworthy.files.stores import read_latest
from tuneworthy.framework.load import case_fields, field_path
from tuneworthy.framework.rules import compile_rules
from tuneworthy.model.case import (
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
from tuneworthy.model.framework import Check, Criterion, Framework
from tuneworthy.model.interview import PARTS, Ask, CaseField, Choice, OpenPart, Part, Standing
from tuneworthy.model.precedents import ALSO_ASKED
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.rules import questions
from tuneworthy.verdict.weigh import known, weigh, with_evidence

ROOMS = ("ceiling", "factors", "signals")
"""The sections of a case whose questions the framework asks."""
_FIRST = {"attempts": "name", "models": "id"}  # what is asked of the next one of a list
_HAVE_DEFAULTS = ("prompts", "metric")  # fields with a value that nobody has to have stated
_AS_IN_FIELD = ("kind", "share", "title", "question", "example", "why", "minutes")
_MOST_DIGITS = 4
_SIGNAL_MINUTES = 3  # ours; a framework gives signals none


def asked_by(framework: Framework) -> dict[str, Mapping[str, Criterion]]:
    return {room: getattr(framework, room) for room in ROOMS}


def answer_path(name: str, framework: Framework) -> tuple[str, ...]:
    """Where in a case an answer is kept."""
    if "." in name:
        return tuple(name.split("."))
    names = [(room, known) for room, asks in asked_by(framework).items() for known in asks]
    place = next((place for place in names if place[1] == name), None)
    if name in ALSO_ASKED:
        place = place or ("factors", name)
    if place is not None or name in Case.model_fields:
        return place or (name,)
    guess = did_you_mean(name, [known for _, known in names])
    raise CaseError(f'"{name}" is nothing the {framework.name} framework asks', fix=guess)


def value_at(case: Case, path: str) -> Any:
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


def is_stated(case: Case, path: str) -> bool:
    """Whether the case says something at a path; "unknown" says nothing."""
    above, _, last = path.rpartition(".")
    parent = value_at(case, above) if last in _HAVE_DEFAULTS and above else None
    if isinstance(parent, Attempt | QualityTarget) and last not in parent.model_fields_set:
        return False
    return shown_value(value_at(case, path)) != ""


def shown_value(value: Any) -> str:
    """A value as it could be typed again; empty for what is unknown or says nothing."""
    match value:
        case None | "unknown":
            return ""
        case CheckAnswer(count=int(count)) | Holding(count=int(count)):
            return str(count)
        case FactorAnswer(value=state) | CheckAnswer(value=state):
            return shown_value(state)
        case AmountOf(low=low, likely=likely, high=high):
            middle = [] if likely == (low + high) / 2 else [likely]
            return " to ".join(map(plain_number, [likely] if low == high else [low, *middle, high]))
        case Holding():
            return ""
        case TokenPrice():
            return f"{plain_number(value.input)}, {plain_number(value.output)}"
        case tuple():
            return ", ".join(map(str, value))
        case Mapping():  # the checks of an attempt
            done = ", ".join(name for name, answer in value.items() if answer.value == "yes")
            return done or ("none" if value else "")
        case float():
            return plain_number(value)
    return str(value)


def plain_number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(value)


def ask_of(case: Case, framework: Framework, ask_id: str) -> Ask:
    """A question by its id, also one that isn't open; for going back."""
    path = ".".join(answer_path(ask_id, framework))
    field = _field(case, framework, path)
    if field is None:
        raise _not_asked(framework, ask_id)
    return Ask(
        id=path,
        part=field.part or "investment",
        choices=_choices(field, framework),
        value=shown_value(value_at(case, path)) if is_stated(case, path) else "",
        **{name: getattr(field, name) for name in _AS_IN_FIELD},
    )


def require_ask(framework: Framework, ask_id: str, where: str) -> str:
    """The whole path of a question that may come up, in whatever case."""
    with suppress(CaseError):
        path = ".".join(answer_path(ask_id, framework))
        room, place, *rest = [*path.split("."), ""]
        if room not in _FIRST or not place.isdigit():
            return ask_of(Case(name="anything"), framework, path).id
        if len(rest) == 2 and field_path(path) in case_fields():
            return path
    raise _not_asked(framework, ask_id, where)


def _not_asked(framework: Framework, ask_id: str, where: str = "") -> CaseError:
    lists = [f"{room}.1.{name}" for room, name in _FIRST.items()]
    fields = [p for p, f in case_fields().items() if f.is_asked and p.split(".")[0] not in _FIRST]
    names = [name for asks in asked_by(framework).values() for name in asks]
    guess = did_you_mean(ask_id, [*names, *fields, *lists])
    return CaseError(f'"{ask_id[:80]}" is nothing that is asked', where=where, fix=guess)


def _field(case: Case, framework: Framework, path: str) -> CaseField | None:
    room, *rest = path.split(".")
    if room in ROOMS and len(rest) == 1:
        criterion = asked_by(framework)[room].get(rest[0])
        return None if criterion is None else _framework_field(framework, criterion)
    if room in _FIRST:
        return _listed_field(case, room, rest)
    field = case_fields().get(path)
    if room == "safety" and field is not None and framework.safety is not None:
        return field.model_copy(update={"question": getattr(framework.safety, rest[0])})
    return field if field is not None and field.is_asked and room != "safety" else None


def _framework_field(framework: Framework, criterion: Criterion) -> CaseField:
    at_least = criterion.at_least if isinstance(criterion, Check) else None
    means = getattr(criterion, "means", "")
    why = " ".join(text for text in (criterion.why, means and f"Yes means: {means}") if text)
    return CaseField(
        part="evaluate",
        kind="count" if at_least is not None else "state",
        title=criterion.title,
        question=framework.filled(criterion.ask, at_least),
        example=framework.filled(criterion.example, at_least),
        why=framework.filled(why, at_least),
        minutes=getattr(criterion, "minutes", _SIGNAL_MINUTES),
    )


def _listed_field(case: Case, room: str, rest: list[str]) -> CaseField | None:
    """A field of an attempt or a model; of the one after the last, only the first field."""
    if len(rest) != 2:
        return None
    place, name = rest
    number = int(place) if place.isascii() and place.isdigit() and len(place) <= _MOST_DIGITS else 0
    field = case_fields().get(f"{room}.{name}")
    first = _FIRST[room]
    if not 1 <= number <= len(getattr(case, room)) + (name == first):
        return None
    if field is None or not field.is_asked:
        return None
    called = shown_value(value_at(case, f"{room}.{place}.{first}")) or place
    question = field.question.replace("{n}", place).replace("{name}", called)
    return field.model_copy(update={"question": question})


def _choices(field: CaseField, framework: Framework) -> tuple[Choice, ...]:
    if field.choices == "goals":
        return tuple(Choice(name, goal.title, goal.need) for name, goal in framework.goals.items())
    if field.choices == "checks":
        return tuple(Choice(name, check.title) for name, check in framework.ceiling.items())
    if field.choices == "options":  # what may have been tried: keeping the prompt is no attempt
        options = framework.options.items()
        return tuple(Choice(name, o.title) for name, o in options if name != "keep_prompt")
    return tuple(Choice(name, title) for name, title in field.choices.items())


def next_ask(
    case: Case, framework: Framework, *, passed: Collection[str] = (), part: Part | None = None
) -> Ask | None:
    """What to ask next, but for what was passed: what can change the verdict, after the goals.

    With a part, one of the three conversations, the whole of it. None where nothing that is still
    asked can change the verdict, or all of the part is answered or passed.
    """
    opened = _open(case, framework, part)
    waiting = [name for name in opened if name not in passed]
    if not waiting:
        return None
    ask = ask_of(case, framework, waiting[0])
    return replace(ask, gain_bits=opened[waiting[0]], left=len(waiting))


def asked_again(
    case: Case,
    framework: Framework,
    ask_id: str,
    *,
    passed: Collection[str] = (),
    part: Part | None = None,
) -> Ask:
    """A question by its id, answered or not, with what ``next_ask`` says of its round."""
    ask, opened = ask_of(case, framework, ask_id), _open(case, framework, part)
    waiting = {ask.id, *(name for name in opened if name not in passed)}
    return replace(ask, gain_bits=opened.get(ask.id), left=len(waiting))


def offers(
    case: Case, framework: Framework, *, passed: Collection[str] = ()
) -> tuple[OpenPart, ...]:
    """The parts in which something is still worth knowing; empty when nothing is."""
    waiting = {part: [n for n in _open(case, framework, part) if n not in passed] for part in PARTS}
    return tuple(
        OpenPart(part, len(names), sum(ask_of(case, framework, name).minutes for name in names))
        for part, names in waiting.items()
        if names
    )


def part_asks(case: Case, framework: Framework, part: Part | None = None) -> tuple[str, ...]:
    """Ids of all that is open in a part, in the order of asking; for passing it as a whole."""
    return tuple(_open(case, framework, part))


def every_ask(case: Case, framework: Framework) -> Iterator[str]:
    """Ids of all that may be asked of this case, whether it is answered or not."""
    for room, asks in asked_by(framework).items():
        yield from (f"{room}.{name}" for name in asks)
    for part in PARTS:
        yield from (path for path, _ in _fields(case, framework, part))


def levers(case: Case, framework: Framework) -> tuple[Ask, ...]:
    """The questions about amounts that the page can move, where the case leaves room for them."""
    return tuple(
        ask_of(case, framework, path)
        for path, field in case_fields().items()
        if field.lever is not None and _is_wanted(case, field, path)
    )


def is_answered(case: Case, framework: Framework, ask_id: str) -> bool:
    """Whether a question has an answer: a stated one, or one that a number or measurement gives."""
    path = ".".join(answer_path(ask_id, framework))
    room, _, name = path.partition(".")
    if is_stated(case, path):
        return True
    return room in ROOMS and _weighed(case, framework).state(name) != "unknown"


def standing(dossier: Dossier) -> Standing:
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
    opened = [
        path
        for path, field in _fields(case, framework, part or "evaluate")
        if not is_stated(case, path) and _is_wanted(case, field, path)
    ]
    if part in ("options", "investment"):
        return dict.fromkeys(opened)
    assessment = _weighed(case, framework)
    states, signals = assessment.states, assessment.signals
    paths = {n: f"{'ceiling' if n in framework.ceiling else 'factors'}.{n}" for n in states}
    goals = [path for path in opened if path == "goals" and framework.goals]
    order: dict[str, float | None] = dict.fromkeys(goals)
    for question in questions(states, framework, compile_rules(framework)):
        order[paths[question.factor]] = question.gain_bits
    if part is not None:  # also what can't change the verdict
        further = [paths[name] for name, state in states.items() if state == "unknown"]
        further += [path for path in opened if path != "goals"]
        further += [f"signals.{n}" for n, signal in signals.items() if signal.state == "unknown"]
        for path in further:
            order.setdefault(path, None)
    return order


def _weighed(case: Case, framework: Framework) -> Assessment:
    """Every answer as it counts: with what was measured, and what stated numbers give."""
    ledger = known(read_latest(case)[0])
    filled, _ = with_evidence(case, ledger)
    return weigh(filled, framework, ledger=ledger)


def _fields(case: Case, framework: Framework, part: Part) -> Iterator[tuple[str, CaseField]]:
    """The fields of a part by the ids of their questions, in the order of asking."""
    paths = [path for path, field in case_fields().items() if field.part == part]
    for room, group in groupby(paths, lambda path: path.partition(".")[0]):
        fields = [(path, case_fields()[path]) for path in group]
        if room in _FIRST:
            many = len(getattr(case, room))
            for number in range(1, many + 1):
                for path, field in fields:
                    if field.choices == {} or _choices(field, framework):
                        yield path.replace(".", f".{number}.", 1), field
            yield f"{room}.{many + 1}.{_FIRST[room]}", fields[0][1]
        elif room == "factors":
            yield from (f for f in fields if f[0].split(".")[1] in framework.factors)
        elif room != "safety" or framework.safety is not None:
            yield from fields


def _is_wanted(case: Case, field: CaseField, path: str) -> bool:
    room, *rest = path.split(".")
    conditions = field.when
    if room in _FIRST:
        conditions = tuple(c.replace(f"{room}.", f"{room}.{rest[0]}.") for c in conditions)
    return all(any(_holds(case, way) for way in text.split(" or ")) for text in conditions)


def _holds(case: Case, condition: str) -> bool:
    path, _, values = condition.removeprefix("not ").partition(" = ")
    value = value_at(case, path)
    if values:
        holds = bool({*values.split(", ")} & {*shown_value(value).split(", ")})
    else:
        holds = value not in (None, (), {})
    return holds != condition.startswith("not ")
