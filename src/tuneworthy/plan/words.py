"""Words for the phases of a tuning, each done when something can be checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    DatedPhase,
    NoPlan,
    Outline,
    Part,
    PartTotal,
    Phase,
    Plan,
    Reason,
)
from tuneworthy.model.framework import Framework
from tuneworthy.money.words import why
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import (
    count,
    listing,
    months,
    months_later,
    months_range,
    number,
    plain,
    quality,
    sentence,
    several,
    share,
    usd,
)

# Where the words of each phase are registered, under the id of what is done in it.


class Words(NamedTuple):
    """What a phase is called, what is done in it, and when it is done."""

    title: str
    steps: tuple[str, ...]
    done_when: str


@dataclass(frozen=True, slots=True)
class Voice:
    """What the words of a phase are made from."""

    case: Case
    framework: Framework
    n: Mapping[str, Any]
    """The phase's own numbers."""

    @property
    def quality(self) -> str:
        """The case's target of quality, as ``0.90 exact_match``; empty when none is stated."""
        found = self.case.targets.quality
        return f"{quality(found.at_least)} {found.metric}" if found else ""

    @property
    def limits(self) -> list[str]:
        """The case's limits of latency and cost, each as a clause."""
        targets, found = self.case.targets, []
        if targets.latency_p95_s is not None:
            found.append(f"95 of 100 answers within {number(targets.latency_p95_s)} s")
        if targets.usd_per_month is not None:
            found.append(f"at most {usd(targets.usd_per_month)} a month")
        return found

    @property
    def targets(self) -> str:
        """Every target in one list; empty when none is stated."""
        return listing([clause for clause in (self.quality, *self.limits) if clause])


Function = Callable[[Voice], Words]

WORDS: dict[str, Function] = {}
"""Id of what is done to a function from its numbers to its words."""


def says(function: Function) -> Function:
    """Register a function under its own name, less the underscore."""
    WORDS[function.__name__.removeprefix("_")] = function
    return function


# Words for data: what, how much, how to get it, and when it is ready.

_HOW = {
    "examples": (
        "Take them from conversations that went well and from answers people corrected; let "
        "experts write what is missing, and use generated ones only where a person has read each",
    ),
    "preference_pairs": (
        "Pair a better and a worse answer to one question: from edits, ratings and experts' "
        "choices; generated pairs only where a person has judged each",
    ),
    "documents": (
        "Gather them from your own archives with the right to use them, and read a sample of every "
        "source",
    ),
}


def data_steps(v: Voice) -> tuple[str, ...]:
    """What data, how much, how to get it, and how to go on getting it."""
    unit, have, low = plain(v.n["unit"]), v.n["have"], v.n["low"]
    if have is None:
        there = f"nobody has counted the {unit}: count them first"
    elif have < low:
        there = f"{count(have)} are there, {count(low - have)} are missing"
    else:
        there = f"{count(have)} are there: choose the best of them"
    return (
        f"{sentence(f'{need(v)} needed, {there}')}",
        *_HOW[v.n["unit"]],
        "Fold near-duplicates, take out refusals and personal data, and keep the untouched cases "
        "out",
        "From now on save what people correct and rate: it feeds every retraining",
    )


def data_done(v: Voice) -> str:
    """When the data are ready."""
    return (
        f"{count(v.n['low'])} usable {plain(v.n['unit'])} or more are counted after duplicates, "
        "refusals and personal data are out, none of them is among the untouched cases, and what "
        "people correct is being saved"
    )


def need(v: Voice) -> str:
    """How much data an approach takes, as ``1,000–10,000 examples``."""
    low, high, unit = v.n["low"], v.n.get("high", "open"), plain(v.n["unit"])
    span = f"{count(low)} or more" if high == "open" else f"{count(low)}–{count(high)}"
    return f"{span} {unit}"


# Words for the phases of a tuning, each done when something can be checked.

_MONEY = {
    "no_benefit_stated": (
        "economics.monthly says what it saves or is worth a month, and who said so"
    ),
    "no_hourly_rate": "economics.hourly_rate_usd is in the case file",
    "strategic_value_unknown": "strategic_value is in the case file, stated by whoever pays",
    "no_break_even_rule": "whoever pays has written down in how many months it has to pay back",
    "sovereignty_first": (
        "the options that keep the data inside are compared by cost, and one of them is chosen"
    ),
}


@says
def _alternatives(v: Voice) -> Words:
    under = v.n["under"]
    pays = f", and by believed amounts it pays back in under {months(under)}" if under else ""
    return Words(
        "compare the alternatives first",
        (
            *(f"What speaks against tuning now: {reason}" for reason in v.n["why"]),
            "Set the alternatives side by side and try the simplest that could meet the targets",
        ),
        f"it is on file why no simpler alternative meets the targets{pays}; "
        "otherwise the plan ends here",
    )


@says
def _simpler(v: Voice) -> Words:
    titles = [v.framework.options[name].title for name in v.n["options"]]
    target = f"the target ({v.quality})" if v.quality else "the target"
    return Words(
        f"try what is simpler: {listing(titles)}",
        (f"Run each on the same {count(v.n['cases'])} cases as the best prompt",),
        f"the share right of each on the {count(v.n['cases'])} cases is on file, with its 95% "
        f"interval; if one meets {target}, the plan ends here",
    )


@says
def _service(v: Voice) -> Words:
    known = f" It is known to end on {v.n['until']}." if v.n["until"] else ""
    return Words(
        "confirm the tuning service",
        (
            "Ask in writing whether it takes new work, which base models it tunes and how long it "
            f"will serve them; or decide to tune and serve it yourself.{known}",
            *_others(v),
        ),
        "the service has confirmed in writing that it takes new work and will still serve the "
        "model after the first retraining, or hardware of your own is reserved",
    )


def _others(v: Voice) -> tuple[str, ...]:
    return (f"New work of this kind is taken by {listing(v.n['others'])}",) * bool(v.n["others"])


@says
def _other_service(v: Voice) -> Words:
    gone = f"The service ended on {v.n['until']}" if v.n["until"] else "The service takes no work"
    return Words(
        "find another way to tune and serve",
        (
            f"{gone}: look for another one, or for open weights on hardware of your own",
            *_others(v),
        ),
        "a service or hardware of your own is named that tunes the chosen base model and will "
        "still serve it after the first retraining",
    )


_REVIEW = {
    "data_reviewed": (
        "Read a random sample of the data for bias, harm and personal data; take out or mask what "
        "is found",
        "the findings of the review are on file, each with what was done about it",
    ),
    "process_named": (
        "Name who answers for the tuned model's safety, and what happens when it does harm",
        "a person and a process for safety are named in writing",
    ),
}


@says
def _safety(v: Voice) -> Words:
    todo = [_REVIEW[name] for name in v.n["names"] if name in _REVIEW] or list(_REVIEW.values())
    return Words(
        "review the data for safety"
        if len(todo) > 1 or v.n["names"] == ("data_reviewed",)
        else "name a process for safety",
        tuple(step for step, _ in todo),
        listing([done for _, done in todo]),
    )


@says
def _goal(v: Voice) -> Words:
    known = listing([goal.title for goal in v.framework.goals.values()], "or")
    return Words(
        "name the goal",
        (f"Say what tuning should bring first: {known}", "Count the data its approach takes"),
        "the primary goal and the count of its data are in the case file",
    )


@says
def _evaluation(v: Voice) -> Words:
    cases = count(v.n["cases"])
    target = f"the target ({v.quality})" if v.quality else "a target with its metric"
    name = () if v.quality else ("Name the metric and the share that is good enough",)
    first = (
        f"See that the evaluation set holds {cases} cases that no prompt was tuned on, and add "
        "what lacks"
        if v.n["have"]
        else f"Collect {cases} real cases with the answers you want, and keep them untouched"
    )
    return Words(
        "set up the evaluation",
        (
            first,
            "Run the best prompt on them: that is the figure to beat",
            *name,
            "Write down beforehand which margin counts as better, and when to stop",
        ),
        f"{cases} untouched cases are set aside, the best prompt's share right on them is known "
        f"with its 95% interval, and {target} and the rule for go or stop are written down",
    )


@says
def _need(v: Voice) -> Words:
    against = v.targets or "quality, latency and cost, with a target for each"
    return Words(
        "measure the present system against every target",
        (f"Measure it on the untouched cases against {against}",),
        f"the present system's figures on {count(v.n['cases'])} untouched cases are on file beside "
        f"the targets ({against}), and it is noted which it misses, if any",
    )


@says
def _pilot(v: Voice) -> Words:
    title, cases, part = _approach(v), count(v.n["cases"]), share(v.n["share"])
    least = ""
    if "low" in v.n:
        number = math.ceil(v.n["low"] * v.n["share"] - 1e-9)
        least = f", at least {count(number)} {plain(v.n['unit'])}"
    return Words(
        f"pilot: {title}",
        (
            f"Get {part} of the data ready{least}",
            "Tune a model on them once, with the settings the service or library proposes",
            "Compare it with the best prompt on the untouched cases",
        ),
        f"the pilot's model and the best prompt are compared on {cases} untouched cases, the 95% "
        "interval of the difference is on file, and the rule written down before says go or stop",
    )


@says
def _money(v: Voice) -> Words:
    reason = v.n["why"]
    done = _MONEY.get(reason.id, "the investment gate of the verdict is a yes or a no")
    if reason.id == "pays_perhaps":
        under = months(reason.numbers["under"])
        done = f"every pairing of the amounts pays back in under {under}, or tuning is given up"
    return Words("settle the amounts", (sentence(why(reason)),), done)


@says
def _data(v: Voice) -> Words:
    if "low" not in v.n:
        return Words(
            "get the data ready",
            ("Get ready what the approach to the named goal takes",),
            "the data the approach takes are counted, with duplicates, refusals and personal data "
            "taken out and none of them among the untouched cases",
        )
    return Words("get the data ready", data_steps(v), data_done(v))


def _approach(v: Voice) -> str:
    found = v.framework.approaches.get(v.n.get("approach", ""))
    return found.title if found else "the approach that fits the goal"


@says
def _training(v: Voice) -> Words:
    return Words(
        f"train: {_approach(v)}",
        (
            "Tune on all the data with a few settings, and choose between them on cases that are "
            "not the untouched ones",
            "Compare once with the best prompt on the untouched cases, and look at what got worse",
        ),
        _beats(v, "the tuned model"),
    )


def _beats(v: Voice, who: str) -> str:
    reaches = f"reaches {v.quality} on" if v.quality else "beats the best prompt on"
    beats = " and beats the best prompt there" if v.quality else ""
    return (
        f"{who} {reaches} {count(v.n['cases'])} untouched cases{beats}, the whole 95% interval of "
        "the difference above zero"
    )


@says
def _deployment(v: Voice) -> Words:
    kept = f"it keeps to {listing(v.limits)}" if v.limits else "its latency and cost are on file"
    return Words(
        "bring it into production",
        (
            "Put it where the prompt is now, with a switch back",
            "Send it a small share of the traffic first, then all of it",
            "Keep data, base model and settings, so that it can be made again",
        ),
        f"it answers all the traffic, switching back was tried, and {kept}",
    )


@says
def _monitoring(v: Voice) -> Words:
    kept = f", none of them below {v.quality}" if v.quality else " beside that of the launch"
    return Words(
        "watch it for a quarter",
        (
            "Check a random sample every month, as the untouched cases were checked",
            "Go on collecting corrections and ratings for the next training",
            "Hold requests and cost a month against what the investment counted on",
        ),
        f"three monthly checks are on file, each with its share right and 95% interval{kept}",
    )


@says
def _retraining(v: Voice) -> Words:
    return Words(
        "retrain, then every quarter",
        (
            "Train again with what was collected since",
            "Compare with the running model on the untouched cases, some of them new",
        ),
        f"on {count(v.n['cases'])} untouched cases the new model is no worse than the running one "
        "and is live, or it is put aside; the day of the next retraining is set",
    )


@says
def _later_goal(v: Voice) -> Words:
    goal = v.framework.goals[v.n["goal"]].title
    return Words(
        f"{v.n['priority']} {goal}: {_approach(v)}",
        (
            f"Set aside {count(v.n['cases'])} untouched cases for this goal",
            *(data_steps(v)[:1] if v.n["as_before"] else data_steps(v)),
            "Train on top of what is live, and compare both goals",
        ),
        f"on {count(v.n['cases'])} untouched cases of this goal it beats the version before it, "
        "the whole 95% interval of the difference above zero, and the cases of earlier goals show "
        "no loss",
    )


# Words for the steps that would confirm a verdict, or change it.

_MOST_QUESTIONS = 5


@says
def _questions(v: Voice) -> Words:
    names = v.n["names"]
    shown = tuple(_ask(v, name) for name in names[:_MOST_QUESTIONS])
    more = len(names) - len(shown)
    answers = (
        "the open answer is" if len(names) == 1 else f"all {count(len(names))} open answers are"
    )
    return Words(
        "answer what is open",
        (*shown, *([f"And {several(more, 'more question')}"] if more else [])),
        f"{answers} yes or no in the case file, or no open answer can change the verdict any more",
    )


def _ask(v: Voice, name: str) -> str:
    check = v.framework.ceiling.get(name)
    asked = check or v.framework.factors[name]
    return v.framework.filled(asked.ask, check.at_least if check else None)


@says
def _check(v: Voice) -> Words:
    check, ask = v.framework.ceiling[v.n["check"]], _ask(v, v.n["check"])
    first = (f"Find out whether it was done: {ask}",) if v.n["state"] == "unknown" else ()
    settle = v.framework.filled(check.settle, check.at_least) if check.settle else ask
    return Words(
        f"check: {check.title}",
        (*first, settle),
        f"the case file says yes to this, and the results on the same cases are on file: {ask}",
    )


@says
def _recall(v: Voice) -> Words:
    enough = f", beside the {quality(v.n['enough'])} that is enough" if v.n["enough"] else ""
    return Words(
        "measure whether the right passage is found",
        (
            f"Mark the passage that holds the answer for {count(v.n['cases'])} questions",
            "Count how often it is among the passages retrieved",
            *_against_what_is_said(v),
        ),
        f"the share of {count(v.n['cases'])} questions whose passage is retrieved is on file with "
        f"its 95% interval{enough}",
    )


def _against_what_is_said(v: Voice) -> tuple[str, ...]:
    """Retrieval is said to be optimised, and nobody has counted yet whether it finds enough."""
    if not v.n["done"]:
        return ()
    few = f"under {quality(v.n['enough'])}" if v.n["enough"] else "too low"
    return (
        "By your answers retrieval is optimised, or the task needs none: leave this out where "
        f"nothing is retrieved, and where the share is {few} mend that first",
    )


@says
def _retrieval(v: Voice) -> Words:
    better = v.framework.options["better_retrieval"]
    kinds = v.n["kinds"]
    steps = tuple(f"{plain(name)}: {_tells(v, name)}" for name in kinds)
    short = "the right passage is found more often than before"
    if v.n["enough"]:
        short = f"the right passage is found for at least {quality(v.n['enough'])} of the questions"
    known = v.n["recall"]
    first = (
        "Go through these only if too few passages are found, one at a time, on the same questions"
        if known is None
        else f"It is found for {quality(known)} of the questions: try one kind at a time"
    )
    return Words(
        "improve retrieval",
        (first, *(steps or (sentence(better.helps_when),))),
        f"{short}, or every kind was tried on the same questions and its figure is on file",
    )


def _tells(v: Voice, name: str) -> str:
    kinds = v.framework.options["better_retrieval"].kinds
    return kinds.get(name) or v.framework.options[name].helps_when


@says
def _other_model(v: Voice) -> Words:
    return Words(
        "run the best prompt on another model",
        ("Run the same prompt on the same cases with a model of another provider or size",),
        f"the share right of both models on the same {count(v.n['cases'])} cases is on file, with "
        "the 95% interval of the difference",
    )


@says
def _against(v: Voice) -> Words:
    factor, ask = v.framework.factors[v.n["name"]], _ask(v, v.n["name"])
    return Words(
        f"clear: {factor.title}",
        (sentence(factor.means or factor.why or ask),),
        f"the case file says no to this, and what shows it is on file: {ask}",
    )


@says
def _collect(v: Voice) -> Words:
    return Words("collect the missing data", data_steps(v), data_done(v))


@says
def _volume(v: Voice) -> Words:
    now, limit, found = v.n["now"], v.n["limit"], v.n["months"]
    if now is None:
        told = "Nobody has counted the requests: count them, and the growth"
    elif limit and now >= limit:
        told = f"{count(now)} requests a month are stated beside low volume: count them"
    elif found:
        told = (
            f"{count(now)} requests a month today; at the stated growth {count(limit)} are reached "
            f"in month {found}"
        )
    else:
        told = f"{count(now)} requests a month today: open it to more users, or wait with tuning"
    enough = f"{count(limit)} requests or more" if limit else "enough requests to pay it back"
    return Words(
        "let the volume grow",
        (told, "Meanwhile keep the prompt, and save what people correct and rate"),
        f"{enough} are counted in a whole month, and the count is in the case file",
    )


@says
def _changing(v: Voice) -> Words:
    changes = v.n["changes"]
    content = "Move the facts that change into retrieval or the prompt, and tune only what stays"
    policy = "List every change of the rules with its day, and train when the list stays as it is"
    steps = {"content": (content,), "policy": (policy,)}.get(changes, (content, policy))
    return Words(
        "let the requirements settle",
        steps,
        f"for {_weeks(v)} no change to what counts as a good answer was recorded, facts that "
        "are retrieved apart",
    )


@says
def _exploration(v: Voice) -> Words:
    return Words(
        "find out what users need",
        (
            "Group the requests every week, and list the kinds that were not there before",
            "Talk to the users behind the rare ones",
        ),
        f"for {_weeks(v)} the list of kinds of request has not grown, and it is on file",
    )


@says
def _success(v: Voice) -> Words:
    targets = v.targets or "quality, latency, cost and privacy, with a target for each"
    return Words(
        "find a target the prompt misses, or keep it",
        (f"Measure the present prompt against {targets}",),
        f"the figures on {count(v.n['cases'])} untouched cases are on file, and a target that is "
        "missed is named, or the prompt is kept",
    )


@says
def _watch(_: Voice) -> Words:
    return Words(
        "keep the prompt and watch",
        ("Check a sample every month, and note when targets, volume or requirements change",),
        "quality, latency, cost and requests a month were measured again and are in the case file",
    )


@says
def _decide(_: Voice) -> Words:
    return Words(
        "decide again",
        ("Put the new answers into the case file, judge it again and compare with this verdict",),
        "a verdict on the new answers is on file as a decision record",
    )


def _weeks(v: Voice) -> str:
    return f"{number(v.n['weeks'])} weeks" if v.n["weeks"] != 1 else "a week"


# Words for what a plan rests on, and for why there is none.

Numbers = Mapping[str, Any]

DAYS_PER_MONTH = 365.25 / 12
_FAR_MONTHS = 1200
"""A century: nobody names the day."""


def hours_text(low: float, high: float | str) -> str:
    """Hours as ``18–36 hours``."""
    if high == "open":
        return f"{_hours(low)} hours or more"
    if float(high) < 1:
        return several(max(1, round(float(high) * 60)), "minute")
    one, other = _hours(low), _hours(float(high))
    if one == other:
        return f"{one} hour" if one == "1" else f"{one} hours"
    return f"{one}–{other} hours"


def _hours(value: float) -> str:
    return f"{round(value, 1):g}" if value < 20 else count(round(value))


def _capacity(n: Numbers) -> str:
    whose = "as stated" if n["stated"] else "the framework's figure; state economics.hours_per_week"
    return (
        f"Dates are for {number(n['hours'])} hours a week ({whose}), one phase at a time, at the "
        "upper end of the hours. Weekends are free; holidays are not known."
    )


def _hours_in_all(n: Numbers) -> str:
    stated = hours_text(n["stated_low"], n["stated_high"])
    if n["stated_high"] < n["low"]:
        told = "which is below it"
    elif n["stated_low"] > n["high"]:
        told = "which is above it"
    else:
        told = "which fits"
    return (
        f"Up to the launch the framework's table makes {hours_text(n['low'], n['high'])}; the case "
        f"states {stated} in all, {told}. State them by category (economics.upfront) to "
        "have them planned."
    )


def _service_ends(n: Numbers) -> str:
    if n["until"] <= n["launch"]:
        return (
            f"The tuning service ends on {n['until']}, before the launch on {n['launch']}: find "
            "another first."
        )
    return (
        f"The tuning service ends on {n['until']}, after the launch on {n['launch']} and before "
        "this plan is through: plan the move now."
    )


def _pays_back(n: Numbers) -> str:
    low, high, launch = n["low"], n["high"], n["launch"]
    if math.isinf(low):
        return "By today's amounts it never pays back."
    told = f"Live on {launch} at the latest; by today's amounts it pays back after "
    told += f"{months_range(low, high)}"
    day = _later(launch, high)
    return f"{told}, so by {day}." if day else f"{told}."


def _later(launch: date, months: float) -> date | None:
    if math.isinf(months) or months > _FAR_MONTHS:
        return None
    whole = math.floor(months + 1e-9)
    if launch.year + whole / 12 >= date.max.year - 1:
        return None
    days = max(0, math.ceil((months - whole) * DAYS_PER_MONTH - 1e-6))
    return months_later(launch, whole) + timedelta(days=days)


_NOTES: dict[str, Callable[[Numbers], str]] = {
    "capacity": _capacity,
    "unpriced": lambda _: (
        "No hourly rate is stated, so the sums hold only what is priced in USD and are open "
        "upwards: state economics.hourly_rate_usd."
    ),
    "leaning": lambda n: (
        f"What follows the questions is for {OUTCOME_WORDS[n['outcome']]}, the outcome it leans "
        "to; other answers make another plan."
    ),
    "hours_in_all": _hours_in_all,
    "not_counted": lambda n: (
        f"Nobody has counted the {plain(n['unit'])} for {plain(n['goal'])}: its hours reach from "
        f"none missing to all {count(n['low'])} missing."
    ),
    "service_ends": _service_ends,
    "pays_back": _pays_back,
}

_NO_PLAN: dict[str, Callable[[Numbers], str]] = {
    "no_plan_section": lambda _: (
        "add a plan section to the framework, or let it extend one that has it"
    ),
    "no_row": lambda n: (
        f"add costs.{n['table']}.{n['category']} to the framework, or state it in economics"
    ),
    "no_yield": lambda n: f"add plan.per_hour.{n['unit']} to the framework",
    "beyond_calendar": lambda _: (
        "check the hours and economics.hours_per_week: the plan ends after the year 9999"
    ),
}


def note(reason: Reason) -> str:
    """A note in words."""
    return _NOTES[reason.id](reason.numbers)


def cure(reason: Reason) -> str:
    """What would make a plan possible."""
    return _NO_PLAN[reason.id](reason.numbers)


# The plan: its section of the dossier, and the forms people and trackers read.

_PARTS: dict[Part, str] = {
    "steps": "Conditions to settle",
    "first_version": "Up to the first version",
    "running": "Running it, first quarter",
    "later_goals": "Further goals",
}
"""Parts of a plan for a tuning as they are called, in their order."""


def part_title(plan: Plan, part: Part) -> str:
    """What a part of a plan is called; a plan without a tuning has but one."""
    return _PARTS[part] if plan.aim == "tune" else "Steps"


def section(outline: Outline | NoPlan, case: Case, framework: Framework) -> Plan | Unknown:
    """The plan as it stands in the dossier, or what would make one possible."""
    if isinstance(outline, NoPlan):
        return Unknown(ask=cure(outline.why))
    phases = tuple(_phase(one, case, framework) for one in outline.phases)
    held: list[Part] = [part for part in _PARTS if any(p.part == part for p in phases)]
    return Plan(
        aim=outline.aim,
        start=outline.start,
        phases=phases,
        hours=Range.total(phase.hours for phase in phases),
        usd=Range.total(phase.usd for phase in phases),
        weeks=outline.weeks,
        parts={part: _part([p for p in phases if p.part == part]) for part in held},
        notes=tuple(note(reason) for reason in outline.notes),
    )


def _phase(one: DatedPhase, case: Case, framework: Framework) -> Phase:
    draft = one.draft
    words = WORDS[draft.what.id](Voice(case, framework, draft.what.numbers))
    return Phase(
        id=draft.id,
        title=words.title,
        part=draft.part,
        hours=draft.hours,
        usd=draft.usd,
        needs=draft.needs,
        start=one.start,
        end=one.end,
        steps=words.steps,
        done_when=words.done_when,
    )


def _part(phases: list[Phase]) -> PartTotal:
    return PartTotal(
        hours=Range.total(p.hours for p in phases),
        usd=Range.total(p.usd for p in phases),
        end=max(p.end for p in phases),
    )
