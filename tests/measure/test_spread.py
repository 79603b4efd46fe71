"""Files measured side by side say the same as one process, to the last digit."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine import cut, materials, world

from tuneworthy.cli import run
from tuneworthy.errors import InputError
from tuneworthy.measure import sample as measure_sample
from tuneworthy.measure.engine import Sampling, measure, merged, part_of
from tuneworthy.measure.signals import signals
from tuneworthy.measure.signals.success import SuccessSignal
from tuneworthy.measure.signals.traffic import TrafficSignal
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(
    st.lists(st.integers(1, 110), min_size=1, max_size=5),
    st.integers(0, 3),
    st.sampled_from([1.0, 0.4]),
)
def test_any_partition_comes_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], seed: int, share: float
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    every, files = signals(materials()), cut(world(seed, 240), [*sizes, 240])
    at, draw = [0], Sampling(share, seed)

    def batches() -> Any:
        for number, file in enumerate(files):
            at[0] = number
            yield draw.draw_traces(file, number)

    whole = measure(batches(), every, folder=folder, piece=lambda: at[0], share=share)
    signer, again = measure_sample.Signer(), Sampling(share, seed)
    for n, file in enumerate(files):
        some = again.draw_traces(file, n)
        signer.add(some.column("input"), some.output)
    signer.rest()

    def part(n: int, file: Batch) -> Any:
        own = Sampling(share, seed)
        drawn = (own.draw_traces(each, n) for each in cut(file, [7] * 99))
        return part_of(drawn, every, folder=folder, piece=n, shared=signer.shared)

    parts = (part(n, file) for n, file in enumerate(files))
    assert (
        merged((each for each in parts if each), every, folder=folder, share=share)
        == whole
    )


@pytest.mark.slow
def test_a_draw_of_the_conversations_stands_for_all_of_them(tmp_path: Path) -> None:
    """Twenty draws of 300 conversations over 50 days; each interval is of 95%."""
    rng = random.Random(5)
    log = Batch()
    for talk in range(300):
        at, good = 1785000000 + rng.uniform(0, 50 * 86400), rng.random() < 0.7
        for turn in range(rng.choice([1, 2, 5])):
            log.output.append("a")
            log.conversation.append(f"c{talk}")
            log.timestamp.append(at + 60 * turn)
            log.score.append(float(good))
    every: list[Any] = [TrafficSignal(), SuccessSignal()]

    def found(share: float, seed: int) -> dict[str, Any]:
        drawn = [Sampling(share, seed).draw_traces(log, 0)]
        findings = measure(drawn, every, folder=tmp_path, share=share)
        return {each.id: each for signal in findings for each in signal.evidence}

    truth, names = found(1.0, 0), ("requests_per_month", "success_share")
    drawn = [found(0.3, seed) for seed in range(20)]
    for name in names:
        wanted, told = truth[name].value, [one[name] for one in drawn]
        assert {each.sample for each in told} == {"sampled"}
        assert {each.details["drawn_share"] for each in told} == {0.3}
        assert sum(each.low <= wanted <= each.high for each in told) >= 17
        assert sum(each.value for each in told) / 20 == pytest.approx(wanted, rel=0.1)
    assert isinstance(drawn[0]["cacheable_share"].value, Unknown)
    assert "drawn_share" not in truth["success_share"].details


def test_a_part_without_a_trace_is_none(tmp_path: Path) -> None:
    assert part_of([Batch()], signals(materials()), folder=tmp_path) is None


def logs(folder: Path) -> Path:
    """Three files, of which one is of another make and one is no log."""
    (folder / "logs").mkdir()
    for file in range(2):
        rows = [
            {"input": f"what about {file} {n}?", "output": f"answer {n} of {file}", "model": "m",
             "timestamp": 1785000000 + 60 * n, "latency_s": 1.5, "input_tokens": n}
            | ({} if n % 3 else {"conversation_id": f"c{n // 9}"}) for n in range(80)
        ]  # fmt: skip
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "logs" / f"{file}.jsonl").write_text(text)
    own = [
        {"user": f"ask {n}", "response": f"say {n}", "latency_ms": 900 + n}
        for n in range(50)
    ]
    (folder / "logs" / "2.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in own)
    )
    (folder / "logs" / "notes.txt").write_text("nothing of ours")
    return folder / "logs"


def said(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str], *more: str
) -> Any:
    (folder / name).mkdir()
    (folder / name / "case.yaml").write_text("name: x\ngoals: [format]\n")
    arguments = [
        "measure",
        str(folder / name),
        "--from",
        str(folder / "logs"),
        "--format",
        "json",
    ]
    assert run([*arguments, *more]) == 0
    told = json.loads(capsys.readouterr().out)
    return [told[key] for key in ("inputs", "readings", "evidence", "series")]


NO_RAY = importlib.util.find_spec("ray") is None


@pytest.mark.slow
def test_on_ray_or_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if NO_RAY and os.environ.get("TUNEWORTHY_RAY") != "required":
        pytest.skip("the extra ray is not installed")
    logs(tmp_path)
    alone = said(tmp_path, "one", capsys)
    assert said(tmp_path, "many", capsys, "--on", "ray") == alone


class TaskError(Exception):
    """What Ray raises for a task that failed elsewhere."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class Task:
    """A function that Ray runs elsewhere: what it takes and gives goes through bytes."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def remote(self, job: Any) -> bytes | TaskError:
        sent = pickle.loads(pickle.dumps(job))
        try:
            return pickle.dumps(self._function(sent))
        except InputError as caught:
            return TaskError(caught)


def fetch(reference: bytes | TaskError) -> Any:
    if isinstance(reference, TaskError):
        raise reference
    return pickle.loads(reference)


def put_ray_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's few functions that we call, without its processes, where Ray isn't installed."""
    ray = ModuleType("ray")
    functions: dict[str, Any] = {
        "init": lambda *_, **__: None,
        "shutdown": lambda: None,
        "cluster_resources": lambda: {"CPU": 1.0},
        "remote": Task,
        "get": fetch,
        "exceptions": SimpleNamespace(RayTaskError=TaskError),
    }
    vars(ray).update(functions)
    monkeypatch.setitem(sys.modules, "ray", ray)


@pytest.mark.slow
def test_parts_that_travel_as_bytes_come_to_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = logs(tmp_path)
    alone = said(tmp_path, "one", capsys)
    put_ray_in_this_process(monkeypatch)
    assert said(tmp_path, "many", capsys, "--on", "ray") == alone
    (place / "bad.jsonl").write_text('{"input": "x"' + "\n" + "{" * 40)
    assert run(["measure", "--from", str(place / "bad.jsonl"), "--on", "ray"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_what_is_wrong_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = logs(tmp_path)
    assert run(["measure", "--from", str(place), "--on", "spark"]) == 2
    assert "or write ray or ray:ADDRESS" in capsys.readouterr().err
    assert run(["measure", "--from", str(place), "--on", "cores"]) == 2
    gone = "--on cores: is gone. Leave --on out to measure in one process, or write ray"
    assert gone in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(["measure", "--from", str(place), "--on", "ray"]) == 2
    assert "needs the extra ray" in capsys.readouterr().err
    assert run(["measure", "--from", str(place), "--on", "ray:127.0.0.1:9"]) == 2
    assert "no cluster answers there" in capsys.readouterr().err
