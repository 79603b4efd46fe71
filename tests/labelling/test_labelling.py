"""Labels: blind, kept at once, never overwritten; agreement beyond chance; sets as CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answering import label_queue, unlabelled
from tuneworthy import CaseError, InputError, load_case
from tuneworthy.cli import options as cli_options
from tuneworthy.cli import run
from tuneworthy.files import evalset as files_evalset
from tuneworthy.files import stores as files_stores
from tuneworthy.files.evalset import read_evalset
from tuneworthy.files.stores import append_label
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.session import ledger_of
from tuneworthy.labelling import queue as agreeing
from tuneworthy.model import evalset as model_evalset
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import CheckCall, EvalCase, Label
from tuneworthy.model.lab import Reply
from tuneworthy.stats import agreement as stats_agreement

Rows = list[tuple[str | None, ...]]


def alone(rows: Sequence[object]) -> list[str]:
    return [str(place) for place in range(len(rows))]


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Agreement --------------------------------------------------------------------------------------


def test_cohens_kappa_is_agreement_beyond_chance() -> None:
    # Seen 35/50 = 0.7; chance 25/50 · 30/50 + 25/50 · 20/50 = 0.5; (0.7 - 0.5) / 0.5 = 0.4.
    rows: Rows = [
        *[("y", "y")] * 20,
        *[("y", "n")] * 5,
        *[("n", "y")] * 10,
        *[("n", "n")] * 15,
    ]
    found = stats_agreement.cohen_kappa(rows, alone(rows), rng())
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    # Fleiss, Cohen and Everitt (1969): standard error sqrt(0.01709) by hand, about 0.131.
    assert found.low == pytest.approx(0.4 - 1.96 * 0.131, abs=0.04)
    assert found.high == pytest.approx(0.4 + 1.96 * 0.131, abs=0.04)


def test_cohens_kappa_of_many_labels_takes_the_memory_of_its_items() -> None:
    rows: Rows = [(f"{n}", f"{n + n % 2}") for n in range(100)]
    tracemalloc.start()
    found = stats_agreement.cohen_kappa(rows, ["one"] * 100, rng())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is not None
    assert found.value == pytest.approx((0.5 - 0.0098) / (1 - 0.0098), abs=0.01)
    assert most < 50e6  # a table of all pairs of labels by themselves is 800 MB


def test_fleiss_kappa_of_three_labellers() -> None:
    # Items agree 1 and 1/3, mean 24/36; chance (5/6)² + (1/6)² = 26/36; -2/10.
    rows: Rows = [("a", "a", "a"), ("a", "a", "b"), ("a", None, "b")]
    found = stats_agreement.fleiss_kappa(rows, alone(rows), rng())
    assert found is not None
    assert found.value == pytest.approx(-0.2)
    assert (found.low, found.high, found.items) == (None, None, 2)


def test_alpha_takes_what_there_is() -> None:
    # Ordered pairs that differ: 2; pooled 3 a and 3 b: 1 - 5 · 2 / (36 - 18).
    rows: Rows = [
        ("a", "a", None),
        ("a", None, "b"),
        (None, "b", "b"),
        ("a", None, None),
    ]
    found = stats_agreement.nominal_alpha(rows, alone(rows), rng())
    assert found is not None
    assert found.value == pytest.approx(4 / 9)
    assert found.items == 3


@given(st.lists(st.tuples(*[st.sampled_from(["a", "b", "c", None])] * 3), max_size=12))
def test_alpha_is_one_less_observed_over_expected_disagreement(rows: Rows) -> None:
    units = [[x for x in row if x is not None] for row in rows]
    units = [unit for unit in units if len(unit) > 1]
    pool = [x for unit in units for x in unit]
    observed = sum(
        (x != y) / (len(unit) - 1) for unit in units for i, x in enumerate(unit)
        for j, y in enumerate(unit) if i != j
    )  # fmt: skip
    expected = sum(
        x != y for i, x in enumerate(pool) for j, y in enumerate(pool) if i != j
    )
    found = stats_agreement.nominal_alpha(rows, alone(rows), rng())
    if not expected:
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx(
            1 - (observed / len(pool)) / (expected / (len(pool) * (len(pool) - 1)))
        )


def test_items_of_one_conversation_are_no_more_evidence_than_one() -> None:
    rows: Rows = [*[("y", "y")] * 12, *[("y", "n")] * 4, *[("n", "n")] * 9]
    for of in (stats_agreement.cohen_kappa, stats_agreement.fleiss_kappa):
        once = of(rows, alone(rows), rng())
        twice = of([*rows, *rows], [*alone(rows), *alone(rows)], rng())
        apart = of([*rows, *rows], alone([*rows, *rows]), rng())
        assert once is not None
        assert twice is not None
        assert apart is not None
        assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
        assert apart.high is not None
        assert once.high is not None
        assert apart.high - (apart.low or 0) < once.high - (once.low or 0)


@pytest.mark.parametrize("rows", [[], [("y", "y")] * 9, [("y", None)] * 9])
def test_agreement_is_undefined_where_chance_agrees_always(rows: Rows) -> None:
    assert stats_agreement.cohen_kappa(rows, alone(rows), rng()) is None
    assert stats_agreement.fleiss_kappa(rows, alone(rows), rng()) is None
    assert stats_agreement.nominal_alpha(rows, alone(rows), rng()) is None


# Labels -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case with a set of six, two of which have a right answer, two prompts and a model."""
    (tmp_path / "prompts").mkdir()
    for name in ("plain", "loud"):
        (tmp_path / "prompts" / f"{name}.md").write_text(
            f"Be {name}.\n", encoding="utf-8"
        )
    cases = [
        EvalCase(
            id=f"c{i}",
            input=f"question {i}",
            reference=None if i < 4 else f"answer {i}",
        )
        for i in range(6)
    ]
    lines = [one.model_dump_json(exclude_defaults=True) for one in cases]
    (tmp_path / "eval.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "case.yaml").write_text(
        "name: Shop\ndata: {evaluation: eval.jsonl, prompts: prompts}\n"
        "models: [{id: 'openai:one', base_url: 'http://127.0.0.1:9/v1', "
        "usd_per_mtok: {input: 0, output: 0}}]\n",
        encoding="utf-8",
    )
    (tmp_path / "rubric.md").write_text("Is it polite?\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def lab(folder: Path) -> Path:
    """The same with a right answer for every case, half of them to select on."""
    cases = [
        {"id": f"c{i}", "input": f"question {i}", "reference": f"answer {i}",
         "split": "select" if i % 2 else "report"}
        for i in range(6)
    ]  # fmt: skip
    lines = [json.dumps(one) for one in cases]
    (folder / "eval.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def answered(folder: Path) -> list[str]:
    """Put an answer of every arm to every case into the ledger; its arms."""
    ready = prepare(folder)
    arms = [arm for arm in ready.plan.arms if arm.kind != "baseline"]
    with ledger_of(ready.case) as ledger:
        for arm in arms:
            for case in (*ready.plan.select, *ready.plan.report):
                for job, *_ in ready.plan.calls([arm], [case]):
                    ledger.reserve(job.key, run="r", model=arm.model, usd=0, cap_usd=0)
                    ledger.settle(job.key, Reply(text=f"by {arm.prompt}: {case.id}"), 0)
    return sorted(arm.id for arm in arms)


Sheet = list[dict[str, str]]


def export(folder: Path, *more: str, who: str = "ada") -> Sheet:
    """The rows that a person has to label, as a spreadsheet reads them."""
    path = folder.parent / "out.csv"
    asked = ["--output", str(path), "--force", *more]
    if "--settle" not in more:
        asked += ["--labeller", who]
    assert run(["evalset", "export", str(folder), *asked]) == 0
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def give_back(
    folder: Path, rows: Sequence[Mapping[str, object]], form: str = "csv"
) -> int:
    """Import rows that were filled in, as a spreadsheet or a script writes them."""
    path = folder.parent / f"back.{form}"
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, [*rows[0]])
            writer.writeheader()
            writer.writerows(rows)
    return run(["evalset", "import", str(path), str(folder)])


def label(folder: Path, labels: Sequence[str], *more: str, who: str = "ada") -> Sheet:
    """Label the first rows that are left."""
    rows = export(folder, *more, who=who)
    filled = [{**row, "label": value} for row, value in zip(rows, labels, strict=False)]
    assert give_back(folder, filled) == 0
    return rows


def values(folder: Path, who: str) -> list[str]:
    """All that somebody ever said, in order."""
    return [one.value for one in files_stores.read_labels(load_case(folder))[who]]


def test_labels_come_back_and_what_is_left_is_exported_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = label(folder, ["first", "", "third"])
    assert len(first) == 4
    assert values(folder, "ada") == ["first", "third"]
    assert "Kept 2 labels of ada; 1 row without a label" in capsys.readouterr().out
    left = export(folder)
    assert [row["item"] for row in left] == [first[1]["item"], first[3]["item"]]
    before = (folder / ".tuneworthy" / "labels" / "ada.jsonl").read_bytes()
    label(folder, ["second", "fourth"])
    after = (folder / ".tuneworthy" / "labels" / "ada.jsonl").read_bytes()
    assert after.startswith(before)
    assert run(["evalset", "export", str(folder), "--labeller", "ada"]) == 2
    assert "ada has labelled all 4" in capsys.readouterr().err


def test_a_file_imported_twice_keeps_its_labels_once_and_a_second_thought_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row, *_) = export(folder)
    for answer in ("wrong", "wrong", "right"):
        assert give_back(folder, [{**row, "label": answer}]) == 0
    assert "1 were kept before" in capsys.readouterr().out
    assert values(folder, "ada") == ["wrong", "right"]
    latest = files_stores.latest_labels(
        files_stores.read_labels(load_case(folder))["ada"]
    )
    assert [one.value for one in latest.values()] == ["right"]


def test_a_file_and_the_page_write_the_same_labels(folder: Path) -> None:
    (row, *_) = label(folder, ["by file"], who="ada")
    queue = label_queue(folder, "ben")
    queue.label(row["item"][1:], "by file")
    kept = files_stores.read_labels(load_case(folder))
    assert kept["ada"] == kept["ben"]


FINE = {"reference": '{"a": 1}', "label": '{"a": 2}'}


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("item", "i0123", 'nothing to label has the id "i0123"'),
        ("item", "", 'nothing to label has the id ""'),
        ("task", "i0123", "it is of another task"),
        ("label", "{broken", "the answer is not JSON, which the others are"),
        ("label", "plain words", "the answer is not JSON, which the others are"),
        ("label", "x" * 100_001, "a right answer has some text, and not too much"),
    ],
)
def test_each_wrong_line_is_said_and_then_nothing_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str], column: str, value: str, says: str
) -> None:
    cases = [{"id": f"c{n}", "input": "x"} | ({"reference": '{"a": 1}'} if n > 3 else {})
             for n in range(6)]  # fmt: skip
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in cases))
    rows = [{**row, "label": '{"a": 2}'} for row in export(folder)]
    rows[2][column] = value
    assert give_back(folder, rows) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].endswith(
        "back.csv: 1 line can't be read as labels; nothing was kept. Correct them, and import it "
        "again"
    )
    assert says in error[-2]
    assert f"back.csv:{4}: " in error[-2]
    assert files_stores.read_labels(load_case(folder)) == {}
    rows[2] = {**rows[2], "label": ""}
    rows = [row for row in rows if row["label"]]
    assert give_back(folder, rows) == 0
    assert values(folder, "ada") == ['{"a": 2}'] * 3


def test_an_answer_fits_the_schema_of_the_case(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
    }
    (folder / "schema.json").write_text(json.dumps(schema))
    path = folder / "case.yaml"
    text = path.read_text("utf-8").replace(
        "data: {", "data: {output_schema: schema.json, "
    )
    path.write_text(text, "utf-8")
    rows = export(folder)
    assert {row["choices"] for row in rows} == {"JSON"}
    assert give_back(folder, [{**rows[0], "label": '{"a": "one"}'}]) == 2
    assert "doesn't fit data.output_schema" in capsys.readouterr().err
    as_object: dict[str, object] = {**rows[0], "label": {"a": 1}}
    assert give_back(folder, [as_object], "jsonl") == 0
    assert values(folder, "ada") == ['{"a": 1}']
    with pytest.raises(InputError, match="is not JSON"):  # as on the page
        label_queue(folder, "ben").label(rows[0]["item"][1:], "plain")


def test_a_file_of_elsewhere_is_no_sheet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rows, says in (
        ([{"id": "1", "label": "a"}], "has no column task"),
        (
            [{"item": "i1", "task": "i2", "label": "a"}],
            'was not exported from this case (task "i2")',
        ),
    ):
        assert give_back(folder, rows) == 2
        assert says in capsys.readouterr().err
    assert run(["evalset", "export", str(folder), "--rubric", "rubric.md"]) == 2
    assert "nobody is named to label it" in capsys.readouterr().err
    assert not (folder / ".tuneworthy" / "labels").exists()


def test_a_line_that_was_cut_off_loses_itself_alone(folder: Path) -> None:
    case, one = load_case(folder), Label(task="answer", case="c1", value="a")
    append_label(case, "ada", one)
    path = folder / ".tuneworthy" / "labels" / "ada.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write('{"task": "ans')
    assert files_stores.read_labels(case) == {"ada": (one,)}
    other = Label(task="answer", case="c2", value="b")
    append_label(case, "ada", other)
    assert files_stores.read_labels(case) == {"ada": (one, other)}
    path.write_text("[]\n", encoding="utf-8")
    with pytest.raises(CaseError, match=r"ada\.jsonl:1: is not valid label"):
        files_stores.read_labels(case)


@pytest.mark.parametrize(
    "name", ["../ada", "", "a b", "adjudicated", "x" * 41, "con\0"]
)
def test_a_labellers_name_leads_nowhere(folder: Path, name: str) -> None:
    with pytest.raises(InputError):
        label_queue(folder, name)


def test_labels_stay_inside_the_case_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    away = tmp_path_factory.mktemp("away")
    (folder / ".tuneworthy").mkdir()
    (folder / ".tuneworthy" / "labels").symlink_to(away)
    with pytest.raises(CaseError):
        append_label(
            load_case(folder), "ada", Label(task="answer", case="c1", value="a")
        )
    assert list(away.iterdir()) == []


def test_nobody_who_labels_sees_an_arm(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = answered(lab)
    rubric = ("--rubric", str(lab / "rubric.md"))
    rows = export(lab, *rubric)
    text = json.dumps(rows, ensure_ascii=False)
    assert not any(arm in text for arm in arms)
    assert len(rows) == len({row["item"] for row in rows}) == 6 * len(arms)
    filled = [
        {**row, "label": ("yes", "N")[place % 2]} for place, row in enumerate(rows)
    ]
    wrong = [{**filled[0], "label": "maybe"}, *filled[1:]]
    assert give_back(lab, wrong) == 2
    assert (
        '"maybe" can\'t be said of it. Write one of these: yes, no'
        in capsys.readouterr().err
    )
    assert give_back(lab, filled) == 0
    labels = files_stores.read_labels(load_case(lab))["ada"]
    assert len({one.key for one in labels}) == len(labels) == 6 * len(arms)
    assert {one.arm for one in labels} == set(arms)
    queue = label_queue(lab, "bob", rubric=lab / "rubric.md")
    # the drawn order, as on the page
    assert [row["item"][1:] for row in rows] == [*queue.items]


def test_arms_come_in_an_order_that_tells_nothing_and_is_the_same_for_all(
    lab: Path,
) -> None:
    arms = answered(lab)
    first = [*label_queue(lab, "ada", rubric=lab / "rubric.md").items.values()]
    again = label_queue(lab, "bob", rubric=lab / "rubric.md")
    assert [one.key for one in again.items.values()] \
        == [one.key for one in first]  # fmt: skip
    assert len({first[place].arms[0] for place in range(0, len(first), len(arms))}) > 1
    cases = [item.case.id for item in first]
    assert cases[:: len(arms)] == list(dict.fromkeys(cases))


def test_a_choice_between_two_is_of_the_arms_however_they_were_shown(lab: Path) -> None:
    arms, flipped = answered(lab), set()
    one, other = (
        next(arm for arm in arms if name in arm) for name in ("loud", "plain")
    )
    session = label_queue(lab, "ada", pairwise=(other, one))
    for item in unlabelled(session):
        flipped.add(item.flipped)
        session.keep(
            item,
            "first" if item.outputs_in_order[0].startswith("by loud:") else "second",
        )
    assert flipped == {True, False}
    labels = files_stores.read_labels(load_case(lab))["ada"]
    assert {(label.arm, label.against, label.value) for label in labels} == {
        (one, other, "first")
    }


def test_a_choice_in_a_file_is_of_the_arms_however_they_stand_there(lab: Path) -> None:
    arms = answered(lab)
    one, other = (
        next(arm for arm in arms if name in arm) for name in ("loud", "plain")
    )
    rows = export(lab, "--pairwise", other, one)
    assert len({row["output"].startswith("by loud:") for row in rows}) == 2
    assert {row["choices"] for row in rows} == {"output, other_output, tie"}
    filled = [
        {
            **row,
            "label": "output"
            if row["output"].startswith("by loud:")
            else "other_output",
        }
        for row in rows
    ]
    assert give_back(lab, filled) == 0
    labels = files_stores.read_labels(load_case(lab))["ada"]
    assert {(label.arm, label.against, label.value) for label in labels} == {
        (one, other, "first")
    }


def test_an_output_that_changed_is_shown_again(lab: Path) -> None:
    arms = answered(lab)
    session = label_queue(lab, "ada", rubric=lab / "rubric.md")
    for item in unlabelled(session):
        session.keep(item, "yes")
    assert session.done == len(session.items) == 6 * len(arms)
    (lab / "prompts" / "loud.md").write_text("Be very loud.\n", encoding="utf-8")
    ready = prepare(lab)
    with ledger_of(ready.case) as ledger:
        for arm in ready.plan.arms:
            for job, *_ in ready.plan.calls([arm], ready.plan.select):
                if ledger.find(job.key) is None:
                    ledger.reserve(job.key, run="r", model=arm.model, usd=0, cap_usd=0)
                    ledger.settle(job.key, Reply(text="louder"), 0)
    again = label_queue(lab, "ada", rubric=lab / "rubric.md")
    changed = [item for item in again.items.values() if not again.is_labelled(item)]
    assert len(changed) == 3 * sum("loud" in arm for arm in arms) > 0


def test_a_lab_that_answered_nothing_says_how_to_run_it(lab: Path) -> None:
    with pytest.raises(CaseError, match="tuneworthy ceiling"):
        label_queue(lab, "ada", rubric=lab / "rubric.md")
    assert not (lab / ".tuneworthy").exists()


# Two labellers ----------------------------------------------------------------------------------


def test_what_labellers_differ_on_is_settled_and_exported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "eval.jsonl").read_bytes()
    label(folder, ["red", "Green", "blue"], who="ada")
    label(folder, ["red", "green", "black"], who="bob")
    (found,) = agreeing.agreement(folder)
    assert (found.labelled, found.both, found.same) == (3, 3, 2)
    # Seen 2/3; chance: red 1/9 + green 1/9 = 2/9; (6/9 - 2/9) / (7/9).
    assert found.coefficients[0].value == pytest.approx(4 / 7)
    assert [one.said for one in found.disagreements] == [
        (("ada", "blue"), ("bob", "black"))
    ]
    capsys.readouterr()
    assert run(["evalset", "agreement", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "Cohen's kappa: 0.57" in told
    assert "1 item to settle" in told
    (row,) = export(folder, "--settle")
    assert row["said_so_far"] == "black\nblue"
    assert not {"ada", "bob"} & {*row.values()}
    assert give_back(folder, [{**row, "label": "navy"}]) == 0
    assert "Settled 1 item" in capsys.readouterr().out
    assert run(["evalset", "export", str(folder), "--settle"]) == 2  # nothing is left
    assert run(["evalset", "export", str(folder), "--format", "jsonl", "--output",
                str(folder / "done.jsonl")]) == 0  # fmt: skip
    done = read_evalset(folder / "done.jsonl")
    got = sorted(
        str(one.reference).lower() for one in done if one.id in {"c0", "c1", "c2", "c3"}
    )
    assert got == ["green", "navy", "none", "red"]
    assert (folder / "eval.jsonl").read_bytes() == before


def test_outputs_that_labellers_differ_on_are_settled(lab: Path) -> None:
    items = 6 * len(answered(lab))
    rubric = ("--rubric", str(lab / "rubric.md"))
    label(lab, ["y"] * items, *rubric, who="ada")
    label(lab, ["n", *["y"] * (items - 1)], *rubric, who="bob")
    (row,) = export(lab, "--settle", *rubric)
    assert row["output"].startswith("by ")
    assert give_back(lab, [{**row, "label": "no"}]) == 0
    (found,) = agreeing.agreement(lab)
    assert [one.settled for one in found.disagreements] == ["no"]


def test_one_labeller_alone_has_nobody_to_agree_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evalset", "agreement", str(folder)]) == 2
    label(folder, ["a", "b"])
    (found,) = agreeing.agreement(folder)
    assert (found.both, found.coefficients) == (0, ())
    assert run(["evalset", "agreement", str(folder)]) == 0
    assert "No item has two labels yet" in capsys.readouterr().out


def test_full_agreement_on_one_word_is_no_agreement_beyond_chance(folder: Path) -> None:
    for who in ("ada", "bob"):
        label(folder, ["same"] * 4, who=who)
    (found,) = agreeing.agreement(folder)
    assert all(isinstance(one.value, Unknown) for one in found.coefficients)
    assert found.same == found.both == 4


# CSV --------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
WIDE = "\uff1d"  # an equals sign that some spreadsheets take for one
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", WIDE)
RISKY = st.builds(str.__add__, st.sampled_from([*FORMULA, "'=", "''-", "'"]), WORDS)
TEXT = st.one_of(WORDS, RISKY)
SOME = st.one_of(st.none(), TEXT.filter(bool))
CASES = st.builds(
    EvalCase,
    id=TEXT.filter(bool),
    input=TEXT,
    reference=st.one_of(
        st.none(), TEXT, st.lists(TEXT, max_size=2), st.integers(), st.booleans()
    ),
    contexts=st.lists(st.builds(model_evalset.CasePassage, text=TEXT), max_size=2).map(
        tuple
    ),
    conversation_id=SOME,
    tags=st.lists(TEXT, max_size=2).map(tuple),
    checks=st.lists(
        st.builds(CheckCall, scorer=st.just("contains"), of=TEXT), max_size=1
    ).map(tuple),
    split=st.sampled_from([None, "select", "report"]),
    weight=st.floats(1e-6, 1e6),
)


@pytest.mark.slow
@given(st.lists(CASES, min_size=1, max_size=4, unique_by=lambda one: one.id))
def test_a_set_goes_through_a_spreadsheet_and_back(
    tmp_path_factory: pytest.TempPathFactory, cases: list[EvalCase]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "set.csv"
    text = files_evalset.csv_text(cases)
    path.write_bytes(text.encode("utf-8"))
    assert files_evalset.read_csv(path) == tuple(cases)
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith(FORMULA) for cell in row)


def test_a_conversation_goes_through_a_spreadsheet_and_back(tmp_path: Path) -> None:
    turns = (
        model_evalset.CaseMessage(role="user", content="hi, you"),
        model_evalset.CaseMessage(role="assistant", content='"yes"'),
    )
    one = EvalCase(id="1", messages=turns)
    (tmp_path / "a.csv").write_text(files_evalset.csv_text([one]), encoding="utf-8")
    assert files_evalset.read_csv(tmp_path / "a.csv") == (one,)


ROWS = st.lists(
    st.fixed_dictionaries({"item": TEXT, "label": TEXT, "better": TEXT}), max_size=3
)


@given(ROWS)
def test_cells_go_through_a_file_and_back(tmp_path_factory: Any, rows: Sheet) -> None:
    """Commas, line ends, a lone carriage return and what a spreadsheet would run as a formula."""
    place = tmp_path_factory.mktemp("cells")
    columns = ("item", "label", "better")
    rows = [row for row in rows if any(row.values())]  # an empty row is none
    for name, text in (
        ("a.csv", files_evalset.table_csv(columns, rows)),
        ("a.jsonl", files_evalset.table_json_lines(columns, rows)),
    ):
        (place / name).write_bytes(text.encode())
        assert [row for _, row in files_evalset.read_table(place / name)] == rows


@pytest.mark.parametrize(
    "end", ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
)
@pytest.mark.parametrize("text", ["x{}=1+1", "{}=1+1", "{}{}@x", "-{}+1"])
def test_no_line_end_in_a_cell_begins_a_formula(end: str, text: str) -> None:
    """Also where a reader takes each sign of an end for one, as spreadsheets do."""
    cell = text.replace("{}", end)
    table = files_evalset.table_csv(["item", cell], [{"item": "1", cell: cell}])
    for lines in (io.StringIO(table), io.StringIO(table, newline="")):
        rows = list(csv.reader(lines))
        assert [len(row) for row in rows] == [2, 2]
        assert not any(value.lstrip()[0] in "=+-@" for row in rows for value in row)


@pytest.mark.parametrize(
    "answer", ["a, b", "two\nlines", "two\r\nlines", "=1+1", '"quoted"', "\ta"]
)
def test_a_label_comes_back_to_the_letter(folder: Path, answer: str) -> None:
    (row, *_) = export(folder)
    text = files_evalset.table_csv([*row], [{**row, "label": answer}])
    # as spreadsheets save it
    (folder / "back.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert run(["evalset", "import", str(folder / "back.csv"), str(folder)]) == 0
    assert values(folder, "ada") == [answer.strip()]


def test_a_table_made_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Input;Tags\nwhat is it;red; blue\n", encoding="utf-8")
    with pytest.raises(CaseError, match=r"a\.csv:2: has more cells"):
        files_evalset.read_csv(path)
    path.write_text(
        '\ufeffInput;Tags;reference\nwhat is it;"red; blue";\'tis so\n',
        encoding="utf-8",
    )
    assert files_evalset.read_csv(path) == (
        EvalCase(id="1", input="what is it", tags=("red", "blue"), reference="'tis so"),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("inputs\na\n", 'Did you mean "input"?'),
        ("id,input\n1,a\n1,b\n", "appears twice"),
        ("input,messages\na,{\n", "messages is not JSON"),
        ("input,reference_json\na,NaN\n", "a.csv:2: reference_json is not JSON"),
        ("input,reference_json\na,[1e999]\n", "a.csv:2: reference_json is not JSON"),
        (
            f"input,reference_json\na,{'[' * 900}{']' * 900}\n",
            "a.csv:2: is nested too deeply",
        ),
        ("input,split\na,test\n", "a.csv:2"),
        ("id\n1\n", "no input"),
        ('input\n"a\n', "not CSV"),
        ("input\n", "holds no case"),
        ("", "a.csv"),
    ],
)
def test_a_table_that_is_no_set_says_where(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        files_evalset.read_csv(path)
    assert says in str(caught.value)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_case_too_deep_to_be_exported_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    deep = f'{{"id": "7", "input": "a", "reference": {"[" * 300}{"]" * 300}}}\n'
    (folder / "eval.jsonl").write_text(deep, encoding="utf-8")
    assert run(["evalset", "export", str(folder), "--format", form]) == 2
    assert 'case "7": is nested too deeply. Flatten it' in capsys.readouterr().err


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_terminal_is_given_no_control_characters_and_a_pipe_is_given_all(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    strange = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202e\r\x7f"
    one = EvalCase(id="1", input=f"{strange}\t字\xa0é", reference=strange)
    (folder / "eval.jsonl").write_text(files_evalset.evalset_text([one]), "utf-8")
    asked = ["evalset", "export", str(folder), "--format", form]
    assert run(asked) == 0
    piped = capsys.readouterr().out
    whole = (
        files_evalset.csv_text([one])
        if form == "csv"
        else files_evalset.evalset_text([one])
    )
    assert piped == whole
    assert "\x9b" in piped
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run([*asked, "--output", str(folder / "out")]) == 0
    assert (folder / "out").read_bytes() == whole.encode()
    capsys.readouterr()
    assert run(asked) == 0
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\x07\x9b\u202e\r\x7f")
    assert r"\x9b2J\u202e" in shown
    assert "字\xa0é" in shown


def test_colours_of_a_report_reach_a_terminal_and_nothing_else_that_it_obeys(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    cli_options.deliver("\x1b[1;31mNo\x1b[0m — 5\u202f%\n\x1b[2J\x9b1m\x1b")
    assert (
        capsys.readouterr().out
        == "\x1b[1;31mNo\x1b[0m — 5\u202f%\n\\x1b[2J\\x9b1m\\x1b"
    )


def test_import_replaces_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evalset", "export", str(folder)]) == 0
    (folder / "eval.csv").write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["evalset", "import", str(folder / "eval.csv")]) == 2
    assert "exists" in capsys.readouterr().err
    target = folder / "again.jsonl"
    assert (
        run(["evalset", "import", str(folder / "eval.csv"), "--output", str(target)])
        == 0
    )
    assert "6 cases" in capsys.readouterr().out
    assert read_evalset(target) == read_evalset(folder / "eval.jsonl")
    assert json.loads(target.read_text("utf-8").splitlines()[0])["id"] == "c0"
