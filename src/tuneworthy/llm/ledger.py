"""Every paid call, kept for ever: reserve, send once, settle.

One SQLite table, keyed by the digest of the request. Money is reserved before anything is sent, in
the transaction that checks the cap, so parallel calls can't exceed it. A row that is ``sent`` when
the ledger is opened was in flight when the last process died. It is in doubt: its money stays
reserved, and it is never sent again unless the user says so. Amounts are whole picodollars (1e-12
USD), so that sums are exact.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from tuneworthy.errors import InputError
from tuneworthy.llm.endpoints import PICO, pico, whole_cap
from tuneworthy.llm.seals import Origin, origin, seal
from tuneworthy.model.lab import Reply, Settled, Spend


def locked(path: Path) -> int:
    """Lock a file beside another until its descriptor is closed; an InputError if that fails."""
    # the last two are missing on Windows
    no_inheritance = getattr(os, "O_CLOEXEC", 0)
    no_links = getattr(os, "O_NOFOLLOW", 0)
    flags = os.O_RDWR | os.O_CREAT | no_inheritance | no_links
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", flags, 0o644)
    except OSError as caught:
        what = f"can't be written ({caught.strerror})"
        raise InputError(what, where=path, fix="check the folder") from None
    try:
        _lock(descriptor)
    except OSError:
        os.close(descriptor)
        fix = "wait for it, or stop it"
        raise InputError("is in use by another run", where=path, fix=fix) from None
    return descriptor


def _lock(descriptor: int) -> None:
    """Lock the file for us alone; raises OSError if somebody else holds it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""Errors that SQLite raises for a damaged file. Its message may itself be undecodable."""
_IN_THE_WAY = frozenset({3, 5, 6, 7, 8, 10, 13, 14, 23})
"""SQLite's codes for a sound file that can't be used: no permission, busy, locked, no memory,
read-only, failed input or output, full, can't be opened, not allowed."""


class InTheWayError(InputError):
    """The ledger is sound, but can't be used now."""


def _wrong(caught: Exception, path: Path, what: str, fix: str) -> InputError:
    """SQLite's error in one line. It never advises to move a sound file away."""
    code = getattr(caught, "sqlite_errorcode", None) or 0
    primary_code = code & 0xFF  # the rest says more about the same
    if primary_code in _IN_THE_WAY:
        fix = "make room, or check the folder and who else uses it; the ledger itself is sound"
        return InTheWayError(f"can't be used now ({caught})", where=path, fix=fix)
    return InputError(what, where=path, fix=fix)


class NothingKeptError(InputError):
    """Nothing was ever kept in the ledger, as if it was cut off while it was made."""


def refuse_strange(base: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that somebody else made or changed.

    Raises sqlite3.Error if it is damaged, or has other tables: triggers could write anything.
    Raises InputError if a later version made it, if nothing was ever kept in it, or if its sums
    aren't those of its calls, as the cap rests on them.
    """
    objects = _objects_of_database(base)
    ((version,),) = base.execute("PRAGMA user_version")
    # a later version may have more tables, and has these two
    if version > VERSION and set(_TABLES) <= set(objects):
        fix = "update tuneworthy, and leave the file where it is: it holds what was paid for"
        raise InputError("was made by a newer tuneworthy", where=path, fix=fix)
    if _holds_nothing(base):
        raise NothingKeptError("holds nothing", where=path)
    if objects != _TABLES:
        raise sqlite3.DatabaseError("not made by us")
    # an error where one of our columns is missing
    base.execute(
        "SELECT key, run, model, status, held, paid, reply, why FROM calls LIMIT 0"
    )
    if not _adds_up(base):
        what = "was changed by something else: what its runs paid isn't what its calls cost"
        fix = "restore an earlier copy, or move it away. It holds the paid answers"
        raise InputError(what, where=path, fix=fix)


def _has_seals(base: sqlite3.Connection) -> bool:
    """Whether answers have a place for their seal."""
    columns = base.execute("SELECT name FROM pragma_table_info('calls')")
    return ("seal",) in columns.fetchall()


def _objects_of_database(base: sqlite3.Connection) -> list[tuple[str, str]]:
    """The tables and all other objects of a database."""
    return sorted(base.execute("SELECT type, name FROM sqlite_schema").fetchall())


def _holds_nothing(base: sqlite3.Connection) -> bool:
    """Whether a database has no tables, or only our first one without a call.

    The latter is left where a program of an earlier version was killed while it made the ledger.
    """
    objects = _objects_of_database(base)
    if objects == _TABLES[:1]:
        return not base.execute("SELECT 1 FROM calls LIMIT 1").fetchall()
    return not objects


def _make_ledger(path: Path) -> None:
    """Make a ledger where there is no file, or a file without content.

    It is completed under another name and then renamed, so that a kill or a full disk leaves no
    broken one.
    """
    part = Path(f"{path}.part")
    try:
        _remove(part)  # one that a kill left
        with closing(sqlite3.connect(part, isolation_level=None)) as base:
            base.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            )
        # SQLite would take files beside the old one as a part of the new one
        _remove(path)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            _remove(part)
        raise


def _remove(path: Path) -> None:
    """Remove a database and the files that SQLite keeps beside it, if they exist."""
    for ending in ("", "-journal", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def _adds_up(base: sqlite3.Connection) -> bool:
    """Whether each run's reserve equals that of its calls, and its payments cover their cost.

    A run may have paid more than its calls show: the reserve of a call that is sent again counts as
    paid, and then the call has the cost of its next answer. This is one statement, so that a run
    that writes at the same time can't change the tables in between.
    """
    rows = base.execute(
        "SELECT SUM(held), SUM(paid), SUM(aside), SUM(cost) FROM ("
        "SELECT run, held, paid, 0 AS aside, 0 AS cost FROM runs UNION ALL "
        "SELECT run, 0, 0, held, CASE WHEN status IN ('settled', 'failed') THEN paid ELSE 0 END "
        "FROM calls) GROUP BY run"
    )
    for row in rows:
        # SQLite adds texts and fractions without complaint
        if not all(isinstance(amount, int) for amount in row):
            return False
        held, paid, held_by_calls, cost_of_calls = row
        if held < 0 or held != held_by_calls:
            return False
        if cost_of_calls < 0 or paid < cost_of_calls:
            return False
    return True


VERSION = 2
"""The version of the file, its ``user_version``. A later one may hold things that this program
can't read. Ledgers without a version have 0, and are like those of 1, whose answers have no seals."""
_ADD_SEALS = "ALTER TABLE calls ADD COLUMN seal TEXT NOT NULL DEFAULT ''"
_TABLES = [("table", "calls"), ("table", "runs")]
_SCHEMA = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('sent', 'settled', 'failed', 'in_doubt')),
    held INTEGER NOT NULL DEFAULT 0,
    paid INTEGER NOT NULL DEFAULT 0,
    reply TEXT,
    why TEXT NOT NULL DEFAULT '',
    seal TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE runs (run TEXT PRIMARY KEY, held INTEGER NOT NULL, paid INTEGER NOT NULL)
WITHOUT ROWID;
"""

_CUT_OFF = "the run was cut off"  # for example by a kill; such a call is in doubt
_LONGEST_REASON = 500  # characters of a reason that is kept
#: The beginning of the model's name in a row for a run of training.
TRAINING = "training "
Answer = Literal["go", "over_cap"]
MOST_ASKED = 1000  #: Requests that are looked up at once.


class UsualCall(NamedTuple):
    """Averages of a model's calls."""

    written: float  #: Tokens of the output.
    thought: float  #: Those of them that aren't shown.
    seconds: float


class Ledger:
    """The ledger of a case, a context manager. One process at a time may write.

    Raises InputError if another process writes, the file isn't a ledger, or somebody changed its
    sums.
    """

    #: States of a call that may have been paid; two of them for ``ReadOnlyLedger``.
    _unsettled: ClassVar[tuple[str, str]] = ("in_doubt", "in_doubt")
    _columns = "status, held, paid, reply, why, model, seal"
    _base: sqlite3.Connection | None
    _brought: set[str]  #: Keys of answers that were read and not given on this machine.

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = None
        self._brought = set[str]()
        self._lock = locked(path)
        self._make_if_lacking()
        # with these, what is committed survives a killed process
        settings = ("journal_mode=WAL", "synchronous=NORMAL")
        with self._opening(path.absolute(), *settings) as base:
            refuse_strange(base, path)
            if not _has_seals(base):
                base.execute(_ADD_SEALS)
            base.execute(f"PRAGMA user_version = {VERSION}")
            # these were in flight when the last process died
            base.execute(
                "UPDATE calls SET status = 'in_doubt', why = ? WHERE status = 'sent'",
                (_CUT_OFF,),
            )

    def _make_if_lacking(self) -> None:
        """Make the ledger where there is none; an InputError, and no lock left, if that fails."""
        path = self._path
        try:
            if not os.path.lexists(path) or self._is_empty():
                _make_ledger(path)
        except sqlite3.Error as caught:
            self.close()
            what = f"can't be made ({caught})"
            raise _wrong(caught, path, what, "check the folder") from None
        except OSError as caught:
            self.close()
            what = f"can't be made ({caught.strerror})"
            raise InputError(what, where=path, fix="check the folder") from None
        except BaseException:
            self.close()
            raise

    def _is_empty(self) -> bool:
        """Whether there is a file without content. Opening checks any other file."""
        address = f"{self._path.absolute().as_uri()}?mode=rw"
        try:
            with closing(sqlite3.connect(address, uri=True)) as base:
                base.execute("PRAGMA trusted_schema=OFF")
                return _holds_nothing(base)
        except DAMAGE:
            return False

    @contextmanager
    def _opening(
        self, address: Path | str, *settings: str
    ) -> Iterator[sqlite3.Connection]:
        """Open the ledger for the checks inside the block.

        If it can't be opened, or a check fails, it is closed, and the reason raised as InputError.
        """
        self._base = None
        try:
            self._base = sqlite3.connect(address, uri=True, isolation_level=None)
            # a strange file may have triggers, which then call nothing of SQLite's
            for setting in ("trusted_schema=OFF", *settings):
                self._base.execute(f"PRAGMA {setting}")
            yield self._base
        except DAMAGE as caught:
            self.close()
            fix = "move it away; it may hold answers that were paid for"
            raise _wrong(caught, self._path, "is not a ledger of calls", fix) from None
        except InputError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None
        if self._lock >= 0:  # a ledger that is only read has none
            os.close(self._lock)
            self._lock = -1

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if self._base is None:
            raise ValueError("the ledger is closed")
        return self._base.execute(statement, values)

    def _query_rows(
        self, statement: str, values: tuple[object, ...] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a query; an InputError where the file is damaged there."""
        try:
            return self._run(statement, values).fetchall()
        except DAMAGE as caught:
            fix = "run it again, or move the file away; it may hold answers that were paid for"
            what = f"can't be read ({str(caught)[:80]})"
            raise _wrong(caught, self._path, what, fix) from None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit all writes inside the block at once, or none of them; blocks may be nested.

        Raises InputError if the disk doesn't take them.
        """
        if self._base is not None and self._base.in_transaction:
            yield  # an inner block: the outer one commits
            return
        try:
            self._run("BEGIN IMMEDIATE")
            try:
                yield
                self._run("COMMIT")
            except BaseException:
                # some errors of SQLite have rolled back already
                if self._base is not None and self._base.in_transaction:
                    self._run("ROLLBACK")
                raise
        except DAMAGE as caught:
            fix = "make room, or check the folder, and run it again"
            what = f"can't be written ({caught})"
            raise InputError(what, where=str(self._path), fix=fix) from None

    def find(self, key: str) -> Settled | None:
        """The state of a request; None for one that was never sent, or failed unpaid."""
        return self.find_all([key]).get(key)

    def text(self, key: str) -> str | None:
        """The text of the answer to a request; None without a whole answer."""
        call = self.find(key)
        return call.whole.text if call and call.whole else None

    def find_all(self, keys: Sequence[str]) -> dict[str, Settled]:
        """Return the states of several requests, by key."""
        calls = {}
        for key, *row in self._select(keys, f"calls.key, {self._columns}"):
            call = _read_call(key, row)
            calls[key] = call
            if call.brought:
                self._brought.add(key)
        return calls

    def statuses(self, keys: Sequence[str]) -> dict[str, str]:
        """The states of several requests without their answers, by key."""
        return dict(self._select(keys, "calls.key, status"))

    def _select(self, keys: Sequence[str], columns: str) -> list[tuple[Any, ...]]:
        """The columns of several requests' rows; a failed one counts as never sent."""
        # the keys are one value, as a statement takes only so many
        statement = (
            f"SELECT {columns} FROM json_each(?) JOIN calls ON calls.key = json_each.value "  # noqa: S608  # words of ours
            "WHERE status <> 'failed'"
        )
        return self._query_rows(statement, (json.dumps(sorted(keys)),))

    def reserve(
        self,
        key: str,
        *,
        run: str,
        model: str,
        usd: float,
        cap_usd: float,
        durable: bool = False,
    ) -> Answer:
        """Reserve a request's highest price, or return ``over_cap`` and change nothing.

        After this, the request counts as sent. One that failed unpaid, or one in doubt that was
        released, may be reserved again. The cap includes the money of earlier processes for the
        run. The model is for quotes of later runs. A ``durable`` reserve is on the disk before this
        returns; a loss of power may undo others.
        """
        amount = pico(usd)
        with self._durably() if durable else nullcontext(), self.together():
            money = self._money(run)
            if money.held + money.paid + amount > whole_cap(cap_usd):
                return "over_cap"
            written = self._run(
                "INSERT INTO calls (key, run, model, status, held) VALUES (?, ?, ?, 'sent', ?) "
                "ON CONFLICT (key) DO UPDATE SET run = excluded.run, status = 'sent', "
                "held = excluded.held, paid = 0, why = '' WHERE calls.status = 'failed'",
                (key, run, model, amount),
            )
            if written.rowcount != 1:  # it is there, and didn't fail
                raise ValueError("the call was sent before: look it up first")
            self._add(run, held=amount, paid=0)
        return "go"

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """Have SQLite wait for the disk within the block."""
        self._run("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            self._run("PRAGMA synchronous=NORMAL")

    def settle(
        self, key: str, reply: Reply, usd: float, miscounted: str = ""
    ) -> Settled:
        """Keep an answer with its cost, and free its reserve.

        ``miscounted`` says why the count of its tokens isn't believed.
        """
        paid = pico(usd)
        call = Settled(
            key=key,
            status="settled",
            reply=reply,
            usd=paid / PICO,
            why=miscounted[:_LONGEST_REASON],
        )
        return self._close(call, paid)

    def fail(self, key: str, why: str, usd: float = 0.0) -> Settled:
        """Note a failed call, unpaid or paid with an amount, and free its reserve."""
        call = Settled(key=key, status="failed", why=why[:_LONGEST_REASON])
        return self._close(call, pico(usd))

    def doubt(self, key: str, why: str) -> Settled:
        """Note a call in doubt: its reserve stays, as nobody knows whether it was paid."""
        with self.together():
            self._run(
                "UPDATE calls SET status = 'in_doubt', why = ? WHERE key = ?",
                (why[:_LONGEST_REASON], key),
            )
        call = self.find(key)
        assert call is not None  # it was reserved before
        return call

    def _close(self, call: Settled, paid: int = 0) -> Settled:
        """Write down the end of a call, and release the money that was held for it."""
        reply = call.reply.model_dump_json() if call.reply else None
        with self.together():
            ((run, held, model),) = self._query_rows(
                "SELECT run, held, model FROM calls WHERE key = ?", (call.key,)
            )
            sealed = seal(_text_to_seal(call.key, model, reply)) if reply else ""
            self._run(
                "UPDATE calls SET status = ?, held = 0, paid = ?, reply = ?, why = ?, seal = ? "
                "WHERE key = ?",
                (call.status, paid, reply, call.why, sealed, call.key),
            )
            self._add(run, held=-held, paid=paid)
        return call

    def release(self, run: str, *, free: bool = False) -> int:
        """Allow a run's doubtful calls to be sent again, because the user says so.

        Calls that are ``free``, without a reserve, need no such permission. The others may be paid
        twice: their reserve counts as paid from then on, so that the cap holds either way. Returns
        their number. Runs of training aren't calls: their service is asked whether they have begun.
        """
        # the last condition takes all of them, or with ``free`` those without a reserve
        rows = self._query_rows(
            "SELECT key, held FROM calls WHERE status = 'in_doubt' "
            "AND run = ? AND model NOT LIKE ? AND (held = 0 OR NOT ?)",
            (run, f"{TRAINING}%", free),
        )
        for key, held in rows:
            self.fail(key, "released", held / PICO)
        return len(rows)

    def doubtful(self, run: str | None = None) -> tuple[Settled, ...]:
        """Return the calls of a run, or of all runs, of which nobody knows whether they were paid."""
        # of all runs where the third value is NULL
        rows = self._query_rows(
            f"SELECT key, {self._columns} FROM calls WHERE status IN (?, ?) "  # noqa: S608  # words of ours
            "AND (? IS NULL OR run = ?) ORDER BY key",
            (*self._unsettled, run, run),
        )
        return tuple(_read_call(key, row) for key, *row in rows)

    def spend(self, run: str, cap_usd: float = 0.0) -> Spend:
        """Return the money and the calls of a run so far."""
        money = self._money(run)
        rows = self._query_rows(
            "SELECT status, COUNT(*), SUM(why <> ''), SUM(why = ?) FROM calls "
            "WHERE run = ? GROUP BY status",
            (_CUT_OFF, run),
        )
        calls = Counter[str]()
        with_why = Counter[str]()
        cut_off = Counter[str]()
        for status, n, n_with_why, n_cut_off in rows:
            calls[status] = n
            with_why[status] = n_with_why
            cut_off[status] = n_cut_off
        return Spend(
            cap=cap_usd,
            paid=money.paid / PICO,
            held=money.held / PICO,
            calls=calls["settled"],
            reused=0,
            in_doubt=calls["in_doubt"],
            failed=calls["failed"],
            cut_off=cut_off["in_doubt"],
            miscounted=with_why["settled"],  # only such a settled call has a reason
            brought=len(self._brought),
        )

    def correct(self, run: str, usd: float) -> None:
        """Correct the amount that a run has paid so far, by the vendor's bill.

        Each of its calls then has its share of that. Reserves stay.
        """
        paid = pico(usd)
        with self.together():
            before = self._money(run).paid
            rows = self._query_rows(
                "SELECT key, paid FROM calls WHERE run = ? AND paid > 0", (run,)
            )
            for key, cost in rows:
                # rounded down, so that the calls together cost no more than the run paid
                share = cost * paid // before
                self._run("UPDATE calls SET paid = ? WHERE key = ?", (share, key))
            self._add(run, held=0, paid=paid - before)

    def usual(self, model: str) -> UsualCall | None:
        """Return the averages of a model's settled calls; None without any."""
        ((written, thought, seconds),) = self._query_rows(
            "SELECT AVG(json_extract(reply, '$.usage.output_tokens')), "
            "AVG(json_extract(reply, '$.usage.reasoning_tokens')), "
            "AVG(json_extract(reply, '$.latency_s')) "
            "FROM calls WHERE model = ? AND status = 'settled'",
            (model,),
        )
        if written is None:  # there is no row to average
            return None
        # answers of earlier versions lack the other two
        return UsualCall(written, thought or 0.0, seconds or 0.0)

    def _money(self, run: str) -> _RunMoney:
        rows = self._query_rows("SELECT held, paid FROM runs WHERE run = ?", (run,))
        if not rows:
            return _RunMoney(0, 0)
        ((held, paid),) = rows
        return _RunMoney(held, paid)

    def _add(self, run: str, *, held: int, paid: int) -> None:
        """Change the picodollars that a run has reserved and paid by some amounts."""
        self._run(
            "INSERT INTO runs (run, held, paid) VALUES (?, ?, ?) ON CONFLICT (run) DO UPDATE "
            "SET held = held + excluded.held, paid = paid + excluded.paid",
            (run, held, paid),
        )


class _RunMoney(NamedTuple):
    """The picodollars that a run has reserved, and those that it has paid."""

    held: int
    paid: int


def _read_call(key: str, row: Sequence[Any]) -> Settled:
    """Read a call of the ledger; refuse an answer that was edited after it was kept."""
    status, held, paid, text, why, model, sealed = row
    made: Origin = "here"  # of a call without an answer, which has no seal
    reply = None
    try:
        if text is not None:
            made = origin(_text_to_seal(key, model, text), sealed)
            reply = Reply.model_validate_json(text)
        call = Settled(
            key=key,
            status=status,
            reply=reply,
            usd=(held + paid) / PICO,
            why=why,
            brought=made == "brought",
        )
    except (ValueError, TypeError, RecursionError, AttributeError):
        what = f"a call in the ledger can't be read ({key[:12]})"
        raise InputError(what, fix="move .tuneworthy/calls.sqlite3 away") from None
    if made == "edited":
        what = f"an answer in the ledger was changed after it was kept ({key[:12]})"
        fix = "restore an earlier copy of .tuneworthy/calls.sqlite3, or move it away"
        raise InputError(what, fix=fix)
    return call


def _text_to_seal(key: str, model: str, reply: str) -> str:
    """The text that an answer's seal covers. The key is in it, so the seal fits no other request."""
    return f"{key}\n{model}\n{reply}"


class ReadOnlyLedger(Ledger):
    """A ledger without a lock and without writes: quotes and labels never wait for a run.

    A call that is in flight, or was when a run was cut off, counts as doubtful here. The file has
    to exist. On a full or read-only disk it is read as it is, if no write is pending. Raises
    NothingKeptError for a ledger without content.
    """

    _unsettled = ("in_doubt", "sent")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = -1
        self._brought = set[str]()
        try:
            self._look("mode=rw")
        except InTheWayError:
            # a disk that can't be written: without pending writes the file itself is complete
            log = Path(f"{path}-wal")
            if log.exists() and log.stat().st_size:
                raise
            self._look("immutable=1")

    def _look(self, how: str) -> None:
        """Open the file as SQLite's parameter says, and check that it is a ledger."""
        address = f"{self._path.absolute().as_uri()}?{how}"
        with self._opening(address, "query_only=ON") as base:
            refuse_strange(base, self._path)
            if not _has_seals(base):  # a ledger of an earlier version
                self._columns = self._columns.replace("seal", "''")
