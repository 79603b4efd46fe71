"""The plainest engine there is: Python lists and one loop. What it says, any other has to say."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from internals import COLUMNS, DUPLICATE_OF, Batch, Found, Signal, Table, as_numbers, forget


def batch(**columns: list) -> Batch:  # type: ignore[type-arg]  # tests name any column
    """A batch of the columns given; without outputs they are empty texts."""
    longest = max(len(values) for values in columns.values())
    columns.setdefault("output", [""] * longest)
    return Batch(**columns)


def table_of(signal: Signal, batches: Sequence[Batch]) -> Table:
    """All traces as a table, made with dictionaries."""
    numbers: dict[str, list[float]] = {}
    codes: dict[str, dict[str, int]] = {"conversation": {}, "model": {}, "prompt": {}, "system": {}}
    placed: dict[str, list[int]] = {name: [] for name in codes}
    whole = Batch()
    forget()  # a test may have changed a batch since
    for each in batches:
        for name, values in signal.rows(each).items():
            numbers.setdefault(name, []).extend(float(value) for value in values)
        for name in COLUMNS:
            getattr(whole, name).extend(each.column(name))
    for row in range(len(whole)):
        system = whole.system[row]
        place = -1 if system is None else codes["system"].setdefault(system, len(codes["system"]))
        placed["system"].append(place)
        named = whole.prompt[row] or (None if place < 0 else f"system {place + 1}")
        for name, value in (("model", whole.model[row]), ("prompt", named)):
            code = -1 if value is None else codes[name].setdefault(value, len(codes[name]))
            placed[name].append(code)
        conversation = whole.conversation[row] or f"\0{row}"
        known = codes["conversation"]
        placed["conversation"].append(known.setdefault(conversation, len(known)))
    if getattr(signal, "wants_duplicates", False):
        numbers[DUPLICATE_OF] = _copies(whole)
    return Table(
        numbers={name: np.array(values) for name, values in numbers.items()},
        conversation=np.array(placed["conversation"], dtype=np.int64),
        time=as_numbers(whole.timestamp),
        turn=as_numbers(whole.turn),
        model=np.array(placed["model"], dtype=np.int64),
        models=tuple(codes["model"]),
        prompt=np.array(placed["prompt"], dtype=np.int64),
        prompts=tuple(codes["prompt"]),
        system=np.array(placed["system"], dtype=np.int64),
        systems=tuple(codes["system"]),
        present=frozenset(
            name for name in COLUMNS if any(value is not None for value in whole.column(name))
        ),
        sample=whole,
    )


def measure(signal: Signal, *batches: Batch) -> Found:
    """What a signal says about some batches."""
    return signal.finish(table_of(signal, batches))


def _copies(whole: Batch) -> list[float]:
    """For each trace the first that has 0.8 of its runs of three words in common with it."""
    firsts: dict[str, int] = {}
    runs: dict[int, set[tuple[str, ...]]] = {}
    found = []
    for row, (asked, answer) in enumerate(zip(whole.column("input"), whole.output, strict=True)):
        if answer is None:
            found.append(math.nan)
            continue
        words = re.findall(r"\w+", f"{asked or ''} {answer}".lower())
        place = firsts.setdefault(" ".join(words), row)
        if place == row:
            mine: set[tuple[str, ...]] = set(zip(words, words[1:], words[2:], strict=False)) or {
                tuple(words)
            }
            alike = (
                first for first, other in runs.items()
                if len(mine & other) >= 0.8 * len(mine | other)
            )  # fmt: skip
            place = next(alike, row)
            firsts[" ".join(words)] = place
            runs[row] = mine
        found.append(float(place))
    return found
