"""The plan of a case, in the forms people and trackers read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from tuneworthy.api.cases import judge
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import InputError
from tuneworthy.domain.record import Unknown


def plan_report(
    source: str | Path,
    form: str = "text",
    *,
    chosen: str | None = None,
    answers: Mapping[str, str] | None = None,
    start: date | None = None,
    colour: bool = False,
) -> str:
    """Judge a case as of the day its plan starts, and tell the plan.

    Args:
        source: The case.
        form: ``text``, ``markdown``, ``json``, ``csv`` or ``mermaid``.
        chosen: Framework; the case's own or the lesson when not given.
        answers: Other answers, as a what-if.
        start: The day to begin; today when not given.
        colour: Whether a terminal takes colour.

    Returns:
        The plan. Where there is none, what would make one possible (``text``, ``markdown``,
        ``json``).

    Raises:
        InputError: If the case, the framework or an answer is wrong, or there is no plan to put
            into a table or a chart.
    """
    dossier = judge(source, chosen, answers=answers, as_of=start)
    if form == "json":
        return json_text(dossier.to_dict()["plan"])
    if form in ("csv", "mermaid"):
        return _table_or_chart(dossier, form)
    if form == "markdown":
        from tuneworthy.report.plan.markdown import plan_markdown

        return plan_markdown(dossier)
    from tuneworthy.report.plan.text import plan_text

    return plan_text(dossier, colour=colour)


def _table_or_chart(dossier: Dossier, form: str) -> str:
    if isinstance(dossier.plan, Unknown):
        raise InputError("has no plan yet", where=dossier.case.name, fix=dossier.plan.ask)
    if form == "csv":
        from tuneworthy.report.plan.tracker import tracker

        return tracker(dossier.plan)
    from tuneworthy.report.plan.gantt import gantt

    return gantt(dossier.plan, dossier.case.name)
