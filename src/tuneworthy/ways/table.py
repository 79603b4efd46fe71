"""The table of ways: which are good enough, and in which order to try the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tuneworthy.answers.facts import CaseFacts
from tuneworthy.model.base import Interval, Range, State
from tuneworthy.model.case import Amount, Case
from tuneworthy.model.framework import TargetId, Triangle
from tuneworthy.model.ways import LabArm
from tuneworthy.money.investment import TuningChance
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
_WEEK_HOURS = 40.0  #: Hours of work in a week.


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
        """A sort key: what runs now first, because it costs no change; then by the bill."""
        bill = way.figures.get("usd_per_month")
        return way.kind != "now", math.inf if bill is None else bill.value

    @cached_property
    def measured_ways(self) -> list[Way]:
        """Ways with at least one figure that was measured on this case."""
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
        for way in self.ways:
            if way.id == name:
                return way
        return None

    def makes_needless(self, tuned: Way) -> list[Way]:
        """Untuned ways that make a tuned one unnecessary.

        They are enough, and not clearly more expensive than a tuned way that is enough too. []
        where the tuned one is better and the case states the worth of more quality.
        """
        if self.criterion.admits(tuned) != "met":
            return self.untuned_enough
        if self._is_worth_its_gain(tuned):
            return []
        return self._not_dearer(self.untuned_enough, tuned)

    def _is_worth_its_gain(self, tuned: Way) -> bool:
        """Whether a tuned way is clearly better, and the case states the worth of more quality."""
        if not self.gap.facts.case.economics.monthly.quality_value_usd:
            return False
        return tuned.gain is not None and tuned.gain.low > self.criterion.margin_quality

    def _not_dearer(self, ways: Sequence[Way], tuned: Way) -> list[Way]:
        """Ways that aren't clearly more expensive than a tuned one with its upkeep."""
        upkeep = upkeep_of(self.gap.facts.case)
        return [way for way in ways if not _clearly_dearer(way, tuned, upkeep)]

    def may_be_enough(self, tuned: Way) -> list[Way]:
        """Untuned ways that may be enough, and that more cases would settle; the best first.

        Their share of right answers is at the target or above, on too few cases to be sure. Until
        that is settled, a tuned way that meets every target proves nothing. A way isn't listed
        where settling it takes more cases than labelling is worth.
        """
        if self.criterion.admits(tuned) != "met" or self.untuned_enough:
            return []
        if self._is_worth_its_gain(tuned):
            return []
        able = [way for way in self.ways if self._looks_enough(way)]
        kept = self._not_dearer(able, tuned)
        return sorted(kept, key=lambda way: way.figures["quality"].value, reverse=True)

    def _looks_enough(self, way: Way) -> bool:
        """Whether a measured way seems to meet the targets, though too few cases show it yet."""
        known = way.figures.get("quality")
        limit = self.criterion.limits.get("quality")
        if known is None or limit is None or not known.cases:
            return False
        if way.tuned or way.lapses is not None:
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
        measured = [
            way for way in self.measured_ways if way.tuned and "quality" in way.figures
        ]
        compared = [way for way in measured if way.gain is not None]
        compared_labs = {_lab_of(way) for way in compared}
        compared_titles = {way.title for way in compared}
        others = [
            way
            for way in measured
            if _lab_of(way) not in compared_labs and way.title not in compared_titles
        ]
        return [*compared, *others]

    @property
    def tuned_enough(self) -> list[Way]:
        """Tuned ways that meet every target; of a lab, only those that it judged."""
        judged = {way.id for way in self.tried_tunings}
        measured = {way.id for way in self.measured_ways}
        not_judged = measured - judged
        return [way for way in self.enough if way.tuned and way.id not in not_judged]

    def is_in_vain(self, tuned: Way) -> bool:
        """Whether a tuned way is known to miss a target, or has no known gain.

        A pilot with one model shows nothing about tuning where a larger model is the best untuned
        way.
        """
        other = self.find(tuned.beside)
        by_pilot = _lab_of(tuned) == "pilot"
        if by_pilot and other is not None and other.model != tuned.model:
            return False
        admitted = self.criterion.admits(tuned)
        if admitted == "unknown":
            return self.gains(tuned) == "no"
        return admitted == "missed"

    @cached_property
    def chances(self) -> Mapping[str, Mapping[TargetId, float]]:
        """The chance of each untried way, by its id, to meet each missed target."""
        return {way.id: self._chances_of(way) for way in self.ways if way.untried}

    def _chances_of(self, way: Way) -> dict[TargetId, float]:
        """The chance of a way on each aim; 0 where it misses a target or makes one worse."""
        # privacy depends on where the way runs, and the criterion judges that
        missed = set(self.criterion.missed_by(way)) - {"privacy"}
        hopeless = bool(missed) or self._makes_worse(way)
        keeps = 0.0 if hopeless else self._chance_to_keep(way)
        return {
            target: keeps * self._chance_on(way, target) for target in self.gap.aims
        }

    def _makes_worse(self, way: Way) -> bool:
        """Whether a way usually adds to the errors, seconds or USD that are too high already.

        A known figure of the way says more than a usual effect, so it is left to the criterion.
        """
        if "quality" in self.gap.missed and "quality" not in way.figures:
            errors = self._errors_of(way)
            if errors is not None and errors.likely < 0:
                return True
        for target, move in way.moves.items():
            if target not in self.gap.missed or way.figure(target) is not None:
                continue
            usual_factor = math.sqrt(move.low * move.high)
            if usual_factor > _WORSE:
                return True
        return False

    def _chance_to_keep(self, way: Way) -> float:
        """The chance that a way keeps the targets that today's way meets or may meet."""
        kept = 1.0
        for target, state in self.gap.states.items():
            if target in self.gap.aims:
                continue
            if target == "privacy" and state == "unknown":
                continue  # nobody said where data go today, so nothing can get worse
            kept *= self._chance_on(way, target)
        # without a quality target, today's quality less the margin has to be kept
        no_target = "quality" not in self.gap.states
        if no_target and self.criterion.quality_floor is not None:
            kept *= self._chance_on(way, "quality")
        return kept

    def _chance_on(self, way: Way, target: TargetId) -> float:
        """The chance that a way meets one target, by its known figure or its usual effect.

        1 where nothing says what has to be met, or what today's figure is.
        """
        if target == "privacy":
            return 1.0 if way.private == "yes" else 0.0
        if target == "quality":
            return self._chance_on_quality(way)
        limit = self.criterion.limits.get(target)
        if limit is None:
            return 1.0
        known = way.figure(target)
        if known is not None:
            return 1.0 if known.value <= limit else 0.0
        today = self.today.figure(target)
        if today is None:
            return 1.0
        return chance_within(today.value, limit, way.moves.get(target))

    def _chance_on_quality(self, way: Way) -> float:
        """The chance that a way is good enough, by its known quality or its usual effect."""
        if not self.criterion.limits:
            # no target, so a usual need orders the ways
            return self._chance_of_quality(way)
        floor = self.criterion.quality_floor
        if floor is None:
            return 1.0
        known = way.figure("quality")
        if known is not None:
            return 1.0 if known.value >= floor else 0.0
        return self._chance_of_quality(way)

    def _chance_of_quality(self, way: Way) -> float:
        """The chance that a way removes enough errors to reach the target."""
        needed = self.gap.needed
        if needed is None:
            return 1.0
        errors = self._errors_of(way)
        if errors is None:
            return 1.0 if needed <= 0 else 0.0
        chance = chance_of_reduction(needed, errors.low, errors.likely, errors.high)
        return max(chance, self._chance_by_code(way))

    def _chance_by_code(self, way: Way) -> float:
        """The chance of a way where only code can promise the target; 0 for a way without code.

        It counts by the smallest reduction that needs code, so a looser target never lowers it.
        """
        strict = way.strict_errors
        if strict is None:
            return 0.0
        if self.gap.failures is not None:
            strict = strict.up_to(self.gap.failures.most_removed(way.option))
        needed = self.gap.needed_by_code
        return chance_of_reduction(needed, strict.low, strict.likely, strict.high)

    def _errors_of(self, way: Way) -> Triangle | None:
        """The effect of a way on the remaining errors; None for a way that improves no answer.

        The failures that it can affect at all limit it, and so do missing passages.
        """
        errors = way.errors
        if way.kind == "model" and errors is None:
            # a model without figures of its own has the effect of changing the model
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
        """The chance that a way meets every missed target; 0 for a way that isn't untried."""
        if way.id not in self.chances:
            return 0.0
        return math.prod(self.chances[way.id].values())

    @cached_property
    def to_try(self) -> list[Way]:
        """Untried ways without tuning that may help, in the order of their chance per hour of work.

        Weitzman showed in 1979 that this order is best: open the box with the highest index first,
        and stop at the first that is good enough. Where none may help alone, and only quality is
        missed, these are the ways that may help together.
        """
        framework = self.gap.facts.framework
        worth_trying = framework.threshold("worth_trying") or 0.0
        alone = [
            way for way in self.any_chance if self._best_chance(way) >= worth_trying
        ]
        if alone or set(self.gap.missed) != {"quality"}:
            return alone
        if self._chance_added_up < (framework.threshold("simpler_enough") or 0.0):
            return []
        return sorted(self._adding_up, key=self._removed_an_hour, reverse=True)

    def _removed_an_hour(self, way: Way) -> float:
        """The share of the errors that a way likely removes, per hour of work."""
        errors = self._errors_of(way)
        likely = 0.0 if errors is None else errors.likely
        return likely / _hours_to_try(way)

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
        they can help with. 0 where nobody counted failures, or fewer than two ways help.
        """
        needed = self.gap.needed
        failures = self.gap.failures
        ways = self._adding_up
        if needed is None or failures is None or len(ways) < 2:
            return 0.0
        low = 0.0
        likely = 0.0
        high = 0.0
        for way in ways:
            errors = self._errors_of(way)
            if errors is None:
                continue
            low += max(0.0, errors.low)  # a way that does harm is left out again
            likely += max(0.0, errors.likely)
            high += errors.high
        most = failures.most_removed_by([way.option for way in ways])
        return chance_of_reduction(
            needed, min(most, low), min(most, likely), min(most, high)
        )

    @cached_property
    def any_chance(self) -> list[Way]:
        """Untried ways without tuning that have any chance, in the order of their chance per hour."""
        able = [
            way
            for way in self.ways
            if way.untried
            and way.kind not in ("tuned", "tuning")
            and self._best_chance(way) > 0
        ]
        # of equal chances: models first and by name, so that the order of a case decides nothing
        models = [way for way in able if way.kind == "model"]
        others = [way for way in able if way.kind != "model"]
        models.sort(key=lambda way: way.id)
        return sorted([*models, *others], key=self._chance_an_hour, reverse=True)

    def _best_chance(self, way: Way) -> float:
        """The chance of a way on the one missed target that it meets best."""
        chances = dict(self.chances[way.id])
        chances.pop("privacy", None)  # where it runs is no chance
        return max(chances.values(), default=0.0)

    def _chance_an_hour(self, way: Way) -> float:
        """The chances of a way on the missed targets, added up, per hour of work."""
        return sum(self.chances[way.id].values()) / _hours_to_try(way)

    @cached_property
    def simpler(self) -> float:
        """The chance that simpler untried ways are enough together, target by target.

        A trained classifier isn't counted, as it is an arm of a pilot. 0 where only privacy, or
        nothing, is to be improved.
        """
        counting = [way for way in self.to_try if way.kind != "no_model"]
        by_target = []
        for target in self.gap.aims:
            if target == "privacy":
                continue
            chances = [self.chances[way.id][target] for way in counting]
            by_target.append(combined_chance(chances))
        alone = math.prod(by_target) if by_target else 0.0
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
        # False sorts before True, and equal ones keep their order
        return sorted(untried, key=lambda way: self._chance_but_privacy(way) < fair)

    @property
    def best_tuning(self) -> Way | None:
        """The most suitable kind of tuning that nobody tried; None where none is left."""
        return self.tunings[0] if self.tunings else None

    @cached_property
    def chance_of_tuning(self) -> float:
        """The chance that the best kind of tuning meets the missed targets; 0 where none is left."""
        if self.best_tuning is None:
            return 0.0
        return self._chance_but_privacy(self.best_tuning)

    @property
    def tuning_works(self) -> TuningChance | None:
        """The chance that a tuned model meets the missed targets, and its source.

        None where no target is missed, or none is known to be.
        """
        for way in self.tuned_enough:  # the cheapest speaks for all
            return TuningChance(
                Interval.certain(1.0), f"{way.title} was tuned, and meets every target"
            )
        missed = [target for target in self.gap.missed if target != "privacy"]
        untried = self.best_tuning
        if missed and untried is not None and self.chances.get(untried.id):
            chance = max(self.chance_of_tuning, _LEAST_CHANCE)
            names = self.criterion.name_targets(missed)
            says = f"tuning meets {names} with a chance of {share(chance)}, by the table of ways"
            return TuningChance(Interval.certain(chance), says)
        for way in self.tried_tunings:
            if self.criterion.admits(way) == "missed":
                return TuningChance(
                    Interval.certain(0.0), f"{way.title} was tuned, and isn't enough"
                )
        return None

    def _chance_but_privacy(self, way: Way) -> float:
        """The chance that a way meets every missed target, wherever it runs."""
        chances = dict(self.chances[way.id])
        chances.pop("privacy", None)
        return math.prod(chances.values())


_LEAST_CHANCE = 0.02  # nobody knows that an untried way fails, so its chance isn't 0


def _lab_of(way: Way) -> str:
    """The lab in the id of a way that a lab ran, ``lab:arm``."""
    lab, _, _ = way.id.partition(":")
    return lab


def _clearly_dearer(way: Way, tuned: Way, upkeep: float) -> bool:
    """Whether a way costs more than a tuned one and its upkeep (USD per month) by whole intervals.

    False where a bill is unknown.
    """
    bill = way.figures.get("usd_per_month")
    tuned_bill = tuned.figures.get("usd_per_month")
    if bill is None or tuned_bill is None:
        return False
    return bill.low > tuned_bill.high + upkeep


def upkeep_of(case: Case) -> float:
    """The lowest stated USD per month to watch and retrain a tuned model; 0 if nothing is stated.

    The cost of serving it isn't included: that is a figure of its way.
    """
    monthly = case.economics.monthly
    ongoing = monthly.ongoing
    if ongoing is None:
        return _least(monthly.ongoing_usd)
    hours = _least(ongoing.monitoring_hours)
    hours += _least(ongoing.retraining_hours_per_quarter) / 3  # months in a quarter
    return hours * _least(case.economics.hourly_rate_usd) + _least(ongoing.other_usd)


def _least(amount: Amount | None) -> float:
    """The low end of an amount; 0 where nobody states it."""
    return 0.0 if amount is None else amount.low


def middle_hours(hours: Range | None) -> float:
    """The geometric mean of the range of hours; a week's work where it is unknown."""
    if hours is None:
        return _WEEK_HOURS
    # from an hour on: a mean with 0 would be 0
    return math.sqrt(max(hours.low, 1.0) * max(hours.most, 1.0))


def _hours_to_try(way: Way) -> float:
    """Hours of work to try a way, with those that it costs to begin anything."""
    return _START_HOURS + middle_hours(way.hours)


def build_table(facts: CaseFacts, arms: Sequence[LabArm] = ()) -> WayTable:
    """Collect every way of a case."""
    now = production(facts)
    existing = [
        now,
        *listed_models(facts),
        *arms_of_labs(facts, arms),
        *unlisted_models(facts),
    ]
    today = _known_by_target(now)
    best = _best_untuned(existing)
    if "quality" not in today and best is not None:
        today["quality"] = best  # the best untuned way stands for what runs
    private = facts.state("data_sovereignty")
    criterion = TargetCriterion.from_framework(
        facts.framework, facts.limits, private, today
    )
    scored = [way for way in existing if "quality" in way.figures]
    gap = Gap(facts, criterion, _baseline(criterion, now, scored), scored)
    hours = tuning_hours(facts.case, facts.framework)
    ways = [*existing, *untried_options(gap), *kinds_of_tuning(gap, hours)]
    return WayTable(gap, ways)


def _baseline(criterion: TargetCriterion, now: Way, scored: Sequence[Way]) -> Way:
    """The way that the gap is reckoned from: what runs now.

    Where that is switched off soon, the untuned way that misses the fewest targets, of several the
    one with the best quality; what runs now where no other was scored.
    """
    others = [way for way in scored if not way.tuned and way is not now]
    if now.lapses is None or not others:
        return now

    def rank(way: Way) -> tuple[int, float]:
        return len(criterion.missed_by(way)), -way.figures["quality"].value

    return min(others, key=rank)


def _best_untuned(ways: Sequence[Way]) -> KnownNumber | None:
    """The best quality of an untuned way in a lab; None without one."""
    measured = [way for way in ways if not way.tuned and way.state == "measured"]
    known = [way.figures["quality"] for way in measured if "quality" in way.figures]
    return max(known, key=lambda quality: quality.value, default=None)


def _known_by_target(way: Way) -> dict[TargetId, KnownNumber]:
    """The known figures of a way by target; privacy isn't among them."""
    targets: tuple[TargetId, ...] = ("quality", "latency", "cost")
    figures = {target: way.figure(target) for target in targets}
    return {target: known for target, known in figures.items() if known is not None}
