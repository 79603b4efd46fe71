"""A framework in words, what its linter finds, the case file to begin with, and models to call."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import one_line
from tuneworthy.framework.rules import condition_text
from tuneworthy.model.base import json_text
from tuneworthy.model.dossier import Lint, LintFinding
from tuneworthy.model.framework import Bound, Check, Criterion, Framework
from tuneworthy.report.blocks import Block, Document, Fact, Facts, Prose, Section, Table, head
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import count, fill, listing, number, plain, several, usd_range

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


_FINDINGS = {
    "bands_disagree": "Score and difference put {count:count} of {of:count} combinations into "
    "different bands (dividing by {denominator:number}, {whose}). Both are shown, and strength is "
    "the range between them.",
    "denominator_not_count": "The score divides by {denominator:number}, and {factors:few} factors "
    "are listed. Counting them moves {count:count} of {of:count} combinations into another band "
    "(denominator: count does it).",
    "strength_tells_little": "Strength hardly tells the {of:count} candidates of the tree apart: "
    "{kinds}. A candidate between bands is justified and starts with a pilot.",
    "examples_contradict_needs": "Fewer than {general:count} examples count as insufficient, but "
    "{taken}. The need of the case's own approach counts where it is known.",
    "upfront_total": "The rows of the upfront table add up to {sum_low:count}–{sum_high:count} "
    "hours and {range}; published are {low:count}–{high:count} hours and under {under:usd}.",
    "worked_example": "The worked example: score {score:number} published, {computed_score:number} "
    "by the rules ({score_by_count:number} counting every factor); break-even {months:months} "
    "published, {computed_months:months} computed ({upfront_usd:usd} at {net_usd:usd} a month).",
    "example_below_table": "The worked example's running costs of {ongoing:usd} a month are below "
    "its own table, {range}: with those it pays back in {best:months} at best, at worst "
    "{worst:months}.",
    "step_never_holds": "Step {step} of the tree ({outcome}) never decides.",
    "outcome_unreachable": "No combination of answers comes to: {outcome}.",
    "no_ceiling_test": "It has no ceiling test, so the ceiling always counts as reached.",
    "bands_out_of_order": "Strong begins below moderate in the bands of the {rule}.",
    "reason_backfires": "One more yes to {factor:plain} moves {count:count} of {of:count} "
    "combinations the wrong way.",
    "factor_never_matters": "The answer to {factor:plain} never changes an outcome or a band.",
}
"""What each finding says, from its numbers and those that ``_numbers`` adds."""


def finding_says(finding: LintFinding) -> str:
    """A finding in words."""
    return fill(_FINDINGS[finding.id], _numbers(finding))


def _numbers(finding: LintFinding) -> dict[str, Any]:
    n = finding.numbers
    more: dict[str, Any] = {"count": finding.count, "of": finding.of}
    if "outcome" in n:
        more["outcome"] = OUTCOME_WORDS[n["outcome"]]
    match finding.id:
        case "bands_disagree":
            more["whose"] = "its own denominator" if n["own"] else "every factor counted"
        case "strength_tells_little":
            bands = ((name.split(" to "), count(many)) for name, many in n["strengths"].items())
            more["kinds"] = listing([f"{'–'.join(dict.fromkeys(b))} {many}" for b, many in bands])
        case "examples_contradict_needs":
            needs = n["needs"].items()
            more["taken"] = listing([f"{plain(name)} takes {count(low)}" for name, low in needs])
        case "upfront_total":
            more["range"] = usd_range(n["usd_low"], n["usd"])
        case "example_below_table":
            more["range"] = usd_range(n["low"], n["high"])
    return {**n, **more}


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
