"""Numbers in words: what a reader computes again has to come out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import words as words_room
from tuneworthy.money import terms as money_terms


@given(st.floats(-1e14, 1e14))
def test_a_number_for_people_has_no_exponent_and_no_minus_nothing(value: float) -> None:
    said = words_room.number(value)
    assert "e" not in said
    assert said != "-0"
    assert float(said.replace(",", "")) == pytest.approx(value, abs=0.0006, rel=1e-12)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (words_room.usd(-0.001), "$0.00"),
        (words_room.usd(1500.0), "$1,500"),
        (money_terms.call_usd(0.0183), "$0.0183"),
        (money_terms.call_usd(1e-26), "next to $0"),
        (money_terms.mtok_usd(2.5), "$2.50"),
        (money_terms.mtok_usd(1e-5), "$0.00001"),
    ],
)
def test_small_money_is_never_a_bare_sign(said: str, text: str) -> None:
    assert said == text


def test_an_id_that_begins_a_sentence_keeps_its_letters() -> None:
    for said in (
        "anthropic:claude is enough.",
        "gpt-4o is enough.",
        "own/model_a is enough.",
    ):
        assert words_room.sentence(said) == said
    assert words_room.sentence("quality is missed") == "Quality is missed."
    assert words_room.sentence("now: gpt-4o is enough") == "Now: gpt-4o is enough."
    assert words_room.capital("") == ""
