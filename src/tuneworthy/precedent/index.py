"""The published cases as a decision reads them: made by a tool, and quick to load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from tuneworthy.domain.likeness import Index, Precedent, Rate
from tuneworthy.framework.load import catalogue_text

FILE = "published_index.json"

_KEPT = ("id", "title", "year", "kind", "cluster", "goal", "winner", "margin", "source", "url",
         "status", "won")  # fmt: skip


@cache
def shipped_index() -> Index:
    """The index that comes with the package; a test holds it against the cases it was made from."""
    data = json.loads(catalogue_text(FILE))
    return Index(
        cases=tuple(map(_case, data["cases"])),
        telling=tuple(data["telling"]),
        rates={key: Rate(*numbers) for key, numbers in data["rates"].items()},
    )


def _case(data: dict[str, Any]) -> Precedent:
    return Precedent(**{**data, "tried": tuple(data["tried"])})


def index_text(
    cases: Sequence[Precedent],
    telling: Sequence[str],
    rates: dict[str, Rate],
    made_from: str,
) -> str:
    """The file of an index.

    Args:
        cases: Published cases, in the order they are to stand in.
        telling: Questions of patterns in order.
        rates: Rates by key.
        made_from: The text of the file of cases; its SHA-256 is kept.

    Returns:
        JSON, one case and one rate a line, so that a difference can be read.
    """
    rows = [
        json.dumps(
            {name: getattr(case, name) for name in _KEPT}
            | {"tried": case.tried, "answers": dict(case.answers)},
            ensure_ascii=False,
        )
        for case in cases
    ]
    counted = [
        f"{json.dumps(key)}: {json.dumps(list(asdict(rate).values()))}"
        for key, rate in rates.items()
    ]
    return (
        '{"made_from": ' + json.dumps(hashlib.sha256(made_from.encode("utf-8")).hexdigest())
        + ',\n"telling": ' + json.dumps(list(telling))
        + ',\n"rates": {\n' + ",\n".join(counted)
        + '\n},\n"cases": [\n' + ",\n".join(rows) + "\n]}\n"
    )  # fmt: skip
