"""All scorers by their ids, and the choice of those that judge a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuneworthy.errors import InputError, one_line
from tuneworthy.model.case import metric_named
from tuneworthy.model.evalset import CheckCall, EvalCase
from tuneworthy.plugins import plugin_object
from tuneworthy.scoring import judge, own, sql, structured, texts
from tuneworthy.scoring.base import (
    RUN_STOPPED,
    Kit,
    Output,
    Scored,
    Scorer,
    as_number,
    as_text,
    make,
    plain,
    right,
    unscored,
)
from tuneworthy.scoring.structured import accepted_calls, as_object, is_call
from tuneworthy.syntax.document import did_you_mean

_ALL: tuple[type[Scorer], ...] = (
    *(
        texts.Match,
        texts.LabelMatch,
        texts.Contains,
        texts.Number,
        texts.Regex,
        texts.Length,
    ),
    *(
        texts.Terminology,
        texts.BrandVoice,
        structured.JsonFields,
        structured.JsonSchema,
    ),
    *(sql.Sql, structured.ToolCalls, texts.PromptInstructions, own.Python, judge.Judge),
)
SCORERS: Mapping[str, type[Scorer]] = {kind.id: kind for kind in _ALL}
GOALS = dict.fromkeys(("extraction", "format"), "json_fields")
GOALS |= {"classification": "label", "tool_calling": "tool_call"}
"""The scorer for outputs of each goal, where the references are of that kind."""
CASES_A_LABEL = 2
"""References count as labels if each stands for at least this many cases on average."""


def scorer_for(check: CheckCall | str, kit: Kit) -> Scorer:
    """The scorer that a check names, or the one with an id."""
    if isinstance(check, str):
        name = check
        parameters = None
    else:
        name = check.scorer
        parameters = check.of
    kind = scorer_kind(name)
    if kind is None:
        if name:
            fix = did_you_mean(name, tuple(SCORERS))
        else:
            fix = f"use one of {', '.join(SCORERS)}"
        raise InputError(one_line(f'there is no scorer "{name[:60]}"'), fix=fix)
    return make(kind, parameters, kit)


def scorer_kind(name: str) -> type[Scorer] | None:
    """The scorer with an id, from here or from an installed package; None without one."""
    if name in SCORERS:
        return SCORERS[name]
    added = plugin_object("scorers", name)
    if isinstance(added, type) and issubclass(added, Scorer):
        return added
    return None


def default_scorers(
    cases: Sequence[EvalCase], kit: Kit | None = None, metric: str = "", goal: str = ""
) -> tuple[Scorer, ...]:
    """The scorers of a whole set for which nobody named one; () where no case has a reference.

    The first of these that fits decides. The metric, if it is a known one (``metric_named``, or the
    id of a scorer). The goal of tuning, if the references fit it (``GOALS``). The form of the
    references: tool calls are compared as calls, objects by field, numbers as numbers, texts that
    several cases share as labels, and all other texts by ``match``. Without labels in the kit,
    ``label`` takes those of the references. A reference that a check of its own case uses is left
    out.
    """
    kit = kit or Kit()
    references = [
        value
        for case in cases
        if not _has_comparing_check(case)
        for value in case.accepted
    ]
    are_texts = all(isinstance(value, str) for value in references)
    name = metric_named(metric)
    if scorer_kind(name) is None or (name == "label" and not are_texts):
        if not references:
            return ()
        name = _fitting(references, GOALS.get(goal, ""), are_texts=are_texts)
    if name == "label" and not kit.labels:
        labels = list(dict.fromkeys(map(as_text, references)))
        return (make(SCORERS["label"], labels, kit),) if labels else ()
    return (scorer_for(name, kit),)


def _has_comparing_check(case: EvalCase) -> bool:
    kinds = (scorer_kind(check.scorer) for check in case.checks)
    return any(kind is not None and kind.compares for kind in kinds)


def _fitting(references: Sequence[Any], kind: str, *, are_texts: bool) -> str:
    """The scorer that fits the references of a set."""
    if kind in ("json_fields", "tool_call"):
        objects = list(map(as_object, references))
    else:
        objects = []
    calls = kind == "tool_call" and all(map(accepted_calls, objects))
    if calls or (kind == "json_fields" and None not in objects):
        return kind
    if are_texts:
        counted = Counter(map(plain, references))
        short = all(len(text) <= 100 for text in counted)
        often = len(counted) > 1 and len(references) >= CASES_A_LABEL * len(counted)
        often |= kind == "label" and 1 < len(counted) < len(references)
        return "label" if short and often else "match"
    if all(map(is_call, references)):
        return "tool_call"
    if any(isinstance(value, str) for value in references):
        return "match"
    if all(as_object(value) is not None for value in references):
        return "json_fields"
    if all(as_number(value) is not None for value in references):
        return "number"
    return "match"


class Marker:
    """Scores outputs by the scorers of the set and by each case's own checks."""

    def __init__(self, scorers: Sequence[Scorer], kit: Kit) -> None:
        self._scorers = tuple(scorers)
        self._kit = kit
        self._of_case: dict[str, tuple[Scorer, ...]] = {}
        self._made: dict[str, Scorer] = {}  # by the check, which many cases may share

    @property
    def labels(self) -> bool:
        """Whether the answers of the set are labels."""
        return any(scorer.id == "label" for scorer in self._scorers)

    def scorers(self, case: EvalCase) -> tuple[Scorer, ...]:
        """The scorers that apply to a case, made once.

        The case's own checks are added to the scorers of the set. A check that compares with the
        case's reference replaces those that do.
        """
        if case.id not in self._of_case:
            for check in case.checks:
                if repr(check) not in self._made:
                    self._made[repr(check)] = scorer_for(check, self._kit)
            alone = _has_comparing_check(case)
            of_set = (
                scorer for scorer in self._scorers if not (alone and scorer.compares)
            )
            of_checks = (self._made[repr(check)] for check in case.checks)
            self._of_case[case.id] = (*of_set, *of_checks)
        return self._of_case[case.id]

    def check(self) -> None:
        """Test the scorers that need a process, before anything is paid for."""
        for scorer in (*self._scorers, *self._made.values()):
            scorer.check()

    def stop(self) -> None:
        """End the processes of scorers, from any thread: the user stopped the run."""
        for scorer in (*self._scorers, *self._made.values()):
            scorer.stop()

    def reads_system(self, case: EvalCase) -> bool:
        """Whether a scorer of a case reads the system prompt."""
        return any(scorer.reads_system for scorer in self.scorers(case))

    def score(self, output: Output, case: EvalCase, system: str = "") -> Scored:
        """The joint score of all scorers of a case; ``system`` is the prompt as it was sent."""
        if system:
            output = replace(output, system=system)
        return together([scorer.score(output, case) for scorer in self.scorers(case)])


def together(parts: Sequence[Scored]) -> Scored:
    """Combine several verdicts on one output: right where all are right.

    The value, reason and signal are those of the lowest one. Verdicts without a score are left out.
    The result has no score where none has one, or where one was stopped.
    """
    for part in parts:
        if part.why == RUN_STOPPED:
            return part
    scored = [part for part in parts if part.ok is not None]
    if failed := [part for part in scored if not part.ok]:
        return min(failed, key=lambda part: part.value)
    if len(scored) > 1:
        return right("all_right", {"scorers": len(scored)})
    return next(iter((*scored, *parts)), unscored("no_scorer"))
