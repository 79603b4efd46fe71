"""Published cases: those like a case, how often tuning won, and how often the rules were right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.precedents import (
    Against,
    Backtest,
    Gap,
    Neighbour,
    PrecedentsResult,
    RateInterval,
    RuleGap,
)
from tuneworthy.precedents.section import (
    BEWARE,
    counted_cases,
    kind_text,
    rate_text,
    tried_text,
    won_text,
)
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import about, captioned
from tuneworthy.verdict.facts import ARMS
from tuneworthy.words import counted, few, number, plain, points, sentence, share


def others(dossier: Dossier) -> b.Section:
    result, title = dossier.precedents, "What happened to others"
    if isinstance(result, Unknown):
        todo = b.Todo(result.ask, "Not compared here.")
        return b.section("others", title, todo)
    rates = [("The same goal", result.base_rate), ("All published cases", result.every_rate)]
    if not isinstance(result.own_rate, Unknown):
        rates.append(("Your own history", result.own_rate))
    facts = [(label, sentence(rate_text(rate))) for label, rate in rates]
    own = () if isinstance(result.base_rate, Unknown) else (result.base_rate,)
    groups = [*own, *result.rates]
    cases = {rate.of.removeprefix("published cases of "): counted_cases(rate) for rate in groups}
    every = {case.shown["id"]: case.shown for group in cases.values() for case in group}
    listed = b.table(
        "The published cases",
        "Case | Measured best | By how much",
        [
            (
                b.Cell(case["title"], plain(case["goal"]), case["source_url"], id=f"case-{name}"),
                ARMS[case["winner"]],
                case["margin"],
            )
            for name, case in every.items()
        ],
    )
    cells = "{of:capital} | {won} of {n} | {rate:share} | {low:share} to {high:share}"
    titles = "Which | #tuning won | #share | #95%"
    by_group = b.records("By group", titles, cells, groups, quiet=True)
    return b.section(
        "others",
        title,
        "How often tuning won in published cases, with 95% intervals.",
        b.facts([*facts, ("Record of these rules", sentence(record_text(result)))]),
        by_group,
        captioned(charts.precedents(cases), listed, id="won", table_is="elsewhere"),
        _nearest(result),
        b.Prose(BEWARE, "small"),
    )


def record_text(result: PrecedentsResult) -> str:
    """How often the framework's rules were right for this goal, in one line."""
    tree, scored, apart, always = result.record
    return (
        f"the tree was right in {number(tree.right)} of {number(tree.n)} {tree.of} (ceiling "
        f"granted), the score in {number(scored.right)}, the difference in {number(apart.right)}; "
        f"always saying yes in {number(always.right)}"
    )


def precedents(dossier: Dossier) -> b.Document:
    section = replace(others(dossier), title="")
    after = ("More: tuneworthy framework check says how often the rules were right.",)
    return about(dossier, section, says="what happened to others", after=after)


def _nearest(result: PrecedentsResult) -> Iterator[b.Parts]:
    if isinstance(result.nearest, Unknown):
        yield b.Todo(result.nearest.ask, "No published case is alike.")
        return
    yield b.table(
        "The nearest cases, the most alike first",
        "Case | Winner, and why it is alike",
        (
            (
                b.Cell(near.title, kind_text(near), near.source_url),
                b.Cell(sentence(won_text(near)), sentence(near.why), aside=True),
            )
            for near in result.nearest
        ),
    )
    yield b.fold("What was tried in each", map(_tried, result.nearest))


def _tried(near: Neighbour) -> b.Part:
    source = near.source_url or near.source or "not named"
    rows = (("Tried", tried_text(near) or "not known"), ("Source", source))
    return b.part(near.title, b.facts(rows))


def others_text(result: PrecedentsResult) -> str:
    """What happened to others, in one line: the narrowest rate that is known, or the nearest."""
    rate = result.base_rate
    if isinstance(rate, Unknown):
        if isinstance(result.nearest, Unknown):
            return f"no published case is alike; {result.nearest.ask}"
        won = sum(near.winner in ("fine_tune", "hybrid") for near in result.nearest)
        if len(result.nearest) == 1:
            return f"the one published case that is alike was {'' if won else 'not '}won by tuning"
        many = few(won) if won else "none"
        return f"tuning won {many} of the {few(len(result.nearest))} published cases most like it"
    spread = f"{share(rate.low)} to {share(rate.high)}"
    return f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of} ({spread})"


SCHEMA = "tuneworthy/backtest/1"

RULE_WORDS = named("rule_words")

_CODERS = named("coders")


def to_dict(backtest: Backtest, *, seed: int) -> dict[str, Any]:
    """As data for JSON, unrounded; ``against`` is absent for the two baselines."""
    data = backtest.model_dump(mode="json")
    for rule in data["rules"]:
        if rule["against"] is None:
            del rule["against"]
    return {"schema": SCHEMA, "seed": seed, **data}


def backtest_report(backtest: Backtest, *, seed: int, gap: Gap | None = None) -> b.Document:
    outcomes = (
        (RULE_WORDS[record.rule], *map(str, (c.tune_won, c.tune_lost, c.keep_won, c.keep_lost)))
        for record in backtest.rules
        for c in (record.confusion,)
    )
    titles = "Rule | #tune: won | #tune: lost | #don't: won | #don't: lost"
    table = b.table("What each rule said, and whether tuning won", titles, outcomes, quiet=True)
    methods = {record.agreement.interval.method for record in backtest.rules}
    draws = f"from {backtest.draws:,} draws of whole sources (seed {seed}); by goal "
    method = (
        "Right: said tune and tuning or a hybrid won, or said don't and something else won. "
        f"Intervals are 95%, {draws if 'cluster_bootstrap' in methods else ''}Wilson's, cases of "
        "one source counted as one voice. How the cases were chosen bears on every figure."
    )
    sections = [
        b.section("rules", "", _rules(backtest)),
        b.section("shows", "What it shows", b.bullets(findings(backtest))),
        b.section("outcomes", "What the rules said, and what came out", table),
        b.section("goals", "Right, by goal", _goals(backtest)),
        b.section("method", "How it was counted", method),
    ]
    if gap is not None:
        sections.append(b.section("gap", f"{gap.framework} against {gap.other}", _gap(gap)))
    return b.Document("", f'How often the rules of "{backtest.framework}" are right', sections)


def _rules(backtest: Backtest) -> Iterator[b.Parts]:
    yield (
        f"{backtest.n} of {counted(backtest.cases, 'case')} counted, "
        f"{counted(backtest.ties, 'tie')} left out, from {counted(backtest.clusters, 'source')}. "
        f"Fine-tuning won {backtest.won} ({share(backtest.won / backtest.n)}). "
        f"Answers by {_CODERS[backtest.codes]} (--codes {backtest.codes})."
    )
    baseline = next(rule.against.baseline for rule in backtest.rules if rule.against)
    titles = f"Rule (n = {backtest.n}) | #right | #share | #95% | #points over {baseline}"
    rows = (
        (
            RULE_WORDS[record.rule],
            str(record.agreement.agreed),
            share(record.agreement.rate),
            _span(record.agreement.interval),
            *(_points_apart(record.against) if record.against else ("", "")),
        )
        for record in backtest.rules
    )
    yield b.table("How often each rule is right", f"{titles} | distinguished", rows, quiet=True)


def _goals(backtest: Backtest) -> b.Table:
    """The rules in their order, with short heads."""
    rows = []
    for goals in zip(*(record.by_goal for record in backtest.rules), strict=True):
        won = f"{goals[0].won} of {goals[0].agreement.n} won"
        cells = (b.Cell(str(g.agreement.agreed), _span(g.agreement.interval)) for g in goals)
        rows.append((b.Cell(plain(goals[0].goal), won), *cells))
    titles = "Goal | #tree | #granted | #score | #diff. | #always | #never"
    return b.table("Right, by goal", titles, rows, quiet=True)


def _gap(gap: Gap) -> Iterator[b.Parts]:
    where = f"On the same {counted(gap.n, 'case')} from {counted(gap.clusters, 'source')}"
    states = [rule.excludes_zero for rule in gap.rules]
    if "unknown" in states:
        yield f"{where}. Too few sources to tell a difference from noise."
    elif "yes" not in states:
        yield f"{where}. No rule can be distinguished: every difference may be noise."
    else:
        yield f"{where}, case by case."
    rows = (
        (
            RULE_WORDS[rule.rule],
            *map(str, (rule.agreed, rule.other_agreed, rule.apart)),
            *(_points_apart(rule) if rule.apart else ("", "")),
        )
        for rule in gap.rules
    )
    names = (f"#{gap.framework}", f"#{gap.other}")
    titles = ("Rule", *names, "#cases apart", "#points", "distinguished")
    yield b.table(f"Cases that each is right about, of {gap.n}", titles, rows)


def _points_apart(against: Against | RuleGap) -> tuple[str, str]:
    """Points of difference with their interval, and whether it excludes zero."""
    value = points(against.difference, sign=True)
    if isinstance(against.interval, Unknown):
        return f"{value} (unknown)", "unknown"
    low, high = points(against.interval.low), points(against.interval.high)
    return f"{value} ({low} to {high})", against.excludes_zero


def _span(interval: RateInterval) -> str:
    return f"{100 * interval.low:.0f}–{100 * interval.high:.0f}%"


def situations(seen: Sequence[Mapping[str, str]], questions: Mapping[str, str]) -> b.Document:
    """Cases by their place in the file, and nothing of them that tells how they ended."""
    how = "Answer each question for each case with yes, no or unknown, alone, before anybody talks."
    asks = b.facts((plain(name), ask) for name, ask in questions.items())
    parts = (
        b.part(f"Case {place}", b.facts((plain(k), text) for k, text in situation.items() if text))
        for place, situation in enumerate(seen, start=1)
    )
    sections = [
        b.section("questions", "Questions", how, asks),
        b.section("cases", "Situations", parts),
    ]
    return b.Document("", "What a blind coder sees", sections)


def findings(backtest: Backtest) -> list[str]:
    """What the figures show, and what speaks against the answers and figures themselves."""
    note = "These answers come from a coder who knew the outcome; compare blind1 and blind2."
    recalled = f"Figures from memory: {counted(backtest.recalled, 'case')}."
    coders = [note] * (backtest.codes == "value") + [recalled] * bool(backtest.recalled)
    return [*_compared(backtest), *_recorded(backtest), *([" ".join(coders)] if coders else [])]


def _compared(backtest: Backtest) -> Iterator[str]:
    """Each rule that differs from the better baseline, and one sentence for all others."""
    pairs = [(RULE_WORDS[r.rule], r.against) for r in backtest.rules if r.against]
    baseline = RULE_WORDS[pairs[0][1].baseline]
    if any(against.excludes_zero == "unknown" for _, against in pairs):
        sources = counted(backtest.clusters, "source")
        yield f'Whether any rule does better than "{baseline}" is unknown: too few ({sources}).'
        return
    apart = [(rule, against) for rule, against in pairs if against.excludes_zero != "no"]
    level = [rule for rule, against in pairs if against.excludes_zero == "no"]
    for rule, against in apart:
        how = "more" if against.difference > 0 else "less"
        yield (
            f'"{rule}" is right {how} often than "{baseline}", by '
            f"{points(abs(against.difference))} points; the interval excludes zero."
        )
    if not apart:
        yield f'No rule can be distinguished from "{baseline}": every interval includes zero.'
    elif level:
        yield f'Not distinguishable from "{baseline}": {"; ".join(level)}.'


def _recorded(backtest: Backtest) -> Iterator[str]:
    if backtest.checks:
        record = backtest.rule("tree_recorded").confusion
        yield (
            f"All {backtest.checks} checks of the ceiling are recorded as yes in "
            f"{backtest.ceilings} of {counted(backtest.n, 'case')}; {backtest.unknown_checks} of "
            f"{backtest.checks * backtest.n} check answers are unknown. With the checks as "
            f"recorded the tree says tune in {counted(record.tune_won + record.tune_lost, 'case')}."
        )
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
    goals = [goal.agreement for record in backtest.rules for goal in record.by_goal]
    sizes = [goal.n for goal in goals]
    narrowest = min(goal.interval.high - goal.interval.low for goal in goals)
    yield (
        f"Smallest goal: {counted(min(sizes), 'case')}; largest: {counted(max(sizes), 'case')}. "
        f"The narrowest interval by goal spans {points(narrowest)} points."
    )
