"""What two dossiers show differently beside their answers: gates, figures, other sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from tuneworthy.domain.decision import Action, GateId, Verdict
from tuneworthy.domain.difference import ActionMoved, FigureChange, GateChange
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import State, Unknown
from tuneworthy.report.money.rows import amount
from tuneworthy.report.serving import way_name
from tuneworthy.report.text import pays_back_text
from tuneworthy.report.words import plain

Act = Callable[[Verdict, Mapping[GateId, State]], Action]
"""The action that follows from an outcome and the states of the gates."""

_TOLD = frozenset({"schema", "case", "framework", "as_of", "seed"})
"""Sections that a comparison tells of in its own way."""

_WORDS = {
    "ceiling": "notes to answers",
    "factors": "notes to answers",
    "signals": "notes to answers",
    "counts": "score and difference",
    "rules": "score and difference",
    "strength": "score and difference",
    "stages": "attempts",
    "verdict": "what to keep in mind or to do next",
    "distribution": "what is still possible",
    "bounds": "what is still possible",
    "flips": "what would change the verdict",
    "flips_searched_to": "what would change the verdict",
    "next_questions": "what to find out next",
    "challenges": "the words of a doubt",
    "recommendation": "options",
    "investment": "money",
    "evidence": "what was measured",
    "series": "what was measured",
    "quick": "the short form",
}
"""A section's name for people, where it isn't its own."""


def section_words(names: Sequence[str]) -> list[str]:
    """Sections of a dossier in words, each once, in their order."""
    return list(dict.fromkeys(_WORDS.get(name, plain(name)) for name in names))


def answers_of(dossier: Dossier) -> dict[str, Any]:
    """Everything that was asked, by its id; a signal gives way to a factor of the same name."""
    return {**dossier.signals, **dossier.ceiling.checks, **dossier.factors}


def gate_changes(before: Dossier, after: Dossier) -> tuple[GateChange, ...]:
    """Gates with another state or another reason."""
    then = {gate.id: gate for gate in before.verdict.gates}
    return tuple(
        GateChange(
            id=gate.id,
            before=then[gate.id].state,
            after=gate.state,
            why_before=then[gate.id].why,
            why_after=gate.why,
        )
        for gate in after.verdict.gates
        if gate.id in then and gate != then[gate.id]
    )


def action_moved_by(before: Dossier, after: Dossier, act: Act) -> ActionMoved:
    """The smallest sets of gates that alone take the earlier action to the later one."""
    aim = after.verdict.action
    if before.verdict.action == aim:
        return "nothing"
    if before.verdict.outcome != after.verdict.outcome:
        return "verdict"
    then = {gate.id: gate.state for gate in before.verdict.gates}
    now = {gate.id: gate.state for gate in after.verdict.gates}
    if set(then) != set(now) or act(after.verdict.outcome, then) == aim:
        return "unknown"
    names = [name for name in now if then[name] != now[name]]
    for size in range(1, len(names) + 1):
        found = tuple(
            chosen
            for chosen in combinations(names, size)
            if act(after.verdict.outcome, {**then, **{name: now[name] for name in chosen}}) == aim
        )
        if found:
            return found
    return "unknown"


def figure_changes(before: Dossier, after: Dossier) -> tuple[FigureChange, ...]:
    """Break-even, the bill, and what answers were counted from."""
    then = {name: said for name, _, said in _figures(before)}
    return tuple(
        FigureChange(id=name, title=title, before=then[name], after=said)
        for name, title, said in _figures(after)
        if name in then and said != then[name]
    )


def _figures(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    """Id, title and words of each figure."""
    yield "break_even_months", "Pays back", pays_back_text(dossier)
    yield "usd_per_month", "Bill a month", _bill(dossier)
    for name, one in answers_of(dossier).items():
        counted = one.note if one.source != "stated" else ""
        yield name, one.title, counted or "not counted"


def _bill(dossier: Dossier) -> str:
    """What the best way without tuning costs a month."""
    money = dossier.investment
    computed = money if isinstance(money, Unknown) else money.computed
    if isinstance(computed, Unknown):
        return "unknown"
    for one in computed.servings:
        name = way_name(one.model, one.how)
        if name == computed.best_untuned and not isinstance(one.usd_per_month, Unknown):
            return f"{amount(one.usd_per_month)}, {name}"
    return "unknown"


def elsewhere(before: Dossier, after: Dossier, told: frozenset[str]) -> tuple[str, ...]:
    """Sections that differ in something a comparison doesn't list.

    Args:
        before: The earlier dossier.
        after: The later one.
        told: Ids of answers, challenges and figures that it lists.
    """
    then, now = _rest(before, told), _rest(after, told)
    return tuple(name for name in now if name not in _TOLD and now[name] != then.get(name))


def _rest(dossier: Dossier, told: frozenset[str]) -> dict[str, Any]:
    """A dossier's sections without what is listed."""
    found = dossier.to_dict()
    for asked in (found["ceiling"]["checks"], found["factors"], found["signals"]):
        for name in told & set(asked):
            del asked[name]
    found["ceiling"].pop("reached")  # the checks say it
    found["challenges"] = {one["id"]: one for one in found["challenges"] if one["id"] not in told}
    verdict = found["verdict"]
    for name in ("outcome", "action", "summary", "gates"):
        verdict.pop(name)
    verdict["caveats"] = [one for one in verdict["caveats"] if not one["id"].startswith("gate_")]
    return found
