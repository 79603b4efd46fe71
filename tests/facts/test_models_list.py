"""The list of models says what can be called, shows no key, and asks nobody but this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from made_up import models_text
from tuneworthy.cli import run
from tuneworthy.llm.endpoints import PRESETS

KEY = "sk-never-to-be-shown-0123456789"


@pytest.fixture
def endpoint(project: Path) -> Iterator[str]:
    """The base URL of an endpoint on loopback."""
    command = [sys.executable, str(project / "benchmarks" / "calls_server.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.kill()


def case_of(folder: Path, *entries: str) -> Path:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    (folder / "case.yaml").write_text(
        f"name: Models\nmodels:\n{lines}", encoding="utf-8"
    )
    return folder


def listed(case: Path | None, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert (
        run(["models", *([] if case is None else [str(case)]), "--format", "json"]) == 0
    )
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_preset_is_listed_and_only_this_machine_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        asked.append(address[0])
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    states = {each["name"]: each["state"] for each in listed(None, capsys)["endpoints"]}
    assert list(states) == list(PRESETS)
    assert (states["openai"], states["mistral"], states["ollama"]) == (
        "key",
        "no_key",
        "silent",
    )
    assert asked == ["127.0.0.1"] * 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_form_shows_a_key(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    told = models_text(case_of(tmp_path, "{id: 'openai:gpt-4o'}"), form)
    assert "OPENAI_API_KEY" in told
    assert KEY not in told
    assert KEY[3:12] not in told


def test_a_model_of_a_case_has_its_price_and_where_it_comes_from(
    endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = case_of(
        tmp_path,
        f"{{id: 'own:plain', base_url: '{endpoint}', usd_per_mtok: {{input: 2, output: 3}}}}",
        "{id: 'openai:gpt-4o-mini'}",
        "{id: 'ollama:llama3'}",
        "{id: 'fake:echo'}",
        "{id: gpt-nobody-knows}",
    )
    told = listed(case, capsys)["models"]
    assert [each["state"] for each in told[:1]] == ["answers"]
    assert told[0]["models"] == ["plain"]
    assert told[0]["usd_per_mtok"] == {"input": 2, "output": 3}
    assert [each["usd_per_mtok"] for each in told[2:]] == [
        None,
        {"input": 0, "output": 0},
        None,
    ]
    assert [each["price_from"] for each in told[:1]] == ["stated in the case"]
    assert told[1]["price_from"].startswith("genai-prices ")
    assert [each["state"] for each in told[3:]] == ["inside", "unknown"]
    assert "base_url" in told[4]["why"]


def test_a_hostile_address_is_a_line_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = case_of(tmp_path, "{id: 'openai:gpt-4o', base_url: 'http://evil.test/v1'}")
    assert run(["models", str(case)]) == 0
    assert "not encrypted" in capsys.readouterr().out.replace("\n", " ")


def test_a_case_that_is_not_there_is_one_plain_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["models", "nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
