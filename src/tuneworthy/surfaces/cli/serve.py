"""tuneworthy serve."""

from __future__ import annotations

from importlib.util import find_spec

import click

from tuneworthy.domain.errors import InputError
from tuneworthy.surfaces.cli.options import as_of_option, day, framework_option
from tuneworthy.surfaces.cli.root import examples

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "jinja2", "altair", "vl_convert")


@click.command(
    epilog=examples(
        "tuneworthy serve",
        "tuneworthy serve examples --open",
        "tuneworthy serve cases --host 0.0.0.0 --port 9000",
    )
)
@click.argument("folder", metavar="[CASES_DIR]", default=".")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; any but this machine's own needs a token, which is made and shown.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 for any that is free.",
)
@click.option("--open", "browse", is_flag=True, help="Open it in a browser.")
@framework_option
@as_of_option
def serve(
    folder: str, host: str, port: int, browse: bool, framework: str | None, as_of: str | None
) -> None:
    """Show the cases in CASES_DIR, or the one case that it is, on a page in the browser.

    Answers are written into the case files; what a file said before is kept beside it, in
    .tuneworthy. Ends with Ctrl-C.
    """
    for library in _NEEDED:
        if find_spec(library) is None:
            fix = 'in a clone, pip install ".[serve]" installs it'
            what = f"the page needs the extra serve ({library} is not installed)"
            raise InputError(what, where="tuneworthy serve", fix=fix)
    from tuneworthy.surfaces.web.server import run

    run(folder, host=host, port=port, browse=browse, chosen=framework, as_of=day(as_of))
