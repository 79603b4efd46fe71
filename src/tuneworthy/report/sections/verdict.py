"""The verdict: key facts, why, how sure, what would change it, what clashes; and the short page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import Dossier, FactorResult, Phase, SignalResult, Turn
from tuneworthy.plan.ask import find_decision
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import (
    GATES,
    byline,
    captioned,
    ceiling_text,
    confirm_text,
    count_text,
    finality,
    flip_lines,
    gates,
    headline,
    no_flip,
    strength_text,
    tally,
    target_texts,
    title,
    unconfirmed_text,
    value_text,
)
from tuneworthy.report.sections.money import built_text, pays_back
from tuneworthy.report.sections.plan import ask_text, work_text
from tuneworthy.report.sections.precedents import others_text, record_text
from tuneworthy.report.sections.record import review_day
from tuneworthy.report.sections.ways import first_table
from tuneworthy.verdict.headline import ANSWER_WORDS, OUTCOME_WORDS
from tuneworthy.words import capital, day, few, listing, sentence, several, usd

_FIT = "What doesn’t fit together"
_MOST = 4
_LOOKS: dict[str, b.Look] = {"pilot": "good", "yes": "good", "open": "warn"}
_ROWS = {"Ceiling": ("ceiling", "today.quality"), "Pays back": ("economics", "today.usd_per_month")}


def memo(dossier: Dossier) -> Iterator[b.Fact]:
    """What somebody who decides has to know: the ask, when to stop, how sure that is."""
    yield from _ask(dossier)
    yield b.Fact("Next step", dossier.verdict.now, _first_phase(dossier), "plan")
    if targets := listing([*target_texts(dossier).values()]):
        yield b.Fact("Targets", sentence(targets))
    yield from _pays(dossier)
    if not isinstance(dossier.precedents, Unknown):
        yield b.Fact("Base rate", sentence(others_text(dossier.precedents)), "", "others")
    turning = [title(name, dossier) for name in dossier.verdict.basis.turning]
    more = [f"{few(len(turning) - _MOST)} more"] * (len(turning) > _MOST)
    alone = sentence(f"alone: {listing(turning[:_MOST] + more)}") if turning else ""
    yield b.Fact("How fragile", finality(dossier), alone, "change")
    if dossier.challenges:
        yield b.Fact("What doesn’t fit", sentence(tally(dossier.challenges)), "", "fit")


def _first_phase(dossier: Dossier) -> str:
    """What the first phase of the plan takes, and until when; it is part of the ask."""
    if isinstance(dossier.plan, Unknown):
        return ""
    first = next(iter(dossier.plan.phases))
    work = work_text(first.hours, first.usd)
    return sentence(f"begin with: {first.title}, {work}, until {day(first.end)}")


def _ask(dossier: Dossier) -> Iterator[b.Fact]:
    """The one ask, what it leads to and when, what it is held against, and what ends it."""
    plan = dossier.plan
    if isinstance(plan, Unknown) or isinstance(dossier.ask, Unknown):
        ask = plan.ask if isinstance(plan, Unknown) else ""
        yield b.Fact("Ask", "Nothing yet.", sentence(ask))
        return
    decision = find_decision(plan)
    then = "; nothing for tuning"
    if plan.aim == "tune":
        then = _after(dossier, decision)
    beside = f"until {day(decision.end)}, up to: {decision.title}{then}."
    above = [item.says for item in dossier.verdict.caveats if item.id == "ask_above_prize"]
    beside = " ".join([beside, *map(sentence, above)])
    yield b.Fact("Ask now", ask_text(dossier.ask), beside, "money")
    ends = [turn.what for turn in dossier.verdict.turns if turn.answer == "no"]
    if decision.id == "pilot":
        ends.insert(0, "the pilot’s card says no-go")
    if ends:
        yield b.Fact("Stop rule", sentence(listing(ends[:_MOST], "or")))


def _after(dossier: Dossier, decision: Phase) -> str:
    """What a tuning costs after the decision; empty where that isn't known."""
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.ask_usd.build, Unknown):
        return ""
    build, run = built_text(money)
    return f"; then {run}" if decision.id == "deployment" else f"; if it works, {build} and {run}"


def _pays(dossier: Dossier) -> Iterator[b.Fact]:
    gates = [gate for gate in dossier.verdict.gates if gate.id == "investment"]
    if isinstance(dossier.investment, Unknown):
        yield b.Fact("Money", "Not known.", sentence(dossier.investment.ask), "money")
    elif gates and dossier.verdict.answer == "pilot":
        yield b.Fact(GATES["investment"], sentence(gates[0].state), sentence(gates[0].why), "money")
    else:
        first, *more = map(sentence, pays_back(dossier))
        yield b.Fact("Pays back (break-even)", first, " ".join(more), "money")


def warning(dossier: Dossier) -> list[str]:
    """The heaviest contradiction, and how many more there are; empty for none."""
    heavy = [item.says for item in dossier.challenges if item.severity == "contradiction"]
    rest = capital(several(len(heavy) - 1, "contradiction"))
    return heavy[:1] + [f"{rest} more under {_FIT}."] * (len(heavy) > 1)


def reasons(dossier: Dossier) -> b.Part:
    """What holds, each with the team's own note where there is one, and how many are open."""
    factors = dossier.factors.values()
    groups: dict[str, Sequence[FactorResult | SignalResult]] = {
        "For it": [factor for factor in factors if factor.kind == "indicator"],
        "Against it": [factor for factor in factors if factor.kind == "anti_indicator"],
        "Signs of a ceiling": [*dossier.signals.values()],
    }
    rows = [("Prompting’s ceiling", sentence(ceiling_text(dossier)))]
    for label, group in groups.items():
        held = [reason for reason in group if reason.state == "yes"]
        noted = (f"{r.title} ({r.note})" if r.note else r.title for r in held)
        unanswered = sum(reason.state == "unknown" for reason in group)
        still = f"; {few(unanswered)} open" * (unanswered > 0)
        rows.append((label, sentence((listing(list(noted)) or "nothing") + still)))
    return b.part("Why", b.facts(rows))


def sign(dossier: Dossier) -> b.Facts:
    """Who decides, and when it is looked at again; what isn't named is left blank to fill in."""
    decision = dossier.decision or CaseDecision()
    signed = "" if decision.signed is None else f"{decision.signed.by}, {day(decision.signed.on)}"
    review = "" if decision.review_on is None else day(decision.review_on)
    return b.facts(
        (
            ("Owner", decision.owner or ""),
            ("Approver", decision.approver or ""),
            ("Signed, on", signed),
            ("Review on", review, "" if review else f"proposed: {day(review_day(dossier))}"),
        ),
        "sign",
    )


def why(dossier: Dossier) -> b.Section:
    """The reasons, what to keep in mind, and what has to be settled first."""
    confirm = confirm_text(dossier)
    noted = keep_in_mind(dossier)
    titles, cells = (
        "Reason | Answer | Known from | Weight",
        "{title} | {state} | {source} | {weight}",
    )
    table = b.records("Reasons", titles, cells, dossier.factors.values())
    drawing = charts.reasons(dossier.factors, dossier.verdict.basis.turning)
    return b.section(
        "why",
        "Why",
        b.facts([("Signs of a ceiling", sentence(confirm))]) if confirm else None,
        captioned(drawing, table, table_is="elsewhere"),
        noted and b.part("Keep in mind", b.bullets(noted)),
        gates(dossier) if dossier.verdict.answer in ("pilot", "yes") else None,
    )


def checklist(dossier: Dossier, *, folded: bool = False) -> b.Section:
    """The lesson's count beside the answer, its strength, and the record of both.

    A report folds it, which keeps it off the paper.
    """
    rows = [("Count", count_text(dossier))]
    rows.append(("Strength", strength_text(dossier)))
    if not isinstance(dossier.precedents, Unknown):
        rows.append(("Record", record_text(dossier.precedents)))
        rows.append(("Others", others_text(dossier.precedents)))
    title = "The lesson’s checklist"
    facts = b.facts(rows)
    return b.section("checklist", title, b.fold("Show the count", facts) if folded else facts)


def keep_in_mind(dossier: Dossier) -> list[str]:
    """What to keep in mind beside the verdict."""
    return [sentence(item.says) for item in dossier.verdict.caveats]


def change(dossier: Dossier, questions: int | None = None) -> b.Section:
    """The smallest changes that turn the verdict, and what to find out, at most so many."""
    pairs = flip_lines(dossier)
    rows = ((capital(what), sentence(then)) for what, then in pairs)
    caption = "The fewest answers that would turn the count"
    names = [title(name, dossier) for name in dossier.verdict.basis.turning]
    return b.section(
        "change",
        "What would change it",
        turns_table(dossier) or "Nothing that was tried turns the answer by itself.",
        f"One of these alone would change the answer: {listing(names)}." if names else "",
        b.table(caption, "If | The count is", rows) if pairs else no_flip(dossier),
        _questions(dossier, questions) if dossier.next_questions else None,
    )


def turns_table(dossier: Dossier) -> b.Table | None:
    """Single changes that turn the answer; None for none."""
    rows = [
        (capital(turn_text(turn)), capital(ANSWER_WORDS[turn.answer]))
        for turn in dossier.verdict.turns
    ]
    return b.table("What turns the answer by itself", "If | The answer is", rows) if rows else None


def turns_facts(dossier: Dossier) -> b.Facts:
    """The same as lines, for a page."""
    return b.facts(
        (capital(ANSWER_WORDS[turn.answer]), sentence(turn_text(turn)))
        for turn in dossier.verdict.turns
    )


def turn_text(turn: Turn) -> str:
    """One change in words."""
    if turn.to in ("yes", "no"):
        return f"{turn.what} answered {turn.to}"
    return turn.what


def _questions(dossier: Dossier, most: int | None) -> b.Part:
    questions = dossier.next_questions[:most]
    worths = [0.0 if isinstance(q.worth_usd, Unknown) else q.worth_usd for q in questions]
    priced = any(worths)
    rows: list[list[str | b.Cell]] = [
        [b.Cell(q.ask, title(q.factor, dossier)), *[usd(worth)] * priced, f"{q.minutes} min"]
        for q, worth in zip(questions, worths, strict=True)
    ]
    titles = "Question | #Worth up to | #Takes" if priced else "Question | #Takes"
    more = len(dossier.next_questions) - len(questions)
    return b.part(
        "What to find out next, the most worthwhile first",
        b.table("Open questions, the most worthwhile first", titles, rows, quiet=True),
        f"And {few(more)} more." if more else "",
    )


def fit(dossier: Dossier) -> b.Section:
    """What doesn't fit together, the heaviest first."""
    ranks = list(b.SEVERITIES)
    ordered = sorted(dossier.challenges, key=lambda item: ranks.index(item.severity))
    blocks = (
        (sentence(tally(ordered)), b.Claims(tuple(ordered))) if ordered else "Nothing was found."
    )
    return b.section("fit", _FIT, blocks)


def short(dossier: Dossier, case_path: str = "") -> b.Document:
    """The first screen: answer, what to do now, ways against targets, what it rests on."""
    where = argument(case_path) if case_path else "CASE"
    rows = [*_grounds(dossier), *_clashes(dossier, where)]
    document = b.Document(
        dossier.case.name,
        headline(dossier),
        [
            b.section("now", "", dossier.verdict.now),
            b.section("ways", "", first_table(dossier)),
            b.section("grounds", "", b.bullets(rows)),
        ],
        byline=[byline(dossier)],
        after=(f"More: tuneworthy show {where} options|money|plan|why|others|history",),
    )
    return replace(document, look=_LOOKS.get(dossier.verdict.answer, "strong"))


def _grounds(dossier: Dossier) -> Iterator[str]:
    """What it rests on, what turns it, what it asks for, and the lesson's count."""
    yield finality(dossier)
    turns = [f"{turn_text(t)}: {ANSWER_WORDS[t.answer]}" for t in dossier.verdict.turns[:2]]
    if turns:
        yield f"It turns if {listing(turns, 'or if')}."
    if not isinstance(dossier.ask, Unknown):
        yield f"Ask now: {ask_text(dossier.ask)}, up to: {dossier.ask.until}."
    if dossier.pilot is not None:  # else the words of labs aren't needed
        from tuneworthy.report.sections.lab import card_text

        yield f"Pilot: {card_text(dossier.pilot)}"
    if waiting := unconfirmed_text(dossier):
        yield f"{sentence(waiting)} Confirm: tuneworthy answer CASE --confirm"
    yield checklist_line(dossier)


def _clashes(dossier: Dossier, where: str) -> Iterator[str]:
    """The heaviest of what doesn't fit together, and where to settle the rest."""
    ranks = list(b.SEVERITIES)
    ordered = sorted(dossier.challenges, key=lambda item: ranks.index(item.severity))
    for claim in ordered[:_FIRST_CLASHES]:
        yield f"! {claim.says}"
    if len(ordered) > _FIRST_CLASHES:
        rest = few(len(ordered) - _FIRST_CLASHES)
        yield f"! {rest} more: tuneworthy show {where} why"


_FIRST_CLASHES = 2


def checklist_line(dossier: Dossier) -> str:
    """The lesson's checklist in one line."""
    counts = dossier.counts
    kinds = [factor.kind for factor in dossier.factors.values()]
    of_for = f"{counts.indicators} of {kinds.count('indicator')} for"
    of_against = f"{counts.anti_indicators} of {kinds.count('anti_indicator')} against"
    score = value_text(dossier.rules.score.value)
    outcome = OUTCOME_WORDS[dossier.verdict.outcome]
    return f"The lesson’s checklist: {of_for}, {of_against}, score {score}: {outcome}."
