"""What an assistant may write, and how it stays marked until a person confirms it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import Case, InputError, decide, load_case, load_framework
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import run as command
from tuneworthy.files import assistant as files_assistant
from tuneworthy.files.stores import read_versions
from tuneworthy.interview import answers as interview_answers
from web_world import Seen, a_client, a_shelf, a_site

DAY = date(2026, 11, 24)
TEXT = """\
# what the team knows
name: Warehouse helper
factors:
  brand_voice: no  # asked twice
targets: {quality: {metric: match, at_least: 0.8}}
models:
  - {id: "openai:gpt-4o", base_url: "https://ours.example/v1"}
  - {id: "openai:gpt-4o-mini"}
data: {traces: [log.jsonl], documents: {path: docs, count: 5}, prompts: prompts}
decision: {owner: Ann}
safety: {process_named: "no"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shelf = a_shelf(tmp_path / "shelf", one=TEXT)
    for name in ("docs", "prompts"):
        (shelf / "one" / name).mkdir()
    (shelf / "one" / "prompts" / "a.md").write_text("Answer. {{ input }}\n", "utf-8")
    for name in ("log.jsonl", "other.jsonl"):
        (shelf / "one" / name).write_text('{"input": "a", "output": "b"}\n', "utf-8")
    return shelf


def workspace(folder: Path) -> Workspace:
    return Workspace(open_directory(folder), DAY)


def assist(folder: Path, quote: str = "we said so", **answers: str) -> None:
    """Write answers as an assistant does; two underscores of a key are a dot."""
    board = workspace(folder).written_by("an assistant")
    values = {key.replace("__", "."): value for key, value in answers.items()}
    board.set_answers(
        "one", values, board.evaluated("one").digest, dict.fromkeys(values, quote)
    )


def waiting(folder: Path) -> list[str]:
    return [
        answer.key for answer in files_assistant.unconfirmed(load_case(folder / "one"))
    ]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert command(list(arguments)) == 0
    return " ".join(capsys.readouterr().out.split())


# What is for people ---------------------------------------------------------------------------


def of_people(case: Case) -> Any:
    """All of a case that only a person may write."""
    told = case.model_dump(mode="json")
    data = dict(told["data"])
    for name in ("documents", "examples", "preference_pairs"):
        data[name] = (data[name] or {}).get("path")
    addresses = [model["base_url"] for model in told["models"] if model["base_url"]]
    sections = ("decision", "safety", "evidence", "framework")
    return {
        **{name: told[name] for name in sections},
        "data": data,
        "addresses": addresses,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decision.signed", "{by: CEO, on: 2026-11-30, answer: yes}"),
        ("decision.owner", "unknown"),
        ("decision.owner", "Ann"),
        ("safety.data_reviewed", "yes"),
        ("evidence.ignore", "unknown"),
        ("framework", "lesson"),
        ("models.1.base_url", "https://evil.example/v1"),
        ("models.1.base_url", "unknown"),
        ("models.2.base_url", "https://evil.example/v1"),
        ("models", '[{id: "openai:gpt-4o", base_url: "https://evil.example/v1"}]'),
        ("models", '[{id: "openai:new", base_url: "https://evil.example/v1"}]'),
        ("data.traces", "other.jsonl"),
        ("data.traces", "unknown"),
        ("data.documents", "prompts"),
        ("data.documents.path", "prompts"),
        ("data.prompts", "docs"),
        ("data.evaluation", "log.jsonl"),
        ("data.training", "log.jsonl"),
    ],
)
def test_what_is_for_a_person_no_assistant_writes(
    folder: Path, key: str, value: str
) -> None:
    with pytest.raises(InputError) as caught:
        assist(folder, **{key.replace(".", "__"): value})
    said = str(caught.value)
    assert "for a person" in said or "is on record" in said or "no" in said
    assert "\n" not in said
    assert (folder / "one" / "case.yaml").read_text("utf-8") == TEXT
    assert not (folder / "one" / ".tuneworthy").exists()


def test_the_refusal_says_who_may(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        assist(folder, decision__owner="CEO")
    assert str(caught.value).startswith("decision.owner: is for a person to write")
    assert "tuneworthy answer" in str(caught.value)
    # together with others neither
    with pytest.raises(InputError, match="for a person"):
        assist(folder, brand_voice="yes", safety__data_reviewed="yes")
    assert waiting(folder) == []


STEPS = ["decision", "owner", "safety", "data_reviewed", "framework", "models", "1", "2", "id",
         "base_url", "data", "traces", "documents", "count", "path", "usable", "today", "quality",
         "targets", "at_least", "factors", "brand_voice", "note", "evidence", "ignore"]  # fmt: skip
VALUES = ["yes", "unknown", "5", "90%", "log.jsonl", "docs", "https://evil.example/v1",
          "[{id: x:y, base_url: http://evil.example}]", "{path: docs}", "lesson", "{by: CEO}",
          "[{id: signals, because: no}]"]  # fmt: skip


@pytest.mark.slow
@given(
    st.dictionaries(
        st.lists(st.sampled_from(STEPS), min_size=1, max_size=3).map(".".join),
        st.sampled_from(VALUES),
        min_size=1,
        max_size=2,
    )
)
def test_whatever_an_assistant_answers_what_is_for_people_stays(
    tmp_path_factory: pytest.TempPathFactory, answers: dict[str, str]
) -> None:
    shelf = tmp_path_factory.mktemp("shelf")
    a_shelf(shelf, one=TEXT)
    for name in ("docs", "prompts"):
        (shelf / "one" / name).mkdir()
    (shelf / "one" / "log.jsonl").write_text("", "utf-8")
    before = of_people(load_case(shelf / "one"))
    try:
        assist(
            shelf, **{key.replace(".", "__"): value for key, value in answers.items()}
        )
    except InputError:
        assert (shelf / "one" / "case.yaml").read_text("utf-8") == TEXT
    assert of_people(load_case(shelf / "one")) == before
    if (shelf / "one" / "case.yaml").read_text("utf-8") != TEXT:
        assert waiting(shelf)


# What it writes is marked ---------------------------------------------------------------------


@pytest.mark.slow
def test_what_an_assistant_answers_is_marked_everywhere_until_a_person_confirms_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = str(folder / "one")
    asked = ("decide", case, "--as-of", DAY.isoformat())
    assert "by an assistant" not in printed(capsys, *asked)
    assist(
        folder,
        "our <b>voice</b>",
        brand_voice="yes",
        today__quality="80%",
        data__examples="400",
    )
    told = printed(capsys, *asked)
    assert "! 3 answers by an assistant, not confirmed." in told
    assert "--confirm" in told
    dossier = json.loads(printed(capsys, *asked, "--format", "json"))
    caveats = {item["id"]: item["says"] for item in dossier["verdict"]["caveats"]}
    assert caveats["by_an_assistant"].startswith(
        "3 answers by an assistant, not confirmed:"
    )
    client = a_client(a_site(folder))
    page = client.get("/cases/one/answers")
    assert "By an assistant, not confirmed: “our <b>voice</b>”" in Seen(page.text).text
    assert "<b>voice" not in page.text
    assert "3 answers by an assistant" in Seen(client.get("/cases/one").text).text

    said = printed(capsys, "answer", case, "--confirm")
    assert (
        "Confirmed brand voice (factors.brand_voice): yes, for “our <b>voice</b>”"
        in said
    )
    assert waiting(folder) == []
    assert "by an assistant" not in printed(capsys, *asked)
    assert "By an assistant" not in Seen(client.get("/cases/one/answers").text).text
    kept = [
        (one.by, one.key, one.quote)
        for one in files_assistant.read_authored(load_case(folder / "one"))
    ]
    assert ("assistant", "factors.brand_voice", "our <b>voice</b>") in kept, (
        "it stays on record"
    )
    assert "waits to be confirmed" in printed(capsys, "answer", case, "--confirm")


def test_the_text_of_the_case_file_is_as_if_a_person_had_answered(
    folder: Path, tmp_path: Path
) -> None:
    other = a_shelf(tmp_path / "other", one=TEXT)
    assist(folder, brand_voice="yes")
    board = workspace(other)
    with pytest.raises(InputError):  # its data aren't there
        board.set_answers("one", {"data.traces": "gone"}, board.evaluated("one").digest)
    board.set_answers("one", {"brand_voice": "yes"}, board.evaluated("one").digest)
    texts = [
        (place / "one" / "case.yaml").read_text("utf-8") for place in (folder, other)
    ]
    assert texts[0] == texts[1]


def answer_by_command(folder: Path, value: str) -> None:
    assert command(["answer", str(folder / "one"), f"brand_voice={value}"]) == 0


def answer_by_interview(folder: Path, value: str) -> None:
    now = workspace(folder).evaluated("one")
    interview_answers.write_answer(now, "factors.brand_voice", value, judge=decide)


def answer_by_hand(folder: Path, value: str) -> None:
    path = folder / "one" / "case.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("brand_voice: yes", f"brand_voice: {value}"), "utf-8")


def answer_on_the_page(folder: Path, value: str) -> None:
    client = a_client(a_site(folder))
    seen = Seen(client.get("/cases/one/answers").text)
    form = {name: seen.hidden(name) for name in ("csrf", "digest", "seen")}
    sent = client.post(
        "/cases/one/answers", data={**form, "factors.brand_voice": value}
    )
    assert sent.status_code == 303


@pytest.mark.parametrize("answer", [answer_by_command, answer_by_interview])
def test_the_same_answer_by_a_person_confirms_it(
    folder: Path, answer: Callable[[Path, str], None]
) -> None:
    assist(folder, brand_voice="yes", low_volume="no")
    answer(folder, "yes")
    assert waiting(folder) == ["factors.low_volume"]


@pytest.mark.parametrize(
    "answer",
    [answer_by_command, answer_by_interview, answer_by_hand, answer_on_the_page],
)
def test_another_answer_by_a_person_is_the_persons(
    folder: Path, answer: Callable[[Path, str], None]
) -> None:
    assist(folder, brand_voice="yes", low_volume="no")
    answer(folder, "no")
    assert waiting(folder) == ["factors.low_volume"]


@pytest.mark.slow
def test_the_page_confirms_what_it_showed_and_nothing_newer(folder: Path) -> None:
    assist(folder, brand_voice="yes")
    client = a_client(a_site(folder))
    seen = Seen(client.get("/cases/one/answers").text)
    form = {name: seen.hidden(name) for name in ("csrf", "digest")}
    assist(folder, low_volume="no")
    assert client.post("/cases/one/confirm", data=form).status_code == 409
    assert len(waiting(folder)) == 2
    assert (
        client.post("/cases/one/confirm", data={"digest": form["digest"]}).status_code
        == 403
    )
    form["digest"] = Seen(client.get("/cases/one/answers").text).hidden("digest")
    assert client.post("/cases/one/confirm", data=form).status_code == 303
    assert waiting(folder) == []


def test_an_answer_that_a_person_gave_before_is_not_marked(folder: Path) -> None:
    assist(folder, brand_voice="no")
    assert waiting(folder) == []


def test_an_answer_that_an_assistant_takes_back_is_marked(folder: Path) -> None:
    assist(folder, brand_voice="unknown")
    assert waiting(folder) == ["factors.brand_voice"]


def test_a_note_beside_it_confirms_no_answer(folder: Path) -> None:
    assist(folder, brand_voice="yes")
    board = workspace(folder)
    digest = board.evaluated("one").digest
    board.set_answers("one", {"factors.brand_voice.note": "asked again"}, digest)
    assert waiting(folder) == ["factors.brand_voice"]


def test_versions_say_who_wrote(folder: Path) -> None:
    assist(folder, "two words", brand_voice="yes")
    case = load_case(folder / "one")
    versions = read_versions(case)
    assert [version.by for version in versions] == ["", "an assistant"]
    (kept,) = files_assistant.read_authored(case)
    assert (kept.digest, kept.quote) == (versions[-1].digest, "two words")


def test_a_model_that_an_assistant_names_is_marked_with_its_price(folder: Path) -> None:
    assist(
        folder,
        models='[{id: "openai:new", kind: tuned}]',
        models__2__usd_per_mtok="1, 2",
    )
    assert sorted(waiting(folder)) == ["models", "models.2.usd_per_mtok"]
    assert command(["answer", str(folder / "one"), "models.2.usd_per_mtok=1, 2"]) == 0
    assert waiting(folder) == ["models"]


def test_a_dossier_without_such_answers_says_nothing_of_them(folder: Path) -> None:
    lesson = load_framework("lesson")
    before = decide(load_case(folder / "one"), lesson, as_of=DAY).to_json()
    assist(folder, brand_voice="yes")
    assert decide(load_case(folder / "one"), lesson, as_of=DAY).to_json() != before
    (folder / "one" / "case.yaml").write_text(TEXT, "utf-8")
    assert decide(load_case(folder / "one"), lesson, as_of=DAY).to_json() == before


@pytest.mark.parametrize("line", ["", "no json", '{"by": "assistant"}', "[]", "\x00"])
def test_a_line_that_is_none_hides_no_other(folder: Path, line: str) -> None:
    assist(folder, brand_voice="yes")
    path = folder / "one" / ".tuneworthy" / "assistant.jsonl"
    path.write_text(f"{line}\n{path.read_text('utf-8')}{line}", "utf-8")
    assert waiting(folder) == ["factors.brand_voice"]


def test_a_command_without_answers_says_what_to_write(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["answer", str(folder / "one")]) == 2
    assert "--confirm" in capsys.readouterr().err


def test_a_person_who_adds_a_model_confirms_none_of_an_assistant_s(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assist(folder, models__2__usd_per_mtok="0.0001, 0.0001")
    marked = waiting(folder)
    assert marked == ["models.2.usd_per_mtok"]
    assert command(["answer", str(folder / "one"), "models=openai:gpt-4.1"]) == 0
    assert waiting(folder) == marked
    case = folder / "one" / "case.yaml"
    text = case.read_text("utf-8")
    case.write_text(
        text.replace("models:\n", 'models:\n  - {id: "fake:first"}\n', 1), "utf-8"
    )
    assert waiting(folder) == marked, "another place is the same answer"
    assert command(["answer", str(folder / "one"), "--confirm"]) == 0
    assert waiting(folder) == []
    capsys.readouterr()


def test_a_value_that_goes_with_another_is_marked_with_it(folder: Path) -> None:
    assist(folder, targets__quality__at_least="unknown")
    assert waiting(folder) == ["targets.quality.at_least"]
