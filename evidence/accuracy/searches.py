"""Searches for prompts in worlds whose best prompt is known: what a ceiling then claims.

python evidence/accuracy/searches.py [WORLDS] [FIRST]

Each world (``tests/worlds_search.py``) answers on a server of this machine, by the list price of
its case, and its ceiling lab is run as a user runs it: searched by default, then raced and
reported. Beside it the same search is run ten times as long, without a stop. The target lies above,
at or below the best that there is. Prints a row a world, as JSON lines, and what they come to.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np
from aiohttp import web

from tuneworthy.lab import ceiling as api
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.propose import CandidateEvaluator, as_written
from tuneworthy.lab.quote import quoted
from tuneworthy.lab.search import Search, plan_with
from tuneworthy.llm.runner import Job
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import ChatMessage, Reply, Request, Settled
from worlds_search import World

AS_OF = date(2026, 12, 1)
A_MESSAGE = 4  #: Tokens that a message takes beside its text, as vendors count.
LONGER = 10  #: Times as many draws as the lab's own search.
TARGETS = (0.06, 0.0, -0.04)  #: Where the target lies, from the best that there is.


@contextmanager
def served() -> Iterator[str]:
    """The address of a server that answers for every world, by the first part of a path."""
    worlds: dict[str, World] = {}
    loop = asyncio.new_event_loop()
    port: list[int] = []
    ready = threading.Event()

    async def say(request: web.Request) -> web.Response:
        seed = request.match_info["seed"]
        if seed not in worlds:
            worlds[seed] = World.drawn(int(seed))
        body = await request.json()
        asked = request_of(body)
        text = worlds[seed].answer(asked)
        read = sum(len(message.content) // 4 + A_MESSAGE for message in asked.messages)
        usage = {"prompt_tokens": read, "completion_tokens": max(1, len(text) // 4)}
        choice = {
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        return web.json_response(
            {"choices": [choice], "usage": usage, "model": body["model"]}
        )

    async def serve() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/{seed}/v1/chat/completions", say)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(runner.addresses[0][1])
        ready.set()
        await asyncio.Event().wait()

    thread = threading.Thread(
        target=lambda: loop.run_until_complete(serve()), daemon=True
    )
    thread.start()
    ready.wait()
    yield f"http://127.0.0.1:{port[0]}"


def request_of(body: Mapping[str, Any]) -> Request:
    """What a world is asked, from the body of a call."""
    messages = tuple(ChatMessage(**message) for message in body["messages"])
    effort = body.get("reasoning_effort")
    return Request(
        provider="p", base_url="", model="one", messages=messages, effort=effort
    )


class Unending(Search):
    """The same search, which ends only where its draws do."""

    def is_at_plateau(self, before: float) -> bool:  # noqa: ARG002  # as the class it is of
        return False


def run_longer(lab: Any, world: World) -> float:
    """The quality of the best of the finalists of a search ten times as long."""

    def ask(jobs: Sequence[Job]) -> dict[str, Settled]:
        return {job.key: settled(job, world) for job in jobs}

    request = lab.request._replace(draws=lab.request.draws * LONGER)
    search = Unending(
        CandidateEvaluator(lab.plan, request, lab.scores.marker, ask)
    ).run()
    plan = plan_with(search).plan
    return max(quality_of(world, plan, arm) for arm in plan.of_kind("prompt"))


def settled(job: Job, world: World) -> Settled:
    return Settled(
        key=job.key, status="settled", reply=Reply(text=world.answer(job.request))
    )


def quality_of(world: World, plan: Any, arm: Any) -> float:
    """The true quality of an arm."""
    pool = plan.setting.pool
    shown = frozenset(world.weights)  # the nearest are of the kind of the case
    if arm.few_shot_from != "nearest":
        places = pool.shown_to(arm, plan.report[0])
        shown = frozenset(world.kind_of(pool.examples[place].text) for place in places)
    return world.quality(plan.setting.prompts[arm.prompt].system, shown, arm.effort)


def row_of(seed: int, address: str) -> dict[str, Any]:
    """What the lab of a world says, and what is so."""
    world = World.drawn(seed)
    target = min(0.995, world.best + TARGETS[seed % len(TARGETS)])
    with tempfile.TemporaryDirectory() as base:
        folder = world.folder(Path(base) / "case", f"{address}/{seed}/v1", target)
        lab = api.with_search(prepare(folder, as_of=AS_OF))
        quote = quoted(lab)
        began = time.process_time()
        done = api.run(lab, cap_usd=100.0)
        took = time.process_time() - began
        result = done.result
        best = next((arm for arm in done.plan.arms if arm.id == result.best), None)
        chosen = quality_of(world, done.plan, best) if best else None
        own = lab.plan.of_kind("prompt")
        before = max(quality_of(world, lab.plan, arm) for arm in own)
        written = max(quality_of(world, lab.plan, arm) for arm in as_written(own))
        spent = {"calls": result.spend.calls, "usd": result.spend.paid}
        drawn = max(5, result.search.draws)
        assert lab.request is not None  # the search was proposed above
        longer = run_longer(
            replace(lab, request=lab.request._replace(draws=drawn)), world
        )
    gain = result.gained
    headroom = result.headroom
    foretold = None
    if not isinstance(headroom, Unknown):
        foretold = [
            headroom.value,
            headroom.low,
            headroom.high,
            headroom.calls,
            headroom.advice,
        ]
    return {
        "seed": seed,
        "target": round(target, 4),
        "best": round(world.best, 4),
        "written": written,
        "before": before,
        "chosen": chosen,
        "longer": longer,
        "reached": result.reached,
        "ended": result.search.ended,
        "draws": result.search.draws,
        "rounds": result.search.rounds,
        "search_usd": result.search.usd,
        "gained": None if gain is None else [gain.difference, gain.low, gain.high],
        "foretold": foretold,
        "quote": [quote.calls, quote.usd_likely, quote.usd_most],
        "cpu_s": round(took, 2),
        "skill": world.skill,
        **spent,
    }


def main() -> None:
    """Print a row a world, and the summary."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rows = []
    with served() as address:
        for seed in range(first, first + worlds):
            rows.append(row_of(seed, address))
            print(json.dumps(rows[-1]), flush=True)
    print(json.dumps(summary_of(rows), indent=2))


def summary_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the rows come to."""
    reached = [row for row in rows if row["reached"] == "yes"]
    searched = [row for row in rows if row["ended"] == "plateau"]
    near = [row for row in searched if row["chosen"] >= row["longer"] - 0.01]
    ratios = sorted(row["quote"][1] / row["usd"] for row in rows)
    return {
        "worlds": len(rows),
        "reached": len(reached),
        "reached, and the best meets the target": sum(
            r["best"] >= r["target"] for r in reached
        ),
        "at the plateau": len(searched),
        "within a point of a search ten times as long": len(near),
        **headroom_of(rows),
        "mean gain": sum(r["chosen"] - r["before"] for r in rows) / len(rows),
        "mean loss to the longer": sum(r["longer"] - r["chosen"] for r in rows)
        / len(rows),
        "quote over paid, least, middle, most": [
            ratios[0],
            ratios[len(ratios) // 2],
            ratios[-1],
        ],
        "calls, middle": sorted(row["calls"] for row in rows)[len(rows) // 2],
        "paid above the most": sum(row["usd"] > row["quote"][2] for row in rows),
    }


def headroom_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How well the test before a search foretold what it gained."""
    known = [row for row in rows if row["foretold"]]
    gains = np.array([row["chosen"] - row["written"] for row in known])
    foretold = np.array([row["foretold"][0] for row in known])
    vain = [row for row in known if row["foretold"][4] != "search"]
    missed = [row for row in vain if row["chosen"] - row["written"] >= 0.02]
    inside = [
        row
        for row in known
        if row["foretold"][1] - 1e-9
        <= row["chosen"] - row["written"]
        <= row["foretold"][2]
    ]
    return {
        "foretold": len(known),
        "rank correlation with the gain": round(rank_correlation(foretold, gains), 2),
        "unclear": len(vain),
        "of them gained two points": len(missed),
        "gain within the interval": len(inside),
        "mean foretold": float(foretold.mean()),
        "mean calls": float(np.mean([row["foretold"][3] for row in known])),
    }


def rank_correlation(first: Any, second: Any) -> float:
    """Spearman's, with the mean rank of equals."""
    ranks = []
    for values in (first, second):
        order = np.array(
            [(values < value).sum() + (values == value).sum() / 2 for value in values]
        )
        ranks.append(order)
    one, other = ranks
    return float(np.corrcoef(one, other)[0, 1])


if __name__ == "__main__":
    main()
