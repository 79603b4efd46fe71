"""What the pages of all labs share: shares, differences, what was spent, and who judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tuneworthy.model.base import Record, Unknown, json_text
from tuneworthy.model.lab import (
    CeilingResult,
    Contrast,
    JudgePlan,
    RetrievalResult,
    ShareOf,
    Spend,
    StopKind,
    VerifyPlan,
)
from tuneworthy.model.pilot import PilotPlan
from tuneworthy.report.sections.common import Rows
from tuneworthy.words import (
    count,
    counted,
    day,
    listing,
    number,
    quality_interval,
    several,
    signed,
    small_usd,
)

#: Columns of every table of arms.
MEASURED = "#Quality | #No answer | #USD a case | #p95"
MOST_ARMS = 50  #: Rows of such a table.

CORRECT = (
    "correct that, or take the arm out of the case. Then run it again, with --ask-again if calls "
    "are in doubt. Nothing else is paid twice"
)
"""The fix for an arm that got too few answers."""

LOOK_AT_WORDS = (
    "check whether the model wrote this or a proxy in front of it. After the fix, another "
    "--max-tokens asks again. Or take the arm out of the case"
)
"""The fix for an arm that gave one wrong answer to every case."""

UNWRAP = (
    "ask for the bare answer in the prompt, or take a scorer that reads what is around it. Or take "
    "the arm out of the case"
)
"""The fix for an arm whose answers are wrapped in text that hides them from the scorer."""

WHAT_TO_DO = {"unanswered": CORRECT, "same_words": LOOK_AT_WORDS, "wrapped": UNWRAP}
"""The fix for each reason why an arm isn't measured."""


def lab_dict(name: str, result: Record) -> str:
    """The result of a lab, as JSON."""
    return json_text(
        {"schema": f"tuneworthy/{name}/1", **result.model_dump(mode="json")}
    )


def text_or_unknown(
    value: float | Unknown, words: Callable[[float], str], unknown: str = ""
) -> str:
    """A number in words, or the text for an unknown one."""
    return unknown if isinstance(value, Unknown) else words(value)


def seconds_text(value: float) -> str:
    return f"{number(round(value, 2))} s"


def share_text(value: ShareOf | Unknown, unknown: str = "not run") -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    if isinstance(value, Unknown):
        return unknown
    return quality_interval(value.value, value.low, value.high)


def difference_text(contrast: Contrast) -> str:
    """A difference with its interval: ``+0.12 (+0.03 to +0.21)``."""
    if isinstance(contrast.difference, Unknown):
        return f"unknown: {contrast.difference.ask}"
    return signed_interval(contrast.difference, contrast.low, contrast.high)


def signed_interval(value: float, low: float, high: float) -> str:
    return f"{signed(value)} ({signed(low)} to {signed(high)})"


def spent_rows(spend: Spend, saved: int = 0, stopped: str = "") -> Rows:
    """Rows with the cost of all calls of a lab so far, and the reason if it stopped early.

    ``saved`` is the number of calls that the race made unnecessary.
    """
    yield "Spent", ". ".join(_spent_sentences(spend, saved))
    if stopped:
        yield "Stopped", f"{stopped}. Paid answers are kept: run it again to continue"


def _spent_sentences(spend: Spend, saved: int) -> Iterator[str]:
    """Say what was paid, then everything about the calls that a reader has to know."""
    calls = counted(spend.calls, "call")
    yield f"{small_usd(spend.paid)} of {small_usd(spend.cap)} so far, for {calls}"
    if spend.failed:
        yield f"{count(spend.failed)} more failed"
    if spend.in_doubt:
        yield f"{count(spend.in_doubt)} in doubt may have cost {small_usd(spend.held)} more"
    if spend.miscounted:
        answers = counted(spend.miscounted, "answer")
        yield f"{answers} came with an impossible count of tokens: each counts at its most"
    if spend.brought:
        answers = counted(spend.brought, "answer")
        yield f"{answers} came with the folder, not checked here"
    if spend.paid > spend.cap:
        yield "If your bill says less, correct it: --billed USD"
    if saved:
        yield f"The race saved {counted(saved, 'call')}"
    if spend.hosts:
        yield f"Calls went to {listing(spend.hosts)}"


def cut_off_text(spend: Spend | None, stopped_by: StopKind) -> str:
    """Say that a killed run left calls in doubt, which the lab waits for; empty without any."""
    if spend is None or stopped_by != "unanswered" or not spend.cut_off:
        return ""
    calls = counted(spend.cut_off, "call")
    were = "was" if spend.cut_off == 1 else "were"
    return f"{calls} {were} in flight when a run was killed. Nobody knows whether they were paid"


def ask_again_text(spend: Spend, command: str) -> str:
    """Say how to send calls in doubt again, and its cost at most; ``command`` is empty on the page."""
    twice = f"at most {small_usd(spend.held)} is paid twice"
    if not command:
        return f"start it again with calls in doubt asked again: {twice}"
    return f"{command} --budget {spend.cap:.15g} --ask-again ({twice})"


def judge_text(plan: JudgePlan, named: str, own: int) -> str:
    """Say which grader scored, and of how many arms it wrote the outputs itself."""
    text = f"{named} by {plan.file}. Its word alone reports nothing"
    if own:
        text += f". It wrote the outputs of {several(own, 'arm')} itself, and may favour them"
    return text


def contrast_text(contrast: Contrast) -> str:
    """The difference of an arm from the first, and whether it is clear or how to make it so."""
    text = f"{contrast.second}: {difference_text(contrast)}"
    if isinstance(contrast.difference, Unknown):
        return text
    if contrast.told_apart == "yes":
        return f"{text}, a clear difference (95%)"
    if isinstance(contrast.cases_needed, Unknown):
        return f"{text}, can't be distinguished: {contrast.cases_needed.ask}"
    return (
        f"{text}, can't be distinguished. About {count(contrast.cases_needed)} held-out cases "
        "are needed"
    )


def rerun_text(result: CeilingResult | RetrievalResult, command: str) -> str:
    """How to continue a run that ended early. If its cap ended it, ask the price of the rest first."""
    if result.stopped_by == "cap":
        return f"see what the rest costs: {command} --dry-run"
    if result.spend is None or not result.spend.cap:  # it ran without a cap
        return command
    return f"{command} --budget {result.spend.cap:.15g}"


def plan_text(plan: VerifyPlan | PilotPlan, when: str) -> str:
    """Say when a plan was written down, and whether it came with the folder."""
    text = f"written down on {day(plan.written_on)}, {when}"
    if plan.brought:
        return f"{text}. It came with the folder, not checked here"
    return text
