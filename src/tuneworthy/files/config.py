"""The user's own configuration: ``~/.config/tuneworthy/config.yaml``."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.llm.hosts import config_path, read_host
from tuneworthy.model.base import FileRecord, wrong
from tuneworthy.syntax.document import ParsedFile, build, parse


def _host(text: str) -> str:
    try:
        return read_host(text)
    except CaseError:
        raise wrong(f'holds "{text[:80]}", which is not a host', "write llm.example.com") from None


class UserConfig(FileRecord):
    """What a user says once for all cases."""

    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    """Hosts that models may be called at, beside their vendors' own."""


def read_config() -> UserConfig:
    """The user's own configuration; an empty one where there is no file."""
    path = config_path()
    if path is None or not os.path.lexists(path):
        return UserConfig()
    parsed = parse(read_text(path, MIB, InputError), str(path), InputError)
    data = {} if parsed.data is None else parsed.data
    return build(UserConfig, ParsedFile(data, parsed.name, parsed.lines), InputError)
