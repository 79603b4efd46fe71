"""Estimates from traces that come in conversations: turns of one are not independent.

Variances are those of a ratio of sums over clusters, each cluster's residual taken as if it had
been left out (the jackknife), with as many degrees of freedom as clusters of one size would give
(Carter, Schnepel and Steigerwald 2017). A share gets Wilson's interval at the number of independent
traces that this variance is worth, shrunk once more for few clusters (Korn and Graubard 1998). A
mean's interval takes in Hall's (1992) too, which leans with the skew. A quantile gets the values
whose share below can't be told from it (Woodruff 1952, with the variance at the quantile).
docs/evidence/accuracy.md says how often these intervals hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tuneworthy.stats.intervals import Z95, Ends, clopper_pearson, wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Rng = np.random.Generator
    Vectors = NDArray[np.float32]


_DENSE = 4  #: Clusters are counted without a sort when no number is above so many times the rows.
_LEAST_SKEW = 1e-6  # below it, Hall's interval is Student's up to a rounding error


class DesignEffect(NamedTuple):
    """By how much clusters widen the variance of a share."""

    effect: float  #: At least 1.
    degrees: float  #: Degrees of freedom.


class ClusteredVariance(NamedTuple):
    """A variance by cluster."""

    value: float
    degrees: float  #: Degrees of freedom.


def floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def t95(degrees: float) -> float:
    """Student's 97.5% quantile for one degree of freedom or more; a broken one is rounded down.

    Cornish and Fisher's expansion (Abramowitz and Stegun 1964, 26.7.5), within 0.2% from five
    degrees on, and a table before.
    """
    exact = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
    whole = max(1, math.floor(degrees + 1e-9))
    if whole in exact:
        return exact[whole]
    z = Z95
    v = float(whole)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def members(groups: NDArray[Any]) -> tuple[Ints, int]:
    """Number the clusters from 0 without gaps: each row's number, and the number of clusters.

    Small whole numbers keep their order, which saves a sort. Others are numbered by first
    appearance, so that hashes in their place change nothing.
    """
    if not len(groups):
        return np.zeros(0, dtype=np.int64), 0
    is_whole = groups.dtype.kind in "iu"
    if is_whole and groups.min() >= 0 and groups.max() < _DENSE * len(groups):
        occurs = np.bincount(groups) > 0
        number = np.cumsum(occurs) - 1  # of those that occur, up to each
        return number[groups], int(number[-1]) + 1
    _, first_row, member = np.unique(groups, return_index=True, return_inverse=True)
    # ``unique`` numbers them by their sort: renumbered by the row where each comes first
    number = np.empty(len(first_row), dtype=np.int64)
    number[np.argsort(first_row)] = np.arange(len(first_row))
    return number[member], len(first_row)


def sum_by(member: Ints, values: Floats, k: int) -> Floats:
    return np.bincount(member, weights=values, minlength=k).astype(np.float64)


def dot(left: Floats, right: Floats) -> float:
    """The sum of products, in one thread.

    The library behind ``@`` splits long arrays over threads. Here that costs more time than it
    saves, and each machine would sum in another order.
    """
    return float(np.einsum("i,i->", left, right))


def worst_effect(counts: Floats) -> float:
    """The design effect if all values of a cluster are equal."""
    return dot(counts, counts) / float(counts.sum())


def design_effect(rate: float, sums: Floats, sizes: Floats) -> DesignEffect:
    """Return the design effect of a share, from the hits and the values of each cluster.

    Where all are hits or none is, the data can't show how similar the values of a cluster are. Then
    the worst case counts.
    """
    n = float(sizes.sum())
    plain = rate * (1 - rate) / n
    spread, degrees = variance(rate, plain, sums, sizes, sizes)
    if plain <= 0 or spread <= 0:
        return DesignEffect(worst_effect(sizes), degrees)
    # clusters that differ less than chance are chance; no effect leaves less than one value
    return DesignEffect(min(max(spread / plain, 1.0), n), degrees)


def variance(
    middle: float, plain: float, sums: Floats, sizes: Floats, counts: Floats
) -> ClusteredVariance:
    """Return the variance of a ratio of sums over two clusters or more, with degrees of freedom.

    ``middle`` is the ratio and ``plain`` its variance if all values were independent. By cluster:
    ``sums`` is the numerator, ``sizes`` the denominator, ``counts`` the number of values.
    """
    k = len(sizes)
    total = float(sizes.sum())
    # the jackknife: each cluster's residual as if the ratio had been taken without it. The share
    # of a cluster that is nearly all stays below 1, as it is divided by the rest
    leverage = np.minimum(sizes / total, 1 - 1 / (2 * total + 2))
    left_out = (sums - middle * sizes) / (1 - leverage)
    spread = (k - 1) / k * dot(left_out, left_out) / total**2
    # how alike the values of a cluster are, from 0 for independent ones to 1 for equal ones
    worst = worst_effect(counts)
    alike = 1.0
    if plain > 0 and worst > 1:
        alike = min(1.0, max(0.0, (spread / plain - 1) / (worst - 1)))
    # the number of clusters of one size that would know the variance as well
    weight = counts + (counts**2 - counts) * alike  # what each adds to the variance
    equal_clusters = float(weight.sum()) ** 2 / dot(weight, weight)
    return ClusteredVariance(spread, max(equal_clusters - 1, 1.0))


def leaning(error: float, t: float, residual: Floats) -> Ends:
    """Return the ends around 0: Student's, or Hall's for a skewed mean where they are wider.

    ``t`` is Student's quantile, ``residual`` has a value for each cluster.
    """
    square = float((residual**2).mean())
    low = -t * error
    high = t * error
    if square <= 0 or error <= 0:
        return low, high
    cube = float((residual * residual * residual).mean())
    skew: float = cube / square**1.5 / math.sqrt(len(residual))
    if abs(skew) < _LEAST_SKEW:
        return low, high

    def hall_end(quantile: float) -> float:
        """Return an end by Hall's transformation, which takes the skew out and is inverted here."""
        root = math.cbrt(1 + skew * (quantile - skew / 6))
        return -error * 3 / skew * (root - 1)

    ends = (hall_end(t), hall_end(-t))
    return min(low, *ends), max(high, *ends)


class ValueWithEnds(NamedTuple):
    """A number with the ends of its interval, in the unit of the values."""

    value: float
    low: float
    high: float


_LEANING = 0.5
"""The number of clusters with a hit that the worst case counts as, when a design effect is judged.
It is set so that the interval of a share of 1%, in conversations of very unequal size, holds the
truth in 95 of 100 worlds (evidence/accuracy/intervals.py, 2026-11-24)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95% interval, in the unit of the values."""

    value: float
    low: float
    high: float
    n: int  #: Values it was counted on.
    clusters: int  #: Clusters these come from.

    def reaching(self, reach: float) -> Estimate:
        """Return it with ends that reach so many standard errors, where 95% reach 1.96."""
        times = reach / Z95
        low = self.value - times * (self.value - self.low)
        high = self.value + times * (self.high - self.value)
        return Estimate(self.value, low, high, self.n, self.clusters)


def share(
    hits: ArrayLike, clusters: ArrayLike, *, exact: bool = False, reach: float = Z95
) -> Estimate | None:
    """Return the share of traces that are hits (1 or true), by cluster as whole numbers.

    ``exact`` asks for Clopper and Pearson's interval in place of Wilson's: it is wider, and each of
    its ends may be compared with a target. ``reach`` is the length of the interval in standard
    errors, for infinitely many clusters. NaN is left out. The interval is (0, 1) for a single
    cluster; None without any value.
    """
    sums, sizes = _by_cluster(hits, clusters)
    n = int(sizes.sum())
    k = len(sizes)
    if not n:
        return None
    rate = float(sums.sum()) / n
    if k == 1:
        return Estimate(rate, 0.0, 1.0, n, k)
    effect, degrees = design_effect(rate, sums, sizes)
    with_hit = int((sums > 0).sum())
    with_miss = int((sums < sizes).sum())
    # few clusters with a hit say little about how alike hits are: lean to the worst case
    lean = _LEANING / (_LEANING + min(with_hit, with_miss))
    effect += max(0.0, worst_effect(sizes) - effect) * lean
    # as many independent values as give this variance; fewer for few clusters and a longer reach
    worth = n / effect * (Z95 / t95(degrees) * Z95 / reach) ** 2
    interval = clopper_pearson if exact else wilson
    low, high = interval(rate * worth, worth)
    return Estimate(rate, min(low, rate), max(high, rate), n, k)


def mean(values: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The mean of a value; NaN is left out.

    The ends are infinite for a single cluster; None without any value.
    """
    return ratio(values, np.ones(np.shape(values)), clusters)


def ratio(above: ArrayLike, below: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The sum of one value over the sum of another, such as cached tokens over all tokens.

    A trace with NaN in either is left out; denominators are not negative. The ends are infinite
    where there is a single cluster; None where the denominators sum to nothing.
    """
    over = floats(above)
    under = floats(below)
    kept = ~(np.isnan(over) | np.isnan(under))
    groups = np.asarray(clusters)[kept]
    member, k = members(groups)
    sums = sum_by(member, over[kept], k)
    sizes = sum_by(member, under[kept], k)
    total = float(sizes.sum())
    n = int(kept.sum())
    if total <= 0:
        return None
    middle = float(sums.sum()) / total
    if k == 1:
        return Estimate(middle, -math.inf, math.inf, n, k)
    residual = over[kept] - middle * under[kept]
    plain = dot(residual, residual) / total**2  # if all were independent
    counts = sum_by(member, np.ones(n), k)
    square, degrees = variance(middle, plain, sums, sizes, counts)
    low, high = leaning(math.sqrt(square), t95(degrees), sums - middle * sizes)
    return Estimate(middle, middle + low, middle + high, n, k)


def quantile(values: ArrayLike, at: float, clusters: ArrayLike) -> Estimate | None:
    """A quantile of a value, such as the 95th percentile for ``at=0.95``; NaN is left out.

    An end is infinite where too few values lie beyond the quantile to bound it: the upper end of a
    95th percentile needs about 75 independent values. None where nothing is left.
    """
    data, groups = _drop_missing(values, clusters)
    if not len(data):
        return None
    value = float(np.quantile(data, at))
    sums, sizes = _by_cluster(data <= value, groups)
    n = len(data)
    k = len(sizes)
    if k == 1:
        return Estimate(value, -math.inf, math.inf, n, k)
    rate = float(sums.sum()) / n
    effect, degrees = design_effect(rate, sums, sizes)
    # the interval of the share below the value, read off the data as values
    half = t95(degrees) * math.sqrt(effect * at * (1 - at) / n)
    low = -math.inf
    high = math.inf
    if at - half > 0:
        low = float(np.quantile(data, at - half, method="lower"))
    if at + half < 1:
        high = float(np.quantile(data, at + half, method="higher"))
    return Estimate(value, min(low, value), max(high, value), n, k)


def slope(y: ArrayLike, x: ArrayLike, clusters: ArrayLike) -> Estimate | None:
    """The least-squares slope of y on x, with the sandwich variance by cluster (Liang, Zeger 1986).

    In units of y for one of x; None where x doesn't vary or there are fewer than three clusters.
    """
    ys = floats(y)
    xs = floats(x)
    kept = ~(np.isnan(ys) | np.isnan(xs))
    ys = ys[kept]
    xs = xs[kept]
    groups = np.asarray(clusters)[kept]
    member, k = members(groups)
    if k < 3:
        return None
    centred = xs - xs.mean()
    spread = dot(centred, centred)
    if spread <= 0:
        return None
    value = dot(centred, ys) / spread
    residual = ys - ys.mean() - value * centred
    scores = sum_by(member, centred * residual, k)
    error = math.sqrt(k / (k - 1) * dot(scores, scores)) / spread
    half = t95(k - 2) * error
    return Estimate(value, value - half, value + half, len(ys), k)


def true_share(seen: Estimate, sensitivity: Ends, specificity: Ends) -> ValueWithEnds:
    """Return the true share and its ends, where a detector with known errors flagged another share.

    The correction of Rogan and Gladen (1978). ``sensitivity`` is the interval of the share of real
    ones that are flagged, ``specificity`` that of others that are left alone. The ends hold for
    every detector within both; (0, 1) where it may be no better than chance.
    """
    if min(sensitivity) + min(specificity) <= 1:
        return ValueWithEnds(seen.value, 0.0, 1.0)
    middle = _true_rate(seen.value, sum(sensitivity) / 2, sum(specificity) / 2)
    # the rate moves one way with each of the three, so its extremes are at their ends
    rates = [
        _true_rate(flagged, s, c)
        for flagged, s, c in product((seen.low, seen.high), sensitivity, specificity)
    ]
    return ValueWithEnds(middle, min(*rates, middle), max(*rates, middle))


def _true_rate(flagged: float, sensitivity: float, specificity: float) -> float:
    """The rate of real ones behind a rate of flagged ones, within 0 and 1."""
    rate = (flagged + specificity - 1) / (sensitivity + specificity - 1)
    return min(1.0, max(0.0, rate))


def _drop_missing(values: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Ints]:
    data = floats(values)
    groups = np.asarray(clusters)
    if len(data) != len(groups):
        raise ValueError("values and clusters differ in number")
    kept = ~np.isnan(data)
    return data[kept], groups[kept]


def _by_cluster(values: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Floats]:
    data, groups = _drop_missing(values, clusters)
    member, k = members(groups)
    return sum_by(member, data, k), sum_by(member, np.ones(len(data)), k)


RESAMPLES = 10_000
"""With this many, the ends of an interval 20 points wide vary by under half a point with the seed."""
_CELLS = 1 << 22  # numbers of a block of draws, to bound its memory


def redrawn(
    rows: Floats,
    clusters: Sequence[str],
    value_of: Callable[[Floats], Floats],
    *,
    rng: Rng,
    draws: int = RESAMPLES,
) -> Floats:
    """Return a function of the sums of rows (one a case), in draws of whole clusters.

    Each draw has as many clusters as there are, with replacement, so a large cluster has the weight
    of its cases (Davison and Hinkley 1997, on hierarchical data). Their order changes nothing.
    ``value_of`` gets the sums of each draw as a row, and returns a row for each. Raises ValueError
    if there is no case, or if rows and clusters differ in number.
    """
    if rows.ndim != 2 or not len(clusters) or len(rows) != len(clusters):
        raise ValueError("values need one row for each case, and a case")
    place = {name: position for position, name in enumerate(sorted(set(clusters)))}
    count = len(place)
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, [place[name] for name in clusters], rows)
    chances = np.full(count, 1 / count)
    parts = []
    step = max(1, _CELLS // count)
    for start in range(0, draws, step):
        drawn = rng.multinomial(count, chances, size=min(step, draws - start))
        parts.append(value_of(drawn.astype(np.float64) @ sums))
    return np.concatenate(parts)


def cluster_means(
    values: ArrayLike, clusters: Sequence[str], *, rng: Rng, draws: int = RESAMPLES
) -> Floats:
    """Return means of per-case values (one column a measure), in draws of whole clusters.

    A row for each draw, as ``redrawn`` makes them.
    """
    table = floats(values)
    if table.ndim == 2:  # ``redrawn`` refuses another form
        # a column of ones sums up to the number of cases drawn
        table = np.column_stack([table, np.ones(len(table))])

    def means(sums: Floats) -> Floats:
        return sums[:, :-1] / sums[:, -1:]

    return redrawn(table, clusters, means, rng=rng, draws=draws)


def percentile_interval(draws: Floats) -> list[Ends]:
    """The 95% percentile interval of each column of ``redrawn`` values."""
    ends = np.percentile(draws, (2.5, 97.5), axis=0)
    return [(float(low), float(high)) for low, high in ends.T]


_HALVINGS = 200  # more than the digits of a number can hold
_HAIR = 1e-9  # a rounding error, so that 2.999999999999 is 3


def allocate(sizes: Floats, most: Ints, wanted: int) -> Ints:
    """Split units over strata: in proportion to size, at least one and at most all of each.

    ``sizes`` are above 0, and larger for a stratum that has to give more than its part; ``most`` is
    the number of units in each. The counts sum to ``wanted``, or to all units where there are
    fewer. Raises ValueError if fewer are wanted than there are strata.
    """
    if wanted < len(sizes):
        raise ValueError("every stratum has to give one")
    goal = min(wanted, int(most.sum()))
    low = 0.0
    high = float(most.max(initial=1)) / float(sizes.min(initial=np.inf))
    # halve the range of the scale at which all strata give what is wanted together
    for _ in range(_HALVINGS):
        scale = (low + high) / 2
        if np.clip(scale * sizes, 1, most).sum() < goal:
            low = scale
        else:
            high = scale
    share = np.clip(high * sizes, 1, most)
    counts = np.floor(share + _HAIR).astype(np.int64)
    # the units lost by rounding go to the strata that lost the largest parts
    for place in np.argsort(counts - share, kind="stable"):
        if counts.sum() < goal and counts[place] < most[place]:
            counts[place] += 1
    return counts


def draw(sizes: Floats, wanted: int, rng: Rng) -> tuple[Ints, Floats]:
    """Draw units of one stratum, with a chance in proportion to their size, which is above 0.

    Returns their places in order, and the weight of each in the unit of the sizes: size over
    chance. The weights sum to the size of the stratum.
    """
    weights = np.zeros(len(sizes))  # 0 for a unit that isn't drawn
    rest = np.arange(len(sizes))
    left = wanted
    # A unit whose chance would be 1 or more is taken. Then others may be as large.
    while left and len(rest):
        large = sizes[rest] * left >= sizes[rest].sum()
        if not large.any():
            break
        weights[rest[large]] = sizes[rest[large]]
        rest = rest[~large]
        left = left - int(large.sum())
    if left and len(rest):
        drawn, step = _draw_at_steps(rest, sizes, left, rng)
        weights[drawn] = step
    chosen = np.flatnonzero(weights)
    return chosen, weights[chosen]


def _draw_at_steps(
    units: Ints, sizes: Floats, wanted: int, rng: Rng
) -> tuple[Ints, float]:
    """Draw units with a chance in proportion to their size; return them and their size over chance.

    They are laid end to end in a drawn order, and a unit is taken at each step, from a drawn start.
    No unit may be as long as a step, so none is taken twice.
    """
    order = rng.permutation(units)
    ends = np.cumsum(sizes[order])
    step = float(ends[-1]) / wanted
    points = (rng.random() + np.arange(wanted)) * step
    hits = np.searchsorted(ends, points, side="right")
    # rounding may put the last point a hair past the end
    return order[np.minimum(hits, len(order) - 1)], step


#: Sensitivity or specificity of what needs no detector: a label.
CERTAIN: Ends = (1.0, 1.0)


def share_given(
    hits: ArrayLike,
    flags: ArrayLike,
    clusters: ArrayLike,
    sensitivity: Ends,
    specificity: Ends,
) -> Estimate | None:
    """The share of hits among true flags, corrected for the wrong flags of a detector.

    With sensitivity s and specificity c, ``(flag - (1 - c)) / (s + c - 1)`` is right on average for
    every flag, whether it is a hit or not (Rogan and Gladen 1978, for each trace). The share is the
    ratio of two sums of it, with a variance linearized over clusters (Cochran 1977, chapter 9A).
    This assumes that the detector errs as often on hits as on others. The intervals of both are
    ``CERTAIN`` for a label.

    The interval covers those at all ends of the two, and that of the flagged alone, whose number is
    ``n``. It is (0, 1) where the detector may be no better than chance, or may have flagged nothing
    real. None where nothing is flagged.
    """
    hit = floats(hits)
    flag = floats(flags)
    groups = np.asarray(clusters)
    seen = share(hit[flag > 0], groups[flag > 0])
    if seen is None or (sensitivity == CERTAIN and specificity == CERTAIN):
        return seen

    def corrected(s: float, c: float) -> ValueWithEnds | None:
        """Return the share at one sensitivity and specificity; None for no better than chance."""
        if s + c <= 1:
            return None
        return _weighted_share(hit, (flag - (1 - c)) / (s + c - 1), groups)

    at_middle = corrected(sum(sensitivity) / 2, sum(specificity) / 2)
    at_ends = [corrected(s, c) for s, c in product(sensitivity, specificity)]
    known = [each for each in at_ends if each is not None]
    if at_middle is None or len(known) < len(at_ends):
        return Estimate(seen.value, 0.0, 1.0, seen.n, seen.clusters)
    low = min(seen.low, at_middle.low, *(each.low for each in known))
    high = max(seen.high, at_middle.high, *(each.high for each in known))
    return Estimate(at_middle.value, low, high, seen.n, seen.clusters)


def _weighted_share(hit: Floats, weight: Floats, groups: Ints) -> ValueWithEnds | None:
    """Return the weighted share with its ends, within 0 and 1.

    None for weights that sum to nothing, and for a single cluster.
    """
    total = float(weight.sum())
    _, member = np.unique(groups, return_inverse=True)
    k = int(member.max()) + 1
    if total <= 0 or k < 2:
        return None
    value = float(weight @ hit) / total
    # the residual of each cluster: a ratio is linear in them, but for small terms
    residuals = np.bincount(member, weights=weight * (hit - value), minlength=k)
    error = math.sqrt(k / (k - 1) * float(residuals @ residuals)) / total
    half = t95(k - 1) * error
    # weights of wrong flags are negative, so a share may leave 0 … 1
    low, middle, high = np.clip((value - half, value, value + half), 0.0, 1.0).tolist()
    return ValueWithEnds(middle, low, high)


LEAST_VARIATION = 0.05
"""The lowest standard deviation over mean of a cause for which its slope can be estimated."""

_EXPLAINED_ROUNDS = 3  # of reweighting
_FAR = 0.99  # quantile of time over fit that times are lowered to
# of the mean time: no fit is lower, as its weight would be nearly infinite
_FLOOR = 0.1
_MOST_LEVERAGE = 0.9  # of a cluster, as it is divided by the rest


def explained_share(
    time: Floats, cause: Floats, other: Floats, group: Ints, clusters: Ints
) -> Estimate | None:
    """The share of the mean time that a cause explains: its slope times its mean, over that mean.

    Least squares of the time on cause and other, with a separate level for each group (-1 is one,
    too); NaN is left out. Weights are one over the squared fit, because times scatter in proportion
    to themselves. Times beyond the 99th percentile of time over fit are lowered to it, so that a
    few calls that hung don't decide. The variance is that of the influence of each cluster (Huber
    1967; Liang and Zeger 1986).

    Noise can take the share below 0 or above 1. None with fewer than four clusters, where all times
    are 0, or where the cause varies within its groups by less than ``LEAST_VARIATION`` of its mean
    once the other is taken out.
    """
    kept = np.isfinite(time) & np.isfinite(cause) & np.isfinite(other)
    # named as in the formula of a regression: y on x and z
    y = time[kept]
    x = cause[kept]
    z = other[kept]
    # nothing is explained of no time, or by a cause that is never there
    if not len(y) or y.sum() <= 0 or x.mean() <= 0:
        return None
    _, level = np.unique(group[kept], return_inverse=True)
    member, k = members(clusters[kept])
    # a level and two slopes leave k - 3 degrees of freedom
    if k < 4 or _own_variation(x, z, level) < LEAST_VARIATION * x.mean():
        return None
    fit = _fit_times(y, x, z, level)
    slope, _ = fit.slopes.tolist()
    mean_x = float(x.mean())
    mean_y = float(fit.times.mean())
    n = len(y)
    value = slope * mean_x / mean_y
    # each call moves the value through the slope, through mean(x) and through mean(y)
    through_slope = _influence_on_slope(fit, x, z, level, member) * mean_x / mean_y
    through_mean_x = slope * (x - mean_x) / (mean_y * n)
    through_mean_y = value * (fit.times - mean_y) / (mean_y * n)
    influence = through_slope + through_mean_x - through_mean_y
    sums = sum_by(member, influence, k)
    half = t95(k - 3) * math.sqrt(k / (k - 1) * float(sums @ sums))
    return Estimate(value, value - half, value + half, n, k)


def _own_variation(x: Floats, z: Floats, level: Ints) -> float:
    """The standard deviation of x within its groups, once what z explains is taken out."""
    equal = np.ones(len(x))
    own = _within(x, level, equal)
    other = _within(z, level, equal)
    square = float(other @ other)
    if square > 0:
        own = own - other * (float(own @ other) / square)
    return float(own.std())


def _influence_on_slope(
    fit: _TimesFit, x: Floats, z: Floats, level: Ints, member: Ints
) -> Floats:
    """By how much each call moves the slope of x, as if its cluster had been left out.

    By weighted least squares: a call moves the slopes by the inverse of the columns' products,
    times its own columns, its weight and its residual. Divided by one less the leverage of its
    cluster, that is about what leaving out the cluster would do.
    """
    weight = fit.weight
    columns = np.column_stack([_within(x, level, weight), _within(z, level, weight)])
    residual = _within(fit.times, level, weight) - columns @ fit.slopes
    inverse = np.linalg.pinv(columns.T @ (columns * weight[:, None]))
    leverage_of_call = ((columns @ inverse) * columns).sum(axis=1) * weight
    leverage = sum_by(member, leverage_of_call, int(member.max()) + 1)
    of_x, _ = inverse  # its rows are those of the two slopes
    influence: Floats = of_x @ (columns * (weight * residual)[:, None]).T
    influence /= 1 - np.minimum(leverage, _MOST_LEVERAGE)[member]
    return influence


class _TimesFit(NamedTuple):
    """Times fitted on two causes, with a level for each group."""

    times: Floats  #: Far ones are lowered.
    weight: Floats  #: One over the squared fit.
    slopes: Floats  #: Of the cause, and of the other.


def _fit_times(y: Floats, x: Floats, z: Floats, level: Ints) -> _TimesFit:
    """Fit times by iteratively reweighted least squares."""
    mean_time = float(y.mean())
    weight = np.ones(len(y))
    times = y
    slopes = np.zeros(2)
    for _ in range(_EXPLAINED_ROUNDS):
        # least squares on what each cause varies within the groups
        columns = np.column_stack(
            [_within(x, level, weight), _within(z, level, weight)]
        )
        inner = columns.T @ (columns * weight[:, None])
        outer = columns.T @ (weight * _within(times, level, weight))
        slopes = np.linalg.pinv(inner) @ outer
        # the fit with the level of each group
        by_causes = np.column_stack([x, z]) @ slopes
        fitted = by_causes + _means(times - by_causes, level, weight)[level]
        fitted = np.maximum(fitted, _FLOOR * mean_time)
        # times that are far above the fit are lowered
        times = np.minimum(y, fitted * float(np.quantile(y / fitted, _FAR)))
        # slow calls weigh less, as their times scatter more
        weight = (mean_time / fitted) ** 2
    return _TimesFit(times, weight, slopes)


def _means(values: Floats, level: Ints, weight: Floats) -> Floats:
    return np.bincount(level, weights=values * weight) / np.bincount(
        level, weights=weight
    )


def _within(values: Floats, level: Ints, weight: Floats) -> Floats:
    """Values less the weighted mean of their group."""
    return values - _means(values, level, weight)[level]


DRAWS = 499  # with the data, 500: the chance has steps of 0.002


class Drift(NamedTuple):
    """The squared distance between two means."""

    #: Without the part that scatter alone gives; noise can take it below 0.
    value: float
    low: float
    high: float
    chance: float  #: Share of shuffled clusters in which it is as large.


def drift(
    vectors: Floats, later: NDArray[np.bool_], clusters: Ints, rng: Rng
) -> Drift | None:
    """Return the squared distance between the means of earlier and of later vectors.

    Products of vectors from one cluster are left out, so that it is 0 on average where the means
    are the same. In squared units of the vectors (one row a case); None for under two clusters on
    either side.
    """
    member, k = members(clusters)
    sums = np.zeros((k, vectors.shape[1]))
    np.add.at(sums, member, vectors)
    sizes = np.bincount(member, minlength=k).astype(np.float64)
    # a cluster that is partly later counts as later
    is_later = np.bincount(member, weights=later, minlength=k) > 0
    if is_later.sum() < 2 or (~is_later).sum() < 2:
        return None
    squares = np.einsum("ij,ij->i", sums, sums)
    (value,) = _distances(sums, sizes, squares, is_later[None]).tolist()
    without = _without_each(sums, sizes, squares, is_later)
    jackknife = (k - 1) / k * float(((without - without.mean()) ** 2).sum())
    # where the means are the same the jackknife has no variance, so that of drawing anew which
    # clusters are later is added
    splits = np.array([rng.permutation(is_later) for _ in range(DRAWS)])
    shuffled = _distances(sums, sizes, squares, splits)
    half = t95(k - 1) * math.hypot(math.sqrt(jackknife), float(np.std(shuffled)))
    chance = (1 + int((shuffled >= value).sum())) / (DRAWS + 1)
    return Drift(value, value - half, value + half, chance)


def _distances(
    sums: Floats, sizes: Floats, squares: Floats, sides: NDArray[np.bool_]
) -> Floats:
    """The squared distance for each way to split the clusters, a row of ``sides`` each.

    It is the mean product within either side, of pairs from different clusters, less twice the mean
    product across.
    """
    is_later = sides.astype(np.float64)
    # by split: the sum and the number of the vectors on either side
    later = is_later @ sums
    earlier = sums.sum(axis=0) - later
    n_later = is_later @ sizes
    n_earlier = sizes.sum() - n_later
    # the products and the pairs within one cluster, which are left out
    own_later = is_later @ squares
    own_earlier = squares.sum() - own_later
    pairs_later = is_later @ sizes**2
    pairs_earlier = (sizes**2).sum() - pairs_later
    within_later = _mean_product_within(later, n_later, own_later, pairs_later)
    within_earlier = _mean_product_within(
        earlier, n_earlier, own_earlier, pairs_earlier
    )
    across = np.einsum("ij,ij->i", later, earlier) / (n_later * n_earlier)
    distances: Floats = within_later + within_earlier - 2 * across
    return distances


def _mean_product_within(
    sums: Floats, sizes: Floats, own_products: Floats, own_pairs: Floats
) -> Floats:
    """The mean product of two vectors on one side that are from different clusters, for each split.

    ``sums`` and ``sizes`` are those of the side; ``own_products`` and ``own_pairs`` belong to
    vectors of one cluster, and aren't counted.
    """
    # the square of a sum is the sum of the products of all pairs
    products = np.einsum("ij,ij->i", sums, sums)
    mean: Floats = (products - own_products) / (sizes**2 - own_pairs)
    return mean


def _without_each(
    sums: Floats, sizes: Floats, squares: Floats, side: NDArray[np.bool_]
) -> Floats:
    """Return the distance of both sides with each cluster left out in turn, for the jackknife.

    Computed as in ``_distances``. Leaving out a cluster changes only the terms of its own side.
    """
    distances = np.zeros(len(sizes))
    for loses in (side, ~side):  # the side that loses a cluster
        stays = ~loses
        within = _within_without_each(sums[loses], sizes[loses], squares[loses])
        total = sums[loses].sum(axis=0)
        other = sums[stays].sum(axis=0)
        n_left = sizes[loses].sum() - sizes[loses]  # by lost cluster
        n_other = sizes[stays].sum()
        other_pairs = n_other**2 - (sizes[stays] ** 2).sum()
        within_other = (other @ other - squares[stays].sum()) / other_pairs
        across = (total @ other - sums[loses] @ other) / (n_left * n_other)
        distances[loses] = within + within_other - 2 * across
    return distances


def _within_without_each(sums: Floats, sizes: Floats, squares: Floats) -> Floats:
    """The mean product within one side, with each of its clusters left out in turn.

    As everywhere here, products of vectors from one cluster aren't counted.
    """
    total = sums.sum(axis=0)
    n_left = sizes.sum() - sizes
    # |total - lost|², less the squares of the clusters that are left
    products = total @ total - 2 * sums @ total + squares
    products -= squares.sum() - squares
    pairs = n_left**2 - ((sizes**2).sum() - sizes**2)
    # a side of two clusters has no pair without one of them, and 0 isn't divided by 0
    within: Floats = products / np.maximum(pairs, 1e-12)
    return within


_ROUNDS = 30  # of moving the centers, at most


def kmeans(vectors: Vectors, groups: int, rng: Rng) -> tuple[Ints, Floats]:
    """Group vectors around means (Lloyd 1982), from starts by Arthur and Vassilvitskii (2007).

    ``groups`` is the most; there are fewer groups where there are fewer distinct vectors. Returns
    the group of each row, the largest group 0, and its squared distance to the group's mean.
    """
    if not len(vectors):
        return np.empty(0, dtype=np.int64), np.empty(0)
    centres = _first_centres(vectors, groups, rng)
    member, _ = _nearest(vectors, centres)
    for _ in range(_ROUNDS):
        sums = np.zeros(centres.shape)
        np.add.at(sums, member, vectors)
        count = np.bincount(member, minlength=len(centres))
        full = count > 0
        centres[full] = (sums[full] / count[full, None]).astype(np.float32)
        moved, _ = _nearest(vectors, centres)
        if np.array_equal(moved, member):
            break
        member = moved
    member, away = _nearest(vectors, centres)
    count = np.bincount(member, minlength=len(centres))
    largest_first = np.argsort(-count, kind="stable")
    rank = np.empty(len(centres), dtype=np.int64)
    rank[largest_first] = np.arange(len(centres))
    return rank[member], away


def _first_centres(vectors: Vectors, groups: int, rng: Rng) -> Vectors:
    """First centers (k-means++): a vector far from those drawn before is drawn more often."""
    centres = [vectors[int(rng.integers(len(vectors)))]]
    _, away = _nearest(vectors, np.array(centres))
    while len(centres) < groups:
        away[away < 1e-6] = 0.0  # the same vector, but for rounding
        total = away.sum()
        if total <= 0:
            break
        # k-means++: the farther a vector, in squares, the likelier it is the next
        centre = vectors[int(rng.choice(len(vectors), p=away / total))]
        centres.append(centre)
        _, away_from_it = _nearest(vectors, centre[None])
        away = np.minimum(away, away_from_it)
    return np.array(centres, dtype=np.float32)


def _nearest(vectors: Vectors, centres: Vectors) -> tuple[Ints, Floats]:
    """The nearest center of each vector, and the squared distance to it."""
    square = (
        (vectors.astype(np.float64) ** 2).sum(axis=1)[:, None]
        - 2.0 * (vectors @ centres.T)
        + (centres.astype(np.float64) ** 2).sum(axis=1)
    )
    group = square.argmin(axis=1).astype(np.int64)
    return group, np.maximum(square[np.arange(len(vectors)), group], 0.0)
