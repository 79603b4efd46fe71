"""Failures for people to read: drawn from scored logs, or from the results of the last lab."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuneworthy.errors import CaseError, argument
from tuneworthy.files import stores
from tuneworthy.files.evalset import named_evalset
from tuneworthy.files.runs import KeptRun, graded_cases, kept_runs
from tuneworthy.intake.measure import Progress, log_failures
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import (
    CasePassage,
    DrawnFailure,
    EvalCase,
    FailureDraw,
    Split,
)
from tuneworthy.model.lab import CeilingResult
from tuneworthy.pipeline import framework_of, load_case, today
from tuneworthy.stats.failures import draw_alike

if TYPE_CHECKING:
    from tuneworthy.lab.causes import PreparedCauses

FEWEST = 30  #: Failures that make shares worth reading; with fewer held-out cases are read too.
_NO_QUALITY = Unknown(ask="score some of its answers")


def draw_failures(
    source: str | Path,
    *,
    n: int,
    seed: int,
    again: bool = False,
    mapping: str | Path | None = None,
    progress: Progress | None = None,
) -> FailureDraw:
    """Draw failures of today's way, or of the best arm of the last lab, and keep the draw.

    Logs show today's failures if their answers were scored. An existing draw is used again. With
    ``again``, a new draw replaces it; the labels for the first one stay in its file.

    Raises:
        CaseError: If no failure is known, or the framework names no causes.
    """
    case = load_case(source)
    before = None if again else stores.written_draw(case)
    if before is not None:
        return before
    if not framework_of(case).causes:
        fix = "add a section causes, or judge it by the lesson"
        raise CaseError(
            "is judged by a framework without causes", where=str(source), fix=fix
        )
    draw = _draw_from_log(case, n, seed, mapping, progress)
    if draw is None:
        draw = _draw_from_lab(case, n, seed)
    if draw is None:
        fix = f"score answers in a log under data.traces, or run: tuneworthy ceiling {source}"
        raise CaseError(
            "has no failures that are known", where=argument(source), fix=fix
        )
    stores.written_draw.write(case, draw)
    return draw


def _draw_from_log(
    case: Case, n: int, seed: int, mapping: str | Path | None, progress: Progress | None
) -> FailureDraw | None:
    """Failures in the logs; None where no logged answer was scored as wrong."""
    failures = log_failures(case, n=n, seed=seed, mapping=mapping, progress=progress)
    if failures is None or not failures.drawn:
        return None
    quality = failures.quality
    return FailureDraw(
        way=failures.arm[:200] or "what runs today",
        source="log",
        seed=seed,
        drawn_on=today(),
        failures=failures.failures,
        quality=_NO_QUALITY if quality is None else quality.value,
        quality_low=_NO_QUALITY if quality is None else quality.low,
        quality_high=_NO_QUALITY if quality is None else quality.high,
        cases=0 if quality is None else quality.n,
        drawn=failures.drawn,
    )


def _draw_from_lab(case: Case, n: int, seed: int) -> FailureDraw | None:
    """Failures of the best arm in the newest ceiling lab with any; None without such a lab.

    They are drawn among the cases for selecting. Where these are few, the held-out cases are added:
    a person who reads failures changes prompts by them, and then the cases that were read are no
    longer held out.
    """
    for run in kept_runs(case):
        result = run.result
        if not isinstance(result, CeilingResult):
            continue
        failures = _wrong_answers(case, run, result.best, "select")
        held_out = {}
        if len(failures) < FEWEST:
            held_out = _wrong_answers(case, run, result.best, "report")
        if failures or held_out:
            return _lab_draw(case, result, failures | held_out, set(held_out), n, seed)
    return None


def _wrong_answers(
    case: Case, run: KeptRun, arm: str, part: Split
) -> dict[str, DrawnFailure]:
    """The wrong answers that one arm gave in one part of the evaluation set, by case."""
    arms, graded = graded_cases(case, run, arm, "wrong", part)
    if arm not in arms:
        return {}
    place = arms.index(arm)
    failures = {}
    for row in graded:
        # the grade stands before the answer, with a colon between
        _, _, output = row.answers[place].text.partition(": ")
        asked = EvalCase(id=row.id, input=row.asked, reference=row.right or None)
        failures[row.id] = DrawnFailure(case=asked, output=output)
    return failures


def _lab_draw(
    case: Case,
    result: CeilingResult,
    failures: Mapping[str, DrawnFailure],
    held_out: Collection[str],
    n: int,
    seed: int,
) -> FailureDraw:
    """Draw failures of a lab's best arm for people to read, evenly over the kinds of cases."""
    entries = {entry.id: entry for entry in named_evalset(case) or ()}
    ids = list(failures)
    # the kind of a case is its first tag; a case may have left the set since the lab ran
    kinds = [
        entries[name].tags[0] if name in entries and entries[name].tags else ""
        for name in ids
    ]
    chosen = [ids[place] for place in draw_alike(kinds, n, seed)]
    drawn = [_with_passages(failures[name], entries.get(name)) for name in chosen]
    reported = result.reported
    if isinstance(reported, Unknown):
        figures: dict[str, float | int | Unknown] = {
            "quality": reported,
            "quality_low": reported,
            "quality_high": reported,
        }
    else:
        figures = {
            "quality": reported.value,
            "quality_low": reported.low,
            "quality_high": reported.high,
            "cases": reported.n,
        }
    return FailureDraw.model_validate(
        {
            "way": result.best,
            "source": "lab",
            "seed": seed,
            "drawn_on": today(),
            "failures": len(failures),
            "held_out": sum(name in held_out for name in chosen),
            "drawn": tuple(drawn),
            **figures,
        }
    )


def _with_passages(failure: DrawnFailure, entry: EvalCase | None) -> DrawnFailure:
    """A failure with the passages of its case in the evaluation set.

    Only these are masked here: they come from the set's file, while the lab masked question and
    answers before it kept them.
    """
    from tuneworthy.measure.personal import mask

    if entry is None:
        return failure
    passages = tuple(CasePassage(text=mask(each.text)) for each in entry.contexts)
    asked = failure.case.model_copy(update={"contexts": passages})
    return failure.model_copy(update={"case": asked})


def prepare_proposals(
    source: str | Path, draw: FailureDraw, model: str, to: Collection[str] = ()
) -> PreparedCauses:
    """The calls in which a model proposes a cause for each drawn failure; nothing is sent."""
    from tuneworthy.lab.causes import prepare_causes

    case = load_case(source)
    return prepare_causes(case, draw, framework_of(case).causes, model, to=to)


def keep_proposals(ready: PreparedCauses, *, cap_usd: float) -> FailureDraw:
    """Ask the model for causes, and keep them beside the failures, where people see them."""
    from tuneworthy.lab.causes import propose_causes

    draw = propose_causes(ready, cap_usd=cap_usd)
    stores.written_draw.write(ready.case, draw)
    return draw
