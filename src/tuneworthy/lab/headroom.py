"""Estimate of what a search for prompts may gain, from 20 to 40 calls before it.

docs/evidence/accuracy.md shows how well it predicted the gain of searches.
"""

from __future__ import annotations

import math

from tuneworthy.lab.plan import Cases
from tuneworthy.lab.propose import (
    SHOWN,
    CandidateEvaluator,
    CutShortError,
    PromptCandidate,
    written_from,
)
from tuneworthy.lab.search import moves_from
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Headroom
from tuneworthy.stats.intervals import wilson

TWO_CASES = 12  #: Cases, where two prompts are compared.
ONE_CASES = 16  #: Cases, where there is one.
MOST_CALLS = 40
GAINED = 0.8
"""The share that a search gains, of the cases that another way of asking gets right (roughly)."""
#: Share of cases: where less is foretold, a search is not worth its price.
WORTH = 0.02
_FEWEST = 8  # cases, under which nothing is said


def foretell(evaluator: CandidateEvaluator) -> Headroom | Unknown:
    """Estimate what a search may gain; unknown where its calls weren't made. It blocks.

    Raises CutShortError if the user stopped it.
    """
    try:
        return _foretell(evaluator)
    except CutShortError as cut:
        stop = cut.args[0]
        if stop.by in ("user", "fault"):
            raise
        return Unknown(ask=stop.why)


def _foretell(evaluator: CandidateEvaluator) -> Headroom | Unknown:
    """Ask a few cases of the search as written, and ask the wrong ones in other ways.

    Other ways are the other prompt, the right answer in another form, other settings, and a text
    that is written from some of the wrong cases and tried on the others.
    """
    written = evaluator.written()
    # the newest prompt and the oldest
    pair = written if len(written) == 1 else [written[-1], written[0]]
    cases = evaluator.request.taught[: ONE_CASES if len(pair) == 1 else TWO_CASES]
    if len(cases) < _FEWEST:
        return Unknown(
            ask=f"make the evaluation set larger: {_FEWEST} cases are the fewest"
        )
    calls = len(cases) * len(pair)
    # the newest one where both are equal
    best = max(pair, key=lambda candidate: evaluator.score(candidate, cases))
    right = _right_by(evaluator, best, cases)
    wrong = [case for case in cases if case.id not in right]
    form = _in_another_form(evaluator, best, wrong)
    rescued = set(form)
    for candidate in pair:
        rescued |= _right_by(evaluator, candidate, wrong)
    for other in _other_settings(evaluator, best):
        left = [case for case in wrong if case.id not in rescued][
            : MOST_CALLS - calls - 1
        ]
        calls += len(left)
        rescued |= _right_by(evaluator, other, left)
    left = [case for case in wrong if case.id not in rescued]
    if left and evaluator.request.writes and calls < MOST_CALLS:
        taught, asked = _by_a_written_text(evaluator, best, left, MOST_CALLS - calls)
        rescued |= taught
        calls += asked
    n = len(cases)
    low, high = wilson(len(rescued), n)
    value = GAINED * len(rescued) / n
    return Headroom(
        value=value,
        low=GAINED * low if rescued else 0.0,
        high=max(value, high),
        n=n,
        calls=calls,
        best=len(right) / n,
        rescued=len(rescued),
        form=len(form),
        advice="search" if value >= WORTH else "unclear",
    )


def _right_by(
    evaluator: CandidateEvaluator, candidate: PromptCandidate, cases: Cases
) -> set[str]:
    """Ids of the cases that a candidate gets right."""
    if not cases:
        return set()
    tried = evaluator.try_on(candidate, cases)
    return {
        case.id for case, (score, *_) in zip(cases, tried, strict=True) if score >= 1
    }


def _in_another_form(
    evaluator: CandidateEvaluator, candidate: PromptCandidate, cases: Cases
) -> set[str]:
    """Ids of the cases whose right answer is in the output, with more text around it."""
    if not cases:
        return set()
    inside = set()
    for case, (_, answer, _) in zip(
        cases, evaluator.try_on(candidate, cases), strict=True
    ):
        texts = [
            text for text in case.accepted if isinstance(text, str) and text.strip()
        ]
        if any(text.strip().casefold() in answer.casefold() for text in texts):
            inside.add(case.id)
    return inside


def _other_settings(
    evaluator: CandidateEvaluator, best: PromptCandidate
) -> list[PromptCandidate]:
    """The same candidate with examples, and with the highest effort that its model lists."""
    arms = evaluator.plan.arms
    efforts = list(
        dict.fromkeys(arm.effort for arm in arms if arm.model == best.arm.model)
    )
    moves = moves_from(best, evaluator.plan)[:1]
    if efforts[-1] != best.arm.effort:
        moves.append({"effort": efforts[-1]})
    return [
        PromptCandidate(best.arm.model_copy(update=move), best.prompt) for move in moves
    ]


def _by_a_written_text(
    evaluator: CandidateEvaluator, best: PromptCandidate, left: Cases, most: int
) -> tuple[set[str], int]:
    """Ids of wrong cases that a text written from some of them gets right, and the number of calls.

    The text is tried on other wrong cases than those it was written from, if there are any, and the
    result is scaled up to all of them.
    """
    prompt = written_from(evaluator, best, left[:SHOWN])
    tried = (left[SHOWN:] or left)[: most - 1]
    if prompt is None or not tried:
        return set(), 1
    right = _right_by(evaluator, PromptCandidate(best.arm, prompt), tried)
    share = len(right) / len(tried)
    # only their number is used, so any of the wrong cases stand for those it would get right
    return {case.id for case in left[: math.ceil(share * len(left))]}, 1 + len(tried)
