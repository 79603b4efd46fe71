"""The judgement: the answer with its steps, its grounds, and the facts that would turn it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import NamedTuple, get_args

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
from tuneworthy.words import listing, number, quality, sentence, usd

MOST_STEPS = 4


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
    ahead = cache(partial(_look_ahead, it, ruling))
    return Judgement(
        ruling=ruling,
        outcome=it.outcome,
        recommendation=_recommendation(it, ruling, steps),
        targets=hold_targets(it.facts),
        contradictions=[item.severity for item in challenges].count("contradiction"),
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
        if name == "privacy":
            limit = 1.0 if name in facts.targets else None
            own = float(facts.api == "own")
            today = None if facts.api == "unknown" else Range.between(own, own)
        measured = any(
            each.path.startswith(kind.path) for each in facts.findings.replaced
        )
        stated = today is not None and (name != "cost" or facts.bill_path == kind.path)
        source: Source = "assumed"
        if measured:
            source = "measured"
        elif stated:
            source = "stated"
        results[name] = TargetResult(
            state=_STATES[facts.target(name)],
            limit=Unknown(ask=kind.state) if limit is None else limit,
            today=Unknown(ask=kind.measure) if today is None else today.narrowed(),
            source=source,
        )
    return results


_STATES = {"yes": "met", "no": "missed", "unknown": "unknown"}


# Steps.

#: Steps that are not option of the framework.
_TITLES: Mapping[str, str] = TABLES["steps"]


def _step(it: Situation, step: StepToDo) -> Step:
    """A step as the dossier shows it."""
    way = step.way
    framework = it.facts.framework
    title = _TITLES.get(step.option, step.option)
    if step.option in framework.options:
        title = framework.options[step.option].title
    elif step.option in framework.approaches:
        title = framework.approaches[step.option].title
    if way is not None and way.kind == "option":
        title = way.title
    elif way is not None and way.kind in ("model", "arm") and not way.untried:
        title = f"switch to {way.title}"
    elif way is not None and way.kind == "no_model" and not way.untried:
        title = f"switch to {title}"
    elif way is not None and way.kind == "model":
        title = f"run {way.title} on your cases"
    hours = way.hours if way is not None else None
    aims = tuple(
        target
        for target, chance in it.table.chances.get(way.id if way else "", {}).items()
        if chance > 0
    )
    return Step(
        option=step.option,
        way=way.id if way is not None else "",
        title=title,
        because=sentence(step.because),
        targets=aims,
        command=command_for(step.option, way, it.facts.case.data),
        stop_when=_stop_when(it, step, aims),
        hours=Unknown(ask="estimate the hours") if hours is None else hours.narrowed(),
        usd=work_usd(hours, it.facts.case.economics.hourly_rate_usd),
    )


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
    return listing(
        [
            TARGETS[target].met.format(_limit_text(it, target), it.facts.case.a_month)
            for target in aimed
        ]
    )


def _all_targets(it: Situation) -> list[TargetId]:
    """Every target with a limit, and privacy where data have to stay. A tuned way meets them all."""
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
    first, *others = steps
    then = f"; then {listing([step.title for step in others])}" if others else ""
    return sentence(f"{say_step(first, answer)}{then}")


def say_step(step: Step, answer: TuningAnswer) -> str:
    """A step in words, as ``try retrieved examples`` or ``pilot supervised fine-tuning``."""
    if answer == "pilot" and step.way and step.option != SEARCHED:
        return f"pilot {step.title}"
    is_told_to = step.title.startswith(("switch to ", "run ")) or step.option in _TITLES
    if is_told_to:
        return step.title
    return f"{_VERBS.get(step.option, 'try')} {step.title}".strip()


_VERBS: Mapping[str, str] = {"private_endpoint": "ask for", "keep_prompt": ""}


def _more_cases(it: Situation, ruling: Ruling) -> int | None:
    """More cases to label, which distinguish a figure from its target; None where that is unknown.

    The figure is that of the way that is to be counted better, else today's. A lab counted it on
    the held-out half of its set alone.
    """
    today = it.facts.case.today
    limit = it.facts.limits.get("quality")
    quality_known = today.quality
    have = today.cases
    counted_on = today.cases
    way = next((step.way for step in ruling.steps if step.option == "label"), None)
    known = None if way is None else way.figures.get("quality")
    if known is not None:
        quality_known = known.value
        have = known.cases
        counted_on = known.cases
        if have is not None and known.grade == "held_out":
            have *= 2
    if limit is None or quality_known is None or not counted_on or not have:
        return None
    if quality_known == limit:
        return None
    telling = cases_to_tell(quality_known, limit, counted_on)
    if telling is None or telling <= have:
        return None
    return telling - have


# What it rests on, and what the open answers can make of it.

#: Ways to answer everything that is open, up to which all of them are judged.
MOST_WAYS = 16


def _basis(it: Situation, ahead: Callable[[], LookAhead]) -> Basis:
    """The number of answers from each source; the costly parts are computed on demand."""
    states = it.facts.states
    sources = [
        it.facts.source(name) for name, state in states.items() if state != "unknown"
    ]
    by_source = {kind: sources.count(kind) for kind in get_args(Source)}
    by_source["measured"] += len(it.table.measured_ways)
    return Basis.waiting(
        {"flips": lambda: ahead().flips, "turning": lambda: ahead().turning},
        **by_source,
    )


def _look_ahead(it: Situation, ruling: Ruling) -> LookAhead:
    """Judge again with each single answer changed, and with every open answer filled in."""
    now = AnswerAndStep(ruling.answer, ruling.steps[0].option)
    states = it.facts.states
    judge_again = JudgedAgain(it)
    turning = list[str]()  # whose change turns the answer
    flips = 0  # those whose change turns the answer or the first step
    still_open = list[str]()
    one_answered = list[AnswerAndStep]()  # with one of the open ones answered
    for name, state in states.items():
        outcomes = [judge_again({name: to}) for to in OTHERS[state]]
        if any(outcome.answer != now.answer for outcome in outcomes):
            turning.append(name)
        flips += any(outcome != now for outcome in outcomes)
        if state == "unknown":
            still_open.append(name)
            one_answered += outcomes
    exact = 2 ** len(still_open) <= MOST_WAYS
    if exact:
        reached = [judge_again(changes) for changes in _every_way(still_open)]
    else:
        reached = one_answered
    reached = [now, *reached]
    return LookAhead(
        flips=flips,
        turning=tuple(turning),
        reach=Reach(
            answers=tuple(dict.fromkeys(outcome.answer for outcome in reached)),
            first_steps=tuple(dict.fromkeys(outcome.step for outcome in reached)),
            exact=exact,
        ),
        turns=find_turns(it, ruling, judge_again),
    )


def _every_way(names: Sequence[str]) -> Iterator[dict[str, State]]:
    """Every combination of yes and no for some open answers."""
    for way in product(OTHERS["unknown"], repeat=len(names)):
        yield dict(zip(names, way, strict=True))
