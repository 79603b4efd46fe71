"""Conversations an evaluation set can be drawn from: what was asked, and what went wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.domain.traces import Batch, Message
from tuneworthy.gather.duplicates import duplicate_groups
from tuneworthy.gather.engine import conversation_keys
from tuneworthy.gather.sample import Sample
from tuneworthy.gather.shingles import mix64
from tuneworthy.gather.signals.outcomes import on_scale, right, scores_of
from tuneworthy.gather.signals.refusals import refuses
from tuneworthy.texts.json_text import UNREAD, looks_like_json, read_json
from tuneworthy.texts.schema import Validator, validator

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_TRACES = 10_000
"""Traces that are kept to draw from, at most: conversations by a hash of their names."""
FRAME_CHARACTERS = 32 << 20
"""Characters of those."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something a model was asked."""

    turns: tuple[Message, ...]
    """The conversation up to it, without the system prompt; at least one turn."""
    reference: str | None
    contexts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A conversation, with the near copies that were folded into it."""

    questions: tuple[Question, ...]
    """Different ones, in order; at least one."""
    traces: int
    """Traces it stands for, its copies' among them."""
    failed: bool
    """Whether any trace of it failed."""
    row: int
    """Place of its first trace in the order of reading."""

    @property
    def characters(self) -> int:
        """Length of what was asked last, with all that came before it."""
        return sum(len(turn.content) for turn in self.questions[-1].turns)

    @property
    def opening(self) -> str:
        """The first question."""
        return self.questions[0].turns[-1].content


@dataclass(frozen=True, slots=True)
class Framed:
    """All that can be drawn from."""

    units: tuple[Unit, ...]
    read: int
    traces: int
    without_input: int
    folded: int
    failures: Mapping[str, int]
    cut: int


def frame(
    batches: Iterable[Batch], *, seed: int, schema: Mapping[str, Any] | None, alike: float
) -> Framed:
    """Read traces into conversations that can be drawn.

    Results of a test count as one conversation for each test case, whatever arms answered it. The
    shortest of what the arms were asked is kept, as prompts may have been rendered into it.

    Args:
        batches: The traces; each batch is let go of after it was looked at.
        seed: For what is kept where there are too many, and which near copy stands for the rest.
        schema: JSON Schema of the output: what breaks it has failed.
        alike: Share of three-word runs in common from which conversations are near copies.
    """
    sample, salt, read = Sample(FRAME_TRACES, FRAME_CHARACTERS), _salt(seed), 0
    for batch in batches:
        keys = conversation_keys(_names(batch), read)
        sample.add(batch, mix64(keys ^ salt), read)
        read += len(batch)
    kept, cut = sample.batch()
    units, failures, lacking = _units(kept, validator(schema)[0])
    folded = _folded(units, alike, np.random.default_rng(seed))
    return Framed(folded, read, len(kept), lacking, len(units) - len(folded), failures, cut)


def _salt(seed: int) -> np.uint64:
    told = hashlib.blake2b(f"frame {seed}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(told, "little"))


def _names(batch: Batch) -> list[str | None]:
    """What belongs together: the test case, that of the same conversation, else the conversation.

    A log may name the case beside the last answer alone.
    """
    pairs = [*zip(batch.column("case"), batch.column("conversation"), strict=True)]
    of_talk = {talk: case for case, talk in pairs if case and talk}
    cases = (case or of_talk.get(talk) if talk else case for case, talk in pairs)
    return [f"case {case}" if case else f"talk {talk}" if talk else None
            for case, (_, talk) in zip(cases, pairs, strict=True)]  # fmt: skip


def _units(batch: Batch, valid: Validator | None) -> tuple[list[Unit], dict[str, int], int]:
    """Conversations, failures by kind, and how many traces say nothing of what was asked."""
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(_names(batch)):
        groups.setdefault(name or f"row {row}", []).append(row)
    failed, counts = np.zeros(len(batch), dtype=bool), dict[str, int]()
    for row, why in failures(batch, valid):
        failed[row] = True
        counts[why] = counts.get(why, 0) + 1
    asked = list(_questions(batch))
    talks = batch.column("conversation")
    units = []
    for rows in groups.values():
        known = [(row, one) for row in rows if (one := asked[row]) is not None]
        if known:
            runs: dict[object, list[Question]] = {}
            for row, one in known:
                runs.setdefault(talks[row] or row if batch.case else "", []).append(one)
            wrong = any(failed[row] for row, _ in known)
            units.append(Unit(_shortest(list(runs.values())), len(known), wrong, known[0][0]))
    return units, counts, sum(one is None for one in asked)


def _shortest(runs: Sequence[Sequence[Question]]) -> tuple[Question, ...]:
    """Different questions of the run with the least text: the others' prompts may say more."""
    run = min(runs, key=lambda each: sum(len(turn.content) for one in each for turn in one.turns))
    different: dict[tuple[Message, ...], Question] = {}
    for one in run:
        before = different.get(one.turns)
        if before is None or (before.reference is None and one.reference is not None):
            different[one.turns] = one
    told = tuple(different.values())
    if len(told) == 1 and told[0].reference is None:
        known = (one.reference for each in runs for one in each if one.reference is not None)
        told = (replace(told[0], reference=next(known, None)),)
    return told


def _questions(batch: Batch) -> Iterator[Question | None]:
    names = ("input", "messages", "reference", "contexts")
    columns: Sequence[Sequence[Any]] = [batch.column(name) for name in names]
    for text, turns, reference, contexts in zip(*columns, strict=True):
        spoken = _spoken(turns or (), text)
        told = reference if reference and reference.strip() else None
        yield Question(spoken, told, tuple(contexts or ())) if spoken else None


def _spoken(turns: Sequence[Message], text: str | None) -> tuple[Message, ...]:
    """What a model was given beside its system prompt; () where nothing is known of it."""
    said = tuple(Message(*turn) for turn in turns if turn[0] != "system" and turn[1].strip())
    if len(said) > 1 and said[-1].role != "assistant":
        return said
    if text and text.strip():
        return (Message("user", text),)
    return said if said and said[-1].role == "user" else ()


def failures(batch: Batch, valid: Validator | None) -> Iterator[tuple[int, str]]:
    """Traces that went wrong, with why: the first of error, low_score, refusal, format that fits.

    Args:
        batch: The traces.
        valid: The test of an output that has to fit a schema; without one, an output that looks
            like JSON has to be some.

    Yields:
        Place and reason; a trace that nothing speaks against is left out.
    """
    low = (right(on_scale(scores_of(batch))) == 0).tolist()
    columns = (batch.output, batch.column("error"), batch.column("tool_calls"))
    for row, (output, error, calls) in enumerate(zip(*columns, strict=True)):
        text = output or ""
        if error is not None:
            yield row, "error"
        elif low[row]:
            yield row, "low_score"
        elif refuses(text):
            yield row, "refusal"
        elif text and not calls and not _reads(text, valid):
            yield row, "format"


def _reads(text: str, valid: Validator | None) -> bool:
    if valid is None and not looks_like_json(text):
        return True
    value, _ = read_json(text)
    return value is not UNREAD and (valid is None or valid(value))


def _folded(units: Sequence[Unit], alike: float, rng: np.random.Generator) -> tuple[Unit, ...]:
    """One unit of each group of near copies, drawn by its traces; it stands for all of them."""
    if not units:
        return ()
    sizes = np.array([unit.traces for unit in units], dtype=np.float64)
    group = duplicate_groups([_compared(unit) for unit in units], alike)
    late = rng.exponential(size=len(units)) / sizes  # the first to come is drawn by its size
    order: NDArray[np.int64] = np.lexsort((late, group))
    first = order[np.concatenate(([True], group[order][1:] != group[order][:-1]))]
    total = np.bincount(group, weights=sizes, minlength=len(units))
    chosen = sorted((int(place), int(total[group[place]])) for place in first)
    return tuple(
        Unit(units[at].questions, traces, units[at].failed, units[at].row) for at, traces in chosen
    )


def _compared(unit: Unit) -> str:
    """What of a conversation has to be alike: all that was asked, and the right answers."""
    last = "\n".join(turn.content for turn in unit.questions[-1].turns)
    asked = "\n".join(one.turns[-1].content for one in unit.questions)
    return "\n".join([last, asked, *(one.reference or "" for one in unit.questions)])
