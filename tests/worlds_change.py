"""Logs in which it is known when the system prompt was rewritten, and by how much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plain_engine import batch
from tuneworthy.model.evidence import Batch

START_S, DAY_S = 1_767_225_600.0, 86_400.0  # 2026-01-01
WORDS = (
    *(
        "answer",
        "briefly",
        "order",
        "refund",
        "customer",
        "polite",
        "never",
        "always",
        "check",
    ),
    *(
        "account",
        "before",
        "reply",
        "table",
        "price",
        "delivery",
        "warranty",
        "language",
        "list",
    ),
    *(
        "formal",
        "steps",
        "source",
        "policy",
        "manager",
        "escalate",
        "phone",
        "confirm",
        "identity",
    ),
    *(
        "summary",
        "date",
        "invoice",
        "region",
        "product",
        "discount",
        "return",
        "label",
        "courier",
    ),
)
NAMES = ("Ada", "Ben", "Cem", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jun")


LENGTH = 240


def words(rng: np.random.Generator, count: int) -> list[str]:
    """Words at random."""
    return [WORDS[each] for each in rng.integers(0, len(WORDS), count).tolist()]


def rewrites(
    rng: np.random.Generator, a_month: float, months: int
) -> NDArray[np.float64]:
    """Days of rewrites, at random times (Poisson).

    A rewrite needs a few days of use on either side to be one that anybody could see.
    """
    when = np.sort(rng.uniform(3, 30 * months - 3, rng.poisson(a_month * months)))
    return when[np.concatenate(([True], np.diff(when) > 2))] if len(when) else when


def prompted(
    rng: np.random.Generator,
    *,
    a_month: float = 0.0,
    rewritten: float = 0.3,
    months: int = 6,
    a_day: int = 4,
    variant: bool = False,
    filled: bool = True,
) -> tuple[Batch, int]:
    """A log of one prompt, and how often it was rewritten.

    Args:
        rng: The source of chance.
        a_month: Rewrites a month, at random times (Poisson).
        rewritten: Share of the 240 words that each rewrite replaces, in one piece.
        months: Months of 30 days.
        a_day: Conversations a day, of two calls each.
        variant: Whether from the 40th to the 70th day half of the calls test another prompt.
        filled: Whether each call fills in a name, a number and a date.
    """
    days = 30 * months
    text, other = words(rng, LENGTH), words(rng, LENGTH)
    when = rewrites(rng, a_month, months)
    times, systems, talks = [], [], []
    done = 0
    for talk, day in enumerate(np.sort(rng.uniform(0, days, days * a_day)).tolist()):
        while done < len(when) and when[done] <= day:
            size = round(rewritten * LENGTH)
            start = int(rng.integers(0, LENGTH - size + 1))
            text = [*text[:start], *words(rng, size), *text[start + size :]]
            done += 1
        tested = variant and 40 <= day <= 70 and rng.random() < 0.5
        system = " ".join(other if tested else text)
        if filled:
            asks = f"{rng.choice(NAMES)} {rng.choice(NAMES)}son, order {rng.integers(10**6)}"
            system = f"You speak with {asks}, on {int(day) % 28 + 1} March. {system}"
        for turn in range(2):
            times.append(START_S + day * DAY_S + 60 * turn)
            systems.append(system)
            talks.append(f"t{talk}")
    return batch(timestamp=times, system=systems, conversation=talks), len(when)
