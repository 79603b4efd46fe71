"""Answers with their sources, attempts, the rules, the decision record, and explanations."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from tuneworthy import __version__
from tuneworthy.answers.facts import TARGETS
from tuneworthy.errors import CaseError
from tuneworthy.model.base import MONTHS_PER_QUARTER, State, Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import (
    ChallengeResult,
    CheckResult,
    Dossier,
    FactorResult,
    SignalResult,
    Verdict,
)
from tuneworthy.model.framework import (
    ApproachRule,
    Check,
    Criterion,
    Factor,
    Framework,
    OptionRule,
    Span,
)
from tuneworthy.money.worth import worth_text
from tuneworthy.plan.section import find_decision
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import (
    GATES,
    NOTHING_TURNS,
    Rows,
    about,
    ceiling_text,
    count_text,
    decision_text,
    finality,
    flip_lines,
    gates,
    headline,
    no_flip,
    reasons_text,
    source_words,
    turn_text,
    unfit,
    value_text,
)
from tuneworthy.report.sections.evidence import measured
from tuneworthy.report.sections.money import cost_text, pays_back_text
from tuneworthy.report.sections.precedents import others_text
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.verdict.challenges import ALL
from tuneworthy.verdict.headline import ANSWER_WORDS, OUTCOME_WORDS
from tuneworthy.words import (
    count,
    day,
    listing,
    months_later,
    number,
    plain,
    sentence,
    several,
    share,
)


def answers(dossier: Dossier) -> b.Section:
    """Every answer with its source, and the measurements."""
    title = "Answers and where they come from"
    tables = answer_tables(dossier)
    return b.section("answers", title, tables, measured(dossier))


def answer_tables(dossier: Dossier, *, questions: bool = True) -> Iterator[b.Table]:
    """Tables of questions and answers by group, without columns that are empty throughout."""
    factors = dossier.factors.items()
    groups: dict[str, Mapping[str, CheckResult | FactorResult | SignalResult]] = {
        "Has prompting been taken to its ceiling?": dossier.ceiling.checks,
        "Reasons for fine-tuning": {n: f for n, f in factors if f.kind == "indicator"},
        "Reasons against it": {n: f for n, f in factors if f.kind == "anti_indicator"},
        "Signs that prompting has reached its ceiling": dossier.signals,
    }
    titles = ("Asked", "?Answer", "From", "Weight", "Note")
    for caption, group in groups.items():
        if not group:
            continue
        rows = []
        for name, result in group.items():
            below = result.ask if questions else ""
            asked = b.Cell(result.title, below, aside=True, id=f"answer-{name}")
            source = source_words(result.state, result.source)
            weight = str(getattr(result, "weight", ""))  # only a reason has one
            rows.append((asked, result.state, source, weight, result.note))
        yield _filled_table(caption, titles, rows, may_lack=("Weight", "Note"))


def _filled_table(
    caption: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str | b.Cell]],
    *,
    may_lack: Collection[str],
    quiet: bool = False,
) -> b.Table:
    """A table without those columns of ``may_lack`` that are empty; it needs at least one row."""
    kept_titles = []
    kept_columns = []
    for title, column in zip(titles, zip(*rows, strict=True), strict=True):
        if title not in may_lack or any(column):
            kept_titles.append(title)
            kept_columns.append(column)
    return b.table(caption, kept_titles, zip(*kept_columns, strict=True), quiet=quiet)


def attempts(dossier: Dossier) -> b.Section | None:
    """The attempts, each with the verdict it would have led to; None without any."""
    if not dossier.stages:
        return None
    says = (
        "What the team tried, in order, and what the count would have said after each."
    )
    rows = [
        (s.name, s.change, s.result, OUTCOME_WORDS[s.outcome]) for s in dossier.stages
    ]
    now = ""
    if dossier.ceiling.reached == "yes":
        now = "ceiling reached: "
    whole = now + OUTCOME_WORDS[dossier.verdict.outcome]
    rows.append(("All checks, as answered now", "", "", whole))
    titles = ("Attempt", "What was changed", "What came of it", "The count then")
    caption = "Attempts and the count after each"
    table = _filled_table(caption, titles, rows, may_lack=titles, quiet=True)
    return b.section(
        "attempts", "What was tried so far", b.Prose(says, detail=True), table
    )


def rules(dossier: Dossier, framework: Framework | None = None) -> b.Section:
    """The walk through the rules. With the framework, it shows what the score counts, too."""
    tree = dossier.rules.tree
    score = dossier.rules.score
    difference = dossier.rules.difference
    rows = []
    for step in tree.path:
        values = [
            f"{_WORDS.get(name, plain(name))}: {value_text(value)}"
            for name, value in step.value.items()
        ]
        ask = _condition_words(step.ask)
        question = b.Cell(sentence(f"{ask}?"), ", ".join(values))
        rows.append((question, step.answer, OUTCOME_WORDS[step.outcome]))
    decided = tree.outcome == "undecided" or any(
        step.answer == "yes" for step in tree.path
    )
    if decided:
        last = "the last step does"
    else:
        last = f"the verdict is: {OUTCOME_WORDS[tree.outcome]}"
    counted = ""
    if framework is not None:
        weights = framework.scoring.weights
        counted = ", each counted once" if weights == "shown" else ", by their weights"
    titles = "Asked in this order | ?Answer | If yes"
    return b.section(
        "rules",
        "How the rules decided",
        f"The verdict follows from the {plain(dossier.framework.name)} framework by fixed rules. "
        "No model decided anything. The first question that is answered yes decides. If "
        f"none is, {last}.",
        b.table("The questions of the decision tree", titles, rows, quiet=True)
        if rows
        else "",
        f"By this count: {OUTCOME_WORDS[tree.outcome]}.",
        f"Reasons for less reasons against{counted}: the difference, "
        f"{value_text(difference.value)}. Divided by {number(score.denominator)} that is the "
        f"score, {value_text(score.value)}.",
    )


_WORDS = named("counts")
"""The words for what a rule counts."""

_SIGNS = {"≤": "at most", "≥": "at least", "<": "under", ">": "over"}


def _condition_words(condition: str) -> str:
    """A condition of the tree in words, such as *the score is at least 0.5*."""
    names = {plain(name): words for name, words in _WORDS.items() if name != "checks"}
    # the longest first, so that no name is replaced inside another
    for name in sorted(names, key=len, reverse=True):
        condition = condition.replace(name, names[name])
    for sign, words in _SIGNS.items():
        condition = condition.replace(sign, words)
    return condition


def glossary() -> b.Section:
    meanings = b.facts(named("glossary").items(), "words")
    fold = b.fold("Show what the words mean", meanings)
    return b.section("words", "Words used here", fold, detail=True)


def lines(dossier: Dossier) -> tuple[tuple[str, str], ...]:
    """Names and values that are needed to get the same report again."""
    return (
        ("schema", dossier.schema_),
        ("case", dossier.case.name),
        ("case-sha256", dossier.case.digest),
        ("framework", dossier.framework.name),
        ("framework-sha256", dossier.framework.digest),
        ("outcome", dossier.verdict.outcome),
        ("answer", dossier.verdict.answer),
        ("as-of", dossier.as_of.isoformat()),
        ("seed", str(dossier.seed)),
        ("tuneworthy", __version__),
    )


_SOON = timedelta(days=14)  #: A review that near a decision is held with it.


def review_day(dossier: Dossier) -> date:
    """The day to review a decision that names no day.

    It is a quarter after the day of the dossier, as the lesson retrains then. If the plan decides
    later than that, or less than two weeks before, it is the day of that decision.
    """
    quarter = months_later(dossier.as_of, MONTHS_PER_QUARTER)
    plan = dossier.plan
    if isinstance(plan, Unknown):
        return quarter
    decided = find_decision(plan).end
    return decided if decided > quarter - _SOON else quarter


def record(dossier: Dossier) -> b.Document:
    """The decision record: the decision, its reasons, and the day to review it."""
    verdict = dossier.verdict
    decided = dossier.decision or CaseDecision()
    review = day(decided.review_on or review_day(dossier))
    flips = [f"{what}: {outcome}" for what, outcome in flip_lines(dossier)]
    sections: dict[str, b.Parts] = {
        "Status": b.bullets(
            (
                f"Date: {day(dossier.as_of)}",
                f"Status: {decision_text(dossier) or 'proposed'}",
                f"Framework: {plain(dossier.framework.name)} ({dossier.framework.digest[:12]})",
                f"Case: {dossier.case.digest[:12]}",
            )
        ),
        "Context": b.bullets(
            (
                f"Ceiling: {ceiling_text(dossier)}",
                f"Reasons for: {reasons_text(dossier, 'indicator')}",
                f"Reasons against: {reasons_text(dossier, 'anti_indicator')}",
            )
        ),
        "Decision": (
            f"{sentence(ANSWER_WORDS[verdict.answer])} {finality(dossier)}",
            verdict.now,
        ),
        "Evidence": b.bullets(_evidence(dossier)),
        "What would turn the answer": b.bullets(
            f"If {turn_text(turn)}: {ANSWER_WORDS[turn.answer]}"
            for turn in verdict.turns
        )
        if verdict.turns
        else NOTHING_TURNS,
        "What would change the count": b.bullets(flips) if flips else no_flip(dossier),
        "Review": f"On {review}, or as soon as one of the answers above changes.",
    }
    return b.Document(
        f"Decision: {dossier.case.name}",
        headline(dossier),
        [b.section(title.lower(), title, parts) for title, parts in sections.items()],
    )


def _evidence(dossier: Dossier) -> Iterator[str]:
    """The lines of evidence for the verdict."""
    yield dossier.verdict.because
    yield count_text(dossier)
    yield f"Pays back: {pays_back_text(dossier)}"
    cost = cost_text(dossier)
    if cost:
        yield f"Cost: {cost}"
    for gate in dossier.verdict.gates:
        yield f"{GATES[gate.id]} {sentence(gate.state)} {sentence(gate.why)}"
    if not isinstance(dossier.precedents, Unknown):
        yield f"Others: {others_text(dossier.precedents)}"
    yield from (sentence(item.says) for item in dossier.verdict.caveats)
    for claim in dossier.challenges:
        yield f"{b.SEVERITIES[claim.severity][0]}: {claim.says}"


def explain_case(
    dossier: Dossier, framework: Framework, where: str = "CASE"
) -> b.Document:
    """The walk through a verdict; ``where`` is the case as a command names it."""
    tables = answer_tables(dossier, questions=False)
    return about(
        dossier,
        b.section("answers", "Answers and where they come from", tables),
        rules(dossier, framework),
        b.section("gates", "", gates(dossier)),
        beside=finality(dossier),
        after=(dossier.verdict.now.replace("CASE", where),),
    )


class Subject(NamedTuple):
    """Something with an id, and the texts about it."""

    title: str
    kind: str
    rows: Sequence[tuple[str, str]]


def explanation(
    framework: Framework,
    name: str,
    dossier: Dossier | None = None,
    otherwise: Sequence[tuple[str, Verdict]] = (),
) -> b.Document:
    """Explain everything with this id or title; ``otherwise`` are verdicts for other answers."""
    matches = _matches(framework, name)
    says = ""
    sections = list[b.Section | None]()
    for key, subject in matches:
        title = f"{subject.title} ({key}), {subject.kind}"
        here = [] if dossier is None else _texts_here(dossier, key, subject.kind)
        rows = [("Here", text) for text in here]
        rows += subject.rows
        shown = [(label, text) for label, text in rows if text]
        # the first one is the headline of the document, and needs no title of its own
        sections.append(b.section("about", title if says else "", b.facts(shown)))
        if not says:
            says = title
    if dossier is not None:
        now = dossier.verdict.outcome
        then = list[tuple[str, str]]()
        for to, verdict in otherwise:
            stays = "the same" if verdict == now else "it would be"
            then.append((f"If {to}", f"{stays}: {OUTCOME_WORDS[verdict]}"))
        claims = _claims_about(matches, dossier)
        sections += [b.section("otherwise", "", b.facts(then)), unfit(claims)]
    return b.Document(
        "", says, [section for section in sections if section is not None]
    )


def explanation_dict(
    framework: Framework,
    name: str,
    dossier: Dossier | None = None,
    otherwise: Sequence[tuple[str, Verdict]] = (),
) -> dict[str, Any]:
    """The content of ``explanation`` as plain JSON values; about a case where there is a dossier."""
    matches = _matches(framework, name)
    meanings: list[dict[str, Any]] = []
    for key, subject in matches:
        meaning: dict[str, Any] = {
            "id": key,
            "title": subject.title,
            "kind": subject.kind,
        }
        if dossier is not None:
            meaning["here"] = _texts_here(dossier, key, subject.kind)
        meaning["says"] = {label: text for label, text in subject.rows if text}
        meanings.append(meaning)
    if dossier is None:
        return {"framework": framework.name, "asked": name, "meanings": meanings}
    claims = _claims_about(matches, dossier)
    return {
        "case": dossier.case.name,
        "asked": name,
        "meanings": meanings,
        "otherwise": dict(otherwise),
        "challenges": [claim.model_dump(mode="json") for claim in claims],
    }


def _matches(framework: Framework, name: str) -> list[tuple[str, Subject]]:
    """The things with this id or title; a CaseError where there are none."""
    matches = named_subjects(framework, name)
    if not matches:
        every = list(subjects(framework))
        fix = did_you_mean(name, [n for n, _ in every] + [s.title for _, s in every])
        raise CaseError(f'"{name}" is nothing that can be explained', fix=fix)
    return matches


def _claims_about(
    matches: Sequence[tuple[str, Subject]], dossier: Dossier
) -> list[ChallengeResult]:
    """The challenges about one of these subjects."""
    names = {key for key, _ in matches}
    return [
        claim
        for claim in dossier.challenges
        if any(names & {*path.split(".")} for path in claim.between)
    ]


def named_subjects(framework: Framework, name: str) -> list[tuple[str, Subject]]:
    """The things with this id or path of the case file first, then those with this title."""
    room, _, last = name.rpartition(".")
    called = last.casefold().replace("_", " ")
    matches = [
        (key, subject)
        for key, subject in subjects(framework)
        if called in (key.replace("_", " "), subject.title.casefold())
        and (not room or subject.kind in _ROOMS.get(room, ()))
    ]
    return sorted(matches, key=lambda pair: pair[0] != last)


_ROOMS = {
    "ceiling": ("a check of the ceiling test",),
    "factors": ("a reason for fine-tuning", "a reason against fine-tuning"),
    "signals": ("a sign of a ceiling",),
    "targets": ("a target",),
    "goals": ("a goal",),
}
"""The kinds of things that the first part of a path in the case file can name."""


def subjects(framework: Framework) -> Iterator[tuple[str, Subject]]:
    """Everything that can be explained, by its id."""
    rooms: dict[str, Mapping[str, Criterion]] = {
        "a reason for fine-tuning": framework.indicators,
        "a reason against fine-tuning": framework.anti_indicators,
        "a check of the ceiling test": framework.ceiling,
        "a sign of a ceiling": framework.signals,
    }
    for kind, room in rooms.items():
        for name, criterion in room.items():
            yield name, Subject(criterion.title, kind, _asked(framework, criterion))
    for target, words in TARGETS.items():
        met = re.sub(r"\$?{}( s\b)?", "the limit", words.met)
        rows = [
            ("Met when", met),
            ("To state it", words.state),
            ("To measure it", words.measure),
        ]
        yield target, Subject(words.name, "a target", rows)
    ways = framework.approaches
    for name, goal in framework.goals.items():
        rows = [
            ("Need", goal.need),
            ("Approach", f"{ways[goal.approach].title} ({goal.approach})"),
            ("Source", goal.source),
        ]
        yield name, Subject(goal.title, "a goal", rows)
    for name, way in ways.items():
        served = [
            goal.title for goal in framework.goals.values() if goal.approach == name
        ]
        most = "or more" if way.data.high == "open" else f"to {count(way.data.high)}"
        need = f"{count(way.data.low)} {most} {plain(way.data.unit)}"
        rows = [("Serves", listing(served)), ("Data", need), ("Compute", way.compute)]
        rows += _figures(way, way.weeks)
        yield name, Subject(way.title, "an approach", rows)
    for name, option in framework.options.items():
        parts = "; ".join(
            f"{plain(part)}: {says}" for part, says in option.kinds.items()
        )
        rows = [
            ("Helps when", option.helps_when),
            ("Not when", option.not_when),
            ("Parts", parts),
        ]
        rows += _figures(option, option.weeks, option.effort_hours)
        rows.append(("Source", option.source))
        yield name, Subject(option.title, "an option", rows)
    for rule, departure in framework.judgement.items():
        dated = f", {day(departure.dated)}" if departure.dated else ""
        rows = [("Says", departure.says), ("Source", f"{departure.source}{dated}")]
        yield rule, Subject(plain(rule), "a rule of the judgement", rows)
    for challenge in ALL:
        rows = [
            ("Says", challenge.rule.__doc__ or ""),
            ("Severity", challenge.severity),
        ]
        yield challenge.id, Subject(plain(challenge.id), "a challenge", rows)


def _asked(framework: Framework, asked: Criterion) -> Sequence[tuple[str, str]]:
    """A question of the framework with all that it says about it."""
    texts = [
        ("Asks", asked.ask),
        ("Yes means", getattr(asked, "means", "")),
        ("Why", asked.why),
        ("Example", asked.example),
        ("To get it", getattr(asked, "settle", "")),
    ]
    rows = [(label, framework.filled(text, asked)) for label, text in texts]
    if isinstance(asked, Factor):
        counted = framework.scoring.weights == "counted"
        beside = "" if counted else " (shown only, as every reason counts once)"
        rows.append(("Weight", f"{asked.weight}{beside}"))
    if isinstance(asked, Check | Factor):
        rows.append(("To answer", f"about {several(asked.minutes, 'minute')}"))
    return rows


def _figures(
    rule: ApproachRule | OptionRule, weeks: Span | None, hours: Span | None = None
) -> Rows:
    """The usual effect on the targets, and the effort that it takes."""
    moves = []
    if rule.errors is not None:
        low = share(rule.errors.low)
        high = share(rule.errors.high)
        moves.append(
            f"takes away {low} to {high} of the errors, {share(rule.errors.likely)} likely"
        )
    for target, move in rule.moves.items():
        moves.append(
            f"{TARGETS[target].name} ×{number(move.low)} to ×{number(move.high)}"
        )
    yield "Usually", "; ".join(moves)
    spans = [(hours, "hours"), (weeks, "weeks")]
    takes = [
        f"{number(s.low)} to {number(s.high)} {unit}"
        for s, unit in spans
        if s is not None
    ]
    yield "Takes", "; ".join([*takes, f"risk: {rule.risk}"])


def _texts_here(dossier: Dossier, name: str, kind: str) -> list[str]:
    """Sentences of this case about the thing with this id; at least one."""
    texts: list[str] = []
    if kind == "a target":
        texts = [target.state for key, target in dossier.targets.items() if key == name]
    elif kind in ("a goal", "an approach"):
        texts = _goals_here(dossier, name)
    elif kind == "an option":
        ways = [way for way in dossier.ways if name in (way.id, way.option)]
        texts = [
            f"{way.title}: {way.chance_word or way.state}. {way.because}"
            for way in ways
        ]
    elif kind == "a challenge":
        claims = [claim for claim in dossier.challenges if claim.id == name]
        texts = [f"{claim.says} To settle: {claim.settle}" for claim in claims]
    elif kind != "a rule of the judgement":
        texts = [_answer_here(dossier, name, kind)]
    elif dossier.verdict.rule == name:
        texts = [dossier.verdict.because]
    return texts or [_NOT_HERE[kind]]


def _goals_here(dossier: Dossier, name: str) -> list[str]:
    """The goals of this case with this id, or with this approach."""
    if isinstance(dossier.approaches, Unknown):
        return []
    return [
        f"{plain(fit.goal)}, {fit.priority}; feasible: {fit.feasible}"
        for fit in dossier.approaches
        if name in (fit.goal, fit.approach)
    ]


def _answer_here(dossier: Dossier, name: str, kind: str) -> str:
    """A check, a reason or a sign, with its answer and the source of that."""
    answers: Mapping[str, CheckResult | FactorResult | SignalResult]
    if kind == "a sign of a ceiling":
        answers = dossier.signals
    else:
        answers = {**dossier.ceiling.checks, **dossier.factors}
    answer = answers[name]
    note = f"; {answer.note}" if answer.note else ""
    return f"{answer.state} ({source_words(answer.state, answer.source)}){note}"


_NOT_HERE = named("not_here")
"""The sentence for each kind of subject that this case doesn't touch."""


# What a page shows while answers are given: the questions, and what changes with them.

_Result = CheckResult | FactorResult | SignalResult


class _QuestionGroup(NamedTuple):
    """Questions of one kind, with their results by the same ids."""

    id: str
    title: str
    room: str  #: Where the case file keeps their answers.
    criteria: Mapping[str, Criterion]
    results: Mapping[str, _Result]


def groups(
    dossier: Dossier, framework: Framework, stated: Mapping[str, State]
) -> Iterator[dict[str, Any]]:
    """Every question by kind, with the number that hold; ``stated`` are the file's answers by path."""
    checks = dossier.ceiling.checks
    factors = dossier.factors
    signals = dossier.signals
    limit = "Has prompting been taken to its limit?"
    signs = "Signs that prompting has reached its limit"
    reasons = framework.indicators
    against = framework.anti_indicators
    kinds = (
        _QuestionGroup("limit", limit, "ceiling", framework.ceiling, checks),
        _QuestionGroup("for", "Reasons for fine-tuning", "factors", reasons, factors),
        _QuestionGroup("against", "Reasons against it", "factors", against, factors),
        _QuestionGroup("signs", signs, "signals", framework.signals, signals),
    )
    for kind in kinds:
        if not kind.criteria:
            continue
        questions = []
        for key, criterion in kind.criteria.items():
            path = f"{kind.room}.{key}"
            result = kind.results[key]
            questions.append(_field(path, criterion, result, framework, stated))
        states = [kind.results[key].state for key in kind.criteria]
        says = f"{states.count('yes')} of {len(states)} yes"
        unknown = states.count("unknown")
        if unknown:
            says += f", {unknown} open"
        yield {
            "id": kind.id,
            "title": kind.title,
            "says": says,
            "questions": questions,
        }


def _field(
    key: str,
    asks: Criterion,
    result: _Result,
    framework: Framework,
    stated: Mapping[str, State],
) -> dict[str, str]:
    """A question with the case file's answer, and the answer that counts where they differ."""
    reasons = (asks.why, getattr(asks, "means", ""))
    counts = ""
    answer = stated.get(key, "unknown")
    if result.source != "stated" and result.state != answer:
        counts = f"counts as {result.state}, from {source_words(result.state, result.source)}"
    return {
        "key": key,
        "title": result.title,
        "ask": result.ask,
        "why": " ".join(
            sentence(framework.filled(text, asks)) for text in reasons if text
        ),
        "example": framework.filled(asks.example, asks),
        "stated": answer,
        "counts": counts,
        "note": result.note,
    }


def titles(framework: Framework) -> dict[str, str]:
    """The title of every question, by the path of its answer in a case file."""
    rooms = (
        ("ceiling", framework.ceiling),
        ("factors", framework.factors),
        ("signals", framework.signals),
    )
    titles_by_path = {}
    for room, criteria in rooms:
        for key, criterion in criteria.items():
            titles_by_path[f"{room}.{key}"] = criterion.title
    return titles_by_path


def next_question(dossier: Dossier) -> dict[str, str] | None:
    """The open answer that removes most doubt for its time; None when none can change anything."""
    if not dossier.next_questions:
        return None
    first = dossier.next_questions[0]
    worth = f"The most worthwhile for its time: {worth_text(first)}{first.minutes} min to find out."
    room = "ceiling" if first.factor in dossier.ceiling.checks else "factors"
    return {"key": f"{room}.{first.factor}", "ask": first.ask, "worth": worth}
