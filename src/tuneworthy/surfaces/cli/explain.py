"""tuneworthy explain."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.options import (
    as_of_option,
    day,
    deliver,
    framework_option,
    pairs,
    set_option,
)
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy explain examples/task-api",
        "tuneworthy explain examples/task-api low_volume",
        "tuneworthy explain examples/task-api --set brand_voice=no",
        "tuneworthy explain --factor voice_drift",
    )
)
@click.argument("case", metavar="[CASE]", required=False)
@click.argument("name", metavar="[FACTOR]", required=False)
@click.option("--factor", metavar="ID", help="Explain a factor, signal or check without a case.")
@framework_option
@set_option
@as_of_option
def explain(
    case: str | None, name: str | None, factor: str | None, framework: str | None,
    answers: tuple[str, ...], as_of: str | None,
) -> None:  # fmt: skip
    """Walk through the verdict on CASE with its own numbers, or look at one FACTOR of it."""
    from tuneworthy.api import reports

    wanted = pairs(answers, "--set")
    if factor is not None and case is None:
        if wanted:
            raise click.UsageError("--set needs a CASE.")
        deliver(reports.explain_factor(factor, framework), None, False)
    elif factor is not None and name is not None:
        raise click.UsageError("Name the factor once: CASE FACTOR, or --factor ID.")
    else:
        told = reports.explain(
            case or ".", name or factor, framework, answers=wanted, as_of=day(as_of)
        )
        deliver(told, None, False)
