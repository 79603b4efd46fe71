"""Sentences that several sections share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import comb, prod

from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.dossier import (
    BandRange,
    ChallengeResult,
    CheckResult,
    Dossier,
    Duration,
    FactorResult,
    FlipResult,
    GateId,
    InvestmentResult,
    Number,
    Severity,
    Source,
)
from tuneworthy.model.framework import Band
from tuneworthy.report.sections.amounts import assumed_text, drawn_text
from tuneworthy.report.text import Paint, safe, wrapped
from tuneworthy.verdict.headline import OUTCOME_WORDS, unsettled
from tuneworthy.words import (
    count,
    few,
    listing,
    months,
    months_range,
    number,
    sentence,
    several,
    share,
    usd,
)

# Sentences that several sections share.


def headline(dossier: Dossier) -> str:
    """The case and its verdict in one sentence, safe for a line of a terminal."""
    return f"{safe(dossier.case.name)}: {safe(dossier.verdict.summary)}"


def finality(dossier: Dossier) -> str:
    """Whether the verdict can still move."""
    asked = [one.state for one in dossier.factors.values()]
    asked += [one.state for one in dossier.ceiling.checks.values()]
    open_answers = asked.count("unknown")
    if not dossier.verdict.final:
        if open_answers == len(asked):
            return "Not final: nothing is answered yet."
        return f"Not final; leaning to {OUTCOME_WORDS[dossier.verdict.leaning]}."
    return "Final: no open answer changes it." if open_answers else "Final: every answer is in."


def ceiling_text(dossier: Dossier) -> str:
    """Whether the ceiling is reached, with the checks that lack."""
    checks = dossier.ceiling.checks
    if not checks:
        return "not asked by this framework"
    done = sum(check.state == "yes" for check in checks.values())
    reached = {"yes": "reached", "no": "not reached", "unknown": "unknown"}[dossier.ceiling.reached]
    said = f"{reached}, {done} of {len(checks)} checks"
    lacking = [safe(c.title) for c in checks.values() if c.state == "no"]
    still_open = [safe(c.title) for c in checks.values() if c.state == "unknown"]
    if lacking:
        said += f"; not done: {listing(lacking)}"
    if still_open:
        said += f"; open: {listing(still_open)}"
    return said


def _factors(dossier: Dossier, kind: str) -> str:
    """How many hold, which, and which are open."""
    factors = [f for f in dossier.factors.values() if f.kind == kind]
    held = [f for f in factors if f.state == "yes"]
    still_open = [safe(f.title) for f in factors if f.state == "unknown"]
    said = f"{len(held)} of {len(factors)}"
    if held:
        said += f"  {_titles(held)}"
    return f"{said}; open: {listing(still_open)}" if still_open else said


def _titles(factors: Iterable[FactorResult]) -> str:
    return listing([safe(f.title) + ("*" if f.source == "assumed" else "") for f in factors])


def strength_text(dossier: Dossier) -> str:
    """Both bands with their values."""
    score, difference = dossier.rules.score, dossier.rules.difference
    return (
        f"{_band(score.band)} (score {_value(score.value)}), "
        f"{_band(difference.band)} (difference {_value(difference.value)})"
    )


def _band(band: Band | BandRange) -> str:
    return f"{band.low} to {band.high}" if isinstance(band, BandRange) else band


def _value(value: float | Range) -> str:
    if isinstance(value, Range):
        return f"{number(value.low)} to {number(float(value.high))}"
    return number(value)


def duration(value: Duration) -> str:
    """Months in words; ``unknown`` where nothing is known."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Range):
        return months_range(value.low, float("inf") if value.high == "open" else value.high)
    return value if isinstance(value, str) else months(value)


def pays_back(dossier: Dossier) -> tuple[str, str]:
    """Break-even as stated; and by the framework's own table and by the draws, where they say."""
    money = dossier.investment
    if not isinstance(money, InvestmentResult):
        return f"unknown: {safe(money.ask)}", ""
    months = money.break_even_months.point
    if isinstance(months, Unknown):
        return f"unknown: {safe(months.ask)}", ""
    point, beside = duration(months), drawn_text(money)
    table_says = money.by_table.break_even_months
    if money.assumed:
        stated = f"{point} ({assumed_text(money)})"
    elif point == table_says == "never":
        stated = "never, as stated and with the running costs of the framework's own table"
    else:
        stated = f"{point} as stated"
        if not isinstance(table_says, Unknown):
            table = f"{duration(table_says)} with the running costs of the framework's own table"
            beside = f"; {table}{beside}"
    return stated, beside.removeprefix("; ")


def pays_back_text(dossier: Dossier) -> str:
    """Break-even as stated, by the framework's own table and by the draws."""
    return "; ".join(text for text in pays_back(dossier) if text)


def possible_text(dossier: Dossier) -> str:
    """Outcomes still possible with their shares at even odds."""
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    said = [f"{OUTCOME_WORDS[o]} {share(s)}" for o, s in shares if s > 0]
    return f"{listing(said)} of the ways to answer what is open (a count, not a forecast)"


def text_challenge_lines(found: Sequence[ChallengeResult], paint: Paint) -> list[str]:
    """Challenges, numbered, each with what settles it; [] for none."""
    if not found:
        return []
    lines = [paint("strong", "What doesn't fit together")]
    for position, one in enumerate(found, start=1):
        lines += wrapped(safe(one.says), first=f"  [{position}] ")
        settle = wrapped(f"To settle: {safe(one.settle)}", first="      ")
        lines += [paint("dim", line) for line in settle]
    return lines


# The verdict for somebody who decides about money and knows no term of the trade.

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


# Sets of answers that change a verdict, said together where they are alike.

_MOST = 4

_GROUPS = {"check": "checks", "indicator": "reasons for", "anti_indicator": "reasons against"}


def flip_lines(dossier: Dossier) -> list[tuple[str, str]]:
    """What to change, and the verdict that follows.

    Returns:
        A pair for each way to change the verdict; empty when no set of answers was found.
    """
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[FlipResult]] = {}
    for flip in dossier.flips:
        signs = tuple(sorted((_kind(change.factor, dossier), change.to) for change in flip.changes))
        alike.setdefault((flip.outcome, signs), []).append(flip)
    lines = []
    for (outcome, _), sets in alike.items():
        lines += [(text, OUTCOME_WORDS[outcome]) for text in _said(sets, dossier)]
    return lines


def _all(dossier: Dossier) -> list[str]:
    return [*dossier.ceiling.checks, *dossier.factors]


def _kind(name: str, dossier: Dossier) -> str:
    return dossier.factors[name].kind if name in dossier.factors else "check"


def title(name: str, dossier: Dossier) -> str:
    """What a factor or check is called."""
    found = dossier.factors.get(name) or dossier.ceiling.checks.get(name)
    return found.title if found else name


def _said(sets: Sequence[FlipResult], dossier: Dossier) -> list[str]:
    pools: dict[tuple[str, str], dict[str, None]] = {}
    for flip in sets:
        for change in flip.changes:
            pools.setdefault((_kind(change.factor, dossier), change.to), {})[change.factor] = None
    taken = {
        key: sum((_kind(c.factor, dossier), c.to) == key for c in sets[0].changes) for key in pools
    }
    if len(sets) > 1 and len(sets) == prod(comb(len(pools[key]), taken[key]) for key in pools):
        parts = [_any(pool, taken[key], key, dossier) for key, pool in pools.items()]
        return [" and ".join(parts)]
    said = [
        listing([f"{title(c.factor, dossier)} → {c.to}" for c in flip.changes])
        for flip in sets[:_MOST]
    ]
    if len(sets) > _MOST:
        said.append(f"and {few(len(sets) - _MOST)} more sets of {few(len(sets[0].changes))}")
    return said


def _any(pool: Mapping[str, None], many: int, key: tuple[str, str], dossier: Dossier) -> str:
    """``any one of the four reasons for → no``, or the names where they are not the whole group."""
    kind, to = key
    names = [title(name, dossier) for name in pool]
    if many == len(pool):
        whole = len(pool) > 3 and len(pool) == sum(_kind(n, dossier) == kind for n in _all(dossier))
        return f"{f'all {few(many)} {_GROUPS[kind]}' if whole else listing(names)} → {to}"
    if len(names) <= 3:
        return f"{'any ' + few(many) + ' of ' if many > 1 else ''}{listing(names, 'or')} → {to}"
    return f"any {few(many)} of {few(len(names))} {_GROUPS[kind]} → {to}"


# Values of a dossier as the words of a cell.

NOT_KNOWN = "not known"


def ranged(value: Number, words: Callable[[float], str], unit: str = "") -> str:
    """A number, its ends, or that it isn't known.

    Args:
        value: What to say.
        words: Makes a number readable.
        unit: What stands behind it, with its blank.
    """
    if isinstance(value, Unknown):
        return NOT_KNOWN
    if not isinstance(value, Range):
        return words(value) + unit
    low = words(value.low)
    if value.high == "open":
        return f"{low}{unit} or more"
    high = words(value.high)
    return low + unit if low == high else f"{low} to {high}{unit}"


def money(value: Number) -> str:
    """USD."""
    return ranged(value, usd)


def monthly(value: Number, gained: str, lost: str) -> tuple[str, str]:
    """A monthly result with its label: what is gained, or, where it can only be a loss, lost."""
    high = value.high if isinstance(value, Range) else value
    if isinstance(value, Unknown) or isinstance(high, str | Unknown) or high >= 0:
        return gained, money(value)
    if isinstance(value, Range):
        return lost, money(Range(low=-high, high=-value.low))
    return lost, usd(-value)


def hours(value: Number) -> str:
    """Hours of work."""
    return ranged(value, count, " h")


def weeks(value: Number) -> str:
    """Weeks, without the word."""
    return ranged(value, lambda v: f"{v:.1f}".removesuffix(".0"))


def seconds(value: Number) -> str:
    """Seconds."""
    return ranged(value, number, " s")


def quality_cell(value: Number) -> str:
    """A share of cases."""
    return ranged(value, share)


def day(value: date) -> str:
    """A day as people write it, the same in every language's order."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def asks(*values: Number) -> str:
    """What would settle those that aren't known, each once; empty when all are known."""
    found = dict.fromkeys(value.ask for value in values if isinstance(value, Unknown))
    return "; ".join(found)
