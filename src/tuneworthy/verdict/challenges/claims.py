"""Claims about the ceiling and about success, and what would carry them."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.stats.intervals import BY_MARGIN, cases_to_tell
from tuneworthy.verdict.facts import CaseFacts, Clash, contradiction, doubt, pushback
from tuneworthy.words import count, few, listing, plain, quality, several, share


@contradiction
def success_with_ceiling_reached(facts: CaseFacts) -> Clash | None:
    """A prompt that meets every target has reached no limit."""
    if not facts.holds("success_with_prompts") or facts.assessment.reached != "yes":
        return None
    return (
        ("factors.success_with_prompts", "ceiling"),
        "Prompting is said to have reached its ceiling and to meet every requirement. What meets "
        "them all has no ceiling in the way.",
        "Score the present prompt on cases it wasn't tuned on, against every target",
    )


@doubt
def checks_not_shown_by_attempts(facts: CaseFacts) -> Clash | None:
    """Checks that are stated yes although the recorded attempts alone don't show them."""
    attempts = facts.case.attempts
    prompts = sum(attempt.prompts for attempt in attempts)
    models = len({model for attempt in attempts for model in attempt.models})
    shown = {"prompt_variations": prompts, "foundation_models": models}
    lacking = {}
    for name, check in facts.framework.ceiling.items():
        if not attempts or not facts.holds(name):
            continue
        if name in shown and check.at_least is not None:
            if shown[name] < check.at_least:
                lacking[name] = f"{plain(name)} ({check.at_least} wanted)"
            continue
        then = [attempt.ceiling[name].value for attempt in attempts if name in attempt.ceiling]
        if then and "yes" not in then:
            wanted = f" ({check.at_least} wanted)" if check.at_least else ""
            lacking[name] = f"{plain(name)}{wanted}"
    if not lacking:
        return None
    seen = [several(prompts, "prompt"), several(models, "model") if models else "no model by name"]
    verb = "shows" if len(attempts) == 1 else "show"
    return (
        (*(f"ceiling.{name}" for name in lacking), "attempts"),
        f"Checks are stated yes that the attempts alone don't show: {listing([*lacking.values()])}."
        f" The {several(len(attempts), 'recorded attempt')} {verb} {listing(seen)}.",
        "Record the other attempts, or run them on one evaluation set",
    )


@doubt
def prompts_near_copies(facts: CaseFacts) -> Clash | None:
    """Prompt files that are fewer than the check wants when near copies count once.

    What was run counts where it was measured: proposed prompts lie in no folder of the team's.
    """
    check, findings = facts.framework.ceiling.get("prompt_variations"), facts.findings
    if check is None or check.at_least is None or findings.distinct_prompts is None:
        return None
    if not facts.holds("prompt_variations") or findings.distinct_prompts >= check.at_least:
        return None
    if facts.source("prompt_variations") == "measured":
        return None
    near = facts.framework.threshold("near_copy")
    alike = share(1.0 if near is None else near)
    return (
        ("ceiling.prompt_variations", "data.prompts"),
        f"{several(findings.prompts or 0, 'prompt file')} are in the folder, and "
        f"{few(check.at_least)} variations are stated. Near copies ({alike} alike or more) count "
        f"once, which leaves {few(findings.distinct_prompts)}.",
        f"Write variants that differ in structure until {check.at_least} are left",
    )


@doubt
def ceiling_without_evaluation(facts: CaseFacts) -> Clash | None:
    """A ceiling nobody measured: no evaluation set, and no share of cases that are right."""
    if facts.assessment.reached != "yes":
        return None
    if facts.case.data.evaluation is not None or facts.quality is not None:
        return None
    return (
        ("ceiling", "data.evaluation"),
        "The ceiling is claimed, and no evaluation set shows it.",
        "Collect and label cases (data.evaluation), and score the best prompts on them",
    )


@doubt
def ceiling_within_noise(facts: CaseFacts) -> Clash | None:
    """A ceiling claimed while the target still lies inside the interval of what was counted."""
    target, today, interval = facts.case.targets.quality, facts.case.today, facts.quality
    if facts.assessment.reached != "yes" or target is None or interval is None:
        return None
    low, high = interval
    if not low <= target.at_least <= high:
        return None
    assert today.quality is not None  # the interval was made from it
    assert today.cases is not None
    needed = cases_to_tell(today.quality, target.at_least, today.cases)
    tells = f"about {count(needed)} in all would tell" if needed else BY_MARGIN
    return (
        ("ceiling", "today.quality", "targets.quality"),
        f"The ceiling is claimed at {quality(today.quality)} on {count(today.cases)} cases, which "
        f"may be anything from {quality(low)} to {quality(high)}: the target of "
        f"{quality(target.at_least)} lies inside.",
        f"Score more cases: {tells}",
    )


@contradiction
def target_already_met(facts: CaseFacts) -> Clash | None:
    """No success is claimed, or a ceiling, and everything counted meets its target."""
    reached, met = facts.assessment.reached == "yes", facts.met(facts.bill)
    if not reached and facts.state("success_with_prompts") != "no":
        return None
    if set(met.values()) != {"yes"}:
        return None
    return (
        (
            "ceiling" if reached else "factors.success_with_prompts",
            *(f"today.{name}" for name in met),
        ),
        f"Every target that was counted is met today ({_targets([*met])}), and prompting is "
        "said to fall short.",
        "Name the target that is missed, or keep the prompt",
    )


@contradiction
def success_but_target_missed(facts: CaseFacts) -> Clash | None:
    """Success means every target: quality, latency, cost and privacy."""
    if not facts.holds("success_with_prompts"):
        return None
    missed = [name for name, state in facts.met(facts.bill).items() if state == "no"]
    paths = [f"today.{name}" for name in missed]
    if facts.holds("data_sovereignty") and facts.case.today.api == "third_party":
        missed.append("privacy")
        paths.append("today.api")
    if not missed:
        return None
    return (
        ("factors.success_with_prompts", *paths),
        f"The present prompt is said to meet every requirement, and it misses: {_targets(missed)}.",
        "Success means all targets at once; correct the answer or the target",
    )


@contradiction
def success_with_faulty_answers(facts: CaseFacts) -> Clash | None:
    """What meets every target isn't seen to fail; where quality was counted, that tells."""
    signals, counted = facts.framework.signals, facts.target("quality") == "yes"
    if not facts.holds("success_with_prompts") or not facts.seen or counted:
        return None
    return (
        (
            "factors.success_with_prompts",
            *(f"{'signals' if name in signals else 'factors'}.{name}" for name in facts.seen),
        ),
        "The present prompt is said to meet every requirement, and answers are seen to be "
        f"wrong: {listing([plain(name) for name in facts.seen])}.",
        "Count how many answers are right on an evaluation set (today.quality and today.cases)",
    )


def _targets(names: Sequence[str]) -> str:
    return listing(
        ["cost a month" if name == "usd_per_month" else name.split("_")[0] for name in names]
    )


@doubt
def knowledge_gap_with_low_recall(facts: CaseFacts) -> Clash | None:
    """A gap in knowledge that begins where the passage isn't found."""
    recall, limit = facts.recall, facts.framework.threshold("retrieval_recall")
    if recall is None or limit is None or recall >= limit or not facts.holds("knowledge_gaps"):
        return None
    return (
        ("signals.knowledge_gaps", "today.retrieval_recall"),
        "The model is said not to use what it reads, but the right passage is found for only "
        f"{share(recall)} of questions (under {share(limit)}).",
        "Improve retrieval first; then count wrong answers among those that had the passage",
    )


@pushback
def format_goal_without_constrained_output(facts: CaseFacts) -> Clash | None:
    """Structure alone is wanted, and the tool made for structure wasn't tried."""
    if facts.case.goals != ("format",):
        return None
    if any("constrained_output" in attempt.tried for attempt in facts.case.attempts):
        return None
    return (
        ("goals", "attempts"),
        "Format is the only goal, and constrained output isn't among what was tried.",
        "Try a JSON schema or a grammar first: it can't produce another structure",
    )
