"""Every picture of a dossier by its id, with its words and its table; nothing is drawn yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tuneworthy.domain.dossier import Dossier
from tuneworthy.report.html.blocks import Block, Fold, Part, Picture, Section
from tuneworthy.report.html.page import sections


def pictures(dossier: Dossier) -> dict[str, Picture]:
    """The pictures of the report, in its order; empty where there is nothing to draw."""
    return pictures_in(sections(dossier))


def pictures_in(found: Iterable[Section]) -> dict[str, Picture]:
    """The pictures of some sections, in their order."""
    return {picture.id: picture for one in found for picture in _inside(one.blocks)}


def _inside(blocks: Iterable[Block]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, (Fold, Part)):
            yield from _inside(block.blocks)
