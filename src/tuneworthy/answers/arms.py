"""The results of labs' arms, as they are kept beside a case.

A lab writes its arms as one ``Series`` of its run in the ledger. Each lab has a table of its own,
and the newest table of each lab counts. A cell holds a number, a word, or, where a number isn't
known, the text that says what would settle it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, get_args

from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case, Model
from tuneworthy.model.evidence import Evidence, Scalar, Series
from tuneworthy.model.ways import AnyFigure, Figure, FigureGrade, LabArm, LabName

#: The table of prompts and models that ``measure`` writes for a test.
IMPORTED = "arms"
RUNNING = "running_prompt_share"
"""The measurement of a log that names the prompt file and the model which production runs."""

_FIGURES = ("quality", "latency_p95_s", "usd_per_call", "gain")
_WORDS = (
    "title",
    "kind",
    "model",
    "prompt",
    "beside",
    "best_known",
    "private",
    "general_skills",
    "safe",
    "card",
    "card_says",
)
_ENDS = ("low", "high", "cases")
_NO_COLUMN = Unknown(ask="run the lab again: this figure isn't in its table")
_SEPARATOR = " "
_DATED = re.compile(r"-(?:latest|\d{4}-?\d{2}-?\d{2}|\d{6})$")


def table_name(lab: LabName) -> str:
    """The id of the series that holds the arms of a lab."""
    return f"arms_{lab}"


def arms_series(lab: LabName, arms: Sequence[LabArm]) -> Series:
    """Write the arms of one run of a lab as a table; no arms make a table without columns."""
    columns: dict[str, list[Scalar]] = {}
    for arm in arms:
        for name, cell in _cells(arm).items():  # every arm has the same cells
            columns.setdefault(name, []).append(cell)
    return Series(
        id=table_name(lab),
        columns={name: tuple(cells) for name, cells in columns.items()},
    )


def _cells(arm: LabArm) -> dict[str, Scalar]:
    """The cells of an arm's row."""
    cells: dict[str, Scalar] = {"arm": arm.id}
    for name in _WORDS:
        cells[name] = getattr(arm, name)
    cells["made_of"] = _SEPARATOR.join(arm.made_of)
    cells["observed_on"] = arm.observed_on.isoformat() if arm.observed_on else ""
    for name in _FIGURES:
        cells |= _figure_cells(name, getattr(arm, name))
    return cells


def _figure_cells(name: str, figure: AnyFigure) -> dict[str, Scalar]:
    """The cells of one figure; where it isn't known, the text that says what would settle it."""
    cells: dict[str, Scalar] = {}
    if isinstance(figure, Unknown):
        # the same cells, all empty, so that every row of the table has the same columns
        for cell in (*_ENDS, "grade", "source"):
            cells[cell] = ""
        return {name: figure.ask, **_cells_of_figure(name, cells)}
    for end in _ENDS:
        cells[end] = _cell(getattr(figure, end))
    cells["grade"] = figure.grade
    cells["source"] = figure.source
    return {name: figure.value, **_cells_of_figure(name, cells)}


def _cell(value: float | Unknown) -> Scalar:
    return value.ask if isinstance(value, Unknown) else value


def lab_arms(
    case: Case, evidence: Mapping[str, Evidence], series: Iterable[Series]
) -> tuple[LabArm, ...]:
    """Read the arms of labs, and the arms of other tools' tests, from what a ledger holds.

    ``evidence`` and ``series`` are the latest of each. A row that can't be read is left out,
    because somebody else may have written in the ledger.
    """
    tables = {each.id: each for each in series}
    arms = list[LabArm]()
    for lab in get_args(LabName):
        table = tables.get(table_name(lab))
        if table is not None:
            read = [_arm(lab, row) for row in _read_table_rows(table)]
            arms += _list_readable(read, table)
    imported = tables.get(IMPORTED)
    if imported is not None:
        read = _arms_of_other_tool(case, evidence, imported)
        arms += _list_readable(read, imported)
    running = evidence.get(RUNNING)
    return tuple(_mark_running(arm, running) for arm in arms)


def _list_readable(arms: Iterable[LabArm | None], table: Series) -> list[LabArm]:
    """The arms that could be read, marked where their table came with the folder."""
    readable = [arm for arm in arms if arm is not None]
    if table.brought:
        return [_mark_as_brought(arm) for arm in readable]
    return readable


def _read_table_rows(table: Series) -> Iterator[dict[str, Scalar]]:
    """The rows of a table; there are as many as its shortest column has cells."""
    length = min((len(column) for column in table.columns.values()), default=0)
    for place in range(length):
        yield {name: column[place] for name, column in table.columns.items()}


def _arm(lab: LabName, row: Mapping[str, Scalar]) -> LabArm | None:
    """Read an arm from its row; None where the row describes no arm."""
    fields: dict[str, Any] = {"id": row.get("arm"), "lab": lab}
    for name in _WORDS:
        if name in row:  # an older table lacks the newer columns
            fields[name] = row[name]
    fields["made_of"] = tuple(str(row.get("made_of", "")).split())
    try:
        for name in _FIGURES:
            fields[name] = _figure(row, name)
        day = str(row.get("observed_on", ""))
        fields["observed_on"] = date.fromisoformat(day) if day else None
        return LabArm.model_validate(fields)
    except ValueError:  # pydantic's ValidationError is one, too
        return None


def _mark_as_brought(arm: LabArm) -> LabArm:
    """The arm, each of whose known figures says that it came with the folder."""
    marked: dict[str, AnyFigure] = {}
    for name in _FIGURES:
        figure: AnyFigure = getattr(arm, name)
        if not isinstance(figure, Unknown):
            marked[name] = figure.model_copy(update={"brought": True})
    return arm.model_copy(update=marked)


def _figure(row: Mapping[str, Scalar], name: str) -> AnyFigure:
    """Read one figure of a row; raises a ValidationError where the cells make no figure."""
    value = _number_or_unknown(row.get(name, _NO_COLUMN.ask))
    if isinstance(value, Unknown):
        return value
    ends = {
        end: _number_or_unknown(row.get(f"{name}_{end}", _NO_COLUMN.ask))
        for end in _ENDS
    }
    grade: Any = row.get(f"{name}_grade", "")
    source = str(row.get(f"{name}_source", ""))
    return Figure(value=value, grade=grade, source=source, **ends)


def _number_or_unknown(cell: Scalar) -> float | Unknown:
    if isinstance(cell, str):
        return Unknown(ask=cell or _NO_COLUMN.ask)
    return cell


# Results of other tools.


def _arms_of_other_tool(
    case: Case, evidence: Mapping[str, Evidence], table: Series
) -> list[LabArm | None]:
    """The prompts and models of a test that another tool ran, where all of them had the same cases.

    None for a row that can't be read as an arm. [] for several tests that share no case, because
    they can't be compared.
    """
    # the table has this column only where its tests share no case
    if "test" in table.columns:
        return []
    best = evidence.get("best_arm_share")
    day = None if best is None else best.observed_on
    return [_imported_arm(case, row, day) for row in _read_table_rows(table)]


def _imported_arm(
    case: Case, row: Mapping[str, Scalar], day: date | None
) -> LabArm | None:
    """Read one row of another tool's results as an arm; None where its quality isn't a share."""
    prompt = str(row.get("prompt", ""))
    model = str(row.get("model", ""))
    title = " · ".join(part for part in (prompt, model) if part) or "the prompt"
    cells: dict[str, Scalar] = {"arm": title, "title": title, "prompt": prompt}
    listed = _listed_model(case, model)
    if listed is None:
        cells["model"] = model
        cells["kind"] = "prompted"  # results don't say which models are tuned
    else:
        cells["model"] = listed.id
        cells["kind"] = listed.kind
    arm = _arm("import", cells | _imported_figures(row))
    if arm is None or not _is_share(arm.quality):
        return None
    return arm.model_copy(update={"observed_on": day})


def _listed_model(case: Case, name: str) -> Model | None:
    """The model that a case lists under this name, or one that may be the same; None without one."""
    for model in case.models:
        if is_same_model(model.id, name):
            return model
    return None


def _imported_figures(row: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The cells of quality, latency and cost, in the form of a lab's table."""
    cases = row.get("cases", "count the cases")
    about = {"cases": cases, "grade": "measured", "source": "results of another tool"}
    # Intervals for all arms together: wider, because the best of several is looked for.
    quality_ends = {
        "low": row.get("low_of_all", "open"),
        "high": row.get("high_of_all", "open"),
    }
    # A percentile of seconds has no interval in these tables.
    seconds = row.get("latency_p95_s", "log `latency_s` with each result")
    latency_ends = {"low": seconds, "high": seconds}
    usd = row.get("usd_per_run", "log `usd` with each result")
    usd_ends = {
        "low": row.get("usd_per_run_low", usd),
        "high": row.get("usd_per_run_high", usd),
    }
    return {
        "quality": row.get("value", ""),
        **_cells_of_figure("quality", about | quality_ends),
        "latency_p95_s": seconds,
        **_cells_of_figure("latency_p95_s", about | latency_ends),
        "usd_per_call": usd,
        **_cells_of_figure("usd_per_call", about | usd_ends),
    }


def _cells_of_figure(figure: str, cells: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {f"{figure}_{name}": cell for name, cell in cells.items()}


def _is_share(figure: AnyFigure) -> bool:
    if isinstance(figure, Unknown):
        return False
    ends = (figure.value, figure.low, figure.high)
    return all(not isinstance(end, Unknown) and 0 <= end <= 1 for end in ends)


# What production runs.


def is_same_model(name: str, other: str) -> bool:
    """Whether two names may be of one model; False for an empty name.

    The provider, a date at the end, and capitals don't count. They may differ because a log has the
    name that the endpoint answered with, and a case has the name that was asked for.
    """
    bare = _bare(name)
    return bool(bare) and bare == _bare(other)


def _bare(name: str) -> str:
    """The name of a model without its provider and its date, in small letters."""
    *_, model = re.split(r"[/:]", name.strip().casefold())
    return _DATED.sub("", model)


def _mark_running(arm: LabArm, running: Evidence | None) -> LabArm:
    """The arm, marked as running where the log shows that production runs it.

    Production runs a prompt file as it is written. An arm that adds anything to its prompt file
    therefore isn't known to be what production runs.
    """
    if running is None or not running.is_known:
        return arm
    if arm.made_of or arm.kind == "no_model":
        return arm  # it adds something, or it has no prompt at all
    prompt = running.details.get("prompt")
    model = str(running.details.get("model", ""))
    same_prompt = bool(arm.prompt) and arm.prompt == prompt
    runs = same_prompt and is_same_model(arm.model, model)
    return arm.model_copy(update={"runs_today": runs})


_GRADES: tuple[FigureGrade, ...] = get_args(FigureGrade)  #: The best one first.


def running_arm(arms: Iterable[LabArm]) -> LabArm | None:
    """The arm that production runs; None where no such arm has a quality.

    Several labs may have run it: then the one that knows its quality by the best grade counts.
    """
    known = [arm for arm in arms if arm.runs_today and _is_share(arm.quality)]
    return min(known, key=lambda arm: _rank_grade(arm.quality), default=None)


def _rank_grade(figure: AnyFigure) -> int:
    if isinstance(figure, Unknown):
        return len(_GRADES)
    return _GRADES.index(figure.grade)
