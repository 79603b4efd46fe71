"""Where data may not leave: what stays inside is compared, and savings alone don't decide."""

from __future__ import annotations

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.case import Case
from tuneworthy.domain.record import State
from tuneworthy.domain.serving import Judged


def stays_inside(case: Case, ways: tuple[Judged, ...], sovereign: State) -> tuple[State, Reason]:
    """Whether tuning is the best of what stays inside.

    Only serving is compared: the data stay inside either way, so no saving has to carry the work
    up front. An untuned way counts as good enough when its quality was measured against a target.

    Returns:
        Yes when no untuned way stays inside and may be used, or the tuned one is the cheapest; no
        when an untuned one is cheaper and meets every target; else unknown with what to ask.
    """
    if sovereign != "yes":
        return "unknown", Reason("no_sovereignty")
    untuned = [one for one in ways if not one.way.tuned]
    tuned = next((one for one in ways if one.way.tuned and one.admissible != "no"), None)
    if not untuned:
        return "unknown", Reason("inside_unlisted")
    left = [one for one in untuned if one.admissible != "no"]
    if tuned is None or tuned.way.runs != "own":
        return "unknown", Reason("inside_tuned_unknown", {"listed": tuned is not None})
    if not left:
        return "yes", Reason("inside_alone", {"model": tuned.way.model})
    if tuned.usd is None:
        return "unknown", tuned.reasons[0]
    return _among(case, left, tuned)


def _open_because(case: Case, one: Judged) -> Reason:
    if one.usd is None or one.admissible == "unknown":
        return one.reasons[0]
    return Reason("costs_overlap" if case.targets.quality else "no_quality_target")


def _among(case: Case, left: list[Judged], tuned: Judged) -> tuple[State, Reason]:
    """The tuned way among the untuned ones that stay inside."""
    assert tuned.usd is not None  # the caller looked
    cheaper = [one for one in left if one.usd is not None and one.usd.high < tuned.usd.low]
    proven = [one for one in cheaper if one.admissible == "yes" and case.targets.quality]
    if proven:
        best = proven[0]
        numbers = {"model": best.way.model, "how": best.way.how,
                   "usd": best.usd.likely if best.usd else None,
                   "tuned_usd": tuned.usd.likely}  # fmt: skip
        return "no", Reason("inside_cheaper", numbers)
    open_ways = [one for one in left if one.usd is None or one.usd.low < tuned.usd.high]
    if open_ways:
        first = open_ways[0]
        why = _open_because(case, first)
        return "unknown", Reason("inside_open", {"model": first.way.model, "why": why})
    return "yes", Reason("inside_cheapest", {"usd": tuned.usd.likely})
