"""What a case said before: versions written from the page, and dossiers of another day."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from tuneworthy.api.reports import parse_dossier
from tuneworthy.api.road import decide, verdicts
from tuneworthy.api.stated import stated
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.difference import Difference
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import State
from tuneworthy.files.case import case_from_text, case_path
from tuneworthy.files.edit import text_digest
from tuneworthy.files.history import Version, add_versions, read_versions
from tuneworthy.framework.rules import compile_rules
from tuneworthy.report.difference import compare
from tuneworthy.verdict.gates import choose_action
from tuneworthy.verdict.robustness import verdict_of

MOST_SHOWN = 30
_MOST_LETTERS = 60_000


@dataclass(frozen=True, slots=True)
class Earlier:
    """A version of a case, and the verdict it has by today's rules and evidence."""

    at: datetime
    digest: str
    verdict: Verdict | None
    """None where the version is no case any more, by this framework."""
    said: Mapping[str, State]
    """What it says to each question; empty where it is no case any more."""


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since a version."""

    difference: Difference
    lines: tuple[str, ...]
    """The change of the file, line by line; empty where it is too long to compare."""


def remember(case: Case, texts: tuple[str, ...], at: datetime | None = None) -> None:
    """Keep versions of a case file that aren't the last one kept.

    It is a help and no part of an answer: where it can't be kept, nothing else fails.

    Args:
        case: The case.
        texts: Of its file, the older first.
        at: When; now when not given.
    """
    with suppress(InputError):
        kept = read_versions(case)
        last = kept[-1].digest if kept else ""
        new = []
        for text in texts:
            digest = text_digest(text)
            if digest != last:
                new.append(Version(at=at or datetime.now(UTC), digest=digest, text=text))
                last = digest
        add_versions(case, new)


def earlier(case: Case, framework: Framework) -> tuple[Earlier, ...]:
    """The versions of a case, the newest first; () where none is kept.

    Raises:
        CaseError: If what is kept can't be read.
    """
    return tuple(
        _earlier(version, case, framework)
        for version in reversed(read_versions(case)[-MOST_SHOWN:])
    )


def _earlier(version: Version, case: Case, framework: Framework) -> Earlier:
    try:
        then = _case(version, case)
        found = verdicts([then], framework)[0].outcome
        return Earlier(version.at, version.digest, found, stated(then, framework))
    except InputError:
        return Earlier(version.at, version.digest, None, {})


def _case(version: Version, case: Case) -> Case:
    assert case.folder is not None  # only a case in a folder has versions
    return case_from_text(version.text, case_path(case.folder))


def since(case: Case, framework: Framework, now: Dossier, text: str, digest: str) -> Since:
    """What changed since a version, judged by the same rules as today.

    Args:
        case: The case.
        framework: The framework that judges both.
        now: Its dossier.
        text: Of the case file.
        digest: Of the version.

    Raises:
        CaseError: If there is no such version, or it is no case any more.
    """
    found = [version for version in read_versions(case) if version.digest == digest]
    if not found:
        raise CaseError("that version is not kept", fix="choose one from the list")
    then = decide(_case(found[-1], case), framework, as_of=now.as_of)
    return Since(_compared(then, now, framework), _lines(found[-1].text, text))


def since_dossier(raw: str, now: Dossier, framework: Framework) -> Difference:
    """What changed since a dossier that somebody kept.

    Raises:
        DossierError: If it is none.
    """
    return _compared(parse_dossier(raw, "the file"), now, framework)


def _compared(then: Dossier, now: Dossier, framework: Framework) -> Difference:
    rules = compile_rules(framework)

    def judge(states: Mapping[str, State]) -> Verdict:
        return verdict_of(rules, states)

    return compare(then, now, judge, choose_action)


def _lines(before: str, after: str) -> tuple[str, ...]:
    """The lines that changed, with a sign before each and some that didn't around them."""
    if len(before) + len(after) > _MOST_LETTERS:
        return ()
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return tuple(line for line in list(found)[2:] if not line.startswith("@@"))
