"""A framework in words, its linter's findings, the case file to begin with, and models to call."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneworthy.errors import one_line
from tuneworthy.framework.rules import condition_text
from tuneworthy.llm.hosts import find_strange_host
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import Price
from tuneworthy.model.dossier import Lint, LintFinding
from tuneworthy.model.framework import Bound, Criterion, Framework
from tuneworthy.model.precedents import RuleOnCases
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named, template
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import (
    count,
    day,
    fill,
    listing,
    number,
    plain,
    several,
    share,
    usd_range,
)

if TYPE_CHECKING:
    from tuneworthy.llm.choose import Served


def framework_report(framework: Framework) -> b.Document:
    """The report on a framework's questions and rules."""
    questions: dict[str, Mapping[str, Criterion]] = {
        "The ceiling test: all of these have to be yes": framework.ceiling,
        "Reasons for tuning": framework.indicators,
        "Reasons against tuning": framework.anti_indicators,
        "Signs of a ceiling": framework.signals,
    }
    steps = (
        (
            condition_text(step.when) if step.when else "otherwise",
            OUTCOME_WORDS[step.outcome],
        )
        for step in framework.tree
    )
    tree = "The tree: the first step that holds decides"
    options = (
        (plain(name), f"helps when {option.helps_when}. Not when {option.not_when}.")
        for name, option in framework.options.items()
    )
    thresholds = (
        (plain(name), f"{number(t.value)} {t.unit}: {t.says} ({t.source})")
        for name, t in framework.thresholds.items()
    )
    rules = [(plain(name), rule.says) for name, rule in framework.judgement.items()]
    parts: dict[str, b.Parts] = {
        **{
            title: _questions(title, framework, asked)
            for title, asked in questions.items()
        },
        tree: b.table(tree, "When | Outcome", steps, quiet=True),
        "Strength": _scoring(framework),
        "Goals and approaches": _goals(framework) if framework.approaches else None,
        "Alternatives": b.facts(options) if framework.options else None,
        _RULES: b.facts(rules) if rules else None,
        "Thresholds": b.facts(thresholds) if framework.thresholds else None,
    }
    dated = f" ({day(framework.dated)})" if framework.dated else ""
    return b.Document(
        framework.name,
        framework.title,
        [b.section("", title, blocks) for title, blocks in parts.items() if blocks],
        byline=[f"Source: {framework.source}{dated}"] if framework.source else (),
    )


_RULES = "The answer: the first of these rules that holds"


def _questions(
    title: str, framework: Framework, questions: Mapping[str, Criterion]
) -> b.Table | None:
    """A table of questions, with their weights if any has one; None without a question."""
    rows = [
        (
            name,
            str(getattr(criterion, "weight", "")),
            framework.filled(criterion.ask, criterion),
        )
        for name, criterion in questions.items()
    ]
    if any(weight for _, weight, _ in rows):
        return b.table(title, "Name | #Weight | Question", rows, quiet=True)
    unweighted = ((name, ask) for name, _, ask in rows)
    if rows:
        return b.table(title, "Name | Question", unweighted, quiet=True)
    return None


def _scoring(framework: Framework) -> tuple[b.Parts, ...]:
    """The rules of strength in words."""

    def begins(bound: Bound) -> str:
        more = bound.more_than
        least = bound.at_least
        return f"from {least:g}" if more is None else f"above {more:g}"

    scoring = framework.scoring
    by = scoring.denominator
    names = {"count": "the number of factors", "weight": "their whole weight"}
    divisor = number(by) if isinstance(by, float | int) else names.get(by, by)
    if scoring.weights == "shown":
        weights = "each factor counts one"
    else:
        weights = "weights count"
    bands = (
        (
            name,
            f"strong {begins(band.strong)}, moderate {begins(band.moderate)}, weak below",
        )
        for name, band in (("Score", scoring.score), ("Difference", scoring.difference))
    )
    score = f"The score is reasons for less reasons against, divided by {divisor} ({weights})."
    return score, b.facts(bands)


def _goals(framework: Framework) -> b.Table:
    rows = []
    for name, goal in framework.goals.items():
        approach = framework.approaches[goal.approach]
        low = approach.data.low
        high = approach.data.high
        most = " or more" if high == "open" else f"–{count(high)}"
        need = f"{count(low)}{most} {plain(approach.data.unit)}"
        rows.append((name, approach.title, need, approach.compute))
    return b.table(
        "Goals and approaches", "Goal | Approach | Data | Compute", rows, quiet=True
    )


SCHEMA = "tuneworthy/lint/1"


def finding_says(finding: LintFinding) -> str:
    """A finding in words: its sentence, filled with its numbers and with words for them."""
    n = finding.numbers
    more: dict[str, Any] = {"count": finding.count, "of": finding.of}
    if "outcome" in n:
        more["outcome"] = OUTCOME_WORDS[n["outcome"]]
    match finding.id:
        case "bands_disagree":
            if n["own"]:
                more["whose"] = "its own denominator"
            else:
                more["whose"] = "every factor counted"
        case "strength_tells_little":
            bands = (
                (name.split(" to "), count(many))
                for name, many in n["strengths"].items()
            )
            more["kinds"] = listing(
                [f"{'–'.join(dict.fromkeys(b))} {many}" for b, many in bands]
            )
        case "examples_contradict_needs":
            needs = n["needs"].items()
            more["taken"] = listing(
                [f"{plain(name)} takes {count(low)}" for name, low in needs]
            )
        case "upfront_total":
            more["range"] = usd_range(n["usd_low"], n["usd"])
        case "example_below_table":
            more["range"] = usd_range(n["low"], n["high"])
    return fill(named("findings")[finding.id], {**n, **more})


_HOW_RIGHT = (
    "Right: it said tune and tuning measured best, alone or in a hybrid, or it said don't and "
    "something else did. The answers are those of a coder who saw only the situation. Cases of one "
    "source count as one voice. Winners are published more often than losers."
)


def lint_report(lint: Lint, record: Sequence[RuleOnCases] | Unknown) -> b.Document:
    """The findings, those that matter numbered, and how often the rules were right."""
    warnings = len(lint.warnings)
    if warnings:
        notes = f"{several(warnings, 'thing')} to know"
    else:
        notes = "nothing to complain about"
    headline = f"{count(lint.combinations)} combinations of answers, {notes}."
    sections = [
        b.section("findings", "", _findings(lint)),
        b.section("record", "How often the rules were right", _record(record)),
    ]
    return b.Document(lint.framework.name, headline, sections)


def _record(record: Sequence[RuleOnCases] | Unknown) -> Iterator[b.Parts]:
    """The table of how often each rule was right about published cases."""
    if isinstance(record, Unknown):
        yield b.Todo(record.ask, "Not known.")
        return
    names = named("rule_words")
    rows = []
    for row in record:
        right = f"{row.right} of {row.n}"
        interval = f"{share(row.low)} to {share(row.high)}"
        rows.append((names[row.rule], right, share(row.right / row.n), interval))
    title = f"How often each rule was right, in {record[-1].of}"
    yield b.table(title, "Rule | #right | #share | #95%", rows, quiet=True)
    yield b.Prose(_HOW_RIGHT, "small")


def _findings(lint: Lint) -> Iterator[b.Parts]:
    """The linter's findings, each with its combinations of answers."""
    position = 0
    for finding in lint.findings:
        position += finding.grade == "warning"
        yield f"[{'ok' if finding.grade == 'note' else position}] {finding_says(finding)}"
        n = finding.numbers
        rules = "score | difference"
        if finding.id == "denominator_not_count":
            rules = f"by {number(n['denominator'])} | by {number(n['factors'])}"
        titles = f"#for | #against | #combinations | {rules}"
        cells = "{indicators:count} | {anti_indicators:count} | {combinations:count} | {score}"
        table = b.records(
            "Combinations of answers",
            titles,
            f"{cells} | {{difference}}",
            finding.cells[:40],
            quiet=True,
        )
        yield table if finding.cells else None


def lint_dict(lint: Lint, record: Sequence[RuleOnCases] | Unknown) -> dict[str, Any]:
    data = lint.model_dump(mode="json")
    for row, finding in zip(data["findings"], lint.findings, strict=True):
        row["says"] = finding_says(finding)
    return {"schema": SCHEMA, **data, "record": _record_dict(record)}


def _record_dict(record: Sequence[RuleOnCases] | Unknown) -> Any:
    if isinstance(record, Unknown):
        return record.model_dump(mode="json")
    return [row.model_dump(mode="json") for row in record]


def case_template(
    framework: Framework, name: str, schema_file: str, own_framework: str | None
) -> str:
    """A valid case file without answers; ``own_framework`` is the one it names, None for none."""
    lines = [
        f"# yaml-language-server: $schema={schema_file}",
        "# Answer yes, no or unknown. What you leave out is unknown and never taken for a no.",
        f"name: {json.dumps(safe(name), ensure_ascii=False)}",
    ]
    if own_framework:
        lines.append(f"framework: {own_framework}")
    lines += ["", "# What tuning should bring, the primary goal first. Any of"]
    lines += [f"#   {line}" for line in textwrap.wrap(", ".join(framework.goals), 90)]
    lines.append("goals: []")
    parts = (
        (
            "ceiling",
            "The ceiling test: has prompting reached its limit?",
            framework.ceiling,
        ),
        ("signals", "Signs that it has.", framework.signals),
    )
    for key, title, questions in parts:
        if questions:
            lines += ["", f"# {title}", f"{key}:", *_answers(framework, questions)]
    if framework.indicators or framework.anti_indicators:
        lines += ["", "# Reasons for tuning.", "factors:"]
        lines += _answers(framework, framework.indicators)
        lines.append("  # Reasons against tuning.")
        lines += _answers(framework, framework.anti_indicators)
    return "\n".join(lines) + "\n" + template("case.yaml")


def _answers(framework: Framework, questions: Mapping[str, Criterion]) -> list[str]:
    width = max(map(len, questions), default=0) + 12
    return [
        f"{f'  {name}: unknown':<{width}}  # {safe(framework.filled(criterion.ask, criterion))}"
        for name, criterion in questions.items()
    ]


FOR_TRYING = "It is for trying things out: it shows how a lab works, and no product should rest on it."
"""The use of the embedded model, in a sentence."""


def pulled_text(model_id: str, path: str, *, size_bytes: int, fetched: bool) -> str:
    """Say where the embedded model's weights are, and whether they were fetched now."""
    done = "Fetched" if fetched else "Already fetched"
    size = f"{size_bytes / 1e6:.0f} MB"
    return (
        f"{done}: the weights of {model_id}, {size}.\n{one_line(path)}\n{FOR_TRYING}\n"
    )


def embedded_record(why: str) -> dict[str, Any]:
    """The embedded model as an entry of a list; ``why`` says what it lacks, empty for nothing."""
    return {
        "name": "local:smollm2",
        "ready": not why,
        "why": why or None,
        "usd_per_mtok": {"input": 0, "output": 0},
        "note": FOR_TRYING,
    }


class PricedModel(NamedTuple):
    """A model from outside facts, with its list price."""

    name: str
    price: Price
    #: The day from which it is no longer served; None where none is known.
    ends: date | None


def models_report(
    known: Sequence[Served],
    own: Sequence[Served],
    embedded: dict[str, Any],
    ends: Mapping[str, date],
    listed: Sequence[PricedModel],
) -> b.Document:
    """The models of a case, or the listed ones, and the endpoints that can be called."""
    ready = "ready" if embedded["ready"] else f"not ready: {embedded['why']}"
    inside = (embedded["name"], f"{ready}. {embedded['note']}")
    keys = (
        "Keys come from the environment or the keyring, and are never shown. Only endpoints on "
        "this machine were asked. Nothing was sent anywhere else."
    )
    endpoints = endpoint_rows(known)
    every = _titled(
        "Endpoints known by name", "Endpoint | State", endpoints, detail=True
    )
    within = _titled("Inside this program", "Model | State", [inside], detail=True)
    facts = [*_end_facts(own, listed), *_endpoint_facts(known, ready)]
    sections = [
        *_model_sections(own, ends, listed),
        b.section("called", "", b.facts(facts)),
        every,
        within,
        b.section("keys", "", keys, detail=True),
    ]
    more = "More: --all lists each endpoint with its key and state, --ends every model that ends"
    prices = "" if own else ", with list prices in USD per million tokens"
    return b.Document("", f"Models that can be called{prices}", sections, after=[more])


def _titled(
    title: str, titles: str, rows: Iterable[Sequence[str]], *, detail: bool = False
) -> b.Section:
    table = b.table(title, titles, rows, quiet=True)
    return b.section(title.casefold()[:6], title, table, detail=detail)


#: Models of the first screen, which has to say where they can be called, too.
_FIRST_LISTED = 8


def _model_sections(
    own: Sequence[Served], ends: Mapping[str, date], listed: Sequence[PricedModel]
) -> Iterator[b.Section]:
    """The models of a case with their ends. Without a case, the listed ones."""
    if own:
        rows = []
        for served in own:
            end = ends.get(served.name)
            rows.append(
                (served.name, _state(served), _price(served), day(end) if end else "")
            )
        yield _titled("Models of the case", "Model | State | Price | Ends", rows)
        return
    stay = [model for model in listed if model.ends is None]
    go = [model for model in listed if model.ends is not None]
    titles = "Model | #In | #Out"
    first = map(_listed_row, stay[:_FIRST_LISTED])
    yield b.section("listed", "", b.table("List prices", titles, first, quiet=True))
    if len(stay) > _FIRST_LISTED:
        others = map(_listed_row, stay[_FIRST_LISTED:])
        yield _titled("Other models that stay", titles, others, detail=True)
    if go:
        ending = [(*_listed_row(model), day(model.ends)) for model in go if model.ends]
        yield _titled(
            "Models that end", "Model | #In | #Out | Ends", ending, detail=True
        )


def _end_facts(
    own: Sequence[Served], listed: Sequence[PricedModel]
) -> Iterator[tuple[str, str]]:
    """How many of the listed models end, and when; nothing for the models of a case."""
    by_day = Counter(model.ends for model in listed if model.ends is not None)
    says = [f"{number} on {day(end)}" for end, number in sorted(by_day.items())]
    if says and not own:
        yield "Models that end", ", ".join(says)


def _listed_row(model: PricedModel) -> tuple[str, str, str]:
    return (model.name, f"{model.price.input:g}", f"{model.price.output:g}")


def endpoint_rows(known: Sequence[Served]) -> Iterator[tuple[str, str]]:
    return ((served.name, _state(served)) for served in known)


_GROUPS = {
    "key": "Key is there",
    "open": "Needs no key",
    "no_key": "Key is missing",
    "answers": "Answers here",
    "silent": "Silent here",
    "unknown": "Can't be called",
}
"""The heading for the endpoints of each state."""


def _endpoint_facts(known: Sequence[Served], inside: str) -> Iterator[tuple[str, str]]:
    """The endpoints in groups by their state."""
    for state, title in _GROUPS.items():
        named = [_endpoint(served) for served in known if served.state == state]
        if named:
            yield title, ", ".join(named)
    yield "Inside this program", f"local:smollm2, {inside}"


def _endpoint(served: Served) -> str:
    """An endpoint's name, with its fault or the address that the environment sets."""
    text = f"{served.name} ({served.why})" if served.why else served.name
    host = find_strange_host(f"{served.name}:any", served.base_url)
    if host:
        return f"{text} at {host}, by {served.name.upper()}_BASE_URL"
    return text


def models_dict(
    known: Sequence[Served],
    own: Sequence[Served],
    embedded: dict[str, Any],
    ends: Mapping[str, date],
    listed: Sequence[PricedModel],
) -> str:
    """The models and endpoints as JSON."""
    models = [_served_dict(served) for served in own]
    for model in models:
        end = ends.get(model["name"])
        model["ends"] = None if end is None else end.isoformat()
    prices = [
        {
            "name": model.name,
            "usd_per_mtok": {"input": model.price.input, "output": model.price.output},
            "price_from": model.price.catalogue,
            "ends": None if model.ends is None else model.ends.isoformat(),
        }
        for model in listed
    ]
    endpoints = [_served_dict(served) for served in known]
    return json_text(
        {
            "models": models,
            "endpoints": endpoints,
            "embedded": embedded,
            "listed": prices,
        }
    )


def _served_dict(served: Served) -> dict[str, Any]:
    price = served.price
    return {
        "name": served.name,
        "base_url": served.base_url or None,
        "state": served.state,
        "key_from": served.key_from or None,
        "usd_per_mtok": price and {"input": price.input, "output": price.output},
        "price_from": price and _source(served, price),
        "models": list(served.models),
        "why": served.why or None,
    }


def _source(served: Served, price: Price) -> str:
    if served.state == "inside":
        origin = "runs on this machine"
    else:
        origin = "stated in the case"
    return price.catalogue or origin


def _state(served: Served) -> str:
    names = ", ".join(served.models[:5]) + (", …" if len(served.models) > 5 else "")
    text = fill(named("served")[served.state], served)
    if served.state == "answers" and names:
        return f"{text}: {names}"
    return text


def _price(served: Served) -> str:
    price = served.price
    if price is None:
        return "no price: state usd_per_mtok (0 is a price)"
    source = _source(served, price)
    return (
        f"{price.input:g} in, {price.output:g} out, USD per million tokens ({source})"
    )
