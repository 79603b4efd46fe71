"""What may be set by talking, and what is worth talking about next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tuneworthy.api.interview.asks import LATER_SHAPES, SAFETY, ask_of
from tuneworthy.api.interview.fields import ATTEMPT, DATA, INVESTMENT, OPTIONS
from tuneworthy.api.interview.order import part_asks
from tuneworthy.api.interview.suppose import supposed
from tuneworthy.api.interview.values import stands
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.interview import PARTS, Ask
from tuneworthy.files.case import case_path
from tuneworthy.files.disk import CASE_LIMIT, read_text

_ROOMS = frozenset({
    "goals", "ceiling", "factors", "signals", "description", "targets", "today", "attempts", "data",
    "economics", "strategic_value", "tuning", "safety",
})  # fmt: skip
_NEVER = frozenset({"targets.quality.metric"})  # names what judges


def catalogue(case: Case, framework: Framework) -> Mapping[str, Ask]:
    """All that may be set by talking, by id: what is open first, in the order of asking.

    Files, models and their addresses, and what judges are never set so: these say what is read and
    where it is sent.
    """
    opened = [name for part in PARTS for name in part_asks(case, framework, part)]
    told = [name for name in _known(case, framework) if stands(case, name)]
    asks = (ask_of(case, framework, name) for name in dict.fromkeys((*opened, *told)))
    return {ask.id: ask for ask in asks if _may(ask)}


def following(case: Case, framework: Framework, *, passed: Collection[str] = ()) -> Iterator[str]:
    """Ids of what is open, by the three conversations: first what can change the verdict.

    Args:
        case: As it stands.
        framework: Whose questions are asked.
        passed: Ids that the person doesn't know or doesn't want to be asked.
    """
    seen = set(passed)
    for part in PARTS:
        for name in part_asks(case, framework, part):
            if name not in seen and _may(ask_of(case, framework, name)):
                seen.add(name)
                yield name


def refuse_unfit(
    source: str | Path, case: Case, framework: Framework, ask_id: str, given: str
) -> None:
    """Go through what writing an answer goes through, and write nothing.

    Raises:
        CaseError: If it is no answer to the question, or the file can't be read.
    """
    text = read_text(case_path(source), CASE_LIMIT, CaseError)
    supposed(source, case, text, framework, {ask_id: given})


def _may(ask: Ask) -> bool:
    room = ask.id.partition(".")[0]
    is_file = room == "data" and ask.kind == "text"
    return room in _ROOMS and not is_file and ask.id not in _NEVER


def _known(case: Case, framework: Framework) -> Iterator[str]:
    """Every question that may have an answer."""
    yield "goals"
    rooms = (("ceiling", framework.ceiling), ("factors", framework.factors))
    for room, asked in (*rooms, ("signals", framework.signals)):
        yield from (f"{room}.{name}" for name in asked)
    yield from (name for name in LATER_SHAPES if name.split(".")[1] in framework.factors)
    yield from (field.id for field in (*OPTIONS, *DATA, *INVESTMENT))
    for number in range(1, len(case.attempts) + 1):
        yield from (f"attempts.{number}.{field.id}" for field in ATTEMPT)
    yield from SAFETY if framework.safety is not None else ()
