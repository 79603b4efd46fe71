"""The lines that somebody signs, and whether a signed answer still holds."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tuneworthy.model.case import Signature
from tuneworthy.model.dossier import ChallengeResult, Dossier
from tuneworthy.report import blocks as b
from tuneworthy.report.sections import memo
from tuneworthy.report.sections.common import headline, split_headline
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import capital, counted, day, listing, several

_SHOWN_OF_DIGEST = 12  #: Characters; all of it stands in the case file.


class Signed(NamedTuple):
    """The state of a signature today."""

    state: Literal["holds", "differs", "due"]
    says: str


def contradictions(dossier: Dossier) -> list[ChallengeResult]:
    """The open contradictions, which a person has to see before signing."""
    return [each for each in dossier.challenges if each.severity == "contradiction"]


def ask_signed(dossier: Dossier) -> str:
    """The ask in its signed form: amount and hours, without a day, as days change."""
    return memo.cost(dossier).value.rstrip(",")


def stop_rule_signed(dossier: Dossier) -> str:
    """The next decision, and the result that would stop it; empty without a plan."""
    fact = memo.next_decision(dossier)
    return "" if fact is None else f"{fact.label}: {fact.value}"


def sheet(dossier: Dossier, case_digest: str) -> b.Facts:
    """All lines that a signature covers."""
    many = len(contradictions(dossier))
    digest = f"SHA-256 {case_digest[:_SHOWN_OF_DIGEST]}…"
    rows = [
        ("Answer", headline(dossier)),
        ("Ask", ask_signed(dossier), capital(memo.cost(dossier).beside)),
        ("Stop rule", stop_rule_signed(dossier) or "none: there is no plan"),
        ("Open contradictions", several(many, "contradiction") if many else "none"),
        ("As of", day(dossier.as_of)),
        ("Case file", f"{digest}, kept whole beside the signature"),
    ]
    return b.facts(rows)


def sign_sheet(dossier: Dossier, by: str, case_digest: str) -> Signature:
    """The signature of a sheet for the case file.

    The answer has to be one that can be signed; ``open`` can't.
    """
    answer = dossier.verdict.answer
    assert answer != "open"
    return Signature(
        by=by,
        on=dossier.as_of,
        answer=answer,
        ask=ask_signed(dossier),
        stop_rule=stop_rule_signed(dossier),
        contradictions=len(contradictions(dossier)),
        case_digest=case_digest,
    )


def hold_signature(dossier: Dossier) -> Signed | None:
    """Compare the signed answer with today's; None where nothing was signed."""
    decision = dossier.decision
    if decision is None or decision.signed is None:
        return None
    signed = decision.signed
    answer = capital(ANSWER_WORDS[signed.answer])
    who = f"{answer}, signed by {signed.by} on {day(signed.on)}"
    differs = _differences(dossier, signed)
    if differs:
        return Signed("differs", f"{who}. Today {listing(differs)}.")
    if decision.review_on is None:
        return Signed("holds", f"{who}. It holds.")
    review = day(decision.review_on)
    if decision.review_on <= dossier.as_of:
        return Signed("due", f"{who}. It holds, and its review was due on {review}.")
    return Signed("holds", f"{who}. It holds. Its review is on {review}.")


def _differences(dossier: Dossier, signed: Signature) -> list[str]:
    """Name the differences between the signed answer and today's; [] for none."""
    differs = []
    if dossier.verdict.answer != signed.answer:
        answer = split_headline(dossier).answer.removesuffix(".")
        differs.append(f"the answer is “{answer}”")
    if signed.ask and signed.ask != ask_signed(dossier):
        differs.append("the ask is another one")
    many = len(contradictions(dossier))
    # a signature by hand has no digest, and didn't count contradictions
    if signed.case_digest and many > signed.contradictions:
        differs.append(
            f"{counted(many, 'contradiction')} are open, not {signed.contradictions}"
        )
    return differs
