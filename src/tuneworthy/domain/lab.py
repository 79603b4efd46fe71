"""A lab: the arms that are compared, what each scored, and what may be said of them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from tuneworthy.domain.calls import Quote, Spend
from tuneworthy.domain.judging import JudgeOf, JudgePlan
from tuneworthy.domain.proposing import Gain, Proposing
from tuneworthy.domain.published import PublishedFigure
from tuneworthy.domain.record import Name, Natural, NonNegative, Record, Share, Unknown

ArmKind = Literal["prompt", "baseline", "tuned"]


class Arm(Record):
    """One way to answer every case."""

    id: Name
    """Unique: prompt, model and what is added, as ``v3 · gpt-4o · nearest 8``."""
    kind: ArmKind
    prompt: str = ""
    """Name of the prompt variant; empty for a baseline."""
    model: str = ""
    """Model id of the case; empty for a baseline."""
    few_shot: Natural = 0
    """Examples in the prompt."""
    few_shot_from: Literal["none", "fixed", "nearest"] = "none"
    retrieval: bool = False
    """Whether the case's contexts are given."""
    constrained: Literal["none", "schema", "grammar"] = "none"
    of: str = ""
    """For a baseline: ``majority`` or ``nearest_neighbour``."""


class ShareOf(Record):
    """A share with its 95% interval."""

    value: Share
    low: Share
    high: Share
    n: Natural
    """Cases; repeats of one are one."""
    clusters: Natural
    """Conversations those come from."""


class Placed(Record):
    """An arm in the race."""

    arm: str
    quality: ShareOf | Unknown
    """On the cases it was run on so far."""
    running: bool
    """False for one that was left behind."""


class Stand(Record):
    """How a lab stands while it runs."""

    arm: str
    """The leader; empty before the first round."""
    quality: ShareOf | Unknown
    """Of the leader, on the cases so far."""
    done: Natural
    """Calls that are answered."""
    of: Natural
    """Calls there may be in all, when no more arms are dropped; 0 while prompts are proposed."""
    running: Natural
    """Arms still in the race."""
    spend: Spend
    board: tuple[Placed, ...] = ()
    """Every arm as of the last round, the best first; () before the first round."""


class ArmResult(Record):
    """An arm with what it scored."""

    arm: Arm
    quality: ShareOf | Unknown
    """On the cases it was run on for selecting: never the number to report of the winner."""
    usd_per_case: NonNegative | Unknown
    latency_p95_s: NonNegative | Unknown
    dropped_after: Natural | None = None
    """Cases after which the race left it behind; None for one that stayed."""
    failed: Natural = 0
    """Cases without an answer; they count as wrong."""
    in_doubt: Natural = 0
    """Cases of which nobody knows; they are left out, and counted."""
    unjudged: Natural = 0
    """Cases whose answer no scorer can judge; they are left out, and counted."""


class Contrast(Record):
    """Two arms on the same untouched cases; written down before these were looked at."""

    first: str
    second: str
    difference: float | Unknown
    """First less second, in share of cases; unknown where a judge's word lacks people's labels."""
    low: float
    high: float
    n: Natural
    clusters: Natural = 0
    """Conversations those come from."""
    told_apart: Literal["yes", "no"]
    cases_needed: Natural | Unknown
    """To tell them apart at the observed difference, with 80% power."""


class Failures(Record):
    """Wrong answers of one kind."""

    signal: str
    """What they are a sign of: a signal of the framework, ``wrong_answer`` or ``no_answer``."""
    n: Natural
    """Cases."""
    of: Natural
    """Cases that were scored."""
    mends: Literal["yes", "no", "unknown"]
    """Whether tuning changes this kind of failure."""
    examples: tuple[str, ...] = ()
    """A few of them, masked: what was asked → what came."""


class CurvePoint(Record):
    """How good the best was after so many arms."""

    arms: Natural
    best: Share


class CeilingResult(Record):
    """What a ceiling lab found."""

    arms: tuple[ArmResult, ...]
    """The best first, by the selection split."""
    best: str
    """Id of the arm that was chosen there."""
    reported: ShareOf | Unknown
    """The chosen arm on cases that chose nothing."""
    contrasts: tuple[Contrast, ...]
    target: Share | Unknown
    reached: Literal["yes", "no", "too_few_cases", "unknown"]
    """Yes: the simultaneous upper bound of every tried arm lies below the target. No: an arm meets
    it. ``too_few_cases``: neither, and more cases would tell."""
    upper: Share | Unknown
    """The simultaneous 95% upper bound of the best that was tried."""
    effort: Natural
    """Pairs of a model and a prompt variant that really differs: how far was searched."""
    prompts: Natural = 0
    """Prompt variants; near copies count once."""
    models: Natural = 0
    """Models that are prompted."""
    select: Natural = 0
    """Cases for selecting."""
    report: Natural = 0
    """Cases that chose nothing."""
    seed: Natural = 0
    """Of the split."""
    plateau: Gain | Unknown
    """Expected gain of one more draw of one generator; unknown for hand-written prompts."""
    proposing: Proposing | Unknown = Unknown(ask="let a generator propose prompts: --propose 5")
    """What a generator was asked for, and what came."""
    cases_needed: Natural | Unknown
    """For ``too_few_cases``: how many in all, both parts together."""
    checks: dict[str, Literal["yes", "no", "unknown"]]
    """Which of the five checks this run has answered, and how."""
    failures: tuple[Failures, ...] = ()
    """Of the chosen arm, the commonest first."""
    published: tuple[PublishedFigure, ...] = ()
    """Figures of tuned models on other cases, the highest first. They are no arms: they didn't
    race, are in no contrast, and count neither as tried nor for the ceiling."""
    curve: tuple[CurvePoint, ...] = ()
    """The best so far, arm by arm in the order they were planned, on the selection split."""
    scorer: str = ""
    """What scored the answers."""
    judge: JudgeOf | None = None
    """The model that judged, held against people; None where rules scored. With one, ``quality`` of
    the arms and ``curve`` are its word alone; ``reported``, ``contrasts`` and ``upper`` rest on
    people's labels."""
    calls_saved: Natural = 0
    """Calls the race didn't have to make."""
    stopped: str = ""
    """Why it ended early; empty where it didn't."""
    quote: Quote
    spend: Spend


class CeilingPlan(Record):
    """What is written down before the chosen arms meet the cases that chose nothing."""

    chosen: tuple[str, ...]
    """Ids of the chosen arm, then of each it is held against."""
    select: Natural
    """Cases that chose."""
    report: Natural
    """Cases that will report; all of them are run, there is no other stop."""
    inputs: str
    """SHA-256 of those cases and of the arms."""
    judge: JudgePlan | None = None
    """Who judges, and how many labels count; None where rules score."""
    written_on: date


class VerifyPlan(Record):
    """What was written down before the untouched cases were looked at."""

    tuned: str
    """Id of the tuned arm."""
    untuned: str
    """Id of the best untuned arm, by the cases for selecting."""
    margin: Share
    """Share of cases it has to be better by."""
    general_margin: Share
    """Share of general tasks it may be worse by."""
    cases: Natural
    """Untouched cases; all of them are run, there is no other stop."""
    general: Natural
    """General tasks."""
    inputs: str
    """SHA-256 of cases, prompts and both models."""
    judge: JudgePlan | None = None
    """Who judges, and how many labels count; None where rules score."""
    written_on: date


class VerifyResult(Record):
    """Whether tuning did what it was for."""

    plan: VerifyPlan
    contrast: Contrast
    """Tuned less best untuned, on untouched cases."""
    general: Contrast
    """The same on general tasks."""
    tuned: ShareOf | Unknown
    untuned: ShareOf | Unknown
    outcome: Literal["improved", "regressed", "no_gain", "too_few_cases", "unknown"]
    """Improved: the whole interval lies above the margin, and general skills held. Regressed: it
    lies below zero, or general skills fell by more than their margin. No gain: it lies below the
    margin. Unknown: a judge's word lacks people's labels. Else there are too few cases."""
    why: str = ""
    """Id of what decided: ``task``, ``general``, ``interval``; under a judge ``labels`` that lack,
    or the ``choice`` of the untuned arm by the judge's word alone; or, cut short, ``stopped``."""
    judge: JudgeOf | None = None
    """The model that judged, held against people; None where rules scored."""
    spend: Spend
    stopped: str = ""
