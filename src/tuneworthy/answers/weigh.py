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
from tuneworthy.answers.arms import IMPORTED, lab_arms, running_arm
from tuneworthy.errors import CaseError
from tuneworthy.files.case import training_texts
from tuneworthy.files.stores import read_latest
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
    NO_LONGER_ASKED,
    Check,
    Criterion,
    Framework,
    MeasureRule,
    Need,
)
from tuneworthy.model.ways import CeilingGrade, LabArm
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
    ignored = set[str]()
    for place, item in enumerate(case.evidence.get("ignore", ())):
        # a number of the case may be measured later, so its id is known before it is measured
        is_known = item.id in measured or item.id in _NUMBERS
        if measured and not is_known:
            what = f'nothing that was measured is called "{item.id}"'
            where = case.where("evidence", "ignore", place, "id")
            fix = did_you_mean(item.id, list(measured))
            raise CaseError(what, where=where, fix=fix)
        ignored.add(item.id)
    return {
        each.id: each
        for each in _without_lab_results(measured).values()
        if each.is_known and each.id not in ignored
    }


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
    return word or name  # a name that begins with a digit has no first word


def gathered(case: Case) -> tuple[dict[str, Evidence], tuple[Series, ...]]:
    """The latest of each measurement and of each picture, from a case's ledger and files.

    Both are empty for a case without a folder.
    """
    if case.folder is None:
        return {}, ()
    latest, series = read_latest(case)
    counted = dict[str, Evidence]()
    for evidence in (
        _quality_of_running(running_arm(lab_arms(case, latest, series))),
        _count_training_lines(case),
        _count_makers(series),
    ):
        if evidence is not None:
            counted[evidence.id] = evidence
    return {
        **counted,
        **latest,
    }, series  # an entry of the ledger goes before a count here


def _count_training_lines(case: Case) -> Evidence | None:
    """The different lines of the files to tune on, each of which is an example; None without any.

    Logs don't count here: they hold candidates, and no examples in stock.
    """
    texts = "\n".join(training_texts(case)).splitlines()
    lines = {line.strip() for line in texts if line.strip()}
    if not lines:
        return None
    return exactly(
        TRAINING,
        len(lines),
        "examples",
        source=listing(case.data.training),
        method="different lines of the files to tune on",
    )


def _count_makers(series: Sequence[Series]) -> Evidence | None:
    """The makers whose models a test gave the same cases; None for fewer than two.

    Makers aren't compared because their names are in a log. ``best_high`` is the highest upper end
    of the quality of any arm, over all arms together.
    """
    columns = {table.id: table.columns for table in series}
    arms = columns.get(IMPORTED, {})
    makers = {maker(str(name)) for name in arms.get("model", ()) if name}
    if "test" in arms or len(makers) < 2:  # with this column, tests share no case
        return None
    ends = [float(end) for end in arms.get("high_of_all", ()) if end != "open"]
    return exactly(
        FAMILIES,
        len(makers),
        "makers",
        method="makers whose models answered the same cases",
        details={"best_high": max(ends, default=1.0)},
    )


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


def _quality_of_running(arm: LabArm | None) -> Evidence | None:
    """The quality that a lab measured of the arm which production runs, as a number of today.

    None where production runs no arm of a lab.
    """
    if arm is None or isinstance(arm.quality, Unknown):
        return None
    quality = arm.quality
    return Evidence.model_validate(
        {
            "id": RUNNING_ARM,
            "factor": "today.quality",
            "value": quality.value,
            "low": quality.low,
            "high": quality.high,
            "unit": "share of cases",
            "n": 0 if isinstance(quality.cases, Unknown) else quality.cases,
            "method": "the log shows that production runs this prompt with this model",
            "source": f"{quality.source}: {arm.title}",
            "observed_on": arm.observed_on,
            "details": {"arm": arm.id, "model": arm.model},
        }
    )


def exactly(name: str, count: int, unit: str, **about: Any) -> Evidence:
    """A count that is exact; ``about`` are further fields of the measurement."""
    about.setdefault("n", count)  # counted on as many, unless something else is said
    return Evidence(id=name, value=count, low=count, high=count, unit=unit, **about)


# Measured numbers in the place of stated ones.

_FEWEST_EXAMPLES = 20  # fewer are a few samples, and not the stock of examples

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
    if not ledger:
        return case, ()
    tree: dict[str, Any] = case.model_dump(exclude_defaults=True)
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
    ran = _options_run(ledger)
    if not replaced and not ran:
        return case, ()
    filled = Case.model_validate(tree).with_origin(replace(case.origin, ran=ran))
    return filled, tuple(replaced)


def _options_run(ledger: Ledger) -> frozenset[str]:
    """The options of which a lab has run at least one arm."""
    ran = set[str]()
    for option, measurement in RUN_OPTIONS.items():
        arms = ledger.get(measurement)
        if arms is not None and arms.number > 0:
            ran.add(option)
    return frozenset(ran)


def _put_in(tree: dict[str, Any], path: str, number: Any) -> None:
    """Put a number into nested dictionaries at a dotted path, which is made where it is missing."""
    *parents, name = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[name] = number


def _stated_ends(case: Case, name: str, path: str) -> tuple[float, float] | None:
    """The ends of the statement that a measurement replaces; None where nothing was stated."""
    stated: Any
    if name == TRAINING:
        stated = usable_examples(case)  # its path leads to a record of several counts
    else:
        stated = attrgetter(path)(case)
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
    counted = dict[str, Evidence]()
    for name, evidence in ledger.items():
        replaces = _NUMBERS.get(name, name)
        if not any(overlaps(path, replaces) for path in case.origin.assumed):
            counted[name] = evidence
    return counted


def _numbers_replaced_by(
    name: str, path: str, evidence: Evidence, case: Case
) -> dict[str, Any]:
    """The numbers of the case that a measurement replaces, by path; empty where it replaces none."""
    if name == TRAINING:
        return _examples_replaced(path, evidence, case)
    if name in _SHARES:
        return _share_replaced(name, path, evidence)
    if evidence.low is None or not isinstance(evidence.high, float | int):
        return {}  # without both ends it is only a bound
    # the ends that a case file may state; a shrinking number can lose all at most
    least, most = (-1.0, 10.0) if name == "growth_per_month" else (0.0, float(_MOST))
    return {
        path: {
            "low": _clip(evidence.low, least, most),
            "likely": _clip(evidence.number, least, most),
            "high": _clip(evidence.high, least, most),
        }
    }


def _clip(value: float, least: float, most: float) -> float:
    return min(max(float(value), least), most)


def _examples_replaced(path: str, evidence: Evidence, case: Case) -> dict[str, Any]:
    """The usable examples, and their whole number where nobody states it."""
    usable = min(math.floor(evidence.number), _MOST)
    if usable < _FEWEST_EXAMPLES:
        return {}
    stated = case.data.examples
    if stated is None or stated.count is None:
        return {f"{path}.usable": usable, f"{path}.count": usable}
    return {f"{path}.usable": usable}


def _share_replaced(name: str, path: str, evidence: Evidence) -> dict[str, Any]:
    """A share; a share of good answers goes with a number of cases of equal weight.

    That number is of independent cases, because the case file has no place for an interval.
    """
    if not 0 <= evidence.number <= 1:
        return {}  # a ledger that somebody edited may hold it
    if name not in _QUALITIES:
        return {path: evidence.number}
    cases = independent(evidence)
    if cases == 0 or not scored(evidence):
        return {}
    return {path: evidence.number, "today.cases": cases}


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
    farthest = share
    for end in (evidence.low, evidence.high):
        if not isinstance(end, float | int) or not 0 < end < 1:
            continue  # at 0 and 1 the formula gives no cases at all
        if abs(share - end) > abs(share - farthest):
            farthest = end
    distance = share - farthest
    if distance == 0:
        return 0
    # divided twice, because the square of a tiny distance would be zero
    cases = Z95**2 * farthest * (1 - farthest) / distance / distance
    # 49.9999999 is 50 that lost a little to rounding
    return math.floor(min(cases, _MOST) + 1e-6)


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
        note = self.interval
        if self.evidence.n:
            note += f", on {count(self.evidence.n)}"
        if self.limit:
            note += f" (threshold {limit_text(self.limit, self.evidence.unit)})"
        return note


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
    if not ledger:
        return None
    if name == "voice_drift" and case.data.voice is None:
        return None  # where no voice is named, nothing can drift from it
    if name == "success_with_prompts":
        return _success(case, ledger)
    if name == "low_volume":
        return _below("requests_per_month", framework.threshold("low_volume"), ledger)
    if name == "insufficient_data":
        return _few_examples(case, framework, ledger)
    if name == "instruction_limit":
        return _instructions(framework, ledger)
    if name in framework.ceiling:
        return _check_done(name, case, framework, ledger)
    return _agree_on_side(list(readings(name, "settles", framework, ledger)))


def _few_examples(
    case: Case, framework: Framework, ledger: Ledger
) -> SettledAnswer | None:
    """Whether the counted examples are too few; None where hardly any were counted."""
    counted = ledger.get(TRAINING)
    if counted is None or counted.number < _FEWEST_EXAMPLES:
        return None
    return _below(TRAINING, examples_limit(case, framework), ledger)


def _check_done(
    name: str, case: Case, framework: Framework, ledger: Ledger
) -> SettledAnswer | None:
    """A yes where the data show that a check of the ceiling was done; never a no."""
    reading = tried(name, framework, ledger)
    if reading is None:
        return None
    answer = case.ceiling.get(name)
    denied = (
        answer is not None and _check(framework.ceiling[name], answer).state == "no"
    )
    if denied and reading.evidence.high == "open":
        return None  # a count without an upper end doesn't overrule a stated no
    return SettledAnswer("yes", reading)


def _agree_on_side(sides: Sequence[SettledAnswer]) -> SettledAnswer | None:
    """The side that several measurements settle: one yes is enough, and a no needs all of them."""
    if not sides:
        return None
    for side in sides:
        if side.state == "yes":
            return side
    first = sides[0]  # all say no, so any of them can stand for the others
    return first if all(side.state == "no" for side in sides) else None


def tried(name: str, framework: Framework, ledger: Ledger) -> LimitCheck | None:
    """The measurement that shows a check of the ceiling was done; None where none shows it.

    A count seen in the data is the least that was done, so it can show that enough was done and
    never that too little was.
    """
    measurement = COUNTED_CHECKS.get(name)
    evidence = None if measurement is None else ledger.get(measurement)
    wanted = framework.ceiling[name].at_least or 1  # a check without a number takes one
    if evidence is None or evidence.number < wanted:
        return None
    return LimitCheck(evidence, wanted)


_ENOUGH_INSTRUCTIONS = 5


def _instructions(framework: Framework, ledger: Ledger) -> SettledAnswer | None:
    """Whether the prompt is too long to be followed, by the instructions that answers ignore.

    Yes only where later instructions fare worse, because broken rules alone may just be hard rules.
    Fewer than five different rules say nothing.
    """
    share = ledger.get("ignored_instruction_share")
    rule = framework.measures.get("ignored_instruction_share")
    if share is None or rule is None or _too_few(share):
        return None
    state = _side(rule, share)
    if state == "no" or (state == "yes" and _later_fare_worse(ledger)):
        return SettledAnswer(state, LimitCheck(share, rule.limit, rule.title))
    return None


def _later_fare_worse(ledger: Ledger) -> bool:
    """Whether the effect of an instruction's place on obedience is below 0 for certain."""
    effect = ledger.get("position_effect")
    return (
        effect is not None and isinstance(effect.high, float | int) and effect.high < 0
    )


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
    """Whether every target is met: one that is missed makes a no, and a yes needs all measured.

    A yes also needs a quality target, and privacy that isn't missed.
    """
    quality = case.targets.quality
    wanted = {
        "success_share": quality.at_least if quality else None,
        "latency_p95_s": case.targets.latency_p95_s,
        "usd_per_month": case.targets.usd_per_month,
    }
    stated = {name: target for name, target in wanted.items() if target is not None}
    met = list[LimitCheck]()
    for name, target in stated.items():
        if name == "success_share":
            evidence = _production_quality(ledger) or _pilots_prompt(ledger)
            holds = reaches
        else:
            evidence = ledger.get(name)
            holds = within
        if evidence is None:
            continue
        ends = _open_ends(evidence)
        meets = holds(ends.low, ends.high, target)
        if meets == "no":
            return SettledAnswer("no", LimitCheck(evidence, target))
        if meets == "yes":
            met.append(LimitCheck(evidence, target))
    if quality and _may_stay_private(case, ledger) and len(met) == len(stated):
        of_quality = met[0]  # quality comes first, and it speaks for the others
        return SettledAnswer("yes", of_quality)
    return None


def _may_stay_private(case: Case, ledger: Ledger) -> bool:
    """Whether privacy is met or isn't a target.

    Where only a pilot measured the quality, privacy is no target unless somebody says so; otherwise
    somebody has to say that it isn't one.
    """
    sovereign = case.factors.get("data_sovereignty")
    stated = "unknown" if sovereign is None else sovereign.value
    if case.today.api == "own" or stated == "no":
        return True
    only_by_pilot = _production_quality(ledger) is None
    return only_by_pilot and stated != "yes"


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
    ends = _open_ends(evidence)
    return reaches(ends.low, ends.high, limit)


class _OpenEnds(NamedTuple):
    low: float
    high: float


def _open_ends(evidence: Evidence) -> _OpenEnds:
    """Both ends of a measurement, infinite where one is missing."""
    low = -math.inf if evidence.low is None else evidence.low
    high = evidence.high if isinstance(evidence.high, float | int) else math.inf
    return _OpenEnds(low, high)


# Every answer of a case.


class _Weighed(NamedTuple):
    """An answer as it counts, with where it comes from."""

    state: State
    source: Source
    note: str


_NOTHING = _Weighed("unknown", "assumed", "")
_Answers = dict[tuple[str, str], _Weighed]
"""_Answers as they count, by their room in the case file and their name."""


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
    checks = _check_results(framework, weighed, _checks_answered(case, attempt))
    reached = every(check.state for check in checks.values())
    counted = {} if attempt else ledger or {}
    return Assessment(
        CeilingTest(
            reached=reached, grade=grade_of_ceiling(reached, counted), checks=checks
        ),
        _signal_results(framework, weighed),
        _factor_results(framework, weighed),
    )


def _answer_fields(
    framework: Framework, criterion: Criterion, answer: _Weighed
) -> dict[str, Any]:
    """The fields that the results of checks, signals and factors share."""
    return {
        "title": criterion.title,
        "ask": framework.filled(criterion.ask, criterion),
        "state": answer.state,
        "source": answer.source,
        "note": answer.note,
    }


def _check_results(
    framework: Framework, weighed: _Answers, stated: Mapping[str, CheckAnswer]
) -> dict[str, CheckResult]:
    """The results of the checks; the value of a check that counts is the stated count."""
    results = {}
    for name, check in framework.ceiling.items():
        answer = weighed["ceiling", name]
        value: State | int = answer.state
        # a count is the value only where the answer that counts is the stated one
        if answer.source == "stated" and name in stated:
            count = stated[name].count
            value = answer.state if count is None else count
        fields = _answer_fields(framework, check, answer)
        results[name] = CheckResult(value=value, **fields)
    return results


def _signal_results(framework: Framework, weighed: _Answers) -> dict[str, SignalResult]:
    """The results of the signals, each with the measurements that could confirm a stated yes."""
    results = {}
    for name, signal in framework.signals.items():
        answer = weighed["signals", name]
        confirm = ""
        if answer.state == "yes" and answer.source != "measured":
            rules = framework.measures.values()
            confirm = listing([rule.title for rule in rules if rule.about == name])
        fields = _answer_fields(framework, signal, answer)
        results[name] = SignalResult(confirm=confirm, **fields)
    return results


def _factor_results(framework: Framework, weighed: _Answers) -> dict[str, FactorResult]:
    results = {}
    for name, factor in framework.factors.items():
        kind: Any = "indicator" if name in framework.indicators else "anti_indicator"
        fields = _answer_fields(framework, factor, weighed["factors", name])
        results[name] = FactorResult(kind=kind, weight=factor.weight, **fields)
    return results


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
    states = {}
    for (room, name), answer in weighed.items():
        if room != "signals":
            states[name] = answer.state
    return states


def _checks_answered(case: Case, attempt: Attempt | None) -> dict[str, CheckAnswer]:
    """The answers to checks, as they were at an attempt where there is one."""
    return {**case.ceiling, **(attempt.ceiling if attempt else {})}


def _weigh_answers(
    case: Case, framework: Framework, attempt: Attempt | None, ledger: Ledger | None
) -> _Answers:
    """Every answer as it counts, by its room and name; a measurement goes before a statement."""
    _refuse_strangers(case, framework)
    weighed = _weigh_statements(case, framework, attempt)
    # today's measurements say nothing of an attempt
    if attempt is not None or not ledger:
        return weighed
    for room, name in weighed:
        measured = _measured_answer(room, name, case, framework, ledger)
        if measured is not None:
            weighed[room, name] = measured
    return weighed


def _weigh_statements(
    case: Case, framework: Framework, attempt: Attempt | None
) -> _Answers:
    """Every answer by what is stated, or by the stated number that settles it."""
    checks = _checks_answered(case, attempt)
    factors = {**case.factors, **(attempt.factors if attempt else {})}
    weighed: _Answers = {}
    for name, check in framework.ceiling.items():
        weighed["ceiling", name] = _check(check, checks.get(name))
    for name in framework.signals:
        weighed["signals", name] = _weigh_statement(case.signals.get(name))
    for name in framework.factors:
        answer = factors.get(name)
        weighed["factors", name] = _infer_from_numbers(name, answer, case, framework)
    return weighed


def _measured_answer(
    room: str, name: str, case: Case, framework: Framework, ledger: Ledger
) -> _Weighed | None:
    """The answer that a measurement settles; None where none does or none may."""
    measured = settled(name, case, framework, ledger)
    if measured is None or f"{room}.{name}" in case.origin.assumed:
        return None
    factor = case.factors.get(name)
    if factor is not None and factor.now == measured.state != factor.value:
        return None  # the fact holds at present and is expected to change
    answer = getattr(case, room).get(name)
    note = _join_notes(answer.note if answer else "", measured.reading.note)
    return _Weighed(measured.state, "measured", note)


def _join_notes(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _weigh_statement(answer: FactorAnswer | CheckAnswer | None) -> _Weighed:
    if answer:
        return _Weighed(answer.value, "stated", answer.note)
    return _NOTHING


def _check(check: Check, answer: CheckAnswer | None) -> _Weighed:
    """The state of a check; a stated count is compared with the number that the framework wants."""
    if answer is None:
        return _NOTHING
    weighed = _weigh_statement(answer)
    if answer.needed == "no":
        weighed = weighed._replace(note=_join_notes("not needed", weighed.note))
    if answer.count is None or check.at_least is None:
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
    if inferred is None:
        return stated
    if inferred.state == "unknown" and answer is not None:
        return stated  # both are unknown, and only one of them was said
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
    because = f"from {count(have)} examples, {count(limit)} are needed"
    need = examples_need(case, framework)
    if need is not None:
        because += f" for {plain(need.goal)}"
    return _Weighed("yes" if have < limit else "no", "assumed", because)


def examples_limit(case: Case, framework: Framework) -> float | None:
    """The least examples that the case's approach takes; the general number where it has none."""
    need = examples_need(case, framework)
    if need is None:
        return framework.threshold("few_examples")
    return need.data.low


class ExamplesNeed(NamedTuple):
    """A goal, and the examples that its approach learns from."""

    goal: str
    data: Need


def examples_need(case: Case, framework: Framework) -> ExamplesNeed | None:
    """The need of the first goal whose approach learns from examples; None without such a goal."""
    for goal in case.goals:
        rule = framework.goals.get(goal)
        if rule is None:
            continue
        data = framework.approaches[rule.approach].data
        if data.unit == "examples":
            return ExamplesNeed(goal, data)
    return None


def usable_examples(case: Case) -> int | None:
    """The examples that are good enough to learn from; all where nobody counted the good ones."""
    return case.data.examples.good if case.data.examples else None


class _Asked(NamedTuple):
    """The entries of a framework that one room of a case file answers."""

    noun: str  #: The word for one entry.
    entries: Mapping[str, Any]


def _refuse_strangers(case: Case, framework: Framework) -> None:
    """Refuse an answer, in the case or an attempt, to something that the framework doesn't ask."""
    rooms = {
        "ceiling": _Asked("check", framework.ceiling),
        "factors": _Asked("factor", framework.factors),
        "signals": _Asked("signal", framework.signals),
    }
    options = {**framework.options, **framework.approaches}
    if options:  # a framework without options can't say which there are
        rooms["tried"] = _Asked("option", options)
    _refuse_strangers_in(case, (), rooms, case, framework)
    for number, attempt in enumerate(case.attempts):
        _refuse_strangers_in(attempt, ("attempts", number), rooms, case, framework)


def _refuse_strangers_in(
    record: Case | Attempt,
    place: tuple[str | int, ...],
    rooms: Mapping[str, _Asked],
    case: Case,
    framework: Framework,
) -> None:
    """Refuse strangers in a case or one of its attempts, which stands at ``place`` in the file.

    An answer that older editions asked for is kept and not used.
    """
    for room, asked in rooms.items():
        # a case has no list of tried options, and an attempt has no signals
        for name in getattr(record, room, ()):
            if name in asked.entries or name in NO_LONGER_ASKED:
                continue
            raise CaseError(
                f'{asked.noun} "{name}" is not in the {framework.name} framework',
                where=case.where(*place, room, name),
                fix=did_you_mean(name, list(asked.entries)),
            )
    for name, answer in record.ceiling.items():
        check = framework.ceiling.get(name)
        if check is None or check.at_least is not None or answer.count is None:
            continue
        raise CaseError(
            f'check "{name}" is answered with a count',
            where=case.where(*place, "ceiling", name),
            fix="use yes, no or unknown",
        )


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
    """One measurement as the dossier shows it; ``ignored`` is why a person overrules it."""
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
        fields |= _fields_without_rule(evidence, ignored)
    else:
        fields["factor"] = rule.about
        fields["title"] = rule.title
        fields["says"] = _side(rule, evidence) if evidence.is_known else "unknown"
        fields["role"] = rule.role
        fields["limit"] = rule.limit
    return EvidenceResult.model_validate(fields)


def _fields_without_rule(evidence: Evidence, ignored: str) -> dict[str, Any]:
    """The fields of a measurement that no rule of the framework reads.

    It settles a number of the case, unless a person overrules it, only users rated the answers, or
    it counts candidates for examples.
    """
    only_rated = evidence.id == "success_share" and not scored(evidence)
    supports = ignored or only_rated or evidence.id == "usable_examples"
    return {
        "title": plain(evidence.id),
        "says": "unknown",
        "role": "supports" if supports else "settles",
        "limit": Unknown(ask="no rule of the framework reads it"),
    }
