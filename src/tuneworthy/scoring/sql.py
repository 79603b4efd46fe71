"""``sql``: the query in the output gives the rows that the right query gives.

Both run on a database in memory that is built from a script of the case, in a process of its own
(``child``): read-only, functions from a list, limits on steps, rows and memory.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)
from tuneworthy.scoring.worker import Worker

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


def make(of: Any, kit: Kit) -> Sql:
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
