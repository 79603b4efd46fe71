"""The questions about a case, their order, and the present answer to each."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from pydantic import BaseModel

from tuneworthy.answers.count import questions, verdict_of
from tuneworthy.answers.weigh import weigh, with_own_evidence
from tuneworthy.errors import CaseError
from tuneworthy.framework.failures import FAILURE_CAUSES
from tuneworthy.framework.load import case_fields
from tuneworthy.framework.rules import rules_of
from tuneworthy.model.base import State, States, Unknown, read_place, short_text
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
from tuneworthy.model.dossier import (
    CheckResult,
    Dossier,
    FactorResult,
    QuestionResult,
    Verdict,
)
from tuneworthy.model.framework import ALSO_ASKED, Criterion, Framework
from tuneworthy.model.interview import PARTS, Ask, CaseField, Choice, OpenPart, Part
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.syntax.edit import Keys
from tuneworthy.words import listing

ROOMS = ("ceiling", "factors", "signals")
"""The sections of a case whose questions the framework asks."""
FIRST = {"attempts": "name", "models": "id"}  # what is asked of the next one of a list
_HAVE_DEFAULTS = (
    "prompts",
    "metric",
)  # fields with a value that nobody has to have stated
_PLAIN = CaseField(title="", kind="state")
LEADING_CAUSE = "failures.mostly"
#: The answer that a check is done because the task takes none of it.
NOT_NEEDED = "not_needed"
_SIGNAL_MINUTES = 3  # our own number, because a framework gives signals no minutes


def asked_by(framework: Framework) -> dict[str, Mapping[str, Criterion]]:
    return {room: getattr(framework, room) for room in ROOMS}


class AmbiguousNameError(CaseError):
    """A name that reports give to more than one question."""

    def __init__(self, name: str, ways: Mapping[str, str]) -> None:
        self.name = name
        #: The path of each, with its question.
        self.ways = ways
        paths = list(ways)
        super().__init__(
            f'"{short_text(name)}" may be {listing(paths, "or")}',
            fix=f"write one of them, as {paths[0]}=yes",
        )


def _comparable_name(name: str) -> str:
    """A name or a title in small letters and one spelling, so that equal ones can be compared."""
    return name.casefold().replace("_", " ").replace("optimis", "optimiz")


def answer_path(
    name: str, framework: Framework, *, by_id: bool = False
) -> tuple[str, ...]:
    """The places in a case that a name means: its path, its id, or its title in reports.

    With ``by_id``, an id means its own question, even if reports use it as another's title.

    Raises:
        AmbiguousNameError: If the name is the title of more than one question.
        CaseError: If no question has that name.
    """
    if "." in name or name in Case.model_fields:
        return tuple(name.split("."))
    called = _comparable_name(name)
    ways = {
        f"{room}.{key}": framework.filled(ask.ask, ask)
        for room, asks in asked_by(framework).items()
        for key, ask in asks.items()
        if called in (_comparable_name(key), _comparable_name(ask.title))
    }
    if by_id:
        own = {path: ask for path, ask in ways.items() if path.endswith(f".{name}")}
        if own:
            ways = own
    if len(ways) > 1:
        raise AmbiguousNameError(name, ways)
    if ways:
        (path,) = ways
        return tuple(path.split("."))
    if name in ALSO_ASKED:
        return ("factors", name)
    keys = [key for asks in asked_by(framework).values() for key in asks]
    guess = did_you_mean(name, [*keys, *_asked_fields()])
    raise CaseError(
        f'"{short_text(name)}" is nothing the {framework.name} framework asks',
        fix=guess,
    )


def _asked_fields() -> list[str]:
    """Paths of the fields that every framework asks; in lists, those of a first attempt and model."""
    lists = [f"{room}.1.{name}" for room, name in FIRST.items()]
    paths = []
    for path, field in case_fields().items():
        room, _, _ = path.partition(".")
        if field.is_asked and room not in FIRST:
            paths.append(path)
    return paths + lists


def value_at(case: Case, path: str) -> Any:
    """The value at a dotted path, places in lists counted from 1; None where there is none."""
    here: Any = case
    for step in path.split("."):
        here = _below(here, step)
    return here


def _below(here: Any, step: str) -> Any:
    """The value one step below another; None where there is none."""
    if isinstance(here, tuple):
        place = read_place(step)
        if place is not None and place <= len(here):
            return here[place - 1]
        return None
    if isinstance(here, Mapping):
        return here.get(step)
    if isinstance(here, BaseModel):
        return getattr(here, step, None)
    return None


def keys_of(case: Case, path: str) -> Keys:
    """The keys of a dotted path. Places in lists count from 1 in the path, and from 0 in the keys.

    Raises:
        CaseError: If a place is neither in its list nor the one after its end.
    """
    here: Any = case
    keys = list[str | int]()
    steps = path.split(".")
    for position, step in enumerate(steps):
        if isinstance(here, tuple):
            keys.append(_place(step, len(here), steps[:position], path) - 1)
        elif here is None and step.isdigit():  # the list isn't there yet
            keys.append(_place(step, 0, steps[:position], path) - 1)
        elif isinstance(here, BaseModel) and step not in type(here).model_fields:
            return (
                *keys,
                *steps[position:],
            )  # reading the case names the key that it doesn't know
        else:
            keys.append(step)
        here = _below(here, step)
    return tuple(keys)


def _place(step: str, many: int, above: Sequence[str], path: str) -> int:
    """The place that a step names in a list of ``many``: an existing one or the next one."""
    place = read_place(step)
    if place is not None and place <= many + 1:
        return place
    has = f"which has {many}" if many else "which is empty"
    if many > 1:
        places = f"1 to {many}, or {many + 1} to add one"
    else:
        places = "1, or 2 to add one"
    fix = f"places count from 1: write {places if many else '1 for the first'}"
    raise CaseError(
        f'"{short_text(step)}" is not a place in {".".join(above)}, {has}',
        where=path,
        fix=fix,
    )


def is_stated(case: Case, path: str) -> bool:
    """Whether the case states a value at a path; "unknown" isn't one."""
    above, _, last = path.rpartition(".")
    if above and last in _HAVE_DEFAULTS:
        parent = value_at(case, above)
        has_defaults = isinstance(parent, Attempt | QualityTarget)
        if has_defaults and last not in parent.model_fields_set:
            return False  # the value is a default that nobody stated
    return shown_value(value_at(case, path)) != ""


def shown_value(value: Any) -> str:
    """A value as it could be typed again; empty for an unknown or empty one."""
    match value:
        case None | "unknown" | Holding(count=None):
            return ""
        case CheckAnswer(needed="no"):
            return NOT_NEEDED
        case CheckAnswer(count=int(count)) | Holding(count=int(count)):
            return str(count)
        case FactorAnswer(value=state) | CheckAnswer(value=state):
            return shown_value(state)
        case AmountOf(low=low, likely=likely, high=high):
            return _shown_amount(low, likely, high)
        case TokenPrice():
            return f"{plain_number(value.input)}, {plain_number(value.output)}"
        case tuple():
            return ", ".join(
                str(getattr(p, "id", getattr(p, "name", p))) for p in value
            )
        case Mapping():  # the checks of an attempt
            done = ", ".join(
                name for name, answer in value.items() if answer.value == "yes"
            )
            return done or ("none" if value else "")
        case BaseModel():  # a record that is answered whole, as a signature
            stated = value.model_dump(mode="json", exclude_defaults=True)
            fields = [
                f"{name}: {_quote_for_yaml(part)}" for name, part in stated.items()
            ]
            return f"{{{', '.join(fields)}}}"
    return plain_number(value) if isinstance(value, float) else str(value)


def _shown_amount(low: float, likely: float, high: float) -> str:
    """A range as it could be typed again. Its middle is left out where reading it assumes the same."""
    if low == high:
        return plain_number(likely)
    ends = [low, high]
    if likely != (low + high) / 2:
        ends = [low, likely, high]
    return " to ".join(map(plain_number, ends))


def _quote_for_yaml(value: Any) -> str:
    """A value on one line, quoted where YAML would read another value."""
    text = str(value)
    if _UNQUOTED.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


_UNQUOTED = re.compile(r"[\w. -]+")


def plain_number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{value:.0f}"
    return repr(value)


def ask_of(case: Case, framework: Framework, ask_id: str) -> Ask:
    """A question by its id. It needn't be open, so that one can go back to it."""
    path = ".".join(answer_path(ask_id, framework))
    field = _field(case, framework, path)
    if field is None:
        names = [name for asks in asked_by(framework).values() for name in asks]
        guess = did_you_mean(ask_id, [*names, *_asked_fields()])
        raise CaseError(f'"{ask_id[:80]}" is nothing that is asked', fix=guess)
    return Ask(
        id=path,
        part=field.part or "investment",
        choices=_choices(field, framework),
        value=shown_value(value_at(case, path)) if is_stated(case, path) else "",
        kind=field.kind,
        share=field.share,
        title=field.title,
        question=field.question,
        example=field.example,
        why=field.why,
        minutes=field.minutes,
    )


def _field(case: Case, framework: Framework, path: str) -> CaseField | None:
    """The field that a path leads to; None where nothing is asked there."""
    room, *rest = path.split(".")
    if room in ROOMS and len(rest) == 1:
        criterion = asked_by(framework)[room].get(rest[0])
        own = case_fields().get(path, _PLAIN)
        if criterion is None:
            return None
        return _framework_field(framework, criterion, own)
    if room in FIRST:
        return _listed_field(case, room, rest)
    field = case_fields().get(path)
    if room == "safety" and field is not None and framework.safety is not None:
        return field.model_copy(update={"question": getattr(framework.safety, rest[0])})
    if field is not None and field.is_asked and room != "safety":
        return field
    return None


def _framework_field(
    framework: Framework, criterion: Criterion, own: CaseField
) -> CaseField:
    """The field of an answer to the framework, in the words of the framework."""
    means = getattr(criterion, "means", "")
    reasons = [criterion.why] if criterion.why else []
    if means:
        reasons.append(f"Yes means: {means}")
    why = " ".join(reasons)
    return CaseField(
        part="evaluate",
        kind=own.kind if getattr(criterion, "at_least", None) is None else "count",
        choices=own.choices,
        title=criterion.title,
        question=framework.filled(criterion.ask, criterion),
        example=framework.filled(criterion.example, criterion),
        why=framework.filled(why, criterion),
        minutes=getattr(criterion, "minutes", _SIGNAL_MINUTES),
    )


def _listed_field(case: Case, room: str, rest: list[str]) -> CaseField | None:
    """A field of an attempt or a model; for the one after the last, only the first field."""
    if len(rest) != 2:
        return None
    place, name = rest
    many = len(getattr(case, room))
    number = _place(place, many, [room], ".".join([room, *rest]))
    field = case_fields().get(f"{room}.{name}")
    first = FIRST[room]
    is_there = number <= many or name == first
    if not is_there or field is None or not field.is_asked:
        return None
    called = shown_value(value_at(case, f"{room}.{place}.{first}")) or place
    question = field.question.replace("{n}", place).replace("{name}", called)
    return field.model_copy(update={"question": question})


def _choices(field: CaseField, framework: Framework) -> tuple[Choice, ...]:
    """The choices of a field; a name stands for a list that the framework or the case has."""
    if field.choices == "goals":
        return tuple(
            Choice(name, goal.title, goal.need)
            for name, goal in framework.goals.items()
        )
    titles = field.choices
    if titles == "checks":
        titles = {name: check.title for name, check in framework.ceiling.items()}
    elif titles == "causes":
        titles = {name: cause.title for name, cause in framework.causes.items()}
    elif titles == "options":
        # options that may have been tried; keeping the prompt is no attempt
        titles = {
            name: option.title
            for name, option in framework.options.items()
            if name != "keep_prompt"
        }
    return tuple(Choice(name, title) for name, title in titles.items())


def next_ask(
    case: Case,
    framework: Framework,
    ask_id: str = "",
    *,
    passed: Collection[str] = (),
    part: Part | None = None,
    worth: Sequence[QuestionResult] = (),
) -> Ask | None:
    """The next open question that wasn't passed, or the one with an id, answered or not.

    Without a part it is the framework's own round: the goals, every check and every factor, in the
    order of their value: by ``worth`` as the case was judged, in dollars where the money is known.
    None where all of the round is answered or passed.
    """
    asked_round = _ask_round(case, framework, part)
    order = _most_worth_first(asked_round.opened, worth)
    waiting = [name for name in order if name not in passed]
    if ask_id:
        path = ask_of(case, framework, ask_id).id
    elif waiting:
        path = waiting[0]
    else:
        return None
    _, _, factor = path.partition(".")
    worth_usd = 0.0
    for question in worth:
        if question.factor == factor and not isinstance(question.worth_usd, Unknown):
            worth_usd = question.worth_usd
    left = len({path, *waiting})
    return replace(
        ask_of(case, framework, path),
        gain_bits=asked_round.opened.get(path),
        worth_usd=worth_usd,
        left=left,
        of=max(asked_round.of, left),
    )


def _most_worth_first(
    opened: Iterable[str], worth: Sequence[QuestionResult]
) -> list[str]:
    """Sort ids: the goals, then those in the order of their worth, then the rest in their order."""
    paths = list(opened)
    order = [path for path in paths if path == "goals"]
    for question in worth:
        for path in paths:
            _, _, factor = path.partition(".")
            if factor == question.factor:
                order.append(path)
    return list(dict.fromkeys(order + paths))


def offers(
    case: Case, framework: Framework, *, passed: Collection[str] = ()
) -> tuple[OpenPart, ...]:
    """The parts with questions that are still worth asking; () without any."""
    waiting = {
        part: set(part_asks(case, framework, part)) - {*passed} for part in PARTS
    }
    return tuple(OpenPart(part, len(names)) for part, names in waiting.items() if names)


def part_asks(
    case: Case, framework: Framework, part: Part | None = None
) -> tuple[str, ...]:
    """Ids of the open questions of a part, in the order of asking, to pass the part as a whole."""
    return tuple(_ask_round(case, framework, part).opened)


def levers(case: Case, framework: Framework) -> tuple[Ask, ...]:
    """The questions about amounts that have a lever on the page, where the case allows a change."""
    return tuple(
        ask_of(case, framework, path)
        for path, field in case_fields().items()
        if field.lever is not None and _is_wanted(case, field, path)
    )


class IfDone(NamedTuple):
    """The verdict that a case would have if its missing checks were done."""

    missing: tuple[str, ...]  #: Titles of those checks.
    #: Titles of the open answers it would depend on, the best first.
    depends: tuple[str, ...]
    outcome: Verdict  #: The outcome that the count would reach.


def if_done(dossier: Dossier, framework: Framework) -> IfDone | None:
    """The effect of doing the missing checks; None where none is missing."""
    results: dict[str, CheckResult | FactorResult]
    results = {**dossier.ceiling.checks, **dossier.factors}
    missing = [
        name for name, check in dossier.ceiling.checks.items() if check.state == "no"
    ]
    if not missing:
        return None
    states = {name: result.state for name, result in results.items()}
    for name in missing:
        states[name] = _YES
    rules = rules_of(framework)
    depends = tuple(
        results[q.factor].title for q in questions(states, framework, rules)
    )
    titles = tuple(results[name].title for name in missing)
    return IfDone(titles, depends, verdict_of(rules, states))


_YES: State = "yes"


def worth_asking(states: States, framework: Framework) -> dict[str, float | None]:
    """Open answers in the order of their value, each with the doubt in bits that it removes today.

    First those that can change the count today, then those that could after the missing checks,
    then the rest in the framework's order.
    """
    rules = rules_of(framework)
    order: dict[str, float | None] = {
        question.factor: question.gain_bits
        for question in questions(states, framework, rules)
    }
    if not order:  # nothing changes the count today
        done = dict(states)
        for name, state in states.items():
            if state == "no" and name in framework.ceiling:
                done[name] = _YES
        for question in questions(done, framework, rules):
            order[question.factor] = None
    for name, state in states.items():
        if state == "unknown":
            # a question that is in the order already keeps its place
            order.setdefault(name, None)
    return order


class _AskRound(NamedTuple):
    """The questions of one round of an interview."""

    #: Ids of what is open, in the order of asking, with the doubt in bits that each removes.
    opened: dict[str, float | None]
    of: int  #: How many questions the round has, the answered ones too.


def _ask_round(case: Case, framework: Framework, part: Part | None) -> _AskRound:
    """The questions of a part; those of the framework's own round without a part."""
    filled, ledger = with_own_evidence(case)
    fields = [
        path
        for path, field in _fields(case, framework, part or "evaluate")
        if _is_wanted(case, field, path)
    ]
    if LEADING_CAUSE in fields and _failures_are_counted(case):
        fields.remove(LEADING_CAUSE)
    # a log may have answered what the file leaves open
    opened = [path for path in fields if not is_stated(filled, path)]
    if part in ("options", "investment"):
        return _AskRound(dict.fromkeys(opened), len(fields))
    weighed = weigh(filled, framework, ledger=ledger)
    paths = {name: _path_of(name, framework) for name in weighed.states}
    asks_goals = "goals" in fields and bool(framework.goals)
    order: dict[str, float | None] = {}
    if asks_goals and "goals" in opened:
        order["goals"] = None
    for name, gain in worth_asking(weighed.states, framework).items():
        order[paths[name]] = gain
    if part is None:
        return _AskRound(order, len({*paths, "goals"} if asks_goals else paths))
    further = [path for path in opened if path != "goals"]
    further += [
        f"signals.{name}"
        for name, sign in weighed.signals.items()
        if sign.state == "unknown"
    ]
    order |= dict.fromkeys(further)
    every = {*paths.values(), *fields}
    if not asks_goals:
        every.discard("goals")
    return _AskRound(order, len(every) + len(weighed.signals))


def _path_of(name: str, framework: Framework) -> str:
    """The path of the answer to a check or a factor."""
    room = "ceiling" if name in framework.ceiling else "factors"
    return f"{room}.{name}"


def _failures_are_counted(case: Case) -> bool:
    """Whether somebody counted the causes of failures, which shows the leading cause better."""
    if case.failures is not None and case.failures.counts:
        return True
    _, ledger = with_own_evidence(case)
    return FAILURE_CAUSES in ledger


def _fields(
    case: Case, framework: Framework, part: Part
) -> Iterator[tuple[str, CaseField]]:
    """The fields of a part by their question's id, in the order of asking."""
    paths = [path for path, field in case_fields().items() if field.part == part]
    # a room may come twice with others between; its questions are asked together
    for room, group in groupby(paths, key=_room_of):
        fields = [(path, case_fields()[path]) for path in group]
        if room in FIRST:
            yield from _listed_fields(case, framework, room, fields)
        elif room == "factors":
            for path, field in fields:
                _, name, *_ = path.split(".")
                if name in framework.factors:
                    yield path, field
        elif room == "failures" and not framework.causes:
            continue
        elif room != "safety" or framework.safety is not None:
            yield from fields


def _room_of(path: str) -> str:
    room, _, _ = path.partition(".")
    return room


def _listed_fields(
    case: Case, framework: Framework, room: str, fields: Sequence[tuple[str, CaseField]]
) -> Iterator[tuple[str, CaseField]]:
    """Some fields of each attempt or model, and one that adds another attempt or model."""
    many = len(getattr(case, room))
    for number in range(1, many + 1):
        for path, field in fields:
            if field.choices == {} or _choices(field, framework):
                yield path.replace(".", f".{number}.", 1), field
    _, first_field = fields[0]
    yield f"{room}.{many + 1}.{FIRST[room]}", first_field


def _is_wanted(case: Case, field: CaseField, path: str) -> bool:
    room, *rest = path.split(".")
    conditions = list(field.when)
    if room in FIRST:  # they speak of the same attempt, or the same model
        own = f"{room}.{rest[0]}."
        conditions = [text.replace(f"{room}.", own) for text in conditions]
    return all(_holds_somehow(case, text) for text in conditions)


def _holds_somehow(case: Case, conditions: str) -> bool:
    """Whether one of several conditions holds; they are joined by *or*."""
    return any(_holds(case, condition) for condition in conditions.split(" or "))


def _holds(case: Case, condition: str) -> bool:
    """Whether a case has ``path``, or ``path = value, value``; ``not`` inverts it."""
    path, _, values = condition.removeprefix("not ").partition(" = ")
    value = value_at(case, path)
    holds = value not in (None, (), {})
    if values:
        holds = not {*values.split(", ")}.isdisjoint(shown_value(value).split(", "))
    return holds != condition.startswith("not ")
