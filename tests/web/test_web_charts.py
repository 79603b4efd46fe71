"""Charts on the page: the report's own pictures, each at an address of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from altair import LayerChart
from starlette.testclient import TestClient

from hostile import PAYLOADS
from tuneworthy.cases import judging as cases_judging
from tuneworthy.model import lab as model_lab
from tuneworthy.report import charts
from tuneworthy.report import document as report_document
from tuneworthy.report import html as report_html
from web_world import Seen, a_client, a_site, with_examples

HOME = "/cases/task-api"
SHAPES = {"svg", "g", "path", "rect", "line", "text", "tspan", "circle", "style"}


@pytest.fixture
def client(tmp_path: Path, project: Path) -> TestClient:
    return a_client(a_site(with_examples(tmp_path / "shelf", project, "task-api")))


@pytest.fixture
def dossier(client: TestClient) -> Any:
    app: Any = client.app
    return app.state.site.workspace.evaluated("task-api").dossier


@pytest.mark.slow
def test_every_picture_of_the_report_is_served_as_the_report_draws_it(
    client: TestClient, dossier: Any
) -> None:
    found = report_document.pictures(dossier)
    assert {"fan", "gantt"} <= set(found)
    for name, picture in found.items():
        for width in ("wide", "narrow"):
            answer = client.get(f"{HOME}/charts/{name}.svg?width={width}")
            narrow = width == "narrow"
            assert answer.text == report_html.still(picture.drawing, narrow=narrow)
            pixels = charts.NARROW if narrow else charts.WIDE
            # checked against the grammar
            LayerChart.from_dict({**picture.drawing.spec(pixels), "config": {}})


@pytest.mark.slow
def test_a_page_has_a_picture_with_its_words_and_a_table_for_each_chart(
    client: TestClient,
) -> None:
    named = set()
    for tab in ("/options", "/money", "/plan"):
        text = client.get(f"{HOME}{tab}").text
        pictures = Seen(text).all("img")
        for picture in pictures:
            assert picture["alt"]
            address = picture["src"] or ""
            served = client.get(address)
            assert served.headers["content-type"].startswith("image/svg+xml")
            named.add(address.rpartition("/")[2])
        figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
        assert len(figures) == len(pictures)
        assert all("<table" in figure for figure in figures)
    assert named >= {"fan.svg", "gantt.svg"}


def test_a_chart_is_sent_once_and_again_when_it_has_changed(
    client: TestClient, tmp_path: Path
) -> None:
    address = f"{HOME}/charts/fan.svg"
    first = client.get(address)
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get(address, headers=known).status_code == 304
    folder = tmp_path / "shelf" / "task-api"
    cases_judging.write(folder, {"economics.monthly.api_savings_usd": "9000"})
    again = client.get(address, headers=known)
    assert again.status_code == 200
    assert again.text != first.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["nothing.svg", "fan", "fan.png", ".svg", "..%2F..%2Fcase.yaml", "fan.svg%00"],
)
def test_what_is_no_chart_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"{HOME}/charts/{name}").status_code in (404, 422)
    assert client.get(f"{HOME}/charts/fan.svg?width=huge").status_code == 422


def test_a_still_picture_runs_nothing_and_loads_nothing(client: TestClient) -> None:
    answer = client.get(f"{HOME}/charts/fan.svg")
    root = ET.fromstring(answer.text)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= SHAPES
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "url(" not in answer.text


def test_a_still_picture_has_the_colours_of_the_page_in_the_dark() -> None:
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", report_html.style(), re.DOTALL)[:2]
    )
    for one, other in report_html.DARK.items():
        (name,) = [key for key, value in light.items() if value == one]
        assert dark[name] == other


def arm(
    name: str, value: float | None, dropped: int | None = None
) -> model_lab.ArmResult:
    quality: Any = {"unknown": True, "ask": "run it"}
    if value is not None:
        quality = {
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "n": 9,
            "clusters": 9,
        }
    unknown = {"unknown": True, "ask": "x"}
    return model_lab.ArmResult.model_validate(
        {"arm": {"id": name, "kind": "prompt"}, "quality": quality, "usd_per_case": unknown,
         "latency_p95_s": unknown, "dropped_after": dropped}
    )  # fmt: skip


def data_of(drawing: charts.Drawing | None) -> list[dict[str, Any]]:
    assert drawing is not None
    spec = drawing.spec(charts.WIDE)
    own = [layer["data"]["values"] for layer in spec["layer"] if "data" in layer]
    return [row for rows in (spec["data"]["values"], *own) for row in rows]


def test_the_board_draws_every_arm_that_ran_and_the_target() -> None:
    found = [arm("a", 0.9), arm("b", 0.5, 20), arm("c", None)]
    rows = data_of(charts.board(found, 0.75))
    drawn = {row["title"]: row for row in rows if "title" in row}
    assert set(drawn) == {"a", "b"}
    assert (drawn["a"]["low"], drawn["a"]["high"]) == pytest.approx((0.8, 1.0))
    assert (drawn["a"]["look"], drawn["b"]["look"]) == ("met", "open")
    assert {"at": 0.75} in rows
    assert {"at": 0.75} not in data_of(charts.board(found, None))
    assert charts.board([arm("c", None)], 0.9) is None


@pytest.mark.slow
def test_a_hostile_name_is_a_text_of_the_picture() -> None:
    drawing = charts.board([arm(name[:200], 0.5) for name in PAYLOADS], 0.9)
    assert drawing is not None
    root = ET.fromstring(drawing.svg(charts.WIDE))
    assert {element.tag for element in root.iter()} <= SHAPES
    for element in root.iter():
        assert not [name for name in element.attrib if name.startswith("on")]


def test_a_layer_without_a_mark_is_left_out() -> None:
    """The renderer would complain that the scale of it has no end."""
    months: list[Any] = [
        {"month": n, "p10": -1.0, "all": 0.0, "p90": 1.0} for n in range(3)
    ]
    back: list[Any] = [{"month": 2, "back": "stated"}]
    for rows, shown in (
        (months, {"p10", "all"}),
        (months + back, {"p10", "all", "back"}),
    ):
        layers = charts.Drawing("fan", rows).spec(charts.WIDE)["layer"]
        filters = [
            step["filter"] for one in layers for step in one.get("transform", ())
        ]
        assert set(filters) == {f"isValid(datum.{name})" for name in shown}
