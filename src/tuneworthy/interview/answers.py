"""What a person gave, as values for the case file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from tuneworthy.errors import CaseError
from tuneworthy.files.case import (
    Written,
    case_from_text,
    case_path,
    missing_entries,
    put,
    read_with_digest,
)
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.interview.fields import INVESTMENT, UNASKED
from tuneworthy.interview.questions import (
    ask_of,
    at,
    is_asked,
    shown_value,
    stands,
    takes_share,
)
from tuneworthy.model.base import NO_WORDS, UNKNOWN_WORDS, YES_WORDS, is_whole_number, shown
from tuneworthy.model.case import Case, CaseOrigin, CheckAnswer, FactorAnswer, Holding
from tuneworthy.model.dossier import ChallengeResult, Dossier
from tuneworthy.model.framework import Framework, to_goal
from tuneworthy.model.interview import (
    AnswerResult,
    Ask,
    Clash,
)
from tuneworthy.money.investment import Draw
from tuneworthy.pipeline import decide, framework_of
from tuneworthy.syntax.document import did_you_mean, parse
from tuneworthy.syntax.edit import Keys, Value, WholeValue, edit

# What a person gave, as values for the case file.

MOST_CHARACTERS = 4_000
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+"
_ONE = re.compile(rf"\$?\s*(?P<number>{_NUMBER})\s*(?P<unit>%|[kKmM])?", re.ASCII)
_BETWEEN = re.compile(r"\s*(?:\bto\b|\.\.|–|/)\s*|(?<=[\d%kKmM])\s*-\s*")
_TIMES = {"k": 1e3, "m": 1e6}


def cleaned(given: str, ask: str) -> str:
    """A line as it was given, without blanks around it.

    Raises:
        CaseError: If it holds a control character, or is far too long.
    """
    text = given.strip()
    if len(text) > MOST_CHARACTERS:
        fix = f"keep it under {MOST_CHARACTERS} characters"
        raise CaseError("is too long", where=ask, fix=fix)
    if not text.isprintable():
        raise CaseError(
            "holds a character that can't be shown", where=ask, fix="type plain text on one line"
        )
    return text


def unknown(text: str) -> bool:
    """Whether a person says that they don't know."""
    return text.casefold() in UNKNOWN_WORDS


def value_of(ask: Ask, text: str, *, share: bool = False) -> Value:
    """A cleaned answer as a value for the file.

    Args:
        ask: What was asked.
        text: What was given; not one of the words for unknown.
        share: Whether per cent may be given.

    Raises:
        CaseError: If it is no answer to the question; ``fix`` says what is.
    """
    if ask.kind == "state":
        return _state(ask, text)
    if ask.kind == "count":
        return _count(ask, text)
    if ask.kind == "number":
        return WholeValue(_written(_number(ask, text, share=share)))
    if ask.kind == "amount":
        return _amount(ask, text, share=share)
    if ask.kind == "choice":
        return WholeValue(_chosen(ask, text))
    if ask.kind == "choices":
        return choices_of(ask, text)
    return WholeValue(text)


def choices_of(ask: Ask, text: str) -> tuple[str, ...]:
    """Ids of what was chosen, in the order given, each once.

    Raises:
        CaseError: If one is none of the choices.
    """
    parts = [part.strip() for part in text.split(",")]
    return tuple(dict.fromkeys(_chosen(ask, part) for part in parts if part))


def names_of(text: str) -> tuple[str, ...]:
    """Names with commas between them, each once."""
    parts = (part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def price_of(ask: Ask, text: str) -> Value:
    """Two prices: of input, and of output.

    Raises:
        CaseError: If it isn't two numbers.
    """
    parts = [part for part in re.split(r"\s*[;/]\s*|,\s+|\s+", text) if part]
    if len(parts) != 2:
        raise _refused(ask, text, "write two numbers, as 2.50, 10")
    low, high = (_written(_number(ask, part)) for part in parts)
    return {"input": low, "output": high}


def _refused(ask: Ask, text: str, fix: str) -> CaseError:
    return CaseError(f'"{shown(text)}" is no answer to this', where=ask.id, fix=fix)


def _state(ask: Ask, text: str) -> str:
    word = text.casefold()
    if word in YES_WORDS:
        return "yes"
    if word in NO_WORDS:
        return "no"
    raise _refused(ask, text, "answer yes, no or unknown")


def _count(ask: Ask, text: str) -> str:
    plain = text.replace(",", "")
    if is_whole_number(plain) and not plain.startswith("-"):
        return WholeValue(plain.strip().lstrip("+"))
    if ask.id.startswith("ceiling."):
        word = text.casefold()
        if word in YES_WORDS | NO_WORDS:
            return _state(ask, text)
        raise _refused(ask, text, "answer with a number, yes, no or unknown")
    return WholeValue(_written(_number(ask, text)))


def _number(ask: Ask, text: str, *, share: bool = False) -> float:
    found = _ONE.fullmatch(text.strip())
    unit = (found["unit"] or "").casefold() if found else ""
    if found is None or (unit == "%" and not share):
        fix = "write a number, as 0.9 or 90%" if share else "write a plain number, as 1500 or 20k"
        raise _refused(ask, text, fix)
    number = float(found["number"].replace(",", ""))
    number = number / 100 if unit == "%" else number * _TIMES.get(unit, 1.0)
    if abs(number) > 1e15:
        raise _refused(ask, text, "nobody has that many; write a smaller number")
    return number


def _amount(ask: Ask, text: str, *, share: bool) -> Value:
    parts = _BETWEEN.split(text.strip()) if not _ONE.fullmatch(text.strip()) else [text]
    if len(parts) > 3:
        raise _refused(ask, text, "write a number, or a range as 800-2000")
    numbers = [_number(ask, part, share=share) for part in parts]
    if sorted(numbers) != numbers:
        raise _refused(ask, text, "write the smaller number first, as 800-2000")
    if len(numbers) == 1:
        return WholeValue(_written(numbers[0]))
    low, high = numbers[0], numbers[-1]
    likely = numbers[1] if len(numbers) == 3 else (low + high) / 2
    return {"low": _written(low), "likely": _written(likely), "high": _written(high)}


def _written(number: float) -> str:
    rounded = round(number, 12)  # 7% is 0.07, not what dividing leaves behind
    return f"{rounded:.0f}" if rounded == int(rounded) and abs(rounded) < 1e15 else repr(rounded)


def _chosen(ask: Ask, text: str) -> str:
    ids = [choice.id for choice in ask.choices]
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(ids):
        return ids[int(text) - 1]
    word = text.casefold()
    for choice in ask.choices:
        if word in (choice.id, choice.title.casefold(), choice.id.replace("_", " ")):
            return choice.id
    if ask.id == "goals" and (goal := _goal(text)) in ids:
        return goal
    raise _refused(ask, text, did_you_mean(text, ids) or "there is nothing to choose here")


def _goal(text: str) -> str:
    try:
        return str(to_goal(text))
    except PydanticCustomError:
        return ""


# What stopped fitting together since an answer, and the note that both sides stay.

_ROOMS = ("ceiling", "factors", "signals")
_MOST_NOTE = 4_000
_KEPT_KEPT = re.compile(r"(?:; )?both kept: [a-z_0-9]+")


def clashes(case: Case, ask_id: str, before: Dossier, after: Dossier) -> tuple[Clash, ...]:
    """Challenges that came with an answer that is one of their sides, the others being said too.

    What nobody has said anything about yet is no clash: the report asks for it.
    """
    earlier = {one.id for one in before.challenges}
    found = []
    if ask_id.startswith("attempts."):  # an attempt is told in several answers; the report judges
        return ()
    for one in after.challenges:
        if one.id in earlier or not any(_about(path, ask_id) for path in one.between):
            continue
        others = tuple(path for path in one.between if not _about(path, ask_id))
        if all(_said(case, after, path) for path in others) and not _kept(case, one):
            found.append(_clash(case, ask_id, one))
    return tuple(found)


def clash_of(case: Case, ask_id: str, dossier: Dossier, challenge_id: str) -> Clash | None:
    """A clash by its challenge, for a surface that shows it later; None once it is settled."""
    found = next((one for one in dossier.challenges if one.id == challenge_id), None)
    if found is None or not any(_about(path, ask_id) for path in found.between):
        return None
    return None if _kept(case, found) else _clash(case, ask_id, found)


def _clash(case: Case, ask_id: str, challenge: ChallengeResult) -> Clash:
    others = (path for path in challenge.between if not _about(path, ask_id))
    asked = tuple(dict.fromkeys(_asked(path) for path in others))
    return Clash(challenge, asked, bool(_noted_on(case, ask_id, challenge)))


def kept_note(case: Case, ask_id: str, challenge: ChallengeResult) -> dict[Keys, Value]:
    """The note that says so, in its place; empty where there is no place for one."""
    path = _noted_on(case, ask_id, challenge)
    if path is None:
        return {}
    room, name = path.split(".")
    answer = getattr(case, room)[name]
    mark = _mark(challenge)
    if mark in answer.note.split("; "):
        return {}
    note = f"{answer.note}; {mark}" if answer.note else mark
    if len(note) > _MOST_NOTE:
        return {}
    said = answer.model_dump(mode="json", exclude_defaults=True)
    return {(room, name): {**{key: str(part) for key, part in said.items()}, "note": note}}


def without_notes(changed: Mapping[str, object], note: str) -> dict[str, str]:
    """The note of an answer that was given anew, without what was said about keeping the old one.

    Returns:
        The note under its key, empty to be left out; nothing where nothing was kept.
    """
    plain = _KEPT_KEPT.sub("", note).removeprefix("; ")
    return {"note": plain} if "note" in changed and plain != note else {}


def _mark(challenge: ChallengeResult) -> str:
    return f"both kept: {challenge.id}"


def _kept(case: Case, challenge: ChallengeResult) -> bool:
    """Whether an answer on one of its sides carries the note."""
    answers = (answer for room in _ROOMS for answer in getattr(case, room).values())
    return any(_mark(challenge) in answer.note.split("; ") for answer in answers)


def _noted_on(case: Case, ask_id: str, challenge: ChallengeResult) -> str | None:
    """The answer to put the note on: this one, else the first other that can carry it."""
    for path in (ask_id, *map(_asked, challenge.between)):
        parts = path.split(".")
        if len(parts) == 2 and parts[0] in _ROOMS and parts[1] in getattr(case, parts[0]):
            return path
    return None


def _about(path: str, ask_id: str) -> bool:
    """Whether a path of a challenge speaks of an answer: it, a part of it, or all it stands in."""
    return path == ask_id or path.startswith(f"{ask_id}.") or ask_id.startswith(f"{path}.")


def _said(case: Case, dossier: Dossier, path: str) -> bool:
    """Whether anything was said there, and be it by a number that gives the answer."""
    room, _, name = path.partition(".")
    if path == "evidence":
        return True
    if not name:
        return bool(getattr(case, room))
    judged = dossier.factors.get(name.split(".")[0]) if room == "factors" else None
    return (judged is not None and judged.state != "unknown") or stands(case, path)


def _asked(path: str) -> str:
    """The question behind a path of a challenge."""
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] in _ROOMS else path


# An answer on its way into the case file, and what it came to.

Places = dict[Keys, Value]


def answered(
    source: str | Path,
    ask_id: str,
    given: str,
    *,
    chosen: str | None = None,
    read_digest: str | None = None,
    as_of: date | None = None,
    seed: int = 0,
    draw: Draw | None = None,
) -> AnswerResult:
    """Write one answer into a case file, and say what it came to.

    "unknown" takes an answer back. Where nothing stands, it writes nothing.

    Args:
        source: Case folder or case file.
        ask_id: What was asked, as ``Ask.id``.
        given: What was said: yes, no, unknown; a number, ``800-2000`` or ``800 to 1100 to 2000``,
            with ``$``, ``k`` or ``%`` where that makes sense; choices by id, title or number.
        chosen: Framework, as on the command line.
        read_digest: Digest of the file that the question was made from; when it has changed since,
            nothing is written.
        as_of: The day the dossier speaks for; today when not given.
        seed: For everything that is drawn at random.
        draw: As for ``decide``.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: If the answer is none; the error's ``fix`` says what would be.
        OutputError: If the file can't be written.
    """
    read = read_with_digest(source)
    framework = framework_of(read.case, chosen)
    ask = ask_of(read.case, framework, ask_id)
    places = places_of(read.case, ask, given)
    before = decide(read.case, framework, as_of=as_of, seed=seed, draw=draw)
    after = [before]

    def check(case: Case) -> None:
        _there(case, ask, given)
        after.append(decide(case, framework, as_of=as_of, seed=seed, draw=draw))

    written = put(source, places, read_digest=read_digest, check=check if places else None)
    found = clashes(written.case, ask.id, before, after[-1])
    return AnswerResult(written.case, after[-1], before, found, written.digest)


def places_of(case: Case, ask: Ask, given: str) -> Places:
    """Where an answer goes in the case file, and what is written there; empty for no change.

    Raises:
        CaseError: If it is no answer; the error's ``fix`` says what would be.
    """
    text = cleaned(given, ask.id)
    return _taken_back(case, ask) if unknown(text) else _places(case, ask, text)


def keep_both(
    source: str | Path,
    ask_id: str,
    challenge_id: str,
    *,
    chosen: str | None = None,
    read_digest: str | None = None,
    as_of: date | None = None,
    seed: int = 0,
    draw: Draw | None = None,
) -> AnswerResult:
    """Note beside an answer that it stands although something doesn't fit with it.

    The note is put on the answer, else on the other side of the challenge; amounts have no place
    for one, and then nothing is written. The challenge stays in every report.

    Args:
        source: Case folder or case file.
        ask_id: The answer that was given.
        challenge_id: What doesn't fit.
        chosen: Framework, as on the command line.
        read_digest: As for ``answered``.
        as_of: As for ``answered``.
        seed: As for ``answered``.
        draw: As for ``answered``.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: If there is no such challenge now.
    """
    read = read_with_digest(source)
    framework = framework_of(read.case, chosen)
    before = decide(read.case, framework, as_of=as_of, seed=seed, draw=draw)
    found = next((one for one in before.challenges if one.id == challenge_id), None)
    if found is None:
        fix = "answer the question again"
        raise CaseError(f'"{challenge_id[:80]}" doesn\'t hold any more', where=ask_id, fix=fix)
    ask = ask_of(read.case, framework, ask_id)
    note = kept_note(read.case, ask.id, found)
    written = put(source, note, read_digest=read_digest)
    after = decide(written.case, framework, as_of=as_of, seed=seed, draw=draw)
    return AnswerResult(written.case, after, before, (), written.digest)


def _there(case: Case, ask: Ask, given: str) -> None:
    """Refuse the name of a file that isn't there."""
    text = given.strip()
    for entry in missing_entries(case):
        if entry.partition("[")[0] == ask.id:
            what, fix = f'"{text[:80]}" isn\'t there', "name a file or folder beside the case file"
            raise CaseError(what, where=ask.id, fix=fix)


def _taken_back(case: Case, ask: Ask) -> Places:
    """What makes an answer unknown again; nothing where none stands."""
    if not stands(case, ask.id):
        return {}
    keys = _keys(ask.id)
    if ask.id.endswith(".name") or (keys[0] == "models" and keys[-1] == "id"):
        fix = "give it another name, or remove it from the file by hand"
        raise CaseError("is on record", where=ask.id, fix=fix)
    if ask.id == "targets.quality.at_least":  # a metric alone is no target
        return {keys[:-1]: None}
    if keys[0] in ("ceiling", "factors", "signals") and len(keys) == 2:
        return _answer(case, ask, "unknown")
    if ask.kind == "state" or ask.id in ("strategic_value", "today.api", "tuning.service"):
        return {keys: WholeValue("unknown")}
    if ask.id == "data.examples" or ask.kind == "count":
        return _held(case, ask, None)
    lists = ("goals", "data.traces")
    return {keys: () if ask.id in lists or keys[-1] in ("tried", "models") else None}


def _places(case: Case, ask: Ask, text: str) -> Places:
    """Where an answer goes, and what is written there."""
    keys = _keys(ask.id)
    if not text:
        raise CaseError("is empty", where=ask.id, fix="answer, or say unknown")
    if ask.id.startswith("attempts.") and keys[-1] == "ceiling":
        done = choices_of(ask, "" if text.casefold() == "none" else text)
        each = {choice.id: "yes" if choice.id in done else "no" for choice in ask.choices}
        return {(*keys, name): state for name, state in each.items()}
    if ask.id == "data.traces" or (keys[0] == "attempts" and keys[-1] == "models"):
        return {keys: names_of(text)}
    if keys[0] == "models" and keys[-1] == "usd_per_mtok":
        return {keys: price_of(ask, text)}
    value = value_of(ask, text, share=takes_share(ask.id))
    if keys[0] in ("ceiling", "factors", "signals"):
        return _answer(case, ask, str(value))
    if ask.kind == "count":
        return _held(case, ask, str(value))
    return {keys: value}


def _answer(case: Case, ask: Ask, value: str) -> Places:
    """A check, factor or signal; what was noted about keeping another answer goes with that one."""
    room, name, *rest = ask.id.split(".")
    told: FactorAnswer | CheckAnswer | None = getattr(case, room).get(name)
    if not rest and told is not None and shown_value(told) == value:
        return {}
    said = {} if told is None else told.model_dump(mode="json", exclude_defaults=True)
    if rest:
        said.setdefault("value", "unknown")
        changed = {**said, rest[0]: value}
    elif value.isdigit():
        changed = {"count": value, **{k: v for k, v in said.items() if k not in ("value", "count")}}
    else:
        changed = {"value": value, **{k: v for k, v in said.items() if k not in ("value", "count")}}
    if not rest and told is not None:
        changed |= without_notes(changed, told.note)
    plain = {key: str(part) for key, part in changed.items() if part != ""}
    keys: Keys = (room, name)
    if len(plain) == 1 and not rest:
        return {keys: WholeValue(next(iter(plain.values())))}
    return {keys: plain}


def _held(case: Case, ask: Ask, value: str | None) -> Places:
    """A count; where a path or a number of usable ones stands beside it, that stays."""
    keys = _keys(ask.id)
    if keys[0] != "data":
        return {keys: None if value is None else WholeValue(value)}
    above, name = (keys[:2], "usable" if len(keys) == 3 else "count")
    held = at(case, ".".join(map(str, above)))
    said = held.model_dump(mode="json", exclude_none=True) if isinstance(held, Holding) else {}
    if name == "count" and value is None:
        said.pop("usable", None)
    changed = {**said, name: value}
    plain = {key: str(part) for key, part in changed.items() if part is not None}
    if not plain:
        return {above: None}
    if len(plain) == 1:
        return {above: WholeValue(next(iter(plain.values())))}
    return {above: plain}


def _keys(ask_id: str) -> Keys:
    """The path of a question; places in lists, which people count from 1, from 0."""
    return tuple(int(step) - 1 if step.isdigit() else step for step in ask_id.split("."))


# Several answers at once: as a what-if, or written into the case file.


def amounts(case: Case, framework: Framework) -> tuple[Ask, ...]:
    """The questions about amounts of money, work and traffic that the case leaves room for."""
    asked = (*INVESTMENT, *UNASKED)
    return tuple(
        ask_of(case, framework, field.id)
        for field in asked
        if field.kind in ("amount", "number", "count") and field.when(case)
    )


def supposed(
    source: str | Path, case: Case, text: str, framework: Framework, given: Mapping[str, str]
) -> Case:
    """The case as it would be with other answers; nothing is written.

    Args:
        source: Case folder or case file.
        case: The case as it stands.
        text: Of its file.
        framework: Whose questions are answered.
        given: Id of a question to what is said, as for ``answered``; none gives the case itself.

    Raises:
        CaseError: If an answer is none, or they don't go together.
    """
    path, places = case_path(source), _all(case, framework, given)
    found = case_from_text(edit(text, places, str(path), CaseError), path)
    paths = frozenset(".".join(map(str, keys)) for keys in places)
    return found.with_origin(CaseOrigin(folder=found.folder, assumed=paths))


def put_all(
    source: str | Path,
    case: Case,
    framework: Framework,
    given: Mapping[str, str],
    *,
    read_digest: str,
    check: Callable[[Case], object],
) -> Written:
    """Write several answers into a case file, all or none.

    Args:
        source: Case folder or case file.
        case: The case as it stands.
        framework: Whose questions are answered.
        given: As for ``supposed``.
        read_digest: Digest of the file that the questions were made from.
        check: Looks at the case before it is written; if it raises, nothing is written.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: As ``supposed``.
        OutputError: If the file can't be written.
    """
    places = _all(case, framework, given)
    return put(source, places, read_digest=read_digest, check=check)


def _all(case: Case, framework: Framework, given: Mapping[str, str]) -> Places:
    found: Places = {}
    for name, said in given.items():
        found |= places_of(case, ask_of(case, framework, name), said)
    return found


# Answers written down beforehand, for tests, scripts and whoever likes to type in an editor.

_LINE = re.compile(r"(?P<id>[A-Za-z][\w.]*)[ \t]*=[ \t]*(?P<given>.*)", re.ASCII)
_NAME, _KEPT, _SAY, _CONFIRM = "name", "kept", "say", "confirm"


@dataclass(frozen=True, slots=True)
class Script:
    """What to answer, by id; with the place of each in its file."""

    answers: Mapping[str, str]
    """Id of the question to what is given."""
    kept: tuple[str, ...] = ()
    """Challenges to which the answer is that both sides hold."""
    name: str = ""
    """What a case is called that isn't there yet."""
    says: tuple[str, ...] = ()
    """What is said to a model, in order."""
    confirmed: tuple[str, ...] = ()
    """Ids of what a model proposes to which the answer is yes."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Id, or challenge, to file and line."""


def read_script(path: str | Path, framework: Framework) -> Script:
    """A file of answers.

    Either a mapping in YAML from ids to answers, or lines of ``id = answer``. ``kept`` lists
    challenges, ``name`` names a case that isn't there yet. ``say`` is what a model is told, a list
    or one line each, and ``confirm`` lists the ids to which the answer is yes.

    Raises:
        CaseError: If it can't be read, gives an answer twice, or answers what isn't asked.
    """
    text = read_text(Path(path), CASE_LIMIT, CaseError)
    pairs = _lines(text, str(path)) if _is_lines(text) else _mapping(text, str(path))
    answers: dict[str, str] = {}
    places: dict[str, str] = {}
    kept: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    name = ""
    for key, given, where in pairs:
        if key == _NAME:
            name = _text(given, where)
        elif key == _KEPT:
            kept = _names(given, where)
            places |= dict.fromkeys(kept, where)
        elif key == _SAY:
            told = given if isinstance(given, list) else [given]
            says = (*says, *(_line(one, where) for one in told))
            places |= dict.fromkeys(says, where)
        elif key == _CONFIRM:
            confirmed = tuple(is_asked(framework, one, where) for one in _names(given, where))
            places |= dict.fromkeys(confirmed, where)
        else:
            path_of = is_asked(framework, key, where)
            if path_of in answers:
                raise CaseError(f"answers {path_of} twice", where=where, fix="keep one of them")
            answers[path_of], places[path_of] = _text(given, where), where
    return Script(answers, kept, name, says, confirmed, places)


def _is_lines(text: str) -> bool:
    """Whether the first line that says something is ``id = answer``."""
    told = (line.strip() for line in text.splitlines())
    first = next((line for line in told if line and not line.startswith("#")), "")
    return _LINE.fullmatch(first) is not None


def _lines(text: str, name: str) -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        told = line.strip()
        if not told or told.startswith("#"):
            continue
        parts = _LINE.fullmatch(told)
        if parts is None:
            raise CaseError(
                "is no id = answer", where=f"{name}:{number}", fix="write few_shot = yes"
            )
        if parts["id"] != _SAY and any(parts["id"] == key for key, _, _ in found):
            fix = "keep one of them"
            raise CaseError(f"answers {parts['id']} twice", where=f"{name}:{number}", fix=fix)
        found.append((parts["id"], parts["given"], f"{name}:{number}"))
    return found


def _mapping(text: str, name: str) -> list[tuple[str, Any, str]]:
    document = parse(text, name, CaseError)
    if not isinstance(document.data, dict):
        fix = "write few_shot: yes, one answer a line"
        raise CaseError("is no list of answers", where=name, fix=fix)
    return [(key, given, document.where((key,))) for key, given in document.data.items()]


def _line(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise CaseError("is nothing to say", where=where, fix="write a sentence")
    return given


def _names(given: Any, where: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r",\s*", _text(given, where)) if part)


def _text(given: Any, where: str) -> str:
    """An answer as a person would type it: a list with commas, a range with its words."""
    if given is None:
        return "unknown"
    if isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return ", ".join(given)
    ends = ("low", "likely", "high")
    if isinstance(given, dict) and set(given) == set(ends):
        told = [given[end] for end in ends]
        if all(isinstance(one, str) for one in told):
            return " to ".join(told)
    fix = "write a word, a number, a list, or {low, likely, high}"
    raise CaseError("is no answer", where=where, fix=fix)
