"""Evidence from what a team already has: traces, and results of other tools."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tuneworthy.api.road import decide, framework_of, load_case, today
from tuneworthy.api.seen import answers, appendix, list_price, models
from tuneworthy.api.start import start_case
from tuneworthy.assess.weigh import examples_need
from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.domain.evidence import Evidence, Measured, Reading, Series
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.traces import Batch
from tuneworthy.files.case import case_path
from tuneworthy.files.disk import made_whole
from tuneworthy.files.edit import add_to_case, write_answers
from tuneworthy.files.evidence import append_evidence
from tuneworthy.report.measure import Found, measure_dict, measure_page, quick_page

if TYPE_CHECKING:
    from tuneworthy.files.traces.mapping import FieldMap
    from tuneworthy.gather.signals.base import Signal

MEASURES = 1
"""Version of the measures: a change in what a signal says counts as other inputs."""

_EXTRA = frozenset({"blake3", "duckdb", "jsonschema_rs", "msgspec", "rensa", "zstandard"})

Progress = Callable[[int, int, int], None]
"""Told bytes read, bytes in all, and traces so far."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of ``measure``."""

    measured: Measured
    added: bool
    """False where the last run had measured the same."""
    dossier: Dossier
    """The case as it stands with it."""
    before: Dossier | None
    """And as it stood without; None for a case that was made for it."""
    folder: str
    """How to name the case on the command line."""
    framework: Framework


def measure_case(
    source: str | Path,
    sources: Sequence[str] = (),
    *,
    mapping: str | Path | None = None,
    chosen: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Measure what a case names, or other files for it, and add the evidence to its ledger.

    Args:
        source: The case.
        sources: Files, patterns, folders or addresses to read in place of what the case names.
        mapping: File that says where our fields stand in their records.
        chosen: Framework; the case's own or the lesson when not given.
        progress: Told how far reading has come.

    Returns:
        What was measured, and the verdict before and after.

    Raises:
        InputError: If something can't be read, or there is nothing to read.
    """
    case = load_case(source)
    framework = framework_of(case, chosen)
    before = decide(case, framework)
    measured = _measured(case, framework, sources, mapping, progress)
    added = append_evidence(case, measured)
    after = decide(case, framework)
    return Run(measured, added, after, before, str(source), framework)


def measure_new(
    sources: Sequence[str],
    *,
    folder: str | Path | None = None,
    mapping: str | Path | None = None,
    chosen: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Make a case folder from traces or results alone, with what they show filled in.

    Args:
        sources: What to read.
        folder: Where; in the present folder, named after the first file, when not given.
        mapping: File that says where our fields stand in their records.
        chosen: Framework whose questions the case asks.
        progress: Told how far reading has come.

    Raises:
        InputError: If something can't be read, or the folder is there already. Then, and when it
            is interrupted, nothing is left behind.
    """
    target = Path(folder) if folder is not None else Path(f"{_stem(sources)}-case")
    if os.path.lexists(target):
        holds = os.path.lexists(case_path(target))
        given = [str(target), "--from", sources[0]]
        given += [] if mapping is None else ["--map", str(mapping)]
        add = f"add to it: tuneworthy measure {shlex.join(given)}"
        fix = add if holds else "move it away, or run this in another folder"
        what = "holds a case already" if holds else "exists already"
        raise InputError(what, where=str(target), fix=fix)
    name = _stem(sources).replace("-", " ").replace("_", " ").strip()[:100]
    name = name[:1].upper() + name[1:]
    draft = load_case({"name": name or "Measured"})
    framework = framework_of(draft, chosen)
    measured = _measured(draft, framework, sources, mapping, progress)
    day = today()
    with made_whole(target) as place:
        start_case(place, name or "Measured", chosen)
        add_to_case(place, appendix(measured, day))
        write_answers(place, answers(measured, framework))
        append_evidence(load_case(place), measured)
    case = load_case(target)
    return Run(measured, True, decide(case, framework), None, str(target), framework)


def render(run: Run, form: str = "text", *, examples: bool = False, colour: bool = False) -> str:
    """What was measured, as ``text`` or ``json``."""
    day = run.dossier.as_of
    asked = run.framework.ceiling.items()
    found = Found(
        measured=run.measured,
        added=run.added,
        dossier=run.dossier,
        before=run.before,
        folder=run.folder,
        price=list_price(run.measured, day),
        models=tuple(each.name for each in models(run.measured, day)),
        wanted={name: check.at_least for name, check in asked if check.at_least is not None},
    )
    if form == "json":
        return measure_dict(found)
    page = quick_page if run.before is None else measure_page
    return page(found, examples=examples, colour=colour)


def _stem(sources: Sequence[str]) -> str:
    """A plain name for a folder, after the first source."""
    first = sources[0].rstrip("/").rpartition("/")[2]
    plain = re.sub(
        r"(\.(jsonl?|eval|csv|parquet|gz|zst|ndjson|txt))+$", "", first, flags=re.IGNORECASE
    )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.")[:60] or "measured"


@contextmanager
def _extra_needed() -> Iterator[None]:
    """A library of the extra that is missing is one line with what to install."""
    try:
        yield
    except ModuleNotFoundError as caught:
        if (caught.name or "").partition(".")[0] not in _EXTRA:
            raise
        fix = 'in a clone, pip install ".[traces]" installs it'
        what = f"measuring needs the extra traces ({caught.name} is not installed)"
        raise InputError(what, fix=fix) from None


@_extra_needed()
def _measured(
    case: Case, framework: Framework, sources: Sequence[str], mapping: str | Path | None,
    progress: Progress | None,
) -> Measured:  # fmt: skip
    from tuneworthy.files.materials import read_materials
    from tuneworthy.files.traces.mapping import read_mapping
    from tuneworthy.files.traces.sources import named
    from tuneworthy.gather.signals.registry import signals

    if not all(each.strip() for each in sources):  # an empty path would be the present folder
        raise InputError("a source is empty", where="--from", fix="name a file with traces")
    need = examples_need(case, framework)
    materials = replace(read_materials(case), examples_need=need[1].low if need else None)
    fields = None if mapping is None else read_mapping(Path(mapping))
    chosen: list[str | Path] = [*sources] or [*named(case, "traces")]
    parts: list[_Part] = []
    if chosen:
        near = framework.threshold("near_copy")
        every = signals(materials) if near is None else signals(materials, near_copy=near)
        parts.append(_read(chosen, every, fields, progress, searched=not sources))
    if not sources and (held := named(case, "examples")):
        one = [each for each in signals(materials) if each.id == "examples"]
        parts.append(_read(list(held), one, None, progress, searched=True))
    if not parts:
        where = case.where("data", "traces") if case.folder else ""
        fix = "name them under data.traces, or give --from FILE"
        raise CaseError("there are no traces to measure", where=where, fix=fix)
    told = json.dumps([MEASURES, str(fields), repr(materials)], sort_keys=True)
    return _record(parts, told)


@dataclass(frozen=True, slots=True)
class _Part:
    readings: tuple[Reading, ...]
    evidence: tuple[Evidence, ...]
    series: tuple[Series, ...]


def _read(
    sources: Sequence[str | Path],
    every: Sequence[Signal],
    fields: FieldMap | None,
    progress: Progress | None,
    *,
    searched: bool,
) -> _Part:
    from tuneworthy.files.traces.limits import Limits
    from tuneworthy.files.traces.read import read
    from tuneworthy.gather.engine import measure

    limits = Limits(until_s=_to_come(today()))
    files = read(sources, mapping=fields, limits=limits, searched=searched)
    seen = 0

    def batches() -> Iterator[Batch]:
        nonlocal seen
        for chunk in files:
            seen += len(chunk.batch)
            if progress is not None:
                progress(chunk.done_bytes, chunk.total_bytes, seen)
            yield chunk.batch

    with tempfile.TemporaryDirectory(prefix="tuneworthy-") as place:
        found = measure(batches(), every, folder=Path(place))
    formats = ", ".join(f"{one.name} ({one.format})" for one in files.readings if one.traces)
    evidence = (
        each.model_copy(update={"source": formats[:2000]}) for one in found for each in one.evidence
    )
    return _Part(files.readings, _unique(evidence), tuple(s for one in found for s in one.series))


def _to_come(day: date) -> float:
    """When the future begins, in seconds since 1970: with the day after tomorrow, by UTC.

    A clock that is ahead by less may be one of another zone.
    """
    return datetime.combine(day + timedelta(days=2), time(), UTC).timestamp()


def _unique(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """One of each id; a known one before an unknown one."""
    found: dict[str, Evidence] = {}
    for one in evidence:
        if one.id not in found or (one.known and not found[one.id].known):
            found[one.id] = one
    return tuple(found.values())


def _record(parts: Sequence[_Part], told: str) -> Measured:
    readings = tuple(reading for part in parts for reading in part.readings)
    inputs = hashlib.sha256(told.encode("utf-8", "surrogatepass"))
    for reading in sorted(readings, key=lambda one: (one.digest, one.name)):
        inputs.update(f"{reading.digest} {reading.format}\n".encode())
    evidence: dict[str, Evidence] = {}
    series: dict[str, Series] = {}
    for part in parts:  # what the team keeps as examples counts before what its logs could give
        evidence |= {one.id: one for one in part.evidence}
        series |= {one.id: one for one in part.series}
    return Measured(
        inputs=inputs.hexdigest(),
        readings=readings,
        evidence=tuple(evidence.values()),
        series=tuple(series.values()),
    )
