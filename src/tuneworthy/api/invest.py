"""The money of a case, in the forms people read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from tuneworthy.api.cases import judge
from tuneworthy.domain.canonical import json_text

_HORIZON = "economics.assumptions.horizon_months"


def money_report(
    source: str | Path,
    form: str = "text",
    *,
    chosen: str | None = None,
    answers: Mapping[str, str] | None = None,
    months: int | None = None,
    as_of: date | None = None,
    seed: int = 0,
    colour: bool = False,
) -> str:
    """Judge a case, and tell its money.

    Args:
        source: The case.
        form: ``text``, ``markdown`` or ``json`` (the dossier's ``investment``).
        chosen: Framework; the case's own or the lesson when not given.
        answers: Other answers, as a what-if.
        months: Months to look ahead; what the case says, else 36, when not given.
        as_of: The day whose prices count; today when not given.
        seed: For what is drawn at random.
        colour: Whether a terminal takes colour.

    Returns:
        The money. Where it can't be computed, what would make it possible.

    Raises:
        InputError: If the case, the framework or an answer is wrong.
    """
    asked = dict(answers or {})
    if months is not None:
        asked[_HORIZON] = str(months)
    dossier = judge(source, chosen, answers=asked, as_of=as_of, seed=seed)
    if form == "json":
        return json_text(dossier.to_dict()["investment"])
    if form == "markdown":
        from tuneworthy.report.money.markdown import money_markdown

        return money_markdown(dossier)
    from tuneworthy.report.money.text import money_text

    return money_text(dossier, colour=colour)
