"""Prompts and models side by side on the same test cases."""

from __future__ import annotations

from typing import Literal

from tuneworthy.domain.record import Natural, Record, State, Unknown


class Arm(Record):
    """A prompt with a model, as it did on the cases.

    ``value`` is the mean score over cases, repeats of a case averaged first.
    """

    prompt: str
    """Name and version of the prompt; empty where none is recorded."""
    model: str
    """The model; empty where none is recorded."""
    value: float
    low: float
    """Lower end of the 95% interval of this arm alone."""
    high: float
    """Upper end."""
    low_of_all: float
    """Lower end where all arms' intervals hold at once: the one to trust for the best of them."""
    high_of_all: float
    """Upper end of that."""
    cases: Natural
    """Cases it has a score for, among those compared."""
    runs: Natural
    """Times it was run, repeats and failures among them."""
    errors: Natural
    """Runs that ended in an error: left out of the score."""
    usd_per_run: float | Unknown
    """Mean cost of a run."""
    usd_per_run_low: float | Unknown
    """Lower end of its 95% interval, cases as clusters; unknown where a single case has a cost."""
    usd_per_run_high: float | Unknown
    """Upper end."""
    latency_p50_s: float | Unknown
    """Median time of a call."""


class Lead(Record):
    """How far the best arm is ahead of the next, on the cases that both have."""

    value: float
    """Mean paired difference of the scores."""
    low: float
    """Lower end of the 95% interval."""
    high: float
    """Upper end, which holds for all pairs at once, because the two were picked."""
    cases: Natural
    """Cases that both have."""
    told_apart: State
    """Yes when the interval lies above zero; unknown under 20 cases."""
    cases_needed: int | Unknown
    """Shared cases that would tell them apart with the chance ``power``, were the difference and
    its spread those seen."""
    power: float = 0.8


class ArmsResult(Record):
    """What a test of several arms shows."""

    arms: tuple[Arm, ...]
    """The best first; none where no case has a score."""
    lead: Lead | Unknown
    """Of the first over the second; unknown for a single arm."""
    cases: Natural
    """Cases compared."""
    same_cases: bool
    """Whether every arm is judged on the same cases."""
    scale: Literal["share", "score"]
    """A share where all scores lie within 0 and 1, else a score on its own scale."""
    left_out: Natural = 0
    """Arms beyond the most that are compared, those with the fewest cases; and those that share
    no case with any other, where these have too few to be a test of their own."""
