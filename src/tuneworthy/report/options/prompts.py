"""Why an option that works on prompt or retrieval helps or doesn't."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.report.options.pieces import Numbers, goals, long, missing, recalled
from tuneworthy.report.words import count, few, listing

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
