"""What a ceiling lab found, as sections of a page: the words and numbers of the terminal's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuneworthy.domain.calls import Quote
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.lab import Arm, CeilingResult, Failures, Stand
from tuneworthy.domain.record import Unknown
from tuneworthy.report.charts import lab as charts
from tuneworthy.report.html.blocks import (
    Block,
    Bullets,
    Column,
    Fact,
    Facts,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
)
from tuneworthy.report.lab.live import live_board, live_rows
from tuneworthy.report.lab.quote import quote_rows
from tuneworthy.report.lab.rows import (
    Rows,
    answered_rows,
    board_row,
    board_title,
    ceiling_rows,
    failure_kinds,
    failures_said,
    published_row,
    report_title,
)
from tuneworthy.report.lab.words import spent_text
from tuneworthy.report.layout import safe
from tuneworthy.report.words import count, few, listing, quality, several

_MOST_ARMS = 50
_HEAD = (Column("Arm"), Column("Quality", "number"), Column("USD a case", "number"),
         Column("p95", "number"))  # fmt: skip


def facts(rows: Rows) -> Facts:
    """Labelled rows as facts."""
    return Facts(tuple(Fact(label, says) for label, says in rows))


def found(result: CeilingResult, dossier: Dossier, before: Dossier) -> tuple[Section, ...]:
    """Everything a lab found: what to quote, the leaderboard, failures, and what it means.

    Args:
        result: What it found.
        dossier: The case as it stands with it.
        before: The case as it stood before.
    """
    blocks: list[Block] = [facts(ceiling_rows(result))]
    if (drawn := _curve(result)) is not None:
        blocks.append(drawn)
    sections = [
        Section("lab-found", report_title(result), tuple(blocks)),
        Section("lab-checks", "What it says about the case", _checks(result, dossier, before)),
        Section("lab-arms", board_title(result), tuple(_board(result))),
    ]
    if result.failures:
        kinds = _failures(result.failures)
        sections.append(Section("lab-failures", "Where the best prompt fails", kinds))
    return tuple(sections)


def ended(result: CeilingResult) -> Facts:
    """What it has cost, why it ended early where it did, and what comes next."""
    rows = [("Spent", spent_text(result.spend, result.calls_saved))]
    if result.stopped:
        rows.append(("Stopped", safe(result.stopped)))
    return facts([*rows, ("Next", _next(result))])


def standing(stand: Stand, passed_s: float) -> tuple[Block, ...]:
    """How a lab stands while it runs, with its leaderboard once there is one."""
    told = facts(list(live_rows(stand, passed_s)))
    rows = tuple(
        (arm, share, "in the race" if running else "left behind")
        for arm, share, running in live_board(stand)
    )
    if not rows:
        return (told, Prose("The leaderboard comes with the first round.", "small"))
    head = (Column("Arm"), Column("Quality", "number"), Column("Stands"))
    return (told, Table("Arms so far, on the cases for selecting", head, rows))


def offered(
    arms: Sequence[Arm], select: int, report: int, told: Quote, places: Sequence[str]
) -> tuple[Block, ...]:
    """What a lab would run, what it would cost, and where it would be sent."""
    names = tuple(safe(arm.id) for arm in arms[:_MOST_ARMS])
    if (more := len(arms) - _MOST_ARMS) > 0:
        names += (f"and {few(more)} more",)
    title = several(len(arms), "arm").capitalize()
    rows = [*quote_rows(select, report, told), ("Sent to", listing([safe(p) for p in places]))]
    return (facts(rows), Fold(title, (Bullets(names),)))


def _board(result: CeilingResult) -> Iterator[Block]:
    yield Prose("The best of many looks too good here: the part above counts.")
    rows = [board_row(one) for one in result.arms[:_MOST_ARMS]]
    rows += [published_row(one) for one in result.published[:_MOST_ARMS]]
    cells = tuple((arm, *numbers) for *numbers, arm in rows)
    table = Table(board_title(result), _HEAD, cells, quiet=True)
    target = None if isinstance(result.target, Unknown) else result.target
    drawing = charts.board(result.arms, target)
    if drawing is None:
        yield table
        return
    key = [("pro", "stayed in the race"), ("open", "left behind, on fewer cases")]
    if target is not None:
        key.append(("con", f"target {quality(target)} (dashed)"))
    says = "The share of cases that is right, with its 95% interval."
    yield Picture("lab-board", "Arms side by side", says, drawing, table, tuple(key), "open")
    if (more := len(result.arms) - _MOST_ARMS) > 0:
        yield Prose(f"and {few(more)} more", "small")


def _curve(result: CeilingResult) -> Picture | None:
    target, upper = (
        None if isinstance(one, Unknown) else one for one in (result.target, result.upper)
    )
    drawing = charts.curve(result.curve, target=target, upper=upper)
    if drawing is None:
        return None
    key = [("pro", "best so far")]
    if target is not None:
        key.append(("con", f"target {quality(target)} (dashed)"))
    if upper is not None:
        key.append(("dot", f"upper bound of all that stayed {quality(upper)} (dashed)"))
    rows = tuple((count(point.arms), quality(point.best)) for point in result.curve)
    title = "The best so far, arm by arm"
    says = "On the cases for selecting, in the order the arms were planned."
    head = (Column("Arms tried", "number"), Column("Best so far", "number"))
    return Picture("lab-curve", title, says, drawing, Table(title, head, rows), tuple(key))


def _checks(result: CeilingResult, dossier: Dossier, before: Dossier) -> tuple[Block, ...]:
    if not (told := answered_rows(result, dossier, before)):
        return (Prose("Nothing: it was cut short, and part of an answer is none."),)
    rows = tuple(
        (safe(check.title), "yes" if result.checks.get(name) == "yes" else "unknown", check.state)
        for name, check in dossier.ceiling.checks.items()
    )
    head = (Column("Check"), Column("Shown by this lab", "state"), Column("In the case", "state"))
    return (facts(told), Table("The five checks of the ceiling test", head, rows))


def _failures(kinds: Sequence[Failures]) -> tuple[Block, ...]:
    parts = tuple(Part(kind.says, (Bullets(kind.examples),)) for kind in failure_kinds(kinds))
    return (Prose(failures_said(kinds)), *parts)


def _next(result: CeilingResult) -> str:
    if result.stopped:
        return "Start it again to go on; raise the cap where that was in the way"
    again = "then start it again: nothing is paid twice"
    if isinstance(result.target, Unknown):
        return f"State targets.quality.at_least in the case file, {again}"
    if result.reached == "too_few_cases" and not isinstance(result.cases_needed, Unknown):
        return f"Make {count(result.cases_needed)} cases in all, {again}"
    return "The verdict above has it"
