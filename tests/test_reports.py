"""Rendered reports against their snapshots: what a reader sees, reviewed like code.

``TUNEWORTHY_SNAPSHOTS=write`` renews them; the verdicts themselves are checked elsewhere, against
expectations written by hand.
"""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import pytest
import wcwidth

from tuneworthy import decide, load_case
from tuneworthy.api.reports import render
from tuneworthy.api.road import framework_of

DAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[1]
SNAPSHOTS = Path(__file__).with_name("snapshots")
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/case.yaml"))
FORMS = {"text": "txt", "markdown": "md", "record": "record.md"}


def rendered(name: str, form: str) -> str:
    case = load_case(ROOT / "examples" / name)
    dossier = decide(case, framework_of(case), as_of=DAY)
    return render(dossier, form, case_path=f"examples/{name}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_report_reads_as_reviewed(name: str, form: str) -> None:
    text = rendered(name, form)
    path = SNAPSHOTS / f"{name}.{FORMS[form]}"
    if os.environ.get("TUNEWORTHY_SNAPSHOTS") == "write":
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_terminal_report_fits_eighty_columns(name: str) -> None:
    for line in rendered(name, "text").splitlines():
        assert wcwidth.width(line) <= 80
        assert line == line.rstrip()


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_report_says_none_nan_or_an_unfilled_number(name: str) -> None:
    for form in FORMS:
        text = rendered(name, form)
        filled = text.replace("{low, likely, high}", "")
        assert re.findall(r"\bNone\b|\bnan\b|\binf\b|[{}]| [;.,]", filled) == []


def test_no_snapshot_is_left_over() -> None:
    wanted = {f"{name}.{ending}" for name in EXAMPLES for ending in FORMS.values()}
    assert {path.name for path in SNAPSHOTS.iterdir()} == wanted
