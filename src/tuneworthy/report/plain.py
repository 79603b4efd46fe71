"""The verdict for somebody who decides about money and knows no term of the trade."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.assessment import Severity, Source
from tuneworthy.domain.decision import GateId
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import State
from tuneworthy.domain.sections import CheckResult, FactorResult
from tuneworthy.report.layout import safe
from tuneworthy.report.verdicts import OUTCOME_WORDS, unsettled
from tuneworthy.report.words import few, listing, sentence, several

WHAT_IT_IS = (
    "Fine-tuning means training an AI model further on your own examples, so that it behaves as "
    "wanted without long instructions. This report says whether that is worth it here, how sure "
    "that is, what it would cost, and what could be done instead."
)

GATES: dict[GateId, str] = {
    "need": "Is it needed?",
    "strength": "Are the reasons strong?",
    "feasibility": "Can it be done?",
    "investment": "Does it pay?",
    "safety": "Is it safe?",
}

SEVERITIES: dict[Severity, tuple[str, str]] = {
    "contradiction": ("Contradiction", "two statements exclude each other"),
    "doubt": ("Doubt", "a statement lacks what would carry it"),
    "pushback": ("Hard to believe", "an expectation looks too good"),
}
"""What a challenge is called, and what that means."""

_BLOCKED: dict[GateId, str] = {
    "need": "it isn't needed",
    "strength": "they are weak",
    "feasibility": "it can't be done as things stand",
    "investment": "it doesn't pay as stated",
    "safety": "it isn't safe yet",
}

_NOT_NOW = {
    "keep_optimizing_prompts": "Don’t fine-tune yet. Keep working on the prompt.",
    "improve_rag_or_switch_model": (
        "Don’t fine-tune: the reasons for it are too few. Do what is simpler."
    ),
    "address_anti_indicators": "Don’t fine-tune yet. First clear what speaks against it.",
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("Prompt", "The instructions a model is given in words, with every call."),
    ("Fine-tuning", "Training a model further on examples of one's own."),
    (
        "Ceiling",
        "The point where better instructions no longer help. The ceiling test is a list of things "
        "to try before anybody may say that it is reached.",
    ),
    (
        "Retrieval",
        "Looking up fitting passages in one's own documents and giving them to the model together "
        "with the question. Also called RAG.",
    ),
    ("Few-shot examples", "A handful of worked examples inside the prompt."),
    ("Reason for, reason against", "An answer that makes fine-tuning more, or less, worth it."),
    (
        "Score and difference",
        "Two published ways to grade the balance of reasons: reasons for less reasons against, and "
        "the same divided by how many there are.",
    ),
    ("Gate", "A question that has to be settled before money is spent."),
    ("Pilot", "A small training on a part of the data, to see whether the whole is worth it."),
    ("Break-even", "The time until what was spent has come back."),
    (
        "Net present value",
        "What all later gains and costs come to, less what is spent at the start. Where a "
        "discount is stated, later money counts for less.",
    ),
    (
        "One in ten, half, nine in ten",
        "The money was worked out many times with the uncertain amounts drawn by chance. These "
        "are the results below which one in ten, half, and nine in ten of the draws lie.",
    ),
)
"""Words of the trade that a report can't do without."""

_OPEN = {"investment": "whether it pays", "strength": "how strong the case is"}
"""What is open about a candidate that isn't justified yet."""


def plain_headline(dossier: Dossier) -> str:
    """The verdict in one sentence or two, without the case's name."""
    verdict = dossier.verdict
    if dossier.quick is not None:
        return (
            "Don’t fine-tune: the short form rules it out."
            if dossier.quick.ruled_out
            else "Perhaps: worth the full look."
        )
    if verdict.outcome == "undecided":
        many = len(dossier.next_questions) or open_answers(dossier)
        return f"It can’t be decided yet: it depends on {several(many, 'open answer')}."
    if verdict.outcome != "fine_tune_candidate":
        return _NOT_NOW[verdict.outcome]
    if verdict.action == "keep_prompting":
        return "Don’t fine-tune: the present approach already does what is asked."
    if verdict.action == "explore_alternatives":
        reasons = [_BLOCKED[gate.id] for gate in verdict.gates if gate.state == "no"]
        return (
            f"The reasons speak for fine-tuning, but {listing(reasons)}. "
            "Compare the alternatives first."
        )
    missing = unsettled(verdict.gates, dossier.strength.low)
    if verdict.action == "clear_gates":
        first = "The reasons speak for fine-tuning" if missing else "Fine-tuning is justified"
        return f"{first}, but not before its safety is settled."
    if missing:
        open_ones = " and ".join(_OPEN[name] for name in missing)
        return f"The reasons speak for fine-tuning. Start with a pilot: {open_ones} is open."
    go_on = "Go ahead." if verdict.action == "proceed" else "Start with a pilot."
    return f"Fine-tuning is justified. {go_on}"


def open_answers(dossier: Dossier) -> int:
    """How many checks and reasons nobody has answered."""
    return sum(answer.state == "unknown" for answer in _asked(dossier))


def _asked(dossier: Dossier) -> list[FactorResult | CheckResult]:
    return [*dossier.factors.values(), *dossier.ceiling.checks.values()]


def plain_finality(dossier: Dossier) -> str:
    """Whether an answer that is still missing could move the verdict."""
    verdict = dossier.verdict
    if not verdict.final:
        if open_answers(dossier) == len(_asked(dossier)):
            return "Not final: nothing is answered yet."
        return f"Not final. So far it leans to: {OUTCOME_WORDS[verdict.leaning]}."
    if open_answers(dossier):
        return "Final: the answers that are still missing can’t change it."
    return "Final: every question is answered."


def because(dossier: Dossier) -> list[str]:
    """Why, in a sentence about the ceiling and one about the reasons."""
    return [text for text in (_ceiling(dossier), _reasons(dossier)) if text]


def _ceiling(dossier: Dossier) -> str:
    checks = list(dossier.ceiling.checks.values())
    if not checks:
        return ""
    if dossier.ceiling.reached == "yes":
        done = "both" if len(checks) == 2 else f"all {few(len(checks))}"
        said = "its check is" if len(checks) == 1 else f"{done} checks are"
        return f"By the answers given, better instructions no longer help: {said} done."
    lacking = [safe(check.title) for check in checks if check.state == "no"]
    still_open = [safe(check.title) for check in checks if check.state == "unknown"]
    parts = [
        f"{listing(names)} {'is' if len(names) == 1 else 'are'} {what}"
        for names, what in ((lacking, "not done"), (still_open, "not answered"))
        if names
    ]
    begin = (
        "Better instructions may still help"
        if dossier.ceiling.reached == "no"
        else "Whether better instructions would still help isn’t known"
    )
    return sentence(f"{begin}: {', and '.join(parts)}")


def _reasons(dossier: Dossier) -> str:
    parts = [
        part
        for kind, what in (
            ("indicator", "for fine-tuning"),
            ("anti_indicator", "against it"),
        )
        if (part := _held(dossier, kind, what))
    ]
    return sentence(" ".join(parts)) if parts else ""


def _held(dossier: Dossier, kind: str, what: str) -> str:
    factors = [factor for factor in dossier.factors.values() if factor.kind == kind]
    if not factors:
        return ""
    held = [safe(factor.title) for factor in factors if factor.state == "yes"]
    still_open = sum(factor.state == "unknown" for factor in factors)
    total = several(len(factors), "reason")
    begin = f"{few(len(held)) if held else 'none'} of {total} {what}"
    one = len(held) < 2
    known = "is known to hold" if one else "are known to hold"
    said = f"{begin} {known if still_open else 'holds' if one else 'hold'}"
    if held:
        said += f": {listing(held)}"
    if still_open:
        said += f"; {few(still_open)} {'is' if still_open == 1 else 'are'} not answered"
    return sentence(said)


def source_words(state: State, source: Source) -> str:
    """Where an answer comes from."""
    if source == "measured":
        return "data"
    if state == "unknown":
        return "nobody yet"
    return "the team" if source == "stated" else "numbers the team gave"


def rests_on(dossier: Dossier) -> str:
    """How many of the answers are said, counted or inferred."""
    answers = _asked(dossier)
    known = [answer.source for answer in answers if answer.state != "unknown"]
    stated, measured, inferred = (known.count(s) for s in ("stated", "measured", "assumed"))
    parts = [
        f"{few(number)} {'is' if number == 1 else 'are'} {what}"
        for number, what in (
            (stated, "the team’s word"),
            (measured, "counted from data"),
            (inferred, "worked out from numbers the team gave"),
            (len(answers) - len(known), "missing"),
        )
        if number
    ]
    said = f"of {several(len(answers), 'answer')} {listing(parts)}"
    return sentence(said if measured or not known else f"{said}; none has been measured")


def possible(dossier: Dossier) -> str:
    """The outcomes that are still possible."""
    still = [OUTCOME_WORDS[o] for o, share in dossier.distribution.items() if share > 0]
    return listing(still, "or")


def tally(severities: Sequence[Severity]) -> str:
    """How many challenges of each kind, the heaviest first; empty for none."""
    nouns = {
        "contradiction": "contradiction",
        "doubt": "doubt",
        "pushback": "expectation that looks too good",
    }
    found = []
    for severity, noun in nouns.items():
        many = sum(one == severity for one in severities)
        if severity == "pushback" and many > 1:
            found.append(f"{few(many)} expectations that look too good")
        elif many:
            found.append(several(many, noun))
    return listing(found)
