"""Evaluation sets: JSON lines, one case each."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.evalset import EvalCase, Split
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text, write_new
from tuneworthy.syntax.build import build
from tuneworthy.syntax.yaml import Document

EVALSET_LIMIT = 256 * MIB
"""Bytes of an evaluation set."""


def read_evalset(path: Path) -> tuple[EvalCase, ...]:
    """The cases of an evaluation set, in the order of the file.

    Raises:
        CaseError: If it can't be read, a line is no case, an id stands twice, or there is none.
    """
    text = read_text(path, EVALSET_LIMIT, CaseError)
    found: dict[str, EvalCase] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        one = _case(line, f"{path}:{number}")
        if one.id in found:
            raise CaseError(
                f'id "{one.id[:60]}" stands twice', where=f"{path}:{number}", fix="give it another"
            )
        found[one.id] = one
    if not found:
        fix = 'write a case a line: {"id": "1", "input": "…", "reference": "…"}'
        raise CaseError("holds no case", where=str(path), fix=fix)
    return tuple(found.values())


def _case(line: str, where: str) -> EvalCase:
    try:
        data: Any = strict_json(line)
    except (ValueError, RecursionError):
        raise CaseError("is no JSON", where=where, fix="write one object a line") from None
    if not isinstance(data, dict):
        raise CaseError("is no object", where=where, fix='write {"id": …, "input": …}')
    if isinstance(data.get("id"), int | float) and not isinstance(data["id"], bool):
        data["id"] = str(data["id"])
    name, _, number = where.rpartition(":")
    return build(EvalCase, Document(data, name, {(): int(number)}), CaseError)


def strict_json(text: str) -> Any:
    """A JSON text as plain values; numbers that JSON has none of, as NaN and 1e999, are refused.

    Raises:
        ValueError: If it is no JSON.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(text, parse_constant=_no_number, parse_float=_number)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> float:
    """A number that can be written again: an infinite one would become none."""
    found = float(text)
    return found if math.isfinite(found) else _no_number(text)


def named_evalset(case: Case) -> tuple[EvalCase, ...] | None:
    """The evaluation set a case names; None where it names none.

    Raises:
        CaseError: If it can't be read or lies outside the case folder.
    """
    path = beside(case, "data.evaluation", case.data.evaluation)
    return None if path is None else read_evalset(path)


def write_evalset(path: Path, cases: Iterable[EvalCase], *, force: bool = False) -> None:
    """Write an evaluation set; nothing that is there is replaced unless ``force`` says so.

    Raises:
        CaseError: If a case is nested too deeply.
        OutputError: If it can't be written.
    """
    write_new(path, evalset_text(cases), force=force)


def evalset_text(cases: Iterable[EvalCase]) -> str:
    """An evaluation set as JSON lines; empty for no case.

    Raises:
        CaseError: If a case is nested too deeply.
    """
    return "".join(_line(one) for one in cases)


def _line(one: EvalCase) -> str:
    return json.dumps(told(one), ensure_ascii=False, allow_nan=False) + "\n"


def told(one: EvalCase, where: str = "") -> dict[str, Any]:
    """A case as plain values, without what is as it would be anyway.

    Args:
        one: The case.
        where: File and line, for an error; the case's id where none is given.

    Raises:
        CaseError: If it is nested too deeply to be written.
    """
    try:
        return one.model_dump(mode="json", exclude_defaults=True)
    except (ValueError, RecursionError):
        where = where or f'case "{one.id[:60]}"'
        raise CaseError("is nested too deeply", where=where, fix="flatten it") from None


def split_of(one: EvalCase, *, seed: int = 0, report_share: float = 0.5) -> Split:
    """What a case may be used for: as it says, else drawn by a hash of its conversation.

    All cases of a conversation fall on one side, whatever else is in the set.

    Args:
        one: The case.
        seed: Another seed, another draw.
        report_share: Share of conversations kept for reporting.
    """
    if one.split is not None:
        return one.split
    told = hashlib.sha256(f"{seed} {one.cluster}".encode("utf-8", "surrogatepass")).digest()
    drawn = int.from_bytes(told[:8], "big") / 2**64
    return "report" if drawn < report_share else "select"


def parted(
    cases: Sequence[EvalCase], *, seed: int = 0, report_share: float = 0.5
) -> tuple[tuple[EvalCase, ...], tuple[EvalCase, ...]]:
    """Cases to select on, and cases to report on; no conversation is in both.

    A conversation of which any case is marked goes where that case says.
    """
    marked: dict[str, Split] = {}
    for one in cases:
        if one.split is not None:
            marked.setdefault(one.cluster, one.split)
    sides = [
        marked.get(one.cluster) or split_of(one, seed=seed, report_share=report_share)
        for one in cases
    ]
    pairs = list(zip(cases, sides, strict=True))
    return (
        tuple(one for one, side in pairs if side == "select"),
        tuple(one for one, side in pairs if side == "report"),
    )
