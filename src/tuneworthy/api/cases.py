"""Other answers: as a what-if, or written into the case file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tuneworthy.api.road import decide, framework_of, load_case
from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Framework
from tuneworthy.files.case import missing_entries, read_case
from tuneworthy.files.edit import write_answers
from tuneworthy.syntax.build import did_you_mean


def judge(
    source: str | Path,
    chosen: str | None = None,
    *,
    answers: Mapping[str, str] | None = None,
    as_of: date | None = None,
    seed: int = 0,
    quick: bool = False,
) -> Dossier:
    """Read a case, put other answers in, and decide it by the framework that applies.

    Raises:
        InputError: If the case, the framework or an answer is wrong.
    """
    case = load_case(source)
    framework = framework_of(case, chosen)
    if answers:
        case = with_answers(case, framework, answers)
    return decide(case, framework, as_of=as_of, seed=seed, quick=quick)


def write(source: str | Path, answers: Mapping[str, str], chosen: str | None = None) -> Dossier:
    """Write answers into a case file and decide what it says now.

    Nothing is written if the answers don't make a case that the framework can judge.

    Raises:
        InputError: If the case, the framework or an answer is wrong.
    """
    case = load_case(source)
    framework = framework_of(case, chosen)
    draft = with_answers(case, framework, answers)
    for entry in missing_entries(draft):
        if entry in answers:
            raise CaseError(
                f"{entry} names a file that isn't there", where=f"{entry}={answers[entry]}",
                fix="write a count, or the path of a file beside the case",
            )  # fmt: skip
    decide(draft, framework)
    places = {answer_path(name, framework): value for name, value in answers.items()}
    return decide(write_answers(source, places), framework)


def with_answers(case: Case, framework: Framework, answers: Mapping[str, str]) -> Case:
    """The case with other answers, for a what-if; nothing is written.

    Args:
        case: The case.
        framework: Says what a bare name is: a check, a factor or a signal.
        answers: Name or dotted path to the new value.

    Raises:
        CaseError: If a name isn't known or the result isn't a case.
    """
    data = case.model_dump(mode="json", exclude_defaults=True)
    for name, value in answers.items():
        _place(data, answer_path(name, framework), value)
    try:
        changed = read_case(data)
    except CaseError as caught:
        said = " ".join(f"{name}={value}" for name, value in answers.items())
        raise CaseError(caught.what, where=said, fix=caught.fix) from None
    supposed = frozenset(".".join(answer_path(name, framework)) for name in answers)
    return changed.placed(lambda path: f"--set {_named(path, answers)}", case.folder, supposed)


def answer_path(name: str, framework: Framework) -> tuple[str, ...]:
    """Where in a case an answer stands.

    Raises:
        CaseError: If a name without dots is nothing the framework asks.
    """
    if "." in name:
        return tuple(name.split("."))
    for room, asked in (
        ("ceiling", framework.ceiling),
        ("factors", framework.factors),
        ("signals", framework.signals),
    ):
        if name in asked:
            return room, name
    if name in Case.model_fields:
        return (name,)
    known = [*framework.ceiling, *framework.factors, *framework.signals]
    raise CaseError(
        f'"{name}" is nothing the {framework.name} framework asks', fix=did_you_mean(name, known)
    )


def _place(data: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    here = data
    for key in path[:-1]:
        below = here.get(key)
        if not isinstance(below, dict):
            below = here[key] = {}
        here = below
    here[path[-1]] = value


def _named(path: tuple[str | int, ...], answers: Mapping[str, str]) -> str:
    dotted = ".".join(map(str, path))
    return next((name for name in answers if dotted.endswith(name)), dotted)
