"""What was worked out of a column a moment ago, and is asked for again by the next signal."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, TypeVar

_ALL: list[Remembered[Any, Any]] = []
Given = TypeVar("Given")
Made = TypeVar("Made")


class Remembered(Generic[Given, Made]):
    """A function that remembers what it gave for the last few arguments.

    Arguments are told apart as objects, so none may be changed between two calls.

    Args:
        function: What is asked.
        most: How many of its answers are remembered.
    """

    def __init__(self, function: Callable[[Given], Made], most: int) -> None:
        self._function, self._most = function, most
        self._recent: tuple[tuple[Given, Made], ...] = ()
        update_wrapper(self, function)
        _ALL.append(self)

    def __call__(self, given: Given) -> Made:
        """What the function gives, or gave."""
        for known, made in self._recent:
            if known is given:
                return made
        made = self._function(given)
        self.note(given, made)
        return made

    def forget(self) -> None:
        """Let go of all answers, and of what they were given for."""
        self._recent = ()

    def note(self, given: Given, made: Made) -> None:
        """Take an answer that came about on the way to something else."""
        self._recent = ((given, made), *self._recent[: self._most - 1])


def remembered(most: int) -> Callable[[Callable[[Given], Made]], Remembered[Given, Made]]:
    """Make a function remember what it gave for the last ``most`` arguments."""
    return lambda function: Remembered(function, most)


def forget() -> None:
    """Let every such function forget: nobody's texts stay behind once they were measured."""
    for each in _ALL:
        each.forget()
