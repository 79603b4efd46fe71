"""A signed decision against what came after it: logs, dates, and what the rules say today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from tuneworthy.files.stores import read_evidence
from tuneworthy.framework.ends import end_day
from tuneworthy.model.base import json_text
from tuneworthy.model.case import Case, CaseDecision
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evidence import Evidence, Measured
from tuneworthy.pipeline import decide, framework_of, load_case, today
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import target_texts
from tuneworthy.report.sections.evidence import measured_name
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import capital, counted, interval_text
from tuneworthy.words import day as as_day

WATCH_DAYS = 90  #: Days before an end of service from which it is told.

WATCHED = {
    "success_share": ("better", 1),
    "error_share": ("better", -1),
    "invalid_output_share": ("better", -1),
    "refusal_share": ("better", -1),
    "usd_per_request": ("cheaper", -1),
    "latency_p95_s": ("fast", -1),
}
"""What new logs are compared in, the question it answers, and whether more of it is good."""

PRIVATE = named("private")

DRIFTS = ("intent_drift", "voice_drift_per_turn")  #: Above nought by their whole interval.

State = Literal["holds", "attention", "unknown"]


class Watched(NamedTuple):
    """One thing that a decision rests on, as it is today."""

    id: str
    """signed, review, answer, evidence, target_quality, better_success_share, drift_…, ends_…"""
    state: State
    says: str


class WatchReport(NamedTuple):
    """How a decision stands."""

    case: str
    day: date
    decision: CaseDecision
    checks: tuple[Watched, ...]

    @property
    def state(self) -> State:
        """Attention where anything asks for it; unknown where nothing could be looked at."""
        states = {check.state for check in self.checks}
        return "attention" if "attention" in states else "holds" if "holds" in states else "unknown"


def watch(source: str | Path, *, as_of: date | None = None) -> WatchReport:
    """Hold the signed decision of a case against everything that is known by now, or by a day."""
    case, day = load_case(source), as_of or today()
    dossier = decide(case, framework_of(case), as_of=day)
    checks = [*_of_decision(case.decision, dossier, day), *_of_targets(case.decision, dossier)]
    old = (challenge.says for challenge in dossier.challenges if challenge.id == "evidence_changed")
    checks += [Watched("evidence", "attention", says.rstrip(".")) for says in old]
    checks += [*_of_logs(case.decision, read_evidence(case)), *_of_ends(case, day)]
    return WatchReport(case.name, day, case.decision, tuple(checks))


def _of_decision(decision: CaseDecision, dossier: Dossier, day: date) -> Iterator[Watched]:
    signed = decision.signed
    if signed is None:
        says = "Nobody has signed the decision. Sign it on its page: tuneworthy serve CASE"
        yield Watched("signed", "attention", says)
    else:
        was, now = ANSWER_WORDS[signed.answer], ANSWER_WORDS[dossier.verdict.answer]
        yield Watched("signed", "holds", f"Signed by {signed.by} on {as_day(signed.on)}: {was}")
        same = signed.answer == dossier.verdict.answer
        says = f"Today's answer is the same: {now}" if same else f"Today's answer is: {now}"
        yield Watched("answer", "holds" if same else "attention", says)
    due = decision.review_on
    if due is None:
        says = "No day is set for a review. Set one: tuneworthy answer CASE"
        yield Watched("review", "unknown", f"{says} decision.review_on=YYYY-MM-DD")
    elif due <= day:
        who = f" {decision.owner} answers for it" if decision.owner else ""
        yield Watched("review", "attention", f"A review was due on {as_day(due)}.{who}")
    else:
        yield Watched("review", "holds", f"The next review is on {as_day(due)}")


def _of_targets(decision: CaseDecision, dossier: Dossier) -> Iterator[Watched]:
    """After a yes: until then a target that is missed is why somebody asks, and no news."""
    states: dict[str, State] = {"met": "holds", "missed": "attention"}
    signed_yes = decision.signed is not None and decision.signed.answer == "yes"
    texts = target_texts(dossier) if signed_yes else {}
    for name, target in dossier.targets.items():
        if says := texts.get(name):
            says += f": {PRIVATE[target.state]}" if name == "privacy" else ""
            state = states.get(target.state, "unknown")
            yield Watched(f"target_{name}", state, f"The target: {says}")


def _of_logs(decision: CaseDecision, runs: Sequence[Measured]) -> Iterator[Watched]:
    """What logs say that are newer than the signature, beside those before it."""
    if decision.signed is None:
        return
    on = decision.signed.on
    old, new = dict[str, Evidence](), dict[str, Evidence]()
    for evidence in (e for run in runs for e in run.evidence if e.known):
        if evidence.observed_on is not None:
            (new if evidence.observed_on > on else old)[evidence.id] = evidence
    if decision.signed.answer == "yes" and "tuned_gain" not in new:
        says = "The tuned model wasn't compared since: tuneworthy verify CASE"
        yield Watched("gain", "unknown", says)
    if not new.keys() & {*WATCHED, *DRIFTS}:
        fix = "give newer ones: tuneworthy watch CASE --from LOGS"
        yield Watched("logs", "unknown", f"No logs since {as_day(on)} were measured; {fix}")
        return
    for name, (asks, sign) in WATCHED.items():
        if name in new:
            yield _compared(f"{asks}_{name}", old.get(name), new[name], sign)
    for name in DRIFTS:
        if name in new and (low := new[name].low) is not None:
            says = _said(new[name])
            yield Watched(f"drift_{name}", "attention" if low > 0 else "holds", says)


def _compared(name: str, old: Evidence | None, new: Evidence, sign: int) -> Watched:
    """Worse where the whole new interval lies on the wrong side of the whole old one."""
    if old is None:
        return Watched(name, "unknown", f"{_said(new)}; before: unknown")
    worse = _ends(new)[1] < _ends(old)[0] if sign > 0 else _ends(new)[0] > _ends(old)[1]
    says = f"{_said(new)}; before: {_interval(old)}"
    return Watched(name, "attention" if worse else "holds", says)


def _ends(evidence: Evidence) -> tuple[float, float]:
    high = evidence.high if isinstance(evidence.high, float | int) else float("inf")
    return (evidence.number if evidence.low is None else evidence.low), high


def _said(evidence: Evidence) -> str:
    return f"{capital(measured_name(evidence.id))}: {_interval(evidence)}"


def _interval(evidence: Evidence) -> str:
    return interval_text(evidence.value, evidence.low, evidence.high, evidence.unit)


def _of_ends(case: Case, day: date) -> Iterator[Watched]:
    """Models and services that ended, or are about to."""
    ends = {model.id: end_day(model) for model in case.models} | {"the service": case.tuning.until}
    for name, until in ends.items():
        if until is not None:
            verb = "ended" if until <= day else "ends"
            state: State = "attention" if until <= day + timedelta(days=WATCH_DAYS) else "holds"
            yield Watched(f"ends_{name}", state, f"{name} {verb} on {as_day(until)}")


def watch_dict(seen: WatchReport) -> str:
    data = {"state": seen.state, "as_of": seen.day.isoformat()}
    decision = seen.decision.model_dump(mode="json")
    return json_text({**data, "decision": decision, "checks": [c._asdict() for c in seen.checks]})


# What is shown of it.


_MARKS = {"attention": "look at it", "unknown": "unknown", "holds": "holds"}


def watch_document(seen: WatchReport, folder: str = "CASE") -> b.Document:
    """How a decision stands; ``folder`` as the user named the case."""
    order = sorted(seen.checks, key=lambda check: [*_MARKS].index(check.state))
    rows = [(_MARKS[check.state], check.says.replace(" CASE", f" {folder}")) for check in order]
    n = sum(check.state == "attention" for check in seen.checks)
    says = {"attention": f"{counted(n, 'thing')} to look at", "holds": "the decision holds"}
    headline = f"{says.get(seen.state, 'nothing could be looked at')}, as of {as_day(seen.day)}"
    table = b.table("What it rests on", "State | What", rows, quiet=True)
    return b.Document(seen.case, headline, [b.section("", "", table)])
