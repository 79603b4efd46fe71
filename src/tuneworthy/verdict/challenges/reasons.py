"""Reasons for and against that exclude each other."""

from __future__ import annotations

from tuneworthy.answers.facts import (
    KNOWLEDGE_GOALS,
    CaseFacts,
    RaisedChallenge,
    contradiction,
    doubt,
    pushback,
)
from tuneworthy.model.case import in_use
from tuneworthy.precedents.section import ARMS
from tuneworthy.words import count, listing, plain, share, usd

_TUNED = ("fine_tune", "hybrid")


@contradiction
def cost_reason_with_low_volume(facts: CaseFacts) -> RaisedChallenge | None:
    """Cost isn't a problem when there are few calls."""
    bill = ""
    if facts.bill and facts.bill.likely:
        bill = f" At today's prices that is about {usd(facts.bill.likely)}{facts.case.a_month}."
    if not facts.holds("cost_optimization", "low_volume"):
        return None
    return RaisedChallenge(
        between=("factors.cost_optimization", "factors.low_volume"),
        says=f"Cost is given as a reason, and volume is low.{bill} Few calls can't be expensive enough.",
        settle="Decide which holds: look up the invoice and the calls behind it",
    )


@doubt
def cost_reason_with_small_bill(facts: CaseFacts) -> RaisedChallenge | None:
    """Cost isn't a reason when the whole bill doesn't repay the upfront cost of tuning."""
    whole, upfront = facts.repays or (0.0, 0.0)
    fires = facts.holds("cost_optimization") and facts.small_bill
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.cost_optimization", facts.bill_path),
        says=(
            f"Cost is given as a reason, but the whole bill until the payback limit is {usd(whole)}, "
            f"and tuning takes {usd(upfront)} or more up front."
        ),
        settle="Look up the invoice. If it is right, leave cost out, or say what volume is to come",
    )


@doubt
def exploring_with_fixed_format(facts: CaseFacts) -> RaisedChallenge | None:
    """A task that is still being defined can't have a fixed form for every output."""
    fixed = facts.holds("consistent_behavior")
    fires = facts.holds("exploration_phase") and (fixed or "format" in facts.case.goals)
    if not fires:
        return None
    return RaisedChallenge(
        between=(
            "factors.exploration_phase",
            "factors.consistent_behavior" if fixed else "goals",
        ),
        says="You are still finding out what users need, and every output must already look the same.",
        settle="Say which outputs are fixed today. Constrain those, and leave the rest to prompts",
    )


@contradiction
def changing_requirements_baked_in(facts: CaseFacts) -> RaisedChallenge | None:
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
    return RaisedChallenge(
        between=(
            "factors.rapidly_changing_requirements",
            "factors.domain_knowledge" if knows else "goals",
        ),
        says="Requirements change about every month, and the model is to know what is your own.",
        settle=settle[facts.changes],
    )


@doubt
def knowledge_goal_against_record(facts: CaseFacts) -> RaisedChallenge | None:
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
            return RaisedChallenge(
                between=("goals", "attempts"),
                says=(
                    f"{plain(goal)} is a goal. In {count(total)} published cases of it a tuned model, "
                    "alone or with retrieval or a better prompt, measured best "
                    f"{count(tuned)} times, and {ARMS[best]} {count(winners[best])} times."
                ),
                settle=f"Compare with {ARMS[best]} on the same cases, or name the behavior to be tuned",
            )
    return None


@doubt
def latency_reason_with_short_prompt(facts: CaseFacts) -> RaisedChallenge | None:
    """A short prompt costs little time, so shortening it further buys little."""
    tokens, limit = _prompt_size_words(facts)
    fires = facts.long_prompt == "no" and facts.holds("latency_requirements")
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.latency_requirements", "economics.traffic.input_tokens"),
        says=(
            f"Latency is given as a reason, but a request has only about {tokens} input tokens (short "
            f"is under {limit}). Shortening them further buys little time."
        ),
        settle=(
            "Measure how latency depends on input tokens. Try a faster model or a shorter answer "
            "first"
        ),
    )


@doubt
def instruction_limit_with_short_prompt(facts: CaseFacts) -> RaisedChallenge | None:
    """A short prompt isn't too long for its instructions to be followed."""
    tokens, limit = _prompt_size_words(facts)
    room = "signals" if "instruction_limit" in facts.framework.signals else "factors"
    fires = facts.long_prompt == "no" and facts.holds("instruction_limit")
    if not fires:
        return None
    return RaisedChallenge(
        between=(f"{room}.instruction_limit", "economics.traffic.input_tokens"),
        says=(
            f"The prompt is said to be too long to be followed, but a request has only about {tokens} "
            f"input tokens (short is under {limit})."
        ),
        settle="Check which instructions fail and where they stand in the prompt",
    )


def _prompt_size_words(facts: CaseFacts) -> tuple[str, str]:
    """Input tokens of a request, and the threshold of a short prompt, in words."""
    tokens = facts.tokens or 0
    limit = facts.framework.threshold("short_prompt") or 0
    return count(tokens), count(limit)


@pushback
def low_volume_now(facts: CaseFacts) -> RaisedChallenge | None:
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
    return RaisedChallenge(
        between=("factors.low_volume.value", "factors.low_volume.now"),
        says=says,
        settle="Confirm the growth before money is spent, and watch that it comes",
    )


@doubt
def answer_differs_now(facts: CaseFacts) -> RaisedChallenge | None:
    """An answer about the future counts, although it doesn't hold today."""
    # low_volume_now challenges the volume
    names = [
        name
        for name, answer in facts.case.factors.items()
        if name != "low_volume" and answer.now not in (None, answer.value)
    ]
    if not names:
        return None
    return RaisedChallenge(
        between=tuple(
            f"factors.{name}.{part}" for name in names for part in ("value", "now")
        ),
        says=(
            "Today's answer differs from the one that counts: "
            f"{listing([facts.assessment.factors[name].title for name in names])}."
        ),
        settle="Decide by today's answer, or say what makes it change and when",
    )


@contradiction
def volume_against_answer(facts: CaseFacts) -> RaisedChallenge | None:
    """The requests per month contradict the answer about volume."""
    stated = facts.case.economics.traffic.requests_per_month
    limit = facts.framework.threshold("low_volume")
    said = facts.state("low_volume")
    answer = facts.case.factors.get("low_volume")
    if stated is None or limit is None or facts.source("low_volume") != "stated":
        return None  # what was measured is another challenge's
    few = stated.high < limit
    many = stated.low >= limit
    clashes = {"yes": many, "no": few, "unknown": False}[said]
    # few calls now that are said to become many is what low_volume_now challenges
    grows = few and answer is not None and answer.now == "yes"
    if not clashes or grows:
        return None
    return RaisedChallenge(
        between=("factors.low_volume", "economics.traffic.requests_per_month"),
        says=(
            f"Low volume is answered {said}, and traffic is {count(stated.likely)} requests"
            f"{facts.case.a_month} (low is under {count(limit)})."
        ),
        settle="Count the requests and correct one of the two",
    )


@contradiction
def sovereignty_with_hosted_tuning(facts: CaseFacts) -> RaisedChallenge | None:
    """Data that may not leave the house would be uploaded for training."""
    fires = facts.holds("data_sovereignty") and facts.case.tuning.service == "hosted"
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.data_sovereignty", "tuning.service"),
        says="Data may not go to a third party, and a hosted service would train on it.",
        settle=(
            "Tune open weights on your own machines, or have it confirmed in writing what the service "
            "may see"
        ),
    )


@contradiction
def sovereignty_with_third_party_api(facts: CaseFacts) -> RaisedChallenge | None:
    """Data that may not go to a third party goes to one today, as stated or by the model's price."""
    model = in_use(facts.case)
    stated = facts.case.today.api == "third_party"
    by = f" by calling {model.id}" if model and not stated else ""
    fires = facts.holds("data_sovereignty") and facts.api == "third_party"
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.data_sovereignty", "today.api" if stated else "models"),
        says=f"Data may not go to a third party, and today's system sends it to one{by}.",
        settle="Ask who decides about the data. Either today's system has to stop, or the reason falls",
    )


@doubt
def persona_without_brand_voice(facts: CaseFacts) -> RaisedChallenge | None:
    """A persona is a voice, but the team answered that its own voice doesn't matter."""
    fires = "persona" in facts.case.goals and facts.state("brand_voice") == "no"
    if not fires:
        return None
    return RaisedChallenge(
        between=("goals", "factors.brand_voice"),
        says="Persona is a goal, and a voice of its own is said not to be needed.",
        settle="Say whether it needs a voice of its own. If not, take persona out of the goals",
    )
