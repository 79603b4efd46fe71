"""What happened to others, for a case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from tuneworthy.api.cases import judge
from tuneworthy.domain.canonical import json_text
from tuneworthy.report.precedents.text import precedents_text


def precedents_report(
    source: str | Path,
    form: str = "text",
    *,
    chosen: str | None = None,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
    colour: bool = False,
) -> str:
    """Judge a case and tell what happened to others.

    Args:
        source: The case.
        form: ``text``, ``markdown`` or ``json``.
        chosen: Framework; the case's own or the lesson when not given.
        answers: Other answers, as a what-if.
        as_of: The day the answer speaks for; today when not given.
        colour: For text: whether the terminal takes colour.

    Returns:
        The nearest published cases and base rates; where nothing is known of the case, what to
        answer first. As JSON, the dossier's ``case``, ``framework``, ``as_of`` and
        ``precedents``.

    Raises:
        InputError: If the case, the framework or an answer is wrong.
    """
    dossier = judge(source, chosen, answers=answers, as_of=as_of)
    if form == "json":
        whole = dossier.to_dict()
        names = ("case", "framework", "as_of", "precedents")
        return json_text({name: whole[name] for name in names})
    if form == "markdown":
        from tuneworthy.report.precedents.markdown import precedents_markdown

        return precedents_markdown(dossier)
    return precedents_text(dossier, colour=colour)
