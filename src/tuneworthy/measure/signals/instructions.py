"""Instruction limit: which instructions of the system prompts are ignored, and their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.signals.base import (
    Extent,
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    clusters_of,
    distinct,
    happened,
    wider,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.stats.clustered import share, slope
from tuneworthy.text.instructions import Instruction, Reader, follows
from tuneworthy.text.json import readable
from tuneworthy.text.search import joined

#: Under this many in one prompt there is no telling what their place does.
ENOUGH_INSTRUCTIONS = 5

_FACTOR = "instruction_limit"
_MOST_KNOWN_PROMPTS = 2000
_NO_SYSTEM = (
    "log the system prompt with each trace (field system, or a message of role system)"
)


class InstructionsSignal(TraceSignal):
    """Adherence to those instructions of the system prompts that can be checked.

    ``ignored_instruction_share`` is the share of checks that fail: one check is one verifiable
    instruction (``verifiable`` has the closed list) held against one output. ``position_effect`` is
    the least-squares slope of being followed on the instruction's place in the prompt, so it is
    negative where later ones fare worse; intervals have conversations as clusters, and that of the
    slope is the wider of conversations and instructions as clusters. Where prompts are a template
    that is filled in differently each time, single instructions and the slope come from the sample.

    It can't see instructions whose meaning has to be understood, those in other languages than
    English, those with a condition, and whether a failed check hurt anybody. Refusals, errors and
    empty outputs are not checked.
    """

    id = "instructions"

    def __init__(self) -> None:
        self._reader = Reader()
        self._known: dict[str, tuple[Instruction, ...]] = {}

    def rows(self, batch: Batch) -> Numbers:
        """Which instructions were checked, and which were ignored.

        ``checked`` and ``ignored`` are bits of whole numbers: bit k is the k-th instruction in the
        trace's own system prompt.
        """
        checked, ignored = np.zeros((2, len(batch)))
        systems, place = distinct(batch.column("system"))
        order = np.argsort(place, kind="stable")
        ends = np.cumsum(np.bincount(place, minlength=len(systems)))
        for system, members in zip(systems, np.split(order, ends[:-1]), strict=True):
            if system is None:
                continue
            instructions = self._read(system)
            for bit, (known, failed) in enumerate(
                _held_against(instructions, batch, members)
            ):
                checked[members[known]] += float(1 << bit)
                ignored[members[failed]] += float(1 << bit)
        return {"checked": checked, "ignored": ignored}

    def finish(self, table: TraceTable) -> Findings:
        """The share of ignored instructions, and whether later ones are ignored more often."""
        texts: Sequence[str] = table.systems
        columns = (table.numbers, table.conversation, table.system)
        extent = table.extent()
        if texts:
            extent = "all"
        else:  # the sample, with prompts of its own
            sample = table.sample
            systems, place = distinct(sample.column("system"))
            texts = [text or "" for text in systems]
            system = np.where(
                [text is None for text in systems], -1, np.arange(len(systems))
            )
            talks = clusters_of(sample.column("conversation"))
            columns = self.rows(sample), talks, system[place]
        checks = list(self._checks(texts, *columns))
        sums: dict[tuple[object, ...], tuple[Instruction, int, int]] = {}
        for each in checks:  # an instruction that stands in several prompts counts once
            first, n, failed = sums.get(each.asks, (each.instruction, 0, 0))
            sums[each.asks] = (
                first,
                n + len(each.ignored),
                failed + int(each.ignored.sum()),
            )
        worst = sorted(
            sums.values(),
            key=lambda row: (-row[2] / row[1], row[0].quote, row[0].words),
        )
        return Findings((_ignored(table, worst), _position(table, checks, extent)))

    def _read(self, system: str) -> tuple[Instruction, ...]:
        if system not in self._known:
            if len(self._known) >= _MOST_KNOWN_PROMPTS:
                self._known.clear()
            self._known[system] = self._reader.read(system)
        return self._known[system]

    def _checks(
        self, texts: Sequence[str], numbers: Numbers, conversation: Ints, system: Ints
    ) -> Iterator[InstructionResults]:
        """For each instruction of each prompt, the answers checked and those that break it."""
        checked, ignored = (
            numbers[name].astype(np.int64) for name in ("checked", "ignored")
        )
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


class InstructionResults(NamedTuple):
    """One instruction of one prompt, with the outputs it applies to."""

    instruction: Instruction
    ignored: Flags  #: One an output.
    conversation: Ints  #: Those the outputs come from.
    of: int  #: How many instructions its prompt has.

    @property
    def asks(self) -> tuple[object, ...]:
        """The content of the instruction. Prompts that ask the same in other words share it."""
        return self.instruction.kind, self.instruction.amount, self.instruction.words


def _held_against(
    instructions: Sequence[Instruction], batch: Batch, members: Ints
) -> Iterator[tuple[Flags, Flags]]:
    """For each instruction, the outputs it applies to, and those that don't follow it.

    All outputs are of one system prompt. Instructions don't apply to errors and refusals.
    """
    if not instructions:
        return
    output = batch.output
    rows = members.tolist()
    failed = happened(batch.column("error"))[members]
    checked = ~(failed | refused(output)[members])
    texts = [
        output[row] if kept else None
        for row, kept in zip(rows, checked.tolist(), strict=True)
    ]
    tools = batch.column("tool_calls")
    calls = [
        0 if bad else len(tools[row] or ())
        for row, bad in zip(rows, failed, strict=True)
    ]
    for instruction in instructions:
        if instruction.kind == "json":  # was read already
            known = checked & ~joined(output).blank[members]
            yield known, known & ~readable(output)[members]
        else:
            answers = follows(instruction, texts, calls)
            known = np.array([answer is not None for answer in answers])
            yield known, np.array([answer is False for answer in answers])


def _ignored(
    table: TraceTable, worst: Sequence[tuple[Instruction, int, int]]
) -> Evidence:
    """The share of ignored checks over all traces. A check is a bit, so bits are counted."""
    checked, ignored = (_bits(table.numbers[name]) for name in ("checked", "ignored"))
    where = np.concatenate(
        [
            np.repeat(table.conversation, ignored),
            np.repeat(table.conversation, checked - ignored),
        ]
    )
    read = "let somebody read a sample: no instruction of these prompts can be checked by rule"
    return Measure(
        "ignored_instruction_share",
        "share of checks of verifiable instructions",
        _FACTOR,
    ).make_evidence(
        table,
        share(np.arange(len(where)) < ignored.sum(), where),
        read if "system" in table.present else _NO_SYSTEM,
        method="instructions found by a closed list of wordings, each checked on every"
        " output that it concerns; interval by conversation",
        details={"instructions": len(worst)},
        examples=(
            f"{i.quote[:100]}{''.join(f' [{word[:30]}]' for word in i.words)}: {failed} of {n}"
            for i, n, failed in worst
        ),
    )


def _bits(numbers: Floats) -> Ints:
    whole = numbers.astype(np.int64)
    counts = np.zeros(len(numbers), dtype=np.int64)
    for bit in range(int(whole.max(initial=0)).bit_length()):
        counts += whole >> bit & 1
    return counts


def _position(
    table: TraceTable, checks: Sequence[InstructionResults], extent: Extent
) -> Evidence:
    """The slope over places, for prompts with enough instructions."""
    kept = [each for each in checks if each.of >= ENOUGH_INSTRUCTIONS]
    codes = {
        asks: code
        for code, asks in enumerate(dict.fromkeys(each.asks for each in kept))
    }
    estimate = None
    if len(codes) >= ENOUGH_INSTRUCTIONS:
        sizes = [len(each.ignored) for each in kept]
        followed = np.concatenate([~each.ignored for each in kept]).astype(np.float64)
        at = np.repeat([each.instruction.position for each in kept], sizes)
        kinds = np.repeat([codes[each.asks] for each in kept], sizes)
        where = np.concatenate([each.conversation for each in kept])
        estimate = wider(slope(followed, at, where), slope(followed, at, kinds))
    few = f"it takes {ENOUGH_INSTRUCTIONS} instructions in one prompt that can be checked by rule"
    return Measure(
        "position_effect",
        "share followed, from the beginning of the prompt to its end",
        _FACTOR,
    ).make_evidence(
        table,
        estimate,
        few if "system" in table.present else _NO_SYSTEM,
        method="least squares of followed on place in the prompt; the wider interval of"
        " conversations and instructions as clusters",
        sample=extent,
        details={"instructions": len(codes)},
    )
