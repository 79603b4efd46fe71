"""What a lab shows is what people act on: parts, failures with what is right, what tuning did."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from test_labs import AS_OF

from faulty import Fake
from lab_world import folder_of, known
from tuneworthy.cli import options as shown_progress
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.model import lab as model_lab
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Reply, Request

TWO = "[{id: 'fake:one'}, {id: 'fake:mine', kind: tuned}]"


def ran(folder: Path, fake: Fake) -> Any:
    return ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake)


@pytest.mark.slow
def test_scores_by_field_are_those_of_a_count_by_hand(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, n=60, prompts={"p": "Answer.\n"}, models="[{id: 'fake:one'}]"
    )
    rows = [{"id": f"c{i}", "input": f"bill {i}", "reference": {"net": i, "who": f"n{i}"}}
            for i in range(60)]  # fmt: skip
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "case.yaml"
    file.write_text(file.read_text().replace("metric: match", "metric: json_fields"))

    def answer(request: Request) -> str:
        number = int(request.messages[-1].content.split()[-1])
        if number % 5 == 0:
            return "no object"
        return json.dumps({"net": number if number % 3 else -1, "who": f"n{number}"})

    result = ran(folder, Fake(answer)).result
    numbers = [
        int(case.text.split()[-1]) for case in prepare(folder, as_of=AS_OF).plan.report
    ]
    right = {
        "net": sum(n % 5 != 0 and n % 3 != 0 for n in numbers),
        "who": sum(n % 5 != 0 for n in numbers),
    }
    assert {part.part: part.n for part in result.parts} == dict.fromkeys(
        right, len(numbers)
    )
    assert {part.part: round(part.value * part.n) for part in result.parts} == right
    assert [part.part for part in result.parts] == ["net", "who"]  # the worst first
    page = ceiling.render(ran(folder, Fake(answer)))
    assert "part by part" in page


@pytest.mark.slow
def test_scores_by_class_are_those_of_a_count_by_hand(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, n=60, prompts={"p": "Answer.\n"}, models="[{id: 'fake:one'}]"
    )
    rows = [
        {"id": f"c{i}", "input": f"word {i}", "reference": ("a", "b")[i % 2]}
        for i in range(80)
    ]
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "examples.jsonl").unlink()
    file = folder / "case.yaml"
    text = file.read_text().replace("metric: match", "metric: label")
    file.write_text(text.replace(", examples: examples.jsonl", ""))
    result = ran(folder, Fake(lambda _: "a")).result
    assert {part.part: part.value for part in result.parts} == {"a": 1.0, "b": 0.0}
    assert sum(part.n for part in result.parts) == result.report


@pytest.mark.slow
def test_failures_name_what_is_right_and_are_masked_but_in_the_users_own_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, n=60, models="[{id: 'fake:one'}]")
    rows = [{"id": f"c{i}", "input": f"mail bob{i}@acme-mail.de", "reference": f"shelf {i}"}
            for i in range(60)]  # fmt: skip
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def unsure(request: Request) -> str:
        return f"no idea {''.join(filter(str.isdigit, request.messages[-1].content))}"

    done = ran(folder, Fake(unsure))
    page = ceiling.render(done)
    assert "@acme-mail.de" not in page
    assert "(right is shelf" in page
    lab = prepare(folder, as_of=AS_OF)
    lab.scores.shown = str
    page = ceiling.render(ceiling.run(lab, cap_usd=0, transport=Fake(unsure)))
    assert "@acme-mail.de" in page
    lines = (folder / ".tuneworthy" / "evidence.jsonl").read_text().splitlines()
    assert len(lines) == 1  # how it is shown is no other measurement
    del capsys


@pytest.mark.slow
def test_what_a_tuned_arm_did_in_the_same_lab_is_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=160, prompts={"p": "Answer.\n"}, models=TWO)
    done = ran(folder, known({"one": 0.5, "mine": 0.9}))
    change = done.result.tuned
    assert change is not None
    grid = done.grid()
    arms = grid[0][3:]
    prompt, tuned = (next(i for i, arm in enumerate(arms) if model in arm and "nearest" not in arm)
                     for model in ("fake:one", "fake:mine"))  # fmt: skip
    pairs = [
        (row[3 + prompt][:4] == "1.00", row[3 + tuned][:4] == "1.00")
        for row in grid[1:]
    ]
    if done.result.best.endswith("fake:one"):
        assert change.fixed == sum(not before and after for before, after in pairs)
        assert change.of == sum(not before for before, _ in pairs)
        assert change.broken == sum(before and not after for before, after in pairs)
    page = " ".join(ceiling.render(done).split())
    assert f"is right on {change.fixed} of the {change.of} cases" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shares", "decided"), [((0.95, 0.2), True), ((0.8, 0.79), False)]
)
def test_the_page_says_whether_the_order_is_decisive(
    tmp_path: Path, shares: tuple[float, float], decided: bool
) -> None:
    fake = known(dict(zip(("careful", "Answer"), shares, strict=True)))
    folder = folder_of(tmp_path, n=200, cases={"conversation_id": None})
    (folder / "examples.jsonl").unlink()
    file = folder / "case.yaml"
    file.write_text(file.read_text().replace(", examples: examples.jsonl", ""))
    done = ran(folder, fake)
    assert not isinstance(done.result.tied, Unknown)
    others = [
        arm for arm in done.result.tied if "plain" in arm and "nearest" not in arm
    ]
    assert bool(others) is not decided
    page = " ".join(ceiling.render(done).split())
    assert ("The order is not decisive" in page) or (
        "The first place is decided" in page
    )


@pytest.mark.slow
def test_every_case_can_be_looked_into_as_csv_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, n=40, models="[{id: 'fake:echo'}]")
    capsys.readouterr()
    assert command(["ceiling", str(folder), "--cases", "csv"]) == 0
    table = capsys.readouterr().out
    assert table.startswith('"part","case",')  # a line end in a cell ends no line
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[0][:4] == ["part", "case", "asked", "right"]
    assert (len(rows), {len(row) for row in rows}) == (1 + 40, {len(rows[0])})
    assert {row[0] for row in rows[1:]} == {"report", "select"}
    assert command(["ceiling", str(folder), "--cases", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) == 40
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [
        {name: row[name] for name in one} for row, one in zip(named, told, strict=True)
    ] == told
    assert all(one["asked"].startswith("Where is book") for one in told)
    assert all(one["right"].startswith("shelf") for one in told)


def test_a_dry_run_says_the_key_the_time_and_that_there_are_too_few_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    folder = folder_of(tmp_path, n=24, models="[{id: 'openai:gpt-4o-mini'}]")
    assert command(["ceiling", str(folder), "--dry-run"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "OPENAI_API_KEY" in page
    assert "20 are the fewest that can tell" in page
    assert "Time about" in page
    assert "at 2 s a call (assumed), 16 at once" in page


def test_off_a_terminal_a_line_a_minute_shows_that_it_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("tuneworthy.cli.options.time.monotonic", lambda: now[0])
    with shown_progress.live_line(lambda show: show) as show:
        for second in range(0, 200, 10):
            now[0] = float(second)
            show(f"at {second}")
    assert capsys.readouterr().err.splitlines() == ["at 60", "at 120", "at 180"]


@pytest.mark.slow
def test_a_quote_says_what_a_model_thinks_and_how_long_it_took_so_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Thinking(Fake):
        async def send(self, request: Request) -> Reply:
            usage = model_lab.Usage(
                input_tokens=9, output_tokens=800, reasoning_tokens=600
            )
            reply = await super().send(request)
            return reply.model_copy(update={"usage": usage, "latency_s": 5.0})

    folder = folder_of(
        tmp_path, n=40, models="[{id: 'fake:echo', effort: [none, high]}]"
    )
    assert command(["ceiling", str(folder), "--dry-run"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert (
        "Thinking fake:echo: paid for as output; how much, it shows when asked" in page
    )
    ceiling.run(prepare(folder), cap_usd=0, transport=Thinking(lambda _: "shelf"))
    folder_of(tmp_path, n=60, models="[{id: 'fake:echo', effort: [none, high]}]")
    assert command(["ceiling", str(folder), "--dry-run"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert (
        "about 600 tokens an answer so far, 75% of its output, paid for and not shown"
        in page
    )
    assert "at 5 s a call (as so far), 16 at once" in page
