"""Measured beats stated, for what can be observed; a need stays as it was said.

Numbers of the case file give way to measured ones; an answer is settled by a measurement only when
its whole interval lies on one side of the framework's limit. docs/decisions says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.domain.assessment import Kind, Reason, Replaced
from tuneworthy.domain.case import Case
from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import State
from tuneworthy.domain.thresholds import MeasureRule
from tuneworthy.stats.intervals import Z95

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
    filled = Case.model_validate(tree)
    filled.placed(lambda path: case.where(*path), case.folder, case.supposed, ran)
    return filled, tuple(replaced)


def standing(case: Case, ledger: Ledger) -> Ledger:
    """What was measured, without the measurements of numbers that are only supposed.

    Returns:
        The ledger itself where nothing is supposed.
    """
    if not case.supposed:
        return ledger
    return {
        name: one
        for name, one in ledger.items()
        if not any(_covers(path, _NUMBERS.get(name, name)) for path in case.supposed)
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
    return Replaced(".".join(path), _stated(case, path), found)


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


def _stated(case: Case, path: tuple[str, ...]) -> tuple[float, float] | None:
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
        return _check(name, framework, ledger)
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
    numbers = {"measure": measure, "title": title, "value": found.value, "low": found.low,
               "high": found.high, "n": found.n, "limit": limit, "unit": found.unit}  # fmt: skip
    return Reason("measured", numbers)


def _side(found: Evidence, rule: MeasureRule) -> State:
    return rule.side(found.low, found.high)


def _of(measure: str, ledger: Ledger, rule: MeasureRule) -> Reason:
    return reason(measure, ledger[measure], rule.limit, rule.title)


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


def _check(name: str, framework: Framework, ledger: Ledger) -> tuple[State, Reason] | None:
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
