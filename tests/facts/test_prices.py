"""The public price list in our package says what the package that it was taken from says."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path

import pytest

from tuneworthy.llm import prices as llm_prices

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "src/tuneworthy/llm/genai_prices"
RECORDED = json.loads((PROJECT / "tests/fixtures/list_prices.json").read_text("utf-8"))
TODAY = date(2026, 11, 30)


def test_every_recorded_answer_of_the_package_is_given_again() -> None:
    """What genai-prices itself answered, for names of every provider: ``tools/vendor.py``."""
    for name, address, day, tokens, wanted in RECORDED:
        price = llm_prices.price_on(
            name, date.fromisoformat(day), base_url=address, input_tokens=tokens
        )
        answer = None if price is None else list(price)[:7]
        assert answer == wanted, (name, address, day, tokens)
    known = [each for each in RECORDED if each[-1] is not None]
    assert len(known) > 100
    assert any(each[-1][3] is not None for each in known), "none has a price in a batch"


@pytest.mark.slow
def test_no_price_of_a_longer_call_is_lower() -> None:
    """A call is bounded by the price at the next power of two: a step in between costs no less."""
    listed = json.loads((FOLDER / "prices.json").read_text("utf-8"))["providers"]
    names = [
        f"{provider['id']}:{model['id']}"
        for provider in listed
        for model in provider["models"]
    ]
    rising = 0
    for name in names:
        prices = [
            llm_prices.price_on(name, TODAY, input_tokens=1 << power)
            for power in range(14, 22)
        ]
        known = [price for price in prices if price is not None]
        assert known == sorted(known, key=lambda price: price.input), name
        assert known == sorted(known, key=lambda price: price.output), name
        rising += len({price.input for price in known}) > 1
    assert rising > 10


def test_the_price_list_is_the_one_its_note_names() -> None:
    noted = re.findall(r"`([0-9a-f]{64})`", (FOLDER / "README.md").read_text("utf-8"))
    assert hashlib.sha256((FOLDER / "prices.json").read_bytes()).hexdigest() in noted
    assert "MIT" in (FOLDER / "LICENSE").read_text("utf-8")


def test_a_price_by_the_hour_is_the_one_at_noon() -> None:
    listed = json.loads((FOLDER / "prices.json").read_text("utf-8"))["providers"]
    hourly = [
        (provider["id"], model)
        for provider in listed
        for model in provider["models"]
        if any("hours" in rates for rates in model["rates"])
    ]
    assert hourly
    for provider, model in hourly:
        price = llm_prices.price_on(f"{provider}:{model['id']}", TODAY)
        assert price is not None
        noon = [
            rates
            for rates in model["rates"]
            if rates.get("start", "") <= TODAY.isoformat()
            and "12:00" in hours_of(rates)
        ]
        assert (price.input, price.output) == (noon[-1]["input"], noon[-1]["output"])


def hours_of(rates: dict[str, list[str]]) -> set[str]:
    """The full hours of a day at which a price holds."""
    begin, end = rates.get("hours", ["00:00", "24:00"])
    hours = [f"{hour:02}:00" for hour in range(24)]
    if begin <= end:
        return {hour for hour in hours if begin <= hour < end}
    return {hour for hour in hours if hour >= begin or hour < end}


@pytest.mark.parametrize(
    "name", ["openai:gpt-4o-20241332", "openai:\ud800", "litellm:/", "x" * 9999]
)
def test_a_name_nobody_knows_has_no_price(name: str) -> None:
    assert llm_prices.price_on(name, TODAY) is None
