"""tuneworthy evalset."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from tuneworthy.domain.errors import one_line
from tuneworthy.surfaces.cli import labelling
from tuneworthy.surfaces.cli.options import case_argument, colour, deliver, force_option
from tuneworthy.surfaces.cli.progress import reading_bar
from tuneworthy.surfaces.cli.root import examples

_HELP = frozenset({"-h", "--help"})


class _Building(click.Group):
    """A group whose first word may be a case: then it builds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in _HELP):
            args = ["build", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Building,
    epilog=examples(
        "tuneworthy evalset my-case",
        "tuneworthy evalset my-case --from 'logs/*.jsonl.gz' --n 400",
        "tuneworthy evalset label my-case --labeller ada",
        "tuneworthy evalset agreement my-case",
    ),
)
def evalset() -> None:
    """Draw an evaluation set from traces, and label it.

    "tuneworthy evalset CASE" is short for "tuneworthy evalset build CASE".
    """


@evalset.command(
    epilog=examples(
        "tuneworthy evalset my-case",
        "tuneworthy evalset my-case --from promptfoo-results.json --output eval-2.jsonl",
    )
)
@case_argument
@click.option("--from", "sources", metavar="PATH", multiple=True,
              help="Traces or results to draw from: file, pattern, folder or address; may be "
              "repeated. The case's own traces when not given.")  # fmt: skip
@click.option("--n", "n", type=click.IntRange(1, 10_000), default=200, show_default=True,
              help="About how many cases; conversations stay whole.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              help="Another seed, another draw.")  # fmt: skip
@click.option("--map", "mapping", metavar="FILE", help="Where our fields stand in their records.")
@click.option("--output", metavar="FILE", help="The set; eval.jsonl beside the case if not given.")
def build(
    case: str, sources: tuple[str, ...], n: int, seed: int, mapping: str | None,
    output: str | None,
) -> None:  # fmt: skip
    """Draw an evaluation set from what CASE was asked, and write it as JSON lines.

    By strata of request, length and failure, with weights that give back the traffic's mean. Near
    copies are folded, personal data is masked, and no conversation is both selected and reported
    on. Nothing that is there is replaced.
    """
    from tuneworthy.api import evalset as api

    with reading_bar(sys.stderr) as progress:
        built = api.build(
            case, sources, n=n, seed=seed, output=output, mapping=mapping, progress=progress
        )
    deliver(api.render(built, colour=colour()), None, False)


@evalset.command()
@case_argument
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv",
              show_default=True, help="For a spreadsheet, or as an evaluation set.")  # fmt: skip
@click.option("--output", metavar="FILE", help="Write there, not to the terminal.")
@force_option
def export(case: str, form: str, output: str | None, force: bool) -> None:
    """Print the evaluation set of CASE with the right answers that labelling gave."""
    from tuneworthy.api import agreement as api

    deliver(api.export(case, form), output, force, painted=False)


@evalset.command("import")
@click.argument("file")
@click.option("--output", metavar="FILE", help="The set; FILE with .jsonl when not given.")
def import_(file: str, output: str | None) -> None:
    """Write the cases of a CSV, FILE, as an evaluation set; nothing that is there is replaced."""
    from tuneworthy.api import agreement as api

    path = Path(output) if output is not None else Path(file).with_suffix(".jsonl")
    n = api.import_csv(file, path)
    click.echo(f"Wrote {one_line(str(path))}: {n:,} {'case' if n == 1 else 'cases'}")
    named = one_line(shlex.quote(f"data.evaluation={path.name}"))
    click.echo(f"Next, with it in the folder of a case: tuneworthy answer CASE {named}")


for _command in (labelling.label, labelling.agreement, labelling.adjudicate):
    evalset.add_command(_command)
