"""Answers as people type them: parsed, written into the case file, and held against the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from tuneworthy.errors import CaseError
from tuneworthy.files.case import case_from_text, case_path, missing_entries, put
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.interview.questions import (
    ROOMS,
    ask_of,
    is_stated,
    plain_number,
    require_ask,
    shown_value,
    value_at,
)
from tuneworthy.model.base import NO_WORDS, UNKNOWN_WORDS, YES_WORDS, is_whole_number, shown
from tuneworthy.model.case import Case, CaseOrigin, CheckAnswer, FactorAnswer, Holding
from tuneworthy.model.dossier import ChallengeResult, Dossier
from tuneworthy.model.framework import Framework, to_goal
from tuneworthy.model.interview import AnswerResult, Ask, AskKind, Conflict
from tuneworthy.syntax.document import did_you_mean, parse
from tuneworthy.syntax.edit import Keys, Value, WholeValue, edit

_MOST_CHARACTERS = 4_000
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+"
_ONE = re.compile(rf"\$?\s*(?P<number>{_NUMBER})\s*(?P<unit>%|[kKmM])?", re.ASCII)
_BETWEEN = re.compile(r"\s*(?:\bto\b|\.\.|–|/)\s*|(?<=[\d%kKmM])\s*-\s*")
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6}

Places = dict[Keys, Value]  #: Paths in the case file to what is written there.
Judge = Callable[[Case], Dossier]


def _refused(ask: Ask, text: str, fix: str) -> CaseError:
    return CaseError(f'"{shown(text)}" is no answer to this', where=ask.id, fix=fix)


def _state(ask: Ask, text: str) -> str:
    word = text.casefold()
    if word not in YES_WORDS | NO_WORDS:
        raise _refused(ask, text, "answer yes, no or unknown")
    return "yes" if word in YES_WORDS else "no"


def _count(ask: Ask, text: str) -> str:
    plain = text.replace(",", "")
    if is_whole_number(plain) and not plain.startswith("-"):
        return WholeValue(plain.strip().lstrip("+"))
    if not ask.id.startswith("ceiling."):
        return _number(ask, text)
    if text.casefold() not in YES_WORDS | NO_WORDS:
        raise _refused(ask, text, "answer with a number, yes, no or unknown")
    return _state(ask, text)


def _read_number(ask: Ask, text: str) -> float:
    match = _ONE.fullmatch(text.strip())
    unit = (match["unit"] or "").casefold() if match else ""
    if match is None or (unit == "%" and not ask.share):
        plain = "write a plain number, as 1500 or 20k"
        raise _refused(ask, text, "write a number, as 0.9 or 90%" if ask.share else plain)
    number = float(match["number"].replace(",", ""))
    number = number / 100 if unit == "%" else number * _TIMES[unit]
    if abs(number) > 1e15:
        raise _refused(ask, text, "nobody has that many; write a smaller number")
    return round(number, 12)  # 7% is 0.07, not what dividing leaves behind


def _number(ask: Ask, text: str) -> WholeValue:
    return WholeValue(plain_number(_read_number(ask, text)))


def _amount(ask: Ask, text: str) -> Value:
    parts = [text] if _ONE.fullmatch(text.strip()) else _BETWEEN.split(text.strip())
    if len(parts) > 3:
        raise _refused(ask, text, "write a number, or a range as 800-2000")
    numbers = [_read_number(ask, part) for part in parts]
    if sorted(numbers) != numbers:
        raise _refused(ask, text, "write the smaller number first, as 800-2000")
    if len(numbers) == 1:
        return WholeValue(plain_number(numbers[0]))
    low, high = numbers[0], numbers[-1]
    likely = numbers[1] if len(numbers) == 3 else round((low + high) / 2, 12)
    named = {"low": low, "likely": likely, "high": high}
    return {name: plain_number(number) for name, number in named.items()}


def _price(ask: Ask, text: str) -> Value:
    parts = [part for part in re.split(r"\s*[;/]\s*|,\s+|\s+", text) if part]
    if len(parts) != 2:
        raise _refused(ask, text, "write two numbers, as 2.50, 10")
    return {name: _number(ask, part) for name, part in zip(("input", "output"), parts, strict=True)}


def _parts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _choices(ask: Ask, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_choice(ask, part) for part in _parts(text)))


def _choice(ask: Ask, text: str) -> WholeValue:
    ids = [choice.id for choice in ask.choices]
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(ids):
        return WholeValue(ids[int(text) - 1])
    word = text.casefold()
    for choice in ask.choices:
        if word in (choice.id, choice.title.casefold(), choice.id.replace("_", " ")):
            return WholeValue(choice.id)
    if ask.id == "goals":
        with suppress(PydanticCustomError):
            if (goal := str(to_goal(text))) in ids:
                return WholeValue(goal)
    raise _refused(ask, text, did_you_mean(text, ids) or "there is nothing to choose here")


_PARSERS: dict[AskKind, Callable[[Ask, str], Value]] = {
    "state": _state,
    "count": _count,
    "number": _number,
    "amount": _amount,
    "choice": _choice,
    "choices": _choices,
    "text": lambda _, text: WholeValue(text),
}  #: A typed answer as a value for the file, by the kind of its question.


def places_of(case: Case, ask: Ask, text: str) -> Places:
    """Where an answer goes in the case file, and what is written there; empty for no change."""
    plain = text.strip()
    if len(plain) > _MOST_CHARACTERS:
        fix = f"keep it under {_MOST_CHARACTERS} characters"
        raise CaseError("is too long", where=ask.id, fix=fix)
    if not plain.isprintable():
        what, fix = "holds a character that can't be shown", "type plain text on one line"
        raise CaseError(what, where=ask.id, fix=fix)
    if plain.casefold() in UNKNOWN_WORDS:
        return _taken_back(case, ask) if is_stated(case, ask.id) else {}
    if not plain:
        raise CaseError("is empty", where=ask.id, fix="answer, or say unknown")
    keys = _keys(ask.id)
    section, name = keys[0], keys[-1]
    if (section, name) == ("attempts", "ceiling"):
        done = () if plain.casefold() == "none" else _choices(ask, plain)
        return {(*keys, c.id): "yes" if c.id in done else "no" for c in ask.choices}
    if (section, name) in (("data", "traces"), ("attempts", "models")):
        return {keys: _parts(plain)}
    if (section, name) == ("models", "usd_per_mtok"):
        return {keys: _price(ask, plain)}
    value = _PARSERS[ask.kind](ask, plain)
    if section in ROOMS:
        return _answer(case, ask, str(value))
    return _counted(case, ask, str(value)) if ask.kind == "count" else {keys: value}


def _taken_back(case: Case, ask: Ask) -> Places:
    """What makes an answer unknown again."""
    keys = _keys(ask.id)
    section, name = keys[0], keys[-1]
    if name == "name" or (section, name) == ("models", "id"):
        fix = "give it another name, or remove it from the file by hand"
        raise CaseError("is on record", where=ask.id, fix=fix)
    if ask.id == "targets.quality.at_least":  # a metric alone is no target
        return {keys[:-1]: None}
    if section in ROOMS and len(keys) == 2:
        return _answer(case, ask, "unknown")
    if ask.kind == "state" or (ask.kind == "choice" and section not in ROOMS):
        return {keys: WholeValue("unknown")}
    if ask.kind == "count":
        return _counted(case, ask, None)
    return {keys: () if name in ("goals", "traces", "tried", "models") else None}


def _fields(answer: CheckAnswer | FactorAnswer) -> dict[str, str]:
    fields = answer.model_dump(mode="json", exclude_defaults=True)
    return {name: str(value) for name, value in fields.items()}


def _answer(case: Case, ask: Ask, value: str) -> Places:
    """A check, factor or signal; a note that another answer was kept goes with that answer."""
    room, name, *rest = ask.id.split(".")
    now = getattr(case, room).get(name)
    if not rest and now is not None and shown_value(now) == value:
        return {}
    fields = {} if now is None else _fields(now)
    if rest:
        changed = {"value": "unknown", **fields, rest[0]: value}
    else:
        others = {key: part for key, part in fields.items() if key not in ("value", "count")}
        changed = {"count" if value.isdigit() else "value": value, **others}
        if "note" in changed:
            changed["note"] = _ACCEPTED.sub("", changed["note"]).removeprefix("; ")
    plain = {key: part for key, part in changed.items() if part != ""}
    alone = len(plain) == 1 and not rest
    return {(room, name): WholeValue(next(iter(plain.values()))) if alone else plain}


def _counted(case: Case, ask: Ask, value: str | None) -> Places:
    """A count; a path or a number of usable ones beside it stays."""
    keys = _keys(ask.id)
    if keys[0] != "data":
        return {keys: None if value is None else WholeValue(value)}
    above, name = keys[:2], "usable" if len(keys) == 3 else "count"
    now = value_at(case, ".".join(map(str, above)))
    fields = now.model_dump(mode="json", exclude_none=True) if isinstance(now, Holding) else {}
    if name == "count" and value is None:
        fields.pop("usable", None)
    plain = {key: str(part) for key, part in {**fields, name: value}.items() if part is not None}
    if len(plain) < 2:
        return {above: next((WholeValue(part) for part in plain.values()), None)}
    return {above: plain}


def _keys(ask_id: str) -> Keys:
    """The path of a question; places in lists, which people count from 1, from 0."""
    return tuple(int(step) - 1 if step.isdigit() else step for step in ask_id.split("."))


@dataclass(frozen=True, slots=True)
class CaseSnapshot:
    """A case as its file was when somebody read it, with what its dossier rests on."""

    source: str | Path  #: Case folder or case file.
    case: Case
    framework: Framework
    text: str  #: Of the case file.
    digest: str  #: SHA-256 of the case file's text, for compare-and-set.
    inputs_digest: str
    """Of all the rest: framework, evidence, prompts, what is missing, and the day."""

    @property
    def key(self) -> tuple[str, str]:
        """Equal where the dossier is."""
        return self.digest, self.inputs_digest

    def ask(self, ask_id: str) -> Ask:
        return ask_of(self.case, self.framework, ask_id)


@dataclass(frozen=True, slots=True)
class EvaluatedCase(CaseSnapshot):
    """A case with its dossier."""

    dossier: Dossier


def write_answer(now: EvaluatedCase, ask_id: str, text: str, *, judge: Judge) -> AnswerResult:
    """Write one answer into a case file, and say what it came to.

    What is typed is yes, no or unknown; a number, ``800-2000`` or ``800 to 1100 to 2000``, with
    ``$``, ``k`` or ``%`` where that makes sense; choices by id, title or number. "unknown" takes an
    answer back; nothing is written where there is none.

    Raises:
        ConflictError: If the file has changed since it was read; then nothing is written.
        CaseError: If it is no answer; the error's ``fix`` says what would be one.
        OutputError: If the file can't be written.
    """
    ask = now.ask(ask_id)
    places, after = places_of(now.case, ask, text), now.dossier

    def check(changed: Case) -> None:
        nonlocal after
        if any(entry.partition("[")[0] == ask.id for entry in missing_entries(changed)):
            fix = "name a file or folder beside the case file"
            raise CaseError(f'"{text.strip()[:80]}" isn\'t there', where=ask.id, fix=fix)
        after = judge(changed)

    written = put(now.source, places, read_digest=now.digest, check=check if places else None)
    conflicts = _new_conflicts(written.case, ask.id, now.dossier, after)
    return AnswerResult(written.case, after, now.dossier, conflicts, written.digest)


def accept_conflict(
    now: EvaluatedCase, ask_id: str, challenge_id: str, *, judge: Judge
) -> AnswerResult:
    """Note beside an answer that it stays although something conflicts with it.

    The note is put on the answer, else on the other side of the challenge; amounts have no place
    for one, and then nothing is written. The challenge stays in every report.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: If there is no such challenge now.
    """
    challenge = next((each for each in now.dossier.challenges if each.id == challenge_id), None)
    if challenge is None:
        fix = "answer the question again"
        raise CaseError(f'"{challenge_id[:80]}" doesn\'t hold any more', where=ask_id, fix=fix)
    mark, places = f"{_MARK}{challenge_id}", dict[Keys, Value]()
    place = _note_place(now.case, now.ask(ask_id).id, challenge)
    if place is not None:
        answer = getattr(now.case, place[0])[place[1]]
        note = f"{answer.note}; {mark}" if answer.note else mark
        if mark not in answer.note.split("; ") and len(note) <= _MOST_NOTE:
            places = {place: {**_fields(answer), "note": note}}
    written = put(now.source, places, read_digest=now.digest)
    return AnswerResult(written.case, judge(written.case), now.dossier, (), written.digest)


def what_if(now: CaseSnapshot, answers: Mapping[str, str]) -> Case:
    """A case with other answers, by the ids of their questions; nothing is written."""
    path, places = case_path(now.source), all_places(now, answers)
    changed = case_from_text(edit(now.text, places, str(path), CaseError), path)
    paths = frozenset(".".join(map(str, keys)) for keys in places)
    return changed.with_origin(CaseOrigin(folder=changed.folder, assumed=paths))


def all_places(now: CaseSnapshot, answers: Mapping[str, str]) -> Places:
    """Where several answers go, by the ids of their questions."""
    places: Places = {}
    for ask_id, text in answers.items():
        places |= places_of(now.case, now.ask(ask_id), text)
    return places


_MOST_NOTE = 4_000
_MARK = "both kept: "
_ACCEPTED = re.compile(rf"(?:; )?{_MARK}[a-z_0-9]+")


def _new_conflicts(
    case: Case, ask_id: str, before: Dossier, after: Dossier
) -> tuple[Conflict, ...]:
    """Challenges that came with an answer, all their other sides being answered too.

    What nobody has answered yet conflicts with nothing: the report asks for it. An attempt takes
    several answers; the report judges it.
    """
    if ask_id.startswith("attempts."):
        return ()
    earlier = {challenge.id for challenge in before.challenges}
    new = [challenge for challenge in after.challenges if challenge.id not in earlier]
    conflicts = (
        conflict_of(case, ask_id, after, challenge.id)
        for challenge in new
        if all(_is_about(p, ask_id) or _is_said(case, after, p) for p in challenge.between)
    )
    return tuple(filter(None, conflicts))


def conflict_of(case: Case, ask_id: str, dossier: Dossier, challenge_id: str) -> Conflict | None:
    """A conflict by its challenge, for a surface that shows it later; None once it is settled."""
    challenge = next((each for each in dossier.challenges if each.id == challenge_id), None)
    if challenge is None or not any(_is_about(path, ask_id) for path in challenge.between):
        return None
    answers = (answer for room in ROOMS for answer in getattr(case, room).values())
    if any(f"{_MARK}{challenge_id}" in answer.note.split("; ") for answer in answers):
        return None
    sides = [path for path in challenge.between if not _is_about(path, ask_id)]
    others = tuple(dict.fromkeys(map(_ask_id, sides)))
    return Conflict(challenge, others, _note_place(case, ask_id, challenge) is not None)


def _note_place(case: Case, ask_id: str, challenge: ChallengeResult) -> tuple[str, str] | None:
    """The answer to put the note on: this one, else the first other that can carry it."""
    for path in (ask_id, *map(_ask_id, challenge.between)):
        room, _, name = path.partition(".")
        if room in ROOMS and name in getattr(case, room):
            return room, name
    return None


def _is_about(path: str, ask_id: str) -> bool:
    """Whether a path of a challenge is an answer, a part of it, or holds it."""
    return f"{path}.".startswith(f"{ask_id}.") or f"{ask_id}.".startswith(f"{path}.")


def _is_said(case: Case, dossier: Dossier, path: str) -> bool:
    """Whether the case says something there, or a number gives the answer."""
    room, _, name = path.partition(".")
    if path == "evidence":
        return True
    if not name:
        return bool(getattr(case, room))
    factor = dossier.factors.get(name.split(".")[0]) if room == "factors" else None
    return (factor is not None and factor.state != "unknown") or is_stated(case, path)


def _ask_id(path: str) -> str:
    """The question behind a path of a challenge."""
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] in ROOMS else path


_LINE = re.compile(r"(?P<id>[A-Za-z][\w.]*)[ \t]*=[ \t]*(?P<text>.*)", re.ASCII)


@dataclass(slots=True)
class Script:
    """Answers written down beforehand: for tests, for scripts, and to be typed in an editor."""

    answers: dict[str, str] = field(default_factory=dict)  #: Id of the question to what is typed.
    accepted: list[str] = field(default_factory=list)  #: Challenges of which both sides stay.
    name: str = ""  #: What a new case is called.
    messages: list[str] = field(default_factory=list)  #: What is written to a model, in order.
    confirmed: list[str] = field(default_factory=list)
    """Ids of a model's proposals that are confirmed."""
    places: dict[str, str] = field(default_factory=dict)  #: Id, or challenge, to file and line.


def read_script(path: str | Path, framework: Framework) -> Script:
    """A file of answers.

    Either a mapping in YAML from ids to answers, or lines of ``id = answer``. ``kept`` lists
    challenges of which both sides stay, ``name`` names a new case. ``say`` is what is written to a
    model, a list or one line each, and ``confirm`` lists the ids of proposals that are confirmed.
    """
    text, script = read_text(Path(path), CASE_LIMIT, CaseError), Script()
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    read = _lines if _LINE.fullmatch(first) else _mapping
    for key, value, where in read(text, str(path)):
        new: list[str] = []
        if key == "name":
            script.name = _typed(value, where)
        elif key == "kept":
            new = script.accepted = _names(value, where)
        elif key == "say":
            new = value if isinstance(value, list) else [value]
            if not all(isinstance(message, str) for message in new):
                raise CaseError("is nothing to say", where=where, fix="write a sentence")
            script.messages += new
        elif key == "confirm":
            new = [require_ask(framework, name, where) for name in _names(value, where)]
            script.confirmed = new
        else:
            new = [require_ask(framework, key, where)]
            if new[0] in script.answers:
                raise CaseError(f"answers {new[0]} twice", where=where, fix="keep one of them")
            script.answers[new[0]] = _typed(value, where)
        script.places |= dict.fromkeys(new, where)
    return script


def _lines(text: str, name: str) -> Iterator[tuple[str, Any, str]]:
    seen: set[str] = set()
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        match, where = _LINE.fullmatch(line), f"{name}:{number}"
        if match is None:
            raise CaseError("is no id = answer", where=where, fix="write few_shot = yes")
        key = match["id"]
        if key != "say" and key in seen:
            raise CaseError(f"answers {key} twice", where=where, fix="keep one of them")
        seen.add(key)
        yield key, match["text"], where


def _mapping(text: str, name: str) -> Iterator[tuple[str, Any, str]]:
    document = parse(text, name, CaseError)
    if not isinstance(document.data, dict):
        fix = "write few_shot: yes, one answer a line"
        raise CaseError("is no list of answers", where=name, fix=fix)
    yield from ((key, value, document.where((key,))) for key, value in document.data.items())


def _names(value: Any, where: str) -> list[str]:
    return [part for part in re.split(r",\s*", _typed(value, where)) if part]


def _typed(value: Any, where: str) -> str:
    """An answer as a person would type it: a list with commas, a range with its words."""
    ends = ("low", "likely", "high")
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    if isinstance(value, dict) and set(value) == set(ends):
        value = [value[end] for end in ends]
        if all(isinstance(end, str) for end in value):
            return " to ".join(value)
    fix = "write a word, a number, a list, or {low, likely, high}"
    raise CaseError("is no answer", where=where, fix=fix)
