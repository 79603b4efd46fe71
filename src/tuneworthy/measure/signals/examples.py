"""How many of the logged answers could be learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.measure.duplicates import compared_text, duplicate_groups
from tuneworthy.measure.personal import excerpt, shared_scanner
from tuneworthy.measure.signals import base as outcomes
from tuneworthy.measure.signals.base import (
    DUPLICATE_OF,
    Found,
    Numbers,
    Table,
    clusters_of,
    happened,
    how_many,
    picked,
    picking_members,
    there,
    told,
)
from tuneworthy.measure.signals.personal import PATTERNS_FIND, PATTERNS_SPARE, widened
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Scalar, Series
from tuneworthy.stats.clustered import share
from tuneworthy.text.json import looking, readable
from tuneworthy.text.search import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray


JSON_FROM = 0.9
"""Where at least this share of the answers in words mean to be JSON, all have to be."""

SCANNED = 1_000
"""Examples of the sample that are looked through for personal and secret data at most."""

REASONS = ("no_output", "error", "refused", "not_json", "flagged", "copy")
"""Why an answer is no example; the first that holds counts."""

_SHOWN = 2
_ADD_OUTPUT = "log `output`, what the model wrote"
_FACTOR = "insufficient_data"


class Examples:
    """Answers that a model could be trained on, and why the others are not.

    ``usable_examples`` counts answers that are there (words or tool calls), came without an error,
    don't refuse, are JSON where JSON is expected (the case has an output schema, or nine answers in
    ten look like it), aren't scored below 0.5, and aren't near copies of one that counts already.
    An answer without a score of its own has the mean score of its conversation: who says that a
    conversation went wrong says so once, mostly at its end.
    Unit: examples. It is a count of what was read and has no sampling error: the upper end is the
    count, the lower end leaves out what may hold personal or secret data and would have to be
    cleaned, by patterns on a sample, their errors and the sample's included. Of runs of a test
    (traces with a ``case``) the upper end is open: a test is as long as its makers made it, and
    says nothing of what else the team has.

    It can't see whether an unscored answer is right, refusals in other words than those of its
    list, or whether the examples cover what will be asked.

    Args:
        materials: For the schema and the examples that the approach needs.
    """

    id = "examples"
    needs = ("output", "input", "conversation", "case", "tool_calls", "error", "score", "label")
    wants_duplicates = True

    def __init__(self, materials: Materials) -> None:
        self._materials = materials

    def rows(self, batch: Batch) -> Numbers:
        """For each trace the reason against it, its score, and whether it reads as JSON."""
        reasons, looks, broken = _judged(batch)
        scores = outcomes.on_scale(outcomes.scores_of(batch))
        return {
            "example_reason": reasons,
            "example_score": scores,
            "example_json": looks,
            "example_broken": broken,
        }

    def finish(self, table: Table) -> Found:
        """The count, the steps to it, and samples of what was thrown out."""
        if not {"output", "tool_calls"} & table.present:
            return Found((self._evidence(table, None, {}, ()),))
        numbers = table.numbers
        expected = self._json_expected(numbers["example_json"])
        reason = _flagged(numbers["example_reason"], numbers["example_score"], table.conversation)
        reason = _with_json(reason, numbers["example_json"], numbers["example_broken"], expected)
        kept = reason < 0
        steps = {name: int((reason == place).sum()) for place, name in enumerate(REASONS)}
        usable = _groups(numbers[DUPLICATE_OF], kept)
        steps["copy"] = int(kept.sum()) - usable
        samples = _samples(table.sample, expected=expected)
        evidence = self._evidence(table, usable, steps, samples)
        columns: dict[str, tuple[Scalar, ...]] = {
            "step": ("all", *steps, "usable"),
            "n": (len(table), *steps.values(), usable),
        }
        return Found((evidence,), (Series(id="examples_waterfall", columns=columns),))

    def _json_expected(self, looks: NDArray[np.float64]) -> bool:
        words = looks[np.isfinite(looks)]
        likely = len(words) > 0 and float(words.mean()) >= JSON_FROM
        return self._materials.output_schema is not None or likely

    def _evidence(
        self, table: Table, usable: int | None, steps: dict[str, int], samples: Sequence[str]
    ) -> Evidence:
        found, details = (1.0, {}) if usable is None else _personal(table.sample)
        if self._materials.examples_need is not None:
            details["need"] = self._materials.examples_need
        evidence = told(
            table,
            "usable_examples",
            None,
            factor=_FACTOR,
            unit="examples",
            method="counted: answers without an error, a refusal, broken JSON or a bad score, near "
            "copies once; the lower end without what may hold personal or secret data",
            lacking=_ADD_OUTPUT,
            details={**details, **({"all": len(table)} if steps else {}), **steps},
            examples=samples,
        )
        if usable is None:
            return evidence
        sizes = {"n": len(table), "clusters": how_many(table.conversation)}
        ends = {"value": float(usable), "low": float(int(usable * (1 - found)))}
        high = "open" if "case" in table.present else float(usable)
        return evidence.model_copy(update={**ends, **sizes, "high": high})


def _judged(
    batch: Batch,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The place of the first reason against each trace (-1 for none), but for the last three.

    And whether it looks like JSON, and can't be read as such; NaN for an answer without words.
    """
    size = len(batch)
    silent = joined(batch.output).blank
    reasons = np.where(refused(batch.output), float(REASONS.index("refused")), -1.0)
    reasons[there(batch.error, size)] = REASONS.index("error")
    reasons[silent & ~happened(batch.tool_calls, size)] = REASONS.index("no_output")
    means = looking(batch.output)
    looks = np.where(silent, np.nan, means)
    return reasons, looks, (means & ~readable(batch.output)).astype(np.float64)


def _flagged(
    reason: NDArray[np.float64], scores: NDArray[np.float64], conversation: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Reasons with bad scores among them: a trace's own, else the mean of its conversation."""
    given = np.isfinite(scores)
    if not given.any():
        return reason
    size = int(conversation.max()) + 1
    counts = np.bincount(conversation[given], minlength=size)
    sums = np.bincount(conversation[given], weights=scores[given], minlength=size)
    of_all = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    bad = np.where(given, scores, of_all[conversation]) < outcomes.RIGHT_FROM
    return np.where(bad & (reason < 0), float(REASONS.index("flagged")), reason)


def _with_json(
    reason: NDArray[np.float64],
    looks: NDArray[np.float64],
    broken: NDArray[np.float64],
    expected: bool,
) -> NDArray[np.float64]:
    """Reasons with broken JSON among them, where JSON is expected."""
    place = REASONS.index("not_json")
    wrong = np.isfinite(looks) & ((looks == 0) | (broken == 1)) & expected
    later = (reason < 0) | (reason > place)
    return np.where(wrong & later, float(place), reason)


def _groups(copies: NDArray[np.float64], kept: NDArray[np.bool_]) -> int:
    """Different answers among those kept; one without words is like no other."""
    of = copies[kept]
    return len(np.unique(of[np.isfinite(of)])) + int(np.isnan(of).sum())


def _personal(batch: Batch) -> tuple[float, dict[str, Scalar]]:
    """The most that the share with personal or secret data may be, and what was seen."""
    rows = picked(batch, SCANNED, lambda row: bool(batch.output[row]))
    if not rows:
        return 0.0, {}
    asked: Any = batch.column("input")
    texts = [f"{asked[row] or ''}\n{batch.output[row]}" for row in rows]
    hit = np.zeros(len(rows), dtype=bool)
    for found in shared_scanner().rows(texts).values():
        hit |= found
    seen = share(hit, picking_members(batch, rows))
    assert seen is not None  # there are rows
    most = widened(seen, PATTERNS_FIND, PATTERNS_SPARE).high
    return most, {"personal_share": seen.value, "personal_looked_at": seen.n}


def _samples(batch: Batch, *, expected: bool) -> list[str]:
    """Some of what was thrown out, masked, each with its reason in front."""
    reasons, looks, broken = _judged(batch)
    scores = outcomes.on_scale(outcomes.scores_of(batch))
    flagged = _flagged(reasons, scores, clusters_of(batch.column("conversation")))
    reason = _with_json(flagged, looks, broken, expected)
    asked: Any = batch.column("input")
    kept = np.flatnonzero(reason < 0)[:SCANNED].tolist()
    groups = duplicate_groups([compared_text(asked[row], batch.output[row]) for row in kept])
    copies = [row for place, row in enumerate(kept) if groups[place] != place]
    samples = []
    for place, name in enumerate(REASONS):
        rows = copies if name == "copy" else np.flatnonzero(reason == place).tolist()
        for row in rows[:_SHOWN]:
            text = batch.output[row] or asked[row] or ""
            piece = excerpt(text, 0, min(len(text), 140), around=0)
            samples.append(outcomes.shown(f"{name}: {piece}", 200))
    return samples[:10]
