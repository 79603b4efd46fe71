"""Tuneworthy tells from evidence whether fine-tuning an LLM use case is worth it.

    from tuneworthy import decide, load_case, load_framework

    dossier = decide(load_case("examples/task-api"), load_framework("lesson"))
    dossier.verdict.outcome

Everything here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuneworthy.domain.version import __version__

if TYPE_CHECKING:
    from tuneworthy.api.road import decide, load_case, load_framework, verdicts
    from tuneworthy.domain.case import Case
    from tuneworthy.domain.dossier import Dossier
    from tuneworthy.domain.errors import CaseError, FrameworkError, InputError, TuneworthyError
    from tuneworthy.domain.framework import Framework

_HOMES = {
    "decide": "tuneworthy.api.road",
    "load_case": "tuneworthy.api.road",
    "load_framework": "tuneworthy.api.road",
    "verdicts": "tuneworthy.api.road",
    "Case": "tuneworthy.domain.case",
    "Dossier": "tuneworthy.domain.dossier",
    "Framework": "tuneworthy.domain.framework",
    "TuneworthyError": "tuneworthy.domain.errors",
    "InputError": "tuneworthy.domain.errors",
    "CaseError": "tuneworthy.domain.errors",
    "FrameworkError": "tuneworthy.domain.errors",
}

__all__ = [
    "Case",
    "CaseError",
    "Dossier",
    "Framework",
    "FrameworkError",
    "InputError",
    "TuneworthyError",
    "__version__",
    "decide",
    "load_case",
    "load_framework",
    "verdicts",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tuneworthy' has no attribute {name!r}")
