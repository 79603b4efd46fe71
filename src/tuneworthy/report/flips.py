"""Sets of answers that change a verdict, said together where they are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb, prod

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.sections import FlipResult
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import few, listing

_MOST = 4

_GROUPS = {"check": "checks", "indicator": "reasons for", "anti_indicator": "reasons against"}


def flip_lines(dossier: Dossier) -> list[tuple[str, str]]:
    """What to change, and the verdict that follows.

    Returns:
        A pair for each way to change the verdict; empty when no set of answers was found.
    """
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[FlipResult]] = {}
    for flip in dossier.flips:
        signs = tuple(sorted((_kind(change.factor, dossier), change.to) for change in flip.changes))
        alike.setdefault((flip.outcome, signs), []).append(flip)
    lines = []
    for (outcome, _), sets in alike.items():
        lines += [(text, OUTCOME_WORDS[outcome]) for text in _said(sets, dossier)]
    return lines


def _all(dossier: Dossier) -> list[str]:
    return [*dossier.ceiling.checks, *dossier.factors]


def _kind(name: str, dossier: Dossier) -> str:
    return dossier.factors[name].kind if name in dossier.factors else "check"


def title(name: str, dossier: Dossier) -> str:
    """What a factor or check is called."""
    found = dossier.factors.get(name) or dossier.ceiling.checks.get(name)
    return found.title if found else name


def _said(sets: Sequence[FlipResult], dossier: Dossier) -> list[str]:
    pools: dict[tuple[str, str], dict[str, None]] = {}
    for flip in sets:
        for change in flip.changes:
            pools.setdefault((_kind(change.factor, dossier), change.to), {})[change.factor] = None
    taken = {
        key: sum((_kind(c.factor, dossier), c.to) == key for c in sets[0].changes) for key in pools
    }
    if len(sets) > 1 and len(sets) == prod(comb(len(pools[key]), taken[key]) for key in pools):
        parts = [_any(pool, taken[key], key, dossier) for key, pool in pools.items()]
        return [" and ".join(parts)]
    said = [
        listing([f"{title(c.factor, dossier)} → {c.to}" for c in flip.changes])
        for flip in sets[:_MOST]
    ]
    if len(sets) > _MOST:
        said.append(f"and {few(len(sets) - _MOST)} more sets of {few(len(sets[0].changes))}")
    return said


def _any(pool: Mapping[str, None], many: int, key: tuple[str, str], dossier: Dossier) -> str:
    """``any one of the four reasons for → no``, or the names where they are not the whole group."""
    kind, to = key
    names = [title(name, dossier) for name in pool]
    if many == len(pool):
        whole = len(pool) > 3 and len(pool) == sum(_kind(n, dossier) == kind for n in _all(dossier))
        return f"{f'all {few(many)} {_GROUPS[kind]}' if whole else listing(names)} → {to}"
    if len(names) <= 3:
        return f"{'any ' + few(many) + ' of ' if many > 1 else ''}{listing(names, 'or')} → {to}"
    return f"any {few(many)} of {few(len(names))} {_GROUPS[kind]} → {to}"
