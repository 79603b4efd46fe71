"""The page over a folder of cases: for ``page.py``.

Run as ``python benchmarks/page_server.py FOLDER KEPT``. Prints its port, then the seconds since it
was started that it needed to look at every case; what was judged is kept in the file KEPT.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import uvicorn

from tuneworthy.cases.portfolio import KeptCases
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.listen import listening
from tuneworthy.web.app import make_app, prepare
from tuneworthy.web.guard import Site


def main() -> None:
    """Serve until killed."""
    folder = Path(sys.argv[1])
    kept = KeptCases(Path(sys.argv[2]))
    site = Site(Workspace(open_directory(folder), kept=kept))
    prepare(site)
    sock = listening("127.0.0.1", 0)
    print(sock.getsockname()[1], flush=True)
    threading.Thread(target=warm, args=(site,), daemon=True).start()
    config = uvicorn.Config(make_app(site), log_level="critical")
    uvicorn.Server(config).run(sockets=[sock])


def warm(site: Site) -> None:
    """As the command does."""
    began = time.monotonic()
    site.workspace.warm()
    print(f"{time.monotonic() - began:.3f}", flush=True)
    site.workspace.watch()


if __name__ == "__main__":
    main()
