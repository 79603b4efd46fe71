"""What to ask next, and what else is worth knowing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from tuneworthy.api.cases import answer_path
from tuneworthy.api.interview.asks import LATER_SHAPES, SAFETY, ask_of
from tuneworthy.api.interview.fields import ATTEMPT, DATA, INVESTMENT, MODEL, OPTIONS, Field
from tuneworthy.api.interview.values import stands
from tuneworthy.api.road import evidence_of, known
from tuneworthy.assess.measured import with_evidence
from tuneworthy.assess.weigh import weigh
from tuneworthy.domain.assessment import Assessment
from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.interview import PARTS, Ask, Offer, Part, Standing
from tuneworthy.framework.rules import compile_rules
from tuneworthy.verdict.robustness import questions


def next_ask(
    case: Case, framework: Framework, *, passed: Collection[str] = (), part: Part | None = None
) -> Ask | None:
    """What to ask next.

    Args:
        case: The case as it stands; all that was answered is in it.
        framework: Whose questions are asked.
        passed: Ids that whoever answers doesn't know or doesn't want to be asked.
        part: One of the three conversations, whole; the answers that can change the verdict alone,
            after the goals, when not given.

    Returns:
        The question, or None: with no part, nothing that is still asked can change the verdict;
        with one, all of it is answered or passed. ``offers`` says what else is open.

    Raises:
        CaseError: If the case answers something the framework doesn't ask.
    """
    opened = _open(case, framework, part)
    waiting = [name for name in opened if name not in passed]
    if not waiting:
        return None
    gain = opened[waiting[0]]
    return replace(ask_of(case, framework, waiting[0]), gain_bits=gain, left=len(waiting))


def asked_again(
    case: Case, framework: Framework, ask_id: str, *, passed: Collection[str] = (),
    part: Part | None = None,
) -> Ask:  # fmt: skip
    """A question by its id, answered or not, with what ``next_ask`` says of its round.

    Raises:
        CaseError: If nothing like that is asked.
    """
    ask, opened = ask_of(case, framework, ask_id), _open(case, framework, part)
    waiting = {ask.id, *(name for name in opened if name not in passed)}
    return replace(ask, gain_bits=opened.get(ask.id), left=len(waiting))


def offers(case: Case, framework: Framework, *, passed: Collection[str] = ()) -> tuple[Offer, ...]:
    """The parts in which something is still worth knowing; empty when nothing is.

    Raises:
        CaseError: As ``next_ask``.
    """
    found = []
    for part in PARTS:
        waiting = [name for name in _open(case, framework, part) if name not in passed]
        if waiting:
            minutes = sum(ask_of(case, framework, name).minutes for name in waiting)
            found.append(Offer(part, len(waiting), minutes))
    return tuple(found)


def part_asks(case: Case, framework: Framework, part: Part | None = None) -> tuple[str, ...]:
    """Ids of all that is open in a part, in the order of asking; for passing it as a whole."""
    return tuple(_open(case, framework, part))


def is_answered(case: Case, framework: Framework, ask_id: str) -> bool:
    """Whether a question has an answer: one that was said, or that a number or measurement gives.

    Raises:
        CaseError: If a name without dots is nothing the framework asks.
    """
    path = ".".join(answer_path(ask_id, framework))
    room, _, name = path.partition(".")
    if stands(case, path):
        return True
    judged = room in ("ceiling", "factors", "signals")
    return judged and _weighed(case, framework).state(name) != "unknown"


def standing(dossier: Dossier) -> Standing:
    """What is shown while a verdict forms."""
    verdict, shares = dossier.verdict, dossier.distribution
    possible = sorted(((name, s) for name, s in shares.items() if s > 0), key=lambda p: -p[1])
    still_open = sum(check.state == "unknown" for check in dossier.ceiling.checks.values())
    return Standing(
        verdict.outcome, verdict.leaning, verdict.final, tuple(possible),
        still_open + dossier.counts.unknown, len(dossier.next_questions),
    )  # fmt: skip


def _open(case: Case, framework: Framework, part: Part | None) -> dict[str, float | None]:
    """Ids of what is open, in order, with the doubt each removes where it removes some."""
    if part in (None, "evaluate"):
        return _evaluate(case, framework, whole=part is not None)
    found = _options(case, framework) if part == "options" else _investment(case, framework)
    return dict.fromkeys(found)


def _evaluate(case: Case, framework: Framework, *, whole: bool) -> dict[str, float | None]:
    assessment = _weighed(case, framework)
    found: dict[str, float | None] = {}
    if framework.goals and not case.goals:
        found["goals"] = None
    asked = questions(assessment.states, framework, compile_rules(framework))
    found |= {_path(framework, one.id): one.gain_bits for one in asked}
    if whole:
        for name in _besides(case, framework, assessment):
            found.setdefault(name, None)
    return found


def _weighed(case: Case, framework: Framework) -> Assessment:
    """Every answer as it counts: with what was measured, and what stated numbers give."""
    ledger = known(evidence_of(case))
    filled, _ = with_evidence(case, ledger)
    return weigh(filled, framework, ledger=ledger)


def _path(framework: Framework, name: str) -> str:
    return f"{'ceiling' if name in framework.ceiling else 'factors'}.{name}"


def _besides(case: Case, framework: Framework, assessment: Assessment) -> Iterator[str]:
    """What can't change the verdict: further answers, what they ask for besides, and signals."""
    for name, state in assessment.states.items():
        if state == "unknown":
            yield _path(framework, name)
    for name in LATER_SHAPES:
        if name.split(".")[1] in framework.factors and _later(case, name):
            yield name
    for name, signal in assessment.signals.items():
        if signal.state == "unknown":
            yield f"signals.{name}"


def _later(case: Case, path: str) -> bool:
    """Whether an answer asks for more: volume that is to come, requirements that change."""
    answer, what = case.factors.get(path.split(".")[1]), path.split(".")[2]
    if answer is None or stands(case, path):
        return False
    if what == "changes":
        return answer.value == "yes"
    return answer.value == "no" and (what == "now" or answer.now == "yes")


def _fields(case: Case, fields: Collection[Field]) -> Iterator[str]:
    for field in fields:
        if field.when(case) and not stands(case, field.id):
            yield field.id


def _options(case: Case, framework: Framework) -> Iterator[str]:
    yield from _fields(case, OPTIONS)
    for number, _ in enumerate(case.attempts, start=1):
        for field in ATTEMPT:
            offered = {"tried": framework.options, "ceiling": framework.ceiling}.get(field.id, True)
            if offered and not stands(case, f"attempts.{number}.{field.id}"):
                yield f"attempts.{number}.{field.id}"
    yield f"attempts.{len(case.attempts) + 1}.{ATTEMPT[0].id}"
    for number, model in enumerate(case.models, start=1):
        for field in MODEL:
            wanted = model.published is None and (field.id != "cases" or model.quality is not None)
            if wanted and not stands(case, f"models.{number}.{field.id}"):
                yield f"models.{number}.{field.id}"
    yield f"models.{len(case.models) + 1}.{MODEL[0].id}"
    yield from _fields(case, DATA)


def _investment(case: Case, framework: Framework) -> Iterator[str]:
    yield from _fields(case, INVESTMENT)
    if framework.safety is not None:
        yield from (path for path in SAFETY if not stands(case, path))
