"""tuneworthy ceiling."""

from __future__ import annotations

import sys
from typing import Any

import click

from tuneworthy.surfaces.cli.lab_options import STOPPED, judge_asked, judge_options, lab_options
from tuneworthy.surfaces.cli.options import (
    as_of_option,
    case_argument,
    colour,
    day,
    deliver,
    force_option,
    framework_option,
    output_option,
    wanted,
)
from tuneworthy.surfaces.cli.progress import lab_line
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy ceiling my-case --dry-run",
        "tuneworthy ceiling my-case --budget 5",
        "tuneworthy ceiling my-case --budget 5 --propose 5 --propose-with openai:gpt-5",
        "tuneworthy ceiling my-case --budget 5 --judge rubric.md --judge-model openai:gpt-4o",
        "tuneworthy ceiling my-case --budget 5 --format json --output ceiling.json",
    )
)
@case_argument
@lab_options
@judge_options
@click.option("--dry-run", is_flag=True, help="Show arms, calls and price; send nothing.")
@click.option("--repeats", type=click.IntRange(1, 20), default=1, show_default=True,
              help="Times each case is asked; repeats are no cases.")  # fmt: skip
@click.option("--propose", type=click.IntRange(0, 50), metavar="N", default=0, show_default=True,
              help="Have gepa propose prompts first, begun afresh N times; from 5 on it is told "
              "what one more would add.")  # fmt: skip
@click.option("--propose-with", metavar="MODEL",
              help="The model that writes them; the first of CASE if left out.")  # fmt: skip
@framework_option
@as_of_option
@output_option
@force_option
def ceiling(
    case: str, budget: float, dry_run: bool, repeats: int, propose: int,
    propose_with: str | None, at_once: int, max_tokens: int,
    seed: int, ask_again: bool, allow_code: bool, framework: str | None, as_of: str | None,
    form: str, output: str | None, force: bool, **judge: Any,
) -> int:  # fmt: skip
    """Find out whether prompting has reached its limit: every prompt and model of CASE, compared.

    Arms race on one part of the evaluation set, and the winner is reported on the other. Nothing is
    paid twice: run it again to go on where it stopped. What it shows becomes evidence of CASE.
    """
    from tuneworthy.api import ceiling as api

    wanted(output, force)
    ready = api.prepare(
        case,
        chosen=framework,
        seed=seed,
        repeats=repeats,
        max_tokens=max_tokens,
        allow_code=allow_code,
        as_of=day(as_of),
        judge=judge_asked(**judge),
    )
    ready = api.with_proposals(ready, propose, propose_with)
    painted = colour() and output is None
    if dry_run:
        told = api.quoted(ready)
        page = api.render_quote(ready, told, form, cap_usd=budget, colour=painted)
        deliver(page, output, force)
        return 0
    with lab_line(sys.stderr) as watch:
        done = api.run(
            ready, cap_usd=budget, at_once=at_once, ask_again=ask_again, watch=watch, source=case
        )
    deliver(api.render(done, form, colour=painted), output, force)
    return STOPPED if done.result.stopped else 0
