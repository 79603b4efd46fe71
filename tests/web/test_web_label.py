"""Labelling on the page: blind, by two people, and never the wrong thing by a page out of date."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

import hostile
from answering import label_queue
from faulty import Fake
from lab_world import CAREFUL, LOUD, folder_of
from tuneworthy import load_case
from tuneworthy.errors import ConflictError
from tuneworthy.files import stores as files_stores
from tuneworthy.files.stores import append_label
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.session import ledger_of
from tuneworthy.labelling import queue as agreeing
from tuneworthy.labelling import queue as labelling_queue
from tuneworthy.labelling.queue import LabelTask
from tuneworthy.model.evalset import Label
from tuneworthy.model.lab import Request
from tuneworthy.report import render as render_document
from tuneworthy.report.sections import evalset as section_evalset
from web_world import DAY, Seen, a_client, a_site

HOME = "/cases/shop/label"
RUBRIC = "Is it polite?\nNothing else counts."


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    """A case with six questions that nobody has answered."""
    folder = tmp_path / "shelf" / "shop"
    folder.mkdir(parents=True)
    told = [{"id": f"c{i}", "input": f"question {i}"} for i in range(6)]
    (folder / "eval.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    (folder / "case.yaml").write_text("name: Shop\ndata: {evaluation: eval.jsonl}\n")
    return folder


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A case whose lab has run: two prompts, each with an output of its own for every case."""

    def answer(request: Request) -> str:
        loud = "SHOUT" in request.messages[0].content
        return f"{'AAA' if loud else 'bbb'} {request.messages[-1].content}"

    prompts = {"careful": CAREFUL, "loud": LOUD}
    folder = folder_of(tmp_path / "shelf" / "shop", n=12, prompts=prompts)
    (folder / "examples.jsonl").unlink()
    text = (folder / "case.yaml").read_text().replace(", examples: examples.jsonl", "")
    (folder / "case.yaml").write_text(text)
    ceiling.run(prepare(folder, as_of=DAY), cap_usd=0, transport=Fake(answer))
    return folder


def client_of(folder: Path) -> TestClient:
    return a_client(a_site(folder.parent))


def shown(client: TestClient, address: str) -> Seen:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return Seen(answer.text)


def next_of(**asked: Any) -> str:
    return f"{HOME}/next?{urlencode(asked, doseq=True)}"


def form(seen: Seen) -> dict[str, Any]:
    """The form of a question, without what is said."""
    found: dict[str, Any] = {}
    for one in seen.all("input"):
        if one.get("type") == "hidden":
            name, value = one["name"] or "", one.get("value") or ""
            found[name] = [*found[name], value] if name == "arms" and name in found else (
                [value] if name == "arms" else value
            )  # fmt: skip
    return found


def say(client: TestClient, seen: Seen, said: str) -> str:
    """Say something of the question that is shown; where the page goes on."""
    answer = client.post(f"{HOME}/said", data={**form(seen), "said": said})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def texts(seen: Seen) -> list[str]:
    """What is shown of a question, in its order."""
    return re.findall(r"(?:question \d+|(?:AAA|bbb) Where is book \d+\?)", seen.text)


def kept(folder: Path, labeller: str) -> list[Label]:
    return list(files_stores.read_labels(load_case(folder)).get(labeller, ()))


# Right answers --------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_question_is_asked_once_and_each_answer_is_kept_at_once(
    blank: Path,
) -> None:
    client = client_of(blank)
    address, asked = next_of(kind="answer", labeller="ada"), []
    for number in range(6):
        seen = shown(client, address)
        (question,) = texts(seen)
        asked.append(question)
        address = say(client, seen, f"answer to {question}")
        assert len(kept(blank, "ada")) == number + 1
    assert "All are labelled" in shown(client, address).text
    assert sorted(asked) == [f"question {i}" for i in range(6)]
    assert {one.value for one in kept(blank, "ada")} == {
        f"answer to {q}" for q in asked
    }
    assert all(
        one.value == f"answer to question {one.case[1:]}" for one in kept(blank, "ada")
    )


@pytest.mark.slow
def test_labellers_meet_the_same_questions_in_the_order_of_an_exported_file(
    blank: Path,
) -> None:
    orders = []
    for name in ("ada", "bob"):
        client, order = client_of(blank), []
        address = next_of(kind="answer", labeller=name)
        for _ in range(6):
            seen = shown(client, address)
            order += texts(seen)
            address = say(client, seen, "x")
        orders.append(order)
    exported = [item.case.text for item in label_queue(blank, "cy").items.values()]
    assert orders[0] == orders[1] == exported


def test_a_page_sent_twice_keeps_one_label_of_what_it_showed(blank: Path) -> None:
    client = client_of(blank)
    seen = shown(client, next_of(kind="answer", labeller="ada"))
    first = say(client, seen, "forty-two")
    assert say(client, seen, "forty-two") == first
    (label,) = kept(blank, "ada")
    assert texts(seen) == [f"question {label.case[1:]}"]


@pytest.mark.slow
def test_a_second_thought_counts_and_the_first_stays_on_file(blank: Path) -> None:
    client = client_of(blank)
    seen = shown(client, next_of(kind="answer", labeller="ada"))
    say(client, seen, "first")
    after = shown(client, next_of(kind="answer", labeller="ada"))
    (back,) = [one["href"] for one in after.all("a") if one.get("data-key") == "b"]
    again = shown(client, back or "")
    assert texts(again) == texts(seen)
    assert "first" in again.text
    say(client, again, "second")
    assert [one.value for one in kept(blank, "ada")] == ["first", "second"]


def test_a_page_out_of_date_never_labels_another_question(blank: Path) -> None:
    client = client_of(blank)
    seen = shown(client, next_of(kind="answer", labeller="ada"))
    told = [{"id": f"c{i}", "input": f"question {9 - i}"} for i in range(6)]
    (blank / "eval.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    answer = client.post(f"{HOME}/said", data={**form(seen), "said": "old"})
    assert answer.status_code == 409
    assert "nothing was kept" in Seen(answer.text).text
    assert texts(Seen(answer.text))  # and the page goes on with one that is there
    assert kept(blank, "ada") == []


@pytest.mark.slow
def test_what_is_skipped_comes_again(blank: Path) -> None:
    client = client_of(blank)
    seen = shown(client, next_of(kind="answer", labeller="ada"))
    skipped = texts(seen)
    while links := [one["href"] for one in seen.all("a") if one.get("data-key") == "s"]:
        seen = shown(client, links[0] or "")
    assert "0 of 6 are labelled" in seen.text
    (again,) = [
        one["href"] for one in seen.all("a") if "next?" in (one.get("href") or "")
    ]
    assert texts(shown(client, again or "")) == skipped
    assert kept(blank, "ada") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "a b", "../x", "adjudicated", "x" * 41, "<b>"])
def test_a_name_that_is_none_labels_nothing(blank: Path, name: str) -> None:
    client = client_of(blank)
    assert client.get(next_of(kind="answer", labeller=name)).status_code == 422
    fields = {
        **form(shown(client, next_of(kind="answer", labeller="ada"))),
        "labeller": name,
    }
    assert client.post(f"{HOME}/said", data={**fields, "said": "x"}).status_code == 422
    assert not (blank / ".tuneworthy" / "labels").exists()


@pytest.mark.parametrize("said", ["", "   ", "x" * 100_001])
def test_an_answer_has_some_text_and_not_too_much(blank: Path, said: str) -> None:
    client = client_of(blank)
    seen = shown(client, next_of(kind="answer", labeller="ada"))
    assert (
        client.post(f"{HOME}/said", data={**form(seen), "said": said}).status_code
        == 422
    )
    assert kept(blank, "ada") == []


def test_a_logged_answer_is_accepted_or_corrected_and_nothing_typed_is_lost(
    blank: Path,
) -> None:
    logged = {"claim": "water", "amount": 420}
    schema = {"type": "object", "properties": {"amount": {"maximum": 1000}}}
    cases = [
        {"id": f"c{i}", "input": f"question {i}", "logged": json.dumps(logged)}
        for i in range(3)
    ]
    (blank / "eval.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases))
    (blank / "form.json").write_text(json.dumps(schema))
    data = "data: {evaluation: eval.jsonl, output_schema: form.json}\n"
    (blank / "case.yaml").write_text(f"name: Shop\n{data}")
    client = client_of(blank)
    address = next_of(kind="answer", labeller="ada")
    address = say(client, shown(client, address), json.dumps(logged))
    fields = form(shown(client, address))
    for wrong in ("much", '{"amount": 5000}'):
        answer = client.post(f"{HOME}/said", data={**fields, "said": wrong})
        assert answer.status_code == 422
        assert wrong in Seen(answer.text).text
    say(client, shown(client, address), '{"claim": "wet", "amount": 42.5}')
    first, second = (json.loads(label.value) for label in kept(blank, "ada"))
    assert first == logged
    assert second == {"claim": "wet", "amount": 42.5}


# Outputs --------------------------------------------------------------------------------------


def rubric_page(client: TestClient, labeller: str, **more: Any) -> str:
    fields = {
        "csrf": shown(client, HOME).hidden("csrf"),
        "kind": "rubric",
        "labeller": labeller,
    }
    answer = client.post(f"{HOME}/rubric", data={**fields, "text": RUBRIC, **more})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.mark.slow
def test_a_question_about_an_output_names_no_arm(ran: Path) -> None:
    client = client_of(ran)
    address = rubric_page(client, "ada")
    for _ in range(10):
        seen = shown(client, address)
        told = {value for _, a in seen.elements for value in a.values() if value}
        for name in ("careful", "loud", "fake:one", "·"):
            assert name not in seen.text
            assert not [value for value in told if name in value]
        assert "Is it polite?" in seen.text
        address = say(client, seen, "yes")
    arms = [one.arm for one in kept(ran, "ada")]
    assert len(set(arms)) > 1


@pytest.mark.slow
def test_a_label_is_of_the_output_that_was_shown(ran: Path) -> None:
    client = client_of(ran)
    address = rubric_page(client, "ada")
    for number in range(8):
        seen = shown(client, address)
        (output,) = texts(seen)
        address = say(client, seen, "yes" if output.startswith("AAA") else "no")
        label = kept(ran, "ada")[number]
        assert label.arm.startswith("loud" if output.startswith("AAA") else "careful")
        assert label.case == f"eval.jsonl {re.findall(r'[0-9]+', output)[0]}"
    assert {(one.arm.split(" ")[0], one.value) for one in kept(ran, "ada")} == {
        ("loud", "yes"), ("careful", "no"),
    }  # fmt: skip


@pytest.mark.slow
def test_the_better_of_a_pair_is_the_one_that_was_shown_there(ran: Path) -> None:
    client = client_of(ran)
    arms = ["careful · fake:one", "loud · fake:one"]
    address, first = next_of(kind="pairwise", labeller="ada", arms=arms), set()
    for number in range(6):
        seen = shown(client, address)
        outputs = texts(seen)
        assert sorted(text[:3] for text in outputs) == ["AAA", "bbb"]
        first.add(outputs[0][:3])
        address = say(
            client, seen, "first" if outputs[0].startswith("AAA") else "second"
        )
        label = kept(ran, "ada")[number]
        assert (label.arm, label.against) == (arms[0], arms[1])
        assert label.value == "second"  # the loud one, whichever place it had
    assert first == {"AAA", "bbb"}


@pytest.mark.slow
def test_only_what_may_be_said_is_kept(ran: Path) -> None:
    client = client_of(ran)
    seen = shown(client, rubric_page(client, "ada"))
    for said in ("maybe", "YES", "3", "first"):
        assert (
            client.post(f"{HOME}/said", data={**form(seen), "said": said}).status_code
            == 422
        )
    assert kept(ran, "ada") == []
    scaled = shown(client, rubric_page(client, "ada", scale="1-5"))
    say(client, scaled, "3")
    assert [one.value for one in kept(ran, "ada")] == ["3"]


@pytest.mark.slow
def test_every_answer_has_a_key_and_no_two_have_the_same(ran: Path) -> None:
    client = client_of(ran)
    pages = [
        rubric_page(client, "ada"), rubric_page(client, "ada", scale="1-5"),
        next_of(kind="pairwise", labeller="ada", arms=["careful · fake:one", "loud · fake:one"]),
    ]  # fmt: skip
    wanted = [["y", "n", "s"], ["1", "2", "3", "4", "5", "s"], ["1", "2", "t", "s"]]
    for page, keys in zip(pages, wanted, strict=True):
        seen = shown(client, page)
        found = [a["data-key"] for _, a in seen.elements if "data-key" in a]
        assert found == keys


@pytest.mark.slow
def test_a_rubric_is_kept_once_and_found_again(ran: Path) -> None:
    client = client_of(ran)
    query = parse_qs(urlsplit(rubric_page(client, "ada")).query)
    assert (
        parse_qs(urlsplit(rubric_page(client, "bob")).query)["rubric"]
        == query["rubric"]
    )
    assert list(files_stores.read_rubrics(load_case(ran)).values()) == [RUBRIC]
    assert "Is it polite?" in shown(client, HOME).text
    assert (
        labelling_queue.add_rubric(ran, f"\r\n{RUBRIC}\r\n".replace("\n", "\r\n"))
        == query["rubric"][0]
    )
    (path,) = (ran / ".tuneworthy" / "rubrics").iterdir()
    say(client, shown(client, rubric_page(client, "ada")), "yes")
    terminal = label_queue(ran, "ada", rubric=path)
    assert (terminal.rubric, terminal.done) == (RUBRIC, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["../../prompts/careful", "../../../case", "x" * 16, "0" * 16, "/etc/passwd", ".."],
)
def test_a_rubric_that_is_not_kept_is_no_path(ran: Path, name: str) -> None:
    client = client_of(ran)
    answer = client.get(next_of(kind="rubric", labeller="ada", rubric=name))
    assert answer.status_code == 422
    assert "there is no such rubric" in answer.text


def test_a_rubric_that_was_changed_is_no_longer_that_rubric(ran: Path) -> None:
    case = load_case(ran)
    name = files_stores.keep_rubric(case, RUBRIC)
    (ran / ".tuneworthy" / "rubrics" / f"{name}.md").write_text("Is it long?")
    assert files_stores.read_rubrics(case) == {}
    assert files_stores.keep_rubric(case, RUBRIC) == name
    assert files_stores.read_rubrics(case) == {name: RUBRIC}


@pytest.mark.slow
def test_outputs_can_be_labelled_while_a_lab_runs(ran: Path) -> None:
    client = client_of(ran)
    with ledger_of(load_case(ran)):
        seen = shown(client, rubric_page(client, "ada"))
        say(client, seen, "yes")
    assert len(kept(ran, "ada")) == 1


def test_without_outputs_the_page_says_what_is_missing(blank: Path) -> None:
    text = shown(client_of(blank), HOME).text
    assert "6 of 6 cases have no right answer yet" in text
    assert "There are no outputs yet. shop/case.yaml:2: names no prompts" in text
    assert "Outputs in pairs" not in text


# Two people -----------------------------------------------------------------------------------


def both_label(folder: Path, client: TestClient) -> None:
    """Ada and Bob label six outputs; they differ on the first two."""
    for name in ("ada", "bob"):
        address = rubric_page(client, name)
        for number in range(6):
            seen = shown(client, address)
            said = "no" if (name == "bob") == (number < 2) else "yes"
            address = say(client, seen, said if number != 5 else "no")
    assert len(kept(folder, "ada")) == len(kept(folder, "bob")) == 6


@pytest.mark.slow
def test_agreement_is_the_command_line_s_to_the_letter(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = client_of(ran)
    both_label(ran, client)
    seen = shown(client, f"{HOME}/agreement").text
    document = section_evalset.agreement_document(
        agreeing.agreement(ran), folder="shop"
    )
    told = render_document(document)
    sentences = [" ".join(part.split()) for part in re.split(r"\n  (?! )", told)[1:5]]
    assert any("kappa" in sentence for sentence in sentences)
    for sentence in sentences:
        assert sentence[1:].split("\n")[0] in seen
    assert RUBRIC.partition("\n")[0] in seen


@pytest.mark.slow
def test_nobody_sees_what_others_said_where_one_labels(ran: Path) -> None:
    client = client_of(ran)
    both_label(ran, client)
    for address in (HOME, rubric_page(client, "cy")):
        text = shown(client, address).text
        assert "bob" not in text
        assert "kappa" not in text


@pytest.mark.slow
def test_differences_are_settled_with_no_names_and_each_once(ran: Path) -> None:
    client = client_of(ran)
    both_label(ran, client)
    differ = [one for group in agreeing.agreement(ran) for one in group.disagreements]
    assert "Settle" in shown(client, HOME).text
    first = address = next_of(kind="settle")
    for _ in differ:
        seen = shown(client, address)
        assert "Labels so far no yes" in seen.text
        assert "ada" not in seen.text
        assert "bob" not in seen.text
        address = say(client, seen, "yes")
        assert (
            client.post(f"{HOME}/said", data={**form(seen), "said": "no"}).status_code
            != 303
        )
    assert client.get(first).status_code == 422
    assert "has nothing to settle" in Seen(client.get(first).text).text
    (group,) = agreeing.agreement(ran)
    assert [one.settled for one in group.disagreements] == ["yes"] * len(differ)


def test_labels_given_elsewhere_are_seen_at_once(blank: Path) -> None:
    client = client_of(blank)
    address = next_of(kind="answer", labeller="ada")
    (question,) = texts(shown(client, address))
    label = Label(task="answer", case=f"c{question[-1]}", value="by the terminal")
    append_label(load_case(blank), "ada", label)
    assert texts(shown(client, address)) != [question]


def test_a_desk_is_made_anew_when_a_file_of_its_case_changes(blank: Path) -> None:
    desks, work = labelling_queue.LabelQueues(), LabelTask("answer", "ada")
    first = desks.open(blank, work)
    kept_one = first.open_after()
    assert desks.open(blank, LabelTask("answer", "bob")).open_after() == kept_one
    (blank / "eval.jsonl").write_text('{"id": "c0", "input": "another"}\n')
    second = desks.open(blank, work)
    assert len(second.items) == 1
    with pytest.raises(ConflictError):
        second.label(kept_one, "x")
    assert kept(blank, "ada") == []


# What others wrote ----------------------------------------------------------------------------


@pytest.mark.slow
def test_hostile_texts_are_text_where_they_are_labelled(blank: Path) -> None:
    told = [
        {"id": f"c{i}", "input": f"{text} {hostile.HIDDEN}"}
        for i, text in enumerate(hostile.PAYLOADS)
    ]
    (blank / "eval.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    client = client_of(blank)
    address = next_of(kind="answer", labeller="ada")
    found = ""
    for text in hostile.PAYLOADS:
        page = client.get(address).text
        seen = Seen(page)
        found += page
        assert not seen.all("img")
        assert not seen.all("iframe")
        assert not [
            a for _, a in seen.elements if any(key.startswith("on") for key in a)
        ]
        assert all((one.get("src") or "").startswith("/static/") for one in
                   seen.all("script"))  # fmt: skip
        assert "\u202e" not in page
        assert "\x1b" not in page
        address = say(client, seen, f"</textarea>{text}")
    assert "4321*2" in found
    assert "8642" not in found
    back = client.get(next_of(kind="answer", labeller="bob")).text
    assert "</textarea><" not in back.replace("</textarea>\n<", "")
