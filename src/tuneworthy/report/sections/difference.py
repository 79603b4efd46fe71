"""What changed between two dossiers, for a page."""

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
from tuneworthy.report.blocks import Block, Bullets, Column, Part, Prose, Section, Table
from tuneworthy.report.sections.amounts import amount
from tuneworthy.report.sections.common import pays_back_text
from tuneworthy.report.text import row, safe, table, wrapped
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import listing, plain, sentence

# What two dossiers show differently beside their answers: gates, figures, other sections.

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
        name = serving_name(one.model, one.how)
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


def difference_text(difference: Difference) -> str:
    """The comparison for a terminal, at most 80 columns."""
    d = difference
    before, after = OUTCOME_WORDS[d.outcome_before], OUTCOME_WORDS[d.outcome_after]
    if d.outcome_before == d.outcome_after:
        first = f"{safe(d.case_after)}: the verdict stays {after}."
    else:
        first = f"{safe(d.case_after)}: {before} → {after}."
    lines = wrapped(first, rest="  ")
    if d.action_before != d.action_after:
        lines += wrapped(f"Action: {plain(d.action_before)} → {plain(d.action_after)}.")
    lines += wrapped(f"From {d.as_of_before} to {d.as_of_after}.")
    if d.case_before != d.case_after:
        lines += wrapped(f"The case was called {safe(d.case_before)} before.")
    lines += ["", *_why(d)] if _why(d) else []
    if d.answers:
        lines += ["", "Answers that changed"]
        lines += table([(safe(a.title), f"{a.before} → {a.after}") for a in d.answers])
    lines += [*_gates(d), *_difference_figures(d)]
    for label, said in (("New doubts", d.appeared), ("Settled", d.settled)):
        if said:
            lines += ["", label]
            for text in said:
                lines += wrapped(safe(text), first="  ")
    if d.elsewhere:
        lines += ["", *wrapped(f"Different, too: {listing(section_words(d.elsewhere))}.")]
    return "\n".join(lines) + "\n"


def unchanged(d: Difference) -> bool:
    """Whether the two show the same, but for the day."""
    listed = (d.answers, d.gates, d.figures, d.appeared, d.settled, d.elsewhere)
    same = d.moved_by == d.action_moved_by == "nothing"
    return same and not d.framework_changed and not any(listed)


def _gates(d: Difference) -> list[str]:
    if not d.gates:
        return []
    lines = ["", "Gates that changed"]
    for one in d.gates:
        moved = "" if one.before == one.after else f"{one.before} → "
        lines += row(one.id, f"{moved}{one.after}: {safe(one.why_after)}", label_width=13)
        if one.why_before != one.why_after:
            lines += row("", f"before: {safe(one.why_before)}", label_width=13)
    return lines


def _difference_figures(d: Difference) -> list[str]:
    if not d.figures:
        return []
    lines = ["", "Figures that changed"]
    for one in d.figures:
        lines += wrapped(f"{safe(one.title)}: {safe(one.after)}", first="  ", rest="    ")
        lines += wrapped(f"before: {safe(one.before)}", first="    ", rest="    ")
    return lines


def _why(d: Difference) -> list[str]:
    if unchanged(d):
        return ["No answer changed, nor anything else that the dossiers show."]
    return [*_verdict_why(d), *_action_why(d)]


def _verdict_why(d: Difference) -> list[str]:
    if d.moved_by == "nothing":
        return wrapped("The framework changed, and the verdict stays.") * d.framework_changed
    if d.moved_by == "framework":
        return wrapped("The framework changed, and that moved it: not the answers alone.")
    if isinstance(d.moved_by, str):
        return wrapped("Which of the changes moved it isn't known: give the framework that judged.")
    titles = {a.id: f"{safe(a.title)} {a.before} → {a.after}" for a in d.answers}
    sets = [listing([titles[name] for name in chosen]) for chosen in d.moved_by]
    lines = row("Moved by", sets[0], label_width=9)
    for other in sets[1:4]:
        lines += row("or", other, label_width=9)
    return lines


def _action_why(d: Difference) -> list[str]:
    if d.action_moved_by in ("nothing", "verdict"):
        return []
    if isinstance(d.action_moved_by, str):
        return wrapped("Which of the changes moved the action isn't known.")
    said = " or ".join(gates_text(d))
    return wrapped(f"Action moved by {said}.", first="  ")


def gates_text(d: Difference) -> list[str]:
    """The sets of gates that moved the action, each in words; () where none alone did."""
    if isinstance(d.action_moved_by, str):
        return []
    moves = {one.id: f"{one.id} {one.before} → {one.after}" for one in d.gates}
    return [listing([moves[name] for name in chosen]) for chosen in d.action_moved_by]


# What changed between two dossiers, for a page.

_MOST_SETS = 3


def difference(found: Difference) -> Section:
    """The whole of it: verdict, why it moved, answers, gates, figures, doubts."""
    before, after = OUTCOME_WORDS[found.outcome_before], OUTCOME_WORDS[found.outcome_after]
    moved = found.outcome_before != found.outcome_after
    blocks: list[Block] = [
        Prose(
            f"The verdict was: {before}. Now it is: {after}."
            if moved
            else f"The verdict stays: {after}.",
            "lead",
        )
    ]
    if found.action_before != found.action_after:
        did, does = plain(found.action_before), plain(found.action_after)
        blocks.append(Prose(f"What to do was: {did}. Now: {does}."))
    if found.case_before != found.case_after:
        blocks.append(Prose(f"The case was called {found.case_before} before."))
    blocks += [Prose(said) for said in _difference_why(found)]
    blocks += _tables(found)
    blocks += [
        Part(title, (Bullets(said),))
        for title, said in (("New doubts", found.appeared), ("Settled", found.settled))
        if said
    ]
    if found.elsewhere:
        also = listing(section_words(found.elsewhere))
        blocks.append(Prose(sentence(f"different, too: {also}")))
    return Section("difference", "What changed", tuple(blocks))


def _tables(found: Difference) -> list[Table]:
    """Answers, gates and figures that changed, each where there are any."""
    answers = tuple((one.title, one.before, one.after) for one in found.answers)
    gates = tuple(
        (one.id, f"{one.before}: {one.why_before}", f"{one.after}: {one.why_after}")
        for one in found.gates
    )
    figures = tuple((one.title, one.before, one.after) for one in found.figures)
    return [
        Table(f"{name}s that changed", (Column(name), Column("Before"), Column("Now")), rows)
        for name, rows in (("Answer", answers), ("Gate", gates), ("Figure", figures))
        if rows
    ]


def _difference_why(found: Difference) -> list[str]:
    """Why verdict and action moved, a sentence each; none for what stayed."""
    if unchanged(found):
        return ["No answer changed, nor anything else that the dossiers show."]
    said = (
        [_difference_verdict_why(found)]
        if found.moved_by != "nothing" or found.framework_changed
        else []
    )
    if found.action_moved_by == "unknown":
        said.append("Which of the changes moved what to do isn’t known.")
    sets = gates_text(found)
    return [*said, sentence(f"what to do moved by {'; or by '.join(sets)}")] if sets else said


def _difference_verdict_why(found: Difference) -> str:
    if found.moved_by == "nothing":
        return "The framework changed, and the verdict stays."
    if found.moved_by == "framework":
        return "The framework changed, and that moved it: not the answers alone."
    if isinstance(found.moved_by, str):
        return "Which of the changes moved it isn’t known."
    titles = {one.id: f"{one.title} {one.before} → {one.after}" for one in found.answers}
    sets = [listing([titles[name] for name in names]) for names in found.moved_by[:_MOST_SETS]]
    return sentence(f"moved by {'; or by '.join(sets)}")


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
