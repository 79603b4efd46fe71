"""Evaluation sets as CSV, for a spreadsheet.

A cell that a spreadsheet would run as a formula gets an apostrophe in front, and loses it when it
is read again. What isn't plain text is written as JSON in a column of its own.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.files.disk import read_text
from tuneworthy.files.evalset import EVALSET_LIMIT, strict_json, told
from tuneworthy.syntax.build import build, did_you_mean
from tuneworthy.syntax.yaml import Document

TEXTS = ("id", "input", "reference", "conversation_id", "split", "weight")
"""Columns of plain text."""
JSONS = ("reference_json", "messages", "contexts", "tags", "checks")
"""Columns of JSON; tags may also be words with ; between them."""
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001  # a spreadsheet takes these too


def csv_text(cases: Iterable[EvalCase]) -> str:
    """Cases as CSV with a heading, one row each.

    Raises:
        CaseError: If a case is nested too deeply.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow((*TEXTS, *JSONS))
    for one in cases:
        row = told(one)
        if not isinstance(row.get("reference", ""), str) or row.get("reference") == "":
            row["reference_json"] = row.pop("reference")
        texts = [_guarded(str(row.get(name, ""))) for name in TEXTS]
        jsons = [_guarded(_dumped(row[name])) if name in row else "" for name in JSONS]
        writer.writerow([*texts, *jsons])
    return out.getvalue()


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_csv(path: Path) -> tuple[EvalCase, ...]:
    """Cases of a CSV with a heading; a row without an id is numbered.

    Columns may stand in any order and be missing; commas, semicolons or tabs part them.

    Raises:
        CaseError: If it can't be read, a column isn't known, or a row is no case.
    """
    text = read_text(path, EVALSET_LIMIT, CaseError)
    csv.field_size_limit(EVALSET_LIMIT)
    head, *_ = text.split("\n", 1)
    sign = max(",;\t", key=head.count)
    rows = _rows(text, sign, path)
    names = [name.strip().lower() for name in next(rows, (0, [""]))[1]]
    for name in names:
        if name not in (*TEXTS, *JSONS):
            fix = did_you_mean(name, (*TEXTS, *JSONS))
            raise CaseError(f'has a column "{name[:40]}"', where=f"{path}:1", fix=fix)
    found: dict[str, EvalCase] = {}
    for number, (line, row) in enumerate(rows, start=1):
        one = _case(names, row, number, f"{path}:{line}")
        if one.id in found:
            fix = "give it another"
            raise CaseError(f'id "{one.id[:60]}" stands twice', where=f"{path}:{line}", fix=fix)
        found[one.id] = one
    if not found:
        raise CaseError("holds no case", where=str(path), fix="write a row for each case")
    return tuple(found.values())


def _rows(text: str, sign: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with the line it ends on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    try:
        for row in reader:
            if any(cell for cell in row):
                yield reader.line_num, row
    except csv.Error as caught:
        where = f"{path}:{reader.line_num}"
        fix = "save it as CSV again"
        raise CaseError(f"is no CSV ({caught})", where=where, fix=fix) from None


def _case(names: Sequence[str], row: Sequence[str], number: int, where: str) -> EvalCase:
    if len(row) > len(names):
        raise CaseError("has more cells than the heading", where=where, fix="quote its commas")
    cells = {name: _unguarded(cell) for name, cell in zip(names, row, strict=False)}
    data: dict[str, Any] = {
        name: value for name, value in cells.items() if name in TEXTS and value != ""
    }
    for name in JSONS:
        if cells.get(name):
            data[name] = _value(name, cells[name], where)
    if "reference_json" in data:
        data["reference"] = data.pop("reference_json")
    if not data.get("messages"):
        data.setdefault("input", cells.get("input"))
    data.setdefault("id", str(number))
    one = build(EvalCase, Document(data, where), CaseError)
    told(one, where)  # what can't be written again is told with its line
    return one


def _value(name: str, cell: str, where: str) -> Any:
    if name == "tags" and not cell.lstrip().startswith("["):
        return [tag.strip() for tag in cell.split(";") if tag.strip()]
    try:
        return strict_json(cell)
    except (ValueError, RecursionError):
        fix = "write it as JSON, or leave it empty"
        raise CaseError(f"{name} is no JSON", where=where, fix=fix) from None
