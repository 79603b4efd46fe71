"""What measuring traces costs: CPU and memory beside a bare parse of the same file.

Run ``python benchmarks/traces.py`` in an environment where Tuneworthy is installed with its extra
``traces``, and ``pysimdjson``. It makes a log of a gigabyte in a temporary folder, and two larger
ones; about ten gigabytes have to be free. Every figure comes from a process of its own, which
fails where it read another number of traces than were written, or where a signal said nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any

from make_traces import BYTES_PER_GB, write

# ru_maxrss is kibibytes on Linux and bytes on macOS.
MAXRSS_PER_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024
BUDGETS = {"read": 3.5, "light": 5.0, "everything": 11.0}
"""What each step may take, in bare parses of the same file."""
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


STEPS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "parse": parse,
    "read": read_only,
    "light": light,
    "everything": everything,
}


def step(name: str, path: Path, traces: int) -> dict[str, float]:
    """Figures of one step, from a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--step", name, str(path), str(traces)],
        stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # as the command has it
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def beside(name: str, path: Path, traces: int) -> dict[str, float]:
    """Figures of one step: the median of some processes, each between two bare parses.

    A machine with neighbours changes its pace within seconds: only what ran side by side compares.
    """
    runs = []
    before = step("parse", path, traces)["cpu_s"]
    for _ in range(ROUNDS):
        figures = step(name, path, traces)
        after = step("parse", path, traces)["cpu_s"]
        runs.append(figures | {"bare_s": (before + after) / 2})
        before = after
    runs.sort(key=lambda each: each["cpu_s"] / each["bare_s"])
    return runs[ROUNDS // 2]


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
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gb", type=float, default=1.0, help="size of the log")
    parser.add_argument("--large", type=float, default=3.0, help="of the larger one")
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
    if find_spec("simdjson") is None:
        print(
            "the bare parse needs another library: pip install pysimdjson",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
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
