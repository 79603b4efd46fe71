"""The use case as told: what a person writes in ``case.yaml``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from tuneworthy.domain.answers import SimpleAnswer, SimpleCheck
from tuneworthy.domain.economics import Economics, Quantity, Serving
from tuneworthy.domain.goals import Goal, Goals
from tuneworthy.domain.holdings import Data
from tuneworthy.domain.record import (
    FileRecord,
    Ident,
    Name,
    Natural,
    NonNegative,
    Share,
    Text,
    Tri,
    inside_folder,
    shown,
    wrong,
)


class Attempt(FileRecord):
    """Something that was tried, in order; it becomes a stage with its own verdict."""

    name: Name
    """What the attempt is called."""
    change: Text = ""
    """What was changed."""
    result: Text = ""
    """What came of it."""
    prompts: Natural = 1
    """How many prompts were compared in it."""
    models: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    """The models it was run with."""
    tried: Annotated[tuple[Ident, ...], Field(max_length=100)] = ()
    """Options of the framework it made use of, such as few_shot or constrained_output."""
    ceiling: dict[str, SimpleCheck] = {}
    """Checks whose answer was different at that time."""
    factors: dict[str, SimpleAnswer] = {}
    """Factors whose answer was different at that time."""


class QualityTarget(FileRecord):
    """The quality that is good enough."""

    metric: Name = "quality"
    """How it is measured."""
    at_least: Share
    """The share that has to be reached."""


class Targets(FileRecord):
    """What the system has to meet, all of it."""

    quality: QualityTarget | None = None
    """Quality that is good enough."""
    latency_p95_s: NonNegative | None = None
    """Seconds within which 95 of 100 answers have to arrive."""
    usd_per_month: NonNegative | None = None
    """USD a month it may cost to run."""


class Today(FileRecord):
    """What the present system does, as far as it is known."""

    quality: Share | None = None
    """Share of cases it gets right, by the metric of the target."""
    cases: Natural | None = None
    """How many cases that share was counted on."""
    latency_p95_s: Quantity | None = None
    """Seconds within which 95 of 100 answers arrive."""
    usd_per_month: Quantity | None = None
    """USD a month it costs to run."""
    retrieval_recall: Share | None = None
    """Share of questions for which the passage that holds the answer is retrieved."""
    api: Literal["third_party", "own", "unknown"] = "unknown"
    """Who runs the model that sees the prompts today."""


class TokenPrice(FileRecord):
    """USD for a million tokens."""

    input: NonNegative
    """Of input."""
    output: NonNegative
    """Of output."""
    cached_input: NonNegative | None = None
    """Of input read from a cache."""
    batch_discount: Share | None = None
    """Share of the price that is left off when calls are sent as a batch."""


class PublishedScore(FileRecord):
    """What somebody else measured of a tuned model, on cases that aren't the team's."""

    metric: Name
    """How it was measured there, as ``accuracy``."""
    quality: Share
    """Share of cases it got right there."""
    cases: Annotated[Natural, Field(ge=1)]
    """How many cases that share was counted on."""
    source: Name
    """Where it stands: an address or a citation."""
    dated: date
    """When it was published."""


class Model(FileRecord):
    """A model in use or in question."""

    id: Name
    """Provider and name, as ``openai:gpt-4o``."""
    base_url: Annotated[str, Field(max_length=500)] | None = None
    """Where it is served, when not at its provider's usual address."""
    kind: Literal["prompted", "tuned"] = "prompted"
    """Used as it comes, or tuned."""
    usd_per_mtok: TokenPrice | None = None
    """Its price; 0 is a price."""
    quality: Share | None = None
    """Share of cases it gets right, by the metric of the target."""
    cases: Natural | None = None
    """How many cases that share was counted on."""
    latency_p95_s: NonNegative | None = None
    """Seconds within which 95 of 100 of its answers arrive."""
    runs: Literal["third_party", "own", "unknown"] = "unknown"
    """Who runs it and so sees the prompts."""
    serving: Serving | None = None
    """How it is served, when not as economics.serving says."""
    published: PublishedScore | None = None
    """A figure somebody published of it, in place of a model: it can't be called or served."""

    @model_validator(mode="after")
    def _nothing_beside_a_published_figure(self) -> Model:
        if self.published is None:
            return self
        if self.kind != "tuned":
            fix = "write kind: tuned; a model that is prompted can be tried here"
            raise wrong("has a published figure and isn't tuned", fix)
        if more := sorted(self.model_fields_set - {"id", "kind", "published"}):
            what = f"has {more[0]} beside a published figure, which is no model to call"
            raise wrong(what, f"leave {more[0]} out, or name the served model on its own")
        return self

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not re.match(r"https?://[^\s/]", value):
            raise wrong(
                f'is "{shown(value)}"', "write an address that starts with https:// or http://"
            )
        if "?" in value or "#" in value:
            raise wrong("carries a query", "keep keys in the environment, never in an address")
        if "@" in re.split(r"[/?#]", value.split("://", 1)[1])[0]:
            raise wrong("carries a user or a key", "keep keys in the environment, never in a file")
        return value


class Tuning(FileRecord):
    """How the tuning would be done, as far as that is known."""

    service: Literal["hosted", "self_hosted", "unknown"] = "unknown"
    """Who would run the training: a provider's service, or the team itself."""
    available: Tri = "unknown"
    """Whether that service takes new work and will still serve the model."""
    until: date | None = None
    """The day on which the service ends, when one is announced."""
    pilot: Tri = "unknown"
    """Whether a pilot comes first."""
    model_switch: Tri = "unknown"
    """Whether another base model is planned for the near future."""


class Safety(FileRecord):
    """Responsible tuning: a model learns what is in its data."""

    data_reviewed: Tri = "unknown"
    """Whether the data was reviewed for bias, harm and personal data."""
    process_named: Tri = "unknown"
    """Whether somebody and some process are named for safety."""


class Case(FileRecord):
    """A use case. A key that is absent means unknown."""

    name: Name
    """What the use case is called."""
    description: Text = ""
    """What it does, for people."""
    framework: str | None = None
    """Framework to judge by: a name, or a file beside the case. The lesson when absent."""
    goals: Goals = ()
    """What tuning should bring, the primary goal first."""
    ceiling: dict[str, SimpleCheck] = {}
    """The checks of the ceiling test."""
    signals: dict[str, SimpleAnswer] = {}
    """Signs that prompting has reached its limit."""
    factors: dict[str, SimpleAnswer] = {}
    """Reasons for tuning and reasons against it."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=200)] = ()
    """What was tried, in order."""
    targets: Targets = Targets()
    """What has to be met."""
    today: Today = Today()
    """What the present system does."""
    economics: Economics = Economics()
    """Money and traffic."""
    strategic_value: Literal["low", "medium", "high", "unknown"] = "unknown"
    """What it is worth beyond money."""
    data: Data = Data()
    """What the team has."""
    models: Annotated[tuple[Model, ...], Field(max_length=200)] = ()
    """Models in use or in question."""
    tuning: Tuning = Tuning()
    """How it would be tuned."""
    safety: Safety = Safety()
    """Whether it can be done responsibly."""

    _where: Callable[[tuple[str | int, ...]], str] | None = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)
    _supposed: frozenset[str] = PrivateAttr(default=frozenset())
    _ran: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def callable_models(self) -> tuple[Model, ...]:
        """Its models but for those of which only a published figure is there."""
        return tuple(model for model in self.models if model.published is None)

    def where(self, *path: str | int) -> str:
        """File and line of a value, for errors; just the dotted path when there is no file."""
        return self._where(path) if self._where else ".".join(map(str, path))

    @property
    def folder(self) -> Path | None:
        """The folder its data lie in; None for a case that came from a mapping."""
        return self._folder

    @property
    def supposed(self) -> frozenset[str]:
        """Dotted paths of what is only supposed, as a what-if: no measurement overrules them."""
        return self._supposed

    @property
    def ran(self) -> frozenset[str]:
        """Options of the framework that a lab has run on its cases."""
        return self._ran

    def placed(
        self,
        where: Callable[[tuple[str | int, ...]], str],
        folder: Path | None = None,
        supposed: frozenset[str] = frozenset(),
        ran: frozenset[str] = frozenset(),
    ) -> Case:
        """The same case, knowing where its values stand, where its data lie, what is a what-if.

        ``ran`` names options that a lab has run on its cases.
        """
        self._where, self._folder, self._supposed, self._ran = where, folder, supposed, ran
        return self

    @field_validator("framework")
    @classmethod
    def _framework_inside(cls, value: str | None) -> str | None:
        return None if value is None else inside_folder(value)

    @field_validator("goals")
    @classmethod
    def _goals_once(cls, value: tuple[Goal, ...]) -> tuple[Goal, ...]:
        if len(set(value)) < len(value):
            raise wrong("names a goal twice", "keep each goal once, the primary one first")
        return value
