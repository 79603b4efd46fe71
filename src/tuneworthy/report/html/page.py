"""The page put together: sections into markup, with the style inside and nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tuneworthy.domain.dossier import Dossier
from tuneworthy.report.html import ahead, money, others, record, verdict
from tuneworthy.report.html.blocks import Facts, Page, Picture, Section
from tuneworthy.report.html.values import day
from tuneworthy.report.plain import WHAT_IT_IS, plain_headline

_HARMLESS = frozenset("\n\u200c\u200d")
"""A line break, and the two joiners that some scripts and emoji need."""


def rendered(dossier: Dossier) -> str:
    """The dossier as a whole HTML document."""
    css = style()
    return _environment().get_template("page.html").render(
        page=_page(dossier), style=Markup(css), policy=policy(css)  # noqa: S704  # our own file
    )  # fmt: skip


def _page(dossier: Dossier) -> Page:
    parts = tuple(sections(dossier))
    there = {section.id for section in parts}
    facts = (
        fact if fact.link in there else replace(fact, link="")
        for fact in verdict.key_facts(dossier).rows
    )
    by = f"By the {dossier.framework.name} framework, as of {day(dossier.as_of)}."
    return Page(
        name=dossier.case.name,
        headline=plain_headline(dossier),
        byline=by,
        lead=(WHAT_IT_IS,),
        facts=Facts(tuple(facts), "key"),
        warning=verdict.warning(dossier),
        sections=parts,
        record=record.lines(dossier),
    )


def sections(dossier: Dossier) -> list[Section]:
    """The report's sections in their order, those that have something to say."""
    if dossier.quick is not None:
        return [verdict.why(dossier), record.answers(dossier), record.glossary()]
    found = [
        verdict.why(dossier),
        verdict.sure(dossier),
        verdict.change(dossier),
        verdict.fit(dossier),
        ahead.options(dossier),
        money.investment(dossier),
        ahead.approaches(dossier),
        ahead.plan(dossier),
        others.others(dossier),
        record.answers(dossier),
        record.attempts(dossier),
        record.rules(dossier),
        record.glossary(),
    ]
    return [section for section in found if section is not None]


def policy(css: str) -> str:
    """Nothing may be loaded, run or sent; the only style is the page's own, known by its digest."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def shown(value: object) -> object:
    """Text with everything visible: what can hide or turn text around stands there as an escape."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        c
        if c.isprintable() or c in _HARMLESS
        else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in value
    )


def picture(block: Picture, label: str) -> Markup:
    """Both widths of a drawing, each with its label; the style shows the one that fits."""
    escaped = str(Markup.escape(label))
    return Markup("").join(  # the drawing is our own renderer's, cleaned; the label is escaped
        Markup(text.replace("<svg ", f'<svg class="{name}" role="img" aria-label="{escaped}" ', 1))  # noqa: S704  # see above
        for name, text in (("wide", block.drawing.wide), ("narrow", block.drawing.narrow))
    )


@cache
def _environment() -> Environment:
    return environment({"page.html": _file("page.html")})


def environment(templates: Mapping[str, str]) -> Environment:
    """Templates that escape everything, show what would hide, and know the report's blocks.

    Args:
        templates: Name to text; ``blocks.html`` is there already.
    """
    made = Environment(
        loader=DictLoader({"blocks.html": _file("blocks.html"), **templates}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["picture"] = picture
    made.globals["touch"] = (
        False  # a file shows all at once; a page may fold where numbers are from
    )
    return made


def style() -> str:
    """The style of the blocks, and of the page that is a file."""
    return _file("style.css")


def _file(name: str) -> str:
    return files("tuneworthy.report.html").joinpath("templates", name).read_text(encoding="utf-8")
