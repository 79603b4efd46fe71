"""tuneworthy completion."""

from __future__ import annotations

import click

from tuneworthy.surfaces.cli.root import cli, examples


@click.command(
    epilog=examples(
        'eval "$(tuneworthy completion bash)"',
        "tuneworthy completion fish > ~/.config/fish/completions/tuneworthy.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # the choice admits only shells that click knows
    click.echo(kind(cli, {}, "tuneworthy", "_TUNEWORTHY_COMPLETE").source())
