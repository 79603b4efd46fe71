"""The case file to begin with: every question a framework asks, as a comment beside its answer."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping

from tuneworthy.domain.framework import Asked, Check, Framework
from tuneworthy.report.layout import safe

_TAIL = """
# What was tried, in order. Each attempt gets its own verdict; list the models it ran with.
# attempts:
#   - {name: basic prompt, change: a line of role, result: generic answers, models: [openai:gpt-4o]}

# What has to be met, all of it, and what is met today.
# targets: {quality: {metric: exact_match, at_least: 0.90}, latency_p95_s: 2.0, usd_per_month: 2000}
# today: {quality: 0.83, cases: 200, latency_p95_s: 3.1, usd_per_month: 900, api: third_party}

# Money as you expect it. Any amount may be a number or {low, likely, high}.
# economics:
#   hourly_rate_usd: 100
#   upfront: {hours: 60, usd: 50}
#   monthly:
#     api_savings_usd: 1500
#     quality_value_usd: 500
#     ongoing_usd: {low: 800, likely: 1100, high: 2000}
#   traffic:
#     {requests_per_month: 20000, growth_per_month: 0.05, input_tokens: 3000, output_tokens: 300}
strategic_value: unknown          # low, medium or high

# What you have: a count, or a path relative to this file.
# data: {examples: 1200, evaluation: eval.jsonl, prompts: prompts/, voice: voice/, documents: docs/}
# models: [{id: "openai:gpt-4o", usd_per_mtok: {input: 2.50, output: 10.00}}]

# How it would be tuned, and whether it can be done responsibly.
# tuning: {service: hosted, available: unknown, pilot: yes, model_switch: no}
safety: {data_reviewed: unknown, process_named: unknown}
"""


def case_template(
    framework: Framework, name: str, schema_file: str, own_framework: str | None
) -> str:
    """A case file with nothing answered yet.

    Args:
        framework: Whose questions are asked.
        name: What the use case is called.
        schema_file: Its JSON Schema beside it, for editors.
        own_framework: Framework to name in the file; None for the default.

    Returns:
        YAML that is a case as it stands.
    """
    lines = [
        f"# yaml-language-server: $schema={schema_file}",
        "# Answer yes, no or unknown. What you leave out is unknown and never taken for a no.",
        f"name: {json.dumps(safe(name), ensure_ascii=False)}",
    ]
    if own_framework:
        lines.append(f"framework: {own_framework}")
    lines += ["", "# What tuning should bring, the primary goal first; any of"]
    lines += [f"#   {line}" for line in textwrap.wrap(", ".join(framework.goals), 90)]
    lines.append("goals: []")
    sections: tuple[tuple[str, str, Mapping[str, Asked]], ...] = (
        ("ceiling", "The ceiling test: has prompting reached its limit?", framework.ceiling),
        ("signals", "Signs that it has.", framework.signals),
        ("factors", "Reasons for tuning.", framework.indicators),
    )
    for key, title, asked in sections:
        if asked:
            lines += ["", f"# {title}", f"{key}:", *_answers(framework, asked)]
    lines += ["  # Reasons against tuning.", *_answers(framework, framework.anti_indicators)]
    return "\n".join(lines) + "\n" + _TAIL


def _answers(framework: Framework, asked: Mapping[str, Asked]) -> list[str]:
    width = max((len(name) for name in asked), default=0) + 12
    lines = []
    for name, entry in asked.items():
        at_least = entry.at_least if isinstance(entry, Check) else None
        ask = safe(framework.filled(entry.ask, at_least))
        lines.append(f"{f'  {name}: unknown':<{width}}  # {ask}")
    return lines
