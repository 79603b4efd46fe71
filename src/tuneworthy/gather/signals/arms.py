"""Which prompt and model did best on the cases of a test, and is that more than luck?"""

from __future__ import annotations

import numpy as np

from tuneworthy.domain.arms import ArmsResult, Lead
from tuneworthy.domain.evidence import Evidence, Scalar, Series
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals import outcomes
from tuneworthy.gather.signals.base import Found, Numbers, Table, as_numbers
from tuneworthy.gather.signals.compare import Runs, compare_tests
from tuneworthy.gather.signals.telling import told
from tuneworthy.stats.clustered import Estimate

_NUMBERS = ("arms_case", "arms_score", "arms_usd", "arms_latency_s", "arms_error")
_ADD_CASE = "measure results of a test: the same cases (`case`) through each prompt and model"
_ADD_SCORE = "add `score` to the results: 1 right, 0 wrong"
_PICKED = (
    "; picked on the same cases, so the interval is the one that holds for all arms at once (max-T)"
)
_ONE_TEST = "measure each test by itself: these results are of {} tests, which share no case"
_SHARE, _DIFFERENCE = "mean score over cases", "difference of mean scores"
_ON_SCALE = "give scores between 0 and 1: these are on another scale"


class Arms:
    """Prompts and models side by side on the cases of a test.

    An arm is a prompt with a model. ``best_arm_share`` is the best arm's mean score over cases
    (repeats of a case averaged first), with the interval that holds for all arms at once, because
    the best was picked on the cases it is reported on; ``best_arm_lead`` its paired difference to
    the next, with an upper end that holds for all pairs at once. Where the results are of several
    tests, which share no case, both are unknown: the best of an easy test is no better than the
    best of a hard one.

    It can't see how the best arm does on other cases than these, cases that were chosen because
    an arm failed on them, or an arm that was dropped before the file was written.

    Args:
        seed: Of the draws behind the intervals.
    """

    id = "arms"
    needs = ("case", "conversation", "model", "prompt", "system", "score", "label", "usd",
             "latency_s", "error")  # fmt: skip

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def rows(self, batch: Batch) -> Numbers:
        """Case, score, cost, time and error as numbers."""
        size = len(batch)
        if not batch.case:  # no test: nothing of this will be read
            return dict.fromkeys(_NUMBERS, np.full(size, np.nan))
        empty: list[float | None] = [None] * size
        error = batch.error or [None] * size
        values = (
            outcomes.case_numbers(batch),
            outcomes.scores_of(batch),
            as_numbers(batch.usd or empty),
            as_numbers(batch.latency_s or empty),
            as_numbers(each is not None for each in error),
        )
        return dict(zip(_NUMBERS, values, strict=True))

    def finish(self, table: Table) -> Found:
        """The best arm and its lead."""
        results = self.results(table)
        if len(results) > 1:
            return Found(_of_several(table, results), (_series(results),))
        (result,) = results
        lacking = _ADD_CASE if "case" not in table.present else _ADD_SCORE
        evidence = (_best(table, result, lacking), _lead(table, result, lacking))
        return Found(evidence, (_series(results),) if result.arms else ())

    def results(self, table: Table) -> tuple[ArmsResult, ...]:
        """The comparison itself as a record, one for each test."""
        rows = np.flatnonzero(np.isfinite(table.numbers["arms_case"]))
        models = len(table.models) + 1
        code = (table.prompt[rows] + 1) * models + table.model[rows] + 1
        codes, place = np.unique(code, return_inverse=True)
        names = [
            (_named(table.prompts, each // models - 1), _named(table.models, each % models - 1))
            for each in codes.tolist()
        ]
        case, score, usd, latency_s, error = (table.numbers[name][rows] for name in _NUMBERS)
        runs = Runs(
            arm=place.astype(np.int64),
            case=case,
            run=table.conversation[rows],
            score=score,
            usd=usd,
            latency_s=latency_s,
            error=error > 0,
        )
        return compare_tests(names, runs, rng=np.random.default_rng(self._seed))


def _named(names: tuple[str, ...], place: int) -> str:
    return outcomes.shown(names[place]) if place >= 0 else ""


def _of_several(table: Table, results: tuple[ArmsResult, ...]) -> tuple[Evidence, ...]:
    """Evidence that there is no best of all, and no lead."""
    ask = _ONE_TEST.format(len(results))
    details = {"arms": sum(len(one.arms) for one in results), "tests": len(results)}
    units = {"best_arm_share": _SHARE, "best_arm_lead": _DIFFERENCE}
    return tuple(
        told(table, name, None, factor="success_with_prompts", unit=unit, method="", lacking=ask,
             details=details)
        for name, unit in units.items()
    )  # fmt: skip


def _best(table: Table, result: ArmsResult, lacking: str) -> Evidence:
    estimate = None
    if result.arms and result.scale == "share":
        best = result.arms[0]
        estimate = Estimate(best.value, best.low_of_all, best.high_of_all, best.cases, best.cases)
    elif result.arms:
        lacking = _ON_SCALE
    return told(
        table,
        "best_arm_share",
        estimate,
        factor="success_with_prompts",
        unit=_SHARE,
        method="repeats averaged, Wilson over cases" + (_PICKED if len(result.arms) > 1 else ""),
        lacking=lacking,
        details=_details(result),
    )


def _lead(table: Table, result: ArmsResult, lacking: str) -> Evidence:
    lead = result.lead
    estimate = None
    if isinstance(lead, Lead):
        estimate = Estimate(lead.value, lead.low, lead.high, lead.cases, lead.cases)
    elif result.arms:
        lacking = lead.ask
    return told(
        table,
        "best_arm_lead",
        estimate,
        factor="success_with_prompts",
        unit=_DIFFERENCE,
        method="paired over the cases both have; Student's lower end, which picking the two makes "
        "safe, and an upper end that holds for all pairs of arms at once",
        lacking=lacking,
        details=_details(result),
    )


def _details(result: ArmsResult) -> dict[str, Scalar]:
    """What the report says of the two best arms."""
    found: dict[str, Scalar] = {"arms": len(result.arms) + result.left_out}
    for name, arm in zip(("best", "next"), result.arms, strict=False):
        found |= {f"{name}_prompt": arm.prompt, f"{name}_model": arm.model}
        found |= {f"{name}_errors": arm.errors, f"{name}_runs": arm.runs}
        for field in ("usd_per_run", "usd_per_run_low", "usd_per_run_high", "latency_p50_s"):
            value = getattr(arm, field)
            if not isinstance(value, Unknown):
                found[f"{name}_{field}"] = value
    if isinstance(result.lead, Lead):
        found |= {"told_apart": result.lead.told_apart, "power": result.lead.power}
        found["same_cases"] = result.same_cases
        if not isinstance(result.lead.cases_needed, Unknown):
            found["cases_needed"] = result.lead.cases_needed
    return found


def _series(results: tuple[ArmsResult, ...]) -> Series:
    """Every arm as a row; costs and times only where all arms have one.

    Of several tests each row has the number of its test, from 1.
    """
    arms = [arm for result in results for arm in result.arms]
    columns: dict[str, tuple[Scalar, ...]] = {
        name: tuple(getattr(arm, name) for arm in arms)
        for name in ("prompt", "model", "value", "low", "high", "low_of_all", "high_of_all",
                     "cases", "runs", "errors")
    }  # fmt: skip
    for name in ("usd_per_run", "usd_per_run_low", "usd_per_run_high", "latency_p50_s"):
        values = [getattr(arm, name) for arm in arms]
        if not any(isinstance(value, Unknown) for value in values):
            columns[name] = tuple(values)
    if len(results) > 1:
        columns["test"] = tuple(
            place for place, result in enumerate(results, start=1) for _ in result.arms
        )
    return Series(id="arms", columns=columns)
