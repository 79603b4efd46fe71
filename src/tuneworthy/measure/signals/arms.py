"""The best prompt and model on the cases of a test, and whether it leads beyond chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tuneworthy.measure.sample import joined_groups
from tuneworthy.measure.signals.base import (
    ENOUGH_CONVERSATIONS,
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    as_numbers,
    case_numbers,
    safe_excerpt,
    scores_of,
    text_number,
    there,
)
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.evidence import (
    ArmsResult,
    Batch,
    Evidence,
    Lead,
    PromptArm,
    Scalar,
    Series,
)
from tuneworthy.model.lab import Contrast
from tuneworthy.stats.clustered import Estimate, mean
from tuneworthy.stats.compare import (
    ArmBounds,
    Quantiles,
    arm_estimate,
    cases_needed,
    paired,
    paired_difference,
    quantiles,
)
from tuneworthy.stats.intervals import BY_MARGIN

MOST_ARMS = 50  #: Arms that are compared; of more, those with the most cases.

MOST_TESTS = 10  #: Tests that are compared; of more, those with the most cases.

_NUMBERS = (
    "arms_case",
    "arms_score",
    "arms_usd",
    "arms_latency_s",
    "arms_error",
    "arms_group",
)
_ALWAYS = (
    *("prompt", "model", "value", "low", "high", "low_of_all", "high_of_all"),
    *("cases", "runs", "errors"),
)
_OPTIONAL = (
    "usd_per_run",
    "usd_per_run_low",
    "usd_per_run_high",
    "latency_p50_s",
    "latency_p95_s",
)
_BEST = Measure("best_arm_share", "mean score over cases", "success_with_prompts")
_LEAD = Measure("best_arm_lead", "difference of mean scores", "success_with_prompts")
_ADD_CASE = (
    "measure results of a test: the same cases (`case`) through each prompt and model"
)
_ADD_SCORE = "add `score` to the results: 1 right, 0 wrong"
_ADD_USD = "log `usd`, what the call cost"
_ONE_CASE = "log `usd` for more cases: one alone shows no spread"
_ADD_LATENCY = "log `latency_s`, the time until the answer was whole"
_ONE_ARM = "run the same cases through another prompt or model"
_ONE_TEST = (
    "measure each test by itself: these results are of {} tests, which share no case"
)
_ON_SCALE = "give scores between 0 and 1: these are on another scale"
_NEVER = "the two score alike: no number of cases would distinguish them"
_PICKED = "; picked on the same cases, so the interval is the one that holds for all arms at once (max-T)"


class ArmsSignal(TraceSignal):
    """Prompts and models side by side on the cases of a test.

    An arm is a prompt with a model. ``best_arm_share`` is the best arm's mean score over cases
    (repeats of a case averaged first), with the interval that holds for all arms at once, because
    the best was picked on the cases it is reported on; ``best_arm_lead`` its paired difference to
    the next, with an upper end that holds for all pairs at once. Runs that failed stretch both:
    their lower end counts them as wrong, their upper end as right. Cases of one conversation or
    document (``group``) are no independent cases. Where the results are of several tests, which
    share no case, both are unknown: the best of an easy test is no better than the best of a hard
    one.

    It can't see how the best arm does on other cases than these, cases that were chosen because
    an arm failed on them, or an arm that was dropped before the file was written.
    """

    id = "arms"

    def rows(self, batch: Batch) -> Numbers:
        if not batch.case:  # no test: nothing of this will be read
            return dict.fromkeys(_NUMBERS, np.full(len(batch), np.nan))
        return self._columns(batch)

    def _columns(self, batch: Batch) -> Numbers:
        """The numbers of each run: case, score, price, latency, error and group of cases."""
        values = (
            case_numbers(batch),
            scores_of(batch),
            as_numbers(batch.column("usd")),
            as_numbers(batch.column("latency_s")),
            there(batch.column("error")).astype(np.float64),
            case_numbers(batch, "group"),
        )
        return dict(zip(_NUMBERS, values, strict=True))

    def finish(self, table: TraceTable) -> Findings:
        """The best arm and its lead; unknown where the log has several tests that share no case."""
        results = self.results(table)
        if len(results) > 1:
            ask = _ONE_TEST.format(len(results))
            arms = sum(len(r.arms) for r in results)
            details: dict[str, Scalar] = {"arms": arms, "tests": len(results)}
            unknown = (
                each.make_evidence(table, None, ask, details=details)
                for each in (_BEST, _LEAD)
            )
            return Findings(tuple(unknown), (_series(results),))
        (result,) = results
        ask = _ADD_SCORE if "case" in table.present else _ADD_CASE
        evidence = (_best(table, result, ask), _lead_of(table, result, ask))
        return Findings(evidence, (_series(results),) if result.arms else ())

    def results(self, table: TraceTable) -> tuple[ArmsResult, ...]:
        """The comparison as records, one for each test."""
        return compare_tests(*runs_of(table), rng=np.random.default_rng(0))


class PairSignal(ArmsSignal):
    """Collects the runs themselves for ``compare_two``; it has no evidence.

    Where no record of any file names its case, equal questions are the same case. ``piece`` gives
    the number of a batch's file. Arms with the same name in two ``files`` are distinguished by
    file, if the names of both are given.
    """

    id = "pair"

    def __init__(self, piece: Callable[[], int], files: Mapping[int, str]) -> None:
        self._piece = piece
        self._files = files
        self.names: list[tuple[str, str]] = []  #: Of arms, in the order of the files.
        self.runs: ArmRuns | None = None
        self.by_text = False  #: Whether cases are matched by what was asked.

    def rows(self, batch: Batch) -> Numbers:
        """The numbers of each run, and the file that it is in."""
        texts = batch.column("input")
        asked = as_numbers(
            None if each is None else text_number(each) for each in texts
        )
        file = np.full(len(batch), float(self._piece()))
        return {**self._columns(batch), "asked": asked, "file": file}

    def finish(self, table: TraceTable) -> Findings:
        """Keep the names and runs of two arms; equal names of two files stay apart."""
        self.by_text = "case" not in table.present
        if self.by_text:
            table = replace(
                table, numbers={**table.numbers, "arms_case": table.numbers["asked"]}
            )
        names, runs = runs_of(table)
        file = table.numbers["file"][np.isfinite(table.numbers["arms_case"])]
        code = runs.arm
        held = [set(code[file == each].tolist()) for each in self._files]
        if len(held) == 2 and held[0] & held[1]:
            code = code * 2 + (file == max(self._files))
            labelled = (
                (file, *name) for name in names for file in self._files.values()
            )
            names = [
                (" · ".join(filter(None, first)), model) for *first, model in labelled
            ]
        codes, at, place = np.unique(code, return_index=True, return_inverse=True)
        order = np.argsort(at)
        self.names = [names[each] for each in codes[order].tolist()]
        self.runs = runs._replace(arm=np.argsort(order)[place])
        return Findings()


def runs_of(table: TraceTable) -> tuple[list[tuple[str, str]], ArmRuns]:
    """Prompt and model of each arm, and the values of the traces with a case."""
    rows = np.flatnonzero(np.isfinite(table.numbers["arms_case"]))
    prompts = (*table.prompts, "")
    models = (*table.models, "")
    code = (table.prompt[rows] + 1) * len(models) + table.model[rows] + 1
    codes, place = np.unique(code, return_inverse=True)
    pairs = (divmod(each, len(models)) for each in codes.tolist())
    names = [
        (safe_excerpt(prompts[prompt - 1]), safe_excerpt(models[model - 1]))
        for prompt, model in pairs
    ]
    case, score, usd, latency_s, error, group = (
        table.numbers[name][rows] for name in _NUMBERS
    )
    talk = table.conversation[rows]
    return names, ArmRuns(place, case, talk, score, usd, latency_s, error > 0, group)


def _best(table: TraceTable, result: ArmsResult, ask: str) -> Evidence:
    """The measurement of the best arm."""
    estimate = None
    if result.arms and result.scale == "share":
        best = result.arms[0]
        estimate = Estimate(
            best.value, best.low_of_all, best.high_of_all, best.cases, best.clusters
        )
    return _BEST.make_evidence(
        table,
        estimate,
        _ON_SCALE if result.arms else ask,
        method="repeats averaged, Wilson over cases"
        + (_PICKED if len(result.arms) > 1 else ""),
        details=_details(result),
    )


def _lead_of(table: TraceTable, result: ArmsResult, ask: str) -> Evidence:
    """The measurement of how far the best arm is ahead of the next."""
    lead = result.lead
    estimate = None
    if isinstance(lead, Lead):
        estimate = Estimate(lead.value, lead.low, lead.high, lead.cases, lead.clusters)
    elif result.arms:
        ask = lead.ask
    return _LEAD.make_evidence(
        table,
        estimate,
        ask,
        method="paired over the cases both have; Student's lower end, which picking the two makes "
        "safe, and an upper end that holds for all pairs of arms at once",
        details=_details(result),
    )


def _details(result: ArmsResult) -> dict[str, Scalar]:
    """Details of the best two arms and of the lead."""
    details: dict[str, Scalar] = {"arms": len(result.arms) + result.left_out}
    for name, arm in zip(("best", "next"), result.arms, strict=False):
        for field in ("prompt", "model", "errors", "runs", *_OPTIONAL):
            value = getattr(arm, field)
            if not isinstance(value, Unknown):
                details[f"{name}_{field}"] = value
    if isinstance(result.lead, Lead):
        details |= {"told_apart": result.lead.told_apart, "power": result.lead.power}
        details["same_cases"] = result.same_cases
        if not isinstance(result.lead.cases_needed, Unknown):
            details["cases_needed"] = result.lead.cases_needed
    return details


def _series(results: tuple[ArmsResult, ...]) -> Series:
    """Every arm as a row; costs and times only where all arms have them.

    With several tests, each row has the number of its test, from 1.
    """
    arms = [arm for result in results for arm in result.arms]
    columns: dict[str, tuple[Scalar, ...]] = {}
    for name in (*_ALWAYS, *_OPTIONAL):
        values = tuple(getattr(arm, name) for arm in arms)
        if not any(isinstance(value, Unknown) for value in values):
            columns[name] = values
    if len(results) > 1:
        tests = enumerate(results, start=1)
        columns["test"] = tuple(place for place, result in tests for _ in result.arms)
    return Series(id="arms", columns=columns)


# Prompts and models compared on the same test cases: numbers in, a record out.


class ArmRuns(NamedTuple):
    """Traces of a test, as arrays of equal length with a value for each trace."""

    arm: Ints  #: Place of prompt and model in the names; -1 for none.
    case: Floats  #: A number for each case; NaN for a trace of none.
    run: Ints  #: A number for each run; a run may take several traces.
    score: Floats  #: NaN where there is none.
    usd: Floats
    latency_s: Floats
    error: Flags
    #: A number for what the case is from, as a document; NaN for nothing.
    group: Floats

    @property
    def compared(self) -> Flags:
        """Traces with an arm, a case and a score, and without an error."""
        return (
            (self.arm >= 0)
            & np.isfinite(self.case)
            & np.isfinite(self.score)
            & ~self.error
        )

    def choose_rows(self, rows: Flags) -> ArmRuns:
        """Some of the traces, in their order."""
        return ArmRuns._make(column[rows] for column in self)

    def choose_arms(self, arms: Sequence[int]) -> ArmRuns:
        """The traces of some arms, which get their places in ``arms`` as new numbers."""
        runs = self.choose_rows(np.isin(self.arm, arms))
        return runs._replace(
            arm=np.argsort(arms)[np.searchsorted(np.sort(arms), runs.arm)]
        )

    def add_failed_runs(self, arm: Ints, case: Floats) -> ArmRuns:
        """Append a failed run for each of these pairs of an arm and a case."""
        nothing = np.full(len(case), np.nan)
        failed = ArmRuns(
            arm=arm,
            case=case,
            run=int(self.run.max()) + 1 + np.arange(len(case)),
            score=nothing,
            usd=nothing,
            latency_s=nothing,
            error=np.ones(len(case), dtype=bool),
            group=nothing,
        )
        pairs = zip(self, failed, strict=True)
        return ArmRuns._make(np.concatenate(columns) for columns in pairs)

    def misfit(self, margin: float) -> str:
        """Why these arms can't be compared by a margin; empty where they can."""
        arm = self.arm[self.compared]
        score = self.score[self.compared]
        share = (score >= 0) & (score <= 1)
        scales = {bool(share[arm == each].all()) for each in np.unique(arm).tolist()}
        if len(scales) > 1:
            return "one is scored from 0 to 1, the other beyond"
        beyond = margin and False in scales
        return (
            "a margin is a share of cases, and these scores go beyond 0 and 1"
            if beyond
            else ""
        )

    def failed(self, arms: Ints) -> Ints:
        """Rows of some arms' runs that ended in an error, without a score."""
        place = np.unique(self.case, return_inverse=True)[1]
        key = (place * (int(self.arm.max()) + 2) + self.arm) * (
            int(self.run.max()) + 1
        ) + self.run
        lost = self.error & np.isfinite(self.case) & ~np.isin(key, key[self.compared])
        return np.flatnonzero(lost & np.isin(self.arm, arms))


def compare_tests(
    names: Sequence[tuple[str, str]], runs: ArmRuns, *, rng: np.random.Generator
) -> tuple[ArmsResult, ...]:
    """Compare each test by itself, the one with the most cases first.

    Two arms are in one test if cases connect them: arms without a common case can't be compared. A
    test of under 20 cases is left out where another has as many; where none has, a test of under
    half of the largest's cases is. Only the ``MOST_TESTS`` largest ones are kept. ``names`` are
    prompt and model of each arm.
    """
    rows = runs.compared
    if not rows.any():
        return (compare_arms(names, runs, rng=rng),)
    case = np.unique(runs.case[rows], return_inverse=True)[1]
    arm = runs.arm[rows]
    order = np.argsort(case, kind="stable")
    same = case[order][1:] == case[order][:-1]
    arms = np.arange(int(runs.arm.max()) + 1)
    of_arm = joined_groups(arms, arm[order][:-1][same], arm[order][1:][same])
    of_case = np.zeros(int(case.max()) + 1, dtype=np.int64)
    of_case[case] = of_arm[arm]
    each, first_case, sizes = np.unique(of_case, return_index=True, return_counts=True)
    largest = np.lexsort((first_case, -sizes))[:MOST_TESTS]
    enough = sizes[largest] >= min(ENOUGH_CONVERSATIONS, max(2, sizes[largest[0]] / 2))
    tests = each[largest[enough | (largest == largest[0])]]
    results = []
    for test in tests.tolist():
        own = (runs.arm >= 0) & (of_arm[np.maximum(runs.arm, 0)] == test)
        results.append(
            compare_arms(names, ArmRuns(*(each[own] for each in runs)), rng=rng)
        )
    left_out = int((~np.isin(of_arm[np.unique(arm)], tests)).sum())
    first = results[0].model_copy(update={"left_out": results[0].left_out + left_out})
    return first, *results[1:]


def compare_arms(
    names: Sequence[tuple[str, str]], runs: ArmRuns, *, rng: np.random.Generator
) -> ArmsResult:
    """Each arm's score with its intervals, the best first, and the lead of the best.

    Repeats of a case are averaged first, so a case counts once. Where every case was repeated as
    often, the interval uses each repeat, with cases as clusters. Where at least 20 cases were run
    through every arm, only these are compared. Otherwise every arm is judged on its own cases, and
    ``same_cases`` is false. Failed runs are counted and left out of the score. They count as wrong
    for the order and the lower ends, and as right for the upper ends.
    """
    rows = np.flatnonzero(runs.compared)
    if not len(rows):
        lead = Unknown(ask=_ONE_ARM)
        return ArmsResult(arms=(), lead=lead, cases=0, same_cases=True, scale="share")
    case = np.unique(runs.case[rows], return_inverse=True)[1]
    arms = int(runs.arm.max()) + 1
    had = np.bincount(np.unique(case * arms + runs.arm[rows]) % arms, minlength=arms)
    often = np.argsort(-had, kind="stable")[:MOST_ARMS]
    kept = np.sort(often[had[often] > 0])
    rows = rows[np.isin(runs.arm[rows], kept)]
    score = runs.score[rows]
    failed = runs.failed(kept)
    as_share = bool(((score >= 0) & (score <= 1)).all())
    ends = (0.0, 1.0) if as_share else (float(score.min()), float(score.max()))
    rows = np.concatenate([rows, failed])
    scores = [np.append(score, np.full(len(failed), end)) for end in (np.nan, *ends)]
    case = np.unique(runs.case[rows], return_inverse=True)[1]
    shared: Flags = np.bincount(np.unique(case * arms + runs.arm[rows]) // arms) == len(
        kept
    )
    together = bool(shared.sum() >= ENOUGH_CONVERSATIONS or shared.all())
    among = shared[case] | (not together)
    answered, least, most = [
        _by_run(runs, rows[among], each[among], kept) for each in scores
    ]
    reach = quantiles(least.means, rng)
    means = np.nanmean(least.means, axis=0).tolist()
    order = sorted(range(len(kept)), key=lambda each: (-means[each], each))
    compared = []
    for column in order:
        arm = int(kept[column])
        bounds = [
            each.estimate(column, reach.arms, as_share=as_share)
            for each in (least, most)
        ]
        compared.append(
            _arm(names[arm], runs, runs.arm == arm, answered.means[:, column], bounds)
        )
    return ArmsResult(
        arms=tuple(compared),
        lead=_lead((answered, least, most), order, reach),
        cases=len(least.means),
        same_cases=together,
        scale="share" if as_share else "score",
        left_out=int((had > 0).sum()) - len(kept),
    )


class RunScores(NamedTuple):
    """Runs of a test by case and arm, with a value for failed ones."""

    score: Floats  #: Of each run on a case.
    cell: Ints  #: Its place in ``means``, counted row by row.
    means: Floats  #: A row a case and a column an arm; NaN where it wasn't run.
    clusters: Ints  #: Of each case.

    def estimate(self, arm: int, reach: float, *, as_share: bool) -> ArmBounds:
        own = self.cell % self.means.shape[1] == arm
        each, cases = _even(self.score[own], self.cell[own] // self.means.shape[1])
        return arm_estimate(each, self.clusters[cases], reach, as_share=as_share)


def _by_run(runs: ArmRuns, rows: Ints, scores: Floats, kept: Ints) -> RunScores:
    """Some rows with their scores, the traces of one run joined.

    A cell is a case with an arm. Its number is the case's number times the number of arms, plus the
    place of the arm in ``kept``.
    """
    names, case = np.unique(runs.case[rows], return_inverse=True)
    cell = case * len(kept) + np.searchsorted(kept, runs.arm[rows])
    _, run = np.unique(runs.run[rows], return_inverse=True)
    most_runs = int(run.max()) + 1
    once, place = np.unique(cell * most_runs + run, return_inverse=True)
    score = np.bincount(place, weights=scores) / np.bincount(place)
    cells = once // most_runs
    size = len(names) * len(kept)
    known = np.isfinite(score)
    sums = np.bincount(cells[known], weights=score[known], minlength=size)
    with np.errstate(invalid="ignore"):
        means = sums / np.bincount(cells[known], minlength=size)
    # Cases that share a run or a document stand or fall together.
    clusters = np.arange(len(names))
    for link in (runs.run[rows].astype(np.float64), runs.group[rows]):
        order = np.argsort(link, kind="stable")
        same = link[order][1:] == link[order][:-1]  # NaN is like no other
        clusters = joined_groups(
            clusters, case[order][:-1][same], case[order][1:][same]
        )
    return RunScores(score, cells, means.reshape(-1, len(kept)), clusters)


def _even(scores: Floats, cases: Ints) -> tuple[Floats, Ints]:
    """The scores unchanged if every case has as many; else the mean of each case."""
    each, place, many = np.unique(cases, return_inverse=True, return_counts=True)
    if len(set(many.tolist())) == 1:
        return scores, cases
    return np.bincount(place, weights=scores) / many, each


def _arm(
    name: tuple[str, str],
    runs: ArmRuns,
    own: Flags,
    means: Floats,
    bounds: Sequence[tuple[Estimate, float, float]],
) -> PromptArm:
    """The result of an arm. ``bounds`` count failed runs as wrong, and as right.

    ``own`` are its traces, ``means`` its mean score by case.
    """
    (least, low_of_all, _), (most, _, high_of_all) = bounds
    answered = means[np.isfinite(means)]
    lost = least.value != most.value
    value = float(answered.mean()) if lost and len(answered) else least.value
    rows = own & np.isfinite(runs.case)
    times = runs.latency_s[rows & np.isfinite(runs.latency_s)]
    middle: float | Unknown = Unknown(ask=_ADD_LATENCY)
    slow: float | Unknown = Unknown(ask=_ADD_LATENCY)
    if len(times):
        middle = float(np.median(times))
        slow = float(np.quantile(times, 0.95))
    usd, usd_low, usd_high = _usd_per_run(runs, rows)
    prompt, model = name
    return PromptArm(
        prompt=prompt,
        model=model,
        value=value,
        low=_finite_or(least.low, value),
        high=_finite_or(most.high, value),
        low_of_all=_finite_or(low_of_all, value),
        high_of_all=_finite_or(high_of_all, value),
        cases=len(answered),
        clusters=least.clusters,
        runs=len(np.unique(runs.run[rows])),
        errors=len(np.unique(runs.run[rows & runs.error])),
        usd_per_run=usd,
        usd_per_run_low=usd_low,
        usd_per_run_high=usd_high,
        latency_p50_s=middle,
        latency_p95_s=slow,
    )


def _finite_or(end: float, value: float) -> float:
    return end if np.isfinite(end) else value


def _usd_per_run(
    runs: ArmRuns, rows: Flags
) -> tuple[float | Unknown, float | Unknown, float | Unknown]:
    """The mean cost of runs with a cost for all their traces, and its ends; cases are clusters."""
    _, first, place = np.unique(runs.run[rows], return_index=True, return_inverse=True)
    cost = mean(np.bincount(place, weights=runs.usd[rows]), runs.case[rows][first])
    if cost is None:
        unknown = Unknown(ask=_ADD_USD)
        return unknown, unknown, unknown
    if not np.isfinite(cost.high):
        return cost.value, Unknown(ask=_ONE_CASE), Unknown(ask=_ONE_CASE)
    return cost.value, max(0.0, cost.low), cost.high


def _lead(
    runs: Sequence[RunScores], order: Sequence[int], reach: Quantiles
) -> Lead | Unknown:
    """The lead of the first arm over the second, with failed runs against it, and for it."""
    answered, least, most = (each.means[:, order] for each in runs)
    clusters = runs[0].clusters
    if len(order) < 2:
        return Unknown(ask=_ONE_ARM)
    pair = paired(least[:, 0], most[:, 1], reach.pairs, clusters)
    most_of_all = paired(most[:, 0], least[:, 1], reach.pairs, clusters)
    if pair is None or most_of_all is None:
        return Unknown(
            ask="run both on the same cases: they share fewer than two, or come from one"
        )
    estimate = pair.difference
    other = most_of_all.difference
    needed = pair.cases_needed
    apart = answered[:, 0] - answered[:, 1]
    lost = estimate.value != other.value and np.isfinite(apart).any()
    value = float(np.nanmean(apart)) if lost else estimate.value
    told_apart: State = "unknown"
    if estimate.clusters >= ENOUGH_CONVERSATIONS:
        told_apart = "yes" if estimate.low > 0 else "no"
    return Lead(
        value=value,
        low=min(estimate.low, value),
        high=max(other.high, value),
        cases=estimate.n,
        clusters=estimate.clusters,
        told_apart=told_apart,
        cases_needed=Unknown(ask=_NEVER) if needed is None else needed,
    )


class ComparedArms(NamedTuple):
    """An arm compared with its baseline."""

    arm: PromptArm  #: The arm; its missing cases count among its runs and errors.
    baseline: PromptArm
    contrast: Contrast
    lacking: tuple[int, int]  #: Cases of the other that each lacks.


def compare_two(
    names: Sequence[tuple[str, str]], runs: ArmRuns, *, shared: bool = False
) -> ComparedArms | None:
    """Compare two arms case by case, the first less the second; None where one has no score.

    A failed or unscored run counts as wrong for one end and as right for the other. So does a case
    that one arm lacks, unless only ``shared`` cases are compared. A case without a score in either
    was never judged, and is left out. The interval is that of two paired shares (Bonett and Price),
    with conversations and documents as clusters. With under 20 of them, the difference is unknown.
    """
    lost = runs.error | ~np.isfinite(runs.score)
    runs = runs._replace(error=lost, score=np.where(lost, np.nan, runs.score))
    cases, place = np.unique(runs.case, return_inverse=True)
    # By case and arm: whether the arm ran on the case, and whether it has a score for it.
    ran = np.zeros((len(cases), 2), dtype=bool)
    ran[place, runs.arm] = True
    scored = np.zeros((len(cases), 2), dtype=bool)
    scored[place[~lost], runs.arm[~lost]] = True
    judged: Flags = np.logical_or(scored[:, 0], scored[:, 1])
    if shared:
        judged &= ran.all(axis=1)
    if not scored[judged].any(axis=0).all():
        return None
    # A case that one arm lacks is a run of it that failed.
    lacked_case, lacking_arm = np.nonzero(~ran & judged[:, None])
    runs = runs.choose_rows(judged[place])
    runs = runs.add_failed_runs(lacking_arm, cases[lacked_case])
    result = compare_arms(names, runs, rng=np.random.default_rng(0))
    arms = {(each.prompt, each.model): each for each in result.arms}
    first, second = names
    first_lacks, second_lacks = np.bincount(lacking_arm, minlength=2).tolist()
    return ComparedArms(
        arm=arms[first],
        baseline=arms[second],
        contrast=_contrast(names, runs),
        lacking=(first_lacks, second_lacks),
    )


def _contrast(names: Sequence[tuple[str, str]], runs: ArmRuns) -> Contrast:
    """Compare two arms; a failed call counts as wrong at one end and as right at the other."""
    scored = np.flatnonzero(runs.compared)
    failed = runs.failed(np.arange(2))
    rows = np.concatenate([scored, failed])
    score = runs.score[scored]
    as_share = bool(((score >= 0) & (score <= 1)).all())
    least, most = (0.0, 1.0) if as_share else (float(score.min()), float(score.max()))
    span = (most - least) or 1.0
    scaled = (score - least) / span
    arms = np.arange(2)
    # What failed has no score, is wrong, and is right.
    unscored = np.append(scaled, np.full(len(failed), np.nan))
    wrong = np.append(scaled, np.zeros(len(failed)))
    right = np.append(scaled, np.ones(len(failed)))
    answered = _by_run(runs, rows, unscored, arms)
    low = _by_run(runs, rows, wrong, arms)
    high = _by_run(runs, rows, right, arms)
    first, second = answered.means.T
    clusters = answered.clusters
    worst = paired_difference(low.means[:, 0], high.means[:, 1], clusters)
    best = paired_difference(high.means[:, 0], low.means[:, 1], clusters)
    assert worst is not None  # every case has both
    assert best is not None
    both = first - second
    value = float(np.nanmean(both)) if np.isfinite(both).any() else worst.value
    enough = worst.clusters >= ENOUGH_CONVERSATIONS
    ask = (
        f"run both on {ENOUGH_CONVERSATIONS} cases or more; they have {worst.clusters}"
    )
    needed = cases_needed(first, second, clusters)
    low_end = span * min(worst.low, value)
    high_end = span * max(best.high, value)
    return Contrast(
        first=arm_name(names[0]),
        second=arm_name(names[1]),
        difference=span * value if enough else Unknown(ask=ask),
        low=low_end,
        high=high_end,
        n=worst.n,
        clusters=worst.clusters,
        told_apart="yes" if enough and (low_end > 0 or high_end < 0) else "no",
        cases_needed=Unknown(ask=BY_MARGIN) if needed is None else needed,
    )


def arm_name(arm: tuple[str, str]) -> str:
    return " · ".join(filter(None, arm)) or "the prompt"
