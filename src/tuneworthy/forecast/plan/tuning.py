"""The phases from here to a tuned model that is watched and kept fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.decision import ApproachFit, Gate
from tuneworthy.domain.outline import Draft
from tuneworthy.forecast.plan.desk import FREE, Desk, Taken

WEEKS_PER_QUARTER = 13
"""52 weeks by four."""


def tuning(
    desk: Desk, gates: Sequence[Gate], fits: Sequence[ApproachFit], simpler: Sequence[str]
) -> list[Draft]:
    """Every phase in order: preconditions, the first version, running it, further goals.

    Nothing is trained, not even a pilot, before the data is reviewed and the service confirmed, and
    the bulk of the money waits for the pilot and for amounts that are settled.

    Raises:
        LackingError: If a cost is neither stated nor in the framework's tables.
    """
    still: dict[str, Gate] = {gate.id: gate for gate in gates if gate.state != "yes"}
    drafts = _stop(desk, still)
    stop = tuple(draft.id for draft in drafts)
    drafts += _preconditions(desk, still, fits, stop)
    drafts.append(evaluation(desk, stop))
    if "need" in still:
        what = Reason("need", {"cases": desk.rule.evaluation_cases})
        drafts.append(desk.step("need", what, desk.rule.steps.targets, ("evaluation",)))
    drafts += simpler_first(desk, simpler, ("evaluation",))
    drafts.append(_pilot(desk, fits, tuple(draft.id for draft in drafts)))
    needs = ["pilot"]
    if "investment" in still and "alternatives" not in stop:
        what = Reason("money", {"why": still["investment"].why})
        drafts.append(desk.step("money", what, desk.rule.steps.money))
        needs.append("money")
    return [*drafts, *_version(desk, fits, tuple(needs)), *_running(desk), *_later(desk, fits)]


def _stop(desk: Desk, still: Mapping[str, Gate]) -> list[Draft]:
    """A reason not to tune at all comes first, and everything else waits for it."""
    against = [still[name].why for name in ("strength", "investment")
               if name in still and still[name].state == "no"]  # fmt: skip
    if not against:
        return []
    what = Reason("alternatives", {"why": tuple(against)})
    return [desk.step("alternatives", what, desk.rule.steps.alternatives)]


def simpler_first(desk: Desk, options: Sequence[str], needs: tuple[str, ...]) -> list[Draft]:
    """What would help and is simpler than tuning is tried on the same cases before any training.

    Args:
        desk: The case and its framework.
        options: Their ids; for none there is no such step.
        needs: What comes before.
    """
    if not options:
        return []
    what = Reason("simpler", {"options": tuple(options), "cases": desk.rule.evaluation_cases})
    taken = sum((desk.option(name) for name in options), FREE)
    return [desk.draft("simpler", what, taken, needs=needs)]


def _preconditions(
    desk: Desk, still: Mapping[str, Gate], fits: Sequence[ApproachFit], needs: tuple[str, ...]
) -> list[Draft]:
    found, steps, service = [], desk.rule.steps, _service(desk, fits)
    if service is not None:
        work = steps.service if service.id == "service" else steps.other_service
        found.append(desk.step("service", service, work, needs))
    if "safety" in still:
        names = still["safety"].why.numbers.get("names", ())
        what = Reason("safety", {"names": names})
        found.append(desk.step("safety", what, steps.data_review, needs))
    if not fits:
        found.append(desk.step("goal", Reason("goal"), steps.goal, needs))
    return found


def _service(desk: Desk, fits: Sequence[ApproachFit]) -> Reason | None:
    """What has to be settled about the tuning service; None when nothing has."""
    found, others = desk.case.tuning, fits[0].offered_by if fits else ()
    if found.until is not None and found.until <= desk.start:
        return Reason("other_service", {"until": found.until, "others": others})
    if found.available == "no":
        return Reason("other_service", {"until": None, "others": others})
    if found.service == "self_hosted" or found.available == "yes":
        return None
    return Reason("service", {"until": found.until, "others": others})


def evaluation(desk: Desk, needs: tuple[str, ...] = ()) -> Draft:
    """Untouched cases and the figure to beat, before anything is trained or changed.

    Raises:
        LackingError: If hours for evaluation are neither stated nor in the framework's table.
    """
    taken = desk.upfront("evaluation").part(desk.rule.design_share)
    what = Reason(
        "evaluation",
        {"cases": desk.rule.evaluation_cases, "have": desk.case.data.evaluation is not None},
    )
    return desk.draft("evaluation", what, taken, part="first_version", needs=needs)


def _comparison(desk: Desk) -> Taken:
    """One of the two comparisons on untouched cases, of the pilot and of the trained model."""
    return desk.upfront("evaluation").less(desk.rule.design_share).part(0.5)


def _pilot(desk: Desk, fits: Sequence[ApproachFit], needs: tuple[str, ...]) -> Draft:
    share = desk.rule.pilot_share
    made = desk.upfront("data_preparation").part(share) + desk.upfront("training").part(share)
    taken = made + _comparison(desk)
    if fits:
        taken += desk.collecting(fits[0], share)
    what = Reason("pilot", {**_first(desk, fits), "share": share})
    return desk.draft("pilot", what, taken, part="first_version", needs=needs)


def _version(desk: Desk, fits: Sequence[ApproachFit], needs: tuple[str, ...]) -> list[Draft]:
    """The rest of the data, the training and the launch."""
    share, numbers = desk.rule.pilot_share, _first(desk, fits)
    data = desk.upfront("data_preparation").less(share)
    if fits:
        data += _missing(desk, fits[0], share)
    trained = desk.upfront("training").less(share) + _comparison(desk)
    return [
        desk.draft("data", Reason("data", numbers), data, part="first_version", needs=needs),
        desk.draft(
            "training", Reason("training", numbers), trained, part="first_version", needs=("data",)
        ),
        desk.draft(
            "deployment", Reason("deployment", numbers), desk.upfront("deployment"),
            part="first_version", needs=("training",),
        ),
    ]  # fmt: skip


def _missing(desk: Desk, fit: ApproachFit, share: float) -> Taken:
    """What lacks of the data, less what the pilot has collected of it."""
    whole, pilot = desk.collecting(fit).hours, desk.collecting(fit, share).hours
    return Taken(type(whole)(whole.low - pilot.low, whole.high - pilot.high), FREE.usd)


def _running(desk: Desk) -> list[Draft]:
    """The first quarter in production, and the retraining at its end."""
    cases = {"cases": desk.rule.evaluation_cases}
    return [
        desk.draft(
            "monitoring", Reason("monitoring", cases), desk.quarter(),
            part="running", needs=("deployment",), weeks=WEEKS_PER_QUARTER,
        ),
        desk.draft(
            "retraining", Reason("retraining", cases), desk.retraining(),
            part="running", needs=("monitoring",),
        ),
    ]  # fmt: skip


def _later(desk: Desk, fits: Sequence[ApproachFit]) -> list[Draft]:
    """The goals after the primary one, one at a time, each with its own data and comparison.

    What a case states is the work up to its first version, so these take the framework's table.
    """
    found: list[Draft] = []
    for position, fit in enumerate(fits[1:], start=1):
        taken = desk.table("data_preparation") + desk.collecting(fit)
        taken += desk.table("training") + desk.table("evaluation")
        as_before = any(fit.unit == earlier.unit for earlier in fits[:position])
        needs = (found[-1].id if found else "deployment",)
        what = Reason("later_goal", {**_of(desk, fit), "as_before": as_before})
        found.append(desk.draft(f"goal_{fit.goal}", what, taken, part="later_goals", needs=needs))
    return found


def _first(desk: Desk, fits: Sequence[ApproachFit]) -> dict[str, Any]:
    """Numbers of the primary approach; without one only the count of untouched cases."""
    return _of(desk, fits[0]) if fits else {"cases": desk.rule.evaluation_cases}


def _of(desk: Desk, fit: ApproachFit) -> dict[str, Any]:
    return {
        "goal": fit.goal, "approach": fit.approach, "low": fit.low, "high": fit.high,
        "unit": fit.unit, "have": fit.have, "priority": fit.priority,
        "cases": desk.rule.evaluation_cases,
    }  # fmt: skip
