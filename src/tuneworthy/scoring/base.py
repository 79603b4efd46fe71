"""What a scorer is given and what it says."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.base import Record, Share
from tuneworthy.model.case import Materials
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Reply

# What a scorer is given and what it says.

WRONG = "wrong_answer"
"""Signal of an output that has the right form and says something wrong."""
NO_ANSWER = "no_answer"
"""Signal of an output with nothing in it."""
FORMAT = "inconsistent_format"
TERMS = "terminology_errors"
VOICE = "voice_drift"
INSTRUCTIONS = "instruction_limit"


@dataclass(frozen=True)
class Output:
    """What a model wrote for a case."""

    text: str
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments (JSON as the model wrote it) of each tool that is called."""

    @classmethod
    def of(cls, reply: Reply) -> Output:
        """The output in a reply."""
        return cls(reply.text, reply.tool_calls)

    @cached_property
    def json(self) -> Any:
        """The value the text holds as JSON, bare or in one fence; ``UNREAD`` where it is none."""
        from tuneworthy.text.json import read_json

        return read_json(self.text)[0]

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return not self.text.strip() and not self.tool_calls


@dataclass(frozen=True, slots=True)
class Context:
    """What the model was told besides the case."""

    system: str = ""
    """The system prompt as it was sent; instructions are tied to their place in it."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What scorers are made from; everything may be missing."""

    materials: Materials = field(default_factory=Materials)
    labels: tuple[str, ...] = ()
    """Every label there is; where empty, ``label`` can't tell a wrong one from no label at all."""
    read: Callable[[str], str] | None = None
    """Reads a text file by its name beside the case, and refuses one outside; None: no files."""
    folder: Path | None = None
    """The case folder, for own functions alone."""
    allow_code: bool = False
    """Whether own functions may be run."""


class Scored(Record):
    """What a scorer says of an output."""

    value: Share
    """1 for right, 0 for wrong, between them for partly; 0 where ``ok`` is None."""
    ok: bool | None
    """Whether it counts as right; None where it can't be judged, and then it counts as nothing."""
    why: str
    """Short id of the reason, as ``label_differs``."""
    numbers: dict[str, float | int] = {}
    """Numbers of the reason."""
    about: str = ""
    """Field, word or place that decided, cut to 120 characters."""
    signal: str = ""
    """What a failure is a sign of: a signal of the framework, or ``wrong_answer`` or
    ``no_answer``; empty for one that is right."""


class Scorer(Protocol):
    """A measure of one output. It is pure, and safe on any text: it never raises."""

    @property
    def id(self) -> str:
        """Its name, as ``match``."""

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """How good an output is."""


def right(why: str, numbers: Mapping[str, float | int] | None = None) -> Scored:
    """An output that is right."""
    return Scored(value=1.0, ok=True, why=why, numbers=dict(numbers or {}))


def wrong(
    why: str,
    *,
    value: float = 0.0,
    signal: str = WRONG,
    about: str = "",
    numbers: Mapping[str, float | int] | None = None,
) -> Scored:
    """An output that is wrong, wholly or with a ``value`` for what is right in it."""
    value = min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0
    told = dict(numbers or {})
    return Scored(value=value, ok=False, why=why, numbers=told, about=cut(about), signal=signal)


def unjudged(why: str, about: str = "") -> Scored:
    """An output of which this scorer can't say anything."""
    return Scored(value=0.0, ok=None, why=why, about=cut(about))


def cut(text: str) -> str:
    """The beginning of a text, for showing; halves of surrogate pairs become question marks."""
    return text[:120].encode("utf-8", "replace").decode("utf-8")


# What a check asks for: the parameters in ``of``, read strictly.


class Asked:
    """The parameters of one check.

    Args:
        scorer: Its id, for errors.
        of: What the check says: a mapping of parameters, or the main one alone.
        main: Name of the parameter that may stand alone; empty for none.
        known: Names of all parameters.

    Raises:
        InputError: For a parameter that is not known, or ``of`` that is neither.
    """

    def __init__(self, scorer: str, of: Any, main: str, known: Sequence[str]) -> None:
        self.scorer = scorer
        if isinstance(of, Mapping):
            self._told = {str(key): value for key, value in of.items()}
        elif of is None:
            self._told = {}
        elif main:
            self._told = {main: of}
        else:
            raise self.bad("takes a mapping", f"write of: {{{', '.join(known)}}}")
        for key in self._told:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                meant = f", {near[0]} maybe" if near else ""
                raise self.bad(f'has no parameter "{key[:40]}"', f"use {', '.join(known)}{meant}")

    def bad(self, what: str, fix: str) -> InputError:
        """An error about this check."""
        return InputError(one_line(f"check {self.scorer[:40]} {what}"), fix=fix)

    def has(self, name: str) -> bool:
        """Whether a parameter is given."""
        return self._told.get(name) is not None

    def any(self, name: str) -> Any:
        """A parameter as it stands; None where it is not given."""
        return self._told.get(name)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no.

        Raises:
            InputError: If it is neither.
        """
        value = self._told.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.bad(f"gives {name} that is no true or false", "write true or false")
        return value

    def number(self, name: str, default: float | None = None, *, low: float = 0) -> float | None:
        """A finite number of at least ``low``.

        Raises:
            InputError: If it is none.
        """
        value = self._told.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad(f"gives {name} that is no number", f"write a number from {low:g}")
        if not low <= value <= 1e15 or not math.isfinite(value):
            raise self.bad(f"gives {name} out of range", f"write a number from {low:g}")
        return float(value)

    def word(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of some words.

        Raises:
            InputError: If it is another.
        """
        value = self._told.get(name, default)
        if value not in allowed:
            raise self.bad(f"gives an unknown {name}", f"use {', '.join(allowed)}")
        return str(value)

    def text(self, name: str) -> str:
        """A text that has to be there.

        Raises:
            InputError: If it is missing, empty or no text.
        """
        value = self._told.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.bad(f"needs {name}", f"write {name} as text")
        return value

    def texts(self, name: str, most: int = 500) -> tuple[str, ...]:
        """A text or several; () where none is given.

        Raises:
            InputError: If one is no text or empty, or there are more than ``most``.
        """
        value = self._told.get(name)
        if value is None:
            return ()
        many = (value,) if isinstance(value, str) else value
        if not isinstance(many, list | tuple) or len(many) > most:
            raise self.bad(f"gives {name} that is no list", f"list up to {most} texts")
        if not all(isinstance(one, str) and one.strip() for one in many):
            raise self.bad(f"gives {name} with something that is no text", "write texts alone")
        return tuple(many)


# Texts made alike where their difference means nothing.

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


def normal(text: str, *, punctuation: bool = False, articles: bool = False) -> str:
    """A text without differences of case, width, spacing and punctuation.

    Unicode is brought to its compatibility form (NFKC), capitals are folded, punctuation marks of
    any script become spaces and spaces are single. A point or comma between digits, a sign before
    a digit, ``%`` and signs of money stay: they change a number.

    Args:
        text: Any text.
        punctuation: Keep the marks.
        articles: Leave out the English articles too.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not punctuation:
        folded = "".join(
            " " if _is_mark(folded, place) else letter for place, letter in enumerate(folded)
        )
    if articles:
        folded = _ARTICLES.sub(" ", folded)
    return " ".join(folded.split())


def _is_mark(text: str, place: int) -> bool:
    letter = text[place]
    if letter.isalnum() or unicodedata.category(letter)[0] != "P" or letter == "%":
        return False
    before, after = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
    if letter in ".,:" and before.isdigit() and after.isdigit():
        return False
    return not (letter in "-\u2010\u2212" and after.isdigit() and not before.isalnum())


def unfenced(text: str) -> str:
    """What stands in a fenced block that is the whole text; other texts as they are."""
    found = _FENCE.fullmatch(text) if "```" in text[:200] else None
    return found[1] if found else text


# Numbers as people and models write them.

_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[-+\u2212]?)(?:[$€£¥]\s?)?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<rest>\.\d+)?(?P<power>[eE][-+]?\d{1,3})?"
    r"(?![.,]?\d)"
)
_SCALE = re.compile(r"[ \t-]?(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNCLEAR = re.compile(r"(?:[kKMBT]|bn|mn|Mio|Mrd)(?![A-Za-z0-9])")


def numbers_in(text: str) -> list[float | None]:
    """Every number of a text, in order.

    ``1,234.5`` has a comma for thousands; ``3 million`` is multiplied out; a unit, ``%`` or sign of
    money beside it is left off and changes nothing. A digit inside a word (``v2``) or a chain
    (``1.2.3``, ``1,5``) is no number.

    Returns:
        Finite numbers; None for one whose scale is unclear, as ``5k``, or that is too large.
    """
    found: list[float | None] = []
    for match in _NUMBER.finditer(text):
        sign = -1.0 if match["sign"] in {"-", "\u2212"} else 1.0
        value = sign * float(
            match["whole"].replace(",", "") + (match["rest"] or "") + (match["power"] or "")
        )
        scale = _SCALE.match(text, match.end())
        if scale is not None:
            value *= _SCALES[scale[1].casefold()]
        unclear = scale is None and _UNCLEAR.match(text, match.end())
        found.append(None if unclear or not math.isfinite(value) else value)
    return found


def as_number(value: Any) -> float | None:
    """A value as a finite number: a number, or a text that holds exactly one; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    if isinstance(value, str):
        found = numbers_in(value)
        return found[0] if len(found) == 1 else None
    return None


def near(said: float, wanted: float, *, within: float, relative: float) -> bool:
    """Whether a number lies within the wider of two tolerances; both ends included.

    Args:
        said: The number to judge.
        wanted: The right one.
        within: Absolute tolerance.
        relative: Tolerance as a share of the right one.
    """
    slack = 4e-16 * max(abs(said), abs(wanted))  # rounding of the decimals as they were written
    return abs(said - wanted) <= max(within, relative * abs(wanted)) + slack


# Values of fields, compared in the sense each kind has.

KINDS = ("exact", "text", "number", "date", "set")
FieldPath = tuple[str, ...]

_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_NAMED = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.? ([a-z]{3,9})\.?,? (\d{4})")
_ENGLISH = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class How:
    """How a field is compared."""

    kind: str = ""
    """One of ``KINDS``; empty: by the type of the right value."""
    within: float = 0.0
    relative: float = 0.0


def alike(said: Any, wanted: Any, how: How) -> bool:
    """Whether a value is the right one, in the sense of its kind."""
    kind = how.kind or _kind(wanted)
    if kind == "number":
        one, other = as_number(said), as_number(wanted)
        if one is None or other is None:
            return False
        return near(one, other, within=how.within, relative=how.relative)
    if kind == "text":
        return isinstance(said, str | int | float) and _plain(said) == _plain(wanted)
    if kind == "date":
        day = as_date(said)
        return day is not None and day == as_date(wanted)
    if kind == "set":
        return _bag(said) == _bag(wanted)
    return same(said, wanted)


def _kind(wanted: Any) -> str:
    if isinstance(wanted, str):
        return "text"
    number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
    return "number" if number else "exact"


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return normal(text) or " ".join(text.split())


def _bag(value: Any) -> Counter[str]:
    """Items without their order; a single value is a list of one, a text is compared plainly."""
    items = value if isinstance(value, list | tuple) else [value]
    return Counter(f"t {_plain(one)}" if isinstance(one, str) else key_of(one) for one in items)


def key_of(value: Any) -> str:
    """A value as text, equal for equal values; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except (ValueError, RecursionError, TypeError):
        return f"deep {type(value).__name__}"


def same(said: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, and 1 is 1.0. Any depth is fine."""
    pairs = [(said, wanted)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            if one.keys() != other.keys():
                return False
            pairs += [(one[key], other[key]) for key in one]
        elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
            if len(one) != len(other):
                return False
            pairs += list(zip(one, other, strict=True))
        elif isinstance(one, bool) != isinstance(other, bool) or one != other:
            return False
    return True


def as_date(value: Any) -> date | None:
    """A day, as ISO 8601, ``24.11.2026`` or with an English month's name; else None.

    ``05/06/2026`` has two readings, and so none.
    """
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = " ".join(value.split())
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        pass
    if found := _DOTTED.fullmatch(text):
        return _day(found[3], found[2], found[1])
    low = text.casefold()
    if found := _NAMED.fullmatch(low):
        return _day(found[3], _month(found[2]), found[1])
    found = _ENGLISH.fullmatch(low)
    return _day(found[3], _month(found[1]), found[2]) if found else None


def _month(name: str) -> str:
    return str(_MONTHS.index(name[:3]) + 1) if name[:3] in _MONTHS else "0"


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def leaves(value: Mapping[str, Any], above: FieldPath = ()) -> Iterator[FieldPath]:
    """Paths to what is no object inside an object; an empty or very deep one is a leaf."""
    for key, inner in value.items():
        path = (*above, str(key))
        if isinstance(inner, Mapping) and inner and len(path) < _DEEPEST:
            yield from leaves(inner, path)
        else:
            yield path


def at(value: Any, path: FieldPath) -> tuple[bool, Any]:
    """Whether a path leads somewhere in a value, and what stands there."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value
