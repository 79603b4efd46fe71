"""What is read of logs of each maker, held against what was written into them by hand.

    python evidence/accuracy/logs.py

Reads the fixtures of tests/traces/test_formats.py, made from the makers' documented fields, and prints a
row a maker: of the values that its calls hold how many are read right, by kind.
"""

from __future__ import annotations

import sys
from math import isclose
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from test_formats import LOGS, load

KINDS = {
    "model": ("model",),
    "text": ("input", "output", "system", "tool_calls", "error", "contexts"),
    "tokens": ("input_tokens", "output_tokens", "cached_tokens"),
    "cost": ("usd",),
    "time": ("timestamp", "latency_s", "time_to_first_token_s"),
    "score": ("score", "reference"),
}
BESIDE: dict[str, tuple[str, str, list[Any]]] = {
    "langfuse-v2.jsonl": ("langfuse-scores.jsonl", "score", [1, 0]),
    "openinference.jsonl": ("phoenix-annotations.jsonl", "label", ["good", None]),
}  #: Scores that stand in a file of their own.


def _equal(read: Any, wanted: Any) -> bool:
    """Times are differences of clocks, which a float doesn't hold to the last digit."""
    if isinstance(read, float) and isinstance(wanted, int | float):
        return isclose(read, wanted, rel_tol=1e-6)
    return bool(read == wanted)


def main() -> None:
    print("| maker | calls | " + " | ".join(KINDS) + " |")
    print("|---|---:|" + "---:|" * len(KINDS))
    for name, form, wanted in LOGS:
        found, _ = load(name)
        assert len(found) == len(wanted), name
        cells = []
        for kind, columns in KINDS.items():
            if kind == "score" and name in BESIDE:
                beside, column, told = BESIDE[name]
                read = [row.get(column) for row in load(name, beside)[0]]
                pairs = [
                    pair
                    for pair in zip(read, told, strict=True)
                    if pair != (None, None)
                ]
                cells.append(f"{sum(a == b for a, b in pairs)} of {len(pairs)}")
                continue
            pairs = [
                (got.get(column), want.get(column))
                for got, want in zip(found, wanted, strict=True)
                for column in columns
                if column in want or column in got
            ]
            good = sum(_equal(*pair) for pair in pairs)
            cells.append(f"{good} of {len(pairs)}" if pairs else "–")
        print(f"| {form} | {len(found)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
