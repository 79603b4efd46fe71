"""Fits the odds of the precedent framework to the published cases, and tests the fit.

A warning, kept in working order. By this test the fit was right in 75 and 74% of cases that it
hadn't seen; on 38 cases that nobody had seen when its questions were written it was right in 53 and
51%, and worse than the share of wins by Brier score. So no chance is computed from it any more:
evidence/published/how-often-is-it-right.md.

python evidence/published/refit.py     fit, test, write framework and record (minutes)
    --check          exit code 1 if a refit would write other numbers
    --quick          fewer candidates and draws: to try it, never to ship
    --output FOLDER  write both there instead
    --cases FILE     fit to other cases
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from published import ENOUGH_CLUSTERS, published_cases, read_cases
from refit_checks import FULL, QUICK_EFFORT
from refit_data import untied
from refit_record import record
from refit_write import final, framework_text, odds, record_text

from tuneworthy import CaseError
from tuneworthy.files.disk import CASES_LIMIT, read_text
from tuneworthy.syntax.document import parse

TOOLS = Path(__file__).resolve().parent
FRAMEWORK, RECORD = "precedent.yaml", "precedent_record.yaml"
FIRST = 88
"""Cases there were when the framework was fitted; those that joined later are no part of it."""
TOLERANCE = 0.005
"""Numbers this close are the same: another machine adds up in another order."""


def main() -> int:
    """Fit and write, or compare."""
    asked = _asked()
    cases = published_cases()[:FIRST]
    if asked.cases is not None:
        text = read_text(Path(asked.cases), CASES_LIMIT, CaseError)
        cases = read_cases(parse(text, asked.cases, CaseError))
    groups = {case.group for case in untied(cases)}
    if len(groups) < ENOUGH_CLUSTERS:
        print(
            f"too few: {len(groups)} papers, companies or projects; {ENOUGH_CLUSTERS} are needed"
        )
        return 2
    effort = QUICK_EFFORT if asked.quick else FULL
    told = record(cases, effort, asked.seed)
    fitted = final(cases, effort, asked.seed)
    section = odds(told, fitted, asked.dated)
    whole = {
        "final": {"candidate": fitted["candidate"], "earned": section["earned"]},
        "odds": section,
        **told,
    }
    made = {
        FRAMEWORK: framework_text(cases, section),
        RECORD: record_text(whole, asked.dated),
    }
    home = TOOLS if asked.output is None else Path(asked.output)
    if asked.check:
        return _compare(made, home)
    for name, text in made.items():
        (home / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote {name}")
    print(f"{fitted['candidate']}; earned: {section['earned']}")
    return 0


def _asked() -> argparse.Namespace:
    reader = argparse.ArgumentParser(
        description="Fit the precedent framework, and test the fit."
    )
    reader.add_argument(
        "--check", action="store_true", help="compare with the files, write none"
    )
    reader.add_argument(
        "--quick", action="store_true", help="fewer candidates and draws"
    )
    reader.add_argument("--output", default=None, help="folder to write both files to")
    reader.add_argument(
        "--cases", default=None, help="cases to fit to; the shipped ones otherwise"
    )
    reader.add_argument("--seed", type=int, default=0, help="seed of all draws")
    reader.add_argument(
        "--dated", default=date.today().isoformat(), help="the day it says"
    )
    return reader.parse_args()


def _compare(made: dict[str, str], home: Path) -> int:
    """Say where the files differ from what was made; the day doesn't count."""
    stale = []
    for name, text in made.items():
        there = yaml.safe_load((home / name).read_text(encoding="utf-8"))
        stale += [
            f"{name}: {place}" for place in differences(there, yaml.safe_load(text))
        ]
    for line in stale[:20]:
        print(f"differs: {line}")
    return 1 if stale else 0


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Places at which two files differ by more than rounding."""
    if place.endswith("dated"):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            found
            for key in keys
            for found in differences(
                old.get(key), new.get(key), f"{place}.{key}".lstrip(".")
            )
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        return [
            f
            for k, (a, b) in enumerate(pairs)
            for f in differences(a, b, f"{place}.{k}")
        ]
    if isinstance(old, int | float) and isinstance(new, int | float):
        return [] if abs(old - new) <= TOLERANCE * max(1.0, abs(old)) else [place]
    return [] if old == new else [place]


if __name__ == "__main__":
    raise SystemExit(main())
