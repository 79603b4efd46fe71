"""The plainest engine there is: Python lists and one loop. What it says, any other has to say."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tuneworthy.measure.signals import base as signal_base
from tuneworthy.measure.signals.base import Findings as Found
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.base import TraceTable as Table
from tuneworthy.model.evidence import COLUMNS, Batch
from tuneworthy.text import search as text_search


def batch(**columns: list) -> Batch:  # type: ignore[type-arg]  # tests name any column
    """A batch of the columns given; without outputs they are empty texts."""
    longest = max(len(values) for values in columns.values())
    columns.setdefault("output", [""] * longest)
    return Batch(**columns)


def table_of(signal: Signal, batches: Sequence[Batch]) -> Table:
    """All traces as a table, made with dictionaries."""
    numbers: dict[str, list[float]] = {}
    codes: dict[str, dict[str, int]] = {
        "conversation": {},
        "model": {},
        "prompt": {},
        "system": {},
    }
    placed: dict[str, list[int]] = {name: [] for name in codes}
    whole = Batch()
    text_search.forget()  # a test may have changed a batch since
    for each in batches:
        for name, values in signal.rows(each).items():
            numbers.setdefault(name, []).extend(float(value) for value in values)
        for name in COLUMNS:
            getattr(whole, name).extend(each.column(name))
    for row in range(len(whole)):
        system = whole.system[row]
        place = (
            -1
            if system is None
            else codes["system"].setdefault(system, len(codes["system"]))
        )
        placed["system"].append(place)
        named = whole.prompt[row] or (None if place < 0 else f"system {place + 1}")
        for name, value in (("model", whole.model[row]), ("prompt", named)):
            code = (
                -1 if value is None else codes[name].setdefault(value, len(codes[name]))
            )
            placed[name].append(code)
        conversation = whole.conversation[row] or f"\0{row}"
        known = codes["conversation"]
        placed["conversation"].append(known.setdefault(conversation, len(known)))
    if getattr(signal, "wants_duplicates", False):
        numbers[signal_base.DUPLICATE_OF] = _copies(whole)
    return Table(
        numbers={name: np.array(values) for name, values in numbers.items()},
        conversation=np.array(placed["conversation"], dtype=np.int64),
        time=signal_base.as_numbers(whole.timestamp),
        turn=signal_base.as_numbers(whole.turn),
        model=np.array(placed["model"], dtype=np.int64),
        models=tuple(codes["model"]),
        prompt=np.array(placed["prompt"], dtype=np.int64),
        prompts=tuple(codes["prompt"]),
        system=np.array(placed["system"], dtype=np.int64),
        systems=tuple(codes["system"]),
        present=frozenset(
            name
            for name in COLUMNS
            if any(value is not None for value in whole.column(name))
        ),
        sample=whole,
    )


def measure(signal: Signal, *batches: Batch) -> Found:
    """What a signal says about some batches."""
    return signal.finish(table_of(signal, batches))


def _copies(whole: Batch) -> list[float]:
    """For each trace the first that has 0.8 of its runs of three words in common with it.

    Questions and answers each; what stands in more than a fifth of the first thousand is no sign.
    """
    sides = ([each or "" for each in whole.column("input")], whole.output)
    asked, said = ([*map(_runs, side)] for side in sides)
    for side in (asked, said):
        counts = Counter(run for runs in side[:1000] for run in runs or ())
        most = max(0.2 * min(1000, len(side)), 10)
        shared = {run for run, many in counts.items() if many > most}
        side[:] = [runs and (runs - shared or runs) for runs in side]
    firsts: dict[int, tuple[Runs, Runs]] = {}
    found = []
    for row, (question, answer) in enumerate(zip(asked, said, strict=True)):
        if question is None or answer is None:
            found.append(math.nan)
            continue
        alike = (
            first for first, (other, told) in firsts.items()
            if _near(question, other) and _near(answer, told)
        )  # fmt: skip
        place = next(alike, row)
        if place == row:
            firsts[row] = question, answer
        found.append(float(place))
    return found


Runs = set[tuple[str, ...]]


def _runs(text: str | None) -> Runs | None:
    if text is None:
        return None
    words = re.findall(r"\w+", text.lower())
    return set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}


def _near(one: Runs, other: Runs) -> bool:
    return len(one & other) >= 0.8 * len(one | other)
