"""Labelling: what to show, in which order, and what was said so far."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuneworthy.api.answered import Answered, answered
from tuneworthy.api.drawn import For, drawn_items
from tuneworthy.api.lab import MOST_TOKENS
from tuneworthy.api.road import load_case
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.labels import PAIRS, SCALES, ItemKey, Label, digest_of
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalset import named_evalset
from tuneworthy.files.labels import append_label, labeller_name, latest_labels, read_labels
from tuneworthy.labs.drawn import shuffled
from tuneworthy.report.labelling import Item, item_page, keys_of, tally_page

__all__ = ("Item", "Session", "begin", "item_page", "keys_of", "tally_page")


@dataclass(slots=True)
class Session:
    """One labeller on the way; every answer is kept as soon as it is given."""

    case: Case
    labeller: str
    items: Sequence[Item]
    """What there is to label, in the order of showing."""
    rubric: str
    """The text to hold outputs against; empty for other tasks."""
    said: dict[ItemKey, Label]
    """What this labeller said before, and since."""
    notes: Mapping[ItemKey, tuple[str, ...]] = field(default_factory=dict)
    """What others said, for whoever settles it."""
    again: bool = False
    """Whether the present item is shown although it has a label."""
    at: int = 0

    def labelled(self, item: Item) -> bool:
        """Whether this labeller has said something of just these outputs."""
        label = self.said.get(item.key)
        return label is not None and label.output == shown_digest(item)

    @property
    def done(self) -> int:
        """Items with a label."""
        return sum(self.labelled(item) for item in self.items)

    def current(self) -> Item | None:
        """The item to show now; None when all are labelled or skipped."""
        while self.at < len(self.items):
            item = self.items[self.at]
            if self.again or not self.labelled(item):
                return item
            self.at += 1
        return None

    def answer(self, said: str) -> None:
        """Keep what was said of the present item, and go on.

        Args:
            said: One of the item's choices, or the right answer.
        """
        item = self.current()
        assert item is not None  # there is nothing to answer otherwise
        self.keep(item, said)
        self.at += 1
        self.again = False

    def keep(self, item: Item, said: str) -> None:
        """Keep what was said of an item."""
        task, rubric, case, arm, against = item.key
        assert task == item.task
        label = Label(
            task=item.task, case=case, value=item.true_value(said), arm=arm, against=against,
            rubric=rubric, output=shown_digest(item),
        )  # fmt: skip
        append_label(self.case, self.labeller, label)
        self.said[label.key] = label

    def skip(self) -> None:
        """Leave the present item for another time."""
        self.at += 1
        self.again = False

    def back(self) -> None:
        """Show the item before again; a new answer to it counts, and the old one stays on file."""
        if self.at:
            self.at -= 1
            self.again = True


def begin(
    source: str | Path,
    labeller: str,
    *,
    rubric: str | Path | None = None,
    scale: str = "yes-no",
    pairwise: tuple[str, str] | None = None,
    arms: Sequence[str] = (),
    seed: int = 0,
    max_tokens: int = MOST_TOKENS,
    lab: For | None = None,
) -> Session:
    """A labelling session that goes on where this labeller stopped.

    Cases come in an order drawn by the seed, the same for every labeller, so that the first ones
    are a random sample and two labellers meet; the arms of a case are shuffled and never named.

    Args:
        source: The case.
        labeller: Who labels.
        rubric: File to hold outputs against; without it and without a pair, right answers are asked
            for where a case has none.
        scale: ``yes-no`` or ``1-5``, for a rubric.
        pairwise: Two arms, whose outputs are compared.
        arms: Arms to label; all that answered when not given.
        seed: For the order, and as the lab was given it.
        max_tokens: As the lab was given it.
        lab: With a rubric: what a lab under a judge needs, as it wrote that down; all options but
            the rubric are its own then.

    Raises:
        InputError: If there is nothing to label, or something can't be read.
    """
    case, name = load_case(source), labeller_name(labeller)
    if lab is not None:
        if rubric is None:
            raise InputError("needs the rubric", where="--for", fix="give --rubric FILE as well")
        items, text = drawn_items(source, rubric, lab)
    else:
        items, text = _prepared(source, case, rubric, scale, pairwise, arms, seed, max_tokens)
    return Session(case, name, items, text, latest_labels(read_labels(case).get(name, ())))


def _prepared(
    source: str | Path, case: Case, rubric: str | Path | None, scale: str,
    pairwise: tuple[str, str] | None, arms: Sequence[str], seed: int, max_tokens: int,
) -> tuple[list[Item], str]:  # fmt: skip
    if rubric is None and pairwise is None:
        return _to_answer(source, case, seed), ""
    held = answered(source, seed=seed, max_tokens=max_tokens)
    text = "" if rubric is None else read_text(Path(rubric), MIB, CaseError).strip()
    if pairwise is not None:
        if pairwise[0] == pairwise[1]:
            raise CaseError("names one arm twice", where="--pairwise", fix="name two")
        items = list(pair_items(held, held.arms(pairwise), seed, digest_of(text) if text else ""))
    else:
        items = list(rubric_items(held, held.arms(arms), scale, seed, digest_of(text, scale)))
    if not items:
        fix = "run the lab on: tuneworthy ceiling"
        raise CaseError("no case was answered by these arms", where=str(source), fix=fix)
    return items, text


def _to_answer(source: str | Path, case: Case, seed: int) -> list[Item]:
    cases = named_evalset(case)
    if cases is None:
        fix = f"make one: tuneworthy evalset {source}, then name it under data.evaluation"
        raise CaseError("names no evaluation set", where=case.where("data"), fix=fix)
    lacking = [one for one in cases if one.reference is None]
    if not lacking:
        fix = "label outputs with --rubric FILE or --pairwise ARM ARM"
        raise CaseError("every case has a right answer", where=str(source), fix=fix)
    return [Item("answer", one) for one in shuffled(lacking, seed)]


def rubric_items(
    held: Answered, arms: Sequence[str], scale: str, seed: int, digest: str
) -> Iterator[Item]:
    """Outputs one by one: case after case, the arms of each shuffled."""
    for case in shuffled(held.cases, seed):
        mixed = [arm for arm in arms if case.id in held.outputs[arm]]
        _chance(seed, case).shuffle(mixed)
        for arm in mixed:
            output = held.outputs[arm][case.id]
            yield Item("rubric", case, (arm,), (output,), SCALES[scale], rubric=digest)


def pair_items(held: Answered, arms: Sequence[str], seed: int, digest: str) -> Iterator[Item]:
    """Outputs of two arms side by side, which of them stands first by chance."""
    one, other = arms
    for case in shuffled(held.cases, seed):
        if case.id in held.outputs[one] and case.id in held.outputs[other]:
            outputs = held.outputs[one][case.id], held.outputs[other][case.id]
            flipped = _chance(seed, case).random() < 0.5
            yield Item("pairwise", case, (one, other), outputs, PAIRS, flipped, digest)


def shown_digest(item: Item) -> str:
    """Begin of the SHA-256 of the outputs of an item; empty where it has none."""
    return digest_of(*item.outputs) if item.outputs else ""


def _chance(seed: int, case: EvalCase) -> random.Random:
    return random.Random(digest_of("arms", str(seed), case.id))  # noqa: S311  # an order is no secret
