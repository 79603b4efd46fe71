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
            return _of_several_tests(table, results)
        (result,) = results
        ask = _ADD_SCORE if "case" in table.present else _ADD_CASE
        evidence = (_best(table, result, ask), _lead_of(table, result, ask))
        return Findings(evidence, (_series(results),) if result.arms else ())

    def results(self, table: TraceTable) -> tuple[ArmsResult, ...]:
        """The comparison as records, one for each test."""
        tested = runs_of(table)
        return compare_tests(tested.names, tested.runs, rng=np.random.default_rng(0))


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
        self.names: list[ArmName] = []  #: Of arms, in the order of the files.
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
        """Keep the names and runs of the arms, in the order in which the files name them."""
        self.by_text = "case" not in table.present
        if self.by_text:
            asked = table.numbers["asked"]
            table = replace(table, numbers={**table.numbers, "arms_case": asked})
        tested = runs_of(table)
        names = tested.names
        arm = tested.runs.arm
        file = table.numbers["file"][np.isfinite(table.numbers["arms_case"])]
        if self._is_shared(arm, file):
            # Arm k of the first file becomes 2k, and of the second 2k + 1.
            arm = arm * 2 + (file == max(self._files))
            names = self._names_by_file(names)
        used, first_row, place = np.unique(arm, return_index=True, return_inverse=True)
        order = np.argsort(first_row)
        self.names = [names[each] for each in used[order].tolist()]
        self.runs = tested.runs._replace(arm=np.argsort(order)[place])
        return Findings()

    def _is_shared(self, arm: Ints, file: Floats) -> bool:
        """Whether two files have an arm with the same name. Both are values of each run."""
        if len(self._files) != 2:
            return False
        first, second = (set(arm[file == number].tolist()) for number in self._files)
        return not first.isdisjoint(second)

    def _names_by_file(self, names: Sequence[ArmName]) -> list[ArmName]:
        """Two names for each arm, one after the other: each file's name before the prompt's."""
        return [
            ArmName(" · ".join(filter(None, (file, name.prompt))), name.model)
            for name in names
            for file in self._files.values()
        ]


class TestedArms(NamedTuple):
    """The arms of a test, and their runs."""

    names: list[ArmName]
    runs: ArmRuns


def runs_of(table: TraceTable) -> TestedArms:
    """Prompt and model of each arm, and the values of the traces with a case."""
    rows = np.flatnonzero(np.isfinite(table.numbers["arms_case"]))
    # A pair of numbers as one; each is -1 for none, so 1 is added.
    models = len(table.models) + 1
    code = (table.prompt[rows] + 1) * models + table.model[rows] + 1
    codes, place = np.unique(code, return_inverse=True)
    names = []
    for pair in codes.tolist():
        prompt, model = divmod(pair, models)
        names.append(
            ArmName(
                prompt=safe_excerpt(table.prompts[prompt - 1]) if prompt else "",
                model=safe_excerpt(table.models[model - 1]) if model else "",
            )
        )
    numbers = {name: table.numbers[name][rows] for name in _NUMBERS}
    runs = ArmRuns(
        arm=place,
        case=numbers["arms_case"],
        run=table.conversation[rows],
        score=numbers["arms_score"],
        usd=numbers["arms_usd"],
        latency_s=numbers["arms_latency_s"],
        error=numbers["arms_error"] > 0,
        group=numbers["arms_group"],
    )
    return TestedArms(names, runs)


def _of_several_tests(table: TraceTable, results: tuple[ArmsResult, ...]) -> Findings:
    """Unknown evidence with the number of tests, and the picture of all arms."""
    ask = _ONE_TEST.format(len(results))
    arms = sum(len(result.arms) for result in results)
    details: dict[str, Scalar] = {"arms": arms, "tests": len(results)}
    best = _BEST.make_evidence(table, None, ask, details=details)
    lead = _LEAD.make_evidence(table, None, ask, details=details)
    return Findings((best, lead), (_series(results),))


def _best(table: TraceTable, result: ArmsResult, ask: str) -> Evidence:
    """The measurement of the best arm; ``ask`` says what is missing where no arm has a score."""
    estimate = None
    if result.arms:
        ask = _ON_SCALE
        if result.scale == "share":
            best = result.arms[0]
            estimate = Estimate(
                value=best.value,
                low=best.low_of_all,
                high=best.high_of_all,
                n=best.cases,
                clusters=best.clusters,
            )
    method = "repeats averaged, Wilson over cases"
    if len(result.arms) > 1:
        method += _PICKED
    return _BEST.make_evidence(
        table, estimate, ask, method=method, details=_details(result)
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
    """Details of the best two arms and of the lead; unknown ones are left out."""
    details: dict[str, Scalar] = {"arms": len(result.arms) + result.left_out}
    for name, arm in zip(("best", "next"), result.arms, strict=False):
        for field in ("prompt", "model", "errors", "runs", *_OPTIONAL):
            value = getattr(arm, field)
            if not isinstance(value, Unknown):
                details[f"{name}_{field}"] = value
    lead = result.lead
    if isinstance(lead, Lead):
        details["told_apart"] = lead.told_apart
        details["power"] = lead.power
        details["same_cases"] = result.same_cases
        if not isinstance(lead.cases_needed, Unknown):
            details["cases_needed"] = lead.cases_needed
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
        tests: list[Scalar] = []
        for number, result in enumerate(results, start=1):
            tests += [number] * len(result.arms)
        columns["test"] = tuple(tests)
    return Series(id="arms", columns=columns)


# Prompts and models compared on the same test cases: numbers in, a record out.


class ArmName(NamedTuple):
    """An arm by its prompt and its model; empty for one that the log doesn't name."""

    prompt: str
    model: str


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
        place_of = {arm: place for place, arm in enumerate(arms)}
        places = [place_of[arm] for arm in runs.arm.tolist()]
        return runs._replace(arm=np.array(places, dtype=np.int64))

    def add_failed_runs(self, arm: Ints, case: Floats) -> ArmRuns:
        """Append a failed run for each of these pairs of an arm and a case."""
        nothing = np.full(len(case), np.nan)
        failed = ArmRuns(
            arm=arm,
            case=case,
            # Numbers that no run has yet.
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
        """Why these arms can't be compared by a margin (0 for none); empty where they can."""
        arm = self.arm[self.compared]
        score = self.score[self.compared]
        is_share = (score >= 0) & (score <= 1)
        scales = {bool(is_share[arm == each].all()) for each in np.unique(arm).tolist()}
        if len(scales) > 1:
            return "one is scored from 0 to 1, the other beyond"
        if margin and False in scales:
            return "a margin is a share of cases, and these scores go beyond 0 and 1"
        return ""

    def failed(self, arms: Ints) -> Ints:
        """Rows of some arms' runs that ended in an error, without a score.

        A run may take several traces: an error in one of them is none where another has a score.
        """
        _, case = np.unique(self.case, return_inverse=True)
        arm_numbers = int(self.arm.max()) + 2  # from -1, for no arm, to the last
        run_numbers = int(self.run.max()) + 1
        # One number for each run of an arm on a case.
        run_key = (case * arm_numbers + self.arm) * run_numbers + self.run
        has_score = np.isin(run_key, run_key[self.compared])
        is_failed = self.error & np.isfinite(self.case) & ~has_score
        return np.flatnonzero(is_failed & np.isin(self.arm, arms))


def compare_tests(
    names: Sequence[ArmName], runs: ArmRuns, *, rng: np.random.Generator
) -> tuple[ArmsResult, ...]:
    """Compare each test by itself, the one with the most cases first.

    Two arms are in one test if cases connect them: arms without a common case can't be compared. A
    test of under 20 cases is left out where another has as many; where none has, a test of under
    half of the largest's cases is. Only the ``MOST_TESTS`` largest ones are kept.
    """
    rows = runs.compared
    if not rows.any():
        return (compare_arms(names, runs, rng=rng),)
    arm = runs.arm[rows]
    _, case = np.unique(runs.case[rows], return_inverse=True)
    test_of_arm = _connected_arms(arm, case, arms=int(runs.arm.max()) + 1)
    tests = _large_tests(test_of_arm[arm], case)
    results = []
    for test in tests.tolist():
        # A trace of no arm (-1) is in no test; it only mustn't index from the end.
        own = (runs.arm >= 0) & (test_of_arm[np.maximum(runs.arm, 0)] == test)
        results.append(compare_arms(names, runs.choose_rows(own), rng=rng))
    left_out = int((~np.isin(test_of_arm[np.unique(arm)], tests)).sum())
    largest, *others = results
    largest = largest.model_copy(update={"left_out": largest.left_out + left_out})
    return largest, *others


def _connected_arms(arm: Ints, case: Ints, arms: int) -> Ints:
    """The test of each of so many arms, by the number of its first arm.

    ``arm`` and ``case`` are values of each trace. Arms that share a case are in one test.
    """
    order = np.argsort(case, kind="stable")
    arm = arm[order]
    case = case[order]
    same = case[1:] == case[:-1]
    return joined_groups(np.arange(arms), arm[:-1][same], arm[1:][same])


def _large_tests(test: Ints, case: Ints) -> Ints:
    """The tests with enough cases to be compared, the largest first; of equal ones the earlier.

    ``test`` and ``case`` are values of each trace. A case is in one test only.
    """
    test_of_case = np.zeros(int(case.max()) + 1, dtype=np.int64)
    test_of_case[case] = test
    tests, first_case, cases = np.unique(
        test_of_case, return_index=True, return_counts=True
    )
    order = np.lexsort((first_case, -cases))[:MOST_TESTS]
    largest = order[0]
    # One case connects nothing, so a test has two at least.
    least = min(ENOUGH_CONVERSATIONS, max(2, cases[largest] / 2))
    kept = (cases[order] >= least) | (order == largest)
    return np.asarray(tests[order[kept]])


def compare_arms(
    names: Sequence[ArmName], runs: ArmRuns, *, rng: np.random.Generator
) -> ArmsResult:
    """Each arm's score with its intervals, the best first, and the lead of the best.

    Repeats of a case are averaged first, so a case counts once. Where every case was repeated as
    often, the interval uses each repeat, with cases as clusters. Where at least 20 cases were run
    through every arm, only these are compared. Otherwise every arm is judged on its own cases, and
    ``same_cases`` is false. Failed runs are counted and left out of the score. They count as wrong
    for the order and the lower ends, and as right for the upper ends.
    """
    if not runs.compared.any():
        lead = Unknown(ask=_ONE_ARM)
        return ArmsResult(arms=(), lead=lead, cases=0, same_cases=True, scale="share")
    cases_of_arm = _cases_of_arms(runs)
    kept = _arms_with_most_cases(cases_of_arm)
    rows = np.flatnonzero(runs.compared & np.isin(runs.arm, kept))
    score = runs.score[rows]
    as_share = _is_share(score)
    wrong = 0.0 if as_share else float(score.min())
    right = 1.0 if as_share else float(score.max())
    failed = runs.failed(kept)
    rows = np.concatenate([rows, failed])
    shared = _of_shared_cases(runs, rows, len(kept))
    # Of shared cases only, where there are enough; False where every arm keeps its own.
    same_cases = shared is not None
    among = np.ones(len(rows), dtype=bool) if shared is None else shared
    views = _Views(
        answered=_by_run(runs, rows, score, np.nan, among, kept),
        least=_by_run(runs, rows, score, wrong, among, kept),
        most=_by_run(runs, rows, score, right, among, kept),
    )
    reach = quantiles(views.least.means, rng)
    means = np.nanmean(views.least.means, axis=0).tolist()
    order = sorted(range(len(kept)), key=lambda column: (-means[column], column))
    compared = []
    for column in order:
        arm = int(kept[column])
        compared.append(
            _arm(
                names[arm],
                runs,
                runs.arm == arm,
                views.answered.means[:, column],
                least=views.least.estimate(column, reach.arms, as_share=as_share),
                most=views.most.estimate(column, reach.arms, as_share=as_share),
            )
        )
    return ArmsResult(
        arms=tuple(compared),
        lead=_lead(views, order, reach),
        cases=len(views.least.means),
        same_cases=same_cases,
        scale="share" if as_share else "score",
        left_out=int((cases_of_arm > 0).sum()) - len(kept),
    )


def _cases_of_arms(runs: ArmRuns) -> Ints:
    """The number of different cases with a score of each arm."""
    arm = runs.arm[runs.compared]
    arms = int(runs.arm.max()) + 1
    _, case = np.unique(runs.case[runs.compared], return_inverse=True)
    # A pair of case and arm as one number, once.
    pairs = np.unique(case * arms + arm)
    return np.bincount(pairs % arms, minlength=arms)


def _arms_with_most_cases(cases: Ints) -> Ints:
    """The arms to compare, in order; of more than ``MOST_ARMS``, those with the most cases."""
    most = np.argsort(-cases, kind="stable")[:MOST_ARMS]
    return np.sort(most[cases[most] > 0])


def _is_share(score: Floats) -> bool:
    """Whether all scores lie between 0 and 1, so that their mean is a share."""
    return bool(((score >= 0) & (score <= 1)).all())


def _of_shared_cases(runs: ArmRuns, rows: Ints, arms: int) -> Flags | None:
    """Which of some rows are of a case that every one of so many arms has.

    None where these cases are too few to compare the arms on them alone.
    """
    _, case = np.unique(runs.case[rows], return_inverse=True)
    arm_numbers = int(runs.arm.max()) + 1
    pairs = np.unique(case * arm_numbers + runs.arm[rows])
    is_shared: Flags = np.bincount(pairs // arm_numbers) == arms
    if is_shared.sum() >= ENOUGH_CONVERSATIONS or is_shared.all():
        return np.asarray(is_shared[case])
    return None


class RunScores(NamedTuple):
    """Runs of a test by case and arm, with a value for failed ones."""

    score: Floats  #: Of each run on a case.
    cell: Ints  #: Its place in ``means``: the case's times the number of arms, plus the arm's.
    means: Floats  #: A row a case and a column an arm; NaN where it wasn't run.
    clusters: Ints  #: Of each case.

    def estimate(self, arm: int, reach: float, *, as_share: bool) -> ArmBounds:
        """The mean score of an arm, with its own interval and one of so many standard errors."""
        cases, arms = np.divmod(self.cell, self.means.shape[1])
        own = arms == arm
        scores, case = _even(self.score[own], cases[own])
        return arm_estimate(scores, self.clusters[case], reach, as_share=as_share)


class _Views(NamedTuple):
    """The runs of a test in three views of what failed."""

    answered: RunScores  #: A failed run has no score.
    least: RunScores  #: It counts as wrong.
    most: RunScores  #: It counts as right.


def _by_run(
    runs: ArmRuns,
    rows: Ints,
    scores: Floats,
    failed_score: float,
    among: Flags,
    kept: Ints,
) -> RunScores:
    """Join the traces of one run, and average them by case and arm.

    Args:
        runs: All traces.
        rows: Those to look at: first the ones with a score, then the failed ones.
        scores: The scores of the first ones.
        failed_score: What a failed one counts as; NaN for nothing.
        among: Which of the rows count.
        kept: The arms, in order.
    """
    failed = np.full(len(rows) - len(scores), failed_score)
    scores = np.append(scores, failed)[among]
    rows = rows[among]
    names, case = np.unique(runs.case[rows], return_inverse=True)
    cell = case * len(kept) + np.searchsorted(kept, runs.arm[rows])
    _, run = np.unique(runs.run[rows], return_inverse=True)
    # A pair of cell and run as one number, once.
    run_numbers = int(run.max()) + 1
    pairs, place = np.unique(cell * run_numbers + run, return_inverse=True)
    score = np.bincount(place, weights=scores) / np.bincount(place)
    cells = pairs // run_numbers
    size = len(names) * len(kept)
    known = np.isfinite(score)
    sums = np.bincount(cells[known], weights=score[known], minlength=size)
    # No run on a case gives NaN.
    with np.errstate(invalid="ignore"):
        means = sums / np.bincount(cells[known], minlength=size)
    return RunScores(
        score=score,
        cell=cells,
        means=means.reshape(-1, len(kept)),
        clusters=_case_clusters(case, runs.run[rows], runs.group[rows]),
    )


def _case_clusters(case: Ints, run: Ints, group: Floats) -> Ints:
    """A number for each case, the same for cases that stand or fall together.

    The values are those of each trace. Cases of one run, or from one document (``group``), do.
    """
    clusters = np.arange(int(case.max()) + 1)
    for link in (run.astype(np.float64), group):
        # Sorted, traces with the same link stand side by side.
        order = np.argsort(link, kind="stable")
        links = link[order]
        cases = case[order]
        # NaN, for no document, is like no other.
        is_same = links[1:] == links[:-1]
        before = cases[:-1][is_same]
        after = cases[1:][is_same]
        clusters = joined_groups(clusters, before, after)
    return clusters


def _even(scores: Floats, cases: Ints) -> tuple[Floats, Ints]:
    """Scores with their cases, unchanged if every case has as many; else one mean for each case."""
    different, place, counts = np.unique(cases, return_inverse=True, return_counts=True)
    if len(set(counts.tolist())) == 1:
        return scores, cases
    return np.bincount(place, weights=scores) / counts, different


def _arm(
    name: ArmName,
    runs: ArmRuns,
    own: Flags,
    means: Floats,
    *,
    least: ArmBounds,
    most: ArmBounds,
) -> PromptArm:
    """The result of an arm.

    ``own`` are its traces, and ``means`` its mean score by case. Failed runs count as wrong in
    ``least``, and as right in ``most``.
    """
    answered = means[np.isfinite(means)]
    has_failed = least.estimate.value != most.estimate.value
    value = least.estimate.value
    if has_failed and len(answered):
        value = float(answered.mean())
    rows = own & np.isfinite(runs.case)
    times = runs.latency_s[rows & np.isfinite(runs.latency_s)]
    middle: float | Unknown = Unknown(ask=_ADD_LATENCY)
    slow: float | Unknown = Unknown(ask=_ADD_LATENCY)
    if len(times):
        middle = float(np.median(times))
        slow = float(np.quantile(times, 0.95))
    cost = _usd_per_run(runs, rows)
    return PromptArm(
        prompt=name.prompt,
        model=name.model,
        value=value,
        low=_finite_or(least.estimate.low, value),
        high=_finite_or(most.estimate.high, value),
        low_of_all=_finite_or(least.low, value),
        high_of_all=_finite_or(most.high, value),
        cases=len(answered),
        clusters=least.estimate.clusters,
        runs=len(np.unique(runs.run[rows])),
        errors=len(np.unique(runs.run[rows & runs.error])),
        usd_per_run=cost.value,
        usd_per_run_low=cost.low,
        usd_per_run_high=cost.high,
        latency_p50_s=middle,
        latency_p95_s=slow,
    )


def _finite_or(end: float, value: float) -> float:
    return end if np.isfinite(end) else value


class _RunCost(NamedTuple):
    """The mean cost of a run in USD, with its interval."""

    value: float | Unknown
    low: float | Unknown
    high: float | Unknown


def _usd_per_run(runs: ArmRuns, rows: Flags) -> _RunCost:
    """The mean cost of runs with a cost for all their traces, and its ends; cases are clusters."""
    _, first, place = np.unique(runs.run[rows], return_index=True, return_inverse=True)
    # A trace without a cost makes the sum of its run NaN, which is left out of the mean.
    sums = np.bincount(place, weights=runs.usd[rows])
    cost = mean(sums, runs.case[rows][first])
    if cost is None:
        unknown = Unknown(ask=_ADD_USD)
        return _RunCost(unknown, unknown, unknown)
    if not np.isfinite(cost.high):
        unknown = Unknown(ask=_ONE_CASE)
        return _RunCost(cost.value, unknown, unknown)
    # A symmetrical interval may reach below 0, and no run does.
    return _RunCost(cost.value, max(0.0, cost.low), cost.high)


def _lead(views: _Views, order: Sequence[int], reach: Quantiles) -> Lead | Unknown:
    """The lead of the first arm over the second, with failed runs against it, and for it."""
    if len(order) < 2:
        return Unknown(ask=_ONE_ARM)
    best, second, *_ = order
    least = views.least.means
    most = views.most.means
    clusters = views.answered.clusters
    against = paired(least[:, best], most[:, second], reach.pairs, clusters)
    in_favor = paired(most[:, best], least[:, second], reach.pairs, clusters)
    if against is None or in_favor is None:
        return Unknown(
            ask="run both on the same cases: they share fewer than two, or come from one"
        )
    lowest = against.difference
    highest = in_favor.difference
    difference = views.answered.means[:, best] - views.answered.means[:, second]
    has_failed = lowest.value != highest.value
    value = lowest.value
    if has_failed and np.isfinite(difference).any():
        value = float(np.nanmean(difference))
    told_apart: State = "unknown"
    if lowest.clusters >= ENOUGH_CONVERSATIONS:
        told_apart = "yes" if lowest.low > 0 else "no"
    needed = against.cases_needed
    return Lead(
        value=value,
        low=min(lowest.low, value),
        high=max(highest.high, value),
        cases=lowest.n,
        clusters=lowest.clusters,
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
    names: Sequence[ArmName], runs: ArmRuns, *, shared: bool = False
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
    arms = {ArmName(each.prompt, each.model): each for each in result.arms}
    first, second = names
    first_lacks, second_lacks = np.bincount(lacking_arm, minlength=2).tolist()
    return ComparedArms(
        arm=arms[first],
        baseline=arms[second],
        contrast=_contrast(first, second, runs),
        lacking=(first_lacks, second_lacks),
    )


def _contrast(first: ArmName, second: ArmName, runs: ArmRuns) -> Contrast:
    """Compare two arms; a failed call counts as wrong at one end and as right at the other."""
    scored = np.flatnonzero(runs.compared)
    rows = np.concatenate([scored, runs.failed(np.arange(2))])
    score = runs.score[scored]
    as_share = _is_share(score)
    lowest = 0.0 if as_share else float(score.min())
    highest = 1.0 if as_share else float(score.max())
    # Scores on another scale are compared as shares of its span; equal scores have none.
    span = (highest - lowest) or 1.0
    scaled = (score - lowest) / span
    everything = np.ones(len(rows), dtype=bool)
    arms = np.arange(2)
    answered = _by_run(runs, rows, scaled, np.nan, everything, arms)
    low = _by_run(runs, rows, scaled, 0.0, everything, arms)
    high = _by_run(runs, rows, scaled, 1.0, everything, arms)
    clusters = answered.clusters
    worst = paired_difference(low.means[:, 0], high.means[:, 1], clusters)
    best = paired_difference(high.means[:, 0], low.means[:, 1], clusters)
    assert worst is not None  # every case has both
    assert best is not None
    difference = answered.means[:, 0] - answered.means[:, 1]
    value = worst.value
    if np.isfinite(difference).any():
        value = float(np.nanmean(difference))
    is_enough = worst.clusters >= ENOUGH_CONVERSATIONS
    ask = (
        f"run both on {ENOUGH_CONVERSATIONS} cases or more; they have {worst.clusters}"
    )
    needed = cases_needed(answered.means[:, 0], answered.means[:, 1], clusters)
    low_end = span * min(worst.low, value)
    high_end = span * max(best.high, value)
    is_beyond_chance = is_enough and (low_end > 0 or high_end < 0)
    return Contrast(
        first=arm_name(first),
        second=arm_name(second),
        difference=span * value if is_enough else Unknown(ask=ask),
        low=low_end,
        high=high_end,
        n=worst.n,
        clusters=worst.clusters,
        told_apart="yes" if is_beyond_chance else "no",
        cases_needed=Unknown(ask=BY_MARGIN) if needed is None else needed,
    )


def arm_name(arm: ArmName) -> str:
    return " · ".join(filter(None, arm)) or "the prompt"
