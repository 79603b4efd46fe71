"""Evaluation sets: JSON lines with one case each.

A file that can't be read, a line that is no case, and a line that is nested too deeply to be
written raise a ``CaseError``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneworthy.errors import CaseError
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text, write_new
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import EvalCase, Split
from tuneworthy.syntax.document import ParsedFile, build, did_you_mean

EVALSET_LIMIT = 256 * MIB  #: Bytes of an evaluation set.


def read_evalset(path: Path) -> tuple[EvalCase, ...]:
    """Read the cases of an evaluation set, in the order of the file; it may be a spreadsheet's CSV."""
    if path.suffix.casefold() in {".csv", ".tsv"}:
        return read_csv(path)
    lines = _objects(path, strict_json, '{"id": …, "input": …}')
    fix = 'write a case a line: {"id": "1", "input": "…", "reference": "…"}'
    return _different(path, ((n, _built(path, n, data)) for n, data in lines), fix)


def _objects(
    path: Path, decode: Callable[[str], Any], form: str
) -> Iterator[tuple[int, Any]]:
    """The object of each line that isn't empty, with the number of the line."""
    lines = enumerate(read_text(path, EVALSET_LIMIT).split("\n"), start=1)
    for number, line in ((number, line) for number, line in lines if line.strip()):
        where = f"{path}:{number}"
        try:
            data = decode(line)
        except (ValueError, RecursionError):
            raise CaseError(
                "is not JSON", where=where, fix="write one object a line"
            ) from None
        if not isinstance(data, dict):
            raise CaseError("is not an object", where=where, fix=f"write {form}")
        yield number, data


_SAME = {
    "input": "question query prompt user_input frage anfrage eingabe",
    "reference": (
        "expected expected_output expected_answer answer ideal gold target ground_truth antwort"
    ),
    "contexts": "context passages retrieved_contexts documents",
    "conversation_id": "conversation session_id thread_id",
}
"""The names that other tools use for the fields of a case, the likelier first."""


def _ours(names: Iterable[str]) -> dict[str, str]:
    """Match other tools' field names to our names, where the file doesn't use our name itself."""
    there = {
        "_".join(name.strip().casefold().replace("-", " ").split()): name
        for name in names
    }
    renamed: dict[str, str] = {}
    for ours, others in _SAME.items():
        theirs = next((there[name] for name in others.split() if name in there), None)
        if ours not in there and theirs is not None:
            renamed[theirs] = ours
    if "messages" in there:
        renamed = {theirs: ours for theirs, ours in renamed.items() if ours != "input"}
    return renamed


def _with_our_names(data: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of a case our names; passages that are plain texts get numbers."""
    renamed = _ours(data)
    data = {renamed.get(name, name): value for name, value in data.items()}
    contexts = data.get("contexts")
    if isinstance(contexts, str):
        contexts = [contexts]
    if isinstance(contexts, list) and any(isinstance(each, str) for each in contexts):
        data["contexts"] = [
            {"id": str(n), "text": each} if isinstance(each, str) else each
            for n, each in enumerate(contexts, start=1)
        ]
    return data


def _built(path: Path, line: int, data: dict[str, Any]) -> EvalCase:
    data = _with_our_names(data)
    if isinstance(data.get("id"), int | float) and not isinstance(data["id"], bool):
        data["id"] = str(data["id"])
    return build(EvalCase, ParsedFile(data, str(path), {(): line}))


def _different(
    path: Path, cases: Iterable[tuple[int, EvalCase]], fix: str
) -> tuple[EvalCase, ...]:
    """Check that there are cases and that each has an id of its own; each comes with its line."""
    by_id: dict[str, EvalCase] = {}
    for line, case in cases:
        if case.id in by_id:
            what = f'id "{case.id[:60]}" appears twice'
            raise CaseError(what, where=f"{path}:{line}", fix="give it another")
        by_id[case.id] = case
    if not by_id:
        raise CaseError("holds no case", where=path, fix=fix)
    return tuple(by_id.values())


def strict_json(text: str) -> Any:
    """Read a JSON text as plain values; refuse numbers that JSON doesn't have, as NaN and 1e999.

    Raises a ``ValueError`` for these and for text that isn't JSON, and a ``RecursionError`` for
    text that is nested too deeply.
    """
    return json.loads(
        text, parse_constant=_parse_finite_number, parse_float=_parse_finite_number
    )


def _parse_finite_number(text: str) -> float:
    """Read a number that can be written again; an infinite number couldn't."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is not JSON")
    return number


def named_evalset(case: Case) -> tuple[EvalCase, ...] | None:
    """The evaluation set that a case names; None where it names none."""
    path = beside(case, "data.evaluation", case.data.evaluation)
    return None if path is None else read_evalset(path)


def write_evalset(path: Path, cases: Iterable[EvalCase]) -> None:
    """Write an evaluation set; a file that is there is not replaced."""
    write_new(path, evalset_text(cases))


def evalset_text(cases: Iterable[EvalCase]) -> str:
    """Write an evaluation set as JSON lines; empty if there are no cases."""
    return "".join(f"{_json_on_a_line(case_values(case))}\n" for case in cases)


def case_values(case: EvalCase, where: str = "") -> dict[str, Any]:
    """A case as plain values without its defaults; an error names ``where``, or else the case's id."""
    try:
        return case.model_dump(mode="json", exclude_defaults=True)
    except (ValueError, RecursionError):
        where = where or f'case "{case.id[:60]}"'
        raise CaseError("is nested too deeply", where=where, fix="flatten it") from None


def split_of(case: EvalCase, *, seed: int = 0, report_share: float = 0.5) -> Split:
    """The part a case belongs to: as it says, else drawn by a seeded hash of its conversation.

    All cases of a conversation fall into the same part, whatever else is in the set.
    ``report_share`` is the share of conversations that are kept for reporting.
    """
    if case.split is not None:
        return case.split
    digest = hashlib.sha256(
        f"{seed} {case.cluster}".encode("utf-8", "surrogatepass")
    ).digest()
    drawn = int.from_bytes(digest[:8], "big") / 2**64
    return "report" if drawn < report_share else "select"


def parted(
    cases: Sequence[EvalCase], *, seed: int = 0
) -> tuple[tuple[EvalCase, ...], tuple[EvalCase, ...]]:
    """Split cases into those to select on and those to report on; no conversation is in both.

    If any case of a conversation says which part it belongs to, the whole conversation goes there.
    """
    marked = {
        case.cluster: case.split for case in reversed(cases) if case.split is not None
    }
    sides: dict[Split, list[EvalCase]] = {"select": [], "report": []}
    for case in cases:
        sides[marked.get(case.cluster) or split_of(case, seed=seed)].append(case)
    return tuple(sides["select"]), tuple(sides["report"])


# Evaluation sets as CSV, for a spreadsheet.

TEXTS = ("id", "input", "reference", "logged", "conversation_id", "split", "weight")
"""The columns that hold plain text."""
JSONS = ("reference_json", "messages", "contexts", "tags", "checks")
"""The columns that hold JSON; tags may also be words with ; between them."""
_FORMULA = re.compile(
    r"'*(?:[\t\r\n]|[\s\x00-\x1f\ufeff]*[=+\-@＝＋－＠])"  # noqa: RUF001  # a spreadsheet takes these too
)
"""The start of a text that a spreadsheet may run as a formula. Some spreadsheets skip leading
characters that show nothing."""


def csv_text(cases: Iterable[EvalCase]) -> str:
    """Write cases as CSV with a heading, one row for each case."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow((*TEXTS, *JSONS))
    for case in cases:
        row = case_values(case)
        if not isinstance(row.get("reference", ""), str) or row.get("reference") == "":
            row["reference_json"] = row.pop("reference")
        texts = [guarded(str(row.get(name, ""))) for name in TEXTS]
        jsons = [
            guarded(_json_on_a_line(row[name])) if name in row else "" for name in JSONS
        ]
        writer.writerow([*texts, *jsons])
    return out.getvalue()


def guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _drop_formula_guard(text: str) -> str:
    if text.startswith("'") and _FORMULA.match(text):
        return text[1:]
    return text


def _json_on_a_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_csv(path: Path) -> tuple[EvalCase, ...]:
    """Read the cases of a CSV with a heading; a row without an id is numbered.

    Columns may stand in any order and may be missing. They are separated by commas, semicolons or
    tabs.
    """
    names, rows = _table(path)
    renamed = _ours(names)
    names = [renamed.get(name, name) for name in names]
    if not {"input", "messages"} & set(names):
        if names:
            fix = did_you_mean(names[0], (*TEXTS, *JSONS))
        else:
            fix = "write input, reference"
        columns = ", ".join(names)[:120]
        raise CaseError(
            f"has no input: its columns are {columns}", where=f"{path}:1", fix=fix
        )
    cases = (
        (line, _case(names, row, number, f"{path}:{line}"))
        for number, (line, row) in enumerate(rows, start=1)
    )
    return _different(path, cases, "write a row for each case")


def _table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names in the heading of a CSV, and its rows, each with the line that it ends on."""
    text = read_text(path, EVALSET_LIMIT)
    csv.field_size_limit(EVALSET_LIMIT)
    head, *_ = text.split("\n", 1)
    sign = max(",;\t", key=head.count)
    rows = _filled_rows(text, sign, path)
    _, heading = next(rows, (0, [""]))
    return [name.strip().lower() for name in heading], rows


def _filled_rows(text: str, sign: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that aren't empty, each with the line that it ends on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    try:
        for row in reader:
            if any(cell for cell in row):
                yield reader.line_num, row
    except csv.Error as caught:
        where = f"{path}:{reader.line_num}"
        fix = "save it as CSV again"
        raise CaseError(f"is not CSV ({caught})", where=where, fix=fix) from None


def _case(
    names: Sequence[str], row: Sequence[str], number: int, where: str
) -> EvalCase:
    """Read one row of a CSV as a case."""
    if len(row) > len(names):
        raise CaseError(
            "has more cells than the heading", where=where, fix="quote its commas"
        )
    cells = {
        name: _drop_formula_guard(cell)
        for name, cell in zip(names, row, strict=False)
        if name in TEXTS or name in JSONS
    }
    data = {
        n: _value(n, cell, where) if n in JSONS else cell
        for n, cell in cells.items()
        if cell
    }
    if "reference_json" in data:
        data["reference"] = data.pop("reference_json")
    if not data.get("messages"):
        data.setdefault("input", cells.get("input"))
    data.setdefault("id", str(number))
    case = build(EvalCase, ParsedFile(data, where))
    case_values(case, where)  # the error for what can't be written again names its line
    return case


def _value(name: str, cell: str, where: str) -> Any:
    """Read a cell of JSON; passages and tags may also be plain text."""
    if name == "contexts" and not cell.lstrip().startswith("["):
        return [{"id": "1", "text": cell}]
    if name == "tags" and not cell.lstrip().startswith("["):
        return [tag.strip() for tag in cell.split(";") if tag.strip()]
    try:
        return strict_json(cell)
    except (ValueError, RecursionError):
        fix = "write it as JSON, or leave it empty"
        raise CaseError(f"{name} is not JSON", where=where, fix=fix) from None


# A table of texts, as CSV for a spreadsheet or as JSON lines.


def table_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Write rows as CSV with a heading; text that a spreadsheet would run as a formula is guarded."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(map(guarded, columns))
    for row in rows:
        writer.writerow([guarded(row.get(column, "")) for column in columns])
    return out.getvalue()


def table_json_lines(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Write rows as JSON lines, each an object with every column."""
    objects = ({column: row.get(column, "") for column in columns} for row in rows)
    return "".join(f"{_json_on_a_line(row)}\n" for row in objects)


def read_table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV or a .jsonl file as texts by column, each with its line.

    A missing cell is empty. A JSON value that isn't a text is written as JSON.

    A cell that is missing is empty; a value of JSON that is no text is written as JSON.

    Raises:
        CaseError: If a line can't be read.
    """
    if path.suffix.lower() == ".jsonl":
        for line, data in _objects(path, strict_json, '{"item": …, "label": …}'):
            yield line, {str(name): _cell_text(value) for name, value in data.items()}
        return
    names, rows = _table(path)
    for line, row in rows:
        if len(row) > len(names):
            fix = "quote its commas"
            raise CaseError(
                "has more cells than the heading", where=f"{path}:{line}", fix=fix
            )
        yield (
            line,
            {
                name: _drop_formula_guard(cell)
                for name, cell in zip(names, row, strict=False)
            },
        )


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json_on_a_line(value)


# Solved examples: cases of an evaluation set, or the conversations that models are tuned on.

_PAIRS = (("prompt", "completion"), ("input", "output"), ("question", "answer"))


def read_examples(path: Path) -> tuple[EvalCase, ...]:
    """Read examples with their answers, in the order of the file, one JSON object on each line.

    A line is one of three things: a case of an evaluation set; ``messages`` whose last one is the
    assistant's, as for tuning; or a pair such as prompt and completion, input and output, or
    question and answer. A line whose answer isn't text, such as a tool call, is left out. An
    example without an id has the number of its line as its id.
    """
    lines = _objects(path, json.loads, '{"input": …, "reference": …}')
    examples = (_example(data, path, number) for number, data in lines)
    return tuple(example for example in examples if example is not None)


def _example(data: dict[str, Any], path: Path, line: int) -> EvalCase | None:
    """Read one line as an example; None where its answer isn't text."""
    for asked, answered in _PAIRS:
        if "reference" not in data and asked in data and answered in data:
            data = {"input": data[asked], "reference": data[answered]}
    if "reference" not in data and isinstance(data.get("messages"), list):
        data = _turns(data["messages"], f"{path}:{line}")
        if not data:
            return None
    return _built(path, line, {"id": f"line {line}", **data})


def _turns(messages: list[Any], where: str) -> dict[str, Any]:
    """Split a conversation into what is asked and what is answered; empty where that isn't text."""
    if not all(
        isinstance(m, dict) and isinstance(m.get("role"), str) for m in messages
    ):
        fix = 'write {"role": "user", "content": "…"}'
        raise CaseError("has a message without a role", where=where, fix=fix)
    texts = [m for m in messages if isinstance(m.get("content"), str)]
    both = ("user", "assistant")
    before = [
        {"role": m["role"], "content": m["content"]}
        for m in texts[:-1]
        if m["role"] in both
    ]
    asked = any(m["role"] == "user" for m in before)
    if not asked or texts[-1] is not messages[-1] or texts[-1]["role"] != "assistant":
        return {}
    return {"messages": before, "reference": texts[-1]["content"]}
