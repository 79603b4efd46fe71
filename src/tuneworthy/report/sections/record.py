"""Answers with their sources, what was tried, the rules; the decision record and explanations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress

from tuneworthy import __version__
from tuneworthy.errors import CaseError
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import CheckResult, Dossier, FactorResult, SignalResult, Verdict
from tuneworthy.model.framework import Check, Criterion, Factor, Framework
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import (
    GATES,
    about,
    ceiling_text,
    count_text,
    day,
    decision_text,
    finality,
    flip_lines,
    gates,
    headline,
    no_flip,
    reasons_text,
    source_words,
    strength_text,
    unfit,
    value_text,
)
from tuneworthy.report.sections.evidence import measured
from tuneworthy.report.sections.money import pays_back_text
from tuneworthy.report.sections.precedents import others_text, record_text
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.headline import ANSWER_WORDS, OUTCOME_WORDS
from tuneworthy.words import months_later, number, plain, sentence, several


def answers(dossier: Dossier) -> b.Section:
    """Every answer with where it comes from, and what was measured."""
    says = (
        "What this report concludes follows from these answers, the numbers stated with them, and "
        "what was measured."
    )
    title, tables = "Answers and where they come from", answer_tables(dossier)
    return b.section("answers", title, says, tables, measured(dossier), short="Answers")


def answer_tables(dossier: Dossier, *, questions: bool = True) -> Iterator[b.Table]:
    """What was asked, in groups, each a table of the columns in which something is."""
    factors = dossier.factors.values()
    groups: dict[str, Iterable[CheckResult | FactorResult | SignalResult]] = {
        "Has prompting been taken to its ceiling?": dossier.ceiling.checks.values(),
        "Reasons for fine-tuning": (one for one in factors if one.kind == "indicator"),
        "Reasons against it": (one for one in factors if one.kind == "anti_indicator"),
        "Signs that prompting has reached its ceiling": dossier.signals.values(),
    }
    for caption, group in groups.items():
        rows = [
            (
                b.Cell(one.title, one.ask * questions),
                one.state,
                source_words(one.state, one.source),
                str(getattr(one, "weight", "")),
                one.note,
            )
            for one in group
        ]
        kept = [True, True, True, *(any(row[place] for row in rows) for place in (3, 4))]
        titles = compress(("Asked", "?Answer", "From", "Weight", "Note"), kept)
        if rows:
            yield b.table(caption, titles, (tuple(compress(row, kept)) for row in rows))


def attempts(dossier: Dossier) -> b.Section | None:
    """What was tried, each with the verdict it would have had; None where nothing is recorded."""
    if not dossier.stages:
        return None
    says = "What the team tried, in order, and what the count would have said after each."
    now = "ceiling reached: " * (dossier.ceiling.reached == "yes")
    rows = [(s.name, b.Cell(s.change, s.result), OUTCOME_WORDS[s.outcome]) for s in dossier.stages]
    rows.append(("All checks, as answered now", "", now + OUTCOME_WORDS[dossier.verdict.outcome]))
    titles = "Attempt | What was changed | The count then"
    table = b.table("Attempts and the count after each", titles, rows, quiet=True)
    title, more = "What was tried so far", b.Prose(says, detail=True)
    return b.section("attempts", title, more, table, short="Tried so far")


def rules(dossier: Dossier, framework: Framework | None = None) -> b.Section:
    """The walk through the rules; with the framework, also what its score counts."""
    tree, score, difference = dossier.rules.tree, dossier.rules.score, dossier.rules.difference
    rows = []
    for step in tree.path:
        values = (f"{_WORDS.get(n, plain(n))}: {value_text(v)}" for n, v in step.value.items())
        asked = b.Cell(_condition(step.ask), ", ".join(values))
        rows.append((asked, step.answer, OUTCOME_WORDS[step.outcome]))
    decided = tree.outcome == "undecided" or any(step.answer == "yes" for step in tree.path)
    last = "the last step does" if decided else f"the verdict is: {OUTCOME_WORDS[tree.outcome]}"
    counted = ""
    if framework is not None:
        weights = framework.scoring.weights
        counted = ", each counted once" if weights == "shown" else ", by their weights"
    titles = "Asked in this order | ?Answer | If yes"
    return b.section(
        "rules",
        "How the rules came to it",
        f"The verdict follows from the {dossier.framework.name} framework by fixed rules. "
        "No model decided anything. The first question that is answered yes decides; when "
        f"none is, {last}.",
        b.table("The questions of the decision tree", titles, rows, quiet=True) if rows else "",
        f"By this count: {OUTCOME_WORDS[tree.outcome]}.",
        f"Reasons for less reasons against{counted}: the difference, "
        f"{value_text(difference.value)}. Divided by {number(score.denominator)} that is the "
        f"score, {value_text(score.value)}. Strength: {strength_text(dossier)}.",
        short="The rules",
    )


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
    names = {plain(name): words for name, words in _WORDS.items() if name != "checks"}
    longest_first = sorted(names.items(), key=lambda pair: -len(pair[0]))
    for sign, words in (*longest_first, *_SIGNS.items()):
        condition = condition.replace(sign, words)
    return sentence(f"{condition}?")


def glossary() -> b.Section:
    meanings = b.facts(named("glossary").items(), "words")
    shown = b.fold("Show what the words mean", meanings)
    return b.section("words", "Words used here", shown, detail=True)


def lines(dossier: Dossier) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that is needed to get the same report again."""
    return (
        ("schema", dossier.schema_),
        ("case", dossier.case.name),
        ("case-sha256", dossier.case.digest),
        ("framework", dossier.framework.name),
        ("framework-sha256", dossier.framework.digest),
        ("outcome", dossier.verdict.outcome),
        ("answer", dossier.verdict.answer),
        ("action", dossier.verdict.action),
        ("as-of", dossier.as_of.isoformat()),
        ("seed", str(dossier.seed)),
        ("tuneworthy", __version__),
    )


REVIEW_AFTER_MONTHS = 3  #: A quarter, the rhythm in which the lesson plans to retrain.


def record(dossier: Dossier) -> b.Document:
    """The decision record: what was decided, why, and when to look at it again."""
    verdict = dossier.verdict
    decided = dossier.decision or CaseDecision()
    review = day(decided.review_on or months_later(dossier.as_of, REVIEW_AFTER_MONTHS))
    flips = [f"{what}: {outcome}" for what, outcome in flip_lines(dossier)]
    sections: dict[str, b.Parts] = {
        "Status": b.bullets(
            (
                f"Date: {day(dossier.as_of)}",
                f"Status: {decision_text(dossier) or 'proposed'}",
                f"Framework: {dossier.framework.name} ({dossier.framework.digest[:12]})",
                f"Case: {dossier.case.digest[:12]}",
            )
        ),
        "Context": b.bullets(
            (
                f"Ceiling: {ceiling_text(dossier)}",
                f"Reasons for: {reasons_text(dossier, 'indicator')}",
                f"Reasons against: {reasons_text(dossier, 'anti_indicator')}",
            )
        ),
        "Decision": (
            f"{sentence(f'fine-tune: {ANSWER_WORDS[verdict.answer]}')} {finality(dossier)}",
            f"Next: {verdict.next}",
        ),
        "Evidence": b.bullets(_evidence(dossier)),
        "What would change the count": b.bullets(flips) if flips else no_flip(dossier),
        "Review": f"On {review}, or as soon as one of the answers above changes.",
    }
    return b.Document(
        f"Decision: {dossier.case.name}",
        headline(dossier),
        [b.section(title.lower(), title, parts) for title, parts in sections.items()],
    )


def _evidence(dossier: Dossier) -> Iterator[str]:
    yield count_text(dossier)
    yield from (departure.because for departure in dossier.verdict.departs)
    yield f"Strength: {strength_text(dossier)}"
    if not isinstance(dossier.precedents, Unknown):
        yield f"Record of these rules: {record_text(dossier.precedents)}"
    yield f"Pays back: {pays_back_text(dossier)}"
    for gate in dossier.verdict.gates:
        yield f"{GATES[gate.id]} {sentence(gate.state)} {sentence(gate.why)}"
    if not isinstance(dossier.precedents, Unknown):
        yield f"Others: {others_text(dossier.precedents)}"
    yield from (sentence(item.says) for item in dossier.verdict.caveats if item.kind == "note")
    for claim in dossier.challenges:
        yield f"{b.SEVERITIES[claim.severity][0]}: {claim.says}"


def explain_case(dossier: Dossier, framework: Framework) -> b.Document:
    tables = answer_tables(dossier, questions=False)
    return about(
        dossier,
        b.section("answers", "Answers and where they come from", tables),
        rules(dossier, framework),
        b.section("gates", "", gates(dossier)),
        beside=finality(dossier),
        after=(f"Next: {dossier.verdict.next}",),
    )


def explain_answer(
    dossier: Dossier, framework: Framework, name: str, otherwise: Sequence[tuple[str, Verdict]]
) -> b.Document:
    """One answer of a case: what it is, where it comes from, and what another would do.

    ``otherwise`` has the verdict that each other value would give; it is empty for a signal.
    """
    rooms = (dossier.factors, dossier.ceiling.checks, dossier.signals)
    answer = next((room[name] for room in rooms if name in room), None)
    if answer is None:
        raise unknown_name(name, framework)
    rows = [("Note", answer.note)] if answer.note else []
    for to, verdict in otherwise:
        is_same = verdict == dossier.verdict.outcome
        then = "the verdict stays" if is_same else "the verdict would be"
        rows.append((f"If {to}", f"{then}: {OUTCOME_WORDS[verdict]}"))
    claims = [c for c in dossier.challenges if any(name in path.split(".") for path in c.between)]
    says = f"{answer.title} is {answer.state} ({source_words(answer.state, answer.source)})."
    sections = (b.section("answer", "", b.facts(rows)), unfit(claims), _about(framework, name))
    return b.Document("", says, [each for each in sections if each is not None])


def explain_factor(framework: Framework, name: str) -> b.Document:
    section = _about(framework, name)
    return b.Document("", section.title, [replace(section, title="")])


def unknown_name(name: str, framework: Framework) -> CaseError:
    known = [*framework.factors, *framework.ceiling, *framework.signals]
    return CaseError(
        f'"{name}" is not in the {framework.name} framework', fix=did_you_mean(name, known)
    )


def _about(framework: Framework, name: str) -> b.Section:
    rooms: dict[str, Mapping[str, Criterion]] = {
        "a reason for fine-tuning": framework.indicators,
        "a reason against fine-tuning": framework.anti_indicators,
        "a check of the ceiling test": framework.ceiling,
        "a sign of a ceiling": framework.signals,
    }
    kind = next((kind for kind, room in rooms.items() if name in room), "")
    if not kind:
        raise unknown_name(name, framework)
    asked = rooms[kind][name]
    at_least = asked.at_least if isinstance(asked, Check) else None
    texts = [("Asks", asked.ask)]
    if isinstance(asked, Factor):
        texts.append(("Yes means", asked.means))
    texts += [("Why", asked.why), ("Example", asked.example)]
    if isinstance(asked, Check):
        texts.append(("To get it", asked.settle))
    rows = [b.Fact(label, framework.filled(text, at_least)) for label, text in texts if text]
    if isinstance(asked, Factor):
        is_counted = framework.scoring.weights == "counted"
        beside = "" if is_counted else "(shown; every reason counts one)"
        rows.append(b.Fact("Weight", str(asked.weight), beside))
    if isinstance(asked, Check | Factor):
        rows.append(b.Fact("To answer", f"about {several(asked.minutes, 'minute')}"))
    return b.section("about", f"{asked.title} ({name}), {kind}", b.facts(rows))
