"""Two dossiers side by side: what changed, and why the verdict moved; and versions of a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

from tuneworthy.model.base import State, Unknown
from tuneworthy.model.dossier import (
    GATE_CAVEATS,
    Action,
    ActionMoved,
    AnswerChange,
    Difference,
    Dossier,
    FigureChange,
    GateChange,
    GateId,
    Moved,
    Verdict,
)
from tuneworthy.money.serving import serving_name
from tuneworthy.report.blocks import Block, Bullets, Column, Document, Part, Prose, Section, Table
from tuneworthy.report.sections.common import GATES, money
from tuneworthy.report.sections.money import pays_back_text
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import listing, plain, sentence

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
    result = dossier.investment
    computed = result if isinstance(result, Unknown) else result.computed
    if isinstance(computed, Unknown):
        return "unknown"
    for one in computed.servings:
        name = serving_name(one.model, one.how)
        if name == computed.best_untuned and not isinstance(one.usd_per_month, Unknown):
            return f"{money(one.usd_per_month)}, {name}"
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
    verdict["caveats"] = [one for one in verdict["caveats"] if one["id"] not in GATE_CAVEATS]
    return found


# Two dossiers side by side: what changed, and why the verdict moved.

MOST_TRIED = 4096
"""Sets of changed answers that are tried to see which of them moved the verdict."""

Judge = Callable[[Mapping[str, State]], Verdict]


def compare(before: Dossier, after: Dossier, judge: Judge | None, act: Act) -> Difference:
    """Hold two dossiers against each other.

    Args:
        before: The earlier one.
        after: The later one.
        judge: The later one's framework as a function from answers to outcome; None when it isn't
            at hand, and then it stays unknown which answers moved the verdict.
        act: The action that follows from an outcome and the states of the gates.
    """
    then, now = ({n: a.state for n, a in answers_of(d).items()} for d in (before, after))
    names = [*now, *(name for name in then if name not in now)]
    changes = tuple(
        AnswerChange(
            id=name,
            title=_title(name, after) or _title(name, before),
            before=then.get(name, "not asked"),
            after=now.get(name, "not asked"),
        )
        for name in names
        if then.get(name) != now.get(name)
    )
    old, new = ({one.id: one for one in d.challenges} for d in (before, after))
    reframed = before.framework.digest != after.framework.digest
    figures = figure_changes(before, after)
    told = {*(one.id for one in changes), *(one.id for one in figures), *(set(old) ^ set(new))}
    return Difference(
        case_before=before.case.name,
        case_after=after.case.name,
        outcome_before=before.verdict.outcome,
        outcome_after=after.verdict.outcome,
        action_before=before.verdict.action,
        action_after=after.verdict.action,
        answers=changes,
        gates=gate_changes(before, after),
        figures=figures,
        framework_changed=reframed,
        moved_by=_moved_by(before, after, changes, judge, reframed),
        action_moved_by=action_moved_by(before, after, act),
        appeared=tuple(new[name].says for name in new if name not in old),
        settled=tuple(old[name].says for name in old if name not in new),
        elsewhere=elsewhere(before, after, frozenset(told)),
        as_of_before=str(before.as_of),
        as_of_after=str(after.as_of),
    )


def _states(dossier: Dossier) -> dict[str, State]:
    checks = {name: check.state for name, check in dossier.ceiling.checks.items()}
    return {**checks, **{name: factor.state for name, factor in dossier.factors.items()}}


def _title(name: str, dossier: Dossier) -> str:
    found = answers_of(dossier).get(name)
    return found.title if found else ""


def _moved_by(
    before: Dossier,
    after: Dossier,
    changes: tuple[AnswerChange, ...],
    judge: Judge | None,
    reframed: bool,
) -> Moved:
    """The smallest sets of changes that alone take the earlier answers to the later outcome."""
    if before.verdict.outcome == after.verdict.outcome:
        return "nothing"
    if judge is None:
        return "unknown"
    now = _states(after)
    then = {name: _states(before).get(name, "unknown") for name in now}
    if judge(then) == after.verdict.outcome:
        return "framework" if reframed else "unknown"
    names = [change.id for change in changes if change.id in now]
    tried = 0
    for size in range(1, len(names) + 1):
        found = []
        for chosen in combinations(names, size):
            tried += 1
            if tried > MOST_TRIED:
                return "unknown"
            if judge({**then, **{name: now[name] for name in chosen}}) == after.verdict.outcome:
                found.append(chosen)
        if found:
            return tuple(found)
    return "framework" if reframed else "unknown"


# In words.

_MOST_SETS = 3


def document(found: Difference) -> Document:
    """The comparison as a document of its own."""
    section = difference(found)
    return Document(
        name=found.case_after,
        headline=_verdict_words(found),
        byline=(f"From {found.as_of_before} to {found.as_of_after}.",),
        sections=(Section("difference", "", section.blocks[1:]),),
    )


def difference(found: Difference) -> Section:
    """The whole of it: verdict, why it moved, answers, gates, figures, challenges."""
    blocks: list[Block] = [Prose(_verdict_words(found), "lead")]
    if found.action_before != found.action_after:
        did, does = (_action(one) for one in (found.action_before, found.action_after))
        blocks.append(Prose(f"What to do was: {did}. Now: {does}."))
    if found.case_before != found.case_after:
        blocks.append(Prose(f"The case was called {found.case_before} before."))
    blocks += [Prose(text) for text in _reasons(found)]
    blocks += _tables(found)
    blocks += [
        Part(title, (Bullets(texts),))
        for title, texts in (
            ("No longer fits together", found.appeared),
            ("Settled", found.settled),
        )
        if texts
    ]
    if found.elsewhere:
        blocks.append(Prose(sentence(f"different, too: {listing(section_words(found.elsewhere))}")))
    return Section("difference", "What changed", tuple(blocks))


def _action(name: str) -> str:
    """An action in words; its id where a dossier of another version has one that is gone."""
    return next((words for action, words in ACTION_WORDS.items() if action == name), plain(name))


def _verdict_words(found: Difference) -> str:
    before, after = OUTCOME_WORDS[found.outcome_before], OUTCOME_WORDS[found.outcome_after]
    if before == after:
        return f"The verdict stays: {after}."
    return f"The verdict was: {before}. Now it is: {after}."


def _tables(found: Difference) -> list[Table]:
    """Answers, gates and figures that changed, each where there are any."""
    answers = tuple((one.title, one.before, one.after) for one in found.answers)
    gates = tuple(
        (GATES[one.id], f"{one.before}: {one.why_before}", f"{one.after}: {one.why_after}")
        for one in found.gates
    )
    figures = tuple((one.title, one.before, one.after) for one in found.figures)
    return [
        Table(f"{name}s that changed", (Column(name), Column("Before"), Column("Now")), rows)
        for name, rows in (("Answer", answers), ("Gate", gates), ("Figure", figures))
        if rows
    ]


def unchanged(found: Difference) -> bool:
    """Whether the two show the same, but for the day."""
    listed = (
        *(found.answers, found.gates, found.figures),
        *(found.appeared, found.settled, found.elsewhere),
    )
    same = found.moved_by == found.action_moved_by == "nothing"
    return same and not found.framework_changed and not any(listed)


def _reasons(found: Difference) -> list[str]:
    """Why verdict and action moved, a sentence each; none for what stayed."""
    if unchanged(found):
        return ["No answer changed, nor anything else that the dossiers show."]
    texts = [_verdict_reason(found)]
    if found.action_moved_by == "unknown":
        texts.append("Which of the changes moved what to do isn’t known.")
    elif not isinstance(found.action_moved_by, str):
        moves = {one.id: f"{GATES[one.id]} {one.before} → {one.after}" for one in found.gates}
        texts.append(_moved_words("what to do moved by", found.action_moved_by, moves))
    return [text for text in texts if text]


def _verdict_reason(found: Difference) -> str:
    if found.moved_by == "nothing":
        return "The framework changed, and the verdict stays." * found.framework_changed
    if found.moved_by == "framework":
        return "The framework changed, and that moved it: not the answers alone."
    if isinstance(found.moved_by, str):
        return "Which of the changes moved it isn’t known: give the framework that judged."
    titles = {one.id: f"{one.title} {one.before} → {one.after}" for one in found.answers}
    return _moved_words("moved by", found.moved_by[:_MOST_SETS], titles)


def _moved_words(begin: str, sets: Sequence[Sequence[str]], words: Mapping[Any, str]) -> str:
    lists = [listing([words[name] for name in names]) for names in sets]
    return sentence(f"{begin} {'; or by '.join(lists)}")


# Versions of a case, in words.


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version as a line of a list."""

    digest: str
    when: str
    """Local time, to the minute."""
    verdict: str
    changed: str
    """What it says that the one before it didn't."""
    now: bool
    """Whether it is what the file says today."""


Kept = tuple[datetime, str, Verdict | None, Mapping[str, State]]
"""When a version was written, its digest, its verdict, and its answers."""


def version_lines(
    found: Sequence[Kept], titles: Mapping[str, str], today: str
) -> tuple[VersionLine, ...]:
    """A line for each version.

    Args:
        found: The versions, the newest first.
        titles: What each question is called.
        today: Digest of the file as it is.
    """
    before = [*found[1:], None][: len(found)]
    return tuple(
        VersionLine(
            digest,
            at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            "no case any more" if verdict is None else OUTCOME_WORDS[verdict],
            _changed(said, None if older is None else older[3], titles),
            digest == today,
        )
        for (at, digest, verdict, said), older in zip(found, before, strict=True)
    )


def _changed(
    said: Mapping[str, State], before: Mapping[str, State] | None, titles: Mapping[str, str]
) -> str:
    if before is None:
        return "the oldest that is kept"
    named = [
        f"{titles.get(name, name)}: {state}"
        for name, state in said.items()
        if before.get(name, "unknown") != state
    ]
    return ", ".join(named) or "goals, amounts or other fields of the file"
