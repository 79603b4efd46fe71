"""What the terminal is like."""

from __future__ import annotations

import os
from typing import TextIO


def columns_of(stream: TextIO) -> int:
    """Columns of the terminal that a stream goes to; 0 for none, and for one that doesn't say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # closed, or no stream of the system
        return 0
