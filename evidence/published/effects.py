"""Which part of the errors published changes took away, by what was changed and by goal.

python evidence/published/effects.py            write the file that ships, if it has changed
python evidence/published/effects.py --check    exit code 1 if it would change
python evidence/published/effects.py --list     print every comparison that is counted

Error reduction is 1 - (1 - after) / (1 - before): from 0.80 to 0.92 takes away 60%. Counted is
every comparison of ``comparisons.yaml`` and, of ``cases.yaml``, every pair of arms whose values are
shares by one metric of which 1 means "all right", or are both error rates:

* tuned against the best prompt; against the start where no prompt was measured. A tuned encoder, or
  a trained model that is no language model, is a plain classifier.
* retrieval against the start. Where the start retrieved already, it is better retrieval.
* the best prompt against the start, where both are of one model: a better prompt. Where both come
  to the same figure they are one measurement.
* the better of the best prompt and the other model against the start, where it is of another
  model: another model. A start that is a raw model is left out: nobody runs one.

One paper, company or document is one voice: each comparison weighs one over the number that its
cluster has in the group, and percentiles are weighted.

The triangle of a group is told from its own comparisons together with all others, which weigh as
much as five clusters: what few sources say of one change is drawn toward what changes do at all.
Errors that were added count as none taken away: such a way isn't put to use, so how many is of no
matter. The triangle's middle is the median; its ends are set so that one in ten lies beyond the
10th and the 90th percentile, and no end is above 1. held_out.py says what that is worth.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from published import PublishedArm, PublishedCase, published_cases
from pydantic import Field

from tuneworthy.errors import CaseError
from tuneworthy.model.base import FileRecord, Name, Share, Text
from tuneworthy.model.framework import GOALS, Goal
from tuneworthy.stats.clustered import RESAMPLES, cluster_means, percentile_interval
from tuneworthy.stats.intervals import wilson_by_cluster
from tuneworthy.syntax.document import build, parse
from tuneworthy.ways.effects import EFFECTS_FILE, WINS_OF_TUNING, EffectArm
from tuneworthy.ways.gap import reduction_from

PATH = (
    Path(__file__).resolve().parents[2]
    / "src/tuneworthy/framework/catalogue"
    / EFFECTS_FILE
)
COMPARISONS = Path(__file__).with_name("comparisons.yaml")

ENOUGH, ENOUGH_SOURCES = 5, 3
"""Fewer comparisons, or comparisons from fewer clusters, give no effect."""

POOLED = 5.0  #: Clusters that all comparisons together weigh as much as, beside those of a group.

PERCENTILES = (
    10,
    25,
    50,
    75,
    90,
)  #: Of the group's own comparisons; the file names them p10 to p90.

HOLDS: dict[EffectArm, tuple[EffectArm, ...]] = {
    "prompt": ("prompt", "few_shot", "prompt_optimisation"),
    "rag": ("rag", "better_retrieval"),
}
"""Arms that hold others."""

SHARES = frozenset(
    {
        "accuracy",
        "eval accuracy",
        "routing accuracy",
        "schema accuracy",
        "execution accuracy",
        "tool call accuracy",
        "tool call equivalence",
        "ast accuracy huggingface",
        "convfinqa",
        "exact match",
        "f1",
        "macro f1",
        "weighted f1",
        "pass rate",
        "humaneval pass rate",
        "success rate",
        "resolution rate",
        "acceptance",
        "agreement with human",
        "judge",
        "judge 0-1",
        "share right",
        "all six fields right",
    }
)
"""Metrics of which 1 means that all is right."""

ERROR_RATES = frozenset({"error rate"})
"""Metrics of which 0 means that all is right."""

ALIASES = {"sme accuracy": "accuracy", "first-shot acceptance": "acceptance"}
"""Metrics that one source calls by two names."""

LEFT_OUT = {
    "finetune-erodes-safety": "an attack: nobody wanted fewer errors",
    "openpipe-date-drift": "a drift in time, and no other way",
    "strands-decider-jevbench": "its start is a tuned model",
    "vanna-sql-context": "the start was given next to no context, to show what context is worth",
}
"""Cases that no arm of is counted, and why."""

OTHER_ARMS: dict[tuple[str, str], EffectArm] = {
    ("vuln-gemini-same-model", "rag"): "retrieved_examples",
    ("vuln-codebert", "rag"): "retrieved_examples",
    ("vuln-codebert", "best_prompt"): "retrieved_examples",
    ("distil-invoice-decision", "other_model"): "reasoning_effort",
    ("distil-invoice-grounded", "other_model"): "reasoning_effort",
}
"""Arms of cases that hold something else than their name says: similar examples were retrieved; the
same model as in the best prompt was run with its reasoning on."""

_ENCODER = re.compile(r"bert|encoder|longformer|task-specific ml", re.IGNORECASE)
_RETRIEVED = re.compile(r"basic retrieval|first rag", re.IGNORECASE)
_RAW = re.compile(r"\bbase\b|untuned|not named", re.IGNORECASE)
_SHARE = re.compile(
    r"(?:about |over |below )?(\d+(?:\.\d+)?)\s*(%?)(?!\s*[-/–.\d])", re.IGNORECASE
)

Status = Literal["read", "account", "recalled"]


class Comparison(NamedTuple):
    """One way beside another on one task."""

    id: str
    arm: EffectArm
    goal: Goal | None
    metric: str
    before: float
    after: float
    reduction: float
    cluster: str
    date: str
    url: str
    status: Status
    run: str  #: What ran, in words: a comparison that stands in two cases of a source counts once.


class Source(FileRecord):
    """Where comparisons were published."""

    title: Name
    url: Name
    date: str = Field(pattern=r"^\d{4}(-\d\d){0,2}$")
    status: Literal["read", "account"]


class FurtherComparison(FileRecord):
    """A comparison beside the published cases."""

    source: Name
    arm: EffectArm
    goal: Goal | None = None
    task: Name
    model: Text = ""
    was: Name
    metric: Name
    before: Share
    after: Share


class FurtherComparisons(FileRecord):
    """The file of them."""

    sources: dict[str, Source]
    comparisons: tuple[FurtherComparison, ...]


class Effect(NamedTuple):
    """What an arm does, as it ships."""

    arm: EffectArm
    goal: Goal | None
    n: int
    clusters: int
    percentiles: dict[int, float]
    triangle: tuple[float, float, float]


def share_of(arm: PublishedArm | None) -> tuple[str, float] | None:
    """The metric of an arm, and the share of right answers it came to; None where it has none."""
    if arm is None or arm.metric is None or arm.value is None:
        return None
    metric = re.sub(r"\(.*\)|%", " ", arm.metric.lower().split(", %")[0])
    metric = " ".join(metric.split())
    metric = ALIASES.get(metric, metric)
    match = _SHARE.match(arm.value.strip())
    if match is None or metric not in SHARES | ERROR_RATES:
        return None
    number = float(match[1])
    if match[2] or "%" in arm.metric or number > 1:
        number /= 100
    return (metric, 1 - number) if metric in ERROR_RATES else (metric, number)


def _changed(
    case: PublishedCase,
) -> Iterator[tuple[EffectArm, str, PublishedArm, PublishedArm]]:
    """What a case compares: the arm, the arm's name in the case, what was before and after it."""
    start, best, other = case.baseline, case.best_prompt, case.other_model
    prompted = best if share_of(best) is not None else start
    if case.fine_tuned is not None and prompted is not None:
        yield _tuning(case, case.fine_tuned), "fine_tuned", prompted, case.fine_tuned
    if start is None:
        return
    if case.rag is not None:
        again = _RETRIEVED.search(start.approach or "") is not None
        yield "better_retrieval" if again else "rag", "rag", start, case.rag
    if (
        best is not None
        and best.model_name == start.model_name
        and best.approach != start.approach
    ):
        yield "prompt", "best_prompt", start, best
    if (
        best is not None
        and other is not None
        and (case.id, "other_model") in OTHER_ARMS
    ):
        yield "reasoning_effort", "other_model", best, other
        return
    if _RAW.search(f"{start.model} {start.approach}"):
        return
    elsewhere = [
        each for each in (best, other) if each and each.model_name != start.model_name
    ]
    shares = [
        (found[1], each) for each in elsewhere if (found := share_of(each)) is not None
    ]
    if shares:
        yield (
            "model_switch",
            "other_model",
            start,
            max(shares, key=lambda pair: pair[0])[1],
        )


def _tuning(case: PublishedCase, tuned: PublishedArm) -> EffectArm:
    if _ENCODER.search(f"{tuned.base_model} {tuned.model} {tuned.approach}"):
        return "plain_classifier"
    return "hybrid" if case.winner == "hybrid" else "fine_tune"


def _of_case(case: PublishedCase) -> Iterator[Comparison]:
    if case.id in LEFT_OUT:
        return
    for arm, name, was, now in _changed(case):
        before, after = share_of(was), share_of(now)
        if before is None or after is None or before[0] != after[0]:
            continue
        if arm == "prompt" and before == after:
            continue
        reduction = reduction_from(before[1], after[1])
        if reduction is None:
            continue
        yield Comparison(
            id=f"{case.id}/{name}",
            arm=OTHER_ARMS.get((case.id, name), arm),
            goal=case.goal_kind,
            metric=before[0],
            before=before[1],
            after=after[1],
            reduction=reduction,
            cluster=case.group,
            date=str(case.year or "unknown"),
            url=case.address,
            status=case.source_status,
            run=f"{was.approach} {was.model} {now.approach} {now.model} {now.base_model}",
        )


def _further() -> Iterator[Comparison]:
    document = parse(COMPARISONS.read_text("utf-8"), str(COMPARISONS), CaseError)
    file = build(FurtherComparisons, document, CaseError)
    for place, each in enumerate(file.comparisons):
        if each.source not in file.sources:
            where = document.where(("comparisons", place, "source"))
            raise CaseError(
                f'no source "{each.source}"', where=where, fix="add it to sources"
            )
        source = file.sources[each.source]
        wrong = each.metric.lower() in ERROR_RATES
        before = 1 - each.before if wrong else each.before
        after = 1 - each.after if wrong else each.after
        reduction = reduction_from(before, after)
        if reduction is None:
            continue
        yield Comparison(
            id=f"{each.source}/{each.task}/{each.model}",
            arm=each.arm,
            goal=each.goal,
            metric=each.metric.lower(),
            before=before,
            after=after,
            reduction=reduction,
            cluster=each.source,
            date=source.date,
            url=source.url,
            status=source.status,
            run=f"{each.task} {each.was} {each.model}",
        )


@cache
def every_comparison() -> tuple[Comparison, ...]:
    """All that is counted, cases first, in the order of the files."""
    from_cases = [found for case in published_cases() for found in _of_case(case)]
    once: dict[tuple[object, ...], Comparison] = {}
    for each in (*from_cases, *_further()):
        once.setdefault(
            (each.cluster, each.arm, each.run, each.before, each.after), each
        )
    return tuple(once.values())


def holding(comparisons: Sequence[Comparison], arm: EffectArm) -> list[Comparison]:
    """Those of an arm, with the arms that it holds."""
    names = HOLDS.get(arm, (arm,))
    return [each for each in comparisons if each.arm in names]


def weights(comparisons: Sequence[Comparison]) -> list[float]:
    """What each one weighs: every cluster 1 in all."""
    sizes = Counter(each.cluster for each in comparisons)
    return [1 / sizes[each.cluster] for each in comparisons]


def percentile(
    values: Sequence[float], heavy: Sequence[float], percent: float
) -> float:
    """A weighted percentile: between the middles of the weights, in a straight line."""
    order = np.argsort(values, kind="stable")
    sorted_values = np.asarray(values)[order]
    sorted_weights = np.asarray(heavy)[order]
    middles = np.cumsum(sorted_weights) - sorted_weights / 2
    return float(
        np.interp(percent / 100 * sorted_weights.sum(), middles, sorted_values)
    )


def effect(
    comparisons: Sequence[Comparison], arm: EffectArm, goal: Goal | None = None
) -> Effect | None:
    """What an arm does in all its comparisons, or in those of a goal; None where too few are."""
    found = holding(comparisons, arm)
    if goal is not None:
        found = [each for each in found if each.goal == goal]
    clusters = len({each.cluster for each in found})
    if len(found) < ENOUGH or clusters < ENOUGH_SOURCES:
        return None
    own = reductions(found)
    own_weights = weights(found)
    all_weights = weights(comparisons)
    drawn = POOLED / sum(all_weights)
    pooled = [max(each, 0.0) for each in own + reductions(comparisons)]
    pooled_weights = own_weights + [weight * drawn for weight in all_weights]
    triangle = triangle_around(
        *(percentile(pooled, pooled_weights, each) for each in (10, 50, 90))
    )
    return Effect(
        arm=arm,
        goal=goal,
        n=len(found),
        clusters=clusters,
        percentiles={each: percentile(own, own_weights, each) for each in PERCENTILES},
        triangle=triangle,
    )


def reductions(comparisons: Sequence[Comparison]) -> list[float]:
    """Which part of the errors each one took away."""
    return [each.reduction for each in comparisons]


_ROUNDS = 200


def triangle_around(
    tenth: float, middle: float, ninetieth: float
) -> tuple[float, float, float]:
    """The triangle with its peak in the middle and one in ten beyond either percentile.

    Its low end a and high end b solve (tenth - a)^2 = (b - a) (middle - a) / 10 and the same on the
    other side; they are found by putting one into the other. An end above 1 is put at 1.
    """
    # ends start out apart from the peak, or they would stay on it
    width = ninetieth - tenth
    low = tenth - width
    high = ninetieth + width
    for _ in range(_ROUNDS):
        whole = high - low
        left = math.sqrt(whole * (middle - low) / 10)
        right = math.sqrt(whole * (high - middle) / 10)
        low = tenth - left
        high = ninetieth + right
    return low, middle, min(high, 1.0)


def every_effect(comparisons: Sequence[Comparison]) -> list[Effect]:
    """By arm, and by arm and goal, where there are enough."""
    goals: tuple[Goal | None, ...] = (None, *GOALS)
    found = [
        effect(comparisons, arm, goal) for arm in get_args(EffectArm) for goal in goals
    ]
    return [each for each in found if each is not None]


ENOUGH_CLUSTERS = 20
"""Below this, drawing clusters again gives intervals that are too narrow."""


def won_by_tuning(cases: Sequence[PublishedCase]) -> tuple[float, float]:
    """The 95% interval of the share of cases that tuning won, alone or in a hybrid.

    Whole clusters are drawn again where there are enough of them and that gives a width; else the
    interval is Wilson's, with cases of one cluster counted together.
    """
    clusters = [case.group for case in cases]
    won = [float(case.winner in WINS_OF_TUNING) for case in cases]
    if len(set(clusters)) >= ENOUGH_CLUSTERS:
        rows = [(each,) for each in won]
        means = cluster_means(
            rows, clusters, rng=np.random.default_rng(0), draws=RESAMPLES
        )
        ((low, high),) = percentile_interval(means)
        if low < high:
            rate = sum(won) / len(won)
            return min(low, rate), max(high, rate)
    return wilson_by_cluster(int(sum(won)), clusters)


def winner_lines() -> Iterator[str]:
    """How often each arm measured best, of all cases and by goal; ties are left out."""
    untied = [case for case in published_cases() if case.winner != "tie"]
    for goal in (None, *GOALS):
        cases = [case for case in untied if goal in (None, case.goal_kind)]
        low, high = won_by_tuning(cases)
        counts = Counter(case.winner for case in cases).most_common()
        won = ", ".join(f"{arm}: {count}" for arm, count in counts)
        name = goal or "null"
        yield f"- {{goal: {name}, low: {low}, high: {high}, won: {{{won}}}}}"


_WORST: tuple[Status, ...] = ("recalled", "account", "read")


def file_text(comparisons: Sequence[Comparison]) -> str:
    """The file that ships: effects, winners and sources."""
    clusters: dict[str, list[Comparison]] = {}
    for each in comparisons:
        clusters.setdefault(each.cluster, []).append(each)
    lines = [HEAD.format(n=len(comparisons), clusters=len(clusters)), "effects:"]
    for found in every_effect(comparisons):
        low, usual, high = found.triangle
        named = {"low": low, "usual": usual, "high": high}
        named |= {f"p{percent}": value for percent, value in found.percentiles.items()}
        numbers = ", ".join(
            f"{name}: {round(value, 3) + 0.0:g}" for name, value in named.items()
        )
        goal = "null" if found.goal is None else found.goal
        lines.append(
            f"- {{arm: {found.arm}, goal: {goal}, n: {found.n}, clusters: {found.clusters},"
            f" {numbers}}}"
        )
    lines += ["", "winners:", *winner_lines(), "", "sources:"]
    for name, members in sorted(clusters.items()):
        date = max(each.date for each in members)
        status = min((each.status for each in members), key=_WORST.index)
        lines.append(
            f'- {{cluster: "{name}", n: {len(members)}, date: "{date}", status: {status},'
            f' url: "{members[0].url}"}}'
        )
    return "\n".join(lines) + "\n"


HEAD = """\
# Which part of the errors published changes took away: 0.6 is from 0.80 to 0.92 right; below 0,
# errors were added. Counted from {n} comparisons of {clusters} papers, companies and documents, by
#     python evidence/published/effects.py
# which says what is counted and how. A cluster is one voice. goal null: all tasks, those without a
# goal too. low, usual and high: the triangle to reckon with, drawn toward what all changes do. p10
# to p90: percentiles of the group alone. A group under 5 comparisons or 3 clusters isn't here.
# What was changed tells hardly more than that something was: docs/evidence/accuracy.md,
# "Published effects on papers left out". Winners are published more often than losers: the truth
# is likely lower. winners: how often each arm measured best in the published cases, ties left out;
# low and high: the 95% interval of the share that tuning won, over papers and companies.
"""


def main() -> int:
    """Write, check or list."""
    comparisons = every_comparison()
    if "--list" in sys.argv[1:]:
        for each in sorted(
            comparisons, key=lambda each: (each.arm, each.goal or "", each.id)
        ):
            change = f"{each.before:.3f} {each.after:.3f} {each.reduction:6.2f}"
            print(
                f"{each.arm:20} {each.goal or '-':17} {change} {each.metric:18} {each.id}"
            )
        return 0
    text = file_text(comparisons)
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"stale: {EFFECTS_FILE} (run python evidence/published/effects.py)")
        return 1
    PATH.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {EFFECTS_FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
