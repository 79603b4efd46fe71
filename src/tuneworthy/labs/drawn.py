"""Which cases people label: the first of an order that is drawn, the same for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.labels import digest_of
from tuneworthy.stats.predicted import ENOUGH_LABELS


def shuffled(cases: Iterable[EvalCase], seed: int) -> list[EvalCase]:
    """Cases in an order that depends on their ids and the seed alone."""
    return sorted(cases, key=lambda one: digest_of("order", str(seed), one.id))


def drawn(cases: Sequence[EvalCase], labels: int, seed: int) -> tuple[EvalCase, ...]:
    """The cases on which people's word counts: a random sample, fixed before anybody labels.

    Args:
        cases: One part of the evaluation set.
        labels: How many are wanted.
        seed: Of the order.

    Returns:
        The first ``labels`` of the order, and as many more as it takes to have 20 conversations
        among them; all of them where the part has fewer.
    """
    found: list[EvalCase] = []
    seen: set[str] = set()
    for one in shuffled(cases, seed):
        if len(found) >= labels and len(seen) >= ENOUGH_LABELS:
            break
        found.append(one)
        seen.add(one.cluster)
    return tuple(found)
