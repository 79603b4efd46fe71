"""``voice``: the output has no phrase that could be anybody's, or that the team avoids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.materials import Voice as Speaks
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import NO_ANSWER, VOICE, Context, Kit, Output, Scored, right, wrong

if TYPE_CHECKING:
    from tuneworthy.texts.phrases import Phrases


@dataclass(frozen=True, slots=True)
class Voice:
    """Right where no such phrase stands in the output.

    It knows a list of phrases, and nothing of wit or warmth.
    """

    phrases: Phrases
    id: str = field(default="voice")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an output without any, else 0; how many different ones stands in the numbers."""
        del case, context
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        if not self.phrases.any([output.text])[0]:
            return right("own_voice")
        found = self.phrases.counts([output.text])
        about = found[0][0] if found else ""
        return wrong("generic_phrase", signal=VOICE, about=about, numbers={"phrases": len(found)})


def make(of: Any, kit: Kit) -> Voice:
    """A scorer from its parameter: avoid, phrases besides those of the case's voice.

    Raises:
        InputError: If a parameter is wrong.
    """
    from tuneworthy.texts.phrases import Phrases

    more = Asked("voice", of, "avoid", ("avoid",)).texts("avoid")
    known = kit.materials.voice
    if known is None and not more:
        return Voice(Phrases(None))
    samples, avoid = (known.samples, known.avoid) if known else ((), ())
    return Voice(Phrases(Speaks(samples, (*more, *avoid))))
