"""How often it works already, by labels, feedback or scores; and how often it fails or declines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.evidence import Evidence, Scalar
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals import outcomes
from tuneworthy.gather.signals.base import Found, Numbers, Table, there
from tuneworthy.gather.signals.refusals import refused
from tuneworthy.gather.signals.telling import told
from tuneworthy.stats.clustered import share
from tuneworthy.texts.joined import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ADD_SCORE = "add `score`, or feedback with a score: 1 where it went well, 0 where it didn't"
_ON_SCALE = "give scores between 0 and 1: these are on another scale"
_ADD_ERROR = "log `error`, what went wrong with a call; none is recorded"
_ADD_OUTPUT = "log `output`, what the model wrote"
_ONE_ARM = (
    "measure one prompt and one model: this is a test of several, and `best_arm_share` tells of"
    " the best"
)


class Success:
    """How often the present approach succeeds.

    ``success_share`` is the share of conversations that went well: a score from 0.5 on, or, where
    there is none, a label that says so. The scores of a conversation are averaged first, so that it
    counts once however many of its answers carry one; test cases, and conversations where there are
    none, are the clusters, so that trials of one task are no independent tasks. Wilson's interval
    at the number of independent conversations.

    ``error_share`` is the share of calls with an error, ``refusal_share`` that of outputs that
    open with a refusal in English by a closed list of wordings: at least so many.

    It can't see who gives feedback: where few are scored, and those who complain are, the share of
    all is another. A score is taken for what it says.
    """

    id = "success"
    needs = ("output", "conversation", "case", "score", "label", "error", "prompt", "model")

    def rows(self, batch: Batch) -> Numbers:
        """Scores, errors and refusals as numbers, and the test case."""
        size = len(batch)
        return {
            "success_score": outcomes.scores_of(batch),
            "success_error": there(batch.error, size).astype(np.float64),
            "success_refused": _declined(batch.output),
            "success_case": outcomes.case_numbers(batch),
        }

    def finish(self, table: Table) -> Found:
        """The three shares."""
        return Found((_success(table), _errors(table), _refusals(table)))


def _declined(texts: Sequence[str | None]) -> NDArray[np.float64]:
    """1 for a refusal, 0 for another answer, NaN for none."""
    return np.where(joined(texts).lengths > 0, refused(texts), np.nan)


def _success(table: Table) -> Evidence:
    given = table.numbers["success_score"]
    scores = outcomes.on_scale(given)
    rated = np.flatnonzero(np.isfinite(scores))
    went, members, first = _by_conversation(table, scores, rated)
    arms = _arms(table, rated)
    details: dict[str, Scalar] = {
        "labelled_share": len(rated) / max(1, len(table)),
        "scored_traces": len(rated),
        "off_scale": int(np.isfinite(given).sum()) - len(rated),
        "arms": arms,
    }
    if len(rated):
        details["mean_score"] = float(scores[rated].mean())
    return told(
        table,
        "success_share",
        None if arms > 1 else share(went, members[first]),
        factor="success_with_prompts",
        unit="share of conversations",
        method="a score from 0.5 on; a conversation counts once, "
        "clustered by test case where there is one; Wilson",
        lacking=_ONE_ARM if arms > 1 else _ON_SCALE if details["off_scale"] else _ADD_SCORE,
        details=details,
    )


def _by_conversation(
    table: Table, scores: NDArray[np.float64], rated: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """How each scored conversation went, the cluster of each trace, and a trace of each."""
    members = outcomes.clusters(table, table.numbers["success_case"])
    _, first, place = np.unique(table.conversation[rated], return_index=True, return_inverse=True)
    good = outcomes.right(scores[rated])
    went = np.bincount(place, weights=good) / np.bincount(place) if len(rated) else good
    return went, members, rated[first]


def _arms(table: Table, rated: NDArray[np.int64]) -> int:
    """Prompts with models under test among the scored traces; 0 where it is no test."""
    tested = rated[np.isfinite(table.numbers["success_case"][rated])]
    code = (table.prompt[tested] + 1) * (len(table.models) + 1) + table.model[tested]
    return len(np.unique(code))


def _errors(table: Table) -> Evidence:
    logged = "error" in table.present
    return told(
        table,
        "error_share",
        share(table.numbers["success_error"], table.conversation) if logged else None,
        factor="",
        unit="share of calls",
        method="calls with an error; conversations as clusters, Wilson",
        lacking=_ADD_ERROR,
    )


def _refusals(table: Table) -> Evidence:
    evidence = told(
        table,
        "refusal_share",
        share(table.numbers["success_refused"], table.conversation),
        factor="",
        unit="share of outputs",
        method="outputs that open with a refusal, by a closed list of English wordings: "
        "at least so many; conversations as clusters, Wilson",
        lacking=_ADD_OUTPUT,
    )
    return evidence.model_copy(update={"high": "open"}) if evidence.known else evidence
