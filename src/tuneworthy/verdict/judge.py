"""The judgement: one answer from the count, the targets, the options, the money and the gates.

The framework's count gives the default. Six named rules may move it, each a function here and each
switched on in the framework file. Everything that advises reads what this module makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from tuneworthy.framework.rules import Rules
from tuneworthy.framework.tally import tally
from tuneworthy.model.base import Range, State, Unknown
from tuneworthy.model.dossier import (
    Action,
    Basis,
    ChallengeResult,
    Departure,
    GateId,
    GateResult,
    GoalRecord,
    OptionResult,
    QuestionResult,
    Reach,
    Recommendation,
    Step,
    TargetResult,
    TargetState,
    TuningAnswer,
    Verdict,
)
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.framework import OUTCOMES, JudgementRule, TargetId
from tuneworthy.verdict.facts import NAMES, TARGETS, CaseFacts
from tuneworthy.verdict.options import OPTIONS, covers, options
from tuneworthy.verdict.rules import verdict_of
from tuneworthy.words import few, listing, number, plain, sentence, several, usd

BY_COUNT: Mapping[Verdict, TuningAnswer] = {
    "keep_optimizing_prompts": "not_yet",
    "improve_rag_or_switch_model": "not_yet",
    "address_anti_indicators": "not_yet",
    "fine_tune_candidate": "pilot",
    "undecided": "open",
}
"""What the count alone answers."""

_SENT_TO = ("better_retrieval", "other_model")
"""Options that "improve retrieval or switch model" names."""

MOST_STEPS = 3


# Each target against today.


def targets(facts: CaseFacts) -> dict[TargetId, TargetResult]:
    """Every target with its state; one that nobody stated is unknown and says what to state."""
    found: dict[TargetId, TargetResult] = {}
    for name in TARGETS:
        state, limit, today = facts.targets.get(name), facts.limits.get(name), None
        if name == "privacy":
            limit, known = (1.0, facts.api) if state else (None, "unknown")
            today = None if known == "unknown" else Range.between(*[float(known == "own")] * 2)
        else:
            today = facts.now.get(name)
        measured = any(r.path.startswith(_PATHS[name]) for r in facts.findings.replaced)
        stated = facts.case.today.usd_per_month is not None or name != "cost"
        found[name] = TargetResult(
            state=_STATES[state or "unknown"],
            limit=Unknown(ask=_STATE_IT[name]) if limit is None else limit,
            today=Unknown(ask=_COUNT_IT[name]) if today is None else today.narrowed(),
            source="measured" if measured else "stated" if stated and today else "assumed",
        )
    return found


_STATES: Mapping[State, TargetState] = {"yes": "met", "no": "missed", "unknown": "unknown"}

_PATHS: Mapping[TargetId, str] = {
    "quality": "today.quality",
    "latency": "today.latency_p95_s",
    "cost": "today.usd_per_month",
    "privacy": "today.api",
}

_STATE_IT: Mapping[TargetId, str] = {
    "quality": "state a target with its metric (targets.quality)",
    "latency": "state how long an answer may take, if that matters (targets.latency_p95_s)",
    "cost": "state what it may cost a month, if that matters (targets.usd_per_month)",
    "privacy": "say whether data may leave (factors.data_sovereignty)",
}

_COUNT_IT: Mapping[TargetId, str] = {
    "quality": "score today's prompt on an evaluation set (today.quality and today.cases)",
    "latency": "time today's calls (today.latency_p95_s)",
    "cost": "state traffic and prices, or the bill (today.usd_per_month)",
    "privacy": "say who runs the model (today.api)",
}


# What the rules see.


@dataclass(frozen=True)
class Situation:
    """A case with everything that was worked out before the judgement."""

    facts: CaseFacts
    rules: Rules
    options: Sequence[OptionResult]
    gates: Mapping[GateId, GateResult]
    contradicted: frozenset[str] = frozenset()
    """Answers whose statement stands in an open contradiction."""

    def on(self, rule: JudgementRule) -> bool:
        """Whether the framework has this rule."""
        return rule in self.facts.framework.judgement

    @cached_property
    def simple(self) -> list[OptionResult]:
        """Options that are no tuning and help, in the order to try them; one of each family."""
        found = [
            option
            for option in self.options
            if option.kind != "tuning"
            and option.id != "keep_prompt"
            and option.helps in ("yes", "partly")
        ]
        families: dict[str, OptionResult] = {}
        for option in found:
            families.setdefault(family(option), option)
        return list(families.values())

    @cached_property
    def tunings(self) -> list[OptionResult]:
        """Kinds of tuning that help, in the order to try them."""
        trained = (option for option in self.options if option.kind == "tuning")
        return [option for option in trained if option.helps in ("yes", "partly")]

    @cached_property
    def untouched(self) -> tuple[TargetId, ...]:
        """Missed targets that nothing simpler is known to move."""
        moved = {
            target
            for option in self.simple
            if option.helps == "yes"
            for target in covers(option, self.facts)
        }
        return tuple(target for target in self.facts.firm if target not in moved)

    @cached_property
    def counted(self) -> tuple[dict[str, State], list[str]]:
        """The answers as rule ``refuted`` has them, and why; as they are where it is off."""
        states, why = dict(self.facts.assessment.states), list[str]()
        if not self.on("refuted"):
            return states, why
        if self.facts.small_bill and states.get("cost_optimization") == "yes":
            states["cost_optimization"] = "no"
            bill = self.facts.bill
            assert bill is not None  # it is small
            span = "in all" if self.facts.one_off else "a month"
            why.append(f"the whole bill is {usd(bill.likely)} {span}, so cost is no reason")
        doubtful = [
            name
            for name in self.facts.assessment.factors
            if name in self.contradicted and states[name] == "yes"
        ]
        if doubtful:
            states |= dict.fromkeys(doubtful, "unknown")
            titles = [self.facts.assessment.factors[name].title for name in doubtful]
            which = listing(titles) if len(titles) < 3 else f"{few(len(titles))} answers"
            why.append(f"{which} can't be counted before a contradiction is settled")
        return states, why


class Finding(NamedTuple):
    """An answer with the rules that moved it and the reason that decides."""

    answer: TuningAnswer
    because: str
    departs: tuple[Departure, ...] = ()
    outcome: Verdict = "undecided"
    moving: bool = False
    """Whether it waits for something that still moves."""


# The named rules. Each gives an answer with its reason where it fires.


def _proven(it: Situation) -> tuple[TuningAnswer, str] | None:
    """A tuned model was compared with the best untuned way on held-out cases."""
    gain = it.facts.findings.ledger.get("tuned_gain")
    if gain is None:
        return None
    what = gain.details.get("outcome")
    by = f"by {gain.number:+.2f} ({gain.low or 0.0:+.2f} to {_high(gain):+.2f})"
    on = f"on {few(gain.n)} held-out cases"
    if what == "improved" and all(
        it.gates[gate].state != "no" for gate in ("investment", "safety")
    ):
        return "yes", f"the tuned model beats the best untuned way {by} {on}"
    if what in ("improved", "too_few_cases"):
        return None  # held up by a gate, or not known: the gates and the count decide
    if gain.details.get("why") == "general":
        return "no", "the tuned model lost general skills"
    return "no", f"the tuned model gains nothing over the best untuned way: {by[3:]} {on}"


def _high(gain: Evidence) -> float:
    return gain.high if isinstance(gain.high, float | int) else 1.0


def _need(it: Situation) -> str | None:
    """Every target is met, measured or stated."""
    facts = it.facts
    met = [NAMES[name] for name, state in facts.targets.items() if state == "yes"]
    stated = [name for name in facts.targets if name != "privacy"]
    if stated and len(met) == len(facts.targets):
        return f"every target is met ({listing(met)})"
    if facts.satisfied == "yes" and "success_with_prompts" not in it.contradicted:
        return "the present prompt is said to meet every requirement"
    return None


def _never_repays(it: Situation) -> str | None:
    """The whole bill never repays the work, and nothing else is missed."""
    facts = it.facts
    if not facts.small_bill or facts.repays is None or set(facts.missed) - {"cost"}:
        return None
    if not facts.one_off and (facts.aims and set(facts.aims) != {"cost"}):
        return None
    bill, upfront = facts.repays
    if facts.one_off:
        return f"the job runs once and costs {usd(bill)}; tuning takes at least {usd(upfront)}"
    return f"the bill of half a year is {usd(bill)}; tuning takes at least {usd(upfront)}"


def _still_moving(it: Situation) -> str | None:
    """The task or its rules change faster than a model is trained."""
    if it.facts.holds("exploration_phase"):
        return "the task is still moving"
    if it.facts.changes in ("policy", "both"):
        return "rules of behavior change about every month, and each change means training again"
    return None


def _dead_end(it: Situation, outcome: Verdict) -> str | None:
    """What the count sends to is tried or ruled out, and only tuning moves what is missed."""
    if outcome != "improve_rag_or_switch_model" or it.facts.assessment.reached != "yes":
        return None
    sent = [option for option in it.options if family(option) in _SENT_TO]
    if not sent or any(option.helps != "no" for option in sent) or not it.facts.missed:
        return None
    missed = [target for target in it.untouched if target in it.facts.missed]
    able = [o for o in it.tunings if set(missed) <= set(covers(o, it.facts)) and o.helps == "yes"]
    if not missed or not able:
        return None
    names = listing([NAMES[target] for target in missed])
    return f"retrieval and other models are tried or ruled out, and only tuning moves {names}"


def _cheaper_first(it: Situation) -> str | None:
    """Untried options move every missed target for less work."""
    first = [option for option in it.simple if option.helps == "yes"]
    if not first or it.untouched or not it.facts.aims:
        return None
    titles = [option.title for option in first[: MOST_STEPS - 1]]
    aims = listing([NAMES[target] for target in it.facts.firm])
    return f"{listing(titles)} would move {aims} for less work"


HOLDS_UP: tuple[GateId, ...] = ("feasibility", "investment", "strength", "safety")
"""Gates that hold a pilot up where they are no, in the order in which they are named."""


def answer_for(it: Situation, outcome: Verdict) -> Finding:
    """The answer where the count comes to one outcome."""
    default, departs = BY_COUNT[outcome], []
    if it.on("proven") and (proof := _proven(it)) is not None:
        departs = [Departure(rule="proven", because=sentence(proof[1]))]
        return Finding(*proof, tuple(departs), outcome)
    if it.on("need") and (why := _need(it)) is not None:
        return Finding("no", why, (Departure(rule="need", because=sentence(why)),), outcome)
    if it.on("cannot_coexist"):
        if (why := _never_repays(it)) is not None:
            departs = [Departure(rule="cannot_coexist", because=sentence(why))]
            return Finding("no", why, tuple(departs), outcome)
        if (why := _still_moving(it)) is not None and outcome == "fine_tune_candidate":
            departs = [Departure(rule="cannot_coexist", because=sentence(why))]
            return Finding("not_yet", why, tuple(departs), outcome, moving=True)
    answer, because, skip = default, _by_count(it, outcome), set[str]()
    moving = _still_moving(it) is not None and it.on("cannot_coexist")
    if it.on("dead_end") and not moving and (why := _dead_end(it, outcome)) is not None:
        answer, because, skip = "pilot", why, {"strength"}
        departs.append(Departure(rule="dead_end", because=sentence(why)))
    if answer == "pilot":
        if (why := _held_back(it, skip)) is not None:
            return Finding("not_yet", why, (), outcome)
        if it.on("cheaper_first") and (why := _cheaper_first(it)) is not None:
            departs.append(Departure(rule="cheaper_first", because=sentence(why)))
    return Finding(answer, because, tuple(departs), outcome)


def _held_back(it: Situation, skip: set[str]) -> str | None:
    """What holds a pilot back: a gate that is no, or that no kind of tuning fits."""
    for gate in HOLDS_UP:
        if gate not in skip and gate in it.gates and it.gates[gate].state == "no":
            return it.gates[gate].why
    if it.facts.satisfied == "yes":
        return "all requirements are said to be met, and that is contradicted"
    trained = [option for option in it.options if option.kind == "tuning"]
    if trained and all(option.helps == "no" for option in trained):
        return f"no kind of tuning fits: {trained[0].because}"
    return None


def _by_count(it: Situation, outcome: Verdict) -> str:
    """Why the count comes to an outcome."""
    assessment = it.facts.assessment
    checks = assessment.ceiling.checks
    held = [factor for factor in assessment.factors.values() if factor.state == "yes"]
    pro = [factor for factor in held if factor.kind == "indicator"]
    con = [factor.title for factor in held if factor.kind == "anti_indicator"]
    many = sum(factor.kind == "indicator" for factor in assessment.factors.values())
    if outcome == "keep_optimizing_prompts":
        states = [check.state for check in checks.values()]
        todo, undone = states.count("no"), states.count("unknown")
        many, says = (todo, "not done") if todo else (undone, "not answered")
        verb = "is" if many == 1 else "are"
        return f"{few(many)} of {several(len(checks), 'check')} of the ceiling {verb} {says}"
    if outcome == "improve_rag_or_switch_model":
        counted = sum(
            it.counted[0][name] == "yes"
            for name in assessment.factors
            if assessment.factors[name].kind == "indicator"
        )
        return f"only {few(counted)} of {several(many, 'reason')} for it " + (
            "holds" if counted == 1 else "hold"
        )
    if outcome == "address_anti_indicators":
        return f"{listing(con)} {'speaks' if len(con) == 1 else 'speak'} against it"
    if outcome == "fine_tune_candidate":
        return f"prompting is at its ceiling, and {few(len(pro))} of {several(many, 'reason')} hold"
    return "answers that decide are missing"


def answered(it: Situation) -> tuple[Finding, tuple[Finding, ...]]:
    """The answer, and the answers for every outcome that the count can still come to."""
    states, why = it.counted
    reach = [outcome for outcome in OUTCOMES if outcome in tally(it.rules, states).reach]
    each = tuple(answer_for(it, outcome) for outcome in reach)
    before = it.facts.assessment.states
    refuted: tuple[Departure, ...] = ()
    if why and (states != before) and set(reach) != set(tally(it.rules, before).reach):
        refuted = (Departure(rule="refuted", because=sentence("; ".join(why))),)
    if len({one.answer for one in each}) > 1:
        still = sum(state == "unknown" for state in states.values())
        because = f"it depends on {several(still, 'open answer')}"
        if refuted:
            because = f"{'; '.join(why)}, and {because}"
        return Finding("open", because, refuted), each
    raw = verdict_of(it.rules, before)
    found = next((one for one in each if one.outcome == raw), each[0])
    if refuted and not found.departs:
        found = found._replace(because="; ".join(why))
    return found._replace(departs=(*refuted, *found.departs)), each


# The steps.

_COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "few_shot",
            "retrieved_examples",
            "constrained_output",
            "prompt_optimisation",
            "other_model",
            "reasoning_effort",
            "smaller_model",
        ),
        "tuneworthy ceiling CASE",
    ),
    "measure": "tuneworthy interview CASE",
}
"""Commands of this program that do a step; a plan for every other."""


def family(option: OptionResult) -> str:
    """An option, or the one it is a kind of."""
    return option.id if option.variant_of == "none" else option.variant_of


def steps_for(it: Situation, found: Finding, asked: Sequence[QuestionResult]) -> list[Step]:
    """What to do, in its order; at least one step."""
    steps = list(_steps(it, found, asked))
    unique = {step.option: step for step in reversed(steps)}
    return [step for step in steps if unique[step.option] is step][:MOST_STEPS] or [_keep(it)]


def _steps(it: Situation, found: Finding, asked: Sequence[QuestionResult]) -> Iterator[Step]:
    sure = [option for option in it.simple if option.helps == "yes"]
    maybe = [option for option in it.simple if option.helps == "partly"]
    if found.answer == "no":
        kept = next((option for option in it.options if option.id == "keep_prompt"), None)
        if not sure or (kept is not None and kept.helps in ("yes", "partly")):
            yield _keep(it)
            sure = [option for option in sure if option.kind == "serving"]
        yield from (_step(it, option) for option in sure)
        return
    if found.answer == "open":
        yield _ask(it, asked)
        yield from (_step(it, option) for option in sure)
        return
    if found.answer in ("pilot", "yes"):
        if any(departure.rule == "cheaper_first" for departure in found.departs):
            yield from (_step(it, option) for option in sure[: MOST_STEPS - 1])
        yield _tuning(it, found)
        return
    yield from (_step(it, option) for option in sure[:2])
    yield from _held_up(it, found)
    by_check = list(_by_check(it, found, maybe))
    does = {check for option in (*sure, *by_check) for check in _checks_of(option)}
    yield from _checks(it, [name for name in _lacking(it, found) if name not in does])
    yield from (_step(it, option) for option in (*sure[2:], *by_check))
    if asked or "unknown" in it.facts.targets.values() or it.facts.case.targets.quality is None:
        yield _ask(it, asked)


def _lacking(it: Situation, found: Finding) -> list[str]:
    """Checks that aren't done, where the count waits for them."""
    checks = it.facts.assessment.ceiling.checks.items()
    waits = found.outcome == "keep_optimizing_prompts"
    return [name for name, check in checks if check.state == "no"] if waits else []


def _by_check(
    it: Situation, found: Finding, maybe: Sequence[OptionResult]
) -> Iterator[OptionResult]:
    """Options that help in part, those first that do a check which isn't done."""
    lacking = set(_lacking(it, found))
    does = {name for name, option in OPTIONS.items() if lacking & set(option.checks)}
    yield from (option for option in maybe if option.id in does)
    yield from (option for option in maybe if option.id not in does)


def _checks_of(option: OptionResult) -> tuple[str, ...]:
    """Checks of the ceiling test that an option does."""
    return OPTIONS[option.id].checks if option.id in OPTIONS else ()


def _checks(it: Situation, names: Sequence[str]) -> Iterator[Step]:
    checks = it.facts.framework.ceiling
    for name in names:
        settle = it.facts.framework.filled(
            checks[name].settle or checks[name].ask, checks[name].at_least
        )
        yield _other("measure", f"do the check: {plain(name)}", settle, "the check is answered")


def _held_up(it: Situation, found: Finding) -> Iterator[Step]:
    """What a candidate waits for."""
    if found.outcome == "address_anti_indicators":
        yield _other(
            "clear_reasons_against",
            "clear the reasons against",
            found.because,
            "at most one reason against is left",
        )
    if found.outcome != "fine_tune_candidate" and not found.moving:
        return
    state = {gate: result.state for gate, result in it.gates.items()}
    if found.moving or state.get("safety") == "no":
        yield _other(
            "clear_reasons_against",
            "clear what speaks against training",
            found.because,
            "it doesn't hold any more",
        )
    elif state.get("feasibility") == "no":
        short = bool(it.facts.fits) and it.facts.fits[0].feasible == "no"
        name, title, stop = (
            ("collect_data", "get the data together", "enough data is there")
            if short
            else ("clear_reasons_against", "find another way to tune", "one is named")
        )
        yield _other(name, title, it.gates["feasibility"].why, stop)


def _step(it: Situation, option: OptionResult) -> Step:
    name = family(option)
    known = it.facts.framework.options.get(name)
    aims = covers(option, it.facts)
    return Step(
        option=name,
        title=known.title if known else option.title,
        because=option.because,
        targets=aims,
        command=_COMMANDS.get(name, "tuneworthy plan CASE"),
        stop_when=_stop_when(it, aims),
        hours=option.effort_hours,
        usd=Unknown(ask="state economics.hourly_rate_usd and price the calls"),
    )


def _stop_when(it: Situation, aims: Sequence[TargetId]) -> str:
    """When a step has done what it is for."""
    said = []
    for target in aims or it.facts.aims:
        limit = it.facts.limits.get(target)
        says = {
            "quality": f"quality reaches {number(limit or 0)} on cases nobody tuned on",
            "latency": f"95 of 100 answers come within {number(limit or 0)} s",
            "cost": f"the bill is at most {usd(limit or 0)} a month",
        }
        if target == "privacy":
            said.append("no data leaves")
        elif limit is not None:
            said.append(says[target])
    if not said:
        return "a target is stated (targets.quality) and met on cases nobody tuned on"
    return listing(said)


def _tuning(it: Situation, found: Finding) -> Step:
    """The pilot of the tuning that fits best; after proof, the whole of it."""
    best = next(iter(it.tunings), None)
    if best is None:
        fit = it.facts.fits[0] if it.facts.fits else None
        name = fit.approach if fit else next(iter(it.facts.framework.approaches), "measure")
        title = fit.title if fit else "the approach that fits the goal"
        return _other(name, title, found.because, _stop_when(it, ()))
    step = _step(it, best)
    return step.model_copy(update={"option": best.id, "title": best.title})


_NOTHING_ELSE = "Nothing else is worth its work as things are."


def _keep(it: Situation) -> Step:
    keep = next((option for option in it.options if option.id == "keep_prompt"), None)
    if keep is not None and keep.helps in ("yes", "partly"):
        return _step(it, keep)
    return _other(
        "keep_prompt", "keep the prompt", _NOTHING_ELSE, "targets, volume or requirements change"
    )


def _ask(it: Situation, asked: Sequence[QuestionResult]) -> Step:
    if asked:
        return _other("measure", "answer what decides", asked[0].ask, "it is answered")
    if it.facts.case.targets.quality is None:
        return _other("measure", "state a target", _STATE_IT["quality"], "it is stated")
    return _other(
        "measure", "measure against the targets", _COUNT_IT["quality"], "every target is measured"
    )


def _other(name: str, title: str, because: str, stop: str) -> Step:
    return Step(
        option=name,
        title=title,
        because=sentence(because),
        targets=(),
        command=_COMMANDS.get(name, "tuneworthy plan CASE"),
        stop_when=stop,
        hours=Unknown(ask="estimate the hours"),
        usd=Unknown(ask="state economics.hourly_rate_usd"),
    )


# Everything together.

_ACTIONS: Mapping[Verdict, Action] = {
    "keep_optimizing_prompts": "keep_prompting",
    "improve_rag_or_switch_model": "improve_rag_or_switch",
    "address_anti_indicators": "clear_anti_indicators",
    "fine_tune_candidate": "explore_alternatives",
    "undecided": "answer_questions",
}


def action_of(it: Situation, found: Finding, asks: bool) -> Action:
    """The answer as scripts have known it."""
    direct: Mapping[TuningAnswer, Action] = {
        "no": "keep_prompting",
        "pilot": "pilot",
        "yes": "proceed",
        "open": "answer_questions",
    }
    if found.answer in direct:
        return direct[found.answer]
    if asks:
        return "answer_questions"
    if found.moving:
        return "clear_anti_indicators"
    if found.because == it.gates["safety"].why:
        return "clear_gates"
    return _ACTIONS[found.outcome]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The one result that everything which advises reads."""

    answer: TuningAnswer
    because: str
    departs: tuple[Departure, ...]
    action: Action
    outcome: Verdict
    """The count as the judgement uses it, without what is refuted."""
    basis: Basis
    reach: Reach
    recommendation: Recommendation
    targets: dict[TargetId, TargetResult]
    contradictions: int
    in_vain: tuple[str, ...]
    """What helps and, were it tried in vain, would leave a pilot."""

    @property
    def tunes(self) -> bool:
        """Whether a tuned model is planned."""
        return self.answer in ("pilot", "yes")


def judge(
    facts: CaseFacts,
    rules: Rules,
    compared: Sequence[OptionResult],
    gates: Sequence[GateResult],
    challenges: Sequence[ChallengeResult],
    asked: Sequence[QuestionResult],
    record: GoalRecord,
) -> Judgement:
    """Join everything that was worked out into one answer with its steps."""
    heavy = [item for item in challenges if item.severity == "contradiction"]
    paths = [path.split(".") for item in heavy for path in item.between]
    names = {path[1] for path in paths if path[0] == "factors" and len(path) > 1}
    it = Situation(facts, rules, compared, {g.id: g for g in gates}, frozenset(names))
    found, each = answered(it)
    steps = steps_for(it, found, asked)
    flips, answers, firsts = _alone(it, found, steps[0].option, asked, record)
    for one in each:
        answers.append(one.answer)
        firsts.append(steps_for(it, one, asked)[0].option)
    if found.answer != "open":
        answers.insert(0, found.answer)
    firsts.insert(0, steps[0].option)
    weighed = facts.assessment
    asked_of = [*weighed.ceiling.checks, *weighed.factors]
    sources = [weighed.source(name) for name in asked_of if weighed.state(name) != "unknown"]
    return Judgement(
        answer=found.answer,
        because=found.because,
        departs=found.departs,
        action=action_of(it, found, bool(asked) and steps[0].option == "measure"),
        outcome=found.outcome,
        basis=Basis(
            measured=sources.count("measured"),
            stated=sources.count("stated"),
            assumed=sources.count("assumed"),
            flips=flips[0],
            turning=flips[1],
        ),
        reach=Reach(
            answers=tuple(dict.fromkeys(answers)), first_steps=tuple(dict.fromkeys(firsts))
        ),
        recommendation=_recommendation(found, steps, facts),
        targets=targets(facts),
        contradictions=len(heavy),
        in_vain=tuple(tried_in_vain(it, found)),
    )


def _recommendation(found: Finding, steps: Sequence[Step], facts: CaseFacts) -> Recommendation:
    known = {*facts.framework.options, *facts.framework.approaches}
    names = tuple(step.option for step in steps if step.option in known)
    choice = "simpler_path"
    if found.answer == "open":
        choice = "undecided"
    elif found.answer in ("pilot", "yes"):
        choice = "both" if len(steps) > 1 else "fine_tune"
    return Recommendation(
        choice=choice, options=names, steps=tuple(steps), says=sentence(steps_text(found, steps))
    )


def steps_text(found: Finding, steps: Sequence[Step]) -> str:
    """The steps as one sentence."""
    titles = [step.title for step in steps]
    if found.answer == "pilot" and len(titles) > 1:
        return (
            f"try {listing(titles[:-1])} first; if the target is still missed, run a pilot of "
            f"{titles[-1]}"
        )
    if found.answer == "pilot":
        return f"run a pilot of {titles[0]} on a part of the data, against the best prompt"
    if found.answer == "yes":
        return f"go ahead with {titles[-1]}"
    first, *then = titles
    if steps[0].option == "measure":
        first = f"{first}: {steps[0].because}"
    return f"{first}; then {listing(then)}" if then else first


# What one answer alone would change.


def tried_in_vain(it: Situation, found: Finding) -> list[str]:
    """Titles of what helps and, were it tried in vain, would leave a pilot."""
    sure = [option for option in it.simple if option.helps == "yes"]
    if found.answer != "not_yet" or not sure:
        return []
    gone = [
        option.model_copy(update={"helps": "no"}) if option in sure else option
        for option in it.options
    ]
    after, _ = answered(replace(it, options=gone))
    return [option.title for option in sure] if after.answer == "pilot" else []


def _alone(
    it: Situation,
    found: Finding,
    first: str,
    asked: Sequence[QuestionResult],
    record: GoalRecord,
) -> tuple[tuple[int, tuple[str, ...]], list[TuningAnswer], list[str]]:
    """How many answers would each change the answer or the first step, and what open ones reach."""
    flips, turning, answers, firsts = 0, list[str](), list[TuningAnswer](), list[str]()
    fresh = replace(it.facts)  # sees only what options read
    if it.options:
        options(fresh, record, rivals=False)
    matter = fresh.read | set(it.facts.assessment.ceiling.checks)
    for name, state in it.facts.assessment.states.items():
        moved = turned = False
        for to in _others(state):
            after = _changed(it, name, to, record if name in matter else None)
            then, _ = answered(after)
            step = steps_for(after, then, asked)[0].option if then.answer != "open" else first
            turned = turned or then.answer != found.answer
            moved = moved or (then.answer, step) != (found.answer, first)
            if state == "unknown" and then.answer != "open":
                answers.append(then.answer)
                firsts.append(step)
        flips += moved
        turning += [name] * turned
    return (flips, tuple(turning)), answers, firsts


def _others(state: State) -> tuple[State, ...]:
    other: dict[State, tuple[State, ...]] = {"yes": ("no",), "no": ("yes",)}
    return other.get(state, ("yes", "no"))


def _changed(it: Situation, name: str, to: State, record: GoalRecord | None) -> Situation:
    """The situation with one answer changed, its options judged again where they read it."""
    facts = replace(it.facts, assessment=it.facts.assessment.with_answer(name, to))
    again = it.options
    if it.options and record is not None:
        again = options(facts, record, rivals=False)
    return replace(it, facts=facts, options=again, contradicted=it.contradicted - {name})
