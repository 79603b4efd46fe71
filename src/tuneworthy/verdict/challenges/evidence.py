"""Measurements compared with statements, and the age of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tuneworthy.answers.facts import CaseFacts, RaisedChallenge, contradiction, doubt
from tuneworthy.answers.weigh import LimitCheck, readings, settled, side_of, tried
from tuneworthy.model.base import DAYS_PER_MONTH, State
from tuneworthy.model.dossier import Replaced
from tuneworthy.words import (
    capital,
    day,
    few,
    interval_text,
    listing,
    plain,
    sentence,
    several,
)


@contradiction
def measured_against_answer(facts: CaseFacts) -> RaisedChallenge | None:
    """An answer, and a measurement of the opposite."""
    against = {}
    for path, stated in _stated_answers(facts):
        name = path.split(".")[1]
        if facts.source(name) != "measured" or stated in ("unknown", facts.state(name)):
            continue
        answer = settled(name, facts.case, facts.framework, facts.findings.ledger)
        assert answer is not None  # a measurement is where it comes from
        _, reading = answer
        title = capital(plain(name))
        against[path] = (
            f"“{title}” is answered {stated}. Measured: {_measured_text(reading)}."
        )
    if len(against) == 1:
        counts = "The measurement counts."
    else:
        counts = "The measurements count."
    if not against:
        return None
    return RaisedChallenge(
        between=(*against, "evidence"),
        says=f"{' '.join(against.values())} {counts}",
        settle="Correct the answer, or say what the data leaves out",
    )


def _stated_answers(facts: CaseFacts) -> Iterator[tuple[str, State]]:
    """Every stated answer, with its path."""
    for name, check in facts.case.ceiling.items():
        rule = facts.framework.ceiling.get(name)
        if check.count is not None and rule is not None and rule.at_least is not None:
            yield f"ceiling.{name}", "yes" if check.count >= rule.at_least else "no"
        else:
            yield f"ceiling.{name}", check.value
    yield from (
        (f"factors.{name}", answer.value) for name, answer in facts.case.factors.items()
    )
    yield from (
        (f"signals.{name}", answer.value) for name, answer in facts.case.signals.items()
    )


def _measured_text(reading: LimitCheck) -> str:
    """A measurement in words: ``outputs out of format: 9% (8–11%) of outputs``."""
    if reading.title:
        return f"{reading.title}: {reading.interval}"
    return reading.interval


@contradiction
def measured_against_number(facts: CaseFacts) -> RaisedChallenge | None:
    """A stated number, and a measured one that clearly differs."""
    tolerance = facts.framework.threshold("stated_tolerance")
    apart = dict[str, str]()
    for number in facts.findings.replaced:
        if (
            tolerance is None
            or number.stated is None
            or not _clearly_differ(number, tolerance)
        ):
            continue
        low, high = number.stated
        measured = number.evidence
        stated = interval_text(low, low, high, measured.unit)
        name = plain(number.path.rsplit(".", 1)[-1])
        seen = LimitCheck(measured, None).interval
        apart[number.path] = f"{name}: stated {stated}, measured {seen}"
    if len(apart) == 1:
        which = "The measured one counts."
    else:
        which = "The measured ones count."
    if not apart:
        return None
    return RaisedChallenge(
        between=(*apart, "evidence"),
        says=f"{sentence(', and '.join(apart.values()))} {which}",
        settle="Correct the number in the case file",
    )


def _clearly_differ(number: Replaced, tolerance: float) -> bool:
    """Whether two ranges are farther apart than a share of the measured value."""
    low = number.evidence.low
    high = number.evidence.high
    if number.stated is None or low is None or not isinstance(high, float | int):
        return False
    stated_low, stated_high = number.stated
    gap = max(low - stated_high, stated_low - high)
    return gap > tolerance * max(abs(low), abs(high))


@doubt
def measured_beside_answer(facts: CaseFacts) -> RaisedChallenge | None:
    """An answer, and a measurement that points the other way but can't settle it."""
    contrary = next(_find_contrary(facts), None)
    if contrary is None:
        return None
    name = plain(contrary.path.split(".")[1])
    return RaisedChallenge(
        between=(contrary.path, "evidence"),
        says=(
            f"{name} is answered {contrary.stated}, but measured {contrary.measured}. "
            f"The answer stands, as {contrary.why_not}."
        ),
        settle="Look at what was counted, then correct the answer or keep it",
    )


@dataclass(frozen=True, slots=True)
class _ContraryMeasurement:
    """A measurement that points the other way than an answer and can't settle it."""

    path: str  #: Of the answer.
    stated: State
    measured: str  #: In words.
    why_not: str  #: Why it settles nothing.


def _find_contrary(facts: CaseFacts) -> Iterator[_ContraryMeasurement]:
    """Every measurement beside an answer that it contradicts and can't settle."""
    framework = facts.framework
    ledger = facts.findings.ledger
    for path, stated in _stated_answers(facts):
        room, name = path.split(".")
        if stated == "unknown" or facts.source(name) == "measured":
            continue
        if name in framework.ceiling and stated == "no":
            done = tried(name, framework, ledger)
            if done is not None:
                yield _ContraryMeasurement(
                    path,
                    stated,
                    done.interval,
                    "a log doesn't show what was compared",
                )
        rated = ledger.get("success_share")
        limit = facts.limits.get("quality")
        if name == "success_with_prompts" and rated is not None and limit is not None:
            share = LimitCheck(rated, None).interval
            if side_of(rated, limit) not in ("unknown", stated):
                yield _ContraryMeasurement(
                    path,
                    stated,
                    f"{share} rated good",
                    "those who rate are not a random sample",
                )
        if room != "signals":
            continue
        for side, reading in readings(name, "supports", framework, ledger):
            if side not in ("unknown", stated):
                yield _ContraryMeasurement(
                    path,
                    stated,
                    _measured_text(reading),
                    "that alone doesn't show why",
                )


@doubt
def need_without_support(facts: CaseFacts) -> RaisedChallenge | None:
    """A stated need, and a measurement against it."""
    need = _find_contrary_need(facts, stated="yes", measured="no")
    if need is None:
        return None
    path, name, measured = need
    return RaisedChallenge(
        between=(path, "evidence"),
        says=(
            f"{name} is answered yes, and the data shows little of it, {measured}. "
            "The answer stands, because logs don't settle a need."
        ),
        settle="Say what the need rests on: a law, a contract, a policy",
    )


@doubt
def need_seen_in_data(facts: CaseFacts) -> RaisedChallenge | None:
    """A denied need, and a measurement for it."""
    need = _find_contrary_need(facts, stated="no", measured="yes")
    if need is None:
        return None
    path, name, measured = need
    return RaisedChallenge(
        between=(path, "evidence"),
        says=f"{name} is answered no, but measured {measured}.",
        settle=(
            "Ask the person responsible for data protection whether this data may be sent where it is "
            "sent today"
        ),
    )


def _find_contrary_need(
    facts: CaseFacts, *, stated: State, measured: State
) -> tuple[str, str, str] | None:
    """The first factor whose measurements contradict its answer: path, name, and measurement."""
    framework = facts.framework
    ledger = facts.findings.ledger
    for factor in (name for name in framework.factors if facts.state(name) == stated):
        for side, reading in readings(factor, "supports", framework, ledger):
            if side == measured:
                return f"factors.{factor}", plain(factor), _measured_text(reading)
    return None


@doubt
def evidence_old(facts: CaseFacts) -> RaisedChallenge | None:
    """A measurement on data that ended long ago."""
    limit = facts.framework.threshold("evidence_age")
    today = facts.findings.as_of
    days = [
        number.observed_on
        for number in facts.findings.ledger.values()
        if number.observed_on
    ]
    if limit is None or today is None or not days:
        return None
    months = (today - max(days)).days / DAYS_PER_MONTH
    if months <= limit:
        return None
    return RaisedChallenge(
        between=("evidence",),
        says=(
            f"The newest data that was measured ends on {day(max(days))}, {few(round(months))} months "
            "ago."
        ),
        settle="Measure again on newer data",
    )


@doubt
def evidence_changed(facts: CaseFacts) -> RaisedChallenge | None:
    """A file was changed after it was measured, so the measurement is of the earlier file."""
    ledger = facts.findings.ledger
    changed = sorted({path for item in ledger.values() for path in item.changed})
    old = [name for name, item in ledger.items() if item.changed]
    rests = [plain(name) for name in _rest_on(facts, old)]
    what = _list_files(changed)
    carries = f". The answer takes {listing(rests[:5])} from there" if rests else ""
    if not changed:
        return None
    return RaisedChallenge(
        between=("evidence",),
        says=(
            f"{several(len(old), 'measurement')} {'is' if len(old) == 1 else 'are'} of an earlier "
            f"version of {what}{carries}."
        ),
        settle="Measure again: what was measured counts until then",
    )


@doubt
def evidence_unchecked(facts: CaseFacts) -> RaisedChallenge | None:
    """Measurements that nobody can check: made elsewhere, or without their files."""
    ledger = facts.findings.ledger
    brought = [name for name, item in ledger.items() if item.brought]
    alone = [name for name, item in ledger.items() if item.gone]
    says = [*_brought(len(brought)), *_without_files(facts, len(alone))]
    rests = [plain(name) for name in _rest_on(facts, [*brought, *alone])]
    if rests:
        says.append(f"The answer takes {listing(rests[:5])} from there.")
    if not (brought or alone):
        return None
    return RaisedChallenge(
        between=("evidence",),
        says=" ".join(says),
        settle="Measure again on this machine, or ask whoever measured it: what came counts until then",
    )


def _brought(number: int) -> Iterator[str]:
    """Say how many measurements were made elsewhere."""
    if number:
        was = "was" if number == 1 else "were"
        came = f"{several(number, 'measurement')} came with the folder"
        yield sentence(f"{came} and {was} not checked here")


def _without_files(facts: CaseFacts, number: int) -> Iterator[str]:
    """Say how many measurements lack their files."""
    gone = sorted(
        {path for item in facts.findings.ledger.values() for path in item.gone}
    )
    if gone:
        what = _list_files(gone)
        rest = "rests" if number == 1 else "rest"
        yield sentence(f"{several(number, 'measurement')} {rest} on {what}: missing")


def _list_files(paths: Sequence[str]) -> str:
    """The first files by name, and that there are others."""
    named = list(paths[:_MOST_NAMED])
    if len(paths) > _MOST_NAMED:
        named.append("others")
    return listing(named)


_MOST_NAMED = 3
_MOST_UNLIKE = 0.05
"""The share of questions that may be unlike every case of the evaluation set (our choice)."""
_ENOUGH_CASES = 60
"""The fewest cases whose longest one says something. Of 30 cases drawn from the same questions, one
set in five has more than 5% of the questions above its longest (0.95 ** 30); of 60, one in twenty."""
_UNLIKE = {
    "evalset_language_gap": "are in a language of which the evaluation set has no case",
    "evalset_length_gap": "are longer than every case of the evaluation set",
}


@doubt
def evaluation_gap(facts: CaseFacts) -> RaisedChallenge | None:
    """Questions of a kind that the evaluation set lacks, so no score on it covers them."""
    seen = {
        name: item for name, item in facts.findings.ledger.items() if name in _UNLIKE
    }
    gaps = [
        f"{interval_text(item.value, item.low, item.high, item.unit)} {_UNLIKE[name]}"
        for name, item in seen.items()
        if item.is_known
        and float(item.low or 0) > _MOST_UNLIKE
        and float(item.details.get("cases", _ENOUGH_CASES)) >= _ENOUGH_CASES
    ]
    if not gaps:
        return None
    return RaisedChallenge(
        between=("data.evaluation", "evidence"),
        says=f"{' and '.join(gaps)}: no score on it says anything about those.",
        settle="Draw a set from these logs under another name: tuneworthy evalset --output FILE",
    )


def _rest_on(facts: CaseFacts, old: Sequence[str]) -> Iterator[str]:
    """Answers and numbers that rest on these measurements."""
    for name in (*facts.framework.ceiling, *facts.framework.factors):
        if facts.source(name) == "measured":
            answer = settled(name, facts.case, facts.framework, facts.findings.ledger)
            if answer is not None and answer[1].evidence.id in old:
                yield name
    for number in facts.findings.replaced:
        if number.evidence.id in old:
            yield number.path.rpartition(".")[2].removesuffix("_s")
