"""From what is said and found to one state for every answer.

What was measured counts where it settles an answer. Else a stated answer counts. Where nothing is
said but a stated number settles it (requests a month, examples, prompts), the answer is inferred
and marked ``assumed``. Everything else is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuneworthy.assess.measured import Ledger, below, settled, standing
from tuneworthy.domain.answers import Answer, CheckAnswer
from tuneworthy.domain.assessment import Assessed, Assessment, Kind, Reason
from tuneworthy.domain.case import Attempt, Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Check, Framework, Need
from tuneworthy.domain.record import State
from tuneworthy.syntax.build import did_you_mean

_ROOMS: dict[Kind, str] = {
    "check": "ceiling", "signal": "signals", "indicator": "factors", "anti_indicator": "factors",
}  # fmt: skip


def weigh(
    case: Case,
    framework: Framework,
    attempt: Attempt | None = None,
    ledger: Ledger | None = None,
) -> Assessment:
    """Weigh every answer of a case.

    Args:
        case: The case.
        framework: The framework that asks.
        attempt: Weigh the case as it stood at this attempt: its answers replace the case's, and
            what is measured today says nothing about it.
        ledger: What was measured; the case already carries its numbers.

    Returns:
        Every check and factor of the framework in its order, then the signals; what nobody
        mentioned is unknown.

    Raises:
        CaseError: If the case answers something the framework doesn't ask.
    """
    checks = case.ceiling if attempt is None else {**case.ceiling, **attempt.ceiling}
    factors = case.factors if attempt is None else {**case.factors, **attempt.factors}
    _refuse_strangers(case, framework)
    answers: dict[str, Assessed] = {}
    settle = _settler(case, framework, {} if attempt else ledger or {})
    for name, check in framework.ceiling.items():
        answers[name] = settle(_check(name, check, checks.get(name)))
    kinds: tuple[tuple[Kind, Mapping[str, object]], ...] = (
        ("indicator", framework.indicators),
        ("anti_indicator", framework.anti_indicators),
    )
    for kind, asked in kinds:
        for name in asked:
            answers[name] = settle(_factor(name, kind, factors.get(name), case, framework))
    signals = {
        name: settle(
            _stated(name, "signal", case.signals.get(name))
            or Assessed(name, "signal", "unknown", "assumed")
        )
        for name in framework.signals
    }
    return Assessment(answers, signals, _reached(answers, framework))


def _settler(case: Case, framework: Framework, ledger: Ledger) -> Callable[[Assessed], Assessed]:
    """Puts what was measured in the place of what was told, where it settles the answer."""
    if not (ledger := standing(case, ledger)):
        return lambda told: told

    def settle(told: Assessed) -> Assessed:
        if f"{_ROOMS[told.kind]}.{told.id}" in case.supposed:
            return told
        if told.id == "insufficient_data":
            found = below("usable_examples", _examples_limit(case, framework), ledger)
        else:
            found = settled(told.id, told.kind, case, framework, ledger)
        if found is None:
            return told
        state, because = found
        answer = case.factors.get(told.id)
        if answer is not None and answer.now == state != answer.value:
            return told  # said to be so at present, and expected to change
        return Assessed(told.id, told.kind, state, "measured", told.note, because)

    return settle


def _examples_limit(case: Case, framework: Framework) -> float | None:
    """Examples the case's own approach takes at least; the general line where none is known."""
    need = examples_need(case, framework)
    return need[1].low if need else framework.threshold("few_examples")


def stages(case: Case, framework: Framework) -> tuple[tuple[Attempt, Assessment], ...]:
    """Every attempt with the answers as they stood then; empty when none is recorded."""
    return tuple((attempt, weigh(case, framework, attempt)) for attempt in case.attempts)


def examples_need(case: Case, framework: Framework) -> tuple[str, Need] | None:
    """The first goal whose approach learns from examples, and what it takes.

    Returns:
        Goal and need, or None when no goal is named or none of them learns from examples.
    """
    for goal in case.goals:
        rule = framework.goals.get(goal)
        if rule is not None and framework.approaches[rule.approach].data.unit == "examples":
            return goal, framework.approaches[rule.approach].data
    return None


def _stated(name: str, kind: Kind, answer: Answer | None) -> Assessed | None:
    if answer is None:
        return None
    return Assessed(name, kind, answer.value, "stated", answer.note)


def _check(name: str, check: Check, answer: CheckAnswer | None) -> Assessed:
    """A check's state; a count is held against the number the framework wants."""
    if answer is None:
        return Assessed(name, "check", "unknown", "assumed")
    state: State = answer.value
    if answer.count is not None and check.at_least is not None:
        state = "yes" if answer.count >= check.at_least else "no"
    return Assessed(name, "check", state, "stated", answer.note)


def _factor(
    name: str, kind: Kind, answer: Answer | None, case: Case, framework: Framework
) -> Assessed:
    """What is stated; where that is nothing or "unknown", what a stated number settles."""
    stated = _stated(name, kind, answer)
    if stated is not None and stated.state != "unknown":
        return stated
    state: State = "unknown"
    because: Reason | None = None
    if name == "low_volume":
        state, because = _low_volume(case, framework)
    elif name == "insufficient_data":
        state, because = _insufficient_data(case, framework)
    if state == "unknown" and stated is not None:
        return stated
    return Assessed(name, kind, state, "assumed", stated.note if stated else "", because)


def _low_volume(case: Case, framework: Framework) -> tuple[State, Reason | None]:
    requests = case.economics.traffic.requests_per_month
    limit = framework.threshold("low_volume")
    if requests is None or limit is None:
        return "unknown", None
    because = Reason("from_requests", {"requests": requests.likely, "limit": limit})
    if requests.high < limit:
        return "yes", because
    return ("no", because) if requests.low >= limit else ("unknown", because)


def _insufficient_data(case: Case, framework: Framework) -> tuple[State, Reason | None]:
    have = usable_examples(case)
    if have is None:
        return "unknown", None
    need, limit = examples_need(case, framework), _examples_limit(case, framework)
    if limit is None:
        return "unknown", None
    because = Reason(
        "from_examples", {"have": have, "limit": limit, "goal": need[0] if need else None}
    )
    return ("yes" if have < limit else "no"), because


def usable_examples(case: Case) -> int | None:
    """Examples good enough to learn from; all of them where nobody counted the good ones."""
    return case.data.examples.good if case.data.examples else None


def _reached(answers: Mapping[str, Assessed], framework: Framework) -> State:
    states = [answers[name].state for name in framework.ceiling]
    if "no" in states:
        return "no"
    return "unknown" if "unknown" in states else "yes"


def _refuse_strangers(case: Case, framework: Framework) -> None:
    """No answer to something the framework doesn't ask, at the case or at an attempt."""
    _known(case, framework, case.ceiling, "check", ("ceiling",))
    _known(case, framework, case.factors, "factor", ("factors",))
    for name in case.signals:
        if name not in framework.signals:
            raise _stranger(case, framework, "signal", ("signals", name), framework.signals)
    for number, attempt in enumerate(case.attempts):
        _known(case, framework, attempt.ceiling, "check", ("attempts", number, "ceiling"))
        _known(case, framework, attempt.factors, "factor", ("attempts", number, "factors"))
        for option in attempt.tried:
            if framework.options and option not in framework.options:
                place = ("attempts", number, "tried", option)
                raise _stranger(case, framework, "option", place, framework.options)


def _known(
    case: Case,
    framework: Framework,
    given: Mapping[str, Answer] | Mapping[str, CheckAnswer],
    what: str,
    place: tuple[str | int, ...],
) -> None:
    asked: Mapping[str, object] = framework.ceiling if what == "check" else framework.factors
    for name, answer in given.items():
        if name not in asked:
            raise _stranger(case, framework, what, (*place, name), asked)
        check = framework.ceiling.get(name) if what == "check" else None
        counted = isinstance(answer, CheckAnswer) and answer.count is not None
        if counted and (check is None or check.at_least is None):
            raise CaseError(
                f'check "{name}" is answered with a count',
                where=case.where(*place, name),
                fix="use yes, no or unknown",
            )


def _stranger(
    case: Case,
    framework: Framework,
    what: str,
    place: tuple[str | int, ...],
    known: Mapping[str, object],
) -> CaseError:
    return CaseError(
        f'{what} "{place[-1]}" is not in the {framework.name} framework',
        where=case.where(*place),
        fix=did_you_mean(str(place[-1]), list(known)),
    )
