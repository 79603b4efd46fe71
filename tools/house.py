"""What the house comes to: tokens by room beside their ceiling, and how dense the code is.

    python tools/house.py         the table
    python tools/house.py --set   today's counts become what ceilings are reckoned from

``tools/house.toml`` holds what each room had when the last issue landed. A room may come to 5% more
than that; ``tests/house/test_house.py`` refuses what is above. Aims are reported and refuse nobody.
Tokens are counted by Python's own tokenizer, without comments and line ends, because a budget of
lines was kept by packing several statements into one.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "tuneworthy"
BOOK = Path(__file__).with_name("house.toml")

SLACK = 1.05
"""A ceiling is what a room had, times this."""

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
    """Some rooms that share an aim."""

    names: tuple[str, ...]
    had: int  #: Tokens when the last issue landed.
    aim: int

    def ceiling(self) -> int:
        """The most tokens that they may come to."""
        return round(self.had * SLACK)


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


def read_book() -> tuple[list[Room], dict[str, float]]:
    """The rooms with what they had, and how dense the code was."""
    book = tomllib.loads(BOOK.read_text("utf-8"))
    rooms = [Room(tuple(row["rooms"]), row["had"], row["aim"]) for row in book["room"]]
    return rooms, book["density"]


def sizes_by_room(rooms: list[Room]) -> Iterator[tuple[Room, Size]]:
    """Each group of rooms with what it comes to today."""
    files = modules()
    for room in rooms:
        yield (
            room,
            measure_files([path for path in files if room_of(path) in room.names]),
        )


def write_book() -> None:
    """Make today's counts what ceilings are reckoned from; aims stay."""
    rooms, _ = read_book()
    lines = ["# Written by tools/house.py --set, but for the aims.", ""]
    for room, size in sizes_by_room(rooms):
        names = ", ".join(f'"{name}"' for name in room.names)
        lines += [
            "[[room]]",
            f"rooms = [{names}]",
            f"had = {size.tokens}",
            f"aim = {room.aim}",
            "",
        ]
    lines.append("[density]")
    density = measure_files(modules()).density()
    lines += [f"{name} = {value:.1f}" for name, value in density.items()]
    BOOK.write_text("\n".join(lines) + "\n", "utf-8")


def print_table() -> None:
    """Print what the house comes to."""
    rooms, density = read_book()
    print(f"{'tokens':>8}{'ceiling':>9}{'aim':>9}{'lines':>8}{'modules':>9}  rooms")
    total = Size()
    for room, size in sizes_by_room(rooms):
        total += size
        mark = " (over)" if size.tokens > room.ceiling() else ""
        print(
            f"{size.tokens:>8,}{room.ceiling():>9,}{room.aim:>9,}{size.lines:>8,}"
            f"{size.modules:>9}  {' '.join(room.names)}{mark}"
        )
    aim = sum(room.aim for room in rooms)
    print(f"{total.tokens:>8,}{'':>9}{aim:>9,}{total.lines:>8,}{total.modules:>9}  all")
    print()
    print("For 1,000 statements:")
    for name, value in total.density().items():
        print(f"  {name.replace('_', ' '):24}{value:6.1f}   was {density[name]:.1f}")
    print(f"Functions and classes with a riddle for a name: {len(total.riddles)}")


def main() -> None:
    """Print the table, or write the book anew."""
    parser = argparse.ArgumentParser(description="What the house comes to.")
    parser.add_argument(
        "--set", action="store_true", help="reckon ceilings from today's counts"
    )
    if parser.parse_args().set:
        write_book()
    print_table()


if __name__ == "__main__":
    main()
