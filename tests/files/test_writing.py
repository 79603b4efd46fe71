"""Writing: what isn't ours stays, a file is whole or not there, and nothing is left over."""

from __future__ import annotations

import errno
import io
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuneworthy import CaseError, load_case
from tuneworthy.cli import run
from tuneworthy.files import case as files_case
from tuneworthy.interview import questions as interview_questions
from tuneworthy.pipeline import framework_of
from tuneworthy.syntax import edit as syntax_edit
from tuneworthy.syntax.document import parse

GALLERY = Path(__file__).resolve().parents[2] / "examples"
SLUGS = sorted(path.parent.name for path in GALLERY.glob("*/case.yaml"))
TASK_API = GALLERY / "task-api"
ROOT_WRITES_ANYWHERE = (
    "the user who runs the tests may write into a folder that is read-only"
)
KILLS = 20
BRAND_VOICE: tuple[str, ...] = ("factors", "brand_voice")
LOW_VOLUME: tuple[str, ...] = ("factors", "low_volume")
LAW = settings(suppress_health_check=[HealthCheck.too_slow])


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def tuneworthy(*arguments: str | Path) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


def refused(*arguments: str | Path) -> Said:
    """Run a command that has to end in 2 with one line."""
    said = tuneworthy(*arguments)
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "an internal error" not in said.err
    return said


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden things too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(autouse=True, scope="module")
def _plain() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        patch.delenv("TUNEWORTHY_TRACEBACK", raising=False)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the worked example's case."""
    inside = tmp_path / "case"
    inside.mkdir()
    (inside / "case.yaml").write_bytes((TASK_API / "case.yaml").read_bytes())
    return inside


# What is not ours.


def changed_lines(before: str, after: str) -> list[str]:
    """Lines that are gone, new or different, byte for byte and with their endings."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found = []
    for kind, i, j, k, m in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            found += old[i:j] + new[k:m]
    return found


def with_answers(data: Any, answers: dict[tuple[str, ...], str]) -> Any:
    """Parsed data as they should be after the answers."""
    for path, value in answers.items():
        here = data
        for key in path[:-1]:
            if here.get(key) is None:
                here[key] = {}
            here = here[key]
        if isinstance(here.get(path[-1]), dict):
            here[path[-1]]["value"] = value
        else:
            here[path[-1]] = value
    return data


@cache
def gallery_text(slug: str) -> str:
    return (GALLERY / slug / "case.yaml").read_bytes().decode()


@cache
def asked(slug: str) -> list[tuple[str, ...]]:
    """Places of every check, factor and signal that the case's framework asks."""
    framework = framework_of(load_case(GALLERY / slug))
    every = [*framework.ceiling, *framework.factors, *framework.signals]
    return [
        interview_questions.answer_path(name, framework, by_id=True)
        for name in dict.fromkeys(every)
    ]


def plain(text: str) -> Any:
    return parse(text, "case.yaml", CaseError).data


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
@settings(LAW, max_examples=settings().max_examples // 4)  # of 25 files each
@given(st.data())
def test_only_the_lines_of_the_answers_change(slug: str, data: st.DataObject) -> None:
    """Comments, order and every other byte stay; what is read afterwards is what was answered."""
    before = gallery_text(slug)
    places = data.draw(
        st.lists(st.sampled_from(asked(slug)), min_size=1, max_size=4, unique=True)
    )
    answers = {
        place: data.draw(st.sampled_from(["yes", "no", "unknown"])) for place in places
    }
    after = syntax_edit.edit(before, answers, "case.yaml", CaseError)
    assert plain(after) == with_answers(plain(before), answers)
    present = plain(before)
    new = {
        section for section, name in places if name not in (present.get(section) or {})
    }
    # a new answer may join a mapping on one line
    mine = {place[-1] for place in places} | new
    if any(isinstance((present.get(s) or {}).get(name), dict) for s, name in places):
        mine.add("value:")  # the answer of a mapping that is written over several lines
    for line in changed_lines(before, after):
        assert any(name in line for name in mine), line
    for comment in (
        line for line in before.splitlines() if line.lstrip().startswith("#")
    ):
        assert comment in after.splitlines()


@pytest.mark.parametrize("slug", SLUGS)
def test_an_answer_given_again_changes_not_a_byte(slug: str) -> None:
    before = gallery_text(slug)
    stated = {}
    for place in asked(slug):
        said = (plain(before).get(place[0]) or {}).get(place[1])
        value = said.get("value") if isinstance(said, dict) else said
        if value is not None:
            stated[place] = value
    assert stated or slug == "first-idea"
    assert syntax_edit.edit(before, stated, "case.yaml", CaseError) == before


BY_HAND = {
    "endings of another system": (
        "name: x\r\n# c\r\nfactors:\r\n  brand_voice: no\r\n  low_volume: no\r\n"
    ),
    "a byte order mark": "\ufeffname: x\nfactors: {brand_voice: no}\n",
    "no last line break": "description: d\nname: x\nfactors:\n  brand_voice: no\ngoals: []",
    "columns": "name:   x\nfactors:\n    low_volume:    no   # c\n    brand_voice:   no   # d\n",
    "a flow mapping over lines": "name: x\nfactors: {\n  brand_voice: no,\n  low_volume: no,\n}\n",
    "a flow mapping with blanks": (
        "name: x\nfactors: { brand_voice: no }\ngoals: [ format,persona ]\n"
    ),
    "commas at the end": "name: x\nfactors: {brand_voice: no}\ngoals: [format, persona,]\n",
    "a list over lines": "name: x\nfactors: {brand_voice: no}\nmodels: [{id: a},\n  {id: b}]\n",
    "nothing, written out": (
        "name: x\ntargets: ~\ntoday: null\nsafety:\nfactors: {brand_voice: no}\n"
    ),
    "mixed indentation": (
        "name: x\nfactors:\n    brand_voice: no\nceiling:\n  few_shot: no\n"
        "attempts:\n- name: a\n  ceiling:\n      few_shot: no\n-   name: b\n"
    ),
    "lists that are not indented": (
        "name: x\ngoals:\n- format\n- persona\nfactors:\n  brand_voice: no\n"
    ),
    "lists that are indented": "name: x\ngoals:\n    - format\nfactors:\n  brand_voice: no\n",
    "a block": "name: x\ndescription: |\n   a\n    b\n\n   c\n\n\nfactors:\n  brand_voice: no\n",
    "a folded block": "name: x\ndescription: >-\n  a\n  b\n\n  c\nfactors:\n  brand_voice: no\n",
    "text over lines": "name: x\ndescription: a\n  b\n  c\nfactors:\n  brand_voice: no\n",
    "quotes": (
        "name: \"x\\t\\u00e9\"\ndescription: 'it''s\n  folded'\nfactors:\n  'brand_voice': \"no\"\n"
    ),
    "a start and an end": "---\nname: x\nfactors:\n  brand_voice: no\n...\n",
    "a directive": "%YAML 1.1\n---\nname: x\nfactors:\n  brand_voice: no\n  low_volume: no\n",
    "a tab before a comment": "name: x\t# c\nfactors:\n  brand_voice: no\t# d\n",
    "comments everywhere": (
        "# a\nname: x  # b\nfactors:\n      # deep\n  brand_voice: no   # d\n   # odd\n"
        "  low_volume: no\n# tail\n  # tail\n"
    ),
    "empty lines": "\n\nname: x\n\n\nfactors:\n\n  brand_voice: no\n\n\n  low_volume: no\n\n\n",
    "blanks at ends": "name: x  \nfactors:  \n  brand_voice: no  \n  low_volume: no  \n",
    "keys with a question mark": "? name\n: x\nfactors:\n  brand_voice: no\n",
    "days": "name: 2026-11-24\ndescription: 2026-02-30\nfactors: {brand_voice: no}\n",
    "numbers": (
        "name: 0x10\ndescription: 1_000\neconomics: {hourly_rate_usd: 1.50, monthly: "
        "{api_savings_usd: .5, quality_value_usd: 010, ongoing_usd: 1e2}}\n"
        "factors: {brand_voice: no}\n"
    ),
    "wide signs": "name: 🙂漢\ndescription: e\u0301\nfactors:\n  brand_voice: no\n",
    "a long line": f"name: x\ndescription: {'word ' * 300}end\nfactors:\n  brand_voice: no\n",
    "a long quote": f'name: x\ndescription: "{"word " * 300}"\nfactors:\n  brand_voice: no\n',
    "a note": "name: x\nfactors:\n  brand_voice: {value: no, note: n, now: yes}   # c\n",
    "a note over lines": (
        "name: x\nfactors:\n  brand_voice:\n    note: n\n    value: no   # brand_voice\n"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_HAND)
def test_a_file_written_by_hand_keeps_its_hand(name: str, tmp_path: Path) -> None:
    """One answer changes one line, whatever the style of the rest."""
    path = tmp_path / "case.yaml"
    before = BY_HAND[name].encode()
    path.write_bytes(before)
    said = tuneworthy("answer", path, "brand_voice=yes")
    assert said.code == 0, said.err
    after = path.read_bytes()
    text = [data.decode("utf-8-sig") for data in (before, after)]
    assert plain(text[1]) == with_answers(
        plain(text[0]), {("factors", "brand_voice"): "yes"}
    )
    lines = changed_lines(*(data.decode() for data in (before, after)))
    assert len(lines) == 2, lines
    assert all("brand_voice" in line for line in lines), lines
    old, new = lines
    assert old.partition("#")[1:] == new.partition("#")[1:]
    assert len(old) - len(old.lstrip()) == len(new) - len(new.lstrip())


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    ["no", "Off", "null", "~", "0x10", "010", "1_000", "1e3", "1.50", "+5", "1:30", "2026-11-24",
     "2026-02-30", "2026-11-24 10:00:00", "true", "<<", "=", "- a", "a: b", "a #b", "#a", "'", '"',
     "[a]", "{a: b}", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "? a", "漢字", "🙂", "a\tb",
     "\\n", "a\\", "yes, no", "---", "...", ".inf", ".nan", "x" * 200],
)  # fmt: skip
def test_a_text_is_read_back_as_it_was_answered(value: str, folder: Path) -> None:
    said = tuneworthy("answer", folder, f"name={value}")
    assert said.code == 0, said.err
    assert load_case(folder).name == value


@LAW
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40
    )
)
def test_any_text_is_read_back_as_it_was_answered(value: str) -> None:
    if value.strip():
        after = syntax_edit.edit(
            gallery_text("task-api"), {("description",): value}, "case.yaml", CaseError
        )
        assert plain(after)["description"] == value
        lines = changed_lines(gallery_text("task-api"), after)
        assert len(lines) == 2
        assert all(line.startswith("description: ") for line in lines)


def test_a_section_that_is_missing_is_added_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("# mine\nname: x   # so called\n", encoding="utf-8")
    assert (
        tuneworthy("answer", tmp_path, "brand_voice=yes", "prompt_variations=5").code
        == 0
    )
    after = path.read_text("utf-8")
    assert after.startswith("# mine\nname: x   # so called\n")
    assert plain(after) == {
        "name": "x", "factors": {"brand_voice": "yes"}, "ceiling": {"prompt_variations": "5"}
    }  # fmt: skip


def test_what_makes_no_case_is_not_written(folder: Path) -> None:
    before = (folder / "case.yaml").read_bytes()
    for argument in ("brand_voice=maybe", "nothing=yes", "name=", "name.x=1", "few_shot=3",
                     "economics.hourly_rate_usd=-1", "brand_voice", "framework=../x"):  # fmt: skip
        refused("answer", folder, argument)
        refused("answer", folder, "low_volume=yes", argument)
        assert (folder / "case.yaml").read_bytes() == before
        assert names(folder) == ["case.yaml"]


def test_a_broken_case_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    for data in (
        b"",
        b"name: x\nname: y\n",
        b"name: &a x\n",
        b"\xff\xfe",
        b"- a\n",
        b"name: [\n",
    ):
        path.write_bytes(data)
        refused("answer", tmp_path, "brand_voice=yes")
        assert path.read_bytes() == data
        assert names(tmp_path) == ["case.yaml"]


# Whole or not at all.

WRITER = """
import os, sys
from pathlib import Path
from tuneworthy.files.disk import write_over
path = Path(sys.argv[1])
texts = [path.read_text("utf-8").replace("start", word) for word in ("even", "odd")]
for _ in sys.stdin:
    child = os.fork()
    while not child:
        for text in texts:
            write_over(path, text)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_file_is_whole_after_a_kill_at_any_moment(folder: Path) -> None:
    path = folder / "case.yaml"
    start = "name: start\n" + "# start\n" * 100_000  # long enough to be caught half-way
    path.write_text(start, encoding="utf-8")
    allowed = {start.replace("start", word) for word in ("start", "even", "odd")}
    chance = random.Random(1)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdin is not None
        assert writer.stdout is not None
        for _ in range(KILLS):
            writer.stdin.write("go\n")
            writer.stdin.flush()
            child = int(writer.stdout.readline())
            time.sleep(chance.uniform(0.0, 0.1))
            # a child that this test's own process started
            os.kill(child, signal.SIGKILL)
            assert writer.stdout.readline() == "ended\n"
            assert path.read_text("utf-8") in allowed
        writer.stdin.close()
    # it was replaced, so the kills had something to hit
    assert path.read_text("utf-8") != start
    assert load_case(folder).name in ("even", "odd")
    for left in folder.glob(".*"):
        left.unlink()
    assert tuneworthy("answer", folder, "brand_voice=no").code == 0
    assert names(folder) == ["case.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("call", ["tempfile.mkstemp", "os.fsync", "os.replace"])
def test_a_disk_that_refuses_is_an_error_with_nothing_changed(
    call: str, number: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    before = (folder / "case.yaml").read_bytes()
    monkeypatch.setattr(call, failing)
    output = folder / "report.md"
    for said in (
        refused("answer", folder, "brand_voice=no"),
        refused("decide", folder, "--output", output),
        refused("init", folder / "new"),
    ):
        assert os.strerror(number) in said.err
        assert ("Make room" in said.err) == (number == errno.ENOSPC)
    assert (folder / "case.yaml").read_bytes() == before
    assert [name for name in names(folder) if name != "new"] == ["case.yaml"]


def test_a_demo_that_fits_no_disk_is_told_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfile", full)
    said = refused("demo", "--to", tmp_path / "desk")
    assert said.err.endswith("can't be written (No space left on device). Make room\n")
    assert names(tmp_path) == []


def test_an_interrupt_while_writing_leaves_the_file_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    before = (folder / "case.yaml").read_bytes()
    monkeypatch.setattr("os.fsync", interrupted)
    said = tuneworthy("answer", folder, "brand_voice=no")
    assert (said.code, said.out) == (3, "")
    assert (folder / "case.yaml").read_bytes() == before
    assert names(folder) == ["case.yaml"]


@pytest.mark.parametrize("command", ["answer", "decide", "init"])
def test_a_folder_that_may_not_be_written_to_is_an_error(
    command: str, folder: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip(ROOT_WRITES_ANYWHERE)
    before = names(folder)
    folder.chmod(0o500)
    try:
        refused(*{
            "answer": ("answer", folder, "brand_voice=no"),
            "decide": ("decide", folder, "--output", folder / "x.md"),
            "init": ("init", folder / "new"),
        }[command])  # fmt: skip
    finally:
        folder.chmod(0o700)
    assert names(folder) == before


# Nothing left over, and modes.


@pytest.mark.slow
def test_normal_runs_leave_nothing_but_what_they_were_asked_for(folder: Path) -> None:
    for arguments in (
        ("decide", folder), ("show", folder), ("answer", folder, "brand_voice=no"),
        ("decide", folder, "--format", "json"), ("framework", "check"), ("framework", "schema"),
    ):  # fmt: skip
        assert tuneworthy(*arguments).code == 0
        assert names(folder) == ["case.yaml"]
    assert tuneworthy("decide", folder, "--output", folder / "r" / "a.md").code == 0
    assert names(folder) == ["case.yaml", "r", "r/a.md"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o444])
def test_a_file_keeps_its_mode(mode: int, folder: Path) -> None:
    path, report = folder / "case.yaml", folder / "report.md"
    report.write_text("old\n", encoding="utf-8")
    for each in (path, report):
        each.chmod(mode)
    assert tuneworthy("answer", folder, "brand_voice=no").code == 0
    assert tuneworthy("decide", folder, "--output", report, "--force").code == 0
    assert report.read_text("utf-8") != "old\n"
    for each in (path, report):
        assert stat.S_IMODE(each.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)]
)
def test_a_new_file_has_the_mode_the_user_wants_for_new_files(
    mask: int, mode: int, folder: Path
) -> None:
    before = os.umask(mask)
    try:
        assert tuneworthy("decide", folder, "--output", folder / "a.md").code == 0
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "a.md").stat().st_mode) == mode


# Links.


def test_an_answer_goes_through_a_link_to_the_file_behind_it(
    folder: Path, tmp_path: Path
) -> None:
    """A team may keep its case elsewhere and link to it: the link stays, its file is edited."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    aim = elsewhere / "ours.yaml"
    (folder / "case.yaml").rename(aim)
    aim.chmod(0o640)
    (folder / "case.yaml").symlink_to(aim)
    assert tuneworthy("answer", folder, "brand_voice=no").code == 0
    assert (folder / "case.yaml").is_symlink()
    assert load_case(folder).factors["brand_voice"].value == "no"
    assert load_case(aim).factors["brand_voice"].value == "no"
    assert stat.S_IMODE(aim.stat().st_mode) == 0o640
    assert names(folder) == ["case.yaml"]
    assert names(elsewhere) == ["ours.yaml"]


def test_an_output_never_writes_through_a_link(folder: Path, tmp_path: Path) -> None:
    """Whoever can put a link into a folder must not choose which file of ours is overwritten."""
    aim = tmp_path / "precious.txt"
    aim.write_text("precious\n", encoding="utf-8")
    link = folder / "report.md"
    link.symlink_to(aim)
    assert "exists already" in refused("decide", folder, "--output", link).err
    assert tuneworthy("decide", folder, "--output", link, "--force").code == 0
    assert aim.read_text("utf-8") == "precious\n"
    assert not link.is_symlink()


# Outputs and beginnings.


def test_an_output_replaces_nothing_unless_forced(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.md"
    assert (
        tuneworthy("decide", folder, "--output", output, "--as-of", "2026-11-24").out
        == ""
    )
    first = output.read_bytes()
    assert first
    said = refused("decide", folder, "--output", output, "--as-of", "2026-11-25")
    assert said.err == f"{output}: exists already. Use --force to replace it\n"
    assert output.read_bytes() == first
    later = ("--output", output, "--as-of", "2026-11-25", "--force")
    assert tuneworthy("decide", folder, *later).code == 0
    assert output.read_bytes() != first


@pytest.mark.slow
def test_an_output_is_written_when_the_requirement_is_not_met(
    folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.md"
    said = tuneworthy("decide", folder, "--require", "yes", "--output", output)
    assert (said.code, said.out) == (1, "")
    assert output.read_text("utf-8")


def test_a_wrong_case_writes_no_output(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "report.md"
    refused("decide", folder, "--set", "brand_voice=maybe", "--output", output)
    assert not output.parent.exists()


@pytest.mark.slow
def test_a_beginning_replaces_nothing(tmp_path: Path) -> None:
    assert tuneworthy("init", tmp_path).code == 0
    assert names(tmp_path) == ["case.schema.json", "case.yaml"]
    begun = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    assert "exists already" in refused("init", tmp_path).err
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == begun


@pytest.mark.slow
@pytest.mark.parametrize("name", ["case.yaml", "case.schema.json"])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_a_beginning_is_whole_or_not_at_all(
    name: str, kind: str, tmp_path: Path
) -> None:
    """Where one of its two files can't be made, the other isn't made either."""
    inside = tmp_path / "case"
    inside.mkdir()
    aim = tmp_path / "aim"
    if kind == "file":
        (inside / name).write_text("mine\n", encoding="utf-8")
    elif kind == "folder":
        (inside / name).mkdir()
    else:
        (inside / name).symlink_to(aim)
        if kind == "link":
            aim.write_text("mine\n", encoding="utf-8")
    said = refused("init", inside)
    assert str(inside / name) in said.err
    assert names(inside) == [name]
    assert aim.exists() == (kind == "link")


def test_a_beginning_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("mine\n", encoding="utf-8")
    refused("init", tmp_path / "plain")
    refused("init", tmp_path / "plain" / "below")
    assert (tmp_path / "plain").read_text("utf-8") == "mine\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["no", "a: b", "#", "漢字 🙂", "\x1b[31m", 'it\'s "so"', "x" * 200]
)
def test_a_beginning_is_a_case_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    assert tuneworthy("init", tmp_path / "new", "--name", name).code == 0
    assert tuneworthy("decide", tmp_path / "new").code == 0


def test_a_name_that_makes_no_case_begins_nothing(tmp_path: Path) -> None:
    refused("init", tmp_path / "new", "--name", "x" * 201)
    assert names(tmp_path) == []


@pytest.mark.slow
def test_a_beginning_in_a_folder_with_a_long_name_is_a_case(tmp_path: Path) -> None:
    inside = tmp_path / ("x" * 230)
    assert tuneworthy("init", inside).code == 0
    assert tuneworthy("decide", inside).code == 0


# Compare and set.


def test_an_answer_to_a_file_that_changed_meanwhile_is_refused(folder: Path) -> None:
    path = folder / "case.yaml"
    seen = files_case.text_digest(path.read_text("utf-8"))
    answers = {BRAND_VOICE: "no"}
    assert (
        files_case.write_answers(folder, answers, read_digest=seen)
        .case.factors["brand_voice"]
        .value
        == "no"
    )
    now = path.read_bytes()
    with pytest.raises(CaseError, match="was changed by somebody else meanwhile"):
        files_case.write_answers(folder, {LOW_VOLUME: "yes"}, read_digest=seen)
    assert path.read_bytes() == now
    path.write_bytes(now + b"# theirs\n")
    with pytest.raises(CaseError, match="was changed by somebody else meanwhile"):
        files_case.write_answers(
            folder, answers, read_digest=files_case.text_digest(now.decode())
        )
    assert path.read_bytes() == now + b"# theirs\n"
    assert names(folder) == ["case.yaml"]


def test_every_byte_counts_for_the_digest() -> None:
    text = gallery_text("task-api")
    assert files_case.text_digest(text) == files_case.text_digest(text)
    assert (
        len(
            {
                files_case.text_digest(t)
                for t in (text, text + "\n", text.replace(":", ": ", 1), "")
            }
        )
        == 4
    )
