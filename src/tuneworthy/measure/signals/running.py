"""The prompt file and the model that production runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.signals.base import (
    DAY_S,
    MONTH_DAYS,
    Findings,
    Measure,
    TraceSignal,
    TraceTable,
    as_numbers,
    clusters_of,
)
from tuneworthy.model.case import Materials, PromptWording
from tuneworthy.model.evidence import Batch
from tuneworthy.stats.clustered import share

#: Share of the newest calls that one prompt with one model has to answer.
LEAST_SHARE = 0.9
LEAST_LETTERS = 12  #: Of a template's own text: less stands in many prompts.
_NAME = re.compile(r"[\W_]+")
_RUNNING = Measure("running_prompt_share", "share of calls")


class RunningSignal(TraceSignal):
    """The prompt file and the model that answer production's calls, on the sample.

    ``running_prompt_share`` is the share of the first calls of conversations, in the last month of
    the clock, that one prompt file with one model answers. A call is of the file whose system
    template its system prompt follows, whatever is filled in, and of several the one with the most
    text of its own; where no system prompts are logged, of the file that has the prompt's name. A
    call that was given solved examples as turns is of no file. It is told from nine in ten calls
    on, and not at all of runs of a test.

    It can't see what is added outside the system prompt, such as retrieved examples in the user's
    message.
    """

    id = "running"

    def __init__(self, materials: Materials) -> None:
        self._prompts = materials.prompts

    def finish(self, table: TraceTable) -> Findings:
        """The share of calls that follow the most frequent prompt file and model."""
        if not self._prompts or "case" in table.present:
            return Findings()
        batch = table.sample
        rows = _newest_rows(batch)
        arms = [_arm_of(batch, row, self._prompts) for row in rows]
        counts = Counter(arm for arm in arms if arm is not None)
        if not counts:
            return Findings()
        ((most, calls),) = counts.most_common(1)
        if calls < LEAST_SHARE * len(rows):
            return Findings()
        talks = clusters_of(batch.column("conversation"))[rows]
        hits = np.array([arm == most for arm in arms], dtype=np.float64)
        evidence = _RUNNING.make_evidence(
            table,
            share(hits, talks),
            "measure a longer log",
            method="first calls of conversations that follow the template of one prompt file",
            details={"prompt": most.prompt, "model": most.model},
            sample=table.extent(len(batch)),
        )
        return Findings((evidence,))


class _RunningArm(NamedTuple):
    """A prompt file with a model."""

    prompt: str
    model: str


def _newest_rows(batch: Batch) -> list[int]:
    """The first calls of conversations in the last month; in the whole log if it has no clock."""
    times = as_numbers(batch.column("timestamp"))
    newest = np.nanmax(times) if np.isfinite(times).any() else np.nan
    turns = batch.column("turn")
    rows = []
    for row in range(len(batch)):
        # False where a time is missing
        is_old = times[row] < newest - MONTH_DAYS * DAY_S
        is_first = turns[row] is None or turns[row] == 0
        if is_first and not is_old:
            rows.append(row)
    return rows


def _arm_of(
    batch: Batch, row: int, prompts: Sequence[PromptWording]
) -> _RunningArm | None:
    """The prompt file and the model of a call; None where one is unknown."""
    messages = batch.column("messages")[row] or ()
    # An answer before the first call is a solved example, which no prompt file holds.
    if any(message.role == "assistant" for message in messages):
        return None
    model = batch.column("model")[row]
    system = batch.column("system")[row]
    if system is None:
        name = batch.column("prompt")[row]
        prompt = _by_name(name or "", prompts)
    else:
        prompt = _by_text(system, prompts)
    return _RunningArm(prompt, model) if prompt and model else None


def _by_name(name: str, prompts: Sequence[PromptWording]) -> str:
    """The only prompt file with a name, whatever its signs and capitals; else an empty text."""
    same = [prompt.name for prompt in prompts if _plain(prompt.name) == _plain(name)]
    if len(same) != 1:
        return ""
    (only,) = same
    return only


def _plain(name: str) -> str:
    return _NAME.sub(" ", name.casefold()).strip()


def _by_text(system: str, prompts: Sequence[PromptWording]) -> str:
    """The prompt file that a system prompt follows with the most text; empty for none."""
    text = " ".join(system.split())
    fitting = [
        each for each in prompts if _size(each) >= LEAST_LETTERS and follows(text, each)
    ]
    best = max(fitting, key=_size, default=None)
    return "" if best is None else best.name


def _size(prompt: PromptWording) -> int:
    return sum(map(len, prompt.pieces))


def follows(text: str, prompt: PromptWording) -> bool:
    """Whether a text, with single blanks, is a filled-in form of a template.

    The pieces of a template are what stands between the places to fill in.
    """
    first, *rest = prompt.pieces
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first):
        return False
    place = len(first)
    # The earliest place for each piece leaves the most room for the next one.
    for piece in middle:
        place = text.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return text.endswith(last) and len(text) - len(last) >= place
