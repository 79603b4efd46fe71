"""The ledger of paid calls, to be read only: by many at a time, and beside the run that writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tuneworthy.calls.ledger import Ledger
from tuneworthy.domain.errors import InputError


class Reading(Ledger):
    """A ledger that takes no lock and writes nothing: quotes and labels never wait for a run.

    A call that is on the wire, or was when a run was cut off, counts as doubtful here.

    Args:
        path: The SQLite file; it has to be there.

    Raises:
        InputError: If the file is no ledger.
    """

    _unsettled = ("in_doubt", "sent")

    def __init__(self, path: Path) -> None:
        self._path, self._lock, self.recovered = path, -1, 0
        self._base = None
        try:
            address = f"{path.absolute().as_uri()}?mode=rw"
            self._base = sqlite3.connect(address, uri=True, isolation_level=None)
            self._base.execute("PRAGMA trusted_schema=OFF")
            self._base.execute("PRAGMA query_only=ON")
            self._refuse_strange()
        except sqlite3.Error:
            self.close()
            fix = "move it away; answers that were paid for may lie in it"
            raise InputError("is no ledger of calls", where=str(path), fix=fix) from None
