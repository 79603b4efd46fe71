"""From answers to a verdict: weigh, rules, challenges, options, gates."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

TABLES: dict[str, Any] = tomllib.loads(
    files("tuneworthy.verdict").joinpath("tables.toml").read_text("utf-8")
)  #: What things are called in sentences, and which measurement stands for what.
