"""``python``: a function of the user's own, only where somebody said that code may be run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.record import inside_folder
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import WRONG, Context, Kit, Output, Scored, cut, unjudged
from tuneworthy.scoring.worker import Worker

_NAMED = re.compile(r"([^:]+\.py):([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Python:
    """Asks ``function(output, case, context)`` in a process of its own.

    The function gets the text, the case as in the evaluation set, and a mapping with ``system``
    and ``tool_calls``. It gives a share between 0 and 1, a yes or no, or
    ``{value, ok?, why?, signal?}``. Anything else, an exception and a time-out can't be judged:
    they say something about the function, not about the output.
    """

    worker: Worker
    name: str
    id: str = "python"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """What the function says."""
        told = {"system": context.system, "tool_calls": [list(one) for one in output.tool_calls]}
        case_told = case.model_dump(mode="json", exclude_defaults=True)
        answer, why = self.worker.ask([output.text, case_told, told])
        if why:
            return unjudged(f"function_{why}", self.name)
        if "gives" not in answer:
            says = f"{self.name}: {answer.get('says', '')}"
            return unjudged(f"function_{answer.get('error', 'fails')}", says)
        return self._read(answer["gives"])

    def _read(self, gives: Any) -> Scored:
        more = gives if isinstance(gives, dict) else {}
        value = more.get("value") if more else gives
        if not isinstance(value, int | float) or not 0 <= value <= 1 or math.isnan(value):
            return unjudged("function_gives_no_share", self.name)
        ok = more.get("ok", value >= 1)
        if not isinstance(ok, bool):
            return unjudged("function_gives_no_share", self.name)
        why, signal = more.get("why", ""), more.get("signal", WRONG)
        if not isinstance(why, str) or not isinstance(signal, str):
            return unjudged("function_gives_no_share", self.name)
        return Scored(
            value=value, ok=ok, why="own_function", about=cut(why), signal="" if ok else cut(signal)
        )


def make(of: Any, kit: Kit) -> Python:
    """A scorer from its parameters: function (``file.py:name`` beside the case), seconds.

    Raises:
        InputError: If code may not be run, or the function is not named or lies elsewhere.
    """
    asked = Asked("python", of, "function", ("function", "seconds"))
    if not kit.allow_code:
        raise asked.bad("runs code", "say --allow-code if you trust it")
    if kit.folder is None:
        raise asked.bad("needs a case folder", "load the case from its folder")
    named = _NAMED.fullmatch(asked.text("function"))
    if named is None:
        raise asked.bad("names no function", "write scorer.py:function")
    seconds = asked.number("seconds", 5.0) or 5.0
    if seconds > 60:
        raise asked.bad("gives seconds out of range", "write up to 60")
    folder = kit.folder.resolve()
    try:
        path = (folder / inside_folder(named[1])).resolve()
    except (PydanticCustomError, OSError, ValueError, RuntimeError):
        path = folder
    if not path.is_relative_to(folder) or not path.is_file():
        raise asked.bad("names a file that is not beside the case", "put it into the case folder")
    child = Path(__file__).with_name("child.py")
    worker = Worker(
        child, ("own", str(folder), str(path), named[2]), seconds=seconds, bare=False, folder=folder
    )
    return Python(worker, named[2])
