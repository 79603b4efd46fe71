"""Laws of hiding: consistent in question and answer, JSON stays JSON, and a policy decides."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import load_case
from tuneworthy.cli import run
from tuneworthy.measure import hiding
from tuneworthy.measure import personal as measure_personal
from tuneworthy.model import case as model_case

MAIL = "My name is Ada Lovelace. I'm missing 1,234.00 USD (ref NGP-48213), mail ada@shop.io."
ANSWER = '{"name": "Ada Lovelace", "ref": "NGP-48213", "amount": 1234, "mail": "ada@shop.io"}'
FIELDS = ("name", "ref", "amount")


def policy(**stated: Any) -> model_case.PersonalPolicy:
    return model_case.PersonalPolicy.model_validate(stated)


@pytest.fixture
def faker() -> hiding.Faker:
    fakes = hiding.Faker(policy(fields=FIELDS), "a seed")
    fakes.learn(ANSWER)
    return fakes


def test_a_fake_is_the_same_in_question_and_answer(faker: hiding.Faker) -> None:
    mail, answer = faker(MAIL), json.loads(faker(ANSWER))
    assert answer["name"] in mail
    assert answer["ref"] in mail
    assert answer["mail"] in mail
    assert f"{answer['amount']:,}.00 USD" in mail
    for real in ("Ada", "Lovelace", "48213", "1,234", "ada@shop.io"):
        assert real not in mail
        assert real not in json.dumps(answer)


def test_a_fake_keeps_the_type_and_the_shape_of_a_value(faker: hiding.Faker) -> None:
    answer = json.loads(faker(ANSWER))
    assert re.fullmatch(r"[A-Z]{3}-\d{5}", answer["ref"])
    assert 1000 <= answer["amount"] <= 9999
    assert answer["mail"].endswith("@example.com")


def test_a_part_of_a_name_gets_the_same_part_of_the_fake(faker: hiding.Faker) -> None:
    name = json.loads(faker(ANSWER))["name"].split()
    assert (
        faker("Lovelace called, then Ada wrote.")
        == f"{name[1]} called, then {name[0]} wrote."
    )


def test_words_keep_json_json_and_are_the_same_in_question_and_answer() -> None:
    words = hiding.Masker(policy(fields=FIELDS))
    words.learn(ANSWER)
    mail, answer = words(MAIL), json.loads(words(ANSWER))
    assert answer == {
        "name": "[name]",
        "ref": "[ref]",
        "amount": "[amount]",
        "mail": "[email]",
    }
    assert all(word in mail for word in answer.values())


def test_a_number_that_is_hidden_stays_json_without_a_policy_too() -> None:
    assert json.loads(hiding.Masker()('{"id": 123456789, "n": 3}')) == {
        "id": "[number]",
        "n": 3,
    }


def test_words_that_are_none_stay() -> None:
    stays = "Dear Alta team, the Alta rain jacket 4711001 leaks"
    assert "Alta" not in hiding.Masker()(stays)
    assert hiding.Masker(policy(words=["Alta", "4711001"]))(stays) == stays


def test_a_secret_is_never_kept_by_a_word_nor_faked() -> None:
    key = "sk-proj-" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3"
    for made in (hiding.Masker(policy(words=[key])), hiding.Faker(policy(words=[key]))):
        assert made(f"key {key}") == "key [secret]"


PLAIN = st.one_of(
    st.text(max_size=12), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(), st.none(), st.sampled_from(["Ada Lovelace", "ada@shop.io", "12345678"]),
)  # fmt: skip
KEYS = st.text(max_size=5)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["name", "ref", "x"]), VALUES, max_size=3),
    st.booleans(),
)
def test_json_stays_json_with_the_same_keys(
    value: dict[str, Any], escaped: bool
) -> None:
    written = json.dumps(value, ensure_ascii=escaped)
    for made in (
        hiding.Masker(policy(fields=FIELDS)),
        hiding.Faker(policy(fields=FIELDS), "1"),
    ):
        made.learn(written)
        assert (
            json.loads(made(written)).keys()
            == json.loads(written.encode("utf-8", "replace")).keys()
        )


def test_a_fake_name_is_known_as_one_so_that_sets_of_fakes_can_be_compared() -> None:
    for seed in range(40):
        name = hiding.Faker(policy(), str(seed))("My name is Ada Lovelace")
        assert measure_personal.persons(
            f"It was {name.removeprefix('My name is ')} who called"
        )


def test_the_name_of_a_product_is_no_person() -> None:
    for thing in (
        "The Alta rain jacket leaks",
        "My Alta leaks",
        "I got Chelsea boots",
        "Max 5",
    ):
        assert measure_personal.persons(thing) == (), thing
    for person in (
        "Alta called today",
        "Then Alta wrote",
        "Chelsea wants a refund",
        "It was Max.",
    ):
        assert len(measure_personal.persons(person)) == 1, person


# What a case states ------------------------------------------------------------------------------


def lines(folder: Path, stated: str) -> Path:
    """A case whose examples hold personal data in fields that are meant to."""
    folder.mkdir()
    (folder / "case.yaml").write_text(
        "name: x\ngoals: [extraction]\n"
        f"data: {{traces: [log.jsonl], training: [train.jsonl]{stated}}}\n"
    )
    names = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Mary Shelley"]
    logged = [
        {
            "input": f"My name is {names[n % 4]}. Order {48213 + n} of the Alta rain jacket "
            f"number {n} never came to me in {n} weeks.",
            "output": json.dumps({"name": names[n % 4], "order": 48213 + n}),
            "reference": json.dumps({"name": names[n % 4], "order": 48213 + n}),
            "conversation_id": f"c{n}",
        }
        for n in range(30)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in logged))
    examples = [{"input": row["input"], "output": row["output"]} for row in logged]
    (folder / "train.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in examples)
    )
    return folder


@pytest.mark.slow
def test_a_policy_keeps_values_here_and_fakes_them_in_what_is_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = ", personal: {fields: [name, order], words: [Alta]}"
    folder = lines(tmp_path / "c", stated)
    assert run(["evalset", str(folder)]) == 0
    (tmp_path / "none").mkdir()
    cases = [
        json.loads(line) for line in (folder / "eval.jsonl").read_text().splitlines()
    ]
    assert all(json.loads(case["reference"])["name"] in case["input"] for case in cases)
    assert any("Ada Lovelace" in case["input"] for case in cases)
    (folder / "eval.jsonl").unlink()
    assert run(["data", str(folder), "--format", "json"]) == 0
    gates = {gate["id"]: gate["examples"] for gate in _last_json(capsys)["gates"]}
    assert gates["personal"] == 0
    assert run(["export", str(folder), "--to", "axolotl-sft"]) == 0
    text = (folder / "export" / "axolotl-sft" / "train.jsonl").read_text()
    assert "Ada Lovelace" not in text
    assert "48213" not in text
    assert "Alta rain jacket" in text
    for line in text.splitlines():
        *_, asked, answer = json.loads(line)["messages"]
        made = json.loads(answer["content"])
        assert made["name"] in asked["content"]
        assert str(made["order"]) in asked["content"]


def _last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capsys.readouterr().out
    found: dict[str, Any] = json.loads(out[out.index("{") :])
    return found


def test_without_a_policy_sets_hold_words_and_training_leaves_people_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lines(tmp_path / "c", "")
    assert run(["data", str(folder), "--format", "json"]) == 0
    gates = {gate["id"]: gate["examples"] for gate in _last_json(capsys)["gates"]}
    assert gates["personal"] > 0
    assert run(["evalset", str(folder)]) == 0
    assert "Lovelace" not in (folder / "eval.jsonl").read_text()


@pytest.mark.slow
def test_a_set_of_fakes_stays_out_of_the_training_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lines(tmp_path / "c", ", personal: {fields: [name, order], local: fakes}")
    assert run(["evalset", str(folder)]) == 0
    assert "Lovelace" not in (folder / "eval.jsonl").read_text()
    path = folder / "case.yaml"
    path.write_text(
        path.read_text().replace("training:", "evaluation: eval.jsonl, training:")
    )
    capsys.readouterr()
    assert run(["data", str(folder), "--format", "json"]) == 0
    gates = {gate["id"]: gate["examples"] for gate in _last_json(capsys)["gates"]}
    assert gates["evaluation"] + gates["near_evaluation"] == 30


def test_a_policy_is_stated_by_answers_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lines(tmp_path / "c", "")
    stated = ("data.personal.fields=name, order", "data.personal.words=Alta")
    assert run(["answer", str(folder), *stated]) == 0
    made = load_case(folder).data.personal
    assert made is not None
    assert (made.fields, made.words) == (("name", "order"), ("Alta",))
    assert run(["evalset", str(folder)]) == 0
    assert "personal data stays" in capsys.readouterr().out


def test_a_policy_that_says_nonsense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text("name: x\ndata: {personal: {local: burn}}\n")
    with pytest.raises(Exception, match="local"):
        load_case(tmp_path)
