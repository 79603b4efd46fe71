"""The catalogue of outside facts: what it holds as the program reads it, and what is new elsewhere.

    python tools/facts.py                     # write catalogue.json from the YAML files
    python tools/facts.py diff [FILE ...]     # what machine-readable sources say otherwise
    python tools/facts.py diff --entries …    # the same, as entries to review and append

A FILE is a list of models as a host's API answers it, with an ``id`` and a ``shutdown_date`` each,
saved as HOST.json (``openai.json``); or a saved page on ends (``openai.html``, ``openai.md``): what
stands on one line with a day and a known model counts. Without a FILE the prices of the catalogue
are compared with the price list that ships. Nothing is fetched, and no entry is changed: what is
printed is for somebody to review.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.errors import FrameworkError
from tuneworthy.facts.load import COMPILED, FILES, facts_on
from tuneworthy.facts.records import KnownFacts, price_of_fact
from tuneworthy.llm.prices import listed_price
from tuneworthy.syntax.document import parse

ROOM = Path(__file__).resolve().parents[1] / "src" / "tuneworthy" / "facts"
_DAY = re.compile(r"\b(20\d\d-[01]\d-[0-3]\d)(?!\d)")
_SPELLED = re.compile(
    r"\b(?:(\d{1,2}) ([A-Z][a-z]{2})[a-z]*\.?,? (20\d\d)"
    r"|([A-Z][a-z]{2})[a-z]*\.? (\d{1,2}),? (20\d\d))\b"
)
_MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


class Difference(NamedTuple):
    """What a source says otherwise than the catalogue."""

    model: str
    what: str  #: ``ends``, ``input`` or ``output``.
    ours: str
    theirs: str
    source: str


def compiled() -> str:
    """The YAML files as one text that is read fast."""
    every: dict[str, Any] = {}
    for name in FILES:
        every |= parse((ROOM / name).read_text("utf-8"), name, FrameworkError).data
    return json.dumps(every, ensure_ascii=False, separators=(",", ":")) + "\n"


def differences(paths: list[Path], day: date) -> Iterator[Difference]:
    """What files say otherwise; without any, what the price list says."""
    facts = facts_on(day)
    if not paths:
        yield from price_differences(facts, day)
    for path in paths:
        text = path.read_text("utf-8", "replace")
        host = path.stem.lower()
        ends = (
            listed_ends(text)
            if path.suffix == ".json"
            else page_ends(text, host, facts)
        )
        yield from end_differences(facts, host, ends, path.name)


def listed_ends(text: str) -> dict[str, date]:
    """The days of a list of models, as an API answers it."""
    try:
        listed = json.loads(text)
    except ValueError as caught:
        raise SystemExit(
            f"not JSON: {caught}. Save the answer of GET /v1/models"
        ) from None
    rows = (
        listed.get("data", listed.get("models", []))
        if isinstance(listed, dict)
        else listed
    )
    ends = {}
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        stated = (
            row.get("shutdown_date")
            or row.get("deprecation")
            or row.get("retirement_date")
        )
        name = row.get("id") or row.get("name")
        last = read_end(stated)
        if isinstance(name, str) and last is not None:
            ends[name.removeprefix("models/")] = last
    return ends


def read_end(stated: Any) -> date | None:
    """A day as lists write it: ISO, or seconds since 1970."""
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        return datetime.fromtimestamp(stated, UTC).date()
    if isinstance(stated, str) and (day := _DAY.search(stated)):
        return date.fromisoformat(day[1])
    return None


def page_ends(text: str, host: str, facts: KnownFacts) -> dict[str, date]:
    """Known models of a host that stand on a line of a page with one day, by that day."""
    known = [
        name.partition(":")[2]
        for fact in facts.models
        for name in fact.models
        if name.startswith(f"{host}:")
    ]
    ends: dict[str, date] = {}
    for row in re.split(r"\n|</tr>|</li>", text):
        days = set(days_in(re.sub(r"<[^>]+>", " ", row)))
        if len(days) != 1:
            continue
        for name in first_named(row, known):
            ends[name] = next(iter(days))
    return ends


def first_named(row: str, known: list[str]) -> list[str]:
    """Models of the first cell that names any: later ones are what comes in their place."""
    for cell in re.split(r"\||</t[dh]>", row):
        words = [
            word.strip("`'\",;()*") for word in re.sub(r"<[^>]+>", " ", cell).split()
        ]
        named = [word for word in words if word in known]
        if named:
            return named if cell != row else named[:1]
    return []


def days_in(line: str) -> Iterator[date]:
    """Every day on a line, as ISO or spelled out in English."""
    for day in _DAY.findall(line):
        yield date.fromisoformat(day)
    for spelled in _SPELLED.finditer(line):
        number = spelled[1] or spelled[5]
        month = spelled[2] or spelled[4]
        year = spelled[3] or spelled[6]
        if month in _MONTHS:
            yield date(int(year), _MONTHS.index(month) + 1, int(number))


def end_differences(
    facts: KnownFacts, host: str, ends: dict[str, date], source: str
) -> Iterator[Difference]:
    """Days that the catalogue lacks or has otherwise."""
    for name, theirs in sorted(ends.items()):
        model = f"{host}:{name}"
        fact = facts.model(model)
        ours = None if fact is None else fact.ends
        if ours != theirs:
            yield Difference(model, "ends", str(ours or "unknown"), str(theirs), source)


def price_differences(facts: KnownFacts, day: date) -> Iterator[Difference]:
    """Prices of the catalogue that the price list has otherwise."""
    for fact in facts.models:
        ours = price_of_fact(fact, day)
        if ours is None:
            continue
        for name in fact.models:
            theirs = listed_price(name, day)
            if theirs is None:
                continue
            for what in ("input", "output"):
                mine = getattr(ours, what)
                listed = getattr(theirs, what)
                if mine != listed:
                    yield Difference(
                        name, what, f"{mine:g}", f"{listed:g}", theirs.catalogue
                    )


def entry(change: Difference, day: date, facts: KnownFacts) -> str:
    """A difference as an entry to complete and append."""
    host, _, name = change.model.partition(":")
    slug = re.sub(r"[^a-z0-9.]+", "-", f"{host}-{name}".lower()).strip("-")
    fact = facts.model(change.model)
    replaces = f"    replaces: {fact.entry}\n" if fact is not None else ""
    return (
        f"  - entry: {slug[:48]}-{day:%Y-%m}\n{replaces}    models: [{change.model}]\n"
        f"    ends: {change.theirs}\n    says: By {change.source}. Add what else its page says.\n"
        f"    sources: []\n    confirmed: no\n    dated: {day}\n"
    )


def main(arguments: list[str]) -> int:
    """Write what the program reads, or print differences; 1 where there are any."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "command", nargs="?", choices=["write", "diff"], default="write"
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument(
        "--entries", action="store_true", help="print entries to review"
    )
    parser.add_argument("--as-of", type=date.fromisoformat, default=date.today())
    asked = parser.parse_args(arguments)
    if asked.command == "write":
        (ROOM / COMPILED).write_text(compiled(), "utf-8")
        return 0
    changes = [*differences(asked.files, asked.as_of)]
    facts = facts_on(asked.as_of)
    for change in changes:
        if asked.entries and change.what == "ends":
            print(entry(change, asked.as_of, facts), end="")
        else:
            print(
                f"{change.model}: {change.what} {change.ours} -> {change.theirs} ({change.source})"
            )
    print(f"{len(changes)} to review" if changes else "nothing new", file=sys.stderr)
    return 1 if changes else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
