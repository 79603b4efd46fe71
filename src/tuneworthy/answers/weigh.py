"""From what is said and found to one state for every answer.

A measurement counts where it settles an answer. Otherwise a stated answer counts. Where nothing is
said but a stated number settles it (requests a month, examples, prompts), the answer is inferred
and marked ``assumed``. Everything else is unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from tuneworthy.answers import TABLES
from tuneworthy.answers.arms import lab_arms, running_arm
from tuneworthy.errors import CaseError
from tuneworthy.files.case import training_texts
from tuneworthy.files.stores import read_latest
from tuneworthy.framework.load import NAMES
from tuneworthy.model.base import State, Unknown, every
from tuneworthy.model.case import (
    Attempt,
    Case,
    CheckAnswer,
    FactorAnswer,
    overlaps,
)
from tuneworthy.model.dossier import (
    Assessment,
    CeilingTest,
    CheckResult,
    EvidenceResult,
    FactorResult,
    Replaced,
    SignalResult,
    Source,
)
from tuneworthy.model.evidence import READ_BESIDE, Evidence, Series
from tuneworthy.model.framework import (
    ALSO_ASKED,
    Check,
    Criterion,
    Framework,
    MeasureRule,
    Need,
)
from tuneworthy.model.ways import CeilingGrade, Figure, LabArm
from tuneworthy.stats.intervals import Z95
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.words import count, interval_text, limit_text, listing, plain

TRAINING = "training_examples"
FAMILIES = "families_scored"
#: The quality that a lab measured of the arm that production runs.
RUNNING_ARM = "running_arm_share"
#: The quality that a lab measured of its best prompt on held-out cases.
BEST_PROMPT = "best_prompt_share"
#: How the source of it begins where a pilot measured it.
PILOT_SOURCE = "pilot: "
SEARCH = "ceiling_search"  #: Draws of a search for better prompts, and how it ended.
#: Cases that the best prompt of a lab answers now rightly, now wrongly.
REWARD = "reward_signal"

Ledger = Mapping[str, Evidence]  #: The latest known measurement by its id.


def usable_evidence(measured: Mapping[str, Evidence], case: Case) -> Ledger:
    """The measurements of this case that have a value and that no person overrules.

    Raises a CaseError where the case says to ignore a measurement and none has that id.
    """
    ignored = {
        item.id: place for place, item in enumerate(case.evidence.get("ignore", ()))
    }
    for name, place in ignored.items():
        if measured and name not in {*measured, *_NUMBERS}:
            what = f'nothing that was measured is called "{name}"'
            where = case.where("evidence", "ignore", place, "id")
            raise CaseError(what, where=where, fix=did_you_mean(name, list(measured)))
    counts = (each for each in _without_lab_results(measured).values() if each.is_known)
    return {each.id: each for each in counts if each.id not in ignored}


_MAKERS: dict[str, list[str]] = TABLES["makers"]
"""Makers by how the names of their models begin, where the first word of a name isn't the maker."""


def maker(model: str) -> str:
    """The maker of a model by its id, whoever serves it; two sizes of a maker are one family.

    Where no table knows the maker, it is the first word of the model's name.
    """
    provider, _, rest = model.casefold().partition(":")
    path = rest if rest[:1].isalpha() else provider  # ``model:1b`` has no provider
    _, _, name = path.rpartition("/")
    for who, beginnings in _MAKERS.items():
        if name.startswith(tuple(beginnings)):
            return who
    word, *_ = re.split(r"[^a-z]", name)
    return word or name


def gathered(case: Case) -> tuple[dict[str, Evidence], tuple[Series, ...]]:
    """The latest of each measurement and of each picture, from a case's ledger and files.

    In the training files each different line counts as an example; logs add candidates, and no
    examples in stock. Makers count as compared where a test gave their models the same cases, and
    not because their names are in a log.
    """
    if case.folder is None:
        return {}, ()
    latest, series = read_latest(case)
    counted = dict[str, Evidence]()
    running = running_arm(lab_arms(case, latest, series))
    if running is not None and not isinstance(running.quality, Unknown):
        counted[RUNNING_ARM] = _quality_of(running, running.quality)
    texts = "\n".join(training_texts(case)).splitlines()
    lines = {line.strip() for line in texts if line.strip()}
    if lines:
        files = listing(case.data.training)
        by = "different lines of the files to tune on"
        counted[TRAINING] = exactly(
            TRAINING, len(lines), "examples", source=files, method=by
        )
    arms = next((each.columns for each in series if each.id == "arms"), {})
    makers = {maker(str(name)) for name in arms.get("model", ()) if name}
    if "test" not in arms and len(makers) > 1:
        ends = (float(end) for end in arms.get("high_of_all", ()) if end != "open")
        by = "makers whose models answered the same cases"
        best = {"best_high": max(ends, default=1.0)}
        counted[FAMILIES] = exactly(
            FAMILIES, len(makers), "makers", method=by, details=best
        )
    return {**counted, **latest}, series


def _without_lab_results(measured: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """The measurements of production; a lab's result for its best arm goes under its own name.

    A lab's best arm isn't what production runs, and ledgers of earlier versions call its result the
    success of the present approach.
    """
    share = measured.get("success_share")
    if share is None or not share.source.startswith("ceiling lab: "):
        return measured
    others = {name: each for name, each in measured.items() if name != share.id}
    about = {"id": BEST_PROMPT, "factor": "success_with_prompts"}
    return {BEST_PROMPT: share.model_copy(update=about), **others}


def _quality_of(arm: LabArm, quality: Figure) -> Evidence:
    """The quality that a lab measured of the arm which production runs, as a number of today."""
    return Evidence.model_validate(
        {
            "id": RUNNING_ARM,
            "factor": "today.quality",
            "value": quality.value,
            "low": quality.low,
            "high": quality.high,
            "unit": "share of cases",
            "n": quality.cases if isinstance(quality.cases, int | float) else 0,
            "method": "the log shows that production runs this prompt with this model",
            "source": f"{quality.source}: {arm.title}",
            "observed_on": arm.observed_on,
            "details": {"arm": arm.id, "model": arm.model},
        }
    )


def exactly(name: str, count: int, unit: str, **about: Any) -> Evidence:
    """A count that is exact."""
    return Evidence(
        id=name, value=count, low=count, high=count, unit=unit, **{"n": count, **about}
    )


# Measured numbers in the place of stated ones.

_FEWEST_EXAMPLES = 20  # fewer cases say nothing

_NUMBERS: dict[str, str] = TABLES["numbers"]
"""Measurements that replace a number of the case file, each with the number's dotted path."""

_QUALITIES = ("success_share", RUNNING_ARM)
_SHARES = ("cached_share", "cacheable_share", "retrieval_recall", *_QUALITIES)

_MOST = 10**15
"""The largest number that a case file takes; a ledger that somebody edited may hold larger ones."""

RUN_OPTIONS: dict[str, str] = TABLES["run_options"]
"""Options that a lab may have run, each with the measurement that counts the arms of it."""


def with_evidence(case: Case, ledger: Ledger) -> tuple[Case, tuple[Replaced, ...]]:
    """The case with measured numbers in place of stated ones, and a list of what was replaced.

    A measurement without an upper end replaces nothing, because it is only a bound; ``settled``
    uses it as one. The case also gets the options that a lab has run.
    """
    tree: dict[str, Any] = case.model_dump(exclude_defaults=True) if ledger else {}
    counted = standing(case, ledger)
    replaced = []
    for name, path in _NUMBERS.items():
        evidence = counted.get(name)
        if evidence is None:
            continue
        numbers = _numbers_replaced_by(name, path, evidence, case)
        if not numbers:
            continue
        for place, number in numbers.items():
            _put_in(tree, place, number)
        replaced.append(Replaced(path, _stated_ends(case, name, path), evidence))
    counts = {option: ledger.get(arms) for option, arms in RUN_OPTIONS.items()}
    ran = frozenset(
        option for option, arms in counts.items() if arms and arms.number > 0
    )
    if not replaced and not ran:
        return case, ()
    filled = Case.model_validate(tree).with_origin(replace(case.origin, ran=ran))
    return filled, tuple(replaced)


def _put_in(tree: dict[str, Any], path: str, number: Any) -> None:
    """Put a number into nested dictionaries at a dotted path, which is made where it is missing."""
    *parents, name = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[name] = number


def _stated_ends(case: Case, name: str, path: str) -> tuple[float, float] | None:
    """The ends of the statement that a measurement replaces; None where nothing was stated."""
    stated: Any = attrgetter(path)(case)
    if name == TRAINING:
        stated = usable_examples(case)
    if stated is None:
        return None
    if isinstance(stated, float | int):
        return stated, stated
    return stated.low, stated.high


def with_own_evidence(case: Case) -> tuple[Case, Ledger]:
    """A case with what its ledger and files show put in, and those measurements."""
    latest, _ = gathered(case)
    ledger = usable_evidence(latest, case)
    filled, _ = with_evidence(case, ledger)
    return filled, ledger


def standing(case: Case, ledger: Ledger) -> Ledger:
    """The measurements, without those of numbers that the case only supposes."""
    if not case.origin.assumed:
        return ledger
    return {
        name: evidence
        for name, evidence in ledger.items()
        if not any(
            overlaps(path, _NUMBERS.get(name, name)) for path in case.origin.assumed
        )
    }


def _numbers_replaced_by(
    name: str, path: str, evidence: Evidence, case: Case
) -> dict[str, Any]:
    """The numbers of the case that a measurement replaces, by path; empty where it replaces none."""
    if name == TRAINING:
        usable = min(math.floor(evidence.number), _MOST)
        stated = case.data.examples
        if usable < _FEWEST_EXAMPLES:
            return {}
        if stated is None or stated.count is None:
            whole = {f"{path}.count": usable}
        else:
            whole = {}
        return {f"{path}.usable": usable, **whole}
    if name in _SHARES and not 0 <= evidence.number <= 1:
        return {}
    if name in _QUALITIES:
        # Quality gets the number of independent cases that has the measured interval.
        cases = independent(evidence)
        if cases == 0 or not scored(evidence):
            return {}
        return {path: evidence.number, "today.cases": cases}
    if name in _SHARES:
        return {path: evidence.number}
    if evidence.low is None or not isinstance(evidence.high, float | int):
        return {}
    bottom, top = (-1.0, 10.0) if name == "growth_per_month" else (0.0, float(_MOST))
    ends = (evidence.low, evidence.number, evidence.high)
    low, likely, high = (min(max(float(end), bottom), top) for end in ends)
    return {path: {"low": low, "likely": likely, "high": high}}


def scored(share: Evidence) -> bool:
    """Whether a share of good answers was scored on the cases of a test, as a target is.

    A share that some users rated isn't: it covers only those who rate, and they follow no metric.
    """
    return share.factor == "today.quality" or share.details.get("tested_share") == 1


def independent(evidence: Evidence) -> int:
    """The number of independent cases whose Wilson interval is as wide as the measured interval.

    An end of Wilson's interval is where ``(share - end)² = z² · end · (1 - end) / n``. The farther
    end is used, because near 0 or 1 the near end of an exact interval is that of a few cases. The
    number is 0 where the two ends leave everything open.
    """
    share = evidence.number
    ends = [
        e
        for e in (evidence.low, evidence.high)
        if isinstance(e, float | int) and 0 < e < 1
    ]
    far = max(ends, key=lambda end: abs(share - end), default=share)
    # Divided twice, because the square of a tiny distance would be zero.
    if far == share:
        return 0
    worth = Z95**2 * far * (1 - far) / (share - far) / (share - far)
    return math.floor(min(worth, _MOST) + 1e-6)


# Measured beats stated, for what can be observed; a need stays as it was said.

COUNTED_CHECKS: dict[str, str] = TABLES["counted_checks"]
"""Checks that a count in the data can settle, each with the measurement that counts."""


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """A measurement held against a limit."""

    evidence: Evidence
    limit: float | None
    title: str = ""

    @property
    def interval(self) -> str:
        """The value and its interval with their unit."""
        it = self.evidence
        return interval_text(it.value, it.low, it.high, it.unit)

    @property
    def note(self) -> str:
        """The note that stands beside the answer which the measurement settles."""
        n = self.evidence.n
        unit = self.evidence.unit
        on = f", on {count(n)}" if n else ""
        line = f" (threshold {limit_text(self.limit, unit)})" if self.limit else ""
        return f"{self.interval}{on}{line}"


class SettledAnswer(NamedTuple):
    """A yes or no, and the measurement that gives it; unknown where its interval includes the limit."""

    state: State
    reading: LimitCheck


def settled(
    name: str, case: Case, framework: Framework, ledger: Ledger
) -> SettledAnswer | None:
    """The yes or no that a measurement settles, with the measurement; None where none settles it.

    A number that is only supposed isn't overruled by a measured one.
    """
    ledger = standing(case, ledger)
    if not ledger or (name == "voice_drift" and case.data.voice is None):
        return None  # where no voice is named, nothing can drift from it
    if name == "success_with_prompts":
        return _success(case, ledger)
    if name == "low_volume":
        return _below("requests_per_month", framework.threshold("low_volume"), ledger)
    if name == "insufficient_data":
        known = TRAINING in ledger and ledger[TRAINING].number >= _FEWEST_EXAMPLES
        if known:
            return _below(TRAINING, examples_limit(case, framework), ledger)
        return None
    if name == "instruction_limit":
        return _instructions(framework, ledger)
    if name in framework.ceiling:
        reading = tried(name, framework, ledger)
        doubtful = reading is not None and reading.evidence.high == "open"
        answer = case.ceiling.get(name)
        check = framework.ceiling[name]
        denied = answer is not None and _check(check, answer).state == "no"
        if reading is None or (doubtful and denied):
            return None
        return SettledAnswer("yes", reading)
    return _agree_on_side(list(readings(name, "settles", framework, ledger)))


def _agree_on_side(sides: Sequence[SettledAnswer]) -> SettledAnswer | None:
    """The side that several measurements settle: one yes is enough, and a no needs all of them."""
    for side in sides:
        if side.state == "yes":
            return side
    if sides and all(side.state == "no" for side in sides):
        return sides[0]
    return None


def tried(name: str, framework: Framework, ledger: Ledger) -> LimitCheck | None:
    """The measurement that shows a check of the ceiling was done; None where none shows it.

    A count seen in the data is the least that was done. So it can settle a yes and never a no, and
    a count without an upper end doesn't overrule a stated no.
    """
    evidence = ledger.get(COUNTED_CHECKS.get(name, ""))
    wanted = framework.ceiling[name].at_least
    done = evidence is not None and evidence.number >= (wanted or 1)
    return LimitCheck(evidence, wanted or 1) if evidence and done else None


_ENOUGH_INSTRUCTIONS = 5


def _instructions(framework: Framework, ledger: Ledger) -> SettledAnswer | None:
    """Whether the prompt is too long to be followed: yes only where later instructions fare worse.

    Broken rules alone may just be hard rules. Fewer than five different rules say nothing.
    """
    share = ledger.get("ignored_instruction_share")
    place = ledger.get("position_effect")
    rule = framework.measures.get("ignored_instruction_share")
    if share is None or rule is None or _too_few(share):
        return None
    state = _side(rule, share)
    later = place is not None and isinstance(place.high, float | int) and place.high < 0
    settles = state == "no" or (state == "yes" and later)
    if settles:
        return SettledAnswer(state, LimitCheck(share, rule.limit, rule.title))
    return None


def _too_few(evidence: Evidence) -> bool:
    named = evidence.id == "ignored_instruction_share"
    return named and int(evidence.details.get("instructions", 0)) < _ENOUGH_INSTRUCTIONS


def _side(rule: MeasureRule, evidence: Evidence) -> State:
    """The side of the limit that a measurement lies on.

    That a few instructions are followed says nothing about the others.
    """
    side = rule.side(evidence.low, evidence.high)
    return "unknown" if side == "no" and _too_few(evidence) else side


def readings(
    name: str, role: str, framework: Framework, ledger: Ledger
) -> Iterator[SettledAnswer]:
    """The measurements on an answer that have one role (to settle it, or not), with their sides."""
    for measure, rule in framework.measures.items():
        evidence = ledger.get(measure)
        if evidence is not None and rule.about == name and rule.role == role:
            reading = LimitCheck(evidence, rule.limit, rule.title)
            yield SettledAnswer(_side(rule, evidence), reading)


def _below(measure: str, limit: float | None, ledger: Ledger) -> SettledAnswer | None:
    """Yes where the whole interval is below a limit, no where none of it is, None otherwise."""
    evidence = ledger.get(measure)
    if evidence is None or limit is None:
        return None
    state = _OPPOSITE[side_of(evidence, limit)]
    if state == "unknown":
        return None
    return SettledAnswer(state, LimitCheck(evidence, limit))


def _success(case: Case, ledger: Ledger) -> SettledAnswer | None:
    """Whether every target is met: one that is missed makes a no, and a yes needs all measured."""
    quality = case.targets.quality
    met = list[LimitCheck]()
    wanted = {
        "success_share": quality.at_least if quality else None,
        "latency_p95_s": case.targets.latency_p95_s,
        "usd_per_month": case.targets.usd_per_month,
    }
    stated = {name: target for name, target in wanted.items() if target is not None}
    for name, target in stated.items():
        if name == "success_share":
            evidence = _production_quality(ledger) or _pilots_prompt(ledger)
            holds = reaches
        else:
            evidence = ledger.get(name)
            holds = within
        if evidence is None:
            continue
        meets = holds(*_open_ends(evidence), target)
        if meets == "no":
            return SettledAnswer("no", LimitCheck(evidence, target))
        if meets == "yes":
            met.append(LimitCheck(evidence, target))
    if quality and _may_stay_private(case, ledger) and len(met) == len(stated):
        return SettledAnswer("yes", met[0])
    return None


def _may_stay_private(case: Case, ledger: Ledger) -> bool:
    """Whether privacy is met or isn't a target; with a pilot nobody has to say that it isn't."""
    sovereign = case.factors.get("data_sovereignty")
    if case.today.api == "own" or (sovereign is not None and sovereign.value == "no"):
        return True
    wanted = sovereign is not None and sovereign.value == "yes"
    by_pilot = _production_quality(ledger) is None
    return by_pilot and not wanted


def _pilots_prompt(ledger: Ledger) -> Evidence | None:
    """The best untuned prompt of a finished pilot, where nobody scored production.

    The best prompt of a ceiling lab shows no success yet, because nobody runs it.
    """
    best = ledger.get(BEST_PROMPT)
    if best is not None and best.source.startswith(PILOT_SOURCE):
        return best
    return None


def _production_quality(ledger: Ledger) -> Evidence | None:
    """The scores of production, from its log or from a lab of the very arm that production runs."""
    share = ledger.get("success_share")
    if share is not None and scored(share):
        return share
    return ledger.get(RUNNING_ARM)


_OPPOSITE: dict[State, State] = {"yes": "no", "no": "yes", "unknown": "unknown"}


def reaches(low: float, high: float, limit: float) -> State:
    """Whether a whole interval is at least a limit; unknown where the limit lies inside it."""
    if low >= limit:
        return "yes"
    if high < limit:
        return "no"
    return "unknown"


def within(low: float, high: float, limit: float) -> State:
    """Whether a whole interval is at most a limit; unknown where the limit lies inside it."""
    return reaches(-high, -low, -limit)


def side_of(evidence: Evidence, limit: float) -> State:
    """Whether the whole interval of a measurement is at least a limit."""
    return reaches(*_open_ends(evidence), limit)


def _open_ends(evidence: Evidence) -> tuple[float, float]:
    """Both ends of a measurement, infinite where one is missing."""
    low = evidence.low
    high = evidence.high
    return -math.inf if low is None else low, high if isinstance(
        high, float | int
    ) else math.inf


# Every answer of a case.


class _Weighed(NamedTuple):
    """An answer as it counts, with where it comes from."""

    state: State
    source: Source
    note: str


_NOTHING = _Weighed("unknown", "assumed", "")


def weigh(
    case: Case,
    framework: Framework,
    attempt: Attempt | None = None,
    ledger: Ledger | None = None,
) -> Assessment:
    """The state of every check, signal and factor of a framework; unmentioned ones are unknown.

    With an attempt the case is weighed as it was at that attempt: the attempt's answers replace the
    case's, and today's measurements don't count. Raises CaseError if the case answers something
    that the framework doesn't ask.
    """
    weighed = _weigh_answers(case, framework, attempt, ledger)
    ceiling = {**case.ceiling, **(attempt.ceiling if attempt else {})}
    checks = {}
    signals = {}
    factors = {}

    def answer_fields(room: str, name: str, criterion: Criterion) -> dict[str, Any]:
        """The fields that all three kinds of answers share."""
        ask = framework.filled(criterion.ask, criterion)
        return {"title": criterion.title, "ask": ask, **weighed[room, name]._asdict()}

    for name, check in framework.ceiling.items():
        about = answer_fields("ceiling", name, check)
        answer = ceiling.get(name)
        count = answer.count if answer and about["source"] == "stated" else None
        checks[name] = CheckResult(
            value=about["state"] if count is None else count, **about
        )
    for name, signal in framework.signals.items():
        about = answer_fields("signals", name, signal)
        rules = [
            rule.title for rule in framework.measures.values() if rule.about == name
        ]
        lacks = about["state"] == "yes" and about["source"] != "measured"
        signals[name] = SignalResult(confirm=listing(rules) if lacks else "", **about)
    for name, factor in framework.factors.items():
        kind: Any = "indicator" if name in framework.indicators else "anti_indicator"
        about = answer_fields("factors", name, factor)
        factors[name] = FactorResult(kind=kind, weight=factor.weight, **about)
    reached = every(check.state for check in checks.values())
    graded = grade_of_ceiling(reached, {} if attempt else ledger or {})
    return Assessment(
        CeilingTest(reached=reached, grade=graded, checks=checks), signals, factors
    )


def grade_of_ceiling(reached: State, ledger: Ledger) -> CeilingGrade | Literal[""]:
    """The grade of a ceiling by its measurements; empty where nobody claims a ceiling or tried one."""
    search = ledger.get(SEARCH)
    if search is not None and search.details.get("ended") == "plateau":
        return "searched"
    if BEST_PROMPT in ledger:
        return "tried"
    return "claimed" if reached == "yes" else ""


def states_of(case: Case, framework: Framework, ledger: Ledger) -> dict[str, State]:
    """The states of checks and factors alone, equal to those of ``weigh`` but without texts."""
    weighed = _weigh_answers(case, framework, None, ledger)
    return {
        name: answer.state
        for (room, name), answer in weighed.items()
        if room != "signals"
    }


def _weigh_answers(
    case: Case, framework: Framework, attempt: Attempt | None, ledger: Ledger | None
) -> dict[tuple[str, str], _Weighed]:
    """Every answer as it counts, by its room and name; a measurement goes before a statement."""
    _refuse_strangers(case, framework)
    ceiling = {**case.ceiling, **(attempt.ceiling if attempt else {})}
    stated = {**case.factors, **(attempt.factors if attempt else {})}
    weighed = {
        ("ceiling", n): _check(each, ceiling.get(n))
        for n, each in framework.ceiling.items()
    }
    weighed |= {
        ("signals", name): _weigh_statement(case.signals.get(name))
        for name in framework.signals
    }
    for name in framework.factors:
        weighed["factors", name] = _infer_from_numbers(
            name, stated.get(name), case, framework
        )
    for room, name in weighed if ledger and not attempt else ():
        measured = settled(name, case, framework, ledger or {})
        if measured is None or f"{room}.{name}" in case.origin.assumed:
            continue
        factor = case.factors.get(name)
        if factor is not None and factor.now == measured.state != factor.value:
            continue  # the fact holds at present and is expected to change
        answer = getattr(case, room).get(name)
        note = _join_notes(answer.note if answer else "", measured.reading.note)
        weighed[room, name] = _Weighed(measured.state, "measured", note)
    return weighed


def _join_notes(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _weigh_statement(answer: FactorAnswer | CheckAnswer | None) -> _Weighed:
    if answer:
        return _Weighed(answer.value, "stated", answer.note)
    return _NOTHING


def _check(check: Check, answer: CheckAnswer | None) -> _Weighed:
    """The state of a check; a stated count is compared with the number that the framework wants."""
    weighed = _weigh_statement(answer)
    if answer is not None and answer.needed == "no":
        weighed = weighed._replace(note=_join_notes("not needed", weighed.note))
    if answer is None or answer.count is None or check.at_least is None:
        return weighed
    return weighed._replace(state="yes" if answer.count >= check.at_least else "no")


def _infer_from_numbers(
    name: str, answer: FactorAnswer | None, case: Case, framework: Framework
) -> _Weighed:
    """The stated answer; where it is missing or "unknown", the answer that a stated number settles."""
    stated = _weigh_statement(answer)
    if stated.state != "unknown":
        return stated
    inferred = None
    if name == "low_volume":
        inferred = _volume_by_traffic(case, framework)
    elif name == "insufficient_data":
        inferred = _data_by_count(case, framework)
    if inferred is None or (inferred.state == "unknown" and answer is not None):
        return stated
    return inferred._replace(note=_join_notes(stated.note, inferred.note))


def _volume_by_traffic(case: Case, framework: Framework) -> _Weighed | None:
    """Whether the stated traffic is low; None without traffic or a threshold."""
    requests = case.economics.traffic.requests_per_month
    limit = framework.threshold("low_volume")
    if not requests or limit is None:
        return None
    state = _OPPOSITE[reaches(requests.low, requests.high, limit)]
    many = f"{count(requests.likely)} requests{case.a_month}"
    return _Weighed(state, "assumed", f"from {many} (low is under {count(limit)})")


def _data_by_count(case: Case, framework: Framework) -> _Weighed | None:
    """Whether the stated examples are too few; None without a count or a limit."""
    have = usable_examples(case)
    limit = examples_limit(case, framework)
    if have is None or limit is None:
        return None
    aim = ""
    need = examples_need(case, framework)
    if need is not None:
        goal, _ = need
        aim = f" for {plain(goal)}"
    because = f"from {count(have)} examples, {count(limit)} are needed{aim}"
    return _Weighed("yes" if have < limit else "no", "assumed", because)


def examples_limit(case: Case, framework: Framework) -> float | None:
    """The least examples that the case's approach takes; the general number where it has none."""
    need = examples_need(case, framework)
    if need is None:
        return framework.threshold("few_examples")
    _, takes = need
    return takes.low


def examples_need(case: Case, framework: Framework) -> tuple[str, Need] | None:
    """The first goal whose approach learns from examples, and what that approach needs; else None."""
    for goal in case.goals:
        rule = framework.goals.get(goal)
        if (
            rule is not None
            and framework.approaches[rule.approach].data.unit == "examples"
        ):
            return goal, framework.approaches[rule.approach].data
    return None


def usable_examples(case: Case) -> int | None:
    """The examples that are good enough to learn from; all where nobody counted the good ones."""
    return case.data.examples.good if case.data.examples else None


def _refuse_strangers(case: Case, framework: Framework) -> None:
    """Refuse an answer, in the case or an attempt, to something that the framework doesn't ask.

    An answer that may belong to another framework is kept and not used.
    """
    elsewhere = case.framework not in (None, *NAMES) and framework.name in NAMES
    options = {**framework.options, **framework.approaches}
    asks: dict[str, tuple[str, Mapping[str, Any]]] = {
        "ceiling": ("check", framework.ceiling),
        "factors": ("factor", framework.factors),
        "signals": ("signal", framework.signals),
    }
    if options:
        asks["tried"] = ("option", options)
    places: list[tuple[tuple[str | int, ...], Case | Attempt]] = [((), case)]
    for number, attempt in enumerate(case.attempts):
        places.append((("attempts", number), attempt))
    for place, record in places:
        for room, (what, entries) in asks.items():
            for name in getattr(record, room, ()):
                if name not in entries:
                    if name in ALSO_ASKED or elsewhere:
                        continue
                    says = f'{what} "{name}" is not in the {framework.name} framework'
                    fix = did_you_mean(name, list(entries))
                elif room == "ceiling" and _has_needless_count(
                    entries[name], record.ceiling[name]
                ):
                    says = f'check "{name}" is answered with a count'
                    fix = "use yes, no or unknown"
                else:
                    continue
                raise CaseError(says, where=case.where(*place, room, name), fix=fix)


def _has_needless_count(check: Check, answer: CheckAnswer) -> bool:
    return check.at_least is None and answer.count is not None


# What was measured: as a section of the dossier, and as people read it.

_HOW_TO = "tuneworthy measure CASE: from traces, results of a test, or an invoice"
NOTHING_MEASURED = Unknown(ask=_HOW_TO)  #: The step to take where nothing was measured.


def evidence_section(
    measured: Mapping[str, Evidence], framework: Framework, case: Case
) -> tuple[EvidenceResult, ...] | Unknown:
    """The measurements as the dossier shows them, unknown ones too; without any, how to get some."""
    if not measured:
        return NOTHING_MEASURED
    ignored = {item.id: item.because for item in case.evidence.get("ignore", ())}
    return tuple(
        _result(each, framework.measures.get(each.id), ignored.get(each.id, ""))
        for each in measured.values()
    )


def _result(
    evidence: Evidence, rule: MeasureRule | None, ignored: str
) -> EvidenceResult:
    """One measurement as the dossier shows it: its side of the limit, and whether it settles."""
    # fields of the same name are taken over; what only some readers need stands beside the dossier
    fields = {name: value for name, value in evidence if name not in READ_BESIDE}
    # a value that is unknown says what would settle its ends, too
    if evidence.low is None:
        fields["low"] = evidence.value
    if evidence.high is None:
        fields["high"] = evidence.value
    no_clock = Unknown(ask="log a timestamp with each trace")
    fields["observed_on"] = evidence.observed_on or no_clock
    fields["since"] = evidence.since or no_clock
    fields["ignored"] = ignored
    if rule is None:
        only_rated = evidence.id == "success_share" and not scored(evidence)
        supports = evidence.id == "usable_examples" or ignored or only_rated
        fields["title"] = plain(evidence.id)
        fields["says"] = "unknown"
        fields["role"] = "supports" if supports else "settles"
        fields["limit"] = Unknown(ask="no rule of the framework reads it")
    else:
        fields["factor"] = rule.about
        fields["title"] = rule.title
        fields["says"] = _side(rule, evidence) if evidence.is_known else "unknown"
        fields["role"] = rule.role
        fields["limit"] = rule.limit
    return EvidenceResult.model_validate(fields)
