"""What a team has beside its case file: data, by relative path or by count."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from tuneworthy.domain.record import (
    FileRecord,
    Natural,
    inside_folder,
    is_whole_number,
    one_or_many,
    shown,
    wrong,
)

_COUNTED = re.compile(r"[~<>]?\s*\d[\d.,_' ]*\s*[kKmM]?")
"""A count as people write it to each other; no file has such a name."""


def _to_holding(value: Any) -> Any:
    if isinstance(value, dict | Holding):
        return value
    return {"count": value} if is_whole_number(value) else {"path": value}


class Holding(FileRecord):
    """Something the team has: how many, where it lies, or both."""

    path: str | None = None
    """Relative path of the file or folder."""
    count: Natural | None = None
    """How many there are."""
    usable: Natural | None = None
    """How many of them are good enough to learn from, when somebody has counted."""

    @property
    def good(self) -> int | None:
        """How many count: the usable ones, or all of them where nobody counted those."""
        return self.count if self.usable is None else self.usable

    @field_validator("path")
    @classmethod
    def _path_inside(cls, value: str | None) -> str | None:
        if value is not None and _COUNTED.fullmatch(value):
            raise wrong(f'is "{shown(value)}"', "write the count as a plain number, such as 10000")
        return None if value is None else inside_folder(value)


SimpleHolding = Annotated[
    Holding, BeforeValidator(_to_holding, json_schema_input_type=Natural | str | Holding)
]


class Data(FileRecord):
    """What lies beside the case file, by relative path; counts where a count is all there is."""

    traces: Annotated[
        tuple[str, ...],
        BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...]),
        Field(max_length=1000),
    ] = ()
    """Logs of calls; globs are allowed."""
    evaluation: str | None = None
    """Evaluation set (JSONL)."""
    documents: SimpleHolding | None = None
    """Documents to retrieve from or to pretrain on."""
    examples: SimpleHolding | None = None
    """Quality examples of input and wanted output."""
    preference_pairs: SimpleHolding | None = None
    """Pairs of a better and a worse answer."""
    prompts: str | None = None
    """Folder of prompt variants."""
    glossary: str | None = None
    """Terms and the variants that are wrong."""
    voice: str | None = None
    """Folder of samples of how the brand speaks."""
    output_schema: str | None = None
    """JSON Schema of the output."""

    @field_validator("evaluation", "prompts", "glossary", "voice", "output_schema")
    @classmethod
    def _path_inside(cls, value: str | None) -> str | None:
        return None if value is None else inside_folder(value)

    @field_validator("traces")
    @classmethod
    def _traces_inside(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(inside_folder(item) for item in value)
