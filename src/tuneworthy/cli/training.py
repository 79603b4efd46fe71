"""tuneworthy data, export and watch."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from tuneworthy.cli import NOT_MET
from tuneworthy.cli import options as opt


@opt.group(
    "tuneworthy data my-case",
    "tuneworthy data review my-case --reviewer ada",
    "tuneworthy data compare my-case --reviewer ada --budget 1",
    first="check",
)
def data() -> None:
    """Gate what a model may be tuned on, and have people review it.

    "tuneworthy data CASE" is short for "tuneworthy data check CASE".
    """


@opt.command("tuneworthy data my-case", "tuneworthy data my-case --mask --format json", of=data)
@opt.case_argument
@opt.seed_for("Another seed holds other conversations back to validate on.")
@opt.flag("--mask", "Put words in the place of personal data, in the set alone.")
@opt.format_option("text", "json")
@opt.output_options
def check(case: str, seed: int, mask: bool, form: str, output: str | None, force: bool) -> None:
    """Pass the candidates of CASE through every gate, and keep what passes.

    Candidates are the files under data.training, and what logs under data.traces hold. What is in
    the evaluation set, repeated, contradictory, cut off, personal or secret stays out, and so does
    every logged answer that nobody accepted. The set goes to .tuneworthy/training.jsonl; nothing of
    yours is changed.
    """
    from tuneworthy.training.gate import pass_gates
    from tuneworthy.training.pages import data_document

    found = pass_gates(case, seed=seed, mask=mask)
    json = found.made.model_dump_json(indent=2) + "\n" if form == "json" else ""
    opt.show(data_document(found), output, force, json=json)


_reviewer_option = opt.option(
    "--reviewer NAME", "Who reviews: a second one makes agreement known.", default="me"
)


@opt.command("tuneworthy data review my-case --reviewer ada", of=data)
@opt.case_argument
@_reviewer_option
def review(case: str, reviewer: str) -> None:
    """Accept, edit or reject the candidates of CASE, one after the other.

    Every second one is drawn at random, the others are the most doubtful of their kind. Nobody sees
    where an answer comes from, nor what others said. Every answer is kept at once, and the same
    command goes on where it stopped.
    """
    from tuneworthy.cli.cases import label_items

    label_items(case, kind="training", labeller=reviewer)


@opt.command(
    "tuneworthy data compare my-case --reviewer ada",
    "tuneworthy data compare my-case --arm 'v1 · openai:gpt-4o' --n 100 --budget 2",
    of=data,
)
@opt.case_argument
@_reviewer_option
@opt.option("--arm ARM", "Whose answers; the arm that the ceiling lab chose when not given.")
@opt.number("--n", 1, 1000, 50, "How many examples.")
@opt.budget_option("asking the model may cost")
def compare(case: str, reviewer: str, arm: str | None, n: int, budget: float) -> None:
    """Are the labels better than the model's own answers? Say so, pair by pair, blind.

    The model is asked for what it would answer to examples drawn from the set; both answers are
    shown in an order that says nothing. Tuning on labels that aren't better can't help.
    """
    from tuneworthy.cli.cases import label_items
    from tuneworthy.training.review import own_answers

    own = own_answers(case, arm=arm or "", n=n, send=True, cap_usd=budget)
    label_items(case, kind="compare", labeller=reviewer, arms=(own.arm,))


@opt.command(
    "tuneworthy export my-case --to openai-sft",
    "tuneworthy export my-case --to trl-sft --base HuggingFaceTB/SmolLM2-135M-Instruct",
    "tuneworthy export my-case --to bedrock-nova2-sft --leave-out",
)
@opt.case_argument
@opt.option("--to TARGET", "The service or library; without it, all of them are listed.", "name")
@opt.option("--base MODEL", "The model to tune; the target's usual one when not given.")
@opt.option(
    "--usd-per-mtok USD", "What a million trained tokens cost.", type=click.FloatRange(0, 1e6)
)
@opt.flag("--leave-out", "Leave out what it would refuse, in place of writing nothing.")
@opt.option("--output DIR", "Folder to make; export/TARGET in the case folder when not given.")
@opt.format_option("text", "json")
def export(case: str, name: str | None, form: str, **options: Any) -> int | None:
    """Write the training set of CASE in the form a service or a library takes.

    With it come the job or configuration, the command, the price by its tokens, and what the
    service keeps. What it would refuse is listed line by line, and then nothing is written. Nothing
    that is there is replaced.
    """
    from tuneworthy.training.export import export as write
    from tuneworthy.training.export import export_json, target, target_names
    from tuneworthy.training.pages import export_document

    if name is None:
        for each in target_names():
            click.echo(f"{each:24}{target(each).title}")
        return None
    done = write(case, name, **options)
    json = export_json(done) if form == "json" else ""
    opt.show(export_document(done), json=json, everything=True)
    return None if done.folder is not None else NOT_MET


@opt.command("tuneworthy watch my-case", "tuneworthy watch my-case --from 'logs/2026-12/*.jsonl'")
@opt.case_argument
@opt.sources_option("measure first", "Newer logs are what a decision is held against.")
@opt.mapping_option
@opt.format_option("text", "json")
@opt.as_of_option
def watch(
    case: str, sources: tuple[str, ...], mapping: str | None, form: str, as_of: date | None
) -> int | None:
    """Hold the signed decision of CASE against new logs, dates and what the rules say today.

    Exit code 0: it holds. 1: something asks for a look, or a review is due. 2: the input is wrong.
    What is unknown is said and changes no exit code.
    """
    from tuneworthy.training.pages import watch_document
    from tuneworthy.training.watch import watch as look
    from tuneworthy.training.watch import watch_dict
    from tuneworthy.workspace.measure import measure_case

    if sources:
        with opt.live_line(opt.reading_progress) as progress:
            measure_case(case, sources, mapping=mapping, progress=progress)
    seen = look(case, as_of=as_of)
    opt.show(watch_document(seen), json=watch_dict(seen) if form == "json" else "")
    return NOT_MET if seen.state == "attention" else None
