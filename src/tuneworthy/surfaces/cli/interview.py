"""tuneworthy interview."""

from __future__ import annotations

import click

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
    )
)
@case_argument
@click.option(
    "--plain", is_flag=True, help="Lines in, lines out: no menus, and no library for them."
)
@click.option(
    "--answers", metavar="FILE", help="Answer from a file: YAML, or lines of KEY = VALUE."
)
@framework_option
@as_of_option
def interview(
    case: str, plain: bool, answers: str | None, framework: str | None, as_of: str | None
) -> None:
    """Ask about CASE what removes most doubt, and show the verdict forming.

    Every answer is written into the case file at once; the same command goes on where it stopped.
    CASE is made if it isn't there. It pushes back where answers don't fit together, and says when
    nothing can change the verdict any more.
    """
    from tuneworthy.surfaces.interview.begin import interview as run

    run(case, chosen=framework, as_of=day(as_of), plain=plain, script=answers, colour=colour())
