"""The verdict: key facts, why, how sure, what would change it, what clashes; and the short page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import Dossier, FactorResult, SignalResult
from tuneworthy.plan.section import hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import (
    GATES,
    about,
    captioned,
    ceiling_text,
    confirm_text,
    count_text,
    decision_text,
    dollars,
    finality,
    flip_lines,
    gates,
    no_flip,
    reasons_text,
    signs_text,
    strength_text,
    tally,
    target_texts,
    title,
    training_text,
    unconfirmed_text,
)
from tuneworthy.report.sections.evidence import in_short
from tuneworthy.report.sections.money import built_text, cost_text, pays_back, pays_back_text
from tuneworthy.report.sections.options import instead
from tuneworthy.report.sections.plan import conditions_text, work_text
from tuneworthy.report.sections.precedents import others_text, record_text
from tuneworthy.report.sections.record import attempts, review_day
from tuneworthy.words import capital, day, few, listing, sentence, several, usd

_FIT = "What doesn’t fit together"
_MOST = 4
_TOWARDS = {"pilot": "To get to a pilot", "yes": "To get to a yes", "no": "What would end it"}
_LOOKS: dict[str, b.Look] = {"pilot": "good", "yes": "good", "open": "warn"}
_ROWS = {"Ceiling": ("ceiling", "today.quality"), "Pays back": ("economics", "today.usd_per_month")}


def memo(dossier: Dossier) -> Iterator[b.Fact]:
    """What somebody who decides has to know: the ask, when to stop, how sure that is."""
    yield from _ask(dossier)
    phases = () if isinstance(dossier.plan, Unknown) else dossier.plan.phases
    first = [phase for phase in phases if phase.id == "simpler"]
    of = " of that" * bool(conditions_text(dossier))
    costs = " ".join(f"{work_text(p.hours, p.usd)}{of}, until {day(p.end)}." for p in first)
    yield b.Fact("Next step", dossier.verdict.next, costs, "plan")
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


def _ask(dossier: Dossier) -> Iterator[b.Fact]:
    """The money or the hours that are asked for now, until when, and what ends it."""
    plan, money, verdict = dossier.plan, dossier.investment, dossier.verdict
    if isinstance(plan, Unknown):
        yield b.Fact("Ask", "Nothing yet.", sentence(plan.ask))
        return
    tunes = plan.aim == "tune"
    until = day(charts.decided_in(plan).end)
    amount, then = work_text(plan.hours, plan.usd), "; nothing for tuning"
    if tunes:
        hours = [p.hours for p in plan.phases if p.id in ("evaluation", "pilot")]
        amount = hours_text(sum(h.low for h in hours), sum(h.most for h in hours))
        then = ", to evaluate and pilot"
        if not isinstance(money, Unknown) and not isinstance(money.ask_usd.pilot, Unknown):
            amount = dollars(money.ask_usd.pilot)
            then += f"; if it works, {listing(built_text(money))}"
    if before := conditions_text(dossier):
        then += f". Conditions to settle aren’t in it: {before}"
    yield b.Fact("Ask now", amount, f"until {until}{then}.", "money")
    ends = [item.what for item in verdict.takes if item.towards == "no"]
    yield from (b.Fact("Stop rule", what) for what in ends)


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
    for number, departure in enumerate(dossier.verdict.departs):
        rows.append(("" if number else "But", departure.because))
    rows.append(("Strength", strength_text(dossier)))
    if not isinstance(dossier.precedents, Unknown):
        rows.append(("Record", record_text(dossier.precedents)))
        rows.append(("Others", others_text(dossier.precedents)))
    title = "The lesson’s checklist"
    facts = b.facts(rows)
    return b.section("checklist", title, b.fold("Show the count", facts) if folded else facts)


def keep_in_mind(dossier: Dossier) -> list[str]:
    """What to keep in mind beside the verdict; gates have a table of their own."""
    return [sentence(item.says) for item in dossier.verdict.caveats if item.kind != "gate"]


def change(dossier: Dossier, questions: int | None = None) -> b.Section:
    """The smallest changes that turn the verdict, and what to find out, at most so many."""
    pairs = flip_lines(dossier)
    rows = ((capital(what), sentence(then)) for what, then in pairs)
    caption = "The fewest answers that would turn the count"
    names = [title(name, dossier) for name in dossier.verdict.basis.turning]
    return b.section(
        "change",
        "What would change it",
        b.part("What it would take", takes(dossier)),
        f"One of these alone would change the answer: {listing(names)}." if names else "",
        b.table(caption, "If | The count is", rows) if pairs else no_flip(dossier),
        _questions(dossier, questions) if dossier.next_questions else None,
    )


def takes(dossier: Dossier) -> b.Facts:
    """What it would take to get further, and what would end it."""
    before = ["", *(item.towards for item in dossier.verdict.takes)]
    return b.facts(
        ("" if item.towards in before[: n + 1] else _TOWARDS[item.towards], item.what)
        for n, item in enumerate(dossier.verdict.takes)
    )


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
    """The report in short: the verdict in the first line, facts, challenges, where to go on."""
    case_path = case_path and argument(case_path)
    waiting = sentence(unconfirmed_text(dossier))  # a row says it
    noted = [says for says in keep_in_mind(dossier) if says != waiting]
    document = about(
        dossier,
        b.section("facts", "", b.facts(_rows(dossier, case_path))),
        in_short(dossier),
        fit(dossier) if dossier.challenges else None,
        change(dossier, questions=3),
        attempts(dossier),
        b.section("noted", "Keep in mind", b.bullets(noted)) if noted else None,
        instead(dossier, case_path),
        checklist(dossier),
        beside=finality(dossier),
        after=_after(dossier, case_path),
    )
    return replace(document, look=_LOOKS.get(dossier.verdict.answer, "strong"))


def _rows(dossier: Dossier, case_path: str) -> Iterator[tuple[str, ...]]:
    if waiting := unconfirmed_text(dossier):
        yield (
            "Not confirmed",
            f"{waiting}; confirm: tuneworthy answer {case_path or 'CASE'} --confirm",
        )
    pilot = ""
    if dossier.pilot is not None:  # else the words of labs aren't needed
        from tuneworthy.report.sections.lab import card_text

        pilot = card_text(dossier.pilot)
    rows = [
        ("Targets", listing([*target_texts(dossier).values()])),
        ("Signs", signs_text(dossier)),
        ("", confirm_text(dossier)),
        ("Ceiling", ceiling_text(dossier)),
        ("For", reasons_text(dossier, "indicator")),
        ("Against", reasons_text(dossier, "anti_indicator")),
        ("Pays back", pays_back_text(dossier)),
        ("Cost", cost_text(dossier)),
        ("Training set", training_text(dossier)),
        ("Pilot", pilot),
        ("Decision", decision_text(dossier)),
    ]
    yield from ((label, value, _marks(label, dossier)) for label, value in rows if value)
    if any(f.source == "assumed" and f.state == "yes" for f in dossier.factors.values()):
        yield "", "* inferred from a stated number"
    if dossier.verdict.answer in ("pilot", "yes"):
        still = [g for g in dossier.verdict.gates if g.state != "yes" and g.id != "strength"]
        for n, gate in enumerate(still):
            says = f"{GATES[gate.id]} {sentence(gate.state)}"
            yield "" if n else "Gates", says, sentence(gate.why)


def _marks(label: str, dossier: Dossier) -> str:
    """Numbers of the challenges that concern a row, as the section below counts them."""

    def row_of(path: str) -> str:
        factor = dossier.factors.get(path.removeprefix("factors.").partition(".")[0])
        if path.startswith("factors.") and factor:
            return "For" if factor.kind == "indicator" else "Against"
        return next((label for label, starts in _ROWS.items() if path.startswith(starts)), "")

    block = fit(dossier).blocks[-1]
    items = block.items if isinstance(block, b.Claims) else ()
    concern = (n for n, c in enumerate(items, 1) if label in map(row_of, c.between))
    return "".join(f"[{n}]" for n in islice(concern, 4))


def _after(dossier: Dossier, case_path: str) -> Iterator[str]:
    """The next step, with the command for it, and the commands that say more."""
    advice, steps = dossier.recommendation, [dossier.verdict.next]
    if not isinstance(advice, Unknown) and len(advice.steps) > 1:
        numbered = enumerate(advice.steps, 1)
        steps = [f"{n}. {sentence(step.title)} {step.because}" for n, step in numbered]
    for place, line in enumerate(steps):
        yield f"      {line}" if place else f"Next: {line}"
    questions = dossier.next_questions
    if case_path and questions and dossier.verdict.action == "answer_questions":
        yield f"      tuneworthy answer {case_path} {questions[0].factor}=yes (or no)"
    if case_path:
        yield f"More: tuneworthy show {case_path} options|money|plan|why|others|history"
