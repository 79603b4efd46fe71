"""What changed between two dossiers, for a page."""

from __future__ import annotations

from tuneworthy.domain.difference import Difference
from tuneworthy.report.changes import section_words
from tuneworthy.report.difference import gates_text, unchanged
from tuneworthy.report.html.blocks import Block, Bullets, Column, Part, Prose, Section, Table
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import listing, plain, sentence

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
    blocks += [Prose(said) for said in _why(found)]
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


def _why(found: Difference) -> list[str]:
    """Why verdict and action moved, a sentence each; none for what stayed."""
    if unchanged(found):
        return ["No answer changed, nor anything else that the dossiers show."]
    said = [_verdict_why(found)] if found.moved_by != "nothing" or found.framework_changed else []
    if found.action_moved_by == "unknown":
        said.append("Which of the changes moved what to do isn’t known.")
    sets = gates_text(found)
    return [*said, sentence(f"what to do moved by {'; or by '.join(sets)}")] if sets else said


def _verdict_why(found: Difference) -> str:
    if found.moved_by == "nothing":
        return "The framework changed, and the verdict stays."
    if found.moved_by == "framework":
        return "The framework changed, and that moved it: not the answers alone."
    if isinstance(found.moved_by, str):
        return "Which of the changes moved it isn’t known."
    titles = {one.id: f"{one.title} {one.before} → {one.after}" for one in found.answers}
    sets = [listing([titles[name] for name in names]) for names in found.moved_by[:_MOST_SETS]]
    return sentence(f"moved by {'; or by '.join(sets)}")
