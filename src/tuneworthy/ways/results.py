"""The table of ways for the dossier, in the order to use or to try them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple, get_args

from tuneworthy.facts.load import end_day
from tuneworthy.model.base import Number, Range, Unknown
from tuneworthy.model.case import Amount, Data, Model
from tuneworthy.model.framework import TargetId
from tuneworthy.model.ways import ChanceWord, FigureId, WayResult, WorkToDo
from tuneworthy.ways.chances import chance_word
from tuneworthy.ways.effects import EffectArm, effect_of
from tuneworthy.ways.gap import SEARCHED
from tuneworthy.ways.table import WayTable
from tuneworthy.ways.way import KnownNumber, Way, dossier_figure
from tuneworthy.words import plain, share

_IN_A_LAB = frozenset(
    {
        "few_shot",
        "retrieved_examples",
        "constrained_output",
        "other_model",
        "smaller_model",
        "reasoning_effort",
        "decomposition",
        "plain_classifier",
        "decision_model",
    }
)  #: Kinds of steps that the lab for prompts tries.


def command_for(option: str, way: Way | None = None, data: Data | None = None) -> str:
    """The command that does a step or prepares it, for its way and with a case's data."""
    if way is not None and way.kind == "tuning" and option == way.option:
        return _BY_EXPORT.get(option, "tuneworthy pilot CASE --dry-run")
    if option == SEARCHED:
        # its price is in the quote, and the quote is free
        return "tuneworthy ceiling CASE --dry-run"
    if option == "plain_classifier" and way is not None and way.state == "measured":
        # it was measured, so it can be handed over
        name = "nearest" if way.id.endswith("nearest_neighbour") else "head"
        return f"tuneworthy export CASE --to {name}"
    if option == "label":
        return draw_command(data or Data())
    if option in _IN_A_LAB:
        return "tuneworthy ceiling CASE"
    return _COMMANDS.get(option, "tuneworthy show CASE plan")


def draw_command(data: Data, more: int | None = None) -> str:
    """The command that draws cases to label, into a file of their own where a set exists."""
    command = "tuneworthy evalset CASE"
    if not data.traces:
        command += " --from LOGS"
    if more is not None:
        command += f" --n {more}"
    if data.evaluation is not None:
        command += " --output CASE/more.jsonl"
    return command


_BY_EXPORT = {
    "reinforcement_tuning": "tuneworthy export CASE",
    "thumb_tuning": "tuneworthy export CASE --to trl-kto",
}  #: Kinds of tuning that no pilot runs.

_COMMANDS = {
    "better_retrieval": "tuneworthy retrieve CASE",
    "measure": "tuneworthy measure CASE",
    "settle": "tuneworthy show CASE why",
    "target": "tuneworthy answer CASE targets.quality.at_least=0.9",
    "collect_data": "tuneworthy data CASE",
    "roll_out": "tuneworthy export CASE",
    "keep_prompt": "tuneworthy watch CASE",
}


def list_results(table: WayTable) -> tuple[WayResult, ...]:
    """Every way: sufficient ones first, then the one that runs, those that ran, and untried ones."""
    ordered = sorted(table.ways, key=lambda way: _place(table, way))
    return tuple(_result(table, way, rank) for rank, way in enumerate(ordered, start=1))


def _worst_first(way: Way) -> float:
    """A sort key by quality, the best way first; a way without a score comes after all scores."""
    known = way.figures.get("quality")
    return 1.0 if known is None else -known.value


class _Place(NamedTuple):
    """The place of a way in the order of the dossier, as a sort key."""

    group: int
    place: float  #: Within the group.
    id: str  #: So that ways of one place always have the same order.


def _place(table: WayTable, way: Way) -> _Place:
    """The place of a way: sufficient ones first, then what runs, what ran, and untried ones."""
    if way in table.untuned_enough:
        return _Place(0, table.untuned_enough.index(way), way.id)
    if way in table.enough:
        return _Place(1, table.enough.index(way), way.id)
    if way.kind == "now":
        return _Place(2, 0, way.id)
    if way in table.to_try:
        return _Place(4, table.to_try.index(way), way.id)
    if way in table.tunings:
        return _Place(5, table.tunings.index(way), way.id)
    return _Place(_LATER[way.state], _worst_first(way), way.id)


_LATER = {
    "running": 3,
    "measured": 3,
    "stated": 3,
    "untried": 6,
    "failed": 7,
    "ruled_out": 8,
}  #: Groups of the ways that no list of the table names, by their states.


def _result(table: WayTable, way: Way, rank: int) -> WayResult:
    """A way as the dossier shows it."""
    names: tuple[FigureId, ...] = get_args(FigureId)
    figures = {name: dossier_figure(name, _figure(way, name)) for name in names}
    chance = _known_chance(table, way)
    chances = _chances_in_words(table, way)
    return WayResult(
        id=way.id,
        title=way.title,
        kind=way.kind,
        option=way.option,
        state=way.state,
        made_of=way.made_of,
        model=way.model,
        figures=figures,
        admissible=table.criterion.judge(way),
        chance=chance,
        chance_word=_least_word(chance, chances),
        chances=chances,
        because=way.because,
        published=_say_published(table, way) if way.untried else "",
        to_try=_work(table, way.hours, None, command_for(way.option, way)),
        to_adopt=_work(table, way.hours, way.weeks, "tuneworthy show CASE plan"),
        rank=rank,
        ends=_end(table, way),
    )


def _end(table: WayTable, way: Way) -> date | None:
    """The day when the model of a way ends: as stated, else as looked up; None for an unknown one."""
    if not way.model:
        return None
    facts = table.gap.facts
    for model in facts.case.models:
        if model.id == way.model:
            return end_day(model, facts.findings.as_of)
    return end_day(Model(id=way.model), facts.findings.as_of)


def _known_chance(table: WayTable, way: Way) -> float | Unknown:
    """The chance that an untried way is enough; unknown where the gap is unknown."""
    if not way.untried:
        return Unknown(ask="nothing: it was run, or it can't be used here")
    if not table.gap.aims or not table.gap.is_known:
        return Unknown(ask="state a target, and score what runs today")
    return table.chance(way)


def _chances_in_words(table: WayTable, way: Way) -> dict[TargetId, ChanceWord]:
    """The chance for each missed target; where it is unknown, whether the way may help at all."""
    words = dict[TargetId, ChanceWord]()
    for target, chance in table.chances.get(way.id, {}).items():
        if table.gap.is_known:
            words[target] = chance_word(chance)
        else:  # without a known gap a chance only orders the ways
            words[target] = "unknown" if chance > 0 else "unlikely"
    return words


def _least_word(
    chance: float | Unknown, chances: Mapping[TargetId, ChanceWord]
) -> ChanceWord | Literal[""]:
    """The word for a chance; where the chance is unknown, one for its targets."""
    if not isinstance(chance, Unknown):
        return chance_word(chance)
    if not chances:
        return ""
    return "unknown" if "unknown" in chances.values() else "unlikely"


_ARMS: Mapping[str, EffectArm] = {
    "other_model": "model_switch",
    "smaller_model": "model_switch",
    "hybrid": "hybrid",
    "few_shot": "few_shot",
    "retrieved_examples": "retrieved_examples",
    "prompt_optimisation": "prompt_optimisation",
    "constrained_output": "constrained_output",
    "reasoning_effort": "reasoning_effort",
    "better_retrieval": "better_retrieval",
    "plain_classifier": "plain_classifier",
    "decomposition": "decomposition",
}  #: The arms of published comparisons, by the options that they try.


def _say_published(table: WayTable, way: Way) -> str:
    """Say how this kind of way changed errors in published comparisons; empty for too few."""
    arm = _published_arm(way)
    if arm is None:
        return ""
    goals = table.gap.facts.case.goals
    # the first is the primary goal
    effect = effect_of(arm, goals[0] if goals else None)
    if effect is None:
        return ""
    if effect.goal:
        of = f"published comparisons of {plain(effect.goal)}"
    else:
        of = "published comparisons"
    return (
        f"In {effect.n} {of} it took away {share(effect.p50)} of the errors at the median, "
        f"{share(effect.p25)} to {share(effect.p75)} in the middle half."
    )


def _published_arm(way: Way) -> EffectArm | None:
    """The arm that published comparisons call a way; None where they have none.

    Every kind of tuning is one arm there, but for the hybrid.
    """
    if way.kind == "tuning" and way.option != "hybrid":
        return "fine_tune"
    return _ARMS.get(way.option)


def _figure(way: Way, name: FigureId) -> KnownNumber | None:
    """A figure of a way; privacy and general skills are states and become 0 or 1."""
    if name == "private":
        return way.figure("privacy")
    if name == "general_skills":
        if way.skills == "unknown":
            return None
        kept = 1.0 if way.skills == "yes" else 0.0
        return KnownNumber(kept, kept, kept, "measured")
    return way.figures.get(name)


def work_usd(hours: Range | None, rate: Amount | None) -> Number:
    """The cost of hours: from the fewest at the low rate to the most at the high one."""
    if hours is None:
        return Unknown(ask="estimate the hours")
    if rate is None:
        return Unknown(ask="state economics.hourly_rate_usd")
    return Range.between(hours.low * rate.low, hours.most * rate.high).narrowed()


def _work(
    table: WayTable, hours: Range | None, weeks: Range | None, command: str
) -> WorkToDo:
    """The work for a way, with its price."""
    return WorkToDo(
        hours=_number_or_ask_for(hours, "estimate the hours"),
        usd=work_usd(hours, table.gap.facts.case.economics.hourly_rate_usd),
        weeks=_number_or_ask_for(weeks, "estimate the weeks to production"),
        command=command,
    )


def _number_or_ask_for(value: Range | None, ask: str) -> Number:
    return Unknown(ask=ask) if value is None else value.narrowed()
