"""Claims about data against what there is."""

from __future__ import annotations

from tuneworthy.assess.challenge.facts import Facts
from tuneworthy.assess.weigh import examples_need
from tuneworthy.domain.assessment import Challenge


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
    numbers = {"have": have, "limit": limit, "goal": need[0] if need else None,
               "answer": answer.value}  # fmt: skip
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
        facts, "safety", "safety_goal_with_few_pairs", "preference_pairs",
        holding.good if holding else None,
    )  # fmt: skip


def pretraining_with_few_documents(facts: Facts) -> Challenge | None:
    """Continued pretraining takes very many documents."""
    holding = facts.case.data.documents
    return _too_few(
        facts, "domain_expertise", "pretraining_with_few_documents", "documents",
        holding.good if holding else None,
    )  # fmt: skip


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


ALL = (
    examples_against_answer,
    example_rules_differ,
    brand_voice_without_samples,
    safety_goal_with_few_pairs,
    pretraining_with_few_documents,
    data_missing,
)
