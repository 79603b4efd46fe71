"""The first half of the page: the verdict, why, how sure, what would change it, what clashes."""

from __future__ import annotations

from dataclasses import dataclass

from tuneworthy.model.dossier import (
    Dossier,
    InvestmentResult,
    Plan,
    Recommendation,
    Severity,
    Verdict,
)
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Cell,
    Claim,
    Claims,
    Column,
    Fact,
    Facts,
    Part,
    Picture,
    Prose,
    Section,
    Table,
)
from tuneworthy.report.sections.common import (
    GATES,
    SEVERITIES,
    _factors,
    because,
    ceiling_text,
    day,
    finality,
    flip_lines,
    headline,
    money,
    monthly,
    open_answers,
    pays_back,
    pays_back_text,
    plain_finality,
    plain_headline,
    possible,
    possible_text,
    rests_on,
    strength_text,
    tally,
    text_challenge_lines,
)
from tuneworthy.report.sections.evidence import measured_text
from tuneworthy.report.sections.options import instead
from tuneworthy.report.sections.precedents import others_row
from tuneworthy.report.text import Paint, Style, row, safe, table, wrapped
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import (
    bits,
    counted,
    few,
    plain,
    sentence,
    several,
    share,
)

# The first half of the page: the verdict, why, how sure, what would change it, what clashes.

_MOST_WARNINGS = 3
_HEAVIEST_FIRST: tuple[Severity, ...] = ("contradiction", "doubt", "pushback")


def key_facts(dossier: Dossier) -> Facts:
    """What somebody in a hurry has to know."""
    beside = f"{_strength(dossier)} {rests_on(dossier)}"
    rows = [Fact("How sure", plain_finality(dossier), beside, "sure")]
    found = dossier.investment
    if isinstance(found, InvestmentResult):
        label, net = monthly(found.monthly_net_usd, "It would bring", "It would lose")
        said, more = pays_back(dossier)
        rows += [
            Fact("Tuning would cost", money(found.upfront_usd), "once, to begin with", "money"),
            Fact(label, net, "a month after running costs, as stated", "money"),
            Fact("Paid back", sentence(said), f"{_plus(more)} {_pays(dossier)}".strip(), "money"),
        ]
    else:
        rows.append(Fact("Money", "Not known", sentence(found.ask), "money"))
    if isinstance(dossier.recommendation, Recommendation):
        rows.append(Fact("What to try", sentence(dossier.recommendation.says), "", "instead"))
    if isinstance(dossier.plan, Plan) and "first_version" in dossier.plan.parts:
        live = day(dossier.plan.parts["first_version"].end)
        rows.append(Fact("First version by", live, "if all goes as planned", "plan"))
    if dossier.challenges:
        said = sentence(tally([one.severity for one in dossier.challenges]))
        rows.append(Fact("What doesn’t fit", said, "", "fit"))
    rows.append(Fact("Next step", dossier.verdict.next))
    return Facts(tuple(rows), "key")


def _plus(more: str) -> str:
    return sentence(more) if more else ""


def _pays(dossier: Dossier) -> str:
    """Why money doesn't decide it, where a candidate stands although it isn't known to pay."""
    if dossier.verdict.outcome != "fine_tune_candidate":
        return ""
    gates = (g for g in dossier.verdict.gates if g.id == "investment" and g.state == "unknown")
    return " ".join(sentence(gate.why) for gate in gates)


def _strength(dossier: Dossier) -> str:
    low, high = dossier.strength.low, dossier.strength.high
    reasons = low if low == high else f"{low} to {high}"
    return sentence(f"the reasons are {reasons}")


def warning(dossier: Dossier) -> tuple[str, ...]:
    """What stands against relying on the verdict, at once; empty for no contradiction."""
    found = [one.says for one in dossier.challenges if one.severity == "contradiction"]
    more = len(found) - _MOST_WARNINGS
    if more <= 0:
        return tuple(found)
    rest = f"{sentence(several(more, 'contradiction'))[:-1]} more under What doesn’t fit together."
    return (*found[:_MOST_WARNINGS], rest)


def why(dossier: Dossier) -> Section:
    """The ceiling and the reasons."""
    blocks: list[Block] = [Prose(text) for text in because(dossier)]
    held = [factor for factor in dossier.factors.values() if factor.state == "yes"]
    if any(factor.ask for factor in held):
        rows = tuple(
            Fact(f.title, f.ask, "" if f.kind == "indicator" else "speaks against") for f in held
        )
        blocks.append(Facts(rows))
    drawing = charts.balance(dossier)
    if drawing is not None:
        blocks.append(
            Picture(
                "balance",
                "The balance of reasons",
                "Bars to the right speak for fine-tuning, bars to the left against it. A dot is a "
                "reason that doesn’t hold.",
                drawing,
                _reasons(dossier),
                _balance_key(dossier),
                "elsewhere",
            )
        )
    return Section("why", "Why", tuple(blocks))


def _balance_key(dossier: Dossier) -> tuple[tuple[str, str], ...]:
    key = [("pro", "speaks for"), ("con", "speaks against"), ("dot", "doesn’t hold")]
    if any(factor.state == "unknown" for factor in dossier.factors.values()):
        key.append(("open", "not answered"))
    return tuple(key)


def _reasons(dossier: Dossier) -> Table:
    rows = tuple(
        (f.title, "for" if f.kind == "indicator" else "against", f.state, str(f.weight))
        for f in dossier.factors.values()
    )
    head = (Column("Reason"), Column("Speaks"), Column("Holds", "state"), Column("Weight"))
    return Table("Reasons for and against, and whether they hold", head, rows)


def sure(dossier: Dossier) -> Section:
    """How far the verdict can move, how strong it is, and what it rests on."""
    blocks: list[Block] = [Prose(f"{plain_finality(dossier)} {rests_on(dossier)}")]
    blocks.append(
        Prose(
            f"Strength of the reasons, by two published rules: {strength_text(dossier)}. "
            "The scale is weak, moderate, strong."
        )
    )
    if not dossier.verdict.final:
        blocks += _openness(dossier)
    noted = [c.says for c in dossier.verdict.caveats if c.kind != "gate"]
    if noted:
        blocks.append(Part("Keep in mind", (Bullets(tuple(map(sentence, noted))),)))
    if dossier.verdict.outcome == "fine_tune_candidate":
        blocks.append(gates(dossier))
    return Section("sure", "How sure that is", tuple(blocks), "How sure")


def gates(dossier: Dossier) -> Part:
    """What stands between a candidate and money."""
    rows = tuple(
        (Cell(GATES[gate.id]), gate.state, sentence(gate.why)) for gate in dossier.verdict.gates
    )
    head = (Column("Question"), Column("Answer", "state"), Column("Because"))
    table = Table("Questions to settle before money is spent", head, rows, quiet=True)
    return Part("Before money is spent", (table,))


def _openness(dossier: Dossier) -> list[Block]:
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    rows = tuple(
        (
            OUTCOME_WORDS[outcome],
            share(value),
            f"{share(dossier.bounds[outcome].low)} to {share(float(dossier.bounds[outcome].high))}",
        )
        for outcome, value in shares
    )
    head = (
        Column("Verdict"),
        Column("Share at even odds", "number"),
        Column("Between", "number"),
    )
    table = Table("How many ways of answering lead to each verdict", head, rows)
    says = (
        f"{sentence(several(open_answers(dossier), 'answer'))[:-1]} can still come out either way. "
        "A bar is the share of the ways to answer them that end in a verdict; the thin line is how "
        "far that share moves when the odds of the answers move. It counts ways, it forecasts "
        "nothing."
    )
    drawing = charts.reach(dossier)
    still = Prose(f"Still possible: {possible(dossier)}.")
    return (
        [still]
        if drawing is None
        else [still, Picture("reach", "Where the verdict can still go", says, drawing, table)]
    )


def change(dossier: Dossier) -> Section:
    """The smallest changes that turn the verdict, and what to find out."""
    pairs = flip_lines(dossier)
    blocks: list[Block] = []
    if pairs:
        items = tuple((_becomes(what), sentence(outcome)) for what, outcome in pairs)
        head = (Column("If"), Column("The verdict is"))
        blocks.append(Prose("The fewest answers that would turn the verdict:"))
        blocks.append(Table("Changes that would turn the verdict", head, items, quiet=True))
    else:
        blocks.append(Prose(_no_flip(dossier)))
    if dossier.next_questions:
        rows = tuple(
            (Cell(q.ask, plain(q.factor)), bits(q.gain_bits), f"{q.minutes} min")
            for q in dossier.next_questions
        )
        asked = (Column("Question"), Column("Doubt removed", "number"), Column("Takes", "number"))
        blocks.append(
            Part(
                "What to find out next",
                (
                    Prose("Doubt is measured in bits: one bit is the doubt in the toss of a coin."),
                    Table("Open questions, the most worthwhile first", asked, rows),
                ),
            )
        )
    return Section("change", "What would change it", tuple(blocks))


def _becomes(what: str) -> str:
    for state in ("yes", "no"):
        for group in ("reasons for", "reasons against"):
            what = what.replace(f"{group} → {state}", f"{group} it turned to {state}")
        what = what.replace(f" → {state}", f" turned to {state}")
    return sentence(what)[:-1]


def _no_flip(dossier: Dossier) -> str:
    tried = dossier.flips_searched_to
    if tried >= len(dossier.factors) + len(dossier.ceiling.checks):
        return "No set of answers turns it."
    return f"No set of up to {several(tried, 'answer')} turns it. Larger sets were not tried."


def fit(dossier: Dossier) -> Section:
    """What doesn't fit together, the heaviest first."""
    if not dossier.challenges:
        return Section(
            "fit", "What doesn’t fit together", (Prose("Nothing was found."),), "What doesn’t fit"
        )
    ordered = sorted(dossier.challenges, key=lambda one: _HEAVIEST_FIRST.index(one.severity))
    items = tuple(
        Claim(
            one.severity,
            SEVERITIES[one.severity][0],
            one.says,
            one.settle,
            tuple(one.between),
        )
        for one in ordered
    )
    said = sentence(tally([one.severity for one in dossier.challenges]))
    kinds = dict.fromkeys(one.severity for one in ordered)
    meaning = "; ".join(f"{SEVERITIES[kind][0].lower()}: {SEVERITIES[kind][1]}" for kind in kinds)
    blocks = (Prose(said), Prose(sentence(meaning), "small"), Claims(items))
    return Section("fit", "What doesn’t fit together", blocks, "What doesn’t fit")


# The dossier for a terminal: the verdict in the first line, nothing lost without colour.

_STYLE: dict[str, Style] = {
    "fine_tune_candidate": "good",
    "undecided": "warn",
}
_MOST_QUESTIONS = 3
_ROWS = {
    "Ceiling": ("ceiling", "today.quality"),
    "Pays back": ("economics", "today.usd_per_month"),
    "Data": ("data",),
}


def text(dossier: Dossier, *, case_path: str = "", colour: bool = False) -> str:
    """The report.

    Args:
        dossier: What to report.
        case_path: How the user named the case, for commands to go on with.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint = Paint(colour)
    if dossier.quick is not None:
        return "\n".join(_quick(dossier, paint, case_path)) + "\n"
    blocks = [
        _head(dossier, paint),
        _rows(dossier),
        measured_text(dossier, paint),
        text_challenge_lines(dossier.challenges, paint),
        _flips(dossier, paint),
        _questions(dossier, paint),
        _stages(dossier, paint),
        _caveats(dossier, paint),
        instead(dossier, paint, case_path),
        [*_next(dossier, case_path), *_more(case_path)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _next(dossier: Dossier, case_path: str) -> list[str]:
    """The next step; for a question, with the command that answers it."""
    lines = wrapped(safe(dossier.verdict.next), first="Next: ")
    asked = dossier.next_questions
    if case_path and asked and dossier.verdict.action == "answer_questions":
        said = f"tuneworthy answer {safe(case_path)} {safe(asked[0].factor)}=yes (or no)"
        lines += wrapped(said, first="      ")
    return lines


def _more(case_path: str) -> list[str]:
    """Where to go on from here."""
    if not case_path:
        return []
    return wrapped(
        f"tuneworthy explain|options|invest|plan|precedents {safe(case_path)}", first="More: "
    )


def _head(dossier: Dossier, paint: Paint) -> list[str]:
    style = _STYLE.get(dossier.verdict.outcome, "strong")
    lines = [paint(style, line) for line in wrapped(headline(dossier), rest="  ")]
    by = f"By the {dossier.framework.name} framework, as of {dossier.as_of}. {finality(dossier)}"
    return [*lines, *(paint("dim", line) for line in wrapped(by))]


def _rows(dossier: Dossier) -> list[str]:
    lines = [
        *row("Ceiling", ceiling_text(dossier), mark=_marks("Ceiling", dossier)),
        *row("For", _factors(dossier, "indicator"), mark=_marks("For", dossier)),
        *row("Against", _factors(dossier, "anti_indicator"), mark=_marks("Against", dossier)),
        *row("Strength", strength_text(dossier)),
        *row("Pays back", pays_back_text(dossier), mark=_marks("Pays back", dossier)),
        *others_row(dossier),
    ]
    if any(f.source == "assumed" and f.state == "yes" for f in dossier.factors.values()):
        lines += row("", "* inferred from a stated number")
    if not dossier.verdict.final:
        lines += row("Possible", possible_text(dossier))
    gates = [
        gate for gate in dossier.verdict.gates if gate.state != "yes" and gate.id != "strength"
    ]
    if dossier.verdict.outcome == "fine_tune_candidate" and gates:
        for index, gate in enumerate(gates):
            lines += row("Gates" if index == 0 else "", f"{gate.id} {gate.state}: {safe(gate.why)}")
    return lines


def _marks(label: str, dossier: Dossier) -> str:
    """Numbers of the challenges that concern a row."""
    found = []
    for position, challenge in enumerate(dossier.challenges, start=1):
        if any(_row_of(path, dossier) == label for path in challenge.between):
            found.append(f"[{position}]")
    return " " + "".join(found[:4]) if found else ""


def _row_of(path: str, dossier: Dossier) -> str:
    parts = path.split(".")
    if parts[0] == "factors" and len(parts) > 1 and parts[1] in dossier.factors:
        return "For" if dossier.factors[parts[1]].kind == "indicator" else "Against"
    return next((label for label, starts in _ROWS.items() if path.startswith(starts)), "")


def _flips(dossier: Dossier, paint: Paint) -> list[str]:
    lines = [paint("strong", "What would change the verdict")]
    pairs = flip_lines(dossier)
    if not pairs:
        tried = dossier.flips_searched_to
        none = (
            "no set of answers"
            if tried >= len(dossier.factors) + len(dossier.ceiling.checks)
            else (f"no set of up to {few(tried)} answers; larger sets were not searched")
        )
        return [*lines, *wrapped(none, first="  ")]
    for what, outcome in pairs:
        lines += wrapped(f"{safe(what)}: {outcome}", first="  ", rest="      ")
    return lines


def _questions(dossier: Dossier, paint: Paint) -> list[str]:
    asked = dossier.next_questions[:_MOST_QUESTIONS]
    if not asked:
        return []
    rows = [(f"{bits(q.gain_bits)} bits", f"{q.minutes} min", safe(q.ask)) for q in asked]
    more = len(dossier.next_questions) - len(asked)
    lines = [paint("strong", "What to find out next, by doubt removed for a minute"), *table(rows)]
    return [*lines, f"  and {few(more)} more"] if more else lines


def _stages(dossier: Dossier, paint: Paint) -> list[str]:
    if not dossier.stages:
        return []
    rows = [(safe(s.name), OUTCOME_WORDS[s.outcome]) for s in dossier.stages]
    return [paint("strong", "Attempts, each with its own verdict"), *table(rows)]


def _caveats(dossier: Dossier, paint: Paint) -> list[str]:
    shown = [c for c in dossier.verdict.caveats if c.kind != "gate"]
    if not shown:
        return []
    lines = [paint("strong", "Keep in mind")]
    for caveat in shown:
        lines += wrapped(safe(caveat.says), first="  ")
    return lines


def _quick(dossier: Dossier, paint: Paint, case_path: str) -> list[str]:
    assert dossier.quick is not None  # the caller looked
    style: Style = "bad" if dossier.quick.ruled_out else "warn"
    said = f"{safe(dossier.case.name)}: {safe(dossier.quick.says)}"
    lines = [paint(style, line) for line in wrapped(said, rest="  ")]
    lines += [
        "",
        *row(
            "Asked",
            ", ".join(
                f"{safe(dossier.factors[name].title)} {dossier.factors[name].state}"
                for name in dossier.quick.asked
            ),
        ),
    ]
    lines += row("Possible", possible_text(dossier))
    full = f"The full look: tuneworthy decide {safe(case_path)}".rstrip()
    return [*lines, "", *wrapped(full)]


# A case in one line, for lists of many.


@dataclass(frozen=True, slots=True)
class Glance:
    """What one line of a list says."""

    title: str
    """The case's own name."""
    outcome: Verdict
    says: str
    """The verdict as a sentence."""
    final: bool
    open: str
    """What is open, and where the verdict can still go."""
    pays_back: str
    next: str


def glance(dossier: Dossier) -> Glance:
    """The line for a dossier."""
    return Glance(
        title=safe(dossier.case.name),
        outcome=dossier.verdict.outcome,
        says=plain_headline(dossier),
        final=dossier.verdict.final,
        open=_open(dossier),
        pays_back=sentence(pays_back(dossier)[0]),
        next=dossier.verdict.next,
    )


def _open(dossier: Dossier) -> str:
    many = open_answers(dossier)
    if not many:
        return "Nothing: every answer is in."
    said = sentence(several(many, "answer"))[:-1]
    if dossier.verdict.final:
        return f"{said}; none can change the verdict."
    return f"{said}. Still possible: {possible(dossier)}."


def how_many(total: int, matching: int) -> str:
    """How many cases there are, and how many of them a filter leaves."""
    said = counted(total, "case")
    return said if total == matching else f"{matching} of {said}"
