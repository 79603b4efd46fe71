"""Scorers on published data: what is right there is right here, and a slip in it is not."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneworthy import scoring as scoring_room
from tuneworthy.model.evalset import CheckCall, EvalCase
from tuneworthy.scoring import scorer_for
from tuneworthy.scoring import sql as scoring_sql
from tuneworthy.scoring.base import Kit, Output

LEFT_OUT = ""
FILES = ("live_simple", "multiple", "parallel", "simple_python")


def spelled(accepted: Any) -> Any:
    """The first accepted value, spelled out: inside objects every value is a list again."""
    if isinstance(accepted, dict):
        return {key: spelled(v[0]) for key, v in accepted.items() if v[0] != LEFT_OUT}
    return (
        [spelled(one) for one in accepted] if isinstance(accepted, list) else accepted
    )


def calls_of(truth: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, {key: spelled(v[0]) for key, v in given.items() if v[0] != LEFT_OUT})
        for one in truth
        for name, given in one.items()
    ]


def slips(
    calls: list[tuple[str, dict[str, Any]]],
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """One thing wrong each: another tool, an argument too many, one call less, one more."""
    (name, given), *others = calls
    yield [(f"{name}_other", given), *others]
    yield [(name, {**given, "no_such_argument": 1}), *others]
    yield [*calls, ("stray", {})]
    for key in given:
        yield [(name, {**given, key: "no such value \u2603"}), *others]
    if others:
        yield others


@pytest.mark.parametrize("name", FILES)
def test_an_accepted_call_is_right_and_any_slip_is_not(shared: Path, name: str) -> None:
    scorer, rows = scorer_for("tool_call", Kit()), 0
    for line in (shared / f"real/bfcl/ans_{name}.json").read_text("utf-8").splitlines():
        row = json.loads(line)
        if any(
            v == []
            for one in row["ground_truth"]
            for given in one.values()
            for v in given.values()
        ):
            continue  # an argument for which nothing is accepted, not even to leave it out
        case = EvalCase(
            id=row["id"], input="q", reference={"calls": row["ground_truth"]}
        )
        right = calls_of(row["ground_truth"])

        def judged(
            calls: list[tuple[str, dict[str, Any]]], case: EvalCase = case
        ) -> Any:
            told = tuple((tool, json.dumps(given)) for tool, given in calls)
            return scorer.score(Output("", told), case)

        assert judged(right).value == 1, row
        assert judged(right[::-1]).ok is True, row
        for wrong in slips(right):
            assert judged(wrong).ok is False, (row, wrong)
        rows += 1
    assert rows >= 200


def tables_for(queries: list[str]) -> tuple[str, list[str]]:
    """A database on which queries run, found by what SQLite misses; and those that do run."""
    made: dict[str, set[str]] = {}
    runs: list[str] = []
    for query in queries:
        names = {
            (alias or table).casefold(): table.casefold()
            for table, alias in re.findall(
                r"\b(?:FROM|JOIN|,)\s+(\w+)(?:\s+(?:AS\s+)?(?!ON\b|WHERE\b|GROUP\b|ORDER\b|JOIN\b"
                r"|LEFT\b|INNER\b|LIMIT\b|UNION\b|CROSS\b|HAVING\b)(\w+))?",
                query, re.IGNORECASE,
            )
        }  # fmt: skip
        for _ in range(40):
            link = sqlite3.connect(":memory:")
            link.executescript(script_of(made))
            try:
                link.execute(query).fetchall()
                runs.append(query)
                break
            except sqlite3.Error as problem:
                found = re.match(
                    r"no such (table|column): (?:(\w+)\.)?(\w+)", str(problem)
                )
                if found is None:
                    break
                if found[1] == "table":
                    made.setdefault(found[3].casefold(), {"id"})
                else:
                    table = names.get(
                        (found[2] or next(iter(names), "")).casefold(), ""
                    )
                    if table not in made or found[3].casefold() in made[table]:
                        break
                    made[table].add(found[3].casefold())
            finally:
                link.close()
    return script_of(made), runs


def script_of(made: dict[str, set[str]]) -> str:
    lines = []
    for table, columns in sorted(made.items()):
        names = sorted(columns)
        lines.append(f"CREATE TABLE {table}({', '.join(names)});")
        for row in range(1, 4):
            values = ", ".join(str(row + place % 2) for place, _ in enumerate(names))
            lines.append(f"INSERT INTO {table} VALUES ({values});")
    return "\n".join(lines)


@pytest.mark.slow
def test_a_published_query_equals_itself_and_not_a_row_more(shared: Path) -> None:
    text = (shared / "real/sql_eval/questions_gen_sqlite.csv").read_text("utf-8")
    by_base: dict[str, list[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        by_base.setdefault(row["db_name"], []).append(
            scoring_sql.query_in(row["query"].split(";")[0])
        )
    ran = 0
    for queries in by_base.values():
        script, runs = tables_for(queries)
        scorer = scorer_for(CheckCall(scorer="sql", of={"schema": script}), Kit())
        for query in runs:
            case = EvalCase(id="q", input="q", reference=query)
            assert scorer.score(Output(f"```sql\n{query};\n```"), case).value == 1
            doubled = f"SELECT * FROM ({query}) UNION ALL SELECT * FROM ({query})"
            one = scorer.score(Output(doubled), case)
            assert one.ok is (one.numbers["rows"] == 0)
        ran += len(runs)
    assert ran >= 190


def test_every_intent_is_right_for_itself_alone(shared: Path) -> None:
    with (shared / "real/banking77/test.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        rows = [row["category"] for row in csv.DictReader(file)]
    cases = [
        EvalCase(id=str(k), input="q", reference=label) for k, label in enumerate(rows)
    ]
    (scorer,) = scoring_room.default_scorers(cases)
    assert scorer.id == "label"
    labels = sorted(set(rows))
    assert len(labels) == 77
    for reference in labels:
        case = EvalCase(id="c", input="q", reference=reference)
        spoken = {f"{one.replace('_', ' ').capitalize()}.": one for one in labels}
        right = [one for said, one in spoken.items()
                 if scorer.score(Output(said), case).ok]  # fmt: skip
        assert right == [reference]
    assert scorer.score(Output("card"), cases[0]).why == "no_label"
