"""Tuneworthy tells from evidence whether fine-tuning an LLM use case is worth it.

    from tuneworthy import decide, load_case, load_framework

    dossier = decide(load_case("examples/task-api"), load_framework("lesson"))
    dossier.verdict.outcome

Everything here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneworthy.errors import CaseError, FrameworkError, InputError, TuneworthyError
    from tuneworthy.model.case import Case
    from tuneworthy.model.dossier import Dossier
    from tuneworthy.model.framework import Framework
    from tuneworthy.pipeline import decide, load_case, load_framework, verdicts

__version__ = "0.1.0"

_HOMES = {
    "decide": "tuneworthy.pipeline",
    "load_case": "tuneworthy.pipeline",
    "load_framework": "tuneworthy.pipeline",
    "verdicts": "tuneworthy.pipeline",
    "Case": "tuneworthy.model.case",
    "Dossier": "tuneworthy.model.dossier",
    "Framework": "tuneworthy.model.framework",
    "TuneworthyError": "tuneworthy.errors",
    "InputError": "tuneworthy.errors",
    "CaseError": "tuneworthy.errors",
    "FrameworkError": "tuneworthy.errors",
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
