"""Reports as the command line prints them: of a case, and of the program itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from pydantic import ValidationError

from tuneworthy.answers.count import verdict_of
from tuneworthy.cases.judging import read_supposed
from tuneworthy.errors import DossierError, argument
from tuneworthy.facts.load import facts_on
from tuneworthy.files.disk import CASES_LIMIT, read_text
from tuneworthy.framework.rules import rules_of
from tuneworthy.model.base import State, json_text
from tuneworthy.model.case import Model
from tuneworthy.model.dossier import Dossier, TuningAnswer, Verdict
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, load_framework
from tuneworthy.report import render as render_document
from tuneworthy.report.blocks import Document
from tuneworthy.report.sections import money, plan
from tuneworthy.report.sections import record as walk
from tuneworthy.report.sections import ways as table
from tuneworthy.report.sections.framework import PricedModel, embedded_record
from tuneworthy.report.sections.verdict import short
from tuneworthy.report.width import WIDEST, columns

Topic = Literal["options", "money", "plan", "why"]
"""The parts of a judgement that can be shown alone."""


def render(
    dossier: Dossier,
    form: str,
    *,
    case_path: str = "",
    colour: bool = False,
    memo: bool | None = None,
    on_top: MemoTop | None = None,
) -> Any:
    """Render a dossier as text, or as the bytes of a PDF.

    ``memo`` is whether a report is the memo alone; by default, Markdown is. ``on_top`` goes above
    it.
    """
    if form == "json":
        return dossier.to_json()
    if form == "markdown" and memo is not False:
        from tuneworthy.report import document

        return document.markdown(dossier, short=True, **_top(dossier, on_top))
    if form in ("markdown", "html", "pdf"):
        from tuneworthy.report import document

        return getattr(document, form)(dossier, short=bool(memo))
    if form == "record":
        return render_document(walk.record(dossier), "markdown")
    return _first_screen(dossier, case_path, colour=colour)


def _first_screen(dossier: Dossier, case_path: str, *, colour: bool) -> str:
    """The first screen, with as many challenges as fit."""
    most = _MOST_LINES if columns() >= WIDEST else _MOST_NARROW_LINES
    text = ""
    for many in (2, 1, 0):
        text = render_document(
            short(dossier, case_path, objections=many), colour=colour
        )
        if text.count("\n") <= most:
            break
    return text


_MOST_LINES = 24
_MOST_NARROW_LINES = 28  # of a terminal in which sentences break


class MemoTop(NamedTuple):
    """The part above the memo, which a check of a pull request writes."""

    required: TuningAnswer | None = None  #: The answer that the check needs.
    before: Dossier | None = None  #: The case at the base.


def _top(dossier: Dossier, on_top: MemoTop | None) -> dict[str, Any]:
    """The parts of the memo that stand above it: the required answer, and the changes."""
    from tuneworthy.report.sections import memo
    from tuneworthy.report.sections.deltas import changes_since

    said: dict[str, Any] = {}
    if on_top is not None and on_top.required is not None:
        said["required"] = memo.require(dossier.verdict.answer, on_top.required)
    if on_top is not None and on_top.before is not None:
        said["changes"] = changes_since(on_top.before, dossier)
    return said


def case_report(
    topic: Topic,
    source: str | Path,
    form: str = "text",
    *,
    name: str | None = None,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
    seed: int = 0,
    everything: bool = True,
    colour: bool = False,
) -> str:
    """Judge a case once, and report a part of its dossier, or what would make that part possible.

    ``form`` is ``text``, ``markdown`` or ``json``. ``name`` is the subject of ``why``. With
    ``everything``, the text of options has all of them, not only the five that matter.
    """
    case, framework = read_supposed(source, answers)
    dossier = decide(case, framework, as_of=as_of, seed=seed)
    if form == "json":
        return json_text(_data(topic, dossier, framework, name))
    more = not everything
    if topic == "options":
        offers = facts_on(dossier.as_of) if form == "markdown" else None
        document = table.document(
            dossier, framework, offers, case_path=str(source), more=more
        )
    elif topic == "money":
        document = money.invest(dossier, framework)
    elif topic == "plan":
        document = plan.document(dossier, str(source))
    else:
        document = explain(dossier, framework, name, argument(str(source)))
        everything = name is None
    return render_document(document, form, colour=colour, everything=everything)


_WHY = (
    "case",
    "framework",
    "as_of",
    "ceiling",
    "signals",
    "factors",
    "counts",
    "rules",
    "verdict",
)


def _data(
    topic: Topic, dossier: Dossier, framework: Framework, name: str | None
) -> Any:
    """The part of the dossier that a topic shows, as JSON values."""
    if topic == "options":
        return table.ways_dict(dossier)
    whole = dossier.to_dict()
    if topic == "why":
        if name is None:
            return {part: whole[part] for part in _WHY}
        otherwise = _otherwise(dossier, framework, name)
        return walk.explanation_dict(framework, name, dossier, otherwise)
    return whole["investment" if topic == "money" else "plan"]


def explain(
    dossier: Dossier, framework: Framework, name: str | None, where: str = "CASE"
) -> Document:
    """The walk through a verdict, or everything with an id or title and its effect in the case.

    ``where`` is the case as a command line names it.
    """
    if name is None:
        return walk.explain_case(dossier, framework, where)
    return walk.explanation(
        framework, name, dossier, _otherwise(dossier, framework, name)
    )


def _otherwise(
    dossier: Dossier, framework: Framework, name: str
) -> list[tuple[State, Verdict]]:
    """The count for each other answer to this question; [] where the name is no question."""
    states = {key: check.state for key, check in dossier.ceiling.checks.items()}
    states |= {key: factor.state for key, factor in dossier.factors.items()}
    named = [key for key, _ in walk.named_subjects(framework, name) if key in states]
    if not named:
        return []
    key = named[0]
    rules = rules_of(framework)
    return [
        (to, verdict_of(rules, {**states, key: to}))
        for to in get_args(State)
        if to != states[key]
    ]


def read_dossier(path: Path) -> Dossier:
    """Read a dossier that ``--format json`` wrote."""
    raw = read_text(path, CASES_LIMIT, DossierError)
    fix = "write one with tuneworthy decide CASE --format json --output FILE"
    try:
        return Dossier.model_validate(json.loads(raw, parse_constant=_no_constant))
    except (ValueError, RecursionError) as caught:
        what = "is not a dossier"
        if isinstance(caught, ValidationError):
            first: Any = caught.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"][:4]))
            what += (
                f" ({place}: {first['msg'][:80]})"
                if place
                else " but another kind of JSON"
            )
            if first["type"] == "missing" and '"tuneworthy/dossier/1"' in raw:
                what = f"is a dossier of an earlier edition, without {place}"
        raise DossierError(what, where=str(path), fix=fix) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def schema(what: str, framework: str = "lesson") -> dict[str, Any]:
    """The JSON Schema of a ``case``, a ``framework``, or a result that is printed as JSON.

    Such a result is a ``dossier``, or that of ``ceiling``, ``verify`` or ``pilot``.
    """
    from tuneworthy.framework import schema as schemas

    if what == "case":
        return schemas.case_schema(load_framework(framework))
    function = getattr(schemas, f"{what}_schema", None)
    data: dict[str, Any] = function() if function else schemas.lab_schema(what)
    return data


def models_of(models: Iterable[Model], as_of: date | None) -> tuple[Any, ...]:
    """Known endpoints, some models, and the embedded one, for ``models_report``.

    Then the day on which each model ends, where it is known, and the other listed models.
    """
    from tuneworthy.facts.load import end_day
    from tuneworthy.llm.choose import endpoints, of_case
    from tuneworthy.llm.embedded import lacking

    day = as_of or datetime.now(UTC).date()
    models = tuple(models)
    ends = {
        model.id: end for model in models if (end := end_day(model, day)) is not None
    }
    own = of_case(models, day)
    return endpoints(), own, embedded_record(lacking()), ends, listed_models(day)


def listed_models(day: date) -> tuple[PricedModel, ...]:
    """Models of outside facts with a list price: first those without an end, then by end.

    A model that has ended is left out.
    """
    from tuneworthy.llm.endpoints import PRESETS
    from tuneworthy.llm.prices import price_on

    known = facts_on(day)
    names = dict.fromkeys(known.rivals)
    for group in known.models:
        names |= dict.fromkeys(group.successors)
    ending = [group for group in known.models if group.end is not None]
    for group in sorted(ending, key=lambda group: group.end or date.max):
        names |= dict.fromkeys(group.models)
    listed = []
    for name in names:
        known_end = known.end_of(name)
        ends = None if known_end is None else known_end.end
        price = price_on(name, day)
        is_known = name.partition(":")[0] in PRESETS
        if price is not None and is_known and (ends is None or day < ends):
            listed.append(PricedModel(name, price, ends))
    return tuple(sorted(listed, key=lambda model: model.ends or date.min))
