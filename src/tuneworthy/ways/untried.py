"""Options that could be tried: the effect of each on the errors that are left, and the reason.

Each option has one function. Its name is the option's id in the framework file, which holds its
triangles, hours and factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tuneworthy.answers.weigh import SEARCH
from tuneworthy.facts.load import facts_on
from tuneworthy.model.base import Range, Strings
from tuneworthy.model.case import Model, in_use
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.framework import Move, Moves, OptionRule, Triangle
from tuneworthy.plugins import plugin_object
from tuneworthy.ways.gap import SHAPED_GOALS, Gap
from tuneworthy.words import count, counted, listing, number, share, signed, usd


class Prospect(NamedTuple):
    """The effect of an option in a case; ``errors`` is None where it improves no answer."""

    because: str
    errors: Triangle | None = None
    strict_errors: Triangle | None = None
    """The effect where the target is so high that only code can reach it."""
    moves: Moves | None = None  #: None for the usual ones of the framework.
    bill: Range | None = None  #: USD a month with it, where traffic and prices tell.
    #: Hours of work; None for the usual ones of the framework.
    hours: Range | None = None
    private: bool = False  #: Whether data stay inside with it.
    ruled_out: bool = False
    title: str = ""  #: Empty for the usual one of the framework.


Judge = Callable[[Gap, OptionRule], Prospect]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the framework with its function."""

    judge: Judge
    #: Whether trying it sends requests to whoever answers today.
    sends_data: bool = True

    @property
    def id(self) -> str:
        """The id of the option in the framework."""
        return self.judge.__name__


def option(*, sends_data: bool = True) -> Callable[[Judge], Option]:
    """Register a function as the option with its name; see ``Option.sends_data``."""

    def register(judge: Judge) -> Option:
        return Option(judge, sends_data)

    return register


def rule_out(because: str) -> Prospect:
    """An option that can't help here, with the reason."""
    return Prospect(because, ruled_out=True)


# Options that work on the prompt.


@option()
def few_shot(gap: Gap, rule: OptionRule) -> Prospect:
    """Examples show things that instructions can't say."""
    because = "examples show what instructions can't say"
    if gap.facts.state("few_shot") == "no":
        because = "nobody tried examples in the prompt"
    return Prospect(because, rule.errors)


@option()
def retrieved_examples(gap: Gap, rule: OptionRule) -> Prospect:
    """Each question gets its most similar examples. Examples can't supply facts."""
    if "knowledge" in gap.facts.case.goals:
        return rule_out(
            "it needs facts, and examples of other questions contain none of them"
        )
    have = gap.facts.examples
    least = gap.facts.framework.threshold("examples_to_retrieve") or 0
    if have is None or have < least:
        return rule_out(f"it takes {count(least)} examples to find a near one")
    return Prospect(f"{count(have)} examples exist to find the nearest in", rule.errors)


@option()
def prompt_optimisation(gap: Gap, rule: OptionRule) -> Prospect:
    """A search over prompts has most effect where few were written."""
    hours = _search_hours(gap)
    search = gap.facts.findings.ledger.get(SEARCH)
    if search is not None:
        drawn = counted(round(search.number), "draw")
        because = f"a search ended after {drawn}, before its plateau"
        return Prospect(because, rule.errors, hours=hours)
    written = gap.facts.state("prompt_variations")
    if written == "yes":
        because = "different prompts were written, and none was searched for"
        return Prospect(because, rule.errors, hours=hours)
    because = "it isn't stated how many prompts were written"
    if written == "no":
        because = "few prompts were written"
    return Prospect(because, situated(rule, "few_prompts"), hours=hours)


def _search_hours(gap: Gap) -> Range | None:
    """Hours of a person to search, where a set of cases exists; None for the usual hours.

    With a set a lab searches by itself, and a person only reads the results.
    """
    hours = gap.facts.framework.threshold("search_hours")
    if hours is None or not gap.facts.has_cases:
        return None
    return Range(low=hours, high=hours)


@option()
def constrained_output(gap: Gap, rule: OptionRule) -> Prospect:
    """A schema or grammar forces the form."""
    if not SHAPED_GOALS & set(gap.facts.case.goals):
        return rule_out("it needs no form that a schema could state")
    if gap.formless:
        return Prospect(
            "the form varies, and a schema binds it", situated(rule, "form")
        )
    return Prospect("the form isn't the known trouble", rule.errors)


@option(sends_data=False)
def tools_and_checks(gap: Gap, rule: OptionRule) -> Prospect:
    """Code does whatever can be looked up, computed, selected or checked."""
    goals = gap.facts.case.goals
    if gap.never_searched and "tool_calling" in goals:
        fewer = Move.model_construct(low=0.4, high=0.9)
        moves: Moves = {"latency": fewer, "cost": fewer}
        because = "nobody chose which tools a request needs, and fewer of them make it shorter"
        return Prospect(because, situated(rule, "selection"), moves=moves)
    because = "some of what goes wrong may be looked up or checked in code"
    if "classification" in goals:  # no code computes a class
        return Prospect(because, rule.errors)
    needs_code = gap.facts.framework.threshold("asks_for_code")
    wanted = gap.criterion.limits.get("quality", 0.0)
    if needs_code is not None and wanted >= needs_code:
        because = f"{share(wanted)} is wanted, which only code that computes or checks can promise"
    return Prospect(because, rule.errors, situated(rule, "exact"))


@option()
def decomposition(gap: Gap, rule: OptionRule) -> Prospect:
    """Several prompts replace one."""
    if gap.misread:
        what = "passages are found and misread"
        if gap.failures is not None:
            what = "many failures are of reading or reasoning"
        return Prospect(f"{what}: take it step by step", situated(rule, "steps"))
    if gap.facts.holds("instruction_limit") and not gap.has_short_prompt:
        return Prospect(
            "the prompt is too long to be followed", situated(rule, "steps")
        )
    return Prospect("one prompt may do too many things at once", rule.errors)


# Retrieval.


@option(sends_data=False)
def better_retrieval(gap: Gap, rule: OptionRule) -> Prospect:
    """A passage that isn't found can't be used; where it is found, a better search adds nothing."""
    recall = gap.facts.recall
    if recall is not None and _finds_enough(gap, recall):
        return rule_out(f"the right passage is found for {share(recall)} of questions")
    if recall is not None and gap.not_found is not None:
        because = f"the right passage is found for only {share(recall)} of questions"
        # the share of today's missing passages that a better search finds: 20% to all of them
        errors = Triangle.model_construct(
            low=0.2 * gap.not_found, likely=0.7 * gap.not_found, high=gap.not_found
        )
        return Prospect(because, errors)
    goals = gap.facts.case.goals
    if "knowledge" in goals:
        because = "it needs facts, and nobody counted how often they are found"
        return Prospect(because, rule.errors)
    has_documents = gap.facts.case.data.documents is not None
    may_retrieve = has_documents or "tool_calling" in goals or "generation" in goals
    if gap.never_searched and may_retrieve:
        return Prospect("retrieval was never worked on", rule.errors)
    return rule_out("nothing says that answers lack a passage")


#: Up to this share of the errors, missing passages aren't the trouble.
_HARDLY_MISSING = 0.2
_FOUND_MOSTLY = 0.9  #: The recall from which on that holds where quality isn't known.


def _finds_enough(gap: Gap, recall: float) -> bool:
    """Whether passages that aren't found can explain few of the errors, by a counted recall."""
    if gap.not_found is not None:
        return gap.not_found <= _HARDLY_MISSING
    return recall >= _FOUND_MOSTLY


# Options that change the model.


@option()
def other_model(gap: Gap, rule: OptionRule) -> Prospect:
    """The model itself may cause a fault, but not if every model has it.

    Where none of them thinks, another one that does is as good as letting this one think.
    """
    effort = gap.facts.framework.options.get("reasoning_effort")
    if effort is not None and "quality" in gap.missed and _none_thinks(gap):
        thinking = _judge_thinking(gap)
        if thinking.lacks:
            because = f"no model that thinks was tried, and {thinking.because}"
            return Prospect(because, situated(effort, "ability"), moves=effort.moves)
    if gap.facts.tried_one_family:
        (family,) = gap.facts.attempted_families
        return Prospect(
            f"all models that attempts name are of one maker, {family}", rule.errors
        )
    several_tried = gap.facts.state("foundation_models")
    if several_tried == "yes":
        return rule_out(gap.say_tried("several models were"))
    because = "the fault may be the model's own"
    if several_tried == "no":
        because = f"fewer than two models were tried: {because}"
    return Prospect(because, rule.errors)


@option()
def smaller_model(gap: Gap, rule: OptionRule) -> Prospect:
    """It saves money and time, and costs quality."""
    if not {"cost", "latency"} & set(gap.missed):
        return rule_out("neither time nor the bill is missed")
    others = gap.facts.case.models[1:]  # the first one runs today
    if any(model.kind == "prompted" for model in others):
        return rule_out("the models in question are listed one by one")
    return Prospect("nobody ran a smaller model", rule.errors)


@option()
def reasoning_effort(gap: Gap, rule: OptionRule) -> Prospect:
    """More thinking helps where ability is lacking, and less of it where time or money is."""
    used = in_use(gap.facts.case)
    efforts = None if used is None else efforts_of(used, gap.facts.findings.as_of)
    if used is not None and efforts == ():
        return rule_out(f"{used.id} takes no reasoning effort, only another model does")
    if gap.missed and set(gap.missed) <= {"cost", "latency"}:
        return _less_effort(gap, rule)
    thinking = _judge_thinking(gap)
    because = thinking.because
    if efforts is not None and len(efforts) > 1:
        because += f". It takes the efforts {listing(efforts)}"
    errors = situated(rule, "ability") if thinking.lacks else rule.errors
    return Prospect(because, errors)


class _Thinking(NamedTuple):
    """Whether a model lacks thinking, and the reason why it does or doesn't."""

    lacks: bool
    because: str


def _judge_thinking(gap: Gap) -> _Thinking:
    """Judge whether more thinking would help: by the causes of failures, else by what is stated."""
    if gap.failures is not None and gap.failures.n:
        if gap.leads("reasoning", "passage_misread"):
            because = "a quarter of the failures or more are of reading or reasoning"
            return _Thinking(True, because)
        return _Thinking(False, "few failures are of reading or reasoning")
    if gap.levelled:
        because = "two models of different ability are equally good here"
        return _Thinking(False, because)
    # habits and the form of an extraction are taught, not thought out
    taught = gap.learnable or "extraction" in gap.facts.case.goals
    if (gap.misread or gap.ability) and not taught:
        return _Thinking(True, "it is a matter of reading and reasoning")
    return _Thinking(False, "nobody let the model think longer")


def _none_thinks(gap: Gap) -> bool:
    """Whether every model that was tried or listed is known to take no reasoning effort.

    False where no model is known.
    """
    as_of = gap.facts.findings.as_of
    models = [model for model in gap.facts.case.models if model.kind == "prompted"]
    listed = {model.id for model in models}
    models += [Model(id=name) for name in gap.facts.attempted_models - listed]
    return bool(models) and all(efforts_of(model, as_of) == () for model in models)


def _less_effort(gap: Gap, rule: OptionRule) -> Prospect:
    """Thinking that an answer doesn't need costs time and money."""
    traffic = gap.facts.case.economics.traffic
    written = traffic.output_tokens
    needed = traffic.tuned_output_tokens  # an answer without the thinking
    if written is None:
        return rule_out("nobody knows how much it writes in a call")
    if needed is not None and needed.high > 0:
        mostly_thinks = written.low >= _AT_LENGTH * needed.high
        answer = f"an answer of {count(needed.likely)}"
    else:
        # a class is a few tokens, so whatever is written beside it is thinking
        mostly_thinks = "classification" in gap.facts.case.goals
        answer = "a class"
    if not mostly_thinks or written.low < _WORTH_CUTTING:
        return rule_out("a call writes little more than its answer")
    because = f"a call writes {count(written.likely)} tokens for {answer}, so it may think less"
    return Prospect(
        because,
        situated(rule, "less"),
        title="less reasoning effort",
        moves=rule.moves_where.get("less", rule.moves),
    )


_AT_LENGTH = 4  #: From this multiple of its answer on, a call mostly thinks.
#: Tokens: a call that writes fewer holds no thinking to speak of; a class with its reason is shorter.
_WORTH_CUTTING = 200


def efforts_of(model: Model, as_of: date | None) -> Strings | None:
    """Words for how long a model may think, as stated or else as looked up.

    None where nobody knows, and () where it is known to take none.
    """
    if model.effort:
        return model.effort
    fact = facts_on(as_of).model(model.id, model.base_url)
    return None if fact is None else fact.effort


@option(sends_data=False)
def plain_classifier(gap: Gap, rule: OptionRule) -> Prospect:
    """A head on embeddings, or a small encoder, classifies into closed classes."""
    if "classification" not in gap.facts.case.goals:
        return rule_out("the answer isn't one of a closed set of classes")
    labels = gap.facts.examples
    a_class = gap.facts.framework.threshold("labels_to_classify") or 200
    least = _USUAL_CLASSES * a_class
    if labels is None or labels < least:
        return rule_out(f"a classifier takes about {count(least)} labels")
    because = f"{count(labels)} labels exist, and an encoder answers in milliseconds"
    many = gap.facts.framework.threshold("examples_show_a_convention")
    errors = rule.errors
    if many is not None and labels >= many:
        errors = situated(rule, "many_labels")
    return Prospect(because, errors, private=True)


#: Classes that are assumed, because no case states how many it has.
_USUAL_CLASSES = 10


@option()
def decision_model(gap: Gap, rule: OptionRule) -> Prospect:
    """A hosted classifier decides."""
    if "classification" not in gap.facts.case.goals:
        return rule_out("the answer isn't one of a closed set of classes")
    return Prospect("a hosted classifier can be scored in an afternoon", rule.errors)


@option(sends_data=False)
def self_hosted_untuned(gap: Gap, rule: OptionRule) -> Prospect:
    """An open model on your own machines keeps data inside."""
    if gap.facts.api == "own":
        return rule_out("the model in use is one of your own already")
    if "privacy" in gap.missed:
        return Prospect(
            "an open model of your own keeps data inside", rule.errors, private=True
        )
    return rule_out("data may go where they go today")


# Options that change how the same model is called.


@option()
def caching(gap: Gap, rule: OptionRule) -> Prospect:
    """The part that is the same in every call is read from a cache."""
    if not {"cost", "latency"} & set(gap.missed):
        return rule_out("neither the bill nor time is missed")
    return _serve(
        gap, rule, "cached", "what is the same in every call is read from a cache"
    )


@option()
def batching(gap: Gap, rule: OptionRule) -> Prospect:
    """Calls that nobody waits for cost less in batches."""
    batchable = gap.facts.case.economics.traffic.batchable
    # whoever states a limit of seconds waits, unless the case says otherwise
    limited = "latency" in gap.criterion.limits
    if batchable == "no" or (limited and batchable != "yes"):
        return rule_out("somebody waits for the answer")
    if "cost" not in gap.missed and not gap.facts.case.one_off:
        return rule_out("the bill isn't missed")
    return _serve(
        gap, rule, "batched", "nobody waits for the answer, and a batch costs less"
    )


def _serve(gap: Gap, rule: OptionRule, how: str, because: str) -> Prospect:
    """The present model, called another way. Its bill is computed where prices are known."""
    bill = gap.facts.serving(how)
    if bill is not None:
        because = f"{because}: {usd(bill.low)}{gap.facts.case.a_month}"
        moves = dict(rule.moves)
        moves.pop("cost", None)  # the computed bill says it better
        return Prospect(because, bill=bill, moves=moves)
    if gap.facts.serving("as_is") is not None:
        # the price is known, and has none for this way
        return rule_out(
            "its price has no such discount, or no part of a call is the same"
        )
    return Prospect(because, moves=rule.moves)


@option(sends_data=False)
def private_endpoint(gap: Gap, _rule: OptionRule) -> Prospect:
    """A contract or a region may be enough."""
    if "privacy" in gap.missed:
        because = (
            "ask who decides about the data: a region or no retention may be enough"
        )
        return Prospect(because, private=True)
    return rule_out("no data that has to stay leaves")


@option(sends_data=False)
def human_review(gap: Gap, _rule: OptionRule) -> Prospect:
    """People correct answers; the model gives no better ones."""
    if "latency" in gap.criterion.limits:
        return rule_out("somebody waits for the answer")
    requests = gap.facts.requests
    few_calls = gap.facts.framework.threshold("low_volume")
    if requests is None or few_calls is None or requests >= few_calls:
        return rule_out("there are too many answers to read")
    return Prospect(f"{count(requests)} answers can be read before they are used")


# Kinds of tuning that are offered once something was counted.


@option()
def reinforcement_tuning(gap: Gap, rule: OptionRule) -> Prospect:
    """It learns where tries of one case differ, from a grader that agrees with people."""
    reward = gap.reward
    if reward is None:
        return rule_out("nobody asked the same again: tuneworthy ceiling --repeats 8")
    against = _why_no_reward(gap, reward)
    if against:
        return rule_out(against)
    mixed = share(reward.number)
    gained = signed(float(reward.details["headroom"]))
    because = (
        f"{mixed} of cases are right in some tries only. If they always were, quality "
        f"gains {gained}"
    )
    if "judge" in reward.details and "kappa" not in reward.details:
        because += (
            ". Label outputs first: nobody knows whether the grader agrees with people"
        )
    errors = situated(rule, "facts") if gap.asks_for_facts else rule.errors
    return Prospect(because, None if errors is None else errors.up_to(_reach(reward)))


def _why_no_reward(gap: Gap, reward: Evidence) -> str:
    """Why a model can't learn from the tries or their grader; empty where it may."""
    state = reward.details["state"]
    if state in _NO_REWARD:
        return _NO_REWARD[str(state)]
    doubt = _doubtful_grader(gap, reward)
    if doubt:
        return doubt
    least = gap.facts.framework.threshold("examples_to_reinforce") or 0
    have = gap.facts.examples
    if have is not None and have < least:
        return f"it takes {count(least)} examples with a checkable answer"
    return ""


_NO_REWARD = {
    "nothing_to_gain": "nearly every try is right, so nothing is left to gain",
    "none": "next to no case has tries that differ: tune on examples first, or raise the temperature",
    "unclear": "too few cases show whether tries differ: add cases, or more --repeats",
}  #: By what a lab found of the tries.


def _reach(reward: Evidence) -> float:
    """The most of the errors that lie on cases which are sometimes right, by the upper end."""
    wrong = 1 - float(reward.details["right"])
    if wrong <= 0:
        return 0.0
    # an upper end can exceed the errors that were counted
    return min(1.0, float(reward.details["headroom_high"]) / wrong)


def _doubtful_grader(gap: Gap, reward: Evidence) -> str:
    """Why a grader is no reward: it agrees with people too seldom; empty where it may be one."""
    least = gap.facts.framework.threshold("grader_agreement")
    most = reward.details.get("kappa_high")
    if least is None or most is None or float(most) >= least:
        return ""
    kappa = float(reward.details["kappa"])
    return f"the grader agrees with people too seldom (kappa {number(kappa)}, at least {number(least)})"


@option()
def thumb_tuning(gap: Gap, rule: OptionRule) -> Prospect:
    """It learns from answers that users rated, good and bad ones."""
    ratings = gap.ratings
    if ratings is None:
        return rule_out("no log with ratings of users was measured")
    rated = int(ratings.details.get("scored_traces", ratings.n))
    least = gap.facts.framework.threshold("ratings_to_learn") or 0
    if rated < least:
        return rule_out(
            f"{count(rated)} answers are rated, and it takes {count(least)}"
        )
    if ratings.number in (0, 1):
        return rule_out("all ratings are the same, and it learns from both kinds")
    errors = rule.errors
    if gap.asks_for_facts:
        errors = situated(rule, "facts")
    elif gap.ability:
        errors = situated(rule, "ability")
    bad = share(1 - ratings.number)
    return Prospect(f"users rated {count(rated)} answers, {bad} of them down", errors)


def situated(rule: OptionRule, situation: str) -> Triangle | None:
    """The triangle for a situation; the usual one where the framework has none for it."""
    return rule.errors_where.get(situation, rule.errors)


# every function above that ``@option`` turned into one
OPTIONS: Mapping[str, Option] = {
    each.id: each for each in list(globals().values()) if isinstance(each, Option)
}  #: The options that ship, by their ids.


def find_option(name: str) -> Option | None:
    """The function of an option, from here or from an installed package; None without one."""
    if name in OPTIONS:
        return OPTIONS[name]
    added = plugin_object("options", name)
    return added if isinstance(added, Option) else None
