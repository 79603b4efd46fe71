"""How many calls may be on the wire to one endpoint, and when the next may go."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque


class Gate:
    """A number of places, fewer when the endpoint is busy, and none while it asks us to wait.

    Args:
        most: Places while nothing is wrong.
    """

    def __init__(self, most: int) -> None:
        self._most, self._limit, self._busy = float(most), float(most), 0
        self._opens = 0.0
        self.closings = 0
        """How often it closed since the last answer."""
        self.closed_since = 0.0
        """When it first did, on the monotonic clock."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> float:
        """Calls that may be on the wire at present, a whole number."""
        return max(1.0, self._limit // 1)

    async def enter(self) -> None:
        """Wait for a place, and for the time the endpoint asked for."""
        while self._busy >= self.limit or time.monotonic() < self._opens:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()  # the turn it may have been given goes to the next
                raise
        self._busy += 1

    def leave(self, *, answered: bool) -> None:
        """Give the place back; an answer lets a little more through."""
        self._busy -= 1
        if answered:
            self.closings = 0
            self._limit = min(self._most, self._limit + 1 / self._limit)
        self._wake()

    def close_for(self, seconds: float) -> None:
        """Nobody goes for so long, and half as many at a time afterwards.

        A closed gate isn't halved again by calls that were on the wire when it closed.
        """
        if self._limit == math.inf:
            return
        now = time.monotonic()
        if self._opens <= now:
            self._limit = max(1.0, self._limit / 2)
            self.closed_since = self.closed_since if self.closings else now
            self.closings += 1
        self._opens = max(self._opens, now + seconds)
        asyncio.get_running_loop().call_later(seconds, self._wake)

    def open(self) -> None:
        """Let everybody through: nothing more is sent, and they are to see that."""
        self._opens, self._limit, self._most = 0.0, math.inf, math.inf
        self._wake()

    def _wake(self) -> None:
        if (rest := self._opens - time.monotonic()) > 0:
            if self._busy == 0 and self._waiting:  # a clock that rang early
                asyncio.get_running_loop().call_later(rest, self._wake)
            return
        free = self.limit - self._busy
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
