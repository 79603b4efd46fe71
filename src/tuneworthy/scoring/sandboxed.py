"""Scorers that run something: a query, or a function of the user's own.

Both run in a process of their own (``child``), with limits and without secrets.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr
from pydantic_core import PydanticCustomError

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.base import inside_folder
from tuneworthy.model.base import wrong as refused
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    WRONG,
    Comparer,
    Kit,
    Output,
    Scored,
    Scorer,
    Stated,
    cut,
    right,
    unscored,
    wrong,
)

CHILD = Path(__file__).with_name("child.py")
MOST_BYTES = 16 * 1024 * 1024  #: Of one answer; a longer one is no answer.


class Worker:
    """A Python process that answers one line of JSON with another.

    It starts with the first question. It is ended when an answer takes too long, and started anew
    for the next question. Its environment is empty but for the path; ``bare`` leaves out the
    packages that are installed here.
    """

    def __init__(
        self, *arguments: str, seconds: float, bare: bool, folder: Path | None = None
    ) -> None:
        flags = ["-I", "-S"] if bare else ["-I"]
        self._command, self._arguments = [sys.executable, *flags, str(CHILD)], arguments
        self._seconds, self._turn, self._folder = seconds, threading.Lock(), folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: weakref.finalize[..., Worker] | None = None

    def ask(self, question: Any) -> tuple[Any, str]:
        """The answer and "", or None and why there is none: too_slow, ended, unreadable."""
        try:
            line = json.dumps(question).encode() + b"\n"
            with self._turn:
                data, why = self._exchange(line)
            return (None, why) if why else (json.loads(data, parse_constant=_refuse_constant), "")
        except (ValueError, TypeError, RecursionError):
            return None, "unreadable"

    def _exchange(self, line: bytes) -> tuple[bytes, str]:
        process, slow, data = self._started(), threading.Event(), b""
        assert process.stdin is not None
        assert process.stdout is not None

        def end() -> None:
            slow.set()
            _kill(process)

        timer = threading.Timer(self._seconds, end)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            data = process.stdout.readline(MOST_BYTES)
        except OSError:
            pass  # it has ended
        finally:
            timer.cancel()
        if data.endswith(b"\n") and not slow.is_set():
            return data, ""
        self._end()
        return b"", "too_slow" if slow.is_set() else "ended"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(  # noqa: S603  # our own script, by this very Python
                [*self._command, str(os.getpid()), *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", "")},
                cwd=self._folder,
                start_new_session=True,
            )
            self._ending = weakref.finalize(self, _stop, self._process)
        return self._process

    def _end(self) -> None:
        if self._ending is not None:
            self._ending()
        self._process, self._ending = None, None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    with contextlib.suppress(OSError), process:
        pass  # which closes its pipes and waits for it


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


SECONDS = 20.0  #: The longest a query may take; steps are counted besides and run out long before.
LONGEST_QUERY = 20_000  #: Characters of a query.

_BLOCK = re.compile(r"```[ \t]*(?:sql|sqlite)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/", re.DOTALL)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)

Rows = list[tuple[str, ...]]


class Sql(Comparer):
    """The query in the output gives the rows that an accepted query gives, each as often.

    Both run read-only on a database in memory. Columns go by their place and not by their name. The
    order of rows counts where the accepted query orders its result. Numbers are compared at nine
    digits, texts exactly. Without an accepted query that runs, the output can't be scored.
    """

    id, main = "sql", "script"
    script: Stated | None = None  #: File beside the case that builds the tables.
    tables: Stated | None = Field(None, alias="schema")  #: Or the script itself.
    _script: str
    _results: dict[str, Rows | str] = PrivateAttr(default_factory=dict)

    def prepare(self, kit: Kit) -> None:
        if self.tables is not None:
            self._script = self.tables
        elif kit.read is None or self.script is None:
            raise refused("needs a script", "write the tables under schema")
        else:
            self._script = kit.read(self.script)

    def check(self) -> None:
        answer, why = self._ask("SELECT 1")
        if why:
            reason = answer.get("says", why) if answer else why
            what = f"check sql has a script that doesn't run ({reason})"
            raise InputError(one_line(what), fix="fix the script")

    def accepted(self, case: EvalCase) -> Sequence[str]:
        return [q for q in case.accepted if isinstance(q, str) and q.strip()]

    def compare(self, output: Output, accepted: Sequence[str]) -> Scored:
        results = {query: self._result(query) for query in accepted}
        right_rows = {query: rows for query, rows in results.items() if not isinstance(rows, str)}
        if not right_rows:
            return unscored("reference_fails", str(results[accepted[0]]))
        rows = self._rows(query_in(output.text))
        if isinstance(rows, str):
            return wrong(rows, signal=FORMAT if rows in {"query_fails", "no_result"} else WRONG)
        for query, wanted in right_rows.items():
            if rows == wanted or (not orders(query) and Counter(rows) == Counter(wanted)):
                return right("rows_equal", {"rows": len(rows)})
        wanted = next(iter(right_rows.values()))
        return wrong("rows_differ", numbers={"rows": len(rows), "wanted": len(wanted)})

    def _result(self, query: str) -> Rows | str:
        if query not in self._results:
            self._results[query] = self._rows(query_in(query))
        return self._results[query]

    def _rows(self, query: str) -> Rows | str:
        """The result of a query, or the id of what went wrong."""
        if not query:
            return "no_result"
        if len(query) > LONGEST_QUERY:
            return "query_too_long"
        answer, why = self._ask(query)
        return why or [tuple(_key(value) for value in row) for row in answer["rows"]]

    def _ask(self, query: str) -> tuple[Any, str]:
        key = hashlib.sha256(self._script.encode("utf-8", "surrogatepass")).hexdigest()
        answer, why = sql_worker().ask({"key": key, "query": query})
        if not why and answer.get("error") == "no_script":
            answer, why = sql_worker().ask({"key": key, "query": query, "script": self._script})
        return answer, why or answer.get("error", "")


@cache
def sql_worker() -> Worker:
    """The one process in which all queries run; it starts with the first."""
    return Worker("sql", seconds=SECONDS, bare=True)


def query_in(text: str) -> str:
    """The query in a text: the only fenced block, or else all of it; no stop at its end."""
    blocks = _BLOCK.findall(text) if "```" in text else []
    query = blocks[0] if len(blocks) == 1 else text
    return query.replace("\0", " ").strip().rstrip(";").strip()


def orders(query: str) -> bool:
    """Whether a query orders its result, and not only something inside brackets."""
    depth, outside = 0, []
    for sign in _QUOTED.sub(" ", query):
        depth += (sign == "(") - (sign == ")")
        outside.append(sign if depth == 0 else " ")
    return _ORDER.search("".join(outside)) is not None


def _key(value: Any) -> str:
    if isinstance(value, int | float):
        return f"n{float(value):.9g}" if abs(value) < 2**53 else f"n{value}"
    return "null" if value is None else f"t{value}"


_FUNCTION = re.compile(r"([^:]+\.py):([A-Za-z_]\w*)")


class Python(Scorer):
    """``function(output, case, context)`` of the user's own says how good an output is.

    The function gets the text, the case as in the evaluation set, and a mapping with ``system``
    and ``tool_calls``. It returns a share between 0 and 1, a yes or no, or
    ``{value, ok?, why?, signal?}``. Anything else, an exception and a time-out leave the output
    unscored: they say something about the function, not about the output.
    """

    id, main, reads_system = "python", "function", True
    function: Stated  #: ``file.py:name``, beside the case.
    seconds: Annotated[float, Field(gt=0, le=60)] = 5.0  #: The longest an answer may take.
    _worker: Worker
    _name: str

    def prepare(self, kit: Kit) -> None:
        if not kit.allow_code:
            raise refused("runs code", "say --allow-code if you trust it")
        if kit.folder is None:
            raise refused("needs a case folder", "load the case from its folder")
        named = _FUNCTION.fullmatch(self.function)
        if named is None:
            raise refused("names no function", "write scorer.py:function")
        folder = kit.folder.resolve()
        try:
            path = (folder / inside_folder(named[1])).resolve()
        except (PydanticCustomError, OSError, ValueError, RuntimeError):
            path = folder
        if not path.is_relative_to(folder) or not path.is_file():
            fix = "put it into the case folder"
            raise refused("names a file that is not beside the case", fix)
        self._name = named[2]
        arguments = ("own", str(folder), str(path), self._name)
        self._worker = Worker(*arguments, seconds=self.seconds, bare=False, folder=folder)

    def score(self, output: Output, case: EvalCase) -> Scored:
        context = {
            "system": output.system,
            "tool_calls": [list(call) for call in output.tool_calls],
        }
        data = case.model_dump(mode="json", exclude_defaults=True)
        answer, why = self._worker.ask([output.text, data, context])
        if why:
            return unscored(f"function_{why}", self._name)
        if "gives" not in answer:
            reason = f"{self._name}: {answer.get('says', '')}"
            return unscored(f"function_{answer.get('error', 'fails')}", reason)
        return self._read(answer["gives"])

    def _read(self, result: Any) -> Scored:
        details = result if isinstance(result, dict) else {}
        value = details.get("value") if details else result
        if not isinstance(value, int | float) or not 0 <= value <= 1 or math.isnan(value):
            return unscored("function_gives_no_share", self._name)
        ok, why = details.get("ok", value >= 1), details.get("why", "")
        signal = details.get("signal", WRONG)
        if not (isinstance(ok, bool) and isinstance(why, str) and isinstance(signal, str)):
            return unscored("function_gives_no_share", self._name)
        signal = "" if ok else cut(signal)
        return Scored(value=value, ok=ok, why="own_function", about=cut(why), signal=signal)
