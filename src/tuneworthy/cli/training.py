"""tuneworthy data, pilot, export and watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from tuneworthy.cli import ANSWERED, NOT_MET, STOPPED
from tuneworthy.cli import options as opt
from tuneworthy.cli.cases import print_sheet
from tuneworthy.errors import InputError, argument
from tuneworthy.model.base import json_text
from tuneworthy.words import counted

if TYPE_CHECKING:
    from tuneworthy.lab.prepare import PreparedLab
    from tuneworthy.model.case import Model, TokenPrice
    from tuneworthy.model.lab import Stand
    from tuneworthy.model.pilot import PilotPlan, PilotResult, Recipe, TrainingQuote
    from tuneworthy.training.export import Shape
    from tuneworthy.training.pilot import PreparedPilot
    from tuneworthy.training.trainers import Trainer


@opt.group(
    "tuneworthy data my-case",
    "tuneworthy data review my-case --reviewer ada --output ada.csv",
    "tuneworthy data compare my-case --reviewer ada --budget 1 --output ada.csv",
    first="check",
)
def data() -> None:
    """Check what a model may be tuned on, and have people review it.

    "tuneworthy data CASE" is short for "tuneworthy data check CASE".
    """


@opt.command(
    "tuneworthy data my-case",
    "tuneworthy data my-case --mask --format json",
    "tuneworthy data my-case --strict",
    of=data,
)
@opt.case_argument
@opt.seed_for("Choose the conversations for validation by this seed.")
@opt.flag("--mask", "Replace personal data with words, in the training set alone.")
@opt.flag(
    "--strict", "Leave out what is otherwise only named, as a likely wrong label."
)
@opt.format_option("text", "json")
@opt.all_option
@opt.output_options
def check(case: str, seed: int, mask: bool, strict: bool) -> None:
    """Check every candidate of CASE, and keep those that pass.

    Candidates are the examples in the files under data.training and in the logs under data.traces.
    What is in the evaluation set, repeated, contradictory, cut off, personal or secret stays out,
    and so does every logged answer that nobody accepted. Likely wrong labels, answers that decline
    or are odd, and hidden orders are named line by line. The set is written to
    .tuneworthy/training.jsonl. Your own files stay unchanged.
    """
    from tuneworthy.training.gate import data_document, pass_gates

    gated = pass_gates(case, seed=seed, mask=mask, strict=strict)
    document = data_document(gated)
    opt.show(document, lambda: gated.made.model_dump_json(indent=2) + "\n")


_reviewer_option = opt.option(
    "--reviewer NAME",
    "Review under this name. With a second reviewer, agreement is measured.",
    default="me",
)


@opt.command("tuneworthy data review my-case --reviewer ada --output ada.csv", of=data)
@opt.case_argument
@_reviewer_option
@opt.format_option("csv", "jsonl", help="Print for a spreadsheet, or as JSON lines.")
@opt.output_options
def review(case: str, reviewer: str) -> None:
    """Print the candidates of CASE, one row each, to accept, edit or reject.

    Every second one is drawn at random, the others are the most doubtful of their kind. Nobody sees
    where an answer comes from, nor what others said. Fill in label, and better for an edit, then
    "tuneworthy evalset import FILE CASE". The page asks the same questions one by one.
    """
    from tuneworthy.labelling.queue import LabelTask

    print_sheet(case, LabelTask("training", reviewer))


@opt.command(
    "tuneworthy data compare my-case --reviewer ada",
    "tuneworthy data compare my-case --arm 'v1 · openai:gpt-6-luna' --n 100 --budget 2",
    of=data,
)
@opt.case_argument
@_reviewer_option
@opt.option(
    "--arm ARM", "Compare this arm's answers.  [default: the ceiling lab's best]"
)
@opt.number("--n", 1, 1000, 50, "Compare N examples.")
@opt.budget_option("asking the model may cost")
@opt.to_option
@opt.proxy_option
@opt.format_option("csv", "jsonl", help="Print for a spreadsheet, or as JSON lines.")
@opt.output_options
def compare(
    case: str,
    reviewer: str,
    arm: str | None,
    n: int,
    budget: float,
    to: tuple[str, ...],
) -> None:
    """Compare the labels with the model's own answers: ask it, and print the pairs, blind.

    The model answers examples drawn from the set, and the sheet shows both answers in random order.
    Fill in label, then "tuneworthy evalset import FILE CASE". The page asks the same questions.
    Tuning on labels that aren't better can't help.
    """
    from tuneworthy.labelling.queue import LabelTask
    from tuneworthy.training.candidates import own_answers

    own = own_answers(case, arm=arm or "", n=n, send=True, cap_usd=budget, to=to)
    print_sheet(case, LabelTask("compare", reviewer, arms=(own.arm,)))


@dataclass(frozen=True, slots=True)
class _PilotOptions:
    """The options of ``pilot``, but for those that only deliver."""

    way: Literal["embedded", "folder", "hosted"]
    bases: tuple[str, ...]
    folders: tuple[str, ...]
    cuda: bool
    serve: Literal["here", "vllm"] | None
    service: str | None
    account: str | None
    jobs: int | None
    tuned_from: str | None
    prices: str | None
    budget: float  #: In USD.
    seeds: int
    examples: int | None
    epochs: int | None
    rate: float | None
    rank: int | None
    sweep: int
    four_bit: bool
    dpo: bool
    margin: float | None
    at_once: int
    to: tuple[str, ...]
    max_tokens: int
    resume: bool
    again: bool
    ask_again: bool
    billed: float | None  #: In USD.
    allow_code: bool
    as_of: date | None


@opt.command(
    "tuneworthy pilot my-case --dry-run",
    "tuneworthy pilot my-case",
    "tuneworthy pilot my-case --way folder --base vllm:llama --folder ~/llama --cuda --serve here",
    "tuneworthy pilot my-case --way hosted --base together:Qwen/Qwen3.5-9B "
    "--prices 0.5,0.2,0.2 --dry-run",
    "tuneworthy pilot my-case --way hosted --base together:Qwen/Qwen3-1.7B "
    "--base together:Qwen/Qwen3-8B --prices 0.5,0.2,0.2",
    "tuneworthy pilot my-case --resume --format html --output card.html",
    "tuneworthy pilot my-case --resume --format png --output curve.png",
)
@opt.case_argument
@opt.option(
    "--way",
    "Train a small model inside this program, a model in a folder of yours, or at a service.",
    type=click.Choice(["embedded", "folder", "hosted"]),
    default="embedded",
)
@opt.option(
    "--base MODEL",
    "Tune this model of CASE. Repeat it for up to four: the smallest that reaches the target is "
    "taken.  [default: local:smollm2 for embedded]",
    "bases",
    multiple=True,
)
@opt.option(
    "--folder PATH",
    "For folder: read the base model's files here. One for each --base, in the same order.",
    "folders",
    multiple=True,
)
@opt.flag("--cuda", "For folder: train on the GPU.")
@opt.option(
    "--serve",
    "For folder: serve the base and its adapters here, at the base_url of --base, or have the "
    "vLLM server there load them.  [default: your own server has them]",
    type=click.Choice(["here", "vllm"]),
)
@opt.option(
    "--service",
    "For hosted: send jobs to this service.  [default: the provider of --base]",
    rare=True,
    type=click.Choice(["openai", "azure", "together", "fireworks"]),
)
@opt.option(
    "--account NAME", "For hosted: the account, where addresses contain it.", rare=True
)
@opt.number(
    "--jobs N", 1, 20, None, "For hosted: run at most N jobs side by side.", rare=True
)
@opt.option(
    "--tuned-from NAME", "For hosted: train under this name of the base.", rare=True
)
@opt.option(
    "--prices TRAIN,IN,OUT",
    "For hosted: price a million tokens at this in USD: trained on (each epoch counts), read "
    "by the tuned model, written by it.",
)
@opt.budget_option("the pilot may cost, earlier runs and training included")
@opt.number("--seeds N", 1, 20, 3, "Train each size N times.")
@opt.number("--examples N", 10, 1_000_000, None, "Train on at most N examples.")
@opt.number(
    "--epochs N",
    1,
    20,
    None,
    "Show each example N times, or more if that is under 30 steps.  [default: by base size]",
    rare=True,
)
@opt.number(
    "--rate", 0.0, 1.0, None, "Learn at this rate.  [default: by base size]", rare=True
)
@opt.number(
    "--rank N",
    1,
    512,
    None,
    "Give the adapter rank N, and alpha twice that.",
    rare=True,
)
@opt.number(
    "--sweep N", 1, 4, 1, "Try N rates first, and continue with the best.", rare=True
)
@opt.flag("--four-bit", "For folder, with --cuda: keep the base in 4 bits.", rare=True)
@opt.flag("--dpo", "Learn from pairs of a better and a worse answer.", rare=True)
@opt.number(
    "--margin",
    0,
    1,
    None,
    "Call a difference below this share of cases no gain.  [default: by the framework, 0.02]",
)
@opt.number("--at-once", 1, 256, 16, "Send at most N calls at a time.", rare=True)
@opt.to_option
@opt.proxy_option
@opt.tokens_option("Let an answer have at most N tokens. This limits the cost.")
@opt.flag(
    "--resume", "Continue the plan that was written down, whatever other options say."
)
@opt.flag("--new-plan", "Begin a new pilot, whatever plan was written down.", "again")
@opt.flag(
    "--ask-again", "Send calls in doubt again. Some may be paid twice.", rare=True
)
@opt.option(
    "--billed USD",
    "Correct what this pilot has cost so far, by the bill. The budget then counts that.",
    rare=True,
    type=opt.AnyNumber(0),
)
@opt.flag("--allow-code", "Run scorers that are your own Python functions.", rare=True)
@opt.flag(
    "--dry-run", "Measure a few steps, show what it would take, and send nothing."
)
@opt.format_option("text", "json", "markdown", "html", "png")
@opt.all_option
@opt.as_of_option
@opt.output_options
def pilot(case: str, dry_run: bool, **asked: Any) -> int:
    """Find out whether tuning works for CASE: train on growing parts of its training set.

    It trains on nested sets, each twice the one before, with several seeds. Five candidates answer
    the same held-out cases: the base model with your prompt, with retrieved examples, the tuned
    model with and without them, and a small classifier. The result is a card that says go or no-go,
    and the verdict uses it. Stop it whenever you like and run it again to continue: nothing is
    trained or paid twice.
    """
    options = _PilotOptions(**asked)
    opt.refuse_output()
    image = opt.asked().form == "png"
    if image and (dry_run or opt.asked().output is None):
        raise click.UsageError(
            "An image is of the learning curve of a pilot that ran, and needs a file: add "
            "--output curve.png."
        )
    if dry_run and options.billed is not None:
        what = "changes what was counted, and a dry run changes nothing"
        raise InputError(what, where="--billed", fix="leave out --dry-run")
    opt.say_defaults(case)
    if dry_run:
        return _quote_pilot(case, options)
    return _run_pilot(case, options, image=image)


def _curve_image(result: PilotResult) -> bytes:
    """The learning curve of the way that was judged, as a PNG."""
    from tuneworthy.report.charts import WIDE
    from tuneworthy.report.sections.lab_pilot import curve_drawing, outlook_title

    drawing = curve_drawing(result)
    if drawing is None:
        raise InputError(
            "has no curve of two sizes or more",
            where="--format png",
            fix="train on more sizes: --examples N",
        )
    return drawing.png(WIDE, outlook_title(result.curve))


def _quote_pilot(case: str, options: _PilotOptions) -> int:
    """Deliver the quote of a pilot; the exit code."""
    import asyncio

    from tuneworthy.training.pilot import quoted_training

    with opt.live_line(_PilotLine) as line:
        pilot = _prepared(case, line.say, options)
        training = asyncio.run(quoted_training(pilot))
    _show_quote(pilot, training, options.budget)
    return ANSWERED


def _run_pilot(case: str, options: _PilotOptions, *, image: bool) -> int:
    """Run a pilot, and deliver its card or the image of its curve; the exit code."""
    from tuneworthy.cases.labs import keep_run
    from tuneworthy.report.sections.lab import lab_dict
    from tuneworthy.report.sections.lab_pilot import pilot_document
    from tuneworthy.training.pilot import run

    with opt.live_line(_PilotLine) as line:
        pilot = _prepared(case, line.say, options)
        result = run(
            pilot,
            cap_usd=options.budget,
            watch=line.watch,
            again=options.again,
            at_once=options.at_once,
            ask_again=options.ask_again,
            billed=options.billed,
        )
        keep_run(case, "pilot", result)
    if image:
        opt.deliver(_curve_image(result))
    else:
        document = pilot_document(result, pilot.lab.case.name, case)
        opt.show(document, lambda: lab_dict("pilot", result))
    return STOPPED if result.stopped else ANSWERED


class _PilotLine:
    """Shows on one line what a pilot does: what is trained, and how many calls have ended."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._current = ""  # the run that is going on

    def say(self, text: str) -> None:
        self._current, _, _ = text.partition(", step ")
        self._show(text)

    def watch(self, stand: Stand) -> None:
        self._show(f"{self._current}: {stand.done:,} of {stand.of:,} calls")


def _prepared(
    case: str, say: Callable[[str], None], options: _PilotOptions
) -> PreparedPilot:
    """Prepare a pilot by the options; with ``--resume`` its settings come from the written plan."""
    from tuneworthy.lab.prepare import prepare
    from tuneworthy.training.pilot import prepare_pilot, with_bases

    lab = prepare(
        case,
        max_tokens=options.max_tokens,
        allow_code=options.allow_code,
        as_of=options.as_of,
        to=options.to,
    )
    plan = None
    if options.resume:
        plan = _plan_to_resume(lab, case)
        options = _settled_by_plan(options, plan)
    options = replace(options, bases=_bases(options))
    bases = _bases_with_folders(options)
    recipes = [_recipe(base, options) for base in bases]
    if plan is not None:
        recipes = _resumed_recipes(plan, recipes)
    pilots = []
    for base, recipe in zip(bases, recipes, strict=True):
        pilot = prepare_pilot(
            lab,
            _trainer(lab, base, options),
            base.name,
            recipe=recipe,
            say=say,
            seeds=options.seeds,
            margin=options.margin,
            most=options.examples,
            sweep=options.sweep,
        )
        pilots.append(pilot)
    return with_bases(pilots)


def _plan_to_resume(lab: PreparedLab, case: str) -> PilotPlan:
    """The plan of a pilot that was begun; an InputError without one."""
    from tuneworthy.files.stores import written_pilot

    plan = written_pilot(lab.case)
    if plan is None:
        fix = f"begin one: tuneworthy pilot {argument(case)}"
        raise InputError("there is no pilot to go on with", where="--resume", fix=fix)
    return plan


def _settled_by_plan(options: _PilotOptions, plan: PilotPlan) -> _PilotOptions:
    """The options with those that a written plan settles."""
    planned = plan.bases or (plan.base,)
    if set(options.bases) == set(planned):
        planned = options.bases  # folders are in the order of these
    return replace(
        options,
        bases=planned,
        way=plan.way,
        seeds=plan.seeds,
        margin=plan.margin,
        examples=plan.sizes[-1],  # the largest
        sweep=max(1, len(plan.rates)),  # a plan without a sweep lists no rates
        dpo=plan.recipe.method == "dpo",
        # the recipe of the plan holds these
        four_bit=False,
        epochs=None,
        rate=None,
        rank=None,
    )


def _bases(options: _PilotOptions) -> tuple[str, ...]:
    """The models to tune; the embedded one where it is the way and no other is named."""
    from tuneworthy.training.trainers import EMBEDDED

    bases = options.bases
    if not bases and options.way == "embedded":
        bases = (EMBEDDED,)
    if not bases:
        raise InputError(
            "needs the model to tune", where="--way", fix="name it: --base MODEL"
        )
    if len(bases) > 1:
        _refuse_together(options)
    return bases


def _resumed_recipes(plan: PilotPlan, usual: Sequence[Recipe]) -> list[Recipe]:
    """The recipes of all bases of a plan that goes on.

    The plan keeps the recipe of its first base alone. What was changed in it, as by an option of the
    command, was changed for every base. ``usual`` has the recipe of each base without such changes.
    """
    usual_of_first = usual[0].model_dump()
    changed = {
        name: value
        for name, value in plan.recipe.model_dump().items()
        if value != usual_of_first[name]
    }
    return [recipe.model_copy(update=changed) for recipe in usual]


def _refuse_together(options: _PilotOptions) -> None:
    """Refuse options that go with one base alone."""
    if options.sweep > 1:
        fix = "try bases first, then rates with the one that was taken"
        raise InputError("goes with one base", where="--sweep", fix=fix)
    if options.serve == "vllm":
        fix = "use --serve here, or serve each base with its adapters yourself"
        raise InputError("goes with one base", where="--serve vllm", fix=fix)
    if options.tuned_from:
        raise InputError(
            "goes with one base", where="--tuned-from", fix="name one --base"
        )


class _Base(NamedTuple):
    """A model to tune."""

    name: str
    folder: Path | None  #: With its files, where these are the user's.


def _bases_with_folders(options: _PilotOptions) -> list[_Base]:
    """Each base with its folder, the smallest first where sizes are known."""
    from tuneworthy.files.disk import with_home
    from tuneworthy.training.race import in_order_of_size
    from tuneworthy.training.recipes import billions_by_name, billions_in

    if options.way == "folder":
        _refuse_folders(options.bases, options.folders)
    folders = [with_home(folder) for folder in options.folders]
    folder_of: dict[str, Path | None] = {}
    sizes = []
    for place, base in enumerate(options.bases):
        folder = folders[place] if place < len(folders) else None
        folder_of[base] = folder
        if folder is not None and len(options.bases) > 1:
            size = billions_in(folder)
        else:  # a single one needs no order
            size = billions_by_name(base)
        sizes.append((base, size))
    return [_Base(base, folder_of[base]) for base in in_order_of_size(sizes)]


def _refuse_folders(bases: Sequence[str], folders: Sequence[str]) -> None:
    """Refuse another number of folders than of bases."""
    if not folders:
        raise InputError(
            "needs the model's files", where="--way folder", fix="give --folder PATH"
        )
    if len(folders) != len(bases):
        fix = "give a --folder for each --base, in the same order"
        what = f"{counted(len(folders), 'folder')} for {counted(len(bases), 'base')}"
        raise InputError(what, where="--folder", fix=fix)


def _service(base: str, options: _PilotOptions) -> str:
    """The service that runs the jobs: the named one, else the provider of the base.

    Another provider's jobs are asked for as at OpenAI, whose interface others copy.
    """
    from tuneworthy.training.hosted import SERVICES

    if options.service is not None:
        return options.service
    provider, _, _ = base.partition(":")
    return provider if provider in SERVICES else "openai"


def _recipe(base: _Base, options: _PilotOptions) -> Recipe:
    """The recipe for the base's size, with what was set otherwise."""
    from tuneworthy.model.pilot import Recipe
    from tuneworthy.training.hosted import takes_rate
    from tuneworthy.training.recipes import recipe_row

    method: Literal["sft", "dpo"] = "dpo" if options.dpo else "sft"
    recipe = recipe_row(method, _billions(base, options.way)).recipe
    if options.way == "hosted" and not takes_rate(_service(base.name, options), method):
        recipe = Recipe(method=method)  # the service sets all but the epochs itself
    changes: dict[str, Any] = {}
    if options.epochs is not None:
        changes["epochs"] = options.epochs
    if options.rate is not None:
        changes["rate"] = options.rate
    if options.rank is not None:
        changes["rank"] = options.rank
        changes["alpha"] = 2 * options.rank
    if options.four_bit:
        if not options.cuda:
            raise InputError("needs a GPU", where="--four-bit", fix="add --cuda")
        changes["bits"] = 4
    return recipe.model_copy(update=changes)


def _billions(base: _Base, way: str) -> float | None:
    """Billions of weights of a base; None where neither its files nor its name tell."""
    from tuneworthy.llm.embedded import ORIGIN
    from tuneworthy.training.recipes import billions_by_name, billions_in

    if way == "folder" and base.folder is not None:
        return billions_in(base.folder)
    return billions_by_name(ORIGIN if way == "embedded" else base.name)


def _trainer(lab: PreparedLab, base: _Base, options: _PilotOptions) -> Trainer:
    """The trainer for a way of training: the embedded base, files in a folder, or a service."""
    from tuneworthy.files.stores import pilot_folder
    from tuneworthy.training.trainers import EMBEDDED, LoraTrainer

    folder = pilot_folder(lab.case)
    if options.way == "embedded":
        if base.name != EMBEDDED:
            fix = "tune another one with --way folder --folder PATH"
            raise InputError(
                f"is {EMBEDDED} for --way embedded", where="--base", fix=fix
            )
        return LoraTrainer(folder, seeds=options.seeds)
    listed = {model.id: model for model in lab.case.models}
    if base.name not in listed:
        raise InputError(
            f'is not a model of the case: "{base.name}"', where="--base", fix="add it"
        )
    model = listed[base.name]
    if options.way == "hosted":
        return _hosted(model, options, lab.confirmed)
    if base.folder is None or not base.folder.is_dir():
        raise InputError(
            "is not a folder", where="--folder", fix="name the folder of the model"
        )
    device = "cuda" if options.cuda else "cpu"
    return LoraTrainer(folder, base.folder, device, model, serves=options.serve)


def _hosted(model: Model, options: _PilotOptions, confirmed: frozenset[str]) -> Trainer:
    """The trainer that runs jobs at a service; refuse to go on without its prices."""
    from tuneworthy.training.hosted import HostedTrainer

    trained, serving = _read_prices(model, options.prices or "")
    return HostedTrainer(
        model,
        _service(model.id, options),
        usd_per_mtok=trained,
        serving=serving,
        base=options.tuned_from or "",
        account=options.account or "",
        at_once=options.jobs,
        confirmed=confirmed,
    )


def _read_prices(model: Model, text: str) -> tuple[float, TokenPrice]:
    """Read ``TRAIN,IN,OUT`` in USD per million tokens: what is trained on, and how it is served.

    An InputError says where to look the prices up.
    """
    from tuneworthy.model.case import TokenPrice
    from tuneworthy.pipeline import today
    from tuneworthy.training.bases import asked_text

    try:
        trained, read, wrote = (float(price) for price in text.split(","))
        TokenPrice(input=trained, output=trained)  # refuses what is below 0
        return trained, TokenPrice(input=read, output=wrote)
    except ValueError:
        what = (
            f'are not prices: "{text[:40]}"' if text else "are needed for --way hosted"
        )
        fix = "look them up, and write USD for trained, read and written tokens, as 0.5,0.2,0.2"
        asked = asked_text(model.id, "supervised", today())
        if asked:
            fix += f". Training: {asked}"
        raise InputError(what, where="--prices", fix=fix) from None


def _show_quote(pilot: PreparedPilot, training: TrainingQuote, budget: float) -> None:
    """Deliver the quote of a pilot: its plan, its training, its calls, and where they go."""
    from tuneworthy.lab.quote import host_rows, quoted
    from tuneworthy.llm.hosts import find_strange_hosts
    from tuneworthy.report.sections.lab_pilot import pilot_quote_document
    from tuneworthy.training.candidates import GATED_ELSEWHERE
    from tuneworthy.training.pilot import (
        PILOT_RUN,
        base_rows,
        pilot_price,
    )

    calls = quoted(pilot.lab, lambda _, ledger: pilot_price(pilot, ledger), PILOT_RUN)
    values: dict[str, Any] = {
        "plan": pilot.plan.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "calls": calls.model_dump(mode="json"),
    }
    hosts = find_strange_hosts(pilot.lab.places)
    if hosts:
        values |= {"hosts": hosts, "unconfirmed": pilot.lab.unconfirmed}
    if pilot.lab.proxies:
        values["proxies"] = pilot.lab.proxies
    rows_of_base = base_rows(pilot)
    if rows_of_base:
        values["base"] = dict(rows_of_base)
    more = [*rows_of_base, *host_rows(pilot.lab)]
    if not pilot.gated_here:
        more.append(("Training set", GATED_ELSEWHERE))
    document = pilot_quote_document(
        pilot.plan, training, calls, budget, pilot.lab.case.name, more
    )
    opt.show(
        document, lambda: json_text({"schema": "tuneworthy/pilot-quote/1", **values})
    )


@opt.command(
    "tuneworthy export my-case --to together-sft",
    "tuneworthy export my-case --to trl-sft --base HuggingFaceTB/SmolLM2-135M-Instruct",
    "tuneworthy export my-case --to trl-sft --base ~/models/llama-3.2-1b",
    "tuneworthy export my-case --to bedrock-nova2-sft --leave-out",
    "tuneworthy export my-case --to head",
)
@opt.case_argument
@opt.option(
    "--to TARGET",
    "Write for this service or library.  [default: list them all]",
    "name",
)
@opt.option(
    "--base MODEL",
    "Tune this model: a name, or for a library a folder.  [default: the pilot's, or the target's "
    "first that stays 90 days]",
)
@opt.option(
    "--as",
    "Write the examples as the pilot trains: prompt, general examples, recipe. Or bare: the "
    "accepted examples alone.  [default: piloted once a pilot has run]",
    "shape",
    type=click.Choice(["piloted", "bare"]),
)
@opt.option(
    "--usd-per-mtok USD",
    "Price a million trained tokens at this.",
    rare=True,
    type=opt.AnyNumber(0, 1e6),
)
@opt.flag(
    "--leave-out", "Leave out lines it would refuse. Otherwise nothing is written."
)
@opt.as_of_option
@opt.option(
    "--output DIR", "Make this folder.  [default: export/TARGET in the case folder]"
)
@opt.format_option("text", "json")
@opt.all_option
def export(
    case: str,
    name: str | None,
    base: str | None,
    shape: Shape | None,
    usd_per_mtok: float | None,
    leave_out: bool,
    as_of: date | None,
    output: str | None,
) -> int:
    """Write the training set of CASE in the form a service or a library takes.

    Once a pilot has run, the folder has its system prompt, general examples and recipe. Also writes
    the job or configuration file, and prints the command, an estimated price, what the service
    retains, and when the base ends. The targets head and nearest are ways without a trained model:
    one file with the script that runs it. If the service would refuse lines, or the base was
    switched off, nothing is written, and other bases are named. No existing file is replaced.
    """
    from tuneworthy.training.export import export as write
    from tuneworthy.training.export import export_document, export_json
    from tuneworthy.training.winners import (
        WINNERS,
        hand_over,
        winner_document,
        winner_json,
    )

    if name is None:
        _list_targets()
        return ANSWERED
    if name in WINNERS:
        winner = hand_over(case, name, output)
        opt.show(winner_document(winner), lambda: winner_json(winner))
        return ANSWERED
    done = write(
        case,
        name,
        output=output,
        base=base,
        usd_per_mtok=usd_per_mtok,
        leave_out=leave_out,
        as_of=as_of,
        shape=shape,
    )
    opt.show(export_document(done), lambda: export_json(done))
    # without a folder the service would refuse lines, or the base was switched off
    return NOT_MET if done.folder is None else ANSWERED


def _list_targets() -> None:
    """Print every target with its title."""
    from tuneworthy.training.export import target, target_names
    from tuneworthy.training.winners import WINNERS

    titles = {name: target(name).title for name in target_names()} | WINNERS
    if opt.asked().form == "json":
        rows = [{"target": name, "title": title} for name, title in titles.items()]
        click.echo(json_text(rows), nl=False)
        return
    for name, title in titles.items():
        click.echo(f"{name:24}{title}")


@opt.command(
    "tuneworthy watch my-case", "tuneworthy watch my-case --from 'logs/2026-12/*.jsonl'"
)
@opt.case_argument
@opt.sources_option("first measure", "A decision is checked against newer logs.")
@opt.mapping_option
@opt.format_option("text", "json")
@opt.all_option
@opt.as_of_option
def watch(
    case: str, sources: tuple[str, ...], mapping: str | None, as_of: date | None
) -> int | None:
    """Check the signed decision of CASE against new logs, new dates and today's rules.

    Exits with 0 if the decision still holds, 1 if something needs attention or a review is due, 2
    if the input is wrong. It lists what is unknown, which doesn't change the exit code.
    """
    from tuneworthy.intake.measure import measure_case
    from tuneworthy.training.watch import watch as look
    from tuneworthy.training.watch import watch_dict, watch_document

    if sources:
        with opt.live_line(opt.reading_progress) as progress:
            measure_case(case, sources, mapping=mapping, progress=progress)
    opt.say_defaults(case)
    seen = look(case, as_of=as_of)
    opt.show(watch_document(seen, argument(case)), lambda: watch_dict(seen))
    return NOT_MET if seen.state == "attention" else None
