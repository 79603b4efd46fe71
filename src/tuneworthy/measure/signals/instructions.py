"""Instruction limit: how long system prompts are, and which of their instructions are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.measure.signals.base import (
    CHARACTERS_A_TOKEN,
    Findings,
    Numbers,
    TraceTable,
    clusters_of,
    distinct,
    evidence_from,
    happened,
    readable_amount,
    series_of,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats.clustered import Estimate, quantile, share, slope
from tuneworthy.text.instructions import Instruction, Reader, follows
from tuneworthy.text.json import readable
from tuneworthy.text.search import joined

if TYPE_CHECKING:
    from tuneworthy.measure.signals.base import Extent, Flags, Floats, Ints


MOST_SHOWN = 100
"""Instructions that the picture shows."""

ENOUGH_INSTRUCTIONS = 5
"""Under this many in one prompt there is no telling what their place does."""

_FACTOR = "instruction_limit"
_MOST_KNOWN_PROMPTS = 2000
_NO_SYSTEM = "log the system prompt with each trace (field system, or a message of role system)"


class InstructionsSignal:
    """Length of the system prompts, and adherence to those instructions that can be checked.

    ``system_prompt_tokens`` is the median over traces. ``ignored_instruction_share`` is the share
    of checks that fail: one check is one verifiable instruction (``verifiable`` has the closed
    list) held against one output. ``position_effect`` is the least-squares slope of being followed
    on the instruction's place in the prompt, so it is negative where later ones fare worse;
    intervals have conversations as clusters, and that of the slope is the wider of conversations
    and instructions as clusters. Where prompts are a template that is filled in differently each
    time, single instructions and the slope come from the sample.

    It can't see instructions whose meaning has to be understood, those in other languages than
    English, those with a condition, and whether a failed check hurt anybody. Refusals, errors and
    empty outputs are not checked.
    """

    id = "instructions"

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

    def finish(self, table: TraceTable) -> Findings:
        if table.systems:
            texts = tuple(each.text for each in table.systems)
            columns = table.numbers, table.conversation, table.system
            extent: Extent = "all"
        else:  # the sample, with prompts of its own
            sample = table.sample
            systems, place = distinct(sample.column("system"))
            texts = tuple(text or "" for text in systems)
            system = np.where([text is None for text in systems], -1, np.arange(len(systems)))
            talks = clusters_of(sample.column("conversation"))
            columns = self.rows(sample), talks, system[place]
            extent = table.extent()
        checks = list(self._checks(texts, *columns))
        evidence = (_tokens(table), _ignored(table, checks), _position(table, checks, extent))
        return Findings(evidence, (_series(checks),) if checks else ())

    def _read(self, system: str) -> tuple[Instruction, ...]:
        if system not in self._known:
            if len(self._known) >= _MOST_KNOWN_PROMPTS:
                self._known.clear()
            self._known[system] = self._reader.read(system)
        return self._known[system]

    def _checks(
        self, texts: Sequence[str], numbers: Numbers, conversation: Ints, system: Ints
    ) -> Iterator[InstructionResults]:
        checked, ignored = (numbers[name].astype(np.int64) for name in ("checked", "ignored"))
        rows = np.flatnonzero((checked > 0) & (system >= 0))
        rows = rows[np.argsort(system[rows], kind="stable")]
        for members in np.split(rows, np.flatnonzero(np.diff(system[rows])) + 1):
            instructions = self._read(texts[system[members[0]]]) if len(members) else ()
            for bit, instruction in enumerate(instructions):
                mine = members[(checked[members] >> bit & 1).astype(bool)]
                if len(mine):
                    failed = (ignored[mine] >> bit & 1).astype(bool)
                    yield InstructionResults(
                        instruction, failed, conversation[mine], len(instructions)
                    )


@dataclass(frozen=True, slots=True)
class InstructionResults:
    """One instruction of one prompt over the outputs it bears on."""

    instruction: Instruction
    ignored: Flags
    """One an output."""
    conversation: Ints
    """Those the outputs come from."""
    of: int
    """How many instructions its prompt has."""

    @property
    def asks(self) -> tuple[object, ...]:
        """What is asked, wherever and in whatever words: prompts that ask it share it."""
        one = self.instruction
        return one.kind, one.amount, one.words


def _counted(checks: Sequence[InstructionResults]) -> list[tuple[Instruction, int, int]]:
    """Instruction, checks and failures; one that stands in several prompts is one. Worst first."""
    sums: dict[tuple[object, ...], tuple[Instruction, int, int]] = {}
    for each in checks:
        first, n, failed = sums.get(each.asks, (each.instruction, 0, 0))
        sums[each.asks] = first, n + len(each.ignored), failed + int(each.ignored.sum())
    return sorted(sums.values(), key=lambda row: (-row[2] / row[1], row[0].quote, row[0].words))


def _series(checks: Sequence[InstructionResults]) -> Series:
    """For each instruction its place and how often it was followed; the hundred worst."""
    rows = [
        (readable_amount(one.quote, 120), one.kind, one.position, 1 - failed / n, n)
        for one, n, failed in _counted(checks)[:MOST_SHOWN]
    ]
    return series_of("instructions", "quote kind position followed_share n", rows)


class _Outputs:
    """Outputs that were written under one system prompt; errors and refusals count as none."""

    def __init__(self, batch: Batch, members: Ints) -> None:
        self._batch, self._members = batch, members
        failed = happened(batch.error, len(batch))[members]
        self._checked = ~(failed | refused(batch.output)[members])
        self._failed = failed.tolist()

    def held_against(self, instruction: Instruction) -> tuple[Flags, Flags]:
        """Which outputs an instruction bears on, and which of them don't follow it."""
        output, members = self._batch.output, self._members
        if instruction.kind == "json":  # was read already
            known = self._checked & ~joined(output).blank[members]
            return known, known & ~readable(output)[members]
        answers = follows(instruction, self._texts, self._calls)
        known = np.array([answer is not None for answer in answers])
        return known, np.array([answer is False for answer in answers])

    @cached_property
    def _texts(self) -> list[str | None]:
        pairs = zip(self._members.tolist(), self._checked.tolist(), strict=True)
        return [self._batch.output[row] if checked else None for row, checked in pairs]

    @cached_property
    def _calls(self) -> list[int]:
        calls = self._batch.tool_calls or [None] * len(self._batch)
        pairs = zip(self._members.tolist(), self._failed, strict=True)
        return [0 if failed else len(calls[row] or ()) for row, failed in pairs]


def _tokens(table: TraceTable) -> Evidence:
    characters = table.numbers["system_characters"]
    known = characters[~np.isnan(characters)]
    details = {"system_prompts": max(len(table.systems), table.distinct_systems)}
    details["traces_without_one"] = len(characters) - len(known)
    if len(known):
        details["most_characters"] = int(known.max())
    return evidence_from(
        table,
        "system_prompt_tokens",
        quantile(characters / CHARACTERS_A_TOKEN, 0.5, table.conversation),
        _NO_SYSTEM,
        factor=_FACTOR,
        unit="tokens",
        method="median over traces; characters / 4, no tokenizer; interval by conversation",
        details=details,
    )


def _ignored(table: TraceTable, checks: Sequence[InstructionResults]) -> Evidence:
    """Over all traces: a check is a bit, so counting bits is enough."""
    checked, ignored = (_bits(table.numbers[name]) for name in ("checked", "ignored"))
    where = np.concatenate(
        [np.repeat(table.conversation, ignored), np.repeat(table.conversation, checked - ignored)]
    )
    read = "let somebody read a sample: no instruction of these prompts can be checked by rule"
    return evidence_from(
        table,
        "ignored_instruction_share",
        share(np.arange(len(where)) < ignored.sum(), where),
        read if "system" in table.present else _NO_SYSTEM,
        factor=_FACTOR,
        unit="share of checks of verifiable instructions",
        method="instructions found by a closed list of wordings, each held against each output it"
        " bears on; interval by conversation",
        details={"instructions": len({each.asks for each in checks})},
        examples=[
            f"{one.quote[:100]}{''.join(f' [{word[:30]}]' for word in one.words)}: {failed} of {n}"
            for one, n, failed in _counted(checks)
        ],
    )


def _bits(numbers: Floats) -> Ints:
    whole, counts = numbers.astype(np.int64), np.zeros(len(numbers), dtype=np.int64)
    for bit in range(int(whole.max(initial=0)).bit_length()):
        counts += whole >> bit & 1
    return counts


def _position(table: TraceTable, checks: Sequence[InstructionResults], extent: Extent) -> Evidence:
    """The slope over places, of prompts that have instructions enough."""
    kept = [each for each in checks if each.of >= ENOUGH_INSTRUCTIONS]
    codes = {asks: code for code, asks in enumerate(dict.fromkeys(each.asks for each in kept))}
    estimate = None
    if len(codes) >= ENOUGH_INSTRUCTIONS:
        sizes = [len(each.ignored) for each in kept]
        followed = np.concatenate([~each.ignored for each in kept]).astype(np.float64)
        at = np.repeat([each.instruction.position for each in kept], sizes)
        kinds = np.repeat([codes[each.asks] for each in kept], sizes)
        where = np.concatenate([each.conversation for each in kept])
        estimate = _wider(slope(followed, at, where), slope(followed, at, kinds))
    few = f"it takes {ENOUGH_INSTRUCTIONS} instructions in one prompt that can be checked by rule"
    return evidence_from(
        table,
        "position_effect",
        estimate,
        few if "system" in table.present else _NO_SYSTEM,
        factor=_FACTOR,
        unit="share followed, from the beginning of the prompt to its end",
        method="least squares of followed on place in the prompt; the wider interval of"
        " conversations and instructions as clusters",
        sample=extent,
        details={"instructions": len(codes)},
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
