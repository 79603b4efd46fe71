"""All errors, in one tree.

TuneworthyError
├── InputError           the input is wrong: what, where, and the fix (exit code 2)
│   ├── CaseError        a case file or folder
│   │   ├── ConflictError    a case file that changed since it was read
│   │   └── NoSuchCaseError  a name that is no case in the folder that is looked at
│   ├── FrameworkError   a framework file
│   ├── DossierError     a dossier given to be compared
│   └── StoppedError     paid calls that ended before their end (exit code 3)
└── OutputError          an output that can't be written (exit code 2)
"""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterator
from contextlib import contextmanager


class TuneworthyError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(TuneworthyError):
    """Something that the user gave us is wrong.

    ``what`` is a clause and ``fix`` a sentence, both without a full stop. ``where`` is a file and
    line, or an option of the command line.
    """

    def __init__(self, what: str, *, where: object = "", fix: str = "") -> None:
        self.what = what
        self.where = str(where)
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        """One line: where, what, the fix."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.fix:
            text = f"{text}. {self.fix[:1].upper()}{self.fix[1:]}"
        return one_line(text)


class CaseError(InputError):
    """A case that can't be read."""


class ConflictError(CaseError):
    """Somebody else changed the case after it was read, so nothing was written."""


class NoSuchCaseError(CaseError):
    """A name that isn't a case in the folder of cases."""


class FrameworkError(InputError):
    """A framework that can't be read."""


class DossierError(InputError):
    """A dossier that can't be read."""


class StoppedError(InputError):
    """Paid calls ended early: at their cap, by a refusal, or because the user stopped them."""


class OutputError(InputError):
    """An output file that can't be written."""


def one_line(text: str, limit: int = 400) -> str:
    """Make any text safe for one line of a terminal, whoever wrote it.

    Line breaks, control characters and direction overrides become visible escapes. Text past the
    limit becomes an ellipsis.
    """
    shown = "".join(map(visible, text))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def visible(letter: str) -> str:
    """One character, or a visible escape for a character that can't be printed."""
    if letter.isprintable():
        return letter
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def argument(value: object) -> str:
    """A path or a name, quoted so that it can be pasted into a shell."""
    return shlex.quote(str(value))


#: Years that a working clock can show: this package is younger than the first, and clocks that
#: count nanoseconds in 64 bits end in 2262.
_YEARS = range(2020, 2201)


def refuse_wrong_clock() -> None:
    """Refuse to go on where this machine's clock is wrong, because every record has a date."""
    from datetime import date

    try:
        today = date.today()
    except (OverflowError, OSError, ValueError):
        # a clock beyond all dates is wrong, and this is outside _YEARS
        today = date.max
    if today.year not in _YEARS:
        what = (
            f"the clock of this machine is at {today}, and what is kept needs the day"
        )
        raise InputError(what, fix="set the clock, and run it again")


@contextmanager
def extra_needed(name: str, needs: str, libraries: Container[str]) -> Iterator[None]:
    """Turn a missing library of an extra into one line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as caught:
        package, _, _ = (caught.name or "").partition(".")
        if package not in libraries:
            raise  # something else is missing, so the extra isn't the remedy
        fix = f'in a clone, pip install ".[{name}]" installs it'
        what = f"{needs} the extra {name} ({caught.name} is not installed)"
        raise InputError(what, fix=fix) from None
