"""Answers with their sources, attempts, the rules, the decision record, and explanations."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from tuneworthy import __version__
from tuneworthy.answers.facts import TARGETS, TargetKind
from tuneworthy.errors import CaseError
from tuneworthy.model.base import MONTHS_PER_QUARTER, State, Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import (
    ChallengeResult,
    CheckResult,
    Dossier,
    FactorResult,
    SignalResult,
    TreeStep,
    Verdict,
)
from tuneworthy.model.framework import (
    AnswerRule,
    ApproachRule,
    Check,
    Criterion,
    Factor,
    Framework,
    GoalRule,
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
        rows = []
        for result in group.values():
            below = result.ask if questions else ""
            asked = b.Cell(result.title, below, aside=True)
            source = source_words(result.state, result.source)
            weight = str(getattr(result, "weight", ""))  # only a reason has one
            rows.append((asked, result.state, source, weight, result.note))
        if rows:
            yield _filled_table(caption, titles, rows, may_lack=("Weight", "Note"))


def _filled_table(
    caption: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str | b.Cell]],
    *,
    may_lack: Collection[str],
    quiet: bool = False,
) -> b.Table:
    """A table without those columns of ``may_lack`` that are empty."""
    kept = [
        place
        for place, title in enumerate(titles)
        if title not in may_lack or any(row[place] for row in rows)
    ]
    return b.table(
        caption,
        [titles[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        quiet=quiet,
    )


def attempts(dossier: Dossier) -> b.Section | None:
    """The attempts, each with the verdict it would have led to; None without any."""
    if not dossier.stages:
        return None
    says = (
        "What the team tried, in order, and what the count would have said after each."
    )
    rows = [
        (stage.name, stage.change, stage.result, OUTCOME_WORDS[stage.outcome])
        for stage in dossier.stages
    ]
    now = OUTCOME_WORDS[dossier.verdict.outcome]
    if dossier.ceiling.reached == "yes":
        now = f"ceiling reached: {now}"
    rows.append(("All checks, as answered now", "", "", now))
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
    # where no question is answered yes, the rules end with a verdict of their own
    ends_by_step = any(step.answer == "yes" for step in tree.path)
    if tree.outcome == "undecided" or ends_by_step:
        last = "the last step does"
    else:
        last = f"the verdict is: {OUTCOME_WORDS[tree.outcome]}"
    parts: list[b.Parts] = [
        f"The verdict follows from the {plain(dossier.framework.name)} framework by fixed rules. "
        "No model decided anything. The first question that is answered yes decides. If "
        f"none is, {last}."
    ]
    if tree.path:
        rows = [_step_row(step) for step in tree.path]
        titles = "Asked in this order | ?Answer | If yes"
        title = "The questions of the decision tree"
        parts.append(b.table(title, titles, rows, quiet=True))
    parts.append(f"By this count: {OUTCOME_WORDS[tree.outcome]}.")
    counted = ""
    if framework is not None:
        weights = framework.scoring.weights
        counted = ", each counted once" if weights == "shown" else ", by their weights"
    parts.append(
        f"Reasons for less reasons against{counted}: the difference, "
        f"{value_text(difference.value)}. Divided by {number(score.denominator)} that is the "
        f"score, {value_text(score.value)}."
    )
    return b.section("rules", "How the rules decided", parts)


def _step_row(step: TreeStep) -> tuple[b.Cell, str, str]:
    """A step of the tree: its question with the numbers it asks about, its answer, its outcome."""
    values = [
        f"{_WORDS.get(name, plain(name))}: {value_text(value)}"
        for name, value in step.value.items()
    ]
    ask = _condition_words(step.ask)
    question = b.Cell(sentence(f"{ask}?"), ", ".join(values))
    return question, step.answer, OUTCOME_WORDS[step.outcome]


_WORDS = named("counts")
"""The words for what a rule counts."""

_SIGNS = {"≤": "at most", "≥": "at least", "<": "under", ">": "over"}


def _condition_words(condition: str) -> str:
    """A condition of the tree in words, such as *the score is at least 0.5*."""
    # "checks" stands in a condition as the word that people read
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
    framework = dossier.framework
    decided = dossier.decision or CaseDecision()
    review = day(decided.review_on or review_day(dossier))
    status = (
        f"Date: {day(dossier.as_of)}",
        f"Status: {decision_text(dossier) or 'proposed'}",
        f"Framework: {plain(framework.name)} ({framework.digest[:_SHOWN_OF_DIGEST]})",
        f"Case: {dossier.case.digest[:_SHOWN_OF_DIGEST]}",
    )
    context = (
        f"Ceiling: {ceiling_text(dossier)}",
        f"Reasons for: {reasons_text(dossier, 'indicator')}",
        f"Reasons against: {reasons_text(dossier, 'anti_indicator')}",
    )
    decision = (
        f"{sentence(ANSWER_WORDS[verdict.answer])} {finality(dossier)}",
        verdict.now,
    )
    turns = [
        f"If {turn_text(turn)}: {ANSWER_WORDS[turn.answer]}" for turn in verdict.turns
    ]
    flips = [f"{flip.change}: {flip.outcome}" for flip in flip_lines(dossier)]
    sections: dict[str, b.Parts] = {
        "Status": b.bullets(status),
        "Context": b.bullets(context),
        "Decision": decision,
        "Evidence": b.bullets(_evidence(dossier)),
        "What would turn the answer": b.bullets(turns) if turns else NOTHING_TURNS,
        "What would change the count": b.bullets(flips) if flips else no_flip(dossier),
        "Review": f"On {review}, or as soon as one of the answers above changes.",
    }
    return b.Document(
        f"Decision: {dossier.case.name}",
        headline(dossier),
        [b.section(title.lower(), title, parts) for title, parts in sections.items()],
    )


_SHOWN_OF_DIGEST = 12  #: Characters, enough to tell two apart.


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
    for caveat in dossier.verdict.caveats:
        yield sentence(caveat.says)
    for claim in dossier.challenges:
        name, _ = b.SEVERITIES[claim.severity]
        yield f"{name}: {claim.says}"


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
    headline, *other_titles = [
        f"{subject.title} ({key}), {subject.kind}" for key, subject in matches
    ]
    # the first title is the headline of the document
    titles = ["", *other_titles]
    sections: list[b.Section | None] = []
    for title, (key, subject) in zip(titles, matches, strict=True):
        rows: list[tuple[str, str]] = []
        if dossier is not None:
            here = _texts_here(dossier, key, subject.kind)
            rows += [("Here", text) for text in here]
        rows += [(label, text) for label, text in subject.rows if text]
        sections.append(b.section("about", title, b.facts(rows)))
    if dossier is not None:
        rows = _otherwise_rows(otherwise, dossier.verdict.outcome)
        sections.append(b.section("otherwise", "", b.facts(rows)))
        sections.append(unfit(_claims_about(matches, dossier)))
    return b.Document(
        "", headline, [section for section in sections if section is not None]
    )


def _otherwise_rows(
    otherwise: Sequence[tuple[str, Verdict]], now: Verdict
) -> list[tuple[str, str]]:
    """The verdict by the count for each other answer, compared with today's."""
    rows = []
    for to, verdict in otherwise:
        stays = "the same" if verdict == now else "it would be"
        rows.append((f"If {to}", f"{stays}: {OUTCOME_WORDS[verdict]}"))
    return rows


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
        ids = []
        titles = []
        for key, subject in subjects(framework):
            ids.append(key)
            titles.append(subject.title)
        fix = did_you_mean(name, [*ids, *titles])
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
        if any(names.intersection(path.split(".")) for path in claim.between)
    ]


def named_subjects(framework: Framework, name: str) -> list[tuple[str, Subject]]:
    """The things with this id or path of the case file first, then those with this title."""
    room, _, last = name.rpartition(".")
    wanted = last.casefold().replace("_", " ")
    by_id = []
    by_title = []
    for key, subject in subjects(framework):
        if room and subject.kind not in _ROOMS.get(room, ()):
            continue
        if key == last:
            by_id.append((key, subject))
        elif wanted in (key.replace("_", " "), subject.title.casefold()):
            by_title.append((key, subject))
    return [*by_id, *by_title]


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
    yield from _questions(framework)
    for target, words in TARGETS.items():
        yield target, Subject(words.name, "a target", _target_rows(words))
    for name, goal in framework.goals.items():
        yield name, Subject(goal.title, "a goal", _goal_rows(framework, goal))
    for name, approach in framework.approaches.items():
        rows = _approach_rows(framework, name, approach)
        yield name, Subject(approach.title, "an approach", rows)
    for name, option in framework.options.items():
        yield name, Subject(option.title, "an option", _option_rows(option))
    for rule, departure in framework.judgement.items():
        rows = _departure_rows(departure)
        yield rule, Subject(plain(rule), "a rule of the judgement", rows)
    for challenge in ALL:
        rows = [
            ("Says", challenge.rule.__doc__ or ""),
            ("Severity", challenge.severity),
        ]
        yield challenge.id, Subject(plain(challenge.id), "a challenge", rows)


def _questions(framework: Framework) -> Iterator[tuple[str, Subject]]:
    """What a framework asks about a case, by its id."""
    questions: dict[str, Mapping[str, Criterion]] = {
        "a reason for fine-tuning": framework.indicators,
        "a reason against fine-tuning": framework.anti_indicators,
        "a check of the ceiling test": framework.ceiling,
        "a sign of a ceiling": framework.signals,
    }
    for kind, criteria in questions.items():
        for name, criterion in criteria.items():
            rows = _asked(framework, criterion)
            yield name, Subject(criterion.title, kind, rows)


def _goal_rows(framework: Framework, goal: GoalRule) -> list[tuple[str, str]]:
    """What a goal needs, and the approach that serves it."""
    approach = framework.approaches[goal.approach]
    return [
        ("Need", goal.need),
        ("Approach", f"{approach.title} ({goal.approach})"),
        ("Source", goal.source),
    ]


def _departure_rows(departure: AnswerRule) -> list[tuple[str, str]]:
    """What a rule of the judgement says, with its source and the day that it was read."""
    dated = f", {day(departure.dated)}" if departure.dated else ""
    return [("Says", departure.says), ("Source", f"{departure.source}{dated}")]


def _target_rows(words: TargetKind) -> list[tuple[str, str]]:
    """When a target is met, and how to state and to measure it."""
    # the sentence has a place for the figure, which no case has stated here
    met = re.sub(r"\$?{}( s\b)?", "the limit", words.met)
    return [
        ("Met when", met),
        ("To state it", words.state),
        ("To measure it", words.measure),
    ]


def _approach_rows(
    framework: Framework, name: str, approach: ApproachRule
) -> list[tuple[str, str]]:
    """The goals that an approach serves, and what it takes."""
    serves = [goal.title for goal in framework.goals.values() if goal.approach == name]
    data = approach.data
    most = "or more" if data.high == "open" else f"to {count(data.high)}"
    need = f"{count(data.low)} {most} {plain(data.unit)}"
    return [
        ("Serves", listing(serves)),
        ("Data", need),
        ("Compute", approach.compute),
        *_figures(approach, approach.weeks),
    ]


def _option_rows(option: OptionRule) -> list[tuple[str, str]]:
    """When an option helps and when it doesn't, and what it takes."""
    kinds = [f"{plain(kind)}: {says}" for kind, says in option.kinds.items()]
    return [
        ("Helps when", option.helps_when),
        ("Not when", option.not_when),
        ("Parts", "; ".join(kinds)),
        *_figures(option, option.weeks, option.effort_hours),
        ("Source", option.source),
    ]


def _asked(framework: Framework, asked: Criterion) -> list[tuple[str, str]]:
    """A question of the framework with all that it says about it."""
    texts = [
        ("Asks", asked.ask),
        ("Yes means", getattr(asked, "means", "")),  # a check has no such text
        ("Why", asked.why),
        ("Example", asked.example),
        ("To get it", getattr(asked, "settle", "")),
    ]
    rows = [(label, framework.filled(text, asked)) for label, text in texts]
    if isinstance(asked, Factor):
        weight = str(asked.weight)
        if framework.scoring.weights != "counted":
            weight += " (shown only, as every reason counts once)"
        rows.append(("Weight", weight))
    if isinstance(asked, Check | Factor):
        rows.append(("To answer", f"about {several(asked.minutes, 'minute')}"))
    return rows


def _figures(
    rule: ApproachRule | OptionRule, weeks: Span | None, hours: Span | None = None
) -> Rows:
    """The usual effect on the targets, and the effort that it takes."""
    effects = []
    if rule.errors is not None:
        ends = f"{share(rule.errors.low)} to {share(rule.errors.high)}"
        likely = share(rule.errors.likely)
        effects.append(f"takes away {ends} of the errors, {likely} likely")
    for target, move in rule.moves.items():
        factors = f"×{number(move.low)} to ×{number(move.high)}"
        effects.append(f"{TARGETS[target].name} {factors}")
    yield "Usually", "; ".join(effects)
    takes = []
    if hours is not None:
        takes.append(f"{number(hours.low)} to {number(hours.high)} hours")
    if weeks is not None:
        takes.append(f"{number(weeks.low)} to {number(weeks.high)} weeks")
    takes.append(f"risk: {rule.risk}")
    yield "Takes", "; ".join(takes)


def _texts_here(dossier: Dossier, name: str, kind: str) -> list[str]:
    """Sentences of this case about the thing with this id; at least one."""
    texts: list[str] = []
    if kind == "a target":
        texts = [target.state for key, target in dossier.targets.items() if key == name]
    elif kind in ("a goal", "an approach"):
        texts = _goals_here(dossier, name)
    elif kind == "an option":
        texts = [
            f"{way.title}: {way.chance_word or way.state}. {way.because}"
            for way in dossier.ways
            if name in (way.id, way.option)
        ]
    elif kind == "a challenge":
        texts = [
            f"{claim.says} To settle: {claim.settle}"
            for claim in dossier.challenges
            if claim.id == name
        ]
    elif kind == "a rule of the judgement":
        if dossier.verdict.rule == name:
            texts = [dossier.verdict.because]
    else:
        texts = [_answer_here(dossier, name, kind)]
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
    for group in _question_groups(dossier, framework):
        if not group.criteria:
            continue
        questions = []
        states = []
        for key, criterion in group.criteria.items():
            result = group.results[key]
            path = f"{group.room}.{key}"
            questions.append(_field(path, criterion, result, framework, stated))
            states.append(result.state)
        says = f"{states.count('yes')} of {len(states)} yes"
        unknown = states.count("unknown")
        if unknown:
            says += f", {unknown} open"
        yield {
            "id": group.id,
            "title": group.title,
            "says": says,
            "questions": questions,
        }


def _question_groups(
    dossier: Dossier, framework: Framework
) -> tuple[_QuestionGroup, ...]:
    """The four kinds of questions, in the order in which a page shows them."""
    return (
        _QuestionGroup(
            "limit",
            "Has prompting been taken to its limit?",
            "ceiling",
            framework.ceiling,
            dossier.ceiling.checks,
        ),
        _QuestionGroup(
            "for",
            "Reasons for fine-tuning",
            "factors",
            framework.indicators,
            dossier.factors,
        ),
        _QuestionGroup(
            "against",
            "Reasons against it",
            "factors",
            framework.anti_indicators,
            dossier.factors,
        ),
        _QuestionGroup(
            "signs",
            "Signs that prompting has reached its limit",
            "signals",
            framework.signals,
            dossier.signals,
        ),
    )


def _field(
    path: str,
    criterion: Criterion,
    result: _Result,
    framework: Framework,
    stated: Mapping[str, State],
) -> dict[str, str]:
    """A question with the case file's answer, and the answer that counts where they differ."""
    reasons = (criterion.why, getattr(criterion, "means", ""))
    why = [sentence(framework.filled(text, criterion)) for text in reasons if text]
    answer = stated.get(path, "unknown")
    counts = ""
    if result.source != "stated" and result.state != answer:
        source = source_words(result.state, result.source)
        counts = f"counts as {result.state}, from {source}"
    return {
        "key": path,
        "title": result.title,
        "ask": result.ask,
        "why": " ".join(why),
        "example": framework.filled(criterion.example, criterion),
        "stated": answer,
        "counts": counts,
        "note": result.note,
    }


def titles(framework: Framework) -> dict[str, str]:
    """The title of every question, by the path of its answer in a case file."""
    rooms: dict[str, Mapping[str, Criterion]] = {
        "ceiling": framework.ceiling,
        "factors": framework.factors,
        "signals": framework.signals,
    }
    return {
        f"{room}.{key}": criterion.title
        for room, criteria in rooms.items()
        for key, criterion in criteria.items()
    }


def next_question(dossier: Dossier) -> dict[str, str] | None:
    """The open answer that removes most doubt for its time; None when none can change anything."""
    if not dossier.next_questions:
        return None
    first, *_ = dossier.next_questions
    minutes = f"{first.minutes} min to find out."
    worth = f"The most worthwhile for its time: {worth_text(first)}{minutes}"
    room = "ceiling" if first.factor in dossier.ceiling.checks else "factors"
    return {"key": f"{room}.{first.factor}", "ask": first.ask, "worth": worth}
