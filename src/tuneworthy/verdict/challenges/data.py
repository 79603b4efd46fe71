"""Claims about data against what there is."""

from __future__ import annotations

from tuneworthy.verdict.facts import CaseFacts, Clash, contradiction, doubt, pushback
from tuneworthy.verdict.gates import held
from tuneworthy.verdict.weigh import examples_need
from tuneworthy.words import count, plain


@contradiction
def examples_against_answer(facts: CaseFacts) -> Clash | None:
    """The answer about data and the number of examples say opposite things."""
    answer = facts.case.factors.get("insufficient_data")
    have, need = facts.examples, examples_need(facts.case, facts.framework)
    limit = need[1].low if need else facts.framework.threshold("few_examples")
    if answer is None or answer.value == "unknown" or have is None or limit is None:
        return None
    if (have < limit) == (answer.value == "yes"):
        return None
    if facts.source("insufficient_data") == "measured":
        return None  # another challenge says so
    enough = "Too few" if answer.value == "yes" else "Enough"
    goal = f" for {plain(need[0])}" if need else ""
    return (
        ("factors.insufficient_data", "data.examples"),
        f"{enough} examples are said to be available, and {count(have)} are stated; "
        f"{count(limit)} are needed{goal}.",
        "Count the examples that are good enough to learn from (data.examples.usable)",
    )


@doubt
def example_rules_differ(facts: CaseFacts) -> Clash | None:
    """Two published rules disagree about whether this many examples are enough."""
    have, need = facts.examples, examples_need(facts.case, facts.framework)
    general = facts.framework.threshold("few_examples")
    if have is None or need is None or general is None:
        return None
    goal, own = need[0], need[1].low
    if (have < general) == (have < own):
        return None
    return (
        ("data.examples", "goals"),
        f"Two published rules disagree about {count(have)} examples: under {count(general)} is "
        f"insufficient in general, and {plain(goal)} needs {count(own)}.",
        "The need of the case's own approach counts here; a learning curve in a pilot would tell",
    )


@doubt
def brand_voice_without_samples(facts: CaseFacts) -> Clash | None:
    """A voice nobody has written down."""
    branded = facts.holds("brand_voice")
    if facts.case.data.voice is not None or not (branded or "persona" in facts.case.goals):
        return None
    return (
        ("factors.brand_voice" if branded else "goals", "data.voice"),
        "A voice is wanted, and no samples of it are named.",
        "Collect texts that sound right (data.voice), and list what the brand never says",
    )


@pushback
def safety_goal_with_few_pairs(facts: CaseFacts) -> Clash | None:
    """Preference tuning takes many pairs."""
    if not (short := _too_few(facts, "safety", "preference_pairs")):
        return None
    have, need = short
    return (
        ("goals", "data.preference_pairs"),
        f"Safety is a goal, and {have} preference pairs are there; tuning for it takes {need} or "
        "more.",
        "Collect pairs, or guard the input and output instead",
    )


@pushback
def pretraining_with_few_documents(facts: CaseFacts) -> Clash | None:
    """Continued pretraining takes very many documents."""
    if not (short := _too_few(facts, "domain_expertise", "documents")):
        return None
    have, need = short
    return (
        ("goals", "data.documents"),
        f"Deep domain expertise is a goal, and {have} documents are there; continued pretraining "
        f"takes {need} or more.",
        "Retrieve from the documents, or tune on questions and answers about them",
    )


def _too_few(facts: CaseFacts, goal: str, unit: str) -> tuple[str, str] | None:
    """How many there are and how many the goal takes; None where they are enough or uncounted."""
    rule, have = facts.framework.goals.get(goal), held(facts.case, unit)
    if goal not in facts.case.goals or rule is None or have is None:
        return None
    need = facts.framework.approaches[rule.approach].data.low
    return (count(have), count(need)) if have < need else None


@doubt
def data_missing(facts: CaseFacts) -> Clash | None:
    """The case names files that aren't there."""
    if not facts.findings.missing:
        return None
    return (
        facts.findings.missing,
        "The case names data that isn't beside it.",
        "Put the files there or correct the paths",
    )
