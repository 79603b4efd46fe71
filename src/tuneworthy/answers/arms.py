"""The results of labs' arms, as they are kept beside a case.

A lab writes its arms as one ``Series`` of its run in the ledger. Each lab has a table of its own,
and the newest table of each lab counts. A cell holds a number, a word, or, where a number isn't
known, the text that says what would settle it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any, get_args

from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case
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
    """Write the arms of one run of a lab as a table."""
    rows = [_cells(arm) for arm in arms]
    names = list(dict.fromkeys(chain.from_iterable(rows)))
    columns = {name: tuple(row[name] for row in rows) for name in names}
    return Series(id=table_name(lab), columns=columns)


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
    if isinstance(figure, Unknown):
        nothing = dict.fromkeys((*_ENDS, "grade", "source"), "")
        return {name: figure.ask, **_cells_of_figure(name, nothing)}
    cells: dict[str, Scalar] = {end: _cell(getattr(figure, end)) for end in _ENDS}
    cells |= {"grade": figure.grade, "source": figure.source}
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
            own = filter(None, (_arm(lab, row) for row in _read_table_rows(table)))
            arms += (_mark_as_brought(arm) if table.brought else arm for arm in own)
    if IMPORTED in tables:
        imported = _arms_of_other_tool(case, evidence, tables[IMPORTED])
        brought = tables[IMPORTED].brought
        arms += (_mark_as_brought(arm) if brought else arm for arm in imported)
    running = evidence.get(RUNNING)
    return tuple(_mark_running(arm, running) for arm in arms)


def _read_table_rows(table: Series) -> Iterator[dict[str, Scalar]]:
    """The rows of a table; there are as many as its shortest column has cells."""
    length = min((len(column) for column in table.columns.values()), default=0)
    for place in range(length):
        yield {name: column[place] for name, column in table.columns.items()}


def _arm(lab: LabName, row: Mapping[str, Scalar]) -> LabArm | None:
    """Read an arm from its row; None where the row describes no arm."""
    fields: dict[str, Any] = {"id": row.get("arm"), "lab": lab}
    fields |= {name: row[name] for name in _WORDS if name in row}
    fields["made_of"] = tuple(str(row.get("made_of", "")).split())
    try:
        figures = {name: _figure(row, name) for name in _FIGURES}
        day = str(row.get("observed_on", ""))
        fields["observed_on"] = date.fromisoformat(day) if day else None
        return LabArm.model_validate(fields | figures)
    except ValueError:  # pydantic's own is one
        return None


def _mark_as_brought(arm: LabArm) -> LabArm:
    """The arm with figures that say that they came with the folder."""
    figures = {name: getattr(arm, name) for name in _FIGURES}
    marked = {
        name: figure.model_copy(update={"brought": True})
        for name, figure in figures.items()
        if not isinstance(figure, Unknown)
    }
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
) -> list[LabArm]:
    """The prompts and models of a test that another tool ran, where all of them had the same cases.

    Several tests that share no case can't be compared, so they give no arms. Scores outside 0 to 1
    are no shares, so they give none either.
    """
    best = evidence.get("best_arm_share")
    day = best.observed_on if best is not None else None
    arms = list[LabArm]()
    for row in _read_table_rows(table) if "test" not in table.columns else ():
        arm = _imported_arm(case, row, day)
        if arm is not None:
            arms.append(arm)
    return arms


def _imported_arm(
    case: Case, row: Mapping[str, Scalar], day: date | None
) -> LabArm | None:
    """Read one row of another tool's results as an arm; None where its quality isn't a share."""
    prompt = str(row.get("prompt", ""))
    model = str(row.get("model", ""))
    listed = next((each for each in case.models if is_same_model(each.id, model)), None)
    title = " · ".join(filter(None, (prompt, model))) or "the prompt"
    cases = row.get("cases", "count the cases")
    about = {"cases": cases, "grade": "measured", "source": "results of another tool"}
    ends = {
        "low": row.get("low_of_all", "open"),
        "high": row.get("high_of_all", "open"),
    }
    quality = {
        "quality": row.get("value", ""),
        **_cells_of_figure("quality", about | ends),
    }
    cells: dict[str, Scalar] = {"arm": title, "title": title, "prompt": prompt}
    cells["model"] = model if listed is None else listed.id
    if listed is not None and listed.kind == "tuned":
        cells["kind"] = "tuned"
    else:
        cells["kind"] = "prompted"
    seconds = row.get("latency_p95_s", "log `latency_s` with each result")
    usd = row.get("usd_per_run", "log `usd` with each result")
    usd_ends = {end: row.get(f"usd_per_run_{end}", usd) for end in ("low", "high")}
    cells |= quality
    cells |= {
        "latency_p95_s": seconds,
        **_cells_of_figure("latency_p95_s", _point(seconds) | about),
    }
    cells |= {"usd_per_call": usd, **_cells_of_figure("usd_per_call", usd_ends | about)}
    arm = _arm("import", cells)
    if arm is None or not _is_share(arm.quality):
        return None
    return arm.model_copy(update={"observed_on": day})


def _cells_of_figure(figure: str, cells: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {f"{figure}_{name}": cell for name, cell in cells.items()}


def _point(cell: Scalar) -> dict[str, Scalar]:
    """The cell of a number that has no interval."""
    return {"low": cell, "high": cell}


def _is_share(figure: AnyFigure) -> bool:
    if isinstance(figure, Unknown):
        return False
    ends = (figure.value, figure.low, figure.high)
    return all(not isinstance(end, Unknown) and 0 <= end <= 1 for end in ends)


# What production runs.


def is_same_model(name: str, other: str) -> bool:
    """Whether two names may be of one model.

    The provider, a date at the end, and capitals don't count. They may differ because a log has the
    name that the endpoint answered with, and a case has the name that was asked for.
    """
    bare = _bare(name)
    return bool(bare) and bare == _bare(other)


def _bare(name: str) -> str:
    return _DATED.sub("", re.split(r"[/:]", name.strip().casefold())[-1])


def _mark_running(arm: LabArm, running: Evidence | None) -> LabArm:
    """The arm, marked as running where the log shows that production runs it.

    Production runs a prompt file as it is written. An arm that adds anything to its prompt file
    therefore isn't known to be what production runs.
    """
    if running is None or not running.is_known or arm.made_of or arm.kind == "no_model":
        return arm
    prompt = running.details.get("prompt")
    model = str(running.details.get("model", ""))
    runs = bool(arm.prompt) and arm.prompt == prompt and is_same_model(arm.model, model)
    return arm.model_copy(update={"runs_today": runs})


_GRADES: tuple[FigureGrade, ...] = get_args(FigureGrade)


def running_arm(arms: Iterable[LabArm]) -> LabArm | None:
    """The arm that production runs; of several the one with the best grade of quality, else None."""
    known = [arm for arm in arms if arm.runs_today and _is_share(arm.quality)]
    return min(known, key=lambda arm: _rank_grade(arm.quality), default=None)


def _rank_grade(figure: AnyFigure) -> int:
    if isinstance(figure, Unknown):
        return len(_GRADES)
    return _GRADES.index(figure.grade)
