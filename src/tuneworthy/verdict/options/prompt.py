"""Options that work on the prompt. When each works and when it doesn't is the framework's."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.model.dossier import Judgement
from tuneworthy.verdict.options.facts import (
    KNOWLEDGE_GOALS,
    SHAPED_GOALS,
    Facts,
    Numbers,
    goals,
    judged,
    long,
    missing,
    recalled,
)
from tuneworthy.words import count, few, listing

# Options that work on the prompt. When each works and when it doesn't is the framework's.


def keep_prompt(facts: Facts) -> Judgement:
    """Helps when every target is met; a target that is missed, as counted, settles it."""
    if facts.missed:
        counted = facts.missed != ("privacy",)
        return judged("no", "targets_missed", measured=counted, missed=facts.missed)
    success = facts.state("success_with_prompts")
    if success == "yes":
        met = tuple(name for name, state in facts.targets.items() if state == "yes")
        return judged("yes", "keeps_what_works", measured=bool(met), met=met)
    if success == "no":
        return judged("no", "falls_short")
    if facts.targets and set(facts.targets.values()) == {"yes"}:
        return judged("partly", "counted_targets_met", measured=True, met=tuple(facts.targets))
    return judged("unknown", "success_open")


def prompt_optimisation(facts: Facts) -> Judgement:
    """Helps while few prompts were tried and there is an evaluation set to search against."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("prompt_optimisation"):
        return judged("no", "tried")
    checks = {name: facts.state(name) for name in ("prompt_variations", "structured_prompt")}
    lacking = tuple(name for name, state in checks.items() if state == "no")
    if lacking:
        given = facts.case.ceiling.get("prompt_variations")
        count = given.count if given else None
        if facts.case.data.evaluation is None:
            return judged("partly", "few_prompts_no_evaluation", lacking=lacking, count=count)
        return judged("yes", "few_prompts", lacking=lacking, count=count)
    if "unknown" in checks.values():
        return judged("unknown", "prompts_open")
    if facts.assessment.reached == "yes":
        return judged("no", "levelled_off")
    return judged("partly", "prompts_done_rest_open")


def few_shot(facts: Facts) -> Judgement:
    """Helps where no examples stand in the prompt yet and the prompt has room for them."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    state = facts.state("few_shot")
    if state == "yes" or facts.tried("few_shot"):
        return judged("no", "few_shot_done")
    if state == "unknown":
        return judged("unknown", "few_shot_open")
    if facts.examples == 0:
        return judged("no", "no_examples")
    if facts.state("instruction_limit") == "yes":
        return judged("partly", "few_shot_too_long", tokens=facts.tokens)
    if facts.target("latency") == "no":
        return judged("partly", "few_shot_too_slow")
    return judged("yes", "few_shot_missing")


def retrieved_examples(facts: Facts) -> Judgement:
    """Helps with many examples of a task whose questions resemble each other."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("retrieved_examples"):
        return judged("no", "tried")
    have, least = facts.examples, facts.framework.threshold("examples_to_retrieve")
    if have is None or least is None:
        return judged("unknown", "examples_open")
    if have < least:
        return judged("no", "too_few_to_retrieve", have=have, least=least)
    if not facts.case.goals:
        return judged("partly", "examples_no_goal", have=have)
    if set(facts.case.goals) <= KNOWLEDGE_GOALS | {"safety"}:
        return judged("partly", "examples_show_form", have=have)
    fixed = facts.state("few_shot")
    if fixed == "yes":
        return judged("yes", "nearest_replace_fixed", have=have, tokens=facts.tokens)
    if facts.target("latency") == "no" or facts.state("instruction_limit") == "yes":
        return judged("partly", "nearest_lengthen", have=have, tokens=facts.tokens)
    return judged("yes", "nearest_missing" if fixed == "no" else "nearest_shown", have=have)


def constrained_output(facts: Facts) -> Judgement:
    """Helps where structure fails; never where the structure is right and the content wrong."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("constrained_output"):
        return judged("no", "tried")
    fails, shaped = facts.state("inconsistent_format"), facts.goals(SHAPED_GOALS)
    if fails == "yes":
        return judged("yes", "structure_fails", schema=facts.case.data.output_schema is not None)
    if fails == "no":
        return judged("no", "structure_right")
    if shaped:
        return judged("partly", "structure_is_a_goal", goals=shaped)
    return judged("unknown", "structure_open")


def decomposition(facts: Facts) -> Judgement:
    """Helps where one prompt does too much and there is time for more calls."""
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried("decomposition"):
        return judged("no", "steps_fail")
    room = facts.room_for_a_call
    if room == "no":
        today, most = facts.case.today.latency_p95_s, facts.case.targets.latency_p95_s
        likely = None if today is None else today.likely
        counted = today is not None and most is not None
        return judged("no", "no_time_for_calls", measured=counted, today=likely, most=most)
    overloaded = facts.state("instruction_limit")
    many = len(facts.case.goals)
    if overloaded == "yes" and facts.long_prompt == "no":
        return judged("partly", "short_and_overloaded", tokens=facts.tokens)
    if overloaded == "yes":
        if room == "unknown":
            return judged("partly", "overloaded_time_open")
        return judged("yes", "overloaded", tokens=facts.tokens)
    if many > 1:
        return judged("partly", "several_goals", many=many)
    if overloaded == "no" and (many or facts.measured("instruction_limit")):
        return judged("no", "does_one_thing" if many else "followed")
    return judged("unknown", "goals_open" if overloaded == "no" else "overload_open")


# The four kinds of better retrieval: they help where passages aren't found, and only there.


def _needed(facts: Facts, option: str) -> Judgement | None:
    """What settles it for all kinds alike; None where retrieval is what to mend.

    Counted recall goes before what is said of it: a passage that isn't found can't be used.
    """
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried(option):
        return judged("no", "tried")
    gaps, optimised = facts.state("knowledge_gaps"), facts.state("retrieval_optimised")
    recall, enough = facts.recall, facts.recall_enough
    if enough == "no":
        return None
    if enough == "yes":
        if gaps == "unknown":
            return judged("partly", "found_gaps_open", measured=True, recall=recall)
        reason = "found_and_misread" if gaps == "yes" else "found_and_used"
        return judged("no", reason, measured=True, recall=recall)
    if gaps == "yes" and optimised == "yes":
        return judged("no", "found_and_misread", recall=None)
    if gaps == "yes" and optimised == "no":
        return judged("partly", "misread_never_measured")
    if optimised == "no":
        return None
    if gaps == "no" and optimised == "yes":
        return judged("no", "found_and_used", recall=None)
    return judged("unknown", "retrieval_open", gaps=gaps, optimised=optimised)


def _missing(facts: Facts, helps: str, reason: str) -> Judgement:
    """Retrieval is what to mend: by the recall that was counted, or by the check that is no."""
    recall = facts.recall
    if recall is None and not _wants_knowledge(facts):
        return judged("partly", "retrieval_not_optimised")
    if helps == "yes":
        return judged("yes", reason, measured=recall is not None, recall=recall)
    return judged("partly", reason, measured=recall is not None, recall=recall)


def _wants_knowledge(facts: Facts) -> bool:
    return bool(facts.goals(KNOWLEDGE_GOALS)) or facts.state("domain_knowledge") == "yes"


def chunk_optimization(facts: Facts) -> Judgement:
    """The first thing to look at wherever passages are missed."""
    settled = _needed(facts, "chunk_optimization")
    return settled or _missing(facts, "yes", "chunks_first")


def hybrid_search(facts: Facts) -> Judgement:
    """Finds words of one's own that meaning alone misses."""
    settled = _needed(facts, "hybrid_search")
    if settled is not None:
        return settled
    own_words = "yes" in (facts.state("terminology_errors"), facts.state("domain_knowledge"))
    return _missing(facts, "yes" if own_words else "partly", f"own_words_{_word(own_words)}")


def reranking(facts: Facts) -> Judgement:
    """Puts the right passage first, for the time of a second pass."""
    settled = _needed(facts, "reranking")
    if settled is not None:
        return settled
    if facts.room_for_a_call == "no":
        return judged("partly", "second_pass_no_time", recall=facts.recall)
    long = facts.long_prompt == "yes"
    return _missing(facts, "yes" if long else "partly", f"much_context_{_word(long)}")


def query_expansion(facts: Facts) -> Judgement:
    """Asks the question in several wordings, for the time of another call."""
    settled = _needed(facts, "query_expansion")
    if settled is not None:
        return settled
    if facts.room_for_a_call == "no":
        return judged("no", "expansion_no_time", recall=facts.recall)
    varied = facts.state("exploration_phase") == "yes"
    return _missing(facts, "yes" if varied else "partly", f"many_wordings_{_word(varied)}")


def _word(holds: bool) -> str:
    return "yes" if holds else "open"


# Why an option that works on prompt or retrieval helps or doesn't.

PROMPT: dict[str, Callable[[Numbers], str]] = {
    "all_met": lambda _: "the present approach meets every requirement; nothing is left to mend",
    "tried": lambda _: "an attempt made use of it, and the target is still missed",
    "targets_missed": lambda n: f"the present prompt misses the target of {listing(n['missed'])}",
    "keeps_what_works": lambda n: (
        "it meets every requirement" + (f"; {listing(n['met'])} as counted" if n["met"] else "")
    ),
    "falls_short": lambda _: "the present prompt falls short of a requirement",
    "counted_targets_met": lambda n: (
        f"the target of {listing(n['met'])} is met; whether that is everything isn't said"
    ),
    "success_open": lambda _: "nobody said whether the present prompt meets every requirement",
    "few_prompts": lambda n: (
        f"{_lacking(n)}, and an evaluation set can tell which prompt is better"
    ),
    "few_prompts_no_evaluation": lambda n: (
        f"{_lacking(n)}; without an evaluation set nothing tells which prompt is better"
    ),
    "prompts_open": lambda _: "whether enough different prompts were tried isn't said",
    "levelled_off": lambda _: "different prompts were tried and have levelled off",
    "prompts_done_rest_open": lambda _: (
        "prompts were varied, but not yet with everything else the ceiling test asks for"
    ),
    "few_shot_done": lambda _: "examples are in the prompt already",
    "few_shot_open": lambda _: "whether examples were in the prompt isn't said",
    "no_examples": lambda _: "there are no examples to show",
    "few_shot_too_long": lambda n: (
        f"examples weren't tried, but the prompt is too long already{long(n)}"
    ),
    "few_shot_too_slow": lambda _: (
        "examples weren't tried, but they lengthen a call that is too slow already"
    ),
    "few_shot_missing": lambda _: "examples weren't tried, and they show what instructions can't",
    "examples_open": lambda _: "how many usable examples there are isn't said",
    "too_few_to_retrieve": lambda n: (
        f"{count(n['have'])} examples are there; under {count(n['least'])} the nearest is seldom "
        "near"
    ),
    "examples_no_goal": lambda n: (
        f"{count(n['have'])} examples are there; without a goal nobody knows what they would show"
    ),
    "examples_show_form": lambda n: (
        f"{count(n['have'])} examples show how to answer and not what is true, and the goal is the "
        "latter"
    ),
    "nearest_replace_fixed": lambda n: (
        f"the nearest of {count(n['have'])} examples can stand in for the fixed ones{long(n)}"
    ),
    "nearest_lengthen": lambda n: (
        f"{count(n['have'])} examples are there, but they lengthen a call that is too long or too "
        f"slow already{long(n)}"
    ),
    "nearest_shown": lambda n: (
        f"{count(n['have'])} examples are there, and the nearest can be shown for each question"
    ),
    "nearest_missing": lambda n: (
        f"{count(n['have'])} examples are there, and none stands in the prompt"
    ),
    "structure_fails": lambda n: (
        "the structure varies, and a schema can't be departed from"
        + ("; the schema is there" if n["schema"] else "")
    ),
    "structure_right": lambda _: "the structure is right; what is wrong is the content",
    "structure_is_a_goal": lambda n: (
        f"{goals(n)}: a schema can state the structure; whether it varies isn't said"
    ),
    "structure_open": lambda _: "whether the structure varies isn't said",
    "steps_fail": lambda _: "an attempt split the task, and its steps still fail",
    "no_time_for_calls": lambda n: (
        "there is no time for more calls"
        if n["today"] is None or n["most"] is None
        else f"one call takes {n['today']:g} s of the {n['most']:g} s there are"
    ),
    "short_and_overloaded": lambda n: (
        f"parts of the prompt are ignored although it is short{long(n)}: look which first"
    ),
    "overloaded_time_open": lambda _: (
        "one prompt carries too much; whether there is time for more calls isn't said"
    ),
    "overloaded": lambda n: f"one prompt carries too much{long(n)}, and more calls fit the time",
    "several_goals": lambda n: f"{few(n['many'])} goals in one prompt might be steps of their own",
    "does_one_thing": lambda _: "the prompt has one thing to do and is followed to its end",
    "followed": lambda _: "the prompt is followed to its end",
    "goals_open": lambda _: (
        "name the goals: whether the prompt has more than one thing to do isn't said"
    ),
    "overload_open": lambda _: "whether parts of the prompt are ignored isn't said",
}


def _lacking(n: Numbers) -> str:
    """What of the prompt work isn't done."""
    said = []
    if "prompt_variations" in n["lacking"]:
        tried = "prompt was" if n["count"] == 1 else "prompts were"
        said.append(
            "few prompts were tried"
            if n["count"] is None
            else f"only {few(n['count'])} {tried} tried"
        )
    if "structured_prompt" in n["lacking"]:
        said.append("the prompt isn't structured")
    return listing(said)


RETRIEVAL: dict[str, Callable[[Numbers], str]] = {
    "found_gaps_open": lambda n: (
        f"{recalled(n)}whether answers are wrong although they had it isn't said"
    ),
    "found_and_misread": lambda n: (
        f"{recalled(n)}the model misreads what it is given"
        if n["recall"] is not None
        else "the right passage is retrieved and misread, which no search mends"
    ),
    "found_and_used": lambda n: (
        f"{recalled(n)}it is used well"
        if n["recall"] is not None
        else "retrieval was optimised, or isn't needed, and no passage is said to be misread"
    ),
    "misread_never_measured": lambda _: (
        "passages are said to be found and misread, but retrieval was never optimised"
    ),
    "retrieval_open": lambda _: (
        "count how often the right passage is retrieved (today.retrieval_recall)"
    ),
    "retrieval_not_optimised": lambda _: (
        "retrieval was never optimised; knowledge isn't among the goals"
    ),
    "chunks_first": lambda n: f"{missing(n)}: look first at how documents are cut",
    "own_words_yes": lambda n: f"{missing(n)}, and words of your own are found by their letters",
    "own_words_open": lambda n: f"{missing(n)}; words of your own aren't the known trouble",
    "much_context_yes": lambda n: f"{missing(n)}, and much context is sent that could be sorted",
    "much_context_open": lambda n: f"{missing(n)}; how much is fetched and sorted isn't known",
    "second_pass_no_time": lambda n: f"{missing(n)}, but a second pass takes time there isn't",
    "expansion_no_time": lambda _: "it takes another call, and there is no time for one",
    "many_wordings_yes": lambda n: f"{missing(n)}, and people ask in ways nobody foresaw",
    "many_wordings_open": lambda n: f"{missing(n)}; whether wordings differ widely isn't known",
}
