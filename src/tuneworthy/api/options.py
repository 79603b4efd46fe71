"""What could be done instead of tuning, or beside it: each option judged for a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tuneworthy.api.cases import with_answers
from tuneworthy.api.road import decide, framework_of, load_case
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.framework import Framework
from tuneworthy.framework.dated import services
from tuneworthy.report.options.page import options_dict, options_markdown, options_text


@dataclass(frozen=True, slots=True)
class Compared:
    """A case's dossier, with the framework its options are from."""

    dossier: Dossier
    framework: Framework


def compare(
    source: str | Path,
    chosen: str | None = None,
    *,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
) -> Compared:
    """Read a case, put other answers in, and judge every option for it.

    Raises:
        InputError: If the case, the framework or an answer is wrong.
    """
    case = load_case(source)
    framework = framework_of(case, chosen)
    if answers:
        case = with_answers(case, framework, answers)
    return Compared(decide(case, framework, as_of=as_of), framework)


def render(
    compared: Compared,
    form: str = "text",
    *,
    case_path: str = "",
    everything: bool = False,
    colour: bool = False,
) -> str:
    """The options as ``text``, ``markdown`` or ``json``.

    Args:
        compared: What to report.
        form: How.
        case_path: How the user named the case, for commands to go on with.
        everything: For text: all of them, and not only the five that matter.
        colour: Whether a terminal takes colour.
    """
    dossier, framework = compared.dossier, compared.framework
    if form == "json":
        return json_text(options_dict(dossier))
    if form == "markdown":
        return options_markdown(dossier, framework, services())
    return options_text(
        dossier, framework, case_path=case_path, everything=everything, colour=colour
    )
