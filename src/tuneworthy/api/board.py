"""The cases of a folder, judged; and judged again only when something they rest on has changed."""

from __future__ import annotations

import math
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Generic, TypeVar

from tuneworthy.api.cases import answer_path
from tuneworthy.api.history import remember
from tuneworthy.api.outlook import Remembered
from tuneworthy.api.resting import Resting, resting_on
from tuneworthy.api.road import decide, today
from tuneworthy.api.start import start_case
from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import InputError
from tuneworthy.domain.framework import Framework
from tuneworthy.files.disk import made_whole
from tuneworthy.files.edit import put
from tuneworthy.files.shelf import Shelf
from tuneworthy.report.glance import Glance, glance

_PAGE = 50
"""Cases in one part of the list."""
_MOMENT_S = 0.08
"""After so long a part ends early, so that the first is there at once."""
_STEP_ASIDE_S = 0.01
_DOSSIERS, _GLANCES = 200, 2_000
"""How many are kept: the whole ones are large, the lines of a list are not."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A case with its dossier, as its files were."""

    case: Case
    """As it was told."""
    framework: Framework
    dossier: Dossier
    digest: str
    """SHA-256 of the case file's text, for compare-and-set."""
    text: str = ""
    """Of the case file."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case in a list: what it comes to, or why it can't be read."""

    name: str
    glance: Glance | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the list."""

    rows: tuple[Row, ...]
    total: int
    """Cases in the folder."""
    matching: int
    """Of them, those that fit the filter."""
    left: bool
    """Whether more follow."""


class Board:
    """A shelf of cases with their dossiers. Safe to use from several threads.

    Args:
        shelf: The cases.
        chosen: Framework to judge all of them by; each case's own when not given.
        as_of: The day the dossiers speak for; today, whenever that is, when not given.
    """

    def __init__(self, shelf: Shelf, chosen: str | None = None, as_of: date | None = None) -> None:
        self.shelf, self.chosen, self.as_of = shelf, chosen, as_of
        self._dossiers: _Kept[Judged] = _Kept(_DOSSIERS)
        self._glances: _Kept[Glance] = _Kept(_GLANCES)
        self.draw = Remembered()
        self._lock, self._waited_for = Lock(), 0

    def judged(self, name: str) -> Judged:
        """A case and its dossier, from what its files say now.

        Raises:
            InputError: If there is no such case, or it can't be judged.
        """
        found = self._resting(name)
        return self._dossiers.find(name, found) or self._judge(name, found)

    def answer(self, name: str, answers: Mapping[str, str], digest: str) -> Judged:
        """Write answers into a case that is still as its reader saw it, and judge it again.

        Args:
            name: The case.
            answers: Check, factor, signal or dotted path to its value.
            digest: Of the case file, as the reader saw it.

        Raises:
            ConflictError: If somebody else changed the case file meanwhile; nothing is written.
            InputError: If an answer is wrong; nothing is written.
        """
        before, dossiers = self._resting(name), list[Dossier]()
        places = {answer_path(key, before.framework): value for key, value in answers.items()}

        def check(case: Case) -> None:
            dossiers.append(self.decide(case, before.framework))

        written = put(self.shelf.path(name), places, read_digest=digest, check=check)
        after = self._resting(name)
        if after.digest != before.digest:
            remember(after.case, (before.text, after.text))
        if (after.digest, after.besides) == (written.digest, before.besides):
            return self._keep(name, after, dossiers[-1])
        return self.judged(name)

    def listed(self, find: str = "", after: str = "") -> Listing:
        """A part of the list, by name; as many as can be told in a moment.

        Args:
            find: Words that the name of the folder or the title has to hold; all for none. A title
                counts once the case was judged.
            after: The name behind which to go on.
        """
        names = self.shelf.names()
        words = find.casefold().split()
        matching = [name for name in names if all(word in self._called(name) for word in words)]
        left = [name for name in matching if name > after]
        until, rows = monotonic() + _MOMENT_S, []
        with self._before_others():
            for name in left[:_PAGE]:
                rows.append(self.row(name))
                if monotonic() > until:
                    break
        return Listing(tuple(rows), len(names), len(matching), len(rows) < len(left))

    def _called(self, name: str) -> str:
        line = self._glances.last(name)
        return f"{name} {line.title if line is not None else ''}".casefold()

    def row(self, name: str) -> Row:
        """A case as a line of the list; one that can't be read says why."""
        try:
            found = self._resting(name)
            line = self._glances.find(name, found)
            if line is None:
                line = glance(self._judge(name, found).dossier)
        except InputError as caught:
            return Row(name, None, plain_error(caught, self.shelf))
        except Exception as caught:  # noqa: BLE001  # one case must not hide all the others
            return Row(name, None, plain_error(fault_of_ours(caught, name), self.shelf))
        return Row(name, line)

    def warm(self, within_s: float = math.inf) -> None:
        """Judge every case once, so that the list is there at once.

        Args:
            within_s: After so many seconds it stops.
        """
        until = monotonic() + within_s
        with suppress(InputError):  # too many cases: the list says so itself
            for name in self.shelf.names():
                self.row(name)
                if monotonic() > until:
                    break
                while self._waited_for:
                    sleep(_STEP_ASIDE_S)

    @contextmanager
    def _before_others(self) -> Iterator[None]:
        """While somebody waits for a list, nothing is judged that nobody asked for."""
        with self._lock:
            self._waited_for += 1
        try:
            yield
        finally:
            with self._lock:
                self._waited_for -= 1

    def start(self, name: str, title: str) -> Path:
        """Make a case folder, there whole or not at all.

        Args:
            name: Of the folder.
            title: What the use case is called.

        Raises:
            InputError: If the name is none for a folder, or taken.
        """
        place = self.shelf.place(name)
        with made_whole(place) as folder:
            start_case(folder, title, self.chosen)
        return place

    def _resting(self, name: str) -> Resting:
        return resting_on(self.shelf.path(name), self.chosen, self.day())

    def _judge(self, name: str, found: Resting) -> Judged:
        dossier = self.decide(found.case, found.framework)
        # what changed while it was judged may be in the dossier, and isn't in its key
        now = self._resting(name)
        if (now.digest, now.besides) == (found.digest, found.besides):
            return self._keep(name, found, dossier)
        return Judged(found.case, found.framework, dossier, found.digest, found.text)

    def _keep(self, name: str, found: Resting, dossier: Dossier) -> Judged:
        judged = Judged(found.case, found.framework, dossier, found.digest, found.text)
        self._dossiers.keep(name, found, judged)
        self._glances.keep(name, found, glance(dossier))
        return judged

    def decide(self, case: Case, framework: Framework) -> Dossier:
        """A dossier of a case that needn't be one of the folder's, as a what-if."""
        return decide(case, framework, as_of=self.day(), draw=self.draw)

    def day(self) -> date:
        """The day the dossiers speak for."""
        return self.as_of or today()


T = TypeVar("T")


class _Kept(Generic[T]):
    """The last of each name, as long as what it rests on is the same; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._found: OrderedDict[str, tuple[tuple[str, str], T]] = OrderedDict()

    def find(self, name: str, rests: Resting) -> T | None:
        """What was kept for exactly this."""
        with self._lock:
            kept = self._found.get(name)
            if kept is None or kept[0] != (rests.digest, rests.besides):
                return None
            self._found.move_to_end(name)
            return kept[1]

    def last(self, name: str) -> T | None:
        """What was kept, whether it still holds or not."""
        with self._lock:
            kept = self._found.get(name)
            return None if kept is None else kept[1]

    def keep(self, name: str, rests: Resting, value: T) -> None:
        """Keep it in the place of what was there."""
        with self._lock:
            self._found[name] = (rests.digest, rests.besides), value
            self._found.move_to_end(name)
            while len(self._found) > self._most:
                self._found.popitem(last=False)


def fault_of_ours(caught: Exception, name: str) -> InputError:
    """What nobody foresaw, as an error about the case of this name."""
    return InputError(f"a fault of ours ({type(caught).__name__}: {caught})", where=name)


def plain_error(caught: InputError, shelf: Shelf) -> str:
    """An error in one line, with paths as seen from the folder of cases."""
    text = str(caught)
    folders = dict.fromkeys(
        map(str, (shelf.folder.resolve(), shelf.folder.absolute(), shelf.folder))
    )
    for folder in folders:
        if folder != ".":
            whole = rf"(?<![\w./-]){re.escape(folder)}"
            text = re.sub(rf"{whole}{re.escape(os.sep)}", "", text)
            text = re.sub(rf"{whole}(?![\w-])", shelf.folder.name or "the folder", text)
    return text
