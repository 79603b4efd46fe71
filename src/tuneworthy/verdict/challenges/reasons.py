"""Reasons for and against that exclude each other."""

from __future__ import annotations

from tuneworthy.answers.facts import (
    KNOWLEDGE_GOALS,
    CaseFacts,
    Found,
    contradiction,
    doubt,
    pushback,
)
from tuneworthy.model.case import in_use
from tuneworthy.precedents.section import ARMS
from tuneworthy.words import count, listing, plain, share, usd

_TUNED = ("fine_tune", "hybrid")


@contradiction
def cost_reason_with_low_volume(facts: CaseFacts) -> Found:
    """Cost isn't a problem when there are few calls."""
    bill = ""
    if facts.bill and facts.bill.likely:
        bill = f" At today's prices that is about {usd(facts.bill.likely)}{facts.case.a_month}."
    return facts.holds("cost_optimization", "low_volume") and (
        ("factors.cost_optimization", "factors.low_volume"),
        f"Cost is given as a reason, and volume is low.{bill} Few calls can't be expensive enough.",
        "Decide which holds: look up the invoice and the calls behind it",
    )


@doubt
def cost_reason_with_small_bill(facts: CaseFacts) -> Found:
    """Cost isn't a reason when the whole bill doesn't repay the upfront cost of tuning."""
    whole, upfront = facts.repays or (0.0, 0.0)
    fires = facts.holds("cost_optimization") and facts.small_bill
    return fires and (
        ("factors.cost_optimization", facts.bill_path),
        f"Cost is given as a reason, but the whole bill until the payback limit is {usd(whole)}, "
        f"and tuning takes {usd(upfront)} or more up front.",
        "Look up the invoice. If it is right, leave cost out, or say what volume is to come",
    )


@doubt
def exploring_with_fixed_format(facts: CaseFacts) -> Found:
    """A task that is still being defined can't have a fixed form for every output."""
    fixed = facts.holds("consistent_behavior")
    fires = facts.holds("exploration_phase") and (fixed or "format" in facts.case.goals)
    return fires and (
        (
            "factors.exploration_phase",
            "factors.consistent_behavior" if fixed else "goals",
        ),
        "You are still finding out what users need, and every output must already look the same.",
        "Say which outputs are fixed today. Constrain those, and leave the rest to prompts",
    )


@contradiction
def changing_requirements_baked_in(facts: CaseFacts) -> Found:
    """Requirements that change every month shouldn't be trained into weights."""
    knows = facts.holds("domain_knowledge")
    if facts.changes == "nothing" or not (knows or facts.goals(KNOWLEDGE_GOALS)):
        return None
    settle = {
        "content": "Facts change: keep them in retrieval, and tune for behavior alone if at all",
        "policy": "Rules of behavior change: tune what stays and retrieve the rest, or wait",
        "both": "Facts and rules both change: keep facts in retrieval and wait with the rest",
        "unknown": "Say what changes: content belongs in retrieval, and policy means a hybrid, or "
        "waiting",
    }
    return (
        (
            "factors.rapidly_changing_requirements",
            "factors.domain_knowledge" if knows else "goals",
        ),
        "Requirements change about every month, and the model is to know what is your own.",
        settle[facts.changes],
    )


@doubt
def knowledge_goal_against_record(facts: CaseFacts) -> Found:
    """Tuned models measured best for knowledge less often than by chance; retrieval is untried."""
    least = facts.framework.threshold("published_cases")
    if facts.tried_retrieval:
        return None
    for goal in facts.goals(KNOWLEDGE_GOALS):
        winners = facts.findings.record.get(goal, {})
        total = sum(winners.values())
        tuned = sum(winners.get(arm, 0) for arm in _TUNED)
        if (
            least is not None
            and total >= least
            and tuned * len(ARMS) < len(_TUNED) * total
        ):
            best = max(winners, key=lambda arm: winners[arm])
            return (
                ("goals", "attempts"),
                f"{plain(goal)} is a goal. In {count(total)} published cases of it a tuned model, "
                "alone or with retrieval or a better prompt, measured best "
                f"{count(tuned)} times, and {ARMS[best]} {count(winners[best])} times.",
                f"Compare with {ARMS[best]} on the same cases, or name the behavior to be tuned",
            )
    return None


@doubt
def latency_reason_with_short_prompt(facts: CaseFacts) -> Found:
    """A short prompt costs little time, so shortening it further buys little."""
    tokens, limit = _short_prompt(facts)
    fires = facts.long_prompt == "no" and facts.holds("latency_requirements")
    return fires and (
        ("factors.latency_requirements", "economics.traffic.input_tokens"),
        f"Latency is given as a reason, but a request has only about {tokens} input tokens (short "
        f"is under {limit}). Shortening them further buys little time.",
        "Measure how latency depends on input tokens. Try a faster model or a shorter answer first",
    )


@doubt
def instruction_limit_with_short_prompt(facts: CaseFacts) -> Found:
    """A short prompt isn't too long for its instructions to be followed."""
    tokens, limit = _short_prompt(facts)
    room = "signals" if "instruction_limit" in facts.framework.signals else "factors"
    fires = facts.long_prompt == "no" and facts.holds("instruction_limit")
    return fires and (
        (f"{room}.instruction_limit", "economics.traffic.input_tokens"),
        f"The prompt is said to be too long to be followed, but a request has only about {tokens} "
        f"input tokens (short is under {limit}).",
        "Check which instructions fail and where they stand in the prompt",
    )


def _short_prompt(facts: CaseFacts) -> tuple[str, str]:
    """Input tokens of a request, and the threshold of a short prompt, in words."""
    return count(facts.tokens or 0), count(
        facts.framework.threshold("short_prompt") or 0
    )


@pushback
def low_volume_now(facts: CaseFacts) -> Found:
    """Volume is low today but counted as high, so growth has to happen first."""
    answer = facts.case.factors.get("low_volume")
    if (
        answer is None
        or (answer.value, answer.now) != ("no", "yes")
        or facts.case.one_off
    ):
        return None
    now = facts.requests
    month = answer.by_month
    growth = facts.growth
    says = "Volume counts as sufficient, but it is low at present."
    grown = ""
    if now and month is not None and growth:
        grown = f". At {share(growth)} growth month {month} has {count(now * (1 + growth) ** month)}"
    if now is not None:
        says += f" Today it is {count(now)} requests a month{grown}."
    return (
        ("factors.low_volume.value", "factors.low_volume.now"),
        says,
        "Confirm the growth before money is spent, and watch that it comes",
    )


@doubt
def answer_differs_now(facts: CaseFacts) -> Found:
    """An answer about the future counts, although it doesn't hold today."""
    names = [
        name
        for name, answer in facts.case.factors.items()
        if name != "low_volume" and answer.now not in (None, answer.value)
    ]
    return bool(names) and (
        tuple(f"factors.{name}.{part}" for name in names for part in ("value", "now")),
        "Today's answer differs from the one that counts: "
        f"{listing([facts.assessment.factors[name].title for name in names])}.",
        "Decide by today's answer, or say what makes it change and when",
    )


@contradiction
def volume_against_answer(facts: CaseFacts) -> Found:
    """The requests per month contradict the answer about volume."""
    stated = facts.case.economics.traffic.requests_per_month
    limit = facts.framework.threshold("low_volume")
    said = facts.state("low_volume")
    answer = facts.case.factors.get("low_volume")
    if stated is None or limit is None or facts.source("low_volume") != "stated":
        return None  # what was measured is another challenge's
    few = stated.high < limit
    many = stated.low >= limit
    clash = {"yes": many, "no": few, "unknown": False}[said]
    later = few and answer is not None and answer.now == "yes"
    return (clash and not later) and (
        ("factors.low_volume", "economics.traffic.requests_per_month"),
        f"Low volume is answered {said}, and traffic is {count(stated.likely)} requests"
        f"{facts.case.a_month} (low is under {count(limit)}).",
        "Count the requests and correct one of the two",
    )


@contradiction
def sovereignty_with_hosted_tuning(facts: CaseFacts) -> Found:
    """Data that may not leave the house would be uploaded for training."""
    fires = facts.holds("data_sovereignty") and facts.case.tuning.service == "hosted"
    return fires and (
        ("factors.data_sovereignty", "tuning.service"),
        "Data may not go to a third party, and a hosted service would train on it.",
        "Tune open weights on your own machines, or have it confirmed in writing what the service "
        "may see",
    )


@contradiction
def sovereignty_with_third_party_api(facts: CaseFacts) -> Found:
    """Data that may not go to a third party goes to one today, as stated or by the model's price."""
    model = in_use(facts.case)
    stated = facts.case.today.api == "third_party"
    by = f" by calling {model.id}" if model and not stated else ""
    fires = facts.holds("data_sovereignty") and facts.api == "third_party"
    return fires and (
        ("factors.data_sovereignty", "today.api" if stated else "models"),
        f"Data may not go to a third party, and today's system sends it to one{by}.",
        "Ask who decides about the data. Either today's system has to stop, or the reason falls",
    )


@doubt
def persona_without_brand_voice(facts: CaseFacts) -> Found:
    """A persona is a voice, but the team answered that its own voice doesn't matter."""
    fires = "persona" in facts.case.goals and facts.state("brand_voice") == "no"
    return fires and (
        ("goals", "factors.brand_voice"),
        "Persona is a goal, and a voice of its own is said not to be needed.",
        "Say whether it needs a voice of its own. If not, take persona out of the goals",
    )
