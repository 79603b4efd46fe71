"""Configuration for all cases: a user's own, and a project's.

A user's own configuration is ``~/.config/tuneworthy/config.yaml``. A project's is the nearest
``tuneworthy.yaml`` upwards from a case. It may be a stranger's, as a case file may, so it names no
address and no host, and no money is spent by its budget alone. A case file goes before both, and a
project's configuration goes before the user's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tuneworthy.errors import CaseError, InputError
from tuneworthy.facts.load import OwnFacts, add_facts_from
from tuneworthy.files.case import read_case
from tuneworthy.files.disk import MIB, read_text, with_home
from tuneworthy.llm.hosts import config_path, read_host, shorten_path
from tuneworthy.model.base import FileRecord, Name, NonNegative, wrong
from tuneworthy.model.case import Case, DefaultValue, Model, Quantity, defaults_sentence
from tuneworthy.syntax.document import ParsedFile, build, parse
from tuneworthy.words import listing, number, small_usd

PROJECT_FILE = "tuneworthy.yaml"
_OWN_FILE = "put it into your own file, ~/.config/tuneworthy/config.yaml"
_MOST_MODELS = 50  #: Of a configuration.


def _host(text: str) -> str:
    """Check a host that a configuration lists."""
    try:
        return read_host(text)
    except CaseError:
        what = f'holds "{text[:80]}", which is not a host'
        raise wrong(what, "write llm.example.com") from None


def _model(value: Any) -> Any:
    """Read a model as people write it; its id alone is enough."""
    return {"id": value} if isinstance(value, str) else value


def _id_alone(value: Any) -> Any:
    """Refuse anything but the id of a project's model, because an address could be a stranger's."""
    if isinstance(value, Mapping):
        raise wrong("is more than the id of a model", f"write the id; or {_OWN_FILE}")
    return value


class FactsSource(FileRecord):
    """A file of facts of one's own, beside the facts that ship."""

    path: Annotated[str, Field(min_length=1, max_length=500)]
    """The path of the file; a relative path starts at the folder of the configuration."""


class ProjectConfig(FileRecord):
    """A project's settings for the cases in it."""

    hourly_rate_usd: Quantity | None = None  #: USD an hour of the team's work.
    models: Annotated[
        tuple[Annotated[Name, BeforeValidator(_id_alone)], ...],
        Field(max_length=_MOST_MODELS),
    ] = ()
    """Models for a case that names none, by their ids; the first is in use."""
    budget_usd: NonNegative | None = None
    """The most a lab may cost where no --budget is given; it can only lower the user's own budget."""

    @model_validator(mode="before")
    @classmethod
    def _no_address(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "hosts" in data:
            raise wrong("names hosts, which a project can't confirm", _OWN_FILE)
        if isinstance(data, Mapping) and "facts" in data:
            raise wrong("names a file of facts, which a project can't add", _OWN_FILE)
        return data


class UserConfig(FileRecord):
    """A user's settings for all cases."""

    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    """Hosts that models may be called at, besides those of their vendors."""
    hourly_rate_usd: Quantity | None = None  #: USD an hour of the team's work.
    models: Annotated[
        tuple[Annotated[Model, BeforeValidator(_model)], ...],
        Field(max_length=_MOST_MODELS),
    ] = ()
    """Models for a case that names none, by their ids or with all their fields; the first is in
    use."""
    #: The most a lab may cost where no --budget is given.
    budget_usd: NonNegative | None = None
    facts: FactsSource | None = None
    """A file with models and services of the user or the organization, in the form of the
    catalogue."""

    @property
    def confirmed_hosts(self) -> frozenset[str]:
        """The hosts that are listed, and the hosts of the models in this configuration."""
        named = (model.base_url for model in self.models)
        return frozenset({*self.hosts, *(read_host(url) for url in named if url)})


C = TypeVar("C", ProjectConfig, UserConfig)


def read_config() -> UserConfig:
    """Read the user's own configuration; without a file it is empty."""
    path = config_path()
    if path is None or not os.path.lexists(path):
        return UserConfig()
    return _read(path, UserConfig)


_MOST_FACTS = 4 * MIB


@add_facts_from
def read_own_facts() -> OwnFacts | None:
    """Read the file of facts that the user's configuration names; None where it names none."""
    place = config_path()
    source = read_config().facts
    if place is None or source is None:
        return None
    path = place.parent / with_home(source.path)
    return OwnFacts(str(path), read_text(path, _MOST_FACTS, InputError))


def find_upwards(name: str, folder: Path) -> Path | None:
    """Find a file of this name in a folder or in the nearest one above it; None if there is none.

    A folder that everybody may write to, such as ``/tmp``, is passed over, because nobody knows who
    put the file there.
    """
    # texts, as this is asked for each case of a list, and making paths takes most of the time
    start = os.path.abspath(folder)  # noqa: PTH100  # never raises
    place = start
    while True:
        path = os.path.join(place, name)  # noqa: PTH118  # see above
        # The folder itself was named by the user, so its files are meant.
        exists = os.path.lexists(path)
        if exists and (place == start or not _is_everybodys(Path(place))):
            return Path(path)
        above = os.path.dirname(place)  # noqa: PTH120  # see above
        if above == place:
            return None
        place = above


def _is_everybodys(folder: Path) -> bool:
    """Whether everybody may write into a folder, as its mode says; unreadable ones count, too."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return True
    # The sticky bit marks folders that are shared on purpose, as /tmp is.
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def find_project_file(folder: Path) -> Path | None:
    """Find the nearest configuration of a project, upwards from a folder; None if there is none."""
    path = find_upwards(PROJECT_FILE, folder)
    if path is not None and path.is_symlink():
        raise InputError("is a link", where=path, fix="put the file itself there")
    return path


def _read(path: Path, kind: type[C]) -> C:
    config: C = _built(read_text(path, MIB, InputError), str(path), kind)
    return config


@lru_cache(maxsize=64)  # a list of cases reads the same file for each of them
def _built(text: str, name: str, kind: type[C]) -> C:
    """Read the text of a configuration; an empty file states nothing."""
    parsed = parse(text, name, InputError)
    data = {} if parsed.data is None else parsed.data
    config: C = build(kind, ParsedFile(data, parsed.name, parsed.lines), InputError)
    return config


class _Place(NamedTuple):
    """A configuration with the name that messages give its file."""

    config: ProjectConfig | UserConfig
    file: str


def _places(folder: Path) -> list[_Place]:
    """The configurations that count for a case, in the order in which they are asked."""
    places: list[_Place] = []
    path = find_project_file(folder)
    if path is not None:
        shown = os.path.relpath(path, folder)
        places.append(_Place(_read(path, ProjectConfig), shown))
    own = config_path()
    if own is not None and os.path.lexists(own):
        places.append(_Place(_read(own, UserConfig), shorten_path(own)))
    return places


def with_defaults(case: Case) -> Case:
    """Fill in what a case doesn't state from the configurations; the case's origin lists it.

    A case without a folder gets no defaults.
    """
    if case.folder is None:
        return case
    used: list[DefaultValue] = []
    # The first configuration that says something counts, as the case has it then.
    for place in _places(case.folder):
        case = _with_rate(case, place, used)
        case = _with_models(case, place, used)
    if not used:
        return case
    return case.with_origin(replace(case.origin, defaults=tuple(used)))


def _with_rate(case: Case, place: _Place, used: list[DefaultValue]) -> Case:
    """A case with the hourly rate of a configuration, if it has none; ``used`` lists it then."""
    rate = place.config.hourly_rate_usd
    if rate is None or case.economics.hourly_rate_usd is not None:
        return case
    path = "economics.hourly_rate_usd"
    used.append(DefaultValue(path=path, value=_range(rate), file=place.file))
    economics = case.economics.model_copy(update={"hourly_rate_usd": rate})
    return case.model_copy(update={"economics": economics})


def _with_models(case: Case, place: _Place, used: list[DefaultValue]) -> Case:
    """A case with the models of a configuration, if it has none; ``used`` lists them then."""
    # A project names its models by their ids alone.
    ids_or_models = place.config.models
    if not ids_or_models or case.models:
        return case
    models = [Model(id=m) if isinstance(m, str) else m for m in ids_or_models]
    names = listing([model.id for model in models])
    used.append(DefaultValue(path="models", value=names, file=place.file))
    return case.model_copy(update={"models": tuple(models)})


def _range(rate: Quantity) -> str:
    """A quantity as a case file has it: 80, or 80-120."""
    if rate.high > rate.low:
        return f"{number(rate.low)}-{number(rate.high)}"
    return number(rate.low)


def describe_defaults(path: Path) -> str:
    """A sentence on what a configuration supplies for a case file; empty where it supplies nothing."""
    if not os.path.lexists(path) or not _places(path.parent):
        return ""
    return defaults_sentence(with_defaults(read_case(path)).origin.defaults)


def defaults_text(folder: Path) -> str:
    """The texts of the files that supply a case's defaults; they tell whether a default changed."""
    paths = (find_project_file(folder), config_path())
    existing = [path for path in paths if path is not None and os.path.lexists(path)]
    texts = [f"{path}\n{read_text(path, MIB, InputError)}" for path in existing]
    return "\n".join(texts)


class DefaultBudget(NamedTuple):
    """The budget of a lab where a command names none, with a sentence about its origin."""

    usd: float
    says: str  #: Where it is from; empty where nobody named one.


def find_budget(folder: Path) -> DefaultBudget:
    """Find the user's own budget, lowered to a project's where the project names a smaller one.

    A project's budget alone is shown and lets nothing be spent, because its file may be a
    stranger's.
    """
    own = None
    project = None
    own_file = ""
    project_file = ""
    for config, file in _places(folder):
        if isinstance(config, UserConfig):
            own = config.budget_usd
            own_file = file
        else:
            project = config.budget_usd
            project_file = file
    if own is None:
        if project is None:
            return DefaultBudget(0.0, "")
        amount = small_usd(project)
        fix = f"add --budget {number(project)} to spend it"
        return DefaultBudget(0.0, f"{project_file} names a budget of {amount}: {fix}")
    if project is not None and project < own:
        return DefaultBudget(project, f"Budget {small_usd(project)}, by {project_file}")
    return DefaultBudget(own, f"Budget {small_usd(own)}, by {own_file}")
