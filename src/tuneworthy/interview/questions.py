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
    Assessment,
    CheckResult,
    Dossier,
    FactorResult,
    QuestionResult,
    Verdict,
)
from tuneworthy.model.framework import Criterion, Framework
from tuneworthy.model.interview import PARTS, Ask, CaseField, Choice, OpenPart, Part
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.syntax.edit import Keys
from tuneworthy.words import listing

ROOMS = ("ceiling", "factors", "signals")
"""The sections of a case whose questions the framework asks."""
FIRST = {"attempts": "name", "models": "id"}  # what is asked of the next one of a list
_HAVE_DEFAULTS = ("prompts", "metric")
"""Fields with a value that nobody has to have stated."""
_PLAIN = CaseField(title="", kind="state")
LEADING_CAUSE = "failures.mostly"
#: The answer that a check is done because the task takes none of it.
NOT_NEEDED = "not_needed"
_SIGNAL_MINUTES = 3  # our own number, because a framework gives signals no minutes


def asked_by(framework: Framework) -> dict[str, Mapping[str, Criterion]]:
    """The questions of the framework, by the room of a case that answers them."""
    return {room: getattr(framework, room) for room in ROOMS}


def _comparable_name(name: str) -> str:
    """A name or a title in small letters and one spelling, so that equal ones can be compared."""
    return name.casefold().replace("_", " ").replace("optimis", "optimiz")


def answer_path(
    name: str, framework: Framework, *, by_id: bool = False
) -> tuple[str, ...]:
    """The places in a case that a name means: its path, its id, or its title in reports.

    With ``by_id``, an id means its own question, even if reports use it as another's title.

    Raises:
        CaseError: If no question has that name, or more than one.
    """
    if "." in name or name in Case.model_fields:
        return tuple(name.split("."))
    asked = _questions_called(name, framework)
    if by_id:
        own = {path: ask for path, ask in asked.items() if path.endswith(f".{name}")}
        if own:
            asked = own
    if len(asked) > 1:
        paths = list(asked)
        raise CaseError(
            f'"{short_text(name)}" may be {listing(paths, "or")}',
            fix=f"write one of them, as {paths[0]}=yes",
        )
    if asked:
        (path,) = asked
        return tuple(path.split("."))
    raise CaseError(
        f'"{short_text(name)}" is nothing the {framework.name} framework asks',
        fix=_guess_name(name, framework),
    )


def _questions_called(name: str, framework: Framework) -> dict[str, str]:
    """The questions of the framework with this id or title, by their paths."""
    called = _comparable_name(name)
    asked = {}
    for room, asks in asked_by(framework).items():
        for key, ask in asks.items():
            if called in (_comparable_name(key), _comparable_name(ask.title)):
                asked[f"{room}.{key}"] = framework.filled(ask.ask, ask)
    return asked


def _guess_name(name: str, framework: Framework) -> str:
    """The name of a question or a field that was likely meant, as a fix."""
    names = list[str]()
    for asks in asked_by(framework).values():
        names += asks
    return did_you_mean(name, [*names, *_asked_fields()])


def _asked_fields() -> list[str]:
    """Paths of the fields that every framework asks; in lists, those of a first attempt and model."""
    paths = []
    for path, field in case_fields().items():
        room, _, _ = path.partition(".")
        if field.is_asked and room not in FIRST:
            paths.append(path)
    for room, name in FIRST.items():
        paths.append(f"{room}.1.{name}")
    return paths


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
            # reading the case names the key that it doesn't know
            keys += steps[position:]
            break
        else:
            keys.append(step)
        here = _below(here, step)
    return tuple(keys)


def _place(step: str, many: int, above: Sequence[str], path: str) -> int:
    """The place that a step names in a list of ``many``: an existing one or the next one.

    ``above`` are the steps to the list; a wrong place raises a CaseError at ``path``.
    """
    place = read_place(step)
    if place is not None and place <= many + 1:
        return place
    if many == 0:
        has = "which is empty"
        places = "1 for the first"
    elif many == 1:
        has = "which has 1"
        places = "1, or 2 to add one"
    else:
        has = f"which has {many}"
        places = f"1 to {many}, or {many + 1} to add one"
    raise CaseError(
        f'"{short_text(step)}" is not a place in {".".join(above)}, {has}',
        where=path,
        fix=f"places count from 1: write {places}",
    )


def is_stated(case: Case, path: str) -> bool:
    """Whether the case states a value at a path; "unknown" isn't one."""
    above, _, name = path.rpartition(".")
    if above and name in _HAVE_DEFAULTS:
        parent = value_at(case, above)
        has_defaults = isinstance(parent, Attempt | QualityTarget)
        if has_defaults and name not in parent.model_fields_set:
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
            return ", ".join(_shown_entry(entry) for entry in value)
        case Mapping():
            return _shown_checks(value)
        case BaseModel():
            return _shown_record(value)
    return plain_number(value) if isinstance(value, float) else str(value)


def _shown_entry(entry: Any) -> str:
    """An entry of a list by its name: a model by its id, an attempt by its name, a word as it is."""
    for field in ("id", "name"):
        if hasattr(entry, field):
            return str(getattr(entry, field))
    return str(entry)


def _shown_checks(checks: Mapping[str, Any]) -> str:
    """The checks of an attempt that were done; ``none`` where all that are answered weren't."""
    done = [name for name, answer in checks.items() if answer.value == "yes"]
    if checks and not done:
        return "none"
    return ", ".join(done)


def _shown_record(record: BaseModel) -> str:
    """A record that is answered whole, as a signature: its stated fields in braces."""
    stated = record.model_dump(mode="json", exclude_defaults=True)
    fields = [f"{name}: {_quote_for_yaml(part)}" for name, part in stated.items()]
    return f"{{{', '.join(fields)}}}"


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
    """A number without an exponent or a needless ``.0``, as a file has it."""
    # from there on Python writes an exponent
    if value == int(value) and abs(value) < 1e15:
        return f"{value:.0f}"
    return repr(value)


def ask_of(case: Case, framework: Framework, ask_id: str) -> Ask:
    """A question by its id. It needn't be open, so that one can go back to it."""
    path = ".".join(answer_path(ask_id, framework))
    field = _field(case, framework, path)
    if field is None:
        fix = _guess_name(ask_id, framework)
        raise CaseError(f'"{ask_id[:80]}" is nothing that is asked', fix=fix)
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
    field = case_fields().get(path)
    if room in ROOMS and len(rest) == 1:
        (name,) = rest
        criterion = asked_by(framework)[room].get(name)
        if criterion is None:
            return None
        return _framework_field(framework, criterion, field or _PLAIN)
    if room in FIRST:
        return _listed_field(case, room, rest)
    if field is None:
        return None
    if room == "safety":
        return _safety_field(framework, field, rest)
    return field if field.is_asked else None


def _safety_field(
    framework: Framework, field: CaseField, rest: list[str]
) -> CaseField | None:
    """A field of safety with the framework's question; None where the framework asks none."""
    if framework.safety is None:
        return None
    name, *_ = rest
    return field.model_copy(update={"question": getattr(framework.safety, name)})


def _framework_field(
    framework: Framework, criterion: Criterion, own: CaseField
) -> CaseField:
    """The field of a check, a factor or a signal, with the framework's words.

    ``own`` is the catalogue's field, for the kind of answer and its choices.
    """
    reasons = [criterion.why] if criterion.why else []
    means = getattr(criterion, "means", "")  # a signal has none
    if means:
        reasons.append(f"Yes means: {means}")
    counted = getattr(criterion, "at_least", None) is not None  # a check may count
    return CaseField(
        part="evaluate",
        kind="count" if counted else own.kind,
        choices=own.choices,
        title=criterion.title,
        question=framework.filled(criterion.ask, criterion),
        example=framework.filled(criterion.example, criterion),
        why=framework.filled(" ".join(reasons), criterion),
        minutes=getattr(criterion, "minutes", _SIGNAL_MINUTES),
    )


def _listed_field(case: Case, room: str, rest: list[str]) -> CaseField | None:
    """A field of an attempt or a model; for the one after the last, only the first field.

    ``rest`` are the steps of the path below the room: the place in the list, and the field.
    """
    if len(rest) != 2:
        return None
    place, name = rest
    many = len(getattr(case, room))
    number = _place(place, many, above=[room], path=f"{room}.{place}.{name}")
    field = case_fields().get(f"{room}.{name}")
    first = FIRST[room]
    if field is None or not field.is_asked:
        return None
    if number > many and name != first:
        return None  # a new one is named before anything else is asked of it
    called = shown_value(value_at(case, f"{room}.{place}.{first}")) or place
    question = field.question.replace("{n}", place).replace("{name}", called)
    return field.model_copy(update={"question": question})


def _choices(field: CaseField, framework: Framework) -> tuple[Choice, ...]:
    """The choices of a field; a name stands for a list that the framework has."""
    if field.choices == "goals":
        return tuple(
            Choice(name, goal.title, goal.need)
            for name, goal in framework.goals.items()
        )
    if field.choices == "checks":
        titles = {name: check.title for name, check in framework.ceiling.items()}
    elif field.choices == "causes":
        titles = {name: cause.title for name, cause in framework.causes.items()}
    elif field.choices == "options":  # those that may have been tried
        titles = {name: option.title for name, option in framework.options.items()}
        titles.pop("keep_prompt", None)  # that is no attempt
    else:
        titles = dict(field.choices)
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
    waiting = [path for path in order if path not in passed]
    if ask_id:
        path = ask_of(case, framework, ask_id).id
    elif waiting:
        path, *_ = waiting
    else:
        return None
    left = len(waiting)
    if path not in waiting:  # an answered one that is asked again counts, too
        left += 1
    return replace(
        ask_of(case, framework, path),
        gain_bits=asked_round.opened.get(path),
        worth_usd=_worth_usd(path, worth),
        left=left,
        of=max(asked_round.of, left),
    )


def _worth_usd(path: str, worth: Sequence[QuestionResult]) -> float:
    """The worth of an answer in USD; 0 where it is unknown."""
    _, _, factor = path.partition(".")
    for question in worth:
        if question.factor == factor and not isinstance(question.worth_usd, Unknown):
            return question.worth_usd
    return 0.0


def _most_worth_first(
    opened: Iterable[str], worth: Sequence[QuestionResult]
) -> list[str]:
    """Sort ids: the goals, then those in the order of their worth, then the rest in their order."""
    ranks = {question.factor: rank for rank, question in enumerate(worth)}

    def rank_of(path: str) -> int:
        if path == "goals":
            return -1
        _, _, factor = path.partition(".")
        return ranks.get(factor, len(ranks))

    return sorted(opened, key=rank_of)  # equal ranks keep their order


def offers(
    case: Case, framework: Framework, *, passed: Collection[str] = ()
) -> tuple[OpenPart, ...]:
    """The parts with questions that are still worth asking; () without any."""
    parts = []
    for part in PARTS:
        waiting = set(part_asks(case, framework, part)) - set(passed)
        if waiting:
            parts.append(OpenPart(part, len(waiting)))
    return tuple(parts)


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
    checks = dossier.ceiling.checks
    missing = [name for name, check in checks.items() if check.state == "no"]
    if not missing:
        return None
    results: dict[str, CheckResult | FactorResult] = {**checks, **dossier.factors}
    states: dict[str, State] = {name: each.state for name, each in results.items()}
    for name in missing:  # suppose that they are done
        states[name] = "yes"
    rules = rules_of(framework)
    open_questions = questions(states, framework, rules)
    return IfDone(
        missing=tuple(checks[name].title for name in missing),
        depends=tuple(results[each.factor].title for each in open_questions),
        outcome=verdict_of(rules, states),
    )


def worth_asking(states: States, framework: Framework) -> dict[str, float | None]:
    """Open answers in the order of their value, each with the doubt in bits that it removes today.

    First those that can change the count today, then those that could after the missing checks,
    then the rest in the framework's order.
    """
    rules = rules_of(framework)
    order: dict[str, float | None] = {}
    for question in questions(states, framework, rules):
        order[question.factor] = question.gain_bits
    if not order:  # nothing changes the count today
        done = dict(states)
        for name in framework.ceiling:
            if done[name] == "no":
                done[name] = "yes"
        for question in questions(done, framework, rules):
            order[question.factor] = None
    for name, state in states.items():
        if state == "unknown" and name not in order:
            order[name] = None
    return order


class _AskRound(NamedTuple):
    """The questions of one round of an interview."""

    #: Ids of what is open, in the order of asking, with the doubt in bits that each removes.
    opened: dict[str, float | None]
    of: int  #: How many questions the round has, the answered ones too.


def _ask_round(case: Case, framework: Framework, part: Part | None) -> _AskRound:
    """The questions of a part; those of the framework's own round without a part."""
    filled, ledger = with_own_evidence(case)
    fields = _wanted_fields(case, framework, part or "evaluate")
    # a log may have answered what the file leaves open
    opened = [path for path in fields if not is_stated(filled, path)]
    order: dict[str, float | None] = {}
    if part in ("options", "investment"):
        for path in opened:
            order[path] = None  # no answer there removes doubt about the count
        return _AskRound(order, len(fields))
    assessment = weigh(filled, framework, ledger=ledger)
    own_round = _framework_round(assessment, framework, fields, opened)
    if part is None:
        return own_round
    # the part that evaluates also has the other fields and the signals
    order.update(own_round.opened)
    paths = {_path_of(name, framework) for name in assessment.states}
    many = own_round.of + len(assessment.signals)
    for path in fields:
        if path != "goals" and path not in paths:
            many += 1
    for path in opened:
        if path != "goals":
            order[path] = None
    for name, sign in assessment.signals.items():
        if sign.state == "unknown":
            order[f"signals.{name}"] = None
    return _AskRound(order, many)


def _framework_round(
    assessment: Assessment,
    framework: Framework,
    fields: Sequence[str],
    opened: Sequence[str],
) -> _AskRound:
    """The framework's own round: the goals where they are asked, every check and every factor.

    ``fields`` are the paths that the case wants asked, and ``opened`` those without an answer.
    """
    order: dict[str, float | None] = {}
    many = len(assessment.states)
    if "goals" in fields and framework.goals:
        many += 1
        if "goals" in opened:
            # the first question; its doubt in bits is never computed
            order["goals"] = None
    for name, gain in worth_asking(assessment.states, framework).items():
        order[_path_of(name, framework)] = gain
    return _AskRound(order, many)


def _wanted_fields(case: Case, framework: Framework, part: Part) -> list[str]:
    """Paths of the fields of a part that this case wants asked, in the order of asking."""
    paths = []
    for path, field in _fields(case, framework, part):
        if path == LEADING_CAUSE and _failures_are_counted(case):
            continue  # the count shows it better
        if _is_wanted(case, field, path):
            paths.append(path)
    return paths


def _path_of(name: str, framework: Framework) -> str:
    """The path of the answer to a check or a factor."""
    room = "ceiling" if name in framework.ceiling else "factors"
    return f"{room}.{name}"


def _failures_are_counted(case: Case) -> bool:
    """Whether somebody counted the causes of failures, in the case file or one by one."""
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
            continue  # without causes nothing can be chosen
        elif room == "safety" and framework.safety is None:
            continue
        else:
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
            # a list of choices that the framework leaves empty can't be answered
            if field.choices == {} or _choices(field, framework):
                yield path.replace(".", f".{number}.", 1), field
    name = FIRST[room]
    yield f"{room}.{many + 1}.{name}", case_fields()[f"{room}.{name}"]


def _is_wanted(case: Case, field: CaseField, path: str) -> bool:
    """Whether a case fulfils every condition under which a field is asked."""
    room, *rest = path.split(".")
    conditions = list(field.when)
    if room in FIRST:  # they speak of the same attempt, or the same model
        place, *_ = rest
        own = f"{room}.{place}."
        conditions = [text.replace(f"{room}.", own) for text in conditions]
    return all(_holds_somehow(case, text) for text in conditions)


def _holds_somehow(case: Case, conditions: str) -> bool:
    """Whether one of several conditions holds; they are joined by *or*."""
    return any(_holds(case, condition) for condition in conditions.split(" or "))


def _holds(case: Case, condition: str) -> bool:
    """Whether a case has ``path``, or ``path = value, value``; ``not`` inverts it."""
    path, _, values = condition.removeprefix("not ").partition(" = ")
    value = value_at(case, path)
    if values:
        stated = set(shown_value(value).split(", "))
        holds = not stated.isdisjoint(values.split(", "))
    else:
        holds = value not in (None, (), {})
    if condition.startswith("not "):
        return not holds
    return holds
