"""Published cases: those like a case, how often tuning won, and how often the rules were right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.precedents import (
    Against,
    Backtest,
    Codes,
    Fitted,
    Gap,
    Neighbour,
    PrecedentsResult,
    RateInterval,
    RuleGap,
    RuleId,
)
from tuneworthy.precedents.section import (
    BEWARE,
    NO_CHANCE,
    kind_text,
    rate_text,
    tried_text,
    won_text,
)
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Cell,
    Document,
    Fact,
    Facts,
    Fold,
    Part,
    Prose,
    Section,
    Table,
    Todo,
    head,
)
from tuneworthy.report.sections.common import day
from tuneworthy.words import counted, few, number, plain, points, sentence, several, share

# What happened to others.


def others(dossier: Dossier) -> Section:
    """The nearest published cases, and how often tuning won."""
    title, result = "What happened to others", dossier.precedents
    if isinstance(result, Unknown):
        return Section("others", title, (Todo(result.ask, "Not compared here."),), "Others")
    return Section("others", title, (*_rates(result), *_nearest(result)), "Others")


def precedents(dossier: Dossier) -> Document:
    """The same as a document of its own."""
    return Document(
        name=dossier.case.name,
        headline="what happened to others",
        byline=(f"By the {dossier.framework.name} framework, as of {day(dossier.as_of)}.",),
        sections=(Section("others", "", others(dossier).blocks),),
        after=("More: tuneworthy backtest says how often the rules were right.",),
    )


def _rates(result: PrecedentsResult) -> tuple[Block, ...]:
    rates = (
        ("The same goal", result.base_rate),
        ("The same pattern of answers", result.pattern_rate),
        ("Everybody", result.every_rate),
    )
    facts = tuple(Fact(label, sentence(rate_text(rate))) for label, rate in rates)
    return Prose("How often tuning won in published cases, with 95% intervals."), Facts(facts)


def _nearest(result: PrecedentsResult) -> tuple[Block, ...]:
    if isinstance(result.nearest, Unknown):
        return Todo(result.nearest.ask, "No published case is alike."), Prose(BEWARE, "small")
    rows = tuple(
        (
            Cell(near.title, kind_text(near), near.source_url),
            sentence(won_text(near)),
            sentence(near.why),
        )
        for near in result.nearest
    )
    columns = head("Published case", "What measured best", "Why it is alike")
    as_near = sentence(
        f"{few(result.as_near)} more {'is' if result.as_near == 1 else 'are'} as alike as the last"
    )
    return (
        Table("The nearest published cases, the most alike first", columns, rows),
        *([Prose(as_near)] if result.as_near else []),
        Fold("What was tried in each", tuple(map(_tried, result.nearest))),
        Prose(BEWARE, "small"),
    )


def _tried(near: Neighbour) -> Part:
    facts = (
        Fact("Tried", tried_text(near) or "not known"),
        Fact("Source", near.source_url or near.source or "not named"),
    )
    return Part(near.title, (Facts(facts),))


def others_text(result: PrecedentsResult) -> str:
    """What happened to others, in one line: the narrowest rate that is known, or the nearest."""
    rate = result.base_rate
    if isinstance(rate, Unknown):
        if isinstance(result.nearest, Unknown):
            return f"no published case is alike; {result.nearest.ask}"
        won = sum(near.winner in ("fine_tune", "hybrid") for near in result.nearest)
        many = few(won) if won else "none"
        return f"tuning won {many} of the {several(len(result.nearest), 'nearest case')}"
    spread = f"{share(rate.low)} to {share(rate.high)}"
    return f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of} ({spread})"


# How often the rules were right: the backtest.

SCHEMA = "tuneworthy/backtest/1"

RULE_WORDS: dict[RuleId, str] = {
    "tree_recorded": "tree, checks as recorded",
    "tree_granted": "tree, ceiling granted",
    "score": "score moderate or up",
    "difference": "difference moderate or up",
    "always": "always fine-tune",
    "never": "never fine-tune",
}

_SHORT = ("tree", "granted", "score", "diff.", "always", "never")
"""The same rules in the same order, for the heads of columns."""

_CODERS: dict[Codes, str] = {
    "value": "the coder who knew the outcome",
    "blind1": "the first coder who saw only the situation",
    "blind2": "the second coder who saw only the situation",
}


def to_dict(backtest: Backtest, *, seed: int) -> dict[str, Any]:
    """The record as plain data for JSON, unrounded, with the seed its intervals were drawn with.

    Nothing in it is NaN; ``against`` is absent for the two baselines.
    """
    data = backtest.model_dump(mode="json")
    for rule in data["rules"]:
        if rule["against"] is None:
            del rule["against"]
    return {"schema": SCHEMA, "seed": seed, **data}


def backtest_report(
    backtest: Backtest, *, seed: int, left_out: Sequence[str] = (), gap: Gap | None = None
) -> Document:
    """The record of the rules, the cases that don't count, and another framework beside it."""
    sections = [
        Section("rules", "", (Prose(_counted(backtest)), _rule_table(backtest))),
        Section("shows", "What it shows", (Bullets(findings(backtest)),)),
        Section("outcomes", "What the rules said, and what came out", (_outcomes(backtest),)),
        Section("goals", "Right, by goal", (_goals(backtest),)),
        Section("method", "How it was counted", (Prose(_method(backtest, seed)),)),
    ]
    if left_out:
        known = (
            f"{counted(len(left_out), 'case')} in the file were among those that the framework was "
            "fitted to, and are left out."
        )
        sections.append(Section("left-out", "Cases that don't count", (Prose(known),)))
    if gap is not None:
        title = f"{gap.framework} against {gap.other}"
        sections.append(Section("gap", title, (Prose(_gap_summary(gap)), _gap_table(gap))))
    headline = f'How often the rules of "{backtest.framework}" are right'
    return Document("", headline, tuple(sections))


def fitted_report(fitted: Fitted) -> Document:
    """Why a framework has no record on the cases that it was fitted to."""
    lines = (
        f'"{fitted.framework}" was fitted to these {fitted.cases} cases from {fitted.clusters} '
        f"papers and companies on {fitted.dated.isoformat()}, so how often it is right about them "
        "says nothing. It describes them.",
        NO_CHANCE,
        "To judge its rules by cases of your own: tuneworthy backtest --cases FILE --framework "
        f"{fitted.framework}",
    )
    section = Section("fitted", "", tuple(map(Prose, lines)))
    return Document("", f"What {fitted.framework} was fitted to", (section,))


def findings(backtest: Backtest) -> tuple[str, ...]:
    """What the figures show, a sentence or two each; the comparison with the baselines first."""
    lines = (
        *_compared(backtest),
        _ceiling(backtest),
        *_unknowns(backtest),
        _small(backtest),
        _coders(backtest),
    )
    return tuple(line for line in lines if line)


def _compared(backtest: Backtest) -> list[str]:
    """Each rule that differs from the better baseline, and one sentence for all others."""
    pairs = [(record.rule, record.against) for record in backtest.rules if record.against]
    baseline = RULE_WORDS[pairs[0][1].baseline]
    if any(against.excludes_zero == "unknown" for _, against in pairs):
        sources = counted(backtest.clusters, "source")
        return [f'Whether any rule does better than "{baseline}" is unknown: too few ({sources}).']
    lines, level = [], []
    for rule, against in pairs:
        if against.excludes_zero == "no":
            level.append(RULE_WORDS[rule])
            continue
        how = "more" if against.difference > 0 else "less"
        lines.append(
            f'"{RULE_WORDS[rule]}" is right {how} often than "{baseline}", by '
            f"{points(abs(against.difference))} points; the interval excludes zero."
        )
    if not lines:
        none = f'No rule can be distinguished from "{baseline}"'
        lines.append(f"{none}: every interval includes zero.")
    elif level:
        lines.append(f'Not distinguishable from "{baseline}": {"; ".join(level)}.')
    return lines


def _ceiling(backtest: Backtest) -> str:
    if not backtest.checks:
        return ""
    record = backtest.rule("tree_recorded").confusion
    return (
        f"All {backtest.checks} checks of the ceiling are recorded as yes in "
        f"{backtest.ceilings} of {counted(backtest.n, 'case')}; {backtest.unknown_checks} of "
        f"{backtest.checks * backtest.n} check answers are unknown. With the checks as recorded "
        f"the tree says tune in {counted(record.tune_won + record.tune_lost, 'case')}."
    )


def _unknowns(backtest: Backtest) -> Iterable[str]:
    """What counts as not yes only because nobody answered it."""
    if backtest.unknown_answers:
        part = share(backtest.unknown_answers / backtest.answers)
        yield (
            f"{backtest.unknown_answers} of {backtest.answers} factor answers ({part}) are "
            "unknown; none of them counts as yes."
        )
    if names := backtest.uncoded:
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        yield (
            f"The cases answer {backtest.factors - len(names)} of the framework's "
            f"{counted(backtest.factors, 'factor')}. Never yes, because no case answers: "
            f"{', '.join(names[:6])}{more}."
        )


def _small(backtest: Backtest) -> str:
    goals = [goal.agreement for record in backtest.rules for goal in record.by_goal]
    narrowest = min(goal.interval.high - goal.interval.low for goal in goals)
    return (
        f"Smallest goal: {counted(min(goal.n for goal in goals), 'case')}; largest: "
        f"{counted(max(goal.n for goal in goals), 'case')}. The narrowest interval by goal spans "
        f"{points(narrowest)} points."
    )


def _coders(backtest: Backtest) -> str:
    """What speaks against the answers and figures themselves."""
    lines = []
    if backtest.codes == "value":
        lines.append(
            "These answers come from a coder who knew the outcome; compare blind1 and blind2."
        )
    if backtest.recalled:
        lines.append(f"Figures from memory: {counted(backtest.recalled, 'case')}.")
    return " ".join(lines)


def _counted(backtest: Backtest) -> str:
    return (
        f"{backtest.n} of {counted(backtest.cases, 'case')} counted, "
        f"{counted(backtest.ties, 'tie')} left out, from {counted(backtest.clusters, 'source')}. "
        f"Fine-tuning won {backtest.won} ({share(backtest.won / backtest.n)}). "
        f"Answers by {_CODERS[backtest.codes]} (--codes {backtest.codes})."
    )


def _method(backtest: Backtest, seed: int) -> str:
    methods = {record.agreement.interval.method for record in backtest.rules}
    draws = f"from {backtest.draws:,} draws of whole sources (seed {seed}); by goal "
    return (
        "Right: said tune and tuning or a hybrid won, or said don't and something else won. "
        f"Intervals are 95%, {draws if 'cluster_bootstrap' in methods else ''}Wilson's, cases of "
        "one source counted as one voice. How the cases were chosen bears on every figure."
    )


def _rule_table(backtest: Backtest) -> Table:
    baseline = next(rule.against.baseline for rule in backtest.rules if rule.against)
    over = f"#points over {baseline}"
    columns = head(f"Rule (n = {backtest.n})", "#right", "#share", "#95%", over, "distinguished")
    rows = tuple(
        (
            RULE_WORDS[record.rule],
            str(record.agreement.agreed),
            share(record.agreement.rate),
            _span(record.agreement.interval),
            *(_points_apart(record.against) if record.against else ("", "")),
        )
        for record in backtest.rules
    )
    return Table("How often each rule is right", columns, rows, quiet=True)


def _points_apart(against: Against | RuleGap) -> tuple[str, str]:
    """Points of difference with their interval, and whether it excludes zero."""
    value = points(against.difference, sign=True)
    if isinstance(against.interval, Unknown):
        return f"{value} (unknown)", "unknown"
    low, high = points(against.interval.low), points(against.interval.high)
    return f"{value} ({low} to {high})", against.excludes_zero


def _outcomes(backtest: Backtest) -> Table:
    columns = head("Rule", "#tune: won", "#tune: lost", "#don't: won", "#don't: lost")
    cells = [(record.rule, record.confusion) for record in backtest.rules]
    rows = tuple(
        (RULE_WORDS[rule], *map(str, (c.tune_won, c.tune_lost, c.keep_won, c.keep_lost)))
        for rule, c in cells
    )
    return Table("What each rule said, and whether tuning won", columns, rows, quiet=True)


def _goals(backtest: Backtest) -> Table:
    rows = []
    for goals in zip(*(record.by_goal for record in backtest.rules), strict=True):
        first = goals[0].agreement
        name = Cell(plain(goals[0].goal), f"{goals[0].won} of {first.n} won")
        cells = (Cell(str(g.agreement.agreed), _span(g.agreement.interval)) for g in goals)
        rows.append((name, *cells))
    return Table(
        "Right, by goal", head("Goal", *(f"#{name}" for name in _SHORT)), tuple(rows), quiet=True
    )


def _span(interval: RateInterval) -> str:
    return f"{100 * interval.low:.0f}–{100 * interval.high:.0f}%"


def _gap_summary(gap: Gap) -> str:
    where = f"On the same {counted(gap.n, 'case')} from {counted(gap.clusters, 'source')}"
    states = [rule.excludes_zero for rule in gap.rules]
    if "unknown" in states:
        return f"{where}. Too few sources to tell a difference from noise."
    if "yes" not in states:
        return f"{where}. No rule can be distinguished: every difference may be noise."
    return f"{where}, case by case."


def _gap_table(gap: Gap) -> Table:
    names = (f"#{gap.framework}", f"#{gap.other}")
    columns = head("Rule", *names, "#cases apart", "#points", "distinguished")
    rows = tuple(
        (
            RULE_WORDS[rule.rule],
            *map(str, (rule.agreed, rule.other_agreed, rule.apart)),
            *(_points_apart(rule) if rule.apart else ("", "")),
        )
        for rule in gap.rules
    )
    return Table(f"Cases that each is right about, of {gap.n}", columns, rows)
