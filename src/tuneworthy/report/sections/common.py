"""Sentences and cells of several sections. The words of each fact are here once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import comb, inf, isinf, prod

from tuneworthy.answers.facts import TARGETS, ends
from tuneworthy.model.base import Number, Range, State, Unknown
from tuneworthy.model.case import defaults_sentence
from tuneworthy.model.dossier import (
    ChallengeResult,
    CheckResult,
    Dossier,
    Duration,
    FactorResult,
    FlipResult,
    Source,
    Turn,
)
from tuneworthy.report import blocks as b
from tuneworthy.report.charts import Drawing, looks
from tuneworthy.report.named import named
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import (
    ANSWER_WORDS,
    BY_AN_ASSISTANT,
    OUTCOME_WORDS,
    band_text,
    grounds,
    rests_on,
)
from tuneworthy.words import (
    amount,
    day,
    few,
    listing,
    months,
    months_range,
    number,
    plain,
    sentence,
    several,
    usd,
)

WHAT_TUNING_IS = "Fine-tuning trains a model further on your own examples."

GATES = named("gates")
"""The names of the gates: each has to be settled before money is spent."""


def headline(dossier: Dossier) -> str:
    """The verdict in one to three sentences, the same on every surface."""
    return dossier.verdict.headline


def split_headline(dossier: Dossier) -> tuple[str, str]:
    """The answer with its condition, such as ``Pilot it.``, and the clause that follows it."""
    says = headline(dossier)
    because = dossier.verdict.because
    if not because or not says.endswith(f" {because}"):
        return says, ""
    return says.removesuffix(f" {because}"), because


def about(
    dossier: Dossier,
    *sections: b.Section | None,
    says: str = "",
    beside: str = "",
    after: Iterable[str] = (),
) -> b.Document:
    """A document about a case with the sections that aren't None; ``says`` replaces the verdict."""
    return b.Document(
        dossier.case.name,
        says or headline(dossier),
        [section for section in sections if section is not None],
        byline=[f"{byline(dossier)} {beside}".rstrip()],
        after=tuple(after),
    )


def title_line(dossier: Dossier) -> str:
    """The case and its verdict, safe for a line of a terminal."""
    return f"{safe(dossier.case.name)}: {headline(dossier)}"


def byline(dossier: Dossier) -> str:
    by = f"By the framework “{plain(dossier.framework.name)}”, as of {day(dossier.as_of)}."
    return f"{by} {defaults_sentence(dossier.defaults)}".rstrip()


def asked_of(dossier: Dossier) -> list[FactorResult | CheckResult]:
    return [*dossier.factors.values(), *dossier.ceiling.checks.values()]


def open_answers(dossier: Dossier) -> int:
    return sum(answer.state == "unknown" for answer in asked_of(dossier))


def finality(dossier: Dossier) -> str:
    """Say what the answer rests on, and whether open answers could still change it."""
    if nothing_answered(dossier):
        return grounds_text(dossier)
    return f"{rests_on(dossier.verdict.basis)} {reach_text(dossier)}".rstrip()


def nothing_answered(dossier: Dossier) -> bool:
    """Whether every check and reason is open."""
    return open_answers(dossier) == len(asked_of(dossier))


def unchecked_clause(dossier: Dossier) -> str:
    """How many measurements were not checked on this machine, as a sentence; empty for none."""
    many, _, _ = unchecked_text(dossier).partition(". ")
    return f" {sentence(many)}" if many else ""


def unchecked_text(dossier: Dossier) -> str:
    """The same, with what the answer takes from them."""
    unchecked = (
        item.says for item in dossier.challenges if item.id == "evidence_unchecked"
    )
    return next(unchecked, "")


def grounds_text(dossier: Dossier) -> str:
    """Say in a sentence what the answer rests on."""
    checked = unchecked_clause(dossier)
    if not nothing_answered(dossier):
        return f"Rests on {grounds(dossier.verdict.basis)}.{checked}"
    figures = (figure for way in dossier.ways for figure in way.figures.values())
    grades = {figure.grade for figure in figures if not isinstance(figure, Unknown)}
    if dossier.verdict.basis.measured or grades & {"held_out", "measured"}:
        none = "No question of the checklist is answered yet"
        return f"Rests on what was measured.{checked} {none}."
    if grades & {"stated", "computed"}:
        return "Rests on stated figures. No question of the checklist is answered yet."
    return "Nothing is answered yet."


def is_settled(dossier: Dossier) -> bool:
    """Whether no open answer can lead to a verdict that spends on tuning today.

    Where only single answers were tried, the count alone decides.
    """
    by_count = dossier.verdict.rule == "no_target" and dossier.verdict.final
    if not (dossier.reach.exact or by_count):
        return False
    answers = set(dossier.reach.answers)
    return answers == {dossier.verdict.answer} or answers <= {"no", "not_yet", "open"}


def reach_text(dossier: Dossier) -> str:
    """Say which answers are still possible; empty where no question is open."""
    answers = dossier.reach.answers
    many = open_answers(dossier)
    if not many:
        return ""
    words = listing([ANSWER_WORDS[answer] for answer in answers], "or")
    if not dossier.reach.exact:
        if len(answers) == 1:
            return "No unanswered question alone changes it."
        return f"Still possible: {words}, at least."
    what = "unanswered question" if many == 1 else "unanswered questions"
    if len(answers) == 1:
        return f"The {what} can’t change it."
    if is_settled(dossier):
        return f"The {what} can make it {words}, and none of it spends on tuning."
    return f"Still possible: {words}."


def unconfirmed_text(dossier: Dossier) -> str:
    """The answers by an assistant that no person has confirmed; empty where there are none."""
    says = (item.says for item in dossier.verdict.caveats if item.id == BY_AN_ASSISTANT)
    return next(says, "")


def count_text(dossier: Dossier) -> str:
    """The framework's count, and whether open answers could change it."""
    says = sentence(dossier.verdict.summary)
    if dossier.verdict.final and open_answers(dossier):
        return f"{says} Open answers can’t change that."
    return says


_FIGURES: Mapping[str, tuple[Callable[[float], str], str, str]] = {
    "quality": (
        lambda v: number(round(100 * v, 1 if 0.01 < v < 0.99 else 3)),
        "%",
        "at least ",
    ),
    "latency": (amount, " s", "at most "),
    "cost": (usd, "", "at most "),
}  #: How a figure is written, its unit, and which way its limit bounds.


def moved(was: str, now: str) -> str:
    """Write a value before and after; one that didn't change is written once."""
    return f"{now}, as before" if was == now else f"{was} → {now}"


def a_month(dossier: Dossier) -> str:
    """The words behind an amount of the bill: empty for a job, which is paid once."""
    return "" if dossier.one_off else " per month"


def target_texts(dossier: Dossier) -> dict[str, str]:
    """Every stated target, met or missed, with today's figure."""
    texts = dict[str, str]()
    for name, target in dossier.targets.items():
        if isinstance(target.limit, Unknown):
            continue
        of = ""
        if name in _FIGURES:
            write, unit, bound = _FIGURES[name]
            if name == "cost":
                unit += a_month(dossier)
            low, limit = (
                ranged(end, write, unit) for end in (target.today, target.limit)
            )
            today = "" if isinstance(target.today, Unknown) else f"{low} today, "
            of = f" ({today}{bound}{limit} wanted)"
        state = str(target.state)
        if state == "unknown":
            if isinstance(target.today, Unknown):
                state = NOT_KNOWN
            else:
                state = "too few cases to tell"
        texts[name] = f"{TARGETS[name].name} {state}{of}"
    return texts


def decision_text(dossier: Dossier) -> str:
    """Say what was signed, who decides, and the next review; empty without a decision."""
    decision = dossier.decision
    if decision is None:
        return ""
    parts = ["not signed"]
    if decision.signed is not None:
        answer = ANSWER_WORDS[decision.signed.answer]
        parts = [
            f"{answer}, signed by {decision.signed.by} on {day(decision.signed.on)}"
        ]
    people = (("owner", decision.owner), ("approver", decision.approver))
    parts += [f"{what} {who}" for what, who in people if who]
    if decision.review_on is not None:
        if decision.review_on <= dossier.as_of:
            due = "review was due on"
        else:
            due = "review on"
        parts.append(f"{due} {day(decision.review_on)}")
    return "; ".join(parts)


def confirm_text(dossier: Dossier) -> str:
    """Name the measurements that would confirm the stated signs; empty where none would."""
    counts = listing(
        [sign.confirm for sign in dossier.signals.values() if sign.confirm]
    )
    if counts:
        return f"stated, not measured. To confirm, tuneworthy measure counts {counts}"
    return ""


def ceiling_text(dossier: Dossier) -> str:
    """The state of the ceiling in words, with the checks that are missing."""
    checks = list(dossier.ceiling.checks.values())
    if not checks:
        return "not asked by this framework"
    done = sum(check.state == "yes" for check in checks)
    reached = named("ceiling")[dossier.ceiling.reached]
    grade = named("ceiling_grade").get(dossier.ceiling.grade, "")
    if dossier.ceiling.reached == "yes" and grade:
        reached = grade
    elif grade:
        reached = f"{reached}, {grade}"
    parts = [f"{reached} ({done} of {len(checks)} checks done)"]
    for state, what in (("no", "not done"), ("unknown", "not answered")):
        titles = [check.title for check in checks if check.state == state]
        if titles:
            parts.append(f"{what}: {listing(titles)}")
    return "; ".join(parts)


def reasons_text(dossier: Dossier, kind: str) -> str:
    """How many reasons of a kind hold, which ones, and which are open; * marks an inferred answer."""
    factors = [factor for factor in dossier.factors.values() if factor.kind == kind]
    held = [_marked(factor) for factor in factors if factor.state == "yes"]
    still_open = [factor.title for factor in factors if factor.state == "unknown"]
    parts = [f"{len(held)} of {len(factors)}" + (f": {listing(held)}" if held else "")]
    return "; ".join([*parts, f"open: {listing(still_open)}"] if still_open else parts)


def _marked(factor: FactorResult) -> str:
    if factor.source == "assumed":
        return f"{factor.title}*"
    return factor.title


def strength_text(dossier: Dossier) -> str:
    score = dossier.rules.score
    difference = dossier.rules.difference
    return (
        f"{band_text(score.band)} (score {value_text(score.value)}), "
        f"{band_text(difference.band)} (difference {value_text(difference.value)})"
    )


def value_text(value: float | Range) -> str:
    if isinstance(value, Range):
        return f"{number(value.low)} to {number(float(value.high))}"
    return number(value)


def possible_text(dossier: Dossier) -> str:
    """The outcomes of the count that are still possible."""
    still = [OUTCOME_WORDS[o] for o, part in dossier.distribution.items() if part > 0]
    return listing(still, "or")


NOTHING_TURNS = "No single answer, figure or way turns it."


def turn_text(turn: Turn) -> str:
    """One change as a clause that follows *if*."""
    if turn.path.startswith(("ceiling.", "factors.")):
        return f"“{turn.what}” is answered {turn.to}"
    return turn.what


def source_words(state: State, source: Source) -> str:
    if source == "measured":
        return "data"
    if state == "unknown":
        return "not answered"
    return "the team" if source == "stated" else "numbers the team gave"


def title(name: str, dossier: Dossier) -> str:
    answer = dossier.factors.get(name) or dossier.ceiling.checks.get(name)
    return answer.title if answer else name


def gates(dossier: Dossier) -> b.Part:
    """The table of conditions before a tuned model goes live."""
    rows = (
        (GATES[gate.id], gate.state, sentence(gate.why))
        for gate in dossier.verdict.gates
    )
    caption = "What has to be so before it goes live"
    titles = "Condition | ?Holds | Because"
    return b.part(
        "Before a tuned model goes live", b.table(caption, titles, rows, quiet=True)
    )


def unfit(
    claims: Sequence[ChallengeResult],
    title: str = "What doesn’t fit together",
    name: str = "fit",
) -> b.Section | None:
    """Challenges as a section; None for none."""
    if claims:
        return b.section(name, title, b.Claims(tuple(claims)))
    return None


def tally(claims: Sequence[ChallengeResult]) -> str:
    """The number of challenges of each kind, the most severe first; empty for none."""
    nouns = {
        "contradiction": ("contradiction", "contradictions"),
        "doubt": ("doubt", "doubts"),
        "pushback": (
            "optimistic expectation",
            "optimistic expectations",
        ),
    }
    severities = [claim.severity for claim in claims]
    many = [(severities.count(severity), nouns[severity]) for severity in b.SEVERITIES]
    return listing([f"{few(n)} {noun[n != 1]}" for n, noun in many if n])


_MOST = 4

_GROUPS = {
    "check": "checks",
    "indicator": "reasons for tuning",
    "anti_indicator": "reasons against tuning",
}

Rows = Iterator[tuple[str, str]]  #: Labels, each with its value.

Sign = tuple[str, str]  #: A kind of answer, and what it would have to be.


def flip_lines(dossier: Dossier) -> list[tuple[str, str]]:
    """Pairs of answers to change and the verdict that follows; [] where no change has an effect."""
    alike: dict[tuple[str, tuple[Sign, ...]], list[FlipResult]] = {}
    for flip in dossier.flips:
        signs = tuple(
            sorted(
                (_kind(change.factor, dossier), change.to) for change in flip.changes
            )
        )
        alike.setdefault((flip.outcome, signs), []).append(flip)
    return [
        (text, OUTCOME_WORDS[outcome])
        for (outcome, signs), sets in alike.items()
        for text in _set_words(signs, sets, dossier)
    ]


def no_flip(dossier: Dossier) -> str:
    """Say that nothing turns the verdict, as far as it was searched."""
    tried = dossier.flips_searched_to
    if tried >= len(asked_of(dossier)):
        return "No set of answers turns it."
    return f"No set of up to {several(tried, 'answer')} turns it. Larger sets were not tried."


def _kind(name: str, dossier: Dossier) -> str:
    if name in dossier.factors:
        return dossier.factors[name].kind
    return "check"


def _set_words(
    signs: Sequence[Sign], sets: Sequence[FlipResult], dossier: Dossier
) -> Iterator[str]:
    """Describe sets of answers in words; all ways to pick from a pool become one phrase."""
    pools: dict[Sign, dict[str, None]] = {}
    for change in (change for flip in sets for change in flip.changes):
        sign = _kind(change.factor, dossier), change.to
        pools.setdefault(sign, {})[change.factor] = None
    if len(sets) > 1 and len(sets) == prod(
        comb(len(pools[s]), signs.count(s)) for s in pools
    ):
        some = (
            _any(list(pool), signs.count(s), s, dossier) for s, pool in pools.items()
        )
        yield " and ".join(some)
        return
    for flip in sets[:_MOST]:
        yield listing(
            [f"{title(c.factor, dossier)} is answered {c.to}" for c in flip.changes]
        )
    if len(sets) > _MOST:
        yield f"{few(len(sets) - _MOST)} more sets of {few(len(signs))}"


def _any(pool: Sequence[str], many: int, sign: Sign, dossier: Dossier) -> str:
    """``any one of four reasons for tuning is answered no``, or the names where there are few."""
    kind, to = sign
    names = [title(name, dossier) for name in pool]
    if many == len(pool):
        group = [*dossier.ceiling.checks, *dossier.factors]
        whole = len(pool) > 3 and len(pool) == sum(
            _kind(n, dossier) == kind for n in group
        )
        who = f"all {few(many)} {_GROUPS[kind]}" if whole else listing(names)
    elif len(names) <= 3:
        who = f"{'any ' + few(many) + ' of ' if many > 1 else ''}{listing(names, 'or')}"
    else:
        who = f"any {few(many)} of {few(len(names))} {_GROUPS[kind]}"
    verb = "is" if many == 1 else "are"
    return f"{who} {verb} answered {to}"


NOT_KNOWN = "not known"


def ranged(value: Number, words: Callable[[float], str], unit: str = "") -> str:
    """A number in words with its ends, or that it is unknown; ``unit`` begins with its blank."""
    if isinstance(value, Unknown):
        return NOT_KNOWN
    if not isinstance(value, Range):
        return words(value) + unit
    low = words(value.low)
    if value.high == "open":
        return f"{low}{unit} or more"
    high = words(value.high)
    if low == high:
        return low + unit
    if value.low < 0:
        return f"{low} to {high}{unit}"
    return f"{low}–{high}{unit}"


def dollars(value: Number) -> str:
    return ranged(value, usd)


def parts_text(values: Sequence[Number]) -> list[str]:
    """Amounts beside their sum, rounded so that they add up to the sum as it is shown."""
    spans = [ends(value) for value in values if not isinstance(value, Unknown)]
    if isinf(sum(most for _, most in spans)):
        return [*map(dollars, values)]
    sums = [[*accumulate(side, initial=0.0)] for side in zip(*spans, strict=True)]
    rounded = [
        [round(total, 2 if side[-1] < 10 else 0) for total in side] for side in sums
    ]
    parts = zip(*([b - a for a, b in pairwise(side)] for side in rounded), strict=True)
    texts = (dollars(Range.between(low, max(low, high))) for low, high in parts)
    return [
        NOT_KNOWN if isinstance(value, Unknown) else next(texts) for value in values
    ]


def left(value: Number) -> tuple[str, str]:
    """The label and the amount that is left, or that is lost where the amount is below 0."""
    high = value.high if isinstance(value, Range) else value
    if isinstance(high, str | Unknown) or high >= 0:
        return "Left", dollars(value)
    if isinstance(value, Range):
        return "Lost", dollars(Range(low=-high, high=-value.low))
    return "Lost", usd(-high)


def duration(value: Duration) -> str:
    if isinstance(value, Unknown):
        return NOT_KNOWN
    if isinstance(value, Range):
        return months_range(value.low, inf if value.high == "open" else value.high)
    return value if isinstance(value, str) else months(value)


def weeks(value: Number) -> str:
    return ranged(value, lambda v: f"{v:.1f}".removesuffix(".0"))


def asks(*values: Number) -> str:
    """Join what would settle the unknown values, each once; empty when all are known."""
    return "; ".join(
        dict.fromkeys(value.ask for value in values if isinstance(value, Unknown))
    )


def captioned(
    drawing: Drawing | None,
    table: b.Table,
    *,
    id: str = "",
    table_is: b.TableIs = "folded",
    title: str = "",
    says: str = "{says}",
    but: Sequence[str] = (),
) -> b.Picture | None:
    """A chart with the words of its look; None where nothing was drawn.

    ``title`` is the finding, instead of the look's title. ``says`` is the text below, in which
    ``{says}`` stands for the look's own text. ``but`` are looks of the legend that no mark has.
    """
    if drawing is None:
        return None
    own = looks()[drawing.look]
    key = tuple(
        (look, meaning) for look, meaning in own["key"].items() if look not in but
    )
    name = id or drawing.look
    text = says.format(says=own["says"])
    return b.Picture(name, title or own["title"], text, drawing, table, key, table_is)
