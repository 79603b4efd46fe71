"""Claims about the ceiling, about success and about data, and the evidence that they need."""

from __future__ import annotations

from tuneworthy.answers.facts import (
    TARGETS,
    CaseFacts,
    RaisedChallenge,
    contradiction,
    doubt,
    named,
    pushback,
)
from tuneworthy.answers.weigh import examples_limit, examples_need
from tuneworthy.stats.intervals import BY_MARGIN, cases_to_tell
from tuneworthy.words import (
    capital,
    count,
    few,
    listing,
    plain,
    quality,
    several,
    share,
)


@contradiction
def success_with_ceiling_reached(facts: CaseFacts) -> RaisedChallenge | None:
    """A prompt that meets every target has reached no limit."""
    fires = facts.holds("success_with_prompts") and facts.reached == "yes"
    if not fires:
        return None
    return RaisedChallenge(
        between=("factors.success_with_prompts", "ceiling"),
        says=(
            "One answer says that prompting has reached its ceiling, and another that it meets every "
            "requirement. Only one of them can be right."
        ),
        settle="Score the present prompt on cases it wasn't tuned on, against every target",
    )


@contradiction
def two_figures_for_what_runs(facts: CaseFacts) -> RaisedChallenge | None:
    """Two shares of the same model that chance can't explain, with a target between them."""
    other = facts.other_figure
    today = facts.case.today.quality
    limit = facts.limits.get("quality")
    if other is None or today is None or limit is None:
        return None
    between = min(today, other.value) < limit <= max(today, other.value)
    if not between:
        return None
    return RaisedChallenge(
        between=("today.quality", "models"),
        says=(
            f"What runs today is stated as {quality(today)} right, and the same model in the list as "
            f"{quality(other.value)}. The target of {quality(limit)} lies between them."
        ),
        settle=(
            "Say what production does in today.quality, and leave a test of another prompt out of the "
            "list"
        ),
    )


@doubt
def checks_not_shown_by_attempts(facts: CaseFacts) -> RaisedChallenge | None:
    """Checks that are stated yes although the recorded attempts alone don't show them."""
    attempts = facts.case.attempts
    prompts = sum(attempt.prompts for attempt in attempts)
    models = len(facts.attempted_models)
    families = len(facts.attempted_families)
    shown = {"prompt_variations": prompts, "foundation_models": families}
    lacking = {}
    for name, check in facts.framework.ceiling.items() if attempts else ():
        then = [
            attempt.ceiling[name].value
            for attempt in attempts
            if name in attempt.ceiling
        ]
        lacks = bool(then) and "yes" not in then
        if name in shown and check.at_least is not None:
            lacks = shown[name] < check.at_least
        if lacks and facts.holds(name):
            wanted = f" ({check.at_least} wanted)" if check.at_least else ""
            lacking[name] = f"{plain(name)}{wanted}"
    if not lacking:
        return None
    seen = [
        several(prompts, "prompt"),
        several(models, "model") if models else "no model by name",
    ]
    if families < models:
        seen[-1] += f" of {several(families, 'maker')}"
    verb = "shows" if len(attempts) == 1 else "show"
    return RaisedChallenge(
        between=(*(f"ceiling.{name}" for name in lacking), "attempts"),
        says=(
            f"{capital(listing([*lacking.values()]))} {'is' if len(lacking) == 1 else 'are'} answered "
            f"yes, but the {several(len(attempts), 'recorded attempt')} {verb} {listing(seen)}."
        ),
        settle="Record the other attempts, or run them on one evaluation set",
    )


@doubt
def prompts_near_copies(facts: CaseFacts) -> RaisedChallenge | None:
    """Too few prompt files for the check, if near copies count once.

    A measured count takes precedence, as proposed prompts lie in no folder of the team.
    """
    check = facts.framework.ceiling.get("prompt_variations")
    findings = facts.findings
    if check is None or check.at_least is None or findings.distinct_prompts is None:
        return None
    said = (
        facts.holds("prompt_variations")
        and facts.source("prompt_variations") != "measured"
    )
    near = facts.framework.threshold("near_copy")
    alike = share(1.0 if near is None else near)
    fires = said and findings.distinct_prompts < check.at_least
    verb = "is" if findings.prompts == 1 else "are"
    if not fires:
        return None
    return RaisedChallenge(
        between=("ceiling.prompt_variations", "data.prompts"),
        says=(
            f"{several(findings.prompts or 0, 'prompt file')} {verb} in the folder, and "
            f"{few(check.at_least)} variations are stated. Near copies ({alike} alike or more) count "
            f"once, which leaves {few(findings.distinct_prompts)}."
        ),
        settle=f"Write variants that differ in structure until {check.at_least} are left",
    )


@doubt
def ceiling_without_evaluation(facts: CaseFacts) -> RaisedChallenge | None:
    """A ceiling that nobody measured: no evaluation set, and no share of right cases."""
    unseen = facts.case.data.evaluation is None and facts.quality is None
    if not (facts.reached == "yes" and unseen):
        return None
    return RaisedChallenge(
        between=("ceiling", "data.evaluation"),
        says="Prompting is said to be at its limit, and no evaluation set shows it.",
        settle="Collect and label cases (data.evaluation), and score the best prompts on them",
    )


@doubt
def ceiling_within_noise(facts: CaseFacts) -> RaisedChallenge | None:
    """A claimed ceiling, while the target still lies inside the interval of the counted share."""
    target = facts.case.targets.quality
    today = facts.case.today
    interval = facts.quality
    if (
        facts.reached != "yes"
        or target is None
        or interval is None
        or today.quality is None
    ):
        return None
    needed = cases_to_tell(today.quality, target.at_least, today.cases or 1)
    tells = f"about {count(needed)} are needed" if needed else BY_MARGIN
    if facts.meets("quality", interval) != "unknown":
        return None
    return RaisedChallenge(
        between=("ceiling", "today.quality", "targets.quality"),
        says=(
            f"Prompting is said to be at its limit with {quality(today.quality)} on "
            f"{count(today.cases or 0)} cases, which may be anything from {quality(interval.low)} to "
            f"{quality(interval.most)}: the target of {quality(target.at_least)} lies inside."
        ),
        settle=f"Score more cases: {tells}",
    )


@contradiction
def target_already_met(facts: CaseFacts) -> RaisedChallenge | None:
    """Every counted figure meets its target, but success isn't claimed, or a ceiling is."""
    reached = facts.reached == "yes"
    met = tuple(facts.limits)
    if not reached and facts.state("success_with_prompts") != "no":
        return None
    said = "ceiling" if reached else "factors.success_with_prompts"
    fires = bool(met) and {facts.target(name) for name in met} == {"yes"}
    if not fires:
        return None
    return RaisedChallenge(
        between=(said, *(TARGETS[name].path for name in met)),
        says=(
            f"Every target that was counted is met today ({named(met)}), but an answer says that "
            "prompting falls short."
        ),
        settle="Name the target that is missed, or keep the prompt",
    )


@contradiction
def success_but_target_missed(facts: CaseFacts) -> RaisedChallenge | None:
    """Success means every target: quality, latency, cost and privacy."""
    fires = facts.holds("success_with_prompts") and bool(facts.missed)
    if not fires:
        return None
    return RaisedChallenge(
        between=(
            "factors.success_with_prompts",
            *(TARGETS[name].path for name in facts.missed),
        ),
        says=(
            f"The present prompt is said to meet every requirement, and it misses: "
            f"{named(facts.missed)}."
        ),
        settle="Correct the answer or the target: success means all targets at once",
    )


@contradiction
def success_with_faulty_answers(facts: CaseFacts) -> RaisedChallenge | None:
    """A prompt that meets every target gives no wrong answers, unless its quality was counted."""
    signals = facts.framework.signals
    counted = facts.target("quality") == "yes"
    fires = (
        facts.holds("success_with_prompts")
        and bool(facts.quality_signs)
        and not counted
    )
    if not fires:
        return None
    return RaisedChallenge(
        between=(
            "factors.success_with_prompts",
            *(
                f"{'signals' if name in signals else 'factors'}.{name}"
                for name in facts.quality_signs
            ),
        ),
        says=(
            "The present prompt is said to meet every requirement, and answers are seen to be "
            f"wrong: {listing([plain(name) for name in facts.quality_signs])}."
        ),
        settle="Count how many answers are right on an evaluation set (today.quality and today.cases)",
    )


@doubt
def knowledge_gap_with_low_recall(facts: CaseFacts) -> RaisedChallenge | None:
    """A gap in knowledge whose cause is that the passage isn't found."""
    recall = facts.recall or 0.0
    limit = facts.framework.threshold("retrieval_recall") or 0.0
    fires = facts.recall_enough == "no" and facts.holds("knowledge_gaps")
    if not fires:
        return None
    return RaisedChallenge(
        between=("signals.knowledge_gaps", "today.retrieval_recall"),
        says=(
            "The model is said not to use what it reads, but the right passage is found for only "
            f"{share(recall)} of questions (under {share(limit)})."
        ),
        settle="Improve retrieval first, then count wrong answers among those that had the passage",
    )


@pushback
def format_goal_without_constrained_output(facts: CaseFacts) -> RaisedChallenge | None:
    """The goal is structure alone, and constrained output wasn't tried."""
    tried = any(
        "constrained_output" in attempt.tried for attempt in facts.case.attempts
    )
    fires = facts.case.goals == ("format",) and not tried
    if not fires:
        return None
    return RaisedChallenge(
        between=("goals", "attempts"),
        says="Format is the only goal, and constrained output isn't among what was tried.",
        settle="Try a JSON schema or a grammar first: it can't produce another structure",
    )


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
