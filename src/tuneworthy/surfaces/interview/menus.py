"""Menus to move about in and lines to edit, where the terminal can: by questionary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from tuneworthy.api.interview import Ask, Clash, Offer, Standing
from tuneworthy.domain.conversation import Proposal
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import InputError
from tuneworthy.report.interview.conversation import confirm_line, proposal_choices
from tuneworthy.report.interview.pages import (
    MARGIN,
    choices,
    clash_choices,
    clash_page,
    keys_line,
    question_page,
    rest_page,
)
from tuneworthy.report.layout import wrapped
from tuneworthy.surfaces.interview.plain import Plain
from tuneworthy.surfaces.interview.terminal import Said, said

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from questionary import Style

_MOVES = (
    ("d", "I don't know"), ("?", "why is this asked?"), ("b", "back"), ("s", "skip this part"),
    ("q", "quit"),
)  # fmt: skip
_STATES = (("y", "yes"), ("n", "no"))


class Menus(Plain):
    """Yes and no by one key or the arrows; numbers and text on a line that can be edited.

    Raises:
        InputError: If questionary isn't installed.
    """

    def __init__(self, *, colour: bool = False) -> None:
        try:
            import questionary
        except ImportError:
            fix = 'install them with pip install "tuneworthy[interview]", or use --plain'
            raise InputError("the interview's menus aren't installed", fix=fix) from None
        super().__init__(colour=colour)
        self._library: Any = questionary

    def ask(self, ask: Ask, number: int) -> Said:
        """Put a question: as a menu where there are few answers, else as a line."""
        if ask.kind not in ("state", "choice"):
            return self._typed(ask, number)
        self.say(question_page(ask, number=number, colour=self.colour, keys=False))
        if ask.kind == "state":
            told = list(_STATES)
        else:
            told = [(str(n), choice.id) for n, choice in enumerate(ask.choices, start=1)]
        stay = [("k", f"keep {ask.value}")] if ask.value else []
        picked = self._menu([*stay, *told, *_MOVES], at="k" if ask.value else "d")
        if picked == "k":
            return Said("keep")
        return said(dict(told).get(picked, picked)) or Said("keep")

    def clash(self, clash: Clash, ask: Ask, others: Sequence[Ask]) -> str:
        """Which way out of a clash."""
        self.say(clash_page(clash, ask, others, colour=self.colour, keys=False))
        return self._menu(clash_choices(clash, ask, others))

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[Offer]) -> str:
        """What to go on with."""
        self.say(rest_page(dossier, now, offers, colour=self.colour, keys=False))
        told = [(key, name) for key, name, _ in choices(offers)]
        return self._menu([*told, ("b", "back"), ("q", "that's enough")])

    def words(self) -> str | None:
        """A line that can be edited; what is pasted into it may have several."""
        return self._line()

    def confirm(self, proposal: Proposal, number: int, of: int) -> str:
        """What to do with a proposal."""
        told = proposal_choices(of - number + 1)
        self.say(confirm_line(proposal, (), number=number, of=of))
        return self._menu(told, at="n")

    def _typed(self, ask: Ask, number: int) -> Said:
        self.say(question_page(ask, number=number, colour=self.colour, keys=False))
        self.say("\n".join(wrapped(keys_line(ask), first=MARGIN)) + "\n")
        while (found := said(self._line())) is None:
            if ask.value:
                return Said("keep")
            self.say(f"{MARGIN}Answer it, or d if you don't know.\n")
        return found

    def _line(self) -> str | None:
        """A line that can be edited; None at Ctrl-D."""
        question = self._library.text(
            f"{MARGIN[1:]}>", qmark="", style=self._style(), **self._depth()
        )
        try:
            return str(question.unsafe_ask())
        except EOFError:
            return None

    def _menu(self, told: Sequence[tuple[str, str]], at: str | None = None) -> str:
        """The key of one entry: by its key alone, or by the arrows and Enter.

        It begins at a given one, so that Enter alone never answers a question.
        """
        made = [self._library.Choice(f"{key}  {what}", value=key) for key, what in told]
        question = self._library.select(
            "", choices=made, qmark="", instruction=" ", style=self._style(), use_jk_keys=False,
            default=at, erase_when_done=True, **self._depth(),
        )  # fmt: skip
        bindings = cast("KeyBindings", question.application.key_bindings)
        for key, _ in told:
            for typed in {key, key.upper()}:
                bindings.add(typed, eager=True)(_leave_with(key))
        picked = str(question.unsafe_ask())
        self.say(f"{MARGIN}> {dict(told)[picked]}\n")
        return picked

    def _style(self) -> Style:
        """No colour of the library's own: what is pointed at stands behind a sign."""
        plain = "fg:default bg:default noreverse"
        names = ("qmark", "question", "answer", "pointer", "highlighted", "selected", "text")
        bold = {"pointer": "bold", "highlighted": "bold"} if self.colour else {}
        return cast(
            "Style",
            self._library.Style([(name, f"{plain} {bold.get(name, 'nobold')}") for name in names]),
        )

    def _depth(self) -> dict[str, Any]:
        if self.colour:
            return {}
        from prompt_toolkit.output import ColorDepth

        return {"color_depth": ColorDepth.DEPTH_1_BIT}


def _leave_with(key: str) -> Any:
    """A handler that ends the menu with a key's entry."""

    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=key)

    return leave
