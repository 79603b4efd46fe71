"""What ``tuneworthy options`` prints, and the options of the Markdown report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.outlook import Helps, OptionResult, Recommendation
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.services import Service, Services
from tuneworthy.report.layout import Paint, safe, wrapped
from tuneworthy.report.markdown import md
from tuneworthy.report.options.shown import HEAD, asks, cells, matter, rows, says
from tuneworthy.report.words import few, listing, plain, sentence


def options_text(
    dossier: Dossier, framework: Framework, *, case_path: str, everything: bool, colour: bool
) -> str:
    """The options for a terminal: five or all of them, then the recommendation.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint = Paint(colour)
    name, found = safe(dossier.case.name), dossier.options
    if isinstance(found, Unknown):
        return "\n".join(wrapped(f"{name}: no options; {safe(found.ask)}.")) + "\n"
    shown = found if everything else matter(found)
    head = f"{name}: of {few(len(found))} options {_counts(found)}."
    blocks = [
        [paint("strong", line) for line in wrapped(head, rest="  ")],
        rows(shown, {one.id: safe(one.title) for one in found}),
    ]
    if everything:
        blocks.append(_steps_text(framework, found))
    else:
        command = f"tuneworthy options {safe(case_path)}".rstrip()
        blocks.append(wrapped(f"{few(len(found) - len(shown)).capitalize()} more: {command} --all"))
    if isinstance(dossier.recommendation, Recommendation):
        told = wrapped(says(dossier.recommendation, found), first="  ")
        blocks.append([paint("strong", "Recommendation"), *told])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _counts(found: Sequence[OptionResult]) -> str:
    """How many help, help in part, don't, and are unknown; kinds that have none are left out."""
    many = Counter(one.helps for one in found)
    are = "is" if many["unknown"] == 1 else "are"
    words: dict[Helps, str] = {
        "yes": "would help",
        "partly": "would help in part",
        "no": "would not",
        "unknown": f"{are} unknown",
    }
    if len(many) == 1 and len(found) > 1:
        return f"all {words[found[0].helps]}"
    return listing([f"{few(many[one])} {says}" for one, says in words.items() if many[one]])


def _steps_text(framework: Framework, found: Sequence[OptionResult]) -> list[str]:
    split = next((one for one in found if one.id == "decomposition"), None)
    if split is None or split.helps == "no":
        return []
    steps = framework.options["decomposition"].kinds
    told = [f"{plain(step)}: {safe(what)}" for step, what in steps.items()]
    return wrapped(f"A split could be: {'; '.join(told)}.") if told else []


def options_dict(dossier: Dossier) -> dict[str, Any]:
    """The parts of the dossier that speak of options, as plain JSON values."""
    whole = dossier.to_dict()
    names = ("case", "framework", "as_of", "options", "recommendation", "approaches")
    return {name: whole[name] for name in names}


def matrix(dossier: Dossier) -> list[str]:
    """Every option in every column, and the recommendation, as lines of Markdown."""
    lines = ["## Instead, or as well", ""]
    found = dossier.options
    if isinstance(found, Unknown):
        return [*lines, f"Unknown: {md(found.ask)}."]
    if isinstance(dossier.recommendation, Recommendation):
        lines += [f"**Recommendation:** {md(says(dossier.recommendation, found))}", ""]
    table = [(str(one.rank), md(one.title), *cells(one)) for one in found]
    lines += pipes(("", "option", *HEAD), table)
    lines += ["", "### Why, and why not", ""]
    titles = {one.id: one.title for one in found}
    why = []
    for one in found:
        said = f"{one.because} {one.published}".strip()
        if one.dominated_by != "none":
            said += f" {sentence(titles[one.dominated_by])[:-1]} is no worse in anything known"
            said += " of both, and better in something."
        why.append((md(one.title), one.helps, md(said)))
    lines += pipes(("option", "helps", "because"), why)
    if todo := asks(found):
        lines += ["", "What would fill the unknown columns:", "", *(f"- {md(ask)}" for ask in todo)]
    return lines


def options_markdown(dossier: Dossier, framework: Framework, services: Services) -> str:
    """The options as a document: matrix, reasons, models, and who still tunes."""
    sections = [
        [f"# {md(safe(dossier.case.name))}: options",
         "", f"By the {md(dossier.framework.name)} framework, as of {dossier.as_of}."],
        matrix(dossier),
        _steps(framework, dossier),
        _models(framework, dossier),
        _offers(framework, services, dossier.as_of),
    ]  # fmt: skip
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _steps(framework: Framework, dossier: Dossier) -> list[str]:
    """How the task would be split, where splitting may help."""
    found = () if isinstance(dossier.options, Unknown) else dossier.options
    if not any(one.id == "decomposition" and one.helps != "no" for one in found):
        return []
    steps = framework.options["decomposition"].kinds
    lines = ["## How a split would look", ""]
    lines += [f"{n}. {plain(step)}: {md(what)}" for n, (step, what) in enumerate(steps.items(), 1)]
    return [*lines, "", "Score every step by itself; the weakest is where to work."]


def _models(framework: Framework, dossier: Dossier) -> list[str]:
    """What models are said to be good at, which of it this case asks for, and how to measure."""
    models = framework.models
    if models is None:
        return []
    wanted = _wanted(dossier)
    table = []
    for name, strength in models.strengths.items():
        fits = [plain(one) for one in models.suits.get(name, ()) if one in wanted]
        table.append((md(name), md(strength), md(listing(fits))))
    return [
        "## Which model", "", f"{md(models.says)} Dated {models.dated}.", "",
        *pipes(("model", "said to be strong in", "asked for here"), table), "",
        f"**Measure instead.** {md(models.measure)}",
    ]  # fmt: skip


def _wanted(dossier: Dossier) -> set[str]:
    """Goals, signals and factors that hold."""
    goals = () if isinstance(dossier.approaches, Unknown) else dossier.approaches
    held = [name for name, one in dossier.signals.items() if one.state == "yes"]
    held += [name for name, one in dossier.factors.items() if one.state == "yes"]
    return {*held, *(one.goal for one in goals)}


def _offers(framework: Framework, services: Services, day: date) -> list[str]:
    table = []
    for one in services.services:
        names = [framework.approaches[name].title for name in one.approaches
                 if name in framework.approaches]  # fmt: skip
        pages = " ".join(f"<{url}>" for url in one.sources)
        told = (md(one.service), plain(one.kind), md(listing(names)) or "unknown", _open(one, day))
        table.append((*told, f"{md(one.says)} {pages} ({one.dated})".strip()))
    head = ("service", "run", "kinds of tuning its pages name", "takes new work", "what they say")
    return ["## Who still tunes", "", md(sentence(services.says)), "", *pipes(head, table)]


def _open(one: Service, day: date) -> str:
    if one.until is None:
        return one.open_to_new
    return f"{one.open_to_new}; {'ended' if one.until <= day else 'ends'} on {one.until}"


def pipes(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(cell or " " for cell in row) + " |" for row in rows]
