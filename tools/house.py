"""What the house comes to: tokens and modules by room beside their ceilings, and how dense it is.

    python tools/house.py         the table
    python tools/house.py --far   the five rooms farthest above their ceiling

``tools/house.toml`` holds the ceilings. They fall and never rise, and a room above its ceiling may
only shrink: ``tests/house/test_house.py`` compares with what stood when the day began. Tokens are
counted by Python's own tokenizer, without comments and line ends, because a budget of lines was
kept by packing several statements into one.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tarfile
import tokenize
import tomllib
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src" / "tuneworthy"
BOOK = Path(__file__).with_name("house.toml")

SLACK = 1.05
"""How much denser than the book says the code may be."""

RIDDLES = frozenset(
    [
        "aside",
        "at",
        "came",
        "found",
        "given",
        "going",
        "held",
        "known",
        "of",
        "put",
        "said",
        "seen",
        "shown",
        "take",
        "told",
        "unless",
        "worth",
    ]
)
"""Names that don't say what a function does or what a class is."""

_NOT_COUNTED = frozenset(
    {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
)
_COMPREHENSION = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Size:
    """How large some files are; zeros for none."""

    lines: int = 0
    tokens: int = 0
    modules: int = 0
    statements: int = 0  #: Imports are none.
    packed_assignments: int = 0  #: ``a, b = x, y``.
    if_expressions: int = 0
    nested_comprehensions: int = 0  #: One inside another, or one with two loops.
    riddles: tuple[str, ...] = ()  #: Functions and classes with a name of ``RIDDLES``.

    def __add__(self, other: Size) -> Size:
        return Size(
            lines=self.lines + other.lines,
            tokens=self.tokens + other.tokens,
            modules=self.modules + other.modules,
            statements=self.statements + other.statements,
            packed_assignments=self.packed_assignments + other.packed_assignments,
            if_expressions=self.if_expressions + other.if_expressions,
            nested_comprehensions=self.nested_comprehensions
            + other.nested_comprehensions,
            riddles=self.riddles + other.riddles,
        )

    def density(self) -> dict[str, float]:
        """Each kind of packing for 1,000 statements, and tokens a line; zeros for no statement."""
        statements = max(self.statements, 1)
        return {
            "packed_assignments": 1000 * self.packed_assignments / statements,
            "if_expressions": 1000 * self.if_expressions / statements,
            "nested_comprehensions": 1000 * self.nested_comprehensions / statements,
            "tokens_a_line": self.tokens / max(self.lines, 1),
        }


@dataclass(frozen=True, slots=True)
class Room:
    """Some rooms that share a ceiling."""

    names: tuple[str, ...]
    tokens: int  #: The most tokens that they may come to.
    modules: int  #: The most modules.


def room_of(path: Path) -> str:
    """The room of a source file; a module beside the rooms is its own."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    """Every source file of the package."""
    return sorted(SOURCE.rglob("*.py"))


def measure_text(text: str, name: str = "") -> Size:
    """How large one module is.

    Args:
        text: Its source.
        name: What riddles of it are reported under.
    """
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    return Size(
        lines=text.count("\n"),
        tokens=sum(token.type not in _NOT_COUNTED for token in tokens),
        modules=1,
        statements=sum(_is_statement(node) for node in nodes),
        packed_assignments=sum(_packs(node) for node in nodes),
        if_expressions=sum(isinstance(node, ast.IfExp) for node in nodes),
        nested_comprehensions=sum(_nests(node) for node in nodes),
        riddles=tuple(
            f"{name}:{node.lineno} {node.name}"
            for node in nodes
            if isinstance(node, _NAMED) and node.name.strip("_").lower() in RIDDLES
        ),
    )


def measure_files(paths: list[Path]) -> Size:
    """How large some files are together; zeros for none."""
    total = Size()
    for path in paths:
        total += measure_text(
            path.read_text("utf-8"), path.relative_to(SOURCE).as_posix()
        )
    return total


def _is_statement(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt) and not isinstance(
        node, ast.Import | ast.ImportFrom
    )


def _packs(node: ast.AST) -> bool:
    """Whether a statement gives several names several values at once; a swap doesn't."""
    if not isinstance(node, ast.Assign):
        return False
    target = node.targets[0]
    if not isinstance(node.value, ast.Tuple) or not isinstance(target, ast.Tuple):
        return False
    names = sorted(ast.unparse(each) for each in target.elts)
    return names != sorted(ast.unparse(each) for each in node.value.elts)


def _nests(node: ast.AST) -> bool:
    if not isinstance(node, _COMPREHENSION):
        return False
    if len(node.generators) > 1:
        return True
    inner = (each for each in ast.walk(node) if each is not node)
    return any(isinstance(each, _COMPREHENSION) for each in inner)


def read_book(text: str = "") -> tuple[list[Room], dict[str, float]]:
    """The rooms with their ceilings, and how dense the code may be.

    Args:
        text: The book; that of this tree where it is empty.
    """
    book = tomllib.loads(text or BOOK.read_text("utf-8"))
    rooms = [
        Room(tuple(row["rooms"]), row["tokens"], row["modules"])
        for row in book["room"]
        if "tokens" in row
    ]
    return rooms, book["density"]


def size_of(room: Room, files: dict[str, str]) -> Size:
    """What a group of rooms comes to.

    Args:
        room: The group.
        files: Source by its path in the package.
    """
    total = Size()
    for path, text in files.items():
        if path.split("/")[0].removesuffix(".py") in room.names:
            total += measure_text(text, path)
    return total


def read_sources() -> dict[str, str]:
    """Every source file of the package, by its path in it."""
    return {
        path.relative_to(SOURCE).as_posix(): path.read_text("utf-8")
        for path in modules()
    }


def first_bound() -> str:
    """The commit that stood when the day of the newest commit began; "" without a history.

    It is the last one of an earlier day, or the very first where there is none.
    """
    try:
        log = _git("log", "--format=%H %cs")
    except (OSError, subprocess.CalledProcessError):
        return ""
    commits = [line.split() for line in log.splitlines()]
    today = commits[0][1]
    for name, day in commits:
        if day < today:
            return name
    return commits[-1][0]


def sources_at(commit: str) -> dict[str, str]:
    """Every source file of the package as it was in a commit, by its path in it."""
    packed = subprocess.run(
        ["git", "archive", commit, "src/tuneworthy"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout
    texts = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None and member.name.endswith(".py"):
                path = member.name.removeprefix("src/tuneworthy/")
                texts[path] = file.read().decode("utf-8")
    return texts


def book_at(commit: str) -> str:
    """The book of ceilings as it was in a commit."""
    return _git("show", f"{commit}:tools/house.toml")


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return done.stdout


def print_table() -> None:
    """Print what the house comes to."""
    rooms, density = read_book()
    files = read_sources()
    print(f"{'tokens':>8}{'ceiling':>9}{'modules':>9}{'ceiling':>9}{'lines':>9}  rooms")
    for room in rooms:
        size = size_of(room, files)
        over = size.tokens > room.tokens or size.modules > room.modules
        mark = " (over)" if over else ""
        print(
            f"{size.tokens:>8,}{room.tokens:>9,}{size.modules:>9}{room.modules:>9}"
            f"{size.lines:>9,}  {' '.join(room.names)}{mark}"
        )
    total = measure_files(modules())
    most_tokens = sum(room.tokens for room in rooms)
    most_modules = sum(room.modules for room in rooms)
    print(
        f"{total.tokens:>8,}{most_tokens:>9,}{total.modules:>9}{most_modules:>9}"
        f"{total.lines:>9,}  all"
    )
    print()
    print("For 1,000 statements:")
    for name, value in total.density().items():
        print(
            f"  {name.replace('_', ' '):24}{value:6.1f}   at most {density[name]:.1f}"
        )
    print(f"Functions and classes with a riddle for a name: {len(total.riddles)}")


def print_farthest() -> None:
    """Print the five rooms that are farthest above their ceiling."""
    rooms, _ = read_book()
    files = read_sources()
    above = [(size_of(room, files).tokens - room.tokens, room) for room in rooms]
    above.sort(key=lambda pair: -pair[0])
    for more, room in above[:5]:
        if more > 0:
            print(f"{' '.join(room.names)}: {more:,} tokens above {room.tokens:,}")


def main() -> None:
    """Print the table, or what is farthest above."""
    parser = argparse.ArgumentParser(description="What the house comes to.")
    parser.add_argument(
        "--far", action="store_true", help="the five rooms farthest above their ceiling"
    )
    if parser.parse_args().far:
        print_farthest()
    else:
        print_table()


if __name__ == "__main__":
    main()
