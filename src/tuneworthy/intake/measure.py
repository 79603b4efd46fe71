"""Evidence and evaluation sets from existing data: traces, and results of other tools.

Files that a user sends on the page are read first, and named in the case only after that.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from tuneworthy.answers.weigh import examples_need, with_own_evidence
from tuneworthy.errors import CaseError, InputError, OutputError, extra_needed, one_line
from tuneworthy.facts.load import logged_end
from tuneworthy.files.case import (
    Written,
    add_to_case,
    beside,
    case_from_text,
    case_path,
    prompt_files,
    read_with_digest,
    rewrite,
    search_files,
)
from tuneworthy.files.disk import (
    CASE_LIMIT,
    all_or_none,
    made_whole,
    matching,
    read_text,
    refuse_existing,
    write_new,
    writing,
)
from tuneworthy.files.documents import read_documents
from tuneworthy.files.evalset import (
    named_evalset,
    parted,
    read_csv,
    read_examples,
    write_evalset,
)
from tuneworthy.files.materials import read_prompts
from tuneworthy.files.stores import MEASURED_ON, append_evidence, files_now
from tuneworthy.intake.ray import LogDraw, measure_files, read_way
from tuneworthy.interview.questions import ask_of, part_asks
from tuneworthy.interview.start import start_case
from tuneworthy.llm.endpoints import price_on
from tuneworthy.llm.served import find_served
from tuneworthy.model.case import Case, Holding, Materials, Price
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evalset import EvalCase, EvalSample, Precision
from tuneworthy.model.evidence import Batch, Evidence, FileReading, Measured, latest
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case, today
from tuneworthy.plan.context import PlannedCases, plan_cases
from tuneworthy.report.blocks import Block, Parts, flat
from tuneworthy.report.sections.evalset import EvalsetReport
from tuneworthy.report.sections.log import MeasureReport
from tuneworthy.report.sections.measure import ComparedReport, measure_report
from tuneworthy.stats.intervals import wilson
from tuneworthy.syntax.document import parse
from tuneworthy.syntax.edit import Keys, Value, edit
from tuneworthy.words import counted, listing

if TYPE_CHECKING:
    from tuneworthy.measure.failing import LogFailures
    from tuneworthy.measure.signals.base import Findings, TraceSignal
    from tuneworthy.traces.mapping import FieldMap
    from tuneworthy.traces.read import Guess, TraceFiles


_KINDS = frozenset({"chat", "completion", "responses", "messages"})
_PROVIDER = re.compile(r"[a-z][a-z0-9_.-]{1,40}", re.IGNORECASE)


def seen_models(measured: Measured, day: date) -> Mapping[str, str]:
    """The ids of the models behind the names in the results, the most frequent first, ten at most.

    The price list of the day decides which part of a name is a provider.
    """
    seen = (
        item for item in measured.evidence if item.id == "models_seen" and item.is_known
    )
    names = [
        example.rpartition(": ")[0].strip()
        for item in seen
        for example in item.examples
    ]
    models: dict[str, str] = {}
    known: set[str] = set()
    for name in filter(None, names):
        served = find_served(name)
        key = model_id(name, day) if served is None else served.key
        if key not in known:
            known.add(key)
            models[model_id(name, day)] = name
    return models


def model_id(name: str, day: date) -> str:
    """A model's name as ``provider:name``, if it contains both.

    ``openai:chat:gpt-6-luna`` is ``openai:gpt-6-luna``, and so is ``openai/gpt-6-luna``. Before a
    slash, only a provider of the price list counts, as any name may stand there. A bare name gets
    its maker, or the only provider that lists it; otherwise it stays as it is.
    """
    served = find_served(name)
    if served is not None:
        return served.id
    sign = ":" if ":" in name else "/"
    provider, _, rest = name.partition(sign)
    kind, _, bare = rest.partition(":")
    if kind in _KINDS and bare:
        rest = bare
    if not rest or rest.startswith("/") or not _PROVIDER.fullmatch(provider):
        return name
    whole = f"{provider.lower()}:{rest}"
    if sign == ":" or price_on(whole, day) is not None:
        return whole
    return name


def _list_price(measured: Measured, as_of: date) -> Price | None:
    """The list price of the only model that answered; None for several, or for an unlisted one."""
    models = list(seen_models(measured, as_of))
    if len(models) != 1:
        return None
    ledger = latest([measured])
    names = ("input_tokens", "input_tokens_estimate")
    size = 0.0
    for name in names:
        if name in ledger and ledger[name].is_known:
            size = ledger[name].number
            break
    return price_on(models[0], as_of, input_tokens=size)


def appendix(measured: Measured, day: date) -> str:
    """Lines for the end of a case file: its sources, and the models that answered.

    Names come from strangers, so they are in one-line comments and in quoted JSON strings, which
    YAML reads the same way.
    """
    lines = ["", f"# Made by tuneworthy measure on {day.isoformat()}, from:"]
    lines += [
        f"#   {one_line(reading.name, limit=200)} (SHA-256 {reading.digest[:12]})"
        for reading in measured.readings
        if reading.traces
    ]
    models = seen_models(measured, day)
    if models:
        lines += ["# The models that answered, the most frequent first.", "models:"]
        lines += [
            f"  - id: {json.dumps(one_line(name, limit=200), ensure_ascii=False)}"
            for name in models
        ]
    return "\n".join(lines) + "\n"


MEASURES = 1  #: Version of the measures: a change in what a signal says counts as other inputs.

Progress = Callable[[int, int, int], None]
"""Called with bytes read, bytes in all, and traces so far."""


class HowRead(TypedDict, total=False):
    """Settings for reading and measuring traces."""

    mapping: str | Path | None  #: A file that maps the fields of their records to ours.
    #: A file to write such a map into, where it was guessed.
    save_map: str | Path | None
    progress: Progress | None
    on: str  #: ``ray`` or ``ray:ADDRESS``; in this process where left out.
    draw: LogDraw


ALL = LogDraw(1.0, 0)  #: A draw of all conversations.


def measure_case(
    source: str | Path,
    sources: Sequence[str] = (),
    *,
    chosen: str | None = None,
    case: Case | None = None,
    add: Callable[[Case, Measured], bool] = append_evidence,
    **how: Unpack[HowRead],
) -> MeasureReport:
    """Measure the files of a case, or other files for it, and add the evidence to its ledger.

    ``sources`` are files, patterns, folders or addresses to read instead of the case's. ``case`` is
    the content that the case file will have, if it changes, and ``add`` writes that beforehand.
    """
    case = case or load_case(source)
    framework = framework_of(case, chosen)
    before = decide(case, framework)
    measured, guesses = _measure_sources(case, framework, sources, **how)
    added = add(case, measured)
    after = decide(case, framework)
    return _report(measured, after, framework, source, before, guesses, added=added)


def measure_new(
    sources: Sequence[str], *, chosen: str | None = None, **how: Unpack[HowRead]
) -> MeasureReport:
    """Make a case folder from traces or results alone, filled in by their measurements.

    It is made in the present folder and named after the first file; the arguments are those of
    ``measure_case``.
    """
    stem = _stem(_plain(sources[0]))
    target = Path(f"{stem}-case")
    mapping = how.get("mapping")
    if os.path.lexists(target):
        raise _is_there(target, sources, mapping)
    title = stem.replace("-", " ").replace("_", " ").strip()[:100]
    title = title[:1].upper() + title[1:] or "Measured"
    draft = load_case({"name": title})
    framework = framework_of(draft, chosen)
    measured, guesses = _measure_sources(draft, framework, sources, **how)
    maps = {guess.written for guess in guesses}
    if mapping is not None:
        maps = {read_text(Path(mapping), CASE_LIMIT, InputError)}
    with made_whole(target) as place:
        start_case(place, title, chosen)
        add_to_case(place, appendix(measured, today()))
        if len(maps) == 1:  # the case reads later files of this make by it
            (place / _MAP).write_text(maps.pop(), "utf-8")
            add_to_case(place, f"data:\n  traces: {{map: {_MAP}}}\n")
        append_evidence(load_case(place), measured)
    dossier = decide(load_case(target), framework)
    return _report(measured, dossier, framework, target, None, guesses, added=True)


_MAP = "map.yaml"


def _report(
    measured: Measured,
    dossier: Dossier,
    framework: Framework,
    source: str | Path,
    before: Dossier | None,
    guesses: Sequence[Guess],
    *,
    added: bool,
) -> MeasureReport:
    """Put together the report on what was measured, with the dossiers before and after it."""
    checks = framework.ceiling.items()
    models = tuple(seen_models(measured, dossier.as_of).values())
    case = load_case(source)
    asks = [ask_of(case, framework, ask_id) for ask_id in part_asks(case, framework)]
    return MeasureReport(
        measured=measured,
        added=added,
        dossier=dossier,
        before=before,
        folder=str(source),
        price=_list_price(measured, dossier.as_of),
        models=models,
        wanted={
            name: check.at_least for name, check in checks if check.at_least is not None
        },
        guessed={guess.name: [*map(_masked_record, guess.first)] for guess in guesses},
        unread={guess.name: _unread(guess) for guess in guesses if guess.unread},
        ends={
            name: end
            for name in models
            if (end := logged_end(name, dossier.as_of)) is not None
        },
        left={ask.id: ask.minutes for ask in asks},
    )


def _unread(guess: Guess) -> list[str]:
    """The names of unused fields."""
    from tuneworthy.measure.personal import without_secrets

    return [one_line(without_secrets(name), limit=40) for name in guess.unread[:12]]


_SHOWN = "input output model prompt conversation latency_s input_tokens output_tokens usd score"


def _masked_record(row: Mapping[str, Any]) -> str:
    """A record as it was read, masked and cut."""
    from tuneworthy.measure.personal import mask

    values = ((name, row.get(name)) for name in _SHOWN.split())
    texts = (
        (
            name,
            f"{v:g}"
            if isinstance(v, float)
            else one_line(mask(str(v)[:2_000]), limit=50),
        )
        for name, v in values
        if v is not None
    )
    return ", ".join(map(" ".join, texts))


def _is_there(
    target: Path, sources: Sequence[str], mapping: str | Path | None
) -> InputError:
    """The error where the folder of a new case already holds something."""
    if not os.path.lexists(case_path(target)):
        fix = "move it away, or run this in another folder"
        return InputError("exists already", where=str(target), fix=fix)
    options = [str(target), "--from", _plain(sources[0])]
    options += [] if mapping is None else ["--map", str(mapping)]
    fix = f"add to it: tuneworthy measure {shlex.join(options)}"
    return InputError("holds a case already", where=str(target), fix=fix)


_needed = extra_needed(
    "traces",
    "measuring needs",
    {"duckdb", "hyperscan", "jsonschema_rs", "msgspec", "rensa", "stdnum", "backports"},
)


@_needed
def _plain(source: str) -> str:
    """A source without parts that may be secret."""
    from tuneworthy.traces.remote import RemoteFile, is_remote

    return RemoteFile(source).where if is_remote(source) else source


def _stem(source: str) -> str:
    """A plain name for a folder, by a source."""
    first = source.rstrip("/").rpartition("/")[2]
    plain = re.sub(
        r"(\.(jsonl?|eval|csv|parquet|gz|zst|ndjson|txt))+$",
        "",
        first,
        flags=re.IGNORECASE,
    )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.")[:60] or "measured"


_stored = extra_needed("s3", "reading from a store needs", {"botocore"})
_in_cloud = extra_needed("gcs", "reading gs:// or az:// needs", {"obstore"})


@_stored
@_in_cloud
@_needed
def _measure_sources(
    case: Case,
    framework: Framework,
    sources: Sequence[str],
    mapping: str | Path | None = None,
    progress: Progress | None = None,
    on: str = "",
    draw: LogDraw = ALL,
    save_map: str | Path | None = None,
) -> tuple[Measured, Sequence[Guess]]:
    from tuneworthy.measure.signals import signals
    from tuneworthy.traces.read import case_map, named

    if on:
        read_way(on)
    # an empty path would be the present folder
    if not all(source.strip() for source in sources):
        raise InputError(
            "a source is empty", where="--from", fix="name a file with traces"
        )
    materials = _read_materials(case, framework)
    fields = case_map(case, mapping)
    guesses: list[Guess] = []
    parts = []
    chosen = sources or named(case, "traces")
    if chosen:
        near = framework.threshold("near_copy")
        files = _files(chosen, fields, searched=not sources)
        if on:
            done = partial(_report_progress, files, progress)
            results = measure_files(files, materials, near, on=on, done=done, draw=draw)
        else:
            results = _results(files, signals(materials, near), progress, draw)
        parts.append(_measured_part(files, results, draw))
        guesses += files.guesses
    # the team's own examples come last, so they replace the candidates of its logs
    held = () if sources else named(case, "examples")
    if held:
        examples = [signal for signal in signals(materials) if signal.id == "examples"]
        files = _files(held, None, searched=True)
        parts.append(_measured_part(files, _results(files, examples, None)))
    if not parts:
        raise _no_traces(case, "measure")
    readings = [reading for part in parts for reading in part.readings]
    read = {(reading.name, reading.size) for reading in readings}
    now = files_now(case, *MEASURED_ON)
    evidence = {item.id: item for part in parts for item in part.evidence}
    series = {item.id: item for part in parts for item in part.series}
    drawn = draw if draw.share < 1 else ()
    settings = [MEASURES, str(fields), repr(materials), *drawn]
    measured = Measured(
        inputs=_digest_inputs(settings, readings),
        readings=tuple(readings),
        files=tuple(file for file in now if (Path(file.path).name, file.size) in read),
        evidence=tuple(evidence.values()),
        series=tuple(series.values()),
        mix=next((part.mix for part in parts if part.mix is not None), None),
    )
    if save_map is not None:
        _save_map(Path(save_map), {guess.written for guess in guesses})
    return measured, guesses


def _read_materials(case: Case, framework: Framework) -> Materials:
    """What logs are compared with: the files of a case, its set and the examples that it needs."""
    from tuneworthy.files.materials import prompt_wordings, read_materials

    needed = None
    need = examples_need(case, framework)
    if need is not None:
        needed = need.data.low
    asked = list[str]()
    with suppress(CaseError):  # a set that can't be read is told by whoever uses it
        asked += (eval_case.text for eval_case in named_evalset(case) or ())
    return replace(
        read_materials(case),
        examples_need=needed,
        asked=tuple(asked),
        prompts=prompt_wordings(case),
    )


def _digest_inputs(settings: Sequence[object], readings: Sequence[FileReading]) -> str:
    """The digest of all that a measurement depends on: its settings and the files that it read."""
    text = json.dumps(settings, sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for reading in sorted(readings, key=lambda item: (item.digest, item.name)):
        # folders in Hive's layout hold values that are read as well
        folders, _, _ = reading.name.rpartition("/")
        identity = " ".join(filter(None, (reading.digest, reading.format, folders)))
        digest.update(f"{identity}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _save_map(path: Path, maps: Collection[str]) -> None:
    """Write a guessed map, which a user can correct and name with ``--map``."""
    if len(maps) != 1:
        how = "were read by several guesses" if maps else "were read without a guess"
        raise InputError(
            how, where="--save-map", fix="measure files of one form together"
        )
    for written in maps:
        write_new(path, written)


def _files(
    sources: Sequence[str | Path], fields: FieldMap | None, *, searched: bool
) -> TraceFiles:
    """The trace files to read; a trace that lies in the future counts as wrong."""
    from tuneworthy.traces.read import TraceFiles
    from tuneworthy.traces.stream import Limits

    # The future begins with the day after tomorrow, by UTC: a clock that is ahead by less may be
    # one of another zone.
    until = datetime.combine(today() + timedelta(days=2), time(), UTC)
    limits = Limits(until_s=until.timestamp())
    return TraceFiles(sources, mapping=fields, limits=limits, searched=searched)


def _results(
    files: TraceFiles,
    every: Sequence[TraceSignal],
    progress: Progress | None,
    draw: LogDraw = ALL,
) -> tuple[Findings, ...]:
    """Measure the traces of some files with every signal."""
    from tuneworthy.measure.engine import Sampling, measure

    drawn = Sampling(*draw)
    some = (
        drawn.draw_traces(batch, files.piece) for batch in _batches(files, progress)
    )
    with tempfile.TemporaryDirectory(prefix="tuneworthy-") as place:
        return measure(
            some, every, folder=Path(place), piece=lambda: files.piece, share=draw.share
        )


def _report_progress(files: TraceFiles, progress: Progress | None) -> None:
    """Report the progress for files that other processes measure."""
    if progress is not None:
        size = sum(reading.size for reading in files.readings)
        traces = sum(reading.traces for reading in files.readings)
        progress(size, files.total_bytes, traces)


def _measured_part(
    files: TraceFiles, results: Sequence[Findings], draw: LogDraw = ALL
) -> Measured:
    """Merge what the signals found in some files; of one id, a known measurement goes first."""
    source = ", ".join(
        f"{file.name} ({file.format})" for file in files.readings if file.traces
    )
    part = f"{100 * draw.share:g}% of the conversations"
    if draw.share < 1:
        source = f"{part}, drawn with seed {draw.seed}, of {source}"
    # One of each id, a known one before an unknown one.
    evidence: dict[str, Evidence] = {}
    for item in chain.from_iterable(signal.evidence for signal in results):
        if item.id not in evidence or (
            item.is_known and not evidence[item.id].is_known
        ):
            evidence[item.id] = item.model_copy(update={"source": source[:2000]})
    if draw.share < 1 and not evidence:
        raise InputError(
            f"{part} are none of them", where="--sample", fix="draw more of them"
        )
    series = tuple(series for signal in results for series in signal.series)
    return Measured(
        inputs="",
        readings=files.readings,
        evidence=tuple(evidence.values()),
        series=series,
        mix=next((signal.mix for signal in results if signal.mix is not None), None),
    )


def _no_traces(case: Case, what: str) -> CaseError:
    where = case.where("data", "traces") if case.folder else ""
    fix = "name them under data.traces, or give --from FILE"
    return CaseError(f"there are no traces to {what}", where=where, fix=fix)


def _batches(files: TraceFiles, progress: Progress | None) -> Iterator[Batch]:
    seen = 0
    for chunk in files:
        seen += len(chunk.batch)
        if progress is not None:
            progress(chunk.done_bytes, chunk.total_bytes, seen)
        yield chunk.batch


@_needed
def compare_results(
    sources: Sequence[str],
    *,
    arm: str | None = None,
    baseline: str | None = None,
    margin: float = 0.0,
    shared: bool = False,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
) -> ComparedReport:
    """Compare two arms in existing results; nothing is kept.

    ``arm`` and ``baseline`` are names of arms, or unique parts of them. If neither is given, the
    first of two arms is the baseline. Arms with one name in two ``sources`` are two arms.
    """
    from tuneworthy.measure.signals.arms import PairSignal, arm_name, compare_two
    from tuneworthy.traces.mapping import read_mapping

    fields = None if mapping is None else read_mapping(Path(mapping))
    files = _files(sources, fields, searched=False)
    sides = dict(enumerate(map(_plain, sources)))
    single = {
        side: Path(name).name
        for side, name in sides.items()
        if files.sides.count(side) == 1
    }
    if len({*single.values()}) == len(single):
        sides |= single
    pair = PairSignal(
        lambda: files.sides[files.piece], sides if len(sources) == 2 else {}
    )
    _results(files, [pair], progress)
    labels = [arm_name(name) for name in pair.names]
    places = _pair(labels, arm, baseline, many=len(sources) > 1)
    names = [pair.names[place] for place in places]
    runs = None if pair.runs is None else pair.runs.choose_arms(places)
    where = " and ".join(labels[place] for place in places)
    why = "" if runs is None else runs.misfit(margin)
    if why:
        raise InputError(why, where=where, fix="score both from 0 to 1")
    compared = None if runs is None else compare_two(names, runs, shared=shared)
    if compared is None:
        what = "an arm has no score on a case of the other"
        fix = "add `score`, and name cases alike in both (`case`)"
        raise InputError(what, where=where, fix=fix)
    return ComparedReport(*compared, margin=margin, shared=shared, by_text=pair.by_text)


def _pair(
    labels: Sequence[str], arm: str | None, baseline: str | None, *, many: bool
) -> tuple[int, int]:
    """Places of an arm and of its baseline, from one source or many."""
    every = "; ".join(one_line(label, limit=60) for label in labels[:12])
    first = _arm_of(labels, "--arm", arm, every)
    second = _arm_of(labels, "--baseline", baseline, every)
    if len(labels) < 2:
        what = f"holds one arm, {every}" if labels else "holds no answer to a case"
        fix = "name the results of another beside it, by a second --from"
        if many:
            fix = "name the model or the prompt in the records, or put each side into one file"
        raise InputError(what, where="--from", fix=fix)
    if len(labels) == 2:  # what isn't named is the other of the two
        if second is None:
            second = 0 if first is None else 1 - first
        if first is None:
            first = 1 - second
    if first is None or second is None or first == second:
        what = f"holds {len(labels)} arms: {every}"
        raise InputError(
            what, where="--from", fix="say which two: --arm ARM --baseline ARM"
        )
    return first, second


def _arm_of(
    labels: Sequence[str], option: str, text: str | None, every: str
) -> int | None:
    """The place of the arm that a text names, in full or in part; None for no text."""
    if text is None:
        return None
    wanted = text.casefold()
    equal = [place for place, label in enumerate(labels) if label.casefold() == wanted]
    places = equal or [
        n for n, label in enumerate(labels) if wanted in label.casefold()
    ]
    if len(places) != 1:
        what = f'"{one_line(text, limit=60)}" is {"several arms" if places else "not an arm"}'
        raise InputError(what, where=option, fix=f"name one of: {every}")
    return places[0]


SET_FILE = "eval.jsonl"  #: The name of a new set, beside the case file.
CASES = 200  #: Of a set where nothing is said.
BELOW = 0.05
"""The distance below the target at which scores are distinguished, where today's score is unknown."""


@_stored
@_in_cloud
@_needed
def build_set(
    source: str | Path,
    sources: Sequence[str] = (),
    *,
    n: int = CASES,
    seed: int = 0,
    output: str | Path | None = None,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
) -> EvalsetReport:
    """Draw an evaluation set from traces and write it; no existing file is replaced.

    ``sources`` are as for ``measure_case``. ``traces`` alone means the case's own, unless a file
    has that name, and ``examples`` its examples, whose answers are right. Conversations stay whole,
    so the set has about ``n`` cases. It is written beside the case unless ``output`` is given.
    """
    from tuneworthy.files.materials import read_materials
    from tuneworthy.measure.evalset import build_evalset
    from tuneworthy.measure.sample import ALIKE
    from tuneworthy.traces.read import TraceFiles, case_map, named

    case = load_case(source)
    if output is None and case.folder is None:
        raise OutputError(
            "has no folder", where=case.name, fix="name a file with --output"
        )
    path = Path(output) if output is not None else Path(case.folder or ".") / SET_FILE
    refuse_existing(path, "name another file with --output, or move it away")
    entry: Any = (*sources, "traces")[0]
    own = (
        len(sources) < 2
        and entry in {"traces", "examples"}
        and not os.path.lexists(entry)
    )
    chosen = named(case, entry) if own or not sources else sources
    if not chosen:
        raise _no_traces(case, "draw from")
    files = TraceFiles(chosen, mapping=case_map(case, mapping))
    framework = framework_of(case, None)
    near = framework.threshold("near_copy")
    drawn = build_evalset(
        _batches(files, progress),
        n=n,
        seed=seed,
        schema=read_materials(case).output_schema,
        alike=ALIKE if near is None else near,
        gold=own and entry == "examples",
        policy=case.data.personal,
    )
    if not drawn.cases:
        fix = "log `input`, what was asked, or messages"
        raise InputError("no trace says what was asked", where=str(source), fix=fix)
    write_evalset(path, drawn.cases)
    fewest = framework.plan.evaluation_cases if framework.plan else CASES // 2
    known, _ = with_own_evidence(case)  # as the plan knows it
    return _set_report(known, source, drawn, path, plan_cases(known, fewest))


@_stored
@_in_cloud
@_needed
def log_failures(
    case: Case,
    *,
    n: int,
    seed: int,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
) -> LogFailures | None:
    """Failures in the case's own logs, by their scores; None where it names no logs."""
    from tuneworthy.measure.failing import draw_log_failures
    from tuneworthy.traces.read import TraceFiles, case_map, named

    chosen = named(case, "traces")
    if not chosen:
        return None
    files = TraceFiles(chosen, mapping=case_map(case, mapping))
    return draw_log_failures(_batches(files, progress), n=n, seed=seed)


def precision(cases: Sequence[EvalCase], expected: float) -> Precision:
    """The precision of a score on some cases, if each conversation counts as one case."""
    weights: dict[str, float] = {}
    for case in cases:
        weights[case.cluster] = weights.get(case.cluster, 0.0) + case.weight
    squares = sum(weight**2 for weight in weights.values())
    independent = sum(weights.values()) ** 2 / squares if squares else 0.0
    low, high = wilson(expected * independent, independent)
    return Precision(
        cases=len(cases), worth=independent, expected=expected, low=low, high=high
    )


def _set_report(
    case: Case, source: str | Path, drawn: EvalSample, path: Path, planned: PlannedCases
) -> EvalsetReport:
    """Put together the report on a new evaluation set, with how sure a score on it will be."""
    target = case.targets.quality.at_least if case.targets.quality else None
    expected = 0.5
    by = ""
    if case.today.quality is not None:
        expected = case.today.quality
        by = "today.quality"
    elif target is not None:
        expected = max(0.0, target - BELOW)
        by = "target"
    entry = None  # a set that lies outside of the case's folder can't be named
    with suppress(OSError, ValueError):
        if case.folder is not None:
            entry = path.resolve().relative_to(case.folder.resolve()).as_posix()
    return EvalsetReport(
        drawn=drawn,
        path=str(path),
        folder=str(source),
        entry=entry,
        expected_by=by,
        target=target,
        whole=precision(drawn.cases, expected),
        report=precision(parted(drawn.cases)[1], expected),
        needed=planned.all,
        tells=planned.tells,
        goal=case.goals[0] if case.goals else "",
        hiding=case.data.personal.local if case.data.personal else "words",
    )


# Files that are handed over: read by whoever reads them anyway, kept beside the case, and named.

FileKind = Literal["traces", "evaluation", "prompts", "documents", "training"]
"""The kind of a file that a case takes in: the entry of ``data`` that names it."""
_EACH = ("traces", "training")
_FOLDERS = ("prompts", "documents")
"""Kinds for which the case names every file, and kinds for which it names the folder."""
MOST_READ_S = 600.0  #: How long reading logs that were handed over may take.
_MOST_NAMES = 1000
# of a name that any disk takes
_BYTES = 120
_ENDING = 20


def clean_name(sent: str) -> str:
    """A file's name from anybody, without a path, and valid on any disk."""
    name = Path(re.sub(r"[^\w.()+-]+", "-", re.split(r"[/\\]", sent)[-1]).strip("-."))
    stem = name.stem.encode()[:_BYTES].decode(errors="ignore").rstrip("-.")
    return (stem or "file") + name.suffix[:_ENDING]


def add_files(
    source: Path, kind: FileKind, files: Sequence[Path], chosen: str | None = None
) -> tuple[tuple[Path, ...], tuple[Block, ...], tuple[str, ...]]:
    """Take files in: move them beside the case under free names, read them, and name them there.

    ``source`` is the case folder, and ``files`` are on its disk; ``chosen`` is the framework of the
    verdict. Returns the paths, some lines about the contents, and the case file before and after.

    Raises:
        InputError: If they can't be read, or the case can't be judged with them. Then no file is left,
            and the case is unchanged.
    """
    path = case_path(source)
    read = read_with_digest(source)
    if kind == "evaluation":
        if len(files) > 1:
            raise CaseError(
                "names one evaluation set", where=path.name, fix="send one file"
            )
        if files[0].suffix.casefold() == ".csv":
            write_evalset(files[0].with_suffix(".jsonl"), read_csv(files[0]))
            files = [files[0].with_suffix(".jsonl")]
    with _move_into_place(read.case, kind, files) as placed:
        naming = partial(_naming, kind=kind, placed=placed)
        case = case_from_text(naming(read.text, path), path)
        named = list[Written]()

        def name(_: Case | None = None, measured: Measured | None = None) -> bool:
            """Name them in the case and add the measurements: both, or none for an invalid case."""
            added = []

            def check(now: Case) -> None:
                decide(now, framework_of(now, chosen))
                added.append(measured is not None and append_evidence(now, measured))

            named.append(rewrite(source, naming, check))
            return added[0]

        if kind == "traces":
            says = flat(*_measure_uploaded_logs(case, placed, name))
        else:
            says = flat(*_read_by_kind(case, kind, placed))
            name()
    return tuple(placed), says, (named[0].before, named[0].text)


@contextmanager
def _move_into_place(
    case: Case, kind: FileKind, files: Sequence[Path]
) -> Iterator[list[Path]]:
    """Move files to their places under free names; they are removed again if the block fails."""
    held = getattr(case.data, kind) if kind in _FOLDERS else None
    own = held.path if isinstance(held, Holding) else held
    folder = beside(
        case, f"data.{kind}", own or ("." if kind == "evaluation" else kind)
    )
    assert folder is not None  # a case that takes files lies in a folder
    with all_or_none(folder) as placed:
        for file in files:
            with writing(folder / file.name):
                folder.mkdir(parents=True, exist_ok=True)
                placed.append(_free(folder, file))
        yield placed


def _free(folder: Path, file: Path) -> Path:
    """Move a file to a free name; a file with the same contents isn't kept twice."""
    for other in folder.iterdir():
        if other.is_file() and filecmp.cmp(other, file, shallow=False):
            raise CaseError("already exists", where=other.name, fix="send another")
    for number in range(1, _MOST_NAMES):
        place = folder / (
            file.name if number == 1 else f"{file.stem}-{number}{file.suffix}"
        )
        with suppress(FileExistsError):
            place.touch(exist_ok=False)  # from here on nobody else takes it
            try:
                return file.replace(place)
            except OSError:
                place.unlink()
                raise
    raise CaseError("is there too often", where=file.name, fix="give it another name")


def _naming(text: str, path: Path, *, kind: FileKind, placed: Sequence[Path]) -> str:
    """The text of a case file that names these files too; a file that a pattern covers isn't added."""
    held = getattr(case_from_text(text, path).data, kind)
    keys: Keys = ("data", kind)
    there = (parse(text, str(path), CaseError).data.get("data") or {}).get(kind)
    if isinstance(there, dict):
        keys = (*keys, "paths" if kind in _EACH else "path")
        there = there.get(keys[-1])
    new = [file.relative_to(path.parent).as_posix() for file in placed]
    answers: dict[Keys, Value] = {}
    if kind in _EACH:
        paths = {file for pattern in held for file in matching(pattern, path.parent)}
        new = [
            n
            for n, p in zip(new, placed, strict=True)
            if paths.isdisjoint((p, p.parent))
        ]
        if isinstance(there, list):
            answers = {(*keys, len(there) + n): name for n, name in enumerate(new)}
        elif new:
            answers = {keys: (*held, *new)}
    elif kind == "evaluation":
        answers = {keys: new[0]}
    elif isinstance(held, Holding) and held.path is None and there is not None:
        answers = {keys: {"path": kind, "count": str(held.count)}}
    elif there is None:
        answers = {keys: kind}
    return edit(text, answers, str(path), CaseError)


@_needed
def _read_by_kind(
    case: Case, kind: FileKind, placed: Sequence[Path]
) -> Iterable[Parts]:
    """Read files that the case names already, and say how much they hold."""
    match kind:
        case "evaluation":
            rights = [
                bool(eval_case.accepted) for eval_case in named_evalset(case) or ()
            ]
            read = counted(len(rights), "case")
            return [f"Read {read}, {sum(rights)} of them with a right answer."]
        case "training":
            n = sum(len(read_examples(path)) for path in placed)
            return [f"Read {counted(n, 'example')}."]
        case "prompts":
            for path in placed:
                if path not in {*(prompt_files(case) or ()), *search_files(case)}:
                    raise CaseError(
                        "is not a prompt by its name",
                        where=path.name,
                        fix="name it .md",
                    )
            names = [prompt.name for prompt in read_prompts(case)]
            return [f"Read {counted(len(names), 'prompt')}: {listing(names)}."]
    for path in placed:  # each by itself: in a folder other kinds are passed over
        name = path.relative_to(case.folder or ".").as_posix()
        read_documents(case, name, "data.documents")
    return [f"Read {counted(len(placed), 'document')}."]


_ON_THE_PAGE = (
    "first",
    "read",
    "quick",
)  #: Sections that are shown where logs are handed over.


@_needed
def _measure_uploaded_logs(
    case: Case, placed: Sequence[Path], add: Callable[[Case, Measured], bool]
) -> Iterable[Parts]:
    """Measure uploaded logs, and give up if reading takes too long for a page."""
    from tuneworthy.traces.read import TraceFiles, case_map

    # one record of each is read, so that a file that isn't a log is refused by its own name:
    # found by a pattern it would be passed over
    for path in placed:
        for _ in TraceFiles([path], mapping=case_map(case)):
            break
    until = monotonic() + MOST_READ_S

    def in_time(*_: int) -> None:
        if monotonic() > until:
            fix = "copy it into the case folder, and measure it in a terminal"
            raise InputError(f"takes more than {MOST_READ_S:.0f} s to read", fix=fix)

    run = measure_case(case.folder or ".", case=case, progress=in_time, add=add)
    report = measure_report(run)
    shown = (part.blocks for part in report.sections if part.id in _ON_THE_PAGE)
    return report.headline, *shown
