"""``regex``: a pattern is found in the output. Its time is linear in the text, for any pattern.

Patterns come from case files, so they are strangers' too: ``re`` can be made to run for years. The
engine is that of jsonschema-rs (Rust's ``regex``), which has no look-around and no references.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import NO_ANSWER, WRONG, Context, Kit, Output, Scored, right, wrong

LONGEST_PATTERN = 2000
_LARGEST_BYTES = 2_000_000  # of a compiled pattern; a{1000}{1000} would take gigabytes


@dataclass(frozen=True, slots=True)
class Regex:
    """Right where the pattern is found, or with ``absent`` where it is not."""

    pattern: str
    found: Callable[[str], bool]
    absent: bool = False
    id: str = "regex"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 or 0; an empty output fails unless something has to be absent."""
        del case, context
        text = output.text.encode("utf-8", "replace").decode("utf-8")
        if self.found(text) is not self.absent:
            return right("pattern_absent" if self.absent else "pattern_found")
        signal = NO_ANSWER if output.blank else WRONG
        why = "pattern_found" if self.absent else "pattern_absent"
        return wrong(why, signal=signal, about=self.pattern)


def make(of: Any, kit: Kit) -> Regex:
    """A scorer from its parameters: pattern, whole (the whole output), absent, capitals.

    Raises:
        InputError: If the pattern can't be used, or its engine is not installed.
    """
    del kit
    asked = Asked("regex", of, "pattern", ("pattern", "whole", "absent", "capitals"))
    pattern = asked.text("pattern")
    if len(pattern) > LONGEST_PATTERN:
        raise asked.bad(
            "gives a pattern that is too long", f"keep it under {LONGEST_PATTERN} characters"
        )
    told = f"^(?:{pattern})$" if asked.flag("whole") else pattern
    if not asked.flag("capitals", default=True):
        told = f"(?i){told}"
    _compiled(asked, pattern)  # by itself: a stray bracket must not close the group around it
    return Regex(pattern, _compiled(asked, told), asked.flag("absent"))


def _compiled(asked: Asked, pattern: str) -> Callable[[str], bool]:
    try:
        import jsonschema_rs
    except ImportError:
        fix = "install it: pip install 'tuneworthy[traces]'"
        raise asked.bad("needs jsonschema-rs, whose engine is linear in time", fix) from None
    options = jsonschema_rs.RegexOptions(size_limit=_LARGEST_BYTES, dfa_size_limit=_LARGEST_BYTES)
    try:
        return jsonschema_rs.validator_for(
            {"type": "string", "pattern": pattern}, offline=True, pattern_options=options
        ).is_valid
    except (jsonschema_rs.ValidationError, ValueError):
        fix = "write it without look-around and references, and keep repetitions small"
        raise asked.bad("gives a pattern that can't be used", fix) from None
