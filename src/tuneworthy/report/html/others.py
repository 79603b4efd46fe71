"""What happened to others, on the page."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.likeness import BaseRate, Neighbour, PrecedentsResult
from tuneworthy.domain.record import Unknown
from tuneworthy.report.html.blocks import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Fold,
    Part,
    Prose,
    Section,
    Table,
    Todo,
)
from tuneworthy.report.precedents.words import (
    ARM_WORDS,
    BEWARE,
    kind_text,
    won_text,
)
from tuneworthy.report.words import count, few, sentence, share


def others(dossier: Dossier) -> Section:
    """The nearest published cases, and how often tuning won."""
    title, short, found = "What happened to others", "Others", dossier.precedents
    if isinstance(found, Unknown):
        return Section("others", title, (Todo(found.ask, "Not compared here."),), short)
    blocks = (_rates(found), *_nearest(found), Prose(BEWARE, "small"))
    return Section("others", title, blocks, short)


def _rates(found: PrecedentsResult) -> Facts:
    rows = (
        _rate("The same goal", found.base_rate),
        _rate("The same pattern of answers", found.pattern_rate),
        _rate("Everybody", found.every_rate),
    )
    return Facts(rows)


def _rate(label: str, rate: BaseRate | Unknown) -> Fact:
    if isinstance(rate, Unknown):
        return Fact(label, "Not known", sentence(f"to find out: {rate.ask}"))
    said = f"tuning won {count(rate.won)} of {count(rate.n)}, {share(rate.rate)}"
    beside = f"{share(rate.low)} to {share(rate.high)} of {rate.of}, at 95%"
    return Fact(label, sentence(said), sentence(beside))


def _nearest(found: PrecedentsResult) -> list[Block]:
    if isinstance(found.nearest, Unknown):
        return [Todo(found.nearest.ask, "No published case is alike.")]
    rows = tuple(
        (
            Cell(near.title, kind_text(near), near.source_url),
            sentence(won_text(near)),
            sentence(near.why),
        )
        for near in found.nearest
    )
    head = (Column("Published case"), Column("What measured best"), Column("Why it is alike"))
    blocks: list[Block] = [Table("The nearest published cases, the most alike first", head, rows)]
    if found.as_near:
        last = "is" if found.as_near == 1 else "are"
        blocks.append(Prose(sentence(f"{few(found.as_near)} more {last} as alike as the last")))
    tried = tuple(_tried(near) for near in found.nearest if near.tried)
    return [*blocks, Fold("What was tried in each", tried)] if tried else blocks


def _tried(near: Neighbour) -> Part:
    rows = tuple(
        (
            ARM_WORDS[arm.arm],
            arm.approach,
            Cell(arm.model, f"examples: {arm.train_examples}" if arm.train_examples else ""),
            arm.value or "no figure",
            arm.metric,
        )
        for arm in near.tried
    )
    head = tuple(map(Column, ("Arm", "What was done", "Model", "Came to", "Measured as")))
    return Part(near.title, (Table("What was tried, as its source says it", head, rows, True),))
