"""How often a framework was right about published cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneworthy.api.road import load_framework
from tuneworthy.domain.canonical import digest
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.fitted import FittedOn
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.history import Fitted, Gap
from tuneworthy.domain.precedent import Backtest, Codes, PublishedCase
from tuneworthy.files.disk import CASES_LIMIT, read_text
from tuneworthy.precedent import backtest as room
from tuneworthy.precedent import judge
from tuneworthy.precedent.cases import read_cases, shipped_cases
from tuneworthy.report import backtest as report
from tuneworthy.report import history as words
from tuneworthy.syntax.yaml import parse


@dataclass(frozen=True, slots=True)
class History:
    """What a backtest came to."""

    backtest: Backtest | None = None
    """The record of the rules; None where the framework was fitted to these very cases."""
    fitted: Fitted | None = None
    """What is told instead then."""
    left_out: tuple[str, ...] = ()
    """Ids of cases that a framework was fitted to, and which therefore don't count."""
    gap: Gap | None = None
    """The comparison with another framework, where one was asked for."""


def backtest(
    file: str | None = None, framework: str = "lesson", *, codes: Codes = "value", seed: int = 0
) -> Backtest:
    """Run a framework over published cases, whether or not it was fitted to them.

    Args:
        file: Cases of one's own; the shipped ones when not given.
        framework: A name or a file.
        codes: Whose answers to the factors count.
        seed: For the intervals, which are resampled by cluster.

    Raises:
        InputError: If the cases or the framework can't be read.
    """
    rng = np.random.default_rng(seed)
    return room.backtest(_cases(file), load_framework(framework), codes=codes, rng=rng)


def history(
    file: str | None = None,
    framework: str = "lesson",
    *,
    against: str | None = None,
    codes: Codes = "value",
    seed: int = 0,
) -> History:
    """Run a framework over the cases that it wasn't fitted to, beside another if asked.

    Args:
        file: Cases of one's own; the shipped ones when not given.
        framework: A name or a file.
        against: Another framework to compare with, by name or file.
        codes: Whose answers to the factors count.
        seed: For the intervals, which are resampled by cluster.

    Raises:
        CaseError: If the cases can't be read, or the two can't be compared fairly on any.
        FrameworkError: If a framework can't be read.
    """
    cases, mine = _cases(file), load_framework(framework)
    other = load_framework(against) if against is not None else None
    if other is not None and digest(other) == digest(mine):
        fix = "name another with --against"
        raise CaseError("is compared with itself", where=str(against), fix=fix)
    seen = _seen(cases, mine, other)
    kept = tuple(case for case in cases if case.id not in seen)
    if not any(case.winner != "tie" for case in kept) and seen:
        if other is not None or mine.fitted_on is None:
            raise CaseError(
                "holds what one of the two was fitted to, so a comparison on it is unfair",
                where=file or "the file of shipped cases",
                fix="give cases of your own with --cases FILE",
            )
        return History(fitted=_fitted(mine, mine.fitted_on))
    rng = np.random.default_rng(seed)
    return History(
        backtest=room.backtest(kept, mine, codes=codes, rng=rng),
        left_out=tuple(sorted(seen)),
        gap=None if other is None else judge.gap(kept, mine, other, codes=codes, rng=rng),
    )


def _cases(file: str | None) -> tuple[PublishedCase, ...]:
    if file is None:
        return shipped_cases()
    text = read_text(Path(file), CASES_LIMIT, CaseError)
    return read_cases(parse(text, file, CaseError))


def _seen(
    cases: tuple[PublishedCase, ...], mine: Framework, other: Framework | None
) -> frozenset[str]:
    """Cases that one of the frameworks was fitted to: the shipped ones, wherever they stand."""
    if mine.fitted_on is None and (other is None or other.fitted_on is None):
        return frozenset()
    shipped = {case.id for case in shipped_cases()}
    return frozenset(case.id for case in cases if case.id in shipped)


def _fitted(framework: Framework, source: FittedOn) -> Fitted:
    return Fitted(
        framework=framework.name,
        dated=source.dated,
        cases=source.cases,
        clusters=source.clusters,
    )


def history_text(found: History, form: str, *, seed: int) -> str:
    """A backtest as ``text`` or ``markdown``."""
    if found.fitted is not None:
        return words.fitted(found.fitted, form)
    assert found.backtest is not None  # it is one or the other
    base = backtest_text(found.backtest, form, seed=seed)
    return base + words.more(found.left_out, found.gap, form)


def history_dict(found: History, *, seed: int) -> dict[str, Any]:
    """A backtest as plain data: ``fitted`` instead of everything else where that is what is told.

    ``left_out`` and ``against`` are there where they say something.
    """
    if found.fitted is not None:
        told = found.fitted.model_dump(mode="json")
        return {"schema": report.SCHEMA, "seed": seed, "fitted": told}
    assert found.backtest is not None  # it is one or the other
    data = report.to_dict(found.backtest, seed=seed)
    if found.left_out:
        data["left_out"] = list(found.left_out)
    if found.gap is not None:
        data["against"] = found.gap.model_dump(mode="json")
    return data


def backtest_text(found: Backtest, form: str, *, seed: int) -> str:
    """The record of the rules as ``text`` or ``markdown``."""
    return (
        report.markdown(found, seed=seed) if form == "markdown" else report.text(found, seed=seed)
    )
