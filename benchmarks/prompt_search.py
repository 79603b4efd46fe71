"""A search for prompts beside bare calls: CPU seconds of one process for the same requests.

Run ``python benchmarks/prompt_search.py [WORLDS]`` in an environment with the extras ``lab`` and
``optimise``. The worlds are those of ``tests/worlds_search.py``, which a server in another process
answers for. The search makes its calls through the lab's ledger; then the runner makes the same
calls into an empty ledger: all together, and in the batches in which the search asked for them.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "evidence" / "accuracy"))

from searches import served

from tuneworthy.lab.ceiling import evaluator_for, with_search
from tuneworthy.lab.prepare import CEILING_RUN, PreparedLab, paid, prepare, price
from tuneworthy.lab.search import Search
from tuneworthy.lab.session import PaidCalls
from tuneworthy.llm.http import Http
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, Runner
from tuneworthy.model.lab import Quote, Settled
from worlds_search import World

AS_OF = date(2026, 12, 1)
WORLDS = 6
ROUNDS = 3  #: Of each sum the least counts, because other work only adds to it.
BUDGET = 0.10  #: Share of the runner's CPU that a search may take beside it.
AT_ONCE = 16
TIMEOUT_S = 20.0
CAP_USD = 100.0
FEWEST = 200  #: Calls of a search; with fewer it did too little to be measured.


class SearchCost(NamedTuple):
    """CPU seconds of a search, and of the same calls without it."""

    search_s: float
    batches_s: float  #: In the batches of the search.
    bare_s: float  #: All together.
    calls: int
    draws: int


@contextmanager
def server() -> Iterator[str]:
    """The address of a process that answers for every world."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # it was asked for
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def serve() -> None:
    """Answer until somebody ends this process."""
    with served() as address:
        print(address, flush=True)
        while True:
            time.sleep(60)


def measure_world(seed: int, address: str) -> SearchCost:
    """A search in a world, and the same calls bare."""
    with tempfile.TemporaryDirectory() as base:
        folder = World.drawn(seed).folder(
            Path(base) / "case", f"{address}/{seed}/v1", 0.9
        )
        lab = with_search(prepare(folder, as_of=AS_OF))
        search, batches, search_s = run_search(lab)
        jobs = list({job.key: job for batch in batches for job in batch}.values())
        bare_s = run_calls(lab, [jobs], Path(base) / "bare")
        batches_s = run_calls(lab, batches, Path(base) / "batches")
        assert len(search.draws) > 0, f"world {seed}: nothing was drawn"
        assert len(jobs) >= FEWEST, f"world {seed}: {len(jobs)} calls"
    return SearchCost(search_s, batches_s, bare_s, len(jobs), len(search.draws))


def least(costs: Sequence[SearchCost]) -> SearchCost:
    """The least CPU of each kind. A search in a world is the same each time."""
    (calls,) = {cost.calls for cost in costs}
    (draws,) = {cost.draws for cost in costs}
    return SearchCost(
        search_s=min(cost.search_s for cost in costs),
        batches_s=min(cost.batches_s for cost in costs),
        bare_s=min(cost.bare_s for cost in costs),
        calls=calls,
        draws=draws,
    )


def run_search(lab: PreparedLab) -> tuple[Search, list[list[Job]], float]:
    """The search of a lab, what it asked for, and its CPU seconds."""
    batches: list[list[Job]] = []

    async def work(calls: PaidCalls, _: Quote) -> tuple[Search, float]:
        evaluator = evaluator_for(lab, calls)
        ask = evaluator.ask

        def noted(jobs: Sequence[Job]) -> Mapping[str, Settled]:
            batches.append(list(jobs))
            return ask(jobs)

        search = Search(replace(evaluator, ask=noted))
        began = time.process_time()
        await asyncio.to_thread(search.run)
        return search, time.process_time() - began

    search, took = paid(lab, CEILING_RUN, price, work, cap_usd=CAP_USD, at_once=AT_ONCE)
    return search, batches, took


def run_calls(lab: PreparedLab, batches: Sequence[Sequence[Job]], place: Path) -> float:
    """CPU seconds of some calls by the runner, into an empty ledger."""

    async def work(ledger: Ledger) -> None:
        base_urls = {each.base_url: None for each in lab.places}
        transport = Http(base_urls, timeout_s=TIMEOUT_S, at_once=AT_ONCE)
        runner = Runner(
            ledger, transport, lab.price_of, run="bare", cap_usd=CAP_USD, at_once=AT_ONCE
        )  # fmt: skip
        try:
            for batch in batches:
                await runner.all(batch)
        finally:
            await transport.close()

    place.mkdir()
    expected = len({job.key for batch in batches for job in batch})
    with Ledger(place / "calls.sqlite3") as ledger:
        began = time.process_time()
        asyncio.run(work(ledger))
        took = time.process_time() - began
        spend = ledger.spend("bare", CAP_USD)
    assert spend.calls == expected, f"{spend.calls} of {expected} calls were made"
    assert not spend.failed + spend.in_doubt
    return took


def main() -> int:
    """Measure, print a table, and say whether the budget is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", type=int, nargs="?", default=WORLDS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    print("| world | draws | calls | search, CPU s | same batches | bare | over bare |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    rows = []
    with server() as address:
        measure_world(0, address)  # what is loaded once isn't counted
        for seed in range(1, options.worlds + 1):
            cost = least([measure_world(seed, address) for _ in range(ROUNDS)])
            rows.append(cost)
            print_row(str(seed), cost)
    sums = SearchCost(
        search_s=sum(row.search_s for row in rows),
        batches_s=sum(row.batches_s for row in rows),
        bare_s=sum(row.bare_s for row in rows),
        calls=sum(row.calls for row in rows),
        draws=sum(row.draws for row in rows),
    )
    print_row("all", sums)
    return 0 if sums.search_s <= (1 + BUDGET) * sums.bare_s else 1


def print_row(name: str, cost: SearchCost) -> None:
    """A line of the table."""
    over = cost.search_s / cost.bare_s - 1
    seconds = f"{cost.search_s:.2f} | {cost.batches_s:.2f} | {cost.bare_s:.2f}"
    print(
        f"| {name} | {cost.draws} | {cost.calls} | {seconds} | {over:+.0%} |",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
