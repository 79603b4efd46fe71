"""The page in a real browser: nothing leaves, nothing runs, everybody can read it.

It takes Chromium and the extra ``browser``. With ``TUNEWORTHY_BROWSER=required`` a browser that is
missing is a failure and no skip.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest

from hostile import dossier, squeezed
from made_up import full
from tuneworthy import decide, load_case
from tuneworthy.cli import run
from tuneworthy.pipeline import framework_of
from tuneworthy.report.document import html

NO_BROWSER = "there is no Chromium, or the extra browser is not installed"
ROOT = Path(__file__).parents[2]
ADDRESS = "http://report.test/"
CASES = ("task-api", "energy-supplier", "travel-concierge", "credit-memos")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium() -> str | None:
    """Where the browser is, if there is one."""
    names = (
        os.environ.get("CHROMIUM", ""),
        "chromium",
        "chromium-browser",
        "google-chrome",
    )
    return next((path for name in names if name and (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser with an empty profile of its own."""
    path = chromium()
    if (
        path is None
        or not find_spec("playwright")
        or not find_spec("axe_playwright_python")
    ):
        if os.environ.get("TUNEWORTHY_BROWSER") == "required":
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


class Watched:
    """A page that is watched: what it asks for, which dialogs it opens, what it complains of."""

    def __init__(
        self, browser: Any, text: str, *, width: int = 1000, scheme: str = "light"
    ) -> None:
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._dialog)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.route("**/*", lambda route: self._answer(route, text))
        self.page.goto(ADDRESS, wait_until="load")

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _answer(self, route: Any, text: str) -> None:
        if route.request.url == ADDRESS:
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        else:
            route.abort()

    def ask(self, code: str) -> Any:
        """What an expression comes to in the page; the page's own policy doesn't bind us."""
        return self.page.evaluate(code)

    def unfold(self) -> None:
        """Open everything that opens."""
        self.ask("document.querySelectorAll('details').forEach(one => one.open = true)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Pages of the gallery, one with every section, and the hostile one."""
    found = {}
    for name in CASES:
        case = load_case(ROOT / "examples" / name)
        decided = decide(case, framework_of(case), as_of=date(2026, 11, 24))
        found[name] = html(decided)
        if name == "task-api":
            found["full"] = html(full(decided))
    found["hostile"] = html(full(dossier()[0], "<img src=x onerror=alert(0)> "))
    return found


ALL = (*CASES, "full", "hostile")


@pytest.mark.slow
def test_the_watch_sees_what_an_unsafe_page_does(browser: Any) -> None:
    unsafe = (
        "<!DOCTYPE html><script>window.hit=1;alert('seen')</script>"
        "<img src='https://evil.test/a.png'><svg onload='window.hit=2'></svg>"
    )
    with Watched(browser, unsafe) as watched:
        assert watched.dialogs == ["seen"]
        assert "https://evil.test/a.png" in watched.requests
        assert watched.ask("window.hit") == 2
        assert watched.complaints != []


@pytest.mark.slow
def test_a_hostile_case_is_shown_and_does_nothing(
    browser: Any, pages: dict[str, str]
) -> None:
    with Watched(browser, pages["hostile"]) as watched:
        watched.unfold()
        for target in watched.page.query_selector_all("summary, a, td, th, li, dd")[
            :400
        ]:
            target.dispatch_event("mouseover")
            target.dispatch_event("focus")
        watched.page.wait_for_timeout(200)
        assert watched.requests == [ADDRESS]
        assert watched.dialogs == []
        assert watched.complaints == []
        assert watched.ask("window.hit") is None
        assert watched.page.url == ADDRESS
        text = squeezed(watched.ask("document.body.innerText"))
        attacks = dossier()[1][:-1]  # the model's name gives way to made-up prices
        assert [attack for attack in attacks if squeezed(attack) not in text] == []
        own = "document.querySelector('script[type=module]').textContent"
        assert (
            watched.ask(own)
            == (ROOT / "src/tuneworthy/report/templates/page.js").read_text()
        )
        refused = "iframe, object, embed, form, button, base, img, image, foreignObject"
        refused += ", script:not([type=module])"
        assert watched.ask(f"document.querySelectorAll('{refused}').length") == 0
        assert watched.ask("getComputedStyle(document.body).display") == "block"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_an_audit_finds_no_barrier(
    browser: Any, pages: dict[str, str], name: str, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with Watched(browser, pages[name], scheme=scheme) as watched:
        watched.unfold()
        found = Axe().run(watched.page)
        barriers = [
            (one["id"], one["nodes"][0]["html"][:200])
            for one in found.response["violations"]
        ]
        assert barriers == [], json.dumps(barriers, indent=1)
        assert len(found.response["passes"]) > 20
        assert watched.requests == [ADDRESS]


@pytest.mark.slow
def test_the_dark_page_is_dark_and_its_pictures_too(
    browser: Any, pages: dict[str, str]
) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        with Watched(browser, pages["full"], scheme=scheme) as watched:
            paper = watched.ask("getComputedStyle(document.body).backgroundColor")
            label = watched.ask(
                "getComputedStyle(document.querySelector('svg text[fill=\"#1d2329\"]')).fill"
            )
            bar = watched.ask(
                "getComputedStyle(document.querySelector('svg [fill=\"#14609f\"]')).fill"
            )
            seen[scheme] = [
                sum(map(int, re.findall(r"\d+", c)[:3])) for c in (paper, label, bar)
            ]
    light, dark = seen["light"], seen["dark"]
    assert light[0] - dark[0] > 600
    assert dark[1] - light[1] > 500
    assert light[2] < dark[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_telephone_never_scrolls_sideways(
    browser: Any, pages: dict[str, str], name: str
) -> None:
    with Watched(browser, pages[name], width=360) as watched:
        watched.unfold()
        assert watched.ask("document.documentElement.scrollWidth") <= 360
        shown = watched.ask(
            "[...document.querySelectorAll('svg:not(.glyph)')]"
            ".filter(s => s.getBoundingClientRect().width).map(s => s.getAttribute('class'))"
        )
        assert set(shown) == {"narrow"}
        smallest = watched.ask(
            "Math.min(...[...document.querySelectorAll('svg.narrow text')]"
            ".filter(t => t.textContent).map(t => t.getBoundingClientRect().height))"
        )
        assert smallest >= 11


@pytest.mark.slow
@pytest.mark.parametrize("width", [700, 710, 900, 1600])
def test_no_width_scrolls_sideways(
    browser: Any, pages: dict[str, str], width: int
) -> None:
    for name in ("full", "hostile"):
        with Watched(browser, pages[name], width=width) as watched:
            watched.unfold()
            assert watched.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Any, pages: dict[str, str]
) -> None:
    here = "document.activeElement"
    with Watched(browser, pages["task-api"]) as watched:
        watched.page.keyboard.press("Tab")
        assert watched.ask(f"{here}.className") == "skip"
        assert watched.ask(f"{here}.getBoundingClientRect().left") >= 0
        watched.page.keyboard.press("Enter")
        assert watched.ask(f"{here}.id") == "report"
    with Watched(browser, pages["task-api"]) as watched:
        every = watched.ask(
            "[...document.querySelectorAll('a[href]:not([tabindex=\"-1\"]), summary')]"
            ".filter(one => one.checkVisibility({visibilityProperty: true})).length"
        )
        seen = 0
        for _ in range(every + 1):
            watched.page.keyboard.press("Tab")
            if watched.ask(f"{here} === document.body"):
                break
            seen += 1
            assert watched.ask(f"getComputedStyle({here}).outlineStyle") == "solid"
        assert seen == every > 15


@pytest.mark.slow
def test_a_fold_opens_by_the_keyboard(browser: Any, pages: dict[str, str]) -> None:
    with Watched(browser, pages["task-api"]) as watched:
        watched.page.focus("summary")
        assert watched.ask("document.activeElement.parentElement.open") is False
        watched.page.keyboard.press("Enter")
        assert watched.ask("document.activeElement.parentElement.open") is True


@pytest.mark.slow
def test_a_link_opens_what_it_leads_into_and_a_broken_one_is_no_error(
    browser: Any, pages: dict[str, str]
) -> None:
    to = "document.querySelector('#answers')"
    with Watched(browser, pages["task-api"]) as watched:
        watched.ask("location.hash = '#%'")
        assert watched.ask(f"{to}.checkVisibility()") is False
        watched.ask(f"location.hash = {to}.id")
        watched.page.wait_for_function(f"{to}.checkVisibility()")
        assert watched.complaints == []


@pytest.mark.slow
def test_what_is_closed_is_open_while_it_is_printed(
    browser: Any, pages: dict[str, str]
) -> None:
    closed = "document.querySelectorAll('.whole:not([open])').length"
    with Watched(browser, pages["task-api"]) as watched:
        before = watched.ask(closed)
        watched.ask(f"addEventListener('beforeprint', () => window.left = {closed})")
        watched.page.pdf()
        assert (watched.ask("window.left"), watched.ask(closed)) == (0, before)
        assert before > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_paper_gets_the_memo_on_a_page_of_its_own_and_what_is_open_in_light_colours(
    browser: Any, pages: dict[str, str], name: str
) -> None:
    with Watched(browser, pages[name], scheme="dark") as watched:
        paper = watched.page.pdf(prefer_css_page_size=True)
        sheets = re.findall(rb"/Type\s*/Page\b(?!s)", paper)
        assert paper.startswith(b"%PDF")
        assert 4 <= len(sheets) <= (9 if name in CASES else 40)
        assert {*re.findall(rb"/MediaBox\s*\[\s*0 0 (\d+)", paper)} <= {b"594", b"595"}
        watched.page.emulate_media(media="print")
        assert watched.ask("getComputedStyle(document.body).color") == "rgb(29, 35, 41)"
        closed = "[...document.querySelectorAll('.whole:not([open]) > div')]"
        assert watched.ask(
            f"{closed}.every(one => one.checkVisibility() || one.id === 'words')"
        )
        inner = "[...document.querySelectorAll('details:not(.whole)')]"
        shown = f"{inner}.filter(one => one.checkVisibility()).length"
        assert watched.ask(shown) == 0
        watched.page.evaluate("document.querySelector('.whole details').open = true")
        assert watched.ask(shown) == 1
        assert (
            watched.ask(
                "getComputedStyle(document.querySelector('.summary')).breakAfter"
            )
            == "page"
        )
        assert watched.ask("document.documentElement.scrollWidth") <= 1000


@pytest.mark.slow
def test_the_command_prints_the_report_and_its_memo_alone(
    browser: Any, tmp_path: Path
) -> None:
    case, kept = str(ROOT / "examples" / "task-api"), tmp_path / "report.pdf"
    for more, most in (([], 9), (["--short"], 1)):
        written = ["--format", "pdf", *more, "--output", str(kept), "--force"]
        assert run(["decide", case, "--as-of", "2026-11-24", *written]) == 0
        paper = kept.read_bytes()
        assert paper.startswith(b"%PDF")
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) <= most
