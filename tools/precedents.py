"""Writes the index of the published cases again; with --check only says whether it is stale.

python tools/precedents.py            write it if it has changed
python tools/precedents.py --check    exit code 1 if it would change

It holds what a decision reads of the cases: run it after they have changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tuneworthy.framework.load import catalogue_text
from tuneworthy.precedents.nearest import CASES_FILE as CASES
from tuneworthy.precedents.nearest import (
    FILE,
    every_rate,
    index_text,
    precedent_of,
    shipped_cases,
    telling,
)

PATH = Path(__file__).resolve().parents[1] / "src/tuneworthy/framework/catalogue" / FILE


def made() -> str:
    """The index as it should be."""
    cases = [precedent_of(case) for case in shipped_cases()]
    return index_text(cases, telling(cases), every_rate(cases), catalogue_text(CASES))


def main() -> int:
    """Write, or check, the index."""
    text = made()
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"stale: {FILE} (run python tools/precedents.py)")
        return 1
    PATH.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
