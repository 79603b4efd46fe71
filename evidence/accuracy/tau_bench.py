"""What format, instructions and voice make of 200 real conversations of an airline agent.

    python evidence/accuracy/tau_bench.py ../shared/real/tau_bench/gpt-4o-airline.json

The voice distance is tried on both voices of these conversations: samples of one speaker against
further conversations of the same one, and against the other's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from plain_engine import batch, measure
from tuneworthy.measure.signals.format import FormatSignal as Format
from tuneworthy.measure.signals.instructions import InstructionsSignal as Instructions
from tuneworthy.measure.signals.voice import VoiceSignal as Voice
from tuneworthy.model.case import Materials
from tuneworthy.model.case import VoiceSamples as Wanted
from tuneworthy.model.evidence import Batch, Evidence, ToolCall

DRAWS = 100
SAMPLES = 10
LIMIT = 1.1
SEED = 20261124


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
                tuple(ToolCall(call["name"], call["arguments"]) for call in called) or None
            )
    return batch(**columns)


def spoken(conversations: Sequence[dict[str, Any]], role: str) -> list[str]:
    """All that a speaker says in each conversation, but the mark that ends one."""
    return [
        "\n".join(
            m["content"]
            for m in each["traj"]
            if m["role"] == role and m.get("content") and "###" not in m["content"]
        )
        for each in conversations
    ]


def distance(samples: Sequence[str], outputs: Sequence[str]) -> Evidence:
    """The voice distance of some conversations from samples."""
    signal = Voice(Materials(voice=Wanted(samples=tuple(samples))))
    names = [str(number) for number in range(len(outputs))]
    found = measure(signal, batch(output=list(outputs), conversation=names))
    return next(each for each in found.evidence if each.id == "voice_distance")


def voices(conversations: Sequence[dict[str, Any]]) -> None:
    """Print how often the distance says that one speaker isn't the other, or isn't himself."""
    rng = np.random.default_rng(SEED)
    said = {role: spoken(conversations, role) for role in ("user", "assistant")}
    print("| samples of | outputs of | mean distance | whole interval above 1.1 | below |")
    print("|---|---|---|---|---|")
    for samples in said:
        for outputs in said:
            found = []
            for _ in range(DRAWS):
                order = rng.permutation(len(conversations))
                mine = [said[samples][k] for k in order[:SAMPLES]]
                found.append(distance(mine, [said[outputs][k] for k in order[SAMPLES:]]))
            values = np.array([[e.value, e.low, e.high] for e in found], dtype=float)
            above, below = (values[:, 1] > LIMIT).sum(), (values[:, 2] < LIMIT).sum()
            told = f"{values[:, 0].mean():.2f} | {above} of {DRAWS} | {below} of {DRAWS}"
            print(f"| {samples} | {outputs} | {told} |", flush=True)


def main(path: str) -> None:
    """Print what was measured."""
    conversations = json.loads(Path(path).read_text(encoding="utf-8"))
    all_traces = traces(conversations)
    for signal in (Format(Materials()), Instructions(), Voice(Materials())):
        for each in measure(signal, all_traces).evidence:
            if each.known:
                print(f"{each.id}: {each.value:.4g} ({each.low:.4g} to {each.high:.4g}),"
                      f" n {each.n}, {each.clusters} conversations")  # fmt: skip
                print(*(f"    {example}" for example in each.examples[:5]), sep="\n")
            else:
                print(f"{each.id}: unknown")
    voices(conversations)


if __name__ == "__main__":
    main(sys.argv[1])
