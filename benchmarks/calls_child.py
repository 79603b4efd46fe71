"""A run of calls in a process of its own, so that it can be measured, or killed at any moment.

``python benchmarks/calls_child.py LEDGER BASE_URL MODEL CALLS AT_ONCE CAP_USD`` prints "sending"
before its first call, and its figures as JSON at the end.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from tuneworthy.llm.http import Http
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.model.case import Price
from tuneworthy.model.lab import ChatMessage, Request

PRICE = Price(input=1.0, output=1.0)
RUN, TIMEOUT_S = "run", 20.0


def jobs(base_url: str, model: str, many: int) -> list[Job]:
    """Calls whose contents are their numbers."""
    return [
        Job(
            Request(
                provider="other", base_url=base_url, model=model, max_tokens=50,
                messages=(ChatMessage(role="user", content=str(number)),),
            )
        )
        for number in range(many)
    ]  # fmt: skip


async def run(ledger: Ledger, told: list[Job], at_once: int, cap_usd: float) -> Outcome:
    """Run them all."""
    base_url = told[0].request.base_url
    transport = Http({base_url: None}, timeout_s=TIMEOUT_S, at_once=at_once)
    runner = Runner(
        ledger, transport, lambda _: PRICE, run=RUN, cap_usd=cap_usd, at_once=at_once
    )  # fmt: skip
    try:
        return await runner.all(told)
    finally:
        await transport.close()


def main() -> None:
    """Run, and print the figures."""
    path, base_url, model = sys.argv[1:4]
    many, at_once, cap_usd = int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])
    told = jobs(base_url, model, many)
    with Ledger(Path(path)) as ledger:
        print("sending", flush=True)
        before, cpu = time.monotonic(), time.process_time()
        outcome = asyncio.run(run(ledger, told, at_once, cap_usd))
        wall_s, cpu_s = time.monotonic() - before, time.process_time() - cpu
        spend = ledger.spend(RUN, cap_usd)
        money = {"paid": spend.paid, "held": spend.held}
        counts = {
            "calls": spend.calls,
            "in_doubt": spend.in_doubt,
            "failed": spend.failed,
        }
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "whole_cpu_s": used.ru_utime + used.ru_stime,
    }
    print(json.dumps(figures | money | counts | {"stopped": outcome.stop.why}))


if __name__ == "__main__":
    main()
