"""The chance that tuning wins, from fitted odds and a case's answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tuneworthy.domain.odds import Chance, Move, Odds
from tuneworthy.domain.record import State, Unknown
from tuneworthy.stats.intervals import Z95


def chance(
    odds: Odds | None, states: Mapping[str, State], *, goal: str | None = None
) -> Chance | Unknown:
    """The chance that tuning measures best, where it has earned its place.

    Args:
        odds: The fitted odds of a framework, or None where it has none.
        states: Answers by factor; what is missing is unknown, what the fit doesn't ask is left out.
        goal: Id of the case's first goal.

    Returns:
        The chance, or unknown where there are no odds, where they didn't beat the base rate on
        cases they hadn't seen, where too much of what they ask is open, or where their spread
        gives no interval.
    """
    if odds is None:
        return Unknown(ask="Choose a framework with fitted odds, such as --framework precedent")
    if odds.earned != "yes":
        return Unknown(
            ask="Add coded cases: the fit doesn't yet beat the base rate on cases it hasn't seen"
        )
    found = weigh(odds, states, goal=goal)
    if found.open_share > odds.most_open:
        largest = next((move.id for move in found.moves if move.state == "unknown"), "more")
        return Unknown(ask=f"Answer {largest}: too much of what the fit asks is open")
    if not _deviation(odds, found.moves):
        return Unknown(ask="Fit it again: its spread doesn't say how sure it is of this case")
    return found


def weigh(odds: Odds, states: Mapping[str, State], *, goal: str | None = None) -> Chance:
    """The same sum whether it has earned its place or not: to judge it by, never to show alone.

    Args:
        odds: The fitted odds.
        states: Answers by factor; what is missing is unknown.
        goal: Id of the case's first goal.

    Returns:
        The chance. Without any answer and goal it is that of the intercept.
    """
    moves = _moves(odds, states, goal)
    middle = odds.intercept + sum(move.log_odds for move in moves)
    least = odds.intercept + sum(move.log_odds_low for move in moves)
    most = odds.intercept + sum(move.log_odds_high for move in moves)
    half = Z95 * _deviation(odds, moves)
    value = _share(middle)
    return Chance(
        value=value,
        low=min(value, _share(middle - half)),
        high=max(value, _share(middle + half)),
        open_low=_share(least),
        open_high=_share(most),
        open_share=_open_share(odds, states),
        moves=tuple(sorted(moves, key=lambda move: (-_size(move), move.id))),
    )


def _moves(odds: Odds, states: Mapping[str, State], goal: str | None) -> list[Move]:
    moves = []
    for name, adds in odds.answers.items():
        state = states.get(name, "unknown")
        if state == "unknown":
            low, middle, high = min(adds.yes, adds.no, 0.0), 0.0, max(adds.yes, adds.no, 0.0)
        else:
            low = middle = high = adds.yes if state == "yes" else adds.no
        moves.append(
            Move(
                id=name, state=state, log_odds=middle, log_odds_low=low, log_odds_high=high,
            )
        )  # fmt: skip
    added = next((value for name, value in odds.goals.items() if name == goal), None)
    if added is not None:
        moves.append(
            Move(
                id=f"goal:{goal}", state="yes",
                log_odds=added, log_odds_low=added, log_odds_high=added,
            )
        )  # fmt: skip
    return moves


def _size(move: Move) -> float:
    return max(abs(move.log_odds_low), abs(move.log_odds_high))


def _open_share(odds: Odds, states: Mapping[str, State]) -> float:
    weights = {name: abs(adds.yes - adds.no) for name, adds in odds.answers.items()}
    total = sum(weights.values())
    if not total:
        return 0.0
    opened = sum(w for name, w in weights.items() if states.get(name, "unknown") == "unknown")
    return min(1.0, opened / total)


def _deviation(odds: Odds, moves: Sequence[Move]) -> float:
    """Standard deviation of the log odds of this case, by the covariance of the fit; 0 for none."""
    signs = {"yes": 1.0, "no": -1.0, "unknown": 0.0}
    terms = {"intercept": 1.0, **{move.id: signs[move.state] for move in moves}}
    # the file holds the lower half, so what lies off the diagonal counts twice
    variance = sum(
        (1 if one == other else 2) * terms.get(one, 0.0) * terms.get(other, 0.0) * value
        for one, row in odds.spread.items()
        for other, value in row.items()
    )
    return math.sqrt(max(0.0, variance))


def _share(log_odds: float) -> float:
    """The logistic function, without overflow at either end."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
