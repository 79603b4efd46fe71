"""Lines in, lines out: the only way to answer an interview in a terminal.

A whole line is one answer, whether it is typed or comes through a pipe.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import current_thread, main_thread
from typing import Literal, NamedTuple

import click

from tuneworthy.interview.pages import MARGIN, Sheet, question_page
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.interview import Ask

Act = Literal["answer", "unknown", "why", "back", "skip", "quit", "keep"]
"""The act of a user at a question; ``keep`` leaves the present value."""

Ways = Sequence[tuple[str, str]]  #: The choices, each behind its key.


class Entry(NamedTuple):
    """A user's reply to a question."""

    act: Act
    text: str = ""  #: For an answer: what was typed.


_ACTS: dict[str, Act] = {
    "d": "unknown",
    "?": "why",
    "b": "back",
    "s": "skip",
    "q": "quit",
}
_KEYS = {
    **{word: "d" for word in UNKNOWN_WORDS if word not in ("", "?")},
    "why": "?",
    "help": "?",
    "back": "b",
    "skip": "s",
    "skip part": "s",
    "quit": "q",
    "exit": "q",
    "yes": "y",
    "no": "n",
}  #: The whole words that people write for a key.


def key_of(line: str) -> str:
    """The key that a line means; for another line, the line in small letters."""
    word = line.strip().casefold().replace("’", "'")
    return _KEYS.get(word, word)


def read_entry(line: str) -> Entry | None:
    """Read a typed line as a command or an answer; None for an empty one.

    An answer that looks like a command is written behind ``=``.
    """
    typed = line.strip()
    if not typed:
        return None
    act = _ACTS.get(key_of(typed))
    if act is not None:
        return Entry(act)
    return Entry("answer", typed.removeprefix("="))


_LONGEST = 10_000  # characters of a line


class LineTerminal:
    """Shows pages and reads lines. The terminal only has to show text."""

    def __init__(self, *, colour: bool = False) -> None:
        self.colour = colour

    def say(self, page: Sheet | str) -> None:
        """Show a page, or a text that ends its own last line."""
        text = page if isinstance(page, str) else page.text(colour=self.colour)
        click.echo(text, nl=False, color=True)  # the page has decided about colour

    def ask(self, ask: Ask) -> Entry:
        """Ask a question, and read lines until one is an answer or a command."""
        self.say(question_page(ask))
        while True:
            line = self._line()
            if line is None:
                return Entry("quit")
            entry = read_entry(line)
            if entry is not None:
                return entry
            if ask.value:  # an empty line keeps the present answer
                return Entry("keep")
            self.say(f"{MARGIN}Answer it, or d if you don't know.\n")

    def choose(self, page: Sheet, ways: Ways) -> str:
        """Show a page, and return the key of the chosen way; ``q`` at the end of the input."""
        self.say(page)
        keys = [key for key, _ in ways]
        keys_by_name = {what.casefold(): key for key, what in ways}
        while True:
            line = self._line()
            if line is None:
                return "q"
            word = key_of(line)
            key = keys_by_name.get(word, word)
            if key in keys:
                return key
            *first, last = keys
            self.say(f"{MARGIN}Type {', '.join(first)} or {last}.\n")

    def name(self, suggested: str) -> str | None:
        """Ask for the name of a new case; None where the user wants none."""
        self.say(
            f"There is no case here yet. What is it called? (Enter: {suggested}; q stops)\n"
        )
        line = self._line()
        if line is None or key_of(line) == "q":
            return None
        return line.strip() or suggested

    def _line(self) -> str | None:
        """A line of the input, typed after all output so far; None at the end of the input."""
        sys.stdout.flush()  # the question has to be readable before an answer counts
        drop_typed_ahead()
        self.say(f"{MARGIN}> ")
        sys.stdout.flush()
        line = read_line(_LONGEST)
        if not sys.stdin.isatty():  # no terminal has ended the line of the prompt
            self.say("\n")
        return line


def drop_typed_ahead() -> None:
    """Drop lines that were typed into a terminal before the question could be read.

    Lines of a pipe were written for later questions, and stay.
    """
    if not sys.stdin.isatty():
        return
    try:
        import termios
    except ImportError:  # a system whose terminals can't be emptied
        return
    with suppress(termios.error):  # a terminal that was closed meanwhile
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def read_line(longest: int) -> str | None:
    """A line of the input, cut if it is far too long; None at the end."""
    _await_input()
    line = sys.stdin.readline(longest)
    rest = line
    while rest and not rest.endswith("\n"):  # drop the rest of a line that was cut
        rest = sys.stdin.readline(longest)
    return line or None


def _await_input() -> None:
    """Wait at a terminal until there is input, or a signal has come.

    Python notices a Ctrl-C just before ``read`` blocks only after the next line. The file that
    Python writes to at a signal ends this wait, whenever the signal comes.
    """
    # only the main thread may set that file
    if not sys.stdin.isatty() or current_thread() is not main_thread():
        return
    signalled, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        # a system on which a terminal can't be waited for
        with suppress(OSError, ValueError):
            select.select([sys.stdin, signalled], [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(signalled)
        os.close(writer)
