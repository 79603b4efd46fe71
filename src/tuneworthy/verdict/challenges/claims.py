"""Claims about the ceiling and about success, and what would carry them."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.model.base import State
from tuneworthy.model.dossier import Challenge
from tuneworthy.stats.intervals import cases_to_exclude
from tuneworthy.verdict.challenges.facts import Facts, Numbers, says
from tuneworthy.words import count, few, listing, plain, quality, several, share

# Claims about the ceiling and about success, and what would carry them.


def success_with_ceiling_reached(facts: Facts) -> Challenge | None:
    """A prompt that meets every target has reached no limit."""
    if not facts.holds("success_with_prompts") or facts.assessment.reached != "yes":
        return None
    between = ("factors.success_with_prompts", "ceiling")
    return Challenge("success_with_ceiling_reached", "contradiction", between)


def checks_not_shown_by_attempts(facts: Facts) -> Challenge | None:
    """Checks that are stated yes although the recorded attempts alone don't show them."""
    attempts = facts.case.attempts
    if not attempts:
        return None
    prompts = sum(attempt.prompts for attempt in attempts)
    models = len({model for attempt in attempts for model in attempt.models})
    shown = {"prompt_variations": prompts, "foundation_models": models}
    lacking = []
    for name, check in facts.framework.ceiling.items():
        if not facts.holds(name):
            continue
        if name in shown and check.at_least is not None:
            if shown[name] < check.at_least:
                lacking.append(name)
            continue
        then = [a.ceiling[name].value for a in attempts if name in a.ceiling]
        if then and "yes" not in then:
            lacking.append(name)
    if not lacking:
        return None
    numbers = {
        "attempts": len(attempts),
        "prompts": prompts,
        "models": models,
        "checks": tuple(lacking),
        "wanted": {name: facts.framework.ceiling[name].at_least for name in lacking},
    }
    between = (*(f"ceiling.{name}" for name in lacking), "attempts")
    return Challenge("checks_not_shown_by_attempts", "doubt", between, numbers)


def prompts_near_copies(facts: Facts) -> Challenge | None:
    """Prompt files that are fewer than the check wants when near copies count once.

    What was run counts where it was measured: proposed prompts lie in no folder of the team's.
    """
    check = facts.framework.ceiling.get("prompt_variations")
    distinct = facts.findings.distinct_prompts
    if check is None or check.at_least is None or distinct is None:
        return None
    if not facts.holds("prompt_variations") or distinct >= check.at_least:
        return None
    if facts.assessment.answers["prompt_variations"].source == "measured":
        return None
    numbers = {
        "found": facts.findings.prompts,
        "distinct": distinct,
        "wanted": check.at_least,
        "near_copy": facts.framework.threshold("near_copy"),
    }
    between = ("ceiling.prompt_variations", "data.prompts")
    return Challenge("prompts_near_copies", "doubt", between, numbers)


def ceiling_without_evaluation(facts: Facts) -> Challenge | None:
    """A ceiling nobody measured: no evaluation set, and no share of cases that are right."""
    if facts.assessment.reached != "yes":
        return None
    if facts.case.data.evaluation is not None or facts.quality is not None:
        return None
    return Challenge("ceiling_without_evaluation", "doubt", ("ceiling", "data.evaluation"))


def ceiling_within_noise(facts: Facts) -> Challenge | None:
    """A ceiling claimed while the target still lies inside the interval of what was counted."""
    target, today, interval = facts.case.targets.quality, facts.case.today, facts.quality
    if facts.assessment.reached != "yes" or target is None or interval is None:
        return None
    if not interval[0] <= target.at_least <= interval[1]:
        return None
    assert today.quality is not None  # the interval was made from it
    numbers = {
        "quality": today.quality,
        "low": interval[0],
        "high": interval[1],
        "cases": today.cases,
        "target": target.at_least,
        "needed": cases_to_exclude(today.quality, target.at_least),
    }
    between = ("ceiling", "today.quality", "targets.quality")
    return Challenge("ceiling_within_noise", "doubt", between, numbers)


def target_already_met(facts: Facts) -> Challenge | None:
    """No success is claimed, or a ceiling, and everything counted meets its target."""
    denied = facts.state("success_with_prompts") == "no" or facts.assessment.reached == "yes"
    verdicts = _against_targets(facts)
    if not denied or not verdicts or set(verdicts.values()) != {"yes"}:
        return None
    other = "ceiling" if facts.assessment.reached == "yes" else "factors.success_with_prompts"
    between = (other, *(f"today.{name}" for name in verdicts))
    return Challenge("target_already_met", "contradiction", between, {"met": tuple(verdicts)})


def success_but_target_missed(facts: Facts) -> Challenge | None:
    """Success means every target: quality, latency, cost and privacy."""
    if not facts.holds("success_with_prompts"):
        return None
    missed = [name for name, state in _against_targets(facts).items() if state == "no"]
    paths = [f"today.{name}" for name in missed]
    if facts.holds("data_sovereignty") and facts.case.today.api == "third_party":
        missed.append("privacy")
        paths.append("today.api")
    if not missed:
        return None
    between = ("factors.success_with_prompts", *paths)
    return Challenge(
        "success_but_target_missed", "contradiction", between, {"missed": tuple(missed)}
    )


def _against_targets(facts: Facts) -> dict[str, State]:
    """Each stated target against today's value: met, missed, or unknown; empty without targets."""
    targets, today, interval = facts.case.targets, facts.case.today, facts.quality
    found: dict[str, State] = {}
    if targets.quality is not None:
        wanted = targets.quality.at_least
        found["quality"] = "unknown"
        if interval is not None and (interval[0] >= wanted or interval[1] < wanted):
            found["quality"] = "yes" if interval[0] >= wanted else "no"
    pairs = (
        ("latency_p95_s", today.latency_p95_s, targets.latency_p95_s),
        ("usd_per_month", facts.bill, targets.usd_per_month),
    )
    for name, value, most in pairs:
        if most is not None:
            found[name] = "unknown" if value is None else value.at_most(most)
    return found


def knowledge_gap_with_low_recall(facts: Facts) -> Challenge | None:
    """A gap in knowledge that begins where the passage isn't found."""
    recall = facts.case.today.retrieval_recall
    limit = facts.framework.threshold("retrieval_recall")
    if recall is None or limit is None or recall >= limit or not facts.holds("knowledge_gaps"):
        return None
    between = ("signals.knowledge_gaps", "today.retrieval_recall")
    numbers = {"recall": recall, "limit": limit}
    return Challenge("knowledge_gap_with_low_recall", "doubt", between, numbers)


def format_goal_without_constrained_output(facts: Facts) -> Challenge | None:
    """Structure alone is wanted, and the tool made for structure wasn't tried."""
    if facts.case.goals != ("format",):
        return None
    if any("constrained_output" in attempt.tried for attempt in facts.case.attempts):
        return None
    return Challenge("format_goal_without_constrained_output", "pushback", ("goals", "attempts"))


ALL = (
    success_with_ceiling_reached,
    checks_not_shown_by_attempts,
    prompts_near_copies,
    ceiling_without_evaluation,
    ceiling_within_noise,
    target_already_met,
    success_but_target_missed,
    knowledge_gap_with_low_recall,
    format_goal_without_constrained_output,
)


# Words for claims about the ceiling and about success.

_TARGETS = {"latency_p95_s": "latency", "usd_per_month": "cost a month"}


def _targets(names: Sequence[str]) -> str:
    return listing([_TARGETS.get(name, name) for name in names])


@says
def _success_with_ceiling_reached(_: Numbers) -> tuple[str, str]:
    return (
        (
            "Prompting is said to have reached its ceiling and to meet every requirement. "
            "What meets them all has no ceiling in the way."
        ),
        "Score the present prompt on cases it wasn't tuned on, against every target",
    )


@says
def _checks_not_shown_by_attempts(n: Numbers) -> tuple[str, str]:
    shown = [several(n["prompts"], "prompt")]
    shown.append(several(n["models"], "model") if n["models"] else "no model by name")
    attempts = several(n["attempts"], "recorded attempt")
    verb = "shows" if n["attempts"] == 1 else "show"
    wanted = [
        f"{plain(name)} ({n['wanted'][name]} wanted)" if n["wanted"][name] else plain(name)
        for name in n["checks"]
    ]
    return (
        (
            f"Checks are stated yes that the attempts alone don't show: {listing(wanted)}. The "
            f"{attempts} {verb} {listing(shown)}."
        ),
        "Record the other attempts, or run them on one evaluation set",
    )


@says
def _prompts_near_copies(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"{several(n['found'], 'prompt file')} lie there, and {few(n['wanted'])} variations "
            f"are stated. Near copies ({share(n['near_copy'])} alike or more) count once, which "
            f"leaves {few(n['distinct'])}."
        ),
        f"Write variants that differ in structure until {n['wanted']} are left",
    )


@says
def _ceiling_without_evaluation(_: Numbers) -> tuple[str, str]:
    return (
        "The ceiling is claimed, and no evaluation set shows it.",
        "Collect and label cases (data.evaluation), and score the best prompts on them",
    )


@says
def _ceiling_within_noise(n: Numbers) -> tuple[str, str]:
    needed = (
        f"about {count(n['needed'])} cases would tell"
        if n["needed"]
        else "no number of cases would tell them apart"
    )
    return (
        (
            f"The ceiling is claimed at {quality(n['quality'])} on {count(n['cases'])} cases, "
            "which "
            "may be "
            f"anything from {quality(n['low'])} to {quality(n['high'])}: the target of "
            f"{quality(n['target'])} lies inside."
        ),
        f"Score more cases: {needed}",
    )


@says
def _target_already_met(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Every target that was counted is met today "
            f"({_targets(n['met'])}), "
            "and "
            "prompting is said to fall short."
        ),
        "Name the target that is missed, or keep the prompt",
    )


@says
def _success_but_target_missed(n: Numbers) -> tuple[str, str]:
    return (
        (
            "The present prompt is said to meet every requirement, and it misses: "
            f"{_targets(n['missed'])}."
        ),
        "Success means all targets at once; correct the answer or the target",
    )


@says
def _knowledge_gap_with_low_recall(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"The model is said not to use what it reads, but the right passage is found for only "
            f"{share(n['recall'])} of questions (under {share(n['limit'])})."
        ),
        "Improve retrieval first; then count wrong answers among those that had the passage",
    )


@says
def _format_goal_without_constrained_output(_: Numbers) -> tuple[str, str]:
    return (
        "Format is the only goal, and constrained output isn't among what was tried.",
        "Try a JSON schema or a grammar first: it can't produce another structure",
    )
