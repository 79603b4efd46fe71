"""A framework in words, what its linter finds, the case file to begin with, and models to call."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import one_line
from tuneworthy.framework.rules import condition_text
from tuneworthy.model.base import json_text
from tuneworthy.model.dossier import Lint, LintFinding
from tuneworthy.model.framework import Bound, Check, Criterion, Framework
from tuneworthy.report.blocks import Block, Document, Fact, Facts, Prose, Section, Table, head
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import count, few, listing, months, number, plain, several, usd, usd_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneworthy.llm.choose import Served

# A framework.


def framework_report(framework: Framework) -> Document:
    """What a framework asks and how it decides."""
    questions: tuple[tuple[str, Mapping[str, Criterion]], ...] = (
        ("The ceiling test: all of these have to be yes", framework.ceiling),
        ("Reasons for tuning", framework.indicators),
        ("Reasons against tuning", framework.anti_indicators),
        ("Signs of a ceiling", framework.signals),
    )
    parts: list[tuple[str, tuple[Block, ...]]] = [
        (title, (_questions(title, framework, asked),)) for title, asked in questions if asked
    ]
    steps = tuple(
        (condition_text(step.when) if step.when else "otherwise", OUTCOME_WORDS[step.outcome])
        for step in framework.tree
    )
    tree = "The tree: the first step that holds decides"
    parts.append((tree, (Table(tree, head("When", "Outcome"), steps, quiet=True),)))
    parts.append(("Strength", _scoring(framework)))
    if framework.approaches:
        parts.append(("Goals and approaches", (_goals(framework),)))
    if framework.options:
        options = tuple(
            Fact(plain(name), f"helps when {one.helps_when}; not when {one.not_when}.")
            for name, one in framework.options.items()
        )
        parts.append(("Alternatives", (Facts(options),)))
    if framework.thresholds:
        thresholds = tuple(
            Fact(plain(name), f"{number(one.value)} {one.unit}: {one.says} ({one.source})")
            for name, one in framework.thresholds.items()
        )
        parts.append(("Thresholds", (Facts(thresholds),)))
    dated = f" ({framework.dated})" if framework.dated else ""
    return Document(
        framework.name,
        framework.title,
        tuple(Section("", title, blocks) for title, blocks in parts),
        byline=(f"Source: {framework.source}{dated}",) if framework.source else (),
    )


def _asks(framework: Framework, question: Criterion) -> str:
    at_least = question.at_least if isinstance(question, Check) else None
    return framework.filled(question.ask, at_least)


def _questions(title: str, framework: Framework, questions: Mapping[str, Criterion]) -> Table:
    rows = [
        (name, str(getattr(one, "weight", "")), _asks(framework, one))
        for name, one in questions.items()
    ]
    if any(weight for _, weight, _ in rows):
        return Table(title, head("Name", "#Weight", "Question"), tuple(rows), quiet=True)
    unweighted = tuple((name, ask) for name, _, ask in rows)
    return Table(title, head("Name", "Question"), unweighted, quiet=True)


def _scoring(framework: Framework) -> tuple[Block, ...]:
    scoring = framework.scoring
    by = scoring.denominator
    divisor = {"count": "the number of factors", "weight": "their whole weight"}.get(
        str(by), number(by) if isinstance(by, float | int) else str(by)
    )
    weights = "each factor counts one" if scoring.weights == "shown" else "weights count"
    bands = (("Score", scoring.score), ("Difference", scoring.difference))
    facts = tuple(
        Fact(name, f"strong {_begins(b.strong)}, moderate {_begins(b.moderate)}, weak below")
        for name, b in bands
    )
    score = f"The score is reasons for less reasons against, divided by {divisor} ({weights})."
    return Prose(score), Facts(facts)


def _begins(bound: Bound) -> str:
    if bound.more_than is not None:
        return f"above {bound.more_than:g}"
    return f"from {bound.at_least:g}"


def _goals(framework: Framework) -> Table:
    rows = []
    for name, goal in framework.goals.items():
        approach = framework.approaches[goal.approach]
        most = " or more" if approach.data.high == "open" else f"–{count(approach.data.high)}"
        need = f"{count(approach.data.low)}{most} {plain(approach.data.unit)}"
        rows.append((name, approach.title, need, approach.compute))
    columns = head("Goal", "Approach", "Data", "Compute")
    return Table("Goals and approaches", columns, tuple(rows), quiet=True)


# What the linter finds. These sentences are in its JSON, too.

SCHEMA = "tuneworthy/lint/1"


def _bands_disagree(f: LintFinding) -> str:
    own = "its own denominator" if f.numbers["own"] else "every factor counted"
    return (
        f"Score and difference put {count(f.count)} of {count(f.of)} combinations into different "
        f"bands (dividing by {number(f.numbers['denominator'])}, {own}). Both are shown, and "
        "strength is the range between them."
    )


def _denominator_not_count(f: LintFinding) -> str:
    return (
        f"The score divides by {number(f.numbers['denominator'])}, and {few(f.numbers['factors'])} "
        f"factors are listed. Counting them moves {count(f.count)} of {count(f.of)} combinations "
        "into another band (denominator: count does it)."
    )


def _strength_tells_little(f: LintFinding) -> str:
    kinds = []
    for name, many in f.numbers["strengths"].items():
        low, high = name.split(" to ")
        kinds.append(f"{low if low == high else f'{low}–{high}'} {count(many)}")
    return (
        f"Strength hardly tells the {count(f.of)} candidates of the tree apart: {listing(kinds)}. "
        "A candidate between bands is justified and starts with a pilot."
    )


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
        f"hours and {usd_range(n['usd_low'], n['usd'])}; published are "
        f"{count(n['low'])}–{count(n['high'])} hours and under {usd(n['under'])}."
    )


def _months(value: str | float) -> str:
    return value if isinstance(value, str) else months(value)


def _worked_example(f: LintFinding) -> str:
    n = f.numbers
    return (
        f"The worked example: score {number(n['score'])} published, "
        f"{number(n['computed_score'])} by the rules ({number(n['score_by_count'])} counting every "
        f"factor); break-even {_months(n['months'])} published, {_months(n['computed_months'])} "
        f"computed ({usd(n['upfront_usd'])} at {usd(n['net_usd'])} a month)."
    )


def _example_below_table(f: LintFinding) -> str:
    n = f.numbers
    return (
        f"The worked example's running costs of {usd(n['ongoing'])} a month are below its own "
        f"table, {usd_range(n['low'], n['high'])}: with those it pays back in "
        f"{_months(n['best'])} at best, at worst {_months(n['worst'])}."
    )


_FINDINGS: dict[str, Callable[[LintFinding], str]] = {
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
    return _FINDINGS[finding.id](finding)


def lint_report(lint: Lint) -> Document:
    """The findings, those to know about numbered, with the combinations they are about."""
    warnings = len(lint.warnings)
    known = f"{several(warnings, 'thing')} to know" if warnings else "nothing to complain about"
    return Document(
        lint.framework.name,
        f"{count(lint.combinations)} combinations of answers, {known}.",
        (Section("findings", "", tuple(_findings(lint))),),
    )


def _findings(lint: Lint) -> Iterator[Block]:
    position = 0
    for finding in lint.findings:
        position += finding.grade == "warning"
        mark = "ok" if finding.grade == "note" else str(position)
        yield Prose(f"[{mark}] {finding_says(finding)}")
        if finding.cells:
            yield _cells(finding)


def _cells(finding: LintFinding) -> Table:
    rules = ("score", "difference")
    if finding.id == "denominator_not_count":
        n = finding.numbers
        rules = (f"by {number(n['denominator'])}", f"by {number(n['factors'])}")
    rows = tuple(
        (
            count(cell.indicators),
            count(cell.anti_indicators),
            count(cell.combinations),
            cell.score,
            cell.difference,
        )
        for cell in finding.cells[:40]
    )
    columns = head("#for", "#against", "#combinations", *rules)
    return Table("Combinations of answers", columns, rows, quiet=True)


def lint_dict(lint: Lint) -> dict[str, Any]:
    """The findings as plain data, with what each says."""
    data = lint.model_dump(mode="json")
    for record, finding in zip(data["findings"], lint.findings, strict=True):
        record["says"] = finding_says(finding)
    return {"schema": SCHEMA, **data}


# The case file to begin with: every question of a framework, as a comment beside its answer.

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
    """A case file with nothing answered yet: YAML that is a valid case.

    Args:
        framework: Whose questions it has.
        name: What the use case is called.
        schema_file: Its JSON Schema beside it, for editors.
        own_framework: Framework to name in the file; None for the default.
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
    parts: tuple[tuple[str, str, Mapping[str, Criterion]], ...] = (
        ("ceiling", "The ceiling test: has prompting reached its limit?", framework.ceiling),
        ("signals", "Signs that it has.", framework.signals),
        ("factors", "Reasons for tuning.", framework.indicators),
    )
    for key, title, questions in parts:
        if questions:
            lines += ["", f"# {title}", f"{key}:", *_answers(framework, questions)]
    lines += ["  # Reasons against tuning.", *_answers(framework, framework.anti_indicators)]
    return "\n".join(lines) + "\n" + _TAIL


def _answers(framework: Framework, questions: Mapping[str, Criterion]) -> list[str]:
    width = max(map(len, questions), default=0) + 12
    return [
        f"{f'  {name}: unknown':<{width}}  # {safe(_asks(framework, one))}"
        for name, one in questions.items()
    ]


# Models that can be called, and the embedded one.

FOR_TRYING = (
    "It is for trying things out: it shows how a lab works, and no product should rest on it."
)
"""What the embedded model is good for."""


def pulled_text(model_id: str, path: str, *, size_bytes: int, fetched: bool) -> str:
    """Where the embedded model's weights are, and whether they were fetched now."""
    done = "Fetched" if fetched else "There already"
    size = f"{size_bytes / 1e6:.0f} MB"
    return f"{done}: the weights of {model_id}, {size}.\n{one_line(path)}\n{FOR_TRYING}\n"


def embedded_record(why: str) -> dict[str, Any]:
    """The embedded model in a list of models; ``why`` says what it lacks, empty for nothing."""
    return {
        "name": "local:smollm2",
        "ready": not why,
        "why": why or None,
        "usd_per_mtok": {"input": 0, "output": 0},
        "note": FOR_TRYING,
    }


def models_report(
    known: Sequence[Served], own: Sequence[Served], embedded: dict[str, Any]
) -> Document:
    """Endpoints and models."""
    ready = "ready" if embedded["ready"] else f"not ready: {embedded['why']}"
    parts = [
        ("Endpoints known by name", ("Endpoint", "State"), [(o.name, _state(o)) for o in known]),
        (
            "Inside this program",
            ("Model", "State"),
            [(embedded["name"], f"{ready}. {embedded['note']}")],
        ),
    ]
    sections = [
        Section("", title, (Table(title, head(*columns), tuple(rows), quiet=True),))
        for title, columns, rows in parts
    ]
    if own:
        rows = tuple((o.name, _state(o), _price(o)) for o in own)
        models = Table("Models of the case", head("Model", "State", "Price"), rows, quiet=True)
        sections.insert(0, Section("", "Models of the case", (models,)))
    keys = (
        "Keys come from the environment or the keyring, and are never shown. Only endpoints on "
        "this machine were asked; nothing was sent anywhere else."
    )
    sections.append(Section("", "", (Prose(keys),)))
    return Document("", "Models that can be called", tuple(sections))


def models_dict(known: Sequence[Served], own: Sequence[Served], embedded: dict[str, Any]) -> str:
    """The same as JSON."""
    models, endpoints = ([_record(one) for one in served] for served in (own, known))
    return json_text({"models": models, "endpoints": endpoints, "embedded": embedded})


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
    served = ", ".join(one.models[:5]) + (", …" if len(one.models) > 5 else "")
    return {
        "key": f"reachable, key from {one.key_from}",
        "no_key": f"needs a key in {one.key_from}",
        "answers": "answers on this machine" + (f": {served}" if served else ""),
        "silent": f"does not answer at {one.base_url}",
        "open": f"called without a key; {one.key_from} would hold one",
        "inside": "runs inside this program",
        "published": "a published figure, no model to call",
        "unknown": one.why,
    }[one.state]


def _price(one: Served) -> str:
    if one.state == "published":
        return ""
    if one.price is None:
        return "no price: state usd_per_mtok; 0 is a price"
    source = one.price.catalogue or _without_catalogue(one)
    return f"{one.price.input:g} in, {one.price.output:g} out, USD per million tokens ({source})"
