"""The judgement: one answer from the count, the targets, the options, the money and the gates.

The framework's count gives the default. Six named rules may move it, each a function here and each
switched on in the framework file. Everything that advises reads what this module makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import Literal, NamedTuple, get_args

from tuneworthy.framework.rules import Rules
from tuneworthy.framework.tally import tally
from tuneworthy.model.base import Range, State, States, Strings, Unknown
from tuneworthy.model.dossier import (
    Action,
    Basis,
    ChallengeResult,
    Departure,
    GateId,
    GateResult,
    QuestionResult,
    Reach,
    Recommendation,
    Source,
    Step,
    TargetResult,
    TuningAnswer,
    Verdict,
)
from tuneworthy.model.evidence import TargetState
from tuneworthy.model.framework import OUTCOMES, JudgementRule, Outcome, TargetId
from tuneworthy.verdict import TABLES
from tuneworthy.verdict.challenges import disputed
from tuneworthy.verdict.facts import TARGETS, CaseFacts, named
from tuneworthy.verdict.gates import strength
from tuneworthy.verdict.options import Compared, Outlook, covers, option_rule
from tuneworthy.verdict.rules import OTHERS, strength_of, verdict_of
from tuneworthy.words import few, listing, number, sentence, several, usd

BY_COUNT: Mapping[Verdict, TuningAnswer] = TABLES["by_count"]  #: What the count alone answers.

MOST_STEPS = 3

Waits = GateId | Literal["", "moving"]


# Each target against today.

_STATES: Mapping[State, TargetState] = {"yes": "met", "no": "missed", "unknown": "unknown"}


def targets(facts: CaseFacts) -> dict[TargetId, TargetResult]:
    """Every target with its state; one that nobody stated is unknown and says what to state."""
    results: dict[TargetId, TargetResult] = {}
    for name, kind in TARGETS.items():
        limit, today = facts.limits.get(name), facts.now.get(name)
        if name == "privacy":
            limit = 1.0 if name in facts.targets else None
            own = float(facts.api == "own")
            today = None if facts.api == "unknown" else Range.between(own, own)
        measured = any(r.path.startswith(kind.path) for r in facts.findings.replaced)
        stated = today is not None and (name != "cost" or facts.bill_path == kind.path)
        results[name] = TargetResult(
            state=_STATES[facts.target(name)],
            limit=Unknown(ask=kind.state) if limit is None else limit,
            today=Unknown(ask=kind.measure) if today is None else today.narrowed(),
            source="measured" if measured else "stated" if stated else "assumed",
        )
    return results


Asked = Sequence[QuestionResult]  #: Open answers, the best to ask first.

# What the rules see.


@dataclass(frozen=True)
class Situation:
    """A case with everything that was worked out before the judgement."""

    facts: CaseFacts
    rules: Rules
    options: Sequence[Outlook]
    gates: Mapping[GateId, GateResult]

    def on(self, rule: JudgementRule) -> bool:
        """Whether the framework has this rule."""
        return rule in self.facts.framework.judgement

    @cached_property
    def contradicted(self) -> frozenset[str]:
        """Answers whose statement stands in an open contradiction."""
        return disputed(self.facts)

    @cached_property
    def simple(self) -> list[Outlook]:
        """What helps and is no tuning, in the order to try it; one of each family."""
        by_family: dict[str, Outlook] = {}
        for option in self.options:
            if option.helpful and option.kind != "tuning" and option.id != "keep_prompt":
                by_family.setdefault(option.family, option)
        return list(by_family.values())

    @cached_property
    def sure(self) -> list[Outlook]:
        """What is known to help and is no tuning."""
        return [option for option in self.simple if option.helps == "yes"]

    @cached_property
    def tunings(self) -> list[Outlook]:
        """Kinds of tuning that help, in the order to try them."""
        return [option for option in self.options if option.helpful and option.kind == "tuning"]

    @cached_property
    def keep(self) -> Outlook | None:
        """Keeping the prompt, where the framework has that."""
        return next((option for option in self.options if option.id == "keep_prompt"), None)

    @cached_property
    def reached(self) -> frozenset[Outcome]:
        """Outcomes that the count, without what is refuted, can still come to."""
        return tally(self.rules, self.counted[0]).reach

    @cached_property
    def decided(self) -> tuple[JudgementRule, TuningAnswer, str] | None:
        """The rule that answers whatever the count comes to, its answer and why; None for none."""
        if self.on("proven") and (proof := _proven(self)) is not None:
            return "proven", *proof
        if self.on("need") and (why := _need(self)) is not None:
            return "need", "no", why
        if self.on("cannot_coexist") and (why := _never_repays(self)) is not None:
            return "cannot_coexist", "no", why
        return None

    @cached_property
    def moving(self) -> str | None:
        """Why training has to wait for what changes faster than that; None where nothing does."""
        if self.on("cannot_coexist") and self.facts.holds("exploration_phase"):
            return "the task is still moving"
        if self.on("cannot_coexist") and self.facts.changes in ("policy", "both"):
            return (
                "rules of behavior change about every month, and each change means training again"
            )
        return None

    @cached_property
    def untouched(self) -> tuple[TargetId, ...]:
        """Missed targets that nothing simpler is known to move."""
        moved = {target for option in self.sure for target in covers(option, self.facts)}
        return tuple(target for target in self.facts.firm if target not in moved)

    @cached_property
    def counted(self) -> tuple[dict[str, State], list[str]]:
        """The answers as rule ``refuted`` has them, and why; as they are where it is off."""
        facts, states, why = self.facts, dict(self.facts.states), list[str]()
        if not self.on("refuted"):
            return states, why
        if facts.small_bill and facts.bill and states.get("cost_optimization") == "yes":
            states["cost_optimization"] = "no"
            bill = f"{usd(facts.bill.likely)}{facts.case.a_month}"
            why.append(f"the whole bill is {bill}, so cost is no reason")
        factors = facts.assessment.factors
        doubtful = [n for n in factors if n in self.contradicted and states[n] == "yes"]
        if doubtful:
            states |= dict.fromkeys(doubtful, "unknown")
            titles = [factors[name].title for name in doubtful]
            which = listing(titles) if len(titles) < 3 else f"{few(len(titles))} answers"
            why.append(f"{which} can't be counted before a contradiction is settled")
        return states, why


class Finding(NamedTuple):
    """An answer with the rules that moved it and the reason that decides."""

    answer: TuningAnswer
    because: str  #: Empty for the count's own reason.
    departs: Mapping[JudgementRule, str] = {}  #: Rules that fired, each with its reason.
    outcome: Verdict = "undecided"
    waits: Waits = ""
    """What a candidate waits for: a gate, something that still moves, or nothing of these."""


# The named rules. Each gives an answer with its reason where it fires.


def _proven(it: Situation) -> tuple[TuningAnswer, str] | None:
    """A tuned model was compared with the best untuned way on held-out cases."""
    gain = it.facts.findings.ledger.get("tuned_gain")
    if gain is None:
        return None
    what, high = gain.details.get("outcome"), gain.high
    most = high if isinstance(high, float | int) else 1.0
    span = f"{gain.low or 0.0:+.2f} to {most:+.2f}"
    by = f"{gain.number:+.2f} ({span}) on {few(gain.n)} held-out cases"
    card, line = gain.details.get("card", ""), str(gain.details.get("because", ""))
    if card == "open":
        return None  # the pilot's card says what isn't known
    if card == "no_go" and what in ("improved", "too_few_cases"):
        return "no", f"the pilot's card says no-go: {line[:1].lower()}{line[1:].rstrip('.')}"
    if what == "improved" and "no" not in {it.gates[g].state for g in ("investment", "safety")}:
        return "yes", f"the tuned model beats the best untuned way by {by}"
    if what in ("improved", "too_few_cases"):
        return None  # held up by a gate, or not known: the gates and the count decide
    if gain.details.get("why") == "general":
        return "no", "the tuned model lost general skills"
    return "no", f"the tuned model gains nothing over the best untuned way: {by}"


def _need(it: Situation) -> str | None:
    """Every target is met, measured or stated."""
    facts = it.facts
    stated = [name for name in facts.targets if name != "privacy"]
    if stated and set(facts.targets.values()) == {"yes"}:
        return f"every target is met ({named(facts.targets)})"
    if facts.satisfied == "yes" and "success_with_prompts" not in it.contradicted:
        return "the present prompt is said to meet every requirement"
    return None


def _never_repays(it: Situation) -> str | None:
    """The whole bill never repays the work, and nothing else is missed."""
    facts = it.facts
    if not facts.small_bill or facts.repays is None or set(facts.missed) - {"cost"}:
        return None
    if not facts.case.one_off and set(facts.aims) - {"cost"}:
        return None
    bill, upfront = facts.repays
    by_then = "by the time tuning has to have paid back, the whole bill is"
    whole = "the job runs once and costs" if facts.case.one_off else by_then
    return f"{whole} {usd(bill)}; tuning takes at least {usd(upfront)}"


def _dead_end(it: Situation, outcome: Verdict) -> str | None:
    """What the count sends to is tried or ruled out, and only tuning moves what is missed."""
    if outcome != "improve_rag_or_switch_model" or it.facts.reached != "yes":
        return None
    sent = [option for option in it.options if option.family in ("better_retrieval", "other_model")]
    if not sent or any(option.helps != "no" for option in sent) or not it.facts.missed:
        return None
    missed = [target for target in it.untouched if target in it.facts.missed]
    able = [o for o in it.tunings if set(missed) <= set(covers(o, it.facts)) and o.helps == "yes"]
    if not missed or not able:
        return None
    return f"what the count sends to is tried or ruled out, and only tuning moves {named(missed)}"


def _cheaper_first(it: Situation) -> str | None:
    """Untried options move every missed target for less work."""
    if not it.sure or it.untouched or not it.facts.aims:
        return None
    titles = [option.title for option in it.sure[: MOST_STEPS - 1]]
    return f"{listing(titles)} would move {named(it.facts.firm)} for less work"


HOLDS_UP: tuple[GateId, ...] = ("feasibility", "investment", "strength", "safety")
"""Gates that hold a pilot up where they are no, in the order in which they are named."""


def answer_for(it: Situation, outcome: Verdict) -> Finding:
    """The answer where the count comes to one outcome."""
    if it.decided is not None:
        rule, answer, because = it.decided
        return Finding(answer, because, {rule: because}, outcome)
    if it.moving is not None and outcome == "fine_tune_candidate":
        return Finding("not_yet", it.moving, {"cannot_coexist": it.moving}, outcome, "moving")
    finding, skip = Finding(BY_COUNT[outcome], "", {}, outcome), ""
    if it.on("dead_end") and it.moving is None and (why := _dead_end(it, outcome)) is not None:
        finding, skip = Finding("pilot", why, {"dead_end": why}, outcome), "strength"
    if finding.answer != "pilot":
        return finding
    if (held := _held_back(it, skip)) is not None:
        return Finding("not_yet", held[1], {}, outcome, held[0])
    if it.on("cheaper_first") and (why := _cheaper_first(it)) is not None:
        return finding._replace(departs={**finding.departs, "cheaper_first": why})
    return finding


def _held_back(it: Situation, skip: str) -> tuple[Waits, str] | None:
    """What holds a pilot back: a gate that is no, or that no kind of tuning fits."""
    for gate in HOLDS_UP:
        if gate != skip and gate in it.gates and it.gates[gate].state == "no":
            return gate, it.gates[gate].why
    if it.facts.satisfied == "yes":
        return "", "all requirements are said to be met, and that is contradicted"
    trained = [option for option in it.options if option.kind == "tuning"]
    if trained and all(option.helps == "no" for option in trained):
        return "", f"no kind of tuning fits: {trained[0].because}"
    return None


def _by_count(it: Situation, outcome: Verdict) -> str:
    """Why the count comes to an outcome."""
    framework, states = it.facts.framework, it.facts.states
    pro = [name for name in framework.indicators if states[name] == "yes"]
    many = several(len(framework.indicators), "reason")
    if outcome == "keep_optimizing_prompts":
        checks = [states[name] for name in framework.ceiling]
        todo, undone = checks.count("no"), checks.count("unknown")
        n, says = (todo, "not done") if todo else (undone, "not answered")
        if n == len(checks):
            return f"none of the {several(n, 'check')} of the ceiling is {says[4:]}"
        verb = "is" if n == 1 else "are"
        return f"{few(n)} of {several(len(checks), 'check')} of the ceiling {verb} {says}"
    if outcome == "improve_rag_or_switch_model":
        so_far = "so far " if "unknown" in map(states.get, framework.indicators) else ""
        verb = "holds" if len(pro) == 1 else "hold"
        return f"{so_far}only {few(len(pro))} of {many} for it {verb}"
    if outcome == "address_anti_indicators":
        against = framework.anti_indicators.items()
        con = [factor.title for name, factor in against if states[name] == "yes"]
        return f"{listing(con)} {'speaks' if len(con) == 1 else 'speak'} against it"
    if outcome == "fine_tune_candidate":
        return f"prompting is at its ceiling, and {few(len(pro))} of {many} hold"
    return "answers that decide are missing"


def answered(it: Situation) -> tuple[Finding, tuple[Finding, ...]]:
    """The answer, and the answers for every outcome that the count can still come to."""
    states, why = it.facts.states, it.counted[1]
    by_outcome = tuple(answer_for(it, outcome) for outcome in OUTCOMES if outcome in it.reached)
    refuted: dict[JudgementRule, str] = {}
    if why and it.reached != tally(it.rules, states).reach:
        refuted = {"refuted": "; ".join(why)}
    if len({way.answer for way in by_outcome}) > 1:
        still = [*states.values()].count("unknown")
        opened = [f"it depends on {several(still, 'open answer')}"] * (still > 0)
        return Finding("open", ", and ".join([*refuted.values(), *opened]), refuted), by_outcome
    raw = verdict_of(it.rules, states) if why else by_outcome[0].outcome
    finding = next((way for way in by_outcome if way.outcome == raw), by_outcome[0])
    if refuted and not finding.departs:
        finding = finding._replace(because=refuted["refuted"])
    return finding._replace(departs={**refuted, **finding.departs}), by_outcome


# The steps.

_IN_A_LAB = frozenset[str](TABLES["in_a_lab"])  #: Options that ``ceiling`` tries.


class BareStep(NamedTuple):
    """A step before its targets and figures are filled in."""

    option: str
    title: str
    because: str
    stop: str = ""
    outlook: Outlook | None = None  #: Of the option that it tries; None for anything else.


def todos(it: Situation, finding: Finding, asked: Asked) -> Iterator[BareStep]:
    """What to do, in its order; an option may come twice, and there may be nothing."""
    sure = it.sure
    if finding.answer == "no":
        if not sure or (it.keep is not None and it.keep.helpful):
            yield _keep(it)
            sure = [option for option in sure if option.kind == "serving"]
        yield from (_try(it, option) for option in sure)
    elif finding.answer == "open":
        yield _ask(it, asked)
        yield from (_try(it, option) for option in sure)
    elif finding.answer in ("pilot", "yes"):
        if "cheaper_first" in finding.departs:
            yield from (_try(it, option) for option in sure[: MOST_STEPS - 1])
        yield _tuning(it, finding)
    else:
        yield from _before_tuning(it, finding, asked)


def _before_tuning(it: Situation, finding: Finding, asked: Asked) -> Iterator[BareStep]:
    """What helps, what holds a candidate up, checks that nothing of it does, and what to find out.

    Checks come in where the count waits for them; of what helps in part that goes first which does
    such a check.
    """
    rules = it.facts.framework.ceiling
    waits = finding.outcome == "keep_optimizing_prompts"
    lacking = {name for name in rules if waits and it.facts.states[name] == "no"}
    partly = [option for option in it.simple if option.helps == "partly"]
    partly.sort(key=lambda option: not lacking & set(checks_of(option)))
    done = {check for option in (*it.sure, *partly) for check in checks_of(option)}
    yield from (_try(it, option) for option in it.sure[:2])
    yield from _held_up(it, finding)
    for name in (name for name in rules if name in lacking - done):
        rule = rules[name]
        settle = it.facts.framework.filled(rule.settle or rule.ask, rule)
        yield BareStep("measure", f"the check of {rule.title}", settle, "the check is answered")
    yield from (_try(it, option) for option in (*it.sure[2:], *partly))
    if asked or "unknown" in it.facts.targets.values() or "quality" not in it.facts.limits:
        yield _ask(it, asked)


def checks_of(option: Outlook) -> Strings:
    """Checks of the ceiling test that an option does."""
    rule = option_rule(option.id)
    return rule.checks if rule else ()


_WAITS: Mapping[str, tuple[str, str, str]] = TABLES["waits"]
"""What is done about what a candidate waits for: a step, its title, and when it is done."""


def _held_up(it: Situation, finding: Finding) -> Iterator[BareStep]:
    waits: str = finding.waits
    if finding.outcome == "address_anti_indicators":
        waits = "reasons"
    elif waits == "feasibility" and it.facts.fits and it.facts.fits[0].feasible == "no":
        waits = "data"
    if waits in _WAITS:
        name, title, stop = _WAITS[waits]
        because = _by_count(it, finding.outcome) if waits == "reasons" else finding.because
        yield BareStep(name, title, because, stop)


def _try(it: Situation, option: Outlook) -> BareStep:
    family = it.facts.framework.options.get(option.family, option)
    return BareStep(option.family, family.title, option.because, outlook=option)


def _step(it: Situation, todo: BareStep) -> Step:
    aims, option = covers(todo.outlook, it.facts) if todo.outlook else (), todo.outlook
    lab = option is not None and option.family in _IN_A_LAB
    command = "tuneworthy show CASE plan"
    if lab:
        command = "tuneworthy ceiling CASE"
    elif todo.option == "measure":
        command = "tuneworthy interview CASE"
    return Step(
        option=todo.option,
        title=todo.title,
        because=sentence(todo.because),
        targets=aims,
        command=command,
        stop_when=todo.stop or _stop_when(it, aims),
        hours=option.hours if option else Unknown(ask="estimate the hours"),
        usd=Unknown(
            ask=f"state economics.hourly_rate_usd{' and price the calls' if option else ''}"
        ),
    )


def _stop_when(it: Situation, aims: Sequence[TargetId]) -> str:
    """When a step has done what it is for."""
    limits, a_month = {**it.facts.limits, "privacy": 1.0}, it.facts.case.a_month
    shown = {name: number(limit) for name, limit in limits.items()}
    shown |= {"cost": usd(limits["cost"])[1:]} if "cost" in limits else {}
    aimed = [target for target in aims or it.facts.aims if target in limits]
    said = [TARGETS[target].met.format(shown[target], a_month) for target in aimed]
    return listing(said) or "a target is stated and met on cases nobody tuned on"


def _tuning(it: Situation, finding: Finding) -> BareStep:
    """The pilot of the tuning that fits best; after proof, the whole of it."""
    if it.tunings:
        best = it.tunings[0]
        return BareStep(best.id, best.title, best.because, outlook=best)
    if it.facts.fits:
        return BareStep(it.facts.fits[0].approach, it.facts.fits[0].title, finding.because)
    name = next(iter(it.facts.framework.approaches), "measure")
    return BareStep(name, "the approach that fits the goal", finding.because)


def _keep(it: Situation) -> BareStep:
    if it.keep is not None and it.keep.helpful:
        return _try(it, it.keep)
    why = "Nothing else is worth its work as things are."
    return BareStep("keep_prompt", "keep the prompt", why, "targets, volume or requirements change")


def _ask(it: Situation, asked: Asked) -> BareStep:
    """What to find out: the question that decides, a target, or where today's way is."""
    if asked:
        return BareStep("measure", "answer one question", asked[0].ask, "it is answered")
    kind, title = TARGETS["quality"], "measure against the targets"
    if "quality" not in it.facts.limits:
        return BareStep("measure", "state a target", kind.state, "it is stated")
    return BareStep("measure", title, kind.measure, "every target is measured")


# Everything together.

_ACTIONS: Mapping[str, Action] = TABLES["action_of"]
"""The answer as scripts have known it: by what it is, else what it waits for, else the count."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The one result that everything which advises reads."""

    answer: TuningAnswer
    because: str
    departs: tuple[Departure, ...]
    action: Action
    outcome: Verdict  #: The count as the judgement uses it, without what is refuted.
    refuted: Strings  #: Answers that the count counts and the judgement doesn't.
    ahead: Callable[[], tuple[Basis, Reach]]
    """What it rests on and what one answer alone would change, and what open ones would make of it:
    worked out when asked for."""
    recommendation: Recommendation
    targets: dict[TargetId, TargetResult]
    contradictions: int
    cleared: States
    """Every answer as it counts once the checks are done and the reasons against are cleared."""
    in_vain: Strings  #: What helps and, were it tried in vain, would leave a pilot.
    ruled_out: frozenset[str]  #: Options that don't help.


def judge(
    facts: CaseFacts,
    rules: Rules,
    compared: Compared,
    gates: Sequence[GateResult],
    challenges: Sequence[ChallengeResult],
    asked: Asked,
    invest: Callable[[State], GateResult],
) -> Judgement:
    """Join everything that was worked out into one answer with its steps.

    ``invest`` is the gate about money with another answer to whether data may leave.
    """
    it = Situation(facts, rules, compared.outlooks, {gate.id: gate for gate in gates})
    finding, by_outcome = answered(it)
    because = finding.because or _by_count(it, finding.outcome)
    never = facts.findings.break_even_months == "never" and facts.holds("data_sovereignty")
    if finding.answer == "pilot" and never:
        because += "; it never pays back in money, so keeping data inside has to be worth it"
    finding = finding._replace(because=because)
    unique = dict[str, BareStep]()
    for todo in todos(it, finding, asked):
        unique.setdefault(todo.option, todo)
    steps = [_step(it, todo) for todo in [*unique.values()][:MOST_STEPS] or [_keep(it)]]
    asks = finding.answer == "not_yet" and asked and steps[0].option == "measure"
    names = ("open",) if asks else (finding.answer, finding.waits, finding.outcome)
    ahead = partial(_ahead, it, finding, steps[0].option, by_outcome, asked, compared, invest)
    clear: dict[str, State] = dict.fromkeys(facts.framework.ceiling, "yes")
    clear |= dict.fromkeys(facts.framework.anti_indicators, "no")
    counted, states, departs = it.counted[0], facts.states, finding.departs
    return Judgement(
        answer=finding.answer,
        because=finding.because,
        departs=tuple(Departure(rule=r, because=sentence(why)) for r, why in departs.items()),
        action=next((_ACTIONS[name] for name in names if name in _ACTIONS), "answer_questions"),
        outcome=finding.outcome,
        refuted=tuple(n for n in states if "refuted" in departs and counted[n] != states[n]),
        ahead=cache(ahead),
        recommendation=_recommendation(finding, steps, facts),
        targets=targets(facts),
        contradictions=[item.severity for item in challenges].count("contradiction"),
        cleared=replace(it, facts=facts.answered(clear)).counted[0],
        in_vain=tuple(tried_in_vain(it, finding)),
        ruled_out=frozenset(option.id for option in it.options if option.helps == "no"),
    )


def _recommendation(finding: Finding, steps: Sequence[Step], facts: CaseFacts) -> Recommendation:
    known = {*facts.framework.options, *facts.framework.approaches}
    names = tuple(step.option for step in steps if step.option in known)
    choice = "simpler_path"
    if finding.answer == "open":
        choice = "undecided"
    elif finding.answer in ("pilot", "yes"):
        choice = "both" if len(steps) > 1 else "fine_tune"
    return Recommendation(
        choice=choice, options=names, steps=tuple(steps), says=sentence(steps_text(finding, steps))
    )


def steps_text(finding: Finding, steps: Sequence[Step]) -> str:
    """The steps as one sentence."""
    *before, last = titles = [step.title for step in steps]
    if finding.answer == "pilot" and before:
        still = "if the target is still missed"
        return f"try {listing(before)} first; {still}, run a pilot of {last}"
    if finding.answer == "pilot":
        return f"run a pilot of {last} on a part of the data, against the best prompt"
    if finding.answer == "yes":
        return f"go ahead with {last}"
    first, then = step_text(steps[0]).removesuffix("."), listing(titles[1:])
    then = f" Then {then}" if first.endswith("?") else f"; then {then}"
    return f"{first}{then}" if before else first


def step_text(step: Step) -> str:
    """A step in words: what is found out, for one that finds out."""
    return f"{step.title}: {step.because}" if step.option == "measure" else step.title


# What one answer alone would change, and what the open ones can make of it.


def tried_in_vain(it: Situation, finding: Finding) -> list[str]:
    """Titles of what helps and, were it tried in vain, would leave a pilot."""
    if finding.answer != "not_yet" or not it.sure:
        return []
    gone = [option._replace(helps="no") if option in it.sure else option for option in it.options]
    after, _ = answered(replace(it, options=gone))
    return [option.title for option in it.sure] if after.answer == "pilot" else []


_SOVEREIGN = "data_sovereignty"  #: The one answer that money rests on.

MOST_WAYS = 16  #: Ways to answer everything that is open, up to which all of them are judged.


def _ahead(
    it: Situation,
    finding: Finding,
    first: str,
    by_outcome: Sequence[Finding],
    asked: Asked,
    compared: Compared,
    invest: Callable[[State], GateResult],
) -> tuple[Basis, Reach]:
    """What it rests on and what one answer alone would change; and what open ones would make of it.

    Few open answers are tried in every combination; of many each alone, beside every outcome that
    the count can come to.
    """

    def judged(changes: States) -> tuple[TuningAnswer, str]:
        facts = it.facts.answered(changes)
        state, why = strength(strength_of(facts.states, it.rules))
        gates = {**it.gates, "strength": GateResult(id="strength", state=state, why=why)}
        after = Situation(facts, it.rules, compared.again(facts), gates)
        then, ways = answered(after)
        if _SOVEREIGN in changes and any(
            way.answer in ("pilot", "yes") or way.waits == "investment" for way in ways
        ):
            gates["investment"] = invest(facts.state(_SOVEREIGN))
            then, _ = answered(replace(after, gates=gates))
        if then.answer == "open":
            return then.answer, first
        return then.answer, next((t.option for t in todos(after, then, asked)), "keep_prompt")

    states, source = it.facts.states, it.facts.source
    alone = {name: [judged({name: to}) for to in OTHERS[state]] for name, state in states.items()}
    turning = tuple(n for n, then in alone.items() if any(a != finding.answer for a, _ in then))
    flips = sum(any(after != (finding.answer, first) for after in then) for then in alone.values())
    still = [name for name, state in states.items() if state == "unknown"]
    exact = 2 ** len(still) <= MOST_WAYS
    both = product(OTHERS["unknown"], repeat=len(still))
    ways: Iterator[dict[str, State]] = (dict(zip(still, way, strict=True)) for way in both)
    then = [judged(way) for way in ways] if exact else [way for n in still for way in alone[n]]
    answers = [finding.answer, *(f.answer for f in by_outcome if not exact), *(a for a, _ in then)]
    sources = [source(name) for name, state in states.items() if state != "unknown"]
    by_source = {kind: sources.count(kind) for kind in get_args(Source)}
    by_source["measured"] += it.decided is not None and it.decided[0] == "proven"
    reached = tuple(dict.fromkeys(a for a in answers if not a == finding.answer == "open"))
    steps = tuple(dict.fromkeys((first, *(step for answer, step in then if answer != "open"))))
    reach = Reach(answers=reached, first_steps=steps, exact=exact)
    return Basis(**by_source, flips=flips, turning=turning), reach
