"""Instruction limit: how long system prompts are, and which of their instructions are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.measure.signals.base import (
    Found,
    Numbers,
    Table,
    clusters_of,
    distinct,
    happened,
    readable_amount,
    told,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats.clustered import Estimate, quantile, share, slope
from tuneworthy.text.instructions import Instruction, Reader, follows
from tuneworthy.text.json import readable
from tuneworthy.text.search import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Instructions with the outputs they were held against, counted.

MOST_SHOWN = 100
"""Instructions that the picture shows."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One instruction of one prompt over the outputs it bears on."""

    instruction: Instruction
    ignored: NDArray[np.bool_]
    """One an output."""
    conversation: NDArray[np.int64]
    """Those the outputs come from."""
    of: int
    """How many instructions its prompt has."""

    @property
    def asks(self) -> tuple[object, ...]:
        """What is asked, wherever and in whatever words: prompts that ask it share it."""
        one = self.instruction
        return one.kind, one.amount, one.words


def quotes(checks: Sequence[Checked]) -> list[str]:
    """Each instruction with its failures and checks, those most often ignored first."""
    return [
        f"{one.quote[:100]}{''.join(f' [{word[:30]}]' for word in one.words)}: {failed} of {n}"
        for one, n, failed in _counted(checks)
    ]


def series(checks: Sequence[Checked]) -> Series:
    """For each instruction its place and how often it was followed; the hundred worst."""
    rows = _counted(checks)[:MOST_SHOWN]
    return Series(
        id="instructions",
        columns={
            "quote": tuple(readable_amount(one.quote, 120) for one, _, _ in rows),
            "kind": tuple(one.kind for one, _, _ in rows),
            "position": tuple(one.position for one, _, _ in rows),
            "followed_share": tuple(1 - failed / n for _, n, failed in rows),
            "n": tuple(n for _, n, _ in rows),
        },
    )


def _counted(checks: Sequence[Checked]) -> list[tuple[Instruction, int, int]]:
    """Instruction, checks and failures; one that stands in several prompts is one. Worst first."""
    sums: dict[tuple[object, ...], tuple[Instruction, int, int]] = {}
    for each in checks:
        first, n, failed = sums.get(each.asks, (each.instruction, 0, 0))
        sums[each.asks] = first, n + len(each.ignored), failed + int(each.ignored.sum())
    return sorted(sums.values(), key=lambda row: (-row[2] / row[1], row[0].quote, row[0].words))


# Instruction limit: how long system prompts are, and which of their instructions are ignored.

CHARACTERS_A_TOKEN = 4
"""Characters to a token of English, as a rule of thumb; other scripts take fewer."""

ENOUGH_INSTRUCTIONS = 5
"""Under this many in one prompt there is no telling what their place does."""

_ABOUT = "instruction_limit"
_MOST_KNOWN_PROMPTS = 2000
_NO_SYSTEM = "log the system prompt with each trace (field system, or a message of role system)"


@dataclass(frozen=True, slots=True)
class _Traces:
    """What was checked on which traces, and the texts of their prompts."""

    checked: NDArray[np.int64]
    ignored: NDArray[np.int64]
    conversation: NDArray[np.int64]
    system: NDArray[np.int64]
    """Place in ``texts``; -1 for none."""
    texts: tuple[str, ...]
    sample: Literal["all", "sampled"]


class Instructions:
    """Length of the system prompts, and adherence to those instructions that can be checked.

    ``system_prompt_tokens`` is the median over traces. ``ignored_instruction_share`` is the share
    of checks that fail: one check is one verifiable instruction (``verifiable`` has the closed
    list) held against one output. ``position_effect`` is the least-squares slope of being followed
    on the instruction's place in the prompt, so it is negative where later ones fare worse;
    intervals have conversations as clusters, and that of the slope is the wider of conversations
    and instructions as clusters. Where prompts are a template that is filled in differently each
    time, single instructions and the slope are told from the sample.

    It can't see instructions whose meaning has to be understood, those in other languages than
    English, those with a condition, and whether a failed check hurt anybody. Refusals, errors and
    empty outputs are not checked.
    """

    id = "instructions"
    needs = ("output", "system", "tool_calls", "error")

    def __init__(self) -> None:
        self._reader = Reader()
        self._known: dict[str, tuple[Instruction, ...]] = {}

    def rows(self, batch: Batch) -> Numbers:
        """Length of the system prompt in characters, and which instructions were ignored.

        ``checked`` and ``ignored`` are bits of whole numbers: bit k stands for the k-th instruction
        of the trace's own system prompt.
        """
        checked, ignored = np.zeros(len(batch)), np.zeros(len(batch))
        length = np.full(len(batch), np.nan)
        systems, place = distinct(batch.column("system"))
        order = np.argsort(place, kind="stable")
        ends = np.cumsum(np.bincount(place, minlength=len(systems)))
        for system, members in zip(systems, np.split(order, ends[:-1]), strict=True):
            if system is None:
                continue
            length[members] = len(system)
            if instructions := self._read(system):
                outputs = _Outputs(batch, members)
                for bit, instruction in enumerate(instructions):
                    known, failed = outputs.held_against(instruction)
                    checked[members[known]] += float(1 << bit)
                    ignored[members[failed]] += float(1 << bit)
        return {"system_characters": length, "checked": checked, "ignored": ignored}

    def finish(self, table: Table) -> Found:
        """Length, adherence and what the place of an instruction does to it."""
        traces = _whole(table) if table.systems else self._sampled(table)
        checks = list(self._checks(traces))
        evidence = (
            _tokens(table),
            _ignored(table, checks),
            _position(table, checks, traces.sample),
        )
        return Found(evidence, (series(checks),) if checks else ())

    def _read(self, system: str) -> tuple[Instruction, ...]:
        known = self._known.get(system)
        if known is None:
            if len(self._known) >= _MOST_KNOWN_PROMPTS:
                self._known.clear()
            known = self._known[system] = self._reader.read(system)
        return known

    def _sampled(self, table: Table) -> _Traces:
        """The sample, with prompts of its own."""
        sample, codes = table.sample, dict[str, int]()
        numbers = self.rows(sample)
        placed = [
            -1 if system is None else codes.setdefault(system, len(codes))
            for system in sample.system or [None] * len(sample)
        ]
        return _Traces(
            numbers["checked"].astype(np.int64),
            numbers["ignored"].astype(np.int64),
            clusters_of(sample.column("conversation")),
            np.array(placed, dtype=np.int64),
            tuple(codes),
            "all" if len(sample) >= len(table) else "sampled",
        )

    def _checks(self, traces: _Traces) -> Iterator[Checked]:
        """Each instruction of each prompt that was checked at all."""
        rows = np.flatnonzero((traces.checked > 0) & (traces.system >= 0))
        rows = rows[np.argsort(traces.system[rows], kind="stable")]
        for members in np.split(rows, np.flatnonzero(np.diff(traces.system[rows])) + 1):
            if not len(members):
                continue
            instructions = self._read(traces.texts[traces.system[members[0]]])
            for bit, instruction in enumerate(instructions):
                mine = members[(traces.checked[members] >> bit & 1).astype(bool)]
                if len(mine):
                    failed = (traces.ignored[mine] >> bit & 1).astype(bool)
                    where = traces.conversation[mine]
                    yield Checked(instruction, failed, where, len(instructions))


def _whole(table: Table) -> _Traces:
    """All traces."""
    return _Traces(
        table.numbers["checked"].astype(np.int64),
        table.numbers["ignored"].astype(np.int64),
        table.conversation,
        table.system,
        tuple(each.text for each in table.systems),
        "all",
    )


class _Outputs:
    """Outputs that were written under one system prompt; errors and refusals count as none."""

    def __init__(self, batch: Batch, members: NDArray[np.int64]) -> None:
        self._batch, self._members = batch, members
        failed = happened(batch.error, len(batch))[members]
        self._judged = ~(failed | refused(batch.output)[members])
        self._failed = failed.tolist()

    def held_against(self, instruction: Instruction) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which outputs an instruction bears on, and which of them don't follow it."""
        output, members = self._batch.output, self._members
        if instruction.kind == "json":  # was read already
            known = self._judged & ~joined(output).blank[members]
            return known, known & ~readable(output)[members]
        answers = follows(instruction, self._texts, self._calls)
        known = np.array([answer is not None for answer in answers])
        return known, np.array([answer is False for answer in answers])

    @cached_property
    def _texts(self) -> list[str | None]:
        pairs = zip(self._members.tolist(), self._judged.tolist(), strict=True)
        return [self._batch.output[row] if judged else None for row, judged in pairs]

    @cached_property
    def _calls(self) -> list[int]:
        calls = self._batch.tool_calls or [None] * len(self._batch)
        pairs = zip(self._members.tolist(), self._failed, strict=True)
        return [0 if failed else len(calls[row] or ()) for row, failed in pairs]


def _tokens(table: Table) -> Evidence:
    characters = table.numbers["system_characters"]
    known = characters[~np.isnan(characters)]
    details = {"system_prompts": max(len(table.systems), table.distinct_systems)}
    details["traces_without_one"] = len(characters) - len(known)
    if len(known):
        details["most_characters"] = int(known.max())
    return told(
        table,
        "system_prompt_tokens",
        quantile(characters / CHARACTERS_A_TOKEN, 0.5, table.conversation),
        factor=_ABOUT,
        unit="tokens",
        method=f"median over traces; characters / {CHARACTERS_A_TOKEN}, no tokenizer;"
        " interval by conversation",
        lacking=_NO_SYSTEM,
        details=details,
    )


def _ignored(table: Table, checks: Sequence[Checked]) -> Evidence:
    """Over all traces: a check is a bit, so counting bits is enough."""
    checked, ignored = (_bits(table.numbers[name]) for name in ("checked", "ignored"))
    where = np.concatenate(
        [np.repeat(table.conversation, ignored), np.repeat(table.conversation, checked - ignored)]
    )
    hits = np.arange(len(where)) < ignored.sum()
    read = "let somebody read a sample: no instruction of these prompts can be checked by rule"
    return told(
        table,
        "ignored_instruction_share",
        share(hits, where),
        factor=_ABOUT,
        unit="share of checks of verifiable instructions",
        method="instructions found by a closed list of wordings, each held against each output it"
        " bears on; interval by conversation",
        lacking=read if "system" in table.present else _NO_SYSTEM,
        details={"instructions": len({each.asks for each in checks})},
        examples=quotes(checks),
    )


def _bits(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many bits of each number are set."""
    whole, counts = numbers.astype(np.int64), np.zeros(len(numbers), dtype=np.int64)
    for bit in range(int(whole.max(initial=0)).bit_length()):
        counts += whole >> bit & 1
    return counts


def _position(
    table: Table, checks: Sequence[Checked], sample: Literal["all", "sampled"]
) -> Evidence:
    """The slope over places, of prompts that have instructions enough."""
    kept = [each for each in checks if each.of >= ENOUGH_INSTRUCTIONS]
    estimate = None
    if len({each.asks for each in kept}) >= ENOUGH_INSTRUCTIONS:
        followed = np.concatenate([~each.ignored for each in kept]).astype(np.float64)
        places = [np.full(len(each.ignored), each.instruction.position) for each in kept]
        codes = {key: code for code, key in enumerate(dict.fromkeys(each.asks for each in kept))}
        kinds = [np.full(len(each.ignored), codes[each.asks]) for each in kept]
        where = np.concatenate([each.conversation for each in kept])
        at = np.concatenate(places)
        estimate = _wider(slope(followed, at, where), slope(followed, at, np.concatenate(kinds)))
    return told(
        table,
        "position_effect",
        estimate,
        factor=_ABOUT,
        unit="share followed, from the beginning of the prompt to its end",
        method="least squares of followed on place in the prompt; the wider interval of"
        " conversations and instructions as clusters",
        lacking=f"it takes {ENOUGH_INSTRUCTIONS} instructions in one prompt that can be checked"
        " by rule"
        if "system" in table.present
        else _NO_SYSTEM,
        sample=sample,
        details={"instructions": len({each.asks for each in kept})},
    )


def _wider(by_conversation: Estimate | None, by_instruction: Estimate | None) -> Estimate | None:
    """One estimate with the lower of two low ends and the higher of two high ones."""
    if by_conversation is None or by_instruction is None:
        return None
    return Estimate(
        by_conversation.value,
        min(by_conversation.low, by_instruction.low),
        max(by_conversation.high, by_instruction.high),
        by_conversation.n,
        by_conversation.clusters,
    )
