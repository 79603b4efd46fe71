"""Everything that decides a case, on one page, computed for the template.

In this order: the answer, the ways, the money, the facts that would turn it, the challenges, and
the next step. The words are those of the report's sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tuneworthy.errors import argument
from tuneworthy.files.runs import kept_runs
from tuneworthy.interview.answers import EvaluatedCase
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.dossier import (
    ChallengeResult,
    CheckResult,
    Dossier,
    FactorResult,
    Source,
)
from tuneworthy.plan.section import find_decision, hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report.named import fields_in
from tuneworthy.report.sections import memo, money, payback, plan, verdict
from tuneworthy.report.sections import ways as table
from tuneworthy.report.sections.lab_pilot import card_text
from tuneworthy.web.commands import PAGES, Page
from tuneworthy.words import capital, cut

# what a first page has room for
_MOST_OBJECTIONS = 3
_MOST_QUESTIONS = 2  #: Buttons beside an objection.
_MOST_PHASES = 5
_MOST_FINDINGS = 3
_MOST_RUNS_READ = 6  #: A run may be a large file.
_LONGEST_TITLE = 44  #: Characters of a button.


@dataclass(frozen=True, slots=True)
class FirstStep:
    """The next step of a case."""

    says: str  #: With its last day.
    page: Page | None  #: Where the page does it; None where only a terminal can.
    #: The command that does it in a terminal; empty for work without a command.
    command: str


class AnswerCell(NamedTuple):
    """An answer of the checklist, and the answer to suppose when it is pressed."""

    key: str  #: Of the question, as the answers page names it.
    title: str
    state: State
    source: Source
    turns: bool  #: Whether the answer to the whole changes with it alone.
    other: State  #: The state that is supposed when it is pressed.


class AnswerGroup(NamedTuple):
    """Answers of the checklist of one kind."""

    title: str
    cells: list[AnswerCell]


class AskedQuestion(NamedTuple):
    """A question of the interview that settles something."""

    id: str
    title: str


class Objection(NamedTuple):
    """A challenge, with the questions that settle it."""

    severity: str
    label: str
    says: str
    settle: str
    questions: list[AskedQuestion]


class Finding(NamedTuple):
    """The result of a lab or a check, in the words of its day."""

    id: str  #: Of its run; empty for one that isn't kept.
    says: str
    on: date


class NextPhase(NamedTuple):
    """A phase up to the next decision."""

    id: str
    title: str
    work: str  #: Its hours.
    end: date


@dataclass(frozen=True, slots=True)
class CaseOverview:
    """The content of the first page of a case."""

    first: FirstStep | None
    ask: b.Fact
    pays_back: b.Fact
    late: str  #: How often the money isn't seen again, over all runs; empty where it always is.
    findings: list[Finding]
    against: b.Table
    #: The money month by month, or else what is spent up to each decision; None without a plan.
    money: b.Picture | None
    priced_by: list[
        AskedQuestion
    ]  #: Questions that the money lacks; [] where it is known.
    rival: str  #: The bill of the strongest rival of what is drawn; empty where none is known.
    groups: list[AnswerGroup]
    turns: b.Facts
    objections: list[Objection]
    more_objections: int
    phases: list[NextPhase]
    decision: str  #: The decision at the end of them; empty without a plan.

    @property
    def drawn(self) -> set[str]:
        """The states of what is drawn beside the ways, which a legend explains."""
        states: set[str] = set()
        for row in self.against.rows:
            for cell in row:
                if isinstance(cell, b.Cell) and cell.glyph is not None:
                    states.add(cell.glyph.state)
        return states


def look_at(case: EvaluatedCase, name: str) -> CaseOverview:
    """The overview of a case; ``name`` is its folder, for commands."""
    dossier = case.dossier
    challenges = verdict.by_severity(dossier)
    return CaseOverview(
        first=first_step(dossier, name),
        ask=_ask(dossier),
        pays_back=payback.pays_back(dossier),
        late=payback.never_repaid(dossier),
        findings=_findings(case),
        against=table.first_table(dossier, wide=True),
        money=_money_picture(dossier),
        priced_by=_lacking_amounts(case),
        rival=payback.rival_text(dossier),
        groups=_answer_groups(dossier),
        turns=memo.turns_facts(dossier),
        objections=[_objection(case, each) for each in challenges[:_MOST_OBJECTIONS]],
        more_objections=max(len(challenges) - _MOST_OBJECTIONS, 0),
        phases=list(_phases(dossier)),
        decision=_decision(dossier),
    )


def first_step(dossier: Dossier, name: str) -> FirstStep | None:
    """The next step of a case; None without advice. ``name`` is its folder, for commands."""
    advice = dossier.recommendation
    if isinstance(advice, Unknown):
        return None
    step, *_ = advice.steps
    command = step.command.replace("CASE", argument(name))
    _, _, after_program = command.partition(" ")
    verb, _, _ = after_program.partition(" ")
    return FirstStep(memo.to_do(dossier).value, PAGES.get(verb), command)


def _findings(case: EvaluatedCase) -> list[Finding]:
    """The newest finding of each kind of lab, the newest on top; a pilot also without its run."""
    newest: dict[str, Finding] = {}
    for run in kept_runs(case.case, _MOST_RUNS_READ):  # the newest first
        if run.kind not in newest:
            on = run.at.astimezone().date()
            newest[run.kind] = Finding(run.id, run.says, on)
    card = case.dossier.pilot
    if card is not None and "pilot" not in newest:
        newest["pilot"] = Finding("", f"Pilot: {card_text(card)}", card.on)
    return list(newest.values())[:_MOST_FINDINGS]


def _ask(dossier: Dossier) -> b.Fact:
    """The ask as a value, with the rest of it as a sentence."""
    fact = memo.cost(dossier)
    return b.Fact(fact.label, fact.value.rstrip(","), capital(fact.beside), fact.link)


def _answer_groups(dossier: Dossier) -> list[AnswerGroup]:
    """The answers of the checklist in three groups, each with the answer to suppose."""
    factors = dossier.factors.items()
    indicators = {n: factor for n, factor in factors if factor.kind == "indicator"}
    against = {n: factor for n, factor in factors if factor.kind == "anti_indicator"}
    turning = set(dossier.verdict.basis.turning)
    tried = "Tried before"
    if dossier.ceiling.grade:
        tried += f" (ceiling {dossier.ceiling.grade})"
    return [
        AnswerGroup("For tuning", _cells("factors", indicators, turning)),
        AnswerGroup("Against it", _cells("factors", against, turning)),
        AnswerGroup(tried, _cells("ceiling", dossier.ceiling.checks, turning)),
    ]


def _cells(
    room: str,
    answers: Mapping[str, FactorResult] | Mapping[str, CheckResult],
    turning: set[str],
) -> list[AnswerCell]:
    """The cells of one room's answers."""
    cells = []
    for name, answer in answers.items():
        other: State = "no" if answer.state == "yes" else "yes"
        cell = AnswerCell(
            key=f"{room}.{name}",
            title=capital(answer.title),
            state=answer.state,
            source=answer.source,
            turns=name in turning,
            other=other,
        )
        cells.append(cell)
    return cells


def _money_picture(dossier: Dossier) -> b.Picture | None:
    """The money month by month, else the plan, which needs no saving."""
    drawn = b.pictures_in([money.investment(dossier), plan.section(dossier)])
    return drawn.get("fan") or drawn.get("gantt")


def _lacking_amounts(case: EvaluatedCase) -> list[AskedQuestion]:
    """The questions whose answers the money waits for."""
    result = case.dossier.investment
    if not isinstance(result, Unknown):
        return []
    paths = [_FIRST_OF.get(path, path) for path in fields_in(result.ask)]
    return _buttons(case, paths)


_FIRST_OF = {"economics.monthly": "economics.monthly.api_savings_usd"}
"""For a group of fields, the one that a person is asked for."""


def _buttons(case: EvaluatedCase, paths: Iterable[str]) -> list[AskedQuestion]:
    """The questions about some paths, each with a short title."""
    return [
        AskedQuestion(ask.id, cut(capital(ask.title), _LONGEST_TITLE))
        for ask in case.asks(paths)
    ]


def _objection(case: EvaluatedCase, challenge: ChallengeResult) -> Objection:
    """A challenge as the overview shows it, with the questions to ask again."""
    label, _ = b.SEVERITIES[challenge.severity]
    questions = _buttons(case, challenge.between)[:_MOST_QUESTIONS]
    says = verdict.say_in_short(challenge.says)
    return Objection(challenge.severity, label, says, challenge.settle, questions)


def _phases(dossier: Dossier) -> Iterator[NextPhase]:
    """The phases up to the next decision; only the first ones where there are many."""
    planned = dossier.plan
    if isinstance(planned, Unknown):
        return
    decision = find_decision(planned)
    for phase in planned.phases[:_MOST_PHASES]:
        hours = hours_text(phase.hours.low, phase.hours.high)
        yield NextPhase(phase.id, phase.title, hours, phase.end)
        if phase is decision:
            return


def _decision(dossier: Dossier) -> str:
    """The next decision and its date; empty without a plan."""
    fact = memo.next_decision(dossier)
    return "" if fact is None else f"{fact.label}: {fact.value}"
