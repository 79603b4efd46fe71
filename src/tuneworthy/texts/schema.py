"""A JSON Schema as a test of values; it fetches nothing and takes no time that grows wild."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuneworthy.texts.schema_size import Size

Validator = Callable[[Any], bool]

MOST_PARTS = 5_000
"""Of a schema, gone through for one place of a value: some milliseconds at worst."""


def validator(schema: Mapping[str, Any] | None) -> tuple[Validator | None, str]:
    """A test for one schema.

    References to other documents are refused, because nothing is fetched; patterns are matched by
    an engine whose time is linear in the text; and a schema whose references multiply is refused
    before it is used.

    Args:
        schema: A JSON Schema of any draft; None for none.

    Returns:
        The test, and nothing; or None with what to mend, for a schema that is none; or None and
        nothing where none is given. A value too deep to be looked through doesn't pass.
    """
    if schema is None:
        return None, ""
    import jsonschema_rs

    if Size(dict(schema), MOST_PARTS).count() >= MOST_PARTS:
        return None, (
            f"mend data.output_schema: its references lead to {MOST_PARTS:,} parts or more for one"
            " value; let fewer of allOf, anyOf and oneOf lead to each other"
        )
    try:
        compiled = jsonschema_rs.validator_for(
            dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as problem:
        says = " ".join(str(problem).split())[:120]
        return None, f"mend data.output_schema: it is no JSON Schema that stands alone ({says})"

    def valid(value: Any) -> bool:
        try:
            return compiled.is_valid(value)
        except (ValueError, RecursionError, jsonschema_rs.ValidationError):
            return False

    return valid, ""
