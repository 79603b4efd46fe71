"""Two arms on the same cases: the difference, and how many cases would distinguish them."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tuneworthy.stats.clustered import (
    Estimate,
    dot,
    floats,
    leaning,
    mean,
    members,
    share,
    sum_by,
    t95,
)
from tuneworthy.stats.intervals import MOST_USEFUL, Z80, Z95, times_longer, useful

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from tuneworthy.stats.clustered import Floats, Ints, Rng


def paired_difference(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike
) -> Estimate | None:
    """The mean difference of two scores between 0 and 1 on the same cases, with a 95% interval.

    Two pairs are added, one that each arm wins, before the variance by cluster is taken: for 0 and
    1 without clusters that is the interval of Bonett and Price (2012), which keeps its coverage
    where few pairs differ, and isn't empty where none does. The value is that of the pairs alone,
    first less second. The interval is (-1, 1) where there is a single conversation (``clusters``,
    as whole numbers). NaN leaves a case out; None where no case has both.
    """
    differences, member, k = _both(first, second, clusters)
    if not k:
        return None
    value = float(differences.mean())
    low = -1.0
    high = 1.0
    if k > 1:
        wide = mean([*differences, 1.0, -1.0], [*member, k, k + 1])
        assert wide is not None  # there are values
        low = max(-1.0, min(wide.low, value))
        high = min(1.0, max(wide.high, value))
    return Estimate(value, low, high, len(differences), k)


def cases_needed(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None = None
) -> int | None:
    """Cases at which the difference seen would be told from none in 80 of 100 repetitions.

    ``n = (z_0.975 + z_0.80)² · variance / difference²``, the variance that of a pair's difference
    times the design effect of conversations; every case is its own if clusters are left out. None
    where the two don't differ, by too little for any test, or no two cases (and conversations) have
    both.
    """
    differences, member, k = _both(first, second, clusters)
    n = len(differences)
    value = float(differences.mean()) if k else 0.0
    if k < 2 or value == 0:
        return None
    variance = max(float(differences.var(ddof=1)), _spread(differences, member, k))
    needed = (Z95 + Z80) ** 2 * variance / value**2
    if needed <= max(MOST_USEFUL, 2 * n):
        return max(2, math.ceil(needed))
    return None


def _both(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Ints, int]:
    """Differences of the cases that have both scores, their conversations, and how many."""
    differences = floats(first) - floats(second)
    kept = ~np.isnan(differences)
    groups = np.arange(len(differences)) if clusters is None else np.asarray(clusters)
    return differences[kept], *members(groups[kept])


def _spread(differences: Floats, member: Ints, k: int) -> float:
    """The variance of a difference, taken over conversations."""
    off = sum_by(member, differences - float(differences.mean()), k)
    return k / (k - 1) * float((off**2).sum()) / len(differences)


DRAWS = 20_000
_MOST_PAIRED = 20
_FARTHEST = 1e9  # half-widths of an interval: its square is more cases than any


class Quantiles(NamedTuple):
    """How many standard errors an interval reaches, so that all hold at once."""

    arms: float
    pairs: float


def quantiles(scores: Floats, rng: Rng) -> Quantiles:
    """The reach of intervals that hold for all arms, and for all pairs of arms, with 95%.

    The 95% quantile of the largest of normal deviations that correlate as the arms do over the
    cases (Hothorn, Bretz and Westfall 2008), where every arm has every case, for up to 20 arms;
    else Bonferroni's, which is wider. Never less than the normal quantile for one interval.

    ``scores`` has one row a case and one column an arm; NaN where an arm lacks the case.
    """
    cases, arms = scores.shape
    if np.isnan(scores).any() or arms > _MOST_PAIRED or cases < 3:
        return Quantiles(
            arms=_bonferroni(arms), pairs=_bonferroni(max(arms * (arms - 1) // 2, 1))
        )
    together = np.atleast_2d(np.cov(scores, rowvar=False))
    drawn = rng.multivariate_normal(np.zeros(arms), together, size=DRAWS, method="eigh")
    left, right = np.triu_indices(arms, 1)
    apart = together[left, left] + together[right, right] - 2 * together[left, right]
    between = drawn[:, left] - drawn[:, right]
    return Quantiles(_reach(drawn, np.diag(together)), _reach(between, apart))


def _bonferroni(intervals: int) -> float:
    """Standard errors that each of some intervals reaches, so that all hold with 95%."""
    return NormalDist().inv_cdf(1 - 0.025 / intervals)


def arm_estimate(
    scores: Floats, cases: Ints, reach: float, *, as_share: bool
) -> tuple[Estimate, float, float]:
    """An arm's mean score, and low and high of the interval for all arms at once.

    Wilson's interval for shares; the mean and its standard error otherwise. Cases are clusters.
    ``reach`` is in standard errors. The ends are infinite for a single case that is no share.
    """
    own = share(scores, cases) if as_share else mean(scores, cases)
    wide = share(scores, cases, reach=reach) if as_share else own
    assert own is not None  # every arm has a case
    assert wide is not None
    if as_share:
        return own, min(wide.low, own.low), max(wide.high, own.high)
    wider = reach / Z95
    low = own.value + (own.low - own.value) * wider
    high = own.value + (own.high - own.value) * wider
    return own, low, high


def paired(
    first: Floats, second: Floats, reach: float = Z95, clusters: Ints | None = None
) -> tuple[Estimate, int | None] | None:
    """The mean difference of the best on the cases that both arms have, and cases to settle it.

    The upper end reaches ``reach`` standard errors, the lower end Student's t; at that many shared
    cases the lower end would lie above zero with 80% power if difference and spread stay. NaN where
    an arm lacks the case. None for cases where the first isn't ahead, or by too little for a test;
    None for all with under two clusters; each case is its own if these are left out.
    """
    apart, member, k = _both(first, second, clusters)
    if k < 2:
        return None
    n = len(apart)
    value = float(apart.mean())
    spread = math.sqrt(_spread(apart, member, k))
    error = t95(k - 1) * spread / math.sqrt(n)
    estimate = Estimate(value, value - error, value + error * reach / Z95, n, k)
    if value <= 0 or (Z95 + Z80) * spread >= math.sqrt(_FARTHEST) * value:
        return estimate, None
    return estimate, max(2, math.ceil(((Z95 + Z80) * spread / value) ** 2))


def _reach(drawn: Floats, variance: Floats) -> float:
    """The 95% quantile of the largest deviation in standard errors."""
    moving = variance > 1e-12
    if not moving.any():
        return Z95
    largest = np.abs(drawn[:, moving] / np.sqrt(variance[moving])).max(axis=1)
    return max(Z95, float(np.quantile(largest, 0.95)))


_STAKES = np.geomspace(0.03, 0.95, 12)
"""Shares of the wealth that are staked, side by side: small ones find small differences."""
_BLOCK = 100  #: Conversations multiplied before a logarithm is taken; 0.05^100 is still a number.


class Raced(NamedTuple):
    winner: int  #: Place of the arm that leads in the end.
    #: Conversations until each arm left; None if it stayed.
    dropped_after: tuple[int | None, ...]
    runs: int  #: Arms times conversations that were run.


class Race:
    """Arms on the same conversations, in rounds; the hopeless leave early.

    Against every other arm of its group, a bet is kept that an arm is behind; it leaves when its
    bets are worth ``1 / alpha`` on average. Those against the best arm win nothing on average, and
    nor does their mean, so the best of a group is dropped with a chance of at most ``alpha``,
    however many arms there are. The leader never leaves. An arm is only held against those of its
    own group; all are in one if ``groups`` is left out.
    """

    def __init__(
        self,
        arms: int,
        alpha: float = 0.02,
        *,
        groups: Sequence[Hashable] | None = None,
    ) -> None:
        names = [None] * arms if groups is None else list(groups)
        self._rivals = np.array(
            [[name == other for other in names] for name in names], dtype=bool
        )
        self._rivals &= ~np.eye(arms, dtype=bool)
        self._worth = 1 / alpha
        self._logs = np.zeros((arms, arms, len(_STAKES)))
        self._sums = np.zeros(arms)
        self._most = np.zeros(arms)
        self._seen = [0] * arms
        self._dropped: list[int | None] = [None] * arms

    @property
    def running(self) -> tuple[int, ...]:
        """Places of the arms that are still in."""
        return tuple(i for i, after in enumerate(self._dropped) if after is None)

    def add(
        self, scores: dict[int, list[float]], most: dict[int, list[float]] | None = None
    ) -> None:
        """Scores of another round: for each running arm one for each conversation of the round.

        They lie between 0 and 1. To hold shares of cases against each other where conversations
        differ in length, give the sum of each over the longest one's cases. ``most`` is what they
        may have been where answers are missing, which ``scores`` counts as wrong: an arm has to be
        behind by these.
        """
        places = np.array(sorted(scores), dtype=np.int64)
        # a row an arm, a column a conversation
        rows = _rows_of(scores, places)
        highs = _rows_of(most or scores, places)
        if not rows.size:
            return
        self._sums[places] += rows.sum(axis=1)
        self._most[places] += highs.sum(axis=1)
        for place in places.tolist():
            self._seen[place] += rows.shape[1]
        for start in range(0, rows.shape[1], _BLOCK):
            grown = np.ones((len(places), len(places), len(_STAKES)))
            part = slice(start, start + _BLOCK)
            for values, own in zip(rows[:, part].T, highs[:, part].T, strict=True):
                # what another had more of than I
                grown *= 1 + (values[None, :] - own[:, None])[:, :, None] * _STAKES
            self._logs[np.ix_(places, places)] += np.log(grown)
        self._drop_hopeless(places)

    def _drop_hopeless(self, places: Ints) -> None:
        """Drop the running arms, at ``places``, whose bets are worth enough."""
        with np.errstate(over="ignore"):  # an infinite worth is enough as well
            wealth = np.exp(self._logs).mean(axis=2)
        for place in places.tolist():
            rivals = self._rivals[place]
            running = [other for other in places.tolist() if rivals[other]]
            if not running:
                continue
            best_rival = max(self._sums[running])
            if self._most[place] > best_rival - 1e-9:  # it may lead, so it never leaves
                continue
            # over all rivals, those that left too, as the bound on mistakes requires
            if wealth[place][rivals].mean() >= self._worth:
                self._dropped[place] = self._seen[place]

    def result(self) -> Raced:
        """How it stands; the leader is the best mean among those still in, the first of equals."""
        means = {arm: self._sums[arm] / max(1, self._seen[arm]) for arm in self.running}
        winner = max(means, key=lambda arm: (round(means[arm], 9), -arm))
        return Raced(winner, tuple(self._dropped), sum(self._seen))


def _rows_of(by_arm: Mapping[int, Sequence[float]], places: Ints) -> Floats:
    return np.array([by_arm[place] for place in places.tolist()], dtype=np.float64)


Answer = Literal["yes", "no", "too_few_cases"]


class Ceiling(NamedTuple):
    reached: Answer
    upper: float  #: The largest upper bound of an arm: the best isn't above this.
    cases_needed: int | None  #: In all, where more would tell; None where none would.


def ceiling(tried: Sequence[Estimate], chosen: Estimate, target: float) -> Ceiling:
    """Hold every arm's bounds against a target, a share. Without a tried arm it is never ``yes``.

    ``tried`` are the arms that stayed in the race, on the cases used for choosing; ``chosen`` is
    the chosen arm, on cases that chose nothing.
    """
    upper = max([*(arm.high for arm in tried), chosen.high])
    if chosen.low >= target:
        return Ceiling("no", upper, None)
    if tried and upper < target:
        return Ceiling("yes", upper, None)
    return Ceiling("too_few_cases", upper, _cases_needed(tried, chosen, target))


def _cases_needed(
    tried: Sequence[Estimate], chosen: Estimate, target: float
) -> int | None:
    """Cases in all with which the bounds would clear the target in 80 of 100 repetitions.

    The chosen arm's share on cases that chose nothing is taken to stay, and a tried one to be no
    better: one that looked better was luckier on the cases that chose. An interval shrinks with the
    root of its cases, so the design effect of conversations is in it. None where that is more than
    labelling is worth: then decide by the margin.
    """
    blocking = [(chosen, chosen.value)]
    if chosen.value < target:
        blocking += [(arm, min(arm.value, chosen.value)) for arm in tried]
    halves = (
        (
            arm.high - arm.value if value < target else arm.value - arm.low,
            abs(value - target),
        )
        for arm, value in blocking
    )
    now = chosen.n + max((arm.n for arm in tried), default=0)
    return useful(now, max(times_longer(half, distance) for half, distance in halves))


ENOUGH_DRAWS = 5  #: Under this many draws nothing is said.


def expected_gain(scores: ArrayLike) -> tuple[float, float, float] | None:
    """The gain from one more draw of a generator over the best so far, as a share with its ends.

    Over all orders in which ``n`` exchangeable draws could have come, the last one raised the best
    by ``(largest - second largest) / n`` on average, and each further draw is worth no more than
    the one before it: that is the value.

    A bootstrap would draw the largest twice and see no gap, so the interval is another. The chance
    that a draw passes the largest of ``n`` lies below ``1 - 0.025^(1/n)`` with 97.5% (a draw's
    place in its distribution is uniform), and it can't gain more than what is left up to 1: the
    product bounds the gain. Its other end is 0, which no number of draws rules out.

    ``scores`` are shares between 0 and 1, one a variant, all from the same generator and on the
    same cases. Hand-written variants are no sample of anything: don't ask about them. None under
    five draws.
    """
    values = np.sort(floats(scores))
    n = len(values)
    if n < ENOUGH_DRAWS:
        return None
    most = max(0.0, 1.0 - float(values[-1]))
    high = most * (1 - 0.025 ** (1 / n))
    return min(float(values[-1] - values[-2]) / n, high), 0.0, high


#: Under this many labels, or labelled conversations, nothing is said.
ENOUGH_LABELS = 20
_CELLS = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
"""Labels that are added for a mean, and where between its least and most the judge puts each."""
_WINS = np.array([[-1.0, 1.0], [math.nan, math.nan]])
"""For a difference; of these the judge knows nothing."""


def predicted_mean(
    judge: ArrayLike, labels: ArrayLike, clusters: ArrayLike | None = None
) -> Estimate | None:
    """The mean of what people would say of all cases, with a 95% interval.

    Scores of the judge and labels lie between 0 and 1; a label is NaN where nobody gave one, and
    which cases were labelled must have been drawn at random. Every case is its own cluster if these
    are left out. Four labels are added before the variance is taken, two at either end of the
    scale, with which the judge agrees half of the time (after Agresti and Coull 1998): neither
    labels that are all alike nor a judge who agrees with all of them make certain. ``clusters`` of
    the estimate are the conversations with a label; None under 20 of them.
    """
    return _predicted(judge, labels, clusters, _CELLS)


def predicted_difference(
    judge: tuple[ArrayLike, ArrayLike],
    labels: tuple[ArrayLike, ArrayLike],
    clusters: ArrayLike | None = None,
) -> Estimate | None:
    """How much better people would find the first of two arms on the same cases.

    One label is added that each arm wins, as for a paired difference. A case counts as labelled
    where both arms are. First less second; None under 20 labelled conversations.
    """
    first_judged, second_judged = judge
    first_labels, second_labels = labels
    judged = floats(first_judged) - floats(second_judged)
    labelled = floats(first_labels) - floats(second_labels)
    return _predicted(judged, labelled, clusters, _WINS)


def _predicted(
    judge: ArrayLike, labels: ArrayLike, clusters: ArrayLike | None, cells: Floats
) -> Estimate | None:
    """The labels' mean, corrected by how the judge scores cases with and without a label.

    ``cells`` are the added labels, and where between its least and most the judge puts each.
    """
    added_labels, judged_at = cells
    scores = floats(judge)
    human = floats(labels)
    there = ~np.isnan(human)
    groups = np.arange(len(scores)) if clusters is None else np.asarray(clusters)
    labelled = len(np.unique(groups[there]))
    if labelled < ENOUGH_LABELS:
        return None
    seen = scores[there]
    people = human[there]
    rest = scores[~there]
    weight = _weight(seen, people, rest)
    others = float(rest.mean()) if len(rest) else float(seen.mean())
    value = float(people.mean()) + weight * (others - float(seen.mean()))
    # what each case adds to the error, the added labels as conversations of their own
    expected = np.where(
        np.isnan(judged_at), others, scores.min() + judged_at * np.ptp(scores)
    )
    added = added_labels - weight * (expected - others)
    right = np.concatenate([people - weight * (seen - others), added])
    centre = float(right.mean())
    error = np.empty(len(scores))
    error[there] = (right[: len(people)] - centre) / len(right)
    error[~there] = weight * (rest - others) / max(1, len(rest))
    member, k = members(groups)
    parts = np.concatenate([sum_by(member, error, k), (added - centre) / len(right)])
    spread = math.sqrt(dot(parts, parts) * labelled / (labelled - 1))
    below, above = leaning(spread, t95(labelled - 1), parts)
    least = float(added_labels.min())
    most = float(added_labels.max())
    value = min(most, max(least, value))
    low = max(least, centre + below)
    high = min(most, centre + above)
    return Estimate(value, min(low, value), max(high, value), len(scores), labelled)


def _weight(seen: Floats, people: Floats, rest: Floats) -> float:
    """How far to trust the judge: the weight with the least variance, between 0 and 1."""
    spread = float(np.var(seen, ddof=1))
    if spread <= 0 or len(rest) < 2:
        return 0.0
    together = float(np.cov(people, seen, ddof=1)[0, 1])
    return min(1.0, max(0.0, together / (spread * (1 + len(seen) / len(rest)))))
