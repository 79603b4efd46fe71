"""Claims about data compared with the data itself."""

from __future__ import annotations

from tuneworthy.answers.facts import (
    CaseFacts,
    RaisedChallenge,
    contradiction,
    doubt,
    pushback,
)
from tuneworthy.answers.weigh import examples_limit, examples_need
from tuneworthy.words import count, few, listing, plain


@contradiction
def examples_against_answer(facts: CaseFacts) -> RaisedChallenge | None:
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
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.insufficient_data", "data.examples"),
        says=(
            f"{enough} examples are said to be available, and {count(have)} are stated. "
            f"{count(limit)} are needed{aim}."
        ),
        settle="Count the examples that are good enough to learn from (data.examples.usable)",
    )


@doubt
def example_rules_differ(facts: CaseFacts) -> RaisedChallenge | None:
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
    return RaisedChallenge(
        between=("data.examples", "goals"),
        says=(
            f"Two published rules disagree about {count(have)} examples: under {count(general)} is "
            f"insufficient in general, and {plain(goal)} needs {count(own)}."
        ),
        settle="The need of the case's own approach counts here. A learning curve in a pilot checks it",
    )


@doubt
def brand_voice_without_samples(facts: CaseFacts) -> RaisedChallenge | None:
    """A voice that nobody has written down."""
    branded = facts.holds("brand_voice")
    denied = facts.state("brand_voice") == "no"
    asked = branded or ("persona" in facts.case.goals and not denied)
    fires = facts.case.data.voice is None and asked
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.brand_voice" if branded else "goals", "data.voice"),
        says="A voice is wanted, and no samples of it are named.",
        settle="Collect texts that sound right (data.voice), and list what the brand never says",
    )


@pushback
def safety_goal_with_few_pairs(facts: CaseFacts) -> RaisedChallenge | None:
    """Preference tuning needs many pairs."""
    short = _too_few(facts, "safety", "preference_pairs")
    if short is None:
        return None
    existing, least = short
    return RaisedChallenge(
        between=("goals", "data.preference_pairs"),
        says=(
            f"Safety is a goal, and {existing} preference pairs exist. Tuning for it takes "
            f"{least} or more."
        ),
        settle="Collect pairs, or guard the input and output instead",
    )


@pushback
def pretraining_with_few_documents(facts: CaseFacts) -> RaisedChallenge | None:
    """Continued pretraining needs very many documents."""
    short = _too_few(facts, "domain_expertise", "documents")
    if short is None:
        return None
    existing, least = short
    return RaisedChallenge(
        between=("goals", "data.documents"),
        says=(
            f"Deep domain expertise is a goal, and {existing} documents exist. Continued "
            f"pretraining takes {least} or more."
        ),
        settle="Retrieve from the documents, or tune on questions and answers about them",
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
def data_missing(facts: CaseFacts) -> RaisedChallenge | None:
    """The case names files that don't exist."""
    missing = facts.findings.missing
    names = list(dict.fromkeys(missing.values()))
    shown = names[:_MOST_FILES]
    if len(names) > len(shown):
        shown.append(f"{few(len(names) - len(shown))} more")
    if not missing:
        return None
    return RaisedChallenge(
        between=tuple(missing),
        says=f"The case names files that don't exist: {listing(shown)}.",
        settle="Put the files there or correct the paths",
    )


_MOST_FILES = 3  #: Of those that don't exist, whose names are said.
