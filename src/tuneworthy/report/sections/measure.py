"""Output of ``measure``: measurements, the bill, examples, and their effect on the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.errors import argument
from tuneworthy.llm.prices import catalogue
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.dossier import (
    CheckResult,
    Dossier,
    FactorResult,
    SignalResult,
)
from tuneworthy.model.evidence import Evidence, PromptArm, Series
from tuneworthy.model.lab import Contrast
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows, moved
from tuneworthy.report.sections.evidence import (
    STEPS,
    between_days,
    evidence_rows,
    measured_name,
    steps_table,
)
from tuneworthy.report.sections.lab import difference_text
from tuneworthy.report.sections.log import (
    MeasureReport,
    coverage_line,
    coverage_table,
    heading,
    log_rows,
    next_line,
    prompt_table,
    unread_line,
)
from tuneworthy.report.text import REST
from tuneworthy.report.width import shows_details
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    capital,
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
    signed,
    small_usd,
)


def measure_dict(report: MeasureReport) -> str:
    """The run as JSON: the readings, the evidence as in the dossier, and the pictures."""
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


def measure_report(report: MeasureReport, *, examples: bool = False) -> b.Document:
    """The document of ``measure``: the log, measurements, gaps, and the effect on the verdict.

    The first screen has the model with its end, the bill, the latency, the failures, how often it
    works, and how much of the log was read; the rest are details.
    """
    before = report.before
    is_log = not report.arms
    first = log_rows(report, month_text(report)) if is_log else quick_rows(report)
    sections = [
        b.section("first", "", b.facts(first)),
        b.section("read", "", _read(report)),
    ]
    if examples:  # whoever asks for examples sees them first
        shown = b.section("examples", "Examples to learn from", _examples(report))
        sections.insert(0, shown)
    if before is not None:
        moved_by = b.bullets(_verdict(report.dossier, before))
        sections.append(b.section("verdict", "The verdict", moved_by))
    more = [*quick_rows(report)] if is_log else []
    rest = b.section("quick", "More of it", b.facts(more), detail=True)
    tables = (coverage_table(report.measured.readings), prompt_table(report))
    each = b.section("files", "By file and prompt", tables, detail=True)
    after = _after(report)
    return b.Document(
        "",
        heading(report) if is_log else opening(report),
        [*sections, rest, each, *_measurements(report)],
        after=after,
    )


def _after(report: MeasureReport) -> list[str]:
    """The next command, and the way to show the details."""
    case = argument(report.folder)
    after = [next_line(report, case)]
    if _best(report) is not None:
        target = f"tuneworthy answer {case} targets.quality.at_least=SHARE"
        after = [f"Next: {target}, then: tuneworthy decide {case}"]
    if not shows_details():
        after.append(REST)
    return after


def _measurements(report: MeasureReport) -> Iterator[b.Section]:
    """Two sections of details: the measurements, and what each missing measurement needs."""
    evidence = report.dossier.evidence
    ids = {m.id for m in report.measured.evidence if m.is_known}
    some = () if isinstance(evidence, Unknown) else [e for e in evidence if e.id in ids]
    rows = evidence_rows(report.dossier, some)
    title = "Measured, with 95% intervals"
    cells = "{title} | {value} | {bears}"
    table = b.records(title, "Measured | Value | What it says", cells, rows, quiet=True)
    yield b.section("measured", title, table, detail=True)
    asks: dict[str, list[str]] = {}
    for measurement in report.measured.evidence:
        if isinstance(measurement.value, Unknown):
            asks.setdefault(measurement.value.ask, []).append(
                measured_name(measurement.id)
            )
    lacking = b.bullets(f"{', '.join(names)}: {ask}" for ask, names in asks.items())
    title = "Not measured, and what would be needed"
    yield b.section("open", title, lacking if asks else "", detail=True)


def opening(report: MeasureReport) -> str:
    """Say in one sentence how much was read, from which tool, and of which days."""
    counts = ((report.count(measure), noun) for measure, noun in _COUNTS.values())
    parts = [_size(report), *(counted(n, noun) for n, noun in counts if n is not None)]
    formats = dict.fromkeys(r.format for r in report.measured.readings if r.traces)
    every = (day for m in report.measured.evidence for day in (m.since, m.observed_on))
    days = sorted({day for day in every if day is not None})
    beside = [*formats, *([between_days(days[0], days[-1])] if days else [])]
    measured = ""
    for result in report.measured.evidence:
        part = result.details.get("drawn_share")
        if isinstance(part, float) and part:
            measured = (
                f". Measured {100 * part:g}% of their conversations, drawn by hash"
            )
            break  # one draw holds for all of them
    return f"Read {', '.join(parts)}{measured} ({', '.join(beside)})."


def _size(report: MeasureReport) -> str:
    """The number of traces; for a test, of answers, and of cases if every prompt ran on the same."""
    arms = report.series("arms")
    traces = sum(reading.traces for reading in report.measured.readings)
    if arms is None:
        return counted(traces, "trace")
    answers = counted(traces, "answer")
    same = (
        report.arms == 1
        or report.measurement("best_arm_lead").details.get("same_cases") is True
    )
    if not same or _not_compared(report):
        return answers
    return f"{answers} to {counted(max(map(float, arms.columns['cases'])), 'case')}"


def _read(report: MeasureReport) -> Iterator[b.Parts]:
    """Each source with its count, and the records it left out: how many, why, and where."""
    lines = []
    for reading in report.measured.readings:
        for skipped in reading.skipped:
            records = counted(skipped.n, "record")
            what = records if skipped.in_part else f"left out {records},"
            more = ["…"] if skipped.n > len(skipped.where[:3]) else []
            if skipped.where:
                places = f": {', '.join([*skipped.where[:3], *more])}"
            else:
                places = ""
            lines.append(f"{what} {skipped.predicate}{places}")
    yield coverage_line(report.measured.readings)
    yield unread_line(report)
    yield b.bullets(lines)
    for name, rows in report.guessed.items():
        if report.before is None:
            where = f"{report.folder}/map.yaml"
        else:
            where = "a file for --map"
        yield f"The fields of {name} are a guess. If these are not its records, correct {where}:"
        yield b.bullets(rows)
    if report.before is None:
        yield f"Wrote {report.folder}/"
    elif not report.added:
        yield "The same was measured before: nothing is added to the ledger."


def _answers(dossier: Dossier) -> dict[str, CheckResult | FactorResult | SignalResult]:
    return {**dossier.ceiling.checks, **dossier.factors, **dossier.signals}


def _verdict(after: Dossier, before: Dossier) -> Iterator[str]:
    """Lines on what the measurements changed in the verdict."""
    yield f"answer: {moved(*(ANSWER_WORDS[d.verdict.answer] for d in (before, after)))}"
    were = _answers(before)
    changes = [
        f"{answer.title} {were[name].state} → {answer.state}"
        for name, answer in _answers(after).items()
        if name in were and were[name].state != answer.state
    ]
    if changes:
        more = [f"and {few(len(changes) - 8)} more"] if len(changes) > 8 else []
        yield f"changed: {', '.join([*changes[:8], *more])}"
    ids = [challenge.id for challenge in after.challenges]
    if against := sum(name.startswith(("measured_", "need_")) for name in ids):
        verb = "doesn't" if against == 1 else "don't"
        yield f"{several(against, 'statement')} {verb} fit what was measured"
    if "evidence_old" in ids:
        yield "the measurements are old: measure newer data"


def _examples(report: MeasureReport) -> Iterator[b.Parts]:
    """The examples that a log would give, and why others were left out."""
    usable = report.known_measurement("usable_examples")
    series = report.series("examples_waterfall")
    if usable is None or series is None:
        yield b.Todo(
            report.ask("usable_examples", "log `output`, what the model wrote")
        )
        return
    yield steps_table(series, quiet=True)
    if isinstance(usable.high, float) and usable.high > usable.number:
        yield "Over half are near copies, perhaps from a template: this count gives no conclusion"
    need = report.detail("usable_examples", "need")
    have = usable.number
    if need is None:
        yield "How many are needed depends on the approach: state a goal in the case"
    else:
        candidates = f"Here are {count(have)} candidates that nobody has reviewed"
        yield f"The approach of the primary goal needs {count(need)}. {candidates} (data.training)"
    personal = usable.details.get("personal_share")
    if isinstance(personal, float) and personal > 0 and usable.low is not None:
        yield (
            f"{share(personal)} of those looked at hold personal or secret data: at least "
            f"{count(usable.low)} are usable as they are, the rest after cleaning"
        )
    samples: dict[str, list[str]] = {}
    for sample in usable.examples:
        reason, sign, text = sample.partition(": ")
        why, rest = (STEPS[reason], text) if sign and reason in STEPS else ("", sample)
        samples.setdefault(f"Left out: {why}", []).append(rest or "(empty)")
    yield from (b.part(title, b.bullets(texts)) for title, texts in samples.items())


_EXAMPLE_CALLS = 10_000
_MILLION = 1e6
#: Runs of the best prompt that its mean cost takes: as many as any measurement.
ENOUGH_RUNS = 20

_LOG = "log the `usd` of every call, or its `model`, `input_tokens` and `output_tokens`"


def month_text(report: MeasureReport) -> str:
    """The bill of a month, which is the most that tuning could save."""
    cost = _cost(report)
    if _month(report) is None and cost is None:
        return f"unknown: {_bill_lacks(report)}"
    usd_per_call, how = cost or ((0.0, 0.0, 0.0), _by_list(report))
    return (
        f"{_of_a_month(report, usd_per_call[0])}{how}: the most that tuning could save"
    )


def _month(report: MeasureReport) -> Evidence | None:
    """The bill of a month, as reported, or by list price; None where both are unknown."""
    return report.known_measurement("usd_per_month") or report.known_measurement(
        "listed_usd_per_month"
    )


def _by_list(report: MeasureReport) -> str:
    """Words for a bill that is computed from list prices, as its calls state no price; else empty."""
    if not report.detail("usd_per_request", "by_list"):
        return ""
    catalogue = f" ({report.price.catalogue})" if report.price is not None else ""
    return f" by list price{catalogue}"


def _of_a_month(report: MeasureReport, usd_per_call: float) -> str:
    """The cost of a month, or the cost of a call where the traffic of a month is unknown."""
    month = _month(report)
    if month is None or report.arms:
        return _monthly(report, usd_per_call)
    least = "at least " if month.high == "open" else ""
    return f"{least}{small_usd(month.number)} per month"


def bill_text(report: MeasureReport) -> str:
    """The price of a call, or what is missing to know it."""
    cost = _cost(report)
    if cost is None:
        return f"unknown: {_bill_lacks(report)}"
    usd_per_call, how = cost
    beside = _of_a_month(report, usd_per_call[0])
    value, low, high = map(small_usd, usd_per_call)
    ends = f" ({low}–{high})" if {low, high} != {value} else ""
    return f"{value}{ends} a call{how}, {beside}. No tuning can save more than the whole bill"


def answers_text(report: MeasureReport) -> str:
    """Say what kind of answers the log has, and what that calls for; empty where it is unknown."""
    form = report.known_measurement("fixed_form_share")
    facts = report.known_measurement("own_facts_share")
    copied = report.known_measurement("copied_share")
    repeated = report.known_measurement("repeated_answer_share")
    parts = []
    if form is not None and form.number >= _MOSTLY:
        kinds = [
            (form.details[kind], name) for kind, name in _FORMS if kind in form.details
        ]
        forms = listing([name for _, name in sorted(kinds, reverse=True)])
        parts.append(
            f"{share(form.number)} are {forms}: a fixed form, which examples teach"
        )
    elif facts is not None and facts.number >= _MOSTLY:
        text = f"{share(facts.number)} in prose state a number or a name that nothing they were "
        parts.append(f"{text}given holds: facts, which belong in retrieval")
    if repeated is not None and repeated.number >= _MOSTLY:
        parts.append(
            f"{share(repeated.number)} in prose are another conversation's, word for word"
        )
    if copied is not None and copied.number >= _MOSTLY:
        parts.append(
            f"{share(copied.number)} are copied from a passage, for the most part"
        )
    return "; ".join(parts)


def texts_text(report: MeasureReport) -> str:
    """The length of questions and answers, and the advice for several languages."""
    parts = []
    for name in ("question", "answer"):
        length = report.known_measurement(f"{name}_characters")
        if length is not None:
            text = interval_text(length.value, length.low, length.high, "characters")
            late, low, high = (report.detail(length.id, f"p95{end}") for end in _ENDS)
            if None not in (late, low, high):
                text += f", 95th percentile {interval_text(late, low, high, '')}"
            parts.append(f"{name}s: median {text}")
    other = report.known_measurement("other_language_share")
    series = report.series("languages")
    if other is not None and series is not None and float(other.low or 0) >= _SOME:
        first, *others = series.columns["language"]
        often = zip(others, series.columns["value"][1:], strict=True)
        codes = listing(
            [str(code) for code, value in often if float(value) >= _SOME] or ["others"]
        )
        text = interval_text(other.value, other.low, other.high, "share")
        parts.append(
            f"{text} of the {count(other.n)} questions with a known language aren't in {first} "
            f"but in {codes}: examples and the evaluation set need each language"
        )
    for name, what in _GAPS.items():
        gap = report.known_measurement(name)
        if gap is not None and float(gap.low or 0) >= _SOME:
            interval = interval_text(gap.value, gap.low, gap.high, "share")
            parts.append(f"{interval} {what}")
    return ". ".join(map(capital, parts))


def caching_text(report: MeasureReport) -> str:
    """The share of tokens that a cache could read, and the money that would save."""
    cacheable = report.known_measurement("cacheable_share")
    cached = report.known_measurement("cached_share")
    if cacheable is None:
        return (
            f"unknown: {report.ask('cacheable_share', 'log messages with a timestamp')}"
        )
    unit = "share of input tokens"
    text = interval_text(cacheable.value, cacheable.low, cacheable.high, unit)
    today = f", and {share(cached.number)} is today" if cached else ""
    more = cacheable.number - (cached.number if cached else 0.0)
    price = report.price
    tokens = _tokens(report, "input_tokens")
    worth = ""
    if (
        price is not None
        and price.cached_input is not None
        and tokens is not None
        and more > 0
    ):
        saved = more * tokens.number * (price.input - price.cached_input) / _MILLION
        worth = f". That would save {_monthly(report, saved)} by list price"
    return f"{text} could be read from a cache{today}{worth}"


def _monthly(report: MeasureReport, usd_per_call: float) -> str:
    """A cost per call as a cost per month; for an example volume where the volume is unknown."""
    volume = report.known_measurement("requests_per_month")
    if volume is None or report.arms or volume.number < 1:
        amount = small_usd(usd_per_call * _EXAMPLE_CALLS)
        return f"{amount} per month at {count(_EXAMPLE_CALLS)} calls"
    least = "at least " if volume.high == "open" else ""
    return f"{least}{small_usd(usd_per_call * volume.number)} per month"


def _cost(report: MeasureReport) -> tuple[tuple[float, float, float], str] | None:
    """USD per call with its ends: as reported for the best arm or for all, or by list price."""
    best = report.measurement("best_arm_share").details
    reported = (best.get(f"best_usd_per_run{end}") for end in ("", "_low", "_high"))
    usd_per_run = [float(end) for end in reported if isinstance(end, int | float)]
    runs = report.detail("best_arm_share", "best_runs") or 0
    if report.arms > 1 and runs >= ENOUGH_RUNS and len(usd_per_run) == 3:
        return (usd_per_run[0], usd_per_run[1], usd_per_run[2]), " with the best"
    logged = report.known_measurement("usd_per_request")
    if (
        logged is not None
        and logged.low is not None
        and isinstance(logged.high, int | float)
    ):
        if logged.details.get("by_list"):
            by_list = f" by list price ({catalogue()})"
        else:
            by_list = ""
        return (logged.number, logged.low, logged.high), by_list
    price = report.price
    cached = report.known_measurement("cached_share")
    read = _tokens(report, "input_tokens")
    written = _tokens(report, "output_tokens")
    if price is None or read is None or written is None:
        return None
    if cached is not None and price.cached_input is not None:
        part = cached.number
    else:
        part = 0.0
    per_input = price.input * (1 - part) + (price.cached_input or 0.0) * part
    middle, low, high = (
        (tokens_in * per_input + tokens_out * price.output) / _MILLION
        for tokens_in, tokens_out in zip(_ends(read), _ends(written), strict=True)
    )
    over = ", over all that were tried" if report.arms > 1 else ""
    return (middle, low, high), f" by list price ({price.catalogue}){over}"


def _tokens(report: MeasureReport, name: str) -> Evidence | None:
    """Tokens as reported, else as estimated; None where both are unknown."""
    return report.known_measurement(name) or report.known_measurement(
        f"{name}_estimate"
    )


def _ends(evidence: Evidence) -> tuple[float, float, float]:
    high = evidence.high if isinstance(evidence.high, int | float) else math.inf
    return evidence.number, evidence.low or 0.0, float(high)


def _bill_lacks(report: MeasureReport) -> str:
    """The log entries that are missing to know the bill."""
    per_request = report.measurement("usd_per_request")
    if per_request.details and not per_request.is_known:
        return report.ask("usd_per_request", _LOG)
    names = ("input_tokens", "output_tokens")
    tokens = []
    for name in names:
        length = _tokens(report, name)
        if not length:
            return f"{report.ask(name, _LOG)}, or log the `usd` of every call"
        tokens.append(length)
    if len(report.models) > 1:
        answered = (
            f"{few(len(report.models))} models answered, at different list prices"
        )
        return f"log the `usd` of every call: {answered}"
    if report.models:
        name = report.models[0]
        maker = next(
            (m for start, m in _MAKERS.items() if name.startswith(start)), "openai"
        )
        how = "" if ":" in name else f". Name it with its provider, as {maker}:{name}"
        return f"log the `usd` of every call: no list price is known for {name}{how}"
    if all(length.details.get("reported") for length in tokens):
        guessed = ""
    else:
        guessed = "about "
    takes = " tokens in and ".join(count(length.number) for length in tokens)
    whose = "but whose they are isn't logged: log its `model`, or its `usd`"
    return f"a call takes {guessed}{takes} out, {whose}"


_MAKERS = {
    "claude": "anthropic",
    "gemini": "google",
    "mistral": "mistral",
    "command": "cohere",
}
_LONGEST_NAME = 40
_MOSTLY = 0.5  # share of answers from which on a sentence mentions them
_ENDS = ("", "_low", "_high")
_SOME = 0.01  # share of questions from which on a language is named
_GAPS = {
    "evalset_language_gap": "are in a language of which the evaluation set has no case",
    "evalset_length_gap": "are longer than every case of the evaluation set",
}
_FORMS = (
    ("label", "labels"),
    ("json", "JSON"),
    ("sql", "SQL"),
    ("tool_call", "calls of tools"),
)
_MOST_TESTS = 5
_COUNTS = {
    "prompt_variations": ("distinct_prompts", "prompt"),
    "foundation_models": ("models_seen", "model"),
}
"""Checks that a count answers: the measurement, and the noun for the count."""


def quick_rows(report: MeasureReport) -> Rows:
    """Label and text of each row: the best arm, the bill, caching, the ceiling, the deciding facts."""
    arms = report.series("arms")
    if arms is not None:
        yield from _arm_rows(report, arms)
    elif success := report.known_measurement("success_share"):
        text = interval_text(success.value, success.low, success.high, success.unit)
        rated = report.detail("success_share", "labelled_share")
        if rated and rated < 1 and report.detail("success_share", "tested_share") != 1:
            text += (
                f", of the {share(rated)} of answers that were rated: no sample of all"
            )
        yield "Success", text
    else:
        ask = report.ask("success_share", "label some outputs as right or wrong")
        yield "Success", sentence(f"unknown: {ask}")
    if shown := answers_text(report):
        yield "The answers", sentence(shown)
    if shown := texts_text(report):
        yield "The texts", sentence(shown)
    yield "The bill", sentence(bill_text(report))
    yield "Caching", sentence(caching_text(report))
    if report.dossier.ceiling.checks:
        yield "The ceiling", _ceiling(report)
    yield "What decides", sentence(_decides(report))


def _arm_rows(report: MeasureReport, arms: Series) -> Rows:
    """The best arm, the next, and whether they can be distinguished; or the best of each test."""
    if (tests := arms.columns.get("test")) is not None:
        firsts = [
            place for place, test in enumerate(tests) if test not in tests[:place]
        ]
        for place in firsts[:_MOST_TESTS]:
            best = ""
            if tests.count(tests[place]) > 1:
                best = "best so far: "
            yield f"Test {tests[place]}", f"{best}{_arm(arms, place)}"
        ask = report.ask("best_arm_share", "measure each test by itself")
        yield "Not compared", sentence(ask)
        return
    yield ("Best so far" if report.arms > 1 else "So far"), _arm(arms, 0)
    if report.arms > 1:
        yield "Next best", _arm(arms, 1)
        yield "Difference", sentence(_apart(report))
    if more := _not_compared(report):
        yield (
            "Not compared",
            sentence(f"{few(more)} more, which share no case with these"),
        )


def _not_compared(report: MeasureReport) -> int:
    """The number of prompts with models that weren't compared."""
    every = report.detail("best_arm_share", "arms")
    return 0 if every is None else int(every) - report.arms


def _arm(arms: Series, place: int) -> str:
    """One arm of a log in words: its name, quality, cases and failed calls."""
    values = {name: column[place] for name, column in arms.columns.items()}
    prompt, model = (
        cut(str(values.get(key, "")), _LONGEST_NAME) for key in ("prompt", "model")
    )
    parts = (f'prompt "{prompt}"' if prompt else "", f"on {model}" if model else "")
    name = " ".join(filter(None, parts)) or "the prompt"
    ends = (float(values[key]) for key in ("value", "low_of_all", "high_of_all"))
    errors = int(values.get("errors", 0))
    if errors:
        lost = (
            f". {capital(few(errors))} of {count(float(values['runs']))} calls failed"
        )
    else:
        lost = ""
    return f"{name}: {quality_interval(*ends)} on {counted(float(values['cases']), 'case')}{lost}"


def _apart(report: MeasureReport) -> str:
    """The difference of the two best arms, and how many more cases would distinguish them."""
    lead = report.measurement("best_arm_lead")
    apart = lead.details.get("told_apart")
    needed = report.detail("best_arm_lead", "cases_needed")
    if not lead.is_known or lead.low is None or not isinstance(lead.high, int | float):
        return report.ask("best_arm_lead", "can't be distinguished")
    lost = ""
    if lead.details.get("best_errors") or lead.details.get("next_errors"):
        lost = " where both answered"
    ends = f"{signed(lead.number)}{lost} ({signed(lead.low)} to {signed(lead.high)}), "
    if apart == "yes":
        return f"{ends}distinguished"
    if needed is None or needed <= lead.n:
        return f"{ends}can't be distinguished by more such cases"
    more = int(needed) - lead.n
    noun, verb = ("case", "is") if more == 1 else ("cases", "are")
    return f"{ends}can't be distinguished: about {count(more)} more paired {noun} {verb} needed"


def _ceiling(report: MeasureReport) -> str:
    """Say how many checks data answered, what it shows of the others, and how to answer the rest."""
    ceiling = report.dossier.ceiling
    checks = [check for check in ceiling.checks.values() if check.state != "unknown"]
    answered = sum(check.source == "measured" for check in checks)
    seen = []
    for name in (name for name in _COUNTS if name in ceiling.checks):
        measure, noun = _COUNTS[name]
        if number := report.count(measure):
            wanted = report.wanted.get(name, 0)
            short = f" of {count(wanted)} wanted, others may have been tried"
            seen.append(f"{counted(number, noun)}{short if number < wanted else ''}")
    of_all = f"{few(answered) if answered else 'none'} of the {few(len(ceiling.checks))} checks"
    first = f"{of_all} {'is' if answered <= 1 else 'are'} answered by data"
    if stated := len(checks) - answered:
        first += f", {few(stated)} stated"
    if seen:
        first += f" (seen: {'; '.join(seen)})"
    more = f"tuneworthy interview {argument(report.folder)}"
    reached = {
        "yes": ", and it is reached",
        "no": ", and it is not reached",
        "unknown": f", so it stays open: {more} asks for the rest",
    }
    return sentence(first + reached[ceiling.reached])


def _best(report: MeasureReport) -> Evidence | None:
    """The share of right answers that a target could be compared with.

    None where nobody measured one, or where a target or an answer exists already.
    """
    tested = report.detail("success_share", "tested_share") == 1
    met = report.dossier.factors.get("success_with_prompts")
    target = report.dossier.targets
    has_target = "quality" in target and not isinstance(
        target["quality"].limit, Unknown
    )
    if met is None or met.state != "unknown" or has_target:
        return None
    return report.known_measurement("best_arm_share") or (
        report.known_measurement("success_share") if tested else None
    )


def _decides(report: MeasureReport) -> str:
    """The question that decides next."""
    dossier = report.dossier
    best = _best(report)
    if best is not None:
        top = quality(float(best.high)) if isinstance(best.high, int | float) else "1"
        return (
            f"is {quality(best.number)} good enough? A target up to "
            f"{quality(float(best.low or 0))} is met already, one above {top} is missed, and in "
            "between more cases decide. State it as targets.quality.at_least"
        )
    if dossier.next_questions:
        return dossier.next_questions[0].ask
    now = dossier.verdict.now.removeprefix("Now: ")
    return now.replace("CASE", argument(report.folder))


# Two arms of results that were there already.


class ComparedReport(NamedTuple):
    """An arm compared with its baseline, on existing results."""

    arm: PromptArm
    baseline: PromptArm
    contrast: Contrast
    lacking: tuple[int, int]  #: Cases of the other that arm and baseline lack.
    margin: float  #: By how much the arm has to be better; below 0 by how much it may be worse.
    shared: bool  #: Whether cases that one of them lacks are left out.
    by_text: bool  #: Whether cases were matched by what was asked.

    @property
    def outcome(self) -> tuple[str, str]:
        """The outcome in the terms of ``verify``, and the reason."""
        contrast = self.contrast
        if isinstance(contrast.difference, Unknown):
            return "too_few_cases", "clusters"
        if contrast.low > self.margin:
            return ("no_worse" if self.margin < 0 else "improved"), "task"
        if contrast.high < min(0.0, self.margin):
            return "regressed", "task"
        if contrast.high <= self.margin:
            return "no_gain", "task"
        missing = self.arm.errors + self.baseline.errors
        if missing:
            return ("unknown", "unanswered")
        return ("too_few_cases", "interval")


_COMPARED = named("compared")


def compared_dict(report: ComparedReport) -> str:
    """The comparison of two arms as JSON."""
    contrast = report.contrast
    outcome, why = report.outcome
    fields = contrast.model_dump(mode="json", exclude={"first", "second"})
    arms = {"arm": report.arm, "baseline": report.baseline}
    return json_text(
        {
            "schema": "tuneworthy/compared/1",
            "outcome": outcome,
            "why": why,
            "margin": report.margin,
            "shared_cases_only": report.shared,
            "matched_by": "input" if report.by_text else "case",
            **fields,
            **{name: arm.model_dump(mode="json") for name, arm in arms.items()},
            "lacking": dict(zip(arms, report.lacking, strict=True)),
        }
    )


def compared_report(report: ComparedReport) -> b.Document:
    """Both arms with their intervals, the difference, and the conclusion."""
    contrast = report.contrast
    outcome, why = report.outcome
    apart = difference_text(contrast)
    margin = f"; margin {signed(report.margin)}" if report.margin else ""
    groups = f" from {counted(contrast.clusters, 'conversation or document')}"
    cases = f"{counted(contrast.n, 'case')}{groups if contrast.clusters < contrast.n else ''}"
    if report.by_text:
        by = "by what was asked, as no record names its case"
    else:
        by = "by their names"
    rows = [
        (title, _compared_arm(name, arm, lacking))
        for title, name, arm, lacking in (
            ("Arm", contrast.first, report.arm, report.lacking[0]),
            ("Baseline", contrast.second, report.baseline, report.lacking[1]),
        )
    ]
    rows += [
        ("Difference", f"{apart}{margin}"),
        ("Paired", f"on {cases}, matched {by}"),
    ]
    if why == "interval" and not isinstance(contrast.cases_needed, Unknown):
        needed = count(max(contrast.cases_needed, contrast.n + 1))
        rows.append(
            ("Needed", f"about {needed} cases, to tell that difference from zero")
        )
    if any(report.lacking):
        rows.append(("Lacking", "counts as failed. --shared leaves such cases out"))
    rows.append(
        (
            "Not seen",
            "how these cases were chosen, and general skills: it is not evidence of a case",
        )
    )
    headline = sentence(_COMPARED.get(outcome) or _COMPARED[why])
    return b.Document("", headline, [b.section("compared", "", b.facts(rows))])


def _compared_arm(name: str, arm: PromptArm, lacking: int) -> str:
    text = f"{name}: {quality_interval(arm.value, arm.low, arm.high)} on {counted(arm.cases, 'case')}"
    if failed := arm.errors - lacking:
        calls = counted(arm.runs - lacking, "call")
        text += f". {capital(few(failed))} of {calls} failed or have no score"
    return text + (f". {counted(lacking, 'case')} lacking" if lacking else "")
