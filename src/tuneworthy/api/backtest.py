"""How often a framework was right about published cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuneworthy.api.road import load_framework
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.precedent import Backtest, Codes
from tuneworthy.files.disk import CASES_LIMIT, read_text
from tuneworthy.precedent import backtest as room
from tuneworthy.precedent.cases import read_cases, shipped_cases
from tuneworthy.report import backtest as report
from tuneworthy.syntax.yaml import parse


def backtest(
    file: str | None = None, framework: str = "lesson", *, codes: Codes = "value", seed: int = 0
) -> Backtest:
    """Run a framework over published cases.

    Args:
        file: Cases of one's own; the shipped ones when not given.
        framework: A name or a file.
        codes: Whose answers to the factors count.
        seed: For the intervals, which are resampled by cluster.

    Raises:
        InputError: If the cases or the framework can't be read.
    """
    cases = shipped_cases()
    if file is not None:
        text = read_text(Path(file), CASES_LIMIT, CaseError)
        cases = read_cases(parse(text, file, CaseError))
    rng = np.random.default_rng(seed)
    return room.backtest(cases, load_framework(framework), codes=codes, rng=rng)


def backtest_text(found: Backtest, form: str, *, seed: int) -> str:
    """A backtest as ``text`` or ``markdown``."""
    return (
        report.markdown(found, seed=seed) if form == "markdown" else report.text(found, seed=seed)
    )


def backtest_dict(found: Backtest, *, seed: int) -> dict[str, Any]:
    """A backtest as plain data."""
    return report.to_dict(found, seed=seed)
