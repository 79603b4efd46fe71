"""A case with other answers, as a what-if or written into its file; and a new case."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from tuneworthy.errors import CaseError, ConflictError, InputError, one_line
from tuneworthy.files.assistant import confirm_answers
from tuneworthy.files.case import case_path, text_digest
from tuneworthy.files.disk import (
    CASE_LIMIT,
    read_text,
)
from tuneworthy.model.base import State
from tuneworthy.model.case import Case, CheckAnswer
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import capital, day

if TYPE_CHECKING:
    from tuneworthy.model.interview import AnswerResult


def judge_case(
    source: str | Path,
    *,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
    seed: int = 0,
) -> Dossier:
    """Read a case, replace some answers, and judge it by its framework."""
    case, framework = read_supposed(source, answers)
    return decide(case, framework, as_of=as_of, seed=seed)


def read_supposed(
    source: str | Path, answers: Mapping[str, str] | None
) -> tuple[Case, Framework]:
    """A case with some answers replaced, and its framework; nothing is written."""
    if not answers:
        case = load_case(source)
        return case, framework_of(case)
    from tuneworthy.interview.answers import type_in

    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    typed = type_in(text, path, answers, framework_of, "--set ")
    return typed.supposed, typed.framework


def write(source: str | Path, answers: Mapping[str, str]) -> AnswerResult:
    """Write answers into a case file, and return their effect.

    Nothing is written unless the answers make a case that its framework can judge.
    """
    from tuneworthy.interview.answers import write_typed

    case = load_case(source)
    before = decide(case, framework_of(case))
    wrote = write_typed(source, answers, framework_of, decide)
    return wrote._replace(before=before)


def signature(dossier: Dossier, by: str, digest: str) -> dict[str, str]:
    """A signature on the answer of a dossier, for its case file.

    ``digest`` is the digest of the case file as it was shown.
    """
    from tuneworthy.report.sections.signing import sign_sheet

    signed = sign_sheet(dossier, by, digest).model_dump(
        mode="json", exclude_defaults=True
    )
    return {"decision.signed": json.dumps(signed, ensure_ascii=False)}


def read_to_sign(source: str | Path, by: str) -> str:
    """The digest of a case file before a person sees it to sign; an InputError for an empty name."""
    if not by.strip():
        raise InputError("names nobody", where="--sign", fix="write who signs")
    return text_digest(read_text(case_path(source), CASE_LIMIT, CaseError))


def sign_answer(source: str | Path, seen: Dossier, by: str, digest: str) -> str:
    """Sign the answer that a person saw, and return a sentence about it.

    A ConflictError, and nothing is written, if the case file or the answer changed meanwhile.
    """
    from tuneworthy.interview.answers import write_typed

    by = by.strip()

    def judge(case: Case, framework: Framework) -> Dossier:
        now = decide(case, framework, as_of=seen.as_of, seed=seen.seed)
        if now.verdict.answer != seen.verdict.answer:
            what = "has another answer by now"
            raise ConflictError(what, where=str(source), fix="look, then sign")
        return now

    write_typed(
        source,
        signature(seen, by, digest),
        framework_of,
        judge,
        read_digest=digest,
        by_id=True,
    )
    answer = capital(ANSWER_WORDS[seen.verdict.answer])
    return f"Signed by {by}: {answer}, on {day(seen.as_of)}, under decision in {case_path(source)}."


def confirm(source: str | Path) -> str:
    """Confirm the answers by an assistant, and list them, one a line."""
    from tuneworthy.interview.answers import unconfirmed_answers

    case = load_case(source)
    waiting = unconfirmed_answers(case, framework_of(case))
    confirm_answers(case, [answer.key for answer in waiting])
    lines = [
        f"Confirmed {one_line(answer.title)} ({answer.key}): {one_line(answer.value)},"
        f" for “{one_line(answer.quote)}”\n"
        for answer in waiting
    ]
    return "".join(lines) or "No answer by an assistant waits to be confirmed.\n"


def stated(case: Case, framework: Framework) -> dict[str, State]:
    """The stated answers by path, counts as states; unknown for an open one.

    A path is like ``factors.brand_voice``, as a signal may have the name of a factor.
    """
    from tuneworthy.interview.questions import asked_by

    states: dict[str, State] = {}
    for room, asks in asked_by(framework).items():
        for name, ask in asks.items():
            answer = getattr(case, room).get(name)
            # Only a check has a number from which it holds.
            at_least = getattr(ask, "at_least", None)
            count = answer.count if isinstance(answer, CheckAnswer) else None
            state: State = "unknown" if answer is None else answer.value
            if count is not None and at_least is not None:
                state = "yes" if count >= at_least else "no"
            states[f"{room}.{name}"] = state
    return states
