"""The scorer for a user's own function. It runs with the user's consent, in a separate process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import PydanticCustomError

from tuneworthy.model.base import inside_folder
from tuneworthy.model.base import wrong as refused
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    RUN_STOPPED,
    WRONG,
    Kit,
    Output,
    Scored,
    Scorer,
    Stated,
    cut,
    unscored,
)
from tuneworthy.scoring.worker import Worker

_FUNCTION = re.compile(r"(?P<file>[^:]+\.py):(?P<name>[A-Za-z_]\w*)")


class Python(Scorer):
    """A user's own ``function(output, case, context)`` scores the output.

    The function gets the text, the case as in the evaluation set, and a mapping with ``system`` and
    ``tool_calls``. It returns a share between 0 and 1, a yes or no, or ``{value, ok?, why?,
    signal?}``. Any other result, an exception and a time-out leave the output unscored: they are
    faults of the function, not of the output.
    """

    id = "python"
    main = "function"
    reads_system = True
    function: Stated  #: ``file.py:name``, beside the case.
    #: The longest an answer may take.
    seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    _worker: Worker
    _name: str

    def prepare(self, kit: Kit) -> None:
        """Start a process for the team's function; refuse code not allowed or outside the case."""
        if not kit.allow_code:
            raise refused("runs code", "say --allow-code if you trust it")
        if kit.folder is None:
            raise refused("needs a case folder", "load the case from its folder")
        function = _FUNCTION.fullmatch(self.function)
        if function is None:
            raise refused("names no function", "write scorer.py:function")
        folder = kit.folder.resolve()
        path = _path_in(folder, function["file"])
        self._name = function["name"]
        self._worker = Worker(
            "own",
            str(folder),
            str(path),
            self._name,
            seconds=self.seconds,
            folder=folder,
        )

    def stop(self) -> None:
        self._worker.stop()

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Ask the user's function in its process; a fault there leaves the case unscored."""
        context = {
            "system": output.system,
            "tool_calls": [list(call) for call in output.tool_calls],
        }
        data = case.model_dump(mode="json", exclude_defaults=True)
        answer, why_none = self._worker.ask([output.text, data, context])
        if why_none == "stopped":
            return unscored(RUN_STOPPED, self._name)
        if why_none:
            return unscored(f"function_{why_none}", self._name)
        if "gives" not in answer:
            about = f"{self._name}: {answer.get('says', '')}"
            return unscored(f"function_{answer.get('error', 'fails')}", about)
        return self._read(answer["gives"])

    def _read(self, result: Any) -> Scored:
        """Read what the team's function returned; the case isn't scored where that is no share."""
        details = result if isinstance(result, dict) else {"value": result}
        value = details.get("value")
        no_share = unscored("function_gives_no_share", self._name)
        # NaN isn't between two numbers either
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            return no_share
        ok = details.get("ok", value >= 1)
        why = details.get("why", "")
        signal = details.get("signal", WRONG)
        if not isinstance(ok, bool):
            return no_share
        if not isinstance(why, str) or not isinstance(signal, str):
            return no_share
        return Scored(
            value=value,
            ok=ok,
            why="own_function",
            about=cut(why),
            signal="" if ok else cut(signal),
        )


def _path_in(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder; refuse one outside it, or that isn't there."""
    try:
        path = (folder / inside_folder(name)).resolve()
    except (PydanticCustomError, OSError, ValueError, RuntimeError):
        path = folder  # which is no file, so it is refused like one that isn't there
    if not path.is_relative_to(folder) or not path.is_file():
        fix = "put it into the case folder"
        raise refused("names a file that is not beside the case", fix)
    return path
