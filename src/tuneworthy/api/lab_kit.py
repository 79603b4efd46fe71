"""What requests and scorers of a lab are made from, beside the case file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tuneworthy.domain.calls import canonical_json
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.materials import Materials
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalset import parted
from tuneworthy.files.examples import read_examples
from tuneworthy.labs.pool import answer_text
from tuneworthy.scoring import Kit


def examples_of(case: Case, cases: tuple[EvalCase, ...], seed: int) -> tuple[EvalCase, ...]:
    """Solved cases to show: the team's examples, else the cases for selecting."""
    held = case.data.examples
    path = beside(case, "data.examples", held.path if held else None)
    if path is not None and path.is_file():
        return read_examples(path)
    return parted(cases, seed=seed)[0]


def kit_of(
    case: Case, materials: Materials, cases: tuple[EvalCase, ...], *, allow_code: bool
) -> Kit:
    """What scorers are made from; a file they name is read beside the case and nowhere else."""

    def read(name: str) -> str:
        path = beside(case, "data.evaluation", name)
        if path is None:
            raise CaseError("has no folder", where=case.name, fix="keep the case in a folder")
        return read_text(path, MIB, CaseError)

    return Kit(
        materials=materials, labels=_labels(cases), read=read, folder=case.folder,
        allow_code=allow_code,
    )  # fmt: skip


def _labels(cases: tuple[EvalCase, ...]) -> tuple[str, ...]:
    """The answers there are, where they are few and short enough to be labels."""
    told = [one for one in cases if one.accepted]
    found = sorted({answer_text(each) for one in told for each in one.accepted})
    short = all(isinstance(a, str) and 0 < len(a) <= 80 for one in told for a in one.accepted)
    return tuple(found) if short and len(found) <= min(200, max(2, len(told) // 2)) else ()


def as_written(schema: Mapping[str, Any]) -> str:
    """A schema as text, its keys in the order of the file: constrained output is written in it."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def grammar_of(labels: tuple[str, ...]) -> str | None:
    """A grammar that allows nothing but the labels; None where answers are no labels."""
    if not labels:
        return None
    return "root ::= " + " | ".join(canonical_json(label) for label in labels)
