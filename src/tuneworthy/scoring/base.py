"""What a scorer is: its parameters, what it reads, and its verdict on an output."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.base import FileRecord, Record, Share
from tuneworthy.model.base import wrong as refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Reply
from tuneworthy.syntax.document import did_you_mean

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
        return cls(reply.text, reply.tool_calls)

    @cached_property
    def json(self) -> Any:
        """The value the text holds as JSON, bare or in one fence; ``UNREAD`` where it is none."""
        from tuneworthy.text.json import read_json

        return read_json(self.text)[0]

    @property
    def blank(self) -> bool:
        return not self.text.strip() and not self.tool_calls


@dataclass(frozen=True, slots=True)
class Kit:
    """What scorers are made from; everything may be missing."""

    materials: Materials = field(default_factory=Materials)
    labels: tuple[str, ...] = ()
    """Every label there is; where empty, ``label`` can't tell a wrong one from no label at all."""
    read: Callable[[str], str] | None = None
    """Reads a text file by its name beside the case, and refuses one outside; None: no files."""
    folder: Path | None = None
    """The case folder, for the user's own functions alone."""
    allow_code: bool = False
    """Whether the user's own functions may run."""


class Scored(Record):
    """A scorer's verdict on an output."""

    value: Share
    """1 for right, 0 for wrong, between them for partly; 0 where ``ok`` is None."""
    ok: bool | None
    """Whether it counts as right; None where it can't be scored, and then it counts as nothing."""
    why: str
    """Short id of the reason, as ``label_differs``."""
    numbers: dict[str, float | int] = {}
    """Numbers of the reason."""
    about: str = ""
    """Field, word or place that decided, cut to 120 characters."""
    signal: str = ""
    """What a failure is a sign of: a signal of the framework, or ``wrong_answer`` or
    ``no_answer``; empty for one that is right."""


def right(why: str, numbers: Mapping[str, float | int] | None = None) -> Scored:
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
    more = dict(numbers or {})
    return Scored(value=value, ok=False, why=why, numbers=more, about=cut(about), signal=signal)


def empty() -> Scored:
    return wrong("empty", signal=NO_ANSWER)


def unscored(why: str, about: str = "") -> Scored:
    """An output of which a scorer can't say anything."""
    return Scored(value=0.0, ok=None, why=why, about=cut(about))


def cut(text: str) -> str:
    """The beginning of a text, for showing; halves of surrogate pairs become question marks."""
    return text[:120].encode("utf-8", "replace").decode("utf-8")


class Parameters(FileRecord):
    """Parameters as a check writes them, read strictly."""

    model_config = ConfigDict(strict=True)
    main: ClassVar[str] = ""
    """The parameter that may be written alone, as in ``contains: card``."""

    @model_validator(mode="before")
    @classmethod
    def _main_alone(cls, data: Any) -> Any:
        if data is None:
            return {}
        if isinstance(data, Mapping | cls) or not cls.main:
            return data
        return {cls.main: data}


class Scorer(Parameters):
    """A measure of one output. It is pure, and safe on any text: it never raises."""

    id: ClassVar[str]
    """Its name, as ``match``."""
    compares: ClassVar[bool] = False
    """Whether it holds an output against a reference, so that a case needs one."""

    def prepare(self, kit: Kit) -> None:
        """Take what it needs from beside the case."""

    def score(self, output: Output, case: EvalCase, system: str = "") -> Scored:
        """How good an output is; ``system`` is the system prompt as it was sent."""
        raise NotImplementedError


S = TypeVar("S", bound=Scorer)


def make(kind: type[S], parameters: Any, kit: Kit) -> S:
    """A scorer from the parameters of a check."""
    try:
        scorer = kind.model_validate(parameters)
        scorer.prepare(kit)
    except ValidationError as caught:
        place, what, fix = _explained(caught.errors(include_url=False, include_input=False)[0])
    except PydanticCustomError as caught:
        context = caught.context or {}
        place, what, fix = "", context["what"], context["fix"]
    else:
        return scorer
    raise InputError(one_line(f"check {kind.id}{place and f': {place}'} {what}"), fix=fix) from None


_WORDS = {
    "bool_type": ("is neither true nor false", "write true or false"),
    "string_type": ("is not text", "write text"),
    "missing": ("is missing", "write it"),
    "float_type": ("is not a number", "write a number"),
    "int_type": ("is not a whole number", "write a whole number"),
    "dict_type": ("is not a mapping", "write keys and values"),
    "greater_than": ("is out of range", "write more than {gt:g}"),
    "greater_than_equal": ("is out of range", "write a number from {ge:g}"),
    "less_than_equal": ("is out of range", "write at most {le:g}"),
    "finite_number": ("is out of range", "write a finite number"),
    "string_too_long": ("is too long", "keep it under {max_length} characters"),
    "too_long": ("is too long", "list at most {max_length}"),
    "literal_error": ("is not a known word", "use {expected}"),
}


def _explained(error: Any) -> tuple[str, str, str]:
    """One error of pydantic: the parameter, what is wrong, and the fix."""
    kind, context = error["type"], error.get("ctx", {})
    place = ".".join(str(part)[:40] for part in error["loc"])
    if kind == "unknown_key":
        what = f'has no parameter "{context["key"]}"'
        return place, what, did_you_mean(context["key"], context["known"])
    if kind == "no_mapping":
        return place, "takes a mapping", f"write of: {{{', '.join(context['known'])}}}"
    if kind == "fix":
        return place, context["what"], context["fix"]
    what, fix = _WORDS.get(kind, (f"is wrong ({error['msg']})", "see the guide on scorers"))
    context["expected"] = str(context.get("expected", "")).replace("'", "")
    return place, what, fix.format(**context)


def as_texts(value: Any) -> Any:
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


Texts = Annotated[tuple[str, ...], Field(max_length=500), BeforeValidator(as_texts)]
"""A text or several."""
Stated = Annotated[str, BeforeValidator(as_stated)]
"""A text with something in it."""
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
