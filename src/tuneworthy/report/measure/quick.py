"""The rows of the five-minute page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuneworthy.domain.evidence import Evidence, Series
from tuneworthy.report.evidence.values import interval_text
from tuneworthy.report.layout import safe
from tuneworthy.report.measure.bill import bill_text, caching_text
from tuneworthy.report.measure.found import Found
from tuneworthy.report.words import count, counted, few, listing, quality, sentence

_LONGEST_NAME = 40
_MOST_TESTS = 5
_COUNTS = {
    "prompt_variations": ("distinct_prompts", "prompt"),
    "foundation_models": ("models_seen", "model"),
}
"""Checks that a count answers: the measurement, and what it counts."""


def opening(found: Found) -> str:
    """What was read in one sentence: how much of what, from which tool, of which days."""
    parts = [_size(found)]
    for measure, noun in _COUNTS.values():
        number = found.count(measure)
        if number is not None:
            parts.append(counted(number, noun))
    formats = dict.fromkeys(one.format for one in found.measured.readings if one.traces)
    days = sorted({day for one in found.measured.evidence
                   for day in (one.since, one.observed_on) if day is not None})  # fmt: skip
    beside = [*formats]
    if days:
        beside.append(f"{days[0]} to {days[-1]}" if len(days) > 1 else str(days[0]))
    return safe(f"Read {', '.join(parts)} ({', '.join(beside)}).")


def _size(found: Found) -> str:
    """Traces; of a test, answers, and to how many cases where every prompt was run on the same."""
    arms = found.series("arms")
    traces = sum(one.traces for one in found.measured.readings)
    if arms is None:
        return counted(traces, "trace")
    told = counted(traces, "answer")
    same = found.arms == 1 or found.details("best_arm_lead").get("same_cases") is True
    same = same and not _others(found)
    return f"{told} to {counted(float(arms.columns['cases'][0]), 'case')}" if same else told


def quick_rows(found: Found) -> list[tuple[str, str]]:
    """Label and text of each row: what is best, the bill, caching, the ceiling, what decides."""
    return [
        *_arms(found),
        ("The bill", sentence(bill_text(found))),
        ("Caching", sentence(caching_text(found))),
        *_ceiling(found),
        ("What decides", sentence(_decides(found))),
    ]


def _arms(found: Found) -> Iterator[tuple[str, str]]:
    """The best arm, the next, and whether they can be told apart."""
    arms = found.series("arms")
    if arms is None:
        one = found.one("success_share")
        ask = found.ask("success_share", "label some outputs as right or wrong")
        yield "Success", _with_interval(one) if one is not None else sentence(f"unknown: {ask}")
        return
    if (tests := arms.columns.get("test")) is not None:
        yield from _tests(found, arms, tests)
        return
    yield ("Best so far" if found.arms > 1 else "So far"), _arm(arms, 0)
    if found.arms > 1:
        yield "Next best", _arm(arms, 1)
        yield "", sentence(_apart(found))
    if others := _others(found):
        yield "", sentence(f"{few(others)} more can't be compared: they share no case with these")


def _tests(found: Found, arms: Series, tests: Sequence[object]) -> Iterator[tuple[str, str]]:
    """The best of each of the first tests, and that these can't be compared."""
    firsts = [place for place, test in enumerate(tests) if test not in tests[:place]]
    for place in firsts[:_MOST_TESTS]:
        several = tests.count(tests[place]) > 1
        yield f"Test {tests[place]}", f"{'best so far: ' * several}{_arm(arms, place)}"
    yield "", sentence(found.ask("best_arm_share", "measure each test by itself"))


def _others(found: Found) -> int:
    """Prompts with models that aren't among those compared."""
    told = found.details("best_arm_share").get("arms")
    return int(told) - found.arms if isinstance(told, int | float) else 0


def _with_interval(one: Evidence) -> str:
    return interval_text(one.value, one.low, one.high, one.unit)


def _arm(arms: Series, place: int) -> str:
    names = {name: values[place] for name, values in arms.columns.items()}
    prompt = f'prompt "{_short(names["prompt"])}"' if names.get("prompt") else ""
    model = f"on {_short(names['model'])}" if names.get("model") else ""
    called = " ".join(part for part in (prompt, model) if part) or "the prompt"
    low, high = float(names["low_of_all"]), float(names["high_of_all"])
    cases = counted(float(names["cases"]), "case")
    score = f"{quality(float(names['value']))} ({quality(low)}–{quality(high)})"
    return f"{called}: {score} on {cases}"


def _short(name: object) -> str:
    flat = safe(" ".join(str(name).split()))
    return flat if len(flat) <= _LONGEST_NAME else flat[: _LONGEST_NAME - 1] + "…"


def _apart(found: Found) -> str:
    """Whether the two best can be told apart, and how many more cases that would take."""
    told = found.details("best_arm_lead")
    if told.get("told_apart") == "yes":
        return "told apart: the interval of the difference lies above zero"
    if "told_apart" not in told:
        return found.ask("best_arm_lead", "not told apart")
    needed, paired = told.get("cases_needed"), _paired(found)
    if not isinstance(needed, int | float) or paired is None:
        return "not told apart, and no number of cases would tell while they differ so little"
    more = max(1, int(needed) - paired)
    noun = "paired case" if more == 1 else "paired cases"
    verb = "is" if more == 1 else "are"
    return f"not told apart: about {count(more)} more {noun} {verb} needed"


def _paired(found: Found) -> int | None:
    return next((one.n for one in found.measured.evidence if one.id == "best_arm_lead"), None)


def _ceiling(found: Found) -> Iterator[tuple[str, str]]:
    """How many checks are answered, and by which counts."""
    ceiling = found.dossier.ceiling
    if not ceiling.checks:
        return
    answered = [name for name, one in ceiling.checks.items() if one.state != "unknown"]
    verb = "is" if len(answered) <= 1 else "are"
    who = "none" if not answered else few(len(answered))
    first = f"{who} of the {few(len(ceiling.checks))} checks {verb} answered by this"
    counts = [_count(found, name) for name in answered]
    beside = f": {listing([one for one in counts if one])}" if any(counts) else ""
    reached = {
        "yes": "It is reached",
        "no": "It is not reached",
        "unknown": "Whether it is reached stays open",
    }
    yield "The ceiling", f"{sentence(first + beside)} {reached[ceiling.reached]}."


def _count(found: Found, check: str) -> str:
    measure, noun = _COUNTS.get(check, ("", ""))
    number, wanted = found.count(measure), found.wanted.get(check)
    if number is None:
        return ""
    said = counted(number, noun)
    return said if wanted is None or number >= wanted else f"{said} ({count(wanted)} wanted)"


def _decides(found: Found) -> str:
    """The one answer that would change the verdict."""
    dossier = found.dossier
    best = found.one("best_arm_share") or found.one("success_share")
    met = dossier.factors.get("success_with_prompts")
    if best is not None and met is not None and met.state == "unknown":
        low = float(best.low or 0)
        top = quality(float(best.high)) if isinstance(best.high, int | float) else "1"
        return (
            f"is {quality(best.number)} good enough? A target up to {quality(low)} is met "
            f"already, one above {top} is missed, and in between more cases decide. State it as "
            "targets.quality.at_least"
        )
    if dossier.next_questions:
        return safe(dossier.next_questions[0].ask)
    return safe(dossier.verdict.next)
