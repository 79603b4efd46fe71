"""How often arms are told apart that don't differ, and that do; on made-up tests.

python evidence/accuracy/arms.py
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.measure.signals.arms import ArmName, ArmRuns, compare_arms
from tuneworthy.model.evidence import ArmsResult, Lead

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETS = 300
MANY = 3000  # where the plain 5% is to be seen
CASES = 300


def drawn(rng: np.random.Generator, rates: list[float]) -> NDArray[np.float64]:
    """Right and wrong by case and arm; an easy case is easy for every arm (correlation 0.5)."""
    ease, noise = rng.normal(size=(CASES, 1)), rng.normal(size=(CASES, len(rates)))
    cut = np.array([NormalDist().inv_cdf(rate) for rate in rates])
    return np.asarray((ease + noise) / np.sqrt(2) < cut, np.float64)


def result(scores: NDArray[np.float64]) -> ArmsResult:
    """The comparison of arms on a table of scores."""
    cases, arms = scores.shape
    size = scores.size
    runs = ArmRuns(
        arm=np.tile(np.arange(arms), cases),
        case=np.repeat(np.arange(cases, dtype=np.float64), arms),
        run=np.arange(size),
        score=scores.ravel(),
        usd=np.full(size, np.nan),
        latency_s=np.full(size, np.nan),
        error=np.zeros(size, dtype=bool),
        group=np.full(size, np.nan),
    )
    names = [ArmName(f"p{arm}", "m") for arm in range(arms)]
    return compare_arms(names, runs, rng=np.random.default_rng(0))


def main() -> None:
    """Print the table."""
    print(
        f"{CASES} cases, {SETS} tests each ({MANY} of two equal arms); the best scores 0.7"
    )
    for arms in (2, 4, 10):
        for ahead in (0.0, 0.01, 0.05, 0.2):
            rng = np.random.default_rng(arms)
            rates = [0.7, *[0.7 - ahead] * (arms - 1)]
            sets = MANY if arms == 2 and not ahead else SETS
            results = [result(drawn(rng, rates)) for _ in range(sets)]
            apart = [
                isinstance(r.lead, Lead) and r.lead.told_apart == "yes" for r in results
            ]
            best = [r.arms[0] for r in results]
            gaps = [[rates[int(arm.prompt[1:])] for arm in r.arms[:2]] for r in results]
            held = [
                isinstance(r.lead, Lead)
                and r.lead.low <= gap[0] - gap[1] + 1e-9 <= r.lead.high
                for r, gap in zip(results, gaps, strict=True)
            ]
            own = np.mean(
                [arm.low <= rates[int(arm.prompt[1:])] <= arm.high for arm in best]
            )
            all_ = np.mean(
                [
                    arm.low_of_all <= rates[int(arm.prompt[1:])] <= arm.high_of_all
                    for arm in best
                ]
            )
            print(f"  {arms:2} arms, best ahead by {ahead:.2f}: told apart {np.mean(apart):.1%}, "
                  f"the lead holds the truth in {np.mean(held):.1%}; "
                  f"the best's own interval holds its true score in {own:.1%}, "
                  f"the one for all in {all_:.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
