"""Ways to train behind one small interface; this one trains on this machine.

A way never decides and never counts money. The pilot does, and asks a way to begin a run, to find
one that may have begun, and to wait for its end.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.stores import finished_run
from tuneworthy.llm.embedded import (
    MODEL,
    adapter_name,
    adapter_path,
    checked,
    child_environment,
    last_said,
    processors,
)
from tuneworthy.llm.endpoints import LOCAL, CallError, on_this_machine, reach
from tuneworthy.llm.http import Http, hidden
from tuneworthy.model.case import Model
from tuneworthy.model.pilot import FinishedRun, Recipe, TrainingJob, TrainingQuote, Way

EMBEDDED = f"{LOCAL}:{MODEL}"  #: The one base of the embedded way.
Row = dict[str, Any]
Step = Callable[[str], None]
"""Gets the progress of a run: ``step 3 of 20``, or the words of its service."""
#: What a run leaves that answers are computed from.
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter.gguf")
NEEDED = ("torch", "transformers", "peft", "gguf")
MEASURED_STEPS = 3
_RUN_BYTES = 4 << 30  #: Memory of a run of the embedded base: 3.9 GiB (2026-11-30).
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container's memory
# seconds for a server to load an adapter
_LOADING_S = 120.0
_TAKEN = 200  # HTTP's status
SAVE_EVERY_S = 60.0  #: The most seconds of work that a stopped run loses.


@dataclass(frozen=True, slots=True)
class TrainingWork:
    """A job with its examples: ``messages``, whose last one is learned, and perhaps ``rejected``."""

    job: TrainingJob
    recipe: Recipe
    rows: tuple[Row, ...] = field(repr=False)

    @property
    def epochs(self) -> int:
        """Epochs of the embedded loop: the recipe's, or more for its least steps."""
        return self.recipe.epochs_of(len(self.rows))

    @property
    def steps(self) -> int:
        """The number of steps of the embedded loop."""
        return math.ceil(len(self.rows) * self.epochs / self.recipe.batch)


class Finished(NamedTuple):
    """A run that ended well."""

    model: str  #: Id of the model, to be called.
    usd: float = 0.0
    seconds: float = 0.0
    brought: bool = False  #: Whether its weights came with the folder.


class TrainingFailedError(Exception):
    """A run ended for good without a model. It has the most that it cost, and no key."""

    def __init__(self, why: str, usd: float = 0.0) -> None:
        super().__init__(why)
        self.usd = usd


class TrainingStoppedError(Exception):
    """A run was stopped, and continues when it is asked for again."""


class Trainer(Protocol):
    """A way to train, and to serve the result. Its errors are those of a ``Transport``."""

    way: Way
    at_once: int  #: Runs of one size that may go on side by side.
    usd_per_mtok: float  #: A million trained tokens cost it; 0 on one's own machine.

    async def open(self) -> None:
        """Prepare to serve, before the first call, and again after a close."""

    async def quote(self, works: Sequence[TrainingWork]) -> TrainingQuote:
        """Estimate the time and money for some runs. A few steps may be measured; nothing is paid."""

    def usd_most(self, work: TrainingWork) -> float:
        """The most that a run can cost."""

    async def begin(self, work: TrainingWork) -> str:
        """Begin a run once, without a retry, and return its id."""

    async def find(
        self, work: TrainingWork, over: Collection[str], *, patient: bool
    ) -> str | None:
        """The id of a run that may have begun; None where it surely hasn't.

        Runs in ``over`` don't count. With ``patient``, it looks longer, as a list may lag behind a
        request.
        """

    async def finish(self, work: TrainingWork, id: str, step: Step) -> Finished:
        """Wait for the end of a run, or continue it.

        Raises TrainingFailedError if it failed for good, TrainingStoppedError if it was stopped.
        """

    def is_kept(self, work: TrainingWork, model: str) -> bool:
        """Whether the model of a finished run can still be called.

        Raises InputError if its weights were changed.
        """

    def served(self, model: str) -> Model:
        """A trained model in the form of a case; before the first one, ``model`` is the base's."""

    def stop(self) -> None:
        """End running work soon; it can continue later."""

    async def close(self) -> None:
        """Release everything that is open."""


class _Worker(NamedTuple):
    """A process that trains one run after another, with the log of its other output."""

    process: asyncio.subprocess.Process
    log: IO[bytes]


def _most_parallel_runs() -> int:
    """Runs of the embedded base that this machine can train in parallel, in half of its memory."""
    if not hasattr(os, "sysconf"):  # Windows, whose memory isn't known here
        return 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # a container's limit is less than the machine's; without one, the file says "max"
    with suppress(OSError, ValueError):
        memory = min(memory, int(_LIMIT.read_text()))
    fit_in_memory = memory // 2 // _RUN_BYTES
    return max(1, min(processors(), fit_in_memory))


class LoraTrainer:
    """Trains adapters in separate processes, on a ``device``: ``cpu`` or ``cuda``.

    Each run keeps its state in a folder below ``folder``, every ``save_every_s`` seconds. The base
    is a GGUF file, or a folder as ``transformers`` writes it. For a folder, ``untuned`` is the base
    as a case names it, at the server of its adapters. If it ``serves`` here, that server is a
    separate process at the port of that address. Otherwise a vLLM server loads each adapter.
    """

    def __init__(
        self,
        folder: Path,
        base: Path | None = None,
        device: str = "cpu",
        untuned: Model | None = None,
        *,
        seeds: int = 3,
        save_every_s: float = SAVE_EVERY_S,
        serves: Literal["here", "vllm"] | None = None,
    ) -> None:
        self.way: Way = "embedded" if base is None else "folder"
        self.usd_per_mtok = 0.0
        # the memory of another base isn't known; a size has ``seeds`` runs
        self.at_once = min(seeds, _most_parallel_runs()) if base is None else 1
        self._folder = folder
        self._base = base
        self._device = device
        self._untuned = untuned
        self._save_every = save_every_s
        self._workers: list[_Worker] = []  # all that were started
        self._idle: list[_Worker] = []  # those of them without a job
        self._stopped = False
        self._server: Row | None = None  # name, key and port of our own server
        if serves == "here" and untuned is not None:
            self._server = _server_of(untuned)
        self._serving: _Worker | None = None  # the process of that server
        self._loads_into_vllm = serves == "vllm"

    async def open(self) -> None:
        """Start the server, if it serves its adapters itself.

        A vLLM server that was restarted loads the written adapters again. Raises InputError where
        another program is at that address, or the base can't be read.
        """
        if self._loads_into_vllm:
            for record in sorted(self._folder.glob("*/done.json")):
                if _finished(record.parent) is not None:
                    await self._load(record.parent.name)
        if self._server is None or self._serving is not None:
            return
        _refuse_lacking()
        worker = await _started("tuneworthy.training.serving")
        self._serving = worker  # from now on, closing ends it
        settings = {
            **self._server,
            "base": str(self._base),
            "runs": str(self._folder),
            "device": self._device,
        }
        answer = await _answered(worker, settings)
        if answer.get("said") != "ready":
            why = str(answer.get("why") or last_said(worker.log) or "no reason given")
            await self.close()
            raise InputError(
                f"can't be served: {one_line(why, limit=300)}", where=str(self._base)
            )

    async def quote(self, works: Sequence[TrainingWork]) -> TrainingQuote:
        """Quote time and memory by the first steps of the largest run.

        They are measured in as many processes as will run, which slow each other down.
        """
        if not works:
            return TrainingQuote(jobs=0, steps=0, seconds=0, memory_mib=0)
        largest = max(works, key=lambda work: len(work.rows))
        processes = min(self.at_once, len(works))
        with tempfile.TemporaryDirectory(prefix="tuneworthy-") as place:
            measured = [
                self._ask(largest, Path(place, str(number)), measure=MEASURED_STEPS)
                for number in range(processes)
            ]
            done = await asyncio.gather(*measured)
        seconds_a_step = max(each["seconds"] / each["steps"] for each in done)
        return TrainingQuote(
            jobs=len(works),
            steps=sum(work.steps for work in works),
            seconds=round(seconds_a_step * self._steps_in_a_row(works)),
            memory_mib=sum(each["memory_mib"] for each in done),
        )

    def _steps_in_a_row(self, works: Sequence[TrainingWork]) -> int:
        """Steps that are done one after the other, where runs of a size go on side by side.

        Runs of a size wait for each other, so an odd one takes as long as two.
        """
        in_a_row = 0
        runs_by_size = Counter((work.job.size, work.steps) for work in works)
        for (_, steps), runs in runs_by_size.items():
            rounds = math.ceil(runs / self.at_once)
            in_a_row += rounds * steps
        return in_a_row

    def usd_most(self, work: TrainingWork) -> float:  # noqa: ARG002  # as of every way
        """Zero, as nothing is paid on this machine."""
        return 0.0

    async def begin(self, work: TrainingWork) -> str:
        """The folder of the run, which is its id."""
        return work.job.key[:16]

    async def find(self, work: TrainingWork, *_: Any, **__: Any) -> str:
        """The folder of the run: a local run is always found, whatever happened to it."""
        return await self.begin(work)

    async def finish(self, work: TrainingWork, id: str, step: Step) -> Finished:
        """Train, or continue from the last state; a finished run isn't trained again."""
        folder = self._folder / id
        done = _finished(folder)
        if done is None:
            done = _as_finished(await self._ask(work, folder, step), folder)
            finished_run(folder).append(done, sealed=True)
        if self._untuned is None:
            name = _keep_adapter(folder / "adapter.gguf")
        else:
            provider, _, _ = self._untuned.id.partition(":")
            name = f"{provider}:pilot-{id}"
            if self._loads_into_vllm:
                await self._load(id)
        return Finished(name, seconds=done.seconds, brought=done.brought)

    def is_kept(self, work: TrainingWork, model: str) -> bool:
        """Whether the adapter of a finished run is here, as it was trained."""
        if self._untuned is None:  # the runtime checks the weights by this name
            return adapter_path(model.partition("+")[2]).is_file()
        return _finished(self._folder / work.job.key[:16]) is not None

    async def _load(self, run: str) -> None:
        """Let a vLLM server load the adapter of a run; one that is loaded already is fine.

        Raises InputError where it refuses.
        """
        assert self._untuned is not None  # the way of a folder has one
        place = reach(self._untuned)
        adapter = {
            "lora_name": f"pilot-{run}",
            "lora_path": str((self._folder / run).resolve()),
        }
        http = Http({}, timeout_s=_LOADING_S)
        try:
            status, _, raw = await http.exchange(
                "POST",
                f"{place.base_url}/load_lora_adapter",
                place.key,
                data=json.dumps(adapter).encode(),
                headers={"Content-Type": "application/json"},
            )
        except CallError as caught:
            raise InputError(
                f"gives no answer: {caught}", where="--serve vllm"
            ) from None
        finally:
            await http.close()
        answer = hidden(raw.decode("utf-8", "replace"), place.key)
        if status == _TAKEN or "already" in answer:
            return
        fix = "start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
        what = f"doesn't load the adapter: HTTP {status} {one_line(answer, limit=200)}"
        raise InputError(what, where="--serve vllm", fix=fix)

    def served(self, model: str) -> Model:
        """The model at the embedded runtime, or at the user's endpoint under this name."""
        if self._untuned is None:
            return Model(id=model, kind="tuned", runs="own")
        return self._untuned.model_copy(update={"id": model, "kind": "tuned"})

    def stop(self) -> None:
        """Kill the processes: their runs continue from the last written state."""
        self._stopped = True
        for worker in self._workers:
            if worker.process.returncode is None:
                worker.process.kill()

    async def close(self) -> None:
        """End all processes; the trainer can be opened again."""
        self.stop()
        if self._serving is not None:
            self._workers.append(self._serving)
            if self._serving.process.returncode is None:
                self._serving.process.kill()
        for worker in self._workers:
            await worker.process.wait()
            worker.log.close()
        self._workers = []
        self._idle = []
        self._serving = None
        self._stopped = False

    async def _ask(
        self,
        work: TrainingWork,
        folder: Path,
        step: Step = lambda _: None,
        *,
        measure: int = 0,
    ) -> Row:
        """Run a job in the training process, and return its last message."""
        worker = await self._ready()
        job = {
            "base": str(self._base or checked()),
            "device": self._device,
            "threads": max(1, processors() // self.at_once),
            "rows": list(work.rows),
            "folder": str(folder),
            "seed": work.job.seed,
            "measure": measure,
            "save_every_s": self._save_every,
            "recipe": {**work.recipe.model_dump(mode="json"), "epochs": work.epochs},
        }
        return await self._done(worker, job, step)

    async def _done(self, worker: _Worker, job: Row, step: Step) -> Row:
        """Give a job to a process, and return its last message about it.

        Raises TrainingFailedError if the job is impossible, TrainingStoppedError if the process
        ended before it was done.
        """
        process = worker.process
        assert process.stdin is not None  # both are pipes
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            await process.stdin.drain()
        except OSError:
            pass  # its last line says why it is gone
        async for line in process.stdout:
            message: Row = json.loads(line)
            if "step" in message:
                step(f"step {message['step']} of {message['of']}")
                continue
            self._idle.append(worker)  # the last line of a job has no step
            if "failed" in message:
                raise TrainingFailedError(one_line(message["failed"], limit=300))
            return dict(message["done"])
        if self._stopped:
            raise TrainingStoppedError("stopped")
        code = await process.wait()
        last = last_said(worker.log)  # for example, that its memory ran out
        raise TrainingStoppedError(f"the process that trains ended with {code}{last}")

    async def _ready(self) -> _Worker:
        """An idle worker, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:  # it still runs
                return worker
        if self._stopped:
            raise TrainingStoppedError("stopped")
        _refuse_lacking()
        worker = await _started("tuneworthy.training.lora")
        self._workers.append(worker)
        return worker


def _keep_adapter(adapter: Path) -> str:
    """Copy an adapter to where the embedded runtime looks, and return the model's id with it.

    The copy is renamed when it is complete, as another pilot may read it meanwhile.
    """
    place = adapter_path(adapter_name(adapter))
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}.part")
    shutil.copyfile(adapter, part)
    part.replace(place)
    return f"{EMBEDDED}+{place.stem}"


def _finished(folder: Path) -> FinishedRun | None:
    """The end of a run in its folder; None where it hasn't ended.

    Raises CaseError if its record was edited, InputError if its weights were changed.
    """
    runs = finished_run(folder).read()
    if not runs:
        return None
    last = runs[-1]
    # records of earlier versions name no files
    if last.files and last.files != _digests(folder):
        raise InputError(
            "has other weights than those that were trained here, so it says nothing",
            where=str(folder),
            fix="move that folder away, and the run is trained again",
        )
    return last


def _as_finished(done: Row, folder: Path) -> FinishedRun:
    """The end of a run by the last message of the process that trained it."""
    fields = dict(done)
    if not math.isfinite(done["loss"]):  # a record holds finite numbers
        del fields["loss"]
    return FinishedRun(**fields, files=_digests(folder))


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each existing file of an adapter, by its name."""
    digests = {}
    for name in ADAPTER_FILES:
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _refuse_lacking() -> None:
    """Refuse to work without the libraries for training and serving."""
    for name in NEEDED:
        if find_spec(name) is None:
            fix = "install it (about 1.4 GB): pip install 'tuneworthy[pilot]'"
            raise InputError(f"training on this machine needs {name}", fix=fix)


async def _started(module: str) -> _Worker:
    """Start a process of ours with JSON as input and lines of JSON as output."""
    log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # so that the working folder's files don't count as modules
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        env=child_environment() | {"TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"},
        start_new_session=True,  # Ctrl-C is for us, and we decide when it ends
    )
    return _Worker(process, log)


async def _answered(worker: _Worker, settings: Row) -> Row:
    """The first line that a process answers to its settings; {} where it ended."""
    process = worker.process
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    with suppress(OSError):  # it ended already
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    return dict(json.loads(line)) if line else {}


def _server_of(untuned: Model) -> Row:
    """Name, key and port for serving a base here.

    Raises InputError where its address isn't on this machine, or has no port.
    """
    reached = reach(untuned)
    port = urlsplit(reached.base_url).port
    if port is None or not on_this_machine(reached.base_url):
        fix = 'give the model base_url: "http://127.0.0.1:8123/v1" in the case file'
        raise InputError(
            "needs an address of this machine to serve at", where="--serve", fix=fix
        )
    key = reached.key.reveal() if reached.key is not None else ""
    return {"name": reached.name, "key": key, "port": port}
