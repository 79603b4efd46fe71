"""What is scored by what tuning would be for: a made-up case of each kind, from file to page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faulty import Fake
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.model import lab as model_lab
from tuneworthy.model.lab import Request

SQL = "CREATE TABLE t(a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'x');"
OWN = """
def runs(output, case, context):
    names = {}
    exec(output, names)
    return names["f"](3) == 9
"""


def folder_for(
    folder: Path, goal: str, rows: list[dict[str, Any]], more: str = ""
) -> Path:
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "plain.md").write_text("Answer.\n")
    cases = "".join(
        json.dumps({"id": f"c{n}", **row}) + "\n" for n, row in enumerate(rows)
    )
    (folder / "eval.jsonl").write_text(cases)
    (folder / "case.yaml").write_text(
        f"name: By goal\ngoals: [{goal}]\nmodels: [{{id: 'fake:one'}}]\n{more}"
        "data: {evaluation: eval.jsonl, prompts: prompts}\n"
    )
    return folder


def many(one: Any, n: int = 60, **more: Any) -> list[dict[str, Any]]:
    return [{"input": f"Question {k}?", "reference": one(k)} | more for k in range(n)]


KINDS: dict[str, tuple[str, list[dict[str, Any]], Any, Any, str]] = {
    "labels": (
        "classification", many(lambda k: f"intent {k % 40}"),
        lambda k: f"Intent {k % 40}.", lambda _: "intent of nobody", "label",
    ),
    "fields": (
        "extraction", many(lambda k: json.dumps({"name": f"n{k}", "age": k})),
        lambda k: json.dumps({"age": k, "name": f"N{k}"}), lambda k: json.dumps({"name": f"n{k}"}),
        "json_fields",
    ),
    "calls": (
        "tool_calling", many(lambda k: json.dumps({"name": "move", "arguments": {"to": k}})),
        lambda k: json.dumps([{"name": "move", "arguments": {"to": k}}]),
        lambda k: json.dumps([{"name": "stop", "arguments": {"to": k}}]), "tool_call",
    ),
    "queries": (
        "generation",
        many(
            lambda k: f"SELECT b FROM t WHERE a = {1 + k % 3}",
            checks=[{"scorer": "sql", "of": {"schema": SQL}}],
        ),
        lambda k: f"```sql\nselect b from t where a={1 + k % 3};\n```", lambda _: "SELECT 'z'",
        "the checks of each case",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_a_goal_are_scored_as_it_asks(kind: str, tmp_path: Path) -> None:
    goal, rows, right, wrong, scorer = KINDS[kind]
    folder = folder_for(tmp_path, goal, rows)

    def answer(request: Request) -> str:
        number = int(request.messages[-1].content.split()[1].rstrip("?"))
        return str(right(number) if number % 2 else wrong(number))

    lab = prepare(folder)
    assert lab.scorer == scorer
    assert f"Scored by {scorer}" in " ".join(
        ceiling.render_quote(lab, quoted(lab)).split()
    )
    reported = ceiling.run(lab, cap_usd=0, transport=Fake(answer)).result.reported
    assert isinstance(reported, model_lab.ShareOf)
    number = {
        case.id: int(case.id[1:]) for case in (*lab.plan.select, *lab.plan.report)
    }
    odd = [number[case.id] % 2 for case in lab.plan.report]
    half = 0.5 if kind == "fields" else 0.0  # one of two fields is right
    assert reported.value == pytest.approx(
        (sum(odd) + half * (len(odd) - sum(odd))) / len(odd)
    )


@pytest.mark.slow
def test_code_is_run_where_the_user_allows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"input": f"Square {k}", "checks": [{"scorer": "python", "of": "own.py:runs"}]}
        for k in range(50)
    ]
    folder = folder_for(tmp_path, "generation", rows)
    (folder / "own.py").write_text(OWN)
    assert command(["ceiling", str(folder), "--dry-run"]) == 2
    assert "--allow-code" in capsys.readouterr().err
    lab = prepare(folder, allow_code=True)
    fake = Fake(
        lambda request: (
            "def f(n): return n * n"
            if request.messages[-1].content[-1] in "02468"
            else "def f(n): return n"
        )
    )
    reported = ceiling.run(lab, cap_usd=0, transport=fake).result.reported
    assert isinstance(reported, model_lab.ShareOf)
    even = [case.text[-1] in "02468" for case in lab.plan.report]
    assert reported.value == pytest.approx(sum(even) / len(even))


@pytest.mark.parametrize("goal", ["persona", "generation"])
def test_where_no_text_is_the_right_one_a_judge_is_proposed(
    goal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = "have a model judge: --judge RUBRIC.md --judge-model MODEL"
    folder = folder_for(
        tmp_path / "without", goal, [{"input": f"Write {k}"} for k in range(50)]
    )
    assert command(["ceiling", str(folder), "--dry-run"]) == 2
    assert judge in capsys.readouterr().err
    folder = folder_for(tmp_path / "with", goal, many(lambda k: f"A letter about {k}."))
    assert command(["ceiling", str(folder), "--dry-run"]) == 0
    assert judge in " ".join(capsys.readouterr().out.split())
