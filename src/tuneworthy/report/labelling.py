"""What somebody who labels is shown: a case, outputs without their arms, and the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.labels import PAIRS, ItemKey, Task
from tuneworthy.report.layout import Paint, safe, wrapped
from tuneworthy.report.width import columns
from tuneworthy.report.words import count

_MOST_LINES = 60
_MOST_CHARACTERS = 3_800  # of a line: what is safe to show is cut a little later
ASKED: dict[Task, str] = {
    "answer": "What is the right answer?",
    "rubric": "Does it meet the rubric?",
    "pairwise": "Which is better?",
}
"""What is asked."""
_KEYS = {"yes": "y", "no": "n", "first": "1", "second": "2", "tie": "t"}


@dataclass(frozen=True, slots=True)
class Item:
    """Something to label."""

    task: Task
    case: EvalCase
    arms: tuple[str, ...] = ()
    """Whose outputs they are, by name; never shown."""
    outputs: tuple[str, ...] = ()
    """What is judged, in the order of the arms."""
    choices: tuple[str, ...] = ()
    """What may be said; () where any text may be."""
    flipped: bool = False
    """Whether the second output is shown first."""
    rubric: str = ""
    """Begin of the SHA-256 of rubric and scale."""

    @property
    def key(self) -> ItemKey:
        """What a label of it is about."""
        first, second = (*self.arms, "", "")[:2]
        return (self.task, self.rubric, self.case.id, first, second)

    @property
    def shown(self) -> tuple[str, ...]:
        """The outputs in the order of showing."""
        return self.outputs[::-1] if self.flipped else self.outputs

    def true_value(self, said: str) -> str:
        """What was said of the outputs as shown, said of the arms in their order."""
        if self.flipped and said in PAIRS[:2]:
            return PAIRS[1 - PAIRS.index(said)]
        return said


def keys_of(item: Item) -> dict[str, str]:
    """The key for each thing that may be said, and what it says."""
    return {_KEYS.get(choice, choice): choice for choice in item.choices}


def item_page(
    item: Item, *, number: int, of: int, rubric: str = "", said: Sequence[str] = (),
    colour: bool = False,
) -> str:  # fmt: skip
    """An item as a page.

    Args:
        item: What to show.
        number: Its place, from 1.
        of: How many there are.
        rubric: What outputs are held against.
        said: What labellers said who differ, for whoever settles it.
        colour: Whether the terminal takes colour.
    """
    paint = Paint(colour)
    lines = ["", paint("strong", f"{count(number)} of {count(of)}".ljust(columns() - 1, "·"))]
    for name, text in item_parts(item, rubric=rubric, said=said):
        lines += _part(name, text, paint)
    return "\n".join([*lines, "", *_question(item)]) + "\n"


def item_parts(
    item: Item, *, rubric: str = "", said: Sequence[str] = ()
) -> tuple[tuple[str, str], ...]:
    """What is shown of an item, each text with its name, as it was written.

    Args:
        item: What to show.
        rubric: What outputs are held against.
        said: What labellers said who differ, for whoever settles it.
    """
    case, found = item.case, []
    if case.input is not None:
        found.append(("Input", case.input))
    found += [(one.role.capitalize(), one.content) for one in case.messages]
    found += [("Passage", passage.text) for passage in case.contexts]
    if case.reference is not None:
        told = case.reference if isinstance(case.reference, str) else repr(case.reference)
        found.append(("Reference", told))
    several = len(item.outputs) > 1
    for place, text in enumerate(item.shown, start=1):
        found.append((f"Output {place}" if several else "Output", text))
    if rubric:
        found.append(("Rubric", rubric))
    if said:
        found.append(("Labellers said", "\n".join(said)))
    return tuple(found)


def _part(name: str, text: str, paint: Paint) -> list[str]:
    lines = [paint("strong", name)]
    given = text.splitlines() or [""]
    for line in given[:_MOST_LINES]:
        whole = line.expandtabs(4)
        lines += wrapped(safe(whole[:_MOST_CHARACTERS]), first="  ")
        if len(whole) > _MOST_CHARACTERS:
            lines.append(f"  … and {count(len(whole) - _MOST_CHARACTERS)} characters more")
    if len(given) > _MOST_LINES:
        lines.append(f"  … and {count(len(given) - _MOST_LINES)} lines more")
    return lines


def _question(item: Item) -> list[str]:
    if not item.choices:
        keys = "a text; or :s to skip, :b to go back, :q to stop"
    else:
        told = ", ".join(
            key if key == choice else f"{key} {choice}" for key, choice in keys_of(item).items()
        )
        keys = f"{told}; s skip, b back, q stop"
    return wrapped(f"{ASKED[item.task]} ({keys})")


def tally_page(done: int, of: int) -> str:
    """How far a labeller has come."""
    left = "All are labelled." if done >= of else "The same command goes on from here."
    return f"Labelled {count(done)} of {count(of)}. {left}\n"
