"""tuneworthy models."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.models_pull import pull
from tuneworthy.surfaces.cli.options import as_of_option, day, deliver
from tuneworthy.surfaces.cli.root import examples


class _Listed(click.Group):
    """A group whose first word is a case where it is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Listed,
    epilog=examples("tuneworthy models", "tuneworthy models my-case", "tuneworthy models list"),
)
def models() -> None:
    """List the models that can be called, and what they cost.

    tuneworthy models [CASE] is short for tuneworthy models list [CASE].
    """


@models.command("list")
@click.argument("case", required=False)
@as_of_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How to report.",
)  # fmt: skip
def list_(case: str | None, as_of: str | None, form: str) -> None:
    """List endpoints that are known by name, and the models of CASE.

    Says whether a key is there, never which, and what a model costs by the case or by the list of
    prices that lies on disk. Endpoints on this machine are asked whether they answer, for at most
    a second; nothing is sent anywhere else.
    """
    from tuneworthy.api import models as api

    deliver(api.render(api.models(case, as_of=day(as_of)), form), None, False)


models.add_command(pull)
