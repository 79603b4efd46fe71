"""From what is said and found to one state for every answer.

What was measured counts where it settles an answer. Else a stated answer counts. Where nothing is
said but a stated number settles it (requests a month, examples, prompts), the answer is inferred
and marked ``assumed``. Everything else is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuneworthy.errors import CaseError
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.case import (
    Attempt,
    Case,
    CheckAnswer,
    FactorAnswer,
    PublishedFigure,
    PublishedScore,
    QualityTarget,
    metric_named,
)
from tuneworthy.model.dossier import Assessed, Assessment, EvidenceResult, Kind, Reason, Replaced
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.framework import Check, Framework, MeasureRule, Need
from tuneworthy.stats.intervals import Z95, wilson
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.words import count, interval_text, limit_text, plain

# Measured beats stated, for what can be observed; a need stays as it was said.

Ledger = Mapping[str, Evidence]
"""The latest known measurement by its id."""

_TRAFFIC = ("requests_per_month", "growth_per_month", "input_tokens", "output_tokens")
_TODAY = ("latency_p95_s", "usd_per_month")
_SHARES = {
    "cached_share": ("economics", "traffic"),
    "cacheable_share": ("economics", "traffic"),
    "retrieval_recall": ("today",),
}
Filled = tuple[tuple[str, ...], Any, Replaced]
"""Where a number goes, the number, and what it replaces."""

_NUMBERS = {
    **{name: f"economics.traffic.{name}" for name in _TRAFFIC},
    **{name: f"today.{name}" for name in _TODAY},
    **{name: ".".join((*place, name)) for name, place in _SHARES.items()},
    "success_share": "today.quality",
    "usable_examples": "data.examples",
}
"""Measurements that stand for a number of the case file, with its dotted path."""

_MOST = 10**15
"""The most of anything that a case file takes; a ledger somebody wrote in may say more."""

RUN_OPTIONS = {
    "retrieved_examples": "nearest_example_arms",
    "constrained_output": "constrained_arms",
}
"""Options that a lab may have run, with the measurement that counts its arms."""

COUNTED_CHECKS = {
    "prompt_variations": "distinct_prompts",
    "foundation_models": "models_seen",
    "few_shot": "few_shot_arms",
    "structured_prompt": "structured_prompts",
}
"""Checks that a count of what was seen can settle, with the measurement that counts."""


def with_evidence(case: Case, ledger: Ledger) -> tuple[Case, tuple[Replaced, ...]]:
    """The case with measured numbers in the place of stated ones, knowing what a lab has run.

    A measurement without an upper end replaces nothing: it bounds, and ``settled`` uses it so.

    Returns:
        The case, and what was replaced; the same case and () for an empty ledger.
    """
    if not ledger:
        return case, ()
    tree: dict[str, Any] = case.model_dump(exclude_defaults=True)
    replaced = []
    for path, value, one in _fill(case, standing(case, ledger)):
        _put(tree, path, value)
        if one not in replaced:
            replaced.append(one)
    ran = frozenset(
        option for option, arms in RUN_OPTIONS.items() if arms in ledger and ledger[arms].number > 0
    )
    if not replaced and not ran:
        return case, ()
    filled = Case.model_validate(tree).with_origin(replace(case.origin, ran=ran))
    return filled, tuple(replaced)


def standing(case: Case, ledger: Ledger) -> Ledger:
    """What was measured, without the measurements of numbers that are only supposed.

    Returns:
        The ledger itself where nothing is supposed.
    """
    if not case.origin.assumed:
        return ledger
    return {
        name: one
        for name, one in ledger.items()
        if not any(_covers(path, _NUMBERS.get(name, name)) for path in case.origin.assumed)
    }


def _covers(supposed: str, path: str) -> bool:
    """Whether a supposed path is a number's own, or stands above or below it."""
    return supposed == path or supposed.startswith(f"{path}.") or path.startswith(f"{supposed}.")


def _fill(case: Case, ledger: Ledger) -> Iterator[Filled]:
    for name in (*_TRAFFIC, *_TODAY):
        where = ("economics", "traffic") if name in _TRAFFIC else ("today",)
        found = ledger.get(name)
        if found is None or found.low is None or not isinstance(found.high, float | int):
            continue
        bottom, top = (-1.0, 10.0) if name == "growth_per_month" else (0.0, float(_MOST))
        ends = (found.low, found.number, found.high)
        low, likely, high = (min(max(float(end), bottom), top) for end in ends)
        value = {"low": low, "likely": likely, "high": high}
        yield (*where, name), value, _replaced(case, (*where, name), found)
    for name, place in _SHARES.items():
        found = ledger.get(name)
        if found is not None and 0 <= found.number <= 1:
            yield (*place, name), found.number, _replaced(case, (*place, name), found)
    yield from _quality(case, ledger.get("success_share"))
    yield from _examples(case, ledger.get("usable_examples"))


def _quality(case: Case, found: Evidence | None) -> Iterator[Filled]:
    """Quality, with as many independent cases as give the interval back."""
    if found is None or not 0 <= found.number <= 1:
        return
    if (cases := independent(found)) >= 1:
        replaced = _replaced(case, ("today", "quality"), found)
        yield ("today", "quality"), found.number, replaced
        yield ("today", "cases"), cases, replaced


def _examples(case: Case, found: Evidence | None) -> Iterator[Filled]:
    """Usable examples; what was stated as their number stays beside it."""
    if found is None or found.number < 0 or found.high == "open":
        return  # where there may be more, what was seen is no number of what is there
    usable, stated = min(math.floor(found.number), _MOST), case.data.examples
    good = stated.good if stated else None
    replaced = Replaced("data.examples", None if good is None else (good, good), found)
    yield ("data", "examples", "usable"), usable, replaced
    if stated is None or stated.count is None:
        yield ("data", "examples", "count"), usable, replaced


def _replaced(case: Case, path: tuple[str, ...], found: Evidence) -> Replaced:
    return Replaced(".".join(path), _measured_stated(case, path), found)


def independent(found: Evidence) -> int:
    """Independent cases at which Wilson's interval around a share is as wide as the measured one.

    The interval's ends are where ``(share - end)² = z² · end · (1 - end) / n``.

    Returns:
        A whole number, the smaller of what both ends give; 0 where they leave everything open, and
        never more than a case file takes.
    """
    share = found.number
    ends = [end for end in (found.low, found.high) if isinstance(end, float | int)]
    inner = [end for end in ends if 0 < end < 1 and end != share]
    # Divided twice: the square of a tiny distance is zero.
    worth = [Z95**2 * end * (1 - end) / (share - end) / (share - end) for end in inner]
    return math.floor(min(*worth, _MOST) + 1e-6) if worth else 0


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    here = tree
    for step in path[:-1]:
        here = here.setdefault(step, {})
    here[path[-1]] = value


def _measured_stated(case: Case, path: tuple[str, ...]) -> tuple[float, float] | None:
    value: Any = case
    for step in path:
        value = getattr(value, step)
    if value is None:
        return None
    return (value, value) if isinstance(value, float | int) else (value.low, value.high)


def settled(
    name: str, kind: Kind, case: Case, framework: Framework, ledger: Ledger
) -> tuple[State, Reason] | None:
    """What measurement makes of one answer.

    Args:
        name: A signal, check or factor.
        kind: Which of them.
        case: The case, measured numbers in place.
        framework: For its limits.
        ledger: What was measured.

    Returns:
        Yes or no with the measurement it rests on; None where nothing measured settles it. A number
        that is only supposed isn't overruled by the one that was measured.
    """
    ledger = standing(case, ledger)
    if not ledger or (name == "voice_drift" and case.data.voice is None):
        return None  # where no voice is named, nothing can drift from it
    if name == "success_with_prompts":
        return _success(case, ledger)
    if name == "low_volume":
        return below("requests_per_month", framework.threshold("low_volume"), ledger)
    if kind == "check":
        return _measured_check(name, framework, ledger)
    said = [
        (_side(ledger[measure], rule), _of(measure, ledger, rule))
        for measure, rule in framework.measures.items()
        if rule.about == name and rule.role == "settles" and measure in ledger
    ]
    if (yes := next((one for one in said if one[0] == "yes"), None)) is not None:
        return yes
    return said[0] if said and all(state == "no" for state, _ in said) else None


def reason(measure: str, found: Evidence, limit: float | None, title: str = "") -> Reason:
    """A measurement as the reason of an answer."""
    numbers = {
        "measure": measure,
        "title": title,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "limit": limit,
        "unit": found.unit,
    }
    return Reason("measured", numbers)


def _side(found: Evidence, rule: MeasureRule) -> State:
    return rule.side(found.low, found.high)


def _of(measure: str, ledger: Ledger, rule: MeasureRule) -> Reason:
    return reason(measure, ledger[measure], rule.limit, rule.title)


def in_words(because: Reason) -> str:
    """From what an answer was inferred or measured."""
    n = because.numbers
    if because.id == "from_requests":
        return f"from {count(n['requests'])} requests a month; low is under {count(n['limit'])}"
    if because.id == "from_examples":
        goal = f" for {plain(n['goal'])}" if n["goal"] else ""
        return f"from {count(n['have'])} examples; {count(n['limit'])} are needed{goal}"
    seen = interval_text(n["value"], n["low"], n["high"], n["unit"])
    on = f", on {count(n['n'])}" if n["n"] else ""
    limit = f"; the line is at {limit_text(n['limit'], n['unit'])}" if n["limit"] else ""
    return f"{seen}{on}{limit}"


def below(measure: str, limit: float | None, ledger: Ledger) -> tuple[State, Reason] | None:
    """Yes when all of a measurement is below a limit, no when none of it is."""
    found = ledger.get(measure)
    if found is None or limit is None or found.low is None:
        return None
    if found.low >= limit:
        return "no", reason(measure, found, limit)
    if isinstance(found.high, float | int) and found.high < limit:
        return "yes", reason(measure, found, limit)
    return None


def _measured_check(name: str, framework: Framework, ledger: Ledger) -> tuple[State, Reason] | None:
    """A count seen in the data is the least there was: it can settle a yes and never a no."""
    wanted = framework.ceiling[name].at_least or 1
    found = ledger.get(COUNTED_CHECKS.get(name, ""))
    if found is None or found.number < wanted:
        return None
    return "yes", reason(found.id, found, wanted)


def _success(case: Case, ledger: Ledger) -> tuple[State, Reason] | None:
    """Success is every target at once: one missed is a no, a yes needs all of them measured."""
    pairs = [
        ("success_share", case.targets.quality.at_least if case.targets.quality else None),
        ("latency_p95_s", case.targets.latency_p95_s),
        ("usd_per_month", case.targets.usd_per_month),
    ]
    wanted = [(name, target) for name, target in pairs if target is not None]
    states: list[State] = []
    for name, target in wanted:
        state = _meets(ledger.get(name), target, at_least=name == "success_share")
        if state == "no":
            return "no", reason(name, ledger[name], target)
        states.append(state)
    sovereign = case.factors.get("data_sovereignty")
    private = case.today.api == "own" or (sovereign is not None and sovereign.value == "no")
    if case.targets.quality is None or "unknown" in states or not private:
        return None
    first, target = wanted[0]
    return "yes", reason(first, ledger[first], target)


def _meets(found: Evidence | None, target: float, *, at_least: bool) -> State:
    if found is None or found.low is None or found.high is None:
        return "unknown"
    high = math.inf if found.high == "open" else found.high
    if at_least:
        return "yes" if found.low >= target else "no" if high < target else "unknown"
    return "yes" if high <= target else "no" if found.low > target else "unknown"


def speaks(
    name: str, framework: Framework, ledger: Ledger
) -> tuple[tuple[str, State, Reason], ...]:
    """What measurements that can't settle a need say about it: measure, side and reason each."""
    return tuple(
        (measure, _side(ledger[measure], rule), _of(measure, ledger, rule))
        for measure, rule in framework.measures.items()
        if rule.about == name and rule.role == "supports" and measure in ledger
    )


# From what is said and found to one state for every answer.

_ROOMS: dict[Kind, str] = {
    "check": "ceiling",
    "signal": "signals",
    "indicator": "factors",
    "anti_indicator": "factors",
}


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
        if f"{_ROOMS[told.kind]}.{told.id}" in case.origin.assumed:
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


def _stated(name: str, kind: Kind, answer: FactorAnswer | None) -> Assessed | None:
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
    name: str, kind: Kind, answer: FactorAnswer | None, case: Case, framework: Framework
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
    given: Mapping[str, FactorAnswer] | Mapping[str, CheckAnswer],
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


# Published figures as evidence: it is shown with its grade, and settles nothing.

PUBLISHED = "published_share"
"""Id of the first figure's evidence; further ones are numbered."""


def as_evidence(figures: Sequence[PublishedFigure]) -> dict[str, Evidence]:
    """Figures as evidence by its id; empty for none.

    They bear on no answer of the case: other cases were counted.
    """
    found = {}
    for number, one in enumerate(figures, start=1):
        name = PUBLISHED if number == 1 else f"{PUBLISHED}_{number}"
        found[name] = Evidence(
            id=name,
            grade="published",
            value=one.value,
            low=one.low,
            high=one.high,
            unit="share of cases",
            n=one.cases,
            source=one.source,
            observed_on=one.dated,
            method=f"{one.metric} as published, not measured here; interval (Wilson) from the "
            "share and its cases",
            details={"model": one.model, "metric": one.metric},
        )
    return found


# Published shares of tuned models, with their intervals and held against a target.

_ANY = QualityTarget.model_fields["metric"].default
"""The metric of a target that names none."""


def figures(case: Case) -> tuple[PublishedFigure, ...]:
    """The published figures of a case's models, the highest first; () where it names none."""
    held = [
        _figure(model.id, model.published, case.targets.quality)
        for model in case.models
        if model.published is not None
    ]
    return tuple(sorted(held, key=lambda one: -one.value))


def _figure(model: str, told: PublishedScore, wanted: QualityTarget | None) -> PublishedFigure:
    low, high = wilson(told.quality * told.cases, told.cases)
    low, high = min(low, told.quality), max(high, told.quality)  # that product is rounded
    target = _target(told.metric, wanted)
    meets: State = "unknown"
    if not isinstance(target, Unknown):
        meets = "yes" if low >= target else "no" if high < target else "unknown"
    return PublishedFigure(
        model=model,
        metric=told.metric,
        value=told.quality,
        low=low,
        high=high,
        cases=told.cases,
        source=told.source,
        dated=told.dated,
        target=target,
        meets=meets,
    )


def _target(metric: str, wanted: QualityTarget | None) -> float | Unknown:
    """The target by the same metric; one that is named by no metric is taken for any."""
    if wanted is None:
        return Unknown(ask="say which share is good enough (targets.quality.at_least)")
    if metric_named(wanted.metric) in (metric_named(metric), _ANY):
        return wanted.at_least
    return Unknown(ask=f"the target is by {wanted.metric}: find a figure by that")


# What was measured: as a section of the dossier, and as people read it.

ASK = "tuneworthy measure CASE: from traces, results of a test, or an invoice"
"""What to do where nothing was measured."""


def evidence_section(
    measured: Mapping[str, Evidence], framework: Framework
) -> tuple[EvidenceResult, ...] | Unknown:
    """Measurements as they stand in the dossier, or how to get some.

    Args:
        measured: The latest measurement of each id, unknown ones too.
        framework: For titles and limits.
    """
    if not measured:
        return Unknown(ask=ASK)
    return tuple(_result(one, framework.measures.get(one.id)) for one in measured.values())


def _title(one: Evidence) -> str:
    """What it is called where no rule of the framework names it."""
    if one.grade == "published":
        return f"{one.details.get('model', 'a tuned model')}, as published"
    return one.id.replace("_", " ")


def _result(one: Evidence, rule: MeasureRule | None) -> EvidenceResult:
    open_ = one.value if isinstance(one.value, Unknown) else None
    no_clock = Unknown(ask="log a timestamp with each trace")
    return EvidenceResult(
        id=one.id,
        title=rule.title if rule else _title(one),
        factor=rule.about if rule else one.factor,
        value=one.value,
        low=open_ if one.low is None and open_ else one.low or 0.0,
        high=open_ if one.high is None and open_ else one.high or 0.0,
        unit=one.unit,
        n=one.n,
        clusters=one.clusters,
        grade=one.grade,
        says=rule.side(one.low, one.high) if rule and one.known else "unknown",
        role=rule.role if rule else "settles" if one.grade == "measured" else "supports",
        limit=rule.limit if rule else Unknown(ask="no rule of the framework reads it"),
        method=one.method,
        source=one.source,
        observed_on=one.observed_on or no_clock,
        since=one.since or no_clock,
        sample=one.sample,
        details=one.details,
        examples=one.examples,
    )
