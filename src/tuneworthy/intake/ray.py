"""Files measured in parallel by Ray, on one machine or several.

Each file is measured separately, and the parts are joined in the order of the files. So the result
equals that of a single process to the last digit.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneworthy.errors import InputError, extra_needed
from tuneworthy.model.case import Materials

if TYPE_CHECKING:
    from tuneworthy.measure.engine import MeasuredPart, Sampling
    from tuneworthy.measure.signals.base import Findings
    from tuneworthy.traces.read import TraceFiles

_WAY = re.compile(r"ray(?::(?P<address>\S+))?")
WAYS = "ray or ray:ADDRESS"


class LogDraw(NamedTuple):
    """The conversations of a log that are read."""

    share: float  #: Of them all, from 0 to 1.
    seed: int


class Work(NamedTuple):
    """One file to measure, with everything that it takes."""

    files: TraceFiles  #: That file alone.
    piece: int
    materials: Materials
    near_copy: float | None
    draw: LogDraw
    shared: tuple[Any, ...]


def read_way(on: str) -> re.Match[str]:
    """Read where to measure, with the address of a cluster if one is named.

    Raises:
        InputError: If there is no such way.
    """
    way = _WAY.fullmatch(on)
    if way is None:
        what = "is gone" if on == "cores" else "is not a way to measure"
        fix = f"leave --on out to measure in one process, or write {WAYS}"
        raise InputError(what, where=f"--on {on}", fix=fix)
    return way


def measure_files(
    files: TraceFiles,
    materials: Materials,
    near_copy: float | None,
    *,
    on: str,
    done: Callable[[], None],
    draw: LogDraw,
) -> tuple[Findings, ...]:
    """Measure files on a Ray cluster. ``done`` is called after each file.

    Raises:
        InputError: If ``on`` names no such way, a file can't be read, or scores lie beside a log.
    """
    from tuneworthy.measure.engine import Sampling, merged
    from tuneworthy.measure.sample import load_models
    from tuneworthy.measure.signals import signals

    way = read_way(on)
    with _ray(on, way["address"]) as measure_all, _folder() as place:
        alone = files.apart()
        # A copy, because reading the first traces mustn't count as reading the files.
        shared = _texts_shared_by_traces(copy(files), Sampling(*draw))
        work = [
            Work(file, piece, materials, near_copy, draw, shared)
            for piece, file in enumerate(alone)
        ]
        results = measure_all(work)
        load_models()  # whoever evaluates the parts needs both
        parts = _arriving_parts(results, files, done)
        every = signals(materials, near_copy)
        findings = merged(parts, every, folder=place, share=draw.share)
    files.check()
    return findings


def _arriving_parts(
    results: Iterator[WorkerResult], files: TraceFiles, done: Callable[[], None]
) -> Iterator[MeasuredPart]:
    """The parts of the files in order, each noted as read when it arrives; empty files have none."""
    for result in results:
        files.add_read(result.read)
        done()
        if result.part is not None:
            yield result.part


class WorkerResult(NamedTuple):
    """What a worker returns for one file."""

    part: MeasuredPart | None  #: None for a file without a trace.
    read: TraceFiles  #: The file, with what was read of it.


def _part(work: Work) -> WorkerResult:
    """Measure one file, on any machine."""
    from tuneworthy.measure.engine import Sampling, part_of
    from tuneworthy.measure.signals import signals

    with _folder() as place:
        draw = Sampling(*work.draw)
        batches = (draw.draw_traces(chunk.batch, work.piece) for chunk in work.files)
        every = signals(work.materials, work.near_copy)
        part = part_of(
            batches, every, folder=place, piece=work.piece, shared=work.shared
        )
    return WorkerResult(part, work.files)


def _texts_shared_by_traces(files: TraceFiles, draw: Sampling) -> tuple[Any, ...]:
    """Texts that many of the first thousand traces share, as a single process would find them.

    Each worker needs them, but sees only its own file.
    """
    from tuneworthy.measure.sample import FIRST, Signer

    signer = Signer()
    seen = 0
    for chunk in files:
        batch = draw.draw_traces(chunk.batch, chunk.piece)
        signer.add(batch.column("input"), batch.output, seen)
        seen += len(batch)
        if seen >= FIRST:
            break
    signer.rest()
    return signer.shared


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tuneworthy-") as place:
        yield Path(place)


@contextmanager
def _ray(
    on: str, address: str | None
) -> Iterator[Callable[[Sequence[Work]], Iterator[Any]]]:
    """A function that measures files on a cluster, and yields their parts in order."""
    _refuse_silence(on, address)
    with extra_needed("ray", "measuring on Ray needs", {"ray"}):
        import ray
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        alone = {"env_vars": {"OPENBLAS_NUM_THREADS": "1"}}  # one process for each core
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        ray.init(address, include_dashboard=False, runtime_env=alone, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as caught:
        lines = str(caught).strip().splitlines()
        reason = lines[0][:200] if lines else "no answer"
        raise InputError(
            f"is not a cluster: {reason}", where=f"--on {on}", fix="start it"
        ) from None
    try:
        remote = ray.remote(_part)
        # Two jobs a core: the next one waits where the last one ends, and no more lie in memory.
        most = max(2, int(2 * ray.cluster_resources().get("CPU", 1)))

        def results(work: Sequence[Work]) -> Iterator[Any]:
            waiting = iter(work)
            running = [remote.remote(job) for job in islice(waiting, most)]
            while running:
                yield _got(ray, running.pop(0))
                running.extend(remote.remote(job) for job in islice(waiting, 1))

        yield results
    finally:
        ray.shutdown()


def _refuse_silence(on: str, address: str | None) -> None:
    """Refuse an address where nobody answers, as Ray itself would try for minutes."""
    _, _, place = (address or "").rpartition("://")
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        # A name such as "auto", which Ray looks up itself.
        return
    try:
        # An IPv6 address is written in brackets.
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError):
        fix = "check the address, or start it"
        raise InputError(
            "no cluster answers there", where=f"--on {on}", fix=fix
        ) from None


def _got(ray: Any, reference: Any) -> Any:
    """The result of a job; an InputError of the worker is raised as if it had been raised here."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as failed:
        if isinstance(failed.cause, InputError):
            raise failed.cause from None
        raise failed from None
