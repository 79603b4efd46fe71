"""Words for claims about the ceiling and about success."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.report.challenges.registry import Numbers, says
from tuneworthy.report.words import count, few, listing, plain, quality, several, share

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
