"""A backtest as text for a terminal, as Markdown, and as plain data.

Every sentence is computed from the record. Whether a rule beats a baseline is said only where the
interval of their difference says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tuneworthy.domain.precedent import (
    Against,
    Agreement,
    Backtest,
    Codes,
    Interval,
    RuleId,
)
from tuneworthy.report.width import columns
from tuneworthy.report.words import plain, share

SCHEMA = "tuneworthy/backtest/1"


_RULES: dict[RuleId, str] = {
    "tree_recorded": "tree, checks as recorded",
    "tree_granted": "tree, ceiling granted",
    "score": "score moderate or up",
    "difference": "difference moderate or up",
    "always": "always fine-tune",
    "never": "never fine-tune",
}

_SHORT = ("tree", "granted", "score", "diff.", "always", "never")
"""The same rules, in the order of the record, where there is little room."""

_SAID = ("tune: won", "tune: lost", "don't: won", "don't: lost")

_CODERS: dict[Codes, str] = {
    "value": "the coder who knew the outcome",
    "blind1": "the first coder who saw only the situation",
    "blind2": "the second coder who saw only the situation",
}


def to_dict(backtest: Backtest, *, seed: int) -> dict[str, Any]:
    """The record as plain data for JSON, unrounded.

    Args:
        backtest: The record.
        seed: The seed that its intervals were drawn with.

    Returns:
        A mapping of text, numbers, lists and mappings; nothing in it is NaN, and what is unknown is
        ``{"unknown": true, "ask": …}``. ``against`` is absent for the two baselines.
    """
    data = backtest.model_dump(mode="json")
    for rule in data["rules"]:
        if rule["against"] is None:
            del rule["against"]
    return {"schema": SCHEMA, "seed": seed, **data}


def text(backtest: Backtest, *, seed: int) -> str:
    """The record for a terminal: plain text, at most 80 columns, ends with a line break."""
    goals = _goal_rows(backtest, lambda agreement: str(agreement.agreed))
    blocks = [
        _wrapped([_headline(backtest), _counted(backtest)]),
        _table(_rule_head(backtest), _rule_rows(backtest)),
        _table(("Said, and what came out", *_SAID), _said_rows(backtest)),
        _table(("Right, by goal", "n", "won", *_SHORT), goals),
        "What it shows\n" + _wrapped(findings(backtest), "* "),
        _wrapped([_method(backtest, seed)]),
    ]
    return "\n\n".join(blocks) + "\n"


def markdown(backtest: Backtest, *, seed: int) -> str:
    """The record as Markdown; intervals by goal are only here and in the data."""
    blocks = [
        f"# {_headline(backtest)}",
        _counted(backtest),
        _pipes(_rule_head(backtest), _rule_rows(backtest)),
        "## What it shows",
        "\n".join(f"* {line}" for line in findings(backtest)),
        "## What the rules said, and what came out",
        _pipes(("rule", *_SAID), _said_rows(backtest)),
        "## By goal",
        _pipes(("goal", "n", "won", *_RULES.values()), _goal_rows(backtest, _with_interval)),
        _method(backtest, seed),
    ]
    return "\n\n".join(blocks) + "\n"


def findings(backtest: Backtest) -> tuple[str, ...]:
    """What the figures show, in sentences.

    Returns:
        One sentence or two an item, the comparison with doing without rules first; never empty.
    """
    lines = (
        *_compared(backtest),
        _ceiling(backtest),
        *_unknowns(backtest),
        _small(backtest),
        _coders(backtest),
    )
    return tuple(line for line in lines if line)


def _compared(backtest: Backtest) -> list[str]:
    """Each rule that is told apart from the better baseline, and one sentence for all others."""
    pairs = [(record.rule, record.against) for record in backtest.rules if record.against]
    baseline = _RULES[pairs[0][1].baseline]
    if any(against.excludes_zero == "unknown" for _, against in pairs):
        few = _many(backtest.clusters, "source", "sources")
        return [f'Whether any rule does better than "{baseline}" is unknown: too few ({few}).']
    lines, level = [], []
    for rule, against in pairs:
        if against.excludes_zero == "no":
            level.append(_RULES[rule])
            continue
        how = "more" if against.difference > 0 else "less"
        lines.append(
            f'"{_RULES[rule]}" is right {how} often than "{baseline}", by '
            f"{_points(abs(against.difference))} points; the interval leaves zero out."
        )
    if not lines:
        lines.append(f'No rule is told apart from "{baseline}": every interval holds zero.')
    elif level:
        lines.append(f'Not told apart from "{baseline}": {"; ".join(level)}.')
    return lines


def _ceiling(backtest: Backtest) -> str:
    if not backtest.checks:
        return ""
    total = backtest.checks * backtest.n
    record = backtest.rule("tree_recorded").confusion
    return (
        f"All {backtest.checks} checks of the ceiling are recorded as yes in "
        f"{backtest.ceilings} of {_many(backtest.n, 'case')}; {backtest.unknown_checks} of {total} "
        "check answers are unknown. With the checks as recorded the tree says tune in "
        f"{_many(record.tune_won + record.tune_lost, 'case')}."
    )


def _unknowns(backtest: Backtest) -> list[str]:
    """What counts as not yes only because nobody answered it."""
    lines = []
    if backtest.unknown_answers:
        part = share(backtest.unknown_answers / backtest.answers)
        lines.append(
            f"{backtest.unknown_answers} of {backtest.answers} factor answers ({part}) are "
            "unknown; none of them counts as yes."
        )
    if names := backtest.uncoded:
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        lines.append(
            f"The cases answer {backtest.factors - len(names)} of the framework's "
            f"{_many(backtest.factors, 'factor')}. Never yes, because no case answers: "
            f"{', '.join(names[:6])}{more}."
        )
    return lines


def _small(backtest: Backtest) -> str:
    goals = [goal.agreement for record in backtest.rules for goal in record.by_goal]
    narrowest = min(goal.interval.high - goal.interval.low for goal in goals)
    return (
        f"Smallest goal: {_many(min(goal.n for goal in goals), 'case')}; largest: "
        f"{_many(max(goal.n for goal in goals), 'case')}. The narrowest interval by goal spans "
        f"{_points(narrowest)} points."
    )


def _coders(backtest: Backtest) -> str:
    """What to hold against the answers and figures themselves."""
    said = ""
    if backtest.codes == "value":
        said = "These answers come from a coder who knew the outcome; compare blind1 and blind2. "
    if backtest.recalled:
        said += f"Figures from memory: {_many(backtest.recalled, 'case')}."
    return said.strip()


def _headline(backtest: Backtest) -> str:
    return f'How often the rules of "{backtest.framework}" are right'


def _counted(backtest: Backtest) -> str:
    return (
        f"{backtest.n} of {_many(backtest.cases, 'case')} counted, "
        f"{_many(backtest.ties, 'tie')} left out, from "
        f"{_many(backtest.clusters, 'source', 'sources')}. "
        f"Fine-tuning won {backtest.won} ({share(backtest.won / backtest.n)}). "
        f"Answers by {_CODERS[backtest.codes]} (--codes {backtest.codes})."
    )


def _method(backtest: Backtest, seed: int) -> str:
    goals = "Wilson's, cases of one source counted as one voice"
    drawn = f"from {backtest.draws:,} draws of whole sources (seed {seed}); by goal "
    methods = {record.agreement.interval.method for record in backtest.rules}
    return (
        "Right: said tune and tuning or a hybrid won, or said don't and something else won. "
        f"Intervals are 95%, {drawn if 'cluster_bootstrap' in methods else ''}{goals}. "
        "How the cases were chosen bears on every figure."
    )


def _rule_head(backtest: Backtest) -> tuple[str, ...]:
    baseline = next(r.against.baseline for r in backtest.rules if r.against)
    return (f"Rule (n = {backtest.n})", "right", "", "95%", f"points over {baseline}", "apart")


def _rule_rows(backtest: Backtest) -> list[tuple[str, ...]]:
    return [
        (
            _RULES[record.rule],
            str(record.agreement.agreed),
            share(record.agreement.rate),
            _span(record.agreement.interval),
            *_against(record.against),
        )
        for record in backtest.rules
    ]


def _said_rows(backtest: Backtest) -> list[tuple[str, ...]]:
    rows = []
    for record in backtest.rules:
        c = record.confusion
        cells = (c.tune_won, c.tune_lost, c.keep_won, c.keep_lost)
        rows.append((_RULES[record.rule], *map(str, cells)))
    return rows


def _goal_rows(backtest: Backtest, cell: Callable[[Agreement], str]) -> list[tuple[str, ...]]:
    """For each goal: its name, cases, wins of tuning, and a cell for every rule."""
    rows = []
    for goals in zip(*(record.by_goal for record in backtest.rules), strict=True):
        first = goals[0]
        sizes = (str(first.agreement.n), str(first.won))
        cells = (cell(one.agreement) for one in goals)
        rows.append((plain(first.goal), *sizes, *cells))
    return rows


def _against(against: Against | None) -> tuple[str, str]:
    if against is None:
        return "", ""
    value = _points(against.difference, sign=True)
    if not isinstance(against.interval, Interval):
        return f"{value} (unknown)", "unknown"
    low, high = against.interval.low, against.interval.high
    return f"{value} ({_points(low)} to {_points(high)})", against.excludes_zero


def _with_interval(agreement: Agreement) -> str:
    return f"{agreement.agreed} ({_span(agreement.interval)})"


def _points(value: float, *, sign: bool = False) -> str:
    whole = round(100 * value)
    return f"{whole:+d}" if sign and whole else str(whole)


def _span(interval: Interval) -> str:
    return f"{100 * interval.low:.0f}–{100 * interval.high:.0f}%"


def _many(count: int, one: str, more: str | None = None) -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _wrapped(lines: Iterable[str], bullet: str = "") -> str:
    fill = textwrap.TextWrapper(
        columns() - 2, initial_indent=bullet, subsequent_indent=" " * len(bullet)
    )
    fill.break_on_hyphens = False
    return "\n".join(fill.fill(line) for line in lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be; the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _pipes(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
