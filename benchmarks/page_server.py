"""The page over a folder of cases, with a lab that needs no model: for ``page.py``.

Run as ``python benchmarks/page_server.py FOLDER KEPT``. Prints its port, then the seconds since it
was started that it needed to look at every case; what was judged is kept in the file KEPT.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

import uvicorn

from tuneworthy.cases.portfolio import KeptCases
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.listen import listening
from tuneworthy.llm.choose import Fake
from tuneworthy.model.lab import Reply, Request
from tuneworthy.runs.labs import Labs, LabSettings
from tuneworthy.web.app import make_app, prepare
from tuneworthy.web.guard import Site

LATENCY_S = 0.05
AT_ONCE = 16


def answer(request: Request) -> str:
    """Right for every other case."""
    number = "".join(c for c in request.messages[-1].content if c.isdigit()) or "0"
    return f"shelf {number}" if int(number) % 2 else "no idea"


class Slow(Fake):
    """A model that takes its time."""

    async def send(self, request: Request) -> Reply:
        """Answer, a little later."""
        await asyncio.sleep(LATENCY_S)
        return await super().send(request)


def main() -> None:
    """Serve until killed; a line on stdin starts the lab of a case of that name."""
    folder = Path(sys.argv[1])
    site = Site(
        Workspace(open_directory(folder), kept=KeptCases(Path(sys.argv[2]))),
        labs=Labs(lambda _: Slow(answer)),
    )
    prepare(site)
    sock = listening("127.0.0.1", 0)
    print(sock.getsockname()[1], flush=True)
    threading.Thread(target=warm, args=(site,), daemon=True).start()
    threading.Thread(target=labs, args=(site, folder), daemon=True).start()
    uvicorn.Server(uvicorn.Config(make_app(site), log_level="critical")).run(
        sockets=[sock]
    )


def warm(site: Site) -> None:
    """As the command does."""
    began = time.monotonic()
    site.workspace.warm()
    print(f"{time.monotonic() - began:.3f}", flush=True)
    site.workspace.watch()


def labs(site: Site, folder: Path) -> None:
    """Start a lab for each name that is told, and say how it stands when it is asked again."""
    running = None
    for line in sys.stdin:
        if line.strip() == "how":
            assert running is not None
            progress = running.progress
            done = progress.stand.done if progress.stand is not None else 0
            print(f"{progress.state} {done}", flush=True)
            continue
        terms = LabSettings(at_once=AT_ONCE)
        found = site.labs.offer(folder / line.strip(), terms)
        running = site.labs.start(
            folder / line.strip(),
            terms,
            cap_usd=1e6,
            calls=found.most_calls,
            usd=found.most_usd,
        )
        print(found.most_calls, flush=True)


if __name__ == "__main__":
    main()
