"""What a list of cases costs: CPU seconds of the whole command, with the budget of each beside it.

Run ``python benchmarks/portfolio.py``, or ``python benchmarks/portfolio.py 2000`` for that many
cases: those of the gallery again and again, each with another name and other amounts. The list is
made with nothing kept, made again, and made for the next day, each in a process of its own.
``--former FOLDER`` runs another checkout in turn.

A list that holds other than all cases, or one that isn't judged, is no figure; nor is one whose
rows say other than the report of the case.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml
from road import PROJECT, Line, child_cpu_s, table

SEED = 7
DAY = date(2026, 12, 1)
START_S = 0.6
NEW_MS, AGAIN_MS = 6.0, 1.0
"""Budgets of a list: to start, and for each case that is new, and that was seen before."""
CHECKED = 5
"""Cases whose report is compared with their row."""


def folder_of_cases(folder: Path, many: int) -> None:
    """Cases of the gallery with names and amounts of their own."""
    gallery = sorted(path.parent for path in (PROJECT / "examples").glob("*/case.yaml"))
    chance = random.Random(SEED)
    for number in range(many):
        place = folder / f"case-{number:04}"
        shutil.copytree(gallery[number % len(gallery)], place)
        path = place / "case.yaml"
        case = yaml.safe_load(path.read_text("utf-8"))
        case["name"] = f"Case {number} of {case['name']}"
        factor = chance.uniform(0.7, 1.4)
        for room in ("economics", "today"):
            if room in case:
                case[room] = varied(case[room], factor)
        path.write_text(yaml.safe_dump(case, sort_keys=False), "utf-8")


def varied(value: Any, factor: float) -> Any:
    """A value with its amounts multiplied; shares and small numbers stay."""
    if isinstance(value, dict):
        return {name: varied(each, factor) for name, each in value.items()}
    is_amount = isinstance(value, int) and not isinstance(value, bool) and value >= 10
    return round(value * factor) if is_amount else value


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tuneworthy", *arguments, "--format", "json"]


def environment(source: Path, home: Path) -> dict[str, str]:
    """Of a checkout, with a cache and a configuration of its own."""
    places = {"XDG_CACHE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    return {**os.environ, **places, "PYTHONPATH": str(source / "src")}


def measure(folder: Path, source: Path, many: int) -> tuple[dict[str, float], str]:
    """CPU seconds of each list, and the first of them."""
    with tempfile.TemporaryDirectory() as home:
        env = environment(source, Path(home))
        figures = {}
        listed = ""
        days = {"new": DAY, "again": DAY, "the next day": DAY + timedelta(1)}
        for name, day in days.items():
            output = Path(home) / f"{name}.json"
            figures[name] = child_cpu_s(
                [
                    *command("list", str(folder), "--as-of", day.isoformat()),
                    "--output",
                    str(output),
                ],
                env=env,
            )
            text = output.read_text("utf-8")
            check(json.loads(text), many, day)
            listed = listed or text
        return figures, listed


def check(listed: Mapping[str, Any], many: int, day: date) -> None:
    """Fail where a list doesn't hold every case, judged for its day."""
    rows = listed["cases"]
    names = {row["name"] for row in rows}
    assert len(names) == many, f"a list of {len(names)} cases of {many}"
    left = [row["name"] for row in rows if row["pending"] or row["problem"]]
    assert not left, f"not judged: {left[:3]}"
    days = {row["as_of"] for row in rows}
    assert days == {day.isoformat()}, f"judged for {days}"


def check_reports(folder: Path, listed: Mapping[str, Any]) -> None:
    """Fail where the report of a case says other than its row."""
    rows = listed["cases"]
    for row in rows[:: max(1, len(rows) // CHECKED)]:
        case = str(folder / row["name"])
        done = subprocess.run(
            command("decide", case, "--as-of", DAY.isoformat()),
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        report = json.loads(done.stdout)
        money = report["investment"]
        assert row["answer"] == report["verdict"]["answer"], row["name"]
        assert row["says"] == report["verdict"]["headline"], row["name"]
        assert row["worth_usd"] == money.get("gain_usd", money), row["name"]


def lines(figures: Mapping[str, float], many: int, bare_s: float) -> list[Line]:
    """The lines of the table; the first is a bare Python."""
    new = START_S + many * NEW_MS / 1000
    again = START_S + many * AGAIN_MS / 1000
    result = [Line("`python -c pass`", bare_s, "s", seconds=bare_s)]
    for name, seconds in figures.items():
        what = f"a list of {many:,} cases, {name}, all judged"
        budget = new if name == "new" else again
        result.append(Line(what, seconds, "s", budget, seconds))
    return result


def main() -> int:
    """Measure and print.

    Returns:
        0 when every budget is kept, 1 when one is not.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=int, nargs="?", default=200)
    parser.add_argument("--former", type=Path, help="another checkout, run in turn")
    options = parser.parse_args()
    many = options.cases
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder_of_cases(folder, many)
        before = ""
        if options.former:
            figures, before = measure(folder, options.former.resolve(), many)
            for name, seconds in figures.items():
                print(f"former, a list of {many:,} cases, {name}: {seconds:.2f} s")
        bare_s = child_cpu_s([sys.executable, "-c", "pass"])
        figures, listed = measure(folder, PROJECT, many)
        if before:
            same = json.loads(before)["cases"] == json.loads(listed)["cases"]
            print(f"the rows are {'the same' if same else 'others'}\n")
        check_reports(folder, json.loads(listed))
    found = lines(figures, many, bare_s)
    print(f"Python {platform.python_version()} on {platform.system()}.\n")
    print(table(found))
    return int(
        any(line.budget is not None and line.value > line.budget for line in found)
    )


if __name__ == "__main__":
    sys.exit(main())
