"""Estimate of what a search for prompts may gain, from 20 to 40 calls before it.

docs/evidence/accuracy.md shows how well it predicted the gain of searches.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from tuneworthy.lab.pool import Cases
from tuneworthy.lab.propose import (
    SHOWN,
    CandidateEvaluator,
    CutShortError,
    PromptCandidate,
    written_from,
)
from tuneworthy.lab.search import efforts_of, moves_from
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Headroom
from tuneworthy.stats.intervals import wilson

TWO_CASES = 12  #: Cases, where two prompts are compared.
ONE_CASES = 16  #: Cases, where there is one.
MOST_CALLS = 40  #: Calls of an estimate, at most.

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
        if cut.stop.by in ("user", "fault"):
            raise
        return Unknown(ask=cut.stop.why)


def _foretell(evaluator: CandidateEvaluator) -> Headroom | Unknown:
    """Ask a few cases of the search as written, and ask the wrong ones in other ways.

    Other ways are the other prompt, the right answer in another form, other settings, and a text
    that is written from some of the wrong cases and tried on the others.
    """
    candidates = _newest_and_oldest(evaluator)
    most_cases = ONE_CASES if len(candidates) == 1 else TWO_CASES
    cases = evaluator.request.taught[:most_cases]
    if len(cases) < _FEWEST:
        return Unknown(
            ask=f"make the evaluation set larger: {_FEWEST} cases are the fewest"
        )
    calls = len(cases) * len(candidates)
    # the newest one where both are equal
    best = max(candidates, key=lambda candidate: evaluator.score(candidate, cases))
    right = _right_by(evaluator, best, cases)
    wrong = _without(cases, right)
    form = _in_another_form(evaluator, best, wrong)
    rescued = set(form)
    for candidate in candidates:
        rescued |= _right_by(evaluator, candidate, wrong)
    for other in _other_settings(evaluator, best):
        room = MOST_CALLS - calls - 1  # one call is left for a written text
        asked = _without(wrong, rescued)[:room]
        calls += len(asked)
        rescued |= _right_by(evaluator, other, asked)
    n_rescued = len(rescued)
    left = _without(wrong, rescued)
    if left and evaluator.request.writes and calls < MOST_CALLS:
        trial = _try_written_text(evaluator, best, left, MOST_CALLS - calls)
        n_rescued += trial.rescued
        calls += trial.calls
    return _headroom(
        n=len(cases), calls=calls, right=len(right), rescued=n_rescued, form=len(form)
    )


def _headroom(*, n: int, calls: int, right: int, rescued: int, form: int) -> Headroom:
    """Return the estimate of ``n`` cases, of which other ways of asking get ``rescued`` right."""
    low, high = wilson(rescued, n)
    value = GAINED * rescued / n
    return Headroom(
        value=value,
        low=GAINED * low if rescued else 0.0,
        high=max(value, high),  # a search may gain all that is rescued, and more
        n=n,
        calls=calls,
        best=right / n,
        rescued=rescued,
        form=form,
        advice="search" if value >= WORTH else "unclear",
    )


def _newest_and_oldest(evaluator: CandidateEvaluator) -> list[PromptCandidate]:
    """Return the newest written prompt and the oldest, which differ the most; one if there is one."""
    written = evaluator.written()
    if len(written) == 1:
        return written
    return [written[-1], written[0]]


def _without(cases: Cases, ids: Collection[str]) -> list[EvalCase]:
    """Return the cases whose id isn't among some."""
    return [case for case in cases if case.id not in ids]


def _right_by(
    evaluator: CandidateEvaluator, candidate: PromptCandidate, cases: Cases
) -> set[str]:
    """Return the ids of the cases that a candidate gets right."""
    if not cases:
        return set()
    right = set[str]()
    for case, tried in zip(cases, evaluator.try_on(candidate, cases), strict=True):
        if tried.score >= 1:
            right.add(case.id)
    return right


def _in_another_form(
    evaluator: CandidateEvaluator, candidate: PromptCandidate, cases: Cases
) -> set[str]:
    """Return the ids of the cases whose right answer is in the output, with more text around it."""
    if not cases:
        return set()
    inside = set[str]()
    for case, tried in zip(cases, evaluator.try_on(candidate, cases), strict=True):
        output = tried.answer.casefold()
        texts = [text.strip() for text in case.accepted if isinstance(text, str)]
        if any(text and text.casefold() in output for text in texts):
            inside.add(case.id)
    return inside


def _other_settings(
    evaluator: CandidateEvaluator, best: PromptCandidate
) -> list[PromptCandidate]:
    """Return a candidate with examples, and with the highest effort that its model lists."""
    plan = evaluator.plan
    moves = moves_from(best, plan)[:1]  # examples come first
    highest_effort = efforts_of(plan, best.arm.model)[-1]
    if highest_effort != best.arm.effort:
        moves.append({"effort": highest_effort})
    return [
        PromptCandidate(best.arm.model_copy(update=move), best.prompt) for move in moves
    ]


class _WrittenTrial(NamedTuple):
    """A trial of a text that a model wrote."""

    rescued: int  #: Wrong cases that it would get right, of all that are left.
    calls: int  #: The one that wrote it, and those that tried it.


def _try_written_text(
    evaluator: CandidateEvaluator, best: PromptCandidate, left: Cases, most: int
) -> _WrittenTrial:
    """Have a text written from some of the wrong cases, and try it on others.

    ``left`` are the wrong cases, and ``most`` is the number of calls left. The text is tried on the
    cases it was written from only if there are no others. The result is scaled up to all of them.
    """
    prompt = written_from(evaluator, best, left[:SHOWN])
    others = left[SHOWN:] or left
    tried = others[: most - 1]
    if prompt is None or not tried:
        return _WrittenTrial(rescued=0, calls=1)
    right = _right_by(evaluator, PromptCandidate(best.arm, prompt), tried)
    share = len(right) / len(tried)
    return _WrittenTrial(math.ceil(share * len(left)), 1 + len(tried))
