"""``json_schema``: the output keeps the case's output schema; its content is not looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import FORMAT, NO_ANSWER, Context, Kit, Output, Scored, right, wrong

if TYPE_CHECKING:
    from tuneworthy.texts.schema import Validator


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """Right where the output is JSON, bare or in one fence, that keeps a schema."""

    valid: Validator
    id: str = "json_schema"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an output that keeps the schema, else 0."""
        from tuneworthy.texts.json_text import UNREAD

        del case, context
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        if output.json is UNREAD:
            return wrong("no_json", signal=FORMAT)
        if not self.valid(output.json):
            return wrong("breaks_schema", signal=FORMAT)
        return right("keeps_schema")


def make(of: Any, kit: Kit) -> JsonSchema:
    """A scorer from its parameter: schema, else the case's output schema.

    Raises:
        InputError: If there is no schema, or it is none that stands alone.
    """
    return JsonSchema(validator_of(Asked("json_schema", of, "", ("schema",)), kit))


def validator_of(asked: Asked, kit: Kit) -> Validator:
    """The test for a check's own schema, else for the case's.

    Raises:
        InputError: If there is none, or it is no JSON Schema.
    """
    from tuneworthy.texts.schema import validator

    own = asked.any("schema")
    schema = own if isinstance(own, dict) else kit.materials.output_schema
    valid, lacking = validator(schema)
    if valid is None:
        raise asked.bad("needs a schema", lacking or "name data.output_schema in the case")
    return valid
