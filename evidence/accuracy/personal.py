"""How much of the labelled personal data is found, by kind, and what made data sets show.

    python evidence/accuracy/personal.py ../shared/real

Labels are those of presidio_synth, whose sentences come from templates. Patterns and recogniser
were chosen on the templates with an even number; what the signal goes by is measured on the others.
Intervals of the tables are Wilson's; those of sentences take templates as clusters, because
sentences of one template are alike. Made data sets take faulty requests from those sentences, and
others from the messages of banking77.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tuneworthy.measure.personal import DataSpan, Scanner, persons, spans
from tuneworthy.measure.signals import personal
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.intervals import wilson

Record = dict[str, Any]

TYPE_OF = {
    "email": "EMAIL_ADDRESS",
    "phone": "PHONE_NUMBER",
    "phone_us": "PHONE_NUMBER",
    "phone_national": "PHONE_NUMBER",
    "phone_said": "PHONE_NUMBER",
    "street": "STREET_ADDRESS",
    "street_in_front": "STREET_ADDRESS",
    "street_joined": "STREET_ADDRESS",
    "post_box": "STREET_ADDRESS",
    "ip_address": "IP_ADDRESS",
    "card": "CREDIT_CARD",
    "iban": "IBAN_CODE",
    "us_ssn": "US_SSN",
    "person": "PERSON",
}
PATTERN_TYPES = set(TYPE_OF.values()) - {"PERSON"}
LIMIT = 0.01
DATA_SETS, CONVERSATIONS = 200, 200


def records(folder: Path) -> list[Record]:
    """The labelled sentences of presidio_synth."""
    place = folder / "presidio_synth" / "synth_dataset_v2.json"
    found: list[Record] = json.loads(place.read_text("utf-8"))
    return found


def unseen(record: Record) -> bool:
    """Whether nothing was chosen on the sentence's template."""
    return bool(record["template_id"] % 2)


@cache
def said(text: str) -> tuple[DataSpan, ...]:
    """What patterns and recogniser find in a text."""
    return (*spans(text), *persons(text))


def touches(span: DataSpan, label: Record) -> bool:
    """Whether a span and a label share a character."""
    return bool(
        span.start < label["end_position"] and label["start_position"] < span.end
    )


def recall(cases: Sequence[Record], kind: str) -> str:
    """The share of labels of a type that something of this type touches, and of how many."""
    pairs = [
        (label, said(case["full_text"])) for case in cases for label in case["spans"]
    ]
    return in_table(
        [
            any(
                touches(span, label) for span in found if TYPE_OF.get(span.kind) == kind
            )
            for label, found in pairs
            if label["entity_type"] == kind
        ]
    )


def precision(cases: Sequence[Record], kind: str) -> str:
    """The share of what is found as a type that touches a label of it, and of how many."""
    pairs = [
        (span, case["spans"]) for case in cases for span in said(case["full_text"])
    ]
    return in_table(
        [
            any(
                touches(span, label) for label in labels if label["entity_type"] == kind
            )
            for span, labels in pairs
            if TYPE_OF.get(span.kind) == kind
        ]
    )


def in_table(hits: Sequence[bool]) -> str:
    """A share with Wilson's interval, and of how many."""
    if not hits:
        return "– | 0"
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.3f} ({low:.3f} to {high:.3f}) | {len(hits)}"


def errors(cases: Sequence[Record]) -> dict[str, Estimate]:
    """The constants of the signal by their names: what is found, and what is left alone."""
    kept = [case for case in cases if unseen(case)]
    texts = [case["full_text"] for case in kept]
    where = np.array([case["template_id"] for case in kept])
    found = {}
    for name, types, flags in (
        ("PATTERNS", PATTERN_TYPES, by_patterns),
        ("NAMES", {"PERSON"}, by_recogniser),
    ):
        flagged = np.array(flags(texts))
        real = np.array([holds(case, types) for case in kept])
        for key, part, hits in (("FIND", real, flagged), ("SPARE", ~real, ~flagged)):
            # Where nothing differs there is no variance over templates to be had.
            alike = bool(hits[part].all())
            estimate = share(
                hits[part], np.arange(part.sum()) if alike else where[part]
            )
            assert estimate is not None  # there are sentences of both sorts
            found[f"{name}_{key}"] = estimate
    return found


def holds(case: Record, types: set[str]) -> bool:
    """Whether a sentence has a label of some types."""
    return any(label["entity_type"] in types for label in case["spans"])


def by_patterns(texts: Sequence[str]) -> Sequence[bool]:
    """Which texts a pattern finds something in."""
    found: Sequence[bool] = (Scanner().bits(texts) != 0).tolist()
    return found


def by_recogniser(texts: Sequence[str]) -> Sequence[bool]:
    """Which texts name somebody."""
    return [bool(persons(text)) for text in texts]


def clean_messages(folder: Path) -> list[str]:
    """Messages in which nothing personal is: those of banking77."""
    found: list[str] = []
    for name in ("train", "test"):
        with (folder / "banking77" / f"{name}.csv").open(
            encoding="utf-8", newline=""
        ) as file:
            found += [row["text"] for row in csv.DictReader(file)]
    return found


def fires(
    planted: float,
    clean: Sequence[bool],
    faulty: Sequence[bool],
    draw: np.random.Generator,
) -> bool:
    """Whether a made data set is told to be over the limit.

    Conversations have one to six requests. Faults come in clusters: of the conversations that are
    chosen, seven requests in ten carry one.
    """
    turns = draw.integers(1, 7, CONVERSATIONS)
    where = np.repeat(np.arange(CONVERSATIONS), turns)
    chosen = draw.random(CONVERSATIONS) < planted / 0.7
    bad = chosen[where] & (draw.random(len(where)) < 0.7)
    flags = np.where(
        bad, draw.choice(faulty, len(where)), draw.choice(clean, len(where))
    )
    seen = share(flags, where)
    assert seen is not None  # every conversation has a request
    return (
        personal.widened(seen, personal.PATTERNS_FIND, personal.PATTERNS_SPARE).low
        > LIMIT
    )


def main() -> None:
    """Print the tables of docs/evidence/accuracy.md."""
    folder = Path(sys.argv[1])
    cases, clean = records(folder), clean_messages(folder)
    kept = [case for case in cases if unseen(case)]
    for name, part in {"all": cases, "templates not chosen on": kept}.items():
        print(f"\n{name}: {len(part)} sentences\n")
        print("| type | recall | labels | precision | found |\n|---|---|---:|---|---:|")
        for kind in dict.fromkeys(TYPE_OF.values()):
            print(f"| {kind} | {recall(part, kind)} | {precision(part, kind)} |")
    unlooked = {label["entity_type"] for case in cases for label in case["spans"]}
    print("\nnot looked for:", ", ".join(sorted(unlooked - set(TYPE_OF.values()))))
    print("\nsentences, of the templates not chosen on")
    for key, each in errors(cases).items():
        print(
            f"  {key}: {each.value:.4f} ({each.low:.4f} to {each.high:.4f}), "
            f"n {each.n}, clusters {each.clusters}"
        )
    spared = by_patterns(clean)
    print(f"messages of banking77 that are flagged: {sum(spared)} of {len(spared)}")
    faulty = by_patterns(
        [case["full_text"] for case in kept if holds(case, PATTERN_TYPES)]
    )
    draw = np.random.default_rng(4)
    print(
        f"\n{DATA_SETS} made data sets of {CONVERSATIONS} conversations: share over the limit"
    )
    for planted in (0.0, 0.01, 0.05, 0.2):
        over = (
            sum(fires(planted, spared, faulty, draw) for _ in range(DATA_SETS))
            / DATA_SETS
        )
        print(f"  {planted:.0%} planted: {over:.3f}")


if __name__ == "__main__":
    main()
