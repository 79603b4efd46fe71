"""Which prompt and model did best on the cases of a test, and is that more than luck?"""

from __future__ import annotations

from collections.abc import Sequence
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
    TraceTable,
    as_numbers,
    case_numbers,
    scores_of,
    shown,
    there,
)
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import ArmsResult, Batch, Evidence, Lead, PromptArm, Scalar, Series
from tuneworthy.stats.clustered import Estimate, mean
from tuneworthy.stats.compare import Quantiles, arm_estimate, paired, quantiles

MOST_ARMS = 50  #: Arms that are compared; of more, those with the most cases.

MOST_TESTS = 10  #: Tests that are compared; of more, those with the most cases.

_NUMBERS = ("arms_case", "arms_score", "arms_usd", "arms_latency_s", "arms_error")
_ALWAYS = (
    *("prompt", "model", "value", "low", "high", "low_of_all", "high_of_all"),
    *("cases", "runs", "errors"),
)
_OPTIONAL = ("usd_per_run", "usd_per_run_low", "usd_per_run_high", "latency_p50_s")
_BEST = Measure("best_arm_share", "mean score over cases", "success_with_prompts")
_LEAD = Measure("best_arm_lead", "difference of mean scores", "success_with_prompts")
_ADD_CASE = "measure results of a test: the same cases (`case`) through each prompt and model"
_ADD_SCORE = "add `score` to the results: 1 right, 0 wrong"
_ADD_USD = "log `usd`, what the call cost"
_ONE_CASE = "log `usd` for more cases: one alone shows no spread"
_ADD_LATENCY = "log `latency_s`, the time until the answer was whole"
_ONE_ARM = "run the same cases through another prompt or model"
_ONE_TEST = "measure each test by itself: these results are of {} tests, which share no case"
_ON_SCALE = "give scores between 0 and 1: these are on another scale"
_NEVER = "the two score alike: no number of cases would distinguish them"
_PICKED = (
    "; picked on the same cases, so the interval is the one that holds for all arms at once (max-T)"
)


class ArmsSignal:
    """Prompts and models side by side on the cases of a test.

    An arm is a prompt with a model. ``best_arm_share`` is the best arm's mean score over cases
    (repeats of a case averaged first), with the interval that holds for all arms at once, because
    the best was picked on the cases it is reported on; ``best_arm_lead`` its paired difference to
    the next, with an upper end that holds for all pairs at once. Where the results are of several
    tests, which share no case, both are unknown: the best of an easy test is no better than the
    best of a hard one.

    It can't see how the best arm does on other cases than these, cases that were chosen because
    an arm failed on them, or an arm that was dropped before the file was written.
    """

    id = "arms"

    def rows(self, batch: Batch) -> Numbers:
        if not batch.case:  # no test: nothing of this will be read
            return dict.fromkeys(_NUMBERS, np.full(len(batch), np.nan))
        values = (
            case_numbers(batch),
            scores_of(batch),
            as_numbers(batch.column("usd")),
            as_numbers(batch.column("latency_s")),
            there(batch.column("error")).astype(np.float64),
        )
        return dict(zip(_NUMBERS, values, strict=True))

    def finish(self, table: TraceTable) -> Findings:
        results = self.results(table)
        if len(results) > 1:
            ask = _ONE_TEST.format(len(results))
            arms = sum(len(one.arms) for one in results)
            details: dict[str, Scalar] = {"arms": arms, "tests": len(results)}
            unknown = (each.of(table, None, ask, details=details) for each in (_BEST, _LEAD))
            return Findings(tuple(unknown), (_series(results),))
        (result,) = results
        ask = _ADD_SCORE if "case" in table.present else _ADD_CASE
        evidence = (_best(table, result, ask), _lead_of(table, result, ask))
        return Findings(evidence, (_series(results),) if result.arms else ())

    def results(self, table: TraceTable) -> tuple[ArmsResult, ...]:
        """The comparison itself as a record, one for each test."""
        rows = np.flatnonzero(np.isfinite(table.numbers["arms_case"]))
        prompts, models = (*table.prompts, ""), (*table.models, "")
        code = (table.prompt[rows] + 1) * len(models) + table.model[rows] + 1
        codes, place = np.unique(code, return_inverse=True)
        pairs = (divmod(each, len(models)) for each in codes.tolist())
        names = [(shown(prompts[prompt - 1]), shown(models[model - 1])) for prompt, model in pairs]
        case, score, usd, latency_s, error = (table.numbers[name][rows] for name in _NUMBERS)
        runs = ArmRuns(place, case, table.conversation[rows], score, usd, latency_s, error > 0)
        return compare_tests(names, runs, rng=np.random.default_rng(0))


def _best(table: TraceTable, result: ArmsResult, ask: str) -> Evidence:
    estimate = None
    if result.arms and result.scale == "share":
        best = result.arms[0]
        estimate = Estimate(best.value, best.low_of_all, best.high_of_all, best.cases, best.cases)
    return _BEST.of(
        table,
        estimate,
        _ON_SCALE if result.arms else ask,
        method="repeats averaged, Wilson over cases" + (_PICKED if len(result.arms) > 1 else ""),
        details=_details(result),
    )


def _lead_of(table: TraceTable, result: ArmsResult, ask: str) -> Evidence:
    lead, estimate = result.lead, None
    if isinstance(lead, Lead):
        estimate = Estimate(lead.value, lead.low, lead.high, lead.cases, lead.cases)
    elif result.arms:
        ask = lead.ask
    return _LEAD.of(
        table,
        estimate,
        ask,
        method="paired over the cases both have; Student's lower end, which picking the two makes "
        "safe, and an upper end that holds for all pairs of arms at once",
        details=_details(result),
    )


def _details(result: ArmsResult) -> dict[str, Scalar]:
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
    """Every arm as a row; costs and times only where all arms have one.

    Of several tests each row has the number of its test, from 1.
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
    """Traces of a test, one value a trace; all arrays are equally long."""

    arm: Ints  #: Place of prompt and model in the names; -1 for none.
    case: Floats  #: A number for each case; NaN for a trace of none.
    run: Ints  #: A number for each run; a run may take several traces.
    score: Floats  #: NaN where there is none.
    usd: Floats
    latency_s: Floats
    error: Flags

    @property
    def compared(self) -> Flags:
        """Which have an arm, a case and a score, and no error."""
        return (self.arm >= 0) & np.isfinite(self.case) & np.isfinite(self.score) & ~self.error


def compare_tests(
    names: Sequence[tuple[str, str]], runs: ArmRuns, *, rng: np.random.Generator
) -> tuple[ArmsResult, ...]:
    """The tests that the runs belong to, each compared by itself, the one with most cases first.

    Arms are of one test when a case leads from one to the other: what shares no case is no match. A
    test of under 20 cases is left out where another has as many; where none has, one of under half
    of the largest's. Of more than ``MOST_TESTS`` the largest are kept. ``names`` are prompt and
    model of each arm.
    """
    rows = runs.compared
    if not rows.any():
        return (compare_arms(names, runs, rng=rng),)
    case, arm = np.unique(runs.case[rows], return_inverse=True)[1], runs.arm[rows]
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
        results.append(compare_arms(names, ArmRuns(*(each[own] for each in runs)), rng=rng))
    left_out = int((~np.isin(of_arm[np.unique(arm)], tests)).sum())
    first = results[0].model_copy(update={"left_out": results[0].left_out + left_out})
    return first, *results[1:]


def compare_arms(
    names: Sequence[tuple[str, str]], runs: ArmRuns, *, rng: np.random.Generator
) -> ArmsResult:
    """Each arm's score with its intervals, the best first, and the best against the next.

    Repeats of a case are averaged first, so a case counts once; where every case was repeated as
    often, the interval takes the repeats one by one, with cases as clusters. Where at least 20
    cases have a score from every arm, only these are compared; else every arm is judged on its own
    cases and ``same_cases`` is false. Runs that ended in an error are left out of the score and
    counted.
    """
    rows = np.flatnonzero(runs.compared)
    if not len(rows):
        lead = Unknown(ask=_ONE_ARM)
        return ArmsResult(arms=(), lead=lead, cases=0, same_cases=True, scale="share")
    case = np.unique(runs.case[rows], return_inverse=True)[1]
    arms = int(runs.arm.max()) + 1
    had = np.bincount(np.unique(case * arms + runs.arm[rows]) % arms, minlength=arms)
    most = np.argsort(-had, kind="stable")[:MOST_ARMS]
    kept = np.sort(most[had[most] > 0])
    rows = rows[np.isin(runs.arm[rows], kept)]
    score, place, scores = _by_run(runs, rows, kept)
    shared: Flags = np.asarray(~np.isnan(scores).any(axis=1))
    together = bool(shared.sum() >= ENOUGH_CONVERSATIONS or shared.all())
    if together:
        among = shared[place // len(kept)]
        score, place, scores = score[among], place[among], scores[shared]
    known = scores[~np.isnan(scores)]
    as_share = bool(((known >= 0) & (known <= 1)).all())
    reach = quantiles(scores, rng)
    means = np.nanmean(scores, axis=0).tolist()
    order = sorted(range(len(kept)), key=lambda each: (-means[each], each))
    compared = []
    for column in order:
        own, arm = place % len(kept) == column, int(kept[column])
        each, cases = _even(score[own], place[own] // len(kept))
        estimate = arm_estimate(each, cases, reach.arms, as_share=as_share)
        compared.append(_arm(names[arm], runs, runs.arm == arm, *estimate))
    return ArmsResult(
        arms=tuple(compared),
        lead=_lead(scores[:, order], reach),
        cases=len(scores),
        same_cases=together,
        scale="share" if as_share else "score",
        left_out=int((had > 0).sum()) - len(kept),
    )


def _by_run(runs: ArmRuns, rows: Ints, kept: Ints) -> tuple[Floats, Ints, Floats]:
    """The score of each run on a case, its cell, and the mean of each cell.

    Cells are a matrix with a row a case and a column an arm that is kept; NaN is an empty one.
    """
    case = np.unique(runs.case[rows], return_inverse=True)[1]
    cell = case * len(kept) + np.searchsorted(kept, runs.arm[rows])
    run = np.unique(runs.run[rows], return_inverse=True)[1]
    span = int(run.max()) + 1
    once, place = np.unique(cell * span + run, return_inverse=True)
    score = np.bincount(place, weights=runs.score[rows]) / np.bincount(place)
    cells, size = once // span, (int(case.max()) + 1) * len(kept)
    sums = np.bincount(cells, weights=score, minlength=size)
    with np.errstate(invalid="ignore"):
        means = sums / np.bincount(cells, minlength=size)
    return score, cells, means.reshape(-1, len(kept))


def _even(scores: Floats, cases: Ints) -> tuple[Floats, Ints]:
    """As they are where each case has as many; else the mean of each case, once."""
    each, place, many = np.unique(cases, return_inverse=True, return_counts=True)
    if len(set(many.tolist())) == 1:
        return scores, cases
    return np.bincount(place, weights=scores) / many, each


def _arm(
    name: tuple[str, str], runs: ArmRuns, own: Flags, one: Estimate, low: float, high: float
) -> PromptArm:
    rows = own & np.isfinite(runs.case)
    times = runs.latency_s[rows & np.isfinite(runs.latency_s)]
    usd = _usd_per_run(runs, rows)
    ends = [end if np.isfinite(end) else one.value for end in (one.low, one.high, low, high)]
    return PromptArm(
        prompt=name[0],
        model=name[1],
        value=one.value,
        low=ends[0],
        high=ends[1],
        low_of_all=ends[2],
        high_of_all=ends[3],
        cases=one.clusters,
        runs=len(np.unique(runs.run[rows])),
        errors=len(np.unique(runs.run[rows & runs.error])),
        usd_per_run=usd[0],
        usd_per_run_low=usd[1],
        usd_per_run_high=usd[2],
        latency_p50_s=float(np.median(times)) if len(times) else Unknown(ask=_ADD_LATENCY),
    )


def _usd_per_run(runs: ArmRuns, rows: Flags) -> tuple[float | Unknown, ...]:
    """Mean cost of the runs all of whose traces have a cost, and its ends; cases are clusters."""
    _, first, place = np.unique(runs.run[rows], return_index=True, return_inverse=True)
    cost = mean(np.bincount(place, weights=runs.usd[rows]), runs.case[rows][first])
    if cost is None:
        return (Unknown(ask=_ADD_USD),) * 3
    if not np.isfinite(cost.high):
        return cost.value, Unknown(ask=_ONE_CASE), Unknown(ask=_ONE_CASE)
    return cost.value, max(0.0, cost.low), cost.high


def _lead(scores: Floats, reach: Quantiles) -> Lead | Unknown:
    if scores.shape[1] < 2:
        return Unknown(ask=_ONE_ARM)
    pair = paired(scores[:, 0], scores[:, 1], reach.pairs)
    if pair is None:
        return Unknown(ask="run both on the same cases: they share fewer than two")
    estimate, needed = pair
    enough = estimate.n >= ENOUGH_CONVERSATIONS
    return Lead(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        cases=estimate.n,
        told_apart=("yes" if estimate.low > 0 else "no") if enough else "unknown",
        cases_needed=Unknown(ask=_NEVER) if needed is None else needed,
    )
