"""Habits of the command line: cases found upwards, configurations, addresses, JSON, completion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest
from test_chaos import endpoint

from lab_world import folder_of
from tuneworthy import cli as cli_module
from tuneworthy import load_case
from tuneworthy.cli import run
from tuneworthy.lab import prepare as lab_prepare
from tuneworthy.llm import endpoints as llm_endpoints

CASE = "name: Tickets\n"
ON = ("--as-of", "2026-11-24")


@pytest.fixture(autouse=True)
def own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where the user's own configuration would be; nothing else of the machine counts."""
    home = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    for provider in llm_endpoints.PRESETS:
        monkeypatch.delenv(f"{provider.upper()}_BASE_URL", raising=False)
    (home / "tuneworthy").mkdir()
    return home / "tuneworthy" / "config.yaml"


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case in a project, where somebody works in a folder below it."""
    folder = tmp_path / "project" / "tickets"
    (folder / "prompts" / "old").mkdir(parents=True)
    (folder / "case.yaml").write_text(CASE)
    monkeypatch.chdir(folder / "prompts" / "old")
    return folder


def told(
    capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> tuple[str, str]:
    assert run(arguments) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    out, _ = told(capsys, *arguments, "--format", "json")
    return json.loads(out)


# A case found upwards ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["decide"], ["show"], ["show", "money"]])
def test_the_nearest_case_upwards_is_taken_and_said(
    case: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    out, err = told(capsys, *command)
    assert out
    assert err == f"Case: {os.path.relpath(case)} (tickets)\n"


def test_a_case_that_is_named_is_never_looked_for_upwards(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert case.is_dir()
    _, err = told(capsys, "decide", ".", code=2)
    assert err.startswith(".: holds no case.yaml.")


def test_where_no_case_is_upwards_the_error_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, err = told(capsys, "decide", code=2)
    assert err.count("\n") == 1
    assert "tuneworthy init ." in err


def test_a_case_in_a_folder_that_is_everybodys_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True)
    (shared / "case.yaml").write_text("name: Of a stranger\n")
    shared.chmod(0o1777)
    monkeypatch.chdir(shared / "mine")
    _, err = told(capsys, "decide", code=2)
    assert "holds no case.yaml" in err


def test_answers_go_to_the_nearest_case_where_none_is_named(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = told(capsys, "answer", "brand_voice=yes")
    assert "brand voice (factors.brand_voice): unknown → yes" in out
    assert "Case: " in err
    assert load_case(case).factors["brand_voice"].value == "yes"


# Configurations ----------------------------------------------------------------------------------


def test_a_default_is_used_where_the_case_says_nothing_and_its_file_is_named(
    case: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text("hourly_rate_usd: 95\nmodels: [openai:gpt-4o]\n")
    (case.parent / "tuneworthy.yaml").write_text(
        "models: [openai:gpt-4.1-mini, openai:gpt-4o]\n"
    )
    dossier = as_json(capsys, "decide", str(case), *ON)
    assert dossier["defaults"] == [
        {
            "path": "models",
            "value": "openai:gpt-4.1-mini and openai:gpt-4o",
            "file": "../tuneworthy.yaml",
        },
        {"path": "economics.hourly_rate_usd", "value": "95", "file": str(own)},
    ]
    out, _ = told(capsys, "decide", str(case), *ON)
    plain = " ".join(out.split())
    assert "Not in the case: models openai:gpt-4.1-mini and openai:gpt-4o, by" in plain
    assert "now: gpt-4.1-mini" in plain


def test_the_case_file_goes_before_every_default(
    case: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text("hourly_rate_usd: 95\nmodels: [openai:gpt-4o]\n")
    own_words = "economics: {hourly_rate_usd: 40}\nmodels: [{id: 'openai:gpt-4.1'}]\n"
    (case / "case.yaml").write_text(CASE + own_words)
    assert "defaults" not in as_json(capsys, "decide", str(case), *ON)
    read = load_case(case)
    assert read.economics.hourly_rate_usd is not None
    assert read.economics.hourly_rate_usd.likely == 40
    assert [model.id for model in read.models] == ["openai:gpt-4.1"]


HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "a host": ("hosts: [evil.example]\n", "names hosts, which a project can't confirm"),
    "an address": (
        "models: [{id: 'openai:gpt-4o', base_url: 'https://evil.example/v1'}]\n",
        "is more than the id of a model",
    ),
    "an unknown key": ("hourly_rate: 90\n", "hourly_rate_usd"),
    "a price": (
        "models: [{id: 'openai:gpt-4o', usd_per_mtok: {input: 0, output: 0}}]\n",
        "id",
    ),
    "no number": ("budget_usd: lots\n", "budget_usd"),
    "below zero": ("budget_usd: -1\n", "budget_usd"),
    "no end": ("budget_usd: .inf\n", "budget_usd"),
    "a tag": ("models: !!python/object/apply:os.system ['true']\n", "is not supported"),
    "an alias": ("a: &a [x]\nmodels: *a\n", "is not supported"),
    "too deep": ("models: " + "[" * 60 + "]" * 60 + "\n", "nested deeper"),
    "no mapping": ("- x\n", ""),
    "twice": ("budget_usd: 1\nbudget_usd: 2\n", "appears twice"),
    "no UTF-8": (b"\xff\xfe\x00", "UTF-8"),
    "control characters": (b"budget_usd: \x1b[2J\n", "YAML doesn't allow"),
    "too many models": (
        f"models: [{', '.join(f'openai:m{n}' for n in range(60))}]\n",
        "models",
    ),
    "too large": ("# " + "x" * 2_000_000, "is larger than 1 MiB"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_project_file_is_one_plain_line_and_nothing_happens(
    case: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    text, says = HOSTILE[what]
    data = text if isinstance(text, bytes) else text.encode()
    (case.parent / "tuneworthy.yaml").write_bytes(data)
    out, err = told(capsys, "decide", str(case), code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert "tuneworthy.yaml" in err
    assert says in err
    assert "\x1b" not in err


def test_a_project_file_that_is_a_link_is_refused(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-very-secret-0123456789\n")
    (case / "tuneworthy.yaml").symlink_to(secret)
    _, err = told(capsys, "decide", str(case), code=2)
    assert "is a link" in err
    assert "sk-very" not in err


GATEWAY = "models: [{id: 'corp:llama', base_url: 'https://llm.corp.example/v1'}]\n"


def test_an_address_in_the_own_file_confirms_its_host_and_one_in_a_case_never_does(
    tmp_path: Path, own: Path
) -> None:
    folder = folder_of(tmp_path / "case", models="[]")
    own.write_text(GATEWAY)
    lab = lab_prepare.prepare(folder)
    assert [model.id for model in lab.case.models] == ["corp:llama"]
    assert lab.unconfirmed == ()
    own.write_text("")
    (folder / "case.yaml").write_text((folder / "case.yaml").read_text().replace(
        "models: []\n", GATEWAY
    ))  # fmt: skip
    assert len(lab_prepare.prepare(folder).unconfirmed) == 1


@pytest.mark.parametrize(
    ("own_text", "project_text", "says"),
    [
        ("budget_usd: 5\n", "", "Budget $5, by "),
        ("budget_usd: 5\n", "budget_usd: 2\n", "Budget $2, by ../tuneworthy.yaml."),
        ("budget_usd: 5\n", "budget_usd: 900\n", "Budget $5, by "),
        (
            "",
            "budget_usd: 900\n",
            "../tuneworthy.yaml names a budget of $900: add --budget 900",
        ),
        ("", "", ""),
    ],
)
def test_a_projects_budget_is_never_spent_beyond_the_users_own(
    tmp_path: Path, own: Path, capsys: pytest.CaptureFixture[str],
    own_text: str, project_text: str, says: str,
) -> None:  # fmt: skip
    folder = folder_of(tmp_path / "case")
    own.write_text(own_text)
    if project_text:
        (tmp_path / "tuneworthy.yaml").write_text(project_text)
    _, err = told(capsys, "ceiling", str(folder), *ON, "--dry-run")
    assert err.startswith(says)
    assert (err == "") is not bool(says)
    _, err = told(capsys, "ceiling", str(folder), *ON, "--dry-run", "--budget", "1")
    assert err == ""


# Addresses of the environment --------------------------------------------------------------------


def test_an_address_of_the_environment_is_used_with_the_providers_key_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "case", models="[{id: 'openai:careful'}]", n=30)
    model = load_case(folder).models[0]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/openai/v1/")
    reached = llm_endpoints.reach(model)
    assert reached.base_url == "https://gateway.example/openai/v1"
    assert reached.key is not None
    assert reached.key.reveal() == "sk-of-openai-0123456789"
    out, _ = told(capsys, "ceiling", str(folder), *ON, "--dry-run")
    assert "Sent to gateway.example, which isn't the host" in " ".join(out.split())
    assert lab_prepare.prepare(folder).unconfirmed == ()
    out, _ = told(capsys, "models")
    assert "openai at gateway.example, by OPENAI_BASE_URL" in " ".join(out.split())


def test_calls_go_to_the_address_of_the_environment_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = "[{id: 'openai:one', usd_per_mtok: {input: 0, output: 0}}]"
    folder = folder_of(tmp_path / "case", models=models, n=40)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-0123456789")
    with endpoint(None) as (address, seen):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        out, _ = told(capsys, "ceiling", str(folder), *ON, "--budget", "1")
    assert set(seen) == {"one"}
    assert "Calls went to 127.0.0.1" in " ".join(out.split())


def test_an_address_in_a_case_never_gets_the_providers_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = "[{id: 'openai:gpt-4o', base_url: 'https://evil.example/v1'}]"
    model = load_case(folder_of(tmp_path / "case", models=there)).models[0]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert llm_endpoints.reach(model).key is None


def test_an_address_that_is_not_encrypted_is_refused_with_the_name_of_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "case", models="[{id: 'openai:gpt-4o'}]")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    _, err = told(capsys, "ceiling", str(folder), "--dry-run", code=2)
    assert err.startswith("OPENAI_BASE_URL: ")
    assert "https" in err


# JSON ---------------------------------------------------------------------------------------------


def test_every_command_with_a_result_prints_json(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(
        project / "examples" / "bank-call-routing", folder,
        ignore=shutil.ignore_patterns(".tuneworthy"),
    )  # fmt: skip
    here = str(folder)
    assert (
        as_json(capsys, "answer", here, "brand_voice=no")["schema"]
        == "tuneworthy/answer/1"
    )
    drawn = as_json(
        capsys, "evalset", here, "--n", "20", "--output", str(tmp_path / "e.jsonl")
    )
    assert drawn["cases"] == drawn["select"] + drawn["report"]
    assert as_json(capsys, "framework", "show", "lesson")["name"] == "lesson"
    meanings = as_json(capsys, "framework", "show", "lesson", "few_shot")["meanings"]
    assert "few_shot" in [meaning["id"] for meaning in meanings]
    assert "openai-sft" in [row["target"] for row in as_json(capsys, "export", here)]
    assert as_json(capsys, "models")["listed"]


def test_every_command_that_prints_a_result_offers_json() -> None:
    """What prints no result: starting, asking, serving, and sheets that are tables or files."""
    without = {
        "init", "interview", "demo", "serve", "mcp", "evalset export",
        "data review", "data compare", "models pull", "framework schema",
    }  # fmt: skip
    lacking = {name for name, forms in formats().items() if "json" not in forms}
    assert lacking == without


def formats() -> dict[str, tuple[str, ...]]:
    """The forms of every command."""
    forms = {}
    context = click.Context(cli_module.cli)
    for name in cli_module.cli.list_commands(context):
        command = cli_module.cli.get_command(context, name)
        assert command is not None
        parts = getattr(command, "commands", {"": command})
        for part, each in parts.items():
            choices = [
                tuple(parameter.type.choices) for parameter in each.params
                if parameter.name == "form"
            ]  # fmt: skip
            forms[f"{name} {part}".strip()] = choices[0] if choices else ()
    return forms


# Models, signing, and what git leaves out ---------------------------------------------------------


@pytest.mark.parametrize("runtime_is_there", [True, False])
def test_models_without_a_case_lists_prices_and_ends(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    runtime_is_there: bool,
) -> None:
    if not runtime_is_there:
        monkeypatch.setattr("tuneworthy.llm.embedded.find_spec", lambda _: None)
    out, _ = told(capsys, "models", "--as-of", "2026-11-30")
    assert len(out.splitlines()) <= 24
    assert "openai:gpt-6-luna" in out
    assert "14 Jan 2027" in out
    listed = as_json(capsys, "models", "--as-of", "2026-11-30")["listed"]
    ends = {model["name"]: model["ends"] for model in listed}
    assert ends["openai:gpt-4o"] == "2027-01-14"
    assert all(model["usd_per_mtok"]["input"] >= 0 for model in listed)
    later = as_json(capsys, "models", "--as-of", "2027-01-14")["listed"]
    assert "openai:gpt-4o" not in [model["name"] for model in later]


def test_signing_keeps_the_answer_as_it_was_printed(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "api"
    folder.mkdir()
    shutil.copy(project / "examples" / "task-api" / "case.yaml", folder)
    out, err = told(capsys, "decide", str(folder), *ON, "--sign", "Ada L.")
    assert out.startswith("Pilot it,")
    assert err.startswith("Signed by Ada L.: Pilot it, on 24 Nov 2026")
    signed = load_case(folder).decision.signed
    assert signed is not None
    assert (signed.by, signed.on, signed.answer) == (
        "Ada L.",
        date(2026, 11, 24),
        "pilot",
    )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--require", "yes"], 1),
        (["--set", "brand_voice=no"], 2),
        (["--sign", " "], 2),
        (["--sign", "x" * 300], 2),
    ],
)
def test_what_is_not_the_answer_as_seen_is_never_signed(
    tmp_path: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    code: int,
) -> None:
    shutil.copy(project / "examples" / "task-api" / "case.yaml", tmp_path)
    before = (tmp_path / "case.yaml").read_bytes()
    told(capsys, "decide", str(tmp_path), *ON, "--sign", "Ada L.", *more, code=code)
    assert (tmp_path / "case.yaml").read_bytes() == before


def test_an_open_answer_is_no_decision_to_sign(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = told(capsys, "decide", str(case), "--sign", "Ada L.", code=2)
    assert out == ""
    assert err.startswith("--sign: no answer can be signed yet")


def test_git_leaves_texts_out_and_keeps_what_a_decision_rests_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "case", models="[{id: 'fake:echo'}]", n=30)
    told(capsys, "ceiling", str(folder), *ON)
    computed = folder / ".tuneworthy"
    (computed / "training.jsonl").write_text("{}\n")
    (computed / "labels").mkdir()
    (computed / "labels" / "ada.jsonl").write_text("{}\n")
    (computed / "pilot" / "full-1").mkdir(parents=True)
    (computed / "pilot" / "full-1" / "adapter.gguf").write_bytes(b"x")
    (computed / "pilot" / "result.json").write_text("{}")
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    added = subprocess.run(
        [*git, "add", "-n", "."], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    kept = {line.split("'")[1] for line in added if ".tuneworthy" in line}
    assert kept == {
        ".tuneworthy/.gitignore", ".tuneworthy/evidence.jsonl", ".tuneworthy/ceiling-plan.json",
        ".tuneworthy/labels/ada.jsonl", ".tuneworthy/pilot/result.json",
    }  # fmt: skip
    assert (computed / "calls.sqlite3").exists()
