"""Measurements as rows, for every form of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import EvidenceResult
from tuneworthy.report.evidence.values import interval_text, limit_text
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.words import count, few, plain, sentence

_MOST_ROWS = 8


class Row(NamedTuple):
    """A measurement in words."""

    title: str
    value: str
    """With its interval and unit, or what would make it known."""
    bears: str
    """What it says about which answer; empty where it bears on none."""
    counted: str
    """How many traces, how many of them independent where those are fewer, and on which days."""
    method: str
    source: str


_TITLES = {
    "arms": "prompts and models compared",
    "best_arm_lead": "lead of the best prompt",
    "best_arm_share": "best prompt so far",
    "cacheable_share": "input that a cache could take",
    "cached_share": "input read from a cache",
    "constrained_arms": "arms with constrained output",
    "distinct_prompts": "prompts that differ",
    "error_share": "calls that failed",
    "few_shot_arms": "arms with examples",
    "first_token_p95_s": "95th percentile of the first token",
    "forbidden_term_share": "wrong terms that the prompt has right",
    "generic_phrase_share": "generic phrasing",
    "growth_per_month": "growth a month",
    "ignored_instruction_share": "instructions not followed",
    "input_latency_share": "latency explained by the input",
    "input_tokens": "input tokens a request",
    "intent_drift": "drift of what is asked",
    "invalid_output_share": "outputs out of format",
    "invalid_tool_call_share": "tool calls with wrong arguments",
    "latency_over_target_share": "calls slower than the target",
    "latency_p50_s": "median latency",
    "latency_p95_s": "95th percentile of latency",
    "models_seen": "models seen",
    "named_person_share": "requests naming a person",
    "nearest_example_arms": "arms with the nearest examples",
    "novel_request_share": "requests unlike anything before",
    "output_tokens": "output tokens a request",
    "personal_data_share": "requests with personal or secret data",
    "plateau_gain": "gain of one more proposed prompt",
    "position_effect": "instructions lost by position",
    "prompt_changes_per_month": "changes of the system prompt",
    "prompt_latency_share": "missed latency due to the prompt",
    "refusal_share": "refusals",
    "requests_per_month": "requests a month",
    "retrieval_recall": "answer among the passages",
    "secret_share": "requests with a secret",
    "structured_prompts": "structured prompts",
    "success_share": "success",
    "synthesis_failure_share": "wrong with the passage there",
    "system_prompt_tokens": "length of the system prompt",
    "unsupported_answer_share": "answers their passages don’t hold",
    "usable_examples": "usable examples",
    "usd_per_month": "bill a month",
    "usd_per_request": "cost of a request",
    "voice_distance": "distance to the voice samples",
    "voice_drift_per_turn": "generic phrasing by turn",
}
"""What each measurement is called, in few words; a framework's own title is used for others."""

_ANSWERS = {
    "requests_per_month": "low_volume",
    "usable_examples": "insufficient_data",
    "success_share": "success_with_prompts",
}
"""Answers that are settled through a number of the case file."""


def measured_name(measure: str, otherwise: str = "") -> str:
    """What a measurement is called."""
    return _TITLES.get(measure) or otherwise or plain(measure)


def by_grade(dossier: Dossier) -> tuple[list[EvidenceResult], list[EvidenceResult]]:
    """What was measured, and what somebody else published; both empty where nothing is there."""
    found = () if isinstance(dossier.evidence, Unknown) else dossier.evidence
    own = [one for one in found if one.grade == "measured"]
    return own, [one for one in found if one.grade == "published"]


def evidence_rows(dossier: Dossier, found: Sequence[EvidenceResult]) -> tuple[Row, ...]:
    """Measurements as rows, those that settle or challenge an answer first, unknown ones last."""
    return tuple(_row(one, dossier) for one in _ordered(dossier, found))


def _ordered(dossier: Dossier, found: Sequence[EvidenceResult]) -> list[EvidenceResult]:
    return sorted(
        found,
        key=lambda one: (
            isinstance(one.value, Unknown), not _carries(one, dossier), one.says == "unknown",
        ),
    )  # fmt: skip


def _carries(one: EvidenceResult, dossier: Dossier) -> bool:
    """Whether it settles an answer, or a challenge holds it against what was said."""
    if not one.factor or isinstance(one.value, Unknown):
        return False
    about = _ANSWERS.get(one.id, one.factor)
    decided = isinstance(one.limit, Unknown) or one.says != "unknown"
    if one.role == "settles" and decided and _source(about, dossier) == "measured":
        return True
    paths = {one.factor, *(f"{kind}.{about}" for kind in ("factors", "ceiling", "signals"))}
    return any(
        "evidence" in each.between and paths & set(each.between) for each in dossier.challenges
    )


def _row(one: EvidenceResult, dossier: Dossier) -> Row:
    value = (
        f"unknown: {one.value.ask}"
        if isinstance(one.value, Unknown)
        else interval_text(one.value, one.low, one.high, one.unit)
    )
    title = sentence(measured_name(one.id, one.title))[:-1]
    return Row(title, value, _bears(one, dossier), _counted(one), one.method, one.source)


def _bears(one: EvidenceResult, dossier: Dossier) -> str:
    if not one.factor or isinstance(one.value, Unknown):
        return ""
    about = _ANSWERS.get(one.id, one.factor)
    name = plain(about)
    if isinstance(one.limit, Unknown):
        answer = dossier.factors.get(about) or dossier.ceiling.checks.get(about)
        settled = answer is not None and answer.source == "measured"
        return f"{name} is {answer.state}" if settled and answer is not None else ""
    line = limit_text(one.limit, one.unit)
    if one.says == "unknown":
        return f"{name} stays open (line {line})"
    if one.role == "settles" and _source(about, dossier) != "measured":
        return f"{name} isn’t settled by it (line {line})"
    if one.role == "supports":
        return f"speaks {'for' if one.says == 'yes' else 'against'} {name} (line {line})"
    return f"{name} is {one.says} (line {line})"


def _source(name: str, dossier: Dossier) -> str:
    """Where an answer comes from."""
    answer = (
        dossier.signals.get(name) or dossier.factors.get(name) or dossier.ceiling.checks.get(name)
    )
    return answer.source if answer else ""


def _counted(one: EvidenceResult) -> str:
    parts = []
    if one.n:
        apart = 0 < one.clusters < one.n
        parts.append(
            f"{count(one.n)} ({count(one.clusters)} independent)" if apart else count(one.n)
        )
    if one.sample == "sampled":
        parts.append("a sample")
    if not isinstance(one.observed_on, Unknown):
        days = {str(one.since), str(one.observed_on)} - {""}
        parts.append(
            str(one.observed_on)
            if isinstance(one.since, Unknown) or len(days) == 1
            else f"{one.since} to {one.observed_on}"
        )
    return ", ".join(parts)


def measured_text(dossier: Dossier, paint: Paint) -> list[str]:
    """The block of the terminal's report: what was measured and bears on an answer.

    It is cut where it is long, but never before the last that settles or challenges one.

    Returns:
        Lines; none where nothing was measured: a published figure was not.
    """
    own, _ = by_grade(dossier)
    if not own:
        return []
    told = [one for one in own if not isinstance(one.value, Unknown)]
    bearing = [one for one in told if one.factor]
    carrying = sum(_carries(one, dossier) for one in bearing)
    shown = evidence_rows(dossier, bearing)[: max(_MOST_ROWS, carrying)]
    rows = [(safe(row.title), safe(row.value), safe(row.bears)) for row in shown]
    lines = [paint("strong", "Measured"), *table(rows)]
    if len(own) > len(shown):
        lines += wrapped(
            f"{few(len(own) - len(shown))} more, with methods and what couldn't be "
            "measured: --format markdown",
            first="  ",
        )
    return lines
