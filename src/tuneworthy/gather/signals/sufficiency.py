"""Whether the passages that were given hold what the right answer says.

The share of the reference's content words that stand in the passages, against a threshold chosen
on half of the questions of mtrag (Katsis and others 2025) and measured on the other half;
``docs/accuracy.md`` has the figures and the command. It reads English and sees words alone: it
can't tell passages that hold half of the answer from those that hold all of it, nor a passage that
uses the words to say something else.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.gather.signals.words import COMMON, stem, stems, words

THRESHOLD = 0.64
"""From this share on, passages count as sufficient; the best balanced accuracy on the one half."""

SENSITIVITY = (0.805, 0.920)
"""95% interval of the share of answerable questions it finds, on the other half."""

SPECIFICITY = (0.595, 0.965)
"""The same of questions with the nearest passages of other questions, which it leaves alone.

From the lower end for passages nearest to question and answer together, which no retriever could
look for, to the upper end for those nearest to the question.
"""

MEASURED_ON = "mtrag reference tasks, 2025; measured 2026-11-24"


def coverage(reference: str, passages: Sequence[str]) -> float | None:
    """The share of the reference's different content words that stand in the passages.

    Returns:
        Between 0 and 1; 0.0 without a passage; None for a reference without a content word.
    """
    wanted = {stem(word) for word in words(reference) if word not in COMMON}
    if not wanted:
        return None
    given = {each for passage in passages for each in stems(passage)}
    return len(wanted & given) / len(wanted)


def sufficient(reference: str, passages: Sequence[str]) -> bool | None:
    """Whether passages count as sufficient; None where the reference has no content word."""
    covered = coverage(reference, passages)
    return None if covered is None else covered >= THRESHOLD
