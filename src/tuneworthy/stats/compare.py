"""Two arms on the same cases: the difference, and how many cases would distinguish them."""

from __future__ import annotations

import math
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tuneworthy.stats.clustered import (
    Estimate,
    ValueWithEnds,
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
    """Return the mean difference of two scores (0 … 1) on the same cases, with a 95% interval.

    Two pairs are added, one that each arm wins, before the variance by cluster is taken: for 0 and
    1 without clusters that is the interval of Bonett and Price (2012), which keeps its coverage
    where few pairs differ, and isn't empty where none does. The value is that of the pairs alone,
    first less second. The interval is (-1, 1) where there is a single conversation (``clusters``,
    as whole numbers). NaN leaves a case out; None where no case has both.
    """
    differences, member, k = _paired_scores(first, second, clusters)
    if not k:
        return None
    value = float(differences.mean())
    if k == 1:
        return Estimate(value, -1.0, 1.0, len(differences), k)
    # the two added pairs are conversations of their own
    wide = mean([*differences, 1.0, -1.0], [*member, k, k + 1])
    assert wide is not None  # there are values
    low = max(-1.0, min(wide.low, value))
    high = min(1.0, max(wide.high, value))
    return Estimate(value, low, high, len(differences), k)


def cases_needed(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None = None
) -> int | None:
    """Cases at which a test finds the observed difference in 80 of 100 repetitions.

    ``n = (z_0.975 + z_0.80)² · variance / difference²``, the variance that of a pair's difference
    times the design effect of conversations; every case is its own if clusters are left out. None
    where the two don't differ, by too little for any test, or no two cases (and conversations) have
    both.
    """
    differences, member, k = _paired_scores(first, second, clusters)
    if k < 2:
        return None
    n = len(differences)
    value = float(differences.mean())
    if value == 0:
        return None
    # conversations that differ less than chance are chance, so no design effect is below 1
    variance = max(
        float(differences.var(ddof=1)), _clustered_variance(differences, member, k)
    )
    needed = (Z95 + Z80) ** 2 * variance / value**2
    if needed > max(MOST_USEFUL, 2 * n):  # more than labelling is worth
        return None
    return max(2, math.ceil(needed))


def _paired_scores(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Ints, int]:
    """Differences of the cases that have both scores, their conversations, and the number of these."""
    differences = floats(first) - floats(second)
    kept = ~np.isnan(differences)
    groups = np.arange(len(differences)) if clusters is None else np.asarray(clusters)
    member, k = members(groups[kept])
    return differences[kept], member, k


def _clustered_variance(differences: Floats, member: Ints, k: int) -> float:
    """The variance of a difference, with conversations as clusters."""
    off = sum_by(member, differences - float(differences.mean()), k)
    return k / (k - 1) * float((off**2).sum()) / len(differences)


DRAWS = 20_000  # of normal deviations, for a quantile of their largest
_MOST_PAIRED = 20  # arms: more have too many pairs to draw
_FARTHEST = 1e9  # half-widths of an interval: its square is more cases than any


class ArmBounds(NamedTuple):
    """An arm's mean score, and ends that hold for all arms together."""

    estimate: Estimate  #: With the interval of this arm alone.
    low: float
    high: float


class PairedLead(NamedTuple):
    """By how much one arm is ahead of another on the cases that both have."""

    difference: Estimate
    #: Shared cases that would settle it; None for too small a lead.
    cases_needed: int | None


class Quantiles(NamedTuple):
    """Lengths of intervals in standard errors, so that all of them hold together."""

    arms: float
    pairs: float


def quantiles(scores: Floats, rng: Rng) -> Quantiles:
    """Return the reach of intervals that hold for all arms, and for all pairs of arms, with 95%.

    The 95% quantile of the largest of normal deviations that correlate as the arms do over the
    cases (Hothorn, Bretz and Westfall 2008), where every arm has every case, for up to 20 arms;
    else Bonferroni's, which is wider. Never less than the normal quantile for one interval.

    ``scores`` has one row a case and one column an arm; NaN where an arm lacks the case.
    """
    cases, arms = scores.shape
    if np.isnan(scores).any() or arms > _MOST_PAIRED or cases < 3:
        pairs = max(arms * (arms - 1) // 2, 1)  # a single arm has none
        return Quantiles(arms=_bonferroni(arms), pairs=_bonferroni(pairs))
    covariance = np.atleast_2d(np.cov(scores, rowvar=False))
    drawn = rng.multivariate_normal(
        np.zeros(arms), covariance, size=DRAWS, method="eigh"
    )
    left, right = np.triu_indices(arms, 1)
    differences = drawn[:, left] - drawn[:, right]
    variance_of_arm = np.diag(covariance)
    variance_of_pair = (
        variance_of_arm[left] + variance_of_arm[right] - 2 * covariance[left, right]
    )
    return Quantiles(
        arms=_reach(drawn, variance_of_arm),
        pairs=_reach(differences, variance_of_pair),
    )


def _bonferroni(intervals: int) -> float:
    """The length in standard errors of each of some intervals, so that all hold with 95%."""
    return NormalDist().inv_cdf(1 - 0.025 / intervals)


def arm_estimate(
    scores: Floats, cases: Ints, reach: float, *, as_share: bool
) -> ArmBounds:
    """An arm's mean score, and the ends of the interval that holds for all arms together.

    Wilson's interval for shares; else the mean and its standard error. Cases are clusters.
    ``reach`` is in standard errors. The ends are infinite for a single case that isn't a share.
    """
    if as_share:
        own = share(scores, cases)
        wide = share(scores, cases, reach=reach)
        assert own is not None  # every arm has a case
        assert wide is not None
        return ArmBounds(own, min(wide.low, own.low), max(wide.high, own.high))
    own = mean(scores, cases)
    assert own is not None  # every arm has a case
    longer = reach / Z95
    return ArmBounds(
        own,
        low=own.value - (own.value - own.low) * longer,
        high=own.value + (own.high - own.value) * longer,
    )


def paired(
    first: Floats, second: Floats, reach: float = Z95, clusters: Ints | None = None
) -> PairedLead | None:
    """The mean difference of the best arm on the cases that both have, and the cases to settle it.

    The upper end reaches ``reach`` standard errors, the lower end Student's t. At
    ``cases_needed``, the lower end would lie above zero with 80% power, if difference and spread
    stay. NaN where an arm lacks the case. The number is None where the first arm isn't ahead, or by
    too little for a test. The result is None with under two clusters; without ``clusters``, each
    case is one.
    """
    apart, member, k = _paired_scores(first, second, clusters)
    if k < 2:
        return None
    n = len(apart)
    value = float(apart.mean())
    spread = math.sqrt(_clustered_variance(apart, member, k))  # of one case
    half = t95(k - 1) * spread / math.sqrt(n)
    estimate = Estimate(value, value - half, value + half * reach / Z95, n, k)
    # compared without a quotient, which may be infinite for a tiny lead
    if value <= 0 or (Z95 + Z80) * spread >= math.sqrt(_FARTHEST) * value:
        return PairedLead(estimate, None)
    needed = ((Z95 + Z80) * spread / value) ** 2
    return PairedLead(estimate, max(2, math.ceil(needed)))


def _reach(drawn: Floats, variance: Floats) -> float:
    """Return the 95% quantile of the largest deviation in standard errors, at least that of one."""
    varies = variance > 1e-12  # arms with one score throughout deviate by nothing
    if not varies.any():
        return Z95
    largest = np.abs(drawn[:, varies] / np.sqrt(variance[varies])).max(axis=1)
    return max(Z95, float(np.quantile(largest, 0.95)))


_STAKES = np.geomspace(0.03, 0.95, 12)
"""Shares of the wealth that are bet side by side. Small bets detect small differences."""
_BLOCK = 100  #: Conversations multiplied before a logarithm is taken; 0.05^100 is still a number.


class Raced(NamedTuple):
    """The state of a race."""

    winner: int  #: Place of the arm that leads in the end.
    #: Conversations until each arm left; None if it stayed.
    dropped_after: tuple[int | None, ...]
    runs: int  #: Arms times conversations that were run.


class Race:
    """Arms on the same conversations, in rounds. An arm that can't win leaves early.

    Each arm bets against every other arm of its group that it is behind. It leaves when its bets
    are worth ``1 / alpha`` on average. Bets of the best arm win nothing on average, and nor does
    their mean. So the best of a group is dropped with a chance of at most ``alpha``, however many
    arms there are. The leader never leaves. An arm is only compared with those of its own group;
    without ``groups``, all arms are in one.
    """

    def __init__(
        self,
        arms: int,
        alpha: float = 0.02,
        *,
        groups: Sequence[Hashable] | None = None,
    ) -> None:
        # for each arm, whether it is compared with each other one
        self._rivals = ~np.eye(arms, dtype=bool)
        if groups is not None:
            for arm, other in product(range(arms), repeat=2):
                self._rivals[arm, other] &= groups[arm] == groups[other]
        self._worth = 1 / alpha
        # the logarithm of the wealth of each bet: by arm, rival and stake
        self._logs = np.zeros((arms, arms, len(_STAKES)))
        self._sums = np.zeros(arms)
        self._most = np.zeros(arms)  # the sums with all missing answers right
        self._seen = [0] * arms
        self._dropped: list[int | None] = [None] * arms

    @property
    def running(self) -> tuple[int, ...]:
        """Places of the arms that are still in the race."""
        return tuple(
            place for place, after in enumerate(self._dropped) if after is None
        )

    def add(
        self, scores: dict[int, list[float]], most: dict[int, list[float]] | None = None
    ) -> None:
        """Add the scores of another round: for each running arm, one for each conversation.

        They lie between 0 and 1. To compare shares of cases where conversations differ in length,
        give each conversation's sum divided by the cases of the longest one. ``most`` is the
        highest possible score where answers are missing, which ``scores`` counts as wrong: an arm
        has to be behind by these.
        """
        places = np.array(sorted(scores), dtype=np.int64)
        # a row an arm, a column a conversation
        rows = _rows_of(scores, places)
        highs = rows if most is None else _rows_of(most, places)
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
                # by how much the rival's score is above mine
                grown *= 1 + (values[None, :] - own[:, None])[:, :, None] * _STAKES
            self._logs[np.ix_(places, places)] += np.log(grown)
        self._drop_hopeless(places)

    def _drop_hopeless(self, places: Ints) -> None:
        """Drop the running arms, at ``places``, whose bets have won enough."""
        with np.errstate(over="ignore"):  # an infinite worth is enough as well
            wealth = np.exp(self._logs).mean(axis=2)
        for place in places.tolist():
            rivals = self._rivals[place]
            running = [other for other in places.tolist() if rivals[other]]
            if not running:
                continue
            best_rival = max(self._sums[running])
            # an arm that may lead never leaves
            if self._most[place] > best_rival - 1e-9:
                continue
            # over all rivals, also those that left, as the bound on mistakes requires
            if wealth[place][rivals].mean() >= self._worth:
                self._dropped[place] = self._seen[place]

    def result(self) -> Raced:
        """Return the state of the race. The leader is the first of the best means still in."""

        def mean_of(place: int) -> float:
            """Return an arm's mean, rounded so that equal scores in another order stay equal."""
            return round(float(self._sums[place]) / max(1, self._seen[place]), 9)

        winner = max(self.running, key=mean_of)
        return Raced(winner, tuple(self._dropped), sum(self._seen))


def _rows_of(by_arm: Mapping[int, Sequence[float]], places: Ints) -> Floats:
    return np.array([by_arm[place] for place in places.tolist()], dtype=np.float64)


Answer = Literal["yes", "no", "too_few_cases"]


class Ceiling(NamedTuple):
    """Whether prompts have reached their ceiling, by the bounds of the arms."""

    reached: Answer
    upper: float  #: The largest upper bound of an arm: the best isn't above this.
    cases_needed: int | None  #: In all, where more would tell; None where none would.


def ceiling(tried: Sequence[Estimate], chosen: Estimate, target: float) -> Ceiling:
    """Compare every arm's bounds with a target, a share. Without a tried arm it is never ``yes``.

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
    """Cases with which the bounds would clear the target in 80 of 100 repetitions.

    This assumes that the chosen arm's share on cases that chose nothing stays, and that no tried
    arm is better: one that looked better was luckier on the cases that chose. An interval shrinks
    with the root of its cases, so the design effect of conversations is included. None where the
    number is more than labelling is worth: then the margin has to decide.
    """
    # the arms whose bounds have to clear the target, with the share that each is taken to have
    blocking = [(chosen, chosen.value)]
    if chosen.value < target:
        blocking += [(arm, min(arm.value, chosen.value)) for arm in tried]
    longest = 0.0
    for arm, value in blocking:
        # the half of the interval that has to become shorter than the distance
        half = arm.high - arm.value if value < target else arm.value - arm.low
        longest = max(longest, times_longer(half, abs(value - target)))
    now = chosen.n + max((arm.n for arm in tried), default=0)
    return useful(now, longest)


ENOUGH_DRAWS = 5  #: Under this many draws nothing is said.


def expected_gain(scores: ArrayLike) -> ValueWithEnds | None:
    """Return the gain from one more draw of a generator over the best so far, as a share with its ends.

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
    second_largest, largest = values[-2:].tolist()
    left = max(0.0, 1.0 - largest)
    high = left * (1 - 0.025 ** (1 / n))
    return ValueWithEnds(min((largest - second_largest) / n, high), 0.0, high)


#: Under this many labels, or labelled conversations, nothing is said.
ENOUGH_LABELS = 20
_CELLS = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
"""Labels that are added for a mean, and the grader's score for each between its lowest and highest."""
_WINS = np.array([[-1.0, 1.0], [math.nan, math.nan]])
"""Labels that are added for a difference; the grader has no score for these."""


def predicted_mean(
    judge: ArrayLike, labels: ArrayLike, clusters: ArrayLike | None = None
) -> Estimate | None:
    """The mean label that people would give to all cases, with a 95% interval.

    Scores of the grader and labels lie between 0 and 1. A label is NaN where nobody gave one, and
    the labelled cases have to be drawn at random. Without ``clusters``, every case is its own
    cluster. Four labels are added before the variance is taken, two at either end of the scale, and
    the grader agrees with half of them (after Agresti and Coull 1998). So neither equal labels nor
    a grader who agrees with all of them lead to certainty. ``clusters`` of the estimate are the
    conversations with a label; None under 20 of them.
    """
    return _estimate_predicted(judge, labels, clusters, _CELLS)


def predicted_difference(
    judge: tuple[ArrayLike, ArrayLike],
    labels: tuple[ArrayLike, ArrayLike],
    clusters: ArrayLike | None = None,
) -> Estimate | None:
    """The difference between two arms on the same cases, in the labels that people would give.

    One label is added that each arm wins, as for a paired difference. A case counts as labelled
    where both arms are. First less second; None under 20 labelled conversations.
    """
    first_judged, second_judged = judge
    first_labels, second_labels = labels
    judged = floats(first_judged) - floats(second_judged)
    labelled = floats(first_labels) - floats(second_labels)
    return _estimate_predicted(judged, labelled, clusters, _WINS)


def _estimate_predicted(
    judge: ArrayLike, labels: ArrayLike, clusters: ArrayLike | None, cells: Floats
) -> Estimate | None:
    """The labels' mean, corrected by the grader's scores of cases with and without a label.

    With labels y, and scores s and r of cases with and without one, it is
    ``mean(y) + weight · (mean(r) - mean(s))`` (PPI++, Angelopoulos, Duchi and Zrnic 2023). A grader
    who scores the unlabelled cases higher so raises the mean, by as much as people follow it.

    ``cells`` are the added labels, and the grader's score for each between its lowest and highest.
    """
    added_labels, added_places = cells
    scores = floats(judge)
    human = floats(labels)
    has_label = ~np.isnan(human)
    groups = np.arange(len(scores)) if clusters is None else np.asarray(clusters)
    conversations = len(np.unique(groups[has_label]))
    if conversations < ENOUGH_LABELS:
        return None
    label = human[has_label]
    score = scores[has_label]
    other_scores = scores[~has_label]
    weight = _weight_of_grader(label, score, other_scores)
    other_mean = float(score.mean())
    if len(other_scores):
        other_mean = float(other_scores.mean())
    value = float(label.mean()) + weight * (other_mean - float(score.mean()))
    # a labelled case has as its error the part of its label that the grader doesn't explain, any
    # other case its score
    unexplained = label - weight * (score - other_mean)
    added_scores = _scores_of_added(added_places, scores, other_mean)
    added = added_labels - weight * (added_scores - other_mean)
    n = len(unexplained) + len(added)
    centre = float(np.concatenate([unexplained, added]).mean())
    error = np.empty(len(scores))
    error[has_label] = (unexplained - centre) / n
    error[~has_label] = weight * (other_scores - other_mean) / max(1, len(other_scores))
    member, k = members(groups)
    # each added label counts as a conversation
    parts = np.concatenate([sum_by(member, error, k), (added - centre) / n])
    # as in the jackknife, but only conversations with a label count as drawn
    spread = math.sqrt(dot(parts, parts) * conversations / (conversations - 1))
    below, above = leaning(spread, t95(conversations - 1), parts)
    # a mean of labels lies within their scale, whose ends are among the added labels
    least = float(added_labels.min())
    most = float(added_labels.max())
    value = min(most, max(least, value))
    # the interval lies around the mean with the added labels, and always holds the value
    low = min(value, max(least, centre + below))
    high = max(value, min(most, centre + above))
    return Estimate(value, low, high, len(scores), conversations)


def _scores_of_added(places: Floats, scores: Floats, mean: float) -> Floats:
    """The grader's scores for added labels, by their places from its lowest score, 0, to its highest, 1.

    Where a place is NaN, the grader has no score, and the mean stands for it.
    """
    by_place = scores.min() + places * np.ptp(scores)
    return np.where(np.isnan(places), mean, by_place)


def _weight_of_grader(label: Floats, score: Floats, other_scores: Floats) -> float:
    """The weight of the grader, between 0 and 1, that gives the lowest variance.

    ``cov(y, s) / (var(s) · (1 + n / N))``, of n cases with a label and N without one.
    """
    spread = float(np.var(score, ddof=1))
    if spread <= 0 or len(other_scores) < 2:
        return 0.0
    together = float(np.cov(label, score, ddof=1)[0, 1])
    best = together / (spread * (1 + len(score) / len(other_scores)))
    return min(1.0, max(0.0, best))
