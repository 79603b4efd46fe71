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
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.framework import ApproachRule, Framework, OptionRule, Triangle
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
    """The number, with whether a measurement that came with the folder stands for it."""
    brought = any(
        each.evidence.brought and each.path.startswith(path)
        for each in facts.findings.replaced
    )
    return None if known is None else known._replace(brought=brought)


def _present(
    figures: Mapping[FigureId, KnownNumber | None],
) -> dict[FigureId, KnownNumber]:
    return {name: known for name, known in figures.items() if known is not None}


def production(facts: CaseFacts) -> Way:
    """The way that runs now: by the log, else as stated. It is never a lab's best arm."""
    today = facts.case.today
    used = in_use(facts.case)
    bill_grade: FigureGrade = "computed"
    if today.usd_per_month is not None:
        bill_grade = _grade(facts, "today.usd_per_month")
    quality_grade = _grade(facts, "today.quality")
    latency_grade = _grade(facts, "today.latency_p95_s")
    quality = share_of_cases(today.quality, today.cases, quality_grade)
    if quality is not None and facts.other_figure is not None:
        other = facts.other_figure
        quality = quality._replace(
            low=min(quality.low, other.low), high=max(quality.high, other.high)
        )
    figures = {
        "quality": _mark_if_brought(facts, "today.quality", quality),
        "latency_p95_s": _mark_if_brought(
            facts,
            "today.latency_p95_s",
            _known_of(today.latency_p95_s, latency_grade),
        ),
        "usd_per_month": _mark_if_brought(
            facts, "today.usd_per_month", _known_of(facts.bill, bill_grade)
        ),
    }
    return Way(
        id="now",
        title=f"now: {used.id}" if used else "now",
        kind="now",
        option="keep_prompt",
        state="running",
        model=used.id if used else "",
        figures=_present(figures),  # type: ignore[arg-type]  # names of figures
        because="it runs today",
        private=_private_at(facts.api),
        lapses=None if used is None else _lapses(used, facts.findings.as_of),
    )


def _lapses(model: Model, as_of: date | None) -> date | None:
    """The day soon when a tuned model is switched off, for it can't be moved; else None.

    A model as it comes has a successor that the same prompt runs on.
    """
    end = end_day(model, as_of)
    if model.kind != "tuned" or end is None or as_of is None:
        return None
    return end if end <= as_of + timedelta(days=WARN_DAYS) else None


def _private_at(runs: str) -> State:
    return {"own": "yes", "third_party": "no"}.get(runs, "unknown")  # type: ignore[return-value]  # states all


# Models that were listed.


def listed_models(facts: CaseFacts) -> Iterator[Way]:
    """Every listed model but the one in use, each with its own figures and its own bill."""
    used = in_use(facts.case)
    for model in facts.case.models:
        if model is used or model.embedded:
            continue
        served = _serving_of(facts, model)
        figures = {
            "quality": share_of_cases(model.quality, model.cases, "stated"),
            "latency_p95_s": _stated_seconds(model.latency_p95_s),
            "usd_per_month": _computed_bill(served),
        }
        tuned = model.kind == "tuned"
        measured = "quality" in _present(figures)  # type: ignore[arg-type]  # names of figures
        too_dear = "no" in (facts.target("cost"), facts.target("latency"))
        cheaper = too_dear and _cheaper(facts, figures["usd_per_month"])
        if tuned:
            option = "roll_out"
        elif cheaper:
            option = "smaller_model"
        else:
            option = "other_model"
        yield Way(
            id=f"model:{model.id}",
            title=model.id,
            kind="tuned" if tuned else "model",
            option=option,
            state=_state_of_listed(facts, model, measured=measured),
            model=model.id,
            figures=_present(figures),  # type: ignore[arg-type]  # names of figures
            hours=_TO_TRY_A_MODEL,
            because="it was scored" if measured else "it is listed, and nobody ran it",
            private=_private_at(_runs(facts, model, served)),
        )


def _state_of_listed(facts: CaseFacts, model: Model, *, measured: bool) -> WayState:
    if measured:
        return "stated"
    return "failed" if facts.tried_model(model.id) else "untried"


def unlisted_models(facts: CaseFacts) -> Iterator[Way]:
    """Hosted models that nobody listed, with their bill, where the bill misses its target."""
    limit = facts.limits.get("cost")
    if facts.tried("smaller_model"):
        return
    if limit is None or facts.bill is None or facts.bill.likely <= limit:
        return
    for rival in facts.findings.rivals:
        bill = known_range(rival.usd_per_month)
        if bill is None:
            continue
        known = KnownNumber(
            bill.low,
            (bill.low + bill.most) / 2,
            bill.most,
            "computed",
            None,
            "list price",
        )
        yield Way(
            id=f"model:{rival.model}",
            title=rival.model,
            kind="model",
            option="smaller_model" if _cheaper(facts, known) else "other_model",
            state="untried",
            model=rival.model,
            figures={"usd_per_month": known},
            hours=_TO_TRY_A_MODEL,
            because="nobody ran it on your cases",
            private="no",
        )


def _cheaper(facts: CaseFacts, bill: KnownNumber | None) -> bool:
    return (
        bill is not None and facts.bill is not None and bill.value < facts.bill.likely
    )


def _stated_seconds(seconds: float | None) -> KnownNumber | None:
    if seconds is None:
        return None
    return KnownNumber(seconds, seconds, seconds, "stated")


def _serving_of(facts: CaseFacts, model: Model) -> ServingResult | None:
    """The way to serve a model unchanged: by its host or on your own machines; None without one."""
    return next(
        (
            each
            for each in facts.findings.servings
            if each.model == model.id and each.how in ("as_is", "self_hosted")
        ),
        None,
    )


def _computed_bill(served: ServingResult | None) -> KnownNumber | None:
    """The bill by traffic and prices; None where it isn't known."""
    if served is None or isinstance(served.usd_per_month, Unknown):
        return None
    bill = known_range(served.usd_per_month)
    assert bill is not None  # it isn't unknown
    source = "traffic and prices"
    return KnownNumber(
        bill.low, (bill.low + bill.most) / 2, bill.most, "computed", None, source
    )


def _runs(facts: CaseFacts, model: Model, served: ServingResult | None) -> str:
    """The party that runs a model, as stated or by how it is served."""
    if model.runs != "unknown":
        return model.runs
    if served is not None and served.how == "self_hosted":
        return "own"
    if (model.id, model.base_url) in facts.findings.prices:
        return "third_party"
    return "unknown"


# What labs ran.


def arms_of_labs(facts: CaseFacts, arms: Sequence[LabArm]) -> Iterator[Way]:
    """Every arm of every lab. Its bill is the cost of its calls times the traffic."""
    models = {model.id: model for model in facts.case.models}
    for arm in arms:
        figures = {
            "quality": _read(arm.quality),
            "latency_p95_s": _read(arm.latency_p95_s),
            "usd_per_month": _bill_of_arm(facts, arm),
        }
        kind: WayKind = "arm"
        if arm.kind != "prompted":
            kind = arm.kind
        yield Way(
            id=f"{arm.lab}:{arm.id}",
            title=arm.title,
            kind=kind,
            option=_option_of(facts, arm),
            state="running" if arm.runs_today else "measured",
            made_of=arm.made_of,
            model=arm.model,
            figures=_present(figures),  # type: ignore[arg-type]  # names of figures
            because=f"a lab ran it ({arm.lab})",
            private=_arm_private(facts, arm, models.get(arm.model)),
            gain=_read(arm.gain),
            beside=f"{arm.lab}:{arm.beside}" if arm.beside else "",
            best_known=arm.best_known,
            skills=arm.general_skills,
            safe=arm.safe,
        )


def _arm_private(facts: CaseFacts, arm: LabArm, model: Model | None) -> State:
    """Whether an arm keeps data inside: as its lab recorded, else by who runs its model."""
    if arm.private != "unknown":
        return arm.private
    return _private_at("own" if arm.kind == "no_model" else _arm_runs(facts, model))


def _arm_runs(facts: CaseFacts, model: Model | None) -> str:
    if model is None or model is in_use(facts.case):
        return facts.api
    return _runs(facts, model, _serving_of(facts, model))


def _option_of(facts: CaseFacts, arm: LabArm) -> str:
    """The kind of step that would put an arm to use."""
    used = in_use(facts.case)
    if arm.kind == "tuned":
        return "roll_out"
    if arm.runs_today:
        return "keep_prompt"
    if arm.kind == "no_model":
        return "plain_classifier"
    if used is not None and arm.model and arm.model != used.id:
        return "other_model"
    return arm.made_of[-1] if arm.made_of else "prompt_optimisation"


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
    known = _bill_of_calls(arm.usd_per_call, facts.requests)
    if known is not None or arm.kind != "tuned":
        return known
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
    source = "what its calls cost, times the traffic"
    return KnownNumber(
        usd.low * requests,
        usd.value * requests,
        usd.high * requests,
        "computed",
        None,
        source,
    )


# What nobody tried.


def untried_options(gap: Gap) -> Iterator[Way]:
    """Every option of the framework that isn't tuning, with its expected effect here."""
    for name, rule in gap.facts.framework.options.items():
        if (
            rule.kind == "tuning"
            or name == "keep_prompt"
            or rule.variant_of is not None
        ):
            continue
        judge = find_option(name)
        if judge is None:
            because = f"the framework says it helps when {rule.helps_when}"
            prospect = Prospect(because, rule.errors)
        else:
            prospect = judge.judge(gap, rule)
        yield option_way(gap, name, rule, prospect)
    yield from _cached_and_batched(gap)


def _cached_and_batched(gap: Gap) -> Iterator[Way]:
    """Caching and batching together, if prices are known and neither is used or ruled out."""
    options = gap.facts.framework.options
    parts = ("caching", "batching")
    bill = gap.facts.serving("cached_batched")
    if bill is None or "cost" not in gap.missed or any(map(gap.was_tried, parts)):
        return
    rules = [options[name] for name in parts if name in options]
    judges = list(filter(None, map(find_option, parts)))
    if len(rules) < len(parts) or len(judges) < len(parts):
        return
    if any(
        each.judge(gap, rule).ruled_out
        for each, rule in zip(judges, rules, strict=True)
    ):
        return
    because = f"cached and in batches the same calls cost {usd(bill.low)}{gap.facts.case.a_month}"
    prospect = Prospect(because, bill=bill, moves={})
    both = option_way(gap, "batching", rules[1], prospect)
    title = "prompt caching and batching together"
    yield replace(both, id="caching_and_batching", title=title, made_of=parts)


def option_way(gap: Gap, name: str, rule: OptionRule, prospect: Prospect) -> Way:
    """An option as a way. If it was tried and a target is still missed, it has failed."""
    failed = gap.was_tried(name)
    figures: dict[FigureId, KnownNumber] = {}
    if prospect.bill is not None:
        middle = (prospect.bill.low + prospect.bill.most) / 2
        figures["usd_per_month"] = KnownNumber(
            prospect.bill.low,
            middle,
            prospect.bill.most,
            "computed",
            None,
            "traffic and prices",
        )
    if failed:
        state = "failed"
    elif prospect.ruled_out:
        state = "ruled_out"
    else:
        state = "untried"
    because = gap.say_tried() if failed else prospect.because
    work = gap.facts.usual_work[name]
    return Way(
        id=name,
        title=prospect.title or rule.title,
        kind="no_model" if name == "plain_classifier" else "option",
        option=name,
        state=state,  # type: ignore[arg-type]  # one of its three words
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

    None where a tuned model is enough already: that model is a way of its own.
    """
    if gap.tuned_is_enough:
        return
    listed = _tuned_model(gap)
    in_vain = gap.tuned_in_vain
    does = "meet what is missed" if gap.missed else "do better"
    because = f"a tuned model may {does}"
    if gap.facts.behaviour_changes:
        because = "what it would learn changes about every month"
    for name in fitting_approaches(gap):
        approach = gap.facts.framework.approaches.get(name)
        rule = approach or gap.facts.framework.options.get(name)
        if rule is None:
            continue
        failed = gap.was_tried(name) or (in_vain and name not in _OTHER_DATA)
        yield Way(
            id=name,
            title=rule.title,
            kind="tuning",
            option=name,
            state="failed" if failed else "untried",
            figures=listed,
            errors=_errors_of_tuning(gap, rule),
            moves=rule.moves,
            hours=hours,
            weeks=as_range(rule.weeks),
            because=gap.say_tried() if failed else because,
            private=_where_tuned(gap),
        )
    for name, counted in _counted_for(gap).items():
        rule = gap.facts.framework.options.get(name)
        judge = find_option(name)
        if counted is None or rule is None or judge is None:
            continue
        way = option_way(gap, name, rule, judge.judge(gap, rule))
        yield replace(
            way,
            kind="tuning",
            figures=listed,
            hours=hours,
            private=_where_tuned(gap),
        )


def _counted_for(gap: Gap) -> Mapping[str, Evidence | None]:
    """Kinds of tuning that are offered only where what they learn from was counted, with that."""
    return {"reinforcement_tuning": gap.reward, "thumb_tuning": gap.ratings}


def _where_tuned(gap: Gap) -> State:
    """Whether data stay inside where a model is tuned."""
    service = gap.facts.case.tuning.service
    runs = {"self_hosted": "own", "hosted": "third_party"}.get(service, "unknown")
    return _private_at(runs)


def _tuned_model(gap: Gap) -> dict[FigureId, KnownNumber]:
    """All known figures of the listed tuned model but its quality."""
    way = next((way for way in listed_models(gap.facts) if way.tuned), None)
    if way is None:
        return {}
    return {name: known for name, known in way.figures.items() if name != "quality"}


def _errors_of_tuning(gap: Gap, rule: ApproachRule | OptionRule) -> Triangle | None:
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
    names: list[str] = []
    if gap.missed and set(gap.missed) <= {"cost", "latency"}:
        names.append("distillation")
    documents = gap.facts.case.usable_data("documents") or 0
    own = goals[:1] if len(goals) == 1 or goals[:1] == ("tool_calling",) else ()
    for goal in own:
        if goal not in framework.goals:
            continue
        approach = framework.goals[goal].approach
        if approach == "continued_pretraining" and documents < _PRETRAINING_DOCUMENTS:
            continue
        names.append(approach)
    if "domain_expertise" in goals and documents >= _PRETRAINING_DOCUMENTS:
        names.append("continued_pretraining")
    names += [
        "supervised_fine_tuning",
        *(fit.approach for fit in gap.facts.fits),
        "hybrid",
    ]
    known = {*framework.approaches, *framework.options}
    if documents < _PRETRAINING_DOCUMENTS:
        known.discard("continued_pretraining")
    return tuple(name for name in dict.fromkeys(names) if name in known)


_OTHER_DATA = ("continued_pretraining", "preference_tuning")
"""Kinds of tuning that need other data than the examples a tuned model learned from."""

# half of the examples that the framework asks for are enough for a pilot
_PRETRAINING_DOCUMENTS = 50_000


def tuning_hours(case: Case, framework: Framework) -> Range | None:
    """Hours up to the first tuned version: as stated, else by the framework's table.

    A category that nobody stated is taken from the table; None where the table lacks it, too.
    """
    upfront = case.economics.upfront
    costs = framework.costs
    if upfront.hours is not None:
        return as_range(upfront.hours)
    stated = {name: effort.hours for name, effort in upfront.by_category.items()}
    if not stated:
        if costs and costs.upfront_total:
            return as_range(costs.upfront_total.hours)
        return None
    if costs:
        table = {str(name): row.hours for name, row in costs.upfront.items()}
    else:
        table = {}
    names = dict.fromkeys((*table, *stated))
    parts = [as_range(stated.get(name) or table.get(name)) for name in names]
    return Range.total(part for part in parts if part is not None)
