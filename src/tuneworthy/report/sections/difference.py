"""Two dossiers side by side: their differences, and why the verdict changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from operator import attrgetter
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
from tuneworthy.words import day, listing, plain, sentence, several

MOST_TRIED = 4096  #: Sets of changed answers that are tried to see which of them moved the verdict.

#: The outcome that follows from answers.
Judge = Callable[[Mapping[str, State]], Verdict]


Said = dict[str, tuple[str, str]]  #: Title and words by id.


def compare(before: Dossier, after: Dossier, judge: Judge | None) -> Difference:
    """Compare two dossiers.

    ``judge`` is the later one's framework as a function from answers to outcome. Where it is None,
    it stays unknown which answers changed the verdict.
    """
    dossiers = (before, after)
    answers = _changes(_states_said(before), _states_said(after), absent="not asked")
    figures = _changes(_figures(before), _figures(after))
    old, new = ({item.id: item.says for item in d.challenges} for d in dossiers)
    listed = {*(change.id for change in (*answers, *figures)), *(set(old) ^ set(new))}
    reframed = before.framework.digest != after.framework.digest
    was = _rest(before, listed)
    now = _rest(after, listed)
    elsewhere = tuple(n for n in now if n not in _LISTED and now[n] != was.get(n))
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
        framework_changed=reframed,
        moved_by=_moved_by(
            before, after, [change.id for change in answers], judge, reframed
        ),
        appeared=tuple(says for name, says in new.items() if name not in old),
        settled=tuple(says for name, says in old.items() if name not in new),
        elsewhere=elsewhere,
        as_of_before=str(before.as_of),
        as_of_after=str(after.as_of),
    )


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


def _states_said(dossier: Dossier) -> Said:
    return {
        name: (result.title, result.state) for name, result in _answers(dossier).items()
    }


def _changes(old: Said, new: Said, absent: str = "") -> tuple[Change, ...]:
    """The entries whose value changed.

    ``absent`` is the value of an entry that only one side has; where it is empty, such an entry is
    left out.
    """
    titles = {name: title for name, (title, _) in new.items()}
    for name, (title, _) in old.items():
        titles.setdefault(name, title)
    changes = []
    for name, title in titles.items():
        _, was = old.get(name, ("", absent))
        _, now = new.get(name, ("", absent))
        if was and now and was != now:
            changes.append(Change(id=name, title=title, before=was, after=now))
    return tuple(changes)


def _figures(dossier: Dossier) -> Said:
    """Break-even, the bill, and the numbers that answers were counted from."""
    money = dossier.investment
    computed = money if isinstance(money, Unknown) else money.computed
    servings = () if isinstance(computed, Unknown) else computed.servings
    ways = {serving_name(way.model, way.how): way.usd_per_month for way in servings}
    name = "" if isinstance(computed, Unknown) else computed.best_untuned
    usd = ways.get(name)
    if usd is None or isinstance(usd, Unknown):
        bill = "unknown"
    else:
        bill = f"{dollars(usd)}, {name}"
    figures = {
        "break_even_months": ("Pays back", pays_back_text(dossier)),
        "ask_usd": ("Cost", cost_text(dossier) or "unknown"),
        "usd_per_month": (f"Bill{a_month(dossier)}", bill),
    }
    for name, answer in _answers(dossier).items():
        counted = "" if answer.source == "stated" else answer.note
        figures[name] = answer.title, counted or "not counted"
    return figures


def _smallest(
    names: Sequence[Any], moves: Callable[[Any], bool]
) -> tuple[Any, ...] | None:
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
    reframed: bool,
) -> Moved:
    """The smallest sets of changes that alone lead from the earlier answers to the later outcome."""
    aim = after.verdict.outcome
    if before.verdict.outcome == aim:
        return "nothing"
    if judge is None:
        return "unknown"
    new = _states(after)
    earlier = _states(before)
    old: dict[str, State] = {name: earlier.get(name, "unknown") for name in new}
    if judge(old) != aim:  # otherwise the new rules alone explain the new outcome

        def moves(names: Sequence[str]) -> bool:
            changed_answers = {name: new[name] for name in names}
            return judge({**old, **changed_answers}) == aim

        sets = _smallest([name for name in changed if name in new], moves)
        if sets is None:
            return "unknown"
        if sets:
            return sets
    return "framework" if reframed else "unknown"


def _states(dossier: Dossier) -> dict[str, State]:
    """The state of every check and every factor; a factor replaces a check of the same name."""
    states = {name: check.state for name, check in dossier.ceiling.checks.items()}
    for name, factor in dossier.factors.items():
        states[name] = factor.state
    return states


_LISTED = frozenset({"schema", "case", "framework", "as_of", "seed"})
"""Sections of a dossier that a comparison shows in its own way."""


def _rest(dossier: Dossier, listed: set[str]) -> dict[str, Any]:
    """The dossier without the parts that the list of changes already shows."""
    rest = dossier.to_dict()
    for answers in (rest["ceiling"]["checks"], rest["factors"], rest["signals"]):
        for name in listed & set(answers):
            del answers[name]
    rest["ceiling"].pop("reached")  # the checks say it
    rest["challenges"] = {
        c["id"]: c for c in rest["challenges"] if c["id"] not in listed
    }
    verdict = rest["verdict"]
    for name in ("outcome", "summary", "gates"):
        verdict.pop(name)
    return rest


_MOST_SETS = 3
_CELLS = attrgetter("title", "before", "after")


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
    sections = [
        b.section(f"change-{n}", change.title, difference(change.difference).blocks)
        for n, change in enumerate(changes, start=1)
    ]
    if not sections:
        return b.Document(name, "no history yet.", [b.section("none", "", _NO_VERSION)])
    says = f"{several(len(sections), 'change')}, the latest first."
    return b.Document(
        name, says, sections, byline=["Every version judged by today’s rules."]
    )


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
    section = difference(changes)
    return b.Document(
        changes.case_after,
        _verdict_words(changes),
        [b.section("difference", "", section.blocks[1:])],
        byline=[since],
    )


def difference(changes: Difference) -> b.Section:
    """All differences: verdict, why it changed, answers, conditions, figures, challenges."""
    return b.section(
        "difference", "What changed", _verdict_words(changes), _parts(changes)
    )


def _parts(changes: Difference) -> Iterator[b.Parts]:
    """The parts of the report on what changed."""
    if changes.case_before != changes.case_after:
        yield f"The case was called {changes.case_before} before."
    was = OUTCOME_WORDS[changes.outcome_before]
    now = OUTCOME_WORDS[changes.outcome_after]
    yield f"By the count: {moved(was, now)}."
    yield from _reasons(changes)
    tables = {
        "Answer": [*map(_CELLS, changes.answers)],
        "Condition": [
            (
                GATES[gate.id],
                f"{gate.before}: {gate.why_before}",
                f"{gate.after}: {gate.why_after}",
            )
            for gate in changes.gates
        ],
        "Figure": [*map(_CELLS, changes.figures)],
    }
    for name, rows in tables.items():
        if rows:
            titles = f"{name} | Before | Now"
            yield b.table(f"{name}s that changed", titles, rows)
    lists = {"No longer fits together": changes.appeared, "Settled": changes.settled}
    for title, items in lists.items():
        if items:
            yield b.part(title, b.bullets(items))
    others = dict.fromkeys(
        named("sections").get(name, plain(name)) for name in changes.elsewhere
    )
    if others:
        yield sentence(f"also changed: {listing(list(others))}")


def _verdict_words(changes: Difference) -> str:
    was = ANSWER_WORDS[changes.answer_before]
    now = ANSWER_WORDS[changes.answer_after]
    return sentence(moved(was, now))


def _reasons(changes: Difference) -> Iterator[str]:
    """Why the count changed; or that both dossiers show the same except for the day."""
    answers = {c.id: f"{c.title} {c.before} → {c.after}" for c in changes.answers}
    if changes.moved_by == "framework":
        yield "The framework changed, and that moved it: not the answers alone."
    elif changes.moved_by == "unknown":
        yield "Which of the changes moved it isn’t known: give the framework that judged."
    elif changes.moved_by != "nothing":
        yield _moved_words("moved by", changes.moved_by[:_MOST_SETS], answers)
    elif changes.framework_changed:
        yield "The framework changed, and the checklist comes out the same."
    lists = (
        changes.answers,
        changes.gates,
        changes.figures,
        changes.appeared,
        changes.settled,
    )
    same = (
        changes.moved_by == "nothing" and changes.answer_before == changes.answer_after
    )
    if not (any(lists) or changes.elsewhere or changes.framework_changed or not same):
        yield "No answer changed, nor anything else that the dossiers show."


def _moved_words(
    begin: str, sets: Iterable[Sequence[str]], words: Mapping[Any, str]
) -> str:
    lists = [listing([words[name] for name in names]) for names in sets]
    return sentence(f"{begin} {', or by '.join(lists)}")


def beside(
    first: Dossier, second: Dossier, names: Sequence[str]
) -> Iterator[b.Section]:
    """Two cases, or two what-ifs of one: the results of each, and the answers that differ."""
    firsts = dict(_facts(first))
    seconds = dict(_facts(second))
    titles = " | ".join(("What", *(name.replace("|", "/") for name in names)))
    rows = [
        (what, firsts.get(what, "–"), seconds.get(what, "–"))
        for what in firsts | seconds
    ]
    yield b.section(
        "beside", "The answer of each", b.table("Side by side", titles, rows)
    )
    answers = _changes(_states_said(first), _states_said(second), absent="not asked")
    figures = _changes(_figures(first), _figures(second))
    changed = (change for change in (*answers, *figures) if change.title not in firsts)
    differ = [*map(_CELLS, changed)]
    said = [
        {item.id: item.says for item in dossier.challenges}
        for dossier in (first, second)
    ]
    yield b.section(
        "differ",
        "What differs",
        b.table("Answers and figures", titles, differ)
        if differ
        else "No check, sign or reason differs.",
        *(
            b.part(
                f"Only {name}",
                b.bullets(says for n, says in its.items() if n not in others),
            )
            for name, its, others in zip(names, said, said[::-1], strict=True)
            if set(its) - set(others)
        ),
    )


def _facts(dossier: Dossier) -> Rows:
    """The main results of a case, under the labels that every page uses."""
    money = dossier.investment
    verdict = dossier.verdict
    yield "Answer", sentence(ANSWER_WORDS[verdict.answer])
    yield "Why", verdict.because
    advice = dossier.recommendation
    yield (
        "First step",
        sentence(verdict.now if isinstance(advice, Unknown) else advice.says),
    )
    yield (
        "Targets",
        sentence(listing([*target_texts(dossier).values()]) or "none is stated"),
    )
    if not isinstance(money, Unknown):
        yield from ((fact.label, fact.value) for fact in story(money))
        yield "At stake", dollars(money.gain_usd)
    yield "Pays back", sentence(pays_back_text(dossier))
    yield "Cost", sentence(cost_text(dossier) or "unknown")
    yield "What doesn’t fit", sentence(tally(dossier.challenges) or "nothing was found")
    yield "How sure", finality(dossier)
    if decided := decision_text(dossier):
        yield "Decision", sentence(decided)
