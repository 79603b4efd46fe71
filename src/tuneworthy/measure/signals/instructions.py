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
    there,
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
#: Read prompts that are remembered, so that memory stays bounded.
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
        checked = np.zeros(len(batch))
        ignored = np.zeros(len(batch))
        systems, place = distinct(batch.column("system"))
        for system, members in zip(systems, _members(place, len(systems)), strict=True):
            if system is None:
                continue
            results = _held_against(self._read(system), batch, members)
            for bit, result in enumerate(results):
                checked[members[result.applies]] += float(1 << bit)
                ignored[members[result.is_ignored]] += float(1 << bit)
        return {"checked": checked, "ignored": ignored}

    def finish(self, table: TraceTable) -> Findings:
        """The share of ignored instructions, and whether later ones are ignored more often."""
        if table.systems:
            extent: Extent = "all"
            checks = self._checks(
                table.systems, table.numbers, table.conversation, table.system
            )
        else:
            extent = table.extent()
            checks = self._checks_of_sample(table.sample)
        results = list(checks)
        return Findings(
            (_ignored(table, _worst(results)), _position(table, results, extent))
        )

    def _read(self, system: str) -> tuple[Instruction, ...]:
        """The instructions of a system prompt that can be checked."""
        if system not in self._known:
            if len(self._known) >= _MOST_KNOWN_PROMPTS:
                self._known.clear()
            self._known[system] = self._reader.read(system)
        return self._known[system]

    def _checks_of_sample(self, sample: Batch) -> Iterator[InstructionResults]:
        """The results of each instruction of each prompt on the sample, with prompts of its own."""
        texts = sample.column("system")
        systems, place = distinct(texts)
        return self._checks(
            [text or "" for text in systems],
            self.rows(sample),
            clusters_of(sample.column("conversation")),
            np.where(there(texts), place, -1),
        )

    def _checks(
        self, texts: Sequence[str], numbers: Numbers, conversation: Ints, system: Ints
    ) -> Iterator[InstructionResults]:
        """For each instruction of each prompt, the answers checked and those that break it.

        ``system`` is the place of each trace's system prompt in ``texts``, -1 for none.
        """
        checked = numbers["checked"].astype(np.int64)
        ignored = numbers["ignored"].astype(np.int64)
        rows = np.flatnonzero((checked > 0) & (system >= 0))
        for text, places in zip(texts, _members(system[rows], len(texts)), strict=True):
            members = rows[places]
            if not len(members):
                continue
            instructions = self._read(text)
            for bit, instruction in enumerate(instructions):
                mine = members[(checked[members] >> bit & 1) == 1]
                if len(mine):
                    yield InstructionResults(
                        instruction,
                        ignored=(ignored[mine] >> bit & 1) == 1,
                        conversation=conversation[mine],
                        of=len(instructions),
                    )


def _members(place: Ints, groups: int) -> list[Ints]:
    """The rows of each of so many groups, at least one, by the group of each row."""
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=groups))
    return np.split(order, ends[:-1])


class InstructionResults(NamedTuple):
    """One instruction of one prompt, with the outputs it applies to."""

    instruction: Instruction
    ignored: Flags  #: One an output.
    conversation: Ints  #: Those the outputs come from.
    of: int  #: The number of instructions that its prompt has.

    @property
    def asks(self) -> tuple[object, ...]:
        """The content of the instruction. Prompts that ask the same in other words share it."""
        return self.instruction.kind, self.instruction.amount, self.instruction.words


class _CheckedOutputs(NamedTuple):
    """The outputs of one system prompt, checked by one of its instructions."""

    applies: Flags  #: Whether the instruction applies to each.
    is_ignored: Flags  #: Whether it applies, and the output doesn't follow it.


def _held_against(
    instructions: Sequence[Instruction], batch: Batch, members: Ints
) -> Iterator[_CheckedOutputs]:
    """Check the outputs of one system prompt by each of its instructions, in order.

    ``members`` are the rows of the prompt. Instructions don't apply to errors and refusals.
    """
    if not instructions:
        return
    failed = happened(batch.column("error"))[members]
    checked = ~(failed | refused(batch.output)[members])
    tools = batch.column("tool_calls")
    texts: list[str | None] = []
    calls = []
    for row, is_checked, has_failed in zip(
        members.tolist(), checked.tolist(), failed.tolist(), strict=True
    ):
        texts.append(batch.output[row] if is_checked else None)
        calls.append(0 if has_failed else len(tools[row] or ()))
    for instruction in instructions:
        if instruction.kind == "json":  # was read already
            applies = checked & ~joined(batch.output).blank[members]
            yield _CheckedOutputs(applies, applies & ~readable(batch.output)[members])
        else:
            answers = follows(instruction, texts, calls)
            yield _CheckedOutputs(
                applies=np.array([answer is not None for answer in answers]),
                is_ignored=np.array([answer is False for answer in answers]),
            )


class _InstructionCount(NamedTuple):
    """An instruction of all prompts that ask the same."""

    instruction: Instruction
    checked: int
    ignored: int


def _worst(results: Sequence[InstructionResults]) -> list[_InstructionCount]:
    """Different instructions, those that are ignored most often first.

    An instruction that stands in several prompts counts once, in the words of the first.
    """
    counts: dict[tuple[object, ...], _InstructionCount] = {}
    for result in results:
        earlier = counts.get(result.asks, _InstructionCount(result.instruction, 0, 0))
        counts[result.asks] = _InstructionCount(
            earlier.instruction,
            earlier.checked + len(result.ignored),
            earlier.ignored + int(result.ignored.sum()),
        )
    return sorted(
        counts.values(),
        key=lambda count: (
            -count.ignored / count.checked,
            count.instruction.quote,
            count.instruction.words,
        ),
    )


def _ignored(table: TraceTable, worst: Sequence[_InstructionCount]) -> Evidence:
    """The share of ignored checks over all traces. A check is a bit, so bits are counted."""
    checked = _bits(table.numbers["checked"])
    ignored = _bits(table.numbers["ignored"])
    # A row for each check, first the ignored ones, with its conversation.
    talks = np.append(
        np.repeat(table.conversation, ignored),
        np.repeat(table.conversation, checked - ignored),
    )
    is_ignored = np.arange(len(talks)) < ignored.sum()
    read = "let somebody read a sample: no instruction of these prompts can be checked by rule"
    return Measure(
        "ignored_instruction_share",
        "share of checks of verifiable instructions",
        _FACTOR,
    ).make_evidence(
        table,
        share(is_ignored, talks),
        read if "system" in table.present else _NO_SYSTEM,
        method="instructions found by a closed list of wordings, each checked on every"
        " output that it concerns; interval by conversation",
        details={"instructions": len(worst)},
        examples=map(_count_text, worst),
    )


def _count_text(count: _InstructionCount) -> str:
    """An instruction as an example, with how often it was ignored."""
    words = "".join(f" [{word[:30]}]" for word in count.instruction.words)
    quote = count.instruction.quote[:100]
    return f"{quote}{words}: {count.ignored} of {count.checked}"


def _bits(numbers: Floats) -> Ints:
    """The number of bits that are 1 in each whole number."""
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
    codes: dict[tuple[object, ...], int] = {}
    for each in kept:
        codes.setdefault(each.asks, len(codes))
    estimate = None
    if len(codes) >= ENOUGH_INSTRUCTIONS:
        # A row for each check of an output.
        sizes = [len(each.ignored) for each in kept]
        followed = np.concatenate([~each.ignored for each in kept]).astype(np.float64)
        position = np.repeat([each.instruction.position for each in kept], sizes)
        kinds = np.repeat([codes[each.asks] for each in kept], sizes)
        talks = np.concatenate([each.conversation for each in kept])
        # Checks of one conversation depend on each other, and so do those of one instruction.
        estimate = wider(
            slope(followed, position, talks), slope(followed, position, kinds)
        )
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
