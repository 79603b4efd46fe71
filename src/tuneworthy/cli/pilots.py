"""tuneworthy pilot."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.cli import ANSWERED, STOPPED
from tuneworthy.cli import options as opt
from tuneworthy.errors import InputError

if TYPE_CHECKING:
    from tuneworthy.lab.prepare import PreparedLab
    from tuneworthy.model.case import Model
    from tuneworthy.report.blocks import Document
    from tuneworthy.training.pilot import PreparedPilot
    from tuneworthy.training.trainers import Trainer

_EVERY_S = 0.5


@opt.with_options(
    opt.command(
        "tuneworthy pilot my-case --dry-run",
        "tuneworthy pilot my-case",
        "tuneworthy pilot my-case --way folder --base vllm:llama --folder ~/llama --cuda",
        "tuneworthy pilot my-case --way hosted --base openai:gpt-4.1-mini-2025-04-14 "
        "--prices 5,0.8,3.2 --dry-run",
        "tuneworthy pilot my-case --resume --format html --output card.html",
    ),
    opt.case_argument,
    opt.option(
        "--way",
        "Where it trains: a small model inside this program, a model in a folder of yours, or a "
        "service.",
        type=click.Choice(["embedded", "folder", "hosted"]),
        default="embedded",
    ),
    opt.option("--base MODEL", "The model of CASE to tune; local:smollm2 for embedded."),
    opt.option("--folder PATH", "For folder: the base model's files."),
    opt.flag("--cuda", "For folder: train on the GPU."),
    opt.option(
        "--service",
        "For hosted: whose jobs it takes; by default those of the provider of --base.",
        type=click.Choice(["openai", "together"]),
    ),
    opt.option("--tuned-from NAME", "For hosted: the base's name where it trains under another."),
    opt.option(
        "--prices TRAIN,IN,OUT",
        "For hosted: USD for a million tokens that are trained on (each epoch counts), that the "
        "tuned model reads, and that it writes.",
    ),
    opt.budget_option("the pilot may cost, earlier runs and training included"),
    opt.number("--seeds N", 1, 20, 3, "Training runs of each size."),
    opt.number("--examples N", 10, 1_000_000, None, "The most examples to train on."),
    opt.number("--epochs N", 1, 20, 3, "Times each example is seen."),
    opt.flag("--dpo", "Learn from pairs of a better and a worse answer."),
    opt.number("--margin", 0, 1, 0.0, "Share of cases by which tuning has to be better."),
    opt.number("--at-once", 1, 256, 16, "The most calls on the wire."),
    opt.tokens_option("Tokens an answer may have; it bounds the price."),
    opt.flag("--resume", "Go on with the plan that was written down, whatever else is given."),
    opt.flag("--new-plan", "Begin another pilot than the one that was written down.", "again"),
    opt.flag("--ask-again", "Send calls in doubt once more; some of them may be paid twice."),
    opt.flag("--allow-code", "Let scorers that are functions of yours run."),
    opt.flag(
        "--dry-run", "Measure a few steps and show what it would take; train and send nothing."
    ),
    opt.format_option("text", "json", "markdown", "html"),
    opt.framework_option,
    opt.as_of_option,
    opt.output_options,
)
def pilot(
    case: str, dry_run: bool, form: str, output: str | None, force: bool, **options: Any
) -> int:
    """Find out whether tuning works for CASE: train on growing parts of its training set.

    Nested sets, each twice the one before, are trained with several seeds. Prompted, with retrieved
    examples, tuned, tuned with retrieved examples, and a trained head meet the same held-out
    cases. It ends with a card that says go or no-go, and the judgement reads it. Stop it whenever
    you like: run it again and it goes on, and nothing is trained or paid twice.
    """
    opt.refuse_existing(output, force)
    with opt.live_line(_line) as show:
        pilot = _prepared(case, show, **options)
        stopped = ""
        if dry_run:
            document, json = _quote(pilot, options["budget"])
        else:
            from tuneworthy.report.sections.pilot import pilot_dict, pilot_document
            from tuneworthy.training.pilot import run
            from tuneworthy.workspace.labs import keep_run

            settings = {name: options[name] for name in ("again", "at_once", "ask_again")}
            result = run(pilot, cap_usd=options["budget"], **settings)
            keep_run(case, "pilot", result)
            document, json = pilot_document(result, pilot.lab.case.name), pilot_dict(result)
            stopped = result.stopped
    opt.show(document, output, force, json=json if form == "json" else "", form=form)
    return STOPPED if stopped else ANSWERED


def _line(show: Callable[[str], None]) -> Callable[[str], None]:
    """Shows how it goes on, and how long a run still takes, now and then."""
    last, began, of = 0.0, time.monotonic(), ""

    def say(text: str) -> None:
        nonlocal last, began, of
        name, _, step = text.partition(", step ")
        now = time.monotonic()
        if name != of:
            of, began = name, now
        if now - last < _EVERY_S and step:
            return
        last = now
        done, _, total = step.partition(" of ")
        if done and int(done) > 1:
            left = (now - began) / int(done) * (int(total) - int(done))
            text += f", {left:.0f} s left of this run"
        show(text)

    return say


def _prepared(case: str, say: Callable[[str], None], **options: Any) -> PreparedPilot:
    from tuneworthy.files.stores import written_pilot
    from tuneworthy.lab.prepare import prepare
    from tuneworthy.model.pilot import Recipe
    from tuneworthy.training.pilot import prepare_pilot
    from tuneworthy.training.trainers import EMBEDDED

    names = ("chosen", "max_tokens", "allow_code", "as_of")
    lab = prepare(case, **{name: options[name] for name in names})
    base: str | None
    told: dict[str, Any]
    if options["resume"]:
        if (plan := written_pilot(lab.case)) is None:
            fix = f"begin one: tuneworthy pilot {case}"
            raise InputError("there is no pilot to go on with", where="--resume", fix=fix)
        way, base, recipe = plan.way, plan.base, plan.recipe
        told = {"seeds": plan.seeds, "margin": plan.margin, "most": plan.sizes[-1]}
    else:
        way, base = options["way"], options["base"]
        recipe = Recipe(epochs=options["epochs"], method="dpo" if options["dpo"] else "sft")
        told = {"seeds": options["seeds"], "margin": options["margin"], "most": options["examples"]}
    base = base or (EMBEDDED if way == "embedded" else None)
    if base is None:
        raise InputError("needs the model to tune", where="--way", fix="name it: --base MODEL")
    trainer = _trainer(lab, way, base, options)
    return prepare_pilot(lab, trainer, base, recipe=recipe, say=say, **told)


def _trainer(lab: PreparedLab, way: str, base: str, options: dict[str, Any]) -> Trainer:
    from tuneworthy.files.stores import pilot_folder
    from tuneworthy.training.trainers import EMBEDDED, LoraTrainer

    folder = pilot_folder(lab.case)
    if way == "embedded":
        if base != EMBEDDED:
            fix = "tune another one with --way folder --folder PATH"
            raise InputError(f"is {EMBEDDED} for --way embedded", where="--base", fix=fix)
        return LoraTrainer(folder)
    model = next((m for m in lab.case.callable_models if m.id == base), None)
    if model is None:
        raise InputError(f'is no model of the case: "{base}"', where="--base", fix="add it")
    if way == "hosted":
        return _hosted(model, options)
    if options["folder"] is None:
        raise InputError("needs the model's files", where="--way folder", fix="give --folder PATH")
    place = Path(options["folder"]).expanduser()
    if not place.is_dir():
        raise InputError("is no folder", where="--folder", fix="name the folder of the model")
    return LoraTrainer(folder, place, "cuda" if options["cuda"] else "cpu", model)


def _hosted(model: Model, options: dict[str, Any]) -> Trainer:
    from tuneworthy.model.case import TokenPrice
    from tuneworthy.training.hosted import HostedTrainer

    given = options["prices"] or ""
    try:
        trained, read, wrote = (float(each) for each in given.split(","))
        serving = TokenPrice(input=read, output=wrote)
        TokenPrice(input=trained, output=trained)  # a number of 0 or more
    except ValueError:
        what = f'are no prices: "{given[:40]}"' if given else "are needed for --way hosted"
        fix = "look them up, and write USD for trained, read and written tokens, as 5,0.8,3.2"
        raise InputError(what, where="--prices", fix=fix) from None
    provider = model.id.partition(":")[0]
    service = options["service"] or ("together" if provider == "together" else "openai")
    base = options["tuned_from"] or ""
    return HostedTrainer(model, service, usd_per_mtok=trained, serving=serving, base=base)


def _quote(pilot: PreparedPilot, budget: float) -> tuple[Document, str]:
    """What it would take, in words and in JSON."""
    import asyncio

    from tuneworthy.lab.session import ledger_or_none
    from tuneworthy.model.base import json_text
    from tuneworthy.report.sections.pilot import pilot_quote_document
    from tuneworthy.training.pilot import pilot_price, quoted_training

    training = asyncio.run(quoted_training(pilot))
    with ledger_or_none(pilot.lab.case) as ledger:
        calls = pilot_price(pilot, ledger)
    parts = {"plan": pilot.plan, "training": training, "calls": calls}
    told = {name: part.model_dump(mode="json") for name, part in parts.items()}
    document = pilot_quote_document(pilot.plan, training, calls, budget, pilot.lab.case.name)
    return document, json_text({"schema": "tuneworthy/pilot-quote/1", **told})
