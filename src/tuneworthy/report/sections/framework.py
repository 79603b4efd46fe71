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
from tuneworthy.model.base import json_text
from tuneworthy.model.case import Price
from tuneworthy.model.dossier import Lint, LintFinding
from tuneworthy.model.framework import Bands, Bound, Criterion, Framework
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
    usd_range,
)

if TYPE_CHECKING:
    from tuneworthy.llm.choose import Served


def framework_report(framework: Framework) -> b.Document:
    """The report on a framework's questions and rules; a part without any is left out."""
    tree = "The tree: the first step that holds decides"
    rules = "The answer: the first of these rules that holds"
    parts: dict[str, b.Parts] = {
        **_question_tables(framework),
        tree: b.table(tree, "When | Outcome", _tree_rows(framework), quiet=True),
        "Strength": _scoring(framework),
        "Goals and approaches": _goals(framework),
        "Alternatives": _named_facts(
            {
                name: f"helps when {option.helps_when}. Not when {option.not_when}."
                for name, option in framework.options.items()
            }
        ),
        rules: _named_facts(
            {name: rule.says for name, rule in framework.judgement.items()}
        ),
        "Thresholds": _named_facts(
            {
                name: f"{number(t.value)} {t.unit}: {t.says} ({t.source})"
                for name, t in framework.thresholds.items()
            }
        ),
    }
    byline = []
    if framework.source:
        dated = f" ({day(framework.dated)})" if framework.dated else ""
        byline.append(f"Source: {framework.source}{dated}")
    return b.Document(
        framework.name,
        framework.title,
        [b.section("", title, blocks) for title, blocks in parts.items() if blocks],
        byline=byline,
    )


def _question_tables(framework: Framework) -> dict[str, b.Table | None]:
    """The tables of questions by their titles."""
    kinds: dict[str, Mapping[str, Criterion]] = {
        "The ceiling test: all of these have to be yes": framework.ceiling,
        "Reasons for tuning": framework.indicators,
        "Reasons against tuning": framework.anti_indicators,
        "Signs of a ceiling": framework.signals,
    }
    return {
        title: _questions(title, framework, questions)
        for title, questions in kinds.items()
    }


def _tree_rows(framework: Framework) -> Iterator[tuple[str, str]]:
    """The condition of each step of the tree, and the outcome it leads to."""
    for step in framework.tree:
        condition = condition_text(step.when) if step.when else "otherwise"
        yield condition, OUTCOME_WORDS[step.outcome]


def _named_facts(texts: Mapping[str, str]) -> b.Facts | None:
    """Texts under their ids as words; None without any."""
    if not texts:
        return None
    return b.facts((plain(name), text) for name, text in texts.items())


def _questions(
    title: str, framework: Framework, questions: Mapping[str, Criterion]
) -> b.Table | None:
    """A table of questions, with their weights if any has one; None without a question."""
    if not questions:
        return None
    weights = {
        # the checks and the signs of a ceiling have no weights
        name: str(getattr(criterion, "weight", ""))
        for name, criterion in questions.items()
    }
    asks = {
        name: framework.filled(criterion.ask, criterion)
        for name, criterion in questions.items()
    }
    if any(weights.values()):
        rows = [(name, weights[name], asks[name]) for name in questions]
        return b.table(title, "Name | #Weight | Question", rows, quiet=True)
    return b.table(title, "Name | Question", asks.items(), quiet=True)


def _scoring(framework: Framework) -> tuple[b.Parts, ...]:
    """The rules of strength in words."""
    scoring = framework.scoring
    denominators = {"count": "the number of factors", "weight": "their whole weight"}
    by = scoring.denominator
    if isinstance(by, float | int):
        divisor = number(by)
    else:
        divisor = denominators.get(by, by)
    if scoring.weights == "shown":
        weights = "each factor counts one"
    else:
        weights = "weights count"
    score = f"The score is reasons for less reasons against, divided by {divisor} ({weights})."
    bands = [
        ("Score", _bands_text(scoring.score)),
        ("Difference", _bands_text(scoring.difference)),
    ]
    return score, b.facts(bands)


def _bands_text(bands: Bands) -> str:
    return f"strong {_bound_text(bands.strong)}, moderate {_bound_text(bands.moderate)}, weak below"


def _bound_text(bound: Bound) -> str:
    """The number that a band begins at, and whether the number itself is in it."""
    if bound.more_than is None:
        return f"from {bound.at_least:g}"
    return f"above {bound.more_than:g}"


def _goals(framework: Framework) -> b.Table | None:
    """The approach for each goal, with the data and the computing it takes; None without any."""
    if not framework.approaches:
        return None
    rows = []
    for name, goal in framework.goals.items():
        approach = framework.approaches[goal.approach]
        data = approach.data
        most = " or more" if data.high == "open" else f"–{count(data.high)}"
        need = f"{count(data.low)}{most} {plain(data.unit)}"
        rows.append((name, approach.title, need, approach.compute))
    return b.table(
        "Goals and approaches", "Goal | Approach | Data | Compute", rows, quiet=True
    )


SCHEMA = "tuneworthy/lint/1"


def finding_says(finding: LintFinding) -> str:
    """A finding in words: its sentence, filled with its numbers and with words for them."""
    words = {**finding.numbers, "count": finding.count, "of": finding.of}
    words |= _finding_words(finding)
    return fill(named("findings")[finding.id], words)


def _finding_words(finding: LintFinding) -> dict[str, str]:
    """The words that the sentence of a finding takes for some of its numbers."""
    numbers = finding.numbers
    words = {}
    if "outcome" in numbers:
        words["outcome"] = OUTCOME_WORDS[numbers["outcome"]]
    match finding.id:
        case "bands_disagree":
            if numbers["own"]:
                words["whose"] = "its own denominator"
            else:
                words["whose"] = "every factor counted"
        case "strength_tells_little":
            words["kinds"] = listing(_strength_counts(numbers["strengths"]))
        case "examples_contradict_needs":
            needs = numbers["needs"].items()
            words["taken"] = listing(
                [f"{plain(name)} takes {count(low)}" for name, low in needs]
            )
        case "upfront_total":
            words["range"] = usd_range(numbers["usd_low"], numbers["usd"])
        case "example_below_table":
            words["range"] = usd_range(numbers["low"], numbers["high"])
    return words


def _strength_counts(strengths: Mapping[str, int]) -> list[str]:
    """How often each strength occurs; ``weak to weak`` is written as one band."""
    texts = []
    for name, many in strengths.items():
        low, _, high = name.partition(" to ")
        bands = low if high in ("", low) else f"{low}–{high}"
        texts.append(f"{bands} {count(many)}")
    return texts


def lint_report(lint: Lint) -> b.Document:
    """The findings, those that matter numbered."""
    warnings = len(lint.warnings)
    notes = "nothing to complain about"
    if warnings:
        notes = f"{several(warnings, 'thing')} to know"
    headline = f"{count(lint.combinations)} combinations of answers, {notes}."
    findings = b.section("findings", "", _findings(lint))
    return b.Document(lint.framework.name, headline, [findings])


def _findings(lint: Lint) -> Iterator[b.Parts]:
    """The linter's findings, each with its combinations of answers. Warnings are numbered."""
    warnings = 0
    for finding in lint.findings:
        mark = "ok"
        if finding.grade != "note":
            warnings += 1
            mark = str(warnings)
        yield f"[{mark}] {finding_says(finding)}"
        if finding.cells:
            yield _combinations_table(finding)


_MOST_COMBINATIONS = 40  #: Rows of a finding; the rest is more of the same.


def _combinations_table(finding: LintFinding) -> b.Table:
    """Combinations of answers with their strength by two rules, or by two denominators."""
    rules = "score | difference"
    if finding.id == "denominator_not_count":
        own = number(finding.numbers["denominator"])
        factors = number(finding.numbers["factors"])
        rules = f"by {own} | by {factors}"
    return b.records(
        "Combinations of answers",
        f"#for | #against | #combinations | {rules}",
        "{indicators:count} | {anti_indicators:count} | {combinations:count} | {score} | "
        "{difference}",
        finding.cells[:_MOST_COMBINATIONS],
        quiet=True,
    )


def lint_dict(lint: Lint) -> dict[str, Any]:
    """The findings with their sentences, as JSON values."""
    data = lint.model_dump(mode="json")
    for row, finding in zip(data["findings"], lint.findings, strict=True):
        row["says"] = finding_says(finding)
    return {"schema": SCHEMA, **data}


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
    goals = textwrap.wrap(", ".join(framework.goals), 90)
    lines += [f"#   {line}" for line in goals]
    lines.append("goals: []")
    if framework.ceiling:
        lines += [
            "",
            "# The ceiling test: has prompting reached its limit?",
            "ceiling:",
        ]
        lines += _answers(framework, framework.ceiling)
    if framework.signals:
        lines += ["", "# Signs that it has.", "signals:"]
        lines += _answers(framework, framework.signals)
    if framework.indicators or framework.anti_indicators:
        lines += ["", "# Reasons for tuning.", "factors:"]
        lines += _answers(framework, framework.indicators)
        lines.append("  # Reasons against tuning.")
        lines += _answers(framework, framework.anti_indicators)
    return "\n".join(lines) + "\n" + template("case.yaml")


def _answers(framework: Framework, questions: Mapping[str, Criterion]) -> list[str]:
    """A line for each question, unanswered, with its text as a comment in a column of its own."""
    answers = {name: f"  {name}: unknown" for name in questions}
    width = max((len(answer) for answer in answers.values()), default=0)
    lines = []
    for name, criterion in questions.items():
        ask = safe(framework.filled(criterion.ask, criterion))
        lines.append(f"{answers[name]:<{width}}   # {ask}")
    return lines


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
    facts = [*_endpoint_facts(known, ready)]
    if not own:  # the models of a case have their ends beside them
        facts = [*_end_facts(listed), *facts]
    sections = [
        *_model_sections(own, ends, listed),
        b.section("called", "", b.facts(facts)),
        _titled(
            "Endpoints known by name",
            "Endpoint | State",
            endpoint_rows(known),
            detail=True,
        ),
        _titled("Inside this program", "Model | State", [inside], detail=True),
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
        rows = [_own_row(served, ends.get(served.name)) for served in own]
        yield _titled("Models of the case", "Model | State | Price | Ends", rows)
        return
    titles = "Model | #In | #Out"
    staying = [_listed_row(model) for model in listed if model.ends is None]
    first = b.table("List prices", titles, staying[:_FIRST_LISTED], quiet=True)
    yield b.section("listed", "", first)
    others = staying[_FIRST_LISTED:]
    if others:
        yield _titled("Other models that stay", titles, others, detail=True)
    ending = [(*_listed_row(model), day(model.ends)) for model in listed if model.ends]
    if ending:
        yield _titled(
            "Models that end", "Model | #In | #Out | Ends", ending, detail=True
        )


def _own_row(served: Served, end: date | None) -> tuple[str, str, str, str]:
    """A model of a case: its name, state and price, and the day it ends, if any."""
    return served.name, _state(served), _price(served), day(end) if end else ""


def _end_facts(listed: Sequence[PricedModel]) -> Iterator[tuple[str, str]]:
    """How many of the listed models end, and when; nothing where none does."""
    models_by_day = Counter(model.ends for model in listed if model.ends is not None)
    if models_by_day:
        ends = [f"{many} on {day(end)}" for end, many in sorted(models_by_day.items())]
        yield "Models that end", ", ".join(ends)


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
    models = [
        {**_served_dict(served), "ends": _day_text(ends.get(served.name))}
        for served in own
    ]
    prices = [
        {
            "name": model.name,
            "usd_per_mtok": {"input": model.price.input, "output": model.price.output},
            "price_from": model.price.catalogue,
            "ends": _day_text(model.ends),
        }
        for model in listed
    ]
    return json_text(
        {
            "models": models,
            "endpoints": [_served_dict(served) for served in known],
            "embedded": embedded,
            "listed": prices,
        }
    )


def _day_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _served_dict(served: Served) -> dict[str, Any]:
    """A model or an endpoint as JSON values; None for what it hasn't."""
    price = served.price
    usd_per_mtok = None
    price_from = None
    if price is not None:
        usd_per_mtok = {"input": price.input, "output": price.output}
        price_from = _source(served, price)
    return {
        "name": served.name,
        "base_url": served.base_url or None,
        "state": served.state,
        "key_from": served.key_from or None,
        "usd_per_mtok": usd_per_mtok,
        "price_from": price_from,
        "models": list(served.models),
        "why": served.why or None,
    }


def _source(served: Served, price: Price) -> str:
    """Where a price is from: a catalogue, the case, or no bill at all."""
    if price.catalogue:
        return price.catalogue
    if served.state == "inside":
        return "runs on this machine"
    return "stated in the case"


def _state(served: Served) -> str:
    """The state of an endpoint in words, with the first models that it answers for."""
    text = fill(named("served")[served.state], served)
    if served.state != "answers" or not served.models:
        return text
    names = ", ".join(served.models[:_MOST_NAMES])
    if len(served.models) > _MOST_NAMES:
        names += ", …"
    return f"{text}: {names}"


_MOST_NAMES = 5  #: Models of an endpoint that are named; a hub has hundreds.


def _price(served: Served) -> str:
    price = served.price
    if price is None:
        return "no price: state usd_per_mtok (0 is a price)"
    return f"{price.input:g} in, {price.output:g} out, USD per million tokens ({_source(served, price)})"
