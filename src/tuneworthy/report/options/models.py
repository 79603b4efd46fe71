"""Why another model, or another way to call it, helps or doesn't."""

from __future__ import annotations

from collections.abc import Callable

from tuneworthy.report.options.pieces import SIGNS, Numbers, long, models, pair, presses, shortfall
from tuneworthy.report.words import count, few, listing, plain, several, share

MODEL: dict[str, Callable[[Numbers], str]] = {
    "model_inside": lambda _: (
        "data may not go to today's provider; a model you run keeps it inside"
    ),
    "other_meets_target": lambda n: f"{n['name']} was scored and meets the target: {pair(n)}",
    "other_falls_short": lambda n: f"{n['name']} was scored and falls short too: {shortfall(n)}",
    "one_model_only": lambda n: (
        (
            f"fewer than {few(n['wanted'] or 2)} models were tested"
            if n["count"] is None
            else f"only {several(n['count'], 'model')} tested, {few(n['wanted'] or 2)} are wanted"
        )
        + ": the fault may be the model's own"
    ),
    "models_open": lambda n: f"whether {few(n['wanted'] or 2)} models were tested isn't said",
    "switch_planned": lambda n: f"{models(n)} fail alike, but another base model is planned",
    "persists_across_models": lambda n: f"{models(n)} were tested and the problem persists",
    "no_pressure": lambda _: "neither cost nor waiting time is a reason here",
    "smaller_model_falls_short": lambda n: f"quality is short already: {shortfall(n)}",
    "distillation_falls_short": lambda n: (
        f"there is no teacher yet, quality is short: {shortfall(n)}"
    ),
    "smaller_has_room": lambda n: f"quality has room ({pair(n)}), and {presses(n)}",
    "smaller_has_room_as_said": lambda n: f"every target is met as said, and {presses(n)}",
    "teacher_meets_target": lambda n: f"today's model can teach ({pair(n)}), and {presses(n)}",
    "teacher_meets_target_as_said": lambda n: f"today's model can teach as said, and {presses(n)}",
    "quality_short_as_said": lambda n: (
        f"answers fall short as it is: {listing([SIGNS.get(one, plain(one)) for one in n['seen']])}"
    ),
    "short_of_something": lambda n: (
        f"{presses(n)}; if it is quality that falls short, this makes it worse"
    ),
    "quality_or_pressure_open": lambda n: (
        "whether quality has room isn't known (today.quality and today.cases)"
        if n["pressure"] == "yes"
        else "whether cost or waiting time is a reason isn't said"
    ),
    "too_few_calls": lambda n: (
        "volume is too low to pay for training a student"
        + (f" ({count(n['requests'])} requests a month)" if n["requests"] is not None else "")
    ),
    "prompt_too_short": lambda n: (
        f"{count(n['tokens'])} input tokens a request are short (under {count(n['limit'])})"
    ),
    "cached_already": lambda n: f"{share(n['share'])} of the input comes from a cache already",
    "caching_open": lambda n: (
        "how many input tokens a request has isn't clear (economics.traffic.input_tokens)"
        if n["pressure"] == "yes"
        else "whether cost or waiting time is a reason isn't said"
    ),
    "cheaper_not_better": lambda n: (
        f"it cuts the {listing(n['by'])} of a long prompt{long(n)} and mends no answer"
    ),
    "long_prefix": lambda n: f"it cuts the {listing(n['by'])} of a long prompt{long(n)}",
    "somebody_waits": lambda n: (
        "somebody waits for the answer"
        + (f" ({n['most']:g} s at most)" if n["most"] is not None else "")
    ),
    "no_cost_reason": lambda _: "cost is no reason here",
    "batching_open": lambda _: "whether somebody waits, and whether cost presses, isn't all said",
    "batch_cheaper_not_better": lambda _: "nobody waits, so it cuts the cost; it mends no answer",
    "nobody_waits": lambda _: "nobody waits for the answer, and cost presses",
}
