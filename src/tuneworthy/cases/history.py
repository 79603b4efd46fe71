"""Changes of a case: between its stored versions, since a day, and since a dossier."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from tuneworthy.cases.reports import judge_by, read_dossier
from tuneworthy.cases.workspace import MOST_VERSIONS, entries
from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.case import case_from_text, case_path, text_digest
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.files.stores import Version, read_versions
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Difference, Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.pipeline import decide, framework_of, load_case
from tuneworthy.report.sections.difference import ChangedVersion, compare
from tuneworthy.words import day, read_day


class _Now(NamedTuple):
    """A case as its file is now, with the framework and the day to judge it by."""

    case: Case
    path: Path
    framework: Framework
    as_of: date | None

    def judge(self, case: Case) -> Dossier:
        return decide(case, self.framework, as_of=self.as_of)

    def judge_version(self, version: Version) -> Dossier:
        """Judge an earlier version by today's rules and evidence; a CaseError for an invalid one."""
        return self.judge(case_from_text(version.text, self.path))

    def compare(self, before: Dossier, after: Dossier) -> Difference:
        return compare(before, after, judge_by(self.framework))


def _read(source: str | Path, chosen: str | None, as_of: date | None) -> _Now:
    case = load_case(source)
    return _Now(case, case_path(source), framework_of(case, chosen), as_of)


def changes(
    source: str | Path, chosen: str | None = None, as_of: date | None = None
) -> tuple[str, list[ChangedVersion]]:
    """The name of a case, and the changes of each version, the latest first.

    Changes after the last kept version come first, without a day. [] where no version is kept. A
    version that is invalid by today's rules is left out.
    """
    now = _read(source, chosen, as_of)
    changed = []
    # Each version shows what it changed of the one before, which is behind it in this order.
    for later, earlier in pairwise(_judged_versions(now)):
        version = later.version
        changed.append(
            ChangedVersion(
                on=None if version is None else version.at,
                by="" if version is None else version.by,
                difference=now.compare(earlier.dossier, later.dossier),
            )
        )
    return now.case.name, changed


class _JudgedVersion(NamedTuple):
    """A version of a case with its verdict; None for what no version keeps yet."""

    version: Version | None
    dossier: Dossier


def _judged_versions(now: _Now) -> list[_JudgedVersion]:
    """The kept versions that are valid by today's rules, the latest first."""
    versions = list(islice(entries(read_versions(now.case)), MOST_VERSIONS))
    if not versions:
        return []
    judged = []
    newest, *_ = versions
    if newest.digest != text_digest(read_text(now.path, CASE_LIMIT, CaseError)):
        # The file was written by hand since then.
        judged.append(_JudgedVersion(None, now.judge(now.case)))
    for version in versions:
        with suppress(InputError):
            judged.append(_JudgedVersion(version, now.judge_version(version)))
    return judged


def changed_since(
    source: str | Path, since: str, chosen: str | None = None, as_of: date | None = None
) -> tuple[str, Difference]:
    """The changes since a day or since a dossier in a file, with a line that says since when."""
    now = _read(source, chosen, as_of)
    is_file = os.path.lexists(since)  # it never raises, whatever the text
    start = None if is_file else read_day(since)
    if start is None:
        if not is_file and Path(since).suffix != ".json":
            fix = "write 2026-11-24, or name a dossier that was kept"
            raise InputError(
                f'"{since}" is neither a day nor a file', where="--since", fix=fix
            )
        before = read_dossier(Path(since))
        then = f"Since the dossier of {day(before.as_of)}"
    else:
        version = _version_of(read_versions(now.case), start)
        before = now.judge_version(version)
        then = f"Since {day(start)}, from the version of {day(version.at.astimezone().date())}"
    return f"{then}.", now.compare(before, now.judge(now.case))


def _version_of(versions: Sequence[Version], start: date) -> Version:
    """The version that held when a day began; the oldest one where none is that old.

    ``versions`` come in the order in which they were kept.
    """
    if not versions:
        fix = "name a dossier that decide --format json wrote: --since FILE"
        raise InputError(
            "no earlier version of the case is kept", where="--since", fix=fix
        )
    last = versions[0]
    for version in versions:
        if version.at.astimezone().date() < start:
            last = version
    return last
