"""Extensions from installed packages: formats, targets, facts, scorers, signals and options.

A package names its extensions as entry points. Formats, targets and facts are data, so their entry
point names a package that holds YAML files; the others name an object::

    [project.entry-points."tuneworthy.formats"]
    ours = "our_package.formats"

    [project.entry-points."tuneworthy.scorers"]
    polite = "our_package:Polite"

Packages are searched only when they are needed, as that reads a file of every installed package.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Literal

from tuneworthy.errors import InputError, one_line

Addition = Literal["formats", "targets", "facts", "scorers", "signals", "options"]


@cache
def plugin_texts(kind: Literal["formats", "targets", "facts"]) -> dict[str, str]:
    """The YAML files that packages add, by their names without ``.yaml``; {} for none.

    Raises:
        InputError: If a package can't be loaded, or two add a file of the same name.
    """
    texts: dict[str, str] = {}
    for entry in _entries(kind):
        try:
            for file in files(entry.value).iterdir():
                if not file.name.endswith(".yaml"):
                    continue  # a package of data has an __init__.py, too
                name = file.name.removesuffix(".yaml")
                if name in texts:
                    raise _refuse_twice(entry, name)
                texts[name] = file.read_text("utf-8")
        except (ImportError, OSError, UnicodeDecodeError) as caught:
            raise _refuse_package(entry, f"can't be read ({caught})") from caught
    # by name, because a folder lists its files in any order
    return dict(sorted(texts.items()))


@cache
def plugin_objects(kind: Literal["scorers", "signals", "options"]) -> dict[str, object]:
    """The objects that packages add, by the names of their entry points; {} for none.

    Raises:
        InputError: If a package can't be loaded, or two add something of the same name.
    """
    objects: dict[str, object] = {}
    for entry in _entries(kind):
        if entry.name in objects:
            raise _refuse_twice(entry, entry.name)
        try:
            objects[entry.name] = entry.load()
        except Exception as caught:  # whatever a package does while it is imported
            raise _refuse_package(entry, f"can't be loaded ({caught})") from caught
    return objects


def plugin_object(kind: Literal["scorers", "options"], name: str) -> object | None:
    """The object that a package adds under this name; None without one."""
    return plugin_objects(kind).get(name)


def _entries(kind: Addition) -> Iterator[EntryPoint]:
    yield from sorted(
        entry_points(group=f"tuneworthy.{kind}"), key=lambda entry: entry.name
    )


def _refuse_twice(entry: EntryPoint, name: str) -> InputError:
    return _refuse_package(entry, f'adds "{name}", which another package adds too')


def _refuse_package(entry: EntryPoint, why: str) -> InputError:
    package = entry.dist.name if entry.dist else entry.value
    what = one_line(f"{entry.group}: {entry.value} {why}")
    return InputError(
        what, where=f"the package {package}", fix=f"mend or uninstall {package}"
    )
