"""The next step, in one sentence, for each action."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.assessment import Assessment
from tuneworthy.domain.decision import Action, ApproachFit
from tuneworthy.domain.framework import Framework
from tuneworthy.report.words import listing, sentence


def next_step(
    action: Action,
    assessment: Assessment,
    framework: Framework,
    fits: Sequence[ApproachFit],
    asked: Sequence[str],
    simpler: Sequence[str] = (),
) -> str:
    """What to do now.

    Args:
        action: What the gates came to.
        assessment: The answers, for what is missing.
        framework: For the step that settles each check.
        fits: Approaches, the primary one first.
        asked: Open questions, the best first.
        simpler: Titles of options that would help and come before any tuning.
    """
    if action == "answer_questions":
        return sentence(f"answer this first: {asked[0]}" if asked else "answer what is open")
    if action == "keep_prompting":
        return sentence(_prompting(assessment, framework))
    if action == "clear_anti_indicators":
        held = [a.id for a in assessment.of_kind("anti_indicator").values() if a.state == "yes"]
        titles = [framework.factors[name].title for name in held]
        return sentence(f"don't tune as long as these hold: {listing(titles)}")
    approach = "the approach that fits the goal"
    if fits:
        approach = framework.approaches[fits[0].approach].title
    first = f"try {listing(simpler)}" if simpler else ""
    pilot = (
        f"run a pilot of {approach} on a part of the data, and compare it with the best prompt on "
        "untouched cases"
    )
    go = f"plan {approach}, with the evaluation written down before the training"
    return sentence(
        {
            "improve_rag_or_switch": first
            or "count how often the right passage is retrieved, and run the best prompt on another "
            "model",
            "explore_alternatives": f"{first or 'compare the alternatives'} before any money goes "
            "into tuning",
            "clear_gates": "review the data and name a process for safety before any training",
            "proceed": f"{first} first; if the target is still missed, {go}" if first else go,
            "pilot": f"{first} first; if the target is still missed, {pilot}" if first else pilot,
        }[action]
    )


def _prompting(assessment: Assessment, framework: Framework) -> str:
    """The first check that isn't done; when all are, the prompt is simply kept."""
    for name, check in framework.ceiling.items():
        if assessment.state(name) == "no":
            step = check.settle or f"do this check: {check.ask}"
            return framework.filled(step, check.at_least)
    return "keep the present prompt, and decide again when targets, volume or requirements change"
