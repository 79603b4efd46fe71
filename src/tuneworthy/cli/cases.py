"""tuneworthy init and tuneworthy answer."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import examples
from tuneworthy.cli.options import (
    as_of_option,
    case_argument,
    colour,
    deliver,
    force_option,
    format_option,
    framework_option,
    output_option,
    pairs,
    reading_bar,
    seed_for,
    tokens_option,
)
from tuneworthy.errors import InputError, one_line

if TYPE_CHECKING:
    from tuneworthy.report.sections.evalset import Item
    from tuneworthy.workspace.labelling import LabelQueue


@click.command(epilog=examples("tuneworthy init", "tuneworthy init claims-bot --name 'Claims bot'"))
@click.argument("folder", metavar="[DIR]", default=".")
@click.option("--name", help="What the use case is called; the folder's name when not given.")
@framework_option
def init(folder: str, name: str | None, framework: str | None) -> None:
    """Write a commented case file into DIR (made if it isn't there), and its schema for editors.

    Nothing that is there is replaced.
    """
    from tuneworthy.workspace import cases as start

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
    from tuneworthy.workspace import cases, reports

    dossier = cases.write(case, pairs(answers, "KEY=VALUE", strict=True), framework)
    first, *_ = reports.render(dossier, "text", case_path=case, colour=colour()).split("\n\n")
    deliver(first + "\n")


@click.command(
    epilog=examples(
        "tuneworthy interview my-case",
        "tuneworthy interview my-case --plain",
        "tuneworthy interview my-case --answers answers.yaml",
        "tuneworthy interview my-case --model openai:gpt-4o-mini --budget 0.50",
    )
)
@case_argument
@click.option(
    "--plain", is_flag=True, help="Lines in, lines out: no menus, and no library for them."
)
@click.option(
    "--answers", metavar="FILE", help="Answer from a file: YAML, or lines of KEY = VALUE."
)
@click.option(
    "--model",
    metavar="MODEL",
    help="Talk in free words: this model, of CASE or another, proposes answers, and you confirm.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1e9),
    metavar="USD",
    default=0.0,
    show_default=True,
    help="The most all talks with models about CASE may cost. Models that cost nothing need none.",
)
@click.option("--transcript", metavar="FILE", help="Keep the talk with the model there.")
@framework_option
@as_of_option
def interview(
    case: str,
    plain: bool,
    answers: str | None,
    model: str | None,
    budget: float,
    transcript: str | None,
    framework: str | None,
    as_of: date | None,
) -> None:
    """Ask about CASE what removes most doubt, and show the verdict forming.

    Every answer is written into the case file at once; the same command goes on where it stopped.
    CASE is made if it isn't there. It pushes back where answers don't fit together, and says when
    nothing can change the verdict any more. With --model you write sentences; what it proposes is
    written when you confirm it, and the rules decide.
    """
    from tuneworthy.terminal.session import Listener
    from tuneworthy.terminal.session import interview as run

    listener = None if model is None else Listener(model, budget, transcript)
    if listener is None and (transcript is not None or budget):
        where = "--budget" if transcript is None else "--transcript"
        raise InputError("there is no model to talk with", where=where, fix="add --model MODEL")
    run(
        case,
        chosen=framework,
        as_of=as_of,
        plain=plain,
        script=answers,
        colour=colour(),
        listener=listener,
    )


@click.command(
    epilog=examples(
        "tuneworthy measure my-case",
        "tuneworthy measure --from promptfoo-results.json",
        "tuneworthy measure my-case --from 'logs/*.jsonl.gz' --map fields.yaml",
    )
)
@click.argument("case", required=False)
@click.option(
    "--from",
    "sources",
    metavar="PATH",
    multiple=True,
    help="Traces or results to read: file, pattern, folder or address; may be repeated. Without "
    "CASE a case folder is made from them.",
)
@click.option("--map", "mapping", metavar="FILE", help="Which of their fields holds which of ours.")
@click.option(
    "--examples",
    "show_examples",
    is_flag=True,
    help="Show step by step which examples could be used.",
)
@framework_option
@format_option("text", "json")
@output_option
@force_option
def measure(
    case: str | None,
    sources: tuple[str, ...],
    mapping: str | None,
    show_examples: bool,
    framework: str | None,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Measure traces or results, and keep what they show as evidence of CASE.

    Reads what the case names (data.traces, glossary, voice, schema, prompts, examples), or what
    --from names, and appends to .tuneworthy/evidence.jsonl in the case folder; decide uses it at
    once. Nothing else is written, and nothing leaves this machine.
    """
    # Before numpy comes: its threads wait awake, and for work as small as this they only cost.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tuneworthy.report import render
    from tuneworthy.report.sections.measure import measure_dict, measure_report
    from tuneworthy.workspace import measure as api

    if case is None and not sources:
        case = "."
    with reading_bar(sys.stderr) as progress:
        if case is None:
            run = api.measure_new(sources, mapping=mapping, chosen=framework, progress=progress)
        else:
            run = api.measure_case(
                case, sources, mapping=mapping, chosen=framework, progress=progress
            )
    if form == "json":
        text = measure_dict(run.report)
    else:
        document = measure_report(run.report, examples=show_examples)
        text = render(document, colour=colour() and output is None)
    deliver(text, output, force)


_LONGEST = 100_000  # characters of an answer
_COMMANDS = {"s": "skip", "b": "back", "q": "quit"}
_seed_option = seed_for(
    "For the order, the same for all labellers; for outputs as the lab was given it."
)
_tokens_option = tokens_option("For outputs, as the lab was given it.")
_rubric_option = click.option(
    "--rubric", metavar="FILE", help="The rubric that outputs are judged by."
)


@click.command(
    epilog=examples(
        "tuneworthy evalset label my-case --labeller ada",
        "tuneworthy evalset label my-case --labeller ada --rubric rubric.md",
        "tuneworthy evalset label my-case --pairwise 'v1 · openai:gpt-4o' 'v2 · openai:gpt-4o'",
    )
)
@case_argument
@click.option(
    "--labeller",
    metavar="NAME",
    default="me",
    show_default=True,
    help="Who labels: a second one makes agreement known.",
)
@_rubric_option
@click.option(
    "--scale",
    type=click.Choice(["yes-no", "1-5"]),
    default="yes-no",
    show_default=True,
    help="The scale for an output.",
)
@click.option("--pairwise", nargs=2, metavar="ARM ARM", help="Compare the outputs of two arms.")
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="ARM",
    help="With --rubric: this arm alone; may be repeated.",
)
@click.option(
    "--for",
    "lab",
    type=click.Choice(["report", "choose", "verify"]),
    help="With --rubric, what a lab under a judge needs: its chosen arms on held-out "
    "cases, all arms on the others, or both arms of a verification.",
)
@_seed_option
@_tokens_option
def label(
    case: str,
    labeller: str,
    rubric: str | None,
    scale: str,
    pairwise: tuple[str, str] | None,
    arms: tuple[str, ...],
    lab: Any,
    seed: int,
    max_tokens: int,
) -> None:
    """Label the evaluation set of CASE: right answers, or outputs of a lab's arms.

    Asks for the right answer where a case has none. With --rubric each output is held against it,
    with --pairwise two are compared; order is drawn and arms are never named. Every answer is kept
    at once in .tuneworthy/labels, and the same command goes on where it stopped.
    """
    from tuneworthy.workspace.labelling import LabelTask, open_queue

    kind: Any = "pairwise" if pairwise else "rubric" if rubric else "answer"
    task = LabelTask(kind, labeller, rubric or "", scale, pairwise or arms, seed, max_tokens, lab)
    _run(open_queue(case, task))


@click.command()
@case_argument
def agreement(case: str) -> None:
    """Show how far the labellers of CASE agree, and what they differ on."""
    from tuneworthy.report import render
    from tuneworthy.report.sections.evalset import agreement_document
    from tuneworthy.workspace.labelling import agreement as agreed

    document = agreement_document(agreed(case), folder=case)
    deliver(render(document, colour=colour()))


@click.command()
@case_argument
@_rubric_option
@_seed_option
@_tokens_option
def adjudicate(case: str, rubric: str | None, seed: int, max_tokens: int) -> None:
    """Settle what the labellers of CASE differ on. Nobody is named, and what each said stays."""
    from tuneworthy.workspace.labelling import LabelTask, open_queue

    task = LabelTask("settle", rubric=rubric or "", seed=seed, max_tokens=max_tokens)
    _run(open_queue(case, task))


def _run(queue: LabelQueue) -> None:
    """Show and ask until all is labelled, or whoever labels has had enough."""
    from tuneworthy.report.sections.evalset import item_page, tally_page

    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    painted = colour()
    while (item := queue.current()) is not None:
        page = item_page(
            item,
            number=queue.at + 1,
            of=len(queue.items),
            rubric=queue.rubric,
            labels=queue.notes.get(item.key, ()),
            colour=painted,
        )
        deliver(page)
        said = _asked(item)
        if said == "quit":
            break
        if said == "skip":
            queue.skip()
        elif said == "back":
            queue.back()
        else:
            queue.answer(said.removeprefix("="))
    deliver(tally_page(queue.done, len(queue.items)))


def _asked(item: Item) -> str:
    """``skip``, ``back``, ``quit``, or what is said behind an equals sign."""
    from tuneworthy.report.sections.evalset import keys_of

    keys = keys_of(item)
    while True:
        given = _line() if not keys or not sys.stdin.isatty() else click.getchar()
        if given is None:
            return "quit"
        word = given.strip()
        told = _COMMANDS.get(word.removeprefix(":").lower())
        if told is not None and (keys or word.startswith(":")):
            return told
        if not keys and word:
            return f"={word[:_LONGEST]}"
        found = keys.get(word.lower()) or (word.lower() if word.lower() in keys.values() else None)
        if found is not None:
            return f"={found}"
        click.echo(
            f"Use {', '.join([*keys, 's', 'b', 'q'])}"
            if keys
            else "Write the answer, or :s, :b, :q"
        )


def _line() -> str | None:
    """A line of the input; None at its end."""
    from tuneworthy.terminal.terminals import read_line

    if sys.stdin.isatty():
        click.echo("> ", nl=False)
    return read_line(_LONGEST)


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
@click.option(
    "--from",
    "sources",
    metavar="PATH",
    multiple=True,
    help="Traces or results to draw from: file, pattern, folder or address; may be "
    "repeated. The case's own traces when not given.",
)
@click.option(
    "--n",
    "n",
    type=click.IntRange(1, 10_000),
    default=200,
    show_default=True,
    help="About how many cases; conversations stay whole.",
)
@seed_for("Another seed, another draw.")
@click.option("--map", "mapping", metavar="FILE", help="Which of their fields holds which of ours.")
@click.option(
    "--output", metavar="FILE", help="The set; eval.jsonl next to the case when not given."
)
def build(
    case: str,
    sources: tuple[str, ...],
    n: int,
    seed: int,
    mapping: str | None,
    output: str | None,
) -> None:
    """Draw an evaluation set from what CASE was asked, and write it as JSON lines.

    By strata of request, length and failure, with weights that give back the traffic's mean. Near
    copies are folded, personal data is masked, and no conversation is both selected and reported
    on. Nothing that is there is replaced.
    """
    from tuneworthy.report import render
    from tuneworthy.report.sections.evalset import evalset_document
    from tuneworthy.workspace.measure import build_set

    with reading_bar(sys.stderr) as progress:
        built = build_set(
            case, sources, n=n, seed=seed, output=output, mapping=mapping, progress=progress
        )
    deliver(render(evalset_document(built), colour=colour()))


@evalset.command()
@case_argument
@format_option("csv", "jsonl", help="For a spreadsheet, or as an evaluation set.")
@click.option("--output", metavar="FILE", help="Write there, not to the terminal.")
@force_option
def export(case: str, form: str, output: str | None, force: bool) -> None:
    """Print the evaluation set of CASE with the right answers that labelling gave."""
    from tuneworthy.files.evalset import csv_text, evalset_text
    from tuneworthy.workspace.labelling import labelled_cases

    text = (csv_text if form == "csv" else evalset_text)(labelled_cases(case))
    deliver(text, output, force, painted=False)


@evalset.command("import")
@click.argument("file")
@click.option("--output", metavar="FILE", help="The set; FILE with .jsonl when not given.")
def import_(file: str, output: str | None) -> None:
    """Write the cases of a CSV, FILE, as an evaluation set; nothing that is there is replaced."""
    from tuneworthy.files.evalset import read_csv, write_evalset

    path = Path(output) if output is not None else Path(file).with_suffix(".jsonl")
    cases = read_csv(Path(file))
    write_evalset(path, cases)
    n = len(cases)
    click.echo(f"Wrote {one_line(str(path))}: {n:,} {'case' if n == 1 else 'cases'}")
    named = one_line(shlex.quote(f"data.evaluation={path.name}"))
    click.echo(f"Next, with it in the folder of a case: tuneworthy answer CASE {named}")


for _command in (label, agreement, adjudicate):
    evalset.add_command(_command)
