"""A way: anything that could run in a use case, with its known figures.

Today's way, a listed model, an arm of a lab, the result of another tool, an option that nobody
tried, a kind of tuning, a tuned model, and no model at all are all the same record.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from tuneworthy.model.base import Number, Record, State, Strings, Unknown
from tuneworthy.model.evidence import GoNoGo, TargetState
from tuneworthy.model.framework import TargetId

WayKind = Literal["now", "model", "arm", "option", "tuning", "tuned", "no_model"]
"""The kind of way: the one that runs now; a listed model; an arm of a lab or of another tool; an
option that nobody tried; a kind of tuning that nobody tried; an existing tuned model; or no
language model at all."""

WayState = Literal["running", "measured", "stated", "untried", "failed", "ruled_out"]
"""``failed`` was tried, and a target is still missed. ``ruled_out`` can't be used here at all."""

FigureId = Literal[
    "quality", "latency_p95_s", "usd_per_month", "private", "general_skills"
]

FigureGrade = Literal[
    "held_out", "measured", "computed", "stated", "published", "rule_of_thumb"
]
"""How well a figure is known, the best first. ``held_out``: cases that selected nothing."""

LabName = Literal["ceiling", "verify", "pilot", "import"]
"""The lab that ran an arm; ``import`` for the results of another tool."""

CeilingGrade = Literal["claimed", "tried", "searched"]
"""How well a ceiling is known. ``claimed``: somebody says so. ``tried``: a lab ran prompts of the
team's own. ``searched``: a lab searched for better ones until another draw was worth less than a
margin."""

ChanceWord = Literal["likely", "possible", "unlikely", "unknown"]


class Figure(Record):
    """One figure of one way; it comes from that way alone.

    ``private`` and ``general_skills`` are 1 for kept and 0 for not kept.
    """

    value: float  #: The best single number, in the unit of the figure's name.
    low: float | Unknown  #: Lower end of its interval; the value where it has none.
    high: float | Unknown  #: Upper end.
    grade: FigureGrade
    #: Cases it was counted on.
    cases: int | Unknown = Unknown(ask="say on how many cases")
    source: str = ""  #: The lab, log, statement or table that it comes from, in words.
    brought: bool = False
    """Whether it came with the folder and wasn't checked here."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends; None where one of them is unknown."""
        if isinstance(self.low, Unknown) or isinstance(self.high, Unknown):
            return None
        return self.low, self.high


_NOT_COMPARED = Unknown(ask="compare it: tuneworthy verify CASE")


AnyFigure = Figure | Unknown  #: A figure, or what would settle it.


class HeldTarget(Record):
    """One target held against one way, by the one criterion."""

    state: TargetState
    #: The target; unknown where quality only has to be no worse.
    limit: float | Unknown
    figure: AnyFigure  #: The known figure of the way.
    settles: str = ""  #: The step that would tell, where the state is unknown.


class WorkToDo(Record):
    """Work, money and time to try a way, or to put it to use."""

    hours: Number
    usd: Number
    weeks: Number
    command: str = ""  #: The command of this program that does it; empty for none.


class WayResult(Record):
    """A way as the dossier has it."""

    id: str  #: Unlike any other of the case: ``now``, ``model:openai:gpt-6-luna``, ``few_shot``.
    title: str
    kind: WayKind
    #: The kind of step that leads to it, as ``other_model`` or ``few_shot``.
    option: str
    state: WayState
    made_of: Strings  #: Options it makes use of, such as ``few_shot`` or ``retrieved_examples``.
    model: str  #: The model that answers; empty where no model does, or none is named.
    figures: dict[FigureId, AnyFigure]
    #: By the one criterion, for each target that counts.
    admissible: dict[TargetId, TargetState]
    chance: float | Unknown  #: That it meets every target, where it isn't known to.
    chance_word: ChanceWord | Literal[""]
    chances: dict[TargetId, ChanceWord]
    """Of each missed target, where nobody ran the way; ``unknown`` where it may help, and no target
    is stated or nobody scored what runs today."""
    because: str  #: Why it helps here, or why it doesn't.
    #: The effect in published comparisons; empty where these are too few.
    published: str
    to_try: WorkToDo
    to_adopt: WorkToDo
    rank: int  #: 1 for the first to try or to use.
    #: The day its model no longer answers; only where one is known.
    ends: date | None = None


class LabArm(Record):
    """A way that a lab ran on this case's own cases, or a result of another tool."""

    id: str  #: Unlike any other arm of its lab.
    title: str  #: As the lab's table names it.
    lab: LabName
    kind: Literal["prompted", "tuned", "no_model"]
    model: str  #: As the case lists it; empty where none answers. Of a pilot's tuned arm, its base.
    prompt: str = ""  #: Name of its prompt; empty for what has none.
    made_of: Strings  #: Options it makes use of.
    quality: AnyFigure
    """``held_out``: on cases that selected nothing. ``measured``: on the cases for selecting. The
    interval holds for all arms at once that the lab compared on these cases."""
    latency_p95_s: AnyFigure
    usd_per_call: AnyFigure  #: For one case: all calls of a chain together.
    gain: AnyFigure = _NOT_COMPARED
    """Of a tuned arm: its quality less that of the untuned arm beside it, case by case on held-out
    cases; unknown for every other arm."""
    #: Id of that untuned arm, the best of its lab by the cases for selecting.
    beside: str = ""
    best_known: State = "unknown"
    """Of a tuned arm: whether the best untuned arm of its lab is known; no where another one may be
    better, as too few of its calls got an answer or only a judge's word chose."""
    private: State = "unknown"
    """Whether data stay inside; unknown: who runs the model of that name tells it."""
    #: Whether a tuned arm kept them; unknown: nobody asked.
    general_skills: State = "unknown"
    #: Whether a tuned arm kept its refusals and gives no secret back.
    safe: State = "unknown"
    #: Of the tuned arm that a pilot judged: what its card says.
    card: GoNoGo | Literal[""] = ""
    card_says: str = ""  #: The line of the card that decides.
    #: Whether the log shows that this is what production runs.
    runs_today: bool = False
    observed_on: date | None = None  #: The day of the lab.
