"""A conversation kept in a file, where somebody asks for that."""

from __future__ import annotations

from pathlib import Path

from tuneworthy.domain.errors import one_line
from tuneworthy.files.disk import write_new, write_over


class Transcript:
    """What was said, one line each; whole after every line.

    Args:
        path: A file that isn't there yet.

    Raises:
        OutputError: If something is there, or it can't be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._text = Path(path), ""
        write_new(self._path, self._text)

    def add(self, who: str, text: str) -> None:
        """Keep a line; control characters become visible escapes.

        Raises:
            OutputError: If it can't be written.
        """
        told = one_line(" ".join(text.split()), limit=len(text) * 10 + 1)
        self._text += f"{who}: {told}\n"
        write_over(self._path, self._text)
