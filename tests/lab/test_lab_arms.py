"""More ways to answer in a lab: chains of prompts, and models that decide and write nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest

from faulty import Fake
from lab_world import PLAIN, folder_of
from loopback import LoopbackServer
from tuneworthy import InputError
from tuneworthy.cli import run as command
from tuneworthy.files import case as files_case
from tuneworthy.files import materials as files_materials
from tuneworthy.files import stores as files_stores
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.model.lab import Request

DAY = date(2026, 11, 27)
FIND = "Name the facts of the case.\n"
THEN = "---\nafter: find\n---\n# system\nSettle it by this: {{ previous }}\n# user\n{{ input }}\n"
PRICED = "[{id: 'fake:one', usd_per_mtok: {input: 1, output: 1}}]"
CHAIN = "find → then · fake:one"


def clerk(sent: list[Request], *, silent: int = 0) -> Fake:
    """Answers only where the facts were named before; some facts never come."""

    def answer(request: Request) -> str:
        sent.append(request)
        system, asked = request.messages[0].content, request.messages[-1].content
        number = asked.removeprefix("Where is book ").removesuffix("?")
        if system.startswith("Name"):
            return (
                "" if number.isdigit() and int(number) < silent else f"shelf-{number}"
            )
        return f"shelf {number}" if f"by this: shelf-{number}" in system else "no idea"

    return Fake(answer)


def chained(folder: Path, **more: Any) -> Path:
    return folder_of(
        folder,
        prompts={"find": FIND, "then": THEN, "plain": PLAIN},
        models=PRICED,
        **more,
    )


def run(folder: Path, fake: Fake) -> Any:
    return lab_ceiling.run(prepare(folder, as_of=DAY), cap_usd=5, transport=fake).result


@pytest.mark.slow
def test_a_chain_is_one_arm_and_each_step_has_its_cost(tmp_path: Path) -> None:
    folder, sent = chained(tmp_path), list[Request]()
    quote = quoted(prepare(folder, as_of=DAY))
    result = run(folder, clerk(sent))
    rows = {row.arm.id: row for row in result.arms}
    # a step alone answers nothing
    assert not any(row.arm.prompt == "find" for row in result.arms)
    chain = rows[CHAIN]
    assert (chain.arm.steps, chain.quality.value) == (("find",), 1.0)
    assert rows["plain · fake:one"].quality.unknown  # it says the same to every case
    assert [step.prompt for step in chain.steps] == ["find", "then"]
    assert sum(s.usd_per_case for s in chain.steps) == pytest.approx(chain.usd_per_case)
    assert all(step.usd_per_case > 0 for step in chain.steps)
    assert result.best == CHAIN
    assert len(sent) <= quote.calls
    assert result.spend.paid <= quote.usd_most
    assert (
        files_stores.read_latest(files_case.read_case(folder))[0]["chained_arms"].value
        == 1
    )
    assert "Steps" in lab_ceiling.render(
        lab_ceiling.run(prepare(folder, as_of=DAY), cap_usd=5, transport=clerk(sent))
    )
    before = len(sent)
    assert run(folder, clerk(sent)).reported == result.reported
    assert len(sent) == before  # and nothing is asked twice


@pytest.mark.slow
@pytest.mark.parametrize("silent", [1, 60])
def test_a_step_without_an_answer_is_no_wrong_answer(
    silent: int, tmp_path: Path
) -> None:
    lab = prepare(chained(tmp_path), as_of=DAY)
    done = lab_ceiling.run(lab, cap_usd=5, transport=clerk([], silent=silent))
    chain = next(arm for arm in lab.plan.arms if arm.id == CHAIN)
    steps, result = lab.scores.arm_scores(chain).steps, cast("Any", done.result)
    numbers = {
        prompt: [int(case.split()[-1]) for case, *_ in told]
        for prompt, told in steps.items()
    }
    assert min(numbers["then"]) >= silent  # what never ran cost nothing
    assert len(set(numbers["find"])) == len(numbers["find"])
    assert {*numbers["then"]} == {
        number for number in numbers["find"] if number >= silent
    }
    chain = next(row for row in result.arms if row.arm.id == CHAIN)
    if silent == 1:
        assert chain.quality.value == 1.0
    else:
        assert chain.quality.unknown
        assert result.reached != "yes"


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ({"a": "---\nafter: b\n---\n{{ input }} {{ previous }}"}, "isn't there"),
        ({"a": "{{ input }} {{ previous }}"}, "half of a chain"),
        (
            {"a": PLAIN, "b": "---\nafter: a\n---\nNo word of it. {{ input }}"},
            "half of a chain",
        ),
        (
            {
                "a": "---\nafter: b\n---\n{{ input }} {{ previous }}",
                "b": "---\nafter: a\n---\n{{ input }} {{ previous }}",
            },
            "without an end",
        ),
    ],
)
def test_half_a_chain_is_refused(
    prompts: dict[str, str], says: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, prompts=prompts)
    with pytest.raises(InputError, match=says):
        files_materials.read_prompts(files_case.read_case(folder))


# Decisions ----------------------------------------------------------------------------------------

LABELS = ("billing", "refund", "delivery")


class Decider(LoopbackServer):
    """Decides by the first label that the input names; refuses or errs where it is told to."""

    asked: list[dict[str, Any]]
    odd: str


class _Handler(BaseHTTPRequestHandler):
    server: Decider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, **body})
        question = body["questions"][0]
        text = (
            body["input"]
            if isinstance(body["input"], str)
            else body["input"][-1]["content"]
        )
        labels = [choice["value"] for choice in question["choices"]]
        label = next((label for label in labels if label in text), labels[0])
        answer: dict[str, Any] = {"type": "choice", "name": "answer", "choice": label,
                                  "confidence": 0.9, "probabilities": []}  # fmt: skip
        if self.server.odd == "refusal":
            answer = {"type": "refusal", "name": "answer"}
        elif self.server.odd == "other":
            answer = {"type": "score", "score": 0.3}
        usage: dict[str, Any] = {"input_tokens": 20, "output_tokens": 1}
        usage["input_tokens_details"] = {"cached_tokens": 5}
        raw = json.dumps({"answers": [answer], "model": "d", "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def decider() -> Iterator[Decider]:
    server = Decider(("127.0.0.1", 0), _Handler)
    server.asked, server.odd = [], ""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def sorted_mail(
    folder: Path, server: Decider, *, labels: tuple[str, ...] = LABELS
) -> Path:
    folder_of(
        folder, prompts={"sort": "Sort the mail.\n"},
        models=f"[{{id: 'own:d', api: decisions, base_url: 'http://127.0.0.1:{server.server_port}/v1',"
        " usd_per_mtok: {input: 0.1, output: 0}}]",
    )  # fmt: skip
    rows = []
    for i in range(120):
        label = labels[i % len(labels)]
        rows.append(
            {"id": str(i), "input": f"Mail {i} about {label}", "reference": label}
        )
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "examples.jsonl").unlink()
    return folder


@pytest.mark.slow
def test_a_decision_model_is_one_more_arm_over_plain_http(
    decider: Decider, tmp_path: Path
) -> None:
    folder = sorted_mail(tmp_path, decider)
    result: Any = lab_ceiling.run(prepare(folder, as_of=DAY), cap_usd=1).result
    assert result.reached == "no"
    assert result.reported.value == 1.0
    assert result.spend.paid > 0
    first = decider.asked[0]
    assert first["path"] == "/v1/decisions"
    assert first["model"] == "d"
    assert first["questions"] == [
        {"type": "choice", "name": "answer", "instructions": "Sort the mail.",
         "choices": [{"value": label} for label in sorted(LABELS)]}
    ]  # fmt: skip
    assert {*first} == {"path", "model", "input", "questions"}
    # with examples
    assert any(isinstance(asked["input"], list) for asked in decider.asked)
    assert (
        files_stores.read_latest(files_case.read_case(folder))[0][
            "decision_arms"
        ].number
        >= 1
    )
    before = len(decider.asked)
    lab_ceiling.run(prepare(folder, as_of=DAY), cap_usd=1)
    assert len(decider.asked) == before


def test_a_model_that_only_decides_is_not_asked_general_tasks(
    decider: Decider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sorted_mail(tmp_path, decider)
    assert command(["verify", str(folder), "--dry-run"]) == 2
    assert "only decides, and can be asked no general tasks" in capsys.readouterr().err
    assert decider.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["refusal", "other"])
def test_a_decision_that_isn_t_one_is_no_answer(
    odd: str, decider: Decider, tmp_path: Path
) -> None:
    decider.odd = odd
    result = lab_ceiling.run(
        prepare(sorted_mail(tmp_path, decider), as_of=DAY), cap_usd=1
    ).result
    assert result.reached == "unknown"
    assert result.stopped


def test_without_labels_there_is_nothing_to_decide(
    decider: Decider, tmp_path: Path
) -> None:
    folder = sorted_mail(
        tmp_path, decider, labels=tuple(f"label {i}" for i in range(120))
    )
    with pytest.raises(InputError, match="decides among labels"):
        prepare(folder, as_of=DAY)


def test_other_requests_are_the_same_as_ever() -> None:
    request = Request(provider="x", base_url="", model="m", messages=())
    assert "choices" not in request.model_dump(exclude_none=True)
