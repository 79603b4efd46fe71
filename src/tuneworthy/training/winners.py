"""Best ways without a trained model, handed off: a trained head, or the nearest examples.

The folder holds one file with all that was learned, a script that answers by it, and a card with
what a pilot measured.
"""

from __future__ import annotations

import io
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.disk import made_whole, write_new
from tuneworthy.files.materials import names
from tuneworthy.files.stores import read_pilot, read_training
from tuneworthy.lab.pool import Pool
from tuneworthy.lab.prepare import PreparedLab, prepare
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Arm, RoutedWay
from tuneworthy.model.pilot import PilotResult
from tuneworthy.report import blocks as b
from tuneworthy.report.markdown import md
from tuneworthy.training.as_piloted import prompt_for, solved_examples
from tuneworthy.words import count, counted, quality_interval, share

WINNERS = {
    "head": "A trained head: labels by a small classifier, without a model",
    "nearest": "Nearest examples: the prompt with the examples most like each request",
}
"""Ways that are handed off without a trained model, by the name of their target."""
_BASELINE = {"head": "trained_head", "nearest": "nearest_neighbour"}
_SHOWN = 8  #: Examples that a model is shown where no lab has chosen another number.
_RUN = ("pip install numpy tokenizers", 'python run_way.py "a text"')
_SCRIPT = "run_way.py"
_INPUT = re.compile(r"\{\{\s*input\s*\}\}")


class WinnerReport(NamedTuple):
    """The folder that was written, and the quality of the way in it."""

    case: str
    name: str  #: Of the target: ``head`` or ``nearest``.
    folder: Path
    examples: int
    labels: int  #: Different answers.
    bytes: int
    quality: str | Unknown  #: Share right on held-out cases, with its interval.
    ways: str  #: The way that was measured; empty for none.
    shown: int = 0  #: Examples that a model is shown.
    #: The score of the head and a model together; empty where no pilot gives it.
    routed: str = ""


def hand_over(
    source: str | Path, name: str, output: str | Path | None = None
) -> WinnerReport:
    """Write a best way without a model into a new folder, by default ``export/NAME`` in the case.

    It learns from the training set, as in a pilot, or else from the examples of the case. Raises
    CaseError for too few examples, OutputError if the folder exists.
    """
    lab = prepare(source, scored=False)  # it only learns: nothing is scored
    pool = lab.plan.setting.pool
    if read_training(lab.case) is not None:
        pool = Pool(tuple(each.case for each in solved_examples(lab)))
    pilot = read_pilot(lab.case)
    routed = None
    if name == "head":
        routed = _routed(lab, pilot)
        learned = _head(lab, pool, routed)
    else:
        learned = _nearest(lab, pool, pilot)
    quality, measured_way = _measured(pilot, name)
    folder = Path(output or (lab.case.folder or Path()) / "export" / name)
    with made_whole(folder) as place:
        _write_way(place, learned)
        report = WinnerReport(
            case=lab.case.name,
            name=name,
            folder=folder,
            examples=len(pool),
            labels=len({pool.answer_of(each) for each in range(len(pool))}),
            bytes=sum(path.stat().st_size for path in place.iterdir()),
            quality=quality,
            ways=measured_way,
            shown=learned.about.get("shown", 0),
            routed="" if routed is None else _say_routed(routed),
        )
        write_new(place / "README.md", _card(report, lab))
        write_new(place / "export.json", winner_json(report))
    return report


class _LearnedWay(NamedTuple):
    """A way as its script reads it."""

    about: dict[str, Any]
    vectors: Any  #: A head's weights, or the vectors of examples.


def _write_way(place: Path, learned: _LearnedWay) -> None:
    """Write what a way has learned with the table that embeds texts, and the script beside it."""
    table = files("tuneworthy.text").joinpath("wordllama")
    about = json.dumps(learned.about, ensure_ascii=False)
    steps = np.load(io.BytesIO(table.joinpath("steps.npy").read_bytes()))
    raw = io.BytesIO()
    np.savez_compressed(
        raw,
        about=np.frombuffer(about.encode(), np.uint8),
        vectors=learned.vectors,
        table=np.load(io.BytesIO(table.joinpath("vectors.npy").read_bytes())),
        steps=steps.astype(np.float32),  # half as exact, they would round the products
        pieces=np.frombuffer(table.joinpath("tokenizer.json").read_bytes(), np.uint8),
    )
    (place / "way.npz").write_bytes(raw.getvalue())
    write_new(place / "LICENSE-of-the-table", table.joinpath("LICENSE").read_text())
    script = files("tuneworthy.training").joinpath(_SCRIPT).read_text("utf-8")
    write_new(place / _SCRIPT, script)


def _head(lab: PreparedLab, pool: Pool, routed: RoutedWay | None) -> _LearnedWay:
    """The labels and weights of a head; a CaseError for too few examples."""
    if not pool.teaches:
        what = f"has {counted(len(pool), 'example')}, too few to train a head"
        fix = "it takes 20, and 5 of each label"
        raise CaseError(what, where=lab.case.where("data"), fix=fix)
    labels, weights = pool.head_without()
    about: dict[str, Any] = {"labels": [str(label) for label in labels]}
    if routed is not None:
        about["sure_from"] = routed.sure_from
    return _LearnedWay(about, weights)


def _nearest(lab: PreparedLab, pool: Pool, pilot: PilotResult | None) -> _LearnedWay:
    """The prompt and the examples of which a model is shown the nearest ones.

    Raises CaseError without examples, InputError where the prompt needs more than the input.
    """
    if not len(pool):
        raise CaseError(
            "has no examples to show", where=lab.case.where("data"), fix="add some"
        )
    best = _best_retrieving_arm(pilot)
    prompts = lab.plan.setting.prompts
    prompt = prompts.get(best.prompt) if best else None
    if prompt is None:
        models = [model.id for model in lab.case.models if model.kind == "prompted"]
        prompt = prompt_for(prompts.values(), models[0] if models else "")
    if prompt is None or names(prompt) - {"input"}:
        fix = "add one that names the input alone"
        raise InputError(
            "needs a prompt without passages", where="--to nearest", fix=fix
        )
    about = {
        "system": _INPUT.sub("{{input}}", prompt.system or ""),
        "user": _INPUT.sub("{{input}}", prompt.user),
        "shown": best.few_shot if best else min(_SHOWN, len(pool)),
        "examples": [
            (case.text, pool.answer_of(place))
            for place, case in enumerate(pool.examples)
        ],
    }
    return _LearnedWay(about, pool.vectors)


def _best_retrieving_arm(pilot: PilotResult | None) -> Arm | None:
    """The pilot's best prompt with retrieved examples; None where no pilot has run one."""
    for row in pilot.arms if pilot else ():  # the best first
        if row.arm.kind == "prompt" and row.arm.few_shot_from == "nearest":
            return row.arm
    return None


def _measured(pilot: PilotResult | None, name: str) -> tuple[str | Unknown, str]:
    """The quality that a pilot measured on held-out cases, and the way it was measured on."""
    for row in pilot.arms if pilot else ():
        if not isinstance(row.quality, Unknown) and _is_way(row.arm, name):
            right = row.quality
            return quality_interval(right.value, right.low, right.high), row.arm.id
    return Unknown(ask="no pilot has measured it: tuneworthy pilot"), ""


def _is_way(arm: Arm, name: str) -> bool:
    """Whether an arm is this way: without a model, or for nearest examples also with one."""
    if arm.kind == "baseline":
        return arm.of == _BASELINE[name]
    is_retrieving = arm.kind == "prompt" and arm.few_shot_from == "nearest"
    return name == "nearest" and is_retrieving


def _routed(lab: PreparedLab, pilot: PilotResult | None) -> RoutedWay | None:
    """The routing of the pilot, if its head is this one; else None.

    After a *go* the tuned model answers the rest, else the best prompt.
    """
    training = read_training(lab.case)
    if pilot is None or training is None:
        return None
    training_set, _ = training
    if pilot.plan.training_set != training_set.digest:  # another head was measured
        return None
    routed = pilot.routed
    if pilot.card.answer == "go" and not isinstance(pilot.routed_tuned, Unknown):
        routed = pilot.routed_tuned
    return None if isinstance(routed, Unknown) else routed


def _say_routed(routed: RoutedWay) -> str:
    quality = routed.quality
    return (
        f"{quality_interval(quality.value, quality.low, quality.high)} with {routed.model}, "
        f"which answers the {share(routed.to_model)} below a score of {routed.sure_from:g}"
    )


def _card(report: WinnerReport, lab: PreparedLab) -> str:
    """The card of a way without a trained model, as Markdown."""
    title, _, _ = WINNERS[report.name].partition(":")
    kind = "a label" if report.name == "head" else "messages for a model"
    quality = report.quality
    learned = _learned_text(report)
    right = f"{quality} ({report.ways})"
    if isinstance(quality, Unknown):
        right = f"unknown: {quality.ask}"
    lines = [
        f"# {md(report.case)}: {title.lower()}\n",
        f"* Learned from {learned} on {lab.as_of}.",
        f"* Right on held-out cases: {md(right)}.",
    ]
    if report.routed:
        lines.append(f"* Right together on held-out cases: {md(report.routed)}.")
        lines.append('* Where the answer has `"sure": false`, ask that model yourself.')
    lines += [
        f"* It answers with {kind}, by the first 2,000 characters of a text.",
        "* Its table of word pieces was made for English.",
        "* A request unlike every example still gets an answer. Measure it again on new logs.\n",
        *(f"    {command}" for command in _RUN),
        "\nThe table is wordllama's; its license lies beside it.\n",
    ]
    return "\n".join(lines)


def _learned_text(report: WinnerReport) -> str:
    examples = counted(report.examples, "example")
    return f"{examples}, {count(report.labels)} different answers"


def winner_json(report: WinnerReport) -> str:
    """The report of a handed-off way as JSON, so that it can be read again later."""
    data = report._asdict()
    if isinstance(report.quality, Unknown):
        data["quality"] = report.quality.model_dump()
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"


def winner_document(report: WinnerReport) -> b.Document:
    """Compose the document about the folder that was written, with the commands to run it."""
    rows: list[tuple[str, ...]] = [("Learned from", _learned_text(report))]
    quality = report.quality
    if isinstance(quality, Unknown):
        rows.append(("Right on held-out cases", f"unknown: {quality.ask}"))
    else:
        rows.append(("Right on held-out cases", quality, report.ways))
    if report.routed:
        rows.append(("Routed", report.routed))
    if report.shown:
        rows.append(("Examples shown", count(report.shown)))
    size = f"{report.bytes / 1e6:.0f} MB, with the table that embeds texts"
    rows.append(("Size", size))
    title, _, _ = WINNERS[report.name].partition(":")
    steps = b.bullets(_RUN, ordered=True)
    sections = [
        b.section("", title, b.facts(rows)),
        b.section("", "How to start it, in that folder", steps),
    ]
    return b.Document(report.case, f"wrote {report.folder}", sections)
