"""tuneworthy measure."""

from __future__ import annotations

import os
import sys

import click

from tuneworthy.surfaces.cli.options import (
    colour,
    deliver,
    force_option,
    framework_option,
    output_option,
)
from tuneworthy.surfaces.cli.progress import reading_bar
from tuneworthy.surfaces.cli.root import examples as example_lines


@click.command(
    epilog=example_lines(
        "tuneworthy measure my-case",
        "tuneworthy measure --from promptfoo-results.json",
        "tuneworthy measure my-case --from 'logs/*.jsonl.gz' --map fields.yaml",
    )
)
@click.argument("case", required=False)
@click.option(
    "--from", "sources", metavar="PATH", multiple=True,
    help="Traces or results to read: file, pattern, folder or address; may be repeated. Without "
    "CASE a case folder is made from them.",
)  # fmt: skip
@click.option("--map", "mapping", metavar="FILE", help="Where our fields stand in their records.")
@click.option("--examples", is_flag=True, help="Show step by step which examples could be used.")
@framework_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How to report.",
)  # fmt: skip
@output_option
@force_option
def measure(
    case: str | None, sources: tuple[str, ...], mapping: str | None, examples: bool,
    framework: str | None, form: str, output: str | None, force: bool,
) -> None:  # fmt: skip
    """Measure traces or results, and keep what they show as evidence of CASE.

    Reads what the case names (data.traces, glossary, voice, schema, prompts, examples), or what
    --from names, and appends to .tuneworthy/evidence.jsonl in the case folder; decide uses it at
    once. Nothing else is written, and nothing leaves this machine.
    """
    # Before numpy comes: its threads wait awake, and for work as small as this they only cost.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tuneworthy.api import measure as api

    if case is None and not sources:
        case = "."
    with reading_bar(sys.stderr) as progress:
        if case is None:
            run = api.measure_new(sources, mapping=mapping, chosen=framework, progress=progress)
        else:
            run = api.measure_case(
                case, sources, mapping=mapping, chosen=framework, progress=progress
            )
    deliver(api.render(run, form, examples=examples, colour=colour() and output is None), output,
            force)  # fmt: skip
