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
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, Unpack

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
from tuneworthy.llm.prices import find_served, price_on
from tuneworthy.model.case import Case, Holding, Materials, Price
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evalset import EvalCase, EvalSample, Precision
from tuneworthy.model.evidence import (
    Batch,
    Evidence,
    FileReading,
    Measured,
    Series,
    latest,
)
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case, today
from tuneworthy.plan.context import PlannedCases, plan_cases
from tuneworthy.report.blocks import Block, Parts, flat
from tuneworthy.report.sections.evalset import EvalsetReport
from tuneworthy.report.sections.measure import (
    ComparedReport,
    MeasureReport,
    measure_report,
)
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
    models: dict[str, str] = {}
    known: set[str] = set()
    for name in _logged_models(measured):
        served = find_served(name)
        # Several names may be one model: the most frequent of them stands for all.
        key = model_id(name, day) if served is None else served.key
        if key not in known:
            known.add(key)
            models[model_id(name, day)] = name
    return models


def _logged_models(measured: Measured) -> list[str]:
    """The names of models in the results, the most frequent first."""
    names = []
    for item in measured.evidence:
        if item.id != "models_seen" or not item.is_known:
            continue
        for example in item.examples:
            # An example is a name, a colon and the number of its traces.
            name, _, _ = example.rpartition(": ")
            if name.strip():
                names.append(name.strip())
    return names


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
    # Some tools put the kind of call between provider and model.
    kind, _, bare = rest.partition(":")
    if kind in _KINDS and bare:
        rest = bare
    # "//" is an address, not a provider.
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
    (model,) = models
    # Some models cost more from a length of the prompt on.
    return price_on(model, as_of, input_tokens=_input_tokens(measured))


def _input_tokens(measured: Measured) -> float:
    """The input tokens of a call, as reported or estimated; 0 where unknown."""
    ledger = latest([measured])
    for name in ("input_tokens", "input_tokens_estimate"):
        if name in ledger and ledger[name].is_known:
            return ledger[name].number
    return 0.0


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
    case: Case | None = None,
    add: Callable[[Case, Measured], bool] = append_evidence,
    **how: Unpack[HowRead],
) -> MeasureReport:
    """Measure the files of a case, or other files for it, and add the evidence to its ledger.

    ``sources`` are files, patterns, folders or addresses to read instead of the case's. ``case`` is
    the content that the case file will have, if it changes, and ``add`` writes that beforehand.
    """
    case = case or load_case(source)
    framework = framework_of(case)
    before = decide(case, framework)
    measured, guesses = _measure_sources(case, framework, sources, **how)
    added = add(case, measured)
    after = decide(case, framework)
    return _report(measured, after, framework, source, before, guesses, added=added)


def measure_new(sources: Sequence[str], **how: Unpack[HowRead]) -> MeasureReport:
    """Make a case folder from traces or results alone, filled in by their measurements.

    It is made in the present folder and named after the first file; the arguments are those of
    ``measure_case``.
    """
    stem = _stem(_plain(sources[0]))
    target = Path(f"{stem}-case")
    mapping = how.get("mapping")
    if os.path.lexists(target):
        raise _is_there(target, sources, mapping)
    title = _title(stem)
    draft = load_case({"name": title})
    framework = framework_of(draft)
    measured, guesses = _measure_sources(draft, framework, sources, **how)
    if mapping is None:
        maps = {guess.written for guess in guesses}
    else:
        maps = {read_text(Path(mapping), CASE_LIMIT, InputError)}
    with made_whole(target) as place:
        start_case(place, title)
        add_to_case(place, appendix(measured, today()))
        if len(maps) == 1:  # the case reads later files of this make by it
            (place / _MAP).write_text(maps.pop(), "utf-8")
            add_to_case(place, f"data:\n  traces: {{map: {_MAP}}}\n")
        append_evidence(load_case(place), measured)
    dossier = decide(load_case(target), framework)
    return _report(measured, dossier, framework, target, None, guesses, added=True)


def _title(stem: str) -> str:
    """The title of a new case, by the name of its first file."""
    words = stem.replace("-", " ").replace("_", " ").strip()[:100]
    if not words:
        return "Measured"
    # Not ``capitalize``, which would make the other letters small.
    return words[0].upper() + words[1:]


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
    models = tuple(seen_models(measured, dossier.as_of).values())
    ends = {}
    for name in models:
        end = logged_end(name, dossier.as_of)
        if end is not None:
            ends[name] = end
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
        guessed={guess.name: [*map(_masked_record, guess.first)] for guess in guesses},
        unread={guess.name: _unread(guess) for guess in guesses if guess.unread},
        ends=ends,
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

    fields = []
    for name in _SHOWN.split():
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, float):
            shown = f"{value:g}"
        else:
            # Masking a long text is slow, and its beginning is all that is shown.
            shown = one_line(mask(str(value)[:2_000]), limit=50)
        fields.append(f"{name} {shown}")
    return ", ".join(fields)


def _is_there(
    target: Path, sources: Sequence[str], mapping: str | Path | None
) -> InputError:
    """The error where the folder of a new case already holds something."""
    if not os.path.lexists(case_path(target)):
        fix = "move it away, or run this in another folder"
        return InputError("exists already", where=str(target), fix=fix)
    options = [str(target), "--from", _plain(sources[0])]
    if mapping is not None:
        options += ["--map", str(mapping)]
    fix = f"add to it: tuneworthy measure {shlex.join(options)}"
    return InputError("holds a case already", where=str(target), fix=fix)


_needed = extra_needed(
    "traces",
    "measuring needs",
    {
        "backports",
        "duckdb",
        "hyperscan",
        "jsonschema_rs",
        "msgspec",
        "python_calamine",
        "rensa",
        "stdnum",
    },
)


@_needed
def _plain(source: str) -> str:
    """A source without parts that may be secret."""
    from tuneworthy.traces.remote import RemoteFile, is_remote

    return RemoteFile(source).where if is_remote(source) else source


def _stem(source: str) -> str:
    """A plain name for a folder, by a source."""
    name = source.rstrip("/").rpartition("/")[2]
    stem = _ENDINGS.sub("", name)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:60] or "measured"


_ENDINGS = re.compile(
    r"(\.(jsonl?|eval|csv|parquet|gz|zst|ndjson|txt))+$", re.IGNORECASE
)


_stored = extra_needed("stores", "reading from a store needs", {"obstore"})


@_stored
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
    """Measure some sources, else the files of a case; also returns the guessed maps of fields."""
    from tuneworthy.measure.signals import signals
    from tuneworthy.traces.read import case_map, named

    if on:
        # A wrong way is refused before anything is read.
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
    own_examples = () if sources else named(case, "examples")
    if own_examples:
        examples = [signal for signal in signals(materials) if signal.id == "examples"]
        files = _files(own_examples, None, searched=True)
        parts.append(_measured_part(files, _results(files, examples, None)))
    if not parts:
        raise _no_traces(case, "measure")
    settings = [MEASURES, str(fields), repr(materials)]
    if draw.share < 1:
        settings += [draw.share, draw.seed]
    measured = _joined_parts(case, parts, settings)
    if save_map is not None:
        _save_map(Path(save_map), {guess.written for guess in guesses})
    return measured, guesses


def _joined_parts(
    case: Case, parts: Sequence[Measured], settings: Sequence[object]
) -> Measured:
    """Join measurements of several files to one; of one id, the last part's counts."""
    readings: list[FileReading] = []
    evidence: dict[str, Evidence] = {}
    series: dict[str, Series] = {}
    mixes = []
    for part in parts:
        readings += part.readings
        evidence.update({item.id: item for item in part.evidence})
        series.update({item.id: item for item in part.series})
        if part.mix is not None:
            mixes.append(part.mix)
    # Of the files that the case has now, those that were read.
    read = {(reading.name, reading.size) for reading in readings}
    now = files_now(case, *MEASURED_ON)
    return Measured(
        inputs=_digest_inputs(settings, readings),
        readings=tuple(readings),
        files=tuple(file for file in now if (Path(file.path).name, file.size) in read),
        evidence=tuple(evidence.values()),
        series=tuple(series.values()),
        # Logs come before examples, which have no mix of requests.
        mix=mixes[0] if mixes else None,
    )


def _read_materials(case: Case, framework: Framework) -> Materials:
    """What logs are compared with: the files of a case, its set and the examples that it needs."""
    from tuneworthy.files.materials import prompt_wordings, read_materials

    needed = None
    need = examples_need(case, framework)
    if need is not None:
        needed = need.data.low
    asked: tuple[str, ...] = ()
    with suppress(CaseError):  # a set that can't be read is told by whoever uses it
        asked = tuple(eval_case.text for eval_case in named_evalset(case) or ())
    return replace(
        read_materials(case),
        examples_need=needed,
        asked=asked,
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
    (written,) = maps
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
    drawn = f"{100 * draw.share:g}% of the conversations"
    if draw.share < 1:
        source = f"{drawn}, drawn with seed {draw.seed}, of {source}"
    evidence: dict[str, Evidence] = {}
    series: list[Series] = []
    mix = None
    for result in results:
        series += result.series
        if mix is None:
            mix = result.mix
        for item in result.evidence:
            earlier = evidence.get(item.id)
            if earlier is None or (item.is_known and not earlier.is_known):
                evidence[item.id] = item.model_copy(update={"source": source[:2000]})
    if draw.share < 1 and not evidence:
        raise InputError(
            f"{drawn} are none of them", where="--sample", fix="draw more of them"
        )
    return Measured(
        inputs="",
        readings=files.readings,
        evidence=tuple(evidence.values()),
        series=tuple(series),
        mix=mix,
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
    # Arms of one name are told apart by their source only where there are two.
    names_of_sides = _source_names(files, sources) if len(sources) == 2 else {}
    pair = PairSignal(lambda: files.sides[files.piece], names_of_sides)
    _results(files, [pair], progress)
    labels = [arm_name(name) for name in pair.names]
    chosen = _pair(labels, arm, baseline, many=len(sources) > 1)
    where = f"{labels[chosen.arm]} and {labels[chosen.baseline]}"
    assert pair.runs is not None  # two arms have runs
    runs = pair.runs.choose_arms(chosen)
    misfit = runs.misfit(margin)
    if misfit:
        raise InputError(misfit, where=where, fix="score both from 0 to 1")
    names = [pair.names[place] for place in chosen]
    compared = compare_two(names, runs, shared=shared)
    if compared is None:
        raise InputError(
            "an arm has no score on a case of the other",
            where=where,
            fix="add `score`, and name cases alike in both (`case`)",
        )
    return ComparedReport(
        arm=compared.arm,
        baseline=compared.baseline,
        contrast=compared.contrast,
        lacking=compared.lacking,
        margin=margin,
        shared=shared,
        by_text=pair.by_text,
    )


def _source_names(files: TraceFiles, sources: Sequence[str]) -> dict[int, str]:
    """A name for each source, by its place: the file's name, if a source is a single file.

    Two files of one name are called by their paths.
    """
    paths = {side: _plain(source) for side, source in enumerate(sources)}
    names = {
        side: Path(path).name
        for side, path in paths.items()
        if files.sides.count(side) == 1
    }
    if len(set(names.values())) < len(names):
        return paths
    return paths | names


class _ArmPlaces(NamedTuple):
    """The places of two arms among all of them."""

    arm: int
    baseline: int


def _pair(
    labels: Sequence[str], arm: str | None, baseline: str | None, *, many: bool
) -> _ArmPlaces:
    """Find an arm and its baseline by their names, from one source or many."""
    every = "; ".join(one_line(label, limit=60) for label in labels[:12])
    first = _arm_of(labels, "--arm", arm, every)
    second = _arm_of(labels, "--baseline", baseline, every)
    if len(labels) < 2:
        what = f"holds one arm, {every}" if labels else "holds no answer to a case"
        fix = "name the results of another beside it, by a second --from"
        if many:
            fix = "name the model or the prompt in the records, or put each side into one file"
        raise InputError(what, where="--from", fix=fix)
    if len(labels) == 2:
        # What isn't named is the other of the two; the first one is the baseline.
        if second is None:
            second = 0 if first is None else 1 - first
        if first is None:
            first = 1 - second
    if first is None or second is None or first == second:
        what = f"holds {len(labels)} arms: {every}"
        raise InputError(
            what, where="--from", fix="say which two: --arm ARM --baseline ARM"
        )
    return _ArmPlaces(first, second)


def _arm_of(
    labels: Sequence[str], option: str, text: str | None, every: str
) -> int | None:
    """The place of the arm that a text names, in full or in part; None for no text.

    ``option`` is where the text was given, and ``every`` lists the arms, both for the error.
    """
    if text is None:
        return None
    wanted = text.casefold()
    plain = [label.casefold() for label in labels]
    places = [place for place, label in enumerate(plain) if label == wanted]
    if not places:
        places = [place for place, label in enumerate(plain) if wanted in label]
    if len(places) != 1:
        problem = "several arms" if places else "not an arm"
        what = f'"{one_line(text, limit=60)}" is {problem}'
        raise InputError(what, where=option, fix=f"name one of: {every}")
    (place,) = places
    return place


SET_FILE = "eval.jsonl"  #: The name of a new set, beside the case file.
CASES = 200  #: Of a set where nothing is said.
BELOW = 0.05
"""The distance below the target at which scores are distinguished, where today's score is unknown."""


@_stored
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
    path = _set_path(case, output)
    refuse_existing(path, "name another file with --output, or move it away")
    entry = _own_entry(sources)
    chosen = sources if entry is None else named(case, entry)
    if not chosen:
        raise _no_traces(case, "draw from")
    files = TraceFiles(chosen, mapping=case_map(case, mapping))
    framework = framework_of(case)
    near = framework.threshold("near_copy")
    drawn = build_evalset(
        _batches(files, progress),
        n=n,
        seed=seed,
        schema=read_materials(case).output_schema,
        alike=ALIKE if near is None else near,
        gold=entry == "examples",
        policy=case.data.personal,
    )
    if not drawn.cases:
        fix = "log `input`, what was asked, or messages"
        raise InputError("no trace says what was asked", where=str(source), fix=fix)
    write_evalset(path, drawn.cases)
    fewest = framework.plan.evaluation_cases if framework.plan else CASES // 2
    known, _ = with_own_evidence(case)  # as the plan knows it
    return _set_report(known, source, drawn, path, plan_cases(known, fewest))


def _set_path(case: Case, output: str | Path | None) -> Path:
    """The file for a new evaluation set: the stated one, else one beside the case."""
    if output is not None:
        return Path(output)
    if case.folder is None:
        raise OutputError(
            "has no folder", where=case.name, fix="name a file with --output"
        )
    return case.folder / SET_FILE


def _own_entry(sources: Sequence[str]) -> Literal["traces", "examples"] | None:
    """The entry of the case that the sources mean; None where they are files or addresses."""
    if not sources:
        return "traces"
    if len(sources) == 1 and not os.path.lexists(sources[0]):
        if sources[0] == "traces":
            return "traces"
        if sources[0] == "examples":
            return "examples"
    return None


@_stored
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
    # Kish's effective sample size: unequal weights are worth fewer cases.
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
    # The score to expect; the widest interval where nothing is stated.
    expected = 0.5
    expected_by = ""
    if case.today.quality is not None:
        expected = case.today.quality
        expected_by = "today.quality"
    elif target is not None:
        expected = max(0.0, target - BELOW)
        expected_by = "target"
    _, held_out = parted(drawn.cases)
    return EvalsetReport(
        drawn=drawn,
        path=str(path),
        folder=str(source),
        entry=_entry_for(case, path),
        expected_by=expected_by,
        target=target,
        whole=precision(drawn.cases, expected),
        report=precision(held_out, expected),
        needed=planned.all,
        tells=planned.tells,
        goal=case.goals[0] if case.goals else "",
        hiding=case.data.personal.local if case.data.personal else "words",
    )


def _entry_for(case: Case, path: Path) -> str | None:
    """A file as the case can name it; None where it lies outside of the case's folder."""
    if case.folder is None:
        return None
    with suppress(OSError, ValueError):
        return path.resolve().relative_to(case.folder.resolve()).as_posix()
    return None


# Files that are handed over: read by whoever reads them anyway, kept beside the case, and named.

FileKind = Literal["traces", "evaluation", "prompts", "documents", "training"]
"""The kind of a file that a case takes in: the entry of ``data`` that names it."""
_EACH = ("traces", "training")  #: Kinds for which the case names every file.
_FOLDERS = ("prompts", "documents")  #: Kinds for which it names the folder.
MOST_READ_S = 600.0  #: How long reading logs that were handed over may take.
_MOST_NAMES = 1000  #: Numbers that are tried for a free name.
_BYTES = 120  #: Bytes of a file's name, so that any disk takes it with its ending and a number.
_ENDING = 20  #: Characters of its ending.


def clean_name(sent: str) -> str:
    """A file's name from anybody, without a path, and valid on any disk."""
    *_, last = re.split(r"[/\\]", sent)
    name = Path(re.sub(r"[^\w.()+-]+", "-", last).strip("-."))
    # A letter that is cut in two goes.
    stem = name.stem.encode()[:_BYTES].decode(errors="ignore").rstrip("-.")
    return (stem or "file") + name.suffix[:_ENDING]


class AddedFiles(NamedTuple):
    """Files that a case has taken in."""

    paths: tuple[Path, ...]
    says: tuple[Block, ...]  #: Some lines about the contents.
    before: str  #: The case file before and after.
    after: str


def add_files(source: Path, kind: FileKind, files: Sequence[Path]) -> AddedFiles:
    """Take files in: move them beside the case under free names, read them, and name them there.

    ``source`` is the case folder, and ``files`` are on its disk.

    Raises:
        InputError: If they can't be read, or the case can't be judged with them. Then no file is left,
            and the case is unchanged.
    """
    path = case_path(source)
    read = read_with_digest(source)
    if kind == "evaluation":
        files = [_one_set(files, path.name)]
    with _move_into_place(read.case, kind, files) as placed:
        naming = partial(_naming, kind=kind, placed=placed)
        case = case_from_text(naming(read.text, path), path)
        if kind == "traces":
            adding = _Adding(source, naming)
            says = flat(*_measure_uploaded_logs(case, placed, adding.add))
            written = adding.written
        else:
            says = flat(*_read_by_kind(case, kind, placed))
            written = rewrite(source, naming, _judge)
    assert written is not None  # measuring adds its evidence, or raises
    return AddedFiles(tuple(placed), says, written.before, written.text)


def _judge(case: Case) -> None:
    """Raise an error if a case can't be judged."""
    decide(case, framework_of(case))


class _Adding:
    """Names files in a case and adds their measurements: both, or none for an invalid case."""

    def __init__(self, source: Path, naming: Callable[[str, Path], str]) -> None:
        self._source = source
        self._naming = naming
        self._is_new = False
        self.written: Written | None = None  #: The case file, once it names them.

    def add(self, _: Case, measured: Measured) -> bool:
        """Return whether the measurements are new."""

        def check(now: Case) -> None:
            _judge(now)
            self._is_new = append_evidence(now, measured)

        self.written = rewrite(self._source, self._naming, check)
        return self._is_new


def _one_set(files: Sequence[Path], case_name: str) -> Path:
    """The only file of an evaluation set; a spreadsheet is written as JSON lines beside it."""
    if len(files) > 1:
        raise CaseError(
            "names one evaluation set", where=case_name, fix="send one file"
        )
    (file,) = files
    if file.suffix.casefold() != ".csv":
        return file
    lines = file.with_suffix(".jsonl")
    write_evalset(lines, read_csv(file))
    return lines


@contextmanager
def _move_into_place(
    case: Case, kind: FileKind, files: Sequence[Path]
) -> Iterator[list[Path]]:
    """Move files to their places under free names; they are removed again if the block fails."""
    # The folder that the case names already, else one named after the kind.
    own = getattr(case.data, kind) if kind in _FOLDERS else None
    if isinstance(own, Holding):
        own = own.path
    default = "." if kind == "evaluation" else kind
    folder = beside(case, f"data.{kind}", own or default)
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
        name = file.name if number == 1 else f"{file.stem}-{number}{file.suffix}"
        place = folder / name
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
    written = (parse(text, str(path), CaseError).data.get("data") or {}).get(kind)
    own = getattr(case_from_text(text, path).data, kind)
    if kind in _EACH:
        answers = _names_of_each(own, written, path.parent, kind, placed)
    elif kind == "evaluation":
        (only,) = placed
        answers = {_keys(kind, written): only.relative_to(path.parent).as_posix()}
    else:
        answers = _name_of_folder(own, written, kind)
    return edit(text, answers, str(path), CaseError)


def _keys(kind: FileKind, written: object) -> Keys:
    """Where the entry of a kind has its files: in the entry itself, or under a key of its own."""
    if not isinstance(written, dict):
        return ("data", kind)
    return ("data", kind, "paths" if kind in _EACH else "path")


def _names_of_each(
    own: Sequence[str],
    written: object,
    folder: Path,
    kind: FileKind,
    placed: Sequence[Path],
) -> dict[Keys, Value]:
    """The answers that name every new file of a kind, behind those that the case names already.

    ``own`` are the names and patterns of the entry, and ``written`` is the entry as it is written.
    """
    covered: set[Path] = set()
    for pattern in own:
        covered.update(matching(pattern, folder))
    # The case may name the file by a pattern, or its folder.
    new = [
        file.relative_to(folder).as_posix()
        for file in placed
        if file not in covered and file.parent not in covered
    ]
    keys = _keys(kind, written)
    names = written.get("paths") if isinstance(written, dict) else written
    if isinstance(names, list):
        # Each at the end of the list, so that comments in it stay.
        return {
            (*keys, place): name for place, name in enumerate(new, start=len(names))
        }
    return {keys: (*own, *new)} if new else {}


def _name_of_folder(own: object, written: object, kind: FileKind) -> dict[Keys, Value]:
    """The answers that name the folder of a kind; {} where the case names it already."""
    name = written.get("path") if isinstance(written, dict) else written
    keys = _keys(kind, written)
    if name is None:
        return {keys: kind}
    if isinstance(own, Holding) and own.path is None:
        # The entry states only how many there are.
        return {keys: {"path": kind, "count": str(own.count)}}
    return {}


@_needed
def _read_by_kind(
    case: Case, kind: FileKind, placed: Sequence[Path]
) -> Iterable[Parts]:
    """Read files that the case names already, and say how much they hold."""
    if kind == "evaluation":
        cases = named_evalset(case) or ()
        answered = [eval_case for eval_case in cases if eval_case.accepted]
        read = counted(len(cases), "case")
        return [f"Read {read}, {len(answered)} of them with a right answer."]
    if kind == "training":
        examples = sum(len(read_examples(path)) for path in placed)
        return [f"Read {counted(examples, 'example')}."]
    if kind == "prompts":
        return [_read_prompts(case, placed)]
    for path in placed:  # each by itself: in a folder other kinds are passed over
        name = path.relative_to(case.folder or ".").as_posix()
        read_documents(case, name, "data.documents")
    return [f"Read {counted(len(placed), 'document')}."]


def _read_prompts(case: Case, placed: Sequence[Path]) -> str:
    """Read the prompts of a case, and name them; an error where a new file isn't one by its name."""
    known = {*(prompt_files(case) or ()), *search_files(case)}
    for path in placed:
        if path not in known:
            raise CaseError(
                "is not a prompt by its name", where=path.name, fix="name it .md"
            )
    names = [prompt.name for prompt in read_prompts(case)]
    return f"Read {counted(len(names), 'prompt')}: {listing(names)}."


_ON_THE_PAGE = ("first", "read", "quick")
"""Sections that are shown where logs are handed over."""


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
