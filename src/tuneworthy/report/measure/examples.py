"""Examples to learn from, step by step, with what was thrown out."""

from __future__ import annotations

from tuneworthy.report.evidence.steps import STEPS, parted, steps_of
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.measure.found import Found
from tuneworthy.report.words import count, share


def examples_text(found: Found, paint: Paint) -> list[str]:
    """From all answers to those that could be used, against the need, with masked samples.

    Returns:
        Lines for a terminal; one that says what is missing where nothing could be counted.
    """
    one, series = found.one("usable_examples"), found.series("examples_waterfall")
    head = paint("strong", "Examples to learn from")
    if one is None or series is None:
        ask = found.ask("usable_examples", "log `output`, what the model wrote")
        return [head, *wrapped(safe(f"unknown: {ask}"), first="  ")]
    rows = [(words, ("" if whole else "–") + count(n)) for words, n, whole in steps_of(series)]
    width = max(len(number) for _, number in rows)
    lines = [head, *table([(words, number.rjust(width)) for words, number in rows])]
    lines += wrapped(_need(found, one.number), first="  ")
    personal = one.details.get("personal_share")
    if isinstance(personal, float) and personal > 0 and one.low is not None:
        cleaned = (
            f"{share(personal)} of those looked at hold personal or secret data: at least "
            f"{count(one.low)} are usable as they are, the rest after cleaning"
        )
        lines += wrapped(cleaned, first="  ")
    return [*lines, *_thrown_out(one.examples, paint)]


def _need(found: Found, usable: float) -> str:
    need = found.details("usable_examples").get("need")
    if not isinstance(need, int | float):
        return "How many are needed depends on the approach: state a goal in the case"
    verb = "enough" if usable >= need else f"{count(need - usable)} short"
    return f"The approach of the primary goal needs {count(need)}: {verb}"


def _thrown_out(samples: tuple[str, ...], paint: Paint) -> list[str]:
    """Samples by their reason, what is personal in them masked."""
    lines: list[str] = []
    last = ""
    for sample in samples:
        reason, text = parted(sample)
        if reason != last:
            lines += ["", paint("strong", f"Thrown out: {STEPS.get(reason, reason)}")]
            last = reason
        lines += wrapped(safe(text) or "(empty)", first="  · ", rest="    ")
    return lines
