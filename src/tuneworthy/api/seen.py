"""What results show about a case that is made from them: its models, counts, and prices."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date

from tuneworthy.assess.measured import COUNTED_CHECKS
from tuneworthy.calls.prices import price_on
from tuneworthy.domain.errors import one_line
from tuneworthy.domain.evidence import Evidence, Measured, latest
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.prices import Price

_KINDS = frozenset({"chat", "completion", "responses", "messages"})
_PROVIDER = re.compile(r"[a-z][a-z0-9_.-]{1,40}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """A model that answered."""

    name: str
    """As the results name it."""
    id: str
    """Provider and name where both can be told, as ``openai:gpt-4o``; else the name."""


def models(measured: Measured, day: date) -> tuple[Seen, ...]:
    """Models that answered, the most frequent first; ten at most, () where none is named.

    Args:
        measured: For their names.
        day: Whose list of prices tells the name of a provider from another one.
    """
    found: dict[str, Seen] = {}
    for one in measured.evidence:
        if one.id == "models_seen" and one.known:
            for told in one.examples:
                name = told.rpartition(": ")[0].strip()
                if name:
                    called = model_id(name, day)
                    found.setdefault(called, Seen(name, called))
    return tuple(found.values())


def model_id(name: str, day: date) -> str:
    """A model's name as provider and name, where it holds both.

    ``openai:chat:gpt-4o`` is ``openai:gpt-4o``, and so is ``openai/gpt-4o``; before a slash only
    a provider counts that the list of prices knows, as anybody's name can stand there. A bare name
    stays as it is: it may be served by anybody, at any price.
    """
    sign = ":" if ":" in name else "/"
    provider, _, rest = name.partition(sign)
    kind, _, bare = rest.partition(":")
    rest = bare if kind in _KINDS and bare else rest
    if not rest or rest.startswith("/") or not _PROVIDER.fullmatch(provider):
        return name
    told = f"{provider.lower()}:{rest}"
    return told if sign == ":" or price_on(told, day) is not None else name


def list_price(measured: Measured, as_of: date) -> Price | None:
    """The list price of the one model that answered; None for several, and for an unknown one."""
    found = models(measured, as_of)
    if len(found) != 1:
        return None
    tokens = latest([measured]).get("input_tokens")
    size = tokens.number if tokens is not None and tokens.known else 0.0
    return price_on(found[0].id, as_of, input_tokens=size)


def compares(measured: Measured) -> bool:
    """Whether it is a test of several prompts or models on the same cases.

    Files of several tests hold several prompts too: those were never tried on one task.
    """
    several = any(len(one.columns["value"]) > 1 for one in measured.series if one.id == "arms")
    lead = latest([measured]).get("best_arm_lead")
    return several and lead is not None and "told_apart" in lead.details


def answers(measured: Measured, framework: Framework) -> dict[tuple[str, ...], str]:
    """Counts that a check of the framework asks for, from a test of several prompts or models.

    Logs of one prompt don't show that no other was tried: they answer nothing. Prompts of which
    only the names are known may be copies of each other: their number can say that there were too
    few, and not that there were enough.
    """
    if not compares(measured):
        return {}
    ledger: dict[str, Evidence] = latest([measured])
    found: dict[tuple[str, ...], str] = {}
    for check, measure in COUNTED_CHECKS.items():
        one, asked = ledger.get(measure), framework.ceiling.get(check)
        if asked is None or asked.at_least is None or one is None or not one.known:
            continue
        names = one.details.get("names")
        count = int(names if isinstance(names, int) else one.number)
        if names is None or count < asked.at_least:
            found["ceiling", check] = str(count)
    return found


def appendix(measured: Measured, day: date) -> str:
    """Lines for the end of a case file: what it was measured from, and the models that answered.

    Names come from strangers: they stand in comments on one line, and as quoted JSON strings, which
    YAML reads the same way.
    """
    lines = ["", f"# Made by tuneworthy measure on {day.isoformat()}, from:"]
    lines += [
        f"#   {one_line(one.name, limit=200)} (BLAKE3 {one.digest[:12]})"
        for one in measured.readings
        if one.traces
    ]
    seen = models(measured, day)
    if seen:
        lines += ["# The models that answered, the most frequent first.", "models:"]
        lines += [
            f"  - id: {json.dumps(one_line(each.id, limit=200), ensure_ascii=False)}"
            for each in seen
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text in double quotes that YAML reads back: nothing in it is left to escape but these."""
    return json.dumps(one_line(text, limit=200), ensure_ascii=False)
