"""tuneworthy framework list, show, check, schema."""

from __future__ import annotations

import click

from tuneworthy.domain.canonical import json_text
from tuneworthy.surfaces.cli.options import deliver
from tuneworthy.surfaces.cli.root import examples


@click.group(
    epilog=examples(
        "tuneworthy framework list",
        "tuneworthy framework show lesson",
        "tuneworthy framework check lesson",
        "tuneworthy framework check ours.yaml --strict",
    )
)
def framework() -> None:
    """List, show and check decision frameworks."""


@framework.command("list")
def list_() -> None:
    """List the frameworks of the catalogue."""
    from tuneworthy.api import frameworks

    for name, title in frameworks.names():
        click.echo(f"{name}  {title}")


@framework.command()
@click.argument("name", metavar="NAME|FILE", default="lesson")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "yaml"]),
    default="text",
    show_default=True,
    help="In words, or as the file.",
)
def show(name: str, form: str) -> None:
    """Show what a framework asks and how it decides."""
    from tuneworthy.api import frameworks

    deliver(frameworks.show(name, form), None, False)


@framework.command()
@click.argument("name", metavar="NAME|FILE", default="lesson")
@click.option("--strict", is_flag=True, help="Exit with 1 if there is anything to know.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
def check(name: str, strict: bool, form: str) -> int:
    """Go through every combination of answers and say where the rules contradict each other."""
    from tuneworthy.api import frameworks

    lint = frameworks.check(name)
    deliver(
        json_text(frameworks.lint_dict(lint)) if form == "json" else frameworks.lint_text(lint),
        None,
        False,
    )
    return 1 if strict and lint.warnings else 0


@framework.command()
def schema() -> None:
    """Print the JSON Schema of a framework file."""
    from tuneworthy.api import frameworks

    deliver(json_text(frameworks.schema("framework")), None, False)
