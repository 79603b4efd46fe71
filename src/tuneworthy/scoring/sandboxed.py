"""``sql``: the query in the output gives the rows that the right query gives.

Both run on a database in memory that is built from a script of the case, in a process of its own
(``child``): read-only, functions from a list, limits on steps, rows and memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import selectors
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from tuneworthy.model.base import inside_folder
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    WRONG,
    Asked,
    Context,
    Kit,
    Output,
    Scored,
    cut,
    right,
    unjudged,
    wrong,
)

# A process of its own for what must not be able to harm: it has limits, and no secrets.

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer; a longer one is no answer."""


class Worker:
    """A Python process that answers one line of JSON with another.

    It starts when it is first asked. It is ended when an answer takes too long, and started anew
    for the next question. Its environment is empty but for the path.

    Args:
        script: File to run.
        arguments: Its arguments.
        seconds: The longest an answer may take.
        bare: Start it without the packages that are installed here.
        folder: Where it starts, so that a bare name of a file means one that lies there.
    """

    def __init__(
        self,
        script: Path,
        arguments: Sequence[str] = (),
        *,
        seconds: float,
        bare: bool,
        folder: Path | None = None,
    ) -> None:
        flags = ["-I", "-S"] if bare else ["-I"]
        self._command = [sys.executable, *flags, str(script), *arguments]
        self._seconds, self._turn, self._folder = seconds, threading.Lock(), folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: weakref.finalize[..., Worker] | None = None

    def ask(self, question: Any) -> tuple[Any, str]:
        """The answer and "", or None and why there is none: too_slow, ended, unreadable."""
        with self._turn:
            try:
                line = json.dumps(question).encode() + b"\n"
            except (ValueError, TypeError, RecursionError):
                return None, "unreadable"
            data, why = self._exchange(line)
            if why:
                self._end()
                return None, why
        try:
            return json.loads(data, parse_constant=_none), ""
        except (ValueError, RecursionError):
            return None, "unreadable"

    def _exchange(self, line: bytes) -> tuple[bytes, str]:
        until = time.monotonic() + self._seconds
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        taken, received = 0, bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdin, selectors.EVENT_WRITE)
            ready.register(process.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                left = until - time.monotonic()
                events = ready.select(left) if left > 0 else []
                if not events:
                    return b"", "too_slow"
                for key, _ in events:
                    try:
                        if key.fileobj is process.stdin:
                            taken += os.write(key.fd, line[taken : taken + 65536])
                            if taken == len(line):
                                ready.unregister(process.stdin)
                            continue
                        part = os.read(key.fd, 65536)
                    except (BrokenPipeError, ConnectionError):
                        return b"", "ended"
                    if not part or len(received) > MOST_BYTES:
                        return b"", "ended"
                    received += part
        return bytes(received), ""

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(  # noqa: S603  # our own script, by this very Python
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", "")},
                cwd=self._folder,
                start_new_session=True,
                bufsize=0,
            )
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
            self._ending = weakref.finalize(self, _stop, self._process)
        return self._process

    def _end(self) -> None:
        if self._ending is not None:
            self._ending()
        self._process, self._ending = None, None


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _none(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# ``sql``: the query in the output gives the rows that the right query gives.

SECONDS = 20.0
"""The longest an answer may take; steps are counted besides and run out long before."""
LONGEST_QUERY = 20_000
"""Characters of a query."""

_BLOCK = re.compile(r"```[ \t]*(?:sql|sqlite)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/", re.DOTALL)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sql:
    """Right where both results hold the same rows, each as often.

    Columns go by their place and not by their name. The order of rows counts where the right query
    orders its result. Numbers are compared at nine digits, texts exactly.
    """

    script: str
    worker: Worker
    _known: dict[str, Rows | str] = field(default_factory=dict, repr=False)
    id: str = "sql"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for the same result as an accepted query, else 0.

        Without a right query that runs, it can't be judged.
        """
        del context
        gold = [one for one in case.accepted if isinstance(one, str) and one.strip()]
        if not gold:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        wanted = [(query, self._right(query)) for query in gold]
        runs = [(query, rows) for query, rows in wanted if not isinstance(rows, str)]
        if not runs:
            return unjudged("reference_fails", str(wanted[0][1]))
        said = self._rows(query_in(output.text))
        if isinstance(said, str):
            signal = FORMAT if said in {"query_fails", "no_result"} else "wrong_answer"
            return wrong(said, signal=signal)
        if any(equal(said, rows, ordered=orders(query)) for query, rows in runs):
            return right("rows_equal", {"rows": len(said)})
        return wrong("rows_differ", numbers={"rows": len(said), "wanted": len(runs[0][1])})

    def _right(self, query: str) -> Rows | str:
        if query not in self._known:
            self._known[query] = self._rows(query_in(query))
        return self._known[query]

    def _rows(self, query: str) -> Rows | str:
        """The result of a query, or the id of what went wrong."""
        if not query:
            return "no_result"
        if len(query) > LONGEST_QUERY:
            return "query_too_long"
        answer, why = ask(self.worker, self.script, query)
        if why:
            return why
        return [tuple(_key(value) for value in row) for row in answer["rows"]]


def ask(worker: Worker, script: str, query: str) -> tuple[Any, str]:
    """Run a query on the database of a script: the answer, or the id of what went wrong."""
    key = hashlib.sha256(script.encode("utf-8", "surrogatepass")).hexdigest()
    answer, why = worker.ask({"key": key, "query": query})
    if not why and answer.get("error") == "no_script":
        answer, why = worker.ask({"key": key, "query": query, "script": script})
    return answer, why or answer.get("error", "")


def query_in(text: str) -> str:
    """The query in a text: the only fenced block, or else all of it; no stop at its end."""
    blocks = _BLOCK.findall(text) if "```" in text else []
    query = blocks[0] if len(blocks) == 1 else text
    return query.replace("\0", " ").strip().rstrip(";").strip()


def orders(query: str) -> bool:
    """Whether a query orders its result, and not only something inside brackets."""
    depth, kept = 0, []
    for letter in _QUOTED.sub(" ", query):
        depth += (letter == "(") - (letter == ")")
        kept.append(letter if depth == 0 else " ")
    return _ORDER.search("".join(kept)) is not None


def equal(said: Rows, wanted: Rows, *, ordered: bool) -> bool:
    """Whether two results are the same."""
    return said == wanted if ordered else Counter(said) == Counter(wanted)


def _key(value: Any) -> str:
    if isinstance(value, int | float):
        return f"n{float(value):.9g}" if abs(value) < 2**53 else f"n{value}"
    return "null" if value is None else f"t{value}"


def sql_make(of: Any, kit: Kit) -> Sql:
    """A scorer from its parameters: script (a file beside the case), or schema (the script itself).

    Raises:
        InputError: If there is neither, or the script doesn't run.
    """
    asked = Asked("sql", of, "script", ("script", "schema"))
    if asked.has("schema"):
        script = asked.text("schema")
    elif kit.read is None:
        raise asked.bad("needs a script", "write the tables under schema")
    else:
        script = kit.read(asked.text("script"))
    worker = Worker(Path(__file__).with_name("child.py"), ("sql",), seconds=SECONDS, bare=True)
    answer, why = ask(worker, script, "SELECT 1")
    if why:
        says = answer.get("says", why) if answer else why
        raise asked.bad(f"has a script that doesn't run ({says})", "mend the script")
    return Sql(script, worker)


# ``python``: a function of the user's own, only where somebody said that code may be run.

_NAMED = re.compile(r"([^:]+\.py):([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Python:
    """Asks ``function(output, case, context)`` in a process of its own.

    The function gets the text, the case as in the evaluation set, and a mapping with ``system``
    and ``tool_calls``. It gives a share between 0 and 1, a yes or no, or
    ``{value, ok?, why?, signal?}``. Anything else, an exception and a time-out can't be judged:
    they say something about the function, not about the output.
    """

    worker: Worker
    name: str
    id: str = "python"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """What the function says."""
        told = {"system": context.system, "tool_calls": [list(one) for one in output.tool_calls]}
        case_told = case.model_dump(mode="json", exclude_defaults=True)
        answer, why = self.worker.ask([output.text, case_told, told])
        if why:
            return unjudged(f"function_{why}", self.name)
        if "gives" not in answer:
            says = f"{self.name}: {answer.get('says', '')}"
            return unjudged(f"function_{answer.get('error', 'fails')}", says)
        return self._read(answer["gives"])

    def _read(self, gives: Any) -> Scored:
        more = gives if isinstance(gives, dict) else {}
        value = more.get("value") if more else gives
        if not isinstance(value, int | float) or not 0 <= value <= 1 or math.isnan(value):
            return unjudged("function_gives_no_share", self.name)
        ok = more.get("ok", value >= 1)
        if not isinstance(ok, bool):
            return unjudged("function_gives_no_share", self.name)
        why, signal = more.get("why", ""), more.get("signal", WRONG)
        if not isinstance(why, str) or not isinstance(signal, str):
            return unjudged("function_gives_no_share", self.name)
        return Scored(
            value=value, ok=ok, why="own_function", about=cut(why), signal="" if ok else cut(signal)
        )


def make(of: Any, kit: Kit) -> Python:
    """A scorer from its parameters: function (``file.py:name`` beside the case), seconds.

    Raises:
        InputError: If code may not be run, or the function is not named or lies elsewhere.
    """
    asked = Asked("python", of, "function", ("function", "seconds"))
    if not kit.allow_code:
        raise asked.bad("runs code", "say --allow-code if you trust it")
    if kit.folder is None:
        raise asked.bad("needs a case folder", "load the case from its folder")
    named = _NAMED.fullmatch(asked.text("function"))
    if named is None:
        raise asked.bad("names no function", "write scorer.py:function")
    seconds = asked.number("seconds", 5.0) or 5.0
    if seconds > 60:
        raise asked.bad("gives seconds out of range", "write up to 60")
    folder = kit.folder.resolve()
    try:
        path = (folder / inside_folder(named[1])).resolve()
    except (PydanticCustomError, OSError, ValueError, RuntimeError):
        path = folder
    if not path.is_relative_to(folder) or not path.is_file():
        raise asked.bad("names a file that is not beside the case", "put it into the case folder")
    child = Path(__file__).with_name("child.py")
    worker = Worker(
        child, ("own", str(folder), str(path), named[2]), seconds=seconds, bare=False, folder=folder
    )
    return Python(worker, named[2])
