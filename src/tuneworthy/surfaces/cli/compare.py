"""tuneworthy diff."""

from __future__ import annotations

import click

from tuneworthy.domain.canonical import json_text
from tuneworthy.surfaces.cli.options import deliver, framework_option
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy diff march.json june.json",
        "tuneworthy diff my-case --since march.json",
    )
)
@click.argument("first", metavar="A.json|CASE")
@click.argument("second", metavar="[B.json]", required=False)
@click.option(
    "--since", metavar="FILE", help="The earlier dossier; then the argument is the later."
)
@framework_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
def diff(
    first: str, second: str | None, since: str | None, framework: str | None, form: str
) -> None:
    """Say what changed from dossier A to dossier B, and which answers moved the verdict.

    A dossier is what decide --format json writes. With --since, the later side may be a case
    folder, which is judged as of today.
    """
    from tuneworthy.api import reports

    if (second is None) == (since is None):
        raise click.UsageError("Name two dossiers, or one with --since FILE.")
    before, after = (since, first) if since is not None else (first, str(second))
    found = reports.difference(before, after, framework)
    deliver(
        json_text(found.model_dump(mode="json"))
        if form == "json"
        else reports.difference_text(found),
        None,
        False,
    )
