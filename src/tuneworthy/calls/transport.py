"""What carries a request to a model and its answer back, and the four ways in which it can fail."""

from __future__ import annotations

from typing import Protocol

from tuneworthy.domain.calls import Reply, Request


class CallError(Exception):
    """A call that gave no answer; the message carries no key and no header."""


class NotSent(CallError):  # noqa: N818  # what happened, not whose fault it was
    """Nothing left this machine, so nothing was paid.

    Args:
        why: What is in the way.
        again: Whether it may be gone in a moment, as with a server that is starting.
    """

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again


class Busy(CallError):  # noqa: N818  # the same
    """The endpoint was busy or broken and says so: not paid, to be tried again later.

    Args:
        why: What it said.
        retry_after_s: Seconds it asks to wait; None where it doesn't say.
    """

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Refused(CallError):  # noqa: N818  # the same
    """The endpoint refused it for good: not paid, and no use to try again.

    Args:
        why: What it said.
        for_all: Whether every other request would be refused too, as with a wrong key.
    """

    def __init__(self, why: str, *, for_all: bool = False) -> None:
        super().__init__(why)
        self.for_all = for_all


class Doubtful(CallError):  # noqa: N818  # the same
    """It was sent and no usable answer came: whether it was paid, nobody knows."""


class Transport(Protocol):
    """The narrow door to a model; a fake and a recorded one stand beside the real one."""

    async def send(self, request: Request) -> Reply:
        """Send a request once, with no retry of any kind.

        Raises:
            NotSent: If nothing left this machine.
            Busy: If the endpoint asks to come again.
            Refused: If it refuses for good.
            Doubtful: If it was sent and the answer is missing, late or can't be read.
        """

    async def close(self) -> None:
        """Let go of what is held."""
