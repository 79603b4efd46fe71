"""tuneworthy plan."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.options import (
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
        "tuneworthy plan examples/task-api",
        "tuneworthy plan examples/task-api --start 2027-01-04",
        "tuneworthy plan examples/task-api --set economics.hours_per_week=40",
        "tuneworthy plan examples/task-api --format csv --output plan.csv",
    )
)
@case_argument
@click.option(
    "--start",
    metavar="DATE",
    help="The day to begin, as 2026-11-24; today if not given. The case is judged as of then.",
)
@framework_option
@set_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "csv", "mermaid"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def plan(
    case: str, start: str | None, framework: str | None, answers: tuple[str, ...], form: str,
    output: str | None, force: bool,
) -> None:  # fmt: skip
    """Plan what the verdict on CASE asks for: phases, hours, cost, dates, and when each is done.

    A candidate is planned up to a tuned model that is watched and retrained; any other verdict up
    to the next decision. It ends with the expectations that look unrealistic.
    """
    from tuneworthy.api import plans

    text = plans.plan_report(
        case, form, chosen=framework, answers=pairs(answers, "--set"), start=day(start, "--start"),
        colour=colour() and output is None,
    )  # fmt: skip
    deliver(text, output, force)
