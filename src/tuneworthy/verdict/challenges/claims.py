"""Claims about the ceiling, about success and about data, and the evidence that they need."""

from __future__ import annotations

from typing import NamedTuple

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
    if not facts.holds("success_with_prompts") or facts.reached != "yes":
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
    lacking = _checks_not_shown(facts)
    if not lacking:
        return None
    names = []
    for name in lacking:
        least = facts.framework.ceiling[name].at_least
        names.append(f"{plain(name)} ({least} wanted)" if least else plain(name))
    are = "is" if len(lacking) == 1 else "are"
    show = "shows" if len(attempts) == 1 else "show"
    return RaisedChallenge(
        between=(*(f"ceiling.{name}" for name in lacking), "attempts"),
        says=(
            f"{capital(listing(names))} {are} answered yes, but the "
            f"{several(len(attempts), 'recorded attempt')} {show} {_attempted_text(facts)}."
        ),
        settle="Record the other attempts, or run them on one evaluation set",
    )


def _checks_not_shown(facts: CaseFacts) -> list[str]:
    """The checks that are stated yes and that the attempts don't show; [] without attempts.

    Attempts show prompts and makers by their number, and other checks by an answer of their own.
    """
    attempts = facts.case.attempts
    if not attempts:
        return []
    counts = {
        "prompt_variations": _attempted_prompts(facts),
        "foundation_models": len(facts.attempted_families),
    }
    lacking = []
    for name, check in facts.framework.ceiling.items():
        if name in counts and check.at_least is not None:
            lacks = counts[name] < check.at_least
        else:
            answers = [each.ceiling[name] for each in attempts if name in each.ceiling]
            lacks = bool(answers) and all(each.value != "yes" for each in answers)
        if lacks and facts.holds(name):
            lacking.append(name)
    return lacking


def _attempted_prompts(facts: CaseFacts) -> int:
    return sum(attempt.prompts for attempt in facts.case.attempts)


def _attempted_text(facts: CaseFacts) -> str:
    """The prompts and models of the attempts: ``6 prompts and two models of one maker``."""
    models = len(facts.attempted_models)
    families = len(facts.attempted_families)
    of_models = several(models, "model") if models else "no model by name"
    if families < models:
        of_models += f" of {several(families, 'maker')}"
    return listing([several(_attempted_prompts(facts), "prompt"), of_models])


@doubt
def prompts_near_copies(facts: CaseFacts) -> RaisedChallenge | None:
    """Too few prompt files for the check, if near copies count once.

    A measured count takes precedence, as proposed prompts lie in no folder of the team.
    """
    check = facts.framework.ceiling.get("prompt_variations")
    distinct = facts.findings.distinct_prompts
    if check is None or check.at_least is None or distinct is None:
        return None
    if facts.source("prompt_variations") == "measured":
        return None
    if not facts.holds("prompt_variations") or distinct >= check.at_least:
        return None
    near = facts.framework.threshold("near_copy")
    alike = share(1.0 if near is None else near)  # without a threshold, exact copies
    files = facts.findings.prompts or 0
    are = "is" if files == 1 else "are"
    return RaisedChallenge(
        between=("ceiling.prompt_variations", "data.prompts"),
        says=(
            f"{several(files, 'prompt file')} {are} in the folder, and "
            f"{few(check.at_least)} variations are stated. Near copies ({alike} alike or more) count "
            f"once, which leaves {few(distinct)}."
        ),
        settle=f"Write variants that differ in structure until {check.at_least} are left",
    )


@doubt
def ceiling_without_evaluation(facts: CaseFacts) -> RaisedChallenge | None:
    """A ceiling that nobody measured: no evaluation set, and no share of right cases."""
    measurable = facts.case.data.evaluation is not None or facts.quality is not None
    if facts.reached != "yes" or measurable:
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
    counted = facts.case.today.quality
    cases = facts.case.today.cases or 0
    interval = facts.quality
    if target is None or interval is None or counted is None:
        return None
    if facts.reached != "yes" or facts.meets("quality", interval) != "unknown":
        return None
    needed = cases_to_tell(counted, target.at_least, cases)
    tells = f"about {count(needed)} are needed" if needed else BY_MARGIN
    return RaisedChallenge(
        between=("ceiling", "today.quality", "targets.quality"),
        says=(
            f"Prompting is said to be at its limit with {quality(counted)} on "
            f"{count(cases)} cases, which may be anything from {quality(interval.low)} to "
            f"{quality(interval.most)}: the target of {quality(target.at_least)} lies inside."
        ),
        settle=f"Score more cases: {tells}",
    )


@contradiction
def target_already_met(facts: CaseFacts) -> RaisedChallenge | None:
    """Every counted figure meets its target, but success isn't claimed, or a ceiling is."""
    if facts.reached == "yes":
        denied_by = "ceiling"
    elif facts.state("success_with_prompts") == "no":
        denied_by = "factors.success_with_prompts"
    else:
        return None
    limited = tuple(facts.limits)
    if not limited or any(facts.target(name) != "yes" for name in limited):
        return None
    return RaisedChallenge(
        between=(denied_by, *(TARGETS[name].path for name in limited)),
        says=(
            f"Every target that was counted is met today ({named(limited)}), but an answer says that "
            "prompting falls short."
        ),
        settle="Name the target that is missed, or keep the prompt",
    )


@contradiction
def success_but_target_missed(facts: CaseFacts) -> RaisedChallenge | None:
    """Success means every target: quality, latency, cost and privacy."""
    missed = facts.missed
    if not missed or not facts.holds("success_with_prompts"):
        return None
    return RaisedChallenge(
        between=(
            "factors.success_with_prompts",
            *(TARGETS[name].path for name in missed),
        ),
        says=(
            f"The present prompt is said to meet every requirement, and it misses: "
            f"{named(missed)}."
        ),
        settle="Correct the answer or the target: success means all targets at once",
    )


@contradiction
def success_with_faulty_answers(facts: CaseFacts) -> RaisedChallenge | None:
    """A prompt that meets every target gives no wrong answers, unless its quality was counted."""
    signs = facts.quality_signs
    if not signs or not facts.holds("success_with_prompts"):
        return None
    if facts.target("quality") == "yes":
        return None  # a count settles how many answers may be wrong
    paths = []
    for name in signs:
        # frameworks ask for some of them as signals and for others as factors
        room = "signals" if name in facts.framework.signals else "factors"
        paths.append(f"{room}.{name}")
    return RaisedChallenge(
        between=("factors.success_with_prompts", *paths),
        says=(
            "The present prompt is said to meet every requirement, and answers are seen to be "
            f"wrong: {listing([plain(name) for name in signs])}."
        ),
        settle="Count how many answers are right on an evaluation set (today.quality and today.cases)",
    )


@doubt
def knowledge_gap_with_low_recall(facts: CaseFacts) -> RaisedChallenge | None:
    """A gap in knowledge whose cause is that the passage isn't found."""
    if facts.recall_enough != "no" or not facts.holds("knowledge_gaps"):
        return None
    recall = facts.recall
    limit = facts.framework.threshold("retrieval_recall")
    assert recall is not None  # recall_enough compared the two
    assert limit is not None
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
    tried = "constrained_output" in facts.attempted
    if facts.case.goals != ("format",) or tried:
        return None
    return RaisedChallenge(
        between=("goals", "attempts"),
        says="Format is the only goal, and constrained output isn't among what was tried.",
        settle="Try a JSON schema or a grammar first: it can't produce another structure",
    )


@contradiction
def examples_against_answer(facts: CaseFacts) -> RaisedChallenge | None:
    """The answer about data contradicts the number of examples."""
    answer = facts.state("insufficient_data")
    have = facts.examples
    limit = examples_limit(facts.case, facts.framework)
    if answer == "unknown" or have is None or limit is None:
        return None
    said_too_few = answer == "yes"
    are_too_few = have < limit
    if said_too_few == are_too_few or facts.source("insufficient_data") != "stated":
        return None
    need = examples_need(facts.case, facts.framework)
    aim = f" for {plain(need.goal)}" if need else ""
    return RaisedChallenge(
        between=("factors.insufficient_data", "data.examples"),
        says=(
            f"{'Too few' if said_too_few else 'Enough'} examples are said to be available, and "
            f"{count(have)} are stated. {count(limit)} are needed{aim}."
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
    own = need.data.low
    too_few_in_general = have < general
    too_few_for_goal = have < own
    if too_few_in_general == too_few_for_goal:
        return None
    return RaisedChallenge(
        between=("data.examples", "goals"),
        says=(
            f"Two published rules disagree about {count(have)} examples: under {count(general)} is "
            f"insufficient in general, and {plain(need.goal)} needs {count(own)}."
        ),
        settle="The need of the case's own approach counts here. A learning curve in a pilot checks it",
    )


@doubt
def brand_voice_without_samples(facts: CaseFacts) -> RaisedChallenge | None:
    """A voice that nobody has written down."""
    if facts.case.data.voice is not None:
        return None
    if facts.holds("brand_voice"):
        wanted_by = "factors.brand_voice"
    elif "persona" in facts.case.goals and facts.state("brand_voice") != "no":
        wanted_by = "goals"
    else:
        return None
    return RaisedChallenge(
        between=(wanted_by, "data.voice"),
        says="A voice is wanted, and no samples of it are named.",
        settle="Collect texts that sound right (data.voice), and list what the brand never says",
    )


@pushback
def safety_goal_with_few_pairs(facts: CaseFacts) -> RaisedChallenge | None:
    """Preference tuning needs many pairs."""
    short = _too_few(facts, "safety", "preference_pairs")
    if short is None:
        return None
    return RaisedChallenge(
        between=("goals", "data.preference_pairs"),
        says=(
            f"Safety is a goal, and {count(short.have)} preference pairs exist. Tuning for it takes "
            f"{count(short.need)} or more."
        ),
        settle="Collect pairs, or guard the input and output instead",
    )


@pushback
def pretraining_with_few_documents(facts: CaseFacts) -> RaisedChallenge | None:
    """Continued pretraining needs very many documents."""
    short = _too_few(facts, "domain_expertise", "documents")
    if short is None:
        return None
    return RaisedChallenge(
        between=("goals", "data.documents"),
        says=(
            f"Deep domain expertise is a goal, and {count(short.have)} documents exist. Continued "
            f"pretraining takes {count(short.need)} or more."
        ),
        settle="Retrieve from the documents, or tune on questions and answers about them",
    )


class _Shortage(NamedTuple):
    """A number of pairs or documents, and the larger number that tuning takes."""

    have: float
    need: float


def _too_few(facts: CaseFacts, goal: str, unit: str) -> _Shortage | None:
    """The shortage of what a goal's approach learns from.

    None where there is enough, nobody counted it, or the case hasn't this goal.
    """
    rule = facts.framework.goals.get(goal)
    have = facts.case.usable_data(unit)
    if goal not in facts.case.goals or rule is None or have is None:
        return None
    need = facts.framework.approaches[rule.approach].data.low
    return _Shortage(have, need) if have < need else None


@doubt
def data_missing(facts: CaseFacts) -> RaisedChallenge | None:
    """The case names files that don't exist."""
    missing = facts.findings.missing
    if not missing:
        return None
    names = list[str]()
    for name in missing.values():
        if name not in names:  # two places of a case may name one file
            names.append(name)
    shown = names[:_MOST_FILES]
    if len(names) > len(shown):
        shown.append(f"{few(len(names) - len(shown))} more")
    return RaisedChallenge(
        between=tuple(missing),
        says=f"The case names files that don't exist: {listing(shown)}.",
        settle="Put the files there or correct the paths",
    )


_MOST_FILES = 3  #: Of those that don't exist, whose names are said.
