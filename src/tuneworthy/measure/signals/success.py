"""How often it works already, by labels, feedback or scores; and how often it fails or declines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.measure.signals import base as outcomes
from tuneworthy.measure.signals.base import Found, Numbers, Table, there, told
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import share
from tuneworthy.text.search import joined, remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Answers that decline: no fault of format, and no sign of a voice.

_CANNOT = r"(?:can(?:no|['’])t|cannot|(?:am |['’]m )?(?:unable|not able) to|won['’]t|will not)"
_SORRY = r"(?:(?:i['’]m|i am) (?:very |so |truly )?sorry|sorry|unfortunately|i apologi[sz]e)"
_DO = r"(?:help|assist|comply|provide|answer|fulfil|discuss|share|create|generate|write|do that)"
_BEGINS = {"I": " '’", "i": " '’", "S": "Oo", "s": "Oo", "U": "Nn", "u": "Nn", "A": "Ss", "a": "Ss"}
"""Letters a refusal begins with, and what follows them; asking that first is quick."""
_MARKS = " \n{[\"'"  # often before a first word, mostly in JSON
_REFUSAL = re.compile(
    rf"\W*+(?:{_SORRY}[^.!?\n]{{0,60}}\b{_CANNOT}\b"
    rf"|i(?: |['’]m ){_CANNOT} (?:\w+ )?{_DO}\b|as an ai\b[^.!?\n]{{0,60}}\b{_CANNOT}\b)",
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Whether a text opens with a refusal in English.

    It looks at the opening alone, by a closed list of wordings: a refusal in other words, in the
    middle of a text or in another language isn't seen.
    """
    return _may_refuse(text) and _REFUSAL.match(text, 0, 240) is not None


def _may_refuse(text: str) -> bool:
    first = text[:1]
    if first in _BEGINS:
        return text[1:2] in _BEGINS[first]
    if first.isalpha():
        return False
    begin = text[:16].lstrip(_MARKS)
    return not begin[:1].isalpha() or begin[1:2] in _BEGINS.get(begin[:1], "-")


_OPENING = 18  # bytes in which a first word begins, if a refusal may stand there at all
_ALPHABETIC = np.array([chr(byte).isalpha() and byte < 0x80 for byte in range(256)])
_IS_MARK = np.array([chr(byte) in _MARKS for byte in range(256)])
_IN_PAIR = np.zeros((256, 256), dtype=bool)
for _one, _other in ((ord(one), other.encode()) for one in _BEGINS for other in _BEGINS[one]):
    _IN_PAIR[_one, _other[0]] = True


@remembered(1)
def refused(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which texts open with a refusal; None does not."""
    found = np.zeros(len(texts), dtype=bool)
    for row in np.flatnonzero(_perhaps(texts)).tolist():
        found[row] = refuses(texts[row] or "")
    return found


def _perhaps(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Texts that begin, behind marks, as a refusal may; most that are none are left out."""
    whole = joined(texts)
    opening = whole.opening(_OPENING)
    at = np.argmin(_IS_MARK[opening], axis=1)  # 0 where there are nothing but marks
    rows = np.arange(len(whole))
    first, second = opening[rows, at], opening[rows, np.minimum(at + 1, _OPENING - 1)]
    unlike = _ALPHABETIC[first] & ~_IN_PAIR[first, second] & (at < _OPENING - 4)
    perhaps: NDArray[np.bool_] = ~unlike & (whole.lengths > 0)
    return perhaps


# How often it works already, by labels, feedback or scores; and how often it fails or declines.

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
