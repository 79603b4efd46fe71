"""Labelling where nothing is remembered between two looks: a question is known by what it shows.

An id is made of all that a question is about and of the texts as they are shown, in their order. A
page that is out of date, or sent twice, can therefore never label anything but what it showed.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Literal

from tuneworthy.api.agreement import agreement_so_far, begin_adjudicating
from tuneworthy.api.answered import answered
from tuneworthy.api.lab import MOST_TOKENS
from tuneworthy.api.labelling import Item, Session, begin, shown_digest
from tuneworthy.api.road import load_case
from tuneworthy.domain.errors import ConflictError, InputError
from tuneworthy.domain.labels import SCALES, AgreementOf, digest_of
from tuneworthy.files.evalset import named_evalset
from tuneworthy.files.evidence import FOLDER
from tuneworthy.files.labels import labeller_name, latest_labels, read_labels
from tuneworthy.files.rubrics import keep_rubric, read_rubrics, rubric_path

__all__ = (
    "Desk",
    "Desks",
    "Overview",
    "Work",
    "add_rubric",
    "agreement_of",
    "open_desk",
    "overview",
)

LONGEST = 100_000
"""Characters of a right answer."""
_DESKS = 8  # kept at a time
_FILES = 5_000  # of a case that are looked at

Kind = Literal["answer", "rubric", "pairwise", "settle"]


@dataclass(frozen=True, slots=True)
class Work:
    """What somebody labels."""

    kind: Kind
    labeller: str = ""
    """Nobody in particular, for what is settled."""
    rubric: str = ""
    """Name of a kept rubric; empty for none."""
    scale: str = "yes-no"
    """For a rubric: what may be said."""
    arms: tuple[str, ...] = ()
    """Two for pairs; for a rubric those that are labelled, all where none is named."""
    seed: int = 0
    """For the order, and as the lab was given it."""
    max_tokens: int = MOST_TOKENS
    """As the lab was given it."""


class Desk:
    """What there is to label, by id.

    Args:
        session: The items in their order, and what was said of them.
        ids: Of the items, where they are known already.
    """

    def __init__(self, session: Session, ids: tuple[str, ...] | None = None) -> None:
        self._session = session
        self._ids = tuple(map(item_id, session.items)) if ids is None else ids
        self._places = {name: place for place, name in enumerate(self._ids)}

    def shared_with(self, labeller: str) -> Desk:
        """The same questions for somebody, with what they have said by now."""
        case, name = self._session.case, labeller_name(labeller)
        said = latest_labels(read_labels(case).get(name, ()))
        return Desk(replace(self._session, labeller=name, said=said), self._ids)

    @property
    def rubric(self) -> str:
        """The text that outputs are held against; empty for none."""
        return self._session.rubric

    @property
    def done(self) -> int:
        """Questions with a label."""
        return self._session.done

    @property
    def of(self) -> int:
        """Questions there are."""
        return len(self._ids)

    def place(self, name: str) -> int | None:
        """The place of a question, from 1; None for one that isn't there."""
        found = self._places.get(name)
        return None if found is None else found + 1

    def item(self, name: str) -> Item | None:
        """A question by its id; None for one that isn't there."""
        found = self._places.get(name)
        return None if found is None else self._session.items[found]

    def said(self, name: str) -> str:
        """What this labeller said of it, as of the outputs as they are shown; empty for nothing."""
        item = self.item(name)
        if item is None or not self._session.labelled(item):
            return ""
        return item.true_value(self._session.said[item.key].value)

    def notes(self, name: str) -> Sequence[str]:
        """What others said of it, for whoever settles it."""
        item = self.item(name)
        return () if item is None else self._session.notes.get(item.key, ())

    def open_after(self, name: str = "") -> str:
        """Id of the first question without a label behind another; empty where none is left."""
        start = self._places.get(name, -1) + 1
        items = self._session.items
        left = (p for p in range(start, len(items)) if not self._session.labelled(items[p]))
        return next((self._ids[place] for place in left), "")

    def before(self, name: str) -> str:
        """Id of the question before; empty for the first."""
        place = self._places.get(name, 0)
        return self._ids[place - 1] if place else ""

    def say(self, name: str, said: str) -> None:
        """Keep what was said of a question; the same once more keeps nothing.

        Args:
            name: Its id.
            said: One of its choices, or the right answer.

        Raises:
            ConflictError: If there is no such question any more; nothing is kept.
            InputError: If that can't be said of it, or can't be kept.
        """
        item = self.item(name)
        if item is None:
            what = "what that page showed has changed since, or is settled; nothing was kept"
            raise ConflictError(what, fix="go on with the next")
        told = said.strip() if not item.choices else said
        if item.choices and told not in item.choices:
            raise InputError(f'"{said[:40]}" can\'t be said of it', fix="choose one of the answers")
        if not told or len(told) > LONGEST:
            raise InputError("a right answer has some text, and not too much", where="answer")
        if self.said(name) != told:
            self._session.keep(item, told)


def item_id(item: Item) -> str:
    """What a question is known by: all it is about, and the texts as they are shown."""
    flipped = "flipped" if item.flipped else ""
    case = item.case.model_dump_json(exclude_defaults=True)
    return digest_of("item", *item.key, shown_digest(item), flipped, case)


def open_desk(source: str | Path, work: Work) -> Desk:
    """What there is to label of a case.

    Raises:
        InputError: If there is nothing, or something can't be read.
    """
    rubric = rubric_path(load_case(source), work.rubric) if work.rubric else None
    if work.kind == "settle":
        return Desk(begin_adjudicating(
            source, rubric=rubric, seed=work.seed, max_tokens=work.max_tokens
        ))  # fmt: skip
    if work.scale not in SCALES:
        raise InputError(f'"{work.scale[:40]}" is no scale', fix=" or ".join(SCALES))
    pair: tuple[str, str] | None = None
    if work.kind == "pairwise":
        if len(work.arms) != 2:
            raise InputError("a pair is two arms", where="arms", fix="choose two")
        pair = work.arms[0], work.arms[1]
    if work.kind == "rubric" and rubric is None:
        raise InputError("needs a rubric", where="rubric", fix="write one, or choose one")
    return Desk(begin(
        source, work.labeller, rubric=rubric if work.kind != "answer" else None, scale=work.scale,
        pairwise=pair, arms=work.arms if work.kind == "rubric" else (), seed=work.seed,
        max_tokens=work.max_tokens,
    ))  # fmt: skip


class Desks:
    """Desks of a server, kept as long as every file of their case is as it was.

    What somebody has said is read anew each time, and what is to be settled is never kept. Safe to
    use from several threads.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, Work], tuple[object, Desk]] = OrderedDict()
        self._lock = Lock()

    def open(self, source: str | Path, work: Work) -> Desk:
        """As ``open_desk``."""
        if work.kind == "settle":
            return open_desk(source, work)
        key = Path(source).resolve(), replace(work, labeller="")
        stamp = _stamp(key[0])
        with self._lock:
            kept = self._kept.get(key)
        if stamp is None or kept is None or kept[0] != stamp:
            desk = open_desk(source, work)
            with self._lock:
                self._kept[key] = (stamp, desk)
                self._kept.move_to_end(key)
                while len(self._kept) > _DESKS:
                    self._kept.popitem(last=False)
            return desk
        return kept[1].shared_with(work.labeller)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...] | None:
    """Size and time of every file of a case but its labels; None for a folder with very many."""
    found: list[tuple[str, int, int]] = []
    for place, folders, files in os.walk(folder):
        if place == str(folder / FOLDER) and "labels" in folders:
            folders.remove("labels")
        if len(found) + len(files) > _FILES:
            return None
        for name in files:
            with suppress(OSError):
                told = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118  # a hot path
                found.append((f"{place}/{name}", told.st_size, told.st_mtime_ns))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Overview:
    """What could be labelled, and what was."""

    lacking: int
    """Cases without a right answer."""
    cases: int
    rubrics: dict[str, str]
    """Text by name."""
    arms: tuple[str, ...]
    """Arms whose outputs are there."""
    no_arms: InputError | None
    """Why there are none."""
    agreement: tuple[AgreementOf, ...]
    """How far labellers agree; () before there is a label."""


def overview(source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS) -> Overview:
    """What there is to label of a case, and how far it has come.

    Args:
        source: The case.
        seed: As the lab was given it.
        max_tokens: As the lab was given it.

    Raises:
        InputError: If the case or its labels can't be read.
    """
    case = load_case(source)
    cases, rubrics = named_evalset(case) or (), read_rubrics(case)
    arms: tuple[str, ...] = ()
    why: InputError | None = None
    try:
        arms = tuple(sorted(answered(source, seed=seed, max_tokens=max_tokens).outputs))
    except InputError as caught:
        why = caught
    return Overview(
        lacking=sum(one.reference is None for one in cases), cases=len(cases), rubrics=rubrics,
        arms=arms, no_arms=why, agreement=agreement_so_far(source),
    )  # fmt: skip


def agreement_of(source: str | Path) -> tuple[tuple[AgreementOf, ...], dict[str, str]]:
    """How far labellers agree, () before there is a label; and what each rubric says, by digest.

    Raises:
        InputError: If the case or its labels can't be read.
    """
    rubrics = read_rubrics(load_case(source)).values()
    ways = ((), *((scale,) for scale in SCALES))
    return agreement_so_far(source), {digest_of(t, *way): t for t in rubrics for way in ways}


def add_rubric(source: str | Path, text: str) -> str:
    """Keep a rubric for the labellers of a case; its name.

    Raises:
        InputError: If it says nothing, or can't be kept.
    """
    return keep_rubric(load_case(source), text)
