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
    """Register a function as the option with its name."""
    return lambda judge: Option(judge, sends_data)


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
    have = gap.facts.examples
    least = gap.facts.framework.threshold("examples_to_retrieve") or 0
    if "knowledge" in gap.facts.case.goals:
        return rule_out(
            "it needs facts, and examples of other questions contain none of them"
        )
    if have is None or have < least:
        return rule_out(f"it takes {count(least)} examples to find a near one")
    return Prospect(f"{count(have)} examples exist to find the nearest in", rule.errors)


@option()
def prompt_optimisation(gap: Gap, rule: OptionRule) -> Prospect:
    """A search over prompts has most effect where few were written.

    With a set of cases, a lab runs it by itself. A person spends hours only on reading the results.
    """
    if gap.facts.has_cases:
        hours = gap.facts.framework.threshold("search_hours")
    else:
        hours = None
    work = None if hours is None else Range(low=hours, high=hours)
    search = gap.facts.findings.ledger.get(SEARCH)
    if search is not None:
        drawn = counted(round(search.number), "draw")
        return Prospect(
            f"a search ended after {drawn}, before its plateau", rule.errors, hours=work
        )
    if gap.facts.state("prompt_variations") == "yes":
        because = "different prompts were written, and none was searched for"
        return Prospect(because, rule.errors, hours=work)
    because = "it isn't stated how many prompts were written"
    if gap.facts.state("prompt_variations") == "no":
        because = "few prompts were written"
    return Prospect(because, situated(rule, "few_prompts"), hours=work)


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
    if gap.never_searched and "tool_calling" in gap.facts.case.goals:
        fewer = Move.model_construct(low=0.4, high=0.9)
        moves: Moves = {"latency": fewer, "cost": fewer}
        because = "nobody chose which tools a request needs, and fewer of them make it shorter"
        return Prospect(because, situated(rule, "selection"), moves=moves)
    code = gap.facts.framework.threshold("asks_for_code")
    wanted = gap.criterion.limits.get("quality", 0.0)
    because = "some of what goes wrong may be looked up or checked in code"
    by_code = code is not None and wanted >= code
    if by_code and "classification" not in gap.facts.case.goals:
        because = f"{share(wanted)} is wanted, which only code that computes or checks can promise"
    if "classification" in gap.facts.case.goals:  # no code computes a class
        return Prospect(because, rule.errors)
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
    if gap.not_found is not None:
        recall = share(gap.facts.recall or 0.0)
        if gap.not_found <= 0.2:
            return rule_out(f"the right passage is found for {recall} of questions")
        # this option mends answers, so it has a share of errors
        assert rule.errors is not None
        because = f"the right passage is found for only {recall} of questions"
        errors = Triangle.model_construct(
            low=0.2 * gap.not_found, likely=0.7 * gap.not_found, high=gap.not_found
        )
        return Prospect(because, errors)
    if gap.facts.recall is not None and gap.facts.recall >= 0.9:
        return rule_out(
            f"the right passage is found for {share(gap.facts.recall)} of questions"
        )
    goals = set(gap.facts.case.goals)
    asked = "knowledge" in goals
    used = gap.facts.case.data.documents is not None or bool(
        goals & {"tool_calling", "generation"}
    )
    if asked:
        return Prospect(
            "it needs facts, and nobody counted how often they are found", rule.errors
        )
    if gap.never_searched and used:
        return Prospect("retrieval was never worked on", rule.errors)
    return rule_out("nothing says that answers lack a passage")


# Options that change the model.


@option()
def other_model(gap: Gap, rule: OptionRule) -> Prospect:
    """The model itself may cause a fault, but not if every model has it.

    Where none of them thinks, another one that does is as good as letting this one think.
    """
    effort = gap.facts.framework.options.get("reasoning_effort")
    if effort is not None and "quality" in gap.missed and _none_thinks(gap):
        lacks, why = _lacks_thinking(gap)
        if lacks:
            because = f"no model that thinks was tried, and {why}"
            return Prospect(because, situated(effort, "ability"), moves=effort.moves)
    if gap.facts.tried_one_family:
        (family,) = gap.facts.attempted_families
        return Prospect(
            f"all models that attempts name are of one maker, {family}", rule.errors
        )
    if gap.facts.state("foundation_models") == "yes":
        return rule_out(gap.say_tried("several models were"))
    because = "the fault may be the model's own"
    if gap.facts.state("foundation_models") == "no":
        because = f"fewer than two models were tried: {because}"
    return Prospect(because, rule.errors)


@option()
def smaller_model(gap: Gap, rule: OptionRule) -> Prospect:
    """It saves money and time, and costs quality."""
    if not {"cost", "latency"} & set(gap.missed):
        return rule_out("neither time nor the bill is missed")
    listed = [m for m in gap.facts.case.models[1:] if m.kind == "prompted"]
    if listed:
        return rule_out("the models in question are listed one by one")
    return Prospect("nobody ran a smaller model", rule.errors)


@option()
def reasoning_effort(gap: Gap, rule: OptionRule) -> Prospect:
    """More thinking helps where ability is lacking, and less of it where time or money is."""
    used = in_use(gap.facts.case)
    takes = None if used is None else efforts_of(used, gap.facts.findings.as_of)
    if used is not None and takes is not None and not takes:
        return rule_out(f"{used.id} takes no reasoning effort, only another model does")
    if gap.missed and set(gap.missed) <= {"cost", "latency"}:
        return _less_effort(gap, rule)
    takes = takes or ()
    by = f". It takes the efforts {listing(takes)}" if takes[1:] else ""
    lacks, because = _lacks_thinking(gap)
    return Prospect(because + by, situated(rule, "ability") if lacks else rule.errors)


def _lacks_thinking(gap: Gap) -> tuple[bool, str]:
    """Whether it is a matter of thinking, and the reason why it is or isn't."""
    if gap.failures is not None and gap.failures.n:
        if gap.leads("reasoning", "passage_misread"):
            return True, "a quarter of the failures or more are of reading or reasoning"
        return False, "few failures are of reading or reasoning"
    if gap.levelled:
        return False, "two models of different ability are equally good here"
    taught = gap.learnable or "extraction" in gap.facts.case.goals
    if (gap.misread or gap.ability) and not taught:
        return True, "it is a matter of reading and reasoning"
    return False, "nobody let the model think longer"


def _none_thinks(gap: Gap) -> bool:
    """Whether every model that was tried or listed is known to take no reasoning effort."""
    listed = [model for model in gap.facts.case.models if model.kind == "prompted"]
    names = gap.facts.attempted_models - {model.id for model in listed}
    models = [*listed, *(Model(id=name) for name in sorted(names))]
    as_of = gap.facts.findings.as_of
    return bool(models) and all(efforts_of(model, as_of) == () for model in models)


def _less_effort(gap: Gap, rule: OptionRule) -> Prospect:
    """Thinking that an answer doesn't need costs time and money."""
    traffic = gap.facts.case.economics.traffic
    written = traffic.output_tokens
    needed = traffic.tuned_output_tokens
    if written is None:
        return rule_out("nobody knows how much it writes in a call")
    if needed is not None and needed.high > 0:
        at_length = written.low >= _AT_LENGTH * needed.high
        answer = f"an answer of {count(needed.likely)}"
    else:
        at_length = "classification" in gap.facts.case.goals
        answer = "a class"
    if not at_length or written.low < _WORTH_CUTTING:
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

    None where nobody knows, and none where it is known to take none.
    """
    if model.effort:
        return model.effort
    fact = facts_on(as_of).model(model.id, model.base_url)
    return None if fact is None else fact.effort


@option(sends_data=False)
def plain_classifier(gap: Gap, rule: OptionRule) -> Prospect:
    """A head on embeddings, or a small encoder, classifies into closed classes."""
    labels = gap.facts.examples
    least = 10 * (gap.facts.framework.threshold("labels_to_classify") or 200)
    if "classification" not in gap.facts.case.goals:
        return rule_out("the answer isn't one of a closed set of classes")
    if labels is None or labels < least:
        return rule_out(f"a classifier takes about {count(least)} labels")
    because = f"{count(labels)} labels exist, and an encoder answers in milliseconds"
    many = gap.facts.framework.threshold("examples_show_a_convention")
    errors = rule.errors
    if many is not None and labels >= many:
        errors = situated(rule, "many_labels")
    return Prospect(because, errors, private=True)


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
    traffic = gap.facts.case.economics.traffic
    if "latency" in gap.criterion.limits and traffic.batchable != "yes":
        return rule_out("somebody waits for the answer")
    if traffic.batchable == "no":
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
        moves = dict(rule.moves)
        moves.pop("cost", None)
        return Prospect(
            f"{because}: {usd(bill.low)}{gap.facts.case.a_month}",
            bill=bill,
            moves=moves,
        )
    if gap.facts.serving("as_is") is not None:
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
    few_calls = gap.facts.framework.threshold("low_volume")
    requests = gap.facts.requests
    if "latency" in gap.criterion.limits:
        return rule_out("somebody waits for the answer")
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
    counted_by = reward.details
    if counted_by["state"] == "nothing_to_gain":
        return rule_out("nearly every try is right, so nothing is left to gain")
    if counted_by["state"] == "none":
        return rule_out(
            "next to no case has tries that differ: tune on examples first, or raise the temperature"
        )
    if counted_by["state"] == "unclear":
        return rule_out(
            "too few cases show whether tries differ: add cases, or more --repeats"
        )
    doubt = _doubtful_grader(gap, reward)
    if doubt:
        return rule_out(doubt)
    least = gap.facts.framework.threshold("examples_to_reinforce") or 0
    have = gap.facts.examples
    if have is not None and have < least:
        return rule_out(f"it takes {count(least)} examples with a checkable answer")
    mixed = share(reward.number)
    gained = signed(float(counted_by["headroom"]))
    because = (
        f"{mixed} of cases are right in some tries only. If they always were, quality "
        f"gains {gained}"
    )
    if "judge" in counted_by and "kappa" not in counted_by:
        because += (
            ". Label outputs first: nobody knows whether the grader agrees with people"
        )
    errors = situated(rule, "facts") if gap.asks_for_facts else rule.errors
    return Prospect(because, None if errors is None else errors.up_to(_reach(reward)))


def _reach(reward: Evidence) -> float:
    """The most of the errors that lie on cases which are sometimes right, by the upper end."""
    wrong = 1 - float(reward.details["right"])
    if wrong <= 0:
        return 0.0
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
    bad = share(1 - ratings.number)
    errors = rule.errors
    if gap.asks_for_facts:
        errors = situated(rule, "facts")
    elif gap.ability:
        errors = situated(rule, "ability")
    return Prospect(f"users rated {count(rated)} answers, {bad} of them down", errors)


def situated(rule: OptionRule, situation: str) -> Triangle | None:
    """The triangle for a situation; the usual one where the framework has none for it."""
    return rule.errors_where.get(situation, rule.errors)


OPTIONS: Mapping[str, Option] = {
    each.id: each for each in list(globals().values()) if isinstance(each, Option)
}  #: The options that ship, by their ids.


def find_option(name: str) -> Option | None:
    """The function of an option, from here or from an installed package; None without one."""
    if name in OPTIONS:
        return OPTIONS[name]
    added = plugin_object("options", name)
    return added if isinstance(added, Option) else None
