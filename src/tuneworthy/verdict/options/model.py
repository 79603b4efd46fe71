"""Options that change the model, or how it is called, without training on your own examples."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.model.case import in_use
from tuneworthy.model.framework import Move, Moves
from tuneworthy.verdict import TABLES
from tuneworthy.verdict.facts import KNOWLEDGE_GOALS, CaseFacts, counted
from tuneworthy.verdict.options.rule import (
    SIGNS,
    Figures,
    Opinion,
    long,
    no,
    option,
    partly,
    unknown,
    yes,
)
from tuneworthy.verdict.weigh import maker
from tuneworthy.words import count, few, listing, plain, quality, several, share


def _other(facts: CaseFacts) -> Figures:
    other = facts.scored("prompted")
    return {"quality": other.quality, "latency": other.latency_p95_s} if other else {}


@option(tried="", arm="model_switch", checks=("foundation_models",), figures=_other)
def other_model(facts: CaseFacts) -> Opinion:
    """Helps where the weakness is this model's own; a problem that stays across models isn't."""
    if (scored := _scored(facts)) is not None:
        return scored
    answer = facts.case.ceiling.get("foundation_models")
    check = facts.framework.ceiling.get("foundation_models")
    number, wanted = answer.count if answer else None, few((check.at_least if check else None) or 2)
    state = facts.state("foundation_models")
    if state == "no":
        tested = f"fewer than {wanted} models were tested"
        if number is not None:
            tested = f"only {several(number, 'model')} tested, {wanted} are wanted"
        if facts.goals(KNOWLEDGE_GOALS) and facts.retrieves == "no":
            return partly(f"{tested}, but no model knows your documents: retrieval comes first")
        return yes(f"{tested}: the fault may be the model's own")
    if state == "unknown":
        return unknown(f"whether {wanted} models were tested isn't stated")
    tested = f"{few(number) if number else 'several'} models were tested, as stated, and"
    if facts.case.tuning.model_switch == "yes":
        return partly(f"{tested} another base model is planned")
    if facts.source("foundation_models") == "measured":
        return unknown("models of several makers were scored; no target says if they fall short")
    still = "a target is still missed" if facts.missed else "none is said to be enough"
    return no(f"{tested} {still}")


def _scored(facts: CaseFacts) -> Opinion | None:
    """What counted scores of other models settle; None where they settle nothing.

    A problem persists where the best of at least two makers fall short on the same cases.
    """
    other, makers = facts.scored("prompted"), facts.findings.ledger.get("families_scored")
    if (limit := facts.limits.get("quality")) is None:
        return None
    best, wanted = makers.details.get("best_high") if makers else None, quality(limit)
    if makers and makers.number >= 2 and isinstance(best, float) and best < limit:
        models = f"the best models of {several(int(makers.number), 'maker')} were scored on the"
        return no(f"{models} same cases, and all fall short of {wanted}", measured=True)
    if other is None or other.quality is None:
        return None
    met, now = facts.meets("quality", counted(other.quality, other.cases)), in_use(facts.case)
    if met == "unknown" or (met == "no" and now is not None and maker(now.id) == maker(other.id)):
        return None  # a smaller sibling that falls short rules out nobody else's model
    was, has = f"{other.id} was scored and", quality(other.quality)
    if met == "yes":
        return yes(f"{was} meets the target: {has}, {wanted} is wanted", measured=True)
    return no(f"{was} falls short too: {has} where {wanted} is wanted", measured=True)


@option(mends=False, trouble="size")
def smaller_model(facts: CaseFacts) -> Opinion:
    """Helps with cost or latency where quality has room."""
    return _cheaper(facts, "quality has room", "every target is met as said")


@option(mends=False, trouble="size")
def distillation(facts: CaseFacts) -> Opinion:
    """Helps where a large model meets the target and is too dear or too slow."""
    cheaper = _cheaper(facts, "today's model can teach", "today's model can teach as said")
    if cheaper.helps == "no" or not facts.holds("low_volume"):
        return cheaper
    now, a_month = facts.requests, facts.case.a_month
    requests = "" if now is None else f" ({count(now)} requests{a_month})"
    return no(f"volume is too low to pay for training a student{requests}")


def _cheaper(facts: CaseFacts, room: str, as_said: str) -> Opinion:
    """Whether another model may do the same for less.

    ``room`` says that quality has room, as counted; ``as_said`` the same where nobody counted.
    """
    pressure, met = facts.pressure, facts.target("quality")
    if pressure == "no":
        return no(_NO_PRESSURE)
    today, limit = facts.now.get("quality"), facts.limits.get("quality")
    if met != "unknown" and today is not None and limit is not None:
        has, wanted = quality(today.low), quality(limit)
        if met == "no":
            return no(f"quality is short already: {has} where {wanted} is wanted", measured=True)
        if pressure == "yes":
            return yes(f"{room} ({has}, {wanted} is wanted), and {_presses(facts)}", measured=True)
    if facts.satisfied == "yes" and pressure == "yes":
        return yes(f"{as_said}, and {_presses(facts)}")
    if facts.quality_short == "yes":
        return no(f"answers fall short as it is: {listing([SIGNS[sign] for sign in facts.seen])}")
    if pressure == "unknown":
        return unknown(_PRESSURE_OPEN)
    if facts.state("success_with_prompts") == "no":
        return partly(f"{_presses(facts)}; if it is quality that falls short, this makes it worse")
    return unknown("whether quality has room isn't known (today.quality and today.cases)")


_NO_PRESSURE = "neither cost nor latency presses here"
_PRESSURE_OPEN = "whether cost or latency is a reason isn't stated"


def _presses(facts: CaseFacts) -> str:
    """Cost, latency or both as a reason to change something."""
    return f"{listing(facts.pressed_by)} {'presses' if len(facts.pressed_by) == 1 else 'press'}"


# Options that change how the same model is called.


def _priced(how: str) -> Callable[[CaseFacts], Figures]:
    """What the model in use costs in another way, where traffic and prices say."""
    return lambda facts: {"cost": facts.serving(how)}


@option(mends=False, trouble="calls", figures=_priced("cached"))
def caching(facts: CaseFacts) -> Opinion:
    """Helps with cost and latency where a long beginning is the same in every call."""
    if facts.pressure == "no":
        return no(_NO_PRESSURE)
    cached = facts.case.economics.traffic.cached_share
    if facts.long_prompt == "no":
        limit = count(facts.framework.threshold("short_prompt") or 0)
        return no(f"{count(facts.tokens or 0)} input tokens a request are short (under {limit})")
    if facts.pressure == "unknown":
        return unknown(_PRESSURE_OPEN)
    if facts.long_prompt == "unknown":
        return unknown(
            "how many input tokens a request has isn't clear (economics.traffic.input_tokens)"
        )
    if cached:
        because = f"{share(cached)} of the input comes from a cache already"
        return no(because) if cached == 1 else partly(because)
    cuts = f"it cuts the {listing(facts.pressed_by)} of a long prompt{long(facts)}"
    return yes(cuts) if facts.quality_short == "no" else partly(f"{cuts} and improves no answer")


@option(mends=False, trouble="calls", figures=_priced("batched"))
def batching(facts: CaseFacts) -> Opinion:
    """Helps with cost where nobody waits for the answer."""
    most, presses = facts.case.targets.latency_p95_s, "cost" in facts.pressed_by
    waits, cost = facts.state("latency_requirements"), facts.state("cost_optimization")
    if waits == "yes" or most is not None:
        at_most = f" ({most:g} s at most)" if most is not None else ""
        return no(f"somebody waits for the answer{at_most}")
    if cost != "unknown" and not presses:
        return no("cost is no reason here")
    if "unknown" in (waits, "yes" if presses else cost):
        return unknown("whether somebody waits, and whether cost presses, isn't all stated")
    if facts.quality_short != "no":
        return partly("nobody waits, so it cuts the cost; it improves no answer")
    return yes("nobody waits for the answer, and cost presses")


# Options without a language model, or with another place to run one.


@option(tried="an attempt raised the effort, and the target is still missed")
def reasoning_effort(facts: CaseFacts) -> Opinion:
    """Helps with tasks of several steps; not where knowledge or form is what is missing."""
    goals = facts.case.goals
    if facts.goals(KNOWLEDGE_GOALS) or facts.holds("terminology_errors"):
        return no("what is missing is knowledge, and thinking longer doesn't supply it")
    if goals and not facts.goals(_STEPS_GOALS):
        return no(f"{listing([plain(goal) for goal in goals])} takes no steps of reasoning")
    return unknown("whether a higher effort of the model was tried isn't stated")


_STEPS_GOALS = frozenset({"generation", "tool_calling", "extraction"})


@option(tried="an attempt used a plain classifier, and the target is still missed")
def plain_classifier(facts: CaseFacts) -> Opinion:
    """Helps where classes are closed and there are labels enough to train a small model."""
    if "classification" not in facts.case.goals:
        return _no_classes(facts)
    labels, few_labels = facts.examples, facts.framework.threshold("labels_to_classify") or 200
    if labels is None:
        return unknown("how many labelled examples there are isn't stated")
    have = f"{count(labels)} labelled examples are there"
    if labels < few_labels:
        return no(f"{have}; under {count(few_labels)} a trained classifier seldom does better")
    if labels >= 10 * few_labels and len(facts.case.goals) == 1:
        return yes(f"{have}, and a small encoder answers in milliseconds", moves=_WELL_TRAINED)
    return partly(f"{have}: train a small encoder and score it on the same cases")


def _no_classes(facts: CaseFacts) -> Opinion:
    no_set = no("the answer isn't one of a closed set of classes")
    return no_set if facts.case.goals else unknown("name the goals")


_WELL_TRAINED: Moves = {
    name: Move(**ends) for name, ends in TABLES["moves"]["well_trained"].items()
}


@option(tried="an attempt used a decision model, and the target is still missed")
def decision_model(facts: CaseFacts) -> Opinion:
    """Helps with closed classes where nobody can run a model."""
    if "classification" not in facts.case.goals:
        return _no_classes(facts)
    if facts.holds("data_sovereignty"):
        return no("data may not leave")
    return partly("a hosted classifier can be scored on the same cases in an afternoon")


@option(mends=False, trouble="place")
def self_hosted_untuned(facts: CaseFacts) -> Opinion:
    """Helps where data may not leave, or where a machine kept busy is cheaper."""
    if facts.api == "own":
        return no("the model in use is one of your own already")
    if facts.target("privacy") == "no":
        return yes("data may not go to today's provider; an open model you run keeps it inside")
    if "cost" in facts.missed:
        return partly("the bill is missed: price a machine that is kept busy (economics.serving)")
    if "unknown" in (facts.state("data_sovereignty"), facts.state("cost_optimization")):
        return unknown("whether data may leave, and whether cost presses, isn't all stated")
    return no("data may leave, and the bill is no target that is missed")


@option(mends=False, trouble="place")
def private_endpoint(facts: CaseFacts) -> Opinion:
    """Helps where a contract or a region is enough to keep data private."""
    if facts.target("privacy") == "no":
        return partly("ask who decides about the data: a region or no retention may be enough")
    if facts.state("data_sovereignty") == "unknown":
        return unknown("whether data may leave isn't stated")
    return no("no data leaves that has to stay")


@option(tried="people check the answers already, and the target is still missed")
def human_review(facts: CaseFacts) -> Opinion:
    """Helps with few answers that matter; it corrects answers and makes none better."""
    if facts.holds("latency_requirements") or facts.case.targets.latency_p95_s is not None:
        return no("somebody waits for the answer")
    few_calls, many = facts.framework.threshold("low_volume"), facts.requests
    a_month = facts.case.a_month
    if many is None or few_calls is None:
        return unknown(f"how many answers there are{a_month} isn't stated")
    answers = f"{count(many)} answers{a_month}"
    if many >= few_calls:
        return no(f"{answers} are too many to read")
    return partly(f"{answers} can be read before they are used")
