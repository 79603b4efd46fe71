"""What published cases say about the chance that tuning wins, as fitted numbers with a record.

Everything adds up in log odds (natural logarithm): where the fit starts, what the goal adds, and
what each answer adds. An answer that is unknown adds nothing.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date
from itertools import chain
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.goals import Goal
from tuneworthy.domain.record import (
    FileRecord,
    Ident,
    Name,
    Natural,
    Record,
    Share,
    State,
    Text,
    wrong,
)

LogOdds = Annotated[float, Field(ge=-20, le=20)]
"""Log odds, or what is added to them; 20 is a chance of one in 500 million against."""

BlindCoder = Literal["blind1", "blind2"]
"""One of the two coders who saw only the situation."""


class Estimated(FileRecord):
    """A number with its 95% interval, in the unit of its field."""

    value: float
    """The number."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""

    @model_validator(mode="after")
    def _in_order(self) -> Estimated:
        if not self.low <= self.high:
            raise wrong("has an interval whose low end lies above its high end", "swap them")
        if not self.low <= self.value <= self.high:
            raise wrong("has a value outside its interval", "write low ≤ value ≤ high")
        return self

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


class AnswerOdds(FileRecord):
    """What the answers to one question add; unknown adds nothing."""

    yes: LogOdds = 0.0
    """What a yes adds."""
    no: LogOdds = 0.0
    """What a no adds."""
    source: Text = ""
    """What it was counted from."""


class FittedOn(FileRecord):
    """What the numbers were fitted on."""

    cases: Natural
    """Cases that are no tie."""
    clusters: Natural
    """Papers or companies they come from."""
    won: Natural
    """Cases in which tuning won."""
    codings: Natural = 2
    """How often each case was coded."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of what the fit read of them."""

    @model_validator(mode="after")
    def _possible(self) -> FittedOn:
        if self.won > self.cases or self.clusters > self.cases:
            raise wrong("counts more wins or clusters than cases", "count again")
        return self


class TrackRecord(FileRecord):
    """How the procedure did on cases it hadn't seen, with one coder's answers.

    Every choice was made anew without the case's paper or company. A gain is paired, case by case,
    against the share of wins among all of them, which the base rate is even allowed to know.
    """

    cases: Natural
    """Cases predicted."""
    clusters: Natural
    """Papers or companies they come from."""
    accuracy: Estimated
    """Share in which the likelier side won."""
    brier: Estimated
    """Mean squared distance between chance and outcome; 0.25 for a coin, 0 at best."""
    accuracy_gain: Estimated
    """Accuracy less that of the base rate."""
    brier_gain: Estimated
    """Brier score of the base rate less this one; above zero where the fit is better."""

    @model_validator(mode="after")
    def _shares(self) -> TrackRecord:
        for name in ("accuracy", "brier"):
            one: Estimated = getattr(self, name)
            if not (one.low >= 0 and one.high <= 1):
                raise wrong(f"has an {name} outside 0 … 1", "write it as a share")
        return self

    @property
    def earned(self) -> bool:
        """Whether both gains are above zero over their whole interval."""
        return self.accuracy_gain.low > 0 and self.brier_gain.low > 0


class Odds(FileRecord):
    """A fitted chance that tuning wins."""

    dated: date
    """When it was fitted."""
    source: Text
    """From what, and by which command."""
    fitted_on: FittedOn
    """Cases it was fitted on."""
    intercept: LogOdds
    """Log odds with every answer and the goal unknown."""
    goals: dict[Goal, LogOdds] = {}
    """What the goal adds; one that isn't here adds nothing."""
    answers: dict[Ident, AnswerOdds]
    """What answers add; a factor that isn't here adds nothing."""
    spread: dict[Name, dict[Name, float]] = {}
    """Covariance of the fitted numbers, its lower half: ``intercept``, ids of answers and ``goal:``
    with its id. An answer's entry is for half the distance from no to yes."""
    most_open: Share
    """With more of the weight of all answers open than this share, it abstains."""
    earned: Literal["yes", "no"]
    """Whether it beat the base rate, for both coders, by an interval without zero."""
    records: dict[BlindCoder, TrackRecord]
    """Its record with each coder's answers."""

    @model_validator(mode="after")
    def _spread_speaks_of_what_is_fitted(self) -> Odds:
        known = {"intercept", *self.answers, *(f"goal:{name}" for name in self.goals)}
        if strangers := sorted({*self.spread, *chain(*self.spread.values())} - known):
            raise wrong(f'has a spread of "{strangers[0]}", which it doesn\'t fit', "leave it out")
        return self

    @model_validator(mode="after")
    def _earned_by_record(self) -> Odds:
        both = len(self.records) == 2 and all(one.earned for one in self.records.values())
        if self.earned == "yes" and not both:
            raise wrong(
                "says earned: yes, and its records don't show it",
                "say earned: no; with that it abstains",
            )
        return self

    @property
    def record(self) -> TrackRecord | None:
        """The less flattering of the records; None without any."""
        return min(self.records.values(), key=lambda one: one.brier_gain.low, default=None)


def check_odds(odds: Odds, reasons_for: Container[str], reasons_against: Container[str]) -> None:
    """A fit speaks of what is asked, and a reason for never lowers the odds.

    Raises:
        PydanticCustomError: If an answer is no factor, or adds what is against its side.
    """
    for name, adds in odds.answers.items():
        if name in reasons_for:
            side, sane = "for", adds.no <= 0 <= adds.yes
        elif name in reasons_against:
            side, sane = "against", adds.yes <= 0 <= adds.no
        else:
            raise wrong(f'has odds for "{name}", which is no factor', "name a factor")
        if not sane:
            raise wrong(
                f'has odds by which "{name}", a reason {side}, speaks the other way',
                "leave it out of the odds, or list it among the reasons of the other side",
            )


class Move(Record):
    """What one answer, or the goal, does to the chance."""

    id: str
    """Id of the factor, or ``goal:`` with the goal's id."""
    state: State
    """The answer; yes for a goal."""
    log_odds: float
    """What it adds; 0 for an open answer."""
    log_odds_low: float
    """The least it could add: the same, or for an open answer the worse of yes and no."""
    log_odds_high: float
    """The most it could add."""


class Chance(Record):
    """The chance that tuning measures best, as far as published cases tell."""

    value: Share
    """With open answers adding nothing."""
    low: Share
    """Lower end of the 95% interval from the fit alone."""
    high: Share
    """Upper end of it."""
    open_low: Share
    """The least, if every open answer came out against tuning; the fit taken as exact."""
    open_high: Share
    """The most, if every open answer came out for it."""
    open_share: Share
    """Share of the weight of all answers that is open."""
    moves: tuple[Move, ...]
    """What moves it, the largest first; open answers by the most they could move."""

    @property
    def says(self) -> Literal["tune", "keep", "unknown"]:
        """Which side it is on: unknown unless the whole interval of the fit lies on one side."""
        return "tune" if self.low > 0.5 else "keep" if self.high < 0.5 else "unknown"
