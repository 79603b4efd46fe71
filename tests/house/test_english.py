"""Prose in the field's standard English: what readers stumbled over is nowhere any more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_reports import EXAMPLES, rendered

import prose
import style
from prose import Text

PROJECT = Path(__file__).resolve().parents[2]

# Each was quoted by somebody who read the product; beside it what we say now.


KEYS = re.compile(
    r"\b[a-z]+(?:_[a-z0-9]+)+\b"  # an id
    r"|\b(?:attempts|ceiling|data|decision|economics|factors|models|safety|signals|targets|today|tuning)"
    r"(?:\.[a-z_\d]+)+"  # a path of the case file
    r"|\b\d{4}-\d\d(?:-\d\d)?\b"  # a day or a month as machines write it
    r"|\b\w*(?:optimis(?!t)|organis|recognis|specialis|behaviour|favour)\w*",
    re.IGNORECASE,
)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["markdown", "whole"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_report_shows_no_key_no_id_no_machine_s_date_and_one_spelling(
    name: str, form: str
) -> None:
    text = rendered(name, form).replace("\\", "").replace("&#8203;", "")
    text = text.partition("For the record")[0]
    code = r"```.*?```"
    address = r"https?://\S+"
    file = r"[\w.-]+\.(?:jsonl|parquet|json|csv)\b\S*"
    command = r"tuneworthy answer \S+ \S+=\S+"  # as it has to be typed
    shown = re.sub(f"{code}|{address}|{file}|{command}", "", text, flags=re.DOTALL)
    assert [
        shown[max(0, m.start() - 40) : m.end() + 20] for m in KEYS.finditer(shown)
    ] == []


# The linter ---------------------------------------------------------------------------------------

QUOTED = [
    line
    for line in (PROJECT / "tests" / "quoted.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.slow
def test_every_string_of_the_product_its_help_and_its_guides_keeps_the_rules() -> None:
    texts = prose.every_text()
    assert {text.kind for text in texts} == {"help", "report", "shown", "docs"}
    wrong = [fault for text in texts for fault in style.faults(text)]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    "sentence", [line for line in QUOTED if not line.startswith("~")]
)
def test_the_linter_sees_what_readers_stumbled_over(sentence: str) -> None:
    assert style.faults(Text("a review", "help", sentence)) != []


@pytest.mark.slow
@pytest.mark.parametrize("sentence", [line for line in QUOTED if line.startswith("~")])
def test_what_the_linter_cannot_see_is_shown_nowhere(sentence: str) -> None:
    quoted = sentence.removeprefix("~")
    assert style.faults(Text("a review", "help", quoted)) == [], (
        "a rule sees it: take out the ~"
    )
    shown = " ".join(text.text for text in prose.every_text())
    assert quoted not in shown


def test_a_command_s_help_is_read_and_its_examples_are_not() -> None:
    code = """
@opt.command("tuneworthy judge my-case; or not")
@opt.option("--cap USD", "Spend at most this; 0 is free.")
def judge() -> None:
    '''Judge a case; print why.'''
    raise ValueError(f"{name} is no case")
"""
    found = list(prose.python_texts("src/tuneworthy/cli/made_up.py", code))
    said = {text.text: text.kind for text in found if style.faults(text)}
    assert said == {
        "Judge a case; print why.": "help",
        "Spend at most this; 0 is free.": "help",
        "{} is no case": "shown",
    }
