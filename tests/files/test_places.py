"""Places in lists count from 1 on every surface; what is none is refused with the user's number."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import CaseError, InputError
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import run
from tuneworthy.model import base as model_base
from web_world import DAY, Seen, a_client, a_shelf, a_site

TEXT = """\
name: Two of each
goals: [persona, format]
models:
  - {id: "openai:gpt-4o"}
  - {id: "openai:gpt-4o-mini"}
attempts:
  - {name: a, models: ["openai:gpt-4o", "openai:gpt-4o-mini"]}
  - {name: b}
data: {traces: [a.jsonl, b.jsonl]}
evidence:
  ignore: [{id: latency_p95, because: old}, {id: calls_per_month, because: old}]
"""
KEYS = (
    "models.{}.id",
    "models.{}",
    "goals.{}",
    "attempts.{}.name",
    "attempts.{}.models.1",
    "attempts.1.models.{}",
    "data.traces.{}",
    "evidence.ignore.{}.id",
)
"""Keys of lists that have two entries each."""

ODD = (
    "0",
    "00",
    "01",
    "02",
    "-1",
    "+1",
    "²",
    "٢",
    "\uff12",
    "①",
    "½",
    "1_0",
    "",
    " ",
    "x",
    "4",
)
"""Steps that are no place of these lists; some are digits to Python."""
DIGITS = st.text(st.characters(categories=["Nd", "Nl", "No"]), min_size=1, max_size=6)
STEPS = st.one_of(st.sampled_from(ODD), DIGITS).filter(
    lambda step: step not in {"1", "2", "3"}
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One case, into which no test writes."""
    folder = a_shelf(tmp_path_factory.mktemp("places") / "shelf", one=TEXT)
    for name in ("a.jsonl", "b.jsonl"):
        (folder / "one" / name).write_text("", "utf-8")
    return folder


@pytest.fixture(scope="module")
def board(shelf: Path) -> Workspace:
    """What the page and the assistant's tools work on."""
    return Workspace(open_directory(shelf), DAY)


def written(folder: Path) -> str:
    return (folder / "one" / "case.yaml").read_text("utf-8")


@given(step=STEPS, key=st.sampled_from(KEYS))
def test_what_is_no_place_is_refused_with_the_step_and_how_many_there_are(
    step: str, key: str, board: Workspace, shelf: Path
) -> None:
    path = key.format(step)
    digest = board.evaluated("one").digest
    ways: list[Callable[[], object]] = [
        partial(board.set_answers, "one", {path: "x"}, digest),
        partial(board.what_if, "one", {path: "x"}),
    ]
    for way in ways:
        with pytest.raises(InputError) as caught:
            way()
        assert caught.value.what.startswith(f'"{step}" is not a place in ')
        assert caught.value.what.endswith(", which has 2")
        assert "write 1 to 2, or 3 to add one" in caught.value.fix
        assert path in str(caught.value)
    assert written(shelf) == TEXT


@pytest.mark.parametrize("step", ["0", "²", "7"])
def test_the_command_line_refuses_it_in_a_line(
    step: str, shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = str(shelf / "one")
    for key in KEYS:
        for command in (("answer", case), ("decide", case, "--set")):
            assert run([*command, f"{key.format(step)}=x"]) == 2
            seen = capsys.readouterr()
            assert f'"{step}" is not a place in ' in seen.err
            assert seen.err.count("\n") == 1
    assert written(shelf) == TEXT


@pytest.mark.parametrize("step", ["0", "²", "7"])
def test_the_page_refuses_it_where_it_asks(step: str, shelf: Path) -> None:
    client = a_client(a_site(shelf))
    path = "/cases/one/interview"
    form = Seen(client.get(f"{path}?ask=models.1.id").text)
    fields = {name: form.hidden(name) for name in ("csrf", "digest", "way", "part")}
    for ask in (f"models.{step}.id", f"attempts.{step}.name"):
        refused = client.get(f"{path}?{urlencode({'ask': ask})}")
        assert refused.status_code == 422
        assert f'"{step}" is not a place in ' in Seen(refused.text).text
        answer = client.post(path, data={**fields, "ask": ask, "typed": "x"})
        assert answer.status_code == 422
    assert written(shelf) == TEXT


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("models.1.id", "openai:gpt-5", "models"),
        ("models.2.id", "openai:gpt-5", "models"),
        ("models.3.id", "openai:gpt-5", "models"),
        ("attempts.2.name", "c", "attempts"),
        ("goals.2", "safety", "goals"),
    ],
)
def test_the_place_that_is_named_changes_and_no_other(
    key: str, value: str, changed: str, tmp_path: Path
) -> None:
    folder = a_shelf(
        tmp_path, one=TEXT.replace("data: {traces: [a.jsonl, b.jsonl]}\n", "")
    )
    before = yaml.safe_load(written(folder))
    assert run(["answer", str(folder / "one"), f"{key}={value}"]) == 0
    after = yaml.safe_load(written(folder))
    _, place, *field = key.split(".")
    rows = before[changed]
    at = int(place) - 1
    if not field:
        rows[at] = value
    elif at == len(rows):
        rows.append({field[0]: value})
    else:
        rows[at][field[0]] = value
    assert after == before


def test_a_list_can_be_filled_place_by_place_in_one_go(tmp_path: Path) -> None:
    folder = a_shelf(tmp_path, one="name: x\n")
    case = str(folder / "one")
    assert (
        run(
            [
                "answer",
                case,
                "models.1.id=a:b",
                "models.2.id=c:d",
                "models.2.kind=tuned",
            ]
        )
        == 0
    )
    rows = yaml.safe_load(written(folder))["models"]
    assert rows == [{"id": "a:b"}, {"id": "c:d", "kind": "tuned"}]
    assert run(["answer", case, "models.4.id=e:f"]) == 2


@given(st.text(max_size=6))
def test_a_place_has_one_spelling(text: str) -> None:
    place = model_base.read_place(text)
    assert (place is not None) == (
        re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII) is not None
    )
    assert place is None or str(place) == text


def test_an_empty_list_says_so(tmp_path: Path) -> None:
    folder = a_shelf(tmp_path, one="name: x\n")
    board = Workspace(open_directory(folder), DAY)
    with pytest.raises(
        CaseError, match=r"which is empty\. Places count from 1: write 1 for"
    ):
        board.what_if("one", {"evidence.ignore.0.id": "x"})


def test_words_of_the_user_are_shown_as_they_were_written(tmp_path: Path) -> None:
    """The place where a printed command takes the case's name was replaced in every text."""
    note = "voice of the LEGAL CASES team, IN CASE we win"
    case = (
        f"name: Two\nfactors: {{brand_voice: {{value: yes, note: '{note}'}}}}\n"
        "attempts: [{name: a, change: 'Prompt for TEST CASE one'}]\n"
    )
    client = a_client(a_site(a_shelf(tmp_path, helper=case)))
    shown = "".join(
        client.get(f"/cases/helper{page}").text
        for page in ("", "/answers", "/evidence", "/options", "/plan", "/report/view")
    )
    assert note in shown
    assert "LEGAL helper" not in shown
    assert "IN helper" not in shown
    assert "tuneworthy answer helper " in shown or "tuneworthy show helper" in shown
