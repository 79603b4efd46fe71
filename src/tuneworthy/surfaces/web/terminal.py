"""What a server that runs writes on the terminal: a fault may repeat what a stranger wrote."""

from __future__ import annotations

import logging
import threading

from tuneworthy.domain.errors import one_line

_LONGEST = 1000  # characters of a line; the message of a fault may be a whole file


class Plain(logging.Formatter):
    """Lines, those of a traceback too, in which no character steers the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with control characters as visible escapes, each line at most so long."""
        lines = super().format(record).split("\n")
        return "\n".join(one_line(line, limit=_LONGEST) for line in lines)


def keep_plain() -> None:
    """From here on all that is logged, and what ends a thread, is written to stderr as ``Plain``.

    The server has to be given no way of its own to log.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Plain("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    threading.excepthook = _ended


def _ended(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        logging.getLogger("tuneworthy.web").error("A thread ended", exc_info=told.exc_value)
