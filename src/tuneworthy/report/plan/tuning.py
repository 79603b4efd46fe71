"""Words for the phases of a tuning, each done when something can be checked."""

from __future__ import annotations

import math

from tuneworthy.report.plan.data import data_done, data_steps
from tuneworthy.report.plan.registry import Voice, Words, says
from tuneworthy.report.verdicts import why
from tuneworthy.report.words import count, listing, months, plain, sentence, share

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
    reasons = v.n["why"]
    limits = [r.numbers["under"] for r in reasons if "under" in r.numbers]
    pays = f", and by believed amounts it pays back in under {months(limits[0])}" if limits else ""
    return Words(
        "compare the alternatives first",
        (
            *(f"What speaks against tuning now: {why(reason)}" for reason in reasons),
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
        "review the data for safety" if len(todo) > 1 or v.n["names"] == ("data_reviewed",)
        else "name a process for safety",
        tuple(step for step, _ in todo),
        listing([done for _, done in todo]),
    )  # fmt: skip


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
        f"P{v.n['priority']} {goal}: {_approach(v)}",
        (f"Set aside {count(v.n['cases'])} untouched cases for this goal",
         *(data_steps(v)[:1] if v.n["as_before"] else data_steps(v)),
         "Train on top of what is live, and compare both goals"),
        f"on {count(v.n['cases'])} untouched cases of this goal it beats the version before it, "
        "the whole 95% interval of the difference above zero, and the cases of earlier goals show "
        "no loss",
    )  # fmt: skip
