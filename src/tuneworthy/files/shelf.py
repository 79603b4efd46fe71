"""A folder of cases, as the page and an assistant see it: by name, and never a path outside."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tuneworthy.domain.errors import CaseError, NoSuchCaseError
from tuneworthy.files.case import CASE_FILE

MOST_CASES = 2_000
_NAME = re.compile(r"[^\W_][\w .()+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Case folders beside each other; or one case folder by itself."""

    folder: Path

    def names(self) -> tuple[str, ...]:
        """Names of the cases, sorted; empty where there is none, and where the folder is gone.

        Raises:
            CaseError: If there are more than ``MOST_CASES``.
        """
        if self._alone():
            return (self.folder.resolve().name,)
        if not self.folder.is_dir():
            return ()
        with os.scandir(self.folder) as entries:
            found = sorted(entry.name for entry in entries if self._holds(entry.name))
        if len(found) > MOST_CASES:
            what, fix = f"holds more than {MOST_CASES} cases", "part it into several folders"
            raise CaseError(what, where=str(self.folder), fix=fix)
        return tuple(found)

    def path(self, name: str) -> Path:
        """The folder of a case, by its name.

        Raises:
            NoSuchCaseError: If there is none; whatever leads out of the folder is none.
        """
        if self._alone() and name == self.folder.resolve().name:
            return self.folder
        if self._alone() or not self._holds(name):
            fix = "choose one of those that are listed"
            raise NoSuchCaseError(f'"{name[:80]}" is no case here', where=self.folder.name, fix=fix)
        return self.folder / name

    def place(self, name: str) -> Path:
        """Where a new case of this name would go.

        Raises:
            CaseError: If the name is none for a folder, or taken.
        """
        if _NAME.fullmatch(name) is None or name != name.strip() or name.endswith("."):
            fix = "letters, digits, spaces, dots and hyphens, 100 at most"
            raise CaseError(f'"{name[:80]}" is no name for a case', fix=fix)
        if self._alone():
            fix = "serve the folder above it to keep several"
            raise CaseError("is one case by itself", where=self.folder.name, fix=fix)
        path = self.folder / name
        if os.path.lexists(path):
            raise CaseError(
                f'"{name}" is there already', where=self.folder.name, fix="another name"
            )
        return path

    def _alone(self) -> bool:
        return (self.folder / CASE_FILE).is_file()

    def _holds(self, name: str) -> bool:
        """Whether a plain name is a folder with a case in it, and neither leads out of here."""
        if _NAME.fullmatch(name) is None:
            return False
        path = self.folder / name
        file = path / CASE_FILE
        try:
            return self._inside(path) and self._inside(file) and file.is_file()
        except (OSError, RuntimeError):
            return False

    def _inside(self, path: Path) -> bool:
        """Whether something with a plain name is no link, or one that stays in this folder."""
        return not path.is_symlink() or path.resolve().is_relative_to(self.folder.resolve())
