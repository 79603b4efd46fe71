"""What format, instructions and voice make of 200 real conversations of an airline agent.

python evidence/accuracy/tau_bench.py ../shared/real/tau_bench/gpt-4o-airline.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from plain_engine import batch, measure
from tuneworthy.measure.signals.format import FormatSignal as Format
from tuneworthy.measure.signals.instructions import InstructionsSignal as Instructions
from tuneworthy.measure.signals.voice import VoiceSignal as Voice
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, ToolCall


def traces(conversations: Sequence[dict[str, Any]]) -> Batch:
    """One trace an answer of the agent."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("output", "conversation", "turn", "system", "tool_calls")
    }
    for number, each in enumerate(conversations):
        turns = [m for m in each["traj"] if m["role"] == "assistant"]
        system = next(m["content"] for m in each["traj"] if m["role"] == "system")
        for turn, message in enumerate(turns):
            called = [call["function"] for call in message.get("tool_calls") or ()]
            columns["output"].append(message["content"] or "")
            columns["conversation"].append(str(number))
            columns["turn"].append(turn)
            columns["system"].append(system)
            columns["tool_calls"].append(
                tuple(ToolCall(call["name"], call["arguments"]) for call in called)
                or None
            )
    return batch(**columns)


def main(path: str) -> None:
    """Print what was measured."""
    conversations = json.loads(Path(path).read_text(encoding="utf-8"))
    all_traces = traces(conversations)
    for signal in (Format(Materials()), Instructions(), Voice(Materials())):
        for each in measure(signal, all_traces).evidence:
            if each.is_known:
                print(f"{each.id}: {each.value:.4g} ({each.low:.4g} to {each.high:.4g}),"
                      f" n {each.n}, {each.clusters} conversations")  # fmt: skip
                print(*(f"    {example}" for example in each.examples[:5]), sep="\n")
            else:
                print(f"{each.id}: unknown")


if __name__ == "__main__":
    main(sys.argv[1])
