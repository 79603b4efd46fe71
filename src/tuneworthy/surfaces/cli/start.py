"""tuneworthy init and tuneworthy answer."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.options import colour, deliver, framework_option, pairs
from tuneworthy.surfaces.cli.root import examples


@click.command(epilog=examples("tuneworthy init", "tuneworthy init claims-bot --name 'Claims bot'"))
@click.argument("folder", metavar="[DIR]", default=".")
@click.option("--name", help="What the use case is called; the folder's name when not given.")
@framework_option
def init(folder: str, name: str | None, framework: str | None) -> None:
    """Write a commented case file into DIR (made if it isn't there), and its schema for editors.

    Nothing that is there is replaced.
    """
    from tuneworthy.api import start

    for path in start.start_case(folder, name, framework):
        click.echo(f"Wrote {path}")
    click.echo(f"Answer what you know, leave out what you don't, then: tuneworthy decide {folder}")


@click.command(
    epilog=examples(
        "tuneworthy answer my-case brand_voice=yes low_volume=no",
        "tuneworthy answer my-case economics.hourly_rate_usd=90",
    )
)
@click.argument("case")
@click.argument("answers", metavar="KEY=VALUE...", nargs=-1, required=True)
@framework_option
def answer(case: str, answers: tuple[str, ...], framework: str | None) -> None:
    """Write answers into CASE; comments, order and everything else in the file stay.

    KEY is a check, a factor, a signal or a dotted path into the case.
    """
    from tuneworthy.api import cases, reports

    dossier = cases.write(case, pairs(answers, "KEY=VALUE", strict=True), framework)
    first, *_ = reports.render(dossier, "text", case_path=case, colour=colour()).split("\n\n")
    deliver(first + "\n", None, False)
