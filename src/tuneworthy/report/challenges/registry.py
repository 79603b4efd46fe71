"""Where the words of each challenge are registered, under the challenge's id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Numbers = Mapping[str, Any]
Words = Callable[[Numbers], tuple[str, str]]

WORDS: dict[str, Words] = {}
"""Challenge id to a function from its numbers to what it says and what would settle it."""


def says(function: Words) -> Words:
    """Register a function under its own name, less the underscore."""
    WORDS[function.__name__.removeprefix("_")] = function
    return function
