"""tuneworthy evalset label, agreement, adjudicate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tuneworthy.surfaces.cli.options import case_argument, colour, deliver
from tuneworthy.surfaces.cli.root import examples

if TYPE_CHECKING:
    from tuneworthy.api.labelling import Item, Session

_LONGEST = 100_000  # characters of an answer
_COMMANDS = {"s": "skip", "b": "back", "q": "quit"}
_seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
    help="For the order, the same for all labellers; for outputs as the lab was given it.",
)  # fmt: skip
_tokens_option = click.option(
    "--max-tokens", type=click.IntRange(1, 100_000), default=512, show_default=True,
    help="For outputs, as the lab was given it.",
)  # fmt: skip
_rubric_option = click.option("--rubric", metavar="FILE", help="What outputs are held against.")


@click.command(
    epilog=examples(
        "tuneworthy evalset label my-case --labeller ada",
        "tuneworthy evalset label my-case --labeller ada --rubric rubric.md",
        "tuneworthy evalset label my-case --pairwise 'v1 · openai:gpt-4o' 'v2 · openai:gpt-4o'",
    )
)
@case_argument
@click.option("--labeller", metavar="NAME", default="me", show_default=True,
              help="Who labels: a second one makes agreement known.")  # fmt: skip
@_rubric_option
@click.option("--scale", type=click.Choice(["yes-no", "1-5"]), default="yes-no",
              show_default=True, help="What may be said of an output.")  # fmt: skip
@click.option("--pairwise", nargs=2, metavar="ARM ARM", help="Compare the outputs of two arms.")
@click.option("--arm", "arms", multiple=True, metavar="ARM",
              help="With --rubric: this arm alone; may be repeated.")  # fmt: skip
@click.option("--for", "lab", type=click.Choice(["report", "choose", "verify"]),
              help="With --rubric, what a lab under a judge needs: its chosen arms on untouched "
              "cases, all arms on the others, or both arms of a verification.")  # fmt: skip
@_seed_option
@_tokens_option
def label(
    case: str, labeller: str, rubric: str | None, scale: str, pairwise: tuple[str, str] | None,
    arms: tuple[str, ...], lab: Any, seed: int, max_tokens: int,
) -> None:  # fmt: skip
    """Label the evaluation set of CASE: right answers, or outputs of a lab's arms.

    Asks for the right answer where a case has none. With --rubric each output is held against it,
    with --pairwise two are compared; order is drawn and arms are never named. Every answer is kept
    at once in .tuneworthy/labels, and the same command goes on where it stopped.
    """
    from tuneworthy.api import labelling as api

    session = api.begin(
        case, labeller, rubric=rubric, scale=scale, pairwise=pairwise or None, arms=arms,
        seed=seed, max_tokens=max_tokens, lab=lab,
    )  # fmt: skip
    _run(session)


@click.command()
@case_argument
def agreement(case: str) -> None:
    """Show how far the labellers of CASE agree, and what they differ on."""
    from tuneworthy.api import agreement as api

    deliver(api.render(api.agreement(case), case, colour=colour()), None, False)


@click.command()
@case_argument
@_rubric_option
@_seed_option
@_tokens_option
def adjudicate(case: str, rubric: str | None, seed: int, max_tokens: int) -> None:
    """Settle what the labellers of CASE differ on. Nobody is named, and what each said stays."""
    from tuneworthy.api import agreement as api

    _run(api.begin_adjudicating(case, rubric=rubric, seed=seed, max_tokens=max_tokens))


def _run(session: Session) -> None:
    """Show and ask until all is labelled, or whoever labels has had enough."""
    from tuneworthy.api import labelling as api

    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    painted = colour()
    while (item := session.current()) is not None:
        page = api.item_page(
            item, number=session.at + 1, of=len(session.items), rubric=session.rubric,
            said=session.notes.get(item.key, ()), colour=painted,
        )  # fmt: skip
        deliver(page, None, False)
        said = _asked(item)
        if said == "quit":
            break
        if said == "skip":
            session.skip()
        elif said == "back":
            session.back()
        else:
            session.answer(said.removeprefix("="))
    deliver(api.tally_page(session.done, len(session.items)), None, False)


def _asked(item: Item) -> str:
    """``skip``, ``back``, ``quit``, or what is said behind an equals sign."""
    from tuneworthy.api.labelling import keys_of

    keys = keys_of(item)
    while True:
        given = _line() if not keys or not sys.stdin.isatty() else click.getchar()
        if given is None:
            return "quit"
        word = given.strip()
        told = _COMMANDS.get(word.removeprefix(":").lower())
        if told is not None and (keys or word.startswith(":")):
            return told
        if not keys and word:
            return f"={word[:_LONGEST]}"
        found = keys.get(word.lower()) or (word.lower() if word.lower() in keys.values() else None)
        if found is not None:
            return f"={found}"
        click.echo(f"Use {', '.join([*keys, 's', 'b', 'q'])}" if keys else
                   "Write the answer, or :s, :b, :q")  # fmt: skip


def _line() -> str | None:
    """A line of the input, cut where it is far too long; None at its end."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False)
    given = part = sys.stdin.readline(_LONGEST)
    while part and not part.endswith("\n"):
        part = sys.stdin.readline(_LONGEST)
    return given or None
