"""What happened to others, on the page."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.precedents import (
    Against,
    Agreement,
    Backtest,
    BaseRate,
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
    ARM_WORDS,
    BEWARE,
    NO_CHANCE,
    kind_text,
    rate_text,
    tried_text,
    won_text,
)
from tuneworthy.report.blocks import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Fold,
    Part,
    Prose,
    Section,
    Table,
    Todo,
)
from tuneworthy.report.markdown import md
from tuneworthy.report.text import Paint, columns, row, safe, wrapped
from tuneworthy.words import count, few, number, plain, sentence, several, share

# What happened to others, on the page.


def others(dossier: Dossier) -> Section:
    """The nearest published cases, and how often tuning won."""
    title, short, found = "What happened to others", "Others", dossier.precedents
    if isinstance(found, Unknown):
        return Section("others", title, (Todo(found.ask, "Not compared here."),), short)
    blocks = (_rates(found), *_nearest(found), Prose(BEWARE, "small"))
    return Section("others", title, blocks, short)


def _rates(found: PrecedentsResult) -> Facts:
    rows = (
        _rate("The same goal", found.base_rate),
        _rate("The same pattern of answers", found.pattern_rate),
        _rate("Everybody", found.every_rate),
    )
    return Facts(rows)


def _rate(label: str, rate: BaseRate | Unknown) -> Fact:
    if isinstance(rate, Unknown):
        return Fact(label, "Not known", sentence(f"to find out: {rate.ask}"))
    said = f"tuning won {count(rate.won)} of {count(rate.n)}, {share(rate.rate)}"
    beside = f"{share(rate.low)} to {share(rate.high)} of {rate.of}, at 95%"
    return Fact(label, sentence(said), sentence(beside))


def _nearest(found: PrecedentsResult) -> list[Block]:
    if isinstance(found.nearest, Unknown):
        return [Todo(found.nearest.ask, "No published case is alike.")]
    rows = tuple(
        (
            Cell(near.title, kind_text(near), near.source_url),
            sentence(won_text(near)),
            sentence(near.why),
        )
        for near in found.nearest
    )
    head = (Column("Published case"), Column("What measured best"), Column("Why it is alike"))
    blocks: list[Block] = [Table("The nearest published cases, the most alike first", head, rows)]
    if found.as_near:
        last = "is" if found.as_near == 1 else "are"
        blocks.append(Prose(sentence(f"{few(found.as_near)} more {last} as alike as the last")))
    tried = tuple(_tried(near) for near in found.nearest if near.tried)
    return [*blocks, Fold("What was tried in each", tried)] if tried else blocks


def _tried(near: Neighbour) -> Part:
    rows = tuple(
        (
            ARM_WORDS[arm.arm],
            arm.approach,
            Cell(arm.model, f"examples: {arm.train_examples}" if arm.train_examples else ""),
            arm.value or "no figure",
            arm.metric,
        )
        for arm in near.tried
    )
    head = tuple(map(Column, ("Arm", "What was done", "Model", "Came to", "Measured as")))
    return Part(near.title, (Table("What was tried, as its source says it", head, rows, True),))


# What happened to others, for a terminal: one row of a report, or a page of its own.


def others_row(dossier: Dossier) -> list[str]:
    """One row for the report of a verdict; empty where nothing is known."""
    found = dossier.precedents
    if isinstance(found, Unknown):
        return []
    return row("Others", safe(others_text(found)))


def others_text(found: PrecedentsResult) -> str:
    """What happened to others, in one line: the narrowest rate that is known, or the nearest."""
    rate = found.base_rate
    if isinstance(rate, Unknown):
        if isinstance(found.nearest, Unknown):
            return f"no published case is alike; {found.nearest.ask}"
        won = sum(one.winner in ("fine_tune", "hybrid") for one in found.nearest)
        many = few(won) if won else "none"
        return f"tuning won {many} of the {several(len(found.nearest), 'nearest case')}"
    spread = f"{share(rate.low)} to {share(rate.high)}"
    return f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of} ({spread})"


def precedents_text(dossier: Dossier, *, colour: bool = False) -> str:
    """The page.

    Args:
        dossier: Whose precedents.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, but for addresses, which are never broken; the last one ended.
    """
    paint, found, name = Paint(colour), dossier.precedents, safe(dossier.case.name)
    if isinstance(found, Unknown):
        return "\n".join(wrapped(f"{name}: nothing to compare by; {safe(found.ask)}.")) + "\n"
    blocks = [
        _head(dossier, found, paint),
        _text_rates(found),
        *_near(found, paint),
        wrapped(BEWARE),
        wrapped("tuneworthy backtest says how often the rules were right.", first="More: "),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(dossier: Dossier, found: PrecedentsResult, paint: Paint) -> list[str]:
    many = 0 if isinstance(found.nearest, Unknown) else len(found.nearest)
    name = safe(dossier.case.name)
    said = f"{name}: {safe(others_text(found))}."
    if many:
        said = f"{name}: the {several(many, 'published case')} most like it."
    by = f"By the {safe(dossier.framework.name)} framework's answers, as of {dossier.as_of}."
    if found.as_near:
        last = "is" if found.as_near == 1 else "are"
        by += f" {few(found.as_near).capitalize()} more {last} as alike as the last one."
    return [
        *(paint("strong", line) for line in wrapped(said, rest="  ")),
        *(paint("dim", line) for line in wrapped(by)),
    ]


def _text_rates(found: PrecedentsResult) -> list[str]:
    return [
        *row("Goal", safe(rate_text(found.base_rate))),
        *row("Pattern", safe(rate_text(found.pattern_rate))),
        *row("All", safe(rate_text(found.every_rate))),
    ]


def _near(found: PrecedentsResult, paint: Paint) -> list[list[str]]:
    if isinstance(found.nearest, Unknown):
        return []
    return [_one(place, near, paint) for place, near in enumerate(found.nearest, start=1)]


def _one(place: int, near: Neighbour, paint: Paint) -> list[str]:
    said = f"{place}  {safe(near.title)}"
    lines = [paint("strong", line) for line in wrapped(said, rest="   ")]
    lines += [paint("dim", line) for line in wrapped(safe(kind_text(near)), first="   ")]
    lines += _row("Alike", near.why)
    lines += _row("Tried", tried_text(near))
    lines += _row("Won", won_text(near))
    if near.source_url:  # an address that is broken can't be followed
        return [*lines, f"   Source {safe(near.source_url)}"]
    return [*lines, *_row("Source", near.source or "not named")]


def _row(label: str, text: str) -> list[str]:
    return row(f" {label}", safe(text), label_width=8)


# What happened to others, in Markdown.


def precedents_markdown(dossier: Dossier) -> str:
    """The precedents of a dossier as a document of their own."""
    head = [
        f"# {md(dossier.case.name)}: what happened to others",
        f"By the answers to the {md(dossier.framework.name)} framework, as of {dossier.as_of}.",
    ]
    found = dossier.precedents
    if isinstance(found, Unknown):
        return "\n\n".join([*head, f"Unknown: {md(found.ask)}."]) + "\n"
    return "\n\n".join([*head, *precedent_blocks(found, "##")]) + "\n"


def precedent_blocks(found: PrecedentsResult, level: str) -> list[str]:
    """Rates and nearest cases, each as a block.

    Args:
        found: What happened to others.
        level: How headings begin, as ``##``.
    """
    rates = [found.base_rate, found.pattern_rate, found.every_rate]
    blocks = ["\n".join(f"- {md(sentence(rate_text(one)))}" for one in rates)]
    if isinstance(found.nearest, Unknown):
        blocks.append(f"Nearest cases: unknown; {md(found.nearest.ask)}.")
    else:
        blocks.append(f"{level} The nearest cases")
        blocks += [_markdown_near(place, one) for place, one in enumerate(found.nearest, start=1)]
        if found.as_near:
            last = "is" if found.as_near == 1 else "are"
            blocks.append(f"{few(found.as_near).capitalize()} more {last} as alike as the last.")
    return [*blocks, BEWARE]


def link(near: Neighbour) -> str:
    """The title of a published case, linked where its source is a web address."""
    title = md(near.title)
    return f"[{title}](<{near.source_url}>)" if near.source_url else title


def _markdown_near(place: int, near: Neighbour) -> str:
    lines = [
        f"{place}. **{link(near)}** ({md(kind_text(near))})",
        f"   - Alike: {md(near.why)}",
        f"   - Tried: {md(tried_text(near)) or 'not said'}",
        f"   - Won: {md(won_text(near))}",
    ]
    if not near.source_url:
        lines.append(f"   - Source: {md(near.source) or 'not named'}")
    return "\n".join(lines)


# A backtest as text for a terminal, as Markdown, and as plain data.

SCHEMA = "tuneworthy/backtest/1"


_BACKTEST_RULES: dict[RuleId, str] = {
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
        _pipes(
            ("goal", "n", "won", *_BACKTEST_RULES.values()), _goal_rows(backtest, _with_interval)
        ),
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
    baseline = _BACKTEST_RULES[pairs[0][1].baseline]
    if any(against.excludes_zero == "unknown" for _, against in pairs):
        few = _many(backtest.clusters, "source", "sources")
        return [f'Whether any rule does better than "{baseline}" is unknown: too few ({few}).']
    lines, level = [], []
    for rule, against in pairs:
        if against.excludes_zero == "no":
            level.append(_BACKTEST_RULES[rule])
            continue
        how = "more" if against.difference > 0 else "less"
        lines.append(
            f'"{_BACKTEST_RULES[rule]}" is right {how} often than "{baseline}", by '
            f"{_backtest_points(abs(against.difference))} points; the interval leaves zero out."
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
        f"{_backtest_points(narrowest)} points."
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
            _BACKTEST_RULES[record.rule],
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
        rows.append((_BACKTEST_RULES[record.rule], *map(str, cells)))
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
    value = _backtest_points(against.difference, sign=True)
    if not isinstance(against.interval, RateInterval):
        return f"{value} (unknown)", "unknown"
    low, high = against.interval.low, against.interval.high
    return f"{value} ({_backtest_points(low)} to {_backtest_points(high)})", against.excludes_zero


def _with_interval(agreement: Agreement) -> str:
    return f"{agreement.agreed} ({_span(agreement.interval)})"


def _backtest_points(value: float, *, sign: bool = False) -> str:
    whole = round(100 * value)
    return f"{whole:+d}" if sign and whole else str(whole)


def _span(interval: RateInterval) -> str:
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
    for line in (head, *rows):
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _pipes(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


# What stands beside a backtest: another framework, cases that don't count.

_RULES: dict[RuleId, str] = {
    "tree_recorded": "its tree with the checks as recorded",
    "tree_granted": "its tree with the ceiling granted",
    "score": "its score at moderate or above",
    "difference": "its difference at moderate or above",
}


def fitted(record: Fitted, form: str) -> str:
    """What a framework's record on the cases it was fitted to is worth: nothing."""
    lines = [
        f'"{record.framework}" was fitted to these {record.cases} cases from {record.clusters} '
        f"papers and companies on {record.dated.isoformat()}, so how often it is right about them "
        "says nothing. It describes them.",
        NO_CHANCE,
    ]
    closing = [
        "To judge its rules by cases of your own: tuneworthy backtest --cases FILE --framework "
        f"{record.framework}"
    ]
    title = f"What {record.framework} was fitted to"
    return _laid_out(title, lines, (), closing, form)


def more(left_out: Sequence[str], gap: Gap | None, form: str) -> str:
    """What comes after the record of the rules; nothing where there is nothing to add."""
    blocks = []
    if left_out:
        blocks.append(
            _laid_out(
                "Cases that don't count",
                [
                    f"{_cases(len(left_out))} in the file stood among those that the fit "
                    "was made from, and were left out."
                ],
                (),
                (),
                form,
            )
        )
    if gap is not None:
        title = f"{gap.framework} against {gap.other}"
        blocks.append(
            _laid_out(title, _summary(gap), [_gap(one, gap) for one in gap.rules], (), form)
        )
    return "".join("\n" + block for block in blocks)


def _summary(gap: Gap) -> list[str]:
    where = f"On the same {_cases(gap.n)} from {_cases(gap.clusters, 'source')}"
    states = [one.excludes_zero for one in gap.rules]
    if "unknown" in states:
        return [f"{where}. Too few sources to tell a difference from noise."]
    if "yes" not in states:
        return [f"{where}. No rule is told apart: every difference may be noise."]
    return [f"{where}, case by case."]


def _gap(one: RuleGap, gap: Gap) -> str:
    counts = f"{_RULES[one.rule]}: {one.agreed} right against {one.other_agreed} of {gap.n}"
    if not one.apart:
        return f"{counts}; they agree in every case"
    apart = f"they part in {_cases(one.apart)}"
    if isinstance(one.interval, Unknown):
        return f"{counts}; {apart}; whether that is noise is unknown"
    told = "may be noise" if one.excludes_zero == "no" else "is more than noise"
    return f"{counts}; {apart}; {_points(one.difference, one.interval)}, which {told}"


def _cases(number: int, one: str = "case") -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


def _points(value: float, interval: RateInterval) -> str:
    low, middle, high = (round(100 * number) for number in (interval.low, value, interval.high))
    return f"{middle:+d} points ({low} to {high})" if middle else f"0 points ({low} to {high})"


def _laid_out(
    title: str, lines: Sequence[str], points: Sequence[str], closing: Sequence[str], form: str
) -> str:
    """A titled block, wrapped for a terminal or as Markdown; ends with a line break."""
    if form == "markdown":
        parts = [f"## {title}", " ".join(lines)]
        parts += ["\n".join(f"* {point}" for point in points)] if points else []
        parts += [" ".join(closing)] if closing else []
        return "\n\n".join(parts) + "\n"
    told = [title, *wrapped(" ".join(lines))]
    for point in points:
        told += wrapped(point, first="* ")
    if closing:
        told += ["", *wrapped(" ".join(closing))]
    return "\n".join(told) + "\n"
