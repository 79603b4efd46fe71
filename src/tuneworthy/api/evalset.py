"""Evaluation sets: drawn from traces, written beside the case."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneworthy.api.road import framework_of, load_case
from tuneworthy.domain.case import Case
from tuneworthy.domain.drawing import Drawn, Precision
from tuneworthy.domain.errors import CaseError, InputError, OutputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.traces import Batch
from tuneworthy.files.evalset import parted, write_evalset
from tuneworthy.report.evalset import Page, evalset_page
from tuneworthy.stats.intervals import cases_to_exclude, wilson

Progress = Callable[[int, int, int], None]
"""Told bytes read, bytes in all, and traces so far."""

SET_FILE = "eval.jsonl"
"""What a new set is called, beside the case file."""
CASES = 200
"""Cases of a set where nothing is said."""
BELOW = 0.05
"""How far under the target a score is told apart from it, where no present score is known."""


@dataclass(frozen=True, slots=True)
class Built:
    """A set that was drawn and written."""

    drawn: Drawn
    path: Path
    page: Page


def build(
    source: str | Path,
    sources: Sequence[str] = (),
    *,
    n: int = CASES,
    seed: int = 0,
    output: str | Path | None = None,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
) -> Built:
    """Draw an evaluation set from traces and write it; nothing that is there is replaced.

    Args:
        source: The case.
        sources: Files, patterns, folders or addresses in place of the case's traces; ``traces``
            alone stands for those, unless something bears that name.
        n: About how many cases: conversations stay whole.
        seed: Another seed, another draw.
        output: Where; ``eval.jsonl`` beside the case when not given.
        mapping: File that says where our fields stand in their records.
        progress: Told how far reading has come.

    Raises:
        InputError: If something can't be read, there is nothing to draw from, or the file exists.
    """
    case = load_case(source)
    path = _target(case, output)
    drawn = _drawn(case, sources, n, seed, mapping, progress)
    if not drawn.cases:
        fix = "log `input`, what was asked, or messages"
        raise InputError("no trace says what was asked", where=str(source), fix=fix)
    write_evalset(path, drawn.cases)
    return Built(drawn, path, _page(case, source, drawn, path))


def render(built: Built, *, colour: bool = False) -> str:
    """What was drawn, what was done to it, and how sure a score on it can be."""
    return evalset_page(built.page, colour=colour)


def precision(cases: Sequence[EvalCase], expected: float) -> Precision:
    """How sure a score on some cases can be, each conversation taken for one case.

    Args:
        cases: The cases, with their weights.
        expected: The share right that is assumed.
    """
    weights: dict[str, float] = {}
    for one in cases:
        weights[one.cluster] = weights.get(one.cluster, 0.0) + one.weight
    squares = sum(weight**2 for weight in weights.values())
    independent = sum(weights.values()) ** 2 / squares if squares else 0.0
    low, high = wilson(expected * independent, independent)
    return Precision(cases=len(cases), worth=independent, expected=expected, low=low, high=high)


def _target(case: Case, output: str | Path | None) -> Path:
    if output is None and case.folder is None:
        raise OutputError("has no folder", where=case.name, fix="name a file with --output")
    path = Path(output) if output is not None else Path(case.folder or ".") / SET_FILE
    if os.path.lexists(path):
        fix = "name another file with --output, or move it away"
        raise OutputError("exists already", where=str(path), fix=fix)
    return path


def _drawn(
    case: Case, sources: Sequence[str], n: int, seed: int, mapping: str | Path | None,
    progress: Progress | None,
) -> Drawn:  # fmt: skip
    try:
        from tuneworthy.files.materials import read_materials
        from tuneworthy.files.traces.mapping import read_mapping
        from tuneworthy.files.traces.read import read
        from tuneworthy.files.traces.sources import named
        from tuneworthy.gather.duplicates import ALIKE
        from tuneworthy.gather.evalset import build_evalset
    except ImportError as lacking:
        fix = "install it: pip install 'tuneworthy[traces]'"
        raise InputError(f"reading traces needs {lacking.name}", fix=fix) from None
    own = tuple(sources) == ("traces",) and not os.path.lexists("traces")
    chosen: list[str | Path] = [*(() if own else sources)] or [*named(case, "traces")]
    if not chosen:
        fix = "name them under data.traces, or give --from FILE"
        where = case.where("data", "traces") if case.folder else ""
        raise CaseError("there are no traces to draw from", where=where, fix=fix)
    files = read(chosen, mapping=None if mapping is None else read_mapping(Path(mapping)))

    def batches() -> Iterator[Batch]:
        seen = 0
        for chunk in files:
            seen += len(chunk.batch)
            if progress is not None:
                progress(chunk.done_bytes, chunk.total_bytes, seen)
            yield chunk.batch

    near = framework_of(case, None).threshold("near_copy")
    schema = read_materials(case).output_schema
    alike = ALIKE if near is None else near
    return build_evalset(batches(), n=n, seed=seed, schema=schema, alike=alike)


def _page(case: Case, source: str | Path, drawn: Drawn, path: Path) -> Page:
    quality = case.targets.quality
    target = quality.at_least if quality else None
    now = case.today.quality
    expected, by = now, "today.quality"
    if expected is None and target is not None:
        expected, by = max(0.0, target - BELOW), "target"
    if expected is None:
        expected, by = 0.5, ""
    report = precision(parted(drawn.cases)[1], expected)
    needed = None if target is None else cases_to_exclude(expected, target)
    if needed is not None and report.worth:
        needed = round(needed / report.worth * len(drawn.cases))
    return Page(
        drawn=drawn,
        path=str(path),
        folder=str(source),
        entry=_entry(case, path),
        expected_by=by,
        target=target,
        whole=precision(drawn.cases, expected),
        report=report,
        needed=needed,
    )


def _entry(case: Case, path: Path) -> str | None:
    """How the case names the file; None where it lies outside of its folder."""
    if case.folder is None:
        return None
    try:
        return path.resolve().relative_to(case.folder.resolve()).as_posix()
    except (OSError, ValueError):
        return None
