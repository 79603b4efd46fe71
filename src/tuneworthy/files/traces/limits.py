"""How much of a hostile file is taken in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuneworthy.files.disk import MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of reading; the defaults are ours, wide enough for real logs."""

    line_bytes: int = 16 * MIB
    """A longer line is skipped."""
    document_bytes: int = 256 * MIB
    """A file that is one JSON value, and so has to be held whole, may not be larger."""
    broken_share: float = 0.1
    """A file with a larger share of broken lines is refused,"""
    broken_lines: int = 20
    """if it has more than this many of them."""
    unpacked_ratio: int = 400
    """A packed file may unfold to this many times its size,"""
    unpacked_free_bytes: int = 64 * MIB
    """and to this much whatever its size."""
    members: int = 100_000
    """Files in an archive."""
    files: int = 10_000
    """Files that a pattern or a folder may stand for."""
    memory_mib: int = 512
    """What DuckDB may take for a table."""
    batch_traces: int = 4096
    """Traces of a batch, at most;"""
    batch_bytes: int = 12 * MIB
    """one of very long records closes before."""
    until_s: float = math.inf
    """A later time, in seconds since 1970, is that of a wrong clock, and no time."""
