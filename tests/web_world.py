"""A server over a few cases, as its tests see it."""

from __future__ import annotations

import json
import shutil
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.web.app import make_app
from tuneworthy.web.guard import Site

DAY = date(2026, 11, 24)
HOME = "http://127.0.0.1:8765"
OPEN_CASE = """\
# what the team knows
name: Warehouse helper
factors:
  brand_voice: no  # asked twice
"""


def a_shelf(folder: Path, **texts: str) -> Path:
    """A folder of cases with these texts; underscores in their names become hyphens."""
    for name, text in texts.items():
        place = folder / name.replace("_", "-")
        place.mkdir(parents=True)
        (place / "case.yaml").write_text(text, "utf-8")
    return folder


def with_examples(folder: Path, project: Path, *names: str) -> Path:
    """A folder with copies of cases of the gallery."""
    for name in names:
        shutil.copytree(project / "examples" / name, folder / name)
    return folder


def a_site(folder: Path, token: str | None = None) -> Site:
    """A site over a folder, as of a fixed day."""
    return Site(Workspace(open_directory(folder), DAY), token=token)


def a_client(site: Site) -> TestClient:
    """A browser without scripts, at the server's own address."""
    return TestClient(make_app(site), base_url=HOME, follow_redirects=False)


def all_routes(client: TestClient) -> list[APIRoute]:
    """Every route, those of included routers too."""
    found: list[APIRoute] = []
    left = list(client.app.routes)  # type: ignore[attr-defined]  # FastAPI's own
    while left:
        one = left.pop()
        if isinstance(one, APIRoute):
            found.append(one)
        inner = getattr(one, "original_router", None) or getattr(one, "router", None)
        left += getattr(inner, "routes", [])
    return found


def hostile_text(told: object) -> str:
    """A mapping as a case file."""
    return json.dumps(told)


class Seen(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All of it, blanks as one."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def hidden(self, name: str) -> str:
        """The value of a hidden field, the same in every form that has it."""
        found = {
            one.get("value") or ""
            for one in self.all("input")
            if one.get("name") == name
        }
        assert len(found) == 1, found
        return found.pop()

    def checked(self) -> dict[str, str]:
        """The answers as the page shows them."""
        return {
            one["name"] or "": one["value"] or ""
            for one in self.all("input")
            if one.get("type") == "radio" and "checked" in one
        }
