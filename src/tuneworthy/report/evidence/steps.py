"""The steps from all answers to those that a model could learn from, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.evidence import Series

STEPS = {
    "all": "answers read",
    "no_output": "without an output",
    "error": "ended in an error",
    "refused": "refused",
    "not_json": "not the JSON they should be",
    "flagged": "bad score or feedback",
    "copy": "near copies of another",
    "usable": "usable",
}
"""Why an answer is no example, by the id of the step."""

_WHOLE = ("all", "usable")


def steps_of(series: Series) -> Iterator[tuple[str, float, bool]]:
    """Words, count, and whether it is a whole rather than what is taken off; no step of none."""
    columns = series.columns
    for name, n in zip(columns.get("step", ()), columns.get("n", ()), strict=False):
        whole = name in _WHOLE
        if whole or n:
            yield STEPS.get(str(name), str(name).replace("_", " ")), float(n), whole


def parted(sample: str) -> tuple[str, str]:
    """A sample's reason, where it has one of ours in front, and its text."""
    reason, sign, text = sample.partition(": ")
    return (reason, text) if sign and reason in STEPS else ("", sample)
