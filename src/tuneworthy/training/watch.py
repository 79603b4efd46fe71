"""A signed decision compared with later facts: logs, dates, and today's verdict by the rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from tuneworthy.facts.load import end_day
from tuneworthy.files.stores import read_evidence
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import Case, CaseDecision
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evidence import Evidence, Measured
from tuneworthy.model.ways import FigureId, WayResult
from tuneworthy.pipeline import decide, framework_of, load_case, today
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import target_texts
from tuneworthy.report.sections.evidence import measured_name
from tuneworthy.stats.mixes import moved_share
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import capital, counted, interval_text, share
from tuneworthy.words import day as as_day

WATCH_DAYS = 90  #: Days before an end of service from which it is told.


class WatchedMeasure(NamedTuple):
    """How a measurement of new logs is compared with that of older ones."""

    question: str  #: The question of the checklist that it answers.
    more_is_good: bool


WATCHED = {
    "success_share": WatchedMeasure("better", more_is_good=True),
    "error_share": WatchedMeasure("better", more_is_good=False),
    "invalid_output_share": WatchedMeasure("better", more_is_good=False),
    "refusal_share": WatchedMeasure("better", more_is_good=False),
    "cut_off_share": WatchedMeasure("better", more_is_good=False),
    "retry_share": WatchedMeasure("better", more_is_good=False),
    "usd_per_request": WatchedMeasure("cheaper", more_is_good=False),
    "latency_p95_s": WatchedMeasure("fast", more_is_good=False),
}
"""Measurements of new logs that are compared, by name."""

PRIVATE = named("private")

DRIFTS = ("intent_drift", "voice_drift_per_turn")
"""Measurements that need attention where their whole interval is above nought."""

#: Share of requests of other kinds from which a decision is looked at again.
MOVED = 0.03
STAYED = 0.05  #: Upper end of that share up to which the requests are called the same.

State = Literal["holds", "attention", "unknown"]


class Watched(NamedTuple):
    """One ground of a decision, as it is today."""

    id: str
    """signed, review, answer, evidence, target_quality, better_success_share, drift_…, ends_…"""
    state: State
    says: str


class WatchReport(NamedTuple):
    """The state of a decision."""

    case: str
    day: date
    decision: CaseDecision
    checks: tuple[Watched, ...]

    @property
    def state(self) -> State:
        """Attention if any ground needs it, else unknown if any can't be checked."""
        states = {check.state for check in self.checks}
        for state in ("attention", "unknown"):
            if state in states:
                return state
        return "holds"


def watch(source: str | Path, *, as_of: date | None = None) -> WatchReport:
    """Compare the signed decision of a case with everything that is known on a day."""
    case = load_case(source)
    day = as_of or today()
    dossier = decide(case, framework_of(case), as_of=day)
    decision = case.decision
    checks = (
        *_of_decision(decision, dossier, day),
        *_of_targets(decision, dossier),
        *_of_rivals(decision, dossier),
        *_of_evidence(dossier),
        *_of_logs(decision, read_evidence(case)),
        *_of_ends(case, day),
    )
    return WatchReport(case.name, day, decision, checks)


def _of_evidence(dossier: Dossier) -> Iterator[Watched]:
    """The doubts that evidence has changed, or came from elsewhere."""
    for challenge in dossier.challenges:
        if challenge.id in {"evidence_changed", "evidence_unchecked"}:
            yield Watched("evidence", "attention", challenge.says.rstrip("."))


def _of_decision(
    decision: CaseDecision, dossier: Dossier, day: date
) -> Iterator[Watched]:
    """Check the signature, today's answer and the day of the review."""
    yield from _of_signature(decision, dossier)
    due = decision.review_on
    if due is None:
        says = "No day is set for a review. Set one: tuneworthy answer CASE"
        yield Watched("review", "unknown", f"{says} decision.review_on=YYYY-MM-DD")
    elif due <= day:
        who = f" {decision.owner} answers for it" if decision.owner else ""
        yield Watched("review", "attention", f"A review was due on {as_day(due)}.{who}")
    else:
        yield Watched("review", "holds", f"The next review is on {as_day(due)}")


def _of_signature(decision: CaseDecision, dossier: Dossier) -> Iterator[Watched]:
    """Check who signed, and whether today's answer is the signed one."""
    signed = decision.signed
    if signed is None:
        says = "Nobody has signed the decision. Sign it: tuneworthy decide CASE --sign NAME"
        yield Watched("signed", "attention", says)
        return
    was = ANSWER_WORDS[signed.answer]
    says = f"Signed by {signed.by} on {as_day(signed.on)}: {was}"
    yield Watched("signed", "holds", says)
    now = ANSWER_WORDS[dossier.verdict.answer]
    if signed.answer == dossier.verdict.answer:
        yield Watched("answer", "holds", f"Today's answer is the same: {now}")
    else:
        yield Watched("answer", "attention", f"Today's answer is: {now}")


def _of_targets(decision: CaseDecision, dossier: Dossier) -> Iterator[Watched]:
    """The targets after a yes. Before that, a missed target is the reason to tune, and no news.

    If production's figure is unknown, the signed tuned model's last lab figure is used.
    """
    if not _said_yes(decision):
        return
    texts = target_texts(dossier)
    tuned = signed_way(dossier)
    for name, target in dossier.targets.items():
        says = texts.get(name)
        if says is None:
            continue
        state = target.state
        if name == "privacy":
            says += f": {PRIVATE[state]}"
        if state == "unknown" and tuned is not None:
            state = tuned.admissible.get(name, "unknown")
            says += f"; {tuned.title}: {state}"
        watched = _STATES.get(state, "unknown")
        yield Watched(f"target_{name}", watched, f"The target: {says}")


_STATES: Mapping[str, State] = {"met": "holds", "missed": "attention"}


def _said_yes(decision: CaseDecision) -> bool:
    return decision.signed is not None and decision.signed.answer == "yes"


def signed_way(dossier: Dossier) -> WayResult | None:
    """Return the tuned way of a signed yes: the best ranked measured one; None without any."""
    tuned = [
        way for way in dossier.ways if way.kind == "tuned" and way.state != "untried"
    ]
    return min(tuned, key=lambda way: way.rank, default=None)


_CHEAPER_OR_FASTER: Mapping[FigureId, str] = {
    "usd_per_month": "costs less",
    "latency_p95_s": "answers faster",
}


def _of_rivals(decision: CaseDecision, dossier: Dossier) -> Iterator[Watched]:
    """Untuned ways that remove the reason to tune, or may, after a yes."""
    tuned = signed_way(dossier)
    if not _said_yes(decision) or tuned is None:
        return
    untuned = [way for way in dossier.ways if way.kind in ("model", "arm", "no_model")]
    enough = [way for way in untuned if way.state != "untried" and _meets_all(way)]
    if enough:
        best = min(enough, key=lambda way: way.rank)
        says = f"{best.title} meets every target without tuning"
        yield Watched("rival", "attention", says)
        return
    for name, verb in _CHEAPER_OR_FASTER.items():
        ahead = [
            way for way in untuned if _is_below(way, tuned, name) and not _misses(way)
        ]
        if ahead:
            best = min(ahead, key=lambda way: _end(way, name, "high"))
            says = f"{best.title} {verb} than {tuned.title}; whether it is enough is unknown"
            yield Watched(f"rival_{name}", "unknown", f"{says}: run it on your cases")


def _meets_all(way: WayResult) -> bool:
    """Whether a way meets every target; False without targets."""
    return set(way.admissible.values()) == {"met"}


def _misses(way: WayResult) -> bool:
    return "missed" in way.admissible.values()


def _is_below(way: WayResult, other: WayResult, name: FigureId) -> bool:
    """Whether one figure's whole interval is below another's."""
    return _end(way, name, "high") < _end(other, name, "low")


def _end(way: WayResult, name: FigureId, end: str) -> float:
    """An end of a figure. For an unknown one, it is infinite, so that no comparison holds."""
    figure = way.figures[name]
    value = Unknown(ask="") if isinstance(figure, Unknown) else getattr(figure, end)
    if isinstance(value, Unknown):
        return math.inf if end == "high" else -math.inf
    return float(value)


def _of_logs(decision: CaseDecision, runs: Sequence[Measured]) -> Iterator[Watched]:
    """Compare logs that are newer than the signature with those before it."""
    if decision.signed is None:
        return
    signed_on = decision.signed.on
    old, new = _evidence_around(runs, signed_on)
    if decision.signed.answer == "yes" and "tuned_gain" not in new:
        says = "The tuned model wasn't compared since: tuneworthy verify CASE"
        yield Watched("gain", "unknown", says)
    if not new.keys() & _OF_LOGS:
        yield Watched("logs", "unknown", _lacking_logs(runs, signed_on))
        return
    yield _of_requests(runs, signed_on)
    for name, measure in WATCHED.items():
        if name in new:
            check = f"{measure.question}_{name}"
            more_is_good = measure.more_is_good
            yield _compared(check, old.get(name), new[name], more_is_good=more_is_good)
    for name in DRIFTS:
        low = new[name].low if name in new else None
        if low is not None:
            state: State = "attention" if low > 0 else "holds"
            yield Watched(f"drift_{name}", state, _measured_text(new[name]))


def _evidence_around(
    runs: Sequence[Measured], day: date
) -> tuple[dict[str, Evidence], dict[str, Evidence]]:
    """The known evidence observed up to a day, and after it, by id; the last of each counts."""
    old = dict[str, Evidence]()
    new = dict[str, Evidence]()
    for run in runs:
        for evidence in run.evidence:
            if not evidence.is_known or evidence.observed_on is None:
                continue
            if evidence.observed_on > day:
                new[evidence.id] = evidence
            else:
                old[evidence.id] = evidence
    return old, new


def _of_requests(runs: Sequence[Measured], on: date) -> Watched:
    """Whether the requests of the newest log are of the same kinds as at the signature."""
    before = None
    after = None
    for run in runs:
        if run.mix is None or run.mix.observed_on is None:
            continue
        if run.mix.observed_on <= on:
            before = run.mix
        else:
            after = run.mix
    if before is None or after is None:
        which = "the new logs" if after is None else "the log that was signed on"
        says = f"Whether requests are of other kinds: {which} had too few conversations to compare"
        return Watched("shift", "unknown", says)
    if before.words != after.words:
        says = "Whether requests are of other kinds: another version measured the older log"
        return Watched("shift", "unknown", says)
    moved = moved_share(before.halves, after.halves)
    # chance may put an estimate below nought, which no share is
    ends = f"{share(max(0.0, moved.low))} to {share(max(0.0, moved.high))}"
    says = f"Requests of other kinds than in the log signed on: at least {ends}"
    state: State = "unknown"
    if moved.low > MOVED:
        state = "attention"
    elif moved.high <= STAYED:
        state = "holds"
    return Watched("shift", state, says)


_OF_LOGS = {*WATCHED, *DRIFTS}


def _lacking_logs(runs: Sequence[Measured], on: date) -> str:
    """Why nothing is known of logs since a day: none exist, or they have too few calls."""
    for run in runs:
        for evidence in run.evidence:
            if evidence.id in _OF_LOGS and _is_newer(evidence, on):
                return f"The logs since {as_day(on)} hold too few calls to say anything; give more"
    fix = "give newer ones: tuneworthy watch CASE --from LOGS"
    return f"No logs since {as_day(on)} were measured; {fix}"


def _compared(
    name: str, old: Evidence | None, new: Evidence, *, more_is_good: bool
) -> Watched:
    """Worse where the whole new interval is on the wrong side of the whole old one.

    If one of them has no upper end, overlapping intervals say nothing.
    """
    if old is None:
        return Watched(name, "unknown", f"{_measured_text(new)}; before: unknown")
    new_low, new_high = _ends(new)
    old_low, old_high = _ends(old)
    fell = new_high < old_low
    rose = new_low > old_high
    worse = fell if more_is_good else rose
    better = rose if more_is_good else fell
    says = f"{_measured_text(new)}; before: {_interval(old)}"
    if worse:
        return Watched(name, "attention", says)
    bounded = math.isfinite(new_high) and math.isfinite(old_high)
    return Watched(name, "holds" if bounded or better else "unknown", says)


def _is_newer(evidence: Evidence, on: date) -> bool:
    return evidence.observed_on is not None and evidence.observed_on > on


def _ends(evidence: Evidence) -> tuple[float, float]:
    """Both ends of a measurement; an open upper end is infinite."""
    low = evidence.number if evidence.low is None else evidence.low
    high = evidence.high if isinstance(evidence.high, float | int) else math.inf
    return low, high


def _measured_text(evidence: Evidence) -> str:
    return f"{capital(measured_name(evidence.id))}: {_interval(evidence)}"


def _interval(evidence: Evidence) -> str:
    return interval_text(evidence.value, evidence.low, evidence.high, evidence.unit)


def _of_ends(case: Case, day: date) -> Iterator[Watched]:
    """Models and services that have ended, or end soon."""
    ends = {model.id: end_day(model, day) for model in case.models}
    ends["the service"] = case.tuning.until
    soon = day + timedelta(days=WATCH_DAYS)
    for name, until in ends.items():
        if until is None:
            continue
        verb = "ended" if until <= day else "ends"
        state: State = "attention" if until <= soon else "holds"
        yield Watched(f"ends_{name}", state, f"{name} {verb} on {as_day(until)}")


def watch_dict(seen: WatchReport) -> str:
    """Write a report as JSON."""
    data = {
        "state": seen.state,
        "as_of": seen.day.isoformat(),
        "decision": seen.decision.model_dump(mode="json"),
        "checks": [check._asdict() for check in seen.checks],
    }
    return json_text(data)


# What is shown of it.


_MARKS = {"attention": "look at it", "unknown": "unknown", "holds": "holds"}
"""The word for each state, in the order in which checks are shown."""


def watch_document(seen: WatchReport, folder: str = "CASE") -> b.Document:
    """Compose the document about a decision's state; ``folder`` is the case as the user named it."""
    states = list(_MARKS)
    checks = sorted(seen.checks, key=lambda check: states.index(check.state))
    rows = [
        (_MARKS[check.state], check.says.replace(" CASE", f" {folder}"))
        for check in checks
    ]
    counts = Counter(check.state for check in seen.checks)
    unknown = f"{counted(counts['unknown'], 'thing')} unknown"
    says = {
        "attention": f"{counted(counts['attention'], 'thing')} to look at",
        "unknown": f"nothing asks for a look, {unknown}",
        "holds": "the decision holds",
    }
    headline = f"{says[seen.state]}, as of {as_day(seen.day)}"
    table = b.table("What it rests on", "State | What", rows, quiet=True)
    return b.Document(seen.case, headline, [b.section("", "", table)])
