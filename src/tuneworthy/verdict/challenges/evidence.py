"""Measurements compared with statements, and the age of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    against = dict[str, str]()
    for path, stated in _stated_answers(facts):
        _, name = path.split(".")
        if facts.source(name) != "measured" or stated in ("unknown", facts.state(name)):
            continue
        answer = settled(name, facts.case, facts.framework, facts.findings.ledger)
        assert answer is not None  # a measurement is where it comes from
        title = capital(plain(name))
        measured = _measured_text(answer.reading)
        against[path] = f"“{title}” is answered {stated}. Measured: {measured}."
    if not against:
        return None
    if len(against) == 1:
        counts = "The measurement counts."
    else:
        counts = "The measurements count."
    return RaisedChallenge(
        between=(*against, "evidence"),
        says=f"{' '.join(against.values())} {counts}",
        settle="Correct the answer, or say what the data leaves out",
    )


def _stated_answers(facts: CaseFacts) -> Iterator[tuple[str, State]]:
    """Every stated answer, as its path ``room.name`` and its state; a count becomes yes or no."""
    for name, check in facts.case.ceiling.items():
        rule = facts.framework.ceiling.get(name)
        state: State = check.value
        if check.count is not None and rule is not None and rule.at_least is not None:
            state = "yes" if check.count >= rule.at_least else "no"
        yield f"ceiling.{name}", state
    for name, factor in facts.case.factors.items():
        yield f"factors.{name}", factor.value
    for name, signal in facts.case.signals.items():
        yield f"signals.{name}", signal.value


def _measured_text(reading: LimitCheck) -> str:
    """A measurement in words: ``outputs out of format: 9% (8–11%) of outputs``."""
    if reading.title:
        return f"{reading.title}: {reading.interval}"
    return reading.interval


@contradiction
def measured_against_number(facts: CaseFacts) -> RaisedChallenge | None:
    """A stated number, and a measured one that clearly differs."""
    tolerance = facts.framework.threshold("stated_tolerance")
    if tolerance is None:
        return None
    apart = dict[str, str]()
    for number in facts.findings.replaced:
        if number.stated is None or not _clearly_differ(number, tolerance):
            continue
        low, high = number.stated
        measured = number.evidence
        stated = interval_text(low, low, high, measured.unit)
        _, _, field = number.path.rpartition(".")
        seen = LimitCheck(measured, None).interval
        apart[number.path] = f"{plain(field)}: stated {stated}, measured {seen}"
    if not apart:
        return None
    if len(apart) == 1:
        which = "The measured one counts."
    else:
        which = "The measured ones count."
    return RaisedChallenge(
        between=(*apart, "evidence"),
        says=f"{sentence(', and '.join(apart.values()))} {which}",
        settle="Correct the number in the case file",
    )


def _clearly_differ(number: Replaced, tolerance: float) -> bool:
    """Whether two ranges are farther apart than a share of the measured value.

    The gap is below 0 where the ranges overlap.
    """
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
    contrary = next(_find_contrary(facts), None)  # one is enough to look again
    if contrary is None:
        return None
    return RaisedChallenge(
        between=(contrary.path, "evidence"),
        says=(
            f"{plain(contrary.name)} is answered {contrary.stated}, but measured "
            f"{contrary.measured}. The answer stands, as {contrary.why_not}."
        ),
        settle="Look at what was counted, then correct the answer or keep it",
    )


@dataclass(frozen=True, slots=True)
class _ContraryMeasurement:
    """A measurement that points the other way than an answer and can't settle it."""

    room: str  #: Of the answer in the case file.
    name: str
    stated: State
    measured: str  #: In words.
    why_not: str  #: Why it settles nothing.

    @property
    def path(self) -> str:
        """The path of the answer."""
        return f"{self.room}.{self.name}"


def _find_contrary(facts: CaseFacts) -> Iterator[_ContraryMeasurement]:
    """Every measurement beside an answer that it contradicts and can't settle."""
    ledger = facts.findings.ledger
    for path, stated in _stated_answers(facts):
        room, name = path.split(".")
        if stated == "unknown" or facts.source(name) == "measured":
            continue
        if name in facts.framework.ceiling and stated == "no":
            done = tried(name, facts.framework, ledger)
            if done is not None:
                why_not = "a log doesn't show what was compared"
                yield _ContraryMeasurement(room, name, stated, done.interval, why_not)
        if name == "success_with_prompts":
            rated = _contrary_rating(facts, stated)
            if rated:
                why_not = "those who rate are not a random sample"
                yield _ContraryMeasurement(room, name, stated, rated, why_not)
        if room == "signals":
            for side, reading in readings(name, "supports", facts.framework, ledger):
                if side not in ("unknown", stated):
                    measured = _measured_text(reading)
                    why_not = "that alone doesn't show why"
                    yield _ContraryMeasurement(room, name, stated, measured, why_not)


def _contrary_rating(facts: CaseFacts, stated: State) -> str:
    """The share of answers that users rated good, if it is on the other side of the target.

    Empty where nobody rated, no quality target is stated, or the sides agree.
    """
    rated = facts.findings.ledger.get("success_share")
    limit = facts.limits.get("quality")
    if rated is None or limit is None or side_of(rated, limit) in ("unknown", stated):
        return ""
    return f"{LimitCheck(rated, None).interval} rated good"


@doubt
def need_without_support(facts: CaseFacts) -> RaisedChallenge | None:
    """A stated need, and a measurement against it."""
    need = _find_contrary_need(facts, stated="yes", measured="no")
    if need is None:
        return None
    return RaisedChallenge(
        between=(need.path, "evidence"),
        says=(
            f"{plain(need.factor)} is answered yes, and the data shows little of it, "
            f"{need.measured}. The answer stands, because logs don't settle a need."
        ),
        settle="Say what the need rests on: a law, a contract, a policy",
    )


@doubt
def need_seen_in_data(facts: CaseFacts) -> RaisedChallenge | None:
    """A denied need, and a measurement for it."""
    need = _find_contrary_need(facts, stated="no", measured="yes")
    if need is None:
        return None
    return RaisedChallenge(
        between=(need.path, "evidence"),
        says=f"{plain(need.factor)} is answered no, but measured {need.measured}.",
        settle=(
            "Ask the person responsible for data protection whether this data may be sent where it is "
            "sent today"
        ),
    )


class _ContraryNeed(NamedTuple):
    """A factor, and the measurement that contradicts its answer, in words."""

    factor: str
    measured: str

    @property
    def path(self) -> str:
        """The path of the answer."""
        return f"factors.{self.factor}"


def _find_contrary_need(
    facts: CaseFacts, *, stated: State, measured: State
) -> _ContraryNeed | None:
    """The first factor with this answer that a measurement on the other side contradicts."""
    framework = facts.framework
    ledger = facts.findings.ledger
    for factor in framework.factors:
        if facts.state(factor) != stated:
            continue
        for side, reading in readings(factor, "supports", framework, ledger):
            if side == measured:
                return _ContraryNeed(factor, _measured_text(reading))
    return None


@doubt
def evidence_old(facts: CaseFacts) -> RaisedChallenge | None:
    """A measurement on data that ended long ago."""
    limit = facts.framework.threshold("evidence_age")
    today = facts.findings.as_of
    days = [each.observed_on for each in facts.findings.ledger.values()]
    newest = max((each for each in days if each is not None), default=None)
    if limit is None or today is None or newest is None:
        return None
    months = (today - newest).days / DAYS_PER_MONTH
    if months <= limit:
        return None
    return RaisedChallenge(
        between=("evidence",),
        says=(
            f"The newest data that was measured ends on {day(newest)}, {few(round(months))} months "
            "ago."
        ),
        settle="Measure again on newer data",
    )


@doubt
def evidence_changed(facts: CaseFacts) -> RaisedChallenge | None:
    """A file was changed after it was measured, so the measurement is of the earlier file."""
    ledger = facts.findings.ledger
    old = [name for name, item in ledger.items() if item.changed]
    if not old:
        return None
    changed = {path for item in ledger.values() for path in item.changed}
    are = "is" if len(old) == 1 else "are"
    says = (
        f"{several(len(old), 'measurement')} {are} of an earlier version of "
        f"{_list_files(sorted(changed))}."
    )
    return RaisedChallenge(
        between=("evidence",),
        says=" ".join([says, *_answers_from(facts, old)]),
        settle="Measure again: what was measured counts until then",
    )


@doubt
def evidence_unchecked(facts: CaseFacts) -> RaisedChallenge | None:
    """Measurements that nobody can check: made elsewhere, or without their files."""
    ledger = facts.findings.ledger
    brought = [name for name, item in ledger.items() if item.brought]
    without_files = [name for name, item in ledger.items() if item.gone]
    if not (brought or without_files):
        return None
    says = list[str]()
    if brought:
        was = "was" if len(brought) == 1 else "were"
        measurements = several(len(brought), "measurement")
        came = f"{measurements} came with the folder and {was} not checked here"
        says.append(sentence(came))
    if without_files:
        gone = {path for item in ledger.values() for path in item.gone}
        rest = "rests" if len(without_files) == 1 else "rest"
        measurements = several(len(without_files), "measurement")
        files = _list_files(sorted(gone))
        says.append(sentence(f"{measurements} {rest} on {files}: missing"))
    says += _answers_from(facts, [*brought, *without_files])
    return RaisedChallenge(
        between=("evidence",),
        says=" ".join(says),
        settle="Measure again on this machine, or ask whoever measured it: what came counts until then",
    )


def _answers_from(facts: CaseFacts, measurements: Sequence[str]) -> list[str]:
    """A sentence that names what rests on these measurements; [] where nothing does."""
    rests = [plain(name) for name in _rest_on(facts, measurements)]
    if not rests:
        return []
    return [f"The answer takes {listing(rests[:_MOST_RESTING])} from there."]


def _list_files(paths: Sequence[str]) -> str:
    """The first files by name, and that there are others."""
    named = list(paths[:_MOST_NAMED])
    if len(paths) > _MOST_NAMED:
        named.append("others")
    return listing(named)


_MOST_NAMED = 3  # files that a sentence names
_MOST_RESTING = 5  # answers and numbers that a sentence names
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
    gaps = []
    for name, item in facts.findings.ledger.items():
        if name not in _UNLIKE or not item.is_known:
            continue
        # a measurement that needs no number of cases says nothing of them
        cases = float(item.details.get("cases", _ENOUGH_CASES))
        surely_unlike = float(item.low or 0) > _MOST_UNLIKE
        if surely_unlike and cases >= _ENOUGH_CASES:
            questions = interval_text(item.value, item.low, item.high, item.unit)
            gaps.append(f"{questions} {_UNLIKE[name]}")
    if not gaps:
        return None
    return RaisedChallenge(
        between=("data.evaluation", "evidence"),
        says=f"{' and '.join(gaps)}: no score on it says anything about those.",
        settle="Draw a set from these logs under another name: tuneworthy evalset --output FILE",
    )


def _rest_on(facts: CaseFacts, measurements: Sequence[str]) -> Iterator[str]:
    """The names of answers and numbers that rest on these measurements."""
    for name in (*facts.framework.ceiling, *facts.framework.factors):
        if facts.source(name) != "measured":
            continue
        answer = settled(name, facts.case, facts.framework, facts.findings.ledger)
        if answer is not None and answer.reading.evidence.id in measurements:
            yield name
    for number in facts.findings.replaced:
        if number.evidence.id in measurements:
            _, _, field = number.path.rpartition(".")
            yield field.removesuffix("_s")  # the unit isn't part of the name
