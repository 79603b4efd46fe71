"""The answer: nine named rules over the table of ways, the first that holds.

Each rule is a function here and an entry of the framework file, where an organization may leave it
out. The framework's count moves nothing but the default where no target is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tuneworthy.facts.load import serves_until
from tuneworthy.model.dossier import TuningAnswer
from tuneworthy.model.framework import JudgementRule, Outcome
from tuneworthy.verdict.doubts import find_doubts, measure_first
from tuneworthy.verdict.situation import (
    Ruling,
    Situation,
    StepToDo,
    keep_data_inside,
    keep_prompt,
    search_first,
    try_ways,
)
from tuneworthy.verdict.wording import (
    say_figures,
    say_met,
    say_pilot,
    say_quality,
    say_simpler,
    say_too_few,
)
from tuneworthy.ways.chances import chance_word
from tuneworthy.ways.way import Way
from tuneworthy.words import capital, day, share

# The rules, in their order.


def proven(it: Situation) -> Ruling | None:
    """A tuned model was tried on held-out cases: it is enough, or nothing comes of tuning."""
    enough = it.table.tuned_enough
    if enough:
        return _proven_enough(it, enough[0])  # the cheapest
    return _proven_in_vain(it)


def _proven_enough(it: Situation, best: Way) -> Ruling | None:
    """A tuned way meets every target; None where an untuned way makes it unnecessary."""
    if it.table.makes_needless(best):
        return None
    rivals = it.table.may_be_enough(best)
    if rivals:
        rival = rivals[0]  # the best one
        says = say_too_few(rival.figures["quality"], it.facts.limits["quality"])
        label = StepToDo("label", says, rival)
        because = f"{best.title} meets every target, and {rival.title} may as well"
        return Ruling("open", because, (label,), way=best)
    roll_out = StepToDo("roll_out", "it meets every target", best)
    beats = "and no untuned way does"
    if it.table.untuned_enough:
        beats = "and beats what does without tuning"
    because = f"{best.title} meets every target ({say_figures(best)}), {beats}"
    against = it.forbidding
    if against is not None:
        clear = StepToDo("clear_reasons_against", against.why)
        because = f"{against.why}, and {because}"
        return Ruling("not_yet", because, (clear, roll_out), way=best)
    conditions = (*it.open_conditions, *_untested_conditions(it, best))
    return Ruling("yes", because, (roll_out,), conditions, best)


def _proven_in_vain(it: Situation) -> Ruling | None:
    """Every tuned way that was tried is in vain; None where one isn't, or none was tried.

    None, too, where an untuned way is enough: then another rule says so.
    """
    tried = it.table.tried_tunings
    if not tried or it.table.untuned_enough:
        return None
    if not all(it.table.is_in_vain(way) for way in tried):
        return None
    best = max(tried, key=lambda way: way.figures["quality"].value)
    relax = StepToDo("relax_target", "nothing untried is left")
    steps = (*try_ways(it.table.to_try), relax)
    because = f"{best.title} was tuned, and {_shortfall(it, best)}"
    return Ruling("no", because, keep_data_inside(it, steps), way=best)


def _untested_conditions(it: Situation, way: Way) -> Iterator[str]:
    """Conditions of a tuned way that nobody tested."""
    until = serves_until(it.facts.case, it.facts.findings.as_of)
    if until is not None:
        yield f"another base model is named, as its own ends on {day(until)}"
    if way.skills == "unknown":
        yield "its general skills are tested"
    if way.safe == "unknown":
        yield "its refusals are tested"


def _shortfall(it: Situation, way: Way) -> str:
    """The reason why a way isn't enough."""
    if way.skills == "no":
        return "it lost general skills"
    if way.safe == "no":
        return "it lost its refusals"
    missed = it.table.criterion.missed_by(way)
    if missed:
        return f"it misses {it.table.criterion.name_targets(missed)}"
    other = it.table.find(way.beside)
    return f"it gains nothing that shows over {other.title if other else 'the best untuned way'}"


def met(it: Situation) -> Ruling | None:
    """An untuned way is enough."""
    if not it.table.untuned_enough:
        return None
    best = it.table.untuned_enough[0]  # what runs now, else the cheapest
    because = say_met(it.table, best)
    if best.kind == "now":
        step = keep_prompt(it, because)
    else:
        step = StepToDo(best.option, because, best)
    return Ruling("no", because, (step,), way=best)


def refused(it: Situation) -> Ruling | None:
    """The use case ends too soon, or money can't come back even at the best."""
    because = _why_refused(it)
    if not because:
        return None
    steps = try_ways(it.table.to_try) or _run_in_batch(it)
    if not steps:
        steps = (_replace_lapsing(it) or keep_prompt(it, _no_other(it)),)
    return Ruling("no", because, keep_data_inside(it, steps))


def _replace_lapsing(it: Situation) -> StepToDo | None:
    """The step that finds what runs after a tuned model is switched off; None where it stays."""
    if not any(way.lapses is not None for way in it.table.ways):
        return None
    because = "something has to take the place of what is switched off"
    way = it.table.find("other_model")
    if way is not None and not way.untried:
        way = None  # it was tried for another reason
    return StepToDo("other_model", because, way)


def _why_refused(it: Situation) -> str:
    """Why tuning can't pay back; empty where it may, or nobody knows.

    A job that runs once is over before, unless it is known to bring more than tuning costs.
    """
    most = it.prize.left_at_best
    if it.facts.case.one_off and (most is None or most < 0):
        return "the job runs once and is over before a tuned model is ready"
    if most is None or most >= 0:
        return ""
    if it.missed == ("privacy",):
        return ""  # data have to stay inside, whatever it costs
    if _may_turn(it):
        return ""
    return it.prize.why_not


def _run_in_batch(it: Situation) -> tuple[StepToDo, ...]:
    """For a one-off job for which nobody waits, a batch in place of single calls; () for others."""
    case = it.facts.case
    way = it.table.find("batching")
    if not case.one_off or case.economics.traffic.batchable != "yes":
        return ()
    if way is None or not way.untried:
        return ()
    return (StepToDo("batching", "nobody waits, and a batch costs half", way),)


def _no_other(it: Situation) -> str:
    """Why no untried way is recommended: its chance to meet the targets is too low.

    Where chances mean nothing, because nothing is missed or no threshold is set, no way is worth it.
    """
    least = it.facts.framework.threshold("worth_trying")
    untried = [way for way in it.table.ways if way.untried and way.kind != "tuning"]
    if least is None or not untried or not it.missed:
        return "nothing else is worth its work"
    ways = "the untried way is" if len(untried) == 1 else "each untried way is"
    return f"{ways} too unlikely to meet what is missed"


def _may_turn(it: Situation) -> bool:
    """Whether a loss may turn into a gain, as a contradiction is about an amount in it."""
    stated = it.prize.left_as_stated
    return stated is not None and stated >= 0 and it.money_contradicted


def moving(it: Situation) -> Ruling | None:
    """The material that tuning would teach still changes."""
    if not it.moves:
        return None
    meanwhile = _lasting(it, it.table.to_try) or _lasting(it, it.table.any_chance)
    follow_at_once = [way for way in meanwhile if way.option in _following_at_once(it)]
    steps = try_ways([*follow_at_once, *meanwhile])
    if not it.targeted and not follow_at_once:
        steps = (StepToDo("target", "state what has to be reached"), *steps)
    if not steps:
        steps = (StepToDo("clear_reasons_against", it.moves),)
    return Ruling("not_yet", it.moves, keep_data_inside(it, steps))


def _following_at_once(it: Situation) -> list[str]:
    """Options that follow a change of the requirements without new examples."""
    options = ["better_retrieval"]  # documents that change can be looked up at once
    if it.facts.behaviour_changes and "classification" not in it.facts.case.goals:
        options.append("tools_and_checks")  # a rule in code is changed in an hour
    return options


def _lasting(it: Situation, ways: Sequence[Way]) -> list[Way]:
    """Ways that stay useful after a change of behavior: old answers follow old rules."""
    if not it.facts.behaviour_changes:
        return list(ways)
    return [way for way in ways if way.option != "retrieved_examples"]


def simpler(it: Situation) -> Ruling | None:
    """Untried simpler ways come first where they may be enough, or where tuning hardly can be."""
    table = it.table
    if it.missed == ("privacy",):
        return _keep_inside(it)
    enough = it.facts.framework.threshold("simpler_enough") or 0.0
    may_be_enough = table.simpler >= enough
    if not table.to_try or not (may_be_enough or _is_tuning_hopeless(it)):
        return None
    promising = [
        way for way in table.to_try if chance_word(table.chance(way)) != "unlikely"
    ]
    steps = keep_data_inside(it, try_ways(promising or table.to_try))
    because = say_simpler(table, fair=may_be_enough)
    return Ruling("not_yet", because, steps, way=table.to_try[0])


def _keep_inside(it: Situation) -> Ruling | None:
    """Only privacy is missed: an untried way that keeps data inside comes first.

    None where no such way is left.
    """
    # privacy is missed, so what keeps data inside is put even before no steps at all
    steps = keep_data_inside(it, ())
    first, *_ = steps
    if first.way is None:
        return None
    because = "data may not leave, and they go to a third party today"
    return Ruling("not_yet", because, steps, way=first.way)


def _is_tuning_hopeless(it: Situation) -> bool:
    """Whether tuning has hardly a chance to meet the missed targets, by the framework's threshold."""
    hopeless = it.facts.framework.threshold("tuning_hopeless") or 0.0
    return it.table.chance_of_tuning < hopeless


def worth_a_pilot(it: Situation) -> Ruling | None:
    """Tuning has a fair chance, and there are enough examples."""
    table = it.table
    best = table.best_tuning
    if best is None or _is_tuning_hopeless(it) or it.prize.short_of_data:
        return None
    steps = try_ways(_arms_of_pilot(it, best))
    against = it.forbidding
    if against is not None:
        clear = StepToDo("clear_reasons_against", against.why)
        return Ruling("not_yet", against.why, (clear, *steps))
    steps = search_first(it, steps)
    if best.private != "yes":
        steps = keep_data_inside(it, steps)
    because = say_pilot(table, it.prize.data_there)
    return Ruling("pilot", because, steps, it.open_conditions, best)


def _arms_of_pilot(it: Situation, tuning: Way) -> list[Way]:
    """A kind of tuning and, where one is untried, a trained classifier; the likelier one first."""
    classifiers = [way for way in it.table.to_try if way.kind == "no_model"]
    return sorted([tuning, *classifiers[:1]], key=it.table.chance, reverse=True)


def short_of_data(it: Situation) -> Ruling | None:
    """Tuning has a fair chance, but there are too few examples."""
    table = it.table
    if not it.prize.short_of_data or not table.tunings:
        return None
    if it.targeted and _is_tuning_hopeless(it):
        return None  # without a target a chance means nothing
    collect = StepToDo("collect_data", it.prize.short_of_data)
    steps = search_first(it, (*try_ways(table.to_try[:1]), collect))
    return Ruling("not_yet", it.prize.short_of_data, keep_data_inside(it, steps))


def nothing_left(it: Situation) -> Ruling:
    """No untried way has a chance."""
    best = it.table.any_chance[:1]
    relax = StepToDo("relax_target", "nothing known is left to try")
    cure = _known_cure(it)
    if cure is not None:
        steps = (cure, *try_ways(best), relax)
        return Ruling("not_yet", cure.because, keep_data_inside(it, steps))
    because = "nothing that is known is left to try: relax a target, or live with it"
    if best:
        because = f"the best remaining way, {best[0].title}, is unlikely to be enough"
    steps = search_first(it, (*try_ways(best), relax))
    return Ruling("not_yet", because, keep_data_inside(it, steps))


def _known_cure(it: Situation) -> StepToDo | None:
    """The way that helps with most failures, even if it was tried before."""
    gap = it.table.gap
    if gap.leads_by_half("ambiguous_question"):
        says = "most failures are questions that can be read in two ways"
        return StepToDo(
            "label", f"{says}: settle what counts as right, and count again"
        )
    if gap.misses_passages:
        recall = share(gap.facts.recall or 0.0)
        says = f"retrieval was worked on, and still finds the right passage for only {recall}"
        return StepToDo("better_retrieval", f"{says}: that is most of what goes wrong")
    return None


# What is open, and would decide.


def undecided(it: Situation) -> Ruling | None:
    """A fact is unknown, and its two sides lead to different answers."""
    try_meanwhile = try_ways(it.table.to_try)
    replace = _replace_lapsing(it)
    if replace is not None and it.table.today.lapses is not None:
        # what the gap is reckoned from is no way to keep, so nobody knows what tuning has to beat
        says = "nobody has scored a model that could take its place"
        return Ruling("open", says, keep_data_inside(it, (replace,)))
    missed = set(it.missed) - {"privacy"}
    if it.table.gap.doubtful and not missed and not it.moves:
        # without the figure nobody knows whether anything has to change
        measure = measure_first(it)
        steps = keep_data_inside(it, (measure, *try_meanwhile))
        return Ruling("open", _after_a_pilot(it, measure.because), steps)
    failures = it.table.gap.failures
    if failures is not None and failures.labels_first and "quality" in it.missed:
        says = "wrong references weigh as much as what is missing to the target"
        return Ruling("open", says, (StepToDo("label", says), *try_meanwhile))
    for doubt in find_doubts(it):
        answers = {answer_firmly(side).answer for side in doubt.sides}
        if len(answers) > 1:
            steps = keep_data_inside(it, (doubt.step, *try_meanwhile))
            return Ruling("open", doubt.says, steps)
    return None


def _after_a_pilot(it: Situation, lacks: str) -> str:
    """Say first what a tuned model came to, where nothing is known of what runs today."""
    tuned = [way for way in it.table.tried_tunings if "quality" in way.figures]
    if not tuned or it.facts.case.today.quality is not None:
        return lacks
    best = max(tuned, key=lambda way: way.figures["quality"].value)
    return f"{best.title} is {say_quality(best.figures['quality'])} right, and {lacks}"


# All together.

Rule = Callable[[Situation], Ruling | None]

RULES: Mapping[JudgementRule, Rule] = {
    "proven": proven,
    "met": met,
    "refused": refused,
    "undecided": undecided,
    "moving": moving,
    "simpler": simpler,
    "worth_a_pilot": worth_a_pilot,
    "short_of_data": short_of_data,
    "nothing_left": nothing_left,
}  #: In the order in which they are asked.

WITHOUT_A_TARGET: tuple[JudgementRule, ...] = ("refused", "moving", "short_of_data")
"""The rules that are used where no target is stated."""


def answer(it: Situation) -> Ruling:
    """The first rule that applies; the count's default where no target is stated.

    The reason says first when a tuned model that runs today is switched off soon.
    """
    ruling = _first_that_holds(it, RULES)
    for way in it.table.ways:
        if way.lapses is not None:
            as_of = it.facts.findings.as_of
            past = as_of is not None and way.lapses <= as_of
            switched = "was switched off" if past else "is switched off"
            ends = f"what runs today is tuned, and {switched} on {day(way.lapses)}"
            return ruling._replace(because=f"{ends}. {capital(ruling.because)}")
    return ruling


def answer_firmly(it: Situation) -> Ruling:
    """The first rule that applies, without the rule about unknown facts."""
    firm = dict(RULES)
    del firm["undecided"]
    return _first_that_holds(it, firm)


def _first_that_holds(it: Situation, rules: Mapping[JudgementRule, Rule]) -> Ruling:
    """The ruling of the first rule that holds, of those that the framework uses.

    Where none holds, it is the count's default without a target, and else that nothing is left.
    """
    for name, rule in rules.items():
        if not it.is_on(name):
            continue
        if not it.targeted and name not in WITHOUT_A_TARGET:
            continue
        ruling = rule(it)
        if ruling is not None:
            return ruling._replace(rule=name)
    if not it.targeted:
        return by_count(it)
    return nothing_left(it)._replace(rule="nothing_left")


class _CountDefault(NamedTuple):
    """The answer that an outcome of the count leads to, with its reason."""

    answer: TuningAnswer
    because: str


_BY_COUNT: Mapping[Outcome | str, _CountDefault] = {
    "fine_tune_candidate": _CountDefault(
        "pilot", "a candidate by the checklist alone: no target is stated"
    ),
    "improve_rag_or_switch_model": _CountDefault(
        "not_yet", "no target is stated, and few reasons hold"
    ),
    "address_anti_indicators": _CountDefault(
        "not_yet", "no target is stated, and reasons speak against it"
    ),
    "keep_optimizing_prompts": _CountDefault(
        "not_yet", "no target is stated, and prompting isn't at its end"
    ),
    "undecided": _CountDefault(
        "open", "no target is stated, and the checklist is open"
    ),
}


def by_count(it: Situation) -> Ruling:
    """The framework's count as the default, and a target to state."""
    default = _BY_COUNT[it.outcome]
    target = StepToDo("target", "state what has to be reached")
    steps = (target, *try_ways(it.table.to_try))
    if default.answer != "pilot":
        return Ruling(default.answer, default.because, steps)
    against = it.forbidding
    if against is not None:
        clear = StepToDo("clear_reasons_against", against.why)
        return Ruling("not_yet", against.why, (target, clear))
    named = {step.option for step in steps}
    tuning = search_first(it, try_ways(it.table.tunings[:1]))
    steps += tuple(step for step in tuning if step.option not in named)
    return Ruling(default.answer, default.because, steps, it.open_conditions)
