"""How well the recogniser tells people from products, on messages of our own.

    python evidence/accuracy/people.py

``people.txt`` holds the messages. What was chosen on every other one is measured on the others; a
finding counts for a label if they share a character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tuneworthy.measure.personal import persons
from tuneworthy.stats.intervals import wilson


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
    return [
        _read(line.replace("\\n", "\n")) for line in lines if line and line[0] != "#"
    ]


def _read(line: str) -> Message:
    people, text = [], ""
    for part in re.split("(«[^»]*»)", line):
        name = part.strip("«»")
        if part != name:
            people.append((len(text), len(text) + len(name)))
        text += name
    return Message(text, tuple(people))


def counts(some: Sequence[Message]) -> Counts:
    """What the recogniser finds of the people in some messages."""
    labels = found = spans = right = 0
    for message in some:
        seen = [(span.start, span.end) for span in persons(message.text)]
        labels += len(message.people)
        found += sum(
            any(_touch(each, label) for each in seen) for label in message.people
        )
        spans += len(seen)
        right += sum(
            any(_touch(each, label) for label in message.people) for each in seen
        )
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
    print(
        "| messages | people found | people | right | found |\n|---|---|---:|---|---:|"
    )
    for name, part in (("not chosen on", every[1::2]), ("all", every)):
        each = counts(part)
        recall, precision = (
            rate(each.found_labels, each.labels),
            rate(each.right_spans, each.spans),
        )
        print(f"| {name} | {recall} | {precision} |")


if __name__ == "__main__":
    main()
