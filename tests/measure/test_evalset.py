"""Evaluation sets: read and written whole, drawn so that weights give back the traffic's mean."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import CaseError
from tuneworthy import errors as errors_room
from tuneworthy.cli import run
from tuneworthy.files import evalset as files_evalset
from tuneworthy.files.evalset import read_evalset
from tuneworthy.intake.measure import build_set
from tuneworthy.measure import evalset as measure_evalset
from tuneworthy.measure import hiding as measure_hiding
from tuneworthy.measure import personal as measure_personal
from tuneworthy.model import evalset as model_evalset
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Batch, Message
from tuneworthy.stats import clustered as stats_clustered
from tuneworthy.traces.read import TraceFiles

WORDS = (
    "refund", "parcel", "invoice", "address", "voucher", "warranty", "receipt", "charge", "card",
    "delay", "order",
)  # fmt: skip


def traffic(talks: int, *, seed: int = 0, copies: int = 0) -> Batch:
    """Conversations of one to four traces; the longer, the oftener they are hard and go wrong."""
    rng, found = random.Random(seed), Batch()
    for talk in range(talks):
        turns = 1 + talk % 4
        hard = rng.random() < 0.1 + 0.2 * turns
        for turn in range(turns):
            noise = " ".join(rng.choices(WORDS, k=8))
            found.input.append(
                f"{'hard' if hard else 'easy'} number {talk} {turn} {noise}"
            )
            found.output.append("done")
            found.conversation.append(f"talk {talk}")
            found.score.append(0.0 if hard and rng.random() < 0.5 else 1.0)
    for copy in range(copies):
        found.input.append("hard: where is the parcel that I ordered last week please")
        found.output.append("done")
        found.conversation.append(f"copy {copy}")
        found.score.append(1.0)
    return found


def hard_share(cases: tuple[EvalCase, ...]) -> float:
    """The weighted share of hard cases."""
    hard = sum(one.weight for one in cases if one.text.startswith("hard"))
    return hard / sum(one.weight for one in cases)


# Drawing ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_weights_estimate_the_mean_of_the_traffic_without_bias() -> None:
    batch = traffic(120, copies=30)
    truth = sum(str(text).startswith("hard") for text in batch.input) / len(batch)
    found = [
        hard_share(measure_evalset.build_evalset([batch], n=25, seed=seed).cases)
        for seed in range(150)
    ]
    error = float(np.std(found)) / len(found) ** 0.5
    assert abs(float(np.mean(found)) - truth) < 3.5 * error
    plain = [
        sum(one.text.startswith("hard") for one in cases) / len(cases)
        for cases in (
            measure_evalset.build_evalset([batch], n=25, seed=seed).cases
            for seed in range(40)
        )
    ]
    assert (
        abs(float(np.mean(plain)) - truth) > 3.5 * error
    )  # without the weights there is one


def test_weights_have_a_mean_of_one_and_strata_stand_for_all_traces() -> None:
    batch = traffic(200, copies=20)
    drawn = measure_evalset.build_evalset([batch], n=60, seed=3)
    assert sum(one.weight for one in drawn.cases) == pytest.approx(len(drawn.cases))
    assert sum(one.traces for one in drawn.strata) == len(batch) == drawn.read
    assert sum(one.cases for one in drawn.strata) == len(drawn.cases)
    assert all(1 <= one.drawn <= one.conversations for one in drawn.strata)


def test_conversations_stay_whole_and_fall_on_one_side() -> None:
    batch = traffic(150)
    drawn = measure_evalset.build_evalset([batch], n=100, seed=1)
    size = Counter(batch.conversation)
    said = dict(zip(batch.input, batch.conversation, strict=True))
    talks: dict[str, list[EvalCase]] = {}
    for one in drawn.cases:
        talks.setdefault(one.cluster, []).append(one)
    for cases in talks.values():
        names = {said[one.text] for one in cases}
        assert len(names) == 1
        assert len(cases) == size[names.pop()]
        assert len({one.split for one in cases}) == 1
    assert None not in {one.split for one in drawn.cases}
    select, report = files_evalset.parted(drawn.cases)
    assert {one.cluster for one in select} & {one.cluster for one in report} == set()
    assert select
    assert report


def test_the_same_seed_gives_the_same_set_however_the_traces_are_cut() -> None:
    batch = traffic(60)
    half = len(batch) // 2
    parts = [
        Batch(**{name: getattr(batch, name)[rows] for name in ("input", "output", "score",
                                                              "conversation")})
        for rows in (slice(0, half), slice(half, None))
    ]  # fmt: skip
    whole = measure_evalset.build_evalset([batch], n=40, seed=5)
    assert measure_evalset.build_evalset(parts, n=40, seed=5) == whole
    assert measure_evalset.build_evalset([batch], n=40, seed=6).cases != whole.cases


def test_near_copies_are_drawn_once_and_stand_for_all_of_them() -> None:
    batch = traffic(12, copies=40)
    drawn = measure_evalset.build_evalset([batch], n=500)
    copies = [one for one in drawn.cases if "last week" in one.text]
    assert len(copies) == 1
    assert drawn.folded == 39
    total = sum(one.weight for one in drawn.cases)
    assert copies[0].weight / total == pytest.approx(40 / len(batch))


@pytest.mark.slow
def test_any_of_near_copies_may_stand_for_the_rest() -> None:
    said = "is the parcel that I ordered last week"
    asked: list[str | None] = [f"where {said}", f"Where {said}", f"WHERE {said}"]
    batch = Batch(input=asked, output=["x"] * 3)
    seen = Counter(
        measure_evalset.build_evalset([batch], n=3, seed=seed).cases[0].text
        for seed in range(90)
    )
    assert set(seen) == set(asked)
    assert min(seen.values()) > 12  # of 30 expected: four standard errors below


def test_failures_are_drawn_more_often_than_they_occur() -> None:
    batch = Batch(
        input=[
            f"question {i} on {WORDS[i % 11]} {i * 7} and {WORDS[i % 7]}"
            for i in range(400)
        ],
        output=["fine"] * 400,
        error=["timeout" if i % 10 == 0 else None for i in range(400)],
    )
    drawn = measure_evalset.build_evalset([batch], n=100)
    failed = sum("failed" in one.tags for one in drawn.cases)
    assert (
        16 <= failed <= 21
    )  # 40 of 400 count twice: 80/440 of 100 draws, rounded by stratum
    assert len(drawn.cases) == 100
    weight = sum(one.weight for one in drawn.cases if "failed" in one.tags)
    assert weight == pytest.approx(10.0)  # and weigh what they occur: a tenth


def test_right_answers_that_are_labels_are_the_kinds_of_request() -> None:
    labels = ["refund", "parcel", "other"]
    batch = Batch(
        input=[f"words {i} {WORDS[i % 11]} {WORDS[i % 5]} {i * i}" for i in range(90)],
        output=["x"] * 90,
        reference=[labels[i % 3] for i in range(90)],
    )
    drawn = measure_evalset.build_evalset([batch], n=30)
    assert drawn.intent_by == "reference"
    assert Counter(one.reference for one in drawn.cases) == dict.fromkeys(labels, 10)
    assert all(one.reference in one.tags for one in drawn.cases)
    assert drawn.unlabelled == 0


def test_kinds_of_request_without_labels_are_groups_of_alike_vectors() -> None:
    money = [f"how much does a transfer of {i} dollars cost me" for i in range(40)]
    animals = [f"tell me about the {i} whales and otters of the sea" for i in range(40)]
    batch = Batch(input=[*money, *animals], output=["x"] * 80)
    drawn = measure_evalset.build_evalset([batch], n=32, alike=1.0)
    assert drawn.intent_by == "embedding"
    kinds = {("whales" in one.text, one.tags[0]) for one in drawn.cases}
    assert len(kinds) == 2
    assert set(drawn.examples) == {"group 1", "group 2"}


def test_results_of_a_test_give_each_test_case_once() -> None:
    batch = Batch(
        input=["what is a refund", "what is a refund", "who are you"],
        output=["a", "b", "c"], case=["1", "1", "2"], model=["m", "n", "m"],
        reference=[None, "money back", "a bot"],
    )  # fmt: skip
    drawn = measure_evalset.build_evalset([batch], n=10)
    assert {one.text: one.reference for one in drawn.cases} == {
        "what is a refund": "money back", "who are you": "a bot",
    }  # fmt: skip


@pytest.mark.parametrize("every", [True, False], ids=["each answer", "the last answer"])
def test_a_conversation_of_a_test_case_stays_whole(tmp_path: Path, every: bool) -> None:
    """A record of four answers, and four lines of which the last alone names the case."""
    rng, lines = random.Random(5), []
    for talk in range(40):
        asked = [
            f"{talk} {turn} {' '.join(rng.choices(WORDS, k=9))}" for turn in range(4)
        ]
        told: dict[str, object] = {
            "conversation_id": f"c{talk}",
            "score": float(talk % 2),
        }
        if every:
            turns = [{"role": role, "content": text}
                     for text in asked for role in ("user", "assistant")]  # fmt: skip
            lines.append(told | {"case": f"k{talk // 2}", "messages": turns})
        else:
            lines += [told | {"input": text, "output": "done"} for text in asked]
            lines[-1] |= {"case": f"k{talk // 2}"}
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    drawn = measure_evalset.build_evalset(
        (chunk.batch for chunk in TraceFiles([path])), n=500, seed=1
    )
    assert sum(one.conversations for one in drawn.strata) == 20
    sides: dict[int, set[object]] = {}
    for case in drawn.cases:
        talk = int(
            case.messages[-1].content.split()[0]
            if case.messages
            else case.text.split()[0]
        )
        sides.setdefault(talk // 2, set()).add(case.split)
        assert "failed" in case.tags
    assert len(sides) == 20
    assert all(len(side) == 1 for side in sides.values())


def test_of_rendered_prompts_the_shortest_is_the_question() -> None:
    batch = Batch(
        input=["Answer as a pirate: 2+2", "2+2", "Answer as a pirate: 3+3", "3+3"],
        output=["a", "b", "c", "d"], case=["1", "1", "2", "2"], reference=["4", None, "6", "6"],
    )  # fmt: skip
    drawn = measure_evalset.build_evalset([batch], n=10)
    assert [(one.text, one.reference, one.conversation_id) for one in drawn.cases] == [
        ("2+2", "4", None), ("3+3", "6", None),
    ]  # fmt: skip


def test_what_was_said_before_is_part_of_the_case() -> None:
    turns = (Message("system", "Be kind."), Message("user", "hi"), Message("assistant", "hello"),
             Message("user", "where is it?"))  # fmt: skip
    batch = Batch(
        input=["where is it?"], output=["there"], messages=[turns], contexts=[["a map"]]
    )
    (one,) = measure_evalset.build_evalset([batch], n=1).cases
    assert [(said.role, said.content) for said in one.messages] == [
        ("user", "hi"), ("assistant", "hello"), ("user", "where is it?"),
    ]  # fmt: skip
    assert [passage.text for passage in one.contexts] == ["a map"]


def test_traces_that_do_not_say_what_was_asked_are_counted_and_left_out() -> None:
    batch = Batch(input=["hello there", None, "  "], output=["a", "b", "c"])
    drawn = measure_evalset.build_evalset([batch], n=5)
    assert (len(drawn.cases), drawn.without_input) == (1, 2)
    empty = measure_evalset.build_evalset([], n=5)
    assert (empty.cases, empty.read) == ((), 0)


def test_failures_are_told_by_the_first_thing_that_speaks_against_a_trace() -> None:
    batch = Batch(
        output=[
            "x",
            "y",
            "I'm sorry, but I can't help with that.",
            '{"a": ',
            '{"a": 1}',
            None,
        ],
        error=["timeout", None, None, None, None, None],
        score=[0.0, 0.2, None, None, None, None],
    )
    assert list(measure_evalset.failures(batch, None)) == [
        (0, "error"), (1, "low_score"), (2, "refusal"), (3, "format"),
    ]  # fmt: skip
    assert (4, "format") in set(
        measure_evalset.failures(batch, lambda value: "b" in value)
    )


# Masking ----------------------------------------------------------------------------------------

PRIVATE = st.sampled_from([
    "ada.lovelace@mail.org", "bob@mail.org", "4242 4242 4242 4242", "+49 (0)30 901820",
    "My name is Grace Hopper", "221B Baker Street", "AKIA" + "IOSFODNN7EXAMPLE", "Phone: 736 5000",
    "P.O. Box 1234", "order 12345678", "[email]", "[name 2]",
])  # fmt: skip


@given(
    st.lists(st.one_of(PRIVATE, st.text(max_size=12)), max_size=8),
    st.sampled_from([" ", "\n"]),
)
def test_masked_text_holds_nothing_that_is_looked_for(
    parts: list[str], between: str
) -> None:
    found = measure_hiding.Masker()(between.join(parts))
    assert measure_personal.spans(found) == ()
    assert measure_personal.mask(found) == found


def test_the_same_value_gets_the_same_word_within_a_case_and_another_another() -> None:
    masker = measure_hiding.Masker()
    assert masker("from ada@x.org to bob@x.org") == "from [email] to [email 2]"
    assert masker("bob@x.org again, and ADA@x.org") == "[email 2] again, and [email]"
    assert measure_hiding.Masker()("bob@x.org") == "[email]"
    assert masker.kinds == ("email",)


def test_a_right_answer_that_only_held_what_was_hidden_is_left_out() -> None:
    batch = Batch(
        input=["which address has ada@x.org", "what is the mail of Ada"],
        output=["x", "y"], reference=["it is ada@x.org", "it is ada@x.org"],
    )  # fmt: skip
    drawn = measure_evalset.build_evalset([batch], n=2)
    told = {one.text: one.reference for one in drawn.cases}
    assert told["which address has [email]"] == "it is [email]"
    assert [ref for text, ref in told.items() if text.startswith("what is")] == [None]
    assert (drawn.lost, drawn.unlabelled) == (1, 1)
    assert "ada@" not in drawn.model_dump_json()


# Strata -----------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.floats(0.1, 1e4), st.integers(1, 40)), min_size=1, max_size=12
    ),
    st.integers(0, 300),
)
def test_every_stratum_gives_one_and_none_more_than_it_has(
    strata: list[tuple[float, int]], more: int
) -> None:
    sizes, most = np.array([s for s, _ in strata]), np.array([m for _, m in strata])
    wanted = len(strata) + more
    given_ = stats_clustered.allocate(sizes, most, wanted)
    assert int(given_.sum()) == min(wanted, int(most.sum()))
    assert ((given_ >= 1) & (given_ <= most)).all()


def test_strata_give_in_proportion_to_size() -> None:
    assert stats_clustered.allocate(
        np.array([60.0, 30.0, 10.0]), np.array([99, 99, 99]), 20
    ).tolist() == [12, 6, 2]
    assert stats_clustered.allocate(
        np.array([60.0, 30.0, 10.0]), np.array([4, 99, 99]), 20
    ).tolist() == [4, 12, 4]


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_what_is_drawn_stands_for_the_whole(
    sizes: list[int], wanted: int, seed: int
) -> None:
    wanted = min(wanted, len(sizes))
    chosen, stands = stats_clustered.draw(
        np.array(sizes, dtype=float), wanted, np.random.default_rng(seed)
    )
    assert len(chosen) == wanted
    assert stands.sum() == pytest.approx(sum(sizes))
    assert (
        stands >= np.array(sizes)[chosen] - 1e-9
    ).all()  # nothing is drawn more than surely


def test_a_unit_is_drawn_in_proportion_to_its_size() -> None:
    sizes, rng, hits = (
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.random.default_rng(1),
        np.zeros(4),
    )
    for _ in range(4000):
        hits[stats_clustered.draw(sizes, 2, rng)[0]] += 1
    assert hits / 4000 == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.03)


def test_any_two_units_may_be_drawn_together() -> None:
    rng = np.random.default_rng(2)
    pairs = Counter(
        tuple(stats_clustered.draw(np.ones(4), 2, rng)[0].tolist()) for _ in range(600)
    )
    assert len(pairs) == 6
    assert min(pairs.values()) > 60  # of 100 expected


def test_groups_part_what_lies_apart() -> None:
    rng = np.random.default_rng(0)
    ends = np.array([[0, 0], [9, 0], [0, 9]])
    truth = rng.choice(3, size=90, p=[0.5, 0.3, 0.2])
    points = (ends[truth] + rng.normal(0, 0.3, (90, 2))).astype(np.float32)
    member, _ = stats_clustered.kmeans(points, 3, np.random.default_rng(4))
    pairs = set(zip(truth.tolist(), member.tolist(), strict=True))
    assert len(pairs) == 3
    assert (np.diff(np.bincount(member)) <= 0).all()
    assert set(
        stats_clustered.kmeans(np.ones((5, 2), dtype=np.float32), 3, rng)[0].tolist()
    ) == {0}


# Files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"id": "1", "input": "a", "tag": ["x"]}', 'Did you mean "tags"?'),
        ('{"id": "1"}', "no input"),
        ('{"id": "1", "input": "a", "weight": 0}', "weight"),
        ('{"id": "1", "input": "a", "weight": NaN}', "not JSON"),
        ('{"id": "1", "input": "a", "reference": [-1e999]}', "not JSON"),
        ("[1]", "not an object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_line_that_is_no_case_is_named_with_its_fix(
    tmp_path: Path, line: str, says: str
) -> None:
    path = tmp_path / "eval.jsonl"
    path.write_text('{"id": "0", "input": "fine"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        read_evalset(path)
    assert f"{path}:2" in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_id_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "eval.jsonl"
    path.write_text(
        '{"id": 7, "input": "a"}\n\n{"id": "7", "input": "b"}\n', encoding="utf-8"
    )
    with pytest.raises(CaseError, match="appears twice"):
        read_evalset(path)


CASES = st.builds(
    EvalCase,
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    input=st.text(st.characters(codec="utf-8")),
    reference=st.one_of(
        st.none(), st.text(st.characters(codec="utf-8")), st.lists(st.integers(), max_size=3),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), st.booleans()),
    ),
    tags=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3).map(tuple),
    split=st.sampled_from([None, "select", "report"]),
    weight=st.floats(0.001, 1e6),
)  # fmt: skip


@pytest.mark.slow
@given(cases=st.lists(CASES, min_size=1, max_size=5, unique_by=lambda one: one.id))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, cases: list[EvalCase]
) -> None:
    path = tmp_path_factory.mktemp("sets") / "eval.jsonl"
    files_evalset.write_evalset(path, cases)
    assert read_evalset(path) == tuple(cases)


def test_a_set_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "eval.jsonl"
    one = EvalCase(id="1", input="a")
    files_evalset.write_evalset(path, [one])
    with pytest.raises(errors_room.OutputError):
        files_evalset.write_evalset(path, [EvalCase(id="2", input="b")])
    assert read_evalset(path) == (one,)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([None, "select", "report"])),
                max_size=20), st.integers(0, 3))  # fmt: skip
def test_no_conversation_is_selected_and_reported_on(
    told: list[tuple[int, str | None]], seed: int
) -> None:
    cases = [
        EvalCase.model_validate({"id": str(i), "input": "x", "conversation_id": f"t{talk}",
                                 "split": side})
        for i, (talk, side) in enumerate(told)
    ]  # fmt: skip
    select, report = files_evalset.parted(cases, seed=seed)
    assert {one.cluster for one in select} & {one.cluster for one in report} == set()
    assert sorted([*select, *report], key=lambda one: int(one.id)) == cases


def test_half_of_the_conversations_are_kept_for_reporting() -> None:
    cases = [EvalCase(id=str(i), input="x") for i in range(4000)]
    told = [
        sum(files_evalset.split_of(one, seed=seed) == "report" for one in cases)
        for seed in (0, 1)
    ]
    assert all(abs(each - 2000) < 130 for each in told)  # four standard errors
    few = sum(
        files_evalset.split_of(one, report_share=0.1) == "report" for one in cases
    )
    assert abs(few - 400) < 80


# The command ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case with traces."""
    batch = traffic(80)
    (tmp_path / "case.yaml").write_text(
        "name: Shop\ndata: {traces: logs.jsonl}\n"
        "targets: {quality: {metric: match, at_least: 0.9}}\n",
        encoding="utf-8",
    )
    columns = zip(
        batch.input, batch.output, batch.conversation, batch.score, strict=True
    )
    lines = [
        json.dumps(
            {
                "input": f"{a} mail ada@x.org",
                "output": b,
                "conversation_id": c,
                "score": d,
            }
        )
        for a, b, c, d in columns
    ]
    (tmp_path / "logs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_a_set_is_drawn_beside_the_case_and_nothing_is_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "case.yaml").read_text("utf-8")
    assert run(["evalset", str(folder), "--n", "50"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    cases = read_evalset(folder / "eval.jsonl")
    assert "ada@" not in (folder / "eval.jsonl").read_text("utf-8")
    assert f"tuneworthy answer {folder} data.evaluation=eval.jsonl" in told
    assert f"{len(cases)} of {len(cases)} cases have no right answer yet" in told
    assert (folder / "case.yaml").read_text("utf-8") == before
    assert run(["evalset", str(folder), "--from", "traces"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (
        run(["evalset", "--n", "50", str(folder), "--output", str(folder / "b.jsonl")])
        == 0
    )
    assert read_evalset(folder / "b.jsonl") == cases
    assert run(["answer", str(folder), "data.evaluation=eval.jsonl"]) == 0


def test_a_case_without_traces_says_what_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "case.yaml").write_text("name: Shop\n", encoding="utf-8")
    assert run(["evalset", str(tmp_path)]) == 2
    assert "--from FILE" in capsys.readouterr().err
    assert not (tmp_path / "eval.jsonl").exists()


def test_a_set_holds_nothing_of_a_hostile_conversation_but_its_text() -> None:
    batch = Batch(
        input=["\x1b[2J=cmd()\ud800", "../../etc/passwd"], output=["a", "b"],
        conversation=["../../x", "ada@x.org"],
    )  # fmt: skip
    drawn: model_evalset.EvalSample = measure_evalset.build_evalset([batch], n=2)
    assert "ada@" not in drawn.model_dump_json()
    assert {one.conversation_id for one in drawn.cases} == {None}


def test_examples_bring_their_right_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "case.yaml").write_text("name: x\ndata: {examples: rows.jsonl}\n")
    rows = [
        {"input": f"what is {n} and {n}?", "output": f"label {n % 3}"}
        for n in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    build_set(tmp_path, ["examples"])
    drawn = (tmp_path / "eval.jsonl").read_text().splitlines()
    assert len(drawn) == 40
    assert {json.loads(line)["reference"] for line in drawn} == {
        "label 0",
        "label 1",
        "label 2",
    }
