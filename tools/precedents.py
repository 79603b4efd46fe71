"""Writes the index of the published cases again; with --check only says whether it is stale.

python tools/precedents.py            write it if it has changed
python tools/precedents.py --check    exit code 1 if it would change

It holds what a decision reads of the cases: run it after they have changed.

A published case is taken to answer what both coders answer alike who saw only its situation. Where
they differ, or one leaves it open, it is open: an answer that two readers can't agree on makes
nobody alike. The coder who knew the outcome is not asked.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import State
from tuneworthy.model.precedents import ArmId, Method, Precedent, PublishedArm, PublishedCase
from tuneworthy.precedents.backtest import ENOUGH_CLUSTERS
from tuneworthy.precedents.section import (
    CASES_FILE,
    INDEX_FILE,
    LONGEST_PATTERN,
    goal_key,
    pattern_key,
    shipped_cases,
)
from tuneworthy.stats.clustered import (
    RESAMPLES,
    cluster_means,
    independent_cases,
    percentile_interval,
)
from tuneworthy.stats.intervals import wilson

PATH = Path(__file__).resolve().parents[1] / "src/tuneworthy/framework/catalogue" / INDEX_FILE

SEPARATING = (
    "house_convention",
    "narrow_task",
    "consistent_behavior",
    "knowledge_facts",
    "open_ended_chat",
    "low_volume",
    "constraint_gap",
)
"""Questions whose answers part won from lost in the published cases (docs/concepts)."""


class Rate(NamedTuple):
    """How often tuning won, with its 95% interval."""

    n: int
    won: int
    clusters: int
    low: float
    high: float
    method: Method


_ARMS: tuple[ArmId, ...] = ("baseline", "best_prompt", "other_model", "rag", "fine_tuned")
_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*")


def precedent_of(case: PublishedCase) -> Precedent:
    """A published case with the answers both blind coders give."""
    first, second = case.coded("blind1"), case.coded("blind2")
    arms = [(name, getattr(case, name)) for name in _ARMS]
    return Precedent(
        id=case.id,
        title=case.title,
        year=case.year,
        kind=case.kind or "unknown",
        cluster=case.group,
        goal=case.goal_kind or "unknown",
        winner=case.winner,
        margin=case.margin,
        source=case.source_url,
        source_url=address(case.source_url),
        source_status=case.source_status or "unknown",
        tried=tuple(_tried(name, arm) for name, arm in arms if arm is not None),
        answers={
            name: state
            for name, state in sorted(first.items())
            if state != "unknown" and second.get(name) == state
        },
        won=case.tuning_won,
    )


def address(source: str) -> str:
    """The first web address in a source, without the punctuation behind it; empty for none.

    Only plain characters count, so that no address carries markup, quotes or signs that hide.
    """
    match = _URL.search(source)
    url = match[0].rstrip(".,;:!?*") if match else ""
    while url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(".,;:!?*")
    return url


def _tried(name: ArmId, arm: PublishedArm) -> dict[str, str]:
    texts = {
        "arm": name,
        "approach": arm.approach,
        "model": arm.model or arm.base_model,
        "train_examples": arm.train_examples,
        "metric": arm.metric,
        "value": arm.value,
    }
    return {key: text for key, text in texts.items() if text}


# How often tuning won: in all published cases, for a goal, and for a pattern of answers.


def rate(
    cases: Sequence[Precedent], *, rng: np.random.Generator, draws: int = RESAMPLES
) -> Rate | None:
    """How often tuning won, ties left out; None without a case.

    Whole clusters are drawn again where there are at least ``ENOUGH_CLUSTERS`` and that gives a
    width; else the interval is Wilson's with cases of one cluster counted together.
    """
    counted = [case for case in cases if case.winner != "tie"]
    if not counted:
        return None
    won = [float(case.won) for case in counted]
    clusters = [case.cluster for case in counted]
    n, wins, papers = len(counted), int(sum(won)), len(set(clusters))
    if papers >= ENOUGH_CLUSTERS:
        means = cluster_means([(each,) for each in won], clusters, rng=rng, draws=draws)
        ((low, high),) = percentile_interval(means)
        if low < high:
            share = wins / n
            low, high = min(low, share), max(high, share)
            return Rate(n, wins, papers, low, high, "cluster_bootstrap")
    worth = independent_cases(clusters)
    low, high = wilson(wins / n * worth, worth)
    return Rate(n, wins, papers, low, high, "wilson_by_cluster")


def every_rate(cases: Sequence[Precedent], seed: int = 0) -> dict[str, Rate]:
    """The rate of all cases, of each goal and of each pattern that some case has.

    Each is drawn with a generator of its own, so that one more case of a goal changes no other.
    """
    parts: dict[str, Sequence[Precedent]] = {"": cases}
    for goal in sorted({case.goal for case in cases}):
        parts[goal_key(goal)] = [case for case in cases if case.goal == goal]
    for pattern in _patterns():
        parts[pattern_key(pattern)] = [case for case in cases if _has(case, pattern)]
    rates = {key: rate(part, rng=np.random.default_rng(seed)) for key, part in parts.items()}
    return {key: counted for key, counted in rates.items() if counted is not None}


def _patterns() -> Iterator[dict[str, State]]:
    answers: tuple[State, State] = ("yes", "no")
    for size in range(1, LONGEST_PATTERN + 1):
        for names in combinations(SEPARATING, size):
            for states in product(answers, repeat=size):
                yield dict(zip(names, states, strict=True))


def _has(case: Precedent, pattern: Mapping[str, State]) -> bool:
    return all(case.answers.get(name) == state for name, state in pattern.items())


def most_informative(cases: Sequence[Precedent]) -> tuple[str, ...]:
    """The separating questions, the one that tells most about the winner first.

    That is the information about won or lost, in bits over all cases, so that a question few cases
    answer tells little; equals in order of their ids.
    """
    counted = [case for case in cases if case.winner != "tie"]
    bits = {name: _information(name, counted) for name in SEPARATING}
    return tuple(sorted(bits, key=lambda name: (-round(bits[name], 9), name)))


def _information(name: str, cases: Sequence[Precedent]) -> float:
    """Mutual information of answer and outcome where it is answered, times the share answered."""
    cells = Counter((case.answers[name], case.won) for case in cases if name in case.answers)
    n = sum(cells.values())
    if not n:
        return 0.0
    rows, columns = Counter[str](), Counter[bool]()
    for (answer, won), count in cells.items():
        rows[answer] += count
        columns[won] += count
    bits = math.fsum(
        count / n * math.log2(count * n / (rows[answer] * columns[won]))
        for (answer, won), count in sorted(cells.items())
    )
    return bits * n / len(cases)


# The file.


def index_text(
    cases: Sequence[Precedent],
    questions: Sequence[str],
    rates: Mapping[str, Rate],
    made_from: str,
) -> str:
    """The file of an index: JSON, one case and one rate a line, so that a difference can be read.

    Args:
        cases: Published cases, in the order they are to stand in.
        questions: Questions of patterns in order.
        rates: Rates by key.
        made_from: The text of the file of cases; its SHA-256 is kept.
    """
    digest = hashlib.sha256(made_from.encode("utf-8")).hexdigest()
    counted = ",\n".join(f"{json.dumps(key)}: {json.dumps(rate)}" for key, rate in rates.items())
    rows = ",\n".join(json.dumps(asdict(case), ensure_ascii=False) for case in cases)
    return (
        f'{{"made_from": {json.dumps(digest)},\n"questions": {json.dumps(list(questions))},\n'
        f'"rates": {{\n{counted}\n}},\n"cases": [\n{rows}\n]}}\n'
    )


def made() -> str:
    """The index as it should be."""
    cases = [precedent_of(case) for case in shipped_cases()]
    questions, rates = most_informative(cases), every_rate(cases)
    return index_text(cases, questions, rates, catalogue_text(CASES_FILE))


def main() -> int:
    """Write, or check, the index."""
    text = made()
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"stale: {INDEX_FILE} (run python tools/precedents.py)")
        return 1
    PATH.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {INDEX_FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
