"""Claims about data against what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.model.base import State
from tuneworthy.model.dossier import Assessed, Challenge, Replaced, Severity
from tuneworthy.verdict.challenges.facts import Facts, Numbers, says
from tuneworthy.verdict.weigh import examples_need, speaks
from tuneworthy.words import count, few, interval_text, plain, sentence

# Claims about data against what there is.


def examples_against_answer(facts: Facts) -> Challenge | None:
    """The answer about data and the number of examples say opposite things."""
    answer = facts.case.factors.get("insufficient_data")
    have, need = facts.examples, examples_need(facts.case, facts.framework)
    limit = need[1].low if need else facts.framework.threshold("few_examples")
    if answer is None or answer.value == "unknown" or have is None or limit is None:
        return None
    if (have < limit) == (answer.value == "yes"):
        return None
    if facts.assessment.answers["insufficient_data"].source == "measured":
        return None  # another challenge says so
    numbers = {
        "have": have,
        "limit": limit,
        "goal": need[0] if need else None,
        "answer": answer.value,
    }
    between = ("factors.insufficient_data", "data.examples")
    return Challenge("examples_against_answer", "contradiction", between, numbers)


def example_rules_differ(facts: Facts) -> Challenge | None:
    """Two published rules disagree about whether this many examples are enough."""
    have, need = facts.examples, examples_need(facts.case, facts.framework)
    general = facts.framework.threshold("few_examples")
    if have is None or need is None or general is None:
        return None
    if (have < general) == (have < need[1].low):
        return None
    numbers = {"have": have, "general": general, "own": need[1].low, "goal": need[0]}
    between = ("data.examples", "goals")
    return Challenge("example_rules_differ", "doubt", between, numbers)


def brand_voice_without_samples(facts: Facts) -> Challenge | None:
    """A voice nobody has written down."""
    wanted = facts.holds("brand_voice") or "persona" in facts.case.goals
    if not wanted or facts.case.data.voice is not None:
        return None
    other = "factors.brand_voice" if facts.holds("brand_voice") else "goals"
    return Challenge("brand_voice_without_samples", "doubt", (other, "data.voice"))


def safety_goal_with_few_pairs(facts: Facts) -> Challenge | None:
    """Preference tuning takes many pairs."""
    holding = facts.case.data.preference_pairs
    return _too_few(
        facts,
        "safety",
        "safety_goal_with_few_pairs",
        "preference_pairs",
        holding.good if holding else None,
    )


def pretraining_with_few_documents(facts: Facts) -> Challenge | None:
    """Continued pretraining takes very many documents."""
    holding = facts.case.data.documents
    return _too_few(
        facts,
        "domain_expertise",
        "pretraining_with_few_documents",
        "documents",
        holding.good if holding else None,
    )


def _too_few(facts: Facts, goal: str, name: str, what: str, have: int | None) -> Challenge | None:
    need = facts.need(goal)
    if goal not in facts.case.goals or need is None or have is None or have >= need.low:
        return None
    between = ("goals", f"data.{what}")
    return Challenge(name, "pushback", between, {"have": have, "need": need.low})


def data_missing(facts: Facts) -> Challenge | None:
    """The case names files that aren't there."""
    if not facts.findings.missing:
        return None
    return Challenge("data_missing", "doubt", facts.findings.missing)


DATA_ALL = (
    examples_against_answer,
    example_rules_differ,
    brand_voice_without_samples,
    safety_goal_with_few_pairs,
    pretraining_with_few_documents,
    data_missing,
)


# Words for claims about data.


@says
def _examples_against_answer(n: Numbers) -> tuple[str, str]:
    goal = f" for {plain(n['goal'])}" if n["goal"] else ""
    said = (
        "too few examples are said to be available"
        if n["answer"] == "yes"
        else "enough examples are said to be available"
    )
    return (
        (
            f"{said[:1].upper()}{said[1:]}, and {count(n['have'])} are stated; {count(n['limit'])} "
            f"are needed{goal}."
        ),
        "Count the examples that are good enough to learn from (data.examples.usable)",
    )


@says
def _example_rules_differ(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Two published rules disagree about {count(n['have'])} examples: under "
            f"{count(n['general'])} is "
            f"insufficient in general, and {plain(n['goal'])} needs {count(n['own'])}."
        ),
        "The need of the case's own approach counts here; a learning curve in a pilot would tell",
    )


@says
def _brand_voice_without_samples(_: Numbers) -> tuple[str, str]:
    return (
        "A voice is wanted, and no samples of it are named.",
        "Collect texts that sound right (data.voice), and list what the brand never says",
    )


@says
def _safety_goal_with_few_pairs(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Safety is a goal, and {count(n['have'])} preference pairs are there; tuning for it "
            f"takes {count(n['need'])} or more."
        ),
        "Collect pairs, or guard the input and output instead",
    )


@says
def _pretraining_with_few_documents(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Deep domain expertise is a goal, and {count(n['have'])} documents are there; "
            "continued "
            f"pretraining takes {count(n['need'])} or more."
        ),
        "Retrieve from the documents, or tune on questions and answers about them",
    )


@says
def _data_missing(_: Numbers) -> tuple[str, str]:
    return (
        "The case names data that isn't beside it.",
        "Put the files there or correct the paths",
    )


# What was measured against what was said, and how old it is.

_DAYS_PER_MONTH = 365.25 / 12


def measured_against_answer(facts: Facts) -> Challenge | None:
    """An answer that was given and the opposite measured."""
    against = [
        (path, told, answer)
        for path, told, answer in _answers(facts)
        if answer.source == "measured" and told not in ("unknown", answer.state)
    ]
    if not against:
        return None
    found = []
    for path, told, answer in against:
        assert answer.because is not None  # a measurement always is the reason
        found.append({**answer.because.numbers, "answer": path.split(".")[1], "told": told})
    between = (*(path for path, _, _ in against), "evidence")
    return Challenge("measured_against_answer", "contradiction", between, {"answers": tuple(found)})


def _answers(facts: Facts) -> Iterator[tuple[str, State, Assessed]]:
    """Every answer that was given, with its path and what became of it."""
    case, assessment, framework = facts.case, facts.assessment, facts.framework
    for name, check in case.ceiling.items():
        told, wanted = check.value, framework.ceiling[name].at_least
        if check.count is not None and wanted is not None:
            told = "yes" if check.count >= wanted else "no"
        yield f"ceiling.{name}", told, assessment.answers[name]
    for name, answer in case.factors.items():
        yield f"factors.{name}", answer.value, assessment.answers[name]
    for name, answer in case.signals.items():
        yield f"signals.{name}", answer.value, assessment.signals[name]


def measured_against_number(facts: Facts) -> Challenge | None:
    """A number that was stated and one measured that is clearly another."""
    tolerance = facts.framework.threshold("stated_tolerance")
    if tolerance is None:
        return None
    apart = [one for one in facts.findings.replaced if _apart(one, tolerance)]
    if not apart:
        return None
    numbers = {"numbers": tuple(_both(one) for one in apart), "tolerance": tolerance}
    between = (*(one.path for one in apart), "evidence")
    return Challenge("measured_against_number", "contradiction", between, numbers)


def _apart(one: Replaced, tolerance: float) -> bool:
    """Whether the two ranges miss each other by more than a share of what was measured."""
    low, high = one.evidence.low, one.evidence.high
    if one.stated is None or low is None or not isinstance(high, float | int):
        return False
    gap = max(low - one.stated[1], one.stated[0] - high)
    return gap > tolerance * max(abs(low), abs(high))


def _both(one: Replaced) -> dict[str, Any]:
    assert one.stated is not None  # only called for what was stated
    return {
        "path": one.path,
        "stated": one.stated,
        "value": one.evidence.value,
        "low": one.evidence.low,
        "high": one.evidence.high,
        "n": one.evidence.n,
        "unit": one.evidence.unit,
    }


def need_without_support(facts: Facts) -> Challenge | None:
    """A need that was said, where what was measured speaks against it."""
    return _need(facts, "need_without_support", "doubt", "no", told="yes")


def need_seen_in_data(facts: Facts) -> Challenge | None:
    """A need that was denied, where what was measured speaks for it."""
    return _need(facts, "need_seen_in_data", "pushback", "yes", told="no")


def _need(
    facts: Facts, name: str, severity: Severity, side: State, *, told: State
) -> Challenge | None:
    for factor in facts.framework.factors:
        if facts.state(factor) != told:
            continue
        for _, claim, because in speaks(factor, facts.framework, facts.findings.ledger):
            if claim == side:
                numbers = {**because.numbers, "answer": factor}
                return Challenge(name, severity, (f"factors.{factor}", "evidence"), numbers)
    return None


def evidence_old(facts: Facts) -> Challenge | None:
    """Measured on data that ended long ago."""
    limit, today = facts.framework.threshold("evidence_age"), facts.findings.as_of
    days = [one.observed_on for one in facts.findings.ledger.values() if one.observed_on]
    if limit is None or today is None or not days:
        return None
    months = (today - max(days)).days / _DAYS_PER_MONTH
    if months <= limit:
        return None
    numbers = {"months": months, "limit": limit, "last": max(days)}
    return Challenge("evidence_old", "doubt", ("evidence",), numbers)


ALL = (
    measured_against_answer,
    measured_against_number,
    need_without_support,
    need_seen_in_data,
    evidence_old,
)


# Words for what was measured against what was said.


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
