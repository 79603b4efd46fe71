"""The framework's three rules applied to an assessment: tree, score, difference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, prod
from typing import Literal

from tuneworthy.framework.rules import Cuts, Rules, bounded, condition_text
from tuneworthy.framework.tally import Tally, effort, tally
from tuneworthy.model.base import Range, State
from tuneworthy.model.dossier import Decision, Flip, Flips, PathStep, Question, Verdict
from tuneworthy.model.framework import BANDS, OUTCOMES, Band, Condition, Framework, Outcome

# The framework's three rules applied to an assessment: tree, score, difference.

CORNERS = (0.1, 0.9)
"""Between these the odds of open answers move for the bounds."""

_GRID = 17


def apply_rules(states: Mapping[str, State], framework: Framework, rules: Rules) -> Decision:
    """Apply tree, score and difference.

    Args:
        states: State of every check and factor.
        framework: The framework as written, for the words of its conditions.
        rules: The same, compiled.

    Returns:
        The decision. It is final exactly when one outcome is reachable; otherwise ``undecided``,
        leaning to the largest share, the more cautious of equals.

    Raises:
        CaseError: If the open answers have too many different combinations.
    """
    counted = tally(rules, states)
    shares = counted.shares()
    reach = tuple(outcome for outcome in OUTCOMES if outcome in counted.reach)
    leaning = max(reach, key=lambda outcome: (shares[outcome], -OUTCOMES.index(outcome)))
    measures = _measures(states, rules)
    scaled = measures["difference"]
    score_bands, difference_bands = (
        _bands(rules.score_cuts, scaled),
        _bands(rules.difference_cuts, scaled),
    )
    both = [*score_bands, *difference_bands]
    difference = Range.between(scaled.low / rules.scale, scaled.most / rules.scale)
    return Decision(
        outcome=reach[0] if len(reach) == 1 else "undecided",
        final=len(reach) == 1,
        leaning=leaning,
        reach=reach,
        path=_path(counted, framework, rules, measures),
        score=Range.between(
            difference.low / rules.denominator, difference.most / rules.denominator
        ),
        denominator=rules.denominator,
        score_bands=score_bands,
        difference=difference,
        difference_bands=difference_bands,
        strength=(min(both, key=BANDS.index), max(both, key=BANDS.index)),
        shares=shares,
        bounds=_bounds(counted),
    )


def _bands(cuts: Cuts, scaled: Range) -> tuple[Band, Band]:
    return cuts.band(int(scaled.low)), cuts.band(int(scaled.most))


def _measures(states: Mapping[str, State], rules: Rules) -> dict[str, Range]:
    """Each measure's ends over all completions; weights are in scaled units."""
    ends: dict[str, Range] = {}
    for kind, names in (("indicator", rules.indicators), ("anti_indicator", rules.anti_indicators)):
        yes = [name for name in names if states[name] == "yes"]
        still_open = [name for name in names if states[name] == "unknown"]
        weight = sum(rules.weights[name] for name in yes)
        more = sum(rules.weights[name] for name in still_open)
        ends[f"{kind}s"] = Range.between(len(yes), len(yes) + len(still_open))
        ends[f"{kind}_weight"] = Range.between(weight, weight + more)
    gain, loss = ends["indicator_weight"], ends["anti_indicator_weight"]
    ends["difference"] = Range.between(gain.low - loss.most, gain.most - loss.low)
    checks = [states[name] for name in rules.checks]
    done = checks.count("yes")
    ends["checks"] = Range.between(done, done + checks.count("unknown"))
    return ends


def _path(
    counted: Tally, framework: Framework, rules: Rules, measures: Mapping[str, Range]
) -> tuple[PathStep, ...]:
    """Steps of the tree up to the one that certainly holds; the unconditional one isn't asked."""
    path = []
    left = sum(counted.ending)
    for step, here in zip(framework.tree, counted.ending, strict=True):
        if step.when is None or left == 0:
            break
        answer: State = "yes" if here == left else "unknown" if here else "no"
        value = {name: _unscaled(name, measures, rules) for name in _reads(step.when)}
        path.append(PathStep(condition_text(step.when), answer, value, step.outcome))
        left -= here
    return tuple(path)


def _unscaled(name: str, measures: Mapping[str, Range], rules: Rules) -> Range:
    by = 1.0
    if name.endswith("_weight") or name == "difference":
        by = rules.scale
    elif name == "score":
        by = rules.scale * rules.denominator
    ends = measures["difference" if name == "score" else name]
    return Range.between(ends.low / by, ends.most / by)


def _reads(condition: Condition) -> tuple[str, ...]:
    """Measures a condition reads, in order, each once."""
    names = ["checks"] if condition.ceiling is not None else []
    names += [name for name, _ in bounded(condition)]
    for part in (*condition.all, *condition.any, *condition.none):
        names += _reads(part)
    return tuple(dict.fromkeys(names))


def _bounds(counted: Tally) -> dict[Outcome, Range]:
    """Least and most share of each outcome while the odds of the three groups move.

    A share is a polynomial in the three odds. Where the fraction of completions that lead to the
    outcome only rises or only falls with each group's yes answers, the ends lie in the corners;
    otherwise a grid is searched as well, exact at its points.
    """
    axes: list[tuple[float, ...]] = [CORNERS if n else (0.5,) for n in counted.open]
    if not _monotone(counted):
        low, high = CORNERS
        fine = tuple(low + (high - low) * step / (_GRID - 1) for step in range(_GRID))
        axes = [fine if n else (0.5,) for n in counted.open]
    found: dict[Outcome, list[float]] = {outcome: [] for outcome in OUTCOMES}
    for c in axes[0]:
        for i in axes[1]:
            for a in axes[2]:
                shares = counted.shares((c, i, a))
                for outcome in OUTCOMES:
                    found[outcome].append(shares[outcome])
    return {outcome: Range.between(min(values), max(values)) for outcome, values in found.items()}


def _monotone(counted: Tally) -> bool:
    """Whether every outcome's fraction is monotone along each group's yes answers."""
    sizes = counted.open
    for outcome in set(counted.outcomes):
        count: dict[tuple[int, ...], int] = {}
        for name, cells in zip(counted.outcomes, counted.steps, strict=True):
            if name == outcome:
                for ending, many in cells.items():
                    count[ending] = count.get(ending, 0) + many
        fraction = {
            cell: count.get(cell, 0) / prod(comb(n, k) for n, k in zip(sizes, cell, strict=True))
            for cell in product(*(range(size + 1) for size in sizes))
        }
        for axis in range(3):
            rises = falls = False
            for cell, value in fraction.items():
                if cell[axis] < sizes[axis]:
                    after = fraction[(*cell[:axis], cell[axis] + 1, *cell[axis + 1 :])]
                    rises, falls = rises or after > value, falls or after < value
            if rises and falls:
                return False
    return True


# How firmly a verdict stands: what would change it, and what is worth asking next.

MOST_WORK = 60_000_000
"""Combinations that the search for flips may go through. The lesson never needs as many."""

Target = Literal["yes", "no"]


def verdict_of(rules: Rules, states: Mapping[str, State]) -> Verdict:
    """The outcome if only one is reachable, else ``undecided``."""
    reach = tally(rules, states).reach
    return next(iter(reach)) if len(reach) == 1 else "undecided"


def questions(
    states: Mapping[str, State], framework: Framework, rules: Rules
) -> tuple[Question, ...]:
    """Open answers by the doubt they remove for a minute of work.

    The gain is the mutual information between the answer and the outcome at even odds for every
    open answer, in bits.

    Returns:
        The open answers that can matter, best first; empty when nothing can change the verdict.
    """
    before = _entropy(rules, states)
    found = []
    for name, state in states.items():
        if state != "unknown":
            continue
        after = [_entropy(rules, {**states, name: to}) for to in ("yes", "no")]
        gain = before - sum(after) / 2
        if gain > 1e-12:
            asked = framework.ceiling.get(name) or framework.factors[name]
            found.append(Question(name, gain, asked.minutes))
    return tuple(sorted(found, key=lambda q: (-q.gain_bits / q.minutes, q.minutes, q.id)))


def _entropy(rules: Rules, states: Mapping[str, State]) -> float:
    shares = tally(rules, states).shares().values()
    return -sum(share * math.log2(share) for share in shares if share > 0)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Changes that are interchangeable: same group, weight and state, same new answer."""

    group: str
    weight: int
    bit: int
    state: State
    to: Target


def flips(states: Mapping[str, State], rules: Rules, decision: Decision) -> Flips:
    """All the smallest sets of answers that change the verdict's outcome.

    A set gives each of its answers another value than it has now: a yes becomes no, a no yes, an
    open answer either. Sets whose answers are interchangeable are tried once and listed each.

    Returns:
        Every set of the smallest size that changes the outcome. Empty, with how far the search
        went, when no set of a size that could be searched does: with many open answers of
        different weight larger sets are too many to try.
    """
    kinds: dict[_Kind, list[str]] = {}
    for name, state in states.items():
        for to in _other(state):
            kind = _Kind(
                _group(name, rules), rules.weights[name], rules.bits.get(name, 0), state, to
            )
            kinds.setdefault(kind, []).append(name)
    work, each = 0, effort(rules, states)
    for size in range(1, len(states) + 1):
        work += comb(len(kinds) + size - 1, size) * each
        if size > 1 and work > MOST_WORK:
            return Flips((), size - 1)
        found = [
            flip
            for picked in _pick(list(kinds.items()), size)
            if (flip := _tried(picked, states, rules, decision.outcome)) is not None
        ]
        if found:
            sets = [Flip(changes, flip) for picked, flip in found for changes in _each(picked)]
            return Flips(tuple(sorted(sets, key=lambda one: one.changes)), size)
    return Flips((), len(states))


def _other(state: State) -> tuple[Target, ...]:
    if state == "yes":
        return ("no",)
    return ("yes",) if state == "no" else ("yes", "no")


def _group(name: str, rules: Rules) -> str:
    if name in rules.checks:
        return "check"
    return "indicator" if name in rules.indicators else "anti_indicator"


Picked = tuple[tuple[_Kind, list[str], int], ...]


def _pick(kinds: Sequence[tuple[_Kind, list[str]]], size: int) -> Iterator[Picked]:
    """Every way to take ``size`` answers, by how many of each kind."""
    if size == 0:
        yield ()
        return
    for position, (kind, names) in enumerate(kinds):
        for many in range(1, min(len(names), size) + 1):
            for rest in _pick(kinds[position + 1 :], size - many):
                yield ((kind, names, many), *rest)


def _tried(
    picked: Picked, states: Mapping[str, State], rules: Rules, before: Verdict
) -> tuple[Picked, Verdict] | None:
    """The verdict after one set of this kind, if it is another."""
    changes = next(_each(picked), None)
    if changes is None:
        return None
    after = verdict_of(rules, {**states, **dict(changes)})
    return None if after == before else (picked, after)


def _each(picked: Picked) -> Iterator[tuple[tuple[str, Target], ...]]:
    """Every set of concrete answers; none that answers one question twice."""
    if not picked:
        yield ()
        return
    (kind, names, many), rest = picked[0], picked[1:]
    for chosen in combinations(names, many):
        for others in _each(rest):
            changes = (*((name, kind.to) for name in chosen), *others)
            if max(Counter(name for name, _ in changes).values()) == 1:
                yield tuple(sorted(changes))
