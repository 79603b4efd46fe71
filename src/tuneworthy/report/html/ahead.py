"""The middle of the page: what instead, how it would be done, and the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Grade, OptionResult, Plan, Recommendation
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.charts import outlook as charts
from tuneworthy.report.charts.draw import Drawing
from tuneworthy.report.html.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Fact,
    Facts,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    Todo,
)
from tuneworthy.report.html.values import NOT_KNOWN, day, hours, money, quality, seconds, weeks
from tuneworthy.report.options.shown import asks, says
from tuneworthy.report.plan import part_title
from tuneworthy.report.plan.notes import hours_text
from tuneworthy.report.plan.words import AIMS, money_text, numbers_of
from tuneworthy.report.words import count, listing, plain, sentence, several

GRADES: dict[Grade, str] = {
    "measured": "measured",
    "published_cases": "published cases",
    "rule_of_thumb": "rule of thumb",
}


def options(dossier: Dossier, *, folded: bool = True) -> Section:
    """What could be done instead or beside.

    Args:
        dossier: The case, judged.
        folded: With the reasons of each option and all figures; False where they stand beside.
    """
    title, short = "What could be done instead, or first", "Instead"
    found, advice = dossier.options, dossier.recommendation
    if isinstance(found, Unknown):
        return Section("instead", title, (Todo(found.ask, "The options weren’t compared."),), short)
    blocks: list[Block] = []
    if isinstance(advice, Recommendation):
        blocks.append(Prose(says(advice, found), "lead"))
    else:
        blocks.append(Todo(advice.ask, "No recommendation was worked out."))
    if folded:
        blocks += _compared(found)
    elif (drawing := charts.options(found)) is not None:
        blocks.append(_soon(drawing, sorted(found, key=lambda option: option.rank)))
    return Section("instead", title, tuple(blocks), short)


def side_by_side(dossier: Dossier) -> Section:
    """Every option with all that is known of it, for a page that is wide enough."""
    title, found = "All options, side by side", dossier.options
    if isinstance(found, Unknown):
        return Section("side-by-side", title, (Todo(found.ask, "The options weren’t compared."),))
    ranked = sorted(found, key=lambda option: option.rank)
    titles = {option.id: option.title for option in ranked}
    figures = [_figures_of(one) for one in ranked]
    kept = [n for n, _ in enumerate(_COLUMNS) if any(row[n] != NOT_KNOWN for row in figures)]
    head = (Column("Option"), Column("Helps here", "state"), Column("Because"))
    rows = tuple(
        (
            Cell(one.title, _beside(one, titles)),
            one.helps,
            Cell(sentence(one.because), one.published),
            *(row[n] if row[n] != NOT_KNOWN else "" for n in kept),
        )
        for one, row in zip(ranked, figures, strict=True)
    )
    caption = "The first to try on top; a dash is what nobody knows yet"
    table = Table(caption, (*head, *(_COLUMNS[n] for n in kept)), rows)
    lacking = [column.title.lower() for n, column in enumerate(_COLUMNS) if n not in kept]
    said = f"not known of any option: {listing(lacking)}" if lacking else ""
    todo = tuple(map(sentence, (*((said,) if said else ()), *asks(ranked))))
    missing = (Part("To fill what isn’t known", (Bullets(todo),)),) if todo else ()
    return Section("side-by-side", title, (table, *missing))


def _beside(one: OptionResult, titles: Mapping[str, str]) -> str:
    """What kind of option it is, and which is no worse in anything known and better in one."""
    beaten = titles.get(one.dominated_by)
    return f"{plain(one.kind)}; beaten by {beaten}" if beaten else plain(one.kind)


def _compared(found: tuple[OptionResult, ...]) -> list[Block]:
    ranked = sorted(found, key=lambda option: option.rank)
    useless = [option for option in ranked if option.helps == "no"]
    useful = [option for option in ranked if option.helps != "no"]
    blocks: list[Block] = []
    if useful:
        blocks.append(
            _why_options("Options that help or may help, the first to try on top", useful)
        )
    drawing = charts.options(found)
    if drawing is not None:
        blocks.append(_soon(drawing, ranked))
    if useless:
        folded = _why_options("Options that don’t help here", useless)
        blocks.append(Fold(sentence(f"{several(len(useless), 'option')} that won’t help here, and "
                                    "why")[:-1], (folded,)))  # fmt: skip
    blocks.append(Fold("All figures, side by side", (_figures(ranked), *_notes(ranked))))
    return blocks


def _soon(drawing: Drawing, ranked: list[OptionResult]) -> Picture:
    rows = tuple((o.title, o.helps, weeks(o.weeks)) for o in ranked)
    head = (Column("Option"), Column("Helps here", "state"), Column("Weeks", "number"))
    says = (
        "Options that may help, the first to try on top, by the weeks until they are in use: a "
        "line from the fewest to the most. A full circle helps, a ring helps in part, a diamond "
        "is not known."
    )
    table = Table("Options and the weeks they take", head, rows)
    return Picture(
        "options", "How soon each would be in use", says, drawing, table, table_is="elsewhere"
    )


def _why_options(caption: str, shown: list[OptionResult]) -> Table:
    rows = tuple(
        (Cell(o.title, plain(o.kind)), o.helps, Cell(sentence(o.because), o.published))
        for o in shown
    )
    head = (Column("Option"), Column("Helps here", "state"), Column("Because"))
    return Table(caption, head, rows)


def _figures(ranked: list[OptionResult]) -> Table:
    rows = tuple((o.title, *_figures_of(o)) for o in ranked)
    return Table("Cost, work and risk of each option", (Column("Option"), *_COLUMNS), rows)


_COLUMNS = (
    Column("Cost a month", "number"),
    Column("Work", "number"),
    Column("Weeks", "number"),
    Column("Right answers", "number"),
    Column("Slowest answers", "number"),
    Column("Risk"),
    Column("Rests on"),
)


def _figures_of(one: OptionResult) -> tuple[str, ...]:
    return (
        money(one.usd_per_month),
        hours(one.effort_hours),
        weeks(one.weeks),
        quality(one.quality),
        seconds(one.latency_p95_s),
        one.risk,
        GRADES[one.grade],
    )


def _notes(ranked: list[OptionResult]) -> list[Block]:
    """What is beaten by what, and what would fill the columns that aren't known."""
    titles = {option.id: option.title for option in ranked}
    beaten = tuple(
        f"{o.title}: {titles[o.dominated_by]} is no worse in anything known, and better in one"
        for o in ranked
        if o.dominated_by in titles
    )
    todo = tuple(map(sentence, asks(ranked)))
    return [
        Part(title, (Bullets(items),))
        for title, items in (("Beaten by another", beaten), ("To fill what isn’t known", todo))
        if items
    ]


def approaches(dossier: Dossier) -> Section:
    """How each goal would be trained for."""
    if isinstance(dossier.approaches, Unknown):
        todo = Todo(dossier.approaches.ask, "No goal is named.")
        return Section("how", "How it would be fine-tuned", (todo,), "How")
    rows = []
    for one in dossier.approaches:
        most = " or more" if one.data.high == "open" else f" to {count(one.data.high)}"
        need = f"{count(one.data.low)}{most} {plain(one.data.unit)}"
        goal = Cell(plain(one.goal), f"priority {one.priority}")
        lacking = f"{count(one.missing)} more needed" if _lacks(one.missing) else ""
        way = Cell(one.title, f"offered by {listing(one.offered_by)}" if one.offered_by else "")
        rows.append((goal, way, need, one.compute, Cell(one.feasible, lacking)))
    head = (
        Column("Goal"),
        Column("Way of training"),
        Column("Data it takes"),
        Column("Computing"),
        Column("Possible here", "state"),
    )
    table = Table("The goals, the first one first", head, tuple(rows))
    return Section("how", "How it would be fine-tuned", (table,), "How")


def _lacks(missing: int | Unknown) -> TypeGuard[int]:
    return not isinstance(missing, Unknown) and missing > 0


def plan(dossier: Dossier) -> Section:
    """The phases, with dates, hours and cost."""
    found = dossier.plan
    if isinstance(found, Unknown):
        return Section("plan", "The plan", (Todo(found.ask, "There is no plan yet."),), "Plan")
    blocks: list[Block] = [Prose(sentence(AIMS[found.aim])), _totals(found)]
    drawing = charts.gantt(found)
    if drawing is not None:
        says = "Each bar runs from the first to the last day of a phase."
        table, key = _phases(found), _key(found)
        blocks.append(Picture("gantt", "The plan on a calendar", says, drawing, table, key, "open"))
    blocks.append(Fold("What is done in each phase, and when it is done", tuple(_steps(found))))
    if found.notes:
        blocks.append(Part("What the plan rests on", (Bullets(tuple(map(sentence, found.notes))),)))
    return Section("plan", "The plan", tuple(blocks), "Plan")


def _totals(found: Plan) -> Facts:
    rows = []
    if len(found.parts) > 1:
        for part, total in found.parts.items():
            beside = f"{_work(total.hours, total.usd)}"
            rows.append(Fact(part_title(found, part), f"until {day(total.end)}", beside))
    last = max((phase.end for phase in found.phases), default=found.start)
    until = f"until {day(last)}, {weeks(found.weeks)} weeks"
    rows.append(Fact("In all", until, _work(found.hours, found.usd)))
    return Facts(tuple(rows))


def _work(hours: Range, money: Range) -> str:
    return f"{hours_text(hours.low, hours.high)} of work, {money_text(money)}"


def _key(found: Plan) -> tuple[tuple[str, str], ...]:
    later = any(phase.part == "later_goals" for phase in found.phases)
    return (("pro", "the first goal"), ("band", "further goals")) if later else ()


def _phases(found: Plan) -> Table:
    numbers = numbers_of(found)
    rows = tuple(
        (
            f"{numbers[phase.id]} {phase.title}",
            day(phase.start),
            day(phase.end),
            hours_text(phase.hours.low, phase.hours.high),
            money_text(phase.usd),
            ", ".join(str(numbers[name]) for name in phase.needs if name in numbers),
        )
        for phase in found.phases
    )
    head = (
        Column("Phase"),
        Column("From", "date"),
        Column("To", "date"),
        Column("Work"),
        Column("Cost"),
        Column("After"),
    )
    return Table("Phases of the plan", head, rows)


def _steps(found: Plan) -> Iterator[Block]:
    numbers = numbers_of(found)
    for part in found.parts:
        phases = [phase for phase in found.phases if phase.part == part]
        if len(found.parts) > 1:
            yield Part(part_title(found, part), ())
        for phase in phases:
            steps = (Bullets(tuple(map(sentence, phase.steps))),) if phase.steps else ()
            done = Prose(sentence(f"done when {phase.done_when}"))
            yield Fold(f"{numbers[phase.id]} {phase.title}", (*steps, done))
