"""Commands that the page can do itself: a text with such a command gets a link."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from tuneworthy.errors import argument
from tuneworthy.report.html import escape_invisible
from tuneworthy.report.named import name_fields


class Page(NamedTuple):
    """The place on the page that does a command's work."""

    at: str  #: Behind the address of the case.
    says: str  #: The text on its button.


PAGES = {
    "answer": Page("interview?ask=targets.quality.at_least", "State it"),
    "ceiling": Page("lab", "Open the lab"),
    "retrieve": Page("lab?kind=retrieve", "Open the lab"),
    "pilot": Page("lab?kind=pilot", "Open the lab"),
    "evalset": Page("label", "Label cases"),
    "measure": Page("files", "Add files"),
    "data": Page("files", "Add files"),
    "show": Page("plan", "See the plan"),
}  #: By the first word of a step's command.

_COMMAND = re.compile(r"tuneworthy (\w+)(?: \S+ ([a-z_0-9.]+)=)?")
"""The command's verb, and the key that ``tuneworthy answer CASE key=value`` answers."""
_CASE_OF_COMMAND = re.compile(r"\b(tuneworthy(?: [\w-]+)+) CASE\b")
_ONLY_AS_A_STEP = ("answer", "show")
"""Commands whose page is that of a step, and not of every text that has the command."""


def find_page(command: str) -> Page | None:
    """The place on the page that does the command in a text; None without one."""
    for verb, key in _COMMAND.findall(command):
        if verb == "answer" and key:
            return Page(f"interview?{urlencode({'ask': key})}", "Answer it")
        if verb in PAGES and verb not in _ONLY_AS_A_STEP:
            return PAGES[verb]
    return None


@pass_context
def said_on_page(context: Context, text: str) -> Markup:
    """A sentence, escaped, with a link for a command that a page of the case can do.

    The command stays beside the link, as a report or a colleague may mention it.
    """
    page = find_page(text)
    name = context.get("name")
    if name:  # so that the command can be copied
        folder = argument(name)
        # only inside a command, because people write of cases, too
        text = _CASE_OF_COMMAND.sub(lambda match: f"{match[1]} {folder}", text)
    safe = escape(escape_invisible(name_fields(text)))
    base = context.get("base")
    if base is None or page is None:  # the list of cases has no pages of a case
        return safe
    link = Markup(' <a class="does" href="{base}/{page.at}">{page.says}</a>')
    return safe + link.format(base=base, page=page)
