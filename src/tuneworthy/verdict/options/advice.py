"""The honest end of the comparison: tune, the simpler path, or both, and where to begin."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.model.dossier import (
    Action,
    Assessment,
    Choice,
    Decision,
    OptionResult,
    Recommendation,
)
from tuneworthy.verdict.options import OPTIONS
from tuneworthy.words import listing, plain, sentence

MOST = 3
"""Options to begin with; more would be a list, not a recommendation."""

CHOICES = {
    "fine_tune": "fine-tune",
    "simpler_path": "the simpler path",
    "both": "the simpler path first, then tuning",
    "undecided": "undecided",
}
"""The choice in words."""

_NO_TUNING = "no kind of tuning fits as things stand"


def recommend(
    options: Sequence[OptionResult], assessment: Assessment, decision: Decision, action: Action
) -> Recommendation:
    """What to do, from the verdict and the options together.

    Args:
        options: In the order of their ranks.
        assessment: For the checks that aren't done.
        decision: The verdict.
        action: What the gates came to.
    """
    simple = [
        option
        for option in _once(options)
        if option.kind != "tuning" and option.id != "distillation"
    ]
    simple.sort(key=lambda option: option.kind == "serving")  # a cheaper call improves no answer
    helping = [option for option in simple if option.helps == "yes"]
    partly = [option for option in simple if option.helps == "partly"]
    if action == "keep_prompting" and decision.outcome == "fine_tune_candidate":
        says = "The present prompt meets what is asked, and nothing is cheaper to keep"
        return Recommendation(choice="simpler_path", options=("keep_prompt",), says=f"{says}.")
    if decision.outcome == "undecided":
        also = (
            ". Some options are worth trying whatever they turn out to be"
            if helping
            else ", and with them whether anything helps"
        )
        says = f"Too early to say: answers that decide are still open{also}"
        return _advice("undecided", helping, says)
    if decision.outcome == "keep_optimizing_prompts":
        checks = assessment.ceiling.checks.items()
        lacking = [name for name, check in checks if check.state == "no"]
        first = _for_checks(options, lacking)
        says = (
            "Prompting isn't at its ceiling, so do first what the ceiling test lacks: "
            f"{listing([plain(name) for name in lacking])}"
        )
        rest = [option for option in helping if option not in first]
        return _advice("simpler_path", [*first, *rest], says)
    if decision.outcome != "fine_tune_candidate" or action == "explore_alternatives":
        return _alternatives(decision, [*helping, *partly])
    return _candidate(options, helping, action)


def _alternatives(decision: Decision, helping: Sequence[OptionResult]) -> Recommendation:
    """Tuning isn't next: what helps instead, or that nothing known does."""
    if decision.outcome == "improve_rag_or_switch_model":
        why = "the reasons for tuning are too few"
        says = f"{why}; start with what helps here"
    elif decision.outcome == "address_anti_indicators":
        why = "the reasons against tuning remain"
        says = f"{why}; clear those first, and meanwhile do what helps anyway"
    else:
        why = "tuning is held up"
        says = "Tuning has its reasons, but a gate before it is closed"
    return _advice("simpler_path", helping, says) if helping else _nothing_helps(why)


def _nothing_helps(why: str) -> Recommendation:
    says = (
        f"No honest recommendation yet: {why}, and none of the alternatives is known to help. "
        "Settle what the unknown ones ask for"
    )
    return _advice("undecided", (), says)


def _candidate(
    options: Sequence[OptionResult], helping: Sequence[OptionResult], action: Action
) -> Recommendation:
    """Tuning is justified: the untried simpler things first, and the tuning that fits best."""
    tunings = [
        option
        for option in options
        if option.kind == "tuning" and option.helps in ("yes", "partly")
    ]
    both = next(
        (option for option in tunings if option.id == "hybrid" and option.helps == "yes"), None
    )
    best = both or next(iter(tunings), None)
    if best is None and helping:
        return _advice("simpler_path", helping, f"{_NO_TUNING}, and something simpler helps")
    if best is None:
        return _nothing_helps(_NO_TUNING)
    first = helping[: MOST - 1]
    titles = listing([option.title for option in first])
    pilot = ", with a pilot" if action != "proceed" else ""
    if action == "clear_gates":
        meanwhile = f"; in the meantime, as the simpler part, {titles}" if first else ""
        says = f"Review the data and name a process first. Then {best.title}{meanwhile}"
    elif first:
        was = "wasn't" if len(first) == 1 else "weren't"
        says = (
            f"What is simpler comes first: {titles} would help and {was} tried. If the target is "
            f"still missed after that: {best.title}{pilot}"
        )
    else:
        says = f"{best.title}{pilot}. Nothing simpler is known to be left that helps"
    return _advice("both" if first else "fine_tune", [*first, best], says)


def _advice(choice: Choice, options: Sequence[OptionResult], says: str) -> Recommendation:
    names = tuple(option.id for option in options[:MOST])
    return Recommendation(choice=choice, options=names, says=sentence(says))


def _once(options: Sequence[OptionResult]) -> list[OptionResult]:
    """The best of each family of variants."""
    families: dict[str, OptionResult] = {}
    for option in options:
        families.setdefault(option.id if option.variant_of == "none" else option.variant_of, option)
    return list(families.values())


def _for_checks(options: Sequence[OptionResult], checks: Sequence[str]) -> list[OptionResult]:
    """For each check, the best ranked option that does it and may help; none twice."""
    chosen: list[OptionResult] = []
    for check in checks:
        does = {name for name, option in OPTIONS.items() if check in option.checks}
        best = next(
            (option for option in options if option.id in does and option.helps != "no"), None
        )
        if best is not None and best not in chosen:
            chosen.append(best)
    return chosen
