"""tuneworthy decide."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.options import (
    as_of_option,
    case_argument,
    colour,
    day,
    deliver,
    force_option,
    framework_option,
    output_option,
    pairs,
    set_option,
)
from tuneworthy.surfaces.cli.root import examples

_OUTCOMES = (
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
)

_ACTIONS = (
    "keep_prompting",
    "improve_rag_or_switch",
    "clear_anti_indicators",
    "explore_alternatives",
    "clear_gates",
    "pilot",
    "proceed",
)


@click.command(
    epilog=examples(
        "tuneworthy decide examples/task-api",
        "tuneworthy decide examples/task-api --set brand_voice=no",
        "tuneworthy decide examples/task-api --format json --output dossier.json",
        "tuneworthy decide examples/task-api --format html --output report.html",
        "tuneworthy decide . --require pilot && ./start-pilot",
    )
)
@case_argument
@framework_option
@set_option
@click.option(
    "--require",
    metavar="OUTCOME|ACTION",
    type=click.Choice((*_OUTCOMES, *_ACTIONS)),
    help="Exit with 1 unless the verdict is this outcome, or asks for this action.",
)
@as_of_option
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for everything drawn at random.",
)
@click.option(
    "--quick", is_flag=True, help="Only the three strongest reasons: can it be ruled out?"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "html", "json", "record"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@output_option
@force_option
def decide(
    case: str, framework: str | None, answers: tuple[str, ...], require: str | None,
    as_of: str | None, seed: int, quick: bool, form: str, output: str | None, force: bool,
) -> int:  # fmt: skip
    """Judge CASE, a case folder or its case.yaml (the present folder when not given).

    Writes nothing but the file named with --output. Exits with 0 when answered, 1 when --require
    isn't met, 2 when the input is wrong.
    """
    from tuneworthy.api import cases, reports

    wanted = pairs(answers, "--set")
    dossier = cases.judge(
        case, framework, answers=wanted, as_of=day(as_of), seed=seed, quick=quick
    )  # fmt: skip
    deliver(
        reports.render(dossier, form, case_path=case, colour=colour() and output is None),
        output,
        force,
    )
    return 0 if require in (None, dossier.verdict.outcome, dossier.verdict.action) else 1
