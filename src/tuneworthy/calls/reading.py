"""The ledger of paid calls, to be read only: by many at a time, and beside the run that writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.sound import opening, refuse_strange


class Reading(Ledger):
    """A ledger that takes no lock and writes nothing: quotes and labels never wait for a run.

    A call that is on the wire, or was when a run was cut off, counts as doubtful here.

    Args:
        path: The SQLite file; it has to be there.

    Raises:
        InputError: If the file is no ledger, or somebody changed its sums.
    """

    _unsettled = ("in_doubt", "sent")

    def __init__(self, path: Path) -> None:
        self._path, self._lock, self.recovered = path, -1, 0
        self._base = None
        with opening(path, self.close):
            address = f"{path.absolute().as_uri()}?mode=rw"
            self._base = sqlite3.connect(address, uri=True, isolation_level=None)
            self._base.execute("PRAGMA trusted_schema=OFF")
            self._base.execute("PRAGMA query_only=ON")
            refuse_strange(self._base, path)
