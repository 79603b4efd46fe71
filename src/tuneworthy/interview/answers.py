"""Typed answers: parsed, written into the case file, and compared with the other answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.assistant import (
    changed_values,
    confirm_answers,
    keep_assistant_answers,
    unconfirmed,
)
from tuneworthy.files.case import (
    case_from_text,
    case_path,
    missing_entries,
    rewrite,
    text_digest,
    write_answers,
)
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.framework.load import case_fields
from tuneworthy.interview.questions import (
    FIRST,
    NOT_NEEDED,
    ROOMS,
    answer_path,
    ask_of,
    is_stated,
    keys_of,
    next_ask,
    plain_number,
    shown_value,
    value_at,
)
from tuneworthy.model.base import (
    NO_WORDS,
    UNKNOWN_WORDS,
    YES_WORDS,
    is_whole_number,
    short_text,
)
from tuneworthy.model.case import (
    Case,
    CaseOrigin,
    CheckAnswer,
    FactorAnswer,
    Holding,
    overlaps,
)
from tuneworthy.model.dossier import ChallengeResult, Dossier
from tuneworthy.model.framework import Framework, to_goal
from tuneworthy.model.interview import (
    AnswerChange,
    AnswerResult,
    Ask,
    AskKind,
    Conflict,
    GrowthDoubt,
    Part,
)
from tuneworthy.syntax.document import did_you_mean, parse
from tuneworthy.syntax.edit import Keys, Value, WholeValue, edit

_MOST_CHARACTERS = 4_000
_GROWTH = "economics.traffic.growth_per_month"
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+"
_ONE = re.compile(rf"\$?\s*(?P<number>{_NUMBER})\s*(?P<unit>%|[kKmM])?", re.ASCII)
_BETWEEN = re.compile(r"\s*(?:\bto\b|\.\.|–|/)\s*|(?<=[\d%kKmM])\s*-\s*")
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "%": 0.01}

Places = dict[Keys, Value]  #: Paths in the case file to what is written there.
Judge = Callable[[Case, Framework], Dossier]


def _not_an_answer(ask: Ask, text: str, fix: str) -> CaseError:
    return CaseError(
        f'"{short_text(text)}" is not an answer to this', where=ask.id, fix=fix
    )


def _state(ask: Ask, text: str) -> str:
    """Read yes or no; unknown was read before."""
    word = text.casefold()
    if word in YES_WORDS:
        return "yes"
    if word in NO_WORDS:
        return "no"
    raise _not_an_answer(ask, text, "answer yes, no or unknown")


def _count(ask: Ask, text: str) -> str:
    """Read a count as the file shall have it; a check of the ceiling also takes yes and no."""
    digits = text.replace(",", "")
    if is_whole_number(digits) and not digits.startswith("-"):
        # digits stay as they are typed: no limit and no rounding of a float applies to them
        return WholeValue(digits.strip().lstrip("+"))
    is_check = ask.id.startswith("ceiling.")
    if not is_check:
        return _read_whole_number(ask, text)  # it may have a unit, as 20k
    if text.casefold() not in YES_WORDS | NO_WORDS:
        raise _not_an_answer(ask, text, "answer with a number, yes, no or unknown")
    return _state(ask, text)


def _read_number(ask: Ask, text: str) -> float:
    """Read one number with its unit, such as 20k or 90%."""
    fix = "write a plain number, as 1500 or 20k"
    if ask.share:
        fix = "write a number, as 0.9 or 90%"
    match = _ONE.fullmatch(text.strip())
    if match is None:
        raise _not_an_answer(ask, text, fix)
    number = float(match["number"].replace(",", ""))
    unit = (match["unit"] or "").casefold()
    if unit == "%" and not ask.share:
        raise _not_an_answer(ask, text, fix)
    number *= _TIMES[unit]
    if abs(number) > 1e15:
        raise _not_an_answer(ask, text, "write a smaller number: nobody has that many")
    return round(number, 12)  # 7% is 0.07, not what multiplying leaves behind


def _read_whole_number(ask: Ask, text: str) -> WholeValue:
    return WholeValue(plain_number(_read_number(ask, text)))


def _read_numbers(ask: Ask, text: str) -> list[float]:
    """Read a number, the two ends of a range, or three numbers with the likeliest in the middle."""
    parts = [text] if _ONE.fullmatch(text.strip()) else _BETWEEN.split(text.strip())
    if len(parts) > 3:
        raise _not_an_answer(ask, text, "write a number, or a range as 800-2000")
    return [_read_number(ask, part) for part in parts]


def growth_doubt(ask: Ask, text: str) -> GrowthDoubt | None:
    """The question to ask where a growth was probably meant in percent; None where it is clear.

    "5" would be 500% a month. An answer with a percent sign isn't questioned.
    """
    if ask.id != _GROWTH or "%" in text:
        return None
    try:
        numbers = _read_numbers(ask, text)
    except CaseError:
        return None  # a wrong value is refused when it is written
    if all(abs(number) <= 1 for number in numbers):
        return None
    likely = " to ".join(f"{plain_number(number)}%" for number in numbers)
    in_percent = [round(number * 100, 6) for number in numbers]
    typed = " to ".join(f"{plain_number(number)}%" for number in in_percent)
    says = f"{short_text(text.strip())} means {typed} a month. Did you mean {likely}?"
    return GrowthDoubt(says, likely, typed)


def _amount(ask: Ask, text: str) -> Value:
    """Read an amount: one number, low and high, or low, likely and high."""
    numbers = _read_numbers(ask, text)
    if sorted(numbers) != numbers:
        raise _not_an_answer(ask, text, "write the smaller number first, as 800-2000")
    if len(numbers) == 1:
        (number,) = numbers
        return WholeValue(plain_number(number))
    if len(numbers) == 2:
        low, high = numbers
        likely = round((low + high) / 2, 12)  # without what dividing leaves behind
    else:
        low, likely, high = numbers
    return {
        "low": plain_number(low),
        "likely": plain_number(likely),
        "high": plain_number(high),
    }


def _price(ask: Ask, text: str) -> Value:
    """Read a price: two numbers, for input and output."""
    parts = [part for part in re.split(r"\s*[;/]\s*|,\s+|\s+", text) if part]
    if len(parts) != 2:
        raise _not_an_answer(ask, text, "write two numbers, as 2.50, 10")
    usd_input, usd_output = parts
    return {
        "input": _read_whole_number(ask, usd_input),
        "output": _read_whole_number(ask, usd_output),
    }


def _split_by_comma(text: str) -> tuple[str, ...]:
    """The parts of a text between commas, each once."""
    parts = list[str]()
    for part in text.split(","):
        plain = part.strip()
        if plain and plain not in parts:
            parts.append(plain)
    return tuple(parts)


def _choices(ask: Ask, text: str) -> tuple[str, ...]:
    """Read several choices; one may be named twice, as by its number and its title."""
    chosen = list[str]()
    for part in _split_by_comma(text):
        choice = _choice(ask, part)
        if choice not in chosen:
            chosen.append(choice)
    return tuple(chosen)


def _choice(ask: Ask, text: str) -> WholeValue:
    """Read a choice by its number, its id or its title; a goal also as people word it."""
    ids = [choice.id for choice in ask.choices]
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(ids):
        return WholeValue(ids[int(text) - 1])
    word = text.casefold()
    if word in YES_WORDS:
        word = "yes"
    elif word in NO_WORDS:
        word = "no"
    for choice in ask.choices:
        if word in (choice.id, choice.title.casefold(), choice.id.replace("_", " ")):
            return WholeValue(choice.id)
    if ask.id == "goals":
        with suppress(PydanticCustomError):
            goal = str(to_goal(text))
            if goal in ids:
                return WholeValue(goal)
    fix = did_you_mean(text, ids) or "there is nothing to choose here"
    raise _not_an_answer(ask, text, fix)


_PARSERS: dict[AskKind, Callable[[Ask, str], Value]] = {
    "state": _state,
    "count": _count,
    "number": _read_whole_number,
    "amount": _amount,
    "choice": _choice,
    "choices": _choices,
    "text": lambda _, text: WholeValue(text),
}  #: A typed answer as a value for the file, by the kind of its question.


def places_of(case: Case, ask: Ask, text: str) -> Places:
    """The places in the case file that an answer changes, with their new values; {} for no change."""
    plain = text.strip()
    _refuse_unprintable(ask, plain)
    if plain.casefold() in UNKNOWN_WORDS:
        return _taken_back(case, ask) if is_stated(case, ask.id) else {}
    if not plain:
        raise CaseError("is empty", where=ask.id, fix="answer, or say unknown")
    keys = keys_of(case, ask.id)
    section = keys[0]
    name = keys[-1]
    if (section, name) == ("attempts", "ceiling"):
        return _checks_of_attempt(keys, ask, plain)
    if (section, name) in (("data", "traces"), ("attempts", "models")):
        return {keys: _split_by_comma(plain)}
    if (section, name) == ("models", "usd_per_mtok"):
        return {keys: _price(ask, plain)}
    value = _PARSERS[ask.kind](ask, plain)
    if section in ROOMS:
        return _answer(case, ask, str(value))
    if ask.kind == "count":
        return _set_count(case, ask, str(value))
    return {keys: value}


def _checks_of_attempt(keys: Keys, ask: Ask, text: str) -> Places:
    """Answer every check of an attempt: yes to those that the text names, and no to the others."""
    done: tuple[str, ...] = ()
    if text.casefold() != "none":
        done = _choices(ask, text)
    places: Places = {}
    for choice in ask.choices:
        places[*keys, choice.id] = "yes" if choice.id in done else "no"
    return places


def _refuse_unprintable(ask: Ask, text: str) -> None:
    """Refuse an answer that is too long, or that a terminal might act on."""
    if len(text) > _MOST_CHARACTERS:
        fix = f"keep it under {_MOST_CHARACTERS} characters"
        raise CaseError("is too long", where=ask.id, fix=fix)
    if not text.isprintable():
        what = "holds a character that can't be shown"
        raise CaseError(what, where=ask.id, fix="type plain text on one line")


def _taken_back(case: Case, ask: Ask) -> Places:
    """The changes that make an answer unknown again; each kind of answer is written in its own way."""
    keys = keys_of(case, ask.id)
    section = keys[0]
    name = keys[-1]
    if name == "name" or (section, name) == ("models", "id"):
        # a record without its name would be no record
        fix = "give it another name, or remove it from the file by hand"
        raise CaseError("is on record", where=ask.id, fix=fix)
    if ask.id == "targets.quality.at_least":  # a metric alone is no target
        return {keys[:-1]: None}
    if section in ROOMS and len(keys) == 2:
        return _answer(case, ask, "unknown")
    if ask.kind == "state" or (ask.kind == "choice" and section not in ROOMS):
        return {keys: WholeValue("unknown")}
    if ask.kind == "count":
        return _set_count(case, ask, None)
    if name in ("goals", "traces", "tried", "models"):
        return {keys: ()}  # a list becomes empty
    return {keys: None}  # the key goes from the file


def _stated_fields(answer: CheckAnswer | FactorAnswer | None) -> dict[str, str]:
    """The fields of an answer that aren't defaults, as they stand in the file; {} for none."""
    if answer is None:
        return {}
    fields = answer.model_dump(mode="json", exclude_defaults=True)
    return {name: str(value) for name, value in fields.items()}


def _set_part_of_answer(
    case: Case, room: str, name: str, part: str, text: str
) -> Places:
    """Set a part of an answer, such as its note; the rest of the answer stays."""
    fields = {"value": "unknown"}  # an answer in parts has to have a value
    fields |= _stated_fields(getattr(case, room).get(name))
    fields[part] = text
    return {(room, name): {key: value for key, value in fields.items() if value}}


def _answer(case: Case, ask: Ask, value: str) -> Places:
    """Set a check, a factor or a signal. A note that the former answer was kept is removed with it."""
    room, name, *rest = ask.id.split(".")
    if rest:
        (part,) = rest
        return _set_part_of_answer(case, room, name, part, value)
    now = getattr(case, room).get(name)
    if now is not None and shown_value(now) == value:
        return {}
    others = _parts_beside_value(now)
    if value == NOT_NEEDED:
        return {(room, name): {"value": "yes", "needed": "no", **others}}
    if not others:
        return {(room, name): WholeValue(value)}  # alone it is written without its key
    key = "count" if value.isdigit() else "value"
    return {(room, name): {key: value, **others}}


def _parts_beside_value(answer: CheckAnswer | FactorAnswer | None) -> dict[str, str]:
    """The parts of an answer that stay when its value changes.

    Its note stays without the mark that the former value was kept in spite of a conflict.
    """
    parts = {}
    for key, text in _stated_fields(answer).items():
        if key in ("value", "count", "needed"):
            continue
        if key == "note":
            text = _ACCEPTED.sub("", text).removeprefix("; ")  # noqa: PLW2901 # the same note
        if text:
            parts[key] = text
    return parts


def _set_count(case: Case, ask: Ask, value: str | None) -> Places:
    """Set a count. A path, or a number of usable ones beside it, stays.

    Without a count nobody can say how many of them are usable, so that goes with it.
    """
    keys = keys_of(case, ask.id)
    room, entry, *part = keys
    if room != "data":
        return {keys: None if value is None else WholeValue(value)}
    # data.examples is the count itself, and data.examples.usable a part of it
    name = "usable" if part else "count"
    now = value_at(case, f"{room}.{entry}")
    fields: dict[str, Any] = {}
    if isinstance(now, Holding):
        fields = now.model_dump(mode="json", exclude_none=True)
    if name == "count" and value is None:
        fields.pop("usable", None)
    fields[name] = value
    stated = {key: str(field) for key, field in fields.items() if field is not None}
    if not stated:
        return {(room, entry): None}
    if len(stated) == 1:  # alone it is written without its key
        (alone,) = stated.values()
        return {(room, entry): WholeValue(alone)}
    return {(room, entry): stated}


@dataclass(frozen=True)
class CaseSnapshot:
    """A case as its file was when somebody read it, with the digests behind its dossier."""

    source: str | Path  #: Case folder or case file.
    case: Case
    framework: Framework
    text: str  #: Of the case file.
    digest: str  #: SHA-256 of the case file's text, for compare-and-set.
    inputs_digest: str
    """The digest of everything else but the day: framework, evidence, prompts, and missing files."""
    #: The day its dossier speaks for.
    day: date | None = field(default=None, kw_only=True)

    @property
    def key(self) -> str:
        """A key that is equal for equal dossiers."""
        return f"{self.digest} {self.inputs_digest} {self.day}"

    def ask(self, ask_id: str) -> Ask:
        return ask_of(self.case, self.framework, ask_id)

    def asks(self, ids: Iterable[str]) -> list[Ask]:
        """The questions with some ids or paths, without those that no interview asks."""
        asks = list[Ask]()
        for ask_id in ids:
            with suppress(CaseError):
                asks.append(self.ask(ask_id))
        return asks


@dataclass(frozen=True)
class EvaluatedCase(CaseSnapshot):
    """A case with its dossier."""

    dossier: Dossier

    def next(
        self,
        ask_id: str = "",
        *,
        passed: Collection[str] = (),
        part: Part | None = None,
    ) -> Ask | None:
        """The next question, as in ``next_ask``, by the worth of answers."""
        worth = self.dossier.next_questions
        return next_ask(
            self.case, self.framework, ask_id, passed=passed, part=part, worth=worth
        )


def write_answer(
    now: EvaluatedCase, ask_id: str, text: str, *, judge: Judge
) -> AnswerResult:
    """Write one answer into a case file, and return its effect.

    An answer is yes, no or unknown; a number, ``800-2000`` or ``800 to 1100 to 2000``, with ``$``,
    ``k`` or ``%`` where that makes sense; or choices by id, title or number. "unknown" removes an
    answer; if there is none, nothing is written.

    Raises:
        ConflictError: If the file has changed since it was read; then nothing is written.
        CaseError: If the text is no answer; the error's ``fix`` says what would be one.
        OutputError: If the file can't be written.
    """
    ask = now.ask(ask_id)
    typed = {ask.id: text}
    wrote = write_typed(
        now.source, typed, lambda _: now.framework, judge, read_digest=now.digest
    )
    conflicts = _new_conflicts(wrote.case, ask.id, now.dossier, wrote.dossier)
    return wrote._replace(before=now.dossier, conflicts=conflicts)


def accept_conflict(
    now: EvaluatedCase, ask_id: str, challenge_id: str, *, judge: Judge
) -> AnswerResult:
    """Note beside an answer that it stays in spite of a conflict.

    The note is written beside the answer, else beside the other side of the challenge. Amounts have
    no place for a note; then nothing is written. The challenge stays in every report.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: If there is no such challenge now.
    """
    challenge = _find_challenge(now.dossier, challenge_id)
    if challenge is None:
        what = f'"{challenge_id[:80]}" doesn\'t hold any more'
        raise CaseError(what, where=ask_id, fix="answer the question again")
    place = _note_place(now.case, now.ask(ask_id).id, challenge)
    places = {} if place is None else _note_kept(now.case, place, challenge_id)
    written = write_answers(now.source, places, read_digest=now.digest)
    dossier = judge(written.case, now.framework)
    return AnswerResult(written.case, dossier, now.dossier, written.digest)


def _find_challenge(dossier: Dossier, challenge_id: str) -> ChallengeResult | None:
    """The challenge with this id; None where it isn't raised."""
    for challenge in dossier.challenges:
        if challenge.id == challenge_id:
            return challenge
    return None


def _note_kept(case: Case, place: _NotePlace, challenge_id: str) -> Places:
    """Add the mark of a challenge to a note; {} where it is there, or the note would be too long."""
    answer = getattr(case, place.room)[place.name]
    mark = f"{_MARK}{challenge_id}"
    note = f"{answer.note}; {mark}" if answer.note else mark
    if mark in answer.note.split("; ") or len(note) > _MOST_NOTE:
        return {}
    return {(place.room, place.name): {**_stated_fields(answer), "note": note}}


class Typed(NamedTuple):
    """A case file with answers typed into it."""

    text: str
    case: Case
    framework: Framework
    paths: frozenset[str]  #: The answers that were given, by path.
    changes: tuple[AnswerChange, ...]

    @property
    def supposed(self) -> Case:
        """The case for a what-if, in which no measurement overrules a typed answer."""
        return self.case.with_origin(replace(self.case.origin, assumed=self.paths))


class _TypedFile:
    """The text of a case file into which answers are typed, one after the other."""

    def __init__(
        self, text: str, path: Path, by: Callable[[Case], Framework], flag: str
    ) -> None:
        self.text = text
        self.before = case_from_text(text, path)
        self.case = self.before
        self.framework = by(self.before)
        self.names: dict[str, str] = {}  #: Keys as they were typed, by their paths.
        self._path = path
        self._by = by
        self._flag = flag

    def type_answer(self, name: str, answer: str, *, by_id: bool) -> None:
        """Write one answer into the text."""
        at = ".".join(answer_path(name, self.framework, by_id=by_id))
        if any(_stand_together(self.case, at, other) for other in self.names):
            self.read_again()  # the values beside it have changed
        places = _typed_places(self.case, self.framework, at, answer)
        self.text = edit(self.text, places, str(self._path), CaseError)
        self.names[at] = name
        if at == "framework":
            self.read_again()
            self.framework = self._by(self.case)

    def read_again(self) -> None:
        """Read the case from the text; an error names the answer that causes it."""
        try:
            self.case = case_from_text(self.text, self._path)
        except CaseError as caught:
            name = self._name_in(caught)
            where = self._flag
            if not caught.what.startswith(name):
                where += name
            raise CaseError(caught.what, where=where.strip(), fix=caught.fix) from None

    def _name_in(self, caught: CaseError) -> str:
        """The typed key whose path an error names, else all of them."""
        for at, name in self.names.items():
            if at in caught.what:
                return name
        return " ".join(self.names.values())

    def where_of(self, place: tuple[str | int, ...]) -> str:
        """Where a value comes from: the typed key, else the line of the file before."""
        path = ".".join(
            str(step + 1) if isinstance(step, int) else step for step in place
        )
        for at, name in self.names.items():
            if overlaps(path, at):
                return f"{self._flag}{name}"
        return self.before.where(*place)


def type_in(
    text: str,
    path: Path,
    answers: Mapping[str, str],
    by: Callable[[Case], Framework],
    flag: str = "",
    *,
    by_id: bool = False,
) -> Typed:
    """Type answers into the text of a case file; nothing is written.

    A key is a check, a factor, a signal, its title in reports, or a dotted path. A value is as in
    the interview; for a key that the interview doesn't ask, it is YAML as in the file. ``by`` gives
    the framework of a case, which a key may change; ``flag`` is put before keys in errors.

    Raises:
        CaseError: If a key or a value is invalid, or names a file that doesn't exist.
    """
    file = _TypedFile(text, path, by, flag)
    for name, answer in answers.items():
        file.type_answer(name, answer, by_id=by_id)
    file.read_again()
    case = file.case.with_origin(CaseOrigin(file.where_of, file.case.folder))
    for entry in missing_entries(case):
        at, _, _ = entry.partition("[")  # ``data.traces[1]`` was typed as data.traces
        if at in file.names:
            name = file.names[at]
            raise _is_missing(at, f"{flag}{name}", answers[name])
    changes = tuple(
        _answer_change(at, file.before, case, file.framework) for at in file.names
    )
    return Typed(file.text, case, file.framework, frozenset(file.names), changes)


def _stand_together(case: Case, path: str, other: str) -> bool:
    """Whether two paths are in one list of the case, or among the values of one section."""
    room, *rest = path.split(".")
    other_room, *other_rest = other.split(".")
    if room != other_room:
        return False
    if isinstance(getattr(case, room, None), tuple):
        return True
    return rest[:1] == other_rest[:1]


def _answer_change(
    path: str, before: Case, after: Case, framework: Framework
) -> AnswerChange:
    """The change at a path, with the title of its question; the path is the title where none asks."""
    title = path
    with suppress(CaseError):
        title = ask_of(after, framework, path).title
    now = shown_value(value_at(after, path))
    return AnswerChange(path, title, shown_value(value_at(before, path)), now)


def _typed_places(case: Case, framework: Framework, at: str, text: str) -> Places:
    """The places that a typed key changes; as in the interview, if it asks for the key."""
    if at in ("models", "attempts"):
        return _places_in_list(case, at, text)
    try:
        ask = ask_of(case, framework, at)
    except CaseError:
        return _places_of_unasked_key(case, at, text)
    if ask.kind == "count" and ask.id.count(".") == 1 and ask.id.startswith("data."):
        with suppress(CaseError):
            return places_of(case, ask, text)
        return {keys_of(case, at): text}  # a path to the examples and not their number
    is_list = ask.kind == "choices" or ask.id.endswith((".traces", ".models"))
    if is_list or ask.kind == "amount":
        text = _as_typed(_flow(text), at)  # a key may have them as YAML, in brackets
    return places_of(case, ask, text)


def _places_of_unasked_key(case: Case, at: str, text: str) -> Places:
    """The places of a key that no interview asks for."""
    if at in ("name", "description"):  # a text whatever it looks like
        return {(at,): text}
    room, *steps = at.split(".")
    if room in ROOMS and len(steps) == 2:
        name, part = steps
        return _set_part_of_answer(case, room, name, part, text)
    if text.casefold() in UNKNOWN_WORDS:
        return {keys_of(case, at): None}
    return {keys_of(case, at): _plain(_flow(text), at)}


def _plain(value: Any, at: str) -> Value:
    """A value typed in brackets or braces, as it is written to the file; it may be one level deep."""
    if isinstance(value, list):
        value = tuple(value)
    parts = [value]
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, tuple):
        parts = list(value)
    if not all(isinstance(part, str) for part in parts):
        fix = "write it into the file by hand"
        raise CaseError("holds more than plain values", where=at, fix=fix)
    plain_value: Value = value
    return plain_value


def _flow(text: str) -> Any:
    """Parse a text in brackets or braces as YAML. Other texts stay as they are."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return parse(text, "", CaseError).data
    except CaseError:
        return text


def _places_in_list(case: Case, room: str, text: str) -> Places:
    """The places in the list of models or attempts: a known name changes its row, another adds one."""
    first = FIRST[room]
    names = [str(getattr(entry, first)) for entry in getattr(case, room)]
    places: Places = {}
    for fields in _rows_of_list(room, text):
        name = fields[first]
        if name not in names:
            names.append(name)
        for key, value in fields.items():
            places[(room, names.index(name), key)] = _plain(value, room)
    return places


def _rows_of_list(room: str, text: str) -> list[dict[str, Any]]:
    """The rows that are typed for a list: names between commas, or mappings in brackets.

    Raises a CaseError for a row without a name.
    """
    first = FIRST[room]
    typed = _flow(text)
    if not isinstance(typed, list):
        typed = _split_by_comma(text)
    rows = []
    for row in typed:
        fields = row if isinstance(row, dict) else {first: row}
        if not isinstance(fields.get(first), str) or text.casefold() in UNKNOWN_WORDS:
            fix = f"write {room}=NAME, or {room}=[{{{first}: NAME}}]"
            raise CaseError(f'"{short_text(text)}" names none', where=room, fix=fix)
        rows.append(fields)
    return rows


def _is_missing(at: str, where: str, text: str) -> CaseError:
    """The error for a file that an answer names and that doesn't exist."""
    counts = at in case_fields() and case_fields()[at].kind == "count"
    fix = "write a count, or the path of a file" if counts else "name a file or folder"
    what = f'"{short_text(text)}" isn\'t there'
    return CaseError(what, where=where, fix=f"{fix} beside the case file")


def what_if(now: CaseSnapshot, answers: Mapping[str, str]) -> Case:
    """A case with other answers, as in ``type_in``; nothing is written."""
    return type_in(
        now.text, case_path(now.source), answers, lambda _: now.framework
    ).supposed


class _JudgedAnswers(NamedTuple):
    """Typed answers with their effect, before they are written."""

    dossier: Dossier
    changes: tuple[AnswerChange, ...]
    stated: list[str]  #: The paths that the answers state.


def write_typed(
    source: str | Path,
    answers: Mapping[str, str],
    by: Callable[[Case], Framework],
    judge: Judge,
    *,
    read_digest: str | None = None,
    by_id: bool = False,
    quotes: Mapping[str, str] | None = None,
) -> AnswerResult:
    """Write answers, as in ``type_in``, into a case file; nothing if one of them is wrong.

    ``quotes``, the person's words for each answer, mean that an assistant writes. It may not write
    sections for people, and its answers are marked until a person confirms them. Without
    ``quotes``, a person writes, which also confirms an assistant's answer to the same question.

    Raises:
        ConflictError: If the file isn't as ``read_digest`` says.
        CaseError: If an answer is invalid, or the framework can't judge the case with them.
    """
    # ``rewrite`` calls ``change`` once and returns no more than the case, so the rest is left here
    judged: list[_JudgedAnswers] = []

    def change(text: str, path: Path) -> str:
        """The text with the answers; what can't be judged or isn't the assistant's is refused."""
        typed = type_in(text, path, answers, by, by_id=by_id)
        dossier = judge(typed.case, typed.framework)
        before = case_from_text(text, path)
        if quotes is not None:
            _mark_assistant(typed, before, quotes, answers)
        stated = list[str]()
        # ``changes`` are in the order of the answers
        for item, answer in zip(typed.changes, answers.values(), strict=True):
            stated += _stated_paths(before, item.path, answer)
        judged.append(_JudgedAnswers(dossier, typed.changes, stated))
        return typed.text

    written = rewrite(source, change, read_digest=read_digest)
    (result,) = judged
    if quotes is None:
        # the answer is written, and what stays marked can be confirmed later
        with suppress(InputError):
            confirm_answers(written.case, result.stated)
    return AnswerResult(
        case=written.case,
        dossier=result.dossier,
        before=result.dossier,  # a caller that judged the case before puts that here
        digest=written.digest,
        changes=result.changes,
    )


def _stated_paths(case: Case, path: str, answer: str) -> list[str]:
    """The paths that an answer states; for a growing list, as models, the fields of its new rows."""
    if path not in FIRST:
        return [path]
    paths = []
    for room, place, key in _places_in_list(case, path, answer):
        assert isinstance(place, int)
        paths.append(f"{room}.{place + 1}.{key}")  # in paths, places count from 1
    return paths


_FOR_PEOPLE = ("decision", "safety", "evidence", "framework")
"""Sections that only a person may write: who signs, safety, evidence, and the framework."""


def _is_for_people(path: str) -> bool:
    """Whether only a person may answer. An address of a model is included, as cases are sent there."""
    first, *steps = path.split(".")
    return first in _FOR_PEOPLE or "base_url" in steps


def _names_files(path: str) -> bool:
    """Whether the value names files to read, and doesn't count something."""
    room, _, _ = path.partition(".")
    return room == "data" and not path.endswith((".count", ".usable"))


def _mark_assistant(
    typed: Typed, before: Case, quotes: Mapping[str, str], answers: Mapping[str, str]
) -> None:
    """Refuse sections for people, and record the assistant's other answers."""
    changed = changed_values(before, typed.case)
    quoted = {}  # the person's words by the path of the answer
    for item, name in zip(typed.changes, answers, strict=True):
        quoted[item.path] = quotes[name]
    # an answer may also change values beside it, so those are checked, too
    for path in (*quoted, *changed):
        changes_files = path in changed and _names_files(path)
        if _is_for_people(path) or changes_files:
            raise _is_for_a_person(path, quoted)
    keep_assistant_answers(typed.case, changed, quoted, text_digest(typed.text))


def _is_for_a_person(path: str, typed_paths: Iterable[str]) -> CaseError:
    """The error for a path that no assistant may write; it names the typed path where one led there."""
    where = path
    for typed_path in typed_paths:
        if overlaps(typed_path, path):
            where = typed_path
            break
    return CaseError(
        "is for a person to write, not for an assistant",
        where=where,
        fix="a person writes it, on the page or with: tuneworthy answer",
    )


class UnconfirmedAnswer(NamedTuple):
    """An answer by an assistant that no person has confirmed, as a person reads it."""

    key: str  #: Dotted path into the case.
    title: str
    value: str  #: As it could be typed again; "unknown" where one was taken back.
    quote: str  #: The words that the assistant gave for it.
    day: date  #: When it was written.


def unconfirmed_answers(
    case: Case, framework: Framework
) -> tuple[UnconfirmedAnswer, ...]:
    """The answers by an assistant that no person has confirmed, the oldest first."""
    answers = []
    for answer in unconfirmed(case):
        now = _answer_change(answer.key, case, case, framework)
        answers.append(
            UnconfirmedAnswer(
                key=answer.key,
                title=now.title,
                value=now.after or "unknown",
                quote=answer.quote,
                day=answer.at.date(),
            )
        )
    return tuple(answers)


_MOST_NOTE = 4_000
_MARK = "both kept: "
_ACCEPTED = re.compile(rf"(?:; )?{_MARK}[a-z_0-9]+")


def _new_conflicts(
    case: Case, ask_id: str, before: Dossier, after: Dossier
) -> tuple[Conflict, ...]:
    """Challenges that an answer raised, if all their other sides are answered.

    An open answer conflicts with nothing: the report asks for it. An attempt consists of several
    answers, and only the report judges it.
    """
    if ask_id.startswith("attempts."):
        return ()
    earlier = {challenge.id for challenge in before.challenges}
    conflicts = []
    for challenge in after.challenges:
        if challenge.id in earlier:
            continue
        others = [path for path in challenge.between if not overlaps(path, ask_id)]
        if not all(_is_said(case, after, path) for path in others):
            continue
        conflict = conflict_of(case, ask_id, after, challenge.id)
        if conflict is not None:
            conflicts.append(conflict)
    return tuple(conflicts)


def conflict_of(
    case: Case, ask_id: str, dossier: Dossier, challenge_id: str
) -> Conflict | None:
    """A conflict by its challenge, for a page that shows it later; None once it is settled."""
    challenge = _find_challenge(dossier, challenge_id)
    if challenge is None or _is_kept(case, challenge_id):
        return None
    others = list[str]()
    is_about_answer = False
    for path in challenge.between:
        if overlaps(path, ask_id):
            is_about_answer = True
            continue
        other = _ask_id(path)
        if other not in others:  # two paths may be parts of one answer
            others.append(other)
    if not is_about_answer:
        return None
    recordable = _note_place(case, ask_id, challenge) is not None
    return Conflict(challenge, tuple(others), recordable)


def _is_kept(case: Case, challenge_id: str) -> bool:
    """Whether the note of any answer says that both sides of a challenge stay."""
    mark = f"{_MARK}{challenge_id}"
    for room in ROOMS:
        for answer in getattr(case, room).values():
            if mark in answer.note.split("; "):
                return True
    return False


class _NotePlace(NamedTuple):
    """An answer of the case, by its room and its name."""

    room: str
    name: str


def _note_place(
    case: Case, ask_id: str, challenge: ChallengeResult
) -> _NotePlace | None:
    """The answer that gets the note: this one, else the first other one with a place for it."""
    sides = [_ask_id(path) for path in challenge.between]
    for path in (ask_id, *sides):
        room, _, name = path.partition(".")
        if room in ROOMS and name in getattr(case, room):
            return _NotePlace(room, name)
    return None


def _is_said(case: Case, dossier: Dossier, path: str) -> bool:
    """Whether the case states a value at the path, or a number that gives the answer."""
    room, _, name = path.partition(".")
    if path == "evidence":
        return True  # measured, whoever says so
    if not name:  # a whole section
        return bool(getattr(case, room))
    if room == "factors":
        factor_id, _, _ = name.partition(".")
        factor = dossier.factors.get(factor_id)
        if factor is not None and factor.state != "unknown":
            return True
    return is_stated(case, path)


def _ask_id(path: str) -> str:
    """The id of the question for a path of a challenge, which may lead to a part of an answer."""
    room, *rest = path.split(".")
    if room in ROOMS:
        return ".".join([room, *rest[:1]])
    return path


class Script(NamedTuple):
    """Answers that were written down in a file."""

    answers: dict[str, str]  #: As ``type_in`` takes them, by path.
    kept: tuple[str, ...]  #: Challenges of which both sides stay.
    name: str  #: The name of a new case.
    places: dict[str, str]  #: Path, or challenge, to file and line.


def read_script(path: str | Path, framework: Framework) -> Script:
    """Read a file of answers: a mapping in YAML from keys, as in ``type_in``, to answers.

    ``kept`` lists challenges of which both sides stay, and ``name`` names a new case.
    """
    document = parse(read_text(Path(path), CASE_LIMIT, CaseError), str(path), CaseError)
    if not isinstance(document.data, dict):
        fix = "write few_shot: yes, one answer a line"
        raise CaseError("is not a list of answers", where=str(path), fix=fix)
    answers = dict[str, str]()
    places = dict[str, str]()
    kept: tuple[str, ...] = ()
    case_name = ""
    # ``name`` and ``kept`` are no answers, and every other key is one
    for key, value in document.data.items():
        where = document.where((key,))
        text = _as_typed(value, where)
        if key == "name":
            case_name = text
        elif key == "kept":
            kept = _split_by_comma(text)
            for challenge_id in kept:
                places[challenge_id] = where
        else:
            at = _path_in_script(key, framework, where)
            if at in answers:
                what = f"answers {at} twice"
                raise CaseError(what, where=where, fix="keep one of them")
            answers[at] = text
            places[at] = where
    return Script(answers, kept, case_name, places)


def _path_in_script(key: str, framework: Framework, where: str) -> str:
    """The path that a key of a script means; an error names its line."""
    try:
        return ".".join(answer_path(key, framework))
    except CaseError as caught:
        raise CaseError(caught.what, where=where, fix=caught.fix) from None


def _as_typed(value: Any, where: str) -> str:
    """An answer as a person would type it: a list with commas, or a range in words."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    if isinstance(value, dict) and set(value) == {"low", "likely", "high"}:
        ends = [value["low"], value["likely"], value["high"]]
        if all(isinstance(end, str) for end in ends):
            return " to ".join(ends)
    fix = "write a word, a number, a list, or {low, likely, high}"
    raise CaseError("is not an answer", where=where, fix=fix)
