"""Which terminal there is, and a case to talk about."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.case import CASE_FILE, read_with_digest
from tuneworthy.interview import answers as api
from tuneworthy.interview.pages import welcome
from tuneworthy.interview.questions import is_answered, part_asks
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import PARTS
from tuneworthy.pipeline import framework_of, load_framework
from tuneworthy.terminal.talk import Listener, Menus, Plain, Scripted, Talk, Terminal
from tuneworthy.workspace.cases import start_case


def interview(
    source: str,
    *,
    chosen: str | None,
    as_of: date | None,
    plain: bool,
    script: str | None,
    colour: bool,
    listener: Listener | None = None,
) -> None:
    """Talk about a case until whoever answers has had enough.

    Args:
        source: Case folder or case file; a folder that isn't there, or holds no case, gets one.
        chosen: Framework, as on the command line.
        as_of: The day the verdict speaks for.
        plain: Lines only, also where there could be menus.
        script: File with the answers, instead of a person.
        colour: Whether the terminal takes colour.
        listener: The model that listens; None for single questions.

    Raises:
        InputError: If the case, the framework, the script or an answer in it is wrong, or the model
            can't be asked.
    """
    terminal: Terminal
    if script is not None:
        framework = _framework(source, chosen)
        read = api.read_script(script, framework)
        if read.says and listener is None:
            fix = "add --model MODEL, or leave say out"
            raise InputError("says something to no model", where=script, fix=fix)
        terminal = Scripted(read, colour=colour)
    elif plain or not _moves():
        terminal = Plain(colour=colour)
    else:
        terminal = Menus(colour=colour)
    if not _there(source) and not _made(source, chosen, terminal):
        return
    talk = Talk(source, terminal, chosen, as_of, colour)
    terminal.say(welcome(talk.case.name, source))
    if isinstance(terminal, Scripted):
        for name, said in terminal.changes(_answered(talk, terminal.script)):
            talk.change(name, said)
    if listener is None:
        talk.run()
    else:
        from tuneworthy.terminal.free import converse

        converse(talk, listener)
    if isinstance(terminal, Scripted):
        terminal.finish()


def _moves() -> bool:
    """Whether the terminal can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _there(source: str) -> bool:
    """Whether there is a case, or something else that reading it will name."""
    path = Path(source)
    if path.is_dir():
        return os.path.lexists(path / CASE_FILE)
    return os.path.lexists(path) or path.suffix in (".yaml", ".yml")


def _made(source: str, chosen: str | None, terminal: Terminal) -> bool:
    """Start a case; False where nobody wants one."""
    folder = one_line(Path(os.path.abspath(source)).name)  # noqa: PTH100  # never raises
    suggested = folder.replace("-", " ").replace("_", " ").capitalize()[:200] or "My use case"
    name = terminal.name(suggested)
    if name is None:
        return False
    start_case(source, name, chosen)
    return True


def _framework(source: str, chosen: str | None) -> Framework:
    if _there(source):
        return framework_of(read_with_digest(source).case, chosen)
    return load_framework(chosen or "lesson")


def _answered(talk: Talk, script: api.Script) -> list[str]:
    """Ids of the script that the interview won't ask for, since the case has an answer."""
    asked = {name for part in PARTS for name in part_asks(talk.case, talk.framework, part)}
    return [
        name
        for name in script.answers
        if name not in asked and is_answered(talk.case, talk.framework, name)
    ]
