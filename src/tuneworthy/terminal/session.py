"""The interview in a terminal: ask, write, show the effect, challenge, go back, go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

from tuneworthy.errors import CaseError, ConflictError, one_line
from tuneworthy.files.case import CASE_FILE, case_path, read_with_digest
from tuneworthy.files.disk import CASE_LIMIT, all_or_none, read_text
from tuneworthy.interview import answers, pages
from tuneworthy.interview.questions import offers
from tuneworthy.interview.start import plain_title, start_case
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import (
    AnswerChange,
    AnswerResult,
    Ask,
    Conflict,
    Part,
)
from tuneworthy.pipeline import decide, framework_of
from tuneworthy.terminal.lines import Entry, LineTerminal

_PARTS: dict[str, Part] = {"e": "evaluate", "o": "options", "m": "investment"}
"""The parts of the interview by the key that a user types."""


@dataclass
class InterviewSession:
    """One session. The case file has every answer; this object has the rest of the state."""

    source: str
    terminal: LineTerminal
    as_of: date | None
    now: answers.EvaluatedCase = field(init=False)
    passed: set[str] = field(default_factory=set)  #: Ids that weren't known.
    #: Ids that were asked, for going back.
    trail: list[str] = field(default_factory=list)
    #: The part that is asked now; None for the framework's own round.
    part: Part | None = None
    over: bool = False  #: Whether whoever answers has had enough.

    def __post_init__(self) -> None:
        self._read()

    def run(self) -> None:
        """Ask until the user has had enough, or no question is left."""
        first = self.next()
        many = 0 if first is None else first.of
        self.terminal.say(pages.welcome(self.now.case.name, self.source, many))
        while True:
            self._ask_part()
            key = self._choose_part()
            if key == "b":
                self._back()
            elif key in _PARTS:
                self.part = _PARTS[key]
            else:
                self.terminal.say(pages.closing_page(self.now.dossier, self.source))
                return

    def apply_script(self, script: answers.Script) -> None:
        """Write all answers of a file, or none, and show their effect."""
        before = self.now.dossier
        changes = self._write_script(script)
        self._read()
        moved = pages.moved_text(before, self.now.dossier, self.now.framework)
        self.terminal.say(pages.changes_page(changes, moved))
        for name in script.kept:
            self._keep_both_sides(name)
        self.terminal.say(pages.closing_page(self.now.dossier, self.source))

    def _write_script(self, script: answers.Script) -> Sequence[AnswerChange]:
        """Write the answers of a file if all of them are right, and return what they changed.

        A CaseError names the line of the file.
        """

        def judge(case: Case, framework: Framework) -> Dossier:
            dossier = decide(case, framework, as_of=self.as_of)
            raised = {challenge.id for challenge in dossier.challenges}
            for name in script.kept:
                if name not in raised:
                    fix = "leave it out, or give the answers that lead to it"
                    raise CaseError(f"{name} never came up", where=name, fix=fix)
            return dossier

        by = framework_of
        try:
            written = answers.write_typed(self.source, script.answers, by, judge)
        except CaseError as caught:
            where = script.places.get(caught.where, caught.where)
            raise CaseError(caught.what, where=where, fix=caught.fix) from None
        return written.changes

    def _keep_both_sides(self, name: str) -> None:
        """Note in the case file that both sides of a contradiction stay."""
        for challenge in self.now.dossier.challenges:
            if challenge.id == name:
                either_side, *_ = challenge.between  # the note may stand beside any
                # a question is named by the first two parts of the path of its answer
                question = ".".join(either_side.split(".")[:2])
                self._apply(answers.accept_conflict, question, name)
                return

    def next(self, name: str = "") -> Ask | None:
        """The next question of the part, or the one with an id."""
        return self.now.next(name, passed=self.passed, part=self.part)

    def _choose_part(self) -> str:
        """Ask which part to continue with. Returns the key of the part, or "q" to stop."""
        open_parts = offers(self.now.case, self.now.framework, passed=self.passed)
        if self.over or not open_parts:
            return "q"
        page = pages.rest_page(self.now.dossier, self.now.framework, open_parts)
        return self.terminal.choose(page, pages.rest_choices(open_parts))

    def _ask_part(self) -> None:
        """Ask the open questions of the part, until its end or until the user leaves it."""
        while not self.over:
            ask = self.next()
            if ask is None:
                return
            act = self._question(ask)
            while act == "back":
                act = self._back() or self._question(ask)
            if act == "skip":
                return

    def _back(self) -> str:
        """Ask the question before the present one again; empty where there is none."""
        if not self.trail:
            self.terminal.say(f"{pages.MARGIN}This is the first one.\n")
            return ""
        name = self.trail.pop()
        self.passed.discard(name)
        act = self._question(self.next(name) or self.now.ask(name))
        return self._back() if act == "back" else act

    def _question(self, ask: Ask) -> str:
        """Ask until there is an answer or a move: ``next``, ``back``, ``skip`` or ``quit``."""
        while True:
            entry = self._entry(ask)
            if entry is None:
                continue
            if entry.act in ("back", "skip", "quit"):
                self.over = entry.act == "quit"
                return entry.act
            if entry.act == "why":
                self._note(pages.why_text(ask))
            elif entry.act == "keep" or self._is_taken(ask, entry):
                self.trail.append(ask.id)
                if entry.act == "unknown":
                    self.passed.add(ask.id)
                return "next"
            else:  # what was written meanwhile may have changed the question
                ask = self.next(ask.id) or ask

    def _entry(self, ask: Ask) -> Entry | None:
        """Ask a question and return the reply; None to ask it again.

        If a growth looks like a percentage, the user is asked to confirm it.
        """
        entry = self.terminal.ask(ask)
        doubt = answers.growth_doubt(ask, entry.text)
        if entry.act != "answer" or doubt is None:
            return entry
        choices = pages.doubt_choices(doubt)
        key = self.terminal.choose(pages.doubt_page(doubt, choices), choices)
        if key == "q":
            return Entry("quit")
        if key == "b":
            return None
        return Entry("answer", doubt.likely if key == "y" else doubt.typed)

    def _is_taken(self, ask: Ask, entry: Entry) -> bool:
        """Write an answer, and show its effect; False to ask again."""
        text = "unknown" if entry.act == "unknown" else entry.text
        before = self.now.digest
        try:
            step = self._apply(answers.write_answer, ask.id, text)
        except CaseError as caught:
            self._note(one_line(pages.refused(caught)))
            return False
        if step is None:
            return False
        moved = pages.moved_text(step.before, step.dossier, self.now.framework)
        self.terminal.say(pages.LEFT if step.digest == before else pages.note(moved))
        return all(self._is_settled(ask, conflict) for conflict in step.conflicts)

    def _apply(
        self, write: Callable[..., AnswerResult], ask_id: str, what: str
    ) -> AnswerResult | None:
        """Write something into the case file; None where the file was changed meanwhile."""
        try:
            step = write(
                self.now, ask_id, what, judge=partial(decide, as_of=self.as_of)
            )
        except ConflictError:
            self._read()
            again = "The file was changed by somebody else meanwhile; nothing is lost. Once more:"
            self.terminal.say(f"{pages.MARGIN}{again}\n")
            return None
        self.now = replace(
            self.now,
            text=read_text(case_path(self.source), CASE_LIMIT, CaseError),
            case=step.case,
            dossier=step.dossier,
            digest=step.digest,
        )
        return step

    def _is_settled(self, ask: Ask, conflict: Conflict) -> bool:
        """Let the user settle a conflict; False where the answer itself has to change."""
        challenge = conflict.challenge.id
        if all(item.id != challenge for item in self.now.dossier.challenges):
            return True  # an answer that was changed meanwhile has settled it
        others = self.now.asks(conflict.others)
        choices = pages.conflict_choices(conflict, ask, others)
        page = pages.conflict_page(conflict, choices, others)
        key = self.terminal.choose(page, choices)
        # 1 changes this answer, the next numbers one of the others, and the last keeps them all
        keep_both = str(len(choices) - len(pages.LEAVE))
        if key in ("1", "b"):
            return False
        if key == keep_both:
            if self._apply(answers.accept_conflict, ask.id, challenge) is None:
                return False
            done = "Noted in the case file" if conflict.recordable else "Kept"
            self._note(f"{done}; the report will show it.")
            return True
        if key in ("d", "q"):
            self.over = key == "q"
            self._note(pages.OPEN_CONFLICT)
            return True
        other = others[int(key) - 2]  # the first other one has the key 2
        if self._question(other) == "back":
            return self._is_settled(ask, conflict)
        return True

    def _note(self, text: str) -> None:
        self.terminal.say(pages.note(text))

    def _read(self) -> None:
        """Read and judge the case as its file is now."""
        read = read_with_digest(self.source)
        framework = framework_of(read.case)
        dossier = decide(read.case, framework, as_of=self.as_of)
        self.now = answers.EvaluatedCase(
            self.source, read.case, framework, read.text, read.digest, "", dossier
        )


def interview(
    source: str,
    *,
    as_of: date | None,
    script: str | None,
    colour: bool,
) -> None:
    """Interview a user about a case until that user has had enough.

    A folder that doesn't exist, or that has no case, gets one. ``script`` is a file of answers
    instead of a user.
    """
    terminal = LineTerminal(colour=colour)
    if script is not None:
        _take_script(source, script, terminal, as_of)
        return
    if not _is_there(source):
        called = terminal.name(plain_title(source))
        if called is None:
            return
        start_case(source, called)
    InterviewSession(source, terminal, as_of).run()


def _take_script(
    source: str,
    script: str,
    terminal: LineTerminal,
    as_of: date | None,
) -> None:
    """Answer from a file. A new case is written with its answers, or not at all."""
    if _is_there(source):
        case = read_with_digest(source).case
        written = answers.read_script(script, framework_of(case))
        InterviewSession(source, terminal, as_of).apply_script(written)
        return
    framework = framework_of(Case(name="new"))
    written = answers.read_script(script, framework)
    with all_or_none(Path(source)) as new_files:
        title = written.name or plain_title(source)
        new_files.extend(start_case(source, title))
        InterviewSession(source, terminal, as_of).apply_script(written)


def _is_there(source: str) -> bool:
    """Whether there is a case, or something else that the reader will refuse."""
    path = Path(source)
    if path.is_dir():
        return os.path.lexists(path / CASE_FILE)
    return os.path.lexists(path) or path.suffix in (".yaml", ".yml")
