"""The scorer that runs a query: on a database in memory, in a process beside this one."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import Field, PrivateAttr

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.base import wrong as refused
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    WRONG,
    Comparer,
    Kit,
    Output,
    Scored,
    Stated,
    right,
    unscored,
    wrong,
)
from tuneworthy.scoring.worker import Worker

SECONDS = 20.0  #: The longest a query may take; steps are counted besides and run out long before.
LONGEST_QUERY = 20_000  #: Characters of a query.

_BLOCK = re.compile(
    r"```[ \t]*(?:sql|sqlite)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE
)
_QUOTED = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/", re.DOTALL
)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)

Rows = list[tuple[str, ...]]


class _ExpectedRows(NamedTuple):
    """The result of an accepted query."""

    rows: Rows
    is_ordered: bool  #: Whether the query orders its result.

    def equal(self, rows: Rows) -> bool:
        """Whether other rows are equal, each as often, and in order where that counts."""
        if self.is_ordered:
            return rows == self.rows
        return Counter(rows) == Counter(self.rows)


class Sql(Comparer):
    """The query in the output returns the rows of an accepted query, each as often.

    Both run read-only on a database in memory. Columns are compared by place, not by name. The
    order of rows counts where the accepted query orders its result. Numbers are compared at nine
    digits, texts exactly. The output can't be scored unless an accepted query runs.
    """

    id = "sql"
    main = "script"
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
        """Compare the rows of the output's query with those of each accepted query."""
        faults = list[str]()
        expected = list[_ExpectedRows]()
        for query in accepted:
            result = self._result(query)
            if isinstance(result, str):
                faults.append(result)
            else:
                expected.append(_ExpectedRows(result, is_ordered=orders(query)))
        if not expected:
            return unscored("reference_fails", faults[0])
        rows = self._run_query(query_in(output.text))
        if isinstance(rows, str):
            is_no_query = rows in {"query_fails", "no_result"}
            return wrong(rows, signal=FORMAT if is_no_query else WRONG)
        if any(each.equal(rows) for each in expected):
            return right("rows_equal", {"rows": len(rows)})
        wanted = len(expected[0].rows)
        return wrong("rows_differ", numbers={"rows": len(rows), "wanted": wanted})

    def _result(self, query: str) -> Rows | str:
        """Return the result of an accepted query, or the id of its fault; each is run once."""
        if query not in self._results:
            self._results[query] = self._run_query(query_in(query))
        return self._results[query]

    def _run_query(self, query: str) -> Rows | str:
        """Return the result of a query, or the id of the fault."""
        if not query:
            return "no_result"
        if len(query) > LONGEST_QUERY:
            return "query_too_long"
        answer, why = self._ask(query)
        if why:
            return why
        return [tuple(_key(value) for value in row) for row in answer["rows"]]

    def _ask(self, query: str) -> tuple[Any, str]:
        """Run a query in the worker; the script is sent only if the worker doesn't have it yet."""
        key = hashlib.sha256(self._script.encode("utf-8", "surrogatepass")).hexdigest()
        answer, why = sql_worker().ask({"key": key, "query": query})
        if not why and answer.get("error") == "no_script":
            answer, why = sql_worker().ask(
                {"key": key, "query": query, "script": self._script}
            )
        return answer, why or answer.get("error", "")


@cache
def sql_worker() -> Worker:
    """The one process that runs all queries; it starts with the first one."""
    return Worker("sql", seconds=SECONDS, bare=True)


def query_in(text: str) -> str:
    """Return the query in a text: its only fenced block or else all of it, without a final semicolon."""
    blocks = _BLOCK.findall(text)
    query = blocks[0] if len(blocks) == 1 else text
    # SQLite ends a text at a NUL
    return query.replace("\0", " ").strip().rstrip(";").strip()


def orders(query: str) -> bool:
    """Whether a query orders its result, and not only something inside brackets."""
    depth = 0
    outside = []
    for sign in _QUOTED.sub(" ", query):
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        outside.append(sign if depth == 0 else " ")
    return _ORDER.search("".join(outside)) is not None


def _key(value: Any) -> str:
    """Return a text that is equal for equal values of a row: numbers at nine digits."""
    if value is None:
        return "null"
    if not isinstance(value, int | float):
        return f"t{value}"
    if abs(value) < 2**53:
        return f"n{float(value):.9g}"
    if isinstance(value, float) and not value.is_integer():
        return f"n{value}"  # infinite, or no number
    # a float doesn't hold every whole number from here on, and nine digits would join long ids
    return f"n{int(value)}"
