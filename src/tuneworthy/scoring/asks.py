"""What a check asks for: the parameters in ``of``, read strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from tuneworthy.domain.errors import InputError, one_line


class Asked:
    """The parameters of one check.

    Args:
        scorer: Its id, for errors.
        of: What the check says: a mapping of parameters, or the main one alone.
        main: Name of the parameter that may stand alone; empty for none.
        known: Names of all parameters.

    Raises:
        InputError: For a parameter that is not known, or ``of`` that is neither.
    """

    def __init__(self, scorer: str, of: Any, main: str, known: Sequence[str]) -> None:
        self.scorer = scorer
        if isinstance(of, Mapping):
            self._told = {str(key): value for key, value in of.items()}
        elif of is None:
            self._told = {}
        elif main:
            self._told = {main: of}
        else:
            raise self.bad("takes a mapping", f"write of: {{{', '.join(known)}}}")
        for key in self._told:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                meant = f", {near[0]} maybe" if near else ""
                raise self.bad(f'has no parameter "{key[:40]}"', f"use {', '.join(known)}{meant}")

    def bad(self, what: str, fix: str) -> InputError:
        """An error about this check."""
        return InputError(one_line(f"check {self.scorer[:40]} {what}"), fix=fix)

    def has(self, name: str) -> bool:
        """Whether a parameter is given."""
        return self._told.get(name) is not None

    def any(self, name: str) -> Any:
        """A parameter as it stands; None where it is not given."""
        return self._told.get(name)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no.

        Raises:
            InputError: If it is neither.
        """
        value = self._told.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.bad(f"gives {name} that is no true or false", "write true or false")
        return value

    def number(self, name: str, default: float | None = None, *, low: float = 0) -> float | None:
        """A finite number of at least ``low``.

        Raises:
            InputError: If it is none.
        """
        value = self._told.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad(f"gives {name} that is no number", f"write a number from {low:g}")
        if not low <= value <= 1e15 or not math.isfinite(value):
            raise self.bad(f"gives {name} out of range", f"write a number from {low:g}")
        return float(value)

    def word(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of some words.

        Raises:
            InputError: If it is another.
        """
        value = self._told.get(name, default)
        if value not in allowed:
            raise self.bad(f"gives an unknown {name}", f"use {', '.join(allowed)}")
        return str(value)

    def text(self, name: str) -> str:
        """A text that has to be there.

        Raises:
            InputError: If it is missing, empty or no text.
        """
        value = self._told.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.bad(f"needs {name}", f"write {name} as text")
        return value

    def texts(self, name: str, most: int = 500) -> tuple[str, ...]:
        """A text or several; () where none is given.

        Raises:
            InputError: If one is no text or empty, or there are more than ``most``.
        """
        value = self._told.get(name)
        if value is None:
            return ()
        many = (value,) if isinstance(value, str) else value
        if not isinstance(many, list | tuple) or len(many) > most:
            raise self.bad(f"gives {name} that is no list", f"list up to {most} texts")
        if not all(isinstance(one, str) and one.strip() for one in many):
            raise self.bad(f"gives {name} with something that is no text", "write texts alone")
        return tuple(many)
