"""A way with its figures and its effect on errors, and the one criterion for ways that are good enough.

The judgement, the plan, the pilot's card, verify, watch and the requirements of a job all use that
criterion for *met* and *missed*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from tuneworthy.answers.facts import TARGETS
from tuneworthy.model.base import Interval, Range, State, Strings, Unknown
from tuneworthy.model.evidence import TargetState
from tuneworthy.model.framework import Framework, Moves, TargetId, Triangle
from tuneworthy.model.ways import (
    AnyFigure,
    Figure,
    FigureGrade,
    FigureId,
    WayKind,
    WayState,
)
from tuneworthy.stats.intervals import cases_to_tell, times_longer, wilson
from tuneworthy.words import listing

FIGURE_OF: Mapping[TargetId, FigureId] = {
    "quality": "quality",
    "latency": "latency_p95_s",
    "cost": "usd_per_month",
    "privacy": "private",
}  #: The figure that a target is held against.


# cases of a share that is supposed: so many that no target lies in its interval
_SURE = 10**6


class KnownNumber(NamedTuple):
    """A known figure of a way, with its ends and its source."""

    low: float
    value: float
    high: float
    grade: FigureGrade
    #: Cases it was counted on; None where nobody said, or none are.
    cases: int | None = None
    source: str = ""
    #: Whether it came with the folder and wasn't checked here.
    brought: bool = False

    def made_sure(self) -> KnownNumber:
        """The figure as if it rested on a huge number of cases."""
        return self._replace(low=self.value, high=self.value, cases=_SURE)

    @property
    def spread(self) -> Range:
        """The two ends."""
        return Range.between(self.low, self.high)


def share_of_cases(
    share: float | None, cases: int | None, grade: FigureGrade, source: str = ""
) -> KnownNumber | None:
    """A share with Wilson's 95% interval; a point without its cases; None without the share."""
    if share is None:
        return None
    if not cases:
        return KnownNumber(share, share, share, grade, None, source)
    low, high = wilson(share * cases, cases)
    return KnownNumber(low, share, high, grade, cases, source)


def known_amount(
    amount: Interval | None, grade: FigureGrade, source: str = ""
) -> KnownNumber | None:
    """An amount with its ends; None where it is unknown."""
    if amount is None:
        return None
    return KnownNumber(amount.low, amount.value, amount.high, grade, None, source)


@dataclass(frozen=True, slots=True)
class Way:
    """Something that could run in this use case.

    ``figures`` are known for exactly this way. ``errors`` and ``moves`` are its usual effects, for
    a way without figures: the share of the remaining errors that it removes, and factors on today's
    latency and bill.
    """

    id: str
    title: str
    kind: WayKind
    option: str
    state: WayState
    made_of: Strings = ()
    model: str = ""
    figures: Mapping[FigureId, KnownNumber] = field(default_factory=dict)
    errors: Triangle | None = None
    #: Its effect on errors where only code can promise so high a target.
    strict_errors: Triangle | None = None
    moves: Moves = field(default_factory=dict)
    hours: Range | None = None
    weeks: Range | None = None
    because: str = ""
    private: State = "unknown"  #: Whether data stay inside where it runs.
    #: The day on which a tuned model that runs today is switched off, where that is soon.
    lapses: date | None = None
    #: Of a tuned one: its quality less that of the way beside it.
    gain: KnownNumber | None = None
    #: Of a tuned one: whether its lab knows the best untuned way.
    best_known: State = "unknown"
    beside: str = ""  #: Id of the untuned way that it was compared with, case by case.
    skills: State = "unknown"  #: Whether a tuned model keeps general skills.
    safe: State = "unknown"  #: Whether a tuned model keeps its refusals.

    @property
    def tuned(self) -> bool:
        """Whether its model was trained on examples."""
        return self.kind == "tuned"

    @property
    def untried(self) -> bool:
        """Whether nobody has run it on this case."""
        return self.state == "untried"

    def figure(self, target: TargetId) -> KnownNumber | None:
        """The known figure of the way for a target; None without one."""
        if target != "privacy":
            return self.figures.get(FIGURE_OF[target])
        if self.private == "unknown":
            return None
        kept = 1.0 if self.private == "yes" else 0.0
        return KnownNumber(kept, kept, kept, "stated")


_ASKS: Mapping[FigureId, str] = {
    "quality": "run it on the evaluation set",
    "latency_p95_s": "time it on the same cases",
    "usd_per_month": "state the traffic and its price",
    "private": "say who runs it",
    "general_skills": "ask it tasks that aren't your own",
}  #: The step that would tell a figure which isn't known.


def dossier_figure(name: FigureId, known: KnownNumber | None) -> AnyFigure:
    """A figure in the form of the dossier."""
    if known is None:
        return Unknown(ask=_ASKS[name])
    figure = Figure(
        value=known.value,
        low=known.low,
        high=known.high,
        grade=known.grade,
        source=known.source,
        brought=known.brought,
    )
    if known.cases is None:
        return figure  # its number of cases is unknown, by the record's default
    return figure.model_copy(update={"cases": known.cases})


AFTERNOON = 200  #: Cases, half of them held out, that a person labels in an afternoon.

Admissible = Mapping[TargetId, TargetState]


@dataclass(frozen=True, slots=True)
class TargetCriterion:
    """The figures that a way has to meet, written down before anything is run.

    ``limits`` are the stated targets; ``private`` is whether data have to stay inside. Where no
    quality is stated, a way may be worse than ``today`` by ``margin_quality`` at most. Where
    today's quality is unknown, the best untuned way that a lab ran takes its place.
    """

    limits: Mapping[TargetId, float]
    private: State
    today: Mapping[TargetId, KnownNumber] = field(default_factory=dict)
    margin_quality: float = 0.02  #: Share of cases.

    @classmethod
    def from_framework(
        cls,
        framework: Framework,
        limits: Mapping[TargetId, float],
        private: State,
        today: Mapping[TargetId, KnownNumber],
    ) -> TargetCriterion:
        """The criterion with the margin of the framework file."""
        margin = framework.threshold("margin_quality")
        if margin is None:
            return cls(limits, private, today)
        return cls(limits, private, today, margin)

    @property
    def quality_floor(self) -> float | None:
        """The lowest sufficient quality: the stated one, else today's less the margin.

        None where neither is known, or where no target is stated.
        """
        stated = self.limits.get("quality")
        if stated is not None:
            return stated
        today = self.today.get("quality")
        if not self.limits or today is None:
            return None
        return today.value - self.margin_quality

    def judge(self, way: Way) -> dict[TargetId, TargetState]:
        """The state of each target that counts for a way: met, missed or unknown; {} without any.

        Where no quality is stated, today's way isn't compared with itself. A tuned way must not be
        worse than the untuned one beside it, by the cases that both were run on.
        """
        states: dict[TargetId, TargetState] = {}
        for target, limit in self.limits.items():
            states[target] = hold_against(target, way.figure(target), limit)
        if self.limits and "quality" not in states and way.kind != "now":
            states |= self._hold_quality(way)
        if self.private == "yes":
            states["privacy"] = _BY_STATE[way.private]
        return states

    def _hold_quality(self, way: Way) -> dict[TargetId, TargetState]:
        """Whether a way is worse than today by the margin at most, case by case where possible.

        {} where there is nothing to compare it with; unknown for a tuned way, which has to prove
        that it is no worse.
        """
        if way.gain is not None:
            return {"quality": self._hold_gain(way.gain)}
        floor = self.quality_floor
        if floor is not None:
            return {"quality": hold_against("quality", way.figure("quality"), floor)}
        return {"quality": "unknown"} if way.tuned else {}

    def _hold_gain(self, gain: KnownNumber) -> TargetState:
        """Whether a tuned way is worse than the one beside it by the margin at most."""
        if gain.low >= -self.margin_quality:
            return "met"
        if gain.high < -self.margin_quality:
            return "missed"
        return "unknown"

    def gains(self, way: Way, other: Way | None) -> State:
        """Whether a tuned way has a benefit that the untuned one beside it lacks.

        Yes: it is better by more than the margin, or meets a target that the other one doesn't. No:
        neither is shown, and the other one isn't known to miss a target that it meets. Equal ways
        gain nothing, nor do ways that all existing cases can't distinguish: then the cheaper one is
        kept. Unknown where nobody compared them, or where a few more labels could settle it.
        """
        if way.gain is None:
            return "unknown"
        if way.gain.low > self.margin_quality:
            return "yes"
        ours = self.judge(way)
        theirs = {} if other is None else self.judge(other)
        # targets that the other one isn't known to meet, so that we may be ahead there
        ahead = [target for target in ours if theirs.get(target) != "met"]
        if "quality" in ahead and "quality" not in self.limits:
            ahead.remove("quality")  # without a target the gain alone decides about it
        if any(ours[target] == "met" for target in ahead):
            return "yes"
        if self._labels_would_tell(way.gain):
            return "unknown"
        for target in ahead:
            if ours[target] == "unknown" and theirs.get(target) == "missed":
                return "unknown"
        return "no"

    def _labels_would_tell(self, gain: KnownNumber) -> bool:
        """Whether an afternoon of labelling might show a gain, so that it is too early to say no."""
        ahead = gain.value - self.margin_quality
        if ahead <= 0 or not gain.cases:
            return False
        # how many times as many cases would bring the low end up to the margin
        longer = times_longer(gain.value - gain.low, ahead)
        more_held_out = gain.cases * (longer - 1)
        return 2 * more_held_out <= AFTERNOON  # half of the cases are held out

    def admits(self, way: Way) -> TargetState:
        """Whether a way meets every target: missed if one is missed, met if all are met.

        Unknown where no target is stated. A tuned way has to keep general skills and safety, too.
        It proves nothing where the best untuned way is unknown.
        """
        states = self.judge(way)
        if way.tuned and "no" in (way.skills, way.safe):
            return "missed"
        if not set(states) - {"privacy"}:
            return "unknown"  # privacy alone is no target to be good enough for
        if "missed" in states.values():
            return "missed"
        if way.best_known == "no" or "unknown" in states.values():
            return "unknown"
        return "met"

    def nearly_admits(self, way: Way) -> bool:
        """Whether a way is close to its quality target, and meets the others as far as is known.

        Close: its interval reaches no more than the margin below the target, so that a better way
        could bring no gain. The interval may reach twice as far where settling it takes more cases
        than labelling is worth.
        """
        limit = self.limits.get("quality")
        known = way.figures.get("quality")
        if limit is None or known is None or not known.cases or known.value < limit:
            return False
        for target, state in self.judge(way).items():
            if target != "quality" and state != "met":
                return False
        below = limit - known.low
        if below <= self.margin_quality:
            return True
        too_many_cases = cases_to_tell(known.value, limit, known.cases) is None
        return too_many_cases and below <= 2 * self.margin_quality

    @staticmethod
    def name_targets(targets: Iterable[TargetId]) -> str:
        """Name targets in a sentence."""
        return listing([TARGETS[target].name for target in targets])

    def missed_by(self, way: Way) -> tuple[TargetId, ...]:
        """Targets that a way is known to miss."""
        return tuple(
            target for target, state in self.judge(way).items() if state == "missed"
        )


_BY_STATE: Mapping[State, TargetState] = {
    "yes": "met",
    "no": "missed",
    "unknown": "unknown",
}


def hold_against(
    target: TargetId, known: KnownNumber | None, limit: float
) -> TargetState:
    """Compare a figure with a limit: met or missed only where its whole interval lies on one side.

    A share of right answers without its number of cases is unknown. Seconds and USD that are stated
    as one number count as exact.
    """
    if known is None:
        return "unknown"
    if target == "quality":  # the only figure of which more is better
        # nobody knows how sure a share is that somebody counted on some cases
        if known.cases is None and known.grade in ("stated", "measured"):
            return "unknown"
        if known.low >= limit:
            return "met"
        return "missed" if known.high < limit else "unknown"
    if known.high <= limit:
        return "met"
    return "missed" if known.low > limit else "unknown"
