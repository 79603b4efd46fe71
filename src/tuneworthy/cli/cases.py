"""tuneworthy init, answer, interview, measure and evalset."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import ANSWERED, NOT_MET
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError, argument, one_line
from tuneworthy.words import counted

if TYPE_CHECKING:
    from tuneworthy.interview.questions import AmbiguousNameError
    from tuneworthy.report.sections.evalset import Item


@opt.command("tuneworthy init", "tuneworthy init claims-bot --name 'Claims bot'")
@click.argument("folder", metavar="[DIR]", default=".")
@opt.option("--name", "What the use case is called; the folder's name when not given.")
@opt.framework_option
def init(folder: str, **options: Any) -> None:
    """Write a commented case file into DIR (made if it isn't there), and its schema for editors.

    Nothing that is there is replaced.
    """
    from tuneworthy.workspace.cases import start_case

    for path in start_case(folder, **options):
        click.echo(f"Wrote {one_line(str(path))}")
    quoted = one_line(argument(folder))
    click.echo(f"Answer what you know, leave out what you don't, then: tuneworthy decide {quoted}")


_WALK = (
    ("What the team's statements alone come to.", "decide"),
    ("What its log shows, and what that moves.", "measure"),
    ("Which way of searching finds the passage that answers.", "retrieve"),
    ("What trying every prompt would take; without --dry-run it is done.", "ceiling --dry-run"),
    ("What of its files and logs a model may learn, and what not.", "data"),
    ("The file, the job and the command for whoever trains.", "export --to trl-sft"),
    ("What a pilot on this machine would take; it needs the extra pilot.", "pilot --dry-run"),
)


@opt.command(
    "tuneworthy demo",
    "tuneworthy demo municipal-services --to desk",
    "tuneworthy demo hospital-letters --dry-run",
)
@click.argument("name", default="bank-call-routing")
@opt.option("--to DIR", "Folder to make; NAME in the present one when not given.")
@opt.flag("--dry-run", "Print the walk; copy and run nothing.")
def demo(name: str, to: str | None, dry_run: bool) -> None:
    """Copy a case of the gallery, and walk through it: offline, without a key.

    Each command is shown with why it is run, and what it says. One that needs an extra which isn't
    installed says so, and the walk goes on. NAME is one of the six cases that bring their data.
    """
    import shutil

    from tuneworthy.cli import run
    from tuneworthy.files.disk import made_whole, writing

    package = Path(__file__).resolve().parents[1]
    logs = [*package.glob("gallery/*/logs"), *package.parents[1].glob("examples/*/logs")]
    cases = {path.parent.name: path.parent for path in reversed(logs)}
    if name not in cases:
        fix = f"take one of these: {', '.join(sorted(cases))}"
        raise InputError(f'is no case that runs: "{name[:60]}"', where="NAME", fix=fix)
    folder = Path(to or name)
    if not dry_run:
        beside = shutil.ignore_patterns(".tuneworthy", "expected.yaml")
        with made_whole(folder) as place, writing(folder):
            shutil.copytree(cases[name], place, ignore=beside, dirs_exist_ok=True)
        click.echo(f"Copied {name} to {folder}")
    for why, words in _WALK:
        if words == "retrieve" and not (cases[name] / "documents").is_dir():
            continue
        first, *rest = words.split()
        click.echo(f"\n# {why}\n$ {shlex.join(('tuneworthy', first, str(folder), *rest))}")
        if not dry_run:
            run((first, str(folder), *rest))
    click.echo(f"\nLook around: {shlex.join(('tuneworthy', 'serve', str(folder)))}")


@opt.command(
    "tuneworthy answer my-case brand_voice=yes low_volume=no",
    "tuneworthy answer my-case goals=persona,format today.quality=83%",
    "tuneworthy answer my-case economics.hourly_rate_usd=80-120",
    "tuneworthy answer my-case models=openai:gpt-4o,anthropic:claude-sonnet-4-5",
)
@click.argument("case")
@click.argument("answers", metavar="[KEY=VALUE...]", nargs=-1)
@opt.flag("--confirm", "Confirm the answers that an assistant wrote, and show them.", "confirms")
@opt.framework_option
def answer(case: str, answers: tuple[str, ...], confirms: bool, chosen: str | None) -> None:
    """Write answers into CASE; comments, order and everything else in the file stay.

    KEY is a check, a factor or a signal, by its id or as reports call it, or a dotted path into the
    case. VALUE is what the interview takes: yes, no, unknown; 5k, 90% or 800-2000; several with
    commas. Shows what changed, and what it moved. An answer that an assistant wrote is confirmed by
    answering it again, or all of them with --confirm.
    """
    from tuneworthy.interview.pages import answer_line, changes_page
    from tuneworthy.interview.questions import AmbiguousNameError
    from tuneworthy.workspace import cases, reports

    if not answers:
        if not confirms:
            fix = "write brand_voice=yes, or --confirm"
            raise InputError("names no answer", where="KEY=VALUE", fix=fix)
        opt.deliver(cases.confirm(case, chosen))
        return
    values, wrote = opt.pairs(answers, "KEY=VALUE", strict=True), None
    while wrote is None:
        try:
            wrote = cases.write(case, values, chosen)
        except AmbiguousNameError as caught:
            if (path := _which(caught)) is None:
                raise
            values = {path if key == caught.name else key: value for key, value in values.items()}
    text = reports.render(wrote.dossier, "text", case_path=case, colour=opt.colour())
    page = changes_page(wrote.changes, answer_line(wrote.before, wrote.dossier)).text()
    first, *_ = text.split("\n\n")
    confirmed = cases.confirm(case, chosen) if confirms else ""
    opt.deliver(f"{confirmed}{page}\n{first}\n")


def _which(caught: AmbiguousNameError) -> str | None:
    """Which of several questions is meant: asked on a terminal; None where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    ways = {str(n): path for n, path in enumerate(caught.ways, start=1)}
    for key, path in ways.items():
        click.echo(f"  [{key}] {path}: {one_line(caught.ways[path])}")
    asked = f"Which {one_line(caught.name)}?"
    return ways[click.prompt(asked, type=click.Choice(list(ways)), show_choices=False)]


@opt.command(
    "tuneworthy interview my-case",
    "tuneworthy interview my-case --plain",
    "tuneworthy interview my-case --answers answers.yaml",
    "tuneworthy interview my-case --model openai:gpt-4o-mini --budget 0.50",
)
@opt.case_argument
@opt.flag("--plain", "Lines in, lines out: no menus, and no library for them.")
@opt.option("--answers FILE", "Answer from a file: YAML, one KEY: VALUE a line.", "script")
@opt.option(
    "--model MODEL",
    "Talk in free words: this model, of CASE or another, proposes answers, and you confirm.",
)
@opt.budget_option("all talks with models about CASE may cost")
@opt.option("--transcript FILE", "Keep the talk with the model there.")
@opt.framework_option
@opt.as_of_option
def interview(
    case: str, model: str | None, budget: float, transcript: str | None, **options: Any
) -> None:
    """Ask about CASE what removes most doubt, and show the verdict forming.

    Every answer is written into the case file at once; the same command goes on where it stopped.
    CASE is made if it isn't there. It pushes back where answers don't fit together, and says when
    nothing can change the verdict any more. With --model you write sentences; what it proposes is
    written when you confirm it, and the rules decide.
    """
    from tuneworthy.terminal.session import Listener
    from tuneworthy.terminal.session import interview as run

    if model is None and (transcript is not None or budget):
        where = "--budget" if transcript is None else "--transcript"
        raise InputError("there is no model to talk with", where=where, fix="add --model MODEL")
    listener = None if model is None else Listener(model, budget, transcript)
    run(case, colour=opt.colour(), listener=listener, **options)


@opt.command(
    "tuneworthy measure my-case",
    "tuneworthy measure --from promptfoo-results.json --compare",
    "tuneworthy measure my-case --from s3://bucket/logs/ --on cores",
    "tuneworthy measure my-case --from 'logs/*.jsonl.gz' --map fields.yaml",
    "tuneworthy measure my-case --from 'logs/**/*.parquet' --sample 5",
)
@click.argument("case", required=False)
@opt.sources_option("read", "Without CASE a case folder is made from them.")
@opt.mapping_option
@opt.flag("--examples", "Show step by step which examples could be used.", "show_examples")
@opt.option("--on WHERE", "Many files side by side: cores, ray or ray:ADDRESS.", "on", default="")
@opt.number(
    "--sample PERCENT", 0.001, 100.0, 100.0, "Percent of the conversations to draw and measure."
)
@opt.seed_for("Another seed, another sample.")
@opt.flag("--compare", "Exit with 1 unless one prompt with a model does best, distinguishably.")
@opt.framework_option
@opt.format_option("text", "json")
@opt.output_options
def measure(
    case: str | None,
    sources: tuple[str, ...],
    show_examples: bool,
    compare: bool,
    sample: float,
    seed: int,
    **options: Any,
) -> int:
    """Measure traces or results, and keep what they show as evidence of CASE.

    Reads what the case names (data.traces, glossary, voice, schema, prompts, examples), or what
    --from names, and appends to .tuneworthy/evidence.jsonl in the case folder; decide uses it at
    once. Nothing else of yours is written, and nothing leaves this machine.
    """
    from tuneworthy.report.sections.measure import measure_dict, measure_report
    from tuneworthy.workspace.measure import measure_case, measure_new

    with opt.live_line(opt.reading_progress) as progress:
        options |= {"sources": sources, "progress": progress, "draw": (sample / 100, seed)}
        new = case is None and sources
        run = measure_new(**options) if new else measure_case(case or ".", **options)
    opt.show(measure_report(run, examples=show_examples), lambda: measure_dict(run))
    apart = run.of("best_arm_lead").details.get("told_apart")
    return NOT_MET if compare and (apart != "yes" or not run.known("best_arm_lead")) else ANSWERED


@opt.group(
    "tuneworthy evalset my-case",
    "tuneworthy evalset my-case --from 'logs/*.jsonl.gz' --n 400",
    "tuneworthy evalset label my-case --labeller ada",
    "tuneworthy evalset agreement my-case",
    first="build",
)
def evalset() -> None:
    """Draw an evaluation set from traces, and label it.

    "tuneworthy evalset CASE" is short for "tuneworthy evalset build CASE".
    """


@opt.command(
    "tuneworthy evalset my-case",
    "tuneworthy evalset my-case --from promptfoo-results.json --output eval-2.jsonl",
    of=evalset,
)
@opt.case_argument
@opt.sources_option("draw from", "The case's own traces when not given.")
@opt.number("--n", 1, 10_000, 200, "About how many cases; conversations stay whole.")
@opt.seed_for("Another seed, another draw.")
@opt.mapping_option
@opt.option("--output FILE", "The set; eval.jsonl next to the case when not given.")
def build(case: str, sources: tuple[str, ...], **options: Any) -> None:
    """Draw an evaluation set from what CASE was asked, and write it as JSON lines.

    By strata of request, length and failure, with weights that give back the traffic's mean. Near
    copies are folded, personal data is masked, and no conversation is both selected and reported
    on. Nothing that is there is replaced.
    """
    from tuneworthy.money.worth import cases_note
    from tuneworthy.report.sections.evalset import evalset_document
    from tuneworthy.workspace.cases import judge_case
    from tuneworthy.workspace.measure import build_set

    with opt.live_line(opt.reading_progress) as progress:
        built = build_set(case, sources, progress=progress, **options)
    opt.show(evalset_document(built, cases_note(judge_case(case).investment)))


@evalset.command()
@opt.case_argument
@opt.format_option("csv", "jsonl", help="For a spreadsheet, or as an evaluation set.")
@opt.output_options
def export(case: str) -> None:
    """Print the evaluation set of CASE with the right answers that labelling gave."""
    from tuneworthy.files.evalset import csv_text, evalset_text
    from tuneworthy.workspace.labelling import labelled_cases

    text = csv_text if opt.asked().form == "csv" else evalset_text
    opt.deliver(text(labelled_cases(case)), painted=False)


@evalset.command("import")
@click.argument("file")
@opt.option("--output FILE", "The set; FILE with .jsonl when not given.")
def import_(file: str, output: str | None) -> None:
    """Write the cases of a CSV, FILE, as an evaluation set; nothing that is there is replaced."""
    from tuneworthy.files.evalset import read_csv, write_evalset

    cases = read_csv(Path(file))
    path = Path(output) if output is not None else Path(file).with_suffix(".jsonl")
    write_evalset(path, cases)
    click.echo(f"Wrote {one_line(str(path))}: {counted(len(cases), 'case')}")
    named = one_line(argument(f"data.evaluation={path.name}"))
    click.echo(f"Next, with it in the folder of a case: tuneworthy answer CASE {named}")


# Labelling in a terminal.

_LONGEST = 100_000  # characters of an answer
_COMMANDS = {"s": "skip", "b": "back", "q": "quit"}
_seed_option = opt.seed_for(
    "For the order, the same for all labellers; for outputs as the lab was given it."
)
_tokens_option = opt.tokens_option("For outputs, as the lab was given it.")
_rubric_option = opt.option(
    "--rubric FILE", "The rubric that outputs are judged by.", default="", show_default=False
)


@opt.command(
    "tuneworthy evalset label my-case --labeller ada",
    "tuneworthy evalset label my-case --labeller ada --rubric rubric.md",
    "tuneworthy evalset label my-case --pairwise 'v1 · openai:gpt-4o' 'v2 · openai:gpt-4o'",
    of=evalset,
)
@opt.case_argument
@opt.option("--labeller NAME", "Who labels: a second one makes agreement known.", default="me")
@_rubric_option
@opt.option(
    "--scale", "The scale for an output.", type=click.Choice(["yes-no", "1-5"]), default="yes-no"
)
@opt.option("--pairwise ARM ARM", "Compare the outputs of two arms.", nargs=2)
@opt.option("--arm ARM", "With --rubric: this arm alone; may be repeated.", "arms", multiple=True)
@opt.option(
    "--for",
    "With --rubric, what a lab under a judge needs: its chosen arms on held-out "
    "cases, all arms on the others, or both arms of a verification.",
    "lab",
    type=click.Choice(["report", "choose", "verify"]),
)
@_seed_option
@_tokens_option
def label(
    case: str, rubric: str, pairwise: tuple[str, str] | None, arms: tuple[str, ...], **options: Any
) -> None:
    """Label the evaluation set of CASE: right answers, or outputs of a lab's arms.

    Asks for the right answer where a case has none. With --rubric each output is held against it,
    with --pairwise two are compared; order is drawn and arms are never named. Every answer is kept
    at once in .tuneworthy/labels, and the same command goes on where it stopped.
    """
    kind = "pairwise" if pairwise else "rubric" if rubric else "answer"
    label_items(case, kind=kind, rubric=rubric, arms=pairwise or arms, **options)


@evalset.command()
@opt.case_argument
def agreement(case: str) -> None:
    """Show how far the labellers of CASE agree, and what they differ on."""
    from tuneworthy.report.sections.evalset import agreement_document
    from tuneworthy.workspace.labelling import agreement as agreed

    opt.show(agreement_document(agreed(case), folder=case))


@evalset.command()
@opt.case_argument
@_rubric_option
@_seed_option
@_tokens_option
def adjudicate(case: str, **options: Any) -> None:
    """Settle what the labellers of CASE differ on. Nobody is named, and what each said stays."""
    label_items(case, kind="settle", **options)


def label_items(case: str, **task: Any) -> None:
    """Show and ask until all is labelled, or whoever labels has had enough."""
    from tuneworthy.report.sections.evalset import item_page, keys_of, tally_page
    from tuneworthy.workspace.labelling import LabelTask, open_queue

    queue = open_queue(case, LabelTask(**task))
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    painted, name = opt.colour(), queue.open_after()
    while item := queue.items.get(name):
        place: Any = {"number": queue.place(name) or 0, "of": len(queue.items)}
        labels, rubric = queue.notes_on(name), queue.rubric
        opt.deliver(item_page(item, rubric=rubric, labels=labels, colour=painted, **place))
        act, value = _asked(item, keys_of(item))
        if act == "quit":
            break
        if act == "label":
            better = _edited(item) if value == "edit" else _why(value)
            if value != "edit" or better:
                queue.keep(item, value, better)
        name = queue.before(name) or name if act == "back" else queue.open_after(name)
    opt.deliver(tally_page(queue.done, len(queue.items)))


_NO_ANSWER = ("?", ":a", ":?", "help")  # what people type who want to know what to do


def _asked(item: Item, keys: Mapping[str, str]) -> tuple[str, str]:
    """``skip``, ``back`` or ``quit``; or ``label``, and which."""
    while True:
        typed = _line() if not keys or not sys.stdin.isatty() else click.getchar()
        if typed is None:
            return "quit", ""
        word = typed.strip()
        act = _COMMANDS.get(word.removeprefix(":").lower())
        if act is not None and (keys or word.startswith(":")):
            return act, ""
        if not keys and word == ":a" and item.case.logged:
            return "label", item.case.logged.strip()[:_LONGEST]
        if not keys and word and word not in _NO_ANSWER:
            return "label", word[:_LONGEST]
        if (value := keys.get(word.lower(), word.lower())) in keys.values():
            return "label", value
        write = f"Write the answer, or {':a, ' * bool(item.case.logged)}:s, :b, :q"
        click.echo(f"Use {', '.join([*keys, 's', 'b', 'q'])}" if keys else write)


def _edited(item: Item) -> str:
    """A better answer than the one shown; empty where nothing was changed."""
    output = item.outputs[0]
    better = (click.edit(output) if sys.stdin.isatty() else _line()) or ""
    return "" if better.strip() in ("", output.strip()) else better.strip()[:_LONGEST]


def _why(value: str) -> str:
    """Why something is rejected; empty for no reason, and where nobody is asked."""
    if value != "reject" or not sys.stdin.isatty():
        return ""
    click.echo("Why? Enter for no reason")
    return (_line() or "").strip()[:200]


def _line() -> str | None:
    from tuneworthy.terminal.terminals import read_line

    if sys.stdin.isatty():
        click.echo("> ", nl=False)
    return read_line(_LONGEST)
