"""Files that are only ever added to: nothing whole is lost, and nothing of anybody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.cli import run
from tuneworthy.files import stores as files_stores

LINES = st.lists(
    st.dictionaries(st.text(max_size=4), st.integers(), min_size=1), max_size=4
)


@pytest.mark.slow
@given(LINES, st.data())
def test_a_file_cut_anywhere_keeps_its_whole_lines_and_takes_the_next(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[dict[str, int]],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("cut") / "x.jsonl"
    written = "".join(json.dumps(one) + "\n" for one in before).encode()
    cut = data.draw(st.integers(0, len(written)))
    path.write_bytes(written[:cut])
    whole = [
        json.loads(line)
        for line in files_stores.whole_lines(written[:cut].decode())
        if line
    ]
    ends = [n for n in range(len(written)) if written[n : n + 1] == b"\n"]
    assert whole == before[: sum(end <= cut for end in ends)]
    files_stores.append_line(path, b'{"new": 1}\n', sync=False)
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert found == [*whole, {"new": 1}]


def test_a_file_that_is_a_link_or_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes, without an end", "utf-8")
    link = tmp_path / "x.jsonl"
    link.symlink_to(notes)
    for path in (link, notes):
        with pytest.raises(OSError, match=r"link|not one of ours"):
            files_stores.append_line(path, b"{}\n")
    assert notes.read_text("utf-8") == "my notes, without an end"


@pytest.mark.slow
def test_a_link_in_the_place_of_the_ledger_is_one_plain_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, notes = tmp_path / "case", tmp_path / "case" / "notes.txt"
    (case / ".tuneworthy").mkdir(parents=True)
    (case / "case.yaml").write_text("name: a\n", "utf-8")
    (tmp_path / "t.jsonl").write_text('{"output": "x", "input": "y"}\n', "utf-8")
    notes.write_text("", "utf-8")
    (case / ".tuneworthy" / "evidence.jsonl").symlink_to("../notes.txt")
    assert run(["measure", str(case), "--from", str(tmp_path / "t.jsonl")]) == 2
    assert "can't be written (it is a link)" in capsys.readouterr().err
    assert notes.read_text("utf-8") == ""
