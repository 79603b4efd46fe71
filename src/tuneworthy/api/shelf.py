"""A folder of cases, for surfaces that show many."""

from __future__ import annotations

from pathlib import Path

from tuneworthy.domain.errors import CaseError
from tuneworthy.files.shelf import Shelf

__all__ = ["Shelf", "open_shelf"]


def open_shelf(folder: str | Path) -> Shelf:
    """The cases in a folder, or the one case that the folder is.

    Raises:
        CaseError: If there is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        fix = "name a folder of cases, or a case folder"
        raise CaseError("is no folder", where=str(folder), fix=fix)
    return Shelf(path)
