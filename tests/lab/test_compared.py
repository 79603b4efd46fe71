"""``verify --from``: two arms of results that are there, held against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.cli import run
from tuneworthy.intake import measure as workspace_measure
from tuneworthy.stats import compare as stats_compare

PASSES = [1] * 26 + [0] * 4  # of the new arm
BEFORE = [1] * 12 + [0] * 18


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, scores: list[Any], **more: Any) -> str:
    """Results as plain JSONL; a score of None is a call that failed."""
    lines = []
    for n, score in enumerate(scores):
        told = (
            {"error": "timeout"} if score is None else {"score": score, "output": "x"}
        )
        lines.append(
            {"case": f"c{n}", "input": f"question {n}", "model": "m", **told, **more}
        )
    Path(name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return name


def compared(
    capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> dict[str, Any]:
    assert run(["verify", *arguments, "--format", "json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def two(new: list[Any], old: list[Any]) -> list[str]:
    return ["--from", write("old.jsonl", old), "--from", write("new.jsonl", new)]


def test_the_second_of_two_files_is_held_against_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = compared(capsys, *two(PASSES, BEFORE))
    by_hand = stats_compare.paired_difference(PASSES, BEFORE, np.arange(30))
    assert by_hand is not None
    assert told["outcome"] == "improved"
    assert told["arm"]["value"] == pytest.approx(26 / 30)
    assert told["difference"] == pytest.approx(14 / 30)
    assert (told["low"], told["high"]) == pytest.approx((by_hand.low, by_hand.high))
    assert (told["n"], told["clusters"], told["matched_by"]) == (30, 30, "case")


@pytest.mark.parametrize(
    ("new", "old", "margin", "outcome", "code"),
    [
        (PASSES, BEFORE, "0", "improved", 0),
        (BEFORE, PASSES, "0", "regressed", 1),
        (PASSES, BEFORE, "0.9", "no_gain", 1),
        (BEFORE, BEFORE, "0", "too_few_cases", 3),
        (BEFORE * 10, BEFORE * 10, "-0.05", "no_worse", 0),
        (BEFORE, BEFORE, "-0.01", "too_few_cases", 3),
        (PASSES[:19], [0] * 19, "0", "too_few_cases", 3),
    ],
)
def test_the_exit_code_says_what_became_of_it(
    new: list[int], old: list[int], margin: str, outcome: str, code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    told = compared(capsys, *two(new, old), "--margin", margin, code=code)
    assert told["outcome"] == outcome


@pytest.mark.slow
@given(st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)), st.booleans())
def test_no_number_of_failed_or_missing_calls_makes_a_comparison(
    new: set[int], old: set[int], missing: bool
) -> None:
    """What failed may have been right or wrong: if one of the two ends is open, so is the whole."""

    def without(scores: list[int], lost: set[int]) -> list[Any]:
        return [None if n in lost else score for n, score in enumerate(scores)]

    told = two(without(PASSES, new), without(BEFORE, old))[1::2]
    if missing:  # no line at all
        for name in told:
            lines = Path(name).read_text("utf-8").splitlines(keepends=True)
            Path(name).write_text(
                "".join(one for one in lines if "error" not in one), "utf-8"
            )
    if len(new) == 30 or len(old) == 30 or new | old == set(range(30)):
        return
    report = workspace_measure.compare_results(told)
    filled = [
        stats_compare.paired_difference(
            [end if n in new else score for n, score in enumerate(PASSES)],
            [1 - end if n in old else score for n, score in enumerate(BEFORE)],
            np.arange(30),
        )
        for end in (0, 1)
    ]
    assert all(filled)
    if not new & old:
        assert report.contrast.low <= filled[0].low + 1e-9  # type: ignore[union-attr]  # there are cases
        assert report.contrast.high >= filled[1].high - 1e-9  # type: ignore[union-attr]  # there are cases


def test_what_one_lacks_counts_as_failed_unless_only_shared_cases_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = two([1] * 22, [1] * 12 + [0] * 10 + [1] * 18)
    told = compared(capsys, *files, code=3)
    assert (told["why"], told["lacking"]) == ("unanswered", {"arm": 18, "baseline": 0})
    told = compared(capsys, *files, "--shared")
    assert (told["outcome"], told["n"], told["lacking"]["arm"]) == ("improved", 22, 0)


def test_cases_of_a_document_are_no_independent_cases(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, scores in (("old.jsonl", BEFORE * 2), ("new.jsonl", PASSES * 2)):
        write(name, scores)
        lines = [
            json.loads(line) for line in Path(name).read_text("utf-8").splitlines()
        ]
        for n, line in enumerate(lines):
            line["group"] = f"document {n % 10}"
        Path(name).write_text(
            "".join(f"{json.dumps(line)}\n" for line in lines), "utf-8"
        )
    told = compared(capsys, "--from", "old.jsonl", "--from", "new.jsonl", code=3)
    assert (told["n"], told["clusters"], told["outcome"]) == (60, 10, "too_few_cases")
    assert told["difference"]["unknown"] is True


def test_without_names_of_cases_the_same_question_is_the_same_case(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("old.jsonl", BEFORE, case=None)
    write("new.jsonl", PASSES, case=None, model="other")
    told = compared(capsys, "--from", "old.jsonl", "--from", "new.jsonl")
    assert (told["matched_by"], told["arm"]["model"]) == ("input", "other")


def test_arms_of_one_file_are_named_by_a_part_of_their_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = ""
    for model, scores in (("small", BEFORE), ("large", PASSES), ("spare", BEFORE)):
        text += Path(write("one.jsonl", scores, model=model)).read_text("utf-8")
    Path("all.jsonl").write_text(text, "utf-8")
    told = compared(
        capsys, "--from", "all.jsonl", "--arm", "LARGE", "--baseline", "sma"
    )
    assert (told["outcome"], told["baseline"]["model"]) == ("improved", "small")
    for more, wrong in (
        ([], "holds 3 arms: small; large; spare"),
        (["--arm", "s"], '"s" is several arms'),
        (["--arm", "x"], '"x" is not an arm'),
        (["--arm", "small", "--baseline", "small"], "holds 3 arms"),
    ):
        assert run(["verify", "--from", "all.jsonl", *more]) == 2
        assert wrong in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--from", "one.jsonl"], "holds one arm"),
        (["--from", "one.jsonl", "--budget", "3"], "calls no model"),
        (["--arm", "m"], "is for existing results"),
        (["--margin", "-0.1"], "is for existing results"),
        (["--from", "one.jsonl", "--from", "apart.jsonl"], "has no score"),
        (["--from", "none.jsonl"], "none.jsonl"),
    ],
)
def test_a_wrong_input_is_one_line(
    arguments: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("one.jsonl", BEFORE)
    write("apart.jsonl", [None] * 30)
    assert run(["verify", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert wrong in err


def test_scores_of_different_scales_are_not_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for old, margin, wrong in (
        (0.8, "0", "one is scored from 0 to 1, the other beyond"),
        (60, "0.05", "a margin is a share of cases"),
    ):
        assert run(["verify", *two([80] * 30, [old] * 30), "--margin", margin]) == 2
        assert wrong in " ".join(capsys.readouterr().err.split())
    assert compared(capsys, *two([80] * 30, [60] * 30))["difference"] == pytest.approx(
        20
    )


def test_the_page_says_what_is_counted_and_what_isn_t_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["verify", *two([None] * 5 + PASSES[5:], BEFORE)]) == 3
    page = " ".join(capsys.readouterr().out.split())
    assert "Not judged: the interval includes the margin" in page
    assert "Five of 30 calls failed or have no score" in page
    assert "it is not evidence of a case" in page


def test_a_side_of_several_files_is_the_same_as_one_of_one_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = compared(capsys, *two(PASSES, BEFORE))
    for side in ("old", "new"):
        lines = Path(f"{side}.jsonl").read_text("utf-8").splitlines(keepends=True)
        Path(side).mkdir()
        for n in range(3):
            Path(side, f"{n}.jsonl").write_text(
                "".join(lines[n * 10 : n * 10 + 10]), "utf-8"
            )
    parts = compared(capsys, "--from", "old", "--from", "new/*.jsonl")
    assert [parts[one]["prompt"] for one in ("arm", "baseline")] == [
        "new/*.jsonl",
        "old",
    ]
    for told in (whole, parts):
        for name in ("arm", "baseline"):
            told[name].pop("prompt")
    assert parts == whole


def test_files_of_three_sides_that_name_no_arm_are_told_apart_how(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sides = [("--from", write(f"{side}.jsonl", BEFORE)) for side in "abc"]
    assert run(["verify", *(each for pair in sides for each in pair)]) == 2
    err = capsys.readouterr().err
    assert "second --from" not in err
    assert "put each side into one file" in err
