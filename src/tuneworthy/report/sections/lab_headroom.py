"""How much a search for better prompts may gain."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.lab import (
    Headroom,
    Spend,
)
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.lab import signed_interval, spent_rows
from tuneworthy.words import (
    count,
    sentence,
    share,
)


def headroom_text(headroom: Headroom) -> str:
    """Say how much a search may gain, and whether that is worth its price."""
    rescued = f"{count(headroom.rescued)} of {count(headroom.n)} cases come right asked another way"
    return (
        f"{_gain_text(headroom)} by {count(headroom.calls)} calls, as {rescued}: "
        f"{_ADVICE[headroom.advice]}"
    )


def _gain_text(headroom: Headroom) -> str:
    """The gain with its interval."""
    return signed_interval(headroom.value, headroom.low, headroom.high)


_ADVICE: Mapping[str, str] = {
    "search": "search",
    "unclear": "so few cases rule no gain out",
}


def headroom_document(
    headroom: Headroom | Unknown, spend: Spend, *, folder: str
) -> b.Document:
    """The document about how much a search may gain, with the command to run next."""
    if isinstance(headroom, Unknown):
        says = sentence(f"nobody can say what a search may gain: {headroom.ask}")
        spent = b.section("headroom", "", b.facts(spent_rows(spend)))
        return b.Document("", says, [spent])
    says = f"A search may gain {_gain_text(headroom)}: {_ADVICE[headroom.advice]}."
    best = f"{share(headroom.best)} of {count(headroom.n)} cases of the search"
    wrong = f"{count(headroom.rescued)} come right asked another way"
    if headroom.form:
        wrong += f", {count(headroom.form)} of them in another form"
    rows = [
        ("Best prompt", f"right on {best}"),
        ("Wrong cases", wrong),
        *spent_rows(spend),
    ]
    command = f"tuneworthy ceiling {argument(folder)}"
    section = b.section("headroom", "", b.facts(rows))
    return b.Document("", says, [section], lead=f"Now: {command}")


def headroom_dict(headroom: Headroom | Unknown, spend: Spend) -> str:
    record = {
        "headroom": headroom.model_dump(mode="json"),
        "spend": spend.model_dump(mode="json"),
    }
    return json_text({"schema": "tuneworthy/headroom/1", **record})
