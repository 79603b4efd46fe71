"""The judgement: the answer with its steps, its grounds, and the facts that would turn it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import NamedTuple, TypeVar, get_args

from tuneworthy.answers import TABLES
from tuneworthy.answers.count import OTHERS
from tuneworthy.answers.facts import TARGETS, CaseFacts
from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.dossier import (
    Basis,
    ChallengeResult,
    Choice,
    Reach,
    Recommendation,
    Source,
    Step,
    TargetResult,
    TuningAnswer,
    Turn,
    Verdict,
)
from tuneworthy.model.framework import TargetId
from tuneworthy.stats.intervals import cases_to_tell
from tuneworthy.verdict.answer import answer
from tuneworthy.verdict.situation import Ruling, Situation, StepToDo
from tuneworthy.verdict.turning import AnswerAndStep, JudgedAgain, find_turns
from tuneworthy.ways.gap import SEARCHED
from tuneworthy.ways.results import command_for, work_usd
from tuneworthy.ways.way import KnownNumber, Way
from tuneworthy.words import listing, number, quality, sentence, usd

#: Steps of a recommendation; later ones depend on what the first ones show.
MOST_STEPS = 4
_Item = TypeVar("_Item")


class LookAhead(NamedTuple):
    """The result of judging again with other answers."""

    #: Answers that, changed alone, would change the answer or the first step.
    flips: int
    turning: tuple[str, ...]  #: Those that alone would change the answer.
    reach: Reach
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The one result that everything which gives advice reads."""

    ruling: Ruling
    outcome: Verdict  #: The framework's count.
    recommendation: Recommendation
    targets: dict[TargetId, TargetResult]
    contradictions: int
    basis: Basis  #: The basis of the judgement.
    more_cases: int | None
    """Cases to label until the figure that is too uncertain can be distinguished from its target."""
    ahead: Callable[[], LookAhead]
    """Computes on demand which verdicts open answers could lead to, and which facts turn the
    answer."""

    @property
    def answer(self) -> TuningAnswer:
        """Whether to tune, as the judgement decides."""
        return self.ruling.answer


def judge(it: Situation, challenges: Sequence[ChallengeResult]) -> Judgement:
    """Judge a situation: the answer, and everything that follows from it."""
    ruling = answer(it)
    steps = tuple(_step(it, step) for step in ruling.steps[:MOST_STEPS])
    # judging again hundreds of times takes a second, so it waits until somebody reads it
    ahead = cache(partial(_look_ahead, it, ruling))
    contradictions = [each for each in challenges if each.severity == "contradiction"]
    return Judgement(
        ruling=ruling,
        outcome=it.outcome,
        recommendation=_recommendation(it, ruling, steps),
        targets=hold_targets(it.facts),
        contradictions=len(contradictions),
        basis=_basis(it, ahead),
        more_cases=_more_cases(it, ruling),
        ahead=ahead,
    )


# Each target against today.


def hold_targets(facts: CaseFacts) -> dict[TargetId, TargetResult]:
    """Every target with its state. One without a stated limit is unknown and says what to state."""
    results: dict[TargetId, TargetResult] = {}
    for name, kind in TARGETS.items():
        limit = facts.limits.get(name)
        today = facts.now.get(name)
        if name == "privacy":  # its limit is that data stay inside: 1 for yes
            limit = 1.0 if name in facts.targets else None
            own = float(facts.api == "own")
            today = None if facts.api == "unknown" else Range.between(own, own)
        results[name] = TargetResult(
            state=_STATES[facts.target(name)],
            limit=Unknown(ask=kind.state) if limit is None else limit,
            today=Unknown(ask=kind.measure) if today is None else today.narrowed(),
            source=_source_of_today(facts, name, known=today is not None),
        )
    return results


def _source_of_today(facts: CaseFacts, name: TargetId, *, known: bool) -> Source:
    """Where today's figure of a target comes from; a bill by traffic and prices is assumed."""
    path = TARGETS[name].path
    if any(each.path.startswith(path) for each in facts.findings.replaced):
        return "measured"
    computed = name == "cost" and facts.bill_path != path
    return "stated" if known and not computed else "assumed"


_STATES = {"yes": "met", "no": "missed", "unknown": "unknown"}


# Steps.

#: Titles of the steps that are no options of the framework.
_TITLES: Mapping[str, str] = TABLES["steps"]


def _step(it: Situation, step: StepToDo) -> Step:
    """A step as the dossier shows it."""
    way = step.way
    hours = None if way is None else way.hours
    aims = _aims_of(it, way)
    return Step(
        option=step.option,
        way="" if way is None else way.id,
        title=_title_of(it, step),
        because=sentence(step.because),
        targets=aims,
        command=command_for(step.option, way, it.facts.case.data),
        stop_when=_stop_when(it, step, aims),
        hours=Unknown(ask="estimate the hours") if hours is None else hours.narrowed(),
        usd=work_usd(hours, it.facts.case.economics.hourly_rate_usd),
    )


def _aims_of(it: Situation, way: Way | None) -> tuple[TargetId, ...]:
    """The missed targets that an untried way has a chance to meet; () for no way."""
    if way is None:
        return ()
    chances = it.table.chances.get(way.id, {})
    return tuple(target for target, chance in chances.items() if chance > 0)


def _title_of(it: Situation, step: StepToDo) -> str:
    """The title of a step: that of its option, or what to do with its way."""
    framework = it.facts.framework
    title = _TITLES.get(step.option, step.option)
    if step.option in framework.options:
        title = framework.options[step.option].title
    elif step.option in framework.approaches:
        title = framework.approaches[step.option].title
    way = step.way
    if way is None:
        return title
    if way.kind == "option":
        return way.title
    if way.kind == "no_model" and not way.untried:
        return f"switch to {title}"
    if way.kind in ("model", "arm") and not way.untried:
        return f"switch to {way.title}"
    if way.kind == "model":
        return f"run {way.title} on your cases"
    return title


def _stop_when(it: Situation, step: StepToDo, aims: Sequence[TargetId]) -> str:
    """The condition under which a step has reached its aim."""
    if step.option in _STOPS:
        return _STOPS[step.option]
    if step.way is not None and step.way.kind in ("tuning", "tuned"):
        aimed = _all_targets(it)
    else:
        limited = {*it.facts.limits, "privacy"}
        aimed = [target for target in aims or it.missed if target in limited]
    if not aimed:
        return "a target is stated and met on held-out cases"
    met = []
    for target in aimed:
        limit = _limit_text(it, target)
        # each sentence has a place for its limit, and the one of money for "per month", too
        met.append(TARGETS[target].met.format(limit, it.facts.case.a_month))
    return listing(met)


def _all_targets(it: Situation) -> list[TargetId]:
    """Every target with a limit, and privacy where data have to stay, in the order of TARGETS.

    A tuned way has to meet them all.
    """
    counting: set[TargetId] = set(it.facts.limits)
    if it.facts.state("data_sovereignty") == "yes":
        counting.add("privacy")
    return [target for target in TARGETS if target in counting]


def _limit_text(it: Situation, target: TargetId) -> str:
    """The limit of a target in the form its sentence needs; for money without the sign."""
    limit = it.facts.limits.get(target, 1.0)  # privacy has no limit
    if target == "quality":
        return quality(limit)
    if target == "cost":
        return usd(limit).removeprefix("$")
    return number(limit)


_STOPS: Mapping[str, str] = TABLES["stops"]


def _recommendation(
    it: Situation, ruling: Ruling, steps: tuple[Step, ...]
) -> Recommendation:
    """The recommendation that follows from the ruling and its steps."""
    framework = it.facts.framework
    known = {*framework.options, *framework.approaches}
    choice: Choice = "simpler_path"
    if ruling.answer == "open":
        choice = "undecided"
    elif ruling.answer in ("pilot", "yes"):
        choice = "both" if len(steps) > 1 else "fine_tune"
    return Recommendation(
        choice=choice,
        options=tuple(step.option for step in steps if step.option in known),
        steps=steps,
        says=_say_steps(steps, ruling.answer),
    )


def _say_steps(steps: Sequence[Step], answer: TuningAnswer) -> str:
    """A sentence with the first step, and with the titles of the others."""
    first, *others = steps
    then = f"; then {listing([step.title for step in others])}" if others else ""
    return sentence(f"{say_step(first, answer)}{then}")


def say_step(step: Step, answer: TuningAnswer) -> str:
    """A step in words, as ``try retrieved examples`` or ``pilot supervised fine-tuning``."""
    if answer == "pilot" and step.way and step.option != SEARCHED:
        return f"pilot {step.title}"
    begins_with_verb = step.title.startswith(("switch to ", "run "))
    if begins_with_verb or step.option in _TITLES:  # titles of our own have their verb
        return step.title
    return f"{_VERBS.get(step.option, 'try')} {step.title}".strip()


_VERBS: Mapping[str, str] = {"private_endpoint": "ask for", "keep_prompt": ""}


def _more_cases(it: Situation, ruling: Ruling) -> int | None:
    """More cases to label, which distinguish a figure from its target; None where that is unknown.

    The figure is that of the way that is to be counted better, else today's.
    """
    limit = it.facts.limits.get("quality")
    share = it.facts.case.today.quality
    counted_on = it.facts.case.today.cases
    labelled = counted_on
    known = _figure_to_label(ruling)
    if known is not None:
        share = known.value
        counted_on = known.cases
        labelled = known.cases
        if labelled is not None and known.grade == "held_out":
            labelled *= 2  # a lab counted it on the held-out half of its set
    if limit is None or share is None or not counted_on or not labelled:
        return None
    if share == limit:
        return None  # no number of cases distinguishes equal figures
    needed = cases_to_tell(share, limit, counted_on)
    if needed is None or needed <= labelled:
        return None
    return needed - labelled


def _figure_to_label(ruling: Ruling) -> KnownNumber | None:
    """The quality of the way that a step would count on more cases; None without such a way."""
    for step in ruling.steps:
        if step.option == "label":
            return None if step.way is None else step.way.figures.get("quality")
    return None


# What it rests on, and what the open answers can make of it.

#: Ways to answer everything that is open, up to which all of them are judged.
MOST_WAYS = 16


def _basis(it: Situation, ahead: Callable[[], LookAhead]) -> Basis:
    """The number of answers from each source; the costly parts are computed on demand."""
    by_source = dict.fromkeys(get_args(Source), 0)
    for name, state in it.facts.states.items():
        if state != "unknown":
            by_source[it.facts.source(name)] += 1
    by_source["measured"] += len(it.table.measured_ways)
    return Basis.waiting(
        {"flips": lambda: ahead().flips, "turning": lambda: ahead().turning},
        **by_source,
    )


def _look_ahead(it: Situation, ruling: Ruling) -> LookAhead:
    """Judge again with each single answer changed, and with every open answer filled in."""
    now = AnswerAndStep(ruling.answer, ruling.first_option)
    judge_again = JudgedAgain(it)
    flips = 0
    turning = list[str]()
    for name, state in it.facts.states.items():
        changed = [judge_again({name: to}) for to in OTHERS[state]]
        if any(each != now for each in changed):
            flips += 1
        if any(each.answer != now.answer for each in changed):
            turning.append(name)
    return LookAhead(
        flips=flips,
        turning=tuple(turning),
        reach=_reach(it, now, judge_again),
        turns=find_turns(it, ruling, judge_again),
    )


def _reach(it: Situation, now: AnswerAndStep, judge_again: JudgedAgain) -> Reach:
    """The answers and first steps that open answers could lead to, today's first.

    Exact where every combination of open answers is judged; with too many combinations only one
    answer is filled in at a time.
    """
    still_open = [name for name, state in it.facts.states.items() if state == "unknown"]
    exact = 2 ** len(still_open) <= MOST_WAYS
    if exact:
        fillings = list(_every_way(still_open))
    else:
        fillings = [{name: to} for name in still_open for to in OTHERS["unknown"]]
    reached = [now, *(judge_again(filling) for filling in fillings)]
    return Reach(
        answers=tuple(_each_once([outcome.answer for outcome in reached])),
        first_steps=tuple(_each_once([outcome.step for outcome in reached])),
        exact=exact,
    )


def _each_once(items: Sequence[_Item]) -> list[_Item]:
    """The items in their order, each where it comes first."""
    kept = list[_Item]()
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept


def _every_way(names: Sequence[str]) -> Iterator[dict[str, State]]:
    """Every combination of yes and no for these answers; for no names one that is empty."""
    for states in product(OTHERS["unknown"], repeat=len(names)):
        yield dict(zip(names, states, strict=True))
