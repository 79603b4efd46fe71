"""Sentences and cells of several sections. The words of each fact are here once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from math import comb, isinf, prod
from typing import NamedTuple

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
    InvestmentResult,
    Source,
    Step,
    TargetResult,
    Turn,
    Verdict,
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
    unique,
    usd,
)

WHAT_TUNING_IS = "Fine-tuning trains a model further on your own examples."

GATES = named("gates")
"""The names of the gates: each has to be settled before money is spent."""


def headline(dossier: Dossier) -> str:
    """The verdict in one to three sentences, the same on every surface."""
    return dossier.verdict.headline


class SplitHeadline(NamedTuple):
    """The two parts of a headline."""

    answer: str  #: The answer with its condition, such as ``Pilot it.``
    because: str  #: The clause that follows it; empty for none.


def split_headline(dossier: Dossier) -> SplitHeadline:
    """Split the headline into its answer and its reason."""
    says = headline(dossier)
    because = dossier.verdict.because
    if because and says.endswith(f" {because}"):
        return SplitHeadline(says.removesuffix(f" {because}"), because)
    return SplitHeadline(says, "")


def about(
    dossier: Dossier,
    *sections: b.Section | None,
    says: str = "",
    beside: str = "",
    after: Iterable[str] = (),
) -> b.Document:
    """Make a document about a case from the sections that aren't None.

    ``says`` replaces the verdict as its headline, ``beside`` continues its byline, and ``after`` says
    where to go on.
    """
    return b.Document(
        dossier.case.name,
        says or headline(dossier),
        [section for section in sections if section is not None],
        byline=[f"{byline(dossier)} {beside}".rstrip()],
        after=tuple(after),
    )


def advised_steps(dossier: Dossier) -> tuple[Step, ...]:
    """The steps of the recommendation; () without one."""
    if isinstance(dossier.recommendation, Unknown):
        return ()
    return dossier.recommendation.steps


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
    """Say how many measurements were not checked on this machine, after a blank; empty for none."""
    how_many, _, _ = unchecked_text(dossier).partition(". ")  # its first sentence
    return f" {sentence(how_many)}" if how_many else ""


def unchecked_text(dossier: Dossier) -> str:
    """Say how many measurements were not checked here, and what the answer takes from them."""
    for challenge in dossier.challenges:
        if challenge.id == "evidence_unchecked":
            return challenge.says
    return ""


def grounds_text(dossier: Dossier) -> str:
    """Say in a sentence what the answer rests on."""
    unchecked = unchecked_clause(dossier)
    if not nothing_answered(dossier):
        return f"Rests on {grounds(dossier.verdict.basis)}.{unchecked}"
    grades = _grades_of_figures(dossier)
    no_answer = "No question of the checklist is answered yet."
    if dossier.verdict.basis.measured or grades & {"held_out", "measured"}:
        return f"Rests on what was measured.{unchecked} {no_answer}"
    if grades & {"stated", "computed"}:
        return f"Rests on stated figures. {no_answer}"
    return "Nothing is answered yet."


def _grades_of_figures(dossier: Dossier) -> set[str]:
    """The grades of all known figures of the ways."""
    figures = [figure for way in dossier.ways for figure in way.figures.values()]
    return {figure.grade for figure in figures if not isinstance(figure, Unknown)}


def is_settled(dossier: Dossier) -> bool:
    """Whether no open answer can lead to a verdict that spends on tuning today.

    Where only single answers were tried, the count alone decides.
    """
    final_by_count = dossier.verdict.rule == "no_target" and dossier.verdict.final
    if not dossier.reach.exact and not final_by_count:
        return False
    reachable = set(dossier.reach.answers)
    stays_the_same = reachable == {dossier.verdict.answer}
    spends_nothing = reachable <= {"no", "not_yet", "open"}
    return stays_the_same or spends_nothing


def reach_text(dossier: Dossier) -> str:
    """Say which answers are still possible; empty where no question is open."""
    many = open_answers(dossier)
    if not many:
        return ""
    answers = dossier.reach.answers
    words = listing([ANSWER_WORDS[answer] for answer in answers], "or")
    # only single answers were tried, so more may be possible
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
    """Say which answers by an assistant no person has confirmed; empty where there are none."""
    for caveat in dossier.verdict.caveats:
        if caveat.id == BY_AN_ASSISTANT:
            return caveat.says
    return ""


def count_text(dossier: Dossier) -> str:
    """The framework's count, and whether open answers could change it."""
    says = sentence(dossier.verdict.summary)
    if dossier.verdict.final and open_answers(dossier):
        return f"{says} Open answers can’t change that."
    return says


class _FigureWords(NamedTuple):
    """How the figure of a target is written."""

    write: Callable[[float], str]
    unit: str  #: Behind the figure; it begins with its blank.
    bound: str  #: Before the limit: which way it bounds.


def _percent_figure(value: float) -> str:
    """A share in percent without its sign; near 0 and 1 with more places, so that it isn't either."""
    places = 1 if 0.01 < value < 0.99 else 3
    return number(round(100 * value, places))


_FIGURES = {
    "quality": _FigureWords(_percent_figure, "%", "at least "),
    "latency": _FigureWords(amount, " s", "at most "),
    "cost": _FigureWords(usd, "", "at most "),
}


def moved(was: str, now: str) -> str:
    """Write a value before and after; one that didn't change is written once."""
    return f"{now}, as before" if was == now else f"{was} → {now}"


class PeriodWords(NamedTuple):
    """The words for what a period brings and costs: a month, or the whole of a job that runs once."""

    to_run: str  #: Behind the cost to run.
    run_title: str
    run_every: str  #: Behind the cost to run, in a sentence that says so.
    every: str  #: Behind any other amount of the period.
    bill_title: str
    left_title: str
    over_horizon: str  #: Behind what is counted over all ``{months}``.
    never_title: str  #: Of the share of simulated runs that don't pay back.
    drawn: str  #: How the simulation caps the savings.


_OF_MONTHS = PeriodWords(
    to_run="per month to run it",
    run_title="Each month, to run it",
    run_every="per month",
    every="per month",
    bill_title="The bill today",
    left_title="Left of the first month",
    over_horizon=" over {months} months",
    never_title="Not within {months} months",
    drawn="month by month, with each saving capped at its bill",
)
_OF_JOB = PeriodWords(
    to_run="to run the job",
    run_title="To run the job",
    run_every="for the job",
    every="of the job",
    bill_title="The whole job costs",
    left_title="Left of the job",
    over_horizon="",
    never_title="Doesn’t pay back",
    drawn="",
)


def period_words(money: InvestmentResult) -> PeriodWords:
    """The words for the period of a case's money."""
    return _OF_JOB if money.one_off else _OF_MONTHS


def a_month(dossier: Dossier) -> str:
    """The words behind an amount of the bill: empty for a job, which is paid once."""
    return "" if dossier.one_off else " per month"


def target_texts(dossier: Dossier) -> dict[str, str]:
    """Every stated target by its id, met or missed, with today's figure."""
    texts: dict[str, str] = {}
    for name, target in dossier.targets.items():
        if not isinstance(target.limit, Unknown):
            figures = _target_figures(name, target, a_month(dossier))
            texts[name] = f"{TARGETS[name].name} {_state_text(target)}{figures}"
    return texts


def _state_text(target: TargetResult) -> str:
    if target.state != "unknown":
        return str(target.state)
    if isinstance(target.today, Unknown):
        return NOT_KNOWN
    return "too few cases to tell"  # the interval of today's figure includes the limit


def _target_figures(name: str, target: TargetResult, cost_unit: str) -> str:
    """Today's figure and the limit, in brackets; empty for a target without a figure."""
    if name not in _FIGURES:
        return ""
    words = _FIGURES[name]
    unit = cost_unit if name == "cost" else words.unit
    limit = ranged(target.limit, words.write, unit)
    if isinstance(target.today, Unknown):
        return f" ({words.bound}{limit} wanted)"
    today = ranged(target.today, words.write, unit)
    return f" ({today} today, {words.bound}{limit} wanted)"


def decision_text(dossier: Dossier) -> str:
    """Say what was signed, who decides, and the next review; empty without a decision."""
    decision = dossier.decision
    if decision is None:
        return ""
    parts = []
    if decision.signed is None:
        parts.append("not signed")
    else:
        answer = ANSWER_WORDS[decision.signed.answer]
        parts.append(
            f"{answer}, signed by {decision.signed.by} on {day(decision.signed.on)}"
        )
    if decision.owner:
        parts.append(f"owner {decision.owner}")
    if decision.approver:
        parts.append(f"approver {decision.approver}")
    if decision.review_on is not None:
        is_due = decision.review_on <= dossier.as_of
        due = "review was due on" if is_due else "review on"
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
    done = [check for check in checks if check.state == "yes"]
    reached = named("ceiling")[dossier.ceiling.reached]
    grade = named("ceiling_grade").get(dossier.ceiling.grade, "")
    if dossier.ceiling.reached == "yes" and grade:
        # its words say that the ceiling is reached, and how that is known
        reached = grade
    elif grade:
        reached = f"{reached}, {grade}"
    parts = [f"{reached} ({len(done)} of {len(checks)} checks done)"]
    for state, what in (("no", "not done"), ("unknown", "not answered")):
        titles = [check.title for check in checks if check.state == state]
        if titles:
            parts.append(f"{what}: {listing(titles)}")
    return "; ".join(parts)


def reasons_text(dossier: Dossier, kind: str) -> str:
    """How many reasons of a kind hold, which ones, and which are open; * marks an inferred answer."""
    factors = [factor for factor in dossier.factors.values() if factor.kind == kind]
    holding = [_marked(factor) for factor in factors if factor.state == "yes"]
    still_open = [factor.title for factor in factors if factor.state == "unknown"]
    text = f"{len(holding)} of {len(factors)}"
    if holding:
        text += f": {listing(holding)}"
    if still_open:
        text += f"; open: {listing(still_open)}"
    return text


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
        "contradiction": "contradiction",
        "doubt": "doubt",
        "pushback": "optimistic expectation",
    }
    counts = []
    for severity in b.SEVERITIES:
        many = len([claim for claim in claims if claim.severity == severity])
        if many:
            counts.append(several(many, nouns[severity]))
    return listing(counts)


_MOST_SETS = 4  #: Sets of answers that are listed; of more, only the number is written.
_MOST_NAMED = 3  #: Answers of a pool that are named; a larger pool has only its number.

_GROUPS = {
    "check": "checks",
    "indicator": "reasons for tuning",
    "anti_indicator": "reasons against tuning",
}

Rows = Iterator[tuple[str, str]]  #: Labels, each with its value.


class ChangeKind(NamedTuple):
    """A change of an answer, without saying of which one."""

    kind: str  #: Of the answer; a key of ``_GROUPS``.
    to: str  #: What it would have to be.


class FlipLine(NamedTuple):
    """Answers to change, in words, and the verdict that follows."""

    change: str
    outcome: str


def flip_lines(dossier: Dossier) -> list[FlipLine]:
    """Each change of answers that turns the verdict; [] where no change has an effect.

    Sets of answers of the same kinds that lead to the same verdict are worded together.
    """
    similar: dict[tuple[Verdict, tuple[ChangeKind, ...]], list[FlipResult]] = {}
    for flip in dossier.flips:
        changes = sorted(
            ChangeKind(_kind(change.factor, dossier), change.to)
            for change in flip.changes
        )
        similar.setdefault((flip.outcome, tuple(changes)), []).append(flip)
    lines = []
    for (outcome, kinds), sets in similar.items():
        texts = _set_words(kinds, sets, dossier)
        lines += [FlipLine(text, OUTCOME_WORDS[outcome]) for text in texts]
    return lines


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
    changes: Sequence[ChangeKind], sets: Sequence[FlipResult], dossier: Dossier
) -> list[str]:
    """Describe sets of answers in words: all of them in one phrase, or the first ones one by one.

    Every set changes answers of the kinds in ``changes``. One phrase is true where the sets are all
    the ways to pick so many answers from the pool of each kind.
    """
    pools = _pools(sets, dossier)
    picks = prod(
        comb(len(pool), changes.count(change)) for change, pool in pools.items()
    )
    if len(sets) > 1 and len(sets) == picks:
        phrases = [
            _pick_words(pool, changes.count(change), change, dossier)
            for change, pool in pools.items()
        ]
        return [" and ".join(phrases)]
    lines = []
    for flip in sets[:_MOST_SETS]:
        answers = [
            f"{title(c.factor, dossier)} is answered {c.to}" for c in flip.changes
        ]
        lines.append(listing(answers))
    left_out = len(sets) - _MOST_SETS
    if left_out > 0:
        lines.append(f"{few(left_out)} more sets of {few(len(changes))}")
    return lines


def _pools(sets: Sequence[FlipResult], dossier: Dossier) -> dict[ChangeKind, list[str]]:
    """The ids of all answers that sets change, each once, by the kind of their change."""
    pools: dict[ChangeKind, list[str]] = {}
    for flip in sets:
        for change in flip.changes:
            kind = ChangeKind(_kind(change.factor, dossier), change.to)
            pool = pools.setdefault(kind, [])
            if change.factor not in pool:
                pool.append(change.factor)
    return pools


def _pick_words(
    pool: Sequence[str], many: int, change: ChangeKind, dossier: Dossier
) -> str:
    """Say that ``many`` answers of a pool change: ``any one of four checks is answered no``.

    Few answers are named. A pool that is a whole group, such as all checks, has the group's name.
    """
    names = [title(name, dossier) for name in pool]
    group = _GROUPS[change.kind]
    if many < len(pool) and len(pool) > _MOST_NAMED:
        who = f"any {few(many)} of {few(len(pool))} {group}"
    elif many < len(pool):
        who = listing(names, "or")
        if many > 1:
            who = f"any {few(many)} of {who}"
    elif len(pool) > _MOST_NAMED and len(pool) == _group_size(change.kind, dossier):
        who = f"all {few(many)} {group}"
    else:
        who = listing(names)
    verb = "is" if many == 1 else "are"
    return f"{who} {verb} answered {change.to}"


def _group_size(kind: str, dossier: Dossier) -> int:
    """The number of questions of a kind."""
    asked = [*dossier.ceiling.checks, *dossier.factors]
    return len([name for name in asked if _kind(name, dossier) == kind])


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
    if low == high:  # the ends differ by less than is written
        return low + unit
    if value.low < 0:  # a dash before a minus can't be read
        return f"{low} to {high}{unit}"
    return f"{low}–{high}{unit}"


def dollars(value: Number) -> str:
    return ranged(value, usd)


def parts_text(values: Sequence[Number]) -> list[str]:
    """Amounts beside their sum, rounded so that they add up to the sum as it is shown.

    Each text is the difference of two rounded running sums. Without an upper end of the sum,
    each amount is rounded alone.
    """
    spans = [
        (0.0, 0.0) if isinstance(value, Unknown) else ends(value) for value in values
    ]
    lows = [low for low, _ in spans]
    highs = [high for _, high in spans]
    if isinf(sum(highs)):
        return [dollars(value) for value in values]
    texts = []
    rounded = zip(values, _rounded_parts(lows), _rounded_parts(highs), strict=True)
    for value, low, high in rounded:
        if isinstance(value, Unknown):
            texts.append(NOT_KNOWN)
        else:  # the ends are rounded apart, and may have changed places
            texts.append(dollars(Range.between(low, max(low, high))))
    return texts


def _rounded_parts(amounts: Sequence[float]) -> list[float]:
    """The steps between the rounded running sums of amounts in USD."""
    sums = list(accumulate(amounts, initial=0.0))
    places = 2 if sums[-1] < 10 else 0  # ``usd`` writes cents below ten dollars
    rounded = [round(total, places) for total in sums]
    return [after - before for before, after in pairwise(rounded)]


def left(value: Number) -> tuple[str, str]:
    """The label and the amount that is left, or that is lost where all of it is below 0."""
    high = value.high if isinstance(value, Range) else value
    if isinstance(high, str | Unknown) or high >= 0:
        return "Left", dollars(value)
    if isinstance(value, Range):  # a loss is written without its sign, so its ends swap
        return "Lost", dollars(Range(low=-high, high=-value.low))
    return "Lost", usd(-high)


def duration(value: Duration) -> str:
    """Months in words; the value may be unknown, a range, or a word such as ``never``."""
    if isinstance(value, Unknown):
        return NOT_KNOWN
    if isinstance(value, Range):
        return months_range(value.low, value.most)
    return months(value)


def weeks(value: Number) -> str:
    return ranged(value, lambda v: f"{v:.1f}".removesuffix(".0"))


def asks(*values: Number) -> str:
    """Join what would settle the unknown values, each once; empty when all are known."""
    return "; ".join(
        unique(value.ask for value in values if isinstance(value, Unknown))
    )


def captioned(
    drawing: Drawing | None,
    table: b.Table,
    *,
    id: str = "",
    title: str = "",
    is_open: bool = False,
) -> b.Picture | None:
    """A chart with the words of its look; None where nothing was drawn.

    ``title`` is the finding, instead of the look's title.
    """
    if drawing is None:
        return None
    own = looks()[drawing.look]
    return b.Picture(
        id or drawing.look,
        title or own["title"],
        own["says"],
        drawing,
        table,
        tuple(own["key"].items()),
        is_open,
    )
