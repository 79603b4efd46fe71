"""Answers with their sources, what was tried, the rules; the decision record and explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tuneworthy import __version__
from tuneworthy.errors import CaseError
from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.dossier import Dossier, Source, Verdict
from tuneworthy.model.framework import Check, Criterion, Factor, Framework
from tuneworthy.report import markdown
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Fact,
    Facts,
    Fold,
    Prose,
    Section,
    Table,
    head,
)
from tuneworthy.report.sections.common import (
    GATES,
    GLOSSARY,
    SEVERITIES,
    byline,
    ceiling_text,
    claims,
    day,
    finality,
    flip_lines,
    gates,
    headline,
    no_flip,
    reasons_text,
    rests_on,
    source_words,
    strength_text,
    value_text,
)
from tuneworthy.report.sections.evidence import measured
from tuneworthy.report.sections.money import pays_back_text
from tuneworthy.report.sections.precedents import others_text
from tuneworthy.report.text import render
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import months_later, number, plain, sentence, several

# Answers, attempts, rules and glossary: the end of the report.

Row = tuple[str, str, State, Source, str, str]
"""Title, question, state, source, weight, note."""


def answers(dossier: Dossier) -> Section:
    """Every answer with where it comes from, and what was measured."""
    says = "Everything this report concludes follows from these answers and from nothing else."
    blocks: tuple[Block, ...] = (Prose(says), *answer_tables(dossier), measured(dossier))
    return Section("answers", "Answers and where they come from", blocks, "Answers")


def answer_tables(dossier: Dossier, *, questions: bool = True) -> Iterator[Table]:
    """What was asked, in groups, each a table of the columns in which something is."""
    checks, signals = dossier.ceiling.checks.values(), dossier.signals.values()

    def reasons(kind: str) -> list[Row]:
        factors = (factor for factor in dossier.factors.values() if factor.kind == kind)
        return [(f.title, f.ask, f.state, f.source, str(f.weight), f.note) for f in factors]

    groups: tuple[tuple[str, list[Row]], ...] = (
        (
            "Has prompting been taken to its ceiling?",
            [(c.title, c.ask, c.state, c.source, "", c.note) for c in checks],
        ),
        ("Reasons for fine-tuning", reasons("indicator")),
        ("Reasons against it", reasons("anti_indicator")),
        (
            "Signs that prompting has reached its ceiling",
            [(s.title, s.ask, s.state, s.source, "", s.note) for s in signals],
        ),
    )
    for caption, rows in groups:
        if rows:
            yield _answers(caption, rows if questions else [(r[0], "", *r[2:]) for r in rows])


def _answers(caption: str, rows: list[Row]) -> Table:
    weighed, noted = (any(row[place] for row in rows) for place in (4, 5))
    columns = [*head("Asked", "?Answer", "From")]
    columns += [Column("Weight")] * weighed + [Column("Note")] * noted
    lines = []
    for title, asked, state, source, weight, note in rows:
        cells: list[str | Cell] = [Cell(title, asked), state, source_words(state, source)]
        lines.append((*cells, *([weight] * weighed), *([note] * noted)))
    return Table(caption, tuple(columns), tuple(lines))


def attempts(dossier: Dossier) -> Section | None:
    """What was tried, each with the verdict it would have had; None where nothing is recorded."""
    if not dossier.stages:
        return None
    says = "What the team tried, in order, and what the rules would have said then."
    rows = tuple((s.name, s.change, OUTCOME_WORDS[s.outcome]) for s in dossier.stages)
    titles = head("Attempt", "What was changed", "Verdict at that time")
    table = Table("Attempts and the verdict after each", titles, rows, quiet=True)
    title = "What was tried so far"
    return Section("attempts", title, (Prose(says, detail=True), table), "Tried so far")


def rules(dossier: Dossier, framework: Framework | None = None) -> Section:
    """The walk through the rules; with the framework, also what its score counts."""
    tree, score, difference = dossier.rules.tree, dossier.rules.score, dossier.rules.difference
    rows = tuple(
        (
            Cell(_condition(step.ask), _values(step.value)),
            step.answer,
            OUTCOME_WORDS[step.outcome],
        )
        for step in tree.path
    )
    decided = tree.outcome == "undecided" or any(step.answer == "yes" for step in tree.path)
    last = "the last step does" if decided else f"the verdict is: {OUTCOME_WORDS[tree.outcome]}"
    blocks: list[Block] = [
        Prose(
            f"The verdict follows from the {dossier.framework.name} framework by fixed rules. "
            "No model decided anything. The first question that is answered yes decides; when "
            f"none is, {last}."
        )
    ]
    if rows:
        titles = head("Asked in this order", "?Answer", "If yes")
        blocks.append(Table("The questions of the decision tree", titles, rows, quiet=True))
    blocks.append(Prose(f"By this count: {OUTCOME_WORDS[tree.outcome]}."))
    counted = ""
    if framework is not None:
        weights = framework.scoring.weights
        counted = ", each counted once" if weights == "shown" else ", by their weights"
    blocks.append(
        Prose(
            f"Reasons for less reasons against{counted}: the difference, "
            f"{value_text(difference.value)}. Divided by {number(score.denominator)} that is the "
            f"score, {value_text(score.value)}. Strength: {strength_text(dossier)}."
        )
    )
    return Section("rules", "How the rules came to it", tuple(blocks), "The rules")


_WORDS = {
    "checks": "checks done",
    "indicators": "reasons for",
    "anti_indicators": "reasons against",
    "indicator_weight": "weight of reasons for",
    "anti_indicator_weight": "weight of reasons against",
}
"""What a rule counts."""

_SIGNS = {"≤": "at most", "≥": "at least", "<": "under", ">": "over"}


def _condition(condition: str) -> str:
    """A condition of the tree as a question in words."""
    names = {plain(name): words for name, words in _WORDS.items() if name != "checks"}
    longest_first = sorted(names.items(), key=lambda pair: -len(pair[0]))
    for sign, words in (*longest_first, *_SIGNS.items()):
        condition = condition.replace(sign, words)
    return sentence(f"{condition}?")


def _values(values: Mapping[str, float | Range]) -> str:
    parts = (f"{_WORDS.get(name, plain(name))}: {value_text(v)}" for name, v in values.items())
    return ", ".join(parts)


def glossary() -> Section:
    """Words a reader may not know."""
    rows = tuple(Fact(word, meaning) for word, meaning in GLOSSARY)
    fold = Fold("Show what the words mean", (Facts(rows, "words"),))
    return Section("words", "Words used here", (fold,), detail=True)


def lines(dossier: Dossier) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that is needed to get the same report again."""
    return (
        ("schema", dossier.schema_),
        ("case", dossier.case.name),
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
    verdict = dossier.verdict
    status = (
        f"Date: {day(dossier.as_of)}",
        "Status: proposed",
        f"Framework: {dossier.framework.name} ({dossier.framework.digest[:12]})",
        f"Case: {dossier.case.digest[:12]}",
    )
    decision = (
        f"{sentence(OUTCOME_WORDS[verdict.outcome])} "
        f"{sentence(f'action: {ACTION_WORDS[verdict.action]}')} {finality(dossier)}"
    )
    review = day(months_later(dossier.as_of, REVIEW_AFTER_MONTHS))
    flips = tuple(f"{what}: {outcome}" for what, outcome in flip_lines(dossier))
    sections: dict[str, tuple[Block, ...]] = {
        "Status": (Bullets(status),),
        "Context": (Bullets(tuple(_context(dossier))),),
        "Decision": (Prose(decision), Prose(f"Next: {verdict.next}")),
        "Evidence": (Bullets(tuple(_evidence(dossier))),),
        "What would change the verdict": (Bullets(flips) if flips else Prose(no_flip(dossier)),),
        "Review": (Prose(f"On {review}, or as soon as one of the answers above changes."),),
    }
    document = Document(
        name=f"Decision: {dossier.case.name}",
        headline=headline(dossier),
        sections=tuple(Section(title.lower(), title, blocks) for title, blocks in sections.items()),
    )
    return markdown.render(document)


def _context(dossier: Dossier) -> Iterator[str]:
    yield f"Ceiling: {ceiling_text(dossier)}"
    yield f"Reasons for: {reasons_text(dossier, 'indicator')}"
    yield f"Reasons against: {reasons_text(dossier, 'anti_indicator')}"


def _evidence(dossier: Dossier) -> Iterator[str]:
    yield rests_on(dossier)
    yield f"Strength: {strength_text(dossier)}"
    yield f"Pays back: {pays_back_text(dossier)}"
    for gate in dossier.verdict.gates:
        yield f"{GATES[gate.id]} {sentence(gate.state)} {sentence(gate.why)}"
    if not isinstance(dossier.precedents, Unknown):
        yield f"Others: {others_text(dossier.precedents)}"
    for claim in dossier.challenges:
        yield f"{SEVERITIES[claim.severity][0]}: {claim.says}"


# Why a verdict is what it is, and why an answer means what it means.


def explain_case(dossier: Dossier, framework: Framework) -> str:
    """The walk through the rules with this case's numbers."""
    title = "Answers and where they come from"
    document = Document(
        name=dossier.case.name,
        headline=headline(dossier),
        byline=(f"{byline(dossier)} {finality(dossier)}",),
        sections=(
            Section("answers", title, tuple(answer_tables(dossier, questions=False))),
            rules(dossier, framework),
            Section("gates", "", (gates(dossier),)),
        ),
        after=(f"Next: {dossier.verdict.next}",),
    )
    return render(document, everything=True)


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
    answer = (
        dossier.factors.get(name) or dossier.ceiling.checks.get(name) or dossier.signals.get(name)
    )
    if answer is None:
        raise unknown_name(name, framework)
    rows = [Fact("Note", answer.note)] if answer.note else []
    for to, verdict in otherwise:
        is_same = verdict == dossier.verdict.outcome
        then = "the verdict stays" if is_same else "the verdict would be"
        rows.append(Fact(f"If {to}", f"{then}: {OUTCOME_WORDS[verdict]}"))
    about = [c for c in dossier.challenges if any(name in path.split(".") for path in c.between)]
    fit = (Section("fit", "What doesn’t fit together", (claims(about),)),) if about else ()
    document = Document(
        name="",
        headline=f"{answer.title} is {answer.state} ({source_words(answer.state, answer.source)}).",
        sections=(Section("answer", "", (Facts(tuple(rows)),)), *fit, _about(framework, name)),
    )
    return render(document)


def explain_factor(framework: Framework, name: str) -> str:
    """What a factor, check or signal asks, and why it means what it means.

    Raises:
        CaseError: If the framework has nothing of that name.
    """
    section = _about(framework, name)
    return render(Document("", section.title, (Section("about", "", section.blocks),)))


def unknown_name(name: str, framework: Framework) -> CaseError:
    """The error for a name the framework doesn't have."""
    known = [*framework.factors, *framework.ceiling, *framework.signals]
    return CaseError(
        f'"{name}" is not in the {framework.name} framework', fix=did_you_mean(name, known)
    )


def _about(framework: Framework, name: str) -> Section:
    asked: Criterion | None = (
        framework.factors.get(name) or framework.ceiling.get(name) or framework.signals.get(name)
    )
    if asked is None:
        raise unknown_name(name, framework)
    at_least = asked.at_least if isinstance(asked, Check) else None
    texts = [("Asks", asked.ask)]
    if isinstance(asked, Factor):
        texts.append(("Yes means", asked.means))
    texts += [("Why", asked.why), ("Example", asked.example)]
    if isinstance(asked, Check):
        texts.append(("To get it", asked.settle))
    rows = [Fact(label, framework.filled(text, at_least)) for label, text in texts if text]
    if isinstance(asked, Factor):
        is_counted = framework.scoring.weights == "counted"
        beside = "" if is_counted else "(shown; every reason counts one)"
        rows.append(Fact("Weight", str(asked.weight), beside))
    if isinstance(asked, Check | Factor):
        rows.append(Fact("To answer", f"about {several(asked.minutes, 'minute')}"))
    return Section(
        "about", f"{asked.title} ({name}), {_kind(framework, name)}", (Facts(tuple(rows)),)
    )


def _kind(framework: Framework, name: str) -> str:
    if name in framework.indicators:
        return "a reason for fine-tuning"
    if name in framework.anti_indicators:
        return "a reason against fine-tuning"
    return "a check of the ceiling test" if name in framework.ceiling else "a sign of a ceiling"
