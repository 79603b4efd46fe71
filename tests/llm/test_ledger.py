"""A ledger that somebody changed or that is damaged is told in one line, before any call."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tuneworthy import InputError
from tuneworthy.llm import ledger as llm_ledger
from tuneworthy.llm.ledger import Ledger, ReadOnlyLedger
from tuneworthy.model.lab import Reply


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
def test_sums_that_are_not_those_of_the_calls_are_refused(
    path: Path, statement: str
) -> None:
    change(path, statement)
    before = path.read_bytes()
    for opened in (
        Ledger,
        ReadOnlyLedger,
        Ledger,
    ):  # the first lets go of its lock again
        with pytest.raises(
            InputError, match=r"c\.sqlite3: was changed by something else"
        ):
            opened(path)
    assert path.read_bytes() == before


def test_a_call_that_is_asked_again_leaves_sums_that_are_believed(path: Path) -> None:
    with Ledger(path) as ledger:
        assert ledger.release("r") == 1
    with Ledger(path) as ledger:
        assert (
            ledger.reserve("doubtful", run="other", model="m", usd=2, cap_usd=9) == "go"
        )
        ReadOnlyLedger(path).close()  # beside the call that is on the wire
    with Ledger(path) as ledger:
        assert [one.key for one in ledger.doubtful()] == ["doubtful"]
        assert ledger.release("other") == 1
        assert ledger.reserve("doubtful", run="r", model="m", usd=2, cap_usd=9) == "go"
        ledger.settle("doubtful", Reply(text="yes"), 1.5)
    with ReadOnlyLedger(path) as ledger:
        assert (ledger.spend("r").paid, ledger.spend("r").held) == (3.5, 0)


def test_a_call_asked_again_twice_counts_once_each_time(path: Path) -> None:
    with Ledger(path) as ledger:
        for paid in (2, 3):  # a dollar for the call that was answered is in it
            assert [one.usd for one in ledger.doubtful("r")] == [1]
            assert ledger.release("r") == 1
            assert (ledger.spend("r").paid, ledger.spend("r").held) == (paid, 0)
            assert (
                ledger.reserve("doubtful", run="r", model="m", usd=1, cap_usd=9) == "go"
            )
            ledger.doubt("doubtful", "late")


def test_a_durable_order_is_on_the_disk_before_it_goes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    connect = sqlite3.connect

    def watched(*args: Any, **more: Any) -> sqlite3.Connection:
        base: sqlite3.Connection = connect(*args, **more)
        base.set_trace_callback(said.append)
        return base

    monkeypatch.setattr(sqlite3, "connect", watched)
    with Ledger(path) as ledger:
        for key, durable in (("plain", False), ("sure", True)):
            said.clear()
            ledger.reserve(key, run="r", model="m", usd=0, cap_usd=9, durable=durable)
            waits = [
                said.index("PRAGMA synchronous=FULL") if durable else -1,
                said.index("COMMIT"),
            ]
            assert waits == sorted(waits)
            assert durable == (said[-1] == "PRAGMA synchronous=NORMAL")


def test_asking_again_leaves_runs_of_training_in_doubt(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.reserve(
            "run", run="r", model=f"{llm_ledger.TRAINING}m", usd=1, cap_usd=9
        )
        ledger.doubt("run", "late")
        assert ledger.release("r") == 1
        assert [one.key for one in ledger.doubtful("r")] == ["run"]


def read_all(ledger: Ledger) -> None:
    """All that is ever asked of a ledger."""
    for key in ("paid", "failed", "doubtful"):
        ledger.find(key)
    ledger.doubtful("r")
    ledger.spend("r")
    ledger.usual("m")


@pytest.mark.parametrize(
    "change_to",
    ["why = CAST(x'ff' AS TEXT)", "reply = CAST(x'ff' AS TEXT)", "reply = '{'", "reply = x'ff00fe'",
     "why = x'ff'", "status = CAST(x'ff' AS TEXT)"],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(path: Path, change_to: str) -> None:
    change(path, f"UPDATE calls SET {change_to}")
    for opened in (Ledger, ReadOnlyLedger):
        with (
            pytest.raises(InputError, match="can't be read") as caught,
            opened(path) as ledger,
        ):
            read_all(ledger)
        assert "ove " in caught.value.fix


@pytest.mark.slow
def test_a_ledger_with_any_bytes_changed_is_read_or_told_in_one_line(
    path: Path,
) -> None:
    chance, whole, spoilt = (
        random.Random(3),
        path.read_bytes(),
        path.with_name("spoilt"),
    )
    for _ in range(400):
        raw = bytearray(whole)
        for at in chance.sample(range(len(raw)), chance.choice([1, 5, 50])):
            raw[at] = chance.randrange(256)
        spoilt.write_bytes(raw)
        for opened in (ReadOnlyLedger, Ledger):
            with suppress(InputError), opened(spoilt) as ledger:
                read_all(ledger)
                ledger.release("r")
        for beside in ("-wal", "-shm"):
            Path(f"{spoilt}{beside}").unlink(missing_ok=True)


# A ledger that is made ----------------------------------------------------------------------------


def tables(path: Path, *statements: str) -> None:
    """A database of SQLite with what some statements make."""
    base = sqlite3.connect(path)
    for statement in statements:
        base.execute(statement)
    base.commit()
    base.close()


HALF = (
    "CREATE TABLE calls (key TEXT PRIMARY KEY, run TEXT NOT NULL, model TEXT NOT NULL, "
    "status TEXT NOT NULL, held INTEGER, paid INTEGER, reply TEXT, why TEXT) WITHOUT ROWID"
)
EMPTY: dict[str, Callable[[Path], object]] = {
    "no bytes": lambda path: path.write_bytes(b""),
    "no tables": lambda path: tables(path, "PRAGMA user_version = 0", "VACUUM"),
    "no tables, write-ahead": lambda path: tables(path, "PRAGMA journal_mode = WAL"),
    "the first table alone": lambda path: tables(path, HALF),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_ledger_that_holds_nothing_is_a_new_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "c.sqlite3"
    EMPTY[kind](path)
    (tmp_path / "c.sqlite3.part").write_bytes(b"of a process that was killed")
    with pytest.raises(llm_ledger.NothingKeptError):
        ReadOnlyLedger(path)
    with Ledger(path) as ledger:
        assert ledger.reserve("one", run="r", model="m", usd=1, cap_usd=9) == "go"
        ledger.settle("one", Reply(text="yes"), 1)
    with ReadOnlyLedger(path) as ledger:
        assert ledger.text("one") == "yes"
    assert {file.name for file in tmp_path.iterdir()} == {"c.sqlite3", "c.sqlite3.lock"}


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), KeyboardInterrupt()]
)
def test_what_ends_the_making_of_a_ledger_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    path = tmp_path / "c.sqlite3"

    def never(*_: object) -> None:
        raise fault

    with monkeypatch.context() as now:
        now.setattr(Path, "replace", never)
        with pytest.raises((InputError, KeyboardInterrupt)):
            Ledger(path)
    assert {file.name for file in tmp_path.iterdir()} == {"c.sqlite3.lock"}
    with Ledger(path) as ledger:  # the first let go of its lock
        assert ledger.spend("r").paid == 0


@pytest.mark.parametrize("more", ["", "CREATE TABLE prices (usd INTEGER)"])
def test_a_ledger_of_a_later_version_is_left_where_it_is(path: Path, more: str) -> None:
    tables(path, "PRAGMA user_version = 3", more)
    before = path.read_bytes()
    for opened in (Ledger, ReadOnlyLedger):
        with pytest.raises(
            InputError, match="was made by a newer tuneworthy"
        ) as caught:
            opened(path)
        assert "move" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1])
def test_a_ledger_from_before_there_were_seals_is_read_and_its_answers_are_brought(
    path: Path, version: int
) -> None:
    old = "ALTER TABLE calls DROP COLUMN seal"
    tables(path, f"PRAGMA user_version = {version}", old)
    for opened in (ReadOnlyLedger, Ledger, Ledger):
        with opened(path) as ledger:
            assert ledger.text("paid") == "yes"
            assert ledger.spend("r").brought == 1
    base = sqlite3.connect(path)
    assert base.execute("PRAGMA user_version").fetchone() == (2,)
    base.close()


# Who gave the answers ----------------------------------------------------------------------------


def test_an_answer_that_was_given_here_is_not_brought(path: Path) -> None:
    for opened in (Ledger, ReadOnlyLedger):
        with opened(path) as ledger:
            assert ledger.text("paid") == "yes"
            assert ledger.spend("r").brought == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE calls SET reply = replace(reply, 'yes', 'no')",
        "UPDATE calls SET reply = replace(reply, 'yes', 'no'), seal = seal || seal",
        "UPDATE calls SET model = 'another'",
        "UPDATE calls SET key = 'another' WHERE key = 'paid'",
    ],
)
def test_an_answer_that_was_changed_is_refused_in_one_line(
    path: Path, statement: str
) -> None:
    """Once 97 texts were changed, and the next run said that the ceiling is reached."""
    change(path, statement)
    with (
        Ledger(path) as ledger,
        pytest.raises(InputError, match="was changed after it was kept") as caught,
    ):
        ledger.find_all(["paid", "another"])
    assert "\n" not in str(caught.value)


def test_an_answer_without_a_seal_of_this_machine_is_brought_and_counted_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the seal was taken off, half of it was made again, or another machine made it."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
        with Ledger(path) as ledger:
            ledger.reserve("there", run="r", model="m", usd=1, cap_usd=9)
            ledger.settle("there", Reply(text="yes"), 1)
            assert ledger.text("there") == "yes"
            assert ledger.spend("r").brought == 0
            ledger.text("paid")
            assert ledger.spend("r").brought == 1
    change(path, "UPDATE calls SET seal = '' WHERE key = 'paid'")
    with Ledger(path) as ledger:
        assert ledger.find_all(["there", "paid"])["there"].brought
        assert ledger.text("paid") == "yes"
        assert ledger.spend("r").brought == 2
    change(path, "UPDATE calls SET seal = substr(seal, 1, 64)")
    with Ledger(path) as ledger:
        assert ledger.text("there") == "yes"
        assert ledger.spend("r").brought == 1


def test_where_no_secret_can_be_kept_answers_are_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("in the way", "utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        ledger.reserve("k", run="r", model="m", usd=1, cap_usd=9)
        ledger.settle("k", Reply(text="yes"), 1)
        assert ledger.text("k") == "yes"
        assert ledger.spend("r").brought == 1


def test_only_its_user_reads_the_secret_of_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        ledger.reserve("k", run="r", model="m", usd=1, cap_usd=9)
        ledger.settle("k", Reply(text="yes"), 1)
    (kept,) = (tmp_path / "state" / "tuneworthy").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert kept.read_bytes() not in (tmp_path / "c.sqlite3").read_bytes()


def test_free_calls_in_doubt_are_asked_again_without_a_word(path: Path) -> None:
    with Ledger(path) as ledger:
        for key, usd in (("free", 0.0), ("dear", 1.0)):
            ledger.reserve(key, run="r", model="m", usd=usd, cap_usd=9)
        assert ledger.spend("r").in_doubt == 1
    with Ledger(path) as ledger:  # the run was killed
        assert (ledger.spend("r").in_doubt, ledger.spend("r").cut_off) == (3, 2)
        assert ledger.release("r", free=True) == 1
        assert ledger.spend("r").in_doubt == 2
        assert ledger.reserve("free", run="r", model="m", usd=0, cap_usd=9) == "go"
        assert ledger.release("r") == 2
