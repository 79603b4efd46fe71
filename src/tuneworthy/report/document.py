"""The report of a case: its sections and its three forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tuneworthy.errors import InputError
from tuneworthy.model.dossier import Dossier
from tuneworthy.report import markdown as md
from tuneworthy.report.blocks import (
    Document,
    Facts,
    Fold,
    Picture,
    Section,
    pictures_in,
)
from tuneworthy.report.sections import failures, memo, money, plan, record, verdict
from tuneworthy.report.sections import ways as table
from tuneworthy.report.sections.common import WHAT_TUNING_IS, headline
from tuneworthy.report.sections.deltas import Changes

_EXTRA = frozenset({"jinja2", "markupsafe", "vl_convert"})


def report(dossier: Dossier, *, short: bool = False) -> Document:
    """The decision memo with its grounds behind it; ``short`` for the memo alone."""
    parts = () if short else sections(dossier)
    section_ids = {section.id for section in parts}
    # a short report hasn't the section that a fact links to
    facts = [
        fact if fact.link in section_ids else replace(fact, link="")
        for fact in memo.facts(dossier)
    ]
    return Document(
        name=dossier.case.name,
        headline=f"Fine-tune it? {headline(dossier)}",
        byline=(WHAT_TUNING_IS, memo.byline(dossier)),
        facts=Facts(tuple(facts), "key"),
        warning=memo.warning(dossier),
        opening=(*memo.ways(dossier), memo.sign(dossier)),
        sections=parts,
        record=record.lines(dossier),
    )


def folded_memo(
    dossier: Dossier, changes: Changes | None = None, required: str = ""
) -> Document:
    """The memo with everything else closed under it, as a pull request shows it.

    The required answer and the changes come first.
    """
    above = []
    closed = list(memo.folds(dossier))
    if required:
        above.append(required)
    if changes is not None:
        above.append(changes.says)
        closed.append(Fold("What changed", changes.blocks))
    return replace(report(dossier, short=True), above=above, closed=closed)


def sections(dossier: Dossier) -> tuple[Section, ...]:
    """The report's sections in their order, without the empty ones."""
    parts = (
        verdict.why(dossier),
        verdict.change(dossier),
        verdict.fit(dossier),
        failures.section(dossier),
        table.section(dossier),
        _card(dossier),
        money.investment(dossier),
        table.approaches(dossier),
        plan.section(dossier),
        record.answers(dossier),
        record.attempts(dossier),
        verdict.checklist(dossier, folded=True),
        record.rules(dossier),
        record.glossary(),
    )
    return tuple(section for section in parts if section is not None)


def _card(dossier: Dossier) -> Section | None:
    if dossier.pilot is None:
        return None
    from tuneworthy.report.sections.lab_pilot import card_section, card_text

    card = dossier.pilot
    return card_section(card, f"{card_text(card)} Signs: {card.signs}.")


def pictures(dossier: Dossier) -> dict[str, Picture]:
    """The pictures of the report by their id, in its order; nothing is drawn yet."""
    return pictures_in(sections(dossier))


def markdown(
    dossier: Dossier,
    *,
    short: bool = False,
    changes: Changes | None = None,
    required: str = "",
) -> str:
    """The report as Markdown; ``short`` for the memo with its grounds closed under it."""
    if not short:
        return md.render(report(dossier))
    return md.render(folded_memo(dossier, changes, required))


def html(dossier: Dossier, *, short: bool = False) -> str:
    """The report as HTML, equal for equal dossiers; an InputError without its libraries."""
    with _needing_extra():
        from tuneworthy.report import html as page

        return page.render(report(dossier, short=short))


def pdf(dossier: Dossier, *, short: bool = False) -> bytes:
    """The report as PDF; raises as ``html`` does, and where there is no browser."""
    with _needing_extra():
        from tuneworthy.report import html as page

        return page.pdf(report(dossier, short=short))


@contextmanager
def _needing_extra() -> Iterator[None]:
    """Turn a missing library of the extra into one line that names the extra."""
    try:
        yield
    except ModuleNotFoundError as caught:
        if caught.name not in _EXTRA:
            raise
        fix = (
            'in a clone, pip install ".[report]" installs it. Or choose another format'
        )
        what = f"this format needs the extra report ({caught.name} is not installed)"
        raise InputError(what, where="--format html", fix=fix) from None
