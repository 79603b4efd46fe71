"""A folder of cases: found by name, and nothing outside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import CaseError
from tuneworthy.cases import workspace as workspace_module


def a_case(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "case.yaml").write_text("name: one\n", "utf-8")
    return folder


def test_cases_are_listed_by_name_and_what_is_none_is_not(tmp_path: Path) -> None:
    a_case(tmp_path / "b")
    a_case(tmp_path / "a case (2)")
    a_case(tmp_path / ".hidden")
    (tmp_path / "empty").mkdir()
    assert workspace_module.CaseDirectory(tmp_path).names() == ("a case (2)", "b")


def test_a_case_folder_is_a_shelf_of_one(tmp_path: Path) -> None:
    alone = workspace_module.CaseDirectory(a_case(tmp_path / "one"))
    assert alone.names() == ("one",)
    assert alone.path("one") == tmp_path / "one"
    with pytest.raises(CaseError):
        alone.path("two")
    with pytest.raises(CaseError):
        alone.new_path("two")


def test_a_link_that_leads_out_is_no_case(tmp_path: Path) -> None:
    a_case(tmp_path / "outside")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "link").symlink_to(tmp_path / "outside")
    assert workspace_module.CaseDirectory(shelf).names() == ()
    with pytest.raises(CaseError):
        workspace_module.CaseDirectory(shelf).path("link")


def test_a_case_file_that_is_a_link_out_of_the_folder_is_no_case(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("name: theirs\n", "utf-8")
    shelf = a_case(tmp_path / "shelf" / "one").parent
    (shelf / "two").mkdir()
    (shelf / "two" / "case.yaml").symlink_to(outside)
    (shelf / "three").mkdir()
    (shelf / "three" / "case.yaml").symlink_to(shelf / "one" / "case.yaml")
    assert workspace_module.CaseDirectory(shelf).names() == ("one", "three")
    with pytest.raises(CaseError):
        workspace_module.CaseDirectory(shelf).path("two")


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "../outside", "a/b", "/etc", "a\0b", "case.yaml", "~", "x" * 300],
)
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    a_case(tmp_path / "outside")
    shelf = a_case(tmp_path / "shelf" / "one").parent
    with pytest.raises(CaseError):
        workspace_module.CaseDirectory(shelf).path(name)


@given(st.text(max_size=40))
def test_whatever_is_asked_for_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "inside"
    for found in (
        workspace_module.CaseDirectory(folder).path,
        workspace_module.CaseDirectory(folder).new_path,
    ):
        try:
            path = found(name)
        except CaseError:
            continue
        assert path.parent == folder
        assert path.name == name
