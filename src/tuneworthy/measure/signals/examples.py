"""The number of logged answers that a model could learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuneworthy.measure.personal import excerpt, shared_scanner
from tuneworthy.measure.sample import duplicate_groups
from tuneworthy.measure.signals.base import (
    DUPLICATE_OF,
    RIGHT_FROM,
    Findings,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    clusters_of,
    happened,
    on_scale,
    pictures,
    rate,
    safe_excerpt,
    sampled_clusters,
    sampled_rows,
    scores_of,
    there,
)
from tuneworthy.measure.signals.personal import PATTERNS_FIND, PATTERNS_SPARE, widened
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Scalar
from tuneworthy.stats.clustered import share
from tuneworthy.text.json import looking, readable
from tuneworthy.text.search import joined

JSON_FROM = 0.9
"""If at least this share of the answers in words looks like JSON, all answers have to be JSON."""


SCANNED = 1_000
"""The most examples of the sample that are searched for personal and secret data."""

REASONS = ("no_output", "error", "refused", "not_json", "flagged", "copy")
"""Reasons why an answer can't be an example; the first that holds counts."""

_NONE = -1.0  #: No reason. The others are places in ``REASONS``.
_NO_OUTPUT = 0.0
_ERROR = 1.0
_REFUSED = 2.0
_NOT_JSON = 3.0
_FLAGGED = 4.0
_SHOWN = 2  #: Samples of each reason.
_EXCERPT = 140  #: Characters of a sample.


_USABLE = Measure("usable_examples", "examples", "insufficient_data")
_METHOD = (
    "counted: answers without an error, a refusal, broken JSON or a bad score, near copies once; "
    "the lower end without what may hold personal or secret data"
)


class ExamplesSignal(TraceSignal):
    """Answers that a model could be trained on, and why the others are not.

    ``usable_examples`` counts answers that are there (words or tool calls), came without an error,
    don't refuse, are JSON where JSON is expected (the case has an output schema, or nine answers in
    ten look like it), aren't scored below 0.5, and aren't near copies of one that counts already.
    An answer without a score of its own has the mean score of its conversation: who says that a
    conversation went wrong says so once, mostly at its end.
    Unit: examples. These are candidates that nobody reviewed, and the least there is: the upper end
    is open, as a log doesn't say what else the team has, and the lower end leaves out what may hold
    personal or secret data and would have to be cleaned, by patterns on a sample, their errors and
    the sample's included.

    It can't see whether an unscored answer is right, refusals in other words than those of its
    list, or whether the examples cover what will be asked.
    """

    id = "examples"
    wants_duplicates = True

    def __init__(self, materials: Materials) -> None:
        """``materials`` has the output schema, and the number of examples that the approach needs."""
        self._materials = materials

    def rows(self, batch: Batch) -> Numbers:
        """For each trace, the reason against it, its score, and whether it is JSON or broken JSON.

        The reason is one of the first three, or -1. An answer without words is neither kind of
        JSON.
        """
        silent = joined(batch.output).blank
        looks = looking(batch.output)
        # Each line overwrites the one before: the last to be written comes first in ``REASONS``.
        reasons = np.where(refused(batch.output), _REFUSED, _NONE)
        reasons[there(batch.column("error"))] = _ERROR
        reasons[silent & ~happened(batch.column("tool_calls"))] = _NO_OUTPUT
        return {
            "example_reason": reasons,
            "example_score": scores_of(batch),
            "example_json": np.where(silent, np.nan, looks),
            "example_broken": (looks & ~readable(batch.output)).astype(np.float64),
        }

    def finish(self, table: TraceTable) -> Findings:
        """The number of usable examples, with how many were left out for each reason."""
        if not {"output", "tool_calls"} & table.present:
            ask = "log `output`, what the model wrote"
            unknown = _USABLE.make_evidence(
                table, None, ask, method=_METHOD, details=self._need()
            )
            return Findings((unknown,))
        expected = self._expects_json(table.numbers["example_json"])
        reason = _reasons(table.numbers, table.conversation, json_expected=expected)
        # Copies are counted last, among those that nothing else speaks against.
        copies = table.numbers[DUPLICATE_OF][reason == _NONE]
        usable = _different(copies)
        steps = {
            name: int((reason == place).sum()) for place, name in enumerate(REASONS)
        }
        steps["copy"] = len(copies) - usable
        # The lower end leaves out as many as may hold personal or secret data.
        personal, seen = _personal(table.sample)
        least = float(int(usable * (1 - personal)))
        evidence = _USABLE.make_evidence(
            table,
            (float(usable), least, "open"),
            method=_METHOD,
            details={**seen, **self._need(), "all": len(table), **steps},
            examples=self._samples(table.sample, expected),
            talks=table.conversation,
        )
        waterfall = [("all", len(table)), *steps.items(), ("usable", usable)]
        return Findings(
            (evidence,), pictures("examples_waterfall", "step n", waterfall)
        )

    def _expects_json(self, looks: Floats) -> bool:
        """Whether answers have to be JSON: by the case's schema, or as nearly all look like it."""
        in_words = np.isfinite(looks)  # NaN for an answer without words
        is_likely = rate(looks[in_words]) >= JSON_FROM
        return self._materials.output_schema is not None or is_likely

    def _need(self) -> dict[str, Scalar]:
        """The examples that the approach needs, as a detail; {} where unknown."""
        need = self._materials.examples_need
        return {} if need is None else {"need": need}

    def _samples(self, batch: Batch, json_expected: bool) -> list[str]:
        """Some of the rejected answers, masked, each after its reason."""
        talks = clusters_of(batch.column("conversation"))
        questions = batch.column("input")
        reason = _reasons(self.rows(batch), talks, json_expected=json_expected)
        samples = []
        for place, name in enumerate(REASONS):
            rows = np.flatnonzero(reason == place).tolist()
            if name == "copy":
                rows = _copies(batch, np.flatnonzero(reason == _NONE).tolist())
            for row in rows[:_SHOWN]:
                text = batch.output[row] or questions[row] or ""
                piece = excerpt(text, 0, min(len(text), _EXCERPT), around=0)
                samples.append(safe_excerpt(f"{name}: {piece}", 200))
        return samples


def _copies(batch: Batch, rows: Sequence[int]) -> list[int]:
    """Which of the first of some rows are near copies of an earlier one."""
    rows = rows[:SCANNED]
    questions = batch.column("input")
    groups = duplicate_groups(
        [questions[row] for row in rows], answers=[batch.output[row] for row in rows]
    )
    return [row for place, row in enumerate(rows) if groups[place] != place]


def _different(copies: Floats) -> int:
    """The number of different answers, by the row that each is a copy of.

    An answer without words is a copy of none (NaN), so it counts by itself.
    """
    is_copy = np.isfinite(copies)
    return len(np.unique(copies[is_copy])) + int((~is_copy).sum())


def _reasons(numbers: Numbers, conversation: Ints, *, json_expected: bool) -> Floats:
    """The place of the first reason against each trace, except copies; -1 for none."""
    reason = numbers["example_reason"].copy()
    is_bad = _scores(numbers, conversation) < RIGHT_FROM  # false for NaN
    reason[is_bad & (reason == _NONE)] = _FLAGGED
    if json_expected:
        looks = numbers["example_json"]
        broken = numbers["example_broken"]
        is_wrong = np.isfinite(looks) & ((looks == 0) | (broken == 1))
        # Only a bad score comes after this reason.
        is_next = (reason == _NONE) | (reason == _FLAGGED)
        reason[is_wrong & is_next] = _NOT_JSON
    return reason


def _scores(numbers: Numbers, conversation: Ints) -> Floats:
    """The score of each trace, else the mean of its conversation; NaN where neither has one."""
    scores = on_scale(numbers["example_score"])
    rated = np.isfinite(scores)
    if not rated.any():
        return scores
    size = int(conversation.max()) + 1
    counts = np.bincount(conversation[rated], minlength=size)
    sums = np.bincount(conversation[rated], weights=scores[rated], minlength=size)
    means = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    return np.where(rated, scores, means[conversation])


def _personal(batch: Batch) -> tuple[float, dict[str, Scalar]]:
    """The upper end of the share with personal or secret data, and the observed values.

    0 and {} without an answer to search.
    """
    rows = sampled_rows(batch, SCANNED, lambda row: bool(batch.output[row]))
    questions = batch.column("input")
    texts = [f"{questions[row] or ''}\n{batch.output[row]}" for row in rows]
    has_data = shared_scanner().bits(texts) != 0
    seen = share(has_data, sampled_clusters(batch, rows))
    if seen is None:
        return 0.0, {}
    most = widened(seen, PATTERNS_FIND, PATTERNS_SPARE).high
    return most, {"personal_share": seen.value, "personal_looked_at": seen.n}
