"""A run followed by somebody who looks: server-sent events, each a whole picture.

Nobody waits for a follower, so one that is slow or dead holds nothing up; one that comes again says
what it saw last and misses nothing that still counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from tuneworthy.api.running import Running

_LOOK_S = 0.25
_QUIET_S = 10.0  # a sign of life that often, so that a connection that is gone is noticed
_AGAIN_MS = 1000


async def followed(running: Running, part: Callable[[], str], last: str) -> AsyncIterator[str]:
    """Events ``stand`` each time the run has moved, then ``over``.

    Args:
        running: The run.
        part: How it stands, as markup.
        last: Id of the event that was seen last; empty for none.
    """
    seen, spoke = last, time.monotonic()
    yield f"retry: {_AGAIN_MS}\n\n"
    while True:
        now = running.progress
        if (mark := f"{running.id}-{now.number}") != seen:
            yield event("stand", part(), mark)
            seen, spoke = mark, time.monotonic()
        if now.over:
            yield event("over", now.state, mark)
            return
        if time.monotonic() - spoke > _QUIET_S:
            yield ": still here\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def event(name: str, data: str, mark: str) -> str:
    """A server-sent event; every line of its data is a line of its own."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    told = "".join(f"data: {line}\n" for line in lines)
    return f"id: {mark}\nevent: {name}\n{told}\n"
