"""What the page takes: its first screen with 200 cases, answers, and 50 readers at a time.

Run ``python benchmarks/page.py``, or ``python benchmarks/page.py 2000`` for that many cases, in an
environment where Tuneworthy is installed with the extra ``serve``. The server is a
process of its own (``page_server.py``); times are taken by a client on the same machine, from the
request to the last byte of the answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from road import Line, printed

from tuneworthy import load_framework

HERE = Path(__file__).resolve().parent
CASES = int(sys.argv[1]) if len(sys.argv) > 1 else 200
FIRST_S, TOGGLE_S, READER_S = 0.3 if CASES <= 200 else 1.0, 0.05, 0.5
"""Budgets: the first page, a toggle, and the 95th percentile of what readers wait."""
TOGGLES, IN_A_ROW = 60, 10
PAGES = 30
READERS, READING_S, PAUSE_S = 50, 20.0, 1.0
"""Readers, for how long, and the mean time each looks at what came before it asks again."""
SEED = 7


def folder_of_cases(folder: Path) -> None:
    """Cases by the lesson with answers at even odds, most of them with money."""
    chance, lesson = random.Random(SEED), load_framework("lesson")
    rooms: dict[str, Mapping[str, object]] = {
        "ceiling": lesson.ceiling,
        "factors": lesson.factors,
        "signals": lesson.signals,
    }
    for number in range(CASES):
        told: dict[str, object] = {
            "name": f"Case {number} of a company",
            "goals": chance.sample(sorted(lesson.goals), 2),
            **{
                room: {name: chance.choice(["yes", "no", "unknown"]) for name in asked}
                for room, asked in rooms.items()
            },
        }
        if chance.random() < 0.7:
            saving = chance.uniform(200, 4000)
            told["economics"] = {
                "hourly_rate_usd": 100,
                "upfront": {"hours": {"low": 40, "likely": 60, "high": 120}},
                "monthly": {"api_savings_usd": round(saving), "ongoing_usd": round(saving / 3)},
                "traffic": {"requests_per_month": chance.randrange(1000, 900_000),
                            "input_tokens": 3000, "output_tokens": 400},
            }  # fmt: skip
            told["models"] = [{"id": "openai:gpt-4o"}]
            told["data"] = {"examples": chance.randrange(0, 20_000)}
        place = folder / f"case-{number:03}"
        place.mkdir()
        (place / "case.yaml").write_text(json.dumps(told, indent=1), "utf-8")


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    home: str

    def told(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def cpu_s(self) -> float:
        """CPU seconds that it has taken so far; 0 where the system doesn't say."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def serving(folder: Path, kept: Path) -> Iterator[Server]:
    """Start the server; end it with the block."""
    command = [sys.executable, str(HERE / "page_server.py"), str(folder), str(kept)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, text=True) as process:
        server = Server(process, "")
        server.home = f"http://127.0.0.1:{server.told()}"
        try:
            yield server
        finally:
            process.kill()


async def timed(client: aiohttp.ClientSession, path: str) -> tuple[float, str]:
    """Seconds to the last byte, and the text.

    Raises:
        RuntimeError: If it isn't answered with 200.
    """
    began = time.perf_counter()
    async with client.get(path) as answer:
        text = await answer.text()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
    return took, text


async def toggles(client: aiohttp.ClientSession) -> list[float]:
    """Seconds of each of some answers given one after the other, as a browser gives them."""
    found, chance = list[float](), random.Random(SEED)
    for number in range(TOGGLES // IN_A_ROW):
        path = f"/cases/case-{number:03}/answers"
        _, text = await timed(client, path)
        form = dict[str, str]()
        for _ in range(IN_A_ROW):
            form |= hidden_fields(text)
            key, was = chance.choice([pair.split("=") for pair in form["seen"].split()])
            given = "no" if was == "yes" else "yes"
            changed = {**form, key: given}
            began = time.perf_counter()
            sent = client.post(path, data=changed, headers={"HX-Request": "true"})
            async with sent as answer:
                text = await answer.text()
                found.append(time.perf_counter() - began)
                if answer.status != 200:
                    raise RuntimeError(f"{path}: {answer.status}")
            assert f"{key}={given}" in hidden_fields(text)["seen"].split(), (
                "nothing was toggled"
            )
    assert len(found) == TOGGLES
    return found


def hidden_fields(text: str) -> dict[str, str]:
    """The hidden fields of a form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))


async def readers(client: aiohttp.ClientSession) -> tuple[list[float], int]:
    """What many readers wait, and how many answers were errors."""
    until, waits, errors = time.monotonic() + READING_S, list[float](), 0

    async def reader(number: int) -> None:
        nonlocal errors
        chance = random.Random(number)
        await asyncio.sleep(chance.uniform(0, 2 * PAUSE_S))
        while time.monotonic() < until:
            case = f"/cases/case-{chance.randrange(CASES):03}"
            path = chance.choice(["/", case, case, f"{case}/options", f"{case}/money",
                                  f"{case}/evidence"])  # fmt: skip
            try:
                waits.append((await timed(client, path))[0])
            except (RuntimeError, aiohttp.ClientError):
                errors += 1
            await asyncio.sleep(chance.uniform(0, 2 * PAUSE_S))

    await asyncio.gather(*(reader(number) for number in range(READERS)))
    return waits, errors


def busy() -> float:
    """Seconds on the clock for a second of this process's own computing."""
    began, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < 1:
        sum(range(1000))
    return time.perf_counter() - began


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


async def started(server: Server) -> tuple[float, float]:
    """Seconds of the first page of a server, and until it has looked at every case."""
    async with aiohttp.ClientSession(server.home) as client:
        took, _ = await timed(client, "/")
    return took, float(server.told())


async def measure(
    server: Server, cold: tuple[float, float]
) -> tuple[list[Line], list[str]]:
    """The lines of the table, and what else there is to say; ``cold`` is of the start before."""
    connector = aiohttp.TCPConnector(limit=READERS + 4)
    async with aiohttp.ClientSession(server.home, connector=connector) as client:
        first, text = await timed(client, "/")
        rows = text.count('class="case-row')
        assert rows > 0, "the list has no row"
        warm = float(server.told())
        cpu = [server.cpu_s()]
        again = [(await timed(client, "/"))[0] for _ in range(PAGES)]
        cpu.append(server.cpu_s())
        took = await toggles(client)
        cpu.append(server.cpu_s())
        waits, errors = await readers(client)
        assert waits, "no reader got a page"
    lines = [
        Line(
            f"first page of a server with {CASES} cases, nothing kept",
            cold[0],
            "s",
            FIRST_S,
        ),
        Line("the same of the next start", first, "s", FIRST_S),
        Line(
            f"the same later, median of {PAGES}", statistics.median(again), "s", FIRST_S
        ),
        Line("the same, 95th percentile", p95(again), "s", FIRST_S),
        Line("CPU of the server for one", (cpu[1] - cpu[0]) / PAGES, "s"),
        Line(f"a toggle, median of {TOGGLES}", statistics.median(took), "s", TOGGLE_S),
        Line("the same, 95th percentile", p95(took), "s"),
        Line("CPU of the server for one", (cpu[2] - cpu[1]) / TOGGLES, "s", TOGGLE_S),
        Line(f"{READERS} readers at a time, median", statistics.median(waits), "s"),
        Line("the same, 95th percentile", p95(waits), "s", READER_S),
        Line("answers that were errors", float(errors), "", 0),
    ]
    got = f"Readers got {len(waits)} pages in {READING_S:.0f} s"
    judged = f"Every case was judged after {cold[1]:.1f} s at the first start"
    notes = [
        f"A second of computing took {busy():.1f} s: that is how busy the machine was.",
        f"The first request got {rows} lines. {judged}, looked at after {warm:.1f} s at the next.",
        f"{got}.",
    ]
    return lines, notes


def main() -> int:
    """Measure and print.

    Returns:
        0 when every budget is kept, 1 when one is not.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder_of_cases(folder)
        with tempfile.TemporaryDirectory() as cache:
            kept = Path(cache) / "kept.sqlite"
            with serving(folder, kept) as server:
                cold = asyncio.run(started(server))
            with serving(folder, kept) as server:
                found, notes = asyncio.run(measure(server, cold))
    code = printed(found)
    print("\n".join(["", *notes]))
    return code


if __name__ == "__main__":
    sys.exit(main())
