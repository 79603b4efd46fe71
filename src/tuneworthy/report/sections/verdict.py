"""The verdict: key facts, why, how sure, what would change it, what clashes; and the short page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import Dossier, FactorResult, Phase, SignalResult, TuningAnswer
from tuneworthy.plan.ask import find_decision
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import (
    GATES,
    NOTHING_TURNS,
    byline,
    captioned,
    ceiling_text,
    confirm_text,
    count_text,
    finality,
    flip_lines,
    gates,
    grounds_text,
    headline,
    no_flip,
    nothing_answered,
    strength_text,
    tally,
    target_texts,
    title,
    turn_text,
    unconfirmed_text,
    value_text,
)
from tuneworthy.report.sections.money import built_text, pays_back
from tuneworthy.report.sections.plan import ask_text, work_text
from tuneworthy.report.sections.precedents import others_text, record_text
from tuneworthy.report.sections.record import review_day
from tuneworthy.report.sections.ways import first_table
from tuneworthy.verdict.headline import ANSWER_WORDS, BY_AN_ASSISTANT, OUTCOME_WORDS
from tuneworthy.words import (
    capital,
    counted,
    cut,
    day,
    few,
    listing,
    plain,
    sentence,
    several,
    usd,
)

_FIT = "What doesn’t fit together"
_MOST = 4
_LOOKS: dict[str, b.Look] = {"pilot": "good", "yes": "good", "open": "warn"}
_ROWS = {"Ceiling": ("ceiling", "today.quality"), "Pays back": ("economics", "today.usd_per_month")}


def memo(dossier: Dossier) -> Iterator[b.Fact]:
    """What somebody who decides has to know: the ask, when to stop, how sure that is."""
    yield from _ask(dossier)
    yield from _stop_rule(dossier)
    yield b.Fact("Next step", next_step(dossier), _first_phase(dossier), "plan")
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


def next_step(dossier: Dossier) -> str:
    """What to do, without its command: who signs runs none."""
    advice = dossier.recommendation
    if isinstance(advice, Unknown):
        return sentence(advice.ask)
    if advice.steps[0].option == "keep_prompt":
        return sentence(dossier.verdict.now.removeprefix("Now: "))
    once = listing(list(dossier.verdict.conditions))
    return " ".join([advice.says, f"Go live once {once}." if once else ""]).strip()


def _first_phase(dossier: Dossier) -> str:
    """What the first phase of the plan takes, and until when; empty where it is all that is asked.

    It is part of the ask.
    """
    if isinstance(dossier.plan, Unknown):
        return ""
    first = next(iter(dossier.plan.phases))
    if first == find_decision(dossier.plan):
        return ""
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
    then = ". Nothing of it is for tuning"
    if plan.aim == "tune":
        then = _after(dossier, decision)
    beside = f"until {day(decision.end)}, up to: {decision.title}{then}."
    above = [item.says for item in dossier.verdict.caveats if item.id == "ask_above_prize"]
    beside = " ".join([beside, *map(sentence, above)])
    yield b.Fact("Ask now", ask_text(dossier.ask), beside, "money")


def _after(dossier: Dossier, decision: Phase) -> str:
    """What a tuning costs after the decision; empty where that isn't known."""
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.ask_usd.build, Unknown):
        return ""
    build, run = built_text(money)
    return f". Then {run}" if decision.id == "deployment" else f". If it works, {build} and {run}"


def _stop_rule(dossier: Dossier) -> Iterator[b.Fact]:
    """What ends it: a pilot that doesn't reach its aim, and what turns the answer into a no."""
    verdict = dossier.verdict
    ends = [turn_text(turn) for turn in verdict.turns if turn.answer == "no"][:_MOST]
    if verdict.answer == "pilot" and not isinstance(dossier.recommendation, Unknown):
        aims = [step.stop_when for step in dossier.recommendation.steps if step.way]
        ends[:0] = [f"the pilot doesn’t show that {aims[-1]}"] if aims else []
    if ends:
        yield b.Fact("Stop rule", sentence(f"stop if {listing(ends, 'or if')}"))


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
    title = f"The {plain(dossier.framework.name)}’s checklist"
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
        turns_table(dossier) or NOTHING_TURNS,
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
    """The same as lines, one for each answer, for a page."""
    then: dict[TuningAnswer, list[str]] = {}
    for turn in dossier.verdict.turns:
        then.setdefault(turn.answer, []).append(turn_text(turn))
    rows = []
    for answer, texts in then.items():
        left = len(texts) - _FIRST_TURNS
        shown = texts[:_FIRST_TURNS] + [f"one of {few(left)} more is so"] * (left > 0)
        rows.append((capital(ANSWER_WORDS[answer]), sentence(f"if {listing(shown, 'or if')}")))
    return b.facts(rows)


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
    grounds = [*_grounds(dossier, where), *_clashes(dossier, where), checklist_line(dossier)]
    answer = ANSWER_WORDS[dossier.verdict.answer]
    topics = "options | money | plan | why | others | history"
    name = cut(dossier.case.name, _LONGEST_NAME)
    return b.Document(
        "",
        headline(dossier),
        [
            b.section("ways", "", first_table(dossier)),
            b.section("grounds", "", b.bullets(grounds, mark="")),
        ],
        after=(
            f"{name}: {byline(dossier)}",
            f"More: tuneworthy show {where} {topics}",
        ),
        look=_LOOKS.get(dossier.verdict.answer, "strong"),
        word=capital(answer),
        lead=dossier.verdict.now.replace("CASE", where),
        badge=badge(dossier),
    )


_LONGEST_NAME = 60  # characters


def badge(dossier: Dossier) -> str:
    """How many contradictions there are; empty for none."""
    many = [claim.severity for claim in dossier.challenges].count("contradiction")
    return counted(many, "contradiction") if many else ""


def _grounds(dossier: Dossier, where: str) -> Iterator[str]:
    """What it rests on, what turns it, what it asks for."""
    yield f"{grounds_text(dossier)} {turns_sentence(dossier)}"
    if asked := _ask_line(dossier):
        yield asked
    if dossier.next_questions and _asks_on(dossier):
        first = dossier.next_questions[0]
        command = f"tuneworthy answer {where} {first.factor}=yes (or no)"
        yield f"Answer next: {first.ask} {command}"
    if dossier.pilot is not None:  # else the words of labs aren't needed
        from tuneworthy.report.sections.lab import card_text

        yield f"Pilot: {card_text(dossier.pilot)}"
    if unconfirmed_text(dossier):
        waiting = next(c.says for c in dossier.verdict.caveats if c.id == BY_AN_ASSISTANT)
        many, _, _ = waiting.partition(":")
        yield f"! {sentence(many)} Confirm: tuneworthy answer {where} --confirm"


def _asks_on(dossier: Dossier) -> bool:
    """Whether the next question of the checklist is worth a line beside what to do now."""
    verdict = dossier.verdict
    if verdict.rule == "no_target":
        return not verdict.final
    return nothing_answered(dossier) and verdict.answer not in ("no", "yes")


def turns_sentence(dossier: Dossier) -> str:
    """What would turn the answer, in a sentence."""
    turns = [turn_text(turn) for turn in dossier.verdict.turns[:_FIRST_TURNS]]
    if not turns:
        return NOTHING_TURNS
    return f"It turns if {listing(turns, 'or if')}."


_FIRST_TURNS = 2


def _ask_line(dossier: Dossier) -> str:
    """What is asked for now, in a line; empty where nothing is."""
    if isinstance(dossier.ask, Unknown):
        return ""
    return f"Ask now, up to “{dossier.ask.until}”: {ask_text(dossier.ask)}."


def _clashes(dossier: Dossier, where: str) -> Iterator[str]:
    """The heaviest of what doesn't fit together, and where to settle it."""
    ranks = list(b.SEVERITIES)
    ordered = sorted(dossier.challenges, key=lambda item: ranks.index(item.severity))
    for claim in ordered[:_FIRST_CLASHES]:
        yield f"! {say_in_short(claim.says)}"
    if ordered:
        rest = len(ordered) - _FIRST_CLASHES
        more = f"{few(rest)} more, and what settles them" if rest > 0 else "What settles it"
        yield f"! {capital(more)}: tuneworthy show {where} why"


_FIRST_CLASHES = 2
_LONGEST_CLASH = 180  # characters


def say_in_short(text: str) -> str:
    """The sentences or clauses that a statement begins with, as many as a line or two hold."""
    for end in (". ", "; "):
        parts = text.split(end)
        many = len(parts)
        while many > 1 and len(end.join(parts[:many])) > _LONGEST_CLASH:
            many -= 1
        short = end.join(parts[:many])
        if len(short) <= _LONGEST_CLASH:
            return short if many == len(parts) else f"{short}."
    return cut(text, _LONGEST_CLASH)


def checklist_line(dossier: Dossier) -> str:
    """The lesson's checklist in one line."""
    counts = dossier.counts
    kinds = [factor.kind for factor in dossier.factors.values()]
    of_for = f"{counts.indicators} of {kinds.count('indicator')} for"
    of_against = f"{counts.anti_indicators} of {kinds.count('anti_indicator')} against"
    score = value_text(dossier.rules.score.value)
    outcome = OUTCOME_WORDS[dossier.verdict.outcome]
    name = plain(dossier.framework.name)
    return f"The {name}’s checklist: {of_for}, {of_against}, score {score}: {outcome}."
