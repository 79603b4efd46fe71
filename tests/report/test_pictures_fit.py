"""Every picture of every gallery case can be read: labels inside, ticks apart, no two alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from tuneworthy import Dossier, decide, load_case
from tuneworthy.pipeline import framework_of
from tuneworthy.report import charts as report_charts
from tuneworthy.report import document as report_document

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CASES = sorted(path.parent.name for path in EXAMPLES.glob("*/case.yaml"))
WIDEST_LETTER, TALLEST = 0.53, 0.75
"""Of the size of the font: what a letter takes on average in a label at most, and its height
above the line."""


class Label(NamedTuple):
    """A text of a picture, where it is drawn."""

    text: str
    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: Label) -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 1
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 1
        )


def dossier_of(name: str) -> Dossier:
    case = load_case(EXAMPLES / name)
    return decide(case, framework_of(case), as_of=date(2026, 11, 24))


def moved(element: ET.Element) -> tuple[float, float]:
    found = re.search(
        r"translate\(([-\d.]+),? ?([-\d.]+)?\)", element.get("transform", "")
    )
    return (float(found[1]), float(found[2] or 0)) if found else (0.0, 0.0)


def labels(element: ET.Element, x: float = 0.0, y: float = 0.0) -> Iterator[Label]:
    """Every line of text, at a careful guess of its width."""
    dx, dy = moved(element)
    x, y = x + dx, y + dy
    if element.tag == "text":
        size = float(element.get("font-size", "11px").removesuffix("px"))
        lines = [span for span in element if span.text] or [element]
        at = y
        for line in lines:
            at += float(line.get("dy", 0)) if line is not element else 0.0
            wide = WIDEST_LETTER * size * len(line.text or "")
            anchor = element.get("text-anchor", "start")
            left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
            if line.text and line.text.strip():
                yield Label(line.text, left, left + wide, at - TALLEST * size, at)
    for child in element:
        yield from labels(child, x, y)


def checked(svg: str) -> list[str]:
    """What can't be read in a picture."""
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    found, wrong = list(labels(root)), []
    for label in found:
        if (
            label.left < -1
            or label.right > width + 1
            or label.top < -1
            or label.bottom > height + 1
        ):
            wrong.append(f"{label.text!r} is outside")
        if "…" in label.text:
            wrong.append(f"{label.text!r} is cut")
    for n, label in enumerate(found):
        wrong += [
            f"{label.text!r} covers {other.text!r}"
            for other in found[n + 1 :]
            if label.overlaps(other)
        ]
    rows: dict[float, list[str]] = defaultdict(list)
    for label in found:
        rows[round(label.bottom)].append(label.text)
    wrong += [
        f"{texts} has one twice"
        for texts in rows.values()
        if len(set(texts)) < len(texts)
    ]
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_labels_are_inside_and_no_tick_is_said_twice(name: str) -> None:
    found = {
        f"{each}, {width}": checked(picture.drawing.svg(width))
        for each, picture in report_document.pictures(dossier_of(name)).items()
        for width in (report_charts.WIDE, report_charts.NARROW)
    }
    assert {picture: wrong for picture, wrong in found.items() if wrong} == {}


def test_the_check_sees_a_label_that_is_cut_off_or_covered() -> None:
    text = (
        '<text text-anchor="{}" font-size="13px" transform="translate({},20)">{}</text>'
    )
    picture = '<svg viewBox="0 0 100 50">{}</svg>'
    assert checked(picture.format(text.format("start", 10, "$1,000"))) == []
    assert checked(picture.format(text.format("start", 80, "$1,000"))) != []
    two = text.format("middle", 40, "9 Dec") + text.format("middle", 60, "11 Dec")
    assert len(checked(picture.format(two))) == 1
    twice = text.format("start", 0, "2") + text.format("start", 50, "2")
    assert len(checked(picture.format(twice))) == 1
