"""The verdict: key facts, why, how sure, what would change it, what clashes; and the short page."""

from __future__ import annotations

from dataclasses import dataclass

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, InvestmentResult, Plan, TuningAnswer, Verdict
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
    SEVERITIES,
    Block,
    Bullets,
    Cell,
    Claims,
    Document,
    Fact,
    Facts,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    head,
)
from tuneworthy.report.sections.common import (
    GATES,
    byline,
    ceiling_text,
    count_text,
    day,
    dollars,
    finality,
    flip_lines,
    gates,
    headline,
    monthly,
    no_flip,
    open_answers,
    possible_text,
    reach_text,
    reasons_text,
    rests_on,
    signs_text,
    strength_text,
    tally,
    targets_text,
)
from tuneworthy.report.sections.evidence import in_short
from tuneworthy.report.sections.money import pays_back, pays_back_text
from tuneworthy.report.sections.options import instead
from tuneworthy.report.sections.precedents import others_text, record_text
from tuneworthy.report.sections.record import attempts
from tuneworthy.report.text import Style, render, safe
from tuneworthy.words import bits, counted, few, plain, sentence, several

_FIT = "What doesn’t fit together"

# Sections of the report.


def key_facts(dossier: Dossier) -> Facts:
    """What somebody in a hurry has to know."""
    low, high = dossier.strength.low, dossier.strength.high
    strength = f"The reasons are {low if low == high else f'{low} to {high}'}."
    rows = [Fact("How sure", finality(dossier), f"{strength} {rests_on(dossier)}", "sure")]
    rows += _money_facts(dossier)
    if targets := targets_text(dossier):
        rows.insert(0, Fact("Targets", sentence(targets)))
    if isinstance(dossier.plan, Plan) and "first_version" in dossier.plan.parts:
        live = day(dossier.plan.parts["first_version"].end)
        rows.append(Fact("First version by", live, "if all goes as planned", "plan"))
    if dossier.challenges:
        kinds = sentence(tally([item.severity for item in dossier.challenges]))
        rows.append(Fact("What doesn’t fit", kinds, "", "fit"))
    rows.append(Fact("Next step", dossier.verdict.next))
    return Facts(tuple(rows), "key")


def _money_facts(dossier: Dossier) -> list[Fact]:
    result = dossier.investment
    if not isinstance(result, InvestmentResult):
        return [Fact("Money", "Not known.", sentence(result.ask), "money")]
    label, net = monthly(result.monthly_net_usd)
    stated, *more = map(sentence, pays_back(dossier))
    if dossier.verdict.answer == "pilot":  # it may not pay
        gates = (g for g in dossier.verdict.gates if g.id == "investment" and g.state == "unknown")
        more += [sentence(gate.why) for gate in gates]
    return [
        Fact("Up front", dollars(result.upfront_usd), "once", "money"),
        Fact(label, net, "after running costs, as stated", "money"),
        Fact("Pays back (break-even)", stated, " ".join(more), "money"),
    ]


def warning(dossier: Dossier) -> tuple[str, ...]:
    """What speaks against relying on the verdict, at once; empty for no contradiction."""
    most = 3
    heavy = [item.says for item in dossier.challenges if item.severity == "contradiction"]
    more = len(heavy) - most
    if more <= 0:
        return tuple(heavy)
    rest = sentence(several(more, "contradiction")).removesuffix(".")
    return (*heavy[:most], f"{rest} more under {_FIT}.")


def why(dossier: Dossier) -> Section:
    """The ceiling and the reasons."""
    rows = [
        Fact("Prompting at its ceiling", sentence(ceiling_text(dossier))),
        Fact("Reasons for fine-tuning", sentence(reasons_text(dossier, "indicator"))),
        Fact("Reasons against it", sentence(reasons_text(dossier, "anti_indicator"))),
        Fact("The count", count_text(dossier)),
        *departs(dossier),
    ]
    if signs := signs_text(dossier):
        rows.insert(1, Fact("Signs of it", sentence(signs)))
    blocks: list[Block] = [Facts(tuple(rows))]
    held = [factor for factor in dossier.factors.values() if factor.state == "yes"]
    if any(factor.ask for factor in held):
        against = {"indicator": "", "anti_indicator": "(speaks against)"}
        asked = (Fact(f.title, f.note or f.ask, against[f.kind]) for f in held)
        blocks.append(Part("What holds", (Facts(tuple(asked)),)))
    drawing = charts.balance(dossier)
    if drawing is not None:
        says = (
            "Bars to the right speak for fine-tuning, bars to the left against it. A dot is a "
            "reason that doesn’t hold."
        )
        key = [("pro", "speaks for"), ("con", "speaks against"), ("dot", "doesn’t hold")]
        if any(factor.state == "unknown" for factor in dossier.factors.values()):
            key.append(("open", "not answered"))
        title, table = "The balance of reasons", _reasons(dossier)
        blocks.append(Picture("balance", title, says, drawing, table, tuple(key), "elsewhere"))
    return Section("why", "Why", tuple(blocks))


def departs(dossier: Dossier) -> list[Fact]:
    """Why the answer isn't what the count alone would give."""
    moved = dossier.verdict.departs
    labels = ["But", *[""] * len(moved)]
    return [Fact(label, item.because) for label, item in zip(labels, moved, strict=False)]


def _reasons(dossier: Dossier) -> Table:
    rows = tuple(
        (f.title, "for" if f.kind == "indicator" else "against", f.state, str(f.weight))
        for f in dossier.factors.values()
    )
    titles = head("Reason", "Speaks", "?Holds", "Weight")
    return Table("Reasons for and against, and whether they hold", titles, rows)


def sure(dossier: Dossier) -> Section:
    """How far the verdict can move, how strong it is, and what it rests on."""
    blocks: list[Block] = [
        Prose(f"{finality(dossier)} {rests_on(dossier)}"),
        Prose(
            f"Strength of the reasons, by two published rules: {strength_text(dossier)}. "
            "The scale is weak, moderate, strong."
        ),
    ]
    if noted := keep_in_mind(dossier):
        blocks.append(Part("Keep in mind", (Bullets(noted),)))
    if dossier.verdict.answer in ("pilot", "yes"):
        blocks.append(gates(dossier))
    return Section("sure", "How sure that is", tuple(blocks), "How sure")


def keep_in_mind(dossier: Dossier) -> tuple[str, ...]:
    """What to keep in mind beside the verdict; gates have a table of their own."""
    caveats = dossier.verdict.caveats
    return tuple(sentence(item.says) for item in caveats if item.kind != "gate")


def change(dossier: Dossier, questions: int | None = None) -> Section:
    """The smallest changes that turn the verdict, and what to find out, at most so many."""
    pairs = flip_lines(dossier)
    rows = tuple((sentence(what).removesuffix("."), sentence(then)) for what, then in pairs)
    titles = head("If", "The count is")
    blocks: list[Block] = [Part("What it would take", (takes(dossier),))]
    blocks += (
        [Table("The fewest answers that would turn the count", titles, rows)]
        if rows
        else [Prose(no_flip(dossier))]
    )
    if dossier.next_questions:
        blocks.append(_questions(dossier, questions))
    return Section("change", "What would change it", tuple(blocks))


_TOWARDS = {"pilot": "To get to a pilot", "yes": "To get to a yes", "no": "What would end it"}


def takes(dossier: Dossier) -> Facts:
    """What it would take to get further, and what would end it."""
    rows: list[Fact] = []
    for item in dossier.verdict.takes:
        label = _TOWARDS[item.towards]
        rows.append(Fact("" if any(row.label == label for row in rows) else label, item.what))
    return Facts(tuple(rows))


def _questions(dossier: Dossier, most: int | None) -> Part:
    asked = dossier.next_questions[:most]
    rows = tuple(
        (Cell(q.ask, plain(q.factor)), bits(q.gain_bits), f"{q.minutes} min") for q in asked
    )
    titles = head("Question", "#Doubt removed", "#Takes")
    says = "Doubt is measured in bits: one bit is the doubt in the toss of a coin."
    table = Table("Open questions, the most worthwhile first", titles, rows, quiet=True)
    blocks: list[Block] = [Prose(says, "small", detail=True), table]
    if more := len(dossier.next_questions) - len(asked):
        blocks.append(Prose(f"And {few(more)} more."))
    return Part("What to find out next, the most worthwhile first", tuple(blocks))


def fit(dossier: Dossier) -> Section:
    """What doesn't fit together, the heaviest first."""
    if not dossier.challenges:
        return Section("fit", _FIT, (Prose("Nothing was found."),), "What doesn’t fit")
    ranks = list(SEVERITIES)
    ordered = sorted(dossier.challenges, key=lambda item: ranks.index(item.severity))
    kinds = dict.fromkeys(item.severity for item in ordered)
    meaning = "; ".join(f"{SEVERITIES[kind][0].lower()}: {SEVERITIES[kind][1]}" for kind in kinds)
    blocks = (
        Prose(sentence(tally([item.severity for item in ordered])), detail=True),
        Prose(sentence(meaning), "small", detail=True),
        Claims(tuple(ordered)),
    )
    return Section("fit", _FIT, blocks, "What doesn’t fit")


# The short page for a terminal: the verdict in the first line, nothing lost without colour.

_STYLE: dict[str, Style] = {"pilot": "good", "yes": "good", "open": "warn"}
_ROWS = {
    "Ceiling": ("ceiling", "today.quality"),
    "Pays back": ("economics", "today.usd_per_month"),
}


def text(dossier: Dossier, *, case_path: str = "", colour: bool = False) -> str:
    """The short report of a terminal: facts, challenges, flips, questions, and where to go on."""
    if dossier.quick is not None:
        return _quick(dossier, case_path, colour)
    noted = keep_in_mind(dossier)
    sections = [
        Section("facts", "", (Facts(tuple(_rows(dossier))),)),
        in_short(dossier),
        fit(dossier) if dossier.challenges else None,
        change(dossier, questions=3),
        attempts(dossier),
        Section("noted", "Keep in mind", (Bullets(noted),)) if noted else None,
        instead(dossier, case_path),
    ]
    document = Document(
        name=dossier.case.name,
        headline=headline(dossier),
        byline=(f"{byline(dossier)} {finality(dossier)}",),
        sections=tuple(section for section in sections if section is not None),
        after=_after(dossier, case_path),
    )
    return render(document, colour=colour, style=_STYLE.get(dossier.verdict.answer, "strong"))


def _rows(dossier: Dossier) -> list[Fact]:
    rows = [
        ("Targets", targets_text(dossier)),
        ("Signs", signs_text(dossier)),
        ("Ceiling", ceiling_text(dossier)),
        ("For", reasons_text(dossier, "indicator")),
        ("Against", reasons_text(dossier, "anti_indicator")),
        ("Strength", strength_text(dossier)),
        ("Pays back", pays_back_text(dossier)),
    ]
    facts = [Fact(label, value, _marks(label, dossier)) for label, value in rows if value]
    facts += [Fact("Count", count_text(dossier)), *departs(dossier)]
    if not isinstance(dossier.precedents, Unknown):
        facts.append(Fact("Record", record_text(dossier.precedents)))
        facts.append(Fact("Others", others_text(dossier.precedents)))
    if any(f.source == "assumed" and f.state == "yes" for f in dossier.factors.values()):
        facts.append(Fact("", "* inferred from a stated number"))
    if dossier.verdict.answer in ("pilot", "yes"):
        open_gates = [g for g in dossier.verdict.gates if g.state != "yes" and g.id != "strength"]
        for label, gate in zip(["Gates", *[""] * len(open_gates)], open_gates, strict=False):
            facts.append(
                Fact(label, f"{GATES[gate.id]} {sentence(gate.state)}", sentence(gate.why))
            )
    return facts


def _marks(label: str, dossier: Dossier) -> str:
    """Numbers of the challenges that concern a row, as the section below counts them."""
    shown = fit(dossier).blocks[-1] if dossier.challenges else None
    items = shown.items if isinstance(shown, Claims) else ()
    marks = [
        f"[{place}]"
        for place, claim in enumerate(items, start=1)
        if any(_row_of(path, dossier) == label for path in claim.between)
    ]
    return "".join(marks[:4])


def _row_of(path: str, dossier: Dossier) -> str:
    parts = path.split(".")
    if parts[0] == "factors" and len(parts) > 1 and parts[1] in dossier.factors:
        return "For" if dossier.factors[parts[1]].kind == "indicator" else "Against"
    return next((label for label, starts in _ROWS.items() if path.startswith(starts)), "")


def _after(dossier: Dossier, case_path: str) -> tuple[str, ...]:
    """The next step, with the command for it, and the commands that say more."""
    lines = [
        f"Next: {line}" if not place else f"      {line}"
        for place, line in enumerate(step_lines(dossier))
    ]
    asked = dossier.next_questions
    if case_path and asked and dossier.verdict.action == "answer_questions":
        lines.append(f"      tuneworthy answer {case_path} {asked[0].factor}=yes (or no)")
    if case_path:
        lines.append(f"More: tuneworthy explain|options|invest|plan|precedents {case_path}")
    return tuple(lines)


def step_lines(dossier: Dossier) -> list[str]:
    """The steps, numbered where there are several."""
    advice = dossier.recommendation
    if isinstance(advice, Unknown) or len(advice.steps) < 2:
        return [dossier.verdict.next]
    return [f"{n}. {sentence(step.title)} {step.because}" for n, step in enumerate(advice.steps, 1)]


def _quick(dossier: Dossier, case_path: str, colour: bool) -> str:
    assert dossier.quick is not None  # the caller looked
    asked = [dossier.factors[name] for name in dossier.quick.asked]
    answers = ", ".join(f"{answer.title} {answer.state}" for answer in asked)
    rows = (Fact("Asked", answers), Fact("Possible", possible_text(dossier)))
    document = Document(
        name=dossier.case.name,
        headline=dossier.quick.says,
        sections=(Section("facts", "", (Facts(rows),)),),
        after=(f"The full look: tuneworthy decide {case_path}".rstrip(),),
    )
    return render(document, colour=colour, style="bad" if dossier.quick.ruled_out else "warn")


# A case in one line, for lists of many.


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What one line of a list says."""

    title: str
    """The case's own name."""
    outcome: Verdict
    answer: TuningAnswer
    says: str
    """The verdict as a sentence."""
    final: bool
    open: str
    """What is open, and where the verdict can still go."""
    pays_back: str
    next: str


def case_row(dossier: Dossier) -> CaseRow:
    """The line for a dossier."""
    return CaseRow(
        title=safe(dossier.case.name),
        outcome=dossier.verdict.outcome,
        answer=dossier.verdict.answer,
        says=headline(dossier),
        final=dossier.verdict.final,
        open=_open(dossier),
        pays_back=safe(sentence(pays_back(dossier)[0])),
        next=dossier.verdict.next,
    )


def _open(dossier: Dossier) -> str:
    many = open_answers(dossier)
    if not many:
        return "Nothing: every answer is in."
    answers = sentence(several(many, "answer"))
    return f"{answers} {reach_text(dossier)}"


def how_many(total: int, matching: int) -> str:
    """How many cases there are, and how many of them a filter leaves."""
    cases = counted(total, "case")
    return cases if total == matching else f"{matching} of {cases}"
