"""What to do, in which order, with what effort and by when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tuneworthy.model.base import MONTHS_PER_QUARTER, Range, Unknown, months_to_reach
from tuneworthy.model.case import Amount, Case, Ongoing
from tuneworthy.model.dossier import (
    Aim,
    Appraisal,
    ApproachResult,
    Assessed,
    Assessment,
    DatedPhase,
    Decision,
    Draft,
    GateResult,
    NoPlan,
    Outline,
    Outlook,
    Part,
    QuestionResult,
    Reason,
)
from tuneworthy.model.framework import (
    CostRow,
    Costs,
    Framework,
    Outcome,
    PlanRule,
    Span,
    Work,
    either,
)
from tuneworthy.money.words import investment_reason
from tuneworthy.plan.calendar import DAYS_PER_WEEK, dated, day, working_days
from tuneworthy.verdict.gates import held, unsafe

# What a step takes: from the case where it is stated, else from the framework.

NOTHING = Range.between(0.0, 0.0)


class LackingError(Exception):
    """A figure that neither the case nor the framework gives; it never leaves this room."""

    def __init__(self, why: Reason) -> None:
        self.why = why
        super().__init__(why.id)


@dataclass(frozen=True, slots=True)
class Taken:
    """Hours of work, and USD beside the work."""

    hours: Range
    usd: Range

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.hours + other.hours, self.usd + other.usd)

    def part(self, share: float) -> Taken:
        """A share of it."""
        return Taken(
            Range.between(self.hours.low * share, self.hours.most * share),
            Range.between(self.usd.low * share, self.usd.most * share),
        )

    def less(self, share: float) -> Taken:
        """What is left after a share, so that both add up to the whole."""
        gone = self.part(share)
        return Taken(_rest(self.hours, gone.hours), _rest(self.usd, gone.usd))


FREE = Taken(NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything the phases are made from."""

    case: Case
    framework: Framework
    rule: PlanRule
    assessment: Assessment
    start: date

    def draft(
        self,
        name: str,
        what: Reason,
        taken: Taken,
        *,
        part: Part = "steps",
        needs: tuple[str, ...] = (),
        weeks: float = 0.0,
    ) -> Draft:
        """A phase with its hours priced at the case's rate, which nobody may have stated."""
        rate = self.case.economics.hourly_rate_usd
        if rate is not None:
            work = Range.between(taken.hours.low * rate.low, taken.hours.most * rate.high)
        else:
            work = Range.between(0.0, math.inf if taken.hours.most > 0 else 0.0)
        return Draft(name, what, part, taken.hours, taken.usd + work, needs, weeks)

    def step(self, name: str, what: Reason, work: Work, needs: tuple[str, ...] = ()) -> Draft:
        """A phase that takes what a row of the framework's plan says."""
        return self.draft(name, what, hours(work.hours), needs=needs, weeks=work.weeks)

    def upfront(self, category: str) -> Taken:
        """A category of the upfront costs.

        Raises:
            LackingError: If neither the case nor the framework has it.
        """
        stated = self.case.economics.upfront.by_category.get(category)
        if stated is not None and (stated.hours is not None or stated.usd is not None):
            return Taken(_ends(stated.hours), _ends(stated.usd))
        return _taken(_row(self.framework.costs, "upfront", category))

    def table(self, category: str) -> Taken:
        """The framework's own row; what the case states only where the framework has none.

        Raises:
            LackingError: As ``upfront``.
        """
        rows = {} if self.framework.costs is None else dict(self.framework.costs.upfront)
        row = {str(name): each for name, each in rows.items()}.get(category)
        return self.upfront(category) if row is None else _taken(row)

    def quarter(self) -> Taken:
        """Three months of serving and watching.

        Raises:
            LackingError: As ``upfront``.
        """
        stated = self.case.economics.monthly.ongoing or Ongoing()
        if stated.monitoring_hours is not None:
            watching = _quarterly(Taken(_ends(stated.monitoring_hours), NOTHING))
        else:
            watching = self._running("monitoring")
        if stated.inference_usd is not None:
            serving = _quarterly(Taken(NOTHING, _ends(stated.inference_usd)))
        else:
            serving = self._running("inference")
        return watching + serving + _quarterly(Taken(NOTHING, _ends(stated.other_usd)))

    def retraining(self) -> Taken:
        """One retraining, a quarter after the last.

        Raises:
            LackingError: As ``upfront``.
        """
        stated = self.case.economics.monthly.ongoing
        if stated is not None and stated.retraining_hours_per_quarter is not None:
            return Taken(_ends(stated.retraining_hours_per_quarter), NOTHING)
        return self._running("retraining")

    def _running(self, category: str) -> Taken:
        row = _row(self.framework.costs, "ongoing", category)
        return _taken(row) if row.every == "quarter" else _quarterly(_taken(row))

    def option(self, name: str) -> Taken:
        """Work on an option of the framework; where it says none, what a check may take."""
        effort = self.framework.options[name].effort_hours
        return hours(either(self.rule.checks, "").hours if effort is None else effort)

    def collecting(self, fit: ApproachResult, share: float = 1.0) -> Taken:
        """Hours to get ready what lacks of a share of an approach's need.

        Nothing lacks at the lower end where nobody has counted, and everything at the upper.
        """
        wanted, have = fit.data.low * share, held(self.case, fit.data.unit)
        lacking = wanted if have is None else max(0.0, wanted - have)
        return self.collected(fit.data.unit, 0.0 if have is None else lacking, lacking)

    def collected(self, unit: str, least: float, most: float) -> Taken:
        """Hours to get ready from ``least`` to ``most`` pieces of data.

        Raises:
            LackingError: If the framework has no figure for the unit.
        """
        found = {str(name): each for name, each in self.rule.per_hour.items()}.get(unit)
        if most == 0:
            return FREE
        if found is None:
            raise LackingError(Reason("no_yield", {"unit": unit}))
        return Taken(Range.between(least / found.high, most / found.low), NOTHING)


def hours(span: Span) -> Taken:
    """Nothing but work."""
    return Taken(Range.between(span.low, span.high), NOTHING)


def _row(costs: Costs | None, table: str, category: str) -> CostRow:
    rows: dict[str, CostRow] = {} if costs is None else dict(getattr(costs, table))
    if category not in rows:
        raise LackingError(Reason("no_row", {"table": table, "category": category}))
    return rows[category]


def _taken(row: CostRow) -> Taken:
    return Taken(
        NOTHING if row.hours is None else Range.between(row.hours.low, row.hours.high),
        NOTHING if row.usd is None else Range.between(row.usd.low, row.usd.high),
    )


def _quarterly(monthly: Taken) -> Taken:
    return monthly.part(MONTHS_PER_QUARTER)


def _ends(amount: Amount | None) -> Range:
    return NOTHING if amount is None else Range.between(amount.low, amount.high)


def _rest(whole: Range, gone: Range) -> Range:
    return Range.between(whole.low - gone.low, whole.most - gone.most)


# What a plan rests on, and what to expect of it.


def notes(
    desk: Desk,
    decision: Decision,
    fits: Sequence[ApproachResult],
    phases: Sequence[DatedPhase],
    appraisal: Appraisal,
) -> tuple[Reason, ...]:
    """Everything a reader has to know before believing the dates and the sums."""
    stated = desk.case.economics.hours_per_week
    hours = desk.rule.hours_per_week if stated is None else stated.likely
    found = [Reason("capacity", {"hours": hours, "stated": stated is not None})]
    if desk.case.economics.hourly_rate_usd is None:
        found.append(Reason("unpriced"))
    if decision.outcome == "undecided":
        found.append(Reason("leaning", {"outcome": decision.leaning}))
    launch = next((p.end for p in phases if p.draft.id == "deployment"), None)
    if launch is not None:
        found += _tuned(desk, fits, phases, appraisal, launch)
    return tuple(found)


def _tuned(
    desk: Desk,
    fits: Sequence[ApproachResult],
    phases: Sequence[DatedPhase],
    appraisal: Appraisal,
    launch: date,
) -> Iterator[Reason]:
    stated = desk.case.economics.upfront.hours
    version = [p.draft.hours for p in phases if p.draft.part == "first_version"]
    if stated is not None:
        low, high = sum(h.low for h in version), sum(h.most for h in version)
        yield Reason(
            "hours_in_all",
            {"stated_low": stated.low, "stated_high": stated.high, "low": low, "high": high},
        )
    for fit in fits:
        if isinstance(fit.missing, Unknown):
            numbers = {"goal": fit.goal, "unit": fit.data.unit, "low": fit.data.low}
            yield Reason("not_counted", numbers)
    until = desk.case.tuning.until
    if until is not None and desk.start < until <= max(phase.end for phase in phases):
        yield Reason("service_ends", {"until": until, "launch": launch})
    if appraisal.investment is not None:
        months = appraisal.investment.months
        numbers = {"launch": launch, "low": months.low, "high": months.high}
        yield Reason("pays_back", numbers)


# The phases from here to a tuned model that is watched and kept fresh.

WEEKS_PER_QUARTER = 13
"""52 weeks by four."""


def tuning(
    desk: Desk,
    gates: Sequence[GateResult],
    fits: Sequence[ApproachResult],
    simpler: Sequence[str],
    investment: Reason,
) -> list[Draft]:
    """Every phase in order: preconditions, the first version, running it, further goals.

    Nothing is trained, not even a pilot, before the data is reviewed and the service confirmed, and
    the bulk of the money waits for the pilot and for amounts that are settled.

    Raises:
        LackingError: If a cost is neither stated nor in the framework's tables.
    """
    still: dict[str, GateResult] = {gate.id: gate for gate in gates if gate.state != "yes"}
    drafts = _stop(desk, still, investment)
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
        what = Reason("money", {"why": investment})
        drafts.append(desk.step("money", what, desk.rule.steps.money))
        needs.append("money")
    return [*drafts, *_version(desk, fits, tuple(needs)), *_running(desk), *_later(desk, fits)]


def _stop(desk: Desk, still: Mapping[str, GateResult], investment: Reason) -> list[Draft]:
    """A reason not to tune at all comes first, and everything else waits for it."""
    closed = {name: gate.why for name, gate in still.items() if gate.state == "no"}
    against = {name: closed[name] for name in ("strength", "investment") if name in closed}
    if not against:
        return []
    under = investment.numbers.get("under") if "investment" in against else None
    what = Reason("alternatives", {"why": tuple(against.values()), "under": under})
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
    desk: Desk,
    still: Mapping[str, GateResult],
    fits: Sequence[ApproachResult],
    needs: tuple[str, ...],
) -> list[Draft]:
    found, steps, service = [], desk.rule.steps, _service(desk, fits)
    if service is not None:
        work = steps.service if service.id == "service" else steps.other_service
        found.append(desk.step("service", service, work, needs))
    if "safety" in still:
        what = Reason("safety", {"names": unsafe(desk.case)[1]})
        found.append(desk.step("safety", what, steps.data_review, needs))
    if not fits:
        found.append(desk.step("goal", Reason("goal"), steps.goal, needs))
    return found


def _service(desk: Desk, fits: Sequence[ApproachResult]) -> Reason | None:
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


def _pilot(desk: Desk, fits: Sequence[ApproachResult], needs: tuple[str, ...]) -> Draft:
    share = desk.rule.pilot_share
    made = desk.upfront("data_preparation").part(share) + desk.upfront("training").part(share)
    taken = made + _comparison(desk)
    if fits:
        taken += desk.collecting(fits[0], share)
    what = Reason("pilot", {**_first(desk, fits), "share": share})
    return desk.draft("pilot", what, taken, part="first_version", needs=needs)


def _version(desk: Desk, fits: Sequence[ApproachResult], needs: tuple[str, ...]) -> list[Draft]:
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
            "deployment",
            Reason("deployment", numbers),
            desk.upfront("deployment"),
            part="first_version",
            needs=("training",),
        ),
    ]


def _missing(desk: Desk, fit: ApproachResult, share: float) -> Taken:
    """What lacks of the data, less what the pilot has collected of it."""
    whole, pilot = desk.collecting(fit).hours, desk.collecting(fit, share).hours
    return Taken(Range.between(whole.low - pilot.low, whole.most - pilot.most), FREE.usd)


def _running(desk: Desk) -> list[Draft]:
    """The first quarter in production, and the retraining at its end."""
    cases = {"cases": desk.rule.evaluation_cases}
    return [
        desk.draft(
            "monitoring",
            Reason("monitoring", cases),
            desk.quarter(),
            part="running",
            needs=("deployment",),
            weeks=WEEKS_PER_QUARTER,
        ),
        desk.draft(
            "retraining",
            Reason("retraining", cases),
            desk.retraining(),
            part="running",
            needs=("monitoring",),
        ),
    ]


def _later(desk: Desk, fits: Sequence[ApproachResult]) -> list[Draft]:
    """The goals after the primary one, one at a time, each with its own data and comparison.

    What a case states is the work up to its first version, so these take the framework's table.
    """
    found: list[Draft] = []
    for position, fit in enumerate(fits[1:], start=1):
        taken = desk.table("data_preparation") + desk.collecting(fit)
        taken += desk.table("training") + desk.table("evaluation")
        as_before = any(fit.data.unit == earlier.data.unit for earlier in fits[:position])
        needs = (found[-1].id if found else "deployment",)
        what = Reason("later_goal", {**_of(desk, fit), "as_before": as_before})
        found.append(desk.draft(f"goal_{fit.goal}", what, taken, part="later_goals", needs=needs))
    return found


def _first(desk: Desk, fits: Sequence[ApproachResult]) -> dict[str, Any]:
    """Numbers of the primary approach; without one only the count of untouched cases."""
    return _of(desk, fits[0]) if fits else {"cases": desk.rule.evaluation_cases}


def _of(desk: Desk, fit: ApproachResult) -> dict[str, Any]:
    return {
        "goal": fit.goal,
        "approach": fit.approach,
        "low": fit.data.low,
        "high": fit.data.high,
        "unit": fit.data.unit,
        "have": held(desk.case, fit.data.unit),
        "priority": fit.priority,
        "cases": desk.rule.evaluation_cases,
    }


# The steps that would confirm a verdict, or change it.

_RETRIEVAL, _OTHER_MODEL = "better_retrieval", "other_model"
_DONE = {_RETRIEVAL: "retrieval_optimised", _OTHER_MODEL: "foundation_models"}
"""The check of the ceiling test that says an option was done already."""


def settling(
    desk: Desk,
    outcome: Outcome,
    fits: Sequence[ApproachResult],
    advised: Sequence[str] = (),
    needs: tuple[str, ...] = (),
) -> list[Draft]:
    """The steps for an outcome other than to tune, and the decision after them.

    Args:
        desk: The case and its framework.
        outcome: What the verdict is, or what an open one leans to.
        fits: Approaches, the primary one first.
        advised: Ids of options that are recommended and are no tuning.
        needs: What comes before all of them.

    Raises:
        LackingError: If the framework lacks a figure.
    """
    if outcome == "keep_optimizing_prompts":
        found = _checks(desk, needs)
    elif outcome == "improve_rag_or_switch_model":
        found = _improving(desk, advised, needs)
    elif outcome == "address_anti_indicators":
        found = _against(desk, fits, needs)
    else:
        found = _cases(desk, needs)
    if not found:  # a framework may lead here with nothing left to do
        found = [desk.step("watch", Reason("watch"), desk.rule.steps.watch, needs)]
    return [*found, _decide(desk, tuple(draft.id for draft in found))]


def keeping(desk: Desk) -> list[Draft]:
    """The present system meets every target: show it, and watch that it stays so."""
    found = _cases(desk, ())
    needs = tuple(draft.id for draft in found)
    what = Reason("need", {"cases": desk.rule.evaluation_cases})
    found.append(desk.step("need", what, desk.rule.steps.targets, needs))
    found.append(desk.step("watch", Reason("watch"), desk.rule.steps.watch, ("need",)))
    return [*found, _decide(desk, ("watch",))]


def questions(desk: Desk, asked: Sequence[QuestionResult]) -> Draft:
    """The open answers, found out at the minutes the framework gives them."""
    took = sum(question.minutes for question in asked) / 60
    what = Reason("questions", {"names": tuple(question.factor for question in asked)})
    return desk.draft("questions", what, Taken(Range.between(took, took), NOTHING))


def _decide(desk: Desk, needs: tuple[str, ...]) -> Draft:
    return desk.step("decide", Reason("decide"), desk.rule.steps.decide, needs)


def _cases(desk: Desk, needs: tuple[str, ...]) -> list[Draft]:
    """An evaluation set where there is none: without one no comparison counts."""
    if desk.case.data.evaluation is not None:
        return []
    draft = evaluation(desk, needs)
    return [Draft(draft.id, draft.what, "steps", draft.hours, draft.usd, needs)]


def _checks(desk: Desk, needs: tuple[str, ...]) -> list[Draft]:
    """Every check that isn't known to be done."""
    todo = [a for a in desk.assessment.of_kind("check").values() if a.state != "yes"]
    if not todo:
        return []
    found = _cases(desk, needs)
    needs = (*needs, *(draft.id for draft in found))
    for check in todo:
        what = Reason("check", {"check": check.id, "state": check.state})
        work = either(desk.rule.checks, check.id)
        found.append(desk.step(f"check_{check.id}", what, work, needs))
    return found


def _improving(desk: Desk, advised: Sequence[str], needs: tuple[str, ...]) -> list[Draft]:
    """Find out whether the passage is found and mend that, look at another model, or go on.

    The lesson's tree comes here only where retrieval and other models are answered as done. Then
    neither is done again, unless a count says otherwise, and what is advised takes their place.
    """
    found = _cases(desk, needs)
    needs = (*needs, *(draft.id for draft in found))
    found += _retrieval(desk, needs)
    if _OTHER_MODEL in desk.framework.options and (
        _OTHER_MODEL in advised or not _is_done(desk, _OTHER_MODEL)
    ):
        what = Reason("other_model", {"cases": desk.rule.evaluation_cases})
        found.append(desk.draft("other_model", what, desk.option(_OTHER_MODEL), needs=needs))
    planned = {_OTHER_MODEL, _RETRIEVAL, *_kinds_of_retrieval(desk)}
    more = [name for name in advised if name not in planned and not _is_serving(desk, name)]
    if all(_is_done(desk, name) for name in _DONE):
        found += simpler_first(desk, more, needs)
    return found


def _retrieval(desk: Desk, needs: tuple[str, ...]) -> list[Draft]:
    """Count whether the passage is found; try every kind of better retrieval where it isn't."""
    found = []
    recall, enough = desk.case.today.retrieval_recall, desk.framework.threshold("retrieval_recall")
    numbers = {"recall": recall, "enough": enough, "cases": desk.rule.evaluation_cases}
    done = _is_done(desk, _RETRIEVAL)
    if recall is None:
        what = Reason("recall", {**numbers, "done": done})
        found.append(desk.step("recall", what, desk.rule.steps.recall, needs))
        needs = ("recall",)
    wanted = not done if recall is None or enough is None else recall < enough
    if wanted and _RETRIEVAL in desk.framework.options:
        kinds = _kinds_of_retrieval(desk)
        taken = sum((desk.option(name) for name in kinds or (_RETRIEVAL,)), FREE)
        what = Reason("retrieval", {**numbers, "kinds": kinds})
        found.append(desk.draft("retrieval", what, taken, needs=needs))
    return found


def _kinds_of_retrieval(desk: Desk) -> tuple[str, ...]:
    options = desk.framework.options.items()
    return tuple(name for name, option in options if option.variant_of == _RETRIEVAL)


def _is_done(desk: Desk, option: str) -> bool:
    """Whether the answers say that an option was done already."""
    return desk.assessment.state(_DONE[option]) == "yes"


def _is_serving(desk: Desk, option: str) -> bool:
    """Whether an option makes calls cheaper, which mends no answer."""
    return desk.framework.options[option].kind == "serving"


def _against(desk: Desk, fits: Sequence[ApproachResult], needs: tuple[str, ...]) -> list[Draft]:
    """One phase for each reason against that holds."""
    held = desk.assessment.of_kind("anti_indicator").values()
    return [_clear(desk, one, fits, needs) for one in held if one.state == "yes"]


def _clear(
    desk: Desk, against: Assessed, fits: Sequence[ApproachResult], needs: tuple[str, ...]
) -> Draft:
    work = either(desk.rule.against, against.id)
    taken, weeks = hours(work.hours), work.weeks
    what = Reason("against", {"name": against.id, "weeks": weeks})
    if against.id == "insufficient_data":
        what, more = _data(desk, fits)
        taken += more
    elif against.id == "low_volume":
        what, weeks = _volume(desk, weeks)
    elif against.id == "rapidly_changing_requirements":
        answer = desk.case.factors.get(against.id)
        changes = answer.changes if answer else None
        what = Reason("changing", {"name": against.id, "changes": changes, "weeks": weeks})
    elif against.id == "exploration_phase":
        what = Reason("exploration", {"name": against.id, "weeks": weeks})
    elif against.id == "success_with_prompts":
        what = Reason("success", {"name": against.id, "cases": desk.rule.evaluation_cases})
    return desk.draft(f"against_{against.id}", what, taken, needs=needs, weeks=weeks)


def _data(desk: Desk, fits: Sequence[ApproachResult]) -> tuple[Reason, Taken]:
    """Collect up to the need of the first goal that lacks data, or the framework's own number."""
    for fit in fits:
        if fit.missing != 0:
            unit = fit.data.unit
            numbers = {"low": fit.data.low, "unit": unit, "have": held(desk.case, unit)}
            return Reason("collect", numbers), desk.collecting(fit)
    wanted = desk.framework.threshold("few_examples") or 0.0
    holding = desk.case.data.examples
    have = None if holding is None else holding.good
    lacking = max(0.0, wanted - (have or 0))
    numbers = {"low": wanted, "unit": "examples", "have": have}
    taken = desk.collected("examples", 0.0 if have is None else lacking, lacking)
    return Reason("collect", numbers), taken


def _volume(desk: Desk, weeks: float) -> tuple[Reason, float]:
    """Until the stated growth gets there; the framework's wait where it never does."""
    traffic = desk.case.economics.traffic
    now = traffic.requests_per_month.likely if traffic.requests_per_month else None
    limit = desk.framework.threshold("low_volume")
    growth = traffic.growth_per_month.likely if traffic.growth_per_month else 0.0
    months = None
    if now is not None and limit is not None and now < limit:
        months = months_to_reach(now=now, target=limit, growth_per_month=growth)
    if months:
        weeks = months * WEEKS_PER_QUARTER / MONTHS_PER_QUARTER
    return Reason("volume", {"now": now, "limit": limit, "months": months, "weeks": weeks}), weeks


# What to do, in which order, with what effort and by when.


def draft_plan(
    case: Case,
    framework: Framework,
    assessment: Assessment,
    decision: Decision,
    fits: Sequence[ApproachResult],
    gates: Sequence[GateResult],
    asked: Sequence[QuestionResult],
    money: Outlook,
    start: date,
    simpler: Sequence[str] = (),
) -> Outline | NoPlan:
    """Plan what the verdict asks for.

    A candidate is planned up to a tuned model that is watched and kept fresh; any other verdict up
    to the next decision. Hours and USD are the case's where it states them by category, else those
    of the framework's tables; hours without a rate leave the USD open.

    Args:
        case: The case.
        framework: The framework it was judged by.
        assessment: The answers.
        decision: What the rules came to.
        fits: Approaches, the primary one first.
        gates: What stands between a candidate and money.
        asked: Open answers that can matter, the best first.
        money: When it pays.
        start: The day to begin.
        simpler: Ids of options that are recommended before any tuning.

    Returns:
        The phases, each after those it needs, with dates; or why they can't be given.
    """
    rule = framework.plan
    if rule is None:
        return NoPlan(Reason("no_plan_section", {"framework": framework.name}))
    capacity = case.economics.hours_per_week
    pace = rule.hours_per_week if capacity is None else capacity.likely
    try:
        first = day(start, 0)
        desk = Desk(case, framework, rule, assessment, first)
        aim, drafts = _drafts(desk, decision, fits, gates, asked, simpler, money)
    except LackingError as caught:
        return NoPlan(caught.why)
    except ValueError:  # the weekend at the end of the year 9999
        return NoPlan(Reason("beyond_calendar", {"years": 0.0}))
    phases = dated(drafts, first, pace)
    if isinstance(phases, NoPlan):
        return phases
    weeks = working_days(first, max(phase.end for phase in phases)) / DAYS_PER_WEEK
    return Outline(aim, first, phases, weeks, notes(desk, decision, fits, phases, money.appraisal))


def _drafts(
    desk: Desk,
    decision: Decision,
    fits: Sequence[ApproachResult],
    gates: Sequence[GateResult],
    asked: Sequence[QuestionResult],
    simpler: Sequence[str],
    money: Outlook,
) -> tuple[Aim, list[Draft]]:
    if decision.outcome == "undecided":
        first = questions(desk, asked)
        then = settling(desk, decision.leaning, fits, simpler, (first.id,))
        return "confirm", [first, *then]
    if decision.outcome != "fine_tune_candidate":
        aim: Aim = "confirm" if decision.outcome == "improve_rag_or_switch_model" else "change"
        return aim, settling(desk, decision.outcome, fits, simpler)
    if any(gate.id == "need" and gate.state == "no" for gate in gates):
        return "confirm", keeping(desk)
    return "tune", tuning(desk, gates, fits, simpler, investment_reason(desk.assessment, money)[1])
