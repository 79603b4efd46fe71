"""A case file may name any host: it is shown, and sent to only where somebody confirmed it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from test_chaos import COMMANDS, case_of, endpoint, state

from lab_world import folder_of, known
from pilot_world import case_of as pilot_case
from tuneworthy import InputError
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.llm import hosts as llm_hosts
from tuneworthy.llm import http as llm_http
from tuneworthy.llm.endpoints import Refused
from tuneworthy.model.case import Model, TokenPrice
from tuneworthy.training.hosted import HostedTrainer

AS_OF = ["--as-of", "2026-11-24"]
HOST = "elsewhere.example"
THERE = "{id: 'openai:gpt-4o', base_url: 'https://elsewhere.example/v1'}"
GATEWAY = (
    "{id: 'corp:llama', base_url: 'https://llm.corp.example:8443/v1', "
    "usd_per_mtok: {input: 1, output: 1}}"
)


@pytest.fixture(autouse=True)
def config(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where the configuration of a user would be who has none yet."""
    home = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    for name in ("OPENAI_BASE_URL", "TUNEWORTHY_KEY_ELSEWHERE_EXAMPLE"):
        monkeypatch.delenv(name, raising=False)
    return home / "tuneworthy" / "config.yaml"


@pytest.fixture
def strange_loopback(monkeypatch: pytest.MonkeyPatch) -> str:
    """Has the loopback count as any other host, so that what is sent to it can be seen."""
    monkeypatch.setattr(llm_hosts, "LOOPBACK", frozenset({"localhost"}))
    monkeypatch.setattr(llm_hosts, "_VENDORS", llm_hosts._VENDORS - {"127.0.0.1"})
    return "127.0.0.1"


def configured(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("model", "address", "shown"),
    [
        ("openai:gpt-4o", None, ""),
        ("openai:gpt-4o", "https://API.openai.com/v1", ""),
        ("openai:gpt-4o", "https://elsewhere.example/v1", "elsewhere.example"),
        ("openai:gpt-4o", "https://api.openai.com.evil.example", "api.openai.com.evil.example"),
        ("openai:gpt-4o", "https://openrouter.ai/api/v1", "openrouter.ai"),
        ("openai:gpt-4o", "http://127.0.0.1:8000/v1", "127.0.0.1"),
        ("corp:llama", "https://llm.corp.example:8443/v1", "llm.corp.example"),
        ("llama", "https://llm.corp.example/v1", "llm.corp.example"),
        ("my:llama", "http://127.0.0.1:8000/v1", ""),
        ("vllm:llama", "http://localhost:9000/v1", ""),
        ("vllm:llama", "https://gpu.corp.example/v1", "gpu.corp.example"),
        ("local:smollm2", None, ""),
    ],
)  # fmt: skip
def test_a_model_that_is_not_at_its_vendors_host_is_named_with_its_host(
    model: str, address: str | None, shown: str
) -> None:
    assert llm_hosts.name_with_host(model, address) == (
        f"{model} at {shown}" if shown else model
    )


def test_a_quote_names_the_host_and_a_run_is_refused_before_anything_is_paid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, models=f"[{THERE}, {{id: 'openai:gpt-4o-mini'}}]")
    lab = ["ceiling", str(folder), *AS_OF]
    assert command([*lab, "--dry-run"]) == 0
    first = " ".join(capsys.readouterr().out.split())
    assert "Sent to elsewhere.example" in first
    assert "--to elsewhere.example" in first
    assert command([*lab, "--dry-run", "--all"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "careful · openai:gpt-4o at elsewhere.example (prompt)" in page
    assert "--to elsewhere.example" in page
    assert "gpt-4o-mini at" not in page
    assert command([*lab, "--budget", "50"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert 'model "openai:gpt-4o" is called at elsewhere.example' in told.err
    assert "--to elsewhere.example" in told.err
    assert not (folder / ".tuneworthy").exists()
    assert (
        command(["ceiling", str(folder), *AS_OF, "--dry-run", "--format", "json"]) == 0
    )
    quoted = json.loads(capsys.readouterr().out)
    assert quoted["hosts"] == [HOST]
    assert "--to elsewhere.example" in quoted["unconfirmed"][0]
    more = ["--to", "https://ELSEWHERE.example/v1", "--dry-run", "--format", "json"]
    assert command(["ceiling", str(folder), *AS_OF, *more]) == 0
    quoted = json.loads(capsys.readouterr().out)
    assert quoted["hosts"] == [HOST]
    assert "unconfirmed" not in quoted


@pytest.mark.slow
@pytest.mark.parametrize(
    "what", ["ceiling", "verify", "verify untuned", "judge", "proposals", "retrieval"]
)
def test_no_lab_sends_to_a_host_that_nobody_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], strange_loopback: str, what: str
) -> None:
    with endpoint(None) as (there, seen):
        folder, more = case_of(tmp_path, what, there, there)
        before = state(folder, capsys)
        lab = [COMMANDS.get(what, "ceiling"), str(folder), *AS_OF, *more]
        assert command(lab) == 2
        assert f"--to {strange_loopback}" in capsys.readouterr().err
        assert seen == []
        assert state(folder, capsys) == before
        assert command([*lab, "--dry-run"]) == 0
        assert f"--to {strange_loopback}" in " ".join(capsys.readouterr().out.split())
        assert seen == []


@pytest.mark.slow
def test_what_is_confirmed_is_sent_to_and_named_in_table_evidence_and_spending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], strange_loopback: str
) -> None:
    with endpoint(None) as (there, seen):
        folder, more = case_of(tmp_path, "ceiling", there, there)
        lab = ["ceiling", str(folder), *AS_OF, *more, "--to", strange_loopback]
        assert command(lab) == 0
        page = " ".join(capsys.readouterr().out.split())
        assert seen
    assert "careful · my:one at 127.0.0.1" in page
    assert "Calls went to 127.0.0.1" in page
    (line,) = (folder / ".tuneworthy" / "evidence.jsonl").read_text().splitlines()
    (quality,) = [
        e for e in json.loads(line)["evidence"] if e["id"] == "best_prompt_share"
    ]
    assert quality["details"]["host"] == strange_loopback
    assert quality["source"].endswith(" at 127.0.0.1")


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (THERE, "OPENAI_BASE_URL", "https://elsewhere.example/v1"),
        (THERE, "TUNEWORTHY_KEY_ELSEWHERE_EXAMPLE", "sk-my-own-key-of-that-host"),
        (
            GATEWAY,
            "TUNEWORTHY_KEY_LLM_CORP_EXAMPLE_PORT_8443",
            "sk-my-own-key-of-that-host",
        ),
    ],
)
def test_the_users_environment_confirms_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, name: str, value: str
) -> None:
    folder = folder_of(tmp_path, models=f"[{model}]")
    assert len(prepare(folder).unconfirmed) == 1
    monkeypatch.setenv(name, value)
    assert prepare(folder).unconfirmed == ()


def test_another_vendors_host_is_no_confirmation_of_a_vendors_name(
    tmp_path: Path,
) -> None:
    models = "[{id: 'mistral:large', base_url: 'https://api.deepseek.com/v1'}]"
    assert len(prepare(folder_of(tmp_path / "a", models=models)).unconfirmed) == 1
    models = "[{id: 'ours:large', base_url: 'https://api.deepseek.com/v1'}]"
    assert prepare(folder_of(tmp_path / "b", models=models)).unconfirmed == ()


def test_the_users_own_configuration_confirms_hosts_and_a_case_never_does(
    tmp_path: Path, config: Path
) -> None:
    folder = folder_of(tmp_path, models=f"[{THERE}, {GATEWAY}]")
    assert len(prepare(folder).unconfirmed) == 2
    configured(
        config, "hosts:\n  - https://LLM.corp.example:8443/v1\n  - elsewhere.example\n"
    )
    assert prepare(folder).unconfirmed == ()
    configured(config, "")
    assert len(prepare(folder).unconfirmed) == 2
    text = (folder / "case.yaml").read_text()
    (folder / "case.yaml").write_text(f"{text}hosts: [elsewhere.example]\n")
    with pytest.raises(InputError, match='"hosts" is not a key'):
        prepare(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hosts: elsewhere.example\n", "is not a list"),
        ("hosts: [a b]\n", "not a host"),
        ("hosts: ['https://user@elsewhere.example']\n", "not a host"),
        ("host: [elsewhere.example]\n", 'Did you mean "hosts"'),
        ("hosts: [\n", "is not YAML"),
        ("- elsewhere.example\n", "not a mapping"),
        ("\0", "YAML"),
    ],
)
def test_a_broken_configuration_is_told_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    config: Path,
    text: str,
    says: str,
) -> None:
    folder = folder_of(tmp_path)
    configured(config, text)
    assert command(["ceiling", str(folder), "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "config.yaml" in told
    assert says in told


@pytest.mark.parametrize(
    "host", ["", "a b", "https://user@elsewhere.example", "elsewhere.example."]
)
def test_what_is_no_host_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert (
        command(["ceiling", str(folder_of(tmp_path)), "--dry-run", "--to", host]) == 2
    )
    told = capsys.readouterr().err
    assert told == f'--to: "{host}" is not a host. Name one, as llm.example.com\n'


def test_a_judge_that_is_named_with_its_address_confirms_that_host_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, models=f"[{THERE}, {{id: 'fake:one'}}]")
    (folder / "rubric.md").write_text("Names the shelf.\n")
    judge = [
        "--judge",
        str(folder / "rubric.md"),
        "--judge-model",
        "openai:o9",
        "--judge-price",
    ]
    judge += ["1", "1", "--judge-url", "https://judge.example/v1"]
    assert command(["ceiling", str(folder), *judge, "--dry-run"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "openai:o9 at judge.example by rubric.md" in page
    assert "--to judge.example" not in page
    assert "--to elsewhere.example" in page


def test_the_wire_itself_refuses_a_host_that_nobody_confirmed() -> None:
    """Whatever forgot to ask: models and services of training are all called through it."""

    async def sent(**more: object) -> None:
        http = llm_http.Http({}, timeout_s=5)
        try:
            await http.exchange(
                "POST", "https://elsewhere.example/v1/files", None, data=b"{}"
            )
        finally:
            await http.close()

    with pytest.raises(Refused, match="which nobody confirmed"):
        asyncio.run(sent())


@pytest.mark.slow
def test_a_pilot_names_the_host_of_its_base_and_sends_it_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    price = "usd_per_mtok: {input: 1, output: 2}"
    base = f"{{id: 'my:base', base_url: 'https://elsewhere.example/v1', {price}}}"
    folder = pilot_case(tmp_path, models=f"[{base}]")
    lab = [
        "pilot",
        str(folder),
        "--way",
        "hosted",
        "--base",
        "my:base",
        "--prices",
        "8,1,2",
    ]
    lab += AS_OF
    assert command([*lab, "--dry-run"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "Sent to elsewhere.example" in page
    assert "--to elsewhere.example" in page
    assert command([*lab, "--dry-run", "--to", HOST]) == 0
    assert "--to elsewhere.example" not in capsys.readouterr().out
    assert command([*lab, "--budget", "50"]) == 2
    assert "elsewhere.example, which nobody confirmed" in capsys.readouterr().err
    assert not (folder / ".tuneworthy" / "calls.sqlite3").exists()


def test_a_service_of_training_at_a_strange_host_gets_no_file() -> None:
    base = Model(id="openai:gpt-4.1-mini", base_url="https://elsewhere.example/v1")
    trainer = HostedTrainer(
        base, "openai", usd_per_mtok=1, serving=TokenPrice(input=1, output=1)
    )

    async def listed() -> None:
        try:
            await trainer._ask("GET", "files")
        finally:
            await trainer.close()

    with pytest.raises(Refused, match="which nobody confirmed"):
        asyncio.run(listed())


def test_a_host_in_a_name_changes_no_score(tmp_path: Path) -> None:
    """Whoever brings the transport is asked nothing."""
    shares = {"careful": 0.8, "Answer": 0.4}
    results = []
    for place in ("a", "b"):
        models = "[{id: 'fake:one'}]" if place == "a" else f"[{GATEWAY}]"
        lab = prepare(folder_of(tmp_path / place, models=models))
        results.append(lab_ceiling.run(lab, cap_usd=9, transport=known(shares)).result)
    plain, named = results
    assert plain.reported == named.reported
    assert named.best == plain.best.replace(
        "fake:one", "corp:llama at llm.corp.example"
    )
