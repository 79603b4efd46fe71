"""All ways: the known figures of each, and the untried ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal, NamedTuple

from tuneworthy.answers.facts import TARGETS, ends
from tuneworthy.errors import argument
from tuneworthy.facts.load import end_text
from tuneworthy.facts.records import KnownFacts
from tuneworthy.model.base import Number, Range, Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evidence import TargetState
from tuneworthy.model.framework import Framework, TargetId
from tuneworthy.model.ways import (
    AnyFigure,
    Figure,
    FigureGrade,
    FigureId,
    WayResult,
)
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import (
    NOT_KNOWN,
    a_month,
    about,
    advised_steps,
    captioned,
    ranged,
)
from tuneworthy.report.sections.plan import need_text
from tuneworthy.report.width import WIDEST, columns
from tuneworthy.words import (
    capital,
    count,
    cut,
    few,
    listing,
    number,
    plain,
    quality,
    sentence,
    several,
    usd,
)
from tuneworthy.words import day as as_day
from tuneworthy.words import hours as as_hours

_TITLE = "What could run, against the targets"
MOST_ROWS = 6  #: Of the first screen, beside what is wanted.


class _FigureColumn(NamedTuple):
    """A column of the tables of ways, with the figure for one target."""

    target: TargetId
    figure: FigureId
    write: Callable[[float], str]
    unit: str


_FIGURES = (
    _FigureColumn("quality", "quality", quality, ""),
    _FigureColumn("latency", "latency_p95_s", number, " s"),
    _FigureColumn("cost", "usd_per_month", usd, ""),
)

_GRADES = {
    "held_out": "measured, held out",
    "measured": "measured",
    "computed": "computed",
    "stated": "stated",
    "published": "published cases",
    "rule_of_thumb": "rule of thumb",
}


def to_try(ways: Sequence[WayResult]) -> list[WayResult]:
    """Untried ways that may help, the first to try on top."""
    return [
        way for way in ways if way.state == "untried" and way.chance_word in _MAY_HELP
    ]


_MAY_HELP = ("likely", "possible", "unknown")


def advised_ways(dossier: Dossier) -> list[WayResult]:
    """Untried ways of the recommendation, then the others that may help."""
    untried = {way.id: way for way in dossier.ways if way.state == "untried"}
    advised = [
        untried[step.way] for step in advised_steps(dossier) if step.way in untried
    ]
    others = [way for way in to_try(dossier.ways) if way not in advised]
    return [*advised, *others]


def known_ways(ways: Sequence[WayResult]) -> list[WayResult]:
    """Ways with a measured or stated figure, today's way included."""
    return [way for way in ways if way.state in ("running", "measured", "stated")]


def figure_text(figure: AnyFigure, write: Callable[[float], str], unit: str) -> str:
    """A figure, with its interval if it has one whose ends read differently."""
    if isinstance(figure, Unknown):
        return "–"
    text = f"{write(figure.value)}{unit}"
    if figure.interval is None:
        return text
    low, high = figure.interval
    if write(low) == write(high):
        return text
    return f"{text} ({write(low)}–{write(high)})"


def _cells(way: WayResult) -> list[str]:
    """The figures of a way; for an untried one, the chance for each missed target."""
    cells: list[str] = []
    for column in _FIGURES:
        figure = way.figures[column.figure]
        chance = way.chances.get(column.target)
        if isinstance(figure, Unknown) and chance is not None:
            cells.append("may help" if chance == "unknown" else chance)
        else:
            cells.append(figure_text(figure, column.write, column.unit))
    private = way.figures["private"]
    if isinstance(private, Unknown):
        cells.append("–")
    else:
        cells.append("ok" if private.value else "no")
    return cells


def _from(way: WayResult) -> str:
    """Say what the figures of a way rest on, and when its model ends."""
    until = "" if way.ends is None else f", until {as_day(way.ends)}"
    return f"{_rests_on(way)}{until}"


def _rests_on(way: WayResult) -> str:
    """The grade of a way's figures, and the cases that it rests on."""
    quality_figure = way.figures["quality"]
    if not isinstance(quality_figure, Unknown):  # it decides, so its grade goes first
        grade = _grade_text(quality_figure)
        if isinstance(quality_figure.cases, Unknown):
            return grade
        return f"{grade}, {count(quality_figure.cases)} cases"
    if way.state == "untried":
        return f"untried{_hours(way.to_try.hours)}"
    for figure in way.figures.values():
        if not isinstance(figure, Unknown):
            return _grade_text(figure)
    return plain(way.state)


def _grade_text(figure: Figure) -> str:
    """The grade of a figure; for a figure that came with the folder, that it did so."""
    return "brought, not checked here" if figure.brought else _GRADES[figure.grade]


def _linked_from(way: WayResult) -> b.Cell:
    """Say what a way's figures rest on, with a link to the page of the case that shows it."""
    page = "options"  # where untried ways are, and ways without a figure
    if way.state != "untried":
        figure = _main_figure(way)
        if figure is not None:
            page = _SHOWN_ON[figure.grade]
    return b.Cell(_from(way), page=page)


def _main_figure(way: WayResult) -> Figure | None:
    """The quality of a way if it is known, else its first known figure; None without any."""
    quality_figure = way.figures["quality"]
    if not isinstance(quality_figure, Unknown):
        return quality_figure
    for figure in way.figures.values():
        if not isinstance(figure, Unknown):
            return figure
    return None


_SHOWN_ON: Mapping[FigureGrade, str] = {
    "held_out": "evidence",
    "measured": "evidence",
    "computed": "money#calculation",
    "stated": "answers",
    "published": "options",
    "rule_of_thumb": "options",
}  #: The page of a case that shows what figures of a grade rest on.


_ASKED_ON: Mapping[TargetId, str] = {
    "quality": "interview?ask=targets.quality.at_least",
    "latency": "interview?ask=targets.latency_p95_s",
    "cost": "interview?ask=targets.usd_per_month",
}  #: The page of a case on which a target is answered.


def _hours(hours: Number) -> str:
    if isinstance(hours, Unknown):
        return ""
    return f", {ranged(hours, as_hours, ' h')}"


def _wanted(dossier: Dossier) -> list[str]:
    """The cells of the targets above those of the ways: a limit for each figure, or a dash."""
    cells = []
    for column in _FIGURES:
        limit = dossier.targets[column.target].limit
        if isinstance(limit, Unknown | Range):
            cells.append("–")
        else:
            # only more quality is better: the other limits bound from above
            bound = "at least " if column.target == "quality" else ""
            cells.append(f"{bound}{column.write(limit)}{column.unit}")
    private = dossier.targets["privacy"].limit
    cells.append("–" if isinstance(private, Unknown) else "inside")
    cells.append("")  # the column "from" stays empty, because a target has no source
    return cells


def limit_and_figure(dossier: Dossier, way: WayResult, target: TargetId) -> str:
    """A target's limit and the figure of a way, as `` (0.95 wanted, 0.88 now)``; empty if not known."""
    limit = dossier.targets[target].limit
    for column in _FIGURES:
        if column.target == target:
            figure = way.figures[column.figure]
            if isinstance(limit, float | int) and not isinstance(figure, Unknown):
                wanted = f"{column.write(limit)}{column.unit}"
                now = f"{column.write(figure.value)}{column.unit}"
                return f" ({wanted} wanted, {now} now)"
    return ""  # privacy has no figure


def first_rows(dossier: Dossier) -> list[WayResult]:
    """The ways of the first screen: sufficient ones, today's, the best known, and those to try.

    It shows only the best kind of tuning.
    """
    advised = [step.way for step in advised_steps(dossier)]
    tuning = _best_tuning(dossier.ways)
    # two rows stay free for ways to try
    shown = known_ways(dossier.ways)[: MOST_ROWS - 2]
    most = MOST_ROWS
    if tuning is not None and tuning.id not in advised:
        most -= 1  # one row stays free for it
    candidates = [way for way in dossier.ways if way.id in advised]
    candidates += [way for way in advised_ways(dossier) if way.kind != "tuning"]
    for way in candidates:
        if len(shown) < most and way not in shown:
            shown.append(way)
    if tuning is not None and tuning not in shown and len(shown) < MOST_ROWS:
        shown.append(tuning)
    return shown


def _best_tuning(ways: Sequence[WayResult]) -> WayResult | None:
    """The first kind of tuning to try; None where a tuned model already meets every target."""
    if any(way.kind == "tuned" and _is_enough(way) for way in ways):
        return None
    for way in ways:
        if way.kind == "tuning" and way.state == "untried":
            return way
    return None


def _is_enough(way: WayResult) -> bool:
    """Whether a way meets every target; not where no target is stated."""
    states = way.admissible.values()
    return bool(states) and all(state == "met" for state in states)


def first_table(dossier: Dossier, *, wide: bool = False) -> b.Table:
    """The ways against the targets, as on the first screen.

    ``wide`` is for a page: it has room for every word, and draws figures in their cells.
    """
    shown = first_rows(dossier)
    write_source: Callable[[WayResult], str | b.Cell]
    if wide:
        write_source = _linked_from
    elif columns() >= WIDEST:
        write_source = _from
    else:
        write_source = _from_in_short
    rows: list[list[str | b.Cell]] = [["wanted", *_wanted(dossier)]]
    rows += [[_title_in_short(way), *_cells(way), write_source(way)] for way in shown]
    bill = "bill" if dossier.one_off else "per month"
    titles = ["", "#quality", "#p95", f"#{bill}", "private", "from"]
    if wide:
        titles = ["way", "#quality", "#speed (p95)", f"#{bill}", "private", "from"]
        kept = _telling_columns(rows)
        titles = [titles[place] for place in kept]
        drawn = _drawn_cells(dossier, shown, rows)
        rows = [[row[place] for place in kept] for row in drawn]
    decisive = _decisive(dossier)
    chosen = None
    for place, way in enumerate(shown, start=1):  # the targets are row 0
        if way.id == decisive:
            chosen = place
    return b.table("Ways against the targets", titles, rows, quiet=True, chosen=chosen)


def _drawn_cells(
    dossier: Dossier, shown: Sequence[WayResult], rows: Sequence[Sequence[str | b.Cell]]
) -> list[list[str | b.Cell]]:
    """The rows with each figure drawn in its cell, on the axis of its column, with its source.

    The first row holds the targets. Each other row is the way at the same place in ``shown``.
    """
    wanted_row, *way_rows = [list(row) for row in rows]
    for place, column in enumerate(_FIGURES, start=1):
        limit = dossier.targets[column.target].limit
        wanted = float(limit) if isinstance(limit, float | int) else None
        if wanted is not None:
            page = _ASKED_ON[column.target]
            wanted_row[place] = b.Cell(str(wanted_row[place]), page=page)
        figures = [way.figures[column.figure] for way in shown]
        axis = _Axis.find(column.figure, figures, wanted)
        for row, way, figure in zip(way_rows, shown, figures, strict=True):
            if not isinstance(figure, Unknown):
                state = way.admissible.get(column.target, "unknown")
                glyph = None if axis is None else axis.draw(figure, state, wanted)
                page = _page_of(figure, way, column)
                row[place] = b.Cell(str(row[place]), glyph=glyph, page=page)
    _draw_work(way_rows, shown)
    return [wanted_row, *way_rows]


def _page_of(figure: Figure, way: WayResult, column: _FigureColumn) -> str:
    """The page of the case that shows where a figure is from, or where it can be changed."""
    if figure.grade == "stated" and way.state == "running":
        return f"interview?ask=today.{column.figure}"
    return _SHOWN_ON[figure.grade]


def _draw_work(rows: Sequence[list[str | b.Cell]], shown: Sequence[WayResult]) -> None:
    """Draw the hours to try each untried way behind its grade, which is the last cell.

    Where nothing was measured these are the only figures. Ways without an upper end of their hours
    aren't drawn, and none is where there is nothing to compare.
    """
    hours: dict[str, tuple[float, float]] = {}
    for way in shown:
        if way.state == "untried" and not isinstance(way.to_try.hours, Unknown):
            low, high = ends(way.to_try.hours)
            if math.isfinite(high):
                hours[way.id] = (low, high)
    longest = max((high for _, high in hours.values()), default=0.0)
    if len(hours) < _FEWEST or longest <= 0:
        return
    axis = _Axis(0.0, longest * _MARGIN, "bar")
    for row, way in zip(rows, shown, strict=True):
        last = row[-1]
        if way.id in hours and isinstance(last, b.Cell):
            low, high = hours[way.id]
            row[-1] = replace(last, glyph=axis.draw_work(low, high))


class _Axis(NamedTuple):
    """The axis that the figures of a column share."""

    low: float
    high: float
    shape: Literal["dot", "bar"]

    @classmethod
    def find(
        cls, name: FigureId, figures: Iterable[AnyFigure], wanted: float | None
    ) -> _Axis | None:
        """An axis from the lowest to the highest figure; None for nothing to compare.

        Amounts begin at zero.
        """
        known = [figure for figure in figures if not isinstance(figure, Unknown)]
        marks = [figure.value for figure in known]
        if wanted is not None:
            marks.append(wanted)
        if not known or len(marks) < _FEWEST:
            return None
        for figure in known:
            marks += figure.interval or ()
        low = min(marks)
        high = max(marks)
        if name != "quality":
            end = high * _MARGIN
            return cls(0.0, end or 1.0, "bar")  # an axis has to have a length
        spare = max((high - low) * (_MARGIN - 1), _LEAST_SPARE)
        return cls(max(low - spare, 0.0), min(high + spare, 1.0), "dot")

    def draw(self, figure: Figure, state: TargetState, wanted: float | None) -> b.Glyph:
        """Place a figure with its interval and the target on the axis."""
        low, high = figure.interval or (figure.value, figure.value)
        return b.Glyph(
            at=self._place(figure.value),
            low=self._place(low),
            high=self._place(high),
            limit=None if wanted is None else self._place(wanted),
            state=state,
            shape=self.shape,
            counted=figure.grade in _COUNTED,
        )

    def draw_work(self, low: float, high: float) -> b.Glyph:
        """Place a range of hours on the axis, as a bar to its middle."""
        low_at = self._place(low)
        high_at = self._place(high)
        return b.Glyph(
            at=(low_at + high_at) / 2,
            low=low_at,
            high=high_at,
            limit=None,
            state="work",
            shape="bar",
            counted=True,
        )

    def _place(self, value: float) -> float:
        """The place of a value in percent of the axis; a value beyond the axis lies at its end."""
        share_of_axis = (value - self.low) / (self.high - self.low)
        return 100 * min(max(share_of_axis, 0.0), 1.0)


_FEWEST = 2  #: Marks of an axis.
_MARGIN = 1.08  #: The length of an axis over the place of its last mark.
_LEAST_SPARE = 0.02  #: Of a share: what an axis has on both sides of its marks.
_COUNTED = ("held_out", "measured", "computed")


def _telling_columns(rows: Sequence[Sequence[str | b.Cell]]) -> list[int]:
    """Places of columns with a known figure; privacy counts only where it is a target."""
    wanted, *_ = rows
    private = len(wanted) - 2  # the last but one, before what figures rest on
    places = []
    for place in range(len(wanted)):
        compared = [wanted] if place == private else rows
        if any(row[place] != "–" for row in compared):
            places.append(place)
    return places


_LONGEST_TITLE = 34  # characters


def _title_in_short(way: WayResult) -> str:
    """The title with only the name of a model, without its provider."""
    title = way.title
    _, _, name = way.model.partition(":")
    if name:
        title = title.replace(way.model, name)
    return cut(title, _LONGEST_TITLE)


def _from_in_short(way: WayResult) -> str:
    """Say what the figures of a way rest on, in few words for a narrow terminal."""
    return _rests_on(way).removesuffix(" cases")


def _decisive(dossier: Dossier) -> str:
    """The way of the first step; empty for none."""
    for step in advised_steps(dossier):
        return step.way
    return ""


def section(dossier: Dossier, *, folded: bool = True) -> b.Section:
    """Every way: the known ones with their figures, the untried ones, and the rest folded."""
    ways = dossier.ways
    known = known_ways(ways)
    trying = [way for way in advised_ways(dossier) if way.kind != "tuning"]
    tunings = [way for way in ways if way.kind == "tuning"]
    advice = dossier.recommendation
    if isinstance(advice, Unknown):
        first: b.Block = b.Todo(advice.ask, "No recommendation was worked out.")
    else:
        first = b.Prose(advice.says, "lead")
    parts: list[b.Parts] = [
        first,
        _known_part(dossier, known),
        _trying_table("What could be tried, the best first", trying),
        _trying_table("Ways of tuning", tunings),
    ]
    rest = [way for way in ways if way not in (*known, *trying, *tunings)]
    if rest:
        other_ways = capital(several(len(rest), "other way"))
        title = f"{other_ways}, and why they aren’t advised here"
        around = b.fold if folded else b.part
        parts.append(around(title, _because_table("Other ways", rest)))
    return b.section("ways", _TITLE, parts)


def _known_part(dossier: Dossier, ways: Sequence[WayResult]) -> b.Block:
    """The table of known figures, with its picture where several ways have a score."""
    table = _known_table(dossier, ways)
    limit = dossier.targets["quality"].limit
    target = limit if isinstance(limit, float | int) else None
    return captioned(charts.ways(ways, target), table, is_open=True) or table


def _known_table(dossier: Dossier, ways: Sequence[WayResult]) -> b.Table:
    rows: list[list[str | b.Cell]] = [["wanted", *_wanted(dossier)]]
    for way in ways:
        name = b.Cell(way.title, _meets(way))
        rows.append([name, *_cells(way), _from(way)])
    titles = f"Way | #Quality | #p95 | #Bill{a_month(dossier)} | Private | From"
    return b.table("What runs, and what was scored", titles, rows)


def _meets(way: WayResult) -> str:
    """Say which targets a way meets and which it misses; empty without targets."""
    if not way.admissible:
        return ""
    if _is_enough(way):
        return "meets every target"
    parts = []
    missed = _targets_in(way, "missed")
    if missed:
        parts.append(f"{listing(missed)} missed")
    unknown = _targets_in(way, "unknown")
    if unknown:
        parts.append(f"{listing(unknown)} not known")
    return "; ".join(parts)


def _targets_in(way: WayResult, state: TargetState) -> list[str]:
    """The names of the targets that are in a state for a way."""
    return [
        TARGETS[target].name
        for target, its_state in way.admissible.items()
        if its_state == state
    ]


def _trying_table(caption: str, ways: Sequence[WayResult]) -> b.Table | None:
    """The table of ways to try; None without any."""
    if not ways:
        return None
    rows = [
        (
            way.title,
            NOT_KNOWN if way.chance_word in ("", "unknown") else way.chance_word,
            ranged(way.to_try.hours, as_hours, " h"),
            sentence(way.because),
        )
        for way in ways
    ]
    return b.table(caption, "Way | Enough? | #Work | Because", rows)


def _because_table(caption: str, ways: Sequence[WayResult]) -> b.Table:
    rows = [(way.title, _state_text(way), sentence(way.because)) for way in ways]
    return b.table(caption, "Way | State | Because", rows, quiet=True)


def _state_text(way: WayResult) -> str:
    """The state of a way; for an untried one, the targets that it is unlikely to meet."""
    unlikely = [
        TARGETS[target].name
        for target, chance in way.chances.items()
        if chance == "unlikely"
    ]
    if way.state == "untried" and unlikely:
        return f"untried, unlikely to meet {listing(unlikely)}"
    return plain(way.state)


def approaches(dossier: Dossier) -> b.Section:
    """The kind of tuning for each goal."""
    title = "How it would be fine-tuned"
    goals = dossier.approaches
    if isinstance(goals, Unknown):
        return b.section("how", title, b.Todo(goals.ask, "No goal is named."))
    rows = []
    for fit in goals:
        offers = f"offered by {listing(fit.offered_by)}" if fit.offered_by else ""
        lacking = ""
        if not isinstance(fit.missing, Unknown) and fit.missing > 0:
            lacking = f"{count(fit.missing)} more needed"
        row = (
            b.Cell(plain(fit.goal), f"priority {fit.priority}"),
            b.Cell(fit.title, offers, aside=True),
            need_text(fit),
            fit.compute,
            b.Cell(fit.feasible, lacking),
        )
        rows.append(row)
    titles = "Goal | Way of training | Data needed | Computing | ?Possible here"
    return b.section(
        "how", title, b.table("The goals, the first one first", titles, rows)
    )


def document(
    dossier: Dossier,
    framework: Framework,
    offers: KnownFacts | None = None,
    *,
    case_path: str = "",
    more: bool = False,
) -> b.Document:
    """Every way; ``offers`` adds models and the services that take new work.

    ``more`` says how to see these.
    """
    trying = advised_ways(dossier)
    sections: list[b.Section | None] = [section(dossier)]
    if any(way.id == "decomposition" for way in trying):
        sections.append(_split(framework))
    if offers is not None:
        sections.append(_models(framework, offers, dossier))
        sections.append(_offers(framework, offers, dossier.as_of))
    known = several(len(known_ways(dossier.ways)), "way")
    says = f"{known} known, {few(len(trying)) if trying else 'none'} to try."
    after = []
    if more:
        case = argument(case_path) if case_path else "CASE"
        command = f"tuneworthy show {case} options --all"
        after.append(f"Models, services and every way: {command}")
    return about(dossier, *sections, says=says, after=after)


def _split(framework: Framework) -> b.Section | None:
    """How to split the task, where splitting may help; None where the framework doesn't say."""
    kinds = framework.options["decomposition"].kinds
    if not kinds:
        return None
    steps = [f"{plain(step)}: {what}" for step, what in kinds.items()]
    says = "Score every step by itself, and work on the weakest."
    parts = (b.bullets(steps, ordered=True), says)
    return b.section("split", "How a split would look", parts, detail=True)


def _models(
    framework: Framework, offers: KnownFacts, dossier: Dossier
) -> b.Section | None:
    """The section on models: stated strengths, those this case needs, and how to measure them."""
    models = framework.models
    if models is None:
        return None
    needs = _needs(dossier)
    rows = []
    for name, strength in models.strengths.items():
        end = end_text(offers.model(models.ids.get(name, "")), dossier.as_of)
        suits = [plain(s) for s in models.suits.get(name, ()) if s in needs]
        rows.append((b.Cell(name, end), strength, listing(suits)))
    table = b.table(
        "Models and what they are said to be good at",
        "Model | Said to be strong in | Needed here",
        rows,
        quiet=True,
    )
    says = f"{models.says} Dated {as_day(models.dated)}."
    measure = f"Measure instead. {models.measure}"
    return b.section("models", "Which model", says, table, measure)


def _needs(dossier: Dossier) -> set[str]:
    """The ids of the case's goals, and of its signs and reasons that hold."""
    needs: set[str] = set()
    if not isinstance(dossier.approaches, Unknown):
        needs |= {approach.goal for approach in dossier.approaches}
    for answers in (dossier.signals, dossier.factors):
        needs |= {name for name, answer in answers.items() if answer.state == "yes"}
    return needs


_OFFERS_SAY = (
    "As their own pages said on the day shown. Services come and go within months, so look again "
    "before you build on one"
)


def _offers(framework: Framework, facts: KnownFacts, day: date) -> b.Section:
    """The section on services that still tune."""
    known = framework.approaches
    rows = []
    pages = []
    for service in facts.services:
        kinds = [known[name].title for name in service.approaches if name in known]
        takes_new = str(service.open_to_new)
        if service.until is not None:
            ends = "ended" if service.until <= day else "ends"
            takes_new += f"; {ends} on {as_day(service.until)}"
        offer = b.Cell(service.service, plain(service.kind))
        says = f"{service.says} Read on {as_day(service.dated)}.".strip()
        rows.append((offer, listing(kinds) or "unknown", takes_new, says))
        pages += [
            (service.service, b.Cell(str(page), href=str(page)))
            for page in service.sources
        ]
    titles = "Service | Kinds of tuning its pages name | Takes new work | What they say"
    return b.section(
        "offers",
        "Who still tunes",
        sentence(_OFFERS_SAY),
        b.table("Services that tune", titles, rows, quiet=True),
        b.table("Their pages", "Service | Page", pages),
    )


def ways_dict(dossier: Dossier) -> dict[str, Any]:
    """The parts of the dossier about ways, as plain JSON values."""
    whole = dossier.to_dict()
    names = ("case", "framework", "as_of", "ways", "recommendation", "approaches")
    return {name: whole[name] for name in names}
