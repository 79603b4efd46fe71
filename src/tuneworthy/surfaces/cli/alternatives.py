"""tuneworthy options."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.options import (
    as_of_option,
    case_argument,
    colour,
    day,
    deliver,
    force_option,
    framework_option,
    output_option,
    pairs,
    set_option,
)
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy options examples/task-api",
        "tuneworthy options examples/task-api --all",
        "tuneworthy options examples/task-api --set few_shot=no",
        "tuneworthy options examples/task-api --format markdown --output options.md",
    )
)
@case_argument
@click.option("--all", "everything", is_flag=True, help="Every option, not only five.")
@set_option
@framework_option
@as_of_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to report; all but text hold every option.",
)
@output_option
@force_option
def options(
    case: str, everything: bool, answers: tuple[str, ...], framework: str | None,
    as_of: str | None, form: str, output: str | None, force: bool,
) -> None:  # fmt: skip
    """Say of each option whether it would help CASE, why or why not, and where to begin.

    Options are ranked by what they promise, by what that rests on, and by effort. Ends with a
    recommendation: fine-tune, or the simpler path.
    """
    from tuneworthy.api import options as api

    told = api.compare(case, framework, answers=pairs(answers, "--set"), as_of=day(as_of))
    painted = colour() and output is None
    text = api.render(told, form, case_path=case, everything=everything, colour=painted)
    deliver(text, output, force)
