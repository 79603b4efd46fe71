"""The honest end of the comparison: tune, the simpler path, or both, and where to begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tuneworthy.model.dossier import Action, Advice, Assessment, Decision, Option, Reason
from tuneworthy.verdict.options.facts import Numbers
from tuneworthy.words import listing, plain

# The honest end of the comparison: tune, the simpler path, or both, and where to begin.

MOST = 3
"""Options to begin with; more would be a list, not a recommendation."""

_BY_CHECK = {
    "prompt_variations": ("prompt_optimisation",),
    "structured_prompt": ("prompt_optimisation",),
    "foundation_models": ("other_model",),
    "few_shot": ("few_shot", "retrieved_examples"),
    "retrieval_optimised": (
        "chunk_optimization",
        "hybrid_search",
        "reranking",
        "query_expansion",
    ),
}
"""Options that do what a check of the ceiling test asks for; the best ranked of them counts."""


def recommend(
    options: Sequence[Option], assessment: Assessment, decision: Decision, action: Action
) -> Advice:
    """What to do, from the verdict and the options together.

    Args:
        options: In the order of their ranks.
        assessment: For the checks that aren't done.
        decision: The verdict.
        action: What the gates came to.
    """
    simple = [one for one in _once(options) if one.kind != "tuning" and one.id != "distillation"]
    simple.sort(key=lambda one: one.kind == "serving")  # a cheaper call mends no answer
    helping = [one.id for one in simple if one.helps == "yes"]
    partly = [one.id for one in simple if one.helps == "partly"]
    if action == "keep_prompting" and decision.outcome == "fine_tune_candidate":
        return Advice("simpler_path", ("keep_prompt",), Reason("nothing_missing"))
    if decision.outcome == "undecided":
        return _advice("undecided", helping, Reason("still_open" if helping else "all_open"))
    if decision.outcome == "keep_optimizing_prompts":
        lacking = _lacking(assessment)
        first = _for_checks(options, lacking)
        rest = [name for name in helping if name not in first]
        return _advice("simpler_path", [*first, *rest], Reason("checks_first", {"names": lacking}))
    if decision.outcome != "fine_tune_candidate" or action == "explore_alternatives":
        return _alternatives(decision, helping, partly)
    return _candidate(options, helping, action)


def _alternatives(decision: Decision, helping: Sequence[str], partly: Sequence[str]) -> Advice:
    """Tuning isn't next: what helps instead, or that nothing known does."""
    why = decision.outcome if decision.outcome != "fine_tune_candidate" else "gate_in_the_way"
    if helping or partly:
        return _advice("simpler_path", [*helping, *partly], Reason(why))
    return Advice("undecided", (), Reason("nothing_known_helps", {"why": why}))


def _candidate(options: Sequence[Option], helping: Sequence[str], action: Action) -> Advice:
    """Tuning is justified: the untried simpler things first, and the tuning that fits best."""
    tunings = [one for one in options if one.kind == "tuning" and one.helps in ("yes", "partly")]
    both = next((one for one in tunings if one.id == "hybrid" and one.helps == "yes"), None)
    best = both or next(iter(tunings), None)
    first = tuple(helping[: MOST - 1])
    numbers = {"first": first, "tuning": best.id if best else None, "pilot": action != "proceed"}
    if best is None:
        return (
            _advice("simpler_path", helping, Reason("no_tuning_fits"))
            if helping
            else Advice("undecided", (), Reason("nothing_known_helps", {"why": "no_tuning_fits"}))
        )
    safety = "safety_first" if action == "clear_gates" else ""
    if helping:
        picked = (*first, best.id)
        return Advice("both", picked, Reason(safety or "simpler_first", numbers))
    return Advice("fine_tune", (best.id,), Reason(safety or "nothing_simpler_left", numbers))


def _advice(choice: str, names: Sequence[str], because: Reason) -> Advice:
    return Advice(choice, tuple(names[:MOST]), because)  # type: ignore[arg-type]  # only ever a literal from above


def _once(options: Sequence[Option]) -> list[Option]:
    """The best of each family."""
    seen: set[str] = set()
    found = []
    for one in options:
        if one.family not in seen:
            seen.add(one.family)
            found.append(one)
    return found


def _lacking(assessment: Assessment) -> tuple[str, ...]:
    checks = assessment.ceiling.checks.items()
    return tuple(name for name, check in checks if check.state == "no")


def _for_checks(options: Sequence[Option], lacking: Sequence[str]) -> list[str]:
    """For each check that is no, the best ranked option that does it and may help; none twice."""
    found: list[str] = []
    for check in lacking:
        names = _BY_CHECK.get(check, ())
        best = next((one.id for one in options if one.id in names and one.helps != "no"), None)
        if best is not None and best not in found:
            found.append(best)
    return found


# The recommendation in words.

Titles = Mapping[str, str]


def _first(n: Numbers, titles: Titles) -> str:
    return listing([titles[name] for name in n["first"]])


def _was(n: Numbers) -> str:
    return "wasn't" if len(n["first"]) == 1 else "weren't"


def _pilot(n: Numbers) -> str:
    return ", with a pilot" if n["pilot"] else ""


def _tuning(n: Numbers, titles: Titles) -> str:
    return titles[n["tuning"]]


_WHY = {
    "improve_rag_or_switch_model": "the reasons for tuning are too few",
    "address_anti_indicators": "the reasons against tuning stand",
    "gate_in_the_way": "tuning is held up",
    "no_tuning_fits": "no kind of tuning fits as things stand",
}

ADVICE: dict[str, Callable[[Numbers, Titles], str]] = {
    "nothing_missing": lambda _n, _t: (
        "The present prompt meets what is asked, and nothing is cheaper to keep"
    ),
    "still_open": lambda _n, _t: (
        "Too early to say: answers that decide are still open. Some options are worth trying "
        "whatever they turn out to be"
    ),
    "all_open": lambda _n, _t: (
        "Too early to say: answers that decide are still open, and with them whether anything helps"
    ),
    "checks_first": lambda n, _t: (
        "Prompting isn't at its ceiling, so do first what the ceiling test "
        f"lacks: {listing([plain(name) for name in n['names']])}"
    ),
    "improve_rag_or_switch_model": lambda _n, _t: (
        "The reasons for tuning are too few; start with what helps here"
    ),
    "address_anti_indicators": lambda _n, _t: (
        "The reasons against tuning stand; clear those first, and meanwhile do what helps anyway"
    ),
    "gate_in_the_way": lambda _n, _t: "Tuning has its reasons, but a gate before it is closed",
    "nothing_known_helps": lambda n, _t: (
        f"No honest recommendation yet: {_WHY[n['why']]}, and none of the alternatives is known to "
        "help. Settle what the unknown ones ask for"
    ),
    "no_tuning_fits": lambda _n, _t: (
        "No kind of tuning fits as things stand, and something simpler helps"
    ),
    "simpler_first": lambda n, t: (
        f"What is simpler comes first: {_first(n, t)} would help and {_was(n)} tried. If the "
        f"target is still missed after that: {_tuning(n, t)}{_pilot(n)}"
    ),
    "safety_first": lambda n, t: (
        f"Review the data and name a process first. Then {_tuning(n, t)}"
        + (f"; in the meantime, as the simpler part, {_first(n, t)}" if n["first"] else "")
    ),
    "nothing_simpler_left": lambda n, t: (
        f"{_tuning(n, t)}{_pilot(n)}. Nothing simpler is known to be left that helps"
    ),
}
"""Reason id to its words, from its numbers and the options' titles."""

CHOICES = {
    "fine_tune": "fine-tune",
    "simpler_path": "the simpler path",
    "both": "the simpler path first, then tuning",
    "undecided": "undecided",
}
"""The choice in words."""
