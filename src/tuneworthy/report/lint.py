"""The linter's findings in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuneworthy.domain.lint import Lint, LintFinding
from tuneworthy.report.layout import safe, table, wrapped
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import count, few, listing, months, number, plain, usd, usd_range

SCHEMA = "tuneworthy/lint/1"

Words = Callable[[LintFinding], str]


def _bands_disagree(f: LintFinding) -> str:
    own = "its own denominator" if f.numbers["own"] else "every factor counted"
    return (
        f"Score and difference put {count(f.count)} of {count(f.of)} combinations into different "
        f"bands (dividing by {number(f.numbers['denominator'])}, {own}). Both are shown, and "
        "strength is "
        "the range between them."
    )


def _denominator_not_count(f: LintFinding) -> str:
    return (
        f"The score divides by {number(f.numbers['denominator'])}, and {few(f.numbers['factors'])} "
        f"factors are listed. Counting them moves {count(f.count)} of {count(f.of)} combinations "
        "into "
        "another band (denominator: count does it)."
    )


def _strength_tells_little(f: LintFinding) -> str:
    kinds = [f"{_same(name)} {count(many)}" for name, many in f.numbers["strengths"].items()]
    return (
        f"Strength hardly tells the {count(f.of)} candidates of the tree apart: "
        f"{listing(kinds)}. A "
        "candidate between bands is justified and starts with a pilot."
    )


def _same(name: str) -> str:
    low, high = name.split(" to ")
    return low if low == high else f"{low}–{high}"


def _examples_contradict_needs(f: LintFinding) -> str:
    needs = [f"{plain(name)} takes {count(low)}" for name, low in f.numbers["needs"].items()]
    return (
        f"Fewer than {count(f.numbers['general'])} examples count as insufficient, but "
        f"{listing(needs)}. The need of the case's own approach counts where it is known."
    )


def _upfront_total(f: LintFinding) -> str:
    n = f.numbers
    return (
        f"The rows of the upfront table add up to {count(n['sum_low'])}–{count(n['sum_high'])} "
        "hours and "
        f"{usd_range(n['usd_low'], n['usd'])}; published are "
        f"{count(n['low'])}–{count(n['high'])} hours "
        f"and under {usd(n['under'])}."
    )


def _worked_example(f: LintFinding) -> str:
    n = f.numbers
    back = (
        n["computed_months"]
        if isinstance(n["computed_months"], str)
        else months(n["computed_months"])
    )
    return (
        f"The worked example: score {number(n['score'])} published, "
        f"{number(n['computed_score'])} by the "
        f"rules ({number(n['score_by_count'])} counting every factor); break-even "
        f"{months(n['months'])} published, {back} computed ({usd(n['upfront_usd'])} at "
        f"{usd(n['net_usd'])} a month)."
    )


def _example_below_table(f: LintFinding) -> str:
    n = f.numbers
    best, worst = (v if isinstance(v, str) else months(v) for v in (n["best"], n["worst"]))
    return (
        f"The worked example's running costs of {usd(n['ongoing'])} a month are below its own "
        "table, "
        f"{usd_range(n['low'], n['high'])}: with those it pays back in {best} at best, at worst "
        f"{worst}."
    )


_WORDS: dict[str, Words] = {
    "bands_disagree": _bands_disagree,
    "denominator_not_count": _denominator_not_count,
    "strength_tells_little": _strength_tells_little,
    "examples_contradict_needs": _examples_contradict_needs,
    "upfront_total": _upfront_total,
    "worked_example": _worked_example,
    "example_below_table": _example_below_table,
    "step_never_holds": lambda f: (
        f"Step {f.numbers['step']} of the tree ({OUTCOME_WORDS[f.numbers['outcome']]}) never "
        "decides."
    ),
    "outcome_unreachable": lambda f: (
        f"No combination of answers comes to: {OUTCOME_WORDS[f.numbers['outcome']]}."
    ),
    "no_ceiling_test": lambda _: "It has no ceiling test, so the ceiling always counts as reached.",
    "bands_out_of_order": lambda f: (
        f"Strong begins below moderate in the bands of the {f.numbers['rule']}."
    ),
    "reason_backfires": lambda f: (
        f"One more yes to {plain(f.numbers['factor'])} moves {count(f.count)} of {count(f.of)} "
        "combinations the wrong way."
    ),
    "factor_never_matters": lambda f: (
        f"The answer to {plain(f.numbers['factor'])} never changes an outcome or a band."
    ),
}


def finding_says(finding: LintFinding) -> str:
    """A finding in words."""
    return _WORDS[finding.id](finding)


def lint_text(lint: Lint) -> str:
    """The findings for a terminal, at most 80 columns."""
    warnings = len(lint.warnings)
    first = f"{safe(lint.framework.name)}: {count(lint.combinations)} combinations of answers, " + (
        f"{few(warnings)} thing{'s' if warnings != 1 else ''} to know." if warnings
        else "nothing to complain about."
    )  # fmt: skip
    lines = wrapped(first)
    position = 0
    for one in lint.findings:
        position += one.grade == "warning"
        mark = "ok" if one.grade == "note" else str(position)
        lines += ["", *wrapped(safe(finding_says(one)), first=f"  [{mark}] ")]
        if one.cells:
            lines += table(_cell_rows(one), indent="      ")
    return "\n".join(lines) + "\n"


def _cell_rows(finding: LintFinding) -> list[tuple[str, ...]]:
    head = ("score", "difference")
    if finding.id == "denominator_not_count":
        n = finding.numbers
        head = (f"by {number(n['denominator'])}", f"by {number(n['factors'])}")
    rows: list[tuple[str, ...]] = [("for", "against", "combinations", *head)]
    for cell in finding.cells[:40]:
        numbers = (cell.indicators, cell.anti_indicators, cell.combinations)
        bands = (cell.score, cell.difference)
        rows.append((*(count(value) for value in numbers), *bands))
    return rows


def lint_dict(lint: Lint) -> dict[str, Any]:
    """The findings as plain data, with what each says."""
    data = lint.model_dump(mode="json")
    for finding, one in zip(data["findings"], lint.findings, strict=True):
        finding["says"] = finding_says(one)
    return {"schema": SCHEMA, **data}
