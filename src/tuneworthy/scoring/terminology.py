"""``terminology``: the output uses the words of the glossary, and none that is wrong for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    NO_ANSWER,
    TERMS,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)

if TYPE_CHECKING:
    from tuneworthy.texts.glossary import Glossary


@dataclass(frozen=True, slots=True)
class Terminology:
    """Right where no wrong word stands for a term that is due.

    A term is due where it, a word that is wrong for it or one that calls for it stands in the
    input, or one of the first two in the output.
    """

    glossary: Glossary
    required: bool = False
    """Whether a term that the input calls for has to be said."""
    id: str = field(default="terminology")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of due terms that are said right; where none is due it can't be judged."""
        del context
        written, asked = self.glossary.look([output.text]), self.glossary.look([case.text])
        due, faults = 0, list[tuple[str, str]]()
        for index in range(len(self.glossary)):
            said = bool(self.glossary.said(written, index)[0])
            called = bool(self.glossary.called_for(asked, index)[0])
            wrongs = self.glossary.wrong(written, index, [output.text])
            words = [word for word, rows in wrongs if rows[0]]
            due += said or called or bool(words)
            if words:
                faults.append(("forbidden_term", words[0]))
            elif self.required and called and not said:
                faults.append(("term_missing", self.glossary.right(index)))
        if not due:
            return unjudged("no_term_due")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        numbers = {"due": due, "failed": len(faults)}
        if not faults:
            return right("terms_right", numbers)
        why, about = faults[0]
        value = 1 - len(faults) / due
        return wrong(why, value=value, signal=TERMS, about=about, numbers=numbers)


def make(of: Any, kit: Kit) -> Terminology:
    """A scorer from its parameter: required, whether a term that is called for has to be said.

    Raises:
        InputError: If there is no glossary, or a parameter is wrong.
    """
    from tuneworthy.texts.glossary import Glossary

    asked = Asked("terminology", of, "required", ("required",))
    if not kit.materials.glossary:
        raise asked.bad("needs a glossary", "name data.glossary in the case")
    return Terminology(Glossary(kit.materials.glossary), asked.flag("required"))
