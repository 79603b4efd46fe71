"""Words for reasons that exclude each other."""

from __future__ import annotations

from tuneworthy.report.challenges.registry import Numbers, says
from tuneworthy.report.words import count, listing, plain, share, usd


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
