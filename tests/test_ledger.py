"""A ledger that somebody changed or that is damaged is told in one line, before any call."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.reading import Reading
from tuneworthy.domain.calls import Reply
from tuneworthy.domain.errors import InputError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a call that was paid, one that failed and one in doubt, a dollar each."""
    path = tmp_path / "c.sqlite3"
    with Ledger(path) as ledger:
        for key in ("paid", "failed", "doubtful"):
            assert ledger.reserve(key, run="r", model="m", usd=1, cap_usd=9) == "go"
        ledger.settle("paid", Reply(text="yes"), 1)
        ledger.fail("failed", "no")
        ledger.doubt("doubtful", "late")
    return path


def change(path: Path, statement: str) -> None:
    """Change a file as somebody with a tool for SQLite would."""
    base = sqlite3.connect(path)
    base.execute("PRAGMA ignore_check_constraints=ON")
    base.execute(statement)
    base.commit()
    base.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET paid = -10000000000000",
        "UPDATE runs SET paid = 0",
        "UPDATE runs SET paid = 1e300",
        "UPDATE runs SET paid = 'x'",
        "UPDATE runs SET held = -1",
        "UPDATE runs SET held = held - 1",
        "UPDATE runs SET held = 'x'",
        "UPDATE runs SET run = 'another'",
        "DELETE FROM runs",
        "UPDATE calls SET held = 'x' WHERE key = 'doubtful'",
        "UPDATE calls SET held = 0",
        "UPDATE calls SET held = 5, status = 'sent'",
        "UPDATE calls SET paid = 1e300 WHERE key = 'paid'",
        "UPDATE calls SET paid = paid + 1 WHERE key = 'paid'",
        "UPDATE calls SET run = 'another'",
    ],
)
def test_sums_that_are_not_those_of_the_calls_are_refused(path: Path, statement: str) -> None:
    change(path, statement)
    before = path.read_bytes()
    for opened in (Ledger, Reading, Ledger):  # the first lets go of its lock again
        with pytest.raises(InputError, match=r"c\.sqlite3: was changed by something else"):
            opened(path)
    assert path.read_bytes() == before


def test_a_call_that_is_asked_again_leaves_sums_that_are_believed(path: Path) -> None:
    with Ledger(path) as ledger:
        assert ledger.release("r") == 1
    with Ledger(path) as ledger:
        assert ledger.reserve("doubtful", run="other", model="m", usd=2, cap_usd=9) == "go"
        Reading(path).close()  # beside the call that is on the wire
    with Ledger(path) as ledger:
        assert ledger.recovered == 1
        assert ledger.release("other") == 1
        assert ledger.reserve("doubtful", run="r", model="m", usd=2, cap_usd=9) == "go"
        ledger.settle("doubtful", Reply(text="yes"), 1.5)
    with Reading(path) as ledger:
        assert (ledger.spend("r").paid, ledger.spend("r").held) == (3.5, 0)
