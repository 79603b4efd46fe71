"""Two dossiers side by side: what changed, and why the verdict moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.difference import AnswerChange, Difference, Moved
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import State
from tuneworthy.report.changes import (
    Act,
    action_moved_by,
    answers_of,
    elsewhere,
    figure_changes,
    gate_changes,
    section_words,
)
from tuneworthy.report.layout import row, safe, table, wrapped
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import listing, plain

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
    lines += [*_gates(d), *_figures(d)]
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


def _figures(d: Difference) -> list[str]:
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
