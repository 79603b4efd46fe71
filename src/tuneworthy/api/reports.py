"""Dossiers as people read them, explained and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuneworthy.api.cases import with_answers
from tuneworthy.api.road import decide, framework_of, load_case, load_framework
from tuneworthy.domain.canonical import digest
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.difference import Difference
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, DossierError, InputError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import State
from tuneworthy.files.disk import CASES_LIMIT, read_text, write_new
from tuneworthy.framework.rules import compile_rules
from tuneworthy.report.difference import Judge, compare, difference_text
from tuneworthy.report.explain import explain_answer, unknown_name
from tuneworthy.report.explain import explain_case as _explain_case
from tuneworthy.report.explain import explain_factor as _explain_factor
from tuneworthy.report.text import text
from tuneworthy.verdict.gates import choose_action
from tuneworthy.verdict.robustness import verdict_of

__all__ = ["difference", "difference_text", "explain", "explain_factor", "render", "save"]


def render(dossier: Dossier, form: str, *, case_path: str = "", colour: bool = False) -> str:
    """A dossier as text.

    Args:
        dossier: What to report.
        form: ``text``, ``markdown``, ``html``, ``json`` or ``record`` (a decision record).
        case_path: How the user named the case, for commands to go on with.
        colour: Whether a terminal takes colour.

    Raises:
        InputError: For ``html`` where the extra ``report`` isn't installed.
    """
    if form == "json":
        return dossier.to_json()
    if form == "markdown":
        from tuneworthy.report.markdown import markdown

        return markdown(dossier)
    if form == "html":
        from tuneworthy.report.html import html

        return html(dossier)
    if form == "record":
        from tuneworthy.report.record import record

        return record(dossier)
    return text(dossier, case_path=case_path, colour=colour)


def save(path: Path, content: str, *, force: bool = False) -> None:
    """Write a report to a file.

    Raises:
        OutputError: If a file is there and ``force`` isn't given, or it can't be written.
    """
    write_new(path, content, force=force)


def explain(
    source: str | Path, name: str | None, chosen: str | None = None, *,
    answers: Mapping[str, str] | None = None, as_of: date | None = None,
) -> str:  # fmt: skip
    """The walk through a case's verdict, or one answer of it with what another would do.

    Args:
        source: The case.
        name: A factor, signal or check; None for the whole walk.
        chosen: The framework, where not the case's own.
        answers: Other answers, as a what-if.
        as_of: The day to speak for.

    Raises:
        InputError: If the case, the framework or the name is wrong.
    """
    case = _case(source, name, chosen)
    framework = framework_of(case, chosen)
    if answers:
        case = with_answers(case, framework, answers)
    dossier = decide(case, framework, as_of=as_of)
    if name is None:
        return _explain_case(dossier, framework)
    if name in framework.signals and name not in framework.factors:
        return explain_answer(dossier, framework, name, ())
    states = _states(dossier)
    if name not in states:
        raise unknown_name(name, framework)
    rules = compile_rules(framework)
    every: tuple[State, ...] = ("yes", "no", "unknown")
    otherwise = [
        (to, verdict_of(rules, {**states, name: to})) for to in every if to != states[name]
    ]
    return explain_answer(dossier, framework, name, otherwise)


def _case(source: str | Path, name: str | None, chosen: str | None) -> Case:
    """The case; for a factor's name where a path was wanted, the error says how to ask for it."""
    try:
        return load_case(source)
    except CaseError as caught:
        if name is None and not os.path.lexists(source):
            asked = load_framework(chosen or "lesson")
            if str(source) in {*asked.factors, *asked.ceiling, *asked.signals}:
                fix = f"to look at what is asked: tuneworthy explain --factor {source}"
                raise CaseError(caught.what, where=caught.where, fix=fix) from None
        raise


def explain_factor(name: str, chosen: str | None = None) -> str:
    """What a factor, signal or check of a framework asks, and why.

    Raises:
        InputError: If the framework or the name is wrong.
    """
    return _explain_factor(load_framework(chosen or "lesson"), name)


def difference(before: str | Path, after: str | Path, chosen: str | None = None) -> Difference:
    """What changed between two dossiers; the later may be a case folder, judged as of today.

    Raises:
        InputError: If one of them isn't what it should be.
    """
    earlier = read_dossier(Path(before))
    later = _dossier_or_case(Path(after), chosen)
    return compare(earlier, later, _judge(later, Path(after), chosen), choose_action)


def _dossier_or_case(path: Path, chosen: str | None) -> Dossier:
    if path.suffix == ".json":
        return read_dossier(path)
    case = load_case(path)
    return decide(case, framework_of(case, chosen))


def _judge(later: Dossier, path: Path, chosen: str | None) -> Judge | None:
    """The later dossier's framework as a function, if it is at hand and the same version."""
    framework: Framework
    try:
        if path.suffix != ".json":
            framework = framework_of(load_case(path), chosen)
        else:
            framework = load_framework(chosen or later.framework.name)
    except InputError:
        if chosen is not None:
            raise
        return None
    if digest(framework) != later.framework.digest:
        return None
    rules = compile_rules(framework)

    def judge(states: Mapping[str, State]) -> Verdict:
        return verdict_of(rules, states)

    return judge


def read_dossier(path: Path) -> Dossier:
    """A dossier from what ``--format json`` wrote.

    Raises:
        DossierError: If it is none.
    """
    return parse_dossier(read_text(path, CASES_LIMIT, DossierError), str(path))


def parse_dossier(raw: str, where: str) -> Dossier:
    """A dossier from its text.

    Args:
        raw: The text.
        where: What to call it in an error.

    Raises:
        DossierError: If it is none.
    """
    fix = "write one with tuneworthy decide CASE --format json --output FILE"
    try:
        return Dossier.model_validate(json.loads(raw, parse_constant=_no_constant))
    except (ValueError, RecursionError) as caught:
        what = "is no dossier"
        if isinstance(caught, ValidationError):
            first: Any = caught.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"][:4]))
            what += f" ({place}: {first['msg'][:80]})" if place else " but another kind of JSON"
        raise DossierError(what, where=where, fix=fix) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _states(dossier: Dossier) -> dict[str, State]:
    checks = {name: check.state for name, check in dossier.ceiling.checks.items()}
    return {**checks, **{name: factor.state for name, factor in dossier.factors.items()}}
