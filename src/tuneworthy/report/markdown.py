"""Markdown that means what the text says: escaping, and lists of challenges."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tuneworthy.model.dossier import ChallengeResult
from tuneworthy.report.text import safe


def md(text: str) -> str:
    """What somebody wrote, as Markdown that shows it and does nothing else."""
    shown = safe(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_\[\]|~])", r"\\\1", shown)
    return re.sub(r"^(\s*\d*)([#+.)-])(?=\s)", r"\1\\\2", shown)


def challenge_lines(found: Sequence[ChallengeResult]) -> list[str]:
    """Challenges under a heading, each with what settles it; [] for none."""
    if not found:
        return []
    lines = ["## What doesn't fit together", ""]
    for number, one in enumerate(found, start=1):
        between = ", ".join(f"`{path}`" for path in map(_code, one.between))
        lines.append(f"{number}. **{one.severity}** ({between}): {md(one.says)}")
        lines.append(f"   To settle: {md(one.settle)}")
    return lines


def _code(path: str) -> str:
    return safe(path).replace("`", "'")
