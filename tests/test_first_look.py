"""What a newcomer reads first: one screen never says two things about the same answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from internals import (
    Unknown,
    framework_of,
    headline,
    interview_pages,
    next_ask,
    report_text,
    section_common,
    sections_ways,
)
from tuneworthy import Dossier, decide, load_case, load_framework

DONE = ("prompt_variations", "foundation_models", "retrieval_optimised", "few_shot")
NO = ("domain_knowledge", "brand_voice", "data_sovereignty")
LETTERS: dict[str, Any] = {
    "name": "Letters", "goals": ["classification", "format"],
    "ceiling": dict.fromkeys(DONE, "yes"),
    "factors": {
        **dict.fromkeys(("consistent_behavior", "cost_optimization"), "yes"),
        **dict.fromkeys(NO, "no"),
    },
}  # fmt: skip
"""At most three reasons can hold, so of the seven open answers only the fifth check counts."""


def decided(case: dict[str, Any]) -> Dossier:
    return decide(load_case(case), load_framework("lesson"), as_of=date(2026, 11, 24))


def test_headline_and_interview_count_the_same_open_answers() -> None:
    found = decided(LETTERS)
    assert headline(found).startswith(
        "Fine-tune? Not yet: one of five checks of the ceiling is not answered."
    )
    whatever = "Don’t spend on tuning now, whatever the open answers turn out to be."
    assert section_common.reach_text(found) == whatever
    assert interview_pages.rest(found, load_framework("lesson"))[0] == whatever


def test_an_answer_that_is_given_is_never_said_to_change_nothing() -> None:
    ask = next_ask(load_case({"name": "Letters", "goals": "format"}), load_framework("lesson"))
    assert ask is not None
    assert "removes most doubt" in interview_pages.why_text(ask)
    assert "can't change" not in interview_pages.why_text(replace(ask, gain_bits=None, value="yes"))


def test_options_that_help_in_part_are_counted() -> None:
    document = sections_ways.document(decided(LETTERS), load_framework("lesson"))
    told = report_text.render(document)
    assert " ".join(told.split()).startswith(
        "Letters: of 25 options one would help in part, 12 would not and 12 are unknown."
    )


def test_what_is_unknown_is_not_told_as_what_does_not_help() -> None:
    document = sections_ways.document(decided({"name": "Idea"}), load_framework("lesson"))
    told = report_text.render(document)
    assert told.startswith("Idea: of 29 options all are unknown.")


GALLERY = sorted(Path(__file__).parents[1].glob("examples/*/case.yaml"))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_nothing_that_does_not_help_is_shown_before_all_that_does(path: Path) -> None:
    dossier = decide(load_case(path), framework_of(load_case(path)), as_of=date(2026, 11, 24))
    assert not isinstance(dossier.options, Unknown)
    shown = [one.helps for one in sections_ways.matter(dossier.options)]
    assert shown == sorted(shown, key=["yes", "partly", "unknown"].index)
    assert "tuning" not in {one.kind for one in sections_ways.matter(dossier.options)}


def test_nobody_is_named_as_the_source_of_what_is_unknown() -> None:
    assert section_common.source_words("unknown", "stated") == "nobody yet"
    assert section_common.source_words("no", "stated") == "the team"


def test_nothing_is_leant_to_before_anything_is_answered() -> None:
    """The share of ways to answer is the tree's shape, and no sign of the case's."""
    empty = decide(load_case({"name": "x"}), load_framework("lesson"))
    begun = decide(
        load_case({"name": "x", "factors": {"brand_voice": "yes"}}), load_framework("lesson")
    )
    assert section_common.finality(empty) == "Nothing is answered yet."
    assert section_common.finality(begun).startswith("Rests on one statement, no measurements;")
