"""Reasons for and against that exclude each other."""

from __future__ import annotations

from tuneworthy.model.base import growth_needed, months_to_reach
from tuneworthy.model.dossier import Challenge
from tuneworthy.verdict.challenges.facts import Facts, Numbers, says
from tuneworthy.words import count, listing, plain, share, usd

# Reasons for and against that exclude each other.

_ALL_LATER = ("low_volume",)


def cost_reason_with_low_volume(facts: Facts) -> Challenge | None:
    """Cost can't hurt when there are few calls."""
    if not facts.holds("cost_optimization", "low_volume"):
        return None
    numbers = {"requests": facts.requests, "bill_usd": facts.bill_usd}
    between = ("factors.cost_optimization", "factors.low_volume")
    return Challenge("cost_reason_with_low_volume", "contradiction", between, numbers)


def exploring_with_fixed_format(facts: Facts) -> Challenge | None:
    """What every output must look like can't be fixed while the task is still being found."""
    by_goal = "format" in facts.case.goals
    if not facts.holds("exploration_phase") or not (facts.holds("consistent_behavior") or by_goal):
        return None
    other = "factors.consistent_behavior" if facts.holds("consistent_behavior") else "goals"
    between = ("factors.exploration_phase", other)
    return Challenge("exploring_with_fixed_format", "doubt", between)


def changing_requirements_baked_in(facts: Facts) -> Challenge | None:
    """What changes every month shouldn't be trained into weights."""
    by_goal = {"knowledge", "domain_expertise"} & set(facts.case.goals)
    if not facts.holds("rapidly_changing_requirements"):
        return None
    if not (facts.holds("domain_knowledge") or by_goal):
        return None
    answer = facts.case.factors.get("rapidly_changing_requirements")
    changes = (answer.changes if answer else None) or "unknown"
    other = "factors.domain_knowledge" if facts.holds("domain_knowledge") else "goals"
    between = ("factors.rapidly_changing_requirements", other)
    return Challenge(
        "changing_requirements_baked_in", "contradiction", between, {"changes": changes}
    )


def latency_reason_with_short_prompt(facts: Facts) -> Challenge | None:
    """A short prompt costs little time, so shortening it further buys little."""
    return _short_prompt(facts, "latency_reason_with_short_prompt", "latency_requirements")


def instruction_limit_with_short_prompt(facts: Facts) -> Challenge | None:
    """A short prompt isn't too long to be followed."""
    return _short_prompt(facts, "instruction_limit_with_short_prompt", "instruction_limit")


def _short_prompt(facts: Facts, name: str, answer: str) -> Challenge | None:
    tokens = facts.case.economics.traffic.input_tokens
    limit = facts.framework.threshold("short_prompt")
    if tokens is None or limit is None or tokens.high >= limit or not facts.holds(answer):
        return None
    room = "signals" if answer in facts.framework.signals else "factors"
    between = (f"{room}.{answer}", "economics.traffic.input_tokens")
    return Challenge(name, "doubt", between, {"tokens": tokens.likely, "limit": limit})


def low_volume_now(facts: Facts) -> Challenge | None:
    """Volume that is low today and counted as high: the growth has to happen first."""
    answer = facts.case.factors.get("low_volume")
    if answer is None or (answer.value, answer.now) != ("no", "yes"):
        return None
    growth = facts.growth_per_month
    limit = facts.framework.threshold("low_volume")
    saving = facts.case.economics.monthly.api_savings_usd
    numbers: dict[str, object] = {
        "requests": facts.requests,
        "growth": growth,
        "by_month": answer.by_month,
        "limit": limit,
    }
    if facts.requests and growth is not None and answer.by_month is not None:
        numbers["then"] = facts.requests * (1 + growth) ** answer.by_month
    if facts.requests and facts.request_usd and saving is not None:
        pays_at = saving.likely / facts.request_usd
        numbers["pays_at"] = pays_at
        numbers["pays_in"] = months_to_reach(
            now=facts.requests, target=pays_at, growth_per_month=growth or 0.0
        )
        numbers["rate_needed"] = growth_needed(
            now=facts.requests, target=pays_at, months=answer.by_month or 0
        )
    between = ("factors.low_volume.value", "factors.low_volume.now")
    return Challenge("low_volume_now", "pushback", between, numbers)


def answer_differs_now(facts: Facts) -> Challenge | None:
    """Another answer that counts although it doesn't hold yet."""
    names = [
        name
        for name, answer in facts.case.factors.items()
        if name not in _ALL_LATER and answer.now not in (None, answer.value)
    ]
    if not names:
        return None
    between = tuple(f"factors.{name}.{part}" for name in names for part in ("value", "now"))
    return Challenge("answer_differs_now", "doubt", between, {"names": tuple(names)})


def volume_against_answer(facts: Facts) -> Challenge | None:
    """Requests a month that say the opposite of the answer about volume."""
    stated = facts.case.economics.traffic.requests_per_month
    limit = facts.framework.threshold("low_volume")
    answer = facts.case.factors.get("low_volume")
    if stated is None or limit is None or answer is None or answer.value == "unknown":
        return None
    few, many = stated.high < limit, stated.low >= limit
    agrees = (answer.value == "yes" and not many) or (answer.value == "no" and not few)
    measured = facts.assessment.answers["low_volume"].source == "measured"  # another challenge's
    if agrees or measured or (few and answer.now == "yes"):
        return None
    numbers = {"requests": stated.likely, "limit": limit, "answer": answer.value}
    between = ("factors.low_volume", "economics.traffic.requests_per_month")
    return Challenge("volume_against_answer", "contradiction", between, numbers)


def sovereignty_with_hosted_tuning(facts: Facts) -> Challenge | None:
    """Data that may not leave the house would be uploaded to be trained on."""
    if not facts.holds("data_sovereignty") or facts.case.tuning.service != "hosted":
        return None
    between = ("factors.data_sovereignty", "tuning.service")
    return Challenge("sovereignty_with_hosted_tuning", "contradiction", between)


def sovereignty_with_third_party_api(facts: Facts) -> Challenge | None:
    """Data that may not go to a third party goes there today."""
    if not facts.holds("data_sovereignty") or facts.case.today.api != "third_party":
        return None
    between = ("factors.data_sovereignty", "today.api")
    return Challenge("sovereignty_with_third_party_api", "contradiction", between)


ALL = (
    cost_reason_with_low_volume,
    exploring_with_fixed_format,
    changing_requirements_baked_in,
    latency_reason_with_short_prompt,
    instruction_limit_with_short_prompt,
    low_volume_now,
    answer_differs_now,
    volume_against_answer,
    sovereignty_with_hosted_tuning,
    sovereignty_with_third_party_api,
)


# Words for reasons that exclude each other.


@says
def _cost_reason_with_low_volume(n: Numbers) -> tuple[str, str]:
    bill = (
        f" At today's prices that is about {usd(n['bill_usd'])} a month." if n["bill_usd"] else ""
    )
    return (
        f"Cost is given as a reason, and volume is low.{bill} Few calls can't be expensive enough.",
        "Decide which holds: look up the invoice and the calls of the last month",
    )


@says
def _exploring_with_fixed_format(_: Numbers) -> tuple[str, str]:
    return (
        "You are still finding out what users need, and every output must already look the same.",
        "Say which outputs are fixed today; constrain those, and leave the rest to prompts",
    )


@says
def _changing_requirements_baked_in(n: Numbers) -> tuple[str, str]:
    says = "Requirements change about every month, and knowledge is to be trained into the model."
    settle = {
        "content": "Facts change: keep them in retrieval, and tune for behavior alone if at all",
        "policy": "Rules of behavior change: tune what stays and retrieve the rest, or wait",
        "both": "Facts and rules both change: keep facts in retrieval and wait with the rest",
    }.get(
        n["changes"],
        "Say what changes (content or policy): content belongs in retrieval; policy means a "
        "hybrid, or waiting",
    )
    return says, settle


@says
def _latency_reason_with_short_prompt(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Latency is given as a reason, but a request has only about {count(n['tokens'])} "
            f"input tokens (short is under {count(n['limit'])}). Shortening them further buys "
            "little time."
        ),
        "Measure how latency depends on input tokens; try a faster model or a shorter answer first",
    )


@says
def _instruction_limit_with_short_prompt(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"The prompt is said to be too long to be followed, but a request has only about "
            f"{count(n['tokens'])} input tokens (short is under {count(n['limit'])})."
        ),
        "Check which instructions fail and where they stand in the prompt",
    )


@says
def _low_volume_now(n: Numbers) -> tuple[str, str]:
    says = "Volume counts as sufficient, but it is low at present."
    if n["requests"] is not None:
        says += f" Today it is {count(n['requests'])} requests a month"
        if n.get("then") is not None:
            says += f"; at {share(n['growth'])} growth month {n['by_month']} has {count(n['then'])}"
        says += "."
    if n.get("pays_at") is not None:
        says += f" The stated saving needs about {count(n['pays_at'])} a month"
        pays_in = n.get("pays_in")
        says += (
            f": month {pays_in} at that growth." if pays_in else ", which no stated growth reaches."
        )
    if n.get("rate_needed") and n.get("by_month"):
        says += f" Month {n['by_month']} would take {share(n['rate_needed'])} growth a month."
    return says, "Confirm the growth before money is spent, and watch that it comes"


@says
def _answer_differs_now(n: Numbers) -> tuple[str, str]:
    names = listing([plain(name) for name in n["names"]])
    return (
        f"The answer that counts isn't how things stand today: {names}.",
        "Decide by today's answer, or say what makes it change and when",
    )


@says
def _volume_against_answer(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Low volume is answered {n['answer']}, and traffic is "
            f"{count(n['requests'])} "
            f"requests a month (low is under {count(n['limit'])})."
        ),
        "Count last month's requests and correct one of the two",
    )


@says
def _sovereignty_with_hosted_tuning(_: Numbers) -> tuple[str, str]:
    return (
        "Data may not go to a third party, and a hosted service would train on it.",
        (
            "Tune open weights in your own house, or have it confirmed in writing what the service "
            "may see"
        ),
    )


@says
def _sovereignty_with_third_party_api(_: Numbers) -> tuple[str, str]:
    return (
        "Data may not go to a third party, and today's system sends it to one.",
        "Ask who decides about the data; either today's system has to stop or the reason falls",
    )
