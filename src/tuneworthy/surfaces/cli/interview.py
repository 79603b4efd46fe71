"""tuneworthy interview."""

from __future__ import annotations

import click

from tuneworthy.domain.errors import InputError
from tuneworthy.surfaces.cli.options import (
    as_of_option,
    case_argument,
    colour,
    day,
    framework_option,
)
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy interview my-case",
        "tuneworthy interview my-case --plain",
        "tuneworthy interview my-case --answers answers.yaml",
        "tuneworthy interview my-case --model openai:gpt-4o-mini --budget 0.50",
    )
)
@case_argument
@click.option(
    "--plain", is_flag=True, help="Lines in, lines out: no menus, and no library for them."
)
@click.option(
    "--answers", metavar="FILE", help="Answer from a file: YAML, or lines of KEY = VALUE."
)
@click.option(
    "--model",
    metavar="MODEL",
    help="Talk in free words: this model, of CASE or another, proposes answers, and you confirm.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1e9),
    metavar="USD",
    default=0.0,
    show_default=True,
    help="The most all talks with models about CASE may cost. Models that cost nothing need none.",
)
@click.option("--transcript", metavar="FILE", help="Keep the talk with the model there.")
@framework_option
@as_of_option
def interview(
    case: str, plain: bool, answers: str | None, model: str | None, budget: float,
    transcript: str | None, framework: str | None, as_of: str | None,
) -> None:  # fmt: skip
    """Ask about CASE what removes most doubt, and show the verdict forming.

    Every answer is written into the case file at once; the same command goes on where it stopped.
    CASE is made if it isn't there. It pushes back where answers don't fit together, and says when
    nothing can change the verdict any more. With --model you write sentences; what it proposes is
    written when you confirm it, and the rules decide.
    """
    from tuneworthy.surfaces.interview.begin import interview as run
    from tuneworthy.surfaces.interview.listener import Listener

    listener = None if model is None else Listener(model, budget, transcript)
    if listener is None and (transcript is not None or budget):
        where = "--budget" if transcript is None else "--transcript"
        raise InputError("there is no model to talk with", where=where, fix="add --model MODEL")
    run(
        case, chosen=framework, as_of=day(as_of), plain=plain, script=answers, colour=colour(),
        listener=listener,
    )  # fmt: skip
