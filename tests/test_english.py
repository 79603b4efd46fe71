"""Prose in the field's standard English: what readers stumbled over is nowhere any more."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
FROZEN = PROJECT / "tests" / "frozen"

# Each was quoted by somebody who read the product; beside it what we say now.
STUMBLED = {
    r"\b(is|are) told\b": "a verb with its subject",
    r"told apart": "can't be distinguished",
    r"\bmends\b": "fixes, improves",
    r"untouched": "held-out",
    r"(?<!percentile of the )waiting times?\b": "latency",  # the lesson's file may say so
    r"\bafresh\b": "independent runs",
    r"\bfaults? of ours\b": "internal error",
    r"one's own": "your own",
    r"isn't said\b|nobody said whether": "isn't stated",
    r"\bLend the tools\b": "offer the tools",
    r"nobody knows where": "has no known address",
    r"stands? beside\b": "is shown next to",
    r"whoever pays": "the budget owner",
    r"appears twice": "appears twice",
    r"\?; then\b": "a new sentence behind a question",
}  # fmt: skip


def read(path: Path) -> str:
    """A golden or a page of the documentation."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode("utf-8")
    return path.read_text("utf-8")


SHOWN = {".text", ".markdown", ".record", ".gz"}
PAGES = sorted(
    [
        *(path for path in (FROZEN / "looks").rglob("*") if path.suffix in SHOWN),
        *(FROZEN / "law" / "dossiers").rglob("*.json"),
        *(PROJECT / "docs" / "guides").glob("*.md"),
        *(PROJECT / "docs" / "concepts").glob("*.md"),
        PROJECT / "docs" / "reference" / "formats.md",
        PROJECT / "docs" / "reference" / "scorers.md",
        PROJECT / "README.md",
        PROJECT / "docs" / "start.md",
    ]
)


KEYS = re.compile(
    r"\b[a-z]+(?:_[a-z0-9]+)+\b"  # an id
    r"|\b(?:attempts|ceiling|data|decision|economics|factors|models|safety|signals|targets|today|tuning)"
    r"(?:\.[a-z_\d]+)+"  # a path of the case file
    r"|\b\d{4}-\d\d(?:-\d\d)?\b"  # a day or a month as machines write it
    r"|\b\w*(?:optimis(?!t)|organis|recognis|specialis|behaviour|favour)\w*",
    re.IGNORECASE,
)
REPORTS = sorted((PROJECT / "tests" / "snapshots").glob("*.md"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_report_shows_no_key_no_id_no_machine_s_date_and_one_spelling(path: Path) -> None:
    text = path.read_text("utf-8").replace("\\", "").partition("## For the record")[0]
    code, address, file = r"```.*?```", r"https?://\S+", r"[\w.-]+\.(?:jsonl|parquet|json|csv)\b\S*"
    shown = re.sub(f"{code}|{address}|{file}", "", text, flags=re.DOTALL)
    assert [shown[max(0, m.start() - 40) : m.end() + 20] for m in KEYS.finditer(shown)] == []


@pytest.mark.parametrize("phrase", STUMBLED)
def test_nobody_stumbles_over_it_again(phrase: str) -> None:
    found = re.compile(phrase, re.IGNORECASE)
    places = {
        path.relative_to(PROJECT).as_posix(): match.group()
        for path in PAGES
        if "schemas" not in path.parts  # names of fields stay as they are
        and (match := found.search(" ".join(read(path).split())))
    }
    assert places == {}, f"say instead: {STUMBLED[phrase]}"
