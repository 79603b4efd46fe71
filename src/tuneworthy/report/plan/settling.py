"""Words for the steps that would confirm a verdict, or change it."""

from __future__ import annotations

from tuneworthy.report.plan.data import data_done, data_steps
from tuneworthy.report.plan.registry import Voice, Words, says
from tuneworthy.report.words import count, number, plain, quality, sentence, several

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
