"""The tool that compares lists and pages with the catalogue says what is new."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import facts as tool  # a script of tools/, which is no package
from tuneworthy.facts import load as facts_load

NOON = 1804680000  # 10 Mar 2027, 12:00 UTC


def compared(
    path: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, list[str]]:
    code = tool.main(["diff", str(path), "--as-of", "2026-12-01", *more])
    return code, capsys.readouterr().out.splitlines()


def test_a_list_of_models_shows_new_days_and_is_silent_about_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [
        {"id": "gpt-4o", "shutdown_date": "2027-01-14"},
        {"id": "gpt-4o-mini", "shutdown_date": "2027-02-14T00:00:00Z"},
        {"id": "gpt-brand-new", "shutdown_date": NOON},
        {"id": "gpt-6-luna"},
        {"no": "id"},
        "no mapping",
    ]
    path = tmp_path / "openai.json"
    path.write_text(json.dumps({"data": models}), "utf-8")
    code, lines = compared(path, capsys)
    assert code == 1
    assert lines == [
        "openai:gpt-4o-mini: ends 2027-01-14 -> 2027-02-14 (openai.json)",
        "openai:gpt-brand-new: ends unknown -> 2027-03-10 (openai.json)",
    ]
    path.write_text(json.dumps({"data": models[:1]}), "utf-8")
    assert compared(path, capsys) == (0, [])


@pytest.mark.parametrize("row", [
    "| gpt-4o | 2027-02-03 |",
    "| `gpt-4o` | February 3, 2027 | gpt-6-luna |",
    "<tr><td>gpt-4o</td><td>3 Feb 2027</td></tr>",
])  # fmt: skip
def test_a_saved_page_is_read_line_by_line(
    row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "openai.html"
    path.write_text(f"{row}\n| gpt-4.1 | 2026-10-14 or 2027-03-03 |\n", "utf-8")
    code, lines = compared(path, capsys)
    assert (code, lines) == (
        1,
        ["openai:gpt-4o: ends 2027-01-14 -> 2027-02-03 (openai.html)"],
    )


def test_an_entry_to_review_replaces_the_one_that_is_known_and_needs_its_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "openai.json"
    path.write_text('[{"id": "gpt-4o", "shutdown_date": "2027-02-03"}]', "utf-8")
    code, lines = compared(path, capsys, "--entries")
    known = facts_load.facts_on(date(2026, 12, 1)).model("openai:gpt-4o")
    assert known is not None
    assert code == 1
    assert f"    replaces: {known.entry}" in lines
    assert "    sources: []" in lines


def test_what_is_no_list_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "openai.json"
    path.write_text("<html>", "utf-8")
    with pytest.raises(SystemExit, match="not JSON"):
        tool.main(["diff", str(path)])
