"""The first half of the page: the verdict, why, how sure, what would change it, what clashes."""

from __future__ import annotations

from tuneworthy.domain.assessment import Severity
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import InvestmentResult, Plan, Recommendation
from tuneworthy.report.charts import verdict as charts
from tuneworthy.report.flips import flip_lines
from tuneworthy.report.html.blocks import (
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
from tuneworthy.report.html.values import day, money, monthly
from tuneworthy.report.plain import (
    GATES,
    SEVERITIES,
    because,
    open_answers,
    plain_finality,
    possible,
    rests_on,
    tally,
)
from tuneworthy.report.text import pays_back_text, strength_text
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import bits, plain, sentence, several, share

_MOST_WARNINGS = 3
_HEAVIEST_FIRST: tuple[Severity, ...] = ("contradiction", "doubt", "pushback")


def key_facts(dossier: Dossier) -> Facts:
    """What somebody in a hurry has to know."""
    beside = f"{_strength(dossier)} {rests_on(dossier)}"
    rows = [Fact("How sure", plain_finality(dossier), beside, "sure")]
    found = dossier.investment
    if isinstance(found, InvestmentResult):
        label, net = monthly(found.monthly_net_usd, "It would bring", "It would lose")
        said, _, more = pays_back_text(dossier).partition("; ")
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
    noted = [c.says for c in dossier.verdict.caveats if not c.id.startswith("gate_")]
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
    return [still] if drawing is None else [
        still, Picture("reach", "Where the verdict can still go", says, drawing, table)
    ]  # fmt: skip


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
