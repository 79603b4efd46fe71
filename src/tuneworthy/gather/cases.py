"""Drawn conversations as cases: masked, named by what they say, and split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tuneworthy.domain.evalset import EvalCase, Passage, Said
from tuneworthy.files.evalset import split_of
from tuneworthy.gather.frame import Question, Unit
from tuneworthy.gather.personal.mask import Masker

_DIGITS = 12


class Cases:
    """Gathers cases.

    Args:
        seed: For the split.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._found: list[EvalCase] = []
        self._ids: dict[str, int] = {}
        self.masked: dict[str, int] = {}
        """Cases with something hidden, by kind."""
        self.lost = 0
        """Right answers left out because only they hold what masking hid."""

    def add(self, unit: Unit, weight: float, tags: tuple[str, ...]) -> None:
        """Take a conversation.

        Args:
            unit: The conversation; each of its questions becomes a case.
            weight: Traces it stands for, all its questions together.
            tags: Words to group its cases by.
        """
        each = weight / len(unit.questions)
        masker = Masker()  # one for the conversation: its cases say the same words again
        made = [self._case(one, masker, each, tags) for one in unit.questions]
        talk = f"talk {made[0].id}" if len(made) > 1 else None
        placed = [one.model_copy(update={"conversation_id": talk}) for one in made]
        side = split_of(placed[0], seed=self._seed)
        self._found += [one.model_copy(update={"split": side}) for one in placed]
        for kind in masker.kinds:
            self.masked[kind] = self.masked.get(kind, 0) + len(made)

    def all(self) -> tuple[EvalCase, ...]:
        """The cases so far, with a mean weight of 1."""
        total = sum(one.weight for one in self._found)
        scale = len(self._found) / total if total else 1.0
        return tuple(one.model_copy(update={"weight": one.weight * scale}) for one in self._found)

    def _case(
        self, asked: Question, masker: Masker, weight: float, tags: tuple[str, ...]
    ) -> EvalCase:
        turns = [Said(role=t.role, content=masker(_whole(t.content))) for t in asked.turns]
        passages = tuple(Passage(text=masker(_whole(text))) for text in asked.contexts)
        known = masker.seen()
        reference = None if asked.reference is None else masker(_whole(asked.reference))
        if masker.seen() > known:  # what isn't in the question can't be asked for any more
            reference, self.lost = None, self.lost + 1
        alone = len(turns) == 1 and turns[0].role == "user"
        return EvalCase(
            id=self._id([f"{one.role}: {one.content}" for one in turns]),
            input=turns[0].content if alone else None,
            messages=() if alone else tuple(turns),
            reference=reference,
            contexts=passages,
            tags=tags,
            weight=weight,
        )

    def _id(self, said: Sequence[str]) -> str:
        """A name by what is asked, so that the same case is called the same in another draw."""
        told = hashlib.sha256("\n".join(said).encode("utf-8")).hexdigest()[:_DIGITS]
        number = self._ids[told] = self._ids.get(told, 0) + 1
        return told if number == 1 else f"{told}-{number}"


def _whole(text: str) -> str:
    """Half a pair of UTF-16 can't be written to a file."""
    return text.encode("utf-8", "replace").decode()
