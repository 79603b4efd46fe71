"""How often the present approach succeeds, by labels, feedback or scores, and how often it fails."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from tuneworthy.measure.signals.base import (
    SHARE,
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    case_numbers,
    clusters,
    on_scale,
    right,
    scores_of,
    there,
)
from tuneworthy.measure.signals.calls import withheld
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.text.search import joined, remembered

_ADD_SCORE = (
    "add `score`, or feedback with a score: 1 where it went well, 0 where it didn't"
)
_ON_SCALE = "give scores between 0 and 1: these are on another scale"
_ONE_ARM = (
    "measure one prompt and one model: this is a test of several, and `best_arm_share` shows"
    " the best"
)


class SuccessSignal(TraceSignal):
    """How often the present approach succeeds.

    ``success_share`` is the share of conversations that went well: a score from 0.5 on, or, where
    there is none, a label that says so. The scores of a conversation are averaged first, so that it
    counts once however many of its answers carry one; test cases, and conversations where there are
    none, are the clusters, so that trials of one task are no independent tasks. Wilson's interval
    at the number of independent conversations.

    ``error_share`` is the share of calls with an error, ``refusal_share`` that of outputs whose
    maker says that the model or a filter kept the answer back, or that open with a refusal in
    English by a closed list of wordings: at least so many.

    It can't see who gives feedback: where few are scored, and those who complain are, the share of
    all is another. So only scores of test cases stand for the metric of a target; ratings of users
    are shown with their share, and speak for or against an answer.
    """

    id = "success"

    def rows(self, batch: Batch) -> Numbers:
        """For each trace: its score, error and case, and whether the answer was refused."""
        kept_back = withheld(batch)
        # An answer that was kept back may be empty, and is a refusal all the same.
        is_judged = (joined(batch.output).lengths > 0) | kept_back
        is_refused = refused(batch.output) | kept_back
        return {
            "success_score": scores_of(batch),
            "success_error": there(batch.column("error")).astype(np.float64),
            "success_refused": np.where(is_judged, is_refused, np.nan),
            "success_kept_back": kept_back.astype(np.float64),
            "success_case": case_numbers(batch),
        }

    def finish(self, table: TraceTable) -> Findings:
        """The shares of success, of errors and of refusals."""
        return Findings((_success(table), _errors(table), _refusals(table)))


def _errors(table: TraceTable) -> Evidence:
    """The share of calls with an error; unknown where none is logged, as logs may leave them out."""
    estimate = None
    if "error" in table.present:
        estimate = share(table.numbers["success_error"], table.conversation)
    return Measure("error_share", "share of calls").make_evidence(
        table,
        estimate,
        "log `error`, what went wrong with a call; none is recorded",
        method="calls with an error; conversations as clusters, Wilson",
        counted=SHARE,
    )


def _refusals(table: TraceTable) -> Evidence:
    """The share of refused answers, without an upper end: other wordings aren't on the list."""
    refusals = Measure("refusal_share", "share of outputs").make_evidence(
        table,
        share(table.numbers["success_refused"], table.conversation),
        "log `output`, what the model wrote",
        method="outputs that their makers call refused or filtered, or that open with a "
        "refusal by a closed list of English wordings: at least so many; conversations as "
        "clusters, Wilson",
        details={"said_by_their_maker": int(table.numbers["success_kept_back"].sum())},
    )
    if not refusals.is_known:
        return refusals
    return refusals.model_copy(update={"high": "open"})


def _success(table: TraceTable) -> Evidence:
    """The share of conversations that went well, by their scores."""
    on_any_scale = table.numbers["success_score"]
    cases = table.numbers["success_case"]
    scores = on_scale(on_any_scale)
    rated = np.flatnonzero(np.isfinite(scores))
    tested = rated[np.isfinite(cases[rated])]
    arms = _count_arms(table, tested)
    off_scale = int(np.isfinite(on_any_scale).sum()) - len(rated)
    details: dict[str, Scalar] = {
        "labelled_share": len(rated) / max(1, len(table)),
        "scored_traces": len(rated),
        "tested_share": len(tested) / max(1, len(rated)),
        "off_scale": off_scale,
        "arms": arms,
    }
    if len(rated):
        details["mean_score"] = float(scores[rated].mean())
    estimate = None
    if arms > 1:
        ask = _ONE_ARM
    else:
        ask = _ON_SCALE if off_scale else _ADD_SCORE
        estimate = _share_of_conversations(table, right(scores), rated)
    return Measure(
        "success_share", "share of conversations", "success_with_prompts"
    ).make_evidence(
        table,
        estimate,
        ask,
        method="a score from 0.5 on; a conversation counts once, "
        "clustered by test case where there is one; Wilson",
        details=details,
    )


def _count_arms(table: TraceTable, rows: Ints) -> int:
    """The number of different prompts with models that answered some traces."""
    # A pair as one number; each is -1 for none, so 1 is added.
    models = len(table.models) + 1
    pairs = (table.prompt[rows] + 1) * models + table.model[rows] + 1
    return len(np.unique(pairs))


def _share_of_conversations(
    table: TraceTable, good: Floats, rated: Ints
) -> Estimate | None:
    """The share of right answers, averaged by conversation first; None without a rated trace."""
    if not len(rated):
        return None
    _, first, place = np.unique(
        table.conversation[rated], return_index=True, return_inverse=True
    )
    means = np.bincount(place, weights=good[rated]) / np.bincount(place)
    groups = clusters(table, table.numbers["success_case"])
    return share(means, groups[rated[first]])


# Answers that decline: no fault of format, and no sign of a voice.

_CANNOT = r"(?:can(?:no|['’])t|cannot|(?:am |['’]m )?(?:unable|not able) to|won['’]t|will not)"
_SORRY = (
    r"(?:(?:i['’]m|i am) (?:very |so |truly )?sorry|sorry|unfortunately|i apologi[sz]e)"
)
_DO = r"(?:help|assist|comply|provide|answer|fulfil|discuss|share|create|generate|write|do that)"
_REFUSAL = re.compile(
    rf"\W*+(?:{_SORRY}[^.!?\n]{{0,60}}\b{_CANNOT}\b"
    rf"|i(?: |['’]m ){_CANNOT} (?:\w+ )?{_DO}\b|as an ai\b[^.!?\n]{{0,60}}\b{_CANNOT}\b)",
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Whether a text opens with a refusal in English.

    It checks only the opening, by a closed list of wordings. It misses a refusal in other words, in
    the middle of a text, or in another language.
    """
    return _REFUSAL.match(text, 0, 240) is not None


@remembered(1)
def refused(texts: Sequence[str | None]) -> Flags:
    """Which texts open with a refusal; None doesn't."""
    declines = (text is not None and refuses(text) for text in texts)
    return np.fromiter(declines, dtype=bool, count=len(texts))
