"""What the house comes to: lines, tokens and modules by room, beside the budget of each.

    python tools/house.py

A feature pays for its lines by deleting others: ``tests/test_house.py`` refuses a room that is over
its budget of today. Lines are counted as the formatter leaves them (100 columns), tokens by
Python's own tokenizer without comments and line ends.
"""

from __future__ import annotations

import io
import tokenize
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[1] / "src" / "tuneworthy"

LONGEST_MODULE = 900
MOST_MODULES = 208


class Budget(NamedTuple):
    """Most lines of some rooms: what they may come to today, and what they are to come to."""

    today: int
    aim: int


BUDGETS = {
    ("errors", "words", "stats", "__init__", "__main__"): Budget(1_909, 1_800),
    ("model",): Budget(4_604, 3_200),
    ("syntax", "text", "framework", "llm"): Budget(5_465, 4_400),
    ("files", "scoring"): Budget(3_770, 2_600),
    ("traces",): Budget(4_446, 2_200),
    ("measure",): Budget(6_334, 4_800),
    ("verdict",): Budget(4_744, 3_400),
    ("money", "plan", "precedents"): Budget(4_591, 3_300),
    ("pipeline",): Budget(265, 250),
    ("report",): Budget(6_885, 4_600),
    ("lab",): Budget(4_398, 3_200),
    ("training",): Budget(3_720, 2_200),
    ("interview", "workspace", "web", "terminal", "mcp", "cli"): Budget(11_679, 8_100),
}
"""By the rooms that share one. ``today`` is what is there: to raise it takes a reason."""

MOST_LINES, AIM_LINES = 62_810, 44_400
MOST_TOKENS, AIM_TOKENS = 455_035, 275_000

_NOT_COUNTED = {
    tokenize.COMMENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.INDENT, tokenize.NEWLINE,
    tokenize.NL,
}  # fmt: skip


class Size(NamedTuple):
    """Lines, tokens and modules of some files."""

    lines: int
    tokens: int
    modules: int


def room(path: Path) -> str:
    """The room of a source file; a module beside the rooms is its own."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def size(paths: list[Path]) -> Size:
    """How much some files come to; zeros for none."""
    lines = tokens = 0
    for path in paths:
        text = path.read_text("utf-8")
        lines += text.count("\n")
        readline = io.StringIO(text).readline
        tokens += sum(t.type not in _NOT_COUNTED for t in tokenize.generate_tokens(readline))
    return Size(lines, tokens, len(paths))


def modules() -> list[Path]:
    """Every source file of the package."""
    return sorted(SOURCE.rglob("*.py"))


def by_budget() -> dict[tuple[str, ...], Size]:
    """What the rooms of each budget come to."""
    return {rooms: size([p for p in modules() if room(p) in rooms]) for rooms in BUDGETS}


def main() -> None:
    """Print the table."""
    print(f"{'lines':>7}{'today':>8}{'aim':>8}{'tokens':>9}{'modules':>9}  rooms")
    for rooms, total in by_budget().items():
        most, aim = BUDGETS[rooms]
        over = " over" if total.lines > most else ""
        print(
            f"{total.lines:>7,}{most:>8,}{aim:>8,}{total.tokens:>9,}{total.modules:>9}"
            f"  {' '.join(rooms)}{over}"
        )
    whole = size(modules())
    print(
        f"{whole.lines:>7,}{MOST_LINES:>8,}{AIM_LINES:>8,}{whole.tokens:>9,}{whole.modules:>9}"
        f"  all; tokens at most {MOST_TOKENS:,}, aim {AIM_TOKENS:,}"
    )
    longest = max(modules(), key=lambda path: path.read_text("utf-8").count("\n"))
    print(f"The longest module: {longest.relative_to(SOURCE)}, {size([longest]).lines:,} lines")


if __name__ == "__main__":
    main()
