"""Writes the index of the published cases again; with --check only says whether it is stale.

python evidence/published/index.py            write it if it has changed
python evidence/published/index.py --check    exit code 1 if it would change

It holds what a decision reads of the cases: run it after they have changed, or the words that tell
what a task is about.

A published case is taken to answer what both coders answer alike who saw only its situation. Where
they differ, or one leaves it open, it is open: an answer that two readers can't agree on makes
nobody alike. The coder who knew the outcome is not asked.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from published import (
    CASES,
    ENOUGH_CLUSTERS,
    PublishedArm,
    PublishedCase,
    published_cases,
)

from tuneworthy import CaseError
from tuneworthy.model.precedents import ArmId, BaseRate, Precedent
from tuneworthy.precedents.record import tuning_won
from tuneworthy.precedents.section import ARM_WORDS, INDEX_FILE, described, rate_of
from tuneworthy.stats.clustered import RESAMPLES, cluster_means, percentile_interval
from tuneworthy.syntax.document import parse
from tuneworthy.words import plain

PATH = (
    Path(__file__).resolve().parents[2]
    / "src/tuneworthy/framework/catalogue"
    / INDEX_FILE
)
SUBJECTS = Path(__file__).with_name("subjects.yaml")
KINDS = {"paper": "published papers", "industry": "published reports from practice"}


def vocabulary() -> dict[str, list[str]]:
    """Words and their beginnings to the subjects they tell of."""
    told: dict[str, list[str]] = {}
    subjects = parse(SUBJECTS.read_text("utf-8"), str(SUBJECTS), CaseError).data
    for subject, words in subjects.items():
        for word in words.split():
            told.setdefault(word, []).extend([subject] * bool(subject))
    return told


def precedent_of(
    case: PublishedCase, vocabulary: Mapping[str, Sequence[str]]
) -> Precedent:
    """A case as a decision reads it."""
    first, second = case.coded("blind1"), case.coded("blind2")
    subjects, words = described(f"{case.title}. {case.domain}. {case.task}", vocabulary)
    arms = [
        (name, arm) for name in ARM_WORDS if (arm := getattr(case, name)) is not None
    ]
    return Precedent(
        shown=case.model_dump(include={"id", "title", "winner", "year", "margin"})
        | {
            "source": case.source_url,
            "source_url": address(case.source_url),
            "source_status": case.source_status or "unknown",
            "kind": case.kind or "unknown",
            "goal": case.goal_kind or "unknown",
            "tried": [_tried(name, arm) for name, arm in arms],
        },
        cluster=case.group,
        subjects=sorted(subjects),
        words=sorted(words),
        answers={
            name: state
            for name, state in sorted(first.items())
            if state != "unknown" and second.get(name) == state
        },
        yes=sorted(name for name, state in first.items() if state == "yes"),
    )


_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*")


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
    fields = {key: text for key, text in arm.model_dump().items() if text}
    base = fields.pop("base_model", "")
    return {"arm": name, "model": base, **fields}


def rate(
    cases: Sequence[Precedent],
    of: str = "published cases",
    *,
    rng: np.random.Generator,
    draws: int = RESAMPLES,
) -> BaseRate | None:
    """How often tuning won, ties left out; None without a case.

    Whole clusters are drawn again where there are at least ``ENOUGH_CLUSTERS`` and that gives a
    width; else the interval is Wilson's with cases of one cluster counted together.
    """
    counted = [case for case in cases if case.shown["winner"] != "tie"]
    found = rate_of(counted, of)
    if found is None or found.clusters < ENOUGH_CLUSTERS:
        return found
    won = [(float(tuning_won(case)),) for case in counted]
    means = cluster_means(won, [case.cluster for case in counted], rng=rng, draws=draws)
    ((low, high),) = percentile_interval(means)
    if low == high:
        return found
    ends = {"low": min(low, found.rate), "high": max(high, found.rate)}
    return found.model_copy(update={**ends, "method": "cluster_bootstrap"})


def every_rate(cases: Sequence[Precedent], seed: int = 0) -> dict[str, BaseRate]:
    """The rate of all cases, and of each goal, kind and year.

    Each is drawn with a generator of its own, so that one more case of a goal changes no other.
    """
    parts = {"": ("published cases", list(cases))}
    for what in ("goal", "kind", "year"):
        for value in sorted({case.shown[what] for case in cases} - {None, "unknown"}):
            of = KINDS.get(str(value), f"published cases of {plain(str(value))}")
            parts[f"{what}={value}"] = (
                of,
                [case for case in cases if case.shown[what] == value],
            )
    rates = {
        key: rate(part, of, rng=np.random.default_rng(seed))
        for key, (of, part) in parts.items()
    }
    return {key: found for key, found in rates.items() if found is not None}


def index_text(
    cases: Sequence[Precedent],
    words: Mapping[str, Sequence[str]],
    rates: Mapping[str, BaseRate],
    made_from: str,
) -> str:
    """The file of an index: JSON, one case, word and rate a line, so that changes can be read.

    Args:
        cases: Published cases, in the order they are to stand in.
        words: The vocabulary.
        rates: Rates by key.
        made_from: The text of the file of cases; its SHA-256 is kept.
    """
    digest = hashlib.sha256(made_from.encode("utf-8")).hexdigest()
    counted, told = (
        ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items()
        )
        for table in ({key: rate.model_dump() for key, rate in rates.items()}, words)
    )
    rows = ",\n".join(json.dumps(case._asdict(), ensure_ascii=False) for case in cases)
    return (
        f'{{"made_from": {json.dumps(digest)},\n"rates": {{\n{counted}\n}},\n'
        f'"vocabulary": {{\n{told}\n}},\n"cases": [\n{rows}\n]}}\n'
    )


def made() -> str:
    """The index as it should be."""
    words = vocabulary()
    cases = [precedent_of(case, words) for case in published_cases()]
    return index_text(cases, words, every_rate(cases), CASES.read_text("utf-8"))


def main() -> int:
    """Write, or check, the index."""
    text = made()
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"stale: {INDEX_FILE} (run python evidence/published/index.py)")
        return 1
    PATH.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {INDEX_FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
