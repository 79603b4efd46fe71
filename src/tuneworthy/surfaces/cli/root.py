"""The root command. A command's module is imported when the command is used, not before."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click

from tuneworthy import __version__


class _Home(NamedTuple):
    module: str
    says: str


_COMMANDS: dict[str, _Home] = {
    "init": _Home("start", "Start a case folder with a commented case file."),
    "interview": _Home("interview", "Ask what removes most doubt, and show the verdict forming."),
    "decide": _Home("decide", "Judge a case: is fine-tuning worth it, and how sure is that?"),
    "options": _Home("alternatives", "Compare what could be done instead, or as well."),
    "explain": _Home("explain", "Walk through a verdict, or explain one factor."),
    "invest": _Home("invest", "Compute cost and return, line by line, and how sure they are."),
    "plan": _Home("plan", "Plan the work: phases, hours, cost, dates, and when each is done."),
    "measure": _Home("measure", "Measure traces or results, and keep the evidence."),
    "evalset": _Home("evalset", "Draw an evaluation set from traces, and label it."),
    "ceiling": _Home("ceiling", "Find out whether prompting has reached its limit."),
    "verify": _Home("verify", "Hold a tuned model against the best untuned arm."),
    "models": _Home("models", "List the models that can be called, and what they cost."),
    "serve": _Home("serve", "Show cases on a page in the browser, and take answers there."),
    "mcp": _Home("mcp", "Lend the tools to an assistant, over its own protocol."),
    "precedents": _Home("precedents", "Show what happened to others, and how often tuning won."),
    "answer": _Home("start", "Write answers into a case file, leaving the rest as it is."),
    "diff": _Home("compare", "Say what changed between two dossiers, and why the verdict moved."),
    "framework": _Home("framework", "List, show and check decision frameworks."),
    "backtest": _Home("backtest", "Show how often a framework was right about published cases."),
    "schema": _Home("schema", "Print the JSON Schema of a case, a framework or a dossier."),
    "completion": _Home("completion", "Print the completion script for a shell."),
}


class _Lazy(click.Group):
    """A group that knows its commands' names and imports each on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = _COMMANDS.get(cmd_name)
        if home is None:
            return None
        module = import_module(f"tuneworthy.surfaces.cli.{home.module}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, home.says) for name, home in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], _COMMANDS, n=1)
            fix = f' Did you mean "{close[0]}"?' if close else ""
            ctx.fail(f'there is no command "{args[0]}".{fix}')
        return super().resolve_command(ctx, args)


def examples(*lines: str) -> str:
    """An epilog of example commands, one a line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=examples(
        "tuneworthy init my-case            start a case",
        "tuneworthy decide my-case          judge it",
        "tuneworthy explain my-case         see why",
    ),
)
@click.version_option(__version__, message="tuneworthy %(version)s")
def cli() -> None:
    """Is fine-tuning worth it for your use case, and what instead when it isn't?

    Every answer names its evidence. What is unknown is called unknown, with the step that would
    settle it.
    """
