"""Odd lines, marked one by one, so that a person can look at them.

An odd line needn't be wrong. A team may teach a model to decline, to write long answers, or to
resist an attack. So an odd line stays in the set unless the user says otherwise, and one that a
person accepted isn't marked again.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from tuneworthy.measure.sample import languages
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.training import TrainingExample

ODDITIES = ("refused", "too_long", "other_language", "injected")
"""Oddities that mark a line, in the order in which they are shown."""

#: An answer is far too long from so many times as long as nine in ten others,
TIMES = 8
LONG = 400  #: and from so many characters.
MOSTLY = 0.8  #: Share of answers in one language from which the others are odd.
LETTERS = 40  #: Letters of an answer whose language is looked at.
FEWEST = 20  #: Answers from which on one can be odd by length or language.


def name_odd_lines(examples: Sequence[TrainingExample]) -> list[set[str]]:
    """Name the oddities of each example; an empty set for most."""
    odd: list[set[str]] = [set() for _ in examples]
    answers = [example.answer.content for example in examples]
    for place, answer in enumerate(answers):
        if refuses(answer):
            odd[place].add("refused")
    for place in _too_long(answers):
        odd[place].add("too_long")
    for place in _in_another_language(answers):
        odd[place].add("other_language")
    for place, example in enumerate(examples):
        # the system's message is the user's own, and may quote an attack
        texts = [turn.content for turn in example.messages if turn.role != "system"]
        if any(_injection().search(text) for text in texts):
            odd[place].add("injected")
    return odd


def _too_long(answers: Sequence[str]) -> list[int]:
    """Places of answers that are many times as long as nine in ten of all."""
    lengths = np.array([len(answer) for answer in answers])
    if len(lengths) < FEWEST:
        return []
    limit = max(LONG, TIMES * float(np.percentile(lengths, 90)))
    return [int(place) for place in np.flatnonzero(lengths > limit)]


def _in_another_language(answers: Sequence[str]) -> list[int]:
    """Places of answers in another language than most; none without a majority language."""
    # a short answer, such as a label, doesn't show its language
    places = [place for place, text in enumerate(answers) if _letters(text) >= LETTERS]
    # without the extra for languages there are no codes
    codes = languages([answers[place] for place in places]) or []
    counts = Counter(code for code in codes if code)
    known = counts.total()
    if known < FEWEST:
        return []
    ((usual, times),) = counts.most_common(1)
    if times < MOSTLY * known:
        return []
    return [
        place
        for place, code in zip(places, codes, strict=True)
        if code and code != usual
    ]


def _letters(text: str) -> int:
    return sum(1 for character in text if character.isalpha())


@cache
def _injection() -> re.Pattern[str]:
    text = files("tuneworthy.training").joinpath("injections.toml").read_text("utf-8")
    return re.compile("|".join(tomllib.loads(text)["wordings"]), re.IGNORECASE)
