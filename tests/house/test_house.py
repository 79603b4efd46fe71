"""The house rules: what holds for the code itself, whatever it does."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tarfile
import tokenize
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tuneworthy

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tools"))

import house  # noqa: E402  # the tools are scripts beside the package

MOST_MODULES_OF_DECIDE = 51

# A library, and the only rooms that may know it.
ROOMS_OF: dict[str, tuple[str, ...]] = {
    "yaml": ("syntax",), "click": ("cli", "terminal", "web"), "aiohttp": ("llm",),
    "duckdb": ("traces",), "hyperscan": ("text",),
    "jsonschema_rs": ("text",), "msgspec": ("measure", "scoring", "text", "traces"),
    "rensa": ("measure",), "stdnum": ("measure",),
    "py3langid": ("measure",),
    "vl_convert": ("report",), "gepa": ("lab",), "mcp": ("mcp",),
    **dict.fromkeys(("jinja2", "markupsafe"), ("report", "web")),
    **dict.fromkeys(("fastapi", "starlette"), ("mcp", "web")), "uvicorn": ("listen",),
    "python_calamine": ("traces",), "obstore": ("traces",),
}  # fmt: skip
MAY_PRINT = ("cli", "mcp", "terminal", "web")

NO_NAMES = {
    "found",
    "given",
    "one",
    "told",
}  # of a value: it has the name of what it is

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def sources(project: Path, *folders: str) -> dict[str, str]:
    """Text of every Python file under some folders, by its name relative to the project."""
    paths = sorted(
        path for folder in folders for path in (project / folder).rglob("*.py")
    )
    return {
        path.relative_to(project).as_posix(): path.read_text("utf-8") for path in paths
    }


def definitions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, Definition]]:
    """Every function and class with its dotted name, those in classes and functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{inside}.{node.name}" if inside else node.name
            yield name, node
            yield from definitions(node, name)
        else:
            yield from definitions(node, inside)


IGNORES = re.compile(r"#\s*(type:\s*ignore|noqa)\b", re.IGNORECASE)


def silent_ignores(text: str) -> list[int]:
    """Lines with a ``type: ignore`` or ``noqa`` that names no rule or gives no reason after it."""
    if not IGNORES.search(text):
        return []  # nothing to look for among its tokens
    reasoned = r"#\s*(type:\s*ignore\[[\w, -]+\]|noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)\s+#\s*\w+\W+\w+"
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    return [
        token.start[0]
        for token in comments
        if IGNORES.search(token.string) and not re.search(reasoned, token.string)
    ]


class Module(NamedTuple):
    """What several laws ask of a module; read once, as a tree is dear to make and to keep."""

    classes: list[str]  #: Those at its top.
    libraries: set[str]
    prints: list[int]
    unnamed: list[int]


@cache
def read(text: str) -> Module:
    """Read the source of a module."""
    tree = ast.parse(text)
    nodes = [*ast.walk(tree)]
    return Module(
        classes=[node.name for node in tree.body if isinstance(node, ast.ClassDef)],
        libraries=imported(nodes),
        prints=prints(nodes),
        unnamed=unnamed(nodes),
    )


def imported(nodes: Sequence[ast.AST]) -> set[str]:
    """Top-level packages that are imported anywhere in a module, also by name at run time."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
        elif (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in {"import_module", "__import__"}:
                names.add(str(node.args[0].value))
    return {name.split(".")[0] for name in names}


def prints(nodes: Sequence[ast.AST]) -> list[int]:
    """Lines that call ``print``."""
    return [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def unnamed(nodes: Sequence[ast.AST]) -> list[int]:
    """Lines that call a value by no name of its own; a field of a record keeps its name."""
    bodies = [node.body for node in nodes if isinstance(node, ast.ClassDef)]
    fields = {
        id(item.target)
        for body in bodies
        for item in body
        if isinstance(item, ast.AnnAssign)
    }
    stored = [
        (node.lineno, node.id)
        for node in nodes
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and id(node) not in fields
    ]
    stored += [(node.lineno, node.arg) for node in nodes if isinstance(node, ast.arg)]
    return sorted(line for line, name in stored if name in NO_NAMES)


def room(name: str) -> str:
    """The room a source file of the package is in; its own name where it is in none."""
    return name.removeprefix("src/tuneworthy/").split("/")[0].removesuffix(".py")


def modules_entered(code: str) -> int:
    """Modules of the package whose functions run while some code does, in a fresh Python."""
    watch = (
        "import sys\n"
        "entered = set()\n"
        "def watch(frame, event, arg):\n"
        "    if event == 'call': entered.add(frame.f_code.co_filename)\n"
        f"{code}\n"
        "print(sum('/src/tuneworthy/' in name for name in entered))"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    return int(done.stdout.splitlines()[-1])


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after running some code."""
    report = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


# The laws ---------------------------------------------------------------------------------------


def above(
    now: dict[str, str], then: dict[str, str], book: Sequence[house.Room]
) -> dict[str, tuple[int, int]]:
    """Rooms above their ceiling that have grown, with what they have and what they may have.

    Args:
        now: Source by its path in the package.
        then: The same when the day began.
        book: Ceilings.
    """
    wrong = {}
    for room in book:
        name = " ".join(room.names)
        size = house.size_of(room, now)
        before = house.size_of(room, then)
        tokens = max(room.tokens, before.tokens)
        modules = max(room.modules, before.modules)
        if size.tokens > tokens:
            wrong[f"tokens of {name}"] = (size.tokens, tokens)
        if size.modules > modules:
            wrong[f"modules of {name}"] = (size.modules, modules)
    return wrong


def raised(now: Sequence[house.Room], then: Sequence[house.Room]) -> list[str]:
    """Rooms whose ceiling is higher than when the day began, or that left their group."""
    before = {room.names: room for room in then}
    same = [room for room in now if room.names in before]
    higher = [
        " ".join(room.names)
        for room in same
        if room.tokens > before[room.names].tokens
        or room.modules > before[room.names].modules
    ]
    total = sum(room.tokens for room in now) > sum(room.tokens for room in then)
    return higher + (["all"] if then and total else [])


@pytest.mark.slow
def test_a_room_above_its_ceiling_only_shrinks_and_no_ceiling_rises() -> None:
    commit = house.first_bound()
    if not commit:
        pytest.skip("this is not a checkout of git")
    rooms, _ = house.read_book()
    assert above(house.read_sources(), house.sources_at(commit), rooms) == {}
    assert raised(rooms, house.read_book(house.book_at(commit))[0]) == []
    named = [name for room in rooms for name in room.names]
    assert {house.room_of(path) for path in house.modules()} <= set(named)
    assert len(named) == len(set(named))


def test_growth_above_a_ceiling_and_a_ceiling_that_rises_are_seen() -> None:
    book = [house.Room(("lab",), tokens=4, modules=1)]
    small = {"lab/a.py": "a = 1\n"}
    grown = {"lab/a.py": "a = 1\nb = 2\n"}
    assert above(small, grown, book) == above(grown, grown, book) == {}
    assert above(grown, small, book) == {"tokens of lab": (6, 4)}
    split = small | {"lab/b.py": ""}
    assert above(split, small, book) == {"modules of lab": (2, 1)}
    higher = [house.Room(("lab",), tokens=5, modules=1)]
    assert raised(higher, book) == ["lab", "all"]
    assert raised(book, higher) == []
    moved = [house.Room(("lab", "web"), tokens=9, modules=1)]
    assert raised(moved, book) == ["all"]


@pytest.mark.slow
def test_the_code_gets_no_denser() -> None:
    _, before = house.read_book()
    now = house.measure_files(house.modules()).density()
    assert {
        kind: round(value, 1)
        for kind, value in now.items()
        if value > before[kind] * house.SLACK
    } == {}


AT_THE_ROOT = {
    ".ci", ".gitignore", "AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "SECURITY.md", "action.yml", "benchmarks", "docs", "evidence", "examples",
    "llms.txt", "pyproject.toml", "requirements", "skills", "src", "tests", "tools",
}  # fmt: skip


def test_nothing_stray_is_kept_at_the_root(project: Path) -> None:
    if not (project / ".git").exists():
        pytest.skip("this is not a checkout of git")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=True
    )  # fmt: skip
    names = {path.split("/")[0] for path in listed.stdout.split("\0") if path}
    assert names - AT_THE_ROOT == set()


def test_the_formatter_is_never_switched_off(project: Path) -> None:
    assert [n for n, text in sources(project, "src").items() if "# fmt:" in text] == []


@pytest.mark.slow
def test_a_class_name_is_used_once(project: Path) -> None:
    counted = Counter(
        name for text in sources(project, "src").values() for name in read(text).classes
    )
    # what one module keeps to itself may be called as in another
    private = re.compile(r"^_")
    twice = {name for name, n in counted.items() if n > 1 and not private.match(name)}
    assert twice == set()


def test_no_module_imports_itself_by_a_detour() -> None:
    import grimp

    graph = grimp.build_graph("tuneworthy", cache_dir=None)
    circles = set()
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            if graph.chain_exists(importer=other, imported=module):
                circles.add((module, other))
    assert circles == set()


@pytest.mark.slow
def test_a_decision_enters_few_modules() -> None:
    code = (
        "import tuneworthy\n"
        "case, framework = (tuneworthy.load_case('examples/task-api'),"
        " tuneworthy.load_framework('lesson'))\n"
        "tuneworthy.decide(case, framework)\n"  # what is imported late is imported now
        "sys.setprofile(watch); tuneworthy.decide(case, framework); sys.setprofile(None)"
    )
    assert modules_entered(code) <= MOST_MODULES_OF_DECIDE


def test_what_people_outside_read_is_documented() -> None:
    from tuneworthy.model.base import Record

    def below(kind: type[Any]) -> Iterator[type[Any]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    # with these every room that has records is loaded

    public: list[Any] = [
        getattr(tuneworthy, n) for n in tuneworthy.__all__ if n[0].isalpha()
    ]
    silent = {
        f"{each.__module__}.{each.__qualname__}"
        for each in [*public, *below(Record)]
        if each.__module__.startswith("tuneworthy.")
        and not each.__name__.startswith("_")
        if not (each.__doc__ or "").strip()
    }
    assert silent == set()


@pytest.mark.slow
def test_nothing_is_ignored_without_a_reason(project: Path) -> None:
    found = sources(project, "src", "tests", "benchmarks", "tools", "evidence")
    assert {
        name: lines for name, text in found.items() if (lines := silent_ignores(text))
    } == {}


@pytest.mark.slow
def test_a_library_is_known_to_its_room_alone(project: Path) -> None:
    strangers = {
        (name, library)
        for name, text in sources(project, "src").items()
        for library in read(text).libraries & set(ROOMS_OF)
        if room(name) not in ROOMS_OF[library]
    }
    assert strangers == set()


@pytest.mark.slow
def test_only_surfaces_print(project: Path) -> None:
    inner = {
        n: text
        for n, text in sources(project, "src").items()
        if room(n) not in MAY_PRINT
    }
    assert {
        name: lines for name, text in inner.items() if (lines := read(text).prints)
    } == {}


@pytest.mark.slow
def test_a_value_has_the_name_of_what_it_is(project: Path) -> None:
    texts = sources(project, "src")
    assert {
        name: lines for name, text in texts.items() if (lines := read(text).unnamed)
    } == {}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import tuneworthy") & {"numpy", "pydantic", "yaml"} == set()


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from tuneworthy.cli import run; run(['--help'])\n"
        "print(*(name for name in sys.modules if name.startswith('tuneworthy.cli.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.slow
def test_a_decision_loads_neither_the_interview_nor_a_lab_nor_a_server() -> None:
    code = (
        "import sys; from tuneworthy.cli import run; run(['decide', 'examples/task-api'])\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('tuneworthy.')})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    rooms = set(done.stdout.splitlines()[-1].split())
    assert "verdict" in rooms
    assert (
        rooms & {"interview", "lab", "mcp", "scoring", "terminal", "traces", "web"}
        == set()
    )


def test_the_catalogue_is_readable_wherever_the_package_is(package: Path) -> None:
    names = {path.name for path in (package / "framework" / "catalogue").iterdir()}
    assert "lesson.yaml" in names
    catalogue = files("tuneworthy.framework").joinpath("catalogue")
    for name in names:
        assert catalogue.joinpath(name).read_text(encoding="utf-8").strip()
    assert files("tuneworthy").joinpath("py.typed").is_file()


@pytest.mark.slow
def test_wheel_and_source_archive_carry_the_data(project: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", tmp_path],
        cwd=project, check=True, capture_output=True,
    )  # fmt: skip
    data = (
        {"py.typed"}
        | {
            f"framework/catalogue/{path.name}"
            for path in (project / "src/tuneworthy/framework/catalogue").iterdir()
        }
        | {
            f"report/templates/{path.name}"
            for path in (project / "src/tuneworthy/report/templates").iterdir()
        }
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert {f"tuneworthy/{name}" for name in data} <= set(wheel.namelist())
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/tuneworthy/{name}" for name in data} | {
        "LICENSE",
        "Makefile",
    } <= inside
    assert not any(name.startswith((".venv", "build/", ".git/")) for name in inside)


def test_there_is_one_version(project: Path) -> None:
    told = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"][
        "version"
    ]
    assert told == tuneworthy.__version__ == metadata.version("tuneworthy")
    assert told in (project / "CHANGELOG.md").read_text("utf-8")


# The laws can fail ------------------------------------------------------------------------------


def test_packing_is_counted_wherever_it_hides() -> None:
    text = (
        "import os, re\n"
        "a, b = 1, 2\n"
        "c = d, e = f()\n"
        "g = 1 if a else 2\n"
        "h = [i for j in k for i in j]\n"
        "l = [m for m in [n for n in o]]\n"
        "p = [q for q in r]\n"
        "class _Going:\n    def of(self): ...\n"
        "a, b = b, a\n"
    )
    size = house.measure_text(text, "m.py")
    assert (size.statements, size.packed_assignments, size.if_expressions) == (10, 1, 1)
    assert size.nested_comprehensions == 2
    assert size.riddles == ("m.py:8 _Going", "m.py:9 of")
    assert house.Size().density() == dict.fromkeys(house.Size().density(), 0)


# The policy on skips ------------------------------------------------------------------------------

WAYS_TO_SKIP = {
    "call": "def test_it(): pytest.skip('mine')",
    "mark": "@pytest.mark.skip(reason='mine')\ndef test_it(): pass",
    "fixture": "@pytest.fixture\ndef f(): pytest.skip('mine')\ndef test_it(f): pass",
    "unittest": "class T(unittest.TestCase):\n  def test_it(self): raise unittest.SkipTest('mine')",
    "module": "pytest.skip('mine', allow_module_level=True)",
}


@pytest.fixture
def suite(pytester: pytest.Pytester, project: Path) -> pytest.Pytester:
    """A small suite under the skip policy of this one."""
    pytester.makeconftest((project / "tests" / "conftest.py").read_text("utf-8"))
    (pytester.path / "skips.txt").write_text("# a comment\nagreed\n", encoding="utf-8")
    return pytester


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS_TO_SKIP)
def test_a_skip_nobody_agreed_to_fails_a_strict_run(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("TUNEWORTHY_STRICT_SKIPS", "1")
    suite.makepyfile(f"import unittest, pytest\n{WAYS_TO_SKIP[way]}\n")
    done = suite.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert done.ret != 0
    assert "not in tests/skips.txt: mine" in done.stdout.str()
