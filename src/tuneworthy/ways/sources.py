"""Sources of ways: production, listed models, arms of labs, options and kinds of tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from tuneworthy.answers.facts import CaseFacts, as_range, known_range
from tuneworthy.facts.load import WARN_DAYS, end_day
from tuneworthy.model.base import Interval, Range, State, Unknown
from tuneworthy.model.case import Amount, Case, Model, in_use
from tuneworthy.model.dossier import ServingResult
from tuneworthy.model.framework import (
    ApproachRule,
    Framework,
    OptionRule,
    Span,
    Triangle,
)
from tuneworthy.model.ways import (
    AnyFigure,
    FigureGrade,
    FigureId,
    LabArm,
    WayKind,
    WayState,
)
from tuneworthy.ways.gap import Gap
from tuneworthy.ways.untried import Prospect, find_option
from tuneworthy.ways.way import KnownNumber, Way, known_amount, share_of_cases
from tuneworthy.words import usd

#: Hours to run a listed model on a set of cases.
_TO_TRY_A_MODEL = Range(low=4, high=12)


def _grade(facts: CaseFacts, path: str) -> FigureGrade:
    """Measured where a measurement replaces the case's statement, else stated."""
    replaced = any(each.path.startswith(path) for each in facts.findings.replaced)
    return "measured" if replaced else "stated"


def _known_of(
    amount: Amount | None, grade: FigureGrade, source: str = ""
) -> KnownNumber | None:
    if amount is None:
        return None
    return known_amount(Interval(amount.low, amount.likely, amount.high), grade, source)


def _mark_if_brought(
    facts: CaseFacts, path: str, known: KnownNumber | None
) -> KnownNumber | None:
    """The number at a path, marked where a measurement that came with the folder gives it."""
    if known is None:
        return None
    for replaced in facts.findings.replaced:
        if replaced.path.startswith(path) and replaced.evidence.brought:
            return known._replace(brought=True)
    return known


def _present(
    *,
    quality: KnownNumber | None,
    latency_p95_s: KnownNumber | None,
    usd_per_month: KnownNumber | None,
) -> dict[FigureId, KnownNumber]:
    """The figures of a way that are known."""
    figures: dict[FigureId, KnownNumber | None] = {
        "quality": quality,
        "latency_p95_s": latency_p95_s,
        "usd_per_month": usd_per_month,
    }
    return {name: known for name, known in figures.items() if known is not None}


def production(facts: CaseFacts) -> Way:
    """The way that runs now: by the log, else as stated. It is never a lab's best arm."""
    used = in_use(facts.case)
    return Way(
        id="now",
        title=f"now: {used.id}" if used else "now",
        kind="now",
        option="keep_prompt",
        state="running",
        model=used.id if used else "",
        figures=_present(
            quality=_quality_today(facts),
            latency_p95_s=_latency_today(facts),
            usd_per_month=_bill_today(facts),
        ),
        because="it runs today",
        private=_private_at(facts.api),
        lapses=None if used is None else _lapses(used, facts.findings.as_of),
    )


def _quality_today(facts: CaseFacts) -> KnownNumber | None:
    """Today's quality; where two stated figures differ, its interval reaches over both."""
    today = facts.case.today
    grade = _grade(facts, "today.quality")
    quality = share_of_cases(today.quality, today.cases, grade)
    if quality is not None and facts.other_figure is not None:
        other = facts.other_figure
        low = min(quality.low, other.low)
        high = max(quality.high, other.high)
        quality = quality._replace(low=low, high=high)
    return _mark_if_brought(facts, "today.quality", quality)


def _latency_today(facts: CaseFacts) -> KnownNumber | None:
    grade = _grade(facts, "today.latency_p95_s")
    latency = _known_of(facts.case.today.latency_p95_s, grade)
    return _mark_if_brought(facts, "today.latency_p95_s", latency)


def _bill_today(facts: CaseFacts) -> KnownNumber | None:
    """Today's bill: computed from traffic and prices unless it is stated or measured."""
    grade: FigureGrade = "computed"
    if facts.case.today.usd_per_month is not None:
        grade = _grade(facts, "today.usd_per_month")
    bill = _known_of(facts.bill, grade)
    return _mark_if_brought(facts, "today.usd_per_month", bill)


def _lapses(model: Model, as_of: date | None) -> date | None:
    """The day on which a tuned model is switched off, if that is soon; else None.

    None for a model as it comes: it has a successor that the same prompt runs on, while a tuned
    model can't be moved.
    """
    end = end_day(model, as_of)
    if model.kind != "tuned" or end is None or as_of is None:
        return None
    return end if end <= as_of + timedelta(days=WARN_DAYS) else None


def _private_at(runs: str) -> State:
    """Whether data stay inside, by the party that runs the model."""
    if runs == "own":
        return "yes"
    return "no" if runs == "third_party" else "unknown"


# Models that were listed.


def listed_models(facts: CaseFacts) -> Iterator[Way]:
    """Every listed model but the one in use, each with its own figures and its own bill.

    A model for embeddings answers no request, so it is none.
    """
    used = in_use(facts.case)
    for model in facts.case.models:
        if model is used or model.embedded:
            continue
        served = _serving_of(facts, model)
        bill = _computed_bill(served)
        quality = share_of_cases(model.quality, model.cases, "stated")
        measured = quality is not None
        yield Way(
            id=f"model:{model.id}",
            title=model.id,
            kind="tuned" if model.kind == "tuned" else "model",
            option=_option_of_listed(facts, model, bill),
            state=_state_of_listed(facts, model, measured=measured),
            model=model.id,
            figures=_present(
                quality=quality,
                latency_p95_s=_stated_seconds(model.latency_p95_s),
                usd_per_month=bill,
            ),
            hours=_TO_TRY_A_MODEL,
            because="it was scored" if measured else "it is listed, and nobody ran it",
            private=_private_at(_runs(facts, model, served)),
        )


def _option_of_listed(facts: CaseFacts, model: Model, bill: KnownNumber | None) -> str:
    """The kind of step that would put a listed model to use.

    A cheaper model counts as a smaller one only where cost or latency is missed.
    """
    if model.kind == "tuned":
        return "roll_out"
    too_dear = facts.target("cost") == "no" or facts.target("latency") == "no"
    if too_dear and _cheaper(facts, bill):
        return "smaller_model"
    return "other_model"


def _state_of_listed(facts: CaseFacts, model: Model, *, measured: bool) -> WayState:
    """The state of a listed model, which has failed if an attempt used it and nobody scored it."""
    if measured:
        return "stated"
    return "failed" if facts.tried_model(model.id) else "untried"


def unlisted_models(facts: CaseFacts) -> Iterator[Way]:
    """Hosted models that nobody listed, with their bill, where the bill misses its target."""
    if facts.tried("smaller_model"):
        return
    limit = facts.limits.get("cost")
    if limit is None or facts.bill is None or facts.bill.likely <= limit:
        return
    for rival in facts.findings.rivals:
        usd_per_month = known_range(rival.usd_per_month)
        if usd_per_month is None:
            continue
        bill = _computed(usd_per_month, "list price")
        yield Way(
            id=f"model:{rival.model}",
            title=rival.model,
            kind="model",
            option="smaller_model" if _cheaper(facts, bill) else "other_model",
            state="untried",
            model=rival.model,
            figures={"usd_per_month": bill},
            hours=_TO_TRY_A_MODEL,
            because="nobody ran it on your cases",
            private="no",
        )


def _computed(bill: Range, source: str) -> KnownNumber:
    """A computed bill, with the middle of its range as its value."""
    middle = (bill.low + bill.most) / 2
    return KnownNumber(bill.low, middle, bill.most, "computed", source=source)


def _cheaper(facts: CaseFacts, bill: KnownNumber | None) -> bool:
    """Whether a bill is below today's; False where one of the two is unknown."""
    if bill is None or facts.bill is None:
        return False
    return bill.value < facts.bill.likely


def _stated_seconds(seconds: float | None) -> KnownNumber | None:
    if seconds is None:
        return None
    return KnownNumber(seconds, seconds, seconds, "stated")


def _serving_of(facts: CaseFacts, model: Model) -> ServingResult | None:
    """The way to serve a model unchanged: by its host or on your own machines; None without one."""
    for serving in facts.findings.servings:
        if serving.model == model.id and serving.how in ("as_is", "self_hosted"):
            return serving
    return None


def _computed_bill(served: ServingResult | None) -> KnownNumber | None:
    """The bill by traffic and prices; None where it isn't known."""
    bill = None if served is None else known_range(served.usd_per_month)
    return None if bill is None else _computed(bill, "traffic and prices")


def _runs(facts: CaseFacts, model: Model, served: ServingResult | None) -> str:
    """The party that runs a model, as stated or by how it is served."""
    if model.runs != "unknown":
        return model.runs
    if served is not None and served.how == "self_hosted":
        return "own"
    if (model.id, model.base_url) in facts.findings.prices:
        return "third_party"  # a list price is a provider's
    return "unknown"


# What labs ran.


def arms_of_labs(facts: CaseFacts, arms: Sequence[LabArm]) -> Iterator[Way]:
    """Every arm of every lab. Its bill is the cost of its calls times the traffic."""
    models = {model.id: model for model in facts.case.models}
    for arm in arms:
        kind: WayKind = "arm" if arm.kind == "prompted" else arm.kind
        yield Way(
            id=f"{arm.lab}:{arm.id}",
            title=arm.title,
            kind=kind,
            option=_option_of(facts, arm),
            state="running" if arm.runs_today else "measured",
            made_of=arm.made_of,
            model=arm.model,
            figures=_present(
                quality=_read(arm.quality),
                latency_p95_s=_read(arm.latency_p95_s),
                usd_per_month=_bill_of_arm(facts, arm),
            ),
            because=f"a lab ran it ({arm.lab})",
            private=_arm_private(facts, arm, models.get(arm.model)),
            gain=_read(arm.gain),
            beside=f"{arm.lab}:{arm.beside}" if arm.beside else "",
            best_known=arm.best_known,
            skills=arm.general_skills,
            safe=arm.safe,
        )


def _arm_private(facts: CaseFacts, arm: LabArm, model: Model | None) -> State:
    """Whether an arm keeps data inside: as its lab recorded, else by who runs its model.

    ``model`` is the entry of the case for it. An arm that the case doesn't list was run with the
    model in use.
    """
    if arm.private != "unknown":
        return arm.private
    if arm.kind == "no_model":
        return "yes"  # a program on your own machine
    if model is None or model is in_use(facts.case):
        return _private_at(facts.api)
    return _private_at(_runs(facts, model, _serving_of(facts, model)))


def _option_of(facts: CaseFacts, arm: LabArm) -> str:
    """The kind of step that would put an arm to use."""
    if arm.kind == "tuned":
        return "roll_out"
    if arm.runs_today:
        return "keep_prompt"
    if arm.kind == "no_model":
        return "plain_classifier"
    used = in_use(facts.case)
    if used is not None and arm.model and arm.model != used.id:
        return "other_model"
    if not arm.made_of:
        return "prompt_optimisation"  # another prompt for the same model
    return arm.made_of[-1]  # what a lab added last gives the arm its name


def _read(figure: AnyFigure) -> KnownNumber | None:
    """Read a lab's figure as a number; None where it isn't known."""
    if isinstance(figure, Unknown):
        return None
    low = figure.value if isinstance(figure.low, Unknown) else figure.low
    high = figure.value if isinstance(figure.high, Unknown) else figure.high
    cases = None if isinstance(figure.cases, Unknown) else figure.cases
    return KnownNumber(
        low,
        figure.value,
        high,
        figure.grade,
        cases,
        figure.source,
        brought=figure.brought,
    )


def _bill_of_arm(facts: CaseFacts, arm: LabArm) -> KnownNumber | None:
    """The cost of an arm's calls times the traffic; for a tuned model, else the cost of serving it."""
    bill = _bill_of_calls(arm.usd_per_call, facts.requests)
    if bill is not None or arm.kind != "tuned":
        return bill
    tuned = [serving for serving in facts.findings.servings if serving.tuned]
    own = [serving for serving in tuned if serving.model == arm.model]
    if arm.lab == "pilot" and not own:
        # the case doesn't list the model: it will be served as the case says of tuned ones
        inside = arm.private == "yes"
        own = [each for each in tuned if (each.how == "self_hosted") is inside]
    if len(own) != 1:  # with several nobody knows which it is
        return None
    (serving,) = own
    return _computed_bill(serving)


def _bill_of_calls(call: AnyFigure, requests: float | None) -> KnownNumber | None:
    """The monthly bill of a way: the price of its calls times the traffic."""
    usd = _read(call)
    if usd is None or requests is None:
        return None
    return KnownNumber(
        usd.low * requests,
        usd.value * requests,
        usd.high * requests,
        "computed",
        source="what its calls cost, times the traffic",
    )


# What nobody tried.


def untried_options(gap: Gap) -> Iterator[Way]:
    """Every option of the framework that isn't tuning, with its expected effect here.

    An option without a function has the effect that the framework states.
    """
    for name, rule in gap.facts.framework.options.items():
        if rule.kind == "tuning" or rule.variant_of is not None:
            continue  # kinds of tuning are ways of their own, and variants no ways at all
        if name == "keep_prompt":
            continue  # that is the way that runs now
        option = find_option(name)
        if option is None:
            because = f"the framework says it helps when {rule.helps_when}"
            prospect = Prospect(because, rule.errors)
        else:
            prospect = option.judge(gap, rule)
        yield option_way(gap, name, rule, prospect)
    both = _cached_and_batched(gap)
    if both is not None:
        yield both


def _cached_and_batched(gap: Gap) -> Way | None:
    """Caching and batching together, if prices are known and neither is used or ruled out."""
    bill = gap.facts.serving("cached_batched")
    if bill is None or "cost" not in gap.missed:
        return None
    for name in ("caching", "batching"):
        rule = gap.facts.framework.options.get(name)
        option = find_option(name)
        if rule is None or option is None or gap.was_tried(name):
            return None
        if option.judge(gap, rule).ruled_out:
            return None
    because = f"cached and in batches the same calls cost {usd(bill.low)}{gap.facts.case.a_month}"
    prospect = Prospect(because, bill=bill, moves={})  # its effect is in the bill
    batching = gap.facts.framework.options["batching"]
    return replace(
        option_way(gap, "batching", batching, prospect),
        id="caching_and_batching",
        title="prompt caching and batching together",
        made_of=("caching", "batching"),
    )


def option_way(gap: Gap, name: str, rule: OptionRule, prospect: Prospect) -> Way:
    """An option as a way. If it was tried and a target is still missed, it has failed."""
    state: WayState = "untried"
    because = prospect.because
    if gap.was_tried(name):
        state = "failed"
        because = gap.say_tried()
    elif prospect.ruled_out:
        state = "ruled_out"
    figures: dict[FigureId, KnownNumber] = {}
    if prospect.bill is not None:
        figures["usd_per_month"] = _computed(prospect.bill, "traffic and prices")
    work = gap.facts.usual_work[name]
    return Way(
        id=name,
        title=prospect.title or rule.title,
        kind="no_model" if name == "plain_classifier" else "option",
        option=name,
        state=state,
        figures=figures,
        errors=None if prospect.ruled_out else prospect.errors,
        strict_errors=prospect.strict_errors,
        moves=rule.moves if prospect.moves is None else prospect.moves,
        hours=work.hours if prospect.hours is None else prospect.hours,
        weeks=work.weeks,
        because=because,
        private="yes" if prospect.private else gap.today.private,
    )


def kinds_of_tuning(gap: Gap, hours: Range | None) -> Iterator[Way]:
    """Each kind of tuning that serves a goal, the most suitable first.

    None where a tuned model is enough already: that model is a way of its own. ``hours`` is the
    work up to the first tuned version, whatever the kind.
    """
    if gap.tuned_is_enough:
        return
    figures = _tuned_model(gap)
    yield from _kinds_by_goals(gap, hours, figures)
    yield from _kinds_by_counts(gap, hours, figures)


def _kinds_by_goals(
    gap: Gap, hours: Range | None, figures: Mapping[FigureId, KnownNumber]
) -> Iterator[Way]:
    """The kinds of tuning that the goals call for."""
    in_vain = gap.tuned_in_vain
    for name in fitting_approaches(gap):
        approach = gap.facts.framework.approaches.get(name)
        rule = approach or gap.facts.framework.options.get(name)
        if rule is None:
            continue
        # a tuned model that isn't enough says nothing about kinds that learn from other data
        failed = gap.was_tried(name) or (in_vain and name not in _OTHER_DATA)
        yield Way(
            id=name,
            title=rule.title,
            kind="tuning",
            option=name,
            state="failed" if failed else "untried",
            figures=figures,
            errors=_errors_of_tuning(gap, rule),
            moves=rule.moves,
            hours=hours,
            weeks=as_range(rule.weeks),
            because=gap.say_tried() if failed else _why_tune(gap),
            private=_where_tuned(gap),
        )


def _why_tune(gap: Gap) -> str:
    """The reason for an untried kind of tuning; where requirements change, what stands against it."""
    if gap.facts.behaviour_changes:
        return "what it would learn changes about every month"
    does = "meet what is missed" if gap.missed else "do better"
    return f"a tuned model may {does}"


def _kinds_by_counts(
    gap: Gap, hours: Range | None, figures: Mapping[FigureId, KnownNumber]
) -> Iterator[Way]:
    """The kinds of tuning that are offered only where what they learn from was counted."""
    counts = {"reinforcement_tuning": gap.reward, "thumb_tuning": gap.ratings}
    for name, counted in counts.items():
        rule = gap.facts.framework.options.get(name)
        option = find_option(name)
        if counted is None or rule is None or option is None:
            continue
        yield replace(
            option_way(gap, name, rule, option.judge(gap, rule)),
            kind="tuning",
            figures=figures,
            hours=hours,
            private=_where_tuned(gap),
        )


def _where_tuned(gap: Gap) -> State:
    """Whether data stay inside where a model is tuned."""
    service = gap.facts.case.tuning.service
    if service == "self_hosted":
        return "yes"
    return "no" if service == "hosted" else "unknown"


def _tuned_model(gap: Gap) -> dict[FigureId, KnownNumber]:
    """All known figures of the first listed tuned model but its quality; {} without one.

    What is tuned next will be served like it, and its quality is what tuning is to change.
    """
    for way in listed_models(gap.facts):
        if way.tuned:
            figures = dict(way.figures)
            figures.pop("quality", None)
            return figures
    return {}


def _errors_of_tuning(gap: Gap, rule: ApproachRule | OptionRule) -> Triangle | None:
    """The effect of a kind of tuning on the errors, for the situation of the case.

    Facts are hardly learned by tuning, and ability isn't either; but classes are learned anyway.
    """
    if gap.asks_for_facts:
        return rule.errors_where.get("facts", rule.errors)
    if gap.ability and "classification" not in gap.facts.case.goals:
        return rule.errors_where.get("ability", rule.errors)
    return rule.errors


def fitting_approaches(gap: Gap) -> tuple[str, ...]:
    """Ids of the kinds of tuning that serve the goals, the most suitable first.

    Where quality is met and only time or money is missed, a large model can teach a small one. A
    single goal has its own approach, and so have tool calls if they come first. Several goals
    together are a plain supervised task.
    """
    goals = gap.facts.case.goals
    framework = gap.facts.framework
    documents = gap.facts.case.usable_data("documents") or 0
    names: list[str] = []
    if gap.missed and set(gap.missed) <= {"cost", "latency"}:
        names.append("distillation")
    primary = goals[0] if goals else ""
    own_approach = primary == "tool_calling" or len(goals) == 1
    if own_approach and primary in framework.goals:
        names.append(framework.goals[primary].approach)
    if "domain_expertise" in goals:
        names.append("continued_pretraining")
    names.append("supervised_fine_tuning")
    names += [fit.approach for fit in gap.facts.fits]
    names.append("hybrid")
    fitting: list[str] = []
    for name in names:
        is_known = name in framework.approaches or name in framework.options
        lacks_documents = (
            name == "continued_pretraining" and documents < _PRETRAINING_DOCUMENTS
        )
        if is_known and not lacks_documents and name not in fitting:
            fitting.append(name)
    return tuple(fitting)


_OTHER_DATA = ("continued_pretraining", "preference_tuning")
"""Kinds of tuning that need other data than the examples a tuned model learned from."""

_PRETRAINING_DOCUMENTS = 50_000
"""Documents from which on pretraining is offered: half of what the framework asks for, for a pilot."""


def tuning_hours(case: Case, framework: Framework) -> Range | None:
    """Hours up to the first tuned version: as stated, else by the framework's table.

    A category that nobody stated is taken from the table; None where the table lacks it, too.
    """
    upfront = case.economics.upfront
    costs = framework.costs
    if upfront.hours is not None:
        return as_range(upfront.hours)
    if not upfront.by_category:
        if costs and costs.upfront_total:
            return as_range(costs.upfront_total.hours)
        return None
    hours: dict[str, Amount | Span | None] = {}
    if costs:
        hours |= {category: row.hours for category, row in costs.upfront.items()}
    for name, effort in upfront.by_category.items():
        if effort.hours is not None:  # what is stated replaces the row of the table
            hours[name] = effort.hours
    known = [as_range(each) for each in hours.values()]
    return Range.total(each for each in known if each is not None)
