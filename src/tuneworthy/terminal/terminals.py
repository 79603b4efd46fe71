"""Who answers an interview: a person at lines or menus, or a file of answers."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Sequence
from threading import current_thread, main_thread
from typing import Any, Literal, NamedTuple

import click

from tuneworthy.errors import InputError
from tuneworthy.interview.pages import MARGIN, Sheet, keys_line, note, question_page
from tuneworthy.model.interview import Ask

Act = Literal["answer", "unknown", "why", "back", "skip", "quit", "keep", "pass"]
"""What may be done at a question; ``keep`` leaves its value, ``pass`` says nothing."""

Topic = Literal["conflict", "rest", "confirm"]
"""What a choice is about: a way out of a conflict, what to go on with, a model's proposal."""

Ways = Sequence[tuple[str, str]]  #: What may be chosen, each behind its key.


class Entry(NamedTuple):
    """What came back from a question."""

    act: Act
    text: str = ""  #: For an answer: what was typed.


_COMMANDS: dict[str, Act] = {
    "d": "unknown",
    "don't know": "unknown",
    "?": "why",
    "b": "back",
    "s": "skip",
    "q": "quit",
}
_AT_END: dict[Topic, str] = {"conflict": "q", "rest": "q", "confirm": "n"}


def read_entry(line: str | None) -> Entry | None:
    """What a line means; None for an empty one. The end of the input is the end of the talk.

    An answer that looks like a command is written behind ``=``.
    """
    if line is None:
        return Entry("quit")
    word = line.strip()
    if not word:
        return None
    act = _COMMANDS.get(word.casefold())
    return Entry(act) if act is not None else Entry("answer", word.removeprefix("="))


_LONGEST = 10_000  # characters of a line
_FENCE = "```"
_PASTED_S = 0.03  # nobody types the next line that fast: it was pasted along


class PlainTerminal:
    """Lines in, lines out: for a pipe, a dumb terminal, and whoever likes it plain.

    Needs no more of a terminal than that it shows text.
    """

    keys = True  #: Whether pages say what may be typed; not where there are menus.

    def __init__(self, *, colour: bool = False) -> None:
        self.colour = colour

    def say(self, page: Sheet | str) -> None:
        """Show a page, or a text that ends its last line."""
        text = page if isinstance(page, str) else page.text(colour=self.colour, keys=self.keys)
        click.echo(text, nl=False, color=True)  # the page has decided about colour

    def ask(self, ask: Ask) -> Entry:
        self.say(question_page(ask))
        if not self.keys:
            self.say(note(keys_line(ask)))
        while (entry := read_entry(self._line())) is None:
            if ask.value:
                return Entry("keep")
            self.say(f"{MARGIN}Answer it, or d if you don't know.\n")
        return entry

    def choose(self, topic: Topic, page: Sheet, ways: Ways) -> str:
        """Show a page, and take the key of one way."""
        self.say(page)
        keys = [key for key, _ in ways]
        while (line := self._line()) is not None:
            if (word := line.strip().casefold()) in keys:
                return word
            self.say(f"{MARGIN}Type {', '.join(keys[:-1])} or {keys[-1]}.\n")
        return _AT_END[topic]

    def words(self) -> str | None:
        """What a person writes freely; None at the end of the input.

        A line, with those that were pasted along or are between lines of backticks.
        """
        line = self._line()
        if line is None:
            return None
        lines, fenced = [line], line.lstrip().startswith(_FENCE)
        while fenced or (sys.stdin.isatty() and _is_ready(within_s=_PASTED_S)):
            more = self._read()
            lines.append(more if more and sum(map(len, lines)) < _LONGEST else "")
            if more is None or (fenced and more.strip() == _FENCE):
                break
        return "".join(lines)

    def name(self, suggested: str) -> str | None:
        """What a new use case is called; None to make none."""
        self.say(f"There is no case here yet. What is it called? (Enter: {suggested}; q stops)\n")
        line = self._line()
        if line is None or line.strip().casefold() == "q":
            return None
        return line.strip() or suggested

    def _line(self) -> str | None:
        self.say(f"{MARGIN}> ")
        sys.stdout.flush()
        return self._read()

    def _read(self) -> str | None:
        line = read_line(_LONGEST)
        if not sys.stdin.isatty():
            self.say("\n")
        return line


def read_line(longest: int) -> str | None:
    """A line of the input, cut where it is far too long; None at its end."""
    _await_input()
    line = part = sys.stdin.readline(longest)
    while part and not part.endswith("\n"):
        part = sys.stdin.readline(longest)
    return line or None


def _await_input() -> None:
    """Wait at a terminal until there is input, or a signal has come.

    A Ctrl-C that comes just before ``read`` blocks is noticed only after the next line; the file
    that Python writes to at a signal ends this wait, whenever the signal comes.
    """
    if not sys.stdin.isatty() or current_thread() is not main_thread():
        return
    signalled, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        _is_ready(signalled)
    finally:
        signal.set_wakeup_fd(before)
        os.close(signalled)
        os.close(writer)


def _is_ready(*more: int, within_s: float | None = None) -> bool:
    """Wait for a terminal's input, or for one of more files; whether one of them came in time."""
    try:
        return bool(select.select([sys.stdin, *more], [], [], within_s)[0])
    except (OSError, ValueError):  # a system on which a terminal can't be waited for
        return False


_MOVES = (
    ("d", "I don't know"),
    ("?", "why is this asked?"),
    ("b", "back"),
    ("s", "skip this part"),
    ("q", "quit"),
)


class MenuTerminal(PlainTerminal):
    """Menus to move about in and lines to edit, where the terminal can: by questionary."""

    keys = False

    def __init__(self, *, colour: bool = False) -> None:
        try:
            import questionary
        except ImportError:
            fix = 'install them with pip install "tuneworthy[interview]", or use --plain'
            raise InputError("the interview's menus aren't installed", fix=fix) from None
        super().__init__(colour=colour)
        self._library: Any = questionary

    def ask(self, ask: Ask) -> Entry:
        """Put a question: as a menu where there are few answers, else as a line."""
        if ask.kind not in ("state", "choice"):
            return super().ask(ask)
        self.say(question_page(ask))
        answers = {"y": "yes", "n": "no"}
        if ask.kind == "choice":
            named = enumerate((choice.id for choice in ask.choices), start=1)
            answers = {name[0] if name in ("yes", "no") else str(n): name for n, name in named}
        keep = [("k", f"keep {ask.value}")] if ask.value else []
        picked = self._menu([*keep, *answers.items(), *_MOVES], at="k" if ask.value else "d")
        entry = None if picked == "k" else read_entry(answers.get(picked, picked))
        return entry or Entry("keep")

    def choose(self, topic: Topic, page: Sheet, ways: Ways) -> str:
        self.say(page)
        return self._menu(ways, at={"confirm": "n", "conflict": "d"}.get(topic))

    def words(self) -> str | None:
        """A line that can be edited; what is pasted into it may have several."""
        return self._line()

    def _line(self) -> str | None:
        """A line that can be edited; None at Ctrl-D."""
        question = self._library.text(f"{MARGIN[1:]}>", **self._looks())
        try:
            return str(question.unsafe_ask())
        except EOFError:
            return None

    def _menu(self, ways: Ways, at: str | None = None) -> str:
        """The key of one entry: by its key alone, or by the arrows and Enter.

        ``at`` is where it begins, so that Enter alone never answers a question.
        """
        question = self._library.select(
            "",
            choices=[self._library.Choice(f"{key}  {what}", value=key) for key, what in ways],
            instruction=" ",
            use_jk_keys=False,
            default=at,
            erase_when_done=True,
            **self._looks(),
        )
        for key, _ in ways:
            for typed in {key, key.upper()}:
                question.application.key_bindings.add(typed, eager=True)(
                    lambda event, key=key: event.app.exit(result=key)
                )
        picked = str(question.unsafe_ask())
        self.say(f"{MARGIN}> {dict(ways)[picked]}\n")
        return picked

    def _looks(self) -> dict[str, Any]:
        """No colour of the library's own: a sign points at an entry."""
        plain = "fg:default bg:default noreverse"
        names = ("qmark", "question", "answer", "pointer", "highlighted", "selected", "text")
        bold = ("pointer", "highlighted") if self.colour else ()
        styles = [(name, f"{plain} {'bold' if name in bold else 'nobold'}") for name in names]
        looks = {"qmark": "", "style": self._library.Style(styles)}
        if self.colour:
            return looks
        from prompt_toolkit.output import ColorDepth

        return looks | {"color_depth": ColorDepth.DEPTH_1_BIT}
