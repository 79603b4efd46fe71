"""The process that runs the embedded model, started and ended by this program.

Native code that crashes, or is killed for its memory, takes down this process and not the caller's.
It reads its settings as a line of JSON from its input, and writes its addresses as a line of JSON
to its output. It ends when its input ends, which also happens when its parent is killed. It runs a
server of one thread for each processor: threads that share the work of such a small model wait for
each other longer than they compute (docs/evidence/benchmarks.md).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any
from urllib.request import ProxyHandler, build_opener

_LOOK_EVERY_S = 1.0  # whether the parent is still there
_HEALTHY_WITHIN_S = 30.0  # to load the weights
_STDOUT = 1  # descriptors of a process
_STDERR = 2


def main() -> None:
    """Serve until the input ends."""
    # the parent decides when a run is stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    settings = json.loads(sys.stdin.buffer.readline())
    # the answers keep the real output, and whatever the library prints goes to the log
    answers = os.fdopen(os.dup(_STDOUT), "w", encoding="utf-8")
    os.dup2(_STDERR, _STDOUT)
    over = threading.Event()
    threading.Thread(target=_watch, args=(over,), daemon=True).start()
    servers = [_serve(settings) for _ in range(settings["servers"])]
    addresses = [server.listening_address for server in servers]
    for address in addresses:
        _until_healthy(address)
    answers.write(json.dumps({"addresses": addresses}) + "\n")
    answers.flush()
    # the library's log would grow, and it may hold prompts
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
    os.dup2(_STDERR, _STDOUT)
    while not over.wait(_LOOK_EVERY_S):
        # somebody else still holds the pipe of a parent that is gone
        if os.getppid() != parent:
            break
    # the server's own way down waits for answers that nobody reads any more
    os._exit(0)


def _watch(over: threading.Event) -> None:
    """Note the end of the input, which may have anything before it."""
    while sys.stdin.buffer.read(4096):
        pass
    over.set()


def _serve(settings: dict[str, Any]) -> Any:
    """Start the library's server, on a free port of this machine, for callers with the key."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["weights"]
    if settings["adapter"]:
        adapter = xllamacpp.CommonAdapterLoraInfo(settings["adapter"], 1.0)
        params.lora_adapters = [adapter]
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.api_keys = [settings["key"]]
    params.n_parallel = settings["slots"]
    # the context is shared out among the slots
    params.n_ctx = settings["slots"] * settings["context_tokens"]
    params.kv_unified = False
    params.n_predict = settings["most_output_tokens"]
    # one thread, as there is a server for each processor
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.cache_prompt = True
    # nothing is fetched, and nothing but answers is served
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1
    return xllamacpp.Server(params)


def _until_healthy(address: str) -> None:
    """Wait until a server answers; raises OSError if that takes too long."""
    opener = build_opener(ProxyHandler({}))  # no proxy, whatever the environment says
    until = time.monotonic() + _HEALTHY_WITHIN_S
    while True:
        try:
            opener.open(f"{address}/health", timeout=5.0).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main()
