"""What a run of ``measure`` shows: measurements, the bill, examples, and what they change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import Price
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evidence import Evidence, Measured, Series
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Document,
    Fact,
    Facts,
    Part,
    Prose,
    Section,
    Table,
    Todo,
    head,
)
from tuneworthy.report.sections.evidence import (
    STEPS,
    between_days,
    evidence_rows,
    measured_name,
    series_of,
    steps_table,
)
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import (
    count,
    counted,
    cut,
    few,
    interval_text,
    listing,
    quality,
    quality_interval,
    sentence,
    several,
    share,
    small_usd,
    usd,
)


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """A run of ``measure``."""

    measured: Measured
    added: bool  #: False where the last run had measured the same.
    dossier: Dossier  #: The case with it.
    before: Dossier | None  #: The case without it; None for a case that was made for it.
    folder: str
    price: Price | None = None  #: List price of the one model that answered.
    models: tuple[str, ...] = ()  #: Models that answered.
    wanted: Mapping[str, float] = field(default_factory=dict)
    """How many a check of the ceiling asks for, by check."""

    def any(self, name: str) -> Evidence | None:
        """A measurement, known or not; None where it wasn't tried."""
        return next((one for one in self.measured.evidence if one.id == name), None)

    def known(self, name: str) -> Evidence | None:
        """A measurement that has a value."""
        evidence = self.any(name)
        return evidence if evidence is not None and evidence.known else None

    def count(self, name: str) -> float | None:
        """What a measurement counts, by name where nothing but names is known."""
        evidence, names = self.known(name), self.details(name).get("names")
        return names if isinstance(names, int) else evidence.number if evidence else None

    def details(self, name: str) -> Mapping[str, object]:
        """Further numbers of a measurement; none where it wasn't tried."""
        evidence = self.any(name)
        return {} if evidence is None else evidence.details

    def ask(self, name: str, otherwise: str) -> str:
        """What would make a measurement known."""
        evidence = self.any(name)
        value = evidence.value if evidence else None
        return value.ask if isinstance(value, Unknown) else otherwise

    def series(self, name: str) -> Series | None:
        """Numbers of a picture; None where there are none."""
        return series_of(self.measured.series, name)

    @property
    def arms(self) -> int:
        """Prompts with models that were tested on cases; 0 where it was no test."""
        series = self.series("arms")
        return 0 if series is None else len(series.columns["value"])


def measure_dict(report: MeasureReport) -> str:
    """The run as JSON: what was read, the evidence as the dossier has it, and the pictures."""
    run = report.measured.model_dump(mode="json", by_alias=True)
    whole = report.dossier.to_dict()
    return json_text(
        {
            "schema": run["schema"],
            "inputs": run["inputs"],
            "added": report.added,
            "case": whole["case"],
            "outcome": whole["verdict"]["outcome"],
            "readings": run["readings"],
            "evidence": whole["evidence"],
            "series": run["series"],
        }
    )


def measure_report(report: MeasureReport, *, examples: bool = False) -> Document:
    """What was read, what it shows, what couldn't be measured, and what it does to the verdict.

    For a case that was made from the traces it is the five-minute page: what they alone say about
    prompts, the bill and the ceiling.
    """
    new = report.before is None
    sections = [Section("read", "", tuple(_read(report)))]
    if new:
        rows = tuple(Fact(label, text) for label, text in quick_rows(report))
        sections.append(Section("quick", "", (Facts(rows),)))
    else:
        sections.append(Section("measured", "Measured, with 95% intervals", (_table(report),)))
    if examples:
        blocks = tuple(_examples(report))
        sections.append(Section("examples", "Examples to learn from", blocks))
    after = [f"Next: tuneworthy decide {report.folder}"]
    if report.before is not None:
        title = "Not measured, and what would be needed"
        sections.append(Section("open", title, tuple(_not_measured(report))))
        verdict = Bullets(tuple(_verdict(report, report.before)))
        sections.append(Section("verdict", "The verdict", (verdict,)))
    else:
        every = f"tuneworthy decide {report.folder} --format markdown"
        after.append(f"More: {every} lists every measurement")
    return Document("", opening(report), tuple(sections), after=tuple(after))


def opening(report: MeasureReport) -> str:
    """What was read in one sentence: how much of what, from which tool, of which days."""
    parts = [_size(report)]
    for measure, noun in _COUNTS.values():
        number = report.count(measure)
        if number is not None:
            parts.append(counted(number, noun))
    formats = dict.fromkeys(one.format for one in report.measured.readings if one.traces)
    every = (day for one in report.measured.evidence for day in (one.since, one.observed_on))
    days = sorted({day for day in every if day is not None})
    beside = [*formats, *([between_days(days[0], days[-1])] if days else [])]
    return f"Read {', '.join(parts)} ({', '.join(beside)})."


def _size(report: MeasureReport) -> str:
    """Traces; of a test, answers, and to how many cases where every prompt was run on the same."""
    arms = report.series("arms")
    traces = sum(one.traces for one in report.measured.readings)
    if arms is None:
        return counted(traces, "trace")
    answers = counted(traces, "answer")
    same = report.arms == 1 or report.details("best_arm_lead").get("same_cases") is True
    if not same or _not_compared(report):
        return answers
    return f"{answers} to {counted(float(arms.columns['cases'][0]), 'case')}"


def _read(report: MeasureReport) -> Iterator[Block]:
    """Each source with its count, and what was left out of it: how often, why, and where."""
    lines = []
    for reading in report.measured.readings:
        if report.before is not None:
            traces = counted(reading.traces, "trace")
            lines.append(f"{traces} of {reading.name} ({reading.format})")
        for skipped in reading.skipped:
            records = counted(skipped.n, "record")
            what = records if skipped.in_part else f"left out {records},"
            more = ["…"] if skipped.n > len(skipped.where[:3]) else []
            places = f": {', '.join([*skipped.where[:3], *more])}" if skipped.where else ""
            lines.append(f"{what} {skipped.predicate}{places}")
    yield Bullets(tuple(lines))
    if report.before is None:
        yield Prose(f"Wrote {report.folder}/")
    elif not report.added:
        yield Prose("The same was measured before: nothing is added to the ledger.")


def _table(report: MeasureReport) -> Table:
    """Every known measurement with its interval, and what it says."""
    evidence = report.dossier.evidence
    ids = {one.id for one in report.measured.evidence if one.known}
    some = () if isinstance(evidence, Unknown) else [one for one in evidence if one.id in ids]
    rows = tuple((r.title, r.value, r.bears) for r in evidence_rows(report.dossier, some))
    columns = head("Measured", "Value", "What it says")
    return Table("Measured, with 95% intervals", columns, rows, quiet=True)


def _not_measured(report: MeasureReport) -> Iterator[Block]:
    """What couldn't be measured, by what would make it known."""
    asks: dict[str, list[str]] = {}
    for one in report.measured.evidence:
        if isinstance(one.value, Unknown):
            asks.setdefault(one.value.ask, []).append(measured_name(one.id))
    if asks:
        yield Bullets(tuple(f"{', '.join(names)}: {ask}" for ask, names in asks.items()))


def _verdict(report: MeasureReport, before: Dossier) -> Iterator[str]:
    """What the evidence does to the verdict."""
    after = report.dossier
    was, now = OUTCOME_WORDS[before.verdict.outcome], OUTCOME_WORDS[after.verdict.outcome]
    yield f"{now}, as before" if was == now else f"{was} before, {now} now"
    if changes := _changes(before, after):
        yield f"changed: {', '.join(changes)}"
    against = [c for c in after.challenges if c.id.startswith(("measured_", "need_"))]
    if against:
        verb = "doesn't" if len(against) == 1 else "don't"
        yield f"{several(len(against), 'statement')} {verb} fit what was measured"
    if any(c.id == "evidence_old" for c in after.challenges):
        yield "what was measured is old: measure newer data"


def _changes(before: Dossier, after: Dossier) -> list[str]:
    """Answers with another state than before; the first eight."""

    def answers(dossier: Dossier) -> dict[str, tuple[str, str]]:
        rooms = (dossier.ceiling.checks, dossier.factors, dossier.signals)
        return {name: (one.title, one.state) for room in rooms for name, one in room.items()}

    then = answers(before)
    changes = [
        f"{title} {then[name][1]} → {state}"
        for name, (title, state) in answers(after).items()
        if name in then and then[name][1] != state
    ]
    return changes[:8] + ([f"and {few(len(changes) - 8)} more"] if len(changes) > 8 else [])


# Examples to learn from, step by step, with what was left out.


def _examples(report: MeasureReport) -> Iterator[Block]:
    """From all answers to those that could be used, against the need, with masked samples."""
    usable, series = report.known("usable_examples"), report.series("examples_waterfall")
    if usable is None or series is None:
        yield Todo(report.ask("usable_examples", "log `output`, what the model wrote"))
        return
    yield steps_table(series, quiet=True)
    yield Prose(_need(report, usable.number))
    personal = usable.details.get("personal_share")
    if isinstance(personal, float) and personal > 0 and usable.low is not None:
        yield Prose(
            f"{share(personal)} of those looked at hold personal or secret data: at least "
            f"{count(usable.low)} are usable as they are, the rest after cleaning"
        )
    samples: dict[str, list[str]] = {}
    for sample in usable.examples:
        reason, sign, text = sample.partition(": ")
        known = bool(sign) and reason in STEPS
        samples.setdefault(STEPS[reason] if known else "", []).append(text if known else sample)
    for reason, texts in samples.items():
        yield Part(f"Left out: {reason}", (Bullets(tuple(text or "(empty)" for text in texts)),))


def _need(report: MeasureReport, usable: float) -> str:
    need = report.details("usable_examples").get("need")
    if not isinstance(need, int | float):
        return "How many are needed depends on the approach: state a goal in the case"
    verb = "enough" if usable >= need else f"{count(need - usable)} short"
    return f"The approach of the primary goal needs {count(need)}: {verb}"


# What the calls cost, the most that tuning could save, and what a cache would.

_EXAMPLE_CALLS = 10_000
_MILLION = 1e6

ENOUGH_RUNS = 20  #: Runs of the best prompt that its mean cost takes: as many as any measurement.

_LOG = "log the `usd` of every call, or its `model`, `input_tokens` and `output_tokens`"


class _Cost(NamedTuple):
    """USD a call, with its interval where it has one, and where it comes from."""

    value: float
    low: float
    high: float
    how: str


def bill_text(report: MeasureReport) -> str:
    """The cost of a call and of a month, and that no tuning can save more."""
    cost = _cost(report)
    if cost is None:
        return f"unknown: {_bill_lacks(report)}"
    month = report.known("usd_per_month")
    if month is not None and not report.arms:
        least = "at least " if month.high == "open" else ""
        beside = f"{least}{usd(month.number)} a month"
    else:
        beside = _monthly(report, cost.value)
    value, low, high = map(small_usd, (cost.value, cost.low, cost.high))
    ends = f" ({low}–{high})" if {low, high} != {value} else ""
    return f"{value}{ends} a call{cost.how}, {beside}. No tuning can save more than the whole bill"


def caching_text(report: MeasureReport) -> str:
    """The share of the input that a cache would take, and what that is worth by list price."""
    cacheable, cached = report.known("cacheable_share"), report.known("cached_share")
    if cacheable is None:
        return f"unknown: {report.ask('cacheable_share', 'log messages with a timestamp')}"
    unit = "share of input tokens"
    text = interval_text(cacheable.value, cacheable.low, cacheable.high, unit)
    today = f"; {share(cached.number)} is today" if cached else ""
    more = cacheable.number - (cached.number if cached else 0.0)
    price, tokens = report.price, report.known("input_tokens")
    worth = ""
    if price is not None and price.cached_input is not None and tokens is not None and more > 0:
        saved = more * tokens.number * (price.input - price.cached_input) / _MILLION
        worth = f". That would save {_monthly(report, saved)} by list price"
    return f"{text} could be read from a cache{today}{worth}"


def _monthly(report: MeasureReport, usd_per_call: float) -> str:
    """An amount for each call as one for a month; for an example where the volume isn't known."""
    volume = report.known("requests_per_month")
    if volume is None or report.arms or volume.number < 1:
        amount = small_usd(usd_per_call * _EXAMPLE_CALLS)
        return f"{amount} at {count(_EXAMPLE_CALLS)} calls a month"
    least = "at least " if volume.high == "open" else ""
    return f"{least}{small_usd(usd_per_call * volume.number)} a month"


def _cost(report: MeasureReport) -> _Cost | None:
    """As reported for the best arm, as reported for all, or by list price."""
    best = report.details("best_arm_share")
    ends = [best.get(f"best_usd_per_run{end}") for end in ("", "_low", "_high")]
    usd_per_run = [float(end) for end in ends if isinstance(end, int | float)]
    runs = best.get("best_runs")
    enough = isinstance(runs, int | float) and runs >= ENOUGH_RUNS
    if report.arms > 1 and enough and len(usd_per_run) == len(ends):
        return _Cost(usd_per_run[0], usd_per_run[1], usd_per_run[2], " with the best")
    logged = report.known("usd_per_request")
    if logged is not None and logged.low is not None and isinstance(logged.high, int | float):
        return _Cost(logged.number, logged.low, logged.high, "")
    read, written = report.known("input_tokens"), report.known("output_tokens")
    if report.price is None or read is None or written is None:
        return None
    over = ", over all that were tried" if report.arms > 1 else ""
    how = f" by list price ({report.price.catalogue}){over}"
    least, most = (read.low or 0.0, written.low or 0.0), (_most(read), _most(written))
    middle, low, high = (
        _priced(report, report.price, tokens)
        for tokens in ((read.number, written.number), least, most)
    )
    return _Cost(middle, low, high, how)


def _most(evidence: Evidence) -> float:
    return float(evidence.high) if isinstance(evidence.high, int | float) else math.inf


def _priced(report: MeasureReport, price: Price, tokens: tuple[float, float]) -> float:
    """USD for tokens in and out."""
    cached = report.known("cached_share")
    part = cached.number if cached is not None and price.cached_input is not None else 0.0
    read = price.input * (1 - part) + (price.cached_input or 0.0) * part
    return (tokens[0] * read + tokens[1] * price.output) / _MILLION


def _bill_lacks(report: MeasureReport) -> str:
    """What would make the bill known."""
    if report.details("usd_per_request") and report.known("usd_per_request") is None:
        return report.ask("usd_per_request", _LOG)
    names = ("input_tokens", "output_tokens")
    for name in names:
        if report.known(name) is None:
            return f"{report.ask(name, _LOG)}, or log the `usd` of every call"
    if len(report.models) > 1:
        answered = f"{few(len(report.models))} models answered, at different list prices"
        return f"log the `usd` of every call; {answered}"
    if report.models:
        name = report.models[0]
        named = "" if ":" in name else f"; name it with its provider, as openai:{name}"
        return f"log the `usd` of every call; no list price is known for {name}{named}"
    tokens = [count(one.number) for name in names if (one := report.known(name)) is not None]
    guessed = "" if all(report.details(name).get("reported") for name in names) else "about "
    takes = f"a call takes {guessed}{' tokens in and '.join(tokens)} out"
    return f"{takes}, but whose they are isn't logged: log its `model`, or its `usd`"


# The rows of the five-minute page.

_LONGEST_NAME = 40
_MOST_TESTS = 5
_COUNTS = {
    "prompt_variations": ("distinct_prompts", "prompt"),
    "foundation_models": ("models_seen", "model"),
}
"""Checks that a count answers: the measurement, and what it counts."""


def quick_rows(report: MeasureReport) -> Iterator[tuple[str, str]]:
    """Label and text of each row: what is best, the bill, caching, the ceiling, what decides."""
    yield from _arm_rows(report)
    yield "The bill", sentence(bill_text(report))
    yield "Caching", sentence(caching_text(report))
    if report.dossier.ceiling.checks:
        yield "The ceiling", _ceiling(report)
    yield "What decides", sentence(_decides(report))


def _arm_rows(report: MeasureReport) -> Iterator[tuple[str, str]]:
    """The best arm, the next, and whether they can be distinguished."""
    arms = report.series("arms")
    if arms is None:
        success = report.known("success_share")
        ask = report.ask("success_share", "label some outputs as right or wrong")
        yield (
            "Success",
            sentence(f"unknown: {ask}")
            if success is None
            else interval_text(success.value, success.low, success.high, success.unit),
        )
        return
    if (tests := arms.columns.get("test")) is not None:
        yield from _test_rows(report, arms, tests)
        return
    yield ("Best so far" if report.arms > 1 else "So far"), _arm(arms, 0)
    if report.arms > 1:
        yield "Next best", _arm(arms, 1)
        yield "Difference", sentence(_apart(report))
    if more := _not_compared(report):
        yield "Not compared", sentence(f"{few(more)} more, which share no case with these")


def _test_rows(
    report: MeasureReport, arms: Series, tests: Sequence[object]
) -> Iterator[tuple[str, str]]:
    """The best of each of the first tests, and that these can't be compared."""
    firsts = [place for place, test in enumerate(tests) if test not in tests[:place]]
    for place in firsts[:_MOST_TESTS]:
        best = "best so far: " * (tests.count(tests[place]) > 1)
        yield f"Test {tests[place]}", f"{best}{_arm(arms, place)}"
    ask = report.ask("best_arm_share", "measure each test by itself")
    yield "Not compared", sentence(ask)


def _not_compared(report: MeasureReport) -> int:
    """Prompts with models that aren't among those compared."""
    every = report.details("best_arm_share").get("arms")
    return int(every) - report.arms if isinstance(every, int | float) else 0


def _arm(arms: Series, place: int) -> str:
    values = {name: column[place] for name, column in arms.columns.items()}
    prompt, model = (cut(str(values.get(key, "")), _LONGEST_NAME) for key in ("prompt", "model"))
    parts = (f'prompt "{prompt}"' if prompt else "", f"on {model}" if model else "")
    name = " ".join(part for part in parts if part) or "the prompt"
    ends = (float(values[key]) for key in ("value", "low_of_all", "high_of_all"))
    return f"{name}: {quality_interval(*ends)} on {counted(float(values['cases']), 'case')}"


def _apart(report: MeasureReport) -> str:
    """Whether the two best can be distinguished, and how many more cases that would take."""
    lead = report.details("best_arm_lead")
    if lead.get("told_apart") == "yes":
        return "distinguished: the interval of the difference lies above zero"
    if "told_apart" not in lead:
        return report.ask("best_arm_lead", "can't be distinguished")
    needed, evidence = lead.get("cases_needed"), report.any("best_arm_lead")
    if not isinstance(needed, int | float) or evidence is None or evidence.n is None:
        return (
            "can't be distinguished, and no number of cases would help while they differ so little"
        )
    more = max(1, int(needed) - evidence.n)
    noun, verb = ("case", "is") if more == 1 else ("cases", "are")
    return f"can't be distinguished: about {count(more)} more paired {noun} {verb} needed"


def _ceiling(report: MeasureReport) -> str:
    """How many checks are answered, and by which counts."""
    ceiling = report.dossier.ceiling
    answered = [name for name, check in ceiling.checks.items() if check.state != "unknown"]
    who = few(len(answered)) if answered else "none"
    verb = "is" if len(answered) <= 1 else "are"
    first = f"{who} of the {few(len(ceiling.checks))} checks {verb} answered by this"
    counts = [text for name in answered if (text := _check_count(report, name))]
    beside = f": {listing(counts)}" if counts else ""
    reached = {
        "yes": "It is reached",
        "no": "It is not reached",
        "unknown": "Whether it is reached stays open",
    }
    return f"{sentence(first + beside)} {reached[ceiling.reached]}."


def _check_count(report: MeasureReport, check: str) -> str:
    measure, noun = _COUNTS.get(check, ("", ""))
    number, wanted = report.count(measure), report.wanted.get(check)
    if number is None:
        return ""
    enough = wanted is None or number >= wanted
    return counted(number, noun) + ("" if enough else f" ({count(wanted or 0)} wanted)")


def _decides(report: MeasureReport) -> str:
    """The one answer that would change the verdict."""
    dossier = report.dossier
    best = report.known("best_arm_share") or report.known("success_share")
    met = dossier.factors.get("success_with_prompts")
    if best is not None and met is not None and met.state == "unknown":
        top = quality(float(best.high)) if isinstance(best.high, int | float) else "1"
        return (
            f"is {quality(best.number)} good enough? A target up to "
            f"{quality(float(best.low or 0))} is met already, one above {top} is missed, and in "
            "between more cases decide. State it as targets.quality.at_least"
        )
    return dossier.next_questions[0].ask if dossier.next_questions else dossier.verdict.next
