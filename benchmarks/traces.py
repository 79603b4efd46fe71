"""What measuring traces costs: CPU and memory beside a bare parse of the same file.

Run ``python benchmarks/traces.py`` in an environment where Tuneworthy is installed with its extra
``traces``, and ``pysimdjson``. It makes a log of a gigabyte in a temporary folder, and two larger
ones; about ten gigabytes have to be free. Every figure comes from a process of its own, which
fails where it read another number of traces than were written, or where a signal said nothing. With
``--forms --texts FOLDER`` the log is recombined from other people's texts.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import islice
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

import recombine
from make_traces import BYTES_PER_GB, write

# ru_maxrss is kibibytes on Linux and bytes on macOS.
MAXRSS_PER_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024
BUDGETS = {"read": 3.5, "light": 5.0, "everything": 11.0}
"""What each step may take, in bare parses of the same file."""
PARQUET_BUDGETS = {"read": 2.5, "light": 4.0, "everything": 11.0}
PEAK_BUDGET_MIB = 1024.0
LIGHT = frozenset(
    {
        "format", "terms", "voice", "knowledge", "instructions", "latency", "traffic", "change",
        "personal", "shape", "texts", "success", "arms",
    }
)  # fmt: skip
"""The signals that need neither near-duplicates (``examples``) nor embeddings (``novelty``)."""
SILENT = frozenset({"knowledge", "arms", "running"})
"""Signals that have nothing to say of these logs: no trace has a reference, or a case of a test,
and no prompt file is given."""
FIRST_TRACES = 50
FIRST_BUDGET_S = 0.7
"""CPU of the whole command on so many traces."""
WARMING_BYTES = 2_000_000  #: Of a log that is large enough to compile patterns for.
ROUNDS = 5
LINEAR = 1.1
"""Seconds a gigabyte of the larger file over those of the smaller, at most."""

SCHEMA = {
    "type": "object",
    "required": ["subject", "amount", "urgent", "items", "summary"],
    "properties": {
        "subject": {"type": "string"},
        "amount": {"type": "number"},
        "urgent": {"type": "boolean"},
        "items": {"type": "array", "items": {"type": "string"}},
        "summary": {"type": "string"},
    },
}
TERMS = (
    ("warehouse", ("depot", "store room"), ("goods",)),
    ("customer", ("client", "punter"), ()),
    ("invoice", ("bill",), ("payment",)),
    ("parcel", ("package", "packet"), ("deliver",)),
    ("refund", ("money back",), ("return",)),
)


def parse(path: Path, _: int) -> dict[str, float]:
    """Each line parsed by simdjson and nothing else; a line may hold many traces, or none."""
    import simdjson

    parser, lines = simdjson.Parser(), 0
    before = time.process_time()
    with path.open("rb") as file:
        for line in file:
            parser.parse(line)
            lines += 1
    assert lines > 0
    return {"cpu_s": time.process_time() - before, "lines": lines}


def read_only(path: Path, traces: int) -> dict[str, float]:
    """The file read into batches that nobody looks at."""
    from tuneworthy.traces.read import TraceFiles

    gc.set_threshold(100_000)  # as the engine has it
    before = time.process_time()
    many = sum(map(lambda chunk: len(chunk.batch), TraceFiles([path])))  # noqa: C417  # lets go of each
    took = time.process_time() - before
    check_traces("reading", many, traces)
    return {"cpu_s": took, "traces": many}


def materials() -> Any:
    """A glossary, a voice and a schema, so that every signal has work."""
    from tuneworthy.model.case import Materials, Term, VoiceSamples

    return Materials(
        glossary=tuple(
            Term(term=term, forbidden=wrong, due_when=due) for term, wrong, due in TERMS
        ),
        voice=VoiceSamples(
            samples=("Your parcel is on its way. We'll tell you once it is there.",) * 3
        ),
        output_schema=SCHEMA,
        examples_need=500,
        latency_target_s=2.0,
    )


@dataclass
class Timed:
    """A signal, with the CPU it takes."""

    signal: Any
    rows_s: float = 0.0
    finish_s: float = 0.0
    traces: int = 0  #: That it was given.
    known: int = 0  #: Measurements that came of it.
    wants_duplicates: bool = field(init=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.wants_duplicates = self.signal.wants_duplicates
        self.id = self.signal.id

    def rows(self, batch: Any) -> Any:
        """The signal's numbers."""
        before = time.process_time()
        found = self.signal.rows(batch)
        self.rows_s += time.process_time() - before
        self.traces += len(batch)
        return found

    def finish(self, table: Any) -> Any:
        """The signal's evidence."""
        before = time.process_time()
        found = self.signal.finish(table)
        self.finish_s += time.process_time() - before
        self.known += sum(evidence.is_known for evidence in found.evidence)
        self.known += found.mix is not None
        return found


def check_traces(what: str, seen: float, written: int) -> None:
    """Fail where a step saw another number of traces than the log holds."""
    assert seen == written > 0, f"{what} saw {seen} traces of {written}"


def run(
    path: Path, traces: int, chosen: Iterable[Any]
) -> tuple[dict[str, float], list[Timed]]:
    """Signals over a file by the engine."""
    from tuneworthy.measure.engine import measure
    from tuneworthy.traces.read import TraceFiles

    timed = [Timed(signal) for signal in chosen]
    before = time.process_time()
    measure(map(attrgetter("batch"), TraceFiles([path])), timed, folder=path.parent)
    took = time.process_time() - before
    assert timed, "no signal was timed"
    for signal in timed:
        check_traces(signal.id, signal.traces, traces)
        assert signal.known or signal.id in SILENT, f"{signal.id} said nothing"
    known = sum(signal.known for signal in timed)
    return {"cpu_s": took, "signals": len(timed), "known": known}, timed


def light(path: Path, traces: int) -> dict[str, float]:
    """Every signal without near-duplicates and embeddings."""
    from tuneworthy.measure import signals as registry

    chosen = [each for each in registry.signals(materials()) if each.id in LIGHT]
    assert {each.id for each in chosen} == LIGHT
    assert not any(each.wants_duplicates for each in chosen)
    return run(path, traces, chosen)[0]


def everything(path: Path, traces: int) -> dict[str, float]:
    """Every signal, the sampled ones and near-duplicates among them."""
    from tuneworthy.measure import signals as registry

    figures, timed = run(path, traces, registry.signals(materials()))
    assert {each.id for each in timed} > LIGHT
    assert any(each.wants_duplicates for each in timed)
    for each in timed:
        figures[f"rows {each.id}"] = each.rows_s
        figures[f"finish {each.id}"] = each.finish_s
    return figures


def sql(path: Path, traces: int) -> dict[str, float]:
    """DuckDB's own: form, terms, latency and traffic of our own format, in one query."""
    import duckdb

    reader = "read_parquet" if path.suffix == ".parquet" else "read_json"
    words = "|".join(word for _, wrong, _ in TERMS for word in wrong)
    query = f"""SELECT count(*), avg((json_valid(output) AND output[1] = '{{')::INT),
        avg(regexp_matches(output, '\\b({words})\\b', 'i')::INT),
        quantile_cont(latency_s, [0.5, 0.95]), avg(input_tokens), avg(output_tokens), sum(usd),
        count(DISTINCT conversation_id), min(timestamp), max(timestamp),
        count(DISTINCT date_trunc('day', make_timestamp((timestamp * 1e6)::BIGINT)))
        FROM {reader}(?)"""  # noqa: S608  # words and names of ours
    connection = duckdb.connect(config={"threads": 1})
    before = time.process_time()
    found = connection.execute(query, [str(path)]).fetchone()
    took = time.process_time() - before
    assert found is not None
    assert None not in found
    check_traces("SQL", found[0], traces)
    return {"cpu_s": took, "signals": 4}


STEPS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "parse": parse,
    "read": read_only,
    "light": light,
    "everything": everything,
    "sql": sql,
}


def environment(source: Path | None) -> dict[str, str]:
    """The surroundings of a process, in which Tuneworthy may be that of another folder."""
    ours = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the command has it
    if source is not None:
        ours["PYTHONPATH"] = str(source)
    return ours


def step(
    name: str, path: Path, traces: int, source: Path | None = None
) -> dict[str, float]:
    """Figures of one step, from a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--step", name, str(path), str(traces)],
        stdout=subprocess.PIPE, text=True, check=True, env=environment(source),
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def beside(
    name: str,
    path: Path,
    traces: int,
    bare: Path | None = None,
    rounds: int = ROUNDS,
    former: Path | None = None,
) -> dict[str, float]:
    """Figures of one step: the median of some processes, each between two bare parses.

    They are of the same file, or of the ``bare`` one. A machine with neighbours changes its pace
    within seconds: only what ran side by side compares. With a ``former`` version its CPU seconds
    are those of a process right behind.
    """
    runs, before = [], step("parse", bare or path, traces)["cpu_s"]
    for _ in range(rounds):
        figures = step(name, path, traces)
        if former is not None:
            figures["former_s"] = step(name, path, traces, former)["cpu_s"]
        after = step("parse", bare or path, traces)["cpu_s"]
        runs.append(figures | {"bare_s": (before + after) / 2})
        before = after
    runs.sort(key=lambda each: each["cpu_s"] / each["bare_s"])
    return runs[rounds // 2]


def as_langfuse(trace: dict[str, Any]) -> Any:
    """A trace as an observation of Langfuse."""
    start = trace["timestamp"]
    calls = {"tool_calls": trace["tool_calls"]} if "tool_calls" in trace else {}
    return {
        "traceId": "t", "type": "GENERATION", "level": "DEFAULT", "startTime": start,
        "endTime": start + trace["latency_s"], "sessionId": trace["conversation_id"],
        "model": trace["model"], "input": turns(trace),
        "output": {"role": "assistant", "content": trace["output"], **calls},
        "totalCost": trace.get("usd"),
        "usageDetails": {"input": trace["input_tokens"], "output": trace["output_tokens"]},
    }  # fmt: skip


def as_span(trace: dict[str, Any]) -> Any:
    """A trace as a span that an SDK exports."""

    def said(role: str, text: str | None, calls: Iterable[Any] = ()) -> Any:
        texts = [] if text is None else [{"type": "text", "content": text}]
        return {
            "role": role,
            "parts": [*texts, *({"type": "tool_call"} | call for call in calls)],
        }

    start = trace["timestamp"]
    answer = said("assistant", trace["output"], trace.get("tool_calls", ()))
    return {
        "start_time": start, "end_time": start + trace["latency_s"],
        "attributes": {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": trace["model"],
            "gen_ai.conversation.id": trace["conversation_id"],
            "gen_ai.input.messages": json.dumps(
                [said(turn["role"], turn["content"]) for turn in turns(trace)]
            ),
            "gen_ai.output.messages": json.dumps([answer]),
            "gen_ai.usage.input_tokens": trace["input_tokens"],
            "gen_ai.usage.output_tokens": trace["output_tokens"],
        },
    }  # fmt: skip


def as_otlp(trace: dict[str, Any]) -> Any:
    """The same span as the protocol writes it, in a line of its own."""
    return exported([otlp_span(trace)])


def otlp_span(trace: dict[str, Any]) -> Any:
    """The same span with the protocol's names."""
    span = as_span(trace)
    pairs = [
        {
            "key": key,
            "value": {"stringValue": v} if isinstance(v, str) else {"intValue": str(v)},
        }
        for key, v in span["attributes"].items()
    ]
    clocks = {
        f"{end}TimeUnixNano": str(int(span[f"{end}_time"] * 1e9))
        for end in ("start", "end")
    }
    return {**clocks, "attributes": pairs}


def exported(spans: list[Any]) -> Any:
    """Spans in one line of the protocol."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def collected(lines: Iterable[str]) -> Iterable[str]:
    """Lines of 64 spans, as a collector writes them; half of them have one of HTTP beside."""
    pair = {"key": "http.request.method", "value": {"stringValue": "POST"}}
    spans: list[Any] = []
    for number, line in enumerate(lines):
        spans.append(otlp_span(json.loads(line)))
        if number % 2:
            spans.append({**spans[-1], "attributes": [pair]})
        if len(spans) >= SPANS_A_LINE:
            yield json.dumps(exported(spans)) + "\n"
            spans = []
    if spans:
        yield json.dumps(exported(spans)) + "\n"


SPANS_A_LINE = 64


def turns(trace: dict[str, Any]) -> list[dict[str, str]]:
    """What was said before the answer."""
    system = (
        [{"role": "system", "content": trace["system"]}] if trace.get("system") else []
    )
    asked = [{"role": "user", "content": trace["input"]}] if trace.get("input") else []
    return trace.get("messages") or system + asked


def each(
    form: Callable[[dict[str, Any]], Any],
) -> Callable[[Iterable[str]], Iterable[str]]:
    """Each trace in a form, a line each."""
    return lambda lines: (json.dumps(form(json.loads(line))) + "\n" for line in lines)


def make_form(folder: Path, name: str, texts: Path | None) -> Path:
    """The log ``plain.jsonl`` in another form."""
    plain, path = folder / "plain.jsonl", folder / f"{name}.jsonl"
    if name == "Parquet":
        path = folder / "plain.parquet"
        copied = f"COPY (FROM read_json('{plain}')) TO '{path}'"
        asks = "import duckdb, sys; duckdb.sql(sys.argv[1])"  # its memory isn't ours
        subprocess.run([sys.executable, "-c", asks, copied], check=True)
    elif name != "plain":
        written = {
            "Langfuse": each(as_langfuse), "spans": each(as_span),
            "OTLP": collected if texts else each(as_otlp),
        }[name]  # fmt: skip
        with plain.open() as lines, path.open("w") as file:
            file.writelines(written(lines))
    return path


def forms(
    folder: Path, gb: float, rounds: int, texts: Path | None, former: Path | None
) -> int:
    """Print what the same traces cost in formats of others, and DuckDB's own SQL beside ours.

    Returns:
        0 when every budget is kept, 1 when one is not.
    """
    plain, size = folder / "plain.jsonl", int(gb * BYTES_PER_GB)
    if texts is None:
        many = write(plain, size_bytes=size)
    else:
        many = recombine.write(plain, texts, size_bytes=size)
    print(f"{gb:g} GB, {many} traces, {size / many:.0f} bytes each.\n")
    rows = [
        "| format | what | CPU s | former | × bare parse | budget | peak MiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    kept = True
    for name in ("plain", "Parquet", "Langfuse", "spans", "OTLP"):
        path = make_form(folder, name, texts)
        bare = plain if name == "Parquet" else path
        budgets = PARQUET_BUDGETS if name == "Parquet" else BUDGETS
        steps = [*BUDGETS, *(("sql",) if name in {"plain", "Parquet"} else ())]
        for what in steps:
            beside_it = former if what != "sql" else None
            found = beside(what, path, many, bare, rounds, beside_it)
            times = found["cpu_s"] / found["bare_s"]
            budget = budgets.get(what)
            kept &= budget is None or times <= budget
            cells = (
                name,
                named_step(what, found),
                f"{found['cpu_s']:.2f}",
                f"{found['former_s']:.2f}" if "former_s" in found else "",
                f"{times:.1f}",
                budget_text(times, budget),
                f"{found['peak_mib']:.0f}",
            )
            rows.append(f"| {' | '.join(cells)} |")
            print(rows[-1], flush=True)
        if name != "plain":
            path.unlink()
    print("\n".join(("", *rows)))
    return int(not kept)


def command_s(log: Path, traces: int, source: Path | None) -> float:
    """CPU of ``tuneworthy measure`` on a log, as a whole process that makes a new case."""
    folder = log.parent
    case = folder / f"{log.stem}-case"
    shutil.rmtree(case, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "tuneworthy", "measure", "--from", log.name],
        cwd=folder, stdout=subprocess.DEVNULL, check=True,
        env=environment(source) | {"XDG_CACHE_HOME": str(folder / "cache")},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    kept = (case / ".tuneworthy" / "evidence.jsonl").read_text("utf-8")
    seen = sum(reading["traces"] for reading in json.loads(kept)["readings"])
    check_traces("the command", seen, traces)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_minute(
    folder: Path, rounds: int, texts: Path | None, former: Path | None
) -> int:
    """Print what measuring a few traces costs, by turns with a former version.

    Returns:
        0 when the budget is kept, 1 when it is not.
    """
    whole = folder / "whole.jsonl"
    maker = write if texts is None else partial(recombine.write, folder=texts)
    many = maker(whole, size_bytes=WARMING_BYTES)
    log = folder / "log.jsonl"
    with whole.open() as lines, log.open("w") as file:
        file.writelines(islice(lines, FIRST_TRACES))
    sources: dict[str, Path | None] = {"this": None}
    if former is not None:
        sources["former"] = former
    took: dict[tuple[str, str], list[float]] = {}
    for state in ("nothing kept", "kept by an earlier run"):
        # byte code is there afterwards, and what is kept
        for source in sources.values():
            command_s(whole, many, source)
        for _ in range(rounds):
            for name, source in sources.items():
                if state == "nothing kept":
                    shutil.rmtree(folder / "cache", ignore_errors=True)
                seconds = command_s(log, FIRST_TRACES, source)
                took.setdefault((state, name), []).append(seconds)
    print(f"| `measure` of {FIRST_TRACES} traces | version | CPU s, median | least |")
    print("|---|---|---:|---:|")
    for (state, name), seconds_each in took.items():
        middle = median(seconds_each)
        print(f"| {state} | {name} | {middle:.2f} | {min(seconds_each):.2f} |")
    return int(median(took["kept by an earlier run", "this"]) > FIRST_BUDGET_S)


def named_step(what: str, found: dict[str, float]) -> str:
    """The name of a step, with how many signals it timed."""
    return f"{what}, {found['signals']:.0f} signals" if "signals" in found else what


def budget_text(times: float, budget: float | None) -> str:
    """A budget as a cell, and whether it is kept; empty for none."""
    if budget is None:
        return ""
    return f"≤ {budget:g}" if times <= budget else f"≤ {budget:g} **not kept**"


def main() -> int:
    """Measure one step for a parent process, or everything for a person."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--gb", type=float, default=1.0, help="size of the log")
    parser.add_argument(
        "--large", type=float, default=3.0, help="size of the larger one"
    )
    parser.add_argument(
        "--forms", action="store_true", help="read the log in formats of others"
    )
    parser.add_argument(
        "--first", action="store_true", help="measure fifty traces by the command"
    )
    parser.add_argument(
        "--former", type=Path, help="the folder src of a former version, to run beside"
    )
    parser.add_argument("--texts", type=Path, help="data sets that --forms recombines")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="processes for each figure"
    )
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.step:
        name, path, traces = told.step
        gc.collect()
        figures = STEPS[name](Path(path), int(traces))
        used = resource.getrusage(resource.RUSAGE_SELF)
        figures["peak_mib"] = used.ru_maxrss / MAXRSS_PER_MIB
        print(json.dumps(figures))
        return 0
    if find_spec("simdjson") is None and not told.first:
        print(
            "the bare parse needs another library: pip install pysimdjson",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        if told.first:
            return first_minute(Path(folder), told.rounds, told.texts, told.former)
        if told.forms:
            return forms(Path(folder), told.gb, told.rounds, told.texts, told.former)
        return report(Path(folder), told.gb, told.large)


def report(folder: Path, gb: float, large: float) -> int:
    """Print the table.

    Returns:
        0 when every budget is kept, 1 when one is not.
    """
    small = folder / "small.jsonl"
    many = write(small, size_bytes=int(gb * BYTES_PER_GB))
    print(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}."
    )
    print(f"{gb:g} GB, {many} traces, {gb * BYTES_PER_GB / many:.0f} bytes each.\n")
    figures = {name: beside(name, small, many) for name in STEPS if name != "parse"}
    small.unlink()
    rows = [
        "| what | CPU s | × bare parse | budget | peak MiB |",
        "|---|---:|---:|---:|---:|",
    ]

    def line(
        what: str, cpu_s: float, bare: float, budget: str = "", peak: str = ""
    ) -> None:
        rows.append(
            f"| {what} | {cpu_s:.2f} | {cpu_s / bare:.2f} | {budget} | {peak} |"
        )

    for name, what in (
        ("read", "reading alone"),
        ("light", "all but near-duplicates and embeddings"),
        ("everything", "everything"),
    ):
        found = figures[name]
        budget = budget_text(found["cpu_s"] / found["bare_s"], BUDGETS[name])
        peak = f"{found['peak_mib']:.0f}"
        line(named_step(what, found), found["cpu_s"], found["bare_s"], budget, peak)
    whole, bare = figures["everything"], figures["everything"]["bare_s"]
    for name in [key.removeprefix("rows ") for key in whole if key.startswith("rows ")]:
        line(f"of it `{name}`, every trace", whole[f"rows {name}"], bare)
        line(f"of it `{name}`, in the end", whole[f"finish {name}"], bare)
    print("\n".join(rows), flush=True)
    took = ", ".join(f"{each['bare_s']:.2f}" for each in figures.values())
    print(f"\nA bare parse took {took} s of CPU beside these three.", flush=True)
    kept = whole["peak_mib"] <= PEAK_BUDGET_MIB and all(
        figures[name]["cpu_s"] <= budget * figures[name]["bare_s"]
        for name, budget in BUDGETS.items()
    )
    if large > 0:
        kept &= larger(folder, large, whole["cpu_s"] / gb)
    return int(not kept)


def larger(folder: Path, gb: float, smaller_s_per_gb: float) -> bool:
    """The same on a larger file; three gigabytes are three times the memory that is allowed."""
    path = folder / "large.jsonl"
    many = write(path, size_bytes=int(gb * BYTES_PER_GB))
    whole = step("everything", path, many)
    path.unlink()
    per_gb = whole["cpu_s"] / gb
    print(
        f"\n{gb:g} GB, everything: {whole['cpu_s']:.1f} s of CPU, {per_gb:.2f} a GB against "
        f"{smaller_s_per_gb:.2f} before (≤ {LINEAR:g} times), peak {whole['peak_mib']:.0f} MiB "
        f"(≤ {PEAK_BUDGET_MIB:.0f})."
    )
    return per_gb <= LINEAR * smaller_s_per_gb and whole["peak_mib"] <= PEAK_BUDGET_MIB


if __name__ == "__main__":
    sys.exit(main())
