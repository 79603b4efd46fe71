"""tuneworthy schema."""

from __future__ import annotations

import click

from tuneworthy.domain.canonical import json_text
from tuneworthy.surfaces.cli.options import deliver, framework_option
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy schema case > case.schema.json",
        "tuneworthy schema case --framework ours.yaml",
        "tuneworthy schema cases > cases.schema.json",
        "tuneworthy schema dossier",
        "tuneworthy schema ceiling",
    )
)
@click.argument(
    "what", type=click.Choice(["case", "cases", "framework", "dossier", "ceiling", "verify"])
)
@framework_option
def schema(what: str, framework: str | None) -> None:
    """Print the JSON Schema of a case file, a file of cases, a framework file or a result.

    Results are a dossier, and what the labs ceiling and verify found.
    """
    from tuneworthy.api import frameworks

    deliver(json_text(frameworks.schema(what, framework)), None, False)
