"""Why a verdict is what it is, and why an answer means what it means."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Asked, Check, Factor, Framework
from tuneworthy.domain.record import Range
from tuneworthy.report.layout import row, safe, table, wrapped
from tuneworthy.report.text import finality, headline, strength_text
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import few, number, plain
from tuneworthy.syntax.build import did_you_mean


def explain_case(dossier: Dossier, framework: Framework) -> str:
    """The walk through the rules with this case's numbers."""
    lines = [*wrapped(headline(dossier), rest="  "), *wrapped(finality(dossier)), ""]
    lines += ["1. The ceiling test", *_states(dossier, "check")]
    lines += wrapped(f"The ceiling is reached: {dossier.ceiling.reached}.", first="   ")
    lines += ["", "2. Reasons for", *_states(dossier, "indicator")]
    lines += ["", "3. Reasons against", *_states(dossier, "anti_indicator")]
    lines += ["", "4. The tree, first step that holds", *_walk(dossier)]
    lines += ["", "5. Score and difference", *_score(dossier, framework)]
    lines += ["", "6. Gates before money"]
    rows = [(gate.id, gate.state, safe(gate.why)) for gate in dossier.verdict.gates]
    lines += table(rows, indent="   ")
    action = plain(dossier.verdict.action)
    lines += ["", *wrapped(f"So: {action}. {safe(dossier.verdict.next)}")]
    return "\n".join(lines) + "\n"


def _states(dossier: Dossier, kind: str) -> list[str]:
    rows = [
        (state, safe(title), source if state != "unknown" else "not answered", safe(note))
        for state, title, source, note, own in _answers(dossier)
        if own == kind
    ]
    return table(rows, indent="   ") or ["   none is asked"]


def _answers(dossier: Dossier) -> list[tuple[str, str, str, str, str]]:
    checks = [
        (c.state, c.title, c.source, c.note, "check") for c in dossier.ceiling.checks.values()
    ]
    factors = [(f.state, f.title, f.source, f.note, f.kind) for f in dossier.factors.values()]
    return [*checks, *factors]


def _walk(dossier: Dossier) -> list[str]:
    lines = []
    for step in dossier.rules.tree.path:
        values = ", ".join(f"{plain(name)} {_value(v)}" for name, v in step.value.items())
        then = {
            "yes": f" → {OUTCOME_WORDS[step.outcome]}",
            "no": " → go on",
            "unknown": f" → {OUTCOME_WORDS[step.outcome]}, or go on",
        }[step.answer]
        beside = f" ({values})" if values else ""
        lines += wrapped(f"{step.ask}? {step.answer}{beside}{then}", first="   ", rest="      ")
    return [*lines, f"   Outcome: {OUTCOME_WORDS[dossier.rules.tree.outcome]}"]


def _value(value: float | Range) -> str:
    if isinstance(value, Range):
        return f"{number(value.low)} to {number(float(value.high))}"
    return number(value)


def _score(dossier: Dossier, framework: Framework) -> list[str]:
    rules, scoring = dossier.rules, framework.scoring
    difference, score = _value(rules.difference.value), _value(rules.score.value)
    counted = "counting each factor once" if scoring.weights == "shown" else "counting weights"
    lines = wrapped(
        f"For less against is {difference}, {counted}. Divided by {rules.score.denominator:g} that "
        f"is a score of {score}.",
        first="   ",
    )
    return lines + wrapped(f"Strength: {strength_text(dossier)}.", first="   ")


def explain_answer(
    dossier: Dossier, framework: Framework, name: str, otherwise: Sequence[tuple[str, Verdict]]
) -> str:
    """One answer of a case: what it is, where it comes from, and what another would do.

    Args:
        dossier: The case decided.
        framework: The framework that asks.
        name: Factor, check or signal.
        otherwise: For each other value: the verdict it would give; empty for a signal.
    """
    found = (
        dossier.factors.get(name)
        or dossier.ceiling.checks.get(name)
        or dossier.signals.get(name)
    )  # fmt: skip
    if found is None:
        raise unknown_name(name, framework)
    source = found.source if found.state != "unknown" else "not answered"
    lines = wrapped(f"{safe(found.title)} is {found.state} ({source}).")
    if found.note:
        lines += row("Note", safe(found.note))
    for to, verdict in otherwise:
        if verdict == dossier.verdict.outcome:
            said = f"the verdict stays: {OUTCOME_WORDS[verdict]}"
        else:
            said = f"the verdict would be: {OUTCOME_WORDS[verdict]}"
        lines += row(f"If {to}", said)
    for position, one in enumerate(dossier.challenges, start=1):
        if any(name in path.split(".") for path in one.between):
            lines += ["", *wrapped(safe(one.says), first=f"  [{position}] ")]
            lines += wrapped(f"To settle: {safe(one.settle)}", first="      ")
    return "\n".join(lines) + "\n\n" + explain_factor(framework, name)


def explain_factor(framework: Framework, name: str) -> str:
    """What a factor, check or signal asks, and why it means what it means.

    Raises:
        CaseError: If the framework has nothing of that name.
    """
    asked = (
        framework.factors.get(name) or framework.ceiling.get(name) or framework.signals.get(name)
    )
    if asked is None:
        raise unknown_name(name, framework)
    return "\n".join(_about(framework, name, asked)) + "\n"


def unknown_name(name: str, framework: Framework) -> CaseError:
    """The error for a name the framework doesn't have."""
    known = [*framework.factors, *framework.ceiling, *framework.signals]
    return CaseError(
        f'"{name}" is not in the {framework.name} framework', fix=did_you_mean(name, known)
    )


def _about(framework: Framework, name: str, asked: Asked) -> list[str]:
    at_least = asked.at_least if isinstance(asked, Check) else None

    def filled(text: str) -> str:
        return safe(framework.filled(text, at_least))

    lines = [*wrapped(f"{safe(asked.title)} ({name}), {_kind(framework, name)}"), ""]
    lines += row("Asks", filled(asked.ask))
    if isinstance(asked, Factor) and asked.means:
        lines += row("Yes means", filled(asked.means))
    if asked.why:
        lines += row("Why", filled(asked.why))
    if asked.example:
        lines += row("Example", filled(asked.example))
    if isinstance(asked, Factor):
        shown = (
            "" if framework.scoring.weights == "counted" else " (shown; every factor counts one)"
        )
        lines += row("Weight", f"{asked.weight}{shown}")
    if isinstance(asked, Check) and asked.settle:
        lines += row("To get it", filled(asked.settle))
    if isinstance(asked, Check | Factor):
        minute = "minute" if asked.minutes == 1 else "minutes"
        lines += row("To answer", f"about {few(asked.minutes)} {minute}")
    return lines


def _kind(framework: Framework, name: str) -> str:
    if name in framework.indicators:
        return "a reason for tuning"
    if name in framework.anti_indicators:
        return "a reason against tuning"
    return "a check of the ceiling test" if name in framework.ceiling else "a sign of a ceiling"
