"""A small model inside this program, for trying things out without a key and without a network.

It runs in a process of its own that we start with the first call and stop with the last transport;
all transports share it. It answers on this machine only, and only to who has a key that is drawn
anew each time.

What is asked with a temperature of 0 is answered by the likeliest token each time. That is almost,
and not quite, the same answer every time: what is computed together with other calls is added up in
another order, so where two tokens are nearly even either may win. Asked one at a time it repeats
itself, on one machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tuneworthy.calls.endpoints import LOCAL, PRESETS, Secret
from tuneworthy.calls.processor import lacks_avx2
from tuneworthy.calls.transport import Busy, Doubtful, NotSent, Refused, Transport
from tuneworthy.calls.weights import MODEL, PULL_COMMAND, checked, present
from tuneworthy.domain.calls import Reply, Request
from tuneworthy.domain.errors import CaseError, InputError, one_line

if TYPE_CHECKING:
    from tuneworthy.calls.http import Http

SLOTS = 8
"""Calls that are computed at a time; more wait here."""
CONTEXT_TOKENS = 4096
"""The most tokens that a prompt and its answer may have."""
MOST_OUTPUT_TOKENS = 1024
"""The most tokens of an answer to a request that doesn't say."""
_MOST_THREADS = 8  # a model this small gains nothing from more
_START_S, _ANSWER_S, _STOP_S = 120.0, 600.0, 5.0
_MOST_STARTS = 4
_DYING_S = 2.0
_ENDED = "the embedded model ended before it answered"


def local_model(name: str) -> Transport:
    """The embedded model as a transport; nothing is started before its first call.

    Args:
        name: Its name, as ``smollm2``.

    Returns:
        The transport. Whoever asked for it closes it.

    Raises:
        InputError: If there is no such model, or this machine lacks what it takes to run it.
    """
    if name != MODEL:
        raise CaseError(f'there is no model "{LOCAL}:{name}"', fix=f'there is "{LOCAL}:{MODEL}"')
    _want_runtime()
    return Embedded(checked())


def lacking() -> str:
    """What is missing to run the embedded model, with its cure; the empty text if nothing is.

    The weights are judged by their size alone; they are read whole when they are used.
    """
    try:
        _want_runtime()
    except InputError as caught:
        return str(caught)
    return "" if present() else f"its weights are not there. Fetch them: {PULL_COMMAND}"


def _want_runtime() -> None:
    if lacks_avx2():
        raise InputError(
            f"{LOCAL}:{MODEL} needs a processor with AVX2, which this one lacks",
            fix="use another machine, or name a model that is served somewhere",
        )
    missing = [each for each in ("xllamacpp", "aiohttp") if find_spec(each) is None]
    if missing:
        fix = "install it: pip install 'tuneworthy[local]'"
        raise InputError(f"{LOCAL}:{MODEL} needs {missing[0]}", fix=fix)


class Embedded:
    """The transport of an embedded model.

    Args:
        weights: The file of weights.
    """

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._http: Http | None = None
        self._running: _Running | None = None
        self._starts = 0
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(SLOTS)

    @property
    def process_id(self) -> int | None:
        """Of the process it runs in; None while there is none."""
        return None if self._running is None else self._running.process.pid

    async def close(self) -> None:
        """Stop the model, unless somebody else still uses it."""
        http, running = self._http, self._running
        self._http = self._running = None
        if http is not None:
            await http.close()
        if running is not None:
            await asyncio.to_thread(_let_go, running)

    async def send(self, request: Request) -> Reply:
        """Ask it once; see ``Transport``. As nothing is paid, nothing is in doubt.

        Raises:
            NotSent: If it can't be started.
            Busy: If its process ended on the way; the next call starts it again.
            Refused: If the request is none, is too long, or took longer than ten minutes.
        """
        async with self._slots:
            http, running = await self._ready()
            try:
                return await http.send(request.model_copy(update={"base_url": running.base_url}))
            except NotSent:
                raise Busy(_ENDED) from None
            except Doubtful as caught:
                if await asyncio.to_thread(_ends, running.process):
                    raise Busy(_ENDED) from None
                raise Refused(f"the embedded model: {caught}") from None

    async def _ready(self) -> tuple[Http, _Running]:
        """The running model, started if it isn't."""
        async with self._starting:
            if self._running is not None and self._running.process.poll() is not None:
                await self.close()
            if self._running is None or self._http is None:
                self._starts += 1
                if self._starts > _MOST_STARTS:
                    why = f"the embedded model ended {_MOST_STARTS} times; it is not started again"
                    raise NotSent(why, again=False)
                self._running = await _taken(self._weights)
                self._http = _http(self._running)
            return self._http, self._running


def _http(running: _Running) -> Http:
    from tuneworthy.calls.http import Http

    return Http({running.base_url: running.key}, timeout_s=_ANSWER_S, at_once=SLOTS)


# The process ------------------------------------------------------------------------------------


async def _taken(weights: Path) -> _Running:
    """The process for some weights; whoever is stopped while it starts leaves none behind."""
    starting = asyncio.ensure_future(asyncio.to_thread(_take, weights))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        _let_go(await starting)
        raise


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process is gone, or about to be: a connection breaks a little before that."""
    try:
        process.wait(_DYING_S)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Running:
    """A process with a model in it, and how many transports use it."""

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, key: Secret) -> None:
        self.process, self.base_url, self.key = process, base_url, key
        self.users = 0


_shared: dict[Path, _Running] = {}
_door = threading.Lock()


def _take(weights: Path) -> _Running:
    """The process for some weights, started if there is none.

    Raises:
        NotSent: If it can't be started.
    """
    with _door:
        running = _shared.get(weights)
        if running is None or running.process.poll() is not None:
            running = _shared[weights] = _start(weights)
        running.users += 1
        return running


def _let_go(running: _Running) -> None:
    """One user less; without any, and when it is dead, the process is gone."""
    with _door:
        running.users -= 1
        if running.users > 0 and running.process.poll() is None:
            return
        for weights in [each for each, one in _shared.items() if one is running]:
            del _shared[weights]
        _stop(running.process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # it died with something left to read
                continue
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start(weights: Path) -> _Running:
    key = secrets.token_urlsafe(24)
    told = {
        "weights": str(weights), "key": key, "slots": SLOTS, "context_tokens": CONTEXT_TOKENS,
        "most_output_tokens": MOST_OUTPUT_TOKENS, "threads": _threads(), "cache_prompt": True,
    }  # fmt: skip
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-P", "-m", "tuneworthy.calls.embedded_server"]
        process = subprocess.Popen(  # noqa: S603  # our own Python, and words that are ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env=_environment(os.environ), start_new_session=True,
        )  # fmt: skip
        address = _address(process, json.dumps(told).encode())
        if not address:
            _stop(process)
            raise NotSent(_why_not(process.returncode, log), again=False)
    return _Running(process, f"{address}/v1", Secret(key))


def _address(process: subprocess.Popen[bytes], told: bytes) -> str:
    """Where it answers; the empty text if it doesn't come up in time."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Timer(_START_S, process.kill)
    late.start()
    try:
        process.stdin.write(told + b"\n")
        process.stdin.flush()
        said = json.loads(process.stdout.readline(4096))
        return str(said["address"])
    except (OSError, ValueError, KeyError, TypeError):
        process.kill()
        return ""
    finally:
        late.cancel()


def _why_not(code: int | None, log: IO[bytes]) -> str:
    """How a process ended that never answered, with the last thing it said."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
    lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    said = f": {one_line(lines[-1], limit=200)}" if lines else ""
    return f"the embedded model can't be started (its process ended with {code}){said}"


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: ours without any key, and with threads that wait asleep.

    Threads that spin while they wait make it twenty times slower on a machine that is busy.
    """
    keys = {preset.key_from for preset in PRESETS.values()}
    kept = {
        name: value
        for name, value in own.items()
        if name not in keys and not name.startswith("TUNEWORTHY_KEY_")
    }
    return kept | {"OMP_WAIT_POLICY": "passive"}


def _threads() -> int:
    """Processors that this process may use, and no more than help."""
    usable = getattr(os, "sched_getaffinity", None)
    count = len(usable(0)) if usable is not None else os.cpu_count() or 1
    return max(1, min(count, _MOST_THREADS))
