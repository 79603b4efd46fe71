"""All scorers by their ids, and the choice of those that judge a case."""

from __future__ import annotations

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
GOALS = {
    "extraction": "json_fields",
    "format": "json_fields",
    "classification": "label",
    "tool_calling": "tool_call",
}
"""The scorer for outputs of each goal, where the references are of that kind."""
CASES_A_LABEL = 2
"""References count as labels if each stands for at least this many cases on average."""
_LONGEST_LABEL = 100  # characters; a longer text is an answer


def scorer_for(check: CheckCall | str, kit: Kit) -> Scorer:
    """Make the scorer that a check names, or the one with an id; raise InputError without one."""
    if isinstance(check, str):
        return make(_known_kind(check), None, kit)
    return make(_known_kind(check.scorer), check.of, kit)


def _known_kind(name: str) -> type[Scorer]:
    """Return the scorer with an id; raise InputError without one."""
    kind = scorer_kind(name)
    if kind is not None:
        return kind
    if name:
        fix = did_you_mean(name, tuple(SCORERS))
    else:
        fix = f"use one of {', '.join(SCORERS)}"
    raise InputError(one_line(f'there is no scorer "{name[:60]}"'), fix=fix)


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
    """Return the scorers of a whole set for which nobody named one; () where no case has a reference.

    The metric decides, if it is a known one (``metric_named``, or the id of a scorer); else the
    goal of tuning, if the references fit it (``GOALS``); else the form of the references. Without
    labels in the kit, ``label`` takes those of the references.
    """
    if kit is None:
        kit = Kit()
    references = _references_to_compare(cases)
    are_texts = all(isinstance(value, str) for value in references)
    name = metric_named(metric)
    is_usable = scorer_kind(name) is not None and (name != "label" or are_texts)
    if not is_usable:
        if not references:
            return ()
        name = _scorer_by_goal(references, GOALS.get(goal, ""), are_texts=are_texts)
    if name != "label" or kit.labels:
        return (scorer_for(name, kit),)
    labels = sorted({as_text(reference) for reference in references})
    return (make(SCORERS["label"], labels, kit),) if labels else ()


def _references_to_compare(cases: Sequence[EvalCase]) -> list[Any]:
    """Return the references of all cases, but those that a check of their own case uses."""
    references = list[Any]()
    for case in cases:
        if not _has_comparing_check(case):
            references += case.accepted
    return references


def _has_comparing_check(case: EvalCase) -> bool:
    kinds = (scorer_kind(check.scorer) for check in case.checks)
    return any(kind is not None and kind.compares for kind in kinds)


def _scorer_by_goal(references: Sequence[Any], kind: str, *, are_texts: bool) -> str:
    """Return the id of the goal's scorer, ``kind``, if the references fit it; else by their form."""
    if kind == "json_fields" and all(
        as_object(value) is not None for value in references
    ):
        return kind
    if kind == "tool_call" and all(
        accepted_calls(as_object(value)) for value in references
    ):
        return kind
    if are_texts:
        return _scorer_of_texts(references, wants_labels=kind == "label")
    return _scorer_by_form(references)


def _scorer_of_texts(references: Sequence[str], *, wants_labels: bool) -> str:
    """Return ``label`` for texts that several cases share, else ``match``.

    Where the goal ``wants_labels``, one repeated text is enough.
    """
    different = {plain(text) for text in references}
    if len(different) < 2 or any(len(text) > _LONGEST_LABEL for text in different):
        return "match"
    if wants_labels and len(different) < len(references):
        return "label"
    shared = len(references) >= CASES_A_LABEL * len(different)
    return "label" if shared else "match"


def _scorer_by_form(references: Sequence[Any]) -> str:
    """Return the id of the scorer for references that aren't all texts."""
    if all(is_call(value) for value in references):
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
        """Return the scorers that apply to a case, made once.

        The case's own checks are added to the scorers of the set. A check that compares with the
        case's reference replaces those that do.
        """
        if case.id not in self._of_case:
            own = [self._scorer_of(check) for check in case.checks]
            of_set = list(self._scorers)
            if _has_comparing_check(case):
                of_set = [scorer for scorer in of_set if not scorer.compares]
            self._of_case[case.id] = (*of_set, *own)
        return self._of_case[case.id]

    def _scorer_of(self, check: CheckCall) -> Scorer:
        """Return the scorer of a check; equal checks of several cases share one."""
        key = repr(check)
        if key not in self._made:
            self._made[key] = scorer_for(check, self._kit)
        return self._made[key]

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
    if not parts:
        return unscored("no_scorer")
    for part in parts:
        if part.why == RUN_STOPPED:
            return part
    scored = [part for part in parts if part.ok is not None]
    failed = [part for part in scored if not part.ok]
    if failed:
        return min(failed, key=lambda part: part.value)
    if len(scored) > 1:
        return right("all_right", {"scorers": len(scored)})
    # a single score as it is, or the first reason why there is none
    return scored[0] if scored else parts[0]
