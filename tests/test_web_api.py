"""The JSON beside the page: what its schema says, and that nothing makes it fall over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from internals import make_app
from tuneworthy import decide, load_case, load_framework
from web_world import DAY, OPEN_CASE, a_client, a_shelf, a_site, with_examples

PROGRAM = {"X-Tuneworthy": "1"}
HOME = "/api/v1/cases"
ASGI_HOST = "testserver"  # the name by which schemathesis calls
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a part of a list ends when it is full."""
    monkeypatch.setattr("tuneworthy.workspace.workspace._MOMENT_S", 60.0)


@pytest.fixture
def client(tmp_path: Path, project: Path) -> TestClient:
    folder = with_examples(tmp_path / "shelf", project, "task-api")
    return a_client(a_site(a_shelf(folder, one=OPEN_CASE, bad="name: [")))


def test_what_is_read_is_the_dossiers(client: TestClient, project: Path) -> None:
    dossier = decide(load_case(project / "examples/task-api"), load_framework("lesson"), as_of=DAY)
    whole = dossier.to_dict()
    sections = {
        "questions": whole["next_questions"],
        "challenges": whole["challenges"],
        "options": {"options": whole["options"], "recommendation": whole["recommendation"]},
        "investment": whole["investment"],
        "plan": whole["plan"],
        "precedents": whole["precedents"],
        "dossier": whole,
    }
    for name, wanted in sections.items():
        assert client.get(f"{HOME}/task-api/{name}").json() == wanted, name


def test_the_list_has_every_case_and_says_what_is_wrong_with_one(client: TestClient) -> None:
    found = client.get(HOME).json()
    assert (found["total"], found["matching"], found["more"]) == (3, 3, False)
    lines = {line["name"]: line for line in found["cases"]}
    assert lines["bad"]["problem"].startswith("bad/case.yaml:")
    assert lines["bad"]["outcome"] is None
    assert lines["task-api"]["outcome"] == "fine_tune_candidate"
    assert lines["one"]["final"] is False


def test_an_answer_with_the_digest_that_was_read_is_written(client: TestClient) -> None:
    seen = client.get(f"{HOME}/one").json()
    assert seen["answers"]["factors.brand_voice"] == "no"
    body = {"digest": seen["digest"],
            "answers": {"few_shot": "no", "economics.hourly_rate_usd": "90"}}  # fmt: skip
    done = client.post(f"{HOME}/one/answers", json=body, headers=PROGRAM).json()
    assert done["verdict"]["outcome"] == "keep_optimizing_prompts"
    now = client.get(f"{HOME}/one").json()
    assert now["digest"] == done["digest"] != seen["digest"]
    assert now["case"]["economics"]["hourly_rate_usd"]["likely"] == 90


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("none", None, 404), ("none/dossier", None, 404), ("one/nothing", None, 404),
        ("bad/dossier", None, 422), ("one/report/pdf", None, 422), ("one/answers", None, 405),
        ("one/answers", {}, 422), ("one/answers", {"digest": "0" * 64, "answers": {}}, 422),
        ("one/answers", {"digest": "0" * 64, "answers": {"few_shot": "yes"}}, 409),
        ("one/answers", {"digest": "x", "answers": {"few_shot": "yes"}}, 422),
        ("none/answers", {"digest": "0" * 64, "answers": {"few_shot": "yes"}}, 404),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_a_problem_in_one_line(
    client: TestClient, path: str, body: object, status: int
) -> None:
    address = f"{HOME}/{path}"
    if body is None:
        answer = client.get(address)
    else:
        answer = client.post(address, json=body, headers=PROGRAM)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert "\n" not in problem["detail"]


def test_junk_is_told_apart_from_a_fault(client: TestClient) -> None:
    headers = {**PROGRAM, "Content-Type": "application/json"}
    for junk in (b"", b"[" * 200_000, b"\xff", b"NaN", b'{"digest": 1e999}', b'"' * 9):
        answer = client.post(f"{HOME}/one/answers", content=junk, headers=headers)
        assert answer.status_code in (400, 422), junk[:9]
    bad = {"digest": client.get(f"{HOME}/one").json()["digest"], "answers": {"name": "\ud800"}}
    answer = client.post(f"{HOME}/one/answers", content=json.dumps(bad), headers=headers)
    assert answer.status_code in (400, 422)


def test_a_new_case_can_be_started_once(client: TestClient) -> None:
    new = {"name": "fresh", "title": "Fresh one"}
    made = client.post(HOME, json=new, headers=PROGRAM)
    assert made.status_code == 201
    assert set(made.json()["answers"].values()) == {"unknown"}
    assert client.post(HOME, json=new, headers=PROGRAM).status_code == 422
    for name in ("../x", "a/b", "", ".x"):
        assert client.post(HOME, json={**new, "name": name}, headers=PROGRAM).status_code == 422


def test_the_schema_tells_every_address_and_every_answer_fits_it(client: TestClient) -> None:
    schema = client.get("/api/v1/openapi.json").json()
    assert all(path.startswith("/api/v1/") for path in schema["paths"])
    for name in ("", "/dossier", "/questions", "/challenges", "/options", "/investment", "/plan"):
        told = schema["paths"][f"/api/v1/cases/{{name}}{name}"]["get"]["responses"]["200"]
        wanted = {
            **told["content"]["application/json"]["schema"],
            "components": schema["components"],
        }
        jsonschema.validate(client.get(f"{HOME}/task-api{name}").json(), wanted)


def test_no_request_that_can_be_thought_of_makes_a_fault(tmp_path: Path, project: Path) -> None:
    folder = with_examples(tmp_path / "shelf", project, "task-api")
    site = a_site(a_shelf(folder, one=OPEN_CASE, bad="name: ["))
    schema = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json", make_app(replace(site, hosts=site.hosts | {ASGI_HOST}))
    )
    statuses: set[int] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(), name=st.sampled_from(["one", "task-api", "bad", None]))
        def attempt(case: schemathesis.Case[Any], name: str | None) -> None:
            if name is not None and "name" in case.path_parameters:
                case.path_parameters["name"] = name
            response = case.call()
            case.validate_response(response, checks=CHECKS)
            statuses.add(response.status_code)

        attempt()
    assert {200, 404, 422} <= statuses
    assert {path.name for path in tmp_path.iterdir()} == {"shelf"}
    assert {path.name for path in folder.iterdir()} >= {"one", "task-api", "bad"}
