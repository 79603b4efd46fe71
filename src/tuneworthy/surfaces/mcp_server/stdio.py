"""The protocol over the standard streams, as an assistant starts it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import IO, Any, cast

import anyio
import anyio.to_thread
from mcp.server import Server
from mcp.server.stdio import stdio_server

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a request; a longer one is read past and not kept."""


def serve_stdio(server: Server[Any]) -> None:
    """Serve until the other side closes the stream.

    Nothing but the protocol goes to the standard output: what a library prints goes to stderr.
    """
    anyio.run(_serve, server)


async def _serve(server: Server[Any]) -> None:
    private = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a child that reads gets nothing of the protocol
    os.close(nothing)
    stream = os.fdopen(private, "rb")  # never closed: that would wait for the thread that reads
    lines = cast("anyio.AsyncFile[str]", Lines(stream))
    async with stdio_server(stdin=lines) as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


class Lines:
    """Lines of a stream, read in a thread that nobody waits for when the server ends.

    Args:
        stream: Where they come from.
        longest: Bytes of a line; a longer one counts as an empty line.
    """

    def __init__(self, stream: IO[bytes], longest: int = LONGEST_LINE) -> None:
        self._stream, self._longest = stream, longest

    async def __aiter__(self) -> AsyncIterator[str]:
        """Each line as text, until the stream ends."""
        while (line := await anyio.to_thread.run_sync(self._next, abandon_on_cancel=True)) != "":
            yield line

    def _next(self) -> str:
        """The next line with its end; empty at the end of the stream."""
        part = line = self._stream.readline(self._longest)
        while part and not part.endswith(b"\n"):
            part = self._stream.readline(self._longest)
            line = b"\n" if part else line
        return line.decode("utf-8", "replace")
