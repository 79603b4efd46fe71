"""The page as text: one file, nothing from outside, escaped, well formed, complete."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from hostile import HIDDEN, dossier, squeezed
from made_up import full
from tuneworthy import Dossier, InputError, decide, load_case
from tuneworthy.cases.reports import render
from tuneworthy.cli import run
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model.base import Unknown
from tuneworthy.pipeline import framework_of
from tuneworthy.report import charts as outlook_charts
from tuneworthy.report import charts as report_charts
from tuneworthy.report import document as report_document
from tuneworthy.report import html as report_html
from tuneworthy.report.document import html
from tuneworthy.report.named import name_fields

DAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/case.yaml"))
STYLE = (ROOT / "src/tuneworthy/report/templates/style.css").read_text("utf-8")
SCRIPT = (ROOT / "src/tuneworthy/report/templates/page.js").read_text("utf-8")
HEAD = re.compile(r'(@top-left { content: ")[^"]*(")')


def without_head(style: str) -> str:
    """The style of a page with the place of its running head as in the package."""
    return HEAD.sub(r"\1RUNNING-HEAD\2", style, count=1)


MOST_BYTES = 1_500_000
VOID = {"meta", "link", "br", "img", "hr", "input"}
LOADS = {
    "src",
    "srcset",
    "href",
    "xlink:href",
    "action",
    "formaction",
    "data",
    "poster",
}
LOADS |= {"background", "cite", "ping", "manifest", "srcdoc"}


def decided(name: str) -> Dossier:
    """A gallery case decided on a fixed day."""
    case = load_case(ROOT / "examples" / name)
    return decide(case, framework_of(case), as_of=DAY)


class Page(HTMLParser):
    """What a page is made of; it complains about tags that don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def ids(self) -> list[str]:
        """Every id, in order."""
        return [str(found["id"]) for _, found in self.tags if "id" in found]

    @property
    def text(self) -> str:
        """All text, as it reads."""
        return "".join(self.texts)


@cache
def made(name: str) -> str:
    """The page of a gallery case, of one with every section, of a hostile one."""
    if name == "full":
        return html(full(decided("task-api")))
    if name == "hostile":
        return html(full(dossier()[0]))
    return html(decided(name))


KINDS = (
    *("task-api", "energy-supplier", "travel-concierge", "credit-memos", "first-idea"),
    *(
        "hospital-letters",
        "insurance-claims",
        "ecommerce-returns",
        "hotel-voice",
        "museum-guide",
    ),
)
"""Gallery cases of every outcome and action."""
ALL = (*KINDS, "full", "hostile")


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_page_loads_and_sends_nothing_and_runs_its_own_script(name: str) -> None:
    page = Page(made(name))
    tags = Counter(tag for tag, _ in page.tags)
    refused = {"iframe", "object", "embed", "form", "base", "a:href", "image", "use"}
    assert refused & set(tags) == set()
    assert (
        tags["style"]
        == tags["main"]
        == tags["h1"]
        == tags["link"]
        == tags["script"]
        == 1
    )
    assert made(name).index("<title>") < made(name).index("<body>")
    for tag, attributes in page.tags:
        assert not any(key.startswith("on") or key == "style" for key in attributes), (
            tag,
        )
        # a link to go to loads nothing until one goes
        if tag == "a" and "rel" in attributes:
            assert re.match(r"https?://[!-~]+$", str(attributes.pop("href")))
            assert attributes["rel"] == "noopener noreferrer nofollow"
        for key in set(attributes) & LOADS:
            assert re.match(r"#[\w.-]+$|data:,$", str(attributes[key])), (
                tag,
                attributes,
            )


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_page_is_well_formed_and_in_order(name: str) -> None:
    page = Page(made(name))
    assert [one for one, many in Counter(page.ids()).items() if many > 1] == []
    for _, attributes in page.tags:
        if str(attributes.get("href", "")).startswith("#"):
            assert str(attributes["href"])[1:] in page.ids()
        for reference in str(attributes.get("aria-labelledby", "")).split():
            assert reference in page.ids()
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(found.get("scope") in ("col", "row") for found in page.all("th"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_picture_has_words_and_a_table(name: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", made(name), re.DOTALL)
    assert len(figures) == made(name).count("<figure") >= 1
    for figure in figures:
        labelled = re.findall(r'role="(?:img|group)" aria-label="[^"]', figure)
        assert figure.count("<svg ") == len(labelled) == 2
        assert figure.count("<table") == 1
        assert figure.count("<tr") > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_the_policy_allows_the_pages_own_style_and_nothing_else(name: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", made(name), re.DOTALL)
    assert without_head(style[0]) == STYLE
    script = re.findall(r'<script type="module">(.*?)</script>', made(name), re.DOTALL)
    assert script == [SCRIPT]
    digest, run = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style[0], script[0])
    )
    metas = Page(made(name)).all("meta")
    policy = [
        m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = (
        f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'sha256-{run}'; "
    )
    assert policy == [allowed + "img-src data:; base-uri 'none'; form-action 'none'"]
    # before anything could load
    assert metas[1].get("http-equiv") == "Content-Security-Policy"
    assert "url(" not in STYLE
    assert "@import" not in STYLE


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_page_is_small_and_always_the_same(name: str) -> None:
    assert len(made(name).encode()) < MOST_BYTES
    if name in KINDS:
        assert html(decided(name)) == made(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_page_says_what_the_dossier_says(name: str) -> None:
    found, page = decided(name), Page(made(name))
    text = squeezed(page.text)
    wanted = [
        found.case.name,
        found.verdict.because,
        found.case.digest,
        found.framework.digest,
    ]
    wanted += [one.says for one in found.challenges] + [
        one.settle for one in found.challenges
    ]
    wanted += [factor.note for factor in found.factors.values()]
    wanted += [factor.ask for factor in found.factors.values()]
    wanted += [question.ask for question in found.next_questions]
    for section in ("recommendation", "investment", "plan", "evidence"):
        value = getattr(found, section)
        if isinstance(value, Unknown) and section != "recommendation":
            wanted.append(value.ask)
    for one in wanted:
        assert squeezed(name_fields(one)).lower() in text.lower()
    assert (
        re.findall(
            r"\bNone\b(?! of)|\bnan\b|\binf\b|Unknown\(|\bundefined\b", page.text
        )
        == []
    )


@pytest.mark.slow
def test_every_section_is_there_with_its_numbers() -> None:
    page = Page(made("full"))
    sections = ["why", "change", "fit", "ways", "money", "how", "plan", "answers"]
    assert [name for name in page.ids() if name in sections] == sections
    for words in (
        "38%",
        "22%",
        "$14,200",
        "83,400 requests",
        "30 Nov 2026",
        "8 weeks",
        "0.93 (0.90–0.96)",
    ):
        assert words in page.text
    pictures = re.findall(r'<figure aria-labelledby="(\w+)-title"', made("full"))
    assert pictures == ["scored", "fan", "gantt"]


@pytest.mark.slow
def test_a_picture_is_left_out_where_its_section_is_unknown() -> None:
    found = full(decided("task-api"))
    assert isinstance(found.investment, model_dossier.InvestmentResult)
    unknown = Unknown(ask="count first")
    money = found.investment.model_copy(
        update={"simulation": unknown, "computed": unknown}
    )
    bare = found.model_copy(
        update={"ways": found.ways[:1], "plan": unknown, "investment": money}
    )
    text = html(bare)
    assert "<figure" not in text
    assert text.count("To find out: count first") == 3


@pytest.mark.slow
def test_an_open_verdict_says_where_it_can_go_without_a_percentage() -> None:
    text = made("first-idea")
    assert "t say yet." in text
    assert "Nothing is answered yet." in text
    assert 'aria-labelledby="reach-title"' not in text


@pytest.mark.slow
def test_hostile_text_is_shown_and_does_nothing() -> None:
    found, attacks = dossier()
    page = Page(html(full(found, "<script>alert(0)</script> ")))
    text = squeezed(page.text + Page(html(found)).text)
    assert len(attacks) > 60
    missing = [attack for attack in attacks if squeezed(attack) not in text]
    assert missing == []
    assert page.text.count("<script>alert(0)</script>") > 20
    assert page.text.count("4321*2") > 10
    assert "8642" not in page.text


@pytest.mark.slow
def test_what_hides_or_turns_text_is_shown_as_an_escape() -> None:
    found, _ = dossier()
    text = html(found)
    assert not any(
        sign in text for sign in "\u202e\u202c\u2066\u2069\ufeff\u200b\x1b\x07"
    )
    assert "\\u202etxt.exe\\u202c" in text
    assert report_html.escape_invisible("a\nb\u200dc") == "a\nb\u200dc"
    assert report_html.escape_invisible(HIDDEN + "\ud800").isprintable()  # type: ignore[attr-defined]  # text stays text


@pytest.mark.slow
def test_every_colour_of_a_picture_has_its_place_in_the_style() -> None:
    drawn = "".join(
        re.findall(r"<svg .*?</svg>", made("full") + made("energy-supplier"))
    )
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {
        "none",
        "transparent",
    }
    assert len(used) >= 6
    for colour in used:
        assert f'svg [fill="{colour}"]' in STYLE
        assert f'svg [stroke="{colour}"]' in STYLE
    for element in re.findall(r"<(\w+)", drawn):
        assert element in {
            "svg",
            "g",
            "path",
            "rect",
            "line",
            "text",
            "tspan",
        }
    assert ' id="' not in drawn


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, as WCAG defines it."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_the_paper(scheme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme]))
    for name in ("ink", "muted", "pro", "con"):
        for ground in ("paper", "soft", "warn"):
            assert contrast(found[name], found[ground]) >= 4.5, (name, ground)
    assert contrast(found["open"], found["paper"]) >= 3
    assert contrast(found["pro"], found["band"]) >= 3


def test_a_picture_shows_the_numbers_it_is_given() -> None:
    found = full(decided("task-api"))
    assert not isinstance(found.plan, Unknown)
    later = found.plan.model_copy(update={"phases": found.plan.phases[:3]})
    assert outlook_charts.gantt(found.plan) != outlook_charts.gantt(later)
    assert outlook_charts.gantt(found.plan.model_copy(update={"phases": ()})) is None
    assert outlook_charts.ways(found.ways[:1], 0.9) is None


def test_labels_are_short_and_no_two_alike() -> None:
    found = report_charts.labels(["a\nb", "a b", "x" * 500, "x" * 501, "", "\x00"])
    assert found[:2] == ["a b", "a b (2)"]
    assert max(map(len, found)) <= 104
    assert len(set(found)) == 6
    assert all(label.isprintable() for label in found)


@pytest.mark.slow
def test_a_plan_reads_the_same_in_every_time_zone() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from made_up import plan\nfrom tuneworthy.report.charts import gantt\n"
        "drawing = gantt(plan(''))\nprint(drawing.svg(760), drawing.svg(320))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "TZ": zone},
            capture_output=True, text=True, check=True,
        ).stdout
        for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles")
    }  # fmt: skip
    assert len(said) == 1
    assert "Dec" in said.pop()


@pytest.mark.parametrize("missing", ["jinja2", "vl_convert"])
def test_without_the_extra_one_line_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in sys.modules if n.startswith("tuneworthy.report.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [n for n in sys.modules if n.startswith("tuneworthy.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r'pip install "\.\[report\]"'):
        html(decided("task-api"))
    assert run(["decide", str(ROOT / "examples/task-api"), "--format", "html"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


@pytest.mark.slow
def test_the_command_writes_the_page_it_would_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = [
        "decide",
        str(ROOT / "examples/task-api"),
        "--as-of",
        "2026-11-24",
        "--format",
        "html",
    ]
    assert run([*case, "--output", str(tmp_path / "report.html")]) == 0
    assert capsys.readouterr().out == ""
    written = (tmp_path / "report.html").read_text("utf-8")
    assert run(case) == 0
    assert capsys.readouterr().out == written == render(decided("task-api"), "html")


MEMO = (
    "What to do now", "What it costs", "Decide on", "Does tuning pay back?",
    "What would change the answer", "How sure that is", "Owner", "Approver", "Review on",
)  # fmt: skip


@pytest.mark.slow
def test_a_memo_says_what_is_asked_when_to_stop_and_who_signs(tmp_path: Path) -> None:
    case = tmp_path / "case.yaml"
    case.write_text(
        (ROOT / "examples/task-api/case.yaml").read_text("utf-8")
        + "decision: {owner: Ada Own, approver: Max Pay, review_on: 2027-03-01}\n",
        encoding="utf-8",
    )
    blank, named = decided("task-api"), load_case(case)
    memo = Page(html(blank, short=True))
    assert [words for words in MEMO if words not in memo.text] == []
    text = squeezed(memo.text)
    assert (
        squeezed(
            "$4,125–$7,825, 41–78 hours of work included, up to the decision on Mon 21 Dec 2026."
        )
        in text
    )
    assert squeezed("Stop if not.") in text
    assert len(memo.all("table")) == 1
    assert memo.all("details") == []
    assert len(html(blank, short=True)) < len(made("task-api")) / 4
    assert "proposed: 24 Feb 2027" in memo.text
    signed = html(decide(named, framework_of(named), as_of=DAY), short=True)
    assert all(words in signed for words in ("Ada Own", "Max Pay", "1 Mar 2027"))
    assert "proposed:" not in signed


def test_a_review_is_not_proposed_before_the_plan_has_it_decided(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slowly = ["--set", "economics.hours_per_week=2", "--format", "markdown"]
    assert (
        run(
            [
                "decide",
                str(ROOT / "examples/task-api"),
                "--as-of",
                "2026-11-24",
                *slowly,
            ]
        )
        == 0
    )
    text = capsys.readouterr().out
    (until,) = re.findall(r"up to the decision on [A-Z][a-z]+ (.*? 20\d\d)\.", text)
    assert f"| Review on | proposed: {until} |" in text
    assert until not in ("", "24 Feb 2027")


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("exit 3", "didn't print"),
        ("exec sleep 60", "didn't print"),
        ("echo no", "didn't print"),
    ],
)
def test_a_browser_that_doesn_t_print_is_an_error_of_one_line(
    does: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    browser, kept = tmp_path / "browser", tmp_path / "report.pdf"
    browser.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    browser.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(browser))
    monkeypatch.setattr(report_html, "_PRINTING_S", 0.5)
    asked = ["decide", str(ROOT / "examples/first-idea"), "--short", "--format", "pdf"]
    assert run([*asked, "--output", str(kept)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not kept.exists()


@pytest.mark.slow
def test_a_browser_gets_no_key_and_a_profile_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, seen, page = (tmp_path / name for name in ("browser", "seen", "page.html"))
    made = (
        'for one in "$@"; do case $one in --print-to-pdf=*) printf %%PDF > ${one#*=};; '
        f"file:*) cp ${{one#file://}} {page};; esac; done"
    )
    browser.write_text(
        f"#!/bin/sh\n(env; echo $@) > {seen}\n{made}\n", encoding="utf-8"
    )
    browser.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(browser))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    asked = ["decide", str(ROOT / "examples/first-idea"), "--format", "pdf"]
    assert run([*asked, "--output", str(tmp_path / "report.pdf")]) == 0
    told = seen.read_text("utf-8")
    assert "sk-secret" not in told
    assert "--user-data-dir=" in told
    assert str(Path.home()) not in re.findall(r"^HOME=(.*)", told, re.MULTILINE)
    # older browsers print nothing that is closed: it opens
    assert SCRIPT in page.read_text("utf-8")


def test_without_a_browser_the_print_style_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", "")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(report_html, "_MAC", "nowhere")
    asked = ["decide", str(ROOT / "examples/first-idea"), "--format", "pdf"]
    assert run([*asked, "--output", str(tmp_path / "report.pdf")]) == 2
    assert "or print the page that --format html writes" in capsys.readouterr().err
    for wrong in (asked, ["decide", asked[1], "--short"]):
        assert run(wrong) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_cure_that_was_tried_before_is_named_in_memo_and_page() -> None:
    """It stands for no way of the table, and both ended in an internal error."""
    case = {
        "name": "Helpline chat",
        "targets": {"quality": {"at_least": 0.97}},
        "today": {"cases": 200, "quality": 0.7, "retrieval_recall": 0.5},
    }
    loaded = load_case(case)
    dossier = decide(loaded, framework_of(loaded), as_of=DAY)
    assert "better retrieval" in report_document.markdown(dossier, short=True)
    assert "better retrieval" in html(dossier)


def test_a_path_in_a_command_stays_as_it_has_to_be_typed() -> None:
    command = "tuneworthy answer my-case targets.quality.at_least=0.9"
    assert name_fields(command) == command
    assert name_fields("state targets.quality.at_least") == "state quality wanted"
