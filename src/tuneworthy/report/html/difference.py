"""What changed between two dossiers, for a page."""

from __future__ import annotations

from tuneworthy.domain.difference import Difference
from tuneworthy.report.html.blocks import Block, Bullets, Column, Part, Prose, Section, Table
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import listing, plain, sentence

_MOST_SETS = 3


def difference(found: Difference) -> Section:
    """The whole of it: verdict, why it moved, answers, doubts."""
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
    blocks.append(Prose(_why(found)))
    if found.answers:
        rows = tuple((one.title, one.before, one.after) for one in found.answers)
        head = (Column("Answer"), Column("Before"), Column("Now"))
        blocks.append(Table("Answers that changed", head, rows))
    blocks += [
        Part(title, (Bullets(said),))
        for title, said in (("New doubts", found.appeared), ("Settled", found.settled))
        if said
    ]
    return Section("difference", "What changed", tuple(blocks))


def _why(found: Difference) -> str:
    if found.moved_by == "nothing":
        return "Nothing moved the verdict." if found.answers else "No answer changed."
    if found.moved_by == "framework":
        return "The framework changed, and that moved it: not the answers alone."
    if isinstance(found.moved_by, str):
        return "Which of the changes moved it isn’t known."
    titles = {one.id: f"{one.title} {one.before} → {one.after}" for one in found.answers}
    sets = [listing([titles[name] for name in names]) for names in found.moved_by[:_MOST_SETS]]
    return sentence(f"moved by {'; or by '.join(sets)}")
