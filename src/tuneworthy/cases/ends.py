"""The ends of models: those of a folder of cases, with the money at risk on each day, or all known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from tuneworthy.cases.workspace import open_directory
from tuneworthy.errors import InputError
from tuneworthy.facts.load import age_text, end_day, facts_on
from tuneworthy.facts.records import ModelFact
from tuneworthy.model.base import Interval
from tuneworthy.model.case import Case, Model, in_use
from tuneworthy.money.terms import forced_move
from tuneworthy.pipeline import framework_of, load_case, monthly_bill
from tuneworthy.report import blocks as b
from tuneworthy.words import counted, day, listing, usd_range


class EndingModel(NamedTuple):
    """A model of a case with a known end."""

    case: str  #: Its folder.
    title: str
    model: str
    role: str  #: ``in use``, ``tuned`` or ``listed``.
    ends: date
    stated: bool  #: Whether the case says so; else it was looked up.
    bill: Interval | None  #: USD a month of the case, where the model in use ends.
    move: str  #: The work of tuning on another base, where a tuned model ends.
    successors: tuple[str, ...]


class CaseEnds(NamedTuple):
    """The ends of the models of some cases."""

    as_of: date
    looked_up: date  #: The newest day on which anything of the catalogue was looked up.
    models: tuple[EndingModel, ...]  #: The first to end first.
    cases: int
    without: tuple[str, ...]  #: Cases none of whose models has a known end.
    problems: tuple[str, ...]  #: Cases that can't be read, with the reason.


def ends_of_cases(folder: str, as_of: date) -> CaseEnds:
    """The ends of all models of the cases in a folder, or of one case."""
    directory = open_directory(folder)
    models: list[EndingModel] = []
    without = []
    problems = []
    names = directory.names()
    for name in names:
        try:
            case = load_case(directory.path(name))
            ending = list(_ending_models(name, case, as_of))
        except InputError as caught:
            problems.append(directory.plain_error(caught, name))
            continue
        models += ending
        if not ending:
            without.append(name)
    models.sort(key=lambda model: (model.ends, model.case, model.model))
    looked_up = facts_on(as_of).dated
    return CaseEnds(
        as_of, looked_up, tuple(models), len(names), tuple(without), tuple(problems)
    )


def _ending_models(name: str, case: Case, as_of: date) -> Iterator[EndingModel]:
    """The models of a case with a known end; ``name`` is the case's folder."""
    used = in_use(case)
    bill = None
    for model in case.models:
        ends = end_day(model, as_of)
        if ends is None:
            continue
        role = _role(model, used)
        if role == "in use" and bill is None:
            bill = monthly_bill(case, as_of)  # worked out once, and only where needed
        fact = facts_on(as_of).model(model.id, model.base_url)
        yield EndingModel(
            case=name,
            title=case.name,
            model=model.id,
            role=role,
            ends=ends,
            stated=model.ends is not None,
            bill=bill if role == "in use" else None,
            move=forced_move(case, framework_of(case)) if role == "tuned" else "",
            successors=() if fact is None else fact.successors,
        )


def _role(model: Model, used: Model | None) -> str:
    if used is not None and model.id == used.id:
        return "in use"
    return "tuned" if model.kind == "tuned" else "listed"


def ends_document(ends: CaseEnds, folder: str) -> b.Document:
    """The days with the money at risk on each, then every model."""
    hit = [model for model in ends.models if model.role == "in use"]
    bills = [model.bill for model in hit if model.bill is not None]
    cases = len({model.case for model in hit})
    headline = (
        f"{counted(cases, 'case')} of {ends.cases} run on a model whose end is known"
    )
    if bills:
        headline += f", {_sum(bills)} per month in all"
    facts = [b.Fact("Catalogue", age_text(ends.as_of))]
    if ends.without:
        facts.append(b.Fact("No end known", listing(ends.without)))
    facts += [b.Fact("Can't be read", problem) for problem in ends.problems]
    every = _models_table(ends.models)
    sections = [
        b.section("days", "", _days_table(hit, ends.as_of)),
        b.section("facts", "", b.facts(facts)),
        b.section("models", "Every model that ends", every, detail=True),
    ]
    return b.Document(folder, headline, sections)


def _days_table(models: Sequence[EndingModel], as_of: date) -> b.Table | str:
    """A row for each day on which models in use end; a sentence where none does."""
    if not models:
        return "No model in use has a known end."
    by_day: dict[date, list[EndingModel]] = {}
    for model in models:
        by_day.setdefault(model.ends, []).append(model)
    rows = [_day_row(last, ending, as_of) for last, ending in by_day.items()]
    return b.table("Days", "Day | #Cases | #Bill per month | Cases", rows)


def _day_row(last: date, models: Sequence[EndingModel], as_of: date) -> tuple[str, ...]:
    """A row for one day: the models that end on it, and the bills that this hits."""
    bills = [model.bill for model in models if model.bill is not None]
    lacks = sum(model.bill is None for model in models)
    money = _sum(bills) if bills else "unknown"
    if bills and lacks:
        money += f", {lacks} unknown"
    when = f"{day(last)}, {_left(last, as_of)}"
    return when, str(len(models)), money, listing([model.case for model in models])


def _left(last: date, as_of: date) -> str:
    days = (last - as_of).days
    return "ended" if days <= 0 else f"{counted(days, 'day')} left"


def _sum(bills: Iterable[Interval]) -> str:
    whole = Interval.certain(0.0)
    for bill in bills:
        whole += bill
    return usd_range(whole.low, whole.high)


def _models_table(models: Sequence[EndingModel]) -> b.Table:
    rows = []
    for model in models:
        known = "stated" if model.stated else "looked up"
        then = listing(model.successors, "or") or "unknown"
        if model.move:
            then = f"tune again: {model.move}"
        rows.append(
            (model.case, model.model, model.role, f"{day(model.ends)}, {known}", then)
        )
    return b.table("Models", "Case | Model | Role | Ends | Then", rows)


def ends_dict(ends: CaseEnds) -> dict[str, Any]:
    """The same as plain JSON values."""
    models = []
    for model in ends.models:
        row: dict[str, Any] = model._asdict() | {"ends": model.ends.isoformat()}
        bill = model.bill
        row["bill"] = None if bill is None else [bill.low, bill.value, bill.high]
        row["successors"] = [*model.successors]
        models.append(row)
    return {
        "schema": "tuneworthy/ends/1",
        "as_of": ends.as_of.isoformat(),
        "looked_up": ends.looked_up.isoformat(),
        "cases": ends.cases,
        "models": models,
        "without": [*ends.without],
        "problems": [*ends.problems],
    }


def known_ends(as_of: date) -> tuple[ModelFact, ...]:
    """Models of the catalogue that end on a day or later, the first to end first."""
    facts = facts_on(as_of)
    ahead = [
        fact for fact in facts.models if fact.end is not None and fact.end >= as_of
    ]
    return tuple(sorted(ahead, key=lambda fact: (fact.end or date.max, fact.models)))


def known_ends_document(as_of: date) -> b.Document:
    """Every model of the catalogue that ends on a day or later."""
    facts = known_ends(as_of)
    rows = []
    for fact in facts:
        assert fact.end is not None  # these are the ones that end
        sure = "" if fact.confirmed == "yes" else ", not confirmed"
        earliest = "not before " if fact.ends_is == "earliest" else ""
        then = listing(fact.successors, "or")
        rows.append((fact.models[0], f"{earliest}{day(fact.end)}{sure}", then))
    headline = (
        f"{counted(len(facts), 'model')} end from {day(as_of)} on, {age_text(as_of)}"
    )
    table = b.table("Ends", "Model | Ends | Successor", rows)
    return b.Document("", headline, [b.section("ends", "", table)])


def known_ends_dict(as_of: date) -> dict[str, Any]:
    """The same as plain JSON values."""
    models = [
        fact.model_dump(mode="json", exclude_defaults=True)
        for fact in known_ends(as_of)
    ]
    looked_up = facts_on(as_of).dated.isoformat()
    return {
        "schema": "tuneworthy/known-ends/1",
        "as_of": as_of.isoformat(),
        "looked_up": looked_up,
        "models": models,
    }
