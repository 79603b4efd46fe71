"""What a person gave, as values for the case file."""

from __future__ import annotations

import re

from pydantic_core import PydanticCustomError

from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.goals import to_goal
from tuneworthy.domain.interview import Ask
from tuneworthy.domain.record import NO_WORDS, UNKNOWN_WORDS, YES_WORDS, is_whole_number, shown
from tuneworthy.syntax.build import did_you_mean
from tuneworthy.syntax.edit import Value, Whole

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
        return Whole(_written(_number(ask, text, share=share)))
    if ask.kind == "amount":
        return _amount(ask, text, share=share)
    if ask.kind == "choice":
        return Whole(_chosen(ask, text))
    if ask.kind == "choices":
        return choices_of(ask, text)
    return Whole(text)


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
        return Whole(plain.strip().lstrip("+"))
    if ask.id.startswith("ceiling."):
        word = text.casefold()
        if word in YES_WORDS | NO_WORDS:
            return _state(ask, text)
        raise _refused(ask, text, "answer with a number, yes, no or unknown")
    return Whole(_written(_number(ask, text)))


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
        return Whole(_written(numbers[0]))
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
