"""The labs of a case: how each is prepared, quoted and run, and what a kept run says."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_args

from tuneworthy.errors import InputError, argument
from tuneworthy.files import runs
from tuneworthy.files.runs import KeptRun, LabKind, LabResult
from tuneworthy.lab import ceiling, prepare, retrieve, verify
from tuneworthy.lab.quote import quoted
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evalset import Split
from tuneworthy.model.lab import CeilingResult, Quote, RetrievalResult
from tuneworthy.pipeline import load_case
from tuneworthy.report import blocks as b
from tuneworthy.report.sections import (
    lab_ceiling,
    lab_pilot,
    lab_retrieval,
    lab_verify,
)
from tuneworthy.report.sections.lab import share_text
from tuneworthy.words import capital

_MOST_CASES = 2_000  # cases of a part whose answers are kept
_DOCUMENTS: dict[str, Callable[..., b.Document]] = {
    "retrieve": partial(lab_retrieval.retrieval_document, folder=""),
    "verify": lab_verify.verify_document,
    "pilot": lab_pilot.pilot_document,
}
"""The documents of the labs that stand alone; a ceiling is told beside the case as it is now."""


class LabSteps(NamedTuple):
    """A kind of lab that calls models: how to prepare, price and run it."""

    prepare: Callable[..., Any]
    quoted: Callable[[Any], Quote]
    run: Callable[..., Any]


LABS: dict[str, LabSteps] = {
    "ceiling": LabSteps(prepare.prepare, quoted, ceiling.run),
    "retrieve": LabSteps(retrieve.prepare, retrieve.quoted, retrieve.run),
    "verify": LabSteps(prepare.prepare, verify.quoted, verify.run),
}


class LabOffer(NamedTuple):
    """A lab that could be started in a terminal."""

    text: str  #: What ``--dry-run`` says of it; empty for a pilot.
    command: str


def offer_lab(source: Path, name: str, kind: LabKind, as_of: date | None) -> LabOffer:
    """Price a lab of a case without sending anything; a pilot's command prices it by training a little.

    ``name`` is the case's folder, for the command.

    Raises:
        InputError: If the lab can't run yet, with what it lacks.
    """
    command = f"tuneworthy {kind} {argument(name)}"
    if kind == "pilot":
        return LabOffer("", f"{command} --dry-run")
    lab = LABS[kind]
    prepared = lab.prepare(source, as_of=as_of)
    if kind == "ceiling":
        prepared = ceiling.with_search(prepared)
    quote = lab.quoted(prepared)
    text = import_module(f"tuneworthy.lab.{kind}").render_quote(prepared, quote)
    if quote.usd_most:
        enough_usd = math.ceil(100 * (quote.usd_spent + quote.usd_most)) / 100
        command += f" --budget {enough_usd:.2f}"
    return LabOffer(text, command)


def result_of(done: Any) -> LabResult:
    """The result of a lab, alone or as a part of the value that its ``run`` returned."""
    result: LabResult = getattr(done, "result", done)
    return result


def keep_run(source: str | Path, kind: LabKind, done: Any) -> None:
    """Keep what a lab found beside its case; ``done`` is the value that its ``run`` returned."""
    result = result_of(done)
    remarks: tuple[tuple[str, str], ...] = ()
    answers: dict[Split, list[list[str]]] = {}
    if isinstance(result, CeilingResult):
        remarks = tuple(lab_ceiling.answered_rows(result, done.dossier, done.before))
        for part in get_args(Split):
            answers[part] = list(done.grid(part, most=_MOST_CASES))
    with suppress(InputError):  # a case that can't be read any more keeps nothing
        case = load_case(source)
        runs.keep_run(case, kind, result, _finding(kind, result), remarks, answers)


def _finding(kind: LabKind, result: LabResult) -> str:
    """The finding of a lab in a sentence, as a list of runs shows it."""
    if isinstance(result, CeilingResult):
        rows = dict(lab_ceiling.ceiling_rows(result))
        ceiling_text = rows["Ceiling"]
        if not ceiling_text.startswith("too few"):
            ceiling_text = f"ceiling {ceiling_text}"
        return f"{capital(ceiling_text)}. Best prompt {rows['Best prompt']}"
    if isinstance(result, RetrievalResult):
        recall = share_text(result.best.recall)
        return f"Best way {result.best.way}: recall {recall}"
    return _DOCUMENTS[kind](result).headline


def run_sections(run: KeptRun, dossier: Dossier) -> tuple[b.Section, ...]:
    """The sections of a run as its command printed them; ``dossier`` is the case as it is now."""
    if not isinstance(run.result, CeilingResult):
        return tuple(_DOCUMENTS[run.kind](run.result).sections)
    sections = lab_ceiling.ceiling_sections(run.result, dossier, dossier)
    return tuple(_with_own_remarks(run, section) for section in sections)


def _with_own_remarks(run: KeptRun, section: b.Section) -> b.Section:
    """The section with the remarks of the run's day on the case, in place of today's."""
    if section.id != "lab-checks" or not run.answered:
        return section
    _, *rest = section.blocks  # the remarks stand first
    return b.section(section.id, section.title, b.facts(run.answered), rest)
