"""Published cases: the similar ones, how often tuning won, and how often the rules were right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.precedents import (
    Neighbour,
    Precedent,
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
    facts = [
        ("The same goal", sentence(rate_text(result.base_rate))),
        ("All published cases", sentence(rate_text(result.every_rate))),
        ("Record of these rules", sentence(record_text(result))),
    ]
    groups = list(result.rates)
    if not isinstance(result.base_rate, Unknown):
        groups.insert(0, result.base_rate)
    cases = {
        rate.of.removeprefix("published cases of "): counted_cases(rate)
        for rate in groups
    }
    cells = "{of:capital} | {won} of {n} | {rate:share} | {low:share} to {high:share}"
    titles = "Which | #tuning won | #share | #95%"
    by_group = b.records(_BY_GROUP, titles, cells, groups, quiet=True)
    drawing = charts.precedents(cases)
    return b.section(
        "others",
        title,
        "How often tuning won in published cases, with 95% intervals.",
        b.facts(facts),
        by_group,
        captioned(drawing, _cases_table(cases), id="won", table_is="elsewhere"),
        _nearest(result),
        b.Prose(BEWARE, "small"),
    )


def _cases_table(groups: Mapping[str, Sequence[Precedent]]) -> b.Table:
    """Every case of some groups, once, with its place for the links of a picture."""
    rows: dict[str, tuple[b.Cell, str, str]] = {}
    for cases in groups.values():
        for case in cases:
            shown = case.shown
            name = b.Cell(
                shown["title"],
                plain(shown["goal"]),
                shown["source_url"],
                id=f"case-{shown['id']}",
            )
            rows[shown["id"]] = (name, ARMS[shown["winner"]], shown["margin"])
    titles = "Case | Measured best | By how much"
    return b.table("The published cases", titles, rows.values())


def record_text(result: PrecedentsResult) -> str:
    """Say in one line how often the framework's rules were right for this goal."""
    tree, score, difference, always = result.record  # one for each rule, in this order
    return (
        f"on {number(tree.n)} {tree.of} the decision tree was right {number(tree.right)} times "
        f"(with the ceiling taken as reached), the score {number(score.right)} times and the "
        f"difference {number(difference.right)} times. Always fine-tuning would have been right "
        f"{number(always.right)} times. Treat the count as a checklist, not a forecast"
    )


def precedents(dossier: Dossier) -> b.Document:
    """The document on published cases alone: the nearest cases first, the groups last."""
    section = others(dossier)
    nearest = [block for block in section.blocks if not _is_by_group(block)]
    groups = [block for block in section.blocks if _is_by_group(block)]
    section = replace(section, title="", blocks=(*nearest, *groups))
    after = ("More: tuneworthy framework check says how often the rules were right.",)
    return about(dossier, section, says="what happened to others", after=after)


def _is_by_group(block: b.Block) -> bool:
    return isinstance(block, b.Table) and block.caption == _BY_GROUP


def _nearest(result: PrecedentsResult) -> Iterator[b.Parts]:
    """The published cases that are most like this one."""
    if isinstance(result.nearest, Unknown):
        yield b.Todo(result.nearest.ask, "No published case is similar.")
        return
    rows = []
    for near in result.nearest:
        case = b.Cell(near.title, kind_text(near), near.source_url)
        winner = b.Cell(sentence(won_text(near)), sentence(near.why), aside=True)
        rows.append((case, winner))
    titles = "Case | Winner, and why it is similar"
    yield b.table("The most similar cases first", titles, rows)
    yield b.fold("What was tried in each", [_tried(near) for near in result.nearest])


def _tried(near: Neighbour) -> b.Part:
    source = near.source_url or near.source or "not named"
    rows = (("Tried", tried_text(near) or "not known"), ("Source", source))
    return b.part(near.title, b.facts(rows))


def others_text(result: PrecedentsResult) -> str:
    """Say what happened to others: how often tuning won, or the most similar published cases."""
    rate = result.base_rate
    if not isinstance(rate, Unknown):
        spread = f"{share(rate.low)} to {share(rate.high)}"
        return f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of} ({spread})"
    nearest = result.nearest
    if isinstance(nearest, Unknown):
        return f"no published case is similar. To find one, {nearest.ask}"
    won = [near for near in nearest if near.winner in ("fine_tune", "hybrid")]
    if len(nearest) == 1:
        ended = "won" if won else "did not win"
        return f"one similar published case: fine-tuning {ended} it"
    many = few(len(won)) if won else "none"
    return f"tuning won {many} of the {few(len(nearest))} most similar published cases"
