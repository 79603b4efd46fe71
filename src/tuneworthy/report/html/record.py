"""The end of the page: answers with their sources, what was tried, the rules, and the digests."""

from __future__ import annotations

from collections.abc import Iterable

from tuneworthy.domain.assessment import Source
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Range, State
from tuneworthy.domain.version import __version__
from tuneworthy.report.html.blocks import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Fold,
    Prose,
    Section,
    Table,
)
from tuneworthy.report.html.evidence import measured
from tuneworthy.report.plain import GLOSSARY, source_words
from tuneworthy.report.text import strength_text
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import number, plain, sentence

Row = tuple[str, str, State, Source, str, str]
"""Title, question, state, source, weight, note."""


def answers(dossier: Dossier) -> Section:
    """Every answer with where it comes from, and what was measured."""
    groups: list[tuple[str, list[Row]]] = [
        ("Has prompting been taken to its limit?", [
            (c.title, c.ask, c.state, c.source, "", c.note) for c in dossier.ceiling.checks.values()
        ]),
        ("Reasons for fine-tuning", list(_factors(dossier, "indicator"))),
        ("Reasons against it", list(_factors(dossier, "anti_indicator"))),
        ("Signs that prompting has reached its limit", [
            (s.title, s.ask, s.state, s.source, "", s.note) for s in dossier.signals.values()
        ]),
    ]  # fmt: skip
    blocks: list[Block] = [
        Prose("Everything this report concludes follows from these answers and from nothing else.")
    ]
    blocks += [_answers(caption, rows) for caption, rows in groups if rows]
    blocks.append(measured(dossier))
    return Section("answers", "Answers and where they come from", tuple(blocks), "Answers")


def _factors(dossier: Dossier, kind: str) -> Iterable[Row]:
    for factor in dossier.factors.values():
        if factor.kind == kind:
            weight = str(factor.weight)
            yield factor.title, factor.ask, factor.state, factor.source, weight, factor.note


def _answers(caption: str, rows: list[Row]) -> Table:
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
