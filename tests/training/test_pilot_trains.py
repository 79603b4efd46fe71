"""What trains on this machine really trains: an adapter, its state, and that it is served.

Needs the extra ``pilot``; with ``TUNEWORTHY_PILOT=required`` its absence is a failure and no skip.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from loopback import LoopbackServer
from pilot_world import case_of
from tuneworthy import CaseError, InputError
from tuneworthy.cli import run
from tuneworthy.llm import embedded as llm_embedded
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Model
from tuneworthy.model.lab import ChatMessage, Request
from tuneworthy.training import trainers
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.trainers import TrainingWork

LACKS = [
    name
    for name in ("torch", "transformers", "peft", "gguf", "trl")
    if find_spec(name) is None
]


def need_training() -> None:
    if LACKS and os.environ.get("TUNEWORTHY_PILOT") == "required":
        pytest.fail(f"{LACKS[0]} is not installed")
    if LACKS:
        pytest.skip("the extra pilot is not installed")


def work_of(
    rows: list[dict[str, Any]], key: str = "ab" * 32, **recipe: Any
) -> TrainingWork:
    job = model_pilot.TrainingJob(key=key, size=len(rows), seed=0)
    return TrainingWork(job, model_pilot.Recipe.model_validate(recipe), tuple(rows))


def row(asked: str, answer: str, **more: Any) -> dict[str, Any]:
    told = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": answer},
    ]
    return {"messages": told, **more}


ROWS = [row(f"w{n % 7} w{n % 5}", "w1", rejected="w2") for n in range(24)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of some thousand weights, with a tokenizer of a few words."""
    need_training()
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = {"[pad]": 0, "[unk]": 1, "[user]": 2, "[assistant]": 3, "[end]": 4}
    words |= {f"w{n}": n + 5 for n in range(10)}
    plain = Tokenizer(models.WordLevel(words, unk_token="[unk]"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[pad]", eos_token="[end]"
    )
    made.chat_template = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }} [end] {% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    made.save_pretrained(str(folder))
    config = LlamaConfig(
        vocab_size=16, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder


def trained(
    folder: Path,
    base: Path,
    work: TrainingWork,
    *,
    stop_at: int = 0,
    save_every_s: float = 60.0,
) -> dict[str, Any]:
    """Train in a process of its own, perhaps killed at a step; what its folder says in the end."""

    async def go() -> None:
        untuned = Model(id="vllm:tiny")
        trainer = training_trainers.LoraTrainer(
            folder, base, "cpu", untuned, save_every_s=save_every_s
        )

        def step(said: str) -> None:
            _, done, *_ = said.split()
            if int(done) == stop_at:
                trainer.stop()

        try:
            await trainer.finish(work, await trainer.begin(work), step)
        finally:
            await trainer.close()

    asyncio.run(go())
    return record_of(folder, work)


def record_of(folder: Path, work: TrainingWork) -> dict[str, Any]:
    """What the folder of a run says in its end."""
    record: dict[str, Any] = json.loads(
        (folder / work.job.key[:16] / "done.json").read_text()
    )
    return record


WHOLE: dict[str, Any] = {"rate": 0.02, "epochs": 2, "least_steps": 0, "dropout": 0.0}
IN_PARTS = WHOLE | {"parts": 3, "checkpointing": True}
MIXED = [
    row(" ".join(f"w{n % m}" for n in range(m * 2)), f"w{m}") for m in range(2, 10)
]
ONCE: dict[str, Any] = {"epochs": 1, "least_steps": 1}

RUNS: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("learns", ROWS, {"epochs": 12, "rate": 0.02, "dropout": 0.0}),
    ("learns less", ROWS[:16], {"epochs": 12, "rate": 0.02, "dropout": 0.0}),
    ("pairs", ROWS, {"method": "dpo", "epochs": 12, "rate": 0.02}),
    ("kept going", ROWS, {"epochs": 12, "rate": 0.02}),
    ("cut off", ROWS, {"epochs": 12, "rate": 0.02}),
    ("cut off at once", ROWS, {"epochs": 12, "rate": 0.02}),
    ("together", MIXED, ONCE | {"batch": len(MIXED)}),
    *((f"alone {n}", [each], ONCE | {"batch": 1}) for n, each in enumerate(MIXED)),
    ("sft", ROWS, WHOLE),
    ("dpo", ROWS, WHOLE | {"method": "dpo"}),
    ("sft in parts", ROWS, IN_PARTS),
    ("dpo in parts", ROWS, IN_PARTS | {"method": "dpo"}),
]
WORKS = {
    name: work_of(rows, key=f"{n:064x}"[::-1], **recipe)
    for n, (name, rows, recipe) in enumerate(RUNS)
}
"""Runs that one process trains, one after another: to load what trains takes longer than they do."""


class School(NamedTuple):
    """Runs that were trained, with what was seen meanwhile."""

    folder: Path
    quote: model_pilot.TrainingQuote
    quoted_in_silence: bool  #: The quote left no folder.
    states: dict[str, bool]  #: Whether a run that was killed left a state, by name.
    began_at: dict[str, int]  #: The first step that was made in the end, by name.

    def done(self, name: str) -> dict[str, Any]:
        return record_of(self.folder, WORKS[name])


@pytest.fixture(scope="module")
def school(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> School:
    """Every run of ``WORKS``; two of them were killed before."""
    folder = tmp_path_factory.mktemp("school") / "runs"

    def trainer(save_every_s: float) -> training_trainers.LoraTrainer:
        untuned = Model(id="vllm:tiny")
        return training_trainers.LoraTrainer(
            folder, tiny, "cpu", untuned, save_every_s=save_every_s
        )

    async def quoted(teacher: training_trainers.LoraTrainer) -> Any:
        quote = await teacher.quote([WORKS["learns"], work_of(ROWS[:8], epochs=12)])
        return quote, not folder.exists()

    async def cut(work: TrainingWork, *, at: int, save_every_s: float) -> bool:
        teacher = trainer(save_every_s)

        def step(said: str) -> None:
            _, done, _, of = said.split()
            assert int(done) <= int(of)
            if int(done) == at:
                teacher.stop()

        try:
            with pytest.raises(training_trainers.TrainingStoppedError, match="stopped"):
                await teacher.finish(work, await teacher.begin(work), step)
        finally:
            await teacher.close()
        return (folder / work.job.key[:16] / "state.pt").is_file()

    async def go() -> School:
        teacher = trainer(0.0)
        try:
            quote, in_silence = await quoted(teacher)
            states = {
                "cut off": await cut(WORKS["cut off"], at=20, save_every_s=0.0),
                "cut off at once": await cut(
                    WORKS["cut off at once"], at=3, save_every_s=1e9
                ),
            }
            began_at = {}
            for name, work in WORKS.items():
                steps = list[str]()
                await teacher.finish(work, await teacher.begin(work), steps.append)
                began_at[name] = int(steps[0].split()[1])
        finally:
            await teacher.close()
        return School(folder, quote, in_silence, states, began_at)

    return asyncio.run(go())


@pytest.mark.slow
def test_an_adapter_learns_and_is_not_trained_again(school: School, tiny: Path) -> None:
    work = WORKS["learns"]
    first = school.done("learns")
    assert first["steps"] == 36
    assert first["loss"] < 1.0, first  # chance among the words is 2.8
    adapter = school.folder / work.job.key[:16] / "adapter_model.safetensors"
    before = adapter.stat().st_mtime_ns
    again = trained(school.folder, tiny, work)
    assert again == first
    assert adapter.stat().st_mtime_ns == before


def ended(folder: Path, base: Path, work: TrainingWork) -> tuple[Any, bool, list[str]]:
    """The end of a run, whether its model was kept before, and its progress if it trained."""
    steps: list[str] = []

    async def go() -> tuple[Any, bool, list[str]]:
        trainer = training_trainers.LoraTrainer(
            folder, base, "cpu", Model(id="vllm:tiny")
        )
        try:
            run = await trainer.begin(work)
            kept = trainer.is_kept(work, f"vllm:pilot-{run}")
            return await trainer.finish(work, run, steps.append), kept, steps
        finally:
            await trainer.close()

    return asyncio.run(go())


@pytest.mark.slow
def test_weights_that_came_with_the_folder_are_said_and_changed_ones_are_refused(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = work_of(ROWS[:8], epochs=1, least_steps=1)
    done, kept, steps = ended(tmp_path, tiny, work)
    assert (done.brought, kept, steps) == (False, False, ["step 1 of 1"])
    done, kept, steps = ended(tmp_path, tiny, work)
    assert (done.brought, kept, steps) == (False, True, [])
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        done, kept, steps = ended(tmp_path, tiny, work)
        assert (done.brought, kept, steps) == (True, True, [])
    run_folder = tmp_path / work.job.key[:16]
    record = run_folder / "done.json"
    whole = record.read_text("utf-8")
    record.write_text(whole.replace('"steps":1', '"steps":2'), "utf-8")
    with pytest.raises(CaseError, match="was edited after it was written"):
        ended(tmp_path, tiny, work)
    record.write_text(whole, "utf-8")
    weights = run_folder / "adapter_model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(InputError, match="other weights than those that were trained"):
        ended(tmp_path, tiny, work)
    shutil.rmtree(run_folder)  # the fix of both
    done, kept, steps = ended(tmp_path, tiny, work)
    assert (done.brought, kept, steps) == (False, False, ["step 1 of 1"])


STOPPED = work_of(ROWS[:8], epochs=12, least_steps=1)


@pytest.fixture(scope="module")
def stopped(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``STOPPED``, which was stopped at its sixth step of twelve."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(training_trainers.TrainingStoppedError):
        trained(folder, tiny, STOPPED, stop_at=6, save_every_s=0.0)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("state", ["here", "brought", "edited", "of before"])
def test_a_state_that_was_brought_is_said_and_an_edited_one_is_trained_again(
    stopped: Path,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
) -> None:
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    file = tmp_path / STOPPED.job.key[:16] / "state.pt"
    if state == "brought":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sealed, _, raw = file.read_bytes().partition(b"\n")
    if state == "edited":
        file.write_bytes(sealed + b"\n" + raw[:-1] + bytes([raw[-1] ^ 1]))
    if state == "of before":
        file.write_bytes(raw)
    done, _, steps = ended(tmp_path, tiny, STOPPED)
    assert done.brought == (state == "brought")
    goes_on = steps[0] != "step 1 of 12"
    assert goes_on == (state in ("here", "brought"))


@pytest.mark.slow
def test_a_quote_measures_a_few_steps_and_leaves_nothing(school: School) -> None:
    quote = school.quote
    assert (quote.jobs, quote.steps) == (2, 36 + 30)  # 8 examples get the least steps
    assert not isinstance(quote.memory_mib, Unknown)
    assert quote.memory_mib > 50
    assert school.quoted_in_silence


@pytest.mark.slow
def test_runs_side_by_side_come_to_what_they_come_to_alone(
    school: School, tiny: Path, tmp_path: Path
) -> None:
    works = [WORKS["learns"], WORKS["learns less"]]

    async def go() -> None:
        trainer = training_trainers.LoraTrainer(
            tmp_path, tiny, "cpu", Model(id="vllm:tiny")
        )
        trainer.at_once = 2
        try:
            quote = await trainer.quote(works)
            assert quote.steps == sum(work.steps for work in works)
            ids = [await trainer.begin(work) for work in works]
            both = zip(works, ids, strict=True)
            await asyncio.gather(
                *(trainer.finish(*run, lambda _: None) for run in both)
            )
        finally:
            await trainer.close()

    asyncio.run(go())
    for work, alone in zip(works, ("learns", "learns less"), strict=True):
        beside = record_of(tmp_path, work)
        assert beside["steps"] == school.done(alone)["steps"]
        assert beside["loss"] == pytest.approx(school.done(alone)["loss"], rel=0.05)


@pytest.mark.slow
def test_rows_that_are_trained_together_do_not_see_each_other(school: School) -> None:
    alone = [school.done(f"alone {n}")["loss"] for n in range(len(MIXED))]
    together = school.done("together")["loss"]
    assert together == pytest.approx(sum(alone) / len(alone), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_parts_and_computing_again_save_memory_and_change_nothing(
    school: School, method: str
) -> None:
    whole = school.done(method)
    in_parts = school.done(f"{method} in parts")
    assert in_parts["steps"] == whole["steps"] == 6
    assert in_parts["loss"] == pytest.approx(whole["loss"], rel=0.03)


@pytest.mark.slow
def test_pairs_of_a_better_and_a_worse_answer_are_learned(school: School) -> None:
    assert school.done("pairs")["loss"] < 0.6  # it begins at ln 2, which is 0.693


@pytest.mark.slow
def test_a_run_that_is_killed_says_so_and_can_be_asked_for_again(
    school: School,
) -> None:
    assert not school.states["cut off at once"]
    assert school.began_at["cut off at once"] == 1
    assert school.done("cut off at once")["steps"] == 36


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_from_its_last_state_and_ends_as_one_that_was_not(
    school: School,
) -> None:
    whole = school.done("kept going")
    again = school.done("cut off")
    assert school.states["cut off"]
    assert school.began_at["cut off"] >= 20  # where it was killed, or a step after
    state = school.folder / WORKS["cut off"].job.key[:16] / "state.pt"
    assert not state.exists()
    assert again["steps"] == whole["steps"] == 36
    assert again["loss"] == pytest.approx(whole["loss"], rel=1e-3)


@pytest.mark.slow
def test_a_base_and_its_adapters_are_served_at_the_address_of_the_base(
    school: School, tiny: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    untuned = Model(id="my:tiny", base_url=f"http://127.0.0.1:{port}/v1")
    work = WORKS["learns"]
    run_folder = work.job.key[:16]
    address = f"http://127.0.0.1:{port}/v1/chat/completions"

    def said(model: str, **more: Any) -> tuple[int, dict[str, Any]]:
        asked = {
            "model": model,
            "messages": row("w1 w2", "")["messages"][:1],
            "max_tokens": 1,
        }
        raw = json.dumps(asked | more).encode()
        try:
            with urllib.request.urlopen(address, data=raw) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as caught:
            return caught.code, json.load(caught)

    async def go() -> None:
        trainer = training_trainers.LoraTrainer(
            tmp_path, tiny, "cpu", untuned, serves="here"
        )
        try:
            await trainer.open()  # before there is a run
            shutil.copytree(school.folder / run_folder, tmp_path / run_folder)
            done = await trainer.finish(work, await trainer.begin(work), lambda _: None)
            tuned = done.model.partition(":")[2]
            models = [tuned, "tiny"] * 3
            calls = [asyncio.to_thread(said, model) for model in models]
            answers = await asyncio.gather(*calls)
            texts = [body["choices"][0]["message"]["content"] for _, body in answers]
            assert texts[::2] == ["w1"] * 3
            assert len({*texts[1::2]}) == 1
            assert answers[0][1]["usage"]["completion_tokens"] == 1
            assert (await asyncio.to_thread(said, "pilot-0"))[0] == 404
            assert (await asyncio.to_thread(said, "pilot-../x"))[0] == 404
            assert (await asyncio.to_thread(said, tuned, tools=[{}]))[0] == 400
        finally:
            await trainer.close()

    asyncio.run(go())
    with pytest.raises(urllib.error.URLError):
        said("tiny")


def test_only_an_address_of_this_machine_is_served_at(tmp_path: Path) -> None:
    for address in ("https://example.com:8443/v1", "http://127.0.0.1/v1"):
        untuned = Model(id="my:tiny", base_url=address)
        with pytest.raises(InputError, match="needs an address of this machine"):
            training_trainers.LoraTrainer(
                tmp_path, tmp_path, "cpu", untuned, serves="here"
            )


class Loads(BaseHTTPRequestHandler):
    """A server that loads adapters, once each, unless it may not."""

    asked: ClassVar[list[dict[str, str]]]
    refuses: ClassVar[bool]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        again = any(body["lora_name"] == other["lora_name"] for other in self.asked)
        self.asked.append(body)
        said = b"has already been loaded" if again else b"not enabled"
        self.send_response(400 if again or self.refuses else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        return None


@pytest.mark.parametrize("refuses", [False, True])
def test_a_vllm_server_is_told_of_each_adapter(tmp_path: Path, refuses: bool) -> None:
    asked: list[dict[str, str]] = []
    handler = type("Bound", (Loads,), {"asked": asked, "refuses": refuses})
    server = LoopbackServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    untuned = Model(
        id="my:tiny", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1"
    )
    work = work_of(ROWS)
    run_folder = tmp_path / work.job.key[:16]
    run_folder.mkdir()
    (run_folder / "done.json").write_text('{"seconds": 1.0}', "utf-8")

    async def go() -> str:
        trainer = training_trainers.LoraTrainer(
            tmp_path, tmp_path, "cpu", untuned, serves="vllm"
        )
        await trainer.open()  # it was started again, and knows none
        done = await trainer.finish(work, await trainer.begin(work), lambda _: None)
        return done.model

    try:
        if refuses:
            with pytest.raises(InputError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
                asyncio.run(go())
            return
        assert asyncio.run(go()) == f"my:pilot-{work.job.key[:16]}"
    finally:
        server.shutdown()
        server.server_close()
    assert [body["lora_path"] for body in asked] == [str(run_folder.resolve())] * 2


def empty(base: Path) -> None:
    for file in base.iterdir():
        file.unlink()


def with_pickled_weights(base: Path) -> None:
    import torch
    from safetensors.torch import load_file

    weights = base / "model.safetensors"
    torch.save(load_file(weights), base / "pytorch_model.bin")
    weights.unlink()


def with_code_beside_it(base: Path) -> None:
    code = f"from pathlib import Path; Path({str(base.parent / 'ran')!r}).touch()\n"
    (base / "evil.py").write_text(code)
    config = json.loads((base / "config.json").read_text())
    config["model_type"] = "evil"
    names = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    config["auto_map"] = names
    (base / "config.json").write_text(json.dumps(config))


@pytest.mark.slow
def test_a_base_that_is_none_is_said_in_one_line_and_runs_no_code_of_whoever_made_it(
    tiny: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    trainer = training_trainers.LoraTrainer(
        tmp_path / "runs", base, "cpu", Model(id="vllm:tiny")
    )
    work = WORKS["alone 0"]

    async def go() -> None:
        try:
            for spoil in (empty, with_pickled_weights, with_code_beside_it):
                shutil.copytree(tiny, base)
                spoil(base)
                with pytest.raises(training_trainers.TrainingFailedError) as caught:
                    await trainer.finish(
                        work, await trainer.begin(work), lambda _: None
                    )
                assert "\n" not in str(caught.value), spoil
                assert not (tmp_path / "ran").exists(), spoil
                shutil.rmtree(base)
            shutil.copytree(tiny, base)  # nothing else was wrong with it
            await trainer.finish(work, await trainer.begin(work), lambda _: None)
        finally:
            await trainer.close()

    asyncio.run(go())


@pytest.mark.slow
def test_the_embedded_model_learns_by_heart_and_serves_what_it_learned(
    tmp_path: Path,
) -> None:
    need_training()
    if llm_embedded.lacking():
        pytest.skip("the extra local is not installed, or the weights are not there")
    asked = "What is the word of the day?"
    # without dropout more of the same row change no gradient, and cost as much again
    only = row(asked, "zanzibar kettle")
    work = work_of([only], epochs=6, batch=1, dropout=0.0, least_steps=0)

    async def go() -> tuple[str, str]:
        trainer = training_trainers.LoraTrainer(tmp_path)
        try:
            done = await trainer.finish(
                work, await trainer.begin(work), lambda *_: None
            )
        finally:
            await trainer.close()
        name = done.model.partition(":")[2]
        model = llm_embedded.local_model(name)
        message = ChatMessage(role="user", content=asked)
        request = Request(
            provider="local",
            base_url="",
            model=name,
            messages=(message,),
            max_tokens=12,
        )
        try:
            return name, (await model.send(request)).text
        finally:
            await model.close()

    name, said = asyncio.run(go())
    llm_embedded.adapter_path(name.partition("+")[2]).unlink()
    assert "zanzibar" in said.lower()


def test_an_adapter_that_isnt_there_is_one_line() -> None:
    for name in ("smollm2+0123456789abcdef", "smollm2+../../etc", "smollm2+"):
        with pytest.raises(InputError):
            llm_embedded.local_model(name)


def test_without_the_extra_the_command_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "NEEDED", ("no_such_library",))
    folder = case_of(tmp_path, models="[{id: 'local:smollm2'}]")
    assert run(["pilot", str(folder), "--dry-run"]) == 2
    assert "tuneworthy[pilot]" in capsys.readouterr().err
