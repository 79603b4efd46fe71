"""What an installation brings stands in docs/evidence/dependencies.md, with its license."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import PROJECT

PAGE = (PROJECT / "docs/evidence/dependencies.md").read_text("utf-8")
COPYLEFT = re.compile(r"\bL?GPL|Lesser|\bAGPL|\bMPL|Mozilla|\bEPL|\bCDDL")


def named_in(page: str) -> set[str]:
    """Every word of the page that could be the name of a package."""
    return {
        canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9._-]+", page)
    } | {
        canonicalize_name(word.rstrip("."))
        for word in re.findall(r"[A-Za-z0-9._-]+", page)
    }


def direct(extras: Iterable[str]) -> Iterator[Requirement]:
    """What pyproject.toml asks for, its own extras followed."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"]]
    open_extras = [*extras]
    while open_extras:
        for line in project["optional-dependencies"][open_extras.pop()]:
            wish = Requirement(line)
            if wish.name == "tuneworthy":
                open_extras += wish.extras
            else:
                lines.append(line)
    yield from map(Requirement, lines)


def brought(wishes: Iterable[Requirement]) -> set[str]:
    """The names of all that comes with some requirements here, themselves among them."""
    names = set[str]()
    waiting = [*wishes]
    seen = set[str]()
    while waiting:
        wish = waiting.pop()
        extras = wish.extras or {""}
        applies = wish.marker is None or any(
            wish.marker.evaluate({"extra": extra}) for extra in extras
        )
        if str(wish) in seen or not applies:
            continue
        seen.add(str(wish))
        names.add(canonicalize_name(wish.name))
        for line in requires_of(wish.name):
            inner = Requirement(line)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in {"", *extras}
            ):
                waiting.append(Requirement(line.partition(";")[0]))
    return names


def requires_of(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # what no test needs isn't installed everywhere
        return []


def test_each_library_that_an_installation_brings_is_named() -> None:
    assert brought(direct(["all"])) - named_in(PAGE) == set()


@pytest.mark.parametrize(
    "name",
    sorted({wish.name for wish in direct(["all", "pilot", "ray"])}),
)
def test_each_of_ours_has_its_row_and_what_its_license_asks(name: str) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("| ")
    ]
    names = {canonicalize_name(row[0]): row for row in rows}
    row = names[canonicalize_name(name)]
    assert re.search(r"MIT|BSD|Apache|PSF|LGPL", " ".join(row))
    assert re.search(rf"\*\*{re.escape(row[0])}\*\*", PAGE), "why it is there"
    stated = license_of(name)
    if COPYLEFT.search(stated):
        assert COPYLEFT.search(" ".join(row)), stated


def test_what_asks_for_more_than_its_name_is_said_of_all_that_comes_along() -> None:
    strict = {
        name for name in brought(direct(["all"])) if COPYLEFT.search(license_of(name))
    }
    said = re.search(r"## Licenses\n(.*?)\n## ", PAGE, re.DOTALL)
    assert said is not None
    assert strict <= named_in(said[1])


def license_of(name: str) -> str:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    stated = about.get_all("License-Expression") or []
    kinds = about.get_all("Classifier") or []
    return " ".join([*stated, *(kind for kind in kinds if "License" in kind)])
