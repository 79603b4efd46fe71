"""What a scorer is given and what it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tuneworthy.domain.calls import Reply
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.materials import Materials
from tuneworthy.domain.record import Record, Share

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
        from tuneworthy.texts.json_text import read_json

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
