"""Reasons for and against that exclude each other."""

from __future__ import annotations

from tuneworthy.answers.facts import (
    KNOWLEDGE_GOALS,
    CaseFacts,
    RaisedChallenge,
    contradiction,
    doubt,
    monthly_pushback,
)
from tuneworthy.model.case import in_use
from tuneworthy.ways.effects import ARMS, WINS_OF_TUNING, winners_of
from tuneworthy.words import count, listing, plain, share, usd


@contradiction
def cost_reason_with_low_volume(facts: CaseFacts) -> RaisedChallenge | None:
    """Cost isn't a problem when there are few calls."""
    if not facts.holds("cost_optimization", "low_volume"):
        return None
    bill = ""
    if facts.bill and facts.bill.likely:
        bill = f" At today's prices that is about {usd(facts.bill.likely)}{facts.case.a_month}."
    return RaisedChallenge(
        between=("factors.cost_optimization", "factors.low_volume"),
        says=f"Cost is given as a reason, and volume is low.{bill} Few calls can't be expensive enough.",
        settle="Decide which holds: look up the invoice and the calls behind it",
    )


@doubt
def cost_reason_with_small_bill(facts: CaseFacts) -> RaisedChallenge | None:
    """Cost isn't a reason when the whole bill doesn't repay the upfront cost of tuning."""
    payback = facts.repays
    if payback is None or not facts.small_bill or not facts.holds("cost_optimization"):
        return None
    return RaisedChallenge(
        between=("factors.cost_optimization", facts.bill_path),
        says=(
            "Cost is given as a reason, but the whole bill until the payback limit is "
            f"{usd(payback.bill_usd)}, and tuning takes {usd(payback.upfront_usd)} or more up front."
        ),
        settle="Look up the invoice. If it is right, leave cost out, or say what volume is to come",
    )


@doubt
def exploring_with_fixed_format(facts: CaseFacts) -> RaisedChallenge | None:
    """A task that is still being defined can't have a fixed form for every output."""
    if not facts.holds("exploration_phase"):
        return None
    if facts.holds("consistent_behavior"):
        fixed_by = "factors.consistent_behavior"
    elif "format" in facts.case.goals:
        fixed_by = "goals"
    else:
        return None
    return RaisedChallenge(
        between=("factors.exploration_phase", fixed_by),
        says="You are still finding out what users need, and every output must already look the same.",
        settle="Say which outputs are fixed today. Constrain those, and leave the rest to prompts",
    )


@contradiction
def changing_requirements_baked_in(facts: CaseFacts) -> RaisedChallenge | None:
    """Requirements that change every month shouldn't be trained into weights."""
    if facts.changes == "nothing":
        return None
    if facts.holds("domain_knowledge"):
        taught_by = "factors.domain_knowledge"
    elif facts.goals(KNOWLEDGE_GOALS):
        taught_by = "goals"
    else:
        return None
    settle = {
        "content": "Facts change: keep them in retrieval, and tune for behavior alone if at all",
        "policy": "Rules of behavior change: tune what stays and retrieve the rest, or wait",
        "both": "Facts and rules both change: keep facts in retrieval and wait with the rest",
        "unknown": "Say what changes: content belongs in retrieval, and policy means a hybrid, or "
        "waiting",
    }
    return RaisedChallenge(
        between=("factors.rapidly_changing_requirements", taught_by),
        says="Requirements change about every month, and the model is to know what is your own.",
        settle=settle[facts.changes],
    )


@doubt
def knowledge_goal_against_record(facts: CaseFacts) -> RaisedChallenge | None:
    """Tuned models measured best for knowledge less often than by chance; retrieval is untried."""
    if facts.tried_retrieval:
        return None
    for goal in facts.goals(KNOWLEDGE_GOALS):
        count_of_goal = winners_of(goal)
        if count_of_goal is None:
            continue
        total = count_of_goal.n
        tuned = count_of_goal.won_by_tuning
        # if all arms were equally good, tuning would win len(WINS_OF_TUNING) of len(ARMS) cases
        if tuned * len(ARMS) >= len(WINS_OF_TUNING) * total:
            continue
        won = count_of_goal.won
        best = max(won, key=lambda arm: won[arm])
        return RaisedChallenge(
            between=("goals", "attempts"),
            says=(
                f"{plain(goal)} is a goal. In {count(total)} published cases of it a tuned model, "
                "alone or with retrieval or a better prompt, measured best "
                f"{count(tuned)} times, and {ARMS[best]} {count(won[best])} times."
            ),
            settle=f"Compare with {ARMS[best]} on the same cases, or name the behavior to be tuned",
        )
    return None


@doubt
def latency_reason_with_short_prompt(facts: CaseFacts) -> RaisedChallenge | None:
    """A short prompt costs little time, so shortening it further buys little."""
    if facts.long_prompt != "no" or not facts.holds("latency_requirements"):
        return None
    return RaisedChallenge(
        between=("factors.latency_requirements", "economics.traffic.input_tokens"),
        says=(
            "Latency is given as a reason, but a request has only about "
            f"{_prompt_size_text(facts)}. Shortening them further buys little time."
        ),
        settle=(
            "Measure how latency depends on input tokens. Try a faster model or a shorter answer "
            "first"
        ),
    )


@doubt
def instruction_limit_with_short_prompt(facts: CaseFacts) -> RaisedChallenge | None:
    """A short prompt isn't too long for its instructions to be followed."""
    if facts.long_prompt != "no" or not facts.holds("instruction_limit"):
        return None
    # one framework asks for it as a signal and another as a factor
    room = "signals" if "instruction_limit" in facts.framework.signals else "factors"
    return RaisedChallenge(
        between=(f"{room}.instruction_limit", "economics.traffic.input_tokens"),
        says=(
            "The prompt is said to be too long to be followed, but a request has only about "
            f"{_prompt_size_text(facts)}."
        ),
        settle="Check which instructions fail and where they stand in the prompt",
    )


def _prompt_size_text(facts: CaseFacts) -> str:
    """Input tokens of a request beside the threshold of a short prompt, both known here."""
    tokens = facts.tokens or 0
    limit = facts.framework.threshold("short_prompt") or 0
    return f"{count(tokens)} input tokens (short is under {count(limit)})"


@monthly_pushback
def low_volume_now(facts: CaseFacts) -> RaisedChallenge | None:
    """Volume is low today but counted as high, so growth has to happen first."""
    answer = facts.case.factors.get("low_volume")
    if answer is None:
        return None
    if answer.value != "no" or answer.now != "yes":
        return None
    says = "Volume counts as sufficient, but it is low at present."
    now = facts.requests
    if now is not None:
        grown = ""
        if now and facts.growth and answer.by_month is not None:
            month = answer.by_month
            calls = count(now * (1 + facts.growth) ** month)
            grown = f". At {share(facts.growth)} growth month {month} has {calls}"
        says += f" Today it is {count(now)} requests a month{grown}."
    return RaisedChallenge(
        between=("factors.low_volume.value", "factors.low_volume.now"),
        says=says,
        settle="Confirm the growth before money is spent, and watch that it comes",
    )


@doubt
def answer_differs_now(facts: CaseFacts) -> RaisedChallenge | None:
    """An answer about the future counts, although it doesn't hold today."""
    paths = list[str]()
    titles = list[str]()
    for name, answer in facts.case.factors.items():
        if name == "low_volume" or answer.now in (None, answer.value):
            continue  # low_volume_now challenges the volume
        paths += [f"factors.{name}.value", f"factors.{name}.now"]
        titles.append(facts.assessment.factors[name].title)
    if not paths:
        return None
    return RaisedChallenge(
        between=tuple(paths),
        says=f"Today's answer differs from the one that counts: {listing(titles)}.",
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
    if facts.case.tuning.service != "hosted" or not facts.holds("data_sovereignty"):
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
    if facts.api != "third_party" or not facts.holds("data_sovereignty"):
        return None
    said_by = "today.api"
    by = ""
    if facts.case.today.api != "third_party":  # only the model in use tells
        said_by = "models"
        model = in_use(facts.case)
        by = f" by calling {model.id}" if model else ""
    return RaisedChallenge(
        between=("factors.data_sovereignty", said_by),
        says=f"Data may not go to a third party, and today's system sends it to one{by}.",
        settle="Ask who decides about the data. Either today's system has to stop, or the reason falls",
    )


@doubt
def persona_without_brand_voice(facts: CaseFacts) -> RaisedChallenge | None:
    """A persona is a voice, but the team answered that its own voice doesn't matter."""
    if "persona" not in facts.case.goals or facts.state("brand_voice") != "no":
        return None
    return RaisedChallenge(
        between=("goals", "factors.brand_voice"),
        says="Persona is a goal, and a voice of its own is said not to be needed.",
        settle="Say whether it needs a voice of its own. If not, take persona out of the goals",
    )
