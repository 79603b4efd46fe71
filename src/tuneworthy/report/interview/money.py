"""What is asked about money, traffic, tuning and safety."""

from __future__ import annotations

from tuneworthy.report.interview.fields import FieldWords

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
