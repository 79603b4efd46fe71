"""How well the recogniser tells people from products, on messages of our own.

    python evidence/accuracy/people.py

``people.txt`` holds the messages. What was chosen on every other line is measured on the others; a
finding counts for a label if they share a character. With the names of products stated, as a case
does it by ``data.personal.words``, the second row says what is left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tuneworthy.measure.hiding import Masker
from tuneworthy.measure.personal import persons
from tuneworthy.model.case import PersonalPolicy
from tuneworthy.stats.intervals import wilson

PRODUCTS = (
    "Alta rain jacket, Alta jacket, Victoria sponge, Victoria station, Jasper wood stove, "
    "Jasper 5, "
    "Chelsea boots, Paris bistro table, Paris office, Ruby gem, Ruby release, Jordan sneakers, "
    "Carmen curlers, Carmen 800, Bailey bridge, Scarlett microphone, Max plan, Madison desk, "
    "Austin warehouse, Austin branch, Georgia peaches, Harper chair, Harper Collins, Sydney sofa, "
    "Brooklyn lamp, Logan backpack, Savannah rug, Denver mattress, Bella mixer, Bella 2, "
    "Oscar dishwasher, Oscar night, Luna lamps, Luna lamp, Stella stroller, Stella beer, Leo plan, "
    "Iris scanner, Nova kettle, Nova teapot, Mark printer, Mark II, Rosemary focaccia, Lily soap"
)


class Message(NamedTuple):
    """A message with the places of the people in it."""

    text: str
    people: tuple[tuple[int, int], ...]


class Counts(NamedTuple):
    """What was found of what is there."""

    labels: int
    found_labels: int
    spans: int
    right_spans: int


def messages() -> list[Message]:
    """The messages of ``people.txt``, in their order."""
    lines = (Path(__file__).parent / "people.txt").read_text("utf-8").splitlines()
    return [_read(line.replace("\\n", "\n")) for line in lines if line and line[0] != "#"]


def _read(line: str) -> Message:
    people, text = [], ""
    for part in re.split("(«[^»]*»)", line):
        name = part.strip("«»")
        if part != name:
            people.append((len(text), len(text) + len(name)))
        text += name
    return Message(text, tuple(people))


def counts(some: Sequence[Message], policy: PersonalPolicy | None = None) -> Counts:
    """What the recogniser finds, but for what a policy calls no personal data."""
    labels = found = spans = right = 0
    for message in some:
        spare = Masker(policy)
        seen = [
            (span.start, span.end)
            for span in persons(message.text)
            if not spare.expects(span, message.text)
        ]
        labels += len(message.people)
        found += sum(any(_touch(each, label) for each in seen) for label in message.people)
        spans += len(seen)
        right += sum(any(_touch(each, label) for label in message.people) for each in seen)
    return Counts(labels, found, spans, right)


def _touch(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def rate(hits: int, of: int) -> str:
    """A share with Wilson's interval, and of how many."""
    low, high = wilson(hits, of)
    return f"{hits / of:.3f} ({low:.3f} to {high:.3f}) | {of}"


def main() -> None:
    """Print the table of docs/evidence/accuracy.md."""
    every = messages()
    stated = PersonalPolicy(words=tuple(word.strip() for word in PRODUCTS.split(",")))
    print("| messages | people found | people | right | found |\n|---|---|---:|---|---:|")
    for name, part, policy in (
        ("not chosen on", every[1::2], None),
        ("not chosen on, products stated", every[1::2], stated),
        ("all", every, None),
    ):
        each = counts(part, policy)
        recall, precision = rate(each.found_labels, each.labels), rate(each.right_spans, each.spans)
        print(f"| {name} | {recall} | {precision} |")


if __name__ == "__main__":
    main()
