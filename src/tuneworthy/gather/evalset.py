"""An evaluation set from traces: a stratified draw of conversations, folded and masked.

What is told apart is what went wrong, the kind of request and its length, as finely as the number
of conversations allows. A failure is drawn twice as often as it occurs, and its weight makes up
for that: the weighted mean over the set estimates the mean over the traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.domain.drawing import Drawn, IntentBy, Stratum
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.cases import Cases
from tuneworthy.gather.duplicates import ALIKE
from tuneworthy.gather.embedding import embed
from tuneworthy.gather.frame import Framed, Unit, frame
from tuneworthy.gather.personal.mask import mask
from tuneworthy.stats.kmeans import kmeans
from tuneworthy.stats.stratified import allocate, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOOST = 2.0
"""How much oftener than it occurs a failure is drawn."""
MOST_GROUPS = 12
_LABEL_CHARACTERS = 80
_MOST_LABELS = 200
_FOR_A_GROUP = 15  # conversations to be drawn for each group of alike requests
_EXAMPLE = 60  # characters
_OTHER = "other"
_LENGTHS = ("short", "medium", "long")

Cell = tuple[bool | None, str, str]
"""Failed, kind of request, length; None and empty where that isn't told apart."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kind of request of each conversation."""

    names: tuple[str, ...]
    by: IntentBy
    examples: Mapping[str, str]


def build_evalset(
    batches: Iterable[Batch],
    *,
    n: int,
    seed: int = 0,
    schema: Mapping[str, Any] | None = None,
    alike: float = ALIKE,
) -> Drawn:
    """Draw an evaluation set from traces. The same traces and seed give the same set.

    Args:
        batches: The traces.
        n: About how many cases: conversations stay whole.
        seed: Another seed, another draw.
        schema: JSON Schema of the output, where there is one.
        alike: Share of three-word runs in common from which conversations are near copies.

    Returns:
        The set; without a case where no trace says what was asked.
    """
    framed = frame(batches, seed=seed, schema=schema, alike=alike)
    rng = np.random.default_rng([seed, 1])
    units = framed.units
    wanted = conversations_for(units, n)
    kinds = kinds_of(units, wanted, rng)
    cells = cells_of(units, kinds.names, wanted)
    stands, strata = _drawn(units, cells, wanted, rng)
    return _told(framed, kinds, stands, strata, seed)


def conversations_for(units: Sequence[Unit], n: int) -> int:
    """How many conversations give about ``n`` cases, when one is drawn by its traces."""
    traces = sum(unit.traces for unit in units)
    if not traces:
        return 0
    cases = sum(unit.traces * len(unit.questions) for unit in units) / traces
    return min(len(units), max(1, round(n / cases)))


def kinds_of(units: Sequence[Unit], wanted: int, rng: np.random.Generator) -> Kinds:
    """Kinds of request: by the right answer where those are few labels, else by alike vectors."""
    references = [unit.questions[0].reference for unit in units]
    labels = {each for each in references if each is not None}
    short = all(len(each) <= _LABEL_CHARACTERS and "\n" not in each for each in labels)
    few = 2 <= len(labels) <= min(_MOST_LABELS, len(units) // 5)
    if short and few and None not in references:
        return Kinds(tuple(mask(each or "") for each in references), "reference", {})
    groups = min(MOST_GROUPS, wanted // _FOR_A_GROUP)
    vectors = embed([unit.opening for unit in units]) if groups > 1 else None
    if vectors is None:
        return Kinds(("",) * len(units), "nothing", {})
    member, away = kmeans(vectors, groups, rng)
    names = tuple(f"group {place + 1}" for place in member.tolist())
    examples = {}
    for place in np.unique(member).tolist():
        inside = np.flatnonzero(member == place)
        middle = units[int(inside[np.argmin(away[inside])])]
        examples[f"group {place + 1}"] = _short(mask(middle.opening[:2_000]))
    return Kinds(names, "embedding", examples)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXAMPLE else flat[: _EXAMPLE - 1] + "…"


def cells_of(units: Sequence[Unit], kinds: Sequence[str], wanted: int) -> list[Cell]:
    """The stratum of each conversation, each large enough to be drawn from at least once."""
    if not units:
        return []
    sizes = np.array([_pull(unit.failed, unit.traces) for unit in units])
    share = sizes * wanted / sizes.sum()
    fine: list[Cell] = [
        (unit.failed, kind, length)
        for unit, kind, length in zip(units, kinds, _lengths(units), strict=True)
    ]
    without_length = _merged(fine, share, lambda cell: (cell[0], cell[1], ""), whole=True)
    others = _merged(without_length, share, lambda cell: (cell[0], _OTHER, ""), whole=False)
    if len(set(others)) > wanted:
        others = _merged(others, share, lambda _: (None, "", ""), whole=True)
    if len({cell[1] for cell in others}) == 1:
        others = [(cell[0], "", cell[2]) for cell in others]
    return others


def _pull(failed: bool, traces: float) -> float:
    return traces * (BOOST if failed else 1.0)


def _lengths(units: Sequence[Unit]) -> list[str]:
    """Thirds of the conversations by what was asked."""
    found = np.array([unit.characters for unit in units])
    ends = np.quantile(found, (1 / 3, 2 / 3), method="lower")
    return [_LENGTHS[int(place)] for place in np.searchsorted(ends, found, side="left")]


def _totals(cells: Sequence[Cell], share: NDArray[np.float64]) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for cell, value in zip(cells, share.tolist(), strict=True):
        found[cell] = found.get(cell, 0.0) + value
    return found


def _merged(
    cells: Sequence[Cell], share: NDArray[np.float64], coarser: Any, *, whole: bool
) -> list[Cell]:
    """Cells that would give less than one draw under a coarser name.

    Args:
        cells: The cell of each conversation.
        share: Draws each conversation would get.
        coarser: The name of a cell to be merged.
        whole: Whether all cells of that name go when one of them does.
    """
    small = {cell for cell, total in _totals(cells, share).items() if total < 1}
    names = {coarser(cell) for cell in small}
    return [
        coarser(cell) if (coarser(cell) in names if whole else cell in small) else cell
        for cell in cells
    ]


def _drawn(
    units: Sequence[Unit], cells: Sequence[Cell], wanted: int, rng: np.random.Generator
) -> tuple[dict[int, float], tuple[Stratum, ...]]:
    """The traces each drawn conversation stands for, by its place; and the strata."""
    members: dict[Cell, list[int]] = {}
    for place, cell in enumerate(cells):
        members.setdefault(cell, []).append(place)
    if not members:
        return {}, ()
    pulls = [sum(_pull(bool(cell[0]), units[at].traces) for at in rows)
             for cell, rows in members.items()]  # fmt: skip
    most = np.array([len(rows) for rows in members.values()])
    given = allocate(np.array(pulls, dtype=np.float64), most, wanted)
    stands: dict[int, float] = {}
    strata = []
    for (cell, rows), count in zip(members.items(), given.tolist(), strict=True):
        sizes = np.array([units[at].traces for at in rows], dtype=np.float64)
        chosen, weights = draw(sizes, count, rng)
        picked = [rows[at] for at in chosen.tolist()]
        stands |= dict(zip(picked, weights.tolist(), strict=True))
        strata.append(
            Stratum(
                failed=cell[0],
                intent=cell[1],
                length=cell[2],
                traces=int(sizes.sum()),
                conversations=len(rows),
                drawn=len(picked),
                cases=sum(len(units[at].questions) for at in picked),
            )
        )
    strata.sort(key=lambda one: (not one.failed, -one.traces, one.intent, one.length))
    return stands, tuple(strata)


def _told(
    framed: Framed, kinds: Kinds, stands: Mapping[int, float], strata: tuple[Stratum, ...],
    seed: int,
) -> Drawn:  # fmt: skip
    cases = Cases(seed)
    lengths = _lengths(framed.units) if framed.units else []
    for place, weight in sorted(stands.items(), key=lambda one: framed.units[one[0]].row):
        unit = framed.units[place]
        tags = (kinds.names[place], lengths[place], "failed" if unit.failed else "")
        cases.add(unit, weight, tuple(tag for tag in tags if tag))
    found = cases.all()
    return Drawn(
        cases=found,
        strata=strata,
        intent_by=kinds.by,
        examples=dict(kinds.examples),
        read=framed.read,
        framed=framed.traces,
        without_input=framed.without_input,
        folded=framed.folded,
        failures=dict(framed.failures),
        masked=cases.masked,
        lost=cases.lost,
        cut=framed.cut,
        unlabelled=sum(one.reference is None for one in found),
    )
