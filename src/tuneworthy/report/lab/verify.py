"""Whether tuning worked, for a terminal."""

from __future__ import annotations

from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.lab import VerifyResult
from tuneworthy.domain.record import Unknown
from tuneworthy.report.lab.judge import judge_block, label_command
from tuneworthy.report.lab.words import difference_text, labelled, share_text, spent, stopped
from tuneworthy.report.layout import Paint, safe, wrapped
from tuneworthy.report.words import count, share

_SAYS = {
    ("improved", "task"): "improved: the whole interval lies above the margin, and general "
    "skills held",
    ("regressed", "task"): "regressed: the tuned model is worse at the task",
    ("regressed", "general"): "regressed: general skills fell by more than their margin",
    ("no_gain", "task"): "no gain: the whole interval lies below the margin",
    ("too_few_cases", "interval"): "too few cases: the interval holds the margin",
    ("too_few_cases", "general"): "better at the task; whether general skills held is open",
    ("too_few_cases", "stopped"): "not judged: it was cut short",
    ("unknown", "labels"): "unknown: a judge's word counts only with people's labels",
    ("unknown", "choice"): "unknown: better than the untuned arm that a judge chose on its word "
    "alone; another untuned one may be better",
}


def verify_dict(result: VerifyResult) -> str:
    """The result as JSON."""
    return json_text({"schema": "tuneworthy/verify/1", **result.model_dump(mode="json")})


def verify_page(
    result: VerifyResult, *, folder: str = ".", rubric: str = "", colour: bool = False
) -> str:
    """The answer, both comparisons, and the plan they were made by.

    Args:
        result: What was found.
        folder: How the user named the case.
        rubric: How the user named a judge's rubric.
        colour: Whether the terminal takes colour.
    """
    paint, plan = Paint(colour), result.plan
    said = _SAYS.get((result.outcome, result.why), result.outcome.replace("_", " "))
    lines = [paint("strong", line) for line in wrapped(f"{said[:1].upper()}{said[1:]}.")]
    lines.append("")
    none = "not run" if result.judge is None else "unknown"
    lines += labelled("Tuned", f"{share_text(result.tuned, none)}: {safe(plan.tuned)}")
    lines += labelled("Untuned", f"{share_text(result.untuned, none)}: {safe(plan.untuned)}")
    margin = f"margin {share(plan.margin)}"
    lines += labelled("Difference", f"{difference_text(result.contrast)}; {margin}")
    lines += labelled("In general", f"{difference_text(result.general)} on {count(plan.general)} "
                      f"general tasks; may fall by {share(plan.general_margin)}")  # fmt: skip
    needed = result.contrast.cases_needed
    if result.why == "interval" and not isinstance(needed, Unknown):
        lines += labelled("Needed", f"about {count(needed)} cases would tell that difference from "
                          "none")  # fmt: skip
    lines += labelled("Plan", f"written down on {plan.written_on}, before {count(plan.cases)} "
                      "untouched cases were run; all of them count")  # fmt: skip
    lines += spent(result.spend)
    lines += stopped(result.stopped)
    if result.judge is not None:
        lines += ["", *judge_block(result.judge, paint)]
        told = label_command(result.judge, safe(folder), rubric, lab="verify",
                             choose=result.why == "choice")  # fmt: skip
        lines += ["", *wrapped(told, first="Next: ")] if told and not result.stopped else []
    return "\n".join(lines) + "\n"
