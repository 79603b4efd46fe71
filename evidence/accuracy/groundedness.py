"""How well the detector of unsupported answers agrees with BEGIN's labels, against plain overlap.

    python evidence/accuracy/groundedness.py ../shared/real/begin look

Fits on one half of the passages, drawn by a hash of the passage, and reports on the other; on the
other only with the last word, so that nothing is chosen by it.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from binary import auc, balanced, best_threshold, between, fit, half_of, redrawn

from tuneworthy.measure.signals import knowledge as groundedness
from tuneworthy.stats.clustered import share

DRAWS = 4000


def rows(folder: Path) -> list[dict[str, str]]:
    """The labelled answers of all files of a folder."""
    found = []
    for path in sorted(folder.glob("begin_dev_*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return found


def report(name: str, cases: list[dict[str, str]], fitted: tuple[float, ...], cut: float) -> None:
    """Print both methods on some cases, and their difference with passages drawn again."""
    truth = np.array([case["begin_label"] == "Fully attributable" for case in cases]) * 1.0
    pairs = [(case["response"], [case["knowledge"]]) for case in cases]
    plain = np.array([groundedness.counts(*pair)[0] for pair in pairs])
    ours = np.array([(1, *groundedness.counts(*pair)) for pair in pairs]) @ np.array(fitted)
    ones, drawn = np.ones(len(cases)), redrawn([c["knowledge"] for c in cases], DRAWS, 1)
    print(f"\n{name}: {len(cases)} answers, {int(truth.sum())} of them supported")
    areas = [(auc(plain, truth, w), auc(ours, truth, w)) for w in (ones, *drawn)]
    said = [each.astype(np.float64) for each in (plain >= cut, ours >= 0)]
    right = [[balanced(each, truth, w) for each in said] for w in (ones, *drawn)]
    for label, pairs_of in (("AUC", areas), ("balanced accuracy", right)):
        table = np.array(pairs_of)
        change = table[:, 1] - table[:, 0]
        print(
            f"  {label}: overlap {table[0, 0]:.3f} ({between(table[1:, 0])}), "
            f"model {table[0, 1]:.3f} ({between(table[1:, 1])}), "
            f"difference {change[0]:+.3f} ({between(change[1:])})"
        )
    members = np.unique([case["knowledge"] for case in cases], return_inverse=True)[1]
    for label, kept, hits in (
        ("unsupported found", truth == 0, ours < 0),
        ("supported left alone", truth == 1, ours >= 0),
    ):
        seen = share(hits[kept], members[kept])
        if seen:
            print(f"  {label}: {seen.value:.3f} ({seen.low:.3f} to {seen.high:.3f}), n {seen.n}")


def main() -> None:
    """Fit on one half, report on the other."""
    data = rows(Path(sys.argv[1]))
    claims = [case for case in data if case["begin_label"] != "Generic"]
    halves = [[case for case in claims if half_of(case["knowledge"]) == side] for side in (0, 1)]
    truth = np.array([case["begin_label"] == "Fully attributable" for case in halves[0]]) * 1.0
    pairs = [(case["response"], [case["knowledge"]]) for case in halves[0]]
    columns = np.array([groundedness.counts(*pair) for pair in pairs])
    plain = np.array([groundedness.counts(*pair)[0] for pair in pairs])
    constant, *weights = fit(columns, truth)
    logits = constant + columns @ np.array(weights)
    constant -= best_threshold(logits, truth)  # so that the threshold is at even odds
    cut = best_threshold(plain, truth)
    fitted = (constant, *weights)
    print("weights:", *(f"{each:.4f}" for each in fitted))
    shipped = groundedness.WEIGHTS
    print("shipped:", *(f"{each:.4f}" for each in shipped), f"; overlap from {cut:.3f} on")
    report("fitted half", halves[0], fitted, cut)
    if "look" not in sys.argv:
        return
    report("other half", halves[1], shipped, cut)
    report("other half, wow", [c for c in halves[1] if c["data_source"] == "wow"], shipped, cut)
    report("other half, cmu", [c for c in halves[1] if c["data_source"] == "cmu"], shipped, cut)
    other = [case for case in data if half_of(case["knowledge"]) == 1]
    report("other half, generic answers counted as unsupported", other, shipped, cut)


if __name__ == "__main__":
    main()
