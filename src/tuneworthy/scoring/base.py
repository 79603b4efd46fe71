"""The parts of a scorer: its parameters, its input, and its verdict on an output."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.base import FileRecord, Record, Share, Strings, readable
from tuneworthy.model.base import wrong as refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Reply
from tuneworthy.syntax.document import ParsedFile, build

WRONG = "wrong_answer"  #: Signal of an output that has the right form and says something wrong.
NO_ANSWER = "no_answer"  #: Signal of an output with nothing in it.
FORMAT = "inconsistent_format"
#: Reason of an output that wasn't scored, as the user stopped the run.
RUN_STOPPED = "stopped"
TERMS = "terminology_errors"
VOICE = "voice_drift"
INSTRUCTIONS = "instruction_limit"

_THOUGHT = re.compile(
    r"\s*(?:"
    r"<(?P<tag>(?:seed:)?think(?:ing)?|thoughts?|reasoning)>.*?</(?P=tag)>"
    r"|\[THINK\].*?\[/THINK\]"
    r"|<\|(?P<mark>begin_of_thought|START_THINKING)\|>.*?<\|(?:end_of_thought|END_THINKING)\|>"
    r"|◁think▷.*?◁/think▷"
    r"|<\|channel\|>analysis<\|message\|>.*?<\|channel\|>final<\|message\|>"
    r")\s*",
    re.DOTALL | re.IGNORECASE,
)
"""Thinking in the open, as families of models mark it."""
_OPENED = re.compile(
    r"<(?:seed:)?think|<thought|<reasoning|\[think\]|◁think|<\|channel\|>analysis",
    re.IGNORECASE,
)
_END_OF_THOUGHT = re.compile(
    r"(?:</(?:seed:)?think(?:ing)?>|\[/THINK\]|◁/think▷|<\|channel\|>final<\|message\|>)\s*",
    re.IGNORECASE,
)


def without_thinking(text: str) -> str:
    """Remove the thinking at the beginning of a text, if it begins with any.

    Some models put their thinking between tags before the answer. Some servers put the first tag
    into the prompt, so that only the last one comes back.
    """
    thought = _THOUGHT.match(text)
    if thought is not None:
        return text[thought.end() :]
    end_alone = _END_OF_THOUGHT.search(text)
    if end_alone is not None and not _OPENED.search(text):
        return text[end_alone.end() :]
    return text


@dataclass(frozen=True)
class Output:
    """The output of a model for one case."""

    text: str
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments (JSON as the model wrote it) of each tool that is called."""
    system: str = ""  #: The system prompt as it was sent, for scorers that go by it.

    @classmethod
    def from_reply(cls, reply: Reply) -> Output:
        """The answer in a reply, without any thinking in the open."""
        return cls(without_thinking(reply.text), reply.tool_calls)

    @cached_property
    def json(self) -> Any:
        """The JSON value of the text, bare or in one fence; ``UNREAD`` where it isn't JSON."""
        from tuneworthy.text.json import read_json

        value, _ = read_json(self.text)
        return value

    @property
    def text_with_calls(self) -> str:
        """The text with the tools it calls, as people and graders see them."""
        if not self.tool_calls:
            return self.text.strip()
        calls = [{"name": name, "arguments": text} for name, text in self.tool_calls]
        return f"{self.text}\n{json.dumps(calls, ensure_ascii=False)}".strip()

    @property
    def blank(self) -> bool:
        return not self.text.strip() and not self.tool_calls


@dataclass(frozen=True, slots=True)
class Kit:
    """Materials for making scorers; any of them may be missing."""

    materials: Materials = field(default_factory=Materials)
    labels: Strings = ()
    """All labels. Where it is empty, ``label`` can't distinguish a wrong label from no label."""
    read: Callable[[str], str] | None = None
    """Reads a text file by its name beside the case, and refuses one outside; None: no files."""
    folder: Path | None = None  #: The case folder, for the user's own functions alone.
    allow_code: bool = False  #: Whether the user's own functions may run.


class Scored(Record):
    """A scorer's verdict on an output."""

    value: Share  #: 1 for right, 0 for wrong, between them for partly; 0 where ``ok`` is None.
    ok: bool | None
    """Whether the output counts as right. None where it can't be scored: then it doesn't count."""
    why: str  #: Short id of the reason, as ``label_differs``.
    #: Numbers of the reason.
    numbers: dict[str, float | int] = Field(default_factory=dict)
    about: str = ""  #: Field, word or place that decided, cut to 120 characters.
    #: Whether each field is right, where fields were compared.
    parts: dict[str, bool] = Field(default_factory=dict)
    signal: str = ""
    """The sign behind a failure: a signal of the framework, ``wrong_answer`` or ``no_answer``;
    empty for a right output."""


def right(why: str, numbers: Mapping[str, float | int] = {}) -> Scored:
    return Scored(value=1.0, ok=True, why=why, numbers=dict(numbers))


def wrong(
    why: str,
    *,
    value: float = 0.0,
    signal: str = WRONG,
    about: str = "",
    numbers: Mapping[str, float | int] = {},
) -> Scored:
    """Return the verdict on a wrong output; ``value`` is the share of it that is right."""
    if not math.isfinite(value):
        value = 0.0
    return Scored(
        value=min(1.0, max(0.0, value)),  # a quotient may be a rounding error outside
        ok=False,
        why=why,
        signal=signal,
        about=cut(about),
        numbers=dict(numbers),
    )


def conditions(why: str, faults: Sequence[Scored], n: int, **numbers: int) -> Scored:
    """Combine several conditions: right where all hold, else the first fault.

    The value is the share of the ``n`` conditions that hold. ``numbers`` are further counts to
    report.
    """
    if numbers:
        numbers["failed"] = len(faults)
    if not faults:
        return right(why, numbers)
    first = faults[0]
    share_kept = 1 - len(faults) / max(1, n)
    return first.model_copy(
        update={"value": share_kept, "numbers": numbers | first.numbers}
    )


def empty() -> Scored:
    return wrong("empty", signal=NO_ANSWER)


def unscored(why: str, about: str = "") -> Scored:
    """The verdict on an output that a scorer can't judge."""
    return Scored(value=0.0, ok=None, why=why, about=cut(about))


def cut(text: str) -> str:
    """The beginning of a text to show; halves of surrogate pairs become question marks."""
    return readable(text[:120])


class Parameters(FileRecord):
    """Parameters of a scorer as a check states them; no type is converted."""

    model_config = ConfigDict(strict=True)
    #: The parameter that may be written alone, as in ``contains: card``.
    main: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _main_alone(cls, data: Any) -> Any:
        if data is None:
            return {}
        if isinstance(data, Mapping | cls) or not cls.main:
            return data
        return {cls.main: data}


class Scorer(Parameters):
    """A measure of one output. It has no side effects and never raises, whatever the text."""

    id: ClassVar[str]  #: Its name, as ``match``.
    compares: ClassVar[bool] = False
    """Whether it compares an output with a reference, so that a case needs one."""
    #: Whether it goes by the system prompt that was sent.
    reads_system: ClassVar[bool] = False

    def prepare(self, kit: Kit) -> None:
        """Read the files beside the case that it needs; no process is started."""

    def check(self) -> None:
        """Test a scorer that needs a process, before anything is paid for."""

    def stop(self) -> None:
        """End its processes: the user stopped the run. It may return ``RUN_STOPPED`` then."""

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Score an output for a case."""
        raise NotImplementedError


class Comparer(Scorer):
    """A scorer that compares an output with the references of a case."""

    compares = True

    def accepted(self, case: EvalCase) -> Sequence[Any]:
        """References of a case that this scorer can compare with; the first represents them all."""
        raise NotImplementedError

    def compare(self, output: Output, accepted: Sequence[Any]) -> Scored:
        """The verdict on a nonblank output, with at least one accepted answer."""
        raise NotImplementedError

    def score(self, output: Output, case: EvalCase) -> Scored:
        accepted = self.accepted(case)
        if not accepted:
            return unscored("no_reference")
        return empty() if output.blank else self.compare(output, accepted)


S = TypeVar("S", bound=Scorer)


def make(kind: type[S], parameters: Any, kit: Kit) -> S:
    """Make a scorer from the parameters of a check; raise InputError for wrong ones."""

    def error(what: str, *, fix: str, where: str = "") -> InputError:
        del where  # the file isn't known here, so sentences about one are put otherwise
        what = what.removeprefix("the file ").replace("of this file", "of it")
        return InputError(one_line(f"check {kind.id}: {what}"), fix=fix)

    try:
        scorer = build(kind, ParsedFile(parameters, ""), error)
        scorer.prepare(kit)
    except PydanticCustomError as caught:
        context = caught.context or {}
        raise error(context["what"], fix=context["fix"]) from None
    return scorer


def as_texts(value: Any) -> Any:
    """Read one text or a list of texts as texts; refuse anything else."""
    many = [value] if isinstance(value, str) else value
    if not isinstance(many, list | tuple):
        raise refused("is not a list", "list texts")
    if not all(isinstance(text, str) and text.strip() for text in many):
        raise refused("holds something that is not text", "write texts alone")
    return tuple(many)


def as_stated(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        raise refused("is not text", "write it as text")
    return value


Texts = Annotated[Strings, Field(max_length=500), BeforeValidator(as_texts)]
"""A text or several."""
Stated = Annotated[str, BeforeValidator(as_stated)]  #: A text with something in it.
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


# Texts, numbers, dates and JSON values, compared in the sense that each kind has.

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_SIGN = re.compile(r"[^\w\s]|_")
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


def normal(text: str, *, punctuation: bool = False, articles: bool = False) -> str:
    """Remove differences of case, width, spacing and punctuation from a text.

    Unicode is brought to its compatibility form (NFKC), capitals become small letters, punctuation
    marks of any script become spaces, and spaces are single. A point or comma between digits, a
    sign before a digit, ``%`` and currency signs stay, as they change a number. ``punctuation``
    keeps the marks, and ``articles`` removes the English articles.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not punctuation:
        folded = _SIGN.sub(
            lambda sign: " " if _is_mark(folded, sign.start()) else sign[0], folded
        )
    if articles:
        folded = _ARTICLES.sub(" ", folded)
    return " ".join(folded.split())


def _is_mark(text: str, at: int) -> bool:
    """Whether a character is punctuation that doesn't belong to a word or a number."""
    sign = text[at]
    is_punctuation = unicodedata.category(sign).startswith("P")
    if sign.isalnum() or not is_punctuation or sign == "%":
        return False
    before = text[at - 1 : at] if at else ""
    after = text[at + 1 : at + 2]
    parts_digits = sign in ".,:" and before.isdigit() and after.isdigit()
    # a hyphen, or the sign for minus
    leads_number = sign in "-\u2010\u2212" and after.isdigit() and not before.isalnum()
    return not (parts_digits or leads_number)


def plain(text: str) -> str:
    """A text after ``normal``; a text of marks alone keeps them, as it would be empty otherwise."""
    return normal(text) or " ".join(text.split())


def unfenced(text: str) -> str:
    """The content of a fenced block, if it is the whole text; else the text."""
    block = _FENCE.fullmatch(text) if "```" in text[:200] else None
    return block[1] if block else text


def as_text(value: Any) -> str:
    """A reference as the text that a model would write for it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[-+\u2212]?)(?:[$€£¥]\s?)?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<rest>\.\d+)?(?P<power>[eE][-+]?\d{1,3})?"
    r"(?![.,]?\d)"
)
_SCALE = re.compile(r"[ \t-]?(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNCLEAR = re.compile(r"(?:[kKMBT]|bn|mn|Mio|Mrd)(?![A-Za-z0-9])")


def numbers_in(text: str) -> list[float | None]:
    """Return all numbers in a text, in order; None for one with an unclear scale (``5k``) or a huge one.

    A comma in ``1,234.5`` separates thousands; ``3 million`` is multiplied out; a unit, ``%`` or
    currency sign beside it changes nothing. A digit inside a word (``v2``) or in a chain
    (``1.2.3``, ``1,5``) isn't a number.
    """
    numbers: list[float | None] = []
    for match in _NUMBER.finditer(text):
        sign = -1.0 if match["sign"] in {"-", "\u2212"} else 1.0
        digits = match["whole"].replace(",", "")
        value = sign * float(digits + (match["rest"] or "") + (match["power"] or ""))
        scale = _SCALE.match(text, match.end())
        is_unclear = False
        if scale is not None:
            value *= _SCALES[scale[1].casefold()]
        else:
            is_unclear = _UNCLEAR.match(text, match.end()) is not None
        is_huge = not math.isfinite(value)
        numbers.append(None if is_unclear or is_huge else value)
    return numbers


def as_number(value: Any) -> float | None:
    """Return a finite number, or the only number in a text; else None."""
    if isinstance(value, str):
        numbers = numbers_in(value)
        return numbers[0] if len(numbers) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number may have any number of digits
        return None


def near(value: float, expected: float, *, within: float, relative: float) -> bool:
    """Whether a number lies within the wider of two tolerances, both ends included.

    ``within`` is absolute; ``relative`` is a share of the expected value.
    """
    # rounding of decimals as they were written
    slack = 4e-16 * max(abs(value), abs(expected))
    return abs(value - expected) <= max(within, relative * abs(expected)) + slack


class FieldRule(Parameters):
    """The rule by which a field is compared."""

    main: ClassVar[str] = "as"
    kind: Literal["exact", "text", "number", "date", "set"] | None = Field(
        None, alias="as"
    )
    """None: the type of the right value decides."""
    within: Amount = 0.0
    relative: Amount = 0.0

    def equal(self, value: Any, expected: Any) -> bool:
        """Whether a value equals the right one, by the rule of its kind."""
        match self.kind or _kind(expected):
            case "number":
                return self._near(as_number(value), as_number(expected))
            case "text":
                is_written = isinstance(value, str | int | float)
                return is_written and _words(value) == _words(expected)
            case "date":
                day = as_date(value)
                return day is not None and day == as_date(expected)
            case "set":
                return _bag(value) == _bag(expected)
        return same(value, expected)

    def _near(self, number: float | None, expected: float | None) -> bool:
        """Whether both are numbers, and near each other."""
        if number is None or expected is None:
            return False
        return near(number, expected, within=self.within, relative=self.relative)


def _kind(expected: Any) -> str:
    """Return the kind of rule for a field of which nobody states one."""
    if isinstance(expected, str):
        return "text"
    if isinstance(expected, bool):  # bool is a kind of int in Python
        return "exact"
    return "number" if isinstance(expected, int | float) else "exact"


def _words(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, default=str))


def _bag(value: Any) -> Counter[str]:
    """Count the items of a list, whatever their order; a single value is a list of one item."""
    items = value if isinstance(value, list | tuple) else [value]
    return Counter(map(_key_of, items))


def _key_of(value: Any) -> str:
    """Return a key that is equal for equal values; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, str):
        return f"t {plain(value)}"  # so that the text "1" isn't the number
    # up to 2**53 a float holds every whole number exactly
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except (ValueError, RecursionError, TypeError):  # too deep, or with mixed keys
        return f"deep {type(value).__name__}"


def same(value: Any, expected: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, and 1 is 1.0. Any depth is fine."""
    pairs = [(value, expected)]  # a list in place of recursion, which Python limits
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            pairs += [(left[key], right[key]) for key in left]
        elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
            if len(left) != len(right):
                return False
            pairs += list(zip(left, right, strict=True))
        elif isinstance(left, bool) != isinstance(right, bool) or left != right:
            return False
    return True


_MONTHS = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS = (
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})"),
    re.compile(
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\.? (?P<month>[a-z]{3,9})\.?,? (?P<year>\d{4})"
    ),
    re.compile(
        r"(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})"
    ),
)


def as_date(value: Any) -> date | None:
    """Read a day as ISO 8601, as ``24.11.2026``, or with an English month's name; else None.

    ``05/06/2026`` could be two days, so it is None.
    """
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = " ".join(value.split())
    with suppress(ValueError):
        return datetime.fromisoformat(text).date()
    for form in _DAYS:
        parts = form.fullmatch(text.casefold())
        if parts is None:
            continue
        month = parts["month"]
        begins = month[:3]
        if begins in _MONTHS:
            month = str(_MONTHS.index(begins) + 1)
        try:
            return date(int(parts["year"]), int(month), int(parts["day"]))
        except ValueError:  # no such month, or no such day in it
            return None
    return None


FieldPath = Strings
_DEEPEST = 20  # levels of an object whose fields are told apart


def leaves(value: Mapping[str, Any], above: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield the paths of values that aren't objects; an empty or very deep object is a value."""
    for key, inner in value.items():
        path = (*above, str(key))
        if isinstance(inner, Mapping) and inner and len(path) < _DEEPEST:
            yield from leaves(inner, path)
        else:
            yield path


def value_at_path(value: Any, path: FieldPath) -> tuple[bool, Any]:
    """Whether a value has this path, and the value there."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value
