"""Options that work on the prompt or on retrieval; when each works is the framework's."""

from __future__ import annotations

from tuneworthy.model.dossier import Helps
from tuneworthy.model.framework import Move, Moves
from tuneworthy.verdict import TABLES
from tuneworthy.verdict.facts import KNOWLEDGE_GOALS, CaseFacts, as_range, likely
from tuneworthy.verdict.options.rule import (
    Figures,
    Opinion,
    long,
    no,
    not_found,
    option,
    partly,
    unknown,
    yes,
)
from tuneworthy.words import count, few, listing, plain, several, share

SHAPED_GOALS = frozenset({"format", "extraction", "classification", "tool_calling"})
"""Goals whose output has a structure that a schema can state."""


def _today(facts: CaseFacts) -> Figures:
    today = facts.case.today
    cost, latency = as_range(today.usd_per_month), likely(today.latency_p95_s)
    return {"quality": today.quality, "cost": cost, "latency": latency}


@option(mends=False, tried="", figures=_today)
def keep_prompt(facts: CaseFacts) -> Opinion:
    """Helps when every target is met; a target that is missed, as counted, settles it."""
    if facts.missed:
        because = f"the present prompt misses the target of {listing(facts.missed)}"
        return no(because, measured=facts.missed != ("privacy",))
    if facts.case.one_off and facts.small_bill:
        return yes("the job runs once, and costs less than any work on it")
    success = facts.state("success_with_prompts")
    met = listing([name for name, state in facts.targets.items() if state == "yes"])
    if success == "yes":
        return yes("it meets every requirement" + f"; {met} as counted" * bool(met), bool(met))
    # privacy alone, kept by where a model runs, doesn't outweigh a no to every requirement
    if set(facts.targets.values()) == {"yes"} and (success, met) != ("no", "privacy"):
        because = f"the target of {met} is met; whether that is everything isn't stated"
        return partly(because, measured=True)
    if success == "no":
        return no("the present prompt falls short of a requirement")
    return unknown("it isn't stated whether the present prompt meets every requirement")


@option(arm="prompt", checks=("prompt_variations", "structured_prompt"))
def prompt_optimisation(facts: CaseFacts) -> Opinion:
    """Helps while few prompts were tried and there is an evaluation set to search against."""
    answer, tried = facts.case.ceiling.get("prompt_variations"), "few prompts were tried"
    if answer is not None and answer.count is not None:
        were = "was" if answer.count == 1 else "were"
        tried = f"only {several(answer.count, 'prompt')} {were} tried"
    says = {"prompt_variations": tried, "structured_prompt": "the prompt isn't structured"}
    states = {name: facts.state(name) for name in says}
    lacking = listing([says[name] for name, state in states.items() if state == "no"])
    if lacking and facts.case.data.evaluation is None:
        return partly(f"{lacking}; without an evaluation set nothing tells which prompt is better")
    if lacking:
        return yes(f"{lacking}, and an evaluation set can tell which prompt is better")
    if "unknown" in states.values():
        return unknown("whether enough different prompts were tried isn't stated")
    if facts.reached == "yes":
        return no("different prompts were tried and have levelled off")
    return partly("prompts were varied, but not yet with everything else the ceiling test asks for")


_SHOWN = "examples are in the prompt already"


@option(tried=_SHOWN, arm="prompt", checks=("few_shot",), trouble="examples")
def few_shot(facts: CaseFacts) -> Opinion:
    """Helps where no examples stand in the prompt yet and the prompt has room for them."""
    state = facts.state("few_shot")
    if state == "yes":
        return no(_SHOWN)
    if state == "unknown":
        return unknown("whether examples were in the prompt isn't stated")
    if facts.examples == 0:
        return no("there are no examples to show")
    if facts.holds("instruction_limit"):
        return partly(f"examples weren't tried, but the prompt is too long already{long(facts)}")
    if facts.target("latency") == "no":
        return partly("examples weren't tried, but they lengthen a call that is too slow already")
    return yes("examples weren't tried, and they show what instructions can't")


@option(checks=("few_shot",), trouble="examples")
def retrieved_examples(facts: CaseFacts) -> Opinion:
    """Helps with many examples of a task whose questions resemble each other."""
    examples, least = facts.examples, facts.framework.threshold("examples_to_retrieve")
    if examples is None or least is None:
        return unknown("how many usable examples there are isn't stated")
    have, fixed = f"{count(examples)} examples", facts.state("few_shot")
    if examples < least:
        return no(f"{have} are there; under {count(least)} the nearest is seldom near")
    if not facts.case.goals:
        return partly(f"{have} are there; without a goal nobody knows what they would show")
    learns = next((fit.data.unit for fit in facts.fits), "examples")
    if learns != "examples":  # as tuning would take them for this goal
        takes = f"{plain(facts.case.goals[0])} takes {plain(learns)}"
        return partly(f"{have} show how to answer; {takes}")
    if fixed == "yes":
        return yes(f"the nearest of {have} can stand in for the fixed ones{long(facts)}")
    if facts.target("latency") == "no" or facts.holds("instruction_limit"):
        they = "they lengthen a call that is too long or too slow already"
        return partly(f"{have} are there, but {they}{long(facts)}")
    if fixed == "no":
        return yes(f"{have} are there, and none is in the prompt")
    return yes(f"{have} are there, and the nearest can be shown for each question")


@option()
def constrained_output(facts: CaseFacts) -> Opinion:
    """Helps where structure fails; never where the structure is right and the content wrong."""
    fails, shaped = facts.state("inconsistent_format"), facts.goals(SHAPED_GOALS)
    if fails == "yes":
        there = "; the schema is there" if facts.case.data.output_schema is not None else ""
        return yes(f"the structure varies, and a schema can't be departed from{there}")
    if fails == "no":
        return no("the structure is right; what is wrong is the content")
    if shaped:
        goals = listing([plain(goal) for goal in shaped])
        return partly(f"{goals}: a schema can state the structure; whether it varies isn't stated")
    return unknown("whether the structure varies isn't stated")


@option(tried="an attempt split the task, and its steps still fail", arm="decomposition")
def decomposition(facts: CaseFacts) -> Opinion:
    """Helps where one prompt does too much and there is time for more calls."""
    room, overloaded = facts.room_for_a_call, facts.state("instruction_limit")
    goals, measured = len(facts.case.goals), facts.source("instruction_limit") == "measured"
    if room == "no":
        today, most = facts.case.today.latency_p95_s, facts.case.targets.latency_p95_s
        if today is None or most is None:
            return no("there is no time for more calls")
        return no(f"one call takes {today.likely:g} s of the {most:g} s there are", measured=True)
    if overloaded == "yes" and facts.long_prompt == "no":
        short = f"parts of the prompt are ignored although it is short{long(facts)}"
        return partly(f"{short}: look which first")
    if overloaded == "yes" and room == "unknown":
        time = "whether there is time for more calls isn't stated"
        return partly(f"one prompt carries too much; {time}")
    if overloaded == "yes":
        return yes(f"one prompt carries too much{long(facts)}, and more calls fit the time")
    if goals > 1:
        return partly(f"{few(goals)} goals in one prompt might be steps of their own")
    if overloaded == "unknown":
        return unknown("whether parts of the prompt are ignored isn't stated")
    if goals:
        said = "" if measured else ", as stated"
        return no(f"the prompt has one thing to do and is followed to its end{said}")
    if measured:
        return no("the prompt is followed to its end")
    return unknown("name the goals: whether the prompt has more than one thing to do isn't stated")


_SELECTED: Moves = {name: Move(**ends) for name, ends in TABLES["moves"]["fewer_tools"].items()}
"""What it does to put fewer tools before the model."""


@option(tried="an attempt used tools or checks, and the target is still missed")
def tools_and_checks(facts: CaseFacts) -> Opinion:
    """Helps where what goes wrong can be looked up, computed, or checked by code."""
    if "tool_calling" in facts.case.goals and facts.long_prompt == "yes":
        because = f"put only the tools before the model that a request needs{long(facts)}"
        return yes(because, moves=_SELECTED)
    if facts.content_changes == "yes":
        if facts.goals(KNOWLEDGE_GOALS) and facts.retrieves == "no":
            return partly("what changes has to be looked up, and retrieval does that first")
        return yes("what changes about every month can be looked up when it is asked for")
    shaped = facts.goals(SHAPED_GOALS - {"classification"})
    if facts.holds("inconsistent_format") and shaped:
        return yes("what varies follows a rule, so that code can check it and have it repaired")
    if facts.holds("terminology_errors"):
        return partly("terms can be checked against a list, and code can run what is generated")
    if shaped and facts.state("inconsistent_format") == "unknown":
        return partly("a check in code sees what breaks the form; whether it breaks isn't stated")
    if "unknown" in (facts.state("inconsistent_format"), facts.state("terminology_errors")):
        return unknown("whether what goes wrong follows a rule isn't stated")
    return no("nothing that goes wrong is known to follow a rule that code could check")


_searches = option(arm="rag", checks=("retrieval_optimised",))


@_searches
def better_retrieval(facts: CaseFacts) -> Opinion:
    """Helps where answers need knowledge of the team's own and nothing is retrieved yet."""
    if not facts.looks_up:
        return no("no knowledge of your own is asked for")
    if facts.goals(KNOWLEDGE_GOALS) or facts.case.data.documents is not None:
        return yes("answers need what stands in your documents, and no retrieval was built up yet")
    return partly("retrieval was never optimized; knowledge isn't among the goals")


# Kinds of better retrieval: they help where passages aren't found, and only there.


def _found(facts: CaseFacts) -> Opinion | None:
    """What settles it for all kinds alike; None where retrieval falls short.

    Counted recall goes before what is said of it: a passage that isn't found can't be used.
    """
    gaps, optimized = facts.state("knowledge_gaps"), facts.state("retrieval_optimised")
    if not facts.looks_up:
        return no("nothing is retrieved, and no knowledge of your own is asked for")
    if facts.recall_enough == "no":
        return None
    if facts.recall_enough == "yes":
        recall = f"the passage is found for {share(facts.recall or 0.0)} of questions"
        if gaps == "unknown":
            because = f"{recall}, and whether answers are wrong although they had it isn't stated"
            return partly(because, measured=True)
        read = "the model misreads what it is given" if gaps == "yes" else "it is used well"
        return no(f"{recall}, and {read}", measured=True)
    if gaps == "yes" and optimized == "yes":
        return no("the right passage is retrieved and misread, which no better search fixes")
    if gaps == "yes" and optimized == "no":
        return partly(
            "passages are said to be found and misread, but retrieval was never optimized"
        )
    if optimized == "no":
        return None
    if gaps == "no" and optimized == "yes":
        return no("retrieval was optimized, or isn't needed, and no passage is said to be misread")
    return unknown("count how often the right passage is retrieved (today.retrieval_recall)")


def _missing(facts: CaseFacts, helps: Helps, how: str) -> Opinion:
    """Passages are missing: by the recall that was counted, or by the check that is no."""
    counted = facts.recall is not None
    if counted or facts.goals(KNOWLEDGE_GOALS) or facts.holds("domain_knowledge"):
        return Opinion(helps, f"{not_found(facts)}{how}", counted)
    return partly("retrieval was never optimized; knowledge isn't among the goals")


@_searches
def chunk_optimization(facts: CaseFacts) -> Opinion:
    """The first thing to look at wherever passages are missed."""
    return _found(facts) or _missing(facts, "yes", ": look first at how documents are cut")


@_searches
def hybrid_search(facts: CaseFacts) -> Opinion:
    """Finds in-house words that meaning alone misses."""
    own = facts.holds("terminology_errors") or facts.holds("domain_knowledge")
    letters = ", and words of your own are found by their letters"
    other = "; words of your own aren't the known trouble"
    return _found(facts) or _missing(facts, "yes" if own else "partly", letters if own else other)


@_searches
def reranking(facts: CaseFacts) -> Opinion:
    """Puts the right passage first, for the time of a second pass."""
    if (settled := _found(facts)) is not None:
        return settled
    if facts.room_for_a_call == "no":
        return partly(f"{not_found(facts)}, but a second pass takes time there isn't")
    if facts.long_prompt == "yes":
        return _missing(facts, "yes", ", and much context is sent that could be sorted")
    return _missing(facts, "partly", "; how much is fetched and sorted isn't known")


@_searches
def query_expansion(facts: CaseFacts) -> Opinion:
    """Asks the question in several wordings, for the time of another call."""
    if (settled := _found(facts)) is not None:
        return settled
    if facts.room_for_a_call == "no":
        return no("it takes another call, and there is no time for one")
    if facts.holds("exploration_phase"):
        return _missing(facts, "yes", ", and people ask in ways nobody foresaw")
    return _missing(facts, "partly", "; whether wordings differ widely isn't known")
