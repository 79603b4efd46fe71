"""Completion in a shell: cases, keys of answers, ids, models and export targets.

A shell asks at every press of a key, and shows any text that a program prints. So an error
completes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tuneworthy.model.framework import Framework

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]
_MOST = 500  # words that are offered: a shell would ask before it lists more


def _completer(list_words: Callable[[click.Context, str], Iterable[str]]) -> Completer:
    """Make a completer that offers the words of a list that begin with the typed text."""

    @wraps(list_words)
    def complete(
        context: click.Context, _parameter: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        """Offer the words that begin as typed, and none after an error."""
        from click.shell_completion import CompletionItem

        try:
            words = [
                word for word in list_words(context, begun) if word.startswith(begun)
            ]
        except Exception:  # noqa: BLE001  # a shell has no use for an error
            words = []
        plain = [word for word in words if word.isprintable()]
        return [CompletionItem(word) for word in plain[:_MOST]]

    return complete


@_completer
def cases(_context: click.Context, begun: str) -> Iterator[str]:
    """Case folders, or folders to look into where there is none."""
    from tuneworthy.files.case import CASE_FILE

    above, _, _ = begun.rpartition("/")
    folder = f"{above}/" if above or begun.startswith("/") else ""
    with os.scandir(folder or ".") as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    paths = [f"{folder}{name}" for name in names if not name.startswith(".")]
    fitting = [path for path in paths if path.startswith(begun)]
    with_case = [path for path in fitting if os.path.isfile(f"{path}/{CASE_FILE}")]  # noqa: PTH113  # never raises
    if with_case:
        yield from with_case
    else:
        yield from (f"{path}/" for path in fitting)


@_completer
def answer_keys(context: click.Context, _begun: str) -> Iterator[str]:
    """``KEY=``: checks, factors and signals of the framework, and paths into the case."""
    from tuneworthy.framework.load import case_fields

    framework = _framework(context)
    for room in (framework.ceiling, framework.factors, framework.signals):
        yield from (f"{key}=" for key in room)
    yield from (f"{path}=" for path in case_fields())


@_completer
def ids(context: click.Context, _begun: str) -> Iterator[str]:
    """Ids that can be explained, each once."""
    from tuneworthy.report.sections.record import subjects

    offered = set[str]()
    for key, _ in subjects(_framework(context)):
        if key not in offered:
            offered.add(key)
            yield key


@_completer
def framework_names(_context: click.Context, _begun: str) -> Iterable[str]:
    from tuneworthy.framework.load import NAMES

    return NAMES


@_completer
def targets(_context: click.Context, _begun: str) -> Iterable[str]:
    """The targets that a training set can be exported for."""
    from tuneworthy.training.export import target_names
    from tuneworthy.training.winners import WINNERS

    return [*target_names(), *WINNERS]


@_completer
def models(context: click.Context, _begun: str) -> Iterator[str]:
    """Models of the case."""
    from tuneworthy.pipeline import load_case

    yield from (model.id for model in load_case(_case(context)).models)


@_completer
def evaluation_cases(context: click.Context, _begun: str) -> Iterator[str]:
    """Cases of the evaluation set."""
    from tuneworthy.files.evalset import named_evalset
    from tuneworthy.pipeline import load_case

    yield from (case.id for case in named_evalset(load_case(_case(context))) or ())


def _case(context: click.Context) -> str:
    """The case that is named so far, else the present folder.

    Where an option waits for its value, click hasn't read the case yet: then it is the first word
    that is the name of a file or folder.
    """
    for word in context.args:
        if os.path.exists(word):  # noqa: PTH110  # never raises
            return word
    return str(context.params.get("case") or ".")


def _framework(context: click.Context) -> Framework:
    """The framework of the case on the command line; the lesson's where no case can be read."""
    from contextlib import suppress

    from tuneworthy.errors import InputError
    from tuneworthy.pipeline import framework_of, load_case, load_framework

    with suppress(InputError):
        return framework_of(load_case(_case(context)), context.params.get("chosen"))
    return load_framework("lesson")
