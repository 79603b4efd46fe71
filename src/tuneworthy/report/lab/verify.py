"""Whether tuning worked, for a terminal."""

from __future__ import annotations

from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.lab import Contrast, VerifyResult
from tuneworthy.domain.record import Unknown
from tuneworthy.report.lab import money, share_text
from tuneworthy.report.layout import Paint, row, safe, wrapped
from tuneworthy.report.words import count, share

_SAYS = {
    ("improved", "task"): "improved: the whole interval lies above the margin, and general "
    "skills held",
    ("regressed", "task"): "regressed: the tuned model is worse at the task",
    ("regressed", "general"): "regressed: general skills fell by more than their margin",
    ("no_gain", "task"): "no gain: the whole interval lies below the margin",
    ("too_few_cases", "interval"): "too few cases: the interval holds the margin",
    ("too_few_cases", "general"): "better at the task, but whether general skills held is open",
}


def verify_dict(result: VerifyResult) -> str:
    """The result as JSON."""
    return json_text({"schema": "tuneworthy/verify/1", **result.model_dump(mode="json")})


def verify_page(result: VerifyResult, *, colour: bool = False) -> str:
    """The answer, both comparisons, and the plan they were made by."""
    paint, plan = Paint(colour), result.plan
    said = _SAYS.get((result.outcome, result.why), result.outcome.replace("_", " "))
    lines = [paint("strong", line) for line in wrapped(f"{said[:1].upper()}{said[1:]}.")]
    lines.append("")
    lines += row("Tuned", f"{share_text(result.tuned)}: {safe(plan.tuned)}")
    lines += row("Untuned", f"{share_text(result.untuned)}: {safe(plan.untuned)}")
    lines += row("Difference", f"{_ends(result.contrast)}; margin {share(plan.margin)}")
    lines += row("In general", f"{_ends(result.general)} on {count(plan.general)} general tasks; "
                 f"may fall by {share(plan.general_margin)}")  # fmt: skip
    if result.outcome == "too_few_cases" and not isinstance(result.contrast.cases_needed, Unknown):
        lines += row("Needed", f"about {count(result.contrast.cases_needed)} cases would tell")
    lines += row("Plan", f"written down on {plan.written_on}, before {count(plan.cases)} "
                 "untouched cases were run; all of them count")  # fmt: skip
    lines += row("Spent", f"{money(result.spend.paid)} of {money(result.spend.cap)}")
    if result.stopped:
        lines += row("Stopped", f"{safe(result.stopped)}. Run it again to go on")
    return "\n".join(lines) + "\n"


def _ends(one: Contrast) -> str:
    return f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
