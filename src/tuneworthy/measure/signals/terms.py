"""Terminology: words that the glossary forbids, although the prompt has the right ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.signals.base import (
    Findings,
    Flags,
    Floats,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    distinct,
    happened,
    rate,
)
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch
from tuneworthy.stats.clustered import share
from tuneworthy.text.glossary import Glossary
from tuneworthy.text.search import joined

TERMS_A_COLUMN = 48
"""The number of terms in one column, as the bits of a whole number; a float holds 53 exactly."""

MOST_TERMS = 480  #: Further terms of a glossary are not looked for.

_KINDS = ("due", "wrong", "held")
_ABOUT = "terminology_errors"
_SAY_IT = "say it right in the prompt first: none of the terms that were due is in it"


class _TermUse(NamedTuple):
    """The use of one term, for each trace."""

    due: Flags
    wrong: Flags
    held: Flags  #: Whether the system prompt has the right word.


class TermsSignal(TraceSignal):
    """Wrong words for the terms of a glossary.

    ``forbidden_term_share`` is the share of outputs that use a forbidden variant, among outputs in
    which a term is due that the system prompt already says right. A term is due where it or one of
    its variants stands in the input or the output, or a word of ``due_when`` in the input. Whole
    words are looked for, in any capitals unless the term says otherwise; a variant that is part of
    its own term ("task" in "task list") doesn't count there. Unit: a share; its interval has
    conversations as clusters.

    It can't see inflected forms that the glossary doesn't list, a right word used for the wrong
    thing, or a term that is missing altogether. Where the prompt doesn't hold the term, outputs
    are counted apart, because then it is the prompt that needs work.
    """

    id = "terms"

    def __init__(self, materials: Materials) -> None:
        self._glossary = Glossary((materials.glossary or ())[:MOST_TERMS])

    def rows(self, batch: Batch) -> Numbers:
        """For each trace, the terms that are due, used wrongly, and in its system prompt.

        They are bits of whole numbers: ``due_0``, ``wrong_0`` and ``held_0`` have the first 48
        terms, ``due_1`` the next ones, and so on.
        """
        n = len(batch)
        glossary = self._glossary
        columns = math.ceil(len(glossary) / TERMS_A_COLUMN)
        bits: dict[str, Floats] = {}
        for kind in _KINDS:
            for column in range(columns):
                bits[f"{kind}_{column}"] = np.zeros(n)
        if not bits:
            return bits
        answered = joined(batch.output).there & ~happened(batch.column("error"))
        written = glossary.look(batch.output)
        question = glossary.look(batch.column("input"))
        prompts, place = distinct(batch.column("system"))
        in_prompts = glossary.look(prompts)
        for index in range(len(glossary)):
            column, number = divmod(index, TERMS_A_COLUMN)
            bit = float(1 << number)
            wrong = np.zeros(n, dtype=bool)
            for _, flags in glossary.wrong(written, index, batch.output):
                wrong |= flags
            due = (
                glossary.holds_right_word(written, index)
                | wrong
                | glossary.called_for(question, index)
            )
            held = glossary.holds_right_word(in_prompts, index)[place]
            bits[f"due_{column}"][due & answered] += bit
            bits[f"wrong_{column}"][wrong & answered] += bit
            bits[f"held_{column}"][held] += bit
        return bits

    def finish(self, table: TraceTable) -> Findings:
        """The share of wrong words where the prompt holds the right one."""
        # Outputs in which any term is due or wrong, by whether the prompt holds that term.
        held_due = np.zeros(len(table), dtype=bool)
        held_wrong = np.zeros(len(table), dtype=bool)
        bare_due = np.zeros(len(table), dtype=bool)
        bare_wrong = np.zeros(len(table), dtype=bool)
        for term in self._uses(table):
            held_due |= term.due & term.held
            held_wrong |= term.wrong & term.held
            bare_due |= term.due & ~term.held
            bare_wrong |= term.wrong & ~term.held
        evidence = Measure(
            "forbidden_term_share", "share of outputs in which the term is due", _ABOUT
        ).make_evidence(
            table,
            share(held_wrong[held_due], table.conversation[held_due]),
            self._lacking(table, due=bool(bare_due.any())),
            method="whole words of the glossary, where the system prompt holds the right one;"
            " interval by conversation",
            details={
                "terms": len(self._glossary),
                "due_but_not_in_prompt": int(bare_due.sum()),
                "wrong_but_not_in_prompt_share": rate(bare_wrong[bare_due]),
            },
            examples=self._examples(table),
        )
        return Findings((evidence,))

    def _lacking(self, table: TraceTable, *, due: bool) -> str:
        """The step that would make the measurement known.

        ``due``: whether a term is due anywhere that the prompt doesn't hold.
        """
        if not len(self._glossary):
            return (
                "name data.glossary: the terms, and the words that are wrong for them"
            )
        if not due:
            return "measure traces in which a term of the glossary is due: in these, none is"
        if "system" not in table.present:
            return "log the system prompt with each trace (field system), to see what it says right"
        return _SAY_IT

    def _uses(self, table: TraceTable) -> Iterator[_TermUse]:
        """The use of each term of the glossary, read from the bits of the columns."""
        terms = len(self._glossary)
        for column, start in enumerate(range(0, terms, TERMS_A_COLUMN)):
            due = table.numbers[f"due_{column}"].astype(np.int64)
            wrong = table.numbers[f"wrong_{column}"].astype(np.int64)
            held = table.numbers[f"held_{column}"].astype(np.int64)
            for bit in range(min(TERMS_A_COLUMN, terms - start)):
                yield _TermUse(
                    due=(due >> bit & 1) == 1,
                    wrong=(wrong >> bit & 1) == 1,
                    held=(held >> bit & 1) == 1,
                )

    def _examples(self, table: TraceTable) -> Iterator[str]:
        """The wrong words in the sample, the most frequent first."""
        texts = table.sample.output
        counts = Counter[str]()
        written = self._glossary.look(texts)
        for index in range(len(self._glossary)):
            right = self._glossary.right(index)[:60]
            for word, flags in self._glossary.wrong(written, index, texts):
                counts[f'"{word[:60]}" for "{right}"'] += int(flags.sum())
        return (
            f"{words} ({n} in the sample)" for words, n in counts.most_common() if n
        )
