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
    objects = _objects(path, strict_json, '{"id": …, "input": …}')
    cases = ((line, _built(path, line, data)) for line, data in objects)
    fix = 'write a case a line: {"id": "1", "input": "…", "reference": "…"}'
    return _different(path, cases, fix)


def _objects(
    path: Path, decode: Callable[[str], Any], form: str
) -> Iterator[tuple[int, Any]]:
    """The object of each line that isn't empty, with the number of the line.

    ``form`` is an object as it should be, for errors.
    """
    lines = read_text(path, EVALSET_LIMIT).split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            data = decode(line)
        except (ValueError, RecursionError):
            fix = "write one object a line"
            raise CaseError("is not JSON", where=where, fix=fix) from None
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
    by_plain_name = {_plain_name(name): name for name in names}
    renamed: dict[str, str] = {}
    for ours, usual_names in _SAME.items():
        if ours in by_plain_name:
            continue
        # Messages say what is asked, and then another field is no second input.
        if ours == "input" and "messages" in by_plain_name:
            continue
        for usual in usual_names.split():
            if usual in by_plain_name:
                renamed[by_plain_name[usual]] = ours
                break
    return renamed


def _plain_name(name: str) -> str:
    """A field's name in small letters with low lines: ``Expected-Output`` is ``expected_output``."""
    return "_".join(name.strip().casefold().replace("-", " ").split())


def _with_our_names(data: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of a case our names; passages that are plain texts get numbers."""
    renamed = _ours(data)
    data = {renamed.get(name, name): value for name, value in data.items()}
    contexts = data.get("contexts")
    if isinstance(contexts, str):
        contexts = [contexts]
    if isinstance(contexts, list):
        passages = enumerate(contexts, start=1)
        data["contexts"] = [_passage(number, each) for number, each in passages]
    return data


def _passage(number: int, passage: Any) -> Any:
    """A passage that is a plain text, with its number as its id; any other as it is."""
    if isinstance(passage, str):
        return {"id": str(number), "text": passage}
    return passage


def _built(path: Path, line: int, data: dict[str, Any]) -> EvalCase:
    """A case from the object on a line. A number may be its id, and true or false may not."""
    data = _with_our_names(data)
    id_ = data.get("id")
    if isinstance(id_, int | float) and not isinstance(id_, bool):
        data["id"] = str(id_)
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
    finite = _parse_finite_number
    return json.loads(text, parse_constant=finite, parse_float=finite)


def _parse_finite_number(text: str) -> float:
    """Read a number that can be written again; an infinite number couldn't."""
    number = float(text)
    if not math.isfinite(number):
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
    # A text from JSON may hold half a character, which UTF-8 refuses without this word.
    name = f"{seed} {case.cluster}".encode("utf-8", "surrogatepass")
    # The first eight bytes of a hash are a whole number that is uniform below 2 to the 64.
    drawn = int.from_bytes(hashlib.sha256(name).digest()[:8], "big") / 2**64
    return "report" if drawn < report_share else "select"


def parted(
    cases: Sequence[EvalCase], *, seed: int = 0
) -> tuple[tuple[EvalCase, ...], tuple[EvalCase, ...]]:
    """Split cases into those to select on and those to report on; no conversation is in both.

    If any case of a conversation says which part it belongs to, the whole conversation goes there;
    the first such case counts.
    """
    stated: dict[str, Split] = {}
    for case in cases:
        if case.split is not None:
            stated.setdefault(case.cluster, case.split)
    select: list[EvalCase] = []
    report: list[EvalCase] = []
    for case in cases:
        split = stated.get(case.cluster)
        if split is None:
            split = split_of(case, seed=seed)
        if split == "select":
            select.append(case)
        else:
            report.append(case)
    return tuple(select), tuple(report)


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
        reference = row.get("reference")
        # An empty text stands as JSON, too: an empty cell means that there is none.
        if "reference" in row and (not isinstance(reference, str) or not reference):
            row["reference_json"] = row.pop("reference")
        cells = [str(row.get(name, "")) for name in TEXTS]
        cells += [_json_on_a_line(row[name]) if name in row else "" for name in JSONS]
        writer.writerow([guarded(cell) for cell in cells])
    return out.getvalue()


def guarded(text: str) -> str:
    """A text that no spreadsheet runs as a formula: one that looks like it gets an apostrophe."""
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
    if "input" not in names and "messages" not in names:
        fix = "write input, reference"
        if names:
            fix = did_you_mean(names[0], (*TEXTS, *JSONS))
        what = f"has no input: its columns are {', '.join(names)[:120]}"
        raise CaseError(what, where=f"{path}:1", fix=fix)
    cases: list[tuple[int, EvalCase]] = []
    for number, (line, row) in enumerate(rows, start=1):
        cases.append((line, _case(names, row, number, f"{path}:{line}")))
    return _different(path, cases, "write a row for each case")


def _table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names in the heading of a CSV, and its rows, each with the line that it ends on."""
    text = read_text(path, EVALSET_LIMIT)
    csv.field_size_limit(EVALSET_LIMIT)  # a cell may be as large as the file
    first_line, _, _ = text.partition("\n")
    sign = max(",;\t", key=first_line.count)  # the heading shows what separates cells
    rows = _filled_rows(text, sign, path)
    first = next(rows, None)
    if first is None:
        return [""], rows
    _, heading = first
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
    """Read one row of a CSV as a case; ``number`` is its id where it has none."""
    _refuse_more_cells(names, row, where)
    cells = _cells_by_name(names, row)
    data: dict[str, Any] = {}
    for name, cell in cells.items():
        if cell and name in JSONS:
            data[name] = _value(name, cell, where)
        elif cell and name in TEXTS:
            data[name] = cell
    if "reference_json" in data:
        data["reference"] = data.pop("reference_json")
    if not data.get("messages"):
        # an empty one, so that the error says that it is missing
        data.setdefault("input", cells.get("input"))
    data.setdefault("id", str(number))
    case = build(EvalCase, ParsedFile(data, where))
    case_values(case, where)  # the error for what can't be written again names its line
    return case


def _refuse_more_cells(names: Sequence[str], row: Sequence[str], where: str) -> None:
    """Refuse a row that is longer than the heading: a comma in a text parted it."""
    if len(row) > len(names):
        what = "has more cells than the heading"
        raise CaseError(what, where=where, fix="quote its commas")


def _cells_by_name(names: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """The texts in a row by column. A row may be shorter than the heading."""
    pairs = zip(names, row, strict=False)
    return {name: _drop_formula_guard(cell) for name, cell in pairs}


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

    Raises:
        CaseError: If a line can't be read.
    """
    if path.suffix.lower() == ".jsonl":
        for line, data in _objects(path, strict_json, '{"item": …, "label": …}'):
            yield line, {str(name): _cell_text(value) for name, value in data.items()}
        return
    names, rows = _table(path)
    for line, row in rows:
        _refuse_more_cells(names, row, f"{path}:{line}")
        yield line, _cells_by_name(names, row)


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
    pair = _pair_in(data)
    if "reference" in data:
        example = data
    elif pair:
        example = pair
    elif isinstance(data.get("messages"), list):
        example = _turns(data["messages"], f"{path}:{line}")
        if not example:
            return None
    else:  # what is missing is said when the case is built
        example = data
    return _built(path, line, {"id": f"line {line}", **example})


def _pair_in(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked and what is answered, under any of the usual names for both; {} without these."""
    for question, answer in _PAIRS:
        if question in data and answer in data:
            return {"input": data[question], "reference": data[answer]}
    return {}


def _turns(messages: list[Any], where: str) -> dict[str, Any]:
    """Split a conversation into what is asked and what is answered; empty where that isn't text."""
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            what = "has a message without a role"
            fix = 'write {"role": "user", "content": "…"}'
            raise CaseError(what, where=where, fix=fix)
    if not messages:
        return {}
    *before, answer = messages
    if answer["role"] != "assistant" or not isinstance(answer.get("content"), str):
        return {}
    turns: list[dict[str, str]] = []
    for message in before:
        # A system prompt and the outputs of tools are no part of what is asked.
        is_text = isinstance(message.get("content"), str)
        if is_text and message["role"] in ("user", "assistant"):
            turns.append({"role": message["role"], "content": message["content"]})
    if not any(turn["role"] == "user" for turn in turns):
        return {}
    return {"messages": turns, "reference": answer["content"]}
