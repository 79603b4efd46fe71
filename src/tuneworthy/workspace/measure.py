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

from tuneworthy.errors import CaseError, InputError, OutputError, one_line
from tuneworthy.files.case import add_to_case, case_path, write_answers
from tuneworthy.files.disk import made_whole
from tuneworthy.files.evalset import parted, write_evalset
from tuneworthy.files.stores import append_evidence
from tuneworthy.llm.endpoints import price_on
from tuneworthy.model.case import Case, Price
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evalset import EvalCase, EvalSample, Precision
from tuneworthy.model.evidence import Batch, Evidence, FileReading, Measured, Series, latest
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case, today
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.evalset import EvalsetReport, evalset_document
from tuneworthy.report.sections.measure import MeasureReport, measure_dict, measure_report
from tuneworthy.stats.intervals import cases_to_exclude, wilson
from tuneworthy.verdict.weigh import COUNTED_CHECKS, examples_need
from tuneworthy.workspace.cases import start_case

if TYPE_CHECKING:
    from tuneworthy.measure.signals.base import TraceSignal
    from tuneworthy.traces.mapping import FieldMap


# What results show about a case that is made from them: its models, counts, and prices.

_KINDS = frozenset({"chat", "completion", "responses", "messages"})
_PROVIDER = re.compile(r"[a-z][a-z0-9_.-]{1,40}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """A model that answered."""

    name: str
    """As the results name it."""
    id: str
    """Provider and name where both can be told, as ``openai:gpt-4o``; else the name."""


def models(measured: Measured, day: date) -> tuple[Seen, ...]:
    """Models that answered, the most frequent first; ten at most, () where none is named.

    Args:
        measured: For their names.
        day: Whose list of prices tells the name of a provider from another one.
    """
    found: dict[str, Seen] = {}
    for one in measured.evidence:
        if one.id == "models_seen" and one.known:
            for told in one.examples:
                name = told.rpartition(": ")[0].strip()
                if name:
                    called = model_id(name, day)
                    found.setdefault(called, Seen(name, called))
    return tuple(found.values())


def model_id(name: str, day: date) -> str:
    """A model's name as provider and name, where it holds both.

    ``openai:chat:gpt-4o`` is ``openai:gpt-4o``, and so is ``openai/gpt-4o``; before a slash only
    a provider counts that the list of prices knows, as anybody's name can stand there. A bare name
    stays as it is: it may be served by anybody, at any price.
    """
    sign = ":" if ":" in name else "/"
    provider, _, rest = name.partition(sign)
    kind, _, bare = rest.partition(":")
    rest = bare if kind in _KINDS and bare else rest
    if not rest or rest.startswith("/") or not _PROVIDER.fullmatch(provider):
        return name
    told = f"{provider.lower()}:{rest}"
    return told if sign == ":" or price_on(told, day) is not None else name


def list_price(measured: Measured, as_of: date) -> Price | None:
    """The list price of the one model that answered; None for several, and for an unknown one."""
    found = models(measured, as_of)
    if len(found) != 1:
        return None
    tokens = latest([measured]).get("input_tokens")
    size = tokens.number if tokens is not None and tokens.known else 0.0
    return price_on(found[0].id, as_of, input_tokens=size)


def compares(measured: Measured) -> bool:
    """Whether it is a test of several prompts or models on the same cases.

    Files of several tests hold several prompts too: those were never tried on one task.
    """
    several = any(len(one.columns["value"]) > 1 for one in measured.series if one.id == "arms")
    lead = latest([measured]).get("best_arm_lead")
    return several and lead is not None and "told_apart" in lead.details


def answers(measured: Measured, framework: Framework) -> dict[tuple[str, ...], str]:
    """Counts that a check of the framework asks for, from a test of several prompts or models.

    Logs of one prompt don't show that no other was tried: they answer nothing. Prompts of which
    only the names are known may be copies of each other: their number can say that there were too
    few, and not that there were enough.
    """
    if not compares(measured):
        return {}
    ledger: dict[str, Evidence] = latest([measured])
    found: dict[tuple[str, ...], str] = {}
    for check, measure in COUNTED_CHECKS.items():
        one, asked = ledger.get(measure), framework.ceiling.get(check)
        if asked is None or asked.at_least is None or one is None or not one.known:
            continue
        names = one.details.get("names")
        count = int(names if isinstance(names, int) else one.number)
        if names is None or count < asked.at_least:
            found["ceiling", check] = str(count)
    return found


def appendix(measured: Measured, day: date) -> str:
    """Lines for the end of a case file: what it was measured from, and the models that answered.

    Names come from strangers: they stand in comments on one line, and as quoted JSON strings, which
    YAML reads the same way.
    """
    lines = ["", f"# Made by tuneworthy measure on {day.isoformat()}, from:"]
    lines += [
        f"#   {one_line(one.name, limit=200)} (BLAKE3 {one.digest[:12]})"
        for one in measured.readings
        if one.traces
    ]
    seen = models(measured, day)
    if seen:
        lines += ["# The models that answered, the most frequent first.", "models:"]
        lines += [
            f"  - id: {json.dumps(one_line(each.id, limit=200), ensure_ascii=False)}"
            for each in seen
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text in double quotes that YAML reads back: nothing in it is left to escape but these."""
    return json.dumps(one_line(text, limit=200), ensure_ascii=False)


# Evidence from what a team already has: traces, and results of other tools.

MEASURES = 1
"""Version of the measures: a change in what a signal says counts as other inputs."""

_EXTRA = frozenset({"backports", "blake3", "duckdb", "jsonschema_rs", "msgspec", "rensa", "stdnum"})

MeasureProgress = Callable[[int, int, int], None]
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
    progress: MeasureProgress | None = None,
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
    progress: MeasureProgress | None = None,
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


def measure_render(
    run: Run, form: str = "text", *, examples: bool = False, colour: bool = False
) -> str:
    """What was measured, as ``text`` or ``json``."""
    day = run.dossier.as_of
    asked = run.framework.ceiling.items()
    found = MeasureReport(
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
    return render_document(measure_report(found, examples=examples), colour=colour)


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
    case: Case,
    framework: Framework,
    sources: Sequence[str],
    mapping: str | Path | None,
    progress: MeasureProgress | None,
) -> Measured:
    from tuneworthy.files.materials import read_materials
    from tuneworthy.measure.signals import signals
    from tuneworthy.traces.mapping import read_mapping
    from tuneworthy.traces.read import named

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
    readings: tuple[FileReading, ...]
    evidence: tuple[Evidence, ...]
    series: tuple[Series, ...]


def _read(
    sources: Sequence[str | Path],
    every: Sequence[TraceSignal],
    fields: FieldMap | None,
    progress: MeasureProgress | None,
    *,
    searched: bool,
) -> _Part:
    from tuneworthy.measure.engine import measure
    from tuneworthy.traces.read import read
    from tuneworthy.traces.stream import Limits

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


# Evaluation sets: drawn from traces, written beside the case.

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

    drawn: EvalSample
    path: Path
    page: EvalsetReport


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
    return render_document(evalset_document(built.page), colour=colour)


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
    case: Case,
    sources: Sequence[str],
    n: int,
    seed: int,
    mapping: str | Path | None,
    progress: Progress | None,
) -> EvalSample:
    try:
        from tuneworthy.files.materials import read_materials
        from tuneworthy.measure.duplicates import ALIKE
        from tuneworthy.measure.evalset import build_evalset
        from tuneworthy.traces.mapping import read_mapping
        from tuneworthy.traces.read import named, read
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


def _page(case: Case, source: str | Path, drawn: EvalSample, path: Path) -> EvalsetReport:
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
    return EvalsetReport(
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
