"""The house rules: what holds for the code itself, whatever it does."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tokenize
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import pytest

import tuneworthy

MOST_LINES_OF_A_MODULE = 300
MOST_LINES_OF_A_FUNCTION = 40  # its docstring not counted

# Exceptions: the place, and why it is better long. An exception that is no longer needed fails.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

# A library, and the only rooms that may know it.
ROOMS_OF: dict[str, tuple[str, ...]] = {
    "yaml": ("syntax",), "click": ("surfaces",), "aiohttp": ("calls",), "genai_prices": ("calls",),
    "duckdb": ("files", "gather"), "hyperscan": ("texts",), "zstandard": ("files",),
    "jsonschema_rs": ("scoring", "texts"), "msgspec": ("files", "gather", "texts"),
    "blake3": ("files",), "rensa": ("gather",), "wordllama": ("gather",),
    "altair": ("report",), "vl_convert": ("report",), "gepa": ("labs",),
    **dict.fromkeys(("jinja2", "markupsafe"), ("report", "surfaces")),
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "mcp", "questionary"), ("surfaces",)),
}  # fmt: skip

# A function under one of these decorators is told by its name and by what it returns.
SPEAKS_FOR_ITSELF = {"says": "the words of the challenge it is named after"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def sources(project: Path, *folders: str) -> dict[str, str]:
    """Text of every Python file under some folders, by its name relative to the project."""
    paths = sorted(path for folder in folders for path in (project / folder).rglob("*.py"))
    return {path.relative_to(project).as_posix(): path.read_text("utf-8") for path in paths}


def definitions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, Definition]]:
    """Every function and class with its dotted name, those in classes and functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{inside}.{node.name}" if inside else node.name
            yield name, node
            yield from definitions(node, name)
        else:
            yield from definitions(node, inside)


def body_lines(node: Definition) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    first = node.body[0]
    told = ast.get_docstring(node, clean=False) is not None
    documented = (first.end_lineno or first.lineno) - first.lineno + 1 if told else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - documented


def long_functions(text: str) -> list[str]:
    """Functions longer than they may be."""
    return [
        name
        for name, node in definitions(ast.parse(text))
        if not isinstance(node, ast.ClassDef) and body_lines(node) > MOST_LINES_OF_A_FUNCTION
    ]


def decorators(node: Definition) -> set[str]:
    """Names of the plain decorators of a function or class."""
    return {each.id for each in node.decorator_list if isinstance(each, ast.Name)}


def undocumented(text: str) -> list[str]:
    """The module, and public classes, functions and methods, that lack a docstring."""
    tree = ast.parse(text)
    functions = {name for name, node in definitions(tree) if not isinstance(node, ast.ClassDef)}
    lacking = [] if ast.get_docstring(tree) else ["the module"]
    for name, node in definitions(tree):
        parts = name.split(".")
        within = {".".join(parts[:n]) for n in range(1, len(parts))}
        public = not any(part.startswith("_") for part in parts) and not within & functions
        public = public and not decorators(node) & set(SPEAKS_FOR_ITSELF)
        if public and not ast.get_docstring(node):
            lacking.append(name)
    return lacking


def silent_ignores(text: str) -> list[int]:
    """Lines with a ``type: ignore`` or ``noqa`` that names no rule or gives no reason after it."""
    found = r"#\s*(type:\s*ignore|noqa)\b"
    reasoned = r"#\s*(type:\s*ignore\[[\w, -]+\]|noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)\s+#\s*\w+\W+\w+"
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    return [
        token.start[0]
        for token in comments
        if re.search(found, token.string, re.IGNORECASE) and not re.search(reasoned, token.string)
    ]


def imported(text: str) -> set[str]:
    """Top-level packages that are imported anywhere in a module, also by name at run time."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in {"import_module", "__import__"}:
                names.add(str(node.args[0].value))
    return {name.split(".")[0] for name in names}


def prints(text: str) -> list[int]:
    """Lines that call ``print``."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def room(name: str) -> str:
    """The room a source file of the package stands in; its own name where it stands in none."""
    return name.removeprefix("src/tuneworthy/").split("/")[0]


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after running some code."""
    report = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


# The laws ---------------------------------------------------------------------------------------


def test_no_module_is_long_without_a_reason(project: Path) -> None:
    found = sources(project, "src", "benchmarks", "tools")
    long = {name for name, text in found.items() if text.count("\n") > MOST_LINES_OF_A_MODULE}
    assert long == set(LONG_MODULES)


def test_no_function_is_long_without_a_reason(project: Path) -> None:
    found = sources(project, "src", "benchmarks", "tools")
    long = {f"{name}:{function}" for name in found for function in long_functions(found[name])}
    assert long == set(LONG_FUNCTIONS)


def test_everything_public_is_documented(project: Path) -> None:
    found = sources(project, "src")
    assert {name: lacking for name, text in found.items() if (lacking := undocumented(text))} == {}


def test_nothing_is_ignored_without_a_reason(project: Path) -> None:
    found = sources(project, "src", "tests", "benchmarks", "tools")
    assert {name: lines for name, text in found.items() if (lines := silent_ignores(text))} == {}


def test_a_library_is_known_to_its_room_alone(project: Path) -> None:
    strangers = {
        (name, library)
        for name, text in sources(project, "src").items()
        for library in imported(text) & set(ROOMS_OF)
        if room(name) not in ROOMS_OF[library]
    }
    assert strangers == set()


def test_only_surfaces_print(project: Path) -> None:
    found = {n: text for n, text in sources(project, "src").items() if room(n) != "surfaces"}
    assert {name: lines for name, text in found.items() if (lines := prints(text))} == {}


def test_imports_keep_to_the_picture_of_the_rooms(project: Path) -> None:
    command = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import tuneworthy") & {"numpy", "pydantic", "yaml"} == set()


def test_help_does_no_arithmetic_and_writes_no_yaml() -> None:
    code = (
        "from tuneworthy.cli import main\n"
        "import sys; sys.argv = ['tuneworthy', '--help']\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code, done.code"
    )
    assert loaded_by(code) & {"numpy"} == set()


def test_the_catalogue_is_readable_wherever_the_package_is(package: Path) -> None:
    names = {path.name for path in (package / "framework" / "catalogue").iterdir()}
    assert "lesson.yaml" in names
    catalogue = files("tuneworthy.framework").joinpath("catalogue")
    for name in names:
        assert catalogue.joinpath(name).read_text(encoding="utf-8").strip()
    assert files("tuneworthy").joinpath("py.typed").is_file()


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
            f"report/html/templates/{path.name}"
            for path in (project / "src/tuneworthy/report/html/templates").iterdir()
        }
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert {f"tuneworthy/{name}" for name in data} <= set(wheel.namelist())
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/tuneworthy/{name}" for name in data} | {"LICENSE", "Makefile"} <= inside
    assert not any(name.startswith((".venv", "build/", ".git/")) for name in inside)


def test_there_is_one_version(project: Path) -> None:
    told = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert told == tuneworthy.__version__ == metadata.version("tuneworthy")
    assert told in (project / "CHANGELOG.md").read_text("utf-8")


# The laws can fail ------------------------------------------------------------------------------


def test_a_function_is_measured_without_its_docstring() -> None:
    body = "    x = 1\n" * (MOST_LINES_OF_A_FUNCTION - 1)
    assert long_functions(f'def f():\n    """Says\n    much.\n    """\n{body}') == []
    assert long_functions(f"class A:\n  def f():\n{body}    y = 2\n") == ["A.f"]


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("def f(): pass", ["the module", "f"]),
        ("'''M.'''\nclass A:\n  '''A.'''\n  def g(self): pass", ["A.g"]),
        ("'''M.'''\n@says\ndef f(): pass\n@cache\ndef g(): pass", ["g"]),
        ("'''M.'''\ndef _f(): pass\nclass _A:\n  def g(self): pass", []),
        ("'''M.'''\ndef f():\n  '''F.'''\n  def g(): pass\n  class B:\n    def h(): pass", []),
    ],
)
def test_what_is_public_wants_a_docstring(text: str, lacking: list[str]) -> None:
    assert undocumented(text) == lacking


@pytest.mark.parametrize(
    ("comment", "silent"),
    [
        ("noqa", True),
        ("noqa: S101", True),
        ("type: ignore", True),
        ("type: ignore[arg-type]", True),
        ("noqa: S101, PLC0415  # checked above", False),
        ("type: ignore[arg-type]  # numpy says less than it knows", False),
    ],
)
def test_an_ignore_names_its_rule_and_its_reason(comment: str, *, silent: bool) -> None:
    assert silent_ignores(f"x = 1  # {comment}\n") == ([1] if silent else [])


def test_an_import_is_seen_wherever_it_hides() -> None:
    text = "def f():\n  import yaml as y\n  from click.y import Y\n  import_module('click.x')"
    assert imported(text) >= {"yaml", "click"}
    assert prints("def f():\n  print(1)") == [2]


SKIPS = """
import unittest, pytest
def test_runs(): pass
def test_agreed(): pytest.skip("agreed")
@pytest.mark.xfail(strict=True)
def test_known(): assert 0
"""
WAYS_TO_SKIP = {
    "call": "def test_it(): pytest.skip('mine')",
    "mark": "@pytest.mark.skip(reason='mine')\ndef test_it(): pass",
    "fixture": "@pytest.fixture\ndef f(): pytest.skip('mine')\ndef test_it(f): pass",
    "unittest": "class T(unittest.TestCase):\n  def test_it(self): raise unittest.SkipTest('mine')",
    "module": "pytest.skip('mine', allow_module_level=True)",
}


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """A small suite under the skip policy of this one."""
    folder = tmp_path_factory.mktemp("suite")
    shutil.copy(project / "tests" / "conftest.py", folder)
    (folder / "skips.txt").write_text("# a comment\nagreed\n", encoding="utf-8")
    (folder / "test_agreed.py").write_text(SKIPS, encoding="utf-8")
    for way, code in WAYS_TO_SKIP.items():
        (folder / f"test_{way}.py").write_text(f"import unittest, pytest\n{code}\n", "utf-8")
    return folder


def run_suite(folder: Path, *arguments: str, strict: str) -> subprocess.CompletedProcess[str]:
    """Run the small suite as a user would."""
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment |= {"TUNEWORTHY_STRICT_SKIPS": strict}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("way", WAYS_TO_SKIP)
def test_a_skip_nobody_agreed_to_fails_a_strict_run(suite: Path, way: str) -> None:
    done = run_suite(suite, f"test_{way}.py", strict="1")
    assert done.returncode != 0
    assert "not in tests/skips.txt: mine" in done.stdout


def test_workers_judge_skips_too(suite: Path) -> None:
    for name in ("test_module.py", "test_mark.py"):
        assert run_suite(suite, "-n", "2", name, strict="1").returncode != 0


def test_agreed_skips_pass_and_a_relaxed_run_lets_all_skip(suite: Path) -> None:
    strict, relaxed = run_suite(suite, "test_agreed.py", strict="1"), run_suite(suite, strict="")
    assert strict.returncode == 0
    assert "1 passed, 1 skipped, 1 xfailed" in strict.stdout
    assert relaxed.returncode == 0
    assert "6 skipped" in relaxed.stdout
