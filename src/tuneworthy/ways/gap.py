"""The gap between today and the targets, its known causes, and what a change takes off it.

A change is known by its error reduction, the share of the remaining errors that it removes: from
0.80 to 0.92 right are 60% of the errors, 1 - 0.08 / 0.20. Its possible effect is a triangle: a low
and a high end, and a usual value between them, the likeliest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tuneworthy.answers.facts import KNOWLEDGE_GOALS, CaseFacts
from tuneworthy.answers.weigh import REWARD, SEARCH, scored
from tuneworthy.framework.failures import FailureAnalysis, failures_of
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.framework import CauseId, TargetId
from tuneworthy.stats.intervals import cases_to_tell
from tuneworthy.ways.way import Admissible, KnownNumber, TargetCriterion, Way

SHAPED_GOALS = frozenset({"format", "extraction", "tool_calling"})
"""Goals whose output has a structure that a schema can state."""

LEARNT_SIGNS = ("terminology_errors", "inconsistent_format", "voice_drift")
"""Signs of habits of the team's own: terms, form, voice."""


SEARCHED = "prompt_optimisation"  #: The option of a search for better prompts.

# share of the errors, for the order alone, where no target is stated
_USUAL_NEED = 0.3


_ONE_IN_TEN = 1.2816  # standard deviations below which one normal value in ten lies
_LEADING = 0.25  # share of the failures from which on causes lead
_FOUND = 0.9  # from this recall on, passages count as found


@dataclass(frozen=True)
class Gap:
    """The missed targets, the distance to them, and the reasons that the case states.

    ``today`` is the way that it is reckoned from: what runs now, or the best untuned way where that
    is switched off soon. ``tried`` are the ways that somebody ran here, today's first.
    """

    facts: CaseFacts
    criterion: TargetCriterion
    today: Way
    tried: Sequence[Way]

    @cached_property
    def states(self) -> Admissible:
        """The state of each target for today's way."""
        return self.criterion.judge(self.today)

    @cached_property
    def missed(self) -> tuple[TargetId, ...]:
        """Targets that today's way misses, or almost certainly misses.

        A step toward a target needs less certainty than the claim that it is met. Nobody should
        wait for more cases if the chance that the target is met is below one in ten, or if settling
        it takes more cases than labelling is worth.
        """
        missed = list[TargetId]()
        for target, state in self.states.items():
            leans = state == "unknown" and self._leans_to_missed(target)
            if state == "missed" or leans:
                missed.append(target)
        return tuple(missed)

    @cached_property
    def doubtful(self) -> tuple[TargetId, ...]:
        """Targets of which it is unknown whether today's way meets them, and that don't lean to no."""
        return tuple(
            target
            for target, state in self.states.items()
            if state == "unknown" and target not in self.missed
        )

    def _leans_to_missed(self, target: TargetId) -> bool:
        """Whether quality counts as missed, as more cases would hardly change the next step."""
        known = self.today.figure(target)
        if target != "quality" or known is None or not known.cases:
            return False
        if self.facts.other_figure is not None:
            return False  # two figures contradict each other, so neither leans
        wanted = self.criterion.quality_floor
        if wanted is None or known.value >= wanted:
            return False
        # the spread of a share counted on so many cases, if the target were just met
        spread = math.sqrt(wanted * (1 - wanted) / known.cases)
        if known.value < wanted - _ONE_IN_TEN * spread:
            return True
        too_many_cases = cases_to_tell(known.value, wanted, known.cases) is None
        reaches_little_above = known.high - wanted <= 2 * self.criterion.margin_quality
        return too_many_cases and reaches_little_above

    @cached_property
    def aims(self) -> tuple[TargetId, ...]:
        """The targets to improve: the missed ones, or quality where no target is stated at all."""
        if self.missed or self.criterion.limits:
            return self.missed
        return ("quality",)

    @cached_property
    def quality(self) -> KnownNumber | None:
        """Quality of the best untuned way that somebody ran and that misses no other target.

        The remaining gain is computed from here, and not from an abandoned prompt. It is the best
        way for any target, so that a looser target never changes the starting point. Today's
        quality where no way qualifies; None where that is unknown.
        """
        known = [way.figures["quality"] for way in self.tried if self._comparable(way)]
        today = self.today.figures.get("quality")
        return max(known, key=lambda figure: figure.value, default=today)

    def _comparable(self, way: Way) -> bool:
        """Whether the remaining gain may be computed from the quality of a way."""
        if "quality" not in way.figures or way.tuned or way.lapses:
            return False
        if way.kind == "now":
            return True  # it runs, whatever else it misses
        return not set(self.criterion.missed_by(way)) - {"quality"}

    @cached_property
    def needed(self) -> float | None:
        """The share of the remaining errors that have to go for the quality target.

        None where today's quality is unknown; a usual share where no target is stated at all.
        """
        if not self.criterion.limits:
            return _USUAL_NEED
        wanted = self.criterion.quality_floor
        if wanted is None or self.quality is None:
            return None
        share_right = self._without_wrong_references(self.quality.value)
        return reduction_from(share_right, wanted) or 0.0  # None: no errors are left

    def _without_wrong_references(self, share: float) -> float:
        """A share of right answers, if answers with a wrong reference counted as right."""
        if self.failures is None:
            return share
        wrong = self.failures.share_of("wrong_reference")
        if wrong is None or isinstance(wrong.share, Unknown):
            return share
        return share + (1 - share) * wrong.share

    @property
    def is_known(self) -> bool:
        """Whether the gap is known: a target is stated, and today's figure is known.

        A chance for an unknown gap serves only to order the ways.
        """
        if not self.criterion.limits:
            return False
        return "quality" not in self.aims or self.needed is not None

    @cached_property
    def needed_by_code(self) -> float:
        """The share of the errors that have to go for a quality that only code can promise.

        1 where it is unknown.
        """
        code = self.facts.framework.threshold("asks_for_code")
        wanted = self.criterion.quality_floor
        if code is None or wanted is None or self.quality is None:
            return 1.0
        return reduction_from(self.quality.value, max(wanted, code)) or 0.0

    # Where the gap comes from.

    @cached_property
    def learnable(self) -> bool:
        """Whether the team has habits of its own that examples can show."""
        usable = self.facts.examples or 0
        enough = self.facts.framework.threshold("examples_show_a_convention")
        if enough is not None and usable >= enough:
            return True
        return any(self.facts.state(sign) == "yes" for sign in LEARNT_SIGNS)

    @cached_property
    def ability(self) -> bool:
        """Whether only ability is lacking: the team has nothing of its own to be learned."""
        has_own = self.facts.holds("domain_knowledge") or self.facts.holds(
            "brand_voice"
        )
        return not self.learnable and not has_own

    @cached_property
    def misread(self) -> bool:
        """Whether answers are wrong although the right passage is there.

        By the causes of failures where people gave them, else by recall and the stated sign.
        """
        if self.failures is not None:
            return self.leads("passage_misread", "reasoning")
        is_found = self.facts.recall is None or self.facts.recall >= _FOUND
        return is_found and self.facts.holds("knowledge_gaps")

    @property
    def has_short_prompt(self) -> bool:
        """Whether the input is too short for instructions to be lost in it."""
        tokens = self.facts.case.economics.traffic.input_tokens
        short = self.facts.framework.threshold("short_prompt")
        return tokens is not None and short is not None and tokens.high < short

    @cached_property
    def formless(self) -> bool:
        """Whether the form of answers varies."""
        if self.failures is not None:
            return self.leads("format")
        return self.facts.holds("inconsistent_format")

    @cached_property
    def levelled(self) -> bool:
        """Whether several models were scored here, and the best two are hardly different.

        Then the problem isn't a lack of ability.
        """
        best_of_model = dict[str, float]()
        for way in self.tried:
            quality = way.figures.get("quality")
            if way.model and quality is not None:
                best = best_of_model.get(way.model, 0.0)
                best_of_model[way.model] = max(best, quality.value)
        if len(best_of_model) < 2:
            return False
        *_, second, first = sorted(best_of_model.values())
        return second >= first - self.criterion.margin_quality

    @cached_property
    def asks_for_facts(self) -> bool:
        """Whether answers are mainly facts, which belong in retrieval.

        The first goal is the primary one. Goals of form and voice can be taught beside it.
        """
        goals = self.facts.case.goals
        taught = {"persona", "format", "tool_calling"}
        return goals[:1] == ("knowledge",) and not taught & set(goals)

    @cached_property
    def never_searched(self) -> bool:
        """Whether it is stated that nobody ever worked on retrieval."""
        return self.facts.state("retrieval_optimised") == "no"

    @cached_property
    def failures(self) -> FailureAnalysis | None:
        """Failures as people read or stated them; None where nobody did."""
        return failures_of(
            self.facts.case, self.facts.findings.ledger, self.facts.framework
        )

    def leads(self, *causes: CauseId) -> bool:
        """Whether these causes together stand behind at least a quarter of the failures."""
        if self.failures is None:
            return False
        total = 0.0
        for cause in causes:
            seen = self.failures.share_of(cause)
            if seen is None:
                continue
            if isinstance(seen.share, Unknown):
                return True  # nobody counted, and it is said to lead
            total += seen.share
        return total >= _LEADING

    def say_tried(self, what: str = "it was") -> str:
        """Say that something was tried, and that it failed if a target is known to be missed."""
        reached = any(self.criterion.admits(way) == "met" for way in self.tried)
        if self.missed and not reached:
            return f"{what} tried, and a target is still missed"
        return f"{what} tried"

    def leads_by_half(self, cause: CauseId) -> bool:
        """Whether a cause was counted behind at least half of the failures."""
        if self.failures is None:
            return False
        seen = self.failures.share_of(cause)
        if seen is None or isinstance(seen.share, Unknown):
            return False
        return seen.share >= 0.5

    @property
    def misses_passages(self) -> bool:
        """Whether missing passages still cause most failures."""
        if "quality" not in self.missed or self.facts.recall_enough != "no":
            return False
        return self.failures is None or self.leads_by_half("passage_not_found")

    @property
    def reward(self) -> Evidence | None:
        """How often the best prompt is now right, now wrong, by a lab that asked again."""
        return self.facts.findings.ledger.get(REWARD)

    @property
    def ratings(self) -> Evidence | None:
        """How users rated logged answers; None where a test scored them, or nobody did."""
        share = self.facts.findings.ledger.get("success_share")
        return None if share is None or scored(share) else share

    @property
    def tuned_in_vain(self) -> bool:
        """Whether tuned models were scored here, and each is known to miss a target."""
        tuned = [way for way in self.tried if way.tuned]
        return bool(tuned) and all(
            self.criterion.admits(way) == "missed" for way in tuned
        )

    @property
    def tuned_is_enough(self) -> bool:
        """Whether a tuned model was measured here, and meets every target."""
        return any(
            way.tuned and self.criterion.admits(way) == "met" for way in self.tried
        )

    def was_tried(self, option: str) -> bool:
        """Whether an option was tried here, by what is stated, by an attempt or by a lab."""
        if option == "few_shot" and self.facts.state("few_shot") == "yes":
            return True
        if option == "other_model" and self.facts.tried_one_family:
            return False  # another maker's model may not have the fault
        if self.facts.tried(option):
            return True
        if option == SEARCHED:
            return self._was_searched
        return any(option in way.made_of for way in self.tried)

    @property
    def _was_searched(self) -> bool:
        """Whether a search for prompts reached its plateau, here or in another tool.

        Prompts of a search that was cut short don't count.
        """
        if self.facts.ceiling_grade == "searched":
            return True
        if SEARCH in self.facts.findings.ledger:
            return False
        return any(SEARCHED in way.made_of for way in self.tried)

    @cached_property
    def not_found(self) -> float | None:
        """The share of today's errors that missing passages can explain.

        None where recall or quality is unknown. None, too, where hardly a passage is missing and
        nobody asks for facts: then an answer may not need the passage.
        """
        recall = self.facts.recall
        quality = self.facts.case.today.quality
        if recall is None or quality is None:
            return None
        if recall >= _FOUND and "knowledge" not in self.facts.case.goals:
            return None
        if quality >= 1:
            return 0.0  # there are no errors
        # passages may be missing for more questions than are answered wrongly
        return min(1.0, (1 - recall) / (1 - quality))

    @cached_property
    def looks_up(self) -> bool:
        """Whether answers need documents."""
        documents = self.facts.case.data.documents
        return bool(self.facts.goals(KNOWLEDGE_GOALS)) or documents is not None


# Error reduction.


def reduction_from(before: float, after: float) -> float | None:
    """The share of the errors that is gone: 1 - (1 - after) / (1 - before).

    Below 0 where there are more errors than before. None where nothing was wrong before.
    """
    if before >= 1:
        return None
    return 1 - (1 - after) / (1 - before)


def chance_of_reduction(needed: float, low: float, usual: float, high: float) -> float:
    """The chance that an error reduction spread over a triangle is at least ``needed``.

    With r for ``needed``: 1 for r <= low and 0 for r >= high; between them
    1 - (r - low)^2 / ((high - low) (usual - low)) up to the usual value, and
    (high - r)^2 / ((high - low) (high - usual)) from there on. Where low or high is the usual
    value, the triangle has that side alone; where all three are one value, the reduction is that
    value, and a need of exactly it is met. Raises ValueError where the three are out of order.
    """
    if not low <= usual <= high:
        raise ValueError(
            f"a triangle goes up from low to high, not {low}, {usual}, {high}"
        )
    if needed <= low:
        return 1.0
    if needed >= high:
        return 0.0
    width = high - low
    # ratios first: a square of a tiny length would be rounded to 0
    if needed <= usual:
        return 1 - (needed - low) / width * ((needed - low) / (usual - low))
    return (high - needed) / width * ((high - needed) / (high - usual))


def combined_chance(chances: Iterable[float]) -> float:
    """The chance that at least one of several comes true: 1 - (1 - p) (1 - q) ...; 0 for none.

    They count as independent. Ways against the same errors aren't, so for them it is too high.
    """
    return 1 - math.prod(1 - chance for chance in chances)
