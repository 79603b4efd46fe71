"""Models that are functions of ours, for trials without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tuneworthy.model.lab import Reply, Request, Usage

Answer = Callable[[Request], str]


class Fake:
    """A transport whose answers come from a function. Words stand for tokens."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def close(self) -> None:
        """Nothing is held."""

    async def send(self, request: Request) -> Reply:
        """Answer; see ``Transport``."""
        await asyncio.sleep(0)  # others have their turn, as with a model that is asked
        # Half a pair of UTF-16, as it comes with somebody's cases, can't be kept.
        text = self._answer(request).encode("utf-8", "replace").decode("utf-8")
        wrote = max(1, len(text.split()))
        if request.max_tokens is not None:
            wrote = min(wrote, request.max_tokens)
        read = max(1, sum(len(message.content.split()) for message in request.messages))
        return Reply(text=text, usage=Usage(input_tokens=read, output_tokens=wrote))


def echo(request: Request) -> str:
    """The last message, as it came; the empty string without one."""
    return request.messages[-1].content if request.messages else ""


def parrot(request: Request) -> str:
    """The answer of the last example in the conversation; the last message without one."""
    answers = [message.content for message in request.messages if message.role == "assistant"]
    return answers[-1] if answers else echo(request)


FAKES: Mapping[str, Answer] = {"echo": echo, "parrot": parrot}
"""What a model id such as ``fake:echo`` does."""
