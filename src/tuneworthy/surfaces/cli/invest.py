"""tuneworthy invest."""

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
        "tuneworthy invest examples/task-api",
        "tuneworthy invest examples/task-api --months 12",
        "tuneworthy invest examples/task-api --set economics.upfront.hours=90",
        "tuneworthy invest examples/task-api --format markdown --output money.md",
    )
)
@case_argument
@click.option(
    "--months",
    metavar="N",
    type=click.IntRange(1, 120),
    help="Months to look ahead; what the case says, else 36.",
)
@framework_option
@set_option
@as_of_option
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for everything drawn at random.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def invest(
    case: str, months: int | None, framework: str | None, answers: tuple[str, ...],
    as_of: str | None, seed: int, form: str, output: str | None, force: bool,
) -> None:  # fmt: skip
    """Compute what tuning costs and brings for CASE, step by step, and how sure that is.

    Stated amounts count first; traffic and prices are computed beside them. Ranges are drawn many
    times, month by month.
    """
    from tuneworthy.api.invest import money_report

    text = money_report(
        case, form, chosen=framework, answers=pairs(answers, "--set"), months=months,
        as_of=day(as_of), seed=seed, colour=colour() and output is None,
    )  # fmt: skip
    deliver(text, output, force)
