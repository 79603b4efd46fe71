"""The table of ways: which are good enough, and in which order to try the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tuneworthy.answers.facts import CaseFacts
from tuneworthy.model.base import Range, State
from tuneworthy.model.case import Case
from tuneworthy.model.framework import TargetId, Triangle
from tuneworthy.model.ways import LabArm
from tuneworthy.stats.intervals import cases_to_tell
from tuneworthy.ways.chances import chance_within
from tuneworthy.ways.gap import Gap, chance_of_reduction, combined_chance
from tuneworthy.ways.sources import (
    arms_of_labs,
    kinds_of_tuning,
    listed_models,
    production,
    tuning_hours,
    unlisted_models,
    untried_options,
)
from tuneworthy.ways.way import KnownNumber, TargetCriterion, Way
from tuneworthy.words import share

_WORSE = 1.2  #: From this factor on, as a rule, something makes time or bill worse.
_FIND_MORE = ("better_retrieval", "continued_pretraining")
"""Options that bring passages that aren't found, or make them unnecessary."""
_START_HOURS = 8.0  #: The hours that it costs to begin anything, beside its own hours.


@dataclass(frozen=True)
class WayTable:
    """Every way of a case, and the conclusions from it."""

    gap: Gap
    ways: Sequence[Way]

    @property
    def today(self) -> Way:
        """The way that the gap is reckoned from: what runs now, unless that is switched off soon."""
        return self.gap.today

    @property
    def criterion(self) -> TargetCriterion:
        """The figures that a way has to meet."""
        return self.gap.criterion

    @cached_property
    def enough(self) -> list[Way]:
        """Ways that meet every target and stay: what runs now first, then the cheapest."""
        staying = [way for way in self.ways if way.lapses is None]
        met = [way for way in staying if self.criterion.admits(way) == "met"]
        return sorted(met, key=self._cost_of_use)

    def _cost_of_use(self, way: Way) -> tuple[bool, float]:
        bill = way.figures.get("usd_per_month")
        return way.kind != "now", math.inf if bill is None else bill.value

    @cached_property
    def measured_ways(self) -> list[Way]:
        """Ways with figures that were measured on this case."""
        grades = ("held_out", "measured")
        return [
            way
            for way in self.ways
            if any(figure.grade in grades for figure in way.figures.values())
        ]

    @cached_property
    def untuned_enough(self) -> list[Way]:
        """Untuned ways that meet every target; without one, those within the margin of it."""
        met = [way for way in self.enough if not way.tuned]
        if met:
            return met
        near = [
            way
            for way in self.ways
            if not way.tuned
            and way.lapses is None
            and self.criterion.nearly_admits(way)
        ]
        return sorted(near, key=self._cost_of_use)

    def find(self, name: str) -> Way | None:
        """The way with this id; None without one."""
        return next((way for way in self.ways if way.id == name), None)

    def makes_needless(self, tuned: Way) -> list[Way]:
        """Untuned ways that make a tuned one unnecessary.

        They are enough, and not clearly more expensive than a tuned way that is enough too. []
        where the tuned one is better and the case states the worth of more quality.
        """
        if self.criterion.admits(tuned) != "met":
            return self.untuned_enough
        better = (
            tuned.gain is not None and tuned.gain.low > self.criterion.margin_quality
        )
        if better and self.gap.facts.case.economics.monthly.quality_value_usd:
            return []
        upkeep = upkeep_of(self.gap.facts.case)
        return [
            way
            for way in self.untuned_enough
            if not _clearly_dearer(way, tuned, upkeep)
        ]

    def may_be_enough(self, tuned: Way) -> list[Way]:
        """Untuned ways that may be enough, and that more cases would settle; the best first.

        Their share of right answers is at the target or above, on too few cases to be sure. Until
        that is settled, a tuned way that meets every target proves nothing. A way isn't listed
        where settling it takes more cases than labelling is worth.
        """
        if self.criterion.admits(tuned) != "met" or self.untuned_enough:
            return []
        better = (
            tuned.gain is not None and tuned.gain.low > self.criterion.margin_quality
        )
        if better and self.gap.facts.case.economics.monthly.quality_value_usd:
            return []
        upkeep = upkeep_of(self.gap.facts.case)
        able = [way for way in self.ways if self._looks_enough(way)]
        kept = [way for way in able if not _clearly_dearer(way, tuned, upkeep)]
        return sorted(kept, key=lambda way: way.figures["quality"].value, reverse=True)

    def _looks_enough(self, way: Way) -> bool:
        """Whether a measured way seems to meet the targets, though too few cases show it yet."""
        known = way.figures.get("quality")
        limit = self.criterion.limits.get("quality")
        if way.tuned or known is None or limit is None or not known.cases:
            return False
        if way.kind == "arm" and known.grade != "held_out":
            return False  # the best of many looks too good where it was chosen
        if known.value < limit or "missed" in self.criterion.judge(way).values():
            return False
        return cases_to_tell(known.value, limit, known.cases) is not None

    def gains(self, tuned: Way) -> State:
        """Whether a tuned way has a benefit that the untuned one beside it lacks."""
        return self.criterion.gains(tuned, self.find(tuned.beside))

    @property
    def tried_tunings(self) -> list[Way]:
        """Tuned ways that were measured here; of a lab that compared its best one, only that one.

        Where two labs ran the same one, the entry is from the lab that compared it.
        """
        shown = [
            way for way in self.measured_ways if way.tuned and "quality" in way.figures
        ]
        compared = [way for way in shown if way.gain is not None]
        labs = {_lab_of(way) for way in compared}
        titles = {way.title for way in compared}
        others = [
            way for way in shown if way.title not in titles and _lab_of(way) not in labs
        ]
        return [*compared, *others]

    @property
    def tuned_enough(self) -> list[Way]:
        """Tuned ways that meet every target; of a lab, only those that it judged."""
        judged = {way.id for way in self.tried_tunings}
        shown = {way.id for way in self.measured_ways}
        left_out = shown - judged
        return [way for way in self.enough if way.tuned and way.id not in left_out]

    def is_in_vain(self, tuned: Way) -> bool:
        """Whether a tuned way is known to miss a target, or has no known gain.

        A pilot with one model shows nothing about tuning where a larger model is the best untuned
        way.
        """
        other = self.find(tuned.beside)
        if (
            _lab_of(tuned) == "pilot"
            and other is not None
            and other.model != tuned.model
        ):
            return False
        held = self.criterion.admits(tuned)
        return held == "missed" or (held == "unknown" and self.gains(tuned) == "no")

    @cached_property
    def chances(self) -> Mapping[str, Mapping[TargetId, float]]:
        """The chance of each untried way, by its id, to meet each missed target."""
        return {way.id: self._chances_of(way) for way in self.ways if way.untried}

    def _chances_of(self, way: Way) -> dict[TargetId, float]:
        """The chance of a way on each aim; 0 where it misses a target or makes one worse."""
        # privacy depends on where the way runs, and the criterion judges that
        missed = {*self.criterion.missed_by(way)} - {"privacy"}
        if missed or self._makes_worse(way):
            return dict.fromkeys(self.gap.aims, 0.0)
        keeps = self._chance_to_keep(way)
        return {
            target: keeps * self._chance_on(way, target) for target in self.gap.aims
        }

    def _makes_worse(self, way: Way) -> bool:
        """Whether a way usually adds to the errors, seconds or USD that are too high already."""
        if "quality" in self.gap.missed and "quality" not in way.figures:
            errors = self._errors_of(way)
            if errors is not None and errors.likely < 0:
                return True
        for target, move in way.moves.items():
            if target not in self.gap.missed or way.figure(target) is not None:
                continue
            if math.sqrt(move.low * move.high) > _WORSE:
                return True
        return False

    def _chance_to_keep(self, way: Way) -> float:
        """The chance that a way keeps the targets that today's way meets or may meet."""
        kept = 1.0
        for target, state in self.gap.states.items():
            if target in self.gap.aims:
                continue
            if target == "privacy" and state == "unknown":
                continue  # where the way runs tells it, and nobody said what is wanted
            kept *= self._chance_on(way, target)
        if (
            "quality" not in self.gap.states
            and self.criterion.quality_floor is not None
        ):
            kept *= self._chance_on(way, "quality")
        return kept

    def _chance_on(self, way: Way, target: TargetId) -> float:
        """The chance that a way meets one target, by its known figures or its usual effect."""
        if target == "privacy":
            return 1.0 if way.private == "yes" else 0.0
        limit = self.criterion.limits.get(target)
        if target == "quality":
            limit = self.criterion.quality_floor
            if not self.criterion.limits:
                return self._chance_of_quality(way)
        if limit is None:
            return 1.0
        known = way.figure(target)
        if known is not None:
            if target == "quality":
                within = known.value >= limit
            else:
                within = known.value <= limit
            return 1.0 if within else 0.0
        if target == "quality":
            return self._chance_of_quality(way)
        today = self.today.figure(target)
        if today is None:
            return 1.0
        move = way.moves.get(target) if target in ("latency", "cost") else None
        return chance_within(today.value, limit, move)

    def _chance_of_quality(self, way: Way) -> float:
        """The chance that a way removes enough errors to reach the target."""
        needed = self.gap.needed
        if needed is None:
            return 1.0
        errors = self._errors_of(way)
        if errors is None:
            return 1.0 if needed <= 0 else 0.0
        chance = chance_of_reduction(needed, errors.low, errors.likely, errors.high)
        strict = way.strict_errors
        if strict is None:
            return chance
        if self.gap.failures is not None:
            strict = strict.up_to(self.gap.failures.most_removed(way.option))
        # by the smallest reduction that needs code, so a looser target never lowers the chance
        by_code = self.gap.needed_by_code
        return max(
            chance, chance_of_reduction(by_code, strict.low, strict.likely, strict.high)
        )

    def _errors_of(self, way: Way) -> Triangle | None:
        """The effect of a way on the remaining errors.

        The failures that it can affect at all limit it, and so do missing passages.
        """
        errors = way.errors
        if way.kind == "model" and errors is None:
            rules = self.gap.facts.framework.options
            rule = rules.get(way.option) or rules.get("other_model")
            errors = rule.errors if rule else None
        if errors is None:
            return None
        if self.gap.failures is not None:
            errors = errors.up_to(self.gap.failures.most_removed(way.option))
        if way.option in _FIND_MORE or self.gap.not_found is None:
            return errors
        return errors.up_to(1 - self.gap.not_found)

    def chance(self, way: Way) -> float:
        """The chance that a way meets every missed target."""
        if way.id in self.chances:
            return math.prod(self.chances[way.id].values())
        return 0.0

    @cached_property
    def to_try(self) -> list[Way]:
        """Untried ways without tuning that may help, in the order of their chance per hour of work.

        Weitzman showed in 1979 that this order is best: open the box with the highest index first,
        and stop at the first that is good enough.
        """
        threshold = self.gap.facts.framework.threshold
        least = threshold("worth_trying") or 0.0
        alone = [way for way in self.any_chance if self._best_chance(way) >= least]
        if alone or set(self.gap.missed) != {"quality"}:
            return alone
        if self._chance_added_up < (threshold("simpler_enough") or 0.0):
            return []
        return sorted(self._adding_up, key=self._removed_an_hour, reverse=True)

    def _removed_an_hour(self, way: Way) -> float:
        errors = self._errors_of(way)
        likely = 0.0 if errors is None else errors.likely
        return likely / (_START_HOURS + middle_hours(way.hours))

    @cached_property
    def _adding_up(self) -> list[Way]:
        """Untried simpler ways that each remove some of the counted failures."""
        failures = self.gap.failures
        if failures is None or failures.n == 0 or "quality" not in self.gap.missed:
            return []
        able = [
            way
            for way in self.ways
            if way.untried and way.kind == "option" and not self._makes_worse(way)
        ]
        helping = [way for way in able if failures.most_removed(way.option) > 0]
        return [way for way in helping if self._errors_of(way) is not None]

    @cached_property
    def _chance_added_up(self) -> float:
        """The chance that ways against different counted causes reach the quality together.

        The ends and the likeliest value of each effect are added up, limited to the failures that
        they can help with. 0 where nobody counted failures.
        """
        needed = self.gap.needed
        failures = self.gap.failures
        ways = self._adding_up
        if needed is None or failures is None or len(ways) < 2:
            return 0.0
        most = failures.most_removed_by([way.option for way in ways])
        known = [errors for way in ways if (errors := self._errors_of(way)) is not None]
        low = min(most, sum(max(0.0, each.low) for each in known))
        likely = min(most, sum(max(0.0, each.likely) for each in known))
        high = min(most, sum(each.high for each in known))
        return chance_of_reduction(needed, low, likely, high)

    @cached_property
    def any_chance(self) -> list[Way]:
        """The same with ways that have hardly a chance."""
        able = [
            way
            for way in self.ways
            if way.untried
            and way.kind not in ("tuned", "tuning")
            and self._best_chance(way) > 0
        ]
        models = sorted(
            (way for way in able if way.kind == "model"), key=lambda way: way.id
        )
        others = [way for way in able if way.kind != "model"]
        return sorted([*models, *others], key=self._index, reverse=True)

    def _best_chance(self, way: Way) -> float:
        """The chance of a way on the one missed target that it meets best."""
        chances = self.chances[way.id]
        return max(
            (p for target, p in chances.items() if target != "privacy"), default=0.0
        )

    def _index(self, way: Way) -> float:
        return sum(self.chances[way.id].values()) / (
            _START_HOURS + middle_hours(way.hours)
        )

    @cached_property
    def simpler(self) -> float:
        """The chance that simpler untried ways are enough together, target by target.

        A trained classifier isn't counted, as it is an arm of a pilot.
        """
        parts = [
            combined_chance(
                self.chances[way.id][target]
                for way in self.to_try
                if way.kind != "no_model"
            )
            for target in self.gap.aims
            if target != "privacy"
        ]
        alone = math.prod(parts) if parts else 0.0
        if set(self.gap.missed) != {"quality"}:
            return alone
        return max(alone, self._chance_added_up)

    @cached_property
    def tunings(self) -> list[Way]:
        """Kinds of tuning that nobody tried, the most suitable first.

        Those with a fair chance come before those with hardly any.
        """
        fair = self.gap.facts.framework.threshold("tuning_hopeless") or 0.0
        untried = [way for way in self.ways if way.kind == "tuning" and way.untried]
        return sorted(untried, key=lambda way: self._chance_but_privacy(way) < fair)

    @cached_property
    def chance_of_tuning(self) -> float:
        """The chance that the best kind of tuning meets the missed targets; 0 where none is left."""
        if not self.tunings:
            return 0.0
        return self._chance_but_privacy(self.tunings[0])

    @property
    def tuning_works(self) -> tuple[float, str] | None:
        """The chance that a tuned model meets the missed targets, and its source.

        None where no target is missed, or none is known to be.
        """
        if self.tuned_enough:
            return (
                1.0,
                f"{self.tuned_enough[0].title} was tuned, and meets every target",
            )
        missed = [target for target in self.gap.missed if target != "privacy"]
        if missed and self.tunings and self.chances.get(self.tunings[0].id):
            chance = max(self.chance_of_tuning, _LEAST_CHANCE)
            names = self.criterion.name_targets(missed)
            says = f"tuning meets {names} with a chance of {share(chance)}, by the table of ways"
            return chance, says
        failed = [
            way for way in self.tried_tunings if self.criterion.admits(way) == "missed"
        ]
        if failed:
            return 0.0, f"{failed[0].title} was tuned, and isn't enough"
        return None

    def _chance_but_privacy(self, way: Way) -> float:
        chances = self.chances[way.id]
        return math.prod(
            chance for target, chance in chances.items() if target != "privacy"
        )


_LEAST_CHANCE = 0.02  # nobody knows that an untried way fails, so its chance isn't 0


def _lab_of(way: Way) -> str:
    return way.id.partition(":")[0]


def _clearly_dearer(way: Way, tuned: Way, upkeep: float) -> bool:
    bill = way.figures.get("usd_per_month")
    other = tuned.figures.get("usd_per_month")
    return bill is not None and other is not None and bill.low > other.high + upkeep


def upkeep_of(case: Case) -> float:
    """The lowest stated USD per month to watch and retrain a tuned model; 0 if nothing is stated.

    The cost of serving it isn't included: that is a figure of its way.
    """
    monthly = case.economics.monthly
    if monthly.ongoing is None:
        total = monthly.ongoing_usd
        return 0.0 if total is None else total.low
    rate = case.economics.hourly_rate_usd
    an_hour = 0.0 if rate is None else rate.low
    watching = monthly.ongoing.monitoring_hours
    training = monthly.ongoing.retraining_hours_per_quarter
    other = monthly.ongoing.other_usd
    hours = (0.0 if watching is None else watching.low) + (
        0.0 if training is None else training.low / 3
    )
    return hours * an_hour + (0.0 if other is None else other.low)


def middle_hours(hours: Range | None) -> float:
    """The geometric mean of the range of hours; a week's work where it is unknown."""
    if hours is None:
        return 40.0
    return math.sqrt(max(hours.low, 1.0) * max(hours.most, 1.0))


def build_table(facts: CaseFacts, arms: Sequence[LabArm] = ()) -> WayTable:
    """Collect every way of a case."""
    now = production(facts)
    private = facts.state("data_sovereignty")
    fixed = [
        now,
        *listed_models(facts),
        *arms_of_labs(facts, arms),
        *unlisted_models(facts),
    ]
    reference = _by_target(now)
    best = _best_untuned(fixed)
    if "quality" not in reference and best is not None:
        reference["quality"] = best
    criterion = TargetCriterion.from_framework(
        facts.framework, facts.limits, private, reference
    )
    hours = tuning_hours(facts.case, facts.framework)
    scored = [way for way in fixed if "quality" in way.figures]
    gap = Gap(facts, criterion, _baseline(criterion, now, scored), scored)
    ways = [*fixed, *untried_options(gap), *kinds_of_tuning(gap, hours)]
    return WayTable(gap, ways)


def _baseline(criterion: TargetCriterion, now: Way, scored: Sequence[Way]) -> Way:
    """The way that the gap is reckoned from: what runs now.

    Where that is switched off soon, the untuned way that misses the fewest targets, of several the
    one with the best quality; what runs now where no other was scored.
    """
    others = [way for way in scored if not way.tuned and way is not now]
    if now.lapses is None or not others:
        return now
    return min(
        others,
        key=lambda way: (
            len(criterion.missed_by(way)),
            -way.figures["quality"].value,
        ),
    )


def _best_untuned(ways: Sequence[Way]) -> KnownNumber | None:
    """The best quality of an untuned way in a lab, where production's quality is unknown."""
    shown = (way for way in ways if not way.tuned and way.state == "measured")
    known = (way.figures["quality"] for way in shown if "quality" in way.figures)
    return max(known, key=lambda quality: quality.value, default=None)


def _by_target(way: Way) -> dict[TargetId, KnownNumber]:
    targets: tuple[TargetId, ...] = ("quality", "latency", "cost")
    figures = {target: way.figure(target) for target in targets}
    return {target: known for target, known in figures.items() if known is not None}
