"""The verdict: key facts, why, how sure, what would change it, what clashes; and the short page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, Plan, TuningAnswer, Verdict
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import (
    GATES,
    about,
    ceiling_text,
    confirm_text,
    count_text,
    decision_text,
    finality,
    flip_lines,
    gates,
    headline,
    no_flip,
    open_answers,
    pilot_text,
    possible_text,
    reach_text,
    reasons_text,
    signs_text,
    strength_text,
    tally,
    targets_text,
    title,
    training_text,
)
from tuneworthy.report.sections.evidence import in_short
from tuneworthy.report.sections.money import pays_back, pays_back_text, story
from tuneworthy.report.sections.options import instead
from tuneworthy.report.sections.precedents import others_text, record_text
from tuneworthy.report.sections.record import attempts
from tuneworthy.report.text import safe
from tuneworthy.words import counted, day, few, listing, plain, sentence, several, usd

_FIT = "What doesn’t fit together"
_MOST = 3
_TOWARDS = {"pilot": "To get to a pilot", "yes": "To get to a yes", "no": "What would end it"}
_LOOKS: dict[str, b.Look] = {"pilot": "good", "yes": "good", "open": "warn"}
_ROWS = {
    "Ceiling": ("ceiling", "today.quality"),
    "Pays back": ("economics", "today.usd_per_month"),
}


def key_facts(dossier: Dossier) -> Iterator[b.Fact]:
    """What somebody in a hurry has to know."""
    if targets := targets_text(dossier):
        yield b.Fact("Targets", sentence(targets))
    low, high = dossier.strength.low, dossier.strength.high
    strength = f"The reasons are {low if low == high else f'{low} to {high}'}."
    yield b.Fact("How sure", finality(dossier), strength, "sure")
    yield from _money_facts(dossier)
    if isinstance(dossier.plan, Plan) and "first_version" in dossier.plan.parts:
        live = day(dossier.plan.parts["first_version"].end)
        yield b.Fact("First version by", live, "if all goes as planned", "plan")
    if dossier.challenges:
        yield b.Fact("What doesn’t fit", sentence(tally(dossier.challenges)), "", "fit")
    if decided := decision_text(dossier):
        yield b.Fact("Decision", sentence(decided))
    yield b.Fact("Next step", dossier.verdict.next)


def _money_facts(dossier: Dossier) -> Iterator[b.Fact]:
    money = dossier.investment
    if isinstance(money, Unknown):
        yield b.Fact("Money", "Not known.", sentence(money.ask), "money")
        return
    stated, *more = map(sentence, pays_back(dossier))
    for gate in dossier.verdict.gates:
        if dossier.verdict.answer == "pilot" and gate.id == "investment":  # it may not pay
            more += [sentence(gate.why)] * (gate.state == "unknown")
    yield from story(money)
    yield b.Fact("Pays back (break-even)", stated, " ".join(more), "money")


def warning(dossier: Dossier) -> list[str]:
    """What speaks against relying on the verdict, at once; empty for no contradiction."""
    heavy = [item.says for item in dossier.challenges if item.severity == "contradiction"]
    rest = sentence(several(len(heavy) - _MOST, "contradiction")).removesuffix(".")
    return heavy[:_MOST] + [f"{rest} more under {_FIT}."] * (len(heavy) > _MOST)


def why(dossier: Dossier) -> b.Section:
    """The ceiling and the reasons."""
    rows = [
        ("Prompting at its ceiling", sentence(ceiling_text(dossier))),
        ("Reasons for fine-tuning", sentence(reasons_text(dossier, "indicator"))),
        ("Reasons against it", sentence(reasons_text(dossier, "anti_indicator"))),
        ("The count", count_text(dossier)),
        *departs(dossier),
    ]
    if signs := signs_text(dossier):
        rows.insert(1, ("Signs of it", sentence(f"{signs}, {confirm_text(dossier)}".rstrip(", "))))
    held = [factor for factor in dossier.factors.values() if factor.state == "yes"]
    against = {"indicator": "", "anti_indicator": "(speaks against)"}
    asked = b.facts((f.title, f.note or f.ask, against[f.kind]) for f in held)
    holds = b.part("What holds", asked) if any(factor.ask for factor in held) else None
    return b.section("why", "Why", b.facts(rows), holds)


def departs(dossier: Dossier) -> list[tuple[str, str]]:
    """Why the answer isn't what the count alone would give."""
    return [("" if n else "But", item.because) for n, item in enumerate(dossier.verdict.departs)]


def sure(dossier: Dossier) -> b.Section:
    """How far the verdict can move, how strong it is, and what it rests on."""
    noted = keep_in_mind(dossier)
    return b.section(
        "sure",
        "How sure that is",
        finality(dossier),
        f"Strength of the reasons, by two published rules: {strength_text(dossier)}. "
        "The scale is weak, moderate, strong.",
        noted and b.part("Keep in mind", b.bullets(noted)),
        gates(dossier) if dossier.verdict.answer in ("pilot", "yes") else None,
        short="How sure",
    )


def keep_in_mind(dossier: Dossier) -> list[str]:
    """What to keep in mind beside the verdict; gates have a table of their own."""
    return [sentence(item.says) for item in dossier.verdict.caveats if item.kind != "gate"]


def change(dossier: Dossier, questions: int | None = None) -> b.Section:
    """The smallest changes that turn the verdict, and what to find out, at most so many."""
    pairs = flip_lines(dossier)
    rows = ((sentence(what).removesuffix("."), sentence(then)) for what, then in pairs)
    caption = "The fewest answers that would turn the count"
    return b.section(
        "change",
        "What would change it",
        b.part("What it would take", takes(dossier)),
        _turning(dossier),
        b.table(caption, "If | The count is", rows) if pairs else no_flip(dossier),
        _questions(dossier, questions) if dossier.next_questions else None,
    )


def _turning(dossier: Dossier) -> str:
    """The answers that alone would change the answer; empty for none."""
    names = [title(name, dossier) for name in dossier.verdict.basis.turning]
    return f"One of these alone would change the answer: {listing(names)}." if names else ""


def takes(dossier: Dossier) -> b.Facts:
    """What it would take to get further, and what would end it."""
    before = ["", *(item.towards for item in dossier.verdict.takes)]
    return b.facts(
        ("" if item.towards in before[: n + 1] else _TOWARDS[item.towards], item.what)
        for n, item in enumerate(dossier.verdict.takes)
    )


def _questions(dossier: Dossier, most: int | None) -> b.Part:
    asked = dossier.next_questions[:most]
    worths = [0.0 if isinstance(q.worth_usd, Unknown) else q.worth_usd for q in asked]
    priced = any(worths)
    rows: list[list[str | b.Cell]] = [
        [b.Cell(q.ask, plain(q.factor)), *[usd(worth)] * priced, f"{q.minutes} min"]
        for q, worth in zip(asked, worths, strict=True)
    ]
    titles = "Question | #Worth up to | #Takes" if priced else "Question | #Takes"
    more = len(dossier.next_questions) - len(asked)
    return b.part(
        "What to find out next, the most worthwhile first",
        b.table("Open questions, the most worthwhile first", titles, rows, quiet=True),
        f"And {few(more)} more." if more else "",
    )


def fit(dossier: Dossier) -> b.Section:
    """What doesn't fit together, the heaviest first."""
    names = b.SEVERITIES
    ranks = list(names)
    ordered = sorted(dossier.challenges, key=lambda item: ranks.index(item.severity))
    kinds = dict.fromkeys(item.severity for item in ordered)
    meaning = "; ".join(f"{names[kind][0].lower()}: {names[kind][1]}" for kind in kinds)
    heavy = b.Prose(sentence(tally(ordered)), detail=True)
    parts = (heavy, b.Prose(sentence(meaning), "small", detail=True), b.Claims(tuple(ordered)))
    found = parts if ordered else "Nothing was found."
    return b.section("fit", _FIT, found, short="What doesn’t fit")


def short(dossier: Dossier, case_path: str = "") -> b.Document:
    """The report in short: facts, challenges, flips, questions, and where to go on.

    The verdict is in the first line, and nothing is lost without colour.
    """
    if dossier.quick is not None:
        return _quick(dossier, case_path)
    noted = keep_in_mind(dossier)
    document = about(
        dossier,
        b.section("facts", "", b.facts(_rows(dossier))),
        in_short(dossier),
        fit(dossier) if dossier.challenges else None,
        change(dossier, questions=3),
        attempts(dossier),
        b.section("noted", "Keep in mind", b.bullets(noted)) if noted else None,
        instead(dossier, case_path),
        beside=finality(dossier),
        after=_after(dossier, case_path),
    )
    return replace(document, look=_LOOKS.get(dossier.verdict.answer, "strong"))


def _rows(dossier: Dossier) -> Iterator[tuple[str, ...]]:
    rows = [
        ("Targets", targets_text(dossier)),
        ("Signs", signs_text(dossier)),
        ("", confirm_text(dossier)),
        ("Ceiling", ceiling_text(dossier)),
        ("For", reasons_text(dossier, "indicator")),
        ("Against", reasons_text(dossier, "anti_indicator")),
        ("Strength", strength_text(dossier)),
        ("Pays back", pays_back_text(dossier)),
        ("Training set", training_text(dossier)),
        ("Pilot", pilot_text(dossier)),
        ("Decision", decision_text(dossier)),
    ]
    yield from ((label, value, _marks(label, dossier)) for label, value in rows if value)
    yield "Count", count_text(dossier)
    yield from departs(dossier)
    if not isinstance(dossier.precedents, Unknown):
        yield "Record", record_text(dossier.precedents)
        yield "Others", others_text(dossier.precedents)
    if any(f.source == "assumed" and f.state == "yes" for f in dossier.factors.values()):
        yield "", "* inferred from a stated number"
    if dossier.verdict.answer in ("pilot", "yes"):
        still = [g for g in dossier.verdict.gates if g.state != "yes" and g.id != "strength"]
        for n, gate in enumerate(still):
            says = f"{GATES[gate.id]} {sentence(gate.state)}"
            yield "" if n else "Gates", says, sentence(gate.why)


def _marks(label: str, dossier: Dossier) -> str:
    """Numbers of the challenges that concern a row, as the section below counts them."""
    shown = fit(dossier).blocks[-1]
    items = shown.items if isinstance(shown, b.Claims) else ()
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


def _after(dossier: Dossier, case_path: str) -> Iterator[str]:
    """The next step, with the command for it, and the commands that say more."""
    for place, line in enumerate(step_lines(dossier)):
        yield f"      {line}" if place else f"Next: {line}"
    asked = dossier.next_questions
    if case_path and asked and dossier.verdict.action == "answer_questions":
        yield f"      tuneworthy answer {case_path} {asked[0].factor}=yes (or no)"
    if case_path:
        yield f"More: tuneworthy explain|options|invest|plan|precedents {case_path}"


def step_lines(dossier: Dossier) -> list[str]:
    """The steps, numbered where there are several."""
    advice = dossier.recommendation
    if isinstance(advice, Unknown) or len(advice.steps) < 2:
        return [dossier.verdict.next]
    return [f"{n}. {sentence(step.title)} {step.because}" for n, step in enumerate(advice.steps, 1)]


def _quick(dossier: Dossier, case_path: str) -> b.Document:
    assert dossier.quick is not None  # the caller looked
    asked = [dossier.factors[name] for name in dossier.quick.asked]
    answers = ", ".join(f"{answer.title} {answer.state}" for answer in asked)
    rows = (
        ("Asked", answers),
        ("By all answers", dossier.verdict.headline),
        ("Possible", possible_text(dossier)),
    )
    section = b.section("facts", "", b.facts(rows))
    after = [f"The full look: tuneworthy decide {case_path}".rstrip()]
    look: b.Look = "bad" if dossier.quick.ruled_out else "warn"
    return b.Document(dossier.case.name, dossier.quick.says, [section], after=after, look=look)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What one line of a list of cases says."""

    title: str  #: The case's own name.
    outcome: Verdict
    answer: TuningAnswer
    says: str  #: The verdict as a sentence.
    final: bool
    open: str  #: What is open, and where the verdict can still go.
    pays_back: str
    next: str


def case_row(dossier: Dossier) -> CaseRow:
    """The line for a dossier."""
    many = open_answers(dossier)
    still = f"{sentence(several(many, 'answer'))} {reach_text(dossier)}"
    return CaseRow(
        title=safe(dossier.case.name),
        outcome=dossier.verdict.outcome,
        answer=dossier.verdict.answer,
        says=headline(dossier),
        final=dossier.verdict.final,
        open=still if many else "Nothing: every answer is in.",
        pays_back=safe(sentence(pays_back(dossier)[0])),
        next=dossier.verdict.next,
    )


def how_many(total: int, matching: int) -> str:
    """How many cases there are, and how many of them a filter leaves."""
    cases = counted(total, "case")
    return cases if total == matching else f"{matching} of {cases}"
