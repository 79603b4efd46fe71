"""The program inside a worker: it matches patterns, runs queries, or calls a function of the user.

It is started as a separate script that imports only the standard library. It reads a line of JSON
and writes a line. A pattern or a text may be made so that matching never ends. A model wrote the
query, and nobody has read it. So for these two, the program first gives up its rights to write
files and to use more memory than it needs. The function is the user's, who allowed it to run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
#: Address space for queries and for patterns; Python itself takes some tens of MiB.
MEMORY_BYTES = 384 * MIB
PATTERN_MEMORY_BYTES = 1024 * MIB
MOST_OPEN_FILES = 64
#: Databases that are kept; the oldest is built again when it is asked.
MOST_SCRIPTS = 4
MOST_ROWS = 10_000  #: Rows of a result; a query that gives more is refused.
MOST_STEPS = 30_000_000
"""Steps of SQLite's machine that a query may take. Steps don't depend on the clock, so a query has
the same result on every machine."""
_LONGEST_VALUE = MIB
_STEP = 50_000

_HARMLESS = (
    "abs avg ceil ceiling char coalesce count cume_dist date datetime dense_rank first_value floor"
    " format glob group_concat hex ifnull iif instr julianday lag last_value lead length like ln"
    " log log10 log2 lower ltrim max min mod nth_value ntile nullif percent_rank pi pow power"
    " printf quote rank replace round row_number rtrim sign sqrt strftime string_agg substr"
    " substring sum time timediff total trim typeof unicode unixepoch upper exp trunc"
    " json json_array json_array_length json_extract json_object json_type json_valid"
    " json_group_array json_group_object json_each -> ->>"
)
_FUNCTIONS = frozenset(_HARMLESS.split())


def _actions(names: str) -> frozenset[int]:
    return frozenset(getattr(sqlite3, f"SQLITE_{name}") for name in names.split())


_READING = _actions("SELECT READ FUNCTION RECURSIVE")
_BUILDING = _READING | _actions(
    "CREATE_TABLE CREATE_INDEX CREATE_VIEW INSERT UPDATE DELETE TRANSACTION REINDEX"
    " DROP_TABLE DROP_VIEW DROP_INDEX"
)


def limit_process(memory: int) -> None:
    """Limit the memory of this process, in bytes, and forbid it to write files or to open many.

    On a system without such limits none are set. Then only the time limit outside protects.
    """
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": memory,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": MOST_OPEN_FILES,
    }
    for name, most in limits.items():
        # not every system has every limit, or lets a process set it
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (most, most))


class Database:
    """A database in memory, built by a script and read-only afterwards."""

    def __init__(self, script: str) -> None:
        self._steps = 0
        self._link = sqlite3.connect(":memory:", isolation_level=None)
        self._link.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._link.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        self._link.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._link.set_progress_handler(self._spent, _STEP)
        self._link.set_authorizer(_allowing(_BUILDING))
        self._link.executescript(script)
        self._link.set_authorizer(None)
        self._link.execute("PRAGMA query_only = ON")
        self._link.set_authorizer(_allowing(_READING))

    def rows(self, query: str) -> dict[str, Any]:
        """The rows of one query, or ``error`` with the id of the fault."""
        self._steps = 0
        try:
            cursor = self._link.execute(query)
            rows = cursor.fetchmany(MOST_ROWS + 1)
        except MemoryError:
            return {"error": "too_much_memory"}
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as problem:
            return {"error": self._reason(problem)}
        if len(rows) > MOST_ROWS:
            return {"error": "too_many_rows"}
        if cursor.description is None:
            return {"error": "no_result"}
        return {"rows": [[_plain(value) for value in row] for row in rows]}

    def _reason(self, problem: Exception) -> str:
        """The reason why a query failed, by the error that SQLite gives."""
        says = str(problem)
        if self._steps * _STEP > MOST_STEPS:
            return "too_much_work"
        if "not authorized" in says or "prohibited" in says:
            return "not_allowed"
        if "out of memory" in says:
            return "too_much_memory"
        return "query_fails"

    def _spent(self) -> int:
        self._steps += 1
        return int(self._steps * _STEP > MOST_STEPS)


def _allowing(actions: frozenset[int]) -> Callable[..., int]:
    """Return a function that lets SQLite do these actions and refuses all others."""

    def authorize(
        action: int, table: str | None, function: str | None, *_place: str | None
    ) -> int:
        allowed = action in actions
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = str(function).lower() in _FUNCTIONS
        # a pragma read as a table could show files of this machine
        if action == sqlite3.SQLITE_READ and str(table).lower().startswith("pragma_"):
            allowed = False
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


def _plain(value: Any) -> Any:
    """A value as JSON: bytes as hexadecimal, infinities as words."""
    if isinstance(value, bytes):
        return f"x{value.hex()}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def sql() -> Callable[[Any], Any]:
    """Make the function that answers ``{key, query, script?}``.

    It answers ``no_script`` where it doesn't know the key and no script is given.
    """
    limit_process(MEMORY_BYTES)
    databases: dict[str, Database] = {}

    def answer(question: Any) -> Any:
        """Run one query; each script's database is made once and kept."""
        key = question["key"]
        query = question["query"]
        if key not in databases:
            if question.get("script") is None:
                return {"error": "no_script"}
            if len(databases) >= MOST_SCRIPTS:
                oldest, *_ = databases  # a dictionary keeps their order
                del databases[oldest]
            try:
                databases[key] = Database(question["script"])
            except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as problem:
                return {"error": "bad_script", "says": str(problem)[:200]}
        return databases[key].rows(query) if query else {"rows": []}

    return answer


def regex() -> Callable[[Any], Any]:
    """Make the function that matches ``[pattern, text, whole, capitals]``: yes, no or no_pattern."""
    limit_process(PATTERN_MEMORY_BYTES)

    def answer(question: Any) -> str:
        pattern, text, whole, capitals = question
        try:
            compiled = re.compile(pattern, 0 if capitals else re.IGNORECASE)
        except (re.error, OverflowError, RecursionError):
            return "no_pattern"
        match = compiled.fullmatch(text) if whole else compiled.search(text)
        return "no" if match is None else "yes"

    return answer


def own(folder: str, file: str, name: str) -> Callable[[Any], Any]:
    """Make the function that calls the user's function with a list of arguments."""
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("own_scorer", Path(folder) / file)
    if spec is None or spec.loader is None:
        raise ImportError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name)
    return lambda arguments: {"gives": function(*arguments)}


_ROUNDS = 50  # rounds that look for processes begun while others are ended
_ADOPT = 36  # PR_SET_CHILD_SUBREAPER of Linux


def adopt_orphans() -> None:
    """Adopt descendants that lose their parent, where the system allows it."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)


def list_descendants(pid: int) -> list[int]:
    """The processes below one, in any session; [] where the system can't list them."""
    children: dict[int, list[int]] = {}
    numbers = [name for name in _names_in("/proc") if name.isdigit()]
    for name in numbers:
        # a process may have ended by now
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = Path("/proc", name, "stat").read_bytes()
            # the name of the program stands in brackets, and may hold brackets and blanks
            _, _, after_name = stat.rpartition(b")")
            state, parent, *_ = after_name.split()
            if state != b"Z":  # a zombie has ended already
                children.setdefault(int(parent), []).append(int(name))
    below: list[int] = []
    waiting = [pid]
    while waiting:
        started = children.pop(waiting.pop(), [])
        below += started
        waiting += started
    return below


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # names are enough
    except OSError:
        return []


def end_descendants(pid: int) -> None:
    """End all descendants of a process, but not the process itself."""
    for _ in range(_ROUNDS):
        below = list_descendants(pid)
        if not below:
            return
        for each in below:
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGKILL)


def end_with(parent: int, *, adopting: bool) -> None:
    """Continue in a child process, while this one waits for the end of the child or its parent.

    When one of the two is gone, it ends everything that was started below it. With ``adopting``, it
    also ends processes that made a session of their own. A thread can't do this: a pattern of
    ``re`` that never ends lets no thread run.
    """
    if adopting:
        adopt_orphans()
    pid = os.fork()
    if pid == 0:
        return  # the child, which does the work
    # who reads the child's output would else wait for the end of this process, too
    close_streams()
    # a process whose parent has ended gets another parent
    while os.getppid() == parent and _is_running(pid):
        time.sleep(0.2)
    # first those that left this group for a session of their own, then the group with this process
    end_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)


def _is_running(pid: int) -> bool:
    """Whether a child of this process hasn't ended; to be asked no more once it has."""
    changed_pid, _ = os.waitpid(pid, os.WNOHANG)
    return changed_pid == 0  # no child has changed its state


def close_streams() -> None:
    """Close the standard streams, so that nothing is read or printed from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def main(parent: str, kind: str, *arguments: str) -> None:
    """Answer questions until the input ends. Output of the user's code is dropped."""
    if hasattr(os, "fork"):
        # the parent comes as an argument, because it may be gone by now
        end_with(int(parent), adopting=kind == "own")
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    close_streams()
    answers.write(b"ready\n")
    answers.flush()
    answer = _load(kind, *arguments)
    for line in questions:
        answers.write(_answer_line(answer, line))
        answers.flush()  # whoever started this process waits for the line
    os._exit(0)  # whoever stays behind ends all that the user's code started


def _load(kind: str, *arguments: str) -> Callable[[Any], Any]:
    """Make the function that answers; where that fails, one that says so to each question."""
    try:
        if kind == "own":
            return own(*arguments)
        return sql() if kind == "sql" else regex()
    except BaseException as problem:  # noqa: BLE001  # somebody's module may raise anything
        failed = type(problem).__name__
    return lambda _: {"error": "cannot_load", "says": failed}


def _answer_line(answer: Callable[[Any], Any], line: bytes) -> bytes:
    """Answer a line of JSON with a line of JSON."""
    try:
        result = answer(json.loads(line))
    except Exception as problem:  # noqa: BLE001  # somebody's function may raise anything
        result = {"error": "raises", "says": type(problem).__name__}
    try:
        text = json.dumps(result)
    except (ValueError, TypeError, RecursionError):
        text = json.dumps({"error": "no_json"})
    return text.encode() + b"\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
