"""What is asked about the fields of a case that no framework asks about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldWords:
    """A question about a field, in words."""

    title: str
    question: str
    example: str = ""
    why: str = ""
    minutes: int = 2
    """Minutes it takes to find the answer out: ours, to be replaced by experience."""


GOALS = FieldWords(
    "goals",
    "What should tuning bring? The primary goal first.",
    "knowledge, persona",
    "The goal decides which kind of tuning fits, how much data that takes, and whether retrieval "
    "or constrained output would do instead.",
)

LATER: dict[str, FieldWords] = {
    "now": FieldWords(
        "low volume today",
        "You answered no to low volume. Is volume low today, and is growth expected?",
        "a few hundred requests a month now, thousands after the launch in spring",
        "A verdict that rests on growth holds only if the growth comes; the report says so.",
        1,
    ),
    "by_month": FieldWords(
        "months until volume is there",
        "In how many months will volume no longer be low?",
        "6",
        "The plan watches until then, and the growth it takes is computed.",
    ),
    "changes": FieldWords(
        "what changes",
        "What changes about every month: facts, rules of behaviour, or both?",
        "prices and promotions are content; what may be promised to a customer is policy",
        "Facts that change belong in retrieval. Rules that change mean a hybrid, or waiting.",
        1,
    ),
}

ATTEMPTS: dict[str, FieldWords] = {
    "name": FieldWords(
        "an attempt",
        "Attempt {n}: what is it called? Name what was tried, one after another.",
        "basic prompt",
        "Each attempt gets its own verdict, and what was tried isn't advised again.",
    ),
    "change": FieldWords(
        "what was changed", "“{name}”: what was changed?", "ten example conversations added"
    ),
    "result": FieldWords(
        "what came of it",
        "“{name}”: what came of it?",
        "more consistent, and slower",
        "",
        1,
    ),
    "tried": FieldWords(
        "options made use of",
        "“{name}”: which of these did it make use of?",
        "few_shot",
        "What was tried is left out of the advice, or advised otherwise.",
        1,
    ),
    "prompts": FieldWords(
        "prompts compared",
        "“{name}”: how many prompts were compared in it?",
        "3",
        "The ceiling test wants several that differ; the attempts should show them.",
        1,
    ),
    "models": FieldWords(
        "models it ran with",
        "“{name}”: which models did it run with?",
        "openai:gpt-4o, anthropic:claude-sonnet-4-5",
        "A fault of one model is no ceiling.",
        1,
    ),
    "ceiling": FieldWords(
        "checks done by then",
        "“{name}”: which checks of the ceiling test had been done by then?",
        "structured_prompt, few_shot",
        "The attempt is judged as it stood then. Checks that you don't name count as not done.",
        1,
    ),
}

MODELS: dict[str, FieldWords] = {
    "id": FieldWords(
        "a model",
        "Model {n}: which is in use, or in question? The one in use first.",
        "openai:gpt-4o",
        "Prices are looked up by it, and models are compared.",
        1,
    ),
    "usd_per_mtok": FieldWords(
        "its price",
        "“{name}”: USD for a million tokens of input, and of output? The list price counts if you "
        "don't say.",
        "2.50, 10",
        "A negotiated price changes the bill, and with it what tuning can save.",
    ),
    "quality": FieldWords(
        "its quality",
        "“{name}”: what share of cases does it get right?",
        "83%",
        "A model that meets the target ends the question.",
    ),
    "cases": FieldWords(
        "cases it was counted on",
        "“{name}”: how many cases was that counted on?",
        "200",
        "Without a count there is no interval, and the share decides nothing.",
        1,
    ),
}

FIELDS: dict[str, FieldWords] = {
    "description": FieldWords(
        "present approach",
        "What does it do, and how today: prompt, retrieval, model?",
        "answers tenants' questions with one long prompt and the ten nearest passages",
        "For people who read the report; no rule reads it.",
    ),
    "today.retrieval_recall": FieldWords(
        "passages found",
        "For what share of questions is the passage that holds the answer retrieved?",
        "72%",
        "Where the passage isn't there, tuning won't mend the answer; retrieval comes first.",
        15,
    ),
    "targets.quality.at_least": FieldWords(
        "quality wanted",
        "What share of answers has to be right for it to be good enough?",
        "90%",
        "Without a target nobody can say that prompting falls short of it.",
        5,
    ),
    "targets.quality.metric": FieldWords(
        "metric", "How is that counted?", "exact_match", "Two shares compare by one metric only.", 1
    ),
    "targets.latency_p95_s": FieldWords(
        "time allowed",
        "Within how many seconds do 95 of 100 answers have to arrive?",
        "2",
        "It says whether there is room for another call, a longer prompt or a slower model.",
    ),
    "targets.usd_per_month": FieldWords(
        "budget to run it",
        "How many USD a month may it cost to run?",
        "2000",
        "Above it cost is a reason; below it isn't.",
    ),
    "today.quality": FieldWords(
        "quality today",
        "What share of cases does the present system get right?",
        "83%",
        "Held against the target, it says whether the ceiling matters at all.",
        15,
    ),
    "today.cases": FieldWords(
        "cases it was counted on",
        "How many cases was that counted on?",
        "200",
        "Without a count there is no interval, and the share decides nothing.",
        1,
    ),
    "today.latency_p95_s": FieldWords(
        "waiting time today",
        "Within how many seconds do 95 of 100 answers arrive today?",
        "3.1, or a range: 2-4",
        "Held against the target, it says whether latency is a reason.",
        10,
    ),
    "today.usd_per_month": FieldWords(
        "bill today",
        "How many USD a month does the present system cost to run?",
        "900, or a range: 800-1200",
        "No tuning saves more than the bill.",
        5,
    ),
    "today.api": FieldWords(
        "who sees the prompts",
        "Who runs the model that sees the prompts today?",
        "third_party for a provider's API, own for your own machines",
        "If data may not leave, a third party's API is a problem today already.",
        1,
    ),
    "data.examples": FieldWords(
        "examples",
        "How many quality examples of an input and the wanted output are there?",
        "1200",
        "What a model learns from. Each goal takes its own number.",
        10,
    ),
    "data.examples.usable": FieldWords(
        "usable examples",
        "How many of those are good enough to learn from: checked, no copies, nothing sensitive?",
        "800",
        "A model learns the faults of its examples too.",
        30,
    ),
    "data.preference_pairs": FieldWords(
        "preference pairs",
        "How many pairs of a better and a worse answer are there?",
        "0",
        "Tuning for safety learns from pairs, and takes ten thousand or more.",
        10,
    ),
    "data.documents": FieldWords(
        "documents",
        "How many documents are there to retrieve from, or to train on?",
        "3500",
        "Retrieval needs some; continued pretraining takes a hundred thousand or more.",
        5,
    ),
    "data.traces": FieldWords(
        "logs",
        "Where do logs of calls lie, beside the case file?",
        "logs/*.jsonl",
        "What can be measured from them beats what is said: tuneworthy measure.",
    ),
    "data.evaluation": FieldWords(
        "evaluation set",
        "Which file beside the case file holds cases with right answers?",
        "eval.jsonl",
        "A ceiling that was claimed without one is an impression.",
    ),
    "data.prompts": FieldWords(
        "prompts",
        "Which folder beside the case file holds the prompts that were tried?",
        "prompts",
        "Near copies are found, and the ceiling lab can run them.",
    ),
    "data.output_schema": FieldWords(
        "output schema",
        "Which file beside the case file holds the JSON Schema of the output?",
        "schema.json",
        "Structure that a schema states can be enforced without training.",
    ),
    "data.glossary": FieldWords(
        "glossary",
        "Which file beside the case file holds your terms and the wrong variants?",
        "glossary.yaml",
        "Wrong terms can then be counted.",
    ),
    "data.voice": FieldWords(
        "voice samples",
        "Which folder beside the case file holds samples of how the brand speaks?",
        "voice",
        "A voice that nobody can show can't be taught.",
    ),
}
