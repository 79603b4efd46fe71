"""Evidence: the rows of measurements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from tuneworthy.answers.weigh import NOTHING_MEASURED
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, EvidenceResult
from tuneworthy.model.evidence import Series
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.words import (
    capital,
    count,
    day,
    interval_text,
    limit_text,
    plain,
)


def series_of(every: Sequence[Series] | Unknown, name: str) -> Series | None:
    """The series of a name; None where there is none, or nothing was measured."""
    if isinstance(every, Unknown):
        return None
    for series in every:
        if series.id == name:
            return series
    return None


STEPS = named("steps")
"""Why an answer can't be an example, by the id of the step that removes it."""


def steps_table(series: Series) -> b.Table:
    """The steps from answers to examples, each with how many it takes out; no step without any."""
    rows = []
    steps = series.columns.get("step", ())
    counts = series.columns.get("n", ())
    for step, n in zip(steps, counts, strict=False):
        name = str(step)
        many = count(float(n))
        if name in ("all", "usable"):
            rows.append((STEPS[name], many))
        elif n:
            rows.append((STEPS.get(name, plain(name)), f"–{many}"))
    title = "From answers to examples to learn from"
    return b.table(title, "Step | #Answers", rows, quiet=True)


class EvidenceRow(NamedTuple):
    """A measurement in words."""

    title: str
    value: str  #: With its interval and unit, or what would make it known.
    bears: str  #: The answer it bears on, and how; empty where it bears on none.
    counted: str
    """The number of traces, of independent ones if these are fewer, and the days."""
    method: str
    source: str


_ANSWERS = {
    "requests_per_month": "low_volume",
    "training_examples": "insufficient_data",
    "running_arm_share": "success_with_prompts",
    "success_share": "success_with_prompts",
}
"""Answers that are settled through a number of the case file."""


def measured_name(measure: str, otherwise: str = "") -> str:
    return named("measures").get(measure) or otherwise or plain(measure)


def measurements(dossier: Dossier) -> tuple[EvidenceResult, ...]:
    """The measurements of a case; () where nothing was measured."""
    if isinstance(dossier.evidence, Unknown):
        return ()
    return dossier.evidence


def evidence_rows(
    dossier: Dossier, some: Iterable[EvidenceResult]
) -> list[EvidenceRow]:
    """Measurements as rows, those that settle or challenge an answer first, unknown ones last."""

    def order(result: EvidenceResult) -> tuple[bool, bool, bool]:
        return (  # False sorts before True
            isinstance(result.value, Unknown),
            not _carries(result, dossier),
            result.says == "unknown",
        )

    return [_evidence_row(result, dossier) for result in sorted(some, key=order)]


def _evidence_row(result: EvidenceResult, dossier: Dossier) -> EvidenceRow:
    """A measurement in words."""
    if isinstance(result.value, Unknown):
        value = f"unknown: {result.value.ask}"
    else:
        value = interval_text(result.value, result.low, result.high, result.unit)
    return EvidenceRow(
        title=capital(measured_name(result.id, result.title)),
        value=value,
        bears=_bears(result, dossier),
        counted=", ".join(_counted_parts(result)),
        method=result.method,
        source=result.source,
    )


def _counted_parts(result: EvidenceResult) -> Iterator[str]:
    """The number of traces, of independent ones if these are fewer, and the days."""
    if result.n:
        traces = count(result.n)
        if 0 < result.clusters < result.n:
            traces += f" ({count(result.clusters)} independent)"
        yield traces
    if result.sample == "sampled":
        yield "a sample"
    if not isinstance(result.observed_on, Unknown):
        yield between_days(result.since, result.observed_on)


def _carries(result: EvidenceResult, dossier: Dossier) -> bool:
    """Whether it settles an answer, or a challenge compares it with a statement."""
    if not result.factor or isinstance(result.value, Unknown):
        return False
    if result.ignored:  # a reader has to see why it doesn't count
        return True
    about = _ANSWERS.get(result.id, result.factor)
    is_decided = isinstance(result.limit, Unknown) or result.says != "unknown"
    is_from_data = _source(about, dossier) == "measured"
    if result.role == "settles" and is_decided and is_from_data:
        return True
    paths = {
        result.factor,
        f"factors.{about}",
        f"ceiling.{about}",
        f"signals.{about}",
    }
    return any(
        "evidence" in challenge.between and paths.intersection(challenge.between)
        for challenge in dossier.challenges
    )


def _bears(result: EvidenceResult, dossier: Dossier) -> str:
    """How a measurement bears on an answer, in a few words; empty where it bears on none."""
    if not result.factor or isinstance(result.value, Unknown):
        return ""
    if result.ignored:
        return f"doesn’t count: {result.ignored}"
    about = _ANSWERS.get(result.id, result.factor)
    name = plain(about)
    if isinstance(result.limit, Unknown):  # it has nothing to be compared with
        if result.role == "supports":
            return "no conclusion"
        answer = dossier.factors.get(about) or dossier.ceiling.checks.get(about)
        if answer and answer.source == "measured":
            return f"{name} is {answer.state}"
        return ""
    limit = f"(threshold {limit_text(result.limit, result.unit)})"
    if result.says == "unknown":
        return f"{name} stays open {limit}"
    if result.role == "settles" and _source(about, dossier) != "measured":
        return f"doesn’t settle {name} {limit}"
    if result.role == "supports":
        return f"suggests “{name}: {result.says}” {limit}"
    return f"supports “{name}: {result.says}” {limit}"


def _source(name: str, dossier: Dossier) -> str:
    """The source of an answer; empty where nobody asks for it."""
    for answers in (dossier.signals, dossier.factors, dossier.ceiling.checks):
        if name in answers:
            return answers[name].source
    return ""


def between_days(since: date | Unknown | None, until: date) -> str:
    if since is None or isinstance(since, Unknown) or since == until:
        return day(until)
    return f"{day(since)} to {day(until)}"


def measured(dossier: Dossier) -> b.Part:
    """Measurements with interval, count, method and source; samples are folded."""
    own = measurements(dossier)
    table: b.Block | None = _evidence_table(dossier, own)
    if table is None:
        nothing = NOTHING_MEASURED
        if isinstance(dossier.evidence, Unknown):
            nothing = dossier.evidence
        table = b.Todo(nothing.ask, "Nothing was measured.")
    return b.part("Measured", table, _sample_folds(own))


def _sample_folds(own: Iterable[EvidenceResult]) -> Iterator[b.Fold]:
    """The sampled traces of each measurement, closed."""
    for result in own:
        if result.examples:
            name = measured_name(result.id, result.title)
            samples = b.bullets(result.examples)
            yield b.fold(f"Samples: {name}", samples)


def _evidence_table(dossier: Dossier, some: Sequence[EvidenceResult]) -> b.Table | None:
    """A table of measurements: what each bears on, its source, and its method; None for none."""
    if not some:
        return None
    rows = [
        (
            b.Cell(row.title, row.bears),
            row.value,
            b.Cell(row.counted, row.source),
            row.method,
        )
        for row in evidence_rows(dossier, some)
    ]
    title = "What was measured, with 95% intervals"
    return b.table(title, "Measured | Value | On | How", rows)
