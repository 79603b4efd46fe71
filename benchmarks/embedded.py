"""The embedded model: labels by a grammar and free answers, eight at a time.

Run ``python benchmarks/embedded.py`` in an environment with the extra ``local`` and the weights.
The model as it comes, on one processor, on all of them, and beside two loops that
only compute; ``--former FOLDER`` runs another checkout in turn. Wall seconds a call: what matters
here is waiting. A call without an answer, or with one that the grammar doesn't allow, ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LABELS = [
    "card_arrival",
    "balance_not_updated",
    "transfer_failed",
    "refund_not_showing_up",
]
GRAMMAR = "root ::= " + " | ".join(json.dumps(label) for label in LABELS)
KINDS = {
    "labels by a grammar": (48, {"grammar": GRAMMAR}),
    "answers of 60 tokens": (16, {}),
}
BUSY = "while True: pass"


def measured() -> dict[str, float]:
    """Seconds a call of each kind, in this process."""
    from tuneworthy.llm.embedded import MODEL, local_model
    from tuneworthy.model.lab import ChatMessage, Request

    def request(kind: str, n: int) -> Request:
        message = ChatMessage(
            role="user", content=f"Where is the card I asked for {n} days ago?"
        )
        fixed = {
            "provider": "local",
            "base_url": "",
            "model": MODEL,
            "messages": (message,),
        }
        return Request.model_validate({**fixed, "max_tokens": 60, **KINDS[kind][1]})

    async def run() -> dict[str, float]:
        model, found = local_model(MODEL), {}
        try:
            await model.send(request("answers of 60 tokens", 0))
            for kind, (calls, _) in KINDS.items():
                began = time.monotonic()
                sent = (model.send(request(kind, n)) for n in range(calls))
                replies = await asyncio.gather(*sent)
                found[kind] = (time.monotonic() - began) / calls
                check_replies(kind, [reply.text for reply in replies])
        finally:
            await model.close()
        return found

    return asyncio.run(run())


def check_replies(kind: str, texts: list[str]) -> None:
    """Fail where a call has no answer, or one that the grammar doesn't allow."""
    calls, options = KINDS[kind]
    assert len(texts) == calls
    assert all(text.strip() for text in texts), f"{kind}: an answer is empty"
    if "grammar" in options:
        assert set(texts) <= set(LABELS), f"{kind}: {set(texts) - set(LABELS)}"


def row(folder: Path, processors: set[int]) -> dict[str, float]:
    """The same in a process that may use some processors, of the checkout in a folder."""
    command = [sys.executable, __file__, "--measure", *map(str, processors)]
    env = {**os.environ, "PYTHONPATH": str(folder / "src")}
    done = subprocess.run(
        command, env=env, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--former", type=Path, help="another checkout, run in turn")
    parser.add_argument("--measure", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        os.sched_setaffinity(0, options.measure)
        print(json.dumps(measured()))
        return
    every = os.sched_getaffinity(0)
    folders = {"this": HERE.parent}
    if options.former:
        folders["former"] = options.former
    print(f"{'seconds a call':40}", *(f"{kind:>22}" for kind in KINDS))
    print(f"{'calls that were answered':40}", *(f"{n:22}" for n, _ in KINDS.values()))
    for name, folder in folders.items():
        print_row(f"{name}, one processor", row(folder, {min(every)}))
        print_row(f"{name}, {len(every)} processors", row(folder, every))
        loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
        try:
            print_row(f"{name}, beside two busy loops", row(folder, every))
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()


def print_row(name: str, found: dict[str, float]) -> None:
    print(f"{name:40}", *(f"{found[kind]:22.3f}" for kind in KINDS))


if __name__ == "__main__":
    main()
