"""A framework in words."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.domain.framework import Asked, Check, Framework
from tuneworthy.domain.rules import Bound
from tuneworthy.framework.wording import condition_text
from tuneworthy.report.layout import row, safe, table, wrapped
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import count, number, plain


def framework_text(framework: Framework) -> str:
    """What a framework asks and how it decides, for a terminal of 80 columns."""
    lines = wrapped(f"{framework.name}: {safe(framework.title)}")
    if framework.source:
        dated = f" ({framework.dated})" if framework.dated else ""
        lines += wrapped(f"Source: {safe(framework.source)}{dated}")
    sections: tuple[tuple[str, Mapping[str, Asked]], ...] = (
        ("The ceiling test: all of these have to be yes", framework.ceiling),
        ("Reasons for tuning", framework.indicators),
        ("Reasons against tuning", framework.anti_indicators),
        ("Signs of a ceiling", framework.signals),
    )
    for title, asked in sections:
        if asked:
            lines += ["", title, *_asked(framework, asked)]
    lines += ["", "The tree, first step that holds", *_tree(framework), "", *_scoring(framework)]
    lines += _more(framework)
    return "\n".join(lines) + "\n"


def _asked(framework: Framework, asked: Mapping[str, Asked]) -> list[str]:
    rows = []
    for name, entry in asked.items():
        at_least = entry.at_least if isinstance(entry, Check) else None
        weight = getattr(entry, "weight", "")
        rows.append((name, str(weight), safe(framework.filled(entry.ask, at_least))))
    if all(not weight for _, weight, _ in rows):
        return table([(name, ask) for name, _, ask in rows])
    return table(rows)


def _tree(framework: Framework) -> list[str]:
    rows = [
        (condition_text(step.when) if step.when else "otherwise", OUTCOME_WORDS[step.outcome])
        for step in framework.tree
    ]
    return table(rows)


def _scoring(framework: Framework) -> list[str]:
    scoring = framework.scoring
    by = scoring.denominator
    divisor = {"count": "the number of factors", "weight": "their whole weight"}.get(
        str(by), number(by) if isinstance(by, float | int) else str(by)
    )
    counted = "each factor counts one" if scoring.weights == "shown" else "weights count"
    lines = [f"Score: for less against, divided by {divisor} ({counted})"]
    for name, bands in (("score", scoring.score), ("difference", scoring.difference)):
        strong, moderate = (_begins(bound) for bound in (bands.strong, bands.moderate))
        lines += row(name, f"strong {strong}, moderate {moderate}, weak below")
    return lines


def _begins(bound: Bound) -> str:
    if bound.more_than is not None:
        return f"above {bound.more_than:g}"
    return f"from {bound.at_least:g}"


def _more(framework: Framework) -> list[str]:
    lines: list[str] = []
    if framework.approaches:
        lines += ["", "Goals and approaches"]
        rows = []
        for name, goal in framework.goals.items():
            approach = framework.approaches[goal.approach]
            most = " or more" if approach.data.high == "open" else f"–{count(approach.data.high)}"
            need = f"{count(approach.data.low)}{most} {plain(approach.data.unit)}"
            rows.append((name, safe(approach.title), f"{need}; compute {safe(approach.compute)}"))
        lines += table(rows)
    if framework.options:
        lines += ["", "Alternatives"]
        for name, option in framework.options.items():
            lines += wrapped(
                f"{plain(name)}: helps when {safe(option.helps_when)}; not when "
                f"{safe(option.not_when)}.",
                first="  ", rest="    ",
            )  # fmt: skip
    if framework.thresholds:
        lines += ["", "Thresholds"]
        for name, entry in framework.thresholds.items():
            said = (
                f"{plain(name)}: {number(entry.value)} {entry.unit}: {entry.says} ({entry.source})"
            )
            lines += wrapped(safe(said), first="  ", rest="    ")
    return lines
