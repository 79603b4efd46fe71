"""Which terminal there is, and a case to talk about."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tuneworthy.errors import InputError
from tuneworthy.files.case import CASE_FILE, read_with_digest
from tuneworthy.interview.answers import read_script
from tuneworthy.interview.pages import welcome
from tuneworthy.interview.questions import is_answered, part_asks
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import PARTS
from tuneworthy.pipeline import framework_of, load_framework
from tuneworthy.terminal.session import InterviewSession, Listener
from tuneworthy.terminal.terminals import MenuTerminal, PlainTerminal, ScriptedTerminal, Terminal
from tuneworthy.workspace.cases import plain_title, start_case


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
        listener: The model for an interview in free words; None for single questions.
    """
    terminal: Terminal
    if script is not None:
        answers = read_script(script, _framework(source, chosen))
        if answers.messages and listener is None:
            fix = "add --model MODEL, or leave say out"
            raise InputError("says something to no model", where=script, fix=fix)
        terminal = ScriptedTerminal(answers)
    elif plain or not _moves():
        terminal = PlainTerminal(colour=colour)
    else:
        terminal = MenuTerminal(colour=colour)
    if not _is_there(source):
        name = terminal.name(plain_title(source))
        if name is None:
            return
        start_case(source, name, chosen)
    session = InterviewSession(source, terminal, chosen, as_of, colour)
    terminal.say(welcome(session.case.name, source))
    if isinstance(terminal, ScriptedTerminal):
        names = _answered_already(session, list(terminal.script.answers))
        for name, entry in [(name, terminal.answer(name)) for name in names]:
            session.change(name, entry)
    if listener is None:
        session.run()
    else:
        from tuneworthy.terminal.free import converse

        converse(session, listener)
    if isinstance(terminal, ScriptedTerminal):
        terminal.finish()


def _moves() -> bool:
    """Whether the terminal can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _is_there(source: str) -> bool:
    """Whether there is a case, or something else that reading it will name."""
    path = Path(source)
    if path.is_dir():
        return os.path.lexists(path / CASE_FILE)
    return os.path.lexists(path) or path.suffix in (".yaml", ".yml")


def _framework(source: str, chosen: str | None) -> Framework:
    if _is_there(source):
        return framework_of(read_with_digest(source).case, chosen)
    return load_framework(chosen or "lesson")


def _answered_already(session: InterviewSession, names: Sequence[str]) -> list[str]:
    """Ids of a script that the interview won't ask for, since the case has an answer."""
    case, framework = session.case, session.framework
    open_asks = {name for part in PARTS for name in part_asks(case, framework, part)}
    return [name for name in names if name not in open_asks and is_answered(case, framework, name)]
