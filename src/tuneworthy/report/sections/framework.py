"""A framework in words."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import one_line
from tuneworthy.framework.rules import condition_text
from tuneworthy.model.base import json_text
from tuneworthy.model.dossier import Lint, LintFinding
from tuneworthy.model.framework import Bound, Check, Criterion, Framework
from tuneworthy.report.text import row, safe, table, wrapped
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import count, few, listing, months, number, plain, usd, usd_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneworthy.llm.choose import Served


# A framework in words.


def framework_text(framework: Framework) -> str:
    """What a framework asks and how it decides, for a terminal of 80 columns."""
    lines = wrapped(f"{framework.name}: {safe(framework.title)}")
    if framework.source:
        dated = f" ({framework.dated})" if framework.dated else ""
        lines += wrapped(f"Source: {safe(framework.source)}{dated}")
    sections: tuple[tuple[str, Mapping[str, Criterion]], ...] = (
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


def _asked(framework: Framework, asked: Mapping[str, Criterion]) -> list[str]:
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
                first="  ",
                rest="    ",
            )
    if framework.thresholds:
        lines += ["", "Thresholds"]
        for name, entry in framework.thresholds.items():
            said = (
                f"{plain(name)}: {number(entry.value)} {entry.unit}: {entry.says} ({entry.source})"
            )
            lines += wrapped(safe(said), first="  ", rest="    ")
    return lines


# The linter's findings in words.

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
        f"{few(warnings)} thing{'s' if warnings != 1 else ''} to know."
        if warnings
        else "nothing to complain about."
    )
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


# The case file to begin with: every question a framework asks, as a comment beside its answer.

_TAIL = """
# What was tried, in order. Each attempt gets its own verdict; list the models it ran with.
# attempts:
#   - {name: basic prompt, change: a line of role, result: generic answers, models: [openai:gpt-4o]}

# What has to be met, all of it, and what is met today.
# targets: {quality: {metric: exact_match, at_least: 0.90}, latency_p95_s: 2.0, usd_per_month: 2000}
# today: {quality: 0.83, cases: 200, latency_p95_s: 3.1, usd_per_month: 900, api: third_party}

# Money as you expect it. Any amount may be a number or {low, likely, high}.
# economics:
#   hourly_rate_usd: 100
#   upfront: {hours: 60, usd: 50}
#   monthly:
#     api_savings_usd: 1500
#     quality_value_usd: 500
#     ongoing_usd: {low: 800, likely: 1100, high: 2000}
#   traffic:
#     {requests_per_month: 20000, growth_per_month: 0.05, input_tokens: 3000, output_tokens: 300}
strategic_value: unknown          # low, medium or high

# What you have: a count, or a path relative to this file.
# data: {examples: 1200, evaluation: eval.jsonl, prompts: prompts/, voice: voice/, documents: docs/}
# models: [{id: "openai:gpt-4o", usd_per_mtok: {input: 2.50, output: 10.00}}]

# How it would be tuned, and whether it can be done responsibly.
# tuning: {service: hosted, available: unknown, pilot: yes, model_switch: no}
safety: {data_reviewed: unknown, process_named: unknown}
"""


def case_template(
    framework: Framework, name: str, schema_file: str, own_framework: str | None
) -> str:
    """A case file with nothing answered yet.

    Args:
        framework: Whose questions are asked.
        name: What the use case is called.
        schema_file: Its JSON Schema beside it, for editors.
        own_framework: Framework to name in the file; None for the default.

    Returns:
        YAML that is a case as it stands.
    """
    lines = [
        f"# yaml-language-server: $schema={schema_file}",
        "# Answer yes, no or unknown. What you leave out is unknown and never taken for a no.",
        f"name: {json.dumps(safe(name), ensure_ascii=False)}",
    ]
    if own_framework:
        lines.append(f"framework: {own_framework}")
    lines += ["", "# What tuning should bring, the primary goal first; any of"]
    lines += [f"#   {line}" for line in textwrap.wrap(", ".join(framework.goals), 90)]
    lines.append("goals: []")
    sections: tuple[tuple[str, str, Mapping[str, Criterion]], ...] = (
        ("ceiling", "The ceiling test: has prompting reached its limit?", framework.ceiling),
        ("signals", "Signs that it has.", framework.signals),
        ("factors", "Reasons for tuning.", framework.indicators),
    )
    for key, title, asked in sections:
        if asked:
            lines += ["", f"# {title}", f"{key}:", *_answers(framework, asked)]
    lines += ["  # Reasons against tuning.", *_answers(framework, framework.anti_indicators)]
    return "\n".join(lines) + "\n" + _TAIL


def _answers(framework: Framework, asked: Mapping[str, Criterion]) -> list[str]:
    width = max((len(name) for name in asked), default=0) + 12
    lines = []
    for name, entry in asked.items():
        at_least = entry.at_least if isinstance(entry, Check) else None
        ask = safe(framework.filled(entry.ask, at_least))
        lines.append(f"{f'  {name}: unknown':<{width}}  # {ask}")
    return lines


# Words about the embedded model.

FOR_TRYING = (
    "It is for trying things out: it shows how a lab works, and no product should rest on it."
)
"""What the embedded model is good for."""


def pulled_text(model_id: str, path: str, *, size_bytes: int, fetched: bool) -> str:
    """What fetching came to.

    Args:
        model_id: The model.
        path: Where its weights are.
        size_bytes: How large they are.
        fetched: False where they were there already.

    Returns:
        Lines for a terminal.
    """
    done = "Fetched" if fetched else "There already"
    size = f"{size_bytes / 1e6:.0f} MB"
    return f"{done}: the weights of {model_id}, {size}.\n{one_line(path)}\n{FOR_TRYING}\n"


def embedded_record(why: str) -> dict[str, Any]:
    """The embedded model in a list of models.

    Args:
        why: What is missing to run it, with its cure; the empty text if nothing is.
    """
    return {
        "name": "local:smollm2",
        "ready": not why,
        "why": why or None,
        "usd_per_mtok": {"input": 0, "output": 0},
        "note": FOR_TRYING,
    }


def embedded_row(inside: dict[str, Any]) -> tuple[str, str]:
    """Its name and how it stands, for a table."""
    stands = "ready" if inside["ready"] else f"not ready: {safe(inside['why'])}"
    return inside["name"], f"{stands}. {inside['note']}"


# Models that can be called, in words.


def models_text(known: Sequence[Served], own: Sequence[Served], inside: dict[str, Any]) -> str:
    """Endpoints and models for a terminal of 80 columns."""
    lines: list[str] = []
    if own:
        lines += ["Models of the case", *table([(safe(o.name), _state(o), _price(o)) for o in own])]
        lines.append("")
    lines += ["Endpoints known by name", *table([(o.name, _state(o)) for o in known]), ""]
    lines += ["Inside this program", *table([embedded_row(inside)]), ""]
    lines += wrapped(
        "Keys come from the environment or the keyring, and are never shown. Only endpoints on "
        "this machine were asked; nothing was sent anywhere else."
    )
    return "\n".join(lines) + "\n"


def models_dict(known: Sequence[Served], own: Sequence[Served], inside: dict[str, Any]) -> str:
    """The same as JSON."""
    return json_text(
        {
            "models": [_record(each) for each in own],
            "endpoints": [_record(each) for each in known],
            "embedded": inside,
        }
    )


def _record(one: Served) -> dict[str, Any]:
    price = one.price
    return {
        "name": one.name,
        "base_url": one.base_url or None,
        "state": one.state,
        "key_from": one.key_from or None,
        "usd_per_mtok": None if price is None else {"input": price.input, "output": price.output},
        "price_from": None if price is None else (price.catalogue or _without_catalogue(one)),
        "models": list(one.models),
        "why": one.why or None,
    }


def _without_catalogue(one: Served) -> str:
    return "runs on this machine" if one.state == "inside" else "stated in the case"


def _state(one: Served) -> str:
    served = safe(", ".join(one.models[:5])) + (", …" if len(one.models) > 5 else "")
    return {
        "key": f"reachable, key from {one.key_from}",
        "no_key": f"needs a key in {one.key_from}",
        "answers": "answers on this machine" + (f": {served}" if served else ""),
        "silent": f"does not answer at {safe(one.base_url)}",
        "open": f"called without a key; {one.key_from} would hold one",
        "inside": "runs inside this program",
        "published": "a published figure, no model to call",
        "unknown": safe(one.why),
    }[one.state]


def _price(one: Served) -> str:
    if one.state == "published":
        return ""
    if one.price is None:
        return "no price: state usd_per_mtok; 0 is a price"
    told = one.price.catalogue or _without_catalogue(one)
    return f"{one.price.input:g} in, {one.price.output:g} out, USD per million tokens ({told})"
