"""Options that all labs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

STOPPED = 3
"""Exit code of a lab that ended early; what was paid for is kept."""

_OPTIONS = (
    click.option(
        "--budget", type=click.FloatRange(0, 1e9), metavar="USD", default=0.0, show_default=True,
        help="The most all calls of this lab may cost, earlier runs included. Models that cost "
        "nothing need none.",
    ),
    click.option(
        "--at-once", type=click.IntRange(1, 256), default=16, show_default=True,
        help="The most calls on the wire.",
    ),
    click.option(
        "--max-tokens", type=click.IntRange(1, 100_000), default=512, show_default=True,
        help="Tokens an answer may have; it bounds the price.",
    ),
    click.option(
        "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
        help="For the split of the cases and their order.",
    ),
    click.option(
        "--ask-again", is_flag=True,
        help="Send calls in doubt once more; some of them may be paid twice.",
    ),
    click.option(
        "--allow-code", is_flag=True, help="Let scorers that are functions of yours run."
    ),
    click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text",
        show_default=True, help="How to report.",
    ),
)  # fmt: skip


def lab_options(command: F) -> F:
    """A command with all of them, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
