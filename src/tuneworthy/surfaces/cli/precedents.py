"""tuneworthy precedents."""

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
        "tuneworthy precedents examples/insurance-claims",
        "tuneworthy precedents examples/task-api --set brand_voice=no",
        "tuneworthy precedents . --format markdown --output others.md",
    )
)
@case_argument
@framework_option
@set_option
@as_of_option
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
def precedents(
    case: str, framework: str | None, answers: tuple[str, ...], as_of: str | None,
    form: str, output: str | None, force: bool,
) -> None:  # fmt: skip
    """Show what happened to others: the published cases most like CASE, and how often tuning won.

    Says why each is alike, what was tried, what won and by how much, and where to read it. None
    of it is a chance that tuning wins for you.
    """
    from tuneworthy.api import precedents as api

    painted = colour() and output is None
    text = api.precedents_report(
        case, form, chosen=framework, answers=pairs(answers, "--set"), as_of=day(as_of),
        colour=painted,
    )  # fmt: skip
    deliver(text, output, force)
