"""Published cases: the similar ones, how often tuning won, and how often the rules were right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.precedents import (
    Neighbour,
    PrecedentsResult,
)
from tuneworthy.precedents.section import (
    ARMS,
    BEWARE,
    counted_cases,
    kind_text,
    rate_text,
    tried_text,
    won_text,
)
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import about, captioned
from tuneworthy.words import few, number, plain, sentence, share

_BY_GROUP = "By group"


def others(dossier: Dossier) -> b.Section:
    """The section on published cases."""
    result = dossier.precedents
    title = "What happened to others"
    if isinstance(result, Unknown):
        todo = b.Todo(result.ask, "Not compared here.")
        return b.section("others", title, todo)
    rates = [
        ("The same goal", result.base_rate),
        ("All published cases", result.every_rate),
    ]
    facts = [(label, sentence(rate_text(rate))) for label, rate in rates]
    own = () if isinstance(result.base_rate, Unknown) else (result.base_rate,)
    groups = [*own, *result.rates]
    cases = {
        rate.of.removeprefix("published cases of "): counted_cases(rate)
        for rate in groups
    }
    every = {case.shown["id"]: case.shown for group in cases.values() for case in group}
    listed = b.table(
        "The published cases",
        "Case | Measured best | By how much",
        [
            (
                b.Cell(
                    case["title"],
                    plain(case["goal"]),
                    case["source_url"],
                    id=f"case-{name}",
                ),
                ARMS[case["winner"]],
                case["margin"],
            )
            for name, case in every.items()
        ],
    )
    cells = "{of:capital} | {won} of {n} | {rate:share} | {low:share} to {high:share}"
    titles = "Which | #tuning won | #share | #95%"
    by_group = b.records(_BY_GROUP, titles, cells, groups, quiet=True)
    return b.section(
        "others",
        title,
        "How often tuning won in published cases, with 95% intervals.",
        b.facts([*facts, ("Record of these rules", sentence(record_text(result)))]),
        by_group,
        captioned(charts.precedents(cases), listed, id="won", table_is="elsewhere"),
        _nearest(result),
        b.Prose(BEWARE, "small"),
    )


def record_text(result: PrecedentsResult) -> str:
    """Say in one line how often the framework's rules were right for this goal."""
    tree, scored, apart, always = result.record
    return (
        f"on {number(tree.n)} {tree.of} the decision tree was right {number(tree.right)} times "
        f"(with the ceiling taken as reached), the score {number(scored.right)} times and the "
        f"difference {number(apart.right)} times. Always fine-tuning would have been right "
        f"{number(always.right)} times. Treat the count as a checklist, not a forecast"
    )


def precedents(dossier: Dossier) -> b.Document:
    """The document on published cases alone."""
    section = others(dossier)
    groups = [
        block for block in section.blocks if getattr(block, "caption", "") == _BY_GROUP
    ]
    # the nearest cases
    first = [block for block in section.blocks if block not in groups]
    section = replace(section, title="", blocks=(*first, *groups))
    after = ("More: tuneworthy framework check says how often the rules were right.",)
    return about(dossier, section, says="what happened to others", after=after)


def _nearest(result: PrecedentsResult) -> Iterator[b.Parts]:
    """The published cases that are most like this one."""
    if isinstance(result.nearest, Unknown):
        yield b.Todo(result.nearest.ask, "No published case is similar.")
        return
    yield b.table(
        "The most similar cases first",
        "Case | Winner, and why it is similar",
        (
            (
                b.Cell(near.title, kind_text(near), near.source_url),
                b.Cell(sentence(won_text(near)), sentence(near.why), aside=True),
            )
            for near in result.nearest
        ),
    )
    yield b.fold("What was tried in each", map(_tried, result.nearest))


def _tried(near: Neighbour) -> b.Part:
    source = near.source_url or near.source or "not named"
    rows = (("Tried", tried_text(near) or "not known"), ("Source", source))
    return b.part(near.title, b.facts(rows))


def others_text(result: PrecedentsResult) -> str:
    """Say what happened to others: how often tuning won, or the most similar published cases."""
    rate = result.base_rate
    if isinstance(rate, Unknown):
        if isinstance(result.nearest, Unknown):
            return f"no published case is similar. To find one, {result.nearest.ask}"
        won = sum(near.winner in ("fine_tune", "hybrid") for near in result.nearest)
        if len(result.nearest) == 1:
            return f"one similar published case: fine-tuning {'won' if won else 'did not win'} it"
        many = few(won) if won else "none"
        return f"tuning won {many} of the {few(len(result.nearest))} most similar published cases"
    spread = f"{share(rate.low)} to {share(rate.high)}"
    return f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of} ({spread})"
