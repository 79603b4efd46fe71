"""Money, the table of ways and the judgement say the same of what is good enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tuneworthy.model.base import Unknown
from tuneworthy.model.ways import Figure
from ways_world import SOURCES, Broken, World, as_it_is, spread, ways

HELD = ("quality", "latency", "cost")


def servings(dossier: Any) -> Iterator[tuple[Any, Any]]:
    """Each untuned serving of the traffic as it comes, with its way in the table."""
    money = dossier.investment
    computed = None if isinstance(money, Unknown) else money.computed
    table = ways(dossier)
    for served in getattr(computed, "servings", ()):
        if served.tuned or served.how not in ("as_is", "self_hosted"):
            continue
        way = table.get(f"model:{served.model}")
        if way is None and table["now"].model == served.model:
            way = table["now"]
        if way is not None:
            yield served, way


def held_on(source: str) -> Sequence[World]:
    return spread(SOURCES[source](), 90)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "at_least"), [("gallery", 1), ("expert", 1), ("random", 0)]
)
def test_what_money_calls_good_enough_misses_no_target(
    source: str, at_least: int
) -> None:
    """But for what runs today, whose bill may be stated: that it does not fit is a doubt."""
    law = Broken("what money may count on, the criterion doesn't call missed")
    for world in held_on(source):
        for served, way in servings(as_it_is(world, source)):
            if served.admissible == "yes":
                held = [name for name in HELD if name != "cost" or way.id != "now"]
                missed = [name for name in held if way.admissible.get(name) == "missed"]
                law.look(not missed, world, served, way.id, missed)
    law.judge(at_least=at_least)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "at_least"), [("gallery", 1), ("expert", 9), ("random", 9)]
)
def test_what_money_rules_out_is_never_good_enough(source: str, at_least: int) -> None:
    """But for what runs today, whose bill may be stated: that it does not fit is a doubt."""
    law = Broken("what money rules out, the criterion doesn't call met")
    for world in held_on(source):
        for served, way in servings(as_it_is(world, source)):
            bill = way.figures["usd_per_month"]
            stated = isinstance(bill, Figure) and bill.grade in ("stated", "measured")
            if served.admissible == "no" and not stated:
                met = set(way.admissible.values()) == {"met"}
                law.look(not met, world, served, way.id, dict(way.admissible))
    law.judge(at_least=at_least)
