"""Whether a file is a ledger that we wrote, and one whose sums are those of its calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneworthy.domain.errors import InputError

DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises where a file is damaged; what it says of it may itself be no text."""


def unreadable(path: Path, caught: Exception) -> InputError:
    """The one line for a ledger that was opened, and in which something can't be read."""
    fix = "run it again, or move the file away; answers that were paid for may lie in it"
    return InputError(f"can't be read ({str(caught)[:80]})", where=str(path), fix=fix)


@contextmanager
def opening(path: Path, close: Callable[[], None]) -> Iterator[None]:
    """Around the opening of a ledger: what can't be opened is closed again, and told in one line.

    Args:
        path: The file.
        close: Lets go of it.

    Raises:
        InputError: If it is no ledger of calls, or its sums aren't those of its calls.
    """
    try:
        yield
    except DAMAGE:
        close()
        fix = "move it away; answers that were paid for may lie in it"
        raise InputError("is no ledger of calls", where=str(path), fix=fix) from None
    except InputError:
        close()
        raise


def refuse_strange(base: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that somebody else made or changed.

    Raises:
        sqlite3.Error: If it is damaged, or has other tables: triggers could write what we didn't.
        InputError: If its sums aren't those of its calls: the cap is held by them.
    """
    kinds = base.execute("SELECT type, name FROM sqlite_schema").fetchall()
    if sorted(kinds) != [("table", "calls"), ("table", "runs")]:
        raise sqlite3.DatabaseError("not made by us")
    base.execute("SELECT key, run, model, status, held, paid, reply, why FROM calls LIMIT 0")
    if not _adds_up(base):
        what = "was changed by something else: what its runs paid isn't what its calls cost"
        fix = "put a copy from before in its place, or move it away; what was paid for lies in it"
        raise InputError(what, where=str(path), fix=fix)


def _adds_up(base: sqlite3.Connection) -> bool:
    """Whether each run holds what its calls hold, and paid no less than they cost.

    It may have paid more: what was put aside for a call that is asked again counts as paid, and
    the call then has what its next answer cost. It is one statement, so that a run that writes
    beside us can't come between the two tables.
    """
    rows = base.execute(
        "SELECT SUM(held), SUM(paid), SUM(aside), SUM(cost) FROM ("
        "SELECT run, held, paid, 0 AS aside, 0 AS cost FROM runs UNION ALL "
        "SELECT run, 0, 0, held, CASE WHEN status IN ('settled', 'failed') THEN paid ELSE 0 END "
        "FROM calls) GROUP BY run"
    )
    return all(
        {type(one) for one in row} == {int} and 0 <= row[0] == row[2] and row[1] >= row[3] >= 0
        for row in rows
    )
