"""Paid calls: 5,000 at 64 at once against an endpoint on loopback that takes 50 ms for each.

Run ``python benchmarks/calls.py`` in an environment where Tuneworthy is installed with its extra
``lab``. Four parts: refusals, beside a ``--former`` checkout; speed, with everything else that is
installed beside us; faults; and a run that is killed at random moments. ``--promptfoo`` and
``--inspect`` name their commands where they are installed; what isn't named is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CALLS, AT_ONCE, LATENCY_S = 5000, 64, 0.05
IDEAL_S = CALLS / AT_ONCE * LATENCY_S
WALL_BUDGET, CPU_BUDGET_S = 4.0, 9.0
KILLS, KILLED_CALLS, CAP_USD = 100, 20_000, 100.0
OTHERS_WAIT_S = 900

INSPECT_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.solver import generate

@task
def calls():
    return Task(MemoryDataset([Sample(input=str(n)) for n in range({calls})]), solver=generate())
"""


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


def child(command: list[str], env: dict[str, str] | None = None) -> dict[str, Any]:
    """The figures of a run of ours."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def whole(
    command: list[str], folder: Path, more: dict[str, str]
) -> tuple[float, float] | str:
    """Wall and CPU seconds of somebody else's whole process; or why there are none."""
    before, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | more, capture_output=True, text=True,
            timeout=OTHERS_WAIT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as caught:
        return type(caught).__name__
    wall, now = time.monotonic() - before, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (
        0,
        100,
    ):  # promptfoo says 100 where a test of an answer fails
        return f"exit code {done.returncode}: {(done.stderr or done.stdout)[-200:]!r}"
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def promptfoo(command: str, folder: Path, base_url: str) -> tuple[float, float] | str:
    """The same calls by promptfoo."""
    config = {
        # a prompt that reads as JSON would be sent as it stands
        "prompts": ["Number {{q}}"],
        "providers": [
            {
                "id": "openai:chat:plain",
                "config": {"apiBaseUrl": base_url, "apiKey": "none"},
            }
        ],
        "tests": [{"vars": {"q": str(number)}} for number in range(CALLS)],
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    told = ["eval", "-c", "config.json", "-j", str(AT_ONCE), "--no-cache", "--no-table",
            "--no-progress-bar", "--output", "out.json"]  # fmt: skip
    off = ("DISABLE_TELEMETRY", "DISABLE_UPDATE", "DISABLE_REMOTE_GENERATION")
    quiet = {f"PROMPTFOO_{name}": "1" for name in off}
    quiet["PROMPTFOO_CONFIG_DIR"] = str(folder)
    return whole([command, *told], folder, quiet)


def inspect(command: str, folder: Path, base_url: str) -> tuple[float, float] | str:
    """The same calls by Inspect."""
    (folder / "calls.py").write_text(INSPECT_TASK.format(calls=CALLS), encoding="utf-8")
    many = str(AT_ONCE)
    told = ["eval", "calls.py", "--model", "openai-api/loop/plain", "--max-connections", many,
            "--max-samples", many, "--display", "none", "--log-dir", "logs"]  # fmt: skip
    return whole(
        [command, *told], folder, {"LOOP_BASE_URL": base_url, "LOOP_API_KEY": "none"}
    )


def row(what: str, *cells: object) -> None:
    """A line of the table."""
    print("| " + " | ".join([what, *map(str, cells)]) + " |", flush=True)


def speed(folder: Path, others: dict[str, str | None]) -> bool:
    """All of them in turns, each against an endpoint of its own."""
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
    runs: dict[str, Callable[[str, Path, str], tuple[float, float] | str]] = {
        "promptfoo": promptfoo, "inspect": inspect,
    }  # fmt: skip
    for name, run in runs.items():
        if (command := others[name]) is None:
            row(name, "not named", "", "")
            continue
        place = folder / name
        place.mkdir()
        with endpoint() as base_url:
            found, answered = run(command, place, base_url), len(count(base_url))
        if isinstance(found, str):
            row(name, f"failed ({found})", "", answered)
        elif answered < CALLS:
            row(name, "ended early", "", answered)
        else:
            row(name, f"{found[0] / IDEAL_S:.2f}", f"{found[1]:.1f}", answered)
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


def refusals(folder: Path, former: Path | None) -> bool:
    """Refusals by chance and for want of room, against a former version where one is named."""
    ideal, kept = FEWER / AT_ONCE * LATENCY_S, True
    print(
        f"\n| {FEWER:,} calls, {AT_ONCE} at once | wall × plain | wall × ideal | former × ideal |"
    )
    print("|---|---:|---:|---:|")
    plain = 0.0
    for model, most in BUSY.items():
        took = []
        for which in (None, former) if former else (None,):
            env = (
                None
                if which is None
                else {**os.environ, "PYTHONPATH": str(which / "src")}
            )
            with endpoint() as base_url:
                name = folder / f"{model}-{which is None}" / "c.sqlite3"
                told = child(ours(name, base_url, model, FEWER), env)
                check_once(base_url, FEWER)
                refused = told_by(base_url)["refused"]
            assert told["calls"] == FEWER
            assert (refused > 0) == (model != "plain"), (
                f"{model}: {refused} calls were refused"
            )
            took.append(told["wall_s"])
        plain = plain or took[0]
        before = f"{took[1] / ideal:.1f}" if len(took) > 1 else ""
        row(model, f"{took[0] / plain:.1f}", f"{took[0] / ideal:.1f}", before)
        kept &= most is None or model == "plain" or took[0] <= most * plain
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
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None
    )
    for name in ("promptfoo", "inspect"):
        parser.add_argument(f"--{name}", metavar="COMMAND", help="to measure beside us")
    parser.add_argument(
        "--former", type=Path, help="another checkout, measured in turn"
    )
    parser.add_argument("--only", choices=("refusals",), help="this part alone")
    told = vars(parser.parse_args())
    former, only = told.pop("former"), told.pop("only")
    print(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}.\n"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kept = [refusals(folder, former)]
        if only is None:
            kept += [speed(folder, told), faults(folder), killed(folder)]
    print("\nEvery budget is kept." if all(kept) else f"\nNot kept: {kept}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
