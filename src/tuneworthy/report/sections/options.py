"""The middle of the page: what instead, how it would be done, and the plan."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeGuard

from tuneworthy.errors import one_line
from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.dossier import (
    Aim,
    ApproachResult,
    ChallengeResult,
    Dossier,
    Helps,
    Number,
    OptionResult,
    OutlookGrade,
    Phase,
    Plan,
    Recommendation,
)
from tuneworthy.model.framework import Framework, Service, Services
from tuneworthy.plan.section import hours_text, part_title
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
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
from tuneworthy.report.charts import Drawing
from tuneworthy.report.markdown import md
from tuneworthy.report.sections.common import (
    NOT_KNOWN,
    day,
    hours,
    money,
    quality_cell,
    seconds,
    weeks,
)
from tuneworthy.report.text import Paint, row, safe, table, wrapped
from tuneworthy.verdict.options.advice import CHOICES
from tuneworthy.words import (
    count,
    few,
    listing,
    number,
    plain,
    quality,
    sentence,
    several,
    usd,
    usd_range,
)

# The options on a page: five rows for a terminal, the whole matrix for Markdown.

FIVE = 5


_ASKED = ("better_retrieval", "other_model", "decomposition", "hybrid")
"""What everybody asks about; shown before others that are unknown or don't help."""


def matter(options: Sequence[OptionResult]) -> list[OptionResult]:
    """The five to look at first: what helps, by rank, then what everybody asks about.

    Of the variants of one option, and of the kinds of tuning, the best goes first, and the others
    stand there only where they help and there is room.
    """
    best: dict[str, OptionResult] = {}
    for one in options:
        best.setdefault(_family(one), one)

    def helps(one: OptionResult) -> bool:
        return one.helps in ("yes", "partly")

    def order(one: OptionResult) -> tuple[bool, bool, int]:
        first = best[_family(one)] is one if helps(one) else _family(one) in _ASKED
        return not helps(one), not first, one.rank

    there = [one for one in options if helps(one) or best[_family(one)] is one]
    shown = sorted(there, key=order)[:FIVE]
    return sorted(shown, key=lambda one: (not helps(one), one.rank if helps(one) else 0))


def _family(option: OptionResult) -> str:
    if option.kind == "tuning" and option.id != "hybrid":
        return "tuning"
    return option.id if option.variant_of == "none" else option.variant_of


def instead(dossier: Dossier, paint: Paint, case_path: str) -> list[str]:
    """The section of the terminal's report, with the way to all of them.

    Empty without options, and while nothing is known of any: the open questions come first.
    """
    if isinstance(dossier.options, Unknown):
        return []
    if all(one.helps == "unknown" for one in dossier.options):
        return []
    lines = [paint("strong", "Instead, or as well"), *rows(matter(dossier.options))]
    command = f"tuneworthy options {safe(case_path)}".rstrip()
    return [*lines, *wrapped(f"All {few(len(dossier.options))} of them: {command} --all")]


def rows(options: Sequence[OptionResult], titles: dict[str, str] | None = None) -> list[str]:
    """Aligned rows: what, whether it helps, why. With titles, also what beats it."""
    told = []
    for one in options:
        why = one.because.removesuffix(".")
        if titles and one.dominated_by != "none":
            why += f"; {titles[one.dominated_by]} is no worse in anything known, and better in one"
        told.append((safe(one.title), one.helps, safe(why)))
    return table(told)


def says(found: Recommendation, options: Sequence[OptionResult]) -> str:
    """The recommendation as a paragraph, with what to begin with."""
    titles = {one.id: one.title for one in options}
    begin = listing([safe(titles.get(name, plain(name))) for name in found.options])
    named = found.choice in ("both", "fine_tune")  # the sentence has named them
    start = f" Begin with: {begin}." if begin and not named else ""
    return f"{CHOICES[found.choice].capitalize()}. {safe(found.says)}{start}"


def amount(value: Number, unit: str = "") -> str:
    """A number of a column, its ends, or that it isn't known."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Range):
        high = value.high
        return (
            f"{number(value.low)} or more{unit}"
            if high == "open"
            else f"{number(value.low)}–{number(high)}{unit}"
        )
    return f"{number(value)}{unit}"


def usd_cell(value: Number) -> str:
    """USD of a column, its ends, or that it isn't known."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Range):
        return usd(value.low) if value.high == "open" else usd_range(value.low, value.high)
    return usd(value)


def cells(option: OptionResult) -> tuple[str, ...]:
    """The columns of the matrix, but for title, reason and what beats it."""
    right = option.quality
    return (
        option.helps,
        plain(option.grade),
        "unknown"
        if isinstance(right, Unknown)
        else quality(right)
        if isinstance(right, float)
        else amount(right),
        usd_cell(option.usd_per_month),
        amount(option.latency_p95_s, " s"),
        amount(option.effort_hours),
        amount(option.weeks),
        option.risk,
    )


HEAD = ("helps", "evidence", "quality", "USD a month", "latency (p95)", "hours", "weeks", "risk")
"""Heads of ``cells``."""


def asks(options: Sequence[OptionResult]) -> list[str]:
    """What would fill the unknown columns, each once, with how many cells it would fill."""
    found: dict[str, int] = {}
    for one in options:
        for value in (
            one.quality,
            one.usd_per_month,
            one.latency_p95_s,
            one.effort_hours,
            one.weeks,
        ):
            if isinstance(value, Unknown):
                found[value.ask] = found.get(value.ask, 0) + 1
    return [f"{ask} ({count(many)} unknown)" for ask, many in found.items()]


# What every form of the plan says in the same words.

AIMS: dict[Aim, str] = {
    "tune": "a plan to a tuned model in production",
    "confirm": "the steps that would confirm the verdict",
    "change": "the steps that would change the verdict",
}

_THERE: dict[State, str] = {
    "yes": "enough are there",
    "no": "there are fewer",
    "unknown": "nobody has counted what is there",
}

_BEFORE_TUNING = ("ceiling", "factors", "goals", "data")
"""What a plan is about that isn't about tuning; money and tuning don't concern it."""


def money_text(value: Range) -> str:
    """USD from its least to its most; ``or more`` where hours have no price."""
    if value.high == "open" and value.low == 0:
        return "not priced"
    return f"{usd(value.low)} or more" if value.high == "open" else usd_range(value.low, value.high)


def numbers_of(plan: Plan) -> dict[str, int]:
    """The number each phase bears, by its id, from 1."""
    return {phase.id: position for position, phase in enumerate(plan.phases, start=1)}


def facts(dossier: Dossier, plan: Plan) -> Iterator[tuple[str, str]]:
    """The plan in a few lines, each with its label: what, how much, by when."""
    if plan.aim == "tune" and not isinstance(dossier.approaches, Unknown):
        first, *others = dossier.approaches
        yield "Approach", _approaches(first, others)
        yield "Data", f"{_data(first)}; {_THERE[first.feasible]}"
    launch = plan.parts.get("first_version")
    if launch is not None:
        yield "Launch", f"by {launch.end}"
        yield "Upfront", _total(launch.hours, launch.usd)
        running = plan.parts["running"]
        yield "Running", f"{_total(running.hours, running.usd)} in the first quarter"
    total = _total(plan.hours, plan.usd)
    last = max(phase.end for phase in plan.phases)
    yield "In all", f"{total}; {number(plan.weeks)} weeks, until {last}"


def _total(hours: Range, money: Range) -> str:
    return f"{hours_text(hours.low, hours.high)}, {money_text(money)}"


def _approaches(first: ApproachResult, others: list[ApproachResult]) -> str:
    said = f"{first.title} for {plain(first.goal)} (P0)"
    later = [f"{plain(one.goal)} ({one.priority})" for one in others]
    return f"{said}; later {listing(later)}" if later else said


def _data(first: ApproachResult) -> str:
    need = first.data
    most = " or more" if need.high == "open" else f"–{count(need.high)}"
    return f"{count(need.low)}{most} {plain(need.unit)}"


def expectations(dossier: Dossier, plan: Plan) -> tuple[ChallengeResult, ...]:
    """The push-backs that concern the plan: all for a tuning, else those about its steps."""
    found = [one for one in dossier.challenges if one.severity == "pushback"]
    if plan.aim == "tune":
        return tuple(found)
    return tuple(
        one for one in found if all(path.startswith(_BEFORE_TUNING) for path in one.between)
    )


# The middle of the page: what instead, how it would be done, and the plan.

GRADES: dict[OutlookGrade, str] = {
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
        blocks.append(
            Fold(
                sentence(f"{several(len(useless), 'option')} that won’t help here, and why")[:-1],
                (folded,),
            )
        )
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
        quality_cell(one.quality),
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


# What ``tuneworthy options`` prints, and the options of the Markdown report.


def options_text(
    dossier: Dossier, framework: Framework, *, case_path: str, everything: bool, colour: bool
) -> str:
    """The options for a terminal: five or all of them, then the recommendation.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint = Paint(colour)
    name, found = safe(dossier.case.name), dossier.options
    if isinstance(found, Unknown):
        return "\n".join(wrapped(f"{name}: no options; {safe(found.ask)}.")) + "\n"
    shown = found if everything else matter(found)
    head = f"{name}: of {few(len(found))} options {_counts(found)}."
    blocks = [
        [paint("strong", line) for line in wrapped(head, rest="  ")],
        rows(shown, {one.id: safe(one.title) for one in found}),
    ]
    if everything:
        blocks.append(_steps_text(framework, found))
    else:
        command = f"tuneworthy options {safe(case_path)}".rstrip()
        blocks.append(wrapped(f"{few(len(found) - len(shown)).capitalize()} more: {command} --all"))
    if isinstance(dossier.recommendation, Recommendation):
        told = wrapped(says(dossier.recommendation, found), first="  ")
        blocks.append([paint("strong", "Recommendation"), *told])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _counts(found: Sequence[OptionResult]) -> str:
    """How many help, help in part, don't, and are unknown; kinds that have none are left out."""
    many = Counter(one.helps for one in found)
    are = "is" if many["unknown"] == 1 else "are"
    words: dict[Helps, str] = {
        "yes": "would help",
        "partly": "would help in part",
        "no": "would not",
        "unknown": f"{are} unknown",
    }
    if len(many) == 1 and len(found) > 1:
        return f"all {words[found[0].helps]}"
    return listing([f"{few(many[one])} {says}" for one, says in words.items() if many[one]])


def _steps_text(framework: Framework, found: Sequence[OptionResult]) -> list[str]:
    split = next((one for one in found if one.id == "decomposition"), None)
    if split is None or split.helps == "no":
        return []
    steps = framework.options["decomposition"].kinds
    told = [f"{plain(step)}: {safe(what)}" for step, what in steps.items()]
    return wrapped(f"A split could be: {'; '.join(told)}.") if told else []


def options_dict(dossier: Dossier) -> dict[str, Any]:
    """The parts of the dossier that speak of options, as plain JSON values."""
    whole = dossier.to_dict()
    names = ("case", "framework", "as_of", "options", "recommendation", "approaches")
    return {name: whole[name] for name in names}


def matrix(dossier: Dossier) -> list[str]:
    """Every option in every column, and the recommendation, as lines of Markdown."""
    lines = ["## Instead, or as well", ""]
    found = dossier.options
    if isinstance(found, Unknown):
        return [*lines, f"Unknown: {md(found.ask)}."]
    if isinstance(dossier.recommendation, Recommendation):
        lines += [f"**Recommendation:** {md(says(dossier.recommendation, found))}", ""]
    table = [(str(one.rank), md(one.title), *cells(one)) for one in found]
    lines += pipes(("", "option", *HEAD), table)
    lines += ["", "### Why, and why not", ""]
    titles = {one.id: one.title for one in found}
    why = []
    for one in found:
        said = f"{one.because} {one.published}".strip()
        if one.dominated_by != "none":
            said += f" {sentence(titles[one.dominated_by])[:-1]} is no worse in anything known"
            said += " of both, and better in something."
        why.append((md(one.title), one.helps, md(said)))
    lines += pipes(("option", "helps", "because"), why)
    if todo := asks(found):
        lines += ["", "What would fill the unknown columns:", "", *(f"- {md(ask)}" for ask in todo)]
    return lines


def options_markdown(dossier: Dossier, framework: Framework, services: Services) -> str:
    """The options as a document: matrix, reasons, models, and who still tunes."""
    sections = [
        [
            f"# {md(safe(dossier.case.name))}: options",
            "",
            f"By the {md(dossier.framework.name)} framework, as of {dossier.as_of}.",
        ],
        matrix(dossier),
        _page_steps(framework, dossier),
        _models(framework, dossier),
        _offers(framework, services, dossier.as_of),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _page_steps(framework: Framework, dossier: Dossier) -> list[str]:
    """How the task would be split, where splitting may help."""
    found = () if isinstance(dossier.options, Unknown) else dossier.options
    if not any(one.id == "decomposition" and one.helps != "no" for one in found):
        return []
    steps = framework.options["decomposition"].kinds
    lines = ["## How a split would look", ""]
    lines += [f"{n}. {plain(step)}: {md(what)}" for n, (step, what) in enumerate(steps.items(), 1)]
    return [*lines, "", "Score every step by itself; the weakest is where to work."]


def _models(framework: Framework, dossier: Dossier) -> list[str]:
    """What models are said to be good at, which of it this case asks for, and how to measure."""
    models = framework.models
    if models is None:
        return []
    wanted = _wanted(dossier)
    table = []
    for name, strength in models.strengths.items():
        fits = [plain(one) for one in models.suits.get(name, ()) if one in wanted]
        table.append((md(name), md(strength), md(listing(fits))))
    return [
        "## Which model",
        "",
        f"{md(models.says)} Dated {models.dated}.",
        "",
        *pipes(("model", "said to be strong in", "asked for here"), table),
        "",
        f"**Measure instead.** {md(models.measure)}",
    ]


def _wanted(dossier: Dossier) -> set[str]:
    """Goals, signals and factors that hold."""
    goals = () if isinstance(dossier.approaches, Unknown) else dossier.approaches
    held = [name for name, one in dossier.signals.items() if one.state == "yes"]
    held += [name for name, one in dossier.factors.items() if one.state == "yes"]
    return {*held, *(one.goal for one in goals)}


def _offers(framework: Framework, services: Services, day: date) -> list[str]:
    table = []
    for one in services.services:
        names = [
            framework.approaches[name].title
            for name in one.approaches
            if name in framework.approaches
        ]
        pages = " ".join(f"<{url}>" for url in one.sources)
        told = (md(one.service), plain(one.kind), md(listing(names)) or "unknown", _open(one, day))
        table.append((*told, f"{md(one.says)} {pages} ({one.dated})".strip()))
    head = ("service", "run", "kinds of tuning its pages name", "takes new work", "what they say")
    return ["## Who still tunes", "", md(sentence(services.says)), "", *pipes(head, table)]


def _open(one: Service, day: date) -> str:
    if one.until is None:
        return one.open_to_new
    return f"{one.open_to_new}; {'ended' if one.until <= day else 'ends'} on {one.until}"


def pipes(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(cell or " " for cell in row) + " |" for row in rows]


# The plan for a terminal.


def plan_text(dossier: Dossier, *, colour: bool = False) -> str:
    """The plan of a dossier.

    Args:
        dossier: Whose plan.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint, found = Paint(colour), dossier.plan
    if isinstance(found, Unknown):
        said = f"{safe(dossier.case.name)}: no plan yet; {safe(found.ask)}."
        return "\n".join(wrapped(said, rest="  ")) + "\n"
    blocks = [
        _head(dossier, found, paint),
        [line for label, said in facts(dossier, found) for line in row(label, safe(said))],
        *_text_phases(found, paint),
        _text_notes(found, paint),
        _expected(expectations(dossier, found), paint),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(dossier: Dossier, found: Plan, paint: Paint) -> list[str]:
    said = f"{safe(dossier.case.name)}: {AIMS[found.aim]}."
    by = (
        f"Verdict: {safe(dossier.verdict.summary)} By the {dossier.framework.name} framework; the "
        f"plan starts on {found.start}."
    )
    return [
        *(paint("strong", line) for line in wrapped(said, rest="  ")),
        *(paint("dim", line) for line in wrapped(by)),
    ]


def _text_phases(found: Plan, paint: Paint) -> list[list[str]]:
    numbers = numbers_of(found)
    blocks = []
    for part, total in found.parts.items():
        sums = f"{hours_text(total.hours.low, total.hours.high)}, {money_text(total.usd)}"
        lines = [
            paint("strong", line)
            for line in wrapped(f"{part_title(found, part)}: {sums}", rest="  ")
        ]
        for phase in found.phases:
            if phase.part == part:
                lines += _phase(phase, numbers, paint)
        blocks.append(lines)
    return blocks


def _phase(phase: Phase, numbers: dict[str, int], paint: Paint) -> list[str]:
    first = f"  {numbers[phase.id]:>2}  "
    indent = " " * len(first)
    dates = f"{phase.start} to {phase.end}" if phase.end != phase.start else f"{phase.start}"
    after = ", ".join(str(numbers[name]) for name in phase.needs)
    facts = f"{dates}; {hours_text(phase.hours.low, phase.hours.high)}; {money_text(phase.usd)}"
    lines = wrapped(safe(phase.title), first=first)
    told = f"{facts}; after {after}" if after else facts
    lines += [paint("dim", line) for line in wrapped(told, first=indent)]
    for step in phase.steps:
        lines += wrapped(safe(step), first=f"{indent}- ")
    done = wrapped(safe(phase.done_when), first=f"{indent}Done when ", rest=f"{indent}  ")
    return [*lines, *done]


def _text_notes(found: Plan, paint: Paint) -> list[str]:
    lines = [paint("strong", "What it rests on")]
    for note in found.notes:
        lines += wrapped(safe(note), first="  - ")
    return lines


def _expected(challenges: Sequence[ChallengeResult], paint: Paint) -> list[str]:
    if not challenges:
        return []
    lines = [paint("strong", "Expectations that look unrealistic")]
    for one in challenges:
        lines += wrapped(safe(one.says), first="  - ")
        settle = wrapped(f"To settle: {safe(one.settle)}", first="    ")
        lines += [paint("dim", line) for line in settle]
    return lines


# The plan as a Mermaid Gantt chart.

_KEPT = frozenset(" .,'()/+–-")
"""Signs that mean nothing to Mermaid inside a name."""

_LONGEST = 80


def gantt(plan: Plan, title: str) -> str:
    """The chart.

    Args:
        plan: What to draw.
        title: What stands above it.

    Returns:
        Mermaid source. Every name is reduced to letters, digits and a few signs, and begins with
        a number, so that none of them can be a keyword, a comment or the end of its line.
    """
    lines = ["gantt", f"    title Plan: {name(title)}", "    dateFormat YYYY-MM-DD"]
    lines += ["    inclusiveEndDates", "    excludes weekends"]
    numbers = numbers_of(plan)
    for part in plan.parts:
        lines.append(f"    section {part_title(plan, part)}")
        lines += [
            f"    {numbers[phase.id]} {name(phase.title)} :p{numbers[phase.id]}, {phase.start}, "
            f"{phase.end}"
            for phase in plan.phases
            if phase.part == part
        ]
    return "\n".join(lines) + "\n"


def name(text: str) -> str:
    """A name that Mermaid can only show: everything that could mean something is a blank."""
    kept = "".join(c if c.isalnum() or c in _KEPT else " " for c in one_line(text))
    short = " ".join(kept.split())
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST].rstrip()}"


# The plan as Markdown, with its chart.


def plan_markdown(dossier: Dossier) -> str:
    """The plan of a dossier as a document of its own."""
    found = dossier.plan
    if isinstance(found, Unknown):
        return f"# {md(dossier.case.name)}: no plan yet\n\n{md(sentence(found.ask))}\n"
    head = [
        f"# {md(dossier.case.name)}: {AIMS[found.aim]}",
        f"Verdict: {md(dossier.verdict.summary)} By the {md(dossier.framework.name)} framework; "
        f"the plan starts on {found.start}.",
    ]
    blocks = [*head, *plan_blocks(dossier, found, "##"), *_markdown_expected(dossier, found)]
    return "\n\n".join(blocks) + "\n"


def plan_blocks(dossier: Dossier, found: Plan, level: str) -> list[str]:
    """Everything about the plan under headings of a level, one block for each."""
    rows = [(label, md(said)) for label, said in facts(dossier, found)]
    chart = f"```mermaid\n{gantt(found, dossier.case.name)}```"
    blocks = [_lines(_table(("", ""), rows)), chart, _lines(_overview(found))]
    numbers = numbers_of(found)
    for part in found.parts:
        blocks.append(f"{level} {part_title(found, part)}")
        blocks += [_markdown_phase(p, numbers, level) for p in found.phases if p.part == part]
    notes = _lines(f"- {md(note)}" for note in found.notes)
    return [*blocks, f"{level} What it rests on", notes]


def _overview(found: Plan) -> list[str]:
    numbers = numbers_of(found)
    rows = [
        (
            str(numbers[p.id]),
            md(p.title),
            str(p.start),
            str(p.end),
            hours_text(p.hours.low, p.hours.high),
            money_text(p.usd),
            ", ".join(str(numbers[name]) for name in p.needs),
        )
        for p in found.phases
    ]
    total = hours_text(found.hours.low, found.hours.high)
    rows.append(("", "in all", "", "", total, money_text(found.usd), ""))
    return _table(("", "phase", "from", "to", "work", "cost", "after"), rows)


def _markdown_phase(phase: Phase, numbers: dict[str, int], level: str) -> str:
    steps = [f"- {md(step)}" for step in phase.steps]
    title = f"{level}# {numbers[phase.id]} {md(phase.title)}"
    return _lines([title, "", *steps, "", f"Done when {md(phase.done_when)}."])


def _markdown_expected(dossier: Dossier, found: Plan) -> list[str]:
    challenges = expectations(dossier, found)
    if not challenges:
        return []
    told = _lines(f"- {md(one.says)} To settle: {md(one.settle)}." for one in challenges)
    return ["## Expectations that look unrealistic", told]


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(cell or " " for cell in row) + " |" for row in rows]


# The plan as CSV for a tracker.

COLUMNS = (
    "id",
    "title",
    "start",
    "end",
    "hours_low",
    "hours_high",
    "usd_low",
    "usd_high",
    "needs",
    "done_when",
)

_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet may take for the beginning of a formula; the last four are full-width."""


def tracker(plan: Plan) -> str:
    """The phases as a table by RFC 4180: a head, then one line for each, ended by CR LF.

    Several needs are parted by blanks. ``open`` in a column of numbers has no upper end. A cell
    that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for phase in plan.phases:
        texts = (cell(phase.id), cell(phase.title), phase.start, phase.end)
        ranges = (phase.hours.low, phase.hours.high, phase.usd.low, phase.usd.high)
        amounts = map(_number, ranges)
        writer.writerow((*texts, *amounts, cell(" ".join(phase.needs)), cell(phase.done_when)))
    return out.getvalue()


def _number(value: float | str) -> str:
    """Two digits behind the point at most, and no exponent."""
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")


def cell(text: str) -> str:
    """A text no spreadsheet computes."""
    shown = safe(text)
    begins = text.lstrip(" \"'")[:1] or " "
    return f"'{shown}" if begins in _FORMULA else shown
