"""Best ways without a trained model, handed off: a trained head, or the nearest examples.

Each is a folder that answers by itself, with Python and numpy: the learned data, a small server,
the table that embeds texts, and a card with the measurements.
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.disk import made_whole, write_new
from tuneworthy.files.materials import names
from tuneworthy.files.stores import read_pilot, read_training
from tuneworthy.lab.plan import Pool, request_for
from tuneworthy.lab.prepare import PreparedLab, prepare
from tuneworthy.llm.endpoints import reach
from tuneworthy.llm.hosts import list_unconfirmed
from tuneworthy.llm.http import payload
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Model
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, Request, RoutedWay
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
_MEASURE = "no pilot has measured it: tuneworthy pilot"


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
    #: What answers below the score, and where; empty where the folder has the head alone.
    asks: str = ""


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
    learned = _head(lab, pool) if name == "head" else _nearest(lab, pool)
    quality, measured_way = _measured(lab, name)
    # only a head has a score below which a model answers instead
    routed = _routed(lab) if name == "head" else None
    rest: dict[str, Any] = {}
    if routed is not None:
        rest = _rest(lab, pool, routed)
        _add_routing(learned, routed, rest, pool)
    folder = output
    if folder is None:
        folder = (lab.case.folder or Path()) / "export" / name
    with made_whole(Path(folder)) as place:
        _write_way(place, learned)
        files = [path for path in place.rglob("*") if path.is_file()]
        report = WinnerReport(
            case=lab.case.name,
            name=name,
            folder=Path(folder),
            examples=len(pool),
            labels=len({pool.answer_of(each) for each in range(len(pool))}),
            bytes=sum(path.stat().st_size for path in files),
            quality=quality,
            ways=measured_way,
            shown=learned.settings.get("shown", 0),
            routed="" if routed is None else _say_routed(routed),
            asks=_say_asked(rest),
        )
        write_new(place / "README.md", _card(report, lab))
        write_new(place / "export.json", winner_json(report))
    return report


class _LearnedWay(NamedTuple):
    """A way as its server reads it."""

    settings: dict[str, Any]
    arrays: dict[str, Any]  #: ``vectors``: a head's weights, or those of examples.


def _write_way(place: Path, learned: _LearnedWay) -> None:
    """Write what a way has learned, with the code that serves it."""
    text = json.dumps(learned.settings, ensure_ascii=False)
    write_new(place / "way.json", text + "\n")
    raw = io.BytesIO()
    np.savez(raw, **learned.arrays)
    (place / "way.npz").write_bytes(raw.getvalue())
    _copy_code(place)


def _head(lab: PreparedLab, pool: Pool) -> _LearnedWay:
    """The labels and weights of a head; a CaseError for too few examples."""
    if not pool.teaches:
        what = f"has {counted(len(pool), 'example')}, too few to train a head"
        fix = "it takes 20, and 5 of each label"
        raise CaseError(what, where=lab.case.where("data"), fix=fix)
    labels, weights = pool.head_without()
    settings = {"kind": "head", "labels": [str(label) for label in labels]}
    return _LearnedWay(settings, {"vectors": weights})


def _nearest(lab: PreparedLab, pool: Pool) -> _LearnedWay:
    """The prompt and the examples of a server that shows a model the nearest ones.

    Raises CaseError without examples, InputError where the prompt needs more than the input.
    """
    if not len(pool):
        raise CaseError(
            "has no examples to show", where=lab.case.where("data"), fix="add some"
        )
    best = _best_retrieving_arm(lab)
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
    settings = {
        "kind": "nearest",
        "system": prompt.system or "",
        "user": prompt.user,
        "shown": best.few_shot if best else min(_SHOWN, len(pool)),
        "examples": _examples(pool),
    }
    return _LearnedWay(settings, {"vectors": pool.vectors})


def _add_routing(
    learned: _LearnedWay, routed: RoutedWay, rest: dict[str, Any], pool: Pool
) -> None:
    """Let the server of a head ask a model below a score, by the settings of ``_rest``."""
    learned.settings["sure_from"] = routed.sure_from
    learned.settings["rest"] = rest
    if rest.get("shown"):
        # the server finds the nearest examples by their vectors
        learned.arrays["near"] = pool.vectors


def _best_retrieving_arm(lab: PreparedLab) -> Arm | None:
    """The pilot's best prompt with retrieved examples; None where no pilot has run one."""
    result = read_pilot(lab.case)
    for row in result.arms if result else ():  # the best first
        if row.arm.kind == "prompt" and row.arm.few_shot_from == "nearest":
            return row.arm
    return None


def _measured(lab: PreparedLab, name: str) -> tuple[str | Unknown, str]:
    """The quality that a pilot measured on held-out cases, and the way it was measured on."""
    result = read_pilot(lab.case)
    for row in result.arms if result else ():
        if not isinstance(row.quality, Unknown) and _is_way(row.arm, name):
            right = row.quality
            return quality_interval(right.value, right.low, right.high), row.arm.id
    return Unknown(ask=_MEASURE), ""


def _is_way(arm: Arm, name: str) -> bool:
    """Whether an arm is this way: without a model, or for nearest examples also with one."""
    if arm.kind == "baseline":
        return arm.of == _BASELINE[name]
    is_retrieving = arm.kind == "prompt" and arm.few_shot_from == "nearest"
    return name == "nearest" and is_retrieving


def _routed(lab: PreparedLab) -> RoutedWay | None:
    """The routing of the pilot, if its head is this one; else None.

    After a *go* the tuned model answers the rest, else the best prompt.
    """
    result = read_pilot(lab.case)
    training = read_training(lab.case)
    if result is None or training is None:
        return None
    training_set, _ = training
    if result.plan.training_set != training_set.digest:  # another head was measured
        return None
    routed = result.routed
    if result.card.answer == "go" and not isinstance(result.routed_tuned, Unknown):
        routed = result.routed_tuned
    return None if isinstance(routed, Unknown) else routed


def _rest(lab: PreparedLab, pool: Pool, routed: RoutedWay) -> dict[str, Any]:
    """The settings by which the server asks a model below the score, as the pilot did.

    The request has ``{{ input }}`` for the text. Where the nearest examples are shown, they and
    their number are there too. ``url`` is missing for the embedded model and for a host that nobody
    confirmed, ``request`` for a prompt that needs more than the text.
    """
    rest: dict[str, Any] = {"model": routed.model}
    result = read_pilot(lab.case)
    assert result is not None  # it has the routing
    arm = next(row.arm for row in result.arms if row.arm.id == routed.model)
    served = _served_model(lab, result, arm)
    prompt = lab.plan.setting.prompts.get(arm.prompt)
    if served is None or prompt is None or names(prompt) - {"input"}:
        return rest
    place = reach(served)
    request = _request_with_hole(lab, pool, arm, served)
    if request.choices is not None:  # a decision has another form
        return rest
    rest["request"] = payload(request)
    if arm.few_shot_from == "nearest":
        rest["shown"] = arm.few_shot
        rest["examples"] = _examples(pool)
    if place.base_url and not list_unconfirmed([place], lab.confirmed):
        rest["url"] = f"{place.base_url}/chat/completions"
        rest["key_from"] = place.key_from
    return rest


def _request_with_hole(
    lab: PreparedLab, pool: Pool, arm: Arm, served: Model
) -> Request:
    """The request of an arm to a served model, with ``{{ input }}`` in place of the text."""
    setting = lab.plan.setting
    own: dict[str, Any] = {"model": served.id}
    if arm.few_shot_from == "nearest":  # the server adds them to each request by itself
        own |= {"few_shot": 0, "few_shot_from": "none"}
    reached = {**setting.reached, served.id: reach(served)}
    case = EvalCase(id="asked", input="{{ input }}")
    return request_for(
        arm.model_copy(update=own), case, replace(setting, reached=reached, pool=pool)
    )


def _served_model(lab: PreparedLab, result: PilotResult, arm: Arm) -> Model | None:
    """The model of an arm as it is called; of a tuned arm the run with the first seed."""
    models = {model.id: model for model in lab.case.models}
    if arm.kind != "tuned":
        return models.get(arm.model)
    base = models.get(result.plan.base)
    trained = [run for run in result.trained if run.state == "trained"]
    # the largest size was trained last, once with each seed
    of_largest = trained[-result.plan.seeds :]
    if base is None or not of_largest:
        return None
    first_seed = of_largest[0]
    return base.model_copy(update={"id": first_seed.model, "kind": "tuned"})


def _examples(pool: Pool) -> list[dict[str, str]]:
    return [
        {"input": case.text, "answer": pool.answer_of(n)}
        for n, case in enumerate(pool.examples)
    ]


def _say_asked(rest: dict[str, Any]) -> str:
    """Say who answers below the score; empty where the folder can't ask it."""
    if "url" in rest:
        key = f", with the key in {rest['key_from']}" if rest["key_from"] else ""
        return f"the server asks {rest['model']} at {rest['url']}{key}"
    if "request" in rest:
        return f"the answer has the messages for {rest['model']}, whose address isn't known here"
    return ""


def _say_routed(routed: RoutedWay) -> str:
    quality = routed.quality
    return (
        f"{quality_interval(quality.value, quality.low, quality.high)} with {routed.model}, "
        f"which answers the {share(routed.to_model)} below a score of {routed.sure_from:g}"
    )


def _copy_code(place: Path) -> None:
    """Copy the server and the code that embeds texts, so that the folder needs nothing of ours."""
    server = files("tuneworthy.training").joinpath("served.py").read_text("utf-8")
    own = server.replace(
        "from tuneworthy.text.embedding import", "from embedding import"
    )
    write_new(place / "server.py", own)
    embedding = files("tuneworthy.text").joinpath("embedding.py").read_text("utf-8")
    write_new(place / "embedding.py", embedding)
    with as_file(files("tuneworthy.text").joinpath("wordllama")) as table:
        shutil.copytree(table, place / "wordllama")


def _card(report: WinnerReport, lab: PreparedLab) -> str:
    """The card of a way without a trained model, as Markdown."""
    title, _, _ = WINNERS[report.name].partition(":")
    kind = "a label" if report.name == "head" else "messages for a model"
    return (
        f"# {md(report.case)}: {title.lower()}\n\n"
        f"* Learned from {count(report.examples)} examples with {count(report.labels)} different "
        f"answers, on {lab.as_of}.\n"
        f"{_measured_lines(report)}"
        f"* It answers with {kind}. It embeds the first 2,000 characters of a text by a table of "
        "word pieces, which was made for English.\n"
        "* A request unlike every example still gets an answer. Measure it again on new logs.\n\n"
        "    pip install numpy\n"
        '    python server.py "a text"\n'
        "    python server.py --port 8080\n"
        '    curl -d \'{"input": "a text"}\' http://127.0.0.1:8080/\n\n'
        "The server has no password and listens to this machine alone. The table is wordllama's; "
        "its license lies beside it.\n"
    )


def _measured_lines(report: WinnerReport) -> str:
    """The lines of a card on how right the way is, alone and together with a model."""
    quality = report.quality
    if isinstance(quality, Unknown):
        right = f"unknown: {quality.ask}"
    else:
        right = f"{quality} ({report.ways})"
    lines = f"* Right on held-out cases: {md(right)}.\n"
    if report.routed:
        asked = report.asks or "ask that model yourself"
        lines += f"* Right together on held-out cases: {md(report.routed)}.\n"
        lines += f'* Where the answer has `"sure": false`, {md(asked)}.\n'
    return lines


def winner_json(report: WinnerReport) -> str:
    """The report of a handed-off way as JSON, so that it can be read again later."""
    data = report._asdict()
    if isinstance(report.quality, Unknown):
        data["quality"] = report.quality.model_dump()
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"


def winner_document(report: WinnerReport) -> b.Document:
    """Compose the document about the folder that was written, with the commands to run it."""
    learned = f"{counted(report.examples, 'example')}, {count(report.labels)} different answers"
    rows: list[tuple[str, ...]] = [("Learned from", learned)]
    quality = report.quality
    if isinstance(quality, Unknown):
        rows.append(("Right on held-out cases", f"unknown: {quality.ask}"))
    else:
        rows.append(("Right on held-out cases", quality, report.ways))
    if report.routed:
        rows.append(("Routed", report.routed, report.asks))
    if report.shown:
        rows.append(("Examples shown", count(report.shown)))
    size = f"{report.bytes / 1e6:.0f} MB, with the table that embeds texts"
    rows.append(("Size", size))
    commands = (
        "pip install numpy",
        'python server.py "a text"',
        "python server.py --port 8080",
    )
    title, _, _ = WINNERS[report.name].partition(":")
    steps = b.bullets(commands, ordered=True)
    sections = [
        b.section("", title, b.facts(rows)),
        b.section("", "How to start it, in that folder", steps),
    ]
    return b.Document(report.case, f"wrote {report.folder}", sections)
