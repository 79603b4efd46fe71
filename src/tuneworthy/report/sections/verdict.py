"""The verdict: key facts, reasons, certainty, turning facts, challenges; and the first screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import (
    ChallengeResult,
    Dossier,
    FactorResult,
    Severity,
    SignalResult,
)
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import (
    NOTHING_TURNS,
    byline,
    ceiling_text,
    confirm_text,
    count_text,
    flip_lines,
    gates,
    grounds_text,
    headline,
    no_flip,
    nothing_answered,
    strength_text,
    tally,
    title,
    turn_text,
    unconfirmed_text,
    value_text,
)
from tuneworthy.report.sections.plan import ask_text
from tuneworthy.report.sections.ways import first_table
from tuneworthy.verdict.headline import ANSWER_WORDS, OUTCOME_WORDS
from tuneworthy.words import (
    capital,
    counted,
    cut,
    few,
    listing,
    plain,
    sentence,
    usd,
)

FIT = "What doesn’t fit together"
_LOOKS: dict[str, b.Look] = {"pilot": "good", "yes": "good", "open": "warn"}


def reasons(dossier: Dossier) -> b.Facts:
    """The answered reasons, each with the team's note if there is one, and the number still open."""
    factors = dossier.factors.values()
    groups: dict[str, Sequence[FactorResult | SignalResult]] = {
        "For it": [factor for factor in factors if factor.kind == "indicator"],
        "Against it": [factor for factor in factors if factor.kind == "anti_indicator"],
        "Signs of a ceiling": list(dossier.signals.values()),
    }
    rows = [("Prompting’s ceiling", sentence(ceiling_text(dossier)))]
    for label, group in groups.items():
        noted = [
            f"{reason.title} ({reason.note})" if reason.note else reason.title
            for reason in group
            if reason.state == "yes"
        ]
        text = listing(noted) or "nothing"
        unanswered = [reason for reason in group if reason.state == "unknown"]
        if unanswered:
            text += f"; {few(len(unanswered))} open"
        rows.append((label, sentence(text)))
    return b.facts(rows)


def why(dossier: Dossier) -> b.Section:
    """The reasons, the caveats, and the conditions that have to be settled first."""
    parts: list[b.Parts] = [reasons(dossier)]
    confirm = confirm_text(dossier)
    if confirm:
        parts.append(b.facts([("Signs that are only stated", sentence(confirm))]))
    caveats = keep_in_mind(dossier)
    if caveats:
        parts.append(b.part("Keep in mind", b.bullets(caveats)))
    # no other answer leads to going live
    if dossier.verdict.answer in (
        "pilot",
        "yes",
    ):
        parts.append(gates(dossier))
    return b.section("why", "Why", parts)


def checklist(dossier: Dossier, *, folded: bool = False) -> b.Section:
    """The lesson's count and its strength; a report folds it, which keeps it off the paper."""
    rows = [("Count", count_text(dossier)), ("Strength", strength_text(dossier))]
    title = f"The {plain(dossier.framework.name)}’s checklist"
    facts = b.facts(rows)
    return b.section(
        "checklist", title, b.fold("Show the count", facts) if folded else facts
    )


def keep_in_mind(dossier: Dossier) -> list[str]:
    """The caveats beside the verdict, a sentence each."""
    return [sentence(item.says) for item in dossier.verdict.caveats]


def change(dossier: Dossier, questions: int | None = None) -> b.Section:
    """The smallest changes that turn the verdict, and at most ``questions`` open questions."""
    parts: list[b.Parts] = [turns_table(dossier) or NOTHING_TURNS]
    names = [title(name, dossier) for name in dossier.verdict.basis.turning]
    if names:
        parts.append(f"One of these alone would change the answer: {listing(names)}.")
    flips = flip_lines(dossier)
    if flips:
        rows = [(capital(flip.change), sentence(flip.outcome)) for flip in flips]
        caption = "The fewest answers that would turn the count"
        parts.append(b.table(caption, "If | The count is", rows))
    else:
        parts.append(no_flip(dossier))
    if dossier.next_questions:
        parts.append(_questions(dossier, questions))
    return b.section("change", "What would change it", parts)


def turns_table(dossier: Dossier) -> b.Table | None:
    """Single changes that turn the answer; None for none."""
    if not dossier.verdict.turns:
        return None
    rows = [
        (capital(turn_text(turn)), capital(ANSWER_WORDS[turn.answer]))
        for turn in dossier.verdict.turns
    ]
    return b.table("What turns the answer by itself", "If | The answer is", rows)


def _questions(dossier: Dossier, most: int | None) -> b.Part:
    """The open questions, with their worth where any is known."""
    questions = dossier.next_questions[:most]
    worths = [
        0.0 if isinstance(q.worth_usd, Unknown) else q.worth_usd for q in questions
    ]
    has_worth = any(worth > 0 for worth in worths)
    rows: list[list[str | b.Cell]] = []
    for question, worth in zip(questions, worths, strict=True):
        asked = b.Cell(question.ask, title(question.factor, dossier))
        minutes = f"{question.minutes} min"
        rows.append([asked, usd(worth), minutes] if has_worth else [asked, minutes])
    titles = "Question | #Worth up to | #Takes" if has_worth else "Question | #Takes"
    left_out = len(dossier.next_questions) - len(questions)
    return b.part(
        "What to find out next, the most worthwhile first",
        b.table("Open questions, the most worthwhile first", titles, rows, quiet=True),
        f"And {few(left_out)} more." if left_out else "",
    )


def fit(dossier: Dossier) -> b.Section:
    """The section of challenges, the most severe first."""
    claims = by_severity(dossier)
    if not claims:
        return b.section("fit", FIT, "Nothing was found.")
    return b.section("fit", FIT, sentence(tally(claims)), b.Claims(tuple(claims)))


def by_severity(dossier: Dossier) -> list[ChallengeResult]:
    """The challenges, the most severe first."""
    ranks = list(b.SEVERITIES)
    return sorted(dossier.challenges, key=lambda claim: ranks.index(claim.severity))


def short(dossier: Dossier, case_path: str = "", *, objections: int = 2) -> b.Document:
    """The first screen: the answer, the next step, ways against targets, and the grounds.

    It shows ``objections`` challenges and counts the others.
    """
    where = argument(case_path) if case_path else "CASE"
    grounds = [
        *_grounds(dossier, where),
        *_clashes(dossier, where, objections),
        checklist_line(dossier),
    ]
    name = cut(dossier.case.name, _LONGEST_NAME)
    topics = "options | money | plan | why"
    return b.Document(
        "",
        headline(dossier),
        [
            b.section("ways", "", first_table(dossier)),
            b.section("grounds", "", b.bullets(grounds, mark="")),
        ],
        after=(
            f"{name}: {byline(dossier)}",
            f"More: tuneworthy show {where} {topics}",
        ),
        look=_LOOKS.get(dossier.verdict.answer, "strong"),
        word=capital(ANSWER_WORDS[dossier.verdict.answer]),
        lead=dossier.verdict.now.replace("CASE", where),
        badge=badge(dossier),
    )


_LONGEST_NAME = 60  # characters


def badge(dossier: Dossier) -> str:
    """The number of contradictions in words; empty for none."""
    many = [claim.severity for claim in dossier.challenges].count("contradiction")
    return counted(many, "contradiction") if many else ""


def _grounds(dossier: Dossier, where: str) -> Iterator[str]:
    """Lines with the grounds of the answer, the facts that turn it, the ask, and the next question."""
    yield f"{grounds_text(dossier)} {turns_sentence(dossier)}"
    if not isinstance(dossier.ask, Unknown):
        ask = dossier.ask
        yield f"Ask now, up to “{ask.until}”: {ask_text(ask)}."
    if dossier.next_questions and _asks_on(dossier):
        first, *_ = dossier.next_questions
        command = f"tuneworthy answer {where} {first.factor}=yes (or no)"
        yield f"Answer next: {first.ask} {command}"
    if dossier.pilot is not None:
        # imported here, because other cases don't need the words of labs
        from tuneworthy.report.sections.lab_pilot import card_text

        yield f"Pilot: {card_text(dossier.pilot)}"
    unconfirmed = unconfirmed_text(dossier)
    if unconfirmed:
        how_many, _, _ = unconfirmed.partition(":")  # the answers follow the colon
        command = f"tuneworthy answer {where} --confirm"
        yield f"! {sentence(how_many)} Confirm: {command}"


def _asks_on(dossier: Dossier) -> bool:
    """Whether the next question of the checklist deserves a line beside the next step."""
    verdict = dossier.verdict
    if verdict.rule == "no_target":
        return not verdict.final
    return nothing_answered(dossier) and verdict.answer not in ("no", "yes")


def turns_sentence(dossier: Dossier) -> str:
    """Say in a sentence which facts would turn the answer."""
    turns = [turn_text(turn) for turn in dossier.verdict.turns[:_FIRST_TURNS]]
    if not turns:
        return NOTHING_TURNS
    return f"It turns if {listing(turns, 'or if')}."


_FIRST_TURNS = 2  #: Facts that turn the answer, in the sentence about them.


def _clashes(dossier: Dossier, where: str, most: int) -> Iterator[str]:
    """The most severe challenges, and where to settle them."""
    claims = by_severity(dossier)
    if not claims:
        return
    for claim in claims[:most]:
        yield f"{_MARKS[claim.severity]} {say_in_short(claim.says)}"
    rest = claims[most:]
    if rest:
        heaviest, *_ = rest
        what = "more" if most else "objections"
        more = f"{capital(few(len(rest)))} {what}, and what settles them"
    else:
        heaviest, *_ = claims
        more = "What settles it"
    yield f"{_MARKS[heaviest.severity]} {more}: tuneworthy show {where} why"


_MARKS: Mapping[Severity, str] = {"contradiction": "!", "doubt": "?", "pushback": "?"}
"""The sign before the line of a challenge. A contradiction has its own."""


_LONGEST_CLASH = 180  # characters


def say_in_short(text: str) -> str:
    """The first sentences or clauses of a statement, as many as fit in a line or two."""
    if len(text) <= _LONGEST_CLASH:
        return text
    for end in (". ", "; "):  # whole sentences if any fits, else clauses
        parts = text.split(end)
        while len(parts) > 1:
            parts.pop()
            short = end.join(parts)
            if len(short) <= _LONGEST_CLASH:
                return f"{short}."
    return cut(text, _LONGEST_CLASH)


def checklist_line(dossier: Dossier) -> str:
    """The lesson's checklist in one line."""
    counts = dossier.counts
    kinds = [factor.kind for factor in dossier.factors.values()]
    reasons_for = f"{counts.indicators} of {kinds.count('indicator')} for"
    against = f"{counts.anti_indicators} of {kinds.count('anti_indicator')} against"
    score = value_text(dossier.rules.score.value)
    outcome = OUTCOME_WORDS[dossier.verdict.outcome]
    name = plain(dossier.framework.name)
    return (
        f"The {name}’s checklist: {reasons_for}, {against}, score {score}: {outcome}."
    )
