"""tuneworthy verify."""

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
    output_option,
    wanted,
)
from tuneworthy.surfaces.cli.progress import lab_line
from tuneworthy.surfaces.cli.root import examples


@click.command(
    epilog=examples(
        "tuneworthy verify my-case --dry-run",
        "tuneworthy verify my-case --budget 5",
        "tuneworthy verify my-case --budget 5 --margin 0.02 --format json",
    )
)
@case_argument
@lab_options
@judge_options
@click.option("--dry-run", is_flag=True, help="Show arms, calls and price; send nothing.")
@click.option("--margin", type=click.FloatRange(0, 1), default=0.0, show_default=True,
              help="Share of cases by which the tuned model has to be better.")  # fmt: skip
@click.option("--new-plan", is_flag=True,
              help="Compare something else than the plan that was written down.")  # fmt: skip
@as_of_option
@output_option
@force_option
def verify(
    case: str, budget: float, margin: float, new_plan: bool, at_once: int, max_tokens: int,
    seed: int, ask_again: bool, allow_code: bool, as_of: str | None, form: str,
    output: str | None, force: bool, dry_run: bool, **judge: Any,
) -> int:  # fmt: skip
    """Hold the tuned model of CASE (kind: tuned) against its best untuned arm.

    Both are chosen on the cases for selecting; margin and stop are written down; then both answer
    the untouched cases and a small set of general tasks. It works for a model tuned anywhere. Under
    a judge the answer is unknown until people have labelled a random part of both arms.
    """
    from tuneworthy.api import verify as api
    from tuneworthy.api.lab import prepare

    wanted(output, force)
    ready = prepare(case, seed=seed, max_tokens=max_tokens, allow_code=allow_code,
                    as_of=day(as_of), judge=judge_asked(**judge))  # fmt: skip
    painted = colour() and output is None
    if dry_run:
        page = api.render_quote(ready, api.quoted(ready), form, cap_usd=budget, colour=painted)
        deliver(page, output, force)
        return 0
    with lab_line(sys.stderr) as watch:
        result = api.run(
            ready, cap_usd=budget, margin=margin, again=new_plan, ask_again=ask_again,
            at_once=at_once, watch=watch,
        )  # fmt: skip
    rubric = judge["judge"] or ""
    text = api.render(result, form, folder=case, rubric=rubric, colour=painted)
    deliver(text, output, force)
    return STOPPED if result.stopped else 0
