"""How success is counted on tau_bench, and when a target is called missed on planted faults.

python evidence/accuracy/success.py ../shared/real/tau_bench/gpt-4o-airline.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from made import names, table, told

from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.model.evidence import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET = 0.9


def missed(at_fault: NDArray[np.bool_]) -> bool:
    """Whether the whole interval of success lies under the target."""
    scores: list[float | None] = [
        0.0 if bad else 1.0 for bad in at_fault.ravel().tolist()
    ]
    batch = Batch(output=[""] * len(scores), score=scores, conversation=names(at_fault))
    high = told(Success(), "success_share", batch).high
    return isinstance(high, float) and high < TARGET


def main() -> None:
    """Print both."""
    runs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    columns = {
        "output": [""] * len(runs),
        "score": [run["reward"] for run in runs],
        "conversation": [f"{run['task_id']} {run['trial']}" for run in runs],
    }
    by_task = Batch(**columns, case=[str(run["task_id"]) for run in runs])
    for label, batch in (
        ("by task", by_task),
        ("trials taken for tasks", Batch(**columns)),
    ):
        found = told(Success(), "success_share", batch)
        print(f"{label}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f}), "
              f"{found.n} conversations in {found.clusters} clusters")  # fmt: skip
    means = np.array([
        np.mean([run["reward"] for run in runs if run["task_id"] == task])
        for task in {run["task_id"] for run in runs}
    ])  # fmt: skip
    drawn = np.random.default_rng(0).choice(means, size=(10_000, len(means))).mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    print(f"tasks drawn again: {means.mean():.3f} ({low:.3f} to {high:.3f})")
    print(f"a target of {TARGET} called missed, where the fault is a wrong answer")
    table("success_share wholly under the target", missed)


if __name__ == "__main__":
    main()
