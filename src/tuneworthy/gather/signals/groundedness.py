"""Whether an answer is supported by the passages that were given with it.

A small logistic model over six counts of words. It was fitted and measured on the labelled answers
of BEGIN (Dziri and others 2022); ``docs/accuracy.md`` has the figures and the command. It reads
English; it sees words and no reasoning: a true paraphrase in other words looks unsupported, and a
false statement made of the passage's own words looks supported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuneworthy.gather.signals.words import COMMON, PERSONAL, denies, sentences, stem, words

WEIGHTS = (-3.3917, 3.4712, -2.3307, 5.2961, -4.2459, -1.4725, -2.1853)
"""The constant, then one for each of ``counts``; fitted on half of BEGIN's passages, 2026-11-24."""

THRESHOLD = 0.5
"""From this on an answer counts as supported; the best balanced accuracy on the half fitted on."""

SENSITIVITY = (0.873, 0.943)
"""95% interval of the share of unsupported answers it finds, on the half not fitted on."""

SPECIFICITY = (0.524, 0.954)
"""The same of supported answers it leaves alone.

From the lower end on mtrag, whose long references it takes for unsupported more often, to the upper
end on BEGIN.
"""

MEASURED_ON = "BEGIN dev, wow and cmu, 2022, and mtrag, 2025; measured 2026-11-24"


def overlap(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's words that stand in the passages: the plain way to do it.

    Returns:
        Between 0 and 1; 0.0 for an answer without a word.
    """
    said = words(answer)
    given = {word for passage in passages for word in words(passage)}
    return sum(word in given for word in said) / len(said) if said else 0.0


def counts(answer: str, passages: Sequence[str]) -> tuple[float, ...]:
    """What the model looks at.

    Returns:
        The share of words found in the passages; the logarithm of one more than the content words
        that the sentence with the most of them has and no passage; the share of words found in
        the passage sentence that fits each sentence best; and the shares of sentences that ask,
        that speak of me or you where no passage does, and that deny where no passage does. Zeros
        for an answer without a word.
    """
    given = [word for passage in passages for word in words(passage)]
    known, roots = set(given), {stem(word) for word in given}
    within = [
        {stem(word) for word in words(part)} for passage in passages for part in sentences(passage)
    ]
    talks, negated = bool(known & PERSONAL), any(denies(word) for word in known)
    said = [(part, words(part)) for part in sentences(answer)]
    total = sum(len(each) for _, each in said)
    if not total:
        return (0.0,) * 6
    missing = max(
        sum(word not in COMMON and stem(word) not in roots for word in each) for _, each in said
    )
    stemmed = [[stem(word) for word in each] for _, each in said]
    best = sum(
        max((sum(map(part.__contains__, each)) for part in within), default=0) for each in stemmed
    )
    n = len(said)
    return (
        sum(word in known for _, each in said for word in each) / total,
        math.log1p(missing),
        best / total,
        sum(part.rstrip().endswith("?") for part, _ in said) / n,
        0.0 if talks else sum(not PERSONAL.isdisjoint(each) for _, each in said) / n,
        0.0 if negated else sum(any(denies(word) for word in each) for _, each in said) / n,
    )


def support(answer: str, passages: Sequence[str]) -> float:
    """How likely the model takes an answer to be supported by the passages, between 0 and 1.

    Its scale is that of BEGIN, where a third of the answers are; compare it with ``THRESHOLD``.
    """
    constant, *weights = WEIGHTS
    drive = constant + sum(
        weight * count for weight, count in zip(weights, counts(answer, passages), strict=True)
    )
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, drive))))


def supported(answer: str, passages: Sequence[str]) -> bool:
    """Whether an answer counts as supported."""
    return support(answer, passages) >= THRESHOLD
