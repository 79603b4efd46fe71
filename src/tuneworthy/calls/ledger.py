"""Every paid call, kept for ever: reserve, send once, settle.

One SQLite table, keyed by the digest of the request. Money is put aside before anything is sent, in
the transaction that checks the cap, so that no number of calls at a time can pass it. A row that
is found ``sent`` when the ledger is opened was on the wire when the last process died: it is in
doubt, its money stays aside, and it is never sent again unless somebody says so. Amounts are whole
picodollars (1e-12 USD), so that sums are exact.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tuneworthy.domain.calls import Reply, Settled, Spend, Status
from tuneworthy.domain.errors import InputError

PICO = 10**12
"""Picodollars of a dollar."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('sent', 'settled', 'failed', 'in_doubt')),
    held INTEGER NOT NULL DEFAULT 0,
    paid INTEGER NOT NULL DEFAULT 0,
    reply TEXT,
    why TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, held INTEGER NOT NULL, paid INTEGER NOT NULL)
WITHOUT ROWID;
"""

Answer = Literal["go", "over_cap"]


def pico(usd: float) -> int:
    """USD as whole picodollars, rounded up so that a cap is never passed by rounding."""
    whole = round(usd * PICO)
    return whole if whole >= usd * PICO else whole + 1


@dataclass(frozen=True, slots=True)
class Money:
    """A run's money in picodollars."""

    held: int
    paid: int


class Ledger:
    """The ledger of a case. One process at a time may write; it is a context manager.

    Args:
        path: The SQLite file; its folder is made if it isn't there.

    Raises:
        InputError: If another process is writing, or the file is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = _locked(path)
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")  # survives a killed process
            self._base.executescript(_SCHEMA)
            self.recovered = self._recover()
        except sqlite3.DatabaseError:
            self._unlock()
            fix = "move it away; answers that were paid for lie in it"
            raise InputError("is no ledger of calls", where=str(path), fix=fix) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()
        self._unlock()

    def _unlock(self) -> None:
        os.close(self._lock)

    def _recover(self) -> int:
        """Calls that were on the wire when the last process died are in doubt from now on."""
        return self._base.execute(
            "UPDATE calls SET status = 'in_doubt', why = 'the run was cut off' "
            "WHERE status = 'sent'"
        ).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def find(self, key: str) -> Settled | None:
        """What became of a request; None for one that was never sent, or that failed unpaid."""
        row = self._base.execute(
            "SELECT status, held, paid, reply, why FROM calls WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None or row[0] == "failed" else _settled(key, row)

    def reserve(self, key: str, *, run: str, model: str, usd: float, cap_usd: float) -> Answer:
        """Put a request's worst price aside, if the run's cap allows it.

        From here on the request counts as sent. One that failed unpaid before, or is in doubt and
        was released, may be reserved again.

        Args:
            key: The request's key.
            run: The run whose cap counts; what earlier processes spent for it counts too.
            model: For quotes of later runs.
            usd: The most it can cost.
            cap_usd: The most the run may pay and hold.

        Returns:
            ``go``, or ``over_cap`` with nothing changed.
        """
        amount = pico(usd)
        with self._transaction():
            money = self._money(run)
            if money.held + money.paid + amount > int(cap_usd * PICO):
                return "over_cap"
            written = self._base.execute(
                "INSERT INTO calls (key, run, model, status, held) VALUES (?, ?, ?, 'sent', ?) "
                "ON CONFLICT (key) DO UPDATE SET run = excluded.run, status = 'sent', "
                "held = excluded.held, why = '' WHERE calls.status = 'failed'",
                (key, run, model, amount),
            )
            if written.rowcount != 1:
                raise ValueError("the call was sent before: look it up first")
            self._add(run, held=amount, paid=0)
        return "go"

    def settle(self, key: str, reply: Reply, usd: float) -> Settled:
        """Keep an answer with what it cost, and free what was put aside for it."""
        return self._close(key, "settled", paid=pico(usd), reply=reply.model_dump_json(), why="")

    def fail(self, key: str, why: str) -> Settled:
        """It wasn't paid: free what was put aside."""
        return self._close(key, "failed", paid=0, reply=None, why=why[:500])

    def doubt(self, key: str, why: str) -> Settled:
        """Nobody knows whether it was paid: what was put aside stays aside."""
        with self._transaction():
            self._base.execute(
                "UPDATE calls SET status = 'in_doubt', why = ? WHERE key = ?", (why[:500], key)
            )
        found = self.find(key)
        assert found is not None  # it was reserved before
        return found

    def _close(
        self, key: str, status: Status, *, paid: int, reply: str | None, why: str
    ) -> Settled:
        with self._transaction():
            run, held = self._base.execute(
                "SELECT run, held FROM calls WHERE key = ?", (key,)
            ).fetchone()
            self._base.execute(
                "UPDATE calls SET status = ?, held = 0, paid = ?, reply = ?, why = ? WHERE key = ?",
                (status, paid, reply, why, key),
            )
            self._add(run, held=-held, paid=paid)
        return _settled(key, (status, 0, paid, reply, why))

    def release(self, keys: Iterable[str]) -> int:
        """Let doubtful calls be sent again, because the user says so; they may be paid twice.

        Returns:
            How many were in doubt and no longer are.
        """
        freed = 0
        for key in keys:
            found = self.find(key)
            if found is not None and found.status == "in_doubt":
                self._close(key, "failed", paid=0, reply=None, why="released by the user")
                freed += 1
        return freed

    def doubtful(self, run: str | None = None) -> tuple[Settled, ...]:
        """Calls of which nobody knows whether they were paid."""
        rows = self._base.execute(
            "SELECT key, status, held, paid, reply, why FROM calls WHERE status = 'in_doubt' "
            "AND (? IS NULL OR run = ?) ORDER BY key",
            (run, run),
        )
        return tuple(_settled(row[0], row[1:]) for row in rows)

    def spend(self, run: str, cap_usd: float = 0.0) -> Spend:
        """A run's money so far."""
        money, count = self._money(run), dict[str, int]()
        count.update(
            self._base.execute(
                "SELECT status, COUNT(*) FROM calls WHERE run = ? GROUP BY status", (run,)
            ).fetchall()
        )
        return Spend(
            cap=cap_usd, paid=money.paid / PICO, held=money.held / PICO,
            calls=count.get("settled", 0), reused=0, in_doubt=count.get("in_doubt", 0),
            failed=count.get("failed", 0),
        )  # fmt: skip

    def output_tokens(self, model: str) -> float | None:
        """Mean output tokens of a model's settled calls; None without one."""
        found = self._base.execute(
            "SELECT AVG(json_extract(reply, '$.usage.output_tokens')) FROM calls "
            "WHERE model = ? AND status = 'settled'",
            (model,),
        ).fetchone()[0]
        return None if found is None else float(found)

    def _money(self, run: str) -> Money:
        row = self._base.execute("SELECT held, paid FROM runs WHERE run = ?", (run,)).fetchone()
        return Money(0, 0) if row is None else Money(*row)

    def _add(self, run: str, *, held: int, paid: int) -> None:
        self._base.execute(
            "INSERT INTO runs (run, held, paid) VALUES (?, ?, ?) ON CONFLICT (run) DO UPDATE "
            "SET held = held + excluded.held, paid = paid + excluded.paid",
            (run, held, paid),
        )


def _settled(key: str, row: tuple[str, int, int, str | None, str]) -> Settled:
    status, held, paid, reply, why = row
    return Settled.model_validate(
        {
            "key": key,
            "status": status,
            "reply": None if reply is None else json.loads(reply),
            "usd": (held + paid) / PICO,
            "why": why,
        }
    )


def _locked(path: Path) -> int:
    """The lock that keeps other processes from writing; it goes with the process."""
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as caught:
        what = f"can't be written ({caught.strerror})"
        raise InputError(what, where=str(path), fix="check the folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        fix = "wait for it, or stop it"
        raise InputError("is in use by another run", where=str(path), fix=fix) from None
    return descriptor
