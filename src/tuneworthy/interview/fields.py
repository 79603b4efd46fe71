"""What is asked about the fields of a case that no framework asks about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tuneworthy.model.case import Case
from tuneworthy.model.framework import Check, Criterion, Framework
from tuneworthy.model.interview import AskKind, Choice, Part
from tuneworthy.words import plain

# What is asked about the fields of a case that no framework asks about.


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


# What is asked about money, traffic, tuning and safety.

MONEY_FIELDS: dict[str, FieldWords] = {
    "economics.hourly_rate_usd": FieldWords(
        "rate of work",
        "What does an hour of the team's work cost, in USD?",
        "100, or a range: 80-120",
        "Most of the cost is work, and hours have to be priced.",
    ),
    "economics.upfront.hours": FieldWords(
        "work up front",
        "How many hours will it take up to the first version?",
        "60, or a range: 40-80",
        "Data, training, evaluation and deployment together; the framework's table stands beside.",
        5,
    ),
    "economics.upfront.usd": FieldWords(
        "money up front",
        "How many USD beside the hours, for training runs and the like?",
        "50, or a range: 5-100",
        "Small with efficient methods, and easily forgotten.",
    ),
    "economics.monthly.api_savings_usd": FieldWords(
        "saving a month",
        "How many USD a month would be saved on calls?",
        "1500, or a range: 1000-2000",
        "It can't be more than today's bill; both are held against each other.",
        5,
    ),
    "economics.monthly.quality_value_usd": FieldWords(
        "value of better answers",
        "How many USD a month are better answers worth?",
        "500",
        "Fewer escalations, fewer corrections. Say 0 if nobody would pay for it.",
        10,
    ),
    "economics.monthly.ongoing_usd": FieldWords(
        "running cost",
        "How many USD a month will the tuned model cost to run, watch and retrain?",
        "1100, or a range: 800-2000",
        "Serving, monitoring and retraining; too small a number is the usual mistake.",
        5,
    ),
    "economics.traffic.requests_per_month": FieldWords(
        "requests a month",
        "How many requests a month are there?",
        "20000, or a range: 15000-30000",
        "Volume is what pays training back.",
    ),
    "economics.traffic.growth_per_month": FieldWords(
        "growth a month",
        "By how much does that grow a month?",
        "5%, or a range: 0%-10%",
        "Traffic that comes later pays later.",
        5,
    ),
    "economics.traffic.input_tokens": FieldWords(
        "input tokens",
        "How many input tokens does a request have?",
        "3000",
        "What a tuned model no longer has to read is what it saves.",
        5,
    ),
    "economics.traffic.output_tokens": FieldWords(
        "output tokens",
        "How many output tokens does an answer have?",
        "300",
        "Tuning doesn't make answers cheaper to write.",
        5,
    ),
    "economics.traffic.cacheable_share": FieldWords(
        "repeated input",
        "What share of the input tokens is the same in every call?",
        "70%",
        "Caching saves it at once, without training.",
        5,
    ),
    "economics.traffic.batchable": FieldWords(
        "nobody waits",
        "Could calls be sent as a batch, since nobody waits for the answer?",
        "a nightly run over yesterday's letters",
        "Batches cost about half; that saving needs no tuning.",
        1,
    ),
    "economics.traffic.tuned_input_tokens": FieldWords(
        "input tokens once tuned",
        "How many input tokens will a request have once the model is tuned?",
        "800",
        "Examples and rules move into the weights; the question and what is retrieved stay.",
        5,
    ),
    "economics.hours_per_week": FieldWords(
        "time for it",
        "How many hours a week can the team give to it?",
        "20",
        "Sixty hours at four a week is a quarter of a year; the plan's dates follow from it.",
    ),
    "economics.assumptions.horizon_months": FieldWords(
        "months to look ahead",
        "How many months ahead shall be counted?",
        "36",
        "What comes later than that counts for nothing.",
        1,
    ),
    "strategic_value": FieldWords(
        "strategic value",
        "What is it worth beyond money?",
        "high where it is a capability others lack, or makes a regulated use possible",
        "The published rule wants a quick return and a high strategic value.",
    ),
    "tuning.service": FieldWords(
        "who would train",
        "Who would run the training: a provider's service, or you?",
        "self_hosted for open weights on your own or rented GPUs",
        "Data goes where the training is, and a provider's service may end.",
    ),
    "tuning.available": FieldWords(
        "service takes new work",
        "Does that service take new work, and will it still serve the model in a year?",
        "the provider's page on deprecations names no end",
        "Several providers withdraw hosted tuning.",
        10,
    ),
    "tuning.pilot": FieldWords(
        "pilot first",
        "Does a pilot on part of the data come first?",
        "a tenth of the examples, against the best prompt, on untouched cases",
        "It is the cheapest way to be wrong.",
        1,
    ),
    "tuning.model_switch": FieldWords(
        "other base model soon",
        "Is a switch to another base model planned for the near future?",
        "the provider announced a successor for spring",
        "A tuned model doesn't move to another base; the work is done again.",
        3,
    ),
}

SAFETY_TITLES = {"data_reviewed": "data reviewed", "process_named": "process named"}
"""What the two questions about safety are called."""

SAFETY_WHY = (
    "A model learns what is in its data, bias, harm and personal data too, and can't be told to "
    "forget it. Without this no training should begin."
)
"""Why both are asked."""

CHOICE_TITLES: dict[str, str] = {
    "third_party": "a third party's API",
    "own": "your own machines",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "hosted": "a provider's service",
    "self_hosted": "you yourselves",
    "content": "facts",
    "policy": "rules of behaviour",
    "both": "both",
}
"""Choices of fields that name no goal, option or check."""


# The words of every question: the framework's own, and ours for the fields of a case.

_SIGNAL_MINUTES = 3  # ours; a framework gives signals none


def framework_words(framework: Framework, room: str, name: str) -> FieldWords:
    """A check, factor or signal as its framework asks it.

    Raises:
        KeyError: If the framework doesn't ask it.
    """
    rooms: dict[str, Mapping[str, Criterion]] = {
        "ceiling": framework.ceiling,
        "factors": framework.factors,
        "signals": framework.signals,
    }
    told = rooms[room][name]
    at_least = told.at_least if isinstance(told, Check) else None
    means = getattr(told, "means", "")
    why = " ".join(text for text in (told.why, means and f"Yes means: {means}") if text)
    return FieldWords(
        told.title,
        framework.filled(told.ask, at_least),
        framework.filled(told.example, at_least),
        framework.filled(why, at_least),
        getattr(told, "minutes", _SIGNAL_MINUTES),
    )


def field_words(path: str, framework: Framework, name: str = "") -> FieldWords:
    """A field of the case in words.

    Args:
        path: Its dotted path; places in lists count from 1.
        framework: Asks about safety.
        name: What the attempt or the model is called that it belongs to.

    Raises:
        KeyError: If nobody asks about such a field.
    """
    parts = path.split(".")
    if path == "goals":
        return GOALS
    if parts[0] == "safety" and framework.safety is not None and len(parts) == 2:
        question = getattr(framework.safety, parts[1], None)
        if question is not None:
            return FieldWords(SAFETY_TITLES[parts[1]], question, "", SAFETY_WHY, 5)
    if parts[0] in ("attempts", "models") and len(parts) == 3:
        table = ATTEMPTS if parts[0] == "attempts" else MODELS
        told = table[parts[2]]
        question = told.question.replace("{n}", parts[1]).replace("{name}", name or parts[1])
        return FieldWords(told.title, question, told.example, told.why, told.minutes)
    if parts[0] == "factors" and len(parts) == 3:
        return LATER[parts[2]]
    return FIELDS[path] if path in FIELDS else MONEY_FIELDS[path]


def goal_choices(framework: Framework) -> tuple[Choice, ...]:
    """The goals of a framework, with the need behind each."""
    return tuple(Choice(name, goal.title, goal.need) for name, goal in framework.goals.items())


def option_choices(framework: Framework) -> tuple[Choice, ...]:
    """What may have been tried: every option but keeping the prompt."""
    return tuple(
        Choice(name, option.title)
        for name, option in framework.options.items()
        if name != "keep_prompt"
    )


def check_choices(framework: Framework) -> tuple[Choice, ...]:
    """The checks of the ceiling test."""
    return tuple(Choice(name, check.title) for name, check in framework.ceiling.items())


def plain_choices(names: tuple[str, ...]) -> tuple[Choice, ...]:
    """Choices of a field, in words."""
    return tuple(Choice(name, CHOICE_TITLES.get(name, plain(name))) for name in names)


# The fields of a case that are asked besides the framework's own questions, in order.

When = Callable[[Case], bool]


def _always(_: Case) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the case, as it is asked."""

    id: str
    kind: AskKind
    part: Part = "investment"
    choices: tuple[str, ...] = ()
    share: bool = False
    """Whether it may be given in per cent."""
    when: When = _always
    """Whether it is worth asking, by what is known."""


def _goal(*wanted: str) -> When:
    return lambda case: bool(set(wanted) & set(case.goals))


def _answered(room: str, name: str, *goals: str) -> When:
    """Whether an answer is yes, or the goals make it matter."""

    def when(case: Case) -> bool:
        found = getattr(case, room).get(name)
        return (found is not None and found.value == "yes") or bool(set(goals) & set(case.goals))

    return when


OPTIONS: tuple[Field, ...] = (
    Field("description", "text", "options"),
    Field("today.retrieval_recall", "number", "options", share=True),
    Field("targets.quality.at_least", "number", "options", share=True),
    Field(
        "targets.quality.metric", "text", "options", when=lambda c: c.targets.quality is not None
    ),
    Field("targets.latency_p95_s", "number", "options"),
    Field("targets.usd_per_month", "number", "options"),
    Field("today.quality", "number", "options", share=True),
    Field("today.cases", "count", "options", when=lambda c: c.today.quality is not None),
    Field("today.latency_p95_s", "amount", "options"),
    Field("today.usd_per_month", "amount", "options"),
    Field("today.api", "choice", "options", ("third_party", "own")),
)
"""Where it stands and what has to be met; attempts and models come after these, then data."""

DATA: tuple[Field, ...] = (
    Field("data.examples", "count", "options"),
    Field(
        "data.examples.usable",
        "count",
        "options",
        when=lambda c: c.data.examples is not None and bool(c.data.examples.count),
    ),
    Field("data.preference_pairs", "count", "options", when=_goal("safety")),
    Field("data.documents", "count", "options", when=_goal("knowledge", "domain_expertise")),
    Field("data.traces", "text", "options"),
    Field("data.evaluation", "text", "options"),
    Field("data.prompts", "text", "options"),
    Field(
        "data.output_schema",
        "text",
        "options",
        when=_goal("format", "extraction", "classification", "tool_calling"),
    ),
    Field("data.glossary", "text", "options", when=_answered("signals", "terminology_errors")),
    Field("data.voice", "text", "options", when=_answered("factors", "brand_voice", "persona")),
)
"""What the team has beside the case file."""

INVESTMENT: tuple[Field, ...] = (
    Field("economics.traffic.requests_per_month", "amount"),
    Field("economics.traffic.growth_per_month", "amount", share=True),
    Field("economics.traffic.input_tokens", "amount"),
    Field("economics.traffic.output_tokens", "amount"),
    Field("economics.traffic.cacheable_share", "number", share=True),
    Field("economics.traffic.batchable", "state"),
    Field("economics.traffic.tuned_input_tokens", "amount"),
    Field("economics.hourly_rate_usd", "amount"),
    Field("economics.upfront.hours", "amount", when=lambda c: not c.economics.upfront.by_category),
    Field("economics.upfront.usd", "amount", when=lambda c: not c.economics.upfront.by_category),
    Field("economics.monthly.api_savings_usd", "amount"),
    Field("economics.monthly.quality_value_usd", "amount"),
    Field(
        "economics.monthly.ongoing_usd",
        "amount",
        when=lambda c: c.economics.monthly.ongoing is None,
    ),
    Field("strategic_value", "choice", choices=("low", "medium", "high")),
    Field("economics.hours_per_week", "amount"),
    Field("tuning.service", "choice", choices=("hosted", "self_hosted")),
    Field("tuning.available", "state", when=lambda c: c.tuning.service != "self_hosted"),
    Field("tuning.pilot", "state"),
    Field("tuning.model_switch", "state"),
)
"""What it costs and brings, and how it would be done; the two questions of safety come last."""

UNASKED: tuple[Field, ...] = (Field("economics.assumptions.horizon_months", "count"),)
"""What has a value of its own: it may be changed, and nobody is asked for it."""

ATTEMPT: tuple[Field, ...] = (
    Field("name", "text", "options"),
    Field("change", "text", "options"),
    Field("result", "text", "options"),
    Field("tried", "choices", "options"),
    Field("prompts", "count", "options"),
    Field("models", "text", "options"),
    Field("ceiling", "choices", "options"),
)
"""What is asked of each attempt."""

MODEL: tuple[Field, ...] = (
    Field("id", "text", "options"),
    Field("usd_per_mtok", "text", "options"),
    Field("quality", "number", "options", share=True),
    Field("cases", "count", "options"),
)
"""What is asked of each model."""

CHANGES = ("content", "policy", "both")
"""What may change, where requirements do."""
