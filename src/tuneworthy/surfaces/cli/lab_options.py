"""Options that all labs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tuneworthy.domain.errors import InputError

if TYPE_CHECKING:
    from tuneworthy.api.judged import JudgeAsked

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


_JUDGE = (
    click.option(
        "--judge", metavar="RUBRIC",
        help="Have a model judge every output by this file, in place of scorers; people's labels "
        "put it right.",
    ),
    click.option(
        "--judge-model", metavar="MODEL",
        help="The model that judges: one of CASE, or another, at its list price.",
    ),
    click.option("--judge-url", metavar="URL", help="Where another is served."),
    click.option(
        "--judge-price", type=click.FloatRange(0), nargs=2, metavar="IN OUT",
        help="Its price in USD for a million tokens; 0 is a price.",
    ),
    click.option(
        "--labels", type=click.IntRange(20, 100_000), metavar="N",
        help="Cases of either part on which people's labels count.  [default: 50]",
    ),
)  # fmt: skip


def judge_options(command: F) -> F:
    """A command with the options of a judge, in their order."""
    for option in reversed(_JUDGE):
        command = option(command)
    return command


def judge_asked(
    judge: str | None, judge_model: str | None, judge_url: str | None,
    judge_price: tuple[float, float] | None, labels: int | None,
) -> JudgeAsked | None:  # fmt: skip
    """The judge that the options name; None for none.

    Raises:
        InputError: If they name half of one.
    """
    from tuneworthy.api.judged import LABELS, JudgeAsked

    if judge is None:
        others = {"--judge-model": judge_model, "--judge-url": judge_url,
                  "--judge-price": judge_price, "--labels": labels}  # fmt: skip
        for name, given in others.items():
            if given is not None:
                fix = "give --judge RUBRIC as well, or leave it out"
                raise InputError("there is no judge", where=name, fix=fix)
        return None
    if judge_model is None:
        fix = "name a model: --judge-model MODEL"
        raise InputError("needs a model that judges", where="--judge", fix=fix)
    return JudgeAsked(judge, judge_model, judge_url or "", judge_price, labels or LABELS)


def lab_options(command: F) -> F:
    """A command with all of them, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
