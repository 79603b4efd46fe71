"""Every scorer there is, by its id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.case import metric_named
from tuneworthy.model.evalset import CheckCall, EvalCase
from tuneworthy.scoring import judge
from tuneworthy.scoring import sandboxed as python
from tuneworthy.scoring import sandboxed as sql
from tuneworthy.scoring import structured as json_fields
from tuneworthy.scoring import structured as schema
from tuneworthy.scoring import structured as tool_call
from tuneworthy.scoring import texts as contains
from tuneworthy.scoring import texts as instructions
from tuneworthy.scoring import texts as label
from tuneworthy.scoring import texts as length
from tuneworthy.scoring import texts as match
from tuneworthy.scoring import texts as number
from tuneworthy.scoring import texts as regex
from tuneworthy.scoring import texts as terminology
from tuneworthy.scoring import texts as voice
from tuneworthy.scoring.base import Context, Kit, Output, Scored, Scorer, as_number, right, unjudged
from tuneworthy.scoring.structured import as_object
from tuneworthy.scoring.texts import as_text

# Every scorer there is, by its id.

Make = Callable[[Any, Kit], Scorer]

SCORERS: Mapping[str, Make] = {
    "match": match.match_make,
    "label": label.label_make,
    "json_fields": json_fields.json_fields_make,
    "json_schema": schema.make,
    "contains": contains.contains_make,
    "number": number.number_make,
    "regex": regex.regex_make,
    "length": length.length_make,
    "sql": sql.sql_make,
    "tool_call": tool_call.tool_call_make,
    "terminology": terminology.make,
    "voice": voice.voice_make,
    "instructions": instructions.instructions_make,
    "python": python.make,
    "judge": judge.make,
}
"""By id: makes a scorer from the parameters of a check."""

CASES_A_LABEL = 2
"""References that stand for at least this many cases each, on average, are taken for labels."""


def scorer_for(check: CheckCall | str, kit: Kit) -> Scorer:
    """The scorer that a check names.

    Args:
        check: The check of a case, or the id of a scorer alone.
        kit: What it is made from.

    Raises:
        InputError: If there is no such scorer, or its parameters are wrong.
    """
    call = CheckCall(scorer=check) if isinstance(check, str) and check else check
    name = call.scorer if isinstance(call, CheckCall) else ""
    make = SCORERS.get(name)
    if make is None or not isinstance(call, CheckCall):
        near = get_close_matches(name, SCORERS, n=1)
        fix = f"use {near[0]}" if near else f"use one of {', '.join(SCORERS)}"
        raise InputError(one_line(f'there is no scorer "{name[:60]}"'), fix=fix)
    return make(call.of, kit)


def default_scorers(
    cases: Sequence[EvalCase], kit: Kit | None = None, metric: str = ""
) -> tuple[Scorer, ...]:
    """The scorer of a whole set, where nobody named one.

    The metric decides where it is one we know (``metric_named``, or the id of a scorer); else the
    references do: calls of tools are compared as such, objects
    by field, numbers as numbers, texts that come back in
    several cases as labels, other texts by ``match``. Mixed ones by ``match``.

    Args:
        cases: The evaluation set.
        kit: What scorers are made from; for ``label`` without labels, those of the references.
        metric: ``targets.quality.metric`` of the case.

    Returns:
        One scorer; () where no case has a reference, so that only its own checks can judge it.

    Raises:
        InputError: If the metric names a scorer that can't be made without parameters.
    """
    kit = kit or Kit()
    references = [one.accepted for one in cases if one.accepted]
    name = metric_named(metric)
    if name not in SCORERS or (name == "label" and not _all(references, str)):
        if not references:
            return ()
        name = _fitting(references)
    if name == "label" and not kit.labels:
        found = dict.fromkeys(as_text(one) for accepted in references for one in accepted)
        return (label.label_make(list(found), kit),) if found else ()
    return (scorer_for(name, kit),)


def _all(references: Sequence[Sequence[Any]], kind: type) -> bool:
    return all(isinstance(one, kind) for accepted in references for one in accepted)


def _fitting(references: Sequence[Sequence[Any]]) -> str:
    flat = [one for accepted in references for one in accepted]
    if all(tool_call.is_call(one) for one in flat):
        return "tool_call"
    if all(not isinstance(one, str) and as_object(one) is not None for one in flat):
        return "json_fields"
    if all(as_number(one) is not None and not isinstance(one, str) for one in flat):
        return "number"
    if _all(references, str):
        counted = Counter(label.plain(one) for one in flat)
        short = all(len(one) <= 100 for one in counted)
        if short and len(counted) > 1 and len(flat) >= CASES_A_LABEL * len(counted):
            return "label"
    return "match"


class Marker:
    """Scores outputs by the scorers of the set and by each case's own checks.

    Args:
        scorers: Those of the set.
        kit: What the checks of cases are made from.
    """

    def __init__(self, scorers: Sequence[Scorer], kit: Kit) -> None:
        self._scorers, self._kit = tuple(scorers), kit
        self._known: dict[str, tuple[Scorer, ...]] = {}

    def scorers(self, case: EvalCase) -> tuple[Scorer, ...]:
        """The scorers that apply to a case; made once.

        Raises:
            InputError: If a check of the case is wrong.
        """
        found = self._known.get(case.id)
        if found is None:
            own = tuple(scorer_for(check, self._kit) for check in case.checks)
            found = self._known[case.id] = (*self._scorers, *own)
        return found

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """What all scorers of a case say together (``together``)."""
        return together([one.score(output, case, context) for one in self.scorers(case)])


def together(parts: Sequence[Scored]) -> Scored:
    """Several judgements of one output as one: right where all are right.

    The value is the lowest, and reason and signal are those of the lowest. Judgements that say
    nothing are left out; where all say nothing, so does this.
    """
    judged = [one for one in parts if one.ok is not None]
    if not judged:
        return parts[0] if parts else unjudged("no_scorer")
    failed = [one for one in judged if not one.ok]
    if failed:
        return min(failed, key=lambda one: one.value)
    return judged[0] if len(judged) == 1 else right("all_right", {"scorers": len(judged)})
