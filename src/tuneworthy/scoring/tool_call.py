"""``tool_call``: the right tools are called, with accepted arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)
from tuneworthy.scoring.calls import MOST_CALLS, Call, Wanted, matched, said_calls, wanted_calls


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Right where calls and accepted calls can be paired off, whatever their order."""

    ordered: bool = False
    """Whether the order counts."""
    exact: bool = False
    """Whether capitals, marks and spaces of text arguments count."""
    calls: tuple[Any, ...] = ()
    """Accepted sets of calls, instead of the case's reference."""
    id: str = "tool_call"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of calls that are right, over those wanted or made, whichever are more.

        Without calls of the interface, calls that are written as JSON count. An accepted set
        without calls means that none is right.
        """
        del context
        told = [wanted_calls(one) for one in self.calls or case.accepted]
        accepted = [one for one in told if one is not None]
        if not accepted:
            return unjudged("no_reference")
        said = said_calls(output)
        if said is None:
            return wrong("unreadable_call", signal=FORMAT)
        if not said and any(not one for one in accepted):
            return right("no_call_wanted")
        if not said:
            return wrong("no_call", signal=NO_ANSWER if output.blank else FORMAT)
        scored = [self._against(said, one) for one in accepted]
        return max(scored, key=lambda one: one.value)

    def _against(self, said: Sequence[Call], wanted: Sequence[Wanted]) -> Scored:
        numbers = {"called": len(said), "wanted": len(wanted)}
        if len(said) > MOST_CALLS:
            return wrong("too_many_calls", numbers=numbers)
        pairs = matched(said, wanted, ordered=self.ordered, exact=self.exact)
        most = max(len(said), len(wanted))
        if pairs == most:
            return right("calls_equal", numbers)
        value = pairs / most
        names = {one.name for one in wanted}
        stray = [one.name for one in said if one.name not in names]
        if stray:
            return wrong("other_tool", value=value, about=stray[0], numbers=numbers)
        why = "arguments_differ" if len(said) == len(wanted) else "calls_differ"
        return wrong(why, value=value, about=said[0].name, numbers=numbers)


def make(of: Any, kit: Kit) -> ToolCall:
    """A scorer from its parameters: calls, ordered, exact.

    ``calls`` is a list of accepted calls made together; each is ``{name, arguments}`` with exact
    values, or ``{tool: {argument: [accepted values]}}`` where ``""`` means it may be left out.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("tool_call", of, "calls", ("calls", "ordered", "exact"))
    calls: tuple[Any, ...] = ()
    if asked.has("calls"):
        calls = ({"calls": asked.any("calls")},)
        if wanted_calls(calls[0]) is None:
            raise asked.bad("gives calls that are none", "write [{name: …, arguments: {…}}]")
    return ToolCall(asked.flag("ordered"), asked.flag("exact"), calls)


def is_call(value: Any) -> bool:
    """Whether a reference can't mean anything but tool calls."""
    told = isinstance(value, Mapping) and set(value) in ({"name", "arguments"}, {"calls"})
    return told and wanted_calls(value) is not None
