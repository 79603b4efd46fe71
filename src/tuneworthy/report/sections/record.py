"""The end of the page: answers with their sources, what was tried, the rules, and the digests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy import __version__
from tuneworthy.errors import CaseError
from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.dossier import CheckResult, Dossier, FactorResult, Source, Verdict
from tuneworthy.model.framework import Check, Criterion, Factor, Framework
from tuneworthy.report.blocks import Block, Cell, Column, Fact, Facts, Fold, Prose, Section, Table
from tuneworthy.report.markdown import md
from tuneworthy.report.sections.common import (
    GLOSSARY,
    ceiling_text,
    finality,
    flip_lines,
    headline,
    pays_back_text,
    source_words,
    strength_text,
)
from tuneworthy.report.sections.evidence import measured
from tuneworthy.report.sections.precedents import others_text
from tuneworthy.report.text import row, safe, table, wrapped
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import few, listing, months_later, number, plain, sentence

# The end of the page: answers with their sources, what was tried, the rules, and the digests.

Row = tuple[str, str, State, Source, str, str]
"""Title, question, state, source, weight, note."""


def answers(dossier: Dossier) -> Section:
    """Every answer with where it comes from, and what was measured."""
    groups: list[tuple[str, list[Row]]] = [
        (
            "Has prompting been taken to its limit?",
            [
                (c.title, c.ask, c.state, c.source, "", c.note)
                for c in dossier.ceiling.checks.values()
            ],
        ),
        ("Reasons for fine-tuning", list(_factors(dossier, "indicator"))),
        ("Reasons against it", list(_factors(dossier, "anti_indicator"))),
        (
            "Signs that prompting has reached its limit",
            [(s.title, s.ask, s.state, s.source, "", s.note) for s in dossier.signals.values()],
        ),
    ]
    blocks: list[Block] = [
        Prose("Everything this report concludes follows from these answers and from nothing else.")
    ]
    blocks += [_record_answers(caption, rows) for caption, rows in groups if rows]
    blocks.append(measured(dossier))
    return Section("answers", "Answers and where they come from", tuple(blocks), "Answers")


def _factors(dossier: Dossier, kind: str) -> Iterable[Row]:
    for factor in dossier.factors.values():
        if factor.kind == kind:
            weight = str(factor.weight)
            yield factor.title, factor.ask, factor.state, factor.source, weight, factor.note


def _record_answers(caption: str, rows: list[Row]) -> Table:
    """A table of the columns in which something stands."""
    weighed, noted = (any(row[place] for row in rows) for place in (4, 5))
    head = [Column("Asked"), Column("Answer", "state"), Column("From")]
    head += [Column("Weight")] * weighed + [Column("Note")] * noted
    found = []
    for title, asked, state, source, weight, note in rows:
        cells: list[str | Cell] = [Cell(title, asked), state, source_words(state, source)]
        found.append((*cells, *([weight] * weighed), *([note] * noted)))
    return Table(caption, tuple(head), tuple(found))


def attempts(dossier: Dossier) -> Section | None:
    """What was tried, each with the verdict it would have had; None where nothing is recorded."""
    if not dossier.stages:
        return None
    rows = tuple((s.name, s.change, OUTCOME_WORDS[s.outcome]) for s in dossier.stages)
    head = (Column("Attempt"), Column("What was changed"), Column("Verdict at that time"))
    blocks: tuple[Block, ...] = (
        Prose("What the team tried, in order, and what the rules would have said then."),
        Table("Attempts and the verdict after each", head, rows),
    )
    return Section("attempts", "What was tried so far", blocks, "Tried so far")


def rules(dossier: Dossier) -> Section:
    """The walk through the rules."""
    rows = tuple(
        (
            Cell(_asked(step.ask), _values(step.value)),
            step.answer,
            OUTCOME_WORDS[step.outcome],
        )
        for step in dossier.rules.tree.path
    )
    head = (Column("Asked in this order"), Column("Answer", "state"), Column("If yes"))
    blocks: list[Block] = [
        Prose(
            f"The verdict follows from the {dossier.framework.name} framework by fixed rules. "
            "No model decided anything. The first question that is answered yes decides; when "
            f"none is, {_last(dossier)}."
        )
    ]
    if rows:
        blocks.append(Table("The questions of the decision tree", head, rows))
    blocks.append(
        Prose(
            f"Strength: {strength_text(dossier)}. The score is the difference divided by "
            f"{dossier.rules.score.denominator:g}."
        )
    )
    return Section("rules", "How the rules came to it", tuple(blocks), "The rules")


def _asked(condition: str) -> str:
    """A condition of the tree as a question in words."""
    for sign, words in _SIGNS:
        condition = condition.replace(sign, words)
    return sentence(f"{condition}?")


def _last(dossier: Dossier) -> str:
    """What the tree comes to when every question is answered no."""
    outcome = dossier.rules.tree.outcome
    decided = outcome == "undecided" or any(s.answer == "yes" for s in dossier.rules.tree.path)
    return "the last step does" if decided else f"the verdict is: {OUTCOME_WORDS[outcome]}"


def _values(values: dict[str, float | Range]) -> str:
    said = []
    for name, value in values.items():
        text = (
            f"{number(value.low)} to {number(float(value.high))}"
            if isinstance(value, Range)
            else number(value)
        )
        said.append(f"{_MEASURES.get(name, plain(name))}: {text}")
    return ", ".join(said)


_SIGNS = (
    ("anti indicator weight", "weight of reasons against"),
    ("indicator weight", "weight of reasons for"),
    ("anti indicators", "reasons against"),
    ("indicators", "reasons for"),
    ("≤", "at most"),
    ("≥", "at least"),
    ("<", "under"),
    (">", "over"),
)
_MEASURES = {
    "checks": "checks done",
    "indicators": "reasons for",
    "anti_indicators": "reasons against",
    "indicator_weight": "weight of reasons for",
    "anti_indicator_weight": "weight of reasons against",
}


def glossary() -> Section:
    """Words a reader may not know."""
    rows = tuple(Fact(word, meaning) for word, meaning in GLOSSARY)
    fold = Fold("Show what the words mean", (Facts(rows, "words"),))
    return Section("words", "Words used here", (fold,))


def lines(dossier: Dossier) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that is needed to get the same report again."""
    return (
        ("schema", dossier.schema_),
        ("case", f"{dossier.case.name}"),
        ("case-sha256", dossier.case.digest),
        ("framework", dossier.framework.name),
        ("framework-sha256", dossier.framework.digest),
        ("outcome", dossier.verdict.outcome),
        ("final", "yes" if dossier.verdict.final else "no"),
        ("action", dossier.verdict.action),
        ("as-of", dossier.as_of.isoformat()),
        ("seed", str(dossier.seed)),
        ("tuneworthy", __version__),
    )


# The decision record: what was decided, why, and when to look at it again.

REVIEW_AFTER_MONTHS = 3
"""A quarter, the rhythm in which the lesson plans to retrain."""


def record(dossier: Dossier) -> str:
    """The decision record as Markdown."""
    head = [
        f"- Date: {dossier.as_of}",
        "- Status: proposed",
        f"- Framework: {md(dossier.framework.name)} (`{dossier.framework.digest[:12]}`)",
        f"- Case: `{dossier.case.digest[:12]}`",
    ]
    outcome = sentence(OUTCOME_WORDS[dossier.verdict.outcome])
    action = sentence(f"action: {ACTION_WORDS[dossier.verdict.action]}")
    review = months_later(dossier.as_of, REVIEW_AFTER_MONTHS)
    sections = {
        "Context": _context(dossier),
        "Decision": [
            f"{outcome} {action} {finality(dossier)}",
            "",
            f"Next: {md(dossier.verdict.next)}",
        ],
        "Evidence": _evidence(dossier),
        "What would change it": _change(dossier),
        "Review": [f"On {review}, or as soon as one of the answers above changes."],
    }
    blocks = [f"# Decision: {md(headline(dossier))}", "\n".join(head)]
    for title, lines in sections.items():
        blocks += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(blocks) + "\n"


def _context(dossier: Dossier) -> list[str]:
    lines = [f"- Ceiling: {md(ceiling_text(dossier))}"]
    for kind, label in (("indicator", "Reasons for"), ("anti_indicator", "Reasons against")):
        held = [md(f.title) for f in dossier.factors.values() if (f.kind, f.state) == (kind, "yes")]
        lines.append(f"- {label}: {listing(held) or 'none that is known to hold'}")
    still_open = [md(f.title) for f in dossier.factors.values() if f.state == "unknown"]
    if still_open:
        lines.append(f"- Open: {listing(still_open)}")
    return lines


def _evidence(dossier: Dossier) -> list[str]:
    answers: list[FactorResult | CheckResult] = [
        *dossier.factors.values(),
        *dossier.ceiling.checks.values(),
    ]
    known = [answer.source for answer in answers if answer.state != "unknown"]
    sources = {source: known.count(source) for source in ("stated", "measured", "assumed")}
    lines = [
        (
            f"- {sources['stated']} answers stated, {sources['measured']} measured, "
            f"{sources['assumed']} inferred from stated numbers"
        ),
        f"- Strength: {md(strength_text(dossier))}",
        f"- Pays back: {md(pays_back_text(dossier))}",
    ]
    lines += [f"- Gate {g.id}: {g.state}, {md(g.why)}" for g in dossier.verdict.gates]
    if not isinstance(dossier.precedents, Unknown):
        lines.append(f"- Others: {md(others_text(dossier.precedents))}")
    lines += [f"- {sentence(one.severity)} {md(one.says)}" for one in dossier.challenges]
    return lines


def _change(dossier: Dossier) -> list[str]:
    pairs = flip_lines(dossier)
    lines = [f"- {md(what)}: {outcome}" for what, outcome in pairs]
    return lines or [f"- No set of up to {dossier.flips_searched_to} answers."]


# Why a verdict is what it is, and why an answer means what it means.


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
        dossier.factors.get(name) or dossier.ceiling.checks.get(name) or dossier.signals.get(name)
    )
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


def _about(framework: Framework, name: str, asked: Criterion) -> list[str]:
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
