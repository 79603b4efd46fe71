"""Two dossiers side by side: their differences, and why the verdict changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple

from tuneworthy.model.base import State, Unknown
from tuneworthy.model.dossier import (
    Change,
    Difference,
    Dossier,
    GateChange,
    Moved,
    Verdict,
)
from tuneworthy.money.serving import serving_name
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import (
    GATES,
    Rows,
    a_month,
    decision_text,
    dollars,
    finality,
    moved,
    tally,
    target_texts,
)
from tuneworthy.report.sections.money import cost_text, pays_back_text, story
from tuneworthy.verdict.headline import ANSWER_WORDS, OUTCOME_WORDS
from tuneworthy.words import day, listing, plain, sentence, several, unique

MOST_TRIED = 4096  #: Sets of changed answers that are tried to see which of them moved the verdict.

#: The outcome that follows from answers.
Judge = Callable[[Mapping[str, State]], Verdict]


class TitledValue(NamedTuple):
    """A value of a dossier, in words, with its title."""

    title: str
    value: str


Values = dict[str, TitledValue]  #: By the ids of answers and figures.


def compare(before: Dossier, after: Dossier, judge: Judge | None) -> Difference:
    """Compare two dossiers.

    ``judge`` is the later one's framework as a function from answers to outcome. Where it is None,
    it stays unknown which answers changed the verdict.
    """
    answers = _changes(_state_values(before), _state_values(after), absent="not asked")
    figures = _changes(_figures(before), _figures(after))
    old_challenges = _challenges(before)
    new_challenges = _challenges(after)
    appeared = _only_in(new_challenges, old_challenges)
    settled = _only_in(old_challenges, new_challenges)
    framework_changed = before.framework.digest != after.framework.digest
    listed = {change.id for change in (*answers, *figures)} | {*appeared, *settled}
    return Difference(
        case_before=before.case.name,
        case_after=after.case.name,
        answer_before=before.verdict.answer,
        answer_after=after.verdict.answer,
        outcome_before=before.verdict.outcome,
        outcome_after=after.verdict.outcome,
        answers=answers,
        gates=tuple(_gate_changes(before, after)),
        figures=figures,
        framework_changed=framework_changed,
        moved_by=_moved_by(
            before, after, [change.id for change in answers], judge, framework_changed
        ),
        appeared=tuple(appeared.values()),
        settled=tuple(settled.values()),
        elsewhere=_changed_elsewhere(before, after, listed),
        as_of_before=str(before.as_of),
        as_of_after=str(after.as_of),
    )


def _challenges(dossier: Dossier) -> dict[str, str]:
    """The sentences of all challenges, by their ids."""
    return {challenge.id: challenge.says for challenge in dossier.challenges}


def _only_in(own: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The entries whose ids the others don't have."""
    return {name: says for name, says in own.items() if name not in others}


def _gate_changes(before: Dossier, after: Dossier) -> Iterator[GateChange]:
    """Gates of both dossiers whose state or reason differs, in the order of the later one."""
    were = {gate.id: gate for gate in before.verdict.gates}
    for gate in after.verdict.gates:
        was = were.get(gate.id)
        if was is not None and was != gate:
            yield GateChange(
                id=gate.id,
                before=was.state,
                after=gate.state,
                why_before=was.why,
                why_after=gate.why,
            )


def _answers(dossier: Dossier) -> dict[str, Any]:
    """All questions by their ids; a factor replaces a signal of the same name."""
    return {**dossier.signals, **dossier.ceiling.checks, **dossier.factors}


def _state_values(dossier: Dossier) -> Values:
    return {
        name: TitledValue(result.title, result.state)
        for name, result in _answers(dossier).items()
    }


def _changes(old: Values, new: Values, absent: str = "") -> tuple[Change, ...]:
    """The entries whose value changed, those of the later dossier first.

    ``absent`` is the value of an entry that only one side has; where it is empty, such an entry is
    left out.
    """
    entries = dict(new)
    for name, entry in old.items():
        entries.setdefault(name, entry)
    changes = []
    for name, entry in entries.items():
        was = old[name].value if name in old else absent
        now = new[name].value if name in new else absent
        if was and now and was != now:
            changes.append(Change(id=name, title=entry.title, before=was, after=now))
    return tuple(changes)


def _figures(dossier: Dossier) -> Values:
    """Break-even, the bill, and the numbers that answers were counted from."""
    figures = {
        "break_even_months": TitledValue("Pays back", pays_back_text(dossier)),
        "ask_usd": TitledValue("Cost", cost_text(dossier) or "unknown"),
        "usd_per_month": TitledValue(f"Bill{a_month(dossier)}", _bill_text(dossier)),
    }
    for name, answer in _answers(dossier).items():
        # the note of a stated answer is the team's own words, and no figure
        counted = "" if answer.source == "stated" else answer.note
        figures[name] = TitledValue(answer.title, counted or "not counted")
    return figures


def _bill_text(dossier: Dossier) -> str:
    """The bill of the best way without tuning, with its name."""
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.computed, Unknown):
        return "unknown"
    best = money.computed.best_untuned
    for way in money.computed.servings:
        is_best = serving_name(way.model, way.how) == best
        if is_best and not isinstance(way.usd_per_month, Unknown):
            return f"{dollars(way.usd_per_month)}, {best}"
    return "unknown"


def _smallest_sets(
    names: Sequence[str], moves: Callable[[Sequence[str]], bool]
) -> tuple[tuple[str, ...], ...] | None:
    """The smallest sets of names that alone change something; None where there are too many to try."""
    tried = 0
    for size in range(1, len(names) + 1):
        sets = []
        for chosen in combinations(names, size):
            tried += 1
            if tried > MOST_TRIED:
                return None
            if moves(chosen):
                sets.append(chosen)
        if sets:
            return tuple(sets)
    return ()


def _moved_by(
    before: Dossier,
    after: Dossier,
    changed: Sequence[str],
    judge: Judge | None,
    framework_changed: bool,
) -> Moved:
    """The smallest sets of changes that alone lead from the earlier answers to the later outcome."""
    aim = after.verdict.outcome
    if before.verdict.outcome == aim:
        return "nothing"
    if judge is None:
        return "unknown"
    otherwise: Moved = "framework" if framework_changed else "unknown"
    new = _states(after)
    earlier = _states(before)
    # the earlier answers to the questions of the later framework
    old: dict[str, State] = {name: earlier.get(name, "unknown") for name in new}
    # no answer had to change: the rules alone explain the outcome
    if judge(old) == aim:
        return otherwise

    def moves(names: Sequence[str]) -> bool:
        changed_answers = {name: new[name] for name in names}
        return judge({**old, **changed_answers}) == aim

    sets = _smallest_sets([name for name in changed if name in new], moves)
    if sets is None:
        return "unknown"
    return sets or otherwise


def _states(dossier: Dossier) -> dict[str, State]:
    """The state of every check and every factor; a factor replaces a check of the same name."""
    states = {name: check.state for name, check in dossier.ceiling.checks.items()}
    for name, factor in dossier.factors.items():
        states[name] = factor.state
    return states


_LISTED = frozenset({"schema", "case", "framework", "as_of", "seed"})
"""Sections of a dossier that a comparison shows in its own way."""


def _changed_elsewhere(
    before: Dossier, after: Dossier, listed: set[str]
) -> tuple[str, ...]:
    """The sections of a dossier that changed beyond what the lists of changes already show.

    ``listed`` are the ids of answers, figures and challenges in these lists.
    """
    was = _rest(before, listed)
    now = _rest(after, listed)
    return tuple(
        name for name in now if name not in _LISTED and now[name] != was.get(name)
    )


def _rest(dossier: Dossier, listed: set[str]) -> dict[str, Any]:
    """The dossier without the parts that the list of changes already shows."""
    rest = dossier.to_dict()
    for answers in (rest["ceiling"]["checks"], rest["factors"], rest["signals"]):
        for name in listed & set(answers):
            del answers[name]
    del rest["ceiling"]["reached"]  # the checks say it
    rest["challenges"] = {
        c["id"]: c for c in rest["challenges"] if c["id"] not in listed
    }
    for name in ("outcome", "summary", "gates"):  # they have lines of their own
        del rest["verdict"][name]
    return rest


_MOST_SETS = 3  #: Sets of changes that are named as what moved the outcome.


class ChangedVersion(NamedTuple):
    """One version of a case, with the changes that it brought."""

    on: datetime | None  #: When it was written; None for the file as it is now.
    by: str  #: Who wrote it; empty where nobody said.
    difference: Difference

    @property
    def title(self) -> str:
        if self.on is None:
            return "Since the last version that is kept"
        writer = f", by {self.by}" if self.by else ""
        return f"{_minute(self.on)}{writer}"


def _minute(at: datetime) -> str:
    local = at.astimezone()
    return f"{day(local.date())}, {local:%H:%M}"


_NO_VERSION = (
    "No earlier version is kept. The page keeps one with each answer. To compare with a dossier: "
    "tuneworthy decide CASE --format json --output FILE, and later tuneworthy show CASE history "
    "--since FILE"
)


def changes_document(name: str, changes: Sequence[ChangedVersion]) -> b.Document:
    """The document with the changes of each version, the latest first."""
    if not changes:
        return b.Document(name, "no history yet.", [b.section("none", "", _NO_VERSION)])
    sections = [
        b.section(f"change-{n}", change.title, difference(change.difference).blocks)
        for n, change in enumerate(changes, start=1)
    ]
    says = f"{several(len(sections), 'change')}, the latest first."
    byline = ["Every version judged by today’s rules."]
    return b.Document(name, says, sections, byline=byline)


def changes_dict(name: str, changes: Sequence[ChangedVersion]) -> dict[str, Any]:
    """The changes of each version, as plain JSON values."""
    return {
        "schema": "tuneworthy/history/1",
        "case": name,
        "changes": [
            {
                "on": None if change.on is None else change.on.isoformat(),
                "by": change.by,
                "difference": change.difference.model_dump(mode="json"),
            }
            for change in changes
        ],
    }


def document(changes: Difference, since: str) -> b.Document:
    """The document with all changes, and a line that says since when."""
    return b.Document(
        changes.case_after,
        _verdict_words(changes),
        [b.section("difference", "", _parts(changes))],
        byline=[since],
    )


def difference(changes: Difference) -> b.Section:
    """All differences: verdict, why it changed, answers, conditions, figures, challenges."""
    return b.section(
        "difference", "What changed", _verdict_words(changes), _parts(changes)
    )


def _parts(changes: Difference) -> Iterator[b.Parts]:
    """The parts of the report on what changed, after the verdict."""
    if changes.case_before != changes.case_after:
        yield f"The case was called {changes.case_before} before."
    was = OUTCOME_WORDS[changes.outcome_before]
    now = OUTCOME_WORDS[changes.outcome_after]
    yield f"By the count: {moved(was, now)}."
    yield _what_moved_it(changes)
    if _is_same(changes):
        yield "No answer changed, nor anything else that the dossiers show."
    yield _change_table("Answer", _change_rows(changes.answers))
    yield _change_table("Condition", [_gate_row(gate) for gate in changes.gates])
    yield _change_table("Figure", _change_rows(changes.figures))
    if changes.appeared:
        yield b.part("No longer fits together", b.bullets(changes.appeared))
    if changes.settled:
        yield b.part("Settled", b.bullets(changes.settled))
    # several parts of a dossier make one section
    others = unique(
        named("sections").get(name, plain(name)) for name in changes.elsewhere
    )
    if others:
        yield sentence(f"also changed: {listing(others)}")


def _change_rows(changes: Iterable[Change]) -> list[tuple[str, str, str]]:
    return [(change.title, change.before, change.after) for change in changes]


def _gate_row(gate: GateChange) -> tuple[str, str, str]:
    return (
        GATES[gate.id],
        f"{gate.before}: {gate.why_before}",
        f"{gate.after}: {gate.why_after}",
    )


def _change_table(noun: str, rows: Sequence[tuple[str, str, str]]) -> b.Table | None:
    """A table of changes of one kind; None without any."""
    if not rows:
        return None
    return b.table(f"{noun}s that changed", f"{noun} | Before | Now", rows)


def _verdict_words(changes: Difference) -> str:
    was = ANSWER_WORDS[changes.answer_before]
    now = ANSWER_WORDS[changes.answer_after]
    return sentence(moved(was, now))


def _what_moved_it(changes: Difference) -> str:
    """Say which changes moved the outcome of the count; empty where nothing explains or moved it."""
    if changes.moved_by == "framework":
        return "The framework changed, and that moved it: not the answers alone."
    if changes.moved_by == "unknown":
        return (
            "Which of the changes moved it isn’t known: give the framework that judged."
        )
    if changes.moved_by != "nothing":
        words = {c.id: f"{c.title} {c.before} → {c.after}" for c in changes.answers}
        sets = [
            listing([words[name] for name in names])
            for names in changes.moved_by[:_MOST_SETS]
        ]
        return sentence(f"moved by {', or by '.join(sets)}")
    if changes.framework_changed:
        return "The framework changed, and the checklist comes out the same."
    return ""


def _is_same(changes: Difference) -> bool:
    """Whether both dossiers show the same, except for the day."""
    lists = (
        changes.answers,
        changes.gates,
        changes.figures,
        changes.appeared,
        changes.settled,
        changes.elsewhere,
    )
    return (
        not any(lists)
        and not changes.framework_changed
        and changes.moved_by == "nothing"
        and changes.answer_before == changes.answer_after
    )


def beside(
    first: Dossier, second: Dossier, names: Sequence[str]
) -> Iterator[b.Section]:
    """Two cases, or two what-ifs of one: the results of each, and the answers that differ."""
    results = dict(_facts(first))
    others = dict(_facts(second))
    first_name, second_name = (name.replace("|", "/") for name in names)
    rows = [
        (label, results.get(label, "–"), others.get(label, "–"))
        for label in {**results, **others}
    ]
    titles = f"What | {first_name} | {second_name}"  # a bar would begin another column
    yield b.section(
        "beside", "The answer of each", b.table("Side by side", titles, rows)
    )
    changes = (
        *_changes(_state_values(first), _state_values(second), absent="not asked"),
        *_changes(_figures(first), _figures(second)),
    )
    # a figure that is a result of the case is in the table above
    rows = _change_rows(change for change in changes if change.title not in results)
    yield b.section(
        "differ",
        "What differs",
        b.table("Answers and figures", titles, rows)
        if rows
        else "No check, sign or reason differs.",
        *_own_challenges(first, second, names),
    )


def _own_challenges(
    first: Dossier, second: Dossier, names: Sequence[str]
) -> Iterator[b.Part]:
    """The challenges that only one of two cases has, under its name."""
    of_first = _challenges(first)
    of_second = _challenges(second)
    own = (_only_in(of_first, of_second), _only_in(of_second, of_first))
    for name, challenges in zip(names, own, strict=True):
        if challenges:
            yield b.part(f"Only {name}", b.bullets(challenges.values()))


def _facts(dossier: Dossier) -> Rows:
    """The main results of a case, under the labels that every page uses."""
    money = dossier.investment
    verdict = dossier.verdict
    yield "Answer", sentence(ANSWER_WORDS[verdict.answer])
    yield "Why", verdict.because
    advice = dossier.recommendation
    first_step = verdict.now if isinstance(advice, Unknown) else advice.says
    yield "First step", sentence(first_step)
    targets = listing(list(target_texts(dossier).values()))
    yield "Targets", sentence(targets or "none is stated")
    if not isinstance(money, Unknown):
        for fact in story(money):
            yield fact.label, fact.value
        yield "At stake", dollars(money.gain_usd)
    yield "Pays back", sentence(pays_back_text(dossier))
    yield "Cost", sentence(cost_text(dossier) or "unknown")
    yield "What doesn’t fit", sentence(tally(dossier.challenges) or "nothing was found")
    yield "How sure", finality(dossier)
    decided = decision_text(dossier)
    if decided:
        yield "Decision", sentence(decided)
