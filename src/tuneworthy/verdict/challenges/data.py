"""Claims about data compared with the data itself."""

from __future__ import annotations

from tuneworthy.answers.facts import CaseFacts, Found, contradiction, doubt, pushback
from tuneworthy.answers.weigh import examples_limit, examples_need
from tuneworthy.words import count, few, listing, plain


@contradiction
def examples_against_answer(facts: CaseFacts) -> Found:
    """The answer about data contradicts the number of examples."""
    said = facts.state("insufficient_data")
    have = facts.examples
    limit = examples_limit(facts.case, facts.framework)
    if said == "unknown" or have is None or limit is None:
        return None
    need = examples_need(facts.case, facts.framework)
    aim = ""
    if need is not None:
        goal, _ = need
        aim = f" for {plain(goal)}"
    enough = "Too few" if said == "yes" else "Enough"
    fires = (have < limit) != (said == "yes") and facts.source(
        "insufficient_data"
    ) == "stated"
    return fires and (
        ("factors.insufficient_data", "data.examples"),
        f"{enough} examples are said to be available, and {count(have)} are stated. "
        f"{count(limit)} are needed{aim}.",
        "Count the examples that are good enough to learn from (data.examples.usable)",
    )


@doubt
def example_rules_differ(facts: CaseFacts) -> Found:
    """Two published rules disagree about whether this many examples are enough."""
    have = facts.examples
    need = examples_need(facts.case, facts.framework)
    general = facts.framework.threshold("few_examples")
    if have is None or need is None or general is None:
        return None
    goal, takes = need
    own = takes.low
    if (have < general) == (have < own):
        return None
    return (
        ("data.examples", "goals"),
        f"Two published rules disagree about {count(have)} examples: under {count(general)} is "
        f"insufficient in general, and {plain(goal)} needs {count(own)}.",
        "The need of the case's own approach counts here. A learning curve in a pilot checks it",
    )


@doubt
def brand_voice_without_samples(facts: CaseFacts) -> Found:
    """A voice that nobody has written down."""
    branded = facts.holds("brand_voice")
    denied = facts.state("brand_voice") == "no"
    asked = branded or ("persona" in facts.case.goals and not denied)
    fires = facts.case.data.voice is None and asked
    return fires and (
        ("factors.brand_voice" if branded else "goals", "data.voice"),
        "A voice is wanted, and no samples of it are named.",
        "Collect texts that sound right (data.voice), and list what the brand never says",
    )


@pushback
def safety_goal_with_few_pairs(facts: CaseFacts) -> Found:
    """Preference tuning needs many pairs."""
    short = _too_few(facts, "safety", "preference_pairs")
    if short is None:
        return None
    existing, least = short
    return (
        ("goals", "data.preference_pairs"),
        f"Safety is a goal, and {existing} preference pairs exist. Tuning for it takes "
        f"{least} or more.",
        "Collect pairs, or guard the input and output instead",
    )


@pushback
def pretraining_with_few_documents(facts: CaseFacts) -> Found:
    """Continued pretraining needs very many documents."""
    short = _too_few(facts, "domain_expertise", "documents")
    if short is None:
        return None
    existing, least = short
    return (
        ("goals", "data.documents"),
        f"Deep domain expertise is a goal, and {existing} documents exist. Continued "
        f"pretraining takes {least} or more.",
        "Retrieve from the documents, or tune on questions and answers about them",
    )


def _too_few(facts: CaseFacts, goal: str, unit: str) -> tuple[str, str] | None:
    """The existing and the required number; None where there are enough, or nobody counted them."""
    rule = facts.framework.goals.get(goal)
    have = facts.case.usable_data(unit)
    if goal not in facts.case.goals or rule is None or have is None:
        return None
    need = facts.framework.approaches[rule.approach].data.low
    return (count(have), count(need)) if have < need else None


@doubt
def data_missing(facts: CaseFacts) -> Found:
    """The case names files that don't exist."""
    missing = facts.findings.missing
    names = list(dict.fromkeys(missing.values()))
    shown = names[:_MOST_FILES]
    if len(names) > len(shown):
        shown.append(f"{few(len(names) - len(shown))} more")
    return bool(missing) and (
        tuple(missing),
        f"The case names files that don't exist: {listing(shown)}.",
        "Put the files there or correct the paths",
    )


_MOST_FILES = 3  #: Of those that don't exist, whose names are said.
