"""The published cases, as far as comparisons and counts of winners read them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, RootModel

from tuneworthy.errors import CaseError
from tuneworthy.model.base import Name, Record, Text
from tuneworthy.model.framework import Goal
from tuneworthy.syntax.document import build, parse

CASES = Path(__file__).with_name("cases.yaml")

_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*")


def _to_source_text(value: Any) -> Any:
    """Figures stay as their source gives them; a quoted null is nothing."""
    if isinstance(value, str) and value.strip().casefold() in {"", "null", "~"}:
        return None
    if isinstance(value, int | float):
        return str(value)
    return value


SourceText = Annotated[Text | None, BeforeValidator(_to_source_text)]
"""A figure in the words of its source: "0.83", "41%", "about 9 million a month"; or None."""


class PublishedArm(Record):
    """One approach that was tried, with what it came to."""

    model_config = ConfigDict(extra="ignore")

    approach: SourceText = None  #: What was done.
    model: SourceText = None  #: The model it was done with.
    base_model: SourceText = None  #: For tuning: the model that was tuned.
    metric: SourceText = None  #: How it was measured.
    value: SourceText = None  #: What it came to, as the source says it.

    @property
    def model_name(self) -> str:
        """The model in small letters, without what the source says of it in brackets."""
        name = (self.model or self.base_model or "").lower()
        return re.sub(r"\(.*", "", name).strip()


class PublishedCase(Record):
    """A task on which several approaches were tried and somebody published what came out.

    The file has more: the situation, and what three coders answered about it.
    """

    model_config = ConfigDict(extra="ignore")

    id: Name
    year: int | None = None
    cluster: Name | None = None
    source_url: Text = ""
    source_status: Literal["read", "recalled"] = "recalled"
    goal_kind: Goal | None = None
    baseline: PublishedArm | None = None  #: Where it started.
    best_prompt: PublishedArm | None = None  #: The best that prompting reached.
    other_model: PublishedArm | None = None  #: Another model with a prompt.
    rag: PublishedArm | None = None  #: Retrieval.
    fine_tuned: PublishedArm | None = None  #: Tuning.
    winner: str  #: What measured best, or ``tie``.

    @property
    def group(self) -> str:
        """The paper or company; the case's own id where it stands alone."""
        return self.cluster or self.id

    @property
    def address(self) -> str:
        """The first web address of its source, without the punctuation behind it; empty for none."""
        match = _URL.search(self.source_url)
        url = match[0].rstrip(".,;:!?*") if match else ""
        while url.endswith(")") and url.count(")") > url.count("("):
            url = url[:-1].rstrip(".,;:!?*")
        return url


class PublishedCases(RootModel[tuple[PublishedCase, ...]]):
    """A file of them."""


@cache
def published_cases() -> tuple[PublishedCase, ...]:
    """The cases that lie beside this file."""
    document = parse(CASES.read_text("utf-8"), str(CASES), CaseError)
    return build(PublishedCases, document, CaseError).root
