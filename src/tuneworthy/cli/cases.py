"""tuneworthy init, answer, interview, measure and evalset."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneworthy.cli import ANSWERED, NOT_MET
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError, argument, one_line
from tuneworthy.model.base import json_text
from tuneworthy.words import counted

if TYPE_CHECKING:
    from datetime import date

    from tuneworthy.intake.measure import HowRead
    from tuneworthy.labelling.queue import For, Kind, LabelTask


@opt.command("tuneworthy init", "tuneworthy init claims-bot --name 'Claims bot'")
@click.argument("folder", metavar="[DIR]", default=".")
@opt.option("--name NAME", "Call the use case this.  [default: the folder's name]")
@opt.option(
    "--framework FILE",
    "Copy this framework beside the case, which is judged by it.  [default: the lesson]",
    "own",
)
def init(folder: str, name: str | None, own: str | None) -> None:
    """Write a commented case file into DIR (created if missing), and its schema for editors.

    No existing file is replaced.
    """
    from tuneworthy.interview.start import start_case

    for path in start_case(folder, name, own):
        click.echo(f"Wrote {one_line(str(path))}")
    quoted = one_line(argument(folder))
    click.echo(
        "Commit the folder. Its .tuneworthy/.gitignore leaves out texts and answers of models, "
        "and keeps evidence, plans and labels."
    )
    click.echo(
        f"Answer what you know, leave out what you don't, then: tuneworthy decide {quoted}"
    )


_WALK = (
    ("The verdict from the team's statements alone.", "decide"),
    ("What its log shows, and what that changes.", "measure"),
    ("Which way of searching finds the passage that answers.", "retrieve"),
    (
        "What it would cost to try every prompt. Without --dry-run they are tried.",
        "ceiling --dry-run",
    ),
    ("Which of its files and logs a model may learn from, and which not.", "data"),
    ("The file, the job and the command for whoever trains.", "export --to trl-sft"),
    (
        "What a pilot would take here. It needs the extra pilot and a model's weights.",
        "pilot --dry-run",
    ),
)


@opt.command(
    "tuneworthy demo",
    "tuneworthy demo municipal-services --to desk",
    "tuneworthy demo hospital-letters --dry-run",
)
@click.argument("name", default="bank-call-routing")
@opt.option("--to DIR", "Make this folder.  [default: NAME in the current folder]")
@opt.flag("--dry-run", "Print the walk, and copy and run nothing.")
def demo(name: str, to: str | None, dry_run: bool) -> None:
    """Copy a case of the gallery, and walk through it: offline, without a key.

    The walk shows each command, why it runs, and what it prints. A command that needs an extra you
    haven't installed says so, and the walk continues. NAME is one of the six cases that bring their
    data.
    """
    from tuneworthy.cli import run

    cases = _cases_with_logs()
    if name not in cases:
        fix = f"take one of these: {', '.join(sorted(cases))}"
        raise InputError(
            f'is not a case that can run: "{name[:60]}"', where="NAME", fix=fix
        )
    folder = Path(to or name)
    if not dry_run:
        _copy_case(cases[name], folder)
        click.echo(f"Copied {name} to {folder}")
    for why, words in _WALK:
        if words == "retrieve" and not (cases[name] / "documents").is_dir():
            continue  # it has nothing to search
        first, *rest = words.split()
        arguments = (first, str(folder), *rest)
        click.echo(f"\n# {why}\n$ {shlex.join(('tuneworthy', *arguments))}")
        if not dry_run:
            run(arguments)
    click.echo(f"\nLook around: {shlex.join(('tuneworthy', 'serve', str(folder)))}")


def _cases_with_logs() -> dict[str, Path]:
    """The folders of the gallery's cases that bring their data, by name.

    An installed package has the gallery inside it, and a clone has it in examples.
    """
    package = Path(__file__).resolve().parents[1]
    clone = package.parents[1]
    logs = [*clone.glob("examples/*/logs"), *package.glob("gallery/*/logs")]
    return {path.parent.name: path.parent for path in logs}


def _copy_case(case: Path, folder: Path) -> None:
    """Copy a case of the gallery without its results, as a whole or not at all."""
    import shutil

    from tuneworthy.files.disk import made_whole, writing

    left_out = shutil.ignore_patterns(".tuneworthy", "expected.yaml")
    with made_whole(folder) as place, writing(folder):
        shutil.copytree(case, place, ignore=left_out, dirs_exist_ok=True)


@opt.command(
    "tuneworthy answer my-case brand_voice=yes low_volume=no",
    "tuneworthy answer my-case goals=persona,format today.quality=83%",
    "tuneworthy answer my-case economics.hourly_rate_usd=80-120",
    "tuneworthy answer my-case models=openai:gpt-6-luna,anthropic:claude-sonnet-5-5",
)
@click.argument(
    "case", metavar="[CASE]", required=False, shell_complete=opt.complete_path
)
@click.argument("answers", metavar="[KEY=VALUE...]", nargs=-1)
@opt.flag(
    "--confirm",
    "Confirm the answers that an assistant wrote, and show them.",
    "confirms",
)
@opt.format_option("text", "json")
def answer(case: str | None, answers: tuple[str, ...], confirms: bool) -> None:
    """Write answers into CASE. Comments, order and everything else in the file stay.

    KEY is a check, a factor or a signal, by its id or as reports call it, or a dotted path into the
    case. VALUE is what the interview takes, such as yes, no, unknown, 5k, 90% or 800-2000. Separate
    several with commas. The command shows what changed, and what that changes in the verdict. To
    confirm an answer that an assistant wrote, answer it again, or confirm all with --confirm.
    """
    from tuneworthy.cases import judging as cases
    from tuneworthy.cases import reports
    from tuneworthy.interview.pages import answer_dict, answer_line, changes_page

    if case is not None and "=" in case and not Path(case).exists():  # CASE is left out
        answers = (case, *answers)
        case = None
    if case is None:
        case = opt.nearest_case()
    as_json = opt.asked().form == "json"
    if not answers:
        if not confirms:
            fix = "write brand_voice=yes, or --confirm"
            raise InputError("names no answer", where="KEY=VALUE", fix=fix)
        confirmed = cases.confirm(case)
        opt.deliver(json_text(answer_dict(None, confirmed)) if as_json else confirmed)
        return
    wrote = cases.write(case, opt.pairs(answers, "KEY=VALUE", strict=True))
    confirmed = cases.confirm(case) if confirms else ""
    opt.say_defaults(case)
    if as_json:
        opt.deliver(json_text(answer_dict(wrote, confirmed)))
        return
    page = changes_page(wrote.changes, answer_line(wrote.before, wrote.dossier)).text()
    text = reports.render(wrote.dossier, "text", case_path=case, colour=opt.colour())
    verdict, *_ = text.split("\n\n")  # the first paragraph of the report
    opt.deliver(f"{confirmed}{page}\n{verdict}\n")


@opt.command(
    "tuneworthy interview my-case",
    "tuneworthy interview my-case --answers answers.yaml",
)
@opt.case_argument
@opt.option(
    "--answers FILE",
    "Read the answers from a YAML file with one KEY: VALUE per line.",
    "script",
)
@opt.as_of_option
def interview(case: str, script: str | None, as_of: date | None) -> None:
    """Ask about CASE what removes most doubt, and show the verdict forming.

    Every answer is written into the case file at once. Run the same command again to continue. CASE
    is created if it doesn't exist. The interview points out answers that don't fit together, and
    says when nothing can change the verdict any more.
    """
    from tuneworthy.terminal.session import interview as run

    run(case, as_of=as_of, script=script, colour=opt.colour())


@opt.command(
    "tuneworthy measure my-case",
    "tuneworthy measure --from promptfoo-results.json --compare",
    "tuneworthy measure my-case --from s3://bucket/logs/ --on ray:ADDRESS",
    "tuneworthy measure my-case --from 'logs/*.jsonl.gz' --map fields.yaml",
    "tuneworthy measure my-case --from calls.csv --save-map fields.yaml",
    "tuneworthy measure my-case --from 'logs/**/*.parquet' --sample 5",
)
@click.argument("case", required=False, shell_complete=opt.complete_path)
@opt.sources_option("read", "Without CASE a case folder is made from them.")
@opt.mapping_option
@opt.option(
    "--save-map FILE",
    "Write the guess of their fields into this file.",
    "save_map",
    rare=True,
)
@opt.flag(
    "--examples", "Show step by step which examples could be used.", "show_examples"
)
@opt.option(
    "--on WHERE",
    "Measure many files side by side on Ray: ray or ray:ADDRESS.  [default: one process]",
    "on",
    default="",
    show_default=False,
)
@opt.number(
    "--sample PERCENT",
    0.001,
    100.0,
    100.0,
    "Measure this percentage of the conversations.",
)
@opt.seed_for("Draw the sample by this seed.")
@opt.flag(
    "--compare",
    "Exit with 1 unless one prompt-model pair beats all others beyond chance.",
)
@opt.format_option("text", "json")
@opt.all_option
@opt.output_options
def measure(
    case: str | None,
    sources: tuple[str, ...],
    mapping: str | None,
    save_map: str | None,
    show_examples: bool,
    on: str,
    sample: float,
    seed: int,
    compare: bool,
) -> int:
    """Measure traces or results, and keep what they show as evidence of CASE.

    Reads what the case names (data.traces, glossary, voice, schema, prompts, examples), or what
    --from names, and appends to .tuneworthy/evidence.jsonl in the case folder. The next decide
    uses it. It changes no other file, and nothing leaves this machine.
    """
    from tuneworthy.intake.measure import measure_case, measure_new
    from tuneworthy.intake.ray import LogDraw
    from tuneworthy.report.sections.measure import measure_dict, measure_report

    if case is None and not sources:
        case = opt.nearest_case()
    with opt.live_line(opt.reading_progress) as progress:
        how: HowRead = {
            "mapping": mapping,
            "save_map": save_map,
            "on": on,
            "draw": LogDraw(sample / 100, seed),
            "progress": progress,
        }
        if case is None:
            run = measure_new(sources, **how)
        else:
            run = measure_case(case, sources, **how)
    if case is not None:
        opt.say_defaults(case)
    opt.show(measure_report(run, examples=show_examples), lambda: measure_dict(run))
    lead = run.measurement("best_arm_lead")
    distinguished = lead.is_known and lead.details.get("told_apart") == "yes"
    return NOT_MET if compare and not distinguished else ANSWERED


@opt.group(
    "tuneworthy evalset my-case",
    "tuneworthy evalset my-case --from 'logs/*.jsonl.gz' --n 400",
    "tuneworthy evalset export my-case --labeller ada --output ada.csv",
    "tuneworthy evalset import ada.csv my-case",
    "tuneworthy evalset agreement my-case",
    "tuneworthy evalset failures my-case",
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
@opt.sources_option("draw from", "[default: the case's own traces]")
@opt.number("--n", 1, 10_000, 200, "Draw about N cases. Conversations stay whole.")
@opt.seed_for("Draw by this seed.")
@opt.mapping_option
@opt.option(
    "--output FILE", "Write the set here.  [default: eval.jsonl next to the case]"
)
@opt.format_option("text", "json")
@opt.all_option
def build(
    case: str,
    sources: tuple[str, ...],
    n: int,
    seed: int,
    mapping: str | None,
    output: str | None,
) -> None:
    """Draw an evaluation set from what CASE was asked, and write it as JSON lines.

    Cases are drawn by kind of request, length and failure, with weights that restore the mean of
    the traffic. Near copies count once, personal data is masked, and no conversation is on both
    sides of the split. No existing file is replaced.
    """
    from tuneworthy.cases.judging import judge_case
    from tuneworthy.intake.measure import build_set
    from tuneworthy.money.worth import cases_note
    from tuneworthy.report.sections.evalset import evalset_dict, evalset_document

    with opt.live_line(opt.reading_progress) as progress:
        built = build_set(
            case,
            sources,
            n=n,
            seed=seed,
            output=output,
            mapping=mapping,
            progress=progress,
        )
    document = evalset_document(built, cases_note(judge_case(case).investment))
    opt.show(document, lambda: json_text(evalset_dict(built)))


_seed_option = opt.seed_for("Draw the order by this seed, the same for all labellers.")
_tokens_option = opt.tokens_option(
    "Take outputs of the lab that ran with this limit of tokens."
)


@opt.command(
    "tuneworthy evalset export my-case --format jsonl --output eval-2.jsonl",
    "tuneworthy evalset export my-case --labeller ada --output ada.csv",
    "tuneworthy evalset export my-case --labeller ada --rubric rubric.md --output ada.csv",
    "tuneworthy evalset export my-case --settle --output settle.csv",
    of=evalset,
)
@opt.case_argument
@opt.option(
    "--labeller NAME",
    "Export what this person has to label. With a second labeller, agreement is measured.",
)
@opt.flag("--settle", "Export unsettled disagreements of the labellers, without names.")
@opt.option("--rubric FILE", "Label outputs of a lab by this rubric.")
@opt.option(
    "--scale",
    "Label an output on this scale.",
    type=click.Choice(["yes-no", "1-5"]),
    default="yes-no",
)
@opt.option(
    "--pairwise ARM ARM", "Label which of two arms' outputs is better.", nargs=2
)
@opt.option(
    "--arm ARM",
    "With --rubric: label this arm alone. May be repeated.",
    "arms",
    multiple=True,
)
@opt.option(
    "--for",
    "With --rubric: export what a lab under a judge needs: its chosen arms on held-out "
    "cases, all arms on the others, or both arms of a verification.",
    "lab",
    type=click.Choice(["report", "choose", "verify"]),
)
@_seed_option
@_tokens_option
@opt.format_option("csv", "jsonl", help="Print for a spreadsheet, or as JSON lines.")
@opt.output_options
def export(
    case: str,
    labeller: str | None,
    settle: bool,
    rubric: str | None,
    scale: str,
    pairwise: tuple[str, str] | None,
    arms: tuple[str, ...],
    lab: For | None,
    seed: int,
    max_tokens: int,
) -> None:
    """Print the evaluation set of CASE, or with --labeller one row for each item left to label.

    Without --labeller it is the set with the right answers that labelling gave. With it each row
    has an empty column label: fill it in, then "tuneworthy evalset import FILE CASE". Each row asks
    for the right answer to a case. With --rubric it asks whether an output of a lab meets the
    rubric, with --pairwise which of two outputs is better. The order is random, and arms are never
    named.
    """
    from tuneworthy.files.evalset import csv_text, evalset_text
    from tuneworthy.labelling.queue import LabelTask, labelled_cases

    task = LabelTask(
        kind="settle",
        rubric=rubric or "",
        scale=scale,
        seed=seed,
        max_tokens=max_tokens,
        lab=lab,
    )
    if settle:
        print_sheet(case, task)
        return
    if labeller is not None:
        kind: Kind = "answer"
        if pairwise:
            kind = "pairwise"
        elif rubric:
            kind = "rubric"
        own = replace(task, kind=kind, labeller=labeller, arms=pairwise or arms)
        print_sheet(case, own)
        return
    if rubric or pairwise or arms or lab:
        fix = "add --labeller NAME, or leave out what is to be labelled"
        raise InputError("nobody is named to label it", where="--labeller", fix=fix)
    cases = labelled_cases(case)
    as_csv = opt.asked().form == "csv"
    opt.deliver(csv_text(cases) if as_csv else evalset_text(cases), painted=False)


def print_sheet(case: str, task: LabelTask) -> None:
    """Print what is to be labelled, and say on a terminal's other channel how it comes back."""
    from tuneworthy.labelling.sheets import export_sheet

    how = opt.asked()
    opt.deliver(export_sheet(case, task, how.form), painted=False)
    file = argument(how.output or "FILE")
    advice = f"Fill in the column label, then: tuneworthy evalset import {file} {argument(case)}"
    click.echo(one_line(advice), err=True)


@evalset.command("import")
@click.argument("file")
@click.argument("case", required=False, shell_complete=opt.complete_path)
@opt.option(
    "--output FILE", "Without CASE: write the set here.  [default: FILE with .jsonl]"
)
@opt.format_option("text", "json")
def import_(file: str, case: str | None, output: str | None) -> int:
    """Read labels of CASE back from FILE, or without CASE the cases of a set from a CSV.

    FILE is what "evalset export --labeller" wrote, with its column label filled in. If a line is
    wrong, every wrong line is listed and nothing is kept. A set is written as JSON lines. No
    existing file is replaced.
    """
    from tuneworthy.files.evalset import read_csv, write_evalset

    if case is not None:
        return _import_labels(Path(file), case)
    cases = read_csv(Path(file))
    path = Path(output) if output is not None else Path(file).with_suffix(".jsonl")
    write_evalset(path, cases)
    if opt.asked().form == "json":
        made = {"schema": "tuneworthy/import/1", "path": str(path), "cases": len(cases)}
        click.echo(json_text(made), nl=False)
        return ANSWERED
    click.echo(f"Wrote {one_line(str(path))}: {counted(len(cases), 'case')}")
    named = one_line(argument(f"data.evaluation={path.name}"))
    click.echo(f"Next, with it in the folder of a case: tuneworthy answer CASE {named}")
    return ANSWERED


_MOST_PROBLEMS = 50  # that are listed


def _import_labels(path: Path, case: str) -> int:
    """Import a sheet of labels and print the result; with a wrong line nothing is kept."""
    from tuneworthy.labelling.sheets import import_sheet, import_text

    read = import_sheet(path, case)
    if not read.problems:
        kept = {"schema": "tuneworthy/labels/1", **read._asdict()}
        del kept["problems"]
        as_json = opt.asked().form == "json"
        click.echo(json_text(kept) if as_json else import_text(read), nl=False)
        return ANSWERED
    for problem in read.problems[:_MOST_PROBLEMS]:
        click.echo(one_line(problem), err=True)
    what = f"{counted(len(read.problems), 'line')} can't be read as labels; nothing was kept"
    raise InputError(what, where=str(path), fix="correct them, and import it again")


@evalset.command()
@opt.case_argument
@opt.format_option("text", "json")
@opt.all_option
def agreement(case: str) -> None:
    """Show how far the labellers of CASE agree, and what they differ on."""
    from tuneworthy.labelling.queue import agreement as agreed
    from tuneworthy.report.sections.evalset import agreement_dict, agreement_document

    results = agreed(case)
    document = agreement_document(results, folder=case)
    opt.show(document, lambda: json_text(agreement_dict(results)))


@opt.command(
    "tuneworthy evalset failures my-case",
    "tuneworthy evalset failures my-case --labeller ada --output ada.csv",
    "tuneworthy evalset failures my-case --propose-with openai:gpt-6.1-sol --budget 1",
    "tuneworthy evalset failures my-case --from failures.csv",
    of=evalset,
)
@opt.case_argument
@opt.option(
    "--from SHEET", "Read a sheet back after its label column was filled in.", "sheet"
)
@opt.number("--n", 30, 50, 40, "Draw N failures, or all if there are fewer.")
@opt.option("--labeller NAME", "Label under this name.", default="me")
@opt.flag("--new-draw", "Draw new failures instead. Earlier labels stay in their file.")
@opt.seed_for("Draw by this seed.")
@opt.mapping_option
@opt.option(
    "--propose-with MODEL",
    "Have this model of CASE propose causes, which people confirm or not.",
)
@opt.budget_option("asking that model may cost, earlier runs included")
@opt.to_option
@opt.proxy_option
@opt.flag("--dry-run", "Show what that would cost, and send nothing.")
@opt.option(
    "--output FILE", "Write the sheet here.  [default: failures.csv next to the case]"
)
@opt.format_option("text", "json")
@opt.all_option
def failures(
    case: str,
    sheet: str | None,
    labeller: str,
    new_draw: bool,
    output: str | None,
    propose_with: str | None,
    budget: float,
    to: tuple[str, ...],
    dry_run: bool,
    n: int,
    seed: int,
    mapping: str | None,
) -> None:
    """Draw failures of CASE for people to read, and show what goes wrong.

    Without scores in the logs, they are failures of the best arm of the last lab. The draw takes
    equally many of each kind of case. People give each failure a cause from a list: in the column
    label of a sheet, or on the page with one key. No existing file is replaced.
    """
    from tuneworthy.cases.judging import judge_case
    from tuneworthy.files.disk import refuse_existing
    from tuneworthy.intake.failures import (
        draw_failures,
        keep_proposals,
        prepare_proposals,
    )
    from tuneworthy.lab.causes import quote_text
    from tuneworthy.labelling.failures import said_so_far
    from tuneworthy.labelling.sheets import new_sheet, sheet_path
    from tuneworthy.report.sections.failures import failures_dict, failures_document

    if sheet is not None:
        _import_causes(Path(sheet), case)
        written = ""  # no new sheet
    else:
        if new_draw:
            fix = "it is of the draw before: read it back or move it away"
            refuse_existing(sheet_path(case, labeller, output), fix)
        with opt.live_line(opt.reading_progress) as progress:
            draw = draw_failures(
                case,
                n=n,
                seed=seed,
                again=new_draw,
                mapping=mapping,
                progress=progress,
            )
        if propose_with is not None:
            calls = prepare_proposals(case, draw, propose_with, to)
            if dry_run:
                opt.deliver(quote_text(calls))
                return
            keep_proposals(calls, cap_usd=budget)
        written = new_sheet(case, labeller, output)
    dossier = judge_case(case)
    said = said_so_far(case)
    document = failures_document(dossier, said, sheet=written, folder=case)
    opt.show(document, lambda: json_text(failures_dict(dossier, said, sheet=written)))


def _import_causes(path: Path, case: str) -> None:
    """Read causes back; of a sheet with a wrong line nothing is kept."""
    from tuneworthy.labelling.sheets import import_sheet, import_text

    read = import_sheet(path, case, "failure")
    if read.problems:
        first, *others = read.problems
        also = f" (and {counted(len(others), 'line')} more)" if others else ""
        raise InputError(f"{first}{also}; nothing was kept")
    # to the other channel where this one is for JSON
    click.echo(import_text(read), nl=False, err=opt.asked().form == "json")
