"""Paid calls: 5,000 at 64 at once against an endpoint on loopback that takes 50 ms for each.

Run ``python benchmarks/calls.py`` in an environment where Tuneworthy is installed with its extra
``lab``. Four parts: refusals, speed, faults, and a run that is killed at random moments.
"""

from __future__ import annotations

import json
import os
import platform
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CALLS, AT_ONCE, LATENCY_S = 5000, 64, 0.05
IDEAL_S = CALLS / AT_ONCE * LATENCY_S
WALL_BUDGET, CPU_BUDGET_S = 4.0, 9.0
KILLS, KILLED_CALLS, CAP_USD = 100, 20_000, 100.0


@contextmanager
def endpoint() -> Iterator[str]:
    """The base URL of a fresh endpoint."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "calls_server.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.kill()


def told_by(base_url: str) -> dict[str, Any]:
    """What the endpoint says of itself."""
    with urllib.request.urlopen(base_url.replace("/v1", "/count")) as told:  # noqa: S310  # our own server
        found: dict[str, Any] = json.load(told)
    return found


def count(base_url: str) -> dict[str, int]:
    """How often each content was answered."""
    answered: dict[str, int] = told_by(base_url)["answered"]
    return answered


def check_once(base_url: str, calls: int) -> None:
    """Fail unless the endpoint answered so many different calls, each of them once."""
    answered = count(base_url)
    assert len(answered) == sum(answered.values()) == calls, (
        f"{sum(answered.values())} answered"
    )


def ours(
    ledger: Path, base_url: str, model: str, calls: int, cap: float = CAP_USD
) -> list[str]:
    """The command of a run of ours."""
    told = [str(ledger), base_url, model, str(calls), str(AT_ONCE), str(cap)]
    return [sys.executable, str(HERE / "calls_child.py"), *told]


def child(command: list[str]) -> dict[str, Any]:
    """The figures of a run of ours."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def row(what: str, *cells: object) -> None:
    """A line of the table."""
    print("| " + " | ".join([what, *map(str, cells)]) + " |", flush=True)


def speed(folder: Path) -> bool:
    """Many calls, and the same again from the ledger."""
    row(f"{CALLS:,} calls, {AT_ONCE} at once", "wall × ideal", "CPU s", "answered")
    row("---", "---:", "---:", "---:")
    with endpoint() as base_url:
        told = child(ours(folder / "speed" / "c.sqlite3", base_url, "plain", CALLS))
        check_once(base_url, CALLS)
        again = child(ours(folder / "speed" / "c.sqlite3", base_url, "plain", CALLS))
        check_once(base_url, CALLS)  # nothing more was sent
    row(
        "Tuneworthy",
        f"{told['wall_s'] / IDEAL_S:.2f}",
        f"{told['whole_cpu_s']:.1f}",
        told["calls"],
    )
    row("the same again, nothing sent", f"{again['wall_s'] / IDEAL_S:.2f}",
        f"{again['whole_cpu_s']:.1f}", again["calls"])  # fmt: skip
    kept = (
        told["wall_s"] <= WALL_BUDGET * IDEAL_S and told["whole_cpu_s"] <= CPU_BUDGET_S
    )
    return bool(kept and told["calls"] == again["calls"] == CALLS)


def faults(folder: Path) -> bool:
    """10% busy, 2% broken, 1% malformed, 0.2% hanging."""
    with endpoint() as base_url:
        told = child(ours(folder / "faults" / "c.sqlite3", base_url, "faulty", CALLS))
        answered, refused = count(base_url), told_by(base_url)["refused"]
    assert refused > 0, "no call was refused"
    assert told["in_doubt"] > 0, "no answer was malformed or never came"
    twice = sum(many > 1 for many in answered.values())
    print("\n| faults | |\n|---|---:|")
    for what in ("calls", "in_doubt", "failed"):
        row(what, told[what])
    row("answered twice by the endpoint", twice)
    row("wall × ideal", f"{told['wall_s'] / IDEAL_S:.1f}")
    return bool(told["calls"] + told["in_doubt"] == CALLS and not twice)


BUSY = {"plain": 1.0, "busy_2": 2.5, "busy_10": 4.0, "full": None}
"""Models of the endpoint that refuse some calls, with the wall they may take beside the ideal."""
FEWER = 2000


def refusals(folder: Path) -> bool:
    """Refusals by chance and for want of room."""
    ideal = FEWER / AT_ONCE * LATENCY_S
    kept = True
    plain = 0.0
    print(f"\n| {FEWER:,} calls, {AT_ONCE} at once | wall × plain | wall × ideal |")
    print("|---|---:|---:|")
    for model, most in BUSY.items():
        with endpoint() as base_url:
            told = child(ours(folder / model / "c.sqlite3", base_url, model, FEWER))
            check_once(base_url, FEWER)
            refused = told_by(base_url)["refused"]
        assert told["calls"] == FEWER
        assert (refused > 0) == (model != "plain"), (
            f"{model}: {refused} calls were refused"
        )
        took = told["wall_s"]
        plain = plain or took
        row(model, f"{took / plain:.1f}", f"{took / ideal:.1f}")
        kept &= most is None or took <= most * plain
    return kept


def killed(folder: Path) -> bool:
    """Runs that are killed at random moments, and run again."""
    ledger, chance = folder / "killed" / "c.sqlite3", random.Random(11)
    most_on_wire, lost, hit = 0, 0, 0
    known: set[str] = set()
    with endpoint() as base_url:
        command = ours(ledger, base_url, "quick", KILLED_CALLS, cap=1.0)
        for _ in range(KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one:
                assert one.stdout is not None
                one.stdout.readline()
                time.sleep(chance.random() * 0.06)
                os.kill(one.pid, signal.SIGKILL)
            base = sqlite3.connect(ledger)
            rows = base.execute("SELECT key, status FROM calls").fetchall()
            base.close()
            settled = {key for key, status in rows if status == "settled"}
            wire = sum(status == "sent" for _, status in rows)
            lost, known = lost + len(known - settled), settled
            most_on_wire, hit = max(most_on_wire, wire), hit + (wire > 0)
        told, answered = child(command), count(base_url)
    assert hit > 0, "no kill came while a call was on the wire"
    twice = sum(many > 1 for many in answered.values())
    print(f"\n| killed {KILLS} times | |\n|---|---:|")
    row("kills that hit calls on the wire", hit)
    row("most on the wire at a kill", most_on_wire)
    row("settled calls lost", lost)
    row("answered twice by the endpoint", twice)
    row("settled, and in doubt, at the end", f"{told['calls']}, {told['in_doubt']}")
    row("paid and held, under a cap of 1 USD", f"{told['paid'] + told['held']:.3f}")
    kept = (
        told["paid"] + told["held"] <= 1.0
        and told["calls"] + told["in_doubt"] == KILLED_CALLS
    )
    return kept and not lost and not twice and most_on_wire <= AT_ONCE


def main() -> int:
    """Measure.

    Returns:
        0 when every budget and every promise is kept, 1 when one is not.
    """
    print(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}.\n"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kept = [refusals(folder), speed(folder), faults(folder), killed(folder)]
    print("\nEvery budget is kept." if all(kept) else f"\nNot kept: {kept}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
