"""The dossier as Markdown: complete, to be kept and forwarded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import Dossier, EvidenceResult, InvestmentResult
from tuneworthy.report.markdown import challenge_lines, md
from tuneworthy.report.sections.common import (
    ceiling_text,
    finality,
    flip_lines,
    headline,
    pays_back_text,
    possible_text,
    strength_text,
)
from tuneworthy.report.sections.evidence import by_grade, evidence_rows
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import LIMITS, bits, count, plain


def markdown(dossier: Dossier) -> str:
    """The report.

    Returns:
        Markdown with every section of the dossier; what isn't known says how to find it out.
    """
    sections = [
        [f"# {md(headline(dossier))}", "", _by(dossier)],
        _quick(dossier),
        _summary(dossier),
        challenge_lines(dossier.challenges),
        _change(dossier),
        _answers(dossier),
        _evidence(dossier),
        _rules(dossier),
        _stages(dossier),
        _money(dossier),
        _approaches(dossier),
        _options(dossier),
        _plan(dossier),
        _others(dossier),
        _open(dossier),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _by(dossier: Dossier) -> str:
    return (
        f"By the {md(dossier.framework.name)} framework, as of {dossier.as_of}. {finality(dossier)}"
    )


def _quick(dossier: Dossier) -> list[str]:
    if dossier.quick is None:
        return []
    return ["**Short form:** " + md(dossier.quick.says)]


def _summary(dossier: Dossier) -> list[str]:
    counts, factors = dossier.counts, dossier.factors.values()
    total = {kind: sum(f.kind == kind for f in factors) for kind in ("indicator", "anti_indicator")}
    rows = [
        ("Ceiling", md(ceiling_text(dossier))),
        ("Reasons for", f"{counts.indicators} of {total['indicator']}"),
        ("Reasons against", f"{counts.anti_indicators} of {total['anti_indicator']}"),
        ("Open factors", f"{counts.unknown}"),
        ("Strength", md(strength_text(dossier))),
        ("Pays back", md(pays_back_text(dossier))),
        ("Still possible", md(possible_text(dossier))),
    ]
    lines = ["## Why", "", *_table(("", ""), rows), "", f"**Next:** {md(dossier.verdict.next)}"]
    gates = [(gate.id, gate.state, md(gate.why)) for gate in dossier.verdict.gates]
    lines += ["", "### Gates before money", "", *_table(("gate", "state", "why"), gates)]
    noted = [caveat for caveat in dossier.verdict.caveats if not caveat.id.startswith("gate_")]
    if noted:
        lines += ["", "### Keep in mind", ""]
        lines += [f"- {md(caveat.says)}" for caveat in noted]
    return lines


def _change(dossier: Dossier) -> list[str]:
    lines = ["## What would change the verdict", ""]
    pairs = flip_lines(dossier)
    lines += [f"- {md(what)}: {outcome}" for what, outcome in pairs] or [
        f"No set of up to {dossier.flips_searched_to} answers."
    ]
    if dossier.next_questions:
        rows = [
            (md(q.ask), f"`{q.factor}`", bits(q.gain_bits), str(q.minutes))
            for q in dossier.next_questions
        ]
        lines += ["", "### What to find out next", ""]
        lines += _table(("question", "answer", "bits", "minutes"), rows)
    if not dossier.verdict.final:
        shares = [
            (OUTCOME_WORDS[o], f"{share:.4f}", _range(dossier.bounds[o]))
            for o, share in dossier.distribution.items()
        ]
        lines += ["", "### How open it is", ""]
        lines += _table(("outcome", "share at even odds", "odds from 0.1 to 0.9"), shares)
        lines += ["", "A count of the ways to answer what is open, not a forecast."]
    return lines


def _range(value: Range) -> str:
    return f"{value.low:.4f} to {float(value.high):.4f}"


def _answers(dossier: Dossier) -> list[str]:
    lines = ["## Answers", ""]
    checks = [
        (md(c.title), "check", c.state, c.source, "", md(c.note))
        for c in dossier.ceiling.checks.values()
    ]
    factors = [
        (md(f.title), plain(f.kind), f.state, f.source, str(f.weight), md(f.note))
        for f in dossier.factors.values()
    ]
    signals = [
        (md(s.title), "signal", s.state, s.source, "", md(s.note)) for s in dossier.signals.values()
    ]
    head = ("answer", "kind", "state", "source", "weight", "note")
    return lines + _table(head, [*checks, *factors, *signals])


def _evidence(dossier: Dossier) -> list[str]:
    own, published = by_grade(dossier)
    lines: list[str] = []
    if own:
        head = ("measured", "value", "says", "counted on", "how", "source")
        lines += ["## Measured", "", *_table(head, _rows_of(dossier, own))]
    for one in own:
        if one.examples:
            lines += ["", f"Samples, {md(one.title)}:", ""]
            lines += [f"- {md(text)}" for text in one.examples]
    if published:
        head = ("published", "value", "says", "counted on", "how", "source")
        lines += [""] * bool(lines) + ["## Published, not measured here", ""]
        lines += [f"{LIMITS}.", "", *_table(head, _rows_of(dossier, published))]
    return lines


def _rows_of(dossier: Dossier, found: Sequence[EvidenceResult]) -> list[tuple[str, ...]]:
    return [tuple(md(cell) for cell in row) for row in evidence_rows(dossier, found)]


def _rules(dossier: Dossier) -> list[str]:
    rows = [
        (md(step.ask), step.answer, md(_values(step.value)), OUTCOME_WORDS[step.outcome])
        for step in dossier.rules.tree.path
    ]
    return [
        "## The rules",
        "",
        *_table(("the tree asks", "answer", "with", "if yes"), rows),
        "",
        (
            f"Score and difference: {md(strength_text(dossier))}. The score divides by "
            f"{dossier.rules.score.denominator:g}."
        ),
    ]


def _values(values: dict[str, float | Range]) -> str:
    said = []
    for name, value in values.items():
        number = f"{value.low:g} to {value.high}" if isinstance(value, Range) else f"{value:g}"
        said.append(f"{plain(name)} {number}")
    return ", ".join(said)


def _stages(dossier: Dossier) -> list[str]:
    if not dossier.stages:
        return []
    rows = [(md(s.name), md(s.change), OUTCOME_WORDS[s.outcome]) for s in dossier.stages]
    return ["## Attempts", "", *_table(("attempt", "what changed", "verdict then"), rows)]


def _money(dossier: Dossier) -> list[str]:
    money = dossier.investment
    if not isinstance(money, InvestmentResult):
        return ["## Money", "", f"Unknown: {md(money.ask)}."]
    from tuneworthy.report.sections.money import money_blocks  # which writes with ``md``, too

    return ["\n\n".join(["## Money", *money_blocks(money, "###")])]


def _approaches(dossier: Dossier) -> list[str]:
    if isinstance(dossier.approaches, Unknown):
        return ["## Approaches", "", f"Unknown: {md(dossier.approaches.ask)}."]
    rows = []
    for a in dossier.approaches:
        most = "" if a.data.high == "open" else f"–{count(a.data.high)}"
        need = f"{count(a.data.low)}{most or ' or more'} {plain(a.data.unit)}"
        rows.append((a.priority, plain(a.goal), md(a.title), need, md(a.compute), a.feasible))
    head = ("priority", "goal", "approach", "data", "compute", "feasible")
    return ["## Approaches", "", *_table(head, rows)]


def _plan(dossier: Dossier) -> list[str]:
    if isinstance(dossier.plan, Unknown):
        return []
    from tuneworthy.report.sections.options import plan_blocks  # which writes with ``md``, too

    return ["\n\n".join(["## Plan", *plan_blocks(dossier, dossier.plan, "###")])]


def _others(dossier: Dossier) -> list[str]:
    if isinstance(dossier.precedents, Unknown):
        return []
    from tuneworthy.report.sections.precedents import precedent_blocks

    return [
        "\n\n".join(["## What happened to others", *precedent_blocks(dossier.precedents, "###")])
    ]


def _options(dossier: Dossier) -> list[str]:
    from tuneworthy.report.sections.options import matrix  # which writes with ``md``, too

    return matrix(dossier)


def _open(dossier: Dossier) -> list[str]:
    rows = [
        (name, md(section.ask))
        for name in ("precedents", "plan", "evidence")
        if isinstance(section := getattr(dossier, name), Unknown)
    ]
    return ["## Still open", "", *_table(("section", "instead"), rows)] if rows else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(cell or " " for cell in row) + " |" for row in rows]
