"""A folder of cases as a table: a row for each case, filters, orders, a line of totals, a budget."""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple
from weakref import finalize

from pydantic import BeforeValidator, Field, ValidationError

from tuneworthy import __version__
from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.model.base import FileRecord, Number, Range, Record, Unknown
from tuneworthy.model.case import CaseDecision
from tuneworthy.model.dossier import Dossier, TuningAnswer
from tuneworthy.model.ways import CeilingGrade
from tuneworthy.plan.section import hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import dollars, headline
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    counted,
    day,
    few,
    listing,
    sentence,
    several,
    share,
    usd,
    usd_range,
)


class CaseRow(Record):
    """A case in a list: its results, or why it can't be read."""

    name: str  #: Name of its folder.
    title: str = ""  #: The case's own name.
    #: None where the case can't be read, as all of the rest.
    answer: TuningAnswer | None = None
    says: str = ""  #: The answer as a sentence.
    because: str = ""  #: The same without the answer and the first step.
    next: str = ""  #: The next step.
    #: The money asked for now; None where there is no plan.
    ask_usd: Number | None = None
    ask_hours: Range | None = None  #: The work in it.
    worth_usd: Number | None = None  #: Mean net present value: what is at stake.
    contradictions: int = 0
    measured: int = 0  #: Answers that data settled,
    answered: int = 0  #: of so many that are known.
    #: The grade of its ceiling; empty where nothing was tried or claimed.
    grade: CeilingGrade | Literal[""] = ""
    owner: str = ""
    signed: str = ""  #: By whom, and when.
    as_of: date | None = None  #: The day that it speaks for.
    review_on: date | None = None
    due: bool = False  #: Whether that day has come.
    #: Whether it is being worked out; what is told then is of before.
    pending: bool = False
    problem: str = ""  #: Why it can't be read; empty where it can.

    @property
    def ask(self) -> str:
        """The ask: in USD, or in hours where nobody priced them; empty for none."""
        if self.ask_usd is None:
            return ""
        unpriced = isinstance(self.ask_usd, Range) and self.ask_usd.low == 0
        if unpriced and top(self.ask_usd) is None and self.ask_hours is not None:
            return hours_text(self.ask_hours.low, self.ask_hours.high)
        return dollars(self.ask_usd)

    @property
    def review(self) -> str:
        """The day of the review, and whether it is due; empty without one."""
        if self.review_on is None:
            return ""
        return f"{day(self.review_on)}, due" if self.due else day(self.review_on)


def case_row(name: str, dossier: Dossier) -> CaseRow:
    """The row of a dossier, with texts that are safe for a terminal."""
    money = dossier.investment
    basis = dossier.verdict.basis
    advice = dossier.recommendation
    ask_usd: float | Range | None = None
    ask_hours = None
    if not isinstance(dossier.ask, Unknown):
        # one number, and no range, where both ends are equal
        ask_usd = Range(low=dossier.ask.low, high=dossier.ask.high).narrowed()
        ask_hours = dossier.ask.hours
    decision = dossier.decision or CaseDecision()
    signed = decision.signed
    review = decision.review_on
    challenges = [challenge.severity for challenge in dossier.challenges]
    return CaseRow(
        name=name,
        title=safe(dossier.case.name),
        answer=dossier.verdict.answer,
        says=headline(dossier),
        because=dossier.verdict.because,
        next=sentence(advice.ask) if isinstance(advice, Unknown) else advice.says,
        ask_usd=ask_usd,
        ask_hours=ask_hours,
        worth_usd=money if isinstance(money, Unknown) else money.gain_usd,
        contradictions=challenges.count("contradiction"),
        measured=basis.measured,
        answered=basis.measured + basis.stated + basis.assumed,
        grade=dossier.ceiling.grade,
        owner=safe(decision.owner or ""),
        signed=safe(f"{signed.by}, {day(signed.on)}") if signed else "",
        as_of=dossier.as_of,
        review_on=review,
        due=review is not None and review <= dossier.as_of,
    )


# What is asked of a list: which cases, in which order, and what a budget would fund.

Order = Literal[
    "answer",
    "name",
    "ask",
    "stake",
    "contradictions",
    "review",
    "measured",
    "per_dollar",
]

_EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)


class CaseQuery(FileRecord, defer_build=False):
    """A choice of cases, and their order."""

    find: Annotated[str, Field(max_length=100)] = ""
    """Words that the name of the folder or of the case has to contain, all of them."""
    answer: TuningAnswer | Literal[""] = ""  #: Only those with this answer.
    owner: Annotated[str, Field(max_length=200)] = ""  #: Only those of this owner.
    contradictions: bool = False  #: Only those with an open contradiction.
    due: bool = False  #: Only those whose review is due.
    sort: Annotated[Order | None, _EMPTY_IS_NONE] = None
    """The column to sort by: the highest or the soonest comes first. By default, the answer; with a
    budget, the worth per dollar."""
    #: The other way round; what isn't known is last all the same.
    reverse: bool = False
    budget: Annotated[float | None, Field(ge=0, le=1e12), _EMPTY_IS_NONE] = None
    """USD that fund cases from the top of the list by worth per dollar asked."""
    #: Begin after the case of this name.
    after: Annotated[str, Field(max_length=100)] = ""

    @property
    def order(self) -> Order:
        return self.sort or ("answer" if self.budget is None else "per_dollar")

    def fits(self, row: CaseRow) -> bool:
        """Whether a case is one of those that are asked for, whatever its answer."""
        text = f"{row.name} {row.title}".casefold()
        return (
            all(word in text for word in self.find.casefold().split())
            and self.owner in ("", row.owner)
            and row.contradictions >= self.contradictions
            and row.due >= self.due
        )


def query_of(options: dict[str, Any]) -> CaseQuery:
    """The options of a command as a query.

    Raises:
        InputError: If an option has a wrong value.
    """
    try:
        return CaseQuery.model_validate(options)
    except ValidationError as caught:
        first = caught.errors(include_url=False)[0]
        where = f"--{first['loc'][0]}"
        raise InputError(
            f"is wrong: {first['msg'][:200]}", where=where, fix="see --help"
        ) from None


def top(amount: Number | None) -> float | None:
    """The upper end of an amount; None where it is unknown."""
    most = amount.high if isinstance(amount, Range) else amount
    return most if isinstance(most, float | int) else None


def worth_per_dollar(row: CaseRow) -> float | None:
    """The worth of a case per dollar of its ask, infinite for a free one.

    None where it can't be funded, whatever the budget.
    """
    worth = top(row.worth_usd)
    ask = top(row.ask_usd)
    if worth is None or ask is None or _why_never_funded(row):
        return None
    return worth / ask if ask > 0 else math.inf


ANSWERS: tuple[TuningAnswer, ...] = ("yes", "pilot", "open", "not_yet", "no")
_KEYS: dict[Order, Callable[[CaseRow], Any]] = {
    "answer": lambda row: row.answer and ANSWERS.index(row.answer),
    "name": lambda row: row.title.casefold() or None,
    "review": lambda row: row.review_on,
    "ask": lambda row: top(row.ask_usd),
    "stake": lambda row: top(row.worth_usd),
    "contradictions": lambda row: row.contradictions,
    "measured": lambda row: row.measured / row.answered if row.answered else None,
    "per_dollar": worth_per_dollar,
}
RISING = ("answer", "name", "review")  #: Orders in which the least comes first.


def in_order(
    rows: Iterable[CaseRow], order: Order, *, reverse: bool = False
) -> list[CaseRow]:
    """Sort rows; those with an unknown value come last in either direction."""
    # A rising order falls in reverse, and a falling one rises.
    falls = (order in RISING) == reverse
    key = _KEYS[order]
    # Sorts keep the order of equal rows, so that names decide at last.
    named = sorted(rows, key=lambda row: (row.title.casefold() or row.name, row.name))
    if order == "answer":  # of one answer by what is at stake, the most first
        named.sort(key=lambda row: -(top(row.worth_usd) or 0.0))
    known = [row for row in named if key(row) is not None]
    unknown = [row for row in named if key(row) is None]
    known.sort(key=key, reverse=falls)
    return known + unknown


# A budget: the cases in the order of what they are worth for a dollar, as far as it goes.


class Funding(Record):
    """The cases that a budget pays for, taken in the order of their worth per dollar of the ask."""

    budget_usd: float
    ask_usd: float  #: The most that the funded cases ask together.
    worth_usd: float
    funded: dict[str, float | None]
    """The worth per dollar of each funded case by its name, the highest first; None for a free one."""
    left_out: dict[str, str]  #: Name of each other case to the reason.
    #: Name of the first case that isn't reached; empty where none is left.
    next: str = ""
    next_ask_usd: float | None = None  #: The most that this next case asks.

    @property
    def says(self) -> str:
        """Say which cases the budget pays for, and how much the next case would take."""
        budget = usd(self.budget_usd)
        pays = f"{budget} funds no case."
        if self.funded:
            cases = counted(len(self.funded), "case")
            worth = usd(self.worth_usd)
            pays = f"{budget} funds {cases} for {usd(self.ask_usd)}, worth {worth} on average."
        if self.next_ask_usd is None:
            return f"{pays} No other case can be funded."
        return f"{pays} The next one asks {usd(self.next_ask_usd)}."

    @property
    def says_line(self) -> str:
        """The line in the list at which the budget ends."""
        return f"The budget of {usd(self.budget_usd)} ends here: {usd(self.ask_usd)} asked above"

    def describe_funding(self, row: CaseRow) -> str:
        """Say whether a case is funded, and why not; empty for a case that asks for nothing."""
        if row.name in self.funded:
            worth = self.funded[row.name]
            return "funded" if worth is None else f"funded: worth {usd(worth)} a dollar"
        return "" if row.ask_usd is None else self.left_out.get(row.name, "")


def fund(rows: Sequence[CaseRow], budget: float) -> Funding:
    """Fund cases in the order of their worth per dollar, until the budget ends.

    An ask counts with its upper end. The line is before the first case that would exceed the
    budget. Nothing below it is funded, so a larger budget never removes a case. An unknown ask or
    worth never counts as zero.
    """
    funded: dict[str, float | None] = {}
    left_out: dict[str, str] = {}
    worth_usd = 0.0
    spent_cents = 0  # whole cents, so that sums are exact
    first_below: CaseRow | None = None
    for row in in_order(rows, "per_dollar"):
        never = _why_never_funded(row)
        cents = math.ceil(round(100 * (top(row.ask_usd) or 0.0), 4))
        if never:
            left_out[row.name] = never
        elif first_below is None and spent_cents + cents <= math.floor(100 * budget):
            spent_cents += cents
            worth_usd += top(row.worth_usd) or 0.0
            per_dollar = worth_per_dollar(row)
            funded[row.name] = None if per_dollar == math.inf else per_dollar
        else:
            first_below = first_below or row
            spent = f"{usd(spent_cents / 100)} of {usd(budget)}"
            left_out[row.name] = (
                f"below the line: asks {usd(cents / 100)}, and {spent} go to what is "
                "worth more a dollar"
            )
    return Funding(
        budget_usd=budget,
        ask_usd=spent_cents / 100,
        worth_usd=worth_usd,
        funded=funded,
        left_out=left_out,
        next="" if first_below is None else first_below.name,
        next_ask_usd=None if first_below is None else top(first_below.ask_usd),
    )


def _why_never_funded(row: CaseRow) -> str:
    """Why a case can't be funded by any budget; empty where it can."""
    if row.pending:
        return "being worked out"
    if row.answer is None:
        return "can’t be read"
    if row.answer == "no":
        return f"nothing for tuning: the answer is {ANSWER_WORDS[row.answer]}"
    if row.ask_usd is None:
        return "asks for nothing: there is no plan yet"
    if top(row.ask_usd) is None:
        return f"what it asks isn’t known: {_lacking_end(row.ask_usd)}"
    worth = top(row.worth_usd)
    if worth is None:
        return f"what it is worth isn’t known: {_lacking_end(row.worth_usd)}"
    return f"worth {usd(worth)} on average" if worth <= 0 else ""


def _lacking_end(amount: object) -> str:
    """What would settle an amount without an upper end."""
    return amount.ask if isinstance(amount, Unknown) else "it has no upper end"


# The whole, as every surface shows it.


class Totals(Record):
    """Sums over some cases. A case with the answer no has nothing at stake."""

    answers: dict[TuningAnswer, int]  #: Cases by answer, whichever is asked for.
    asking: int  #: Cases that ask for money now.
    ask_usd: Range  #: The sum of those asks that are known.
    ask_unknown: int
    worth_usd: float  #: The worth of those cases, as far as it is known.
    worth_unknown: int
    measured: int  #: Answers that data settled,
    answered: int  #: of so many that are known.
    contradictions: int  #: Cases with an open contradiction.
    due: int  #: Cases whose review is due.
    problems: int  #: Cases that can't be read.
    #: Cases of the folder that are being worked out, whether they fit or not.
    pending: int

    @property
    def says(self) -> str:
        """The line of totals."""
        answers = [
            f"{many} {ANSWER_WORDS[answer]}"
            for answer, many in self.answers.items()
            if many
        ]
        asked = usd_range(self.ask_usd.low, float(self.ask_usd.high))
        asked += f" asked now by {counted(self.asking - self.ask_unknown, 'case')}"
        if self.ask_unknown:
            asked += f" (not known for {few(self.ask_unknown)} more)"
        worth = f"{usd(self.worth_usd)} at stake where the answer isn’t no"
        if self.worth_unknown:
            worth += f" (not known for {few(self.worth_unknown)})"
        parts = [listing(answers) or "no answer yet", asked, worth]
        if self.answered:
            measured = share(self.measured / self.answered)
            parts.append(f"{measured} of {counted(self.answered, 'answer')} measured")
        to_do = {
            "with an open contradiction": self.contradictions,
            "due for review": self.due,
            "that can’t be read": self.problems,
            "being worked out": self.pending,
        }
        parts += [
            f"{counted(many, 'case')} {what}" for what, many in to_do.items() if many
        ]
        return sentence("; ".join(parts))


def totals(
    rows: Sequence[CaseRow], answers: Counter[TuningAnswer], pending: int
) -> Totals:
    """Add up the rows of cases; a case whose ask or worth is unknown is counted and not added.

    In whole dollars, as each row shows its own: a reader adds them up.
    """
    asking = [row for row in rows if row.ask_usd is not None]
    known = [row.ask_usd for row in asking if top(row.ask_usd) is not None]
    lows = [ask.low if isinstance(ask, Range) else top(ask) for ask in known]
    worth = [top(row.worth_usd) for row in asking if row.answer != "no"]
    ask_usd = Range(
        low=sum(round(low or 0.0) for low in lows),
        high=sum(round(top(ask) or 0.0) for ask in known),
    )
    return Totals(
        answers={answer: answers[answer] for answer in ANSWERS},
        asking=len(asking),
        ask_usd=ask_usd,
        ask_unknown=len(asking) - len(known),
        worth_usd=sum(round(amount) for amount in worth if amount is not None),
        worth_unknown=worth.count(None),
        measured=sum(row.measured for row in rows),
        answered=sum(row.answered for row in rows),
        due=sum(row.due for row in rows),
        contradictions=sum(row.contradictions > 0 for row in rows),
        problems=sum(row.problem != "" for row in rows),
        pending=pending,
    )


class Portfolio(Record):
    """Some cases of a folder, and the sums over all that fit a query."""

    cases: tuple[CaseRow, ...]
    total: int  #: Cases in the folder.
    matching: int  #: Of them, those that fit.
    more: bool  #: Whether more follow: ask again, after the last name.
    totals: Totals
    owners: tuple[str, ...]  #: Everybody who answers for a case of the folder.
    funding: Funding | None = None  #: For a budget.
    line: str = ""
    """The name of the first case that the budget doesn't reach; empty where the list has another
    order."""

    @property
    def says(self) -> str:
        """Say how many cases there are, and how many of them fit."""
        cases = counted(self.total, "case")
        if self.total == self.matching:
            return cases
        return f"{self.matching:,} of {cases}"


def portfolio(
    every: Sequence[CaseRow], query: CaseQuery, most: int | None = None
) -> Portfolio:
    """The rows that fit, in order, at most ``most`` after ``query.after``; and the sums of all."""
    fitting = [row for row in every if query.fits(row)]
    answers = Counter(row.answer for row in fitting if row.answer is not None)
    answered = [row for row in fitting if query.answer in ("", row.answer)]
    ordered = in_order(answered, query.order, reverse=query.reverse)
    begin = 0
    if query.after:
        names = [row.name for row in ordered]
        if query.after not in names:
            raise InputError(
                "isn't in this list any more", where=query.after, fix="begin it again"
            )
        begin = names.index(query.after) + 1
    page = ordered[begin : None if most is None else begin + most]
    funding = None if query.budget is None else fund(ordered, query.budget)
    falls = funding is not None and query.order == "per_dollar" and not query.reverse
    return Portfolio(
        cases=tuple(page),
        total=len(every),
        matching=len(ordered),
        more=begin + len(page) < len(ordered),
        totals=totals(ordered, answers, sum(row.pending for row in every)),
        owners=tuple(sorted({row.owner for row in every if row.owner})),
        funding=funding,
        line=funding.next if funding and falls else "",
    )


STAKE = (
    "At stake is a case’s average worth over its months (net present value), a pilot’s failure "
    "counted in; an ask is all that is spent up to the next decision. "
    "What isn’t known never counts as nothing."
)


def document(listed: Portfolio, folder: str) -> b.Document:
    """The document of a portfolio: the line of totals, and the table."""
    chosen = listed.funding
    people = any(row.owner or row.review_on for row in listed.cases)
    titles = "Case | Answer | #Ask now | #At stake | #Measured | Ceiling"
    if people:
        titles += " | Owner, review"
    if chosen:
        titles += " | Budget"
    empty = [""] * titles.count("|")
    rows: list[tuple[str, ...]] = []
    for row in listed.cases:
        if chosen and row.name == listed.line:
            rows.append((chosen.says_line, *empty))
        cells = [row.title or row.name, *_cells(row)]
        if people:
            cells.append(", ".join(filter(None, (row.owner, row.review))))
        if chosen:
            cells.append(chosen.describe_funding(row))
        rows.append(tuple(cells))
    line = [listed.totals.says] if chosen is None else [listed.totals.says, chosen.says]
    table = b.table("Cases", titles, rows) if rows else "No case fits."
    sections = [b.section("totals", "", line), b.section("cases", "", table)]
    return b.Document(folder, listed.says, sections, after=(STAKE,))


def _cells(row: CaseRow) -> tuple[str, ...]:
    """The answer of a case, what it asks and is worth, and what that rests on."""
    answer = row.problem or ("being worked out" if row.pending else "")
    if row.answer:
        answer = ANSWER_WORDS[row.answer]
        if row.contradictions:
            answer += f"; {several(row.contradictions, 'contradiction')}"
    worth = "–" if row.worth_usd is None else dollars(row.worth_usd)
    measured = share(row.measured / row.answered) if row.answered else "–"
    return answer, row.ask or "–", worth, measured, row.grade or "–"


# What was worked out, kept for the next start.

_TABLE = (
    "CREATE TABLE IF NOT EXISTS kept "
    "(place, name, key, row, PRIMARY KEY (place, name)) WITHOUT ROWID"
)


class KeptRow(NamedTuple):
    """A computed row, and the key of everything that it depends on; empty for none."""

    key: str
    row: CaseRow


@cache
def _program() -> str:
    """A text that differs for another version of the program, or after a change of its files."""
    here = Path(__file__).parents[1]
    files = sorted(path for path in here.rglob("*.*") if path.suffix != ".pyc")
    states = (
        f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files
    )
    return hashlib.sha256("\n".join((__version__, *states)).encode()).hexdigest()


class KeptCases:
    """Rows in a file of the user's cache folder, readable only by the user.

    It only saves time. A file that can't be read or written, is broken, or belongs to another
    program counts as empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = Lock()
        base = None
        with suppress(OSError, sqlite3.Error):
            base = self._open_database(path) if path is not None else None
        self._base = base or sqlite3.connect(":memory:", check_same_thread=False)
        finalize(self, self._base.close)

    def _open_database(self, path: Path) -> sqlite3.Connection:
        """Open the database of kept rows; delete a file that isn't one, and raise the error."""
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        base = sqlite3.connect(
            path, timeout=0.5, isolation_level=None, check_same_thread=False
        )
        try:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = NORMAL")
            base.execute(_TABLE)
        except sqlite3.Error as caught:
            base.close()
            if "not a database" in str(caught):  # it is begun anew at the next start
                path.unlink()
            raise
        return base

    def _run(self, statement: str, *values: object) -> list[Any]:
        with self._lock, suppress(sqlite3.Error):
            return self._base.execute(statement, values).fetchall()
        return []

    def rows(self, place: str) -> dict[str, KeptRow]:
        """The last row of each case; {} for none."""
        rows = dict[str, KeptRow]()
        asked = "SELECT name, key, row FROM kept WHERE place = ? AND length(row) < ?"
        for name, made_from, text in self._run(asked, place, MIB):
            with suppress(ValueError):
                row = CaseRow.model_validate_json(text)
                program, _, key = str(made_from).partition(" ")
                own = program == _program() and row.name == name
                rows[str(name)] = KeptRow(key if own else "", row)
        return rows

    def keep(self, place: str, kept: KeptRow) -> None:
        """Keep a row instead of the former one."""
        text = kept.row.model_dump_json(exclude_defaults=True)
        statement = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)"
        self._run(statement, place, kept.row.name, f"{_program()} {kept.key}", text)
