"""Words for what was measured against what was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneworthy.report.challenges.registry import Numbers, says
from tuneworthy.report.evidence.values import interval_text
from tuneworthy.report.words import count, few, plain, sentence


def _one(n: Mapping[str, Any]) -> str:
    """An answer and what was measured about it."""
    on = f" (of {count(n['n'])})" if n["n"] else ""
    return f"{plain(n['answer'])} is answered {n['told']}; measured {_seen(n)}{on}"


def _seen(n: Mapping[str, Any]) -> str:
    """What was measured: ``outputs out of format: 9% (8–11%) of outputs``."""
    seen = interval_text(n["value"], n["low"], n["high"], n["unit"])
    return f"{n['title']}: {seen}" if n["title"] else seen


@says
def _measured_against_answer(n: Numbers) -> tuple[str, str]:
    said = sentence("; ".join(_one(each) for each in n["answers"]))
    counts = "The measurement counts." if len(n["answers"]) == 1 else "The measurements count."
    return f"{said} {counts}", "Correct the answer, or say what the data leaves out"


@says
def _measured_against_number(n: Numbers) -> tuple[str, str]:
    told = []
    for each in n["numbers"]:
        low, high = each["stated"]
        stated = interval_text(low, low, high, each["unit"])
        seen = interval_text(each["value"], each["low"], each["high"], each["unit"])
        told.append(f"{plain(each['path'].rsplit('.', 1)[-1])}: stated {stated}, measured {seen}")
    which = "The measured one counts." if len(told) == 1 else "The measured ones count."
    return f"{sentence('; '.join(told))} {which}", "Correct the number in the case file"


@says
def _need_without_support(n: Numbers) -> tuple[str, str]:
    return (
        f"{sentence(plain(n['answer']))[:-1]} is answered yes, and the data shows little of it, "
        f"{_seen(n)}. The answer stands; a need is not settled by what is logged.",
        "Say what the need rests on: a law, a contract, a policy",
    )


@says
def _need_seen_in_data(n: Numbers) -> tuple[str, str]:
    return (
        f"{sentence(plain(n['answer']))[:-1]} is answered no; measured {_seen(n)}.",
        "Ask whoever answers for data protection whether this may go where it goes today",
    )


@says
def _evidence_old(n: Numbers) -> tuple[str, str]:
    months = few(round(n["months"]))
    return (
        f"The newest data that was measured ends on {n['last']}, {months} months ago.",
        "Measure again on newer data",
    )
